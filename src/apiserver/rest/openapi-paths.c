/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/rest/openapi-paths.h"

#include "api/custom.h"
#include "apiserver/rest/openapi-private.h"
#include "apiserver/rest/openapi-protobuf.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/map.h"
#include "doc/doc.h"
#include "doc/json.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#define ITEM_MAX (8u << 20)   /* bytes of one path or schema while it is made */
#define ADDED_MAX (64u << 20) /* what one server adds, as nodes */
#define NAMES_MAX (64u << 20) /* names of schemas, shared parameters */

/* The hash of a built-in document, which never changes. */
struct known {
	struct known *next;
	char hash[OPENAPI_HASH_LEN];
	char name[];
};

struct openapi {
	const struct api *api;
	const char *version;
	const struct api_group *const *more;
	size_t nmore;
	struct known *known;
	struct openapi_addition *added;
	size_t nadded;
};

struct openapi *openapi_new(const struct api *api, const char *version)
{
	struct openapi *o = calloc(1, sizeof(*o));

	if (!o)
		abort(); /* a true out-of-memory ends the process */
	o->api = api;
	o->version = version;
	return o;
}

void openapi_free(struct openapi *o)
{
	while (o && o->known) {
		struct known *k = o->known;

		o->known = k->next;
		free(k);
	}
	if (o)
		free(o->added);
	free(o);
}

void openapi_set_custom(struct openapi *o, const struct api_group *const *groups, size_t n)
{
	o->more = groups;
	o->nmore = n;
}

void openapi_set_additions(struct openapi *o, const struct openapi_addition *v, size_t n)
{
	free(o->added);
	o->added = calloc(n + 1, sizeof(*v));
	if (!o->added)
		abort(); /* a true out-of-memory ends the process */
	if (n)
		memcpy(o->added, v, n * sizeof(*v));
	o->nadded = n;
}

void openapi_hash(const void *p, size_t n, char ret[OPENAPI_HASH_LEN])
{
	unsigned char sum[SHA512_LEN];
	struct sha512 hash;

	sha512_init(&hash);
	sha512_update(&hash, p, n);
	sha512_final(&hash, sum);
	hex_encode(ret, sum, sizeof(sum));
	for (char *c = ret; *c; c++)
		*c = (char)toupper((unsigned char)*c);
}

/* ---- one document ---- */

struct making {
	struct path_sink sink; /* first: what operations_* give to */
	struct openapi *o;
	enum api_openapi v;
	struct buf *out;
	struct arena *keep; /* for the whole document */
	struct doc params;  /* version 2's, shared */
	struct map seen; /* schemas: of version 3 those referred to, of version 2 all there are */
	const char **names; /* the same, in order */
	size_t nnames, room;
	bool comma;
	bool proto;		      /* not JSON */
	enum openapi_section section; /* of protobuf: where members belong */
};

static int full(struct err *err)
{
	return err_set(err, ERR_QUOTA, "the OpenAPI document is too large");
}

static void comma(struct making *m)
{
	if (m->comma)
		(void)buf_addc(m->out, ','); /* full is asked for at the end */
	m->comma = true;
}

static int put_member(struct making *m, const char *key, const struct doc *d, struct err *err)
{
	if (m->proto)
		return openapi_proto_member(m->section, key, d, m->out, err);
	comma(m);
	if (json_write_string(m->out, slice_str(key), false) < 0 || buf_addc(m->out, ':') < 0)
		return full(err);
	return json_write(d, NULL, m->out, err);
}

static int want(struct making *m, struct slice name)
{
	const char *copy;

	if (map_get(&m->seen, name))
		return 0;
	if (m->nnames == m->room) {
		size_t room = m->room ? 2 * m->room : 256;
		const char **v =
			arena_grow(m->keep, m->names, m->room * sizeof(*v), room * sizeof(*v));

		if (!v)
			return -ERR_QUOTA;
		m->names = v;
		m->room = room;
	}
	copy = arena_strndup(m->keep, name.p, name.n);
	if (!copy)
		return -ERR_QUOTA;
	m->names[m->nnames++] = copy;
	(void)map_put(&m->seen, slice_of(copy, name.n), m); /* it was not there */
	return 0;
}

/* Everything that a piece of the document refers to. */
static int want_all(struct making *m, const struct doc *d)
{
	static const struct slice prefix = SLICE("#/components/schemas/");
	int r = 0;

	DOC_EACH (it, d)
		r = r < 0 ? r : want_all(m, it);
	DOC_EACH_MEMBER (key, value, d) {
		struct slice s = doc_slice(value);

		if (r == 0 && doc_str_is(key, "$ref") && slice_starts(s, prefix))
			r = want(m, slice_of(s.p + prefix.n, s.n - prefix.n));
		else if (r == 0)
			r = want_all(m, value);
	}
	return r;
}

