/* SPDX-License-Identifier: Apache-2.0 */
/* SPDY sessions: what kubectl sent (recorded from kubectl 1.32 by ourselves), and a raw peer's
 * right and wrong frames. */
#include "spdy-test.h"

/* ---- kubectl ---- */

/* kubectl exec -i p -- cat, with "hello" on its stdin */
static const char kubectl_exec[] = "80030001000000290000000100000000000078f9e3c6a7c26260606004a7b39"
				   "2a2d4c45c6851c29a0a0a68000000"
				   "00ffff800300010000001700000003000000000000c22e555c9292990700000"
				   "0ffff80030001000000190000000500"
				   "0000000000c22ac5565c92925f5a02000000ffff80030001000000150000000"
				   "7000000000000c229975a5404000000"
				   "ffff000000030000000668656c6c6f0a0000000301000000";
/* kubectl port-forward p :80, "ping" sent by one connection, then interrupted */
static const char kubectl_forward[] = "800300010000003d0000000100000000000078f9e3c6a7c202253a48f95b"
				      "044aab4c16060c0c0c9c4590d8ca04a562"
				      "4603703a2c294a4dcc851635aca9a08800000000ffff0000000101000000"
				      "8003000100000016000000030000000000"
				      "00224b2ba8944a04000000ffff000000030000000570696e670a00000003"
				      "0100000080030007000000080000000000"
				      "000000";

static void the_streams_of_kubectl_exec_open_and_carry(void **state)
{
	struct spdy_env t = { 0 };

	start(&t);
	raw_hex(&t, kubectl_exec);
	assert_string_equal(look(&t), "R1 R3 R5 R7 D3(hello\n) F3 ");
	assert_string_equal(t.log, "[error] [stdin] [stdout] [stderr] hello\n end closed ");
	assert_int_equal(spdy_streams(t.p), 3);
	stop(&t);
}

static void the_same_byte_by_byte(void **state)
{
	struct spdy_env t = { 0 };
	char b[1024];

	start(&t);
	assert_int_equal(hex_decode(b, slice_str(kubectl_exec)), 0);
	for (size_t i = 0; i < strlen(kubectl_exec) / 2; i++)
		raw(&t, b + i, 1);
	assert_string_equal(look(&t), "R1 R3 R5 R7 D3(h) D3(e) D3(l) D3(l) D3(o) D3(\n) F3 ");
	assert_has(t.log, "[error] [stdin] [stdout] [stderr] h e l l o \n end closed ");
	stop(&t);
}

static void kubectl_port_forward_goes_away_in_good_order(void **state)
{
	struct spdy_env t = { 0 };

	start(&t);
	raw_hex(&t, kubectl_forward);
	assert_string_equal(look(&t), "R1 F1 R3 D3(ping\n) F3 ");
	assert_has(t.log, "[error:80] end");
	assert_has(t.log, "[data:80] ping");
	assert_int_equal(t.goaway, 1);
	assert_true(t.eof); /* nothing is left to do */
	close(t.fd);
	spin(&t);
	assert_int_equal(t.closed, 1);
	assert_int_equal(t.why, ERR_NONE);
	t.fd = -1;
	stop(&t);
}

/* ---- frames, right and wrong ---- */

static void pings_come_back(void **state)
{
	struct spdy_env t = { 0 };

	start(&t);
	frame(&t, SPDY_PING, 0, "\0\0\0\x07", 4);
	frame(&t, SPDY_PING, 0, "\0\0\0\x02", 4); /* as if it answered one of ours: nothing */
	assert_string_equal(look(&t), "PING7 ");
	stop(&t);
}

static void a_refused_stream_and_one_too_many_are_reset(void **state)
{
	struct spdy_env t = { .refuse = true, .conf = { .streams_max = 1 } };

	start(&t);
	syn(&t, 1, "a", 0);
	assert_string_equal(look(&t), "R1 RST1(3) ");
	t.refuse = false;
	syn(&t, 3, "b", 0);
	syn(&t, 5, "c", 0);
	assert_string_equal(look(&t), "R1 RST1(3) R3 RST5(3) ");
	data(&t, 3, "still", 0);
	assert_has(look(&t), "D3(still)");
	stop(&t);
}

static void a_reset_of_the_peer_closes_the_stream(void **state)
{
	struct spdy_env t = { 0 };

	start(&t);
	syn(&t, 1, "a", 0);
	frame2(&t, SPDY_RST_STREAM, 1, SPDY_CANCEL);
	data(&t, 1, "late", 0);	 /* no word about it */
	data(&t, 9, "never", 0); /* that never was */
	frame2(&t, SPDY_RST_STREAM, 77, SPDY_CANCEL);
	assert_string_equal(look(&t), "R1 RST9(2) ");
	assert_string_equal(t.log, "[a] broken ");
	assert_int_equal(stream_write(t.last, "x", 1), -ERR_UNAVAILABLE);
	stop(&t);
}

