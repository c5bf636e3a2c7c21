/* SPDX-License-Identifier: Apache-2.0 */
/*
 * APIServices of what is served here, and what is said of all of them.
 *
 * Those that we make carry a label: "onstart" for built-in versions, which are put right at the
 * start only, "true" for those of definitions, which are always put right and go with them. Objects
 * without it are somebody else's and stay as they are.
 */
#include "apiserver/crd-private.h"

#include "api/object.h"
#include "apiserver/extension/aggregator.h"
#include "apiserver/objects/discovery.h"
#include "apiserver/rest/call.h"
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
	struct aggregator *aggregator; /* NULL: nothing is known of other servers */
	bool waits, watching, stopped;
	bool begun; /* all have been looked at once */
};

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

static const struct aggregator_verdict local_verdict = { true, true, "Local",
							 "Local APIServices are always available" };

static struct doc *available(const struct doc *obj)
{
	DOC_EACH (c, doc_find(obj, "status.conditions"))
		if (doc_str_is(doc_get(c, "type"), "Available"))
			return c;
	return NULL;
}

static bool says(const struct doc *condition, const struct aggregator_verdict *v)
{
	return doc_str_is(doc_get(condition, "status"), v->available ? "True" : "False") &&
	       doc_str_is(doc_get(condition, "reason"), v->reason) &&
	       doc_str_is(doc_get(condition, "message"), v->message);
}

/* False: it says so already. The time is that of the last change of status. */
static bool set_condition(struct arena *a, struct doc *obj, const struct aggregator_verdict *v,
			  const char *now)
{
	struct doc *status = doc_get(obj, "status"), *list, *c = available(obj);
	const char *word = v->available ? "True" : "False";
	bool same = c && doc_str_is(doc_get(c, "status"), word);

	if (says(c, v))
		return false;
	if (!doc_is(status, DOC_OBJECT))
		status = doc_set_object(a, obj, "status");
	list = doc_get(status, "conditions");
	if (!doc_is(list, DOC_ARRAY))
		list = doc_set_array(a, status, "conditions");
	if (!c) {
		c = doc_append_object(a, list);
		doc_set_str(a, c, "type", "Available");
	}
	doc_set_str(a, c, "status", word);
	if (!same)
		doc_set_str(a, c, "lastTransitionTime", now);
	doc_set_str(a, c, "reason", v->reason);
	doc_set_str(a, c, "message", v->message);
	return true;
}

static void put_spec(struct arena *a, struct doc *obj, const struct wanted *w)
{
	struct doc *spec = doc_set_object(a, obj, "spec");

	if (*w->group)
		doc_set_str(a, spec, "group", w->group);
	doc_set_str(a, spec, "version", w->version);
	doc_set_int(a, spec, "groupPriorityMinimum", w->group_priority);
	doc_set_int(a, spec, "versionPriority", w->version_priority);
}

static int make(struct crd_services *s, struct arena *a, const struct wanted *w, struct doc *ret,
		struct err *err)
{
	struct doc d = doc_object(), *m;
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
	put_spec(a, &d, w);
	(void)set_condition(a, &d, &local_verdict, now);
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

	for (size_t i = 0; i < ndiscovery_defaults; i++) {
		const struct discovery_default *d = &discovery_defaults[i];
		const char *group = d->group, *version = d->version;
		const struct api_group *g;
		char gv[256];

		(void)snprintf(gv, sizeof(gv), "%s%s%s", group, *group ? "/" : "", version);
		g = api_group(api, gv);
		if (g && g->nkinds)
			want(s,
			     &(struct wanted){ group, version, "onstart", d->group_priority,
					       d->version_priority },
			     err);
	}
}

