/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gRPC between our client and our server over a Unix socket on one loop: the four kinds of methods,
 * status, metadata, deadlines, cancellation, limits, flow, retries, health, reflection, and the
 * blocking forms with the server on a thread. Other implementations: tests/e2e/5100-grpc.bats.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/loop.h"
#include "doc/doc.h"
#include "doc/schema.h"
#include "io/grpc-impl.h"
#include "io/grpc.h"
#include "io/http-client.h"
#include "io/http-server.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

/* ---- the service ---- */

struct msg {
	const char *text;
	int64_t n;
};
static const struct schema_field msg_rows[] = {
	F_STR(struct msg, text, "text", 0, FORMAT_NONE, .pb = 1),
	F_INT(struct msg, n, "n", 0, 0, 0, .pb = 2),
};
static const struct schema msg_schema = SCHEMA("test.Msg", struct msg, msg_rows);

struct env {
	char dir[32], path[64], address[80];
	struct loop *loop;
	struct http_server *http;
	struct grpc_server *srv;
	struct grpc_client *cl;
	/* server's side */
	unsigned asked, fail_first, cancelled, sum, half_closed, slow_reads;
	struct grpc_call *held;
	char pushback[16];
	/* client's side */
	unsigned messages, finished;
	enum grpc_code code;
	char text[1200], meta[64], trailing[64], last[64];
	size_t details, blocked;
	bool lazy;
};

static void echo(struct grpc_call *c, const struct doc *d, void *arg)
{
	struct env *e = arg;
	struct slice meta = grpc_metadata(c, "x-in"), bin = grpc_metadata(c, "x-in-bin");

	e->asked++;
	if (e->fail_first) {
		e->fail_first--;
		if (e->pushback[0])
			(void)stream_set_trailer(c->s, "grpc-retry-pushback-ms", e->pushback);
		grpc_finish(c, GRPC_UNAVAILABLE, "not now");
		return;
	}
	if (meta.n)
		assert_int_equal(grpc_set_metadata(c, "x-out", meta), 0);
	if (bin.n)
		assert_int_equal(grpc_set_trailing(c, "x-out-bin", bin), 0);
	grpc_reply(c, d);
}

static void broken(struct grpc_call *c, const struct doc *d, void *arg)
{
	(void)d;
	(void)arg;
	(void)stream_set_trailer(c->s, "grpc-status-details-bin", "CAUSAWE");
	grpc_finishf(c, GRPC_NOT_FOUND, "no 'th\xc3\xadng' 100%%\n%d", 7);
}

static void count_cancel(struct grpc_call *c)
{
	struct env *e = grpc_arg(c);

	e->cancelled++;
	grpc_unref(e->held);
	e->held = NULL;
}

static void hold(struct grpc_call *c, const struct doc *d, void *arg)
{
	static const struct grpc_events events = { .cancelled = count_cancel };
	struct env *e = arg;

	(void)d;
	e->held = grpc_ref(c);
	grpc_on(c, &events, e);
}

static struct doc number(struct arena *a, int64_t n)
{
	struct doc d = doc_object();

	(void)doc_set_int(a, &d, "n", n);
	return d;
}

/* n messages; waits for `writable` where told to. */
struct counter {
	int64_t next, n;
	struct env *e;
	char fill[4000];
};

static void count_on(struct grpc_call *c)
{
	struct counter *k = grpc_arg(c);

	while (k->next < k->n) {
		CLEANUP(arena_free) struct arena *a = arena_new("count", 65536);
		struct doc d = number(a, ++k->next);
		int r;

		if (k->n > 100)
			(void)doc_set_strn(a, &d, "text", k->fill, sizeof(k->fill));
		r = grpc_send(c, &d, NULL);
		assert_true(r >= 0);
		if (r == 1) {
			k->e->blocked++;
			return;
		}
	}
	grpc_finish(c, GRPC_OK, NULL);
}

static void count(struct grpc_call *c, const struct doc *d, void *arg)
{
	static const struct grpc_events events = { .writable = count_on };
	struct counter *k = arena_alloc(grpc_arena(c), sizeof(*k));

	memset(k->fill, 'x', sizeof(k->fill));
	(void)doc_int64(doc_get(d, "n"), &k->n);
	k->e = arg;
	grpc_on(c, &events, k);
	count_on(c);
}

