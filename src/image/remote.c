/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registry client's life and requests: which scheme, redirects, retries. What is asked is in
 * remote-pull.c and remote-push.c, of which hosts in remote-host.c, who we are in remote-auth.c.
 */
#include "base/clock.h"
#include "doc/json.h"
#include "image/fetch.h"
#include "image/remote-priv.h"
#include "io/http-redirect.h"
#include "io/retry.h"
#include "io/url.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ARENA_MAX (4u << 20)
#define TRIES 5
#define WAIT_MAX (60 * NS_PER_SEC)

/* Docker Hub's API is not at its name. */
static const char *api_host(const char *host)
{
	return strcmp(host, "docker.io") == 0 || strcmp(host, "index.docker.io") == 0
		       ? "registry-1.docker.io"
		       : host;
}

/* ---- life ---- */

static int add_mirror(struct remote *r, const char *text, struct err *err)
{
	struct endpoint *e = &r->mirrors[r->nmirrors];
	char host[300];
	struct url u;
	int ret;

	ret = url_parse(r->arena, text, &u, err);
	if (ret < 0 || (strcmp(u.scheme, "https") != 0 && strcmp(u.scheme, "http") != 0))
		return err_set(err, ERR_BAD_REQUEST, "mirror '%.200s' is no http or https address",
			       text);
	(void)snprintf(host, sizeof(host), strchr(u.host, ':') ? "[%s]" : "%s", u.host);
	if (u.port)
		(void)snprintf(host + strlen(host), sizeof(host) - strlen(host), ":%u", u.port);
	endpoint_init(r, e, host, strcmp(u.path, "/") == 0 ? "" : u.path);
	r->nmirrors++;
	e->mirror = true;
	e->scheme = strcmp(u.scheme, "https") == 0 ? SCHEME_HTTPS : SCHEME_HTTP;
	return 0;
}

static char *copy(struct remote *r, const char *s)
{
	return s && s[0] ? arena_strdup(r->arena, s) : NULL;
}

/* The environment's HTTP_PROXY in capitals counts too, as docker's daemon has it, but for a CGI
 * program: there a client's header could have set it. */
static void take_proxies(struct remote *r)
{
	struct http_proxy_env env = http_proxy_env_get();

	if (!env.http && !getenv("REQUEST_METHOD"))
		env.http = getenv("HTTP_PROXY");
	if (r->conf.proxies)
		env = *r->conf.proxies;
	r->conf.proxies = NULL;
	r->proxies = (struct http_proxy_env){ copy(r, env.http), copy(r, env.https),
					      copy(r, env.all), copy(r, env.no) };
}

static int init(struct remote *r, struct err *err)
{
	struct remote_conf *c = &r->conf;
	int ret = 0;

	c->host = copy(r, c->host);
	c->certs_dir = copy(r, c->certs_dir);
	c->agent = copy(r, c->agent);
	c->program = copy(r, c->program);
	c->auth.username = copy(r, c->auth.username);
	c->auth.password = copy(r, c->auth.password);
	c->auth.identity_token = copy(r, c->auth.identity_token);
	c->auth.registry_token = copy(r, c->auth.registry_token);
	if (!c->host)
		return err_set(err, ERR_BAD_REQUEST, "a registry needs a host");
	endpoint_init(r, &r->own, api_host(c->host), "");
	r->mirrors = ARENA_ARRAY(r->arena, struct endpoint, c->nmirrors + 1);
	for (size_t i = 0; i < c->nmirrors && ret >= 0; i++)
		ret = add_mirror(r, c->mirrors[i], err);
	take_proxies(r);
	if (ret < 0)
		return ret;
	return c->program ? fetch_new(r, &r->fetch, err) : remote_hosts_init(r, err);
}

int remote_new(const struct remote_conf *conf, struct remote **ret, struct err *err)
{
	CLEANUP(remote_free) struct remote *r = calloc(1, sizeof(*r));
	int n;

	if (!r)
		abort();
	pthread_mutex_init(&r->lock, NULL);
	r->arena = arena_new("remote", ARENA_MAX);
	r->conf = *conf;
	n = init(r, err);
	if (n < 0)
		return err_wrap(err, "registry '%.200s'", conf->host ? conf->host : "");
	*ret = STEAL(r);
	return 0;
}

static void wipe(const char *s)
{
	if (s)
		explicit_bzero((char *)(uintptr_t)s, strlen(s));
}

void remote_free(struct remote *r)
{
	if (!r)
		return;
	fetch_free(r->fetch);
	endpoint_fini(&r->own);
	for (size_t i = 0; i < r->nmirrors; i++)
		endpoint_fini(&r->mirrors[i]);
	remote_hosts_fini(r);
	wipe(r->conf.auth.password);
	wipe(r->conf.auth.identity_token);
	wipe(r->conf.auth.registry_token);
	pthread_mutex_destroy(&r->lock);
	arena_free(r->arena);
	free(r);
}

