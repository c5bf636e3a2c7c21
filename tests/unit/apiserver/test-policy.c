/* SPDX-License-Identifier: Apache-2.0 */
/* ValidatingAdmissionPolicy through the whole server. */
#include "policy-fix.h"

#include "apiserver/auth/apiaudit.h"
#include "apiserver/crd-controller.h"

#define SAYS                                                                                    \
	"configmaps \"m\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied " \
	"request: "

static void what_does_not_hold_is_denied(void **state)
{
	struct rfix *x = *state;

	judged(x, ON_CMS "," EXPR("object.data.k == `v`"));
	ppost(x, CMS, CM("m", "'k':'w'"), 422);
	assert_status(x, 422, "Invalid", SAYS "failed expression: object.data.k == \"v\"");
	ahas(x, "'details':{'name':'m','kind':'configmaps','causes':[{'message':");
	ppost(x, CMS, CM("m", "'k':'v'"), 201);
	amerge(x, CMS "/m", "{'data':{'k':'w'}}", 422);
	(void)ask(x, "DELETE", CMS "/m", ADMIN, NULL);
	assert_code(x, 200);
}

static void reasons_choose_the_code(void **state)
{
	static const struct {
		const char *reason;
		int code;
	} rows[] = { { "Forbidden", 403 },
		     { "Unauthorized", 401 },
		     { "RequestEntityTooLarge", 413 },
		     { "Invalid", 422 } };
	struct rfix *x = *state;
	char spec[512];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		snprintf(spec, sizeof(spec),
			 ON_CMS ",'validations':[{'expression':'false','message':' no  ',"
				"'reason':'%s'}]",
			 rows[i].reason);
		judged(x, spec);
		ppost(x, CMS, CM("m", ""), rows[i].code);
		assert_status(x, rows[i].code, rows[i].reason, SAYS "no");
		forget(x);
	}
}

static void messages_can_be_made(void **state)
{
	struct rfix *x = *state;

	judged(x, ON_CMS ",'validations':[{'expression':'false','message':'fixed',"
			 "'messageExpression':'`not ` + object.metadata.name'}]");
	ppost(x, CMS, CM("m", ""), 422);
	assert_status(x, 422, "Invalid", SAYS "not m");
}

static void a_message_that_fails_is_the_fixed_one(void **state)
{
	static const char *const made[] = { "string(object.data.none)", "`a\\\\nb`", "` `" };
	struct rfix *x = *state;
	char spec[512];

	for (size_t i = 0; i < ARRAY_LEN(made); i++) {
		snprintf(spec, sizeof(spec),
			 ON_CMS ",'validations':[{'expression':'false','message':'fixed',"
				"'messageExpression':'%s'}]",
			 made[i]);
		judged(x, spec);
		ppost(x, CMS, CM("m", ""), 422);
		assert_status(x, 422, "Invalid", SAYS "fixed");
		forget(x);
	}
}

static void errors_deny_unless_failures_are_ignored(void **state)
{
	struct rfix *x = *state;

	judged(x, ON_CMS "," EXPR("object.data.none == `v`"));
	ppost(x, CMS, CM("m", "'k':'w'"), 422);
	assert_status(x, 422, "Invalid",
		      SAYS "expression 'object.data.none == \"v\"' resulted in error: no such key: "
			   "none");
	forget(x);
	judged(x, "'failurePolicy':'Ignore'," ON_CMS "," EXPR("object.data.none == `v`"));
	ppost(x, CMS, CM("m", "'k':'w'"), 201);
}

static void what_is_bound_to_nothing_says_nothing(void **state)
{
	struct rfix *x = *state;

	policy(x, "Validating", "p", ON_CMS "," EXPR("false"), 201);
	binding(x, "Validating", "b", "other", DENIES, 201);
	ppost(x, CMS, CM("m", ""), 201);
	binding(x, "Validating", "c", "p", DENIES, 201);
	ppost(x, CMS, CM("n", ""), 422);
	assert_has(x, "with binding 'c' denied request");
	(void)ask(x, "DELETE", VAPBS "/c", ADMIN, NULL);
	ppost(x, CMS, CM("n", ""), 201);
}