static void sum_message(struct grpc_call *c, const struct doc *d)
{
	struct env *e = grpc_arg(c);
	int64_t n = 0;

	(void)doc_int64(doc_get(d, "n"), &n);
	e->sum += (unsigned)n;
	grpc_more(c);
}

static void sum_end(struct grpc_call *c)
{
	struct env *e = grpc_arg(c);
	struct doc d = number(grpc_arena(c), e->sum);

	e->half_closed++;
	grpc_reply(c, &d);
}

static void sum(struct grpc_call *c, void *arg)
{
	static const struct grpc_events events = { .message = sum_message, .half_closed = sum_end };

	grpc_on(c, &events, arg);
}

static void chat_message(struct grpc_call *c, const struct doc *d)
{
	assert_true(grpc_send(c, d, NULL) >= 0);
	grpc_more(c);
}

static void chat_end(struct grpc_call *c)
{
	grpc_finish(c, GRPC_OK, NULL);
}

static void chat(struct grpc_call *c, void *arg)
{
	static const struct grpc_events events = { .message = chat_message,
						   .half_closed = chat_end };

	grpc_on(c, &events, arg);
}

static const struct grpc_method methods[] = {
	{ "Echo", &msg_schema, &msg_schema, 0, echo, NULL },
	{ "Broken", &msg_schema, &msg_schema, 0, broken, NULL },
	{ "Hold", &msg_schema, &msg_schema, 0, hold, NULL },
	{ "Count", &msg_schema, &msg_schema, GRPC_SERVER_STREAM, count, NULL },
	{ "Sum", &msg_schema, &msg_schema, GRPC_CLIENT_STREAM, NULL, sum },
	{ "Chat", &msg_schema, &msg_schema, GRPC_CLIENT_STREAM | GRPC_SERVER_STREAM, NULL, chat },
};
enum { ECHO, BROKEN, HOLD, COUNT, SUM, CHAT };
static const struct grpc_service service = { "test.Service", methods, ARRAY_LEN(methods) };
#define SVC "test.Service"
static const struct grpc_method missing = { "Missing", &msg_schema, &msg_schema, 0, NULL, NULL };

/* ---- set-up ---- */

static void serve(struct env *e, struct loop *l)
{
	struct grpc_server_conf gc = { .message_max = 100000, .calls_max = 8 };
	struct http_server_conf hc = { .request = grpc_server_request, .http2 = HTTP2_PRIOR };
	struct err err = ERR_INIT;

	assert_int_equal(grpc_server_new(l, &gc, &e->srv, &err), 0);
	assert_int_equal(grpc_server_add(e->srv, &service, e, &err), 0);
	assert_int_equal(grpc_server_add(e->srv, &service, e, &err), -ERR_EXISTS);
	assert_int_equal(grpc_server_add_health(e->srv, &err), 0);
	assert_int_equal(grpc_server_add_reflection(e->srv, &err), 0);
	hc.arg = e->srv;
	assert_int_equal(http_server_new(l, &hc, &e->http, &err), 0);
	if (http_server_listen_unix(e->http, e->path, 0600, (gid_t)-1, &err) < 0)
		fail_msg("%s", err.msg);
}

static void unserve(struct env *e)
{
	grpc_server_free(e->srv);
	http_server_free(e->http);
	e->srv = NULL;
	e->http = NULL;
}

static int setup_bare(void **state)
{
	struct env *e = calloc(1, sizeof(*e));

	assert_non_null(e);
	(void)snprintf(e->dir, sizeof(e->dir), "/tmp/teu-grpc-XXXXXX");
	assert_non_null(mkdtemp(e->dir));
	(void)snprintf(e->path, sizeof(e->path), "%s/sock", e->dir);
	(void)snprintf(e->address, sizeof(e->address), "unix://%s", e->path);
	*state = e;
	return 0;
}

