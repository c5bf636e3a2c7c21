/* SPDX-License-Identifier: Apache-2.0 */
/* WebSocket frames as functions: heads, masks, UTF-8, close codes, the handshake's hash. */
#include "io-test.h"
#include "io/ws-frame.h"

static void heads_come_back_as_they_were_put(void **state)
{
	static const uint64_t lengths[] = {
		0, 1, 125, 126, 127, 65535, 65536, 1u << 20, INT64_MAX
	};
	static const unsigned char key[4] = { 1, 2, 3, 4 };
	static const int sizes[] = { 2, 2, 2, 4, 4, 4, 10, 10, 10 };
	struct ws_head h;
	char b[WS_HEAD_MAX];

	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		for (int masked = 0; masked < 2; masked++) {
			size_t n = ws_head_put(b, WS_FIN | WS_OP_BINARY, lengths[i],
					       masked ? key : NULL);

			assert_int_equal(n, sizes[i] + 4 * masked);
			for (size_t k = 0; k < n; k++)
				assert_int_equal(ws_head_parse(&h, b, k), 0);
			assert_int_equal(ws_head_parse(&h, b, n), n);
			assert_int_equal(h.length, lengths[i]);
			assert_int_equal(h.op, WS_OP_BINARY);
			assert_int_equal(h.masked, masked);
			assert_true(h.fin);
			assert_int_equal(h.rsv, 0);
			if (masked)
				assert_memory_equal(h.key, key, 4);
		}
	}
}

static void lengths_in_a_longer_form_are_refused(void **state)
{
	static const char *const bad[] = { "\x82\x7e\x00\x7d", "\x82\x7f\0\0\0\0\0\0\xff\xff",
					   "\x82\x7f\x80\0\0\0\0\x01\0\0" };
	struct ws_head h;

	assert_int_equal(ws_head_parse(&h, bad[0], 4), -1);
	assert_int_equal(ws_head_parse(&h, bad[1], 10), -1);
	assert_int_equal(ws_head_parse(&h, bad[2], 10), -1);
}

static void masking_is_by_position_at_any_length_and_alignment(void **state)
{
	static const unsigned char key[4] = { 0xa1, 0x02, 0x5c, 0xff };
	char src[160], got[160], want[160];

	for (size_t i = 0; i < sizeof(src); i++)
		src[i] = (char)(i * 7);
	for (size_t n = 0; n <= 100; n++) {
		for (size_t phase = 0; phase < 9; phase++) {
			for (size_t from = 0; from < 9; from += 4) {
				for (size_t i = 0; i < n; i++)
					want[i] =
						(char)(src[from + i] ^ (char)key[(phase + i) & 3]);
				ws_mask(got, src + from, n, key, phase);
				assert_memory_equal(got, want, n);
				ws_mask(got, got, n, key, phase); /* in place, and back */
				assert_memory_equal(got, src + from, n);
			}
		}
	}
}

/* What a decoder of code points would say: the slow and plain way. */
static bool is_utf8(const unsigned char *b, size_t n)
{
	static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
	size_t i = 0;

	while (i < n) {
		unsigned c = b[i++];
		unsigned more = c < 0x80       ? 0
				: c >> 5 == 6  ? 1
				: c >> 4 == 14 ? 2
				: c >> 3 == 30 ? 3
					       : 9;
		uint32_t v = more ? c & (0x3fu >> more) : c;

		if (more == 9 || more > n - i)
			return false;
		for (unsigned k = 0; k < more; k++, i++) {
			if (b[i] >> 6 != 2)
				return false;
			v = v << 6 | (b[i] & 63);
		}
		if (v < least[more] || v > 0x10ffff || (v >= 0xd800 && v < 0xe000))
			return false;
	}
	return true;
}

static bool check_split(const char *p, size_t n, size_t at)
{
	struct ws_utf8 u = { 0 };

	return ws_utf8_step(&u, p, at) && ws_utf8_step(&u, p + at, n - at) && u.need == 0;
}

static void every_sequence_of_up_to_three_bytes_is_judged_rightly(void **state)
{
	unsigned char b[3];

	for (unsigned v = 0; v < 1u << 24; v += v < 1u << 16 ? 1 : 3) {
		size_t n = v < 1u << 8 ? 1 : v < 1u << 16 ? 2 : 3;
		struct ws_utf8 u = { 0 };
		bool ok;

		for (size_t i = 0; i < n; i++)
			b[i] = (unsigned char)(v >> (8 * (n - 1 - i)));
		ok = ws_utf8_step(&u, (const char *)b, n) && u.need == 0;
		if (ok != is_utf8(b, n))
			fail_msg("%06x", v);
	}
}

static void texts_are_judged_the_same_wherever_they_are_cut(void **state)
{
	uint64_t seed = 42;
	char b[80];

	for (int round = 0; round < 3000; round++) {
		size_t n = 0;
		bool ok;

		while (n < 70) {
			static const char *const words[] = {
				"plain text",
				"\xc3\xa4",
				"\xe2\x82\xac",
				"\xf0\x9f\x98\x80",
				"\xed\xa0\x80",
				"\x80",
				"abcdefghijklmnopqrstuvwxyzabcdefghijkl"
			};
			const char *w;

			seed = seed * 6364136223846793005u + 1442695040888963407u;
			w = words[(seed >> 33) % ((seed >> 50) % 8 ? 4 : ARRAY_LEN(words))];
			if (n + strlen(w) > sizeof(b))
				break;
			memcpy(b + n, w, strlen(w));
			n += strlen(w);
		}
		ok = is_utf8((unsigned char *)b, n);
		for (size_t at = 0; at <= n; at++) {
			if (check_split(b, n, at) != ok)
				fail_msg("round %d, cut at %zu", round, at);
		}
	}
}

static void close_codes(void **state)
{
	for (unsigned c = 0; c < 70000; c++) {
		bool want = c == 1000 || c == 1001 || c == 1002 || c == 1003 ||
			    (c >= 1007 && c <= 1014) || (c >= 3000 && c <= 4999);

		assert_int_equal(ws_close_code_ok(c), want);
	}
}

static void the_hash_of_the_rfc(void **state)
{
	char out[WS_ACCEPT_LEN + 1];

	ws_accept_key(out, SLICE("dGhlIHNhbXBsZSBub25jZQ=="));
	assert_string_equal(out, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
	ws_accept_key(out, SLICE("x3JJHMbDL1EzLkh9GBhXDw=="));
	assert_string_equal(out, "HSmrc0sMlYUkAGmm5OPpG2HaGWk=");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(heads_come_back_as_they_were_put),
		cmocka_unit_test(lengths_in_a_longer_form_are_refused),
		cmocka_unit_test(masking_is_by_position_at_any_length_and_alignment),
		cmocka_unit_test(every_sequence_of_up_to_three_bytes_is_judged_rightly),
		cmocka_unit_test(texts_are_judged_the_same_wherever_they_are_cut),
		cmocka_unit_test(close_codes),
		cmocka_unit_test(the_hash_of_the_rfc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
