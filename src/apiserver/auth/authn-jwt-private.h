/* SPDX-License-Identifier: Apache-2.0 */
/* Private to authn-jwt*.c: what a configuration says of each issuer. */
#pragma once

#include "apiserver/auth/authn-jwt.h"
#include "apiserver/auth/claims-cel.h"

struct key_source;

struct claim {
	const char *name, *want; /* want: the value that it must have */
};

/* Texts are in the configuration's arena. */
struct rule {
	struct key_source *source;
	const char *issuer;
	const char **audiences, **algs; /* NULL-terminated; algs none: the usual ones */
	size_t naudiences, nalgs;
	struct claim *required;
	size_t nrequired;
	const char *user, *user_prefix, *groups, *groups_prefix, *uid; /* claims; NULL = none */
	struct claim_exprs cel;
};

struct config {
	struct arena *a;
	struct claims_env env;
	struct rule rules[AUTHN_JWT_ISSUERS_MAX];
	size_t n;
	bool says_anonymous, anonymous;
	const char **paths; /* NULL: any; NULL-terminated */
};

/* What keys are fetched from; discovery, ca: NULL = none. NULL: the CA is none. */
struct key_source *key_source_of(struct authn_jwt *t, const char *issuer, const char *discovery,
				 const char *ca, struct err *err);
/* Is it the issuer of service accounts? */
bool authn_jwt_is_own(const struct authn_jwt *t, const char *issuer);

/* What is wrong with an issuer's URL; NULL: nothing. */
const char *authn_jwt_bad_url(struct arena *a, const char *url);
/* Into an empty configuration; negative: err says why. */
int authn_jwt_read_config(struct authn_jwt *t, struct config *c, struct slice text,
			  struct err *err);
