/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keys of an OpenID issuer, fetched: for a worker, since it blocks. Spec: OpenID Connect
 * Discovery 1.0, 4; RFC 7517.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct cert_pool;
struct err;
struct jwks;

/* Borrowed for the call. */
struct issuer_ask {
	const char *name;      /* the issuer as tokens name it; its discovery must, too */
	const char *discovery; /* where that is [NAME/.well-known/openid-configuration] */
	const char *keys;      /* the key set itself: nothing is discovered; NULL: it is */
	struct cert_pool *trust;
	int64_t time; /* ns that all of it may take */
	bool no_redirects;
};
/* https, or http to loopback. */
bool issuer_url_is_safe(const char *url);
/* -ERR_INVALID: what was got is of another issuer, or has no key that verifies. */
int issuer_fetch(const struct issuer_ask *s, struct jwks **ret, struct err *err);
