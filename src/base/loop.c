/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Event loop.
 *
 * Invariants:
 * (1) epoll's user data is slot number and generation, never a pointer: a source removed in a round
 * leaves a generation that no longer matches, so its events of the same round fall on the floor;
 * (2) a timer's heap index is always right, so moving and clearing are O(log n) without searching;
 * (3) an object is taken off its list or heap before its function is called: it may free itself
 * there.
 */
#include "base/loop.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441
#endif
#define WAIT_PIDFD ((idtype_t)3) /* P_PIDFD: musl 1.2.3 has no name for it */

#define EVENTS_PER_ROUND 64
#define SIGNALS_PER_ROUND 16
#define NO_SLOT UINT32_MAX

struct slot {
	struct source *source; /* NULL = free */
	uint32_t gen, next_free;
};

struct loop {
	int epfd, postfd, sigfd;
	bool no_pwait2, in_round, stop;
	int code;
	int64_t now;
	struct slot *slots;
	uint32_t nslots, free_slot;
	struct timer **heap;
	size_t nheap, heap_cap;
	struct list deferred, signals;
	struct source post_source, sig_source;
	sigset_t sigset;
	_Atomic(struct post *) posts; /* newest first */
};

static void *grow(void *p, size_t n, size_t size)
{
	p = reallocarray(p, n, size);
	if (!p)
		abort();
	return p;
}

/* ---- sources ---- */

static uint32_t slot_take(struct loop *l)
{
	uint32_t i = l->free_slot;

	if (i == NO_SLOT) {
		uint32_t more = MAX(l->nslots, 16u);

		l->slots = grow(l->slots, l->nslots + more, sizeof(*l->slots));
		for (uint32_t n = l->nslots + more; n-- > l->nslots;) {
			l->slots[n] = (struct slot){ .next_free = l->free_slot };
			l->free_slot = n;
		}
		l->nslots += more;
		i = l->free_slot;
	}
	l->free_slot = l->slots[i].next_free;
	return i;
}

static void slot_give(struct loop *l, uint32_t i)
{
	l->slots[i].source = NULL;
	l->slots[i].gen++; /* (1) */
	l->slots[i].next_free = l->free_slot;
	l->free_slot = i;
}

static int source_ctl(struct source *s, int op)
{
	struct epoll_event ev = { .events = s->events };

	ev.data.u64 = (uint64_t)s->loop->slots[s->slot].gen << 32 | s->slot;
	return epoll_ctl(s->loop->epfd, op, s->fd, &ev);
}

int source_init(struct source *s, struct loop *l, int fd, uint32_t events, source_fn *fn,
		struct err *err)
{
	*s = (struct source){ .loop = l, .fn = fn, .fd = fd, .events = events };
	s->slot = slot_take(l);
	if (source_ctl(s, EPOLL_CTL_ADD) < 0) {
		slot_give(l, s->slot);
		*s = SOURCE_INIT;
		return err_sys(err, "watch fd %d", fd);
	}
	l->slots[s->slot].source = s;
	return 0;
}

void source_fini(struct source *s)
{
	struct loop *l = s->loop;

	if (!l)
		return;
	/* Fails if the owner closed the fd already: then the kernel has forgotten it too. */
	(void)epoll_ctl(l->epfd, EPOLL_CTL_DEL, s->fd, NULL);
	slot_give(l, s->slot);
	*s = SOURCE_INIT;
}

int source_set(struct source *s, uint32_t events)
{
	uint32_t old = s->events;

	assert(s->loop);
	if (events == old)
		return 0;
	s->events = events;
	if (source_ctl(s, EPOLL_CTL_MOD) == 0)
		return 0;
	s->events = old;
	return -ERR_SYSTEM;
}

static int dispatch(struct loop *l, const struct epoll_event *ev)
{
	uint32_t i = (uint32_t)ev->data.u64, gen = (uint32_t)(ev->data.u64 >> 32), events;
	struct source *s = i < l->nslots && l->slots[i].gen == gen ? l->slots[i].source : NULL;

	if (!s)
		return 0;
	/* What the source stopped asking for earlier in this round is stale too. */
	events = ev->events & (s->events | EPOLLHUP | EPOLLERR);
	return events ? s->fn(s, events) : 0;
}

/* ---- timers: binary heap by due time ---- */

static void heap_put(struct loop *l, size_t i, struct timer *t)
{
	l->heap[i] = t;
	t->heap = i + 1;
}

