/* SPDX-License-Identifier: Apache-2.0 */
/*
 * May they? One question for requests, for what a request does on the way (creating by PUT) and for
 * access reviews.
 *
 * Members of system:masters may do everything; everybody may ask whether the server is well
 * (/healthz, /livez, /readyz, /version); who is authenticated may look around (discovery, OpenAPI)
 * and ask about themselves. All else has no rule yet and is refused. (RBAC, Node, webhooks: issue
 * 7.)
 */
#pragma once

#include "apiserver/strategy.h"

#include <stdbool.h>

struct arena;
struct err;
struct status_about;

/* What is to be done. Texts are never NULL. */
struct authz_attrs {
	const struct strategy_user *user;
	const char *verb;      /* "get", "deletecollection"; of a path: "get", "post" */
	bool resource_request; /* the next five tell; else the path */
	const char *group, *version, *resource, *sub;
	const char *name, *ns; /* "" = all, none */
	const char *path;
};

bool authz_allowed(const struct authz_attrs *at);
/* The 403 in upstream's words. */
int authz_refuse(const struct authz_attrs *at, struct err *err, struct status_about *about);

/* One rule of what a user may do, as SelfSubjectRulesReview tells it. */
struct authz_rule {
	bool resource_rule;
	const char *const *verbs, *const *groups, *const *resources, *const *paths; /* to NULL */
};
/* The i-th; NULL past the last. Rules that do not hold in `ns` are left out. */
const struct authz_rule *authz_rule(const struct strategy_user *u, const char *ns, size_t i);
