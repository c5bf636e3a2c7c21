/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/auth/account-token.h"

#include "apiserver/auth/account.h"
#include "apiserver/objects/codec.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/map.h"
#include "crypto/aead.h"
#include "crypto/jwt.h"
#include "crypto/key.h"
#include "doc/json.h"

#include <stdlib.h>
#include <string.h>

#define LEGACY_ISSUER "kubernetes/serviceaccount"
#define CLAIM "kubernetes.io/serviceaccount/"
#define EXTRA "authentication.kubernetes.io/"
#define AUDIENCES_MAX 64
#define OBJECT_MAX (16u << 20)
#define DAY 86400

/* What a token may be bound to besides its account. */
enum bond { BOND_ACCOUNT, BOND_POD, BOND_SECRET, BOND_NODE, BONDS };
static const struct {
	const char *resource, *claim, *word;
} bonds[BONDS] = {
	[BOND_ACCOUNT] = { "serviceaccounts", "serviceaccount", "service account" },
	[BOND_POD] = { "pods", "pod", "pod" },
	[BOND_SECRET] = { "secrets", "secret", "secret" },
	[BOND_NODE] = { "nodes", "node", "node" },
};

/* An object as it was when it was looked at last. */
struct seen {
	int64_t revision; /* 0: not yet */
	int64_t gone_at;  /* seconds: it counts as gone from then on */
	bool automatic;	  /* a Secret: its account names it */
	int64_t used;	  /* a Secret: the day since 1970 that its label tells */
};

/* What a good token says; texts are its own. */
struct token {
	unsigned char digest[SHA256_LEN];
	const char *ns, *user, *group, *id; /* id: as credential-id tells it; NULL: none */
	struct account_claim bond[BONDS];   /* name NULL: not bound to one */
	const char *key[BONDS];		    /* of the object in its cache */
	struct seen seen[BONDS];
	int64_t end, begin, warn_after; /* seconds; end INT64_MAX: none */
	const char **audiences;		/* NULL-terminated; none: whoever this server is for */
	bool legacy;
	char *memory;
};

struct account_tokens {
	struct jwks *keys;
	const char *signer; /* id of the key; of `keys` */
	char **issuers, **audiences;
	char *jwks_uri;
	int64_t life_max;
	bool extend;
	const struct resources *rs;
	const struct collection *objects[BONDS];
	struct map by_digest;
	struct token **ring;
	size_t next;
	void (*used)(void *arg, struct slice secret);
	void *used_arg;
};

static char **copy_texts(const char *const *v, size_t n)
{
	char **out = calloc(n + 1, sizeof(*out));

	if (!out)
		abort();
	for (size_t i = 0; i < n; i++)
		if (!(out[i] = strdup(v[i])))
			abort();
	return out;
}

static void free_texts(char **v)
{
	for (size_t i = 0; v && v[i]; i++)
		free(v[i]);
	free(v);
}

int account_tokens_new(const struct account_tokens_conf *conf, struct account_tokens **ret,
		       struct err *err)
{
	struct account_tokens *t;

	if (!conf->nissuers)
		return err_set(err, ERR_INVALID, "tokens need an issuer");
	if (conf->nissuers > AUDIENCES_MAX || conf->naudiences > AUDIENCES_MAX)
		return err_set(err, ERR_TOO_LARGE, "more than %d issuers or audiences",
			       AUDIENCES_MAX);
	t = calloc(1, sizeof(*t));
	if (!t)
		abort();
	t->keys = jwks_new();
	t->issuers = copy_texts(conf->issuers, conf->nissuers);
	t->audiences = conf->naudiences ? copy_texts(conf->audiences, conf->naudiences)
					: copy_texts(conf->issuers, conf->nissuers);
	t->jwks_uri = conf->jwks_uri ? strdup(conf->jwks_uri) : NULL;
	t->life_max = conf->life_max;
	t->extend = conf->extend;
	map_init(&t->by_digest);
	t->ring = calloc(ACCOUNT_TOKENS_KEPT, sizeof(struct token *));
	if (!t->ring)
		abort();
	*ret = t;
	return 0;
}