static int put_piece(struct making *m, const char *key, const struct doc *d, struct err *err)
{
	if (arena_exceeded(m->sink.a) || arena_exceeded(m->keep))
		return full(err);
	if (m->v == API_OPENAPI_V3 && want_all(m, d) < 0)
		return full(err);
	return put_member(m, key, d, err);
}

static int on_path(struct path_sink *s, const struct path_item *item, struct err *err)
{
	struct making *m = CONTAINER_OF(s, struct making, sink);
	struct doc d;

	path_item_write(item, m->v, s->a, &m->params, m->keep, &d);
	return put_piece(m, item->path, &d, err);
}

static void making_fini(struct making *m)
{
	map_fini(&m->seen);
	arena_free(m->sink.a);
	arena_free(m->keep);
}
DEFINE_CLEANUP_EMBEDDED(struct making, making_fini)

static void making_init(struct making *m, struct openapi *o, enum api_openapi v, struct buf *out)
{
	*m = (struct making){ .o = o, .v = v, .out = out };
	m->sink = (struct path_sink){ o->api, arena_new("openapi", ITEM_MAX), on_path };
	m->keep = arena_new("openapi-names", NAMES_MAX);
	m->params = doc_object();
	map_init(&m->seen);
}

static int put_kinds(struct making *m, const struct api_group *g, struct err *err)
{
	int r = operations_of_version(&m->sink, g, err);

	for (size_t i = 0; i < g->nkinds && r == 0; i++)
		r = operations_of_kind(&m->sink, g->kinds[i], err);
	return r;
}

static int put_info(struct making *m, struct err *err)
{
	struct doc info = doc_object();
	int r;

	doc_set_str(m->sink.a, &info, "title", "Kubernetes");
	doc_set_str(m->sink.a, &info, "version", m->o->version);
	r = put_member(m, "info", &info, err);
	arena_reset(m->sink.a);
	return r;
}

static struct doc bearer(struct arena *a)
{
	struct doc d = doc_object(), *token = doc_set_object(a, &d, "BearerToken");

	doc_set_str(a, token, "description", "A token in the header, behind the word Bearer.");
	doc_set_str(a, token, "in", "header");
	doc_set_str(a, token, "name", "authorization");
	doc_set_str(a, token, "type", "apiKey");
	return d;
}

static int finish(struct making *m, struct err *err)
{
	return m->out->full ? full(err) : 0;
}

/* ---- schemas ---- */

/* The custom kind that a schema is of, or whose list it is of (then *ret_list); or NULL. */
static const struct api_kind *custom_of(const struct openapi *o, const char *name, bool *ret_list)
{
	for (size_t i = 0; i < o->nmore; i++) {
		for (size_t j = 0; j < o->more[i]->nkinds; j++) {
			const struct api_kind *k = o->more[i]->kinds[j];

			*ret_list = k->list && strcmp(k->list->definition, name) == 0;
			if (*ret_list || strcmp(k->type->definition, name) == 0)
				return k;
		}
	}
	return NULL;
}

static int put_schema(struct making *m, const char *name, struct err *err)
{
	bool list = false;
	const struct api_kind *k = custom_of(m->o, name, &list);
	struct doc d;
	int r;

	if (!k)
		r = api_openapi_named(m->o->api, name, m->v, m->sink.a, &d, err);
	else if (list)
		r = custom_openapi_list(k, m->v, m->sink.a, &d, err);
	else
		r = custom_openapi(k, m->v, m->sink.a, &d, err);
	if (r == 0)
		r = put_piece(m, name, &d, err);
	if (r == 0 && m->v == API_OPENAPI_V2)
		(void)map_put(&m->seen, slice_str(name), m);
	arena_reset(m->sink.a);
	return r;
}

static int put_custom_schemas(struct making *m, const struct api_group *g, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < g->nkinds && r == 0; i++) {
		r = put_schema(m, g->kinds[i]->type->definition, err);
		if (r == 0 && g->kinds[i]->list)
			r = put_schema(m, g->kinds[i]->list->definition, err);
	}
	return r;
}

/* Those referred to, and what they refer to. */
static int put_schemas(struct making *m, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < m->nnames && r == 0; i++) /* it grows on the way */
		r = put_schema(m, m->names[i], err);
	return r;
}

