/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gRPC for tests and benches, on a Unix socket:
 *
 *	grpc-peer serve SOCKET         a server, until its input ends
 *	grpc-peer call SOCKET          all kinds of calls to a server with the same service;
 *	                               tells results
 *	grpc-peer bench SOCKET CALLS   unary calls, 64 at a time; tells calls per second and per
 *	                               CPU second
 */
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/loop.h"
#include "doc/doc.h"
#include "doc/schema.h"
#include "io/grpc.h"
#include "io/http-server.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define AT_ONCE 64

struct msg {
	const char *text, *color;
	int64_t n;
	struct str_map labels;
	struct schema_time when;
};
static const char *const colors[] = { "NONE", "RED", NULL };
static const struct schema_field msg_rows[] = {
	F_STR(struct msg, text, "text", 0, FORMAT_NONE, .pb = 1),
	F_INT(struct msg, n, "n", 0, 0, 0, .pb = 2),
	F_MAP_STR(struct msg, labels, "labels", 0, .pb = 3),
	F_ENUM_STR(struct msg, color, "color", colors, 0, .pb = 4, .wire = SCHEMA_PB_VARINT),
	F_TIME(struct msg, when, "when", 0, .pb = 5),
};
static const struct schema msg_schema = SCHEMA("peer.types.Msg", struct msg, msg_rows);

static void echo(struct grpc_call *c, const struct doc *d, void *arg)
{
	struct slice meta = grpc_metadata(c, "x-in-bin");

	(void)arg;
	if (meta.p)
		(void)grpc_set_trailing(c, "x-out-bin", meta);
	grpc_reply(c, d);
}

static void fail(struct grpc_call *c, const struct doc *d, void *arg)
{
	(void)d;
	(void)arg;
	grpc_finish(c, GRPC_FAILED_PRECONDITION,
		    "no, \xc3\xa4"
		    "ctually 100%");
}

static void hold(struct grpc_call *c, const struct doc *d, void *arg)
{
	(void)c;
	(void)d;
	(void)arg; /* the deadline ends it */
}

static struct doc number(struct arena *a, int64_t n)
{
	struct doc d = doc_object();

	(void)doc_set_int(a, &d, "n", n);
	return d;
}

static void count(struct grpc_call *c, const struct doc *d, void *arg)
{
	int64_t n = 0;

	(void)arg;
	(void)doc_int64(doc_get(d, "n"), &n);
	for (int64_t i = 1; i <= n; i++) {
		struct doc out = number(grpc_arena(c), i);

		if (grpc_send(c, &out, NULL) < 0)
			return;
	}
	grpc_finish(c, GRPC_OK, NULL);
}

struct total {
	int64_t n;
};

static void add(struct grpc_call *c, const struct doc *d)
{
	struct total *t = grpc_arg(c);
	int64_t n = 0;

	(void)doc_int64(doc_get(d, "n"), &n);
	t->n += n;
	grpc_more(c);
}

static void tell_sum(struct grpc_call *c)
{
	struct total *t = grpc_arg(c);
	struct doc d = number(grpc_arena(c), t->n);

	grpc_reply(c, &d);
}

static void sum(struct grpc_call *c, void *arg)
{
	static const struct grpc_events events = { .message = add, .half_closed = tell_sum };

	(void)arg;
	grpc_on(c, &events, arena_alloc(grpc_arena(c), sizeof(struct total)));
}

static void chat_message(struct grpc_call *c, const struct doc *d)
{
	if (grpc_send(c, d, NULL) >= 0)
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
	{ "Fail", &msg_schema, &msg_schema, 0, fail, NULL },
	{ "Hold", &msg_schema, &msg_schema, 0, hold, NULL },
	{ "Count", &msg_schema, &msg_schema, GRPC_SERVER_STREAM, count, NULL },
	{ "Sum", &msg_schema, &msg_schema, GRPC_CLIENT_STREAM, NULL, sum },
	{ "Chat", &msg_schema, &msg_schema, GRPC_CLIENT_STREAM | GRPC_SERVER_STREAM, NULL, chat },
};
enum { ECHO, FAIL, HOLD, COUNT, SUM, CHAT };
static const struct grpc_service service = { "peer.Service", methods, ARRAY_LEN(methods) };

_Noreturn static void die(const struct err *err)
{
	(void)fprintf(stderr, "grpc-peer: %s\n", err->msg);
	exit(1);
}

/* ---- serve ---- */

static int on_input(struct source *s, uint32_t events)
{
	char byte;

	(void)events;
	if (read(s->fd, &byte, 1) <= 0)
		loop_stop(s->loop, 0);
	return 0;
}

