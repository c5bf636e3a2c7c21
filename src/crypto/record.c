/* SPDX-License-Identifier: Apache-2.0 */
/* Records of TLS 1.3. The nonce is the sequence number over the derived iv; the head is what is
 * authenticated beside. */
#include "crypto/record.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#define DIRECT_MIN 2048 /* pieces from here on are sealed from where they lie, without a copy */

static const struct record_suite suites[] = {
	{ 0x1301, 16, 32 }, /* TLS_AES_128_GCM_SHA256 */
	{ 0x1302, 32, 48 }, /* TLS_AES_256_GCM_SHA384 */
	{ 0x1303, 32, 32 }, /* TLS_CHACHA20_POLY1305_SHA256 */
};

const struct record_suite *record_suite(uint16_t id)
{
	for (size_t i = 0; i < ARRAY_LEN(suites); i++) {
		if (suites[i].id == id)
			return &suites[i];
	}
	return NULL;
}

static const EVP_CIPHER *cipher_of(const struct record_suite *s)
{
	const struct ossl_algs *a = ossl_algs();

	switch (s->id) {
	case 0x1301: return a->aes128gcm;
	case 0x1302: return a->aes256gcm;
	default: return a->chacha_poly;
	}
}

/* HMAC over two pieces of plain digests: OpenSSL's own looks its parts up anew on every call. */
static bool hmac(const EVP_MD *md, const struct record_dir *d, const unsigned char *text, size_t n,
		 unsigned char out[EVP_MAX_MD_SIZE])
{
	const size_t block = d->suite->hash_n == 48 ? 128 : 64;
	unsigned char pad[128];
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = true;

	for (int pass = 0; pass < 2 && ok; pass++) {
		memset(pad, 0, block);
		memcpy(pad, d->secret, d->suite->hash_n);
		for (size_t i = 0; i < block; i++)
			pad[i] ^= pass ? 0x5c : 0x36;
		ok = EVP_DigestInit_ex(ctx, md, NULL) == 1 &&
		     EVP_DigestUpdate(ctx, pad, block) == 1 &&
		     EVP_DigestUpdate(ctx, pass ? out : text, pass ? d->suite->hash_n : n) == 1 &&
		     EVP_DigestFinal_ex(ctx, out, NULL) == 1;
	}
	OPENSSL_cleanse(pad, sizeof(pad));
	EVP_MD_CTX_free(ctx);
	return ok;
}

/* HKDF-Expand-Label with an empty context; n is at most one block of the hash. */
static int expand(const struct record_dir *d, const char *label, unsigned char *out, size_t n)
{
	const EVP_MD *md = d->suite->hash_n == 48 ? ossl_algs()->sha384 : ossl_algs()->sha256;
	unsigned char info[64], block[EVP_MAX_MD_SIZE];
	size_t len = strlen(label), k = 0;
	bool ok;

	info[k++] = (unsigned char)(n >> 8);
	info[k++] = (unsigned char)n;
	info[k++] = (unsigned char)(6 + len);
	memcpy(info + k, "tls13 ", 6);
	k += 6;
	memcpy(info + k, label, len);
	k += len;
	info[k++] = 0; /* context */
	info[k++] = 1; /* first block */
	ok = hmac(md, d, info, k, block);
	memcpy(out, block, n);
	OPENSSL_cleanse(block, sizeof(block));
	return ok ? 0 : -1;
}

void record_key(const struct record_dir *d, unsigned char key[32])
{
	(void)expand(d, "key", key, d->suite->key_n); /* went well at record_init */
}

static int rekey(struct record_dir *d, struct err *err)
{
	unsigned char key[32];
	int ok = expand(d, "key", key, d->suite->key_n) == 0 &&
		 expand(d, "iv", d->iv, sizeof(d->iv)) == 0 &&
		 EVP_CipherInit_ex(d->ctx, cipher_of(d->suite), NULL, key, NULL, d->seal) == 1;

	OPENSSL_cleanse(key, sizeof(key));
	d->seq = 0;
	return ok ? 0 : ossl_err(err, ERR_SYSTEM, "keys of records");
}

int record_init(struct record_dir *d, const struct record_suite *suite, const unsigned char *secret,
		bool seal, struct err *err)
{
	*d = (struct record_dir){ .suite = suite, .seal = seal, .ctx = EVP_CIPHER_CTX_new() };
	memcpy(d->secret, secret, suite->hash_n);
	return rekey(d, err);
}

