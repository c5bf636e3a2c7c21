/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work of several steps as a table of do and undo, and life cycles as a table of allowed moves.
 * step_run runs rows in order; when one fails, the undo of the rows that ran (not of the failed
 * one: it cleans up after itself) run in reverse, and the error is wrapped with the row's name.
 */
#pragma once

#include "base/cleanup.h"

#include <stddef.h>
#include <stdint.h>

struct err;

struct step {
	const char *name;
	int (*run)(void *ctx, struct err *err);
	void (*undo)(void *ctx); /* NULL = nothing to undo */
};

/* 0 or the failed row's result. */
int step_run(const struct step *steps, size_t n, void *ctx, struct err *err);
/* Undoes rows n-1 .. 0: for a table that has run whole. */
void step_undo(const struct step *steps, size_t n, void *ctx);
/* For tests: row index that fails before it runs (-1 = none). Thread-local. */
void step_fail_at(int row);

struct sm_state {
	const char *name;
	uint32_t next; /* bit mask of states that may follow */
};
/* Moves *state to `to` if the table allows; else -ERR_CONFLICT "<what>: cannot go from <a> to <b>".
 */
int sm_move(const struct sm_state *table, size_t n, const char *what, unsigned *state, unsigned to,
	    struct err *err);
