/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Protocol buffers under schema tables: wire bytes to documents and back, without generated code.
 *
 * A row's `pb` is its field number; rows without one do not exist on the wire. How a value is
 * written follows from its type and `wire`:
 *
 *	SCHEMA_BOOL       varint                     wire MESSAGE: google.protobuf.BoolValue
 *	SCHEMA_INT        varint, sign-extended      ZIGZAG (sint), FIXED32/64 (fixed, sfixed),
 *	                                             MESSAGE: the google.protobuf wrappers
 *	SCHEMA_DOUBLE     fixed64 (double)           FIXED32 (float), MESSAGE (wrapper)
 *	SCHEMA_STRING     bytes, must be UTF-8       MESSAGE: {value=1}; with FORMAT_DURATION
 *	                                             {duration=1} in ns (Kubernetes' Duration)
 *	SCHEMA_BYTES      bytes, base64 in the document
 *	SCHEMA_ENUM       bytes, the name (as Kubernetes does); VARINT: the index in
 *	                  `values`; numbers without a name (or with "") stay numbers
 *	SCHEMA_OBJECT     message
 *	SCHEMA_QUANTITY   message {string=1}
 *	SCHEMA_TIME       message {seconds=1, nanos=2}; empty = absent, with PRESENCE = 1970
 *	SCHEMA_INT_OR_STR message {type=1, intVal=2, strVal=3}
 *	SCHEMA_ANY        message {raw=1} with JSON text in it (Kubernetes' RawExtension, JSON,
 *	                  FieldsV1); BYTES: the JSON text itself
 *	SCHEMA_LIST       repeated; numbers are read packed and unpacked, written packed with
 *	                  SCHEMA_PB_PACKED; a list of or in lists or maps is message {items=1}, as
 *	                  is a list with wire MESSAGE
 *	SCHEMA_MAP        repeated {key=1, value=2}; keys are strings, or numbers by key_wire
 *
 * Decoding: the last value of a single field wins; messages given twice are merged; of a oneof the
 * last member stays; a zero of a row without PRESENCE, EMIT or REQUIRED is left out, as in Go's
 * JSON. Unknown fields are skipped, or kept. Groups are refused.
 * Encoding: members in order of field numbers, map entries in order of keys, no zeros (but with
 * PRESENCE, REQUIRED, or in lists): equal documents give equal bytes.
 * Spec: protobuf.dev/programming-guides/encoding.
 */
#pragma once

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct doc;
struct err;
struct schema;

#define PROTOBUF_DEPTH_DEFAULT 100
#define PROTOBUF_SIZE_DEFAULT (64u << 20)

typedef const struct schema *protobuf_find(void *arg, struct slice api_version, struct slice kind);

/* All zero (or a NULL pointer) is the default. */
struct protobuf_opts {
	unsigned depth_max; /* messages inside one another; 0 = PROTOBUF_DEPTH_DEFAULT, at most that
			       many: it bounds the C stack */
	size_t size_max;    /* bytes of a message; 0 = PROTOBUF_SIZE_DEFAULT */
	const char *unknown; /* not NULL: unknown fields are kept as base64 in a member of this
				name, and written back from it behind the known ones */
	bool zeros; /* decode: zeros that are on the wire stay, encode: zeros are written */
	/* encode: every row without PRESENCE that is no list, map or bytes is written, also when
	 * the document has none, and all parts of what is one value: the bytes of Kubernetes' own
	 * code */
	bool whole;
	bool required; /* a REQUIRED row that is absent is an error (proto2) */
	bool bad_utf8; /* decode: take strings that are not UTF-8 (proto2 peers) */
	/* decode: objects in Kubernetes' envelope where JSON may stand (RawExtension) are read by
	 * the table that this gives for their kind (NULL: unknown, UNSUPPORTED), and count as a
	 * message within. NULL: such an object is UNSUPPORTED. */
	protobuf_find *find;
	void *find_arg;
};

/*
 * Wire bytes to a document in `a`. Strings are borrowed from `wire`, which must live as long as
 * *ret, and have no NUL behind them. Fails with BAD_REQUEST (truncated, wrong wire type, group,
 * number 0, too deep: message names the path and byte), TOO_LARGE past size_max, QUOTA when the
 * arena is full.
 */
int protobuf_decode(const struct schema *s, struct slice wire, struct arena *a,
		    const struct protobuf_opts *opts, struct doc *ret, struct err *err);

/*
 * Appends the message to out. Members that no row names are an error when `unknown` is not set to
 * "", else left out. Fails with INVALID (a value does not fit its row; two members of a oneof),
 * TOO_LARGE past size_max; out is then as before.
 */
int protobuf_encode(const struct schema *s, const struct doc *d, const struct protobuf_opts *opts,
		    struct buf *out, struct err *err);

/* Wire bytes straight to the C struct of the table (protobuf_decode, schema_decode) and back. */
int protobuf_decode_struct(const struct schema *s, struct slice wire, struct arena *a, void *out,
			   struct err *err);
int protobuf_encode_struct(const struct schema *s, const void *in, struct arena *a, struct buf *out,
			   struct err *err);

/*
 * One message of a stream of messages with a varint length in front. 1: *ret is it and *in is
 * behind it; 0: more bytes are needed; TOO_LARGE past max, BAD_REQUEST for a length of no varint.
 */
int protobuf_delimited(struct slice *in, size_t max, struct slice *ret, struct err *err);

/* ---- Kubernetes' envelope: "k8s\0", then runtime.Unknown ---- */

struct protobuf_kube {
	struct slice api_version, kind;
	struct slice raw;
	struct slice content_encoding, content_type;
};
bool protobuf_is_kube(struct slice body); /* begins with the four bytes */
/* Slices borrow from body. BAD_REQUEST without the four bytes or for what is no Unknown;
 * UNSUPPORTED for a content encoding. */
int protobuf_kube_read(struct slice body, struct protobuf_kube *ret, struct err *err);
/* Decodes a whole body: *ret is the object with apiVersion and kind in front. The table for the
 * kind comes from `find`, also for objects within (RawExtension). */
int protobuf_kube_decode(struct slice body, struct arena *a, protobuf_find *find, void *arg,
			 struct doc *ret, struct err *err);
/* apiVersion and kind of the object go to the envelope. */
int protobuf_kube_encode(const struct schema *s, const struct doc *d, struct buf *out,
			 struct err *err);
