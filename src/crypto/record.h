/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to crypto: TLS 1.3 records of one direction, sealed or opened with keys derived from its
 * traffic secret. Spec: RFC 8446 sections 5 and 7; RFC 5116, 8439.
 */
#pragma once

#include "crypto/ossl.h"

#include <sys/types.h>

enum record_type { RECORD_CCS = 20, RECORD_ALERT = 21, RECORD_HANDSHAKE = 22, RECORD_DATA = 23 };

#define RECORD_HEAD 5u
#define RECORD_TAG 16u
#define RECORD_PLAIN_MAX 16384u
#define RECORD_OVERHEAD (RECORD_HEAD + 1u + RECORD_TAG) /* type byte within */
#define RECORD_SECRET_MAX 48
/* After that many records of one key a new one is taken: far below the limit of AES-GCM (2^24.5).
 */
#define RECORD_KEY_LIMIT (1u << 23)

struct record_suite {
	uint16_t id;
	uint8_t key_n, hash_n;
};
/* NULL for suites that are not ours. */
const struct record_suite *record_suite(uint16_t id);

struct record_dir {
	const struct record_suite *suite;
	EVP_CIPHER_CTX *ctx;
	uint64_t seq;
	unsigned char iv[12], secret[RECORD_SECRET_MAX];
	bool seal;
};

int record_init(struct record_dir *d, const struct record_suite *suite, const unsigned char *secret,
		bool seal, struct err *err);
void record_fini(struct record_dir *d); /* wipes */
/* The next generation of keys (KeyUpdate). */
int record_update(struct record_dir *d, struct err *err);
/* The key as the kernel wants it. */
void record_key(const struct record_dir *d, unsigned char key[32]);

/* One record of n bytes (at most RECORD_PLAIN_MAX) gathered from v, which is advanced; out has room
 * for n + RECORD_OVERHEAD. Returns the bytes written. */
size_t record_seal(struct record_dir *d, uint8_t type, struct slice *v, size_t n, char *out);
/* A whole record with its head; dst has room for n. Returns the bytes of plaintext and its type, or
 * -1: not sealed with this key and number (bad_record_mac); -2: no type (unexpected_message);
 * -3: more than 2^14 bytes with its padding (record_overflow, RFC 8446 5.4). */
ssize_t record_open(struct record_dir *d, const char *record, size_t n, char *dst,
		    uint8_t *ret_type);
