/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a container: operations one at a time, exits, the restart policy.
 *
 * The queue's first operation is under way (running_op); op_done ends it and kicks the next. An
 * exit that is being saved (settling) holds the queue too, so no operation sees half of it. A start
 * waits until the shim of the run before has gone, since it removes the runtime's state as its last
 * act; a removal waits for the clearing up after a killed shim.
 */
#include "engine/private.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <unistd.h>

#define BACKOFF_FIRST (100 * NS_PER_MS)
#define BACKOFF_MAX (60 * NS_PER_SEC)
#define BACKOFF_RESET (10 * NS_PER_SEC)
#define KILL_PATIENCE (10 * NS_PER_SEC) /* from SIGKILL to the exit */

static struct op *op_first(struct container *c)
{
	return LIST_FIRST(&c->ops, struct op, link);
}

static void op_free(struct op *op)
{
	list_del(&op->link);
	free(op->name);
	free(op);
}

/* ---- answers and kicks: nothing is told or begun before the call has returned ---- */

struct answer {
	struct post post;
	engine_done *fn;
	void *arg;
	struct err err;
};

static void answer_now(struct post *p)
{
	struct answer *a = CONTAINER_OF(p, struct answer, post);

	a->fn(a->arg, a->err.code ? err_ret(&a->err) : 0, a->err.code ? &a->err : NULL);
	free(a);
}

void answer_later(struct engine *e, engine_done *fn, void *arg, const struct err *err)
{
	struct answer *a = calloc(1, sizeof(*a));

	if (!a)
		abort();
	*a = (struct answer){ .fn = fn, .arg = arg, .err = err ? *err : ERR_INIT };
	a->post.fn = answer_now;
	loop_post(e->loop, &a->post);
}

struct kick {
	struct post post;
	struct engine *e;
	char id[ID_LEN + 1];
};

static void ops_run(struct container *c);

static void kicked(struct post *p)
{
	struct kick *k = CONTAINER_OF(p, struct kick, post);
	struct container *c = k->e->closing ? NULL : map_get(&k->e->by_id, slice_str(k->id));

	free(k);
	if (c)
		ops_run(c);
}

static void kick(struct container *c)
{
	struct kick *k;

	if (list_empty(&c->ops) || c->e->closing)
		return;
	k = calloc(1, sizeof(*k));
	if (!k)
		abort();
	k->post.fn = kicked;
	k->e = c->e;
	memcpy(k->id, c->id, sizeof(k->id));
	loop_post(c->e->loop, &k->post);
}

void op_push(struct container *c, struct op *op)
{
	list_append(&c->ops, &op->link);
	kick(c);
}

struct op *op_new(enum op_kind kind, engine_done *done, void *arg)
{
	struct op *op = calloc(1, sizeof(*op));

	if (!op)
		abort();
	op->kind = kind;
	op->done = done;
	op->arg = arg;
	return op;
}

/* Ends the operation under way. The next begins from the loop: a long queue must not nest. */
static void op_done(struct container *c, int result, struct err *err)
{
	struct op *op = STEAL(c->running_op);
	engine_done *done = op->done;
	void *arg = op->arg;

	op_free(op);
	if (done)
		done(arg, result, err);
	kick(c);
}

static void push_removal(struct container *c)
{
	struct op *op = op_new(OP_REMOVE, NULL, NULL);

	op->force = true;
	op_push(c, op);
}

/* ---- start ---- */

bool lifecycle_has_policy(const struct container *c)
{
	const char *name = c->spec.host.restart.name;

	return name && *name && strcmp(name, "no") != 0;
}

bool lifecycle_wants_restart(const struct container *c)
{
	const struct restart_policy *p = &c->spec.host.restart;
	const char *name = p->name ? p->name : "";

	if (c->manual_stop)
		return false;
	if (strcmp(name, "always") == 0 || strcmp(name, "unless-stopped") == 0)
		return true;
	return strcmp(name, "on-failure") == 0 && c->state.exit_code != 0 &&
	       (p->max_retries <= 0 || c->state.restart_count < p->max_retries);
}

static void failure_saved(void *arg, int result, struct err *err)
{
	struct container *c = arg;
	struct op *op = c->running_op;
	struct err why = op->err;

	(void)result; /* logged; the start failed all the same */
	(void)err;
	container_waits_fire(c, WAIT_NOT_RUNNING);
	if (c->spec.host.auto_remove)
		push_removal(c);
	op_done(c, op->result, &why);
}

