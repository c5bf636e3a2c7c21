/* SPDX-License-Identifier: Apache-2.0 */
/* Services: families, addresses, node ports, changes of type; the allocator against a model. */
#include "strategy-fix.h"

#include "apiserver/strategy/service-alloc.h"

#define META "'metadata':{'name':'x','namespace':'n','uid':'u'"
#define PORT "'ports':[{'port':80}]"
#define V4 "10.0.0.0/24"
#define V6 "fd00::/112"

static struct service_alloc *alloc_start(struct sfix *x, const char *cidrs, unsigned from,
					 unsigned to)
{
	struct service_alloc *sa = NULL;
	struct err err = ERR_INIT;

	if (service_alloc_new(NULL, slice_str(cidrs), from, to, &sa, &err) != 0)
		fail_msg("%s", err.msg);
	x->objects.state = sa;
	sfix_kind(x, "v1", "Service", "");
	return sa;
}

/* Each row has a request of its own: what it chose is free again for the next. */
static void service_rows(struct sfix *x, const char *cidrs, const struct srow *rows, size_t n)
{
	struct service_alloc *sa = alloc_start(x, cidrs, 30000, 32767);
	struct arena *all = x->a;
	bool ok = true;

	for (size_t i = 0; i < n; i++) {
		x->a = arena_new("request", ARENA_MAX);
		ok = sfix_row(x, &rows[i]) && ok;
		arena_free(x->a);
	}
	x->a = all;
	service_alloc_free(sa);
	assert_true(ok);
}

struct wrong_row {
	const char *obj, *old, *wrong;
	int code;
};

static void wrong_rows(struct sfix *x, const char *cidrs, const struct wrong_row *rows, size_t n)
{
	struct service_alloc *sa = alloc_start(x, cidrs, 30000, 32767);
	struct arena *all = x->a;

	service_alloc_seen(sa, SLICE("n/other"),
			   sfix_doc(x,
				    "{" META "},'spec':{'type':'NodePort','clusterIP':'10.0.0.5',"
				    "'clusterIPs':['10.0.0.5'],'healthCheckNodePort':30100,'ports':"
				    "[{'port':80,'nodePort':30005}]}}"));
	for (size_t i = 0; i < n; i++) {
		struct err err = ERR_INIT;
		int r;

		x->a = arena_new("request", ARENA_MAX);
		x->c.a = x->a;
		r = sfix_try(x, sfix_doc(x, rows[i].obj),
			     rows[i].old ? sfix_doc(x, rows[i].old) : NULL, &err);
		if (r != -rows[i].code || !strstr(err.msg, rows[i].wrong))
			fail_msg("%s:\n %d %s", rows[i].obj, r, err.msg);
		arena_free(x->a);
	}
	x->a = all;
	service_alloc_free(sa);
}

/* ---- families ---- */

static void one_family_is_given_where_there_is_one(void **state)
{
	static const struct srow rows[] = {
		{ "v1", "Service", "", "{" META "},'spec':{'clusterIP':'10.0.0.9'," PORT "}}", NULL,
		  "spec.clusterIPs=['10.0.0.9']\nspec.ipFamilies=['IPv4']\n"
		  "spec.ipFamilyPolicy='SingleStack'\nstatus={'loadBalancer':{}}\n!" },
		{ "v1", "Service", "",
		  "{" META "},'spec':{'ipFamilyPolicy':'PreferDualStack',"
		  "'clusterIP':'10.0.0.9'," PORT "}}",
		  NULL, "spec.ipFamilies=['IPv4']" },
		{ "v1", "Service", "",
		  "{" META "},'spec':{'clusterIP':'None','selector':{'a':'b'}}}", NULL,
		  "spec.clusterIPs=['None']\nspec.ipFamilies=['IPv4']\n"
		  "spec.ipFamilyPolicy='SingleStack'" },
		{ "v1", "Service", "", "{" META "},'spec':{'clusterIP':'None'}}", NULL,
		  "spec.clusterIPs=['None']\nspec.ipFamilies=['IPv4','IPv6']\n"
		  "spec.ipFamilyPolicy='RequireDualStack'" },
		{ "v1", "Service", "",
		  "{" META "},'spec':{'type':'ExternalName','externalName':'a.b',"
		  "'internalTrafficPolicy':'Cluster'}}",
		  NULL,
		  "spec.clusterIP=\nspec.ipFamilies=\n"
		  "spec.ipFamilyPolicy=\nspec.internalTrafficPolicy=" },
		/* What does not fit is left to checking. */
		{ "v1", "Service", "", "{" META "},'spec':{'clusterIP':'abc'," PORT "}}", NULL,
		  "spec.clusterIP='abc'\nspec.ipFamilies=" },
	};

	service_rows(*state, V4, rows, ARRAY_LEN(rows));
}

