/* SPDX-License-Identifier: Apache-2.0 */
/* Passwords: bcrypt by libcrypt, and what old htpasswd files hold. */
#include "base/err.h"
#include "base/hash.h"
#include "crypto/aead.h"
#include "crypto/ossl.h"

#include <crypt.h>
#include <openssl/crypto.h>
#include <stdio.h>

/* libcrypt's work area holds the password; 32 KB, so not on the stack. */
static int run_crypt(struct slice password, const char *setting, char out[PASSWORD_HASH_MAX],
		     struct err *err)
{
	struct crypt_data *d;
	char text[PASSWORD_MAX + 1];
	const char *hash;
	int r = 0;

	crypto_init();
	d = OPENSSL_zalloc(sizeof(*d));
	memcpy(text, password.p, MIN(password.n, (size_t)PASSWORD_MAX));
	text[MIN(password.n, (size_t)PASSWORD_MAX)] = '\0';
	hash = crypt_rn(text, setting, d, (int)sizeof(*d));
	if (!hash || !str_copy(out, PASSWORD_HASH_MAX, hash))
		r = err_set(err, ERR_INVALID, "the stored hash is no bcrypt hash");
	OPENSSL_cleanse(text, sizeof(text));
	OPENSSL_clear_free(d, sizeof(*d));
	return r;
}

/* bcrypt's alphabet: its 22 characters hold 16 bytes; the last has 2 bits of them. */
static void salt_text(char out[23], const unsigned char salt[16])
{
	static const char digits[] =
		"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
	unsigned bits = 0, n = 0, k = 0;

	for (int i = 0; i < 16; i++) {
		bits = bits << 8 | salt[i];
		for (n += 8; n >= 6; n -= 6)
			out[k++] = digits[bits >> (n - 6) & 63];
	}
	out[k++] = digits[bits << (6 - n) & 63];
	out[k] = '\0';
}

static int wrong(struct err *err)
{
	return err_set(err, ERR_FORBIDDEN, "the password is wrong");
}

int password_hash(struct slice password, int cost, char out[PASSWORD_HASH_MAX], struct err *err)
{
	char setting[40], text[23];
	unsigned char salt[16];

	cost = cost ? cost : BCRYPT_COST_DEFAULT;
	if (cost < 4 || cost > BCRYPT_COST_MAX)
		return err_set(err, ERR_INVALID, "bcrypt's cost %d is not within 4 and %d", cost,
			       BCRYPT_COST_MAX);
	if (password.n > PASSWORD_MAX || (password.n && memchr(password.p, 0, password.n)))
		return err_set(err, ERR_INVALID,
			       "the password is longer than %d bytes or holds a NUL byte",
			       PASSWORD_MAX);
	random_bytes(salt, sizeof(salt));
	salt_text(text, salt);
	(void)snprintf(setting, sizeof(setting), "$2b$%02d$%s", cost, text);
	return run_crypt(password, setting, out, err);
}

static int verify_bcrypt(struct slice password, const char *stored, struct err *err)
{
	char out[PASSWORD_HASH_MAX];
	int cost = 0, r;

	if (strlen(stored) != 60 || stored[6] != '$' || stored[4] < '0' || stored[4] > '3' ||
	    stored[5] < '0' || stored[5] > '9')
		return err_set(err, ERR_INVALID, "the stored hash is no bcrypt hash");
	cost = (stored[4] - '0') * 10 + (stored[5] - '0');
	if (cost < 4 || cost > BCRYPT_COST_MAX)
		return err_set(err, ERR_TOO_LARGE, "bcrypt's cost %d is not within 4 and %d", cost,
			       BCRYPT_COST_MAX);
	if (password.n && memchr(password.p, 0, password.n))
		return wrong(err);
	r = run_crypt(password, stored, out, err);
	if (r < 0)
		return r;
	return secret_equal(slice_str(out), slice_str(stored)) ? 0 : wrong(err);
}

static int verify_sha(struct slice password, const char *stored, struct err *err)
{
	unsigned char digest[DIGEST_MAX];
	char text[BASE64_LEN(20) + 1];

	(void)digest_of(DIGEST_SHA1, password, digest);
	base64_encode(text, digest, 20);
	return secret_equal(slice_str(text), slice_str(stored)) ? 0 : wrong(err);
}

int password_verify(struct slice password, const char *stored, struct err *err)
{
	if (strncmp(stored, "$2a$", 4) == 0 || strncmp(stored, "$2b$", 4) == 0 ||
	    strncmp(stored, "$2y$", 4) == 0)
		return verify_bcrypt(password, stored, err);
	if (strncmp(stored, "{SHA}", 5) == 0)
		return verify_sha(password, stored + 5, err);
	if (strncmp(stored, "$apr1$", 6) == 0 || strncmp(stored, "$1$", 3) == 0)
		return err_set(
			err, ERR_UNSUPPORTED,
			"the password is stored as MD5 ($apr1$), which is not supported; store it "
			"anew with bcrypt (htpasswd -B)");
	return err_set(err, ERR_UNSUPPORTED,
		       "the password is stored in a form that is not supported; store it anew with "
		       "bcrypt (htpasswd -B)");
}
