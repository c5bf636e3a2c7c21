/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registry client's life and requests: which host, which scheme, redirects, retries. What is
 * asked is in remote-pull.c and remote-push.c, who we are in remote-auth.c.
 */
#include "base/clock.h"
#include "base/fd.h"
#include "crypto/key.h"
#include "crypto/tls.h"
#include "crypto/x509.h"
#include "doc/json.h"
#include "image/remote-priv.h"
#include "io/retry.h"
#include "io/url.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ARENA_MAX (4u << 20)
#define REDIRECTS_MAX 8
#define TRIES 5
#define WAIT_MAX (60 * NS_PER_SEC)

/* ---- hosts ---- */

static bool is_loopback(const char *host)
{
	const char *colon = host[0] == '[' ? strstr(host, "]:") : strchr(host, ':');
	size_t n = colon ? (size_t)(colon - host) + (host[0] == '[') : strlen(host);
	struct in_addr v4;
	char name[64];

	if (n >= sizeof(name))
		return false;
	memcpy(name, host, n);
	name[n] = '\0';
	/* An address, not a name that looks like one. */
	if (inet_pton(AF_INET, name, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == 127;
	return strcmp(name, "localhost") == 0 || strcmp(name, "[::1]") == 0;
}

/* Docker Hub's API is not at its name. */
static const char *api_host(const char *host)
{
	return strcmp(host, "docker.io") == 0 || strcmp(host, "index.docker.io") == 0
		       ? "registry-1.docker.io"
		       : host;
}

/* ---- certificates of a host: in <dir>/<host>, NAME.crt to trust, NAME.cert with NAME.key to show
 * ---- */

struct client_pair {
	struct cert *chain[8];
	size_t n;
	struct key *key;
};

static int read_pair(int dir, const char *cert, struct client_pair *p, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1u << 20);
	char name[256];
	int r;

	(void)str_copy(name, sizeof(name), cert);
	memcpy(name + strlen(name) - 5, ".key", 5); /* ".cert" is one longer */
	r = fd_read_file(dir, cert, &b, err);
	if (r >= 0)
		r = cert_read(buf_slice(&b), p->chain, ARRAY_LEN(p->chain), &p->n, err);
	buf_clear(&b);
	if (r >= 0)
		r = fd_read_file(dir, name, &b, err);
	return r < 0 ? r : key_read(buf_slice(&b), &p->key, err);
}

static int read_certs(int dirfd, struct cert_pool *trust, struct client_pair *pair, struct err *err)
{
	CLEANUP(fd_close) int copy = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = copy >= 0 ? fdopendir(copy) : NULL;
	struct dirent *de;
	int r = 0;

	if (!d)
		return err_sys(err, "list a host's certificates");
	(void)STEAL_FD(copy);
	while (r >= 0 && (de = readdir(d))) {
		struct slice name = slice_str(de->d_name);

		if (slice_ends(name, SLICE(".crt"))) {
			CLEANUP(buf_fini) struct buf b = BUF_INIT(4u << 20);

			r = fd_read_file(dirfd, de->d_name, &b, err);
			if (r >= 0)
				r = cert_pool_add_pem(trust, buf_slice(&b), err);
		} else if (slice_ends(name, SLICE(".cert")) && !pair->key && name.n < 250) {
			r = read_pair(dirfd, de->d_name, pair, err);
		}
		if (r < 0)
			r = err_wrap(err, "'%s'", de->d_name);
	}
	closedir(d);
	return r;
}

static void pair_fini(struct client_pair *p)
{
	for (size_t i = 0; i < p->n; i++)
		cert_unref(p->chain[i]);
	key_unref(p->key);
}

static int make_tls(struct remote *r, struct endpoint *e, struct err *err)
{
	static const char *const alpn[] = { "http/1.1" };
	CLEANUP(cert_pool_unref) struct cert_pool *trust = NULL;
	CLEANUP(fd_close) int dir = -1;
	struct client_pair pair = { 0 };
	struct tls_identity id;
	struct tls_options o = { .insecure = r->conf.insecure,
				 .alpn = alpn,
				 .alpn_n = ARRAY_LEN(alpn) };
	char path[512];
	int ret = 0;

	if (cert_pool_system(&trust, NULL) < 0) /* a host without any: only certs_dir counts */
		trust = cert_pool_new();
	(void)snprintf(path, sizeof(path), "%s/%s",
		       r->conf.certs_dir ? r->conf.certs_dir : "/etc/docker/certs.d", e->host);
	dir = openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir >= 0)
		ret = read_certs(dir, trust, &pair, err);
	id = (struct tls_identity){ .chain = pair.chain, .chain_n = pair.n, .key = pair.key };
	o.trust = trust;
	if (pair.key) {
		o.ids = &id;
		o.ids_n = 1;
	}
	if (ret >= 0)
		ret = tls_conf_new(&o, &e->tls, err);
	pair_fini(&pair);
	return ret < 0 ? err_wrap(err, "certificates for '%s' in '%s'", e->host, path) : 0;
}

