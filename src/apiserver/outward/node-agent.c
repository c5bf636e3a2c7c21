/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/outward/node-agent.h"

#include "apiserver/outward/given.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/list.h"
#include "base/loop.h"
#include "base/map.h"
#include "crypto/aead.h"
#include "crypto/identity.h"
#include "crypto/tls.h"
#include "crypto/x509.h"
#include "doc/doc.h"
#include "io/http-client.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEPT_MAX 256u
#define KEPT_TIME (60 * NS_PER_SEC)
#define URL_MAX 96
#define CONNECTIONS_MAX 8192u /* to one address: sessions of exec hold theirs */

struct agent {
	struct agents *as;
	struct list link; /* of as->idle, in the order of their release */
	unsigned refs;
	int64_t since; /* nobody holds it */
	struct http_client *client;
	char *key, url[URL_MAX];
};

struct agents {
	struct loop *loop;
	struct given *ca, *cert, *key;
	struct resolver_conf names;
	struct resolver *resolver; /* with the first name */
	struct tls_conf *tls[AGENT_POD];
	unsigned generation; /* of tls */
	struct map clients;
	struct list idle;
	size_t nidle;
	struct timer sweep;
};

/* ---- certificates ---- */

static int read_identity(struct agents *as, struct identity *id, struct err *err)
{
	CLEANUP(buf_fini) struct buf cert = BUF_INIT(GIVEN_MAX);
	CLEANUP(secret_buf_fini) struct buf key = BUF_INIT(GIVEN_MAX);
	int r;

	if (!as->cert)
		return 0;
	r = given_read(as->cert, &cert, err);
	if (r < 0)
		return err_wrap(err, "certificate for nodes '%s'", given_path(as->cert));
	/* A secret buffer does not grow in place: it has its room before. */
	r = buf_room(&key, 65536) ? given_read(as->key, &key, err) : -ERR_QUOTA;
	if (r >= 0)
		r = identity_read(id, buf_slice(&cert), buf_slice(&key), err);
	return r < 0 ? err_wrap(err, "certificate and key for nodes '%s', '%s'",
				given_path(as->cert), given_path(as->key))
		     : 0;
}

static int make_tls(struct agents *as, const struct identity *id, bool verify,
		    struct tls_conf **ret, struct err *err)
{
	static const char *const alpn[] = { "http/1.1" }; /* upgrades need it */
	CLEANUP(cert_pool_unref) struct cert_pool *trust = cert_pool_new();
	CLEANUP(buf_fini) struct buf ca = BUF_INIT(GIVEN_MAX);
	const struct tls_identity shown = id ? identity_shown(id) : (struct tls_identity){ 0 };
	const struct tls_options o = {
		.ids = &shown,
		.ids_n = id && id->n,
		.trust = trust,
		.insecure = !verify,
		.alpn = alpn,
		.alpn_n = ARRAY_LEN(alpn),
	};
	int r = verify ? given_read(as->ca, &ca, err) : 0;

	if (r >= 0 && verify)
		r = cert_pool_add_pem(trust, buf_slice(&ca), err);
	if (r < 0)
		return err_wrap(err, "CA of nodes '%s'", given_path(as->ca));
	return tls_conf_new(&o, ret, err);
}

static int load_tls(struct agents *as, struct err *err)
{
	CLEANUP(identity_fini) struct identity id = { .n = 0 };
	struct tls_conf *v[AGENT_POD] = { NULL };
	int r = read_identity(as, &id, err);

	if (r == 0)
		r = make_tls(as, &id, as->ca != NULL, &v[AGENT_NODE], err);
	if (r == 0)
		r = make_tls(as, &id, false, &v[AGENT_NODE_ANY], err);
	if (r == 0)
		r = make_tls(as, NULL, false, &v[AGENT_POD_TLS], err);
	for (size_t i = 0; i < AGENT_POD; i++) {
		tls_conf_unref(r < 0 ? v[i] : as->tls[i]);
		as->tls[i] = r < 0 ? as->tls[i] : v[i];
	}
	as->generation += r == 0;
	return r;
}

