/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of all types and forms; signatures; what is refused. */
#include "crypto-test.h"

static const enum key_type all[] = { KEY_RSA, KEY_P256, KEY_P384, KEY_P521, KEY_ED25519 };

static struct key *make(enum key_type t)
{
	struct key *k = NULL;
	struct err err = ERR_INIT;

	if (key_generate(t, 0, &k, &err) < 0)
		fail_msg("%s", err.msg);
	return k;
}

static void forms_are_written_and_read(void **state)
{
	static const enum key_form forms[] = { KEY_PRIVATE_PKCS8, KEY_PRIVATE_LEGACY, KEY_PUBLIC };
	struct err err = ERR_INIT;

	for (size_t t = 0; t < ARRAY_LEN(all); t++) {
		CLEANUP(key_unref) struct key *k = make(all[t]);

		for (size_t f = 0; f < ARRAY_LEN(forms) * 2; f++) {
			CLEANUP(buf_fini) struct buf text = BUF_INIT(65536);
			CLEANUP(key_unref) struct key *again = NULL;
			enum key_form form = forms[f / 2];

			assert_int_equal(f % 2 ? key_write_der(k, form, &text, &err)
					       : key_write_pem(k, form, &text, &err),
					 0);
			if (key_read(buf_slice(&text), &again, &err) < 0)
				fail_msg("%s form %zu: %s", key_type_name(k), f, err.msg);
			assert_true(key_matches(k, again));
			assert_int_equal(key_type(again), all[t]);
			assert_int_equal(key_is_private(again), form != KEY_PUBLIC);
			assert_int_equal(key_bits(again), key_bits(k));
			if (form == KEY_PUBLIC)
				assert_int_equal(
					key_write_pem(again, KEY_PRIVATE_PKCS8, &text, &err),
					-ERR_CONFLICT);
		}
	}
}

static void signatures_verify_and_only_theirs(void **state)
{
	struct slice text = SLICE("a text that is signed"), other = SLICE("a text that is not");
	unsigned char sig[KEY_SIGNATURE_MAX];
	struct err err = ERR_INIT;
	size_t n;

	for (size_t t = 0; t < ARRAY_LEN(all); t++) {
		CLEANUP(key_unref) struct key *k = make(all[t]), *stranger = make(all[t]);

		for (int s = KEY_RS256; s <= KEY_EDDSA; s++) {
			if (!key_takes(k, (enum key_scheme)s)) {
				assert_int_equal(
					key_sign(k, (enum key_scheme)s, text, sig, &n, &err),
					-ERR_INVALID);
				assert_says(&err, ERR_INVALID, "needs a key of type");
				continue;
			}
			assert_int_equal(key_sign(k, (enum key_scheme)s, text, sig, &n, &err), 0);
			assert_int_equal(key_verify(k, (enum key_scheme)s, text,
						    slice_of((char *)sig, n), &err),
					 0);
			assert_int_equal(key_verify(k, (enum key_scheme)s, other,
						    slice_of((char *)sig, n), &err),
					 -ERR_FORBIDDEN);
			assert_int_equal(key_verify(stranger, (enum key_scheme)s, text,
						    slice_of((char *)sig, n), &err),
					 -ERR_FORBIDDEN);
			sig[n / 2] ^= 4;
			assert_int_equal(key_verify(k, (enum key_scheme)s, text,
						    slice_of((char *)sig, n), &err),
					 -ERR_FORBIDDEN);
			assert_int_equal(key_verify(k, (enum key_scheme)s, text,
						    slice_of((char *)sig, 0), &err),
					 -ERR_FORBIDDEN);
		}
		assert_true(key_takes(k, key_scheme_of(k)));
	}
}

static void what_is_not_ours_is_refused_by_name(void **state)
{
	static const struct {
		const char *text;
		enum err_code code;
		const char *why;
	} rows[] = {
		{ "", ERR_BAD_REQUEST, "no PEM text" },
		{ "hello", ERR_BAD_REQUEST, "no PEM text" },
		{ "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n", ERR_BAD_REQUEST,
		  "holds no key" },
		{ "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE "
		  "KEY-----\n",
		  ERR_UNSUPPORTED, "is encrypted" },
		{ "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: "
		  "AES-128-CBC,00000000000000000000000000000000\n\nMAA=\n-----END RSA PRIVATE "
		  "KEY-----\n",
		  ERR_UNSUPPORTED, "is encrypted" },
		{ "-----BEGIN OPENSSH PRIVATE KEY-----\nMAA=\n-----END OPENSSH PRIVATE KEY-----\n",
		  ERR_UNSUPPORTED, "OPENSSH PRIVATE KEY" },
		{ "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n", ERR_BAD_REQUEST,
		  "private key" },
		{ "-----BEGIN PRIVATE KEY-----\nM?A=\n-----END PRIVATE KEY-----\n", ERR_BAD_REQUEST,
		  "PEM block" },
		{ "0zzzzzzz", ERR_BAD_REQUEST, "neither a PEM text" },
		/* secp256k1 */
		{ "-----BEGIN PUBLIC KEY-----\n"
		  "MFYwEAYHKoZIzj0CAQYFK4EEAAoDQgAEeb5mfvncu6xVoGKVzocLBwKb/NstzijZ\n"
		  "WfKBWxb4F5hIOtp3JqPEZV2k+/wOEQio/Re0SKaFVBmcR9CP+xDUuA==\n"
		  "-----END PUBLIC KEY-----\n",
		  ERR_UNSUPPORTED, "secp256k1" },
	};
	struct err err = ERR_INIT;
	struct key *k;
	char *large = calloc(1, (1 << 20) + 1);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_true(key_read(slice_str(rows[i].text), &k, &err) < 0);
		assert_says(&err, rows[i].code, rows[i].why);
	}
	assert_int_equal(key_read(slice_of(large, (1 << 20) + 1), &k, &err), -ERR_TOO_LARGE);
	free(large);
	assert_int_equal(key_generate(KEY_RSA, 1024, &k, &err), -ERR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forms_are_written_and_read),
		cmocka_unit_test(signatures_verify_and_only_theirs),
		cmocka_unit_test(what_is_not_ours_is_refused_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
