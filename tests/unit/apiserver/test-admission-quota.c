/* SPDX-License-Identifier: Apache-2.0 */
/* Limit ranges and quotas in a whole server. */
#include "admission-fix.h"

#define RANGES "/api/v1/namespaces/n1/limitranges"
#define RANGE(limits)                                                                              \
	"{'apiVersion':'v1','kind':'LimitRange','metadata':{'name':'r'},'spec':{'limits':[" limits \
	"]}}"
#define QUOTAS "/api/v1/namespaces/n1/resourcequotas"
#define QUOTA(name, hard, more)                                               \
	"{'apiVersion':'v1','kind':'ResourceQuota','metadata':{'name':'" name \
	"'},'spec':{'hard':{" hard "}" more "}}"
#define SIZED(resources) "'containers':[{'name':'c','image':'i','resources':{" resources "}}]"

/* ---- LimitRanger ---- */

static void containers_get_defaults(void **state)
{
	struct rfix *x = *state;

	apost(x, RANGES,
	      RANGE("{'type':'Container','default':{'cpu':'500m','memory':'1Gi'},"
		    "'defaultRequest':{'cpu':'100m'}}"),
	      201);
	apost(x, PODS,
	      APOD("a", "'initContainers':[{'name':'j','image':'i','resources':{'requests':{'cpu':"
			"'1m'},'limits':{'cpu':'1'}}}]," C1),
	      201);
	ahas(x, "'kubernetes.io/limit-ranger':'LimitRanger plugin set: cpu, memory request for "
		"container c; cpu, memory limit for container c; memory request for init "
		"container j; memory limit for init container j'");
	ahas(x, "'resources':{'limits':{'cpu':'500m','memory':'1Gi'},'requests':{'cpu':'100m',"
		"'memory':'1Gi'}}");
	ahas(x, "'qosClass':'Burstable'"); /* what was given counts */
	apost(x, PODS,
	      APOD("b", SIZED("'requests':{'cpu':'1','memory':'1'},'limits':{'cpu':'1','memory':"
			      "'1'}")),
	      201);
	ahasnt(x, "limit-ranger");
}

static void containers_and_pods_have_bounds(void **state)
{
	struct rfix *x = *state;

	apost(x, RANGES,
	      RANGE("{'type':'Container','min':{'cpu':'100m'},'max':{'cpu':'1'},"
		    "'maxLimitRequestRatio':{'cpu':'4'},'default':{'cpu':'400m'},"
		    "'defaultRequest':{'cpu':'200m'}},{'type':'Pod','max':{'memory':'1Gi'}}"),
	      201);
	apost(x, PODS, APOD("a", SIZED("'requests':{'cpu':'50m'},'limits':{'memory':'1Gi'}")), 403);
	arefused(x, "pods \"a\" is forbidden: [minimum cpu usage per Container is 100m, but "
		    "request is 50m, cpu max limit to request ratio per Container is 4, but "
		    "provided ratio is 8.000000]");
	apost(x, PODS, APOD("a", SIZED("'limits':{'cpu':'2','memory':'1Gi'}")), 403);
	arefused(x, "maximum cpu usage per Container is 1, but limit is 2");
	apost(x, PODS, APOD("a", C1), 403);
	arefused(x, "pods \"a\" is forbidden: maximum memory usage per Pod is 1Gi.  No limit is "
		    "specified");
	apost(x, PODS,
	      APOD("a", "'containers':[{'name':'c','image':'i','resources':{'limits':{'memory':"
			"'600Mi'}}},{'name':'d','image':'i','resources':{'limits':{'memory':"
			"'600Mi'}}}]"),
	      403);
	arefused(x, "maximum memory usage per Pod is 1Gi, but limit is 1200Mi");
	apost(x, PODS, APOD("a", SIZED("'limits':{'memory':'1Gi'}")), 201);
	/* Only new pods and resizes are looked at. */
	amerge(x, PODS "/a", "{'metadata':{'labels':{'x':'y'}}}", 200);
	amerge(x, PODS "/a/resize",
	       "{'spec':{'containers':[{'name':'c','image':'i','resources':{'limits':{'cpu':"
	       "'2','memory':'1Gi'},'requests':{'cpu':'1','memory':'1Gi'}}}]}}",
	       403);
	arefused(x, "maximum cpu usage per Container is 1, but limit is 2");
}

