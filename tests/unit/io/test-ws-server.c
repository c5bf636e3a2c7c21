/* SPDX-License-Identifier: Apache-2.0 */
/* The server's part of WebSocket beyond Autobahn's cases: handshakes, limits, credit, queues, life.
 */
#include "ws-test.h"

#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define ASK(lines) "GET /ws HTTP/1.1\r\nHost: x\r\n" lines "\r\n"
#define UPGRADE "Connection: Upgrade\r\nUpgrade: websocket\r\n"
#define V13 "Sec-WebSocket-Version: 13\r\n"

/* ---- handshakes ---- */

static void the_example_of_the_rfc_is_answered(void **state)
{
	struct ws_env t = { 0 };
	const char *a;

	ws_start(&t);
	a = ask(&t.e, WS_ASK "\r\n", false, NULL);
	assert_has(a, "HTTP/1.1 101 ");
	assert_has(a, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n");
	assert_has(a, "Upgrade: websocket\r\n");
	assert_has(a, "Connection: Upgrade\r\n");
	assert_has_not(a, "Sec-WebSocket-Protocol");
	ws_stop(&t);
}

static void what_is_no_handshake_is_refused_with_its_status(void **state)
{
	static const struct {
		const char *ask, *status, *says;
	} rows[] = {
		{ ASK(V13 KEY), "HTTP/1.1 426 ", "Upgrade: websocket" },
		{ ASK(UPGRADE KEY), "HTTP/1.1 426 ", "Sec-WebSocket-Version: 13" },
		{ ASK(UPGRADE KEY "Sec-WebSocket-Version: 8\r\n"), "HTTP/1.1 426 ",
		  "only version 13" },
		{ ASK(UPGRADE V13), "HTTP/1.1 400 ", "Sec-WebSocket-Key" },
		{ ASK(UPGRADE V13 "Sec-WebSocket-Key: short\r\n"), "HTTP/1.1 400 ", "16 bytes" },
		{ ASK(UPGRADE V13 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ!!\r\n"),
		  "HTTP/1.1 400 ", "16 bytes" },
		{ "POST /ws HTTP/1.1\r\nHost: x\r\n" UPGRADE V13 KEY "\r\n", "HTTP/1.1 405 ",
		  "Allow: GET" },
		{ ASK(UPGRADE V13 KEY "Content-Length: 2\r\n") "hi", "HTTP/1.1 400 ", "no body" },
	};
	struct ws_env t = { 0 };

	ws_start(&t);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *a = ask(&t.e, rows[i].ask, false, NULL);

		if (strncmp(a, rows[i].status, strlen(rows[i].status)) != 0)
			fail_msg("row %zu: %s", i, a);
		assert_has(a, rows[i].says);
		assert_null(t.w);
	}
	assert_int_equal(t.closed, 0);
	ws_stop(&t);
}

static void the_first_protocol_of_the_client_that_is_ours_is_chosen(void **state)
{
	static const char *const ours[] = { "v4.x", "v5.x", NULL };
	struct ws_env t = { .acc = { .protocols = ours } };

	ws_start(&t);
	assert_has(ask(&t.e, WS_ASK "Sec-WebSocket-Protocol: v9.x, v5.x,v4.x\r\n\r\n", false, NULL),
		   "Sec-WebSocket-Protocol: v5.x\r\n");
	assert_has(ask(&t.e,
		       WS_ASK
		       "Sec-WebSocket-Protocol: v9.x\r\nSec-WebSocket-Protocol: v4.x\r\n\r\n",
		       false, NULL),
		   "Sec-WebSocket-Protocol: v4.x\r\n");
	assert_has_not(ask(&t.e, WS_ASK "Sec-WebSocket-Protocol: V4.X\r\n\r\n", false, NULL),
		       "Sec-WebSocket-Protocol");
	t.acc.must_match = true;
	assert_has(ask(&t.e, WS_ASK "Sec-WebSocket-Protocol: other\r\n\r\n", false, NULL),
		   "HTTP/1.1 400 ");
	assert_has(ask(&t.e, WS_ASK "\r\n", false, NULL), "HTTP/1.1 101 ");
	t.acc.bare_refused = true;
	assert_has(ask(&t.e, WS_ASK "\r\n", false, NULL), "a sub-protocol must be offered");
	ws_stop(&t);
}

static bool only_home(struct stream *s, struct slice origin, void *arg)
{
	return slice_is(origin, "https://home.example");
}

static void an_origin_that_is_not_wanted_is_refused(void **state)
{
	struct ws_env t = { .acc = { .origin = only_home } };

	ws_start(&t);
	assert_has(ask(&t.e, WS_ASK "Origin: https://home.example\r\n\r\n", false, NULL), " 101 ");
	assert_has(ask(&t.e, WS_ASK "Origin: https://evil.example\r\n\r\n", false, NULL), " 403 ");
	assert_has(ask(&t.e, WS_ASK "\r\n", false, NULL), " 403 ");
	ws_stop(&t);
}

static void extensions_are_not_answered(void **state)
{
	struct ws_env t = { 0 };

	ws_start(&t);
	assert_has_not(ask(&t.e,
			   WS_ASK "Sec-WebSocket-Extensions: permessage-deflate; "
				  "client_max_window_bits\r\n\r\n",
			   false, NULL),
		       "Sec-WebSocket-Extensions");
	ws_stop(&t);
}

/* ---- limits ---- */

static void limits_close_with_1009(void **state)
{
	struct ws_env t = { .conf = { .message_max = 20, .frame_max = 12, .frames_max = 3 } };
	char p[32] = "0123456789abcdefghijklmnopqrstu";

	ws_start(&t);
	ws_dial(&t);
	ws_frame(&t, WS_FIN | WS_OP_BINARY, p, 12);
	ws_frame(&t, WS_FIN | WS_OP_BINARY, p, 13);
	assert_string_equal(ws_look(&t), "B(0123456789ab) X(1009)");
	assert_int_equal(t.why, ERR_TOO_LARGE);
	assert_has(t.why_text, "the frame is too large");
	ws_hang_up(&t);
	ws_dial(&t);
	ws_script(&t, "b(0123456789) C(0123456789) b(0123456789) C(0123456789x)");
	assert_string_equal(ws_look(&t), "B(01234567890123456789) X(1009)");
	assert_has(t.why_text, "the message is too large");
	ws_hang_up(&t);
	ws_dial(&t);
	ws_script(&t, "t() c() C() t() c() c() c()");
	assert_string_equal(ws_look(&t), "T() X(1009)");
	assert_has(t.why_text, "too many frames");
	ws_hang_up(&t);
	ws_stop(&t);
}

static void masks_and_lengths_are_checked(void **state)
{
	static const char bare[] = "\x81\x02hi", wide[] = "\x82\xfe\x00\x05\0\0\0\0hello",
			  huge[] = "\x82\xff\x80\0\0\0\0\0\0\x01\0\0\0\0";
	static const struct {
		const char *p;
		size_t n;
		const char *says;
	} rows[] = { { bare, 4, "not masked" },
		     { wide, 13, "shortest form" },
		     { huge, 14, "shortest form" } };
	struct ws_env t = { 0 };

	ws_start(&t);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		ws_dial(&t);
		assert_int_equal(send(t.fd, rows[i].p, rows[i].n, MSG_NOSIGNAL),
				 (ssize_t)rows[i].n);
		assert_string_equal(ws_look(&t), "X(1002)");
		assert_has(t.why_text, rows[i].says);
		ws_hang_up(&t);
	}
	t.client = true;
	ws_dial(&t);
	t.client = false; /* so the peer masks, as a server must not */
	ws_script(&t, "T(hi)");
	t.client = true;
	assert_string_equal(ws_look(&t), "X(1002)");
	assert_has(t.why_text, "of the server is masked");
	ws_hang_up(&t);
	ws_stop(&t);
}

