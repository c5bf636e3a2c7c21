/* SPDX-License-Identifier: Apache-2.0 */
/* Fetching the keys of OpenID issuers. */
#include "registry/oidc.h"

#include "base/fd.h"
#include "crypto/jwt.h"
#include "crypto/tls.h"
#include "crypto/x509.h"
#include "doc/json.h"
#include "io/http-agent.h"
#include "registry/private.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define WELL_KNOWN "/.well-known/openid-configuration"
#define DOC_MAX (256u << 10)

struct key_source {
	struct list link;
	struct oidc *o;
	char *issuer, *url, *ca; /* url, ca: NULL = none */
	struct jwks *keys;	 /* NULL = none yet */
	int64_t asked, next;	 /* clock_mono */
	bool wanted, running;
	struct list waiters;
	size_t waiters_n;
	/* of the worker */
	struct work work;
	struct jwks *fresh;
	struct err err;
};

struct waiter {
	struct list link;
	struct call *c;
	void (*then)(struct call *c);
};

struct oidc {
	struct registry *g;
	struct work_pool *pool; /* its own: a slow issuer keeps nobody else's work waiting */
	struct list sources;
	bool ending;
};

/* ---- fetching: on a worker ---- */

int oidc_check(const struct oidc_source *s, struct err *err)
{
	static const char *const local[] = { "http://127.0.0.1", "http://localhost",
					     "http://[::1]" };
	const char *url = s->url ? s->url : s->issuer;

	if (strncmp(url, "https://", 8) == 0)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(local); i++) {
		size_t n = strlen(local[i]);

		if (strncmp(url, local[i], n) == 0 && strchr(":/", url[n]))
			return 0;
	}
	return err_set(err, ERR_INVALID,
		       "'%.200s': keys come by https (or http from loopback), or from a file "
		       "(jwks)",
		       url);
}

static int read_pool(const char *ca, struct cert_pool **ret, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(4u << 20);
	int r;

	if (!ca)
		return cert_pool_system(ret, err);
	r = fd_read_file(AT_FDCWD, ca, &b, err);
	*ret = cert_pool_new();
	if (r >= 0)
		r = cert_pool_add_pem(*ret, buf_slice(&b), err);
	return r < 0 ? err_wrap(err, "caFile '%s'", ca) : 0;
}

static int get(struct http_agent *a, const char *url, struct http_answer *ret, struct err *err)
{
	const struct http_header accept = { SLICE("Accept"), SLICE("application/json") };
	struct http_call call = {
		.headers = &accept, .headers_n = 1, .body_max = JWKS_MAX, .time = OIDC_TIME / 2
	};
	int r = http_agent_call(a, url, &call, ret, err);

	if (r >= 0 && ret->status != 200)
		r = err_set(err, ERR_UNAVAILABLE, "status %d", ret->status);
	return r < 0 ? err_wrap(err, "GET %s", url) : 0;
}

/* The issuer must name itself, else another one's keys would be taken (Discovery 4.3). */
static int discover(struct key_source *s, struct http_agent *a, struct arena *arena,
		    const char **ret, struct err *err)
{
	CLEANUP(http_answer_fini) struct http_answer answer = HTTP_ANSWER_INIT;
	size_t n = strlen(s->issuer);
	const char *url = arena_printf(arena, "%.*s" WELL_KNOWN,
				       (int)(n - (n && s->issuer[n - 1] == '/')), s->issuer);
	struct oidc_source to = { .issuer = s->issuer };
	struct doc *d;
	int r = url ? get(a, url, &answer, err) : arena_quota(arena, err);

	if (r >= 0)
		r = json_read(arena, answer.body, NULL, &d, err);
	if (r < 0)
		return r;
	if (!doc_str_is(doc_get(d, "issuer"), s->issuer))
		return err_set(err, ERR_INVALID, "'%s' speaks for another issuer", url);
	to.url = doc_cstr(arena, doc_get(d, "jwks_uri"));
	if (!to.url)
		return err_set(err, ERR_INVALID, "'%s' has no jwks_uri", url);
	to.url = arena_strdup(arena, to.url);
	if (!to.url)
		return arena_quota(arena, err);
	*ret = to.url;
	return oidc_check(&to, err);
}

