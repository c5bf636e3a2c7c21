/* SPDX-License-Identifier: Apache-2.0 */
/* Selectors of labels and fields: reading, matching, the canonical text. */
#include "../doc/doc-check.h"

#include "api/api.h"
#include "api/selector.h"

static const char *printed(struct arena *a, const struct selector *s)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(1 << 16);

	assert_int_equal(selector_print(s, &out), 0);
	return arena_strndup(a, out.p ? out.p : "", out.n);
}

static void label_texts_are_read(void **state)
{
	static const char *const rows[][2] = {
		{ "", "" },
		{ "a", "a" },
		{ "!a", "!a" },
		{ "a=b", "a=b" },
		{ "a==b", "a=b" },
		{ " a = b , c != d ", "a=b,c!=d" },
		{ "z in (y, x),b notin (q)", "b notin (q),z in (x,y)" },
		{ "a=", "a=" },
		{ "a in (,b)", "a in (,b)" },
		{ "x.io/a>5,b<3", "b<3,x.io/a>5" },
		{ "a=b,a!=c", "a=b,a!=c" },
	};
	struct arena *a = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err err = ERR_INIT;
		struct selector s;

		if (selector_labels(slice_str(rows[i][0]), a, &s, &err) != 0)
			print_error("%s: %s\n", rows[i][0], err.msg);
		assert_int_equal(err.code, 0);
		assert_string_equal(printed(a, &s), rows[i][1]);
	}
}

static void bad_label_texts_are_refused(void **state)
{
	static const char *const rows[] = { "=a",   "a=b=c", "a in b", "a in (b", "a,,b",
					    "a=b,", "a>x",   "a b",    "-a=b",	  "a=-b",
					    "!",    "a in",  "a!b=c",  "(a)",	  "a notin b" };
	struct arena *a = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err err = ERR_INIT;
		struct selector s;

		if (selector_labels(slice_str(rows[i]), a, &s, &err) == 0)
			print_error("taken: %s\n", rows[i]);
		assert_int_equal(err.code, ERR_BAD_REQUEST);
	}
}

static bool labels_match(struct arena *a, const char *selector, const char *labels)
{
	struct err err = ERR_INIT;
	struct selector s;

	assert_int_equal(selector_labels(slice_str(selector), a, &s, &err), 0);
	return selector_match_labels(&s, must_read(a, labels));
}

static void labels_are_matched(void **state)
{
	struct arena *a = *state;
	const char *l = "{\"a\":\"b\",\"n\":\"7\",\"e\":\"\"}";

	assert_true(labels_match(a, "", l));
	assert_true(labels_match(a, "a=b,n in (6,7),e", l));
	assert_false(labels_match(a, "a=c", l));
	assert_true(labels_match(a, "x!=1,y notin (2),!z", l));
	assert_false(labels_match(a, "x=", l));
	assert_true(labels_match(a, "e=", l));
	assert_true(labels_match(a, "n>6,n<8", l));
	assert_false(labels_match(a, "a>6", l));
	assert_true(labels_match(a, "n in (1,2,3,4,5,6,7,8,9,10)", l));
	assert_false(labels_match(a, "n notin (1,2,3,4,5,6,7,8,9,10)", l));
	assert_false(labels_match(a, "a", "{}"));
}

static void objects_are_selectors(void **state)
{
	struct arena *a = *state;
	struct err err = ERR_INIT;
	struct selector s;
	bool none;

	assert_int_equal(selector_object(NULL, a, &s, &none, &err), 0);
	assert_true(none);
	assert_int_equal(selector_object(must_read(a, "{}"), a, &s, &none, &err), 0);
	assert_false(none);
	assert_true(selector_match_labels(&s, NULL));
	assert_int_equal(
		selector_object(
			must_read(
				a,
				"{\"matchLabels\":{\"b\":\"1\"},\"matchExpressions\":[{"
				"\"key\":\"a\",\"operator\":\"NotIn\",\"values\":[\"z\",\"y\"]}]}"),
			a, &s, &none, &err),
		0);
	assert_string_equal(printed(a, &s), "a notin (y,z),b=1");
	assert_int_equal(
		selector_object(
			must_read(a,
				  "{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"is\"}]}"),
			a, &s, &none, &err),
		-ERR_INVALID);
}

static void fields_are_matched(void **state)
{
	struct arena *a = *state;
	CLEANUP(api_fini) struct api api;
	struct err err = ERR_INIT;
	struct selector s;
	struct slice name;
	const struct doc *pod = must_read(a, "{\"metadata\":{\"name\":\"p\"},\"spec\":{"
					     "\"hostNetwork\":true,\"nodeName\":\"a,b\"}}");

	assert_int_equal(api_load(a, &api, &err), 0);
	assert_int_equal(selector_fields(SLICE("metadata.name=p,spec.hostNetwork==true,"
					       "status.phase!=Running,spec.nodeName=a\\,b"),
					 a, &s, &err),
			 0);
	assert_true(selector_match_fields(&s, pod));
	assert_true(selector_requires(&s, "metadata.name", &name));
	assert_true(slice_is(name, "p"));
	assert_false(selector_requires(&s, "status.phase", &name));
	assert_int_equal(selector_check_fields(&s, api_kind(&api, "v1", "Pod"), &err), 0);
	assert_int_equal(selector_check_fields(&s, api_kind(&api, "v1", "ConfigMap"), &err),
			 -ERR_BAD_REQUEST);
	assert_string_equal(err.msg, "field label not supported: spec.hostNetwork");
	assert_int_equal(selector_fields(SLICE("status.phase="), a, &s, &err), 0);
	assert_true(selector_match_fields(&s, pod));
	assert_int_equal(selector_fields(SLICE("a"), a, &s, &err), -ERR_BAD_REQUEST);
	assert_int_equal(selector_fields(SLICE("a=b\\c"), a, &s, &err), -ERR_BAD_REQUEST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(label_texts_are_read), CASE(bad_label_texts_are_refused),
		CASE(labels_are_matched),   CASE(objects_are_selectors),
		CASE(fields_are_matched),
	};

	return cmocka_run_group_tests_name("api selector", tests, NULL, NULL);
}
