/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to src/api/check-*.c: the rules of pods and of what holds a pod's template.
 *
 * Every list of values (enum) below PodSpec is checked here and not by check_enums: upstream tells
 * some at other paths and in other orders than the tables have.
 */
#pragma once

#include "api/check.h"

enum {
	POD_IS_POD = 1 << 0,  /* a Pod itself, not the template of another kind */
	POD_RESTARTS = 1 << 1 /* templates: restartPolicy Always only, no activeDeadlineSeconds */
};

/* meta.PodTemplateSpec: labels, annotations, spec; no ephemeral containers. */
void check_pod_template(struct check *c, const struct path *p, const struct doc *template,
			unsigned opts);
/* A v1.PodSpec; meta: the pod's metadata, of a template too, or NULL. */
void check_pod_spec(struct check *c, const struct path *p, const struct doc *spec,
		    const struct doc *meta, unsigned opts);

/* ---- parts that other kinds have too ---- */

/* v1.PersistentVolumeClaimSpec, v1.PersistentVolumeClaimTemplate (ephemeral volumes). */
void check_claim_spec(struct check *c, const struct path *p, const struct doc *spec);
void check_claim_template(struct check *c, const struct path *p, const struct doc *template);
/* v1.PersistentVolumeSpec; name: of the volume. in_attachment: within a VolumeAttachment. */
void check_volume_spec(struct check *c, const struct path *p, const struct doc *spec,
		       struct slice name, bool in_attachment);
/* v1.NodeSelector; v1.TopologySelectorTerm list; v1.Toleration list. */
void check_node_selector(struct check *c, const struct path *p, const struct doc *selector);
void check_topology_terms(struct check *c, const struct path *p, const struct doc *terms);
void check_tolerations(struct check *c, const struct path *p, const struct doc *list);
/* v1.ResourceRequirements; claims: the pod's resourceClaims, or NULL. */
void check_resources(struct check *c, const struct path *p, const struct doc *requirements,
		     const struct doc *claims);
/* A quantity of a resource: not negative, whole where the resource is counted. */
void check_resource_quantity(struct check *c, const struct path *p, const char *resource,
			     const struct doc *quantity);
