/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies of requests and bytes of the store to documents, and back to the store. */
#include "apiserver/objects/codec-private.h"
#include "doc/json.h"
#include "doc/protobuf.h"
#include "doc/yaml.h"

#include <stdio.h>

/* ---- upstream's words ---- */

/* The beginning of a body, for people: text of an object, else hexadecimal digits. */
static void summary(struct slice body, struct buf *out)
{
	size_t n = MIN(body.n, (size_t)30);

	if (body.n == 0)
		(void)buf_adds(out, "<empty>");
	else if (body.p[0] == '{')
		(void)buf_add(out, body.p, n);
	else
		for (size_t i = 0; i < n; i++)
			(void)buf_addf(out, "%02x", (unsigned char)body.p[i]);
	if (body.n > n)
		(void)buf_adds(out, " ...");
}

static int unrecognized(const struct api_kind *def, struct slice body, const char *why,
			struct err *err)
{
	CLEANUP(buf_fini) struct buf head = BUF_INIT(256);

	summary(body, &head);
	if (!def)
		return err_set(err, ERR_BAD_REQUEST, "%s", why);
	return err_set(err, ERR_BAD_REQUEST,
		       "the object provided is unrecognized (must be of type %s): %s (%s)",
		       def->kind, why, buf_str(&head));
}

static const char *json_type(const struct doc *d)
{
	return d->type == DOC_BOOL ? "bool" : doc_type_name(d);
}

/* kind and apiVersion as every decoder looks for them first; `why`: room of 512 bytes. */
static bool names_are_texts(const struct doc *d, char *why)
{
	static const char *const names[] = { "apiVersion", "kind" };
	static const char front[] = "couldn't get version/kind; json parse error: json: cannot "
				    "unmarshal";

	if (d->type != DOC_OBJECT) {
		(void)snprintf(why, 512,
			       "%s %s into Go value of type struct { APIVersion string "
			       "\"json:\\\"apiVersion,omitempty\\\"\"; Kind string "
			       "\"json:\\\"kind,omitempty\\\"\" }",
			       front, json_type(d));
		return false;
	}
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const struct doc *v = doc_get(d, names[i]);

		if (!v || v->type == DOC_STRING || v->type == DOC_NULL)
			continue;
		(void)snprintf(why, 512, "%s %s into Go struct field .%s of type string", front,
			       json_type(v), names[i]);
		return false;
	}
	return true;
}

static bool version_is_one(const struct doc *d, char *why)
{
	struct slice v = doc_slice(doc_get(d, "apiVersion")), rest = v;

	(void)slice_split(&rest, '/');
	if (!slice_has(rest, '/'))
		return true;
	(void)snprintf(why, 512, "unexpected GroupVersion string: %.*s", (int)MIN(v.n, (size_t)256),
		       v.p);
	return false;
}

static int look_at_names(const struct api_kind *def, struct slice body, struct doc *d,
			 struct err *err)
{
	char why[512];

	if (d->type == DOC_NULL)
		*d = doc_object();
	if (!names_are_texts(d, why) || !version_is_one(d, why))
		return unrecognized(def, body, why, err);
	return 0;
}

/* ---- the three forms ---- */

static void tell_dups(const struct json_dups *dups, struct arena *a, struct api_strays *strays)
{
	for (size_t i = 0; i < MIN(dups->count, (size_t)JSON_DUPS_MAX); i++)
		api_stray(strays, a, "duplicate", dups->path[i] ? dups->path[i] : "");
	if (dups->count > JSON_DUPS_MAX)
		strays->n += dups->count - JSON_DUPS_MAX;
}

static int read_json(const struct api_kind *def, struct slice body, struct arena *a,
		     struct api_strays *strays, struct doc *ret, struct err *err)
{
	struct json_dups dups = { 0 };
	struct json_options opt = { .dup = strays ? JSON_DUP_COUNT : JSON_DUP_LAST,
				    .replace = true,
				    .dups = strays ? &dups : NULL };
	struct err own = ERR_INIT;
	char words[256], why[sizeof(own.msg) + 64];
	struct doc *d;
	int r;

	r = json_read(a, body, &opt, &d, &own);
	if (r == -ERR_BAD_REQUEST) {
		codec_json_words(body, words, sizeof(words));
		(void)snprintf(why, sizeof(why), "couldn't get version/kind; json parse error: %s",
			       words[0] ? words : own.msg);
		return unrecognized(def, body, why, err);
	}
	if (r < 0)
		return err_set(err, own.code, "%s", own.msg);
	if (strays)
		tell_dups(&dups, a, strays);
	*ret = *d;
	return 0;
}

struct dup_list {
	struct arena *a;
	struct api_strays *strays;
};

static void on_yaml_dup(void *arg, unsigned line, struct slice key)
{
	struct dup_list *l = arg;
	const char *text;

	if (!l->strays || l->strays->n++ >= API_STRAYS_MAX)
		return;
	text = arena_printf(l->a, "line %u: key \"%.*s\" already set in map", line,
			    (int)MIN(key.n, (size_t)128), key.p);
	l->strays->v[l->strays->n - 1] = text ? text : "";
}