static int setup(void **state)
{
	struct grpc_client_conf cc = { .message_max = 100000, .seed = 1 };
	struct env *e;

	(void)setup_bare(state);
	e = *state;
	cc.retry.first = NS_PER_MS;
	assert_int_equal(loop_new(&e->loop, NULL), 0);
	serve(e, e->loop);
	assert_int_equal(grpc_client_new(e->loop, e->address, &cc, &e->cl, NULL), 0);
	return 0;
}

static int teardown(void **state)
{
	struct env *e = *state;

	grpc_client_free(e->cl);
	unserve(e);
	if (e->loop)
		loop_free(e->loop);
	assert_int_equal(fd_remove_tree(AT_FDCWD, e->dir, NULL), 0);
	free(e);
	return 0;
}

static void spin(struct env *e)
{
	assert_true(loop_step(e->loop, 20 * NS_PER_SEC, NULL) >= 0);
}

static void note_status(struct env *e, const struct grpc_status *st)
{
	e->finished++;
	e->code = st->code;
	e->details = st->details.n;
	(void)snprintf(e->text, sizeof(e->text), "%s", st->message);
}

static void on_unary(void *arg, const struct doc *d, const struct grpc_status *st)
{
	struct env *e = arg;

	note_status(e, st);
	assert_int_equal(d != NULL, st->code == GRPC_OK);
	if (d)
		(void)snprintf(e->last, sizeof(e->last), "%.*s",
			       (int)doc_slice(doc_get(d, "text")).n,
			       doc_slice(doc_get(d, "text")).p);
}

