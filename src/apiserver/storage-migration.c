/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/storage-migration.h"

#include "api/defaults.h"
#include "apiserver/crd-private.h"
#include "apiserver/extension/convert.h"
#include "apiserver/strategy/own.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/map.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define STATUS_TYPE "StorageVersionMigrationStatus"
#define MANAGER "storage-version-migrator-controller"
#define CRD_MANAGER "migration-runner-controller"
#define SVM_MAX (4u << 20)
#define OBJECTS_MAX (64u << 20) /* documents of one transaction */
#define BATCH_BYTES (1u << 20)	/* of objects in it, one may be larger */
#define LOOKS_A_TURN 4096	/* objects */
#define READY_NS (50 * NS_PER_MS)
#define RETRY_NS NS_PER_SEC
#define RETRY_MAX_NS (60 * NS_PER_SEC)
/* A definition may be about to be served: so long after its creation a migration waits for it. */
#define UNKNOWN_FOR 60 /* s */

enum state {
	WAITING, /* for its turn */
	RUNNING,
	ENDING, /* Succeeded or Failed, and still Running */
	OVER,
};

struct migration {
	struct list link; /* of those to be looked at */
	struct storage_migration *g;
	char *name;
	struct arena *a; /* of what is known of it */
	bool gone;
	/* as it is in the cache */
	enum state state;
	bool succeeded;
	int64_t revision; /* that it began at; 0: not told yet */
	const char *group, *resource;
	int64_t created; /* s */
	/* what is under way: one of these at a time */
	bool busy, stopped, converting;
	bool told; /* its definition has been told of this state */
	char *definition;
	struct own_put put;
	struct doc want;
	const char *condition, *reason, *message; /* that put sets; message: of why */
	struct err why;
	struct crd_write write;
	struct convert_items convert;
	struct item *items[CRD_OPS_MAX];
	char *from; /* keys before it are done; NULL: none are */
	struct timer again;
	int64_t delay; /* ns, of the next try */
};

struct storage_migration {
	struct resources *rs;
	struct loop *loop;
	struct cache *cache;
	struct converter *converter;
	struct cache_watch watch, definitions;
	bool watching, watching_definitions;
	struct deferred look;
	struct timer again;
	struct map all; /* struct migration */
	struct list todo;
};

static void *must(void *p)
{
	if (!p)
		abort();
	return p;
}

static void look_later(struct migration *m)
{
	list_del(&m->link);
	list_append(&m->g->todo, &m->link);
	deferred_call(&m->g->look);
}

/* ---- what is known of each ---- */

static void drop_items(struct migration *m)
{
	for (size_t i = 0; i < m->convert.n; i++)
		item_unref(STEAL(m->items[i]));
	m->convert.n = 0;
}

static void migration_free(struct migration *m)
{
	list_del(&m->link);
	timer_fini(&m->again);
	convert_items_cancel(&m->convert);
	drop_items(m);
	arena_free(m->a);
	free(m->definition);
	free(m->from);
	free(m->name);
	free(m);
}

/* A write that is under way has it until it is over. */
static void drop(struct migration *m)
{
	(void)map_del(&m->g->all, slice_str(m->name));
	if (!m->busy || m->converting) {
		migration_free(m);
		return;
	}
	list_del(&m->link);
	timer_clear(&m->again);
	m->stopped = true;
}

static bool same_resource(const struct migration *x, const struct migration *y)
{
	return strcmp(x->group, y->group) == 0 && strcmp(x->resource, y->resource) == 0;
}

static bool is_before(const struct migration *x, const struct migration *y)
{
	return x->created != y->created ? x->created < y->created : strcmp(x->name, y->name) < 0;
}

static void look_at_others(struct migration *but)
{
	struct migration *m;

	for (size_t i = 0; (m = map_next(&but->g->all, &i, NULL));)
		if (m != but && m->state == WAITING && same_resource(m, but))
			look_later(m);
}

