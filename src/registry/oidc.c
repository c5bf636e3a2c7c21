/* SPDX-License-Identifier: Apache-2.0 */
/* Fetching the keys of OpenID issuers. */
#include "registry/oidc.h"

#include "base/fd.h"
#include "crypto/jwt.h"
#include "crypto/x509.h"
#include "io/issuer.h"
#include "registry/private.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

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
	const char *url = s->url ? s->url : s->issuer;

	if (issuer_url_is_safe(url))
		return 0;
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

static void run_fetch(struct work *w)
{
	struct key_source *s = CONTAINER_OF(w, struct key_source, work);
	CLEANUP(cert_pool_unref) struct cert_pool *trust = NULL;
	struct issuer_ask from = { .name = s->issuer, .keys = s->url, .time = OIDC_TIME };

	if (read_pool(s->ca, &trust, &s->err) < 0)
		return;
	from.trust = trust;
	(void)issuer_fetch(&from, &s->fresh, &s->err); /* told by fetched() */
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
