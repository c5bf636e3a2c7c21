/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attach and exec: the request is answered with 101 (or 200), then the client's socket leaves this
 * process and the container's shim serves it. So streams survive the engine.
 */
#include "docker/private.h"

#include "runtime/shim.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

static const char raw_stream[] = "application/vnd.docker.raw-stream";
static const char mux_stream[] = "application/vnd.docker.multiplexed-stream";

/* Answers and takes the byte stream out of the server. -1 when the client has left meanwhile. */
static int take_stream(struct call *c, bool tty)
{
	bool upgrade = stream_request(c->s)->upgrade.n > 0;
	struct err err = ERR_INIT;
	bool relayed;
	int fd;

	(void)stream_set_header(c->s, "Content-Type",
				upgrade && !tty && c->minor >= 42 ? mux_stream : raw_stream);
	if (stream_hijack(c->s, upgrade ? 101 : 200, &err) < 0) {
		reply_err(c, &err);
		return -1;
	}
	if (stream_detach(c->s, &fd, &relayed, &err) < 0) {
		log_debug("hand over a stream: %s", err.msg);
		stream_reset(c->s, &err);
		return -1;
	}
	return fd;
}

static uint32_t wanted_streams(struct call *c, bool tty)
{
	uint32_t v = 0;

	if (query_bool(&c->q, "stdin", false))
		v |= SHIM_IN;
	if (query_bool(&c->q, "stdout", false))
		v |= SHIM_OUT;
	if (query_bool(&c->q, "stderr", false))
		v |= SHIM_ERR;
	if (query_bool(&c->q, "logs", false))
		v |= SHIM_LOGS;
	return tty ? v | SHIM_RAW : v;
}

void container_attach(struct call *c)
{
	struct attach_opts o = { 0 };
	const struct container_config *cc;
	struct container *ct;
	struct err err = ERR_INIT;
	int fd, r;

	if (call_container(c, &ct) < 0)
		return;
	cc = &container_spec(ct)->config;
	r = detach_keys_parse(c->a, query_get(&c->q, "detachKeys"), &o.detach_keys, &err);
	if (r == 0)
		r = engine_attach_check(c->e, ct, &err);
	if (r < 0) {
		reply_err(c, &err);
		return;
	}
	o.streams = wanted_streams(c, cc->tty);
	if (!cc->open_stdin)
		o.streams &= ~SHIM_IN;
	if (!query_bool(&c->q, "stream", false)) {
		if (o.streams & SHIM_LOGS)
			reply_fail(c, ERR_UNSUPPORTED,
				   "attaching to the logs only (logs=1 without stream=1) is not "
				   "supported yet: read /containers/{id}/logs");
		else
			reply_fail(c, ERR_BAD_REQUEST,
				   "attach: neither stream nor logs was asked for");
		return;
	}
	fd = take_stream(c, cc->tty);
	if (fd >= 0)
		engine_attach(c->e, ct, fd, &o);
}

/* ---- exec ---- */

/* A list of strings; one string alone is one of one. */
static int string_list(struct call *c, const struct doc *body, const char *key, struct strs *ret,
		       struct err *err)
{
	const struct doc *d = doc_get(body, key);
	const char **v;

	*ret = (struct strs){ 0 };
	if (!d || doc_is(d, DOC_NULL))
		return 0;
	v = ARENA_ARRAY(c->a, const char *, doc_len_of(d, DOC_ARRAY) + 1);
	if (!v)
		return arena_quota(c->a, err);
	ret->v = v;
	if (doc_is(d, DOC_STRING)) {
		v[ret->n++] = doc_cstr(c->a, d);
		return 0;
	}
	DOC_EACH (it, d) {
		v[ret->n] = doc_cstr(c->a, it);
		if (!v[ret->n++])
			break;
	}
	if (!doc_is(d, DOC_ARRAY) || (ret->n && !v[ret->n - 1]))
		return err_set(err, ERR_BAD_REQUEST, "%s: not a list of strings", key);
	return 0;
}

