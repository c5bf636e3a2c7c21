/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

#include "base/hash.h"

/* FIPS 180-4 examples and the NIST long message. */
static void sha256_matches_the_published_vectors(void **state)
{
	static const struct {
		const char *text, *hex;
	} v[] = {
		{ "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
		{ "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
		{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
		{ "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopq"
		  "klm"
		  "nopqrlmnopqrsmnopqrstnopqrstu",
		  "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1" },
	};
	char hex[SHA256_HEX_LEN + 1], chunk[1000];
	unsigned char out[SHA256_LEN];
	struct sha256 s;

	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		sha256_hex(v[i].text, strlen(v[i].text), hex);
		assert_string_equal(hex, v[i].hex);
	}
	memset(chunk, 'a', sizeof(chunk));
	sha256_init(&s);
	for (int i = 0; i < 1000; i++)
		sha256_update(&s, chunk, sizeof(chunk));
	sha256_final(&s, out);
	hex_encode(hex, out, sizeof(out));
	assert_string_equal(hex,
			    "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void any_split_gives_the_same_digest(void **state)
{
	unsigned char data[300], whole[SHA256_LEN], part[SHA256_LEN];
	struct sha256 s;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (unsigned char)(i * 7);
	for (size_t n = 0; n <= sizeof(data); n += 13) {
		sha256_init(&s);
		sha256_update(&s, data, n);
		sha256_final(&s, whole);
		for (size_t cut = 0; cut <= n; cut++) {
			sha256_init(&s);
			sha256_update(&s, data, cut);
			sha256_update(&s, data + cut, n - cut);
			sha256_final(&s, part);
			assert_memory_equal(whole, part, SHA256_LEN);
		}
	}
}

/* FIPS 180-4 examples, and every split of bytes around the block's length. */
static void sha512_matches_the_published_vectors(void **state)
{
	static const struct {
		const char *text, *hex;
	} v[] = {
		{ "", "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
		      "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e" },
		{ "abc", "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
			 "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f" },
		{ "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
		  "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
		  "8e959b75dae313da8cf4f72814fc143f8f7779c6eb9f7fa17299aeadb6889018"
		  "501d289e4900f7e4331b99dec4b5433ac7d329eeb6dd26545e96e55b874be909" },
	};
	unsigned char data[300], whole[SHA512_LEN], part[SHA512_LEN];
	char hex[SHA512_HEX_LEN + 1];
	struct sha512 s;

	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		sha512_init(&s);
		sha512_update(&s, v[i].text, strlen(v[i].text));
		sha512_final(&s, whole);
		hex_encode(hex, whole, sizeof(whole));
		assert_string_equal(hex, v[i].hex);
	}
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (unsigned char)(i * 7);
	for (size_t n = 0; n <= sizeof(data); n += 13) {
		sha512_init(&s);
		sha512_update(&s, data, n);
		sha512_final(&s, whole);
		for (size_t cut = 0; cut <= n; cut++) {
			sha512_init(&s);
			sha512_update(&s, data, cut);
			sha512_update(&s, data + cut, n - cut);
			sha512_final(&s, part);
			assert_memory_equal(whole, part, SHA512_LEN);
		}
	}
}

static void portable_code_agrees_with_the_instructions(void **state)
{
	unsigned char data[64 * 5];
	struct sha256 s;
	uint32_t h[8];

	random_bytes(data, sizeof(data));
	sha256_init(&s);
	memcpy(h, s.h, sizeof(h));
	sha256_update(&s, data, sizeof(data));
	sha256_blocks_portable_(h, data, 5);
	assert_memory_equal(h, s.h, sizeof(h));
	for (size_t n = 0; n < 100; n++)
		assert_int_equal(crc32c(n, data, n), crc32c_portable_(n, data, n));
}

/* RFC 3720, B.4. */
static void crc32c_matches_the_published_vectors(void **state)
{
	unsigned char data[32] = { 0 };

	assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
	assert_int_equal(crc32c(0, data, 32), 0x8a9136aa);
	memset(data, 0xff, 32);
	assert_int_equal(crc32c(0, data, 32), 0x62a8ab43);
	for (int i = 0; i < 32; i++)
		data[i] = (unsigned char)i;
	assert_int_equal(crc32c(0, data, 32), 0x46dd794e);
	assert_int_equal(crc32c(crc32c(0, data, 11), data + 11, 21), 0x46dd794e);
}

static void map_hash_depends_on_every_byte_and_the_length(void **state)
{
	char data[40] = { 0 };

	for (size_t n = 0; n < sizeof(data); n++) {
		uint64_t h = hash_bytes(data, n);

		assert_true(h == hash_bytes(data, n));
		if (n) {
			assert_true(h != hash_bytes(data, n - 1));
			data[n - 1] ^= 1;
			assert_true(h != hash_bytes(data, n));
			data[n - 1] ^= 1;
		}
	}
}

static void stable_hash_is_fnv1a(void **state)
{
	assert_true(hash_stable("", 0) == 0xcbf29ce484222325u);
	assert_true(hash_stable("a", 1) == 0xaf63dc4c8601ec8cu);
	assert_true(hash_stable("foobar", 6) == 0x85944171f73967e8u);
}

static void hex_round_trip_and_bad_digits(void **state)
{
	unsigned char raw[3] = { 0x00, 0xab, 0xff }, back[3];
	char hex[7];

	hex_encode(hex, raw, 3);
	assert_string_equal(hex, "00abff");
	assert_int_equal(hex_decode(back, SLICE("00aBFf")), 0);
	assert_memory_equal(raw, back, 3);
	assert_int_equal(hex_decode(back, SLICE("abc")), -1);
	assert_int_equal(hex_decode(back, SLICE("0g")), -1);
	assert_true(hex_is_lower(SLICE("09af")));
	assert_false(hex_is_lower(SLICE("0A")));
}

/* RFC 4648, section 10. */
static void base64_matches_the_published_vectors(void **state)
{
	static const char *const v[][2] = { { "", "" },
					    { "f", "Zg==" },
					    { "fo", "Zm8=" },
					    { "foo", "Zm9v" },
					    { "foob", "Zm9vYg==" },
					    { "fooba", "Zm9vYmE=" },
					    { "foobar", "Zm9vYmFy" } };
	char text[16], back[16];
	size_t n;

	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		size_t len = strlen(v[i][0]), bare = strcspn(v[i][1], "=");

		base64_encode(text, v[i][0], len);
		assert_string_equal(text, v[i][1]);
		assert_int_equal(base64_decode(back, &n, slice_str(text)), 0);
		assert_int_equal(n, len);
		assert_memory_equal(back, v[i][0], len);
		assert_int_equal(base64_decode(back, &n, slice_of(text, bare)), 0);
		assert_int_equal(n, len);
	}
	assert_int_equal(base64_decode(back, &n, SLICE("-_+/")), 0);
	assert_memory_equal(back, "\xfb\xff\xbf", 3);
}

static void broken_base64_is_refused(void **state)
{
	static const char *const bad[] = { "Z",	   "Zg=",  "Zg===", "=",	"====",
					   "Zh==", "Zm9=", "Z g=",  "Zg==Zg==", "Zm9v\n" };
	char back[16];
	size_t n;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (base64_decode(back, &n, slice_str(bad[i])) != -1)
			fail_msg("'%s' was accepted", bad[i]);
}

static void secrets_compare_and_random_differs(void **state)
{
	char a[33], b[33];

	assert_true(mem_equal_ct("abc", "abc", 3));
	assert_false(mem_equal_ct("abc", "abd", 3));
	assert_true(mem_equal_ct("", "", 0));
	random_hex(a, 32);
	random_hex(b, 32);
	assert_int_equal(strlen(a), 32);
	assert_true(hex_is_lower(slice_str(a)));
	assert_string_not_equal(a, b);
	assert_true(random_u64() != random_u64());
	for (int i = 0; i < 64; i++) {
		char x[UUID_TEXT_MAX], y[UUID_TEXT_MAX];

		random_uuid(x);
		random_uuid(y);
		assert_int_equal(strlen(x), 36);
		assert_true(x[8] == '-' && x[13] == '-' && x[14] == '4' && x[18] == '-');
		assert_non_null(strchr("89ab", x[19]));
		assert_string_not_equal(x, y);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sha256_matches_the_published_vectors),
		cmocka_unit_test(any_split_gives_the_same_digest),
		cmocka_unit_test(sha512_matches_the_published_vectors),
		cmocka_unit_test(portable_code_agrees_with_the_instructions),
		cmocka_unit_test(crc32c_matches_the_published_vectors),
		cmocka_unit_test(map_hash_depends_on_every_byte_and_the_length),
		cmocka_unit_test(stable_hash_is_fnv1a),
		cmocka_unit_test(hex_round_trip_and_bad_digits),
		cmocka_unit_test(base64_matches_the_published_vectors),
		cmocka_unit_test(broken_base64_is_refused),
		cmocka_unit_test(secrets_compare_and_random_differs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