static void token_free(struct token *k)
{
	free(k->memory);
	free(k);
}

void account_tokens_free(struct account_tokens *t)
{
	if (!t)
		return;
	map_fini(&t->by_digest);
	for (size_t i = 0; i < ACCOUNT_TOKENS_KEPT; i++)
		if (t->ring[i])
			token_free(t->ring[i]);
	free(t->ring);
	jwks_free(t->keys);
	free_texts(t->issuers);
	free_texts(t->audiences);
	free(t->jwks_uri);
	free(t);
}

void account_tokens_set_objects(struct account_tokens *t, const struct resources *rs)
{
	t->rs = rs;
	for (size_t i = 0; i < BONDS; i++)
		t->objects[i] = resources_objects(rs, "", bonds[i].resource);
}

const char *account_tokens_issuer(const struct account_tokens *t)
{
	return t->issuers[0];
}

const char *const *account_tokens_audiences(const struct account_tokens *t)
{
	return (const char *const *)t->audiences;
}

void account_tokens_set_used(struct account_tokens *t, void (*used)(void *arg, struct slice secret),
			     void *arg)
{
	t->used = used;
	t->used_arg = arg;
}

size_t account_tokens_kept(const struct account_tokens *t)
{
	return map_count(&t->by_digest);
}

/* ---- keys ---- */

/* Upstream's id of a key: the digest of its public part, so that each believes the other's. */
static int key_id(const struct key *k, char id[JWK_THUMBPRINT + 1], struct err *err)
{
	CLEANUP(buf_fini) struct buf der = BUF_INIT(65536);
	struct sha256 s;
	unsigned char d[SHA256_LEN];
	char text[BASE64_LEN(SHA256_LEN) + 1];

	if (key_write_der(k, KEY_PUBLIC, &der, err) < 0)
		return err_ret(err);
	sha256_init(&s);
	sha256_update(&s, der.p, der.n);
	sha256_final(&s, d);
	base64_encode(text, d, sizeof(d));
	for (size_t i = 0; i < JWK_THUMBPRINT; i++)
		id[i] = (char)(text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i]);
	id[JWK_THUMBPRINT] = '\0';
	return 0;
}

int account_tokens_add_key(struct account_tokens *t, struct key *k, bool signs, struct err *err)
{
	char id[JWK_THUMBPRINT + 1];

	if (key_type(k) == KEY_ED25519)
		return err_set(err, ERR_UNSUPPORTED,
			       "a key of %s does not sign tokens: RSA or ECDSA", key_type_name(k));
	if (signs && !key_is_private(k))
		return err_set(err, ERR_INVALID, "the key has no private part");
	if (key_id(k, id, err) < 0)
		return err_ret(err);
	if (signs) /* it may be there as a public one */
		(void)jwks_remove(t->keys, id);
	for (size_t i = 0; i < jwks_len(t->keys); i++)
		if (strcmp(jwks_kid(t->keys, i), id) == 0)
			return 0;
	if (jwks_add(t->keys, k, id, key_scheme_name(key_scheme_of(k)), err) < 0)
		return err_ret(err);
	for (size_t i = 0; signs && i < jwks_len(t->keys); i++)
		if (strcmp(jwks_kid(t->keys, i), id) == 0)
			t->signer = jwks_kid(t->keys, i);
	return 0;
}

int account_tokens_read_keys(struct account_tokens *t, struct slice pem, struct err *err)
{
	static const struct slice begin = SLICE("-----BEGIN "), end = SLICE("-----END ");
	size_t found = 0;

	while (pem.n) {
		const char *from = memmem(pem.p, pem.n, begin.p, begin.n), *to;
		CLEANUP(key_unref) struct key *k = NULL;
		struct slice one;

		if (!from)
			break;
		pem = slice_of(from, pem.n - (size_t)(from - pem.p));
		to = memmem(pem.p, pem.n, end.p, end.n);
		to = to ? memchr(to, '\n', pem.n - (size_t)(to - pem.p)) : NULL;
		one = slice_of(pem.p, to ? (size_t)(to - pem.p) + 1 : pem.n);
		pem = slice_of(pem.p + one.n, pem.n - one.n);
		if (!slice_has_text(slice_of(one.p, MIN(one.n, (size_t)64)), SLICE("KEY-----")))
			continue;
		if (key_read(one, &k, err) < 0 || account_tokens_add_key(t, k, false, err) < 0)
			return err_ret(err);
		found++;
	}
	return found ? 0 : err_set(err, ERR_INVALID, "there is no key in it");
}

