/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON reader and writer. Run with "suite" it reads the JSONTestSuite from $TEU_SHARED/data/json
 * instead (exit 77 when it is not there). The same file is also built against the folder's scalar
 * loops.
 */
#include "doc-check.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/mman.h>

static void assert_refused(struct arena *a, struct slice text, const struct json_options *opt,
			   int code, const char *part)
{
	struct doc *d = (struct doc *)a;
	struct err err = ERR_INIT;
	int r = json_read(a, text, opt, &d, &err);

	if (r != -code || !strstr(err.msg, part))
		print_error("'%.*s': %d '%s', wanted '%s'\n", (int)text.n, text.p, r, err.msg,
			    part);
	assert_int_equal(r, -code);
	assert_int_equal(err.code, code);
	assert_non_null(strstr(err.msg, part));
	assert_ptr_equal(d, a);
}

static void what_is_read_is_written_back_the_same(void **state)
{
	static const char *const texts[] = {
		"null",
		"true",
		"false",
		"0",
		"-0",
		"12",
		"-1.5e+10",
		"1E400",
		"\"\"",
		"\"a\"",
		"[]",
		"{}",
		"[1,2,3]",
		"[[],{},[{}]]",
		"{\"a\":1}",
		"{\"\":{\"b\":[null,true,false]}}",
		"{\"z\":1,\"a\":2,\"m\":[{\"x\":\"y\"}]}",
		"123456789012345678901234567890.000000000000000000001",
		"\"sixteen bytes long and more\"",
		"\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"",
		"\"\x7f\"",
		"[\"1234567\",\"12345678\",\"123456789\",\"123456789012345\",\"1234567890123456\"]",
		"[\"123\",\"1234\"]",
		"\"12345678901234567890123456789012\"",
		"\"123456789012345678901234567890123\"",
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		assert_string_equal(written(*state, must_read(*state, texts[i]), NULL), texts[i]);
}

static void blanks_are_skipped_between_tokens_only(void **state)
{
	struct doc *d = must_read(*state, " \t\r\n{ \"a b\" :\n[ 1 ,\t2 ] , \"c\" : { } }\n ");

	assert_string_equal(written(*state, d, NULL), "{\"a b\":[1,2],\"c\":{}}");
	assert_refused(*state, SLICE("[1 2]"), NULL, ERR_BAD_REQUEST,
		       "expected ',' or ']', found '2'");
	assert_refused(*state, SLICE("\f[]"), NULL, ERR_BAD_REQUEST,
		       "expected a value, found byte 0x0c");
	assert_refused(*state, SLICE("\xef\xbb\xbf{}"), NULL, ERR_BAD_REQUEST, "found byte 0xef");
}

static void broken_text_is_refused_with_its_place(void **state)
{
	static const struct {
		const char *text, *part;
	} rows[] = {
		{ "", "line 1 column 1 (byte 0): expected a value, found the end of the text" },
		{ "{", "expected '\"' to begin a key, found the end" },
		{ "[", "expected a value, found the end" },
		{ "{\"a\"", "expected ':' after a key" },
		{ "{\"a\":", "expected a value" },
		{ "{\"a\":1", "expected ',' or '}'" },
		{ "{\"a\":1,}", "expected '\"' to begin a key, found '}'" },
		{ "{a:1}", "(byte 1): expected '\"' to begin a key, found 'a'" },
		{ "{\"a\" 1}", "expected ':' after a key, found '1'" },
		{ "[1,]", "column 4 (byte 3): expected a value, found ']'" },
		{ "[1}", "expected ',' or ']', found '}'" },
		{ "{\"a\":1]", "expected ',' or '}', found ']'" },
		{ "]", "expected a value" },
		{ "[1]]", "expected nothing more after the value, found ']'" },
		{ "{} x", "expected nothing more after the value, found 'x'" },
		{ "[\n  1,\n  oops]", "line 3 column 3 (byte 9): expected a value, found 'o'" },
		{ "tru", "expected true, found the end" },
		{ "[nul1]", "(byte 4): expected null, found '1'" },
		{ "falsy", "expected false, found 'y'" },
		{ "01", "malformed number" },
		{ "-", "malformed number" },
		{ "+1", "expected a value, found '+'" },
		{ ".5", "expected a value, found '.'" },
		{ "1.", "malformed number" },
		{ "[1.e1]", "malformed number" },
		{ "1e", "malformed number" },
		{ "1e+", "malformed number" },
		{ "-a", "malformed number" },
		{ "1a", "expected nothing more" },
		{ "0x1", "expected nothing more" },
		{ "NaN", "expected a value" },
		{ "\"abc", "expected '\"' to end the string, found the end" },
		{ "\"abc\\", "expected '\"' to end the string" },
		{ "\"a\nb\"", "byte 2): control character" },
		{ "\"\\x\"", "expected one of \"\\/bfnrtu after a backslash, found 'x'" },
		{ "\"\\u12\"", "four hexadecimal digits" },
		{ "\"\\u12g4\"", "four hexadecimal digits" },
		{ "\"\\ud800\"", "half of a surrogate pair" },
		{ "\"\\udc00\\ud800\"", "half of a surrogate pair" },
		{ "\"\\ud800\\u0041\"", "half of a surrogate pair" },
		{ "\"\x80\"", "not valid UTF-8" },
		{ "\"\xc0\xaf\"", "not valid UTF-8" },
		{ "\"\xc3\"", "not valid UTF-8" },
		{ "\"\xe0\x9f\xbf\"", "not valid UTF-8" },
		{ "\"\xed\xa0\x80\"", "not valid UTF-8" },
		{ "\"\xf0\x8f\xbf\xbf\"", "not valid UTF-8" },
		{ "\"\xf4\x90\x80\x80\"", "not valid UTF-8" },
		{ "\"0123456789abcdef\xff\"", "(byte 17): string is not valid UTF-8" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_refused(*state, slice_str(rows[i].text), NULL, ERR_BAD_REQUEST,
			       rows[i].part);
	assert_refused(*state, slice_of(NULL, 0), NULL, ERR_BAD_REQUEST, "expected a value");
	assert_refused(*state, SLICE("[\0]"), NULL, ERR_BAD_REQUEST, "found byte 0x00");
	assert_refused(*state, SLICE("\"\\\0\""), NULL, ERR_BAD_REQUEST, "found byte 0x00");
}

static void escapes_are_decoded_and_written_in_the_short_form(void **state)
{
	struct doc *d = must_read(
		*state, "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\u20ac\\ud83d\\ude00\\u001f\"");

	assert_true(
		slice_is(doc_slice(d), "\"\\/\b\f\n\r\tA\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\x1f"));
	assert_false(d->flags & DOC_CLEAN);
	assert_true(d->flags & DOC_CSTR);
	assert_string_equal(
		written(*state, d, NULL),
		"\"\\\"\\\\/\\b\\f\\n\\r\\tA\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\\u001f\"");
	d = must_read(*state, "{\"\\u0061\\u0000\":\"plain\\u0020text\"}");
	assert_int_equal(doc_key_at(d, 0)->n, 2);
	assert_false(doc_key_at(d, 0)->flags & DOC_CSTR);
	assert_true(doc_value_at(d, 0)->flags & DOC_CLEAN);
	assert_string_equal(written(*state, d, NULL), "{\"a\\u0000\":\"plain text\"}");
}

static void bad_unicode_is_replaced_when_asked(void **state)
{
	static const struct json_options replace = { .replace = true };
	struct err err = ERR_INIT;
	struct doc *d;

	assert_int_equal(
		json_read(
			*state,
			SLICE("[\"\\ud800x\",\"\\udc00\\ud800\",\"a\xff\xfe\",\"\\ud800\\u0041\"]"),
			&replace, &d, &err),
		0);
	assert_string_equal(
		written(*state, d, NULL),
		"[\"\xef\xbf\xbdx\",\"\xef\xbf\xbd\xef\xbf\xbd\",\"a\xef\xbf\xbd\xef\xbf\xbd\","
		"\"\xef\xbf\xbd"
		"A\"]");
	assert_refused(*state, SLICE("\"\\uZZZZ\""), &replace, ERR_BAD_REQUEST, "hexadecimal");
}

static void strings_borrow_the_text_unless_it_is_copied(void **state)
{
	static const struct json_options copy = { .copy = true };
	char text[] = "{\"key\":[\"value\",\"a\\u0000b\",17]}";
	struct err err = ERR_INIT;
	struct doc *d;

	d = must_read(*state, text);
	assert_ptr_equal(doc_key_at(d, 0)->s, text + 2);
	assert_true(doc_key_at(d, 0)->flags == DOC_CLEAN);
	assert_int_equal(json_read(*state, slice_str(text), &copy, &d, &err), 0);
	assert_string_equal(text, "{\"key\":[\"value\",\"a\\u0000b\",17]}");
	memset(text, '#', sizeof(text));
	assert_string_equal(doc_key_at(d, 0)->s, "key");
	assert_string_equal(doc_at(doc_get(d, "key"), 0)->s, "value");
	assert_string_equal(doc_cstr(*state, doc_at(doc_get(d, "key"), 0)), "value");
	assert_null(doc_cstr(*state, doc_at(doc_get(d, "key"), 1)));
	assert_string_equal(written(*state, d, NULL), "{\"key\":[\"value\",\"a\\u0000b\",17]}");
	assert_refused(*state, SLICE("{\"a\":\n x}"), &copy, ERR_BAD_REQUEST,
		       "line 2 column 2 (byte 7)");
}

static void the_last_of_duplicate_keys_wins_in_the_first_place(void **state)
{
	struct doc *d = must_read(*state, "{\"a\":1,\"b\":2,\"a\":3,\"c\":4,\"\\u0061\":5}");

	assert_string_equal(written(*state, d, NULL), "{\"a\":5,\"b\":2,\"c\":4}");
	assert_string_equal(written(*state, must_read(*state, "{\"\":1,\"\":2}"), NULL),
			    "{\"\":2}");
}

static void duplicate_keys_are_refused_when_asked(void **state)
{
	static const struct json_options strict = { .dup = JSON_DUP_ERROR };
	struct err err = ERR_INIT;
	struct doc *d;

	assert_refused(*state, SLICE("{\"a\":1,\n\"a\":2}"), &strict, ERR_BAD_REQUEST,
		       "line 2 column 1 (byte 8): duplicate key 'a'");
	assert_refused(*state, SLICE("{\"spec\":{\"containers\":[{},{\"name\":1,\"name\":2}]}}"),
		       &strict, ERR_BAD_REQUEST, "duplicate key 'spec.containers[1].name'");
	assert_refused(*state, SLICE("{\"a\":1,\"\\u0061\":2}"), &strict, ERR_BAD_REQUEST,
		       "duplicate key 'a'");
	assert_refused(*state, SLICE("{\"e\\u001b\":1,\"e\\u001b\":2}"), &strict, ERR_BAD_REQUEST,
		       "duplicate key 'e?'");
	/* Equal first and last bytes and equal lengths are not yet equal keys. */
	assert_int_equal(json_read(*state,
				   SLICE("{\"prefix--Xsuffix--\":1,\"prefix--Ysuffix--\":2}"),
				   &strict, &d, &err),
			 0);
}

/* An object of n keys, the last equal to key `same` (or none for -1). */
static struct slice object_of(struct buf *b, int n, int same)
{
	buf_clear(b);
	assert_int_equal(buf_addc(b, '{'), 0);
	for (int i = 0; i < n; i++)
		assert_int_equal(buf_addf(b, "%s\"k%d\":%d", i ? "," : "",
					  i == n - 1 && same >= 0 ? same : i, i),
				 0);
	assert_int_equal(buf_addc(b, '}'), 0);
	return buf_slice(b);
}

static void duplicates_are_found_in_objects_of_any_size(void **state)
{
	static const struct json_options strict = { .dup = JSON_DUP_ERROR };
	static const int sizes[] = { 2, 3, 7, 8, 9, 10, 33, 63, 64, 65, 66, 500, 20000 };
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1 << 20);
	struct err err = ERR_INIT;
	struct doc *d;

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		int n = sizes[i];

		assert_int_equal(json_read(*state, object_of(&b, n, -1), &strict, &d, &err), 0);
		assert_int_equal(doc_len(d), n);
		assert_refused(*state, object_of(&b, n, 0), &strict, ERR_BAD_REQUEST,
			       "duplicate key 'k0'");
		assert_refused(*state, object_of(&b, n, n - 2), &strict, ERR_BAD_REQUEST,
			       "duplicate key 'k");
		assert_int_equal(json_read(*state, object_of(&b, n, 0), NULL, &d, &err), 0);
		assert_int_equal(doc_len(d), n - 1);
	}
}

static void duplicates_are_counted_with_their_paths(void **state)
{
	struct json_dups dups = { 0 };
	struct json_options opt = { .dup = JSON_DUP_COUNT, .dups = &dups };
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1 << 20);
	struct err err = ERR_INIT;
	struct doc *d;

	assert_int_equal(json_read(*state,
				   SLICE("[0,{\"x\":{\"a\":1,\"a\":2,\"a\":3},\"y\":1,\"y\":2}]"),
				   &opt, &d, &err),
			 0);
	assert_int_equal(dups.count, 3);
	assert_string_equal(dups.path[0], "[1].x.a");
	assert_string_equal(dups.path[1], "[1].x.a");
	assert_string_equal(dups.path[2], "[1].y");
	assert_string_equal(written(*state, d, NULL), "[0,{\"x\":{\"a\":3},\"y\":2}]");
	assert_int_equal(buf_adds(&b, "{\"q\":0"), 0);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(buf_adds(&b, ",\"q\":1"), 0);
	assert_int_equal(buf_adds(&b, "}"), 0);
	dups.count = 0;
	assert_int_equal(json_read(*state, buf_slice(&b), &opt, &d, &err), 0);
	assert_int_equal(dups.count, 1000);
}

