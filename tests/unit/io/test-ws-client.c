/* SPDX-License-Identifier: Apache-2.0 */
/* The client's part: its request, its checks of the answer, and a talk with our own server over
 * HTTP/1.1 and HTTP/2; streams through a WebSocket (ws-tunnel). */
#include "io/ws-tunnel.h"
#include "ws-test.h"

struct talk {
	struct ws_env t; /* the server's part */
	struct http_client *c;
	struct ws *w;
	int opened, closed;
	unsigned code;
	enum err_code why;
	char why_text[256], got[256], path[64];
	const char *answer; /* of a raw server, instead of ours */
};

static void c_opened(struct ws *w)
{
	((struct talk *)ws_arg(w))->opened++;
}

static void c_message(struct ws *w, enum ws_type type, struct slice bytes)
{
	struct talk *k = ws_arg(w);
	size_t at = strlen(k->got);

	(void)snprintf(k->got + at, sizeof(k->got) - at, "%c(%.*s)", type == WS_TEXT ? 'T' : 'B',
		       (int)bytes.n, bytes.p);
}

static void c_closed(struct ws *w, const struct ws_end *how)
{
	struct talk *k = ws_arg(w);

	k->closed++;
	k->w = NULL;
	k->code = how->code;
	k->why = how->why ? how->why->code : ERR_NONE;
	if (how->why)
		(void)str_copy(k->why_text, sizeof(k->why_text), how->why->msg);
}

static const struct ws_events client_events = { .opened = c_opened,
						.message = c_message,
						.closed = c_closed };

