/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each definition is looked at when it has changed, and when names of its group have. What has to
 * be written of it is one write at a time; its end, or the change that came before it, brings the
 * next look.
 */
#include "apiserver/crd-controller.h"

#include "api/custom.h"
#include "api/object.h"
#include "apiserver/crd-private.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/map.h"
#include "doc/json.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define LOOKS_A_ROUND 16 /* definitions compiled before others have their turn */
#define RETRY_NS NS_PER_SEC
#define NAMES_MAX (1u << 20)

struct entry {
	struct list link; /* of those to be looked at */
	struct crd_controller *c;
	char *name;
	struct item *item; /* as it is now; NULL: it is gone */
	/* What it is called: its group, and the names it was given. */
	struct arena *names;
	const char *group;
	struct doc *accepted;
	/* As it is served. */
	bool served;
	char *served_group, *served_plural, *served_names;
	int64_t generation;
	struct crd_write write;
	struct crd_cleanup *cleanup;
	struct world_wait ready; /* its objects are being read */
	bool waiting;
	bool cleaned, stopped;
	bool conflict; /* it has not got all of its names */
};

struct crd_controller {
	struct resources *rs;
	struct loop *loop;
	struct cache *cache;
	const struct api_kind *kind;
	struct cache_watch watch;
	struct deferred look;
	struct timer again;
	struct map entries;
	struct list todo;
	struct crd_services *services;
	bool watching;
};

static void look_later(struct entry *e)
{
	list_del(&e->link);
	list_append(&e->c->todo, &e->link);
	deferred_call(&e->c->look);
}

/* ---- entries ---- */

static void forget_served(struct entry *e)
{
	free(STEAL(e->served_group));
	free(STEAL(e->served_plural));
	free(STEAL(e->served_names));
	e->served = false;
}

static void entry_free(struct entry *e)
{
	list_del(&e->link);
	item_unref(e->item);
	if (e->names)
		arena_free(e->names);
	forget_served(e);
	free(e->name);
	free(e);
}

/* A write that is under way has the entry until it is over. */
static void entry_drop(struct entry *e)
{
	crd_cleanup_stop(STEAL(e->cleanup));
	if (e->waiting)
		world_unwait(&e->ready);
	e->waiting = false;
	if (!e->write.busy) {
		entry_free(e);
		return;
	}
	list_del(&e->link);
	e->stopped = true;
}

static void on_written(struct crd_write *w)
{
	struct entry *e = w->arg;

	if (e->stopped) {
		entry_free(e);
		return;
	}
	if (w->write.result >= 0) {
		look_later(e);
		return;
	}
	log_kv(LOG_LEVEL_WARN, "a definition's status was not written", "name", e->name, "error",
	       w->write.err.msg, NULL);
	list_del(&e->link);
	list_append(&e->c->todo, &e->link);
	timer_set_after(&e->c->again, RETRY_NS);
}

static struct entry *entry_of(struct crd_controller *c, struct slice name)
{
	struct entry *e = map_get(&c->entries, name);

	if (e)
		return e;
	e = calloc(1, sizeof(*e));
	assert(e);
	e->c = c;
	e->name = strndup(name.p, name.n);
	assert(e->name);
	list_init(&e->link);
	e->write.done = on_written;
	e->write.arg = e;
	(void)map_put(&c->entries, slice_str(e->name), e);
	return e;
}

static int by_name(const void *x, const void *y)
{
	const struct entry *a = *(struct entry *const *)x, *b = *(struct entry *const *)y;

	return strcmp(a->name, b->name);
}

/* Others of the group whose names may be free now, in the order of their names. */
static void look_at_group(struct crd_controller *c, const struct entry *but)
{
	struct entry **v = calloc(map_count(&c->entries) + 1, sizeof(struct entry *)), *e;
	size_t n = 0;

	assert(v);
	for (size_t i = 0; but->group && (e = map_next(&c->entries, &i, NULL));)
		if (e != but && e->conflict && e->group && strcmp(e->group, but->group) == 0)
			v[n++] = e;
	qsort(v, n, sizeof(struct entry *), by_name);
	for (size_t i = 0; i < n; i++)
		look_later(v[i]);
	free(v);
}

/* What it is called, for others; true when that has changed. */
static bool keep_names(struct entry *e, const struct doc *crd)
{
	const struct doc *accepted = doc_find(crd, "status.acceptedNames"),
			 *group = doc_find(crd, "spec.group");
	bool same = e->names && accepted && e->accepted && doc_equal(accepted, e->accepted);

	if (same)
		return false;
	if (e->names)
		arena_free(e->names);
	e->names = arena_new("names of a definition", NAMES_MAX);
	e->group = arena_strndup(e->names, doc_slice(group).n ? group->s : "", doc_slice(group).n);
	e->accepted = accepted ? doc_copy(e->names, accepted) : NULL;
	return true;
}