static int put_all_schemas(struct making *m, struct err *err)
{
	const struct api *api = m->o->api;
	const char *name;
	int r = 0;

	for (size_t i = 0; r == 0 && (name = api_openapi_scalar(i)); i++)
		r = put_schema(m, name, err);
	for (size_t i = 0; i < api->ntypes && r == 0; i++)
		if (api_type_is_shown(&api->types[i]))
			r = put_schema(m, api->types[i].definition, err);
	for (size_t i = 0; i < m->o->nmore && r == 0; i++)
		r = put_custom_schemas(m, m->o->more[i], err);
	return r;
}

/* ---- version 2 ---- */

static bool is_ours(const struct openapi *o, const char *group_version)
{
	const struct api_group *g = api_group(o->api, group_version);

	for (size_t i = 0; !(g && g->nkinds) && i < o->nmore; i++)
		if (strcmp(o->more[i]->api_version, group_version) == 0)
			g = o->more[i];
	return g && g->nkinds;
}

/* Left out is what has a name already, and what has no form in protobuf: it may be anything. */
static int put_one_added(struct making *m, const struct doc *name, const struct doc *d,
			 struct err *err)
{
	const char *key = doc_cstr(m->keep, name);
	const size_t before = m->out->n;
	int r;

	if (!key)
		return full(err);
	if (map_put(&m->seen, slice_str(key), m))
		return 0;
	r = put_member(m, key, d, err);
	if (r == 0 || !m->proto || m->out->full)
		return r;
	m->out->n = before;
	err_clear(err);
	return 0;
}

/* One member of what other servers add: "paths" or "definitions". */
static int put_added(struct making *m, const char *what, struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("OpenAPI of another server", ADDED_MAX);
	int r = 0;

	for (size_t i = 0; i < m->o->nadded && r == 0; i++) {
		const struct openapi_addition *x = &m->o->added[i];
		struct doc *d;

		arena_reset(a);
		if (is_ours(m->o, x->group_version) || json_read(a, x->json, NULL, &d, NULL) < 0)
			continue;
		d = doc_get(d, what);
		for (size_t j = 0; j < doc_len(d) && r == 0; j++)
			r = put_one_added(m, doc_key_at(d, j), doc_value_at(d, j), err);
	}
	return r;
}

/* Is it the first one of its group? */
static bool is_first(const struct openapi *o, const struct api_group *g)
{
	for (size_t i = 0; i < o->api->ngroups; i++) {
		const struct api_group *it = &o->api->groups[i];

		if (it == g)
			return true;
		if (it->nkinds && strcmp(it->group, g->group) == 0)
			return false;
	}
	for (size_t i = 0; i < o->nmore; i++) {
		if (o->more[i] == g)
			return true;
		if (strcmp(o->more[i]->group, g->group) == 0)
			return false;
	}
	return true;
}

static int put_group(struct making *m, const struct api_group *g, struct err *err)
{
	int r = 0;

	if (*g->group && is_first(m->o, g))
		r = operations_of_group(&m->sink, g->group, err);
	return r < 0 ? r : put_kinds(m, g, err);
}

static int put_paths(struct making *m, struct err *err)
{
	const struct openapi *o = m->o;
	int r = 0;

	for (size_t i = 0; i < npath_roots && r == 0; i++)
		r = operations_of_root(&m->sink, &path_roots[i], err);
	for (size_t i = 0; i < o->api->ngroups && r == 0; i++)
		if (o->api->groups[i].nkinds)
			r = put_group(m, &o->api->groups[i], err);
	for (size_t i = 0; i < o->nmore && r == 0; i++)
		r = put_group(m, o->more[i], err);
	return r;
}

static void open_object(struct making *m, const char *key)
{
	comma(m);
	(void)buf_addf(m->out, "\"%s\":{", key);
	m->comma = false;
}

static void close_object(struct making *m)
{
	(void)buf_addc(m->out, '}');
	m->comma = true;
}

int openapi_v2(struct openapi *o, struct buf *out, struct err *err)
{
	CLEANUP(making_fini) struct making m;
	struct doc scheme;
	int r;

	making_init(&m, o, API_OPENAPI_V2, out);
	(void)buf_addc(out, '{');
	open_object(&m, "definitions");
	r = put_all_schemas(&m, err);
	if (r == 0)
		r = put_added(&m, "definitions", err);
	close_object(&m);
	if (r == 0)
		r = put_info(&m, err);
	open_object(&m, "paths");
	if (r == 0)
		r = put_paths(&m, err);
	if (r == 0)
		r = put_added(&m, "paths", err);
	close_object(&m);
	if (r == 0)
		r = put_member(&m, "parameters", &m.params, err);
	scheme = bearer(m.sink.a);
	if (r == 0)
		r = put_member(&m, "securityDefinitions", &scheme, err);
	(void)buf_adds(out, ",\"security\":[{\"BearerToken\":[]}],\"swagger\":\"2.0\"}");
	return r < 0 ? r : finish(&m, err);
}

