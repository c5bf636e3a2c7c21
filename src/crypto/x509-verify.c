/* SPDX-License-Identifier: Apache-2.0 */
/* Trust, and verification with reasons for people. */
#include "base/clock.h"
#include "crypto/x509-priv.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#define CRL_MAX (4u * PEM_MAX)
#define AUTH_LEVEL 2 /* 112 bits: RSA 2048, P-224, SHA-224 */
#define DAY 86400

OSSL_CLEANUP(BIO, BIO_free_all)
OSSL_CLEANUP(X509_STORE_CTX, X509_STORE_CTX_free)

/* ---- pools ---- */

struct cert_pool *cert_pool_new(void)
{
	struct cert_pool *p;

	crypto_init();
	p = OPENSSL_zalloc(sizeof(*p));
	p->refs = 1;
	p->store = X509_STORE_new();
	p->digest = EVP_MD_CTX_new();
	(void)EVP_DigestInit_ex(p->digest, ossl_algs()->sha256, NULL);
	return p;
}

struct cert_pool *cert_pool_ref(struct cert_pool *p)
{
	p->refs++;
	return p;
}

void cert_pool_unref(struct cert_pool *p)
{
	if (!p || --p->refs > 0)
		return;
	X509_STORE_free(p->store);
	roots_free(p->roots);
	EVP_MD_CTX_free(p->digest);
	OPENSSL_free(p);
}

size_t cert_pool_len(const struct cert_pool *p)
{
	return p->n;
}

void cert_pool_digest(const struct cert_pool *p, unsigned char out[32])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	(void)EVP_MD_CTX_copy_ex(ctx, p->digest);
	(void)EVP_DigestFinal_ex(ctx, out, NULL);
	EVP_MD_CTX_free(ctx);
}

void cert_pool_add(struct cert_pool *p, struct cert *root)
{
	roots_give(p->roots, p->store, X509_get_subject_name(root->x));
	(void)X509_STORE_add_cert(p->store, root->x); /* one that is there already is fine */
	(void)EVP_DigestUpdate(p->digest, root->der, (size_t)root->der_n);
	p->n++;
}

int cert_pool_add_pem(struct cert_pool *p, struct slice text, struct err *err)
{
	struct cert **all = OPENSSL_malloc(CERT_BUNDLE_MAX * sizeof(*all));
	size_t n = 0;
	int r = cert_read(text, all, CERT_BUNDLE_MAX, &n, err);

	for (size_t i = 0; r == 0 && i < n; i++) {
		cert_pool_add(p, all[i]);
		cert_unref(all[i]);
	}
	OPENSSL_free(all);
	return r;
}

