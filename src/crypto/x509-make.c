/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates, requests and revocation lists: making and reading requests. */
#include "base/arena.h"
#include "base/clock.h"
#include "base/hash.h"
#include "crypto/key.h"
#include "crypto/x509-priv.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

OSSL_CLEANUP(BIO, BIO_free_all)
OSSL_CLEANUP(X509, X509_free)
OSSL_CLEANUP(X509_REQ, X509_REQ_free)
OSSL_CLEANUP(X509_CRL, X509_CRL_free)
OSSL_CLEANUP(X509_EXTENSION, X509_EXTENSION_free)
OSSL_CLEANUP(GENERAL_NAMES, GENERAL_NAMES_free)

#define CSR_MAX (64u << 10)

/* ---- names ---- */

static int add_entries(X509_NAME *to, const char *field, struct cert_list list, struct err *err)
{
	for (size_t i = 0; i < list.n; i++) {
		if (!X509_NAME_add_entry_by_txt(to, field, MBSTRING_UTF8,
						(const unsigned char *)list.v[i], -1, -1, 0))
			return ossl_err(err, ERR_INVALID, "subject: %s '%.100s'", field, list.v[i]);
	}
	return 0;
}

int names_subject(const struct cert_names *names, X509_NAME *subject, struct err *err)
{
	struct cert_list cn = { &names->cn, names->cn && names->cn[0] };
	int r = add_entries(subject, "O", names->o, err);

	if (r == 0)
		r = add_entries(subject, "OU", names->ou, err);
	return r < 0 ? r : add_entries(subject, "CN", cn, err);
}

static int add_alt(GENERAL_NAMES *to, int type, struct cert_list list, struct err *err)
{
	for (size_t i = 0; i < list.n; i++) {
		GENERAL_NAME *g = GENERAL_NAME_new();
		ASN1_STRING *s = ASN1_STRING_type_new(type == GEN_IPADD ? V_ASN1_OCTET_STRING
									: V_ASN1_IA5STRING);
		unsigned char addr[16];
		int n = type == GEN_IPADD ? address_bytes(list.v[i], addr) : (int)strlen(list.v[i]);

		(void)ASN1_STRING_set(s, type == GEN_IPADD ? (const void *)addr : list.v[i], n);
		GENERAL_NAME_set0_value(g, type, s);
		sk_GENERAL_NAME_push(to, g);
		if (n == 0)
			return err_set(err, ERR_INVALID, "alternative name '%.100s' is %s",
				       list.v[i], type == GEN_IPADD ? "no address" : "empty");
		for (const char *p = list.v[i]; type != GEN_IPADD && *p; p++) {
			if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7f)
				return err_set(
					err, ERR_INVALID,
					"alternative name '%.100s' has a character that is not "
					"allowed",
					list.v[i]);
		}
	}
	return 0;
}

X509_EXTENSION *names_extension(const struct cert_names *names, struct err *err)
{
	CLEANUP(GENERAL_NAMES_free) GENERAL_NAMES *alt = GENERAL_NAMES_new();
	X509_EXTENSION *ext;

	if (add_alt(alt, GEN_DNS, names->dns, err) < 0 ||
	    add_alt(alt, GEN_IPADD, names->ip, err) < 0 ||
	    add_alt(alt, GEN_URI, names->uri, err) < 0 ||
	    add_alt(alt, GEN_EMAIL, names->email, err) < 0 || sk_GENERAL_NAME_num(alt) == 0)
		return NULL;
	ext = X509V3_EXT_i2d(NID_subject_alt_name, 0, alt);
	if (!ext)
		(void)ossl_err(err, ERR_INVALID, "alternative names");
	return ext;
}

static bool has_alt(const struct cert_names *n)
{
	return n->dns.n + n->ip.n + n->uri.n + n->email.n > 0;
}

/* ---- certificates ---- */

