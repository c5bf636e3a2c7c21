/* SPDX-License-Identifier: Apache-2.0 */
/* The parser's rules, each with what it accepts and what it refuses. */
#include "io-test.h"

#include "io/http1.h"

static const struct h1_limits limits = { .head_max = 8192, .line_max = 1024, .headers_max = 16 };

struct refusal {
	const char *head;
	int status;
	const char *part;
};

/* Parses text as a request; 0 or the status of the refusal. */
static int parse(struct arena *a, const char *text, size_t n, struct h1_head *m, struct err *err)
{
	size_t scan = 0;
	int status = 0;
	ssize_t end = h1_head_end(slice_of(text, n), &scan, &limits, &status, err);

	if (end < 0)
		return status;
	if (end == 0)
		return -1;
	return h1_parse_request(a, slice_of(text, (size_t)end), &limits, m, err, &status) < 0
		       ? status
		       : 0;
}

static void refuses_what_is_ambiguous(void **state)
{
	static const struct refusal rows[] = {
		{ "GET / HTTP/1.1\r\n\r\n", 400, "no Host" },
		{ "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "more than one Host" },
		{ "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400, "Host" },
		{ "GET / HTTP/1.1\r\nHost: a\n\r\n", 400, "without CR" },
		{ "GET / HTTP/1.1\nHost: a\r\n\r\n", 400, "without CR" },
		{ "GET / HTTP/1.1\r\nHost: a\r\n\n", 400, "without CR" },
		{ "GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n", 400, "folded" },
		{ "GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400, "name" },
		{ "GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", 400, "name" },
		{ "GET / HTTP/1.1\r\nHost: a\r\nx\r\n\r\n", 400, "colon" },
		{ "GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", 400, "control" },
		{ "GET / HTTP/1.1\r\nHost: a\r\nX: a\x01\r\n\r\n", 400, "control" },
		{ "GET / HTTP/1.1\r\nHost: a\r\nX: a\x7f\r\n\r\n", 400, "control" },
		{ "GET / HTTP/1.1\r\nHost: a\r\nX(y): a\r\n\r\n", 400, "name" },
		{ "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "version" },
		{ "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400, "version" },
		{ "GET /\r\nHost: a\r\n\r\n", 400, "METHOD" },
		{ "GET / http/1.1\r\nHost: a\r\n\r\n", 400, "version" },
		{ "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505, "HTTP/1" },
		{ "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "HTTP/1" },
		{ "G{T / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "METHOD" },
		{ "\x16\x03\x01", 400, "not HTTP" },
		{ " GET / HTTP/1.1\r\n", 400, "not HTTP" },
		{ "\r\n\r\nGET / HTTP/1.1\r\n", 400, "not HTTP" },
		{ "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", 400, "character" },
		{ "GET /a%zz HTTP/1.1\r\nHost: a\r\n\r\n", 400, "escape" },
		{ "GET /a%00 HTTP/1.1\r\nHost: a\r\n\r\n", 400, "NUL" },
		{ "GET /a% HTTP/1.1\r\nHost: a\r\n\r\n", 400, "escape" },
		{ "GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400, "target" },
		{ "GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400, "OPTIONS" },
		{ "GET http:/// HTTP/1.1\r\nHost: a\r\n\r\n", 400, "no host" },
		{ "GET http://u@h/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, "user" },
		{ "CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n", 400, "host:port" },
		{ "CONNECT a:0 HTTP/1.1\r\nHost: a\r\n\r\n", 400, "host:port" },
		{ "CONNECT http://a:1/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, "host:port" },
		{ "CONNECT /x HTTP/1.1\r\nHost: a\r\n\r\n", 400, "host:port" },
		{ "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
		  400, "more than one" },
		{ "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
		  400, "more than one" },
		{ "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n", 400,
		  "not a number" },
		{ "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n", 400, "not a number" },
		{ "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400, "not a number" },
		{ "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x1\r\n\r\n", 400,
		  "not a number" },
		{ "POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", 400, "Content-Length" },
		{ "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999999999999999\r\n\r\n", 400,
		  "too large" },
		{ "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: "
		  "chunked\r\n\r\n",
		  400, "both" },
		{ "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: "
		  "chunked\r\n\r\n",
		  400, "more than one" },
		{ "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501,
		  "chunked" },
		{ "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n", 501,
		  "chunked" },
		{ "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0b"
		  "chunked\r\n\r\n",
		  400, "control" },
		{ "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "HTTP/1.0" },
		{ "POST / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\nContent-Length: 1\r\n\r\n", 417,
		  "100-continue" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(arena_free) struct arena *a = arena_new("test", 65536);
		struct h1_head m = { 0 };
		struct err err = ERR_INIT;
		int status = parse(a, rows[i].head, strlen(rows[i].head), &m, &err);

		if (status != rows[i].status)
			fail_msg("row %zu (%s): %d, not %d", i, rows[i].head, status,
				 rows[i].status);
		assert_has(err.msg, rows[i].part);
	}
}

static void refuses_a_nul_byte_anywhere(void **state)
{
	const char text[] = "GET /abc HTTP/1.1\r\nHost: a\r\nX: yz\r\n\r\n";

	for (size_t i = 0; i < sizeof(text) - 1; i++) {
		CLEANUP(arena_free) struct arena *a = arena_new("test", 65536);
		struct h1_head m = { 0 };
		struct err err = ERR_INIT;
		char copy[sizeof(text)];

		memcpy(copy, text, sizeof(text));
		copy[i] = '\0';
		assert_int_not_equal(parse(a, copy, sizeof(text) - 1, &m, &err), 0);
	}
}

static void limits_hold(void **state)
{
	CLEANUP(arena_free) struct arena *a = arena_new("test", 1 << 20);
	CLEANUP(buf_fini) struct buf b = BUF_INIT(65536);
	struct h1_head m = { 0 };
	struct err err = ERR_INIT;

	buf_adds(&b, "GET /");
	while (b.n < 1100)
		buf_addc(&b, 'a');
	assert_int_equal(parse(a, b.p, b.n, &m, &err), 414);
	assert_has(err.msg, "too long");
	buf_clear(&b);
	buf_adds(&b, "GET / HTTP/1.1\r\nHost: a\r\nX: ");
	while (b.n < 9000)
		buf_addc(&b, 'a');
	assert_int_equal(parse(a, b.p, b.n, &m, &err), 431);
	assert_has(err.msg, "too large");
	buf_clear(&b);
	buf_adds(&b, "GET / HTTP/1.1\r\nHost: a\r\n");
	for (int i = 0; i < 15; i++)
		buf_adds(&b, "X: y\r\n");
	buf_adds(&b, "\r\n");
	assert_int_equal(parse(a, b.p, b.n, &m, &err), 0);
	b.n -= 2;
	buf_adds(&b, "X: y\r\n\r\n");
	assert_int_equal(parse(a, b.p, b.n, &m, &err), 431);
	assert_has(err.msg, "more than");
}

static void reads_a_good_request(void **state)
{
	CLEANUP(arena_free) struct arena *a = arena_new("test", 65536);
	const char *text = "\r\nPOST /a%2Fb/c%20d?x=%31&y HTTP/1.1\r\nhOst: h:1\r\nConnection: "
			   "foo, Upgrade\r\nUpgrade: tcp\r\n"
			   "X-Empty:\r\nX-Wide:  \t v w \t\r\nContent-Length: 007\r\nExpect: "
			   "100-Continue\r\n\r\n";
	struct h1_head m = { 0 };
	struct err err = ERR_INIT;

	assert_int_equal(parse(a, text, strlen(text), &m, &err), 0);
	assert_string_equal(m.rq.method, "POST");
	assert_string_equal(m.rq.path, "/a/b/c d");
	assert_true(slice_is(m.rq.raw_path, "/a%2Fb/c%20d"));
	assert_true(slice_is(m.rq.query, "x=%31&y"));
	assert_true(slice_is(m.rq.host, "h:1"));
	assert_true(slice_is(m.rq.upgrade, "tcp"));
	assert_int_equal(m.headers_n, 7);
	assert_int_equal(m.headers[3].value.n, 0);
	assert_true(slice_is(m.headers[4].value, "v w"));
	assert_int_equal(m.length, 7);
	assert_int_equal(m.body, H1_LENGTH);
	assert_true(m.keep_alive && m.expect_continue && m.rq.has_body);
}

static void reads_the_other_forms_of_target_and_version(void **state)
{
	CLEANUP(arena_free) struct arena *a = arena_new("test", 65536);
	const char *absolute = "GET http://h:80?q HTTP/1.1\r\nHost: other\r\n\r\n";
	const char *asterisk = "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n";
	const char *old = "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
	const char *later = "GET / HTTP/1.7\r\nHost: h\r\nConnection: close\r\n\r\n";
	struct h1_head m = { 0 };
	struct err err = ERR_INIT;

	assert_int_equal(parse(a, absolute, strlen(absolute), &m, &err), 0);
	assert_true(slice_is(m.rq.host, "h:80"));
	assert_string_equal(m.rq.path, "/");
	assert_true(slice_is(m.rq.query, "q"));
	assert_int_equal(parse(a, asterisk, strlen(asterisk), &m, &err), 0);
	assert_string_equal(m.rq.path, "*");
	assert_int_equal(parse(a, old, strlen(old), &m, &err), 0);
	assert_true(m.keep_alive && m.minor == 0);
	assert_int_equal(parse(a, later, strlen(later), &m, &err), 0);
	assert_true(!m.keep_alive && m.minor == 1);
}

static int parse_answer(struct arena *a, const char *text, const char *method, struct h1_head *m,
			struct err *err)
{
	return h1_parse_response(a, slice_str(text), &limits, method, m, err);
}

static void reads_answers(void **state)
{
	CLEANUP(arena_free) struct arena *a = arena_new("test", 65536);
	struct h1_head m = { 0 };
	struct err err = ERR_INIT;

	assert_int_equal(
		parse_answer(a, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", "GET", &m, &err),
		0);
	assert_true(m.status == 200 && m.body == H1_LENGTH && m.length == 3 && m.keep_alive);
	assert_int_equal(
		parse_answer(a, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", "HEAD", &m, &err),
		0);
	assert_int_equal(m.body, H1_NO_BODY);
	assert_int_equal(
		parse_answer(a, "HTTP/1.1 304\r\nContent-Length: 3\r\n\r\n", "GET", &m, &err), 0);
	assert_int_equal(m.body, H1_NO_BODY);
	assert_int_equal(parse_answer(a, "HTTP/1.0 200 \r\n\r\n", "GET", &m, &err), 0);
	assert_true(m.body == H1_UNTIL_CLOSE && !m.keep_alive);
	assert_int_equal(parse_answer(a, "HTTP/1.1 101 UPGRADED\r\n\r\n", "GET", &m, &err), 0);
	assert_int_equal(m.body, H1_NO_BODY);
}

static void refuses_bad_answers(void **state)
{
	static const struct refusal rows[] = {
		{ "HTTP/2 200\r\n\r\n", 0, "status line" },
		{ "HTTP/1.1 20\r\n\r\n", 0, "status line" },
		{ "HTTP/1.1 2x0 OK\r\n\r\n", 0, "not a number" },
		{ "HTTP/1.1 099 OK\r\n\r\n", 0, "not one of HTTP" },
		{ "HTTP/1.1 2000 OK\r\n\r\n", 0, "status line" },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 0,
		  "both" },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 0,
		  "more than one" },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", 0, "chunked" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(arena_free) struct arena *a = arena_new("test", 65536);
		struct h1_head m = { 0 };
		struct err err = ERR_INIT;

		assert_true(parse_answer(a, rows[i].head, "GET", &m, &err) < 0);
		assert_has(err.msg, rows[i].part);
	}
}

/* Decodes in pieces of `step` bytes. Returns bytes used or negative; payload in out. */
static ssize_t decode(const char *text, size_t step, struct buf *out, struct h1_body *b,
		      struct err *err)
{
	size_t n = strlen(text), at = 0, have = 0;

	while (!b->done) {
		struct slice data;
		ssize_t used = h1_body_step(b, slice_of(text + at, have - at), 3, &data, err);

		if (used < 0)
			return used;
		buf_add(out, data.p ? data.p : "", data.n);
		at += (size_t)used;
		if (used == 0) {
			if (have == n)
				return -1000;
			have = MIN(n, have + step);
		}
	}
	return (ssize_t)at;
}

static void decodes_chunks_in_any_split(void **state)
{
	const char *text =
		"5\r\nhello\r\nA;x=\"y\"\r\n, my world\r\n0000\r\nT: 1\r\nU: 2\r\n\r\nNEXT";

	for (size_t step = 1; step < 60; step++) {
		CLEANUP(buf_fini) struct buf out = BUF_INIT(1000);
		struct err err = ERR_INIT;
		struct h1_body b;

		h1_body_init(&b, H1_CHUNKED, 0);
		assert_int_equal(decode(text, step, &out, &b, &err), (ssize_t)strlen(text) - 4);
		assert_string_equal(buf_str(&out), "hello, my world");
		assert_true(slice_is(buf_slice(&b.trailer), "T: 1\r\nU: 2\r\n"));
		h1_body_fini(&b);
	}
}

static void refuses_bad_chunks(void **state)
{
	static const struct refusal rows[] = {
		{ "x\r\n", 0, "hexadecimal" },
		{ "\r\n", 0, "missing" },
		{ ";a\r\n", 0, "missing" },
		{ "-1\r\n", 0, "hexadecimal" },
		{ "0x1\r\n", 0, "hexadecimal" },
		{ " 1\r\n", 0, "hexadecimal" },
		{ "1 \r\n", 0, "hexadecimal" },
		{ "1\n", 0, "hexadecimal" },
		{ "1\rx", 0, "without LF" },
		{ "1;a\nb\r\n", 0, "control" },
		{ "FFFFFFFFFFFFFFFF\r\n", 0, "too large" },
		{ "00000000000000001\r\n", 0, "too large" },
		{ "1\r\nab\r\n", 0, "longer" },
		{ "1\r\na\rb", 0, "longer" },
		{ "1\r\na\n", 0, "longer" },
		{ "0\r\nT: 1\n\r\n", 0, "without CR" },
		{ "0\r\nT\rx: 1\r\n\r\n", 0, "bare CR" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(buf_fini) struct buf out = BUF_INIT(1000);
		struct err err = ERR_INIT;
		struct h1_body b;

		h1_body_init(&b, H1_CHUNKED, 0);
		assert_int_equal(decode(rows[i].head, 1 + i % 3, &out, &b, &err), -ERR_BAD_REQUEST);
		assert_has(err.msg, rows[i].part);
		h1_body_fini(&b);
	}
}

static void limits_of_extensions_and_trailers_hold(void **state)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT(1 << 20), out = BUF_INIT(1000);
	struct err err = ERR_INIT;
	struct h1_body b;

	h1_body_init(&b, H1_CHUNKED, 0);
	buf_adds(&text, "1;");
	for (int i = 0; i < 300; i++)
		buf_addc(&text, 'e');
	assert_int_equal(decode(buf_str(&text), 1000, &out, &b, &err), -ERR_BAD_REQUEST);
	assert_has(err.msg, "too long");
	h1_body_fini(&b);
	buf_clear(&text);
	for (int i = 0; i < 200; i++) {
		buf_adds(&text, "1;");
		for (int k = 0; k < 100; k++)
			buf_addc(&text, 'e');
		buf_adds(&text, "\r\na\r\n");
	}
	h1_body_init(&b, H1_CHUNKED, 0);
	assert_int_equal(decode(buf_str(&text), 1000, &out, &b, &err), -ERR_BAD_REQUEST);
	assert_has(err.msg, "too many chunk extensions");
	h1_body_fini(&b);
	buf_clear(&text);
	buf_adds(&text, "0\r\n");
	for (int i = 0; i < 1000; i++)
		buf_adds(&text, "Trailer: 1\r\n");
	h1_body_init(&b, H1_CHUNKED, 0);
	assert_int_equal(decode(buf_str(&text), 1000, &out, &b, &err), -ERR_BAD_REQUEST);
	assert_has(err.msg, "trailers are too large");
	h1_body_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_what_is_ambiguous),
		cmocka_unit_test(refuses_a_nul_byte_anywhere),
		cmocka_unit_test(limits_hold),
		cmocka_unit_test(reads_a_good_request),
		cmocka_unit_test(reads_the_other_forms_of_target_and_version),
		cmocka_unit_test(reads_answers),
		cmocka_unit_test(refuses_bad_answers),
		cmocka_unit_test(decodes_chunks_in_any_split),
		cmocka_unit_test(refuses_bad_chunks),
		cmocka_unit_test(limits_of_extensions_and_trailers_hold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
