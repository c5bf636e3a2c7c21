/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Follows objects and writes what comes of them: a queue of keys that are to be done, each in it
 * once; some at a time, a bounded number in one turn of the loop. What failed is done again, each
 * time later.
 *
 *	change()  an object came, changed or went: own_follow_add() of what may have to be done
 *	run()     a key's turn: looks at all as it is now, and begins one write at most
 *
 * A key that is added while it is being done is done once more. All on the loop's thread.
 */
#pragma once

#include "apiserver/strategy/own.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/loop.h"
#include "base/map.h"

struct own_follow;

#define OWN_SOURCES_MAX 4
#define OWN_RETRY_MIN NS_PER_SEC
#define OWN_RETRY_MAX (64 * NS_PER_SEC)
#define OWN_TURN_MAX 16 /* run() in one turn of the loop */

/* Objects that are followed. What is there at the start is told as CACHE_ADDED, and again when
 * changes were missed, unless own_follow.all tells otherwise. */
struct own_source {
	const char *group, *resource;
	void (*change)(struct own_follow *f, enum cache_change what, struct item *i);
	const struct selector *fields; /* NULL: all objects */
	bool optional;		       /* it need not be served */
};

enum own_next {
	OWN_DONE,
	OWN_WRITES, /* own_task_put was called; it may have ended: the task is not to be touched */
	OWN_LATER,  /* not yet: once more after OWN_RETRY_MIN */
};

/* A key that is being done. */
struct own_task {
	struct own_follow *f;
	struct arena *a;    /* of this time */
	struct own_put put; /* but rs, done and arg: to be filled in by run(); arg is the task */
	struct list link;   /* from here on private */
	struct timer later;
	unsigned failures;
	bool running, again;
	char key[];
};

/* Embedded in its owner, which sets what is above the line. */
struct own_follow {
	struct loop *loop;
	struct resources *rs;
	const char *what; /* that is written: for the log, "roles" */
	const struct own_source *sources;
	size_t n;
	unsigned at_once; /* how many are done at a time; 0: one */
	/* enum own_next, or negative with err. */
	int (*run)(struct own_task *t, struct err *err);
	void (*all)(struct own_follow *f);  /* instead of telling each object; NULL: none */
	void (*rest)(struct own_follow *f); /* nothing waits for its turn; NULL: none */
	void (*end)(struct own_follow *f);  /* after own_follow_stop: the owner may be freed */
	/* ---- private ---- */
	struct own_watch {
		struct cache_watch watch;
		struct own_follow *f;
		const struct own_source *source;
		struct cache *cache; /* NULL: it is not served */
		bool on;
	} watches[OWN_SOURCES_MAX];
	struct map tasks;
	struct list todo;
	struct deferred look;
	struct timer rewatch;
	unsigned running;
	bool stopped;
};

/* After world_start is done. A failure leaves nothing behind, end() is not called. */
int own_follow_start(struct own_follow *f, struct err *err);
/* Before world_free. end() is called once: within it, or when the writes under way are over. */
void own_follow_stop(struct own_follow *f);
/* Nothing is done, waits, or is to be done again. */
bool own_follow_idle(const struct own_follow *f);
void own_follow_add(struct own_follow *f, struct slice key);
/* Not at once, but after OWN_RETRY_MIN; one that waits keeps its time. */
void own_follow_add_later(struct own_follow *f, struct slice key);
/* What all() may use: tells each object of every source. */
void own_follow_tell(struct own_follow *f);
void own_task_put(struct own_task *t);