static void variables_are_made_when_they_are_needed(void **state)
{
	struct rfix *x = *state;

	judged(x, ON_CMS ",'variables':[{'name':'k','expression':'object.data.k'},"
			 "{'name':'both','expression':'variables.k + `!`'},"
			 "{'name':'bad','expression':'object.data.none'}],"
			 "'validations':[{'expression':'variables.both == `v!` || variables.bad == "
			 "1','messageExpression':'`was ` + variables.both'}]");
	ppost(x, CMS, CM("m", "'k':'v'"), 201);
	ppost(x, CMS, CM("n", "'k':'w'"), 422);
	assert_status(x, 422, "Invalid",
		      "resulted in error: composited variable \"bad\" fails to evaluate: no such "
		      "key: none");
}

static void a_long_chain_of_variables_is_no_danger(void **state)
{
	struct rfix *x = *state;
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1u << 20);

	(void)buf_adds(&b, ON_CMS ",'variables':[{'name':'v0','expression':'1'}");
	for (int i = 1; i < 200; i++)
		(void)buf_addf(&b, ",{'name':'v%d','expression':'variables.v%d + 1'}", i, i - 1);
	(void)buf_adds(&b, "]," EXPR("variables.v199 == 200"));
	judged(x, buf_str(&b));
	ppost(x, CMS, CM("m", ""), 201);
}

static void conditions_narrow_what_is_judged(void **state)
{
	struct rfix *x = *state;

	judged(x, ON_CMS
	       ",'matchConditions':[{'name':'mine','expression':"
	       "'request.userInfo.username == `admin` && object.metadata.name != `free`'}]," EXPR(
		       "false"));
	ppost(x, CMS, CM("free", ""), 201);
	ppost(x, CMS, CM("m", ""), 422);
	forget(x);
	judged(x, ON_CMS ",'matchConditions':[{'name':'a','expression':'object.data.x == 1'},"
			 "{'name':'b','expression':'false'}]," EXPR("false"));
	ppost(x, CMS, CM("m", ""), 201); /* one that is false counts before errors */
	forget(x);
	judged(x, ON_CMS
	       ",'matchConditions':[{'name':'a','expression':'object.data.x == 1'}]," EXPR("true"));
	ppost(x, CMS, CM("n", "'k':'v'"), 422);
	assert_status(x, 422, "Invalid", "no such key: x");
}

static void rules_and_selectors_narrow_too(void **state)
{
	struct rfix *x = *state;

	judged(x, "'matchConstraints':{'objectSelector':{'matchLabels':{'a':'b'}}," RULES(
			  "'*'", "*", "*", "*") ",'excludeResourceRules':[{'operations':['*'],"
						"'apiGroups':[''],'apiVersions':['v1'],'resources':"
						"['secrets']}]}," EXPR("false"));
	ppost(x, CMS, CM("m", ""), 201);
	ppost(x, CMS,
	      "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'n','labels':{'a':'b'}}}",
	      422);
	ppost(x, "/api/v1/namespaces/n1/secrets",
	      "{'apiVersion':'v1','kind':'Secret','metadata':{'name':'n','labels':{'a':'b'}}}",
	      201);
	forget(x);
	judged(x, "'matchConstraints':{'namespaceSelector':{'matchLabels':{'env':'prod'}}," RULES(
			  "'CREATE'", "", "v1", "configmaps") "}," EXPR("false"));
	ppost(x, CMS, CM("o", ""), 201);
	amerge(x, "/api/v1/namespaces/n1", "{'metadata':{'labels':{'env':'prod'}}}", 200);
	ppost(x, CMS, CM("p", ""), 422);
	forget(x);
	judged(x, "'matchConstraints':{'resourceRules':[{'operations':['UPDATE'],'apiGroups':[''],"
		  "'apiVersions':['v1'],'resources':['configmaps'],'resourceNames':['o']}]}," EXPR(
			  "false"));
	amerge(x, CMS "/m", "{'data':{'k':'w'}}", 200);
	amerge(x, CMS "/o", "{'data':{'k':'w'}}", 422);
}

static void bindings_narrow_what_they_bind(void **state)
{
	struct rfix *x = *state;

	policy(x, "Validating", "p", ON_CMS "," EXPR("false"), 201);
	binding(x, "Validating", "b", "p",
		DENIES ",'matchResources':{'objectSelector':{'matchLabels':{'a':'b'}}}", 201);
	ppost(x, CMS, CM("m", ""), 201);
	ppost(x, CMS,
	      "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'n','labels':{'a':'b'}}}",
	      422);
}