bool account_tokens_has_keys(const struct account_tokens *t)
{
	return jwks_len(t->keys) > 0;
}

bool account_tokens_can_sign(const struct account_tokens *t)
{
	return t->signer != NULL;
}

/* ---- making ---- */

static void put_claim(struct arena *a, struct doc *d, const char *name,
		      const struct account_claim *c)
{
	struct doc *o;

	if (!c)
		return;
	o = doc_set_object(a, d, name);
	doc_set_str(a, o, "name", c->name);
	if (c->uid)
		doc_set_str(a, o, "uid", c->uid);
}

static const char *user_name(struct arena *a, const char *ns, const char *name)
{
	return arena_printf(a, ACCOUNT_USER "%s:%s", ns, name);
}

static int sign(const struct account_tokens *t, const struct doc *claims, struct arena *a,
		struct buf *out, struct err *err)
{
	if (arena_exceeded(a))
		return arena_quota(a, err);
	if (!t->signer)
		return err_set(err, ERR_UNAVAILABLE, "there is no key that signs tokens");
	return jwt_sign(t->keys, t->signer, NULL, claims, out, err);
}

static bool is_ours(const struct account_tokens *t, const char *const *audiences)
{
	for (; audiences && *audiences; audiences++)
		if (!str_is_one_of(*audiences, (const char *const *)t->audiences))
			return false;
	return true;
}

int account_tokens_sign(const struct account_tokens *t, const struct account_request *q,
			struct arena *a, struct buf *out, struct account_answer *ret,
			struct err *err)
{
	const char *const *aud =
		q->audiences && *q->audiences ? q->audiences : (const char *const *)t->audiences;
	struct doc *d = doc_new_object(a), *list = doc_set_array(a, d, "aud"), *k;
	int64_t life = q->life, warn = 0;
	char id[UUID_TEXT_MAX];

	*ret = (struct account_answer){ 0 };
	if (t->life_max && life > t->life_max)
		ret->cut = life = t->life_max;
	ret->end = q->now + life;
	if (t->extend && q->pod && life == ACCOUNT_WARN_LIFE && is_ours(t, aud)) {
		warn = q->now + life;
		life = ACCOUNT_EXTENDED_LIFE;
	}
	random_uuid(id);
	ret->id = arena_printf(a, "JTI=%s", id);
	for (; *aud; aud++)
		doc_append_str(a, list, *aud);
	doc_set_int(a, d, "exp", q->now + life);
	doc_set_int(a, d, "iat", q->now);
	doc_set_str(a, d, "iss", t->issuers[0]);
	doc_set_str(a, d, "jti", id);
	k = doc_set_object(a, d, "kubernetes.io");
	doc_set_str(a, k, "namespace", q->ns);
	put_claim(a, k, "node", q->node);
	put_claim(a, k, "pod", q->pod);
	put_claim(a, k, "secret", q->secret);
	put_claim(a, k, "serviceaccount", &q->account);
	if (warn)
		doc_set_int(a, k, "warnafter", warn);
	doc_set_int(a, d, "nbf", q->now);
	doc_set_str(a, d, "sub", user_name(a, q->ns, q->account.name));
	return sign(t, d, a, out, err);
}

int account_tokens_sign_secret(const struct account_tokens *t, const char *ns,
			       const struct account_claim *account, const char *secret,
			       struct arena *a, struct buf *out, struct err *err)
{
	struct doc *d = doc_new_object(a);

	doc_set_str(a, d, "iss", LEGACY_ISSUER);
	doc_set_str(a, d, CLAIM "namespace", ns);
	doc_set_str(a, d, CLAIM "secret.name", secret);
	doc_set_str(a, d, CLAIM "service-account.name", account->name);
	doc_set_str(a, d, CLAIM "service-account.uid", account->uid);
	doc_set_str(a, d, "sub", user_name(a, ns, account->name));
	return sign(t, d, a, out, err);
}