static void two_families_are_given_when_asked_for(void **state)
{
	static const struct srow rows[] = {
		{ "v1", "Service", "", "{" META "},'spec':{'clusterIP':'10.0.0.9'," PORT "}}", NULL,
		  "spec.ipFamilies=['IPv4']\nspec.clusterIPs=['10.0.0.9']" },
		{ "v1", "Service", "",
		  "{" META "},'spec':{'ipFamilyPolicy':'RequireDualStack',"
		  "'clusterIPs':['fd00::9','10.0.0.9'],'clusterIP':'fd00::9'," PORT "}}",
		  NULL, "spec.ipFamilies=['IPv6','IPv4']" },
		{ "v1", "Service", "",
		  "{" META "},'spec':{'ipFamilies':['IPv6'],'clusterIP':'fd00::9'," PORT "}}", NULL,
		  "spec.clusterIPs=['fd00::9']\nspec.ipFamilyPolicy='SingleStack'" },
		{ "v1", "Service", "",
		  "{" META "},'spec':{'clusterIP':'None','selector':{'a':'b'},"
		  "'ipFamilyPolicy':'PreferDualStack'}}",
		  NULL, "spec.ipFamilies=['IPv4','IPv6']" },
		/* Down to one: the policy is enough. */
		{ "v1", "Service", "",
		  "{" META "},'spec':{'ipFamilyPolicy':'SingleStack','clusterIP':"
		  "'10.0.0.9','clusterIPs':['10.0.0.9','fd00::9'],'ipFamilies':['IPv4','IPv6']"
		  "," PORT "}}",
		  "{" META "},'spec':{'ipFamilyPolicy':'RequireDualStack','clusterIP':"
		  "'10.0.0.9','clusterIPs':['10.0.0.9','fd00::9'],'ipFamilies':['IPv4','IPv6']"
		  "," PORT "}}",
		  "spec.clusterIPs=['10.0.0.9']\nspec.ipFamilies=['IPv4']" },
		/* A PUT that leaves out what was allocated. */
		{ "v1", "Service", "", "{" META "},'spec':{" PORT "}}",
		  "{" META "},'spec':{"
		  "'ipFamilyPolicy':'PreferDualStack','clusterIP':'10.0.0.9','clusterIPs':["
		  "'10.0.0.9','fd00::9'],'ipFamilies':['IPv4','IPv6']," PORT "}}",
		  "spec.clusterIP='10.0.0.9'\nspec.clusterIPs=['10.0.0.9','fd00::9']\n"
		  "spec.ipFamilies=['IPv4','IPv6']\nspec.ipFamilyPolicy='PreferDualStack'" },
		/* One that only prefers two stays as it was. */
		{ "v1", "Service", "",
		  "{" META "},'spec':{'ipFamilyPolicy':'PreferDualStack',"
		  "'clusterIP':'10.0.0.9','clusterIPs':['10.0.0.9'],'ipFamilies':['IPv4']," PORT
		  "}}",
		  "{" META "},'spec':{'ipFamilyPolicy':'PreferDualStack','clusterIP':'10.0.0.9',"
		  "'clusterIPs':['10.0.0.9'],'ipFamilies':['IPv4']," PORT "}}",
		  "spec.clusterIPs=['10.0.0.9']\nspec.ipFamilies=['IPv4']" },
		/* Stored by a server that knew nothing of lists. */
		{ "v1", "Service", "", "{" META "},'spec':{'clusterIP':'10.0.0.9'," PORT "}}",
		  "{" META "},'spec':{'clusterIP':'10.0.0.9'," PORT "}}",
		  "spec.clusterIPs=['10.0.0.9']\nspec.ipFamilies=['IPv4']" },
	};

	service_rows(*state, V4 "," V6, rows, ARRAY_LEN(rows));
}