static void our_reset_and_finish(void **state)
{
	struct spdy_env t = { 0 };

	start(&t);
	syn(&t, 1, "a", 0);
	stream_reset(t.last, NULL);
	syn(&t, 3, "b", 0);
	(void)stream_write(t.last, "bye", 3);
	(void)stream_finish(t.last);
	assert_string_equal(look(&t), "R1 RST1(5) R3 D3(bye) F3 RST3(5) ");
	assert_int_equal(spdy_streams(t.p), 0);
	stop(&t);
}

static void flags_of_syn_stream(void **state)
{
	struct spdy_env t = { 0 };

	start(&t);
	syn(&t, 1, "only in", SPDY_UNIDIRECTIONAL);
	data(&t, 1, "x", SPDY_FIN);
	syn(&t, 3, "only out", SPDY_FIN);
	assert_string_equal(look(&t), "R1 R3 F3 ");
	assert_string_equal(t.log, "[only in] x end closed [only out] end closed ");
	stop(&t);
}

static void more_headers_are_read_for_the_zlib_stream(void **state)
{
	const struct http_header h = { SLICE("more"), SLICE("text") };
	CLEANUP(buf_fini) struct buf b = BUF_INIT(65536);
	struct spdy_env t = { 0 };

	start(&t);
	syn(&t, 1, "a", 0);
	for (uint32_t id = 1; id <= 5; id += 4) { /* open, and unknown */
		buf_clear(&b);
		assert_int_equal(buf_add(&b, "\0\0\0\0", 4), 0);
		spdy_put_u32(b.p, id);
		assert_int_equal(spdy_headers_put(&t.zlib, &h, 1, &b, NULL), 0);
		frame(&t, SPDY_HEADERS, 0, b.p, b.n);
	}
	syn(&t, 7, "b", 0);
	assert_string_equal(t.log, "[a] [b] ");
	stop(&t);
}

