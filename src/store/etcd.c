/* SPDX-License-Identifier: Apache-2.0 */
/* The etcd kind: opening and closing. */
#include "store/etcd.h"
#include "base/arena.h"
#include "base/err.h"
#include "doc/doc.h"
#include "doc/schema.h"
#include "io/grpc.h"

#include <stdlib.h>

#define TIME_DEFAULT (10 * 1000000000LL)
#define HELLO_TIME (3 * 1000000000LL)
#define PING_TIME (30 * 1000000000LL)

static const struct store_kind kind;

static int64_t revision(const struct store *s)
{
	return CONTAINER_OF(s, const struct etcd, base)->revision;
}

static void release(struct deferred *d)
{
	etcd_release(CONTAINER_OF(d, struct etcd, release));
}

static void free_etcd(struct etcd *e)
{
	for (size_t i = 0; i < e->n; i++) {
		grpc_client_free(e->endpoints[i].cl);
		free(e->endpoints[i].url);
	}
	deferred_fini(&e->release);
	free(e->endpoints);
	free(e->user);
	free(e->password);
	free(e->token);
	free(e);
}
DEFINE_CLEANUP(struct etcd *, free_etcd)

static void close_etcd(struct store *s)
{
	struct etcd *e = etcd_of(s);

	s->closing = true;
	etcd_watches_end(e);
	etcd_tasks_end(e);
	etcd_calls_end(e);
	etcd_held_end(e);
	store_fini(s);
	free_etcd(e);
}

static const struct store_kind kind = {
	.close = close_etcd,
	.revision = revision,
	.commit = etcd_commit,
	.range = etcd_range,
	.watch = etcd_watch,
	.unwatch = etcd_unwatch,
	.progress = etcd_progress,
	.lease = etcd_lease,
	.compact = etcd_compact,
	.backup = etcd_backup,
	.verify = etcd_verify,
	.stats = etcd_stats,
};

/* ---- the first words ---- */

/* Documents will do here: these are two small messages, and the client waits for them. */
struct hello_range {
	struct slice key;
	bool count_only;
};
struct hello_header {
	int64_t revision;
};
struct hello_answer {
	struct hello_header *header;
};
struct hello_user {
	const char *name, *password;
};
struct hello_token {
	const char *token;
};
static const struct schema_field range_rows[] = {
	F_BYTES(struct hello_range, key, "key", 0, .pb = 1),
	F_BOOL(struct hello_range, count_only, "count_only", 0, .pb = 9),
};
static const struct schema range_schema =
	SCHEMA("etcdserverpb.RangeRequest", struct hello_range, range_rows);
static const struct schema_field header_rows[] = {
	F_INT(struct hello_header, revision, "revision", 0, INT64_MIN, INT64_MAX, .pb = 3),
};
static const struct schema header_schema =
	SCHEMA("etcdserverpb.ResponseHeader", struct hello_header, header_rows);
static const struct schema_field answer_rows[] = {
	F_OBJ(struct hello_answer, header, "header", &header_schema, 0, .pb = 1),
};
static const struct schema answer_schema =
	SCHEMA("etcdserverpb.RangeResponse", struct hello_answer, answer_rows);
static const struct schema_field user_rows[] = {
	F_STR(struct hello_user, name, "name", 0, 0, .pb = 1),
	F_STR(struct hello_user, password, "password", SCHEMA_SECRET, 0, .pb = 2),
};
static const struct schema user_schema =
	SCHEMA("etcdserverpb.AuthenticateRequest", struct hello_user, user_rows);
static const struct schema_field token_rows[] = {
	F_STR(struct hello_token, token, "token", SCHEMA_SECRET, 0, .pb = 2),
};
static const struct schema token_schema =
	SCHEMA("etcdserverpb.AuthenticateResponse", struct hello_token, token_rows);

static int call(struct grpc_client *cl, const char *service, const struct grpc_method *m,
		const struct doc *request, const struct grpc_call_opts *opts, struct arena *a,
		const char *url, struct doc *ret, struct err *err)
{
	enum grpc_code code = GRPC_OK;
	int r = grpc_client_call(cl, service, m, request, opts, a, ret, &code, err);
	char text[512];

	if (r >= 0)
		return 0;
	(void)str_copy(text, sizeof(text), err->msg);
	return code != GRPC_OK ? etcd_error(code, text, url, err)
			       : err_wrap(err, "etcd at %s", url);
}

static int authenticate(struct etcd *e, struct grpc_client *cl, const char *url, struct arena *a,
			struct err *err)
{
	static const struct grpc_method m = { .name = "Authenticate",
					      .in = &user_schema,
					      .out = &token_schema };
	struct doc *request = doc_new_object(a), answer;
	struct slice token;
	int r;

	doc_set_str(a, request, "name", e->user);
	doc_set_str(a, request, "password", e->password ? e->password : "");
	r = call(cl, ETCD_AUTH, &m, request, NULL, a, url, &answer, err);
	if (r < 0)
		return r;
	token = doc_slice(doc_get(&answer, "token"));
	free(e->token);
	e->token = strndup(token.n ? token.p : "", token.n);
	if (!e->token)
		abort();
	return 0;
}