static void families_that_do_not_fit_are_refused(void **state)
{
#define IS "spec.ipFamilyPolicy: Invalid value: "
	static const struct wrong_row one[] = {
		{ "{" META "},'spec':{'ipFamilyPolicy':'RequireDualStack'," PORT "}}", NULL,
		  "Service \"x\" is invalid: " IS "\"RequireDualStack\": this cluster is not "
		  "configured for dual-stack services",
		  ERR_INVALID },
		{ "{" META "},'spec':{'ipFamilies':['IPv6']," PORT "}}", NULL,
		  "spec.ipFamilies[0]: Invalid value: \"IPv6\": not configured on this cluster",
		  ERR_INVALID },
		{ "{" META "},'spec':{'clusterIP':'fd00::1'," PORT "}}", NULL,
		  "spec.clusterIPs[0]: Invalid value: [\"fd00::1\"]: IPv6 is not configured on "
		  "this "
		  "cluster",
		  ERR_INVALID },
	};
	static const struct wrong_row two[] = {
		{ "{" META "},'spec':{'ipFamilyPolicy':'SingleStack','clusterIP':'10.0.0.9',"
		  "'clusterIPs':['10.0.0.9','fd00::9']," PORT "}}",
		  NULL,
		  IS
		  "\"SingleStack\": must be "
		  "'RequireDualStack' or 'PreferDualStack' when multiple cluster IPs are specified",
		  ERR_INVALID },
		{ "{" META "},'spec':{'ipFamilies':['IPv4','IPv6']," PORT "}}", NULL,
		  "when multiple IP families are specified", ERR_INVALID },
		{ "{" META "},'spec':{'ipFamilyPolicy':'RequireDualStack','clusterIP':'10.0.0.9',"
		  "'clusterIPs':['10.0.0.9'],'ipFamilies':['IPv4','IPv6']," PORT "}}",
		  "{" META "},'spec':{'ipFamilyPolicy':'RequireDualStack','clusterIP':'10.0.0.9',"
		  "'clusterIPs':['10.0.0.9','fd00::9'],'ipFamilies':['IPv4','IPv6']," PORT "}}",
		  "must be 'SingleStack' to release the secondary cluster IP", ERR_INVALID },
	};

	wrong_rows(*state, V4, one, ARRAY_LEN(one));
	wrong_rows(*state, V4 "," V6, two, ARRAY_LEN(two));
}

/* ---- addresses and ports ---- */

static void addresses_come_from_the_ranges(void **state)
{
	struct sfix *x = *state;
	struct service_alloc *sa = alloc_start(x, V6 "," V4, 30000, 32767);
	struct arena *all = x->a, *a = arena_new("request", ARENA_MAX);
	struct err err = ERR_INIT;
	struct strategy_ip ip;
	struct doc *obj;

	x->c.a = a;
	obj = sfix_doc(x, "{" META "},'spec':{'ipFamilyPolicy':'PreferDualStack'," PORT "}}");
	assert_int_equal(sfix_try(x, obj, NULL, &err), 0);
	assert_true(sfix_facts(x, "dual", obj, "spec.ipFamilies=['IPv6','IPv4']"));
	assert_true(strategy_ip_read(strategy_text(obj, "spec.clusterIPs.1"), &ip) && !ip.v6 &&
		    ip.b[0] == 10 && ip.b[3] >= 17 && ip.b[3] != 255);
	assert_true(strategy_ip_read(strategy_text(obj, "spec.clusterIPs.0"), &ip) && ip.v6 &&
		    ip.b[0] == 0xfd);
	assert_true(strategy_same_at(obj, obj, "spec.clusterIP") &&
		    slice_eq(strategy_text(obj, "spec.clusterIP"),
			     strategy_text(obj, "spec.clusterIPs.0")));
	/* The same call again chooses nothing else; another one cannot have it. */
	{
		const char *once = written(all, obj, NULL);
		struct arena *b = arena_new("other", ARENA_MAX);
		struct strategy_call other = x->c;

		assert_int_equal(strategy_commit(&x->c, obj, NULL, &err), 0);
		assert_string_equal(written(all, obj, NULL), once);
		other.a = b;
		assert_string_equal(service_alloc_take_ip(sa, &other, &ip),
				    "provided IP is already allocated");
		arena_free(a);
		assert_null(service_alloc_take_ip(sa, &other, &ip));
		arena_free(b);
	}
	x->c.a = all;
	service_alloc_free(sa);
}

