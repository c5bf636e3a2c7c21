/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cases of the Autobahn WebSocket test suite by their published numbers, for both parts: ours
 * as the server, then as the client. What the peer sends, and what it must get back, in the
 * notation of ws-test.h. Of 9.* the sizes up to 4 MiB and fewer messages; 12.* and 13.* are about
 * compression, which is not spoken.
 */
#include "ws-test.h"

struct row {
	const char *id, *send, *want;
};

static void run_case(struct ws_env *t, const char *id, const char *script, const char *want)
{
	ws_dial(t);
	ws_script(t, script);
	(void)ws_look(t);
	if (!t->closed && !strstr(want, "X("))
		ws_script(t, "X(1000)");
	if (strcmp(ws_look(t), want) != 0 &&
	    !(strncmp(t->seen, want, strlen(want)) == 0 &&
	      strcmp(t->seen + strlen(want), want[0] ? " X(1000)" : "X(1000)") == 0))
		fail_msg("case %s%s: got '%s', wanted '%s'", id, t->client ? " (client)" : "",
			 t->seen, want);
	ws_hang_up(t);
}

static void run_rows(const struct row *rows, size_t n, bool chopped)
{
	for (int client = 0; client < 2; client++) {
		struct ws_env t = { .client = client, .chopped = chopped };

		ws_start(&t);
		for (size_t i = 0; i < n; i++)
			run_case(&t, rows[i].id, rows[i].send, rows[i].want);
		ws_stop(&t);
	}
}
#define RUN(rows) run_rows(rows, ARRAY_LEN(rows), false)

/* ---- 1, 9, 10: sizes ---- */

/* Sends `frames` frames of one message with n bytes each and expects the echo of them all. */
static void run_size(struct ws_env *t, unsigned op, size_t n, size_t frames)
{
	CLEANUP_FREE char *p = malloc(n + 1);
	struct ws_head h;
	int size;

	assert_non_null(p);
	memset(p, '*', n);
	ws_dial(t);
	for (size_t i = 0; i < frames; i++) {
		ws_frame(t, (i ? 0 : op) | (i + 1 == frames ? WS_FIN : 0), p, n);
		ws_take(t);
	}
	for (int i = 0; i < 1000; i++) {
		size = ws_head_parse(&h, buf_str(&t->in), t->in.n);
		if (size > 0 && t->in.n == (size_t)size + h.length)
			break;
		ws_take(t);
	}
	assert_true(size > 0);
	assert_int_equal(h.length, n * frames);
	assert_int_equal(h.op, op);
	assert_true(h.fin);
	for (size_t i = 0; i < h.length; i++) {
		unsigned char c = (unsigned char)t->in.p[(size_t)size + i];

		if ((h.masked ? c ^ h.key[i & 3] : c) != '*')
			fail_msg("byte %zu of the echo differs", i);
	}
	buf_clear(&t->in);
	ws_script(t, "X(1000)");
	assert_string_equal(ws_look(t), "X(1000)");
	ws_hang_up(t);
}

static void sizes(bool chopped, const size_t *list, size_t n, size_t frames)
{
	for (int client = 0; client < 2; client++) {
		struct ws_env t = { .client = client,
				    .chopped = chopped,
				    .conf = { .message_max = 16u << 20 } };

		t.e.conf.queue_mark = 32u << 20;
		ws_start(&t);
		for (size_t i = 0; i < n; i++) {
			run_size(&t, WS_OP_TEXT, list[i] / frames, frames);
			run_size(&t, WS_OP_BINARY, list[i] / frames, frames);
		}
		ws_stop(&t);
	}
}

static void case_1_sizes(void **state)
{
	static const size_t list[] = { 0, 125, 126, 127, 128, 65535, 65536 };
	static const size_t small[] = { 0, 125, 126, 300 };

	sizes(false, list, ARRAY_LEN(list), 1);
	sizes(true, small, ARRAY_LEN(small), 1);
}

static void case_9_large(void **state)
{
	static const size_t list[] = { 64u << 10, 256u << 10, 1u << 20, 4u << 20 };
	static const size_t one[] = { 1u << 20 };

	sizes(false, list, ARRAY_LEN(list), 1);
	sizes(false, one, 1, 4);
	sizes(false, one, 1, 64);
	sizes(false, one, 1, 1024);
}