/* Puts t where it belongs, starting from the hole at i. */
static void heap_sift(struct loop *l, size_t i, struct timer *t)
{
	while (i > 0 && l->heap[(i - 1) / 2]->due > t->due) {
		heap_put(l, i, l->heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	for (;;) {
		size_t kid = 2 * i + 1;

		if (kid + 1 < l->nheap && l->heap[kid + 1]->due < l->heap[kid]->due)
			kid++;
		if (kid >= l->nheap || l->heap[kid]->due >= t->due)
			break;
		heap_put(l, i, l->heap[kid]);
		i = kid;
	}
	heap_put(l, i, t);
}

void timer_init(struct timer *t, struct loop *l, timer_fn *fn)
{
	*t = (struct timer){ .loop = l, .fn = fn };
}

void timer_set(struct timer *t, int64_t due_mono_ns)
{
	struct loop *l = t->loop;

	assert(l);
	t->due = due_mono_ns;
	if (t->heap) {
		heap_sift(l, t->heap - 1, t);
		return;
	}
	if (l->nheap == l->heap_cap) {
		l->heap_cap = MAX(l->heap_cap * 2, (size_t)8);
		l->heap = grow(l->heap, l->heap_cap, sizeof(struct timer *));
	}
	l->heap[l->nheap++] = t;
	heap_sift(l, l->nheap - 1, t);
}

void timer_set_after(struct timer *t, int64_t delay_ns)
{
	/* Outside of a round the loop's time may be old. */
	int64_t now = t->loop->in_round ? t->loop->now : clock_mono(), due;

	if (__builtin_add_overflow(now, delay_ns, &due))
		due = delay_ns > 0 ? INT64_MAX : INT64_MIN;
	timer_set(t, due);
}

void timer_clear(struct timer *t)
{
	struct loop *l = t->loop;
	struct timer *last;
	size_t i;

	if (!t->heap)
		return;
	i = t->heap - 1;
	t->heap = 0;
	last = l->heap[--l->nheap];
	if (last != t)
		heap_sift(l, i, last);
}

void timer_fini(struct timer *t)
{
	timer_clear(t);
	t->loop = NULL;
}

/* At most as many as were armed at the start, so a timer that re-arms itself cannot hold the loop.
 */
static int run_timers(struct loop *l, int *ret_ran)
{
	for (size_t n = l->nheap; n && l->nheap && l->heap[0]->due <= l->now; n--) {
		struct timer *t = l->heap[0];
		int r;

		timer_clear(t); /* (3) */
		*ret_ran = 1;
		r = t->fn(t);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- deferred calls ---- */

void deferred_init(struct deferred *d, struct loop *l, void (*fn)(struct deferred *d))
{
	list_init(&d->link);
	d->loop = l;
	d->fn = fn;
}

void deferred_call(struct deferred *d)
{
	assert(d->loop);
	if (list_empty(&d->link))
		list_append(&d->loop->deferred, &d->link);
}

void deferred_fini(struct deferred *d)
{
	if (d->loop)
		list_del(&d->link);
	d->loop = NULL;
}

static void run_deferred(struct loop *l, int *ret_ran)
{
	struct list todo;

	if (list_empty(&l->deferred))
		return;
	/* What is deferred from here on belongs to the next round. */
	todo = l->deferred;
	todo.next->prev = todo.prev->next = &todo;
	list_init(&l->deferred);
	while (!list_empty(&todo)) {
		struct deferred *d = LIST_FIRST(&todo, struct deferred, link);

		list_del(&d->link); /* (3) */
		*ret_ran = 1;
		d->fn(d);
	}
}

/* ---- signals ---- */

static int on_signals(struct source *s, uint32_t events)
{
	struct loop *l = s->loop;

	for (int i = 0; i < SIGNALS_PER_ROUND && l->sigfd >= 0; i++) {
		struct signalfd_siginfo si;
		struct sigsource *g;

		if (read(l->sigfd, &si, sizeof(si)) != (ssize_t)sizeof(si))
			break;
		LIST_FOREACH (g, &l->signals, struct sigsource, link)
			if (g->signo == (int)si.ssi_signo) {
				int r = g->fn(g, &si);

				if (r < 0)
					return r;
				break;
			}
	}
	return 0;
}

static int signals_update(struct loop *l, struct err *err)
{
	int fd = signalfd(l->sigfd, &l->sigset, SFD_CLOEXEC | SFD_NONBLOCK), r;

	if (fd < 0)
		return err_sys(err, "signalfd");
	if (l->sigfd >= 0)
		return 0;
	r = source_init(&l->sig_source, l, fd, EPOLLIN, on_signals, err);
	if (r < 0)
		fd_close(fd);
	else
		l->sigfd = fd;
	return r;
}

int sigsource_init(struct sigsource *s, struct loop *l, int signo,
		   int (*fn)(struct sigsource *s, const void *signalfd_siginfo), struct err *err)
{
	sigset_t one;
	int r;

	*s = (struct sigsource){ .source = SOURCE_INIT, .signo = signo, .fn = fn };
	list_init(&s->link);
	if (sigismember(&l->sigset, signo) == 1)
		return err_set(err, ERR_EXISTS, "signal %d has a handler already", signo);
	sigemptyset(&one);
	if (sigaddset(&one, signo) < 0)
		return err_sys(err, "handle signal %d", signo);
	/* Blocked first: between signalfd and the mask it would take its default action. */
	r = pthread_sigmask(SIG_BLOCK, &one, NULL);
	if (r)
		return err_sysc(err, ERR_SYSTEM, r, "block signal %d", signo);
	sigaddset(&l->sigset, signo);
	r = signals_update(l, err);
	if (r < 0) {
		sigdelset(&l->sigset, signo);
		return r;
	}
	s->loop = l;
	list_append(&l->signals, &s->link);
	return 0;
}

void sigsource_fini(struct sigsource *s)
{
	struct loop *l = s->loop;

	if (!l)
		return;
	list_del(&s->link);
	s->loop = NULL;
	sigdelset(&l->sigset, s->signo);
	/* Cannot fail for an open signalfd; if it did, the signal would be read and dropped. */
	(void)signals_update(l, NULL);
}

/* ---- children ---- */

/* The status waitpid(2) would have given. */
static int wait_status(const siginfo_t *si)
{
	if (si->si_code == CLD_EXITED)
		return (si->si_status & 0xff) << 8;
	return (si->si_status & 0x7f) | (si->si_code == CLD_DUMPED ? 0x80 : 0);
}

static int on_child(struct source *s, uint32_t events)
{
	struct child *c = CONTAINER_OF(s, struct child, source);
	siginfo_t si = { 0 };
	int status = -1;

	while (waitid(WAIT_PIDFD, (id_t)c->pidfd, &si, WEXITED | WNOHANG) < 0) {
		if (errno == EINTR)
			continue;
		si.si_code = 0;
		si.si_pid = -1; /* ECHILD: it ended, but its status is for another */
		break;
	}
	if (si.si_pid == 0)
		return 0; /* readable, yet not to be reaped: a traced child; wait on */
	if (si.si_pid > 0)
		status = wait_status(&si);
	child_fini(c);
	return c->fn(c, status);
}

int child_init(struct child *c, struct loop *l, int pidfd_taken, pid_t pid,
	       int (*fn)(struct child *c, int status), struct err *err)
{
	*c = (struct child){ .source = SOURCE_INIT, .pid = pid, .pidfd = -1, .fn = fn };
	if (source_init(&c->source, l, pidfd_taken, EPOLLIN, on_child, err) < 0)
		return err_wrap(err, "watch process %d", (int)pid);
	c->pidfd = pidfd_taken;
	return 0;
}

void child_fini(struct child *c)
{
	source_fini(&c->source);
	fd_close(c->pidfd);
	c->pidfd = -1;
}

/* ---- posts from other threads ---- */

void loop_post(struct loop *l, struct post *p)
{
	struct post *head = atomic_load_explicit(&l->posts, memory_order_relaxed);
	uint64_t one = 1;

	do
		p->next = head;
	while (!atomic_compare_exchange_weak_explicit(&l->posts, &head, p, memory_order_release,
						      memory_order_relaxed));
	/* Who found the list empty wakes the loop; a counter of 1 cannot overflow the eventfd. */
	if (!head)
		while (write(l->postfd, &one, sizeof(one)) < 0 && errno == EINTR)
			;
}

void loop_run_posts(struct loop *l)
{
	struct post *p = atomic_exchange_explicit(&l->posts, NULL, memory_order_acquire);
	struct post *first = NULL, *next;

	for (; p; p = next) {
		next = p->next;
		p->next = first;
		first = p;
	}
	for (; first; first = next) {
		next = first->next;
		first->fn(first);
	}
}

static int on_post(struct source *s, uint32_t events)
{
	uint64_t count;

	/* Read before the list is taken: a post that comes between the two wakes us once more. */
	if (read(s->fd, &count, sizeof(count)) < 0 && errno != EAGAIN && errno != EINTR)
		return -ERR_SYSTEM;
	loop_run_posts(s->loop);
	return 0;
}

/* ---- the loop ---- */

int loop_new(struct loop **ret, struct err *err)
{
	CLEANUP(loop_free) struct loop *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		abort();
	l->postfd = l->sigfd = -1;
	l->free_slot = NO_SLOT;
	l->post_source = l->sig_source = SOURCE_INIT;
	list_init(&l->deferred);
	list_init(&l->signals);
	sigemptyset(&l->sigset);
	l->now = clock_mono();
	l->epfd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epfd < 0)
		return err_sys(err, "make an epoll instance");
	l->postfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (l->postfd < 0)
		return err_sys(err, "make an eventfd");
	r = source_init(&l->post_source, l, l->postfd, EPOLLIN, on_post, err);
	if (r < 0)
		return r;
	*ret = STEAL(l);
	return 0;
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	/* Owners that finish after us must find nothing left to do. */
	for (uint32_t i = 0; i < l->nslots; i++)
		if (l->slots[i].source)
			*l->slots[i].source = SOURCE_INIT;
	for (size_t i = 0; i < l->nheap; i++) {
		l->heap[i]->heap = 0;
		l->heap[i]->loop = NULL;
	}
	while (!list_empty(&l->deferred)) {
		struct deferred *d = LIST_FIRST(&l->deferred, struct deferred, link);

		list_del(&d->link);
		d->loop = NULL;
	}
	while (!list_empty(&l->signals)) {
		struct sigsource *g = LIST_FIRST(&l->signals, struct sigsource, link);

		list_del(&g->link);
		g->loop = NULL;
	}
	fd_close(l->sigfd);
	fd_close(l->postfd);
	fd_close(l->epfd);
	free(l->slots);
	free(l->heap);
	free(l);
}

/* How long this round may wait, in ns; -1 = for ever. */
static int64_t wait_time(const struct loop *l, int64_t timeout_ns)
{
	int64_t left, now;

	if (!list_empty(&l->deferred))
		return 0;
	if (!l->nheap)
		return timeout_ns;
	now = clock_mono();
	left = l->heap[0]->due <= now ? 0 : l->heap[0]->due - MAX(now, 0);
	return timeout_ns < 0 ? left : MIN(left, timeout_ns);
}

static int wait_events(struct loop *l, struct epoll_event *ev, int64_t wait_ns)
{
	if (wait_ns > 0 && !l->no_pwait2) {
		struct timespec ts = { .tv_sec = wait_ns / NS_PER_SEC,
				       .tv_nsec = wait_ns % NS_PER_SEC };
		int n = (int)syscall(SYS_epoll_pwait2, l->epfd, ev, EVENTS_PER_ROUND, &ts, NULL,
				     (size_t)0);

		if (n >= 0 || (errno != ENOSYS && errno != EPERM))
			return n;
		l->no_pwait2 = true; /* before Linux 5.11, or a filter that does not know it */
	}
	/* Rounded up: waking early would spin until the timer is due. */
	if (wait_ns > 0)
		wait_ns = MIN((wait_ns - 1) / NS_PER_MS + 1, (int64_t)3600 * 1000);
	return epoll_wait(l->epfd, ev, EVENTS_PER_ROUND, (int)wait_ns);
}

static int run_round(struct loop *l, int64_t timeout_ns, struct err *err)
{
	struct epoll_event ev[EVENTS_PER_ROUND];
	int n = wait_events(l, ev, wait_time(l, timeout_ns)), r, ran = 0;

	l->now = clock_mono();
	if (n < 0) {
		if (errno != EINTR)
			return err_sys(err, "wait for events");
		n = 0;
	}
	for (int i = 0; i < n; i++) {
		ran = 1;
		r = dispatch(l, &ev[i]);
		if (r < 0)
			return r;
		/* What another thread has finished does not wait for all that came in. */
		if (atomic_load_explicit(&l->posts, memory_order_relaxed))
			loop_run_posts(l);
	}
	r = run_timers(l, &ran);
	if (r < 0)
		return r;
	run_deferred(l, &ran);
	return ran;
}

int loop_step(struct loop *l, int64_t timeout_ns, struct err *err)
{
	int r;

	l->in_round = true;
	r = run_round(l, timeout_ns, err);
	l->in_round = false;
	if (r < 0 && err && !err->code)
		return err_set(err, (enum err_code)MIN(-r, (int)ERR_SYSTEM),
			       "an event handler failed");
	return r;
}

int loop_run(struct loop *l, struct err *err)
{
	int r = 0;

	while (!l->stop && r >= 0)
		r = loop_step(l, -1, err);
	if (r < 0)
		return r;
	l->stop = false;
	return l->code;
}

void loop_stop(struct loop *l, int code)
{
	l->stop = true;
	l->code = code;
}

int64_t loop_now(const struct loop *l)
{
	return l->now;
}