static void started(struct container *c, int result, struct err *err)
{
	struct op *op = c->running_op;

	if (result < 0) {
		op->result = result;
		op->err = *err;
		container_set_error(c, err->msg);
		container_set_status(c, c->state.finished == CLOCK_ZERO ? CT_CREATED : CT_EXITED);
		attaches_free(c);
		container_save(c, failure_saved, c);
		return;
	}
	if (op->kind == OP_RESTART)
		container_event(c, "restart", NULL, 0);
	op_done(c, 0, NULL);
	if (c->exit_held) {
		c->exit_held = false;
		lifecycle_exited(c, &c->held);
	}
}

static void begin_start(struct container *c, struct op *op)
{
	struct err err = ERR_INIT;

	if (op->result < 0)
		return; /* it has failed already, and the failure is being recorded */
	/* A client was faster than the policy, or the policy was called off. */
	if (op->by_policy ? c->state.status != CT_RESTARTING
			  : container_alive(c) || c->state.status == CT_RESTARTING) {
		op_done(c, 1, NULL);
		return;
	}
	if (c->state.status == CT_DEAD || c->state.status == CT_REMOVING) {
		err_set(&err, ERR_CONFLICT,
			"container is marked for removal and cannot be started");
		op_done(c, err_ret(&err), &err);
		return;
	}
	if (c->shim || c->reap)
		return; /* lifecycle_go_on comes back here */
	timer_clear(&c->timer);
	if (!op->by_policy) {
		c->manual_stop = false;
		c->state.restart_count = 0;
		c->backoff = 0;
	}
	start_begin(c, started);
}

/* ---- stop, restart ---- */

static void kill_sent(void *arg, struct shim_reply *r)
{
	(void)arg;
	if (r->result < 0)
		log_debug("signal: %s", r->err->msg);
}

int container_stop_signal(const struct container *c)
{
	const char *name = c->spec.config.stop_signal;
	struct err ignored = ERR_INIT;
	int signo;

	return name && *name && rt_signal(name, &signo, &ignored) == 0 ? signo : SIGTERM;
}

void container_signal_event(struct container *c, int signo)
{
	char text[16];
	struct event_attr attr = { "signal", text };

	(void)snprintf(text, sizeof(text), "%d", signo);
	container_event(c, "kill", &attr, 1);
}

static void send_signal(struct container *c, int signo)
{
	container_signal_event(c, signo);
	shim_call_kill(c->shim, "", signo, false, kill_sent, NULL);
}

static void send_kill(struct container *c, struct op *op)
{
	op->killed = true;
	timer_set_after(&c->timer, KILL_PATIENCE);
	send_signal(c, SIGKILL);
}

static int stop_timeout(const struct container *c, const struct op *op)
{
	const struct opt_int *own = &c->spec.config.stop_timeout;

	if (op->timeout != INT_MIN)
		return op->timeout;
	if (!own->set)
		return 10;
	return own->v < 0 ? -1 : (int)MIN(own->v, INT_MAX);
}

static void send_stop(struct container *c, struct op *op)
{
	int timeout = stop_timeout(c, op);

	if (timeout == 0) {
		send_kill(c, op);
		return;
	}
	send_signal(c, op->signo ? op->signo : container_stop_signal(c));
	if (timeout > 0)
		timer_set_after(&c->timer, timeout * NS_PER_SEC);
}

static void settled_saved(void *arg, int result, struct err *err)
{
	struct container *c = arg;

	container_waits_fire(c, WAIT_NOT_RUNNING);
	op_done(c, result, err);
}

/* That it was stopped by hand is durable before the signal: else an engine killed in between would
 * start it again. */
static void stop_recorded(void *arg, int result, struct err *err)
{
	struct container *c = arg;

	if (result < 0) {
		c->manual_stop = false;
		op_done(c, result, err);
	} else if (container_alive(c) && c->shim) {
		send_stop(c, c->running_op);
	} /* else it has ended meanwhile: exit_saved ends the operation */
}

void lifecycle_cancel_restart(struct container *c)
{
	timer_clear(&c->timer);
	container_set_status(c, CT_EXITED);
}