static bool is_true(const struct doc *svm, const char *type)
{
	DOC_EACH (c, doc_find(svm, "status.conditions"))
		if (doc_str_is(doc_get(c, "type"), type))
			return doc_str_is(doc_get(c, "status"), "True");
	return false;
}

static const char *text_of(struct arena *a, const struct doc *d)
{
	const char *s = d ? doc_cstr(a, d) : NULL;

	return s ? s : "";
}

static void read_it(struct migration *m, struct item *i)
{
	struct err err = ERR_INIT;
	bool running, failed;
	struct doc d;

	arena_reset(m->a);
	if (codec_parse(i, m->a, &d, &err) < 0) { /* the cache has read it before */
		log_kv(LOG_LEVEL_ERROR, "a storage version migration cannot be read", "name",
		       m->name, "error", err.msg, NULL);
		d = doc_object();
	}
	running = is_true(&d, "Running");
	failed = is_true(&d, "Failed");
	m->succeeded = is_true(&d, "Succeeded");
	m->state = m->succeeded || failed ? running ? ENDING : OVER : running ? RUNNING : WAITING;
	m->revision = 0;
	(void)str_int64(doc_slice(doc_find(&d, "status.resourceVersion")), &m->revision, NULL);
	m->group = text_of(m->a, doc_find(&d, "spec.resource.group"));
	m->resource = text_of(m->a, doc_find(&d, "spec.resource.resource"));
	if (clock_parse_rfc3339(doc_slice(doc_find(&d, "metadata.creationTimestamp")), &m->created,
				NULL) < 0)
		m->created = 0;
	m->created /= NS_PER_SEC;
}

/* ---- the end of a step ---- */

static void try_again(struct migration *m, const char *what, const struct err *err)
{
	log_kv(LOG_LEVEL_WARN, what, "name", m->name, "error", err->msg, NULL);
	m->delay = m->delay ? MIN(2 * m->delay, RETRY_MAX_NS) : RETRY_NS;
	timer_set_after(&m->again, m->delay);
}

/* True: nobody waits for it any more. */
static bool ended(struct migration *m)
{
	m->busy = false;
	if (!m->stopped)
		return false;
	migration_free(m);
	return true;
}

static int on_again(struct timer *t)
{
	look_later(CONTAINER_OF(t, struct migration, again));
	return 0;
}

static void on_put(struct own_put *p)
{
	struct migration *m = p->arg;

	if (ended(m))
		return;
	if (p->result < 0) {
		m->told = false;
		try_again(m, "a storage version migration's state was not written", &p->err);
		return;
	}
	m->delay = 0;
	look_later(m); /* of what is written the watch tells, too */
}

static void put(struct migration *m, const struct own_put *what)
{
	m->busy = true;
	m->want = doc_object();
	m->put = *what;
	m->put.rs = m->g->rs;
	m->put.namespace_ = "";
	m->put.want = &m->want;
	m->put.only_there = true;
	m->put.done = on_put;
	m->put.arg = m;
	own_put(&m->put);
}

/* ---- its status ---- */

static struct doc *child(const struct api_type *t, struct arena *a, struct doc *obj,
			 const char *name, struct doc none)
{
	if (!doc_get(obj, name))
		api_set(t, obj, a, name, none);
	return doc_get(obj, name);
}

static const struct api_type *type_of(const struct own_put *p, const char *name)
{
	return api_type(resources_api(p->rs), MIGRATION_GROUP "/v1beta1", name);
}

static struct doc *status_of(const struct own_put *p, struct arena *a, struct doc *obj)
{
	return child(type_of(p, "StorageVersionMigration"), a, obj, "status", doc_object());
}

static struct doc *condition_of(struct doc *list, const char *type)
{
	DOC_EACH (c, list)
		if (doc_str_is(doc_get(c, "type"), type))
			return c;
	return NULL;
}

static struct doc now_text(struct arena *a)
{
	return crd_time(a, clock_real() / NS_PER_SEC);
}

