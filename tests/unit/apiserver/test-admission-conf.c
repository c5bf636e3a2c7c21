/* SPDX-License-Identifier: Apache-2.0 */
/* Plugins with a configuration of their own, in a whole server. (Images: test-admission-images.) */
#include "admission-fix.h"

/* ---- PodSecurity ---- */

#define PODSEC(more)                                                                              \
	ACONF("{'name':'PodSecurity','configuration':{'apiVersion':"                              \
	      "'pod-security.admission.config.k8s.io/v1','kind':'PodSecurityConfiguration'," more \
	      "}}")
#define NAKED "'hostNetwork':true," C1

static void namespaces_without_labels_have_the_defaults(void **state)
{
	struct rfix *x = *state;

	afix_configure(x, NULL, PODSEC("'defaults':{'enforce':'baseline','warn':'restricted'}"));
	apost(x, PODS, APOD("a", NAKED), 403);
	arefused(x, "pods \"a\" is forbidden: violates PodSecurity \"baseline:latest\": host "
		    "namespaces (hostNetwork=true)");
	apost(x, PODS, APOD("a", C1), 201);
	awarned(x, "would violate PodSecurity \\\"restricted:latest\\\"");
	/* what a label says goes first */
	amerge(x, "/api/v1/namespaces/n1",
	       "{'metadata':{'labels':{'pod-security.kubernetes.io/enforce':'privileged'}}}", 200);
	apost(x, PODS, APOD("b", NAKED), 201);
	/* a workload is warned of */
	apost(x, "/api/v1/namespaces/n1/podtemplates",
	      "{'apiVersion':'v1','kind':'PodTemplate','metadata':{'name':'t'},'template':{"
	      "'spec':{" C1 "}}}",
	      201);
	awarned(x, "would violate PodSecurity");
}

static void some_are_exempt(void **state)
{
	struct rfix *x = *state;

	afix_configure(x, NULL,
		       PODSEC("'defaults':{'enforce':'restricted','warn':'restricted'},"
			      "'exemptions':{'namespaces':['n2'],'usernames':['jo'],"
			      "'runtimeClasses':['vm']}"));
	apost(x, PODS, APOD("a", C1), 403);
	make_namespace(x, "n2");
	apost(x, "/api/v1/namespaces/n2/pods", APOD("a", NAKED), 201);
	assert_null(header_of(x, "Warning"));
	apost(x, "/apis/node.k8s.io/v1/runtimeclasses",
	      "{'apiVersion':'node.k8s.io/v1','kind':'RuntimeClass','metadata':{'name':'vm'},"
	      "'handler':'vm'}",
	      201);
	apost(x, PODS, APOD("c", NAKED ",'runtimeClassName':'vm'"), 201);
	afix_configure(x, NULL,
		       PODSEC("'defaults':{'enforce':'restricted'},'exemptions':{'usernames':["
			      "'admin']}"));
	apost(x, PODS, APOD("d", NAKED), 201);
}

static void labels_of_exempt_namespaces_are_warned_of(void **state)
{
	struct rfix *x = *state;

	afix_configure(x, NULL, PODSEC("'exemptions':{'namespaces':['n1','n3']}"));
	apost(x, PODS, APOD("a", NAKED), 201);
	amerge(x, "/api/v1/namespaces/n1",
	       "{'metadata':{'labels':{'pod-security.kubernetes.io/enforce':'baseline',"
	       "'pod-security.kubernetes.io/enforce-version':'v1.30'}}}",
	       200);
	awarned(x, "namespace \\\"n1\\\" is exempt from Pod Security, and the policy "
		   "(enforce=baseline:v1.30) will be ignored");
	apost(x, "/api/v1/namespaces",
	      "{'apiVersion':'v1','kind':'Namespace','metadata':{'name':'n3','labels':{"
	      "'pod-security.kubernetes.io/audit':'restricted'}}}",
	      201);
	awarned(x, "(audit=restricted:latest) will be ignored");
}

/* ---- PodNodeSelector ---- */

#define SELECTORS(map)                                      \
	ACONF("{'name':'PodNodeSelector','configuration':{" \
	      "'podNodeSelectorPluginConfig':{" map "}}}")

static void pods_go_where_their_namespace_is(void **state)
{
	struct rfix *x = *state;

	afix_configure(x, "PodNodeSelector",
		       SELECTORS("'clusterDefaultNodeSelector':'env=test','n1':'env=test,tier=a'"));
	apost(x, PODS, APOD("a", C1), 201);
	ahas(x, "'nodeSelector':{'env':'test'}");
	apost(x, PODS, APOD("b", C1 ",'nodeSelector':{'tier':'a'}"), 201);
	ahas(x, "'nodeSelector':{'env':'test','tier':'a'}");
	apost(x, PODS, APOD("c", C1 ",'nodeSelector':{'env':'prod'}"), 403);
	arefused(x, "pods \"c\" is forbidden: pod node label selector conflicts with its namespace "
		    "node label selector");
	apost(x, PODS, APOD("c", C1 ",'nodeSelector':{'tier':'b'}"), 403);
	arefused(x, "pod node label selector labels conflict with its namespace whitelist");
	apost(x, PODS, APOD("c", C1 ",'nodeSelector':{'disk':'ssd'}"), 403);
	arefused(x, "conflict with its namespace whitelist");
	/* the annotation goes before the default */
	amerge(x, "/api/v1/namespaces/n1",
	       "{'metadata':{'annotations':{'scheduler.alpha.kubernetes.io/node-selector':'tier="
	       "a'}}}",
	       200);
	apost(x, PODS, APOD("c", C1), 201);
	ahas(x, "'nodeSelector':{'tier':'a'}");
	amerge(x, "/api/v1/namespaces/n1",
	       "{'metadata':{'annotations':{'scheduler.alpha.kubernetes.io/node-selector':'tier'}}"
	       "}",
	       200);
	apost(x, PODS, APOD("d", C1), 500);
	ahas(x, "'message':'invalid selector: [tier]'");
}

