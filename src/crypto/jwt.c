/* SPDX-License-Identifier: Apache-2.0 */
/* JSON Web Tokens: signing and verifying, in the compact form. */
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "crypto/jwt-priv.h"
#include "crypto/ossl.h"
#include "doc/json.h"

#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>

/* ---- ECDSA's two forms: a pair in DER, two numbers side by side (RFC 7518 3.4) ---- */

static int der_to_raw(unsigned char *sig, size_t n, size_t each)
{
	const unsigned char *p = sig;
	ECDSA_SIG *s = d2i_ECDSA_SIG(NULL, &p, (long)n);
	int ok = s && BN_bn2binpad(ECDSA_SIG_get0_r(s), sig, (int)each) == (int)each &&
		 BN_bn2binpad(ECDSA_SIG_get0_s(s), sig + each, (int)each) == (int)each;

	ECDSA_SIG_free(s);
	return ok ? 0 : -1;
}

static size_t raw_to_der(struct slice raw, size_t each, unsigned char out[KEY_SIGNATURE_MAX])
{
	const unsigned char *p = (const unsigned char *)raw.p;
	ECDSA_SIG *s = ECDSA_SIG_new();
	unsigned char *to = out;
	int n;

	(void)ECDSA_SIG_set0(s, BN_bin2bn(p, (int)each, NULL),
			     BN_bin2bn(p + each, (int)each, NULL));
	n = i2d_ECDSA_SIG(s, &to); /* at most 2 * 68 + 4 bytes */
	ECDSA_SIG_free(s);
	return (size_t)MAX(n, 0);
}

/* ---- signing ---- */

static int sign(const struct jwk *k, struct slice text, unsigned char *sig, size_t *n,
		struct err *err)
{
	const struct jwt_alg *alg = k->alg;
	int r;

	if (k->secret) {
		*n = hmac_of(alg->digest, slice_of((char *)k->secret, k->secret_n), text, sig);
		return 0;
	}
	r = key_sign(k->key, alg->scheme, text, sig, n, err);
	if (r == 0 && alg->raw) {
		if (der_to_raw(sig, *n, alg->raw) < 0)
			return ossl_err(err, ERR_SYSTEM, "%s", alg->name);
		*n = 2 * alg->raw;
	}
	return r;
}

static const struct jwk *by_id(const struct jwks *s, const char *kid)
{
	for (size_t i = 0; i < s->n; i++) {
		if (strcmp(s->keys[i].kid, kid) == 0)
			return &s->keys[i];
	}
	return NULL;
}

static int add_part(struct arena *a, const struct doc *d, struct buf *out, struct err *err)
{
	struct slice json;
	int r = json_print(a, d, NULL, &json, err);

	if (r < 0)
		return r;
	if (base64url_write(out, json.p, json.n) < 0)
		return err_set(err, ERR_TOO_LARGE, "token: no room");
	return 0;
}

int jwt_sign(const struct jwks *s, const char *kid, const char *typ, const struct doc *claims,
	     struct buf *out, struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("token", 4 * JWT_MAX);
	const struct jwk *k = by_id(s, kid);
	struct doc *head = doc_new_object(a);
	unsigned char sig[KEY_SIGNATURE_MAX];
	size_t begin = out->n, n = 0;
	int r;

	if (!k)
		return err_set(err, ERR_NOT_FOUND, "token: there is no key '%.100s'", kid);
	if (!k->alg)
		return err_set(err, ERR_CONFLICT, "token: the key '%.100s' is a public one", kid);
	(void)doc_set_str(a, head, "alg", k->alg->name);
	(void)doc_set_str(a, head, "kid", kid);
	if (typ)
		(void)doc_set_str(a, head, "typ", typ);
	r = add_part(a, head, out, err);
	if (r == 0)
		r = buf_addc(out, '.');
	if (r == 0)
		r = add_part(a, claims, out, err);
	if (r == 0)
		r = sign(k, slice_of(out->p + begin, out->n - begin), sig, &n, err);
	if (r < 0)
		return err_wrap(err, "token");
	if (buf_addc(out, '.') < 0 || base64url_write(out, sig, n) < 0 || out->n - begin > JWT_MAX)
		return err_set(err, ERR_TOO_LARGE, "token: more than %u bytes", JWT_MAX);
	return 0;
}

/* ---- verifying ---- */

struct parts {
	struct slice signed_text, payload, sig; /* the last two decoded */
	struct doc *header;
	const struct jwt_alg *alg;
	const char *kid;
};

static int unauthorized(struct err *err, const char *why)
{
	return err_set(err, ERR_UNAUTHORIZED, "token: %s", why);
}

