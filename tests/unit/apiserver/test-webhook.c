/* SPDX-License-Identifier: Apache-2.0 */
/* Admission webhooks through the whole server: who is asked, what is told, what answers do. */
#include "webhook-fix.h"

#define PODS_N1 "/api/v1/namespaces/n1/pods"
#define FAILS "'failurePolicy':'Fail',"
#define OPEN "'failurePolicy':'Ignore',"

/* ---- validating ---- */

static void what_is_allowed_is_stored(void **state)
{
	struct wfix *f = *state;

	hook_on(f, VALIDATING, "a", "/allow", ON_MAPS);
	apost(f->x, MAPS "?fieldManager=me", MAP("m", "'k':'v'"), 201);
	assert_int_equal(f->nasked, 1);
	told(f, "{'kind':'AdmissionReview','apiVersion':'admission.k8s.io/v1','request':{'uid':'");
	told(f, "'kind':{'group':'','version':'v1','kind':'ConfigMap'},'resource':{'group':'',"
		"'version':'v1','resource':'configmaps'},'requestKind':{'group':'','version':'v1',"
		"'kind':'ConfigMap'},'requestResource':{'group':'','version':'v1','resource':"
		"'configmaps'},'name':'m','namespace':'n1','operation':'CREATE','userInfo':"
		"{'username':'admin','uid':'1','groups':['system:masters',"
		"'system:authenticated']},'object':{'kind':'ConfigMap','apiVersion':'v1',"
		"'metadata':{'name':'m','namespace':'n1','uid':'");
	told(f, "'data':{'k':'v'}},'oldObject':null,'dryRun':false,'options':{'kind':"
		"'CreateOptions','apiVersion':'meta.k8s.io/v1','fieldManager':'me'}}}");
	amerge(f->x, MAPS "/m", "{'data':{'k':'w'}}", 200);
	told(f, "'operation':'UPDATE'");
	told(f, "'data':{'k':'w'}},'oldObject':{'kind':'ConfigMap'");
	told(f, "'kind':'UpdateOptions'");
	(void)ask(f->x, "DELETE", MAPS "/m", ADMIN JSON,
		  quoted("{'kind':'DeleteOptions','apiVersion':'v1','gracePeriodSeconds':7,"
			 "'propagationPolicy':'Background'}"));
	assert_code(f->x, 200);
	told(f, "'operation':'DELETE'");
	told(f, "'object':null,'oldObject':{'kind':'ConfigMap'");
	told(f, "'options':{'kind':'DeleteOptions','apiVersion':'meta.k8s.io/v1',"
		"'gracePeriodSeconds':7,'propagationPolicy':'Background'}");
	assert_int_equal(f->nasked, 3);
	(void)get(f->x, MAPS);
	assert_int_equal(f->nasked, 3); /* reads are nobody's business */
}

static void a_denial_is_told_as_the_webhook_said(void **state)
{
	struct wfix *f = *state;

	hook_on(f, VALIDATING, "a", "/deny", ON_MAPS);
	apost(f->x, MAPS, MAP("m", ""), 422);
	assert_status(f->x, 422, "Invalid",
		      "admission webhook \"a.example.com\" denied the request: no such thing");
	ahas(f->x, "'status':'Failure'");
	(void)get(f->x, MAPS "/m");
	assert_code(f->x, 404);
	hooks_off(f);
	hook_on(f, VALIDATING, "a", "/deny-plain", ON_MAPS);
	apost(f->x, MAPS, MAP("m", ""), 400);
	ahas(f->x, "admission webhook \\'a.example.com\\' denied the request without explanation");
	hooks_off(f);
	hook_on(f, VALIDATING, "a", "/deny-odd", ON_MAPS);
	apost(f->x, MAPS, MAP("m", ""), 400);
	ahas(f->x, "denied the request: Because");
}

static void all_have_to_agree(void **state)
{
	struct wfix *f = *state;

	hook_on(f, VALIDATING, "b", "/deny", ON_MAPS);
	hook_on(f, VALIDATING, "c", "/allow", ON_MAPS);
	hook_on(f, VALIDATING, "a", "/allow", ON_MAPS);
	apost(f->x, MAPS, MAP("m", ""), 422);
	ahas(f->x, "b.example.com");
	assert_int_equal(f->nasked, 3);
}

static void updates_and_deletions_can_be_denied(void **state)
{
	struct wfix *f = *state;

	apost(f->x, MAPS, MAP("m", "'k':'v'"), 201);
	apost(f->x, MAPS, MAP("n", "'k':'v'"), 201);
	hook_on(f, VALIDATING, "a", "/deny", RULE("'UPDATE','DELETE'", "", "v1", "configmaps"));
	amerge(f->x, MAPS "/m", "{'data':{'k':'w'}}", 422);
	aput(f->x, MAPS "/m", MAP("m", "'k':'w'"), 422);
	(void)ask(f->x, "DELETE", MAPS "/m", ADMIN, NULL);
	assert_code(f->x, 422);
	f->nasked = 0;
	(void)ask(f->x, "DELETE", MAPS, ADMIN, NULL);
	assert_code(f->x, 422);
	assert_int_equal(f->nasked, 1); /* the first that refuses ends it */
	(void)get(f->x, MAPS);
	ahas(f->x, "'name':'m'");
	ahas(f->x, "'name':'n'");
	ahasnt(f->x, "'k':'w'");
	apost(f->x, MAPS, MAP("o", ""), 201);
}

