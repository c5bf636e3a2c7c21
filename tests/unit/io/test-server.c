/* SPDX-License-Identifier: Apache-2.0 */
/* The server over socketpairs: framing of answers, order, credit, hijack, time-outs, graceful end.
 */
#include "io-test.h"

/* ---- handlers ---- */

static void on_data(struct stream *s, struct slice bytes)
{
	struct env *e = stream_arg(s);

	buf_add(&e->got, bytes.p, bytes.n);
	if (!e->credit)
		stream_read(s, bytes.n);
}

static void on_end(struct stream *s)
{
	struct env *e = stream_arg(s);
	struct slice t = stream_got_trailer(s, "x-sum");

	e->ended++;
	snprintf(e->text, sizeof(e->text), "%.*s", (int)t.n, t.p ? t.p : "");
	if (strcmp(stream_request(s)->path, "/hold") != 0)
		stream_replyf(s, 200, "text/plain", "%zu bytes", e->got.n);
}

static void on_writable(struct stream *s)
{
	struct env *e = stream_arg(s);
	char block[10000];
	int r = 0;

	e->writable++;
	memset(block, 'w', sizeof(block));
	while (r == 0 && e->sent < 50000000) {
		r = stream_write(s, block, sizeof(block));
		e->sent += sizeof(block);
	}
	if (r == 0)
		stream_end(s);
}

static void on_cancel(struct stream *s)
{
	struct env *e = stream_arg(s);

	e->cancelled++;
}

static void on_closed(struct stream *s, const struct err *why)
{
	struct env *e = stream_arg(s);

	e->closed++;
	e->why = why ? (int)why->code : 0;
}

static const struct stream_events body_events = { .data = on_data,
						  .end = on_end,
						  .closed = on_closed };
static const struct stream_events held_events = { .cancel = on_cancel, .closed = on_closed };
static const struct stream_events big_events = { .writable = on_writable,
						 .cancel = on_cancel,
						 .closed = on_closed };

static void raw_data(struct stream *s, struct slice bytes)
{
	struct env *e = stream_arg(s);

	buf_add(&e->got, bytes.p, bytes.n);
	stream_write(s, bytes.p, bytes.n);
	stream_read(s, bytes.n);
}

static void raw_end(struct stream *s)
{
	struct env *e = stream_arg(s);

	e->ended++;
	stream_write(s, " after eof", 10);
	stream_end(s);
}

static const struct stream_events raw_events = { .data = raw_data,
						 .end = raw_end,
						 .closed = on_closed };

static void collected(struct stream *s, void *arg, int result, struct slice body, struct err *err)
{
	if (result < 0)
		stream_replyf(s, err_docker_status(err->code), "text/plain", "%s", err->msg);
	else
		stream_reply(s, 200, "text/plain", body.p, body.n);
}

static void collected_then_hijack(struct stream *s, void *arg, int result, struct slice body,
				  struct err *err)
{
	struct env *e = arg;

	buf_add(&e->got, body.p, body.n);
	stream_on(s, &raw_events, e);
	assert_int_equal(stream_hijack(s, 101, NULL), 0);
	stream_read(s, STREAM_ALL);
}

static void route_streams(struct stream *s, struct env *e, const char *path)
{
	struct err err = ERR_INIT;
	int fd;

	if (strcmp(path, "/chunked") == 0) {
		stream_start(s, 200, -1);
		stream_write(s, "hello", 5);
		stream_write(s, " world", 6);
		stream_set_trailer(s, "X-Sum", "11");
		stream_end(s);
	} else if (strcmp(path, "/big") == 0) {
		stream_on(s, &big_events, e);
		stream_start(s, 200, -1);
		on_writable(s);
	} else if (strcmp(path, "/short") == 0) {
		stream_on(s, &held_events, e);
		stream_start(s, 200, 10);
		assert_int_equal(stream_write(s, "12345678901", 11), -ERR_INVALID);
		stream_write(s, "123", 3);
		assert_int_equal(stream_end(s), -ERR_INVALID);
	} else if (strcmp(path, "/raw") == 0) {
		stream_on(s, &raw_events, e);
		stream_set_header(s, "Content-Type", "application/vnd.docker.raw-stream");
		if (stream_hijack(s, stream_request(s)->upgrade.n ? 101 : 200, &err) < 0)
			fail_msg("%s", err.msg);
		stream_read(s, STREAM_ALL);
	} else if (strcmp(path, "/exec") == 0) {
		stream_collect(s, 1000, collected_then_hijack, e);
	} else if (strcmp(path, "/detach") == 0) {
		stream_on(s, &held_events, e);
		assert_int_equal(stream_hijack(s, 101, &err), 0);
		if (e->credit) /* something is in flight */
			stream_write(s, "queued ", 7);
		if (stream_detach(s, &fd, &e->relayed, &err) < 0)
			fail_msg("%s", err.msg);
		e->detached = fd;
	} else {
		stream_reply(s, 404, NULL, "no", 2);
	}
}

