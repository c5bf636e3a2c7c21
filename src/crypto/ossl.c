/* SPDX-License-Identifier: Apache-2.0 */
/* OpenSSL as we use it: no configuration file, no failing allocations, no locale of its own. */
#include "crypto/ossl.h"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdarg.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct ossl_algs algs;

static void *must(void *p, size_t n)
{
	if (!p && n)
		abort(); /* STYLE 4.4: a true out-of-memory ends the process */
	return p;
}

static void *mem_alloc(size_t n, const char *file, int line)
{
	return n ? must(malloc(n), n) : NULL;
}

static void *mem_realloc(void *p, size_t n, const char *file, int line)
{
	if (n == 0) {
		free(p);
		return NULL;
	}
	return must(realloc(p, n), n);
}

static void mem_free(void *p, const char *file, int line)
{
	free(p);
}

static void set_up(void)
{
	/* Refused if something allocated before us: then a NULL from OpenSSL is an error like
	 * others. */
	(void)CRYPTO_set_mem_functions(mem_alloc, mem_realloc, mem_free);
	if (!OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL))
		abort(); /* cannot be: nothing is loaded */
	algs = (struct ossl_algs){
		.aes128gcm = EVP_CIPHER_fetch(NULL, "AES-128-GCM", NULL),
		.aes192gcm = EVP_CIPHER_fetch(NULL, "AES-192-GCM", NULL),
		.aes256gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL),
		.aes128cbc = EVP_CIPHER_fetch(NULL, "AES-128-CBC", NULL),
		.aes192cbc = EVP_CIPHER_fetch(NULL, "AES-192-CBC", NULL),
		.aes256cbc = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL),
		.chacha = EVP_CIPHER_fetch(NULL, "ChaCha20", NULL),
		.chacha_poly = EVP_CIPHER_fetch(NULL, "ChaCha20-Poly1305", NULL),
		.md5 = EVP_MD_fetch(NULL, "MD5", NULL),
		.sha1 = EVP_MD_fetch(NULL, "SHA1", NULL),
		.sha256 = EVP_MD_fetch(NULL, "SHA256", NULL),
		.sha384 = EVP_MD_fetch(NULL, "SHA384", NULL),
		.sha512 = EVP_MD_fetch(NULL, "SHA512", NULL),
		.hmac = EVP_MAC_fetch(NULL, "HMAC", NULL),
		.poly1305 = EVP_MAC_fetch(NULL, "POLY1305", NULL),
	};
}

void crypto_init(void)
{
	(void)pthread_once(&once, set_up);
}

const struct ossl_algs *ossl_algs(void)
{
	crypto_init();
	return &algs;
}

int ossl_err(struct err *err, enum err_code code, const char *fmt, ...)
{
	unsigned long e = ERR_peek_last_error();
	const char *reason = e ? ERR_reason_error_string(e) : NULL;
	char what[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	ERR_clear_error();
	if (reason)
		return err_set(err, code, "%s: %s", what, reason);
	return err_set(err, code, "%s", what);
}

BIO *ossl_bio(struct slice text)
{
	crypto_init();
	return BIO_new_mem_buf(text.n ? text.p : "", (int)MIN(text.n, (size_t)INT32_MAX));
}

void pem_fini(struct pem *p)
{
	OPENSSL_secure_free(p->label);
	OPENSSL_secure_free(p->header);
	OPENSSL_secure_clear_free(p->der, (size_t)p->n);
	*p = (struct pem){ 0 };
}

int pem_next(BIO *bio, struct pem *ret, struct err *err)
{
	pem_fini(ret);
	if (PEM_read_bio_ex(bio, &ret->label, &ret->header, &ret->der, &ret->n,
			    PEM_FLAG_SECURE | PEM_FLAG_EAY_COMPATIBLE))
		return 1;
	*ret = (struct pem){ 0 };
	if (ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE) {
		ERR_clear_error();
		return 0;
	}
	return ossl_err(err, ERR_BAD_REQUEST, "PEM block");
}