static void depth_is_bounded(void **state)
{
	struct json_options opt = { .max_depth = 3 };
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1 << 20);
	struct err err = ERR_INIT;
	struct doc *d;

	assert_int_equal(json_read(*state, SLICE("[[{}]]"), &opt, &d, &err), 0);
	assert_refused(*state, SLICE("[[{\"a\":[]}]]"), &opt, ERR_TOO_LARGE,
		       "nested deeper than the limit");
	for (int i = 0; i < 100000; i++)
		assert_int_equal(buf_addc(&b, '['), 0);
	assert_refused(*state, buf_slice(&b), NULL, ERR_TOO_LARGE, "column 513");
	opt.max_depth = 200000;
	assert_refused(*state, buf_slice(&b), &opt, ERR_BAD_REQUEST,
		       "expected a value, found the end");
	for (int i = 0; i < 100000; i++)
		assert_int_equal(buf_addc(&b, ']'), 0);
	assert_int_equal(json_read(*state, buf_slice(&b), &opt, &d, &err), 0);
	assert_string_equal(written(*state, d, NULL), buf_str(&b));
	assert_true(doc_equal(d, doc_copy(*state, d)));
}

static void nodes_and_memory_are_bounded(void **state)
{
	struct json_options opt = { .max_nodes = 5 };
	CLEANUP(arena_free) struct arena *small = arena_new("tiny", 4096);
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1 << 20);
	struct err err = ERR_INIT;
	struct doc *d;

	assert_int_equal(json_read(*state, SLICE("[1,2,3,4]"), &opt, &d, &err), 0);
	assert_refused(*state, SLICE("[1,2,3,4,5]"), &opt, ERR_TOO_LARGE,
		       "more values than the limit");
	assert_int_equal(json_read(*state, SLICE("{\"a\":1,\"b\":2}"), &opt, &d, &err), 0);
	assert_refused(*state, SLICE("{\"a\":1,\"b\":[2]}"), &opt, ERR_TOO_LARGE,
		       "more values than the limit");
	assert_int_equal(buf_adds(&b, "[0"), 0);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(buf_adds(&b, ",0"), 0);
	assert_refused(*state, buf_slice(&b), &opt, ERR_TOO_LARGE, "more values than the limit");
	assert_int_equal(buf_adds(&b, "]"), 0);
	assert_refused(small, buf_slice(&b), NULL, ERR_QUOTA, "tiny");
	assert_refused(*state, slice_of(buf_str(&b), (size_t)UINT32_MAX), NULL, ERR_TOO_LARGE,
		       "4 GiB");
}