static void a_collection_is_asked_about_one_by_one(void **state)
{
	struct wfix *f = *state;

	apost(f->x, MAPS, MAP("m", ""), 201);
	apost(f->x, MAPS, MAP("n", ""), 201);
	apost(f->x, MAPS, MAP("o", ""), 201);
	hook_on(f, VALIDATING, "a", "/allow", ON_MAPS);
	hook_on(f, MUTATING, "b", "/allow", ON_MAPS);
	(void)ask(f->x, "DELETE", MAPS "?dryRun=All", ADMIN, NULL);
	assert_code(f->x, 200);
	told(f, "'dryRun':true");
	assert_int_equal(f->nasked, 6);
	(void)ask(f->x, "DELETE", MAPS, ADMIN, NULL);
	assert_code(f->x, 200);
	assert_int_equal(f->nasked, 12);
	told(f, "'name':'o','namespace':'n1','operation':'DELETE'");
	(void)get(f->x, MAPS);
	ahas(f->x, "'items':[]");
}

/* ---- who is asked ---- */

static void rules_choose(void **state)
{
	static const struct {
		const char *rule;
		bool maps, status;
	} rows[] = {
		{ RULE("'CREATE'", "", "v1", "configmaps"), true, false },
		{ RULE("'*'", "*", "*", "*"), true, false },
		{ RULE("'*'", "*", "*", "*/*"), true, true },
		{ RULE("'*'", "*", "*", "*/status"), false, true },
		{ RULE("'*'", "", "v1", "pods/status"), false, true },
		{ RULE("'*'", "", "v1", "pods/*"), false, true },
		{ RULE("'UPDATE'", "", "v1", "configmaps"), false, false },
		{ RULE("'*'", "apps", "v1", "configmaps"), false, false },
		{ RULE("'*'", "", "v2", "configmaps"), false, false },
		{ "'rules':[{'operations':['*'],'apiGroups':['*'],'apiVersions':['*'],'resources':"
		  "['configmaps'],'scope':'Cluster'}]",
		  false, false },
		{ "'rules':[{'operations':['*'],'apiGroups':['*'],'apiVersions':['*'],'resources':"
		  "['configmaps'],'scope':'Namespaced'}]",
		  true, false },
		{ "'rules':[]", false, false },
	};
	struct wfix *f = *state;

	apost(f->x, PODS_N1, APOD("p", C1), 201);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char more[512];

		snprintf(more, sizeof(more), "%s%s", FAILS, rows[i].rule);
		hook_on(f, VALIDATING, "a", "/deny", more);
		apost(f->x, MAPS "?dryRun=All", MAP("m", ""), rows[i].maps ? 422 : 201);
		amerge(f->x, PODS_N1 "/p/status?dryRun=All", "{'status':{'message':'x'}}",
		       rows[i].status ? 422 : 200);
		hooks_off(f);
	}
	(void)ask(f->x, "DELETE", PODS_N1 "/p?gracePeriodSeconds=0", ADMIN, NULL);
	assert_code(f->x, 200);
}

static void selectors_choose(void **state)
{
	struct wfix *f = *state;

	hook_on(f, VALIDATING, "a", "/deny", "'objectSelector':{'matchLabels':{'v':'1'}}," ON_MAPS);
	apost(f->x, MAPS, MAP("m", ""), 201);
	amerge(f->x, MAPS "/m", "{'metadata':{'labels':{'v':'1'}}}", 422); /* the new one has it */
	hooks_off(f);
	amerge(f->x, MAPS "/m", "{'metadata':{'labels':{'v':'1'}}}", 200);
	hook_on(f, VALIDATING, "a", "/deny", "'objectSelector':{'matchLabels':{'v':'1'}}," ON_MAPS);
	amerge(f->x, MAPS "/m", "{'metadata':{'labels':{'v':null}}}", 422); /* the old one had it */
	hooks_off(f);
	hook_on(f, VALIDATING, "a", "/deny",
		"'namespaceSelector':{'matchExpressions':[{'key':'kubernetes.io/metadata.name',"
		"'operator':'NotIn','values':['n1']}]}," RULE("'*'", "*", "*", "*"));
	apost(f->x, MAPS, MAP("n", ""), 201);
	apost(f->x, "/api/v1/namespaces/default/configmaps", MAP("n", ""), 404);
	apost(f->x, "/api/v1/namespaces",
	      "{'apiVersion':'v1','kind':'Namespace','metadata':{'name':'n2','labels':{'a':'b'}}}",
	      422);
	told(f, "'name':'n2','namespace':'n2','operation':'CREATE'");
	/* What is of the cluster is never left out by namespaces. */
	apost(f->x, "/api/v1/nodes", "{'apiVersion':'v1','kind':'Node','metadata':{'name':'x'}}",
	      422);
}

static void equivalent_versions_are_converted(void **state)
{
#define HPAS "namespaces/n1/horizontalpodautoscalers"
#define HPA                                                                                   \
	"{'apiVersion':'autoscaling/v1','kind':'HorizontalPodAutoscaler','metadata':{'name':" \
	"'h'},'spec':{'maxReplicas':3,'targetCPUUtilizationPercentage':50,'scaleTargetRef':{" \
	"'kind':'Deployment','name':'d','apiVersion':'apps/v1'}}}"
	struct wfix *f = *state;

	hook_on(f, VALIDATING, "a", "/deny",
		RULE("'*'", "autoscaling", "v2", "horizontalpodautoscalers"));
	apost(f->x, "/apis/autoscaling/v1/" HPAS, HPA, 422);
	told(f, "'kind':{'group':'autoscaling','version':'v2','kind':'HorizontalPodAutoscaler'},"
		"'resource':{'group':'autoscaling','version':'v2',");
	told(f, "'requestKind':{'group':'autoscaling','version':'v1',");
	told(f, "'apiVersion':'autoscaling/v2'");
	told(f, "'metrics':[{");
	hooks_off(f);
	hook_on(f, VALIDATING, "a", "/deny",
		"'matchPolicy':'Exact'," RULE("'*'", "autoscaling", "v2",
					      "horizontalpodautoscalers"));
	apost(f->x, "/apis/autoscaling/v1/" HPAS "?dryRun=All", HPA, 201);
	hooks_off(f);
	f->patch = "[{'op':'add','path':'/spec/minReplicas','value':2}]";
	hook_on(f, MUTATING, "a", "/patch",
		RULE("'*'", "autoscaling", "v2", "horizontalpodautoscalers"));
	apost(f->x, "/apis/autoscaling/v1/" HPAS "?dryRun=All", HPA, 201);
	ahas(f->x, "'apiVersion':'autoscaling/v1'");
	ahas(f->x, "'minReplicas':2");
	ahas(f->x, "'targetCPUUtilizationPercentage':50");
}