static void ports_are_given_and_kept(void **state)
{
#define NODE "'type':'NodePort','clusterIP':'10.0.0.9'"
#define LB "'type':'LoadBalancer','clusterIP':'10.0.0.9'"
	static const struct srow rows[] = {
		{ "v1", "Service", "",
		  "{" META "},'spec':{" NODE ",'ports':[{'name':'a','port':53,"
		  "'protocol':'UDP'},{'name':'b','port':53,'nodePort':30053}]}}",
		  NULL, "spec.ports.0.nodePort=30053\nspec.ports.1.nodePort=30053" },
		{ "v1", "Service", "",
		  "{" META "},'spec':{" LB ",'allocateLoadBalancerNodePorts':false"
		  ",'ports':[{'name':'a','port':1,'nodePort':30001},{'name':'b','port':2}]}}",
		  NULL, "spec.ports.0.nodePort=30001\nspec.ports.1.nodePort=" },
		{ "v1", "Service", "",
		  "{" META "},'spec':{" LB ",'externalTrafficPolicy':'Local',"
		  "'healthCheckNodePort':30099,'ports':[{'port':1,'nodePort':30001}]}}",
		  NULL, "spec.healthCheckNodePort=30099" },
		/* Left out by a PUT: by the names of the ports. */
		{ "v1", "Service", "",
		  "{" META "},'spec':{" NODE ",'ports':[{'name':'b','port':2},{"
		  "'name':'a','port':1}]}}",
		  "{" META "},'spec':{" NODE ",'clusterIPs':['10.0.0.9'],"
		  "'ports':[{'name':'a','port':1,'nodePort':30001},{'name':'b','port':2,'nodePort':"
		  "30002}]}}",
		  "spec.ports.0.nodePort=30002\nspec.ports.1.nodePort=30001" },
		{ "v1", "Service", "",
		  "{" META "},'spec':{" LB ",'externalTrafficPolicy':'Local','ports'"
		  ":[{'port':1}]}}",
		  "{" META "},'spec':{" LB ",'externalTrafficPolicy':'Local',"
		  "'healthCheckNodePort':30099,'ports':[{'port':1,'nodePort':30001}]}}",
		  "spec.healthCheckNodePort=30099\nspec.ports.0.nodePort=30001" },
		/* Changes of type. */
		{ "v1", "Service", "",
		  "{" META "},'spec':{'type':'ClusterIP','clusterIP':'10.0.0.9',"
		  "'externalTrafficPolicy':'Local','healthCheckNodePort':30099,"
		  "'allocateLoadBalancerNodePorts':true,'loadBalancerClass':'a/"
		  "b','ports':[{'port':1,"
		  "'nodePort':30001}]}}",
		  "{" META "},'spec':{" LB ",'externalTrafficPolicy':'Local',"
		  "'healthCheckNodePort':30099,'allocateLoadBalancerNodePorts':true,"
		  "'loadBalancerClass':'a/b','ports':[{'port':1,'nodePort':30001}]},'status':{"
		  "'loadBalancer':{'ingress':[{'ip':'1.1.1.1'}]}}}",
		  "spec.healthCheckNodePort=\nspec.externalTrafficPolicy=\n"
		  "spec.allocateLoadBalancerNodePorts=\nspec.loadBalancerClass=\n"
		  "spec.ports.0.nodePort=\nspec.clusterIP='10.0.0.9'\nstatus={'loadBalancer':{}}" },
		{ "v1", "Service", "",
		  "{" META "},'spec':{'type':'ExternalName','externalName':'a.b',"
		  "'clusterIP':'10.0.0.9','clusterIPs':['10.0.0.9'],'ipFamilies':['IPv4'],"
		  "'ipFamilyPolicy':'SingleStack','internalTrafficPolicy':'Cluster'," PORT "}}",
		  "{" META "},'spec':{'type':'ClusterIP','clusterIP':'10.0.0.9','clusterIPs':["
		  "'10.0.0.9'],'ipFamilies':['IPv4'],'ipFamilyPolicy':'SingleStack'," PORT "}}",
		  "spec.clusterIP=\nspec.clusterIPs=\nspec.ipFamilies=\nspec.ipFamilyPolicy=\n"
		  "spec.internalTrafficPolicy=" },
		{ "v1", "Service", "",
		  "{" META "},'spec':{'type':'ClusterIP','clusterIP':'10.0.0.7'," PORT "}}",
		  "{" META "},'spec':{'type':'ExternalName','externalName':'a.b'}}",
		  "spec.clusterIPs=['10.0.0.7']\nspec.ipFamilies=['IPv4']" },
		{ "v1", "Service", "status",
		  "{" META "},'spec':{'type':'LoadBalancer'},'status':{"
		  "'loadBalancer':{'ingress':[{'ip':'01.1.1.1'}]}}}",
		  "{" META "},'spec':{" LB "," PORT "}}",
		  "spec.clusterIP='10.0.0.9'\nstatus.loadBalancer.ingress.0.ip='01.1.1.1'\n"
		  "!status.loadBalancer.ingress[0]: non-standard IP address \"01.1.1.1\" is "
		  "invalid" },
	};

	service_rows(*state, V4, rows, ARRAY_LEN(rows));
}

