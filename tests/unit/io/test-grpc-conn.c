/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gRPC clients and the connection below: streams that were refused, GOAWAY, keep-alive pings. The
 * server is a raw HTTP/2 peer behind a Unix socket.
 */
#include "h2-peer.h"

#include "doc/doc.h"
#include "doc/schema.h"
#include "io/grpc.h"

#include <sys/un.h>

struct msg {
	int64_t n;
};
static const struct schema_field rows[] = { F_INT(struct msg, n, "n", 0, 0, 0, .pb = 2) };
static const struct schema schema = SCHEMA("test.Msg", struct msg, rows);
static const struct grpc_method method = { "Echo", &schema, &schema, 0, NULL, NULL };

struct result {
	bool done;
	enum grpc_code code;
	int64_t n;
	char text[512];
};

struct test {
	struct env e; /* its loop, for the peers */
	char dir[32], path[64], address[80];
	int listener;
	struct grpc_client *cl;
	struct peer p[2];
};

static int setup(void **state)
{
	struct test *t = calloc(1, sizeof(*t));
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	assert_non_null(t);
	(void)snprintf(t->dir, sizeof(t->dir), "/tmp/teu-grpc-XXXXXX");
	assert_non_null(mkdtemp(t->dir));
	(void)snprintf(t->path, sizeof(t->path), "%s/sock", t->dir);
	(void)snprintf(t->address, sizeof(t->address), "unix://%s", t->path);
	memcpy(un.sun_path, t->path, sizeof(t->path));
	t->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(t->listener, (struct sockaddr *)&un, sizeof(un)), 0);
	assert_int_equal(listen(t->listener, 8), 0);
	assert_int_equal(loop_new(&t->e.loop, NULL), 0);
	t->p[0].fd = t->p[1].fd = -1;
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct test *t = *state;

	grpc_client_free(t->cl);
	for (int i = 0; i < 2; i++)
		if (t->p[i].fd >= 0)
			peer_close(&t->p[i]);
	settle(&t->e);
	loop_free(t->e.loop);
	close(t->listener);
	assert_int_equal(fd_remove_tree(AT_FDCWD, t->dir, NULL), 0);
	free(t);
	return 0;
}

static void client(struct test *t, struct grpc_client_conf conf)
{
	conf.retry.first = NS_PER_MS;
	conf.seed = 1;
	assert_int_equal(grpc_client_new(t->e.loop, t->address, &conf, &t->cl, NULL), 0);
}

/* ---- the client's side ---- */

static void on_unary(void *arg, const struct doc *d, const struct grpc_status *st)
{
	struct result *r = arg;

	r->done = true;
	r->code = st->code;
	(void)snprintf(r->text, sizeof(r->text), "%s", st->message);
	if (d)
		(void)doc_int64(doc_get(d, "n"), &r->n);
}

static void call(struct test *t, struct result *r)
{
	struct doc d = doc_object();

	*r = (struct result){ 0 };
	assert_int_equal(
		grpc_client_unary(t->cl, "test.S", &method, &d, NULL, on_unary, r, NULL, NULL), 0);
}

/* ---- the server's side ---- */

