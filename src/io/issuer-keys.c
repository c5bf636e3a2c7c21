/* SPDX-License-Identifier: Apache-2.0 */
#include "io/issuer-keys.h"

#include "base/clock.h"
#include "base/log.h"
#include "crypto/jwt.h"

#include <stdlib.h>
#include <string.h>

static void run_fetch(struct work *w)
{
	struct issuer_source *s = CONTAINER_OF(w, struct issuer_source, work);

	if (!s->of->ending)
		(void)s->of->fetch(s, &s->fresh, &s->err); /* told by on_fetched() */
}

static void on_fetched(struct work *w)
{
	struct issuer_source *s = CONTAINER_OF(w, struct issuer_source, work);
	const bool came = s->fresh != NULL;

	s->running = false;
	if (came) {
		jwks_free(s->keys);
		s->keys = STEAL(s->fresh);
		log_kv(LOG_LEVEL_INFO, "keys of an issuer are here", "issuer", s->issuer, NULL);
	} else if (!s->of->ending) {
		s->next = clock_mono() + s->of->again;
		log_kv(LOG_LEVEL_WARN, "keys of an issuer could not be fetched, it is tried again",
		       "issuer", s->issuer, "error", s->err.msg, NULL);
	}
	s->of->fetched(s, came ? NULL : &s->err);
}

void issuer_keys_fetch(struct issuer_source *s)
{
	struct err err = ERR_INIT;

	if (s->running || s->of->ending)
		return;
	s->err = ERR_INIT;
	s->asked = clock_mono();
	s->running = work_submit(s->of->pool, &s->work, run_fetch, on_fetched, &err) == 0;
	s->next = s->asked + (s->running ? s->of->every : s->of->again);
}

static bool same(const char *x, const char *y)
{
	return x && y ? strcmp(x, y) == 0 : x == y;
}

struct issuer_source *issuer_keys_find(const struct issuer_keys *k, const char *issuer,
				       const char *at, const char *ca)
{
	struct issuer_source *s;

	LIST_FOREACH (s, &k->sources, struct issuer_source, link)
		if (same(s->issuer, issuer) && same(s->at, at) && same(s->ca, ca))
			return s;
	return NULL;
}

static char *dup_text(const char *s)
{
	char *p = s ? strdup(s) : NULL;

	if (s && !p)
		abort();
	return p;
}

void issuer_keys_add(struct issuer_keys *k, struct issuer_source *s, const char *issuer,
		     const char *at, const char *ca)
{
	s->of = k;
	s->issuer = dup_text(issuer);
	s->at = dup_text(at);
	s->ca = dup_text(ca);
	list_init(&s->link);
	list_append(&k->sources, &s->link);
}

static void drop(struct issuer_source *s)
{
	list_del(&s->link);
	jwks_free(s->keys);
	jwks_free(s->fresh);
	free(s->issuer);
	free(s->at);
	free(s->ca);
	s->of->drop(s);
}

void issuer_keys_unwant(struct issuer_keys *k)
{
	struct issuer_source *s;

	LIST_FOREACH (s, &k->sources, struct issuer_source, link)
		s->wanted = false;
}

void issuer_keys_prune(struct issuer_keys *k)
{
	struct issuer_source *s;

	LIST_FOREACH (s, &k->sources, struct issuer_source, link)
		if (!s->wanted && !s->running)
			drop(s);
}

void issuer_keys_tick(struct issuer_keys *k)
{
	const int64_t now = clock_mono();
	struct issuer_source *s;

	LIST_FOREACH (s, &k->sources, struct issuer_source, link)
		if (s->wanted && now >= s->next)
			issuer_keys_fetch(s);
	issuer_keys_prune(k);
}

bool issuer_source_has(const struct issuer_source *s, const char *kid)
{
	for (size_t i = 0; s->keys && i < jwks_len(s->keys); i++)
		if (!*kid || strcmp(jwks_kid(s->keys, i), kid) == 0)
			return true;
	return false;
}

void issuer_keys_init(struct issuer_keys *k)
{
	list_init(&k->sources);
	k->ending = false;
}

void issuer_keys_fini(struct issuer_keys *k)
{
	struct issuer_source *s;

	k->ending = true;
	work_pool_free(k->pool); /* every on_fetched() has run then */
	k->pool = NULL;
	LIST_FOREACH (s, &k->sources, struct issuer_source, link)
		drop(s);
}
