/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One object. Its JSON text is made first, from the item's bytes without reading them wherever that
 * is possible; indented text and YAML are made of that text.
 */
#include "apiserver/objects/codec-private.h"

#include "api/custom.h"
#include "doc/json.h"
#include "doc/yaml.h"

int codec_full(const struct buf *out, struct err *err)
{
	return err_set(err, ERR_TOO_LARGE, "an answer of more than %zu bytes", out->max);
}

/* ---- text to text ---- */

static int new_line(struct buf *out, unsigned depth)
{
	char *p;

	if (!buf_room(out, 1 + 2 * (size_t)depth))
		return -ERR_QUOTA;
	p = out->p + out->n;
	p[0] = '\n';
	memset(p + 1, ' ', 2 * (size_t)depth);
	out->n += 1 + 2 * (size_t)depth;
	out->p[out->n] = '\0';
	return 0;
}

/* A string from its quote to behind its last. */
static const char *behind_string(const char *p, const char *end)
{
	p++;
	while (p < end && *p != '"')
		p += *p == '\\' ? 2 : 1;
	return p < end ? p + 1 : end;
}

int codec_indent(struct slice json, unsigned depth, struct buf *out, struct err *err)
{
	const char *p = json.p, *end = json.p + json.n, *from;

	while (p < end) {
		bool opens = *p == '{' || *p == '[';

		from = p;
		if (*p == '"')
			p = behind_string(p, end);
		else if (opens && p + 1 < end && (p[1] == '}' || p[1] == ']'))
			p += 2;
		else
			p++;
		if (*from == '}' || *from == ']')
			(void)new_line(out, --depth);
		(void)buf_add(out, from, (size_t)(p - from));
		if (*from == ':')
			(void)buf_addc(out, ' ');
		else if (*from == ',' || (opens && p == from + 1))
			(void)new_line(out, opens ? ++depth : depth);
	}
	return out->full ? codec_full(out, err) : 0;
}

int codec_yaml(struct slice json, struct buf *out, struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("yaml", CODEC_SCRATCH_MAX);
	static const struct yaml_style sorted = { .sorted = true };
	struct doc *d;
	int r = json_read(a, json, NULL, &d, err);

	return r < 0 ? r : yaml_write(d, &sorted, out, err);
}

int codec_finish(const struct codec_out *o, struct slice json, struct buf *out, struct err *err)
{
	if (o->codec.media == CODEC_YAML)
		return codec_yaml(json, out, err);
	if (o->codec.pretty)
		return codec_indent(json, 0, out, err);
	if (buf_add(out, json.p, json.n) < 0 || buf_addc(out, '\n') < 0)
		return codec_full(out, err);
	return 0;
}

/* ---- an item ---- */

/* What counts when brackets are matched: quotes, what opens, what closes. */
enum { QUOTE = 1, OPENS, CLOSES };
static const uint8_t marks[256] = {
	['"'] = QUOTE, ['{'] = OPENS, ['['] = OPENS, ['}'] = CLOSES, [']'] = CLOSES
};

struct slice codec_metadata(const struct item *i)
{
	struct slice tail = item_tail(i);
	const char *p = tail.p, *end = tail.p + tail.n;
	unsigned depth = 0;

	while (p < end) {
		uint8_t mark = marks[(unsigned char)*p];

		if (mark == QUOTE) {
			p = behind_string(p, end);
			continue;
		}
		p++;
		depth += mark == OPENS;
		if (mark == CLOSES && --depth == 0)
			break;
	}
	return slice_of(tail.p, (size_t)(p - tail.p));
}

bool codec_is_in(const struct item *i, const struct api_kind *to)
{
	const struct api_kind *own;

	if (!custom_webhook(to))
		return true;
	own = custom_kind_of(to, item_json(i));
	return own && strcmp(own->group->api_version, to->group->api_version) == 0;
}

/* Never an object under the name of a version that it is not in. */
static int check_version(const struct codec_out *o, const struct item *i, struct err *err)
{
	if (codec_is_in(i, codec_kind(o)))
		return 0;
	return err_set(err, ERR_SYSTEM, "an object has not been converted to %s, Kind=%s",
		       codec_kind(o)->group->api_version, codec_kind(o)->kind);
}

int codec_doc_of(const struct codec_out *o, const struct item *i, struct arena *a, struct doc *ret,
		 struct err *err)
{
	struct doc d;
	int r = check_version(o, i, err);

