/* SPDX-License-Identifier: Apache-2.0 */
/* Who we are in TLS: certificates from our own to what leads to the root, and the key of the first,
 * as they stand in PEM files. */
#pragma once

#include "base/cleanup.h"
#include "base/str.h"
#include "crypto/tls.h"

struct cert;
struct err;
struct key;

#define IDENTITY_CHAIN_MAX 16

struct identity {
	struct cert *chain[IDENTITY_CHAIN_MAX];
	size_t n; /* 0: nobody */
	struct key *key;
};

/* Errors say which of the two cannot be read; whether they belong together tls_conf_new tells. */
int identity_read(struct slice certs, struct slice key, struct identity *ret, struct err *err);
void identity_fini(struct identity *id);
DEFINE_CLEANUP_EMBEDDED(struct identity, identity_fini)
/* As TLS wants it; borrowed from id. */
struct tls_identity identity_shown(const struct identity *id);
