/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes of requests and answers: which form is asked for, bodies to documents, objects to JSON,
 * YAML, protobuf, Table and PartialObjectMetadata, lists and watch events in pieces.
 *
 * What is asked for in JSON as it is stored is the item's bytes; other forms are made once per
 * revision and kept with the item (cache.h). Specs: Kubernetes API concepts (alternate
 * representations), runtime.Unknown, meta/v1 Table.
 */
#pragma once

#include "api/object.h"
#include "apiserver/objects/cache.h"
#include "apiserver/objects/resource.h"
#include "base/str.h"

struct doc;
struct err;

enum codec_media { CODEC_JSON, CODEC_YAML, CODEC_PROTOBUF };
enum codec_shape { CODEC_OBJECT, CODEC_TABLE, CODEC_PARTIAL };
enum codec_include { CODEC_INCLUDE_METADATA, CODEC_INCLUDE_NONE, CODEC_INCLUDE_OBJECT };

/* How an answer is to be written. */
struct codec {
	enum codec_media media;
	enum codec_shape shape;
	enum codec_include include; /* rows of a Table */
	bool pretty;
	const char *content_type; /* of the answer, static */
};
enum {
	CODEC_STREAM = 1 << 0,	 /* a watch */
	CODEC_NO_PROTO = 1 << 1, /* custom resources */
	CODEC_NO_SHAPE = 1 << 2, /* no Table nor Partial: writes that give a Status, subresources */
};
/* accept: all Accept headers joined by ","; "" = JSON. -ERR_UNSUPPORTED: none of them can be given
 * (406: upstream's message lists those that can). */
int codec_choose(struct slice accept, unsigned flags, struct codec *ret, struct err *err);
/* Of a request's body; "" = JSON. -ERR_UNSUPPORTED: 415 with upstream's words. */
int codec_body(struct slice content_type, unsigned flags, enum codec_media *ret, struct err *err);

/*
 * A body as a document: strings may be borrowed from `body`. Protobuf: by the envelope's kind, or
 * `def` when it names none. Duplicate fields of JSON and YAML go to strays. -ERR_BAD_REQUEST in
 * upstream's words, -ERR_TOO_LARGE, -ERR_QUOTA.
 */
int codec_read(const struct api *api, enum codec_media media, struct slice body,
	       const struct api_kind *def, struct arena *a, struct api_strays *strays,
	       struct doc *ret, struct err *err);

/* One answer. */
struct codec_out {
	struct codec codec;
	struct resource *resource;   /* as asked for: served version. NULL: codec_doc only */
	const struct api_kind *rows; /* of Tables: columns_scale(); NULL: the resource's */
	struct world *world;
	const struct api *api;
	int64_t now;	 /* seconds since 1970: ages in tables */
	struct arena *a; /* the caller's; the codec takes memory of its own for each object */
	bool table_header_sent; /* private to codec_event */
	bool list_open;		/* private to codec_list_*: an item was written */
};

/* A whole answer: the object in the version and form asked for. */
int codec_item(struct codec_out *o, struct item *i, struct buf *out, struct err *err);
/* A document that is canonical in the version that is asked for, kind and apiVersion in it: results
 * of dry runs, Status, Scale, APIResourceList. Type by its kind; NULL type: no protobuf
 * (-ERR_UNSUPPORTED). Tables are made of `resource`'s objects; others, Status too, stay objects. */
int codec_doc(struct codec_out *o, const struct doc *d, const struct api_type *type,
	      struct buf *out, struct err *err);

struct codec_list_meta {
	int64_t revision;
	const char *continue_; /* "" = the last page */
	int64_t remaining;     /* -1 = not told */
	size_t n;	       /* items that follow, when known (SIZE_MAX: not) */
};
/*
 * A list in pieces: begin, an item each, end; the caller sends what is in `out` when it likes.
 * Protobuf needs the length of all before the first: then `sizes` runs over the same items first
 * (codec_list_needs_sizes).
 */
bool codec_list_needs_sizes(const struct codec_out *o);
int codec_list_size(struct codec_out *o, struct item *i, uint64_t *sum, struct err *err);
int codec_list_begin(struct codec_out *o, const struct codec_list_meta *m, uint64_t sum,
		     struct buf *out, struct err *err);
int codec_list_item(struct codec_out *o, struct item *i, bool first, struct buf *out,
		    struct err *err);
int codec_list_end(struct codec_out *o, struct buf *out, struct err *err);

/* Watch events, framed for the stream (JSON: a line each; protobuf: length and message). */
int codec_event(struct codec_out *o, enum cache_change what, struct item *i, struct buf *out,
		struct err *err);
/* initial_end: with the annotations of the end of a sendInitialEvents. */
int codec_bookmark(struct codec_out *o, int64_t revision, bool initial_end, struct buf *out,
		   struct err *err);
int codec_error_event(struct codec_out *o, const struct doc *status, struct buf *out,
		      struct err *err);

/* ---- versions ---- */

/* The same object in another version of its kind; shares nodes. from == to: d itself. Kinds with
 * several: HorizontalPodAutoscaler, Event, custom ones (strategy None). -ERR_UNSUPPORTED names what
 * cannot be said in the other version. */
int codec_convert(const struct api_kind *from, const struct api_kind *to, const struct doc *d,
		  struct arena *a, struct doc *ret, struct err *err);

/* Can it be told in that version: it is in it, or versions differ in name only? Else convert.h. */
bool codec_is_in(const struct item *i, const struct api_kind *to);

/* An item as a document in its stored version; strings are borrowed from it. */
int codec_parse(const struct item *i, struct arena *a, struct doc *ret, struct err *err);
/* Canonical JSON for the store, without resourceVersion. d is canonical in the stored version. */
int codec_store(const struct doc *d, struct buf *out, struct err *err);
/* struct cache_form.foreign for built-in kinds; arg: struct api. */
int codec_foreign(void *arg, const struct api_kind *kind, struct slice bytes, struct buf *out,
		  struct err *err);

/* gzip, when the client takes it and it is worth it (over 128 KiB). level 1. */
#define CODEC_GZIP_FROM (128u << 10)
int codec_gzip(struct slice in, struct buf *out, struct err *err);