static void configurations_are_nobodys_business(void **state)
{
	struct wfix *f = *state;

	f->patch = "[{'op':'add','path':'/metadata/labels','value':{'a':'b'}}]";
	hook_on(f, VALIDATING, "a", "/deny", RULE("'*'", "*", "*", "*"));
	hook_on(f, MUTATING, "b", "/patch", RULE("'*'", "*", "*", "*"));
	hook_on(f, VALIDATING, "c", "/allow", ON_MAPS);
	ahasnt(f->x, "'labels'");
	(void)ask(f->x, "DELETE", VALIDATING "/c", ADMIN, NULL);
	assert_code(f->x, 200);
	assert_int_equal(f->nasked, 0);
}

static void subresources_are_told_as_their_kinds(void **state)
{
#define DEPLOYMENTS "/apis/apps/v1/namespaces/n1/deployments"
	struct wfix *f = *state;

	apost(f->x, DEPLOYMENTS,
	      "{'apiVersion':'apps/v1','kind':'Deployment','metadata':{'name':'d'},'spec':{"
	      "'selector':{'matchLabels':{'a':'b'}},'template':{'metadata':{'labels':{'a':'b'}},"
	      "'spec':{" C1 "}}}}",
	      201);
	f->patch = "[{'op':'replace','path':'/spec/replicas','value':5}]";
	hook_on(f, MUTATING, "a", "/patch", RULE("'*'", "apps", "v1", "deployments/scale"));
	amerge(f->x, DEPLOYMENTS "/d/scale", "{'spec':{'replicas':3}}", 200);
	ahas(f->x, "'replicas':5");
	told(f, "'kind':{'group':'autoscaling','version':'v1','kind':'Scale'},'resource':{'group':"
		"'apps','version':'v1','resource':'deployments'},'subResource':'scale'");
	told(f, "'object':{'kind':'Scale','apiVersion':'autoscaling/v1'");
	told(f, "'oldObject':{'kind':'Scale'");
	(void)get(f->x, DEPLOYMENTS "/d");
	ahas(f->x, "'replicas':5");
	hooks_off(f);
	apost(f->x, PODS_N1, APOD("p", C1), 201);
	hook_on(f, VALIDATING, "a", "/deny", RULE("'*'", "", "v1", "pods/eviction"));
	hook_on(f, VALIDATING, "b", "/deny", RULE("'*'", "", "v1", "pods/binding"));
	hook_on(f, VALIDATING, "c", "/deny", RULE("'CONNECT'", "", "v1", "pods/attach"));
	apost(f->x, PODS_N1 "/p/eviction",
	      "{'apiVersion':'policy/v1','kind':'Eviction','metadata':{'name':'p'}}", 422);
	told(f, "'kind':{'group':'policy','version':'v1','kind':'Eviction'}");
	told(f, "'subResource':'eviction'");
	apost(f->x, PODS_N1 "/p/binding",
	      "{'apiVersion':'v1','kind':'Binding','metadata':{'name':'p'},'target':{'kind':'Node',"
	      "'name':'x'}}",
	      422);
	told(f, "'object':{'kind':'Binding'");
	(void)ask(f->x, "POST", PODS_N1 "/p/attach?container=c&stdin=1&stdout=true&tty=false",
		  ADMIN, NULL);
	assert_status(f->x, 422, "Invalid", "\"c.example.com\" denied the request");
	told(f, "'name':'p','namespace':'n1','operation':'CONNECT'");
	told(f, "'object':{'kind':'PodAttachOptions','apiVersion':'v1','stdin':true,'stdout':true,"
		"'container':'c'},'oldObject':null");
	hooks_off(f);
	(void)ask(f->x, "DELETE", PODS_N1 "/p?gracePeriodSeconds=0", ADMIN, NULL);
	assert_code(f->x, 200);
	(void)ask(f->x, "DELETE", DEPLOYMENTS "/d", ADMIN, NULL);
	assert_code(f->x, 200);
}

/* ---- mutating ---- */

static void patches_are_applied_defaulted_and_checked(void **state)
{
	struct wfix *f = *state;

	f->patch = "[{'op':'add','path':'/data/more','value':'1'},{'op':'add','path':"
		   "'/strange','value':'1'}]";
	hook_on(f, MUTATING, "a", "/patch", ON_MAPS);
	apost(f->x, MAPS, MAP("m", "'k':'v'"), 201);
	ahas(f->x, "'data':{'k':'v','more':'1'}");
	ahasnt(f->x, "strange");
	ahas(f->x, "'uid':'");
	ahas(f->x, "'creationTimestamp':'");
	untold(f, "'creationTimestamp':'"); /* it is yet to be made */
	(void)get(f->x, MAPS "/m");
	ahas(f->x, "'more':'1'");
	hooks_off(f);
	f->patch =
		"[{'op':'add','path':'/spec/initContainers','value':[{'name':'i','image':'x'}]}]";
	hook_on(f, MUTATING, "a", "/patch", RULE("'CREATE'", "", "v1", "pods"));
	apost(f->x, PODS_N1 "?dryRun=All", APOD("p", C1), 201);
	ahas(f->x, "'initContainers':[{'name':'i','image':'x','resources':{},"
		   "'terminationMessagePath':'/dev/termination-log'");
	f->patch = "[{'op':'add','path':'/spec/containers','value':[]}]";
	apost(f->x, PODS_N1 "?dryRun=All", APOD("p", C1), 422);
	ahas(f->x, "spec.containers: Required value");
}

