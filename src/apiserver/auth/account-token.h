/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens of service accounts: signed, and believed as long as what they are bound to is there.
 *
 *	bound	made by a TokenRequest: for audiences, until a time, and for as long as the account
 *		and the Pod, Secret or Node that they name are there under their uid
 *	of a Secret	without an end: good while that Secret of its account holds it
 *
 * A signature is verified once; what a token says is then kept under its digest (the latest
 * ACCOUNT_TOKENS_KEPT ones), and each time that it is shown its end and the live objects are looked
 * at again. Tokens themselves are not kept. Spec: Kubernetes' documentation of service accounts,
 * "Bound service account tokens"; RFC 7519.
 */
#pragma once

#include "apiserver/auth/authn.h"
#include "base/cleanup.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct account_tokens;
struct arena;
struct doc;
struct err;
struct key;
struct resources;

#define ACCOUNT_TOKENS_KEPT 16384
#define ACCOUNT_LEEWAY 60      /* seconds that clocks may differ, as upstream */
#define ACCOUNT_WARN_LIFE 3607 /* seconds: what pods ask for */
#define ACCOUNT_EXTENDED_LIFE (365 * 86400LL)

/* All is copied. */
struct account_tokens_conf {
	const char *const *issuers; /* the first signs, all are believed; at least one */
	size_t nissuers;
	const char *const *audiences; /* this server's [the issuers] */
	size_t naudiences;
	const char *jwks_uri; /* as discovery tells it; NULL: at our address */
	int64_t life_max;     /* seconds; longer requests are cut; 0: none is */
	bool extend; /* what pods ask for holds for a year, and is told of when it is stale */
};
int account_tokens_new(const struct account_tokens_conf *conf, struct account_tokens **ret,
		       struct err *err);
void account_tokens_free(struct account_tokens *t); /* NULL is fine */
DEFINE_CLEANUP(struct account_tokens *, account_tokens_free)

/* All keys of a PEM text verify; of one that signs there is one, private. RSA or ECDSA, referenced.
 * Keys that are there already are not counted twice. */
int account_tokens_read_keys(struct account_tokens *t, struct slice pem, struct err *err);
int account_tokens_add_key(struct account_tokens *t, struct key *k, bool signs, struct err *err);
bool account_tokens_has_keys(const struct account_tokens *t);
bool account_tokens_can_sign(const struct account_tokens *t);
/* Whose objects tokens are bound to: before the first is checked. Borrowed. */
void account_tokens_set_objects(struct account_tokens *t, const struct resources *rs);

const char *account_tokens_issuer(const struct account_tokens *t);	     /* the first */
const char *const *account_tokens_audiences(const struct account_tokens *t); /* NULL-terminated */

/* ---- making ---- */

struct account_claim {
	const char *name, *uid; /* uid NULL: not told (a Node that is gone) */
};
struct account_request {
	const char *ns;
	struct account_claim account;
	const struct account_claim *pod, *secret, *node; /* NULL: not bound to one */
	const char *const *audiences;			 /* NULL-terminated; none: this server's */
	int64_t now, life;				 /* seconds */
};
struct account_answer {
	int64_t end;	/* as the client is told */
	int64_t cut;	/* life was cut to this; 0: it was not */
	const char *id; /* of the credential: "JTI=..." */
};
/* Appends. Texts of ret are in `a`. -ERR_UNAVAILABLE: there is no key to sign with. */
int account_tokens_sign(const struct account_tokens *t, const struct account_request *q,
			struct arena *a, struct buf *out, struct account_answer *ret,
			struct err *err);
/* One for a Secret of that name. */
int account_tokens_sign_secret(const struct account_tokens *t, const char *ns,
			       const struct account_claim *account, const char *secret,
			       struct arena *a, struct buf *out, struct err *err);

/* ---- believing ---- */

/*
 * wanted: NULL-terminated, NULL: this server's. 1: *ret, in `a`; 0: not of our issuers;
 * -ERR_UNAUTHORIZED: ours, but why it is not good; -ERR_QUOTA.
 */
int account_tokens_check(struct account_tokens *t, struct slice token, const char *const *wanted,
			 int64_t now, struct arena *a, struct authn_found *ret, struct err *err);
/* Called when the token of a Secret, "ns/name", is used for the first time in a day. */
void account_tokens_set_used(struct account_tokens *t, void (*used)(void *arg, struct slice secret),
			     void *arg);
size_t account_tokens_kept(const struct account_tokens *t);

/* ---- what others verify them with ---- */

/* The two documents as they are served; address: "10.0.0.1:6443". 1: there is none, since the
 * issuer is no https URL. */
int account_tokens_openid(const struct account_tokens *t, const char *address, struct arena *a,
			  struct buf *out, struct err *err);
int account_tokens_jwks(const struct account_tokens *t, struct buf *out, struct err *err);