	if (r == 0)
		r = codec_parse(i, a, &d, err);

	if (r == 0 && codec_converts(o) && !custom_webhook(codec_kind(o)))
		return codec_convert(o->resource->objects->kind, codec_kind(o), &d, a, ret, err);
	if (r == 0)
		*ret = d;
	return r;
}

static int put_head(struct codec_names n, struct slice members, struct buf *out, struct err *err)
{
	(void)buf_addf(out, "{\"kind\":\"%s\",\"apiVersion\":\"%s\",", n.kind, n.api_version);
	(void)buf_add(out, members.p, members.n);
	return out->full ? codec_full(out, err) : 0;
}

/* A built-in object in another version is made anew. */
static int put_converted(struct codec_out *o, struct item *i, struct buf *out, struct err *err)
{
	CLEANUP(buf_fini) struct buf own = BUF_INIT(SIZE_MAX / 2);
	CLEANUP(arena_free) struct arena *a = NULL;
	struct slice kept = codec_form_get(o, i, CODEC_FORM_JSON);
	struct doc d;
	int r = 0;

	if (kept.n == 0) {
		a = arena_new("object", CODEC_SCRATCH_MAX);
		r = codec_doc_of(o, i, a, &d, err);
		if (r == 0)
			r = json_write(&d, NULL, &own, err);
		if (r < 0)
			return r;
		kept = codec_form_keep(o, i, CODEC_FORM_JSON, &own);
	}
	return buf_add(out, kept.p, kept.n) < 0 ? codec_full(out, err) : 0;
}

int codec_put_object_json(struct codec_out *o, struct item *i, struct buf *out, struct err *err)
{
	struct slice json = item_json(i);

	if (check_version(o, i, err) < 0)
		return err_ret(err);
	if (!codec_converts(o))
		return buf_add(out, json.p, json.n) < 0 ? codec_full(out, err) : 0;
	if (codec_kind(o)->custom) /* only the name of the version differs */
		return put_head((struct codec_names){ codec_kind(o)->group->api_version,
						      codec_kind(o)->kind },
				item_tail(i), out, err);
	return put_converted(o, i, out, err);
}

int codec_put_partial_json(struct item *i, struct buf *out, struct err *err)
{
	static const struct codec_names names = { CODEC_META_VERSION, "PartialObjectMetadata" };
	int r = put_head(names, codec_metadata(i), out, err);

	return r < 0 || buf_addc(out, '}') == 0 ? r : codec_full(out, err);
}

static int put_table(struct codec_out *o, struct item *i, struct buf *out, struct err *err)
{
	CLEANUP(buf_fini) struct buf meta = BUF_INIT(256);
	const struct codec_list_meta m = { .revision = item_revision(i),
					   .continue_ = "",
					   .remaining = -1 };
	int r = codec_list_meta_json(&m, &meta, err);

	if (r == 0)
		r = codec_table_begin(o, buf_slice(&meta), !o->table_header_sent, out, err);
	if (r == 0)
		r = codec_put_row(o, i, NULL, out, err);
	return r < 0 || buf_adds(out, "]}") == 0 ? r : codec_full(out, err);
}

int codec_put_json(struct codec_out *o, struct item *i, struct buf *out, struct err *err)
{
	switch (o->codec.shape) {
	case CODEC_TABLE: return put_table(o, i, out, err);
	case CODEC_PARTIAL: return codec_put_partial_json(i, out, err);
	default: return codec_put_object_json(o, i, out, err);
	}
}

static int put_protobuf(struct codec_names n, struct slice raw, struct buf *out, struct err *err)
{
	int r = codec_envelope_begin(n, raw.n, out, err);

	if (r == 0 && buf_add(out, raw.p, raw.n) < 0)
		r = codec_full(out, err);
	return r < 0 ? r : codec_envelope_end(out, err);
}

