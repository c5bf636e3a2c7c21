/* SPDX-License-Identifier: Apache-2.0 */
/* ClusterRoles that are put together of others: what they gather, and that it stays so. */
#include "rest-fix.h"

#include "apiserver/auth/rbac-aggregate.h"

#define ROLES "/apis/rbac.authorization.k8s.io/v1/clusterroles"
#define MERGE ADMIN "Content-Type: application/merge-patch+json\r\n"

struct afix {
	struct rfix *x;
	struct rbac_aggregate *g;
};

static int begin(void **state)
{
	struct afix *t = calloc(1, sizeof(*t));
	struct err err = ERR_INIT;
	void *x;

	assert_non_null(t);
	rest_setup(&x);
	t->x = x;
	if (rbac_aggregate_start(t->x->rs, t->x->f->loop, &t->g, &err) < 0)
		fail_msg("%s", err.msg);
	*state = t;
	return 0;
}

static int end(void **state)
{
	struct afix *t = *state;
	void *x = t->x;

	rbac_aggregate_stop(t->g);
	rest_teardown(&x);
	free(t);
	return 0;
}
#define CASE(f) cmocka_unit_test_setup_teardown(f, begin, end)

static void settle(struct afix *t)
{
	for (int i = 0; !rbac_aggregate_idle(t->g); i++)
		if (i > 100000 || loop_step(t->x->f->loop, NS_PER_SEC, NULL) < 0)
			fail_msg("it does not come to rest");
}

/* ' for ". */
static const char *quoted(const char *text)
{
	static char out[16384];

	snprintf(out, sizeof(out), "%s", text);
	for (char *p = out; *p; p++)
		if (*p == '\'')
			*p = '"';
	return out;
}

static void role(struct afix *t, const char *name, const char *more)
{
	char body[8192];

	snprintf(body, sizeof(body),
		 "{'apiVersion':'rbac.authorization.k8s.io/v1','kind':'ClusterRole','metadata':{"
		 "'name':'%s'%s",
		 name, more);
	(void)post(t->x, ROLES, quoted(body));
	assert_code(t->x, 201);
	settle(t);
}

static void change(struct afix *t, const char *name, const char *body)
{
	char path[256];

	snprintf(path, sizeof(path), ROLES "/%s", name);
	(void)ask(t->x, "PATCH", path, MERGE, quoted(body));
	assert_code(t->x, 200);
	settle(t);
}

/* The resources that a role's rules name, in order: "pods,nodes". */
static const char *gathered(struct afix *t, const char *name)
{
	static char out[4096];
	char path[256];

	snprintf(path, sizeof(path), ROLES "/%s", name);
	(void)get(t->x, path);
	assert_code(t->x, 200);
	out[0] = '\0';
	DOC_EACH (rule, doc_get(answer_doc(t->x), "rules"))
		DOC_EACH (r, doc_get(rule, "resources"))
			snprintf(out + strlen(out), sizeof(out) - strlen(out), "%s%.*s",
				 *out ? "," : "", (int)r->n, r->s);
	return out;
}

#define FROM(l) "},'aggregationRule':{'clusterRoleSelectors':[{'matchLabels':{'" l "':'true'}}]}}"
#define GIVES(l, r)                                                                               \
	",'labels':{'" l "':'true'}},'rules':[{'verbs':['get'],'apiGroups':[''],'resources':['" r \
	"']}]}"

static void rules_are_gathered_in_order_of_names_and_once(void **state)
{
	struct afix *t = *state;

	role(t, "all", FROM("into"));
	assert_string_equal(gathered(t, "all"), "");
	role(t, "b", GIVES("into", "pods"));
	role(t, "a", GIVES("into", "nodes"));
	role(t, "c", GIVES("into", "pods"));
	role(t, "d", GIVES("other", "secrets"));
	assert_string_equal(gathered(t, "all"), "nodes,pods");
	(void)get(t->x, ROLES "/all");
	assert_has(t->x, "clusterrole-aggregation-controller");
}

