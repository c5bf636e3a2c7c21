/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RBAC: roles and bindings as an index that answers "may this user do that, and by which binding".
 *
 * Subjects lead to their bindings (cluster-wide ones, and those of each namespace), a binding to
 * its role by name, whether that is there or not. Roles and bindings are put in and taken out one
 * by one (rbac_follow does so after the cache); each is one piece of memory, strings included.
 * Spec: rbac.authorization.k8s.io/v1; Kubernetes' RBAC documentation.
 */
#pragma once

#include "apiserver/auth/authz.h"
#include "base/cleanup.h"
#include "base/str.h"

#include <stdbool.h>

struct doc;
struct err;
struct loop;
struct rbac;
struct resources;

/* One rule; lists are NULL-terminated, NULL = none. */
struct rbac_rule {
	const char *const *verbs, *const *groups, *const *resources, *const *names, *const *paths;
};
bool rbac_rule_allows(const struct rbac_rule *rule, const struct authz_attrs *at);

struct rbac *rbac_new(void);
void rbac_free(struct rbac *r);
DEFINE_CLEANUP(struct rbac *, rbac_free)

/* A Role (its namespace in metadata) or ClusterRole; doc is copied. Replaces the one of that name.
 */
int rbac_set_role(struct rbac *r, const struct doc *role, struct err *err);
/* ns "" = a ClusterRole. */
void rbac_remove_role(struct rbac *r, struct slice ns, struct slice name);
/* A RoleBinding or ClusterRoleBinding. */
int rbac_set_binding(struct rbac *r, const struct doc *binding, struct err *err);
void rbac_remove_binding(struct rbac *r, struct slice ns, struct slice name);

/* Everything that is in the cache now, and its changes from then on, until rbac_free. */
int rbac_follow(struct rbac *r, struct resources *rs, struct err *err);

/* What allowed it; texts live until the role or binding changes. */
struct rbac_reason {
	bool cluster;		  /* a ClusterRoleBinding */
	const char *binding, *ns; /* ns "" with cluster */
	const char *role;
	bool cluster_role;
	const char *subject_kind, *subject; /* "Group", "system:masters" */
	const struct rbac_rule *rule;	    /* of the role */
};
/* ret_why may be NULL. */
bool rbac_allows(const struct rbac *r, const struct authz_attrs *at, struct rbac_reason *ret_why);
/* RBAC: allowed by ClusterRoleBinding "x" of ClusterRole "y" to Group "z" */
int rbac_print_reason(const struct rbac_reason *why, struct buf *out);

/* Every rule that holds for the user in a namespace ("": the cluster-wide ones alone); negative
 * from `each` ends it and is the result. */
int rbac_each_rule(const struct rbac *r, const struct strategy_user *u, const char *ns,
		   int (*each)(void *arg, const struct rbac_rule *rule), void *arg);

/* The same with what gives each of them. */
int rbac_each_grant(const struct rbac *r, const struct strategy_user *u, const char *ns,
		    int (*each)(void *arg, const struct rbac_reason *by), void *arg);
/* Every rule of every role, in no order of roles; ns "" = a ClusterRole. */
int rbac_each_role(const struct rbac *r,
		   int (*each)(void *arg, struct slice ns, const char *name,
			       const struct rbac_rule *rule),
		   void *arg);

/*
 * Escalation: does the user hold, in that namespace, all that these rules (an array of PolicyRule,
 * or NULL) would give? 0: yes; 1: no, and *ret_missing names it in upstream's form, in the arena.
 */
int rbac_covers(const struct rbac *r, const struct strategy_user *u, const char *ns,
		const struct doc *rules, struct arena *a, const char **ret_missing,
		struct err *err);
/* The rules of a role by reference, for a binding to it: NULL when there is no such role. */
const struct doc *rbac_role_rules(const struct rbac *r, bool cluster, const char *ns,
				  const char *name, struct arena *a);

struct rbac_stats {
	size_t roles, bindings, subjects;
};
struct rbac_stats rbac_get_stats(const struct rbac *r);