static void claims_have_bounds(void **state)
{
	struct rfix *x = *state;
#define CLAIM(name, size)                                                             \
	"{'apiVersion':'v1','kind':'PersistentVolumeClaim','metadata':{'name':'" name \
	"'},'spec':{'accessModes':['ReadWriteOnce'],'storageClassName':'fast',"       \
	"'resources':{'requests':{'storage':'" size "'}}}}"

	apost(x, RANGES,
	      RANGE("{'type':'PersistentVolumeClaim','min':{'storage':'1Gi'},'max':{'storage':"
		    "'3Gi'}}"),
	      201);
	apost(x, CLAIMS, CLAIM("a", "100Mi"), 403);
	arefused(x, "minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 100Mi");
	apost(x, CLAIMS, CLAIM("a", "4Gi"), 403);
	arefused(x, "maximum storage usage per PersistentVolumeClaim is 3Gi, but request is 4Gi");
	apost(x, CLAIMS, CLAIM("a", "3Gi"), 201);
}

/* ---- a resize and its node ---- */

static void a_resize_fits_the_node(void **state)
{
	struct rfix *x = *state;
#define BIG(cpu)                                                                              \
	"{'spec':{'containers':[{'name':'c','image':'i','resources':{'requests':{'cpu':'" cpu \
	"'}}}]}}"

	apost(x, "/api/v1/nodes",
	      "{'apiVersion':'v1','kind':'Node','metadata':{'name':'w'},'status':{'allocatable':{"
	      "'cpu':'2','memory':'1Gi'}}}",
	      201);
	apost(x, PODS, APOD("a", "'nodeName':'w'," SIZED("'requests':{'cpu':'1'}")), 201);
	apost(x, PODS, APOD("b", "'nodeName':'gone'," SIZED("'requests':{'cpu':'1'}")), 201);
	amerge(x, PODS "/a/resize", BIG("3"), 403);
	arefused(x, "node didn't have enough allocatable resources: cpu, requested: 3000, "
		    "allocatable: 2000");
	amerge(x, PODS "/a/resize", BIG("2"), 200);
	amerge(x, PODS "/b/resize", BIG("2"), 403);
	arefused(x, "node \"gone\" not found");
}

/* ---- ResourceQuota ---- */

static void used(struct rfix *x, const char *name, const char *part)
{
	char path[128];

	snprintf(path, sizeof(path), QUOTAS "/%s", name);
	get(x, path);
	ahas(x, part);
}

static void pods_are_counted(void **state)
{
	struct rfix *x = *state;

	apost(x, PODS, APOD("old", C1), 201);
	apost(x, QUOTAS, QUOTA("q", "'pods':'2'", ""), 201);
	apost(x, PODS, APOD("a", C1), 201);
	used(x, "q", "'status':{'hard':{'pods':'2'},'used':{'pods':'2'}}");
	apost(x, PODS, APOD("b", C1), 403);
	arefused(x, "pods \"b\" is forbidden: exceeded quota: q, requested: pods=1, used: pods=2, "
		    "limited: pods=2");
	/* What went makes room, also when nobody wrote that down. */
	(void)ask(x, "DELETE", PODS "/old?gracePeriodSeconds=0", ADMIN, NULL);
	assert_code(x, 200);
	apost(x, PODS, APOD("b", C1), 201);
	used(x, "q", "'used':{'pods':'2'}");
	apost(x, PODS, APOD("c", C1), 403);
	/* One that ended leaves its place. */
	amerge(x, PODS "/a/status", "{'status':{'phase':'Succeeded'}}", 200);
	(void)post(x, PODS "?dryRun=All", quoted(APOD("c", C1)));
	assert_code(x, 201);
	apost(x, PODS, APOD("c", C1), 201);
	apost(x, PODS, APOD("d", C1), 403);
}