/* By OpenSSL's configuration syntax: only for values that we made ourselves. */
static int add_text(X509 *x, const X509 *issuer, int nid, const char *value, struct err *err)
{
	CLEANUP(X509_EXTENSION_free) X509_EXTENSION *ext = NULL;
	X509V3_CTX ctx;

	X509V3_set_ctx(&ctx, (X509 *)(uintptr_t)issuer, x, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	if (!ext || !X509_add_ext(x, ext, -1))
		return ossl_err(err, ERR_INVALID, "%s", OBJ_nid2ln(nid));
	return 0;
}

static const struct usage_row {
	unsigned bit;
	const char *text;
} usage_rows[] = {
	{ CERT_USE_SIGN, "digitalSignature" }, { CERT_USE_ENCIPHER, "keyEncipherment" },
	{ CERT_USE_CERT_SIGN, "keyCertSign" }, { CERT_USE_CRL_SIGN, "cRLSign" },
	{ CERT_EXT_SERVER, "serverAuth" },     { CERT_EXT_CLIENT, "clientAuth" },
	{ CERT_EXT_CODE, "codeSigning" },      { CERT_EXT_ANY, "anyExtendedKeyUsage" },
};

static void usage_text(struct buf *out, unsigned usages, bool extended)
{
	for (size_t i = 0; i < ARRAY_LEN(usage_rows); i++) {
		if ((usages & usage_rows[i].bit) &&
		    (usage_rows[i].bit >= CERT_EXT_SERVER) == extended)
			(void)buf_addf(out, "%s%s", out->n ? "," : "critical,", usage_rows[i].text);
	}
}

static int add_usages(X509 *x, const struct cert_spec *spec, struct err *err)
{
	CLEANUP(buf_fini) struct buf use = BUF_INIT(512), ext = BUF_INIT(512);
	unsigned u = spec->usages;
	int r = 0;

	if (!u)
		u = spec->ca
			    ? CERT_USE_SIGN | CERT_USE_CERT_SIGN | CERT_USE_CRL_SIGN
			    : CERT_USE_SIGN | CERT_USE_ENCIPHER | CERT_EXT_SERVER | CERT_EXT_CLIENT;
	usage_text(&use, u, false);
	usage_text(&ext, u, true);
	if (use.n)
		r = add_text(x, NULL, NID_key_usage, buf_str(&use), err);
	if (r == 0 && ext.n) /* not critical: a critical one is refused by some readers */
		r = add_text(x, NULL, NID_ext_key_usage, buf_str(&ext) + strlen("critical,"), err);
	return r;
}

/* "10.0.0.0/8" as an address and a mask; nothing else is written as it came into the syntax. */
static int constraint_text(struct buf *out, const char *kind, const char *value, struct err *err)
{
	struct slice addr = slice_str(value), bits;
	unsigned char bytes[16], mask[16] = { 0 };
	char host[64];
	uint64_t len = 0;
	int n;

	for (const char *p = value; *p; p++) {
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:/_",
			    *p))
			return err_set(err, ERR_INVALID, "name constraint '%.100s'", value);
	}
	(void)buf_addf(out, "%s%s;", out->n ? "," : "critical,", kind);
	if (!strchr(value, '/'))
		return buf_addf(out, "DNS:%s", value);
	bits = addr;
	addr = slice_split(&bits, '/');
	(void)snprintf(host, sizeof(host), "%.*s", (int)addr.n, addr.p);
	n = address_bytes(host, bytes);
	if (n == 0 || str_uint64(bits, &len, NULL) < 0 || len > (uint64_t)n * 8)
		return err_set(err, ERR_INVALID,
			       "name constraint '%.100s' is no address with a prefix", value);
	for (uint64_t i = 0; i < len; i++)
		mask[i / 8] |= (unsigned char)(0x80 >> (i % 8));
	(void)buf_addf(out, "IP:%s/", host);
	for (int i = 0; i < n; i++) {
		if (n == 4)
			(void)buf_addf(out, "%s%u", i ? "." : "", mask[i]);
		else
			(void)buf_addf(out, "%s%02x", i && i % 2 == 0 ? ":" : "", mask[i]);
	}
	return out->full ? err_set(err, ERR_TOO_LARGE, "name constraints") : 0;
}

static int add_constraints(X509 *x, const struct cert_spec *spec, struct err *err)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT(16384);
	int r = 0;

	for (size_t i = 0; r == 0 && i < spec->permitted.n; i++)
		r = constraint_text(&text, "permitted", spec->permitted.v[i], err);
	for (size_t i = 0; r == 0 && i < spec->excluded.n; i++)
		r = constraint_text(&text, "excluded", spec->excluded.v[i], err);
	if (r < 0 || text.n == 0)
		return r;
	return add_text(x, NULL, NID_name_constraints, buf_str(&text), err);
}

static int add_extensions(X509 *x, const struct cert_spec *spec, const struct cert *issuer,
			  struct err *err)
{
	CLEANUP(X509_EXTENSION_free) X509_EXTENSION *alt = NULL;
	char basic[64];
	int r;

