/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Schema tables: one row per field says what a document may hold, and one set of operations
 * reads them.
 *
 *	struct oci_user { uint32_t uid, gid; struct opt_int umask; LIST_OF(uint32_t) gids; };
 *	static const struct schema_field user_rows[] = {
 *		F_INT(struct oci_user, uid, "uid", SCHEMA_REQUIRED, 0, 0),
 *		F_OPT_INT(struct oci_user, umask, "umask", 0, 0, 0777),
 *		F_LIST_INT(struct oci_user, gids, "additionalGids", 0),
 *	};
 *	static const struct schema user_schema = SCHEMA("user", struct oci_user, user_rows);
 *	r = schema_decode(&user_schema, doc, arena, &user, NULL, err);
 *
 * Every macro takes further designated initialisers of struct schema_field at its end, such as
 * `.def = "\"bridge\""`, `.max = 63`, `.pb = 4`, `.list = SCHEMA_LIST_MAP, .list_keys = "name"`.
 * The order of rows is free; documents that follow it decode fastest. A table has at most 256 rows.
 *
 * C types: bool; int8_t..uint64_t; double; const char * (NULL = absent); struct opt_bool,
 * opt_int, opt_uint, opt_double; enum (0 = absent, 1 + index in `values`); T * or T for an
 * object; LIST_OF(T); MAP_OF(T); struct int_or_str; struct schema_time; struct slice (bytes);
 * const struct doc * (anything, as it is). Strings with a NUL byte in them are refused for every
 * const char *.
 *
 * JSON null stands for an absent value (as in Go). Numbers with a fraction or exponent are no
 * integers.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"
#include "doc/doc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct schema;
struct schema_ctx;
struct schema_field;

/* --- C types that rows fill ------------------------------------------------------------------- */

struct opt_bool {
	bool set, v;
};
struct opt_int {
	bool set;
	int64_t v;
};
struct opt_uint {
	bool set;
	uint64_t v;
};
struct opt_double {
	bool set;
	double v;
};
struct int_or_str {
	bool set;
	int64_t i;     /* when s is NULL */
	const char *s; /* NULL when it is a number */
};
struct schema_time {
	bool set;
	uint32_t nsec;
	int64_t sec; /* since 1970, UTC */
};

#define LIST_OF(type)     \
	struct {          \
		type *v;  \
		size_t n; \
	}
/* Entries in the document's order; objects are in place, not pointers. */
#define MAP_OF(type)                     \
	struct {                         \
		struct {                 \
			const char *key; \
			type value;      \
		} * v;                   \
		size_t n;                \
	}

/* The two commonest, named so that they can be passed around. */
struct strs {
	const char **v;
	size_t n;
};
struct str_pair {
	const char *key, *value;
};
struct str_map {
	struct str_pair *v;
	size_t n;
};
const char *str_map_get(const struct str_map *m, const char *key); /* NULL when absent */

/* --- the row ---------------------------------------------------------------------------------- */

enum schema_type {
	SCHEMA_ANY, /* any document */
	SCHEMA_BOOL,
	SCHEMA_INT,
	SCHEMA_DOUBLE,
	SCHEMA_STRING,
	SCHEMA_ENUM,
	SCHEMA_OBJECT,
	SCHEMA_LIST,
	SCHEMA_MAP,	   /* object with free keys */
	SCHEMA_INT_OR_STR, /* 80 or "http" */
	SCHEMA_QUANTITY,   /* Kubernetes quantity, "1.5Gi"; a JSON number is taken as its text */
	SCHEMA_TIME,	   /* RFC 3339 */
	SCHEMA_BYTES,	   /* base64, standard alphabet with padding */
};

