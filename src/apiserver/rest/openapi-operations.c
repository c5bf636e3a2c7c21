/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operations of OpenAPI, from what the tables say of verbs, subresources and options. Names and
 * shapes are upstream's; texts are our own.
 */
#include "apiserver/rest/openapi-private.h"

#include "base/arena.h"
#include "base/err.h"
#include "doc/schema.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define META "io.k8s.apimachinery.pkg.apis.meta.v1."

static const char *const any_media[] = { "*/*", NULL };
static const char *const media[] = { "application/json", "application/yaml",
				     "application/vnd.kubernetes.protobuf", NULL };
static const char *const stream_media[] = { "application/json",
					    "application/yaml",
					    "application/vnd.kubernetes.protobuf",
					    "application/json;stream=watch",
					    "application/vnd.kubernetes.protobuf;stream=watch",
					    NULL };
static const char *const log_media[] = { "text/plain", "application/json", "application/yaml",
					 "application/vnd.kubernetes.protobuf", NULL };
static const char *const custom_media[] = { "application/json", "application/yaml", NULL };
static const char *const patch_media[] = { "application/json-patch+json",
					   "application/merge-patch+json",
					   "application/strategic-merge-patch+json",
					   "application/apply-patch+yaml", NULL };
static const char *const custom_patch_media[] = { "application/json-patch+json",
						  "application/merge-patch+json",
						  "application/apply-patch+yaml", NULL };
static const char *const json_media[] = { "application/json", NULL };
static const char *const keys_media[] = { "application/jwk-set+json", NULL };

#define RUNTIME_VERSION "io.k8s.apimachinery.pkg.version.Info"
const struct path_root path_roots[] = {
	{ ".well-known/openid-configuration", "/.well-known/openid-configuration/",
	  "getServiceAccountIssuerOpenIDConfiguration",
	  "Where the issuer of service accounts' tokens has its keys.", "WellKnown", NULL,
	  json_media, NULL },
	{ "api", "/api/", "getCoreAPIVersions", "Versions of the core group.", "core", media, media,
	  META "APIVersions" },
	{ "apis", "/apis/", "getAPIVersions", "All groups.", "apis", media, media,
	  META "APIGroupList" },
	{ "openid/v1/jwks", "/openid/v1/jwks/", "getServiceAccountIssuerOpenIDKeyset",
	  "Public keys of service accounts' tokens.", "openid", NULL, keys_media, NULL },
	{ "version", "/version/", "getCodeVersion", "The version of the server.", "version",
	  json_media, json_media, RUNTIME_VERSION },
};
const size_t npath_roots = ARRAY_LEN(path_roots);

/* ---- names ---- */

/* Letters and digits with what is between them gone, words capitalised: "rbacAuthorization". */
static const char *camel(struct arena *a, const char *s, size_t n, bool capital)
{
	char *out = arena_alloc(a, n + 1);
	size_t m = 0;

	for (size_t i = 0; out && i < n; i++) {
		unsigned char ch = (unsigned char)s[i];

		if (isalpha(ch) || ch == '_' || (i && isdigit(ch))) {
			out[m++] = (char)(capital ? toupper(ch) : ch);
			capital = false;
		} else {
			capital = true;
		}
	}
	return out ? out : "";
}

static const char *or_empty(const char *s)
{
	return s ? s : "";
}

static size_t short_group(const char *group)
{
	static const char tail[] = ".k8s.io";
	size_t n = strlen(group), m = sizeof(tail) - 1;

	return n > m && strcmp(group + n - m, tail) == 0 ? n - m : n;
}

/* Of a kind's paths: what they have in common. */
struct base {
	struct path_sink *s;
	struct arena *a;
	const struct api_kind *k;
	const char *root;	  /* "/apis/apps/v1" */
	const char *middle, *tag; /* "AppsV1", "apps_v1" */
	const char *spaced;	  /* "Namespaced" */
	struct path_item *item;
};

static void name_group(struct arena *a, const char *group, const char *version, const char **middle,
		       const char **tag)
{
	const char *g = *group ? group : "core";
	size_t n = short_group(g), m = strlen(version);

	*middle =
		or_empty(arena_printf(a, "%s%s", camel(a, g, n, true), camel(a, version, m, true)));
	*tag = or_empty(arena_printf(a, "%s%s%s", camel(a, g, n, false), m ? "_" : "",
				     camel(a, version, m, false)));
}