static int add_crl(struct cert_pool *p, const unsigned char *der, long n, struct err *err)
{
	const unsigned char *q = der;
	X509_CRL *crl = d2i_X509_CRL(NULL, &q, n);
	int ok;

	if (!crl)
		return ossl_err(err, ERR_BAD_REQUEST, "revocation list");
	ok = X509_STORE_add_crl(p->store, crl);
	X509_CRL_free(crl);
	if (!ok)
		return ossl_err(err, ERR_INVALID, "revocation list");
	(void)EVP_DigestUpdate(p->digest, der, (size_t)n);
	p->crls++;
	(void)X509_STORE_set_flags(p->store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
	return 0;
}

int cert_pool_add_crl(struct cert_pool *p, struct slice text, struct err *err)
{
	CLEANUP(BIO_free_all) BIO *bio = NULL;
	CLEANUP(pem_fini) struct pem block = { 0 };
	bool any = false;
	int r;

	if (text.n > CRL_MAX)
		return err_set(err, ERR_TOO_LARGE, "revocation lists of more than %u bytes",
			       CRL_MAX);
	if (text.n && text.p[0] == 0x30)
		return add_crl(p, (const unsigned char *)text.p, (long)text.n, err);
	bio = ossl_bio(text);
	while ((r = pem_next(bio, &block, err)) > 0) {
		if (strcmp(block.label, "X509 CRL") != 0)
			continue;
		any = true;
		r = add_crl(p, block.der, block.n, err);
		if (r < 0)
			return r;
	}
	if (r == 0 && !any)
		r = err_set(err, ERR_NOT_FOUND, "there is no revocation list in the text");
	return r;
}

/* ---- verification ---- */

/* An issuer without a list revokes nothing. */
static int on_verify(int ok, X509_STORE_CTX *ctx)
{
	if (!ok && X509_STORE_CTX_get_error(ctx) == X509_V_ERR_UNABLE_TO_GET_CRL) {
		X509_STORE_CTX_set_error(ctx, X509_V_OK);
		return 1;
	}
	return ok;
}

static int verify_params(X509_VERIFY_PARAM *param, const struct cert_check *check)
{
	unsigned char addr[16];
	int n;

	X509_VERIFY_PARAM_set_auth_level(param, AUTH_LEVEL);
	X509_VERIFY_PARAM_set_depth(param, CERT_CHAIN_MAX);
	(void)X509_VERIFY_PARAM_set_flags(param,
					  X509_V_FLAG_TRUSTED_FIRST | X509_V_FLAG_PARTIAL_CHAIN);
	if (check->at)
		X509_VERIFY_PARAM_set_time(param, (time_t)check->at);
	if (check->purpose != CERT_FOR_ANY)
		(void)X509_VERIFY_PARAM_set_purpose(param, check->purpose == CERT_FOR_SERVER
								   ? X509_PURPOSE_SSL_SERVER
								   : X509_PURPOSE_SSL_CLIENT);
	if (!check->name)
		return 1;
	n = address_bytes(check->name, addr);
	if (n > 0)
		return X509_VERIFY_PARAM_set1_ip(param, addr, (size_t)n);
	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
						       X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
	return X509_VERIFY_PARAM_set1_host(param, check->name, 0);
}

static void date_text(char out[32], int64_t t)
{
	time_t at = (time_t)t;
	struct tm tm;

	if (!gmtime_r(&at, &tm) || strftime(out, 32, "%Y-%m-%d %H:%M:%S UTC", &tm) == 0)
		(void)str_copy(out, 32, "?");
}

static void span_text(char out[32], int64_t s)
{
	if (s >= 2 * DAY)
		(void)snprintf(out, 32, "%lld days", (long long)(s / DAY));
	else if (s >= 7200)
		(void)snprintf(out, 32, "%lld hours", (long long)(s / 3600));
	else
		(void)snprintf(out, 32, "%lld seconds", (long long)s);
}

static int when(const struct cert_check *check, const struct cert_info *i, const char *who,
		bool expired, struct err *err)
{
	int64_t now = check->at ? check->at : clock_real() / 1000000000;
	char date[32], span[32];

	date_text(date, expired ? i->not_after : i->not_before);
	span_text(span, expired ? now - i->not_after : i->not_before - now);
	if (expired)
		return err_set(err, ERR_FORBIDDEN, "%s expired on %s (%s ago); it must be renewed",
			       who, date, span);
	return err_set(err, ERR_FORBIDDEN,
		       "%s is not valid before %s (in %s); check the clocks of both machines", who,
		       date, span);
}

static void join(struct buf *out, const char *kind, struct cert_list list)
{
	for (size_t i = 0; i < list.n; i++) {
		if (out->n > 300) {
			(void)buf_adds(out, ", ...");
			return;
		}
		(void)buf_addf(out, "%s%s%s", out->n ? ", " : "", kind, list.v[i]);
	}
}

static int other_name(const struct cert_check *check, const struct cert_info *i, const char *who,
		      struct err *err)
{
	CLEANUP(buf_fini) struct buf names = BUF_INIT(1024);

	join(&names, "", i->names.dns);
	join(&names, "", i->names.ip);
	if (names.n == 0)
		return err_set(
			err, ERR_FORBIDDEN,
			"%s is not for '%s': it has no alternative names (its common name is not "
			"looked at); make one with them",
			who, check->name);
	return err_set(err, ERR_FORBIDDEN, "%s is not for '%s', but for %s", who, check->name,
		       buf_str(&names));
}

/* Shown in another order than own, issuer, issuer's issuer: some readers refuse it, and a missing
 * link is then hard to see. */
static bool out_of_order(const struct cert_check *check)
{
	for (size_t i = 0; i + 1 < check->chain_n; i++) {
		if (strcmp(check->chain[i]->info.issuer, check->chain[i + 1]->info.subject) != 0)
			return true;
	}
	return false;
}

static int no_issuer(const struct cert_check *check, const struct cert_info *i, const char *who,
		     struct err *err)
{
	if (out_of_order(check))
		return err_set(
			err, ERR_FORBIDDEN,
			"%s: its issuer '%s' is neither trusted nor shown; the chain is broken: "
			"each certificate must be followed by its issuer's",
			who, i->issuer);
	return err_set(
		err, ERR_FORBIDDEN,
		"%s is signed by '%s', which is not trusted here; trust that CA, or show the "
		"intermediate certificates too",
		who, i->issuer);
}

static const struct reason_row {
	int code;
	const char *text; /* behind "certificate 'X' " */
} reasons[] = {
	{ X509_V_ERR_EE_KEY_TOO_SMALL,
	  "has a key that is too weak; make one of RSA 2048 bits or P-256" },
	{ X509_V_ERR_CA_KEY_TOO_SMALL,
	  "of a CA has a key that is too weak; make one of RSA 2048 bits or P-256" },
	{ X509_V_ERR_CA_MD_TOO_WEAK,
	  "is signed with a hash that is too weak (MD5 or SHA-1); have it signed with SHA-256" },
	{ X509_V_ERR_CERT_SIGNATURE_FAILURE, "has a signature that is not of its issuer's key" },
	{ X509_V_ERR_CERT_REVOKED, "has been revoked by its issuer; another one must be used" },
	{ X509_V_ERR_CRL_HAS_EXPIRED, "cannot be checked: its issuer's revocation list is past its "
				      "next update; fetch a new one" },
	{ X509_V_ERR_CRL_NOT_YET_VALID,
	  "cannot be checked: its issuer's revocation list is of the future; check the clock" },
	{ X509_V_ERR_CRL_SIGNATURE_FAILURE,
	  "cannot be checked: the signature of the revocation list is not of its issuer" },
	{ X509_V_ERR_PERMITTED_VIOLATION,
	  "names a host that its CA may not sign for (name constraints: not permitted)" },
	{ X509_V_ERR_EXCLUDED_VIOLATION,
	  "names a host that its CA may not sign for (name constraints: excluded)" },
	{ X509_V_ERR_INVALID_CA, "signs others but is not a CA" },
	{ X509_V_ERR_KEYUSAGE_NO_CERTSIGN, "signs others but its key usage does not allow it" },
	{ X509_V_ERR_PATH_LENGTH_EXCEEDED,
	  "of a CA may not have that many CAs below it (path length)" },
	{ X509_V_ERR_CERT_CHAIN_TOO_LONG, "has too long a chain of issuers" },
	{ X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION,
	  "has a critical extension that is not understood here" },
};

static int wrong_purpose(const struct cert_check *check, const char *who, struct err *err)
{
	return err_set(err, ERR_FORBIDDEN,
		       "%s is not for the use of %s (its extended key usage lacks %s)", who,
		       check->purpose == CERT_FOR_SERVER ? "servers" : "clients",
		       check->purpose == CERT_FOR_SERVER ? "serverAuth" : "clientAuth");
}

static int explain(X509_STORE_CTX *ctx, const struct cert_check *check, const struct cert *c,
		   struct err *err)
{
	int code = X509_STORE_CTX_get_error(ctx);
	char who[512];

	(void)snprintf(who, sizeof(who), "certificate '%.400s'", c->info.subject);
	switch (code) {
	case X509_V_ERR_CERT_HAS_EXPIRED: return when(check, &c->info, who, true, err);
	case X509_V_ERR_CERT_NOT_YET_VALID: return when(check, &c->info, who, false, err);
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH: return other_name(check, &c->info, who, err);
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
		return no_issuer(check, &c->info, who, err);
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
		return err_set(
			err, ERR_FORBIDDEN,
			"%s is signed by itself and not trusted here; trust it if it is right",
			who);
	case X509_V_ERR_INVALID_PURPOSE: return wrong_purpose(check, who, err);
	default: break;
	}
	for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
		if (reasons[i].code == code)
			return err_set(err, ERR_FORBIDDEN, "%s %s", who, reasons[i].text);
	}
	return err_set(err, ERR_FORBIDDEN, "%s: %s", who, X509_verify_cert_error_string(code));
}

