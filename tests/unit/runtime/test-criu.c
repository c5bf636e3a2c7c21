/* SPDX-License-Identifier: Apache-2.0 */
/* The messages of criu's protocol: what we write, what we take, what we refuse. */
#include "rt-check.h"

#include "runtime/criu.h"

static void numbers_texts_and_messages_are_protocol_buffers(void **state)
{
	struct buf b = BUF_INIT(256), m = BUF_INIT(64);

	(void)state;
	criu_put_number(&b, 1, 1);
	criu_put_number(&b, 26, 300);
	criu_put_text(&b, 13, "/r");
	criu_put_text(&b, 14, NULL);
	criu_put_text(&m, 1, "k");
	criu_put_message(&b, 23, &m);
	assert_int_equal(b.n, 2 + 4 + 4 + 2 + 1 + 3);
	assert_memory_equal(b.p, "\x08\x01\xd0\x01\xac\x02\x6a\x02/r\xba\x01\x03\x0a\x01k", b.n);
	buf_fini(&b);
	buf_fini(&m);
}

static void a_reply_is_read(void **state)
{
	/* type RESTORE, success, restore { pid 300 } */
	const char ok[] = "\x08\x02\x10\x01\x22\x03\x08\xac\x02";
	/* type NOTIFY, success, notify { script "x", pid 7 } */
	const char notify[] = "\x08\x06\x10\x01\x2a\x05\x0a\x01x\x10\x07";
	/* type DUMP, no success, errno 52, message "bad", an unknown fixed64 and fixed32 */
	const char bad[] = "\x08\x01\x10\x00\x38\x34\x4a\x03"
			   "bad\x79\x01\x02\x03\x04\x05\x06\x07\x08\x7d\x01\x02\x03\x04";
	struct criu_reply p;
	struct err err;

	(void)state;
	assert_ok(criu_parse_reply(SLICE(ok), &p, &err));
	assert_int_equal(p.type, CRIU_RESTORE);
	assert_true(p.success);
	assert_int_equal(p.pid, 300);
	assert_ok(criu_parse_reply(SLICE(notify), &p, &err));
	assert_string_equal(p.script, "x");
	assert_int_equal(p.pid, 7);
	assert_ok(criu_parse_reply(SLICE(bad), &p, &err));
	assert_false(p.success);
	assert_int_equal(p.error, 52);
	assert_string_equal(p.message, "bad");
}

static void what_is_no_message_is_refused(void **state)
{
	static const char *const bad[] = {
		"\xff", /* a varint without its end */
		"\x08", /* a key without its value */
		"\x0b", /* a group, which the protocol has not */
		("\x4a\x05"
		 "abc"),	    /* longer than what is there */
		"\x22\x02\x08\xff", /* the same inside */
		"\x79\x01",	    /* a short fixed64 */
		"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
	};
	struct criu_reply p;
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_err(criu_parse_reply(slice_str(bad[i]), &p, &err), ERR_INVALID, "protocol");
	assert_ok(criu_parse_reply(slice_of("", 0), &p, &err));
	assert_int_equal(p.type, 0);
}

static void long_texts_are_cut(void **state)
{
	struct buf b = BUF_INIT(4096);
	char text[2000];
	struct criu_reply p;
	struct err err;

	(void)state;
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	criu_put_text(&b, 9, text);
	assert_ok(criu_parse_reply(buf_slice(&b), &p, &err));
	assert_int_equal(strlen(p.message), sizeof(p.message) - 1);
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_texts_and_messages_are_protocol_buffers),
		cmocka_unit_test(a_reply_is_read),
		cmocka_unit_test(what_is_no_message_is_refused),
		cmocka_unit_test(long_texts_are_cut),
	};

	return cmocka_run_group_tests_name("criu", tests, NULL, NULL);
}
