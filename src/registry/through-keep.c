/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the cache holds: when a thing was last wanted is gathered in memory and written once in a
 * while (losing some of it does no harm), and what was not wanted for longest goes when there is
 * too much, or after its age. Its bytes are freed by the collection that follows.
 */
#include "base/hash.h"
#include "db/db.h"
#include "registry/hooks.h"
#include "registry/jobs.h"
#include "registry/private.h"
#include "registry/through.h"

#include <stdio.h>
#include <string.h>

#define TOUCHED_MAX 4096
#define BATCH 64

struct touched {
	struct touched *next;
	int64_t used;
	uint64_t size;
	char *repo, *digest;
	char key[]; /* "repo\ndigest", then the two */
};

struct keep {
	struct map map; /* of touched */
	bool running;	/* a flush, or what goes */
	unsigned out;	/* things taken out since the last collection */
	int64_t total;	/* bytes, as of the last flush, and what came since */
	struct db_job job;
	struct touched *flushed;
	struct hooks *h;
	struct keep_victim v[BATCH];
	size_t n, i;
};

static struct keep *keep_of(struct hooks *h)
{
	if (!h->keep) {
		h->keep = calloc(1, sizeof(*h->keep));
		if (!h->keep)
			abort();
		h->keep->h = h;
		map_init(&h->keep->map);
	}
	return h->keep;
}

static struct touched *touched_new(const char *repo, const char *digest)
{
	size_t r = strlen(repo), d = strlen(digest);
	struct touched *t = calloc(1, sizeof(*t) + 2 * (r + d + 2));

	if (!t)
		abort();
	(void)snprintf(t->key, r + d + 2, "%s\n%s", repo, digest);
	t->repo = t->key + r + d + 2;
	t->digest = t->repo + r + 1;
	memcpy(t->repo, repo, r);
	memcpy(t->digest, digest, d);
	return t;
}

void keep_touch(struct hooks *h, const char *repo, const char *digest, uint64_t size)
{
	struct keep *k = keep_of(h);
	char key[CONTENT_NAME_MAX + IMAGE_DIGEST_MAX + 8];
	struct touched *t;

	if (!h->through || !through_of(h->through, repo))
		return; /* replication's */
	(void)snprintf(key, sizeof(key), "%s\n%s", repo, digest);
	t = map_get(&k->map, slice_str(key));
	if (!t) {
		t = touched_new(repo, digest);
		(void)map_put(&k->map, slice_str(t->key), t);
	}
	t->used = clock_real();
	if (size > t->size) {
		k->total += (int64_t)(size - t->size);
		t->size = size;
	}
	if (map_count(&k->map) > TOUCHED_MAX ||
	    (h->conf->cache_size && k->total > h->conf->cache_size))
		keep_tick(h);
}

/* ---- writing ---- */

static int run_flush(struct db_job *j, struct db_conn *c, struct err *err)
{
	struct keep *k = CONTAINER_OF(j, struct keep, job);
	int r = 0;

	for (struct touched *t = k->flushed; t && r >= 0; t = t->next)
		r = db_exec(c, err,
			    "INSERT INTO kept VALUES (?, ?, ?, ?) ON CONFLICT(repo, digest) DO"
			    " UPDATE SET used = excluded.used, size = max(size, excluded.size)",
			    "ttii", t->repo, t->digest, (int64_t)t->size, t->used);
	return r;
}

static void free_list(struct touched *t)
{
	while (t) {
		struct touched *next = t->next;

		free(t);
		t = next;
	}
}

static struct touched *take_all(struct keep *k)
{
	struct touched *t, *list = NULL;

	for (size_t i = 0; (t = map_next(&k->map, &i, NULL));) {
		t->next = list;
		list = t;
	}
	map_fini(&k->map);
	map_init(&k->map);
	return list;
}

/* ---- what goes ---- */

static void pick(struct keep *k);

static int run_forget(struct db_job *j, struct db_conn *c, struct err *err)
{
	struct keep *k = CONTAINER_OF(j, struct keep, job);
	int r = 0;

	for (size_t i = 0; i < k->n && r >= 0; i++)
		r = db_exec(c, err, "DELETE FROM kept WHERE repo = ? AND digest = ?", "tt",
			    k->v[i].repo, k->v[i].digest);
	return r;
}