static void serve(struct stream *s, void *arg)
{
	struct env *e = arg;
	const char *path = stream_request(s)->path;

	if (strcmp(path, "/ping") == 0) {
		stream_set_header(s, "X-Two", "first");
		stream_set_header(s, "x-two", "second");
		assert_int_equal(stream_set_header(s, "X-Bad", "a\r\nb"), -ERR_INVALID);
		assert_int_equal(stream_set_header(s, "Content-Length", "9"), -ERR_INVALID);
		stream_reply(s, 200, "text/plain", "OK", 2);
	} else if (strcmp(path, "/body") == 0) {
		buf_clear(&e->got);
		stream_on(s, &body_events, e);
		stream_read(s, e->credit ? e->credit : 7);
	} else if (strcmp(path, "/collect") == 0) {
		stream_collect(s, 1000, collected, e);
	} else if (strcmp(path, "/later") == 0 || strcmp(path, "/hold") == 0) {
		stream_on(s, strcmp(path, "/hold") == 0 ? &body_events : &held_events, e);
		e->held = stream_ref(s);
	} else if (strcmp(path, "/none") == 0) {
		stream_reply(s, 204, NULL, NULL, 0);
	} else if (strcmp(path, "/ignore") == 0) {
		stream_reply(s, 403, NULL, "no", 2);
	} else if (strcmp(path, "/who") == 0) {
		stream_replyf(s, 200, NULL, "%d %d %s", stream_peer(s)->pid == getpid(),
			      stream_peer(s)->local, stream_peer(s)->addr);
	} else {
		route_streams(s, e, path);
	}
}

#define H "Host: h\r\n"

static void answers_with_length_and_keeps_the_connection(void **state)
{
	struct env e = { 0 };
	bool eof;

	env_start(&e, serve);
	for (int dribble = 0; dribble < 2; dribble++) {
		const char *a = ask(&e, "GET /ping HTTP/1.1\r\n" H "\r\n", dribble, &eof);

		assert_has(a, "HTTP/1.1 200 OK\r\n");
		assert_has(a, "Content-Length: 2\r\n");
		assert_has(a, "\r\nDate: ");
		assert_has(a, "x-two: second\r\n");
		assert_has_not(a, "first");
		assert_has_not(a, "X-Bad");
		assert_has(a, "\r\n\r\nOK");
		assert_false(eof);
	}
	assert_has(ask(&e, "GET /ping HTTP/1.1\r\n" H "Connection: close\r\n\r\n", false, &eof),
		   "Connection: close\r\n");
	assert_true(eof);
	assert_has(ask(&e, "GET /ping HTTP/1.0\r\n\r\n", false, &eof), "\r\n\r\nOK");
	assert_true(eof);
	assert_has(ask(&e, "GET /ping HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", false, &eof),
		   "keep-alive\r\n");
	assert_false(eof);
	assert_has(ask(&e, "GET /who HTTP/1.1\r\n" H "\r\n", false, &eof), "\r\n\r\n1 1 @");
	env_stop(&e);
}

static void answers_without_a_body(void **state)
{
	struct env e = { 0 };
	const char *a;

	env_start(&e, serve);
	a = ask(&e, "HEAD /ping HTTP/1.1\r\n" H "\r\n", false, NULL);
	assert_has(a, "Content-Length: 2\r\n");
	assert_string_equal(strstr(a, "\r\n\r\n"), "\r\n\r\n");
	a = ask(&e, "HEAD /chunked HTTP/1.1\r\n" H "\r\n", false, NULL);
	assert_string_equal(strstr(a, "\r\n\r\n"), "\r\n\r\n");
	a = ask(&e, "GET /none HTTP/1.1\r\n" H "\r\n", false, NULL);
	assert_has(a, "204 No Content");
	assert_has_not(a, "Content-Length");
	assert_string_equal(strstr(a, "\r\n\r\n"), "\r\n\r\n");
	env_stop(&e);
}

static void answers_in_chunks_or_until_close(void **state)
{
	struct env e = { 0 };
	bool eof;

	env_start(&e, serve);
	assert_has(ask(&e, "GET /chunked HTTP/1.1\r\n" H "\r\n", false, &eof),
		   "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\nX-Sum: "
		   "11\r\n\r\n");
	assert_false(eof);
	assert_has(ask(&e, "GET /chunked HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", false, &eof),
		   "\r\n\r\nhello world");
	assert_true(eof);
	assert_has(ask(&e, "GET /short HTTP/1.1\r\n" H "\r\n", false, &eof), "");
	assert_true(eof);
	assert_int_equal(e.why, ERR_INVALID);
	env_stop(&e);
}

