/* SPDX-License-Identifier: Apache-2.0 */
/* Frames in one piece, in pieces of every size, and what is no frame. */
#include "base/err.h"
#include "dockerclient/dockerclient.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

struct got {
	struct buf out, err;
	int fail_at;
};

static int take(void *arg, enum docker_frame type, struct slice b, struct err *err)
{
	struct got *g = arg;

	if (g->fail_at && --g->fail_at == 0)
		return err_set(err, ERR_SYSTEM, "disk full");
	buf_add(type == DOCKER_STDERR ? &g->err : &g->out, b.p, b.n);
	return 0;
}

static void frame(struct buf *b, int type, const char *text)
{
	unsigned char h[8] = { (unsigned char)type, 0, 0, 0, 0, 0, 0, (unsigned char)strlen(text) };

	buf_add(b, h, 8);
	buf_adds(b, text);
}

static void streams_are_told_apart_whatever_the_pieces(void **state)
{
	CLEANUP(buf_fini) struct buf in = BUF_INIT(1000);

	(void)state;
	frame(&in, 1, "out one,");
	frame(&in, 2, "err one,");
	frame(&in, 1, "");
	frame(&in, 1, "out two");
	for (size_t step = 1; step <= in.n; step++) {
		struct got g = { .out = BUF_INIT(100), .err = BUF_INIT(100) };
		struct docker_demux d = { 0 };
		struct err err = ERR_INIT;

		for (size_t at = 0; at < in.n; at += step)
			assert_int_equal(
				docker_demux_feed(&d, slice_of(in.p + at, MIN(step, in.n - at)),
						  take, &g, &err),
				0);
		assert_int_equal(docker_demux_end(&d, &err), 0);
		assert_string_equal(buf_str(&g.out), "out one,out two");
		assert_string_equal(buf_str(&g.err), "err one,");
		buf_fini(&g.out);
		buf_fini(&g.err);
	}
}

static void what_is_no_frame_is_refused(void **state)
{
	static const char *const bad[] = { "\x04\0\0\0\0\0\0\1x", "\1\1\0\0\0\0\0\1x",
					   "hello world" };
	struct got g = { .out = BUF_INIT(100), .err = BUF_INIT(100) };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct docker_demux d = { 0 };
		struct err err = ERR_INIT;

		assert_int_equal(docker_demux_feed(&d, slice_of(bad[i], 9), take, &g, &err),
				 -ERR_BAD_REQUEST);
		assert_non_null(strstr(err.msg, "not in frames"));
	}
}

static void a_stream_cut_inside_a_frame_is_told(void **state)
{
	struct got g = { .out = BUF_INIT(100), .err = BUF_INIT(100) };
	struct docker_demux d = { 0 };
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(docker_demux_feed(&d, slice_of("\1\0\0\0\0\0\0\5ab", 10), take, &g, &err),
			 0);
	assert_int_equal(docker_demux_end(&d, &err), -ERR_BAD_REQUEST);
	assert_non_null(strstr(err.msg, "3 bytes are missing"));
	d = (struct docker_demux){ 0 };
	assert_int_equal(docker_demux_feed(&d, slice_of("\1\0\0", 3), take, &g, &err), 0);
	assert_int_equal(docker_demux_end(&d, &err), -ERR_BAD_REQUEST);
	assert_non_null(strstr(err.msg, "5 bytes are missing"));
	buf_fini(&g.out);
}

static void a_system_frame_ends_the_stream_with_its_text(void **state)
{
	CLEANUP(buf_fini) struct buf in = BUF_INIT(1000);
	struct got g = { .out = BUF_INIT(100), .err = BUF_INIT(100) };
	struct docker_demux d = { 0 };
	struct err err = ERR_INIT;

	(void)state;
	frame(&in, 1, "x");
	frame(&in, 3, "log file lost\n");
	frame(&in, 1, "never");
	assert_int_equal(docker_demux_feed(&d, buf_slice(&in), take, &g, &err), -ERR_SYSTEM);
	assert_string_equal(err.msg, "error from daemon in stream: log file lost");
	assert_string_equal(buf_str(&g.out), "x");
	buf_fini(&g.out);
}

static void a_failing_reader_ends_it(void **state)
{
	struct got g = { .out = BUF_INIT(100), .err = BUF_INIT(100), .fail_at = 1 };
	struct docker_demux d = { 0 };
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(docker_demux_feed(&d, slice_of("\1\0\0\0\0\0\0\1a", 9), take, &g, &err),
			 -ERR_SYSTEM);
	assert_string_equal(err.msg, "disk full");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(streams_are_told_apart_whatever_the_pieces),
		cmocka_unit_test(what_is_no_frame_is_refused),
		cmocka_unit_test(a_stream_cut_inside_a_frame_is_told),
		cmocka_unit_test(a_system_frame_ends_the_stream_with_its_text),
		cmocka_unit_test(a_failing_reader_ends_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
