/* SPDX-License-Identifier: Apache-2.0 */
/* JSON Web Keys: sets, reading, writing, thumbprints. */
#include "base/arena.h"
#include "base/err.h"
#include "base/hash.h"
#include "crypto/jwt-priv.h"
#include "crypto/ossl.h"
#include "doc/json.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <stdio.h>

#define KID_MAX 512
#define ARENA_MAX (8u << 20)

static const struct jwt_alg algs[] = {
	{ "RS256", ALG_KEY, KEY_RS256, 0, 0 },	    { "RS384", ALG_KEY, KEY_RS384, 0, 0 },
	{ "RS512", ALG_KEY, KEY_RS512, 0, 0 },	    { "PS256", ALG_KEY, KEY_PS256, 0, 0 },
	{ "PS384", ALG_KEY, KEY_PS384, 0, 0 },	    { "PS512", ALG_KEY, KEY_PS512, 0, 0 },
	{ "ES256", ALG_KEY, KEY_ES256, 0, 32 },	    { "ES384", ALG_KEY, KEY_ES384, 0, 48 },
	{ "ES512", ALG_KEY, KEY_ES512, 0, 66 },	    { "EdDSA", ALG_KEY, KEY_EDDSA, 0, 0 },
	{ "HS256", ALG_HMAC, 0, DIGEST_SHA256, 0 }, { "HS384", ALG_HMAC, 0, DIGEST_SHA384, 0 },
	{ "HS512", ALG_HMAC, 0, DIGEST_SHA512, 0 },
};

static const struct curve_row {
	const char *name, *group;
	enum key_type type;
	size_t n;
} curves[] = {
	{ "P-256", "prime256v1", KEY_P256, 32 },
	{ "P-384", "secp384r1", KEY_P384, 48 },
	{ "P-521", "secp521r1", KEY_P521, 66 },
};

const struct jwt_alg *jwt_alg(struct slice name)
{
	for (size_t i = 0; i < ARRAY_LEN(algs); i++) {
		if (slice_is(name, algs[i].name))
			return &algs[i];
	}
	return NULL;
}

/* ---- base64url ---- */

int base64url_write(struct buf *out, const void *p, size_t n)
{
	size_t before = out->n;
	char *to = buf_room(out, BASE64_LEN(n) + 1);

	if (!to)
		return -ERR_QUOTA;
	to += out->n;
	base64_encode(to, p, n);
	out->n += (n * 4 + 2) / 3; /* the padding is left out */
	for (size_t i = before; i < out->n; i++) {
		char *c = &out->p[i];

		*c = (char)(*c == '+' ? '-' : *c == '/' ? '_' : *c);
	}
	out->p[out->n] = '\0';
	return 0;
}

int base64url_read(struct arena *a, struct slice text, struct slice *ret, struct err *err)
{
	char *p = arena_alloc(a, text.n * 3 / 4 + 4);
	size_t n = 0;

	if (!p)
		return arena_quota(a, err);
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];

		if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
		      c == '-' || c == '_'))
			return err_set(err, ERR_BAD_REQUEST, "a character that is not base64url");
	}
	if (text.n % 4 == 1 || base64_decode(p, &n, text) < 0)
		return err_set(err, ERR_BAD_REQUEST, "not base64url");
	*ret = slice_of(p, n);
	return 0;
}

/* ---- sets ---- */

struct jwks *jwks_new(void)
{
	crypto_init();
	return OPENSSL_zalloc(sizeof(struct jwks));
}

static void jwk_fini(struct jwk *k)
{
	OPENSSL_free(k->kid);
	key_unref(k->key);
	OPENSSL_clear_free(k->secret, k->secret_n);
}

void jwks_free(struct jwks *s)
{
	if (!s)
		return;
	while (s->n > 0)
		jwk_fini(&s->keys[--s->n]);
	while (s->skipped_n > 0)
		OPENSSL_free(s->skipped[--s->skipped_n]);
	OPENSSL_free(s);
}

static struct jwk *find(const struct jwks *s, const char *kid)
{
	for (size_t i = 0; i < s->n; i++) {
		if (strcmp(s->keys[i].kid, kid) == 0)
			return (struct jwk *)(uintptr_t)&s->keys[i];
	}
	return NULL;
}

/* Takes k's parts on success. */
static int add(struct jwks *s, const struct jwk *k, const char *kid, struct err *err)
{
	if (s->n >= JWKS_KEYS_MAX)
		return err_set(err, ERR_TOO_LARGE, "more than %u keys", JWKS_KEYS_MAX);
	if (strlen(kid) > KID_MAX)
		return err_set(err, ERR_TOO_LARGE, "a key id of more than %d bytes", KID_MAX);
	if (find(s, kid))
		return err_set(err, ERR_EXISTS, "there is a key '%.100s' already", kid);
	s->keys[s->n] = *k;
	s->keys[s->n++].kid = OPENSSL_strdup(kid);
	return 0;
}