static void reads_bodies_with_credit(void **state)
{
	struct env e = { 0 };
	const char *plain =
		"POST /body HTTP/1.1\r\n" H "Content-Length: 20\r\n\r\n01234567890123456789";
	const char *chunked = "POST /body HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n"
			      "a\r\n0123456789\r\n5\r\n01234\r\n0\r\nX-Sum: 99\r\n\r\n";

	env_start(&e, serve);
	for (int dribble = 0; dribble < 2; dribble++) {
		assert_has(ask(&e, plain, dribble, NULL), "20 bytes");
		assert_has(ask(&e, chunked, dribble, NULL), "15 bytes");
		assert_string_equal(e.text, "99");
		assert_string_equal(buf_str(&e.got), "012345678901234");
	}
	assert_has(ask(&e, "POST /body HTTP/1.1\r\n" H "Content-Length: 0\r\n\r\n", false, NULL),
		   "0 bytes");
	assert_int_equal(e.ended, 5);
	assert_int_equal(e.closed, 5);
	env_stop(&e);
}

static void without_credit_the_socket_is_not_read(void **state)
{
	struct env e = { .credit = 1000 };
	CLEANUP(buf_fini) struct buf b = BUF_INIT(100000);
	char block[65536];
	size_t total = 0;
	bool eof;
	int fd;

	env_start(&e, serve);
	fd = connect_pair(&e);
	say(fd, "POST /body HTTP/1.1\r\n" H "Content-Length: 100000000\r\n\r\n");
	memset(block, 'x', sizeof(block));
	for (int i = 0; i < 100; i++) {
		ssize_t n = send(fd, block, sizeof(block), MSG_NOSIGNAL);

		total += n > 0 ? (size_t)n : 0;
		settle(&e);
	}
	assert_int_equal(e.got.n, 1000); /* exactly what was granted */
	assert_true(total < 1 << 20);	 /* the rest stays with the sender */
	take(&e, fd, &b, &eof);
	assert_false(eof);
	close(fd);
	settle(&e);
	assert_int_equal(e.closed, 1);
	assert_int_equal(e.why, ERR_UNAVAILABLE);
	env_stop(&e);
}

static void collects_bodies_within_a_limit(void **state)
{
	struct env e = { 0 };
	CLEANUP(buf_fini) struct buf b = BUF_INIT(10000);
	const char *a;

	env_start(&e, serve);
	assert_has(ask(&e, "POST /collect HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\nhello", true,
		       NULL),
		   "\r\n\r\nhello");
	assert_has(ask(&e, "POST /collect HTTP/1.1\r\n" H "\r\n", false, NULL),
		   "Content-Length: 0");
	a = ask(&e, "POST /collect HTTP/1.1\r\n" H "Content-Length: 1001\r\n\r\n", false, NULL);
	assert_has(a, "413 ");
	assert_has(a, "1001 bytes, more than 1000");
	buf_adds(&b, "POST /collect HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < 101; i++)
		buf_adds(&b, "a\r\n0123456789\r\n");
	a = ask(&e, buf_str(&b), false, NULL);
	assert_has(a, "413 ");
	assert_has(a, "larger than 1000");
	env_stop(&e);
}

static void a_malformed_body_is_refused_and_ends_the_stream(void **state)
{
	struct env e = { 0 };
	const char *a;
	bool eof;

	env_start(&e, serve);
	a = ask(&e, "POST /body HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\nzz\r\n", false,
		&eof);
	assert_has(a, "HTTP/1.1 400 ");
	assert_has(a, "a chunk size is not hexadecimal");
	assert_true(eof);
	assert_int_equal(e.why, ERR_BAD_REQUEST);
	env_stop(&e);
}

static void a_head_of_any_size_is_answered(void **state)
{
	static const size_t sizes[] = { 33000, 65000, 66000, 150000 };
	struct env e = { 0 };

	env_start(&e, serve);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		CLEANUP(buf_fini) struct buf b = BUF_INIT(1 << 20);

		buf_adds(&b, "GET /hello HTTP/1.1\r\n" H "X: ");
		for (size_t k = 0; k < sizes[i]; k++)
			buf_addc(&b, 'a');
		buf_adds(&b, "\r\n\r\n");
		assert_has(ask(&e, buf_str(&b), false, NULL), sizes[i] < 65536 ? "404 " : "431 ");
	}
	env_stop(&e);
}

static void says_100_continue_at_the_first_credit(void **state)
{
	struct env e = { 0 };
	CLEANUP(buf_fini) struct buf b = BUF_INIT(10000);
	bool eof;
	int fd;

	env_start(&e, serve);
	fd = connect_pair(&e);
	say(fd, "POST /hold HTTP/1.1\r\n" H "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n");
	take(&e, fd, &b, &eof);
	assert_int_equal(b.n, 0);
	stream_read(e.held, 10);
	take(&e, fd, &b, &eof);
	assert_string_equal(buf_str(&b), "HTTP/1.1 100 Continue\r\n\r\n");
	say(fd, "abc");
	settle(&e);
	assert_int_equal(e.ended, 1);
	stream_reply(e.held, 200, NULL, "x", 1);
	take(&e, fd, &b, &eof);
	assert_has(buf_str(&b), "200 OK");
	assert_false(eof);
	close(fd);
	/* Refused without asking for the body: it may or may not come, so the connection closes. */
	assert_has(ask(&e,
		       "POST /ignore HTTP/1.1\r\n" H
		       "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n",
		       false, &eof),
		   "Connection: close");
	assert_true(eof);
	env_stop(&e);
}

