/* SPDX-License-Identifier: Apache-2.0 */
/* kubectl's JSONPath: what templates print, what paths find, what is refused. */
#include "../doc/doc-check.h"

#include "expr/jsonpath.h"

#include <stdio.h>

static const char pods[] =
	"{\"kind\":\"List\",\"items\":["
	"{\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\",\"labels\":{\"app.x/y\":\"1\"}},"
	"\"spec\":{\"replicas\":3,\"ratio\":1.5,\"on\":true,\"list\":[1,2,3,4,5]}},"
	"{\"kind\":\"Pod\",\"metadata\":{\"name\":\"b\",\"empty\":null},"
	"\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"},"
	"{\"type\":\"Other\",\"status\":\"False\",\"n\":7}]}}],"
	"\"html\":{\"b\":\"<&>\",\"a\":[]}}";

static const char *printed(struct arena *a, const char *template, const char *json, unsigned flags)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(1 << 16);
	const struct jsonpath *p = NULL;
	struct err err = ERR_INIT;
	int r = jsonpath_compile(slice_str(template), a, &p, &err);

	if (r == 0)
		r = jsonpath_print(p, must_read(a, json), flags, a, &out, &err);
	if (r < 0)
		return arena_printf(a, "%d! %s", -r, err.msg);
	return arena_strndup(a, buf_str(&out), out.n);
}

struct row {
	const char *template, *text;
};

static void prints(struct arena *a, const struct row *rows, size_t n, unsigned flags)
{
	for (size_t i = 0; i < n; i++) {
		const char *text = printed(a, rows[i].template, pods, flags);

		if (strcmp(text, rows[i].text) != 0)
			fail_msg("%s: '%s', not '%s'", rows[i].template, text, rows[i].text);
	}
}

static void templates_print_what_kubectl_prints(void **state)
{
	static const struct row rows[] = {
		{ "plain", "plain" },
		{ "", "" },
		{ "{.kind}", "List" },
		{ "{$.kind}", "List" },
		{ "{@.kind}", "List" },
		{ "{ .kind }", "List" },
		{ "a{.kind}b{.kind}", "aListbList" },
		{ "{\"text\\t\\n\"}", "text\t\n" },
		{ "{'it\\'s'}", "it's" },
		{ "{\"\\u00e9\\x41\"}", "\xc3\xa9"
					"A" },
		{ "{.items[0].metadata.name}", "a" },
		{ "{.items[-1].metadata.name}", "b" },
		{ "{.items[-1:].metadata.name}", "b" },
		{ "{.items[*].metadata.name}", "a b" },
		{ "{.items[:].metadata.name}", "a b" },
		{ "{.items[].metadata.name}", "a" },
		{ "{['kind']}", "List" },
		{ "{.items[0]['metadata'].name}", "a" },
		{ "{.items[0].metadata.labels.app\\.x/y}", "1" },
		{ "{.items[0].metadata.labels['app\\.x/y']}", "1" },
		{ "{.items[0].spec.list[1:3]}", "2 3" },
		{ "{.items[0].spec.list[0:5:2]}", "1 3 5" },
		{ "{.items[0].spec.list[1:1]}", "" },
		{ "{.items[0].spec.list[0,2]}", "1 3" },
		{ "{.items[0].spec['replicas','on']}", "3 true" },
		{ "{.items[0].spec.*}", "3 1.5 true [1,2,3,4,5]" },
		{ "{..name}", "a b" },
		{ "{..metadata.name}", "a b" },
		{ "{.html}", "{\"a\":[],\"b\":\"\\u003c\\u0026\\u003e\"}" },
		{ "{.html.b}", "<&>" },
		{ "{.items[1].metadata.empty}", "<nil>" },
		{ "{.items[?(@.metadata.name==\"b\")].kind}", "Pod" },
		{ "{.items[*].status.conditions[?(@.type=='Ready')].status}", "True" },
		{ "{.items[1].status.conditions[?(@.status!=\"True\")].type}", "Other" },
		{ "{.items[1].status.conditions[?(@.n)].type}", "Other" },
		{ "{.items[1].status.conditions[?(@.n>6)].type}", "Other" },
		{ "{.items[1].status.conditions[?(@.n<7)].type}", "" },
		{ "{.items[1].status.conditions[?(@.n>=7)].type}", "Other" },
		{ "{.items[1].status.conditions[?(@.n<=7)].type}", "Other" },
		{ "{.items[1].status.conditions[?(@.type<\"P\")].type}", "Other" },
		{ "{.items[?(@.spec.on==true)].metadata.name}", "a" },
		{ "{.items[?(@.spec.ratio==1.5)].metadata.name}", "a" },
		{ "{range .items[*]}{.metadata.name}{\"\\n\"}{end}", "a\nb\n" },
		{ "{range .items[*]}[{.metadata.name}]{end}.", "[a][b]." },
		{ "{range .items[*]}{.metadata.name}:{range "
		  ".status.conditions[*]}{.type},{end};{end}!",
		  "a:;b:Ready,Other,;!" },
		{ "{range .none[*]}x{end}y", "y" },
		{ "{true} {false} {1} {-2.5} {007}", "true false 1 -2.5 7" },
	};

	prints(*state, rows, ARRAY_LEN(rows), JSONPATH_MISSING_OK);
}