/* NULL alg: the customary one. */
static int scheme_for(const struct key *k, const char *alg, const struct jwt_alg **ret,
		      struct err *err)
{
	const char *name = alg ? alg : key_scheme_name(key_scheme_of(k));
	const struct jwt_alg *a = jwt_alg(slice_str(name));

	if (!a || a->kind != ALG_KEY)
		return err_set(err, ERR_UNSUPPORTED, "'%.40s' is no scheme for a key pair", name);
	if (!key_takes(k, a->scheme))
		return err_set(err, ERR_INVALID, "%s does not fit a key of type %s", a->name,
			       key_type_name(k));
	*ret = a;
	return 0;
}

int jwks_add(struct jwks *s, struct key *k, const char *kid, const char *alg, struct err *err)
{
	char print[JWK_THUMBPRINT + 1];
	struct jwk j = { .key = k };
	int r = scheme_for(k, alg, &j.alg, err);

	if (r == 0 && !kid)
		r = jwk_thumbprint(k, print, err);
	if (r == 0)
		r = add(s, &j, kid ? kid : print, err);
	if (r == 0)
		(void)key_ref(k);
	return r;
}

int jwks_add_secret(struct jwks *s, struct slice secret, const char *kid, const char *alg,
		    struct err *err)
{
	struct jwk j = { .alg = jwt_alg(slice_str(alg)), .secret_n = secret.n };
	int r;

	if (!j.alg || j.alg->kind != ALG_HMAC)
		return err_set(err, ERR_UNSUPPORTED, "'%.40s' is no scheme for a secret", alg);
	if (secret.n < digest_len(j.alg->digest))
		return err_set(err, ERR_INVALID, "a secret for %s has at least %zu bytes",
			       j.alg->name, digest_len(j.alg->digest));
	j.secret = OPENSSL_memdup(secret.p, secret.n);
	r = add(s, &j, kid, err);
	if (r < 0)
		OPENSSL_clear_free(j.secret, j.secret_n);
	return r;
}

bool jwks_remove(struct jwks *s, const char *kid)
{
	struct jwk *k = find(s, kid);

	if (!k)
		return false;
	jwk_fini(k);
	memmove(k, k + 1, (size_t)(&s->keys[--s->n] - k) * sizeof(*k));
	return true;
}

size_t jwks_len(const struct jwks *s)
{
	return s->n;
}

const char *jwks_kid(const struct jwks *s, size_t i)
{
	return i < s->n ? s->keys[i].kid : NULL;
}

struct key *jwks_key(const struct jwks *s, size_t i)
{
	return i < s->n ? s->keys[i].key : NULL;
}

const char *jwks_skipped(const struct jwks *s, size_t i)
{
	return i < s->skipped_n ? s->skipped[i] : NULL;
}

/* ---- reading ---- */

static int member(struct arena *a, const struct doc *d, const char *name, struct slice *ret,
		  struct err *err)
{
	struct slice text = doc_slice(doc_get(d, name));
	int r;

	if (!text.n)
		return err_set(err, ERR_BAD_REQUEST, "'%s' is missing", name);
	r = base64url_read(a, text, ret, err);
	return r < 0 ? err_wrap(err, "'%s'", name) : 0;
}

/* Takes b. */
static int from_params(const char *type, OSSL_PARAM_BLD *b, struct key **ret, struct err *err)
{
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(b);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *pkey = NULL;
	int ok = params && ctx && EVP_PKEY_fromdata_init(ctx) == 1 &&
		 EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) == 1;

	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(b);
	return ok ? key_wrap(pkey, false, ret, err) : ossl_err(err, ERR_BAD_REQUEST, "public key");
}

static int read_rsa(struct arena *a, const struct doc *d, struct key **ret, struct err *err)
{
	struct slice n, e;
	OSSL_PARAM_BLD *b;
	BIGNUM *bn, *be;
	int r = member(a, d, "n", &n, err);

	if (r == 0)
		r = member(a, d, "e", &e, err);
	if (r < 0)
		return r;
	if (n.n > 1025 || e.n > 8)
		return err_set(err, ERR_BAD_REQUEST, "numbers that are too large");
	b = OSSL_PARAM_BLD_new();
	bn = BN_bin2bn((const unsigned char *)n.p, (int)n.n, NULL);
	be = BN_bin2bn((const unsigned char *)e.p, (int)e.n, NULL);
	(void)OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_N, bn);
	(void)OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_E, be);
	r = from_params("RSA", b, ret, err);
	BN_free(bn);
	BN_free(be);
	return r;
}