static int put_each_member(struct making *m, enum openapi_section section, const struct doc *d,
			   struct err *err)
{
	int r = 0;

	m->section = section;
	for (size_t i = 0; i < doc_len(d) && r == 0; i++) {
		const char *key = doc_cstr(m->keep, doc_key_at(d, i));

		r = key ? put_member(m, key, doc_value_at(d, i), err) : full(err);
	}
	return r;
}

static int put_head(struct making *m, struct err *err)
{
	struct doc d = doc_object(), *it;

	doc_set_str(m->keep, &d, "swagger", "2.0");
	it = doc_set_object(m->keep, &d, "info");
	doc_set_str(m->keep, it, "title", "Kubernetes");
	doc_set_str(m->keep, it, "version", m->o->version);
	it = doc_append_object(m->keep, doc_set_array(m->keep, &d, "security"));
	(void)doc_set_array(m->keep, it, "BearerToken");
	return openapi_proto_head(&d, m->out, err);
}

int openapi_v2_protobuf(struct openapi *o, struct buf *out, struct err *err)
{
	CLEANUP(making_fini) struct making m;
	struct doc scheme;
	int r;

	making_init(&m, o, API_OPENAPI_V2, out);
	m.proto = true;
	r = put_head(&m, err);
	m.section = OPENAPI_DEFINITIONS;
	if (r == 0)
		r = put_all_schemas(&m, err);
	if (r == 0)
		r = put_added(&m, "definitions", err);
	m.section = OPENAPI_PATHS;
	if (r == 0)
		r = put_paths(&m, err);
	if (r == 0)
		r = put_added(&m, "paths", err);
	if (r == 0)
		r = put_each_member(&m, OPENAPI_PARAMETERS, &m.params, err);
	scheme = bearer(m.sink.a);
	if (r == 0)
		r = put_each_member(&m, OPENAPI_SECURITY_DEFINITIONS, &scheme, err);
	return r < 0 ? r : finish(&m, err);
}

/* ---- version 3 ---- */

enum { IS_ROOT, IS_GROUP, IS_VERSION };

/* A document: where its paths come from. */
struct document {
	int what;
	const struct path_root *root;
	const struct api_group *group;
};

/* "apis/apps", "apis/apps/v1", "api/v1" */
static const char *document_name(const struct document *d, char *out, size_t n)
{
	const struct api_group *g = d->group;

	if (d->what == IS_ROOT)
		(void)snprintf(out, n, "%s", d->root->document);
	else if (d->what == IS_GROUP)
		(void)snprintf(out, n, "apis/%s", g->group);
	else
		(void)snprintf(out, n, "%s/%s", *g->group ? "apis" : "api", g->api_version);
	return out;
}

typedef int document_fn(void *arg, const struct document *d, struct err *err);

static int each_of_group(struct openapi *o, const struct api_group *g, document_fn *fn, void *arg,
			 struct err *err)
{
	struct document d = { IS_GROUP, NULL, g };
	int r = 0;

	if (*g->group && is_first(o, g))
		r = fn(arg, &d, err);
	d.what = IS_VERSION;
	return r ? r : fn(arg, &d, err);
}

/* Every document; what fn gives but 0 ends it. */
static int each_document(struct openapi *o, document_fn *fn, void *arg, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < npath_roots && r == 0; i++)
		r = fn(arg, &(struct document){ IS_ROOT, &path_roots[i], NULL }, err);
	for (size_t i = 0; i < o->api->ngroups && r == 0; i++)
		if (o->api->groups[i].nkinds)
			r = each_of_group(o, &o->api->groups[i], fn, arg, err);
	for (size_t i = 0; i < o->nmore && r == 0; i++)
		r = each_of_group(o, o->more[i], fn, arg, err);
	return r;
}

