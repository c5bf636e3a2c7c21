/* SPDX-License-Identifier: Apache-2.0 */
/* Private to check-*.c: annotations of pods and of their templates. */
#pragma once

#include "api/check-pod.h"

/* p: of the annotations. */
void check_pod_annotations(struct check *c, const struct path *p, const struct doc *annotations,
			   const struct doc *spec);
void check_annotation_updates(struct check *c, const struct path *p, const struct doc *now,
			      const struct doc *old);
/* Of new ones: profiles that are told by an annotation and a field are the same. p: the spec. */
void check_profiles_match(struct check *c, const struct path *p, const struct doc *annotations,
			  const struct doc *spec);
/* Does the pod stand for one that a node made of a file? */
bool pod_is_mirror(const struct doc *pod);
