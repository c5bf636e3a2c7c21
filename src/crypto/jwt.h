/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON Web Keys and Tokens. Specs: RFC 7515 (JWS, compact), 7517 (JWK), 7518 (JWA), 7519 (JWT),
 * 7638 (thumbprints), 8037 (Ed25519), 8725 (practice).
 *
 * A set holds keys by id. It decides which schemes are right: a key verifies only what its type,
 * and its "alg" if it has one, allow, so a public key is never taken for a secret. "none" and
 * unknown critical headers are refused. A set is filled by its maker; then it may be read by many
 * threads.
 */
#pragma once

#include "base/cleanup.h"
#include "base/str.h"
#include "doc/doc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct err;
struct key;
struct jwks;

#define JWT_MAX 65536u	    /* bytes of a token */
#define JWKS_MAX (1u << 20) /* bytes of a set's text */
#define JWKS_KEYS_MAX 256u
#define JWK_THUMBPRINT 43 /* characters: SHA-256 in base64url */

/* ---- key sets ---- */

struct jwks *jwks_new(void);
void jwks_free(struct jwks *s); /* NULL is fine; wipes secrets */
DEFINE_CLEANUP(struct jwks *, jwks_free)
/* References k. kid NULL = the thumbprint; alg NULL = the customary scheme. EXISTS: the id is
 * taken. */
int jwks_add(struct jwks *s, struct key *k, const char *kid, const char *alg, struct err *err);
/* A secret for HS256, HS384 or HS512, at least as long as the digest. Copied. */
int jwks_add_secret(struct jwks *s, struct slice secret, const char *kid, const char *alg,
		    struct err *err);
/* False: there was none. Rotation: add the next key, sign with it, remove the old one when its
 * tokens have expired. */
bool jwks_remove(struct jwks *s, const char *kid);
/*
 * Adds the keys of a text, a set or a single key. A key that is malformed, encrypts, or is of a
 * kind that we do not take is skipped with a reason; only a text that is no set at all fails.
 */
int jwks_read(struct jwks *s, struct slice text, struct err *err);
size_t jwks_len(const struct jwks *s);
const char *jwks_kid(const struct jwks *s, size_t i);
struct key *jwks_key(const struct jwks *s, size_t i); /* borrowed; NULL for a secret */
/* Keys that jwks_read skipped: "key 2 ('abc'): ..." NULL past the last. */
const char *jwks_skipped(const struct jwks *s, size_t i);
/* The public parts as {"keys":[...]}; secrets are left out. */
int jwks_write(const struct jwks *s, struct buf *out, struct err *err);
/* RFC 7638 of the public part. */
int jwk_thumbprint(const struct key *k, char out[JWK_THUMBPRINT + 1], struct err *err);

/* ---- tokens ---- */

/* Signs claims with the set's key kid (which has its private part, or is a secret). typ NULL =
 * none. Appends. */
int jwt_sign(const struct jwks *s, const char *kid, const char *typ, const struct doc *claims,
	     struct buf *out, struct err *err);

struct jwt_check {
	const char *iss;	/* must be it; NULL = not looked at */
	const char *const *aud; /* must name one of these; none = not looked at */
	size_t aud_n;
	const char *const *algs; /* schemes that are allowed; none = all that the keys allow */
	size_t algs_n;
	const char *typ;   /* must be it ("at+jwt"); NULL = not looked at */
	int64_t now;	   /* seconds since 1970; 0 = the clock */
	int64_t leeway;	   /* seconds of clock skew that are forgiven [0] */
	int64_t age_max;   /* seconds since iat, which then must be there; 0 = any */
	bool exp_optional; /* tokens without end are taken */
};

struct jwt {
	struct doc *header, *claims;	   /* in the arena */
	const char *alg, *kid, *iss, *sub; /* "" if absent */
	int64_t exp, nbf, iat;		   /* INT64_MAX, INT64_MIN, INT64_MIN if absent */
};
/*
 * BAD_REQUEST: no token. UNAUTHORIZED: which check failed and why (unknown key, signature, expired
 * since, not yet valid, issuer, audience).
 */
int jwt_verify(const struct jwks *s, struct slice token, const struct jwt_check *check,
	       struct arena *a, struct jwt *ret, struct err *err);
/* What a token says, with nothing verified: only to find out whose keys are to be asked. */
int jwt_peek(struct slice token, struct arena *a, struct jwt *ret, struct err *err);
/* Only the signature: what a JWS carries, of any form. As jwt_verify otherwise. */
int jws_verify(const struct jwks *s, struct slice token, struct arena *a, struct slice *ret,
	       struct err *err);