static void amounts_are_counted(void **state)
{
	struct rfix *x = *state;

	apost(x, QUOTAS,
	      QUOTA("q", "'requests.cpu':'1','limits.memory':'2Gi','requests.example.com/gpu':'2'",
		    ""),
	      201);
	apost(x, PODS, APOD("a", C1), 403);
	arefused(x, "failed quota: q: must specify limits.memory for: c; requests.cpu for: c");
#define FULL(cpu, memory)                                                                  \
	SIZED("'requests':{'cpu':'" cpu "','memory':'1','example.com/gpu':'1'},'limits':{" \
	      "'memory':'" memory "','example.com/gpu':'1'}")
	apost(x, PODS, APOD("a", FULL("600m", "1Gi")), 201);
	used(x, "q",
	     "'used':{'limits.memory':'1Gi','requests.cpu':'600m',"
	     "'requests.example.com/gpu':'1'}");
	apost(x, PODS, APOD("b", FULL("500m", "2Gi")), 403);
	arefused(x, "exceeded quota: q, requested: limits.memory=2Gi,requests.cpu=500m, used: "
		    "limits.memory=1Gi,requests.cpu=600m, limited: "
		    "limits.memory=2Gi,requests.cpu=1");
	apost(x, PODS, APOD("b", FULL("400m", "1Gi")), 201);
	used(x, "q", "'requests.cpu':'1'");
	amerge(x, PODS "/b/resize",
	       "{'spec':{'containers':[{'name':'c','image':'i','resources':{'requests':{'cpu':"
	       "'500m','memory':'1','example.com/gpu':'1'},'limits':{'memory':'1Gi',"
	       "'example.com/gpu':'1'}}}]}}",
	       403);
	arefused(x, "exceeded quota: q, requested: requests.cpu=100m, used: requests.cpu=1");
}

static void scopes_choose_pods(void **state)
{
	struct rfix *x = *state;

	apost(x, "/apis/scheduling.k8s.io/v1/priorityclasses",
	      "{'apiVersion':'scheduling.k8s.io/v1','kind':'PriorityClass','metadata':{'name':"
	      "'high'},'value':1}",
	      201);
	apost(x, QUOTAS, QUOTA("best", "'pods':'0'", ",'scopes':['BestEffort']"), 201);
	apost(x, QUOTAS, QUOTA("end", "'pods':'0'", ",'scopes':['Terminating']"), 201);
	apost(x, QUOTAS,
	      QUOTA("class", "'pods':'0'",
		    ",'scopeSelector':{'matchExpressions':[{'scopeName':'PriorityClass',"
		    "'operator':'In','values':['high']}]}"),
	      201);
	apost(x, QUOTAS, QUOTA("far", "'pods':'0'", ",'scopes':['CrossNamespacePodAffinity']"),
	      201);
	apost(x, PODS, APOD("a", C1), 403);
	arefused(x, "exceeded quota: best");
	apost(x, PODS, APOD("a", SIZED("'requests':{'cpu':'1'}")), 201);
	amerge(x, PODS "/a", "{'spec':{'activeDeadlineSeconds':5}}", 403);
	arefused(x, "exceeded quota: end");
	apost(x, PODS, APOD("b", "'priorityClassName':'high'," SIZED("'requests':{'cpu':'1'}")),
	      403);
	arefused(x, "exceeded quota: class");
	apost(x, PODS,
	      APOD("b", SIZED("'requests':{'cpu':'1'}") ",'affinity':{'podAffinity':{"
							"'preferredDuringSchedulingIgnoredDuringExe"
							"cution':[{'weight':1,"
							"'podAffinityTerm':{'topologyKey':'z','"
							"namespaces':['o'],"
							"'labelSelector':{}}}]}}"),
	      403);
	arefused(x, "exceeded quota: far");
}

