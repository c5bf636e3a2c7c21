/* SPDX-License-Identifier: Apache-2.0 */
/*
 * APIServices as they are now. One that changes what is asked, or whom, begins anew: what was known
 * of its server is forgotten. Services and EndpointSlices that one depends on bring the next check.
 */
#include "apiserver/extension/aggregator-private.h"

#include "apiserver/objects/codec.h"
#include "apiserver/objects/discovery.h"
#include "apiserver/objects/resource.h"
#include "apiserver/outward/given.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/work.h"
#include "doc/doc.h"
#include "io/metrics.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GROUP "apiregistration.k8s.io"
#define WORK_MAX (64u << 20) /* endpoints of a service, a document as nodes */
#define CA_MAX (1u << 20)
#define RETRY_NS NS_PER_SEC
#define READERS 1
#define READERS_WAITING 64

/* ---- one APIService ---- */

static char *copy(struct slice s)
{
	char *p = strndup(s.n ? s.p : "", s.n);

	assert(p);
	return p;
}

static PRINTF(1, 2) char *print(const char *fmt, ...)
{
	char *p;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&p, fmt, ap) < 0)
		abort(); /* a true out-of-memory ends the process */
	va_end(ap);
	return p;
}

/* From now on nothing is known of its server, or there is none. */
static void forget_server(struct remote *r)
{
	if (!r->service)
		return;
	remote_check_stop(r);
	if (!list_empty(&r->link)) {
		(void)map_del(&r->g->ways, slice_str(r->gv));
		list_del(&r->link);
	}
	tls_conf_unref(STEAL(r->tls));
	buf_fini(&r->ca);
	free(STEAL(r->ns));
	free(STEAL(r->service));
	free(STEAL(r->host));
	free(STEAL(r->mark));
	r->checked = r->available = r->dirty = r->fresh = r->claimed = false;
	r->running = r->failures = 0;
	r->document[0] = '\0';
	remote_count(r, true, NULL);
}

static void remote_free(struct remote *r)
{
	forget_server(r);
	(void)map_del(&r->g->all, slice_str(r->name));
	r->g->generation++;
	free(r->name);
	free(r->group);
	free(r->version);
	free(r->gv);
	free(r);
}

static struct remote *remote_new(struct aggregator *g, struct slice name, const struct doc *spec)
{
	struct remote *r = calloc(1, sizeof(*r));

	assert(r);
	r->g = g;
	r->name = copy(name);
	r->group = copy(doc_slice(doc_get(spec, "group")));
	r->version = copy(doc_slice(doc_get(spec, "version")));
	r->gv = print("%s/%s", r->group, r->version);
	r->ca = BUF_INIT(CA_MAX);
	list_init(&r->link);
	(void)map_put(&g->all, slice_str(r->name), r);
	remote_count(r, true, NULL); /* what is served here is */
	return r;
}

/* The core and the aggregator's own group are served here, whatever an APIService says. */
static bool is_forwarded(const struct remote *r)
{
	return *r->group && strcmp(r->group, GROUP) != 0;
}

static bool condition_is_true(const struct doc *d)
{
	DOC_EACH (c, doc_find(d, "status.conditions"))
		if (doc_str_is(doc_get(c, "type"), "Available"))
			return doc_str_is(doc_get(c, "status"), "True");
	return false;
}

/* What its server is, as one text: a change of it begins anew. */
static void mark_of(const struct doc *spec, char out[65])
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(CA_MAX * 2);
	const struct doc *s = doc_get(spec, "service");
	struct slice ns = doc_slice(doc_get(s, "namespace")), name = doc_slice(doc_get(s, "name")),
		     ca = doc_slice(doc_get(spec, "caBundle"));
	int64_t port = 443;

	if (doc_get(s, "port"))
		(void)doc_int64(doc_get(s, "port"), &port);
	(void)buf_addf(&b, "%d %.*s/%.*s %lld ", doc_true(doc_get(spec, "insecureSkipTLSVerify")),
		       (int)ns.n, ns.n ? ns.p : "", (int)name.n, name.n ? name.p : "",
		       (long long)port);
	(void)buf_add(&b, ca.p, ca.n);
	sha256_hex(b.p, b.n, out);
}

