/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects as protobuf: messages are kept with their items, so a list that is asked for twice, or an
 * event that goes to many watchers, is encoded once. Envelopes are put around them by hand: their
 * length is known before the message is copied.
 */
#include "apiserver/objects/codec-private.h"
#include "doc/json.h"
#include "doc/protobuf.h"

#define MAGIC SLICE("k8s\0")
#define ENVELOPE_TAIL SLICE("\x1a\0\"\0") /* no content encoding, no content type */

/* No built-in kind is served in more than two versions, and custom ones have no forms of versions:
 * stored or the other says which it is. */
static uint32_t form_id(const struct codec_out *o, enum codec_form form)
{
	return (uint32_t)form << 1 | codec_converts(o);
}

struct slice codec_form_get(struct codec_out *o, struct item *i, enum codec_form form)
{
	return o->world ? item_form(o->world, i, form_id(o, form)) : (struct slice){ NULL, 0 };
}

struct slice codec_form_keep(struct codec_out *o, struct item *i, enum codec_form form,
			     const struct buf *own)
{
	if (!o->world)
		return buf_slice(own);
	return item_keep_form(o->world, i, form_id(o, form), buf_slice(own));
}

/* ---- messages ---- */

int codec_proto_doc(const struct api_type *type, const struct doc *d, struct buf *out,
		    struct err *err)
{
	static const struct protobuf_opts opts = { .unknown = "", .whole = true };

	return protobuf_encode(&type->schema, d, &opts, out, err);
}

int codec_proto_partial(const struct codec_out *o, const struct doc *d, struct buf *out,
			struct err *err)
{
	struct doc node[2] = { DOC_LIT("metadata") };
	struct doc only = { .type = DOC_OBJECT, .n = 1, .kids = node };
	const struct doc *meta = doc_get(d, "metadata");

	node[1] = meta ? *meta : doc_object();
	return codec_proto_doc(api_type(o->api, API_META, "PartialObjectMetadata"), &only, out,
			       err);
}

static int encode_partial(const struct codec_out *o, const struct item *i, struct buf *out,
			  struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("metadata", CODEC_SCRATCH_MAX);
	CLEANUP(buf_fini) struct buf text = BUF_INIT(SIZE_MAX / 2);
	struct slice meta = codec_metadata(i);
	struct doc *d;
	int r;

	if (buf_addc(&text, '{') < 0 || buf_add(&text, meta.p, meta.n) < 0 ||
	    buf_addc(&text, '}') < 0)
		return codec_full(&text, err);
	r = json_read(a, buf_slice(&text), NULL, &d, err);
	return r < 0 ? r : codec_proto_partial(o, d, out, err);
}

static int encode_whole(const struct codec_out *o, const struct item *i, struct buf *out,
			struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("object", CODEC_SCRATCH_MAX);
	struct doc d;
	int r = codec_doc_of(o, i, a, &d, err);

	return r < 0 ? r : codec_proto_doc(codec_kind(o)->type, &d, out, err);
}

int codec_proto_message(struct codec_out *o, struct item *i, struct buf *own, struct slice *ret,
			struct err *err)
{
	bool partial = o->codec.shape == CODEC_PARTIAL;
	enum codec_form form = partial ? CODEC_FORM_PROTO_PARTIAL : CODEC_FORM_PROTO;
	int r;

	*ret = codec_form_get(o, i, form);
	if (ret->n > 0)
		return 0;
	buf_clear(own);
	r = partial ? encode_partial(o, i, own, err) : encode_whole(o, i, own, err);
	if (r == 0)
		*ret = codec_form_keep(o, i, form, own);
	return r;
}

/* ---- envelopes ---- */

struct codec_names codec_names(const struct codec_out *o, bool list)
{
	const struct api_kind *k = codec_kind(o);

	if (o->codec.shape == CODEC_TABLE)
		return (struct codec_names){ CODEC_META_VERSION, "Table" };
	if (o->codec.shape == CODEC_PARTIAL)
		return (struct codec_names){ CODEC_META_VERSION, list ? "PartialObjectMetadataList"
								      : "PartialObjectMetadata" };
	return (struct codec_names){ k->group->api_version, list ? k->list_kind : k->kind };
}

static uint64_t varint_size(uint64_t v)
{
	return (uint64_t)(63 - __builtin_clzll(v | 1)) / 7 + 1;
}

uint64_t codec_field_size(uint64_t bytes)
{
	return 1 + varint_size(bytes) + bytes;
}

int codec_field_head(unsigned number, uint64_t bytes, struct buf *out, struct err *err)
{
	char head[11];
	size_t n = 0;

	head[n++] = (char)(number << 3 | 2);
	for (; bytes >= 0x80; bytes >>= 7)
		head[n++] = (char)(bytes | 0x80);
	head[n++] = (char)bytes;
	return buf_add(out, head, n) < 0 ? codec_full(out, err) : 0;
}

static uint64_t type_meta_size(struct codec_names n)
{
	return codec_field_size(strlen(n.api_version)) + codec_field_size(strlen(n.kind));
}

uint64_t codec_envelope_size(struct codec_names n, uint64_t raw)
{
	return MAGIC.n + codec_field_size(type_meta_size(n)) + codec_field_size(raw) +
	       ENVELOPE_TAIL.n;
}

int codec_envelope_begin(struct codec_names n, uint64_t raw, struct buf *out, struct err *err)
{
	(void)buf_add(out, MAGIC.p, MAGIC.n);
	(void)codec_field_head(1, type_meta_size(n), out, NULL);
	(void)codec_field_head(1, strlen(n.api_version), out, NULL);
	(void)buf_adds(out, n.api_version);
	(void)codec_field_head(2, strlen(n.kind), out, NULL);
	(void)buf_adds(out, n.kind);
	return codec_field_head(2, raw, out, err);
}

int codec_envelope_end(struct buf *out, struct err *err)
{
	return buf_add(out, ENVELOPE_TAIL.p, ENVELOPE_TAIL.n) < 0 ? codec_full(out, err) : 0;
}
