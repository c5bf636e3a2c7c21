/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CEL, the expressions of admission policies, CRD rules and match conditions: compiled once against
 * an environment (variables with types), then run on documents any number of times.
 *
 * An environment and what it names must outlive its programs; a finished environment and a program
 * are constant and may be used by any thread. The functions are those of Kubernetes: the language's
 * own, optional types, two-variable comprehensions, strings, lists, sets, regex, url, quantity, ip,
 * cidr, format, semver, authorizer. Time zones are UTC and fixed offsets ("+02:00"): names of
 * places are refused, since their rules are files which a fenced role cannot read.
 * Compiling and running take up to 2 MB of the stack, for expressions as deep as they may be.
 * Spec: CEL language definition; cel-go for messages; Kubernetes' pkg/cel for libraries and cost.
 */
#pragma once

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct arena;
struct cel_env;
struct cel_map;
struct cel_prog;
struct cel_value;
struct doc;
struct err;

/* ---- types ---- */

enum cel_kind {
	CEL_T_DYN,
	CEL_T_NULL,
	CEL_T_BOOL,
	CEL_T_INT,
	CEL_T_UINT,
	CEL_T_DOUBLE,
	CEL_T_STRING,
	CEL_T_BYTES,
	CEL_T_TIMESTAMP,
	CEL_T_DURATION,
	CEL_T_LIST,
	CEL_T_MAP,
	CEL_T_OBJECT,
	CEL_T_TYPE,
	CEL_T_OPTIONAL,
	CEL_T_QUANTITY,
	CEL_T_SEMVER,
	CEL_T_URL,
	CEL_T_IP,
	CEL_T_CIDR,
	CEL_T_FORMAT,
	CEL_T_AUTHORIZER,
	CEL_T_PATH_CHECK,
	CEL_T_GROUP_CHECK,
	CEL_T_RESOURCE_CHECK,
	CEL_T_DECISION,
	CEL_T_VAR,   /* the checker's: a type that is still open */
	CEL_T_ERROR, /* the checker's: of what was refused */
	CEL_T_COUNT
};

/* Fields of an object type. */
struct cel_fields {
	/* The field's type, NULL when there is none; what it makes lives in the arena or longer. */
	const struct cel_type *(*find)(const void *arg, struct slice name, struct arena *a);
	const void *arg;
};

/* x-kubernetes-list-type: what == and + mean for a list. */
enum cel_list_kind {
	CEL_LIST_ATOMIC,
	CEL_LIST_SET, /* order is nothing; + is the union */
	CEL_LIST_MAP, /* as SET by the values of `keys`; + replaces elements of equal keys */
};

struct cel_type {
	uint8_t kind;
	uint8_t list; /* LIST: enum cel_list_kind */
	uint32_t var; /* VAR: which */
	const char *name;
	const struct cel_type *of[2];	 /* LIST, OPTIONAL, TYPE: one; MAP: key, value */
	const struct cel_fields *fields; /* OBJECT */
	const char *const *keys;	 /* LIST of CEL_LIST_MAP: ends with NULL */
	uint64_t max; /* size of a STRING, BYTES, LIST or MAP at most; 0: not known */
};

/* Types that are written down: fields of an object as rows, behind which is one without a name. */
struct cel_row {
	const char *name;
	const struct cel_type *type;
};
const struct cel_type *cel_row_find(const void *rows, struct slice name, struct arena *a);
#define CEL_OBJECT(name_, rows)                                                           \
	{                                                                                 \
		.kind = CEL_T_OBJECT, .name = name_, .fields = &(const struct cel_fields) \
		{                                                                         \
			cel_row_find, (rows)                                              \
		}                                                                         \
	}
#define CEL_LIST(of_)                                              \
	{                                                          \
		.kind = CEL_T_LIST, .name = "list", .of = {(of_) } \
	}
extern const struct cel_type cel_types[CEL_T_COUNT]; /* those of cel_type_of */
extern const struct cel_type cel_list_string, cel_map_string_string, cel_map_string_strings;

/* One of a kind that needs no more to be said: list(dyn), map(dyn, dyn), optional(dyn). */
const struct cel_type *cel_type_of(enum cel_kind kind);
/* NULL past the arena's maximum, and of NULL. */
struct cel_type *cel_type_list(struct arena *a, const struct cel_type *of);
struct cel_type *cel_type_map(struct arena *a, const struct cel_type *key,
			      const struct cel_type *value);