enum {
	SCHEMA_REQUIRED = 1 << 0, /* must be there and not null; is always encoded */
	SCHEMA_NULLABLE =
		1
		<< 1, /* null is a value: not replaced by the default, kept by prune and default */
	SCHEMA_NONEMPTY = 1 << 2,   /* if there: no "", [], {} */
	SCHEMA_IMMUTABLE = 1 << 3,  /* carried for updates */
	SCHEMA_DEPRECATED = 1 << 4, /* reported to opts.warn */
	SCHEMA_SECRET = 1 << 5,	    /* the value never shows in a message */
	SCHEMA_EMIT = 1 << 6, /* encode also when zero, empty or unset (Go without omitempty) */
	SCHEMA_EMIT_NULL =
		1 << 7, /* encode null instead of an empty list, map, string or unset value */
	SCHEMA_INLINE =
		1 << 8, /* object lies in the struct, not behind a pointer (set by F_OBJ_IN) */
	SCHEMA_PRESERVE =
		1 << 9, /* below this object, unknown fields are kept whatever its table says */
};

/* What `width` holds; filled by the macros from the C type. */
enum {
	SCHEMA_W_SIZE = 0x0f,
	SCHEMA_W_UNSIGNED = 0x10,
	SCHEMA_W_OPT = 0x20,  /* struct opt_* */
	SCHEMA_W_TEXT = 0x40, /* enum kept as const char * */
};

enum schema_list { /* x-kubernetes-list-type */
		   SCHEMA_LIST_ATOMIC,
		   SCHEMA_LIST_SET, /* scalars, no two equal: refused as "duplicate" */
		   SCHEMA_LIST_MAP, /* objects, no two with equal values of list_keys */
};

enum schema_merge { /* strategic merge patch, carried */
		    SCHEMA_MERGE_DEFAULT,
		    SCHEMA_MERGE_REPLACE,
		    SCHEMA_MERGE_MERGE,
		    SCHEMA_MERGE_RETAIN_KEYS,
		    SCHEMA_MERGE_MERGE_RETAIN_KEYS, /* lists whose objects retain keys */
};

enum schema_wire {		   /* protobuf encoding of a row; see doc/protobuf.h */
		   SCHEMA_PB_NONE, /* as its type has it */
		   SCHEMA_PB_VARINT,
		   SCHEMA_PB_ZIGZAG,
		   SCHEMA_PB_FIXED32,
		   SCHEMA_PB_FIXED64,
		   SCHEMA_PB_BYTES,
		   SCHEMA_PB_MESSAGE,
		   /* apiextensions' JSONSchemaPropsOr...; of `any`, with the object's table in
		      `sub` */
		   SCHEMA_PB_OR_BOOL,	 /* {allows=1, schema=2} */
		   SCHEMA_PB_OR_ARRAY,	 /* {schema=1, jSONSchemas=2} */
		   SCHEMA_PB_OR_STRINGS, /* {schema=1, property=2} */
};
enum {
	SCHEMA_PB_KIND = 0x0f,	   /* enum schema_wire */
	SCHEMA_PB_PACKED = 0x10,   /* numbers of a list are written packed (both forms are read) */
	SCHEMA_PB_PRESENCE = 0x20, /* zero is a value (proto3 optional, a Go pointer) */
	SCHEMA_PB_UNSIGNED = 0x40, /* key_wire: the number has no sign */
	SCHEMA_PB_BOOL = 0x80,	   /* key_wire: keys are "false" and "true" */
};

