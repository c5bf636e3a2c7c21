/* SPDX-License-Identifier: Apache-2.0 */
/* Private to crypto: the insides of certificates and pools, for the files that verify. */
#pragma once

#include "crypto/ossl.h"
#include "crypto/x509.h"

#include <openssl/x509v3.h>

struct arena;
struct pem;
struct roots;

#define BUNDLE_MAX (4u * PEM_MAX) /* bytes of a text of certificates */

struct cert {
	atomic_uint refs;
	X509 *x;
	unsigned char *der;
	int der_n;
	struct arena *arena; /* of info */
	struct cert_info info;
};

struct cert_pool {
	atomic_uint refs;
	X509_STORE *store;
	struct roots *roots; /* of a bundle; NULL = all are in store */
	size_t n, crls;
	EVP_MD_CTX *digest;
};

/* Takes x also on failure. */
int cert_wrap(X509 *x_taken, struct cert **ret, struct err *err);
/* The parts of a subject that have this NID. */
struct cert_list names_list(struct arena *a, const X509_NAME *subject, int nid);
/* Subject and alternative names as strings of the arena. */
int names_read(struct arena *a, const X509_NAME *subject, const GENERAL_NAMES *alt,
	       struct cert_names *ret, struct err *err);
char *name_text(struct arena *a, const X509_NAME *name);
/* Alternative names as an extension; NULL without any (then err is empty) or on failure. */
X509_EXTENSION *names_extension(const struct cert_names *names, struct err *err);
int names_subject(const struct cert_names *names, X509_NAME *subject, struct err *err);

/* Whether a PEM block's label says so. */
bool pem_is_cert(const struct pem *b);
/* Reads those of subject (NULL: all) into the store. Any thread. NULL is fine, as in roots_free. */
void roots_give(const struct roots *s, X509_STORE *store, const X509_NAME *subject);
void roots_free(struct roots *s); /* after the store */

/* Verifies what is set in ctx by the settings that every verification of ours has; as cert_verify,
 * with the error of OpenSSL left in ctx (for its alert). Of check, chain only serves the reasons.
 */
int verify_run(X509_STORE_CTX *ctx, const struct cert_check *check, struct err *err);
/* Seconds since 1970. */
int64_t asn1_seconds(const ASN1_TIME *t);
/* "192.0.2.1" or "2001:db8::1": 4 or 16 bytes, 0 if it is none. */
int address_bytes(const char *text, unsigned char out[16]);