static void want_custom(struct crd_services *s, struct err *err)
{
	size_t n;
	const struct api_group *const *groups = resources_groups(s->rs, &n);

	for (size_t i = 0; i < n; i++)
		want(s,
		     &(struct wanted){ groups[i]->group, groups[i]->version, "true",
				       DISCOVERY_CUSTOM_GROUP, DISCOVERY_CUSTOM_VERSION },
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

/* What one of ours has to say: those of definitions always, those of built-in versions at the
 * start. False: it is somebody else's, or says it. */
static bool restore(struct crd_services *s, struct arena *a, struct doc *obj, bool served)
{
	const struct doc *spec = doc_get(obj, "spec");
	struct slice managed = doc_slice(doc_get(doc_find(obj, "metadata.labels"), MANAGED));
	struct wanted w = { .group_priority = DISCOVERY_CUSTOM_GROUP,
			    .version_priority = DISCOVERY_CUSTOM_VERSION };
	struct doc want = doc_object();
	bool ours = slice_is(managed, "true") && served;

	w.group = doc_cstr(a, doc_get(spec, "group"));
	w.group = w.group ? w.group : "";
	w.version = doc_cstr(a, doc_get(spec, "version"));
	for (size_t i = 0; i < ndiscovery_defaults && w.version; i++) {
		const struct discovery_default *d = &discovery_defaults[i];

		if (s->begun || !slice_is(managed, "onstart") || strcmp(d->group, w.group) != 0 ||
		    strcmp(d->version, w.version) != 0)
			continue;
		w.group_priority = d->group_priority;
		w.version_priority = d->version_priority;
		ours = true;
	}
	if (!ours || !w.version)
		return false;
	put_spec(a, &want, &w);
	if (doc_equal(doc_get(&want, "spec"), spec))
		return false;
	(void)doc_set(a, obj, "spec", *doc_get(&want, "spec"));
	return true;
}

/* What its condition should be; false: that is not known yet. */
static bool judge(struct crd_services *s, struct item *i, const struct doc *obj, struct arena *a,
		  struct aggregator_verdict *ret)
{
	const char *name = arena_strndup(a, item_name(i).p, item_name(i).n);

	*ret = local_verdict;
	if (!doc_is(doc_find(obj, "spec.service"), DOC_OBJECT))
		return true;
	if (!s->aggregator || !name || !aggregator_verdict(s->aggregator, name, ret))
		return false;
	if (says(available(obj), ret))
		aggregator_told(s->aggregator, name);
	return ret->news || !available(obj);
}

/* One that is there: it goes, or it and its condition are put right. */
static int look_at(struct crd_services *s, struct item *i, struct arena *a, struct err *err)
{
	struct aggregator_verdict v;
	struct doc d, fixed;
	char now[CLOCK_TEXT_MAX];
	bool local, served, changed;
	int r = codec_parse(i, a, &d, err);

	if (r < 0)
		return r;
	local = !doc_is(doc_find(&d, "spec.service"), DOC_OBJECT);
	served = is_served(s, doc_get(&d, "spec"));
	if (local && !served &&
	    doc_str_is(doc_get(doc_find(&d, "metadata.labels"), MANAGED), "true"))
		return crd_write_add(&s->write, s->cache, item_key(i), NULL, item_revision(i), err);
	changed = restore(s, a, &d, served);
	(void)clock_rfc3339nano(now, clock_real() / NS_PER_SEC * NS_PER_SEC);
	if (judge(s, i, &d, a, &v))
		changed |= set_condition(a, &d, &v, now);
	if (!changed)
		return 0;
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
	s->begun |= s->write.n < CRD_OPS_MAX;
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

static void on_verdict(void *arg)
{
	crd_services_look(arg);
}

void crd_services_set_aggregator(struct crd_services *s, struct aggregator *g)
{
	if (s->aggregator)
		aggregator_on_change(s->aggregator, NULL, NULL);
	s->aggregator = g;
	if (g)
		aggregator_on_change(g, on_verdict, s);
	crd_services_look(s);
}

void crd_services_stop(struct crd_services *s)
{
	if (!s)
		return;
	if (s->aggregator)
		aggregator_on_change(STEAL(s->aggregator), NULL, NULL);
	if (s->watching)
		cache_unwatch(&s->watch);
	if (s->write.busy) {
		s->stopped = true;
		timer_clear(&s->again);
		return;
	}
	free_it(s);
}