static void numbers_print_as_go_s(void **state)
{
	static const struct {
		const char *json, *text;
	} rows[] = { { "1", "1" },
		     { "-0.5", "-0.5" },
		     { "1e3", "1000" },
		     { "1e21", "1e+21" },
		     { "1e20", "1e+20" },
		     { "1000000.5", "1.0000005e+06" },
		     { "0.0001", "0.0001" },
		     { "0.00001", "1e-05" },
		     { "1.0", "1" },
		     { "0.1", "0.1" },
		     { "123456.789", "123456.789" } };
	struct arena *a = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char json[64];

		snprintf(json, sizeof(json), "{\"x\":%s}", rows[i].json);
		assert_string_equal(printed(a, "{.x}", json, 0), rows[i].text);
	}
}

static void json_output_is_an_indented_list(void **state)
{
	assert_string_equal(printed(*state, "{.items[*].metadata.name}", pods, JSONPATH_JSON),
			    "[\n    \"a\",\n    \"b\"\n]\n");
}

static void what_is_not_there_is_told(void **state)
{
	static const struct row rows[] = {
		{ "{.nope}", "! nope is not found" },
		{ "{.items[5]}", "! array index out of bounds: index 5, length 2" },
		{ "{.items[-3]}", "! array index out of bounds: index -1, length 2" },
		{ "{.items[0].spec.list[3:1]}",
		  "! starting index 3 is greater than ending index 1" },
		{ "{.items[0].spec.list[0:9]}", "! array index out of bounds: index 8, length 5" },
		{ "{.items[0].spec.list[0:2:0]}", "! step must be > 0" },
		{ "{.kind[0]}", "! string is not array or slice" },
		{ "{.items[0].spec.replicas[0]}", "! int64 is not array or slice" },
		{ "{.html[?(@.a)]}",
		  "! map[string]interface {} is not array or slice and cannot be filtered" },
		{ "{.items[?(@.spec.replicas==\"3\")]}", "! incompatible types for comparison" },
		{ "{.items[?(@.spec==1)]}", "! incompatible types for comparison" },
		{ "{.items[?(@.spec==@.spec)]}", "! invalid type for comparison" },
		{ "{.items[?(@.spec.list[*]==1)]}", "! can only compare one element at a time" },
	};
	struct arena *a = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *text = printed(a, rows[i].template, pods, 0);

		if (!strstr(text, rows[i].text))
			fail_msg("%s: '%s', not '%s'", rows[i].template, text, rows[i].text);
	}
}

static void bad_templates_are_refused(void **state)
{
	static const struct row rows[] = {
		{ "{.a", "unclosed action" },
		{ "{.a\n}", "unclosed action" },
		{ "{", "unclosed action" },
		{ "{.a[0}", "unterminated array" },
		{ "{.a[x]}", "invalid array index x" },
		{ "{.a[1:2:3:4]}", "invalid array index 1:2:3:4" },
		{ "{.a[99999999999]}", "array index 99999999999 is not a number" },
		{ "{.a[?(@.b}", "unterminated filter" },
		{ "{.a[?(@.b) }", "unclosed array expect ]" },
		{ "{.a[?(@.b=~\"x\")]}", "unrecognized filter operator =~" },
		{ "{\"abc}", "unterminated quoted string" },
		{ "{\"\\q\"}", "unquote string" },
		{ "{abc}", "unrecognized identifier abc" },
		{ "{.a....b}", "invalid multiple recursive descent" },
		{ "{!}", "unrecognized character in action: '!'" },
		{ "{1.2.3}", "cannot parse number 1.2.3" },
		{ "{end}", "not in range, nothing to end" },
		{ "{range .a}{.b}", "range without an end" },
		{ "{.a[?({.b)]}", "unrecognized character" },
		{ "{.a[?(@.b}c)]}", "unclosed action" },
	};
	struct arena *a = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct jsonpath *p = NULL;
		struct err err = ERR_INIT;

		if (jsonpath_compile(slice_str(rows[i].template), a, &p, &err) != -ERR_INVALID ||
		    !strstr(err.msg, rows[i].text))
			fail_msg("%s: '%s'", rows[i].template, err.msg);
	}
}