static void what_is_taken_is_refused(void **state)
{
	static const struct wrong_row rows[] = {
		{ "{" META "},'spec':{'clusterIP':'10.0.0.5'," PORT "}}", NULL,
		  "Service \"x\" is invalid: spec.clusterIPs: Invalid value: [\"10.0.0.5\"]: "
		  "failed to "
		  "allocate IP 10.0.0.5: provided IP is already allocated",
		  ERR_INVALID },
		{ "{" META "},'spec':{'clusterIP':'10.1.0.5'," PORT "}}", NULL,
		  "failed to allocate IP 10.1.0.5: the provided network does not match the current "
		  "range",
		  ERR_INVALID },
		{ "{" META "},'spec':{'clusterIP':'10.0.0.255'," PORT "}}", NULL,
		  "does not match the current range", ERR_INVALID },
		{ "{" META "},'spec':{'type':'NodePort','ports':[{'port':1,'nodePort':30005}]}}",
		  NULL,
		  "spec.ports[0].nodePort: Invalid value: 30005: provided port is already "
		  "allocated",
		  ERR_INVALID },
		{ "{" META "},'spec':{'type':'NodePort','ports':[{'port':1,'nodePort':80}]}}", NULL,
		  "spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid "
		  "range. "
		  "The range of valid ports is 30000-32767",
		  ERR_INVALID },
		{ "{" META "},'spec':{'type':'LoadBalancer','externalTrafficPolicy':'Local',"
		  "'healthCheckNodePort':30100," PORT "}}",
		  NULL,
		  "failed to allocate requested "
		  "HealthCheck NodePort 30100: provided port is already allocated",
		  ERR_SYSTEM },
		{ "{" META "},'spec':{" NODE ",'ports':[{'port':1,'nodePort':30005}]}}",
		  "{" META "},'spec':{" NODE
		  ",'clusterIPs':['10.0.0.9'],'ports':[{'port':1,'nodePort'"
		  ":30006}]}}",
		  "provided port is already allocated", ERR_INVALID },
	};

	wrong_rows(*state, V4, rows, ARRAY_LEN(rows));
}

static void odd_services_are_warned_of(void **state)
{
	static const struct srow rows[] = {
		{ "v1", "Service", "",
		  "{" META ",'annotations':{'service.kubernetes.io/topology-aware-"
		  "hints':'Auto'}},'spec':{'clusterIP':'None','loadBalancerIP':'1.1.1.1','"
		  "externalIPs'"
		  ":['1.2.3.4'],'sessionAffinity':'ClientIP','externalName':'a.b',"
		  "'trafficDistribution':'PreferClose'}}",
		  NULL,
		  "!annotation service.kubernetes.io/topology-aware-hints is deprecated, please "
		  "use "
		  "service.kubernetes.io/topology-mode instead\n"
		  "!spec.loadBalancerIP is ignored for headless services\n"
		  "!spec.externalIPs is ignored for headless services\n"
		  "!spec.SessionAffinity is ignored for headless services\n"
		  "!spec.externalName is ignored when spec.type is not \"ExternalName\"\n"
		  "!spec.trafficDistribution: \"PreferClose\" is deprecated; use "
		  "\"PreferSameZone\"" },
		{ "v1", "Service", "",
		  "{" META "},'spec':{'clusterIP':'10.0.0.9','externalIPs':["
		  "'01.2.3.4'],'loadBalancerSourceRanges':['10.0.0.1/8']," PORT "}}",
		  NULL,
		  "!spec.externalIPs is deprecated and may no longer be implemented in some "
		  "clusters\n"
		  "!spec.externalIPs[0]: non-standard IP address \"01.2.3.4\"\n"
		  "!spec.loadBalancerSourceRanges[0]: CIDR value \"10.0.0.1/8\" is ambiguous" },
		{ "v1", "Service", "",
		  "{" META "},'spec':{'type':'ExternalName','externalName':'a.b',"
		  "'externalIPs':['1.2.3.4']}}",
		  NULL, "!spec.externalIPs is ignored when spec.type is \"ExternalName\"" },
	};

	service_rows(*state, V4, rows, ARRAY_LEN(rows));
}

