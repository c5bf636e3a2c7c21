/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pulls are gathered in a small table and written once a minute, or when it is full: a manifest
 * that is asked for a hundred thousand times a second costs one row a minute.
 */
#include "registry/upkeep.h"

#include "base/hash.h"
#include "doc/json.h"
#include "registry/jobs.h"
#include "registry/private.h"

#include <stdlib.h>
#include <string.h>

#define PULLS 128 /* a power of two */
#define PAGE 32
#define REPORT_MAX (64u << 20)
#define FIRST_RETENTION (60 * NS_PER_SEC)
#define TELL_PAGE 1000
#define TELL_PAGES 10 /* in one go; the rest at the next tick */

struct retention {
	struct work work;
	struct upkeep *u;
	struct policy *p;
	struct arena *arena;
	struct content_retain job;
	struct stream *asked; /* NULL = by the clock */
	int64_t now;
	struct err err;
};

struct report {
	struct work work;
	struct upkeep *u;
	struct policy *p;
	struct arena *arena;
	const char *pattern; /* NULL = all */
	struct stream *asked;
	struct doc *d;
	struct err err;
};

struct upkeep {
	struct registry *g;
	struct watcher watcher;
	struct content_pull *pulls[PULLS];
	size_t pulls_n;
	struct retention *run; /* the one that goes on */
	int64_t next;
	int64_t told; /* mark of the last dropped thing that was */
};

/* ---- pulls ---- */

void upkeep_flush(struct upkeep *u)
{
	struct content_pull *v;
	size_t n = 0;

	if (!u->pulls_n)
		return;
	v = calloc(u->pulls_n, sizeof(*v));
	if (!v)
		abort();
	for (size_t i = 0; i < PULLS; i++) {
		if (!u->pulls[i])
			continue;
		v[n++] = *u->pulls[i];
		free(STEAL(u->pulls[i]));
	}
	u->pulls_n = 0;
	content_note_pulls(u->g->store, v, n);
}

static void note_pull(struct upkeep *u, const struct event *e)
{
	size_t at =
		(hash_bytes(e->repo, strlen(e->repo)) ^ hash_bytes(e->ref, strlen(e->ref))) % PULLS;
	struct content_pull *p = u->pulls[at];

	if (p && (strcmp(p->repo, e->repo) != 0 || strcmp(p->ref, e->ref) != 0 ||
		  strcmp(p->digest, e->digest) != 0)) {
		upkeep_flush(u);
		p = NULL;
	}
	if (!p) {
		p = calloc(1, sizeof(*p));
		if (!p)
			abort();
		(void)str_copy(p->repo, sizeof(p->repo), e->repo);
		(void)str_copy(p->ref, sizeof(p->ref), e->ref);
		(void)str_copy(p->digest, sizeof(p->digest), e->digest);
		u->pulls[at] = p;
		u->pulls_n++;
	}
	p->when = e->when;
}

static void on_event(struct watcher *w, const struct event *e)
{
	struct upkeep *u = CONTAINER_OF(w, struct upkeep, watcher);

	if (e->kind == EVENT_PULL && e->digest && strcmp(e->object, "manifest") == 0)
		note_pull(u, e);
}

/* ---- answers ---- */

static void reply(struct stream *s, int status, const struct doc *d, const struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(REPORT_MAX);

	if (err)
		(void)stream_replyf(s, status, "text/plain", "%s\n", err->msg);
	else if (json_write(d, NULL, &b, NULL) < 0)
		(void)stream_replyf(s, 500, "text/plain", "the report is too long\n");
	else
		(void)stream_reply(s, status, "application/json", b.p, b.n);
}

/* ---- retention ---- */

static void choose(void *ctx, const char *repo, struct content_tag *v, size_t n)
{
	const struct retention *t = ctx;

	bounds_choose(t->p, t->now, repo, v, n);
}

static void run_retention(struct work *w)
{
	struct retention *t = CONTAINER_OF(w, struct retention, work);

	(void)content_retain(t->u->g->store, &t->job, &t->err); /* told by retention_done */
}

static struct doc *describe(struct retention *t)
{
	struct doc *d = doc_new_object(t->arena), *list;

	doc_set_bool(t->arena, d, "dryRun", t->job.dry_run);
	doc_set_uint(t->arena, d, "tags", t->job.tags);
	doc_set_uint(t->arena, d, "manifests", t->job.manifests);
	list = doc_set_array(t->arena, d, "dropped");
	for (size_t i = 0; i < t->job.n; i++) {
		struct doc *e = doc_append_object(t->arena, list);

		doc_set_str(t->arena, e, "repository", t->job.v[i].repo);
		if (t->job.v[i].tag)
			doc_set_str(t->arena, e, "tag", t->job.v[i].tag);
		doc_set_str(t->arena, e, "digest", t->job.v[i].digest);
	}
	doc_set_bool(t->arena, d, "more", t->job.tags + t->job.manifests > t->job.n);
	return d;
}

/* ---- what retention dropped is told, also when its process died ---- */

/* The notes may go when the events are durable. */
struct telling {
	struct image_store *store;
	int64_t last;
};

