/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/auth/authn-jwt-private.h"

#include "apiserver/strategy/strategy.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/loop.h"
#include "base/map.h"
#include "base/work.h"
#include "crypto/jwt.h"
#include "crypto/x509.h"
#include "doc/doc.h"
#include "io/issuer-keys.h"
#include "io/issuer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FETCH_TIME (10 * NS_PER_SEC)
#define FETCH_EVERY (3600 * NS_PER_SEC)
#define FETCH_AGAIN (10 * NS_PER_SEC)
#define LEEWAY 10 /* seconds */
#define CONFIG_MEMORY (8u << 20)
#define VERIFIED_MAX 8192

struct key_source {
	struct issuer_source s; /* at: its discovery; ca: PEM */
	struct authn_jwt *t;
	struct cert_pool *trust;
	uint64_t generation; /* of keys; no other source's is the same */
};

/* The signature of a token with this digest was verified with these keys. */
struct verified {
	unsigned char digest[SHA256_LEN];
	uint64_t generation; /* 0: empty */
};

struct authn_jwt {
	struct loop *loop;
	struct cert_pool *system;
	const char *const *accounts;
	struct issuer_keys keys;
	struct config *config;
	struct timer timer;
	uint64_t generations;
	struct map by_digest;
	unsigned oldest;
	struct verified *ring;
};

/* ---- keys ---- */

static struct key_source *source_of(struct issuer_source *s)
{
	return CONTAINER_OF(s, struct key_source, s);
}

static int fetch(const struct issuer_source *s, struct jwks **ret, struct err *err)
{
	const struct issuer_ask ask = { .name = s->issuer,
					.discovery = s->at,
					.trust = CONTAINER_OF(s, struct key_source, s)->trust,
					.time = FETCH_TIME,
					.no_redirects = true };

	return issuer_fetch(&ask, ret, err);
}

static void fetched(struct issuer_source *s, const struct err *err)
{
	if (!err)
		source_of(s)->generation = ++source_of(s)->t->generations;
}

static void source_free(struct issuer_source *s)
{
	cert_pool_unref(source_of(s)->trust);
	free(source_of(s));
}

static int on_timer(struct timer *t)
{
	issuer_keys_tick(&CONTAINER_OF(t, struct authn_jwt, timer)->keys);
	timer_set_after(t, FETCH_AGAIN);
	return 0;
}

struct key_source *key_source_of(struct authn_jwt *t, const char *issuer, const char *discovery,
				 const char *ca, struct err *err)
{
	CLEANUP(cert_pool_unref) struct cert_pool *trust = NULL;
	struct issuer_source *there = issuer_keys_find(&t->keys, issuer, discovery, ca);
	struct key_source *s;

	if (there)
		return source_of(there);
	if (ca) {
		trust = cert_pool_new();
		if (cert_pool_add_pem(trust, slice_str(ca), err) < 0)
			return NULL;
	} else {
		trust = t->system ? cert_pool_ref(t->system) : cert_pool_new();
	}
	s = calloc(1, sizeof(*s));
	if (!s)
		abort();
	s->t = t;
	s->trust = STEAL(trust);
	issuer_keys_add(&t->keys, &s->s, issuer, discovery, ca);
	return s;
}

/* ---- configurations ---- */

static void config_free(struct config *c)
{
	if (!c)
		return;
	arena_free(c->a);
	free(c);
}

static struct config *config_new(void)
{
	struct config *c = calloc(1, sizeof(*c));

	if (!c)
		abort();
	c->a = arena_new("authentication configuration", CONFIG_MEMORY);
	return c;
}

/* Of sources only those that it names are asked from now on. */
static void use(struct authn_jwt *t, struct config *c)
{
	issuer_keys_unwant(&t->keys);
	for (size_t i = 0; i < c->n; i++) {
		struct issuer_source *s = &c->rules[i].source->s;

		s->wanted = true;
		if (!s->keys)
			issuer_keys_fetch(s);
	}
	config_free(t->config);
	t->config = c;
	issuer_keys_prune(&t->keys);
}

int authn_jwt_read(struct authn_jwt *t, struct slice text, struct err *err)
{
	struct err own = ERR_INIT;
	struct config *c = config_new();

	if (authn_jwt_read_config(t, c, text, &own) < 0 || arena_exceeded(c->a)) {
		if (!own.code)
			(void)arena_quota(c->a, &own);
		config_free(c);
		if (err)
			*err = own;
		return -(int)own.code;
	}
	use(t, c);
	return 0;
}

bool authn_jwt_is_own(const struct authn_jwt *t, const char *issuer)
{
	return t->accounts && str_is_one_of(issuer, t->accounts);
}

/* ---- flags ---- */

