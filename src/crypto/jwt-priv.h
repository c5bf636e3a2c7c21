/* SPDX-License-Identifier: Apache-2.0 */
/* Private to crypto: the insides of key sets, and base64url. */
#pragma once

#include "crypto/aead.h"
#include "crypto/jwt.h"
#include "crypto/key.h"

enum jwt_alg_kind { ALG_KEY, ALG_HMAC };

struct jwt_alg {
	const char *name;
	enum jwt_alg_kind kind;
	enum key_scheme scheme; /* ALG_KEY */
	enum digest digest;	/* ALG_HMAC */
	size_t raw;		/* ECDSA: bytes of each number in the signature */
};
/* NULL: not one of ours. */
const struct jwt_alg *jwt_alg(struct slice name);

struct jwk {
	char *kid;
	struct key *key; /* or */
	unsigned char *secret;
	size_t secret_n;
	const struct jwt_alg *alg; /* NULL = any of its type */
};

struct jwks {
	struct jwk keys[JWKS_KEYS_MAX];
	size_t n;
	char *skipped[JWKS_KEYS_MAX];
	size_t skipped_n;
};

/* Strict: no padding, no other characters, no stray bits. Bytes in the arena. */
int base64url_read(struct arena *a, struct slice text, struct slice *ret, struct err *err);
int base64url_write(struct buf *out, const void *p, size_t n);