/* ---- life ---- */

static int endpoint_init(struct remote *r, struct endpoint *e, const char *host, const char *prefix,
			 struct err *err)
{
	e->host = arena_strdup(r->arena, host);
	e->prefix = arena_strdup(r->arena, prefix);
	e->plain_ok = r->conf.insecure || is_loopback(host);
	return make_tls(r, e, err);
}

static void endpoint_fini(struct endpoint *e)
{
	while (e->nidle)
		http_client_free(e->idle[--e->nidle]);
	tls_conf_unref(e->tls);
	auth_fini(e);
}

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
	ret = endpoint_init(r, e, host, strcmp(u.path, "/") == 0 ? "" : u.path, err);
	r->nmirrors++;
	e->mirror = true;
	e->scheme = strcmp(u.scheme, "https") == 0 ? SCHEME_HTTPS : SCHEME_HTTP;
	return ret;
}

static char *copy(struct remote *r, const char *s)
{
	return s && s[0] ? arena_strdup(r->arena, s) : NULL;
}

static int init(struct remote *r, struct err *err)
{
	struct remote_conf *c = &r->conf;
	int ret;

	c->host = copy(r, c->host);
	c->certs_dir = copy(r, c->certs_dir);
	c->agent = copy(r, c->agent);
	c->auth.username = copy(r, c->auth.username);
	c->auth.password = copy(r, c->auth.password);
	c->auth.identity_token = copy(r, c->auth.identity_token);
	c->auth.registry_token = copy(r, c->auth.registry_token);
	if (!c->host)
		return err_set(err, ERR_BAD_REQUEST, "a registry needs a host");
	ret = endpoint_init(r, &r->own, api_host(c->host), "", err);
	r->mirrors = ARENA_ARRAY(r->arena, struct endpoint, c->nmirrors + 1);
	for (size_t i = 0; i < c->nmirrors && ret >= 0; i++)
		ret = add_mirror(r, c->mirrors[i], err);
	return ret;
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
	endpoint_fini(&r->own);
	for (size_t i = 0; i < r->nmirrors; i++)
		endpoint_fini(&r->mirrors[i]);
	wipe(r->conf.auth.password);
	wipe(r->conf.auth.identity_token);
	wipe(r->conf.auth.registry_token);
	pthread_mutex_destroy(&r->lock);
	arena_free(r->arena);
	free(r);
}

/* ---- connections ---- */

static int new_client(struct remote *r, const struct endpoint *e, bool https,
		      struct http_client **ret, struct err *err)
{
	struct http_client_conf c = { .agent = r->conf.agent,
				      .http2 = HTTP2_NEVER,
				      .tls = https ? e->tls : NULL,
				      .host = e->host,
				      .connections_max = 1,
				      .connect_time = 30 * NS_PER_SEC,
				      .head_time = 120 * NS_PER_SEC,
				      .body_time = 120 * NS_PER_SEC };
	char address[320];

	(void)snprintf(address, sizeof(address), "%s://%s", https ? "https" : "http", e->host);
	return http_client_new(NULL, address, &c, ret, err);
}

static int take_client(struct remote *r, struct endpoint *e, bool https, struct http_client **ret,
		       struct err *err)
{
	*ret = NULL;
	pthread_mutex_lock(&r->lock);
	if (e->nidle)
		*ret = e->idle[--e->nidle];
	pthread_mutex_unlock(&r->lock);
	return *ret ? 0 : new_client(r, e, https, ret, err);
}