static void raw_answer(struct stream *s, void *arg)
{
	struct talk *k = CONTAINER_OF((struct env *)arg, struct talk, t.e);
	struct slice rest = slice_str(k->answer), status = slice_split(&rest, ' ');
	char accept[WS_ACCEPT_LEN + 1];

	if (!slice_is(status, "101")) {
		(void)stream_reply(s, 403, "text/plain", "no", 2);
		return;
	}
	ws_accept_key(accept, stream_header(s, "Sec-WebSocket-Key"));
	if (!slice_is(rest, "accept"))
		(void)stream_set_header(s, "Sec-WebSocket-Accept", accept);
	else
		(void)stream_set_header(s, "Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
	if (slice_is(rest, "protocol"))
		(void)stream_set_header(s, "Sec-WebSocket-Protocol", "never-offered");
	if (slice_is(rest, "extension"))
		(void)stream_set_header(s, "Sec-WebSocket-Extensions", "permessage-deflate");
	assert_int_equal(stream_hijack(s, 101, NULL), 0);
}

static void talk_start(struct talk *k, enum http2_mode http2)
{
	struct http_client_conf conf = { .http2 = http2 };
	struct err err = ERR_INIT;
	char address[128];

	(void)snprintf(k->path, sizeof(k->path), "/tmp/teu-ws-%d", (int)getpid());
	k->t.ev = &ws_t_events;
	k->t.e.conf.http2 = http2;
	env_start(&k->t.e, k->answer ? raw_answer : ws_t_request);
	assert_int_equal(http_server_listen_unix(k->t.e.srv, k->path, 0600, (gid_t)-1, &err), 0);
	(void)snprintf(address, sizeof(address), "unix://%s", k->path);
	assert_int_equal(http_client_new(k->t.e.loop, address, &conf, &k->c, &err), 0);
}

static void talk_connect(struct talk *k, const char *protocols)
{
	const struct http_header more = { SLICE("X-More"), SLICE("yes") };
	const struct ws_connect to = {
		.target = "/ws", .protocols = protocols, .headers = &more, .headers_n = 1
	};
	struct err err = ERR_INIT;

	assert_int_equal(ws_connect(k->c, &to, NULL, &client_events, k, &k->w, &err), 0);
	for (int i = 0; i < 2000 && !k->opened && !k->closed; i++)
		(void)loop_step(k->t.e.loop, 10 * NS_PER_MS, NULL);
}

/* Until cond, which must come. */
#define UNTIL(k, cond)                                                        \
	do {                                                                  \
		for (int i_ = 0; i_ < 2000 && !(cond); i_++)                  \
			(void)loop_step((k)->t.e.loop, 10 * NS_PER_MS, NULL); \
		assert_true(cond);                                            \
	} while (0)

static void talk_stop(struct talk *k)
{
	char lock[80];

	http_client_free(k->c);
	env_stop(&k->t.e);
	(void)snprintf(lock, sizeof(lock), "%s.lock", k->path);
	(void)unlink(lock);
}

static void both_sides_talk(enum http2_mode http2)
{
	static const char *const protocols[] = { "beta", NULL };
	struct talk k = { .t.acc.protocols = protocols };

	talk_start(&k, http2);
	talk_connect(&k, "alpha, beta");
	if (k.closed)
		fail_msg("%s", k.why_text);
	assert_string_equal(ws_protocol(k.w), "beta");
	assert_string_equal(ws_protocol(k.t.w), "beta");
	assert_int_equal(ws_status(k.w), http2 == HTTP2_PRIOR ? 200 : 101);
	assert_int_equal(ws_send(k.w, WS_TEXT, "hello", 5), 0);
	assert_int_equal(ws_send_part(k.w, WS_BINARY, "by ", 3, false), 0);
	assert_int_equal(ws_send_part(k.w, WS_BINARY, "parts", 5, true), 0);
	UNTIL(&k, strstr(k.got, "parts"));
	assert_string_equal(k.got, "T(hello)B(by parts)");
	ws_close(k.w, 1000, "done");
	UNTIL(&k, k.closed && k.t.closed);
	assert_int_equal(k.code, 1000);
	assert_int_equal(k.why, ERR_NONE);
	assert_int_equal(k.t.code, 1000);
	talk_stop(&k);
}

static void a_talk_over_http_1(void **state)
{
	both_sides_talk(HTTP2_NEVER);
}

static void a_talk_over_http_2(void **state)
{
	both_sides_talk(HTTP2_PRIOR);
}

static void the_server_may_close(void **state)
{
	struct talk k = { 0 };

	talk_start(&k, HTTP2_NEVER);
	talk_connect(&k, NULL);
	ws_close(k.t.w, 4001, "go");
	UNTIL(&k, k.closed && k.t.closed);
	assert_int_equal(k.code, 4001);
	assert_int_equal(k.t.code, 4001);
	talk_stop(&k);
}

static void answers_that_make_no_websocket_are_told(void **state)
{
	static const struct {
		const char *answer, *says;
		enum err_code code;
	} rows[] = {
		{ "403", "status 403", ERR_UNSUPPORTED },
		{ "101 accept", "does not fit the key", ERR_BAD_REQUEST },
		{ "101 protocol", "sub-protocol that was not offered", ERR_BAD_REQUEST },
		{ "101 extension", "extension that was not offered", ERR_BAD_REQUEST },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct talk k = { .answer = rows[i].answer };

		talk_start(&k, HTTP2_NEVER);
		talk_connect(&k, "mine");
		assert_int_equal(k.closed, 1);
		assert_int_equal(k.opened, 0);
		assert_has(k.why_text, rows[i].says);
		assert_int_equal(k.why, rows[i].code);
		talk_stop(&k);
	}
}

static void nobody_there_is_told_at_once(void **state)
{
	const struct ws_connect to = { .target = "/" };
	struct talk k = { 0 };
	struct err err = ERR_INIT;
	struct http_client *c;

	talk_start(&k, HTTP2_NEVER);
	assert_int_equal(http_client_new(k.t.e.loop, "unix:///nowhere/s", NULL, &c, &err), 0);
	assert_true(ws_connect(c, &to, NULL, &client_events, &k, &k.w, &err) < 0);
	assert_has(err.msg, "/nowhere/s");
	assert_int_equal(k.closed, 0);
	http_client_free(c);
	talk_stop(&k);
}

/* ---- tunnels ---- */

struct end {
	struct stream *s;
	char got[256];
	int ended, closed;
	enum err_code why;
};

static void e_data(struct stream *s, struct slice bytes)
{
	struct end *e = stream_arg(s);
	size_t at = strlen(e->got);

	(void)snprintf(e->got + at, sizeof(e->got) - at, "%.*s", (int)bytes.n, bytes.p);
}

static void e_end(struct stream *s)
{
	((struct end *)stream_arg(s))->ended++;
}

static void e_closed(struct stream *s, const struct err *why)
{
	struct end *e = stream_arg(s);

	e->closed++;
	e->why = why ? why->code : ERR_NONE;
}

static const struct stream_events end_events = { .data = e_data, .end = e_end, .closed = e_closed };

static void a_tunnel_carries_bytes_with_credit(void **state)
{
	struct end e = { 0 };
	struct talk k = { 0 };

	talk_start(&k, HTTP2_NEVER);
	talk_connect(&k, NULL);
	e.s = ws_tunnel(k.t.w);
	stream_on(e.s, &end_events, &e);
	assert_int_equal(ws_send(k.w, WS_BINARY, "abc", 3), 0);
	assert_int_equal(ws_send(k.w, WS_BINARY, "defg", 4), 0);
	settle(&k.t.e);
	assert_string_equal(e.got, "");
	stream_read(e.s, 2);
	UNTIL(&k, e.got[0]);
	assert_string_equal(e.got, "ab");
	stream_read(e.s, STREAM_ALL);
	UNTIL(&k, strlen(e.got) == 7);
	assert_string_equal(e.got, "abcdefg");
	assert_int_equal(stream_write(e.s, "back", 4), 0);
	UNTIL(&k, k.got[0]);
	assert_string_equal(k.got, "B(back)");
	ws_close(k.w, 1000, NULL);
	UNTIL(&k, e.closed && k.closed);
	assert_int_equal(e.ended, 1);
	assert_int_equal(e.why, ERR_NONE);
	talk_stop(&k);
}

static void a_tunnel_ends_and_resets(void **state)
{
	struct end e = { 0 };
	struct talk k = { 0 };

	talk_start(&k, HTTP2_NEVER);
	talk_connect(&k, NULL);
	e.s = ws_tunnel(k.t.w);
	stream_on(e.s, &end_events, &e);
	assert_int_equal(stream_end(e.s), 0);
	UNTIL(&k, e.closed && k.closed);
	assert_int_equal(k.code, 1000);
	talk_stop(&k);

	memset(&k, 0, sizeof(k));
	memset(&e, 0, sizeof(e));
	talk_start(&k, HTTP2_NEVER);
	talk_connect(&k, NULL);
	e.s = ws_tunnel(k.t.w);
	stream_on(e.s, &end_events, &e);
	stream_reset(e.s, NULL);
	assert_int_equal(e.closed, 1);
	UNTIL(&k, k.closed);
	assert_int_equal(k.code, 1006);
	talk_stop(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_talk_over_http_1),
		cmocka_unit_test(a_talk_over_http_2),
		cmocka_unit_test(the_server_may_close),
		cmocka_unit_test(answers_that_make_no_websocket_are_told),
		cmocka_unit_test(nobody_there_is_told_at_once),
		cmocka_unit_test(a_tunnel_carries_bytes_with_credit),
		cmocka_unit_test(a_tunnel_ends_and_resets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
