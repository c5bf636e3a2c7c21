/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Admission and access control of the API server, one request at a time in this process: policies
 * in CEL, the built-in plugins for a pod, a token and RBAC. usage: bench-admission [rounds].
 */
#include "api/object.h"
#include "apiserver/admission/admission.h"
#include "apiserver/auth/authn.h"
#include "apiserver/auth/authz.h"
#include "apiserver/auth/rbac.h"
#include "apiserver/rest/policy-run.h"
#include "apiserver/strategy/own.h"
#include "apiserver/strategy/strategy.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/fd.h"
#include "doc/json.h"
#include "store/store.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define POLICIES 1000
#define ROLES 5000
#define MAPS "admissionregistration.k8s.io"

static struct loop *loop;
static struct api api;
static struct resources *rs;
static struct server *srv;
static struct err err;
static unsigned rounds = 20000;

static void fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, err.msg);
	exit(1);
}

static void turn(const bool *flag)
{
	while (!*flag)
		if (loop_step(loop, NS_PER_SEC, &err) < 0)
			fail("loop");
}

static void said(const char *name, int64_t began, double goal)
{
	double us = (double)(clock_mono() - began) / 1e3 / rounds;

	printf("%s %.2f us (goal %.0f)\n", name, us, goal);
}

/* ---- objects ---- */

static void on_started(void *arg, int result, struct err *why)
{
	if (result < 0) {
		err = *why;
		fail("start");
	}
	*(bool *)arg = true;
}

static void on_put(struct own_put *p)
{
	*(bool *)p->arg = true;
}

/* ' stands for ", ` for \". */
static struct doc *parse(struct arena *a, const char *text)
{
	char *out = arena_alloc_raw(a, 2 * strlen(text) + 1, 1), *to = out;
	struct doc *d;

	for (; *text; text++) {
		if (*text == '`')
			*to++ = '\\';
		*to++ = *text == '`' || *text == '\'' ? '"' : *text;
	}
	if (json_read(a, slice_of(out, (size_t)(to - out)), NULL, &d, &err) < 0)
		fail("json");
	return d;
}

static void put(const char *group, const char *resource, const char *ns, const char *name,
		const char *text)
{
	struct arena *a = arena_new("object", 1u << 20);
	bool done = false;
	struct own_put p = { .rs = rs,
			     .group = group,
			     .resource = resource,
			     .namespace_ = ns,
			     .name = name,
			     .want = parse(a, text),
			     .done = on_put,
			     .arg = &done };

	own_put(&p);
	turn(&done);
	if (p.result < 0) {
		err = p.err;
		fail(name);
	}
	arena_free(a);
}

#define TYPE(kind)                                                                               \
	"{'apiVersion':'admissionregistration.k8s.io/v1','kind':'ValidatingAdmissionPolicy" kind \
	"','metadata':{'name':'%s'},"

static void put_policy(const char *name, const char *group, const char *resource,
		       const char *validations)
{
	char text[4096];

	snprintf(text, sizeof(text),
		 TYPE("") "'spec':{'matchConstraints':{'resourceRules':[{'operations':['CREATE',"
			  "'UPDATE'],'apiGroups':['%s'],'apiVersions':['v1'],'resources':['%s']}]},"
			  "'validations':[%s]}}",
		 name, group, resource, validations);
	put(MAPS, "validatingadmissionpolicies", "", name, text);
	snprintf(text, sizeof(text),
		 TYPE("Binding") "'spec':{'policyName':'%s','validationActions':['Deny'],"
				 "'matchResources':{'namespaceSelector':{'matchLabels':"
				 "{'environment':'test'}}}}}",
		 name, name);
	put(MAPS, "validatingadmissionpolicybindings", "", name, text);
}

/* ---- policies ---- */

#define POD                                                                                       \
	"{'kind':'Pod','apiVersion':'v1','metadata':{'name':'web','namespace':'n1','labels':{'"   \
	"app':"                                                                                   \
	"'web','tier':'front'}},'spec':{'containers':[{'name':'web','image':"                     \
	"'registry.example/web:v1','ports':[{'containerPort':8080}],'resources':{'requests':{"    \
	"'cpu':'100m','memory':'128Mi'},'limits':{'cpu':'1','memory':'1Gi'}},'securityContext':{" \
	"'allowPrivilegeEscalation':false,'runAsNonRoot':true,'capabilities':{'drop':['ALL']},"   \
	"'seccompProfile':{'type':'RuntimeDefault'}}}]}}"

struct request {
	struct call c;
	struct hook_ask k;
	struct doc obj;
	int result;
};

