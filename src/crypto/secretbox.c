/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NaCl's secretbox: XSalsa20 (D. J. Bernstein, "Extending the Salsa20 nonce") as the cipher, whose
 * first 32 bytes are the one-time key of a Poly1305 (RFC 8439 2.5) over the ciphertext. The stream
 * is ours, since OpenSSL has ChaCha20 only; it has no branch or index that depends on a secret.
 */
#include "base/err.h"
#include "crypto/aead.h"
#include "crypto/ossl.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>

#define BLOCK 64u

static uint32_t load(const unsigned char *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void store(unsigned char *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (unsigned char)(v >> (8 * i));
}

static uint32_t rotate(uint32_t v, int by)
{
	return v << by | v >> (32 - by);
}

static void quarter(uint32_t *x, int a, int b, int c, int d)
{
	x[b] ^= rotate(x[a] + x[d], 7);
	x[c] ^= rotate(x[b] + x[a], 9);
	x[d] ^= rotate(x[c] + x[b], 13);
	x[a] ^= rotate(x[d] + x[c], 18);
}

/* Salsa20's twenty rounds. */
static void rounds(uint32_t x[16])
{
	for (int i = 0; i < 10; i++) {
		quarter(x, 0, 4, 8, 12);
		quarter(x, 5, 9, 13, 1);
		quarter(x, 10, 14, 2, 6);
		quarter(x, 15, 3, 7, 11);
		quarter(x, 0, 1, 2, 3);
		quarter(x, 5, 6, 7, 4);
		quarter(x, 10, 11, 8, 9);
		quarter(x, 15, 12, 13, 14);
	}
}

/* "expand 32-byte k" on the diagonal, key around, 16 bytes of nonce (and counter) in the middle. */
static void set_state(uint32_t x[16], const unsigned char key[32], const unsigned char in[16])
{
	static const uint32_t sigma[] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 };

	for (int i = 0; i < 4; i++) {
		x[5 * i] = sigma[i];
		x[1 + i] = load(key + 4 * i);
		x[11 + i] = load(key + 16 + 4 * i);
		x[6 + i] = load(in + 4 * i);
	}
}

/* HSalsa20: the key for the rest of the nonce. */
static void subkey(unsigned char out[32], const unsigned char key[32], const unsigned char in[16])
{
	uint32_t x[16];

	set_state(x, key, in);
	rounds(x);
	for (int i = 0; i < 4; i++) {
		store(out + 4 * i, x[5 * i]);
		store(out + 16 + 4 * i, x[6 + i]);
	}
	OPENSSL_cleanse(x, sizeof(x));
}

static void block(unsigned char out[BLOCK], const unsigned char key[32],
		  const unsigned char nonce[8], uint64_t counter)
{
	uint32_t x[16], first[16];
	unsigned char in[16];

	memcpy(in, nonce, 8);
	for (int i = 0; i < 8; i++)
		in[8 + i] = (unsigned char)(counter >> (8 * i));
	set_state(first, key, in);
	memcpy(x, first, sizeof(x));
	rounds(x);
	for (int i = 0; i < 16; i++)
		store(out + 4 * i, x[i] + first[i]);
	OPENSSL_cleanse(x, sizeof(x));
	OPENSSL_cleanse(first, sizeof(first));
}

struct box {
	unsigned char key[32], once[32]; /* of the stream, of the tag */
	unsigned char first[BLOCK];
	const unsigned char *nonce; /* its last 8 bytes */
};

static void box_init(struct box *b, const unsigned char *key, const unsigned char *nonce)
{
	subkey(b->key, key, nonce);
	b->nonce = nonce + 16;
	block(b->first, b->key, b->nonce, 0);
	memcpy(b->once, b->first, sizeof(b->once));
}

/* The text begins behind the 32 bytes that are the tag's key. */
static void box_stream(const struct box *b, const char *from, unsigned char *to, size_t n)
{
	unsigned char stream[BLOCK];
	uint64_t counter = 0;
	size_t used = 32;

	memcpy(stream, b->first, sizeof(stream));
	for (size_t i = 0; i < n; i++) {
		if (used == BLOCK) {
			block(stream, b->key, b->nonce, ++counter);
			used = 0;
		}
		to[i] = (unsigned char)from[i] ^ stream[used++];
	}
	OPENSSL_cleanse(stream, sizeof(stream));
}

static int box_tag(const struct box *b, const unsigned char *p, size_t n, unsigned char tag[16],
		   struct err *err)
{
	EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(ossl_algs()->poly1305);
	size_t len;
	int ok = EVP_MAC_init(ctx, b->once, sizeof(b->once), NULL) == 1 &&
		 EVP_MAC_update(ctx, p, n) == 1 &&
		 EVP_MAC_final(ctx, tag, &len, SECRETBOX_TAG) == 1;

	EVP_MAC_CTX_free(ctx);
	return ok ? 0 : ossl_err(err, ERR_SYSTEM, "Poly1305");
}

int secretbox_seal(const unsigned char key[SECRETBOX_KEY],
		   const unsigned char nonce[SECRETBOX_NONCE], struct slice text, struct buf *out,
		   struct err *err)
{
	struct box b;
	unsigned char *to;
	int r;

	if (!buf_room(out, text.n + SECRETBOX_TAG))
		return err_set(err, ERR_TOO_LARGE, "no room for %zu bytes of data", text.n);
	to = (unsigned char *)out->p + out->n;
	box_init(&b, key, nonce);
	box_stream(&b, text.p, to + SECRETBOX_TAG, text.n);
	r = box_tag(&b, to + SECRETBOX_TAG, text.n, to, err);
	OPENSSL_cleanse(&b, sizeof(b));
	if (r == 0)
		out->n += text.n + SECRETBOX_TAG;
	out->p[out->n] = '\0';
	return r;
}

int secretbox_open(const unsigned char key[SECRETBOX_KEY],
		   const unsigned char nonce[SECRETBOX_NONCE], struct slice sealed, struct buf *out,
		   struct err *err)
{
	size_t n = sealed.n - SECRETBOX_TAG;
	unsigned char tag[SECRETBOX_TAG];
	struct box b;
	int r;

	if (sealed.n < SECRETBOX_TAG)
		return err_set(err, ERR_FORBIDDEN,
			       "the data does not open: it was damaged or sealed with another key");
	if (!buf_room(out, n))
		return err_set(err, ERR_TOO_LARGE, "no room for %zu bytes of data", n);
	box_init(&b, key, nonce);
	r = box_tag(&b, (const unsigned char *)sealed.p + SECRETBOX_TAG, n, tag, err);
	if (r == 0 && CRYPTO_memcmp(tag, sealed.p, sizeof(tag)) != 0)
		r = err_set(err, ERR_FORBIDDEN,
			    "the data does not open: it was damaged or sealed with another key");
	if (r == 0) {
		box_stream(&b, sealed.p + SECRETBOX_TAG, (unsigned char *)out->p + out->n, n);
		out->n += n;
	}
	out->p[out->n] = '\0';
	OPENSSL_cleanse(&b, sizeof(b));
	return r;
}