/* ---- pieces and credit ---- */

static char pieces[1024];

static void note_part(struct ws *w, enum ws_type type, struct slice bytes, bool last)
{
	size_t at = strlen(pieces);

	(void)snprintf(pieces + at, sizeof(pieces) - at, "%.*s%s", (int)bytes.n, bytes.p,
		       last ? "|" : ",");
}

static const struct ws_events by_parts = { .part = note_part, .closed = ws_t_closed };

static void parts_come_with_credit_only(void **state)
{
	struct ws_env t = { .ev = &by_parts, .conf = { .paused = true } };

	pieces[0] = '\0';
	ws_start(&t);
	ws_dial(&t);
	ws_script(&t, "b(abcdef) P(now) C(ghi) T()");
	assert_string_equal(ws_look(&t), "");
	assert_string_equal(pieces, "");
	ws_read(t.w, 2);
	assert_string_equal(ws_look(&t), "");
	assert_string_equal(pieces, "ab,");
	ws_read(t.w, 5);
	assert_string_equal(ws_look(&t), "O(now)");
	assert_string_equal(pieces, "ab,cdef,g,");
	ws_read(t.w, WS_ALL);
	assert_string_equal(ws_look(&t), "O(now)");
	assert_string_equal(pieces, "ab,cdef,g,hi||");
	ws_hang_up(&t);
	ws_stop(&t);
}