struct cel_type *cel_type_optional(struct arena *a, const struct cel_type *of);
/* `name` shows in messages, and is what expressions make it by; both are borrowed. Names of fields
 * are the document's: expressions write them escaped ("__dash__"). */
struct cel_type *cel_type_object(struct arena *a, const char *name,
				 const struct cel_fields *fields);
/* "list(int)", cut to what fits; returns dst. */
const char *cel_type_text(const struct cel_type *t, char *dst, size_t n);

/* ---- values ---- */

enum cel_rep {
	CEL_REP_NATIVE,
	CEL_REP_DOC,  /* LIST, MAP, OBJECT: a document's */
	CEL_REP_CALL, /* OBJECT: fields are asked of the caller */
};

/* Fields that are made when an expression asks for them. */
struct cel_getter {
	/* 1: there is no such field. An error ends up as the expression's. */
	int (*get)(void *arg, struct slice field, struct arena *a, struct cel_value *ret,
		   struct err *err);
	void *arg;
};

struct cel_value {
	uint8_t kind; /* enum cel_kind; never DYN */
	uint8_t rep;
	uint32_t n; /* bytes, elements, entries; nanoseconds of a timestamp */
	union {
		bool b;
		int64_t i; /* also: seconds of a timestamp, nanoseconds of a duration */
		uint64_t u;
		double d;
		const char *s; /* STRING, BYTES */
		const struct doc *doc;
		const struct cel_value *list;
		const struct cel_map *map;
		const struct cel_getter *getter;
		const struct cel_value *opt; /* NULL: none */
		const struct cel_type *t;    /* TYPE */
		const void *p;		     /* opaque ones */
	};
	const struct cel_type *type; /* LIST, MAP, OBJECT: as declared; NULL: dyn */
};

static inline struct cel_value cel_null(void)
{
	return (struct cel_value){ .kind = CEL_T_NULL };
}
static inline struct cel_value cel_bool(bool b)
{
	return (struct cel_value){ .kind = CEL_T_BOOL, .b = b };
}
static inline struct cel_value cel_int(int64_t i)
{
	return (struct cel_value){ .kind = CEL_T_INT, .i = i };
}
/* Borrowed; UTF-8, at most 4 GiB. */
static inline struct cel_value cel_string(struct slice s)
{
	return (struct cel_value){ .kind = CEL_T_STRING, .s = s.p, .n = (uint32_t)s.n };
}
static inline struct slice cel_slice(const struct cel_value *v)
{
	return slice_of(v->s, v->n);
}
/*
 * A document as a type has it (NULL: as it is written): nothing is copied, the document outlives
 * the value. NULL is null. -ERR_INVALID when a scalar is none of its type (a timestamp that is no
 * time); what is inside of lists and objects is looked at when it is used.
 */
int cel_value_of(const struct doc *d, const struct cel_type *type, struct arena *a,
		 struct cel_value *ret, struct err *err);
struct cel_value cel_object(const struct cel_getter *g, const struct cel_type *type);
/* A value as JSON has it; bytes in base64, times and durations as text. -ERR_INVALID for what JSON
 * cannot say (types, optionals without a value, NaN), -ERR_QUOTA. */
int cel_value_doc(const struct cel_value *v, struct arena *a, struct doc *ret, struct err *err);

/* ---- authorizer ---- */

/* What an expression asks: fields that were not given are empty. */
struct cel_check {
	struct slice path; /* of a check without a resource */
	bool on_resource;
	struct slice verb, group, resource, subresource, ns, name;
	struct slice field_selector, label_selector; /* as written, not looked at */
	bool on_account; /* asked for this service account, whatever its names are */
	struct slice sa_namespace, sa_name;
};

struct cel_decision {
	bool allowed, errored;
	struct slice reason, error;
};

struct cel_authorizer {
	int (*check)(void *arg, const struct cel_check *c, struct arena *a,
		     struct cel_decision *ret, struct err *err);
	void *arg;
};
/* The value of a variable of type AUTHORIZER; null past the arena's maximum. */
struct cel_value cel_authorizer(const struct cel_authorizer *z, struct arena *a);
/* The value of one of type RESOURCE_CHECK, which asks for what `c` has (its texts are borrowed). */
struct cel_value cel_authorizer_resource(const struct cel_authorizer *z, const struct cel_check *c,
					 struct arena *a);

