/* SPDX-License-Identifier: Apache-2.0 */
/*
 * May they? One question for requests, for what a request does on the way (creating by PUT) and for
 * access reviews.
 *
 * Members of system:masters may do everything. All else is RBAC's to say, or of the mode without it
 * (AlwaysDeny): nothing but to ask whether the server is well, to look around and to ask about
 * oneself. (Node, ABAC, webhooks: refused by name where they are asked for.)
 */
#pragma once

#include "apiserver/strategy.h"

#include <stdbool.h>

struct arena;
struct buf;
struct err;
struct rbac;
struct rbac_rule;
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

/* Who decides; NULL or zeros: nobody but masters may do more than look. */
struct authz {
	const struct rbac *rbac; /* NULL: not asked */
	bool always;		 /* AlwaysAllow */
};

/* why: what decided, for the audit log and `SubjectAccessReview`; may be NULL. */
bool authz_allowed(const struct authz *z, const struct authz_attrs *at, struct buf *why);
/* The 403 in upstream's words. */
int authz_refuse(const struct authz_attrs *at, struct err *err, struct status_about *about);

/* What a user may do in a namespace, rule by rule (rbac.h), as SelfSubjectRulesReview tells it;
 * negative from `each` ends it. */
int authz_each_rule(const struct authz *z, const struct strategy_user *u, const char *ns,
		    int (*each)(void *arg, const struct rbac_rule *rule), void *arg);

/*
 * What RBAC asks of who writes its objects (kind of that group, c's user): a role may only give
 * what the writer holds, unless they may "escalate" it; a binding only what they hold, unless they
 * may "bind" the role; aggregation needs everything. old NULL: it is new. Other kinds: 0.
 */
int authz_guard(const struct authz *z, const struct strategy_user *u, const struct api_kind *kind,
		const struct doc *obj, const struct doc *old, struct arena *a,
		struct status_about *about, struct err *err);
