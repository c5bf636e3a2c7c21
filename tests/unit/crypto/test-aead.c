/* SPDX-License-Identifier: Apache-2.0 */
/* Published vectors, round trips, and what must not open. */
#include "base/hash.h"
#include "crypto-test.h"
#include "crypto/aead.h"

static size_t unhex(unsigned char *to, const char *hex)
{
	assert_int_equal(hex_decode(to, slice_str(hex)), 0);
	return strlen(hex) / 2;
}

static void assert_hex(const void *p, size_t n, const char *hex)
{
	char *text = malloc(2 * n + 1);

	hex_encode(text, p, n);
	assert_string_equal(text, hex);
	free(text);
}

static void gcm_agrees_with_its_vectors(void **state)
{
	unsigned char key[32] = { 0 }, nonce[12] = { 0 }, text[16] = { 0 };
	CLEANUP(buf_fini) struct buf out = BUF_INIT(1000), back = BUF_INIT(1000);
	struct slice aad = SLICE("head"), k16 = slice_of((char *)key, 16),
		     k24 = slice_of((char *)key, 24), k32 = slice_of((char *)key, 32);
	struct err err = ERR_INIT;

	assert_int_equal(
		aes_gcm_seal(k16, nonce, slice_of(NULL, 0), slice_of((char *)text, 16), &out, &err),
		0);
	assert_hex(out.p, out.n,
		   "0388dace60b6a392f328c2b971b2fe78ab6e47d42cec13bdf53a67b21257bddf");
	buf_clear(&out);
	assert_int_equal(
		aes_gcm_seal(k24, nonce, slice_of(NULL, 0), slice_of((char *)text, 16), &out, &err),
		0);
	assert_hex(out.p, out.n,
		   "98e7247c07f0fe411c267e4384b0f6002ff58d80033927ab8ef4d4587514f0fb");
	buf_clear(&out);
	assert_int_equal(
		aes_gcm_seal(k32, nonce, slice_of(NULL, 0), slice_of((char *)text, 16), &out, &err),
		0);
	assert_hex(out.p, out.n,
		   "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919");
	buf_clear(&out);
	assert_int_equal(aes_gcm_seal(k32, nonce, aad, SLICE("secret"), &out, &err), 0);
	assert_int_equal(aes_gcm_open(k32, nonce, aad, buf_slice(&out), &back, &err), 0);
	assert_string_equal(buf_str(&back), "secret");
	for (size_t i = 0; i < out.n; i++) {
		out.p[i] ^= 1;
		assert_int_equal(aes_gcm_open(k32, nonce, aad, buf_slice(&out), &back, &err),
				 -ERR_FORBIDDEN);
		out.p[i] ^= 1;
	}
	assert_int_equal(aes_gcm_open(k32, nonce, SLICE("tail"), buf_slice(&out), &back, &err),
			 -ERR_FORBIDDEN);
	assert_int_equal(aes_gcm_open(k32, nonce, aad, slice_of(out.p, 15), &back, &err),
			 -ERR_FORBIDDEN);
	assert_int_equal(
		aes_gcm_open(slice_of((char *)key, 31), nonce, aad, buf_slice(&out), &back, &err),
		-ERR_INVALID);
	assert_string_equal(buf_str(&back), "secret");
	back.max = 6;
	assert_int_equal(aes_gcm_open(k32, nonce, aad, buf_slice(&out), &back, &err),
			 -ERR_TOO_LARGE);
}

static void cbc_agrees_with_its_vectors(void **state)
{
	unsigned char key[32] = { 0 }, iv[16], text[16];
	CLEANUP(buf_fini) struct buf out = BUF_INIT(1000), back = BUF_INIT(1000);
	struct err err = ERR_INIT;
	struct slice k = slice_of((char *)key, 16);

	/* SP 800-38A F.2.1, first block; the second is padding. */
	unhex(key, "2b7e151628aed2a6abf7158809cf4f3c");
	unhex(iv, "000102030405060708090a0b0c0d0e0f");
	unhex(text, "6bc1bee22e409f96e93d7e117393172a");
	assert_int_equal(aes_cbc_seal(k, iv, slice_of((char *)text, 16), &out, &err), 0);
	assert_int_equal(out.n, 32);
	assert_hex(out.p, 16, "7649abac8119b246cee98e9b12e9197d");
	assert_int_equal(aes_cbc_open(k, iv, buf_slice(&out), &back, &err), 0);
	assert_hex(back.p, back.n, "6bc1bee22e409f96e93d7e117393172a");
	for (size_t n = 0; n <= 40; n++) {
		static const char many[40] = "0123456789012345678901234567890123456789";

		for (size_t kn = 16; kn <= 32; kn += 8) {
			buf_clear(&out);
			buf_clear(&back);
			k.n = kn;
			assert_int_equal(aes_cbc_seal(k, iv, slice_of(many, n), &out, &err), 0);
			assert_int_equal(aes_cbc_open(k, iv, buf_slice(&out), &back, &err), 0);
			assert_true(slice_eq(buf_slice(&back), slice_of(many, n)));
		}
	}
	out.p[out.n - 17] ^= 0x55; /* the padding */
	assert_int_equal(aes_cbc_open(k, iv, buf_slice(&out), &back, &err), -ERR_FORBIDDEN);
	assert_int_equal(aes_cbc_open(k, iv, slice_of(out.p, 17), &back, &err), -ERR_FORBIDDEN);
	assert_int_equal(aes_cbc_open(k, iv, slice_of(out.p, 0), &back, &err), -ERR_FORBIDDEN);
	k.n = 17;
	assert_int_equal(aes_cbc_open(k, iv, buf_slice(&out), &back, &err), -ERR_INVALID);
}

