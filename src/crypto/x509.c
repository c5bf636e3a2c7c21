/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates: reading and what they say. */
#include "base/arena.h"
#include "crypto/key.h"
#include "crypto/x509-priv.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#define INFO_MAX (256u << 10) /* bytes of one certificate's names */

OSSL_CLEANUP(BIO, BIO_free_all)
OSSL_CLEANUP(GENERAL_NAMES, GENERAL_NAMES_free)

/* ---- texts ---- */

int64_t asn1_seconds(const ASN1_TIME *t)
{
	struct tm tm;

	if (!t || !ASN1_TIME_to_tm(t, &tm))
		return 0;
	return (int64_t)timegm(&tm);
}

int address_bytes(const char *text, unsigned char out[16])
{
	if (inet_pton(AF_INET, text, out) == 1)
		return 4;
	return inet_pton(AF_INET6, text, out) == 1 ? 16 : 0;
}

char *name_text(struct arena *a, const X509_NAME *name)
{
	CLEANUP(BIO_free_all) BIO *bio = BIO_new(BIO_s_mem());
	char *p;
	long n;

	if (X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) < 0)
		return NULL;
	n = BIO_get_mem_data(bio, &p);
	return arena_strndup(a, p, (size_t)n);
}

/* UTF-8, or NULL: not to be had, or with a NUL inside (an old trick to end names early). */
static const char *string_text(struct arena *a, const ASN1_STRING *s)
{
	unsigned char *p = NULL;
	int n = ASN1_STRING_to_UTF8(&p, s);
	char *text = NULL;

	if (n >= 0 && !memchr(p, 0, (size_t)n))
		text = arena_strndup(a, (char *)p, (size_t)n);
	OPENSSL_free(p);
	return text;
}

static const char *address_text(struct arena *a, const ASN1_OCTET_STRING *s)
{
	char text[INET6_ADDRSTRLEN] = "";
	int n = ASN1_STRING_length(s);

	if (n != 4 && n != 16)
		return NULL;
	(void)inet_ntop(n == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(s), text, sizeof(text));
	return arena_strdup(a, text);
}

/* ---- names ---- */

struct growing {
	struct arena *a;
	const char **v;
	size_t n;
};

static void grow(struct growing *g, const char *s)
{
	if (!s || g->n >= CERT_NAMES_MAX)
		return;
	g->v = arena_grow(g->a, g->v, g->n * sizeof(*g->v), (g->n + 1) * sizeof(*g->v));
	if (g->v)
		g->v[g->n++] = s;
	else
		g->n = 0;
}

struct cert_list names_list(struct arena *a, const X509_NAME *subject, int nid)
{
	struct growing g = { .a = a };

	for (int i = -1; (i = X509_NAME_get_index_by_NID(subject, nid, i)) >= 0;)
		grow(&g, string_text(a, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, i))));
	return (struct cert_list){ g.v, g.n };
}

static const char *alt_text(struct arena *a, const GENERAL_NAME *g, int type)
{
	return type == GEN_IPADD ? address_text(a, g->d.iPAddress) : string_text(a, g->d.ia5);
}

static struct cert_list alt_list(struct arena *a, const GENERAL_NAMES *alt, int type)
{
	struct growing g = { .a = a };
	int n = alt ? sk_GENERAL_NAME_num(alt) : 0;

	for (int i = 0; i < n; i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(alt, i);

		if (name->type == type)
			grow(&g, alt_text(a, name, type));
	}
	return (struct cert_list){ g.v, g.n };
}

int names_read(struct arena *a, const X509_NAME *subject, const GENERAL_NAMES *alt,
	       struct cert_names *ret, struct err *err)
{
	struct cert_list cn = names_list(a, subject, NID_commonName);

	if (alt && sk_GENERAL_NAME_num(alt) > CERT_NAMES_MAX)
		return err_set(err, ERR_TOO_LARGE, "more than %u alternative names",
			       CERT_NAMES_MAX);
	*ret = (struct cert_names){
		.cn = cn.n ? cn.v[cn.n - 1] : "", /* the most specific one, as Go reads it */
		.o = names_list(a, subject, NID_organizationName),
		.ou = names_list(a, subject, NID_organizationalUnitName),
		.dns = alt_list(a, alt, GEN_DNS),
		.ip = alt_list(a, alt, GEN_IPADD),
		.uri = alt_list(a, alt, GEN_URI),
		.email = alt_list(a, alt, GEN_EMAIL),
	};
	return arena_exceeded(a) ? arena_quota(a, err) : 0;
}