static int fetch(struct key_source *s, struct http_agent *a, struct err *err)
{
	CLEANUP(arena_free) struct arena *arena = arena_new("discovery", DOC_MAX * 8);
	CLEANUP(http_answer_fini) struct http_answer answer = HTTP_ANSWER_INIT;
	CLEANUP(jwks_free) struct jwks *keys = NULL;
	const char *url = s->url;
	int r = url ? 0 : discover(s, a, arena, &url, err);

	if (r >= 0)
		r = get(a, url, &answer, err);
	if (r < 0)
		return r;
	keys = jwks_new();
	r = jwks_read(keys, answer.body, err);
	if (r >= 0 && jwks_len(keys) == 0)
		r = err_set(err, ERR_INVALID, "'%s' has no key that can verify", url);
	if (r >= 0)
		s->fresh = STEAL(keys);
	return r;
}

static void run_fetch(struct work *w)
{
	struct key_source *s = CONTAINER_OF(w, struct key_source, work);
	CLEANUP(cert_pool_unref) struct cert_pool *trust = NULL;
	CLEANUP(tls_conf_unref) struct tls_conf *tls = NULL;
	CLEANUP(http_agent_free) struct http_agent *a = NULL;
	struct tls_options to = { 0 };
	struct http_agent_conf ac = { .client = { .connect_time = OIDC_TIME / 4,
						  .head_time = OIDC_TIME / 4,
						  .body_time = OIDC_TIME / 4 },
				      .names = true,
				      .retry = { .attempts_max = 1 },
				      .redirects = 3 };
	int r = read_pool(s->ca, &trust, &s->err);

	to.trust = trust;
	if (r >= 0)
		r = tls_conf_new(&to, &tls, &s->err);
	ac.client.tls = tls;
	if (r >= 0)
		r = http_agent_new(&ac, &a, &s->err);
	if (r >= 0)
		(void)fetch(s, a, &s->err); /* told by fetched() */
}

/* ---- on the loop ---- */

static void wake(struct key_source *s)
{
	struct waiter *w;

	while ((w = LIST_FIRST(&s->waiters, struct waiter, link))) {
		struct call *c = w->c;

		list_del(&w->link);
		s->waiters_n--;
		if (!stream_is_closed(c->s) && !s->o->ending)
			w->then(c);
		stream_unref(c->s); /* w lies in its arena */
	}
}

static void fetched(struct work *w)
{
	struct key_source *s = CONTAINER_OF(w, struct key_source, work);

	s->running = false;
	if (s->fresh) {
		jwks_free(s->keys);
		s->keys = STEAL(s->fresh);
		/* A key that was taken back verifies nothing any more. */
		if (!s->o->ending)
			auth_forget(s->o->g->auth);
		log_kv(LOG_LEVEL_INFO, "keys of an issuer are here", "issuer", s->issuer, NULL);
	} else {
		s->next = clock_mono() + 6 * OIDC_AGAIN; /* sooner than when all is well */
		log_kv(LOG_LEVEL_WARN, "keys of an issuer could not be fetched", "issuer",
		       s->issuer, "error", s->err.msg, NULL);
	}
	wake(s);
}

static void begin_fetch(struct key_source *s)
{
	struct err err = ERR_INIT;

	if (s->running)
		return;
	s->err = ERR_INIT;
	s->asked = clock_mono();
	s->next = s->asked + OIDC_EVERY;
	s->running = true;
	if (work_submit(s->o->pool, &s->work, run_fetch, fetched, &err) < 0) {
		s->running = false;
		s->next = s->asked + OIDC_AGAIN;
	}
}

