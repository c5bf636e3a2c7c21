/* SPDX-License-Identifier: Apache-2.0 */
/* What a webhook says of a token: answers that are none, users, audiences. (Asking: e2e 6340.) */
#include "../doc/doc-check.h"

#include "apiserver/auth/authn-webhook.h"
#include "apiserver/strategy/strategy.h"

#include <stdio.h>

#define REVIEW(status) \
	"{'kind':'TokenReview','apiVersion':'authentication.k8s.io/v1','status':" status "}"

static const char *quoted(const char *text)
{
	static char out[16384];

	snprintf(out, sizeof(out), "%s", text);
	for (char *p = out; *p; p++)
		if (*p == '\'')
			*p = '"';
	return out;
}

static void only_a_whole_review_says_anything(void **state)
{
	static const struct {
		const char *body;
		int want;
	} rows[] = {
		{ REVIEW("{'authenticated':true,'user':{'username':'a'}}"), 1 },
		{ REVIEW("{'authenticated':false}"), 0 },
		{ REVIEW("{}"), 0 },
		{ REVIEW("{'authenticated':'true'}"), -ERR_INVALID },
		{ REVIEW("[]"), -ERR_INVALID },
		{ "{'kind':'TokenReview','apiVersion':'authentication.k8s.io/v1'}", -ERR_INVALID },
		{ "{'kind':'TokenReview','apiVersion':'authentication.k8s.io/v1beta1','status':{"
		  "'authenticated':true}}",
		  -ERR_INVALID },
		{ "{'kind':'SubjectAccessReview','apiVersion':'authentication.k8s.io/v1',"
		  "'status':{'authenticated':true}}",
		  -ERR_INVALID },
		{ "<html>", -ERR_INVALID },
		{ "", -ERR_INVALID },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(buf_fini) struct buf out = BUF_INIT(4096);
		struct err err = ERR_INIT;
		const int r =
			authn_webhook_read(slice_str(quoted(rows[i].body)), false, &out, &err);

		if (r != rows[i].want)
			fail_msg("%s: %d", rows[i].body, r);
		assert_true(r >= 0 || err.msg[0]);
	}
}

static int user_of(struct arena *a, const char *status, const char *wanted, struct authn_found *ret,
		   struct err *err)
{
	static const char *const own[] = { "us", "here", NULL };
	const char *const want[] = { wanted, NULL };
	const char *text = arena_strdup(a, quoted(status));

	*ret = (struct authn_found){ .user.uid = "" };
	*err = ERR_INIT;
	return authn_webhook_user(slice_str(text), want, own, a, ret, err);
}

static void users_are_as_they_are_told(void **state)
{
	struct arena *a = arena_new("t", 1u << 20);
	struct authn_found f;
	struct err err;

	(void)state;
	assert_int_equal(user_of(a,
				 "{'authenticated':true,'user':{'username':'jo','uid':'7','groups':"
				 "['x','y'],'extra':{'k':['v','w']}}}",
				 "us", &f, &err),
			 1);
	assert_string_equal(f.user.name, "jo");
	assert_string_equal(f.user.uid, "7");
	assert_string_equal(f.user.groups[1], "y");
	assert_null(f.user.groups[2]);
	assert_int_equal(doc_len(doc_get(f.user.extra, "k")), 2);
	assert_string_equal(f.audiences[0], "us");
	assert_int_equal(
		user_of(a, "{'authenticated':true,'user':{'username':'jo'}}", "us", &f, &err), 1);
	assert_string_equal(f.user.uid, "");
	assert_null(f.user.groups[0]);
	assert_null(f.user.extra);
	arena_free(a);
}

static void who_is_no_user_is_refused(void **state)
{
	static const struct {
		const char *status, *says; /* NULL: nobody's */
	} rows[] = {
		{ "{'authenticated':false,'user':{'username':'jo'}}", NULL },
		{ "{'user':{'username':'jo'}}", NULL },
		{ "{'authenticated':false,'error':'expired'}", "expired" },
		{ "{'authenticated':true}", "there is no user" },
		{ "{'authenticated':true,'user':{'username':''}}", "there is no user" },
		{ "{'authenticated':true,'user':{'username':7}}", "there is no user" },
		{ "{'authenticated':true,'user':{'username':'a\\u0000b'}}", "there is no user" },
		{ "{'authenticated':true,'user':{'username':'a','uid':[]}}", "there is no user" },
		{ "{'authenticated':true,'user':{'username':'a','groups':'x'}}", "no user" },
		{ "{'authenticated':true,'user':{'username':'a','groups':['x',1]}}", "no user" },
		{ "{'authenticated':true,'user':{'username':'a','extra':[]}}", "user.extra" },
		{ "{'authenticated':true,'user':{'username':'a','extra':{'k':'v'}}}", "extra" },
		{ "{'authenticated':true,'user':{'username':'a','extra':{'k':[1]}}}", "extra" },
		{ "{'authenticated':true,'audiences':'us','user':{'username':'a'}}", "audiences" },
		{ "{'authenticated':true,'audiences':['else'],'user':{'username':'a'}}", NULL },
	};
	struct arena *a = arena_new("t", 1u << 20);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct authn_found f;
		struct err err;
		const int r = user_of(a, rows[i].status, "us", &f, &err);

		if (r != (rows[i].says ? -ERR_UNAUTHORIZED : 0) ||
		    (rows[i].says && !strstr(err.msg, rows[i].says)))
			fail_msg("%s: %d %s", rows[i].status, r, err.msg);
	}
	arena_free(a);
}

static void audiences_are_those_wanted_that_it_has(void **state)
{
	static const struct {
		const char *list, *wanted;
		int want;
	} rows[] = {
		{ "", "us", 1 },
		{ "", "here", 1 },
		{ "", "else", 0 }, /* none told: it is for this server */
		{ "'audiences':[],", "us", 1 },
		{ "'audiences':['else'],", "else", 1 },
		{ "'audiences':['else'],", "us", 0 },
		{ "'audiences':['a','us'],", "us", 1 },
	};
	struct arena *a = arena_new("t", 1u << 20);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char status[256];
		struct authn_found f;
		struct err err;

		snprintf(status, sizeof(status), "{%s'authenticated':true,'user':{'username':'a'}}",
			 rows[i].list);
		assert_int_equal(user_of(a, status, rows[i].wanted, &f, &err), rows[i].want);
	}
	arena_free(a);
}

static void flags_go_together(void **state)
{
	static const struct {
		struct authn_webhook_flags flags;
		const char *says;
	} rows[] = {
		{ { .version = "v1" }, "go with" },
		{ { .ttl = 1 }, "go with" },
		{ { .config = "/nowhere", .version = "v2" }, "must be v1 or v1beta1" },
		{ { .config = "/nowhere" }, "--authentication-token-webhook-config-file" },
	};
	struct authn_webhook *w;

	(void)state;
	assert_int_equal(authn_webhook_new(&(struct authn_webhook_flags){ 0 }, &w, NULL), 0);
	assert_null(w);
	assert_null(authn_webhook_file(w, 0));
	assert_false(authn_webhook_changed(w));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err err = ERR_INIT;

		assert_true(authn_webhook_new(&rows[i].flags, &w, &err) < 0);
		if (!strstr(err.msg, rows[i].says))
			fail_msg("%s", err.msg);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_a_whole_review_says_anything),
		cmocka_unit_test(users_are_as_they_are_told),
		cmocka_unit_test(who_is_no_user_is_refused),
		cmocka_unit_test(audiences_are_those_wanted_that_it_has),
		cmocka_unit_test(flags_go_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