	(void)snprintf(basic, sizeof(basic), "critical,CA:%s", spec->ca ? "TRUE" : "FALSE");
	if (spec->ca && spec->path_len >= 0)
		(void)snprintf(basic, sizeof(basic), "critical,CA:TRUE,pathlen:%d", spec->path_len);
	r = add_text(x, NULL, NID_basic_constraints, basic, err);
	if (r == 0)
		r = add_usages(x, spec, err);
	if (r == 0)
		r = add_text(x, NULL, NID_subject_key_identifier, "hash", err);
	if (r == 0)
		r = add_text(x, issuer ? issuer->x : x, NID_authority_key_identifier, "keyid", err);
	if (r == 0)
		r = add_constraints(x, spec, err);
	if (r < 0 || !has_alt(&spec->names))
		return r;
	alt = names_extension(&spec->names, err);
	if (!alt)
		return err_ret(err);
	return X509_add_ext(x, alt, -1) ? 0 : ossl_err(err, ERR_SYSTEM, "alternative names");
}

static void set_serial(X509 *x, uint64_t serial)
{
	unsigned char bytes[16];
	BIGNUM *bn = BN_new();

	random_bytes(bytes, sizeof(bytes));
	bytes[0] &= 0x7f; /* positive; 127 bits */
	bytes[15] |= 1;
	if (serial)
		(void)BN_set_word(bn, serial);
	else
		(void)BN_bin2bn(bytes, sizeof(bytes), bn);
	(void)BN_to_ASN1_INTEGER(bn, X509_get_serialNumber(x));
	BN_free(bn);
}

static const EVP_MD *digest_for(const struct key *k)
{
	switch (key_type(k)) {
	case KEY_ED25519: return NULL;
	case KEY_P384: return EVP_sha384();
	case KEY_P521: return EVP_sha512();
	default: return EVP_sha256();
	}
}

int cert_make(const struct cert_spec *spec, const struct key *subject, const struct cert *issuer,
	      const struct key *issuer_key, struct cert **ret, struct err *err)
{
	CLEANUP(X509_free) X509 *x = X509_new();
	int r;

	crypto_init();
	if (spec->not_after <= spec->not_before)
		return err_set(err, ERR_INVALID, "the certificate would end before it begins");
	if (!key_is_private(issuer_key))
		return err_set(err, ERR_CONFLICT, "signing needs the issuer's private key");
	if (issuer && X509_check_private_key(issuer->x, issuer_key->pkey) != 1)
		return ossl_err(err, ERR_INVALID, "the issuer's key is not that of '%s'",
				issuer->info.subject);
	(void)X509_set_version(x, X509_VERSION_3);
	set_serial(x, spec->serial);
	ASN1_TIME_set(X509_getm_notBefore(x), (time_t)spec->not_before);
	ASN1_TIME_set(X509_getm_notAfter(x), (time_t)spec->not_after);
	r = names_subject(&spec->names, X509_get_subject_name(x), err);
	if (r < 0)
		return r;
	if (!X509_set_issuer_name(x, issuer ? X509_get_subject_name(issuer->x)
					    : X509_get_subject_name(x)) ||
	    !X509_set_pubkey(x, subject->pkey))
		return ossl_err(err, ERR_SYSTEM, "making a certificate");
	r = add_extensions(x, spec, issuer, err);
	if (r < 0)
		return r;
	if (!X509_sign(x, issuer_key->pkey, digest_for(issuer_key)))
		return ossl_err(err, ERR_SYSTEM, "signing a certificate");
	return cert_wrap(STEAL(x), ret, err);
}

/* ---- requests ---- */

struct csr {
	struct arena *arena;
	struct cert_names names;
	struct csr_place place;
	unsigned usages;
	bool ca;
	struct key *key;
};

int csr_make(const struct cert_names *names, const struct key *k, struct buf *out, struct err *err)
{
	CLEANUP(X509_REQ_free) X509_REQ *req = X509_REQ_new();
	CLEANUP(X509_EXTENSION_free) X509_EXTENSION *alt = NULL;
	CLEANUP(BIO_free_all) BIO *bio = NULL;
	char *p;
	long n;
	int r;

	crypto_init();
	if (!key_is_private(k))
		return err_set(err, ERR_CONFLICT, "a request is signed with a private key");
	r = names_subject(names, X509_REQ_get_subject_name(req), err);
	if (r < 0)
		return r;
	if (has_alt(names)) {
		STACK_OF(X509_EXTENSION) * list;

		alt = names_extension(names, err);
		if (!alt)
			return err_ret(err);
		list = sk_X509_EXTENSION_new_null();
		sk_X509_EXTENSION_push(list, alt);
		r = X509_REQ_add_extensions(req, list);
		sk_X509_EXTENSION_free(list);
		if (!r)
			return ossl_err(err, ERR_SYSTEM, "request");
	}
	bio = BIO_new(BIO_s_mem());
	if (!X509_REQ_set_pubkey(req, k->pkey) || !X509_REQ_sign(req, k->pkey, digest_for(k)) ||
	    !PEM_write_bio_X509_REQ(bio, req))
		return ossl_err(err, ERR_SYSTEM, "request");
	n = BIO_get_mem_data(bio, &p);
	return buf_add(out, p, (size_t)n) < 0 ? err_set(err, ERR_QUOTA, "no room for a request")
					      : 0;
}

