/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What does not queue behind other operations: kill, resize, attach. Each call waits on the
 * container's list until its shim has answered, so that closing the engine can answer it too.
 */
#include "engine/private.h"

#include <signal.h>

#define ATTACHES_MAX 256 /* held for a container that does not run yet */

static struct pending_call *call_new(struct container *c, engine_done *fn, void *arg)
{
	struct pending_call *k = calloc(1, sizeof(*k));

	if (!k)
		abort();
	*k = (struct pending_call){ .c = c, .fn = fn, .arg = arg };
	list_append(&c->calls, &k->link);
	return k;
}

static void call_end(struct pending_call *k, int result, struct err *err)
{
	engine_done *fn = k->fn;
	void *arg = k->arg;

	list_del(&k->link);
	free(k);
	fn(arg, result, err);
}

/* The container has ended: who sent SIGKILL is told now, as docker does. */
void calls_exited(struct container *c)
{
	struct list over = LIST_INIT(over);
	struct pending_call *k;

	LIST_FOREACH (k, &c->calls, struct pending_call, link)
		if (k->until_exit) {
			list_del(&k->link);
			list_append(&over, &k->link);
		}
	while ((k = LIST_FIRST(&over, struct pending_call, link)))
		call_end(k, 0, NULL);
}

void calls_free(struct container *c)
{
	struct pending_call *k;

	while ((k = LIST_FIRST(&c->calls, struct pending_call, link))) {
		struct err err = ERR_INIT;

		err_set(&err, ERR_UNAVAILABLE, "the engine is going down");
		call_end(k, err_ret(&err), &err);
	}
}

/* ---- kill ---- */

static void kill_answered(void *arg, struct shim_reply *r)
{
	struct pending_call *k = arg;

	if (r->result == 0)
		container_signal_event(k->c, k->signo);
	if (r->result == 0 && k->signo == SIGKILL && container_alive(k->c))
		k->until_exit = true;
	else
		call_end(k, r->result, r->err);
}

static int not_running(const struct container *c, struct err *err)
{
	return err_set(err, ERR_CONFLICT, "cannot kill container: %s: container %s is not running",
		       c->name, c->id);
}

static void kill_recorded(void *arg, int result, struct err *err)
{
	struct pending_call *k = arg;
	struct err why = ERR_INIT;

	if (result < 0) {
		call_end(k, result, err);
	} else if (container_alive(k->c) && k->c->shim) {
		shim_call_kill(k->c->shim, "", k->signo, false, kill_answered, k);
	} else {
		not_running(k->c, &why);
		call_end(k, err_ret(&why), &why);
	}
}

static void restart_cancelled(void *arg, int result, struct err *err)
{
	struct pending_call *k = arg;

	container_waits_fire(k->c, WAIT_NOT_RUNNING);
	call_end(k, result, err);
}

void engine_kill(struct engine *e, struct container *c, int signo, engine_done *fn, void *arg)
{
	bool ends = signo == SIGKILL || signo == container_stop_signal(c);
	struct pending_call *k;

	if (c->state.status == CT_RESTARTING && !c->start) {
		/* Nothing runs: docker takes it as the end of the policy's attempts. */
		c->manual_stop = true;
		lifecycle_cancel_restart(c);
		container_save(c, restart_cancelled, call_new(c, fn, arg));
		return;
	}
	if (!container_alive(c) || !c->shim) {
		struct err err = ERR_INIT;

		not_running(c, &err);
		answer_later(e, fn, arg, &err);
		return;
	}
	k = call_new(c, fn, arg);
	k->signo = signo;
	if (ends && !c->manual_stop) {
		c->manual_stop = true;
		if (lifecycle_has_policy(c)) { /* durable before the signal, as for stop */
			container_save(c, kill_recorded, k);
			return;
		}
	}
	shim_call_kill(c->shim, "", signo, false, kill_answered, k);
}

/* ---- resize ---- */

