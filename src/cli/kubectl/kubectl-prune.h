/* SPDX-License-Identifier: Apache-2.0 */
/* Private to kubectl's apply and diff: what --prune deletes. */
#pragma once

#include "cli/kubectl/kubectl.h"

struct kubectl_prune {
	struct kubectl *k;
	const struct kubectl_items *applied; /* what files have: it stays */
	const char *selector;		     /* NULL = all */
	const struct opt_list *allow;	     /* "GROUP/VERSION/KIND"; empty = kubectl's list */
};
/* Objects of these kinds, in the namespaces of what was applied, that apply once made and no file
 * has. */
int kubectl_prune_find(const struct kubectl_prune *p, struct kubectl_items *ret, struct err *err);
/* The list of kinds alone: it is well formed, and the server has them. */
int kubectl_prune_check(const struct kubectl_prune *p, struct err *err);
/* Only those objects of files that have these labels; text NULL = all. -ERR_BAD_REQUEST. */
int kubectl_select(struct kubectl *k, const char *text, struct kubectl_items *items,
		   struct err *err);