static int serve(const char *path)
{
	struct http_server_conf hc = { .request = grpc_server_request, .http2 = HTTP2_PRIOR };
	struct source input = SOURCE_INIT;
	struct http_server *http = NULL;
	struct grpc_server *srv = NULL;
	struct err err = ERR_INIT;
	struct rusage ru;
	struct loop *l;

	if (loop_new(&l, &err) < 0 || grpc_server_new(l, NULL, &srv, &err) < 0 ||
	    grpc_server_add(srv, &service, NULL, &err) < 0 ||
	    grpc_server_add_health(srv, &err) < 0 || grpc_server_add_reflection(srv, &err) < 0)
		die(&err);
	hc.arg = srv;
	if (http_server_new(l, &hc, &http, &err) < 0 ||
	    http_server_listen_unix(http, path, 0600, (gid_t)-1, &err) < 0 ||
	    source_init(&input, l, 0, EPOLLIN, on_input, &err) < 0)
		die(&err);
	printf("ready\n");
	(void)fflush(stdout);
	(void)loop_run(l, &err);
	(void)getrusage(RUSAGE_SELF, &ru);
	printf("calls %llu cpu %.6f\n", (unsigned long long)grpc_server_get_stats(srv).ended,
	       (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) +
		       (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6);
	source_fini(&input);
	grpc_server_free(srv);
	http_server_free(http);
	loop_free(l);
	return 0;
}

/* ---- call ---- */

static int print_n(void *arg, const struct doc *d)
{
	int64_t n = 0;

	(void)arg;
	(void)doc_int64(doc_get(d, "n"), &n);
	printf(" %lld", (long long)n);
	return 0;
}

static void on_message(struct grpc_call *c, const struct doc *d)
{
	(void)print_n(NULL, d);
	grpc_more(c);
}

static void on_finished(struct grpc_call *c, const struct grpc_status *st)
{
	bool *done = grpc_arg(c);

	*done = true;
	printf(" %s\n", grpc_code_name(st->code));
}

/* Three messages there; whatever comes. */
static void stream(struct loop *l, struct grpc_client *cl, const struct grpc_method *m)
{
	static const struct grpc_events events = { .message = on_message, .finished = on_finished };
	CLEANUP(arena_free) struct arena *a = arena_new("call", 1 << 20);
	struct err err = ERR_INIT;
	struct grpc_call *c;
	bool done = false;

	printf("%s", m->name);
	if (grpc_client_open(cl, "peer.Service", m, NULL, &c, &err) < 0)
		die(&err);
	grpc_on(c, &events, &done);
	for (int64_t i = 1; i <= 3; i++) {
		struct doc d = number(a, i);

		if (grpc_send(c, &d, &err) < 0)
			die(&err);
	}
	grpc_half_close(c);
	while (!done)
		if (loop_step(l, -1, &err) < 0)
			die(&err);
	grpc_unref(c);
}

static int call(const char *address)
{
	CLEANUP(arena_free) struct arena *a = arena_new("call", 1 << 20);
	struct grpc_call_opts brief = { .time = 200 * NS_PER_MS };
	struct doc d = number(a, 3), out;
	struct grpc_client *cl = NULL;
	struct err err = ERR_INIT;
	struct loop *l;
	int r;

	if (loop_new(&l, &err) < 0 || grpc_client_new(l, address, NULL, &cl, &err) < 0)
		die(&err);
	(void)doc_set_str(a, &d, "text", "caf\xc3\xa9");
	if (grpc_client_call(cl, "peer.Service", &methods[ECHO], &d, NULL, a, &out, NULL, &err) < 0)
		die(&err);
	printf("Echo %.*s\n", (int)doc_get(&out, "text")->n, doc_get(&out, "text")->s);
	(void)grpc_client_call(cl, "peer.Service", &methods[FAIL], &d, NULL, a, &out, NULL, &err);
	printf("Fail %s\n", err.msg);
	(void)grpc_client_call(cl, "peer.Service", &methods[HOLD], &d, &brief, a, &out, NULL, &err);
	printf("Hold %s\n", err.msg);
	printf("Count");
	r = grpc_client_stream(cl, "peer.Service", &methods[COUNT], &d, NULL, print_n, NULL, &err);
	printf(" %s\n", r == 0 ? "OK" : err.msg);
	stream(l, cl, &methods[SUM]);
	stream(l, cl, &methods[CHAT]);
	grpc_client_free(cl);
	loop_free(l);
	return 0;
}

/* ---- bench ---- */

struct bench {
	struct grpc_client *cl;
	struct doc d;
	long left, running, bad;
};

static void next(struct bench *b);

static void on_answer(void *arg, const struct doc *d, const struct grpc_status *st)
{
	struct bench *b = arg;

	(void)d;
	b->running--;
	if (st->code != GRPC_OK && b->bad++ == 0)
		(void)fprintf(stderr, "grpc-peer: %s: %s\n", grpc_code_name(st->code), st->message);
	next(b);
}

static void next(struct bench *b)
{
	struct err err = ERR_INIT;

	if (b->left <= 0)
		return;
	b->left--;
	b->running++;
	if (grpc_client_unary(b->cl, "peer.Service", &methods[ECHO], &b->d, NULL, on_answer, b,
			      NULL, &err) < 0)
		die(&err);
}

static int bench(const char *address, long calls)
{
	CLEANUP(arena_free) struct arena *a = arena_new("bench", 1 << 20);
	struct bench b = { .left = calls, .d = number(a, 42) };
	struct err err = ERR_INIT;
	int64_t start = clock_mono();
	struct loop *l;
	double wall, cpu;

	(void)doc_set_str(a, &b.d, "text", "a text of the usual length");
	if (loop_new(&l, &err) < 0 || grpc_client_new(l, address, NULL, &b.cl, &err) < 0)
		die(&err);
	for (int i = 0; i < AT_ONCE; i++)
		next(&b);
	while (b.running)
		if (loop_step(l, -1, &err) < 0)
			die(&err);
	wall = (double)(clock_mono() - start) / 1e9;
	cpu = (double)clock() / CLOCKS_PER_SEC;
	printf("%ld calls, %ld failed: %.0f/s, %.0f per CPU second of the client\n", calls, b.bad,
	       (double)calls / wall, (double)calls / cpu);
	grpc_client_free(b.cl);
	loop_free(l);
	return b.bad != 0;
}

int main(int argc, char **argv)
{
	char address[256];

	if (argc < 3)
		return 2;
	(void)snprintf(address, sizeof(address), "unix://%s", argv[2]);
	if (strcmp(argv[1], "serve") == 0)
		return serve(argv[2]);
	if (strcmp(argv[1], "call") == 0)
		return call(address);
	if (strcmp(argv[1], "bench") == 0 && argc == 4)
		return bench(address, strtol(argv[3], NULL, 10));
	return 2;
}
