/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bundles of roots of which few are ever asked for: only their subjects are read at once, for
 * OpenSSL takes 0.3 ms to read a certificate and its key whole, and a machine trusts 150 of them.
 *
 * (1) What a chain is verified against is as if all had been added: the store asks here for every
 * subject of which it holds nothing. (2) All of one subject go to the store together, so that it
 * never holds some of them only.
 */
#include "base/fd.h"
#include "crypto/x509-priv.h"

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>

#define SYSTEM_ROOTS "/etc/ssl/certs/ca-certificates.crt"

struct root {
	X509_NAME *subject;
	size_t at, n; /* in der */
};

struct roots {
	X509_LOOKUP_METHOD *method;
	struct root *v;
	size_t n;
	struct buf der;
};

OSSL_CLEANUP(BIO, BIO_free_all)

void roots_free(struct roots *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n; i++)
		X509_NAME_free(s->v[i].subject);
	X509_LOOKUP_meth_free(s->method);
	buf_fini(&s->der);
	OPENSSL_free(s->v);
	OPENSSL_free(s);
}
DEFINE_CLEANUP(struct roots *, roots_free)

/* ---- the index ---- */

struct der {
	const unsigned char *p;
	size_t n;
};

/* The next value of d, whole or its inside; its tag is looked at by the caller. */
static bool der_next(struct der *d, int *tag, struct der *whole, struct der *inside)
{
	const unsigned char *p = d->p;
	long n;
	int class, r = ASN1_get_object(&p, &n, tag, &class, (long)d->n);

	if (r & 0x81) /* an error, or of unknown length */
		return false;
	*inside = (struct der){ p, (size_t)n };
	*whole = (struct der){ d->p, (size_t)(p - d->p) + (size_t)n };
	d->n -= whole->n;
	d->p += whole->n;
	if (class != V_ASN1_UNIVERSAL)
		*tag = -1;
	return true;
}

/* Certificate ::= { { [0] version, serial, algorithm, issuer, validity, subject, ...; RFC 5280 4.1
 */
static X509_NAME *subject_of(struct der cert)
{
	struct der whole, in, skip;
	const unsigned char *p;
	int tag;

	if (!der_next(&cert, &tag, &whole, &in) || tag != V_ASN1_SEQUENCE || cert.n ||
	    !der_next(&in, &tag, &whole, &skip) || tag != V_ASN1_SEQUENCE)
		return NULL;
	in = skip;
	if (!der_next(&in, &tag, &whole, &skip))
		return NULL;
	for (int left = tag < 0 ? 5 : 4; left > 0; left--) {
		if (!der_next(&in, &tag, &whole, &skip))
			return NULL;
	}
	p = whole.p;
	return d2i_X509_NAME(NULL, &p, (long)whole.n);
}

static int index_one(struct roots *s, const struct pem *block, struct err *err)
{
	struct root *r = &s->v[s->n];

	if (s->n == CERT_BUNDLE_MAX)
		return err_set(err, ERR_TOO_LARGE, "more than %u certificates", CERT_BUNDLE_MAX);
	r->subject = subject_of((struct der){ block->der, (size_t)block->n });
	if (!r->subject)
		return ossl_err(err, ERR_BAD_REQUEST, "number %zu: certificate", s->n + 1);
	r->at = s->der.n;
	r->n = (size_t)block->n;
	s->n++;
	return buf_add(&s->der, block->der, r->n) < 0
		       ? err_set(err, ERR_TOO_LARGE, "certificates of more than %u bytes",
				 BUNDLE_MAX)
		       : 0;
}

static int index_all(struct roots *s, struct slice text, struct err *err)
{
	CLEANUP(BIO_free_all) BIO *bio = ossl_bio(text);
	CLEANUP(pem_fini) struct pem block = { 0 };
	int r;

	while ((r = pem_next(bio, &block, err)) > 0) {
		r = pem_is_cert(&block) ? index_one(s, &block, err) : 0;
		if (r < 0)
			return r;
	}
	if (r == 0 && s->n == 0)
		r = err_set(err, ERR_NOT_FOUND, "there is no certificate in the text");
	return r;
}