/* Checking, which comes after, finds everything that it asks for. */
static void what_is_allocated_is_valid(void **state)
{
	static const struct {
		const char *spec, *then; /* an update; NULL: none */
	} rows[] = {
		{ PORT, "'type':'NodePort'," PORT },
		{ "'type':'NodePort'," PORT,
		  "'type':'LoadBalancer','externalTrafficPolicy':'Local'," PORT },
		{ "'type':'LoadBalancer','externalTrafficPolicy':'Local'," PORT,
		  "'type':'LoadBalancer','externalTrafficPolicy':'Local'," PORT },
		{ "'type':'LoadBalancer','externalTrafficPolicy':'Local'," PORT, PORT },
		{ "'clusterIP':'None','selector':{'a':'b'}",
		  "'clusterIP':'None','selector':{'a':'c'}" },
		{ "'type':'ExternalName','externalName':'a.b'", PORT },
		{ PORT, "'type':'ExternalName','externalName':'a.b'" },
		{ "'ipFamilyPolicy':'PreferDualStack'," PORT,
		  "'ipFamilyPolicy':'SingleStack'," PORT },
		{ PORT, "'ipFamilyPolicy':'RequireDualStack'," PORT },
	};
	struct sfix *x = *state;
	struct service_alloc *sa = alloc_start(x, V4 "," V6, 30000, 32767);
	struct arena *all = x->a;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct doc *obj[2] = { NULL, NULL };

		x->a = arena_new("request", ARENA_MAX);
		x->c.a = x->a;
		for (size_t j = 0; j < 2; j++) {
			const struct doc *old = j ? obj[0] : NULL;
			struct err err = ERR_INIT;

			obj[j] = sfix_doc(x, arena_printf(x->a,
							  "{" META ",'resourceVersion':'1'},"
							  "'spec':{%s}}",
							  j ? rows[i].then : rows[i].spec));
			if (!j)
				(void)strategy_drop(obj[j], "metadata.resourceVersion");
			if (sfix_try(x, obj[j], old, &err) != 0 ||
			    api_check(&x->api, x->objects.kind, "", obj[j], old, x->a, &err) != 0)
				fail_msg("%s: %s", j ? rows[i].then : rows[i].spec, err.msg);
		}
		arena_free(x->a);
	}
	x->a = all;
	service_alloc_free(sa);
}

/* Every allocation fails once: the call says so, and what it chose is free again. */
static void a_full_arena_is_an_error_and_keeps_nothing(void **state)
{
	static const struct {
		const char *kind, *obj, *old;
	} rows[] = {
		{ "Service",
		  "{" META "},'spec':{'type':'LoadBalancer','externalTrafficPolicy':'Local',"
		  "'ipFamilyPolicy':'PreferDualStack'," PORT "}}",
		  NULL },
		{ "Service", "{" META "},'spec':{'type':'NodePort'," PORT "}}",
		  "{" META "},'spec':{'clusterIP':'10.0.0.9','clusterIPs':['10.0.0.9']," PORT
		  "}}" },
		{ "Pod",
		  "{" META ",'labels':{'a':'b'},'annotations':{'container.apparmor.security.beta."
		  "kubernetes.io/c':'unconfined'}},'spec':{'containers':[{'name':'c','ports':[{"
		  "'containerPort':1},{'containerPort':1}]}],'schedulingGates':[{'name':'g'}],"
		  "'topologySpreadConstraints':[{'labelSelector':{},'matchLabelKeys':['a']}]}}",
		  NULL },
		{ "Pod", "{" META "},'status':{'conditions':[{'type':'a'}]}}",
		  "{" META
		  "},'spec':{'containers':[{'name':'c'}]},'status':{'conditions':[{'type':'a',"
		  "'observedGeneration':2}]}}" },
	};
	struct sfix *x = *state;
	struct service_alloc *sa = alloc_start(x, "10.0.0.0/28," V6, 30000, 30010);
	struct arena *all = x->a;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		bool ok = false;

		for (unsigned n = 1; !ok; n++) {
			struct err err = ERR_INIT;
			struct doc *obj, *old;
			int r;

			x->a = arena_new("request", ARENA_MAX);
			sfix_kind(x, "v1", rows[i].kind, rows[i].old ? "status" : "");
			if (strcmp(rows[i].kind, "Service") == 0)
				x->c.sub = "";
			obj = sfix_doc(x, rows[i].obj);
			old = rows[i].old ? sfix_doc(x, rows[i].old) : NULL;
			arena_fail_at(x->a, n);
			r = sfix_try(x, obj, old, &err);
			if (r == 0)
				r = strategy_commit(&x->c, obj, old, &err);
			ok = !arena_exceeded(x->a);
			/* Warnings are only dropped. */
			assert_true(r == 0 || (r == -ERR_QUOTA && !ok));
			assert_true(n > 1 || !ok);
			arena_free(x->a);
		}
	}
	x->a = all;
	x->c.a = all;
	{
		struct arena *a = arena_new("request", ARENA_MAX);
		int64_t port;

		x->c.a = a;
		for (int i = 0; i < 11; i++)
			assert_null(service_alloc_next_port(sa, &x->c, &port));
		arena_free(a);
	}
	service_alloc_free(sa);
}

