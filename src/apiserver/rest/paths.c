/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/rest/paths.h"

#include "apiserver/extension/aggregator.h"
#include "apiserver/objects/discovery.h"
#include "apiserver/rest/openapi-paths.h"
#include "base/hash.h"
#include "doc/doc.h"
#include "doc/json.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_MAX (16u << 20)
#define AGGREGATED "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"

/* ---- what is kept ---- */

struct paths *paths_new(struct server *srv)
{
	struct paths *p = calloc(1, sizeof(*p));

	assert(p);
	p->srv = srv;
	map_init(&p->pages);
	return p;
}

static void page_free(struct page *g)
{
	buf_fini(&g->bytes);
	free(g->key);
	free(g);
}

static void forget(struct paths *p)
{
	struct page *g;

	for (size_t i = 0; (g = map_next(&p->pages, &i, NULL));) {
		(void)map_del(&p->pages, slice_str(g->key));
		page_free(g);
	}
}

void paths_free(struct paths *p)
{
	if (!p)
		return;
	forget(p);
	openapi_free(p->openapi);
	map_fini(&p->pages);
	free(p);
}

/* ---- what clients say ---- */

bool paths_unchanged(struct call *c, const char *etag)
{
	struct slice list = stream_header(c->s, "If-None-Match");

	(void)stream_set_header(c->s, "ETag", etag);
	while (list.p) {
		struct slice one = slice_trim(slice_split(&list, ','));

		if (slice_starts(one, SLICE("W/")))
			one = slice_of(one.p + 2, one.n - 2);
		if (slice_is(one, etag) || slice_is(one, "*")) {
			call_text(c, 304, NULL, SLICE(""));
			return true;
		}
	}
	return false;
}

bool paths_accept(const struct call *c, const char *type)
{
	size_t n, lines = 0;
	const struct http_header *h = stream_headers(c->s, &n);

	for (size_t i = 0; i < n; i++) {
		struct slice list = h[i].value;

		if (!slice_ieq(h[i].name, SLICE("accept")))
			continue;
		lines++;
		while (list.p) {
			struct slice one = slice_trim(slice_split(&list, ','));
			struct slice media = slice_trim(slice_split(&one, ';'));

			if (slice_is(media, type) || slice_is(media, "*/*") ||
			    (slice_is(media, "application/*") &&
			     strncmp(type, "application/", 12) == 0))
				return true;
		}
	}
	return lines == 0;
}

/* One of the Accept elements asks for the aggregated list, in JSON. */
static bool wants_aggregated(const struct call *c)
{
	struct slice list = stream_header(c->s, "Accept");

	while (list.p) {
		struct slice one = slice_trim(slice_split(&list, ','));
		struct slice media = slice_trim(slice_split(&one, ';'));
		unsigned have = 0;

		if (!slice_is(media, "application/json"))
			continue;
		while (one.p) {
			struct slice part = slice_trim(slice_split(&one, ';'));

			have |= slice_is(part, "g=apidiscovery.k8s.io") ? 1 : 0;
			have |= slice_is(part, "v=v2") ? 2 : 0;
			have |= slice_is(part, "as=APIGroupDiscoveryList") ? 4 : 0;
		}
		if (have == 7)
			return true;
	}
	return false;
}

/* ---- discovery ---- */

uint64_t paths_generation(const struct server *srv)
{
	const struct server_conf *conf = &srv->conf;

	return resources_generation(conf->resources) +
	       (conf->aggregator ? aggregator_generation(conf->aggregator) : 0);
}

const char *paths_address(const struct server *srv)
{
	const char *a = srv->conf.address ? srv->conf.address : server_address(srv, 0);

	if (a && strncmp(a, "tcp://", 6) == 0)
		a += 6;
	return a ? a : "";
}