static bool read_ca(struct remote *r, const struct doc *spec)
{
	struct slice coded = doc_slice(doc_get(spec, "caBundle"));
	char *to;
	size_t n = 0;

	buf_clear(&r->ca);
	if (!coded.n)
		return true;
	to = buf_room(&r->ca, coded.n);
	if (!to || base64_decode(to, &n, coded) < 0)
		return false;
	r->ca.n = n;
	return true;
}

static void set_server(struct remote *r, const struct doc *d, const struct doc *spec)
{
	const struct doc *s = doc_get(spec, "service");
	int64_t port = 443;

	if (doc_get(s, "port"))
		(void)doc_int64(doc_get(s, "port"), &port);
	r->ns = copy(doc_slice(doc_get(s, "namespace")));
	r->service = copy(doc_slice(doc_get(s, "name")));
	r->port = (uint16_t)port;
	r->host = print("%s.%s.svc", r->service, r->ns);
	r->mark = print("\"kubernetes.io/service-name\":\"%s\"", r->service);
	r->insecure = doc_true(doc_get(spec, "insecureSkipTLSVerify"));
	r->claimed = condition_is_true(d);
	if (!read_ca(r, spec))
		log_kv(LOG_LEVEL_WARN, "caBundle of an APIService is not base64", "name", r->name,
		       NULL);
	remote_check_init(r);
	if (!is_forwarded(r))
		return;
	(void)map_put(&r->g->ways, slice_str(r->gv), r);
	list_append(&r->g->remotes, &r->link);
	remote_check_soon(r);
}

static void apply(struct aggregator *g, struct item *i)
{
	struct remote *r = map_get(&g->all, item_name(i));
	const struct doc *spec;
	int64_t group = 0, version = 0;
	struct doc d;
	bool has_server;
	char trust[65];

	arena_reset(g->a);
	if (codec_parse(i, g->a, &d, NULL) < 0)
		return;
	spec = doc_get(&d, "spec");
	has_server = doc_is(doc_get(spec, "service"), DOC_OBJECT);
	(void)doc_int64(doc_get(spec, "groupPriorityMinimum"), &group);
	(void)doc_int64(doc_get(spec, "versionPriority"), &version);
	if (!r) {
		r = remote_new(g, item_name(i), spec);
		g->generation++;
	}
	r->seen = true;
	if (group != r->group_priority || version != r->version_priority)
		g->generation++;
	r->group_priority = group;
	r->version_priority = version;
	mark_of(spec, trust);
	if (has_server == (r->service != NULL) && (!has_server || strcmp(trust, r->trust) == 0))
		return;
	forget_server(r);
	(void)str_copy(r->trust, sizeof(r->trust), trust);
	if (has_server)
		set_server(r, &d, spec);
	g->generation++;
}

/* ---- following ---- */

static int on_service(struct cache_watch *w, enum cache_change what, struct item *i)
{
	struct aggregator *g = CONTAINER_OF(w, struct aggregator_watch, watch)->g;
	struct remote *r = map_get(&g->all, item_name(i));

	if (what != CACHE_DELETED)
		apply(g, i);
	else if (r)
		remote_free(r);
	return 0;
}

static int on_backend(struct cache_watch *w, enum cache_change what, struct item *i)
{
	struct aggregator *g = CONTAINER_OF(w, struct aggregator_watch, watch)->g;
	struct remote *r;

	(void)what;
	LIST_FOREACH (r, &g->remotes, struct remote, link)
		if (slice_is(item_name(i), r->service) && slice_is(item_namespace(i), r->ns))
			remote_check_soon(r);
	return 0;
}

static int on_slice(struct cache_watch *w, enum cache_change what, struct item *i)
{
	struct aggregator *g = CONTAINER_OF(w, struct aggregator_watch, watch)->g;
	struct remote *r;

	(void)what;
	LIST_FOREACH (r, &g->remotes, struct remote, link)
		if (slice_is(item_namespace(i), r->ns) &&
		    slice_has_text(item_labels(i), slice_str(r->mark)))
			remote_check_soon(r);
	return 0;
}