static void peer_accept(struct test *t, struct peer *p)
{
	*p = (struct peer){ .e = &t->e, .out = BUF_INIT(1 << 20), .in = BUF_INIT(1 << 20) };
	while ((p->fd = accept4(t->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) < 0) {
		assert_int_equal(errno, EAGAIN);
		settle(&t->e);
	}
	p->at = sizeof(H2_PREFACE) - 1;
	frame_add(p, F_SETTINGS, 0, 0, NULL, 0);
}

/* Waits for a frame; those before it are passed over. */
static void peer_wait(struct peer *p, int type, uint32_t id, struct frame *f)
{
	while (p->in.n < p->at || !frame_find(p, type, id, f)) {
		assert_false(p->eof);
		peer_send(p);
	}
}

static void peer_answer(struct peer *p, uint32_t id, unsigned char n)
{
	const unsigned char message[] = { 0, 0, 0, 0, 2, 0x10, n };

	request_add(p, id, END_HEADERS, ":status: 200\ncontent-type: application/grpc\n");
	frame_add(p, F_DATA, 0, id, message, sizeof(message));
	request_add(p, id, END_HEADERS | END_STREAM, "grpc-status: 0\n");
	peer_send(p);
}

static void peer_reset(struct peer *p, uint32_t id, unsigned char code)
{
	frame_add(p, F_RST, 0, id, (unsigned char[]){ 0, 0, 0, code }, 4);
	peer_send(p);
}

static void finished(struct test *t, const struct result *r, enum grpc_code code, int64_t n)
{
	while (!r->done)
		assert_true(loop_step(t->e.loop, 20 * NS_PER_SEC, NULL) >= 0);
	if (r->code != code)
		fail_msg("%s: %s", grpc_code_name(r->code), r->text);
	assert_int_equal(r->n, n);
}

enum { NO_ERROR = 0, INTERNAL = 2, REFUSED_STREAM = 7 };

/* ---- cases ---- */

static void a_refused_stream_is_sent_again_at_once_and_then_by_the_policy(void **state)
{
	struct test *t = *state;
	struct frame f = { 0 };
	struct result r;

	client(t, (struct grpc_client_conf){ .retry.attempts_max = 2 });
	call(t, &r);
	peer_accept(t, &t->p[0]);
	peer_wait(&t->p[0], F_HEADERS, 1, &f);
	peer_reset(&t->p[0], 1, REFUSED_STREAM);
	peer_wait(&t->p[0], F_HEADERS, 3, &f);
	assert_int_equal(grpc_client_get_stats(t->cl).transparent, 1);
	assert_int_equal(grpc_client_get_stats(t->cl).retries, 0);
	peer_reset(&t->p[0], 3, REFUSED_STREAM);
	peer_wait(&t->p[0], F_HEADERS, 5, &f);
	assert_int_equal(grpc_client_get_stats(t->cl).transparent, 1);
	assert_int_equal(grpc_client_get_stats(t->cl).retries, 1);
	peer_answer(&t->p[0], 5, 42);
	finished(t, &r, GRPC_OK, 42);
	/* the policy has two attempts: the third refusal is the call's end */
	call(t, &r);
	for (uint32_t id = 7; id <= 11; id += 2) {
		peer_wait(&t->p[0], F_HEADERS, id, &f);
		peer_reset(&t->p[0], id, REFUSED_STREAM);
	}
	finished(t, &r, GRPC_UNAVAILABLE, 0);
}

static void another_reset_is_no_reason_to_send_again_unasked(void **state)
{
	struct test *t = *state;
	struct frame f = { 0 };
	struct result r;

	client(t, (struct grpc_client_conf){ .retry.attempts_max = 1 });
	call(t, &r);
	peer_accept(t, &t->p[0]);
	peer_wait(&t->p[0], F_HEADERS, 1, &f);
	peer_reset(&t->p[0], 1, INTERNAL);
	finished(t, &r, GRPC_UNAVAILABLE, 0);
	assert_int_equal(grpc_client_get_stats(t->cl).transparent, 0);
}

static void goaway_moves_what_was_not_seen_and_drains_the_rest(void **state)
{
	struct test *t = *state;
	struct result r[3];
	struct frame f = { 0 };

	client(t, (struct grpc_client_conf){ .connections_max = 2, .retry.attempts_max = 1 });
	call(t, &r[0]);
	call(t, &r[1]);
	peer_accept(t, &t->p[0]);
	peer_wait(&t->p[0], F_HEADERS, 1, &f);
	peer_wait(&t->p[0], F_HEADERS, 3, &f);
	frame_add(&t->p[0], F_GOAWAY, 0, 0, (unsigned char[]){ 0, 0, 0, 1, 0, 0, 0, NO_ERROR }, 8);
	peer_send(&t->p[0]);
	/* the second call is on a connection of its own now; so is a new one */
	peer_accept(t, &t->p[1]);
	peer_wait(&t->p[1], F_HEADERS, 1, &f);
	peer_answer(&t->p[1], 1, 2);
	finished(t, &r[1], GRPC_OK, 2);
	assert_int_equal(grpc_client_get_stats(t->cl).transparent, 1);
	call(t, &r[2]);
	peer_wait(&t->p[1], F_HEADERS, 3, &f);
	peer_answer(&t->p[1], 3, 3);
	finished(t, &r[2], GRPC_OK, 3);
	/* the first is served to its end, then the connection goes */
	assert_false(r[0].done);
	peer_answer(&t->p[0], 1, 1);
	finished(t, &r[0], GRPC_OK, 1);
	while (!t->p[0].eof)
		peer_send(&t->p[0]);
}

static void pings_are_sent_while_calls_run_and_their_answers_keep_it(void **state)
{
	struct test *t = *state;
	struct frame f = { 0 };
	struct result r;

	client(t, (struct grpc_client_conf){ .keepalive_time = 20 * NS_PER_MS,
					     .keepalive_timeout = 600 * NS_PER_SEC });
	call(t, &r);
	peer_accept(t, &t->p[0]);
	peer_wait(&t->p[0], F_HEADERS, 1, &f);
	for (int i = 0; i < 3; i++) {
		unsigned char opaque[8];

		peer_wait(&t->p[0], F_PING, 0, &f);
		assert_int_equal(f.n, sizeof(opaque));
		assert_int_equal(f.flags & ACK, 0);
		memcpy(opaque, f.p, sizeof(opaque));
		frame_add(&t->p[0], F_PING, ACK, 0, opaque, sizeof(opaque));
		peer_send(&t->p[0]);
	}
	peer_answer(&t->p[0], 1, 7);
	finished(t, &r, GRPC_OK, 7);
	/* no call runs: none but what was on its way */
	peer_send(&t->p[0]);
	while (frame_find(&t->p[0], F_PING, 0, &f))
		;
	for (int i = 0; i < 5; i++) {
		(void)poll(NULL, 0, 30);
		peer_send(&t->p[0]);
	}
	assert_false(frame_find(&t->p[0], F_PING, 0, &f));
	assert_false(t->p[0].eof);
}

static void a_server_that_answers_no_ping_is_given_up(void **state)
{
	struct test *t = *state;
	struct frame f = { 0 };
	struct result r;

	client(t, (struct grpc_client_conf){ .keepalive_time = 20 * NS_PER_MS,
					     .keepalive_timeout = 20 * NS_PER_MS,
					     .retry.attempts_max = 1 });
	call(t, &r);
	peer_accept(t, &t->p[0]);
	peer_send(&t->p[0]);
	while (!r.done)
		assert_true(loop_step(t->e.loop, 20 * NS_PER_SEC, NULL) >= 0);
	assert_int_equal(r.code, GRPC_UNAVAILABLE);
	assert_non_null(strstr(r.text, "does not answer pings"));
	peer_send(&t->p[0]);
	assert_true(frame_find(&t->p[0], F_PING, 0, &f));
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_refused_stream_is_sent_again_at_once_and_then_by_the_policy),
		CASE(another_reset_is_no_reason_to_send_again_unasked),
		CASE(goaway_moves_what_was_not_seen_and_drains_the_rest),
		CASE(pings_are_sent_while_calls_run_and_their_answers_keep_it),
		CASE(a_server_that_answers_no_ping_is_given_up),
	};

	return cmocka_run_group_tests_name("grpc-conn", tests, NULL, NULL);
}