static int make(struct call *c, const char *path, bool aggregated, struct doc *ret,
		const char **ret_kind, struct err *err)
{
	const struct server_conf *conf = &c->srv->conf;
	struct discovery d = { .api = conf->api, .address = paths_address(c->srv) };
	struct arena *a = call_work(c);
	bool core = strcmp(path, "/api") == 0;

	d.more = resources_groups(conf->resources, &d.nmore);
	if (conf->aggregator)
		d.services = aggregator_services(conf->aggregator, &d.nservices);
	if (aggregated) {
		*ret_kind = "APIGroupDiscoveryList";
		return discovery_aggregated(&d, core, a, ret, err);
	}
	if (core) {
		*ret_kind = "APIVersions";
		return discovery_core(&d, a, ret, err);
	}
	if (strcmp(path, "/apis") == 0) {
		*ret_kind = "APIGroupList";
		return discovery_groups(&d, a, ret, err);
	}
	if (strncmp(path, "/apis/", 6) == 0 && !strchr(path + 6, '/')) {
		*ret_kind = "APIGroup";
		return discovery_group(&d, path + 6, a, ret, err);
	}
	*ret_kind = "APIResourceList";
	return discovery_resources(&d, path + (path[4] == '/' ? 5 : 6), a, ret, err);
}

static struct page *page_new(struct paths *p, const char *key, const struct doc *d)
{
	struct page *g = calloc(1, sizeof(*g));

	assert(g);
	g->bytes = BUF_INIT(PAGE_MAX);
	if (json_write(d, NULL, &g->bytes, NULL) < 0 || buf_addc(&g->bytes, '\n') < 0) {
		page_free(g);
		return NULL;
	}
	g->key = strdup(key);
	assert(g->key);
	g->etag[0] = '"';
	sha256_hex(g->bytes.p, g->bytes.n, g->etag + 1);
	(void)stpcpy(g->etag + 1 + SHA256_HEX_LEN, "\"");
	(void)map_put(&p->pages, slice_str(g->key), g);
	return g;
}

static void send_page(struct call *c, struct page *g, bool aggregated)
{
	if (aggregated) {
		(void)stream_set_header(c->s, "Vary", "Accept");
		(void)stream_set_header(c->s, "Cache-Control", "public");
		if (paths_unchanged(c, g->etag))
			return;
	}
	call_text(c, 200, aggregated ? AGGREGATED : "application/json", buf_slice(&g->bytes));
}

static bool is_plain_json(const struct call *c)
{
	return c->out.codec.media == CODEC_JSON && !c->out.codec.pretty;
}

static void discover(struct call *c, const char *path)
{
	struct paths *p = c->srv->paths;
	uint64_t generation = paths_generation(c->srv);
	bool aggregated =
		(strcmp(path, "/api") == 0 || strcmp(path, "/apis") == 0) && wants_aggregated(c);
	const char *key = arena_printf(c->a, "%s%s", aggregated ? "+" : "", path), *kind;
	struct err err ERR_RAW;
	struct page *g;
	struct doc d;

	err_clear(&err);
	if (generation != p->generation)
		forget(p);
	p->generation = generation;
	if (!aggregated && call_choose(c, CODEC_NO_SHAPE, &err) < 0) {
		call_fail(c, &err);
		return;
	}
	g = key ? map_get(&p->pages, slice_str(key)) : NULL;
	if (g && (aggregated || is_plain_json(c))) {
		send_page(c, g, aggregated);
		return;
	}
	if (make(c, path, aggregated, &d, &kind, &err) < 0) {
		if (err.code == ERR_NOT_FOUND)
			call_nowhere(c);
		else
			call_fail(c, &err);
		return;
	}
	g = key && (aggregated || is_plain_json(c)) ? page_new(p, key, &d) : NULL;
	if (g)
		send_page(c, g, aggregated);
	else
		call_doc(c, 200, &d, api_type(c->srv->conf.api, API_META, kind));
}

/* ---- others ---- */

/* Go's name of what this was built for. */
static const char *machine(void)
{
#if defined(__x86_64__)
	return "amd64";
#elif defined(__aarch64__)
	return "arm64";
#else
	return "unknown";
#endif
}

static void version(struct call *c)
{
	struct arena *a = call_work(c);
	struct doc d = doc_object();
	struct slice text;

	doc_set_str(a, &d, "major", SERVER_MAJOR);
	doc_set_str(a, &d, "minor", SERVER_MINOR);
	doc_set_str(a, &d, "emulationMajor", SERVER_MAJOR);
	doc_set_str(a, &d, "emulationMinor", SERVER_MINOR);
	doc_set_str(a, &d, "minCompatibilityMajor", SERVER_MAJOR);
	doc_set_str(a, &d, "minCompatibilityMinor", SERVER_MINOR);
	doc_set_str(a, &d, "gitVersion", SERVER_VERSION);
	doc_set_str(a, &d, "gitCommit", "");
	doc_set_str(a, &d, "gitTreeState", "clean");
	doc_set_str(a, &d, "buildDate", "1970-01-01T00:00:00Z");
	doc_set_str(a, &d, "goVersion", "none");
	doc_set_str(a, &d, "compiler", "gcc");
	doc_set_strf(a, &d, "platform", "linux/%s", machine());
	if (json_print(a, &d, &(struct json_style){ .indent = "  " }, &text, NULL) == 0)
		call_text(c, 200, "application/json", text);
}