/* ---- one exchange ---- */

void reply_fini(struct remote *r, struct reply *p)
{
	http_answer_fini(&p->a);
	if (p->line && p->keep)
		line_put(r, p->e, STEAL(p->line));
	line_free(p->line);
	*p = REPLY_INIT;
}

/* ---- one exchange ---- */

struct flow {
	const struct ask *q;
	struct reply *p;
	uint64_t offset; /* of the next byte that is produced */
	struct buf *body;
	bool taken; /* consume has got bytes */
};

static ssize_t on_produce(void *arg, char *p, size_t cap, struct err *err)
{
	struct flow *f = arg;
	uint64_t left = f->q->offset + (uint64_t)f->q->length - f->offset;
	ssize_t n;

	cap = (size_t)MIN((uint64_t)cap, left);
	n = !cap ? 0 : f->q->produce(f->q->ctx, f->offset, p, cap, err);

	if (n > 0)
		f->offset += (uint64_t)n;
	return n;
}

static int on_consume(void *arg, const struct http_answer *head, struct slice bytes,
		      struct err *err)
{
	struct flow *f = arg;

	if (f->q->consume && (head->status == 200 || head->status == 206)) {
		f->taken = true;
		f->p->a.status = head->status;
		f->p->a.headers = head->headers;
		f->p->a.headers_n = head->headers_n;
		return f->q->consume(f->q->ctx, bytes, err);
	}
	if (buf_add(f->body, bytes.p, bytes.n) < 0)
		return err_set(err, ERR_TOO_LARGE, "the answer is larger than %zu bytes",
			       f->body->max);
	return 0;
}

/* What is asked of whom, after redirects. */
struct hop {
	struct endpoint *e;
	const char *method, *target, *auth;
	bool body, credentials;
};

static int exchange(struct remote *r, const struct ask *q, const struct hop *h, struct reply *p,
		    bool *ret_taken, struct err *err)
{
	struct http_header headers[ARRAY_LEN(q->headers) + 1];
	struct buf body = BUF_INIT(REMOTE_BODY_MAX);
	struct flow f = { .q = q, .p = p, .offset = q->offset, .body = &body };
	struct http_call call = { .method = h->method,
				  .target = h->target,
				  .headers = headers,
				  .consume = on_consume,
				  .arg = &f,
				  .cancel = r->conf.cancel };
	int ret;

	for (size_t i = 0; i < q->nheaders; i++)
		if (h->credentials || strcmp(q->headers[i][0], "Authorization") != 0)
			headers[call.headers_n++] =
				(struct http_header){ slice_str(q->headers[i][0]),
						      slice_str(q->headers[i][1]) };
	if (h->auth)
		headers[call.headers_n++] =
			(struct http_header){ SLICE("Authorization"), slice_str(h->auth) };
	if (h->body)
		call.body = q->body;
	if (h->body && q->produce) {
		call.produce = on_produce;
		call.length = q->length;
	}
	p->e = h->e;
	ret = http_client_call(p->line->client, &call, &p->a, err);
	*ret_taken = f.taken;
	if (ret < 0) {
		p->a = HTTP_ANSWER_INIT; /* what it was told of the head is gone */
		buf_fini(&body);
		return ret;
	}
	p->a.bytes = body; /* freed with the answer */
	p->a.body = buf_slice(&body);
	p->keep = true;
	return 0;
}

/* ---- schemes ---- */

/* Is it HTTPS there, or plain HTTP where that is allowed? Asked once. */
static int find_scheme(struct remote *r, struct endpoint *e, struct err *err)
{
	const struct hop h = { .e = e, .method = "GET", .target = "/v2/" };
	struct ask q = { .path = "/v2/" };
	bool taken;
	int ret;

	if (e->scheme != SCHEME_UNKNOWN)
		return 0;
	if (!e->plain_ok) {
		e->scheme = SCHEME_HTTPS;
		return 0;
	}
	for (int plain = 0; plain < 2; plain++) {
		struct reply p = REPLY_INIT;

		ret = plain || line_must_show_who(r, e) ? line_take(r, e, !plain, &p.line, err)
							: line_probe(r, e, &p.line, err);
		if (ret >= 0)
			ret = exchange(r, &q, &h, &p, &taken, err);
		p.keep = false;
		if (ret >= 0)
			e->scheme = plain ? SCHEME_HTTP : SCHEME_HTTPS;
		reply_fini(r, &p);
		if (ret >= 0 || remote_cancelled(r, err))
			return ret >= 0 ? 0 : err_ret(err);
	}
	return ret;
}

/* ---- asking, with all that may come between ---- */