static void skips_a_moderate_unread_body_and_closes_behind_a_large_one(void **state)
{
	struct env e = { 0 };
	const char *a;
	bool eof;

	env_start(&e, serve);
	a = ask(&e,
		"POST /ignore HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\nabcGET /ping HTTP/1.1\r\n" H
		"\r\n",
		false, &eof);
	assert_has(a, "403 ");
	assert_has(a, "\r\n\r\nOK");
	assert_false(eof);
	a = ask(&e, "POST /ignore HTTP/1.1\r\n" H "Content-Length: 300000\r\n\r\nabc", false, &eof);
	assert_has(a, "403 ");
	assert_true(eof);
	env_stop(&e);
}

static void answers_pipelined_requests_in_order(void **state)
{
	struct env e = { 0 };
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1 << 20), rq = BUF_INIT(1 << 20);
	const char *p;
	bool eof;
	int fd, n = 0;

	env_start(&e, serve);
	fd = connect_pair(&e);
	say(fd, "GET /later HTTP/1.1\r\n" H "\r\nGET /ping HTTP/1.1\r\n" H
		"\r\nGET /none HTTP/1.1\r\n" H "\r\n");
	take(&e, fd, &b, &eof);
	assert_int_equal(b.n, 0);
	stream_reply(e.held, 201, NULL, "late", 4);
	take(&e, fd, &b, &eof);
	assert_has(buf_str(&b), "201 Created");
	assert_true(strstr(b.p, "late") < strstr(b.p, "\r\n\r\nOK"));
	assert_true(strstr(b.p, "\r\n\r\nOK") < strstr(b.p, "204 No Content"));
	buf_clear(&b);
	for (int i = 0; i < 500; i++)
		buf_adds(&rq, "GET /ping HTTP/1.1\r\n" H "\r\n");
	say(fd, buf_str(&rq));
	take(&e, fd, &b, &eof);
	for (p = buf_str(&b); (p = strstr(p, "\r\n\r\nOK")); p++)
		n++;
	assert_int_equal(n, 500);
	close(fd);
	env_stop(&e);
}

static void pipelined_input_is_bounded_while_an_answer_is_awaited(void **state)
{
	struct env e = { 0 };
	char block[65536];
	size_t total = 0;
	int fd;

	env_start(&e, serve);
	fd = connect_pair(&e);
	say(fd, "GET /later HTTP/1.1\r\n" H "\r\n");
	memset(block, 'x', sizeof(block));
	for (int i = 0; i < 100; i++) {
		ssize_t n = send(fd, block, sizeof(block), MSG_NOSIGNAL);

		total += n > 0 ? (size_t)n : 0;
		settle(&e);
	}
	assert_true(total < 1 << 20);
	close(fd);
	settle(&e);
	assert_int_equal(e.closed, 1);
	env_stop(&e);
}

static void a_slow_reader_bounds_the_queue(void **state)
{
	struct env e = { .conf.queue_mark = 100000 };
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1 << 26);
	bool eof;
	int fd;

	env_start(&e, serve);
	fd = connect_pair(&e);
	say(fd, "GET /big HTTP/1.1\r\n" H "\r\n");
	settle(&e);
	assert_true(e.sent < 1000000); /* socket buffer + mark + one write */
	assert_int_equal(e.writable, 1);
	take(&e, fd, &b, &eof);
	assert_true(e.sent >= 50000000);
	assert_true(b.n > 50000000);
	assert_memory_equal(b.p + b.n - 5, "0\r\n\r\n", 5);
	assert_int_equal(e.closed, 1);
	assert_int_equal(e.why, 0);
	close(fd);
	env_stop(&e);
}

static void a_refused_write_takes_nothing(void **state)
{
	struct env e = { .conf.queue_mark = 1000 };
	char block[300000] = { 0 };
	int fd;

	env_start(&e, serve);
	fd = connect_pair(&e);
	say(fd, "GET /later HTTP/1.1\r\n" H "\r\n");
	settle(&e);
	assert_int_equal(stream_write(e.held, "x", 1), -ERR_CONFLICT);
	assert_int_equal(stream_start(e.held, 200, -1), 0);
	assert_int_equal(stream_write(e.held, block, sizeof(block)), 1);
	assert_int_equal(stream_write(e.held, block, sizeof(block)), -ERR_QUOTA);
	assert_true(stream_queued(e.held) <= sizeof(block) + 20);
	assert_int_equal(stream_room(e.held), 0);
	close(fd);
	settle(&e);
	assert_true(stream_is_closed(e.held));
	assert_int_equal(stream_write(e.held, "x", 1), -ERR_UNAVAILABLE);
	assert_int_equal(stream_reply(e.held, 200, NULL, "", 0), -ERR_UNAVAILABLE);
	assert_true(stream_peer(e.held)->local);
	assert_string_equal(stream_request(e.held)->path, "/later");
	env_stop(&e);
}

