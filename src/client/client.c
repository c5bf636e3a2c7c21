/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls to an API server over one http_client: credentials, the base path, refusals as errors.
 */
#include "client/client.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/hash.h"
#include "base/loop.h"
#include "client/exec.h"
#include "crypto/aead.h"
#include "crypto/identity.h"
#include "crypto/tls.h"
#include "crypto/x509.h"
#include "doc/json.h"
#include "io/http-client.h"
#include "io/http-proxy.h"
#include "io/resolver.h"
#include "io/url.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>

#define HEADERS_MAX 128
#define TOKEN_MAX (1u << 20)
#define TRIES 10	 /* of a request that the server puts off */
#define WAIT_MAX 30	 /* seconds that it may ask for */
#define MESSAGE_MAX 1024 /* of a body that is no Status */

struct client {
	const struct client_conf *conf;
	struct arena *arena; /* of what lives as long as the client */
	struct loop *loop;
	struct resolver *resolver;
	struct http_client *http;
	struct tls_conf *tls;
	const char *base; /* path of the server's address, "" mostly */
	struct http_header headers[HEADERS_MAX];
	size_t headers_n;
	const struct doc *failure;
	void (*warning)(void *arg, struct slice text);
	void *warning_arg;
	void (*told)(void *arg, const char *method, const char *url, int status, int64_t ns);
	void *told_arg;
};

/* ---- who we are ---- */

static int add_header(struct client *c, const char *name, const char *value, struct err *err)
{
	if (!name || !value)
		return arena_quota(c->arena, err);
	if (strpbrk(value, "\r\n"))
		return err_set(err, ERR_INVALID, "%s: a line break in its value", name);
	if (c->headers_n == HEADERS_MAX)
		return err_set(err, ERR_TOO_LARGE, "more than %d headers", HEADERS_MAX);
	c->headers[c->headers_n++] = (struct http_header){ slice_str(name), slice_str(value) };
	return 0;
}

static int add_basic(struct client *c, struct err *err)
{
	const struct client_conf *k = c->conf;
	const char *pair =
		arena_printf(c->arena, "%s:%s", k->username, k->password ? k->password : "");
	size_t n = pair ? strlen(pair) : 0;
	char *text = arena_alloc(c->arena, BASE64_LEN(n) + 1);

	if (!pair || !text)
		return arena_quota(c->arena, err);
	base64_encode(text, pair, n);
	return add_header(c, "Authorization", arena_printf(c->arena, "Basic %s", text), err);
}

/* A token's file goes before the token, as it is the one that is renewed. */
static const char *token_of(struct client *c)
{
	CLEANUP(secret_buf_fini) struct buf b = BUF_INIT(TOKEN_MAX);
	const char *token = c->conf->token;
	struct slice s;

	if (c->conf->token_file && fd_read_file(AT_FDCWD, c->conf->token_file, &b, NULL) == 0) {
		s = buf_slice(&b);
		while (s.n && strchr(" \t\r\n", s.p[s.n - 1]))
			s.n--;
		if (s.n)
			token = arena_strndup(c->arena, s.p, s.n);
	}
	return token;
}

static int add_as(struct client *c, struct err *err)
{
	const struct client_conf *k = c->conf;
	int r = 0;

	if (!k->as) {
		if (k->as_uid || k->as_groups_n || doc_len(k->as_extra))
			return err_set(err, ERR_INVALID,
				       "requesting uid, groups or user-extra for without "
				       "impersonating a user");
		return 0;
	}
	r = add_header(c, "Impersonate-User", k->as, err);
	if (r == 0 && k->as_uid)
		r = add_header(c, "Impersonate-Uid", k->as_uid, err);
	for (size_t i = 0; i < k->as_groups_n && r == 0; i++)
		r = add_header(c, "Impersonate-Group", k->as_groups[i], err);
	DOC_EACH_MEMBER (key, values, k->as_extra) {
		CLEANUP(buf_fini) struct buf name = BUF_INIT(4096);

		buf_adds(&name, "Impersonate-Extra-");
		(void)url_encode(&name, slice_of(key->s, key->n), false); /* full: told below */
		DOC_EACH (v, values)
			if (r == 0)
				r = name.full
					    ? err_set(err, ERR_TOO_LARGE, "as-user-extra")
					    : add_header(c, arena_strdup(c->arena, buf_str(&name)),
							 doc_cstr(c->arena, v), err);
	}
	return r;
}