/* What revision it is: also whether the endpoint answers, and lets us in. */
static int greet(struct etcd *e, struct grpc_client *cl, const char *url, struct err *err)
{
	static const struct grpc_method m = { .name = "Range",
					      .in = &range_schema,
					      .out = &answer_schema };
	CLEANUP(arena_free) struct arena *a = arena_new("etcd", 1u << 20);
	struct doc *request = doc_new_object(a), answer;
	struct grpc_pair token;
	struct grpc_call_opts opts = { 0 };
	int r = e->user ? authenticate(e, cl, url, a, err) : 0;

	if (r < 0)
		return r;
	token = (struct grpc_pair){ "token", slice_str(e->token) };
	if (e->token) {
		opts.metadata = &token;
		opts.metadata_n = 1;
	}
	doc_set_str(a, request, "key", "AA=="); /* a NUL */
	doc_set_bool(a, request, "count_only", true);
	r = call(cl, ETCD_KV, &m, request, &opts, a, url, &answer, err);
	if (r < 0)
		return r;
	(void)doc_int64(doc_find(&answer, "header.revision"), &e->revision); /* absent = 0 */
	return e->revision > 0
		       ? 0
		       : err_set(err, ERR_INVALID, "etcd at %s: an answer without a revision", url);
}

/* "http://host:1" as the client wants it: "tcp://host:1" where it speaks no TLS. */
static int client(const struct store_etcd_options *o, const char *url, struct loop *loop,
		  int64_t time, struct grpc_client **ret, struct err *err)
{
	struct grpc_client_conf conf = {
		.resolver = o->resolver,
		.message_max = ETCD_MESSAGE_MAX,
		.time = time,
		.retry = { .attempts_max = 1 },
		.keepalive_time = loop ? PING_TIME : 0,
	};
	bool secure = strncmp(url, "https://", 8) == 0;

	if (!secure && strncmp(url, "http://", 7) != 0 && strncmp(url, "unix://", 7) != 0)
		return err_set(err, ERR_INVALID,
			       "etcd endpoint '%s': http://HOST:PORT or https://HOST:PORT is meant",
			       url);
	if (secure && !o->tls)
		return err_set(err, ERR_INVALID, "etcd endpoint '%s': no CA was given for https",
			       url);
	conf.tls = secure ? o->tls : NULL;
	return grpc_client_new(loop, url, &conf, ret, err);
}

static int hello(struct etcd *e, const struct store_etcd_options *o, struct err *err)
{
	struct err all = ERR_INIT, one = ERR_INIT;
	int r = -ERR_UNAVAILABLE;

	for (size_t i = 0; i < o->nendpoints && r < 0; i++) {
		CLEANUP(grpc_client_free) struct grpc_client *cl = NULL;

		one = ERR_INIT;
		r = client(o, o->endpoints[i], NULL, HELLO_TIME, &cl, &one);
		if (r == 0)
			r = greet(e, cl, o->endpoints[i], &one);
		if (r == 0) {
			e->current = i;
			return 0;
		}
		(void)(i ? err_hint(&all, "%s", one.msg) : err_set(&all, one.code, "%s", one.msg));
	}
	*err = all;
	return err_ret(err);
}

static char *copy(const char *s)
{
	char *p = s ? strdup(s) : NULL;

	if (s && !p)
		abort();
	return p;
}

int store_open_etcd(const struct store_etcd_options *o, struct store **ret, struct err *err)
{
	CLEANUP(free_etcd) struct etcd *e = NULL;
	int r;

	if (!o->nendpoints || o->nendpoints > STORE_ENDPOINTS_MAX)
		return err_set(err, ERR_INVALID, "etcd: %zu endpoints; 1 to %d are possible",
			       o->nendpoints, STORE_ENDPOINTS_MAX);
	e = calloc(1, sizeof(*e));
	if (!e)
		abort();
	e->endpoints = calloc(o->nendpoints, sizeof(*e->endpoints));
	if (!e->endpoints)
		abort();
	e->time = o->time ? o->time : TIME_DEFAULT;
	e->user = copy(o->user);
	e->password = copy(o->password);
	list_init(&e->calls);
	list_init(&e->watches);
	list_init(&e->held);
	list_init(&e->tasks);
	deferred_init(&e->release, o->loop, release);
	r = hello(e, o, err);
	for (size_t i = 0; i < o->nendpoints && r == 0; i++) {
		r = client(o, o->endpoints[i], o->loop, 0, &e->endpoints[i].cl, err);
		if (r == 0) {
			e->endpoints[i].url = copy(o->endpoints[i]);
			e->n = i + 1;
		}
	}
	if (r < 0)
		return r;
	store_init(&e->base, &kind, o->loop);
	*ret = &STEAL(e)->base;
	return 0;
}
