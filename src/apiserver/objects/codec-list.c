/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists in pieces. In JSON an item is its bytes without kind and apiVersion; protobuf is told its
 * length first, which is why the items are asked for their sizes before.
 */
#include "apiserver/objects/codec-private.h"
#include "doc/json.h"

#include <zlib.h>

int codec_list_meta_json(const struct codec_list_meta *m, struct buf *out, struct err *err)
{
	(void)buf_addf(out, "{\"resourceVersion\":\"%lld\"", (long long)m->revision);
	if (m->continue_ && *m->continue_) {
		(void)buf_adds(out, ",\"continue\":");
		(void)json_write_string(out, slice_str(m->continue_), false);
	}
	if (m->remaining >= 0)
		(void)buf_addf(out, ",\"remainingItemCount\":%lld", (long long)m->remaining);
	return buf_addc(out, '}') < 0 ? codec_full(out, err) : 0;
}

/* ---- protobuf ---- */

bool codec_list_needs_sizes(const struct codec_out *o)
{
	return o->codec.media == CODEC_PROTOBUF;
}

int codec_list_size(struct codec_out *o, struct item *i, uint64_t *sum, struct err *err)
{
	CLEANUP(buf_fini) struct buf own = BUF_INIT(SIZE_MAX / 2);
	struct slice raw;
	int r = codec_proto_message(o, i, &own, &raw, err);

	if (r == 0)
		*sum += codec_field_size(raw.n);
	return r;
}

static int begin_protobuf(struct codec_out *o, const struct codec_list_meta *m, uint64_t sum,
			  struct buf *out, struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("list", 64u << 10);
	CLEANUP(buf_fini) struct buf meta = BUF_INIT(64u << 10);
	struct doc d = doc_object();
	int r;

	doc_set_strf(a, &d, "resourceVersion", "%lld", (long long)m->revision);
	if (m->continue_ && *m->continue_)
		doc_set_str(a, &d, "continue", m->continue_);
	if (m->remaining >= 0)
		doc_set_int(a, &d, "remainingItemCount", m->remaining);
	if (arena_exceeded(a))
		return arena_quota(a, err);
	r = codec_proto_doc(api_type(o->api, API_META, "ListMeta"), &d, &meta, err);
	if (r == 0)
		r = codec_envelope_begin(codec_names(o, true), codec_field_size(meta.n) + sum, out,
					 err);
	if (r == 0)
		r = codec_field_head(1, meta.n, out, err);
	return r < 0 || buf_add(out, meta.p, meta.n) == 0 ? r : codec_full(out, err);
}

static int item_protobuf(struct codec_out *o, struct item *i, struct buf *out, struct err *err)
{
	CLEANUP(buf_fini) struct buf own = BUF_INIT(SIZE_MAX / 2);
	struct slice raw;
	int r = codec_proto_message(o, i, &own, &raw, err);

	if (r == 0)
		r = codec_field_head(2, raw.n, out, err);
	return r < 0 || buf_add(out, raw.p, raw.n) == 0 ? r : codec_full(out, err);
}

/* ---- text ---- */

static int begin_text(struct codec_out *o, struct slice meta, struct buf *out, struct err *err)
{
	struct codec_names n = codec_names(o, true);

	if (o->codec.shape == CODEC_TABLE)
		return codec_table_begin(o, meta, true, out, err);
	(void)buf_addf(out, "{\"kind\":\"%s\",\"apiVersion\":\"%s\",\"metadata\":", n.kind,
		       n.api_version);
	(void)buf_add(out, meta.p, meta.n);
	return buf_adds(out, ",\"items\":[") < 0 ? codec_full(out, err) : 0;
}

/* The text of a list's item, or row. */
static int item_text(struct codec_out *o, struct item *i, struct buf *out, struct err *err)
{
	struct slice tail = item_tail(i);

	switch (o->codec.shape) {
	case CODEC_TABLE: return codec_put_row(o, i, NULL, out, err);
	case CODEC_PARTIAL: return codec_put_partial_json(i, out, err);
	default: break;
	}
	if (codec_kind(o)->custom || codec_converts(o))
		return codec_put_object_json(o, i, out, err);
	(void)buf_addc(out, '{');
	return buf_add(out, tail.p, tail.n) < 0 ? codec_full(out, err) : 0;
}

/* A list that is open as text of another form: up to the array's bracket, which is not there yet,
 * because an empty array is written otherwise. */
static int begin_pretty(struct slice open, struct buf *out, struct err *err)
{
	return codec_indent(slice_of(open.p, open.n - 1), 0, out, err);
}