static const char **copy_list(struct arena *a, const char *const *v, size_t *ret_n)
{
	const char **out;
	size_t n = 0;

	while (v && v[n])
		n++;
	out = ARENA_ARRAY(a, const char *, n + 1);
	for (size_t i = 0; out && i < n; i++)
		if (!(out[i] = arena_strdup(a, v[i])))
			return NULL;
	*ret_n = n;
	return out;
}

static int flag_wrong(struct err *err, const char *flag, const char *why)
{
	return err_set(err, ERR_INVALID, "--oidc-%s: %s", flag, why);
}

static int flag_required(const struct authn_oidc *o, struct arena *a, struct rule *to,
			 struct err *err)
{
	size_t n;
	const char **v = copy_list(a, o->required, &n);

	to->required = v ? ARENA_ARRAY(a, struct claim, n + 1) : NULL;
	if (!to->required)
		return arena_quota(a, err);
	for (size_t i = 0; i < n; i++) {
		char *eq = strchr(v[i], '=');

		if (!eq || eq == v[i])
			return flag_wrong(err, "required-claim", "must be CLAIM=VALUE");
		to->required[to->nrequired++] =
			(struct claim){ .name = arena_strndup(a, v[i], (size_t)(eq - v[i])),
					.want = eq + 1 };
	}
	return 0;
}

static const char *flag_prefix(const struct authn_oidc *o, struct arena *a)
{
	bool email = o->user && strcmp(o->user, "email") == 0;

	if (o->user_prefix)
		return strcmp(o->user_prefix, "-") == 0 ? "" : arena_strdup(a, o->user_prefix);
	return email ? "" : arena_printf(a, "%s#", o->issuer);
}

static int set_flags(struct authn_jwt *t, const struct authn_oidc *o, struct config *c,
		     struct err *err)
{
	static const char *const rs256[] = { "RS256", NULL };
	static const char *const known[] = { "RS256", "RS384", "RS512", "ES256", "ES384",
					     "ES512", "PS256", "PS384", "PS512", NULL };
	struct rule *to = &c->rules[0];
	const char *aud[] = { o->client, NULL }, *ca = NULL;
	const char *issuer = o->issuer ? o->issuer : "", *why;

	if (!o->client || !*o->client)
		return flag_wrong(err, "client-id", "goes with --oidc-issuer-url");
	why = authn_jwt_bad_url(c->a, issuer);
	if (why)
		return flag_wrong(err, "issuer-url", why);
	if (authn_jwt_is_own(t, issuer))
		return flag_wrong(err, "issuer-url", "is the one of service accounts");
	to->issuer = arena_strdup(c->a, o->issuer);
	to->audiences = copy_list(c->a, aud, &to->naudiences);
	to->algs = copy_list(c->a, o->algs && *o->algs ? o->algs : rs256, &to->nalgs);
	to->user = arena_strdup(c->a, o->user ? o->user : "sub");
	to->user_prefix = flag_prefix(o, c->a);
	to->groups = o->groups ? arena_strdup(c->a, o->groups) : NULL;
	to->groups_prefix = arena_strdup(c->a, o->groups_prefix ? o->groups_prefix : "");
	if (o->ca.n)
		ca = arena_strndup(c->a, o->ca.p, o->ca.n);
	if (arena_exceeded(c->a))
		return arena_quota(c->a, err);
	for (size_t i = 0; i < to->nalgs; i++)
		if (!str_is_one_of(to->algs[i], known))
			return flag_wrong(err, "signing-algs", "names one that is not supported");
	if (flag_required(o, c->a, to, err) < 0)
		return err_ret(err);
	to->source = key_source_of(t, to->issuer, NULL, ca, err);
	if (!to->source)
		return err_wrap(err, "--oidc-ca-file");
	c->n = 1;
	return 0;
}

int authn_jwt_set_flags(struct authn_jwt *t, const struct authn_oidc *o, struct err *err)
{
	struct config *c = config_new();

	if (set_flags(t, o, c, err) < 0) {
		config_free(c);
		return err_ret(err);
	}
	use(t, c);
	return 0;
}

/* ---- tokens ---- */

static int refuse(struct err *err, const char *why)
{
	return err_set(err, ERR_UNAUTHORIZED, "oidc: %s", why);
}

static void remember(struct authn_jwt *t, const struct key_source *s, const unsigned char *digest)
{
	struct verified *v = &t->ring[t->oldest++ % VERIFIED_MAX];

	if (v->generation)
		(void)map_del(&t->by_digest, slice_of((char *)v->digest, SHA256_LEN));
	memcpy(v->digest, digest, SHA256_LEN);
	v->generation = s->generation;
	(void)map_put(&t->by_digest, slice_of((char *)v->digest, SHA256_LEN), v);
}

