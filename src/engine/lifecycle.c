/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a container: operations one at a time, exits, the restart policy, and what a new
 * engine finds.
 *
 * The queue's first operation is under way; op_done ends it and kicks the next. A start waits until
 * the shim of the run before has gone, since it removes the runtime's state as its last act.
 */
#include "engine/private.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <unistd.h>

#define BACKOFF_FIRST (100 * NS_PER_MS)
#define BACKOFF_MAX (60 * NS_PER_SEC)
#define BACKOFF_RESET (10 * NS_PER_SEC)

static void ops_run(struct container *c);
static void remove_go_on(struct container *c, struct op *op);

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

/* Ends the operation under way; the container may be freed in between only by the removal itself.
 */
static void op_done(struct container *c, struct op *op, int result, struct err *err)
{
	engine_done *done = op->done;
	void *arg = op->arg;

	op_free(op);
	c->running_op = NULL;
	if (done)
		done(arg, result, err);
	ops_run(c);
}

/* ---- kicks: an operation never begins before the call that queued it has returned ---- */

struct kick {
	struct post post;
	struct engine *e;
	char id[ID_LEN + 1];
};

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
	struct kick *k = calloc(1, sizeof(*k));

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

static struct op *op_new(enum op_kind kind, engine_done *done, void *arg)
{
	struct op *op = calloc(1, sizeof(*op));

	if (!op)
		abort();
	op->kind = kind;
	op->done = done;
	op->arg = arg;
	return op;
}

/* ---- start ---- */

static bool wants_restart(const struct container *c)
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
	(void)result;
	(void)err;
	(void)arg;
}

static void started(struct container *c, int result, struct err *err)
{
	struct op *op = op_first(c);

	if (result < 0) {
		container_set_error(c, err->msg);
		c->state.exit_code = rt_exit_code(err);
		container_set_status(c, c->state.finished == CLOCK_ZERO ? CT_CREATED : CT_EXITED);
		container_save(c, failure_saved, NULL);
		container_waits_fire(c, WAIT_NOT_RUNNING);
		if (c->spec.host.auto_remove)
			op_push(c, op_new(OP_REMOVE, NULL, NULL));
	}
	op_done(c, op, result, err);
}

static void begin_start(struct container *c, struct op *op)
{
	struct err err = ERR_INIT;

	if (container_alive(c)) {
		op_done(c, op, 1, NULL);
		return;
	}
	if (c->state.status == CT_DEAD || c->state.status == CT_REMOVING) {
		err_set(&err, ERR_CONFLICT,
			"container is marked for removal and cannot be started");
		op_done(c, op, err_ret(&err), &err);
		return;
	}
	if (c->shim || c->reaping)
		return; /* continue_start comes back here */
	timer_clear(&c->timer);
	c->manual_stop = false;
	start_begin(c, started);
}

/* The run before has left: a start that waited for it goes on. */
static void continue_start(struct container *c)
{
	struct op *op = c->running_op;

	if (op && !c->start && !c->shim && !c->reaping && (op->kind == OP_START || op->starting))
		begin_start(c, op);
}

/* ---- stop, restart ---- */

static void kill_sent(void *arg, struct shim_reply *r)
{
	(void)arg;
	if (r->result < 0)
		log_debug("signal: %s", r->err->msg);
}

static int stop_signal(const struct container *c, const struct op *op)
{
	const char *name = c->spec.config.stop_signal;
	struct err ignored = ERR_INIT;
	int signo;

	if (op->signo)
		return op->signo;
	return name && *name && rt_signal(name, &signo, &ignored) == 0 ? signo : SIGTERM;
}

static void send_signal(struct container *c, int signo)
{
	shim_call_kill(c->shim, "", signo, false, kill_sent, NULL);
}

static int stop_timeout(const struct container *c, const struct op *op)
{
	if (op->timeout != INT_MIN)
		return op->timeout;
	return c->spec.config.stop_timeout.set ? (int)MIN(c->spec.config.stop_timeout.v, INT_MAX)
					       : 10;
}