static void told(void *ctx, int result, const struct err *err)
{
	struct telling *t = ctx;

	if (result >= 0) /* else the next start tells it again */
		content_dropped_forget(t->store, t->last);
	else
		log_kv(LOG_LEVEL_WARN, "deletes by retention are not kept for others", "error",
		       err->msg, NULL);
	free(t);
}

static void tell_one(struct registry *g, const struct content_dropped *v)
{
	const struct event e = { .kind = EVENT_DELETE,
				 .object = "manifest",
				 .repo = v->repo,
				 .ref = v->tag ? v->tag : v->digest,
				 .digest = v->digest,
				 .peer = "",
				 .agent = "",
				 .when = v->at };

	audit_note(g->audit, "retention", "delete", v->repo, e.ref, v->digest);
	events_tell(g, &e);
}

/* 1 = there may be more. */
static int tell_page(struct upkeep *u, struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("dropped", REPORT_MAX);
	struct content_dropped *v = ARENA_ARRAY(a, struct content_dropped, TELL_PAGE);
	size_t n;

	if (!v)
		return arena_quota(a, err);
	if (content_dropped_list(u->g->store, u->told, a, v, TELL_PAGE, &n, &u->told, err) < 0)
		return err_ret(err);
	for (size_t i = 0; i < n; i++)
		tell_one(u->g, &v[i]);
	return n == TELL_PAGE;
}

static void tell_dropped(struct upkeep *u)
{
	struct telling *t = calloc(1, sizeof(*t));
	struct err err = ERR_INIT;
	int64_t was = u->told;
	int r = 1;

	if (!t)
		abort();
	for (int i = 0; i < TELL_PAGES && r > 0; i++)
		r = tell_page(u, &err);
	if (r < 0)
		log_kv(LOG_LEVEL_ERROR, "deletes by retention are not told", "error", err.msg,
		       NULL);
	*t = (struct telling){ u->g->store, u->told };
	if (u->told == was)
		free(t);
	else if (u->g->hooks)
		jobs_then(u->g->hooks->jobs, told, t);
	else
		told(t, 0, NULL);
}

static void retention_free(struct retention *t)
{
	policy_unref(t->p);
	arena_free(t->arena);
	free(t);
}

static void retention_done(struct work *w)
{
	struct retention *t = CONTAINER_OF(w, struct retention, work);
	char n[32];

	t->u->run = NULL;
	(void)snprintf(n, sizeof(n), "%llu", (unsigned long long)t->job.tags);
	if (t->err.code)
		log_kv(LOG_LEVEL_ERROR, "retention failed", "error", t->err.msg, NULL);
	else if (!t->job.dry_run && (t->job.tags || t->job.manifests))
		log_kv(LOG_LEVEL_INFO, "retention removed tags", "number", n, NULL);
	if (!t->job.dry_run) { /* also of a run that failed half-way */
		tell_dropped(t->u);
		count(t->u->g, COUNT_DELETED, "retention",
		      (double)(t->job.tags + t->job.manifests));
		cache_clear(t->u->g->cache);
	}
	if (t->asked) {
		reply(t->asked, t->err.code ? 500 : 200, describe(t), t->err.code ? &t->err : NULL);
		stream_unref(t->asked);
	}
	retention_free(t);
}

/* asked NULL = by the clock. */
static int begin_retention(struct upkeep *u, struct stream *asked, bool dry_run, struct err *err)
{
	struct retention *t = calloc(1, sizeof(*t));

	if (!t)
		abort();
	upkeep_flush(u);
	t->u = u;
	t->p = policy_ref(auth_policy(u->g->auth));
	t->arena = arena_new("retention", REPORT_MAX);
	t->now = clock_real();
	t->job = (struct content_retain){
		.choose = choose, .ctx = t, .dry_run = dry_run, .arena = t->arena
	};
	if (work_submit(u->g->pool, &t->work, run_retention, retention_done, err) < 0) {
		retention_free(t);
		return err_ret(err);
	}
	u->run = t;
	t->asked = asked ? stream_ref(asked) : NULL;
	return 0;
}

void upkeep_retain(struct upkeep *u, struct stream *s, bool dry_run)
{
	struct err err = ERR_INIT;

	if (u->run)
		(void)stream_replyf(s, 409, "text/plain", "a retention run goes on already\n");
	else if (!auth_policy(u->g->auth)->retention.n)
		(void)stream_replyf(s, 404, "text/plain",
				    "the configuration has no retention rules\n");
	else if (u->g->conf.read_only && !dry_run)
		(void)stream_replyf(s, 409, "text/plain", "the registry is read-only\n");
	else if (begin_retention(u, s, dry_run, &err) < 0)
		reply(s, 503, NULL, &err);
}

/* ---- use ---- */

static void put_time(struct arena *a, struct doc *d, const char *key, int64_t ns)
{
	char text[CLOCK_TEXT_MAX];

	if (ns)
		doc_set_str(a, d, key, clock_rfc3339nano(text, ns / NS_PER_SEC * NS_PER_SEC));
}