static void objects_are_counted(void **state)
{
	struct rfix *x = *state;

	make_map(x, "before", "a");
	apost(x, QUOTAS,
	      QUOTA("q",
		    "'configmaps':'2','count/configmaps':'3','count/deployments.apps':'1',"
		    "'services.nodeports':'0','services':'5'",
		    ""),
	      201);
	make_map(x, "m", "a");
	used(x, "q", "'used':{'configmaps':'2','count/configmaps':'2'}");
	apost(x, "/api/v1/namespaces/n1/configmaps",
	      "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'n'}}", 403);
	arefused(x, "configmaps \"n\" is forbidden: exceeded quota: q, requested: configmaps=1, "
		    "used: configmaps=2, limited: configmaps=2");
	amerge(x, "/api/v1/namespaces/n1/configmaps/m", "{'data':{'a':'b'}}", 200);
#define DEPLOYMENT(name)                                                                        \
	"{'apiVersion':'apps/v1','kind':'Deployment','metadata':{'name':'" name                 \
	"'},'spec':{'selector':{'matchLabels':{'a':'b'}},'template':{'metadata':{'labels':{'a'" \
	":'b'}},'spec':{" C1 "}}}}"
	apost(x, "/apis/apps/v1/namespaces/n1/deployments", DEPLOYMENT("d"), 201);
	apost(x, "/apis/apps/v1/namespaces/n1/deployments", DEPLOYMENT("e"), 403);
	arefused(x, "deployments.apps \"e\" is forbidden: exceeded quota: q, requested: "
		    "count/deployments.apps=1");
	used(x, "q", "'count/deployments.apps':'1'");
	apost(x, "/api/v1/namespaces/n1/services",
	      "{'apiVersion':'v1','kind':'Service','metadata':{'name':'s'},'spec':{'clusterIP':"
	      "'None','ports':[{'port':1}]}}",
	      201);
	used(x, "q", "'services':'1'");
}

static void storage_is_counted_by_class(void **state)
{
	struct rfix *x = *state;

	apost(x, QUOTAS,
	      QUOTA("q",
		    "'requests.storage':'10Gi','fast.storageclass.storage.k8s.io/"
		    "requests.storage':'2Gi','slow.storageclass.storage.k8s.io/"
		    "persistentvolumeclaims':'0'",
		    ""),
	      201);
	apost(x, CLAIMS, CLAIM("a", "1Gi"), 201);
	used(x, "q",
	     "'used':{'fast.storageclass.storage.k8s.io/requests.storage':'1Gi',"
	     "'requests.storage':'1Gi'");
	apost(x, CLAIMS, CLAIM("b", "2Gi"), 403);
	arefused(x, "requested: fast.storageclass.storage.k8s.io/requests.storage=2Gi, used: "
		    "fast.storageclass.storage.k8s.io/requests.storage=1Gi");
}

/* Of many at once exactly as many pass as fit. */
static void writes_at_once_do_not_pass_together(void **state)
{
	struct rfix *x = *state;
	struct peer p[12];
	char body[256];
	int made = 0;

	apost(x, QUOTAS, QUOTA("q", "'configmaps':'5'", ""), 201);
	for (size_t i = 0; i < ARRAY_LEN(p); i++) {
		peer_open(x, &p[i]);
		snprintf(body, sizeof(body),
			 "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":"
			 "\"m%zu\"}}",
			 i);
		peer_send(&p[i], "POST", "/api/v1/namespaces/n1/configmaps", ADMIN JSON, body);
	}
	for (size_t i = 0; i < ARRAY_LEN(p); i++) {
		peer_answer(&p[i], false);
		made += x->code == 201;
		if (x->code != 201)
			arefused(x, "exceeded quota: q");
		peer_close(&p[i]);
	}
	assert_int_equal(made, 5);
	used(x, "q", "'used':{'configmaps':'5'}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ACASE(containers_get_defaults),
		ACASE(containers_and_pods_have_bounds),
		ACASE(claims_have_bounds),
		ACASE(a_resize_fits_the_node),
		ACASE(pods_are_counted),
		ACASE(amounts_are_counted),
		ACASE(scopes_choose_pods),
		ACASE(objects_are_counted),
		ACASE(storage_is_counted_by_class),
		ACASE(writes_at_once_do_not_pass_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
