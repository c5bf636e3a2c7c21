/* SPDX-License-Identifier: Apache-2.0 */
/* What fairness.c (seats and queues) and fairness-match.c (schemas) share. */
#pragma once

#include "apiserver/rest/fairness.h"

struct arena;

#define FAIRNESS_QUEUES_MAX 512 /* of a level; objects may ask for more, which is cut */
#define FAIRNESS_HAND_MAX 16

struct fairness_queue {
	struct list waiting; /* struct fairness_seat */
	size_t n;
	uint64_t given; /* work it was given, in seats; compared within a level */
};

struct fairness_level {
	struct list link; /* of all; out of use it stays until its last request has left */
	struct fairness *of;
	char *name, *uid;
	bool exempt, queues, gone;
	unsigned shares, lendable_percent;
	int borrow_percent; /* -1: no bound */
	unsigned seats, lendable, borrow_max;
	unsigned hand, length_max;
	struct fairness_queue *queue; /* nqueues */
	size_t nqueues;
	unsigned used; /* seats of what runs */
	size_t running, waiting;
	uint64_t clock; /* work given to the queue whose turn was last */
	uint64_t refused, started;
};

/* Schemas in order of matching, in one arena; counted, since requests hold their names. */
struct fairness_schema {
	const char *name, *uid;
	struct fairness_level *level;
	int64_t precedence;
	bool by_user, by_namespace;
	const struct doc *rules;
};
struct fairness_schemas {
	struct arena *arena;
	unsigned refs;
	struct fairness_schema *v;
	size_t n;
};

/* Copies and sorts; find gives a level by its name or NULL. */
int fairness_schemas_make(const struct doc *const *docs, size_t n,
			  struct fairness_level *(*find)(void *arg, const char *name), void *arg,
			  struct fairness_schemas **ret, struct err *err);
void fairness_schemas_unref(struct fairness_schemas *s); /* NULL is fine */
/* NULL: none matches. */
const struct fairness_schema *fairness_schemas_match(const struct fairness_schemas *s,
						     const struct fairness_about *about);

/* ---- fairness-follow.c ---- */

struct fairness_follow;
void fairness_follow_free(struct fairness_follow *f); /* NULL is fine */
/* ---- fairness.c ---- */
void fairness_set_follow(struct fairness *f, struct fairness_follow *x);
bool fairness_level_find(const struct fairness *f, const char *name);
