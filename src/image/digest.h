/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Content digests: "sha256:<64 hex>" and "sha512:<128 hex>", the two algorithms that are registered
 * and required (image-spec descriptor.md#digests). Others have a valid form, and are refused by
 * name where bytes would have to be checked.
 */
#pragma once

#include "base/hash.h"
#include "base/str.h"

#include <stdbool.h>

struct err;

#define IMAGE_DIGEST_MAX (7 + SHA512_HEX_LEN + 1) /* text and NUL */

enum image_digest_alg { IMAGE_SHA256, IMAGE_SHA512 };
#define IMAGE_DIGEST_ALGS 2
extern const char *const image_digest_names[IMAGE_DIGEST_ALGS]; /* "sha256", "sha512" */

/* One of the two, with as many lower hex digits as it has. */
bool image_digest_valid(struct slice s);
/* algorithm ":" encoded of the grammar, whatever the algorithm. */
bool image_digest_form_ok(struct slice s);
/* -ERR_BAD_REQUEST: no digest; -ERR_UNSUPPORTED: an algorithm that is not known, by name. */
int image_digest_check(struct slice s, struct err *err);
/* Of a valid digest. */
enum image_digest_alg image_digest_alg(const char *digest);
/* "sha256" or "sha512", -ERR_UNSUPPORTED else. */
int image_digest_alg_parse(struct slice name, enum image_digest_alg *ret, struct err *err);
/* The digits behind the algorithm. */
#define IMAGE_HEX(digest) ((digest) + 7)

/* A digest that is being computed. */
struct image_hash {
	enum image_digest_alg alg;
	union {
		struct sha256 s256;
		struct sha512 s512;
	};
};
void image_hash_init(struct image_hash *h, enum image_digest_alg alg);
void image_hash_update(struct image_hash *h, const void *p, size_t n);
void image_hash_final(struct image_hash *h, char dst[IMAGE_DIGEST_MAX]);

/* sha256 of bytes. */
void image_digest_of(const void *p, size_t n, char dst[IMAGE_DIGEST_MAX]);
/* The bytes have this (valid) digest. */
bool image_digest_matches(const char *digest, struct slice bytes);