static void an_arena_that_ends_anywhere_is_a_clean_error(void **state)
{
	static const char text[] =
		"{\"a\":[1,{\"b\":\"x\\ny\"},[]],\"c\":{\"d\":1,\"d\":2},\"e\":\"\\u00e9\"}";
	struct json_dups dups = { 0 };
	struct json_options opt = { .copy = true, .dup = JSON_DUP_COUNT, .dups = &dups };
	int r = -1;

	for (unsigned n = 1; r != 0; n++) {
		CLEANUP(arena_free) struct arena *a = arena_new("failing", 1 << 20);
		struct err err = ERR_INIT;
		struct doc *d;

		assert_in_range(n, 1, 30);
		dups.count = 0;
		arena_fail_at(a, n);
		r = json_read(a, slice_str(text), &opt, &d, &err);
		if (r == 0) {
			arena_fail_at(a, 0);
			assert_int_equal(doc_len(d), 3);
			assert_true(n > 6);
			break;
		}
		assert_int_equal(r, -ERR_QUOTA);
		assert_non_null(strstr(err.msg, "failing"));
	}
}

static void a_stream_is_read_value_by_value(void **state)
{
	const char *text = " {\"a\":1}\n[2] \"three\" 4 ";
	struct slice rest = slice_str(text);
	struct err err = ERR_INIT;
	size_t used = 0;
	struct json_options opt = { .consumed = &used };
	struct doc *d;
	static const size_t ends[] = { 8, 12, 20, 22 };

	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		assert_int_equal(json_read(*state, rest, &opt, &d, &err), 0);
		rest = slice_of(rest.p + used, rest.n - used);
		assert_int_equal(rest.p - text, ends[i]);
	}
	assert_int_equal(json_read(*state, rest, &opt, &d, &err), 1);
}

