/* SPDX-License-Identifier: Apache-2.0 */
/* /openapi/v2, /openapi/v3 and its documents: made when they are asked for, known by their hash. */
#include "apiserver/extension/aggregator.h"
#include "apiserver/objects/discovery.h"
#include "apiserver/rest/openapi-paths.h"
#include "apiserver/rest/paths.h"
#include "apiserver/rest/rest-connect.h"

#include "io/url.h"

#include <stdio.h>
#include <string.h>

#define V3 "/openapi/v3"
#define V2_PROTO "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
#define V2_PROTO_ANSWER "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
#define FAR_AWAY "Fri, 01 Jan 2100 00:00:00 GMT"

static void set_additions(struct call *c, struct openapi *o)
{
	struct aggregator *g = c->srv->conf.aggregator;
	size_t n = 0, to = 0;
	const struct discovery_service *s = g ? aggregator_services(g, &n) : NULL;
	struct openapi_addition *v = ARENA_ARRAY(call_work(c), struct openapi_addition, n + 1);

	for (size_t i = 0; v && i < n; i++)
		if (s[i].swagger.n)
			v[to++] = (struct openapi_addition){ s[i].api_version, s[i].swagger };
	openapi_set_additions(o, v, to);
}

static struct openapi *current(struct call *c)
{
	struct paths *p = c->srv->paths;
	uint64_t generation = paths_generation(c->srv);
	const struct api_group *const *groups;
	size_t n;

	if (!p->openapi)
		p->openapi = openapi_new(c->srv->conf.api, SERVER_VERSION);
	if (generation != p->openapi_generation) {
		groups = resources_groups(c->srv->conf.resources, &n);
		openapi_set_custom(p->openapi, groups, n);
		set_additions(c, p->openapi);
		p->openapi_generation = generation;
		p->v2_etag[0][0] = p->v2_etag[1][0] = '\0';
	}
	return p->openapi;
}

static void fail(struct call *c, struct err *err)
{
	if (err->code == ERR_NOT_FOUND)
		call_nowhere(c);
	else
		call_fail(c, err);
}

/* Version 3 is JSON alone: who takes nothing else is told so. */
static bool takes_json(struct call *c)
{
	struct err err = ERR_INIT;

	(void)stream_set_header(c->s, "Vary", "Accept");
	if (paths_accept(c, "application/json"))
		return true;
	c->out.codec.content_type = "application/json";
	(void)err_set(&err, ERR_UNSUPPORTED,
		      "only the following media types are accepted: application/json");
	(void)status_not_acceptable(&err, &c->about);
	call_fail(c, &err);
	return false;
}

static void version2(struct call *c)
{
	struct paths *p = c->srv->paths;
	CLEANUP(buf_fini) struct buf out = BUF_INIT(OPENAPI_BYTES_MAX);
	struct openapi *o = current(c);
	bool proto = !paths_accept(c, "application/json") && paths_accept(c, V2_PROTO);
	char hash[OPENAPI_HASH_LEN], *etag = p->v2_etag[proto];
	struct err err = ERR_INIT;

	if (proto)
		(void)stream_set_header(c->s, "Vary", "Accept");
	else if (!takes_json(c))
		return;
	if (*etag && paths_unchanged(c, etag))
		return;
	if ((proto ? openapi_v2_protobuf(o, &out, &err) : openapi_v2(o, &out, &err)) < 0) {
		fail(c, &err);
		return;
	}
	if (!*etag) {
		openapi_hash(out.p, out.n, hash);
		(void)snprintf(etag, sizeof(p->v2_etag[0]), "\"%s\"", hash);
	}
	if (!paths_unchanged(c, etag))
		call_text(c, 200, proto ? V2_PROTO_ANSWER : "application/json", buf_slice(&out));
}

