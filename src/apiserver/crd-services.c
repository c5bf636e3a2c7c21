/* SPDX-License-Identifier: Apache-2.0 */
/*
 * APIServices of what is served here, and what is said of all of them.
 *
 * Those that we make carry a label: "onstart" for built-in versions, "true" for those of
 * definitions, which go with them. Objects without it are somebody else's and stay as they are.
 */
#include "apiserver/crd-private.h"

#include "api/object.h"
#include "apiserver/call.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/log.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define GROUP "apiregistration.k8s.io"
#define MANAGED "kube-aggregator.kubernetes.io/automanaged"
#define RETRY_NS NS_PER_SEC

struct crd_services {
	struct resources *rs;
	struct cache *cache;
	const struct api_kind *kind;
	struct deferred look;
	struct timer again;
	struct cache_watch watch;
	struct crd_write write;
	bool waits, watching, stopped;
};

/* Where a group stands among others; upstream's numbers. */
static const struct {
	const char *group, *version;
	int group_priority, version_priority;
} priorities[] = {
	{ "", "v1", 18000, 1 },
	{ "apps", "v1", 17800, 15 },
	{ "events.k8s.io", "v1", 17750, 15 },
	{ "authentication.k8s.io", "v1", 17700, 15 },
	{ "authorization.k8s.io", "v1", 17600, 15 },
	{ "autoscaling", "v1", 17500, 15 },
	{ "autoscaling", "v2", 17500, 30 },
	{ "batch", "v1", 17400, 15 },
	{ "certificates.k8s.io", "v1", 17300, 15 },
	{ "networking.k8s.io", "v1", 17200, 15 },
	{ "policy", "v1", 17100, 15 },
	{ "rbac.authorization.k8s.io", "v1", 17000, 15 },
	{ "storage.k8s.io", "v1", 16800, 15 },
	{ "apiextensions.k8s.io", "v1", 16700, 15 },
	{ "admissionregistration.k8s.io", "v1", 16700, 15 },
	{ "scheduling.k8s.io", "v1", 16600, 15 },
	{ "coordination.k8s.io", "v1", 16500, 15 },
	{ "node.k8s.io", "v1", 16300, 15 },
	{ "discovery.k8s.io", "v1", 16200, 15 },
	{ "resource.k8s.io", "v1", 16200, 20 },
	{ "flowcontrol.apiserver.k8s.io", "v1", 16100, 21 },
};
#define CUSTOM_GROUP 1000
#define CUSTOM_VERSION 100

struct wanted {
	const char *group, *version, *managed;
	int group_priority, version_priority;
};

/* ---- one object ---- */

static int canonical(struct crd_services *s, struct arena *a, const struct doc *d, struct doc *ret,
		     struct err *err)
{
	return api_admit(s->kind->type, d, a, 0, NULL, ret, err);
}

static struct doc *add_condition(struct arena *a, struct doc *obj, bool local, const char *since)
{
	struct doc *status = doc_get(obj, "status"), *c;

	if (!doc_is(status, DOC_OBJECT))
		status = doc_set_object(a, obj, "status");
	c = doc_append_object(a, doc_set_array(a, status, "conditions"));
	doc_set_str(a, c, "type", "Available");
	doc_set_str(a, c, "status", local ? "True" : "False");
	doc_set_str(a, c, "lastTransitionTime", since);
	doc_set_str(a, c, "reason", local ? "Local" : "AggregationNotSupported");
	doc_set_str(a, c, "message",
		    local ? "Local APIServices are always available"
			  : "requests are not forwarded to services: aggregation is not supported");
	return c;
}

static int make(struct crd_services *s, struct arena *a, const struct wanted *w, struct doc *ret,
		struct err *err)
{
	struct doc d = doc_object(), *m, *spec;
	char now[CLOCK_TEXT_MAX], uid[UUID_TEXT_MAX];