/* ---- environments ---- */

enum cel_env_flag {
	CEL_ENV_MIXED = 1, /* literals may mix types ([1, 'a']): Kubernetes refuses them */
	CEL_ENV_PATCH = 2, /* mutations: Object{...}, JSONPatch{...}, jsonpatch.escapeKey */
};

/* NULL past the arena's maximum. */
struct cel_env *cel_env_new(struct arena *a, unsigned flags);
/* The variable's place in struct cel_vars: 0, 1, ... Names may have dots; all is borrowed.
 * -ERR_EXISTS, -ERR_QUOTA. */
int cel_env_var(struct cel_env *env, const char *name, const struct cel_type *type,
		struct err *err);
/* An object type that expressions may name and make: "Object{...}". */
int cel_env_type(struct cel_env *env, const struct cel_type *type, struct err *err);
/* Names are looked up below it first ("a.b": a.b.x, a.x, x). */
void cel_env_container(struct cel_env *env, const char *name);

/* ---- programs ---- */

/*
 * The program lives in `a`, and so does what it borrows of the text (a copy is made). `want`: the
 * type it must have, NULL for any. -ERR_INVALID in cel-go's form, all errors of the checker one
 * below the other as far as they fit; "must evaluate to bool" for another type than wanted.
 * -ERR_TOO_LARGE, -ERR_QUOTA.
 */
int cel_compile(const struct cel_env *env, struct slice text, const struct cel_type *want,
		struct arena *a, const struct cel_prog **ret, struct err *err);
const struct cel_type *cel_prog_type(const struct cel_prog *p);
/* Does it read this variable? */
bool cel_prog_uses(const struct cel_prog *p, unsigned var);
/* Does it name this member of it ("var.field", "var.?field", has(var.field))? */
bool cel_prog_reads(const struct cel_prog *p, unsigned var, struct slice field);

/* In Kubernetes' units: about 50 ns each. */
struct cel_cost {
	uint64_t min, max; /* max UINT64_MAX: no bound is known */
};
/* What a run may cost, by the sizes that the types give. */
struct cel_cost cel_prog_cost(const struct cel_prog *p);

#define CEL_COST_EXPRESSION_MAX 10000000u /* estimate of one rule of a CRD */
#define CEL_COST_CRD_MAX 100000000u	  /* of all of a CRD */
#define CEL_COST_CALL_MAX 1000000u	  /* of one run */
#define CEL_COST_OBJECT_MAX 10000000u	  /* of all runs for one object */

struct cel_budget {
	uint64_t call; /* of one run; 0: CEL_COST_CALL_MAX */
	uint64_t left; /* of all runs with this budget: each takes what it cost */
	uint64_t used; /* by the last run */
};
#define CEL_BUDGET_INIT ((struct cel_budget){ .left = CEL_COST_OBJECT_MAX })

struct cel_vars {
	const struct cel_value *v; /* by place */
	unsigned n;
};

/*
 * The value lives in `a` or borrows from the variables and the program. -ERR_INVALID: the
 * expression's error ("no such key: x"). -ERR_TOO_LARGE "operation cancelled: actual cost limit
 * exceeded": of this call. -ERR_QUOTA: the arena, or what was left of the budget.
 */
int cel_run(const struct cel_prog *p, const struct cel_vars *vars, struct cel_budget *budget,
	    struct arena *a, struct cel_value *ret, struct err *err);

/* ---- mutations ---- */

#define CEL_PATCH_OBJECT "Object"
/* What expressions of mutations give: an Object, or a list of JSONPatch. */
extern const struct cel_type cel_type_object_any, cel_type_json_patch;
/* Does each Object in it stand where its name says (Object.spec in `spec`)? -ERR_INVALID with
 * upstream's words. */
int cel_patch_check(const struct cel_value *v, struct err *err);
/* A list of JSONPatch as doc/patch.h takes it; Objects in it are checked as above. */
int cel_patch_operations(const struct cel_value *v, struct arena *a, struct doc *ret,
			 struct err *err);