static int verdict(X509_STORE_CTX *ctx, const struct cert_check *check, struct err *err)
{
	CLEANUP(cert_unref) struct cert *c = NULL;
	X509 *x = X509_STORE_CTX_get_current_cert(ctx);
	int r;

	ERR_clear_error();
	if (!x)
		return err_set(err, ERR_FORBIDDEN, "%s",
			       X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
	(void)X509_up_ref(x);
	r = cert_wrap(x, &c, err);
	return r < 0 ? r : explain(ctx, check, c, err);
}

int verify_run(X509_STORE_CTX *ctx, const struct cert_check *check, struct err *err)
{
	int r;

	if (!verify_params(X509_STORE_CTX_get0_param(ctx), check))
		return ossl_err(err, ERR_INVALID, "'%.255s' is no name of a host", check->name);
	X509_STORE_CTX_set_verify_cb(ctx, on_verify);
	r = X509_verify_cert(ctx) == 1 ? 0 : verdict(ctx, check, err);
	ERR_clear_error();
	return r;
}

int cert_verify(const struct cert_check *check, struct err *err)
{
	CLEANUP(X509_STORE_CTX_free) X509_STORE_CTX *ctx = NULL;
	STACK_OF(X509) * others;
	int ok;

	crypto_init();
	if (check->chain_n == 0)
		return err_set(err, ERR_FORBIDDEN, "there is no certificate");
	ctx = X509_STORE_CTX_new();
	others = sk_X509_new_null();
	for (size_t i = 1; i < check->chain_n; i++)
		sk_X509_push(others, check->chain[i]->x);
	ok = X509_STORE_CTX_init(ctx, check->pool->store, check->chain[0]->x, others);
	ok = ok ? verify_run(ctx, check, err) : ossl_err(err, ERR_INVALID, "verification");
	sk_X509_free(others);
	return ok;
}
