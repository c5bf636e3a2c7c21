/* SPDX-License-Identifier: Apache-2.0 */
/* JSON Patch and Merge Patch: the RFCs' own examples, every way to fail, bounds. */
#include "doc-check.h"

#include "doc/patch.h"

#include <stdio.h>

/* RFC 6902 appendix A, and more: document, patch, result. */
static const char *const good[][3] = {
	{ "{\"foo\":\"bar\"}", "[{\"op\":\"add\",\"path\":\"/baz\",\"value\":\"qux\"}]",
	  "{\"baz\":\"qux\",\"foo\":\"bar\"}" },
	{ "{\"foo\":[\"bar\",\"baz\"]}", "[{\"op\":\"add\",\"path\":\"/foo/1\",\"value\":\"qux\"}]",
	  "{\"foo\":[\"bar\",\"qux\",\"baz\"]}" },
	{ "{\"baz\":\"qux\",\"foo\":\"bar\"}", "[{\"op\":\"remove\",\"path\":\"/baz\"}]",
	  "{\"foo\":\"bar\"}" },
	{ "{\"foo\":[\"bar\",\"qux\",\"baz\"]}", "[{\"op\":\"remove\",\"path\":\"/foo/1\"}]",
	  "{\"foo\":[\"bar\",\"baz\"]}" },
	{ "{\"baz\":\"qux\",\"foo\":\"bar\"}",
	  "[{\"op\":\"replace\",\"path\":\"/baz\",\"value\":\"boo\"}]",
	  "{\"baz\":\"boo\",\"foo\":\"bar\"}" },
	{ "{\"foo\":{\"bar\":\"baz\",\"waldo\":\"fred\"},\"qux\":{\"corge\":\"grault\"}}",
	  "[{\"op\":\"move\",\"from\":\"/foo/waldo\",\"path\":\"/qux/thud\"}]",
	  "{\"foo\":{\"bar\":\"baz\"},\"qux\":{\"corge\":\"grault\",\"thud\":\"fred\"}}" },
	{ "{\"foo\":[\"all\",\"grass\",\"cows\",\"eat\"]}",
	  "[{\"op\":\"move\",\"from\":\"/foo/1\",\"path\":\"/foo/3\"}]",
	  "{\"foo\":[\"all\",\"cows\",\"eat\",\"grass\"]}" },
	{ "{\"baz\":\"qux\",\"foo\":[\"a\",2,\"c\"]}",
	  "[{\"op\":\"test\",\"path\":\"/baz\",\"value\":\"qux\"},{\"op\":\"test\",\"path\":\"/foo/"
	  "1\",\"value\":2}]",
	  "{\"baz\":\"qux\",\"foo\":[\"a\",2,\"c\"]}" },
	{ "{\"foo\":\"bar\"}",
	  "[{\"op\":\"add\",\"path\":\"/child\",\"value\":{\"grandchild\":{}}}]",
	  "{\"foo\":\"bar\",\"child\":{\"grandchild\":{}}}" },
	{ "{\"foo\":\"bar\"}", "[{\"op\":\"add\",\"path\":\"/baz\",\"value\":\"qux\",\"xyz\":123}]",
	  "{\"foo\":\"bar\",\"baz\":\"qux\"}" },
	{ "{\"/\":9,\"~1\":10}", "[{\"op\":\"test\",\"path\":\"/~01\",\"value\":10}]",
	  "{\"/\":9,\"~1\":10}" },
	{ "{\"foo\":[\"bar\"]}",
	  "[{\"op\":\"add\",\"path\":\"/foo/-\",\"value\":[\"abc\",\"def\"]}]",
	  "{\"foo\":[\"bar\",[\"abc\",\"def\"]]}" },
	{ "{\"a\":1}", "[]", "{\"a\":1}" },
	{ "{\"a\":1}",
	  "[{\"op\":\"replace\",\"path\":\"\",\"value\":[1]},{\"op\":\"add\",\"path\":\"/"
	  "0\",\"value\":0}]",
	  "[0,1]" },
	{ "{\"a\":1}", "[{\"op\":\"add\",\"path\":\"\",\"value\":null}]", "null" },
	{ "{\"a\":1}", "[{\"op\":\"add\",\"path\":\"/a\",\"value\":null}]", "{\"a\":null}" },
	{ "{\"a\":{\"b\":1}}", "[{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/a/c\"}]",
	  "{\"a\":{\"b\":1,\"c\":{\"b\":1}}}" },
	{ "{\"a\":{\"b\":1}}",
	  "[{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/c\"},{\"op\":\"add\",\"path\":\"/c/"
	  "d\",\"value\":2}]",
	  "{\"a\":{\"b\":1},\"c\":{\"b\":1,\"d\":2}}" },
	{ "{\"a\":{\"b\":1}}", "[{\"op\":\"move\",\"from\":\"/a/b\",\"path\":\"\"}]", "1" },
	{ "{\"a\":1}", "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/a\"}]", "{\"a\":1}" },
	{ "{\"a\":1,\"ab\":2}", "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/ab\"}]",
	  "{\"ab\":1}" },
	{ "{\"a/b\":{\"~\":1}}",
	  "[{\"op\":\"remove\",\"path\":\"/a~1b/~0\"},{\"op\":\"add\",\"path\":\"/"
	  "x~1y\",\"value\":1}]",
	  "{\"a/b\":{},\"x/y\":1}" },
	{ "{\"a\":1.0}", "[{\"op\":\"test\",\"path\":\"/a\",\"value\":1}]", "{\"a\":1.0}" },
	{ "[1,2]",
	  "[{\"op\":\"add\",\"path\":\"/2\",\"value\":3},{\"op\":\"remove\",\"path\":\"/0\"}]",
	  "[2,3]" },
};

