/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to custom*.c: a structural schema, compiled. What tables can say of it is in `object` and
 * `row` as for built-in types; the rest is here.
 */
#pragma once

#include "api/check.h"
#include "api/custom.h"
#include "base/arena.h"
#include "base/err.h"
#include "expr/cel.h"
#include "expr/jsonpath.h"
#include "expr/regex.h"

#define CUSTOM_DEPTH_MAX 100

enum custom_type {
	CUSTOM_ANY, /* no type: preserved, or a schema that only narrows */
	CUSTOM_OBJECT,
	CUSTOM_ARRAY,
	CUSTOM_STRING,
	CUSTOM_INTEGER,
	CUSTOM_NUMBER,
	CUSTOM_BOOLEAN,
	CUSTOM_INT_OR_STRING,
};

enum {
	CUSTOM_NULLABLE = 1 << 0,
	CUSTOM_PRESERVE = 1 << 1,
	CUSTOM_EMBEDDED = 1 << 2,
	CUSTOM_EXTRA = 1 << 3,	  /* additionalProperties are there: a schema or `true` */
	CUSTOM_NO_EXTRA = 1 << 4, /* additionalProperties: false */
	CUSTOM_OVER = 1 << 5,	  /* exclusiveMinimum */
	CUSTOM_UNDER = 1 << 6,	  /* exclusiveMaximum */
};

struct custom_property {
	struct slice name;
	const struct custom_schema *schema;
	const struct doc *key; /* as it stands in the definition */
};

struct custom_list {
	const struct custom_schema *const *v;
	size_t n;
};

/* A rule in CEL: variable 0 is self, 1 is oldSelf. */
struct custom_rule {
	const struct cel_prog *prog;
	const struct cel_prog *words; /* messageExpression, or NULL */
	struct slice text, message;   /* without blanks around; no message: empty */
	const char *field;	      /* fieldPath as errors have it; NULL */
	const char *reason;
	bool uses_old;
	bool optional_old; /* oldSelf is an optional */
};

struct custom_schema {
	uint8_t type, flags, format, list; /* enum custom_type, CUSTOM_*, form.., schema_list */
	bool atomic;			   /* x-kubernetes-map-type */
	const struct doc *source;
	const struct doc *def;	/* default, or NULL */
	const char *def_text;	/* the same as JSON */
	const char *list_keys;	/* separated by blanks; NULL */
	const struct doc *keys; /* the same as an array */
	const struct custom_schema *items, *extra, *not ;
	struct custom_list all, any, one;
	const struct custom_property *properties; /* by name */
	const struct custom_property *defaulted;  /* those with a default, in the source's order */
	size_t nproperties, ndefaulted;
	const struct doc *required, *enums;
	const struct doc *maximum, *minimum, *multiple;
	int64_t min_length, max_length, min_items, max_items, min_members,
		max_members; /* -1: none */
	const struct regex *pattern, *format_pattern;
	struct slice pattern_text;
	const struct api_type *object; /* of an object with properties; else NULL */
	/* What follows is there when the definition has rules. */
	const struct cel_type *seen; /* what rules see of it; NULL: nothing */
	uint64_t least;		     /* bytes of the smallest value as JSON */
	const struct custom_rule *rules;
	size_t nrules;
	bool ruled; /* it has rules, or what lies below has */
};

struct custom_column {
	const char *name, *type, *format, *description;
	int32_t priority;
	const struct jsonpath *path;
};

/* What compiling needs. */
struct custom_build {
	const struct api *api;
	const struct api_group *group;
	struct arena *a;
	struct err *err;
	unsigned depth;
	bool has_defaults; /* found so far */
};

/* The schema and its tables; for the root also kind, apiVersion and metadata. */
int custom_schema_compile(struct custom_build *b, const struct doc *source, const char *name,
			  bool root, const struct custom_schema **ret);
/* The row of one value under a schema (a field's name, or NULL for elements). */
int custom_row(struct custom_build *b, const struct custom_schema *s, const char *name,
	       struct schema_field *f, struct api_note *n);

const struct custom_schema *custom_property(const struct custom_schema *s, struct slice name);

/* ---- formats ---- */

/* The number of a format that is looked at for values of this type, 0: none (it says nothing). A
 * form that is a pattern is compiled for the schema: *ret_pattern, NULL when it is none. */
int custom_format(struct custom_build *b, struct slice name, enum custom_type type, uint8_t *ret,
		  const struct regex **ret_pattern);
bool custom_format_ok(const struct custom_schema *s, struct slice text);

/* ---- values ---- */

/* Does it hold only what the schema names? */
bool custom_is_pruned(const struct custom_schema *s, const struct doc *d);

/* Errors of a value under a schema (`old`: the value before, or NULL) go to c at p; their words
 * have the path from `from` (NULL: the whole) on. */
void custom_check_value(struct check *c, const struct custom_schema *s, const struct path *p,
			const struct path *from, const struct doc *v, const struct doc *old);

/* As custom_check_value's search for the item of before: lists of type map only, else NULL. */
const struct doc *custom_old_item(const struct custom_schema *s, const struct doc *old, size_t i,
				  const struct doc *item, unsigned *searched);

/* ---- rules in CEL ---- */

/* Types and programs of all rules; root is in b's arena. */
int custom_rules_compile(struct custom_build *b, const struct custom_schema *root);
/* All rules at s and below, with one budget. p: NULL for a whole object. */
void custom_rules_run(struct check *c, const struct custom_schema *s, const struct path *p,
		      const struct doc *v, const struct doc *old);
struct slice custom_trim(struct slice s); /* without blanks around it */

static inline int custom_full(const struct custom_build *b)
{
	return arena_quota(b->a, b->err);
}
