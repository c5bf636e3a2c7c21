/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine's side of a shim: spawn or connect, requests with a reply each, events.
 *
 * Invariants: (1) A shim we spawned is of our own build, so requests go out at once; to one that we
 * found they wait for its HELLO, which says what versions it speaks. What does not fit the socket
 * waits too. (2) Every callback may free the client: nothing of it is touched after one without
 * asking `freed`. (3) `gone` comes once the connection has ended and, for our own child, it was
 * reaped (the two are microseconds apart; a shim that lost us to another engine is not waited for).
 */
#include "runtime/shim-private.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "linux/proc.h"
#include "linux/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define REAP_PATIENCE (100 * NS_PER_MS)
#define SMALL_FRAME 8192 /* on the stack; only HELLO of many processes is larger */

struct pending {
	struct list link;
	uint32_t id;
	bool refused; /* too large for a frame: was never sent */
	shim_reply_fn *fn;
	void *arg;
};

struct queued {
	struct list link;
	uint16_t type;
	uint32_t id;
	int fd; /* own copy or -1 */
	size_t n;
	unsigned char bytes[];
};

struct shim_client {
	struct loop *loop;
	const struct shim_events *ev;
	void *arg;
	int sock;
	struct source source;
	struct child child;
	pid_t pid;
	uint32_t next_id;
	struct list pending, queue;
	struct deferred lost;	 /* the connection broke inside a call */
	struct deferred refused; /* answers what could not be sent */
	struct timer reap;
	uint16_t version; /* 0 = to be told by HELLO */
	bool closed;	  /* the connection has ended */
	bool gone;	  /* and that was told */
	bool *freed;	  /* set by shim_client_free while a callback runs */
};

/* ---- sending ---- */

