/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Published ways to rights that somebody does not have, by their numbers; and who may act as whom,
 * against a plain reference. (More: test-connect.c, test-webhook.c, test-admission-rights.c,
 * test-authz-walk.c.)
 */
#include "authz-fix.h"

#define RBAC "/apis/rbac.authorization.k8s.io/v1"
#define CORE "/api/v1/namespaces/n1"
#define WHO "/apis/authentication.k8s.io/v1/selfsubjectreviews"

static void must_make(struct zfix *z, const char *path, const char *body)
{
	assert_may(z, "admin", "POST", path, body, 201);
}

#define SUBJECT "'subjects':[{'kind':'User','name':'plain'}]}"

/* A role of n1 that gives everything there, to plain. */
static void give_all_of_n1(struct zfix *z)
{
	must_make(z, RBAC "/namespaces/n1/roles",
		  "{'metadata':{'name':'all'},'rules':[{'apiGroups':['*'],'resources':['*'],"
		  "'verbs':['*']}]}");
	must_make(z, RBAC "/namespaces/n1/rolebindings",
		  "{'metadata':{'name':'all'},'roleRef':{'apiGroup':'rbac.authorization.k8s.io',"
		  "'kind':'Role','name':'all'}," SUBJECT);
}

static void cve_2019_11247_what_is_of_the_cluster_is_in_no_namespace(void **state)
{
	static const char *const paths[] = {
		RBAC "/namespaces/n1/clusterroles",
		RBAC "/namespaces/n1/clusterroles/cluster-admin",
		"/api/v1/namespaces/n1/nodes",
		"/api/v1/namespaces/n1/persistentvolumes/x",
		"/apis/apiextensions.k8s.io/v1/namespaces/n1/customresourcedefinitions",
	};
	struct zfix *z = *state;

	give_all_of_n1(z);
	assert_may(z, "plain", "GET", CORE "/secrets", NULL, 200);
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		assert_may(z, "plain", "GET", paths[i], NULL, 404);
		assert_hasnt(z->x, "items");
	}
	assert_may(z, "plain", "POST", RBAC "/namespaces/n1/clusterroles",
		   "{'metadata':{'name':'mine'},'rules':[{'apiGroups':['*'],'resources':['*'],"
		   "'verbs':['*']}]}",
		   404);
	assert_may(z, "plain", "DELETE", RBAC "/namespaces/n1/clusterroles/cluster-admin", NULL,
		   404);
	assert_may(z, "admin", "GET", RBAC "/clusterroles/mine", NULL, 404);
}

/* Lists of one namespace never show another's, however its name is written. */
static void cve_2022_3162_paths_end_where_they_say(void **state)
{
	static const char *const paths[] = {
		"/api/v1/namespaces/n1%2f..%2fn2/secrets",
		"/api/v1/namespaces/../n2/secrets",
		"/api/v1/namespaces/n1%00/secrets",
		"/api/v1/namespaces/n1/secrets/..%2f..%2fn2",
		"/api/v1/namespaces/n1/secrets%2f..",
		"/api/v1/namespaces//secrets",
		"/api/v1/namespaces/n/secrets",
	};
	struct zfix *z = *state;

	give_all_of_n1(z);
	make_namespace(z->x, "n2");
	make_namespace(z->x, "n11"); /* begins as the other does */
	must_make(z, "/api/v1/namespaces/n2/secrets",
		  "{'apiVersion':'v1','kind':'Secret','metadata':{'name':'theirs'}}");
	must_make(z, "/api/v1/namespaces/n11/secrets",
		  "{'apiVersion':'v1','kind':'Secret','metadata':{'name':'theirs'}}");
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		const int code = zask(z, "plain", "GET", paths[i], NULL);

		if (code == 200 || strstr(buf_str(&z->x->body), "theirs"))
			fail_msg("%s: %d %s", paths[i], code, buf_str(&z->x->body));
	}
	assert_may(z, "plain", "GET", CORE "/secrets", NULL, 200);
	assert_hasnt(z->x, "theirs");
}

static void node_at_work(struct zfix *z, char *uid, size_t n)
{
	must_make(z, "/api/v1/nodes", "{'apiVersion':'v1','kind':'Node','metadata':{'name':'n1'}}");
	snprintf(uid, n, "%s", answer_text(z->x, "metadata.uid"));
}