static bool base_init(struct base *b, struct path_sink *s, const struct api_kind *k)
{
	const char *api = *k->group->group ? "apis" : "api";

	*b = (struct base){ .s = s, .a = s->a, .k = k };
	b->root = or_empty(arena_printf(b->a, "/%s/%s", api, k->group->api_version));
	name_group(b->a, k->group->group, k->group->version, &b->middle, &b->tag);
	b->spaced = k->namespaced ? "Namespaced" : "";
	b->item = ARENA_NEW(b->a, struct path_item);
	return b->item;
}

/* ---- parameters ---- */

static void add_param(struct operation *o, struct operation_param p)
{
	size_t i = o->n;

	assert(o->n < OPERATION_PARAMS_MAX);
	for (; i > 0; i--) { /* by name, then by place */
		const struct operation_param *q = &o->params[i - 1];
		int c = strcmp(q->name, p.name);

		if (c < 0 || (c == 0 && strcmp(q->in, p.in) <= 0))
			break;
		o->params[i] = *q;
	}
	o->params[i] = p;
	o->n++;
}

static bool has_param(const struct operation *o, const char *name)
{
	for (size_t i = 0; i < o->n; i++)
		if (strcmp(o->params[i].name, name) == 0 && strcmp(o->params[i].in, "query") == 0)
			return true;
	return false;
}

/* NULL: such a field is none of a query. */
static const char *query_type(const struct schema_field *f)
{
	enum schema_type t = (enum schema_type)f->type;

	if (t == SCHEMA_LIST)
		t = f->elem_row ? SCHEMA_OBJECT : (enum schema_type)f->elem_type;
	return t == SCHEMA_BOOL				? "boolean"
	       : t == SCHEMA_INT			? "integer"
	       : t == SCHEMA_STRING || t == SCHEMA_ENUM ? "string"
							: NULL;
}

/* Every simple field of an options type. */
static void add_options(struct base *b, struct operation *o, const char *name,
			const char *const *without)
{
	const struct api_type *t = api_type(b->s->api, b->k->group->api_version, name);

	t = t ? t : api_type(b->s->api, "v1", name);
	for (unsigned i = 0; t && i < t->schema.n; i++) {
		const struct schema_field *f = &t->schema.fields[i];
		const char *type = query_type(f);

		if (!type || (t->notes[i].flags & API_TYPE_META) || has_param(o, f->name) ||
		    (without && str_is_one_of(f->name, without)))
			continue;
		add_param(o, (struct operation_param){ f->name, "query", type, t->notes[i].doc,
						       NULL, false });
	}
}

static void add_pretty(struct operation *o)
{
	add_param(o, (struct operation_param){ "pretty", "query", "string",
					       "true: write it for people.", NULL, false });
}

static void add_namespace(struct operation *o)
{
	add_param(o, (struct operation_param){ "namespace", "path", "string",
					       "The namespace of the object.", NULL, true });
}

static void add_name(struct base *b, struct operation *o, const char *kind)
{
	add_param(o, (struct operation_param){
			     "name", "path", "string",
			     or_empty(arena_printf(b->a, "Name of the %s.", kind)), NULL, true });
}

static void add_body(struct operation *o, const char *definition, bool required)
{
	add_param(o, (struct operation_param){ "body", "body", NULL, NULL, definition, required });
}

/* ---- operations ---- */

enum { OBJECT, LIST, STATUS, EVENT };

/* How a verb is said. */
struct verb {
	unsigned bit;
	const char *method, *action, *word, *infix, *doc; /* doc: with the kind */
	const char *options;
	int result;
	unsigned statuses;
};
static const struct verb verbs[] = {
	{ API_LIST, "get", "list", "list", "", "Lists or watches %s.", "ListOptions", LIST,
	  STATUS_OK },
	{ API_CREATE, "post", "post", "create", "", "Creates %s.", "CreateOptions", OBJECT,
	  STATUS_OK | STATUS_CREATED | STATUS_ACCEPTED },
	{ API_DELETE_COLLECTION, "delete", "deletecollection", "delete", "Collection",
	  "Deletes all of %s that are selected.", "DeleteOptions", STATUS, STATUS_OK },
	{ API_GET, "get", "get", "read", "", "Reads %s.", NULL, OBJECT, STATUS_OK },
	{ API_UPDATE, "put", "put", "replace", "", "Replaces %s.", "UpdateOptions", OBJECT,
	  STATUS_OK | STATUS_CREATED },
	{ API_PATCH, "patch", "patch", "patch", "", "Changes parts of %s.", "PatchOptions", OBJECT,
	  STATUS_OK | STATUS_CREATED },
	{ API_DELETE, "delete", "delete", "delete", "", "Deletes %s.", "DeleteOptions", STATUS,
	  STATUS_OK | STATUS_ACCEPTED },
};

