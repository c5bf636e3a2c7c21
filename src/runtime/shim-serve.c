/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an engine asks of a shim: one handler per request frame, and the connection they come by.
 * The newest connection is the engine (shim.h, invariant 2); frames are checked by table before a
 * handler sees them (4), and none is served before the welcome (5).
 */
#include "runtime/shim-state.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "linux/proc.h"
#include "runtime/runtime.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

/* ---- the container ---- */

static void warned(void *arg, const char *msg)
{
	(void)arg;
	log_warn("%s", msg);
}

/* As it was before CREATE: another may be tried. */
static void uncreate(struct shim *s)
{
	shim_delete_container(s);
	if (s->logging)
		shim_logger_fini(&s->log);
	s->logging = false;
	free(STEAL(s->rt_root));
	fd_close(s->dirfd);
	s->dirfd = -1;
	s->phase = SHIM_NEW;
}

static int make_container(struct shim *s, const struct shim_create *c, struct shim_stdio *io,
			  struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("create", 65536);
	struct rt_create rt = RT_CREATE_INIT;

	s->host = (struct rt_host){ .root = s->rt_root, .warn = warned };
	rt.id = s->id;
	rt.bundle = arena_strndup(a, c->bundle.p, c->bundle.n);
	memcpy(rt.stdio, io->theirs, sizeof(rt.stdio));
	rt.rows = c->rows;
	rt.cols = c->cols;
	rt.flags = c->flags & SHIM_TTY ? RT_RAW_CONSOLE : 0;
	return rt_create(&s->host, &rt, &s->container, err);
}

static int create(struct shim *s, const struct shim_create *c, struct err *err)
{
	CLEANUP(shim_stdio_close) struct shim_stdio io = { { -1, -1, -1 }, { -1, -1, -1 } };
	struct rt_proc proc;
	int r;

	s->rt_root = strndup(c->rt_root.p, c->rt_root.n);
	if (!s->rt_root)
		abort();
	if (c->log_driver == SHIM_LOG_JSON_FILE) {
		r = shim_logger_open(&s->log, c, s->dirfd, err);
		if (r < 0)
			return r;
		s->logging = true;
	}
	r = shim_stdio_open(&io, c->flags, err);
	if (r == 0)
		r = make_container(s, c, &io, err);
	if (r < 0)
		return r;
	proc = (struct rt_proc){ s->container->pid, STEAL_FD(s->container->pidfd),
				 STEAL_FD(s->container->console) };
	r = shim_proc_watch(shim_proc_new(s, slice_str("")), &proc, &io, c->flags, err);
	if (r < 0)
		return r;
	s->phase = SHIM_CREATED;
	shim_watch_oom(s);
	return 0;
}

static int start(struct shim *s, struct err *err)
{
	struct proc_slot *init = shim_proc_find(s, slice_str(""));
	int64_t when = clock_real();
	int r;

	if (s->phase != SHIM_CREATED)
		return err_set(err, ERR_CONFLICT, "container %s is not in the created state",
			       s->id);
	r = rt_start(s->container, err);
	if (r < 0)
		return r;
	s->phase = SHIM_RUNNING;
	s->started = when;
	init->p.exit.started = when;
	return 0;
}

/* ---- requests ---- */

static void on_create(struct shim *s, struct frame *f, struct wire_in *in)
{
	struct err err = ERR_INIT;
	struct shim_create c;
	unsigned char bytes[16];
	struct wire_out o = { .p = bytes, .cap = sizeof(bytes) };
	int r;

	r = shim_get_create(in, &c, &err);
	if (r == 0 && s->phase != SHIM_NEW)
		r = err_set(&err, ERR_CONFLICT, "container %s was created already", s->id);
	if (r == 0 && !slice_is(c.id, s->id))
		r = err_set(&err, ERR_BAD_REQUEST, "create: this shim is for container %s", s->id);
	if (r == 0) {
		s->dirfd = frame_take_fd(f, 0);
		r = create(s, &c, &err);
		if (r < 0)
			uncreate(s);
	}
	if (r == 0 && (c.flags & SHIM_START_NOW))
		r = start(s, &err);
	if (r < 0) {
		shim_reply_failed(s, f->head.id, &err);
		return;
	}
	wire_put_u32(&o, (uint32_t)shim_proc_find(s, slice_str(""))->p.pid);
	if (c.flags & SHIM_START_NOW)
		wire_put_u64(&o, (uint64_t)s->started);
	shim_reply_ok(s, f->head.id, &o);
}

