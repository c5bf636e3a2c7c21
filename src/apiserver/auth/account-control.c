/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A job makes sure of one object. There is at most one of each: what changes while it runs has it
 * run again. A job looks at the objects as they are when it begins, so one too many finds nothing
 * to do.
 */
#include "apiserver/auth/account-control.h"

#include "api/api.h"
#include "api/defaults.h"
#include "apiserver/auth/account-token.h"
#include "apiserver/objects/codec.h"
#include "apiserver/strategy/own.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/map.h"
#include "crypto/aead.h"
#include "doc/json.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RUNNING_MAX 64
#define RETRY NS_PER_SEC
#define JOB_MEMORY (8u << 20)
#define TOKEN_TYPE "kubernetes.io/service-account-token"
#define NAME_NOTE "kubernetes.io/service-account.name"
#define UID_NOTE "kubernetes.io/service-account.uid"
#define USED_LABEL "kubernetes.io/legacy-token-last-used"
#define DEFAULT "default"
#define ROOTS "kube-root-ca.crt"

enum job_kind { JOB_ACCOUNT, JOB_ROOTS, JOB_SECRET, JOB_USED };

struct job {
	struct account_control *c;
	struct list link; /* of waiting; empty while it runs */
	enum job_kind kind;
	bool running, again;
	struct arena *a;
	struct own_put put;
	struct cache_write removal;
	struct cache_op op;
	struct buf json;
	char *ns, *name;
	char key[]; /* "KIND/NS/NAME" */
};

enum { WATCH_NAMESPACES, WATCH_ACCOUNTS, WATCH_ROOTS, WATCH_SECRETS, WATCHES };

struct control_watch {
	struct cache_watch w;
	struct account_control *c;
	bool on;
};

struct account_control {
	struct loop *loop;
	struct resources *rs;
	struct account_tokens *tokens;
	struct buf roots, roots_json; /* PEM; as a ConfigMap's JSON has it, with its key */
	struct map jobs;
	struct list waiting, later;
	size_t running;
	struct deferred look;
	struct timer again;
	bool stopped;
	struct control_watch watches[WATCHES];
	void (*done)(void *arg, int result, struct err *err);
	void *arg;
};

/* ---- jobs ---- */

static void job_free(struct job *j)
{
	(void)map_del(&j->c->jobs, slice_str(j->key));
	list_del(&j->link);
	buf_fini(&j->json);
	arena_free(j->a);
	free(j->ns);
	free(j->name);
	free(j);
}

static char *copy_text(struct slice s)
{
	char *p = strndup(s.p ? s.p : "", s.n);

	if (!p)
		abort();
	return p;
}

static struct job *job_of(struct account_control *c, enum job_kind kind, struct slice ns,
			  struct slice name)
{
	size_t n = ns.n + name.n + 4;
	struct job *j = calloc(1, sizeof(*j) + n), *there;

	if (!j)
		abort();
	(void)snprintf(j->key, n, "%d/%.*s/%.*s", kind, (int)ns.n, ns.p, (int)name.n, name.p);
	there = map_get(&c->jobs, slice_str(j->key));
	if (there || c->stopped) {
		if (there)
			there->again = there->running;
		free(j);
		return NULL;
	}
	j->c = c;
	j->kind = kind;
	j->ns = copy_text(ns);
	j->name = copy_text(name);
	list_init(&j->link);
	(void)map_put(&c->jobs, slice_str(j->key), j);
	return j;
}

static void want(struct account_control *c, enum job_kind kind, struct slice ns, struct slice name)
{
	struct job *j = job_of(c, kind, ns, name);

	if (!j)
		return;
	list_append(&c->waiting, &j->link);
	deferred_call(&c->look);
}

static void put_off(struct job *j)
{
	list_append(&j->c->later, &j->link);
	if (!timer_armed(&j->c->again))
		timer_set_after(&j->c->again, RETRY);
}

/* It no longer runs. */
static void rest(struct job *j)
{
	j->c->running -= j->running;
	j->running = false;
	buf_fini(&j->json);
	arena_free(STEAL(j->a));
}