/* What the operation is on: the kind itself, or what a subresource has. */
struct target {
	const char *group, *version, *kind, *definition;
	const char *sub;    /* "" = none */
	const char *suffix; /* of the operation's name: "ForAllNamespaces" */
	bool spaced, named; /* namespace and name are in the path */
};

/* Kinds whose deletion is answered with the object, as upstream's storage of each says. */
static bool returns_deleted(const struct api_kind *k)
{
	static const char *const core[] = {
		"PersistentVolume", "PersistentVolumeClaim", "Pod", "PodTemplate", "ResourceQuota",
		"Service",	    "ServiceAccount",	     NULL
	};
	static const char *const storage[] = {
		"CSIDriver", "CSINode", "StorageClass", "VolumeAttachment", "VolumeAttributesClass",
		NULL
	};
	const char *g = k->group->group;

	return !k->custom &&
	       ((!*g && str_is_one_of(k->kind, core)) ||
		(strcmp(g, "storage.k8s.io") == 0 && str_is_one_of(k->kind, storage)) ||
		strcmp(g, "resource.k8s.io") == 0);
}

static struct operation *begin(struct base *b, const struct target *t, const char *method,
			       const char *action)
{
	struct operation *o = &b->item->ops[b->item->n++];

	assert(b->item->n <= OPERATIONS_MAX);
	*o = (struct operation){ .method = method, .action = action, .tag = b->tag };
	o->group = t->group;
	o->version = t->version;
	o->kind = t->kind;
	if (t->spaced)
		add_namespace(o);
	if (t->named)
		add_name(b, o, b->k->custom ? b->k->kind : t->kind);
	return o;
}

/* "readAppsV1NamespacedDeploymentScale" */
static const char *operation_id(struct base *b, const struct target *t, const char *word,
				const char *infix, const char *tail)
{
	const char *spaced = strcmp(t->suffix, "ForAllNamespaces") == 0 ? "" : b->spaced;

	return or_empty(arena_printf(b->a, "%s%s%s%s%s%s%s%s", word, b->middle, infix, spaced,
				     b->k->kind, camel(b->a, t->sub, strlen(t->sub), true), tail,
				     t->suffix));
}

static const char *described(struct base *b, const struct target *t, const char *fmt)
{
	const char *what =
		*t->sub ? arena_printf(b->a, "%s of one %s", t->sub, b->k->kind) : b->k->kind;
	const char *at = strstr(fmt, "%s");

	return or_empty(
		arena_printf(b->a, "%.*s%s%s", (int)(at - fmt), fmt, or_empty(what), at + 2));
}

static const char *result_of(struct base *b, const struct target *t, const struct verb *v)
{
	if (v->result == LIST)
		return b->k->list ? b->k->list->definition : NULL;
	if (v->bit == API_DELETE && returns_deleted(b->k))
		return t->definition;
	return v->result == STATUS ? META "Status" : t->definition;
}

static void add_query(struct base *b, struct operation *o, const struct verb *v)
{
	static const char *const watching[] = { "watch", "allowWatchBookmarks", NULL };
	bool custom = b->k->custom;

	add_pretty(o);
	if (v->bit == API_DELETE_COLLECTION)
		add_options(b, o, "ListOptions", custom ? NULL : watching);
	if (v->options && !(custom && v->bit == API_DELETE_COLLECTION))
		add_options(b, o, v->options, NULL);
	if (v->bit == API_GET && custom)
		add_options(b, o, "GetOptions", NULL);
}

static void add_request(struct base *b, struct operation *o, const struct target *t,
			const struct verb *v)
{
	bool custom = b->k->custom;

	o->consumes = custom ? custom_media : any_media;
	if (v->bit == API_PATCH) {
		o->consumes = custom ? custom_patch_media : patch_media;
		add_body(o, META "Patch", true);
	} else if (v->bit == API_DELETE || (v->bit == API_DELETE_COLLECTION && !custom)) {
		add_body(o, META "DeleteOptions", false);
	} else if (v->bit & (API_CREATE | API_UPDATE)) {
		add_body(o, t->definition, true);
	}
}