static int make_tls(struct client *c, struct slice cert, struct slice key_text, struct err *err)
{
	CLEANUP(cert_pool_unref) struct cert_pool *trust = NULL;
	CLEANUP(identity_fini) struct identity id = { .n = 0 };
	static const char *const alpn[] = { "http/1.1" };
	struct tls_identity shown;
	struct tls_options o = { .insecure = c->conf->insecure, .alpn = alpn, .alpn_n = 1 };
	int r = 0;

	if (!c->conf->insecure && c->conf->ca.n) {
		trust = cert_pool_new();
		r = cert_pool_add_pem(trust, c->conf->ca, err);
	} else if (!c->conf->insecure) {
		r = cert_pool_system(&trust, err);
	}
	if (r < 0)
		return err_wrap(err, "unable to load root certificates");
	o.trust = trust;
	if (!cert.n != !key_text.n)
		return err_set(err, ERR_INVALID,
			       "a client certificate and its key go together: one is missing");
	if (cert.n) {
		if (identity_read(&id, cert, key_text, err) < 0)
			return err_wrap(err, "client certificate");
		shown = identity_shown(&id);
		o.ids = &shown;
		o.ids_n = 1;
	}
	return tls_conf_new(&o, &c->tls, err);
}

static int prove(struct client *c, bool tls, struct err *err)
{
	struct exec_credential asked = { 0 };
	struct slice cert = c->conf->cert, key = c->conf->key;
	const char *token = token_of(c);
	int r = 0;

	if (c->conf->exec && !token)
		r = exec_ask(c->conf, c->arena, &asked, err);
	if (r < 0)
		return r;
	if (asked.cert.n) {
		cert = asked.cert;
		key = asked.key;
	}
	if (asked.token)
		token = asked.token;
	if (token)
		r = add_header(c, "Authorization", arena_printf(c->arena, "Bearer %s", token), err);
	else if (c->conf->username)
		r = add_basic(c, err);
	if (r == 0)
		r = add_as(c, err);
	return r == 0 && tls ? make_tls(c, cert, key, err) : r;
}

/* ---- life ---- */

/* The kubeconfig's proxy, or the environment's. 1: *ret is to be asked. */
static int find_proxy(const struct client_conf *conf, const struct url *u, struct http_proxy *ret,
		      struct err *err)
{
	struct http_proxy_env env = http_proxy_env_get();
	uint16_t port = u->port ? u->port : strcmp(u->scheme, "https") == 0 ? 443 : 80;
	int r;

	if (!conf->proxy)
		return http_proxy_for(&env, u->scheme, u->host, port, ret, err);
	r = http_proxy_parse(conf->proxy, ret, err);
	return r < 0 ? err_wrap(err, "proxy-url") : 1;
}

int client_new(const struct client_conf *conf, struct client **ret, struct err *err)
{
	CLEANUP(client_free) struct client *c = calloc(1, sizeof(*c));
	struct http_client_conf h = { .http2 = HTTP2_NEVER, .agent = conf->agent };
	struct http_proxy proxy = { 0 };
	struct url u;
	int r;

	if (!c)
		abort();
	c->conf = conf;
	c->arena = arena_new("client", 16u << 20);
	r = url_parse(c->arena, conf->server, &u, err);
	if (r == 0 && strcmp(u.scheme, "http") != 0 && strcmp(u.scheme, "https") != 0)
		r = err_set(err, ERR_INVALID, "server '%s': http or https is spoken", conf->server);
	if (r == 0)
		r = prove(c, strcmp(u.scheme, "https") == 0, err);
	if (r == 0)
		r = loop_new(&c->loop, err);
	if (r == 0)
		r = resolver_new(c->loop, NULL, &c->resolver, err);
	if (r == 0)
		r = find_proxy(conf, &u, &proxy, err);
	if (r < 0)
		return r;
	c->base = u.path;
	h.resolver = c->resolver;
	h.proxy = r == 1 ? &proxy : NULL;
	h.tls = c->tls;
	h.tls_name = conf->tls_name;
	h.connect_time = 30 * NS_PER_SEC;
	r = http_client_new(
		c->loop,
		arena_strndup(c->arena, conf->server, strlen(conf->server) - strlen(u.path)), &h,
		&c->http, err);
	explicit_bzero(&proxy, sizeof(proxy));
	if (r < 0)
		return r;
	*ret = STEAL(c);
	return 0;
}

void client_free(struct client *c)
{
	if (!c)
		return;
	http_client_free(c->http);
	resolver_free(c->resolver);
	loop_free(c->loop);
	tls_conf_unref(c->tls);
	arena_free(c->arena);
	free(c);
}

const struct client_conf *client_conf_of(const struct client *c)
{
	return c->conf;
}

const struct doc *client_failure(const struct client *c)
{
	return c->failure;
}

