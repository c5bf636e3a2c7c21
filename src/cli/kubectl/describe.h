/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `kubectl describe`: what is written about an object, for people. describe-*.c have a function a
 * kind; private to them.
 *
 * Text is collected with tabs in it; describe_align makes columns of them at the end, as Go's
 * text/tabwriter does (two blanks between). Indentation is two blanks a level.
 */
#pragma once

#include "cli/kubectl/kubectl.h"
#include "doc/doc.h"

struct quantity;

struct describe {
	struct kubectl *k;
	const struct doc *obj;
	const char *name, *space; /* space "" = it has none */
	bool show_events;
	int64_t chunk;	    /* objects of one answer, 0 = all at once */
	struct doc *events; /* array; NULL = they are not shown */
	struct buf text;
	int nest; /* levels that are added to each call below */
};

#define DESCRIBE_TEXT_MAX (256u << 20)

/* One kind: 0, or what the server refused. */
typedef int describe_fn(struct describe *d, struct err *err);
struct describe_kind {
	const char *group, *kind;
	const char *api; /* the version that the function reads, NULL = any */
	describe_fn *run;
	bool events; /* asked for before run, written behind it */
};
/* Kinds of an area; ended by a row without kind. */
extern const struct describe_kind describe_core[], describe_workloads[], describe_networks[],
	describe_stores[], describe_rules[];
/* Any other kind: all of its members. */
int describe_generic(struct describe *d, struct err *err);

/* ---- writing ---- */

/* One text, indented once. */
void describe_f(struct describe *d, int level, const char *fmt, ...) PRINTF(3, 4);
/*
 * Lines with values in braces, each line indented: "Image:\t{image}\nPort:\t{port|<none>}\n". A
 * path leads from `from`; behind '|' stands what is written when nothing is there or it is empty.
 * Before the path: '@' a time (RFC 1123), '^' a time as Go prints it, '~' a quantity, '*' a list
 * with commas, '+' with comma and blank, '&' a reference to a secret, '%' one with a namespace;
 * else as Go prints values.
 */
void describe_put(struct describe *d, int level, const struct doc *from, const char *lines);
/* The same, if `path` is there and no empty text. */
void describe_opt(struct describe *d, int level, const struct doc *from, const char *path,
		  const char *lines);
/* Text with tabs to columns. */
void describe_align(struct slice text, struct buf *out);

/* ---- values ---- */

/* In the arena. As describe_put has it: `spec` is what stands between the braces. */
const char *describe_value(struct describe *d, const struct doc *from, const char *spec);
int64_t describe_int(const struct doc *from, const char *path, int64_t missing);
/* Keys of an object, sorted; *n of them. */
struct doc *const *describe_keys(struct describe *d, const struct doc *map, size_t *n);
/* Elements of an array in the order of cmp, stable. */
struct doc *const *describe_sorted(struct describe *d, const struct doc *list,
				   int (*cmp)(const struct doc *a, const struct doc *b), size_t *n);
/* Order of two texts that may be missing. */
int describe_by_text(const struct doc *a, const struct doc *b);
/* "a=b,c=d", or "<none>". */
const char *describe_map(struct describe *d, const struct doc *map);
/* A LabelSelector as text; `none` when it selects nothing or all. */
const char *describe_selector(struct describe *d, const struct doc *selector, const char *none);
/* "ReplicaSet/x", or "". */
const char *describe_controller(struct describe *d, const struct doc *obj);
bool describe_owned(struct describe *d, const struct doc *obj, const char *uid);
const char *describe_quantity(struct describe *d, const struct quantity *q);
/* False: no text or number of a quantity. */
bool describe_read_quantity(const struct doc *v, struct quantity *ret);
/* One of the members of a map of quantities; none is zero. */
struct quantity describe_amount(const struct doc *map, const char *name);
const char *describe_age(struct describe *d, const struct doc *when);

/* When an event was: "5m (x3 over 2h)". */
const char *describe_interval(struct describe *d, const struct doc *event);

/* ---- parts ---- */

/* "title:\ta=b\n\tc=d\n"; indent stands before each line. */
void describe_labels(struct describe *d, const char *indent, const char *title,
		     const struct doc *labels);
void describe_annotations(struct describe *d, const char *title, const struct doc *notes);
/* Name, Namespace (when `space`), Labels, Annotations. */
void describe_head(struct describe *d, bool space);
/* Phase, or since when it terminates. */
void describe_phase(struct describe *d);
void describe_events(struct describe *d);
/* Headings with lines below, then a row (as for describe_put) for each condition. */
void describe_conditions(struct describe *d, const char *heads, const char *row);
void describe_pod_template(struct describe *d, const struct doc *t);
void describe_volumes(struct describe *d, const struct doc *volumes, const char *space);
/* A volume's source, or a persistent volume's. */
void describe_source(struct describe *d, const struct doc *from, bool persistent);
void describe_claim(struct describe *d, const struct doc *claim, bool whole);
const char *describe_claim_class(struct describe *d, const struct doc *claim);
const char *describe_modes(struct describe *d, const struct doc *modes);
void describe_quotas(struct describe *d, const struct doc *quotas);
void describe_limits(struct describe *d, const struct doc *ranges);

/* ---- asking ---- */

/* Items of a list; path "api/v1", "apis/apps/v1"; space "" = all. Labels and fields may be NULL. */
struct describe_ask {
	const char *api, *resource, *space, *labels, *fields;
};
int describe_list(struct describe *d, const struct describe_ask *ask, struct doc **ret,
		  struct err *err);
int describe_get(struct describe *d, const struct describe_ask *ask, const char *name,
		 struct doc **ret, struct err *err);
/* Events of an object: kind or uid NULL = any. Appends to d->events. */
void describe_find_events(struct describe *d, const char *kind, const char *uid);