static void a_flushed_head_is_seen_before_the_body(void **state)
{
	struct env e = { 0 };
	CLEANUP(buf_fini) struct buf b = BUF_INIT(10000);
	bool eof;
	int fd;

	env_start(&e, serve);
	fd = connect_pair(&e);
	say(fd, "POST /later HTTP/1.1\r\n" H "\r\n");
	settle(&e);
	stream_start(e.held, 200, -1);
	take(&e, fd, &b, &eof);
	assert_has(buf_str(&b), "chunked\r\n\r\n");
	buf_clear(&b);
	stream_write(e.held, "{}", 2);
	stream_end(e.held);
	take(&e, fd, &b, &eof);
	assert_string_equal(buf_str(&b), "2\r\n{}\r\n0\r\n\r\n");
	close(fd);
	env_stop(&e);
}

static void corked_output_leaves_in_one_piece(void **state)
{
	struct env e = { 0 };
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1 << 20);
	char block[40000] = { 0 }, got[1000];
	bool eof;
	int fd;

	env_start(&e, serve);
	fd = connect_pair(&e);
	say(fd, "GET /later HTTP/1.1\r\n" H "\r\n");
	settle(&e);
	stream_start(e.held, 200, -1);
	take(&e, fd, &b, &eof);
	stream_cork(e.held);
	assert_int_equal(stream_write(e.held, "one", 3), 0);
	assert_int_equal(stream_write(e.held, "two", 3), 0);
	assert_int_equal(recv(fd, got, sizeof(got), 0), -1);
	stream_uncork(e.held);
	assert_int_equal(recv(fd, got, sizeof(got), 0), 16);
	assert_memory_equal(got, "3\r\none\r\n3\r\ntwo\r\n", 16);
	/* What gathers is bounded. */
	stream_cork(e.held);
	assert_int_equal(stream_write(e.held, block, sizeof(block)), 0);
	assert_true(recv(fd, got, sizeof(got), 0) > 0);
	stream_uncork(e.held);
	take(&e, fd, &b, &eof);
	/* It may be closed meanwhile. */
	stream_cork(e.held);
	stream_write(e.held, "three", 5);
	stream_reset(e.held, NULL);
	assert_true(stream_is_closed(e.held));
	stream_uncork(e.held);
	stream_cork(e.held);
	stream_uncork(e.held);
	settle(&e);
	take(&e, fd, &b, &eof);
	assert_true(eof);
	assert_int_equal(http_server_get_stats(e.srv).connections, 0);
	close(fd);
	env_stop(&e);
}

static void a_client_that_half_closes_or_goes_is_told(void **state)
{
	struct env e = { 0 };
	CLEANUP(buf_fini) struct buf b = BUF_INIT(10000);
	bool eof;
	int fd;

	env_start(&e, serve);
	fd = connect_pair(&e);
	say(fd, "GET /later HTTP/1.1\r\n" H "\r\n");
	settle(&e);
	shutdown(fd, SHUT_WR);
	settle(&e);
	assert_int_equal(e.cancelled, 1);
	assert_int_equal(e.closed, 0);
	stream_reply(e.held, 200, NULL, "still", 5);
	take(&e, fd, &b, &eof);
	assert_has(buf_str(&b), "still");
	assert_true(eof);
	assert_int_equal(e.closed, 1);
	stream_unref(STEAL(e.held));
	close(fd);
	fd = connect_pair(&e);
	say(fd, "GET /later HTTP/1.1\r\n" H "\r\n");
	settle(&e);
	close(fd);
	settle(&e);
	assert_int_equal(e.closed, 2);
	assert_int_equal(e.why, ERR_UNAVAILABLE);
	assert_int_equal(http_server_get_stats(e.srv).connections, 0);
	env_stop(&e);
}

static void hijacks_with_half_close(void **state)
{
	static const char *const requests[] = {
		"POST /raw HTTP/1.1\r\n" H "Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n",
		"POST /raw HTTP/1.1\r\n" H "\r\n",
		"POST /exec HTTP/1.1\r\n" H
		"Connection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 2\r\n\r\n{}",
	};

	for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
		CLEANUP(buf_fini) struct buf b = BUF_INIT(10000);
		struct env e = { 0 };
		bool eof;
		int fd;

		env_start(&e, serve);
		fd = connect_pair(&e);
		say(fd, requests[i]);
		take(&e, fd, &b, &eof);
		assert_has(buf_str(&b),
			   i == 1 ? "HTTP/1.1 200 OK\r\n" : "HTTP/1.1 101 UPGRADED\r\n");
		if (i != 1)
			assert_has(buf_str(&b), "Connection: Upgrade\r\nUpgrade: tcp\r\n");
		assert_has_not(buf_str(&b), "Content-Length");
		buf_clear(&b);
		say(fd, "stdin ");
		take(&e, fd, &b, &eof);
		assert_string_equal(buf_str(&b), "stdin ");
		assert_false(eof);
		shutdown(fd, SHUT_WR);
		take(&e, fd, &b, &eof);
		assert_string_equal(buf_str(&b), "stdin  after eof");
		assert_true(eof);
		assert_int_equal(e.ended, 1);
		assert_int_equal(e.closed, 1);
		assert_int_equal(e.why, 0);
		close(fd);
		env_stop(&e);
	}
}

