/* SPDX-License-Identifier: Apache-2.0 */
/* Chains and keys of PEM files. */
#include "crypto-test.h"

#include "crypto/identity.h"

struct texts {
	struct signer ca, leaf;
	struct buf certs, key;
};

static int set_up(void **state)
{
	struct texts *t = calloc(1, sizeof(*t));

	t->ca = make_ca("test CA", NULL);
	t->leaf = make_leaf("me", (struct cert_list){ 0 }, &t->ca);
	t->certs = t->key = BUF_INIT(65536);
	assert_int_equal(cert_write_pem(t->leaf.cert, &t->certs, NULL), 0);
	assert_int_equal(cert_write_pem(t->ca.cert, &t->certs, NULL), 0);
	assert_int_equal(key_write_pem(t->leaf.key, KEY_PRIVATE_PKCS8, &t->key, NULL), 0);
	*state = t;
	return 0;
}

static int tear_down(void **state)
{
	struct texts *t = *state;

	signer_fini(&t->ca);
	signer_fini(&t->leaf);
	buf_fini(&t->certs);
	buf_fini(&t->key);
	free(t);
	return 0;
}

static void a_chain_and_its_key_are_read(void **state)
{
	struct texts *t = *state;
	CLEANUP(identity_fini) struct identity id = { .n = 0 };
	struct tls_identity shown;
	const struct tls_options o = { .ids = &shown, .ids_n = 1, .insecure = true };
	struct tls_conf *conf;
	struct err err = ERR_INIT;

	assert_int_equal(identity_read(&id, buf_slice(&t->certs), buf_slice(&t->key), &err), 0);
	assert_int_equal(id.n, 2);
	shown = identity_shown(&id);
	assert_int_equal(shown.chain_n, 2);
	assert_ptr_equal(shown.key, id.key);
	assert_int_equal(tls_conf_new(&o, &conf, &err), 0);
	tls_conf_unref(conf);
}

static void what_is_neither_is_told(void **state)
{
	struct texts *t = *state;
	struct identity id = { .n = 0 };
	struct err err = ERR_INIT;

	assert_int_equal(identity_read(&id, SLICE("no"), buf_slice(&t->key), &err), -ERR_NOT_FOUND);
	assert_int_equal(strncmp(err.msg, "certificate: ", 13), 0);
	identity_fini(&id);
	err_clear(&err);
	assert_int_equal(identity_read(&id, buf_slice(&t->certs), buf_slice(&t->certs), &err),
			 -ERR_BAD_REQUEST);
	assert_int_equal(strncmp(err.msg, "key: ", 5), 0);
	identity_fini(&id);
	assert_int_equal(id.n, 0);
	identity_fini(&id); /* nobody is fine */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_chain_and_its_key_are_read, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_neither_is_told, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("crypto identity", tests, NULL, NULL);
}
