/* SPDX-License-Identifier: Apache-2.0 */
/* Private to check-*.c: what the checks of one container look at beside it. */
#pragma once

#include "api/check-pod.h"

struct map;

struct pod {
	struct map *names; /* of the containers so far */
	const struct doc *spec;
	bool host_users; /* the host's users are the pod's, as by default */
	bool never;	 /* restartPolicy Never */
	unsigned opts;
};

/* The volume of this name, or NULL. */
const struct doc *pod_volume(const struct pod *pod, const struct doc *name);

/* check-env.c */
void check_env(struct check *c, const struct path *p, const struct doc *list,
	       const struct pod *pod);
void check_env_from(struct check *c, const struct path *p, const struct doc *list);
/* check-mount.c: a container's volumeMounts and volumeDevices. */
void check_mounts(struct check *c, const struct path *p, const struct doc *container,
		  const struct pod *pod);
/* check-probe.c: livenessProbe, readinessProbe, startupProbe, lifecycle. */
void check_probes(struct check *c, const struct path *p, const struct doc *container,
		  const struct pod *pod);