static void stdin_is_read_to_its_end_when_the_client_is_gone(void **state)
{
	struct env e = { 0 };
	int fd;

	env_start(&e, serve);
	fd = connect_pair(&e);
	say(fd, "POST /raw HTTP/1.1\r\n" H "\r\n");
	settle(&e);
	say(fd, "last words");
	close(fd);
	settle(&e);
	assert_string_equal(buf_str(&e.got), "last words");
	assert_int_equal(e.closed, 1);
	env_stop(&e);
}

static void hijack_refuses_what_it_cannot_do(void **state)
{
	struct env e = { 0 };
	struct err err = ERR_INIT;
	int fd;

	env_start(&e, serve);
	fd = connect_pair(&e);
	say(fd, "POST /later HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\n");
	settle(&e);
	assert_int_equal(stream_hijack(e.held, 101, &err), -ERR_CONFLICT);
	assert_has(err.msg, "body must be read first");
	assert_int_equal(stream_detach(e.held, &fd, &e.relayed, &err), -ERR_CONFLICT);
	close(fd);
	env_stop(&e);
}

static void detaches_the_socket_itself_or_a_relay(void **state)
{
	for (int relay = 0; relay < 3; relay++) {
		CLEANUP(buf_fini) struct buf b = BUF_INIT(10000);
		struct env e = { .credit = relay == 1 };
		char got[100];
		ssize_t n;
		bool eof;
		int fd;

		env_start(&e, serve);
		fd = connect_pair(&e);
		say(fd, relay == 2 ? "POST /detach HTTP/1.1\r\n" H
				     "Connection: upgrade\r\nUpgrade: tcp\r\n\r\nearly "
				   : "POST /detach HTTP/1.1\r\n" H
				     "Connection: upgrade\r\nUpgrade: tcp\r\n\r\n");
		take(&e, fd, &b, &eof);
		assert_has(buf_str(&b), "101 UPGRADED");
		assert_int_equal(e.closed, 1);
		assert_int_equal(e.relayed, relay == 2);
		assert_int_equal(http_server_get_stats(e.srv).connections, relay == 2);
		say(fd, "in");
		shutdown(fd, SHUT_WR);
		settle(&e);
		n = fd_read_full(e.detached, got, sizeof(got));
		assert_true(n > 0);
		got[n] = '\0';
		assert_string_equal(got, relay == 2 ? "early in" : "in");
		assert_int_equal(fd_write_all(e.detached, "out", 3), 0);
		close(e.detached);
		take(&e, fd, &b, &eof);
		assert_has(buf_str(&b), relay == 1 ? "\r\n\r\nqueued out" : "\r\n\r\nout");
		assert_true(eof);
		settle(&e);
		assert_int_equal(http_server_get_stats(e.srv).connections, 0);
		close(fd);
		env_stop(&e);
	}
}

static const char *docker_error(struct buf *b, int status, const char *message)
{
	buf_addf(b, "{\"message\":\"%d %s\"}", status, message);
	return "application/json";
}

static void refusals_have_the_callers_shape_and_close(void **state)
{
	static const struct http_header common[] = { { { "Api-Version", 11 }, { "1.50", 4 } } };
	struct env e = { .conf.refuse = docker_error, .conf.common = common, .conf.common_n = 1 };
	const char *a;
	bool eof;

	env_start(&e, serve);
	for (int dribble = 0; dribble < 2; dribble++) {
		a = ask(&e, "GET / HTTP/1.1\r\n\r\n", dribble, &eof);
		assert_has(a, "HTTP/1.1 400 Bad Request\r\nApi-Version: 1.50\r\n");
		assert_has(a, "application/json");
		assert_has(a, "Connection: close");
		assert_has(a, "{\"message\":\"400 no Host");
		assert_true(eof);
	}
	a = ask(&e, "GET /ping HTTP/1.1\r\n" H "\r\nbad\x01\r\n\r\n", false, &eof);
	assert_has(a, "\r\n\r\nOK");
	assert_has(a, "400 Bad");
	assert_true(eof);
	assert_int_equal(http_server_get_stats(e.srv).refused, 3);
	env_stop(&e);
}

static void rounds(struct env *e, int ms)
{
	int64_t end = clock_mono() + ms * NS_PER_MS;

	while (clock_mono() < end)
		loop_step(e->loop, 2 * NS_PER_MS, NULL);
}