static void on_start(struct shim *s, struct frame *f, struct wire_in *in)
{
	unsigned char bytes[8];
	struct wire_out o = { .p = bytes, .cap = sizeof(bytes) };
	struct err err = ERR_INIT;

	(void)in;
	if (start(s, &err) < 0) {
		shim_reply_failed(s, f->head.id, &err);
		return;
	}
	wire_put_u64(&o, (uint64_t)s->started);
	shim_reply_ok(s, f->head.id, &o);
}

static int exec_run(struct shim *s, const struct shim_exec *x, int *client, int32_t *ret_pid,
		    struct err *err)
{
	CLEANUP(shim_stdio_close) struct shim_stdio io = { { -1, -1, -1 }, { -1, -1, -1 } };
	struct rt_exec rt = RT_EXEC_INIT;
	struct proc_slot *p;
	struct rt_proc proc;
	int r;

	if (s->phase != SHIM_RUNNING)
		return err_set(err, ERR_CONFLICT, "container %s is not running", s->id);
	if (shim_proc_find(s, x->exec_id))
		return err_set(err, ERR_EXISTS, "exec %.*s exists", (int)x->exec_id.n,
			       x->exec_id.p);
	if (s->nprocs >= SHIM_PROCS_MAX)
		return err_set(err, ERR_QUOTA, "more than %d processes were started by exec",
			       SHIM_PROCS_MAX);
	r = shim_stdio_open(&io, x->flags, err);
	if (r < 0)
		return r;
	rt.process = x->process;
	memcpy(rt.stdio, io.theirs, sizeof(rt.stdio));
	rt.rows = x->rows;
	rt.cols = x->cols;
	rt.flags = x->flags & SHIM_TTY ? RT_RAW_CONSOLE : 0;
	r = rt_exec(s->container, &rt, &proc, err);
	if (r < 0)
		return r;
	p = shim_proc_new(s, x->exec_id);
	p->p.exit.started = clock_real();
	r = shim_proc_watch(p, &proc, &io, x->flags | SHIM_STDIN_ONCE, err);
	if (r == 0 && *client >= 0) {
		r = shim_io_attach(p->io, STEAL_FD(*client), x->streams, x->detach_keys, x->unread,
				   err);
		if (r < 0) { /* reaped as any other */
			(void)proc_signal(p->child.pidfd, SIGKILL, NULL);
			p->silent = true;
		}
	}
	*ret_pid = proc.pid;
	return r;
}

static void on_exec(struct shim *s, struct frame *f, struct wire_in *in)
{
	unsigned char bytes[8];
	struct wire_out o = { .p = bytes, .cap = sizeof(bytes) };
	CLEANUP(fd_close) int client = frame_take_fd(f, 0);
	struct err err = ERR_INIT;
	struct shim_exec x;
	int32_t pid = 0;

	if (shim_get_exec(in, &x, &err) < 0 || exec_run(s, &x, &client, &pid, &err) < 0) {
		shim_reply_failed(s, f->head.id, &err);
		return;
	}
	wire_put_u32(&o, (uint32_t)pid);
	shim_reply_ok(s, f->head.id, &o);
}

static struct proc_slot *target(struct shim *s, struct slice exec_id, struct err *err)
{
	struct proc_slot *p = shim_proc_find(s, exec_id);

	if (p && p->io && !p->told)
		return p;
	err_set(err, ERR_NOT_FOUND, "%s '%.*s' is not running", exec_id.n ? "exec" : "container",
		(int)(exec_id.n ? exec_id.n : strlen(s->id)), exec_id.n ? exec_id.p : s->id);
	return NULL;
}