/* From NaCl's own tests (secretbox.c). */
static void secretbox_is_nacls(void **state)
{
	unsigned char key[32], nonce[24], text[131], box[147];
	CLEANUP(buf_fini) struct buf out = BUF_INIT(1000), back = BUF_INIT(1000);
	struct err err = ERR_INIT;

	unhex(key, "1b27556473e985d462cd51197a9a46c76009549eac6474f206c4ee0844f68389");
	unhex(nonce, "69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37");
	unhex(text,
	      "be075fc53c81f2d5cf141316ebeb0c7b5228c52a4c62cbd44b66849b64244ffce5ecbaaf33bd751a"
	      "1ac728d45e6c61296cdc3c01233561f41db66cce314adb310e3be8250c46f06dceea3a7fa1348057"
	      "e2f6556ad6b1318a024a838f21af1fde048977eb48f59ffd4924ca1c60902e52f0a089bc76897040"
	      "e082f937763848645e0705");
	unhex(box,
	      "f3ffc7703f9400e52a7dfb4b3d3305d98e993b9f48681273c29650ba32fc76ce48332ea7164d96a44"
	      "76fb8c531a1186ac0dfc17c98dce87b4da7f011ec48c97271d2c20f9b928fe2270d6fb863d51738b4"
	      "8eeee314a7cc8ab932164548e526ae90224368517acfeabd6bb3732bc0e9da99832b61ca01b6de562"
	      "44a9e88d5f9b37973f622a43d14a6599b1f654cb45a74e355a5");
	assert_int_equal(
		secretbox_seal(key, nonce, slice_of((char *)text, sizeof(text)), &out, &err), 0);
	assert_int_equal(out.n, sizeof(box));
	assert_memory_equal(out.p, box, sizeof(box));
	assert_int_equal(secretbox_open(key, nonce, buf_slice(&out), &back, &err), 0);
	assert_memory_equal(back.p, text, sizeof(text));
	for (size_t i = 0; i < out.n; i += 7) {
		out.p[i] ^= 0x80;
		assert_int_equal(secretbox_open(key, nonce, buf_slice(&out), &back, &err),
				 -ERR_FORBIDDEN);
		out.p[i] ^= 0x80;
	}
	nonce[0] ^= 1;
	assert_int_equal(secretbox_open(key, nonce, buf_slice(&out), &back, &err), -ERR_FORBIDDEN);
	assert_int_equal(secretbox_open(key, nonce, slice_of(out.p, 15), &back, &err),
			 -ERR_FORBIDDEN);
	assert_int_equal(back.n, sizeof(text));
	buf_clear(&out);
	assert_int_equal(secretbox_seal(key, nonce, slice_of("", 0), &out, &err), 0);
	assert_int_equal(out.n, 16);
	assert_int_equal(secretbox_open(key, nonce, buf_slice(&out), &back, &err), 0);
}

