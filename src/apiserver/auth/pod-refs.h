/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a pod refers to: the objects that its node needs for it, each by kind and name, in the pod's
 * namespace. And the secrets of a persistent volume that nodes need to mount it.
 * Spec: core/v1 PodSpec, PersistentVolumeSpec.
 */
#pragma once

#include "base/str.h"

struct doc;

enum pod_ref {
	POD_REF_SECRET = 's',
	POD_REF_CONFIG_MAP = 'c',
	POD_REF_CLAIM = 'p',	      /* also of ephemeral volumes */
	POD_REF_RESOURCE_CLAIM = 'r', /* also those that were made for it */
	POD_REF_ACCOUNT = 'a',
	POD_REF_TRUST_BUNDLE = 'b', /* cluster-scoped */
};

/* Names are borrowed for the call; one may come more than once. */
void pod_refs_each(const struct doc *pod,
		   void (*each)(void *arg, enum pod_ref what, struct slice name), void *arg);
/* ns: where the secret is. */
void pod_refs_volume_secrets(const struct doc *volume,
			     void (*each)(void *arg, struct slice ns, struct slice name),
			     void *arg);
