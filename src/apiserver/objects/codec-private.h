/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the codec's files share. One object is made in two ways: as JSON text (copied where it can
 * be; YAML and indented text are made of it) and as a protobuf message. The files:
 *
 *	codec-accept.c    media types
 *	codec-read.c      bodies, stored bytes
 *	codec-words.c     what encoding/json would say of a text
 *	codec.c           one object: JSON, YAML, the forms that are kept
 *	codec-proto.c     one object: protobuf
 *	codec-list.c      lists
 *	codec-event.c     watch events
 *	codec-table.c     Tables
 *	codec-convert.c   versions; codec-metrics.c: those of autoscaling's metrics
 */
#pragma once

#include "apiserver/objects/codec.h"
#include "base/arena.h"
#include "base/err.h"
#include "doc/doc.h"

#include <string.h>

#define CODEC_SCRATCH_MAX (256u << 20) /* memory for one object as a document */
#define CODEC_META_VERSION "meta.k8s.io/v1"

struct pb_writer;

/* Forms that are kept with items. */
enum codec_form {
	CODEC_FORM_JSON = 1,	  /* in another version */
	CODEC_FORM_PROTO,	  /* the message without envelope */
	CODEC_FORM_PROTO_PARTIAL, /* the same of its PartialObjectMetadata */
};

static inline const struct api_kind *codec_kind(const struct codec_out *o)
{
	return o->resource->kind;
}
static inline const struct api_kind *codec_rows(const struct codec_out *o)
{
	return o->rows ? o->rows : o->resource->kind;
}
static inline bool codec_converts(const struct codec_out *o)
{
	return o->resource->objects && o->resource->objects->kind != o->resource->kind;
}

/* The item's document in the version that is served. */
int codec_doc_of(const struct codec_out *o, const struct item *i, struct arena *a, struct doc *ret,
		 struct err *err);
/* "metadata":{...} up to its end; borrowed. */
struct slice codec_metadata(const struct item *i);
/* Empty: it is not kept. */
struct slice codec_form_get(struct codec_out *o, struct item *i, enum codec_form form);
/* What is kept, or own's bytes when nothing keeps forms. */
struct slice codec_form_keep(struct codec_out *o, struct item *i, enum codec_form form,
			     const struct buf *own);
/* The text of an object in the shape that is asked for, as one line, without its end. */
int codec_put_json(struct codec_out *o, struct item *i, struct buf *out, struct err *err);
/* The object whole; its PartialObjectMetadata. */
int codec_put_object_json(struct codec_out *o, struct item *i, struct buf *out, struct err *err);
int codec_put_partial_json(struct item *i, struct buf *out, struct err *err);
int codec_put_partial_doc(const struct doc *d, struct buf *out, struct err *err);
/* The same of a document: the object, its metadata, or a Table of one row, as o->codec has it. */
int codec_put_doc_json(struct codec_out *o, const struct doc *d, struct buf *out, struct err *err);
/* Magic, envelope and message of a document, or of its metadata. */
int codec_put_doc_protobuf(const struct codec_out *o, const struct doc *d,
			   const struct api_type *type, struct buf *out, struct err *err);
/* JSON text in the form of o->codec: as it is, indented, YAML; with its end. */
int codec_finish(const struct codec_out *o, struct slice json, struct buf *out, struct err *err);
/* Go's MarshalIndent with two spaces of a compact text, `depth` levels in. */
int codec_indent(struct slice json, unsigned depth, struct buf *out, struct err *err);
int codec_yaml(struct slice json, struct buf *out, struct err *err);

/* ---- protobuf ---- */

/* Of a list's item, or within an envelope: kept when the world has room, else in `own`. */
int codec_proto_message(struct codec_out *o, struct item *i, struct buf *own, struct slice *ret,
			struct err *err);
/* A document under its table, as Go's code writes it. Members that the table has not are left out.
 */
int codec_proto_doc(const struct api_type *type, const struct doc *d, struct buf *out,
		    struct err *err);
/* Only metadata goes into the message. */
int codec_proto_partial(const struct codec_out *o, const struct doc *d, struct buf *out,
			struct err *err);
struct codec_names {
	const char *api_version, *kind;
};
/* What envelopes say of an item in the shape that is asked for, and of a list. */
struct codec_names codec_names(const struct codec_out *o, bool list);
/* "k8s\0" and the envelope around a message of `raw` bytes: what stands before it and behind. */
int codec_envelope_begin(struct codec_names n, uint64_t raw, struct buf *out, struct err *err);
int codec_envelope_end(struct buf *out, struct err *err);
uint64_t codec_envelope_size(struct codec_names n, uint64_t raw);
/* Bytes of a field of this many bytes with a number under 16. */
uint64_t codec_field_size(uint64_t bytes);
int codec_field_head(unsigned number, uint64_t bytes, struct buf *out, struct err *err);

/* ---- tables ---- */

/* {"cells":[...],"object":...}: of an item, or of a document (i NULL; its text is made of it). */
int codec_put_row(struct codec_out *o, struct item *i, const struct doc *d, struct buf *out,
		  struct err *err);
/* A Table's text up to the first row. */
int codec_table_begin(struct codec_out *o, struct slice list_meta, bool definitions,
		      struct buf *out, struct err *err);

/* {"resourceVersion":"7",...} */
int codec_list_meta_json(const struct codec_list_meta *m, struct buf *out, struct err *err);

int codec_full(const struct buf *out, struct err *err);

/* ---- what encoding/json says ---- */

/* "invalid character 'x' looking for beginning of value" of a text that is no JSON; into `out`. */
void codec_json_words(struct slice text, char *out, size_t n);
