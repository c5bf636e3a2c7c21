/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of rbac.authorization.k8s.io/v1. */
#include "api/check-parts.h"

static const char *const rbac_group[] = { "rbac.authorization.k8s.io", NULL };

/* ---- Role, ClusterRole ---- */

static void check_rule(struct check *c, const struct path *p, const struct doc *rule)
{
	bool resources = part_full(rule, "apiGroups") || part_full(rule, "resources") ||
			 part_full(rule, "resourceNames");

	if (!part_full(rule, "verbs"))
		part_required(c, p, "verbs", "verbs must contain at least one value");
	if (part_full(rule, "nonResourceURLs")) {
		if (c->kind->namespaced)
			part_invalid(c, p, rule, "nonResourceURLs",
				     "namespaced rules cannot apply to non-resource URLs");
		if (resources)
			part_invalid(c, p, rule, "nonResourceURLs",
				     "rules cannot apply to both regular resources and "
				     "non-resource URLs");
		return;
	}
	if (!part_full(rule, "apiGroups"))
		part_required(c, p, "apiGroups",
			      "resource rules must supply at least one api group");
	if (!part_full(rule, "resources"))
		part_required(c, p, "resources",
			      "resource rules must supply at least one resource");
}

static void check_aggregation(struct check *c, const struct doc *obj)
{
	const struct path p = PATH(NULL, "aggregationRule"), at = PATH(&p, "clusterRoleSelectors");
	const struct doc *list = doc_find(obj, "aggregationRule.clusterRoleSelectors");

	if (!part_set(obj, "aggregationRule"))
		return;
	if (doc_len(list) == 0)
		check_required(c, &at,
			       "at least one clusterRoleSelector required if aggregationRule is "
			       "non-nil");
	for (size_t i = 0; i < doc_len(list); i++) {
		const struct path one = PATH_INDEX(&at, i);

		check_label_selector(c, &one, doc_at(list, i));
	}
}

static void check_role(struct check *c, const struct doc *obj, const char *sub)
{
	const struct path at = PATH(NULL, "rules");
	const struct doc *rules = doc_get(obj, "rules");

	(void)sub;
	for (size_t i = 0; i < doc_len(rules); i++) {
		const struct path one = PATH_INDEX(&at, i);

		check_rule(c, &one, doc_at(rules, i));
	}
	check_aggregation(c, obj);
}

/* ---- bindings ---- */

static void check_subject(struct check *c, const struct path *p, const struct doc *subject)
{
	static const char *const kinds[] = { "ServiceAccount", "User", "Group", NULL };
	static const char *const none[] = { "", NULL };
	const struct path group = PATH(p, "apiGroup");
	const struct doc *kind = doc_get(subject, "kind");

	if (!part_full(subject, "name"))
		part_required(c, p, "name", "");
	if (doc_str_is(kind, "ServiceAccount")) {
		part_optional(c, p, subject, "name", form_dns_subdomain);
		if (part_full(subject, "apiGroup"))
			check_unsupported(c, &group, doc_get(subject, "apiGroup"), none);
		if (!c->kind->namespaced && !part_full(subject, "namespace"))
			part_required(c, p, "namespace", "");
	} else if (doc_str_is(kind, "User") || doc_str_is(kind, "Group")) {
		if (!part_full(subject, "name"))
			part_invalid(c, p, subject, "name", "%s name cannot be empty",
				     doc_str_is(kind, "User") ? "user" : "group");
		part_one_of(c, p, subject, "apiGroup", rbac_group, false);
	} else {
		part_one_of(c, p, subject, "kind", kinds, false);
	}
}

static void check_binding(struct check *c, const struct doc *obj, const char *sub)
{
	static const char *const any[] = { "Role", "ClusterRole", NULL };
	const struct path ref = PATH(NULL, "roleRef"), at = PATH(NULL, "subjects");
	const struct doc *role = doc_get(obj, "roleRef"), *subjects = doc_get(obj, "subjects");

	(void)sub;
	part_one_of(c, &ref, role, "apiGroup", rbac_group, false);
	part_one_of(c, &ref, role, "kind", c->kind->namespaced ? any : any + 1, false);
	part_text(c, &ref, role, "name", form_path_segment);
	for (size_t i = 0; i < doc_len(subjects); i++) {
		const struct path one = PATH_INDEX(&at, i);

		check_subject(c, &one, doc_at(subjects, i));
	}
	if (c->old && !part_same(obj, c->old, "roleRef"))
		check_invalid(c, &ref, role, "cannot change roleRef");
}

const struct check_kind check_rbac[] = {
	{ "rbac.authorization.k8s.io", "Role", check_role, form_path_segment },
	{ "rbac.authorization.k8s.io", "ClusterRole", check_role, form_path_segment },
	{ "rbac.authorization.k8s.io", "RoleBinding", check_binding, form_path_segment },
	{ "rbac.authorization.k8s.io", "ClusterRoleBinding", check_binding, form_path_segment },
	{ NULL, NULL, NULL, NULL },
};