static void add_verb(struct base *b, const struct target *t, const struct verb *v)
{
	struct operation *o = begin(b, t, v->method, v->action);
	bool custom = b->k->custom;

	o->id = operation_id(b, t, v->word, v->infix, "");
	o->doc = described(b, t, v->doc);
	add_query(b, o, v);
	add_request(b, o, t, v);
	o->produces = custom ? custom_media : v->bit == API_LIST ? stream_media : media;
	o->result = result_of(b, t, v);
	o->statuses = custom && v->bit == API_PATCH ? STATUS_OK : v->statuses;
}

static void add_verbs(struct base *b, const struct target *t, unsigned mask)
{
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (verbs[i].bit & mask)
			add_verb(b, t, &verbs[i]);
}

/* The old paths of watches. */
static void add_watch(struct base *b, const struct target *t)
{
	struct operation *o = begin(b, t, "get", t->named ? "watch" : "watchlist");

	o->id = operation_id(b, t, "watch", "", t->named ? "" : "List");
	o->doc = described(b, t,
			   t->named ? "Watches one %s; deprecated: list with watch=true."
				    : "Watches %s; deprecated: list with watch=true.");
	add_pretty(o);
	add_options(b, o, "ListOptions", NULL);
	o->consumes = any_media;
	o->produces = stream_media;
	o->result = META "WatchEvent";
	o->statuses = STATUS_OK;
}

/* Streams and proxies: any method goes through. */
static void add_connect(struct base *b, const struct target *t, bool all, bool with_path)
{
	static const char *const methods[] = { "get",  "post",	  "put",  "delete",
					       "head", "options", "patch" };

	for (size_t i = 0; i < (all ? ARRAY_LEN(methods) : 2); i++) {
		struct operation *o = begin(b, t, methods[i], "connect");

		o->id = operation_id(b, t, "connect",
				     camel(b->a, methods[i], strlen(methods[i]), true),
				     with_path ? "WithPath" : "");
		o->doc = described(b, t, "Connects to %s.");
		add_options(b, o, t->kind, NULL);
		if (with_path)
			add_param(o, (struct operation_param){ "path", "path", "string",
							       "The path behind it.", NULL, true });
		o->consumes = o->produces = any_media;
		o->statuses = STATUS_OK;
	}
}

/* A log: text, and options of its own. */
static void add_log(struct base *b, const struct target *t)
{
	struct operation *o;

	add_verbs(b, t, API_GET);
	o = &b->item->ops[0];
	add_options(b, o, "PodLogOptions", NULL);
	o->produces = log_media;
	o->result = NULL;
}

/* ---- paths ---- */

static int give(struct base *b, const char *path, struct err *err)
{
	int r = 0;

	b->item->path = path;
	if (arena_exceeded(b->a) || !path)
		return arena_quota(b->a, err);
	if (b->item->n)
		r = b->s->path(b->s, b->item, err);
	b->item->n = 0;
	return r;
}

static struct target self(const struct base *b, bool spaced, bool named, const char *suffix)
{
	const struct api_kind *k = b->k;

	return (struct target){ k->group->group,
				k->group->version,
				k->kind,
				k->type->definition,
				"",
				suffix,
				spaced,
				named };
}

/* "/api/v1/watch" + "/namespaces/{namespace}" + "/pods" + "/{name}" + "/status" */
static const char *path_of(struct base *b, const char *watch, bool spaced, const char *tail)
{
	return arena_printf(b->a, "%s%s%s/%s%s", b->root, watch,
			    spaced ? "/namespaces/{namespace}" : "", b->k->resource, tail);
}

static int collection_paths(struct base *b, bool spaced, const char *suffix, unsigned mask,
			    struct err *err)
{
	const struct api_kind *k = b->k;
	struct target t = self(b, spaced, false, suffix);
	int r;

	add_verbs(b, &t, k->verbs & mask);
	r = give(b, path_of(b, "", spaced, ""), err);
	if (r == 0 && (k->verbs & API_WATCH) && !k->custom) {
		add_watch(b, &t);
		r = give(b, path_of(b, "/watch", spaced, ""), err);
	}
	return r;
}

static int object_paths(struct base *b, struct err *err)
{
	const struct api_kind *k = b->k;
	struct target t = self(b, k->namespaced, true, "");
	int r;

	add_verbs(b, &t, k->verbs & (API_GET | API_UPDATE | API_PATCH | API_DELETE));
	r = give(b, path_of(b, "", k->namespaced, "/{name}"), err);
	if (r == 0 && (k->verbs & API_WATCH) && !k->custom) {
		add_watch(b, &t);
		r = give(b, path_of(b, "/watch", k->namespaced, "/{name}"), err);
	}
	return r;
}

