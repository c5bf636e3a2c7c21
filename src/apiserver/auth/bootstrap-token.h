/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bootstrap tokens: "ID.SECRET" of a Secret bootstrap-token-ID in kube-system, with which a new
 * node first speaks. Who shows one is system:bootstrap:ID, of group system:bootstrappers and those
 * that the Secret adds. Spec: Kubernetes' documentation, "Authenticating with Bootstrap Tokens".
 */
#pragma once

#include "apiserver/strategy/strategy.h"
#include "base/str.h"

struct arena;
struct err;
struct resources;

/* now: seconds since 1970. 1: *ret, in `a`; 0: no such token, or not any more. -ERR_QUOTA. */
int bootstrap_token_check(const struct resources *rs, struct slice token, int64_t now,
			  struct arena *a, struct strategy_user *ret, struct err *err);