static int read_ec(struct arena *a, const struct doc *d, struct key **ret, struct err *err)
{
	unsigned char point[1 + 2 * 66] = { POINT_CONVERSION_UNCOMPRESSED };
	const struct curve_row *c = NULL;
	OSSL_PARAM_BLD *b;
	struct slice x, y;
	int r;

	for (size_t i = 0; i < ARRAY_LEN(curves); i++) {
		if (doc_str_is(doc_get(d, "crv"), curves[i].name))
			c = &curves[i];
	}
	if (!c)
		return err_set(err, ERR_UNSUPPORTED, "its curve is not P-256, P-384 or P-521");
	r = member(a, d, "x", &x, err);
	if (r == 0)
		r = member(a, d, "y", &y, err);
	if (r < 0)
		return r;
	if (x.n != c->n || y.n != c->n)
		return err_set(err, ERR_BAD_REQUEST, "'x' and 'y' must have %zu bytes", c->n);
	memcpy(point + 1, x.p, c->n);
	memcpy(point + 1 + c->n, y.p, c->n);
	b = OSSL_PARAM_BLD_new();
	(void)OSSL_PARAM_BLD_push_utf8_string(b, OSSL_PKEY_PARAM_GROUP_NAME, c->group, 0);
	(void)OSSL_PARAM_BLD_push_octet_string(b, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * c->n);
	return from_params("EC", b, ret, err);
}

static int read_okp(struct arena *a, const struct doc *d, struct key **ret, struct err *err)
{
	struct slice x;
	EVP_PKEY *pkey;
	int r;

	if (!doc_str_is(doc_get(d, "crv"), "Ed25519"))
		return err_set(err, ERR_UNSUPPORTED, "its curve is not Ed25519");
	r = member(a, d, "x", &x, err);
	if (r < 0)
		return r;
	pkey = x.n == 32 ? EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL,
						       (const unsigned char *)x.p, x.n)
			 : NULL;
	if (!pkey)
		return ossl_err(err, ERR_BAD_REQUEST, "'x' is no public key");
	return key_wrap(pkey, false, ret, err);
}

static int read_secret(struct jwks *s, struct arena *a, const struct doc *d, const char *kid,
		       struct err *err)
{
	const char *alg = doc_cstr(a, doc_get(d, "alg"));
	struct slice k;
	int r = member(a, d, "k", &k, err);

	if (r < 0)
		return r;
	r = jwks_add_secret(s, k, kid ? kid : "", alg ? alg : "HS256", err);
	OPENSSL_cleanse((void *)(uintptr_t)k.p, k.n);
	return r;
}

static int read_one(struct jwks *s, struct arena *a, const struct doc *d, struct err *err)
{
	const struct doc *kty = doc_get(d, "kty"), *use = doc_get(d, "use"),
			 *alg = doc_get(d, "alg");
	const char *kid = doc_cstr(a, doc_get(d, "kid"));
	CLEANUP(key_unref) struct key *k = NULL;
	int r;

	if (use && !doc_str_is(use, "sig"))
		return err_set(err, ERR_UNSUPPORTED, "it is not for signatures (\"use\")");
	if (alg && !doc_cstr(a, alg))
		return err_set(err, ERR_BAD_REQUEST, "'alg' is no string");
	if (doc_str_is(kty, "oct"))
		return read_secret(s, a, d, kid, err);
	if (doc_str_is(kty, "RSA"))
		r = read_rsa(a, d, &k, err);
	else if (doc_str_is(kty, "EC"))
		r = read_ec(a, d, &k, err);
	else if (doc_str_is(kty, "OKP"))
		r = read_okp(a, d, &k, err);
	else
		r = err_set(err, ERR_UNSUPPORTED, "its type (\"kty\") is not RSA, EC, OKP or oct");
	if (r < 0)
		return r;
	r = jwks_add(s, k, kid, alg ? doc_cstr(a, alg) : NULL, err);
	if (r == 0 && !alg && key_type(k) == KEY_RSA)
		s->keys[s->n - 1].alg = NULL; /* RS* and PS* alike */
	return r;
}

static void skip(struct jwks *s, struct arena *a, size_t i, const struct doc *d,
		 const struct err *why)
{
	const char *kid = doc_cstr(a, doc_get(d, "kid"));
	char text[400];

	if (s->skipped_n >= JWKS_KEYS_MAX)
		return;
	(void)snprintf(text, sizeof(text), "key %zu ('%.100s'): %.250s", i + 1, kid ? kid : "",
		       why->msg);
	s->skipped[s->skipped_n++] = OPENSSL_strdup(text);
}

