/* SPDX-License-Identifier: Apache-2.0 */
/* Who we are in TLS: certificates from our own to what leads to the root, and the key of the first,
 * as they stand in PEM files. Begins as { .n = 0 } and is given back also when reading failed. */
#pragma once

#include "base/cleanup.h"
#include "base/str.h"
#include "crypto/tls.h"
#include "crypto/x509.h"

struct cert;
struct err;
struct key;

struct identity {
	struct cert *chain[CERT_CHAIN_MAX];
	size_t n; /* 0: nobody */
	struct key *key;
};

/* Once each; whether they belong together tls_conf_new tells. */
int identity_read_chain(struct identity *id, struct slice certs, struct err *err);
int identity_read_key(struct identity *id, struct slice key, struct err *err);
/* Both; errors say which of them. */
int identity_read(struct identity *id, struct slice certs, struct slice key, struct err *err);
void identity_fini(struct identity *id);
DEFINE_CLEANUP_EMBEDDED(struct identity, identity_fini)
/* As TLS wants it; borrowed from id. */
struct tls_identity identity_shown(const struct identity *id);