static void updates_and_deletions_see_the_old_object(void **state)
{
	struct rfix *x = *state;

	ppost(x, CMS, CM("m", "'k':'v'"), 201);
	judged(x, ON("'UPDATE','DELETE'", "", "v1",
		     "configmaps") "," EXPR("request.operation == `DELETE` ? oldObject.data.k != "
					    "`v` && object == null : "
					    "oldObject.data.k == object.data.k"));
	amerge(x, CMS "/m", "{'data':{'k':'w'}}", 422);
	amerge(x, CMS "/m", "{'metadata':{'labels':{'a':'b'}}}", 200);
	(void)ask(x, "DELETE", CMS "/m", ADMIN, NULL);
	assert_code(x, 422);
	(void)ask(x, "DELETE", CMS, ADMIN, NULL);
	assert_code(x, 422);
	(void)get(x, CMS "/m");
	assert_code(x, 200);
}

static void subresources_and_dry_runs_are_judged(void **state)
{
	struct rfix *x = *state;

	judged(x, ON("'*'", "", "v1", "configmaps") "," EXPR("!request.dryRun"));
	ppost(x, CMS "?dryRun=All", CM("m", ""), 422);
	ppost(x, CMS, CM("m", ""), 201);
	forget(x);
	judged(x, ON("'UPDATE'", "apps", "v1", "deployments/scale") "," EXPR(
			  "object.spec.replicas <= 5 && request.subResource == `scale`"));
	ppost(x, "/apis/apps/v1/namespaces/n1/deployments",
	      "{'apiVersion':'apps/v1','kind':'Deployment','metadata':{'name':'d'},'spec':"
	      "{'replicas':9,'selector':{'matchLabels':{'a':'b'}},'template':{'metadata':{'labels':"
	      "{'a':'b'}},'spec':{'containers':[{'name':'c','image':'i'}]}}}}",
	      201);
	amerge(x, "/apis/apps/v1/namespaces/n1/deployments/d/scale", "{'spec':{'replicas':6}}",
	       422);
	ahas(x, "deployments.apps \\'d\\' is forbidden");
	amerge(x, "/apis/apps/v1/namespaces/n1/deployments/d/scale", "{'spec':{'replicas':5}}",
	       200);
}

static void connections_are_judged(void **state)
{
	struct rfix *x = *state;

	judged(x, ON("'CONNECT'", "", "v1", "pods/exec") "," EXPR(
			  "object.command[0] != `sh` && object.kind == `PodExecOptions`"));
	apost(x, PODS, APOD("p", C1), 201);
	(void)ask(x, "POST", PODS "/p/exec?command=sh&container=c&stdout=true", ADMIN, NULL);
	assert_status(x, 422, "Invalid", "pods \"p\" is forbidden: ValidatingAdmissionPolicy 'p'");
}

static void the_namespace_is_seen(void **state)
{
	struct rfix *x = *state;

	judged(x, ON_CMS "," EXPR("namespaceObject.metadata.labels.env == `prod` && "
				  "namespaceObject.status.phase == `Active`"));
	ppost(x, CMS, CM("m", ""), 422);
	amerge(x, "/api/v1/namespaces/n1", "{'metadata':{'labels':{'env':'prod'}}}", 200);
	ppost(x, CMS, CM("m", ""), 201);
	forget(x);
	judged(x, ON("'CREATE'", "", "v1", "namespaces") "," EXPR("namespaceObject == null"));
	make_namespace(x, "n2");
}

static void the_authorizer_is_asked(void **state)
{
	struct rfix *x = *state;

	/* a check costs a third of what an expression may cost */
	judged(x, ON_CMS ",'validations':[{'expression':'authorizer.group(`apps`)"
			 ".resource(`deployments`).namespace(`n1`).check(`delete`).allowed() && "
			 "authorizer.requestResource.check(`create`).allowed()'},{'expression':"
			 "'!authorizer.serviceAccount(`n1`, `none`).path(`/x`).check(`get`)"
			 ".allowed()'}]");
	ppost(x, CMS, CM("m", ""), 201);
}

/* ---- parameters ---- */

#define PARAMS "'paramKind':{'apiVersion':'v1','kind':'ConfigMap'},"
#define BY(ref, action) DENIES ",'paramRef':{" ref ",'parameterNotFoundAction':'" action "'}"