/* Upstream's have no observedGeneration: the kind counts none. */
static int set_condition(struct own_put *p, struct arena *a, struct doc *obj,
			 const struct doc *want, struct err *err)
{
	const struct migration *m = p->arg;
	const bool on = m->state != ENDING;
	struct doc *status = status_of(p, a, obj),
		   *list = child(type_of(p, STATUS_TYPE), a, status, "conditions", doc_array()),
		   *c = condition_of(list, m->condition);

	(void)want;
	(void)err;
	if (c ? doc_str_is(doc_get(c, "status"), on ? "True" : "False") : !on)
		return 0;
	if (!c)
		c = doc_append_object(a, list);
	doc_set_str(a, c, "type", m->condition);
	doc_set_str(a, c, "status", on ? "True" : "False");
	doc_set(a, c, "lastTransitionTime", now_text(a));
	doc_set_str(a, c, "reason", m->reason);
	doc_set_str(a, c, "message", m->message);
	return 1;
}

static int set_revision(struct own_put *p, struct arena *a, struct doc *obj, const struct doc *want,
			struct err *err)
{
	struct doc *status = status_of(p, a, obj);
	const char *text =
		arena_printf(a, "%lld", (long long)world_revision(resources_world(p->rs)));

	(void)want;
	(void)err;
	if (!text || doc_slice(doc_get(status, "resourceVersion")).n)
		return 0;
	api_set(type_of(p, STATUS_TYPE), status, a, "resourceVersion", doc_str(a, text));
	return 1;
}

static void put_status(struct migration *m,
		       int (*update)(struct own_put *, struct arena *, struct doc *,
				     const struct doc *, struct err *))
{
	m->told = false;
	put(m, &(struct own_put){ .group = MIGRATION_GROUP,
				  .resource = MIGRATION_RESOURCE,
				  .name = m->name,
				  .manager = MANAGER,
				  .update = update });
}

static void put_condition(struct migration *m, const char *type, const char *reason,
			  const char *message)
{
	m->condition = type;
	m->reason = reason;
	m->message = message;
	put_status(m, set_condition);
}

/* m->why says why. */
static void fail(struct migration *m)
{
	log_kv(LOG_LEVEL_WARN, "a storage version migration failed", "name", m->name, "error",
	       m->why.msg, NULL);
	put_condition(m, "Failed", "StorageVersionMigrationFailed", m->why.msg);
}

/* ---- its definition ---- */

static int64_t generation_of(const struct doc *crd)
{
	int64_t v = 0;

	(void)doc_int64(doc_find(crd, "metadata.generation"), &v);
	return v;
}

static int64_t observed(const struct doc *crd)
{
	const struct doc *c = condition_of(doc_find(crd, "status.conditions"), "StorageMigrating");
	int64_t v = -1;

	(void)doc_int64(doc_get(c, "observedGeneration"), &v);
	return v;
}

static void set_migrating(struct arena *a, struct doc *crd, const char *status, const char *reason,
			  const char *message)
{
	struct doc *c;

	(void)crd_condition(a, crd, "StorageMigrating", status, reason, message,
			    clock_real() / NS_PER_SEC);
	c = condition_of(doc_find(crd, "status.conditions"), "StorageMigrating");
	doc_set(a, c, "observedGeneration", doc_int(a, generation_of(crd)));
}

static int tell_begin(struct own_put *p, struct arena *a, struct doc *crd, const struct doc *want,
		      struct err *err)
{
	const struct migration *m = p->arg;
	const char *message = arena_printf(a, "Migration %s is running", m->name);

	(void)want;
	if (!message)
		return arena_quota(a, err);
	if (crd_condition_is(crd, "StorageMigrating", "True") &&
	    observed(crd) == generation_of(crd) &&
	    doc_str_is(doc_get(condition_of(doc_find(crd, "status.conditions"), "StorageMigrating"),
			       "message"),
		       message))
		return 0;
	set_migrating(a, crd, "True", "MigrationRunning", message);
	return 1;
}

