/* SPDX-License-Identifier: Apache-2.0 */
/* JSON Pointer: the RFC's own examples, forms that are refused, tokens. */
#include "doc-check.h"

#include "doc/pointer.h"

/* RFC 6901 section 5. */
static const char rfc[] =
	"{\"foo\":[\"bar\",\"baz\"],\"\":0,\"a/b\":1,\"c%d\":2,\"e^f\":3,\"g|h\":4,\"i\\\\j\":5,"
	"\"k\\\"l\":6,\" \":7,\"m~n\":8}";

static void the_examples_of_the_rfc_hold(void **state)
{
	static const char *const rows[][2] = {
		{ "", rfc },
		{ "/foo", "[\"bar\",\"baz\"]" },
		{ "/foo/0", "\"bar\"" },
		{ "/foo/1", "\"baz\"" },
		{ "/", "0" },
		{ "/a~1b", "1" },
		{ "/c%d", "2" },
		{ "/e^f", "3" },
		{ "/g|h", "4" },
		{ "/i\\j", "5" },
		{ "/k\"l", "6" },
		{ "/ ", "7" },
		{ "/m~0n", "8" },
	};
	struct doc *d = must_read(*state, rfc), *found;
	struct err err = ERR_INIT;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_doc(*state, pointer_get(d, slice_str(rows[i][0])), rows[i][1]);
		assert_int_equal(pointer_find(d, slice_str(rows[i][0]), &found, &err), 0);
		assert_ptr_equal(found, pointer_get(d, slice_str(rows[i][0])));
	}
}

static void what_is_missing_is_named(void **state)
{
	static const char *const rows[][2] = {
		{ "/nope", "there is no 'nope' in the object" },
		{ "/foo/2", "there is no '2' in the array" },
		{ "/foo/-", "there is no '-' in the array" },
		{ "/foo/00", "there is no '00' in the array" },
		{ "/foo/1e0", "there is no '1e0' in the array" },
		{ "/foo/99999999999999999999", "in the array" },
		{ "/foo/0/x", "there is no 'x' in the string" },
		{ "/m~1n", "there is no 'm~1n'" },
		{ "/foo/", "there is no '' in the array" },
	};
	struct doc *d = must_read(*state, rfc), *found = NULL;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err err = ERR_INIT;

		assert_null(pointer_get(d, slice_str(rows[i][0])));
		assert_int_equal(pointer_find(d, slice_str(rows[i][0]), &found, &err),
				 -ERR_NOT_FOUND);
		assert_non_null(strstr(err.msg, rows[i][1]));
	}
	assert_null(found);
	assert_null(pointer_get(NULL, SLICE("/a")));
}

static void malformed_pointers_are_refused(void **state)
{
	static const char *const rows[][2] = {
		{ "foo", "must be empty or begin with '/'" },
		{ "#/foo", "begin with '/'" },
		{ "/a~", "'~' must be written as '~0'" },
		{ "/a~2/b", "'~' must be written as '~0'" },
		{ "/foo/~", "'~' must be written as '~0'" },
	};
	struct doc *d = must_read(*state, rfc), *found = NULL;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err err = ERR_INIT;

		assert_int_equal(pointer_check(slice_str(rows[i][0]), &err), -ERR_BAD_REQUEST);
		assert_non_null(strstr(err.msg, rows[i][1]));
		assert_int_equal(pointer_find(d, slice_str(rows[i][0]), &found, NULL),
				 -ERR_BAD_REQUEST);
		assert_null(pointer_get(d, slice_str(rows[i][0])));
	}
	assert_int_equal(pointer_check(SLICE(""), NULL), 0);
	assert_int_equal(pointer_check(SLICE("/~0~1//"), NULL), 0);
}

static void tokens_are_walked_and_decoded(void **state)
{
	struct slice rest = SLICE("/a~1b//~01"), token;
	CLEANUP(arena_free) struct arena *a = arena_new("tiny", 4096);

	assert_true(pointer_next(&rest, &token));
	assert_true(slice_is(token, "a~1b"));
	assert_true(pointer_token_is(token, SLICE("a/b")));
	assert_false(pointer_token_is(token, SLICE("a/")));
	assert_false(pointer_token_is(token, SLICE("a/bc")));
	assert_false(pointer_token_is(token, SLICE("a~1b")));
	assert_true(slice_is(pointer_token(a, token), "a/b"));
	assert_true(pointer_next(&rest, &token));
	assert_int_equal(token.n, 0);
	assert_true(pointer_token_is(token, SLICE("")));
	assert_non_null(pointer_token(a, token).p);
	assert_true(pointer_next(&rest, &token));
	assert_true(slice_is(pointer_token(a, token), "~1"));
	assert_false(pointer_next(&rest, &token));
	arena_fail_at(a, 1);
	assert_null(pointer_token(a, token).p);
}

static void indices_are_plain_digits(void **state)
{
	size_t i = 77;

	assert_int_equal(pointer_index(SLICE("0"), &i), 0);
	assert_int_equal(i, 0);
	assert_int_equal(pointer_index(SLICE("4294967296"), &i), 0);
	assert_true(i == 4294967296);
	assert_int_equal(pointer_index(SLICE("-"), &i), 1);
	assert_int_equal(pointer_index(SLICE("-1"), &i), -ERR_INVALID);
	assert_int_equal(pointer_index(SLICE("+1"), &i), -ERR_INVALID);
	assert_int_equal(pointer_index(SLICE("01"), &i), -ERR_INVALID);
	assert_int_equal(pointer_index(SLICE(""), &i), -ERR_INVALID);
	assert_int_equal(pointer_index(SLICE("12345678901"), &i), -ERR_INVALID);
}

static void keys_are_encoded_into_a_path(void **state)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(20), tight = BUF_INIT(4);

	assert_int_equal(pointer_append(&b, SLICE("a")), 0);
	assert_int_equal(pointer_append(&b, SLICE("b/c~d")), 0);
	assert_int_equal(pointer_append(&b, SLICE("")), 0);
	assert_string_equal(buf_str(&b), "/a/b~1c~0d/");
	assert_int_equal(pointer_append(&tight, SLICE("a/b~c")), -ERR_QUOTA);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(the_examples_of_the_rfc_hold),   CASE(what_is_missing_is_named),
		CASE(malformed_pointers_are_refused), CASE(tokens_are_walked_and_decoded),
		CASE(indices_are_plain_digits),	      CASE(keys_are_encoded_into_a_path),
	};

	return cmocka_run_group_tests_name("pointer", tests, NULL, NULL);
}
