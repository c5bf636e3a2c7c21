/* SPDX-License-Identifier: Apache-2.0 */
/* Private to check-*.c: one volume while it is checked, and the sources that hold others. */
#pragma once

#include "api/check-pod.h"

struct volume {
	const struct path *at;	/* the volume in a list, or the spec of a PersistentVolume */
	struct slice name;	/* the volume's */
	const struct doc *meta; /* the pod's metadata, when there is a pod */
	const struct doc *spec; /* the PersistentVolume's spec */
	bool persistent;	/* a PersistentVolume's */
	unsigned opts;		/* POD_IS_POD */
};

/* Exactly one source, and its rules. */
void check_source(struct check *c, const struct doc *obj, const struct volume *v);
/* Is this member of a volume a source? */
bool volume_is_source(struct slice field);

/* Bits of a file, 0 to 0777; a KeyToPath. */
void check_mode(struct check *c, const struct path *p, const struct doc *obj, const char *field);
void check_key_to_path(struct check *c, const struct path *p, const struct doc *item);

/* check-projected.c */
void check_downward(struct check *c, const struct path *p, const struct doc *source,
		    const struct volume *v);
void check_projected(struct check *c, const struct path *p, const struct doc *source,
		     const struct volume *v);
