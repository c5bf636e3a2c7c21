/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to the server: a request as webhooks and admission policies see it, and taking over what
 * they made of its object. Documents are of the call's work arena.
 */
#pragma once

#include "apiserver/admission/admission-review.h"
#include "apiserver/rest/rest-hooks.h"

#define HOOK_WHO_MAX 300

/* Not to be moved: the review has pointers into it. */
struct hook_view {
	const struct resource *as; /* in whose version */
	struct doc obj, old;
	struct review review; /* uid is the caller's to set */
};
/* hidden: what a new object gets only when it is stored is not seen yet. */
int hook_view(const struct hook_ask *k, const struct resource *as, bool hidden,
	      struct hook_view *ret, struct err *err);
/* k->obj becomes `to`: the object of the view, changed. who: "admission webhook \"x\"", of errors;
 * what nobody may change stays. */
int hook_view_take(struct hook_ask *k, const struct hook_view *v, const struct doc *to,
		   const char *who, bool *ret_changed, struct err *err);
/* As above; fields that the kind does not have are refused. */
int hook_view_take_strictly(struct hook_ask *k, const struct hook_view *v, const struct doc *to,
			    const char *who, bool *ret_changed, struct err *err);
