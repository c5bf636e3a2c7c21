/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Match conditions of an authorization webhook: which questions it is asked at all. CEL over
 * `request`, the spec of a SubjectAccessReview of v1 with all of its texts and lists, even empty.
 * Spec: apiserver.config.k8s.io/v1, WebhookMatchCondition.
 */
#pragma once

#include "base/str.h"

struct arena;
struct authz_attrs;
struct authz_match;
struct doc;
struct err;

/* matchConditions (a list, or NULL), compiled; all is in the arena. *ret NULL: there are none.
 * -ERR_INVALID names the element ("matchConditions[0].expression: ..."). */
int authz_match_new(const struct doc *list, struct arena *a, const struct authz_match **ret,
		    struct err *err);
/* 1: it is asked; 0: one of them is false; -ERR_INVALID: none is, and one failed. m NULL: 1. */
int authz_match_run(const struct authz_match *m, const struct authz_attrs *at, struct err *err);
