/* SPDX-License-Identifier: Apache-2.0 */
/* Hashes and text codings: seeded map hash, SHA-256 (SHA-NI when the CPU has it), SHA-512, CRC-32C,
 * hex, base64. */
#pragma once

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

/* Keyed with a per-process random seed: not stable across runs, safe against chosen keys
 * (SipHash-1-3). */
uint64_t hash_bytes(const void *p, size_t n);
/* Stable across runs and machines, not flooding-safe (FNV-1a 64): for names derived from ids. */
uint64_t hash_stable(const void *p, size_t n);

struct sha256 {
	uint32_t h[8];
	uint64_t total;
	unsigned char block[64];
	size_t fill;
};
#define SHA256_LEN 32
#define SHA256_HEX_LEN 64
void sha256_init(struct sha256 *s);
void sha256_update(struct sha256 *s, const void *p, size_t n);
void sha256_final(struct sha256 *s, unsigned char out[SHA256_LEN]);
/* One call; hex has 64 digits and a NUL. */
void sha256_hex(const void *p, size_t n, char hex[SHA256_HEX_LEN + 1]);

struct sha512 {
	uint64_t h[8];
	uint64_t total;
	unsigned char block[128];
	size_t fill;
};
#define SHA512_LEN 64
#define SHA512_HEX_LEN 128
void sha512_init(struct sha512 *s);
void sha512_update(struct sha512 *s, const void *p, size_t n);
void sha512_final(struct sha512 *s, unsigned char out[SHA512_LEN]);

uint32_t crc32c(uint32_t crc, const void *p, size_t n); /* start with 0 */

void hex_encode(char *dst, const void *p, size_t n); /* 2n digits and a NUL, lower case */
int hex_decode(void *dst, struct slice hex);	     /* 0, or -1 for odd length or a non-digit */
bool hex_is_lower(struct slice s);		     /* only [0-9a-f] */

#define BASE64_LEN(n) (((n) + 2) / 3 * 4)
void base64_encode(char *dst, const void *p,
		   size_t n); /* BASE64_LEN(n) chars and a NUL, standard alphabet, padded */
/* Standard or URL alphabet, with or without padding. dst holds at least n*3/4 bytes. 0 and *ret_n,
 * or -1. */
int base64_decode(void *dst, size_t *ret_n, struct slice text);

/* Constant-time comparison for secrets. */
bool mem_equal_ct(const void *a, const void *b, size_t n);

/* Fills with the kernel's random bytes; blocks until the pool is ready, aborts if the kernel has no
 * getrandom. */
void random_bytes(void *p, size_t n);
uint64_t random_u64(void);
/* n hex digits (even n) and a NUL. */
void random_hex(char *dst, size_t n);
#define UUID_TEXT_MAX 37
void random_uuid(char dst[UUID_TEXT_MAX]); /* version 4, lower case (RFC 9562, 5.4) */

/* For tests: the code used where the CPU has no instructions for it. Whole 64-byte blocks into h.
 */
void sha256_blocks_portable_(uint32_t h[8], const unsigned char *p, size_t blocks);
uint32_t crc32c_portable_(uint32_t crc, const void *p, size_t n);