static unsigned usages_of(X509 *x)
{
	uint32_t flags = X509_get_extension_flags(x), use = 0, ext = 0;
	unsigned u = 0;

	if (flags & EXFLAG_KUSAGE)
		use = X509_get_key_usage(x);
	if (flags & EXFLAG_XKUSAGE)
		ext = X509_get_extended_key_usage(x);
	u |= use & KU_DIGITAL_SIGNATURE ? CERT_USE_SIGN : 0;
	u |= use & KU_KEY_ENCIPHERMENT ? CERT_USE_ENCIPHER : 0;
	u |= use & KU_KEY_CERT_SIGN ? CERT_USE_CERT_SIGN : 0;
	u |= use & KU_CRL_SIGN ? CERT_USE_CRL_SIGN : 0;
	u |= ext & XKU_SSL_SERVER ? CERT_EXT_SERVER : 0;
	u |= ext & XKU_SSL_CLIENT ? CERT_EXT_CLIENT : 0;
	u |= ext & XKU_CODE_SIGN ? CERT_EXT_CODE : 0;
	u |= ext & XKU_ANYEKU ? CERT_EXT_ANY : 0;
	return u;
}

static char *serial_text(struct arena *a, const X509 *x)
{
	BIGNUM *bn = ASN1_INTEGER_to_BN(X509_get0_serialNumber(x), NULL);
	char *hex = bn ? BN_bn2hex(bn) : NULL, *text = arena_strdup(a, hex ? hex : "");

	for (char *p = text; p && *p; p++)
		*p = (char)(*p >= 'A' && *p <= 'F' ? *p + ('a' - 'A') : *p);
	OPENSSL_free(hex);
	BN_free(bn);
	return text;
}

static int read_info(struct cert *c, struct err *err)
{
	CLEANUP(GENERAL_NAMES_free)
	GENERAL_NAMES *alt = X509_get_ext_d2i(c->x, NID_subject_alt_name, NULL, NULL);
	struct cert_info *i = &c->info;
	unsigned char digest[32];
	unsigned n;
	int r;

	ERR_clear_error(); /* an alternative name that is broken verifies nothing */
	r = names_read(c->arena, X509_get_subject_name(c->x), alt, &i->names, err);
	if (r < 0)
		return r;
	i->subject = name_text(c->arena, X509_get_subject_name(c->x));
	i->issuer = name_text(c->arena, X509_get_issuer_name(c->x));
	i->serial = serial_text(c->arena, c->x);
	if (!i->subject || !i->issuer || !i->serial)
		return arena_exceeded(c->arena) ? arena_quota(c->arena, err)
						: ossl_err(err, ERR_BAD_REQUEST, "name");
	i->not_before = asn1_seconds(X509_get0_notBefore(c->x));
	i->not_after = asn1_seconds(X509_get0_notAfter(c->x));
	i->ca = X509_check_ca(c->x) == 1;
	i->path_len = (int)X509_get_pathlen(c->x);
	i->usages = usages_of(c->x);
	if (!X509_digest(c->x, ossl_algs()->sha256, digest, &n))
		return ossl_err(err, ERR_SYSTEM, "fingerprint");
	static const char hex[] = "0123456789abcdef";
	for (unsigned k = 0; k < 32; k++) {
		i->fingerprint[2 * k] = hex[digest[k] >> 4];
		i->fingerprint[2 * k + 1] = hex[digest[k] & 15];
	}
	return 0;
}

int cert_wrap(X509 *x_taken, struct cert **ret, struct err *err)
{
	CLEANUP(cert_unref) struct cert *c = OPENSSL_zalloc(sizeof(*c));
	int r;

	c->refs = 1;
	c->x = x_taken;
	c->arena = arena_new("certificate", INFO_MAX);
	c->der_n = i2d_X509(c->x, &c->der);
	if (c->der_n < 0)
		return ossl_err(err, ERR_BAD_REQUEST, "certificate");
	r = read_info(c, err);
	if (r < 0)
		return err_wrap(err, "certificate");
	*ret = STEAL(c);
	return 0;
}

struct cert *cert_ref(struct cert *c)
{
	c->refs++;
	return c;
}

void cert_unref(struct cert *c)
{
	if (!c || --c->refs > 0)
		return;
	X509_free(c->x);
	OPENSSL_free(c->der);
	arena_free(c->arena);
	OPENSSL_free(c);
}

/* ---- reading ---- */