static void begin_stop(struct container *c, struct op *op)
{
	if (c->state.status == CT_RESTARTING) {
		lifecycle_cancel_restart(c);
		if (op->kind == OP_STOP) {
			c->manual_stop = true;
			container_save(c, settled_saved, c);
			return;
		}
	}
	if (!container_alive(c)) {
		if (op->kind == OP_RESTART) {
			op->starting = true;
			begin_start(c, op);
		} else {
			op_done(c, 1, NULL);
		}
		return;
	}
	if (!c->shim)
		return; /* its shim was killed: the exit is on its way */
	if (op->kind == OP_STOP && lifecycle_has_policy(c)) {
		c->manual_stop = true;
		container_save(c, stop_recorded, c);
		return;
	}
	send_stop(c, op);
}

static bool is_stopping(const struct container *c)
{
	const struct op *op = c->running_op;

	return op && (op->kind == OP_STOP || (op->kind == OP_RESTART && !op->starting));
}

static int timer_fired(struct timer *t)
{
	struct container *c = CONTAINER_OF(t, struct container, timer);
	struct op *op = c->running_op;

	if (op && container_alive(c) && c->shim && (is_stopping(c) || op->kind == OP_REMOVE)) {
		struct err err = ERR_INIT;

		if (!op->killed) {
			send_kill(c, op);
			return 0;
		}
		err_set(&err, ERR_SYSTEM,
			"tried to kill container %s, but did not receive an exit event", c->id);
		op_done(c, err_ret(&err), &err);
	} else if (c->state.status == CT_RESTARTING) {
		op = op_new(OP_START, NULL, NULL);
		op->by_policy = true;
		op_push(c, op);
	}
	return 0;
}

/* ---- remove ---- */

void lifecycle_freed(struct container *c)
{
	struct engine *e = c->e;
	char id[ID_LEN + 1];
	struct err ignored = ERR_INIT;

	memcpy(id, c->id, sizeof(id));
	/* A socket and an empty directory: what is left is removed by the next engine. */
	image_rootfs_release(c->run_dir);
	(void)fd_remove_tree(AT_FDCWD, c->run_dir, &ignored);
	container_free(c);
	container_trash(e, id);
}

/* Whoever queued behind the removal. */
static void refuse_rest(struct container *c)
{
	struct op *op;

	while ((op = op_first(c))) {
		engine_done *done = op->done;
		void *arg = op->arg;
		struct err gone = ERR_INIT;

		op_free(op);
		err_set(&gone, ERR_NOT_FOUND, "No such container: %s", c->id);
		if (done)
			done(arg, err_ret(&gone), &gone);
	}
}

static void row_deleted(void *arg, int result, struct err *err)
{
	struct container *c = arg;
	struct op *op = c->running_op;
	engine_done *done = op->done;
	void *done_arg = op->arg;

	if (result < 0) { /* nothing is changed: it can be tried again */
		container_set_status(c, c->state.finished == CLOCK_ZERO ? CT_CREATED : CT_EXITED);
		container_save(c, NULL, NULL);
		container_waits_fire(c, WAIT_NOT_RUNNING);
		op_done(c, result, err);
		return;
	}
	c->removed = true;
	container_unlink(c);
	list_append(&c->e->leaving, &c->link);
	container_event(c, "destroy", NULL, 0);
	op_free(op);
	c->running_op = NULL;
	container_waits_fire(c, WAIT_REMOVED);
	if (done)
		done(done_arg, 0, NULL);
	refuse_rest(c);
	if (!c->shim && !c->reap)
		lifecycle_freed(c);
}

static void remove_go_on(struct container *c, struct op *op)
{
	op->deleting = true;
	timer_clear(&c->timer);
	if (c->state.status != CT_DEAD)
		container_set_status(c, CT_REMOVING);
	container_delete_row(c, row_deleted, c);
}

static void begin_remove(struct container *c, struct op *op)
{
	bool restarting = c->state.status == CT_RESTARTING;
	struct err err = ERR_INIT;

	if ((container_alive(c) || restarting) && !op->force) {
		err_set(&err, ERR_CONFLICT,
			"cannot remove container \"/%s\": container is %s: stop the container "
			"before removing or force remove",
			c->name, container_status_name(c->state.status));
		op_done(c, err_ret(&err), &err);
		return;
	}
	if (container_alive(c)) {
		c->manual_stop = true;
		if (c->shim)
			send_kill(c, op);
		return; /* lifecycle_exited goes on */
	}
	if (!c->reap) /* else lifecycle_go_on comes back */
		remove_go_on(c, op);
}

