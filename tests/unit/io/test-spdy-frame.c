/* SPDX-License-Identifier: Apache-2.0 */
/* SPDY frames' heads and compressed header blocks. */
#include "base/hash.h"
#include "io-test.h"
#include "io/spdy-frame.h"

static void heads(void **state)
{
	struct spdy_head h;
	char b[SPDY_HEAD];

	spdy_data_put(b, 7, SPDY_FIN, 0x123456);
	assert_memory_equal(b, "\0\0\0\x07\x01\x12\x34\x56", 8);
	assert_int_equal(spdy_head_parse(&h, b), 0);
	assert_int_equal(h.type, SPDY_DATA);
	assert_int_equal(h.id, 7);
	assert_int_equal(h.length, 0x123456);
	assert_int_equal(h.flags, SPDY_FIN);
	spdy_control_put(b, SPDY_SYN_STREAM, 2, 10);
	assert_memory_equal(b, "\x80\x03\0\x01\x02\0\0\x0a", 8);
	assert_int_equal(spdy_head_parse(&h, b), 0);
	assert_int_equal(h.type, SPDY_SYN_STREAM);
	assert_int_equal(h.flags, 2);
	assert_int_equal(spdy_head_parse(&h, "\x80\x02\0\x01\0\0\0\0"), -1); /* version 2 */
	assert_int_equal(spdy_head_parse(&h, "\x80\x03\0\0\0\0\0\0"), -1);   /* type 0 */
}

struct two {
	struct spdy_zlib a, b;
	struct arena *arena;
	struct buf wire;
};

static int setup(void **state)
{
	struct two *t = calloc(1, sizeof(*t));
	struct err err = ERR_INIT;

	assert_non_null(t);
	assert_int_equal(spdy_zlib_init(&t->a, &err), 0);
	assert_int_equal(spdy_zlib_init(&t->b, &err), 0);
	t->arena = arena_new("test", 1 << 20);
	t->wire = BUF_INIT(1 << 20);
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct two *t = *state;

	spdy_zlib_fini(&t->a);
	spdy_zlib_fini(&t->b);
	arena_free(t->arena);
	buf_fini(&t->wire);
	free(t);
	return 0;
}

static int get(struct two *t, struct spdy_headers *h, size_t size_max, size_t n_max,
	       struct err *err)
{
	int r = spdy_headers_get(&t->b, buf_slice(&t->wire), t->arena, size_max, n_max, h, err);

	buf_clear(&t->wire);
	return r;
}

static void blocks_come_back_one_after_the_other(void **state)
{
	static const struct http_header in[] = { { SLICE("streamType"), SLICE("stdout") },
						 { SLICE("Port"), SLICE("80") },
						 { SLICE("empty"), SLICE("") } };
	struct two *t = *state;
	struct spdy_headers h;
	struct err err = ERR_INIT;

	for (int i = 0; i < 50; i++) {
		assert_int_equal(spdy_headers_put(&t->a, in, 3, &t->wire, &err), 0);
		assert_int_equal(get(t, &h, 65536, 10, &err), 0);
		assert_int_equal(h.n, 3);
		assert_true(slice_is(h.v[0].name, "streamtype"));
		assert_true(slice_is(h.v[0].value, "stdout"));
		assert_true(slice_is(h.v[1].name, "port"));
		assert_true(slice_is(h.v[2].value, ""));
		assert_int_equal(spdy_headers_put(&t->a, NULL, 0, &t->wire, &err), 0);
		assert_int_equal(get(t, &h, 65536, 10, &err), 0);
		assert_int_equal(h.n, 0);
	}
}

static void names_that_are_none_are_not_sent(void **state)
{
	static const struct http_header bad[] = { { SLICE("a b"), SLICE("x") },
						  { SLICE("a"), SLICE("x\ny") } };
	struct two *t = *state;
	struct err err = ERR_INIT;

	for (int i = 0; i < 2; i++)
		assert_int_equal(spdy_headers_put(&t->a, bad + i, 1, &t->wire, &err), -ERR_INVALID);
}