static int verify(struct authn_jwt *t, const struct rule *r, struct slice token, int64_t now,
		  struct arena *a, struct err *err)
{
	static const char *const usual[] = { "RS256", "RS384", "RS512", "ES256", "ES384",
					     "ES512", "PS256", "PS384", "PS512" };
	const struct jwt_check check = {
		.iss = r->issuer,
		.algs = r->nalgs ? r->algs : usual,
		.algs_n = r->nalgs ? r->nalgs : ARRAY_LEN(usual),
		.now = now,
		.leeway = LEEWAY,
	};
	unsigned char d[SHA256_LEN];
	struct verified *v;
	struct sha256 s;
	struct jwt j;

	sha256_init(&s);
	sha256_update(&s, token.p, token.n);
	sha256_final(&s, d);
	v = map_get(&t->by_digest, slice_of((char *)d, sizeof(d)));
	if (v && v->generation == r->source->generation)
		return 0;
	if (jwt_verify(r->source->s.keys, token, &check, a, &j, err) < 0)
		return err_wrap(err, "oidc");
	if (v)
		v->generation = r->source->generation;
	else
		remember(t, r->source, d);
	return 0;
}

/* What the first look and every later one asks. */
static int check_times(const struct jwt *j, int64_t now, struct err *err)
{
	if (j->exp == INT64_MAX)
		return refuse(err, "the token has no end");
	if (now >= j->exp && now - j->exp >= LEEWAY)
		return refuse(err, "the token is expired");
	if (j->nbf != INT64_MIN && now < j->nbf && j->nbf - now > LEEWAY)
		return refuse(err, "the token is not valid yet");
	return 0;
}

static int check_audience(const struct rule *r, const struct jwt *j, struct err *err)
{
	const struct doc *aud = doc_get(j->claims, "aud");

	for (size_t i = 0; i < r->naudiences; i++) {
		if (doc_str_is(aud, r->audiences[i]))
			return 0;
		DOC_EACH (one, aud)
			if (doc_str_is(one, r->audiences[i]))
				return 0;
	}
	return refuse(err, "the token is for another audience");
}

static int check_required(const struct rule *r, const struct jwt *j, struct err *err)
{
	for (size_t i = 0; i < r->nrequired; i++) {
		const struct doc *v = doc_get(j->claims, r->required[i].name);

		if (!doc_str_is(v, r->required[i].want))
			return err_set(err, ERR_UNAUTHORIZED,
				       "oidc: the claim \"%.100s\" is not the required one",
				       r->required[i].name);
	}
	return 0;
}

static const char *text_claim(struct arena *a, const struct jwt *j, const char *name)
{
	const struct doc *v = doc_get(j->claims, name);
	const char *s = doc_is(v, DOC_STRING) ? doc_cstr(a, v) : NULL;

	return s && *s ? s : NULL;
}

static int tell_groups(const struct rule *r, const struct jwt *j, struct arena *a,
		       struct strategy_user *u, struct err *err)
{
	const struct doc *v = r->groups ? doc_get(j->claims, r->groups) : NULL;
	size_t len = doc_is(v, DOC_STRING) ? 1 : doc_is(v, DOC_ARRAY) ? doc_len(v) : 0, n = 0;
	const char **groups = ARENA_ARRAY(a, const char *, len + 2);

	if (!groups)
		return arena_quota(a, err);
	if (v && !doc_is(v, DOC_STRING) && !doc_is(v, DOC_ARRAY) && !doc_is(v, DOC_NULL))
		return refuse(err, "the claim of groups is neither a text nor a list");
	for (size_t i = 0; i < len; i++) {
		const struct doc *one = doc_is(v, DOC_STRING) ? v : doc_at(v, i);
		const char *s = doc_is(one, DOC_STRING) ? doc_cstr(a, one) : NULL;

		if (!s)
			return refuse(err, "a group is no text");
		groups[n] = arena_printf(a, "%s%s", r->groups_prefix, s);
		if (!groups[n++])
			return arena_quota(a, err);
	}
	u->groups = groups;
	return 0;
}

static int add_known(struct arena *a, struct strategy_user *u, struct err *err)
{
	static const char known[] = "system:authenticated";
	const char **groups;
	size_t n = 0;

	if (str_is_one_of(known, u->groups))
		return 0;
	while (u->groups[n])
		n++;
	groups = ARENA_ARRAY(a, const char *, n + 2);
	if (!groups)
		return arena_quota(a, err);
	memcpy(groups, u->groups, n * sizeof(*groups));
	groups[n] = known;
	u->groups = groups;
	return 0;
}

static int tell_name(const struct rule *r, const struct jwt *j, struct arena *a,
		     struct strategy_user *u, struct err *err)
{
	const char *name = text_claim(a, j, r->user);
	const struct doc *mail = doc_get(j->claims, "email_verified");

