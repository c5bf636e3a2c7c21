/* SPDX-License-Identifier: Apache-2.0 */
/* Keys: reading, writing, signing. */
#include "crypto/key.h"

#include "crypto/ossl.h"

#include <assert.h>
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/encoder.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 8192

OSSL_CLEANUP(BIO, BIO_free_all)
OSSL_CLEANUP(EVP_MD_CTX, EVP_MD_CTX_free)
OSSL_CLEANUP(OSSL_ENCODER_CTX, OSSL_ENCODER_CTX_free)

static const struct type_row {
	const char *name, *group; /* OpenSSL's name of the curve */
	int bits;
	enum key_scheme scheme;
} types[] = {
	[KEY_RSA] = { "RSA", NULL, 0, KEY_RS256 },
	[KEY_P256] = { "ECDSA P-256", "prime256v1", 256, KEY_ES256 },
	[KEY_P384] = { "ECDSA P-384", "secp384r1", 384, KEY_ES384 },
	[KEY_P521] = { "ECDSA P-521", "secp521r1", 521, KEY_ES512 },
	[KEY_ED25519] = { "Ed25519", NULL, 256, KEY_EDDSA },
};

enum { HASH_NONE, HASH_256, HASH_384, HASH_512 };
static const struct scheme_row {
	const char *name;
	enum key_type type;
	int hash;
	bool pss;
} schemes[] = {
	[KEY_RS256] = { "RS256", KEY_RSA, HASH_256, false },
	[KEY_RS384] = { "RS384", KEY_RSA, HASH_384, false },
	[KEY_RS512] = { "RS512", KEY_RSA, HASH_512, false },
	[KEY_PS256] = { "PS256", KEY_RSA, HASH_256, true },
	[KEY_PS384] = { "PS384", KEY_RSA, HASH_384, true },
	[KEY_PS512] = { "PS512", KEY_RSA, HASH_512, true },
	[KEY_ES256] = { "ES256", KEY_P256, HASH_256, false },
	[KEY_ES384] = { "ES384", KEY_P384, HASH_384, false },
	[KEY_ES512] = { "ES512", KEY_P521, HASH_512, false },
	[KEY_EDDSA] = { "EdDSA", KEY_ED25519, HASH_NONE, false },
};

/* ---- life ---- */

static int type_of(EVP_PKEY *p, struct err *err)
{
	char group[64] = "";
	size_t n;

	if (EVP_PKEY_is_a(p, "RSA"))
		return KEY_RSA;
	if (EVP_PKEY_is_a(p, "ED25519"))
		return KEY_ED25519;
	if (!EVP_PKEY_is_a(p, "EC"))
		return err_set(err, ERR_UNSUPPORTED,
			       "keys of type %s are not supported; use RSA, ECDSA or Ed25519",
			       EVP_PKEY_get0_type_name(p) ? EVP_PKEY_get0_type_name(p) : "?");
	if (!EVP_PKEY_get_utf8_string_param(p, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof(group),
					    &n))
		(void)str_copy(group, sizeof(group), "with explicit parameters");
	for (int i = KEY_P256; i <= KEY_P521; i++) {
		if (strcmp(group, types[i].group) == 0)
			return i;
	}
	return err_set(err, ERR_UNSUPPORTED,
		       "ECDSA keys on curve %s are not supported; use P-256, P-384 or P-521",
		       group);
}

int key_wrap(EVP_PKEY *pkey_taken, bool is_private, struct key **ret, struct err *err)
{
	int bits = EVP_PKEY_get_bits(pkey_taken), type = type_of(pkey_taken, err), r = type;
	struct key *k;

	if (type == KEY_RSA && (bits < RSA_BITS_MIN || bits > RSA_BITS_MAX))
		r = err_set(err, ERR_INVALID,
			    "an RSA key of %d bits is not taken: it must have %d to %d bits", bits,
			    RSA_BITS_MIN, RSA_BITS_MAX);
	if (r < 0) {
		EVP_PKEY_free(pkey_taken);
		return r;
	}
	k = OPENSSL_zalloc(sizeof(*k));
	k->refs = 1;
	k->pkey = pkey_taken;
	k->type = (uint8_t)type;
	k->bits = bits;
	k->is_private = is_private;
	*ret = k;
	return 0;
}

struct key *key_ref(struct key *k)
{
	k->refs++;
	return k;
}

void key_unref(struct key *k)
{
	if (!k || --k->refs > 0)
		return;
	EVP_PKEY_free(k->pkey); /* wipes the numbers */
	OPENSSL_free(k);
}