static void rest_job(struct job *j)
{
	rest(j);
	put_off(j);
}

static void end_job(struct job *j, int result, const struct err *err)
{
	struct account_control *c = j->c;

	rest(j);
	if (result < 0 && !c->stopped) {
		log_kv(LOG_LEVEL_WARN,
		       "an object of a namespace could not be written, it is tried "
		       "again",
		       "error", err->msg, NULL);
		put_off(j);
		deferred_call(&c->look);
		return;
	}
	if (j->again && !c->stopped) {
		j->again = false;
		list_append(&c->waiting, &j->link);
		deferred_call(&c->look);
		return;
	}
	job_free(j);
	if (!c->stopped)
		deferred_call(&c->look);
}

static void put_done(struct own_put *p)
{
	end_job(p->arg, p->result, &p->err);
}

static void put(struct job *j, const char *resource, const struct doc *want_doc,
		int (*update)(struct own_put *p, struct arena *a, struct doc *obj,
			      const struct doc *want_doc, struct err *err),
		bool only_there)
{
	j->put = (struct own_put){
		.rs = j->c->rs,
		.group = "",
		.resource = resource,
		.namespace_ = j->ns,
		.name = j->name,
		.want = want_doc,
		.update = update,
		.only_there = only_there,
		.done = put_done,
		.arg = j,
	};
	own_put(&j->put);
}

/* ---- of each namespace ---- */

static bool is_active(struct job *j)
{
	struct item *i = resources_get(j->c->rs, "", "namespaces", "", j->ns);
	struct err err = ERR_INIT;
	struct doc d;

	return i && codec_parse(i, j->a, &d, &err) == 0 &&
	       !doc_str_is(doc_find(&d, "status.phase"), "Terminating") &&
	       !doc_is(doc_find(&d, "metadata.deletionTimestamp"), DOC_STRING);
}

static struct item *find(struct job *j, const char *resource)
{
	return resources_get(j->c->rs, "", resource, j->ns, j->name);
}

/* 1: it was begun. */
static int make_account(struct job *j)
{
	if (find(j, "serviceaccounts") || !is_active(j))
		return 0;
	put(j, "serviceaccounts", doc_new_object(j->a), NULL, false);
	return 1;
}

static int update_roots(struct own_put *p, struct arena *a, struct doc *obj,
			const struct doc *want_doc, struct err *err)
{
	bool changed = own_take(p->objects->kind->type, obj, want_doc, "data", a);

	(void)err;
	return own_take_map(p->rs, obj, want_doc, "annotations", a) || changed;
}

static int make_roots(struct job *j)
{
	struct item *i = find(j, "configmaps");
	struct doc *d = doc_new_object(j->a), *m;

	if (!is_active(j) || (i && slice_has_text(item_json(i), buf_slice(&j->c->roots_json))))
		return 0;
	m = doc_set_object(j->a, doc_set_object(j->a, d, "metadata"), "annotations");
	doc_set_str(j->a, m, "kubernetes.io/description",
		    "The CAs that this cluster's API server is known by; for clients of its "
		    "internal addresses only.");
	doc_set_strn(j->a, doc_set_object(j->a, d, "data"), "ca.crt", j->c->roots.p, j->c->roots.n);
	put(j, "configmaps", d, update_roots, false);
	return 1;
}

/* ---- Secrets of tokens ---- */

static const char *note_of(struct arena *a, const struct doc *obj, const char *key)
{
	const char *s = doc_cstr(a, doc_get(doc_find(obj, "metadata.annotations"), key));

	return s ? s : "";
}

static void put_base64(struct arena *a, struct doc *data, const char *key, struct slice bytes)
{
	char *text = arena_alloc(a, BASE64_LEN(bytes.n) + 1);

	if (!text)
		return;
	base64_encode(text, bytes.p, bytes.n);
	(void)doc_set_str(a, data, key, text);
}