#define SCHEMA_FORMATS(X)                                                                      \
	/* id              what a message says is expected */                                  \
	X(ABS_PATH, "an absolute path")                                                        \
	X(REL_PATH, "a relative path without '..'")                                            \
	X(FILE_NAME, "a file name without '/'")                                                \
	X(SEMVER, "a semantic version such as 1.2.3")                                          \
	X(IP, "an IP address")                                                                 \
	X(IPV4, "an IPv4 address")                                                             \
	X(IPV6, "an IPv6 address")                                                             \
	X(CIDR, "a network such as 10.0.0.0/8 or fd00::/64")                                   \
	X(MAC, "a MAC address such as 02:42:ac:11:00:02")                                      \
	X(DNS_LABEL, "a DNS label (a-z, 0-9, '-'; at most 63)")                                \
	X(DNS_SUBDOMAIN, "a DNS subdomain (labels joined by '.', at most 253)")                \
	X(HOSTNAME, "a host name")                                                             \
	X(QUALIFIED_NAME, "a qualified name ([prefix/]name, name at most 63)")                 \
	X(LABEL_VALUE,                                                                         \
	  "a label value (empty, or alphanumeric with '-', '_', '.' inside; at most 63)")      \
	X(NAME, "a name ([a-zA-Z0-9][a-zA-Z0-9_.-]*)")                                         \
	X(C_IDENTIFIER, "an identifier ([A-Za-z_][A-Za-z0-9_]*)")                              \
	X(TOKEN, "a word of letters, digits and -._~!#$%&'*+^`|")                              \
	X(HEX, "hexadecimal digits")                                                           \
	X(HEX_ID, "64 lower-case hexadecimal digits")                                          \
	X(DIGEST, "a digest such as sha256:<64 hex>")                                          \
	X(UUID, "a UUID")                                                                      \
	X(SIGNAL, "a signal name or number")                                                   \
	X(ENV, "NAME=VALUE")                                                                   \
	X(ENV_NAME, "a variable name without '='")                                             \
	X(PORT, "a port number, 1 to 65535")                                                   \
	X(PORT_PROTO, "a port such as 80/tcp")                                                 \
	X(DURATION, "a duration such as 1h30m or 250ms")                                       \
	X(CPU_LIST, "a list of numbers such as 0-3,7")                                         \
	X(SYSCTL, "a sysctl name such as net.ipv4.ip_forward")                                 \
	X(OCTAL, "an octal mode such as 0755")                                                 \
	X(URL, "a URL with scheme and host")                                                   \
	/* SCHEMA_TIME from protobuf: always six digits of fraction (Kubernetes' MicroTime) */ \
	X(MICRO_TIME, "a time with microseconds")

enum schema_format {
	FORMAT_NONE,
#define X(id, help) FORMAT_##id,
	SCHEMA_FORMATS(X)
#undef X
		FORMAT_COUNT
};

bool schema_format_ok(enum schema_format f, struct slice s);
const char *schema_format_help(enum schema_format f); /* "an absolute path" */

/* Where a field lives in other versions of its kind; carried, read by the API's conversion. */
struct schema_conv {
	const char *since, *until; /* versions that have it; NULL = all */
	const char *elsewhere;	   /* its path in the others, or NULL */
};

struct schema_field {
	const char *name; /* NULL in element rows */
	union {
		const struct schema *sub; /* OBJECT, LIST or MAP with elem_type OBJECT */
		const struct schema_field
			*elem; /* LIST or MAP with elem_type LIST or MAP, or with .elem_row */
		const char *const *values; /* ENUM, LIST or MAP of ENUM; NULL-terminated */
	};
	const char *def;       /* default as JSON text, used when the field is absent or null */
	const char *list_keys; /* SCHEMA_LIST_MAP: key fields, separated by blanks */
	const char *merge_key; /* strategic merge; NULL = list_keys */
	const struct schema_conv *conv;
	/* Further check of a scalar (of a list or map: of each element). The message says what is
	 * wrong with the value. */
	/* (Objects and `any` are checked by it too, as a whole.) */
	int (*check)(const struct doc *d, struct err *err);
	int64_t min, max; /* of a number, of a string's characters, of a list's or map's entries;
			     0,0 = no limit */
	uint32_t offset;  /* in the C struct */
	uint16_t flags;
	uint16_t pb;		 /* protobuf field number, 0 = none */
	uint16_t has;		 /* SCHEMA_HAS(): a bool set when the key was there and not null */
	uint8_t len;		 /* strlen(name) */
	uint8_t type, elem_type; /* enum schema_type */
	uint8_t width;		 /* of the number, or of a list's or map's elements */
	uint8_t format;		 /* enum schema_format, of the string or of each element */
	uint8_t key_format;	 /* MAP: of the keys */
	uint8_t list, merge;
	uint8_t wire;	  /* enum schema_wire and SCHEMA_PB_* */
	uint8_t key_wire; /* MAP: of the keys; 0 = strings */
	uint8_t oneof;	  /* rows of a table with the same number exclude each other; 0 = none */
	uint8_t part;	  /* protobuf: 1 + the part of the table that the row is in; 0 = none */
	bool elem_row;	  /* `elem` describes the elements, elem_type is not looked at */
};