/* A node's own pods name nothing that it may read because of them. */
static void cve_2025_4563_mirror_pods_claim_no_devices(void **state)
{
	static const char *const specs[] = {
		",'resourceClaims':[{'name':'c','resourceClaimName':'theirs'}]",
		",'resourceClaims':[{'name':'c','resourceClaimTemplateName':'theirs'}]",
		",'volumes':[{'name':'v','secret':{'secretName':'theirs'}}]",
		",'serviceAccountName':'default'",
	};
	struct zfix *z = *state;
	char uid[64], body[1024];

	node_at_work(z, uid, sizeof(uid));
	for (size_t i = 0; i <= ARRAY_LEN(specs); i++) {
		snprintf(body, sizeof(body),
			 "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'p','annotations':{"
			 "'kubernetes.io/"
			 "config.mirror':'h'},'ownerReferences':[{'apiVersion':'v1','kind'"
			 ":'Node','name':'n1','uid':'%s','controller':true}]},'spec':{'nodeName':'"
			 "n1',"
			 "'containers':[{'name':'c','image':'i'}]%s}}",
			 uid, i < ARRAY_LEN(specs) ? specs[i] : "");
		assert_may(z, "n1", "POST", CORE "/pods", body, i < ARRAY_LEN(specs) ? 403 : 201);
	}
	/* nor when it is there: by its status */
	(void)zask(
		z, "n1", "PATCH", CORE "/pods/p/status",
		"{'status':{'resourceClaimStatuses':[{'name':'c','resourceClaimName':'theirs'}]}}");
	assert_may(z, "n1", "GET", "/apis/resource.k8s.io/v1/namespaces/n1/resourceclaims/theirs",
		   NULL, 403);
}

/* With an owner that is not there, the collector would remove the node for it. */
static void cve_2025_5187_a_node_gives_itself_no_owner(void **state)
{
	static const char patch[] = "{'metadata':{'ownerReferences':[{'apiVersion':'v1','kind':"
				    "'ConfigMap','name':'gone','uid':'x'}]}}";
	struct zfix *z = *state;
	char uid[64];

	node_at_work(z, uid, sizeof(uid));
	assert_may(z, "n1", "PATCH", "/api/v1/nodes/n1", patch, 403);
	assert_has(z->x, "ownerReferences");
	(void)zask(z, "n1", "PATCH", "/api/v1/nodes/n1/status", patch);
	assert_may(z, "n1", "DELETE", "/api/v1/nodes/n1", NULL, 403);
	assert_may(z, "admin", "GET", "/api/v1/nodes/n1", NULL, 200);
	assert_hasnt(z->x, "ownerReferences");
}

/* ---- who may act as whom ---- */

static const char *const modes[] = { "user-info", "serviceaccount", "arbitrary-node", NULL };
static const char *const users[] = { "jo", "system:admin", "system:serviceaccount:n1:bot",
				     "system:node:w1" };
static const char *const groups[] = { NULL, "ops", "system:masters" };

/* What plain was given: as whom (by mode, user and group), and to do it (by mode). */
struct grants {
	bool user[4][4], group[4][3], on[4];
};

/* "jo", "bot", "w1" as rules name them. */
static const char *last_part(const char *user)
{
	const char *colon = strncmp(user, "system:serviceaccount:", 22) == 0 ||
					    strncmp(user, "system:node:", 12) == 0
				    ? strrchr(user, ':')
				    : NULL;

	return colon ? colon + 1 : user;
}

static const char *resource_of(unsigned mode, unsigned user)
{
	if (user == 2)
		return "serviceaccounts";
	return user == 3 && modes[mode] ? "nodes" : "users";
}

static void add_rule(struct buf *b, unsigned mode, const char *verb, const char *resource,
		     const char *name)
{
	(void)buf_addf(b, "%s{'apiGroups':['%s'],'resources':['%s'],'verbs':['%s%s%s']%s%s%s}",
		       b->n ? "," : "", modes[mode] ? "authentication.k8s.io" : "", resource, verb,
		       modes[mode] ? ":" : "", modes[mode] ? modes[mode] : "",
		       name ? ",'resourceNames':['" : "", name ? name : "", name ? "']" : "");
}