static bool is_json_text(struct slice body)
{
	size_t i = 0;

	while (i < body.n && memchr(" \t\r\n", body.p[i], 4))
		i++;
	return i < body.n && body.p[i] == '{';
}

static int read_yaml(const struct api_kind *def, struct slice body, struct arena *a,
		     struct api_strays *strays, struct doc *ret, struct err *err)
{
	struct dup_list list = { a, strays };
	struct yaml_options opt = { .on_dup = on_yaml_dup, .on_dup_arg = &list };
	struct err own = ERR_INIT;
	char why[sizeof(own.msg) + 64];
	struct doc *d;
	int r;

	/* JSON is YAML, and read much faster; what is wrong with it is told as of YAML */
	if (is_json_text(body) && read_json(NULL, body, a, strays, ret, NULL) == 0)
		return 0;
	if (strays)
		*strays = (struct api_strays){ 0 };
	r = yaml_read(a, body, &opt, &d, &own);
	if (r == -ERR_BAD_REQUEST) {
		(void)snprintf(why, sizeof(why), "error converting YAML to JSON: yaml: %s",
			       own.msg);
		return unrecognized(def, body, why, err);
	}
	if (r < 0)
		return err_set(err, own.code, "%s", own.msg);
	*ret = *d;
	return 0;
}

static const struct schema *find_schema(void *arg, struct slice api_version, struct slice kind)
{
	const struct api_type *t;
	char gv[256], name[256];

	if (api_version.n >= sizeof(gv) || kind.n >= sizeof(name))
		return NULL;
	(void)snprintf(gv, sizeof(gv), "%.*s", (int)api_version.n,
		       api_version.n ? api_version.p : "");
	(void)snprintf(name, sizeof(name), "%.*s", (int)kind.n, kind.n ? kind.p : "");
	t = api_type(arg, gv, name);
	return t ? &t->schema : NULL;
}

/* What the envelope does not name is the default's; a version alone is not enough for a group. */
static void fill_names(struct protobuf_kube *k, const struct api_kind *def)
{
	if (!def)
		return;
	if (!k->kind.n)
		k->kind = slice_str(def->kind);
	if (!k->api_version.n)
		k->api_version = slice_str(def->group->api_version);
}

static int decode_message(const struct api *api, const struct protobuf_kube *k, struct arena *a,
			  struct doc *ret, struct err *err)
{
	const struct protobuf_opts opts = { .find = find_schema,
					    .find_arg = (void *)(uintptr_t)api };
	const struct schema *s = find_schema(opts.find_arg, k->api_version, k->kind);
	struct doc d, out = doc_object();
	int r;

	if (!s)
		return err_set(err, ERR_BAD_REQUEST,
			       "no kind \"%.*s\" is registered for version \"%.*s\"",
			       (int)MIN(k->kind.n, (size_t)128), k->kind.n ? k->kind.p : "",
			       (int)MIN(k->api_version.n, (size_t)128),
			       k->api_version.n ? k->api_version.p : "");
	r = protobuf_decode(s, k->raw, a, &opts, &d, err);
	if (r < 0)
		return r;
	doc_add_node(a, &out, DOC_LIT("kind"), doc_strn(a, k->kind.p, k->kind.n));
	doc_add_node(a, &out, DOC_LIT("apiVersion"),
		     doc_strn(a, k->api_version.p, k->api_version.n));
	DOC_EACH_MEMBER (key, value, &d)
		if (!doc_str_is(key, "kind") && !doc_str_is(key, "apiVersion"))
			doc_add_node(a, &out, *key, *value);
	if (arena_exceeded(a))
		return arena_quota(a, err);
	*ret = out;
	return 0;
}

static int read_protobuf(const struct api *api, const struct api_kind *def, struct slice body,
			 struct arena *a, struct doc *ret, struct err *err)
{
	struct err own = ERR_INIT;
	struct protobuf_kube k;
	int r;

	if (body.n == 0)
		return unrecognized(def, body, "empty data", err);
	if (!protobuf_is_kube(body))
		return unrecognized(def, body,
				    "provided data does not appear to be a protobuf message, "
				    "expected prefix [107 56 115 0]",
				    err);
	if (body.n == 4)
		return unrecognized(def, body, "empty body", err);
	r = protobuf_kube_read(body, &k, &own);
	if (r == 0) {
		fill_names(&k, def);
		r = decode_message(api, &k, a, ret, &own);
	}
	if (r == -ERR_BAD_REQUEST || r == -ERR_UNSUPPORTED)
		return unrecognized(def, body, own.msg, err);
	return r < 0 ? err_set(err, own.code, "%s", own.msg) : 0;
}

int codec_read(const struct api *api, enum codec_media media, struct slice body,
	       const struct api_kind *def, struct arena *a, struct api_strays *strays,
	       struct doc *ret, struct err *err)
{
	struct doc d;
	int r;