static const char *text_or_null(struct call *c, const struct doc *d)
{
	const char *s = doc_cstr(c->a, d);

	return s && *s ? s : NULL;
}

static void exec_create_body(struct call *c, struct doc *body)
{
	struct container *ct;
	struct exec_spec x;
	struct strs cmd, env;
	struct err err = ERR_INIT;
	const char *id;
	struct doc *o;
	int r;

	r = engine_container_find(c->e, c->ref, &ct, &err);
	if (r == 0)
		r = string_list(c, body, "Cmd", &cmd, &err);
	if (r == 0)
		r = string_list(c, body, "Env", &env, &err);
	if (r < 0) {
		reply_err(c, &err);
		return;
	}
	x = (struct exec_spec){
		.cmd = cmd.v,
		.ncmd = cmd.n,
		.env = env.v,
		.nenv = env.n,
		.user = text_or_null(c, doc_get(body, "User")),
		.cwd = text_or_null(c, doc_get(body, "WorkingDir")),
		.tty = doc_true(doc_get(body, "Tty")),
		.privileged = doc_true(doc_get(body, "Privileged")),
		.attach_stdin = doc_true(doc_get(body, "AttachStdin")),
		.attach_stdout = doc_true(doc_get(body, "AttachStdout")),
		.attach_stderr = doc_true(doc_get(body, "AttachStderr")),
	};
	r = detach_keys_parse(c->a, doc_cstr(c->a, doc_get(body, "DetachKeys")), &x.detach_keys,
			      &err);
	if (r == 0)
		r = engine_exec_create(c->e, ct, &x, &id, &err);
	if (r < 0) {
		reply_err(c, &err);
		return;
	}
	o = doc_new_object(c->a);
	doc_set_str(c->a, o, "Id", id);
	reply_doc(c, 201, o);
}

void exec_create(struct call *c)
{
	struct container *ct;

	if (call_container(c, &ct) < 0)
		return;
	/* The container may be gone when the body is there: its id is what is kept. */
	c->ref = arena_strdup(c->a, container_id(ct));
	call_read_body(c, false, exec_create_body);
}

static int call_exec(struct call *c, const char *id, struct exec **ret)
{
	struct err err = ERR_INIT;
	int r = engine_exec_find(c->e, id, ret, &err);

	if (r < 0)
		reply_err(c, &err);
	return r;
}

static void exec_detached(void *arg, int result, struct err *err)
{
	struct call *c = arg;

	if (result < 0)
		reply_err(c, err);
	else
		reply_none(c, c->minor < 42 ? 204 : 200);
	stream_unref(c->s);
}

/* The client has its 101 already: a failure can only be told inside the stream. */
struct exec_client {
	int fd;
	bool tty;
};

static void exec_attached(void *arg, int result, struct err *err)
{
	struct exec_client *x = arg;

	if (result < 0) {
		CLEANUP(buf_fini) struct buf b = BUF_INIT(2048);
		size_t n = strlen(err->msg) + 2;
		const char head[8] = { 2, 0, 0, 0, 0, 0, (char)(n >> 8), (char)n };

		if (!x->tty)
			buf_add(&b, head, sizeof(head));
		buf_addf(&b, "%s\r\n", err->msg);
		/* Who does not read it has left. */
		(void)send(x->fd, b.p, b.n, MSG_NOSIGNAL | MSG_DONTWAIT);
	}
	fd_close(x->fd);
	free(x);
}

static void exec_run_attached(struct call *c, struct exec *x, bool tty, unsigned h, unsigned w)
{
	struct exec_client *cl;
	int fd = take_stream(c, tty);

	if (fd < 0)
		return;
	cl = calloc(1, sizeof(*cl));
	if (!cl)
		abort();
	cl->tty = tty;
	cl->fd = fd_dup(fd);
	engine_exec_start(c->e, x, fd, slice_of(NULL, 0), h, w, exec_attached, cl);
}