static void patches_give_what_the_rfc_says(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct doc *d = must_read(*state, good[i][0]), *p = must_read(*state, good[i][1]),
			   *out = NULL;
		struct err err = ERR_INIT;

		if (patch_apply(*state, d, p, NULL, &out, &err) < 0)
			print_error("%s: %s\n", good[i][1], err.msg);
		assert_non_null(out);
		assert_true(doc_equal(out, must_read(*state, good[i][2])));
		/* Neither input has changed. */
		assert_doc(*state, d, good[i][0]);
		assert_doc(*state, p, good[i][1]);
	}
}

#define OP(rest) "[{" rest "}]"

static void patches_that_cannot_apply_are_refused_with_their_place(void **state)
{
	static const char target[] = "{\"a\":{\"b\":[1,2]},\"s\":\"x\"}";
	static const struct {
		const char *patch;
		int code;
		const char *part;
	} rows[] = {
		{ "{}", ERR_BAD_REQUEST, "must be an array of operations, not object" },
		{ "[1]", ERR_BAD_REQUEST, "operation 1: must be an object, not number" },
		{ "[{}]", ERR_BAD_REQUEST, "operation 1: 'op' must be a string, not nothing" },
		{ OP("\"op\":1,\"path\":\"/a\""), ERR_BAD_REQUEST,
		  "'op' must be a string, not number" },
		{ OP("\"op\":\"add\""), ERR_BAD_REQUEST, "'path' must be a string, not nothing" },
		{ OP("\"op\":\"add\",\"path\":\"/x\""), ERR_BAD_REQUEST,
		  "operation 1 (add '/x'): 'value' is missing" },
		{ OP("\"op\":\"replace\",\"path\":\"/s\""), ERR_BAD_REQUEST, "'value' is missing" },
		{ OP("\"op\":\"test\",\"path\":\"/s\""), ERR_BAD_REQUEST, "'value' is missing" },
		{ OP("\"op\":\"move\",\"path\":\"/s\""), ERR_BAD_REQUEST,
		  "'from' must be a string" },
		{ OP("\"op\":\"copy\",\"path\":\"/s\",\"from\":3"), ERR_BAD_REQUEST,
		  "'from' must be a string, not number" },
		{ OP("\"op\":\"merge\",\"path\":\"/s\""), ERR_BAD_REQUEST, "unknown operation" },
		{ OP("\"op\":\"ADD\",\"path\":\"/s\",\"value\":1"), ERR_BAD_REQUEST,
		  "unknown operation" },
		{ OP("\"op\":\"add\",\"path\":\"s\",\"value\":1"), ERR_BAD_REQUEST,
		  "begin with '/'" },
		{ OP("\"op\":\"copy\",\"path\":\"/s\",\"from\":\"/~2\""), ERR_BAD_REQUEST,
		  "'~' must be written" },
		{ OP("\"op\":\"add\",\"path\":\"/no/x\",\"value\":1"), ERR_INVALID,
		  "(add '/no/x'): there is no 'no'" },
		{ OP("\"op\":\"add\",\"path\":\"/s/x\",\"value\":1"), ERR_INVALID,
		  "cannot add 'x' to a string" },
		{ OP("\"op\":\"add\",\"path\":\"/a/b/3\",\"value\":1"), ERR_INVALID,
		  "index 3 is past the end of the array of 2" },
		{ OP("\"op\":\"add\",\"path\":\"/a/b/x\",\"value\":1"), ERR_INVALID,
		  "'x' is no index" },
		{ OP("\"op\":\"add\",\"path\":\"/a/b/01\",\"value\":1"), ERR_INVALID,
		  "'01' is no index" },
		{ OP("\"op\":\"replace\",\"path\":\"/a/b/-\",\"value\":1"), ERR_INVALID,
		  "there is no '-' in the array" },
		{ OP("\"op\":\"replace\",\"path\":\"/a/b/2\",\"value\":1"), ERR_INVALID,
		  "there is no '2' in the array" },
		{ OP("\"op\":\"replace\",\"path\":\"/n\",\"value\":1"), ERR_INVALID,
		  "there is no 'n' in the object" },
		{ OP("\"op\":\"remove\",\"path\":\"/n\""), ERR_INVALID,
		  "there is no 'n' in the object" },
		{ OP("\"op\":\"remove\",\"path\":\"/a/b/9\""), ERR_INVALID, "there is no '9'" },
		{ OP("\"op\":\"remove\",\"path\":\"\""), ERR_INVALID,
		  "the whole document cannot be removed" },
		{ OP("\"op\":\"move\",\"path\":\"/a/b\",\"from\":\"/a\""), ERR_INVALID,
		  "'/a' cannot be moved into itself" },
		{ OP("\"op\":\"move\",\"path\":\"/a\",\"from\":\"\""), ERR_INVALID,
		  "cannot be moved into itself" },
		{ OP("\"op\":\"move\",\"path\":\"/x\",\"from\":\"/y\""), ERR_INVALID,
		  "there is no 'y'" },
		{ OP("\"op\":\"move\",\"path\":\"/y\",\"from\":\"/y\""), ERR_INVALID,
		  "there is no 'y'" },
		{ OP("\"op\":\"copy\",\"path\":\"/x\",\"from\":\"/a/b/c\""), ERR_INVALID,
		  "'c' is no index" },
		{ OP("\"op\":\"test\",\"path\":\"/s\",\"value\":\"y\""), ERR_CONFLICT,
		  "operation 1 (test '/s'): the value there is not the one" },
		{ OP("\"op\":\"test\",\"path\":\"/a/b\",\"value\":[2,1]"), ERR_CONFLICT,
		  "not the one" },
		{ OP("\"op\":\"test\",\"path\":\"/none\",\"value\":null"), ERR_INVALID,
		  "there is no 'none'" },
		{ "[{\"op\":\"remove\",\"path\":\"/s\"},{\"op\":\"remove\",\"path\":\"/s\"}]",
		  ERR_INVALID, "operation 2 (remove '/s')" },
	};
	struct doc *d = must_read(*state, target), *out = NULL;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err err = ERR_INIT;
		int r = patch_apply(*state, d, must_read(*state, rows[i].patch), NULL, &out, &err);

		if (r != -rows[i].code || !strstr(err.msg, rows[i].part))
			print_error("%s: %d %s\n", rows[i].patch, r, err.msg);
		assert_int_equal(r, -rows[i].code);
		assert_non_null(strstr(err.msg, rows[i].part));
		assert_null(out);
	}
	assert_doc(*state, d, target);
}

