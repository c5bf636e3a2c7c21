/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON Patch (RFC 6902) and JSON Merge Patch (RFC 7396). Neither changes its inputs: *ret is a new
 * tree in the arena with nodes of its own, so it may be changed freely; its strings and numbers
 * stay borrowed, so document and patch must outlive it. A failed patch has no effect.
 */
#pragma once

#include "doc/doc.h"

#define PATCH_OPS_MAX 10000
#define PATCH_COPY_MAX (3u << 20)
#define PATCH_WORK_MAX (64u << 20) /* children looked at or moved by all operations together */

/* Zero = the default above. */
struct patch_limits {
	size_t max_ops;
	size_t max_copy; /* bytes of nodes and strings that all "copy" operations together may add
			  */
};

/*
 * Applies an array of operations. Fails with BAD_REQUEST (a malformed patch: shape, unknown op,
 * pointer form), INVALID (path or from not there, index past the end, a move into itself), CONFLICT
 * (a "test" that does not hold), TOO_LARGE (limits) or QUOTA (arena). Messages begin "operation 3
 * (replace '/spec/x'): ".
 */
int patch_apply(struct arena *a, const struct doc *target, const struct doc *patch,
		const struct patch_limits *limits, struct doc **ret, struct err *err);

/* Merge patch: null removes, objects merge, all else replaces. Fails with QUOTA only. `target` may
 * be NULL (absent). */
int patch_merge(struct arena *a, const struct doc *target, const struct doc *patch,
		struct doc **ret, struct err *err);

/* The merge patch that turns `from` into `to` ("to" must hold no null members: a merge patch cannot
 * set them; such members are left out). Fails with QUOTA only. */
int patch_merge_diff(struct arena *a, const struct doc *from, const struct doc *to,
		     struct doc **ret, struct err *err);