static void digests_agree_with_their_vectors(void **state)
{
	unsigned char out[DIGEST_MAX];
	struct slice abc = SLICE("abc");

	assert_hex(out, digest_of(DIGEST_MD5, abc, out), "900150983cd24fb0d6963f7d28e17f72");
	assert_hex(out, digest_of(DIGEST_SHA1, abc, out),
		   "a9993e364706816aba3e25717850c26c9cd0d89d");
	assert_hex(out, digest_of(DIGEST_SHA256, abc, out),
		   "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_int_equal(digest_of(DIGEST_SHA384, abc, out), 48);
	assert_int_equal(digest_of(DIGEST_SHA512, slice_of(NULL, 0), out), 64);
	assert_hex(out, 8, "cf83e1357eefb8bd");
	/* RFC 4231, case 2. */
	assert_hex(
		out,
		hmac_of(DIGEST_SHA256, SLICE("Jefe"), SLICE("what do ya want for nothing?"), out),
		"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

static void keys_are_derived_as_published(void **state)
{
	unsigned char secret[22], salt[13], info[10], out[42];
	struct err err = ERR_INIT;

	memset(secret, 0x0b, sizeof(secret));
	for (int i = 0; i < 13; i++)
		salt[i] = (unsigned char)i;
	for (int i = 0; i < 10; i++)
		info[i] = (unsigned char)(0xf0 + i);
	/* RFC 5869 A.1 */
	assert_int_equal(hkdf(DIGEST_SHA256, slice_of((char *)secret, 22),
			      slice_of((char *)salt, 13), slice_of((char *)info, 10), out, 42,
			      &err),
			 0);
	assert_hex(out, 42,
		   "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b8871"
		   "85865");
	/* RFC 6070 */
	assert_int_equal(pbkdf2(DIGEST_SHA1, SLICE("password"), SLICE("salt"), 1, out, 20, &err),
			 0);
	assert_hex(out, 20, "0c60c80f961f0e71f3a9b524af6012062fe037a6");
	assert_int_equal(pbkdf2(DIGEST_SHA1, SLICE("password"), SLICE("salt"), 4096, out, 20, &err),
			 0);
	assert_hex(out, 20, "4b007901b765489abead49d926f721d065a429c1");
	assert_int_equal(pbkdf2(DIGEST_SHA1, SLICE("p"), SLICE("s"), 0, out, 20, &err),
			 -ERR_INVALID);
	assert_int_equal(pbkdf2(DIGEST_SHA1, SLICE("p"), SLICE("s"), 1u << 31, out, 20, &err),
			 -ERR_INVALID);
}

static void passwords_are_bcrypts(void **state)
{
	char hash[PASSWORD_HASH_MAX], other[PASSWORD_HASH_MAX], many[80];
	struct err err = ERR_INIT;

	assert_int_equal(
		password_verify(SLICE("U*U"),
				"$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
				&err),
		0);
	assert_int_equal(
		password_verify(SLICE("U*V"),
				"$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
				&err),
		-ERR_FORBIDDEN);
	assert_int_equal(password_hash(SLICE("pass word"), 4, hash, &err), 0);
	assert_int_equal(password_hash(SLICE("pass word"), 4, other, &err), 0);
	assert_string_not_equal(hash, other);
	assert_int_equal(strncmp(hash, "$2b$04$", 7), 0);
	assert_int_equal(password_verify(SLICE("pass word"), hash, &err), 0);
	hash[2] = 'y'; /* htpasswd's */
	assert_int_equal(password_verify(SLICE("pass word"), hash, &err), 0);
	assert_int_equal(password_verify(slice_of("pass word\0", 10), hash, &err), -ERR_FORBIDDEN);
	assert_int_equal(password_verify(SLICE(""), hash, &err), -ERR_FORBIDDEN);
	assert_int_equal(
		password_verify(SLICE("password"), "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", &err), 0);
	assert_int_equal(
		password_verify(SLICE("passwore"), "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", &err),
		-ERR_FORBIDDEN);
	assert_int_equal(password_verify(SLICE("x"), "$apr1$salt$hash", &err), -ERR_UNSUPPORTED);
	assert_says(&err, ERR_UNSUPPORTED, "htpasswd -B");
	assert_int_equal(password_verify(SLICE("x"), "plain", &err), -ERR_UNSUPPORTED);
	assert_int_equal(
		password_verify(SLICE("x"),
				"$2b$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
				&err),
		-ERR_TOO_LARGE);
	assert_int_equal(password_verify(SLICE("x"), "$2b$05$short", &err), -ERR_INVALID);
	assert_int_equal(
		password_verify(SLICE("x"),
				"$2b$05$!!CCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
				&err),
		-ERR_INVALID);
	memset(many, 'm', sizeof(many));
	assert_int_equal(password_hash(slice_of(many, 73), 4, hash, &err), -ERR_INVALID);
	assert_int_equal(password_hash(SLICE("x"), 17, hash, &err), -ERR_INVALID);
	assert_null(strstr(err.msg, "x'"));
}

static void secrets_are_compared_and_wiped(void **state)
{
	struct buf b = BUF_INIT(100);
	unsigned char p[4] = { 1, 2, 3, 4 };

	assert_true(secret_equal(SLICE("abc"), SLICE("abc")));
	assert_false(secret_equal(SLICE("abc"), SLICE("abd")));
	assert_false(secret_equal(SLICE("abc"), SLICE("ab")));
	assert_true(secret_equal(slice_of(NULL, 0), SLICE("")));
	secret_wipe(p, sizeof(p));
	assert_hex(p, 4, "00000000");
	(void)buf_adds(&b, "secret");
	secret_buf_fini(&b);
	assert_null(b.p);
	secret_buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gcm_agrees_with_its_vectors),
		cmocka_unit_test(cbc_agrees_with_its_vectors),
		cmocka_unit_test(secretbox_is_nacls),
		cmocka_unit_test(digests_agree_with_their_vectors),
		cmocka_unit_test(keys_are_derived_as_published),
		cmocka_unit_test(passwords_are_bcrypts),
		cmocka_unit_test(secrets_are_compared_and_wiped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