static void on_judged(struct hook_ask *k, int result, struct err *why)
{
	struct request *q = k->arg;

	q->result = result;
	if (result < 0)
		err = *why;
}

static void judge(struct request *q, const struct doc *obj)
{
	(void)call_work_again(&q->c);
	q->obj = *obj;
	q->k = (struct hook_ask){ .c = &q->c,
				  .op = HOOK_CREATE,
				  .asked = q->c.resource,
				  .ns = "n1",
				  .name = "web",
				  .sub = "",
				  .obj = &q->obj,
				  .stored = q->c.resource->kind,
				  .done = on_judged,
				  .arg = q };
	hook_ask_validate(&q->k);
	if (q->result < 0)
		fail("judged");
}

static void judge_many(const char *name, double goal)
{
	static const char *const groups[] = { "system:authenticated", NULL };
	struct arena *a = arena_new("request", 1u << 20);
	struct request q = { .c = { .srv = srv, .a = a } };
	struct doc pod;
	int64_t began;

	q.c.resource = resources_find(rs, "", "v1", "pods");
	q.c.user = (struct strategy_user){ .name = "me", .uid = "1", .groups = groups };
	if (api_admit(q.c.resource->kind->type, parse(a, POD), a, 0, NULL, &pod, &err) < 0)
		fail("pod");
	judge(&q, &pod); /* compiled now */
	began = clock_mono();
	for (unsigned i = 0; i < rounds; i++)
		judge(&q, &pod);
	said(name, began, goal);
	arena_free(q.c.work);
	arena_free(a);
}

static void policies(void)
{
	char name[32];

	judge_many("policies-none", 1);
	put_policy("first", "", "pods",
		   "{'expression':'object.spec.containers.all(c, "
		   "c.image.startsWith(`registry.example/`))','message':'images must be ours'}");
	judge_many("policy-typical", 5);
	for (unsigned i = 0; i < POLICIES; i++) {
		snprintf(name, sizeof(name), "p%04u", i);
		if (i == 300 || i == 600)
			put_policy(name, "", "pods",
				   "{'expression':'has(object.metadata.labels) && `app` in "
				   "object.metadata.labels'}");
		else
			put_policy(name, i % 2 ? "apps" : "example.com",
				   i % 2 ? "deployments" : "widgets",
				   "{'expression':'object.spec.replicas <= 5'}");
	}
	judge_many("policies-1000-of-which-3-match", 50);
}

/* ---- the plugins ---- */

static void admit(const struct admission *ad, const struct doc *raw, struct arena *a)
{
	struct resource *pods = resources_find(rs, "", "v1", "pods");
	struct status_about about = status_about(pods->kind);
	struct doc obj, *own = doc_copy_shared(a, raw);
	struct strategy_call sc = { .rs = rs, .objects = pods->objects, .sub = "", .a = a };
	struct admission_call c = { .sc = &sc,
				    .op = ADMISSION_CREATE,
				    .ns = "n1",
				    .sub = "",
				    .name = "web",
				    .obj = &obj,
				    .about = &about };

	sc.user = (struct strategy_user){ .name = "me", .uid = "1" };
	if (api_admit(pods->kind->type, own, a, 0, NULL, &obj, &err) < 0 ||
	    admission_mutate(ad, &c, &err) < 0 || admission_validate(ad, &c, &err) < 0 ||
	    admission_charge(ad, &c, &err) < 0)
		fail("admitted");
}

static void plugins(const struct admission *ad)
{
	struct arena *a = arena_new("request", 16u << 20), *b = arena_new("pod", 1u << 20);
	const struct doc *raw = parse(b, POD);
	int64_t began;

	put("", "namespaces", "", "n1",
	    "{'apiVersion':'v1','kind':'Namespace','metadata':{'name':'n1','labels':{'environment':"
	    "'test','pod-security.kubernetes.io/enforce':'restricted'}}}");
	put("", "resourcequotas", "n1", "q",
	    "{'apiVersion':'v1','kind':'ResourceQuota','metadata':{'name':'q','namespace':'n1'},'"
	    "spec':"
	    "{'hard':{'pods':'100000','requests.cpu':'100000'}},'status':{'hard':{'pods':'100000',"
	    "'requests.cpu':'100000'},'used':{'pods':'1','requests.cpu':'1'}}}");
	admit(ad, raw, a);
	began = clock_mono();
	for (unsigned i = 0; i < rounds; i++) {
		arena_reset(a);
		admit(ad, raw, a);
	}
	said("pod-defaults-podsecurity-quota", began, 50);
	arena_free(a);
	arena_free(b);
}

