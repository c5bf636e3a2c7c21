/* SPDX-License-Identifier: Apache-2.0 */
/* What each namespace is given, and Secrets of tokens, as the server's own loops see to them. */
#include "rest-fix.h"

#include "apiserver/auth/account-control.h"
#include "crypto/key.h"

#define ACCOUNTS "/api/v1/namespaces/n1/serviceaccounts"
#define MAPS "/api/v1/namespaces/n1/configmaps"
#define SECRETS "/api/v1/namespaces/n1/secrets"
#define MERGE ADMIN "Content-Type: application/merge-patch+json\r\n"

static struct account_control *control;
static struct key *key;

static void begun(void *arg, int result, struct err *err)
{
	(void)err;
	assert_int_equal(result, 0);
	*(bool *)arg = true;
}

static void start(struct rfix *x, const char *roots)
{
	const struct account_control_conf conf = { .loop = x->f->loop,
						   .resources = x->rs,
						   .tokens = x->accounts,
						   .roots = slice_str(roots) };
	bool done = false;

	assert_int_equal(account_control_start(&conf, begun, &done, &control, NULL), 0);
	wait_for(x->f, &done);
}

static void stop(struct rfix *x)
{
	account_control_stop(control);
	while (world_writing(x->w))
		assert_true(loop_step(x->f->loop, NS_PER_SEC, NULL) >= 0);
	account_control_free(STEAL(control));
}

static int begin(void **state)
{
	static const char *const issuers[] = { "https://issuer.example" };
	const struct account_tokens_conf conf = { .issuers = issuers, .nissuers = 1 };
	struct rfix *x;

	assert_int_equal(rest_setup(state), 0);
	x = *state;
	assert_int_equal(key_generate(KEY_P256, 0, &key, NULL), 0);
	assert_int_equal(account_tokens_new(&conf, &x->accounts, NULL), 0);
	assert_int_equal(account_tokens_add_key(x->accounts, key, true, NULL), 0);
	rest_close(x);
	rest_open(x);
	make_namespace(x, "n1");
	start(x, "ROOTS\n");
	return 0;
}

static int end(void **state)
{
	struct rfix *x = *state;
	struct account_tokens *t = x->accounts;
	int r;

	stop(x);
	r = rest_teardown(state);
	account_tokens_free(t);
	key_unref(key);
	return r;
}

/* Until the object has (or no longer has) this text. */
static void comes(struct rfix *x, const char *path, int code, const char *text)
{
	const int64_t until = clock_mono() + 20 * NS_PER_SEC;

	for (;;) {
		(void)get(x, path);
		if (x->code == code && strstr(buf_str(&x->body), text))
			return;
		if (clock_mono() > until)
			fail_msg("%s: %d %s, not %d %s", path, x->code, buf_str(&x->body), code,
				 text);
		assert_true(loop_step(x->f->loop, 5 * NS_PER_MS, NULL) >= 0);
	}
}

static void namespaces_have_their_account_and_the_roots(void **state)
{
	struct rfix *x = *state;

	get(x, ACCOUNTS "/default");
	assert_code(x, 200);
	get(x, MAPS "/kube-root-ca.crt");
	assert_has(x, "\"ca.crt\":\"ROOTS\\n\"");
	(void)ask(x, "DELETE", ACCOUNTS "/default", ADMIN, NULL);
	assert_code(x, 200);
	comes(x, ACCOUNTS "/default", 200, "uid");
	(void)ask(x, "DELETE", MAPS "/kube-root-ca.crt", ADMIN, NULL);
	comes(x, MAPS "/kube-root-ca.crt", 200, "ROOTS");
	(void)ask(x, "PATCH", MAPS "/kube-root-ca.crt", MERGE, "{\"data\":{\"ca.crt\":\"x\"}}");
	assert_code(x, 200);
	comes(x, MAPS "/kube-root-ca.crt", 200, "ROOTS");
	make_namespace(x, "n2");
	comes(x, "/api/v1/namespaces/n2/serviceaccounts/default", 200, "uid");
	/* Words of its labels and annotations say nothing of its state. */
	(void)post(x, "/api/v1/namespaces",
		   "{\"metadata\":{\"name\":\"n3\",\"labels\":{\"phase\":\"Terminating\"},"
		   "\"annotations\":{\"deletionTimestamp\":\"x\"}}}");
	assert_code(x, 201);
	comes(x, "/api/v1/namespaces/n3/serviceaccounts/default", 200, "uid");
	account_control_set_roots(control, SLICE("OTHER\n"));
	comes(x, MAPS "/kube-root-ca.crt", 200, "OTHER");
	comes(x, "/api/v1/namespaces/n2/configmaps/kube-root-ca.crt", 200, "OTHER");
}