static enum grpc_code unary(struct env *e, const struct grpc_method *m, const char *text,
			    const struct grpc_call_opts *o)
{
	CLEANUP(arena_free) struct arena *a = arena_new("test", 1 << 20);
	struct doc d = doc_object();
	struct err err = ERR_INIT;

	(void)doc_set_str(a, &d, "text", text);
	e->finished = 0;
	e->last[0] = '\0';
	if (grpc_client_unary(e->cl, SVC, m, &d, o, on_unary, e, NULL, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(e->finished, 0);
	while (!e->finished)
		spin(e);
	assert_int_equal(e->finished, 1);
	return e->code;
}

static void on_message(struct grpc_call *c, const struct doc *d)
{
	struct env *e = grpc_arg(c);
	int64_t n = 0;

	e->messages++;
	(void)doc_int64(doc_get(d, "n"), &n);
	e->sum += e->lazy ? 0 : (unsigned)n;
	if (!e->lazy)
		grpc_more(c);
}

static void on_finished(struct grpc_call *c, const struct grpc_status *st)
{
	struct env *e = grpc_arg(c);
	struct slice v = grpc_metadata(c, "x-out");

	note_status(e, st);
	(void)snprintf(e->meta, sizeof(e->meta), "%.*s", (int)v.n, v.p ? v.p : "");
	v = grpc_trailing(c, "x-out-bin");
	(void)snprintf(e->trailing, sizeof(e->trailing), "%.*s", (int)v.n, v.p ? v.p : "");
}

static const struct grpc_events client_events = { .message = on_message, .finished = on_finished };

static struct grpc_call *start_call(struct env *e, int method, const struct grpc_call_opts *o)
{
	struct err err = ERR_INIT;
	struct grpc_call *c;

	if (grpc_client_open(e->cl, SVC, &methods[method], o, &c, &err) < 0)
		fail_msg("%s", err.msg);
	grpc_on(c, &client_events, e);
	return c;
}

static void send_number(struct grpc_call *c, int64_t n)
{
	CLEANUP(arena_free) struct arena *a = arena_new("test", 65536);
	struct doc d = number(a, n);

	assert_true(grpc_send(c, &d, NULL) >= 0);
}

/* ---- unary ---- */

static void a_unary_call_answers(void **state)
{
	struct env *e = *state;

	for (int i = 0; i < 50; i++) {
		assert_int_equal(unary(e, &methods[ECHO], "hello", NULL), GRPC_OK);
		assert_string_equal(e->last, "hello");
	}
	assert_int_equal(unary(e, &methods[ECHO], "", NULL), GRPC_OK);
	assert_int_equal(grpc_server_get_stats(e->srv).ended, 51);
	assert_int_equal(grpc_server_get_stats(e->srv).failed, 0);
	assert_int_equal(http_server_get_stats(e->http).accepted, 1);
}

static void a_status_travels_with_message_and_details(void **state)
{
	struct env *e = *state;

	assert_int_equal(unary(e, &methods[BROKEN], "", NULL), GRPC_NOT_FOUND);
	assert_string_equal(e->text, "no 'th\xc3\xadng' 100%\n7");
	assert_int_equal(e->details, 5);
	assert_int_equal(unary(e, &missing, "", NULL), GRPC_UNIMPLEMENTED);
	assert_string_equal(e->text, "no method '/test.Service/Missing'");
}

static void metadata_travels_both_ways(void **state)
{
	const struct grpc_pair pairs[] = { { "x-in", SLICE("plain") },
					   { "x-in-bin", SLICE("\1\2bytes") } };
	struct grpc_call_opts o = { .metadata = pairs, .metadata_n = 2 };
	const struct grpc_pair bad = { "grpc-status", SLICE("0") };
	struct env *e = *state;
	CLEANUP(grpc_unref) struct grpc_call *c = start_call(e, ECHO, &o);
	struct err err = ERR_INIT;
	struct grpc_call *none;

	send_number(c, 1);
	grpc_half_close(c);
	while (!e->finished)
		spin(e);
	assert_int_equal(e->code, GRPC_OK);
	assert_string_equal(e->meta, "plain");
	assert_string_equal(e->trailing, "\1\2bytes");
	assert_int_equal(e->messages, 1);
	o = (struct grpc_call_opts){ .metadata = &bad, .metadata_n = 1 };
	assert_int_equal(grpc_client_open(e->cl, SVC, &methods[ECHO], &o, &none, &err),
			 -ERR_INVALID);
	assert_int_equal(grpc_client_unary(e->cl, SVC, &methods[ECHO],
					   &(struct doc){ .type = DOC_OBJECT }, &o, on_unary, e,
					   NULL, &err),
			 -ERR_INVALID);
}

/* ---- streams ---- */

static void a_server_streams(void **state)
{
	struct env *e = *state;
	CLEANUP(grpc_unref) struct grpc_call *c = start_call(e, COUNT, NULL);

	send_number(c, 10);
	grpc_half_close(c);
	while (!e->finished)
		spin(e);
	assert_int_equal(e->code, GRPC_OK);
	assert_int_equal(e->messages, 10);
	assert_int_equal(e->sum, 55);
}

static void a_client_that_does_not_read_stops_the_server(void **state)
{
	struct env *e = *state;
	CLEANUP(grpc_unref) struct grpc_call *c = start_call(e, COUNT, NULL);

	e->lazy = true;
	send_number(c, 1000); /* 4 MB */
	grpc_half_close(c);
	while (!e->blocked)
		spin(e);
	for (int i = 0; i < 20; i++)
		assert_true(loop_step(e->loop, NS_PER_MS, NULL) >= 0);
	assert_int_equal(e->messages, 1);
	assert_int_equal(e->finished, 0);
	assert_true(c->in_buf.n < 300000);
	e->lazy = false;
	grpc_more(c);
	while (!e->finished)
		spin(e);
	assert_int_equal(e->messages, 1000);
	assert_int_equal(e->code, GRPC_OK);
}

static void a_client_streams(void **state)
{
	struct env *e = *state;
	CLEANUP(grpc_unref) struct grpc_call *c = start_call(e, SUM, NULL);

	e->lazy = true;
	for (int i = 1; i <= 100; i++)
		send_number(c, i);
	grpc_half_close(c);
	assert_int_equal(grpc_send(c, &(struct doc){ .type = DOC_OBJECT }, NULL), -ERR_UNAVAILABLE);
	while (!e->finished)
		spin(e);
	assert_int_equal(e->code, GRPC_OK);
	assert_int_equal(e->sum, 5050);
	assert_int_equal(e->half_closed, 1);
	assert_int_equal(e->messages, 1);
}

static void both_stream_in_turn(void **state)
{
	struct env *e = *state;
	CLEANUP(grpc_unref) struct grpc_call *c = start_call(e, CHAT, NULL);

	for (unsigned i = 1; i <= 20; i++) {
		send_number(c, i);
		while (e->messages < i)
			spin(e);
	}
	assert_int_equal(e->finished, 0);
	grpc_half_close(c);
	while (!e->finished)
		spin(e);
	assert_int_equal(e->code, GRPC_OK);
	assert_int_equal(e->sum, 210);
}

/* ---- ends ---- */

static void deadlines_end_both_sides(void **state)
{
	struct grpc_call_opts o = { .time = 30 * NS_PER_MS };
	struct env *e = *state;

	assert_int_equal(unary(e, &methods[HOLD], "", &o), GRPC_DEADLINE_EXCEEDED);
	while (!e->cancelled)
		spin(e);
	assert_int_equal(e->cancelled, 1);
	o.time = 1;
	assert_int_equal(unary(e, &methods[ECHO], "", &o), GRPC_DEADLINE_EXCEEDED);
}

static void a_cancelled_call_is_cancelled_there(void **state)
{
	struct env *e = *state;
	CLEANUP(grpc_unref) struct grpc_call *c = start_call(e, HOLD, NULL);
	struct grpc_unary *u;

	send_number(c, 1);
	grpc_half_close(c);
	while (!e->held)
		spin(e);
	assert_int_equal(grpc_time_left(e->held), INT64_MAX);
	grpc_cancel(c);
	assert_int_equal(e->code, GRPC_CANCELLED);
	while (!e->cancelled)
		spin(e);
	/* and unary: it is never told */
	assert_int_equal(grpc_client_unary(e->cl, SVC, &methods[HOLD],
					   &(struct doc){ .type = DOC_OBJECT }, NULL, on_unary, e,
					   &u, NULL),
			 0);
	while (!e->held)
		spin(e);
	e->finished = 0;
	grpc_unary_cancel(u);
	while (e->cancelled < 2)
		spin(e);
	assert_int_equal(e->finished, 0);
}

static void sizes_and_numbers_of_calls_are_limited(void **state)
{
	CLEANUP_FREE char *big = malloc(100002);
	struct env *e = *state;
	struct grpc_call *c[9];

	assert_non_null(big);
	memset(big, 'x', 100001);
	big[100001] = '\0';
	assert_int_equal(unary(e, &methods[ECHO], big, NULL), GRPC_RESOURCE_EXHAUSTED);
	assert_non_null(strstr(e->text, "larger than the limit"));
	for (int i = 0; i < 9; i++) {
		c[i] = start_call(e, CHAT, NULL);
		send_number(c[i], 1);
	}
	e->finished = 0;
	while (!e->finished)
		spin(e);
	assert_int_equal(e->code, GRPC_RESOURCE_EXHAUSTED);
	for (int i = 0; i < 9; i++) {
		grpc_on(c[i], NULL, NULL);
		grpc_cancel(c[i]);
		grpc_unref(c[i]);
	}
}

static void a_server_that_goes_away_is_unavailable(void **state)
{
	struct env *e = *state;
	CLEANUP(grpc_unref) struct grpc_call *c = start_call(e, HOLD, NULL);

	send_number(c, 1);
	grpc_half_close(c);
	while (!e->held)
		spin(e);
	unserve(e);
	while (!e->finished)
		spin(e);
	assert_int_equal(e->code, GRPC_UNAVAILABLE);
	assert_int_equal(e->cancelled, 1);
}

/* ---- retries ---- */

static void an_unavailable_call_is_tried_again(void **state)
{
	struct env *e = *state;

	e->fail_first = 2;
	assert_int_equal(unary(e, &methods[ECHO], "again", NULL), GRPC_OK);
	assert_string_equal(e->last, "again");
	assert_int_equal(e->asked, 3);
	assert_int_equal(grpc_client_get_stats(e->cl).retries, 2);
	/* four attempts, then its status */
	e->asked = 0;
	e->fail_first = 10;
	assert_int_equal(unary(e, &methods[ECHO], "", NULL), GRPC_UNAVAILABLE);
	assert_string_equal(e->text, "not now");
	assert_int_equal(e->asked, 4);
	/* other codes are final */
	assert_int_equal(unary(e, &methods[BROKEN], "", NULL), GRPC_NOT_FOUND);
	assert_int_equal(grpc_client_get_stats(e->cl).retries, 5);
}

static void the_server_may_say_when_or_never(void **state)
{
	struct env *e = *state;

	(void)snprintf(e->pushback, sizeof(e->pushback), "-1");
	e->fail_first = 1;
	assert_int_equal(unary(e, &methods[ECHO], "", NULL), GRPC_UNAVAILABLE);
	(void)snprintf(e->pushback, sizeof(e->pushback), "1");
	e->fail_first = 1;
	assert_int_equal(unary(e, &methods[ECHO], "", NULL), GRPC_OK);
	/* later than the deadline: not at all */
	(void)snprintf(e->pushback, sizeof(e->pushback), "3000000");
	e->fail_first = 1;
	assert_int_equal(
		unary(e, &methods[ECHO], "", &(struct grpc_call_opts){ .time = 60 * NS_PER_SEC }),
		GRPC_UNAVAILABLE);
}

static void a_budget_bounds_the_retries_of_all(void **state)
{
	struct env *e = *state;

	for (int i = 0; i < 20; i++) {
		e->fail_first = 100;
		assert_int_equal(unary(e, &methods[ECHO], "", NULL), GRPC_UNAVAILABLE);
	}
	/* ten to begin with, and a tenth of the calls */
	assert_true(grpc_client_get_stats(e->cl).retries <= 12);
	assert_true(grpc_client_get_stats(e->cl).refused_by_budget > 0);
}

static void a_server_that_comes_back_is_found(void **state)
{
	struct env *e = *state;

	unserve(e);
	assert_int_equal(unary(e, &methods[ECHO], "", NULL), GRPC_UNAVAILABLE);
	serve(e, e->loop);
	assert_int_equal(unary(e, &methods[ECHO], "back", NULL), GRPC_OK);
}

/* ---- health and reflection: more in 5100-grpc.bats ---- */

static const char *const statuses[] = { "UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN",
					NULL };
struct health_msg {
	const char *service, *status;
};
static const struct schema_field hin_rows[] = {
	F_STR(struct health_msg, service, "service", 0, FORMAT_NONE, .pb = 1),
};
static const struct schema_field hout_rows[] = {
	F_ENUM_STR(struct health_msg, status, "status", statuses, 0, .pb = 1,
		   .wire = SCHEMA_PB_VARINT),
};
static const struct schema hin = SCHEMA("HealthIn", struct health_msg, hin_rows);
static const struct schema hout = SCHEMA("HealthOut", struct health_msg, hout_rows);
static const struct grpc_method health[] = {
	{ "Check", &hin, &hout, 0, NULL, NULL },
	{ "Watch", &hin, &hout, GRPC_SERVER_STREAM, NULL, NULL },
};

static void on_health(struct grpc_call *c, const struct doc *d)
{
	struct env *e = grpc_arg(c);
	size_t n = strlen(e->text);

	e->messages++;
	(void)snprintf(e->text + n, sizeof(e->text) - n, "%.*s ",
		       (int)doc_slice(doc_get(d, "status")).n, doc_slice(doc_get(d, "status")).p);
	grpc_more(c);
}

static void health_can_be_watched(void **state)
{
	static const struct grpc_events events = { .message = on_health };
	struct env *e = *state;
	struct doc d = doc_object();
	struct grpc_call *c[3];

	for (int i = 0; i < 3; i++) {
		assert_int_equal(grpc_client_open(e->cl, "grpc.health.v1.Health", &health[i > 0],
						  NULL, &c[i], NULL),
				 0);
		grpc_on(c[i], &events, e);
		if (i == 2)
			d = *doc_new(stream_arena(c[i]->s), doc_object());
		if (i == 2)
			(void)doc_set_str(stream_arena(c[i]->s), &d, "service", "other");
		assert_true(grpc_send(c[i], &d, NULL) >= 0);
		grpc_half_close(c[i]);
		while (e->messages < (unsigned)i + 1)
			spin(e);
	}
	grpc_server_set_health(e->srv, "", GRPC_NOT_SERVING);
	grpc_server_set_health(e->srv, "", GRPC_NOT_SERVING);
	grpc_server_set_health(e->srv, "other", GRPC_SERVING);
	while (e->messages < 5)
		spin(e);
	assert_true(strncmp(e->text, "SERVING SERVING SERVICE_UNKNOWN ", 32) == 0);
	assert_non_null(strstr(e->text + 32, "NOT_SERVING "));
	for (int i = 0; i < 3; i++) {
		grpc_on(c[i], NULL, NULL);
		grpc_cancel(c[i]);
		grpc_unref(c[i]);
	}
}

/* ---- blocking, with the server on a thread of its own ---- */

struct threaded {
	struct env *e;
	struct loop *loop;
	pthread_t thread;
	struct post stop;
};

static void on_stop(struct post *p)
{
	loop_stop(CONTAINER_OF(p, struct threaded, stop)->loop, 0);
}

static void *serve_thread(void *arg)
{
	struct threaded *t = arg;

	(void)loop_run(t->loop, NULL);
	return NULL;
}

static int each(void *arg, const struct doc *d)
{
	unsigned *n = arg;

	(void)d;
	return ++*n == 7 ? 42 : 0;
}

static void the_blocking_forms_wait_for_the_answer(void **state)
{
	CLEANUP(arena_free) struct arena *a = arena_new("test", 1 << 20);
	struct env *e = *state;
	struct threaded t = { .e = e, .stop.fn = on_stop };
	struct doc d = number(a, 5), out;
	struct err err = ERR_INIT;
	enum grpc_code code;
	unsigned n = 0;
	int64_t v = 0;

	assert_int_equal(loop_new(&t.loop, NULL), 0);
	serve(e, t.loop);
	assert_int_equal(pthread_create(&t.thread, NULL, serve_thread, &t), 0);
	assert_int_equal(grpc_client_new(NULL, e->address, NULL, &e->cl, &err), 0);

	assert_int_equal(
		grpc_client_call(e->cl, SVC, &methods[ECHO], &d, NULL, a, &out, &code, &err), 0);
	assert_int_equal(code, GRPC_OK);
	assert_int_equal(doc_int64(doc_get(&out, "n"), &v), 0);
	assert_int_equal(v, 5);
	assert_int_equal(
		grpc_client_call(e->cl, SVC, &methods[BROKEN], &d, NULL, a, &out, &code, &err),
		-ERR_NOT_FOUND);
	assert_int_equal(code, GRPC_NOT_FOUND);
	assert_true(strncmp(err.msg, "NOT_FOUND: no 'th", 17) == 0);
	assert_int_equal(grpc_client_call(e->cl, SVC, &methods[HOLD], &d,
					  &(struct grpc_call_opts){ .time = 30 * NS_PER_MS }, a,
					  &out, NULL, &err),
			 -ERR_TIMEOUT);
	assert_int_equal(grpc_client_stream(e->cl, SVC, &methods[COUNT], &d, NULL, each, &n, &err),
			 0);
	assert_int_equal(n, 5);
	n = 0;
	d = number(a, 50);
	assert_int_equal(grpc_client_stream(e->cl, SVC, &methods[COUNT], &d, NULL, each, &n, &err),
			 42);
	assert_int_equal(n, 7);
	assert_int_equal(grpc_client_stream(e->cl, SVC, &missing, &d, NULL, each, &n, &err),
			 -ERR_UNSUPPORTED);

	grpc_client_free(STEAL(e->cl));
	loop_post(t.loop, &t.stop);
	assert_int_equal(pthread_join(t.thread, NULL), 0);
	unserve(e);
	loop_free(t.loop);
	assert_int_equal(grpc_client_new(NULL, e->address, NULL, &e->cl, &err), 0);
	assert_int_equal(
		grpc_client_call(e->cl, SVC, &methods[ECHO], &d, NULL, a, &out, &code, &err),
		-ERR_UNAVAILABLE);
}

/* ---- texts, pure ---- */

static void timeouts_have_their_texts(void **state)
{
	static const struct {
		const char *text;
		int64_t ns;
	} good[] = { { "1n", 1 },
		     { "99999999u", 99999999000 },
		     { "5m", 5000000 },
		     { "3S", 3 * NS_PER_SEC },
		     { "2M", 120 * NS_PER_SEC },
		     { "1H", 3600 * NS_PER_SEC },
		     { "0n", 0 } };
	static const char *const bad[] = { "",	  "n",	 "1",	"1x", "123456789n",
					   "-1n", " 1n", "1nn", "1s" };
	char text[16];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_int_equal(grpc_timeout_parse(slice_str(good[i].text)), good[i].ns);
		assert_true(grpc_timeout_parse(slice_str(grpc_timeout_text(good[i].ns, text))) >=
			    good[i].ns);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(grpc_timeout_parse(slice_str(bad[i])), -1);
	assert_string_equal(grpc_timeout_text(100000000, text), "100000u");
	assert_string_equal(grpc_timeout_text(1, text), "1n");
	assert_string_equal(grpc_timeout_text(INT64_MAX, text), "2562048H");
	assert_true(grpc_timeout_parse(SLICE("99999999H")) > 0);
}

static void messages_are_percent_coded(void **state)
{
	static const char *const texts[] = { "", "plain", "a%b", "\xc3\xa4\n\x7f", "100% sure" };
	char coded[200], back[200];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		grpc_message_encode(slice_str(texts[i]), coded);
		grpc_message_decode(slice_str(coded), back);
		assert_string_equal(back, texts[i]);
	}
	grpc_message_decode(SLICE("%zz%4%00%41"), back);
	assert_string_equal(back, "%zz%4%00A");
}

static void names_and_codes_are_checked(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	assert_true(grpc_metadata_ok(SLICE("x-a.b_1-bin")));
	assert_false(grpc_metadata_ok(SLICE("X-a")));
	assert_false(grpc_metadata_ok(SLICE("grpc-x")));
	assert_false(grpc_metadata_ok(SLICE("te")));
	assert_false(grpc_metadata_ok(SLICE(":path")));
	assert_false(grpc_metadata_ok(SLICE("")));
	assert_true(grpc_is_content_type(SLICE("application/grpc")));
	assert_true(grpc_is_content_type(SLICE("application/grpc+proto; x")));
	assert_false(grpc_is_content_type(SLICE("application/grpc+json")));
	assert_false(grpc_is_content_type(SLICE("application/grpcx")));
	assert_false(grpc_is_content_type(SLICE("application/json")));
	assert_int_equal(grpc_code_of_http(503), GRPC_UNAVAILABLE);
	assert_int_equal(grpc_code_of_http(404), GRPC_UNIMPLEMENTED);
	assert_string_equal(grpc_code_name((enum grpc_code)99), "UNKNOWN");
	for (int i = 1; i <= 16; i++)
		assert_true(grpc_err((enum grpc_code)i, "x", &err) < 0);
	(void)err_set(&err, ERR_CONFLICT, "x");
	assert_int_equal(grpc_code_of(&err), GRPC_FAILED_PRECONDITION);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_unary_call_answers),
		CASE(a_status_travels_with_message_and_details),
		CASE(metadata_travels_both_ways),
		CASE(a_server_streams),
		CASE(a_client_that_does_not_read_stops_the_server),
		CASE(a_client_streams),
		CASE(both_stream_in_turn),
		CASE(deadlines_end_both_sides),
		CASE(a_cancelled_call_is_cancelled_there),
		CASE(sizes_and_numbers_of_calls_are_limited),
		CASE(a_server_that_goes_away_is_unavailable),
		CASE(an_unavailable_call_is_tried_again),
		CASE(the_server_may_say_when_or_never),
		CASE(a_budget_bounds_the_retries_of_all),
		CASE(a_server_that_comes_back_is_found),
		CASE(health_can_be_watched),
		cmocka_unit_test_setup_teardown(the_blocking_forms_wait_for_the_answer, setup_bare,
						teardown),
		cmocka_unit_test(timeouts_have_their_texts),
		cmocka_unit_test(messages_are_percent_coded),
		cmocka_unit_test(names_and_codes_are_checked),
	};

	return cmocka_run_group_tests_name("grpc", tests, NULL, NULL);
}
