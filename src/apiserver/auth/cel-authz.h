/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The `authorizer` of CEL expressions: what they ask is asked of this server's authorizers, for the
 * user of the request.
 *
 * An authorizer elsewhere is not waited for within an expression. Its question is left open at the
 * user's memo (authz.h), the check fails, and the result says nothing: whoever runs the expression
 * looks at cel_authz_waits, waits (call_asks) and runs it again.
 * Spec: Kubernetes 1.36, "CEL in Kubernetes", authorizer library.
 */
#pragma once

#include "expr/cel.h"

struct arena;
struct authz;
struct strategy_user;

/* All is borrowed for as long as its values are used. */
struct cel_authz {
	const struct authz *authz; /* NULL: nobody may do anything but what all may */
	const struct strategy_user *user;
	struct cel_authorizer of; /* private */
};
/* Forgets a question that somebody left open before. */
void cel_authz_init(struct cel_authz *z, const struct authz *authz,
		    const struct strategy_user *user);

/* `authorizer`, and `authorizer.requestResource`: of the group, resource, subresource, namespace
 * and name in `request`. Null past the arena's maximum. */
struct cel_value cel_authz_value(const struct cel_authz *z, struct arena *a);
struct cel_value cel_authz_request(const struct cel_authz *z, const struct cel_check *request,
				   struct arena *a);

/* What ran since cel_authz_init has to run again when the open question was answered. */
bool cel_authz_waits(const struct cel_authz *z);
