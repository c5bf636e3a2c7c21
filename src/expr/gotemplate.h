/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Go's text/template over documents: the whole language, its built-in functions, its messages.
 *
 * A set holds templates that know each other by name; each text that is parsed into it defines the
 * template of its own name and those of its {{define}}s and {{block}}s. Once all texts are parsed
 * a set is constant: any thread may run it, at the same time too.
 *
 * Data are documents, seen as what Go's JSON decoder makes of them: map[string]interface {},
 * []interface {}, string, bool, nil, and for numbers int64 (those of digits only that fit) or
 * float64. Numbers of a template are int and float64. There are no other types, so no methods,
 * structs, channels and functions as values; imaginary numbers are refused by name.
 *
 * Functions come in a table: the language's own are rows like any caller's.
 *
 * Bounds: GOTEMPLATE_TEXT_MAX, _NEST_MAX, _DEPTH_MAX, _STEPS_MAX; the arenas; the output's buffer.
 * Spec: Go 1.23, packages text/template and fmt (GOTEMPLATE_RANGE_INTS: 1.24).
 */
#pragma once

#include "base/str.h"

struct arena;
struct doc;
struct err;
struct gotemplate;
struct gt_node;

#define GOTEMPLATE_TEXT_MAX (4u << 20) /* bytes of a text */
#define GOTEMPLATE_NEST_MAX 200	       /* blocks and parentheses in one another */
#define GOTEMPLATE_DEPTH_MAX 1000      /* the same while it runs, through called templates */
#define GOTEMPLATE_STEPS_MAX 20000000  /* nodes walked and values printed */
#define GOTEMPLATE_DATA_MAX 1000       /* levels of a value that is printed */

/* ---- values and functions ---- */

enum gotemplate_type {
	GOTEMPLATE_NIL, /* also what is not there */
	GOTEMPLATE_BOOL,
	GOTEMPLATE_INT,
	GOTEMPLATE_INT64,
	GOTEMPLATE_UINT8, /* a byte of a string */
	GOTEMPLATE_FLOAT64,
	GOTEMPLATE_STRING,
	GOTEMPLATE_LIST,
	GOTEMPLATE_MAP,
};

struct gotemplate_value {
	enum gotemplate_type type;
	bool boxed; /* an element of a list or map: of type interface {}, which messages tell */
	union {
		bool truth;
		int64_t i; /* INT, INT64, UINT8 */
		double f;
		struct slice s;
		const struct doc *d; /* LIST, MAP */
	};
};

/* What a function is called with: as many values as its row says, of the types it says. */
struct gotemplate_call {
	const struct gotemplate_value *v;
	size_t n;
	struct arena *a; /* for what is returned */
	void *user;	 /* as the job gave it */
	unsigned flags;	 /* of the job: for gotemplate_value_of() */
	struct err *err;
	const struct gt_node *words; /* private: the arguments as they are written */
};

struct gotemplate_func {
	const char *name;
	/*
	 * A letter for the type of each argument: s string, i int, f float64, b bool, l list, m map
	 * (lists and maps may be nil), a any, v any with its box (Go's reflect.Value). "..." at
	 * the end: the last any number of times, or not at all.
	 */
	const char *params;
	/* 0 and *ret, or an error, which ends the template: "error calling name: <message>". */
	int (*run)(const struct gotemplate_call *c, struct gotemplate_value *ret);
};

/* ---- compiling ---- */

/*
 * An empty set; it and all that is parsed into it lie in `a`. funcs: up to a row without a name,
 * found before the built-in ones; may be NULL. -ERR_QUOTA.
 */
int gotemplate_new(struct arena *a, const struct gotemplate_func *funcs, struct gotemplate **ret,
		   struct err *err);
/*
 * Adds the templates of a text, which is copied. What has the name of an earlier text's template
 * takes its place, unless it is empty. -ERR_INVALID in Go's words ("template: x:1: unexpected
 * EOF"), -ERR_TOO_LARGE, -ERR_QUOTA; then the set is as before.
 */
int gotemplate_parse(struct gotemplate *set, struct slice name, struct slice text, struct err *err);

/* ---- running ---- */

enum {
	/* what a map has not: nil of type interface {} (missingkey=zero), an error (=error) */
	GOTEMPLATE_MISSING_ZERO = 1 << 0,
	GOTEMPLATE_MISSING_ERROR = 1 << 1,
	GOTEMPLATE_FLOATS = 1 << 2,	/* all numbers of documents are float64, as encoding/json */
	GOTEMPLATE_RANGE_INTS = 1 << 3, /* {{range 3}} */
};

struct gotemplate_job {
	struct slice name; /* of the template */
	const struct doc *data;
	unsigned flags;
	void *user;	 /* for functions */
	struct arena *a; /* for values that come up */
	struct buf *out; /* the text is appended; after an error it is there up to that place */
};

/* -ERR_INVALID in Go's words ('template: x:1:2: executing "x" at <.a.b>: ...'), -ERR_TOO_LARGE,
 * -ERR_QUOTA. */
int gotemplate_run(const struct gotemplate *set, const struct gotemplate_job *job, struct err *err);

/* ---- for functions, and who else prints in Go's way ---- */

/* The number rules are those of `flags`. */
struct gotemplate_value gotemplate_value_of(const struct doc *d, unsigned flags);
/* A node for a list or map that a function makes; it keeps the type (in doc.mark). */
struct doc gotemplate_doc_of(const struct gotemplate_value *v, struct arena *a);
const char *gotemplate_type_name(const struct gotemplate_value *v); /* "int64" */
bool gotemplate_true(const struct gotemplate_value *v);
/* fmt's %v. -ERR_QUOTA past the buffer, -ERR_TOO_LARGE. */
int gotemplate_print(const struct gotemplate_value *v, unsigned flags, struct buf *out,
		     struct err *err);