static void keep_storage_version(const struct own_put *p, struct arena *a, struct doc *crd)
{
	const struct api_type *t =
		api_type(resources_api(p->rs), CRD_GROUP "/v1", "CustomResourceDefinitionStatus");
	struct doc list = doc_array();

	DOC_EACH (v, doc_find(crd, "spec.versions"))
		if (doc_true(doc_get(v, "storage")) && doc_get(v, "name"))
			(void)doc_append(a, &list, *doc_get(v, "name"));
	api_set(t, doc_get(crd, "status"), a, "storedVersions", list);
}

/* Once: what was told to be over stays so (a second look would not know what changed since). */
static int tell_end(struct own_put *p, struct arena *a, struct doc *crd, const struct doc *want,
		    struct err *err)
{
	struct migration *m = p->arg;
	const bool same = observed(crd) == generation_of(crd);

	(void)want;
	(void)err;
	if (crd_condition_is(crd, "StorageMigrating", "False"))
		return 0;
	if (!m->succeeded)
		set_migrating(a, crd, "False", "MigrationFailed", "The migration has failed");
	else if (same)
		set_migrating(a, crd, "False", "MigrationSucceeded",
			      "The migration has succeeded and the stored versions have been "
			      "updated");
	else
		set_migrating(a, crd, "False", "MigrationSucceeded",
			      "The migration has succeeded but the stored versions have not been "
			      "updated due to a generation mismatch");
	if (m->succeeded && same)
		keep_storage_version(p, a, crd);
	return 1;
}

/* True: it has been told, or there is none. */
static bool tell_definition(struct migration *m,
			    int (*update)(struct own_put *, struct arena *, struct doc *,
					  const struct doc *, struct err *))
{
	struct buf name = BUF_INIT(1024);

	if (m->told)
		return true;
	m->told = true;
	(void)buf_addf(&name, "%s.%s", m->resource, m->group);
	free(m->definition);
	m->definition = buf_steal(&name);
	if (!resources_get(m->g->rs, CRD_GROUP, CRD_RESOURCE, "", m->definition))
		return true;
	put(m, &(struct own_put){ .group = CRD_GROUP,
				  .resource = CRD_RESOURCE,
				  .name = m->definition,
				  .manager = CRD_MANAGER,
				  .update = update });
	return false;
}

/* ---- its objects ---- */

/* Would a write of it be other bytes than the store has? */
static bool is_old(const struct collection *o, const struct item *i)
{
	return cache_is_stale(o->cache, item_key(i)) || !item_is_as_stored(i) ||
	       !codec_is_in(i, o->kind);
}

static void set_from(struct migration *m, struct slice key)
{
	free(m->from);
	m->from = must(strndup(key.p, key.n));
}

/* The next objects that are old. True: all have been looked at. */
static bool collect(struct migration *m, const struct collection *o)
{
	CLEANUP(cache_view_unref) struct cache_view *v = cache_now(o->cache);
	struct cache_iter it;
	struct item *i = NULL;
	size_t looked = 0, bytes = 0;

	cache_iter_init(&it, v, SLICE(""), slice_str(m->from ? m->from : ""));
	while (m->convert.n < CRD_OPS_MAX && bytes < BATCH_BYTES && looked < LOOKS_A_TURN &&
	       (i = cache_iter_next(&it))) {
		looked++;
		/* later ones were written as they are to be: so this comes to an end */
		if (item_revision(i) > m->revision || !is_old(o, i))
			continue;
		bytes += item_json(i).n;
		if (m->convert.n && bytes > BATCH_BYTES)
			break;
		m->items[m->convert.n++] = item_ref(i);
	}
	if (i && m->convert.n == 0)
		set_from(m, item_key(i));
	return !i;
}

