/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/2: our client against our server on one loop, and a raw peer against our server. */
#include "h2-peer.h"

#include "io/h2.h"

/* ---- a server ---- */

static void echo_data(struct stream *s, struct slice bytes)
{
	if (stream_write(s, bytes.p, bytes.n) == 0)
		stream_read(s, bytes.n);
}

static void echo_more(struct stream *s)
{
	stream_read(s, 65536);
}

static void echo_end(struct stream *s)
{
	stream_end(s);
}

static const struct stream_events echo_events = { .data = echo_data,
						  .end = echo_end,
						  .writable = echo_more };

static void flood(struct stream *s)
{
	char block[10000] = { 0 };

	while (stream_write(s, block, sizeof(block)) == 0)
		;
}

static void note_closed(struct stream *s, const struct err *why)
{
	struct env *e = stream_arg(s);

	e->closed++;
	e->why = why ? (int)why->code : 0;
}

static const struct stream_events flood_events = { .writable = flood, .closed = note_closed };
static const struct stream_events hold_events = { .closed = note_closed };

static void collected(struct stream *s, void *arg, int result, struct slice body, struct err *err)
{
	if (result < 0)
		stream_reply(s, 400, NULL, err->msg, strlen(err->msg));
	else
		stream_reply(s, 200, "text/plain", body.p, body.n);
}

static void say_request(struct stream *s)
{
	const struct http_request *rq = stream_request(s);
	struct slice cookie = stream_header(s, "Cookie"), host = stream_header(s, "Host");

	stream_replyf(s, 200, "text/plain",
		      "%d.%d %s %s?%.*s host=%.*s header=%.*s cookie=%.*s body=%d", rq->major,
		      rq->minor, rq->method, rq->path, (int)rq->query.n, rq->query.p,
		      (int)rq->host.n, rq->host.p, (int)host.n, host.p, (int)cookie.n, cookie.p,
		      rq->has_body);
}

static void serve(struct stream *s, void *arg)
{
	struct env *e = arg;
	const char *path = stream_request(s)->path;

	e->sent++;
	if (strcmp(path, "/ping") == 0) {
		stream_set_header(s, "Api-Version", "1.50");
		stream_reply(s, 200, "text/plain", "OK", 2);
	} else if (strcmp(path, "/what") == 0) {
		say_request(s);
	} else if (strcmp(path, "/collect") == 0) {
		stream_collect(s, 1 << 20, collected, NULL);
	} else if (strcmp(path, "/echo") == 0) {
		stream_on(s, &echo_events, e);
		stream_start(s, 200, -1);
		stream_read(s, 65536);
	} else if (strcmp(path, "/trailers") == 0) {
		stream_start(s, 200, -1);
		stream_write(s, "one ", 4);
		stream_write(s, "two", 3);
		stream_set_trailer(s, "X-Sum", "7");
		stream_end(s);
	} else if (strcmp(path, "/flood") == 0) {
		stream_on(s, &flood_events, e);
		stream_start(s, 200, -1);
		flood(s);
	} else if (strcmp(path, "/raw") == 0) {
		stream_on(s, &echo_events, e);
		assert_int_equal(stream_hijack(s, 101, NULL), 0);
		stream_write(s, "welcome ", 8);
		stream_read(s, 1000);
	} else if (strcmp(path, "/hold") == 0) {
		stream_on(s, &hold_events, e);
		if (e->held)
			stream_unref(e->held);
		e->held = stream_ref(s);
	} else if (strcmp(path, "/304") == 0) {
		stream_reply(s, 304, NULL, NULL, 0);
	} else if (strcmp(path, "/reset") == 0) {
		stream_reset(s, NULL);
	} else {
		stream_reply(s, 404, "text/plain", "no", 2);
	}
}

/* ---- our client ---- */

struct got {
	int status, ended, closed, why;
	struct buf body;
	char trailer[32];
	size_t grant; /* after each piece; 0: only at the head */
	bool no_credit;
};

static void got_head(struct stream *s)
{
	struct got *g = stream_arg(s);

	g->status = stream_status(s);
	if (!g->no_credit)
		stream_read(s, g->grant ? g->grant : STREAM_ALL);
}

static void got_data(struct stream *s, struct slice bytes)
{
	struct got *g = stream_arg(s);

	assert_int_equal(buf_add(&g->body, bytes.p, bytes.n), 0);
	if (g->grant)
		stream_read(s, g->grant);
}

static void got_end(struct stream *s)
{
	struct got *g = stream_arg(s);
	struct slice t = stream_got_trailer(s, "x-sum");

	g->ended++;
	snprintf(g->trailer, sizeof(g->trailer), "%.*s", (int)t.n, t.p);
}

static void got_closed(struct stream *s, const struct err *why)
{
	struct got *g = stream_arg(s);

	g->closed++;
	g->why = why ? (int)why->code : 0;
}

static const struct stream_events got_events = {
	.head = got_head, .data = got_data, .end = got_end, .closed = got_closed
};

struct pair {
	struct env e;
	struct http_client *cl;
	char dir[32], path[48];
};