/* ---- reading a token for the first time ---- */

static int refuse(struct err *err, const char *why)
{
	return err_set(err, ERR_UNAUTHORIZED, "%s", why);
}

/* Texts of a token, one behind the other: measured, then copied. */
struct copy {
	char *to;
	size_t n;
};

static const char *put_text(struct copy *c, const char *s)
{
	size_t n;
	char *at = c->to ? c->to + c->n : NULL;

	if (!s)
		return NULL;
	n = strlen(s) + 1;
	c->n += n;
	return at ? memcpy(at, s, n) : s;
}

static void put_all(struct copy *c, struct token *k)
{
	k->ns = put_text(c, k->ns);
	k->user = put_text(c, k->user);
	k->group = put_text(c, k->group);
	k->id = put_text(c, k->id);
	for (size_t i = 0; i < BONDS; i++) {
		k->bond[i].name = put_text(c, k->bond[i].name);
		k->bond[i].uid = put_text(c, k->bond[i].uid);
		k->key[i] = put_text(c, k->key[i]);
	}
	for (size_t i = 0; k->audiences[i]; i++)
		k->audiences[i] = put_text(c, k->audiences[i]);
}

static size_t count_texts(const char *const *v)
{
	size_t n = 0;

	while (v[n])
		n++;
	return n;
}

/* The token with memory of its own, in the place of the oldest one. */
static struct token *keep(struct account_tokens *t, const struct token *from)
{
	struct token *k = malloc(sizeof(*k)), **place = &t->ring[t->next++ % ACCOUNT_TOKENS_KEPT];
	size_t list = (count_texts(from->audiences) + 1) * sizeof(char *);
	struct copy c = { 0 };

	if (!k)
		abort();
	*k = *from;
	put_all(&c, k);
	k->memory = malloc(list + c.n + 1);
	if (!k->memory)
		abort();
	memcpy(k->memory, from->audiences, list);
	k->audiences = (const char **)(void *)k->memory;
	c = (struct copy){ .to = k->memory + list };
	put_all(&c, k);
	if (*place) {
		(void)map_del(&t->by_digest, slice_of((char *)(*place)->digest, SHA256_LEN));
		token_free(*place);
	}
	*place = k;
	(void)map_put(&t->by_digest, slice_of((char *)k->digest, SHA256_LEN), k);
	return k;
}

static const char *member(struct arena *a, const struct doc *d, const char *key)
{
	const struct doc *v = doc_get(d, key);
	const char *s = v ? doc_cstr(a, v) : NULL;

	return s && *s ? s : NULL;
}

static int read_audiences(struct arena *a, const struct doc *aud, struct token *k, struct err *err)
{
	size_t n = 0, len = doc_is(aud, DOC_STRING) ? 1 : doc_len(aud);

	if (len > AUDIENCES_MAX)
		return refuse(err, "service account token has too many audiences");
	k->audiences = ARENA_ARRAY(a, const char *, len + 1);
	if (!k->audiences)
		return arena_quota(a, err);
	if (doc_is(aud, DOC_STRING))
		k->audiences[n++] = doc_cstr(a, aud);
	DOC_EACH (one, aud)
		k->audiences[n++] = doc_cstr(a, one);
	for (size_t i = 0; i < n; i++)
		if (!k->audiences[i])
			return refuse(err, "service account token has an audience that is no text");
	return 0;
}

static int read_bonds(struct arena *a, const struct doc *claims, struct token *k, struct err *err)
{
	const struct doc *own = doc_get(claims, "kubernetes.io");

	k->ns = member(a, own, "namespace");
	for (size_t i = 0; i < BONDS; i++) {
		const struct doc *o = doc_get(own, bonds[i].claim);

		if (!o)
			continue;
		k->bond[i].name = member(a, o, "name");
		k->bond[i].uid = member(a, o, "uid");
		/* the node of a pod may have been gone when the token was made */
		if (!k->bond[i].name || (!k->bond[i].uid && i != BOND_NODE))
			return refuse(err,
				      "service account token is bound to nothing in particular");
	}
	(void)doc_int64(doc_get(own, "warnafter"), &k->warn_after);
	return 0;
}