/* What becomes of a key that no row names. */
enum schema_unknown {
	SCHEMA_UNKNOWN_IGNORE,
	SCHEMA_UNKNOWN_WARN,	 /* ignored, and told to opts.warn */
	SCHEMA_UNKNOWN_ERROR,	 /* cause "unknown" */
	SCHEMA_UNKNOWN_PRESERVE, /* validate and prune keep it; decode puts it in .rest, encode
				    writes it back */
};

/* Members that lie in the object itself, but in a message of their own on the wire (Go's embedded
 * structs). */
struct schema_part {
	uint16_t pb; /* the message's number */
	uint8_t up;  /* 1 + the part that the message is in; 0 = the table's own */
};

struct schema {
	const char *name; /* for messages: "process" */
	const struct schema_field *fields;
	const struct schema_part *parts;
	uint16_t n;
	uint8_t nparts;
	uint16_t rest; /* SCHEMA_HAS(): a const struct doc * with the unknown members, or 0 */
	enum schema_unknown unknown;
	uint32_t size; /* of the C struct, 0 = document only */
	/*
	 * Rules between fields; reports through schema_fail. `obj` is the filled struct (NULL under
	 * schema_validate), `d` the object. Called only when no field of this object failed. Not
	 * called for objects that are absent or null.
	 */
	void (*check)(struct schema_ctx *c, const void *obj, const struct doc *d);
};

#define SCHEMA(title, T, rows, ...)                                                       \
	{                                                                                 \
		.name = (title), .fields = (rows), .n = sizeof(rows) / sizeof((rows)[0]), \
		.size = sizeof(T), ##__VA_ARGS__                                          \
	}

/* For .has (a bool member) and struct schema's .rest (a const struct doc * member). */
#define SCHEMA_HAS(T, m) (offsetof(T, m) + 1)

/* --- operations ------------------------------------------------------------------------------- */

struct schema_opts {
	bool icase;	     /* keys match without regard to ASCII case when no exact match (Go's
				encoding/json) */
	bool no_defaults;    /* decode: do not apply `def` */
	bool strict;	     /* unknown keys are errors wherever the table says ignore or warn */
	unsigned max_causes; /* 0 = 32; further ones are counted only */
	enum err_code code;  /* 0 = ERR_INVALID */
	const char *root;    /* put in front of paths: "config" gives "config.process.cwd" */
	void (*warn)(void *arg, const char *path,
		     const char *what); /* unknown (WARN), deprecated */
	void *warn_arg;
};

/*
 * Fills *out (zeroed first) from the object `d`; `a` must be the arena of d or live no longer than
 * it: strings are borrowed where possible. All failures are collected: err->causes in `a`, err->msg
 * names the first and the count. opts may be NULL. Fails with opts.code (INVALID), or QUOTA when
 * the arena is full. On failure *out is unspecified.
 */
int schema_decode(const struct schema *s, const struct doc *d, struct arena *a, void *out,
		  const struct schema_opts *opts, struct err *err);

/* The same checks on a document alone. */
int schema_validate(const struct schema *s, const struct doc *d, struct arena *a,
		    const struct schema_opts *opts, struct err *err);

/*
 * C struct to document in arena `a`; strings are borrowed, so they must outlive it. Rows in table
 * order. Left out: false, 0, NULL, unset, empty lists and maps, unless the row says EMIT, EMIT_NULL
 * or REQUIRED.
 */
int schema_encode(const struct schema *s, const void *in, struct arena *a, struct doc *ret,
		  struct err *err);

/* Inserts defaults into *d (in place), also below, in objects that are there. A failure leaves *d
 * valid. */
int schema_default(const struct schema *s, struct doc *d, struct arena *a, struct err *err);

/* Removes what no row names (in place), except where the table says PRESERVE. */
int schema_prune(const struct schema *s, struct doc *d, struct arena *a, struct err *err);

/* The row for a key: NULL when there is none. `hint` is the row tried first (0 at the start). */
const struct schema_field *schema_find(const struct schema *s, struct slice key, unsigned hint,
				       bool icase);

