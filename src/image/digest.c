/* SPDX-License-Identifier: Apache-2.0 */
#include "image/digest.h"

#include "base/err.h"

#include <string.h>

const char *const image_digest_names[IMAGE_DIGEST_ALGS] = { "sha256", "sha512" };
static const size_t hex_len[IMAGE_DIGEST_ALGS] = { SHA256_HEX_LEN, SHA512_HEX_LEN };

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool image_digest_form_ok(struct slice s)
{
	struct slice encoded = s, alg = slice_split(&encoded, ':');
	bool word = false; /* separators stand between words only */

	if (!encoded.p || !encoded.n || encoded.n > SHA512_HEX_LEN || alg.n > 32)
		return false;
	for (size_t i = 0; i < alg.n; i++) {
		if (!is_word(alg.p[i]) && (!word || !strchr("+._-", alg.p[i])))
			return false;
		word = is_word(alg.p[i]);
	}
	for (size_t i = 0; i < encoded.n; i++) {
		char c = encoded.p[i];

		if (!is_word(c) && !(c >= 'A' && c <= 'Z') && c != '=' && c != '_' && c != '-')
			return false;
	}
	return word;
}

bool image_digest_valid(struct slice s)
{
	struct slice hex = s, alg = slice_split(&hex, ':');

	for (size_t i = 0; i < IMAGE_DIGEST_ALGS; i++)
		if (hex.p && slice_is(alg, image_digest_names[i]))
			return hex.n == hex_len[i] && hex_is_lower(hex);
	return false;
}

int image_digest_check(struct slice s, struct err *err)
{
	struct slice hex = s, alg = slice_split(&hex, ':');
	enum image_digest_alg known;

	if (image_digest_valid(s))
		return 0;
	if (image_digest_form_ok(s) && image_digest_alg_parse(alg, &known, err) < 0)
		return err_ret(err);
	return err_set(err, ERR_BAD_REQUEST,
		       "'%.*s' is no digest: sha256 and 64 hexadecimal digits, or sha512 and 128",
		       (int)MIN(s.n, 150u), s.p ? s.p : "");
}

enum image_digest_alg image_digest_alg(const char *digest)
{
	return digest[3] == '5' ? IMAGE_SHA512 : IMAGE_SHA256;
}

int image_digest_alg_parse(struct slice name, enum image_digest_alg *ret, struct err *err)
{
	for (unsigned i = 0; i < IMAGE_DIGEST_ALGS; i++)
		if (slice_is(name, image_digest_names[i])) {
			*ret = (enum image_digest_alg)i;
			return 0;
		}
	return err_set(err, ERR_UNSUPPORTED,
		       "digest algorithm '%.*s' is not supported: sha256 and sha512 are",
		       (int)MIN(name.n, 40u), name.p ? name.p : "");
}

void image_hash_init(struct image_hash *h, enum image_digest_alg alg)
{
	h->alg = alg;
	if (alg == IMAGE_SHA512)
		sha512_init(&h->s512);
	else
		sha256_init(&h->s256);
}

void image_hash_update(struct image_hash *h, const void *p, size_t n)
{
	if (h->alg == IMAGE_SHA512)
		sha512_update(&h->s512, p, n);
	else
		sha256_update(&h->s256, p, n);
}

void image_hash_final(struct image_hash *h, char dst[IMAGE_DIGEST_MAX])
{
	unsigned char raw[SHA512_LEN];

	memcpy(dst, image_digest_names[h->alg], 6);
	dst[6] = ':';
	if (h->alg == IMAGE_SHA512)
		sha512_final(&h->s512, raw);
	else
		sha256_final(&h->s256, raw);
	hex_encode(dst + 7, raw, hex_len[h->alg] / 2);
}

void image_digest_of(const void *p, size_t n, char dst[IMAGE_DIGEST_MAX])
{
	memcpy(dst, "sha256:", 7);
	sha256_hex(p, n, dst + 7);
}

bool image_digest_matches(const char *digest, struct slice bytes)
{
	char have[IMAGE_DIGEST_MAX];
	struct image_hash h;

	image_hash_init(&h, image_digest_alg(digest));
	image_hash_update(&h, bytes.p, bytes.n);
	image_hash_final(&h, have);
	return strcmp(have, digest) == 0;
}