static int read_legacy(struct arena *a, const struct doc *claims, struct token *k, struct err *err)
{
	k->legacy = true;
	k->ns = member(a, claims, CLAIM "namespace");
	k->bond[BOND_ACCOUNT].name = member(a, claims, CLAIM "service-account.name");
	k->bond[BOND_ACCOUNT].uid = member(a, claims, CLAIM "service-account.uid");
	k->bond[BOND_SECRET].name = member(a, claims, CLAIM "secret.name");
	return k->bond[BOND_SECRET].name ? 0 : refuse(err, "secretName claim is missing");
}

/* What is told of it each time that it is shown. */
static int print_texts(struct arena *a, const char *id, struct token *k, struct err *err)
{
	k->group = arena_printf(a, ACCOUNT_GROUP ":%s", k->ns);
	k->id = id ? arena_printf(a, "JTI=%s", id) : NULL;
	for (size_t i = 0; i < BONDS; i++)
		if (k->bond[i].name)
			k->key[i] = i == BOND_NODE
					    ? k->bond[i].name
					    : arena_printf(a, "%s/%s", k->ns, k->bond[i].name);
	return arena_exceeded(a) ? arena_quota(a, err) : 0;
}

static int read_claims(struct arena *a, const struct jwt *j, struct token *k, struct err *err)
{
	bool legacy = strcmp(j->iss, LEGACY_ISSUER) == 0;
	const struct account_claim *account = &k->bond[BOND_ACCOUNT];
	int r = legacy ? read_legacy(a, j->claims, k, err) : read_bonds(a, j->claims, k, err);

	if (r == 0)
		r = read_audiences(a, doc_get(j->claims, "aud"), k, err);
	if (r < 0)
		return r;
	if (!k->ns || !account->name || !account->uid)
		return refuse(err, "service account token names no service account");
	k->user = user_name(a, k->ns, account->name);
	if (!k->user || strcmp(k->user, j->sub) != 0)
		return refuse(err, "sub claim is invalid");
	k->end = j->exp;
	k->begin = j->nbf;
	return print_texts(a, member(a, j->claims, "jti"), k, err);
}

/* 1: verified, and kept; 0: not of our issuers. */
static int read_token(struct account_tokens *t, struct slice text,
		      const unsigned char digest[SHA256_LEN], int64_t now, struct arena *a,
		      struct token **ret, struct err *err)
{
	struct jwt_check check = { .now = now, .leeway = ACCOUNT_LEEWAY };
	struct err own = ERR_INIT;
	struct token k = { 0 };
	struct jwt j;

	if (text.n > JWT_MAX || jwt_peek(text, a, &j, &own) < 0)
		return 0;
	if (strcmp(j.iss, LEGACY_ISSUER) != 0 &&
	    !str_is_one_of(j.iss, (const char *const *)t->issuers))
		return 0;
	check.iss = j.iss;
	check.exp_optional = strcmp(j.iss, LEGACY_ISSUER) == 0;
	if (jwt_verify(t->keys, text, &check, a, &j, &own) < 0) {
		if (j.exp != INT64_MAX && now >= j.exp + ACCOUNT_LEEWAY)
			return refuse(err, "service account token has expired");
		return refuse(err, own.msg);
	}
	if (read_claims(a, &j, &k, err) < 0)
		return err_ret(err);
	memcpy(k.digest, digest, SHA256_LEN);
	*ret = keep(t, &k);
	return 1;
}

/* ---- is all of it there? ---- */

static int64_t gone_at(const struct doc *meta)
{
	int64_t ns;

	if (clock_parse_rfc3339(doc_slice(doc_get(meta, "deletionTimestamp")), &ns, NULL) < 0)
		return INT64_MAX;
	return ns / NS_PER_SEC + ACCOUNT_LEEWAY;
}

static int invalidated(struct err *err)
{
	return refuse(err, "service account token has been invalidated");
}

static int find(const struct account_tokens *t, const struct token *k, enum bond b,
		struct item **ret, struct err *err)
{
	const struct collection *o = t->objects[b];

