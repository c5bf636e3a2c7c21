/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Acting as somebody else: the headers Impersonate-User, -Uid, -Group (several) and -Extra-KEY.
 * Each thing that they name has to be allowed to who really asks, by the verb "impersonate".
 * Spec: Kubernetes' documentation of authentication, "User impersonation".
 */
#pragma once

#include "apiserver/strategy.h"

struct arena;
struct authz;
struct err;
struct status_about;
struct stream;

/*
 * 1: *ret is whom to act as, its texts in `a`; 0: nobody is asked for; -ERR_BAD_REQUEST: groups or
 * others without a user; -ERR_FORBIDDEN, told of what is not allowed; -ERR_QUOTA.
 */
int impersonate(struct stream *s, const struct authz *z, const struct strategy_user *asker,
		struct arena *a, struct strategy_user *ret, struct status_about *about,
		struct err *err);
