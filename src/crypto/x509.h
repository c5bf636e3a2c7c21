/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates, requests and revocation lists: reading, making, verifying with reasons for people.
 * Specs: RFC 5280, 2986, 6125.
 *
 * A cert is counted and immutable and may be shared by threads. A cert_pool is filled by its maker,
 * then shared and left alone. Times are seconds since 1970 UTC.
 */
#pragma once

#include "base/cleanup.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cert;
struct cert_pool;
struct csr;
struct err;
struct key;

#define CERT_CHAIN_MAX 16    /* certificates in a chain that is shown */
#define CERT_BUNDLE_MAX 4096 /* in a bundle of roots */
#define CERT_NAMES_MAX 1024  /* alternative names of one certificate */

enum cert_usage {
	CERT_USE_SIGN = 1,	/* digitalSignature */
	CERT_USE_ENCIPHER = 2,	/* keyEncipherment */
	CERT_USE_CERT_SIGN = 4, /* keyCertSign */
	CERT_USE_CRL_SIGN = 8,	/* cRLSign */
	CERT_EXT_SERVER = 16,	/* extended: serverAuth */
	CERT_EXT_CLIENT = 32,	/* extended: clientAuth */
	CERT_EXT_CODE = 64,	/* extended: codeSigning */
	CERT_EXT_ANY = 128,	/* extended: anyExtendedKeyUsage */
};

/* A list of strings; all borrowed. */
struct cert_list {
	const char *const *v;
	size_t n;
};

/* Whom a certificate or request speaks of. */
struct cert_names {
	const char *cn;			      /* "" if none */
	struct cert_list o, ou;		      /* organisations; units */
	struct cert_list dns, ip, uri, email; /* alternative names; addresses as text */
};

struct cert_info {
	struct cert_names names;
	const char *subject, *issuer; /* "CN=a,O=b", RFC 2253 */
	const char *serial;	      /* hex, lower case */
	int64_t not_before, not_after;
	bool ca;
	int path_len;	      /* -1 = no limit */
	unsigned usages;      /* enum cert_usage; 0 = any */
	char fingerprint[65]; /* SHA-256 of the DER, hex */
};

/* ---- certificates ---- */

/* All certificates of a PEM text (other blocks are skipped), or one in DER. At least one and at
 * most max, else NOT_FOUND, TOO_LARGE. What ret gets is referenced; on failure nothing is. */
int cert_read(struct slice text, struct cert **ret, size_t max, size_t *ret_n, struct err *err);
/* The first of the text. */
int cert_read_one(struct slice text, struct cert **ret, struct err *err);
struct cert *cert_ref(struct cert *c);
void cert_unref(struct cert *c); /* NULL is fine */
DEFINE_CLEANUP(struct cert *, cert_unref)
const struct cert_info *cert_info(const struct cert *c);
struct slice cert_der(const struct cert *c); /* borrowed */
int cert_write_pem(const struct cert *c, struct buf *out, struct err *err);
/* Its public key, referenced. UNSUPPORTED, INVALID: not one that we take. */
int cert_key(const struct cert *c, struct key **ret, struct err *err);
/* By signature, not by name only. */
bool cert_is_issued_by(const struct cert *c, const struct cert *issuer);
/* Whether name (host or address) is one of those it was made for; wildcards cover one label. */
bool cert_is_for(const struct cert *c, const char *name);

/* ---- making ---- */

struct cert_spec {
	struct cert_names names;
	int64_t not_before, not_after;
	bool ca;
	int path_len;	 /* for a CA; -1 = no limit */
	unsigned usages; /* 0: what suits (CA: signs certificates and lists; else server and client)
			  */
	uint64_t serial; /* 0: 127 random bits */
	/* CA: names below which (or not below which) it may sign. ".example.org" and addresses with
	 * mask "10.0.0.0/8". */
	struct cert_list permitted, excluded;
};

/* subject: only its public part is used. issuer NULL: signed by itself with issuer_key. */
int cert_make(const struct cert_spec *spec, const struct key *subject, const struct cert *issuer,
	      const struct key *issuer_key, struct cert **ret, struct err *err);

/* ---- requests ---- */

/* PEM of a request for names, signed by k. */
int csr_make(const struct cert_names *names, const struct key *k, struct buf *out, struct err *err);
/* PEM or DER; its own signature is verified (FORBIDDEN). */
int csr_read(struct slice text, struct csr **ret, struct err *err);
void csr_free(struct csr *r);
DEFINE_CLEANUP(struct csr *, csr_free)
/* To sign it: judge these, put them into a cert_spec, cert_make with csr_key. */
const struct cert_names *csr_names(const struct csr *r);
/* What else a subject says: nobody who signs minds it. */
struct csr_place {
	struct cert_list country, locality, province, street, postal, serial;
};
const struct csr_place *csr_place(const struct csr *r);
unsigned csr_usages(const struct csr *r); /* as asked for; 0 = none named */
const struct key *csr_key(const struct csr *r);
bool csr_wants_ca(const struct csr *r);

/* ---- revocation ---- */

/* PEM of a list of serial numbers (hex). */
int crl_make(const struct cert *issuer, const struct key *issuer_key, struct cert_list serials,
	     int64_t next_update, struct buf *out, struct err *err);

/* ---- trust ---- */

struct cert_pool *cert_pool_new(void);
struct cert_pool *cert_pool_ref(struct cert_pool *p);
void cert_pool_unref(struct cert_pool *p); /* NULL is fine */
DEFINE_CLEANUP(struct cert_pool *, cert_pool_unref)
void cert_pool_add(struct cert_pool *p, struct cert *root);
/* All certificates of a bundle. 0, or as cert_read: then none was added. */
int cert_pool_add_pem(struct cert_pool *p, struct slice text, struct err *err);
/* As cert_pool_add_pem, PEM only, for many of which few are needed: only their names are read now,
 * the rest when a chain asks for it. One that is broken inside is not trusted then, instead of
 * refusing the bundle here. */
int cert_pool_add_bundle(struct cert_pool *p, struct slice text, struct err *err);
/* Revocation lists, PEM or DER. Certificates whose issuer has no list here are not revoked; a list
 * past its next update revokes nothing any more and refuses all of its issuer. */
int cert_pool_add_crl(struct cert_pool *p, struct slice text, struct err *err);
size_t cert_pool_len(const struct cert_pool *p);
/* Digest over all that decides whom it trusts. */
void cert_pool_digest(const struct cert_pool *p, unsigned char out[32]);
/* The machine's roots (ca-certificates), as a bundle: 1 ms; NOT_FOUND names the file. */
int cert_pool_system(struct cert_pool **ret, struct err *err);

enum cert_purpose { CERT_FOR_SERVER, CERT_FOR_CLIENT, CERT_FOR_ANY };

struct cert_check {
	struct cert_pool *pool;
	struct cert *const
		*chain; /* own certificate first, then what was shown with it, any order */
	size_t chain_n;
	enum cert_purpose purpose;
	const char *name; /* host or address it must be for; NULL = any */
	int64_t at;	  /* seconds since 1970; 0 = now */
};
/*
 * 0, or FORBIDDEN with the certificate, what is wrong with it and what to do: expired, not yet
 * valid, other name, unknown CA, broken chain, weak key or signature, name constraints, revoked,
 * wrong purpose.
 */
int cert_verify(const struct cert_check *check, struct err *err);