static struct doc *repeat(struct arena *a, const char *op, int n)
{
	struct doc *p = doc_new_array(a), *one = must_read(a, op);

	for (int i = 0; i < n; i++)
		doc_append(a, p, *one);
	assert_false(arena_exceeded(a));
	return p;
}

static void patches_are_bounded(void **state)
{
	static const struct patch_limits few = { .max_ops = 2 };
	struct doc *d = must_read(*state, "{\"a\":[1]}"), *out, *big = doc_new_array(*state);
	struct err err = ERR_INIT;
	const char *add = "{\"op\":\"add\",\"path\":\"/0\",\"value\":1}";

	assert_int_equal(patch_apply(*state, d, repeat(*state, add, 3), &few, &out, &err),
			 -ERR_TOO_LARGE);
	assert_non_null(strstr(err.msg, "the patch has 3 operations; at most 2 are allowed"));
	assert_int_equal(patch_apply(*state, d, repeat(*state, add, 10001), NULL, &out, &err),
			 -ERR_TOO_LARGE);
	/* Doubles each time: refused long before 2^40 copies. */
	assert_int_equal(
		patch_apply(
			*state, d,
			repeat(*state, "{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/a/-\"}", 40),
			NULL, &out, &err),
		-ERR_TOO_LARGE);
	assert_non_null(strstr(err.msg, "copy operations together add more than 3145728 bytes"));
	/* Shifts the whole of a large array each time. */
	for (int i = 0; i < 100000; i++)
		doc_append(*state, big, doc_null());
	assert_int_equal(patch_apply(*state, big, repeat(*state, add, 10000), NULL, &out, &err),
			 -ERR_TOO_LARGE);
	assert_non_null(strstr(err.msg, "moves or passes more than"));
	assert_int_equal(patch_apply(*state, big, repeat(*state, add, 10), NULL, &out, &err), 0);
	assert_int_equal(doc_len(out), 100010);
}