void record_fini(struct record_dir *d)
{
	EVP_CIPHER_CTX_free(d->ctx); /* wipes its key */
	OPENSSL_cleanse(d, sizeof(*d));
}

int record_update(struct record_dir *d, struct err *err)
{
	unsigned char next[RECORD_SECRET_MAX];

	if (expand(d, "traffic upd", next, d->suite->hash_n) < 0)
		return ossl_err(err, ERR_SYSTEM, "keys of records");
	memcpy(d->secret, next, d->suite->hash_n);
	OPENSSL_cleanse(next, sizeof(next));
	return rekey(d, err);
}

static bool begin(struct record_dir *d, const char *head)
{
	unsigned char nonce[12];
	int n;

	memcpy(nonce, d->iv, sizeof(nonce));
	for (int i = 0; i < 8; i++)
		nonce[11 - i] ^= (unsigned char)(d->seq >> (8 * i));
	return EVP_CipherInit_ex(d->ctx, NULL, NULL, NULL, nonce, -1) == 1 &&
	       EVP_CipherUpdate(d->ctx, NULL, &n, (const unsigned char *)head, RECORD_HEAD) == 1;
}

static void gather(struct slice *v, size_t n, char *out)
{
	while (n > 0) {
		size_t k = MIN(v->n, n);

		if (k == 0) { /* an empty piece may be NULL */
			v++;
			continue;
		}
		memcpy(out, v->p, k);
		out += k;
		n -= k;
		*v = slice_of(v->p + k, v->n - k);
		v++;
	}
}

size_t record_seal(struct record_dir *d, uint8_t type, struct slice *v, size_t n, char *out)
{
	unsigned char *to = (unsigned char *)out + RECORD_HEAD;
	size_t len = n + 1 + RECORD_TAG;
	bool direct, ok;
	int k = 0;

	while (n > 0 && v->n == 0)
		v++;
	direct = n >= DIRECT_MIN && v->n >= n;
	out[0] = RECORD_DATA;
	out[1] = out[2] = 3; /* every version says 1.2 here */
	out[3] = (char)(len >> 8);
	out[4] = (char)len;
	ok = begin(d, out);
	if (direct) {
		ok = ok &&
		     EVP_EncryptUpdate(d->ctx, to, &k, (const unsigned char *)v->p, (int)n) == 1;
		*v = slice_of(v->p + n, v->n - n);
		ok = ok && EVP_EncryptUpdate(d->ctx, to + n, &k, &type, 1) == 1;
	} else {
		gather(v, n, (char *)to);
		to[n] = type;
		ok = ok && EVP_EncryptUpdate(d->ctx, to, &k, to, (int)n + 1) == 1;
	}
	ok = ok && EVP_EncryptFinal_ex(d->ctx, to + n + 1, &k) == 1 &&
	     EVP_CIPHER_CTX_ctrl(d->ctx, EVP_CTRL_AEAD_GET_TAG, RECORD_TAG, to + n + 1) == 1;
	if (!ok)
		abort(); /* sealing with a key that is set cannot fail; plaintext must never go out
			  */
	d->seq++;
	return RECORD_HEAD + len;
}

ssize_t record_open(struct record_dir *d, const char *record, size_t n, char *dst,
		    uint8_t *ret_type)
{
	const unsigned char *from = (const unsigned char *)record + RECORD_HEAD;
	unsigned char *to = (unsigned char *)dst, tag[RECORD_TAG];
	int k = 0, rest = 0;

	if (n < RECORD_OVERHEAD)
		return -1;
	n -= RECORD_HEAD + RECORD_TAG;
	memcpy(tag, from + n, sizeof(tag));
	if (!begin(d, record) || EVP_DecryptUpdate(d->ctx, to, &k, from, (int)n) != 1 ||
	    EVP_CIPHER_CTX_ctrl(d->ctx, EVP_CTRL_AEAD_SET_TAG, RECORD_TAG, tag) != 1 ||
	    EVP_DecryptFinal_ex(d->ctx, to + k, &rest) != 1) {
		ERR_clear_error();
		OPENSSL_cleanse(dst, n); /* what is not authentic is not shown */
		return -1;
	}
	d->seq++;
	if (n > RECORD_PLAIN_MAX + 1)
		return -3;
	while (n > 0 && dst[n - 1] == 0)
		n--;
	if (n == 0)
		return -2;
	*ret_type = (uint8_t)dst[n - 1];
	return (ssize_t)(n - 1);
}