/* ---- serving ---- */

static void release(void *owner)
{
	custom_unref(owner);
}

static void withdraw(struct entry *e)
{
	if (!e->served)
		return;
	resources_remove_custom(e->c->rs, e->served_group, e->served_plural);
	forget_served(e);
	crd_services_look(e->c->services);
}

static char *names_text(const struct doc *crd)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(NAMES_MAX);
	const struct doc *names = doc_find(crd, "status.acceptedNames");

	if (!names || json_write(names, NULL, &b, NULL) < 0)
		return buf_steal(&(struct buf){ .max = 1 });
	return buf_steal(&b);
}

/* Serves the definition as `crd` says. 1: it is served so already. */
static int serve(struct entry *e, const struct doc *crd, struct err *err)
{
	int64_t generation = 0;
	char *names = names_text(crd);
	struct custom *custom = NULL;
	struct resources_custom what;
	const struct api_kind *stored = NULL;
	int r;

	(void)doc_int64(doc_find(crd, "metadata.generation"), &generation);
	if (e->served && generation == e->generation && strcmp(names, e->served_names) == 0) {
		free(names);
		return 1;
	}
	r = custom_compile(resources_api(e->c->rs), crd, &custom, err);
	if (r >= 0) {
		stored = custom_stored(custom);
		what = (struct resources_custom){ .stored = stored,
						  .owner = custom,
						  .release = release };
		what.kinds = custom_kinds(custom, &what.n);
		r = resources_set_custom(e->c->rs, &what, err);
		if (r < 0)
			custom_unref(custom);
	}
	if (r < 0) {
		free(names);
		return r;
	}
	forget_served(e);
	e->served = true;
	e->generation = generation;
	e->served_names = names;
	e->served_group = strdup(stored->group->group);
	e->served_plural = strdup(stored->resource);
	assert(e->served_group && e->served_plural);
	crd_services_look(e->c->services);
	return 0;
}

/* ---- one look ---- */

struct looked {
	struct entry *e;
	struct arena *a;
	struct doc crd; /* as it is to be */
	const struct doc *was;
	int64_t now;
};

static int write_it(struct looked *x, struct err *err)
{
	struct entry *e = x->e;
	struct doc canonical;
	int r = api_admit(e->c->kind->type, &x->crd, x->a, API_NO_DEFAULTS, NULL, &canonical, err);

	if (r == 0 && doc_equal(&canonical, x->was))
		return 0;
	if (r == 0)
		r = crd_write_add(&e->write, e->c->cache, item_key(e->item), &canonical,
				  item_revision(e->item), err);
	if (r == 0)
		crd_write_go(&e->write, resources_world(e->c->rs));
	return r;
}

/* The definitions beside one. */
static struct crd_all others_of(struct looked *x)
{
	struct crd_controller *c = x->e->c;
	struct crd_all all = { NULL, 0 };
	struct crd_names *v = ARENA_ARRAY(x->a, struct crd_names, map_count(&c->entries));
	struct entry *e;

	for (size_t i = 0; v && (e = map_next(&c->entries, &i, NULL));)
		if (e != x->e && e->item && e->accepted)
			v[all.n++] = (struct crd_names){ e->group, e->accepted };
	all.v = v;
	return all;
}

static void establish(struct looked *x)
{
	struct err why = ERR_INIT;
	bool accepted = crd_condition_is(&x->crd, "NamesAccepted", "True"),
	     was = crd_condition_is(&x->crd, "Established", "True");

	if (!accepted && !was) {
		(void)crd_condition(x->a, &x->crd, "Established", "False", "NotAccepted",
				    "not all names are accepted", x->now);
		return;
	}
	if (serve(x->e, &x->crd, &why) >= 0) {
		if (!was)
			(void)crd_condition(x->a, &x->crd, "Established", "True",
					    "InitialNamesAccepted",
					    "the initial names have been accepted", x->now);
		return;
	}
	/* what another server took, and we cannot serve */
	withdraw(x->e);
	(void)crd_condition(x->a, &x->crd, "Established", "False", "NotSupported", why.msg, x->now);
}

static void on_objects(struct world_wait *w, int result, struct err *err)
{
	struct entry *e = CONTAINER_OF(w, struct entry, ready);

	e->waiting = false;
	if (result != -ERR_UNAVAILABLE) /* not the end */
		look_later(e);
}

static void wait_for_objects(struct entry *e, struct cache *cache)
{
	if (e->waiting)
		return;
	e->waiting = true;
	e->ready.done = on_objects;
	cache_wait(cache, &e->ready);
}