static int add_group_path(void *arg, struct resource *r)
{
	struct doc *list = ((void **)arg)[0];
	struct arena *a = ((void **)arg)[1];
	const struct api_group *g = r->kind->group;
	const char *path = *g->group ? arena_printf(a, "/apis/%s", g->api_version)
				     : arena_printf(a, "/api/%s", g->version);

	DOC_EACH (x, list)
		if (path && doc_str_is(x, path))
			return 0;
	doc_append_str(a, list, path ? path : "/api");
	return 0;
}

static void add_remote_paths(struct call *c, struct doc *list)
{
	struct aggregator *g = c->srv->conf.aggregator;
	size_t n = 0;
	const struct discovery_service *s = g ? aggregator_services(g, &n) : NULL;

	for (size_t i = 0; i < n; i++) {
		const char *path =
			s[i].remote ? arena_printf(call_work(c), "/apis/%s", s[i].api_version)
				    : NULL;

		if (path)
			doc_append_str(call_work(c), list, path);
	}
}

/* The paths there are, for who looks around. */
static void root(struct call *c)
{
	static const char *const known[] = { "/.well-known/openid-configuration",
					     "/api",
					     "/apis",
					     "/healthz",
					     "/livez",
					     "/metrics",
					     "/openapi/v2",
					     "/openapi/v3",
					     "/openid/v1/jwks",
					     "/readyz",
					     "/version" };
	struct arena *a = call_work(c);
	struct doc d = doc_object(), *list = doc_set_array(a, &d, "paths");
	void *arg[] = { list, a };
	struct slice text;

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		doc_append_str(a, list, known[i]);
	(void)resources_each(c->srv->conf.resources, add_group_path, arg);
	add_remote_paths(c, list);
	if (json_print(a, &d, &(struct json_style){ .indent = "  " }, &text, NULL) == 0)
		call_text(c, 200, "application/json", text);
}

static void metrics(struct call *c)
{
	c->answered = true;
	c->code = 200;
	metrics_serve(c->s, c->srv->conf.metrics);
}

static void fair_queues(struct call *c)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(1u << 20);

	if (fairness_dump(c->srv->conf.fairness, &out) == 0)
		call_text(c, 200, "text/plain; charset=utf-8", buf_slice(&out));
}

/* Without the slash at the end. */
static const char *trimmed(struct call *c, const char *path)
{
	size_t n = strlen(path);

	return n > 1 && path[n - 1] == '/' ? arena_strndup(c->a, path, n - 1) : path;
}

void paths_serve(struct call *c)
{
	const struct http_request *q = stream_request(c->s);
	const char *path = trimmed(c, q->path);

	if (!path || *path != '/') {
		call_nowhere(c);
		return;
	}
	if (strcmp(q->method, "GET") != 0 && strcmp(q->method, "HEAD") != 0) {
		(void)stream_set_header(c->s, "Allow", "GET, HEAD");
		call_text(c, 405, "text/plain; charset=utf-8", SLICE("405: Method Not Allowed"));
		return;
	}
	c->q.pretty = call_is_person(c);
	if (paths_health(c, path) || paths_openapi(c, path) || paths_openid(c, path))
		return;
	if (strcmp(path, "/") == 0)
		root(c);
	else if (strcmp(path, "/version") == 0)
		version(c);
	else if (strcmp(path, "/metrics") == 0 && c->srv->conf.metrics)
		metrics(c);
	else if (strcmp(path, "/debug/api_priority_and_fairness/dump_priority_levels") == 0 &&
		 c->srv->conf.fairness)
		fair_queues(c);
	else if (strcmp(path, "/api") == 0 || strncmp(path, "/api/", 5) == 0 ||
		 strcmp(path, "/apis") == 0 || strncmp(path, "/apis/", 6) == 0)
		discover(c, path);
	else
		call_nowhere(c);
}
