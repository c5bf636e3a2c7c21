/* SPDX-License-Identifier: Apache-2.0 */
/* Private to cel*.c: functions and their tables, the run of a program, what the files share. */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "doc/doc.h"
#include "expr/cel-ast.h"
#include "expr/cel.h"

struct regex;

#define CEL_ARGS_MAX 4
#define CEL_TREE_MAX 1500 /* levels of a tree: what recursion over it may take of the stack */

/* ---- types ---- */

/* Types of signatures: A and B are open. */
extern const struct cel_type cel_var_a, cel_var_b, cel_list_a, cel_list_b, cel_map_ab,
	cel_optional_a, cel_optional_b, cel_list_optional_a, cel_list_int, cel_optional_format,
	cel_optional_strings, cel_type_a, cel_list_list_a;

bool cel_type_same(const struct cel_type *a, const struct cel_type *b);
/* A type of CEL_ENV_PATCH, or NULL. */
const struct cel_type *cel_patch_type(struct slice name, struct arena *a);
/* The document's name of a field that an expression writes escaped. */
struct slice cel_unescape(struct slice name, struct arena *a);

/* ---- functions ---- */

struct cel_run;

/* False: the run has failed. Arguments are of the kinds that the signature says. */
typedef bool cel_fn(struct cel_run *r, const struct cel_value *args, struct cel_value *ret);

/* How a call is charged; s0, s1: sizes of the arguments. A tenth is a string's traversal. */
enum cel_charge {
	CEL_CHARGE_ONE,
	CEL_CHARGE_SCAN,     /* s0 / 10 */
	CEL_CHARGE_SCAN_ONE, /* s0 / 10; the estimate counts the argument, not the target */
	CEL_CHARGE_TWICE,    /* s0 / 5: traversal, and building of the result */
	CEL_CHARGE_EQUAL,    /* min(s0, s1) / 10 */
	CEL_CHARGE_CONCAT,   /* (s0 + s1) / 10 */
	CEL_CHARGE_MATCH,    /* (s0 + 1) / 10 * s1 / 4 */
	CEL_CHARGE_CONTAINS, /* s0 / 10 * s1 / 10 */
	CEL_CHARGE_IN,	     /* s1 */
	CEL_CHARGE_TRAVERSE, /* all that is inside of the first */
	CEL_CHARGE_JOIN,     /* size of the result / 5 */
	CEL_CHARGE_CHECK,    /* an authorizer's check */
	CEL_CHARGE_SELECTOR,
	CEL_CHARGE_HOLDS,      /* cidr.containsIP of a value */
	CEL_CHARGE_HOLDS_TEXT, /* of a text */
	CEL_CHARGE_HOLDS_NET,  /* containsCIDR */
	CEL_CHARGE_HOLDS_NET_TEXT,
	CEL_CHARGE_VALIDATE,	  /* (s1 + 1) / 10 * 32 */
	CEL_CHARGE_PRODUCT,	  /* s0 * s1 */
	CEL_CHARGE_PRODUCT_TWICE, /* 2 * s0 * s1 */
	CEL_CHARGE_MAKE_LIST,	  /* 11 + size of the result */
	CEL_CHARGE_SORT,	  /* 11 + 2 * s0 * s0 */
};

struct cel_function {
	const char *name;
	cel_fn *fn;
	const struct cel_type *ret;
	const struct cel_type *args[CEL_ARGS_MAX];
	uint8_t n;
	bool member; /* args[0] stands before the dot */
	uint8_t charge;
};

#define CEL_ROW(name, fn, ret, charge, member, ...)                                          \
	{                                                                                    \
		name, fn, ret, { __VA_ARGS__ },                                              \
			sizeof((const struct cel_type *[]){ __VA_ARGS__ }) / sizeof(void *), \
			member, charge                                                       \
	}