int jwks_read(struct jwks *s, struct slice text, struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("key set", ARENA_MAX);
	struct json_options opt = { .dup = JSON_DUP_ERROR, .max_depth = 16 };
	struct doc *d, *keys;
	size_t i = 0;
	int r;

	if (text.n > JWKS_MAX)
		return err_set(err, ERR_TOO_LARGE, "key set: more than %u bytes", JWKS_MAX);
	r = json_read(a, text, &opt, &d, err);
	if (r < 0)
		return err_wrap(err, "key set");
	keys = doc_get(d, "keys");
	if (!doc_is(d, DOC_OBJECT) || (keys ? !doc_is(keys, DOC_ARRAY) : !doc_get(d, "kty")))
		return err_set(err, ERR_BAD_REQUEST, "key set: no object with \"keys\" or \"kty\"");
	if (!keys) { /* a single key */
		keys = doc_new_array(a);
		(void)doc_append(a, keys, *d);
	}
	DOC_EACH (it, keys) {
		struct err why = ERR_INIT;

		if (read_one(s, a, it, &why) < 0)
			skip(s, a, i, it, &why);
		i++;
	}
	return 0;
}

/* ---- writing ---- */

static void put_number(struct arena *a, struct doc *d, const char *name, const struct key *k,
		       const char *param, size_t fixed)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT(2048);
	unsigned char bytes[1024 + 1];
	BIGNUM *bn = NULL;
	int n = 0;

	if (EVP_PKEY_get_bn_param(k->pkey, param, &bn) == 1 && BN_num_bytes(bn) <= 1024)
		n = fixed ? BN_bn2binpad(bn, bytes, (int)fixed) : BN_bn2bin(bn, bytes);
	BN_free(bn);
	(void)base64url_write(&text, bytes, (size_t)MAX(n, 0));
	(void)doc_set_strn(a, d, name, buf_str(&text), text.n);
}

/* Members in the order that RFC 7638 hashes them, and no others. */
static struct doc *public_members(struct arena *a, const struct key *k)
{
	struct doc *d = doc_new_object(a);
	unsigned char raw[32];
	size_t n = sizeof(raw);
	struct buf text = BUF_INIT(128);

	switch (key_type(k)) {
	case KEY_RSA:
		put_number(a, d, "e", k, OSSL_PKEY_PARAM_RSA_E, 0);
		(void)doc_set_str(a, d, "kty", "RSA");
		put_number(a, d, "n", k, OSSL_PKEY_PARAM_RSA_N, 0);
		break;
	case KEY_ED25519:
		if (EVP_PKEY_get_raw_public_key(k->pkey, raw, &n) != 1)
			n = 0;
		(void)base64url_write(&text, raw, n);
		(void)doc_set_str(a, d, "crv", "Ed25519");
		(void)doc_set_str(a, d, "kty", "OKP");
		(void)doc_set_strn(a, d, "x", buf_str(&text), text.n);
		buf_fini(&text);
		break;
	default: {
		const struct curve_row *c = &curves[key_type(k) - KEY_P256];

		(void)doc_set_str(a, d, "crv", c->name);
		(void)doc_set_str(a, d, "kty", "EC");
		put_number(a, d, "x", k, OSSL_PKEY_PARAM_EC_PUB_X, c->n);
		put_number(a, d, "y", k, OSSL_PKEY_PARAM_EC_PUB_Y, c->n);
	}
	}
	ERR_clear_error();
	return d;
}

int jwk_thumbprint(const struct key *k, char out[JWK_THUMBPRINT + 1], struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("key", 65536);
	CLEANUP(buf_fini) struct buf text = BUF_INIT(128);
	unsigned char digest[DIGEST_MAX];
	struct slice json;
	int r = json_print(a, public_members(a, k), NULL, &json, err);

	if (r < 0)
		return r;
	(void)digest_of(DIGEST_SHA256, json, digest);
	(void)base64url_write(&text, digest, 32);
	(void)str_copy(out, JWK_THUMBPRINT + 1, buf_str(&text));
	return 0;
}

int jwks_write(const struct jwks *s, struct buf *out, struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("key set", ARENA_MAX);
	struct doc *d = doc_new_object(a), *keys = doc_set_array(a, d, "keys");

	for (size_t i = 0; i < s->n; i++) {
		const struct jwk *k = &s->keys[i];
		struct doc *one;

		if (!k->key)
			continue;
		one = doc_append(a, keys, *public_members(a, k->key));
		(void)doc_set_str(a, one, "use", "sig");
		(void)doc_set_str(a, one, "kid", k->kid);
		if (k->alg)
			(void)doc_set_str(a, one, "alg", k->alg->name);
	}
	if (arena_exceeded(a))
		return arena_quota(a, err);
	return json_write(d, NULL, out, err);
}
