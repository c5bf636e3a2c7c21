/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to src/db: checkpoints on a thread of their own, for a database that is written all the
 * time (db_options.steady). A checkpoint copies megabytes and syncs the file; on the writer's
 * thread each write behind it would wait.
 *
 * The log begins anew only when all of it was copied, and while commits follow each other a copy
 * beside them never has the newest. So the keeper copies in passes, each having less left to do,
 * and then tells that there is a rest, which the writer copies between two commits: some pages.
 */
#pragma once

#include "db/conn.h"

#include <pthread.h>
#include <stdatomic.h>

struct keeper {
	struct db_conn conn; /* the thread's */
	pthread_t thread;
	bool started;
	pthread_mutex_t lock; /* guards the two behind it */
	pthread_cond_t wake;
	bool asked, closing;
	atomic_bool rest; /* the passes are over */
	atomic_uint_fast64_t passes;
};

/* k->conn is open. */
int keeper_start(struct keeper *k, size_t stack, struct err *err);
/* Any thread: the log is to be copied. */
void keeper_ask(struct keeper *k);
/* True once behind the passes that were asked for. */
bool keeper_has_rest(struct keeper *k);
void keeper_stop(struct keeper *k); /* harmless if it was not started; conn stays open */