static void case_9_7_many_small(void **state)
{
	static const size_t list[] = { 0, 16, 64, 256, 1024, 4096 };
	struct ws_env t = { 0 };
	char p[4096];

	memset(p, 'm', sizeof(p));
	ws_start(&t);
	for (size_t i = 0; i < ARRAY_LEN(list); i++) {
		size_t got = 0;

		ws_dial(&t);
		for (int k = 0; k < 200; k++) {
			ws_frame(&t, WS_FIN | WS_OP_BINARY, p, list[i]);
			(void)ws_look(&t);
			got += t.seen[0] == 'B';
			t.seen[0] = '\0';
		}
		assert_int_equal(got, 200);
		ws_hang_up(&t);
	}
	ws_stop(&t);
}

static void case_10_fragments(void **state)
{
	static const size_t list[] = { 65520 };

	sizes(false, list, 1, 52); /* about 1,300 each */
}

/* ---- 2: pings ---- */

static const struct row pings[] = {
	{ "2.1", "P()", "O()" },
	{ "2.2", "P(Hello, world!)", "O(Hello, world!)" },
	{ "2.3", "P<00 ff fe fd fc fb 00 ff>", "O()" }, /* begins with NUL: shown empty */
	{ "2.6", "P(dribbled)", "O(dribbled)" },
	{ "2.7", "O()", "" },
	{ "2.8", "O(unsolicited pong payload)", "" },
	{ "2.9", "O(unsolicited pong payload) P(ping payload)", "O(ping payload)" },
	{ "2.10", "P(0) P(1) P(2) P(3) P(4) P(5) P(6) P(7) P(8) P(9)",
	  "O(0) O(1) O(2) O(3) O(4) O(5) O(6) O(7) O(8) O(9)" },
};

static void case_2_pings(void **state)
{
	RUN(pings);
	run_rows(pings, ARRAY_LEN(pings), true);
}

static void case_2_4_and_2_5_ping_of_125_and_126(void **state)
{
	struct ws_env t = { 0 };
	char p[126];

	memset(p, 'p', sizeof(p));
	ws_start(&t);
	ws_dial(&t);
	ws_frame(&t, WS_FIN | WS_OP_PING, p, 125);
	assert_int_equal(strlen(ws_look(&t)), 125 + 3);
	ws_hang_up(&t);
	ws_dial(&t);
	ws_frame(&t, WS_FIN | WS_OP_PING, p, 126);
	assert_string_equal(ws_look(&t), "X(1002)");
	ws_hang_up(&t);
	ws_stop(&t);
}

/* ---- 3, 4: reserved bits and opcodes ---- */

static const struct row reserved[] = {
	{ "3.1", "1:T(Hello, world!)", "X(1002)" },
	{ "3.2", "T(Hello, world!) 2:T(Hello, world!) P()", "T(Hello, world!) X(1002)" },
	{ "3.3", "T(Hello, world!) 3:T(Hello, world!) P()", "T(Hello, world!) X(1002)" },
	{ "3.4", "T(Hello, world!) 4:T(Hello, world!) P()", "T(Hello, world!) X(1002)" },
	{ "3.5", "5:B<00 ff>", "X(1002)" },
	{ "3.6", "6:P(Hello, world!)", "X(1002)" },
	{ "3.7", "7:X(1000)", "X(1002)" },
	{ "4.1.1", "#3()", "X(1002)" },
	{ "4.1.2", "#4(reserved opcode payload)", "X(1002)" },
	{ "4.1.3", "T(Hello, world!) #5() P()", "T(Hello, world!) X(1002)" },
	{ "4.1.4", "T(Hello, world!) #6(reserved) P()", "T(Hello, world!) X(1002)" },
	{ "4.1.5", "T(Hello, world!) #7(reserved) P()", "T(Hello, world!) X(1002)" },
	{ "4.2.1", "#11()", "X(1002)" },
	{ "4.2.2", "#12(reserved opcode payload)", "X(1002)" },
	{ "4.2.3", "T(Hello, world!) #13() P()", "T(Hello, world!) X(1002)" },
	{ "4.2.4", "T(Hello, world!) #14(reserved) P()", "T(Hello, world!) X(1002)" },
	{ "4.2.5", "T(Hello, world!) #15(reserved) P()", "T(Hello, world!) X(1002)" },
};