/* ---- PodTolerationRestriction ---- */

#define TOLERATIONS(more)                                                                        \
	ACONF("{'name':'PodTolerationRestriction','configuration':{'apiVersion':"                \
	      "'podtolerationrestriction.admission.k8s.io/v1alpha1','kind':'Configuration'" more \
	      "}}")

static void pods_tolerate_what_their_namespace_may(void **state)
{
	struct rfix *x = *state;

	afix_open_with(x, (struct admission_flags){ .enable = "PodTolerationRestriction",
						    .disable = "DefaultTolerationSeconds" });
	apost(x, PODS, APOD("a", C1), 201);
	ahasnt(x, "tolerations");
	apost(x, PODS,
	      APOD("b",
		   "'containers':[{'name':'c','image':'i','resources':{'limits':{'cpu':'1'}}}]"),
	      201);
	ahas(x, "'tolerations':[{'key':'node.kubernetes.io/memory-pressure','operator':'Exists',"
		"'effect':'NoSchedule'}]");
	afix_configure(x, "PodTolerationRestriction",
		       TOLERATIONS(",'default':[{'key':'a','operator':'Exists'}],'whitelist':[{"
				   "'key':'a','operator':'Exists'},{'key':'b','operator':'Equal',"
				   "'value':'x'},{'operator':'Exists','effect':'NoExecute',"
				   "'tolerationSeconds':300}]"));
	/* the one that the default has already is not there twice */
	apost(x, PODS, APOD("c", C1 ",'tolerations':[{'key':'a','operator':'Equal','value':'v'}]"),
	      201);
	ahas(x, "'tolerations':[{'key':'node.kubernetes.io/not-ready'");
	ahas(x, "{'key':'a','operator':'Exists'}");
	ahasnt(x, "'value':'v'");
	apost(x, PODS, APOD("d", C1 ",'tolerations':[{'key':'b','operator':'Equal','value':'y'}]"),
	      500);
	ahas(x, "'message':'pod tolerations (possibly merged with namespace default tolerations) "
		"conflict with its cluster whitelist'");
	apost(x, PODS,
	      APOD("d", C1 ",'tolerations':[{'key':'c','operator':'Exists','effect':'NoExecute'}]"),
	      500);
	apost(x, PODS,
	      APOD("d", C1 ",'tolerations':[{'key':'c','operator':'Exists','effect':'NoExecute',"
			   "'tolerationSeconds':300}]"),
	      201);
	amerge(x, "/api/v1/namespaces/n1",
	       "{'metadata':{'annotations':{'scheduler.alpha.kubernetes.io/defaultTolerations':"
	       "'','scheduler.alpha.kubernetes.io/tolerationsWhitelist':'[{\\\"operator\\\":"
	       "\\\"Exists\\\",\\\"effect\\\":\\\"NoExecute\\\"}]'}}}",
	       200);
	apost(x, PODS, APOD("e", C1 ",'tolerations':[{'key':'a','operator':'Exists'}]"), 500);
	ahas(x, "conflict with its namespace whitelist");
	apost(x, PODS, APOD("e", C1), 201);
	ahasnt(x, "{'key':'a'");
	amerge(x, "/api/v1/namespaces/n1",
	       "{'metadata':{'annotations':{'scheduler.alpha.kubernetes.io/defaultTolerations':"
	       "'{}'}}}",
	       200);
	apost(x, PODS, APOD("f", C1), 500);
	ahas(x, "defaultTolerations of the namespace is no list of tolerations");
}

/* ---- EventRateLimit ---- */

#define EVENTS "/api/v1/namespaces/n1/events"
#define EVENT(name, of)                                                                       \
	"{'apiVersion':'v1','kind':'Event','metadata':{'name':'" name "'},'involvedObject':{" \
	"'kind':'Pod','namespace':'n1','name':'" of "'},'source':{'component':'t'}}"

