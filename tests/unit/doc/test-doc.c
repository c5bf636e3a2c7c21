/* SPDX-License-Identifier: Apache-2.0 */
/* The document model: lookups, builders, numbers, copies, comparison. */
#include "doc-check.h"

#include <float.h>
#include <stdio.h>

static void lookups_of_nothing_give_nothing(void **state)
{
	struct doc *d = must_read(*state, "{\"a\":{\"b\":[10,{\"c\":\"x\"}]},\"t\":true}");
	unsigned seen = 0;

	assert_string_equal(doc_type_name(d), "object");
	assert_string_equal(doc_type_name(NULL), "nothing");
	assert_true(doc_str_is(doc_get(doc_at(doc_get(doc_get(d, "a"), "b"), 1), "c"), "x"));
	assert_null(doc_get(doc_at(doc_get(doc_get(d, "no"), "b"), 1), "c"));
	assert_null(doc_get(doc_get(d, "t"), "x"));
	assert_null(doc_at(doc_find(d, "a.b"), 2));
	assert_null(doc_at(d, 0));
	assert_true(doc_true(doc_get(d, "t")));
	assert_false(doc_true(doc_get(d, "a")));
	assert_int_equal(doc_len(NULL), 0);
	assert_int_equal(doc_len(doc_get(d, "t")), 0);
	assert_int_equal(doc_slice(d).n, 0);
	assert_null(doc_cstr(*state, d));
	DOC_EACH (it, d)
		seen += it != NULL;
	DOC_EACH_MEMBER (key, value, doc_get(d, "none"))
		seen += key != value;
	assert_int_equal(seen, 0);
}

static void paths_of_literals_find_members_and_elements(void **state)
{
	struct doc *d =
		must_read(*state, "{\"a\":{\"b\":[10,{\"c\":\"x\"}],\"0\":1},\"\":{\"\":2}}");

	assert_true(doc_str_is(doc_find(d, "a.b.1.c"), "x"));
	assert_true(doc_is(doc_find(d, "a.0"), DOC_NUMBER));
	assert_true(doc_is(doc_find(d, "."), DOC_NUMBER));
	assert_null(doc_find(d, "a.b.2"));
	assert_null(doc_find(d, "a.b.-1"));
	assert_null(doc_find(d, "a.b.9999999999"));
	assert_null(doc_find(d, "a.b.1.c.d"));
	assert_null(doc_find(NULL, "a"));
}

static void iteration_visits_all_in_order(void **state)
{
	struct doc *d = must_read(*state, "{\"a\":[1,2,3],\"b\":null}");
	CLEANUP(buf_fini) struct buf b = BUF_INIT(100);

	DOC_EACH_MEMBER (key, value, d)
		assert_int_equal(
			buf_addf(&b, "%.*s=%s ", (int)key->n, key->s, doc_type_name(value)), 0);
	DOC_EACH (it, doc_get(d, "a"))
		assert_int_equal(buf_addf(&b, "%.*s ", (int)it->n, it->s), 0);
	assert_string_equal(buf_str(&b), "a=array b=null 1 2 3 ");
}

static void a_program_builds_a_document(void **state)
{
	struct arena *a = *state;
	struct doc *d = doc_new_object(a), *list;
	char key[] = "temporary", text[] = "text";

	doc_set_str(a, d, key, text);
	memset(key, '#', 4);
	memset(text, '#', 4);
	doc_set_int(a, d, "min", INT64_MIN);
	doc_set_uint(a, d, "max", UINT64_MAX);
	doc_set_bool(a, d, "yes", true);
	doc_set_null(a, d, "none");
	doc_set_strf(a, d, "fmt", "%d-%s", 7, "x");
	doc_set_strn(a, d, "nul", "a\0b", 3);
	doc_set_str(a, d, "absent", NULL);
	list = doc_set_array(a, d, "list");
	doc_append_str(a, list, "one");
	doc_set_str(a, doc_append_object(a, list), "k", "v");
	doc_append(a, list, DOC_LIT("lit\"eral"));
	doc_append(a, list, doc_num(a, 0.1));
	doc_set_str(a, doc_set_object(a, d, "obj"), "in", "side");
	doc_set_str(a, d, "temporary", "replaced");
	assert_doc(
		a, d,
		"{\"temporary\":\"replaced\",\"min\":-9223372036854775808,\"max\":"
		"18446744073709551615,"
		"\"yes\":true,\"none\":null,\"fmt\":\"7-x\",\"nul\":\"a\\u0000b\",\"absent\":null,"
		"\"list\":[\"one\",{\"k\":\"v\"},\"lit\\\"eral\",0.1],\"obj\":{\"in\":\"side\"}}");
	assert_true(doc_get(d, "fmt")->flags == (DOC_CLEAN | DOC_CSTR));
	assert_false(doc_get(d, "nul")->flags & DOC_CSTR);
	assert_ptr_equal(doc_cstr(a, doc_get(d, "fmt")), doc_get(d, "fmt")->s);
}