static void every_cut_of_a_stream_asks_for_more(void **state)
{
	static const char text[] = "{\"a\":[true,null,-1.5e3,\"\\u00e9\xe2\x82\xac\"],\"b\":{}}";
	struct err err = ERR_INIT;
	size_t used = 77;
	struct json_options opt = { .consumed = &used };
	struct doc *d;

	for (size_t n = 0; n < sizeof(text) - 1; n++) {
		int r = json_read(*state, slice_of(text, n), &opt, &d, &err);

		if (r != 1)
			print_error("cut at %zu: %d %s\n", n, r, err.msg);
		assert_int_equal(r, 1);
		assert_int_equal(json_read(*state, slice_of(text, n), NULL, &d, &err),
				 -ERR_BAD_REQUEST);
	}
	assert_int_equal(used, 77);
	assert_refused(*state, SLICE("{\"a\" x"), &opt, ERR_BAD_REQUEST, "expected ':'");
	assert_refused(*state, SLICE("[1,trx"), &opt, ERR_BAD_REQUEST, "expected true");
}

/* The text ends at an unreadable page: one byte too many would kill the test. */
static void nothing_past_the_text_is_read(void **state)
{
	static const char text[] =
		"{\"k\":1,\"kk\":2,\"longer-key\":\"v\",\"\":\"0123456789abcdef\",\"e\":[1.5]}";
	char *map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct err err = ERR_INIT;

	assert_ptr_not_equal(map, MAP_FAILED);
	assert_int_equal(mprotect(map + 4096, 4096, PROT_NONE), 0);
	for (size_t n = 0; n < sizeof(text); n++) {
		char *at = map + 4096 - n;
		struct doc *d;
		int r;

		memcpy(at, text, n);
		r = json_read(*state, slice_of(at, n), NULL, &d, &err);
		assert_int_equal(r, n == sizeof(text) - 1 ? 0 : -ERR_BAD_REQUEST);
		if (r == 0)
			assert_string_equal(written(*state, d, NULL), text);
	}
	munmap(map, 8192);
}