/* What is left of a payload, or lacks, is a broken frame. */
static int whole(const struct wire_in *in, const char *what, struct err *err)
{
	return in->bad || in->p != in->end
		       ? err_set(err, ERR_BAD_REQUEST, "%s: malformed frame", what)
		       : 0;
}

static void answer(struct shim *s, uint32_t id, int r, const struct err *err)
{
	if (r < 0)
		shim_reply_failed(s, id, err);
	else
		shim_reply_ok(s, id, NULL);
}

static void on_attach(struct shim *s, struct frame *f, struct wire_in *in)
{
	struct err err = ERR_INIT;
	struct proc_slot *p;
	struct shim_attach a;
	int r;

	r = shim_get_attach(in, &a, &err);
	p = r == 0 ? target(s, a.exec_id, &err) : NULL;
	r = p ? shim_io_attach(p->io, frame_take_fd(f, 0), a.streams, a.detach_keys, a.unread, &err)
	      : err_ret(&err);
	answer(s, f->head.id, r, &err);
}

static void on_resize(struct shim *s, struct frame *f, struct wire_in *in)
{
	struct err err = ERR_INIT;
	struct proc_slot *p;
	struct slice id;
	uint16_t rows, cols;

	wire_bytes(in, &id);
	rows = wire_u16(in);
	cols = wire_u16(in);
	p = whole(in, "resize", &err) < 0 ? NULL : target(s, id, &err);
	if (p)
		shim_io_resize(p->io, rows, cols);
	answer(s, f->head.id, p ? 0 : err_ret(&err), &err);
}

static void on_kill(struct shim *s, struct frame *f, struct wire_in *in)
{
	struct err err = ERR_INIT;
	struct proc_slot *p;
	struct slice id;
	int signo, r;
	bool all;

	wire_bytes(in, &id);
	signo = (int)wire_u32(in);
	all = wire_u8(in) != 0;
	p = shim_proc_find(s, id);
	r = whole(in, "kill", &err);
	if (r < 0)
		; /* answered below */
	else if (signo < 0 || signo > 64)
		r = err_set(&err, ERR_BAD_REQUEST, "kill: there is no signal %d", signo);
	else if (!p || p->ended || !s->container)
		r = err_set(&err, ERR_CONFLICT, "%s %.*s is not running",
			    id.n ? "exec" : "container", (int)(id.n ? id.n : strlen(s->id)),
			    id.n ? id.p : s->id);
	else if (id.n)
		r = proc_signal(p->child.pidfd, signo, &err);
	else
		r = rt_kill(s->container, signo, all, &err);
	answer(s, f->head.id, r, &err);
}

static void on_close_stdin(struct shim *s, struct frame *f, struct wire_in *in)
{
	struct err err = ERR_INIT;
	struct proc_slot *p;
	struct slice id;

	wire_bytes(in, &id);
	p = whole(in, "close-stdin", &err) < 0 ? NULL : target(s, id, &err);
	if (p)
		shim_io_close_stdin(p->io);
	answer(s, f->head.id, p ? 0 : err_ret(&err), &err);
}

static void on_delete(struct shim *s, struct frame *f, struct wire_in *in)
{
	struct proc_slot *init = shim_proc_find(s, slice_str(""));
	struct err err = ERR_INIT;
	int r = 0;

	(void)in;
	/* Its end comes by the pidfd and leads to shim_finish(). By pidfd too if the runtime
	 * cannot. */
	if (init && !init->ended && rt_kill(s->container, SIGKILL, false, &err) < 0)
		r = proc_signal(init->child.pidfd, SIGKILL, &err);
	if (r == -ERR_NOT_FOUND)
		r = 0;
	answer(s, f->head.id, r, &err);
	if (!init)
		shim_finish(s);
	else if (init->ended)
		shim_proc_over(init); /* without patience for its output */
}