static int parse(const unsigned char *der, long n, struct cert **ret, struct err *err)
{
	const unsigned char *p = der;
	X509 *x = d2i_X509(NULL, &p, n);

	if (!x)
		return ossl_err(err, ERR_BAD_REQUEST, "certificate");
	if (p != der + n) {
		X509_free(x);
		return err_set(err, ERR_BAD_REQUEST, "certificate: %ld bytes follow its end",
			       (long)(der + n - p));
	}
	return cert_wrap(x, ret, err);
}

static void drop(struct cert **v, size_t n)
{
	while (n > 0)
		cert_unref(v[--n]);
}

bool pem_is_cert(const struct pem *b)
{
	return strcmp(b->label, "CERTIFICATE") == 0 || strcmp(b->label, "X509 CERTIFICATE") == 0;
}

static int read_all(BIO *bio, struct cert **ret, size_t max, size_t *n, struct err *err)
{
	CLEANUP(pem_fini) struct pem block = { 0 };
	int r;

	while ((r = pem_next(bio, &block, err)) > 0) {
		if (!pem_is_cert(&block))
			continue;
		if (*n >= max)
			return err_set(err, ERR_TOO_LARGE, "more than %zu certificates", max);
		r = parse(block.der, block.n, &ret[*n], err);
		if (r < 0)
			return err_wrap(err, "number %zu", *n + 1);
		(*n)++;
	}
	return r;
}

int cert_read(struct slice text, struct cert **ret, size_t max, size_t *ret_n, struct err *err)
{
	CLEANUP(BIO_free_all) BIO *bio = NULL;
	size_t n = 0;
	int r;

	if (text.n > BUNDLE_MAX)
		return err_set(err, ERR_TOO_LARGE, "certificates of more than %u bytes",
			       BUNDLE_MAX);
	bio = ossl_bio(text);
	if (text.n > 0 && text.p[0] == 0x30 && max > 0) {
		r = parse((const unsigned char *)text.p, (long)text.n, ret, err);
		n = r == 0;
	} else {
		r = read_all(bio, ret, max, &n, err);
	}
	if (r == 0 && n == 0)
		r = err_set(err, ERR_NOT_FOUND, "there is no certificate in the text");
	if (r < 0) {
		drop(ret, n);
		return r;
	}
	*ret_n = n;
	return 0;
}

int cert_read_one(struct slice text, struct cert **ret, struct err *err)
{
	struct cert *all[CERT_CHAIN_MAX];
	size_t n;
	int r = cert_read(text, all, ARRAY_LEN(all), &n, err);

	if (r < 0)
		return r;
	drop(all + 1, n - 1);
	*ret = all[0];
	return 0;
}

/* ---- queries ---- */

const struct cert_info *cert_info(const struct cert *c)
{
	return &c->info;
}

struct slice cert_der(const struct cert *c)
{
	return slice_of((const char *)c->der, (size_t)c->der_n);
}

int cert_write_pem(const struct cert *c, struct buf *out, struct err *err)
{
	CLEANUP(BIO_free_all) BIO *bio = BIO_new(BIO_s_mem());
	char *p;
	long n;

	if (!PEM_write_bio_X509(bio, c->x))
		return ossl_err(err, ERR_SYSTEM, "writing a certificate");
	n = BIO_get_mem_data(bio, &p);
	if (buf_add(out, p, (size_t)n) < 0)
		return err_set(err, ERR_QUOTA, "no room for a certificate of %ld bytes", n);
	return 0;
}

int cert_key(const struct cert *c, struct key **ret, struct err *err)
{
	EVP_PKEY *p = X509_get_pubkey(c->x);

	if (!p)
		return ossl_err(err, ERR_UNSUPPORTED, "public key of %s", c->info.subject);
	return key_wrap(p, false, ret, err);
}

bool cert_is_issued_by(const struct cert *c, const struct cert *issuer)
{
	EVP_PKEY *p = X509_get0_pubkey(issuer->x);
	bool yes =
		X509_check_issued(issuer->x, c->x) == X509_V_OK && p && X509_verify(c->x, p) == 1;

	ERR_clear_error();
	return yes;
}

bool cert_is_for(const struct cert *c, const char *name)
{
	unsigned char addr[16];
	int n = address_bytes(name, addr);

	if (n > 0)
		return X509_check_ip(c->x, addr, (size_t)n, 0) == 1;
	return X509_check_host(c->x, name, strlen(name),
			       X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
				       X509_CHECK_FLAG_NEVER_CHECK_SUBJECT,
			       NULL) == 1;
}
