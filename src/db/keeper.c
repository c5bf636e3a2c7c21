/* SPDX-License-Identifier: Apache-2.0 */
/* Checkpoints beside the writer. */
#include "db/keeper.h"

#include <signal.h>

#define PASSES_MAX 4
#define REST_MAX 64 /* pages that are not worth another pass */

/* Best effort: who is in the way (another process, a reader) only leaves more for the next time. */
static void run_passes(struct keeper *k)
{
	int done = 0;

	for (int i = 0; i < PASSES_MAX; i++) {
		int pages = 0, copied = 0;
		int rc = sqlite3_wal_checkpoint_v2(k->conn.sq, NULL, SQLITE_CHECKPOINT_PASSIVE,
						   &pages, &copied);

		if (rc != SQLITE_OK)
			break;
		atomic_fetch_add(&k->passes, 1);
		if (copied - done <= REST_MAX)
			break;
		done = copied;
	}
	sqlite3_db_release_memory(k->conn.sq);
	atomic_store(&k->rest, true);
}

static void *keeper_main(void *arg)
{
	struct keeper *k = arg;

	pthread_mutex_lock(&k->lock);
	for (;;) {
		while (!k->asked && !k->closing)
			pthread_cond_wait(&k->wake, &k->lock);
		if (k->closing)
			break;
		k->asked = false;
		pthread_mutex_unlock(&k->lock);
		run_passes(k);
		pthread_mutex_lock(&k->lock);
	}
	pthread_mutex_unlock(&k->lock);
	return NULL;
}

int keeper_start(struct keeper *k, size_t stack, struct err *err)
{
	pthread_attr_t attr;
	sigset_t all, old;
	int r;

	pthread_mutex_init(&k->lock, NULL);
	pthread_cond_init(&k->wake, NULL);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, stack);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old); /* signals belong to the loop's thread */
	r = pthread_create(&k->thread, &attr, keeper_main, k);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	if (r) {
		pthread_mutex_destroy(&k->lock);
		pthread_cond_destroy(&k->wake);
		return err_sysc(err, ERR_SYSTEM, r,
				"database '%s': start the thread for checkpoints", k->conn.path);
	}
	k->started = true;
	(void)pthread_setname_np(k->thread, "db-keeper");
	return 0;
}

void keeper_ask(struct keeper *k)
{
	pthread_mutex_lock(&k->lock);
	k->asked = true;
	pthread_mutex_unlock(&k->lock);
	pthread_cond_signal(&k->wake);
}

bool keeper_has_rest(struct keeper *k)
{
	return atomic_load_explicit(&k->rest, memory_order_relaxed) &&
	       atomic_exchange(&k->rest, false);
}

void keeper_stop(struct keeper *k)
{
	if (!k->started)
		return;
	pthread_mutex_lock(&k->lock);
	k->closing = true;
	pthread_mutex_unlock(&k->lock);
	pthread_cond_signal(&k->wake);
	pthread_join(k->thread, NULL);
	pthread_mutex_destroy(&k->lock);
	pthread_cond_destroy(&k->wake);
	k->started = false;
}
