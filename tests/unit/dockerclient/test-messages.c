/* SPDX-License-Identifier: Apache-2.0 */
/* Streams of JSON messages: cut anywhere, too long, broken, with errors inside. */
#include "base/err.h"
#include "doc/doc.h"
#include "dockerclient/dockerclient.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static int take(void *arg, const struct doc *msg, struct slice line, struct err *err)
{
	struct buf *b = arg;
	struct slice s = doc_slice(doc_get(msg, "status"));

	(void)err;
	assert_int_equal(line.p[0], '{');
	buf_addf(b, "[%.*s]", (int)s.n, s.p);
	return 0;
}

static int feed(struct slice text, size_t step, struct buf *got, struct err *err)
{
	struct docker_messages m = DOCKER_MESSAGES_INIT;
	int r = 0;

	for (size_t at = 0; at < text.n && r == 0; at += step)
		r = docker_messages_feed(&m, slice_of(text.p + at, MIN(step, text.n - at)), take,
					 got, err);
	docker_messages_fini(&m);
	return r;
}

static void messages_come_whole_whatever_the_pieces(void **state)
{
	static const char text[] = "{\"status\":\"a\"}\r\n\r\n{\"status\":\"b\\n\"}\n{\"id\":1}\n";

	(void)state;
	for (size_t step = 1; step < sizeof(text); step++) {
		CLEANUP(buf_fini) struct buf got = BUF_INIT(100);
		struct err err = ERR_INIT;

		assert_int_equal(feed(SLICE(text), step, &got, &err), 0);
		assert_string_equal(buf_str(&got), "[a][b\n][]");
	}
}

static void an_error_inside_ends_the_stream(void **state)
{
	CLEANUP(buf_fini) struct buf got = BUF_INIT(100);
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(feed(SLICE("{\"status\":\"a\"}\n{\"errorDetail\":{\"code\":1,\"message\":"
				    "\"no space\"},\"error\":\"x\"}\n{\"status\":\"b\"}\n"),
			      1000, &got, &err),
			 -ERR_SYSTEM);
	assert_string_equal(err.msg, "no space");
	assert_string_equal(buf_str(&got), "[a]");
	assert_int_equal(feed(SLICE("{\"error\":\"old form\"}\n"), 3, &got, &err), -ERR_SYSTEM);
	assert_string_equal(err.msg, "old form");
}

static void broken_and_endless_messages_are_refused(void **state)
{
	CLEANUP(buf_fini) struct buf got = BUF_INIT(100), big = BUF_INIT(4u << 20);
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(feed(SLICE("{\"status\":\n"), 100, &got, &err), -ERR_BAD_REQUEST);
	assert_non_null(strstr(err.msg, "message of the engine"));
	while (big.n <= DOCKER_MESSAGE_MAX)
		buf_adds(&big, "0123456789012345678901234567890123456789");
	assert_int_equal(feed(buf_slice(&big), 65536, &got, &err), -ERR_TOO_LARGE);
	assert_non_null(strstr(err.msg, "longer than 1048576"));
	buf_fini(&big);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_come_whole_whatever_the_pieces),
		cmocka_unit_test(an_error_inside_ends_the_stream),
		cmocka_unit_test(broken_and_endless_messages_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