static void paths_find_values_with_or_without_braces(void **state)
{
	static const char *const rows[] = { ".spec.n",	 "spec.n",     "{.spec.n}", "{spec.n}",
					    " .spec.n ", "['spec'].n", "$.spec.n" };
	struct arena *a = *state;
	struct doc *d = must_read(a, "{\"spec\":{\"n\":5,\"none\":null}}");

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct jsonpath_found found = { 0 };
		const struct jsonpath *p = NULL;
		struct err err = ERR_INIT;

		assert_int_equal(jsonpath_compile_path(slice_str(rows[i]), a, &p, &err), 0);
		assert_int_equal(jsonpath_find(p, d, 0, a, &found, &err), 0);
		assert_int_equal(found.n, 1);
		assert_ptr_equal(found.v[0], doc_find(d, "spec.n"));
	}
}

static void what_a_path_misses_is_nothing_when_that_is_fine(void **state)
{
	struct arena *a = *state;
	struct doc *d = must_read(a, "{\"a\":[{\"b\":1},{\"c\":2}]}");
	struct jsonpath_found found = { 0 };
	const struct jsonpath *p = NULL;
	struct err err = ERR_INIT;

	assert_int_equal(jsonpath_compile_path(SLICE(".x.y[0].z"), a, &p, &err), 0);
	assert_int_equal(jsonpath_find(p, d, JSONPATH_MISSING_OK, a, &found, &err), 0);
	assert_int_equal(found.n, 0);
	assert_int_equal(jsonpath_find(p, d, 0, a, &found, &err), -ERR_NOT_FOUND);
	assert_string_equal(err.msg, "x is not found");
}

static void work_is_bounded(void **state)
{
	struct arena *a = *state, *small = arena_new("small", 4 << 10);
	CLEANUP(buf_fini) struct buf text = BUF_INIT(1 << 20), out = BUF_INIT(16);
	const struct jsonpath *p = NULL;
	struct err err = ERR_INIT;
	struct doc *d;

	buf_adds(&text, "[");
	for (int i = 0; i < 2000; i++)
		buf_addf(&text, "%s[1,2]", i ? "," : "");
	buf_adds(&text, "]");
	d = must_read(a, buf_str(&text));
	assert_int_equal(jsonpath_compile(SLICE("{[*][*]}"), a, &p, &err), 0);
	assert_int_equal(jsonpath_print(p, d, 0, a, &out, &err), -ERR_QUOTA);
	assert_int_equal(jsonpath_print(p, d, 0, small, &out, &err), -ERR_QUOTA);
	buf_clear(&text);
	for (int i = 0; i < 40; i++)
		buf_adds(&text, "{range .a}");
	assert_int_equal(jsonpath_compile(buf_slice(&text), a, &p, &err), -ERR_TOO_LARGE);
	assert_non_null(strstr(err.msg, "ranges in one another"));
	while (text.n < (65u << 10))
		buf_adds(&text, "xxxxxxxxxxxxxxxxxxxxxx");
	assert_int_equal(jsonpath_compile(buf_slice(&text), a, &p, &err), -ERR_TOO_LARGE);
	arena_free(small);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(templates_print_what_kubectl_prints),
		CASE(numbers_print_as_go_s),
		CASE(json_output_is_an_indented_list),
		CASE(what_is_not_there_is_told),
		CASE(bad_templates_are_refused),
		CASE(paths_find_values_with_or_without_braces),
		CASE(what_a_path_misses_is_nothing_when_that_is_fine),
		CASE(work_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