static void pretty_output_has_the_form_of_marshalindent(void **state)
{
	static const struct json_style two = { .indent = "  " },
				       tab = { .indent = "\t", .prefix = "> " };
	struct doc *d = must_read(*state, "{\"a\":[1,{\"b\":null}],\"c\":{},\"d\":[],\"e\":\"x\"}");

	assert_string_equal(
		written(*state, d, &two),
		"{\n  \"a\": [\n    1,\n    {\n      \"b\": null\n    }\n  ],\n  \"c\": {},\n"
		"  \"d\": [],\n  \"e\": \"x\"\n}");
	assert_string_equal(written(*state, must_read(*state, "[1,[2]]"), &tab),
			    "[\n> \t1,\n> \t[\n> \t\t2\n> \t]\n> ]");
	assert_string_equal(written(*state, must_read(*state, "{}"), &two), "{}");
	assert_string_equal(written(*state, must_read(*state, "3"), &two), "3");
}

static void keys_are_sorted_when_asked(void **state)
{
	static const struct json_style sorted = { .order = JSON_SORTED },
				       canonical = { .order = JSON_CANONICAL };
	struct doc *d = must_read(
		*state, "{\"b\":{\"z\":1,\"y\":2},\"a\":[{\"d\":1,\"c\":2}],\"aa\":0,\"\":0}");

	assert_string_equal(written(*state, d, &sorted),
			    "{\"\":0,\"a\":[{\"c\":2,\"d\":1}],\"aa\":0,\"b\":{\"y\":2,\"z\":1}}");
	/* U+1F600 is D83D DE00 in UTF-16: before U+FB33, though not in UTF-8. */
	d = must_read(*state, "{\"\xef\xac\xb3\":1,\"\xf0\x9f\x98\x80\":2,\"\xe2\x82\xac\":3}");
	assert_string_equal(written(*state, d, &canonical),
			    "{\"\xe2\x82\xac\":3,\"\xf0\x9f\x98\x80\":2,\"\xef\xac\xb3\":1}");
	assert_string_equal(written(*state, d, &sorted),
			    "{\"\xe2\x82\xac\":3,\"\xef\xac\xb3\":1,\"\xf0\x9f\x98\x80\":2}");
}