	*ret = o && o->cache ? cache_get(o->cache, slice_str(k->key[b])) : NULL;
	if (*ret)
		return 0;
	if (b == BOND_ACCOUNT)
		return err_set(err, ERR_UNAUTHORIZED, "serviceaccounts \"%.253s\" not found",
			       k->bond[b].name);
	return invalidated(err);
}

static int check_uid(const struct token *k, enum bond b, const struct doc *meta, struct err *err)
{
	const char *want = k->bond[b].uid;
	struct slice uid = doc_slice(doc_get(meta, "uid"));

	if (slice_is(uid, want))
		return 0;
	if (b == BOND_ACCOUNT)
		return err_set(err, ERR_UNAUTHORIZED,
			       "service account UID (%.*s) does not match claim (%.64s)",
			       (int)MIN(uid.n, (size_t)64), uid.p ? uid.p : "", want);
	return err_set(err, ERR_UNAUTHORIZED,
		       "%s UID (%.*s) does not match service account %s ref claim (%.64s)",
		       bonds[b].word, (int)MIN(uid.n, (size_t)64), uid.p ? uid.p : "",
		       bonds[b].word, want);
}

/* A Secret holds the very token that is shown. */
static int check_secret(const struct token *k, const struct doc *secret, struct slice text,
			struct arena *a, struct err *err)
{
	struct slice data = doc_slice(doc_find(secret, "data.token"));
	unsigned char *bytes = arena_alloc(a, data.n + 1);
	size_t n = 0;

	if (!bytes)
		return arena_quota(a, err);
	if (doc_is(doc_get(doc_find(secret, "metadata.labels"),
			   "kubernetes.io/legacy-token-invalid-since"),
		   DOC_STRING))
		return err_set(err, ERR_UNAUTHORIZED,
			       "the token in secret %.253s/%.253s for service account "
			       "%.253s/%.253s has been marked invalid",
			       k->ns, k->bond[BOND_SECRET].name, k->ns, k->bond[BOND_ACCOUNT].name);
	if (!data.n || base64_decode(bytes, &n, data) < 0 || n != text.n ||
	    !mem_equal_ct(bytes, text.p, n))
		return refuse(err, "token does not match server's copy");
	return 0;
}

/* Does the account itself name this Secret? Those that were made by hand are in no list. */
static bool is_automatic(const struct account_tokens *t, const struct token *k, struct arena *a)
{
	struct err err = ERR_INIT;
	struct item *i;
	struct doc d;

	if (find(t, k, BOND_ACCOUNT, &i, &err) < 0 || codec_parse(i, a, &d, &err) < 0)
		return false;
	DOC_EACH (s, doc_get(&d, "secrets"))
		if (doc_str_is(doc_get(s, "name"), k->bond[BOND_SECRET].name))
			return true;
	return false;
}

static int64_t used_day(const struct doc *meta, struct arena *a)
{
	const struct doc *d =
		doc_get(doc_get(meta, "labels"), "kubernetes.io/legacy-token-last-used");
	struct slice day = doc_slice(d);
	const char *text =
		arena_printf(a, "%.*sT00:00:00Z", (int)MIN(day.n, (size_t)10), day.n ? day.p : "");
	int64_t ns;

	return text && clock_parse_rfc3339(slice_str(text), &ns, NULL) == 0 ? ns / NS_PER_SEC / DAY
									    : 0;
}

/* As it was at that revision it was good; only what changed is looked at again. */
static int check_bond(const struct account_tokens *t, struct token *k, enum bond b,
		      struct slice text, int64_t now, struct err *err)
{
	struct seen *s = &k->seen[b];
	struct item *i;
	int r = find(t, k, b, &i, err);

