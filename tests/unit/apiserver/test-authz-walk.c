/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random walks: somebody who may write roles and bindings, but not escalate nor bind, writes
 * whatever comes; nodes write whatever comes; afterwards nobody may do more than before. And the
 * graph of nodes against what the pods say. Seeds are fixed; TEU_WALK_STEPS makes walks longer.
 */
#include "authz-fix.h"

#include "apiserver/auth/rbac-aggregate.h"

#define RBAC "/apis/rbac.authorization.k8s.io/v1"
#define CORE "/api/v1/namespaces/n1"

struct walk {
	struct zfix *z;
	uint64_t seed;
};

static unsigned below(struct walk *w, unsigned n)
{
	w->seed = w->seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(w->seed >> 33) % n;
}
#define ONE_OF(w, list) ((list)[below((w), ARRAY_LEN(list))])

static unsigned steps(unsigned usual)
{
	const char *s = getenv("TEU_WALK_STEPS");

	return s ? (unsigned)strtoul(s, NULL, 10) : usual;
}

static void must_make(struct zfix *z, const char *path, const char *body)
{
	assert_may(z, "admin", "POST", path, body, 201);
}

/* ---- rights ---- */

static const char *const verbs[] = { "get",  "list",	 "create",	"delete",
				     "bind", "escalate", "impersonate", "impersonate:user-info",
				     "*" };
static const char *const groups[] = { "", "apps", "rbac.authorization.k8s.io", "*" };
static const char *const resources[] = { "pods",  "secrets",	  "configmaps", "nodes",
					 "roles", "clusterroles", "*" };
static const char *const spaces[] = { "", "n1", "n2" };
static const char *const paths[] = { "/metrics", "/logs/x" };
#define RIGHTS (ARRAY_LEN(verbs) * ARRAY_LEN(groups) * ARRAY_LEN(resources) * ARRAY_LEN(spaces) + 2)

static bool may(struct zfix *z, const struct strategy_user *u, const char *verb, const char *group,
		const char *resource, const char *ns, const char *path)
{
	const struct authz_attrs at = { .user = u,
					.verb = verb,
					.resource_request = !*path,
					.group = group,
					.version = "v1",
					.resource = resource,
					.sub = "",
					.name = "x",
					.ns = ns,
					.path = path };

	return authz_allowed(authz_chain_authz(z->chain), &at, NULL);
}

static void rights_of(struct zfix *z, const struct strategy_user *u, bool out[RIGHTS])
{
	size_t n = 0;

	for (size_t v = 0; v < ARRAY_LEN(verbs); v++)
		for (size_t g = 0; g < ARRAY_LEN(groups); g++)
			for (size_t r = 0; r < ARRAY_LEN(resources); r++)
				for (size_t s = 0; s < ARRAY_LEN(spaces); s++)
					out[n++] = may(z, u, verbs[v], groups[g], resources[r],
						       spaces[s], "");
	for (size_t p = 0; p < ARRAY_LEN(paths); p++)
		out[n++] = may(z, u, "get", "", "", "", paths[p]);
	assert_int_equal(n, RIGHTS);
}

/* ---- who writes roles ---- */

static const char *const plain_in[] = { "devs", "system:authenticated", NULL };
static const struct strategy_user plain = { .name = "plain", .uid = "", .groups = plain_in };
static const struct strategy_user mate = { .name = "mate", .uid = "", .groups = plain_in };

