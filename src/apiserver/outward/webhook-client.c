/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/outward/webhook-client.h"

#include "apiserver/outward/hook-conf.h"
#include "apiserver/outward/service-endpoint.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/map.h"
#include "crypto/tls.h"
#include "crypto/x509.h"
#include "doc/doc.h"
#include "io/http-client.h"
#include "io/url.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEPT_MAX 64u
#define KEPT_TIME (60 * NS_PER_SEC)
#define IDLE_TIME (20 * NS_PER_SEC)
#define CONNECTIONS_MAX 256u /* to one address */
#define TRIES_MAX 2u
#define WORK_MAX (16u << 20) /* one object that is looked at */
#define TARGET_MAX (8u << 10)

/* One address with those who are trusted there, and who we are for it. */
struct webhook_conn {
	struct webhook_clients *cs;
	struct list link; /* of cs->idle, in the order of their release */
	unsigned refs;
	int64_t since; /* nobody holds it */
	struct http_client *client;
	char *key;
};

struct webhook_clients {
	struct loop *loop;
	struct resources *rs;
	struct resolver *resolver;
	struct map conns;
	struct list idle;
	size_t nidle;
	struct timer sweep;
	struct arena *a; /* of one choice of an endpoint */
};

/* ---- clientConfig ---- */

static int read_ca(const struct doc *config, struct arena *a, struct webhook_at *at,
		   struct err *err)
{
	struct slice text = doc_slice(doc_get(config, "caBundle"));
	char *pem = arena_alloc_raw(a, text.n + 1, 1);
	size_t n = 0;

	if (!pem)
		return arena_quota(a, err);
	if (text.n && base64_decode(pem, &n, text) < 0)
		return err_set(err, ERR_INVALID, "caBundle is not base64");
	at->ca = slice_of(pem, n);
	sha256_hex(pem, n, at->id);
	return 0;
}

static int read_url(const struct doc *url, struct arena *a, struct webhook_at *at, struct err *err)
{
	const char *text = doc_cstr(a, url);
	struct url u;
	int r = text ? url_parse(a, text, &u, err) : err_set(err, ERR_INVALID, "url is none");

	if (r < 0)
		return r;
	if (strcmp(u.scheme, "https") != 0 || !*u.host)
		return err_set(err, ERR_INVALID, "url '%.200s' is not of https", text);
	at->url = text;
	at->host = u.host;
	at->port = u.port ? u.port : 443;
	at->path = *u.path ? u.path : "/";
	return 0;
}

static int read_service(const struct doc *s, struct arena *a, struct webhook_at *at,
			struct err *err)
{
	const char *path = doc_cstr(a, doc_get(s, "path"));
	int64_t port = 443;

	at->ns = doc_cstr(a, doc_get(s, "namespace"));
	at->service = doc_cstr(a, doc_get(s, "name"));
	if (doc_get(s, "port"))
		(void)doc_int64(doc_get(s, "port"), &port);
	if (!at->ns || !at->service || port < 1 || port > UINT16_MAX)
		return err_set(err, ERR_INVALID, "neither a url nor a service is given");
	at->port = (uint16_t)port;
	at->path = path && *path == '/' ? path : arena_printf(a, "/%s", path ? path : "");
	at->host = arena_printf(a, "%s.%s.svc", at->service, at->ns);
	at->url = at->path && at->host
			  ? arena_printf(a, "https://%s:%u%s", at->host, at->port, at->path)
			  : NULL;
	return at->url ? 0 : arena_quota(a, err);
}

int webhook_at_read(const struct doc *config, struct arena *a, struct webhook_at *ret,
		    struct err *err)
{
	struct webhook_at at = { .port = 0 };
	const struct doc *url = doc_get(config, "url");
	int r = read_ca(config, a, &at, err);

	if (r == 0)
		r = url ? read_url(url, a, &at, err)
			: read_service(doc_get(config, "service"), a, &at, err);
	if (r == 0 && strlen(at.host) > TLS_NAME_MAX)
		r = err_set(err, ERR_INVALID, "'%.64s...' is no name of a host", at.host);
	if (r == 0)
		*ret = at;
	return r;
}