static void settled_saved(void *arg, int result, struct err *err)
{
	struct container *c = arg;
	struct op *op = op_first(c);

	container_waits_fire(c, WAIT_NOT_RUNNING);
	op_done(c, op, result, err);
}

static void begin_stop(struct container *c, struct op *op)
{
	int timeout = stop_timeout(c, op);

	c->manual_stop = op->kind == OP_STOP;
	if (c->state.status ==
	    CT_RESTARTING) { /* nothing runs: only the policy's timer is taken back */
		timer_clear(&c->timer);
		container_set_status(c, CT_EXITED);
		if (op->kind == OP_STOP) {
			container_save(c, settled_saved, c);
			return;
		}
	}
	if (!container_alive(c) || !c->shim) {
		if (op->kind == OP_RESTART) {
			op->starting = true;
			begin_start(c, op);
		} else {
			op_done(c, op, 1, NULL);
		}
		return;
	}
	if (timeout == 0) {
		op->killed = true;
		send_signal(c, SIGKILL);
		return;
	}
	send_signal(c, stop_signal(c, op));
	if (timeout > 0)
		timer_set_after(&c->timer, timeout * NS_PER_SEC);
}

static int timer_fired(struct timer *t)
{
	struct container *c = CONTAINER_OF(t, struct container, timer);
	struct op *op = op_first(c);

	if (op && container_alive(c) && c->shim) {
		op->killed = true;
		send_signal(c, SIGKILL);
	} else if (c->state.status == CT_RESTARTING) {
		c->state.restart_count++;
		op_push(c, op_new(OP_START, NULL, NULL));
	}
	return 0;
}

/* ---- remove ---- */

static void finally_free(struct container *c)
{
	struct engine *e = c->e;
	char id[ID_LEN + 1];
	CLEANUP(arena_free) struct arena *a = arena_new("remove", 65536);
	const char *run_dir = container_run_dir(c, a);
	struct err ignored = ERR_INIT;

	memcpy(id, c->id, sizeof(id));
	(void)fd_remove_tree(
		AT_FDCWD, run_dir,
		&ignored); /* a socket and an empty directory: next start makes them anew */
	container_free(c);
	container_trash(e, id);
}

static void row_deleted(void *arg, int result, struct err *err)
{
	struct container *c = arg;
	struct op *op = op_first(c);
	engine_done *done = op->done;
	void *done_arg = op->arg;

	if (result < 0) {
		container_set_status(c, CT_DEAD);
		op_done(c, op, result, err);
		return;
	}
	c->removed = true;
	container_unlink(c);
	container_event(c, "destroy", NULL, 0);
	op_free(op);
	c->running_op = NULL;
	container_waits_fire(c, WAIT_REMOVED);
	if (done)
		done(done_arg, 0, NULL);
	while ((op = op_first(c))) { /* whoever queued behind the removal */
		struct err gone = ERR_INIT;

		done = op->done;
		done_arg = op->arg;
		op_free(op);
		err_set(&gone, ERR_NOT_FOUND, "No such container: %s", c->id);
		if (done)
			done(done_arg, err_ret(&gone), &gone);
	}
	if (!c->shim)
		finally_free(c);
}

static void remove_go_on(struct container *c, struct op *op)
{
	(void)op;
	container_set_status(c, CT_REMOVING);
	timer_clear(&c->timer);
	container_delete_row(c, row_deleted, c);
}

static void begin_remove(struct container *c, struct op *op)
{
	struct err err = ERR_INIT;

	if (container_alive(c) && !op->force) {
		err_set(&err, ERR_CONFLICT,
			"cannot remove container \"/%s\": container is running: stop the container "
			"before removing or force remove",
			c->name);
		op_done(c, op, err_ret(&err), &err);
		return;
	}
	if (container_alive(c) && c->shim) {
		c->manual_stop = true;
		op->killed = true;
		send_signal(c, SIGKILL);
		return; /* lifecycle_exited goes on */
	}
	remove_go_on(c, op);
}

/* ---- rename ---- */