/* ---- the allocator ---- */

static void ranges_that_are_none_are_refused(void **state)
{
	static const struct {
		const char *cidrs;
		unsigned from, to;
		const char *wrong;
	} rows[] = {
		{ "", 1, 2, "not a network" },
		{ "10.0.0.0", 1, 2, "not a network" },
		{ "10.0.0.0/33", 1, 2, "not a network" },
		{ "10.0.0.0/24,10.1.0.0/24", 1, 2, "two ranges of one family" },
		{ "10.0.0.0/24,fd00::/112,fd01::/112", 1, 2, "more than two ranges" },
		{ "10.0.0.0/31", 1, 2, "it has no addresses to give" },
		{ "fd00::/48", 1, 2, "the shortest prefix of IPv6 is 64" },
		{ "10.0.0.0/24", 0, 2, "not a range of ports" },
		{ "10.0.0.0/24", 5, 4, "not a range of ports" },
		{ "10.0.0.0/24", 5, 65536, "not a range of ports" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct service_alloc *sa = NULL;
		struct err err = ERR_INIT;

		assert_int_equal(service_alloc_new(NULL, slice_str(rows[i].cidrs), rows[i].from,
						   rows[i].to, &sa, &err),
				 -ERR_INVALID);
		if (!strstr(err.msg, rows[i].wrong))
			fail_msg("%s: %s", rows[i].cidrs, err.msg);
		assert_null(sa);
	}
}

/* All that a range has are given, each once; those for who names one come last. */
static void a_range_is_given_to_its_end(void **state)
{
	struct sfix *x = *state;
	struct service_alloc *sa = alloc_start(x, "10.0.0.0/26", 30000, 30039);
	bool seen[64] = { false }, port_seen[40] = { false };
	struct arena *a = arena_new("request", ARENA_MAX);
	struct strategy_ip ip;
	int64_t port;

	x->c.a = a;
	for (int i = 0; i < 62; i++) {
		assert_null(service_alloc_next_ip(sa, &x->c, false, &ip));
		assert_in_range(ip.b[3], 1, 62);
		assert_false(seen[ip.b[3]]);
		seen[ip.b[3]] = true;
		/* min(max(16, 64 / 16), 256) addresses are for who names one. */
		assert_true(i < 46 ? ip.b[3] > 16 : ip.b[3] <= 16);
	}
	assert_string_equal(service_alloc_next_ip(sa, &x->c, false, &ip), "range is full");
	assert_string_equal(service_alloc_next_ip(sa, &x->c, true, &ip), "range is full");
	for (int i = 0; i < 40; i++) {
		assert_null(service_alloc_next_port(sa, &x->c, &port));
		assert_in_range(port, 30000, 30039);
		assert_false(port_seen[port - 30000]);
		port_seen[port - 30000] = true;
		assert_true(i < 24 ? port >= 30016 : port < 30016);
	}
	assert_string_equal(service_alloc_next_port(sa, &x->c, &port), "range is full");
	/* The request is over: all is free. */
	arena_free(a);
	x->c.a = x->a;
	a = arena_new("request", ARENA_MAX);
	x->c.a = a;
	assert_null(service_alloc_next_port(sa, &x->c, &port));
	arena_free(a);
	service_alloc_free(sa);
}

/* ---- against a model ---- */

#define MODEL_PORTS 64
#define MODEL_IPS 30
#define MODEL_OWNERS 24

struct model {
	unsigned port[MODEL_PORTS]; /* owner + 1 */
	unsigned ip[MODEL_IPS + 1];
};

static uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static void model_drop(struct model *m, unsigned owner)
{
	for (size_t i = 0; i < ARRAY_LEN(m->port); i++)
		if (m->port[i] == owner + 1)
			m->port[i] = 0;
	for (size_t i = 0; i < ARRAY_LEN(m->ip); i++)
		if (m->ip[i] == owner + 1)
			m->ip[i] = 0;
}

static bool model_full(const unsigned *v, size_t from, size_t n)
{
	for (size_t i = from; i < n; i++)
		if (!v[i])
			return false;
	return true;
}

/* Services come, some are not written after all, some change, some go: none has another's. */
static void nothing_is_given_twice(void **state)
{
	struct sfix *x = *state;
	struct service_alloc *sa = alloc_start(x, "10.0.0.0/27", 30000, 30000 + MODEL_PORTS - 1);
	struct arena *all = x->a;
	struct model m = { 0 };
	uint64_t seed = 42;

	for (int step = 0; step < 4000; step++) {
		const unsigned owner = next_random(&seed) % MODEL_OWNERS,
			       ip = 1 + next_random(&seed) % MODEL_IPS,
			       port = next_random(&seed) % MODEL_PORTS,
			       what = next_random(&seed) % 8;
		struct err err = ERR_INIT;
		struct strategy_ip got;
		char key[16];
		struct doc *obj;
		bool free_ip, free_port;
		int r;

		(void)snprintf(key, sizeof(key), "n/s%u", owner);
		if (what < 2) {
			service_alloc_seen(sa, slice_str(key), NULL);
			model_drop(&m, owner);
			continue;
		}
		/* It is made anew: what it had is free first. */
		service_alloc_seen(sa, slice_str(key), NULL);
		model_drop(&m, owner);
		x->a = arena_new("request", ARENA_MAX);
		x->c.a = x->a;
		obj = sfix_doc(
			x,
			arena_printf(x->a,
				     "{" META "},'spec':{'type':'NodePort'%s,'ports':[{'port':"
				     "1,'name':'a'%s},{'port':2,'name':'b'}]}}",
				     what & 1 ? arena_printf(x->a, ",'clusterIP':'10.0.0.%u'", ip)
					      : "",
				     what & 2 ? arena_printf(x->a, ",'nodePort':%u", 30000 + port)
					      : ""));
		free_ip = what & 1 ? !m.ip[ip] : !model_full(m.ip, 1, ARRAY_LEN(m.ip));
		free_port = what & 2 ? !m.port[port] : true;
		r = strategy_create(&x->c, obj, &err);
		if (!free_ip || !free_port) {
			assert_true(r < 0);
			assert_true(strstr(err.msg, "already allocated") ||
				    strstr(err.msg, "full"));
		} else if (r == 0) {
			const int64_t a = strategy_int(obj, "spec.ports.0.nodePort") - 30000,
				      b = strategy_int(obj, "spec.ports.1.nodePort") - 30000;

			assert_true(strategy_ip_read(strategy_text(obj, "spec.clusterIP"), &got));
			assert_in_range(got.b[3], 1, MODEL_IPS);
			assert_true(a >= 0 && a < MODEL_PORTS && b >= 0 && b < MODEL_PORTS &&
				    a != b);
			assert_false(m.ip[got.b[3]] || m.port[a] || m.port[b]);
			/* One in four is given up. */
			if (next_random(&seed) % 4) {
				service_alloc_seen(sa, slice_str(key), obj);
				m.ip[got.b[3]] = m.port[a] = m.port[b] = owner + 1;
			}
		} else {
			fail_msg("%s", err.msg);
		}
		arena_free(x->a);
	}
	x->a = all;
	x->c.a = all;
	service_alloc_free(sa);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCASE(one_family_is_given_where_there_is_one),
		SCASE(two_families_are_given_when_asked_for),
		SCASE(families_that_do_not_fit_are_refused),
		SCASE(addresses_come_from_the_ranges),
		SCASE(ports_are_given_and_kept),
		SCASE(what_is_taken_is_refused),
		SCASE(odd_services_are_warned_of),
		SCASE(what_is_allocated_is_valid),
		SCASE(a_full_arena_is_an_error_and_keeps_nothing),
		SCASE(ranges_that_are_none_are_refused),
		SCASE(a_range_is_given_to_its_end),
		SCASE(nothing_is_given_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