void remote_notice(struct remote *r, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	if (!r->conf.notice)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	r->conf.notice(r->conf.ctx, text);
}

bool remote_cancelled(const struct remote *r, struct err *err)
{
	if (!r->conf.cancel || !atomic_load(r->conf.cancel))
		return false;
	err_set(err, ERR_UNAVAILABLE, "cancelled");
	return true;
}

static int wait_for(struct remote *r, int64_t delay, struct err *err)
{
	int64_t end = clock_mono() + MIN(delay, WAIT_MAX);

	while (clock_mono() < end) {
		int64_t left = MIN(end - clock_mono(), 100 * NS_PER_MS);
		struct timespec ts = { left / NS_PER_SEC, left % NS_PER_SEC };

		if (remote_cancelled(r, err))
			return err_ret(err);
		if (left > 0)
			(void)nanosleep(&ts, NULL);
	}
	return 0;
}

/* The absolute address that a request begins with. */
static const char *first_url(const struct endpoint *e, const struct ask *q, struct arena *a)
{
	if (q->path[0] != '/')
		return q->path;
	return arena_printf(a, "%s://%s%s%s", e->scheme == SCHEME_HTTPS ? "https" : "http", e->host,
			    e->prefix, q->path);
}

/* Whose address it is, and the target there. Credentials are for the endpoint alone: another host
 * never gets them, whoever leads there. */
static int find_hop(struct remote *r, struct endpoint *e, const struct ask *q,
		    const struct http_redirect *to, struct arena *a, struct hop *h, struct err *err)
{
	const char *own =
		arena_printf(a, "%s://%s/", e->scheme == SCHEME_HTTPS ? "https" : "http", e->host);
	char origin[300], mine[300];
	const char *path;
	int ret = 0;

	*h = (struct hop){
		.e = e, .method = to->method, .body = to->body, .credentials = to->credentials
	};
	path = strstr(to->url, "://") + 3;
	path += strcspn(path, "/?");
	h->target = path[0] == '/' ? path : arena_printf(a, "/%s", path);
	if (!http_origin(slice_str(to->url), origin, sizeof(origin)) ||
	    !http_origin(slice_str(own), mine, sizeof(mine)) || strcmp(origin, mine) != 0)
		ret = remote_other(r, to->url, &h->e, err);
	else if (!q->no_auth && to->credentials)
		h->auth = auth_header(r, e, q->scope, a);
	return ret;
}

static int once(struct remote *r, struct endpoint *e, const struct ask *q, struct reply *p,
		bool *ret_taken, struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("request", 256 << 10);
	struct http_redirect to;
	struct hop h;
	int ret;

	*ret_taken = false;
	ret = http_redirect_init(&to, q->method ? q->method : "GET", first_url(e, q, a), true, err);
	while (ret >= 0) {
		ret = find_hop(r, e, q, &to, a, &h, err);
		if (ret >= 0)
			ret = line_take(r, h.e, h.e->scheme == SCHEME_HTTPS, &p->line, err);
		if (ret >= 0)
			ret = exchange(r, q, &h, p, ret_taken, err);
		if (ret < 0)
			break;
		ret = http_redirect_step(&to, p->a.status, http_answer_header(&p->a, "Location"),
					 err);
		if (ret == 0)
			return 0;
		reply_fini(r, p);
	}
	return ret;
}

/* -1 = final; else the delay before it is tried again. */
static int64_t retry_delay(const struct reply *p, int ret, const struct err *err, struct backoff *b)
{
	int64_t delay, asked = -1;
	int status = ret < 0 ? 0 : p->a.status;

	if (ret < 0 && err->code != ERR_UNAVAILABLE && err->code != ERR_TIMEOUT)
		return -1;
	if (ret >= 0 && status != 429 && status != 408 && status != 500 && status != 502 &&
	    status != 503 && status != 504)
		return -1;
	delay = backoff_next(b);
	if (delay >= 0 && ret >= 0)
		asked = retry_after(http_answer_header(&p->a, "Retry-After"), clock_real());
	return delay < 0 ? -1 : MAX(delay, asked);
}

/* A peer that is not the one it should be (TLS) has refused nothing: no registry has answered. */
static void set_unreached(struct err *why)
{
	if (why->code == ERR_UNAUTHORIZED || why->code == ERR_FORBIDDEN ||
	    why->code == ERR_NOT_FOUND)
		why->code = ERR_UNAVAILABLE;
}

static void note_limit(struct remote *r, const struct reply *p)
{
	int64_t after = -1;

	if (p->a.status != 429)
		return;
	after = retry_after(http_answer_header(&p->a, "Retry-After"), clock_real());
	atomic_store(&r->limited, after < 0 ? 0 : clock_mono() + after);
}