static void renamed(void *arg, int result, struct err *err)
{
	struct container *c = arg;
	struct op *op = op_first(c);

	if (result < 0) {
		map_del(&c->e->by_name, slice_str(op->name));
	} else {
		const struct event_attr attr = { "oldName", c->name };

		map_del(&c->e->by_name, slice_str(c->name));
		/* The map borrows its key: enter the name again from its final place. */
		map_del(&c->e->by_name, slice_str(op->name));
		free(c->name);
		c->name = strdup(op->name);
		if (!c->name)
			abort();
		map_put(&c->e->by_name, slice_str(c->name), c);
		container_event(c, "rename", &attr, 1);
	}
	op_done(c, op, result, err);
}

static void begin_rename(struct container *c, struct op *op)
{
	struct container *holder = map_get(&c->e->by_name, slice_str(op->name));
	struct err err = ERR_INIT;

	if (holder) {
		err_set(&err, ERR_CONFLICT,
			"Conflict. The container name \"/%s\" is already in use by container "
			"\"%s\". You have to remove (or rename) that container to be able to reuse "
			"that name.",
			op->name, holder->id);
		op_done(c, op, err_ret(&err), &err);
		return;
	}
	map_put(&c->e->by_name, slice_str(op->name), c);
	container_rename_row(c, op->name, renamed, c);
}

static void (*const begin[])(struct container *c, struct op *op) = {
	[OP_START] = begin_start,   [OP_STOP] = begin_stop,	[OP_RESTART] = begin_stop,
	[OP_REMOVE] = begin_remove, [OP_RENAME] = begin_rename,
};

/* Begins the first operation unless it is under way already. */
static void ops_run(struct container *c)
{
	struct op *op = op_first(c);

	if (!op || c->running_op == op)
		return;
	c->running_op = op;
	begin[op->kind](c, op);
}

/* ---- exits ---- */

static void die_event(struct container *c)
{
	char code[16], duration[24];
	struct event_attr attrs[] = { { "execDuration", duration }, { "exitCode", code } };
	int64_t ran = c->state.started == CLOCK_ZERO ? 0 : c->state.finished - c->state.started;

	(void)snprintf(code, sizeof(code), "%d", c->state.exit_code);
	(void)snprintf(duration, sizeof(duration), "%lld", (long long)(ran / NS_PER_SEC));
	if (c->state.oom_killed)
		container_event(c, "oom", NULL, 0);
	container_event(c, "die", attrs, 2);
}

static void restart_later(struct container *c)
{
	int64_t ran = c->state.finished - c->state.started;

	c->backoff = ran > BACKOFF_RESET || c->backoff == 0 ? BACKOFF_FIRST
							    : MIN(c->backoff * 2, BACKOFF_MAX);
	timer_set_after(&c->timer, c->backoff);
}

static void exit_saved(void *arg, int result, struct err *err)
{
	struct container *c = arg;
	struct op *op = op_first(c);

	(void)result; /* logged; the shim's record is on disk */
	(void)err;
	die_event(c);
	if (c->state.status != CT_RESTARTING)
		container_waits_fire(c, WAIT_NOT_RUNNING);
	else
		restart_later(c);
	if (op && c->running_op == op &&
	    (op->kind == OP_STOP || (op->kind == OP_RESTART && !op->starting))) {
		container_event(c, "stop", NULL, 0);
		if (op->kind == OP_STOP) {
			op_done(c, op, 0, NULL);
		} else {
			op->starting = true;
			begin_start(c, op);
		}
	}
}