static void case_3_4_reserved(void **state)
{
	RUN(reserved);
	run_rows(reserved, ARRAY_LEN(reserved), true);
}

/* ---- 5: fragmentation ---- */

static const struct row fragments[] = {
	{ "5.1", "p(fragment1) C(fragment2)", "X(1002)" },
	{ "5.2", "#10(first) C(fragment2)", "X(1002)" }, /* pong, then a stray continuation */
	{ "5.3", "t(fragment1) C(fragment2)", "T(fragment1fragment2)" },
	{ "5.6", "t(fragment1) P(ping payload) C(fragment2)",
	  "O(ping payload) T(fragment1fragment2)" },
	{ "5.9", "c(non-continuation payload) T(Hello, world!)", "X(1002)" },
	{ "5.10", "C(non-continuation payload) T(Hello, world!)", "X(1002)" },
	{ "5.12", "c(non-continuation) T(Hello, world!)", "X(1002)" },
	{ "5.15", "t(fragment1) C(fragment2) c(fragment3) T(fragment4)",
	  "T(fragment1fragment2) X(1002)" },
	{ "5.16", "c(fragment1) t(fragment2) C(fragment3)", "X(1002)" },
	{ "5.17", "C(fragment1) t(fragment2) C(fragment3)", "X(1002)" },
	{ "5.18", "t(fragment1) T(fragment2)", "X(1002)" },
	{ "5.19",
	  "t(fragment1) c(fragment2) P(pongme 1!) c(fragment3) c(fragment4) P(pongme 2!) "
	  "C(fragment5)",
	  "O(pongme 1!) O(pongme 2!) T(fragment1fragment2fragment3fragment4fragment5)" },
};

static void case_5_fragments(void **state)
{
	RUN(fragments); /* 5.3, 5.6, 5.9, 5.19 */
	run_rows(fragments, ARRAY_LEN(fragments),
		 true); /* 5.4, 5.5, 5.7, 5.8, 5.11 to 5.14, 5.20 */
}

/* ---- 6: UTF-8 ---- */

struct utf8 {
	const char *id, *hex;
	bool ok;
};