/* ---- who, and may they ---- */

static void put_roles(struct rbac *r)
{
	char text[1024];

	for (unsigned i = 0; i < ROLES; i++) {
		struct arena *a = arena_new("role", 1u << 20);

		snprintf(text, sizeof(text),
			 "{'kind':'Role','metadata':{'name':'r%u','namespace':'n%u'},'rules':[{'"
			 "verbs':"
			 "['get','list','watch'],'apiGroups':['','apps'],'resources':['pods',"
			 "'deployments']}]}",
			 i, i % 100);
		if (rbac_set_role(r, parse(a, text), &err) < 0)
			fail("role");
		snprintf(text, sizeof(text),
			 "{'kind':'RoleBinding','metadata':{'name':'b%u','namespace':'n%u'},'"
			 "roleRef':"
			 "{'kind':'Role','name':'r%u'},'subjects':[{'kind':'User','name':'u%u'}]}",
			 i, i % 100, i, i % 1000);
		if (rbac_set_binding(r, parse(a, text), &err) < 0)
			fail("binding");
		arena_free(a);
	}
}

static void ask_access(struct authn *n)
{
	struct rbac *r = rbac_new();
	struct authz_step step = { .mode = AUTHZ_RBAC, .rbac = r };
	struct authz z = { .rbac = r, .steps = &step, .nsteps = 1 };
	struct arena *a = arena_new("request", 1u << 20);
	const struct authn_ask ask = { .token = SLICE("a-token") };
	int64_t began;

	put_roles(r);
	began = clock_mono();
	for (unsigned i = 0; i < rounds; i++) {
		struct authn_found found;
		struct authz_attrs at = { .verb = "get",
					  .resource_request = true,
					  .group = "",
					  .version = "v1",
					  .resource = "pods",
					  .sub = "",
					  .name = "p",
					  .ns = "n42",
					  .path = "" };

		arena_reset(a);
		if (authn_token(n, &ask, a, &found, &err) != 1)
			fail("token");
		at.user = &found.user;
		if (!authz_allowed(&z, &at, NULL))
			fail("allowed");
	}
	said("token-and-rbac-5000-roles", began, 5);
	rbac_free(r);
	arena_free(a);
}

/* ---- all of it ---- */

static void write_tokens(const char *path)
{
	static const char text[] = "a-token,u42,1,\"devs,ops\"\n";
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, text, sizeof(text) - 1) != sizeof(text) - 1)
		fail("tokens");
	close(fd);
}

int main(int argc, char **argv)
{
	struct arena *a = arena_new("api", 64u << 20);
	char dir[] = "/tmp/teu-bench-admission-XXXXXX", path[128], tokens[128];
	struct store_sqlite_options o = { .path = path };
	struct authn_conf authn = { .token_file = tokens };
	struct server_conf conf = { .api = &api, .address = "127.0.0.1:6443" };
	struct world_conf w = { .window_changes = 0 };
	struct admission *ad = NULL;
	struct world *world;
	struct authn *n = NULL;
	bool started = false;

	if (argc > 1)
		rounds = (unsigned)strtoul(argv[1], NULL, 10);
	if (!rounds || !mkdtemp(dir) || loop_new(&loop, &err) < 0 || api_load(a, &api, &err) < 0)
		fail("begin");
	snprintf(path, sizeof(path), "%s/store.db", dir);
	snprintf(tokens, sizeof(tokens), "%s/tokens.csv", dir);
	write_tokens(tokens);
	o.loop = w.loop = conf.loop = loop;
	if (store_open_sqlite(&o, &conf.store, &err) < 0 || authn_new(&authn, &n, &err) < 0 ||
	    admission_new(&(struct admission_flags){ .disable = "ServiceAccount" }, &ad, &err) < 0)
		fail("open");
	w.store = conf.store;
	conf.world = world = world_new(&w);
	if (resources_new(&api, world, strategy_of, &rs, &err) < 0)
		fail("resources");
	world_start(world, on_started, &started);
	turn(&started);
	conf.resources = rs;
	conf.authn = n;
	conf.admission = ad;
	conf.metrics = metrics_new();
	if (server_new(&conf, &srv, &err) < 0)
		fail("server");
	plugins(ad);
	policies();
	ask_access(n);
	server_free(srv);
	metrics_free(conf.metrics);
	resources_free(rs);
	world_free(world);
	authn_free(n);
	admission_free(ad);
	store_close(conf.store);
	loop_free(loop);
	api_fini(&api);
	arena_free(a);
	return fd_remove_tree(AT_FDCWD, dir, &err) < 0;
}