static void pair_start_as(struct pair *p, enum http2_mode server, enum http2_mode client)
{
	struct http_client_conf conf = { .http2 = client, .host = "h" };
	struct err err = ERR_INIT;
	char address[64];

	p->e.conf.http2 = server;
	env_start(&p->e, serve);
	snprintf(p->dir, sizeof(p->dir), "/tmp/teu-h2-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	snprintf(p->path, sizeof(p->path), "%s/s", p->dir);
	snprintf(address, sizeof(address), "unix://%s", p->path);
	assert_int_equal(http_server_listen_unix(p->e.srv, p->path, 0600, (gid_t)-1, &err), 0);
	assert_int_equal(http_client_new(p->e.loop, address, &conf, &p->cl, &err), 0);
}

static void pair_start(struct pair *p)
{
	pair_start_as(p, HTTP2_PRIOR, HTTP2_PRIOR);
}

static void pair_stop(struct pair *p)
{
	char lock[64];

	http_client_free(p->cl);
	settle(&p->e);
	env_stop(&p->e);
	snprintf(lock, sizeof(lock), "%s.lock", p->path);
	unlink(lock);
	assert_int_equal(rmdir(p->dir), 0);
}

static struct stream *begin(struct pair *p, const char *method, const char *target, int64_t body,
			    struct got *g)
{
	struct stream *s;
	struct err err = ERR_INIT;

	g->body = BUF_INIT(1 << 26);
	assert_int_equal(http_client_stream(p->cl, method, target, &s, &err), 0);
	stream_on(s, &got_events, g);
	assert_int_equal(http_client_send(s, body, false, &err), 0);
	return s;
}

static void answers_by_prior_knowledge(void **state)
{
	struct pair p = { 0 };
	struct got g = { 0 };
	struct stream *s;

	pair_start(&p);
	s = begin(&p, "GET", "/what?a=1", 0, &g);
	settle(&p.e);
	assert_int_equal(g.status, 200);
	assert_has(buf_str(&g.body), "2.1 GET /what?a=1 host=h header=h");
	assert_int_equal(g.ended, 1);
	assert_int_equal(g.closed, 1);
	assert_int_equal(g.why, 0);
	assert_true(stream_header(s, "content-type").n > 0);
	assert_true(stream_header(s, "Date").n > 0);
	assert_true(stream_length(s) > 0);
	stream_unref(s);
	buf_fini(&g.body);
	pair_stop(&p);
}

static void carries_many_streams_on_one_connection(void **state)
{
	struct pair p = { 0 };
	struct got g[150] = { 0 };
	struct stream *s[150];

	pair_start(&p);
	for (int i = 0; i < 150; i++)
		s[i] = begin(&p, "GET", "/ping", 0, &g[i]);
	settle(&p.e);
	for (int i = 0; i < 150; i++) {
		assert_int_equal(g[i].status, 200);
		assert_int_equal(g[i].closed, 1);
		assert_int_equal(g[i].why, 0);
		assert_string_equal(buf_str(&g[i].body), "OK");
		stream_unref(s[i]);
		buf_fini(&g[i].body);
	}
	/* 100 at once is the limit; more wait or open one connection more. */
	assert_true(http_server_get_stats(p.e.srv).accepted <= 2);
	assert_int_equal(http_server_get_stats(p.e.srv).streams, 0);
	pair_stop(&p);
}

static void echoes_a_large_body_both_ways(void **state)
{
	struct pair p = { 0 };
	struct got g = { .grant = 10000 };
	char block[10000];
	struct stream *s;
	size_t sent = 0;

	memset(block, 'e', sizeof(block));
	pair_start(&p);
	s = begin(&p, "POST", "/echo", HTTP_BODY_CHUNKED, &g);
	for (int i = 0; i < 100000 && sent < 3000000; i++) {
		int r = stream_room(s) ? stream_write(s, block, sizeof(block)) : -1;

		if (r >= 0)
			sent += sizeof(block);
		else
			settle(&p.e);
	}
	assert_int_equal(sent, 3000000);
	assert_int_equal(stream_end(s), 0);
	settle(&p.e);
	assert_int_equal(g.body.n, sent);
	assert_int_equal(g.ended, 1);
	assert_int_equal(g.why, 0);
	stream_unref(s);
	buf_fini(&g.body);
	pair_stop(&p);
}

static void stops_a_sender_whose_reader_grants_nothing(void **state)
{
	struct pair p = { 0 };
	struct got g = { .no_credit = true }, other = { 0 };
	struct stream *s, *s2;
	char block[16384] = { 0 };
	size_t taken = 0;

	pair_start(&p);
	s = begin(&p, "POST", "/hold", HTTP_BODY_CHUNKED, &g);
	settle(&p.e);
	/* The server's handler reads nothing: one window goes, the rest waits in our queue. */
	for (int i = 0; i < 100; i++) {
		if (stream_room(s) == 0)
			break;
		if (stream_write(s, block, sizeof(block)) >= 0)
			taken += sizeof(block);
		settle(&p.e);
	}
	assert_int_equal(stream_room(s), 0);
	assert_true(taken <= 2 * 65536 + (256 << 10) + sizeof(block));
	assert_int_equal(stream_queued(s), taken - H2_WINDOW);
	/* Others on the same connection are served. */
	s2 = begin(&p, "GET", "/ping", 0, &other);
	settle(&p.e);
	assert_int_equal(other.status, 200);
	assert_int_equal(http_server_get_stats(p.e.srv).accepted, 1);
	/* A grant lets it go on: exactly so much is delivered. */
	stream_read(p.e.held, 1000);
	settle(&p.e);
	assert_int_equal(p.e.held->credit, 0);
	stream_reset(s, NULL);
	settle(&p.e);
	assert_int_equal(g.closed, 1);
	assert_int_equal(p.e.closed, 1);
	assert_int_equal(p.e.why, ERR_UNAVAILABLE);
	stream_unref(s);
	stream_unref(s2);
	buf_fini(&other.body);
	pair_stop(&p);
}

static void stops_a_handler_whose_client_does_not_read(void **state)
{
	struct pair p = { 0 };
	struct got g = { .no_credit = true };
	struct stream *s;

	pair_start(&p);
	s = begin(&p, "GET", "/flood", 0, &g);
	settle(&p.e);
	assert_int_equal(g.status, 200);
	assert_int_equal(g.body.n, 0);
	stream_read(s, 5000);
	settle(&p.e);
	assert_int_equal(g.body.n, 5000);
	stream_read(s, 1000000);
	settle(&p.e);
	assert_int_equal(g.body.n, 1005000);
	stream_reset(s, NULL);
	settle(&p.e);
	assert_int_equal(p.e.closed, 1);
	stream_unref(s);
	buf_fini(&g.body);
	pair_stop(&p);
}

static void gives_a_whole_answer_to_a_reader_that_is_slower_than_it(void **state)
{
	struct pair p = { 0 };
	struct got g = { .no_credit = true }, other = { 0 };
	struct stream *s, *s2;

	pair_start(&p);
	s = begin(&p, "GET", "/trailers", 0, &g); /* "one two" */
	settle(&p.e);
	assert_int_equal(g.closed + g.ended, 0);
	stream_read(s, 3);
	settle(&p.e);
	assert_int_equal(g.body.n, 3);
	assert_int_equal(g.closed + g.ended, 0);
	stream_read(s, 100);
	settle(&p.e);
	assert_string_equal(buf_str(&g.body), "one two");
	assert_string_equal(g.trailer, "7");
	assert_int_equal(g.ended, 1);
	assert_int_equal(g.closed, 1);
	assert_int_equal(g.why, 0);
	stream_unref(s);
	/* Given up in between; the connection stays. */
	s = begin(&p, "GET", "/trailers", 0, &other);
	other.no_credit = true;
	settle(&p.e);
	assert_int_equal(other.closed, 0);
	stream_reset(s, NULL);
	settle(&p.e);
	assert_int_equal(other.closed, 1);
	stream_unref(s);
	buf_fini(&g.body);
	g = (struct got){ 0 };
	s2 = begin(&p, "GET", "/ping", 0, &g);
	settle(&p.e);
	assert_int_equal(g.status, 200);
	assert_int_equal(http_server_get_stats(p.e.srv).accepted, 1);
	stream_unref(s2);
	buf_fini(&g.body);
	buf_fini(&other.body);
	pair_stop(&p);
}

static void sends_and_gets_trailers(void **state)
{
	struct pair p = { 0 };
	struct got g = { 0 };
	struct stream *s;

	pair_start(&p);
	s = begin(&p, "GET", "/trailers", 0, &g);
	settle(&p.e);
	assert_string_equal(buf_str(&g.body), "one two");
	assert_string_equal(g.trailer, "7");
	stream_unref(s);
	buf_fini(&g.body);
	pair_stop(&p);
}

static void sends_no_body_where_none_belongs(void **state)
{
	struct pair p = { 0 };
	struct got head = { 0 }, nm = { 0 };
	struct stream *a, *b;

	pair_start(&p);
	a = begin(&p, "HEAD", "/ping", 0, &head);
	b = begin(&p, "GET", "/304", 0, &nm);
	settle(&p.e);
	assert_int_equal(head.status, 200);
	assert_int_equal(head.body.n, 0);
	assert_int_equal(stream_length(a), 2);
	assert_int_equal(nm.status, 304);
	assert_int_equal(nm.body.n, 0);
	assert_int_equal(head.why | nm.why, 0);
	stream_unref(a);
	stream_unref(b);
	pair_stop(&p);
}

static void becomes_a_byte_stream_by_extended_connect(void **state)
{
	struct pair p = { 0 };
	struct got g = { .grant = 100 };
	struct stream *s;
	struct err err = ERR_INIT;

	pair_start(&p);
	g.body = BUF_INIT(1 << 20);
	assert_int_equal(http_client_stream(p.cl, "GET", "/raw", &s, &err), 0);
	stream_on(s, &got_events, &g);
	assert_int_equal(stream_set_header(s, "Upgrade", "websocket"), 0);
	assert_int_equal(http_client_send(s, 0, true, &err), 0);
	settle(&p.e);
	assert_int_equal(g.status, 200);
	assert_int_equal(stream_write(s, "hello", 5), 0);
	settle(&p.e);
	assert_string_equal(buf_str(&g.body), "welcome hello");
	assert_int_equal(g.ended, 0);
	assert_int_equal(stream_end(s), 0); /* half-close, echoed */
	settle(&p.e);
	assert_int_equal(g.ended, 1);
	assert_int_equal(g.closed, 1);
	assert_int_equal(g.why, 0);
	stream_unref(s);
	buf_fini(&g.body);
	pair_stop(&p);
}

static void begins_by_an_upgrade(void **state)
{
	struct pair p = { 0 };
	struct got g[3] = { 0 };
	struct stream *s[3];

	pair_start_as(&p, HTTP2_UPGRADE, HTTP2_UPGRADE);
	s[0] = begin(&p, "GET", "/what", 0, &g[0]);
	settle(&p.e);
	s[1] = begin(&p, "GET", "/what", 0, &g[1]);
	s[2] = begin(&p, "GET", "/trailers", 0, &g[2]);
	settle(&p.e);
	assert_has(buf_str(&g[0].body), "2.1 GET /what");
	assert_has(buf_str(&g[1].body), "2.1 GET /what");
	assert_string_equal(g[2].trailer, "7");
	assert_int_equal(http_server_get_stats(p.e.srv).accepted, 1);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(g[i].closed, 1);
		assert_int_equal(g[i].why, 0);
		stream_unref(s[i]);
		buf_fini(&g[i].body);
	}
	pair_stop(&p);
}

