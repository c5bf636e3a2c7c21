/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private and public keys: RSA (2048 to 8192 bits), ECDSA (P-256, P-384, P-521), Ed25519.
 *
 * A key is counted and immutable, and may be shared by threads. Its memory is wiped with the last
 * reference. Forms: PKCS#8 (RFC 5208), PKCS#1 (RFC 8017), SEC1 (RFC 5915), SubjectPublicKeyInfo, as
 * PEM or DER. Encrypted private keys are refused with ERR_UNSUPPORTED.
 */
#pragma once

#include "base/cleanup.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

struct err;
struct key;

enum key_type { KEY_RSA, KEY_P256, KEY_P384, KEY_P521, KEY_ED25519 };

/* bits: for RSA 2048, 3072 or 4096 (0 = 2048), else 0. */
int key_generate(enum key_type type, int bits, struct key **ret, struct err *err);
/* The first key of a PEM text, private or public (certificates beside it are skipped), or DER. */
int key_read(struct slice text, struct key **ret, struct err *err);
struct key *key_ref(struct key *k);
void key_unref(struct key *k); /* NULL is fine */
DEFINE_CLEANUP(struct key *, key_unref)

enum key_type key_type(const struct key *k);
const char *key_type_name(const struct key *k); /* "RSA", "ECDSA P-256", "Ed25519" */
int key_bits(const struct key *k);
bool key_is_private(const struct key *k);
/* The same public part. */
bool key_matches(const struct key *a, const struct key *b);

enum key_form {
	KEY_PRIVATE_PKCS8,
	KEY_PRIVATE_LEGACY, /* PKCS#1 for RSA, SEC1 for ECDSA, PKCS#8 for Ed25519 */
	KEY_PUBLIC,	    /* SubjectPublicKeyInfo */
};
/* Appends. Wipe what holds a private key: secret_buf_fini (aead.h). CONFLICT: no private part. */
int key_write_pem(const struct key *k, enum key_form form, struct buf *out, struct err *err);
int key_write_der(const struct key *k, enum key_form form, struct buf *out, struct err *err);

/* Signature schemes, by their names in JOSE (RFC 7518, 8037). ECDSA's are pairs in DER here. */
enum key_scheme {
	KEY_RS256,
	KEY_RS384,
	KEY_RS512,
	KEY_PS256,
	KEY_PS384,
	KEY_PS512,
	KEY_ES256, /* with P-256 */
	KEY_ES384, /* with P-384 */
	KEY_ES512, /* with P-521 */
	KEY_EDDSA,
};
/* The customary scheme of a key: RS256, ES* by curve, EdDSA. */
enum key_scheme key_scheme_of(const struct key *k);
const char *key_scheme_name(enum key_scheme scheme);
/* Whether the key's type is the scheme's. */
bool key_takes(const struct key *k, enum key_scheme scheme);
#define KEY_SIGNATURE_MAX 1024u
/* sig has room for KEY_SIGNATURE_MAX. */
int key_sign(const struct key *k, enum key_scheme scheme, struct slice data, unsigned char *sig,
	     size_t *ret_n, struct err *err);
/* 0 = good; -ERR_FORBIDDEN = not signed by this key; INVALID = scheme and key do not fit. */
int key_verify(const struct key *k, enum key_scheme scheme, struct slice data, struct slice sig,
	       struct err *err);