/* Of what was renewed: half of it may be there only, then the old one goes on. */
static void refresh_tls(struct agents *as)
{
	if ((as->ca && given_changed(as->ca)) ||
	    (as->cert && (given_changed(as->cert) || given_changed(as->key))))
		(void)load_tls(as, NULL);
}

/* ---- life ---- */

static void free_agent(struct agent *ag)
{
	assert(ag->refs == 0);
	(void)map_del(&ag->as->clients, slice_str(ag->key));
	list_del(&ag->link);
	ag->as->nidle--;
	http_client_free(ag->client);
	free(ag->key);
	free(ag);
}

static int on_sweep(struct timer *t)
{
	struct agents *as = CONTAINER_OF(t, struct agents, sweep);
	struct agent *ag;

	while ((ag = LIST_FIRST(&as->idle, struct agent, link))) {
		int64_t due = ag->since + KEPT_TIME;

		if (due > loop_now(as->loop) && as->nidle <= KEPT_MAX) {
			timer_set(t, due);
			break;
		}
		free_agent(ag);
	}
	return 0;
}

static int open_files(struct agents *as, const struct agents_conf *conf, struct err *err)
{
	int r = conf->ca ? given_open_any(conf->ca, &as->ca, err) : 0;

	if (r < 0)
		return err_wrap(err, "CA of nodes");
	if (conf->cert)
		r = given_open_any(conf->cert, &as->cert, err);
	if (r == 0 && conf->cert)
		r = given_open_any(conf->key ? conf->key : conf->cert, &as->key, err);
	return r;
}

static int check_order(const char *order, struct err *err)
{
	struct slice types = slice_str(order ? order : AGENT_ADDRESSES);

	while (types.p) {
		struct slice type = slice_split(&types, ','), known = SLICE(AGENT_ADDRESSES);
		bool found = false;

		while (known.p)
			found |= slice_eq(slice_split(&known, ','), type);
		if (!found)
			return err_set(err, ERR_BAD_REQUEST,
				       "type of a node's addresses '%.*s': must be one of %s",
				       (int)MIN(type.n, (size_t)64), type.n ? type.p : "",
				       AGENT_ADDRESSES);
	}
	return 0;
}

int agents_new(const struct agents_conf *conf, struct agents **ret, struct err *err)
{
	CLEANUP(agents_free) struct agents *as = calloc(1, sizeof(*as));
	int r;

	assert(as);
	as->loop = conf->loop;
	as->names = conf->names;
	map_init(&as->clients);
	list_init(&as->idle);
	timer_init(&as->sweep, as->loop, on_sweep);
	r = check_order(conf->order, err);
	if (r == 0)
		r = open_files(as, conf, err);
	if (r == 0)
		r = load_tls(as, err);
	if (r < 0)
		return r;
	*ret = STEAL(as);
	return 0;
}

void agents_free(struct agents *as)
{
	struct agent *ag;

	if (!as)
		return;
	while ((ag = LIST_FIRST(&as->idle, struct agent, link)))
		free_agent(ag);
	assert(map_count(&as->clients) == 0);
	map_fini(&as->clients);
	timer_fini(&as->sweep);
	resolver_free(as->resolver);
	for (size_t i = 0; i < AGENT_POD; i++)
		tls_conf_unref(as->tls[i]);
	given_free(as->ca);
	given_free(as->cert);
	given_free(as->key);
	free(as);
}

/* ---- addresses ---- */

static bool v4_proxyable(uint32_t a)
{
	return a != 0 && a != UINT32_MAX && a >> 24 != 127 && a >> 28 != 14 && a >> 16 != 0xa9fe;
}

bool agent_proxyable(const struct ip_addr *ip)
{
	const struct in6_addr *a = &ip->v6;
	uint32_t v4;

	if (ip->family == AF_INET)
		return v4_proxyable(ntohl(ip->v4.s_addr));
	if (IN6_IS_ADDR_V4MAPPED(a)) {
		memcpy(&v4, &a->s6_addr[12], sizeof(v4));
		return v4_proxyable(ntohl(v4));
	}
	return !IN6_IS_ADDR_UNSPECIFIED(a) && !IN6_IS_ADDR_LOOPBACK(a) &&
	       !IN6_IS_ADDR_LINKLOCAL(a) && !IN6_IS_ADDR_MULTICAST(a);
}