static int read_header(struct arena *a, struct parts *p, struct err *err)
{
	struct doc *alg = doc_get(p->header, "alg"), *kid = doc_get(p->header, "kid");
	struct slice name = doc_slice(alg);

	if (doc_get(p->header, "crit"))
		return unauthorized(err, "it has critical headers, and none is understood here");
	if (slice_ieq(name, SLICE("none")))
		return unauthorized(err, "it is not signed (\"alg\" is none)");
	p->alg = jwt_alg(name);
	if (!p->alg)
		return err_set(err, ERR_UNAUTHORIZED, "token: its scheme '%.*s' is not supported",
			       (int)MIN(name.n, (size_t)20), name.p ? name.p : "");
	p->kid = kid ? doc_cstr(a, kid) : NULL;
	if (kid && !p->kid)
		return err_set(err, ERR_BAD_REQUEST, "token: its \"kid\" is no string");
	return 0;
}

static int split(struct arena *a, struct slice token, struct parts *p, struct err *err)
{
	struct json_options opt = { .dup = JSON_DUP_ERROR, .max_depth = 16 };
	struct slice rest = token, head, body, json;
	int r;

	if (token.n > JWT_MAX)
		return err_set(err, ERR_BAD_REQUEST, "token: more than %u bytes", JWT_MAX);
	head = slice_split(&rest, '.');
	body = slice_split(&rest, '.');
	if (!rest.p || memchr(rest.p, '.', rest.n) || !head.n)
		return err_set(err, ERR_BAD_REQUEST, "token: not three parts with dots between");
	p->signed_text = slice_of(token.p, (size_t)(rest.p - token.p) - 1);
	r = base64url_read(a, head, &json, err);
	if (r == 0)
		r = base64url_read(a, body, &p->payload, err);
	if (r == 0)
		r = base64url_read(a, rest, &p->sig, err);
	if (r == 0)
		r = json_read(a, json, &opt, &p->header, err);
	if (r < 0)
		return err_wrap(err, "token");
	if (!doc_is(p->header, DOC_OBJECT))
		return err_set(err, ERR_BAD_REQUEST, "token: its header is no object");
	return read_header(a, p, err);
}

/* Whether the key may verify this scheme at all: never a public key as a secret. */
static bool fits(const struct jwk *k, const struct jwt_alg *alg)
{
	if (k->alg)
		return k->alg == alg;
	return k->key && alg->kind == ALG_KEY && key_takes(k->key, alg->scheme);
}

static bool verifies(const struct jwk *k, const struct parts *p)
{
	unsigned char sig[KEY_SIGNATURE_MAX];
	struct slice s = p->sig;

	if (k->secret) {
		size_t n = hmac_of(p->alg->digest, slice_of((char *)k->secret, k->secret_n),
				   p->signed_text, sig);

		return secret_equal(slice_of((char *)sig, n), p->sig);
	}
	if (p->alg->raw) {
		if (p->sig.n != 2 * p->alg->raw)
			return false;
		s = slice_of((char *)sig, raw_to_der(p->sig, p->alg->raw, sig));
	}
	return key_verify(k->key, p->alg->scheme, p->signed_text, s, NULL) == 0;
}

static int verify_signature(const struct jwks *s, const struct parts *p, struct err *err)
{
	const char *why = p->kid ? "it is signed by a key that is not known here"
				 : "no key here fits its scheme";
	char text[200];

	for (size_t i = 0; i < s->n; i++) {
		const struct jwk *k = &s->keys[i];

		if (p->kid && strcmp(k->kid, p->kid) != 0)
			continue;
		if (!fits(k, p->alg)) {
			if (p->kid)
				why = "its scheme is not the one of its key";
			continue;
		}
		if (verifies(k, p))
			return 0;
		why = "its signature is wrong";
	}
	(void)snprintf(text, sizeof(text), "%s%s%.100s%s", why, p->kid ? " (kid '" : "",
		       p->kid ? p->kid : "", p->kid ? "')" : "");
	return unauthorized(err, text);
}

int jws_verify(const struct jwks *s, struct slice token, struct arena *a, struct slice *ret,
	       struct err *err)
{
	struct parts p = { 0 };
	int r = split(a, token, &p, err);

	if (r == 0)
		r = verify_signature(s, &p, err);
	if (r == 0)
		*ret = p.payload;
	return r;
}

/* ---- claims ---- */

static int read_time(const struct doc *claims, const char *name, int64_t absent, int64_t *ret,
		     struct err *err)
{
	const struct doc *d = doc_get(claims, name);

	*ret = absent;
	if (d && doc_int64(d, ret) < 0)
		return err_set(err, ERR_UNAUTHORIZED, "token: its \"%s\" is no number", name);
	return 0;
}

static int read_text(struct arena *a, const struct doc *d, const char *name, const char **ret,
		     struct err *err)
{
	const struct doc *v = doc_get(d, name);

	*ret = v ? doc_cstr(a, v) : "";
	if (!*ret)
		return err_set(err, ERR_UNAUTHORIZED, "token: its \"%s\" is no string", name);
	return 0;
}