static void wrong_frames_end_the_session(void **state)
{
	static const struct {
		const char *hex, *says;
	} rows[] = {
		{ "8002000100000000", "another version" },
		{ "8003000000000000", "another version" },
		{ "4854545020474554", NULL }, /* reads as data of a stream that never was */
		{ "0000000000000000", "stream 0" },
		{ "80030001000000040000000100", "wrong number" },
		{ "800300010000000a00000002000000000000", "wrong number" },
		{ "800300010000000a00000000000000000000", "wrong number" },
		{ "80030001000000100000000100000000000041414141 4141", "zlib stream" },
		{ "800300060000000500000000 00", "wrong length" },
		{ "8003000300000004 00000001", "wrong length" },
		{ "8003000400000005 0000000100", "SETTINGS" },
		{ "8003000400000004 00000001", "SETTINGS" },
		{ "8003000800000002 0000", "too short" },
		{ "80030001 00ffffff", "too large" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct spdy_env t = { 0 };
		char hex[128] = "";

		for (const char *p = rows[i].hex; *p; p++) {
			if (*p != ' ')
				strncat(hex, p, 1);
		}
		start(&t);
		raw_hex(&t, hex);
		(void)look(&t);
		if (rows[i].says) {
			assert_has(t.seen, "AWAY");
			assert_true(t.eof);
		}
		close(t.fd);
		t.fd = -1;
		spin(&t);
		if (rows[i].says)
			assert_has(t.why_text, rows[i].says);
		stop(&t);
	}
}

static void unknown_control_frames_are_skipped(void **state)
{
	struct spdy_env t = { 0 };

	start(&t);
	frame(&t, (enum spdy_type)10, 0, "whatever", 8);
	frame(&t, (enum spdy_type)999, 0, "", 0);
	frame(&t, SPDY_PING, 0, "\0\0\0\x01", 4);
	assert_string_equal(look(&t), "PING1 ");
	stop(&t);
}

static void streams_that_run_are_closed_with_the_connection(void **state)
{
	struct spdy_env t = { 0 };

	start(&t);
	syn(&t, 1, "a", 0);
	syn(&t, 3, "b", 0);
	stop(&t);
	assert_int_equal(t.stream_closed, 2);
	assert_string_equal(t.log, "[a] [b] broken broken ");
	assert_int_equal(t.why, ERR_UNAVAILABLE);
}

static void close_waits_for_what_runs(void **state)
{
	struct spdy_env t = { 0 };

	start(&t);
	syn(&t, 1, "a", 0);
	spdy_close(t.p);
	assert_string_equal(look(&t), "R1 AWAY1(0) ");
	assert_false(t.eof);
	data(&t, 1, "rest", SPDY_FIN);
	syn(&t, 3, "too late", 0);
	assert_string_equal(look(&t), "R1 AWAY1(0) D1(rest) F1 ");
	assert_true(t.eof);
	stop(&t);
	assert_int_equal(t.why, ERR_NONE);
}

/* ---- credit ---- */

static void without_credit_a_bounded_part_is_held(void **state)
{
	struct spdy_env t = { .keep_credit = true, .conf = { .hold_max = 100000 } };
	static char big[8192];
	size_t total = 0;

	memset(big, 'x', sizeof(big) - 1);
	start(&t);
	syn(&t, 1, "a", 0);
	for (int i = 0; i < 2000; i++) {
		char b[SPDY_HEAD + sizeof(big)];
		ssize_t r;

		spdy_data_put(b, 1, 0, sizeof(big));
		memcpy(b + SPDY_HEAD, big, sizeof(big));
		r = send(t.fd, b, sizeof(b), MSG_NOSIGNAL);
		spin(&t);
		if (r < 0)
			break;
		total += (size_t)r;
	}
	assert_int_equal(errno, EAGAIN);
	assert_true(total < 4u << 20);
	assert_string_equal(t.log, "[a] ");
	stream_read(t.last, 3);
	spin(&t);
	assert_has(t.log, "[a] xxx xxx xxx "); /* each piece grants the next */
	stop(&t);
}

static void windows_are_kept_and_given(void **state)
{
	struct spdy_env t = { .conf = { .windows = true }, .greedy = true };
	static char big[70001];

	memset(big, 'w', sizeof(big) - 1);
	start(&t);
	syn(&t, 1, "a", 0);
	/* Half of a window that was used up is given back, for the stream and for the session. */
	big[40000] = '\0';
	data(&t, 1, big, 0);
	(void)look(&t);
	assert_has(t.seen, "W0(");
	assert_has(t.seen, "W1(");
	big[40000] = 'w';
	/* The echo of it went out; the rest of the window is 65536 - 40000. */
	data(&t, 1, big + 40000, 0);
	t.seen[0] = '\0';
	(void)look(&t);
	assert_int_equal(stream_write(t.last, big, 60000) >= 0, 1);
	t.seen[0] = '\0';
	(void)look(&t);
	assert_string_equal(t.seen, "");
	frame2(&t, SPDY_WINDOW_UPDATE, 0, 100);
	frame2(&t, SPDY_WINDOW_UPDATE, 1, 70);
	assert_string_equal(look(&t), "D1[70] ");
	frame2(&t, SPDY_WINDOW_UPDATE, 1, INT32_MAX);
	frame2(&t, SPDY_WINDOW_UPDATE, 1, INT32_MAX);
	assert_has(look(&t), "RST1(7)");
	stop(&t);
}

static void a_window_overrun_resets_the_stream(void **state)
{
	struct spdy_env t = { .conf = { .windows = true }, .keep_credit = true };
	static char big[66001];

	memset(big, 'w', sizeof(big) - 1);
	start(&t);
	syn(&t, 1, "a", 0);
	data(&t, 1, big, 0);
	assert_has(look(&t), "RST1(7)");
	stop(&t);
}

static void a_silent_peer_is_pinged_and_cut_off(void **state)
{
	struct spdy_env t = { .conf = { .ping_time = NS_PER_MS, .pong_time = NS_PER_MS } };

	start(&t);
	for (int i = 0; i < 1000 && !t.closed; i++)
		(void)loop_step(t.e.loop, 10 * NS_PER_MS, NULL);
	assert_has(look(&t), "PING2 ");
	assert_int_equal(t.why, ERR_TIMEOUT);
	stop(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_streams_of_kubectl_exec_open_and_carry),
		cmocka_unit_test(the_same_byte_by_byte),
		cmocka_unit_test(kubectl_port_forward_goes_away_in_good_order),
		cmocka_unit_test(pings_come_back),
		cmocka_unit_test(a_refused_stream_and_one_too_many_are_reset),
		cmocka_unit_test(a_reset_of_the_peer_closes_the_stream),
		cmocka_unit_test(our_reset_and_finish),
		cmocka_unit_test(flags_of_syn_stream),
		cmocka_unit_test(more_headers_are_read_for_the_zlib_stream),
		cmocka_unit_test(wrong_frames_end_the_session),
		cmocka_unit_test(unknown_control_frames_are_skipped),
		cmocka_unit_test(streams_that_run_are_closed_with_the_connection),
		cmocka_unit_test(close_waits_for_what_runs),
		cmocka_unit_test(without_credit_a_bounded_part_is_held),
		cmocka_unit_test(windows_are_kept_and_given),
		cmocka_unit_test(a_window_overrun_resets_the_stream),
		cmocka_unit_test(a_silent_peer_is_pinged_and_cut_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