/* From a table's check function: one cause at `field` of the current object ("" = the object
 * itself). */
void schema_fail(struct schema_ctx *c, const char *field, const char *reason, const char *fmt, ...)
	PRINTF(4, 5);
struct arena *schema_arena(struct schema_ctx *c);

/* The default as a document, NULL when the arena is full. The table's text must be valid JSON. */
struct doc *schema_default_value(struct arena *a, const struct schema_field *f);

/* Readers shared with other code. */
int schema_parse_time(struct slice s, struct schema_time *ret, struct err *err);
char *schema_format_time(const struct schema_time *t,
			 char dst[40]); /* RFC 3339, UTC, fraction as short as exact */
int schema_parse_duration(struct slice s, int64_t *ret_ns,
			  struct err *err); /* Go's form: "1h2m3.5s" */
bool schema_quantity_ok(struct slice s);

/* --- macros for rows -------------------------------------------------------------------------- */

#define SCHEMA_M_(T, m) (((T *)0)->m)
#define SCHEMA_TYPE_(T, m, type) \
	(0 * sizeof(char[__builtin_types_compatible_p(__typeof__(SCHEMA_M_(T, m)), type) ? 1 : -1]))
#define SCHEMA_ELEM_TYPE_(T, m, type)                                                       \
	(0 *                                                                                \
	 sizeof(char[__builtin_types_compatible_p(__typeof__(*SCHEMA_M_(T, m).v), type) ? 1 \
											: -1]))
#define SCHEMA_VALUE_TYPE_(T, m, type)                                                            \
	(0 * sizeof(char[__builtin_types_compatible_p(__typeof__(SCHEMA_M_(T, m).v->value), type) \
				 ? 1                                                              \
				 : -1]))
#define SCHEMA_INT_(expr) \
	(sizeof(expr) | (((__typeof__(expr))-1 < (__typeof__(expr))1) ? 0 : SCHEMA_W_UNSIGNED))
#define SCHEMA_ROW_(T, m, key, fl) \
	.name = (key), .len = sizeof(key "") - 1, .offset = offsetof(T, m), .flags = (fl)

/* const char * */
#define F_STR(T, m, key, fl, fmt, ...)                                                          \
	{                                                                                       \
		SCHEMA_ROW_(T, m, key, fl), .type = SCHEMA_STRING,                              \
					    .format = (fmt) + SCHEMA_TYPE_(T, m, const char *), \
					    ##__VA_ARGS__                                       \
	}
/* any integer type; lo = hi = 0 means the range of the C type */
#define F_INT(T, m, key, fl, lo, hi, ...)                                                       \
	{                                                                                       \
		SCHEMA_ROW_(T, m, key, fl), .type = SCHEMA_INT,                                 \
					    .width = SCHEMA_INT_(SCHEMA_M_(T, m)), .min = (lo), \
					    .max = (hi), ##__VA_ARGS__                          \
	}
/* struct opt_int */
#define F_OPT_INT(T, m, key, fl, lo, hi, ...)                                             \
	{                                                                                 \
		SCHEMA_ROW_(T, m, key, fl),                                               \
			.type = SCHEMA_INT, .min = (lo), .max = (hi),                     \
			.width = (8 | SCHEMA_W_OPT) + SCHEMA_TYPE_(T, m, struct opt_int), \
			##__VA_ARGS__                                                     \
	}
/* struct opt_uint */
#define F_OPT_UINT(T, m, key, fl, lo, hi, ...)                                                \
	{                                                                                     \
		SCHEMA_ROW_(T, m, key, fl), .type = SCHEMA_INT, .min = (lo), .max = (hi),     \
					    .width = (8 | SCHEMA_W_OPT | SCHEMA_W_UNSIGNED) + \
						     SCHEMA_TYPE_(T, m, struct opt_uint),     \
					    ##__VA_ARGS__                                     \
	}
#define F_BOOL(T, m, key, fl, ...)                                                               \
	{                                                                                        \
		SCHEMA_ROW_(T, m, key, fl), .type = SCHEMA_BOOL,                                 \
					    .width = 1 + SCHEMA_TYPE_(T, m, bool), ##__VA_ARGS__ \
	}