static bool same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static struct key_source *find(struct oidc *o, const struct oidc_source *want)
{
	struct key_source *s;

	LIST_FOREACH (s, &o->sources, struct key_source, link)
		if (same(s->issuer, want->issuer) && same(s->url, want->url) &&
		    same(s->ca, want->ca))
			return s;
	return NULL;
}

static char *dup_or_null(const char *text)
{
	char *p = text ? strdup(text) : NULL;

	if (text && !p)
		abort();
	return p;
}

static void source_free(struct key_source *s)
{
	list_del(&s->link);
	jwks_free(s->keys);
	jwks_free(s->fresh);
	free(s->issuer);
	free(s->url);
	free(s->ca);
	free(s);
}

void oidc_begin(struct oidc *o)
{
	struct key_source *s;

	LIST_FOREACH (s, &o->sources, struct key_source, link)
		s->wanted = false;
}

void oidc_want(struct oidc *o, const struct oidc_source *want)
{
	struct key_source *s = find(o, want);

	if (!s) {
		s = calloc(1, sizeof(*s));
		if (!s)
			abort();
		s->o = o;
		s->issuer = dup_or_null(want->issuer);
		s->url = dup_or_null(want->url);
		s->ca = dup_or_null(want->ca);
		list_init(&s->waiters);
		list_append(&o->sources, &s->link);
		begin_fetch(s);
	}
	s->wanted = true;
}

void oidc_end(struct oidc *o)
{
	struct key_source *s;

	LIST_FOREACH (s, &o->sources, struct key_source, link)
		if (!s->wanted && !s->running && list_empty(&s->waiters))
			source_free(s);
}

void oidc_tick(struct oidc *o)
{
	int64_t now = clock_mono();
	struct key_source *s;

	LIST_FOREACH (s, &o->sources, struct key_source, link)
		if (s->wanted && now >= s->next)
			begin_fetch(s);
	oidc_end(o);
}

const struct jwks *oidc_keys(struct oidc *o, const struct oidc_source *want)
{
	struct key_source *s = find(o, want);

	return s ? s->keys : NULL;
}

static bool has_key(const struct jwks *keys, const char *kid)
{
	for (size_t i = 0; keys && i < jwks_len(keys); i++)
		if (!kid[0] || strcmp(jwks_kid(keys, i), kid) == 0)
			return true;
	return false;
}

bool oidc_wait(struct oidc *o, const struct oidc_source *want, const char *kid, struct call *c,
	       void (*then)(struct call *c))
{
	struct key_source *s = find(o, want);
	struct waiter *w;

	if (!s || has_key(s->keys, kid) || s->waiters_n >= OIDC_WAITING_MAX)
		return false;
	if (!s->running && clock_mono() < s->asked + OIDC_AGAIN)
		return false; /* the issuer was just asked */
	begin_fetch(s);
	w = s->running ? ARENA_NEW(c->a, struct waiter) : NULL;
	if (!w)
		return false;
	*w = (struct waiter){ .c = c, .then = then };
	login_park(c);
	list_append(&s->waiters, &w->link);
	s->waiters_n++;
	return true;
}

int oidc_new(struct registry *g, struct oidc **ret, struct err *err)
{
	CLEANUP(oidc_free) struct oidc *o = calloc(1, sizeof(*o));
	int r;

	if (!o)
		abort();
	o->g = g;
	list_init(&o->sources);
	r = work_pool_new(g->loop, 2, 64, &o->pool, err);
	if (r < 0)
		return r;
	*ret = STEAL(o);
	return 0;
}

void oidc_free(struct oidc *o)
{
	struct key_source *s;

	if (!o)
		return;
	o->ending = true;
	work_pool_free(o->pool);
	LIST_FOREACH (s, &o->sources, struct key_source, link) {
		wake(s);
		source_free(s);
	}
	free(o);
}