static void *ext_of(STACK_OF(X509_EXTENSION) * list, int nid)
{
	void *v = list ? X509V3_get_d2i(list, nid, NULL, NULL) : NULL;

	ERR_clear_error();
	return v;
}

static unsigned requested_usages(STACK_OF(X509_EXTENSION) * list)
{
	ASN1_BIT_STRING *use = ext_of(list, NID_key_usage);
	EXTENDED_KEY_USAGE *ext = ext_of(list, NID_ext_key_usage);
	unsigned u = 0;

	if (use) {
		u |= ASN1_BIT_STRING_get_bit(use, 0) ? CERT_USE_SIGN : 0;
		u |= ASN1_BIT_STRING_get_bit(use, 2) ? CERT_USE_ENCIPHER : 0;
		u |= ASN1_BIT_STRING_get_bit(use, 5) ? CERT_USE_CERT_SIGN : 0;
		u |= ASN1_BIT_STRING_get_bit(use, 6) ? CERT_USE_CRL_SIGN : 0;
	}
	for (int i = 0; ext && i < sk_ASN1_OBJECT_num(ext); i++) {
		switch (OBJ_obj2nid(sk_ASN1_OBJECT_value(ext, i))) {
		case NID_server_auth: u |= CERT_EXT_SERVER; break;
		case NID_client_auth: u |= CERT_EXT_CLIENT; break;
		case NID_code_sign: u |= CERT_EXT_CODE; break;
		case NID_anyExtendedKeyUsage: u |= CERT_EXT_ANY; break;
		default: break;
		}
	}
	ASN1_BIT_STRING_free(use);
	EXTENDED_KEY_USAGE_free(ext);
	return u;
}

static struct csr_place place_of(struct arena *a, const X509_NAME *subject)
{
	return (struct csr_place){
		.country = names_list(a, subject, NID_countryName),
		.locality = names_list(a, subject, NID_localityName),
		.province = names_list(a, subject, NID_stateOrProvinceName),
		.street = names_list(a, subject, NID_streetAddress),
		.postal = names_list(a, subject, NID_postalCode),
		.serial = names_list(a, subject, NID_serialNumber),
	};
}

static int csr_fill(struct csr *r, X509_REQ *req, struct err *err)
{
	STACK_OF(X509_EXTENSION) *list = X509_REQ_get_extensions(req);
	GENERAL_NAMES *alt = ext_of(list, NID_subject_alt_name);
	BASIC_CONSTRAINTS *basic = ext_of(list, NID_basic_constraints);
	int x = names_read(r->arena, X509_REQ_get_subject_name(req), alt, &r->names, err);

	r->place = place_of(r->arena, X509_REQ_get_subject_name(req));
	if (x == 0 && arena_exceeded(r->arena))
		x = arena_quota(r->arena, err);
	r->usages = requested_usages(list);
	r->ca = basic && basic->ca;
	BASIC_CONSTRAINTS_free(basic);
	GENERAL_NAMES_free(alt);
	sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
	return x;
}

static int csr_parse(struct slice text, X509_REQ **ret, struct err *err)
{
	CLEANUP(BIO_free_all) BIO *bio = NULL;
	const unsigned char *p = (const unsigned char *)text.p;

	if (text.n > CSR_MAX)
		return err_set(err, ERR_TOO_LARGE, "a request of more than %u bytes", CSR_MAX);
	bio = ossl_bio(text);
	*ret = text.n && text.p[0] == 0x30 ? d2i_X509_REQ(NULL, &p, (long)text.n)
					   : PEM_read_bio_X509_REQ(bio, NULL, NULL, NULL);
	return *ret ? 0 : ossl_err(err, ERR_BAD_REQUEST, "certificate request");
}