static void on_written(struct crd_write *w)
{
	struct migration *m = w->arg;

	if (ended(m))
		return;
	if (w->write.result < 0) {
		try_again(m, "objects were not written again", &w->write.err);
		return;
	}
	/* 1: one of them has changed, or gone; they are looked at once more */
	m->delay = 0;
	look_later(m);
}

/* All of them in the stored version: one transaction. */
static void write_items(struct migration *m, struct collection *o)
{
	CLEANUP(arena_free) struct arena *a = arena_new("objects written again", OBJECTS_MAX);
	struct err err = ERR_INIT;
	int r = 0;

	for (size_t i = 0; r == 0 && i < m->convert.n; i++) {
		struct doc d;

		arena_reset(a);
		r = codec_parse(m->items[i], a, &d, &err);
		if (r == 0)
			r = crd_write_add(&m->write, o->cache, item_key(m->items[i]), &d,
					  item_revision(m->items[i]), &err);
		if (r < 0)
			(void)err_wrap(&err, "%.*s", (int)item_key(m->items[i]).n,
				       item_key(m->items[i]).p);
	}
	if (r == 0 && m->convert.n)
		set_from(m, item_key(m->items[0]));
	drop_items(m);
	if (r < 0) {
		crd_write_drop(&m->write);
		err_set(&m->why, ERR_INVALID, "migration encountered unhandled error: %s", err.msg);
		fail(m);
		return;
	}
	m->busy = true;
	crd_write_go(&m->write, resources_world(m->g->rs));
}

static void on_converted(struct convert_items *k, int result, struct err *err)
{
	struct migration *m = CONTAINER_OF(k, struct migration, convert);
	struct collection *o = resources_objects(m->g->rs, m->group, m->resource);

	m->busy = m->converting = false;
	if (result < 0) {
		drop_items(m);
		try_again(m, "objects were not converted", err);
	} else if (!o || o->kind != k->to) { /* the definition has changed meanwhile */
		drop_items(m);
		look_later(m);
	} else {
		write_items(m, o);
	}
}

static void migrate(struct migration *m)
{
	struct collection *o = resources_objects(m->g->rs, m->group, m->resource);
	bool all;

	if (!o) {
		err_set(&m->why, ERR_NOT_FOUND,
			"migration encountered unhandled error: unable to obtain GVR from "
			"discovery");
		fail(m);
		return;
	}
	if (!cache_ready(o->cache)) { /* none that are known yet is not none */
		timer_set_after(&m->again, READY_NS);
		return;
	}
	all = collect(m, o);
	if (m->convert.n == 0) {
		if (all)
			put_condition(m, "Succeeded", "StorageVersionMigrationSucceeded", "");
		else
			look_later(m);
		return;
	}
	m->convert.to = o->kind;
	m->convert.v = m->items;
	m->convert.done = on_converted;
	if (convert_items(m->g->converter, &m->convert) == 1)
		write_items(m, o);
	else
		m->busy = m->converting = true;
}

/* ---- before the first object ---- */

struct search {
	const struct migration *m;
	const struct api_kind *found;
};

static int find_served(void *arg, struct resource *r)
{
	struct search *s = arg;
	const struct api_kind *k = r->kind;

	/* of several versions the last name, so that it is always the same one */
	if (strcmp(k->group->group, s->m->group) == 0 && strcmp(k->resource, s->m->resource) == 0 &&
	    (!s->found || strcmp(k->group->version, s->found->group->version) > 0))
		s->found = k;
	return 0;
}