/* The data that it lacks; ca.crt also when it is another. */
static int update_secret(struct own_put *p, struct arena *a, struct doc *obj,
			 const struct doc *want_doc, struct err *err)
{
	static const char *const keys[] = { "ca.crt", "namespace", "token" };
	const struct doc *from = doc_get(want_doc, "data");
	struct doc *data = doc_copy_shared(a, doc_get(obj, "data"));
	bool changed = false;

	(void)err;
	/* another one of that name, or for another account, came meanwhile */
	if (doc_true(doc_get(obj, "immutable")) || !doc_str_is(doc_get(obj, "type"), TOKEN_TYPE) ||
	    strcmp(note_of(a, obj, NAME_NOTE), note_of(a, want_doc, NAME_NOTE)) != 0)
		return 0;
	if (!doc_is(data, DOC_OBJECT))
		data = doc_new_object(a);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const struct doc *v = doc_get(from, keys[i]), *have = doc_get(data, keys[i]);

		if (!v || (have && (i > 0 || doc_equal(v, have))))
			continue;
		doc_set(a, data, keys[i], *v);
		changed = true;
	}
	if (changed && data)
		api_set(p->objects->kind->type, obj, a, "data", *data);
	return own_take_map(p->rs, obj, want_doc, "annotations", a) || changed;
}

static int fill_secret(struct job *j, const struct account_claim *account, bool has_token)
{
	CLEANUP(secret_buf_fini) struct buf token = BUF_INIT(65536);
	struct doc *d = doc_new_object(j->a), *data, *notes;
	struct err err = ERR_INIT;

	if (!has_token && (!buf_room(&token, 16384) ||
			   account_tokens_sign_secret(j->c->tokens, j->ns, account, j->name, j->a,
						      &token, &err) < 0)) {
		log_kv(LOG_LEVEL_ERROR, "a Secret gets no token", "secret", j->key + 2, "error",
		       err.msg, NULL);
		return 0;
	}
	doc_set_str(j->a, d, "type", TOKEN_TYPE);
	notes = doc_set_object(j->a, doc_set_object(j->a, d, "metadata"), "annotations");
	doc_set_str(j->a, notes, NAME_NOTE, account->name);
	doc_set_str(j->a, notes, UID_NOTE, account->uid);
	data = doc_set_object(j->a, d, "data");
	put_base64(j->a, data, "ca.crt", buf_slice(&j->c->roots));
	put_base64(j->a, data, "namespace", slice_str(j->ns));
	if (!has_token)
		put_base64(j->a, data, "token", buf_slice(&token));
	put(j, "secrets", d, update_secret, true);
	return 1;
}

static void removed(struct cache_write *w)
{
	struct job *j = CONTAINER_OF(w, struct job, removal);

	j->again |= w->result == 1; /* it was changed meanwhile */
	end_job(j, w->result < 0 ? w->result : 0, &w->err);
}

/* As it waits for its finalizers; 0: it does so already. */
static int mark_secret(struct job *j, struct doc *obj, struct err *err)
{
	const struct api_type *t = api_type(resources_api(j->c->rs), API_META, "ObjectMeta");
	struct doc *meta = doc_get(obj, "metadata");
	char text[CLOCK_TEXT_MAX];

	if (doc_is(doc_get(meta, "deletionTimestamp"), DOC_STRING))
		return 0;
	(void)clock_rfc3339nano(text, clock_real() / NS_PER_SEC * NS_PER_SEC);
	api_set(t, meta, j->a, "deletionTimestamp", doc_str(j->a, text));
	api_set(t, meta, j->a, "deletionGracePeriodSeconds", doc_int(j->a, 0));
	if (arena_exceeded(j->a))
		return arena_quota(j->a, err);
	return codec_store(obj, &j->json, err) < 0 ? err_ret(err) : 1;
}