static void times_out(void **state)
{
	struct env e = { .conf = { .head_time = 30 * NS_PER_MS,
				   .body_time = 30 * NS_PER_MS,
				   .idle_time = 60 * NS_PER_MS,
				   .write_time = 30 * NS_PER_MS } };
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1 << 26);
	bool eof;
	int fd;

	env_start(&e, serve);
	fd = connect_pair(&e); /* nothing is said */
	rounds(&e, 50);
	take(&e, fd, &b, &eof);
	assert_true(eof && b.n == 0);
	close(fd);
	fd = connect_pair(&e); /* half a head */
	say(fd, "GET /ping HT");
	rounds(&e, 50);
	take(&e, fd, &b, &eof);
	assert_has(buf_str(&b), "408 ");
	assert_true(eof);
	close(fd);
	fd = connect_pair(&e); /* half a body */
	say(fd, "POST /body HTTP/1.1\r\n" H "Content-Length: 10\r\n\r\nabc");
	rounds(&e, 50);
	assert_int_equal(e.why, ERR_TIMEOUT);
	close(fd);
	fd = connect_pair(&e); /* idle after an answer: longer than a head's time, then closed */
	say(fd, "GET /ping HTTP/1.1\r\n" H "\r\n");
	rounds(&e, 40);
	assert_int_equal(http_server_get_stats(e.srv).connections, 1);
	rounds(&e, 60);
	assert_int_equal(http_server_get_stats(e.srv).connections, 0);
	close(fd);
	e.why = 0;
	fd = connect_pair(&e); /* does not read */
	say(fd, "GET /big HTTP/1.1\r\n" H "\r\n");
	rounds(&e, 60);
	assert_int_equal(e.why, ERR_TIMEOUT);
	close(fd);
	assert_int_equal(http_server_get_stats(e.srv).timeouts, 5);
	env_stop(&e);
}

static void an_answer_that_takes_long_is_no_time_out(void **state)
{
	struct env e = { .conf = { .head_time = 10 * NS_PER_MS, .idle_time = 10 * NS_PER_MS } };
	CLEANUP(buf_fini) struct buf b = BUF_INIT(10000);
	bool eof;
	int fd;

	env_start(&e, serve);
	fd = connect_pair(&e);
	say(fd, "GET /later HTTP/1.1\r\n" H "\r\n");
	rounds(&e, 60);
	stream_reply(e.held, 200, NULL, "slow", 4);
	take(&e, fd, &b, &eof);
	assert_has(buf_str(&b), "slow");
	close(fd);
	env_stop(&e);
}

static void count_drained(void *arg)
{
	struct env *e = arg;

	e->writable++;
}