static void stays_with_http1_if_the_server_does_not_upgrade(void **state)
{
	struct pair p = { 0 };
	struct got g[2] = { 0 };
	struct stream *s[2];

	pair_start_as(&p, HTTP2_NEVER, HTTP2_UPGRADE);
	for (int i = 0; i < 2; i++) {
		s[i] = begin(&p, "GET", "/what", 0, &g[i]);
		settle(&p.e);
		assert_has(buf_str(&g[i].body), "1.1 GET /what");
		stream_unref(s[i]);
		buf_fini(&g[i].body);
	}
	pair_stop(&p);
}

static void tells_of_a_reset_stream(void **state)
{
	struct pair p = { 0 };
	struct got g = { 0 };
	struct stream *s;

	pair_start(&p);
	s = begin(&p, "GET", "/reset", 0, &g);
	settle(&p.e);
	assert_int_equal(g.status, 0);
	assert_int_equal(g.closed, 1);
	assert_int_equal(g.why, ERR_UNAVAILABLE);
	stream_unref(s);
	pair_stop(&p);
}

static void drained(void *arg)
{
	((struct env *)arg)->ended++;
}

static void drains_without_losing_what_runs(void **state)
{
	struct pair p = { 0 };
	struct got g = { 0 };
	struct stream *s;

	pair_start(&p);
	s = begin(&p, "GET", "/hold", 0, &g);
	settle(&p.e);
	http_server_drain(p.e.srv, 60 * NS_PER_SEC, drained, &p.e);
	settle(&p.e);
	assert_int_equal(p.e.ended, 0);
	assert_int_equal(stream_reply(p.e.held, 200, NULL, "done", 4), 0);
	stream_unref(STEAL(p.e.held));
	settle(&p.e);
	assert_int_equal(g.status, 200);
	assert_string_equal(buf_str(&g.body), "done");
	assert_int_equal(g.why, 0);
	assert_int_equal(p.e.ended, 1);
	stream_unref(s);
	buf_fini(&g.body);
	pair_stop(&p);
}

