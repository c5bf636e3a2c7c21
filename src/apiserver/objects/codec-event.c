/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Watch events. In JSON each is a line; in protobuf four bytes of length (big endian) stand before
 * a WatchEvent, whose object is an envelope.
 */
#include "apiserver/objects/codec-private.h"
#include "base/hash.h"
#include "doc/json.h"

#define INITIAL_END "k8s.io/initial-events-end"
#define INITIAL_LIST "kubernetes.io/initial-events-list-blueprint"

static int put_head(const char *type, struct buf *out, struct err *err)
{
	(void)buf_adds(out, "{\"type\":\"");
	(void)buf_adds(out, type);
	return buf_adds(out, "\",\"object\":") < 0 ? codec_full(out, err) : 0;
}

static int put_end(struct buf *out, struct err *err)
{
	return buf_adds(out, "}\n") < 0 ? codec_full(out, err) : 0;
}

/* Frame and WatchEvent around an object of `bytes` bytes, which follow. */
static int put_frame(const char *type, uint64_t bytes, struct buf *out, struct err *err)
{
	uint64_t object = codec_field_size(bytes);
	uint64_t n = codec_field_size(strlen(type)) + codec_field_size(object);
	const char length[4] = { (char)(n >> 24), (char)(n >> 16), (char)(n >> 8), (char)n };

	if (n > UINT32_MAX)
		return err_set(err, ERR_TOO_LARGE, "an event of %llu bytes", (unsigned long long)n);
	(void)buf_add(out, length, sizeof(length));
	(void)codec_field_head(1, strlen(type), out, NULL);
	(void)buf_adds(out, type);
	(void)codec_field_head(2, object, out, NULL);
	return codec_field_head(1, bytes, out, err);
}

static int item_protobuf(struct codec_out *o, const char *type, struct item *i, struct buf *out,
			 struct err *err)
{
	CLEANUP(buf_fini) struct buf own = BUF_INIT(SIZE_MAX / 2);
	struct codec_names names = codec_names(o, false);
	struct slice raw;
	int r = codec_proto_message(o, i, &own, &raw, err);

	if (r == 0)
		r = put_frame(type, codec_envelope_size(names, raw.n), out, err);
	if (r == 0)
		r = codec_envelope_begin(names, raw.n, out, err);
	if (r == 0 && buf_add(out, raw.p, raw.n) < 0)
		r = codec_full(out, err);
	return r < 0 ? r : codec_envelope_end(out, err);
}

static int doc_protobuf(struct codec_out *o, const char *type, const struct doc *d,
			const struct api_type *t, struct buf *out, struct err *err)
{
	CLEANUP(buf_fini) struct buf own = BUF_INIT(SIZE_MAX / 2);
	int r = codec_put_doc_protobuf(o, d, t, &own, err);

	if (r == 0)
		r = put_frame(type, own.n, out, err);
	return r < 0 || buf_add(out, own.p, own.n) == 0 ? r : codec_full(out, err);
}

static int put_doc(struct codec_out *o, const char *type, const struct doc *d,
		   const struct api_type *t, struct buf *out, struct err *err)
{
	int r;

	if (o->codec.media == CODEC_PROTOBUF)
		return doc_protobuf(o, type, d, t, out, err);
	r = put_head(type, out, err);
	if (r == 0)
		r = codec_put_doc_json(o, d, out, err);
	return r < 0 ? r : put_end(out, err);
}

/* What was put of an event that failed half way goes again. */
static int whole(struct buf *out, size_t before, int r)
{
	if (r < 0 && out->p) {
		out->n = before;
		out->p[before] = '\0';
	}
	return r;
}

int codec_event(struct codec_out *o, enum cache_change what, struct item *i, struct buf *out,
		struct err *err)
{
	static const char *const types[] = {
		[CACHE_ADDED] = "ADDED", [CACHE_MODIFIED] = "MODIFIED", [CACHE_DELETED] = "DELETED"
	};
	size_t before = out->n;
	int r;

	if (o->codec.media == CODEC_PROTOBUF)
		return whole(out, before, item_protobuf(o, types[what], i, out, err));
	r = put_head(types[what], out, err);
	if (r == 0)
		r = codec_put_json(o, i, out, err);
	return whole(out, before, r < 0 ? r : put_end(out, err));
}

/* ---- bookmarks ---- */

/* An empty list as the client would get it, as text: clients of some versions take its form from
 * it. Tables have none. */
static int empty_list(const struct codec_out *o, struct arena *a, struct buf *out, struct err *err)
{
	struct codec_names n = codec_names(o, true);
	const struct api_type *t = o->codec.shape == CODEC_PARTIAL
					   ? api_type(o->api, API_META, "PartialObjectMetadataList")
					   : codec_kind(o)->list;
	struct codec_out plain = { .codec = { .media = o->codec.media }, .api = o->api };
	struct doc d = doc_object();

	doc_set_str(a, &d, "kind", n.kind);
	doc_set_str(a, &d, "apiVersion", n.api_version);
	doc_set_object(a, &d, "metadata");
	doc_set_null(a, &d, "items");
	return codec_doc(&plain, &d, t, out, err);
}

static int add_list(const struct codec_out *o, struct arena *a, struct doc *annotations,
		    struct err *err)
{
	CLEANUP(buf_fini) struct buf list = BUF_INIT(64u << 10);
	char *text;
	int r;

	if (o->codec.shape == CODEC_TABLE)
		return 0;
	r = empty_list(o, a, &list, err);
	if (r < 0)
		return r;
	text = arena_alloc_raw(a, (list.n + 2) / 3 * 4 + 1, 1);
	if (!text)
		return arena_quota(a, err);
	base64_encode(text, list.p, list.n);
	doc_set_str(a, annotations, INITIAL_LIST, text);
	return 0;
}

static int bookmark_of(const struct codec_out *o, int64_t revision, bool initial_end,
		       struct arena *a, struct doc *ret, struct err *err)
{
	const struct api_kind *k = codec_kind(o);
	struct doc d = doc_object(), *meta, *annotations;
	int r = 0;

	doc_set_str(a, &d, "kind", k->kind);
	doc_set_str(a, &d, "apiVersion", k->group->api_version);
	meta = doc_set_object(a, &d, "metadata");
	doc_set_strf(a, meta, "resourceVersion", "%lld", (long long)revision);
	if (initial_end) {
		annotations = doc_set_object(a, meta, "annotations");
		doc_set_str(a, annotations, INITIAL_END, "true");
		r = add_list(o, a, annotations, err);
	}
	if (r == 0 && arena_exceeded(a))
		r = arena_quota(a, err);
	if (r == 0 && !k->custom) /* what Go writes of an object with nothing in it */
		return api_admit(k->type, &d, a, API_NO_DEFAULTS, NULL, ret, err);
	*ret = d;
	return r;
}

int codec_bookmark(struct codec_out *o, int64_t revision, bool initial_end, struct buf *out,
		   struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("bookmark", 1u << 20);
	size_t before = out->n;
	struct doc d;
	int r = bookmark_of(o, revision, initial_end, a, &d, err);

	if (r == 0)
		r = put_doc(o, "BOOKMARK", &d, codec_kind(o)->type, out, err);
	return whole(out, before, r);
}

int codec_error_event(struct codec_out *o, const struct doc *status, struct buf *out,
		      struct err *err)
{
	size_t before = out->n;

	return whole(out, before,
		     put_doc(o, "ERROR", status, api_type(o->api, API_META, "Status"), out, err));
}