#define F_OPT_BOOL(T, m, key, fl, ...)                                                     \
	{                                                                                  \
		SCHEMA_ROW_(T, m, key, fl),                                                \
			.type = SCHEMA_BOOL,                                               \
			.width = (1 | SCHEMA_W_OPT) + SCHEMA_TYPE_(T, m, struct opt_bool), \
			##__VA_ARGS__                                                      \
	}
#define F_DOUBLE(T, m, key, fl, ...)                                                               \
	{                                                                                          \
		SCHEMA_ROW_(T, m, key, fl), .type = SCHEMA_DOUBLE,                                 \
					    .width = 8 + SCHEMA_TYPE_(T, m, double), ##__VA_ARGS__ \
	}
#define F_OPT_DOUBLE(T, m, key, fl, ...)                                                     \
	{                                                                                    \
		SCHEMA_ROW_(T, m, key, fl),                                                  \
			.type = SCHEMA_DOUBLE,                                               \
			.width = (8 | SCHEMA_W_OPT) + SCHEMA_TYPE_(T, m, struct opt_double), \
			##__VA_ARGS__                                                        \
	}
/* an int or enum: 1 + index in the NULL-terminated `names`, 0 = absent */
#define F_ENUM(T, m, key, names, fl, ...)                                                   \
	{                                                                                   \
		SCHEMA_ROW_(T, m, key, fl), .type = SCHEMA_ENUM, .values = (names),         \
					    .width = sizeof(SCHEMA_M_(T, m)), ##__VA_ARGS__ \
	}
/* const char * that must be one of `names` */
#define F_ENUM_STR(T, m, key, names, fl, ...)                                                    \
	{                                                                                        \
		SCHEMA_ROW_(T, m, key, fl),                                                      \
			.type = SCHEMA_ENUM, .values = (names),                                  \
			.width = SCHEMA_W_TEXT + SCHEMA_TYPE_(T, m, const char *), ##__VA_ARGS__ \
	}
/* const struct doc *: whatever it is; NULL when absent or null */
#define F_DOC(T, m, key, fl, ...)                                                                \
	{                                                                                        \
		SCHEMA_ROW_(T, m, key, fl), .type = SCHEMA_ANY,                                  \
					    .width = 8 + SCHEMA_TYPE_(T, m, const struct doc *), \
					    ##__VA_ARGS__                                        \
	}
#define F_INT_OR_STR(T, m, key, fl, ...)                                                        \
	{                                                                                       \
		SCHEMA_ROW_(T, m, key, fl), .type = SCHEMA_INT_OR_STR,                          \
					    .width = 8 + SCHEMA_TYPE_(T, m, struct int_or_str), \
					    ##__VA_ARGS__                                       \
	}
/* const char *, the text */
#define F_QUANTITY(T, m, key, fl, ...)                                                     \
	{                                                                                  \
		SCHEMA_ROW_(T, m, key, fl), .type = SCHEMA_QUANTITY,                       \
					    .width = 8 + SCHEMA_TYPE_(T, m, const char *), \
					    ##__VA_ARGS__                                  \
	}
#define F_TIME(T, m, key, fl, ...)                                                               \
	{                                                                                        \
		SCHEMA_ROW_(T, m, key, fl), .type = SCHEMA_TIME,                                 \
					    .width = 8 + SCHEMA_TYPE_(T, m, struct schema_time), \
					    ##__VA_ARGS__                                        \
	}
/* struct slice with the decoded bytes */
#define F_BYTES(T, m, key, fl, ...)                                                        \
	{                                                                                  \
		SCHEMA_ROW_(T, m, key, fl), .type = SCHEMA_BYTES,                          \
					    .width = 8 + SCHEMA_TYPE_(T, m, struct slice), \
					    ##__VA_ARGS__                                  \
	}
/* pointer to a struct: NULL when absent */
#define F_OBJ(T, m, key, table, fl, ...)                                               \
	{                                                                              \
		SCHEMA_ROW_(T, m, key, fl), .type = SCHEMA_OBJECT, .sub = (table),     \
					    .width = 8 + 0 * sizeof(*SCHEMA_M_(T, m)), \
					    ##__VA_ARGS__                              \
	}
