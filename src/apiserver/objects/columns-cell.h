/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to columns*.c: one row of a Table while it is made, and what cells of many kinds are made
 * of. Every cell_* puts exactly one cell at the end; texts are copied into the arena.
 */
#pragma once

#include "base/clock.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct arena;
struct doc;

#define CELL_MAX (8u << 20) /* bytes of one cell; derived text stays below what is stored */

struct cells {
	const struct doc *obj;
	int64_t now; /* seconds since 1970 */
	struct arena *a;
	struct doc *out;	/* the cells */
	struct doc *conditions; /* of the row; null */
};

/* What upstream prints where nothing is. */
#define CELL_NONE "<none>"
#define CELL_UNSET "<unset>"
#define CELL_UNKNOWN "<unknown>"

/* ---- reading ---- */

struct slice cell_get(const struct doc *d, const char *path); /* empty when absent */
int64_t cell_get_int(const struct doc *d, const char *path);  /* 0 when absent */
bool cell_is_set(const struct doc *d, const char *path);      /* there, and not null */
/* The condition of a type in a list of them, or NULL. */
const struct doc *cell_condition(const struct doc *list, const char *type);
bool cell_condition_true(const struct doc *list, const char *type);
/* A moment in nanoseconds since 1970; CLOCK_ZERO when absent or zero. */
int64_t cell_time(const struct doc *moment);
/* From a moment to now: "3m", "<unknown>" for none. out: 32 bytes; returned. */
const char *cell_since(const struct cells *c, int64_t moment, char *out);

/* ---- cells ---- */

void cell_text(struct cells *c, struct slice s);
void cell_word(struct cells *c, const char *s);
void cell_printf(struct cells *c, const char *fmt, ...) PRINTF(2, 3);
/* `other` instead of the empty text. */
void cell_or(struct cells *c, struct slice s, const char *other);
void cell_buf(struct cells *c, const struct buf *b, const char *other);
/* The text at a path: "" when absent. */
void cell_path(struct cells *c, const char *path);
/* The text at a path; `other` when there is none (an empty one is printed as it is). */
void cell_path_or(struct cells *c, const char *path, const char *other);
void cell_int(struct cells *c, int64_t v);
void cell_number(struct cells *c, const char *path); /* 0 when absent */
void cell_count(struct cells *c, const char *path);  /* length of a list or map */
void cell_bool(struct cells *c, const char *path);   /* false when absent */
void cell_name(struct cells *c);
void cell_age(struct cells *c);

/* ---- of several kinds ---- */

/* "k=v,k2=v2" of a map; "<none>". */
void cell_labels(struct cells *c, const struct doc *labels);
/* meta.LabelSelector: "<none>" selects nothing or everything, "<error>" is none. */
void cell_selector(struct cells *c, const struct doc *selector);
/* The text alone: nothing for one that selects nothing or everything; false for none. */
bool cell_print_selector(struct cells *c, const struct doc *selector, struct buf *out);
/* Names and images of containers: two cells. */
void cell_containers(struct cells *c, const struct doc *containers);
/* The texts (or, with a member given, those members of the objects) of a list, comma separated. */
void cell_join(struct buf *b, const struct doc *list, const char *member, const char *comma);
/* "ReadWriteOnce", ... shortened, each once: "RWO,RWX". */
void cell_access_modes(struct cells *c, const struct doc *list);
void cell_lower(struct buf *b); /* ASCII */
/* Sorts texts and drops what is there twice; the new length. */
size_t cell_sort(struct slice *v, size_t n);
/* The keys of a map, sorted; NULL and none past the arena's maximum. */
struct slice *cell_keys(struct cells *c, const struct doc *map, size_t *ret_n);
