/* SPDX-License-Identifier: Apache-2.0 */
/* Ciphers by OpenSSL, digests, derivation. */
#include "crypto/aead.h"

#include "crypto/ossl.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

OSSL_CLEANUP(EVP_CIPHER_CTX, EVP_CIPHER_CTX_free)

#define TEXT_MAX (1u << 30)

/* ---- secrets ---- */

void secret_wipe(void *p, size_t n)
{
	OPENSSL_cleanse(p, n);
}

void secret_buf_fini(struct buf *b)
{
	if (b->p)
		OPENSSL_cleanse(b->p, b->cap);
	buf_fini(b);
}

bool secret_equal(struct slice a, struct slice b)
{
	return a.n == b.n && (a.n == 0 || CRYPTO_memcmp(a.p, b.p, a.n) == 0);
}

/* ---- ciphers ---- */

static int does_not_open(struct err *err)
{
	ERR_clear_error();
	return err_set(err, ERR_FORBIDDEN,
		       "the data does not open: it was damaged or sealed with another key");
}

/* Where the output goes: n bytes behind what is there. */
static unsigned char *reserve(struct buf *out, size_t n, struct err *err)
{
	if (n > TEXT_MAX || !buf_room(out, n)) {
		(void)err_set(err, ERR_TOO_LARGE, "no room for %zu bytes of data", n);
		return NULL;
	}
	return (unsigned char *)out->p + out->n;
}

static void taken(struct buf *out, size_t n)
{
	out->n += n;
	out->p[out->n] = '\0';
}

static const EVP_CIPHER *gcm_for(struct slice key, struct err *err)
{
	const struct ossl_algs *a = ossl_algs();

	switch (key.n) {
	case 16: return a->aes128gcm;
	case 24: return a->aes192gcm;
	case 32: return a->aes256gcm;
	default:
		(void)err_set(err, ERR_INVALID, "AES-GCM takes keys of 16, 24 or 32 bytes, not %zu",
			      key.n);
		return NULL;
	}
}

static int gcm(const EVP_CIPHER *cipher, bool seal, struct slice key, const unsigned char *nonce,
	       struct slice aad, struct slice text, unsigned char *to, unsigned char *tag)
{
	CLEANUP(EVP_CIPHER_CTX_free) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n;

	if (EVP_CipherInit_ex(ctx, cipher, NULL, (const unsigned char *)key.p, nonce, seal) != 1 ||
	    (aad.n &&
	     EVP_CipherUpdate(ctx, NULL, &n, (const unsigned char *)aad.p, (int)aad.n) != 1))
		return -1;
	if (text.n &&
	    EVP_CipherUpdate(ctx, to, &n, (const unsigned char *)text.p, (int)text.n) != 1)
		return -1;
	if (!seal && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, AES_GCM_TAG, tag) != 1)
		return -1;
	if (EVP_CipherFinal_ex(ctx, to + text.n, &n) != 1)
		return -1;
	return !seal || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, AES_GCM_TAG, tag) == 1 ? 0
											       : -1;
}

int aes_gcm_seal(struct slice key, const unsigned char nonce[AES_GCM_NONCE], struct slice aad,
		 struct slice text, struct buf *out, struct err *err)
{
	const EVP_CIPHER *cipher = gcm_for(key, err);
	unsigned char *to = cipher ? reserve(out, text.n + AES_GCM_TAG, err) : NULL;

	if (!to)
		return err_ret(err);
	if (gcm(cipher, true, key, nonce, aad, text, to, to + text.n) < 0)
		return ossl_err(err, ERR_SYSTEM, "AES-GCM");
	taken(out, text.n + AES_GCM_TAG);
	return 0;
}

int aes_gcm_open(struct slice key, const unsigned char nonce[AES_GCM_NONCE], struct slice aad,
		 struct slice sealed, struct buf *out, struct err *err)
{
	const EVP_CIPHER *cipher = gcm_for(key, err);
	unsigned char tag[AES_GCM_TAG], *to;

	if (!cipher)
		return err_ret(err);
	if (sealed.n < AES_GCM_TAG)
		return does_not_open(err);
	to = reserve(out, sealed.n, err);
	if (!to)
		return err_ret(err);
	sealed.n -= AES_GCM_TAG;
	memcpy(tag, sealed.p + sealed.n, sizeof(tag));
	if (gcm(cipher, false, key, nonce, aad, sealed, to, tag) < 0) {
		OPENSSL_cleanse(to, sealed.n);
		return does_not_open(err);
	}
	taken(out, sealed.n);
	return 0;
}