static void begin(struct migration *m)
{
	const uint16_t verbs = API_UPDATE | API_PATCH | API_LIST;
	const int64_t left = m->created + UNKNOWN_FOR - clock_real() / NS_PER_SEC;
	struct search s = { .m = m };

	(void)resources_each(m->g->rs, find_served, &s);
	if (!s.found && left > 0) { /* a change of a definition has it looked at, too */
		timer_set_after(&m->again, MIN(left, UNKNOWN_FOR) * NS_PER_SEC);
		return;
	}
	if (s.found && (s.found->verbs & verbs) == verbs) {
		put_status(m, set_revision);
		return;
	}
	if (!s.found)
		err_set(&m->why, ERR_NOT_FOUND, "resource does not exist in discovery");
	else
		err_set(&m->why, ERR_UNSUPPORTED,
			"resource \"%s/%s, Resource=%s\" does not support discovery operations: "
			"[update patch list]",
			s.found->group->group, s.found->group->version, s.found->resource);
	fail(m);
}

/* keeps (1) */
static bool has_turn(const struct migration *m)
{
	struct migration *o;

	for (size_t i = 0; (o = map_next(&m->g->all, &i, NULL));) {
		if (o == m || o->state == OVER || !same_resource(o, m))
			continue;
		if (o->state != WAITING || is_before(o, m))
			return false;
	}
	return true;
}

/* One step; its end, or what it changed, brings the next look. */
static void step(struct migration *m)
{
	switch (m->state) {
	case WAITING:
		if (has_turn(m) && tell_definition(m, tell_begin))
			put_condition(m, "Running", "MigrationRunning", "The migration is running");
		break;
	case RUNNING:
		if (m->revision > 0)
			migrate(m);
		else
			begin(m);
		break;
	case ENDING:
		if (tell_definition(m, tell_end))
			put_condition(m, "Running", "MigrationCompleted", "Migration completed");
		break;
	case OVER: break;
	}
}

/* One a turn: others of the loop come between. */
static void look(struct deferred *d)
{
	struct storage_migration *g = CONTAINER_OF(d, struct storage_migration, look);
	struct migration *m = LIST_FIRST(&g->todo, struct migration, link);

	if (!m)
		return;
	list_del(&m->link);
	if (m->gone && !m->busy) {
		look_at_others(m);
		drop(m);
	} else if (!m->gone && !m->busy) {
		step(m);
	}
	if (!list_empty(&g->todo))
		deferred_call(&g->look);
}

/* ---- following ---- */

static void take(struct storage_migration *g, struct item *i, bool deleted)
{
	struct migration *m = map_get(&g->all, item_key(i));

	if (!m && deleted)
		return;
	if (!m) {
		m = must(calloc(1, sizeof(*m)));
		m->g = g;
		m->name = must(strndup(item_key(i).p, item_key(i).n));
		m->a = arena_new("storage version migration", SVM_MAX);
		m->write.done = on_written;
		m->write.arg = m;
		list_init(&m->link);
		list_init(&m->convert.link);
		timer_init(&m->again, g->loop, on_again);
		(void)map_put(&g->all, slice_str(m->name), m);
	}
	if (deleted) {
		look_at_others(m);
		drop(m);
		return;
	}
	m->gone = false;
	read_it(m, i);
	look_later(m);
	look_at_others(m);
}

static int on_change(struct cache_watch *w, enum cache_change what, struct item *i)
{
	take(CONTAINER_OF(w, struct storage_migration, watch), i, what == CACHE_DELETED);
	return 0;
}

static void on_end(struct cache_watch *w, const struct err *why)
{
	struct storage_migration *g = CONTAINER_OF(w, struct storage_migration, watch);

	(void)why;
	g->watching = false;
	timer_set_after(&g->again, 0); /* all is read anew */
}

/* A resource that was not served may be now. */
static int on_definition(struct cache_watch *w, enum cache_change what, struct item *i)
{
	struct storage_migration *g = CONTAINER_OF(w, struct storage_migration, definitions);
	struct migration *m;

	(void)what;
	(void)i;
	for (size_t j = 0; (m = map_next(&g->all, &j, NULL));)
		if (m->state == RUNNING && m->revision == 0)
			look_later(m);
	return 0;
}

static void on_definitions_end(struct cache_watch *w, const struct err *why)
{
	struct storage_migration *g = CONTAINER_OF(w, struct storage_migration, definitions);

	(void)why;
	g->watching_definitions = false;
	timer_set_after(&g->again, 0);
}