void client_on_warning(struct client *c, void (*fn)(void *arg, struct slice text), void *arg)
{
	c->warning = fn;
	c->warning_arg = arg;
}

void client_on_call(struct client *c,
		    void (*fn)(void *arg, const char *method, const char *url, int status,
			       int64_t ns),
		    void *arg)
{
	c->told = fn;
	c->told_arg = arg;
}

/* ---- refusals ---- */

static const struct refusal {
	int status;
	enum err_code code;
	const char *reason, *message;
} refusals[] = {
	{ 400, ERR_BAD_REQUEST, "BadRequest",
	  "the server rejected our request for an unknown reason" },
	{ 401, ERR_UNAUTHORIZED, "Unauthorized",
	  "the server has asked for the client to provide credentials" },
	{ 403, ERR_FORBIDDEN, "Forbidden",
	  "the server does not allow access to the requested resource" },
	{ 404, ERR_NOT_FOUND, "NotFound", "the server could not find the requested resource" },
	{ 405, ERR_UNSUPPORTED, "MethodNotAllowed",
	  "the server does not allow this method on the requested resource" },
	{ 406, ERR_UNSUPPORTED, "NotAcceptable",
	  "the server was unable to respond with a content type that the client supports" },
	{ 409, ERR_CONFLICT, "Conflict", "the server reported a conflict" },
	{ 410, ERR_GONE, "Expired", "the server does not have that version any more" },
	{ 413, ERR_TOO_LARGE, "RequestEntityTooLarge", "the request is too large" },
	{ 415, ERR_UNSUPPORTED, "UnsupportedMediaType",
	  "the body of the request was in an unknown format - accepted media types include" },
	{ 422, ERR_INVALID, "Invalid",
	  "the server rejected our request due to an error in our request" },
	{ 429, ERR_QUOTA, "TooManyRequests",
	  "the server has received too many requests and has asked us to try again later" },
	{ 503, ERR_UNAVAILABLE, "ServiceUnavailable",
	  "the server is currently unable to handle the request" },
	{ 504, ERR_TIMEOUT, "Timeout",
	  "the server was unable to return a response in the time allotted, but may still be "
	  "processing the request" },
};

static const struct refusal *refusal_of(int status)
{
	for (size_t i = 0; i < ARRAY_LEN(refusals); i++)
		if (refusals[i].status == status)
			return &refusals[i];
	return NULL;
}

/* A body that is no Status becomes one. */
static struct doc *make_status(struct arena *a, int status, struct slice body)
{
	const struct refusal *k = refusal_of(status);
	struct doc *d = doc_new_object(a);

	doc_set_str(a, d, "kind", "Status");
	doc_set_str(a, d, "status", "Failure");
	if (k)
		doc_set_str(a, d, "message", k->message);
	else
		doc_set_strf(a, d, "message",
			     "an error on the server (\"%.*s\") has prevented the request from "
			     "succeeding",
			     (int)MIN(body.n, (size_t)MESSAGE_MAX), body.n ? body.p : "unknown");
	doc_set_str(a, d, "reason", k ? k->reason : "InternalError");
	doc_set_int(a, d, "code", status);
	return d;
}

static int refused(struct client *c, struct arena *a, const struct client_answer *ans,
		   struct err *err)
{
	struct json_options opt = { .replace = true };
	const struct refusal *k = refusal_of(ans->status);
	struct slice message;
	struct doc *d = NULL;

	if (json_read(a, ans->body, &opt, &d, NULL) < 0 ||
	    !doc_str_is(doc_get(d, "kind"), "Status"))
		d = make_status(a, ans->status, ans->body);
	c->failure = d;
	message = doc_slice(doc_get(d, "message"));
	return err_set(err, k ? k->code : ERR_SYSTEM, "%.*s", (int)message.n,
		       message.n ? message.p : "");
}

/* ---- calls ---- */

struct running {
	struct client *c;
	const struct client_request *rq;
	struct buf body;
};

static int consume(void *arg, const struct http_answer *head, struct slice bytes, struct err *err)
{
	struct running *k = arg;

	if (k->rq->consume && head->status / 100 == 2)
		return k->rq->consume(k->rq->arg, bytes, err);
	return buf_add(&k->body, bytes.p, bytes.n) < 0
		       ? err_set(err, ERR_TOO_LARGE, "the answer is larger than %u bytes",
				 CLIENT_BODY_MAX)
		       : 0;
}

