/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operations on containers: create, start, stop, kill, remove, rename, resize, wait. The engine
 * does them; here parameters are read, version gates applied and the answer shaped.
 */
#include "docker/private.h"

#include "runtime/runtime.h"

#include <limits.h>
#include <stdio.h>
#include <sys/utsname.h>

/* ---- create ---- */

static void created(void *arg, int result, const char *id, const char *const *warnings,
		    struct err *err)
{
	struct call *c = arg;
	struct doc *o, *w;

	if (result < 0) {
		/* 404 makes clients pull the image: kept for what that would mend. */
		if (err->code == ERR_NOT_FOUND && strncmp(err->msg, "No such image", 13) != 0 &&
		    strncmp(err->msg, "image with reference", 20) != 0)
			err->code = ERR_BAD_REQUEST;
		reply_err(c, err);
		stream_unref(c->s);
		return;
	}
	o = doc_new_object(c->a);
	doc_set_str(c->a, o, "Id", id);
	w = doc_set_array(c->a, o, "Warnings");
	for (size_t i = 0; warnings && warnings[i]; i++)
		doc_append_str(c->a, w, warnings[i]);
	reply_doc(c, 201, o);
	stream_unref(c->s);
}

/* What older clients meant although they could not say it. */
static void apply_gates(unsigned minor, struct create_spec *s)
{
	struct host_config *h = &s->host;

	if (minor < 25)
		h->auto_remove = false;
	if (minor < 40 && (!h->ipc_mode || !*h->ipc_mode))
		h->ipc_mode = "shareable";
	if (minor < 42) {
		h->console_size.n = 0;
		for (size_t i = 0; i < h->mounts.n; i++)
			if (h->mounts.v[i].bind)
				h->mounts.v[i].bind->create_mountpoint = false;
	}
	for (size_t i = 0; minor < 44 && i < h->mounts.n; i++)
		if (h->mounts.v[i].read_only && h->mounts.v[i].bind)
			h->mounts.v[i].bind->ro_non_recursive = true;
}

static void create_body(struct call *c, struct doc *body)
{
	const char *name = query_get(&c->q, "name"), *platform = query_get(&c->q, "platform");
	struct create_spec spec;
	struct err err = ERR_INIT;
	int r;

	r = create_spec_decode(body, c->a, &spec, &err);
	if (r < 0) {
		reply_err(c, &err);
		return;
	}
	if (platform && *platform && c->minor >= 41)
		spec.platform = platform;
	apply_gates(c->minor, &spec);
	stream_ref(c->s);
	engine_create(c->e, &spec, name && *name ? name : NULL, created, c);
}

void container_create(struct call *c)
{
	call_read_body(c, false, create_body);
}

/* ---- start, stop, kill ---- */

/* docker's clients find out why a program could not be run (126, 127) by Go's words. */
static void go_words(struct err *err)
{
	static const char *const words[] = { "Permission denied", "No such file or directory",
					     "Is a directory" };
	char *at;

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		for (at = err->msg; (at = strstr(at, words[i])); at++)
			*at = (char)(*at + ('a' - 'A'));
}

static void started(void *arg, int result, struct err *err)
{
	if (result < 0) {
		go_words(err);
		if (err->code == ERR_NOT_FOUND || err->code == ERR_FORBIDDEN)
			err->code = ERR_BAD_REQUEST; /* the program, not the container */
	}
	reply_done(arg, result, err);
}

void container_start(struct call *c)
{
	const char *checkpoint = query_get(&c->q, "checkpoint");
	struct container *ct;

	if (call_container(c, &ct) < 0)
		return;
	if (checkpoint && *checkpoint) {
		reply_fail(c, ERR_UNSUPPORTED, "starting from a checkpoint is not supported yet");
		return;
	}
	/* Version 1.24 took a HostConfig here since long deprecated; dockerd refuses it too. */
	if (stream_length(c->s) > 2) {
		reply_fail(c, ERR_BAD_REQUEST,
			   "starting container with non-empty request body was deprecated since "
			   "API v1.22 and removed in v1.24");
		return;
	}
	stream_ref(c->s);
	engine_start(c->e, ct, started, c);
}

static int signal_param(struct call *c, int absent, int *ret)
{
	const char *text = query_get(&c->q, "signal");
	struct err err = ERR_INIT;

	*ret = absent;
	if (!text || !*text)
		return 0;
	if (rt_signal(text, ret, &err) < 0) {
		reply_fail(c, ERR_BAD_REQUEST, "Invalid signal: %s", text);
		return -ERR_BAD_REQUEST;
	}
	return 0;
}

static int stop_params(struct call *c, struct container **ct, int *signo, int *timeout)
{
	int64_t t;
	int r = call_container(c, ct);

	*signo = 0;
	if (r == 0 && c->minor >= 42)
		r = signal_param(c, 0, signo);
	if (r == 0)
		r = call_int(c, "t", INT_MIN, &t);
	if (r < 0)
		return r;
	*timeout = t == INT_MIN ? INT_MIN : t < 0 ? -1 : (int)MIN(t, INT_MAX);
	return 0;
}

void container_stop(struct call *c)
{
	struct container *ct;
	int signo, timeout;

	if (stop_params(c, &ct, &signo, &timeout) < 0)
		return;
	stream_ref(c->s);
	engine_stop(c->e, ct, signo, timeout, reply_done, c);
}

static void restarted(void *arg, int result, struct err *err)
{
	reply_done(arg, MIN(result, 0), err);
}

void container_restart(struct call *c)
{
	struct container *ct;
	int signo, timeout;

	if (stop_params(c, &ct, &signo, &timeout) < 0)
		return;
	stream_ref(c->s);
	engine_restart(c->e, ct, signo, timeout, restarted, c);
}