static void put_quotas(struct report *t, struct doc *e, const char *repo)
{
	struct content_limit v[BOUNDS_MAX];
	struct content_limits lim = bounds_of(t->p, repo, v);
	struct doc *list = lim.n ? doc_set_array(t->arena, e, "quotas") : NULL;

	for (size_t i = 0; i < lim.n; i++) {
		struct doc *q = doc_append_object(t->arena, list);

		if (v[i].prefix)
			doc_set_str(t->arena, q, "prefix", v[i].prefix);
		if (v[i].bytes >= 0)
			doc_set_int(t->arena, q, "bytes", v[i].bytes);
		if (v[i].manifests >= 0)
			doc_set_int(t->arena, q, "manifests", v[i].manifests);
		if (v[i].tags >= 0)
			doc_set_int(t->arena, q, "tags", v[i].tags);
	}
}

static void put_counts(struct arena *a, struct doc *e, const struct content_usage *v)
{
	doc_set_int(a, e, "tags", v->tags);
	doc_set_int(a, e, "manifests", v->manifests);
	doc_set_int(a, e, "blobs", v->blobs);
	doc_set_int(a, e, "bytes", v->bytes);
	doc_set_int(a, e, "sharedBytes", v->shared);
	doc_set_int(a, e, "ownBytes", v->bytes - v->shared);
}

static void put_repo(struct report *t, struct doc *list, const struct content_usage *v)
{
	struct doc *e = doc_append_object(t->arena, list);

	doc_set_str(t->arena, e, "repository", v->repo);
	put_counts(t->arena, e, v);
	put_time(t->arena, e, "created", v->created);
	put_time(t->arena, e, "lastPush", v->pushed);
	put_time(t->arena, e, "lastPull", v->pulled);
	put_quotas(t, e, v->repo);
}

static void run_report(struct work *w)
{
	struct report *t = CONTAINER_OF(w, struct report, work);
	struct content_usage_page page = { .max = PAGE, .arena = t->arena, .more = true };
	struct doc *list, *total;
	struct content_usage all = { 0 };
	int64_t repos = 0;

	t->d = doc_new_object(t->arena);
	list = doc_set_array(t->arena, t->d, "repositories");
	while (page.more && content_usage(t->u->g->store, &page, &t->err) >= 0) {
		for (size_t i = 0; i < page.n; i++) {
			const struct content_usage *v = &page.v[i];

			if (t->pattern && !glob_match(t->pattern, v->repo))
				continue;
			put_repo(t, list, v);
			repos++;
			all.tags += v->tags;
			all.manifests += v->manifests;
			all.blobs += v->blobs;
			all.bytes += v->bytes;
			all.shared += v->shared;
		}
		if (page.n)
			page.after = page.v[page.n - 1].repo;
	}
	total = doc_set_object(t->arena, t->d, "total");
	doc_set_int(t->arena, total, "repositories", repos);
	put_counts(t->arena, total, &all);
	if (!t->err.code && arena_exceeded(t->arena))
		(void)arena_quota(t->arena, &t->err);
}

static void report_done(struct work *w)
{
	struct report *t = CONTAINER_OF(w, struct report, work);

	reply(t->asked, t->err.code ? 500 : 200, t->d, t->err.code ? &t->err : NULL);
	stream_unref(t->asked);
	policy_unref(t->p);
	arena_free(t->arena);
	free(t);
}

void upkeep_usage(struct upkeep *u, struct stream *s, const char *pattern)
{
	struct report *t = calloc(1, sizeof(*t));
	struct err err = ERR_INIT;

	if (!t)
		abort();
	upkeep_flush(u);
	t->u = u;
	t->p = policy_ref(auth_policy(u->g->auth));
	t->arena = arena_new("usage", REPORT_MAX);
	t->pattern = pattern ? arena_strdup(t->arena, pattern) : NULL;
	t->asked = stream_ref(s);
	if (work_submit(u->g->pool, &t->work, run_report, report_done, &err) < 0) {
		t->err = err;
		report_done(&t->work);
	}
}

/* ---- life ---- */

struct upkeep *upkeep_new(struct registry *g)
{
	struct upkeep *u = calloc(1, sizeof(*u));

	if (!u)
		abort();
	u->g = g;
	u->next = clock_mono() + FIRST_RETENTION;
	u->watcher.event = on_event;
	events_watch(g, &u->watcher);
	tell_dropped(u); /* of a process that died */
	return u;
}

void upkeep_tick(struct upkeep *u)
{
	const struct policy *p = auth_policy(u->g->auth);
	struct err err = ERR_INIT;
	int64_t now = clock_mono();

	upkeep_flush(u);
	tell_dropped(u);
	auth_tick(u->g->auth);
	if (!p->retention.n || u->run || u->g->conf.read_only || now < u->next)
		return;
	u->next = now + p->retention_every;
	if (begin_retention(u, NULL, false, &err) < 0)
		u->next = now; /* busy: at the next tick */
}

void upkeep_free(struct upkeep *u)
{
	if (!u)
		return;
	events_unwatch(&u->watcher);
	upkeep_flush(u);
	free(u);
}