static void the_result_may_be_changed_without_touching_the_inputs(void **state)
{
	struct doc *d = must_read(*state, "{\"a\":{\"b\":[1]}}"), *p, *out;
	struct err err = ERR_INIT;

	p = must_read(
		*state,
		"[{\"op\":\"add\",\"path\":\"/"
		"c\",\"value\":{\"d\":[]}},{\"op\":\"add\",\"path\":\"/c/d/-\",\"value\":1}]");
	assert_int_equal(patch_apply(*state, d, p, NULL, &out, &err), 0);
	doc_append(*state, doc_find(out, "a.b"), doc_null());
	doc_append(*state, doc_find(out, "c.d"), doc_null());
	assert_doc(*state, out, "{\"a\":{\"b\":[1,null]},\"c\":{\"d\":[1,null]}}");
	assert_doc(*state, d, "{\"a\":{\"b\":[1]}}");
	assert_doc(*state, doc_find(p, "0.value"), "{\"d\":[]}");
	assert_int_equal(patch_merge(*state, d, must_read(*state, "{\"x\":1}"), &out, &err), 0);
	doc_append(*state, doc_find(out, "a.b"), doc_null());
	assert_doc(*state, d, "{\"a\":{\"b\":[1]}}");
}

/* RFC 7396 appendix A, and more: document (NULL: absent), patch, result. */
static const char *const merges[][3] = {
	{ "{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}" },
	{ "{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}" },
	{ "{\"a\":\"b\"}", "{\"a\":null}", "{}" },
	{ "{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}" },
	{ "{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}" },
	{ "{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}" },
	{ "{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}", "{\"a\":{\"b\":\"d\"}}" },
	{ "{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}" },
	{ "[\"a\",\"b\"]", "[\"c\",\"d\"]", "[\"c\",\"d\"]" },
	{ "{\"a\":\"b\"}", "[\"c\"]", "[\"c\"]" },
	{ "{\"a\":\"foo\"}", "null", "null" },
	{ "{\"a\":\"foo\"}", "\"bar\"", "\"bar\"" },
	{ "{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}" },
	{ "[1,2]", "{\"a\":\"b\",\"c\":null}", "{\"a\":\"b\"}" },
	{ "{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}" },
	{ NULL, "{\"a\":{\"n\":null,\"x\":1},\"z\":null}", "{\"a\":{\"x\":1}}" },
	{ "{\"a\":1}", "{\"a\":{\"b\":{\"c\":2,\"d\":null}}}", "{\"a\":{\"b\":{\"c\":2}}}" },
	{ "{\"a\":1}", "{}", "{\"a\":1}" },
	{ "{\"a\":[{\"n\":null}]}", "{\"b\":[null]}", "{\"a\":[{\"n\":null}],\"b\":[null]}" },
};

static void merge_patches_give_what_the_rfc_says(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(merges); i++) {
		struct doc *d = merges[i][0] ? must_read(*state, merges[i][0]) : NULL, *out = NULL;
		struct err err = ERR_INIT;

		assert_int_equal(
			patch_merge(*state, d, must_read(*state, merges[i][1]), &out, &err), 0);
		assert_doc(*state, out, merges[i][2]);
	}
}