/* struct in place; when absent it holds zeros and its table's defaults. Tell presence with .has. */
#define F_OBJ_IN(T, m, key, table, fl, ...)                                                 \
	{                                                                                   \
		SCHEMA_ROW_(T, m, key, (fl) | SCHEMA_INLINE), .type = SCHEMA_OBJECT,        \
							      .sub = (table), ##__VA_ARGS__ \
	}

/* Lists: LIST_OF(T) or struct strs. .min and .max limit the count, .format concerns each element.
 */
#define F_LIST_STR(T, m, key, fl, fmt, ...)                                                    \
	{                                                                                      \
		SCHEMA_ROW_(T, m, key, fl),                                                    \
			.type = SCHEMA_LIST, .elem_type = SCHEMA_STRING,                       \
			.format = (fmt) + SCHEMA_ELEM_TYPE_(T, m, const char *), ##__VA_ARGS__ \
	}
#define F_LIST_INT(T, m, key, fl, ...)                                                    \
	{                                                                                 \
		SCHEMA_ROW_(T, m, key, fl), .type = SCHEMA_LIST, .elem_type = SCHEMA_INT, \
					    .width = SCHEMA_INT_(*SCHEMA_M_(T, m).v),     \
					    ##__VA_ARGS__                                 \
	}
#define F_LIST_ENUM(T, m, key, names, fl, ...)                                                 \
	{                                                                                      \
		SCHEMA_ROW_(T, m, key, fl), .type = SCHEMA_LIST, .elem_type = SCHEMA_ENUM,     \
					    .values = (names),                                 \
					    .width = sizeof(*SCHEMA_M_(T, m).v), ##__VA_ARGS__ \
	}
#define F_LIST_ENUM_STR(T, m, key, names, fl, ...)                                        \
	{                                                                                 \
		SCHEMA_ROW_(T, m, key, fl),                                               \
			.type = SCHEMA_LIST, .elem_type = SCHEMA_ENUM, .values = (names), \
			.width = SCHEMA_W_TEXT + SCHEMA_ELEM_TYPE_(T, m, const char *),   \
			##__VA_ARGS__                                                     \
	}
/* elements in place: LIST_OF(struct x) */
#define F_LIST_OBJ(T, m, key, table, fl, ...)                                            \
	{                                                                                \
		SCHEMA_ROW_(T, m, key, fl),                                              \
			.type = SCHEMA_LIST, .elem_type = SCHEMA_OBJECT, .sub = (table), \
			.width = 8 + 0 * sizeof(*SCHEMA_M_(T, m).v), ##__VA_ARGS__       \
	}
/* LIST_OF(const struct doc *) */
#define F_LIST_DOC(T, m, key, fl, ...)                                                          \
	{                                                                                       \
		SCHEMA_ROW_(T, m, key, fl),                                                     \
			.type = SCHEMA_LIST, .elem_type = SCHEMA_ANY,                           \
			.width = 8 + SCHEMA_ELEM_TYPE_(T, m, const struct doc *), ##__VA_ARGS__ \
	}
/* any element, by an element row (E_ macros below): LIST_OF(LIST_OF(const char *)) and the like */
#define F_LIST(T, m, key, row, fl, ...)                                                           \
	{                                                                                         \
		SCHEMA_ROW_(T, m, key, fl), .type = SCHEMA_LIST, .elem = (row), .elem_row = true, \
					    .width = 8 + 0 * sizeof(SCHEMA_M_(T, m).v),           \
					    ##__VA_ARGS__                                         \
	}

/* Maps: MAP_OF(T) or struct str_map. .key_format concerns the keys. */
#define F_MAP_STR(T, m, key, fl, ...)                                                            \
	{                                                                                        \
		SCHEMA_ROW_(T, m, key, fl), .type = SCHEMA_MAP, .elem_type = SCHEMA_STRING,      \
					    .width = 8 + SCHEMA_VALUE_TYPE_(T, m, const char *), \
					    ##__VA_ARGS__                                        \
	}