int key_generate(enum key_type type, int bits, struct key **ret, struct err *err)
{
	EVP_PKEY *p;

	crypto_init();
	if (type == KEY_RSA) {
		bits = bits ? bits : RSA_BITS_MIN;
		if (bits != 2048 && bits != 3072 && bits != 4096)
			return err_set(err, ERR_INVALID,
				       "RSA keys are made with 2048, 3072 or 4096 bits, not %d",
				       bits);
		p = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)bits);
	} else if (type == KEY_ED25519) {
		p = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	} else {
		p = EVP_PKEY_Q_keygen(NULL, NULL, "EC", types[type].group);
	}
	if (!p)
		return ossl_err(err, ERR_SYSTEM, "making a key of type %s", types[type].name);
	return key_wrap(p, true, ret, err);
}

enum key_type key_type(const struct key *k)
{
	return k->type;
}

const char *key_type_name(const struct key *k)
{
	return types[k->type].name;
}

int key_bits(const struct key *k)
{
	return k->bits;
}

bool key_is_private(const struct key *k)
{
	return k->is_private;
}

bool key_matches(const struct key *a, const struct key *b)
{
	bool same = EVP_PKEY_eq(a->pkey, b->pkey) == 1;

	ERR_clear_error();
	return same;
}

/* ---- reading ---- */

static int read_private(const unsigned char *der, long n, struct key **ret, struct err *err)
{
	const unsigned char *p = der;
	EVP_PKEY *pkey = d2i_AutoPrivateKey(NULL, &p, n);

	if (!pkey)
		return ossl_err(err, ERR_BAD_REQUEST, "private key");
	return key_wrap(pkey, true, ret, err);
}

static int read_public(const unsigned char *der, long n, bool pkcs1, struct key **ret,
		       struct err *err)
{
	const unsigned char *p = der;
	EVP_PKEY *pkey = pkcs1 ? d2i_PublicKey(EVP_PKEY_RSA, NULL, &p, n) : d2i_PUBKEY(NULL, &p, n);

	if (!pkey)
		return ossl_err(err, ERR_BAD_REQUEST, "public key");
	return key_wrap(pkey, false, ret, err);
}

static int encrypted(struct err *err)
{
	return err_set(err, ERR_UNSUPPORTED,
		       "the private key is encrypted, which is not supported; decrypt it first "
		       "(openssl pkey -in KEY -out PLAIN)");
}

/* 1 = no key, go on. */
static int read_block(const struct pem *b, struct key **ret, struct err *err)
{
	if (strcmp(b->label, "ENCRYPTED PRIVATE KEY") == 0 || strstr(b->header, "ENCRYPTED"))
		return encrypted(err);
	if (strcmp(b->label, "PRIVATE KEY") == 0 || strcmp(b->label, "RSA PRIVATE KEY") == 0 ||
	    strcmp(b->label, "EC PRIVATE KEY") == 0)
		return read_private(b->der, b->n, ret, err);
	if (strcmp(b->label, "PUBLIC KEY") == 0 || strcmp(b->label, "RSA PUBLIC KEY") == 0)
		return read_public(b->der, b->n, b->label[0] == 'R', ret, err);
	if (strstr(b->label, "PRIVATE KEY"))
		return err_set(
			err, ERR_UNSUPPORTED,
			"a PEM block '%.64s' is not supported; convert it to PKCS#8 (openssl "
			"pkey)",
			b->label);
	return 1;
}

static int read_der(struct slice text, struct key **ret, struct err *err)
{
	const unsigned char *p = (const unsigned char *)text.p;

	if (read_private(p, (long)text.n, ret, NULL) == 0 ||
	    read_public(p, (long)text.n, false, ret, NULL) == 0)
		return 0;
	return err_set(err, ERR_BAD_REQUEST, "neither a PEM text with a key nor a key in DER");
}

int key_read(struct slice text, struct key **ret, struct err *err)
{
	CLEANUP(BIO_free_all) BIO *bio = NULL;
	CLEANUP(pem_fini) struct pem block = { 0 };
	bool any = false;
	int r;

	if (text.n > PEM_MAX)
		return err_set(err, ERR_TOO_LARGE, "a key of more than %u bytes", PEM_MAX);
	if (text.n > 0 && text.p[0] == 0x30) /* SEQUENCE */
		return read_der(text, ret, err);
	bio = ossl_bio(text);
	while ((r = pem_next(bio, &block, err)) > 0) {
		any = true;
		r = read_block(&block, ret, err);
		if (r <= 0)
			return r;
	}
	if (r < 0)
		return r;
	return err_set(err, ERR_BAD_REQUEST, any ? "the PEM text holds no key" : "no PEM text");
}

/* ---- writing ---- */