static void update(struct shim_client *c)
{
	bool waits = c->version && !list_empty(&c->queue);

	if (source_active(&c->source))
		(void)source_set(&c->source, waits ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static void queue_frame(struct shim_client *c, uint16_t type, uint32_t id, const struct wire_out *o,
			int fd)
{
	struct queued *q = malloc(sizeof(*q) + o->n);

	if (!q)
		abort();
	*q = (struct queued){ .type = type, .id = id, .fd = fd >= 0 ? fd_dup(fd) : -1, .n = o->n };
	if (o->n)
		memcpy(q->bytes, o->p, o->n);
	list_append(&c->queue, &q->link);
	update(c);
}

static int put_frame(struct shim_client *c, uint16_t type, uint32_t id, const void *p, size_t n,
		     int fd)
{
	struct err err = ERR_INIT;
	int r = frame_send(c->sock, c->version ? c->version : SHIM_VERSION_MAX, type, id, p, n, &fd,
			   fd >= 0, &err);

	if (r < 0)
		deferred_call(&c->lost);
	return r;
}

static void send_or_queue(struct shim_client *c, uint16_t type, uint32_t id,
			  const struct wire_out *o, int fd)
{
	int r = 1;

	if (c->closed)
		return;
	if (list_empty(&c->queue) && (c->version || type == SHIM_WELCOME))
		r = put_frame(c, type, id, o->p, o->n, fd);
	if (r == 1)
		queue_frame(c, type, id, o, fd);
}

static void flush_queue(struct shim_client *c)
{
	struct queued *q;

	if (!c->version)
		return;
	LIST_FOREACH (q, &c->queue, struct queued, link) {
		if (put_frame(c, q->type, q->id, q->bytes, q->n, q->fd) != 0)
			break;
		list_del(&q->link);
		fd_close(q->fd);
		free(q);
	}
	update(c);
}

static void request(struct shim_client *c, uint16_t type, const struct wire_out *o, int fd,
		    shim_reply_fn *fn, void *arg)
{
	struct pending *p = calloc(1, sizeof(*p));

	if (!p)
		abort();
	*p = (struct pending){ .id = ++c->next_id, .fn = fn, .arg = arg, .refused = o->bad };
	list_append(&c->pending, &p->link);
	if (p->refused)
		deferred_call(&c->refused);
	else if (c->closed)
		deferred_call(&c->lost);
	else
		send_or_queue(c, type, p->id, o, fd);
}

/* ---- receiving ---- */

static struct pending *find_pending(struct shim_client *c, uint32_t id)
{
	struct pending *p;

	LIST_FOREACH (p, &c->pending, struct pending, link)
		if (p->id == id)
			return p;
	return NULL;
}

static void answered(struct shim_client *c, const struct frame *f, struct wire_in in)
{
	struct pending *p = find_pending(c, f->head.id);
	struct err err = ERR_INIT;
	struct shim_reply r = { .err = &err, .payload = in };

	if (!p)
		return;
	if (f->head.type == SHIM_FAILED) {
		uint32_t code = wire_u32(&in);
		int sys = (int)wire_u32(&in);
		struct slice msg;

		wire_bytes(&in, &msg);
		r.result = err_set(&err,
				   code > ERR_NONE && code < ERR_CODE_COUNT ? (enum err_code)code
									    : ERR_SYSTEM,
				   "%.*s", (int)msg.n, msg.p);
		err.sys = sys;
	}
	list_del(&p->link);
	if (p->fn)
		p->fn(p->arg, &r);
	free(p);
}

/* Answers those that were never sent, or all. True: a callback has freed the client. */
static bool fail_pending(struct shim_client *c, bool refused)
{
	struct pending *p;
	bool freed = false;

	c->freed = &freed;
	for (;;) {
		struct err err = ERR_INIT;
		struct shim_reply r = { .err = &err };

		LIST_FOREACH (p, &c->pending, struct pending, link)
			if (!refused || p->refused)
				goto found;
		break;
	found:
		r.result = p->refused ? err_set(&err, ERR_TOO_LARGE,
						"the request to the shim is larger than %d bytes",
						FRAME_PAYLOAD_MAX)
				      : err_set(&err, ERR_UNAVAILABLE,
						"the container's shim has ended");
		list_del(&p->link);
		if (p->fn)
			p->fn(p->arg, &r);
		free(p);
		if (freed)
			return true;
	}
	c->freed = NULL;
	return false;
}

static void tell_gone(struct shim_client *c)
{
	timer_clear(&c->reap);
	if (c->gone)
		return;
	c->gone = true;
	if (!fail_pending(c, false))
		c->ev->gone(c->arg); /* may free c */
}

static int reap_late(struct timer *t)
{
	tell_gone(CONTAINER_OF(t, struct shim_client, reap));
	return 0;
}

static void connection_over(struct shim_client *c)
{
	if (c->closed)
		return;
	c->closed = true;
	source_fini(&c->source);
	if (source_active(&c->child.source)) /* keeps (3) */
		timer_set_after(&c->reap, REAP_PATIENCE);
	else
		tell_gone(c);
}

static void lost(struct deferred *d)
{
	struct shim_client *c = CONTAINER_OF(d, struct shim_client, lost);

	if (c->gone)
		(void)fail_pending(c, false); /* calls that were made after the end */
	else
		connection_over(c);
}

static void refused(struct deferred *d)
{
	(void)fail_pending(CONTAINER_OF(d, struct shim_client, refused), true);
}

static void tell_hello(struct shim_client *c, struct wire_in in)
{
	CLEANUP(arena_free) struct arena *a = arena_new("hello", 1u << 20);
	struct err err = ERR_INIT;
	struct shim_hello h = { 0 };
	uint16_t version;

	if (shim_get_hello(&in, a, &h, &err) < 0 ||
	    shim_version_pick(h.version_min, h.version_max, &version, &err) < 0) {
		log_warn("shim: %s", err.msg);
		deferred_call(&c->lost);
		return;
	}
	c->pid = h.shim_pid;
	c->version = version;
	flush_queue(c);
	c->ev->hello(c->arg, &h);
}

static void event(struct shim_client *c, const struct frame *f, struct wire_in in)
{
	struct shim_exit e;
	struct slice id;
	char text[SHIM_ID_MAX + 1] = "";

	switch (f->head.type) {
	case SHIM_HELLO: tell_hello(c, in); break;
	case SHIM_EXIT:
		if (shim_exit_unpack(in.p, &e) == 0)
			c->ev->exited(c->arg, &e);
		break;
	case SHIM_OOM: c->ev->oom(c->arg, (int64_t)wire_u64(&in)); break;
	case SHIM_DETACHED:
		wire_bytes(&in, &id);
		if (!in.bad && shim_id_ok(id)) {
			memcpy(text, id.p ? id.p : "", id.n);
			c->ev->detached(c->arg, text, wire_u8(&in) != 0);
		}
		break;
	default: answered(c, f, in); break;
	}
}

/* Receives one frame and hands it on. False: nothing more now, or c has ended. */
static bool receive(struct shim_client *c)
{
	CLEANUP(buf_fini) struct buf room = BUF_INIT(FRAME_PAYLOAD_MAX);
	CLEANUP(frame_fini) struct frame f = { 0 };
	unsigned char small[SMALL_FRAME];
	struct err err = ERR_INIT;
	bool freed = false;
	ssize_t n = recv(c->sock, NULL, 0, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);
	bool large = n > SMALL_FRAME;
	int r;

	if (large && !buf_room(&room, FRAME_PAYLOAD_MAX))
		abort();
	r = frame_recv(c->sock, large ? (void *)room.p : small,
		       large ? FRAME_PAYLOAD_MAX : sizeof(small), &f, &err);
	if (r == 0)
		return false;
	if (r > 0)
		r = frame_check(&f, shim_rules, SHIM_TYPE_END, SHIM_FROM_SHIM, &err);
	if (r < 0) {
		if (err.code != ERR_UNAVAILABLE)
			log_warn("shim's connection: %s", err.msg);
		connection_over(c);
		return false;
	}
	c->freed = &freed;
	event(c, &f, (struct wire_in){ f.payload, f.payload + f.head.len, 0 });
	if (freed)
		return false;
	c->freed = NULL;
	return !c->closed;
}

static int readable(struct source *s, uint32_t events)
{
	struct shim_client *c = CONTAINER_OF(s, struct shim_client, source);

	if (events & EPOLLOUT)
		flush_queue(c);
	while (receive(c))
		;
	return 0;
}

/* ---- life ---- */

static int shim_ended(struct child *child, int status)
{
	struct shim_client *c = CONTAINER_OF(child, struct shim_client, child);

	(void)status;
	if (c->closed)
		tell_gone(c);
	return 0; /* else frames may still be unread: the end of the connection tells */
}

static int client_new(struct loop *l, const struct shim_events *ev, void *arg, int sock,
		      uint16_t version, struct shim_client **ret, struct err *err)
{
	struct shim_client *c = calloc(1, sizeof(*c));
	unsigned char bytes[4];
	struct wire_out o = { .p = bytes, .cap = sizeof(bytes) };

	if (!c)
		abort();
	*c = (struct shim_client){ .loop = l,
				   .ev = ev,
				   .arg = arg,
				   .sock = sock,
				   .version = version,
				   .source = SOURCE_INIT,
				   .child = CHILD_INIT };
	list_init(&c->pending);
	list_init(&c->queue);
	deferred_init(&c->lost, l, lost);
	deferred_init(&c->refused, l, refused);
	timer_init(&c->reap, l, reap_late);
	if (source_init(&c->source, l, sock, EPOLLIN, readable, err) < 0) {
		c->sock = -1; /* stays the caller's */
		shim_client_free(c);
		return err_ret(err);
	}
	wire_put_u16(&o, SHIM_VERSION_MIN);
	wire_put_u16(&o, SHIM_VERSION_MAX);
	send_or_queue(c, SHIM_WELCOME, 0, &o, -1);
	*ret = c;
	return 0;
}

void shim_client_free(struct shim_client *c)
{
	struct pending *p;
	struct queued *q;

	if (!c)
		return;
	if (c->freed)
		*c->freed = true;
	source_fini(&c->source);
	child_fini(&c->child);
	deferred_fini(&c->lost);
	deferred_fini(&c->refused);
	timer_fini(&c->reap);
	LIST_FOREACH (p, &c->pending, struct pending, link)
		free(p);
	LIST_FOREACH (q, &c->queue, struct queued, link) {
		fd_close(q->fd);
		free(q);
	}
	fd_close(c->sock);
	free(c);
}

/* posix_spawn is vfork-like in both C libraries: no page tables are copied, whatever the engine's
 * size. */
static int spawn(const struct shim_where *w, int sock, pid_t *ret, struct err *err)
{
	char *argv[] = { (char *)(uintptr_t)w->program, (char *)(uintptr_t) "shim",
			 (char *)(uintptr_t)w->id, (char *)(uintptr_t)w->run_dir, NULL };
	const char *fault = getenv("TEU_FAULT"), *fault_file = getenv("TEU_FAULT_FILE");
	char one[512] = "TEU_FAULT=", two[512] = "TEU_FAULT_FILE=";
	char *env[] = { one, two, NULL };
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t at;
	sigset_t none, all;
	int r;

	if (fault && fault_file) {
		str_copy(one + strlen(one), sizeof(one) - strlen(one), fault);
		str_copy(two + strlen(two), sizeof(two) - strlen(two), fault_file);
	} else {
		env[0] = NULL;
	}
	sigemptyset(&none);
	sigfillset(&all);
	(void)posix_spawn_file_actions_init(&fa);
	(void)posix_spawnattr_init(&at);
	/* dup2 of an fd to itself keeps CLOEXEC in old libcs: the source is never 3 (see
	 * shim_spawn). */
	r = posix_spawn_file_actions_adddup2(&fa, w->log_fd, 2); /* first: it may be 0 or 1 */
	r = r ? r : posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", O_RDWR, 0);
	r = r ? r : posix_spawn_file_actions_adddup2(&fa, 0, 1);
	r = r ? r : posix_spawn_file_actions_adddup2(&fa, sock, 3);
	r = r ? r : posix_spawnattr_setsigmask(&at, &none);
	r = r ? r : posix_spawnattr_setsigdefault(&at, &all);
	r = r ? r : posix_spawnattr_setflags(&at, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	r = r ? r : posix_spawn(ret, w->program, &fa, &at, argv, env);
	(void)posix_spawn_file_actions_destroy(&fa);
	(void)posix_spawnattr_destroy(&at);
	if (r)
		return err_sysc(err, ERR_SYSTEM, r, "start the shim '%s'", w->program);
	return 0;
}

int shim_spawn(struct loop *l, const struct shim_where *w, const struct shim_events *ev, void *arg,
	       struct shim_client **ret, struct err *err)
{
	CLEANUP(fd_close) int theirs = -1;
	struct err ignored = ERR_INIT;
	struct shim_client *c;
	int pair[2], pidfd;
	pid_t pid;
	int r;

	if (sys_socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return err_sys(err, "make the shim's connection");
	theirs = pair[1];
	if (theirs == 3) {
		theirs = fd_dup(pair[1]);
		fd_close(pair[1]);
	}
	r = theirs < 0 ? err_sys(err, "duplicate the shim's connection")
		       : client_new(l, ev, arg, pair[0], SHIM_VERSION_MAX, &c, err);
	if (r < 0) {
		fd_close(pair[0]);
		return r;
	}
	r = spawn(w, theirs, &pid, err);
	if (r < 0) {
		shim_client_free(c);
		return r;
	}
	c->pid = pid;
	if (proc_pidfd(pid, &pidfd, &ignored) < 0) {
		log_warn("shim %d will not be reaped: %s", (int)pid, ignored.msg);
	} else if (child_init(&c->child, l, pidfd, pid, shim_ended, &ignored) < 0) {
		log_warn("shim %d will not be reaped: %s", (int)pid, ignored.msg);
		fd_close(pidfd);
	}
	*ret = c;
	return 0;
}

int shim_connect(struct loop *l, const struct shim_where *w, const struct shim_events *ev,
		 void *arg, struct shim_client **ret, struct err *err)
{
	CLEANUP(fd_close) int dir = openat(AT_FDCWD, w->run_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	CLEANUP(fd_close) int sock = -1;
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int r;

	if (dir < 0)
		return errno == ENOENT
			       ? err_set(err, ERR_NOT_FOUND, "no shim of container %s", w->id)
			       : err_sys(err, "open '%s'", w->run_dir);
	(void)snprintf(sun.sun_path, sizeof(sun.sun_path), "/proc/self/fd/%d/shim.sock", dir);
	sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (sock < 0)
		return err_sys(err, "make a socket");
	if (connect(sock, (struct sockaddr *)&sun, sizeof(sun)) < 0) {
		if (errno == ENOENT || errno == ECONNREFUSED)
			return err_set(err, ERR_NOT_FOUND, "no shim of container %s listens",
				       w->id);
		return err_sys(err, "connect to the shim of container %s", w->id);
	}
	r = client_new(l, ev, arg, sock, 0, ret, err);
	if (r == 0)
		sock = -1;
	return r;
}

pid_t shim_pid(const struct shim_client *c)
{
	return c->pid;
}

/* ---- calls ---- */

void shim_call_create(struct shim_client *c, const struct shim_create *rq, int dirfd,
		      shim_reply_fn *fn, void *arg)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(FRAME_PAYLOAD_MAX);
	struct wire_out o = { .cap = FRAME_PAYLOAD_MAX };

	o.p = (unsigned char *)buf_room(&b, o.cap);
	shim_put_create(&o, rq);
	request(c, SHIM_CREATE, &o, dirfd, fn, arg);
}

static void simple(struct shim_client *c, uint16_t type, shim_reply_fn *fn, void *arg)
{
	struct wire_out o = { 0 };

	request(c, type, &o, -1, fn, arg);
}

void shim_call_start(struct shim_client *c, shim_reply_fn *fn, void *arg)
{
	simple(c, SHIM_START, fn, arg);
}

void shim_call_exec(struct shim_client *c, const struct shim_exec *rq, int stream_fd,
		    shim_reply_fn *fn, void *arg)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(FRAME_PAYLOAD_MAX);
	struct wire_out o = { .cap = FRAME_PAYLOAD_MAX };

	o.p = (unsigned char *)buf_room(&b, o.cap);
	shim_put_exec(&o, rq);
	request(c, SHIM_EXEC, &o, stream_fd, fn, arg);
}

void shim_call_attach(struct shim_client *c, const struct shim_attach *rq, int stream_fd,
		      shim_reply_fn *fn, void *arg)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(FRAME_PAYLOAD_MAX);
	struct wire_out o = { .cap = FRAME_PAYLOAD_MAX };

	o.p = (unsigned char *)buf_room(&b, o.cap);
	shim_put_attach(&o, rq);
	request(c, SHIM_ATTACH, &o, stream_fd, fn, arg);
}

void shim_call_resize(struct shim_client *c, const char *exec_id, unsigned rows, unsigned cols,
		      shim_reply_fn *fn, void *arg)
{
	unsigned char bytes[SHIM_ID_MAX + 16];
	struct wire_out o = { .p = bytes, .cap = sizeof(bytes) };

	wire_put_str(&o, exec_id);
	wire_put_u16(&o, (uint16_t)MIN(rows, 65535u));
	wire_put_u16(&o, (uint16_t)MIN(cols, 65535u));
	request(c, SHIM_RESIZE, &o, -1, fn, arg);
}

void shim_call_kill(struct shim_client *c, const char *exec_id, int signo, bool all,
		    shim_reply_fn *fn, void *arg)
{
	unsigned char bytes[SHIM_ID_MAX + 16];
	struct wire_out o = { .p = bytes, .cap = sizeof(bytes) };

	wire_put_str(&o, exec_id);
	wire_put_u32(&o, (uint32_t)signo);
	wire_put_u8(&o, all);
	request(c, SHIM_KILL, &o, -1, fn, arg);
}

void shim_call_close_stdin(struct shim_client *c, const char *exec_id, shim_reply_fn *fn, void *arg)
{
	unsigned char bytes[SHIM_ID_MAX + 16];
	struct wire_out o = { .p = bytes, .cap = sizeof(bytes) };

	wire_put_str(&o, exec_id);
	request(c, SHIM_CLOSE_STDIN, &o, -1, fn, arg);
}

void shim_call_delete(struct shim_client *c, shim_reply_fn *fn, void *arg)
{
	simple(c, SHIM_DELETE, fn, arg);
}