	if (r < 0)
		return r;
	if (s->revision != item_revision(i)) {
		CLEANUP(arena_free)
		struct arena *a = arena_new("what a token is bound to", OBJECT_MAX);
		const struct doc *meta;
		struct doc d;

		s->revision = 0;
		r = codec_parse(i, a, &d, err);
		meta = doc_get(&d, "metadata");
		if (r == 0 && k->bond[b].uid)
			r = check_uid(k, b, meta, err);
		if (r == 0 && k->legacy && b == BOND_SECRET) {
			r = check_secret(k, &d, text, a, err);
			s->automatic = r == 0 && is_automatic(t, k, a);
			s->used = used_day(meta, a);
		}
		if (r < 0)
			return r;
		s->gone_at = gone_at(meta);
		s->revision = item_revision(i);
	}
	if (now < s->gone_at)
		return 0;
	if (b == BOND_ACCOUNT)
		return err_set(err, ERR_UNAUTHORIZED,
			       "service account %.253s/%.253s has been deleted", k->ns,
			       k->bond[b].name);
	return invalidated(err);
}

static int check_live(const struct account_tokens *t, struct token *k, struct slice text,
		      int64_t now, struct err *err)
{
	int r = 0;

	if (k->end != INT64_MAX && now >= k->end + ACCOUNT_LEEWAY)
		return refuse(err, "service account token has expired");
	if (k->begin != INT64_MIN && now < k->begin - ACCOUNT_LEEWAY)
		return refuse(err, "service account token is not valid yet");
	for (size_t b = 0; b < BONDS && r == 0; b++) {
		/* the node of a pod is only told */
		if (!k->bond[b].name || (b == BOND_NODE && k->bond[BOND_POD].name))
			continue;
		r = check_bond(t, k, (enum bond)b, text, now, err);
	}
	return r;
}

/* ---- whose is it ---- */

static const char *print_list(struct arena *a, const char *const *v)
{
	const char *s = "[";

	for (size_t i = 0; s && v[i]; i++)
		s = arena_printf(a, "%s%s\"%.100s\"", s, i ? " " : "", v[i]);
	s = s ? arena_printf(a, "%s]", s) : NULL;
	return s ? s : "[...]";
}

static int check_audiences(const struct account_tokens *t, const struct token *k,
			   const char *const *wanted, struct arena *a, struct authn_found *ret,
			   struct err *err)
{
	const char *const *own = (const char *const *)t->audiences;
	const char *const *is_for = k->audiences[0] ? (const char *const *)k->audiences : own;
	const char **v = ARENA_ARRAY(a, const char *, count_texts(is_for) + 1);
	size_t n = 0;

	if (!v)
		return arena_quota(a, err);
	if (!wanted)
		wanted = own;
	for (size_t i = 0; is_for[i]; i++)
		if (str_is_one_of(is_for[i], wanted) && !(v[n++] = arena_strdup(a, is_for[i])))
			return arena_quota(a, err);
	if (n == 0)
		return err_set(err, ERR_UNAUTHORIZED,
			       "token audiences %.300s is invalid for the target audiences %.300s",
			       print_list(a, is_for), print_list(a, wanted));
	ret->audiences = v;
	return 0;
}

static void put_extra(struct arena *a, struct doc *extra, const char *key, const char *value)
{
	if (value)
		doc_append_str(a, doc_set_array(a, extra, key), value);
}

static int tell_user(const struct token *k, struct arena *a, struct strategy_user *u,
		     struct err *err)
{
	const struct account_claim *pod = &k->bond[BOND_POD], *node = &k->bond[BOND_NODE];
	struct doc *extra = doc_new_object(a);

	const char **groups = ARENA_ARRAY(a, const char *, 4);

	u->name = arena_strdup(a, k->user);
	u->uid = arena_strdup(a, k->bond[BOND_ACCOUNT].uid);
	if (!groups || !u->name || !u->uid)
		return arena_quota(a, err);
	groups[0] = ACCOUNT_GROUP;
	groups[1] = arena_strdup(a, k->group);
	groups[2] = "system:authenticated";
	u->groups = groups;
	put_extra(a, extra, EXTRA "credential-id", k->id);
	if (node->name) {
		put_extra(a, extra, EXTRA "node-name", node->name);
		put_extra(a, extra, EXTRA "node-uid", node->uid);
	}
	if (pod->name) {
		put_extra(a, extra, EXTRA "pod-name", pod->name);
		put_extra(a, extra, EXTRA "pod-uid", pod->uid);
	}
	u->extra = doc_len(extra) ? extra : NULL;
	return arena_exceeded(a) ? arena_quota(a, err) : 0;
}