#define F_MAP_INT(T, m, key, fl, ...)                                                       \
	{                                                                                   \
		SCHEMA_ROW_(T, m, key, fl), .type = SCHEMA_MAP, .elem_type = SCHEMA_INT,    \
					    .width = SCHEMA_INT_(SCHEMA_M_(T, m).v->value), \
					    ##__VA_ARGS__                                   \
	}
#define F_MAP_BOOL(T, m, key, fl, ...)                                                    \
	{                                                                                 \
		SCHEMA_ROW_(T, m, key, fl), .type = SCHEMA_MAP, .elem_type = SCHEMA_BOOL, \
					    .width = 1 + SCHEMA_VALUE_TYPE_(T, m, bool),  \
					    ##__VA_ARGS__                                 \
	}
#define F_MAP_OBJ(T, m, key, table, fl, ...)                                             \
	{                                                                                \
		SCHEMA_ROW_(T, m, key, fl),                                              \
			.type = SCHEMA_MAP, .elem_type = SCHEMA_OBJECT, .sub = (table),  \
			.width = 8 + 0 * sizeof(SCHEMA_M_(T, m).v->value), ##__VA_ARGS__ \
	}
/* MAP_OF(const struct doc *) */
#define F_MAP_DOC(T, m, key, fl, ...)                                                            \
	{                                                                                        \
		SCHEMA_ROW_(T, m, key, fl),                                                      \
			.type = SCHEMA_MAP, .elem_type = SCHEMA_ANY,                             \
			.width = 8 + SCHEMA_VALUE_TYPE_(T, m, const struct doc *), ##__VA_ARGS__ \
	}
#define F_MAP(T, m, key, row, fl, ...)                                                           \
	{                                                                                        \
		SCHEMA_ROW_(T, m, key, fl), .type = SCHEMA_MAP, .elem = (row), .elem_row = true, \
					    .width = 8 + 0 * sizeof(SCHEMA_M_(T, m).v->value),   \
					    ##__VA_ARGS__                                        \
	}

/*
 * Element rows for F_LIST and F_MAP: static const struct schema_field strings_row =
 * E_LIST(SCHEMA_STRING); A null element is the element's zero value, as in Go.
 */
#define E_INT(ctype, lo, hi, ...)                                                             \
	{                                                                                     \
		.type = SCHEMA_INT, .width = SCHEMA_INT_((ctype)0), .min = (lo), .max = (hi), \
		##__VA_ARGS__                                                                 \
	}
#define E_STR(fmt, ...)                                               \
	{                                                             \
		.type = SCHEMA_STRING, .format = (fmt), ##__VA_ARGS__ \
	}
#define E_OBJ(table, ...)                                                                    \
	{                                                                                    \
		.type = SCHEMA_OBJECT, .sub = (table), .flags = SCHEMA_INLINE, ##__VA_ARGS__ \
	}
#define E_TYPE(what, ...)                                                             \
	{                                                                             \
		.type = (what), .width = (what) == SCHEMA_BOOL ? 1 : 8, ##__VA_ARGS__ \
	}
#define E_LIST_STR(fmt, ...)                                                                    \
	{                                                                                       \
		.type = SCHEMA_LIST, .elem_type = SCHEMA_STRING, .format = (fmt), ##__VA_ARGS__ \
	}
#define E_LIST_OBJ(table, ...)                                                                 \
	{                                                                                      \
		.type = SCHEMA_LIST, .elem_type = SCHEMA_OBJECT, .sub = (table), ##__VA_ARGS__ \
	}
#define E_LIST(row, ...)                                                            \
	{                                                                           \
		.type = SCHEMA_LIST, .elem = (row), .elem_row = true, ##__VA_ARGS__ \
	}
#define E_MAP_STR(...)                                                        \
	{                                                                     \
		.type = SCHEMA_MAP, .elem_type = SCHEMA_STRING, ##__VA_ARGS__ \
	}
#define E_MAP(row, ...)                                                            \
	{                                                                          \
		.type = SCHEMA_MAP, .elem = (row), .elem_row = true, ##__VA_ARGS__ \
	}