static void exec_start_body(struct call *c, struct doc *body)
{
	struct doc *size = doc_get(body, "ConsoleSize");
	int64_t h = 0, w = 0;
	struct exec_state st;
	struct exec *x;
	struct err err = ERR_INIT;

	if (call_exec(c, c->ref, &x) < 0)
		return;
	if (engine_exec_check(c->e, x, &err) < 0) {
		reply_err(c, &err);
		return;
	}
	exec_get_state(x, &st);
	if (c->minor >= 42 && doc_len(size) == 2) {
		(void)doc_int64(doc_at(size, 0), &h); /* no number: no size */
		(void)doc_int64(doc_at(size, 1), &w);
	}
	h = h < 0 || h > UINT16_MAX ? 0 : h;
	w = w < 0 || w > UINT16_MAX ? 0 : w;
	if (doc_true(doc_get(body, "Detach"))) {
		stream_ref(c->s);
		engine_exec_start(c->e, x, -1, slice_of(NULL, 0), (unsigned)h, (unsigned)w,
				  exec_detached, c);
		return;
	}
	exec_run_attached(c, x, st.spec->tty, (unsigned)h, (unsigned)w);
}

void exec_start(struct call *c)
{
	struct exec *x;
	const char *id = route_param(c->m, "id");

	if (call_exec(c, id, &x) < 0)
		return;
	c->ref = id;
	call_read_body(c, true, exec_start_body);
}

static void exec_resized(void *arg, int result, struct err *err)
{
	struct call *c = arg;

	if (result < 0)
		reply_err(c, err);
	else
		reply_none(c, 200);
	stream_unref(c->s);
}

void exec_resize(struct call *c)
{
	struct exec *x;
	int64_t h, w;

	if (call_exec(c, route_param(c->m, "id"), &x) < 0 || call_int(c, "h", -1, &h) < 0 ||
	    call_int(c, "w", -1, &w) < 0)
		return;
	if (h < 0 || w < 0 || h > UINT16_MAX || w > UINT16_MAX) {
		reply_fail(c, ERR_BAD_REQUEST, "invalid terminal size: h and w are 0 to 65535");
		return;
	}
	stream_ref(c->s);
	engine_exec_resize(c->e, x, (unsigned)h, (unsigned)w, exec_resized, c);
}

void exec_inspect(struct call *c)
{
	struct arena *a = c->a;
	struct doc *o, *p, *args;
	struct exec_state st;
	struct exec *x;

	if (call_exec(c, route_param(c->m, "id"), &x) < 0)
		return;
	exec_get_state(x, &st);
	o = doc_new_object(a);
	doc_set_str(a, o, "ID", st.id);
	doc_set_bool(a, o, "Running", st.running);
	if (st.has_exit)
		doc_set_int(a, o, "ExitCode", st.exit_code);
	else
		doc_set_null(a, o, "ExitCode");
	p = doc_set_object(a, o, "ProcessConfig");
	doc_set_bool(a, p, "tty", st.spec->tty);
	doc_set_str(a, p, "entrypoint", st.spec->ncmd ? st.spec->cmd[0] : "");
	args = doc_set_array(a, p, "arguments");
	for (size_t i = 1; i < st.spec->ncmd; i++)
		doc_append_str(a, args, st.spec->cmd[i]);
	doc_set_bool(a, p, "privileged", st.spec->privileged);
	if (st.spec->user)
		doc_set_str(a, p, "user", st.spec->user);
	doc_set_bool(a, o, "OpenStdin", st.spec->attach_stdin);
	doc_set_bool(a, o, "OpenStderr", st.spec->attach_stderr);
	doc_set_bool(a, o, "OpenStdout", st.spec->attach_stdout);
	doc_set_bool(a, o, "CanRemove", st.has_exit);
	doc_set_str(a, o, "ContainerID", st.container_id);
	doc_set_strn(a, o, "DetachKeys", st.spec->detach_keys.p ? st.spec->detach_keys.p : "",
		     st.spec->detach_keys.n);
	doc_set_int(a, o, "Pid", st.pid);
	reply_doc(c, 200, o);
}