static void builders_ignore_what_is_no_container(void **state)
{
	struct arena *a = *state;
	struct doc *n = doc_new(a, doc_int(a, 1)), *arr = doc_new_array(a),
		   *obj = doc_new_object(a);

	assert_null(doc_set_str(a, NULL, "a", "b"));
	assert_null(doc_set_str(a, n, "a", "b"));
	assert_null(doc_set_str(a, arr, "a", "b"));
	assert_null(doc_append_str(a, obj, "b"));
	assert_null(doc_append_str(a, NULL, "b"));
	assert_null(doc_insert(a, arr, 1, doc_null()));
	assert_null(doc_add_node(a, obj, doc_null(), doc_null()));
	assert_false(doc_remove(NULL, "a"));
	assert_false(doc_remove(obj, "a"));
	assert_false(doc_remove_at(arr, 0));
	assert_doc(a, arr, "[]");
	assert_doc(a, obj, "{}");
	assert_doc(a, n, "1");
}

static void insert_and_remove_keep_the_order_of_the_rest(void **state)
{
	struct arena *a = *state;
	struct doc *d = must_read(a, "[1,2,3]"), *o = must_read(a, "{\"a\":1,\"b\":2,\"c\":3}");

	assert_non_null(doc_insert(a, d, 0, doc_int(a, 0)));
	assert_non_null(doc_insert(a, d, 2, DOC_LIT("x")));
	assert_non_null(doc_insert(a, d, 5, doc_bool(false)));
	assert_doc(a, d, "[0,1,\"x\",2,3,false]");
	assert_true(doc_remove_at(d, 5));
	assert_true(doc_remove_at(d, 0));
	assert_true(doc_remove_at(d, 1));
	assert_false(doc_remove_at(d, 3));
	assert_doc(a, d, "[1,2,3]");
	assert_true(doc_remove(o, "b"));
	assert_false(doc_remove(o, "b"));
	assert_doc(a, o, "{\"a\":1,\"c\":3}");
	assert_true(doc_remove(o, "c"));
	assert_true(doc_removen(o, SLICE("a")));
	assert_doc(a, o, "{}");
	doc_set_int(a, o, "n", 1);
	assert_doc(a, o, "{\"n\":1}");
}

/* Containers of a reader share one block of memory: growing one must not touch its neighbour. */
static void growing_one_container_leaves_the_others(void **state)
{
	struct arena *a = *state;
	struct doc *d = must_read(a, "{\"x\":[1,2,3,4],\"y\":[5,6,7,8],\"z\":{\"k\":1}}");

	for (int i = 0; i < 100; i++) {
		doc_append(a, doc_get(d, "x"), doc_int(a, i));
		doc_set_strf(a, doc_get(d, "z"), "k", "%d", i);
		doc_set(a, doc_get(d, "z"), i % 2 ? "odd" : "even", doc_int(a, i));
	}
	assert_int_equal(doc_len(doc_get(d, "x")), 104);
	assert_true(doc_equal(doc_get(d, "y"), must_read(a, "[5,6,7,8]")));
	assert_doc(a, doc_get(d, "z"), "{\"k\":\"99\",\"even\":98,\"odd\":99}");
}

