/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to src/image: what a pull and a push have in common. The name and its registry, progress,
 * cancellation, the run on a pool, and jobs side by side of which the first failure ends all.
 */
#pragma once

#include "base/work.h"
#include "image/pull.h"

#include <pthread.h>
#include <stdatomic.h>

/* Where the progress goes. Any thread. */
struct teller {
	image_transfer_fn *fn; /* NULL = nowhere */
	void *ctx;
	struct loop *loop; /* NULL = called at once, one at a time */
	pthread_mutex_t lock;
};
void teller_tell(struct teller *te, const struct image_transfer *t);
void teller_say(struct teller *te, const char *id, const char *status);

struct transfer {
	struct image_store *is;
	struct arena *arena; /* options */
	struct image_name name;
	char host[256];
	const char *repo;
	struct remote *remote;
	struct teller teller;
	atomic_bool cancel;
	/* Asynchronous run. */
	struct work work;
	int (*run)(struct transfer *t, struct err *err);
	image_done_fn *done;
	void *done_ctx;
	int result;
	struct err err;
	bool running;
};

/* `what` names the arena. fini may follow at once. */
void transfer_init(struct transfer *t, struct image_store *is, const char *what,
		   image_transfer_fn *progress, void *ctx);
void transfer_fini(struct transfer *t); /* not while running */
/* Name, host and repository; a name without a tag means "latest" unless all_tags, which refuses
 * one. */
int transfer_name(struct transfer *t, const char *ref, bool all_tags, struct err *err);
int transfer_open(struct transfer *t, const struct image_remotes *remotes,
		  const struct remote_auth *auth, struct err *err);
/* run by this thread, or on a worker with done() on the loop. */
int transfer_run(struct transfer *t, struct err *err);
int transfer_start(struct transfer *t, struct work_pool *pool, image_done_fn *done, void *ctx,
		   struct err *err);

/* Jobs 0 .. n - 1 in order, some side by side; 0 = TRANSFER_PARALLEL. The first failure is the
 * result: no further job begins, and those that run are cancelled. */
#define TRANSFER_PARALLEL 3
typedef int transfer_job_fn(void *ctx, size_t i, struct err *err);
int transfer_each(struct transfer *t, size_t n, unsigned parallel, transfer_job_fn *fn, void *ctx,
		  struct err *err);
