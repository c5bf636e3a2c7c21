/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Execs: further processes in a running container. They live in memory only, as docker's do: the
 * processes are the shim's children, and their exits are in its records. An exec that has ended can
 * be asked about for five minutes.
 */
#include "engine/private.h"

#define EXEC_KEEP (300 * NS_PER_SEC)
#define EXECS_MAX 10000
/* dockerd's exit codes of a process that could not be started. */
enum { EXEC_CANNOT_RUN = 126, EXEC_NOT_FOUND = 127, EXEC_UNKNOWN = 128 };

static void exec_free(struct exec *x)
{
	map_del(&x->c->e->execs, slice_str(x->id));
	list_del(&x->link);
	timer_fini(&x->expire);
	arena_free(x->arena);
	free(x);
}

void exec_free_all(struct container *c)
{
	struct exec *x;

	LIST_FOREACH (x, &c->execs, struct exec, link) {
		engine_done *done = x->done;
		void *arg = x->arg;
		struct err err = ERR_INIT;

		exec_free(x);
		err_set(&err, ERR_UNAVAILABLE, "the engine is going down");
		if (done)
			done(arg, err_ret(&err), &err);
	}
}

static int expired(struct timer *t)
{
	exec_free(CONTAINER_OF(t, struct exec, expire));
	return 0;
}

static const char *const *copy_strings(struct arena *a, const char *const *v, size_t n)
{
	const char **copy = ARENA_ARRAY(a, const char *, n + 1);

	for (size_t i = 0; copy && i < n; i++)
		copy[i] = arena_strdup(a, v[i]);
	return copy;
}

static void exec_event(struct exec *x, const char *what, const char *exit_code)
{
	struct event_attr attrs[] = { { "execID", x->id }, { "exitCode", exit_code } };
	char action[512];

	if (x->spec.ncmd && strcmp(what, "exec_die") != 0) {
		CLEANUP(buf_fini) struct buf b = BUF_INIT(sizeof(action) - 1);

		buf_addf(&b, "%s: %s", what, x->spec.cmd[0]);
		for (size_t i = 1; i < x->spec.ncmd; i++)
			buf_addf(&b, " %s", x->spec.cmd[i]);
		str_copy(action, sizeof(action), buf_str(&b));
		what = action;
	}
	container_event(x->c, what, attrs, exit_code ? 2 : 1);
}

int engine_exec_create(struct engine *e, struct container *c, const struct exec_spec *spec,
		       const char **ret_id, struct err *err)
{
	struct exec *x;

	if (c->state.status == CT_PAUSED)
		return err_set(err, ERR_CONFLICT,
			       "container %s is paused, unpause the container before exec", c->id);
	if (!container_alive(c))
		return err_set(err, ERR_CONFLICT, "container %s is not running", c->id);
	if (!spec->ncmd)
		return err_set(err, ERR_BAD_REQUEST, "No exec command specified");
	if (map_count(&e->execs) >= EXECS_MAX)
		return err_set(err, ERR_QUOTA,
			       "more than %d execs are kept; wait until old ones are forgotten",
			       EXECS_MAX);
	x = calloc(1, sizeof(*x));
	if (!x)
		abort();
	x->c = c;
	x->arena = arena_new("exec", 1u << 20);
	random_hex(x->id, ID_LEN);
	x->spec = *spec;
	x->spec.cmd = copy_strings(x->arena, spec->cmd, spec->ncmd);
	x->spec.env = copy_strings(x->arena, spec->env, spec->nenv);
	x->spec.user = spec->user ? arena_strdup(x->arena, spec->user) : NULL;
	x->spec.cwd = spec->cwd ? arena_strdup(x->arena, spec->cwd) : NULL;
	x->spec.detach_keys =
		slice_of(arena_strndup(x->arena, spec->detach_keys.p, spec->detach_keys.n),
			 spec->detach_keys.n);
	x->state = (struct exec_state){ .id = x->id, .container_id = c->id, .spec = &x->spec };
	timer_init(&x->expire, e->loop, expired);
	list_init(&x->link);
	if (arena_exceeded(x->arena)) {
		arena_quota(x->arena, err);
		exec_free(x);
		return err_ret(err);
	}
	list_append(&c->execs, &x->link);
	map_put(&e->execs, slice_str(x->id), x);
	timer_set_after(&x->expire, EXEC_KEEP); /* one that is never started goes too */
	exec_event(x, "exec_create", NULL);
	*ret_id = x->id;
	return 0;
}

int engine_exec_find(struct engine *e, const char *id, struct exec **ret, struct err *err)
{
	struct exec *x = map_get(&e->execs, slice_str(id));

	if (!x)
		return err_set(err, ERR_NOT_FOUND, "No such exec instance: %s", id);
	*ret = x;
	return 0;
}

void exec_get_state(const struct exec *x, struct exec_state *ret)
{
	*ret = x->state;
}