static void parameters_by_name(void **state)
{
	struct rfix *x = *state;

	policy(x, "Validating", "p",
	       PARAMS ON("'CREATE'", "", "v1",
			 "secrets") "," EXPR("object.metadata.name.startsWith(params.data.prefix) "
					     "&& params.kind == `ConfigMap`"),
	       201);
	binding(x, "Validating", "b", "p", BY("'name':'par'", "Deny"), 201);
	ppost(x, "/api/v1/namespaces/n1/secrets",
	      "{'apiVersion':'v1','kind':'Secret','metadata':{'name':'abc'}}", 422);
	assert_status(
		x, 422, "Invalid",
		"secrets \"abc\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' "
		"denied request: failed to configure binding: no params found for policy "
		"binding with `Deny` parameterNotFoundAction");
	ppost(x, CMS, CM("par", "'prefix':'a'"), 201);
	ppost(x, "/api/v1/namespaces/n1/secrets",
	      "{'apiVersion':'v1','kind':'Secret','metadata':{'name':'abc'}}", 201);
	ppost(x, "/api/v1/namespaces/n1/secrets",
	      "{'apiVersion':'v1','kind':'Secret','metadata':{'name':'xyz'}}", 422);
	/* of another namespace, when it is named */
	make_namespace(x, "n2");
	ppost(x, "/api/v1/namespaces/n2/secrets",
	      "{'apiVersion':'v1','kind':'Secret','metadata':{'name':'abc'}}", 422);
	(void)ask(x, "DELETE", VAPBS "/b", ADMIN, NULL);
	binding(x, "Validating", "b", "p", BY("'name':'par','namespace':'n1'", "Deny"), 201);
	ppost(x, "/api/v1/namespaces/n2/secrets",
	      "{'apiVersion':'v1','kind':'Secret','metadata':{'name':'abc'}}", 201);
	(void)ask(x, "DELETE", VAPBS "/b", ADMIN, NULL);
	binding(x, "Validating", "b", "p", BY("'name':'none'", "Allow"), 201);
	ppost(x, "/api/v1/namespaces/n2/secrets",
	      "{'apiVersion':'v1','kind':'Secret','metadata':{'name':'xyz'}}", 201);
}

static void parameters_by_labels(void **state)
{
	struct rfix *x = *state;

	policy(x, "Validating", "p",
	       PARAMS ON("'CREATE'", "", "v1",
			 "secrets") "," EXPR("object.metadata.name.contains(params.data.k)"),
	       201);
	binding(x, "Validating", "b", "p", BY("'selector':{'matchLabels':{'v':'a'}}", "Deny"), 201);
	ppost(x, "/api/v1/namespaces/n1/secrets",
	      "{'apiVersion':'v1','kind':'Secret','metadata':{'name':'abc'}}", 422);
	ahas(x, "no params found");
	make_map(x, "one", "a");
	ppost(x, "/api/v1/namespaces/n1/secrets",
	      "{'apiVersion':'v1','kind':'Secret','metadata':{'name':'abc'}}", 201);
	ppost(x, CMS,
	      "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'two','labels':{'v':'a'}},"
	      "'data':{'k':'z'}}",
	      201);
	ppost(x, "/api/v1/namespaces/n1/secrets",
	      "{'apiVersion':'v1','kind':'Secret','metadata':{'name':'abd'}}", 422);
	ppost(x, "/api/v1/namespaces/n1/secrets",
	      "{'apiVersion':'v1','kind':'Secret','metadata':{'name':'a-z'}}", 201);
}