/* Its account is not there, or is another one of that name. */
static int remove_secret(struct job *j, struct item *i, struct doc *obj)
{
	struct collection *o = resources_objects(j->c->rs, "", "secrets");
	struct err err = ERR_INIT;

	j->json = BUF_INIT(JOB_MEMORY);
	if (doc_len(doc_find(obj, "metadata.finalizers")) && mark_secret(j, obj, &err) <= 0)
		return 0;
	j->op = (struct cache_op){ .cache = o->cache,
				   .expect = item_revision(i),
				   .json = buf_slice(&j->json) };
	j->op.key = slice_str(arena_printf(j->a, "%s/%s", j->ns, j->name));
	j->removal = (struct cache_write){ .ops = &j->op, .n = 1, .done = removed };
	cache_write(resources_world(j->c->rs), &j->removal);
	return 1;
}

/* 2: to be looked at later. */
static int look_at_secret(struct job *j)
{
	struct item *i = find(j, "secrets"), *account;
	struct err err = ERR_INIT;
	struct doc d, of;
	struct account_claim who;
	const char *uid;

	if (!i || codec_parse(i, j->a, &d, &err) < 0 ||
	    !doc_str_is(doc_get(&d, "type"), TOKEN_TYPE) || !*note_of(j->a, &d, NAME_NOTE))
		return 0;
	who.name = note_of(j->a, &d, NAME_NOTE);
	uid = note_of(j->a, &d, UID_NOTE);
	account = resources_get(j->c->rs, "", "serviceaccounts", j->ns, who.name);
	if (!account && strcmp(who.name, DEFAULT) == 0 && is_active(j))
		return 2; /* it is being made */
	if (!account)
		return remove_secret(j, i, &d);
	if (codec_parse(account, j->a, &of, &err) < 0)
		return 0;
	who.uid = doc_cstr(j->a, doc_find(&of, "metadata.uid"));
	if (!who.uid || (*uid && strcmp(uid, who.uid) != 0))
		return who.uid ? remove_secret(j, i, &d) : 0;
	return fill_secret(j, &who, doc_get(doc_get(&d, "data"), "token") != NULL);
}

/* ---- use of their tokens ---- */

static int update_used(struct own_put *p, struct arena *a, struct doc *obj,
		       const struct doc *want_doc, struct err *err)
{
	(void)err;
	return own_take_map(p->rs, obj, want_doc, "labels", a);
}

static int note_use(struct job *j)
{
	struct doc *d = doc_new_object(j->a), *labels;
	time_t now = (time_t)(clock_real() / NS_PER_SEC);
	struct tm tm;
	char day[16];

	(void)gmtime_r(&now, &tm);
	(void)strftime(day, sizeof(day), "%Y-%m-%d", &tm);
	labels = doc_set_object(j->a, doc_set_object(j->a, d, "metadata"), "labels");
	doc_set_str(j->a, labels, USED_LABEL, day);
	put(j, "secrets", d, update_used, true);
	return 1;
}

static void on_used(void *arg, struct slice secret)
{
	struct slice name = secret, ns = slice_split(&name, '/');

	want(arg, JOB_USED, ns, name);
}

/* ---- one look ---- */

static void run_job(struct job *j)
{
	static int (*const runs[])(struct job * j) = { make_account, make_roots, look_at_secret,
						       note_use };
	int r;

	list_del(&j->link);
	j->a = arena_new("objects of namespaces", JOB_MEMORY);
	j->running = true;
	j->c->running++;
	r = runs[j->kind](j);
	if (r == 0)
		end_job(j, 0, NULL);
	else if (r == 2)
		rest_job(j);
}

static void look(struct deferred *d)
{
	struct account_control *c = CONTAINER_OF(d, struct account_control, look);
	void (*done)(void *arg, int result, struct err *err);

	while (!c->stopped && c->running < RUNNING_MAX && !list_empty(&c->waiting))
		run_job(CONTAINER_OF(c->waiting.next, struct job, link));
	if (c->running || !list_empty(&c->waiting) || !c->done)
		return;
	done = STEAL(c->done);
	done(c->arg, 0, NULL);
}

static int on_again(struct timer *t)
{
	struct account_control *c = CONTAINER_OF(t, struct account_control, again);

	while (!list_empty(&c->later)) {
		struct list *first = c->later.next;

		list_del(first);
		list_append(&c->waiting, first);
	}
	deferred_call(&c->look);
	return 0;
}

/* ---- what changes ---- */

