/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Quantities: "250m", "1.5Gi", "1e3". Exact to a billionth (finer parts are rounded away from
 * zero), at most 2^63-1 units in magnitude (more is cut to that), as upstream has them.
 */
#pragma once

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum quantity_form { QUANTITY_DECIMAL, QUANTITY_BINARY, QUANTITY_EXPONENT };

struct quantity {
	__int128 nano;
	enum quantity_form form; /* of the text, kept by sums */
};

#define QUANTITY_TEXT_MAX 40

/* False: no quantity; *ret is untouched. */
bool quantity_parse(struct slice s, struct quantity *ret);
/* The canonical text: no fraction, the largest suffix that loses nothing. Returns its length. */
unsigned quantity_print(const struct quantity *q, char dst[QUANTITY_TEXT_MAX]);
int quantity_cmp(const struct quantity *a, const struct quantity *b);
/* *a += b, *a -= b; cut at the bounds. An empty sum takes b's form. */
void quantity_add(struct quantity *a, const struct quantity *b);
void quantity_sub(struct quantity *a, const struct quantity *b);
/* Whole units, and thousandths, rounded away from zero, cut to the range. */
int64_t quantity_units(const struct quantity *q);
int64_t quantity_milli(const struct quantity *q);
/* Rounds to thousandths, away from zero. True: it was finer. */
bool quantity_round_milli(struct quantity *q);