/* ---- services ---- */

/* "https://192.0.2.1:443" */
static int print_address(const struct ip_addr *ip, uint16_t port, char *dst, size_t n)
{
	char text[INET6_ADDRSTRLEN + 16];

	(void)ip_addr_text(ip, text, sizeof(text));
	(void)snprintf(dst, n, ip->family == AF_INET6 ? "https://[%s]:%u" : "https://%s:%u", text,
		       port);
	return 0;
}

static int service_address(struct webhook_clients *cs, const struct webhook_at *at, char *dst,
			   size_t n, struct err *err)
{
	struct service_endpoint e = { .ns = at->ns, .name = at->service, .port = at->port };

	arena_reset(cs->a);
	service_endpoint_look(cs->rs, cs->a, &e);
	if (e.external) {
		(void)snprintf(dst, n, "https://%s:%u", e.external, at->port);
		return 0;
	}
	return e.found ? print_address(&e.ip, e.at, dst, n) : service_endpoint_why(&e, err);
}

static int find_address(struct webhook_clients *cs, const struct webhook_at *at, char *dst,
			size_t n, struct err *err)
{
	if (at->service)
		return service_address(cs, at, dst, n, err);
	(void)snprintf(dst, n, strchr(at->host, ':') ? "https://[%s]:%u" : "https://%s:%u",
		       at->host, at->port);
	return 0;
}

/* ---- connections ---- */

static int make_tls(const struct webhook_post *p, struct tls_conf **ret, struct err *err)
{
	static const char *const alpn[] = { "http/1.1" };
	CLEANUP(cert_pool_unref) struct cert_pool *trust = NULL;
	struct tls_options o = { .alpn = alpn, .alpn_n = ARRAY_LEN(alpn) };
	const struct webhook_at *at = p->at;
	struct tls_identity shown;

	if (p->user && p->user->id.n) {
		shown = identity_shown(&p->user->id);
		o.ids = &shown;
		o.ids_n = 1;
	}
	if (!at->ca.n && cert_pool_system(&trust, NULL) < 0)
		trust = NULL; /* none is trusted then */
	if (!trust)
		trust = cert_pool_new();
	if (at->ca.n && cert_pool_add_pem(trust, at->ca, err) < 0)
		return err_wrap(err, "unable to load root certificates");
	o.trust = trust;
	return tls_conf_new(&o, ret, err);
}

static int make_conn(const struct webhook_post *p, const char *address, const char *key,
		     struct webhook_conn **ret, struct err *err)
{
	struct webhook_clients *cs = p->clients;
	const struct webhook_at *at = p->at;
	CLEANUP(tls_conf_unref) struct tls_conf *tls = NULL;
	struct http_client_conf conf = {
		.host = at->host,
		.agent = "kube-apiserver-admission",
		.tls_name = at->host,
		.http2 = HTTP2_NEVER,
		.connections_max = CONNECTIONS_MAX,
		.arena_max = 2 * (size_t)WEBHOOK_ANSWER_MAX + (1u << 20),
		.idle_time = IDLE_TIME,
	};
	struct webhook_conn *conn;
	struct http_client *client;
	int r = make_tls(p, &tls, err);

	if (r == 0 && !cs->resolver)
		r = resolver_new(cs->loop, NULL, &cs->resolver, err);
	conf.tls = tls;
	conf.resolver = cs->resolver;
	if (r == 0)
		r = http_client_new(cs->loop, address, &conf, &client, err);
	if (r < 0)
		return r;
	conn = calloc(1, sizeof(*conn));
	assert(conn);
	conn->cs = cs;
	conn->client = client;
	conn->key = strdup(key);
	assert(conn->key);
	list_init(&conn->link);
	(void)map_put(&cs->conns, slice_str(conn->key), conn);
	*ret = conn;
	return 0;
}