	if (media == CODEC_PROTOBUF)
		r = read_protobuf(api, def, body, a, &d, err);
	else if (media == CODEC_YAML)
		r = read_yaml(def, body, a, strays, &d, err);
	else
		r = read_json(def, body, a, strays, &d, err);
	if (r == 0)
		r = look_at_names(def, body, &d, err);
	if (r == 0)
		*ret = d;
	return r;
}

/* ---- the store ---- */

int codec_parse(const struct item *i, struct arena *a, struct doc *ret, struct err *err)
{
	struct doc *d;
	int r = json_read(a, item_json(i), NULL, &d, err);

	if (r < 0)
		return err_wrap(err, "stored object '%.*s'", (int)MIN(item_key(i).n, (size_t)256),
				item_key(i).p);
	*ret = *d;
	return 0;
}

static int put_member(const struct doc *key, const struct doc *value, struct buf *out,
		      struct err *err)
{
	if (out->n && out->p[out->n - 1] != '{')
		(void)buf_addc(out, ',');
	if (json_write_string(out, doc_slice(key), false) < 0 || buf_addc(out, ':') < 0)
		return codec_full(out, err);
	return json_write(value, NULL, out, err);
}

static int put_metadata(const struct doc *key, const struct doc *meta, struct buf *out,
			struct err *err)
{
	int r = 0;

	if (!doc_get(meta, "resourceVersion"))
		return put_member(key, meta, out, err);
	(void)buf_adds(out, ",\"metadata\":{");
	DOC_EACH_MEMBER (k, v, meta) {
		if (doc_str_is(k, "resourceVersion"))
			continue;
		r = put_member(k, v, out, err);
		if (r < 0)
			return r;
	}
	return buf_addc(out, '}') < 0 ? codec_full(out, err) : 0;
}

static int store_members(const struct doc *d, struct buf *out, struct err *err)
{
	static const char *const first[] = { "kind", "apiVersion", "metadata" };
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(first) && r == 0; i++) {
		const struct doc key = doc_borrow(first[i], strlen(first[i]));
		const struct doc *v = doc_get(d, first[i]);

		if (!v)
			return err_set(err, ERR_INVALID, "an object without %s", first[i]);
		r = i == 2 ? put_metadata(&key, v, out, err) : put_member(&key, v, out, err);
	}
	DOC_EACH_MEMBER (k, v, d) {
		bool done = doc_str_is(k, "kind") || doc_str_is(k, "apiVersion") ||
			    doc_str_is(k, "metadata");

		if (r == 0 && !done)
			r = put_member(k, v, out, err);
	}
	return r;
}

int codec_store(const struct doc *d, struct buf *out, struct err *err)
{
	size_t before = out->n;
	int r;

	(void)buf_addc(out, '{');
	r = store_members(d, out, err);
	if (r == 0 && buf_addc(out, '}') < 0)
		r = codec_full(out, err);
	if (r < 0 && out->p) {
		out->n = before;
		out->p[before] = '\0';
	}
	return r;
}

/* The kind that the bytes are of: another version of the same one, or -ERR_UNSUPPORTED. */
static int foreign_kind(const struct api *api, const struct api_kind *kind, const struct doc *d,
			struct arena *a, const struct api_kind **ret, struct err *err)
{
	const char *gv = doc_cstr(a, doc_get(d, "apiVersion"));
	const char *name = doc_cstr(a, doc_get(d, "kind"));

	*ret = kind;
	if (!gv || !name)
		return err_set(err, ERR_BAD_REQUEST, "an object without kind or apiVersion");
	if (strcmp(gv, kind->group->api_version) == 0 && strcmp(name, kind->kind) == 0)
		return 0;
	if (!kind->custom)
		*ret = api_kind(api, gv, name);
	if (*ret && strcmp(name, kind->kind) == 0)
		return 0;
	return err_set(err, ERR_UNSUPPORTED, "kind '%s' of '%s' where '%s' of '%s' is expected",
		       name, gv, kind->kind, kind->group->api_version);
}

int codec_foreign(void *arg, const struct api_kind *kind, struct slice bytes, struct buf *out,
		  struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("stored object", CODEC_SCRATCH_MAX);
	enum codec_media media = protobuf_is_kube(bytes) ? CODEC_PROTOBUF : CODEC_JSON;
	const struct api_kind *from = NULL;
	struct doc d, admitted;
	int r;

	r = codec_read(arg, media, bytes, kind, a, NULL, &d, err);
	if (r == 0)
		r = foreign_kind(arg, kind, &d, a, &from, err);
	if (r == 0)
		r = api_admit(from->type, &d, a, 0, NULL, &admitted, err);
	if (r == 0) {
		doc_set_str(a, &admitted, "apiVersion", from->group->api_version);
		doc_set_str(a, &admitted, "kind", from->kind);
		r = codec_convert(from, kind, &admitted, a, &d, err);
	}
	if (r == 0 && arena_exceeded(a))
		r = arena_quota(a, err);
	return r < 0 ? r : codec_store(&d, out, err);
}