static void what_only_the_server_gives_stays(void **state)
{
	struct wfix *f = *state;

	f->patch = "[{'op':'add','path':'/metadata/uid','value':'mine'},{'op':'add','path':"
		   "'/metadata/creationTimestamp','value':'2001-01-01T00:00:00Z'},{'op':'add',"
		   "'path':'/metadata/labels','value':{'a':'b'}}]";
	hook_on(f, MUTATING, "a", "/patch", ON_MAPS);
	apost(f->x, MAPS, "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'generateName':'g-'}}",
	      201);
	untold(f, "'name':'g-");
	ahas(f->x, "'name':'g-");
	ahasnt(f->x, "'uid':'mine'");
	ahasnt(f->x, "2001-");
	ahas(f->x, "'labels':{'a':'b'}");
	f->patch = "[{'op':'replace','path':'/metadata/name','value':'other'}]";
	apost(f->x, MAPS, MAP("m", ""), 201);
	ahas(f->x, "'name':'other'");
	(void)get(f->x, MAPS "/other");
	assert_code(f->x, 200);
	f->patch = "[{'op':'replace','path':'/metadata/name','value':'another'}]";
	amerge(f->x, MAPS "/other", "{'data':{'x':'y'}}", 422);
	ahas(f->x, "metadata.name: Invalid value");
	f->patch = "[{'op':'replace','path':'/kind','value':'Secret'}]";
	apost(f->x, MAPS, MAP("m", ""), 500);
	f->patch = "[{'op':'replace','path':'/nowhere','value':'x'}]";
	apost(f->x, MAPS, MAP("m", ""), 500);
	ahas(f->x, "InternalError");
	f->patch = "[{'op':'remove','path':'/metadata'}]";
	apost(f->x, MAPS, MAP("m", ""), 422);
}

static void each_sees_what_those_before_it_made(void **state)
{
	struct wfix *f = *state;

	f->patch = "[{'op':'add','path':'/data/x','value':'1'}]";
	hook_on(f, MUTATING, "b", "/patch", ON_MAPS);
	hook_on(f, MUTATING, "c", "/allow", ON_MAPS);
	hook_on(f, VALIDATING, "a", "/allow", ON_MAPS);
	apost(f->x, MAPS, MAP("m", "'k':'v'"), 201);
	assert_int_equal(f->nasked, 3);
	assert_string_equal(f->path[0], "/patch");
	assert_string_equal(f->path[1], "/allow");
	told(f, "'data':{'k':'v','x':'1'}");
	told(f, "'uid':'");
}

static void those_who_want_to_are_asked_once_more(void **state)
{
	struct wfix *f = *state;

	f->patch = "[{'op':'add','path':'/data/x','value':'1'}]";
	hook_on(f, MUTATING, "a", "/allow-a", "'reinvocationPolicy':'IfNeeded'," ON_MAPS);
	hook_on(f, MUTATING, "b", "/allow-b", ON_MAPS);
	hook_on(f, MUTATING, "c", "/patch", "'reinvocationPolicy':'IfNeeded'," ON_MAPS);
	apost(f->x, MAPS, MAP("m", "'k':'v'"), 201);
	assert_int_equal(f->nasked, 4);
	assert_string_equal(f->path[3], "/allow-a");
	told(f, "'x':'1'");
	f->nasked = 0;
	amerge(f->x, MAPS "/m", "{'data':{'k':'w'}}", 200); /* x is there: nothing is changed */
	assert_int_equal(f->nasked, 3);
}

static void nothing_can_be_made_of_what_goes(void **state)
{
	struct wfix *f = *state;

	apost(f->x, MAPS, MAP("m", ""), 201);
	f->patch = "[{'op':'add','path':'/data','value':{}}]";
	hook_on(f, MUTATING, "a", "/patch", ON_MAPS);
	(void)ask(f->x, "DELETE", MAPS "/m", ADMIN, NULL);
	assert_status(f->x, 500, "InternalError", "not supported for this operation");
	hooks_off(f);
	hook_on(f, VALIDATING, "a", "/patch", ON_MAPS);
	(void)ask(f->x, "DELETE", MAPS "/m", ADMIN, NULL);
	assert_status(f->x, 500, "InternalError",
		      "received invalid webhook response: validating webhook may not return "
		      "response.patch");
}

/* ---- failures ---- */

static void who_cannot_be_asked_fails_or_is_passed_over(void **state)
{
	static const struct {
		const char *path, *why;
	} rows[] = {
		{ "/lie-uid", "received invalid webhook response: expected response.uid=" },
		{ "/lie-kind", "received invalid webhook response: expected webhook response of" },
		{ "/lie-type", "received invalid webhook response: response.allowed is of type" },
		{ "/lie-patch", "unsupported patch type \"MergePatch\"" },
		{ "/nothing", "received invalid webhook response: " },
		{ "/garbage", "received invalid webhook response: " },
		{ "/huge", "failed to call webhook: Post " },
		{ "/redirect", "redirects are not followed" },
		{ "/error", "failed to call webhook: Post "
			    "\"https://hook.n1.svc:443/error?timeout=10s\": the server responded "
			    "with status 500" },
	};
	struct wfix *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		hook_on(f, MUTATING, "a", rows[i].path, FAILS ON_MAPS);
		apost(f->x, MAPS, MAP("m", ""), 500);
		assert_status(
			f->x, 500, "InternalError",
			"Internal error occurred: failed calling webhook \"a.example.com\": ");
		assert_status(f->x, 500, "InternalError", rows[i].why);
		hooks_off(f);
		hook_on(f, MUTATING, "a", rows[i].path, OPEN ON_MAPS);
		apost(f->x, MAPS "?dryRun=All", MAP("m", ""), 201);
		hooks_off(f);
	}
}