int csr_read(struct slice text, struct csr **ret, struct err *err)
{
	CLEANUP(X509_REQ_free) X509_REQ *req = NULL;
	CLEANUP(csr_free) struct csr *c = NULL;
	EVP_PKEY *pkey;
	int r = csr_parse(text, &req, err);

	if (r < 0)
		return r;
	c = OPENSSL_zalloc(sizeof(*c));
	c->arena = arena_new("certificate request", 4 * CSR_MAX);
	pkey = X509_REQ_get_pubkey(req);
	if (!pkey)
		return ossl_err(err, ERR_UNSUPPORTED, "certificate request: its key");
	r = key_wrap(pkey, false, &c->key, err);
	if (r < 0)
		return err_wrap(err, "certificate request");
	if (X509_REQ_verify(req, c->key->pkey) != 1) {
		ERR_clear_error();
		return err_set(err, ERR_FORBIDDEN,
			       "certificate request: it is not signed with the key that it names");
	}
	r = csr_fill(c, req, err);
	if (r < 0)
		return r;
	*ret = STEAL(c);
	return 0;
}

void csr_free(struct csr *r)
{
	if (!r)
		return;
	key_unref(r->key);
	arena_free(r->arena);
	OPENSSL_free(r);
}

const struct cert_names *csr_names(const struct csr *r)
{
	return &r->names;
}

const struct csr_place *csr_place(const struct csr *r)
{
	return &r->place;
}

unsigned csr_usages(const struct csr *r)
{
	return r->usages;
}

const struct key *csr_key(const struct csr *r)
{
	return r->key;
}

bool csr_wants_ca(const struct csr *r)
{
	return r->ca;
}

/* ---- revocation lists ---- */

static int add_serial(X509_CRL *crl, const char *hex, const ASN1_TIME *at, struct err *err)
{
	X509_REVOKED *rev = X509_REVOKED_new();
	BIGNUM *bn = NULL;
	ASN1_INTEGER *serial = NULL;
	int r = 0;

	if (!hex[0] || strspn(hex, "0123456789abcdefABCDEF") != strlen(hex) || strlen(hex) > 64 ||
	    !BN_hex2bn(&bn, hex))
		r = err_set(err, ERR_INVALID, "'%.80s' is no serial number in hex", hex);
	else
		serial = BN_to_ASN1_INTEGER(bn, NULL);
	if (serial) {
		(void)X509_REVOKED_set_serialNumber(rev, serial);
		(void)X509_REVOKED_set_revocationDate(rev, (ASN1_TIME *)(uintptr_t)at);
		(void)X509_CRL_add0_revoked(crl, STEAL(rev));
	}
	ASN1_INTEGER_free(serial);
	BN_free(bn);
	X509_REVOKED_free(rev);
	return r;
}

int crl_make(const struct cert *issuer, const struct key *issuer_key, struct cert_list serials,
	     int64_t next_update, struct buf *out, struct err *err)
{
	CLEANUP(X509_CRL_free) X509_CRL *crl = X509_CRL_new();
	CLEANUP(BIO_free_all) BIO *bio = BIO_new(BIO_s_mem());
	int64_t now = clock_real() / 1000000000;
	ASN1_TIME *t;
	char *p;
	long n;
	int r = 0;

	crypto_init();
	if (X509_check_private_key(issuer->x, issuer_key->pkey) != 1)
		return ossl_err(err, ERR_INVALID, "the key is not that of '%s'",
				issuer->info.subject);
	(void)X509_CRL_set_version(crl, X509_CRL_VERSION_2);
	(void)X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer->x));
	t = ASN1_TIME_set(NULL, (time_t)next_update);
	(void)X509_CRL_set1_nextUpdate(crl, t);
	(void)ASN1_TIME_set(t, (time_t)MIN(now, next_update) - 1);
	(void)X509_CRL_set1_lastUpdate(crl, t);
	for (size_t i = 0; r == 0 && i < serials.n; i++)
		r = add_serial(crl, serials.v[i], t, err);
	ASN1_TIME_free(t);
	if (r < 0)
		return r;
	(void)X509_CRL_sort(crl);
	if (!X509_CRL_sign(crl, issuer_key->pkey, digest_for(issuer_key)) ||
	    !PEM_write_bio_X509_CRL(bio, crl))
		return ossl_err(err, ERR_SYSTEM, "revocation list");
	n = BIO_get_mem_data(bio, &p);
	return buf_add(out, p, (size_t)n) < 0 ? err_set(err, ERR_QUOTA, "no room for the list") : 0;
}