static void many_children_cost_little_memory(void **state)
{
	CLEANUP(arena_free) struct arena *a = arena_new("growth", 64u << 20);
	struct doc *d = doc_new_array(a);

	for (int i = 0; i < 200000; i++)
		assert_non_null(doc_append(a, d, doc_bool(i & 1)));
	assert_int_equal(doc_len(d), 200000);
	assert_true(doc_true(doc_at(d, 199999)));
	assert_in_range(arena_used(a), 200000 * 16, 200000 * 16 * 6);
}

static void a_full_arena_gives_null_and_is_told_once(void **state)
{
	bool failed = true;

	for (unsigned n = 1; failed; n++) {
		CLEANUP(arena_free) struct arena *a = arena_new("full", 1 << 20);
		struct doc *d, *copy;

		assert_in_range(n, 1, 60);
		arena_fail_at(a, n);
		d = doc_new_object(a);
		doc_set_str(a, d, "a", "text");
		doc_set_int(a, doc_append_object(a, doc_set_array(a, d, "list")), "n", 5);
		doc_set_str(a, doc_set_object(a, d, "o"), "k", "v");
		copy = d ? doc_copy(a, d) : NULL;
		failed = arena_exceeded(a);
		if (!failed) {
			arena_fail_at(a, 0);
			assert_doc(a, copy,
				   "{\"a\":\"text\",\"list\":[{\"n\":5}],\"o\":{\"k\":\"v\"}}");
			assert_true(n > 10);
		}
	}
}

static void integers_are_exact_or_say_so(void **state)
{
	static const struct {
		const char *text;
		int r;
		int64_t v;
		int ur;
		uint64_t u;
	} rows[] = {
		{ "0", 0, 0, 0, 0 },
		{ "-0", 0, 0, 0, 0 },
		{ "42", 0, 42, 0, 42 },
		{ "-42", 0, -42, 1, 0 },
		{ "1.0", 0, 1, 0, 1 },
		{ "1e3", 0, 1000, 0, 1000 },
		{ "1200e-2", 0, 12, 0, 12 },
		{ "0.5", 1, 0, 1, 0 },
		{ "-1.9", 1, -1, 1, 0 },
		{ "12.75", 1, 12, 1, 12 },
		{ "0.00123e3", 1, 1, 1, 1 },
		{ "9223372036854775807", 0, INT64_MAX, 0, INT64_MAX },
		{ "9223372036854775808", 1, INT64_MAX, 0, (uint64_t)INT64_MAX + 1 },
		{ "-9223372036854775808", 0, INT64_MIN, 1, 0 },
		{ "-9223372036854775809", 1, INT64_MIN, 1, 0 },
		{ "18446744073709551615", 1, INT64_MAX, 0, UINT64_MAX },
		{ "18446744073709551616", 1, INT64_MAX, 1, UINT64_MAX },
		{ "1e400", 1, INT64_MAX, 1, UINT64_MAX },
		{ "1e-400", 1, 0, 1, 0 },
		{ "0e99999999999999999999", 0, 0, 0, 0 },
		{ "1e99999999999999999999", 1, INT64_MAX, 1, UINT64_MAX },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct doc *d = must_read(*state, rows[i].text);
		int64_t v = 77;
		uint64_t u = 77;

		assert_int_equal(doc_int64(d, &v), rows[i].r);
		assert_true(v == rows[i].v);
		assert_int_equal(doc_uint64(d, &u), rows[i].ur);
		assert_true(u == rows[i].u);
	}
}

static void doubles_are_exact_or_say_so(void **state)
{
	static const struct {
		const char *text;
		int r;
		double v;
	} rows[] = {
		{ "0", 0, 0 },
		{ "0.1", 0, 0.1 },
		{ "-1.5e10", 0, -1.5e10 },
		{ "3.141592653589793", 0, 3.141592653589793 },
		{ "3.14159265358979323846", 1, 3.141592653589793 },
		{ "9007199254740993", 1, 9007199254740992.0 },
		{ "1e400", 1, __builtin_inf() },
		{ "1e-400", 1, 0 },
		{ "1.7976931348623157e308", 0, DBL_MAX },
	};
	char longer[400];
	double v = 7;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(doc_double(must_read(*state, rows[i].text), &v), rows[i].r);
		assert_true(v == rows[i].v);
	}
	memset(longer, '0', sizeof(longer));
	memcpy(longer, "1.", 2);
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(doc_double(must_read(*state, longer), &v), 0);
	assert_true(v == 1.0);
}

