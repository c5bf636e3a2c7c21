/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON text to documents and back. Spec: RFC 8259, strict, UTF-8 only.
 *
 * The reader refuses what the grammar refuses, bad UTF-8 and lone surrogates; depth and nodes are
 * bounded, and it never recurses. The writer's output is always valid JSON text: bytes of programs
 * that are not UTF-8 come out as U+FFFD. Reading then writing keeps numbers exactly as written.
 */
#pragma once

#include "doc/doc.h"

enum json_dup {
	JSON_DUP_LAST = 0, /* the last value wins, in the place of the first (Go) */
	JSON_DUP_ERROR,	   /* ERR_BAD_REQUEST */
	JSON_DUP_COUNT,	   /* as LAST, each noted in *dups */
};

#define JSON_DUPS_MAX 64
/* Duplicate keys found; `path` holds the first JSON_DUPS_MAX in the arena
 * ("spec.containers[0].name"). */
struct json_dups {
	size_t count;
	const char *path[JSON_DUPS_MAX];
};

#define JSON_DEPTH_DEFAULT 512
#define JSON_NODES_DEFAULT (4u << 20)

/* All zero (or a NULL pointer) is the default. */
struct json_options {
	uint32_t max_depth; /* containers inside one another; 0 = JSON_DEPTH_DEFAULT */
	uint32_t max_nodes; /* values and keys; 0 = JSON_NODES_DEFAULT */
	enum json_dup dup;
	bool copy;    /* copy the text into the arena first; then every string without a NUL is
			 DOC_CSTR */
	bool replace; /* lone surrogates and bad UTF-8 become U+FFFD (Go) instead of an error */
	/*
	 * Not NULL: the text may hold more after the value (a stream); *consumed is set to the
	 * bytes used. Then the result 1 means that the text ends before its value does: read more,
	 * call again.
	 */
	size_t *consumed;
	struct json_dups *dups; /* for JSON_DUP_COUNT; the caller zeroes it */
};

/*
 * Reads one value. The text must live as long as the document, unless opt->copy. Fails with
 * BAD_REQUEST
 * ("line 3 column 7 (byte 51): ..."), TOO_LARGE (depth, nodes, 4 GiB) or QUOTA (the arena's
 * maximum). On failure the arena may hold rubbish but nothing else is left.
 */
int json_read(struct arena *a, struct slice text, const struct json_options *opt, struct doc **ret,
	      struct err *err);

/* Line and column (both from 1, columns in bytes) of an address inside the text. */
void json_where(struct slice text, const char *at, unsigned *ret_line, unsigned *ret_column);

enum json_order {
	JSON_AS_IS = 0,
	JSON_SORTED,	/* members by the bytes of their keys, as Go prints maps */
	JSON_CANONICAL, /* RFC 8785: keys by UTF-16 units, numbers in one form; all digits are kept,
			   though */
};

/* All zero (or a NULL pointer) is compact, as it is. */
struct json_style {
	const char *indent; /* one level, such as "  " or "\t": Go's MarshalIndent form; NULL =
			       compact */
	const char *prefix; /* begins every line but the first; NULL = none. Only with indent. */
	enum json_order order;
	bool html; /* also escapes < > & U+2028 U+2029, as Go's encoder does by default */
};

/*
 * Appends to out. Fails with QUOTA when out's maximum is reached, or nearly (some 50 bytes are kept
 * spare): then out is as long as before.
 */
int json_write(const struct doc *d, const struct json_style *style, struct buf *out,
	       struct err *err);
/* The text in an arena, with a NUL after it. */
int json_print(struct arena *a, const struct doc *d, const struct json_style *style,
	       struct slice *ret, struct err *err);
/* One string with its quotes, from any bytes. 0 or -ERR_QUOTA (out then as before). */
int json_write_string(struct buf *out, struct slice s, bool html);