static void parameters_that_cannot_be(void **state)
{
	struct rfix *x = *state;

	policy(x, "Validating", "p",
	       "'paramKind':{'apiVersion':'example.com/v1','kind':'None'}," ON_CMS "," EXPR("true"),
	       201);
	binding(x, "Validating", "b", "p", BY("'name':'par'", "Deny"), 201);
	ppost(x, CMS, CM("m", ""), 422);
	assert_status(
		x, 422, "Invalid",
		"ValidatingAdmissionPolicy 'p' denied request: failed to configure policy: "
		"failed to find resource referenced by paramKind: 'example.com/v1, Kind=None'");
	forget(x);
	policy(x, "Validating", "p", PARAMS ON("'CREATE'", "", "v1", "namespaces") "," EXPR("true"),
	       201);
	binding(x, "Validating", "b", "p", BY("'selector':{}", "Deny"), 201);
	(void)post(x, "/api/v1/namespaces",
		   quoted("{'apiVersion':'v1','kind':'Namespace','metadata':{'name':'n2'}}"));
	/* the namespace of a namespace is itself, as upstream has it */
	assert_status(x, 422, "Invalid", "no params found");
	forget(x);
	policy(x, "Validating", "p",
	       PARAMS ON("'CREATE'", "", "v1", "persistentvolumes") "," EXPR("true"), 201);
	binding(x, "Validating", "b", "p", BY("'selector':{}", "Deny"), 201);
	ppost(x, "/api/v1/persistentvolumes",
	      "{'apiVersion':'v1','kind':'PersistentVolume','metadata':{'name':'v'},'spec':{'"
	      "capacity':"
	      "{'storage':'1Gi'},'accessModes':['ReadWriteOnce'],'hostPath':{'path':'/x'}}}",
	      422);
	assert_status(
		x, 422, "Invalid",
		"cannot use namespaced paramRef in policy binding that matches cluster-scoped "
		"resources");
	forget(x);
	policy(x, "Validating", "p",
	       "'paramKind':{'apiVersion':'v1','kind':'Namespace'}," ON_CMS
	       "," EXPR("params.metadata.name == `n1`"),
	       201);
	binding(x, "Validating", "b", "p", BY("'name':'n1','namespace':'n1'", "Deny"), 201);
	ppost(x, CMS, CM("m", ""), 422);
	ahas(x, "paramRef.namespace must not be provided for a cluster-scoped `paramKind`");
	(void)ask(x, "DELETE", VAPBS "/b", ADMIN, NULL);
	binding(x, "Validating", "b", "p", BY("'name':'n1'", "Deny"), 201);
	ppost(x, CMS, CM("m", ""), 201);
}

/* ---- what is told ---- */

static void warnings_let_it_through(void **state)
{
	struct rfix *x = *state;

	policy(x, "Validating", "p", ON_CMS "," EXPR("false"), 201);
	binding(x, "Validating", "b", "p", ",'validationActions':['Warn','Audit']", 201);
	ppost(x, CMS, CM("m", ""), 201);
	awarned(x, "Validation failed for ValidatingAdmissionPolicy 'p' with binding 'b': failed "
		   "expression: false");
	(void)ask(x, "GET", "/metrics", ADMIN, NULL);
	assert_has(x,
		   "apiserver_validating_admission_policy_check_total{enforcement_action=\"warn\","
		   "error_type=\"invalid_error\",policy=\"p\",policy_binding=\"b\"} 1");
}

static void the_audit_log_is_told(void **state)
{
	static const char rules_text[] =
		"apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata\n";
	struct rfix *x = *state;
	char rules[96], log[96], text[32768];
	struct apiaudit_conf conf = { .loop = x->f->loop, .policy_file = rules, .path = log };
	struct err err = ERR_INIT;
	ssize_t n;
	int fd;

	snprintf(rules, sizeof(rules), "%s/rules.yaml", x->f->dir);
	snprintf(log, sizeof(log), "%s/audit.log", x->f->dir);
	fd = open(rules, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, rules_text, sizeof(rules_text) - 1), sizeof(rules_text) - 1);
	fd_close(fd);
	policy(x, "Validating", "p",
	       ON_CMS
	       ",'validations':[{'expression':'true'},{'expression':'false','message':'bad'}],"
	       "'auditAnnotations':[{'key':'who','valueExpression':'request.userInfo.username'},"
	       "{'key':'none','valueExpression':'null'}]",
	       201);
	binding(x, "Validating", "b", "p", ",'validationActions':['Audit']", 201);
	rest_close(x);
	if (apiaudit_new(&conf, &x->conf.audit, &err) < 0)
		fail_msg("%s", err.msg);
	rest_open(x);
	ppost(x, CMS, CM("m", ""), 201);
	apiaudit_flush(x->conf.audit);
	fd = open(log, O_RDONLY | O_CLOEXEC);
	n = read(fd, text, sizeof(text) - 1);
	fd_close(fd);
	assert_true(n > 0);
	text[n] = '\0';
	if (!strstr(text, "\"p/who\":\"admin\"") || strstr(text, "p/none") ||
	    !strstr(text,
		    "\"validation.policy.admission.k8s.io/validation_failure\":"
		    "\"[{\\\"message\\\":\\\"bad\\\",\\\"policy\\\":\\\"p\\\",\\\"binding\\\":"
		    "\\\"b\\\",\\\"expressionIndex\\\":1,\\\"validationActions\\\":"
		    "[\\\"Audit\\\"]}]\""))
		fail_msg("%s", text);
	rest_close(x);
	apiaudit_free(x->conf.audit);
	x->conf.audit = NULL;
	rest_open(x);
}