static const struct utf8 texts[] = {
	{ "6.2",
	  "48 65 6c 6c 6f 2d c2 b5 40 c3 9f c3 b6 c3 a4 c3 bc c3 a0 c3 a1 2d 55 54 46 2d 38 21 21",
	  true },
	{ "6.3", "ce ba e1 bd b9 cf 83 ce bc ce b5 ed a0 80 65 64 69 74 65 64", false },
	{ "6.5.1", "68 65 6c 6c 6f 24 77 6f 72 6c 64", true },
	{ "6.5.2", "68 65 6c 6c 6f c2 a2 77 6f 72 6c 64", true },
	{ "6.5.3", "68 65 6c 6c 6f e2 82 ac 77 6f 72 6c 64", true },
	{ "6.5.4", "68 65 6c 6c 6f f0 a4 ad a2 77 6f 72 6c 64", true },
	{ "6.5.5", "ce ba e1 bd b9 cf 83 ce bc ce b5", true },
	{ "6.6.1", "ce", false },
	{ "6.6.2", "ce ba", true },
	{ "6.6.3", "ce ba e1", false },
	{ "6.6.4", "ce ba e1 bd", false },
	{ "6.6.5", "ce ba e1 bd b9", true },
	{ "6.6.6", "ce ba e1 bd b9 cf", false },
	{ "6.6.7", "ce ba e1 bd b9 cf 83", true },
	{ "6.6.8", "ce ba e1 bd b9 cf 83 ce", false },
	{ "6.6.9", "ce ba e1 bd b9 cf 83 ce bc", true },
	{ "6.6.10", "ce ba e1 bd b9 cf 83 ce bc ce", false },
	{ "6.6.11", "ce ba e1 bd b9 cf 83 ce bc ce b5", true },
	{ "6.7.1", "00", true },
	{ "6.7.2", "c2 80", true },
	{ "6.7.3", "e0 a0 80", true },
	{ "6.7.4", "f0 90 80 80", true },
	{ "6.8.1", "f8 88 80 80 80", false },
	{ "6.8.2", "fc 84 80 80 80 80", false },
	{ "6.9.1", "7f", true },
	{ "6.9.2", "df bf", true },
	{ "6.9.3", "ef bf bf", true },
	{ "6.9.4", "f4 8f bf bf", true },
	{ "6.10.1", "f7 bf bf bf", false },
	{ "6.10.2", "fb bf bf bf bf", false },
	{ "6.10.3", "fd bf bf bf bf bf", false },
	{ "6.11.1", "ed 9f bf", true },
	{ "6.11.2", "ee 80 80", true },
	{ "6.11.3", "ef bf bd", true },
	{ "6.11.4", "f4 8f bf bf", true },
	{ "6.11.5", "f4 90 80 80", false },
	{ "6.12.1", "80", false },
	{ "6.12.2", "bf", false },
	{ "6.12.3", "80 bf", false },
	{ "6.12.4", "80 bf 80", false },
	{ "6.12.5", "80 bf 80 bf", false },
	{ "6.12.6", "80 bf 80 bf 80", false },
	{ "6.12.7", "80 bf 80 bf 80 bf", false },
	{ "6.12.8", "80 81 82 83 84 85 86 87 88 89 8a 8b 8c 8d 8e 8f 90 a0 b0 be", false },
	{ "6.13.1", "c0 20 c1 20 c2 20", false },
	{ "6.13.2", "e0 20 e1 20 e2 20", false },
	{ "6.13.3", "f0 20 f1 20 f2 20", false },
	{ "6.13.4", "f8 20 f9 20 fa 20", false },
	{ "6.13.5", "fc 20", false },
	{ "6.14.1", "c0", false },
	{ "6.14.2", "e0 80", false },
	{ "6.14.3", "f0 80 80", false },
	{ "6.14.4", "f8 80 80 80", false },
	{ "6.14.5", "fc 80 80 80 80", false },
	{ "6.14.6", "df", false },
	{ "6.14.7", "ef bf", false },
	{ "6.14.8", "f7 bf bf", false },
	{ "6.14.9", "fb bf bf bf", false },
	{ "6.14.10", "fd bf bf bf bf", false },
	{ "6.15.1", "c0 e0 80 f0 80 80 f8 80 80 80 fc 80 80 80 80 df ef bf f7 bf bf", false },
	{ "6.16.1", "fe", false },
	{ "6.16.2", "ff", false },
	{ "6.16.3", "fe fe ff ff", false },
	{ "6.17.1", "c0 af", false },
	{ "6.17.2", "e0 80 af", false },
	{ "6.17.3", "f0 80 80 af", false },
	{ "6.17.4", "f8 80 80 80 af", false },
	{ "6.17.5", "fc 80 80 80 80 af", false },
	{ "6.18.1", "c1 bf", false },
	{ "6.18.2", "e0 9f bf", false },
	{ "6.18.3", "f0 8f bf bf", false },
	{ "6.18.4", "f8 87 bf bf bf", false },
	{ "6.18.5", "fc 83 bf bf bf bf", false },
	{ "6.19.1", "c0 80", false },
	{ "6.19.2", "e0 80 80", false },
	{ "6.19.3", "f0 80 80 80", false },
	{ "6.19.4", "f8 80 80 80 80", false },
	{ "6.19.5", "fc 80 80 80 80 80", false },
	{ "6.20.1", "ed a0 80", false },
	{ "6.20.2", "ed ad bf", false },
	{ "6.20.3", "ed ae 80", false },
	{ "6.20.4", "ed af bf", false },
	{ "6.20.5", "ed b0 80", false },
	{ "6.20.6", "ed be 80", false },
	{ "6.20.7", "ed bf bf", false },
	{ "6.21.1", "ed a0 80 ed b0 80", false },
	{ "6.21.2", "ed a0 80 ed bf bf", false },
	{ "6.21.3", "ed ad bf ed b0 80", false },
	{ "6.21.4", "ed ad bf ed bf bf", false },
	{ "6.21.5", "ed ae 80 ed b0 80", false },
	{ "6.21.6", "ed ae 80 ed bf bf", false },
	{ "6.21.7", "ed af bf ed b0 80", false },
	{ "6.21.8", "ed af bf ed bf bf", false },
	{ "6.22.1", "ef bf be", true },
	{ "6.22.2", "ef bf bf", true },
	{ "6.23.1", "ef bf b9", true },
	{ "6.23.2", "ef bf ba", true },
	{ "6.23.3", "ef bf bb", true },
	{ "6.23.4", "ef bf bc", true },
	{ "6.23.5", "ef bf bd", true },
	{ "6.23.6", "ef bf be", true },
	{ "6.23.7", "ef bf bf", true },
};