static void addresses_that_do_not_answer_are_named(void **state)
{
	struct wfix *f = *state;
	char hook[8192];

	snprintf(hook, sizeof(hook),
		 "{'name':'a.example.com','clientConfig':{'service':{'namespace':'n1','name':"
		 "'none'},'caBundle':'%s'},'sideEffects':'None','admissionReviewVersions':['v1'],%"
		 "s}",
		 f->ca, ON_MAPS);
	hook_config(f, VALIDATING, "a", hook, 201);
	apost(f->x, MAPS, MAP("m", ""), 500);
	assert_status(f->x, 500, "InternalError",
		      "Post \"https://none.n1.svc:443/?timeout=10s\": service \"none\" not found");
	hooks_off(f);
	snprintf(hook, sizeof(hook),
		 "{'name':'a.example.com','clientConfig':{'service':{'namespace':'n1','name':"
		 "'hook','port':9},'caBundle':'%s'},'sideEffects':'None',"
		 "'admissionReviewVersions':['v1'],%s}",
		 f->ca, ON_MAPS);
	hook_config(f, VALIDATING, "a", hook, 201);
	apost(f->x, MAPS, MAP("m", ""), 500);
	assert_status(f->x, 500, "InternalError", "no service port 9 found for service \"hook\"");
	hooks_off(f);
	/* By its address: the certificate has it; nobody vouches for it without the bundle. */
	snprintf(hook, sizeof(hook),
		 "{'name':'a.example.com','clientConfig':{'url':'https://" AGENT_IP
		 ":%u/allow','caBundle':'%s'},'sideEffects':'None','admissionReviewVersions':"
		 "['v1'],%s}",
		 f->port, f->ca, ON_MAPS);
	hook_config(f, VALIDATING, "a", hook, 201);
	apost(f->x, MAPS "?dryRun=All", MAP("m", ""), 201);
	hooks_off(f);
	snprintf(hook, sizeof(hook),
		 "{'name':'a.example.com','clientConfig':{'url':'https://" AGENT_IP
		 ":%u/allow'},'sideEffects':'None','admissionReviewVersions':['v1'],%s}",
		 f->port, ON_MAPS);
	hook_config(f, VALIDATING, "a", hook, 201);
	apost(f->x, MAPS, MAP("m", ""), 500);
	assert_status(f->x, 500, "InternalError", "failed to call webhook: Post ");
	hooks_off(f);
	snprintf(hook, sizeof(hook),
		 "{'name':'a.example.com','clientConfig':{'url':'https://" AGENT_IP
		 ":1/allow','caBundle':'%s'},'sideEffects':'None','admissionReviewVersions':"
		 "['v1'],%s}",
		 f->ca, ON_MAPS);
	hook_config(f, VALIDATING, "a", hook, 201);
	apost(f->x, MAPS, MAP("m", ""), 500);
	assert_status(f->x, 500, "InternalError", "failed to call webhook: Post ");
}

static void who_is_slow_has_its_time_and_no_more(void **state)
{
	struct wfix *f = *state;
	const int64_t since = clock_mono();

	hook_on(f, VALIDATING, "a", "/slow", "'timeoutSeconds':1," ON_MAPS);
	apost(f->x, MAPS, MAP("m", ""), 500);
	assert_status(f->x, 500, "InternalError",
		      "failed calling webhook \"a.example.com\": failed to call webhook: Post "
		      "\"https://hook.n1.svc:443/slow?timeout=1s\": context deadline exceeded");
	assert_true(clock_mono() - since > NS_PER_SEC - 100 * NS_PER_MS);
	hooks_off(f);
	/* The request's own time is shorter. */
	f->slow_closed = false;
	hook_on(f, VALIDATING, "a", "/slow", "'timeoutSeconds':30," ON_MAPS);
	apost(f->x, MAPS "?timeout=300ms", MAP("m", ""), 504);
	assert_status(f->x, 504, "Timeout", "within the allotted timeout");
	until(f, f->slow_closed); /* nobody waits any more */
	hooks_off(f);
	(void)get(f->x, MAPS "/m");
	assert_code(f->x, 404);
}

/* Policies come first, and once more when a webhook changed something that they want to know of. */
static void policies_run_before_webhooks(void **state)
{
	static const char spec[] =
		"{'apiVersion':'admissionregistration.k8s.io/v1','kind':'MutatingAdmissionPolicy',"
		"'metadata':{'name':'p'},'spec':{'reinvocationPolicy':'IfNeeded','matchConstraints'"
		":{"
		"'resourceRules':[{'operations':['CREATE'],'apiGroups':[''],'apiVersions':['v1'],"
		"'resources':['configmaps']}]},'mutations':[{'patchType':'ApplyConfiguration',"
		"'applyConfiguration':{'expression':'Object{data: {\\'by\\': has(object.data.x) ? "
		"\\'both\\' : \\'policy\\'}}'}}]}}";
	struct wfix *f = *state;
	char text[2048], *to = text;

	for (const char *p = spec; *p; p++) /* \\' is CEL's own quote */
		if (p[0] == '\\' && p[1] == '\'')
			*to++ = *++p;
		else
			*to++ = *p == '\'' ? '"' : *p;
	*to = '\0';
	(void)post(f->x, GROUPS "/mutatingadmissionpolicies", text);
	assert_code(f->x, 201);
	apost(f->x, GROUPS "/mutatingadmissionpolicybindings",
	      "{'apiVersion':'admissionregistration.k8s.io/v1','kind':"
	      "'MutatingAdmissionPolicyBinding','metadata':{'name':'b'},'spec':{'policyName':'p'}}",
	      201);
	f->patch = "[{'op':'add','path':'/data/x','value':'1'}]";
	hook_on(f, MUTATING, "a", "/patch", ON_MAPS);
	apost(f->x, MAPS, MAP("m", "'k':'v'"), 201);
	told(f, "'data':{'by':'policy','k':'v'}");
	assert_int_equal(f->nasked, 1);
	ahas(f->x, "'data':{'by':'both','k':'v','x':'1'}");
	(void)ask(f->x, "DELETE", GROUPS "/mutatingadmissionpolicies/p", ADMIN, NULL);
	assert_code(f->x, 200);
	(void)ask(f->x, "DELETE", GROUPS "/mutatingadmissionpolicybindings/b", ADMIN, NULL);
	assert_code(f->x, 200);
}