/* ---- a raw peer ---- */

static void raw_start(struct env *e, struct peer *p)
{
	e->conf.http2 = HTTP2_PRIOR;
	env_start(e, serve);
	peer_open(p, e);
}

static void raw_stop(struct env *e, struct peer *p)
{
	peer_close(p);
	env_stop(e);
}

static void joins_cookies_and_checks_the_authority(void **state)
{
	struct env e = { 0 };
	struct peer p;
	struct frame f = { 0 };

	raw_start(&e, &p);
	request_add(&p, 1, END_STREAM | END_HEADERS,
		    GET("/what") "cookie: a=b\ncookie: c=d\ncookie: e=f\n");
	request_add(&p, 3, END_STREAM | END_HEADERS, GET("/what") "host: other\n");
	request_add(&p, 5, END_STREAM | END_HEADERS,
		    ":method: GET\n:scheme: http\n:path: /what\nhost: only\n");
	request_add(&p, 7, END_STREAM | END_HEADERS, ":method: CONNECT\n:authority: a:1\n");
	peer_send(&p);
	assert_true(frame_find(&p, F_DATA, 1, &f));
	assert_true(memmem(f.p, f.n, "cookie=a=b; c=d; e=f ", 21));
	assert_true(frame_find(&p, F_DATA, 3, &f));
	assert_true(memmem(f.p, f.n, "differ", 6));
	assert_true(frame_find(&p, F_DATA, 5, &f));
	assert_true(memmem(f.p, f.n, "host=only", 9));
	assert_true(frame_find(&p, F_DATA, 7, &f));
	assert_true(memmem(f.p, f.n, "CONNECT is not", 14));
	assert_int_equal(http_server_get_stats(e.srv).refused, 2);
	raw_stop(&e, &p);
}

static void continues_when_asked(void **state)
{
	struct env e = { 0 };
	struct peer p;
	struct frame f = { 0 };

	raw_start(&e, &p);
	request_add(&p, 1, END_HEADERS, POST("/collect") "expect: 100-continue\n");
	peer_send(&p);
	assert_true(frame_find(&p, F_HEADERS, 1, &f));
	assert_false(f.flags & END_STREAM);
	frame_add(&p, F_DATA, END_STREAM, 1, "hello", 5);
	peer_send(&p);
	assert_true(frame_find(&p, F_HEADERS, 1, &f));
	assert_true(frame_find(&p, F_DATA, 1, &f));
	assert_memory_equal(f.p, "hello", 5);
	raw_stop(&e, &p);
}

