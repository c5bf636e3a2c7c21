/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Expressions of an AuthenticationConfiguration: who somebody is by the `claims` of a token, and
 * whether the `user` that comes of it may be.
 *
 * Programs are made once with the configuration and live in its arena. Numbers of claims are what
 * they are written as: int without a point or exponent. Spec: apiserver.config.k8s.io/v1,
 * JWTAuthenticator.
 */
#pragma once

#include "base/str.h"

#include <stddef.h>

struct arena;
struct cel_env;
struct cel_prog;
struct doc;
struct err;
struct strategy_user;

struct claims_env {
	struct cel_env *claims, *user;
};
int claims_env_new(struct arena *a, struct claims_env *ret, struct err *err);

struct claim_expr {
	const char *text, *message, *key; /* message of a rule, key of an extra; may be NULL */
	const struct cel_prog *prog;	  /* NULL: there is none */
};
struct claim_list {
	struct claim_expr *v;
	size_t n;
};
/* All of one issuer; texts and programs are borrowed. */
struct claim_exprs {
	struct claim_expr user, groups, uid;
	struct claim_list extra;
	struct claim_list rules;      /* of claims */
	struct claim_list user_rules; /* of the user */
};

/* x->text over claims, or the user; rule: it is a bool. -ERR_INVALID in upstream's words. */
int claims_compile(const struct cel_env *env, bool rule, struct arena *a, struct claim_expr *x,
		   struct err *err);
/* A name made of claims.email has to look at claims.email_verified somewhere. */
bool claims_email_unverified(const struct claim_exprs *x);

/* ---- a token ---- */

/* What the expressions make of claims, where there are any: name, groups (as they are told,
 * NULL-terminated), uid, extra (added to what u has). Texts are in `a`. -ERR_UNAUTHORIZED. */
int claims_map(const struct claim_exprs *x, const struct doc *claims, struct arena *a,
	       struct strategy_user *u, struct err *err);
/* The rules, of claims and of what became of them. -ERR_UNAUTHORIZED tells which failed. */
int claims_check(const struct claim_exprs *x, const struct doc *claims,
		 const struct strategy_user *u, struct arena *a, struct err *err);
