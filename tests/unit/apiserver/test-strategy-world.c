/* SPDX-License-Identifier: Apache-2.0 */
/* Strategies over a world: Services with their IPAddress objects, budgets and evictions. */
#include "strategy-fix.h"

#include "apiserver/objects/cache.h"
#include "apiserver/objects/codec.h"
#include "apiserver/objects/resource.h"
#include "apiserver/strategy/service-alloc.h"
#include "base/clock.h"
#include "base/fd.h"
#include "store/store.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

struct wfix {
	struct sfix *x;
	char dir[64];
	struct loop *loop;
	struct store *store;
	struct world *w;
	struct resources *rs;
	struct arena *request;
	bool started;
	int result;
	struct err err;
};

static void wait_until(struct wfix *f, const bool *flag)
{
	const int64_t end = clock_mono() + 60 * NS_PER_SEC;

	while (!*flag) {
		assert_true(loop_step(f->loop, NS_PER_SEC, &f->err) >= 0);
		assert_true(clock_mono() < end);
	}
}

static void on_started(void *arg, int result, struct err *err)
{
	struct wfix *f = arg;

	f->started = true;
	f->result = result;
	if (err)
		f->err = *err;
}

static void world_open(struct wfix *f, const char *cidrs)
{
	char path[96];

	(void)snprintf(path, sizeof(path), "%s/store.db", f->dir);
	if (store_open_sqlite(&(struct store_sqlite_options){ .loop = f->loop, .path = path },
			      &f->store, &f->err) != 0)
		fail_msg("%s", f->err.msg);
	f->w = world_new(&(struct world_conf){ .loop = f->loop, .store = f->store });
	assert_int_equal(resources_new(&f->x->api, f->w, strategy_of, &f->rs, &f->err), 0);
	f->started = false;
	world_start(f->w, on_started, f);
	wait_until(f, &f->started);
	if (f->result != 0 || strategy_start(f->rs, slice_str(cidrs), 30000, 30031, &f->err) != 0)
		fail_msg("%s", f->err.msg);
}

static void world_close(struct wfix *f)
{
	strategy_stop(f->rs);
	strategy_stop(f->rs);
	resources_free(f->rs);
	world_free(f->w);
	store_close(f->store);
}

