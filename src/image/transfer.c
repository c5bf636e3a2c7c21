/* SPDX-License-Identifier: Apache-2.0 */
#include "image/transfer.h"

#include "base/arena.h"
#include "base/err.h"
#include "image/private.h"

#include <assert.h>

#define PARALLEL_MAX 16

/* ---- life ---- */

void transfer_init(struct transfer *t, struct image_store *is, const char *what,
		   image_transfer_fn *progress, void *ctx)
{
	t->is = is;
	t->arena = arena_new(what, 4u << 20);
	pthread_mutex_init(&t->teller.lock, NULL);
	t->teller.fn = progress;
	t->teller.ctx = ctx;
}

void transfer_fini(struct transfer *t)
{
	assert(!t->running);
	remote_free(t->remote);
	pthread_mutex_destroy(&t->teller.lock);
	arena_free(t->arena);
}

int transfer_name(struct transfer *t, const char *ref, bool all_tags, struct err *err)
{
	int r = image_name_parse(ref ? ref : "", &t->name, err);

	if (r < 0)
		return r;
	if (all_tags && (t->name.tag[0] || t->name.digest[0]))
		return err_set(err, ERR_BAD_REQUEST,
			       "tag can't be used with --all-tags/-a: '%.200s'", ref);
	if (!all_tags)
		image_name_default_tag(&t->name);
	image_name_split(&t->name, t->host, &t->repo);
	return 0;
}

int transfer_open(struct transfer *t, const struct image_remotes *remotes,
		  const struct remote_auth *auth, struct err *err)
{
	const struct image_remote_use use = { .auth = auth,
					      .program = image_store_helper(t->is),
					      .cancel = &t->cancel };
	int r = image_remotes_open(remotes, t->host, &use, &t->remote, err);

	return r >= 0 && arena_exceeded(t->arena) ? arena_quota(t->arena, err) : r;
}

/* ---- running ---- */

int transfer_run(struct transfer *t, struct err *err)
{
	int r;

	t->running = true;
	r = t->run(t, err);
	t->running = false;
	return r;
}

static void on_work(struct work *w)
{
	struct transfer *t = CONTAINER_OF(w, struct transfer, work);

	t->result = t->run(t, &t->err);
}

static void on_done(struct work *w)
{
	struct transfer *t = CONTAINER_OF(w, struct transfer, work);

	t->running = false;
	image_cache_clear(t->is); /* an image that was here may have another manifest now */
	t->done(t->done_ctx, t->result, &t->err);
}

int transfer_start(struct transfer *t, struct work_pool *pool, image_done_fn *done, void *ctx,
		   struct err *err)
{
	int r;

	t->done = done;
	t->done_ctx = ctx;
	t->teller.loop = t->is->o.loop;
	t->running = true;
	r = work_submit(pool, &t->work, on_work, on_done, err);
	if (r < 0)
		t->running = false;
	return r;
}

/* ---- jobs side by side ---- */

struct crew {
	struct transfer *t;
	transfer_job_fn *fn;
	void *ctx;
	size_t n;
	pthread_mutex_t lock; /* of what follows */
	size_t next;
	struct err failure; /* the first */
};

static bool take(struct crew *c, size_t *ret)
{
	bool more;

	pthread_mutex_lock(&c->lock);
	more = !c->failure.code && c->next < c->n;
	if (more)
		*ret = c->next++;
	pthread_mutex_unlock(&c->lock);
	return more;
}

static void *crew_main(void *arg)
{
	struct crew *c = arg;
	size_t i;

	while (take(c, &i)) {
		struct err err = ERR_INIT;

		if (c->fn(c->ctx, i, &err) >= 0)
			continue;
		pthread_mutex_lock(&c->lock);
		if (!c->failure.code)
			c->failure = err;
		pthread_mutex_unlock(&c->lock);
		atomic_store(&c->t->cancel, true);
	}
	return NULL;
}

int transfer_each(struct transfer *t, size_t n, unsigned parallel, transfer_job_fn *fn, void *ctx,
		  struct err *err)
{
	struct crew c = { .t = t, .fn = fn, .ctx = ctx, .n = n, .failure = ERR_INIT };
	size_t most = MIN(parallel ? parallel : TRANSFER_PARALLEL, PARALLEL_MAX);
	pthread_t threads[PARALLEL_MAX];
	unsigned begun = 0;

	pthread_mutex_init(&c.lock, NULL);
	/* This thread is one of them, so it goes on when no other can be started. */
	while (begun + 1 < MIN(most, n) &&
	       pthread_create(&threads[begun], NULL, crew_main, &c) == 0)
		begun++;
	crew_main(&c);
	while (begun)
		pthread_join(threads[--begun], NULL);
	pthread_mutex_destroy(&c.lock);
	if (!c.failure.code)
		return 0;
	*err = c.failure;
	return err_ret(err);
}