/* ---- what the store asks for ---- */

static void give(const struct roots *s, const struct root *r, X509_STORE *store)
{
	const unsigned char *p = (const unsigned char *)s->der.p + r->at, *end = p + r->n;
	X509 *x = d2i_X509(NULL, &p, (long)r->n);

	if (x && p == end)
		(void)X509_STORE_add_cert(store, x); /* one that is there already is fine */
	X509_free(x);
	ERR_clear_error();
}

void roots_give(const struct roots *s, X509_STORE *store, const X509_NAME *subject)
{
	for (size_t i = 0; s && i < s->n; i++) {
		if (!subject || X509_NAME_cmp(s->v[i].subject, subject) == 0)
			give(s, &s->v[i], store);
	}
}

/* The store takes a reference of its own to what ret names, and drops none. */
static int on_lookup(X509_LOOKUP *l, X509_LOOKUP_TYPE type, const X509_NAME *name, X509_OBJECT *ret)
{
	X509_STORE *store = X509_LOOKUP_get_store(l);
	X509_OBJECT *found;
	X509 *x = NULL;

	if (type != X509_LU_X509)
		return 0;
	roots_give(X509_LOOKUP_get_method_data(l), store, name);
	X509_STORE_lock(store);
	found = X509_OBJECT_retrieve_by_subject(X509_STORE_get0_objects(store), type, name);
	if (found)
		x = X509_OBJECT_get0_X509(found);
	if (x && X509_OBJECT_set1_X509(ret, x))
		X509_free(x);
	X509_STORE_unlock(store);
	return x != NULL;
}

/* keeps (2) for what the store held before */
static void give_known(struct cert_pool *p)
{
	STACK_OF(X509_OBJECT) *all = X509_STORE_get0_objects(p->store);

	for (size_t i = 0; i < p->roots->n; i++) {
		const struct root *r = &p->roots->v[i];

		if (X509_OBJECT_idx_by_subject(all, X509_LU_X509, r->subject) >= 0)
			give(p->roots, r, p->store);
	}
}

static void lookup_install(struct cert_pool *p, struct roots *s)
{
	s->method = X509_LOOKUP_meth_new("roots");
	(void)X509_LOOKUP_meth_set_get_by_subject(s->method, on_lookup);
	(void)X509_LOOKUP_set_method_data(X509_STORE_add_lookup(p->store, s->method), s);
}

int cert_pool_add_bundle(struct cert_pool *p, struct slice text, struct err *err)
{
	CLEANUP(roots_free) struct roots *s = NULL;
	int r;

	if (p->roots)
		return cert_pool_add_pem(p, text, err);
	if (text.n > BUNDLE_MAX)
		return err_set(err, ERR_TOO_LARGE, "certificates of more than %u bytes",
			       BUNDLE_MAX);
	s = OPENSSL_zalloc(sizeof(*s));
	s->v = OPENSSL_zalloc((CERT_BUNDLE_MAX + 1) * sizeof(*s->v));
	s->der = BUF_INIT(BUNDLE_MAX);
	r = index_all(s, text, err);
	if (r < 0)
		return r;
	s->v = OPENSSL_realloc(s->v, s->n * sizeof(*s->v));
	(void)EVP_DigestUpdate(p->digest, s->der.p, s->der.n);
	p->n += s->n;
	lookup_install(p, s);
	p->roots = STEAL(s);
	give_known(p);
	return 0;
}

int cert_pool_system(struct cert_pool **ret, struct err *err)
{
	CLEANUP(cert_pool_unref) struct cert_pool *p = cert_pool_new();
	CLEANUP(buf_fini) struct buf text = BUF_INIT(BUNDLE_MAX);
	int r = fd_read_file(AT_FDCWD, SYSTEM_ROOTS, &text, err);

	if (r == 0)
		r = cert_pool_add_bundle(p, buf_slice(&text), err);
	if (r < 0) {
		(void)err_wrap(err, "the machine's roots of trust, " SYSTEM_ROOTS);
		return err_hint(err, "install ca-certificates, or name a CA file");
	}
	*ret = STEAL(p);
	return 0;
}