/* What is there: plain writes RBAC and reads a little; much is there that it does not hold. */
static void build(struct zfix *z)
{
	static const char *const objects[][2] = {
		{ "/clusterroles",
		  "{'metadata':{'name':'writer'},'rules':[{'apiGroups':["
		  "'rbac.authorization.k8s.io'],'resources':['roles','rolebindings',"
		  "'clusterroles','clusterrolebindings'],'verbs':['get','list',"
		  "'create','update','patch','delete']}]}" },
		{ "/clusterrolebindings",
		  "{'metadata':{'name':'writer'},'roleRef':{'apiGroup':"
		  "'rbac.authorization.k8s.io','kind':'ClusterRole','name':"
		  "'writer'},'subjects':[{'kind':'User','name':'plain'}]}" },
		{ "/clusterroles", "{'metadata':{'name':'looker'},'rules':[{'apiGroups':[''],"
				   "'resources':['pods','configmaps'],'verbs':['get','list']}]}" },
		{ "/namespaces/n1/rolebindings",
		  "{'metadata':{'name':'looker'},'roleRef':{'apiGroup':'rbac.authorization.k8s.io',"
		  "'kind':'ClusterRole','name':'looker'},'subjects':[{'kind':'Group','name':"
		  "'devs'}]}" },
		{ "/clusterroles",
		  "{'metadata':{'name':'c0'},'rules':[{'apiGroups':['*'],'resources':"
		  "['*'],'verbs':['*']},{'nonResourceURLs':['*'],'verbs':['*']}]}" },
		{ "/namespaces/n2/roles", "{'metadata':{'name':'r0'},'rules':[{'apiGroups':[''],"
					  "'resources':['secrets'],'verbs':['*']}]}" },
		/* gathers what is labelled so, and plain has what it gathers */
		{ "/clusterroles", "{'metadata':{'name':'c1'},'aggregationRule':{"
				   "'clusterRoleSelectors':[{'matchLabels':{'into':'true'}}]}}" },
		{ "/clusterrolebindings", "{'metadata':{'name':'b0'},'roleRef':{'apiGroup':"
					  "'rbac.authorization.k8s.io','kind':'ClusterRole','name':"
					  "'c1'},'subjects':[{'kind':'User','name':'plain'}]}" },
		/* to a role that is not there */
		{ "/clusterrolebindings", "{'metadata':{'name':'b1'},'roleRef':{'apiGroup':"
					  "'rbac.authorization.k8s.io','kind':'ClusterRole','name':"
					  "'c2'},'subjects':[{'kind':'Group','name':'devs'}]}" },
	};
	char path[256];

	make_namespace(z->x, "n2");
	for (size_t i = 0; i < ARRAY_LEN(objects); i++) {
		snprintf(path, sizeof(path), RBAC "%s", objects[i][0]);
		must_make(z, path, objects[i][1]);
	}
}

static const char *const names[] = { "c0", "c1", "c2", "c3", "writer", "looker",
				     "r0", "r1", "b0", "b1", "b2",     "cluster-admin" };

static const char *random_rule(struct walk *w)
{
	static char out[512];

	if (below(w, 8) == 0)
		snprintf(out, sizeof(out), "{'nonResourceURLs':['%s'],'verbs':['get']}",
			 below(w, 2) ? "*" : "/metrics");
	else
		snprintf(out, sizeof(out),
			 "{'apiGroups':['%s'],'resources':['%s'],'verbs':['%s']%s}",
			 ONE_OF(w, groups), ONE_OF(w, resources), ONE_OF(w, verbs),
			 below(w, 5) ? "" : ",'resourceNames':['x']");
	return out;
}

static const char *random_role(struct walk *w, const char *name)
{
	static char out[2048];

	snprintf(out, sizeof(out), "{'metadata':{'name':'%s'%s}%s,'rules':[%s]}", name,
		 below(w, 2) ? ",'labels':{'into':'true'}" : "",
		 below(w, 6) ? "" : ",'aggregationRule':{'clusterRoleSelectors':[{}]}",
		 below(w, 5) ? random_rule(w) : "");
	return out;
}

static const char *random_binding(struct walk *w, const char *name)
{
	static const char *const who[] = { "'kind':'User','name':'plain'",
					   "'kind':'User','name':'mate'",
					   "'kind':'Group','name':'devs'" };
	static char out[1024];

	snprintf(out, sizeof(out),
		 "{'metadata':{'name':'%s'},'roleRef':{'apiGroup':'rbac.authorization.k8s.io','"
		 "kind':"
		 "'%s','name':'%s'},'subjects':[{%s}]}",
		 name, below(w, 2) ? "ClusterRole" : "Role", ONE_OF(w, names), ONE_OF(w, who));
	return out;
}