/* The same as YAML: all members but the last one, then its key. */
static int begin_yaml(struct slice open, const char *key, struct buf *out, struct err *err)
{
	CLEANUP(buf_fini) struct buf whole = BUF_INIT(open.n + 4);
	CLEANUP(buf_fini) struct buf text = BUF_INIT(SIZE_MAX / 2);
	size_t n = open.n - strlen(",\"\":[") - strlen(key);
	int r;

	(void)buf_add(&whole, open.p, n);
	(void)buf_addc(&whole, '}');
	r = codec_yaml(buf_slice(&whole), &text, err);
	return r < 0 || buf_addf(out, "%s%s:", buf_str(&text), key) == 0 ? r : codec_full(out, err);
}

int codec_list_begin(struct codec_out *o, const struct codec_list_meta *m, uint64_t sum,
		     struct buf *out, struct err *err)
{
	CLEANUP(buf_fini) struct buf meta = BUF_INIT(64u << 10), open = BUF_INIT(SIZE_MAX / 2);
	int r;

	o->list_open = false;
	if (o->codec.media == CODEC_PROTOBUF)
		return begin_protobuf(o, m, sum, out, err);
	r = codec_list_meta_json(m, &meta, err);
	if (r == 0 && o->codec.media == CODEC_JSON && !o->codec.pretty)
		return begin_text(o, buf_slice(&meta), out, err);
	if (r == 0)
		r = begin_text(o, buf_slice(&meta), &open, err);
	if (r < 0)
		return r;
	if (o->codec.media == CODEC_YAML)
		return begin_yaml(buf_slice(&open),
				  o->codec.shape == CODEC_TABLE ? "rows" : "items", out, err);
	return begin_pretty(buf_slice(&open), out, err);
}

static int item_pretty(struct slice text, bool first, struct buf *out, struct err *err)
{
	(void)buf_adds(out, first ? "[\n    " : ",\n    ");
	return codec_indent(text, 2, out, err);
}

static int item_yaml(struct slice text, bool first, struct buf *out, struct err *err)
{
	CLEANUP(buf_fini) struct buf one = BUF_INIT(text.n + 4);

	if (first)
		(void)buf_addc(out, '\n');
	(void)buf_addc(&one, '[');
	(void)buf_add(&one, text.p, text.n);
	(void)buf_addc(&one, ']');
	return codec_yaml(buf_slice(&one), out, err);
}

int codec_list_item(struct codec_out *o, struct item *i, bool first, struct buf *out,
		    struct err *err)
{
	CLEANUP(buf_fini) struct buf own = BUF_INIT(SIZE_MAX / 2);
	int r;

	o->list_open = true;
	if (o->codec.media == CODEC_PROTOBUF)
		return item_protobuf(o, i, out, err);
	if (o->codec.media == CODEC_JSON && !o->codec.pretty) {
		if (!first && buf_addc(out, ',') < 0)
			return codec_full(out, err);
		return item_text(o, i, out, err);
	}
	r = item_text(o, i, &own, err);
	if (r < 0)
		return r;
	return o->codec.media == CODEC_YAML ? item_yaml(buf_slice(&own), first, out, err)
					    : item_pretty(buf_slice(&own), first, out, err);
}

int codec_list_end(struct codec_out *o, struct buf *out, struct err *err)
{
	const char *end = "]}\n";

	if (o->codec.media == CODEC_PROTOBUF)
		return codec_envelope_end(out, err);
	if (o->codec.media == CODEC_YAML)
		end = o->list_open ? "" : " []\n";
	else if (o->codec.pretty)
		end = o->list_open ? "\n  ]\n}" : "[]\n}";
	return buf_adds(out, end) < 0 ? codec_full(out, err) : 0;
}

/* ---- gzip ---- */

int codec_gzip(struct slice in, struct buf *out, struct err *err)
{
	z_stream z = { 0 };
	size_t before = out->n;
	int r;

	if (in.n > UINT32_MAX / 2)
		return err_set(err, ERR_TOO_LARGE, "gzip of %zu bytes", in.n);
	if (deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		abort();
	if (!buf_room(out, deflateBound(&z, in.n))) {
		deflateEnd(&z);
		return codec_full(out, err);
	}
	z.next_in = (unsigned char *)(uintptr_t)in.p;
	z.avail_in = (unsigned)in.n;
	z.next_out = (unsigned char *)out->p + before;
	z.avail_out = (unsigned)deflateBound(&z, in.n);
	r = deflate(&z, Z_FINISH);
	out->n = before + z.total_out;
	out->p[out->n] = '\0';
	deflateEnd(&z);
	if (r == Z_STREAM_END)
		return 0;
	out->n = before;
	return err_set(err, ERR_SYSTEM, "gzip: zlib says %d", r);
}