/* Warning: 299 - "text", RFC 7234 5.5; quotes and backslashes in it are escaped. */
static void tell_warnings(struct client *c, const struct http_answer *ans)
{
	for (size_t i = 0; c->warning && i < ans->headers_n; i++) {
		struct slice v = ans->headers[i].value;
		CLEANUP(buf_fini) struct buf text = BUF_INIT(65536);
		const char *p, *end = v.p + v.n;

		if (!slice_ieq(ans->headers[i].name, SLICE("warning")) ||
		    !slice_starts(v, SLICE("299 ")))
			continue;
		p = memchr(v.p, '"', v.n);
		for (p = p ? p + 1 : end; p < end && *p != '"'; p++) {
			if (*p == '\\' && p + 1 < end)
				p++;
			(void)buf_addc(&text, *p); /* cut when it is long */
		}
		c->warning(c->warning_arg, buf_slice(&text));
	}
}

static int copy_answer(struct arena *a, const struct http_answer *from, const struct buf *body,
		       struct client_answer *ret, struct err *err)
{
	struct slice type = http_answer_header(from, "content-type");
	const char *p = arena_strndup(a, buf_str(body), body->n);
	const char *t = arena_strndup(a, type.n ? type.p : "", type.n);

	if (!p || !t)
		return arena_quota(a, err);
	*ret = (struct client_answer){ from->status, slice_of(p, body->n), slice_of(t, type.n) };
	return 0;
}

/* Seconds that the server asks us to wait, or -1. */
static int64_t put_off(const struct http_answer *ans)
{
	struct slice after = http_answer_header(ans, "retry-after");
	int64_t s;

	if (ans->status != 429 && ans->status / 100 != 5)
		return -1;
	return after.n && str_int64(after, &s, NULL) == 0 && s >= 0 && s <= WAIT_MAX ? s : -1;
}

static int one_call(struct client *c, struct arena *a, const struct client_request *rq,
		    struct client_answer *ret, int64_t *ret_wait, struct err *err)
{
	CLEANUP(http_answer_fini) struct http_answer ans = HTTP_ANSWER_INIT;
	struct running k = { c, rq, BUF_INIT(CLIENT_BODY_MAX) };
	struct http_header headers[HEADERS_MAX + 2];
	struct http_call call = {
		.method = rq->method ? rq->method : "GET",
		.target = *c->base ? arena_printf(a, "%s%s", c->base, rq->target) : rq->target,
		.headers = headers,
		.headers_n = c->headers_n,
		.body = rq->body,
		.consume = consume,
		.arg = &k,
		.time = rq->time ? rq->time : c->conf->time,
	};
	int64_t start;
	int r;

	memcpy(headers, c->headers, c->headers_n * sizeof(*headers));
	headers[call.headers_n++] =
		(struct http_header){ SLICE("Accept"),
				      slice_str(rq->accept ? rq->accept : "application/json") };
	if (rq->body.n)
		headers[call.headers_n++] = (struct http_header){
			SLICE("Content-Type"),
			slice_str(rq->content_type ? rq->content_type : "application/json")
		};
	if (!call.target)
		return arena_quota(a, err);
	start = clock_mono();
	r = http_client_call(c->http, &call, &ans, err);
	if (c->told)
		c->told(c->told_arg, call.method,
			arena_printf(a, "%s%s", c->conf->server, rq->target), ans.status,
			clock_mono() - start);
	if (r == 0) {
		tell_warnings(c, &ans);
		*ret_wait = put_off(&ans);
		r = copy_answer(a, &ans, &k.body, ret, err);
	}
	buf_fini(&k.body);
	return r;
}

int client_call(struct client *c, struct arena *a, const struct client_request *rq,
		struct client_answer *ret, struct err *err)
{
	int64_t end = rq->time ? clock_mono() + rq->time : INT64_MAX;
	struct client_answer ans = { 0 };
	int64_t wait = -1;
	int r;

	c->failure = NULL;
	for (int i = 0; i < TRIES; i++) {
		struct timespec t;

		r = one_call(c, a, rq, &ans, &wait, err);
		if (r < 0)
			return r;
		if (wait < 0 || i + 1 == TRIES || clock_mono() + wait * NS_PER_SEC >= end)
			break;
		t = (struct timespec){ .tv_sec = wait };
		while (nanosleep(&t, &t) < 0 && errno == EINTR)
			;
	}
	if (ret)
		*ret = ans;
	return ans.status / 100 == 2 ? 0 : refused(c, a, &ans, err);
}

int client_call_doc(struct client *c, struct arena *a, const struct client_request *rq,
		    struct doc **ret, struct err *err)
{
	struct json_options opt = { .max_nodes = 64u << 20 };
	struct client_answer ans;
	int r = client_call(c, a, rq, &ans, err);

	if (r < 0)
		return r;
	r = json_read(a, ans.body, &opt, ret, err);
	return r < 0 ? err_wrap(err, "the server's answer") : 0;
}