static const EVP_CIPHER *cbc_for(struct slice key, struct err *err)
{
	const struct ossl_algs *a = ossl_algs();

	switch (key.n) {
	case 16: return a->aes128cbc;
	case 24: return a->aes192cbc;
	case 32: return a->aes256cbc;
	default:
		(void)err_set(err, ERR_INVALID, "AES-CBC takes keys of 16, 24 or 32 bytes, not %zu",
			      key.n);
		return NULL;
	}
}

static int cbc(bool seal, struct slice key, const unsigned char *iv, struct slice text,
	       struct buf *out, struct err *err)
{
	CLEANUP(EVP_CIPHER_CTX_free) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	const EVP_CIPHER *cipher = cbc_for(key, err);
	unsigned char *to = cipher ? reserve(out, text.n + AES_CBC_IV, err) : NULL;
	int n = 0, last = 0;

	if (!to)
		return err_ret(err);
	if (EVP_CipherInit_ex(ctx, cipher, NULL, (const unsigned char *)key.p, iv, seal) != 1 ||
	    (text.n &&
	     EVP_CipherUpdate(ctx, to, &n, (const unsigned char *)text.p, (int)text.n) != 1) ||
	    EVP_CipherFinal_ex(ctx, to + n, &last) != 1) {
		OPENSSL_cleanse(to, text.n + AES_CBC_IV);
		return does_not_open(err);
	}
	taken(out, (size_t)n + (size_t)last);
	return 0;
}

int aes_cbc_seal(struct slice key, const unsigned char iv[AES_CBC_IV], struct slice text,
		 struct buf *out, struct err *err)
{
	return cbc(true, key, iv, text, out, err);
}

int aes_cbc_open(struct slice key, const unsigned char iv[AES_CBC_IV], struct slice sealed,
		 struct buf *out, struct err *err)
{
	if (sealed.n == 0 || sealed.n % 16)
		return does_not_open(err);
	return cbc(false, key, iv, sealed, out, err);
}

/* ---- digests ---- */

static const EVP_MD *md_of(enum digest d)
{
	const struct ossl_algs *a = ossl_algs();

	switch (d) {
	case DIGEST_MD5: return a->md5;
	case DIGEST_SHA1: return a->sha1;
	case DIGEST_SHA256: return a->sha256;
	case DIGEST_SHA384: return a->sha384;
	default: return a->sha512;
	}
}

size_t digest_len(enum digest d)
{
	return (size_t)EVP_MD_get_size(md_of(d));
}

size_t digest_of(enum digest d, struct slice data, unsigned char out[DIGEST_MAX])
{
	unsigned n = 0;

	if (EVP_Digest(data.p ? data.p : "", data.n, out, &n, md_of(d), NULL) != 1)
		abort(); /* cannot be: the digest was fetched */
	return n;
}

size_t hmac_of(enum digest d, struct slice key, struct slice data, unsigned char out[DIGEST_MAX])
{
	unsigned n = 0;

	if (!HMAC(md_of(d), key.p ? key.p : "", (int)key.n,
		  (const unsigned char *)(data.p ? data.p : ""), data.n, out, &n))
		abort(); /* as above */
	return n;
}

int hkdf(enum digest d, struct slice secret, struct slice salt, struct slice info,
	 unsigned char *out, size_t n, struct err *err)
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
	OSSL_PARAM p[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST,
						 (char *)(uintptr_t)EVP_MD_get0_name(md_of(d)), 0),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)secret.p,
						  secret.n),
		OSSL_PARAM_construct_octet_string(
			OSSL_KDF_PARAM_SALT, (void *)(uintptr_t)(salt.p ? salt.p : ""), salt.n),
		OSSL_PARAM_construct_octet_string(
			OSSL_KDF_PARAM_INFO, (void *)(uintptr_t)(info.p ? info.p : ""), info.n),
		OSSL_PARAM_construct_end(),
	};
	int ok = n <= 255 * digest_len(d) && EVP_KDF_derive(ctx, out, n, p) == 1;

	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
	return ok ? 0 : ossl_err(err, ERR_INVALID, "HKDF of %zu bytes", n);
}

int pbkdf2(enum digest d, struct slice password, struct slice salt, unsigned rounds,
	   unsigned char *out, size_t n, struct err *err)
{
	if (rounds == 0 || rounds > PBKDF2_ROUNDS_MAX)
		return err_set(err, ERR_INVALID, "PBKDF2 with %u rounds (1 to %u)", rounds,
			       PBKDF2_ROUNDS_MAX);
	if (PKCS5_PBKDF2_HMAC(password.p ? password.p : "", (int)password.n,
			      (const unsigned char *)(salt.p ? salt.p : ""), (int)salt.n,
			      (int)rounds, md_of(d), (int)n, out) != 1)
		return ossl_err(err, ERR_SYSTEM, "PBKDF2");
	return 0;
}