/* True: it was done. */
static bool write_rbac(struct walk *w)
{
	static const struct {
		const char *kind, *names[6];
	} kinds[] = {
		{ "clusterroles", { "c0", "c1", "c2", "c3", "looker", "writer" } },
		{ "clusterroles", { "c0", "c1", "c2", "c3", "looker", "looker" } },
		{ "clusterrolebindings", { "b0", "b1", "b2", "b3", "writer", "cluster-admin" } },
		{ "namespaces/n1/roles", { "r0", "r1", "r0", "r1", "r0", "r1" } },
		{ "namespaces/n1/rolebindings", { "b0", "b1", "b2", "looker", "looker", "b3" } },
		{ "namespaces/n2/roles", { "r0", "r1", "r0", "r1", "r0", "r1" } },
		{ "namespaces/n2/rolebindings", { "b0", "b1", "b2", "b0", "b1", "b2" } },
	};
	static const char *const patches[] = {
		"{'metadata':{'labels':{'into':'true'}}}",
		"{'aggregationRule':{'clusterRoleSelectors':[{}]}}",
		"{'aggregationRule':null}",
		"{'rules':null}",
		"{'subjects':[{'kind':'User','name':'mate'}]}",
		"{'roleRef':{'name':'c0'}}",
	};
	const unsigned k = below(w, ARRAY_LEN(kinds));
	const char *kind = kinds[k].kind, *name = ONE_OF(w, kinds[k].names), *body;
	char all[128], one[192];

	snprintf(all, sizeof(all), RBAC "/%s", kind);
	snprintf(one, sizeof(one), "%s/%s", all, name);
	body = strstr(kind, "binding") ? random_binding(w, name) : random_role(w, name);
	switch (below(w, 5)) {
	case 0: return zask(w->z, "plain", "POST", all, body) == 201;
	case 1: return zask(w->z, "plain", "PUT", one, body) == 200;
	case 2: return zask(w->z, "plain", "PATCH", one, ONE_OF(w, patches)) == 200;
	case 3: return below(w, 3) == 0 && zask(w->z, "plain", "DELETE", one, NULL) == 200;
	default: return zask(w->z, "plain", "POST", all, body) == 201;
	}
}

static void assert_no_more(struct zfix *z, const struct strategy_user *u, const bool before[RIGHTS],
			   unsigned step, uint64_t seed)
{
	bool now[RIGHTS];

	rights_of(z, u, now);
	for (size_t i = 0; i < RIGHTS; i++)
		if (now[i] && !before[i])
			fail_msg("seed %llu, step %u: %s gained right %zu",
				 (unsigned long long)seed, step, u->name, i);
}

static void settle(struct zfix *z, struct rbac_aggregate *g)
{
	for (int i = 0; !rbac_aggregate_idle(g); i++)
		if (i > 100000 || loop_step(z->x->f->loop, NS_PER_SEC, NULL) < 0)
			fail_msg("it does not come to rest");
}

static void who_writes_roles_gains_nothing(void **state)
{
	struct zfix *z = *state;
	struct walk w = { .z = z, .seed = 7 };
	struct rbac_aggregate *g;
	struct err err = ERR_INIT;
	bool before[RIGHTS];
	unsigned done = 0;

	build(z);
	assert_int_equal(rbac_aggregate_start(z->x->rs, z->x->f->loop, &g, &err), 0);
	settle(z, g);
	rights_of(z, &plain, before);
	for (unsigned i = 0; i < steps(800); i++) {
		if (!write_rbac(&w))
			continue;
		done++;
		settle(z, g);
		assert_no_more(z, &plain, before, i, 7);
		assert_no_more(z, &mate, before, i, 7); /* nor does who it gives to */
	}
	assert_true(done > 10); /* what is held can be given */
	rbac_aggregate_stop(g);
}

/* ---- nodes ---- */

static const char *const specs[] = {
	C1,
	C1 ",'serviceAccountName':'robot'",
	C1 ",'volumes':[{'name':'v','secret':{'secretName':'s2'}}]",
	C1 ",'volumes':[{'name':'v','projected':{'sources':[{'secret':{'name':'s2'}}]}}]",
	C1 ",'volumes':[{'name':'v','csi':{'driver':'d','nodePublishSecretRef':{'name':'s2'}}}]",
	C1 ",'imagePullSecrets':[{'name':'s2'}]",
	"'containers':[{'name':'c','image':'i','envFrom':[{'secretRef':{'name':'s2'}}]}]",
	C1 ",'volumes':[{'name':'v','persistentVolumeClaim':{'claimName':'data'}}]",
};

