/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Acting as somebody else: the headers Impersonate-User, -Uid, -Group (several) and -Extra-KEY.
 *
 * Each thing that they name has to be allowed to who really asks, in one of five modes, tried in
 * this order. Four are constrained: what is named is allowed by "impersonate:MODE" and what is then
 * done by "impersonate-on:MODE:VERB", so that somebody may, say, list pods as a node and no more.
 *
 *	associated-node	an account bound to a node, as that node
 *	arbitrary-node	as any node
 *	serviceaccount	as a service account
 *	user-info	as anybody else; never as one of system:masters
 *	(legacy)	as anybody, for anything, by "impersonate"
 *
 * Spec: Kubernetes' documentation of authentication, "User impersonation"; KEP-5284.
 */
#pragma once

#include "apiserver/strategy/strategy.h"

struct arena;
struct authz;
struct authz_attrs;
struct err;
struct status_about;
struct stream;

struct impersonation {
	struct strategy_user user;
	const char *constraint; /* "impersonate:user-info"; NULL: legacy */
};

bool impersonate_asked(struct stream *s); /* is there any such header? */
/*
 * 1: *ret is whom to act as, its texts in `a`; 0: nobody is asked for; -ERR_BAD_REQUEST: groups or
 * others without a user; -ERR_FORBIDDEN, told of what is not allowed in the first mode that fits;
 * -ERR_QUOTA. request: what is to be done, its user who really asks.
 */
int impersonate(struct stream *s, const struct authz *z, const struct authz_attrs *request,
		struct arena *a, struct impersonation *ret, struct status_about *about,
		struct err *err);