static void set_rules(struct zfix *z, const struct grants *g)
{
	struct buf rules = BUF_INIT(65536), body = BUF_INIT(65536);

	for (unsigned m = 0; m < 4; m++) {
		for (unsigned u = 0; u < ARRAY_LEN(users); u++)
			if (g->user[m][u])
				add_rule(&rules, m, "impersonate", resource_of(m, u),
					 u == 3 && !modes[m] ? users[u] : last_part(users[u]));
		for (unsigned i = 1; i < ARRAY_LEN(groups); i++)
			if (g->group[m][i])
				add_rule(&rules, m, "impersonate", "groups", groups[i]);
		if (g->on[m] && modes[m])
			(void)buf_addf(
				&rules,
				"%s{'apiGroups':['authentication.k8s.io'],'resources':["
				"'selfsubjectreviews'],'verbs':['impersonate-on:%s:create']}",
				rules.n ? "," : "", modes[m]);
	}
	(void)buf_addf(&body, "{'metadata':{'name':'as'},'rules':[%s]}", buf_str(&rules));
	assert_may(z, "admin", "PUT", RBAC "/clusterroles/as", buf_str(&body), 200);
	buf_fini(&rules);
	buf_fini(&body);
}

/* The documentation's rules, one by one. */
static bool reference(const struct grants *g, unsigned u, unsigned group)
{
	const unsigned mode = u < 2 ? 0 : u == 2 ? 1 : 2;
	const bool legacy = g->user[3][u] && (!group || g->group[3][group]);

	if (legacy)
		return true;
	if (!g->on[mode] || !g->user[mode][u])
		return false;
	if (mode != 0)
		return group == 0;
	return group != 2 && (!group || g->group[0][group]);
}

static unsigned dice(uint64_t *seed, unsigned n)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(*seed >> 33) % n;
}

static void who_is_acted_as_equals_a_plain_reference(void **state)
{
	struct zfix *z = *state;
	uint64_t seed = 3;
	unsigned yes = 0;

	must_make(z, RBAC "/clusterroles",
		  "{'metadata':{'name':'self'},'rules':[{'apiGroups':['authentication.k8s.io'],"
		  "'resources':['selfsubjectreviews'],'verbs':['create']}]}");
	must_make(z, RBAC "/clusterrolebindings",
		  "{'metadata':{'name':'self'},'roleRef':{'apiGroup':'rbac.authorization.k8s.io',"
		  "'kind':'ClusterRole','name':'self'},'subjects':[{'kind':'Group','name':"
		  "'system:authenticated'}]}");
	must_make(z, RBAC "/clusterroles", "{'metadata':{'name':'as'},'rules':[]}");
	must_make(z, RBAC "/clusterrolebindings",
		  "{'metadata':{'name':'as'},'roleRef':{'apiGroup':'rbac.authorization.k8s.io',"
		  "'kind':'ClusterRole','name':'as'}," SUBJECT);
	for (unsigned step = 0; step < 60; step++) {
		struct grants g;

		for (size_t i = 0; i < sizeof(g); i++)
			((bool *)&g)[i] = dice(&seed, 2);
		set_rules(z, &g);
		for (unsigned q = 0; q < ARRAY_LEN(users) * ARRAY_LEN(groups); q++) {
			const unsigned u = q % ARRAY_LEN(users), i = q / ARRAY_LEN(users);
			const bool want = reference(&g, u, i);
			char head[512];

			snprintf(head, sizeof(head),
				 "Authorization: Bearer plain-token\r\nContent-Type: "
				 "application/json\r\nImpersonate-User: %s\r\n%s%s%s",
				 users[u], i ? "Impersonate-Group: " : "", i ? groups[i] : "",
				 i ? "\r\n" : "");
			(void)ask(z->x, "POST", WHO, head,
				  quoted("{'apiVersion':'authentication.k8s.io/v1','kind':"
					 "'SelfSubjectReview'}"));
			if (z->x->code != (want ? 201 : 403))
				fail_msg("step %u: %s %s: %d: %s", step, users[u],
					 i ? groups[i] : "", z->x->code, buf_str(&z->x->body));
			if (want && !strstr(buf_str(&z->x->body), users[u]))
				fail_msg("%s is %s", users[u], buf_str(&z->x->body));
			yes += want;
		}
	}
	assert_in_range(yes, 60, 600);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ZCASE(cve_2019_11247_what_is_of_the_cluster_is_in_no_namespace),
		ZCASE(cve_2022_3162_paths_end_where_they_say),
		ZCASE(cve_2025_4563_mirror_pods_claim_no_devices),
		ZCASE(cve_2025_5187_a_node_gives_itself_no_owner),
		ZCASE(who_is_acted_as_equals_a_plain_reference),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