static void without_credit_the_socket_fills(void **state)
{
	struct ws_env t = { .conf = { .paused = true, .message_max = 1 << 20 } };
	static char p[60000];
	char frame[WS_HEAD_MAX + sizeof(p)];
	size_t n, total = 0;
	ssize_t r;

	ws_start(&t);
	ws_dial(&t);
	n = ws_head_put(frame, WS_FIN | WS_OP_BINARY, sizeof(p), (const unsigned char *)"\0\0\0\0");
	memset(frame + n, 'f', sizeof(p));
	for (int i = 0; i < 1000; i++) {
		r = send(t.fd, frame, n + sizeof(p), MSG_NOSIGNAL);
		ws_spin(&t);
		if (r < 0)
			break;
		total += (size_t)r;
	}
	assert_int_equal(errno, EAGAIN);
	assert_true(total < 8u << 20);
	assert_int_equal(t.closed, 0);
	ws_abort(t.w);
	ws_hang_up(&t);
	ws_stop(&t);
}

static void sent_until_full(struct ws_env *t)
{
	static char p[50000];
	int r = 0;

	for (int i = 0; i < 1000 && r == 0; i++)
		r = ws_send(t->w, WS_BINARY, p, sizeof(p));
	assert_int_equal(r, 1);
	assert_int_equal(ws_room(t->w), 0);
	assert_int_equal(ws_send(t->w, WS_BINARY, p, 1), -ERR_QUOTA);
	assert_true(ws_queued(t->w) < 400000);
}

static void note_writable(struct ws *w)
{
	((struct ws_env *)ws_arg(w))->writable++;
}

static const struct ws_events with_writable = { .message = ws_t_echo,
						.writable = note_writable,
						.closed = ws_t_closed };

static void a_full_queue_says_so_and_when_it_is_not(void **state)
{
	struct ws_env t = { .ev = &with_writable };

	ws_start(&t);
	ws_dial(&t);
	sent_until_full(&t);
	/* Pings are not answered one by one meanwhile: the last one is. */
	ws_script(&t, "P(1) P(2) P(3)");
	assert_int_equal(t.writable, 0);
	(void)ws_look(&t);
	assert_int_equal(t.writable, 1);
	assert_non_null(strstr(t.seen, "O(3)"));
	assert_null(strstr(t.seen, "O(1)"));
	assert_true(ws_send(t.w, WS_TEXT, "more", 4) >= 0);
	ws_hang_up(&t);
	ws_stop(&t);
}

/* ---- sending ---- */

static void what_may_not_be_sent_is_refused(void **state)
{
	struct ws_env t = { 0 };

	ws_start(&t);
	ws_dial(&t);
	assert_int_equal(ws_send(t.w, WS_TEXT, "\xff", 1), -ERR_INVALID);
	assert_int_equal(ws_ping(t.w, pieces, 126), -ERR_INVALID);
	assert_int_equal(ws_send_part(t.w, WS_TEXT, "one ", 4, false), 0);
	assert_int_equal(ws_send(t.w, WS_TEXT, "x", 1), -ERR_CONFLICT);
	assert_int_equal(ws_ping(t.w, "between", 7), 0);
	assert_int_equal(ws_send_part(t.w, WS_TEXT, "message", 7, true), 0);
	assert_int_equal(ws_send2(t.w, WS_BINARY, SLICE("a"), SLICE("bc")), 0);
	assert_string_equal(ws_look(&t), "t(one ) P(between) C(message) B(abc)");
	ws_hang_up(&t);
	ws_stop(&t);
}

/* ---- the end ---- */

static void our_close_waits_for_theirs(void **state)
{
	struct ws_env t = { 0 };

	ws_start(&t);
	ws_dial(&t);
	ws_close(t.w, 4000, "enough");
	assert_int_equal(ws_send(t.w, WS_TEXT, "x", 1), -ERR_UNAVAILABLE);
	assert_string_equal(ws_look(&t), "X(4000)");
	assert_false(t.eof);
	assert_int_equal(t.closed, 0);
	ws_script(&t, "T(late) X(4000)");
	assert_string_equal(ws_look(&t), "X(4000)");
	assert_true(t.eof);
	assert_int_equal(t.code, 4000);
	assert_int_equal(t.why, ERR_NONE);
	ws_hang_up(&t);
	ws_stop(&t);
}

static void a_peer_that_just_leaves_is_told_apart(void **state)
{
	struct ws_env t = { 0 };

	ws_start(&t);
	ws_dial(&t);
	ws_script(&t, "t(half)");
	ws_hang_up(&t);
	assert_int_equal(t.code, 1006);
	assert_int_equal(t.why, ERR_UNAVAILABLE);
	ws_stop(&t);
}