static void want_namespace(struct account_control *c, struct slice ns)
{
	want(c, JOB_ACCOUNT, ns, SLICE(DEFAULT));
	want(c, JOB_ROOTS, ns, SLICE(ROOTS));
}

/* Those of one account's name, or all. */
static void want_secrets(struct account_control *c, struct slice ns, struct slice account)
{
	struct collection *o = resources_objects(c->rs, "", "secrets");
	CLEANUP(cache_view_unref) struct cache_view *v = cache_now(o->cache);
	char prefix[300] = "";
	struct cache_iter it;
	struct item *i;

	if (ns.n)
		(void)snprintf(prefix, sizeof(prefix), "%.*s/", (int)ns.n, ns.p);
	cache_iter_init(&it, v, slice_str(prefix), SLICE(""));
	while ((i = cache_iter_next(&it)))
		if (slice_has_text(item_json(i), SLICE(TOKEN_TYPE)) &&
		    (!account.n || slice_has_text(item_json(i), account)))
			want(c, JOB_SECRET, item_namespace(i), item_name(i));
}

static int namespace_changed(struct cache_watch *w, enum cache_change what, struct item *i)
{
	if (what != CACHE_DELETED)
		want_namespace(CONTAINER_OF(w, struct control_watch, w)->c, item_name(i));
	return 0;
}

static int account_changed(struct cache_watch *w, enum cache_change what, struct item *i)
{
	struct account_control *c = CONTAINER_OF(w, struct control_watch, w)->c;

	if (what == CACHE_MODIFIED)
		return 0;
	if (what == CACHE_DELETED && slice_is(item_name(i), DEFAULT))
		want(c, JOB_ACCOUNT, item_namespace(i), SLICE(DEFAULT));
	want_secrets(c, item_namespace(i), item_name(i));
	return 0;
}

static int roots_changed(struct cache_watch *w, enum cache_change what, struct item *i)
{
	struct account_control *c = CONTAINER_OF(w, struct control_watch, w)->c;
	struct job *j;

	if (what == CACHE_DELETED) {
		want(c, JOB_ROOTS, item_namespace(i), SLICE(ROOTS));
		return 0;
	}
	/* not at once: a server with other roots over the same store would answer at once, too */
	j = job_of(c, JOB_ROOTS, item_namespace(i), SLICE(ROOTS));
	if (j)
		put_off(j);
	return 0;
}

static int secret_changed(struct cache_watch *w, enum cache_change what, struct item *i)
{
	if (what != CACHE_DELETED)
		want(CONTAINER_OF(w, struct control_watch, w)->c, JOB_SECRET, item_namespace(i),
		     item_name(i));
	return 0;
}

static const struct slice roots_name = SLICE(ROOTS), token_type = SLICE(TOKEN_TYPE);
static const struct selector_term roots_term = {
	.key = { "metadata.name", 13 }, .op = SELECT_EQUAL, .values = &roots_name, .n = 1
};
static const struct selector_term type_term = {
	.key = { "type", 4 }, .op = SELECT_EQUAL, .values = &token_type, .n = 1
};
static const struct selector only_roots = { .terms = &roots_term, .n = 1 };
static const struct selector only_tokens = { .terms = &type_term, .n = 1 };

static const struct {
	const char *resource;
	int (*change)(struct cache_watch *w, enum cache_change what, struct item *i);
	const struct selector *fields;
} watched[WATCHES] = {
	[WATCH_NAMESPACES] = { "namespaces", namespace_changed, NULL },
	[WATCH_ACCOUNTS] = { "serviceaccounts", account_changed, NULL },
	[WATCH_ROOTS] = { "configmaps", roots_changed, &only_roots },
	[WATCH_SECRETS] = { "secrets", secret_changed, &only_tokens },
};

static void look_at_all(struct account_control *c)
{
	struct collection *o = resources_objects(c->rs, "", "namespaces");
	CLEANUP(cache_view_unref) struct cache_view *v = cache_now(o->cache);
	struct cache_iter it;
	struct item *i;

	cache_iter_init(&it, v, SLICE(""), SLICE(""));
	while ((i = cache_iter_next(&it)))
		want_namespace(c, item_name(i));
	want_secrets(c, SLICE(""), SLICE(""));
}