static int wfix_setup(void **state)
{
	struct wfix *f = calloc(1, sizeof(*f));
	void *x;

	assert_non_null(f);
	assert_int_equal(sfix_setup(&x), 0);
	f->x = x;
	strcpy(f->dir, "/tmp/teu-strategy-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	assert_int_equal(loop_new(&f->loop, &f->err), 0);
	f->request = arena_new("request", ARENA_MAX);
	world_open(f, "10.0.0.0/28,fd00::/120");
	*state = f;
	return 0;
}

static int wfix_teardown(void **state)
{
	struct wfix *f = *state;
	void *x = f->x;

	arena_free(f->request);
	world_close(f);
	loop_free(f->loop);
	assert_int_equal(fd_remove_tree(AT_FDCWD, f->dir, &f->err), 0);
	assert_int_equal(sfix_teardown(&x), 0);
	free(f);
	return 0;
}

/* ---- requests ---- */

/* A request to a collection: sub, and an arena that lives until the next one. */
static struct strategy_call *call_begin(struct wfix *f, const char *group, const char *resource,
					const char *sub)
{
	struct strategy_call *c = &f->x->c;

	*c = (struct strategy_call){ .rs = f->rs,
				     .objects = resources_objects(f->rs, group, resource),
				     .sub = sub,
				     .a = f->request,
				     .now = NOW };
	assert_non_null(c->objects);
	f->x->objects = *c->objects;
	return c;
}

static void call_end(struct wfix *f)
{
	arena_free(f->request);
	f->request = arena_new("request", ARENA_MAX);
}

#define OPS_MAX (1 + STRATEGY_MORE_MAX)
struct writing {
	struct cache_write w;
	struct cache_op ops[OPS_MAX];
	struct buf json[OPS_MAX];
	bool done;
};

static void on_written(struct cache_write *w)
{
	CONTAINER_OF(w, struct writing, w)->done = true;
}

static void add_op(struct writing *wr, struct collection *o, const char *key, const struct doc *obj,
		   int64_t expect)
{
	const size_t i = wr->w.n++;
	struct err err = ERR_INIT;

	wr->json[i] = BUF_INIT(1u << 20);
	if (obj)
		assert_int_equal(codec_store(obj, &wr->json[i], &err), 0);
	wr->ops[i] = (struct cache_op){ .cache = o->cache,
					.key = slice_str(key),
					.json = buf_slice(&wr->json[i]),
					.expect = expect };
}

/* The object and what goes with it, in one transaction. */
static int write_all(struct wfix *f, const struct strategy_call *c, const char *key,
		     const struct doc *obj, int64_t expect)
{
	struct writing wr = { .w = { .ops = wr.ops, .done = on_written } };

	add_op(&wr, (struct collection *)(uintptr_t)c->objects, key, obj, expect);
	for (size_t i = 0; i < c->nmore; i++)
		add_op(&wr, c->more[i].objects, c->more[i].key, c->more[i].obj, c->more[i].expect);
	cache_write(f->w, &wr.w);
	wait_until(f, &wr.done);
	for (size_t i = 0; i < wr.w.n; i++)
		buf_fini(&wr.json[i]);
	if (wr.w.result < 0)
		fail_msg("%s: %s", key, wr.w.err.msg);
	return wr.w.result;
}

static struct doc *live(struct wfix *f, const char *group, const char *resource, const char *key)
{
	const struct item *i =
		cache_get(resources_objects(f->rs, group, resource)->cache, slice_str(key));
	struct doc *d = i ? ARENA_NEW(f->x->a, struct doc) : NULL;
	struct err err = ERR_INIT;

	if (i)
		assert_int_equal(codec_parse(i, f->x->a, d, &err), 0);
	return d ? doc_copy(f->x->a, d) : NULL;
}

static int64_t live_revision(struct wfix *f, const char *group, const char *resource,
			     const char *key)
{
	return item_revision(
		cache_get(resources_objects(f->rs, group, resource)->cache, slice_str(key)));
}

#define SERVICE                                                                                    \
	"{'kind':'Service','apiVersion':'v1','metadata':{'name':'%s','namespace':'n'},'spec':{%s}" \
	"}"

static struct doc *service(struct wfix *f, const char *name, const char *spec)
{
	return sfix_doc(f->x, arena_printf(f->x->a, SERVICE, name, spec));
}

static const char *key_of(struct wfix *f, const char *name)
{
	return arena_printf(f->x->a, "n/%s", name);
}

/* POST or PUT. Result of the write, or of what was refused before. */
static int service_put(struct wfix *f, const char *name, const char *spec)
{
	struct strategy_call *c = call_begin(f, "", "services", "");
	struct doc *obj = service(f, name, spec), *old = live(f, "", "services", key_of(f, name));
	int r = old ? strategy_update(c, obj, old, &f->err) : strategy_create(c, obj, &f->err);

	if (r == 0)
		r = strategy_commit(c, obj, old, &f->err);
	if (r == 0)
		r = write_all(f, c, key_of(f, name), obj,
			      old ? live_revision(f, "", "services", key_of(f, name)) : 0);
	call_end(f);
	return r;
}

static void service_delete(struct wfix *f, const char *name)
{
	struct strategy_call *c = call_begin(f, "", "services", "");
	const struct doc *old = live(f, "", "services", key_of(f, name));

	assert_int_equal(strategy_commit(c, NULL, old, &f->err), 0);
	assert_int_equal(write_all(f, c, key_of(f, name), NULL,
				   live_revision(f, "", "services", key_of(f, name))),
			 0);
	call_end(f);
}

static void put_text(struct wfix *f, const char *group, const char *resource, const char *key,
		     const char *text)
{
	struct strategy_call *c = call_begin(f, group, resource, "");

	assert_int_equal(write_all(f, c, key, sfix_doc(f->x, text), CACHE_ANY_REVISION), 0);
	call_end(f);
}

#define IPS "networking.k8s.io", "ipaddresses"
#define PORT "'ports':[{'port':80}]"

static size_t count(struct wfix *f, const char *group, const char *resource)
{
	return cache_count(resources_objects(f->rs, group, resource)->cache);
}

/* ---- services ---- */

static void addresses_are_objects_that_come_and_go_with_their_service(void **state)
{
	struct wfix *f = *state;
	const struct doc *ip;

	assert_int_equal(service_put(f, "a", "'clusterIP':'10.0.0.4'," PORT), 0);
	ip = live(f, IPS, "10.0.0.4");
	assert_non_null(ip);
	call_begin(f, IPS, "");
	assert_true(
		sfix_facts(f->x, "ip", ip,
			   "metadata.labels={'ipaddress.kubernetes.io/ip-family':'IPv4',"
			   "'ipaddress.kubernetes.io/managed-by':'ipallocator.k8s.io'}\n"
			   "metadata.creationTimestamp=" NOW_TEXT "\n"
			   "spec.parentRef={'resource':'services','namespace':'n','name':'a'}"));
	assert_int_equal(strategy_text(ip, "metadata.uid").n, 36);

	/* A second family, and away with it. */
	assert_int_equal(service_put(f, "a",
				     "'clusterIP':'10.0.0.4','ipFamilyPolicy':"
				     "'RequireDualStack'," PORT),
			 0);
	assert_int_equal(count(f, IPS), 2);
	assert_int_equal(service_put(f, "a", "'ipFamilyPolicy':'SingleStack'," PORT), 0);
	assert_int_equal(count(f, IPS), 1);
	assert_non_null(live(f, IPS, "10.0.0.4"));

	/* A name of others has no address; its endpoints go with it. */
	put_text(f, "", "endpoints", "n/a",
		 "{'kind':'Endpoints','apiVersion':'v1','metadata':{'name':'a','namespace':'n'}}");
	assert_int_equal(service_put(f, "a", "'type':'ExternalName','externalName':'b.c'"), 0);
	assert_int_equal(count(f, IPS), 0);
	assert_int_equal(service_put(f, "a", PORT), 0);
	assert_int_equal(count(f, IPS), 1);
	service_delete(f, "a");
	assert_int_equal(count(f, IPS), 0);
	assert_int_equal(count(f, "", "endpoints"), 0);
	assert_int_equal(count(f, "", "services"), 0);
}

static void an_address_that_lost_its_object_gets_it_again(void **state)
{
	struct wfix *f = *state;
	struct strategy_call *c;

	assert_int_equal(service_put(f, "a", "'clusterIP':'10.0.0.4'," PORT), 0);
	c = call_begin(f, IPS, "");
	assert_int_equal(write_all(f, c, "10.0.0.4", NULL, CACHE_ANY_REVISION), 0);
	assert_int_equal(service_put(f, "b", "'clusterIP':'10.0.0.4'," PORT), -ERR_INVALID);
	assert_int_equal(service_put(f, "a", "'sessionAffinity':'ClientIP'," PORT), 0);
	assert_int_equal(count(f, IPS), 1);
}

static void taken_addresses_and_ports_are_refused(void **state)
{
	struct wfix *f = *state;

	assert_int_equal(service_put(f, "a",
				     "'type':'NodePort','clusterIP':'10.0.0.4','ports':[{"
				     "'port':80,'nodePort':30001}]"),
			 0);
	assert_int_equal(service_put(f, "b", "'clusterIP':'10.0.0.4'," PORT), -ERR_INVALID);
	assert_non_null(strstr(f->err.msg, "provided IP is already allocated"));
	assert_int_equal(service_put(f, "b",
				     "'type':'NodePort','ports':[{'port':80,'nodePort':"
				     "30001}]"),
			 -ERR_INVALID);
	assert_non_null(strstr(f->err.msg, "provided port is already allocated"));
	/* Its own ports it keeps, others it gives up. */
	assert_int_equal(service_put(f, "a",
				     "'type':'NodePort','ports':[{'port':80,'nodePort':"
				     "30002}]"),
			 0);
	assert_int_equal(service_put(f, "b",
				     "'type':'NodePort','ports':[{'port':80,'nodePort':"
				     "30001}]"),
			 0);
	service_delete(f, "a");
	assert_int_equal(service_put(f, "c",
				     "'type':'NodePort','clusterIP':'10.0.0.4','ports':[{"
				     "'port':80,'nodePort':30002}]"),
			 0);
	/* An address object of someone else. */
	put_text(f, IPS, "10.0.0.9",
		 "{'kind':'IPAddress','apiVersion':'networking.k8s.io/v1',"
		 "'metadata':{'name':'10.0.0.9'},'spec':{'parentRef':{'resource':"
		 "'gateways','group':'g','name':'x'}}}");
	assert_int_equal(service_put(f, "d", "'clusterIP':'10.0.0.9'," PORT), -ERR_INVALID);
}

static void two_requests_under_way_never_choose_the_same(void **state)
{
	struct wfix *f = *state;
	struct arena *arenas[2] = { arena_new("one", ARENA_MAX), arena_new("two", ARENA_MAX) };
	struct doc *obj[2];
	struct strategy_call calls[2];

	for (size_t i = 0; i < 2; i++) {
		calls[i] = *call_begin(f, "", "services", "");
		calls[i].a = arenas[i];
		obj[i] = service(f, i ? "b" : "a", "'type':'NodePort'," PORT);
		assert_int_equal(strategy_create(&calls[i], obj[i], &f->err), 0);
	}
	assert_false(strategy_same_at(obj[0], obj[1], "spec.clusterIP"));
	assert_false(strategy_same_at(obj[0], obj[1], "spec.ports.0.nodePort"));
	/* What the first has is refused to the second, until the first is over. */
	obj[1] = service(f, "b",
			 arena_printf(f->x->a, "'clusterIP':'%s'," PORT,
				      doc_cstr(f->x->a, doc_find(obj[0], "spec.clusterIP"))));
	assert_int_equal(strategy_create(&calls[1], obj[1], &f->err), -ERR_INVALID);
	arena_free(arenas[0]);
	assert_int_equal(strategy_create(&calls[1], obj[1], &f->err), 0);
	arena_free(arenas[1]);
}

static void a_restart_knows_what_is_taken(void **state)
{
	struct wfix *f = *state;

	assert_int_equal(service_put(f, "a",
				     "'type':'NodePort','clusterIP':'10.0.0.4','ports':[{"
				     "'port':80,'nodePort':30001}]"),
			 0);
	world_close(f);
	world_open(f, "10.0.0.0/28,fd00::/120");
	assert_int_equal(service_put(f, "b", "'clusterIP':'10.0.0.4'," PORT), -ERR_INVALID);
	assert_int_equal(service_put(f, "b",
				     "'type':'NodePort','ports':[{'port':80,'nodePort':"
				     "30001}]"),
			 -ERR_INVALID);
	assert_int_equal(service_put(f, "b", "'type':'NodePort'," PORT), 0);
}

static void ranges_of_service_cidrs_count_when_they_are_ready(void **state)
{
#define CIDR(ready)                                                                          \
	"{'kind':'ServiceCIDR','apiVersion':'networking.k8s.io/v1','metadata':{'name':'m'}," \
	"'spec':{'cidrs':['10.9.0.0/"                                                        \
	"24']},'status':{'conditions':[{'type':'Ready','status':'" ready "',"                \
	"'lastTransitionTime':" NOW_TEXT ",'reason':'r','message':''}]}}"
	struct wfix *f = *state;

	assert_int_equal(service_put(f, "a", "'clusterIP':'10.9.0.4'," PORT), -ERR_INVALID);
	put_text(f, "networking.k8s.io", "servicecidrs", "m", CIDR("False"));
	assert_int_equal(service_put(f, "a", "'clusterIP':'10.9.0.4'," PORT), -ERR_INVALID);
	put_text(f, "networking.k8s.io", "servicecidrs", "m", CIDR("True"));
	assert_int_equal(service_put(f, "a", "'clusterIP':'10.9.0.4'," PORT), 0);
	/* The first range is given first: fourteen addresses, the rest is of the second. */
	for (int i = 0; i < 20; i++)
		assert_int_equal(service_put(f, arena_printf(f->x->a, "s%d", i), PORT), 0);
	assert_int_equal(count(f, IPS), 21);
}

static void a_full_range_is_an_error_of_the_server(void **state)
{
	struct wfix *f = *state;

	for (int i = 0; i < 14; i++)
		assert_int_equal(service_put(f, arena_printf(f->x->a, "s%d", i), PORT), 0);
	assert_int_equal(service_put(f, "one-more", PORT), -ERR_SYSTEM);
	assert_string_equal(
		f->err.msg,
		"failed to allocate a serviceIP for Service \"one-more\": range is full");
	service_delete(f, "s3");
	assert_int_equal(service_put(f, "one-more", PORT), 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(
			service_put(f, arena_printf(f->x->a, "s%d", i + 4),
				    "'type':'NodePort','ports':[{'name':'a','port':1},{'name':"
				    "'b','port':2},{'name':'c','port':3},{'name':'d','port':4},{"
				    "'name':'e','port':5},{'name':'f','port':6},{'name':'g',"
				    "'port':7},{'name':'h','port':8}]"),
			0);
	assert_int_equal(service_put(f, "s9", "'type':'NodePort'," PORT), -ERR_SYSTEM);
	assert_string_equal(f->err.msg, "failed to allocate a nodePort: range is full");
}

/* Admission may change what was allocated for. */
static void a_type_that_admission_changed_gets_its_ports(void **state)
{
	struct wfix *f = *state;
	struct strategy_call *c = call_begin(f, "", "services", "");
	struct doc *obj = service(f, "a", PORT);

	assert_int_equal(strategy_create(c, obj, &f->err), 0);
	assert_null(doc_find(obj, "spec.ports.0.nodePort"));
	(void)strategy_set_text(c, obj, "spec.type", "NodePort");
	assert_int_equal(strategy_commit(c, obj, NULL, &f->err), 0);
	assert_in_range(strategy_int(obj, "spec.ports.0.nodePort"), 30000, 30031);
	assert_int_equal(c->nmore, 1);
}

/* ---- evictions ---- */

#define PDB(name, more)                                                                    \
	"{'kind':'PodDisruptionBudget','apiVersion':'policy/v1','metadata':{'name':'" name \
	"','namespace':'n','generation':1},'spec':{'selector':{'matchLabels':{'a':'b'}}" more "}"
#define STATUS(s) ",'status':{'observedGeneration':1," s "}}"

static struct doc *evictee(struct wfix *f, const char *status)
{
	return sfix_doc(f->x, arena_printf(f->x->a,
					   "{'kind':'Pod','apiVersion':'v1','metadata':{'name':'p',"
					   "'namespace':'n','labels':{'a':'b'}},"
					   "'spec':{'containers':[]},'status':{%s}}",
					   status));
}

static int evict(struct wfix *f, const char *status)
{
	struct strategy_call *c = call_begin(f, "", "pods", "eviction");
	const struct doc *eviction = must_read(f->x->a, "{\"metadata\":{\"name\":\"p\"}}");

	f->err = ERR_INIT;
	return eviction_allow(c, evictee(f, status), eviction, &f->err);
}

#define READY "'phase':'Running','conditions':[{'type':'Ready','status':'True'}]"

static void assert_refused(struct wfix *f, const char *why)
{
	assert_int_equal(f->err.code, ERR_QUOTA);
	assert_string_equal(f->err.msg,
			    "Cannot evict pod as it would violate the pod's disruption budget.");
	assert_non_null(f->err.causes);
	assert_string_equal(f->err.causes->reason, "DisruptionBudget");
	assert_string_equal(f->err.causes->detail, why);
}

static void budget(struct wfix *f, const char *more, const char *status)
{
	put_text(f, "policy", "poddisruptionbudgets", "n/pdb",
		 arena_printf(f->x->a, PDB("pdb", "%s") STATUS("%s"), more, status));
}

static void a_pod_without_a_budget_goes(void **state)
{
	struct wfix *f = *state;

	assert_int_equal(evict(f, READY), 0);
	assert_int_equal(f->x->c.nmore, 0);
	put_text(f, "policy", "poddisruptionbudgets", "m/other", PDB("other", "") "}");
	put_text(f, "policy", "poddisruptionbudgets", "n/none",
		 "{'kind':'PodDisruptionBudget','apiVersion':'policy/v1','metadata':{'name':'none',"
		 "'namespace':'n'},'spec':{}}");
	assert_int_equal(evict(f, READY), 0);
	assert_int_equal(f->x->c.nmore, 0);
}

static void a_budget_gives_one_at_a_time(void **state)
{
	struct wfix *f = *state;
	struct strategy_call *c = &f->x->c;
	const struct doc *b;

	budget(f, "",
	       "'disruptionsAllowed':2,'currentHealthy':3,'desiredHealthy':1,'expectedPods':3");
	assert_int_equal(evict(f, READY), 0);
	assert_int_equal(c->nmore, 1);
	assert_string_equal(c->more[0].key, "n/pdb");
	b = c->more[0].obj;
	assert_true(sfix_facts(f->x, "pdb", b,
			       "status.disruptionsAllowed=1\nstatus.disruptedPods={'p':" NOW_TEXT
			       "}\nstatus.conditions=\nmetadata.resourceVersion="));
	assert_int_equal(write_all(f, c, "n/evicted", evictee(f, READY), 0), 0);
	call_end(f);

	assert_int_equal(evict(f, READY), 0);
	b = c->more[0].obj;
	assert_true(sfix_facts(f->x, "pdb", b,
			       "status.disruptionsAllowed=0\nstatus.conditions=[{'type':"
			       "'DisruptionAllowed','status':'False','observedGeneration':1,"
			       "'lastTransitionTime':" NOW_TEXT
			       ",'reason':'InsufficientPods','message':''}]"));
	b = doc_copy(f->x->a, b);
	/* Someone else took it meanwhile. */
	budget(f, "",
	       "'disruptionsAllowed':0,'currentHealthy':1,'desiredHealthy':1,'expectedPods':3");
	*c = (struct strategy_call){
		.objects = resources_objects(f->rs, "", "pods"),
		.nmore = 1,
		.more = { { resources_objects(f->rs, "policy", "poddisruptionbudgets"), "n/pdb", b,
			    1 } }
	};
	assert_int_equal(write_all(f, c, "n/evicted2", evictee(f, READY), 0), 1);
	assert_int_equal(evict(f, READY), -ERR_QUOTA);
	assert_refused(f, "The disruption budget pdb needs 1 healthy pods and has 1 currently");
	assert_int_equal(eviction_retry_after(&f->err), 0);
}

static void a_budget_says_why_it_refuses(void **state)
{
	static const struct {
		const char *status, *why;
	} rows[] = {
		{ "'disruptionsAllowed':0,'currentHealthy':3,'desiredHealthy':1,'conditions':[{'"
		  "type':"
		  "'DisruptionAllowed','status':'False','reason':'SyncFailed','message':'no "
		  "scale'}]",
		  "The disruption budget pdb does not allow evicting pods currently because it "
		  "failed "
		  "sync: no scale" },
		{ "'disruptionsAllowed':0,'currentHealthy':3,'desiredHealthy':1,'conditions':[{'"
		  "type':"
		  "'DisruptionAllowed','status':'False','reason':'Because','message':'m'}]",
		  "The disruption budget pdb does not allow evicting pods currently (Because): m" },
		{ "'disruptionsAllowed':0,'currentHealthy':3,'desiredHealthy':1",
		  "The disruption budget pdb does not allow evicting pods currently" },
	};
	struct wfix *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		budget(f, "", rows[i].status);
		assert_int_equal(evict(f, READY), -ERR_QUOTA);
		assert_refused(f, rows[i].why);
	}
	/* It is behind its own spec: soon. */
	put_text(f, "policy", "poddisruptionbudgets", "n/pdb",
		 PDB("pdb", "") ",'status':{'observedGeneration':0,'disruptionsAllowed':5}}");
	assert_int_equal(evict(f, READY), -ERR_QUOTA);
	assert_refused(f, "The disruption budget pdb is still being processed by the server.");
	assert_int_equal(eviction_retry_after(&f->err), 10);
	budget(f, "", "'disruptionsAllowed':-1");
	assert_int_equal(evict(f, READY), -ERR_FORBIDDEN);
	assert_non_null(strstr(f->err.msg, "poddisruptionbudget.policy \"pdb\" is forbidden: pdb "
					   "disruptions allowed is negative"));
	put_text(f, "policy", "poddisruptionbudgets", "n/second", PDB("second", "") "}");
	assert_int_equal(evict(f, READY), -ERR_SYSTEM);
	assert_string_equal(f->err.msg, "This pod has more than one PodDisruptionBudget, which the "
					"eviction subresource does not support.");
}

static void pods_that_nothing_is_lost_by_go_in_spite_of_it(void **state)
{
	static const char *const over[] = { "'phase':'Pending'", "'phase':'Succeeded'",
					    "'phase':'Failed'" };
	struct wfix *f = *state;
	struct strategy_call *c;
	struct doc *pod;

	budget(f, "", "'disruptionsAllowed':0,'currentHealthy':1,'desiredHealthy':2");
	for (size_t i = 0; i < ARRAY_LEN(over); i++)
		assert_int_equal(evict(f, over[i]), 0);
	assert_int_equal(evict(f, "'phase':'Running'"), -ERR_QUOTA);
	budget(f, ",'unhealthyPodEvictionPolicy':'AlwaysAllow'",
	       "'disruptionsAllowed':0,'currentHealthy':1,'desiredHealthy':2");
	assert_int_equal(evict(f, "'phase':'Running'"), 0);
	assert_int_equal(f->x->c.nmore, 0);
	assert_int_equal(evict(f, READY), -ERR_QUOTA);
	budget(f, ",'unhealthyPodEvictionPolicy':'IfHealthyBudget'",
	       "'disruptionsAllowed':0,'currentHealthy':2,'desiredHealthy':2");
	assert_int_equal(evict(f, "'phase':'Running'"), 0);
	budget(f, "", "'disruptionsAllowed':0,'currentHealthy':0,'desiredHealthy':0");
	assert_int_equal(evict(f, "'phase':'Running'"), -ERR_QUOTA);
	/* One that goes already. */
	c = call_begin(f, "", "pods", "eviction");
	pod = evictee(f, READY);
	(void)strategy_set_text(c, pod, "metadata.deletionTimestamp", "2023-11-14T22:13:20Z");
	assert_int_equal(eviction_allow(c, pod,
					must_read(f->x->a, "{\"metadata\":{\"name\":\"p\"}}"),
					&f->err),
			 0);
	assert_int_equal(eviction_allow(c, pod,
					must_read(f->x->a, "{\"metadata\":{\"name\":\"q\"}}"),
					&f->err),
			 -ERR_BAD_REQUEST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, wfix_setup, wfix_teardown)
		T(addresses_are_objects_that_come_and_go_with_their_service),
		T(an_address_that_lost_its_object_gets_it_again),
		T(taken_addresses_and_ports_are_refused),
		T(two_requests_under_way_never_choose_the_same),
		T(a_restart_knows_what_is_taken),
		T(ranges_of_service_cidrs_count_when_they_are_ready),
		T(a_full_range_is_an_error_of_the_server),
		T(a_type_that_admission_changed_gets_its_ports),
		T(a_pod_without_a_budget_goes),
		T(a_budget_gives_one_at_a_time),
		T(a_budget_says_why_it_refuses),
		T(pods_that_nothing_is_lost_by_go_in_spite_of_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