static int no_address(const struct doc *addresses, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(512);

	DOC_EACH (x, addresses) {
		struct slice type = doc_slice(doc_get(x, "type")),
			     at = doc_slice(doc_get(x, "address"));

		(void)buf_addf(&b, "%s{%.*s %.*s}", b.n ? " " : "", (int)type.n, type.p, (int)at.n,
			       at.p); /* as many as fit */
	}
	return err_set(err, ERR_SYSTEM, "no preferred addresses found; known addresses: [%s]",
		       buf_str(&b));
}

int agent_place(const struct doc *node, const char *order, struct arena *a, struct agent_place *ret,
		struct err *err)
{
	const struct doc *v = doc_find(node, "status.addresses");
	struct slice types = slice_str(order ? order : AGENT_ADDRESSES);
	int64_t port = 0;
	size_t n = 0;

	ret->hosts = ARENA_ARRAY(a, const char *, doc_len(v) + 1);
	if (!ret->hosts)
		return arena_quota(a, err);
	while (types.p) {
		struct slice type = slice_split(&types, ',');

		DOC_EACH (x, v) {
			const char *at = doc_cstr(a, doc_get(x, "address"));

			if (at && *at && n < doc_len(v) &&
			    slice_eq(doc_slice(doc_get(x, "type")), type))
				ret->hosts[n++] = arena_strdup(a, at);
		}
	}
	if (arena_exceeded(a))
		return arena_quota(a, err);
	if (n == 0)
		return no_address(v, err);
	(void)doc_int64(doc_find(node, "status.daemonEndpoints.kubeletEndpoint.Port"), &port);
	ret->port = port > 0 && port <= UINT16_MAX ? (uint16_t)port : AGENT_PORT;
	return 0;
}

/* ---- clients ---- */

static int make_agent(struct agents *as, const char *key, const struct agent_other *o,
		      const char *url, struct agent **ret, struct err *err)
{
	const struct http_client_conf conf = {
		.http2 = HTTP2_NEVER, /* upgrades need HTTP/1.1 */
		.tls = o->tls,
		.tls_name = o->host,
		.connections_max = CONNECTIONS_MAX,
		.arena_max = o->arena_max,
	};
	struct http_client *client;
	struct agent *ag;
	int r = http_client_new(as->loop, url, &conf, &client, err);

	if (r < 0)
		return r;
	ag = calloc(1, sizeof(*ag));
	assert(ag);
	ag->as = as;
	ag->client = client;
	ag->key = strdup(key);
	assert(ag->key);
	(void)str_copy(ag->url, sizeof(ag->url), url);
	list_init(&ag->link);
	(void)map_put(&as->clients, slice_str(ag->key), ag);
	*ret = ag;
	return 0;
}

static int get(struct agents *as, const char *key, const struct agent_other *o, const char *url,
	       struct agent **ret, struct err *err)
{
	struct agent *ag = map_get(&as->clients, slice_str(key));

	if (!ag && make_agent(as, key, o, url, &ag, err) < 0)
		return err_ret(err);
	if (!list_empty(&ag->link)) {
		list_del(&ag->link);
		as->nidle--;
	}
	ag->refs++;
	*ret = ag;
	return 0;
}

static int print_url(const char *host, const struct ip_addr *ip, uint16_t port, bool tls,
		     char url[URL_MAX], struct err *err)
{
	char text[INET6_ADDRSTRLEN + 16];

	(void)ip_addr_text(ip, text, sizeof(text));
	(void)snprintf(url, URL_MAX, ip->family == AF_INET6 ? "%s://[%s]:%u" : "%s://%s:%u",
		       tls ? "https" : "http", text, port);
	return strlen(host) <= TLS_NAME_MAX
		       ? 0
		       : err_set(err, ERR_BAD_REQUEST, "'%.64s...' is no name of a host", host);
}

int agents_get(struct agents *as, const char *host, const struct ip_addr *ip, uint16_t port,
	       enum agent_way way, struct agent **ret, struct err *err)
{
	struct agent_other o = { .host = host };
	char url[URL_MAX], key[480];