static void canonical_numbers_have_one_form(void **state)
{
	static const struct json_style canonical = { .order = JSON_CANONICAL };
	static const char *const rows[][2] = {
		{ "0", "0" },
		{ "-0", "0" },
		{ "0.0e5", "0" },
		{ "1.0", "1" },
		{ "10e-1", "1" },
		{ "100", "100" },
		{ "1e2", "100" },
		{ "1E20", "100000000000000000000" },
		{ "1e21", "1e+21" },
		{ "1e-6", "0.000001" },
		{ "1e-7", "1e-7" },
		{ "77.5e99999999999999999999", "77.5e99999999999999999999" },
		{ "0.00000123", "0.00000123" },
		{ "1230e-10", "1.23e-7" },
		{ "-1.50", "-1.5" },
		{ "333333333.33333329", "333333333.33333329" },
		{ "4.50", "4.5" },
		{ "2e-3", "0.002" },
		{ "0.000000000000000000000000001", "1e-27" },
		{ "123456789012345678901234567890", "1.2345678901234567890123456789e+29" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_string_equal(written(*state, must_read(*state, rows[i][0]), &canonical),
				    rows[i][1]);
}

static void html_is_escaped_when_asked(void **state)
{
	static const struct json_style html = { .html = true };
	struct doc *d =
		must_read(*state, "{\"<k>\":\"a&b\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaa\xc3\xa9\"}");

	assert_string_equal(
		written(*state, d, &html),
		"{\"\\u003ck\\u003e\":\"a\\u0026b\\u2028\\u2029\xe2\x80\xaa\xc3\xa9\"}");
}

static void bytes_of_programs_always_come_out_as_json(void **state)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1 << 16);
	struct doc *d = doc_new_array(*state), *back;
	char all[512];

	doc_append(*state, d,
		   doc_strn(*state,
			    "a\xff"
			    "b\xed\xa0\x80"
			    "c\xc3",
			    8));
	assert_string_equal(written(*state, d, NULL),
			    "[\"a\\ufffdb\\ufffd\\ufffd\\ufffdc\\ufffd\"]");
	for (size_t i = 0; i < sizeof(all); i++)
		all[i] = (char)(i * 7);
	assert_int_equal(json_write_string(&b, slice_of(all, sizeof(all)), false), 0);
	back = must_read(*state, buf_str(&b));
	assert_int_equal(back->type, DOC_STRING);
	buf_clear(&b);
	assert_int_equal(json_write_string(&b, slice_of(all, sizeof(all)), true), 0);
	assert_true(doc_equal(back, must_read(*state, buf_str(&b))));
	buf_clear(&b);
	assert_int_equal(json_write_string(&b, slice_of(NULL, 0), false), 0);
	assert_string_equal(buf_str(&b), "\"\"");
}

