/* SPDX-License-Identifier: Apache-2.0 */
/* Fetching the keys of OpenID issuers. */
#include "registry/oidc.h"

#include "base/fd.h"
#include "crypto/jwt.h"
#include "crypto/x509.h"
#include "io/issuer-keys.h"
#include "io/issuer.h"
#include "registry/private.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

struct key_source {
	struct issuer_source s; /* at: of the key set; ca: a file */
	struct oidc *o;
	struct list waiters;
	size_t waiters_n;
};

struct waiter {
	struct list link;
	struct call *c;
	void (*then)(struct call *c);
};

struct oidc {
	struct registry *g;
	struct issuer_keys keys; /* its own pool: a slow issuer keeps nobody else's work waiting */
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

static int fetch(const struct issuer_source *s, struct jwks **ret, struct err *err)
{
	CLEANUP(cert_pool_unref) struct cert_pool *trust = NULL;
	struct issuer_ask from = { .name = s->issuer, .keys = s->at, .time = OIDC_TIME };

	if (read_pool(s->ca, &trust, err) < 0)
		return err_ret(err);
	from.trust = trust;
	return issuer_fetch(&from, ret, err);
}

/* ---- on the loop ---- */

static void wake(struct key_source *s)
{
	struct waiter *w;

	while ((w = LIST_FIRST(&s->waiters, struct waiter, link))) {
		struct call *c = w->c;

		list_del(&w->link);
		s->waiters_n--;
		if (!stream_is_closed(c->s) && !s->o->keys.ending)
			w->then(c);
		stream_unref(c->s); /* w lies in its arena */
	}
}

static struct key_source *source_of(struct issuer_source *s)
{
	return CONTAINER_OF(s, struct key_source, s);
}

static void fetched(struct issuer_source *x, const struct err *err)
{
	struct key_source *s = source_of(x);

	/* A key that was taken back verifies nothing any more. */
	if (!err && !s->o->keys.ending)
		auth_forget(s->o->g->auth);
	wake(s);
}

static struct issuer_source *find(struct oidc *o, const struct oidc_source *want)
{
	return issuer_keys_find(&o->keys, want->issuer, want->url, want->ca);
}

static void source_free(struct issuer_source *x)
{
	wake(source_of(x));
	free(source_of(x));
}

void oidc_begin(struct oidc *o)
{
	issuer_keys_unwant(&o->keys);
}

void oidc_want(struct oidc *o, const struct oidc_source *want)
{
	struct issuer_source *there = find(o, want);
	struct key_source *s;

	if (!there) {
		s = calloc(1, sizeof(*s));
		if (!s)
			abort();
		s->o = o;
		list_init(&s->waiters);
		there = &s->s;
		issuer_keys_add(&o->keys, there, want->issuer, want->url, want->ca);
		issuer_keys_fetch(there);
	}
	there->wanted = true;
}

void oidc_end(struct oidc *o)
{
	issuer_keys_prune(&o->keys);
}

void oidc_tick(struct oidc *o)
{
	issuer_keys_tick(&o->keys);
}

const struct jwks *oidc_keys(struct oidc *o, const struct oidc_source *want)
{
	struct issuer_source *s = find(o, want);

	return s ? s->keys : NULL;
}

bool oidc_wait(struct oidc *o, const struct oidc_source *want, const char *kid, struct call *c,
	       void (*then)(struct call *c))
{
	struct issuer_source *x = find(o, want);
	struct key_source *s = x ? source_of(x) : NULL;
	struct waiter *w;

	if (!s || issuer_source_has(x, kid) || s->waiters_n >= OIDC_WAITING_MAX)
		return false;
	if (!x->running && clock_mono() < x->asked + OIDC_AGAIN)
		return false; /* the issuer was just asked */
	issuer_keys_fetch(x);
	w = x->running ? ARENA_NEW(c->a, struct waiter) : NULL;
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
	o->keys = (struct issuer_keys){ .every = OIDC_EVERY,
					.again = 6 * OIDC_AGAIN, /* sooner than when all is well */
					.fetch = fetch,
					.fetched = fetched,
					.drop = source_free };
	issuer_keys_init(&o->keys);
	r = work_pool_new(g->loop, 2, 64, &o->keys.pool, err);
	if (r < 0)
		return r;
	*ret = STEAL(o);
	return 0;
}

void oidc_free(struct oidc *o)
{
	if (!o)
		return;
	issuer_keys_fini(&o->keys);
	free(o);
}