static void the_difference_of_two_documents_is_a_merge_patch(void **state)
{
	static const char *const rows[][3] = {
		{ "{\"a\":1,\"b\":2}", "{\"a\":1,\"c\":3}", "{\"b\":null,\"c\":3}" },
		{ "{\"a\":{\"x\":1,\"y\":{\"z\":1}}}", "{\"a\":{\"x\":1,\"y\":{\"z\":1}}}", "{}" },
		{ "{\"a\":{\"x\":1,\"y\":{\"z\":1}},\"k\":{}}",
		  "{\"a\":{\"x\":1,\"y\":{\"z\":2}},\"k\":{}}", "{\"a\":{\"y\":{\"z\":2}}}" },
		{ "{\"a\":{\"x\":1}}", "{\"a\":{}}", "{\"a\":{\"x\":null}}" },
		{ "{\"a\":1}", "{\"a\":{}}", "{\"a\":{}}" },
		{ "{}", "{\"a\":{}}", "{\"a\":{}}" },
		{ "{\"a\":[1,2]}", "{\"a\":[1,3]}", "{\"a\":[1,3]}" },
		{ "{\"a\":1.0}", "{\"a\":1}", "{}" },
		{ "{\"n\":null}", "{}", "{\"n\":null}" },
		{ "{\"a\":1}", "[1]", "[1]" },
		{ "[1]", "{\"a\":1}", "{\"a\":1}" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct doc *from = must_read(*state, rows[i][0]),
			   *to = must_read(*state, rows[i][1]), *diff, *back;
		struct err err = ERR_INIT;

		assert_int_equal(patch_merge_diff(*state, from, to, &diff, &err), 0);
		assert_doc(*state, diff, rows[i][2]);
		assert_int_equal(patch_merge(*state, from, diff, &back, &err), 0);
		assert_true(doc_equal(back, to));
	}
}

static void large_objects_merge_quickly(void **state)
{
	struct arena *a = *state;
	struct doc *d = doc_new_object(a), *p = doc_new_object(a), *out, *diff, *back;
	struct err err = ERR_INIT;
	char key[16];

	for (int i = 0; i < 100000; i++) {
		doc_add(a, d, slice_of(key, (size_t)snprintf(key, sizeof(key), "k%d", i)),
			doc_int(a, i));
		doc_add(a, p, slice_of(key, (size_t)snprintf(key, sizeof(key), "k%d", 150000 - i)),
			i % 2 ? doc_null() : doc_bool(true));
	}
	assert_int_equal(patch_merge(a, d, p, &out, &err), 0);
	assert_int_equal(doc_len(out), 100001);
	assert_int_equal(patch_merge_diff(a, d, out, &diff, &err), 0);
	assert_int_equal(patch_merge(a, d, diff, &back, &err), 0);
	assert_true(doc_equal(back, out));
}

static int merge_back(struct arena *a, const struct doc *d, const struct doc *p, struct err *err)
{
	struct doc *out, *diff;
	int r = patch_merge(a, d, p, &out, err);

	return r < 0 ? r : patch_merge_diff(a, d, out, &diff, err);
}

static void an_arena_that_ends_anywhere_is_a_clean_error(void **state)
{
	struct doc *d = must_read(*state, "{\"a\":{\"b\":[1,{\"x\":2}]},\"c~\":{\"d\":1}}");
	struct doc *p =
		must_read(*state, "[{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/c~0/n\"},"
				  "{\"op\":\"add\",\"path\":\"/a/b/0\",\"value\":{\"q\":[1]}},"
				  "{\"op\":\"move\",\"from\":\"/a/b\",\"path\":\"/z\"}]");
	struct doc *m = must_read(*state, "{\"a\":{\"b\":[{\"q\":1}],\"n\":{\"o\":{\"p\":[1]}}}}"),
		   *out;

	for (int kind = 0; kind < 2; kind++) {
		int r = -1;

		for (unsigned n = 1; r != 0; n++) {
			CLEANUP(arena_free) struct arena *a = arena_new("ending", 1 << 20);
			struct err err = ERR_INIT;

			assert_in_range(n, 1, 60);
			arena_fail_at(a, n);
			r = kind ? merge_back(a, d, m, &err)
				 : patch_apply(a, d, p, NULL, &out, &err);
			assert_true(r == 0 ? n > 5 : r == -ERR_QUOTA && strstr(err.msg, "ending"));
		}
	}
	assert_doc(*state, d, "{\"a\":{\"b\":[1,{\"x\":2}]},\"c~\":{\"d\":1}}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(patches_give_what_the_rfc_says),
		CASE(patches_that_cannot_apply_are_refused_with_their_place),
		CASE(patches_are_bounded),
		CASE(the_result_may_be_changed_without_touching_the_inputs),
		CASE(merge_patches_give_what_the_rfc_says),
		CASE(the_difference_of_two_documents_is_a_merge_patch),
		CASE(large_objects_merge_quickly),
		CASE(an_arena_that_ends_anywhere_is_a_clean_error),
	};

	return cmocka_run_group_tests_name("patch", tests, NULL, NULL);
}
