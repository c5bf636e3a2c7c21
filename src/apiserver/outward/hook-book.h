/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A webhook of a kubeconfig (hook-conf.h) that answers questions: each is asked once at a time,
 * however many wait for it, and its answer is kept for a while.
 *
 * A question is tried again when the connection or the server fails, at most five times within the
 * time limit, after a pause that grows by half each time. What an answer means is its owner's to
 * say, who reads it and keeps a code and a text.
 */
#pragma once

#include "apiserver/outward/hook-conf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/list.h"

#include <stdint.h>

struct err;
struct hook_book;
struct loop;
struct resolver;

enum {
	HOOK_NO_ANSWER = -1,
	HOOK_ENDED = -2, /* the book was freed: it may be asked of another one */
};
struct hook_answer {
	int code;	  /* the owner's, or one of the above */
	const char *text; /* the owner's, or that there is none */
	/* Of HOOK_NO_ANSWER: what went wrong, for those who may know where it is; else NULL. */
	const char *why;
};

#define HOOK_BACK_OFF (500 * NS_PER_MS)

struct hook_book_make {
	struct loop *loop;
	const char *name;	    /* in errors; copied */
	const struct hook_conf *to; /* copied; tls is referenced, files are borrowed */
	struct resolver *resolver;
	int64_t timeout;  /* ns, of all attempts together */
	int64_t back_off; /* ns, the first pause; 0: none */
	/* What a body says: code from 0, text, and for how long (ns; 0: not) that is kept.
	 * -ERR_INVALID: it is no answer. */
	int (*read)(void *arg, struct slice body, struct buf *text, int64_t *ret_keep,
		    struct err *err);
	/* A question ended by "success", "error", "timeout" or "canceled", after ns. NULL: nobody
	 * counts. */
	void (*ended)(void *arg, const char *how, int64_t took);
	void *arg;
};
int hook_book_new(const struct hook_book_make *m, struct hook_book **ret, struct err *err);
/* Who waits is told HOOK_ENDED. NULL is fine. */
void hook_book_free(struct hook_book *b);
DEFINE_CLEANUP(struct hook_book *, hook_book_free)

#define HOOK_KEY_MAX 10000 /* bytes of a key whose answer is kept */

/* What is kept: until the next call; NULL: nothing. */
const struct hook_answer *hook_book_find(struct hook_book *b, const char *key);

struct hook_wait {
	void (*done)(struct hook_wait *w, const struct hook_answer *a); /* once */
	struct list link;
};
/* body: JSON, copied, and wiped afterwards. done may run within the call. */
void hook_book_ask(struct hook_book *b, const char *key, struct slice body, struct hook_wait *w);
void hook_unwait(struct hook_wait *w); /* done does not run; idempotent */