static void a_peer_that_does_not_close_is_cut_off_in_time(void **state)
{
	struct ws_env t = { .conf = { .close_time = NS_PER_MS } };

	ws_start(&t);
	ws_dial(&t);
	ws_close(t.w, 1001, NULL);
	for (int i = 0; i < 1000 && !t.closed; i++)
		(void)loop_step(t.e.loop, 10 * NS_PER_MS, NULL);
	assert_int_equal(t.closed, 1);
	assert_int_equal(t.why, ERR_TIMEOUT);
	assert_int_equal(t.code, 1006);
	ws_hang_up(&t);
	ws_stop(&t);
}

static void a_silent_peer_is_pinged_and_then_cut_off(void **state)
{
	struct ws_env t = { .conf = { .ping_time = NS_PER_MS, .pong_time = 30 * NS_PER_SEC } };

	ws_start(&t);
	ws_dial(&t);
	for (int i = 0; i < 1000 && !strstr(ws_look(&t), "P()"); i++)
		(void)loop_step(t.e.loop, 10 * NS_PER_MS, NULL);
	assert_has(t.seen, "P()");
	ws_script(&t, "O()");
	t.seen[0] = '\0';
	for (int i = 0; i < 1000 && !strstr(ws_look(&t), "P()"); i++)
		(void)loop_step(t.e.loop, 10 * NS_PER_MS, NULL);
	assert_has(t.seen, "P()");
	assert_int_equal(t.closed, 0);
	ws_hang_up(&t);
	t.conf.pong_time = NS_PER_MS;
	ws_dial(&t);
	for (int i = 0; i < 1000 && !t.closed; i++)
		(void)loop_step(t.e.loop, 10 * NS_PER_MS, NULL);
	assert_int_equal(t.why, ERR_TIMEOUT);
	assert_has(t.why_text, "did not answer a ping");
	ws_hang_up(&t);
	ws_stop(&t);
}

static void a_referenced_one_outlives_its_connection_and_is_inert(void **state)
{
	struct ws_env t = { 0 };
	struct ws *w;

	ws_start(&t);
	ws_dial(&t);
	w = ws_ref(t.w);
	ws_abort(w);
	assert_int_equal(t.closed, 1);
	assert_null(ws_stream(w));
	assert_true(ws_is_closed(w));
	assert_int_equal(ws_send(w, WS_TEXT, "x", 1), -ERR_UNAVAILABLE);
	assert_int_equal(ws_ping(w, "", 0), -ERR_UNAVAILABLE);
	assert_int_equal(ws_room(w), 0);
	ws_close(w, 1000, NULL);
	ws_abort(w);
	ws_read(w, 5);
	ws_unref(w);
	ws_spin(&t);
	ws_hang_up(&t);
	ws_stop(&t);
}

static void close_on_message(struct ws *w, enum ws_type type, struct slice bytes)
{
	if (slice_is(bytes, "abort"))
		ws_abort(w);
	else
		ws_close(w, 1000, NULL);
}

static const struct ws_events closers = { .message = close_on_message, .closed = ws_t_closed };

static void an_owner_may_close_or_abort_inside_a_callback(void **state)
{
	struct ws_env t = { .ev = &closers };

	ws_start(&t);
	ws_dial(&t);
	ws_script(&t, "T(abort) T(more)");
	assert_int_equal(t.closed, 1);
	ws_hang_up(&t);
	ws_dial(&t);
	ws_script(&t, "T(close) T(more) X(1000)");
	assert_string_equal(ws_look(&t), "X(1000)");
	ws_hang_up(&t);
	ws_stop(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_example_of_the_rfc_is_answered),
		cmocka_unit_test(what_is_no_handshake_is_refused_with_its_status),
		cmocka_unit_test(the_first_protocol_of_the_client_that_is_ours_is_chosen),
		cmocka_unit_test(an_origin_that_is_not_wanted_is_refused),
		cmocka_unit_test(extensions_are_not_answered),
		cmocka_unit_test(limits_close_with_1009),
		cmocka_unit_test(masks_and_lengths_are_checked),
		cmocka_unit_test(parts_come_with_credit_only),
		cmocka_unit_test(without_credit_the_socket_fills),
		cmocka_unit_test(a_full_queue_says_so_and_when_it_is_not),
		cmocka_unit_test(what_may_not_be_sent_is_refused),
		cmocka_unit_test(our_close_waits_for_theirs),
		cmocka_unit_test(a_peer_that_just_leaves_is_told_apart),
		cmocka_unit_test(a_peer_that_does_not_close_is_cut_off_in_time),
		cmocka_unit_test(a_silent_peer_is_pinged_and_then_cut_off),
		cmocka_unit_test(a_referenced_one_outlives_its_connection_and_is_inert),
		cmocka_unit_test(an_owner_may_close_or_abort_inside_a_callback),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
