/* SPDX-License-Identifier: Apache-2.0 */
/* What kubectl's generators read of flags: comma lists, selectors, quantities, labels, env files.
 */
#include "cli-test.h"

#include "api/api.h"
#include "cli/kubectl/kubectl-make.h"
#include "doc/json.h"

static struct making making(struct kubectl *k)
{
	return (struct making){ .k = k, .name = "x" };
}

static void comma_lists_are_csv(void **state)
{
	static const struct {
		const char *in;
		unsigned flags;
		const char *out;
	} rows[] = {
		{ "a,b,a", 0, "a|b|a|" },
		{ "a,b,a", MAKE_ONCE, "a|b|" },
		{ "a,b", MAKE_WHOLE, "a,b|" },
		{ "\"a,b\",c", 0, "a,b|c|" },
		{ "\"a\"\"b\"", 0, "a\"b|" },
		{ "\"a", 0, "a|" },
		{ "a,", 0, "a||" },
		{ "", 0, "" },
	};
	struct kubectl k = { .arena = *state };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(buf_fini) struct buf b = BUF_INIT(4096);
		const char *words[] = { rows[i].in };
		struct opt_list in = { words, 1 }, out;
		struct err err = ERR_INIT;

		assert_int_equal(make_commas(&k, &in, rows[i].flags, &out, &err), 0);
		for (size_t j = 0; j < out.n; j++)
			buf_addf(&b, "%s|", out.v[j]);
		assert_string_equal(buf_str(&b), rows[i].out);
	}
}

static void selectors_become_objects(void **state)
{
	static const char *const rows[][2] = {
		{ "b=1,a=2", "{\"s\":{\"matchLabels\":{\"a\":\"2\",\"b\":\"1\"}}}" },
		{ "a in (y,x),!b",
		  "{\"s\":{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"In\",\"values\":"
		  "[\"x\",\"y\"]},{\"key\":\"b\",\"operator\":\"DoesNotExist\"}]}}" },
		{ "a!=b", NULL },
		{ "a>1", NULL },
		{ "a in", NULL },
	};
	struct kubectl k = { .arena = *state };
	struct making m = making(&k);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct doc *d = doc_new_object(k.arena);
		struct err err = ERR_INIT;
		int r = make_selector(&m, d, "s", rows[i][0], &err);

		assert_int_equal(r, rows[i][1] ? 0 : -ERR_BAD_REQUEST);
		if (r == 0)
			assert_string_equal(json_of(k.arena, d), rows[i][1]);
		else
			assert_true(*err.msg);
	}
}

static void quantities_are_canonical(void **state)
{
	struct kubectl k = { .arena = *state };
	struct doc *d = doc_new_object(k.arena);
	struct err err = ERR_INIT;

	assert_int_equal(make_quantities(&k, "pods=2,cpu=1000m,memory=1024Mi", d, &err), 0);
	assert_string_equal(json_of(k.arena, d),
			    "{\"cpu\":\"1\",\"memory\":\"1Gi\",\"pods\":\"2\"}");
	assert_int_equal(make_quantities(&k, "cpu", d, &err), -ERR_BAD_REQUEST);
	assert_string_equal(err.msg, "Invalid argument syntax cpu, expected <resource>=<value>");
	assert_int_equal(make_quantities(&k, "cpu=x", d, &err), -ERR_BAD_REQUEST);
	assert_non_null(strstr(err.msg, "quantities must match"));
}

static void labels_are_pairs(void **state)
{
	struct kubectl k = { .arena = *state };
	struct doc *d = doc_new_object(k.arena);
	struct err err = ERR_INIT;

	assert_int_equal(kubectl_labels(&k, "b=,a=1", d, &err), 0);
	assert_string_equal(json_of(k.arena, d), "{\"a\":\"1\",\"b\":\"\"}");
	assert_int_equal(kubectl_labels(&k, "a", d, &err), -ERR_INVALID);
	assert_string_equal(err.msg, "unexpected label spec: a");
	assert_int_equal(kubectl_labels(&k, "=a", d, &err), -ERR_INVALID);
	assert_string_equal(err.msg, "unexpected empty label key");
}

