/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Symmetric cryptography: authenticated and other ciphers as stored data needs them, digests, key
 * derivation, passwords, and the care of secrets. Specs: NIST SP 800-38D (GCM), 800-38A (CBC),
 * NaCl's secretbox (XSalsa20-Poly1305), RFC 2104, 5869, 8018.
 *
 * A ciphertext that does not open gives FORBIDDEN with one and the same message, whatever is wrong
 * with it. No call writes a secret into an error. All calls are thread safe.
 */
#pragma once

#include "base/cleanup.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

/* ---- secrets ---- */

/* Overwrites; the compiler may not leave it out. */
void secret_wipe(void *p, size_t n);
/* buf_fini for a buffer that holds a secret. It must not have grown since: reserve with buf_room.
 */
void secret_buf_fini(struct buf *b);
DEFINE_CLEANUP_EMBEDDED(struct buf, secret_buf_fini)
/* In a time that tells only the lengths. */
bool secret_equal(struct slice a, struct slice b);

/* ---- ciphers; all append to out ---- */

#define AES_GCM_NONCE 12
#define AES_GCM_TAG 16
/* key: 16, 24 or 32 bytes. A nonce is used once with a key. Out: ciphertext, then the tag. */
int aes_gcm_seal(struct slice key, const unsigned char nonce[AES_GCM_NONCE], struct slice aad,
		 struct slice text, struct buf *out, struct err *err);
int aes_gcm_open(struct slice key, const unsigned char nonce[AES_GCM_NONCE], struct slice aad,
		 struct slice sealed, struct buf *out, struct err *err);

#define AES_CBC_IV 16
/* key: 16, 24 or 32 bytes; PKCS#7 padding. Not authenticated: for data that is so by other means
 * (Kubernetes' aescbc is read for its sake). */
int aes_cbc_seal(struct slice key, const unsigned char iv[AES_CBC_IV], struct slice text,
		 struct buf *out, struct err *err);
int aes_cbc_open(struct slice key, const unsigned char iv[AES_CBC_IV], struct slice sealed,
		 struct buf *out, struct err *err);

#define SECRETBOX_KEY 32
#define SECRETBOX_NONCE 24
#define SECRETBOX_TAG 16
/* Out: the tag, then the ciphertext, as NaCl has it. A random nonce is fine. */
int secretbox_seal(const unsigned char key[SECRETBOX_KEY],
		   const unsigned char nonce[SECRETBOX_NONCE], struct slice text, struct buf *out,
		   struct err *err);
int secretbox_open(const unsigned char key[SECRETBOX_KEY],
		   const unsigned char nonce[SECRETBOX_NONCE], struct slice sealed, struct buf *out,
		   struct err *err);

/* ---- digests, derivation ---- */

enum digest { DIGEST_MD5, DIGEST_SHA1, DIGEST_SHA256, DIGEST_SHA384, DIGEST_SHA512 };
#define DIGEST_MAX 64
size_t digest_len(enum digest d);
/* MD5 and SHA-1 are for old formats only, where no security hangs on them. */
size_t digest_of(enum digest d, struct slice data, unsigned char out[DIGEST_MAX]);
size_t hmac_of(enum digest d, struct slice key, struct slice data, unsigned char out[DIGEST_MAX]);
/* At most 255 digests long. */
int hkdf(enum digest d, struct slice secret, struct slice salt, struct slice info,
	 unsigned char *out, size_t n, struct err *err);
#define PBKDF2_ROUNDS_MAX 10000000u
int pbkdf2(enum digest d, struct slice password, struct slice salt, unsigned rounds,
	   unsigned char *out, size_t n, struct err *err);

/* ---- passwords ---- */

#define PASSWORD_HASH_MAX 64
#define PASSWORD_MAX 72 /* bytes that bcrypt looks at */
#define BCRYPT_COST_DEFAULT 10
#define BCRYPT_COST_MAX 16 /* some seconds */
/* bcrypt ("$2b$"); takes 50 ms and more: not on a loop's thread. cost 0 = default. */
int password_hash(struct slice password, int cost, char out[PASSWORD_HASH_MAX], struct err *err);
/*
 * 0 = right, FORBIDDEN = wrong. stored: bcrypt ($2a$, $2b$, $2y$; as slow as its cost) or "{SHA}".
 * UNSUPPORTED names the others ($apr1$ and so on), TOO_LARGE a cost above the maximum.
 */
int password_verify(struct slice password, const char *stored, struct err *err);