static void note(struct authn_found *f, const char *key, const char *value)
{
	if (value)
		f->notes[f->nnotes++] = (struct apiaudit_note){ key, value };
}

/* What people should know of tokens that are to be replaced. */
static void tell_legacy(struct account_tokens *t, struct token *k, int64_t now, struct arena *a,
			struct authn_found *f)
{
	const char *name = k->bond[BOND_SECRET].name, *key = arena_printf(a, "%s/%s", k->ns, name);
	struct seen *s = &k->seen[BOND_SECRET];

	note(f, "authentication.k8s.io/legacy-token", f->user.name);
	note(f,
	     s->automatic ? "authentication.k8s.io/legacy-token-autogenerated-secret"
			  : "authentication.k8s.io/legacy-token-manual-secret",
	     arena_strdup(a, name));
	if (s->automatic)
		f->warning = "this token is of a secret that was made by itself for its service "
			     "account: use those of the TokenRequest API, or of a secret that was "
			     "made by hand";
	if (!t->used || !key || s->used == now / DAY)
		return;
	s->used = now / DAY;
	t->used(t->used_arg, slice_str(key));
}

static void tell_age(struct account_tokens *t, struct token *k, int64_t now, struct arena *a,
		     struct authn_found *f)
{
	if (k->warn_after && now > k->warn_after)
		note(f, "authentication.k8s.io/stale-token",
		     arena_printf(a, "subject: %s, seconds after warning threshold: %lld",
				  f->user.name, (long long)(now - k->warn_after)));
	if (k->legacy)
		tell_legacy(t, k, now, a, f);
}

int account_tokens_check(struct account_tokens *t, struct slice token, const char *const *wanted,
			 int64_t now, struct arena *a, struct authn_found *ret, struct err *err)
{
	unsigned char d[SHA256_LEN];
	struct sha256 s;
	struct token *k;
	int r = 1;

	if (!t->rs || !jwks_len(t->keys))
		return 0;
	*ret = (struct authn_found){ .user.uid = "" };
	sha256_init(&s);
	sha256_update(&s, token.p, token.n);
	sha256_final(&s, d);
	k = map_get(&t->by_digest, slice_of((char *)d, sizeof(d)));
	if (!k)
		r = read_token(t, token, d, now, a, &k, err);
	if (r <= 0)
		return r;
	if (check_live(t, k, token, now, err) < 0 ||
	    check_audiences(t, k, wanted, a, ret, err) < 0 || tell_user(k, a, &ret->user, err) < 0)
		return err_ret(err);
	tell_age(t, k, now, a, ret);
	return 1;
}

/* ---- what others verify them with ---- */

int account_tokens_openid(const struct account_tokens *t, const char *address, struct arena *a,
			  struct buf *out, struct err *err)
{
	struct doc *d = doc_new_object(a), *list;

	if (strncmp(t->issuers[0], "https://", 8) != 0)
		return 1;
	doc_set_str(a, d, "issuer", t->issuers[0]);
	if (t->jwks_uri)
		doc_set_str(a, d, "jwks_uri", t->jwks_uri);
	else
		doc_set_strf(a, d, "jwks_uri", "https://%s/openid/v1/jwks", address);
	doc_append_str(a, doc_set_array(a, d, "response_types_supported"), "id_token");
	doc_append_str(a, doc_set_array(a, d, "subject_types_supported"), "public");
	list = doc_set_array(a, d, "id_token_signing_alg_values_supported");
	for (size_t i = 0; i < jwks_len(t->keys); i++) {
		const char *alg = key_scheme_name(key_scheme_of(jwks_key(t->keys, i)));
		bool there = false;

		DOC_EACH (x, list)
			there |= doc_str_is(x, alg);
		if (!there)
			doc_append_str(a, list, alg);
	}
	if (arena_exceeded(a))
		return arena_quota(a, err);
	return json_write(d, NULL, out, err);
}

int account_tokens_jwks(const struct account_tokens *t, struct buf *out, struct err *err)
{
	return jwks_write(t->keys, out, err);
}