static int on_line(void *arg, const char *key, struct slice value, struct err *err)
{
	(void)err;
	buf_addf(arg, "%s:%.*s;", key, (int)value.n, value.n ? value.p : "");
	return 0;
}

static void env_files_have_lines(void **state)
{
	static const struct {
		const char *text, *out, *why;
	} rows[] = {
		{ "A=1\nB=2=3\n", "A:1;B:2=3;", NULL },
		{ "\xef\xbb\xbf"
		  "A=1\r\n\n  # c\n  B= x",
		  "A:1;B: x;", NULL },
		{ "KUBECTL_MAKE_TEST", "KUBECTL_MAKE_TEST:yes;", NULL },
		{ "NOT_THERE_AT_ALL", "NOT_THERE_AT_ALL:;", NULL },
		{ "1A=b", "", "not a valid key name" },
		{ "A=1\n\xff=b", "A:1;", "invalid utf8 bytes at line 2" },
		{ "", "", NULL },
	};
	struct kubectl k = { .arena = *state };

	setenv("KUBECTL_MAKE_TEST", "yes", 1);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(buf_fini) struct buf b = BUF_INIT(4096);
		struct err err = ERR_INIT;
		int r = kubectl_env_file(&k, slice_str(rows[i].text), "f", on_line, &b, &err);

		assert_int_equal(r, rows[i].why ? -ERR_INVALID : 0);
		assert_string_equal(buf_str(&b), rows[i].out);
		if (rows[i].why)
			assert_non_null(strstr(err.msg, rows[i].why));
	}
}

static void numbers_and_names_differ(void **state)
{
	assert_int_equal(make_int_or_text(*state, SLICE("80")).type, DOC_NUMBER);
	assert_int_equal(make_int_or_text(*state, SLICE("http")).type, DOC_STRING);
	assert_int_equal(make_int_or_text(*state, SLICE("50%")).type, DOC_STRING);
	assert_int_equal(make_int_or_text(*state, SLICE("99999999999")).type, DOC_STRING);
}

static void overrides_are_of_three_types(void **state)
{
	static const struct {
		const char *type, *over, *out;
		int r;
	} rows[] = {
		{ NULL, "{\"a\":null,\"b\":2}", "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"b\":2}",
		  0 },
		{ "json", "[{\"op\":\"remove\",\"path\":\"/a\"}]",
		  "{\"kind\":\"Pod\",\"apiVersion\":\"v1\"}", 0 },
		{ "strategic", "{\"a\":2}", "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"a\":2}", 0 },
		{ "else", "{}", "invalid override type", -ERR_INVALID },
		{ NULL, "{", "Invalid JSON Patch", -ERR_BAD_REQUEST },
	};
	struct kubectl k = { .arena = *state };
	struct making m = making(&k);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct doc *d = doc_of(*state, "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"a\":1}");
		struct err err = ERR_INIT;
		int r = make_override(&m, rows[i].type, rows[i].over, &d, &err);

		assert_int_equal(r, rows[i].r);
		if (r == 0)
			assert_string_equal(json_of(k.arena, d), rows[i].out);
		else
			assert_non_null(strstr(err.msg, rows[i].out));
	}
	assert_non_null(k.api);
	api_fini(k.api);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ARENA_CASE(comma_lists_are_csv),	  ARENA_CASE(selectors_become_objects),
		ARENA_CASE(quantities_are_canonical),	  ARENA_CASE(labels_are_pairs),
		ARENA_CASE(env_files_have_lines),	  ARENA_CASE(numbers_and_names_differ),
		ARENA_CASE(overrides_are_of_three_types),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