static void refuses_heads_past_the_limits(void **state)
{
	struct env e = { .conf = { .head_max = 8192, .headers_max = 20 } };
	CLEANUP(buf_fini) struct buf lines = BUF_INIT(1 << 20);
	struct peer p;
	struct frame f = { 0 };

	raw_start(&e, &p);
	buf_adds(&lines, GET("/ping"));
	for (int i = 0; i < 30; i++)
		buf_addf(&lines, "x-%d: 1\n", i);
	request_add(&p, 1, END_STREAM | END_HEADERS, buf_str(&lines));
	buf_clear(&lines);
	buf_adds(&lines, GET("/ping"));
	for (int i = 0; i < 12; i++)
		buf_addf(&lines, "y: %01000d\n", i);
	request_add(&p, 3, END_STREAM | END_HEADERS, buf_str(&lines));
	request_add(&p, 5, END_STREAM | END_HEADERS, GET("/ping"));
	peer_send(&p);
	assert_true(frame_find(&p, F_DATA, 1, &f));
	assert_true(memmem(f.p, f.n, "too large", 9));
	assert_true(frame_find(&p, F_DATA, 3, &f));
	assert_true(memmem(f.p, f.n, "too large", 9));
	assert_true(frame_find(&p, F_DATA, 5, &f));
	assert_memory_equal(f.p, "OK", 2);
	raw_stop(&e, &p);
}

static void corked_streams_of_a_connection_share_a_send(void **state)
{
	struct env e = { .conf.http2 = HTTP2_PRIOR };
	struct stream *s[2];
	struct frame f;
	struct peer p;
	char got[1000];

	env_start(&e, serve);
	peer_open(&p, &e);
	for (uint32_t i = 0; i < 2; i++) {
		request_add(&p, i * 2 + 1, END_STREAM | END_HEADERS, GET("/hold"));
		peer_send(&p);
		s[i] = stream_ref(e.held);
		assert_int_equal(stream_start(s[i], 200, -1), 0);
		peer_send(&p);
	}
	stream_cork(s[0]);
	stream_cork(s[1]);
	assert_int_equal(stream_write(s[0], "one", 3), 0);
	assert_int_equal(stream_write(s[1], "two", 3), 0);
	stream_uncork(s[0]);
	assert_int_equal(recv(p.fd, got, sizeof(got), 0), -1);
	stream_uncork(s[1]);
	assert_int_equal(recv(p.fd, got, sizeof(got), MSG_PEEK), 2 * (9 + 3));
	peer_send(&p);
	assert_true(frame_find(&p, F_DATA, 1, &f));
	assert_memory_equal(f.p, "one", 3);
	assert_true(frame_find(&p, F_DATA, 3, &f));
	assert_memory_equal(f.p, "two", 3);
	/* The connection goes while one is corked. */
	stream_cork(s[0]);
	close(STEAL_FD(p.fd));
	stream_write(s[0], "three", 5);
	stream_uncork(s[0]);
	peer_close(&p);
	assert_int_equal(http_server_get_stats(e.srv).connections, 0);
	stream_unref(s[0]);
	stream_unref(s[1]);
	env_stop(&e);
}

/* One repeated abuse, with an honest connection beside it that is served before and after. */
struct abuse {
	const char *name;
	void (*once)(struct peer *p, int i);
	int times;
	int64_t code; /* of GOAWAY; -2: the connection is only closed */
};

static void rapid_reset(struct peer *p, int i)
{
	uint32_t id = (uint32_t)i * 2 + 1;

	request_add(p, id, END_STREAM | END_HEADERS, GET("/hold"));
	frame_add(p, F_RST, 0, id, "\0\0\0\x08", 4);
}

static void made_you_reset(struct peer *p, int i)
{
	uint32_t id = (uint32_t)i * 2 + 1;

	request_add(p, id, END_STREAM | END_HEADERS, GET("/hold"));
	/* An error of the stream: we reset it. */
	frame_add(p, F_WINDOW, 0, id, "\x7f\xff\xff\xff", 4);
}

static void half_closed_data(struct peer *p, int i)
{
	uint32_t id = (uint32_t)i * 2 + 1;

	request_add(p, id, END_HEADERS, POST("/hold") "content-length: 1\n");
	frame_add(p, F_DATA, END_STREAM, id, "toolong", 7);
}

static void ping_flood(struct peer *p, int i)
{
	frame_add(p, F_PING, 0, 0, "12345678", 8);
}

static void settings_flood(struct peer *p, int i)
{
	frame_add(p, F_SETTINGS, 0, 0, NULL, 0);
}

static void empty_data_flood(struct peer *p, int i)
{
	if (i == 0)
		request_add(p, 1, END_HEADERS, POST("/hold"));
	frame_add(p, F_DATA, 0, 1, NULL, 0);
}

static void priority_flood(struct peer *p, int i)
{
	frame_add(p, F_PRIORITY, 0, (uint32_t)i * 2 + 1, "\0\0\0\0\x10", 5);
}

static void unknown_flood(struct peer *p, int i)
{
	frame_add(p, 0x55, 0, 0, "x", 1);
}

static void window_flood(struct peer *p, int i)
{
	frame_add(p, F_WINDOW, 0, 0, "\0\0\0\x01", 4);
}

static void reset_flood(struct peer *p, int i)
{
	if (i == 0)
		request_add(p, 1, END_STREAM | END_HEADERS, GET("/ping"));
	frame_add(p, F_RST, 0, 1, "\0\0\0\x08", 4);
}

static void continuation_flood(struct peer *p, int i)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(4096);

	if (i == 0) {
		request_add(p, 1, END_STREAM, GET("/ping"));
		return;
	}
	field_add(&b, "x-more", "1");
	frame_add(p, F_CONT, 0, 1, b.p, b.n);
}