static void on_end(struct cache_watch *w, const struct err *why)
{
	struct aggregator_watch *x = CONTAINER_OF(w, struct aggregator_watch, watch);

	(void)why;
	x->watching = false;
	deferred_call(&x->g->look); /* which begins anew */
}

static bool follow(struct aggregator_watch *x)
{
	struct world *w = resources_world(x->g->rs);
	struct err err = ERR_INIT;

	if (x->watching || !x->cache)
		return true;
	x->watching = cache_watch(x->cache, &x->watch, world_revision(w), &err) == 0;
	return x->watching;
}

/* All of them as they are now: at the start, and when changes were missed. */
static void read_all(struct aggregator *g)
{
	CLEANUP(cache_view_unref) struct cache_view *v = cache_now(g->services.cache);
	struct cache_iter it;
	struct remote *r;
	struct item *i;

	for (size_t at = 0; (r = map_next(&g->all, &at, NULL));)
		r->seen = false;
	cache_iter_init(&it, v, SLICE(""), SLICE(""));
	while ((i = cache_iter_next(&it)))
		apply(g, i);
	for (size_t at = 0; (r = map_next(&g->all, &at, NULL));)
		if (!r->seen) {
			remote_free(r);
			at = 0;
		}
	LIST_FOREACH (r, &g->remotes, struct remote, link)
		remote_check_soon(r);
}

static void look(struct deferred *d)
{
	struct aggregator *g = CONTAINER_OF(d, struct aggregator, look);

	if (follow(&g->services) && follow(&g->backends) && follow(&g->slices))
		read_all(g);
	else
		timer_set_after(&g->retry, RETRY_NS);
}

static int on_retry(struct timer *t)
{
	look(&CONTAINER_OF(t, struct aggregator, retry)->look);
	return 0;
}

/* ---- what is known ---- */

void aggregator_on_change(struct aggregator *g, void (*fn)(void *arg), void *arg)
{
	g->changed = fn;
	g->changed_arg = arg;
}

bool aggregator_verdict(const struct aggregator *g, const char *name,
			struct aggregator_verdict *ret)
{
	const struct remote *r = map_get(&g->all, slice_str(name));

	if (!r || !r->service || (is_forwarded(r) && !r->checked))
		return false;
	if (is_forwarded(r))
		*ret = (struct aggregator_verdict){ r->available, r->news, r->reason, r->message };
	else
		*ret = (struct aggregator_verdict){ false, true, "NotForwarded",
						    "this group is served by the API server "
						    "itself: its requests go to no service" };
	return true;
}

void aggregator_told(struct aggregator *g, const char *name)
{
	struct remote *r = map_get(&g->all, slice_str(name));

	if (r)
		r->news = false;
}

const struct discovery_service *aggregator_services(struct aggregator *g, size_t *ret_n)
{
	struct remote *r;
	size_t n = 0;

	free(g->told);
	g->told = calloc(map_count(&g->all) + 1, sizeof(*g->told));
	assert(g->told);
	for (size_t at = 0; (r = map_next(&g->all, &at, NULL));)
		g->told[n++] = (struct discovery_service){
			.group = r->group,
			.version = r->version,
			.api_version = r->gv,
			.group_priority = r->group_priority,
			.version_priority = r->version_priority,
			.remote = r->service && is_forwarded(r),
			.stale = !r->fresh,
			.openapi = r->openapi,
			.swagger = buf_slice(&r->swagger),
			.resources = buf_slice(&r->resources),
		};
	*ret_n = n;
	return g->told;
}

uint64_t aggregator_generation(const struct aggregator *g)
{
	return g->generation;
}

struct remote *aggregator_of(const struct aggregator *g, struct slice group_version)
{
	return map_get(&g->ways, group_version);
}

struct remote *aggregator_find(const struct aggregator *g, const char *path)
{
	static const char apis[] = "/apis/";
	const char *slash, *end;

	if (!g || map_count(&g->ways) == 0 || strncmp(path, apis, sizeof(apis) - 1) != 0)
		return NULL;
	path += sizeof(apis) - 1;
	slash = strchr(path, '/');
	if (!slash)
		return NULL;
	end = strchrnul(slash + 1, '/');
	return aggregator_of(g, slice_of(path, (size_t)(end - path)));
}