void lifecycle_exited(struct container *c, const struct shim_exit *x)
{
	struct op *op = op_first(c);
	bool removing = op && c->running_op == op && op->kind == OP_REMOVE;
	bool stopping = op && c->running_op == op &&
			(op->kind == OP_STOP || (op->kind == OP_RESTART && !op->starting));

	timer_clear(&c->timer);
	if (*c->ep.network_id && c->e->bridge)
		network_detach(c->e->bridge, &c->ep);
	c->ep = (struct network_endpoint){ 0 };
	c->state.exit_code = shim_exit_code(x);
	c->state.oom_killed = x->oom;
	c->state.finished = x->finished ? x->finished : clock_real();
	container_set_status(c, CT_EXITED);
	container_show_endpoint(c);
	exec_container_gone(c);
	if (removing) {
		die_event(c);
		remove_go_on(c, op);
		return;
	}
	if (c->spec.host.auto_remove &&
	    (!op || (op->kind == OP_START && c->running_op == op && op->link.next == &c->ops))) {
		/* One commit instead of two: the row goes, and with it the exit that nobody can ask
		 * for any more. */
		die_event(c);
		container_waits_fire(c, WAIT_NOT_RUNNING);
		op_push(c, op_new(OP_REMOVE, NULL, NULL));
		return;
	}
	if (wants_restart(c) && !stopping)
		container_set_status(c, CT_RESTARTING);
	container_save(c, exit_saved, c);
	if (c->spec.host.auto_remove)
		op_push(c, op_new(OP_REMOVE, NULL, NULL));
}

/* ---- the shim went away without telling an exit: it was killed ---- */

struct reap {
	struct work work;
	struct engine *e;
	char id[ID_LEN + 1];
	char *dir;
	struct shim_exit exit;
	bool found;
	struct err err;
};

static void take_init_exit(const struct shim_exit *x, void *arg)
{
	struct reap *r = arg;

	if (!*x->exec_id) {
		r->exit = *x;
		r->found = true;
	}
}