static void write_as_node(struct walk *w, const char *uid)
{
	static const char *const patches[] = {
		"{'metadata':{'labels':{'node-restriction.kubernetes.io/a':'b'}}}",
		"{'metadata':{'annotations':{'kubernetes.io/config.mirror':null}}}",
		"{'spec':{'taints':null}}",
		"{'spec':{'nodeName':'n1'}}",
		"{'spec':{'imagePullSecrets':[{'name':'s2'}]}}",
		"{'status':{'resourceClaimStatuses':[{'name':'c','resourceClaimName':'x'}]}}",
		"{'status':{'phase':'Running'}}",
	};
	static const char *const targets[] = { "/api/v1/nodes/n1",	  "/api/v1/nodes/n2",
					       "/api/v1/nodes/n1/status", CORE "/pods/other",
					       CORE "/pods/other/status", CORE "/pods/mine",
					       CORE "/pods/mine/status",  CORE "/pods/p",
					       CORE "/pods/p/status" };
	char body[2048];

	switch (below(w, 4)) {
	case 0:
		snprintf(body, sizeof(body),
			 "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'p'%s,"
			 "'ownerReferences':[{'apiVersion':'v1','kind':'Node','name':'n1','uid':"
			 "'%s','controller':true}]},'spec':{'nodeName':'%s',%s}}",
			 below(w, 4) ? ",'annotations':{'kubernetes.io/config.mirror':'h'}" : "",
			 uid, below(w, 4) ? "n1" : "n2", ONE_OF(w, specs));
		(void)zask(w->z, "n1", "POST", CORE "/pods", body);
		break;
	case 1: (void)zask(w->z, "n1", "PATCH", ONE_OF(w, targets), ONE_OF(w, patches)); break;
	case 2: (void)zask(w->z, "n1", "PUT", ONE_OF(w, targets), ONE_OF(w, patches)); break;
	default:
		(void)zask(w->z, "n1", "DELETE",
			   below(w, 2) ? CORE "/pods/p?gracePeriodSeconds=0"
				       : CORE "/pods/other?gracePeriodSeconds=0",
			   NULL);
		break;
	}
}

static void a_node_that_writes_gains_nothing(void **state)
{
	struct zfix *z = *state;
	struct walk w = { .z = z, .seed = 11 };
	char uid[64];

	for (int i = 1; i <= 2; i++) {
		char body[256];

		snprintf(body, sizeof(body),
			 "{'apiVersion':'v1','kind':'Secret','metadata':{'name':'s%d'}}", i);
		must_make(z, CORE "/secrets", body);
	}
	must_make(z, "/api/v1/nodes", "{'apiVersion':'v1','kind':'Node','metadata':{'name':'n2'}}");
	must_make(z, "/api/v1/nodes",
		  "{'apiVersion':'v1','kind':'Node','metadata':{'name':'n1'},'spec':{'taints':[{"
		  "'key':'k','effect':'NoSchedule'}]}}");
	snprintf(uid, sizeof(uid), "%s", answer_text(z->x, "metadata.uid"));
	must_make(z, CORE "/pods",
		  APOD("mine", "'nodeName':'n1'," C1
			       ",'volumes':[{'name':'v','secret':{'secretName':'s1'}}]"));
	must_make(z, CORE "/pods",
		  APOD("other", "'nodeName':'n2'," C1
				",'volumes':[{'name':'v','secret':{'secretName':'s2'}}]"));
	for (unsigned i = 0; i < steps(300); i++) {
		write_as_node(&w, uid);
		assert_may(z, "n1", "GET", CORE "/secrets/s2", NULL, 403);
		if (i % 16 == 0)
			assert_may(z, "n1", "GET", CORE "/secrets/s1", NULL, 200);
	}
	assert_may(z, "admin", "GET", CORE "/pods/other", NULL, 200);
	assert_may(z, "admin", "GET", "/api/v1/nodes/n1", NULL, 200);
	assert_has(z->x, "NoSchedule");
	assert_hasnt(z->x, "node-restriction");
}

/* ---- the graph ---- */

#define PODS_N 12
#define NODES_N 4
#define SECRETS_N 6

/* What is there: node of each pod (-1: none), its secrets as bits, whether it has the claim. */
struct plain_pod {
	int node;
	unsigned secrets;
	bool claim;
};

struct graph_model {
	struct plain_pod pods[PODS_N];
	int volume; /* secret of the claim's volume; -1: it is not there */
};