static int write_form(const struct key *k, enum key_form form, const char *coding, struct buf *out,
		      struct err *err)
{
	CLEANUP(OSSL_ENCODER_CTX_free) OSSL_ENCODER_CTX *enc = NULL;
	CLEANUP(BIO_free_all) BIO *bio = BIO_new(BIO_s_secmem());
	const char *structure = "SubjectPublicKeyInfo";
	int selection = EVP_PKEY_PUBLIC_KEY;
	char *p;
	long n;

	if (form != KEY_PUBLIC) {
		if (!k->is_private)
			return err_set(err, ERR_CONFLICT, "the key has no private part");
		selection = EVP_PKEY_KEYPAIR;
		structure = form == KEY_PRIVATE_PKCS8 || k->type == KEY_ED25519 ? "PrivateKeyInfo"
										: "type-specific";
	}
	enc = OSSL_ENCODER_CTX_new_for_pkey(k->pkey, selection, coding, structure, NULL);
	if (!enc || !OSSL_ENCODER_to_bio(enc, bio))
		return ossl_err(err, ERR_SYSTEM, "writing a key of type %s", types[k->type].name);
	n = BIO_get_mem_data(bio, &p);
	/* In one piece: a buffer that grows would leave unwiped copies behind. */
	if (!buf_room(out, (size_t)n))
		return err_set(err, ERR_QUOTA, "no room for a key of %ld bytes", n);
	return buf_add(out, p, (size_t)n);
}

int key_write_pem(const struct key *k, enum key_form form, struct buf *out, struct err *err)
{
	return write_form(k, form, "PEM", out, err);
}

int key_write_der(const struct key *k, enum key_form form, struct buf *out, struct err *err)
{
	return write_form(k, form, "DER", out, err);
}

/* ---- signatures ---- */

enum key_scheme key_scheme_of(const struct key *k)
{
	return types[k->type].scheme;
}

const char *key_scheme_name(enum key_scheme scheme)
{
	return schemes[scheme].name;
}

bool key_takes(const struct key *k, enum key_scheme scheme)
{
	return schemes[scheme].type == k->type;
}

static const EVP_MD *hash_of(enum key_scheme scheme)
{
	const struct ossl_algs *a = ossl_algs();

	switch (schemes[scheme].hash) {
	case HASH_256: return a->sha256;
	case HASH_384: return a->sha384;
	case HASH_512: return a->sha512;
	default: return NULL;
	}
}

static int begin(const struct key *k, enum key_scheme scheme, bool sign, EVP_MD_CTX *ctx,
		 struct err *err)
{
	const EVP_MD *md = hash_of(scheme);
	EVP_PKEY_CTX *pk = NULL;
	int ok;

	if (!key_takes(k, scheme))
		return err_set(err, ERR_INVALID, "%s needs a key of type %s, not %s",
			       schemes[scheme].name, types[schemes[scheme].type].name,
			       types[k->type].name);
	if (sign && !k->is_private)
		return err_set(err, ERR_CONFLICT,
			       "signing needs a private key, and this is a public one");
	ok = sign ? EVP_DigestSignInit(ctx, &pk, md, NULL, k->pkey)
		  : EVP_DigestVerifyInit(ctx, &pk, md, NULL, k->pkey);
	if (ok == 1 && schemes[scheme].pss)
		ok = EVP_PKEY_CTX_set_rsa_padding(pk, RSA_PKCS1_PSS_PADDING) == 1 &&
		     EVP_PKEY_CTX_set_rsa_pss_saltlen(pk, RSA_PSS_SALTLEN_DIGEST) == 1;
	return ok == 1 ? 0 : ossl_err(err, ERR_SYSTEM, "%s", schemes[scheme].name);
}

int key_sign(const struct key *k, enum key_scheme scheme, struct slice data, unsigned char *sig,
	     size_t *ret_n, struct err *err)
{
	CLEANUP(EVP_MD_CTX_free) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t n = KEY_SIGNATURE_MAX;
	int r = begin(k, scheme, true, ctx, err);

	if (r < 0)
		return r;
	if (EVP_DigestSign(ctx, sig, &n, (const unsigned char *)data.p, data.n) != 1)
		return ossl_err(err, ERR_SYSTEM, "signing with %s", schemes[scheme].name);
	*ret_n = n;
	return 0;
}

int key_verify(const struct key *k, enum key_scheme scheme, struct slice data, struct slice sig,
	       struct err *err)
{
	CLEANUP(EVP_MD_CTX_free) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	int r = begin(k, scheme, false, ctx, err);

	if (r < 0)
		return r;
	r = EVP_DigestVerify(ctx, (const unsigned char *)sig.p, sig.n,
			     (const unsigned char *)data.p, data.n);
	ERR_clear_error();
	return r == 1 ? 0
		      : err_set(err, ERR_FORBIDDEN, "the signature is not of this key and text");
}