static void forgotten(struct db_job *j)
{
	struct keep *k = CONTAINER_OF(j, struct keep, job);

	if (j->result < 0 || atomic_load(&k->h->ending))
		k->running = false;
	else
		pick(k);
}

static void evict_next(struct keep *k);

static void evicted(void *ctx, const struct content_change *ch, int result, const struct err *err)
{
	struct keep *k = ctx;

	(void)ch;
	(void)err; /* it is gone already */
	k->out += result >= 0;
	k->i++;
	evict_next(k);
}

static void evict_next(struct keep *k)
{
	if (k->i < k->n && !atomic_load(&k->h->ending)) {
		content_evict(k->h->g->store, k->v[k->i].repo, k->v[k->i].digest, evicted, k);
		return;
	}
	k->n = k->i;
	cache_clear(k->h->g->cache);
	if (atomic_load(&k->h->ending)) { /* the rows are found again: what they name is gone */
		k->running = false;
		return;
	}
	k->job = (struct db_job){ .run = run_forget, .done = forgotten };
	db_write(jobs_db(k->h->jobs), &k->job);
}

int keep_choose(struct db_conn *c, int64_t over, int64_t before, struct keep_victim *v, size_t max,
		size_t *ret_n, struct err *err)
{
	CLEANUP(db_row_done) struct db_row *row = NULL;
	int r = db_query(c, &row, err,
			 "SELECT repo, digest, size, used FROM kept ORDER BY used LIMIT ?", "i",
			 (int64_t)max);
	size_t n = 0;

	while (r >= 0 && n < max && (r = db_row_next(row, err)) > 0) {
		const char *repo, *digest;
		int64_t size, used;

		db_row_get(row, "ttii", &repo, &digest, &size, &used);
		if (over <= 0 && used >= before)
			break;
		over -= size;
		(void)str_copy(v[n].repo, sizeof(v[n].repo), repo);
		(void)str_copy(v[n].digest, sizeof(v[n].digest), digest);
		n++;
	}
	*ret_n = n;
	return r < 0 ? r : 0;
}

static void pick(struct keep *k)
{
	const struct hooks_conf *c = k->h->conf;
	int64_t sum = 0, before = c->cache_age ? clock_real() - c->cache_age : 0;
	struct err err = ERR_INIT;
	int r = db_query_int(db_reader(jobs_db(k->h->jobs)), &sum, &err,
			     "SELECT sum(size) FROM kept", "");

	k->total = sum;
	k->n = k->i = 0;
	if (r >= 0 && (c->cache_size || c->cache_age))
		r = keep_choose(db_reader(jobs_db(k->h->jobs)),
				c->cache_size ? sum - c->cache_size : 0, before, k->v, BATCH, &k->n,
				&err);
	if (r < 0)
		log_kv(LOG_LEVEL_ERROR, "the cache's list is not readable", "error", err.msg, NULL);
	if (r >= 0 && k->n) {
		evict_next(k);
		return;
	}
	k->running = false;
	if (k->out)
		gc_now(k->h->g);
	k->out = 0;
}

static void flush_done(struct db_job *j)
{
	struct keep *k = CONTAINER_OF(j, struct keep, job);

	free_list(k->flushed);
	k->flushed = NULL;
	if (j->result < 0 || atomic_load(&k->h->ending))
		k->running = false;
	else
		pick(k);
}

void keep_tick(struct hooks *h)
{
	struct keep *k = keep_of(h);

	if (k->running || atomic_load(&h->ending))
		return;
	k->running = true;
	k->flushed = take_all(k);
	k->job = (struct db_job){ .run = run_flush, .done = flush_done };
	db_write(jobs_db(h->jobs), &k->job);
}

void keep_end(struct hooks *h)
{
	struct keep *k = h->keep;

	if (!k || k->running || !h->jobs)
		return;
	k->running = true;
	k->flushed = take_all(k);
	k->job = (struct db_job){ .run = run_flush, .done = flush_done };
	db_write(jobs_db(h->jobs), &k->job);
}

void keep_free(struct hooks *h)
{
	if (!h->keep)
		return;
	free_list(h->keep->flushed);
	free_list(take_all(h->keep));
	map_fini(&h->keep->map);
	free(h->keep);
	h->keep = NULL;
}

bool keep_busy(const struct hooks *h)
{
	return h->keep && h->keep->running;
}