static int read_all(struct storage_migration *g, struct err *err)
{
	CLEANUP(cache_view_unref) struct cache_view *v = cache_now(g->cache);
	struct migration *m;
	struct cache_iter it;
	struct item *i;

	for (size_t j = 0; (m = map_next(&g->all, &j, NULL));) {
		m->gone = true;
		look_later(m);
	}
	cache_iter_init(&it, v, SLICE(""), SLICE(""));
	while ((i = cache_iter_next(&it)))
		take(g, i, false);
	g->watch = (struct cache_watch){ .prefix = SLICE(""), .change = on_change, .end = on_end };
	g->watching = cache_watch(g->cache, &g->watch, cache_view_revision(v), err) == 0;
	return g->watching ? 0 : err_ret(err);
}

static int watch_definitions(struct storage_migration *g, struct err *err)
{
	struct collection *o = resources_objects(g->rs, CRD_GROUP, CRD_RESOURCE);

	if (!o)
		return err_set(err, ERR_NOT_FOUND, "no CustomResourceDefinitions are kept here");
	g->definitions = (struct cache_watch){ .prefix = SLICE(""),
					       .change = on_definition,
					       .end = on_definitions_end };
	g->watching_definitions = cache_watch(o->cache, &g->definitions,
					      world_revision(resources_world(g->rs)), err) == 0;
	return g->watching_definitions ? 0 : err_ret(err);
}

static int follow(struct storage_migration *g, struct err *err)
{
	int r = g->watching_definitions ? 0 : watch_definitions(g, err);

	return r == 0 && !g->watching ? read_all(g, err) : r;
}

static int on_timer(struct timer *t)
{
	struct storage_migration *g = CONTAINER_OF(t, struct storage_migration, again);
	struct err err = ERR_INIT;

	if (follow(g, &err) < 0) {
		log_kv(LOG_LEVEL_WARN, "storage version migrations are not followed yet", "error",
		       err.msg, NULL);
		timer_set_after(&g->again, RETRY_NS);
	}
	return 0;
}

/* ---- life ---- */

int storage_migration_start(struct resources *rs, struct loop *loop, struct storage_migration **ret,
			    struct err *err)
{
	CLEANUP(storage_migration_stop) struct storage_migration *g = NULL;
	struct collection *o = resources_objects(rs, MIGRATION_GROUP, MIGRATION_RESOURCE);
	int r;

	if (!o || o->kind->custom)
		return err_set(err, ERR_NOT_FOUND, MIGRATION_RESOURCE " are not served");
	g = must(calloc(1, sizeof(*g)));
	g->rs = rs;
	g->loop = loop;
	g->cache = o->cache;
	map_init(&g->all);
	list_init(&g->todo);
	deferred_init(&g->look, loop, look);
	timer_init(&g->again, loop, on_timer);
	r = converter_new(loop, rs, NULL, &g->converter, err);
	if (r == 0)
		r = follow(g, err);
	if (r < 0)
		return r;
	*ret = STEAL(g);
	return 0;
}

void storage_migration_stop(struct storage_migration *g)
{
	struct migration *m;

	if (!g)
		return;
	if (g->watching)
		cache_unwatch(&g->watch);
	if (g->watching_definitions)
		cache_unwatch(&g->definitions);
	for (size_t i = 0; (m = map_next(&g->all, &i, NULL));)
		drop(m);
	converter_free(g->converter);
	deferred_fini(&g->look);
	timer_fini(&g->again);
	map_fini(&g->all);
	free(g);
}

bool storage_migration_idle(const struct storage_migration *g)
{
	struct migration *m;

	for (size_t i = 0; (m = map_next(&g->all, &i, NULL));)
		if (m->busy || timer_armed(&m->again))
			return false;
	return list_empty(&g->todo) && !timer_armed(&g->again);
}