/* A block as the other side's zlib would write it. */
static void raw_block(struct two *t, const char *plain, size_t n)
{
	assert_non_null(buf_room(&t->wire, 300000));
	t->a.out.next_in = (Bytef *)(uintptr_t)plain;
	t->a.out.avail_in = (uInt)n;
	t->a.out.next_out = (Bytef *)t->wire.p + t->wire.n;
	t->a.out.avail_out = 300000;
	assert_int_equal(deflate(&t->a.out, Z_SYNC_FLUSH), Z_OK);
	t->wire.n += 300000 - t->a.out.avail_out;
}

static void several_values_become_several_headers(void **state)
{
	static const char block[] = "\0\0\0\x01\0\0\0\x01x\0\0\0\x05"
				    "a\0b\0c";
	struct two *t = *state;
	struct spdy_headers h;
	struct err err = ERR_INIT;

	raw_block(t, block, sizeof(block) - 1);
	assert_int_equal(get(t, &h, 1000, 10, &err), 0);
	assert_int_equal(h.n, 3);
	assert_true(slice_is(h.v[2].name, "x"));
	assert_true(slice_is(h.v[2].value, "c"));
}

static void bombs_and_bad_blocks_are_refused(void **state)
{
	static const struct {
		const char *p;
		size_t n;
		enum err_code code;
	} rows[] = {
#define ROW(text, code) { text, sizeof(text) - 1, code }
		ROW("\0\0", ERR_BAD_REQUEST),
		ROW("\0\0\0\x01", ERR_BAD_REQUEST),
		ROW("\0\0\0\x01\0\0\0\x09x", ERR_BAD_REQUEST),
		ROW("\0\0\0\x01\0\0\0\x01x", ERR_BAD_REQUEST),
		ROW("\0\0\0\x01\0\0\0\x01x\xff\xff\xff\xffy", ERR_BAD_REQUEST),
		ROW("\0\0\0\x01\0\0\0\x00\0\0\0\x01y", ERR_BAD_REQUEST),
		ROW("\0\0\0\x01\0\0\0\x01x\0\0\0\x01\n", ERR_BAD_REQUEST),
		ROW("\0\0\0\0tail", ERR_BAD_REQUEST),
		ROW("\0\0\0\x0b", ERR_TOO_LARGE),
		ROW("\xff\xff\xff\xff", ERR_TOO_LARGE),
		ROW("\0\0\0\x01\0\0\0\x01x\0\0\0\x0b\0\0\0\0\0\0\0\0\0\0\0", ERR_TOO_LARGE),
#undef ROW
	};
	struct two *t = *state;
	struct spdy_headers h;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err err = ERR_INIT;

		raw_block(t, rows[i].p, rows[i].n);
		if (get(t, &h, 1000, 10, &err) != -(int)rows[i].code)
			fail_msg("row %zu: %s", i, err.msg);
		assert_has(err.msg, "SPDY");
	}
}

static void a_bomb_is_cut_off(void **state)
{
	struct two *t = *state;
	struct err err = ERR_INIT;
	struct spdy_headers h;
	char *zeros = calloc(1, 8u << 20);

	assert_non_null(zeros);
	raw_block(t, zeros, 8u << 20);
	assert_true(t->wire.n < 65536);
	assert_int_equal(get(t, &h, 65536, 10, &err), -ERR_TOO_LARGE);
	assert_has(err.msg, "inflates to more than 65536 bytes");
	free(zeros);
}

static void noise_is_no_block(void **state)
{
	struct two *t = *state;
	struct err err = ERR_INIT;
	struct spdy_headers h;

	(void)buf_adds(&t->wire, "this is not compressed");
	assert_int_equal(get(t, &h, 65536, 10, &err), -ERR_BAD_REQUEST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(heads),
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
		T(blocks_come_back_one_after_the_other),
		T(names_that_are_none_are_not_sent),
		T(several_values_become_several_headers),
		T(bombs_and_bad_blocks_are_refused),
		T(a_bomb_is_cut_off),
		T(noise_is_no_block),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