int codec_item(struct codec_out *o, struct item *i, struct buf *out, struct err *err)
{
	CLEANUP(buf_fini) struct buf own = BUF_INIT(SIZE_MAX / 2);
	struct slice raw;
	int r;

	o->table_header_sent = false;
	if (o->codec.media == CODEC_PROTOBUF) {
		r = codec_proto_message(o, i, &own, &raw, err);
		return r < 0 ? r : put_protobuf(codec_names(o, false), raw, out, err);
	}
	if (o->codec.media == CODEC_JSON && !o->codec.pretty) {
		r = codec_put_json(o, i, out, err);
		return r < 0 || buf_addc(out, '\n') == 0 ? r : codec_full(out, err);
	}
	r = codec_put_json(o, i, &own, err);
	return r < 0 ? r : codec_finish(o, buf_slice(&own), out, err);
}

/* ---- a document ---- */

/* Only objects of the resource take another shape, and what is told to have rows. */
static bool is_of_resource(const struct codec_out *o, const struct doc *d)
{
	const struct api_kind *k = o->resource ? codec_rows(o) : NULL;

	return k && doc_str_is(doc_get(d, "kind"), k->kind) &&
	       doc_str_is(doc_get(d, "apiVersion"), k->group->api_version);
}

int codec_put_partial_doc(const struct doc *d, struct buf *out, struct err *err)
{
	static const struct doc nothing = { .type = DOC_OBJECT };
	const struct doc *meta = doc_get(d, "metadata");
	int r;

	(void)buf_adds(out,
		       "{\"kind\":\"PartialObjectMetadata\",\"apiVersion\":\"" CODEC_META_VERSION
		       "\",\"metadata\":");
	r = json_write(meta ? meta : &nothing, NULL, out, err);
	return r < 0 || buf_addc(out, '}') == 0 ? r : codec_full(out, err);
}

static int put_table_doc(struct codec_out *o, const struct doc *d, struct buf *out, struct err *err)
{
	CLEANUP(buf_fini) struct buf meta = BUF_INIT(256);
	struct doc node[2] = { DOC_LIT("resourceVersion") };
	struct doc only = { .type = DOC_OBJECT, .kids = node };
	const struct doc *rv = doc_find(d, "metadata.resourceVersion");
	int r;

	if (rv) {
		only.n = 1;
		node[1] = *rv;
	}
	r = json_write(&only, NULL, &meta, err);
	if (r == 0)
		r = codec_table_begin(o, buf_slice(&meta), !o->table_header_sent, out, err);
	if (r == 0)
		r = codec_put_row(o, NULL, d, out, err);
	return r < 0 || buf_adds(out, "]}") == 0 ? r : codec_full(out, err);
}

int codec_put_doc_json(struct codec_out *o, const struct doc *d, struct buf *out, struct err *err)
{
	bool shaped = is_of_resource(o, d);

	if (shaped && o->codec.shape == CODEC_TABLE)
		return put_table_doc(o, d, out, err);
	if (shaped && o->codec.shape == CODEC_PARTIAL)
		return codec_put_partial_doc(d, out, err);
	return json_write(d, NULL, out, err);
}

int codec_put_doc_protobuf(const struct codec_out *o, const struct doc *d,
			   const struct api_type *type, struct buf *out, struct err *err)
{
	CLEANUP(buf_fini) struct buf own = BUF_INIT(SIZE_MAX / 2);
	CLEANUP(arena_free) struct arena *a = arena_new("names", 4096);
	struct codec_names n = { doc_cstr(a, doc_get(d, "apiVersion")),
				 doc_cstr(a, doc_get(d, "kind")) };
	bool partial = o->codec.shape == CODEC_PARTIAL && is_of_resource(o, d);
	int r;

	if (!n.api_version || !n.kind || (!type && !partial))
		return err_set(err, ERR_UNSUPPORTED, "kind '%s' has no protobuf",
			       n.kind ? n.kind : "");
	if (partial)
		n = codec_names(o, false);
	r = partial ? codec_proto_partial(o, d, &own, err) : codec_proto_doc(type, d, &own, err);
	return r < 0 ? r : put_protobuf(n, buf_slice(&own), out, err);
}

int codec_doc(struct codec_out *o, const struct doc *d, const struct api_type *type,
	      struct buf *out, struct err *err)
{
	CLEANUP(buf_fini) struct buf own = BUF_INIT(SIZE_MAX / 2);
	int r;

	o->table_header_sent = false;
	if (o->codec.media == CODEC_PROTOBUF)
		return codec_put_doc_protobuf(o, d, type, out, err);
	r = codec_put_doc_json(o, d, &own, err);
	return r < 0 ? r : codec_finish(o, buf_slice(&own), out, err);
}