static void what_was_gathered_goes_with_its_role_and_label(void **state)
{
	struct afix *t = *state;

	role(t, "a", GIVES("into", "nodes"));
	role(t, "b", GIVES("into", "pods"));
	role(t, "all", FROM("into"));
	assert_string_equal(gathered(t, "all"), "nodes,pods");
	change(t, "a", "{'metadata':{'labels':{'into':'no'}}}");
	assert_string_equal(gathered(t, "all"), "pods");
	change(t, "a", "{'metadata':{'labels':{'into':'true'}}}");
	assert_string_equal(gathered(t, "all"), "nodes,pods");
	change(t, "b", "{'rules':[{'verbs':['get'],'apiGroups':[''],'resources':['events']}]}");
	assert_string_equal(gathered(t, "all"), "nodes,events");
	(void)ask(t->x, "DELETE", ROLES "/a", ADMIN, NULL);
	settle(t);
	assert_string_equal(gathered(t, "all"), "events");
	change(t, "all",
	       "{'aggregationRule':{'clusterRoleSelectors':[{'matchLabels':{'x':'y'}}]}}");
	(void)ask(t->x, "DELETE", ROLES "/b", ADMIN, NULL);
	settle(t);
	assert_string_equal(gathered(t, "all"), "");
}

static void what_others_write_there_goes_again(void **state)
{
	struct afix *t = *state;

	role(t, "a", GIVES("into", "nodes"));
	role(t, "all", FROM("into"));
	change(t, "all", "{'rules':[{'verbs':['*'],'apiGroups':['*'],'resources':['*']}]}");
	assert_string_equal(gathered(t, "all"), "nodes");
	change(t, "all", "{'rules':null}");
	assert_string_equal(gathered(t, "all"), "nodes");
	/* Without selectors its rules are whose they are. */
	change(t, "all", "{'aggregationRule':null,'rules':[]}");
	assert_string_equal(gathered(t, "all"), "");
}

/* view into edit into admin, as the default roles are; and a circle, which comes to rest. */
static void roles_gather_from_roles_that_gather(void **state)
{
	struct afix *t = *state;

	role(t, "admin", FROM("to-admin"));
	role(t, "edit", ",'labels':{'to-admin':'true'}" FROM("to-edit"));
	role(t, "view", ",'labels':{'to-edit':'true'}" FROM("to-view"));
	role(t, "v", GIVES("to-view", "pods"));
	role(t, "e", GIVES("to-edit", "secrets"));
	assert_string_equal(gathered(t, "admin"), "secrets,pods");
	role(t, "c", GIVES("to-view", "crontabs"));
	assert_string_equal(gathered(t, "view"), "crontabs,pods");
	assert_string_equal(gathered(t, "admin"), "secrets,crontabs,pods");
	role(t, "x", ",'labels':{'r':'true'}" FROM("r"));
	role(t, "y", ",'labels':{'r':'true'}" FROM("r"));
	role(t, "z", GIVES("r", "leases"));
	assert_string_equal(gathered(t, "x"), "leases");
	assert_string_equal(gathered(t, "y"), "leases");
}

static void expressions_and_several_selectors_count(void **state)
{
	struct afix *t = *state;

	role(t, "a", GIVES("one", "nodes"));
	role(t, "b", GIVES("two", "pods"));
	role(t, "c", GIVES("three", "leases"));
	role(t, "all",
	     "},'aggregationRule':{'clusterRoleSelectors':[{'matchExpressions':[{'key':'two',"
	     "'operator':'Exists'}]},{'matchExpressions':[{'key':'one','operator':'In','values':["
	     "'true','yes']}]}]}}");
	assert_string_equal(gathered(t, "all"), "pods,nodes");
	/* An empty selector takes every role but itself. */
	role(t, "every", "},'aggregationRule':{'clusterRoleSelectors':[{}]}}");
	assert_string_equal(gathered(t, "every"), "nodes,pods,leases");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(rules_are_gathered_in_order_of_names_and_once),
		CASE(what_was_gathered_goes_with_its_role_and_label),
		CASE(what_others_write_there_goes_again),
		CASE(roles_gather_from_roles_that_gather),
		CASE(expressions_and_several_selectors_count),
	};

	return cmocka_run_group_tests_name("rbac-aggregate", tests, NULL, NULL);
}
