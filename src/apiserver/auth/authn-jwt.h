/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Users of other issuers: ID tokens (OpenID Connect) whose claims say who they are, by rules of
 * --oidc-* flags or of an AuthenticationConfiguration, which also limits anonymous requests.
 *
 * Keys are fetched by workers: at the start, every hour, and when a token names a key that is not
 * known (at most every ten seconds; that token is refused). Until the first fetch its issuer's
 * tokens are refused. Verified signatures are remembered by digest. Spec:
 * apiserver.config.k8s.io/v1 AuthenticationConfiguration.
 */
#pragma once

#include "apiserver/auth/authn.h"
#include "base/cleanup.h"
#include "base/str.h"

#include <stdint.h>

struct authn_jwt;
struct cert_pool;
struct loop;

#define AUTHN_JWT_ISSUERS_MAX 64

/* One issuer by flags; NULL and 0 are the default in brackets. Lists are NULL-terminated. */
struct authn_oidc {
	const char *issuer, *client;
	struct slice ca;		/* PEM [the system's] */
	const char *user, *user_prefix; /* [sub]; [ISSUER# unless it is email]; "-" = none */
	const char *groups, *groups_prefix;
	const char *const *required; /* "claim=value" */
	const char *const *algs;     /* [RS256] */
};

struct authn_jwt_conf {
	struct loop *loop;
	const char *const *accounts; /* issuers that no other may be: ours. NULL-terminated */
	struct cert_pool *system;    /* trusted where no CA is given; referenced; NULL: none */
};
int authn_jwt_new(const struct authn_jwt_conf *conf, struct authn_jwt **ret, struct err *err);
void authn_jwt_free(struct authn_jwt *t); /* NULL is fine */
DEFINE_CLEANUP(struct authn_jwt *, authn_jwt_free)

/* -ERR_INVALID names the flag. */
int authn_jwt_set_flags(struct authn_jwt *t, const struct authn_oidc *o, struct err *err);
/*
 * YAML or JSON in the place of what was there. -ERR_INVALID names the field
 * ("jwt[0].issuer.url: ..."), -ERR_UNSUPPORTED what is not in this server; nothing changes then.
 */
int authn_jwt_read(struct authn_jwt *t, struct slice text, struct err *err);

/* Of the configuration: 1: anonymous requests to this path are taken; 0: not; -1: it says nothing
 * of them. */
int authn_jwt_anonymous(const struct authn_jwt *t, const char *path);

/* As account_tokens_check. */
int authn_jwt_check(struct authn_jwt *t, struct slice token, const char *const *wanted, int64_t now,
		    struct arena *a, struct authn_found *ret, struct err *err);
/* How many issuers there are, and of how many there are keys: for readiness and tests. */
size_t authn_jwt_issuers(const struct authn_jwt *t, size_t *ret_ready);
