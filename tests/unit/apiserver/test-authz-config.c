/* SPDX-License-Identifier: Apache-2.0 */
/* What authorizers are made of: flags, AuthorizationConfiguration, ABAC's policies, kubeconfigs,
 * and the words that go to webhooks and come back. */
#include "../doc/doc-check.h"

#include "api/selector.h"
#include "apiserver/auth/abac.h"
#include "apiserver/auth/authz-config.h"
#include "apiserver/auth/authz-match.h"
#include "apiserver/auth/authz-webhook.h"
#include "apiserver/auth/rbac.h"
#include "apiserver/outward/hook-conf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "doc/json.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static void assert_says(const struct err *err, const char *part)
{
	if (!strstr(err->msg, part))
		fail_msg("'%s' is not in '%s'", part, err->msg);
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

/* ---- flags ---- */

static void modes_stand_in_their_order(void **state)
{
	struct authz_plan p;
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(authz_plan_flags(&(struct authz_flags){ 0 }, &p, &err), 0);
	assert_int_equal(p.n, 2);
	assert_int_equal(p.steps[0].mode, AUTHZ_NODE);
	assert_int_equal(authz_plan_flags(&(struct authz_flags){ .modes = "RBAC,Node" }, &p, &err),
			 0);
	assert_int_equal(p.steps[0].mode, AUTHZ_RBAC);
	assert_int_equal(authz_plan_flags(&(struct authz_flags){ .modes = "Webhook",
								 .webhook_config = "/k",
								 .authorized_ttl = NS_PER_SEC },
					  &p, &err),
			 0);
	assert_int_equal(p.steps[0].webhook.authorized_ttl, NS_PER_SEC);
	assert_int_equal(p.steps[0].webhook.unauthorized_ttl, 30 * NS_PER_SEC);
	assert_string_equal(p.steps[0].name, "default");
}

static void flags_that_do_not_go_together_are_refused(void **state)
{
	static const struct {
		struct authz_flags f;
		const char *says;
	} rows[] = {
		{ { .modes = "Node,Rbac" }, "\"Rbac\" is not a valid mode" },
		{ { .modes = "Node,Node" }, "\"Node\" is there twice" },
		{ { .modes = "" }, "\"\" is not a valid mode" },
		{ { .modes = "ABAC" }, "goes with the mode ABAC" },
		{ { .policy_file = "/p" }, "goes with the mode ABAC" },
		{ { .modes = "Webhook" }, "goes with the mode Webhook" },
		{ { .webhook_config = "/k" }, "goes with the mode Webhook" },
		{ { .modes = "Webhook", .webhook_config = "/k", .webhook_version = "v2" },
		  "must be v1 or v1beta1" },
		{ { .modes = "RBAC", .config = "/c" }, "not with --authorization-mode" },
		{ { .webhook_config = "/k", .config = "/c" }, "not with --authorization-mode" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err err = ERR_INIT;
		struct authz_plan p;

		assert_int_equal(authz_plan_flags(&rows[i].f, &p, &err), -ERR_BAD_REQUEST);
		assert_says(&err, rows[i].says);
	}
}

/* ---- the file ---- */

#define HEAD "{'apiVersion':'apiserver.config.k8s.io/v1','kind':'AuthorizationConfiguration',"
#define HOOK(more)                                                                                \
	"{'type':'Webhook','name':'h','webhook':{'timeout':'3s','subjectAccessReviewVersion':"    \
	"'v1','failurePolicy':'Deny','connectionInfo':{'type':'KubeConfigFile','kubeConfigFile':" \
	"'/k'}" more "}}"

static int read_plan(const char *text, struct authz_plan *p, struct arena *a, struct err *err)
{
	*err = ERR_INIT;
	return authz_plan_read(slice_str(quoted(text)), false, a, p, err);
}

static void a_file_says_it_all(void **state)
{
	struct arena *a = arena_new("test", 4u << 20);
	struct authz_plan p;
	struct err err;

	(void)state;
	if (read_plan(HEAD "'authorizers':[" HOOK(
			      ",'authorizedTTL':'2m','matchConditions':[],"
			      "'cacheUnauthorizedRequests':false") ",{'type':"
								   "'Node','name':'node'},{'type':'"
								   "RBAC','name':'rbac'}]}",
		      &p, a, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(p.n, 3);
	assert_int_equal(p.steps[0].mode, AUTHZ_WEBHOOK);
	assert_int_equal(p.steps[0].webhook.timeout, 3 * NS_PER_SEC);
	assert_int_equal(p.steps[0].webhook.authorized_ttl, 120 * NS_PER_SEC);
	assert_int_equal(p.steps[0].webhook.unauthorized_ttl, 0);
	assert_true(p.steps[0].webhook.denies);
	assert_string_equal(p.steps[0].webhook.kubeconfig, "/k");
	assert_string_equal(p.steps[2].name, "rbac");
	arena_free(a);
}

static void files_that_are_wrong_are_told_where(void **state)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
		{ "[]", "must be an object" },
		{ "{'kind':'AuthorizationConfiguration'}", "is no AuthorizationConfiguration" },
		{ HEAD "'authorizers':[]}", "at least one authorizer" },
		{ HEAD "'authorizers':[{'type':'RBAC','name':'r'}],'x':1}", "x: there is no such" },
		{ HEAD "'authorizers':[{'type':'RBAC'}]}", "authorizers[0].name: must be a DNS" },
		{ HEAD "'authorizers':[{'type':'Magic','name':'m'}]}",
		  "authorizers[0].type: must" },
		{ HEAD "'authorizers':[{'type':'RBAC','name':'r'},{'type':'RBAC','name':'s'}]}",
		  "authorizers[1].type: only Webhook" },
		{ HEAD "'authorizers':[{'type':'RBAC','name':'r'},{'type':'Node','name':'r'}]}",
		  "authorizers[1].name: another one" },
		{ HEAD "'authorizers':[{'type':'ABAC','name':'a'}]}",
		  "--authorization-policy-file" },
		{ HEAD "'authorizers':[{'type':'Webhook','name':'w'}]}", "goes with the type" },
		{ HEAD "'authorizers':[{'type':'Webhook','name':'w','webhook':{}}]}",
		  "authorizers[0].webhook.timeout: is required" },
		{ HEAD "'authorizers':[" HOOK(",'timeout':'31s'") "]}", "already set" },
		{ HEAD "'authorizers':[" HOOK(",'matchConditions':[{'expression':'true'}]") "]}",
		  "matchConditionSubjectAccessReviewVersion: required if match conditions are" },
		{ HEAD "'authorizers':[" HOOK(",'matchConditions':[{'expression':' '}]") "]}",
		  "authorizers[0].webhook: matchConditions[0].expression: is required" },
		{ HEAD
		  "'authorizers':[" HOOK(",'matchConditions':[{'expression':'requests'}]") "]}",
		  "compilation failed: ERROR: <input>:1:1: undeclared reference to 'requests'" },
		{ HEAD
		  "'authorizers':[" HOOK(",'matchConditions':[{'expression':'request.user'}]") "]}",
		  "must evaluate to bool but got string" },
		{ HEAD "'authorizers':[" HOOK(
			  ",'matchConditions':[{'expression':'true'},{'expression':'true'}]") "]}",
		  "matchConditions[1].expression: Duplicate value: \"true\"" },
		{ HEAD "'authorizers':[" HOOK(
			  ",'matchConditions':[{'name':'x','expression':'true'}]") "]}",
		  "matchConditions[0].name: there is no such field" },
		{ HEAD "'authorizers':[" HOOK(",'other':1") "]}", "other: there is no such field" },
		{ HEAD "'authorizers':[" HOOK(",'unauthorizedTTL':'-1s'") "]}",
		  "must be a duration above 0" },
		{ HEAD "'authorizers':[{'type':'Webhook','name':'h','webhook':{'timeout':'3s',"
		       "'subjectAccessReviewVersion':'v1','failurePolicy':'Deny','connectionInfo':{"
		       "'type':'InClusterConfig'}}}]}",
		  "InClusterConfig would ask this server itself" },
		{ HEAD "'authorizers':[{'type':'Webhook','name':'h','webhook':{'timeout':'1m',"
		       "'subjectAccessReviewVersion':'v1','failurePolicy':'Deny'}}]}",
		  "timeout: must be a duration up to 30s" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena *a = arena_new("test", 4u << 20);
		struct authz_plan p;
		struct err err;

		if (read_plan(rows[i].text, &p, a, &err) >= 0)
			fail_msg("taken: %s", rows[i].text);
		assert_says(&err, rows[i].says);
		arena_free(a);
	}
}

/* ---- ABAC ---- */

static const char *const devs[] = { "dev", "system:authenticated", NULL };
static const struct strategy_user jo = { .name = "jo", .uid = "", .groups = devs };
static const char *const nobody_in[] = { "system:unauthenticated", NULL };
static const struct strategy_user nobody = { .name = "system:anonymous",
					     .uid = "",
					     .groups = nobody_in };

static bool may(const struct abac *b, const struct strategy_user *u, const char *verb,
		const char *group, const char *resource, const char *ns)
{
	const struct authz_attrs at = { .user = u,
					.verb = verb,
					.resource_request = *resource != '/',
					.group = group,
					.version = "v1",
					.resource = resource,
					.sub = "",
					.name = "",
					.ns = ns,
					.path = resource };

	return abac_allows(b, &at, NULL);
}

static struct abac *policies(const char *text)
{
	struct err err = ERR_INIT;
	struct abac *b;

	if (abac_read(slice_str(quoted(text)), &b, &err) < 0)
		fail_msg("%s", err.msg);
	return b;
}
#define POLICY(spec)                                                                             \
	"{'apiVersion':'abac.authorization.kubernetes.io/v1beta1','kind':'Policy','spec':{" spec \
	"}}\n"

static void a_line_gives_what_all_of_it_says(void **state)
{
	struct abac *b = policies(
		"# who may what\n\n" POLICY(
			"'user':'jo','namespace':'n','resource':'pods','readonly':true")
			POLICY("'group':'dev',"
			       "'namespace':'*','resource':'*','apiGroup':'apps'")
				POLICY("'user':'*',"
				       "'nonResourcePath':'/version'")
					POLICY("'group':'dev','nonResourcePath':'/logs/*'"));

	(void)state;
	assert_true(may(b, &jo, "get", "", "pods", "n"));
	assert_true(may(b, &jo, "watch", "", "pods", "n"));
	assert_false(may(b, &jo, "delete", "", "pods", "n"));
	assert_false(may(b, &jo, "get", "", "pods", "m"));
	assert_false(may(b, &jo, "get", "", "secrets", "n"));
	assert_true(may(b, &jo, "delete", "apps", "deployments", "m"));
	assert_true(may(b, &jo, "get", "", "/version", ""));
	assert_true(may(b, &jo, "get", "", "/logs/a/b", ""));
	assert_false(may(b, &jo, "get", "", "/logs", ""));
	assert_false(may(b, &nobody, "get", "", "/version", ""));
	assert_false(may(b, &nobody, "get", "apps", "deployments", "m"));
	abac_free(b);
	b = policies(POLICY("'namespace':'*','resource':'*','apiGroup':'*'"));
	assert_false(may(b, &jo, "get", "", "pods", "n")); /* of nobody */
	abac_free(b);
}

static void lines_of_old_leave_out_what_they_give(void **state)
{
	struct abac *b = policies("{'user':'jo'}\n{'readonly':true,'resource':'events'}");

	(void)state;
	assert_true(may(b, &jo, "delete", "apps", "deployments", "m"));
	assert_true(may(b, &jo, "post", "", "/any", ""));
	abac_free(b);
	b = policies("{'readonly':true,'resource':'events'}");
	assert_true(may(b, &jo, "list", "events.k8s.io", "events", "m"));
	assert_false(may(b, &jo, "create", "", "events", "m"));
	assert_false(may(b, &jo, "get", "", "/any", ""));
	assert_false(may(b, &nobody, "list", "", "events", "m"));
	abac_free(b);
}

static void lines_that_are_wrong_are_named(void **state)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
		{ "\n{'user':1}", "line 2: user: must be a string" },
		{ "{'user':'a'}\n{", "line 2" },
		{ "{'usr':'a'}", "line 1: unknown field \"usr\"" },
		{ "{'apiGroup':'a'}", "unknown field \"apiGroup\"" },
		{ "{'apiVersion':'abac.authorization.kubernetes.io/v2','kind':'Policy','spec':{}}",
		  "is no Policy" },
		{ POLICY("'user':'a','color':'b'"), "unknown field \"color\"" },
		{ POLICY("'readonly':'yes'"), "must be a boolean" },
		{ "[1]", "is no object" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err err = ERR_INIT;
		struct abac *b = NULL;

		if (abac_read(slice_str(quoted(rows[i].text)), &b, &err) >= 0)
			fail_msg("taken: %s", rows[i].text);
		assert_says(&err, rows[i].says);
	}
}

static int count_rule(void *arg, const struct rbac_rule *rule)
{
	(void)rule;
	++*(int *)arg;
	return 0;
}

static void rules_are_told_one_by_one(void **state)
{
	struct abac *b = policies(POLICY("'user':'jo','namespace':'n','resource':'pods'")
					  POLICY("'user':'al','namespace':'n','resource':'pods'")
						  POLICY("'user':'jo','nonResourcePath':'/x'"));
	int n = 0;

	(void)state;
	assert_int_equal(abac_each_rule(b, &jo, "n", count_rule, &n), 0);
	assert_int_equal(n, 2);
	n = 0;
	assert_int_equal(abac_each_rule(b, &jo, "m", count_rule, &n), 0);
	assert_int_equal(n, 1);
	abac_free(b);
}

/* ---- kubeconfigs ---- */

static void kubeconfigs_are_read_or_refused_by_name(void **state)
{
	static const char head[] = "{'current-context':'c','contexts':[{'name':'c','context':{"
				   "'cluster':'k','user':'u'}}],";
	static const struct {
		const char *clusters, *says;
	} rows[] = {
		{ "'clusters':[{'name':'k','cluster':{'server':'https://h:1/p'}}],'users':[{'name':"
		  "'u','user':{'token':'t'}}]}",
		  NULL },
		{ "'clusters':[],'users':[]}", "clusters: \"k\" is not there" },
		{ "'clusters':[{'name':'k','cluster':{'server':'ftp://h'}}],'users':[{'name':'u',"
		  "'user':{}}]}",
		  "server: must be an https:// or http:// URL" },
		{ "'clusters':[{'name':'k','cluster':{'server':'http://h'}}],'users':[{'name':'u',"
		  "'user':{'token':'t'}}]}",
		  "a token is not sent in the clear" },
		{ "'clusters':[{'name':'k','cluster':{'server':'https://h'}}],'users':[{'name':'u',"
		  "'user':{'exec':{'command':'x'}}}]}",
		  "exec: is not supported" },
		{ "'clusters':[{'name':'k','cluster':{'server':'https://h','proxy-url':'http://"
		  "p'}}],"
		  "'users':[{'name':'u','user':{}}]}",
		  "proxy-url: is not supported" },
		{ "'clusters':[{'name':'k','cluster':{'server':'https://h',"
		  "'certificate-authority-data':'!'}}],'users':[{'name':'u','user':{}}]}",
		  "certificate-authority-data: is not base64" },
		{ "'clusters':[{'name':'k','cluster':{'server':'https://h',"
		  "'certificate-authority':'gone.pem'}}],'users':[{'name':'u','user':{}}]}",
		  "gone.pem" },
	};
	char path[] = "/tmp/teu-kubeconfig-XXXXXX";
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena *a = arena_new("test", 4u << 20);
		struct given_set files = { .n = 0 };
		struct hook_conf k = { 0 };
		struct err err = ERR_INIT;
		int r;

		assert_int_equal(ftruncate(fd, 0), 0);
		assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
		assert_true(dprintf(fd, "%s", quoted(head)) > 0);
		assert_true(dprintf(fd, "%s", quoted(rows[i].clusters)) > 0);
		r = hook_conf_read(path, &files, a, &k, &err);
		if (rows[i].says) {
			assert_true(r < 0);
			assert_says(&err, rows[i].says);
			assert_null(strstr(err.msg, "'t'"));
		} else {
			if (r < 0)
				fail_msg("%s", err.msg);
			assert_string_equal(k.server, "https://h:1/p");
			assert_string_equal(k.token, "t");
			assert_non_null(k.tls);
		}
		hook_conf_fini(&k);
		given_set_fini(&files);
		arena_free(a);
	}
	fd_close(fd);
	(void)unlink(path);
}

/* ---- match conditions ---- */

static int match(const char *conditions, const struct authz_attrs *at, struct err *err)
{
	struct arena *a = arena_new("test", 4u << 20);
	char text[2048];
	const struct authz_match *m;
	struct doc *list;
	int r;

	assert_true(str_copy(text, sizeof(text), quoted(conditions)));
	assert_int_equal(json_read(a, slice_str(text), NULL, &list, NULL), 0);
	*err = ERR_INIT;
	if (authz_match_new(list, a, &m, err) < 0)
		fail_msg("%s: %s", conditions, err->msg);
	r = authz_match_run(m, at, err);
	arena_free(a);
	return r;
}

#define WHEN(text) "[{'expression':\"" text "\"}]"

static void conditions_say_what_is_asked(void **state)
{
	static const struct {
		const char *conditions;
		int want;
	} rows[] = {
		{ "[]", 1 },
		{ WHEN("request.user == \\\"jo\\\""), 1 },
		{ WHEN("request.user != \\\"jo\\\""), 0 },
		{ WHEN("request.uid == \\\"\\\" && request.extra.size() == 0"), 1 },
		{ WHEN("has(request.resourceAttributes)"), 1 },
		{ WHEN("has(request.nonResourceAttributes)"), 0 },
		{ WHEN("request.resourceAttributes.namespace == \\\"n\\\""), 1 },
		{ WHEN("request.resourceAttributes.subresource == \\\"\\\""), 1 },
		{ WHEN("request.resourceAttributes.verb in [\\\"list\\\", \\\"watch\\\"]"), 1 },
		{ WHEN("request.resourceAttributes.fieldSelector.requirements[0].key == "
		       "\\\"spec.nodeName\\\""),
		  1 },
		{ WHEN("request.resourceAttributes.fieldSelector.requirements.exists(r, r.values "
		       "== [\\\"x\\\"])"),
		  1 },
		{ WHEN("has(request.resourceAttributes.labelSelector)"), 0 },
		{ WHEN("request.resourceAttributes.?labelSelector.hasValue()"), 0 },
		{ WHEN("request.nonResourceAttributes.path == \\\"/\\\""), -ERR_INVALID },
		{ "[{'expression':'request.nonResourceAttributes.path == request.user'},"
		  "{'expression':'false'}]",
		  0 },
		{ "[{'expression':'true'},{'expression':'request.groups.size() >= 1'}]", 1 },
	};
	struct arena *a = arena_new("test", 1u << 20);
	struct selector fields;
	struct err err = ERR_INIT;
	struct authz_attrs at = { .user = &jo,
				  .verb = "list",
				  .resource_request = true,
				  .group = "",
				  .version = "v1",
				  .resource = "pods",
				  .sub = "",
				  .name = "",
				  .ns = "n",
				  .path = "",
				  .fields = &fields };

	(void)state;
	assert_int_equal(selector_fields(slice_str("spec.nodeName=x"), a, &fields, &err), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const int r = match(rows[i].conditions, &at, &err);

		if (r != rows[i].want)
			fail_msg("%s: %d %s", rows[i].conditions, r, err.msg);
	}
	at.resource_request = false;
	at.path = "/x";
	assert_int_equal(match(WHEN("request.nonResourceAttributes.path == \\\"/x\\\""), &at, &err),
			 1);
	assert_int_equal(match(WHEN("has(request.resourceAttributes)"), &at, &err), 0);
	arena_free(a);
}

/* ---- webhooks ---- */

static void questions_are_reviews(void **state)
{
	struct arena *a = arena_new("test", 1u << 20);
	struct buf b = BUF_INIT(1u << 20);
	struct selector fields;
	struct err err = ERR_INIT;
	struct authz_attrs at = { .user = &jo,
				  .verb = "list",
				  .resource_request = true,
				  .group = "",
				  .version = "v1",
				  .resource = "pods",
				  .sub = "",
				  .name = "",
				  .ns = "n",
				  .path = "",
				  .fields = &fields };

	(void)state;
	assert_int_equal(selector_fields(slice_str("spec.nodeName=x"), a, &fields, &err), 0);
	assert_int_equal(authz_webhook_spec(&at, false, &b, &err), 0);
	assert_string_equal(
		buf_str(&b),
		"{\"resourceAttributes\":{\"namespace\":\"n\",\"verb\":\"list\",\"version\":\"v1\","
		"\"resource\":\"pods\",\"fieldSelector\":{\"requirements\":[{\"key\":"
		"\"spec.nodeName\",\"operator\":\"In\",\"values\":[\"x\"]}]}},\"user\":\"jo\","
		"\"groups\":[\"dev\",\"system:authenticated\"]}");
	buf_clear(&b);
	at.resource_request = false;
	at.path = "/a\"b";
	assert_int_equal(authz_webhook_spec(&at, true, &b, &err), 0);
	assert_string_equal(buf_str(&b),
			    "{\"nonResourceAttributes\":{\"path\":\"/a\\\"b\",\"verb\":\"list\"},"
			    "\"user\":\"jo\",\"group\":[\"dev\",\"system:authenticated\"]}");
	buf_fini(&b);
	arena_free(a);
}

#define ANSWER(status) \
	"{'kind':'SubjectAccessReview','apiVersion':'authorization.k8s.io/v1','status':" status "}"

static void answers_are_believed_only_as_reviews(void **state)
{
	static const struct {
		const char *text;
		int opinion; /* -1: it is none */
	} rows[] = {
		{ ANSWER("{'allowed':true,'reason':'so'}"), AUTHZ_ALLOW },
		{ ANSWER("{'allowed':false}"), AUTHZ_NO_OPINION },
		{ ANSWER("{'allowed':false,'denied':true}"), AUTHZ_DENY },
		{ ANSWER("{'allowed':true,'denied':true}"), AUTHZ_DENY },
		{ ANSWER("{'allowed':'true'}"), -1 },
		{ ANSWER("{}"), -1 },
		{ "{'kind':'SubjectAccessReview','apiVersion':'authorization.k8s.io/v1beta1',"
		  "'status':{'allowed':true}}",
		  -1 },
		{ "{'status':{'allowed':true}}", -1 },
		{ "true", -1 },
		{ "<html>", -1 },
		{ "", -1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf why = BUF_INIT(1024);
		enum authz_opinion o = AUTHZ_NO_OPINION;
		struct err err = ERR_INIT;
		int r = authz_webhook_read(slice_str(quoted(rows[i].text)), false, &o, &why, &err);

		if ((r < 0) != (rows[i].opinion < 0) || (r == 0 && (int)o != rows[i].opinion))
			fail_msg("%s: %d %d", rows[i].text, r, o);
		buf_fini(&why);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(modes_stand_in_their_order),
		cmocka_unit_test(flags_that_do_not_go_together_are_refused),
		cmocka_unit_test(a_file_says_it_all),
		cmocka_unit_test(files_that_are_wrong_are_told_where),
		cmocka_unit_test(a_line_gives_what_all_of_it_says),
		cmocka_unit_test(lines_of_old_leave_out_what_they_give),
		cmocka_unit_test(lines_that_are_wrong_are_named),
		cmocka_unit_test(rules_are_told_one_by_one),
		cmocka_unit_test(kubeconfigs_are_read_or_refused_by_name),
		cmocka_unit_test(conditions_say_what_is_asked),
		cmocka_unit_test(questions_are_reviews),
		cmocka_unit_test(answers_are_believed_only_as_reviews),
	};

	return cmocka_run_group_tests_name("authz-config", tests, NULL, NULL);
}
