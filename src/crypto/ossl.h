/* SPDX-License-Identifier: Apache-2.0 */
/* Private to crypto: OpenSSL's set-up, its errors as ours, and the insides of keys and
 * certificates. */
#pragma once

#include "base/cleanup.h"
#include "base/err.h"
#include "base/str.h"

#include <openssl/evp.h>
#include <openssl/types.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define PEM_MAX (1u << 20) /* bytes of any PEM or DER text */

/* Sets OpenSSL up once, without its configuration file; every entry point that is first in line
 * calls it. From then on its allocations never fail: out of memory ends the process. */
void crypto_init(void);
/* OpenSSL's last error behind our words: "<fmt>: <reason>". Clears its queue. Returns -code. */
int ossl_err(struct err *err, enum err_code code, const char *fmt, ...) PRINTF(3, 4);

/* What is looked up once and kept: OpenSSL's fetches are slow. Valid after crypto_init. */
struct ossl_algs {
	EVP_CIPHER *aes128gcm, *aes192gcm, *aes256gcm, *aes128cbc, *aes192cbc, *aes256cbc, *chacha,
		*chacha_poly;
	EVP_MD *md5, *sha1, *sha256, *sha384, *sha512;
	EVP_MAC *hmac, *poly1305;
};
const struct ossl_algs *ossl_algs(void);

struct key {
	atomic_uint refs;
	EVP_PKEY *pkey;
	uint8_t type; /* enum key_type */
	bool is_private;
	int bits;
};
/* Takes pkey also on failure; refuses types and sizes that we do not take. */
int key_wrap(EVP_PKEY *pkey_taken, bool is_private, struct key **ret, struct err *err);

/* One PEM block: its label, and its bytes; freed (wiped) with pem_fini. */
struct pem {
	char *label, *header;
	unsigned char *der;
	long n;
};
void pem_fini(struct pem *p);
DEFINE_CLEANUP_EMBEDDED(struct pem, pem_fini)
/* The next block of the text behind bio: 1; 0 at the end; BAD_REQUEST for a broken one. */
int pem_next(BIO *bio, struct pem *ret, struct err *err);
BIO *ossl_bio(struct slice text);

#define OSSL_CLEANUP(type, fn)                     \
	static inline void fn##_cleanup_(type **p) \
	{                                          \
		fn(*p);                            \
	}
