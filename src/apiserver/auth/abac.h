/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ABAC: a file of policies, a JSON object a line; a request is allowed when one line matches all of
 * it. Forms: abac.authorization.kubernetes.io/v1beta1 Policy, and the older one without a version.
 * Spec: Kubernetes' documentation, "Using ABAC Authorization".
 */
#pragma once

#include "base/cleanup.h"
#include "base/str.h"

#include <stdbool.h>

struct abac;
struct authz_attrs;
struct buf;
struct err;
struct rbac_rule;
struct strategy_user;

#define ABAC_POLICIES_MAX 100000

/* Blank lines and those that begin with # are passed over. -ERR_INVALID names the line. */
int abac_read(struct slice text, struct abac **ret, struct err *err);
void abac_free(struct abac *b); /* NULL is fine */
DEFINE_CLEANUP(struct abac *, abac_free)

/* why (may be NULL): the line that allowed it. */
bool abac_allows(const struct abac *b, const struct authz_attrs *at, struct buf *why);
/* As rbac_each_rule. */
int abac_each_rule(const struct abac *b, const struct strategy_user *u, const char *ns,
		   int (*each)(void *arg, const struct rbac_rule *rule), void *arg);