static void output_past_the_maximum_leaves_the_buffer_as_it_was(void **state)
{
	struct doc *d = must_read(
		*state,
		"{\"a\":[1,2,{\"b\":\"cccccccccccccccccccccccccccccccccccccccccccc\\n\"}]}");
	static const struct json_style styles[] = {
		{ 0 }, { .indent = "    " }, { .order = JSON_SORTED }, { .html = true }
	};
	bool fitted = false;

	for (size_t i = 0; i < ARRAY_LEN(styles); i++) {
		for (size_t max = 4; max < 300; max++) {
			CLEANUP(buf_fini) struct buf b = BUF_INIT(max);
			struct err err = ERR_INIT;
			int r;

			assert_int_equal(buf_adds(&b, "keep"), 0);
			r = json_write(d, &styles[i], &b, &err);
			fitted = r == 0;
			if (r == 0) {
				assert_true(doc_equal(d, must_read(*state, b.p + 4)));
				continue;
			}
			assert_int_equal(r, -ERR_QUOTA);
			assert_non_null(strstr(err.msg, "bytes allowed"));
			assert_string_equal(buf_str(&b), "keep");
			assert_int_equal(json_write_string(&b, SLICE("x"), false), -ERR_QUOTA);
		}
		assert_true(fitted);
	}
}

static void long_output_grows_the_buffer(void **state)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(8 << 20);
	struct doc *d = doc_new_array(*state), *back;
	struct err err = ERR_INIT;

	for (int i = 0; i < 20000; i++)
		doc_append(*state, d,
			   i % 3 ? doc_int(*state, i)
				 : doc_str(*state, "some text \n with an escape"));
	assert_false(arena_exceeded(*state));
	assert_int_equal(buf_adds(&b, "  "), 0);
	assert_int_equal(json_write(d, NULL, &b, &err), 0);
	back = must_read(*state, buf_str(&b));
	assert_int_equal(doc_len(back), 20000);
	assert_true(doc_equal(d, back));
}

/* ---- JSONTestSuite ---- */

struct tally {
	unsigned y, n, i_yes, i_no, other, wrong;
};

/* What the standard leaves open, and what we accept of it: names without "i_" and ".json". */
static const char *const open_accepted[] = {
	"number_double_huge_neg_exp",  "number_huge_exp",
	"number_neg_int_huge_exp",     "number_pos_double_huge_exp",
	"number_real_neg_overflow",    "number_real_pos_overflow",
	"number_real_underflow",       "number_too_big_neg_int",
	"number_too_big_pos_int",      "number_very_big_negative_int",
	"structure_500_nested_arrays", NULL,
};

static void run_file(struct arena *a, const char *dir, const char *name, struct tally *t)
{
	char path[1024], plain[256];
	static char text[1 << 20];
	struct err err = ERR_INIT;
	struct doc *d;
	bool ok, want;
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "re");
	assert_non_null(f);
	n = fread(text, 1, sizeof(text), f);
	fclose(f);
	ok = json_read(a, slice_of(text, n), NULL, &d, &err) == 0;
	if (ok)
		assert_true(doc_equal(d, must_read(a, written(a, d, NULL))));
	str_copy(plain, sizeof(plain), name + 2);
	plain[strlen(plain) - 5] = '\0';
	want = name[0] == 'y' || (name[0] == 'i' && str_is_one_of(plain, open_accepted));
	if (name[0] == 'i') {
		t->i_yes += ok;
		t->i_no += !ok;
		print_message("  %s %s\n", ok ? "accepted" : "refused ", plain);
	} else {
		t->y += name[0] == 'y';
		t->n += name[0] == 'n';
	}
	if (ok != want) {
		print_error("%s: %s\n", name, ok ? "accepted" : err.msg);
		t->wrong++;
	}
}