/* A world that went on meanwhile: the write is prepared, and asked about, again. */
static void what_changed_meanwhile_is_asked_about_anew(void **state)
{
	struct wfix *f = *state;
	struct peer p;

	apost(f->x, MAPS, MAP("m", "'k':'v'"), 201);
	hook_on(f, VALIDATING, "a", "/slow",
		"'timeoutSeconds':1,'failurePolicy':'Ignore','objectSelector':{'matchLabels':"
		"{'slow':'1'}}," ON_MAPS);
	peer_open(f->x, &p);
	peer_send(&p, "PATCH", MAPS "/m", ADMIN MERGE,
		  quoted("{'metadata':{'labels':{'slow':'1'}}}"));
	until(f, f->held == 1);
	amerge(f->x, MAPS "/m", "{'data':{'k':'w'}}", 200);
	peer_answer(&p, false);
	assert_code(f->x, 200);
	ahas(f->x, "'slow':'1'");
	ahas(f->x, "'k':'w'");
	assert_int_equal(f->held, 2);
	peer_close(&p);
}

static void side_effects_have_to_be_told(void **state)
{
	struct wfix *f = *state;
	char hook[16384];

	assert_true(str_copy(hook, sizeof(hook), hook_text(f, "a.example.com", "/allow", ON_MAPS)));
	memcpy(strstr(hook, "'None'"), "'Some'", 6);
	hook_config(f, VALIDATING, "a", hook, 422); /* v1 does not have it */
}

#define IF(expression) "'matchConditions':[{'name':'x','expression':'" expression "'}],"

static void conditions_choose(void **state)
{
	static const struct {
		const char *condition;
		int code; /* of who is denied when it holds */
	} rows[] = {
		{ IF("true"), 422 },
		{ IF("false"), 201 },
		{ IF("object.metadata.name == \\'m\\'"), 422 },
		{ IF("object.metadata.name.startsWith(\\'x\\')"), 201 },
		{ IF("oldObject == null && request.operation == \\'CREATE\\'"), 422 },
		{ IF("request.kind.kind == \\'ConfigMap\\' && request.resource.group == \\'\\'"),
		  422 },
		{ IF("\\'system:masters\\' in request.userInfo.groups && request.dryRun"), 422 },
		{ IF("request.options.fieldManager == \\'me\\'"), 422 },
		{ IF("has(request.subResource)"), 201 },
		{ IF("authorizer.requestResource.check(\\'create\\').allowed()"), 422 },
		{ IF("authorizer.requestResource.check(\\'create\\').errored()"), 201 },
		{ IF("authorizer.path(\\'/x\\').check(\\'get\\').reason() == \\'\\'"), 422 },
		{ IF("authorizer.serviceAccount(\\'n1\\',\\'a\\').group(\\'\\')"
		     ".resource(\\'pods\\').check(\\'get\\').allowed()"),
		  201 },
		{ IF("authorizer.serviceAccount(\\'n1\\',\\'a:b\\').path(\\'/x\\').check("
		     "\\'get\\').allowed()"),
		  403 },
		{ IF("authorizer.path(\\'/\\\\u0000\\').check(\\'get\\').allowed()"), 403 },
		{ IF("authorizer.serviceAccount(\\'\\',\\'\\').path(\\'/x\\').check(\\'get\\')"
		     ".allowed()"),
		  403 }, /* not the user */
		{ IF("authorizer.path(\\' \\').check(\\'get\\').allowed()"), 403 },
		{ "'matchConditions':[{'name':'a','expression':'object.nothing == 1'},{'name':'b',"
		  "'expression':'false'}],",
		  201 },
		{ IF("object.nothing == 1"), 403 },
		{ "'failurePolicy':'Ignore'," IF("object.nothing == 1"), 201 },
		{ IF("[1,2,3,4,5,6,7,8,9,10].all(a,[1,2,3,4,5,6,7,8,9,10].all(b,[1,2,3,4,5,6,7,8,9,"
		     "10].all(c,[1,2,3,4,5,6,7,8,9,10].all(d,[1,2,3,4,5,6,7,8,9,10].all(e,[1,2,3,"
		     "4,5,6,7,8,9,10].all(f,a+b+c+d+e+f>0))))))"),
		  403 },
	};
	static const char *const bad[] = {
		IF("object.metadata.name =="), IF("1"), IF("nothing"), IF("request.nothing == 1"),
		IF("authorizer == 1"),
	};
	struct wfix *f = *state;
	char more[2048];

	for (size_t i = 0; i < 2 * ARRAY_LEN(rows); i++) {
		const int code = rows[i / 2].code;

		snprintf(more, sizeof(more), "%s%s", rows[i / 2].condition, ON_MAPS);
		hook_on(f, i % 2 ? VALIDATING : MUTATING, "a", "/deny", more);
		apost(f->x, MAPS "?dryRun=All&fieldManager=me", MAP("m", ""), code);
		if (code == 403)
			ahas(f->x, "match conditions of webhook");
		hooks_off(f);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		snprintf(more, sizeof(more), "%s%s", bad[i], ON_MAPS);
		hook_config(f, VALIDATING, "a", hook_text(f, "a.example.com", "/deny", more), 422);
		ahas(f->x, "webhooks[0].matchConditions[0].expression");
		ahas(f->x, "compilation failed");
	}
}