static void reap_run(struct work *w)
{
	struct reap *r = CONTAINER_OF(w, struct reap, work);
	CLEANUP(rt_close) struct rt_container *rc = NULL;
	CLEANUP(fd_close) int dir = openat(AT_FDCWD, r->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct err err = ERR_INIT;

	if (dir >= 0)
		(void)shim_exits_read(dir, take_init_exit, r, &err); /* unreadable = no record */
	err = ERR_INIT;
	if (rt_open(&r->e->rt, r->id, &rc, &err) == 0 && rt_delete(rc, true, &err) < 0)
		r->err = err;
}

static void reap_done(struct work *w)
{
	struct reap *r = CONTAINER_OF(w, struct reap, work);
	struct container *c = r->e->closing ? NULL : map_get(&r->e->by_id, slice_str(r->id));

	if (r->err.code)
		log_error("container %s: cleaning up after its shim: %s", r->id, r->err.msg);
	if (!r->found)
		r->exit = (struct shim_exit){ .status = SIGKILL, .finished = clock_real() };
	if (c && c->reaping) {
		c->reaping = false;
		if (!r->found)
			container_set_error(
				c,
				"the container's shim was killed; the container was ended with it");
		if (container_alive(c))
			lifecycle_exited(c, &r->exit);
		continue_start(c);
	}
	free(r->dir);
	free(r);
}

static void reap_start(struct container *c)
{
	struct reap *r = calloc(1, sizeof(*r));
	struct err err = ERR_INIT;

	if (!r)
		abort();
	r->e = c->e;
	memcpy(r->id, c->id, sizeof(r->id));
	r->dir = strdup(c->dir);
	if (!r->dir)
		abort();
	c->reaping = true;
	if (work_submit(c->e->pool, &r->work, reap_run, reap_done, &err) < 0) {
		reap_run(&r->work);
		reap_done(&r->work);
	}
}

/* ---- what the shim tells ---- */

static void on_hello(void *arg, const struct shim_hello *h)
{
	struct container *c = arg;

	if (c->start)
		return; /* our own new shim */
	for (uint32_t i = 0; i < h->nprocs; i++)
		if (!*h->procs[i].exec_id) {
			c->state.pid = h->procs[i].pid;
			if (!h->procs[i].running && h->phase == SHIM_STOPPED) {
				c->shim_exited = true;
				lifecycle_exited(c, &h->procs[i].exit);
				return;
			}
		}
	if (h->phase != SHIM_RUNNING) { /* a start that the engine before us did not finish */
		shim_call_delete(c->shim, NULL, NULL);
		return;
	}
	if (c->state.status != CT_RUNNING) {
		c->state.started = h->started;
		container_set_error(c, "");
		c->state.status = CT_RUNNING;
		container_save(c, NULL, NULL);
	}
}

static void on_exited(void *arg, const struct shim_exit *x)
{
	struct container *c = arg;

	if (*x->exec_id) {
		exec_exited(c, x);
		return;
	}
	c->shim_exited = true;
	if (c->start && !c->launched)
		return; /* it never ran: on_started's failure or gone() tells */
	lifecycle_exited(c, x);
}

static void on_oom(void *arg, int64_t when)
{
	struct container *c = arg;

	(void)when;
	c->state.oom_killed = true;
}

static void on_detached(void *arg, const char *exec_id, bool by_keys)
{
	struct container *c = arg;
	struct event_attr attr = { "execID", exec_id };

	if (!by_keys)
		return;
	container_event(c, *exec_id ? "exec_detach" : "detach", &attr, *exec_id ? 1 : 0);
}

static void on_gone(void *arg)
{
	struct container *c = arg;
	struct err err = ERR_INIT;

	shim_client_free(c->shim);
	c->shim = NULL;
	if (c->removed) {
		finally_free(c);
		return;
	}
	if (c->start && !c->launched) {
		err_set(&err, ERR_SYSTEM, "the container's shim ended during the start");
		if (!c->shim_exited)
			reap_start(c);
		start_abort(c, &err);
		return;
	}
	if (!c->shim_exited && container_alive(c)) {
		log_warn("container %s: its shim was killed", c->id);
		reap_start(c);
		return;
	}
	continue_start(c);
}

const struct shim_events *lifecycle_shim_events(void)
{
	static const struct shim_events ev = {
		.hello = on_hello,
		.exited = on_exited,
		.oom = on_oom,
		.detached = on_detached,
		.gone = on_gone,
	};

	return &ev;
}

/* ---- a new engine ---- */

static void take_address(struct container *c)
{
	struct network_info info;
	struct err err = ERR_INIT;
	struct in_addr wanted, got;

	if (!*c->ip || !c->e->bridge || inet_pton(AF_INET, c->ip, &wanted) != 1)
		return;
	if (network_up(c->e->bridge, &err) < 0 ||
	    network_ipam_take(c->e->bridge, &wanted, &got, &err) < 0) {
		log_warn("container %s: its address %s cannot be kept: %s", c->id, c->ip, err.msg);
		return;
	}
	network_info(c->e->bridge, &info);
	str_copy(c->ep.network_id, sizeof(c->ep.network_id), info.id);
	c->ep.addr =
		(struct rtnl_addr){ .family = AF_INET, .prefix = info.subnet.prefix, .v4 = got };
	c->ep.gateway = info.gateway;
	c->ep.mac[0] = 0x02;
	c->ep.mac[1] = 0x42;
	memcpy(c->ep.mac + 2, &got, 4);
}

void lifecycle_adopt(struct container *c)
{
	CLEANUP(arena_free) struct arena *a = arena_new("adopt", 65536);
	struct shim_where where = { .program = c->e->oci_program,
				    .run_dir = container_run_dir(c, a),
				    .id = c->id,
				    .log_fd = 2 };
	bool was_alive = container_alive(c);
	struct err err = ERR_INIT;

	timer_init(&c->timer, c->e->loop, timer_fired);
	if (shim_connect(c->e->loop, &where, lifecycle_shim_events(), c, &c->shim, &err) == 0) {
		if (was_alive)
			take_address(c);
		container_show_endpoint(c);
		return;
	}
	container_show_endpoint(c);
	if (was_alive) {
		reap_start(c);
		return;
	}
	if (faccessat(AT_FDCWD, arena_printf(a, "%s/%s", c->e->oci_root, c->id), F_OK, 0) == 0)
		reap_start(c); /* left by a start that was interrupted */
	if (c->state.status == CT_REMOVING ||
	    (c->spec.host.auto_remove && c->state.status == CT_EXITED))
		op_push(c, op_new(OP_REMOVE, NULL, NULL));
	else if (c->state.status == CT_RESTARTING ||
		 (c->state.status == CT_EXITED && wants_restart(c) && c->spec.host.restart.name &&
		  strcmp(c->spec.host.restart.name, "on-failure") != 0))
		op_push(c, op_new(OP_START, NULL, NULL));
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

		op_free(op);
		err_set(&err, ERR_UNAVAILABLE, "the engine is going down");
		if (done)
			done(arg, err_ret(&err), &err);
	}
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

struct kill_call {
	struct engine_wait wait;
	struct container *c;
	int signo;
	engine_done *fn;
	void *arg;
};

static void kill_over(struct engine_wait *w, int exit_code, const char *error)
{
	struct kill_call *k = CONTAINER_OF(w, struct kill_call, wait);

	(void)exit_code;
	(void)error;
	k->fn(k->arg, 0, NULL);
	free(k);
}

static void kill_answered(void *arg, struct shim_reply *r)
{
	struct kill_call *k = arg;

	/* docker tells of a kill -9 only when the container has ended */
	if (r->result == 0 && k->signo == SIGKILL && container_alive(k->c)) {
		k->wait.condition = WAIT_NOT_RUNNING;
		k->wait.fn = kill_over;
		engine_wait_start(k->c->e, k->c, &k->wait);
		return;
	}
	k->fn(k->arg, r->result, r->err);
	free(k);
}

void engine_kill(struct engine *e, struct container *c, int signo, engine_done *fn, void *arg)
{
	struct kill_call *k = calloc(1, sizeof(*k));
	char text[16];
	struct event_attr attr = { "signal", text };
	struct op probe = { .signo = 0 };

	(void)e;
	if (!k)
		abort();
	*k = (struct kill_call){ .c = c, .signo = signo, .fn = fn, .arg = arg };
	if (!container_alive(c) || !c->shim) {
		struct err err = ERR_INIT;

		err_set(&err, ERR_CONFLICT,
			"cannot kill container: %s: container %s is not running", c->name, c->id);
		free(k);
		fn(arg, err_ret(&err), &err);
		return;
	}
	if (signo == SIGKILL || signo == stop_signal(c, &probe))
		c->manual_stop = true;
	(void)snprintf(text, sizeof(text), "%d", signo);
	container_event(c, "kill", &attr, 1);
	shim_call_kill(c->shim, "", signo, false, kill_answered, k);
}

void engine_rename(struct engine *e, struct container *c, const char *name, engine_done *fn,
		   void *arg)
{
	struct op *op;

	(void)e;
	name += name[0] == '/';
	if (!name_valid(name)) {
		struct err err = ERR_INIT;

		err_set(&err, ERR_BAD_REQUEST,
			"Invalid container name (%s), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed",
			name);
		fn(arg, err_ret(&err), &err);
		return;
	}
	op = op_new(OP_RENAME, fn, arg);
	op->name = strdup(name);
	if (!op->name)
		abort();
	op_push(c, op);
}

struct simple_call {
	engine_done *fn;
	void *arg;
};

static void simple_answered(void *arg, struct shim_reply *r)
{
	struct simple_call *s = arg;

	s->fn(s->arg, r->result, r->err);
	free(s);
}

void engine_resize(struct engine *e, struct container *c, unsigned rows, unsigned cols,
		   engine_done *fn, void *arg)
{
	struct simple_call *s;

	(void)e;
	if (!container_alive(c) || !c->shim) {
		struct err err = ERR_INIT;

		err_set(&err, ERR_CONFLICT, "container %s is not running", c->id);
		fn(arg, err_ret(&err), &err);
		return;
	}
	s = calloc(1, sizeof(*s));
	if (!s)
		abort();
	*s = (struct simple_call){ fn, arg };
	shim_call_resize(c->shim, "", rows, cols, simple_answered, s);
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
	return 0;
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
	if (container_alive(c) && c->shim) {
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
	buf_add(&p->unread, o->unread.p, o->unread.n);
	buf_add(&p->keys, o->detach_keys.p, o->detach_keys.n);
	list_append(&c->attaches, &p->link);
}