void container_kill(struct call *c)
{
	struct container *ct;
	int signo;

	if (call_container(c, &ct) < 0 || signal_param(c, SIGKILL, &signo) < 0)
		return;
	stream_ref(c->s);
	engine_kill(c->e, ct, signo, restarted, c);
}

void container_remove(struct call *c)
{
	struct container *ct;

	if (call_container(c, &ct) < 0)
		return;
	if (query_bool(&c->q, "link", false)) {
		reply_fail(c, ERR_UNSUPPORTED, "removing links is not supported yet");
		return;
	}
	stream_ref(c->s);
	engine_remove(c->e, ct, query_bool(&c->q, "force", false), query_bool(&c->q, "v", false),
		      restarted, c);
}

void container_rename(struct call *c)
{
	const char *name = query_get(&c->q, "name");
	struct container *ct;

	if (call_container(c, &ct) < 0)
		return;
	if (!name || !*name) {
		reply_fail(c, ERR_BAD_REQUEST, "Neither old nor new names may be empty");
		return;
	}
	stream_ref(c->s);
	engine_rename(c->e, ct, name, reply_done, c);
}

static void resized(void *arg, int result, struct err *err)
{
	struct call *c = arg;

	if (result < 0)
		reply_err(c, err);
	else
		reply_none(c, 200);
	stream_unref(c->s);
}

void container_resize(struct call *c)
{
	struct container *ct;
	int64_t h, w;

	if (call_container(c, &ct) < 0 || call_int(c, "h", -1, &h) < 0 ||
	    call_int(c, "w", -1, &w) < 0)
		return;
	if (h < 0 || w < 0 || h > UINT16_MAX || w > UINT16_MAX) {
		reply_fail(c, ERR_BAD_REQUEST, "invalid terminal size: h and w are 0 to 65535");
		return;
	}
	stream_ref(c->s);
	engine_resize(c->e, ct, (unsigned)h, (unsigned)w, resized, c);
}

/* ---- wait ---- */

struct waiter {
	struct watch watch;
	struct engine_wait wait;
	struct call *c;
	bool over;
};

static void wait_end(struct waiter *w)
{
	if (w->over)
		return;
	w->over = true;
	engine_wait_cancel(&w->wait);
	list_del(&w->watch.link);
	stream_unref(w->c->s);
}

static void wait_fired(struct engine_wait *ew, int exit_code, const char *error)
{
	struct waiter *w = CONTAINER_OF(ew, struct waiter, wait);
	struct call *c = w->c;
	struct stream *s = stream_ref(c->s); /* w lives in it, and the answer may close it */
	struct doc *o = doc_new_object(c->a);
	struct slice text;
	struct err err = ERR_INIT;

	doc_set_int(c->a, o, "StatusCode", exit_code);
	/* Removed without failure is no failure, whatever happened to the container before; and why
	 * a start failed (126 to 128) is told by the start. */
	if (error && *error && c->minor >= 30 && ew->condition != WAIT_REMOVED &&
	    (exit_code < 126 || exit_code > 128))
		doc_set_str(c->a, doc_set_object(c->a, o, "Error"), "Message", error);
	if (c->minor < 30) {
		reply_doc(c, 200, o);
	} else if (json_print(c->a, o, NULL, &text, &err) == 0) {
		/* A client that left: nobody is told. */
		(void)stream_write(c->s, text.p, text.n);
		(void)stream_write(c->s, "\n", 1);
		(void)stream_end(c->s);
	}
	wait_end(w);
	stream_unref(s);
}

static void wait_stop(struct watch *watch)
{
	struct waiter *w = CONTAINER_OF(watch, struct waiter, watch);
	struct stream *s = stream_ref(w->c->s);

	stream_reset(s, NULL);
	wait_end(w);
	stream_unref(s);
}

static void wait_cancelled(struct stream *s)
{
	struct waiter *w = stream_arg(s);

	if (!w->over)
		stream_reset(s, NULL);
}

static void wait_closed(struct stream *s, const struct err *why)
{
	(void)why;
	wait_end(stream_arg(s));
}

static int wait_condition(struct call *c, enum wait_condition *ret)
{
	static const char *const words[] = { "not-running", "next-exit", "removed" };
	const char *text = query_get(&c->q, "condition");

	*ret = WAIT_NOT_RUNNING;
	if (!text || !*text || c->minor < 30)
		return 0;
	for (unsigned i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(text, words[i]) == 0) {
			*ret = (enum wait_condition)i;
			return 0;
		}
	reply_fail(c, ERR_BAD_REQUEST, "invalid condition: \"%s\"", text);
	return -ERR_BAD_REQUEST;
}

void container_wait(struct call *c)
{
	static const struct stream_events events = { .cancel = wait_cancelled,
						     .closed = wait_closed };
	struct waiter *w;
	struct container *ct;
	enum wait_condition cond;

	if (call_container(c, &ct) < 0 || wait_condition(c, &cond) < 0)
		return;
	w = ARENA_NEW(c->a, struct waiter);
	w->c = c;
	w->wait = (struct engine_wait){ .condition = cond, .fn = wait_fired };
	w->watch.stop = wait_stop;
	list_append(&c->api->watches, &w->watch.link);
	stream_ref(c->s);
	stream_on(c->s, &events, w);
	if (c->minor >= 30) {
		/* `docker run` starts the container only when it has seen this head. */
		(void)stream_set_header(c->s, "Content-Type", "application/json");
		(void)stream_start(c->s, 200, -1); /* a client that left: `closed` comes */
	}
	engine_wait_start(c->e, ct, &w->wait);
}