/* ---- rename ---- */

static void renamed(void *arg, int result, struct err *err)
{
	struct container *c = arg;
	struct op *op = c->running_op;

	/* The map borrows its key: the new name is entered again from its final place. */
	map_del(&c->e->by_name, slice_str(op->name));
	if (result == 0) {
		const struct event_attr attr = { "oldName", c->name };
		char *old = c->name;

		map_del(&c->e->by_name, slice_str(c->name));
		c->name = STEAL(op->name);
		map_put(&c->e->by_name, slice_str(c->name), c);
		container_event(c, "rename", &attr, 1);
		free(old);
	}
	op_done(c, result, err);
}

static void begin_rename(struct container *c, struct op *op)
{
	struct container *holder = map_get(&c->e->by_name, slice_str(op->name));
	struct err err = ERR_INIT;

	if (holder) {
		if (holder == c)
			err_set(&err, ERR_BAD_REQUEST,
				"Renaming a container with the same name as its current name");
		else
			err_set(&err, ERR_CONFLICT,
				"Conflict. The container name \"/%s\" is already in use by "
				"container \"%s\". You have to remove (or rename) that container "
				"to be able to reuse that name.",
				op->name, holder->id);
		op_done(c, err_ret(&err), &err);
		return;
	}
	map_put(&c->e->by_name, slice_str(op->name), c); /* reserved; found only when durable */
	container_rename_row(c, op->name, renamed, c);
}

static void (*const begin[])(struct container *c, struct op *op) = {
	[OP_START] = begin_start,   [OP_STOP] = begin_stop,	[OP_RESTART] = begin_stop,
	[OP_REMOVE] = begin_remove, [OP_RENAME] = begin_rename,
};

/* Begins the first operation unless one is under way already. */
static void ops_run(struct container *c)
{
	struct op *op = op_first(c);

	if (!op || c->running_op || c->settling || c->e->closing)
		return;
	c->running_op = op;
	begin[op->kind](c, op);
}

/* The run before has left: what waited for that goes on. */
void lifecycle_go_on(struct container *c)
{
	struct op *op = c->running_op;

	if (!op || c->start || c->shim || c->reap || c->settling || c->e->closing)
		return;
	if (op->result < 0)
		return; /* its failure is being recorded */
	if (op->kind == OP_START || op->starting)
		begin_start(c, op);
	else if (op->kind == OP_REMOVE && !op->deleting && !container_alive(c))
		remove_go_on(c, op);
}

/* ---- exits ---- */

static void die_events(struct container *c)
{
	char code[16], duration[24];
	struct event_attr attrs[] = { { "execDuration", duration }, { "exitCode", code } };
	int64_t ran = c->state.started == CLOCK_ZERO ? 0 : c->state.finished - c->state.started;

	(void)snprintf(code, sizeof(code), "%d", c->state.exit_code);
	(void)snprintf(duration, sizeof(duration), "%lld", (long long)(ran / NS_PER_SEC));
	if (c->state.oom_killed && !c->oom_told)
		container_event(c, "oom", NULL, 0);
	container_event(c, "die", attrs, 2);
	if (*c->left_network)
		container_network_event(c, "disconnect", c->left_network);
	*c->left_network = '\0';
}

/* As docker: doubled each time, from the start again after a run of ten seconds. */
static void restart_later(struct container *c)
{
	int64_t ran = c->state.finished - c->state.started;

	c->backoff = ran >= BACKOFF_RESET || c->backoff == 0 ? BACKOFF_FIRST
							     : MIN(c->backoff * 2, BACKOFF_MAX);
	timer_set_after(&c->timer, c->backoff);
}