/* As one frame, and each byte in a frame of its own. */
static void run_text(struct ws_env *t, const char *id, const char *p, size_t n, bool ok)
{
	for (int single = 0; single < 2; single++) {
		ws_dial(t);
		if (!single)
			ws_frame(t, WS_FIN | WS_OP_TEXT, p, n);
		for (size_t i = 0; single && i < n; i++)
			ws_frame(t, (i ? 0 : WS_OP_TEXT) | (i + 1 == n ? WS_FIN : 0), p + i, 1);
		(void)ws_look(t);
		if (ok ? t->seen[0] != 'T' : strcmp(t->seen, "X(1007)") != 0)
			fail_msg("case %s: got '%s'", id, t->seen);
		ws_hang_up(t);
	}
}

static void case_6_utf8(void **state)
{
	for (int client = 0; client < 2; client++) {
		struct ws_env t = { .client = client };
		char payload[256];

		ws_start(&t);
		for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
			char text[400];
			const char *p = text;

			(void)snprintf(text, sizeof(text), "<%s>", texts[i].hex);
			run_text(&t, texts[i].id, payload, ws_payload(&p, payload), texts[i].ok);
		}
		for (unsigned plane = 1; plane <= 16; plane++) { /* 6.22.3 to 6.22.34 */
			for (unsigned low = 0xbe; low <= 0xbf; low++) {
				payload[0] = (char)(0xf0 | plane >> 2);
				payload[1] = (char)(0x8f | (plane & 3) << 4);
				payload[2] = (char)0xbf;
				payload[3] = (char)low;
				run_text(&t, "6.22", payload, 4, true);
			}
		}
		ws_stop(&t);
	}
}

static const struct row empties[] = {
	{ "6.1.1", "T()", "T()" },
	{ "6.1.2", "t() c() C()", "T()" },
	{ "6.1.3", "t() c(middle frame payload) C()", "T(middle frame payload)" },
};

/* 6.4: the fault is told when it comes, not at the end of the message. */
static const struct row fast[] = {
	{ "6.4.1", "t<ce ba e1 bd b9 cf 83 ce bc ce b5> c<f4 90 80 80>", "X(1007)" },
	{ "6.4.2", "t<ce ba e1 bd b9 cf 83 ce bc ce b5 f4> c<90>", "X(1007)" },
};

static void case_6_1_and_6_4(void **state)
{
	struct ws_env t = { 0 };
	char part[16];

	RUN(empties);
	RUN(fast);
	run_rows(fast, ARRAY_LEN(fast), true);
	/* 6.4.3: within one frame that is not complete yet */
	ws_start(&t);
	ws_dial(&t);
	memset(part, 0, sizeof(part));
	part[0] = (char)(WS_FIN | WS_OP_TEXT);
	part[1] = (char)(128 | 100);
	part[6] = 'a'; /* the key is zero */
	part[7] = (char)0xf4;
	part[8] = (char)0x90;
	assert_int_equal(send(t.fd, part, 9, MSG_NOSIGNAL), 9);
	assert_string_equal(ws_look(&t), "X(1007)");
	ws_hang_up(&t);
	ws_stop(&t);
}

/* ---- 7: closing ---- */

