/* SPDX-License-Identifier: Apache-2.0 */
/* Default roles and bindings: they are well formed, give what they must and no more, and come back.
 */
#include "../doc/doc-check.h"

#include "api/api.h"
#include "api/check.h"
#include "api/object.h"
#include "apiserver/auth/rbac-defaults.h"
#include "apiserver/auth/rbac.h"
#include "doc/json.h"

static const char *const kinds[] = { "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding" };

static struct doc at(struct arena *a, size_t i, enum rbac_default_kind *ret)
{
	struct err err = ERR_INIT;
	struct doc d;

	if (rbac_default(i, a, ret, &d, &err) < 0)
		fail_msg("%s", err.msg);
	return d;
}

static void each_is_a_valid_object_of_its_kind(void **state)
{
	struct arena *a = arena_new("test", 64u << 20);
	struct err err = ERR_INIT;
	struct api api;

	(void)state;
	assert_int_equal(api_load(a, &api, &err), 0);
	for (size_t i = 0; i < rbac_defaults_count(); i++) {
		struct api_strays strays = { 0 };
		enum rbac_default_kind kind;
		struct doc d = at(a, i, &kind), canonical;
		const struct api_kind *k =
			api_kind(&api, "rbac.authorization.k8s.io/v1", kinds[kind]);

		assert_true(doc_str_is(doc_get(&d, "kind"), kinds[kind]));
		assert_int_equal(api_admit(k->type, &d, a, 0, &strays, &canonical, &err), 0);
		assert_int_equal(strays.n, 0);
		doc_set_str(a, doc_get(&canonical, "metadata"), "uid", "u");
		doc_set_str(a, doc_get(&canonical, "metadata"), "creationTimestamp",
			    "2026-01-01T00:00:00Z");
		if (api_check(&api, k, "", &canonical, NULL, a, &err) < 0)
			fail_msg("%s", err.msg);
	}
	api_fini(&api);
	arena_free(a);
}

static struct rbac *all(struct arena *a)
{
	struct rbac *r = rbac_new();
	struct err err = ERR_INIT;

	for (size_t i = 0; i < rbac_defaults_count(); i++) {
		enum rbac_default_kind kind;
		struct doc d = at(a, i, &kind);
		bool role = kind == RBAC_ROLE || kind == RBAC_CLUSTER_ROLE;

		assert_int_equal(role ? rbac_set_role(r, &d, &err) : rbac_set_binding(r, &d, &err),
				 0);
	}
	return r;
}

static bool may(struct rbac *r, const char *user, const char *const *groups, const char *verb,
		const char *group, const char *resource, const char *sub, const char *ns,
		const char *name)
{
	const struct strategy_user u = { .name = user, .uid = "", .groups = groups };
	const struct authz_attrs q = { .user = &u,
				       .verb = verb,
				       .resource_request = *resource,
				       .group = group,
				       .version = "v1",
				       .resource = resource,
				       .sub = sub,
				       .name = name,
				       .ns = ns,
				       .path = *resource ? "" : name };

	return rbac_allows(r, &q, NULL);
}

static void they_give_what_they_must_and_no_more(void **state)
{
	static const char *const masters[] = { "system:masters", NULL },
				 *const in[] = { "system:authenticated", NULL },
				 *const out[] = { "system:unauthenticated", NULL };
	struct arena *a = arena_new("test", 64u << 20);
	struct rbac *r = all(a);

	(void)state;
	assert_true(may(r, "root", masters, "delete", "any.io", "things", "scale", "n", "x"));
	assert_true(may(r, "root", masters, "post", "", "", "", "", "/any/path"));
	assert_true(may(r, "jo", in, "get", "", "", "", "", "/apis/apps/v1"));
	assert_true(may(r, "jo", in, "create", "authorization.k8s.io", "selfsubjectaccessreviews",
			"", "", ""));
	assert_false(may(r, "jo", in, "get", "", "pods", "", "n", "p"));
	assert_false(may(r, "jo", in, "get", "", "", "", "", "/metrics"));
	assert_true(may(r, "system:anonymous", out, "get", "", "", "", "", "/livez"));
	assert_false(may(r, "system:anonymous", out, "get", "", "", "", "", "/apis"));
	assert_true(may(r, "system:kube-scheduler", in, "create", "", "pods", "binding", "n", "p"));
	assert_true(may(r, "system:kube-scheduler", in, "update", "coordination.k8s.io", "leases",
			"", "kube-system", "kube-scheduler"));
	assert_false(may(r, "system:kube-scheduler", in, "update", "coordination.k8s.io", "leases",
			 "", "default", "other"));
	assert_false(may(r, "system:kube-scheduler", in, "get", "", "secrets", "", "n", "s"));
	assert_true(may(r, "system:kube-controller-manager", in, "watch", "apps", "deployments", "",
			"", ""));
	assert_true(may(r, "system:serviceaccount:kube-system:replicaset-controller", in, "create",
			"", "pods", "", "n", ""));
	assert_true(may(r, "system:serviceaccount:kube-system:disruption-controller", in, "get",
			"any.io", "things", "scale", "n", "x"));
	assert_false(may(r, "system:serviceaccount:default:replicaset-controller", in, "create", "",
			 "pods", "", "n", ""));
	assert_true(may(r, "system:kube-proxy", in, "watch", "discovery.k8s.io", "endpointslices",
			"", "", ""));
	/* system:node has no subjects: what nodes may is the Node authorizer's. */
	assert_false(may(r, "system:node:x", in, "get", "", "secrets", "", "n", "s"));
	rbac_free(r);
	arena_free(a);
}

static void they_come_back_but_what_was_added_stays(void **state)
{
	struct arena *a = arena_new("test", 16u << 20);

	(void)state;
	for (size_t i = 0; i < rbac_defaults_count(); i++) {
		enum rbac_default_kind kind;
		struct doc want = at(a, i, &kind), have = at(a, i, &kind);
		size_t n = doc_len(doc_get(&have, "rules"));

		assert_int_equal(rbac_default_reconcile(&want, &have, a), 0);
		doc_set_str(a, doc_find(&have, "metadata.labels"), "mine", "1");
		if (n) {
			doc_set_str(a, doc_append_object(a, doc_get(&have, "rules")), "own",
				    "rule");
			assert_int_equal(rbac_default_reconcile(&want, &have, a), 0);
			assert_true(doc_remove_at(doc_get(&have, "rules"), 0));
			assert_int_equal(rbac_default_reconcile(&want, &have, a), 1);
			assert_int_equal(doc_len(doc_get(&have, "rules")), n + 1);
			doc_remove(&have, "rules");
			doc_set_str(a, doc_find(&have, "metadata.annotations"),
				    "rbac.authorization.kubernetes.io/autoupdate", "false");
			assert_int_equal(rbac_default_reconcile(&want, &have, a), 0);
		} else if (doc_get(&have, "roleRef")) {
			doc_remove(&have, "subjects");
			assert_int_equal(rbac_default_reconcile(&want, &have, a),
					 doc_get(&want, "subjects") != NULL);
			doc_set_str(a, doc_get(&have, "roleRef"), "name", "other");
			assert_int_equal(rbac_default_reconcile(&want, &have, a), 2);
		}
		assert_true(doc_str_is(doc_find(&have, "metadata.labels.mine"), "1"));
	}
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_is_a_valid_object_of_its_kind),
		cmocka_unit_test(they_give_what_they_must_and_no_more),
		cmocka_unit_test(they_come_back_but_what_was_added_stays),
	};

	return cmocka_run_group_tests_name("rbac-defaults", tests, NULL, NULL);
}