int64_t remote_limited(const struct remote *r)
{
	int64_t until = atomic_load(&r->limited);

	return until ? MAX(until - clock_mono(), (int64_t)0) : 0;
}

int remote_ask(struct remote *r, const struct ask *q, struct reply *ret, struct err *err)
{
	const struct retry_policy policy = { .attempts_max = r->conf.tries ? r->conf.tries : TRIES,
					     .first = 200 * NS_PER_MS,
					     .max = 20 * NS_PER_SEC };
	struct endpoint *e = q->e ? q->e : &r->own;
	bool answered = false;
	struct backoff b;
	int n;

	backoff_init(&b, &policy, 0);
	for (;;) {
		struct err why = ERR_INIT;
		bool taken = false;
		bool reached;
		int64_t delay;

		*ret = REPLY_INIT;
		if (remote_cancelled(r, err))
			return err_ret(err);
		n = find_scheme(r, e, &why);
		if (n >= 0 && !answered)
			auth_prepare(r, e, q);
		if (n >= 0)
			n = once(r, e, q, ret, &taken, &why);
		reached = n >= 0;
		if (reached)
			note_limit(r, ret);
		if (n >= 0 && ret->a.status == 401 && !answered && !q->no_auth) {
			answered = true;
			n = auth_answer(r, e, q, ret, &why);
			if (n > 0) {
				reply_fini(r, ret);
				continue;
			}
		}
		delay = taken && n < 0 && q->once ? -1 : retry_delay(ret, n, &why, &b);
		if (delay < 0) {
			if (n < 0) {
				reply_fini(r, ret);
				if (!reached && !taken)
					set_unreached(&why);
				*err = why;
				return err_wrap(err, "%s", q->what ? q->what : q->path);
			}
			return 0;
		}
		remote_notice(r, "%s: %s; trying again in %.1f s", e->host,
			      n < 0 ? why.msg : "it is busy", (double)delay / NS_PER_SEC);
		reply_fini(r, ret);
		if (wait_for(r, delay, err) < 0)
			return err_ret(err);
	}
}

/* ---- what went wrong ---- */

/* The registry's own words: {"errors":[{"code","message"}]}. */
static const char *server_words(struct arena *a, struct slice body)
{
	const struct json_options jo = { .max_depth = 16, .max_nodes = 4096, .replace = true };
	const struct doc *e;
	struct slice code, message;
	struct doc *d;

	if (json_read(a, body, &jo, &d, NULL) < 0)
		return NULL;
	e = doc_at(doc_get(d, "errors"), 0);
	message = doc_slice(doc_get(e ? e : d, e ? "message" : "details"));
	code = doc_slice(doc_get(e, "code"));
	if (!message.n && !code.n)
		return NULL;
	return arena_printf(a, "%.*s%s%.*s", (int)MIN(code.n, 60u), code.p ? code.p : "",
			    code.n && message.n ? ": " : "", (int)MIN(message.n, 400u),
			    message.p ? message.p : "");
}

int remote_failed(const struct ask *q, const struct reply *p, struct err *err)
{
	static const struct {
		int status;
		enum err_code code;
	} map[] = { { 400, ERR_INVALID },   { 401, ERR_UNAUTHORIZED }, { 403, ERR_FORBIDDEN },
		    { 404, ERR_NOT_FOUND }, { 405, ERR_UNSUPPORTED },  { 409, ERR_CONFLICT },
		    { 412, ERR_CONFLICT },  { 413, ERR_TOO_LARGE },    { 416, ERR_INVALID },
		    { 429, ERR_QUOTA },	    { 501, ERR_UNSUPPORTED } };
	CLEANUP(arena_free) struct arena *a = arena_new("failure", 1u << 20);
	const char *words = server_words(a, p->a.body);
	enum err_code code = p->a.status >= 500 ? ERR_UNAVAILABLE : ERR_INVALID;

	for (size_t i = 0; i < ARRAY_LEN(map); i++)
		if (map[i].status == p->a.status)
			code = map[i].code;
	return err_set(err, code, "%s: the registry answers %d%s%s%s", q->what ? q->what : q->path,
		       p->a.status, words ? " (" : "", words ? words : "", words ? ")" : "");
}

/* ---- small things ---- */

const char *remote_path(struct arena *a, const char *repo, const char *kind, const char *ref)
{
	return arena_printf(a, "/v2/%s/%s/%s", repo, kind, ref);
}

const char *remote_scope(struct arena *a, const char *repo, const char *actions)
{
	return arena_printf(a, "repository:%s:%s", repo, actions);
}

const char *remote_header(struct arena *a, const struct reply *p, const char *name)
{
	struct slice v = http_answer_header(&p->a, name);

	return v.p ? arena_strndup(a, v.p, v.n) : NULL;
}