/* What becomes of questionable texts: no verdict, only shown. */
static void show_transforms(struct arena *a, const char *shared)
{
	char path[1024], text[4096];
	struct err err = ERR_INIT;
	struct dirent *e;
	struct doc *d;
	DIR *list;

	snprintf(path, sizeof(path), "%s/data/json/test_transform", shared);
	list = opendir(path);
	while (list && (e = readdir(list))) {
		FILE *f;
		size_t n;

		snprintf(path, sizeof(path), "%s/data/json/test_transform/%s", shared, e->d_name);
		f = strstr(e->d_name, ".json") ? fopen(path, "re") : NULL;
		if (!f)
			continue;
		n = fread(text, 1, sizeof(text), f);
		fclose(f);
		if (json_read(a, slice_of(text, n), NULL, &d, &err) == 0)
			print_message("  %s: %s\n", e->d_name, written(a, d, NULL));
		else
			print_message("  %s: %s\n", e->d_name, err.msg);
	}
	if (list)
		closedir(list);
}

static int run_suite(void)
{
	const char *shared = getenv("TEU_SHARED");
	CLEANUP(arena_free) struct arena *a = arena_new("suite", ARENA_MAX);
	struct tally t = { 0 };
	struct dirent *e;
	char dir[512];
	DIR *list;

	snprintf(dir, sizeof(dir), "%s/data/json/test_parsing", shared ? shared : "../shared");
	list = opendir(dir);
	if (!list) {
		print_message("skipped: no JSONTestSuite at %s\n", dir);
		return 77;
	}
	while ((e = readdir(list)))
		if (strchr("yni", e->d_name[0]) && e->d_name[1] == '_' &&
		    strstr(e->d_name, ".json"))
			run_file(a, dir, e->d_name, &t);
	closedir(list);
	show_transforms(a, shared ? shared : "../shared");
	print_message("JSONTestSuite: %u accepted, %u refused, open cases %u accepted, %u refused; "
		      "%u wrong\n",
		      t.y, t.n, t.i_yes, t.i_no, t.wrong);
	return t.wrong || t.y == 0 || t.n == 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		CASE(what_is_read_is_written_back_the_same),
		CASE(blanks_are_skipped_between_tokens_only),
		CASE(broken_text_is_refused_with_its_place),
		CASE(escapes_are_decoded_and_written_in_the_short_form),
		CASE(bad_unicode_is_replaced_when_asked),
		CASE(strings_borrow_the_text_unless_it_is_copied),
		CASE(the_last_of_duplicate_keys_wins_in_the_first_place),
		CASE(duplicate_keys_are_refused_when_asked),
		CASE(duplicates_are_found_in_objects_of_any_size),
		CASE(duplicates_are_counted_with_their_paths),
		CASE(depth_is_bounded),
		CASE(nodes_and_memory_are_bounded),
		CASE(an_arena_that_ends_anywhere_is_a_clean_error),
		CASE(a_stream_is_read_value_by_value),
		CASE(every_cut_of_a_stream_asks_for_more),
		CASE(nothing_past_the_text_is_read),
		CASE(pretty_output_has_the_form_of_marshalindent),
		CASE(keys_are_sorted_when_asked),
		CASE(canonical_numbers_have_one_form),
		CASE(html_is_escaped_when_asked),
		CASE(bytes_of_programs_always_come_out_as_json),
		CASE(output_past_the_maximum_leaves_the_buffer_as_it_was),
		CASE(long_output_grows_the_buffer),
	};

	if (argc > 1 && strcmp(argv[1], "suite") == 0)
		return run_suite();
	return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