/* Documents of other API servers. */
static const struct openapi_other *others(struct call *c, size_t *ret_n)
{
	struct aggregator *g = c->srv->conf.aggregator;
	size_t n = 0;
	const struct discovery_service *s = g ? aggregator_services(g, &n) : NULL;
	struct openapi_other *v = ARENA_ARRAY(call_work(c), struct openapi_other, n + 1);

	*ret_n = 0;
	for (size_t i = 0; v && i < n; i++) {
		const char *name = s[i].openapi
					   ? arena_printf(call_work(c), "apis/%s", s[i].api_version)
					   : NULL;

		if (name)
			v[(*ret_n)++] = (struct openapi_other){ name, s[i].openapi };
	}
	return v;
}

/* One of them is asked for; false: it is ours. */
static bool document_of_other(struct call *c, const char *document)
{
	static const char apis[] = "apis/";
	struct aggregator *g = c->srv->conf.aggregator;
	struct slice query = stream_request(c->s)->query;
	struct remote *r;
	char path[512];

	if (!g || strncmp(document, apis, sizeof(apis) - 1) != 0 ||
	    (size_t)snprintf(path, sizeof(path), V3 "/%s", document) >= sizeof(path))
		return false;
	r = aggregator_of(g, slice_str(document + sizeof(apis) - 1));
	if (!r)
		return false;
	rest_remote(c, r, connect_target(c->a, path, query));
	return true;
}

static void index3(struct call *c)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(OPENAPI_BYTES_MAX);
	char hash[OPENAPI_HASH_LEN], etag[OPENAPI_HASH_LEN + 2];
	struct err err = ERR_INIT;
	size_t n;
	const struct openapi_other *v = others(c, &n);

	if (openapi_v3_index(current(c), v, n, &out, &err) < 0) {
		fail(c, &err);
		return;
	}
	openapi_hash(out.p, out.n, hash);
	(void)snprintf(etag, sizeof(etag), "\"%s\"", hash);
	if (!paths_unchanged(c, etag))
		call_text(c, 200, "application/json", buf_slice(&out));
}

/* Asked for by its hash it never changes; by a wrong one it is elsewhere. */
static bool by_hash(struct call *c, const char *document, const char *hash)
{
	struct query q = { .n = 0 };
	const char *asked;

	(void)query_parse(c->a, stream_request(c->s)->query, &q, NULL); /* none: no hash */
	asked = query_get(&q, "hash");
	if (!asked || !*asked)
		return false;
	if (strcmp(asked, hash) == 0) {
		(void)stream_set_header(c->s, "Cache-Control", "public, immutable");
		(void)stream_set_header(c->s, "Expires", FAR_AWAY);
		return false;
	}
	(void)stream_set_headerf(c->s, "Location", V3 "/%s?hash=%s", document, hash);
	call_text(c, 301, NULL, SLICE(""));
	return true;
}

static void document3(struct call *c, const char *document)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(OPENAPI_BYTES_MAX);
	char hash[OPENAPI_HASH_LEN], etag[OPENAPI_HASH_LEN + 2];
	struct openapi *o = current(c);
	struct err err = ERR_INIT;

	if (document_of_other(c, document))
		return;
	if (openapi_v3_hash(o, document, hash, &err) < 0) {
		fail(c, &err);
		return;
	}
	(void)snprintf(etag, sizeof(etag), "\"%s\"", hash);
	if (!takes_json(c) || by_hash(c, document, hash) || paths_unchanged(c, etag))
		return;
	if (openapi_v3(o, document, &out, &err) < 0)
		fail(c, &err);
	else
		call_text(c, 200, "application/json", buf_slice(&out));
}

bool paths_openapi(struct call *c, const char *path)
{
	if (strcmp(path, "/openapi/v2") == 0)
		version2(c);
	else if (strcmp(path, V3) == 0)
		index3(c);
	else if (strncmp(path, V3 "/", strlen(V3) + 1) == 0)
		document3(c, path + strlen(V3) + 1);
	else
		return false;
	return true;
}
