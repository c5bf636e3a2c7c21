/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates, keys, requests and revocation lists from foreign bytes, in PEM and DER: an answer
 * or an error, never more; what was read has a fingerprint, is written, reads back the same, and is
 * judged. The first byte chooses the reader.
 */
#include "base/err.h"
#include "crypto/key.h"
#include "crypto/x509.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void judge(struct cert *const *chain, size_t n)
{
	CLEANUP(cert_pool_unref) struct cert_pool *pool = cert_pool_new();
	struct cert_check check = { .pool = pool,
				    .chain = chain,
				    .chain_n = n,
				    .name = "a.example",
				    .purpose = CERT_FOR_SERVER,
				    .at = 1800000000 };
	struct err err = ERR_INIT;

	assert(cert_verify(&check, &err) < 0 && err.msg[0]); /* nobody is trusted */
	cert_pool_add(pool, chain[n - 1]);
	check.name = NULL;
	if (cert_verify(&check, &err) < 0)
		assert(err.msg[0]);
}

/* Its own roots, read when asked: trusted as those that were read at once. */
static void judge_bundle(struct slice text, struct cert *const *chain)
{
	CLEANUP(cert_pool_unref) struct cert_pool *eager = cert_pool_new();
	CLEANUP(cert_pool_unref) struct cert_pool *lazy = cert_pool_new();
	struct cert_check check = { .pool = eager,
				    .chain = chain,
				    .chain_n = 1,
				    .purpose = CERT_FOR_ANY,
				    .at = 1800000000 };
	bool eagerly = cert_pool_add_pem(eager, text, NULL) == 0;
	bool lazily = cert_pool_add_bundle(lazy, text, NULL) == 0;
	int r;

	if (!eagerly || !lazily)
		return;
	r = cert_verify(&check, NULL);
	check.pool = lazy;
	assert(cert_verify(&check, NULL) == r);
}

static void read_certs(struct slice text)
{
	struct cert *chain[4], *again = NULL;
	struct err err = ERR_INIT;
	size_t n = 0;

	if (cert_read(text, chain, ARRAY_LEN(chain), &n, &err) < 0) {
		assert(err.msg[0]);
		return;
	}
	assert(n > 0 && n <= ARRAY_LEN(chain));
	judge(chain, n);
	judge_bundle(text, chain);
	for (size_t i = 0; i < n; i++) {
		CLEANUP(buf_fini) struct buf pem = BUF_INIT(8u << 20);
		CLEANUP(key_unref) struct key *k = NULL;

		assert(cert_info(chain[i])->fingerprint[63]);
		(void)cert_is_for(chain[i], "a.example");
		(void)cert_is_for(chain[i], "10.0.0.1");
		(void)cert_key(chain[i], &k, NULL);
		assert(cert_write_pem(chain[i], &pem, &err) == 0);
		assert(cert_read_one(buf_slice(&pem), &again, &err) == 0);
		assert(slice_eq(cert_der(again), cert_der(chain[i])));
		cert_unref(again);
		cert_unref(chain[i]);
	}
}

static void read_key(struct slice text)
{
	CLEANUP(key_unref) struct key *k = NULL;
	CLEANUP(key_unref) struct key *again = NULL;
	CLEANUP(buf_fini) struct buf pem = BUF_INIT(1u << 20);
	struct err err = ERR_INIT;

	if (key_read(text, &k, &err) < 0) {
		assert(err.msg[0]);
		return;
	}
	if (key_write_pem(k, KEY_PUBLIC, &pem, &err) == 0 &&
	    key_read(buf_slice(&pem), &again, &err) == 0)
		assert(key_matches(k, again));
}

static void read_request(struct slice text)
{
	CLEANUP(csr_free) struct csr *r = NULL;

	if (csr_read(text, &r, NULL) == 0)
		assert(csr_names(r)->cn && csr_key(r));
}

static void read_crl(struct slice text)
{
	CLEANUP(cert_pool_unref) struct cert_pool *pool = cert_pool_new();

	(void)cert_pool_add_crl(pool, text, NULL);
	(void)cert_pool_add_pem(pool, text, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = slice_of((const char *)data + 1, size - 1);

	if (size == 0)
		return 0;
	switch (data[0] % 4) {
	case 0: read_certs(text); break;
	case 1: read_key(text); break;
	case 2: read_request(text); break;
	default: read_crl(text); break;
	}
	return 0;
}