static void empty_continuation_flood(struct peer *p, int i)
{
	if (i == 0)
		request_add(p, 1, END_STREAM, GET("/ping"));
	else
		frame_add(p, F_CONT, 0, 1, NULL, 0);
}

/* One field in the table, then thousands of references to it in one block. */
static void hpack_bomb(struct peer *p, int i)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1 << 20), v = BUF_INIT(1 << 20);

	block_make(&b, GET("/ping"));
	for (int k = 0; k < 3000; k++)
		buf_addc(&v, 'a');
	if (i == 0) {
		buf_addc(&b, 0x40);
		buf_addc(&b, 1);
		buf_addc(&b, 'z');
		buf_addc(&b, 127);
		buf_addc(&b, (char)(((3000 - 127) & 127) | 128));
		buf_addc(&b, (char)((3000 - 127) >> 7));
		buf_add(&b, v.p, v.n);
	}
	for (int k = 0; k < 10000; k++)
		buf_addc(&b, (char)(0x80 | 62));
	frame_add(p, F_HEADERS, END_STREAM | END_HEADERS, (uint32_t)i * 2 + 1, b.p, b.n);
}

static const struct abuse abuses[] = {
	{ "rapid reset (CVE-2023-44487)", rapid_reset, 4000, 11 },
	{ "made you reset by a window past its end (CVE-2025-8671)", made_you_reset, 4000, 11 },
	{ "made you reset by a body too long (CVE-2025-8671)", half_closed_data, 4000, 11 },
	{ "PING flood (CVE-2019-9512)", ping_flood, 4000, 11 },
	{ "SETTINGS flood (CVE-2019-9515)", settings_flood, 4000, 11 },
	{ "empty frames (CVE-2019-9518)", empty_data_flood, 4000, 11 },
	{ "PRIORITY flood (CVE-2019-9513)", priority_flood, 4000, 11 },
	{ "flood of unknown frames", unknown_flood, 4000, 11 },
	{ "WINDOW_UPDATE flood", window_flood, 4000, 11 },
	{ "RST_STREAM flood (CVE-2019-9514)", reset_flood, 4000, 11 },
	{ "CONTINUATION flood (CVE-2024-27316)", continuation_flood, 4000, -2 },
	{ "empty CONTINUATION flood", empty_continuation_flood, 4000, -2 },
	{ "HPACK bomb", hpack_bomb, 600, 11 },
};

static void honest_is_served(struct env *e)
{
	struct peer p;
	struct frame f = { 0 };

	peer_open(&p, e);
	request_add(&p, 1, END_STREAM | END_HEADERS, GET("/ping"));
	peer_send(&p);
	assert_true(frame_find(&p, F_DATA, 1, &f));
	assert_memory_equal(f.p, "OK", 2);
	peer_close(&p);
}

static void ends_abusive_connections(void **state)
{
	for (size_t k = 0; k < ARRAY_LEN(abuses); k++) {
		const struct abuse *a = &abuses[k];
		struct env e = { 0 };
		struct peer p;
		int i;

		raw_start(&e, &p);
		honest_is_served(&e);
		for (i = 0; i < a->times && !p.eof; i++) {
			a->once(&p, i);
			if (i % 50 == 49)
				peer_send(&p);
		}
		peer_send(&p);
		if (!p.eof && goaway_code(&p) < 0)
			fail_msg("%s: the connection lives on", a->name);
		if (a->code >= 0 && goaway_code(&p) != a->code)
			fail_msg("%s: GOAWAY %lld, not %lld", a->name, (long long)goaway_code(&p),
				 (long long)a->code);
		honest_is_served(&e);
		peer_close(&p);
		if (e.held)
			stream_unref(STEAL(e.held));
		assert_int_equal(http_server_get_stats(e.srv).streams, 0);
		env_stop(&e);
	}
}

/* CVE-2019-9511, -9517: the peer asks for much and lets us send a byte at a time. */
static void ends_a_dribbled_window(void **state)
{
	struct env e = { 0 };
	struct peer p;

	raw_start(&e, &p);
	frame_add(&p, F_SETTINGS, 0, 0, "\0\x04\0\0\0\0", 6); /* windows of new streams: 0 */
	for (uint32_t id = 1; id < 20; id += 2)
		request_add(&p, id, END_STREAM | END_HEADERS, GET("/flood"));
	peer_send(&p);
	for (int i = 0; i < 4000 && !p.eof; i++) {
		frame_add(&p, F_WINDOW, 0, (uint32_t)(i % 10) * 2 + 1, "\0\0\0\x01", 4);
		if (i % 50 == 0)
			peer_send(&p);
	}
	peer_send(&p);
	assert_int_equal(goaway_code(&p), 11);
	raw_stop(&e, &p);
}

/* A window that never opens: the whole answer is given up after its time, the connection stays. */
static void gives_up_an_answer_that_is_never_taken(void **state)
{
	struct env e = { .conf = { .write_time = 20 * NS_PER_MS } };
	struct peer p;
	struct frame f = { 0 };

	raw_start(&e, &p);
	frame_add(&p, F_SETTINGS, 0, 0, "\0\x04\0\0\0\0", 6);
	request_add(&p, 1, END_STREAM | END_HEADERS, GET("/ping"));
	peer_send(&p);
	assert_true(frame_find(&p, F_HEADERS, 1, &f));
	for (int i = 0; i < 5000 && !frame_find(&p, F_RST, 1, &f); i++) {
		loop_step(e.loop, NS_PER_MS, NULL);
		peer_send(&p);
	}
	assert_int_equal(f.type, F_RST);
	assert_true(goaway_code(&p) < 0);
	raw_stop(&e, &p);
}