/* ---- limits ---- */

static void cost_has_an_end(void **state)
{
	struct rfix *x = *state;

	judged(x, ON_CMS "," EXPR("[0,1,2,3,4,5,6,7,8,9].all(a, [0,1,2,3,4,5,6,7,8,9].all(b, "
				  "[0,1,2,3,4,5,6,7,8,9].all(c, [0,1,2,3,4,5,6,7,8,9].all(d, "
				  "[0,1,2,3,4,5,6,7,8,9].all(e, [0,1,2,3,4,5,6,7,8,9].all(f, "
				  "a + b + c + d + e + f >= 0))))))"));
	ppost(x, CMS, CM("m", ""), 422);
	ahas(x, "operation cancelled: actual cost limit exceeded");
}

#define HEAVY                                                                       \
	"{'expression':'[0,1,2,3,4,5,6,7,8,9].all(a, [0,1,2,3,4,5,6,7,8,9].all(b, " \
	"[0,1,2,3,4,5,6,7,8,9].all(c, [0,1,2,3,4,5,6,7,8,9].all(d, "                \
	"[0,1,2,3,4,5,6,7,8,9].all(e, a + b + c + d + e >= 0)))))'}"

static void all_expressions_together_have_a_budget(void **state)
{
	struct rfix *x = *state;
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1u << 20);

	(void)buf_adds(&b, ON_CMS ",'validations':[" HEAVY);
	for (int i = 0; i < 30; i++)
		(void)buf_adds(&b, "," HEAVY);
	(void)buf_adds(&b, "]");
	judged(x, buf_str(&b));
	ppost(x, CMS, CM("m", ""), 422);
	ahas(x, "validation failed due to running out of cost budget, no further validation rules "
		"will be run");
}

/* What looks cheap and is not: text that doubles, variables that are each twice the one before. */
static void hostile_expressions_end(void **state)
{
	static const char *const hostile[] = {
		EXPR("[0,1,2,3,4,5,6,7,8,9].map(a, [0,1,2,3,4,5,6,7,8,9].map(b, "
		     "object.metadata.name + object.metadata.uid)).size() > 0 && "
		     "object.data.long.matches(`(a+)+(b+)+(c+)+$`)"),
		"'variables':[{'name':'a','expression':'object.data.long + object.data.long'},"
		"{'name':'b','expression':'variables.a + variables.a'},"
		"{'name':'c','expression':'variables.b + variables.b'},"
		"{'name':'d','expression':'variables.c + variables.c'},"
		"{'name':'e','expression':'variables.d + variables.d'},"
		"{'name':'f','expression':'variables.e + variables.e'},"
		"{'name':'g','expression':'variables.f + variables.f'},"
		"{'name':'h','expression':'variables.g + variables.g'},"
		"{'name':'i','expression':'variables.h + variables.h'}],"
		"'validations':[{'expression':'variables.i.size() > 0 && "
		"variables.i.split(``).size() > 0',"
		"'messageExpression':'string(variables.i + variables.i)'}]",
	};
	CLEANUP(buf_fini) struct buf b = BUF_INIT(4u << 20);
	struct rfix *x = *state;
	char spec[4096];

	(void)buf_adds(
		&b,
		"{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'m'},'data':{'long':'");
	for (size_t i = 0; i < 30000; i++)
		(void)buf_addc(&b, 'a');
	(void)buf_adds(&b, "'}}");
	for (size_t i = 0; i < ARRAY_LEN(hostile); i++) {
		const int64_t began = clock_mono();

		snprintf(spec, sizeof(spec), ON_CMS ",%s", hostile[i]);
		judged(x, spec);
		ppost(x, CMS, buf_str(&b), 422);
		assert_true(clock_mono() - began < 20 * NS_PER_SEC);
		forget(x);
	}
}

static void policies_are_not_judged_by_policies(void **state)
{
	struct rfix *x = *state;

	judged(x, ON("'*'", "*", "*", "*/*") "," EXPR("false"));
	policy(x, "Validating", "q", ON_CMS "," EXPR("false"), 201);
	ppost(x, CMS, CM("m", ""), 422);
	ppost(x, "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
	      "{'apiVersion':'authorization.k8s.io/v1','kind':'SelfSubjectAccessReview','spec':"
	      "{'resourceAttributes':{'verb':'get','resource':'pods'}}}",
	      201);
	forget(x);
	ppost(x, CMS, CM("m", ""), 201);
}

