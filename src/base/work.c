/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Worker pool: one queue, threads started on demand up to the limit. Results travel by loop_post,
 * so done() never runs beside the loop's handlers. The lock guards queue and counts only; no job
 * runs under it.
 */
#include "base/work.h"

#include "base/err.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>

#define STACK_BYTES (1024u * 1024)

struct work_pool {
	struct loop *loop;
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct work *head, **tail;
	size_t waiting, queue_max;
	unsigned idle, nthreads, max_threads;
	bool stopping;
	pthread_t threads[];
};

static void on_done(struct post *p)
{
	struct work *w = CONTAINER_OF(p, struct work, post);

	w->done(w);
}

static void *worker(void *arg)
{
	struct work_pool *p = arg;
	struct work *w;

	pthread_mutex_lock(&p->lock);
	for (;;) {
		while (!p->head && !p->stopping) {
			p->idle++;
			pthread_cond_wait(&p->more, &p->lock);
			p->idle--;
		}
		w = p->head;
		if (!w)
			break; /* stopping, and the queue is drained */
		p->head = w->next;
		if (!p->head)
			p->tail = &p->head;
		p->waiting--;
		pthread_mutex_unlock(&p->lock);
		w->run(w);
		loop_post(p->loop, &w->post); /* w may be gone from here on */
		pthread_mutex_lock(&p->lock);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

int work_pool_new(struct loop *l, unsigned threads, size_t queue_max, struct work_pool **ret,
		  struct err *err)
{
	struct work_pool *p;

	if (threads < 1 || threads > 1024)
		return err_set(err, ERR_INVALID, "worker pool: %u threads (1 to 1024)", threads);
	p = calloc(1, sizeof(*p) + threads * sizeof(p->threads[0]));
	if (!p)
		abort();
	p->loop = l;
	p->tail = &p->head;
	p->queue_max = queue_max;
	p->max_threads = threads;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->more, NULL);
	*ret = p;
	return 0;
}

/* With the lock held. A pool that has one thread can live without another. */
static int start_thread(struct work_pool *p, struct err *err)
{
	sigset_t all, old;
	pthread_attr_t attr;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	r = pthread_create(&p->threads[p->nthreads], &attr, worker, p);
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r == 0)
		p->nthreads++;
	else if (p->nthreads == 0)
		return err_sysc(err, ERR_UNAVAILABLE, r, "start a worker thread");
	return 0;
}

static int enqueue(struct work_pool *p, struct work *w, struct err *err)
{
	int r;

	if (p->stopping)
		return err_set(err, ERR_UNAVAILABLE, "worker pool: is being stopped");
	/* Jobs that an idle thread takes at once do not wait. */
	if (p->waiting >= p->queue_max + p->idle + (p->max_threads - p->nthreads))
		return err_set(err, ERR_UNAVAILABLE,
			       "worker pool: %zu jobs wait already; try later", p->waiting);
	if (p->waiting >= p->idle && p->nthreads < p->max_threads) {
		r = start_thread(p, err);
		if (r < 0)
			return r;
	}
	*p->tail = w;
	p->tail = &w->next;
	p->waiting++;
	pthread_cond_signal(&p->more);
	return 0;
}

int work_submit(struct work_pool *p, struct work *w, void (*run)(struct work *w),
		void (*done)(struct work *w), struct err *err)
{
	int r;

	*w = (struct work){ .pool = p, .run = run, .done = done };
	w->post.fn = on_done;
	pthread_mutex_lock(&p->lock);
	r = enqueue(p, w, err);
	pthread_mutex_unlock(&p->lock);
	return r;
}

void work_pool_free(struct work_pool *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->stopping = true;
	pthread_cond_broadcast(&p->more);
	pthread_mutex_unlock(&p->lock);
	for (unsigned i = 0; i < p->nthreads; i++)
		(void)pthread_join(p->threads[i], NULL); /* ours and joined once: cannot fail */
	/* done() of the last jobs is still on its way and may look at the pool. */
	loop_run_posts(p->loop);
	pthread_cond_destroy(&p->more);
	pthread_mutex_destroy(&p->lock);
	free(p);
}