static void put_pod(struct walk *w, struct graph_model *m, unsigned i)
{
	struct plain_pod *p = &m->pods[i];
	char body[4096], path[128];
	size_t n;

	if (p->node >= 0) {
		snprintf(path, sizeof(path), CORE "/pods/p%u?gracePeriodSeconds=0", i);
		assert_may(w->z, "admin", "DELETE", path, NULL, 200);
		p->node = -1;
		return;
	}
	*p = (struct plain_pod){ .node = (int)below(w, NODES_N),
				 .secrets = below(w, 1u << SECRETS_N),
				 .claim = below(w, 3) == 0 };
	n = (size_t)snprintf(body, sizeof(body),
			     "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'p%u'},'spec':{"
			     "'nodeName':'g%d'," C1 ",'volumes':[{'name':'e','emptyDir':{}}",
			     i, p->node);
	for (unsigned s = 0; s < SECRETS_N; s++)
		if (p->secrets >> s & 1)
			n += (size_t)snprintf(body + n, sizeof(body) - n,
					      ",{'name':'v%u','secret':{'secretName':'s%u'}}", s,
					      s);
	(void)snprintf(body + n, sizeof(body) - n, "%s]}}",
		       p->claim ? ",{'name':'d','persistentVolumeClaim':{'claimName':'data'}}"
				: "");
	must_make(w->z, CORE "/pods", body);
}

static void put_volume(struct walk *w, struct graph_model *m)
{
	char body[1024];

	if (m->volume >= 0) {
		assert_may(w->z, "admin", "DELETE", "/api/v1/persistentvolumes/pv", NULL, 200);
		m->volume = -1;
		return;
	}
	m->volume = (int)below(w, SECRETS_N);
	snprintf(body, sizeof(body),
		 "{'apiVersion':'v1','kind':'PersistentVolume','metadata':{'name':'pv'},'spec':{"
		 "'capacity':{'storage':'1Gi'},'accessModes':['ReadWriteOnce'],'csi':{'driver':'d',"
		 "'volumeHandle':'h','nodeStageSecretRef':{'name':'s%d','namespace':'n1'}},"
		 "'claimRef':{'namespace':'n1','name':'data'}}}",
		 m->volume);
	must_make(w->z, "/api/v1/persistentvolumes", body);
}

static bool should(const struct graph_model *m, int node, unsigned secret)
{
	for (unsigned i = 0; i < PODS_N; i++) {
		const struct plain_pod *p = &m->pods[i];

		if (p->node == node &&
		    (p->secrets >> secret & 1 || (p->claim && m->volume == (int)secret)))
			return true;
	}
	return false;
}

static void compare(struct zfix *z, const struct graph_model *m, unsigned step)
{
	static const char *const in[] = { "system:nodes", NULL };

	for (int node = 0; node < NODES_N; node++)
		for (unsigned s = 0; s < SECRETS_N; s++) {
			char user[32], name[8];
			struct strategy_user u = { .name = user, .uid = "", .groups = in };
			struct authz_attrs at = { .user = &u,
						  .verb = "get",
						  .resource_request = true,
						  .group = "",
						  .version = "v1",
						  .resource = "secrets",
						  .sub = "",
						  .name = name,
						  .ns = "n1",
						  .path = "" };

			snprintf(user, sizeof(user), "system:node:g%d", node);
			snprintf(name, sizeof(name), "s%u", s);
			if (authz_allowed(authz_chain_authz(z->chain), &at, NULL) !=
			    should(m, node, s))
				fail_msg("step %u: node %d, secret %u", step, node, s);
		}
}

static void the_graph_is_what_the_pods_say(void **state)
{
	struct zfix *z = *state;
	struct walk w = { .z = z, .seed = 3 };
	struct graph_model m = { .volume = -1 };
	char path[128];

	for (unsigned i = 0; i < PODS_N; i++)
		m.pods[i].node = -1;
	for (unsigned i = 0; i < steps(400); i++) {
		unsigned pod = below(&w, PODS_N);

		if (below(&w, 6) == 0) {
			put_volume(&w, &m);
		} else if (m.pods[pod].node >= 0 && below(&w, 3) == 0) {
			snprintf(path, sizeof(path), CORE "/pods/p%u/status", pod);
			assert_may(z, "admin", "PATCH", path, "{'status':{'phase':'Running'}}",
				   200);
		} else {
			put_pod(&w, &m, pod);
		}
		compare(z, &m, i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ZCASE(who_writes_roles_gains_nothing),
		ZCASE(a_node_that_writes_gains_nothing),
		ZCASE(the_graph_is_what_the_pods_say),
	};

	return cmocka_run_group_tests_name("authz-walk", tests, NULL, NULL);
}