static void the_plugin_can_be_off(void **state)
{
	struct rfix *x = *state;

	afix_open(x, NULL, "ValidatingAdmissionPolicy");
	judged(x, ON_CMS "," EXPR("false"));
	ppost(x, CMS, CM("m", ""), 201);
	afix_open(x, NULL, NULL);
	ppost(x, CMS, CM("n", ""), 422);
}

static void other_versions_are_judged_as_the_one_that_is_named(void **state)
{
	struct rfix *x = *state;

	judged(x, ON("'CREATE'", "autoscaling", "v2", "horizontalpodautoscalers") "," EXPR(
			  "object.apiVersion == `autoscaling/v2` && has(object.spec.metrics) && "
			  "request.requestKind.version == `v1` && request.kind.version == `v2` && "
			  "false"));
	ppost(x, "/apis/autoscaling/v1/namespaces/n1/horizontalpodautoscalers",
	      "{'apiVersion':'autoscaling/"
	      "v1','kind':'HorizontalPodAutoscaler','metadata':{'name':'h'},"
	      "'spec':{'scaleTargetRef':{'kind':'D','name':'d'},'maxReplicas':3,"
	      "'targetCPUUtilizationPercentage':50}}",
	      422);
	ahas(x, "failed expression");
}

/* ---- custom kinds ---- */

#define CRDS "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"

static void wait_served(struct rfix *x, const char *path)
{
	const int64_t end = clock_mono() + 30 * NS_PER_SEC;

	while (get(x, path) != 200) {
		assert_true(loop_step(x->f->loop, 5 * NS_PER_MS, NULL) >= 0);
		assert_true(clock_mono() < end);
	}
}

/* From upstream's documentation: the limit is an object of a kind of its own. */
static void custom_kinds_are_judged_and_are_parameters(void **state)
{
	struct rfix *x = *state;
	struct crd_controller *definitions = NULL;
	struct err err = ERR_INIT;

	assert_int_equal(crd_controller_start(x->rs, x->f->loop, &definitions, &err), 0);
	ppost(x, CRDS,
	      "{'apiVersion':'apiextensions.k8s.io/"
	      "v1','kind':'CustomResourceDefinition','metadata':"
	      "{'name':'replicalimits.rules.example.com'},'spec':{'group':'rules.example.com','"
	      "scope':"
	      "'Namespaced','names':{'plural':'replicalimits','kind':'ReplicaLimit'},'versions':[{'"
	      "name':"
	      "'v1','served':true,'storage':true,'schema':{'openAPIV3Schema':{'type':'object',"
	      "'properties':{'maxReplicas':{'type':'integer'}}}}}]}}",
	      201);
	wait_served(x, "/apis/rules.example.com/v1/namespaces/n1/replicalimits");
	ppost(x, "/apis/rules.example.com/v1/namespaces/n1/replicalimits",
	      "{'apiVersion':'rules.example.com/"
	      "v1','kind':'ReplicaLimit','metadata':{'name':'test'},"
	      "'maxReplicas':3}",
	      201);
	policy(x, "Validating", "p",
	       "'paramKind':{'apiVersion':'rules.example.com/v1','kind':'ReplicaLimit'}," ON(
		       "'CREATE','UPDATE'", "", "v1",
		       "replicationcontrollers") ",'validations':[{'expression':'object.spec."
						 "replicas <= params.maxReplicas','reason':"
						 "'Forbidden','messageExpression':'`must be no "
						 "greater than ` + "
						 "string(params.maxReplicas)'}]",
	       201);
	binding(x, "Validating", "b", "p", BY("'name':'test'", "Deny"), 201);
	ppost(x, "/api/v1/namespaces/n1/replicationcontrollers",
	      "{'apiVersion':'v1','kind':'ReplicationController','metadata':{'name':'m'},'spec':"
	      "{'replicas':4,'selector':{'a':'b'},'template':{'metadata':{'labels':{'a':'b'}},'"
	      "spec':{" C1 "}}}}",
	      403);
	assert_status(x, 403, "Forbidden", "denied request: must be no greater than 3");
	forget(x);
	judged(x, ON("'UPDATE'", "rules.example.com", "*",
		     "*") "," EXPR("object.maxReplicas >= oldObject.maxReplicas"));
	amerge(x, "/apis/rules.example.com/v1/namespaces/n1/replicalimits/test",
	       "{'maxReplicas':2}", 422);
	amerge(x, "/apis/rules.example.com/v1/namespaces/n1/replicalimits/test",
	       "{'maxReplicas':4}", 200);
	crd_controller_stop(definitions);
}