static int get_conn(const struct webhook_post *p, struct webhook_conn **ret, struct err *err)
{
	char address[TLS_NAME_MAX + 64], key[2 * TLS_NAME_MAX + 192];
	struct webhook_clients *cs = p->clients;
	const struct webhook_at *at = p->at;
	struct webhook_conn *conn;
	int r = find_address(cs, at, address, sizeof(address), err);

	if (r < 0)
		return r;
	(void)snprintf(key, sizeof(key), "%s %s %s %p", address, at->host, at->id,
		       (const void *)(p->user && p->user->id.n ? p->user : NULL));
	conn = map_get(&cs->conns, slice_str(key));
	if (!conn)
		r = make_conn(p, address, key, &conn, err);
	if (r < 0)
		return r;
	if (!list_empty(&conn->link)) {
		list_del(&conn->link);
		cs->nidle--;
	}
	conn->refs++;
	*ret = conn;
	return 0;
}

static void put_conn(struct webhook_conn *conn)
{
	struct webhook_clients *cs;

	if (!conn || --conn->refs > 0)
		return;
	cs = conn->cs;
	conn->since = loop_now(cs->loop);
	list_append(&cs->idle, &conn->link);
	/* Not here: one of its callbacks may be running. */
	if (++cs->nidle > KEPT_MAX)
		timer_set_after(&cs->sweep, 0);
	else if (!timer_armed(&cs->sweep))
		timer_set(&cs->sweep, conn->since + KEPT_TIME);
}

static void free_conn(struct webhook_conn *conn)
{
	assert(conn->refs == 0);
	(void)map_del(&conn->cs->conns, slice_str(conn->key));
	list_del(&conn->link);
	conn->cs->nidle--;
	http_client_free(conn->client);
	free(conn->key);
	free(conn);
}

static int on_sweep(struct timer *t)
{
	struct webhook_clients *cs = CONTAINER_OF(t, struct webhook_clients, sweep);
	struct webhook_conn *conn;

	while ((conn = LIST_FIRST(&cs->idle, struct webhook_conn, link))) {
		int64_t due = conn->since + KEPT_TIME;

		if (due > loop_now(cs->loop) && cs->nidle <= KEPT_MAX) {
			timer_set(t, due);
			break;
		}
		free_conn(conn);
	}
	return 0;
}

struct webhook_clients *webhook_clients_new(struct loop *l, struct resources *rs)
{
	struct webhook_clients *cs = calloc(1, sizeof(*cs));

	assert(cs);
	cs->loop = l;
	cs->rs = rs;
	cs->a = arena_new("a webhook's endpoints", WORK_MAX);
	map_init(&cs->conns);
	list_init(&cs->idle);
	timer_init(&cs->sweep, l, on_sweep);
	return cs;
}

void webhook_clients_free(struct webhook_clients *cs)
{
	struct webhook_conn *conn;

	if (!cs)
		return;
	while ((conn = LIST_FIRST(&cs->idle, struct webhook_conn, link)))
		free_conn(conn);
	assert(map_count(&cs->conns) == 0);
	map_fini(&cs->conns);
	timer_fini(&cs->sweep);
	resolver_free(cs->resolver);
	arena_free(cs->a);
	free(cs);
}

/* ---- one post ---- */

static void begin(struct webhook_post *p);

/* Everything that runs for it ends; its stream makes no call any more. whole: its answer is here,
 * and the connection is good for the next. */
static void stop(struct webhook_post *p, bool whole)
{
	struct stream *s = STEAL(p->s);

	if (s) {
		stream_on(s, NULL, NULL);
		if (!whole)
			stream_reset(s, NULL);
		stream_unref(s);
	}
	timer_fini(&p->timer);
	deferred_fini(&p->later);
	put_conn(STEAL(p->conn));
	p->running = false;
}

static void finish(struct webhook_post *p, int result, struct slice answer, struct err *err)
{
	CLEANUP(stream_unref) struct stream *held = p->s ? stream_ref(p->s) : NULL;
	struct err none = ERR_INIT;

	(void)held; /* the answer is in its arena */
	stop(p, result == 0);
	err = err ? err : &none;
	if (result < 0)
		result = err_wrap(err, "Post \"%s?timeout=%us\"", p->at->url, p->seconds);
	p->done(p, result, answer, err);
}

static void broke(struct webhook_post *p, const struct err *why)
{
	struct err err = why ? *why : ERR_INIT;

	if (!why)
		(void)err_set(&err, ERR_UNAVAILABLE, "EOF");
	finish(p, -(int)err.code, SLICE(""), &err);
}