	(void)clock_rfc3339nano(now, clock_real() / NS_PER_SEC * NS_PER_SEC);
	random_uuid(uid);
	doc_set_str(a, &d, "kind", "APIService");
	doc_set_str(a, &d, "apiVersion", GROUP "/v1");
	m = doc_set_object(a, &d, "metadata");
	doc_set_strf(a, m, "name", "%s.%s", w->version, w->group);
	doc_set_str(a, m, "uid", uid);
	doc_set_str(a, m, "creationTimestamp", now);
	doc_set_str(a, doc_set_object(a, m, "labels"), MANAGED, w->managed);
	spec = doc_set_object(a, &d, "spec");
	if (*w->group)
		doc_set_str(a, spec, "group", w->group);
	doc_set_str(a, spec, "version", w->version);
	doc_set_int(a, spec, "groupPriorityMinimum", w->group_priority);
	doc_set_int(a, spec, "versionPriority", w->version_priority);
	(void)add_condition(a, &d, true, now);
	return canonical(s, a, &d, ret, err);
}

static void want(struct crd_services *s, const struct wanted *w, struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("APIService", CRD_DOC_MAX);
	char key[512];
	struct doc d;
	int n = snprintf(key, sizeof(key), "%s.%s", w->version, w->group);

	if (n < 0 || (size_t)n >= sizeof(key) || s->write.n == CRD_OPS_MAX ||
	    cache_get(s->cache, slice_of(key, (size_t)n)))
		return;
	if (make(s, a, w, &d, err) == 0)
		(void)crd_write_add(&s->write, s->cache, slice_of(key, (size_t)n), &d, 0, err);
}

/* ---- all that should be there ---- */

static void want_built_in(struct crd_services *s, struct err *err)
{
	const struct api *api = resources_api(s->rs);

	for (size_t i = 0; i < ARRAY_LEN(priorities); i++) {
		const char *group = priorities[i].group, *version = priorities[i].version;
		char gv[256];

		(void)snprintf(gv, sizeof(gv), "%s%s%s", group, *group ? "/" : "", version);
		if (api_group(api, gv))
			want(s,
			     &(struct wanted){ group, version, "onstart",
					       priorities[i].group_priority,
					       priorities[i].version_priority },
			     err);
	}
}

static void want_custom(struct crd_services *s, struct err *err)
{
	size_t n;
	const struct api_group *const *groups = resources_groups(s->rs, &n);

	for (size_t i = 0; i < n; i++)
		want(s,
		     &(struct wanted){ groups[i]->group, groups[i]->version, "true", CUSTOM_GROUP,
				       CUSTOM_VERSION },
		     err);
}

static bool is_served(const struct crd_services *s, const struct doc *spec)
{
	size_t n;
	const struct api_group *const *groups = resources_groups(s->rs, &n);

	for (size_t i = 0; i < n; i++)
		if (doc_str_is(doc_get(spec, "group"), groups[i]->group) &&
		    doc_str_is(doc_get(spec, "version"), groups[i]->version))
			return true;
	return false;
}

/* One that is there: it goes, or its condition is put right. */
static int look_at(struct crd_services *s, struct item *i, struct arena *a, struct err *err)
{
	const struct doc *spec, *now;
	struct doc d, fixed;
	char since[CLOCK_TEXT_MAX];
	bool local;
	int r = codec_parse(i, a, &d, err);

	if (r < 0)
		return r;
	spec = doc_get(&d, "spec");
	local = !doc_is(doc_get(spec, "service"), DOC_OBJECT);
	if (local && !is_served(s, spec) &&
	    doc_str_is(doc_get(doc_find(&d, "metadata.labels"), MANAGED), "true"))
		return crd_write_add(&s->write, s->cache, item_key(i), NULL, item_revision(i), err);
	DOC_EACH (c, doc_find(&d, "status.conditions")) {
		now = doc_get(c, "status");
		if (doc_str_is(doc_get(c, "type"), "Available") &&
		    doc_str_is(now, local ? "True" : "False") &&
		    doc_str_is(doc_get(c, "reason"), local ? "Local" : "AggregationNotSupported"))
			return 0;
	}
	(void)clock_rfc3339nano(since, clock_real() / NS_PER_SEC * NS_PER_SEC);
	(void)add_condition(a, &d, local, since);
	r = canonical(s, a, &d, &fixed, err);
	return r < 0 ? r
		     : crd_write_add(&s->write, s->cache, item_key(i), &fixed, item_revision(i),
				     err);
}