static void events_are_limited(void **state)
{
	struct rfix *x = *state;

	afix_configure(x, "EventRateLimit",
		       ACONF("{'name':'EventRateLimit','configuration':{'apiVersion':"
			     "'eventratelimit.admission.k8s.io/v1alpha1','kind':'Configuration',"
			     "'limits':[{'type':'SourceAndObject','qps':1,'burst':2},{'type':"
			     "'Namespace','qps':1,'burst':3}]}}"));
	apost(x, EVENTS "?dryRun=All", EVENT("a", "p"), 201);
	apost(x, EVENTS, EVENT("a", "p"), 201);
	apost(x, EVENTS, EVENT("b", "p"), 201);
	apost(x, EVENTS, EVENT("c", "p"), 429);
	assert_status(x, 429, "TooManyRequests",
		      "limit reached on type SourceAndObject for key tPodn1p");
	apost(x, EVENTS, EVENT("d", "q"), 429);
	assert_status(x, 429, "TooManyRequests", "limit reached on type Namespace for key n1");
	apost(x, EVENTS, EVENT("e", "p"), 429);
	ahas(x, "[limit reached on type SourceAndObject for key tPodn1p, limit reached on type "
		"Namespace for key n1]");
	apost(x, "/apis/events.k8s.io/v1/namespaces/n1/events",
	      "{'apiVersion':'events.k8s.io/v1','kind':'Event','metadata':{'name':'f'},"
	      "'eventTime':'2026-01-01T00:00:00.000000Z','reportingController':'x.y/z',"
	      "'reportingInstance':'i','action':'a','reason':'r','type':'Normal','regarding':{"
	      "'kind':'Pod','namespace':'n1','name':'p'}}",
	      201);
	apost(x, PODS, APOD("a", C1), 201);
}

/* ---- ResourceQuota ---- */

#define QUOTAS "/api/v1/namespaces/n1/resourcequotas"
#define QUOTA(name, spec)                                                                        \
	"{'apiVersion':'v1','kind':'ResourceQuota','metadata':{'name':'" name "'},'spec':{" spec \
	"}}"

static void what_is_limited_has_to_be_covered(void **state)
{
	struct rfix *x = *state;

	afix_configure(x, NULL,
		       ACONF("{'name':'ResourceQuota','configuration':{'apiVersion':"
			     "'apiserver.config.k8s.io/v1','kind':'ResourceQuotaConfiguration',"
			     "'limitedResources':[{'resource':'persistentvolumeclaims',"
			     "'matchContains':['gold.storageclass.storage.k8s.io/']},{'resource':"
			     "'pods','matchScopes':[{'scopeName':'PriorityClass','operator':'In',"
			     "'values':['high','top']}]}]}}"));
	apost(x, "/apis/scheduling.k8s.io/v1/priorityclasses",
	      "{'apiVersion':'scheduling.k8s.io/v1','kind':'PriorityClass','metadata':{'name':"
	      "'high'},'value':9}",
	      201);
	apost(x, PODS, APOD("a", C1), 201);
	apost(x, PODS, APOD("b", C1 ",'priorityClassName':'high'"), 500);
	ahas(x, "'message':'insufficient quota to match these scopes: [{PriorityClass In [high "
		"top]}]'");
	apost(x, QUOTAS,
	      QUOTA("q", "'hard':{'pods':'1'},'scopeSelector':{'matchExpressions':[{'scopeName':"
			 "'PriorityClass','operator':'In','values':['high']}]}"),
	      201);
	apost(x, PODS, APOD("b", C1 ",'priorityClassName':'high'"), 201);
	apost(x, PODS, APOD("c", C1 ",'priorityClassName':'high'"), 403);
	arefused(x, "exceeded quota: q");
#define CLAIM(name, class)                                                                         \
	"{'apiVersion':'v1','kind':'PersistentVolumeClaim','metadata':{'name':'" name              \
	"'},'spec':{'accessModes':['ReadWriteOnce'],'storageClassName':'" class "','resources':{'" \
										"requests':{'"     \
										"storage':'1Gi'}}" \
										"}}"
	apost(x, CLAIMS, CLAIM("s", "silver"), 201);
	apost(x, CLAIMS, CLAIM("g", "gold"), 403);
	arefused(x, "persistentvolumeclaims \"g\" is forbidden: insufficient quota to consume: "
		    "gold.storageclass.storage.k8s.io/persistentvolumeclaims,gold.storageclass."
		    "storage.k8s.io/requests.storage");
	apost(x, QUOTAS,
	      QUOTA("g", "'hard':{'gold.storageclass.storage.k8s.io/requests.storage':'2Gi'}"),
	      201);
	apost(x, CLAIMS, CLAIM("g", "gold"), 403);
	arefused(x, "insufficient quota to consume: "
		    "gold.storageclass.storage.k8s.io/persistentvolumeclaims");
	ahasnt(x, "requests.storage");
	apost(x, QUOTAS,
	      QUOTA("h", "'hard':{'gold.storageclass.storage.k8s.io/persistentvolumeclaims':'5'}"),
	      201);
	apost(x, CLAIMS, CLAIM("g", "gold"), 201);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ACASE(namespaces_without_labels_have_the_defaults),
		ACASE(some_are_exempt),
		ACASE(labels_of_exempt_namespaces_are_warned_of),
		ACASE(pods_go_where_their_namespace_is),
		ACASE(pods_tolerate_what_their_namespace_may),
		ACASE(events_are_limited),
		ACASE(what_is_limited_has_to_be_covered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
