/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to regex*.c: the program of a pattern. Steps point to others by distance, so a piece may
 * be copied or moved as it is; running off its end goes on with what follows.
 */
#pragma once

#include "base/str.h"

enum step_op {
	STEP_RUNE,  /* x: the code point */
	STEP_CLASS, /* x: index in classes */
	STEP_ANY,   /* also a newline */
	STEP_LINE,  /* any but a newline */
	STEP_SPLIT, /* goes on at both x and y */
	STEP_JUMP,  /* x */
	STEP_TEXT_BEGIN,
	STEP_TEXT_END,
	STEP_LINE_BEGIN,
	STEP_LINE_END,
	STEP_WORD_EDGE,
	STEP_WORD_INSIDE,
	STEP_FAIL, /* matches nothing */
	STEP_MATCH,
};

struct step {
	uint32_t op;
	int32_t x, y;
};

struct class_range {
	uint32_t lo, hi;
};

/* Ranges in ascending order. */
struct class
{
	const struct class_range *v;
	size_t n;
};

struct regex {
	const struct step *steps; /* the last is STEP_MATCH */
	uint32_t n;
	const struct class *classes;
};
