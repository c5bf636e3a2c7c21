/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kubernetes' way to send protocol buffers: four bytes, then a runtime.Unknown that tells
 * apiVersion and kind and holds the object's message, in which those two do not occur.
 */
#include "base/arena.h"
#include "doc/protobuf-private.h"

#define MAGIC SLICE("k8s\0")

bool protobuf_is_kube(struct slice body)
{
	return slice_starts(body, MAGIC);
}

static int wrong(struct err *err, const char *why)
{
	return err_set(err, ERR_BAD_REQUEST, "runtime.Unknown: %s", why);
}

static int read_type_meta(struct slice wire, struct protobuf_kube *ret, struct err *err)
{
	struct pb_reader r = pb_reader(wire);
	struct pb_field f;
	int rc;

	while ((rc = pb_next(&r, &f)) == 1) {
		if (f.number > 2)
			continue;
		if (f.type != PB_BYTES)
			return wrong(err, "typeMeta holds what is no string");
		*(f.number == 1 ? &ret->api_version : &ret->kind) = f.bytes;
	}
	return rc < 0 ? wrong(err, r.why) : 0;
}

int protobuf_kube_read(struct slice body, struct protobuf_kube *ret, struct err *err)
{
	struct pb_reader r;
	struct pb_field f;
	int rc;

	if (!protobuf_is_kube(body))
		return err_set(err, ERR_BAD_REQUEST,
			       "no Kubernetes protobuf: the first four bytes are not \"k8s\\0\"");
	*ret = (struct protobuf_kube){ 0 };
	r = pb_reader(slice_of(body.p + MAGIC.n, body.n - MAGIC.n));
	while ((rc = pb_next(&r, &f)) == 1) {
		if (f.number > 4)
			continue;
		if (f.type != PB_BYTES)
			return wrong(err, "a field of the wrong wire type");
		switch (f.number) {
		case 1: rc = read_type_meta(f.bytes, ret, err); break;
		case 2: ret->raw = f.bytes; break;
		case 3: ret->content_encoding = f.bytes; break;
		default: ret->content_type = f.bytes; break;
		}
		if (rc < 0)
			return rc;
	}
	if (rc < 0)
		return wrong(err, r.why);
	if (ret->content_encoding.n > 0)
		return err_set(err, ERR_UNSUPPORTED, "runtime.Unknown: content encoding '%.*s'",
			       (int)MIN(ret->content_encoding.n, (size_t)32),
			       ret->content_encoding.p);
	return 0;
}

int protobuf_kube_object(struct slice body, struct arena *a, const struct protobuf_opts *o,
			 struct doc *ret, struct err *err)
{
	const struct schema *s;
	struct protobuf_kube k;
	struct doc in, out = doc_object();
	int r;

	r = protobuf_kube_read(body, &k, err);
	if (r < 0)
		return r;
	s = o->find(o->find_arg, k.api_version, k.kind);
	if (!s)
		return err_set(err, ERR_UNSUPPORTED, "no protobuf for kind '%.*s' of '%.*s'",
			       (int)MIN(k.kind.n, (size_t)64), k.kind.p,
			       (int)MIN(k.api_version.n, (size_t)64), k.api_version.p);
	r = protobuf_decode(s, k.raw, a, o, &in, err);
	if (r < 0)
		return r;
	if (!doc_add_node(a, &out, DOC_LIT("apiVersion"),
			  doc_strn(a, k.api_version.p, k.api_version.n)) ||
	    !doc_add_node(a, &out, DOC_LIT("kind"), doc_strn(a, k.kind.p, k.kind.n)))
		return arena_quota(a, err);
	DOC_EACH_MEMBER (key, value, &in) {
		if (slice_is(slice_of(key->s, key->n), "apiVersion") ||
		    slice_is(slice_of(key->s, key->n), "kind"))
			continue;
		if (!doc_add_node(a, &out, *key, *value))
			return arena_quota(a, err);
	}
	*ret = out;
	return 0;
}

int protobuf_kube_decode(struct slice body, struct arena *a, protobuf_find *find, void *arg,
			 struct doc *ret, struct err *err)
{
	const struct protobuf_opts o = { .find = find, .find_arg = arg };

	return protobuf_kube_object(body, a, &o, ret, err);
}

int protobuf_kube_encode(const struct schema *s, const struct doc *d, struct buf *out,
			 struct err *err)
{
	CLEANUP(buf_fini) struct buf raw = BUF_INIT(PROTOBUF_SIZE_DEFAULT);
	CLEANUP(pb_writer_fini) struct pb_writer w = PB_WRITER_INIT(PROTOBUF_SIZE_DEFAULT + 4096);
	size_t before;
	int r;

	r = protobuf_encode(s, d, NULL, &raw, err);
	if (r < 0)
		return r;
	pb_field_bytes(&w, 2, buf_slice(&raw));
	before = pb_size(&w);
	pb_field_bytes(&w, 2, doc_slice(doc_get(d, "kind")));
	pb_field_bytes(&w, 1, doc_slice(doc_get(d, "apiVersion")));
	pb_field_message(&w, 1, before);
	pb_put_raw(&w, MAGIC);
	if (w.full || buf_add(out, pb_written(&w).p, pb_size(&w)) < 0)
		return err_set(err, ERR_TOO_LARGE, "%s: a message of %zu bytes does not fit",
			       s->name, pb_size(&w));
	return 0;
}
