/* SPDX-License-Identifier: Apache-2.0 */
/* Private to RBAC: what the index is made of. */
#pragma once

#include "apiserver/auth/rbac.h"
#include "base/list.h"
#include "base/map.h"

/* A role by name; there without rules as long as bindings refer to it. */
struct rbac_role {
	char *key; /* "NS/NAME", "/NAME" */
	const char *name;
	bool cluster;
	struct rbac_rules *rules; /* NULL: no such role */
	unsigned bindings;
};

/* Rules and all their texts, one piece. */
struct rbac_rules {
	size_t n;
	struct rbac_rule v[];
};

struct rbac_subject;

struct rbac_link { /* of a binding to one of its subjects */
	struct rbac_binding *binding;
	struct rbac_subject *subject;
	size_t at; /* in the subject's list */
};

struct rbac_binding {
	char *key; /* "NS/NAME", "/NAME" */
	const char *name;
	char *ns;
	struct rbac_role *role;
	struct rbac_link *links;
	size_t n;
};

/* "NS/uNAME", "NS/gNAME"; NS is empty for cluster-wide bindings. */
struct rbac_subject {
	char *key;
	const char *name;
	struct rbac_link **links;
	size_t n, cap;
};

struct rbac {
	struct map roles, bindings, subjects;
	struct rbac_follow *follow;
};

void rbac_follow_free(struct rbac_follow *f); /* NULL is fine */
bool rbac_list_has(const char *const *list, const char *s);
bool rbac_path_in(const char *const *list, const char *path);
/* A resource of a rule's list: "pods", "pods/log", star, star and "/scale". */
bool rbac_resource_in(const char *const *list, const char *resource, const char *sub);
