/* SPDX-License-Identifier: Apache-2.0 */
/* Private to the rules of core/v1: a file a kind or family, its functions as rows of check_core. */
#pragma once

#include "api/check-pod.h"

check_kind_fn check_claim, check_persistent_volume; /* check-claim.c, check-persistent.c */
check_kind_fn check_service, check_endpoints;	    /* check-service.c, check-endpoints.c */
check_kind_fn check_node;			    /* check-node.c */
check_kind_fn check_quota, check_limit_range;	    /* check-quota.c */
check_kind_fn check_event;			    /* check-event.c: of both groups */
check_kind_fn check_pod, check_binding;		    /* check-pod-update.c */

/* ---- parts that several share ---- */

extern const char *const check_volume_modes[];
void check_access_modes(struct check *c, const struct path *p, const struct doc *modes);
/* A quantity above zero. */
void check_positive(struct check *c, const struct path *p, const struct doc *quantity);
/* An address that is no loopback, link-local or unspecified one. */
void check_usable_ip(struct check *c, const struct path *p, const struct doc *ip);
bool ip_is_v6(struct slice address);
/* At most one address or network of each family, and none twice: of pods, nodes. Elements are
 * texts, or objects with the text in `field`. what: "IP", "CIDR". */
void check_families(struct check *c, const struct path *p, const struct doc *list,
		    const char *field, const char *what);