bool remote_available(const struct remote *r)
{
	return r->checked ? r->available : r->claimed;
}

const char *remote_openapi(const struct remote *r)
{
	return r->openapi;
}

struct agents *aggregator_agents(const struct aggregator *g)
{
	return g->agents;
}

/* ---- life ---- */

static void watch_init(struct aggregator *g, struct aggregator_watch *x, const char *group,
		       const char *resource,
		       int (*change)(struct cache_watch *, enum cache_change, struct item *))
{
	struct collection *o = resources_objects(g->rs, group, resource);

	*x = (struct aggregator_watch){
		.g = g,
		.cache = o ? o->cache : NULL,
		.watch = { .prefix = SLICE(""), .change = change, .end = on_end },
	};
}

static int open_files(struct aggregator *g, const struct aggregator_conf *conf, struct err *err)
{
	if (!conf->cert)
		return 0;
	if (given_open_any(conf->cert, &g->cert, err) < 0)
		return err_ret(err);
	return given_open_any(conf->key, &g->key, err);
}

static int add_metrics(struct aggregator *g, struct metrics *m, struct err *err)
{
	static const char *const labels[] = { "name", "reason" };
	static const struct metric_spec now = {
		METRIC_GAUGE, "aggregator_unavailable_apiservice",
		"1 of an APIService whose server does not answer, by its name.", labels, 1
	};
	static const struct metric_spec total = {
		METRIC_COUNTER, "aggregator_unavailable_apiservice_total",
		"Times that the server of an APIService ceased to answer, by name and reason.",
		labels, ARRAY_LEN(labels)
	};
	int r = metrics_add(m, &now, &g->unavailable, err);

	return r < 0 ? r : metrics_add(m, &total, &g->unavailables, err);
}

int aggregator_new(const struct aggregator_conf *conf, struct aggregator **ret, struct err *err)
{
	const struct agents_conf agents = { .loop = conf->loop };
	CLEANUP(aggregator_free) struct aggregator *g = calloc(1, sizeof(*g));

	assert(g);
	g->loop = conf->loop;
	g->rs = conf->resources;
	g->a = arena_new("other API servers", WORK_MAX);
	map_init(&g->all);
	map_init(&g->ways);
	list_init(&g->remotes);
	deferred_init(&g->look, g->loop, look);
	timer_init(&g->retry, g->loop, on_retry);
	watch_init(g, &g->services, GROUP, "apiservices", on_service);
	watch_init(g, &g->backends, "", "services", on_backend);
	watch_init(g, &g->slices, "discovery.k8s.io", "endpointslices", on_slice);
	if (!g->services.cache)
		return err_set(err, ERR_NOT_FOUND, "no APIServices are kept here");
	if (open_files(g, conf, err) < 0)
		return err_wrap(err, "certificate for API servers");
	if (conf->metrics && add_metrics(g, conf->metrics, err) < 0)
		return err_ret(err);
	if (work_pool_new(g->loop, READERS, READERS_WAITING, &g->readers, err) < 0)
		return err_ret(err);
	if (agents_new(&agents, &g->agents, err) < 0)
		return err_ret(err);
	*ret = STEAL(g);
	return 0;
}

void aggregator_start(struct aggregator *g)
{
	look(&g->look);
}

void aggregator_free(struct aggregator *g)
{
	struct aggregator_watch *watches[] = { &g->services, &g->backends, &g->slices };
	struct remote *r;

	if (!g)
		return;
	for (size_t i = 0; i < ARRAY_LEN(watches); i++)
		if (watches[i]->watching)
			cache_unwatch(&watches[i]->watch);
	for (size_t at = 0; (r = map_next(&g->all, &at, NULL)); at = 0)
		remote_free(r);
	deferred_fini(&g->look);
	timer_fini(&g->retry);
	agents_free(g->agents);
	work_pool_free(g->readers);
	map_fini(&g->all);
	map_fini(&g->ways);
	given_free(g->cert);
	given_free(g->key);
	arena_free(g->a);
	free(g->told);
	free(g);
}
