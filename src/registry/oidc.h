/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys of OpenID issuers by URL: fetched by a worker, kept, and fetched again every hour and when a
 * token names a key that is not known. Private to src/registry; on the loop's thread.
 *
 * A fetch that fails leaves the keys that are there. Only the request whose token needs the new
 * keys waits for them, at most OIDC_TIME; all others go on. Spec: OpenID Connect Discovery 1.0, 4.
 */
#pragma once

#include "base/cleanup.h"

#include <stdbool.h>
#include <stdint.h>

struct call;
struct err;
struct jwks;
struct oidc;
struct registry;

#define OIDC_TIME (10ll * 1000000000) /* of one fetch, discovery and keys */
#define OIDC_EVERY (3600ll * 1000000000)
#define OIDC_AGAIN (10ll * 1000000000) /* between two fetches for a key that is not known */
#define OIDC_WAITING_MAX 64

/* What is fetched: the key set at url, or (url NULL) the one that the issuer's
 * /.well-known/openid-configuration names. ca: certificates to trust, NULL = the system's. */
struct oidc_source {
	const char *issuer, *url, *ca;
};
/* https, or http to loopback. */
int oidc_check(const struct oidc_source *s, struct err *err);

int oidc_new(struct registry *g, struct oidc **ret, struct err *err);
void oidc_free(struct oidc *o); /* NULL is fine */
DEFINE_CLEANUP(struct oidc *, oidc_free)
/* It is (still) wanted: begins to fetch when it is new. Between oidc_begin and oidc_end, which
 * drops those that nobody wants any more. */
void oidc_begin(struct oidc *o);
void oidc_want(struct oidc *o, const struct oidc_source *s);
void oidc_end(struct oidc *o);
void oidc_tick(struct oidc *o);

/* The keys as they are; NULL = none yet. Borrowed until the return to the loop. */
const struct jwks *oidc_keys(struct oidc *o, const struct oidc_source *s);
/*
 * c's token has a key that is not known: true when it is worth waiting: then(c) is called after a
 * fetch, whatever came of it. Not at all if the client has left.
 */
bool oidc_wait(struct oidc *o, const struct oidc_source *s, const char *kid, struct call *c,
	       void (*then)(struct call *c));