static void resize_answered(void *arg, struct shim_reply *r)
{
	struct pending_call *k = arg;
	char rows[16], cols[16];
	const struct event_attr attrs[] = { { "height", rows }, { "width", cols } };

	(void)snprintf(rows, sizeof(rows), "%u", k->rows);
	(void)snprintf(cols, sizeof(cols), "%u", k->cols);
	if (r->result == 0)
		container_event(k->c, "resize", attrs, 2);
	call_end(k, r->result, r->err);
}

void engine_resize(struct engine *e, struct container *c, unsigned rows, unsigned cols,
		   engine_done *fn, void *arg)
{
	struct pending_call *k;

	if (!container_alive(c) || !c->shim) {
		struct err err = ERR_INIT;

		err_set(&err, ERR_CONFLICT, "container %s is not running", c->id);
		answer_later(e, fn, arg, &err);
		return;
	}
	k = call_new(c, fn, arg);
	k->rows = rows;
	k->cols = cols;
	shim_call_resize(c->shim, "", rows, cols, resize_answered, k);
}

static void exec_resized(void *arg, struct shim_reply *r)
{
	call_end(arg, r->result, r->err);
}

void engine_exec_resize(struct engine *e, struct exec *x, unsigned rows, unsigned cols,
			engine_done *fn, void *arg)
{
	if (!x->state.running || !x->c->shim) {
		struct err err = ERR_INIT;

		err_set(&err, ERR_CONFLICT, "exec %s is not running", x->id);
		answer_later(e, fn, arg, &err);
		return;
	}
	shim_call_resize(x->c->shim, x->id, rows, cols, exec_resized, call_new(x->c, fn, arg));
}

/* ---- attach ---- */

int engine_attach_check(struct engine *e, struct container *c, struct err *err)
{
	(void)e;
	if (c->state.status == CT_PAUSED)
		return err_set(err, ERR_CONFLICT,
			       "container %s is paused, unpause the container before attach",
			       c->id);
	if (c->state.status == CT_RESTARTING)
		return err_set(err, ERR_CONFLICT,
			       "container %s is restarting, wait until the container is running",
			       c->id);
	if (c->state.status == CT_REMOVING || c->state.status == CT_DEAD)
		return err_set(err, ERR_CONFLICT, "container %s is marked for removal", c->id);
	if (c->nattaches >= ATTACHES_MAX)
		return err_set(err, ERR_QUOTA,
			       "container %s: %d clients wait for its start already", c->id,
			       ATTACHES_MAX);
	return 0;
}

static void attach_free(struct container *c, struct pending_attach *p)
{
	list_del(&p->link);
	c->nattaches--;
	fd_close(p->fd);
	buf_fini(&p->unread);
	buf_fini(&p->keys);
	free(p);
}

static void attach_answered(void *arg, struct shim_reply *r)
{
	(void)arg;
	if (r->result < 0)
		log_debug("attach: %s", r->err->msg);
}

void engine_attach(struct engine *e, struct container *c, int fd_taken, const struct attach_opts *o)
{
	struct shim_attach rq = { .exec_id = SLICE(""),
				  .streams = o->streams,
				  .detach_keys = o->detach_keys,
				  .unread = o->unread };
	struct pending_attach *p;

	(void)e;
	container_event(c, "attach", NULL, 0);
	/* Also while the start is under way: CREATE went first on the same connection. */
	if (c->shim && (container_alive(c) || c->start)) {
		shim_call_attach(c->shim, &rq, fd_taken, attach_answered, NULL);
		fd_close(fd_taken);
		return;
	}
	p = calloc(1, sizeof(*p));
	if (!p)
		abort();
	p->fd = fd_taken;
	p->streams = o->streams;
	p->unread = BUF_INIT(1u << 16);
	p->keys = BUF_INIT(64);
	list_append(&c->attaches, &p->link);
	c->nattaches++;
	if (buf_add(&p->unread, o->unread.p, o->unread.n) < 0 ||
	    buf_add(&p->keys, o->detach_keys.p, o->detach_keys.n) < 0)
		attach_free(
			c,
			p); /* more than a client may send ahead: it sees the end of its stream */
}

void attaches_free(struct container *c)
{
	struct pending_attach *p;

	LIST_FOREACH (p, &c->attaches, struct pending_attach, link)
		attach_free(c, p);
}