/* An endless answer of high urgency does not starve one of low urgency. */
static void starves_no_stream(void **state)
{
	struct env e = { 0 };
	struct peer p;
	struct frame f = { 0 };

	raw_start(&e, &p);
	frame_add(&p, F_SETTINGS, 0, 0, "\0\x04\x7f\xff\xff\xff", 6);
	frame_add(&p, F_WINDOW, 0, 0, "\x7f\xff\0\0", 4);
	request_add(&p, 1, END_STREAM | END_HEADERS, GET("/flood") "priority: u=0\n");
	request_add(&p, 3, END_STREAM | END_HEADERS, GET("/ping") "priority: u=7\n");
	request_add(&p, 5, END_STREAM | END_HEADERS, GET("/ping") "priority: u=1, i\n");
	assert_int_equal(send(p.fd, p.out.p, p.out.n, MSG_NOSIGNAL), (ssize_t)p.out.n);
	buf_clear(&p.out);
	for (int i = 0; i < 400; i++) {
		char sink[65536];
		ssize_t n;

		loop_step(e.loop, 0, NULL);
		while ((n = recv(p.fd, sink, sizeof(sink), 0)) > 0 && p.in.n < 32u << 20)
			buf_add(&p.in, sink, (size_t)n);
	}
	assert_true(frame_find(&p, F_DATA, 3, &f));
	p.at = 0;
	assert_true(frame_find(&p, F_DATA, 5, &f));
	raw_stop(&e, &p);
}

/* keeps the bound on what waits for handlers: windows are not opened for who does not read. */
static void holds_a_bounded_part_of_bodies(void **state)
{
	struct env e = { 0 };
	struct peer p;
	struct frame f = { 0 };
	char block[16384] = { 0 };
	size_t granted = 0;

	raw_start(&e, &p);
	for (uint32_t id = 1; id <= 199; id += 2)
		request_add(&p, id, END_HEADERS, POST("/hold"));
	peer_send(&p);
	for (uint32_t id = 1; id <= 199; id += 2) {
		for (int i = 0; i < 4; i++)
			frame_add(&p, F_DATA, 0, id, block, i < 3 ? 16384 : 65535 - 3 * 16384);
		peer_send(&p);
		if (goaway_code(&p) >= 0 || p.eof)
			break;
	}
	/* What it may send: windows of the connection that were given back, plus the first. */
	p.at = 0;
	while (frame_find(&p, F_WINDOW, 0, &f))
		granted += f.id == 0 ? frame_u32(&f, 0) : 0;
	assert_true(granted + 65535 <= H2_HELD_MAX + 4 * 65535);
	assert_int_equal(goaway_code(&p), 3); /* FLOW_CONTROL_ERROR: it sent past its window */
	raw_stop(&e, &p);
}

/* keeps (5): who is told in the middle of a body may lose the answer. */
static void an_early_answer_does_not_cut_the_request_off(void **state)
{
	struct env e = { 0 };
	struct frame f = { 0 };
	struct peer p;

	raw_start(&e, &p);
	request_add(&p, 1, END_HEADERS, POST("/ping") "content-length: 5\n");
	peer_send(&p);
	assert_true(frame_find(&p, F_DATA, 1, &f));
	assert_int_equal(f.flags & END_STREAM, END_STREAM);
	assert_false(frame_find(&p, F_RST, 1, &f));
	frame_add(&p, F_DATA, 0, 1, "12", 2);
	frame_add(&p, F_DATA, END_STREAM, 1, "345", 3);
	request_add(&p, 3, END_STREAM | END_HEADERS, GET("/ping"));
	peer_send(&p);
	assert_true(frame_find(&p, F_DATA, 3, &f));
	p.at = 0;
	assert_false(frame_find(&p, F_RST, 0, &f));
	assert_int_equal(goaway_code(&p), -1);
	raw_stop(&e, &p);
}

static void a_request_that_nobody_needs_is_bounded(void **state)
{
	struct env e = { 0 };
	char block[16384] = { 0 };
	struct frame f = { 0 };
	struct peer p;
	size_t sent = 0;

	raw_start(&e, &p);
	/* What is known to be too large is not asked for. */
	request_add(&p, 1, END_HEADERS, POST("/ping") "content-length: 99999999\n");
	peer_send(&p);
	assert_true(frame_find(&p, F_RST, 1, &f));
	assert_int_equal(frame_u32(&f, 0), 0); /* NO_ERROR */
	/* Its window is opened until it is too much. */
	request_add(&p, 3, END_HEADERS, POST("/ping"));
	peer_send(&p);
	p.at = 0;
	while (!frame_find(&p, F_RST, 3, &f) && sent < 2 * (size_t)H2_WASTE_MAX) {
		frame_add(&p, F_DATA, 0, 3, block, sizeof(block));
		sent += sizeof(block);
		peer_send(&p);
	}
	assert_int_equal(f.type, F_RST);
	assert_int_equal(frame_u32(&f, 0), 0);
	assert_true(sent > H2_WASTE_MAX);
	assert_int_equal(goaway_code(&p), -1);
	raw_stop(&e, &p);
}