static int look_at_all(struct crd_services *s, struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("APIServices", CRD_DOC_MAX);
	CLEANUP(cache_view_unref) struct cache_view *v = cache_now(s->cache);
	struct cache_iter it;
	struct item *i;
	int r = 0;

	cache_iter_init(&it, v, SLICE(""), SLICE(""));
	while (r == 0 && s->write.n < CRD_OPS_MAX && (i = cache_iter_next(&it))) {
		r = look_at(s, i, a, err);
		arena_reset(a);
	}
	return r;
}

static int on_change(struct cache_watch *w, enum cache_change what, struct item *i)
{
	crd_services_look(CONTAINER_OF(w, struct crd_services, watch));
	return 0;
}

static void on_end(struct cache_watch *w, const struct err *why)
{
	struct crd_services *s = CONTAINER_OF(w, struct crd_services, watch);

	s->watching = false; /* the next look begins anew */
	crd_services_look(s);
}

static bool watch(struct crd_services *s)
{
	struct err err = ERR_INIT;

	if (s->watching)
		return true;
	s->watch = (struct cache_watch){ .prefix = SLICE(""), .change = on_change, .end = on_end };
	s->watching =
		cache_watch(s->cache, &s->watch, world_revision(resources_world(s->rs)), &err) == 0;
	return s->watching;
}

static void look(struct deferred *d)
{
	struct crd_services *s = CONTAINER_OF(d, struct crd_services, look);
	struct err err = ERR_INIT;

	s->waits = s->write.busy;
	if (s->write.busy || s->stopped)
		return;
	if (!watch(s)) {
		s->waits = true;
		timer_set_after(&s->again, RETRY_NS);
		return;
	}
	want_built_in(s, &err);
	want_custom(s, &err);
	if (look_at_all(s, &err) < 0 || err.code)
		log_kv(LOG_LEVEL_WARN, "APIServices were not looked at", "error", err.msg, NULL);
	if (s->write.n)
		crd_write_go(&s->write, resources_world(s->rs));
}

void crd_services_look(struct crd_services *s)
{
	s->waits = true;
	deferred_call(&s->look);
}

bool crd_services_idle(const struct crd_services *s)
{
	return !s->waits && !s->write.busy;
}

/* ---- life ---- */

static void free_it(struct crd_services *s)
{
	deferred_fini(&s->look);
	timer_fini(&s->again);
	free(s);
}

static void on_written(struct crd_write *w)
{
	struct crd_services *s = w->arg;

	if (s->stopped) {
		free_it(s);
		return;
	}
	if (w->write.result >= 0) {
		crd_services_look(s);
		return;
	}
	log_kv(LOG_LEVEL_WARN, "APIServices were not written", "error", w->write.err.msg, NULL);
	s->waits = true;
	timer_set_after(&s->again, RETRY_NS);
}

static int on_timer(struct timer *t)
{
	crd_services_look(CONTAINER_OF(t, struct crd_services, again));
	return 0;
}

int crd_services_start(struct resources *rs, struct loop *loop, struct crd_services **ret,
		       struct err *err)
{
	struct collection *o = resources_objects(rs, GROUP, "apiservices");
	struct crd_services *s;

	if (!o)
		return err_set(err, ERR_NOT_FOUND, "no APIServices are kept here");
	s = calloc(1, sizeof(*s));
	assert(s);
	*s = (struct crd_services){ .rs = rs, .cache = o->cache, .kind = o->kind };
	s->write.done = on_written;
	s->write.arg = s;
	deferred_init(&s->look, loop, look);
	timer_init(&s->again, loop, on_timer);
	crd_services_look(s);
	*ret = s;
	return 0;
}

void crd_services_stop(struct crd_services *s)
{
	if (!s)
		return;
	if (s->watching)
		cache_unwatch(&s->watch);
	if (s->write.busy) {
		s->stopped = true;
		timer_clear(&s->again);
		return;
	}
	free_it(s);
}
