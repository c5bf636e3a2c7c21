/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests in, answers out: the version prefix, the route, the query, bodies, errors in docker's
 * form. What an operation does is in the handlers' files.
 */
#include "docker/private.h"

#include "base/work.h"

#include <stdarg.h>
#include <stdio.h>

/* A list of some thousand containers, or a create body, as documents. */
#define CALL_ARENA_MAX (64u << 20)
/* Pulls and pushes at once; threads start when they are needed. */
#define TRANSFERS 8
#define TRANSFERS_WAITING 1024

static const struct http_header common_headers[] = {
	{ SLICE("Api-Version"), SLICE(DOCKER_API_VERSION) },
	{ SLICE("Docker-Experimental"), SLICE("false") },
	{ SLICE("Ostype"), SLICE("linux") },
	{ SLICE("Server"), SLICE("Docker/" DOCKER_ENGINE_VERSION " (linux)") },
};

/* ---- answers ---- */

static void error_body(struct buf *b, const char *message)
{
	buf_adds(b, "{\"message\":");
	json_write_string(b, slice_str(message), false);
	buf_adds(b, "}\n");
}

static const char *refuse(struct buf *body, int status, const char *message)
{
	(void)status;
	error_body(body, message);
	return "application/json";
}

static void reply_message(struct stream *s, int status, const char *message)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(16384);

	error_body(&b, message);
	(void)stream_reply(s, status, "application/json", b.p, b.n); /* a client that left */
}

void reply_err(struct call *c, const struct err *err)
{
	int status = err_docker_status(err->code);

	if (status >= 500 && err->code != ERR_UNSUPPORTED && err->code != ERR_UNAVAILABLE)
		log_kv(LOG_LEVEL_ERROR, "request failed", "method", stream_request(c->s)->method,
		       "path", stream_request(c->s)->path, "error", err->msg, NULL);
	reply_message(c->s, status, err->msg);
}

void reply_fail(struct call *c, enum err_code code, const char *fmt, ...)
{
	struct err err = { .code = code };
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(err.msg, sizeof(err.msg), fmt, ap);
	va_end(ap);
	reply_err(c, &err);
}

void reply_doc(struct call *c, int status, const struct doc *d)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(CALL_ARENA_MAX);
	struct err err = ERR_INIT;

	if (arena_exceeded(c->a)) {
		arena_quota(c->a, &err);
		reply_err(c, &err);
		return;
	}
	if (json_write(d, NULL, &b, &err) < 0) {
		reply_err(c, &err);
		return;
	}
	buf_addc(&b, '\n');
	(void)stream_reply(c->s, status, "application/json", b.p, b.n); /* a client that left */
}

void reply_none(struct call *c, int status)
{
	(void)stream_reply(c->s, status, NULL, NULL, 0); /* a client that left */
}

void reply_done(void *arg, int result, struct err *err)
{
	struct call *c = arg;

	if (result < 0)
		reply_err(c, err);
	else
		reply_none(c, result == 1 ? 304 : 204);
	stream_unref(c->s);
}

/* ---- what came in ---- */

int call_container(struct call *c, struct container **ret)
{
	struct err err = ERR_INIT;
	int r = engine_container_find(c->e, route_param(c->m, "id"), ret, &err);

	if (r < 0)
		reply_err(c, &err);
	return r;
}

int call_int(struct call *c, const char *name, int64_t dflt, int64_t *ret)
{
	struct err err = ERR_INIT;
	int r = query_int64(&c->q, name, dflt, ret, &err);

	if (r < 0) {
		err.code = ERR_BAD_REQUEST;
		reply_err(c, &err);
	}
	return r;
}

struct body_wait {
	struct call *c;
	body_fn *fn;
	bool optional;
};

static void body_read(struct stream *s, void *arg, int result, struct slice body, struct err *err)
{
	struct body_wait *w = arg;
	struct call *c = w->c;
	struct json_options opt = { .replace = true };
	struct doc *d = NULL;
	struct err local = ERR_INIT;

	if (result < 0) {
		reply_err(c, err);
		return;
	}
	body = slice_trim(body);
	if (body.n == 0 && !w->optional) {
		reply_fail(c, ERR_BAD_REQUEST, "invalid JSON: got EOF while reading request body");
		return;
	}
	if (body.n && json_read(c->a, body, &opt, &d, &local) < 0) {
		err_wrap(&local, "invalid JSON");
		local.code = ERR_BAD_REQUEST;
		reply_err(c, &local);
		return;
	}
	stream_ref(s);
	w->fn(c, d);
	stream_unref(s);
}

static bool is_json(struct slice type)
{
	struct slice rest = type;

	return slice_ieq(slice_trim(slice_split(&rest, ';')), SLICE("application/json"));
}

void call_read_body(struct call *c, bool optional, body_fn *fn)
{
	struct slice type = stream_header(c->s, "Content-Type");
	struct body_wait *w = ARENA_NEW(c->a, struct body_wait);

	/* docker lets a missing type pass when there is no body to speak of. */
	if (!is_json(type) && (stream_request(c->s)->has_body || type.n)) {
		if (!(optional && stream_length(c->s) == 0)) {
			reply_fail(c, ERR_BAD_REQUEST,
				   "unsupported Content-Type header (%.*s): must be "
				   "'application/json'",
				   (int)type.n, type.p ? type.p : "");
			return;
		}
	}
	if (!w)
		return;
	*w = (struct body_wait){ c, fn, optional };
	stream_collect(c->s, BODY_MAX, body_read, w);
}

/* ---- dispatch ---- */

static bool version_number(struct slice *text, unsigned *ret)
{
	unsigned n = 0, digits = 0;

	while (text->n && *text->p >= '0' && *text->p <= '9' && digits < 5) {
		n = n * 10 + (unsigned)(*text->p - '0');
		digits++;
		text->p++;
		text->n--;
	}
	*ret = n;
	return digits > 0;
}