/* What a webhook sees as the old object is what is stored, not what the request makes of it. */
static void cve_2021_25735_the_old_node_is_the_stored_one(void **state)
{
	struct wfix *f = *state;

	apost(f->x, "/api/v1/nodes",
	      "{'apiVersion':'v1','kind':'Node','metadata':{'name':'w','labels':{'changeAllowed':"
	      "'false'}}}",
	      201);
	hook_on(f, VALIDATING, "a", "/deny",
		"'matchConditions':[{'name':'x','expression':'oldObject.metadata.labels."
		"changeAllowed"
		" == \\'false\\''}]," RULE("'UPDATE'", "", "v1", "nodes"));
	amerge(f->x, "/api/v1/nodes/w", "{'metadata':{'labels':{'changeAllowed':'true'}}}", 422);
	told(f, "'labels':{'changeAllowed':'true'}");
	if (!strstr(strstr(hook_was_told(f), "\"oldObject\""), "\"changeAllowed\":\"false\""))
		fail_msg("%s", hook_was_told(f));
	hooks_off(f);
	(void)ask(f->x, "DELETE", "/api/v1/nodes/w", ADMIN, NULL);
	assert_code(f->x, 200);
}

#define REVIEWS "/apis/authorization.k8s.io/v1/"
#define REVIEW(kind, more) \
	"{'apiVersion':'authorization.k8s.io/v1','kind':'" kind "','spec':{" more "}}"
#define MAY_JO                        \
	REVIEW("SubjectAccessReview", \
	       "'user':'jo','nonResourceAttributes':{'path':'/x','verb':'get'}")

/* Nothing is kept of them, and they are made all the same. */
static void reviews_are_asked_about(void **state)
{
	static const struct {
		const char *path, *body;
	} rows[] = {
		{ REVIEWS "subjectaccessreviews", MAY_JO },
		{ REVIEWS "selfsubjectaccessreviews",
		  REVIEW("SelfSubjectAccessReview",
			 "'nonResourceAttributes':{'path':'/x','verb':'get'}") },
		{ REVIEWS "namespaces/n1/localsubjectaccessreviews",
		  REVIEW("LocalSubjectAccessReview",
			 "'user':'jo','resourceAttributes':{'namespace':'n1','verb':'get',"
			 "'resource':'pods'}") },
		{ REVIEWS "selfsubjectrulesreviews",
		  REVIEW("SelfSubjectRulesReview", "'namespace':'n1'") },
		{ "/apis/authentication.k8s.io/v1/tokenreviews",
		  "{'apiVersion':'authentication.k8s.io/v1','kind':'TokenReview','spec':{'token':"
		  "'t'}}" },
		{ "/apis/authentication.k8s.io/v1/selfsubjectreviews",
		  "{'apiVersion':'authentication.k8s.io/v1','kind':'SelfSubjectReview'}" },
	};
	struct wfix *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		hook_on(f, i % 2 ? MUTATING : VALIDATING, "a", "/deny",
			RULE("'CREATE'", "*", "v1", "*"));
		apost(f->x, rows[i].path, rows[i].body, 422);
		ahas(f->x, "a.example.com");
		told(f, "'operation':'CREATE'");
		if (strstr(rows[i].path, "/namespaces/"))
			told(f, "'namespace':'n1','operation'");
		hooks_off(f);
		apost(f->x, rows[i].path, rows[i].body, 201);
	}
	hook_on(f, MUTATING, "a", "/patch", RULE("'*'", "*", "v1", "subjectaccessreviews"));
	f->patch = "[{'op':'add','path':'/spec/groups','value':['system:masters']}]";
	apost(f->x, REVIEWS "subjectaccessreviews", MAY_JO, 201);
	ahas(f->x, "'allowed':true");
	told(f, "'kind':{'group':'authorization.k8s.io','version':'v1','kind':"
		"'SubjectAccessReview'}");
	f->patch = "[{'op':'remove','path':'/spec/user'}]";
	apost(f->x, REVIEWS "subjectaccessreviews", MAY_JO, 422);
	f->patch = "[]";
}

/* Three at once for two places: what collides is the charge, and webhooks are asked once of each.
 */
static void quotas_are_charged_when_all_have_agreed(void **state)
{
#define QUOTAS "/api/v1/namespaces/n1/resourcequotas"
	static const char *const maps[] = { MAP("m", ""), MAP("n", ""), MAP("o", "") };
	struct wfix *f = *state;
	struct peer p[ARRAY_LEN(maps)];
	int made = 0, refused = 0;

	apost(f->x, QUOTAS,
	      "{'apiVersion':'v1','kind':'ResourceQuota','metadata':{'name':'q'},'spec':{'hard':{"
	      "'count/configmaps':'2'}}}",
	      201);
	hook_on(f, VALIDATING, "a", "/allow", ON_MAPS);
	for (size_t i = 0; i < ARRAY_LEN(p); i++) {
		peer_open(f->x, &p[i]);
		peer_send(&p[i], "POST", MAPS, ADMIN JSON, quoted(maps[i]));
	}
	for (size_t i = 0; i < ARRAY_LEN(p); i++) {
		peer_answer(&p[i], false);
		made += f->x->code == 201;
		refused += f->x->code == 403;
		peer_close(&p[i]);
	}
	assert_int_equal(made, 2);
	assert_int_equal(refused, 1);
	assert_int_equal(f->nasked, 3);
	(void)get(f->x, QUOTAS "/q");
	ahas(f->x, "'used':{'count/configmaps':'2'}");
	(void)ask(f->x, "DELETE", QUOTAS "/q", ADMIN, NULL);
	assert_code(f->x, 200);
}