/* Terminating: instances first, then the finalizer, then the definition itself. */
static void on_cleaned(void *arg, const struct err *err)
{
	struct entry *e = arg;

	e->cleaned = !err;
	if (err)
		log_kv(LOG_LEVEL_WARN, "objects of a definition were not removed", "name", e->name,
		       "error", err->msg, NULL);
	look_later(e);
}

static int finish(struct looked *x, const char *reason, const char *message, struct err *err)
{
	struct entry *e = x->e;
	int r;

	(void)crd_condition(x->a, &x->crd, "Terminating", "False", reason, message, x->now);
	if (crd_remove_finalizer(&x->crd) > 0)
		return write_it(x, err);
	r = crd_write_add(&e->write, e->c->cache, item_key(e->item), NULL, item_revision(e->item),
			  err);
	if (r == 0)
		crd_write_go(&e->write, resources_world(e->c->rs));
	return r;
}

static int terminate(struct looked *x, struct err *err)
{
	struct entry *e = x->e;
	struct collection *o = NULL;

	if (!crd_has_finalizer(x->was))
		return 0; /* somebody else's finalizers are left */
	if (!crd_condition_is(x->was, "Established", "True"))
		return finish(x, "NeverEstablished", "resource was never established", err);
	if (e->served)
		o = resources_objects(e->c->rs, e->served_group, e->served_plural);
	if (!o) {
		return crd_condition(x->a, &x->crd, "Terminating", "True", "InstanceDeletionFailed",
				     "could not list instances: the resource is not served", x->now)
			       ? write_it(x, err)
			       : 0;
	}
	if (!cache_ready(o->cache)) { /* none that are known yet is not none */
		wait_for_objects(e, o->cache);
		return 0;
	}
	if (crd_condition(x->a, &x->crd, "Terminating", "True", "InstanceDeletionInProgress",
			  "CustomResource deletion is in progress", x->now))
		return write_it(x, err);
	if (e->cleaned && cache_count(o->cache) == 0) {
		crd_cleanup_stop(STEAL(e->cleanup));
		return finish(x, "InstanceDeletionCompleted", "removed all instances", err);
	}
	e->cleaned = false;
	if (!e->cleanup)
		e->cleanup = crd_cleanup_start(e->c->rs, e->c->loop, o, on_cleaned, e);
	return 0;
}

static int look_at(struct looked *x, struct err *err)
{
	struct entry *e = x->e;
	struct doc was, *copy;
	struct crd_all others;
	int r = codec_parse(e->item, x->a, &was, err);

	if (r < 0)
		return r;
	copy = doc_copy_shared(x->a, &was);
	if (!copy)
		return arena_quota(x->a, err);
	x->crd = *copy;
	x->was = &was;
	others = others_of(x);
	crd_set_names(x->a, &x->crd, &others, x->now);
	e->conflict = !crd_condition_is(&x->crd, "NamesAccepted", "True");
	/* they are taken from now on, before it is written */
	if (keep_names(e, &x->crd))
		look_at_group(e->c, e);
	establish(x);
	copy = doc_copy_shared(x->a, &was);
	if (arena_exceeded(x->a) || !copy)
		return arena_quota(x->a, err);
	if (doc_is(doc_find(&was, "metadata.deletionTimestamp"), DOC_STRING)) {
		x->crd = *copy; /* conditions of the living do not matter */
		return terminate(x, err);
	}
	return doc_equal(&x->crd, &was) ? 0 : write_it(x, err);
}

static void gone(struct entry *e)
{
	struct crd_controller *c = e->c;

	crd_cleanup_stop(STEAL(e->cleanup));
	withdraw(e);
	look_at_group(c, e);
	(void)map_del(&c->entries, slice_str(e->name));
	entry_drop(e);
}

static void look_one(struct entry *e)
{
	CLEANUP(arena_free) struct arena *a = NULL;
	struct looked x = { .e = e, .now = clock_real() / NS_PER_SEC };
	struct err err = ERR_INIT;

	list_del(&e->link);
	if (e->write.busy)
		return; /* its end looks again */
	if (!e->item) {
		gone(e);
		return;
	}
	a = arena_new("definition", CRD_DOC_MAX);
	x.a = a;
	if (look_at(&x, &err) < 0) {
		crd_write_drop(&e->write);
		log_kv(LOG_LEVEL_ERROR, "a definition cannot be looked at", "name", e->name,
		       "error", err.msg, NULL);
	}
}

static void look(struct deferred *d)
{
	struct crd_controller *c = CONTAINER_OF(d, struct crd_controller, look);
	struct entry *e;

	for (int i = 0; i < LOOKS_A_ROUND && (e = LIST_FIRST(&c->todo, struct entry, link)); i++)
		look_one(e);
	if (!list_empty(&c->todo))
		deferred_call(&c->look);
}