static const struct row closing[] = {
	{ "7.1.1", "T(Hello World!) X(1000)", "T(Hello World!) X(1000)" },
	{ "7.1.2", "X(1000) X(1000)", "X(1000)" },
	{ "7.1.3", "X(1000) P()", "X(1000)" },
	{ "7.1.4", "X(1000) T(Hello World!)", "X(1000)" },
	{ "7.1.5", "t(fragment1) X(1000) C(fragment2)", "X(1000)" },
	{ "7.3.1", "X()", "X()" },
	{ "7.3.2", "X(a)", "X(1002)" },
	{ "7.3.3", "X(1000)", "X(1000)" },
	{ "7.3.4", "X(1000,Hello World!)", "X(1000)" },
	{ "7.5.1", "X<03e8 ce ba e1 bd b9 cf 83 ce bc ce b5 ed a0 80>", "X(1007)" },
	{ "7.7.1", "X(1000)", "X(1000)" },
	{ "7.7.2", "X(1001)", "X(1001)" },
	{ "7.7.3", "X(1002)", "X(1002)" },
	{ "7.7.4", "X(1003)", "X(1003)" },
	{ "7.7.5", "X(1007)", "X(1007)" },
	{ "7.7.6", "X(1008)", "X(1008)" },
	{ "7.7.7", "X(1009)", "X(1009)" },
	{ "7.7.8", "X(1010)", "X(1010)" },
	{ "7.7.9", "X(1011)", "X(1011)" },
	{ "7.7.10", "X(3000)", "X(3000)" },
	{ "7.7.11", "X(3999)", "X(3999)" },
	{ "7.7.12", "X(4000)", "X(4000)" },
	{ "7.7.13", "X(4999)", "X(4999)" },
	{ "7.9.1", "X<0000>", "X(1002)" },
	{ "7.9.2", "X<03e7>", "X(1002)" },
	{ "7.9.3", "X(1004)", "X(1002)" },
	{ "7.9.4", "X(1005)", "X(1002)" },
	{ "7.9.5", "X(1006)", "X(1002)" },
	{ "7.9.6", "X(1016)", "X(1002)" },
	{ "7.9.7", "X(1100)", "X(1002)" },
	{ "7.9.8", "X(2000)", "X(1002)" },
	{ "7.9.9", "X(2999)", "X(1002)" },
	{ "7.13.1", "X(5000)", "X(1002)" },
	{ "7.13.2", "X<ffff>", "X(1002)" },
};

static void case_7_closing(void **state)
{
	RUN(closing);
	run_rows(closing, ARRAY_LEN(closing), true);
}

static void case_7_1_6_and_7_3_5_large(void **state)
{
	struct ws_env t = { 0 };
	static char p[256u << 10];

	memset(p, 'r', sizeof(p));
	p[0] = 3;
	p[1] = (char)0xe8;
	t.e.conf.queue_mark = 1u << 20;
	ws_start(&t);
	ws_dial(&t);
	ws_frame(&t, WS_FIN | WS_OP_CLOSE, p, 125);
	assert_string_equal(ws_look(&t), "X(1000)");
	ws_hang_up(&t);
	ws_dial(&t);
	ws_frame(&t, WS_FIN | WS_OP_CLOSE, p, 126); /* 7.3.6 */
	assert_string_equal(ws_look(&t), "X(1002)");
	ws_hang_up(&t);
	ws_dial(&t); /* 7.1.6 */
	ws_frame(&t, WS_FIN | WS_OP_BINARY, p, sizeof(p));
	ws_script(&t, "T(Hello World!) X(1000)");
	assert_string_equal(ws_look(&t), "B[262144] T(Hello World!) X(1000)");
	ws_hang_up(&t);
	ws_stop(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(case_1_sizes),
		cmocka_unit_test(case_2_pings),
		cmocka_unit_test(case_2_4_and_2_5_ping_of_125_and_126),
		cmocka_unit_test(case_3_4_reserved),
		cmocka_unit_test(case_5_fragments),
		cmocka_unit_test(case_6_utf8),
		cmocka_unit_test(case_6_1_and_6_4),
		cmocka_unit_test(case_7_closing),
		cmocka_unit_test(case_7_1_6_and_7_3_5_large),
		cmocka_unit_test(case_9_large),
		cmocka_unit_test(case_9_7_many_small),
		cmocka_unit_test(case_10_fragments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