	if (!name)
		return err_set(err, ERR_UNAUTHORIZED, "oidc: the claim \"%.100s\" is no text",
			       r->user);
	if (strcmp(r->user, "email") == 0 && mail && !doc_true(mail))
		return refuse(err, "the email is not verified");
	u->name = arena_printf(a, "%s%s", r->user_prefix, name);
	return 0;
}

static int tell_user(const struct rule *r, const struct jwt *j, struct arena *a,
		     struct strategy_user *u, struct err *err)
{
	const char *id = text_claim(a, j, "jti");

	if (r->user && tell_name(r, j, a, u, err) < 0)
		return err_ret(err);
	u->uid = r->uid ? text_claim(a, j, r->uid) : "";
	if (!u->uid)
		return refuse(err, "the claim of the uid is no text");
	if (id) {
		struct doc *extra = doc_new_object(a);

		doc_append_str(
			a, doc_set_array(a, extra, "authentication.kubernetes.io/credential-id"),
			arena_printf(a, "JTI=%s", id));
		u->extra = extra;
	}
	if (tell_groups(r, j, a, u, err) < 0 || claims_map(&r->cel, j->claims, a, u, err) < 0)
		return err_ret(err);
	return arena_exceeded(a) ? arena_quota(a, err) : 0;
}

int authn_jwt_check(struct authn_jwt *t, struct slice token, const char *const *wanted, int64_t now,
		    struct arena *a, struct authn_found *ret, struct err *err)
{
	const struct rule *r = NULL;
	struct err none = ERR_INIT;
	struct jwt j;

	(void)wanted;
	if (!t->config || !t->config->n || token.n > JWT_MAX || jwt_peek(token, a, &j, &none) < 0)
		return 0;
	for (size_t i = 0; i < t->config->n && !r; i++)
		if (strcmp(t->config->rules[i].issuer, j.iss) == 0)
			r = &t->config->rules[i];
	if (!r)
		return 0;
	if (!r->source->s.keys)
		return refuse(err, "the keys of the issuer are not known yet");
	if (!issuer_source_has(&r->source->s, j.kid) &&
	    clock_mono() >= r->source->s.asked + FETCH_AGAIN)
		issuer_keys_fetch(&r->source->s); /* a new one, perhaps: for the tokens to come */
	*ret = (struct authn_found){ .user.uid = "" };
	if (check_times(&j, now, err) < 0 || verify(t, r, token, now, a, err) < 0 ||
	    check_audience(r, &j, err) < 0 || tell_user(r, &j, a, &ret->user, err) < 0 ||
	    check_required(r, &j, err) < 0 ||
	    claims_check(&r->cel, j.claims, &ret->user, a, err) < 0 ||
	    add_known(a, &ret->user, err) < 0)
		return err_ret(err);
	return 1;
}

int authn_jwt_anonymous(const struct authn_jwt *t, const char *path)
{
	const struct config *c = t->config;

	if (!c || !c->says_anonymous)
		return -1;
	return c->anonymous && (!c->paths || str_is_one_of(path, c->paths)) ? 1 : 0;
}

size_t authn_jwt_issuers(const struct authn_jwt *t, size_t *ret_ready)
{
	size_t ready = 0;

	for (size_t i = 0; t->config && i < t->config->n; i++)
		ready += t->config->rules[i].source->s.keys != NULL;
	if (ret_ready)
		*ret_ready = ready;
	return t->config ? t->config->n : 0;
}

/* ---- life ---- */

int authn_jwt_new(const struct authn_jwt_conf *conf, struct authn_jwt **ret, struct err *err)
{
	CLEANUP(authn_jwt_free) struct authn_jwt *t = calloc(1, sizeof(*t));

	if (!t)
		abort();
	t->loop = conf->loop;
	t->accounts = conf->accounts;
	t->system = conf->system ? cert_pool_ref(conf->system) : NULL;
	t->keys = (struct issuer_keys){ .every = FETCH_EVERY,
					.again = FETCH_AGAIN,
					.fetch = fetch,
					.fetched = fetched,
					.drop = source_free };
	issuer_keys_init(&t->keys);
	map_init(&t->by_digest);
	timer_init(&t->timer, conf->loop, on_timer);
	t->ring = calloc(VERIFIED_MAX, sizeof(*t->ring));
	if (!t->ring)
		abort();
	if (work_pool_new(conf->loop, 2, 4 * AUTHN_JWT_ISSUERS_MAX, &t->keys.pool, err) < 0)
		return err_ret(err);
	timer_set_after(&t->timer, FETCH_AGAIN);
	*ret = STEAL(t);
	return 0;
}

void authn_jwt_free(struct authn_jwt *t)
{
	if (!t)
		return;
	issuer_keys_fini(&t->keys);
	timer_fini(&t->timer);
	config_free(t->config);
	map_fini(&t->by_digest);
	free(t->ring);
	cert_pool_unref(t->system);
	free(t);
}
