/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who keeps a claim, a volume or a volume attributes class from going: each has a finalizer from
 * its creation on, which is taken away when it is to be deleted and nobody uses it any more.
 *
 * Decisions over documents, for whoever follows the objects; no state.
 * Spec: Kubernetes' "Storage Object in Use Protection"; facts of its controllers pvc-protection,
 * pv-protection and vac-protection.
 */
#pragma once

#include "base/str.h"

#include <stdbool.h>

struct doc;

enum protected_kind { PROTECTED_CLAIM, PROTECTED_VOLUME, PROTECTED_CLASS };

/* "kubernetes.io/pvc-protection" */
const char *volume_protect_finalizer(enum protected_kind k);
bool volume_protect_has(enum protected_kind k, const struct doc *obj);

enum protect_step {
	PROTECT_NOTHING,
	PROTECT_ADD,	 /* it lives, and has no finalizer: it is older than the protection */
	PROTECT_RELEASE, /* it is to be deleted: the finalizer goes when it is not in use */
};
enum protect_step volume_protect_step(enum protected_kind k, const struct doc *obj);

/*
 * Does a pod of the claim's namespace use it? One without a node does not: its node would not start
 * it with a claim that goes. One that has ended does, as long as it is there; but not by a claim
 * that was made for it alone once its containers are gone.
 */
bool volume_protect_pod_uses(const struct doc *pod, const struct doc *claim);
/* Every claim that a pod names, in its namespace; also those made for it. Borrowed for the call. */
void volume_protect_claims(const struct doc *pod, void (*each)(void *arg, struct slice name),
			   void *arg);
bool volume_protect_is_bound(const struct doc *volume);
/* obj: a claim or a volume. */
bool volume_protect_names_class(const struct doc *obj, struct slice class_name);