/* The end of a failure that is told from the loop. */
static void on_later(struct deferred *d)
{
	struct webhook_post *p = CONTAINER_OF(d, struct webhook_post, later);

	if (p->err.code)
		broke(p, &p->err);
	else
		begin(p);
}

static int on_time(struct timer *t)
{
	struct err err = ERR_INIT;

	(void)err_set(&err, ERR_TIMEOUT, "context deadline exceeded");
	broke(CONTAINER_OF(t, struct webhook_post, timer), &err);
	return 0;
}

static void collected(struct stream *s, void *arg, int result, struct slice body, struct err *err)
{
	struct webhook_post *p = arg;

	(void)s;
	if (!p->s || p->s != s) /* given up */
		return;
	finish(p, result, body, err);
}

/* What is no answer of a webhook, in client-go's words. */
static void refuse_status(struct webhook_post *p, int status)
{
	struct err err = ERR_INIT;

	if (status == 404)
		(void)err_set(&err, ERR_UNAVAILABLE,
			      "the server could not find the requested resource");
	else if (status / 100 == 3)
		(void)err_set(&err, ERR_UNAVAILABLE,
			      "the server responded with status %d: redirects are not followed",
			      status);
	else
		(void)err_set(&err, ERR_UNAVAILABLE, "the server responded with status %d", status);
	broke(p, &err);
}

static void on_head(struct stream *s)
{
	struct webhook_post *p = stream_arg(s);
	const int status = stream_status(s);

	p->answered = true;
	if (status / 100 != 2)
		refuse_status(p, status);
	else
		stream_collect(s, WEBHOOK_ANSWER_MAX, collected, p);
}

/* A kept connection may have been closed by the other side: that is no answer yet. */
static void on_closed(struct stream *s, const struct err *why)
{
	struct webhook_post *p = stream_arg(s);

	if (!p || p->s != s)
		return;
	if (p->answered || p->tries >= TRIES_MAX || (why && why->code != ERR_UNAVAILABLE)) {
		broke(p, why);
		return;
	}
	stream_unref(STEAL(p->s));
	put_conn(STEAL(p->conn));
	deferred_call(&p->later);
}

static const struct stream_events events = { .head = on_head, .closed = on_closed };

static int send_body(struct webhook_post *p, struct err *err)
{
	CLEANUP(buf_fini) struct buf target = BUF_INIT(TARGET_MAX);
	int r;

	(void)buf_addf(&target, "%s?timeout=%us", p->at->path, p->seconds);
	if (target.full)
		return err_set(err, ERR_INVALID, "the path is too long");
	r = http_client_stream(p->conn->client, "POST", buf_str(&target), &p->s, err);
	if (r < 0)
		return r;
	stream_on(p->s, &events, p);
	(void)stream_set_header(p->s, "Content-Type", "application/json");
	(void)stream_set_header(p->s, "Accept", "application/json");
	if (p->user)
		hook_show_token(p->s, p->user->token, p->user->token_file);
	r = http_client_send(p->s, (int64_t)p->body.n, false, err);
	if (r < 0) {
		stream_unref(STEAL(p->s));
		return r;
	}
	/* What a broken stream does not take is told by closed. */
	(void)stream_write(p->s, p->body.p, p->body.n);
	(void)stream_end(p->s);
	return 0;
}

static void begin(struct webhook_post *p)
{
	p->tries++;
	p->answered = false;
	err_clear(&p->err);
	if (get_conn(p, &p->conn, &p->err) < 0 || send_body(p, &p->err) < 0)
		deferred_call(&p->later);
}

void webhook_post(struct webhook_clients *cs, struct webhook_post *p)
{
	p->clients = cs;
	p->conn = NULL;
	p->s = NULL;
	p->tries = 0;
	p->running = true;
	timer_init(&p->timer, cs->loop, on_time);
	deferred_init(&p->later, cs->loop, on_later);
	timer_set_after(&p->timer, p->time);
	begin(p);
}

void webhook_post_cancel(struct webhook_post *p)
{
	if (p->running)
		stop(p, false);
}