static void a_request_that_does_not_come_is_not_waited_for(void **state)
{
	struct env e = { .conf.body_time = 20 * NS_PER_MS };
	struct frame f = { 0 };
	struct peer p;

	raw_start(&e, &p);
	request_add(&p, 1, END_HEADERS, POST("/ping") "content-length: 5\n");
	peer_send(&p);
	for (int i = 0; i < 1000 && !frame_find(&p, F_RST, 1, &f); i++) {
		loop_step(e.loop, NS_PER_MS, NULL);
		peer_send(&p);
	}
	assert_int_equal(f.type, F_RST);
	assert_int_equal(frame_u32(&f, 0), 0);
	assert_int_equal(goaway_code(&p), -1);
	raw_stop(&e, &p);
}

static void idle_and_silent_connections_end(void **state)
{
	struct env e = { .conf = { .idle_time = 20 * NS_PER_MS, .head_time = 20 * NS_PER_MS } };
	struct peer p;

	raw_start(&e, &p);
	request_add(&p, 1, END_STREAM | END_HEADERS, GET("/ping"));
	for (int i = 0; i < 5000 && !p.eof; i++) {
		peer_send(&p);
		loop_step(e.loop, NS_PER_MS, NULL);
	}
	assert_true(p.eof);
	assert_int_equal(goaway_code(&p), 0);
	peer_close(&p);
	/* Half a preface, then nothing. */
	p = (struct peer){
		.e = &e, .fd = connect_pair(&e), .out = BUF_INIT(100), .in = BUF_INIT(10000)
	};
	buf_adds(&p.out, "PRI * HT");
	for (int i = 0; i < 5000 && !p.eof; i++) {
		peer_send(&p);
		loop_step(e.loop, NS_PER_MS, NULL);
	}
	assert_true(p.eof);
	raw_stop(&e, &p);
}

static void is_not_spoken_unless_configured(void **state)
{
	struct env e = { 0 };
	bool eof;

	env_start(&e, serve);
	assert_has(ask(&e, H2_PREFACE, false, &eof), "505");
	assert_true(eof);
	assert_has(ask(&e,
		       "GET /what HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\n"
		       "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n",
		       false, &eof),
		   "1.1 GET /what");
	env_stop(&e);
}

/* One byte at a time, preface and all. */
static void takes_single_bytes(void **state)
{
	struct env e = { 0 };
	struct peer p;
	struct frame f = { 0 };

	raw_start(&e, &p);
	request_add(&p, 1, END_STREAM | END_HEADERS, GET("/ping"));
	for (size_t i = 0; i < p.out.n; i++) {
		assert_int_equal(send(p.fd, p.out.p + i, 1, MSG_NOSIGNAL), 1);
		settle(&e);
	}
	buf_clear(&p.out);
	peer_send(&p);
	assert_true(frame_find(&p, F_DATA, 1, &f));
	assert_memory_equal(f.p, "OK", 2);
	raw_stop(&e, &p);
}

static void guard_is_refilled_by_time_and_work(void **state)
{
	struct h2_guard g;
	int n = 0;

	h2_guard_init(&g, 0);
	while (h2_guard_deed(&g, H2_CONTROL, 0))
		n++;
	assert_in_range(n, 1900, 2000);
	assert_false(h2_guard_deed(&g, H2_CONTROL, 0));
	assert_true(h2_guard_deed(&g, H2_CONTROL, NS_PER_SEC));
	h2_guard_init(&g, 0);
	for (int i = 0; i < 100000; i++) {
		/* An honest stream: an answer, some bytes, a window now and then. */
		assert_true(h2_guard_deed(&g, H2_CONTROL, 0));
		h2_guard_work(&g, 1000, true);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_by_prior_knowledge),
		cmocka_unit_test(carries_many_streams_on_one_connection),
		cmocka_unit_test(corked_streams_of_a_connection_share_a_send),
		cmocka_unit_test(echoes_a_large_body_both_ways),
		cmocka_unit_test(stops_a_sender_whose_reader_grants_nothing),
		cmocka_unit_test(stops_a_handler_whose_client_does_not_read),
		cmocka_unit_test(gives_a_whole_answer_to_a_reader_that_is_slower_than_it),
		cmocka_unit_test(sends_and_gets_trailers),
		cmocka_unit_test(sends_no_body_where_none_belongs),
		cmocka_unit_test(becomes_a_byte_stream_by_extended_connect),
		cmocka_unit_test(begins_by_an_upgrade),
		cmocka_unit_test(stays_with_http1_if_the_server_does_not_upgrade),
		cmocka_unit_test(tells_of_a_reset_stream),
		cmocka_unit_test(drains_without_losing_what_runs),
		cmocka_unit_test(joins_cookies_and_checks_the_authority),
		cmocka_unit_test(continues_when_asked),
		cmocka_unit_test(refuses_heads_past_the_limits),
		cmocka_unit_test(ends_abusive_connections),
		cmocka_unit_test(ends_a_dribbled_window),
		cmocka_unit_test(gives_up_an_answer_that_is_never_taken),
		cmocka_unit_test(starves_no_stream),
		cmocka_unit_test(holds_a_bounded_part_of_bodies),
		cmocka_unit_test(an_early_answer_does_not_cut_the_request_off),
		cmocka_unit_test(a_request_that_nobody_needs_is_bounded),
		cmocka_unit_test(a_request_that_does_not_come_is_not_waited_for),
		cmocka_unit_test(idle_and_silent_connections_end),
		cmocka_unit_test(is_not_spoken_unless_configured),
		cmocka_unit_test(takes_single_bytes),
		cmocka_unit_test(guard_is_refilled_by_time_and_work),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