static void ends_gracefully(void **state)
{
	struct env e = { 0 };
	CLEANUP(buf_fini) struct buf b = BUF_INIT(10000);
	struct err err = ERR_INIT;
	int idle, busy, pair[2];
	bool eof;

	env_start(&e, serve);
	idle = connect_pair(&e);
	busy = connect_pair(&e);
	say(busy, "GET /later HTTP/1.1\r\n" H "\r\n");
	say(idle, "GET /ping HTTP/1.1\r\n" H "\r\n");
	settle(&e);
	http_server_drain(e.srv, 10 * NS_PER_SEC, count_drained, &e);
	take(&e, idle, &b, &eof);
	assert_true(eof);
	assert_int_equal(e.writable, 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(http_server_adopt(e.srv, pair[0], &err), -ERR_UNAVAILABLE);
	assert_has(err.msg, "shutting down");
	close(pair[1]);
	stream_reply(e.held, 200, NULL, "done", 4);
	take(&e, busy, &b, &eof);
	assert_has(buf_str(&b), "Connection: close");
	assert_has(buf_str(&b), "done");
	close(busy);
	settle(&e);
	assert_int_equal(e.writable, 1);
	close(idle);
	env_stop(&e);
}

static void the_grace_ends(void **state)
{
	struct env e = { 0 };
	int fd;

	env_start(&e, serve);
	fd = connect_pair(&e);
	say(fd, "GET /later HTTP/1.1\r\n" H "\r\n");
	settle(&e);
	http_server_drain(e.srv, 5 * NS_PER_MS, count_drained, &e);
	rounds(&e, 30);
	assert_int_equal(e.writable, 1);
	assert_int_equal(e.why, ERR_UNAVAILABLE);
	close(fd);
	env_stop(&e);
}

static void listens_on_unix_sockets(void **state)
{
	struct env e = { 0 }, f = { 0 };
	char dir[] = "/tmp/teu-io-XXXXXX", path[64], lock[80];
	struct err err = ERR_INIT;
	struct stat st;
	int fd;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/s", dir);
	snprintf(lock, sizeof(lock), "%s/s.lock", dir);
	env_start(&e, serve);
	env_start(&f, serve);
	assert_int_equal(http_server_listen_unix(e.srv, path, 0660, getgid(), &err), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0660);
	snprintf(e.text, sizeof(e.text), "unix://%s", path);
	assert_string_equal(http_server_address(e.srv, 0), e.text);
	assert_int_equal(http_server_listen_unix(f.srv, path, 0600, (gid_t)-1, &err), -ERR_EXISTS);
	assert_has(err.msg, "another server");
	/* Handed over: the name stays when the first one goes. */
	assert_int_equal(http_server_export(e.srv, 0, &fd, &err), 0);
	env_stop(&e);
	assert_int_equal(http_server_listen_fd(f.srv, fd, &err), 0);
	assert_int_equal(stat(path, &st), 0);
	env_stop(&f);
	/* Stale now: nobody answers, so it is replaced; and removed at the end. */
	memset(&e, 0, sizeof(e));
	env_start(&e, serve);
	assert_int_equal(http_server_listen_unix(e.srv, path, 0600, (gid_t)-1, &err), 0);
	env_stop(&e);
	assert_int_equal(stat(path, &st), -1);
	memset(&e, 0, sizeof(e));
	env_start(&e, serve);
	assert_int_equal(fd_replace_file(AT_FDCWD, path, "x", 1, 0600, &err), 0);
	assert_int_equal(http_server_listen_unix(e.srv, path, 0600, (gid_t)-1, &err), -ERR_EXISTS);
	assert_has(err.msg, "not a socket");
	assert_int_equal(http_server_listen_unix(e.srv, "relative", 0600, (gid_t)-1, &err),
			 -ERR_INVALID);
	assert_int_equal(http_server_listen_tcp(e.srv, "example.org:1", &err), -ERR_UNSUPPORTED);
	assert_int_equal(http_server_listen_fd(e.srv, fd_dup(0), &err), -ERR_INVALID);
	env_stop(&e);
	unlink(path);
	unlink(lock);
	assert_int_equal(rmdir(dir), 0);
}

static void takes_two_hundred_connections_and_leaks_nothing(void **state)
{
	struct env e = { .conf.connections_max = 200 };
	unsigned before = count_fds();
	struct err err = ERR_INIT;
	int fds[200], pair[2];
	char got[1000];

	env_start(&e, serve);
	for (int i = 0; i < 200; i++)
		fds[i] = connect_pair(&e);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(http_server_adopt(e.srv, pair[0], &err), -ERR_UNAVAILABLE);
	close(pair[1]);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 200; i++)
			say(fds[i], "GET /ping HTTP/1.1\r\n" H "\r\n");
		settle(&e);
		for (int i = 0; i < 200; i++) {
			ssize_t n = recv(fds[i], got, sizeof(got) - 1, 0);

			assert_true(n > 2);
			assert_memory_equal(got + n - 2, "OK", 2);
		}
	}
	assert_int_equal(http_server_get_stats(e.srv).requests, 600);
	assert_int_equal(http_server_get_stats(e.srv).streams, 0);
	for (int i = 0; i < 200; i++)
		close(fds[i]);
	settle(&e);
	assert_int_equal(http_server_get_stats(e.srv).connections, 0);
	env_stop(&e);
	assert_int_equal(count_fds(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_with_length_and_keeps_the_connection),
		cmocka_unit_test(answers_without_a_body),
		cmocka_unit_test(answers_in_chunks_or_until_close),
		cmocka_unit_test(reads_bodies_with_credit),
		cmocka_unit_test(without_credit_the_socket_is_not_read),
		cmocka_unit_test(collects_bodies_within_a_limit),
		cmocka_unit_test(a_malformed_body_is_refused_and_ends_the_stream),
		cmocka_unit_test(a_head_of_any_size_is_answered),
		cmocka_unit_test(says_100_continue_at_the_first_credit),
		cmocka_unit_test(skips_a_moderate_unread_body_and_closes_behind_a_large_one),
		cmocka_unit_test(answers_pipelined_requests_in_order),
		cmocka_unit_test(pipelined_input_is_bounded_while_an_answer_is_awaited),
		cmocka_unit_test(a_slow_reader_bounds_the_queue),
		cmocka_unit_test(a_refused_write_takes_nothing),
		cmocka_unit_test(a_flushed_head_is_seen_before_the_body),
		cmocka_unit_test(corked_output_leaves_in_one_piece),
		cmocka_unit_test(a_client_that_half_closes_or_goes_is_told),
		cmocka_unit_test(hijacks_with_half_close),
		cmocka_unit_test(stdin_is_read_to_its_end_when_the_client_is_gone),
		cmocka_unit_test(hijack_refuses_what_it_cannot_do),
		cmocka_unit_test(detaches_the_socket_itself_or_a_relay),
		cmocka_unit_test(refusals_have_the_callers_shape_and_close),
		cmocka_unit_test(times_out),
		cmocka_unit_test(an_answer_that_takes_long_is_no_time_out),
		cmocka_unit_test(ends_gracefully),
		cmocka_unit_test(the_grace_ends),
		cmocka_unit_test(listens_on_unix_sockets),
		cmocka_unit_test(takes_two_hundred_connections_and_leaks_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