static void watch_ended(struct cache_watch *w, const struct err *why);

static int watch(struct control_watch *x, size_t i, struct err *err)
{
	struct account_control *c = x->c;
	struct collection *o = resources_objects(c->rs, "", watched[i].resource);
	static const struct selector none;

	x->w = (struct cache_watch){ .prefix = SLICE(""),
				     .labels = &none,
				     .fields = watched[i].fields ? watched[i].fields : &none,
				     .change = watched[i].change,
				     .end = watch_ended };
	if (cache_watch(o->cache, &x->w, world_revision(resources_world(c->rs)), err) < 0)
		return err_ret(err);
	x->on = true;
	return 0;
}

/* The window has passed it: all is looked at again. */
static void watch_ended(struct cache_watch *w, const struct err *why)
{
	struct control_watch *x = CONTAINER_OF(w, struct control_watch, w);
	struct err err = ERR_INIT;

	(void)why;
	x->on = false;
	if (x->c->stopped)
		return;
	if (watch(x, (size_t)(x - x->c->watches), &err) < 0)
		log_kv(LOG_LEVEL_ERROR, "accounts of namespaces are not followed", "error", err.msg,
		       NULL);
	look_at_all(x->c);
}

/* ---- life ---- */

static void set_roots(struct account_control *c, struct slice roots)
{
	buf_clear(&c->roots);
	buf_clear(&c->roots_json);
	(void)buf_add(&c->roots, roots.p, roots.n);
	(void)buf_adds(&c->roots_json, "\"ca.crt\":");
	(void)json_write_string(&c->roots_json, roots, true);
}

void account_control_set_roots(struct account_control *c, struct slice roots)
{
	if (!c || slice_eq(buf_slice(&c->roots), roots))
		return;
	set_roots(c, roots);
	look_at_all(c);
}

int account_control_start(const struct account_control_conf *conf,
			  void (*done)(void *arg, int result, struct err *err), void *arg,
			  struct account_control **ret, struct err *err)
{
	CLEANUP(account_control_free) struct account_control *c = calloc(1, sizeof(*c));

	if (!c)
		abort();
	c->loop = conf->loop;
	c->rs = conf->resources;
	c->tokens = conf->tokens;
	c->roots = BUF_INIT(1u << 20);
	c->roots_json = BUF_INIT(4u << 20);
	map_init(&c->jobs);
	list_init(&c->waiting);
	list_init(&c->later);
	deferred_init(&c->look, c->loop, look);
	timer_init(&c->again, c->loop, on_again);
	set_roots(c, conf->roots);
	for (size_t i = 0; i < WATCHES; i++) {
		c->watches[i].c = c;
		if (watch(&c->watches[i], i, err) < 0)
			return err_ret(err);
	}
	account_tokens_set_used(c->tokens, on_used, c);
	c->done = done;
	c->arg = arg;
	look_at_all(c);
	deferred_call(&c->look);
	*ret = STEAL(c);
	return 0;
}

void account_control_stop(struct account_control *c)
{
	if (!c || c->stopped)
		return;
	c->stopped = true;
	account_tokens_set_used(c->tokens, NULL, NULL);
	for (size_t i = 0; i < WATCHES; i++)
		if (c->watches[i].on)
			cache_unwatch(&c->watches[i].w);
	timer_clear(&c->again);
}

void account_control_free(struct account_control *c)
{
	if (!c)
		return;
	account_control_stop(c);
	assert(!c->running);
	while (!list_empty(&c->waiting))
		job_free(CONTAINER_OF(c->waiting.next, struct job, link));
	while (!list_empty(&c->later))
		job_free(CONTAINER_OF(c->later.next, struct job, link));
	deferred_fini(&c->look);
	timer_fini(&c->again);
	map_fini(&c->jobs);
	buf_fini(&c->roots);
	buf_fini(&c->roots_json);
	free(c);
}