/* ---- following ---- */

static void take(struct crd_controller *c, struct item *i, bool deleted)
{
	struct entry *e = entry_of(c, item_key(i));

	item_unref(e->item);
	e->item = deleted ? NULL : item_ref(i);
	look_later(e);
}

static int on_change(struct cache_watch *w, enum cache_change what, struct item *i)
{
	take(CONTAINER_OF(w, struct crd_controller, watch), i, what == CACHE_DELETED);
	return 0;
}

static void on_end(struct cache_watch *w, const struct err *why)
{
	struct crd_controller *c = CONTAINER_OF(w, struct crd_controller, watch);

	c->watching = false;
	timer_set_after(&c->again, 0); /* all is read anew */
}

/* All there is now; entries that are no longer there are gone. */
static int read_all(struct crd_controller *c, struct err *err)
{
	CLEANUP(cache_view_unref) struct cache_view *v = cache_now(c->cache);
	struct cache_iter it;
	struct entry *e;
	struct item *i;

	for (size_t j = 0; (e = map_next(&c->entries, &j, NULL));) {
		item_unref(STEAL(e->item));
		look_later(e);
	}
	cache_iter_init(&it, v, SLICE(""), SLICE(""));
	while ((i = cache_iter_next(&it)))
		take(c, i, false);
	c->watch = (struct cache_watch){ .prefix = SLICE(""), .change = on_change, .end = on_end };
	c->watching = cache_watch(c->cache, &c->watch, cache_view_revision(v), err) == 0;
	return c->watching ? 0 : err_ret(err);
}

static int on_timer(struct timer *t)
{
	struct crd_controller *c = CONTAINER_OF(t, struct crd_controller, again);
	struct err err = ERR_INIT;

	if (!c->watching && read_all(c, &err) < 0) {
		log_kv(LOG_LEVEL_WARN, "definitions are not followed yet", "error", err.msg, NULL);
		timer_set_after(&c->again, RETRY_NS);
	}
	deferred_call(&c->look);
	return 0;
}

/* Names that were given before are known before any is given. */
static void read_names(struct crd_controller *c)
{
	struct entry *e;

	for (size_t i = 0; (e = map_next(&c->entries, &i, NULL));) {
		CLEANUP(arena_free) struct arena *a = arena_new("definition", CRD_DOC_MAX);
		struct err err = ERR_INIT;
		struct doc crd;

		if (e->item && codec_parse(e->item, a, &crd, &err) == 0)
			(void)keep_names(e, &crd);
	}
}

int crd_controller_start(struct resources *rs, struct loop *loop, struct crd_controller **ret,
			 struct err *err)
{
	CLEANUP(crd_controller_stop) struct crd_controller *c = NULL;
	struct collection *o = resources_objects(rs, CRD_GROUP, CRD_RESOURCE);
	struct entry *e;
	int r;

	if (!o)
		return err_set(err, ERR_NOT_FOUND, "no CustomResourceDefinitions are kept here");
	c = calloc(1, sizeof(*c));
	assert(c);
	*c = (struct crd_controller){ .rs = rs, .loop = loop, .cache = o->cache, .kind = o->kind };
	map_init(&c->entries);
	list_init(&c->todo);
	deferred_init(&c->look, loop, look);
	timer_init(&c->again, loop, on_timer);
	r = crd_services_start(rs, loop, &c->services, err);
	if (r == 0)
		r = read_all(c, err);
	if (r < 0)
		return r;
	read_names(c);
	while ((e = LIST_FIRST(&c->todo, struct entry, link)))
		look_one(e);
	*ret = STEAL(c);
	return 0;
}

void crd_controller_stop(struct crd_controller *c)
{
	struct entry *e;

	if (!c)
		return;
	if (c->watching)
		cache_unwatch(&c->watch);
	for (size_t i = 0; (e = map_next(&c->entries, &i, NULL));) {
		(void)map_del(&c->entries, slice_str(e->name));
		entry_drop(e);
	}
	crd_services_stop(c->services);
	deferred_fini(&c->look);
	timer_fini(&c->again);
	map_fini(&c->entries);
	free(c);
}

void crd_controller_set_aggregator(struct crd_controller *c, struct aggregator *g)
{
	crd_services_set_aggregator(c->services, g);
}

bool crd_controller_idle(const struct crd_controller *c)
{
	struct entry *e;

	for (size_t i = 0; (e = map_next(&c->entries, &i, NULL));)
		if (e->write.busy || e->cleanup || e->waiting)
			return false;
	return list_empty(&c->todo) && crd_services_idle(c->services);
}
