/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Event loop over epoll: one per process (or per I/O thread), owns the state its handlers touch.
 *
 * Sources, timers, signals and deferred calls are embedded in their owners and remove themselves by
 * their _fini; all _fini are idempotent and safe inside any handler, also one of the same dispatch
 * round (a source removed in a round gets no stale event). Handlers do bounded work and return 0; a
 * negative return ends loop_run with that value. Only loop_post may be called from another thread.
 * Order in a round: events by source priority as epoll gave them, timers that are due, deferred
 * calls. What other threads posted runs between any two events.
 */
#pragma once

#include "base/cleanup.h"
#include "base/list.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/types.h>

struct err;
struct loop;
struct source;
struct timer;

typedef int source_fn(struct source *s,
		      uint32_t events); /* EPOLLIN, EPOLLOUT, EPOLLHUP, EPOLLERR, EPOLLRDHUP */

int loop_new(struct loop **ret, struct err *err);
void loop_free(struct loop *l); /* all sources must be finished or are detached */
DEFINE_CLEANUP(struct loop *, loop_free)
/* Runs until loop_stop; returns the stop code or the negative return of a handler. */
int loop_run(struct loop *l, struct err *err);
/* One round, also for a caller with its own loop around it: waiting at most timeout_ns (-1 = for
 * ever). 1 = something ran, 0 = time-out. */
int loop_step(struct loop *l, int64_t timeout_ns, struct err *err);
void loop_stop(struct loop *l, int code);
int64_t loop_now(const struct loop *l); /* monotonic ns, taken once a round */

/* A file descriptor. The fd stays the owner's: _fini does not close it. */
struct source {
	struct loop *loop;
	source_fn *fn;
	int fd;
	uint32_t events;
	uint32_t slot; /* private */
};
#define SOURCE_INIT ((struct source){ .fd = -1 })
int source_init(struct source *s, struct loop *l, int fd, uint32_t events, source_fn *fn,
		struct err *err);
void source_fini(struct source *s);
static inline bool source_active(const struct source *s)
{
	return s->loop != NULL;
}
/* Changes what is waited for (0 = only HUP and ERR). No system call when unchanged. */
int source_set(struct source *s, uint32_t events);

/* One-shot timer. */
typedef int timer_fn(struct timer *t);
struct timer {
	struct loop *loop;
	timer_fn *fn;
	int64_t due; /* monotonic ns */
	size_t heap; /* private: index + 1, 0 = not armed */
};
void timer_init(struct timer *t, struct loop *l, timer_fn *fn);
void timer_set(struct timer *t, int64_t due_mono_ns); /* arms or moves */
void timer_set_after(struct timer *t, int64_t delay_ns);
void timer_clear(struct timer *t);
void timer_fini(struct timer *t);
static inline bool timer_armed(const struct timer *t)
{
	return t->heap != 0;
}

/* Call at the end of the current round, once. */
struct deferred {
	struct list link;
	struct loop *loop;
	void (*fn)(struct deferred *d);
};
void deferred_init(struct deferred *d, struct loop *l, void (*fn)(struct deferred *d));
void deferred_call(struct deferred *d);
void deferred_fini(struct deferred *d);

/* Signals by one signalfd per loop: blocks them in this thread (for good, also after _fini). One
 * handler per signal number. */
struct sigsource {
	struct source source;
	struct list link;
	struct loop *loop;
	int signo;
	int (*fn)(struct sigsource *s, const void *signalfd_siginfo);
};
int sigsource_init(struct sigsource *s, struct loop *l, int signo,
		   int (*fn)(struct sigsource *s, const void *signalfd_siginfo), struct err *err);
void sigsource_fini(struct sigsource *s);

/* A child by pidfd: fn runs once when it has ended, after it was reaped with waitid; status as from
 * waitpid(2). For a process that is not our child (ECHILD) status is -1. Owns the pidfd
 * once child_init has returned 0; when it fails the pidfd is still the caller's. */
struct child {
	struct source source;
	pid_t pid;
	int pidfd;
	int (*fn)(struct child *c, int status);
};
#define CHILD_INIT ((struct child){ .source = SOURCE_INIT, .pidfd = -1 })
int child_init(struct child *c, struct loop *l, int pidfd_taken, pid_t pid,
	       int (*fn)(struct child *c, int status), struct err *err);
void child_fini(struct child *c); /* does not kill or reap */

/* From any thread: fn(p) runs on the loop's thread. Order is kept per sender. */
struct post {
	struct post *next;
	void (*fn)(struct post *p);
};
void loop_post(struct loop *l, struct post *p);
/* On the loop's thread: runs now what has been posted so far. For a sender that is about to go
 * away. */
void loop_run_posts(struct loop *l);