static bool ends_with(const char *s, const char *tail)
{
	size_t n = strlen(s), m = strlen(tail);

	return n >= m && strcmp(s + n - m, tail) == 0;
}

static struct target target_of(struct base *b, const struct api_sub *sub)
{
	const struct api_kind *k = b->k;
	struct target t = self(b, k->namespaced, true, "");
	char gv[256];
	const struct api_type *type;

	t.sub = sub->name;
	(void)snprintf(gv, sizeof(gv), "%s%s%s", sub->group, *sub->group ? "/" : "", sub->version);
	type = k->custom && strcmp(sub->kind, k->kind) == 0 ? k->type
							    : api_type(b->s->api, gv, sub->kind);
	if (type)
		t.definition = type->definition;
	if (!k->custom && strcmp(sub->name, "log") != 0) { /* a log is the pod's */
		t.group = sub->group;
		t.version = sub->version;
		t.kind = sub->kind;
	}
	return t;
}

static int sub_paths(struct base *b, const struct api_sub *sub, struct err *err)
{
	struct target t = target_of(b, sub);
	bool proxy = ends_with(t.kind, "ProxyOptions");
	const char *tail = arena_printf(b->a, "/{name}/%s", sub->name);
	const char *path = path_of(b, "", t.spaced, or_empty(tail));
	int r;

	if (strcmp(sub->name, "log") == 0)
		add_log(b, &t);
	else if (ends_with(t.kind, "Options"))
		add_connect(b, &t, proxy, false);
	else
		add_verbs(b, &t, sub->verbs);
	r = give(b, path, err);
	if (r < 0 || !proxy)
		return r;
	add_connect(b, &t, true, true);
	return give(b, arena_printf(b->a, "%s/{path}", or_empty(path)), err);
}

int operations_of_kind(struct path_sink *s, const struct api_kind *k, struct err *err)
{
	const unsigned collection = API_LIST | API_CREATE | API_DELETE_COLLECTION;
	struct base b;
	int r;

	if (!base_init(&b, s, k))
		return arena_quota(s->a, err);
	r = collection_paths(&b, k->namespaced, "", collection, err);
	if (r == 0 && k->namespaced && (k->verbs & API_LIST))
		r = collection_paths(&b, false, "ForAllNamespaces", API_LIST, err);
	if (r == 0)
		r = object_paths(&b, err);
	for (size_t i = 0; i < k->nsubs && r == 0; i++)
		r = sub_paths(&b, &k->subs[i], err);
	arena_reset(s->a);
	return r;
}

/* ---- discovery and roots ---- */

static int give_plain(struct path_sink *s, const struct path_root *root, struct err *err)
{
	struct path_item *item = ARENA_NEW(s->a, struct path_item);
	int r;

	if (!item || !root->path || !root->id)
		return arena_quota(s->a, err);
	item->path = root->path;
	item->n = 1;
	item->ops[0] = (struct operation){ .method = "get",
					   .id = root->id,
					   .doc = root->doc,
					   .tag = root->tag,
					   .consumes = root->consumes,
					   .produces = root->produces,
					   .result = root->result,
					   .statuses = STATUS_OK };
	r = s->path(s, item, err);
	arena_reset(s->a);
	return r;
}

int operations_of_root(struct path_sink *s, const struct path_root *root, struct err *err)
{
	return give_plain(s, root, err);
}

int operations_of_version(struct path_sink *s, const struct api_group *g, struct err *err)
{
	struct path_root root = { .doc = "Resources of the version.",
				  .consumes = media,
				  .produces = media,
				  .result = META "APIResourceList" };
	const char *middle;

	name_group(s->a, g->group, g->version, &middle, &root.tag);
	root.path = arena_printf(s->a, "/%s/%s/", *g->group ? "apis" : "api", g->api_version);
	root.id = arena_printf(s->a, "get%sAPIResources", middle);
	return give_plain(s, &root, err);
}

int operations_of_group(struct path_sink *s, const char *group, struct err *err)
{
	struct path_root root = { .doc = "Versions of the group.",
				  .consumes = media,
				  .produces = media,
				  .result = META "APIGroup" };
	const char *middle;

	name_group(s->a, group, "", &middle, &root.tag);
	root.path = arena_printf(s->a, "/apis/%s/", group);
	root.id = arena_printf(s->a, "get%sAPIGroup", middle);
	return give_plain(s, &root, err);
}