/* a + b without overflow. */
static int64_t later(int64_t a, int64_t b)
{
	int64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? (b > 0 ? INT64_MAX : INT64_MIN) : sum;
}

static int check_times(const struct jwt *t, const struct jwt_check *c, struct err *err)
{
	int64_t now = c->now ? c->now : clock_real() / NS_PER_SEC;

	if (t->exp == INT64_MAX && !c->exp_optional)
		return unauthorized(err, "it has no end (\"exp\")");
	if (t->exp != INT64_MAX && now >= later(t->exp, c->leeway))
		return err_set(err, ERR_UNAUTHORIZED, "token: it expired %lld seconds ago",
			       (long long)(now - t->exp));
	if (t->nbf != INT64_MIN && now < later(t->nbf, -c->leeway))
		return unauthorized(err, "it is not valid yet (\"nbf\"); check the clocks");
	if (t->iat != INT64_MIN && now < later(t->iat, -c->leeway))
		return unauthorized(err, "it was issued in the future (\"iat\"); check the clocks");
	if (c->age_max &&
	    (t->iat == INT64_MIN || now > later(later(t->iat, c->age_max), c->leeway)))
		return unauthorized(err, "it is too old, or does not say when it was issued");
	return 0;
}

static bool is_for(const struct doc *aud, const struct jwt_check *c)
{
	for (size_t i = 0; i < c->aud_n; i++) {
		if (doc_str_is(aud, c->aud[i]))
			return true;
		DOC_EACH (it, aud) {
			if (doc_str_is(it, c->aud[i]))
				return true;
		}
	}
	return c->aud_n == 0;
}

static int check_claims(const struct jwt *t, const struct jwt_check *c, struct err *err)
{
	if (c->iss && strcmp(t->iss, c->iss) != 0)
		return err_set(err, ERR_UNAUTHORIZED,
			       "token: its issuer is '%.200s' and not '%.200s'", t->iss, c->iss);
	if (!is_for(doc_get(t->claims, "aud"), c))
		return err_set(err, ERR_UNAUTHORIZED,
			       "token: it is for another audience (\"aud\") than '%.200s'",
			       c->aud[0]);
	if (c->typ) {
		struct slice typ = doc_slice(doc_get(t->header, "typ"));

		if (slice_starts(typ, SLICE("application/")))
			typ = slice_of(typ.p + 12, typ.n - 12);
		if (!slice_ieq(typ, slice_str(c->typ)))
			return err_set(err, ERR_UNAUTHORIZED, "token: its type is not '%.40s'",
				       c->typ);
	}
	return check_times(t, c, err);
}

static int read_claims(struct arena *a, struct slice payload, struct jwt *t, struct err *err)
{
	struct json_options opt = { .dup = JSON_DUP_ERROR, .max_depth = 32 };
	int r = json_read(a, payload, &opt, &t->claims, err);

	if (r < 0)
		return err_wrap(err, "token: claims");
	if (!doc_is(t->claims, DOC_OBJECT))
		return err_set(err, ERR_BAD_REQUEST, "token: its claims are no object");
	r = read_text(a, t->claims, "iss", &t->iss, err);
	if (r == 0)
		r = read_text(a, t->claims, "sub", &t->sub, err);
	if (r == 0)
		r = read_time(t->claims, "exp", INT64_MAX, &t->exp, err);
	if (r == 0)
		r = read_time(t->claims, "nbf", INT64_MIN, &t->nbf, err);
	if (r == 0)
		r = read_time(t->claims, "iat", INT64_MIN, &t->iat, err);
	return r;
}

int jwt_verify(const struct jwks *s, struct slice token, const struct jwt_check *check,
	       struct arena *a, struct jwt *ret, struct err *err)
{
	struct parts p = { 0 };
	struct jwt t = { 0 };
	bool allowed = check->algs_n == 0;
	int r = split(a, token, &p, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < check->algs_n; i++)
		allowed |= strcmp(check->algs[i], p.alg->name) == 0;
	if (!allowed)
		return err_set(err, ERR_UNAUTHORIZED, "token: its scheme %s is not allowed here",
			       p.alg->name);
	r = verify_signature(s, &p, err);
	if (r < 0)
		return r;
	t.header = p.header;
	t.alg = p.alg->name;
	t.kid = p.kid ? p.kid : "";
	r = read_claims(a, p.payload, &t, err);
	if (r == 0)
		r = check_claims(&t, check, err);
	if (r == 0)
		*ret = t;
	return r;
}

int jwt_peek(struct slice token, struct arena *a, struct jwt *ret, struct err *err)
{
	struct parts p = { 0 };
	struct jwt t = { 0 };
	int r = split(a, token, &p, err);

	if (r < 0)
		return r;
	t.header = p.header;
	t.alg = p.alg->name;
	t.kid = p.kid ? p.kid : "";
	r = read_claims(a, p.payload, &t, err);
	if (r == 0)
		*ret = t;
	return r;
}
