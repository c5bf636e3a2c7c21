/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strategic merge patch: a patch in the shape of the object, merged by what the tables say of each
 * list. Directives: "$patch": merge|replace|delete in an object or an element, "$retainKeys",
 * "$deleteFromPrimitiveList/<field>", "$setElementOrder/<field>"; null removes a member.
 *
 * Spec: Kubernetes' strategic merge patch (apimachinery, community design document).
 */
#pragma once

struct api_type;
struct arena;
struct doc;
struct err;

/*
 * *ret is `obj` merged with `patch`, in `a`; shares nodes with both, which are not to be changed
 * after. -ERR_BAD_REQUEST: a directive or an element without its merge key that makes no sense.
 */
int api_merge(const struct api_type *t, const struct doc *obj, const struct doc *patch,
	      struct arena *a, struct doc *ret, struct err *err);

/*
 * The patch that turns `live` into what `now` says, and removes what `last` said and `now` does not
 * (both as their owner wrote them; last NULL = nothing was said). What neither says stays. An empty
 * object: there is nothing to change. Without a type lists are replaced whole: a JSON merge patch.
 * *ret shares nodes with all three. -ERR_BAD_REQUEST: an element without its merge key.
 */
int api_merge_diff(const struct api_type *t, const struct doc *last, const struct doc *now,
		   const struct doc *live, struct arena *a, struct doc *ret, struct err *err);