static int make(struct openapi *o, const struct document *d, struct buf *out, struct err *err)
{
	CLEANUP(making_fini) struct making m;
	struct doc scheme;
	int r;

	making_init(&m, o, API_OPENAPI_V3, out);
	(void)buf_addc(out, '{');
	r = put_info(&m, err);
	(void)buf_adds(out, ",\"openapi\":\"3.0.0\"");
	open_object(&m, "paths");
	if (r == 0)
		r = d->what == IS_ROOT	  ? operations_of_root(&m.sink, d->root, err)
		    : d->what == IS_GROUP ? operations_of_group(&m.sink, d->group->group, err)
					  : put_kinds(&m, d->group, err);
	close_object(&m);
	open_object(&m, "components");
	open_object(&m, "schemas");
	if (r == 0)
		r = put_schemas(&m, err);
	close_object(&m);
	scheme = bearer(m.sink.a);
	if (r == 0)
		r = put_member(&m, "securitySchemes", &scheme, err);
	close_object(&m);
	(void)buf_addc(out, '}');
	return r < 0 ? r : finish(&m, err);
}

struct find {
	const char *name;
	struct document found;
};

static int is_named(void *arg, const struct document *d, struct err *err)
{
	struct find *f = arg;
	char name[512];

	(void)err; /* nothing fails */
	if (strcmp(document_name(d, name, sizeof(name)), f->name) != 0)
		return 0;
	f->found = *d;
	return 1;
}

static int find(struct openapi *o, const char *name, struct document *ret, struct err *err)
{
	struct find f = { .name = name };

	if (each_document(o, is_named, &f, err) == 0)
		return err_set(err, ERR_NOT_FOUND,
			       "the server could not find the requested resource");
	*ret = f.found;
	return 0;
}

int openapi_v3(struct openapi *o, const char *document, struct buf *out, struct err *err)
{
	struct document d;
	int r = find(o, document, &d, err);

	return r < 0 ? r : make(o, &d, out, err);
}

/* ---- hashes ---- */

static bool is_custom(const struct document *d)
{
	return d->group && d->group->nkinds && d->group->kinds[0]->custom;
}

static void remember(struct openapi *o, const char *name, const char *hash)
{
	size_t n = strlen(name) + 1;
	struct known *k = malloc(sizeof(*k) + n);

	if (!k)
		abort(); /* a true out-of-memory ends the process */
	memcpy(k->name, name, n);
	memcpy(k->hash, hash, sizeof(k->hash));
	k->next = o->known;
	o->known = k;
}

static int hash_of(struct openapi *o, const struct document *d, char ret[OPENAPI_HASH_LEN],
		   struct err *err)
{
	CLEANUP(buf_fini) struct buf bytes = BUF_INIT(OPENAPI_BYTES_MAX);
	char name[512];
	int r;

	(void)document_name(d, name, sizeof(name));
	for (struct known *k = is_custom(d) ? NULL : o->known; k; k = k->next) {
		if (strcmp(k->name, name) != 0)
			continue;
		memcpy(ret, k->hash, sizeof(k->hash));
		return 0;
	}
	r = make(o, d, &bytes, err);
	if (r < 0)
		return r;
	openapi_hash(bytes.p, bytes.n, ret);
	if (!is_custom(d))
		remember(o, name, ret);
	return 0;
}

int openapi_v3_hash(struct openapi *o, const char *document, char ret[OPENAPI_HASH_LEN],
		    struct err *err)
{
	struct document d;
	int r = find(o, document, &d, err);

	return r < 0 ? r : hash_of(o, &d, ret, err);
}

struct index {
	struct openapi *o;
	const struct openapi_other *others;
	size_t n;
	struct buf *out;
	bool comma;
};

static int put_entry(void *arg, const struct document *d, struct err *err)
{
	struct index *x = arg;
	char hash[OPENAPI_HASH_LEN], name[512];
	int r;

	(void)document_name(d, name, sizeof(name));
	for (size_t i = 0; i < x->n; i++)
		if (strcmp(x->others[i].document, name) == 0)
			return 0;
	r = hash_of(x->o, d, hash, err);
	if (r < 0)
		return r;
	(void)buf_addf(x->out, "%s\"%s\":{\"serverRelativeURL\":\"/openapi/v3/%s?hash=%s\"}",
		       x->comma ? "," : "", name, name, hash);
	x->comma = true;
	return 0;
}

int openapi_v3_index(struct openapi *o, const struct openapi_other *others, size_t n,
		     struct buf *out, struct err *err)
{
	struct index x = { o, others, n, out, false };
	int r;

	(void)buf_adds(out, "{\"paths\":{");
	r = each_document(o, put_entry, &x, err);
	for (size_t i = 0; i < n; i++)
		(void)buf_addf(out, "%s\"%s\":{\"serverRelativeURL\":\"%s\"}",
			       x.comma || i ? "," : "", others[i].document, others[i].url);
	(void)buf_adds(out, "}}");
	if (r < 0)
		return r;
	return out->full ? full(err) : 0;
}