void reply_fini(struct remote *r, struct reply *p)
{
	http_answer_fini(&p->a);
	if (p->client && p->keep && p->e) {
		pthread_mutex_lock(&r->lock);
		if (p->e->nidle < REMOTE_IDLE)
			p->e->idle[p->e->nidle++] = STEAL(p->client);
		pthread_mutex_unlock(&r->lock);
	}
	http_client_free(p->client);
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

static int exchange(struct remote *r, const struct ask *q, const char *target, const char *auth,
		    struct reply *p, bool *ret_taken, struct err *err)
{
	struct http_header headers[ARRAY_LEN(q->headers) + 1];
	struct buf body = BUF_INIT(REMOTE_BODY_MAX);
	struct flow f = { .q = q, .p = p, .offset = q->offset, .body = &body };
	struct http_call call = { .method = q->method,
				  .target = target,
				  .headers = headers,
				  .body = q->body,
				  .consume = on_consume,
				  .arg = &f };
	int ret;

	(void)r;
	for (size_t i = 0; i < q->nheaders; i++)
		headers[call.headers_n++] = (struct http_header){ slice_str(q->headers[i][0]),
								  slice_str(q->headers[i][1]) };
	if (auth)
		headers[call.headers_n++] =
			(struct http_header){ SLICE("Authorization"), slice_str(auth) };
	if (q->produce) {
		call.produce = on_produce;
		call.length = q->length;
	}
	ret = http_client_call(p->client, &call, &p->a, err);
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

/* ---- redirects ---- */

/* Another host by a URL: its own connection, and never our credentials. */
static int foreign(struct remote *r, const struct ask *q, const char *url, struct reply *p,
		   bool *ret_taken, struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("redirect", 64 << 10);
	struct endpoint e = { 0 };
	const char *path;
	bool https;
	char host[300];
	size_t n;
	int ret;

	https = strncmp(url, "https://", 8) == 0;
	if (!https && strncmp(url, "http://", 7) != 0)
		return err_set(err, ERR_INVALID, "redirected to '%.200s', which is no web address",
			       url);
	url += https ? 8 : 7;
	path = url + strcspn(url, "/?");
	n = (size_t)(path - url);
	if (!n || n >= sizeof(host) || memchr(url, '@', n))
		return err_set(err, ERR_INVALID, "redirected to a host of no valid form");
	memcpy(host, url, n);
	host[n] = '\0';
	if (!https && !r->conf.insecure && !is_loopback(host))
		return err_set(err, ERR_INVALID,
			       "redirected to '%s' by plain HTTP, which only insecure registries "
			       "may do",
			       host);
	ret = endpoint_init(r, &e, host, "", err);
	if (ret >= 0)
		ret = new_client(r, &e, https, &p->client, err);
	if (ret >= 0)
		ret = exchange(r, q, path[0] == '/' ? path : arena_printf(a, "/%s", path), NULL, p,
			       ret_taken, err);
	p->e = NULL; /* not kept */
	endpoint_fini(&e);
	return ret;
}

static bool redirects(int status)
{
	return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* The target on this endpoint's own host, or NULL when the URL is of another one. */
static const char *local_target(struct endpoint *e, const char *url)
{
	const char *scheme = e->scheme == SCHEME_HTTP ? "http://" : "https://";
	size_t n = strlen(scheme), h = strlen(e->host);

	if (url[0] == '/' && url[1] != '/')
		return url;
	if (strncmp(url, scheme, n) != 0 || strncasecmp(url + n, e->host, h) != 0)
		return NULL;
	return url[n + h] == '/' ? url + n + h : NULL;
}

/* ---- schemes ---- */

/* Is it HTTPS there, or plain HTTP where that is allowed? Asked once. */
static int find_scheme(struct remote *r, struct endpoint *e, struct err *err)
{
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

		ret = new_client(r, e, !plain, &p.client, err);
		if (ret >= 0)
			ret = exchange(r, &q, "/v2/", NULL, &p, &taken, err);
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

static int once(struct remote *r, struct endpoint *e, const struct ask *q, struct reply *p,
		bool *ret_taken, struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("request", 256 << 10);
	const char *target = q->path, *auth;
	int ret = 0;

	*ret_taken = false;
	if (target[0] != '/')
		target = local_target(e, target);
	else if (e->prefix[0])
		target = arena_printf(a, "%s%s", e->prefix, target);
	if (!target)
		return foreign(r, q, q->path, p, ret_taken, err);
	for (int i = 0; i < REDIRECTS_MAX; i++) {
		const char *where;

		ret = take_client(r, e, e->scheme == SCHEME_HTTPS, &p->client, err);
		if (ret < 0)
			return ret;
		p->e = e;
		auth = q->no_auth ? NULL : auth_header(r, e, q->scope, a);
		ret = exchange(r, q, target, auth, p, ret_taken, err);
		where = ret < 0 || !redirects(p->a.status) ? NULL : remote_header(a, p, "Location");
		if (!where)
			return ret;
		reply_fini(r, p);
		target = local_target(e, where);
		if (!target)
			return foreign(r, q, where, p, ret_taken, err);
	}
	return err_set(err, ERR_INVALID, "more than %d redirects", REDIRECTS_MAX);
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
		int64_t delay;

		*ret = REPLY_INIT;
		if (remote_cancelled(r, err))
			return err_ret(err);
		n = find_scheme(r, e, &why);
		if (n >= 0)
			n = once(r, e, q, ret, &taken, &why);
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