/* f(a, b) and a.f(b). */
#define CEL_F(name, fn, ret, charge, ...) \
	CEL_ROW(name, fn, ret, CEL_CHARGE_##charge, false, __VA_ARGS__)
#define CEL_M(name, fn, ret, charge, ...) \
	CEL_ROW(name, fn, ret, CEL_CHARGE_##charge, true, __VA_ARGS__)
#define CEL_END              \
	{                    \
		.name = NULL \
	}
#define CEL_DYN (&cel_types[CEL_T_DYN])
#define CEL_BOOLEAN (&cel_types[CEL_T_BOOL])
#define CEL_INTEGER (&cel_types[CEL_T_INT])
#define CEL_UNSIGNED (&cel_types[CEL_T_UINT])
#define CEL_REAL (&cel_types[CEL_T_DOUBLE])
#define CEL_TEXT (&cel_types[CEL_T_STRING])
#define CEL_OCTETS (&cel_types[CEL_T_BYTES])
#define CEL_TIME (&cel_types[CEL_T_TIMESTAMP])
#define CEL_SPAN (&cel_types[CEL_T_DURATION])

/* Tables end with a row without a name. */
extern const struct cel_function cel_lib_core[], cel_lib_convert[], cel_lib_time[],
	cel_lib_string[], cel_lib_format_text[], cel_lib_list[], cel_lib_net[], cel_lib_kube[],
	cel_lib_authorizer[], cel_lib_optional[], cel_lib_patch[];

/* CEL_CALL: what the checker left of its overloads; CEL_LIST: a list of constants. */
struct cel_bound_call {
	const struct cel_function *const *v;
	uint32_t n;
	uint32_t op;		   /* enum cel_op, for those that are no functions */
	const struct regex *regex; /* of a pattern that is a literal */
};

enum cel_op {
	CEL_OP_CALL,
	CEL_OP_AND,
	CEL_OP_OR,
	CEL_OP_IF,
	CEL_OP_ELSE, /* or, orValue: a call whose argument may not be needed */
};

enum cel_ident {
	CEL_IDENT_VAR,
	CEL_IDENT_LOCAL,
	CEL_IDENT_TYPE,
};

struct cel_bound_ident {
	uint32_t is; /* enum cel_ident */
	uint32_t slot;
	const struct cel_type *t; /* of a TYPE */
};

/* ---- environments and programs ---- */

struct cel_decl {
	struct slice name;
	const struct cel_type *type;
};

struct cel_env {
	struct arena *a;
	unsigned flags;
	const char *container;
	struct cel_decl *vars;
	uint32_t nvars, cap;
	const struct cel_type **types;
	uint32_t ntypes, types_cap;
};

struct cel_prog {
	const struct cel_env *env;
	struct cel_ast ast;
	uint32_t locals; /* slots */
	const struct cel_type *type;
	struct cel_cost cost;
};

/* Fills type and bound of all nodes. */
int cel_check(struct cel_prog *p, struct arena *a, struct err *err);
struct cel_cost cel_estimate(const struct cel_prog *p, struct arena *a);

/* ---- runs ---- */

/*
 * Work is what cost does not see: bytes and elements that a step looks at. Its limit is far above
 * what an honest expression needs; it ends what is cheap by cost and yet long.
 */
#define CEL_WORK_MAX (20u * 1000 * 1000)

struct cel_failure {
	char msg[256];
	uint32_t at;
};

struct cel_run {
	const struct cel_prog *p;
	const struct cel_vars *vars;
	struct arena *a;
	struct cel_value *locals;
	uint64_t cost, limit, work;
	enum err_code fatal; /* nothing absorbs this one */
	struct cel_failure failure;
	uint32_t at;		   /* of the node that is run */
	const struct regex *regex; /* of the call that is run, when it is known */
};

/* Always false. */
bool cel_fail(struct cel_run *r, const char *fmt, ...) PRINTF(2, 3);
bool cel_no_overload(struct cel_run *r);
bool cel_quota(struct cel_run *r);
bool cel_cancel(struct cel_run *r);

static inline bool cel_charge(struct cel_run *r, uint64_t cost)
{
	r->cost += cost;
	return r->cost <= r->limit || cel_cancel(r);
}
static inline bool cel_work(struct cel_run *r, uint64_t n)
{
	r->work += n;
	return r->work <= CEL_WORK_MAX || cel_cancel(r);
}
bool cel_eval(struct cel_run *r, const struct cel_node *n, struct cel_value *ret);
/* Cost of a call that was made. */
bool cel_charge_call(struct cel_run *r, const struct cel_function *f, const struct cel_value *args,
		     const struct cel_value *ret);

/* ---- values ---- */

struct cel_entry {
	struct cel_value key, value;
};

/* Entries in the order they came; an index of them when there are many. */
struct cel_map {
	struct cel_entry *v;
	uint32_t n, cap;
	uint32_t *index; /* 1 + entry; 0: free */
	uint32_t slots;
};

struct cel_map *cel_map_new(struct cel_run *r, size_t cap);
/* 1: added, 0: the key is there, -1: failed. */
int cel_map_add(struct cel_run *r, struct cel_map *m, const struct cel_value *key,
		const struct cel_value *value);
struct cel_value cel_map_value(const struct cel_map *m);
struct cel_value cel_list_value(const struct cel_value *v, size_t n);

bool cel_from_doc(struct cel_run *r, const struct doc *d, const struct cel_type *t,
		  struct cel_value *ret);
bool cel_list_at(struct cel_run *r, const struct cel_value *list, size_t i, struct cel_value *ret);
/* Of a MAP, or an OBJECT that is no CEL_REP_CALL. value may be NULL. */
bool cel_map_at(struct cel_run *r, const struct cel_value *map, size_t i, struct cel_value *key,
		struct cel_value *value);
/* 1: found (ret may be NULL), 0: absent, -1: failed. Of a MAP; of an OBJECT by a string. */
int cel_lookup(struct cel_run *r, const struct cel_value *map, const struct cel_value *key,
	       struct cel_value *ret);
/* Of maps and objects, by a field's name. -1 with no failure set: nothing that has fields. */
int cel_field(struct cel_run *r, const struct cel_value *v, struct slice name,
	      struct cel_value *ret);

/* 1: equal, 0: not, -1: failed. */
int cel_equal(struct cel_run *r, const struct cel_value *a, const struct cel_value *b);
/* False: the two have no order (or a NaN is among them). */
bool cel_compare(const struct cel_value *a, const struct cel_value *b, int *ret);
uint64_t cel_size(const struct cel_value *v);
size_t cel_runes(struct slice s);
struct cel_value cel_some(struct cel_run *r, const struct cel_value *v, bool *ok);
static inline struct cel_value cel_none(void)
{
	return (struct cel_value){ .kind = CEL_T_OPTIONAL };
}
static inline struct cel_value cel_uint(uint64_t u)
{
	return (struct cel_value){ .kind = CEL_T_UINT, .u = u };
}
static inline struct cel_value cel_double(double d)
{
	return (struct cel_value){ .kind = CEL_T_DOUBLE, .d = d };
}
static inline struct cel_value cel_bytes(const char *p, size_t n)
{
	return (struct cel_value){ .kind = CEL_T_BYTES, .s = p, .n = (uint32_t)n };
}
static inline struct cel_value cel_opaque(enum cel_kind kind, const void *p)
{
	return (struct cel_value){ .kind = (uint8_t)kind, .p = p };
}
static inline bool cel_is_number(uint8_t kind)
{
	return kind == CEL_T_INT || kind == CEL_T_UINT || kind == CEL_T_DOUBLE;
}
const struct cel_type *cel_type_of_value(const struct cel_value *v);
/* A key or an index in a message. */
const char *cel_value_text(const struct cel_value *v, char *dst, size_t n);
/* A copy in the run's arena as a string; false: quota. */
bool cel_make_string(struct cel_run *r, const char *p, size_t n, struct cel_value *ret);

/* ---- pieces of libraries that others use ---- */

int cel_time_parse(struct slice s, struct cel_value *ret);     /* RFC 3339; -1: none */
int cel_date_parse(struct slice s, struct cel_value *ret);     /* "2026-01-31"; -1: none */
int cel_duration_parse(struct slice s, struct cel_value *ret); /* Go's; -1: none */
#define CEL_TIME_TEXT 64
size_t cel_time_text(const struct cel_value *v, char dst[CEL_TIME_TEXT]);
size_t cel_duration_text(const struct cel_value *v, char dst[CEL_TIME_TEXT]);
/* Without an exponent; for what is no larger than a duration. */
size_t cel_double_fixed(double d, char dst[CEL_TIME_TEXT]);
int cel_opaque_equal(const struct cel_value *a, const struct cel_value *b);
uint64_t cel_net_size(const struct cel_value *v); /* bytes of an IP, of a CIDR's prefix */
int cel_net_equal(const struct cel_value *a, const struct cel_value *b);
bool cel_net_text(const struct cel_value *v, char *dst, size_t n); /* cut to what fits */
uint64_t cel_format_size(const struct cel_value *v); /* of the pattern that it counts as */
const char *cel_url_error(struct slice s);	     /* NULL: an absolute URL or path */