static void what_is_no_number_has_no_value(void **state)
{
	struct doc *d = must_read(*state, "\"5\"");
	uint64_t u = 7;
	int64_t i = 7;
	double f = 7;

	assert_int_equal(doc_int64(d, &i), -ERR_INVALID);
	assert_int_equal(doc_uint64(NULL, &u), -ERR_INVALID);
	assert_int_equal(doc_double(d, &f), -ERR_INVALID);
	assert_true(i == 7 && u == 7 && f == 7);
}

static void numbers_compare_by_value(void **state)
{
	/* Ascending; those in one row are equal. */
	static const char *const rows[][4] = {
		{ "-1e30", "-1000000000000000000000000000000" },
		{ "-10.5", "-1.05e1", "-105e-1" },
		{ "-10" },
		{ "-1e-20" },
		{ "0", "-0", "0.000", "0e10" },
		{ "1e-999999999999999999999" },
		{ "1e-20", "0.00000000000000000001" },
		{ "0.1", "1e-1", "0.10" },
		{ "1", "1.0", "10e-1", "0.01E+2" },
		{ "1.00000000000000000000000000000001" },
		{ "9007199254740992" },
		{ "9007199254740993", "9007199254740993.000" },
		{ "1e400" },
		{ "1e401", "10e400" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (size_t j = 0; j < ARRAY_LEN(rows); j++)
			for (size_t k = 0; k < 16; k++) {
				const char *x = rows[i][k / 4], *y = rows[j][k % 4];
				int want = i < j ? -1 : i > j, got;

				if (!x || !y)
					continue;
				got = doc_number_cmp(must_read(*state, x), must_read(*state, y));
				if (got != want)
					print_error("%s <> %s: %d\n", x, y, got);
				assert_int_equal(got, want);
			}
}

static void numbers_are_made_in_their_shortest_form(void **state)
{
	struct arena *a = *state;
	struct doc *d = doc_new_array(a), n;
	static const double values[] = {
		0.1, 1.0 / 3, 1e21, 1e-7, -2.5, 123456789, 5e-324, DBL_MAX
	};

	for (size_t i = 0; i < ARRAY_LEN(values); i++)
		doc_append(a, d, doc_num(a, values[i]));
	assert_doc(a, d,
		   "[0.1,0.3333333333333333,1e+21,1e-7,-2.5,123456789,5e-324,1.7976931348623157e+"
		   "308]");
	assert_int_equal(doc_num(a, __builtin_nan("")).type, DOC_NULL);
	assert_int_equal(doc_num(a, __builtin_inf()).type, DOC_NULL);
	assert_true(doc_number_parse(SLICE("-1e5"), &n));
	assert_int_equal(n.flags, DOC_NEG | DOC_EXP);
	assert_true(doc_number_parse(SLICE("17"), &n));
	assert_int_equal(n.flags, DOC_INT);
	assert_false(doc_number_parse(SLICE("017"), &n));
	assert_false(doc_number_parse(SLICE("1 "), &n));
	assert_false(doc_number_parse(slice_of(NULL, 0), &n));
}

static void copies_share_nothing_or_only_strings(void **state)
{
	struct arena *a = *state;
	char text[] = "{\"a\":[\"s\",1,{\"n\":null}],\"b\":{}}";
	struct doc *d = must_read(a, text), *deep = doc_copy(a, d), *shared = doc_copy_shared(a, d);

	assert_true(doc_equal(d, deep));
	assert_false(doc_equal(d, NULL));
	assert_false(doc_equal(NULL, d));
	assert_true(doc_equal(NULL, NULL));
	assert_null(doc_copy(a, NULL));
	assert_null(doc_copy_shared(a, NULL));
	doc_set_str(a, doc_at(doc_get(shared, "a"), 2), "n", "set");
	doc_append_str(a, doc_get(shared, "a"), "more");
	assert_doc(a, d, "{\"a\":[\"s\",1,{\"n\":null}],\"b\":{}}");
	assert_ptr_equal(doc_find(shared, "a.0")->s, doc_find(d, "a.0")->s);
	memset(text, '#', sizeof(text));
	assert_doc(a, deep, "{\"a\":[\"s\",1,{\"n\":null}],\"b\":{}}");
	assert_true(doc_find(deep, "a.0")->flags & DOC_CSTR);
	assert_int_equal(doc_size(deep, 1000), 10 * 16 + 2 * 4 + 2);
	assert_true(doc_size(deep, 20) > 20);
}

static void equality_is_by_value_without_order_of_members(void **state)
{
	static const struct {
		const char *a, *b;
		bool equal;
	} rows[] = {
		{ "{\"a\":1,\"b\":[1,2]}", "{\"b\":[1.0,2e0],\"a\":10e-1}", true },
		{ "{\"a\":{\"x\":1,\"y\":{\"z\":2}}}", "{\"a\":{\"y\":{\"z\":2},\"x\":1}}", true },
		{ "[1,2]", "[2,1]", false },
		{ "[1,2]", "[1,2,3]", false },
		{ "{\"a\":1}", "{\"b\":1}", false },
		{ "{\"a\":1,\"b\":1}", "{\"a\":1}", false },
		{ "{\"a\":{\"b\":{\"c\":1}}}", "{\"a\":{\"b\":{\"c\":2}}}", false },
		{ "\"a\"", "\"\\u0061\"", true },
		{ "\"1\"", "1", false },
		{ "null", "false", false },
		{ "true", "false", false },
		{ "[]", "{}", false },
		{ "\"\"", "\"\"", true },
		{ "[[],{}]", "[[],{}]", true },
		{ "[[[1]],2]", "[[[1]],3]", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct doc *x = must_read(*state, rows[i].a), *y = must_read(*state, rows[i].b);

		assert_int_equal(doc_equal(x, y), rows[i].equal);
		assert_int_equal(doc_equal(y, x), rows[i].equal);
		assert_true(doc_equal(x, x));
	}
}

static void large_objects_in_another_order_compare_quickly(void **state)
{
	struct arena *a = *state;
	struct doc *x = doc_new_object(a), *y = doc_new_object(a);
	char key[16];

	for (int i = 0; i < 100000; i++) {
		size_t n = (size_t)snprintf(key, sizeof(key), "k%d", i);

		doc_add(a, x, slice_of(key, n), doc_int(a, i));
		n = (size_t)snprintf(key, sizeof(key), "k%d", 99999 - i);
		doc_add(a, y, slice_of(key, n), doc_int(a, 99999 - i));
	}
	assert_true(doc_equal(x, y));
	*doc_value_at(y, 5) = doc_int(a, -1);
	assert_false(doc_equal(x, y));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(lookups_of_nothing_give_nothing),
		CASE(paths_of_literals_find_members_and_elements),
		CASE(iteration_visits_all_in_order),
		CASE(a_program_builds_a_document),
		CASE(builders_ignore_what_is_no_container),
		CASE(insert_and_remove_keep_the_order_of_the_rest),
		CASE(growing_one_container_leaves_the_others),
		CASE(many_children_cost_little_memory),
		CASE(a_full_arena_gives_null_and_is_told_once),
		CASE(integers_are_exact_or_say_so),
		CASE(doubles_are_exact_or_say_so),
		CASE(what_is_no_number_has_no_value),
		CASE(numbers_compare_by_value),
		CASE(numbers_are_made_in_their_shortest_form),
		CASE(copies_share_nothing_or_only_strings),
		CASE(equality_is_by_value_without_order_of_members),
		CASE(large_objects_in_another_order_compare_quickly),
	};

	return cmocka_run_group_tests_name("doc", tests, NULL, NULL);
}