/* ---- what is refused when it is written ---- */

static void expressions_have_to_compile(void **state)
{
	static const struct {
		const char *spec, *error;
	} rows[] = {
		{ EXPR("object.x =="),
		  "spec.validations[0].expression: Invalid value: \"object.x ==\": "
		  "compilation failed: ERROR: <input>:1:12: Syntax error" },
		{ EXPR("`a`"),
		  "spec.validations[0].expression: Invalid value: \"\\\"a\\\"\": must evaluate "
		  "to bool but got string" },
		{ EXPR("object.x"), "must evaluate to bool but got dyn" },
		{ EXPR("params.x == 1"), "undeclared reference to 'params' (in container '')" },
		{ EXPR("variables.x == 1"),
		  "undeclared reference to 'variables' (in container '')" },
		{ EXPR("Object{} == null"), "undeclared reference to 'Object' (in container '')" },
		{ EXPR("request.none == 1"), "undefined field 'none'" },
		{ "'variables':[{'name':'a','expression':'variables.b'}]," EXPR("true"),
		  "spec.variables[0].expression: Invalid value: \"variables.b\": compilation "
		  "failed: ERROR: "
		  "<input>:1:10: undefined field 'b'" },
		{ "'variables':[{'name':'a','expression':'1'}]," EXPR("variables.a == `x`"),
		  "found no matching overload for '_==_' applied to '(int, string)'" },
		{ "'matchConditions':[{'name':'a','expression':'1'}]," EXPR("true"),
		  "spec.matchConditions[0].expression: Invalid value: \"1\": must evaluate to bool "
		  "but got "
		  "int" },
		{ "'validations':[{'expression':'true','messageExpression':'1'}]",
		  "spec.validations[0].messageExpression: Invalid value: \"1\": must evaluate to "
		  "string but "
		  "got int" },
		{ "'validations':[{'expression':'true','messageExpression':'string(authorizer == "
		  "null)'}]",
		  "undeclared reference to 'authorizer'" },
		{ "'auditAnnotations':[{'key':'k','valueExpression':'1'}]",
		  "spec.auditAnnotations[0].valueExpression: Invalid value: \"1\": must evaluate "
		  "to one of "
		  "[string null_type] but got int" },
	};
	struct rfix *x = *state;
	char spec[2048];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		snprintf(spec, sizeof(spec), ON_CMS ",%s", rows[i].spec);
		policy(x, "Validating", "p", spec, 422);
		if (!strstr(answer_text(x, "message"), rows[i].error))
			fail_msg("%zu: no '%s' in %s", i, rows[i].error, answer_text(x, "message"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ACASE(what_does_not_hold_is_denied),
		ACASE(reasons_choose_the_code),
		ACASE(messages_can_be_made),
		ACASE(a_message_that_fails_is_the_fixed_one),
		ACASE(errors_deny_unless_failures_are_ignored),
		ACASE(what_is_bound_to_nothing_says_nothing),
		ACASE(variables_are_made_when_they_are_needed),
		ACASE(a_long_chain_of_variables_is_no_danger),
		ACASE(conditions_narrow_what_is_judged),
		ACASE(rules_and_selectors_narrow_too),
		ACASE(bindings_narrow_what_they_bind),
		ACASE(updates_and_deletions_see_the_old_object),
		ACASE(subresources_and_dry_runs_are_judged),
		ACASE(connections_are_judged),
		ACASE(the_namespace_is_seen),
		ACASE(the_authorizer_is_asked),
		ACASE(parameters_by_name),
		ACASE(parameters_by_labels),
		ACASE(parameters_that_cannot_be),
		ACASE(warnings_let_it_through),
		ACASE(the_audit_log_is_told),
		ACASE(cost_has_an_end),
		ACASE(all_expressions_together_have_a_budget),
		ACASE(hostile_expressions_end),
		ACASE(policies_are_not_judged_by_policies),
		ACASE(the_plugin_can_be_off),
		ACASE(other_versions_are_judged_as_the_one_that_is_named),
		ACASE(custom_kinds_are_judged_and_are_parameters),
		ACASE(expressions_have_to_compile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