	refresh_tls(as);
	o.tls = way == AGENT_POD ? NULL : as->tls[way];
	if (print_url(host, ip, port, way != AGENT_POD, url, err) < 0)
		return err_ret(err);
	(void)snprintf(key, sizeof(key), "%d %u %s %s", way, way == AGENT_POD ? 0 : as->generation,
		       url, host);
	return get(as, key, &o, url, ret, err);
}

int agents_get_other(struct agents *as, const struct agent_other *o, const struct ip_addr *ip,
		     uint16_t port, struct agent **ret, struct err *err)
{
	char url[URL_MAX], key[480];

	if (print_url(o->host, ip, port, true, url, err) < 0)
		return err_ret(err);
	(void)snprintf(key, sizeof(key), "- %.80s %s %s", o->id, url, o->host);
	return get(as, key, o, url, ret, err);
}

void agent_release(struct agent *ag)
{
	struct agents *as;

	if (!ag || --ag->refs > 0)
		return;
	as = ag->as;
	ag->since = loop_now(as->loop);
	list_append(&as->idle, &ag->link);
	/* Not here: one of its callbacks may be running. */
	if (++as->nidle > KEPT_MAX)
		timer_set_after(&as->sweep, 0);
	else if (!timer_armed(&as->sweep))
		timer_set(&as->sweep, ag->since + KEPT_TIME);
}

struct http_client *agent_client(const struct agent *ag)
{
	return ag->client;
}

const char *agent_url(const struct agent *ag)
{
	return ag->url;
}

/* ---- names ---- */

static void look(struct agent_find *f);

static void found(struct agent_find *f)
{
	struct err err = ERR_INIT;
	struct agent *ag = NULL;
	int r;

	if (f->checked && f->refused)
		r = err_set(&err, ERR_BAD_REQUEST, "address not allowed");
	else if (f->other)
		r = agents_get_other(f->as, f->other, &f->found, f->place.port, &ag, &err);
	else
		r = agents_get(f->as, f->place.hosts[f->at], &f->found, f->place.port, f->way, &ag,
			       &err);
	f->done(f, r, ag, &err);
}

/* IPv4 first: it is what most clusters have. */
static void take_address(struct agent_find *f, const struct ip_addr *ip)
{
	f->refused |= !agent_proxyable(ip);
	if (!f->any || (f->found.family == AF_INET6 && ip->family == AF_INET))
		f->found = *ip;
	f->any = true;
}

static void resolved(void *arg, const struct resolve_result *res)
{
	struct agent_find *f = arg;

	for (size_t i = 0; i < res->n; i++)
		take_address(f, &res->addrs[i]);
	if (!res->last)
		return;
	f->asking = NULL;
	if (f->any) {
		found(f);
		return;
	}
	f->at++;
	look(f);
}

static int ask(struct agent_find *f, const char *host)
{
	struct agents *as = f->as;

	if (!as->resolver && resolver_new(as->loop, &as->names, &as->resolver, NULL) < 0)
		return -ERR_UNAVAILABLE;
	return resolver_lookup(as->resolver, host, RESOLVE_BOTH, resolved, f, &f->asking, NULL);
}

static void look(struct agent_find *f)
{
	struct err err = ERR_INIT;
	struct ip_addr ip;
	const char *host;

	for (; (host = f->place.hosts[f->at]); f->at++) {
		if (ip_addr_parse(slice_str(host), &ip)) {
			take_address(f, &ip);
			found(f);
			return;
		}
		if (ask(f, host) == 0)
			return;
	}
	(void)err_set(&err, ERR_UNAVAILABLE, "lookup %s: no such host", f->place.hosts[f->at - 1]);
	f->done(f, -ERR_UNAVAILABLE, NULL, &err);
}

void agent_find(struct agents *as, struct agent_find *f)
{
	f->as = as;
	f->asking = NULL;
	f->any = f->refused = false;
	f->at = 0;
	look(f);
}

void agent_find_cancel(struct agent_find *f)
{
	resolve_cancel(STEAL(f->asking));
}