int version_cut(const char *path, const char **ret_rest, unsigned *ret_minor, struct err *err)
{
	const char *slash = path[0] == '/' && path[1] == 'v' ? strchr(path + 2, '/') : NULL;
	struct slice text, whole;
	unsigned major, minor = 0;

	*ret_rest = path;
	*ret_minor = API_MINOR_MAX;
	if (!slash)
		return 0;
	text = whole = slice_of(path + 2, (size_t)(slash - path - 2));
	if (!version_number(&text, &major))
		return 0; /* "/volumes/x" */
	if (text.n && *text.p == '.') {
		text.p++;
		text.n--;
		(void)version_number(&text, &minor);
	}
	if (text.n)
		return 0;
	if (major < 1 || (major == 1 && minor < API_MINOR_TAKEN))
		return err_set(err, ERR_BAD_REQUEST,
			       "client version %.*s is too old. Minimum supported API version is "
			       "%s, please upgrade your client to a newer version",
			       (int)whole.n, whole.p, DOCKER_API_VERSION_MIN);
	if (major > 1 || minor > API_MINOR_MAX)
		return err_set(
			err, ERR_BAD_REQUEST,
			"client version %.*s is too new. Maximum supported API version is %s",
			(int)whole.n, whole.p, DOCKER_API_VERSION);
	*ret_rest = slash;
	*ret_minor = MAX(minor, API_MINOR_MIN);
	return 0;
}

void not_supported(struct call *c)
{
	reply_fail(c, ERR_UNSUPPORTED, "%s is not supported yet",
		   ((const struct op *)c->m->route->data)->name);
}

static void run_op(struct stream *s, const struct route_match *m, void *arg)
{
	const struct op *op = m->route->data;

	(void)s;
	op->fn(arg);
}

static void request(struct stream *s, void *arg)
{
	struct docker_api *api = arg;
	const struct http_request *rq = stream_request(s);
	struct call *c = ARENA_NEW(stream_arena(s), struct call);
	struct route_match m;
	struct err err = ERR_INIT;
	const char *rest;

	*c = (struct call){ .api = api, .e = api->engine, .s = s, .a = stream_arena(s), .m = &m };
	if (version_cut(rq->path, &rest, &c->minor, &err) < 0) {
		reply_err(c, &err);
		return;
	}
	if (strcmp(rq->method, "OPTIONS") == 0) {
		reply_none(c, 200);
		return;
	}
	log_kv(LOG_LEVEL_DEBUG, "request", "method", rq->method, "path", rq->path, NULL);
	if (router_match(api->router, rq->method, rest, c->a, &m) != ROUTE_FOUND) {
		reply_message(s, 404, "page not found"); /* docker's answer to a wrong method too */
		return;
	}
	if (query_parse(c->a, rq->query, &c->q, &err) < 0) {
		err.code = ERR_BAD_REQUEST;
		reply_err(c, &err);
		return;
	}
	/* An answer can be the last one to let go of the stream, and `c` lives in it. */
	stream_ref(s);
	m.route->fn(s, &m, c);
	c->m = NULL;
	stream_unref(s);
}

const char *const *call_texts(struct call *c, const char *name, size_t *ret_n)
{
	const char **v;
	size_t n = 0;

	while (query_nth(&c->q, name, n))
		n++;
	v = ARENA_ARRAY(c->a, const char *, n + 1);
	for (size_t i = 0; v && i < n; i++)
		v[i] = query_nth(&c->q, name, i);
	*ret_n = n;
	return v;
}

int docker_api_new(struct loop *l, struct engine *e, struct docker_api **ret, struct err *err)
{
	struct docker_api *api = calloc(1, sizeof(*api));
	struct http_server_conf conf = {
		.request = request,
		.arg = api,
		.refuse = refuse,
		.common = common_headers,
		.common_n = ARRAY_LEN(common_headers),
		.arena_max = CALL_ARENA_MAX,
	};
	int r;

	if (!api)
		abort();
	api->loop = l;
	api->engine = e;
	list_init(&api->watches);
	api->rows = calloc(docker_ops_n, sizeof(*api->rows));
	if (!api->rows)
		abort();
	for (size_t i = 0; i < docker_ops_n; i++)
		api->rows[i] = (struct route){ .method = docker_ops[i].method,
					       .pattern = docker_ops[i].pattern,
					       .fn = run_op,
					       .data = &docker_ops[i] };
	r = router_new(api->rows, docker_ops_n, &api->router, err);
	if (r == 0)
		r = http_server_new(l, &conf, &api->server, err);
	if (r == 0)
		r = work_pool_new(l, TRANSFERS, TRANSFERS_WAITING, &api->transfers, err);
	if (r < 0) {
		docker_api_free(api);
		return r;
	}
	*ret = api;
	return 0;
}

void docker_api_free(struct docker_api *api)
{
	if (!api)
		return;
	http_server_free(api->server); /* cancels transfers */
	work_pool_free(api->transfers);
	work_pool_free(api->flows); /* after the streams: their workers end by broken pipes */
	router_free(api->router);
	free(api->rows);
	free(api);
}

struct http_server *docker_api_server(struct docker_api *api)
{
	return api->server;
}

void docker_api_set_remotes(struct docker_api *api, const struct image_remotes *remotes)
{
	api->remotes = remotes;
}

void docker_api_set_lazy(struct docker_api *api, bool on, bool trust, bool early)
{
	api->lazy = on;
	api->lazy_early = early;
	api->lazy_trust = trust;
}

void docker_api_set_debug(struct docker_api *api, bool on)
{
	api->debug = on;
}