int engine_exec_check(struct engine *e, struct exec *x, struct err *err)
{
	(void)e;
	if (x->state.has_exit || x->state.started)
		return err_set(err, ERR_CONFLICT, "Error: Exec command %s has already run", x->id);
	if (!container_alive(x->c) || !x->c->shim)
		return err_set(err, ERR_CONFLICT, "container %s is not running", x->c->id);
	return 0;
}

/* A client that has its stream learns of the failure by the exit code alone: without one it takes
 * 0.
 */
static void exec_failed(struct exec *x, int code)
{
	x->state.started = true;
	x->state.running = false;
	x->state.has_exit = true;
	x->state.exit_code = code;
	timer_set_after(&x->expire, EXEC_KEEP);
}

/* dockerd reads them out of the words, whatever it was that is missing or forbidden. */
static int refused_code(const struct err *err)
{
	int code = rt_exit_code(err);

	if (code >= EXEC_CANNOT_RUN)
		return code;
	if (strcasestr(err->msg, "permission denied") || strcasestr(err->msg, "is a directory"))
		return EXEC_CANNOT_RUN;
	if (strcasestr(err->msg, "no such file or directory") ||
	    strcasestr(err->msg, "not a directory"))
		return EXEC_NOT_FOUND;
	return EXEC_UNKNOWN;
}

static void exec_answered(void *arg, struct shim_reply *r)
{
	struct exec *x = arg;
	engine_done *done = x->done;

	x->done = NULL;
	if (r->result < 0) {
		exec_failed(x, refused_code(r->err));
		if (rt_exit_code(r->err) >= EXEC_CANNOT_RUN) { /* the request's fault, to docker */
			r->err->code = ERR_BAD_REQUEST;
			r->result = err_ret(r->err);
		}
	} else {
		x->state.pid = (int)wire_u32(&r->payload);
		exec_event(x, "exec_start", NULL);
	}
	if (done && x->in_call)
		answer_later(x->c->e, done, x->arg, r->result < 0 ? r->err : NULL);
	else if (done)
		done(x->arg, r->result, r->err);
}

void engine_exec_start(struct engine *e, struct exec *x, int fd_taken, struct slice unread,
		       unsigned rows, unsigned cols, engine_done *fn, void *arg)
{
	CLEANUP(arena_free) struct arena *a = arena_new("exec start", 1u << 20);
	struct container *c = x->c;
	struct err err = ERR_INIT;
	struct shim_exec rq = {
		.exec_id = slice_str(x->id),
		.rows = (uint16_t)rows,
		.cols = (uint16_t)cols,
		.detach_keys = x->spec.detach_keys,
		.unread = unread,
	};
	int r;

	r = engine_exec_check(e, x, &err);
	if (r == 0) {
		r = oci_exec_process(c, &x->spec, a, &rq.process, &err);
		if (r < 0)
			exec_failed(x, EXEC_CANNOT_RUN);
	}
	if (r < 0) {
		fd_close(fd_taken);
		answer_later(e, fn, arg, &err);
		return;
	}
	if (x->spec.tty)
		rq.flags |= SHIM_TTY;
	if (x->spec.attach_stdin && fd_taken >= 0)
		rq.flags |= SHIM_STDIN;
	rq.streams = (x->spec.attach_stdin ? SHIM_IN : 0) | (x->spec.attach_stdout ? SHIM_OUT : 0) |
		     (x->spec.attach_stderr ? SHIM_ERR : 0) | (x->spec.tty ? SHIM_RAW : 0);
	x->state.started = x->state.running = true;
	x->done = fn;
	x->arg = arg;
	timer_clear(&x->expire);
	x->in_call = true;
	shim_call_exec(c->shim, &rq, fd_taken, exec_answered, x);
	x->in_call = false;
	fd_close(fd_taken);
}

void exec_exited(struct container *c, const struct shim_exit *e)
{
	struct exec *x = map_get(&c->e->execs, slice_str(e->exec_id));
	char code[16];

	if (!x)
		return;
	if (x->state.has_exit)
		return;
	x->state.running = false;
	x->state.has_exit = true;
	x->state.exit_code = shim_exit_code(e);
	(void)snprintf(code, sizeof(code), "%d", x->state.exit_code);
	exec_event(x, "exec_die", code);
	timer_set_after(&x->expire, EXEC_KEEP);
}

/* The container has ended: its other processes ended with it. */
void exec_container_gone(struct container *c)
{
	struct exec *x;

	LIST_FOREACH (x, &c->execs, struct exec, link) {
		if (!x->state.running)
			continue;
		x->state.running = false;
		x->state.has_exit = true;
		x->state.exit_code = 137;
		timer_set_after(&x->expire, EXEC_KEEP);
	}
}

size_t engine_exec_ids(struct engine *e, struct container *c, const char **ids, size_t max)
{
	struct exec *x;
	size_t n = 0;

	(void)e;
	LIST_FOREACH (x, &c->execs, struct exec, link)
		if (x->state.running && n < max)
			ids[n++] = x->id;
	return n;
}
