/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Regular expressions as Go has them (RE2's syntax): what Kubernetes' patterns are written in.
 *
 * A pattern becomes a program that all its possible states run side by side, so time is linear in
 * the text whatever the pattern, and there is nothing that a backtracking engine would need
 * (backreferences, look-around): those are refused, as Go refuses them. Text is UTF-8; a byte that
 * is none counts as U+FFFD.
 *
 * Unlike Go: classes by Unicode property (\pL, \p{Greek}) are refused by name, and (?i) folds the
 * letters of ASCII only.
 */
#pragma once

#include "base/str.h"

struct arena;
struct err;
struct regex;

/* A pattern's program: counted repetitions are written out. */
#define REGEX_PROGRAM_MAX 20000

/* The program lives in `a` and may be shared by threads. -ERR_INVALID in Go's words ("error parsing
 * regexp: missing closing ]: `[a`"); -ERR_TOO_LARGE past REGEX_PROGRAM_MAX; -ERR_QUOTA. */
int regex_compile(struct slice pattern, struct arena *a, const struct regex **ret, struct err *err);
/* Does it match anywhere in the text? */
bool regex_match(const struct regex *r, struct slice text);
/* The same with a bound: *work is counted down by the states that are looked at. -1: it was not
 * enough. */
int regex_match_within(const struct regex *r, struct slice text, uint64_t *work);
/*
 * 1: the leftmost match that begins at byte `from` or later, of those the one that Go prefers
 * (what is before "|" first, greedy or lazy as written). 0: none. -1: out of work.
 */
int regex_find(const struct regex *r, struct slice text, size_t from, uint64_t *work, size_t *begin,
	       size_t *end);