static void on_state(struct shim *s, struct frame *f, struct wire_in *in)
{
	(void)in;
	shim_send_hello(s, SHIM_OK, f->head.id);
}

static void on_log_reopen(struct shim *s, struct frame *f, struct wire_in *in)
{
	struct err err = ERR_INIT;

	(void)in;
	answer(s, f->head.id, s->logging ? shim_logger_reopen(&s->log, &err) : 0, &err);
}

static void on_welcome(struct shim *s, struct frame *f, struct wire_in *in)
{
	struct err err = ERR_INIT;
	uint16_t min = wire_u16(in), max = wire_u16(in);

	if (s->version)
		err_set(&err, ERR_BAD_REQUEST, "the welcome has been said");
	else
		(void)shim_version_pick(min, max, &s->version, &err);
	if (err.code) {
		shim_reply_failed(s, f->head.id, &err);
		shim_conn_drop(s);
	}
}

typedef void handler_fn(struct shim *s, struct frame *f, struct wire_in *in);

static handler_fn *const handlers[SHIM_TYPE_END] = {
	[SHIM_WELCOME] = on_welcome, [SHIM_CREATE] = on_create,		  [SHIM_START] = on_start,
	[SHIM_EXEC] = on_exec,	     [SHIM_ATTACH] = on_attach,		  [SHIM_RESIZE] = on_resize,
	[SHIM_KILL] = on_kill,	     [SHIM_CLOSE_STDIN] = on_close_stdin, [SHIM_DELETE] = on_delete,
	[SHIM_STATE] = on_state,     [SHIM_LOG_REOPEN] = on_log_reopen,
};

/* ---- the connection ---- */

static int check_frame(const struct shim *s, const struct frame *f, struct err *err)
{
	int r = frame_check(f, shim_rules, SHIM_TYPE_END, SHIM_FROM_ENGINE, err); /* keeps (4) */

	if (r < 0 || f->head.type == SHIM_WELCOME)
		return r;
	if (!s->version) /* keeps (5), as the next */
		return err_set(err, ERR_BAD_REQUEST, "frame %s before the welcome",
			       shim_rules[f->head.type].name);
	if (f->head.version != s->version)
		return err_set(err, ERR_BAD_REQUEST, "frame %s of version %u, agreed was %u",
			       shim_rules[f->head.type].name, f->head.version, s->version);
	return 0;
}

void shim_finish_if_alone(struct shim *s)
{
	if (s->conn < 0 && s->phase == SHIM_NEW)
		shim_finish(s);
}

static int conn_event(struct source *source, uint32_t events)
{
	struct shim *s = CONTAINER_OF(source, struct shim, conn_source);

	if (events & EPOLLOUT)
		shim_outbox_flush(s);
	shim_busy(s);
	while (s->conn >= 0) {
		CLEANUP(frame_fini) struct frame f = { 0 };
		struct err err = ERR_INIT;
		struct wire_in in;
		int r;

		r = frame_recv(s->conn, s->scratch, FRAME_PAYLOAD_MAX, &f, &err);
		if (r == 0)
			return 0;
		if (r > 0)
			r = check_frame(s, &f, &err);
		if (r < 0) {
			if (err.code != ERR_UNAVAILABLE)
				log_warn("engine's connection: %s", err.msg);
			shim_conn_drop(s);
			break;
		}
		in = (struct wire_in){ f.payload, f.payload + f.head.len, 0 };
		handlers[f.head.type](s, &f, &in);
	}
	shim_finish_if_alone(s);
	return 0;
}

int shim_conn_take(struct shim *s, int fd, struct err *err)
{
	if (s->conn >= 0)
		shim_conn_drop(s);
	(void)fd_set_nonblock(fd, true);
	s->conn = fd;
	if (source_init(&s->conn_source, s->loop, fd, EPOLLIN, conn_event, err) < 0) {
		shim_conn_drop(s);
		return err_ret(err);
	}
	shim_send_hello(s, SHIM_HELLO, 0);
	return 0;
}