static void a_namespace_that_goes_gets_nothing(void **state)
{
	struct rfix *x = *state;

	(void)ask(x, "DELETE", "/api/v1/namespaces/n1", ADMIN, NULL);
	comes(x, "/api/v1/namespaces/n1", 200, "Terminating");
	(void)ask(x, "DELETE", ACCOUNTS "/default", ADMIN, NULL);
	assert_code(x, 200);
	make_namespace(x, "n2"); /* by then it would be there */
	comes(x, "/api/v1/namespaces/n2/configmaps/kube-root-ca.crt", 200, "ROOTS");
	get(x, ACCOUNTS "/default");
	assert_code(x, 404);
}

static void make_secret(struct rfix *x, const char *name, const char *account, const char *more)
{
	char body[1024];

	snprintf(body, sizeof(body),
		 "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"type\":\"kubernetes.io/service-"
		 "account-token\",\"metadata\":{\"name\":\"%s\",\"annotations\":{\"kubernetes.io/"
		 "service-account.name\":\"%s\"%s}}",
		 name, account, more);
	(void)post(x, SECRETS, body);
	assert_code(x, 201);
}

static void secrets_of_tokens_are_filled_and_go_with_their_account(void **state)
{
	struct rfix *x = *state;
	char uid[64];

	(void)post(
		x, ACCOUNTS,
		"{\"apiVersion\":\"v1\",\"kind\":\"ServiceAccount\",\"metadata\":{\"name\":\"bot\""
		"}}");
	get(x, ACCOUNTS "/bot");
	snprintf(uid, sizeof(uid), "%s", answer_text(x, "metadata.uid"));
	make_secret(x, "s", "bot", "}");
	comes(x, SECRETS "/s", 200, "\"token\":\"");
	assert_has(x, uid);
	assert_has(x, "\"ca.crt\":\"Uk9PVFMK\"");
	assert_has(x, "\"namespace\":\"bjE=\"");
	/* of another account of that name; with a finalizer; that may not be changed */
	make_secret(x, "other", "bot", ",\"kubernetes.io/service-account.uid\":\"1\"}");
	comes(x, SECRETS "/other", 404, "not found");
	make_secret(x, "held", "bot", "},\"finalizers\":[\"a.example/b\"]");
	comes(x, SECRETS "/held", 200, "\"token\":\"");
	make_secret(x, "fixed", "bot", "}},\"immutable\":true,\"x\":{\"y\":{}");
	(void)ask(x, "DELETE", ACCOUNTS "/bot", ADMIN, NULL);
	comes(x, SECRETS "/s", 404, "not found");
	comes(x, SECRETS "/fixed", 404, "not found");
	comes(x, SECRETS "/held", 200, "deletionTimestamp");
}

static void all_is_looked_at_when_it_starts(void **state)
{
	struct rfix *x = *state;

	stop(x);
	(void)ask(x, "DELETE", ACCOUNTS "/default", ADMIN, NULL);
	make_secret(x, "s", "default", "}");
	make_namespace(x, "n3");
	start(x, "NEW\n");
	get(x, ACCOUNTS "/default");
	assert_code(x, 200);
	get(x, "/api/v1/namespaces/n3/configmaps/kube-root-ca.crt");
	assert_has(x, "NEW");
	get(x, MAPS "/kube-root-ca.crt");
	assert_has(x, "NEW");
	comes(x, SECRETS "/s", 200, "\"token\":\"");
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(namespaces_have_their_account_and_the_roots),
		TEST(a_namespace_that_goes_gets_nothing),
		TEST(secrets_of_tokens_are_filled_and_go_with_their_account),
		TEST(all_is_looked_at_when_it_starts),
	};

	return cmocka_run_group_tests_name("account-control", tests, NULL, NULL);
}