static void exit_saved(void *arg, int result, struct err *err)
{
	struct container *c = arg;

	(void)result; /* logged; the shim's record is on disk */
	(void)err;
	c->settling = false;
	die_events(c);
	if (c->state.status == CT_RESTARTING)
		restart_later(c);
	else
		container_waits_fire(c, WAIT_NOT_RUNNING);
	if (!is_stopping(c)) {
		if (c->spec.host.auto_remove)
			push_removal(c);
		lifecycle_go_on(c);
		kick(c);
		return;
	}
	container_event(c, "stop", NULL, 0);
	if (c->running_op->kind == OP_RESTART) {
		c->running_op->starting = true;
		begin_start(c, c->running_op);
		return;
	}
	if (c->spec.host.auto_remove)
		push_removal(c);
	op_done(c, 0, NULL);
}

void lifecycle_exited(struct container *c, const struct shim_exit *x)
{
	struct op *op = c->running_op;

	if (c->start) { /* started() comes back when the start is told */
		c->exit_held = true;
		c->held = *x;
		return;
	}
	timer_clear(&c->timer);
	netns_hold(c->e, STEAL_FD(c->netns), &c->ep);
	str_copy(c->left_network, sizeof(c->left_network), c->ep.network_id);
	c->ep = (struct network_endpoint){ 0 };
	c->state.exit_code = shim_exit_code(x);
	c->state.oom_killed = x->oom;
	c->state.finished = x->finished ? x->finished : clock_real();
	if (x->started)
		c->state.started = x->started;
	container_set_status(c, CT_EXITED);
	container_show_endpoint(c);
	exec_container_gone(c);
	if (op && op->kind == OP_REMOVE) {
		die_events(c);
		remove_go_on(c, op);
		return;
	}
	if (c->spec.host.auto_remove && !op) {
		/* One commit instead of two: the row goes, and with it the exit that nobody can ask
		 * for any more. */
		die_events(c);
		container_waits_fire(c, WAIT_NOT_RUNNING);
		push_removal(c);
		return;
	}
	if (!is_stopping(c) && lifecycle_wants_restart(c)) {
		c->state.restart_count++;
		container_set_status(c, CT_RESTARTING);
	}
	c->settling = true;
	container_save(c, exit_saved, c);
}

void lifecycle_init(struct container *c)
{
	timer_init(&c->timer, c->e->loop, timer_fired);
}

void lifecycle_fini(struct container *c)
{
	struct op *op;

	while ((op = op_first(c))) {
		engine_done *done = op->done;
		void *arg = op->arg;
		struct err err = ERR_INIT;

		if (op == c->running_op && op->kind == OP_RENAME && op->name)
			map_del(&c->e->by_name, slice_str(op->name));
		op_free(op);
		err_set(&err, ERR_UNAVAILABLE, "the engine is going down");
		if (done)
			done(arg, err_ret(&err), &err);
	}
	c->running_op = NULL;
}

/* ---- calls of fronts ---- */

void engine_start(struct engine *e, struct container *c, engine_done *fn, void *arg)
{
	(void)e;
	op_push(c, op_new(OP_START, fn, arg));
}

void engine_stop(struct engine *e, struct container *c, int signo, int timeout, engine_done *fn,
		 void *arg)
{
	struct op *op = op_new(OP_STOP, fn, arg);

	(void)e;
	op->signo = signo;
	op->timeout = timeout;
	op_push(c, op);
}

void engine_restart(struct engine *e, struct container *c, int signo, int timeout, engine_done *fn,
		    void *arg)
{
	struct op *op = op_new(OP_RESTART, fn, arg);

	(void)e;
	op->signo = signo;
	op->timeout = timeout;
	op_push(c, op);
}

void engine_remove(struct engine *e, struct container *c, bool force, bool volumes, engine_done *fn,
		   void *arg)
{
	struct op *op = op_new(OP_REMOVE, fn, arg);

	(void)e;
	op->force = force;
	op->volumes = volumes;
	op_push(c, op);
}

void engine_rename(struct engine *e, struct container *c, const char *name, engine_done *fn,
		   void *arg)
{
	struct op *op;

	name += name[0] == '/';
	if (!name_valid(name)) {
		struct err err = ERR_INIT;

		err_set(&err, ERR_BAD_REQUEST,
			"Invalid container name (%s), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed",
			name);
		answer_later(e, fn, arg, &err);
		return;
	}
	op = op_new(OP_RENAME, fn, arg);
	op->name = strdup(name);
	if (!op->name)
		abort();
	op_push(c, op);
}
