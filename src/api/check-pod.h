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
void check_resource_quantity(struct check *c, const struct path *p, struct slice resource,
			     const struct doc *quantity);

/* ---- parts of a pod, a file each ---- */

/* check-schedule.c: v1.Affinity, taints of a node, topologySpreadConstraints. */
void check_affinity(struct check *c, const struct path *p, const struct doc *affinity);
void check_taints(struct check *c, const struct path *p, const struct doc *list);
void check_spreads(struct check *c, const struct path *p, const struct doc *list);
/* check-security.c: PodSecurityContext with what spec.os excludes; SecurityContext. */
void check_pod_security(struct check *c, const struct path *p, const struct doc *spec);
void check_security(struct check *c, const struct path *p, const struct doc *context,
		    bool host_users);
/* An id of a user or group. */
void check_id(struct check *c, const struct path *p, const struct doc *id);
/* Calls back for init, regular and ephemeral containers, in this order, with their paths. */
typedef void check_container_fn(struct check *c, const struct path *p, const struct doc *container,
				void *arg);
void check_each_container(struct check *c, const struct path *p, const struct doc *spec,
			  check_container_fn *fn, void *arg);
/* check-container.c: all lists of containers of a spec. */
void check_containers(struct check *c, const struct path *p, const struct doc *spec, unsigned opts);
/* check-resources.c: the pod's own resources; its overhead. */
void check_pod_resources(struct check *c, const struct path *p, const struct doc *spec);
/* A name of a resource: qualified, and a known one when it has no slash. */
bool check_resource_name(struct check *c, const struct path *p, struct slice name);
void check_container_resource_name(struct check *c, const struct path *p, struct slice name);
bool resource_is_counted(struct slice name); /* only whole numbers */
bool resource_is_overcommitted(struct slice name);
bool resource_is_quota(struct slice name); /* what a ResourceQuota may limit without a domain */
/* check-volume.c: the volumes of a pod; meta is NULL in templates. */
void check_volumes(struct check *c, const struct path *p, const struct doc *volumes,
		   const struct doc *meta, unsigned opts);
/* What a fieldRef, resourceFieldRef may say. */
void check_field_ref(struct check *c, const struct path *p, const struct doc *ref,
		     const char *const *fields);
void check_resource_ref(struct check *c, const struct path *p, const struct doc *ref,
			bool in_volume);
/* A path below a directory: relative and without "..". local: nor beginning with "..". */
void check_descending(struct check *c, const struct path *p, const struct doc *path);
void check_local(struct check *c, const struct path *p, const struct doc *path);
bool path_has_backstep(struct slice path);
extern const char *const check_pull_policies[];
extern const char *const check_protocols[];