static void warnings_reach_the_client(void **state)
{
	struct wfix *f = *state;

	hook_on(f, VALIDATING, "a", "/tell", ON_MAPS);
	apost(f->x, MAPS, MAP("m", ""), 201);
	awarned(f->x, "be careful");
}

static void older_reviews_are_spoken(void **state)
{
	struct wfix *f = *state;
	char hook[16384];
	char *at;

	assert_true(str_copy(hook, sizeof(hook), hook_text(f, "a.example.com", "/allow", ON_MAPS)));
	at = strstr(hook, "['v1'],'rules'");
	assert_non_null(at);
	memmove(at + strlen("['v1beta1']"), at + strlen("['v1']"),
		strlen(at + strlen("['v1']")) + 1);
	memcpy(at, "['v1beta1']", strlen("['v1beta1']"));
	hook_config(f, VALIDATING, "a", hook, 201);
	apost(f->x, MAPS, MAP("m", ""), 500); /* it is answered in v1 */
	told(f, "'apiVersion':'admission.k8s.io/v1beta1'");
	ahas(f->x, "expected webhook response of admission.k8s.io/v1beta1");
}

static void they_are_counted(void **state)
{
	struct wfix *f = *state;

	hook_on(f, VALIDATING, "counted", "/deny", ON_MAPS);
	apost(f->x, MAPS, MAP("m", ""), 422);
	(void)get(f->x, "/metrics");
	assert_has(f->x, "apiserver_admission_webhook_rejection_count{error_type=\"no_error\","
			 "name=\"counted.example.com\",operation=\"CREATE\",rejection_code=\"422\","
			 "type=\"validating\"} 1");
	assert_has(f->x, "apiserver_admission_webhook_admission_duration_seconds_count{"
			 "name=\"counted.example.com\"");
	assert_has(f->x, "apiserver_admission_webhook_fail_open_count{name=\"a.example.com\",type="
			 "\"admit\"}");
}

/* A kubeconfig that has one user: who we are for `host`. */
static void save_users(struct wfix *f, const char *file, const char *host, const char *token)
{
	char path[128], text[512];

	snprintf(path, sizeof(path), "%s/%s", f->x->f->dir, file);
	snprintf(text, sizeof(text), "users: [{name: '%s', user: {token: %s}}]\n", host, token);
	assert_int_equal(fd_replace_file(AT_FDCWD, path, text, strlen(text), 0600, NULL), 0);
}

static void the_server_says_who_it_is(void **state)
{
	struct wfix *f = *state;
	char text[2048];

	hook_on(f, VALIDATING, "v", "/allow", ON_MAPS);
	apost(f->x, MAPS, MAP("m", ""), 201);
	assert_string_equal(f->token, "");
	save_users(f, "v", "hook.n1.svc", "for-v");
	save_users(f, "m", "*.svc:443", "for-m");
#define USERS_OF(name, file)                                                             \
	"{'name':'" name "','configuration':{'apiVersion':'apiserver.config.k8s.io/v1'," \
	"'kind':'WebhookAdmissionConfiguration','kubeConfigFile':'%s/" file "'}}"
	snprintf(text, sizeof(text),
		 ACONF(USERS_OF("ValidatingAdmissionWebhook",
				"v") "," USERS_OF("MutatingAdmissionWebhook", "m")),
		 f->x->f->dir, f->x->f->dir);
	afix_configure(f->x, NULL, text);
	apost(f->x, MAPS, MAP("n", ""), 201);
	assert_string_equal(f->token, "Bearer for-v");
	hooks_off(f);
	hook_on(f, MUTATING, "m", "/allow", ON_MAPS);
	apost(f->x, MAPS, MAP("o", ""), 201);
	assert_string_equal(f->token, "Bearer for-m");
	hooks_off(f);
	save_users(f, "v", "hook.n2.svc", "for-v"); /* of somebody else */
	afix_configure(f->x, NULL, text);
	hook_on(f, VALIDATING, "v", "/allow", ON_MAPS);
	apost(f->x, MAPS, MAP("p", ""), 201);
	assert_string_equal(f->token, "");
	afix_open(f->x, NULL, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HCASE(policies_run_before_webhooks),
		HCASE(what_is_allowed_is_stored),
		HCASE(a_denial_is_told_as_the_webhook_said),
		HCASE(all_have_to_agree),
		HCASE(updates_and_deletions_can_be_denied),
		HCASE(a_collection_is_asked_about_one_by_one),
		HCASE(rules_choose),
		HCASE(selectors_choose),
		HCASE(equivalent_versions_are_converted),
		HCASE(configurations_are_nobodys_business),
		HCASE(subresources_are_told_as_their_kinds),
		HCASE(patches_are_applied_defaulted_and_checked),
		HCASE(what_only_the_server_gives_stays),
		HCASE(each_sees_what_those_before_it_made),
		HCASE(those_who_want_to_are_asked_once_more),
		HCASE(nothing_can_be_made_of_what_goes),
		HCASE(who_cannot_be_asked_fails_or_is_passed_over),
		HCASE(addresses_that_do_not_answer_are_named),
		HCASE(who_is_slow_has_its_time_and_no_more),
		HCASE(what_changed_meanwhile_is_asked_about_anew),
		HCASE(side_effects_have_to_be_told),
		HCASE(conditions_choose),
		HCASE(reviews_are_asked_about),
		HCASE(cve_2021_25735_the_old_node_is_the_stored_one),
		HCASE(quotas_are_charged_when_all_have_agreed),
		HCASE(warnings_reach_the_client),
		HCASE(older_reviews_are_spoken),
		HCASE(they_are_counted),
		HCASE(the_server_says_who_it_is),
	};

	return cmocka_run_group_tests(tests, hook_group, hook_group_end);
}
