/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML: what scalars mean under both flavours, keys, merges, anchors, errors with their place,
 * bounds, the writer; and the YAML test suite where it is at hand, with the list of cases in which
 * the Go readers and libyaml are known to differ from YAML 1.2.
 */
#include "base/arena.h"
#include "doc/json.h"
#include "doc/schema.h"
#include "doc/yaml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>
#include <dirent.h>

#define K8S                         \
	&(struct yaml_options)      \
	{                           \
		.flavour = YAML_K8S \
	}
#define COMPOSE                         \
	&(struct yaml_options)          \
	{                               \
		.flavour = YAML_COMPOSE \
	}

struct fix {
	struct arena *a;
	struct err err;
};

static int setup(void **state)
{
	static struct fix f;

	f = (struct fix){ .a = arena_new("yaml-test", 64 << 20) };
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	arena_free(((struct fix *)*state)->a);
	return 0;
}

static const char *print(struct arena *a, const struct doc *d)
{
	struct slice s = { 0 };

	assert_int_equal(json_print(a, d, NULL, &s, NULL), 0);
	return s.p;
}

static const char *read_as(struct fix *f, const char *text, const struct yaml_options *o)
{
	struct doc *d = NULL;

	f->err = ERR_INIT;
	if (yaml_read(f->a, slice_str(text), o, &d, &f->err) < 0)
		return f->err.msg;
	return print(f->a, d);
}

static void refused(struct fix *f, const char *text, const struct yaml_options *o,
		    enum err_code code, const char *part)
{
	struct doc *d = NULL;

	f->err = ERR_INIT;
	assert_int_equal(yaml_read(f->a, slice_str(text), o, &d, &f->err), -(int)code);
	if (!strstr(f->err.msg, part))
		fail_msg("'%s' is not in '%s'", part, f->err.msg);
}

/* --- scalars
 * -------------------------------------------------------------------------------------- */

static const struct {
	const char *text, *k8s, *compose; /* as JSON; compose NULL = the same */
} scalars[] = {
	{ "yes", "true", "\"yes\"" },
	{ "Off", "false", "\"Off\"" },
	{ "y", "true", "\"y\"" },
	{ "N", "false", "\"N\"" },
	{ "True", "true", NULL },
	{ "tRUE", "\"tRUE\"", NULL },
	{ "FALSE", "false", NULL },
	{ "~", "null", NULL },
	{ "Null", "null", NULL },
	{ "", "null", NULL },
	{ "0", "0", NULL },
	{ "-0", "0", NULL },
	{ "+12", "12", NULL },
	{ "1_000", "1000", NULL },
	{ "017", "15", NULL },
	{ "08", "8", NULL },
	{ "0o17", "15", NULL },
	{ "0x1F", "31", NULL },
	{ "-0b11", "-3", NULL },
	{ "0b12", "\"0b12\"", NULL },
	{ "9223372036854775808", "9223372036854775808", NULL },
	{ "-9223372036854775808", "-9223372036854775808", NULL },
	{ "18446744073709551615", "18446744073709551615", NULL },
	{ "1.5", "1.5", NULL },
	{ "1.0", "1", NULL },
	{ "1e3", "1000", NULL },
	{ ".5", "0.5", NULL },
	{ "5.", "5", NULL },
	{ "1e999", "\"1e999\"", NULL },
	{ "1e", "\"1e\"", NULL },
	{ "-", "[null]", NULL },
	{ "+", "\"+\"", NULL },
	{ "0x", "\"0x\"", NULL },
	{ "1:20", "\"1:20\"", NULL },
	{ "2024-01-02", "\"2024-01-02\"", NULL },
	{ "2024-01-02T03:04:05Z", "\"2024-01-02T03:04:05Z\"", NULL },
	{ "1.2.3", "\"1.2.3\"", NULL },
	{ "'yes'", "\"yes\"", NULL },
	{ "\"12\"", "\"12\"", NULL },
	{ "!!str 12", "\"12\"", NULL },
	{ "!!str", "\"\"", NULL },
	{ "!!int \"12\"", "12", NULL },
	{ "!!float 3", "3", NULL },
	{ "!!bool 'true'", "true", NULL },
	{ "!!null ''", "null", NULL },
	{ "!!binary |\n  aGVs\n  bG8=\n", "\"hello\"", NULL },
	{ "!!timestamp 2024-01-02", "\"2024-01-02\"", NULL },
	{ "!mine 12", "\"12\"", NULL },
	{ "|\n  a\n  b\n", "\"a\\nb\\n\"", NULL },
	{ ">-\n  a\n  b\n", "\"a b\"", NULL },
	{ "\"\\u263a\\0\"", "\"\xe2\x98\xba\\u0000\"", NULL },
	{ "<<", "\"<<\"", NULL },
};

static void scalars_mean_what_the_go_readers_make_of_them(void **state)
{
	struct fix *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(scalars); i++) {
		const char *got = read_as(f, scalars[i].text, K8S);

		if (strcmp(got, scalars[i].k8s) != 0)
			fail_msg("k8s: %s: %s, not %s", scalars[i].text, got, scalars[i].k8s);
		got = read_as(f, scalars[i].text, COMPOSE);
		if (strcmp(got, scalars[i].compose ? scalars[i].compose : scalars[i].k8s) != 0)
			fail_msg("compose: %s: %s", scalars[i].text, got);
	}
}

static void tags_that_do_not_fit_are_refused(void **state)
{
	struct fix *f = *state;

	refused(f, "a: !!int x", NULL, ERR_BAD_REQUEST, "line 1 column 4: 'x' is no !!int");
	refused(f, "!!bool 5", NULL, ERR_BAD_REQUEST, "no !!bool");
	refused(f, "!!null x", NULL, ERR_BAD_REQUEST, "no !!null");
	refused(f, "!!float x", NULL, ERR_BAD_REQUEST, "no !!float");
	refused(f, "!!timestamp x", NULL, ERR_BAD_REQUEST, "no !!timestamp");
	refused(f, "!!binary a", NULL, ERR_BAD_REQUEST, "invalid base64");
	refused(f, "!!binary /w==", NULL, ERR_BAD_REQUEST, "not UTF-8");
	refused(f, "a:\n - .inf", NULL, ERR_BAD_REQUEST,
		"line 2 column 4: .inf has no form in JSON");
	refused(f, "-.INF", COMPOSE, ERR_BAD_REQUEST, "-.inf has no form");
	refused(f, ".NaN", NULL, ERR_BAD_REQUEST, ".nan has no form");
}

static void keys_become_strings_or_are_refused(void **state)
{
	struct fix *f = *state;

	assert_string_equal(read_as(f,
				    "{1: a, yes: b, 0x10: c, 1.50: d, 1e6: e, .inf: f, 'q': g, "
				    "1e-7: h, 100.0: i}",
				    K8S),
			    "{\"1\":\"a\",\"true\":\"b\",\"16\":\"c\",\"1.5\":\"d\",\"1e+06\":"
			    "\"e\",\".inf\":\"f\",\"q\":\"g\","
			    "\"1e-07\":\"h\",\"100\":\"i\"}");
	assert_string_equal(read_as(f, "{1e39: a, -1e39: b, 1e-99: c}", K8S),
			    "{\".inf\":\"a\",\"-.inf\":\"b\",\"0\":\"c\"}");
	refused(f, "a:\n  1: b", COMPOSE, ERR_BAD_REQUEST, "line 2 column 3: non-string key 1");
	assert_string_equal(read_as(f, "yes: 1", COMPOSE), "{\"yes\":1}");
	refused(f, "~: 1", K8S, ERR_BAD_REQUEST, "must not be null");
	refused(f, "[a]: 1", K8S, ERR_BAD_REQUEST, "a collection cannot be a key");
	refused(f, "? {a: b}\n: 1", K8S, ERR_BAD_REQUEST, "a collection cannot be a key");
	assert_string_equal(read_as(f, "a: &k x\n*k : 2", K8S), "{\"a\":\"x\",\"x\":2}");
	refused(f, "a: &k 5\n*k : 2", K8S, ERR_BAD_REQUEST, "alias 'k' is no string");
}

static void duplicate_keys_are_refused_with_their_place(void **state)
{
	struct fix *f = *state;
	CLEANUP(buf_fini) struct buf b = BUF_INIT(10000);

	refused(f, "a: 1\nb: 2\na: 3", K8S, ERR_BAD_REQUEST,
		"line 3 column 1: key \"a\" already set in map");
	refused(f, "1: a\n'1': b", K8S, ERR_BAD_REQUEST, "key \"1\" already set");
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(buf_addf(&b, "key%u: %u\n", i, i), 0);
	assert_int_equal(buf_adds(&b, "key7: x\n"), 0);
	refused(f, buf_str(&b), K8S, ERR_BAD_REQUEST, "line 101 column 1: key \"key7\"");
}

static void note_dup(void *arg, unsigned line, struct slice key)
{
	(void)buf_addf(arg, "%u:%.*s ", line, (int)key.n, key.p);
}

static void duplicate_keys_may_be_told_and_the_last_wins(void **state)
{
	CLEANUP(arena_free) struct arena *a = arena_new("yaml", 1u << 20);
	CLEANUP(buf_fini) struct buf told = BUF_INIT(4096);
	const struct yaml_options o = { .on_dup = note_dup, .on_dup_arg = &told };
	struct err err = ERR_INIT;
	struct slice text;
	struct doc *d;

	(void)state;
	assert_int_equal(yaml_read(a,
				   SLICE("a: 1\nb: &x {c: 1, c: 2}\na: 3\na: 4\nd:\n  <<: *x\n"
					 "  c: 5\n"),
				   &o, &d, &err),
			 0);
	assert_int_equal(json_print(a, d, NULL, &text, &err), 0);
	assert_string_equal(text.p, "{\"a\":4,\"b\":{\"c\":2},\"d\":{\"c\":5}}");
	assert_string_equal(told.p, "2:c 3:a 4:a ");
}

static void merges_give_way_to_what_the_map_says(void **state)
{
	struct fix *f = *state;

	assert_string_equal(read_as(f, "x: &x {a: 1, b: 2}\nz: {b: 3, <<: *x, c: 4}", K8S),
			    "{\"x\":{\"a\":1,\"b\":2},\"z\":{\"b\":3,\"c\":4,\"a\":1}}");
	assert_string_equal(
		read_as(f, "- &x {a: 1}\n- &y {a: 2, b: 2}\n- {<<: [*x, *y, {c: 3}]}", COMPOSE),
		"[{\"a\":1},{\"a\":2,\"b\":2},{\"a\":1,\"b\":2,\"c\":3}]");
	assert_string_equal(read_as(f, "{\"<<\": 1}", K8S), "{\"<<\":1}");
	assert_string_equal(read_as(f, "!!merge <<: {a: 1}", K8S), "{\"a\":1}");
	refused(f, "a: 1\n<<: 5", K8S, ERR_BAD_REQUEST, "line 2 column 5: map merge requires");
	refused(f, "<<: [1]", K8S, ERR_BAD_REQUEST, "map merge requires");
}

static void aliases_are_copies_of_their_own(void **state)
{
	struct fix *f = *state;
	struct doc *d = NULL;

	assert_int_equal(yaml_read(f->a, SLICE("a: &x {k: [1]}\nb: *x\nc: *x"), NULL, &d, &f->err),
			 0);
	assert_non_null(doc_append(f->a, doc_find(d, "b.k"), doc_int(f->a, 2)));
	assert_string_equal(print(f->a, d),
			    "{\"a\":{\"k\":[1]},\"b\":{\"k\":[1,2]},\"c\":{\"k\":[1]}}");
	assert_string_equal(read_as(f, "[&a 1, &a 2, *a]", NULL), "[1,2,2]");
	refused(f, "a: *nope", NULL, ERR_BAD_REQUEST, "line 1 column 4: unknown anchor 'nope'");
	refused(f, "&a [*a]", NULL, ERR_BAD_REQUEST, "anchor 'a' value contains itself");
	refused(f, "--- &a 1\n--- *a", NULL, ERR_BAD_REQUEST, "line 2 column 5: unknown anchor");
}

static void plain_scalars_are_marked(void **state)
{
	struct fix *f = *state;
	struct doc *d = NULL;

	assert_int_equal(yaml_read(f->a, SLICE("[a, 'a']"), NULL, &d, &f->err), 0);
	assert_int_equal(doc_at(d, 0)->flags & (DOC_PLAIN | DOC_CSTR), DOC_PLAIN | DOC_CSTR);
	assert_int_equal(doc_at(d, 1)->flags & DOC_PLAIN, 0);
}

static void streams_hold_many_documents(void **state)
{
	struct fix *f = *state;
	struct doc *d = NULL;

	assert_int_equal(
		yaml_read_all(f->a, SLICE("a: 1\n---\n---\n- b\n...\n"), NULL, &d, &f->err), 0);
	assert_string_equal(print(f->a, d), "[{\"a\":1},null,[\"b\"]]");
	refused(f, "--- 1\n--- 2", NULL, ERR_BAD_REQUEST, "2 YAML documents where one is expected");
	assert_string_equal(read_as(f, "", NULL), "null");
	assert_string_equal(read_as(f, "# nothing\n", NULL), "null");
	assert_int_equal(yaml_read_all(f->a, slice_of(NULL, 0), NULL, &d, &f->err), 0);
	assert_int_equal(doc_len(d), 0);
}

static void syntax_errors_name_their_place(void **state)
{
	struct fix *f = *state;

	refused(f, "a: b: c", NULL, ERR_BAD_REQUEST, "line 1 column 5: ");
	refused(f, "a: 'x", NULL, ERR_BAD_REQUEST, "quoted scalar");
	refused(f, "a:\n\t- b", NULL, ERR_BAD_REQUEST, "line 2");
	refused(f, "a: [1, 2", NULL, ERR_BAD_REQUEST, "flow sequence");
	refused(f, "ok: 1\nbad: \xff\xfe", NULL, ERR_BAD_REQUEST, "line 2 column 6: ");
	refused(f, "a: \"\\uD800\"", NULL, ERR_BAD_REQUEST, "line 1");
	refused(f, "a: \x01", NULL, ERR_BAD_REQUEST, "line 1 column 4");
}

static int note_tag(void *arg, const char *tag, const char *path, struct err *err)
{
	if (strcmp(tag, "!bad") == 0)
		return err_set(err, ERR_UNSUPPORTED, "tag %s at %s", tag, path);
	return buf_addf(arg, "%s=%s;", path, tag);
}

static void foreign_tags_are_told_with_their_path(void **state)
{
	struct fix *f = *state;
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1000);
	struct yaml_options o = { .flavour = YAML_COMPOSE, .on_tag = note_tag, .on_tag_arg = &b };

	assert_string_equal(
		read_as(f,
			"s:\n  w:\n    p: !override [a, !reset b]\n    q: !!str 1\nt: !reset null",
			&o),
		"{\"s\":{\"w\":{\"p\":[\"a\",\"b\"],\"q\":\"1\"}},\"t\":\"null\"}");
	assert_string_equal(buf_str(&b), "s.w.p=!override;s.w.p[1]=!reset;t=!reset;");
	refused(f, "a: [!bad {}]", &o, ERR_UNSUPPORTED, "tag !bad at a[0]");
}

/* --- bounds
 * ----------------------------------------------------------------------------------------- */

static void bombs_are_refused(void **state)
{
	struct fix *f = *state;
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1 << 20);
	struct yaml_options few = { .max_nodes = 50 }, flat = { .max_depth = 5 };

	assert_int_equal(buf_adds(&b, "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"), 0);
	for (int i = 1; i < 10; i++) {
		assert_int_equal(buf_addf(&b, "a%d: &a%d [", i, i), 0);
		for (int j = 0; j < 10; j++)
			assert_int_equal(buf_addf(&b, "%s*a%d", j ? "," : "", i - 1), 0);
		assert_int_equal(buf_adds(&b, "]\n"), 0);
	}
	refused(f, buf_str(&b), NULL, ERR_QUOTA, "nodes");
	refused(f,
		"[1,2,3,4,5,6,7,8,9,10,1,2,3,4,5,6,7,8,9,10,1,2,3,4,5,6,7,8,9,10,1,2,3,4,5,6,7,8,9,"
		"10,1,2,3,4,5,6,7,8,9]",
		NULL, ERR_NONE, "");
	refused(f,
		"[1,2,3,4,5,6,7,8,9,10,1,2,3,4,5,6,7,8,9,10,1,2,3,4,5,6,7,8,9,10,1,2,3,4,5,6,7,8,9,"
		"10,1,2,3,4,5,6,7,8,9,0]",
		&few, ERR_QUOTA, "more than 50 YAML nodes");
	refused(f, "[[[[[]]]]]", &flat, ERR_NONE, "");
	refused(f, "[[[[[[]]]]]]", &flat, ERR_QUOTA,
		"more than 5 YAML collections inside one another");
	/* depth by aliases counts too */
	refused(f, "- &a [[1]]\n- [[*a]]", &flat, ERR_NONE, "");
	refused(f, "- &a [[1]]\n- [[[*a]]]", &flat, ERR_QUOTA, "line 2: more than 5");
	buf_clear(&b);
	for (int i = 0; i < 100000; i++)
		assert_int_equal(buf_adds(&b, "["), 0);
	refused(f, buf_str(&b), NULL, ERR_QUOTA, "inside one another");
	buf_clear(&b);
	for (int i = 0; i < 100000; i++)
		assert_int_equal(buf_adds(&b, "- "), 0);
	refused(f, buf_str(&b), NULL, ERR_QUOTA, "inside one another");
}

static void huge_scalars_meet_the_arena(void **state)
{
	CLEANUP(arena_free) struct arena *a = arena_new("small", 10000);
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1 << 20);
	struct err err = ERR_INIT;
	struct doc *d = NULL;

	for (int i = 0; i < 20000; i++)
		assert_int_equal(buf_addc(&b, 'x'), 0);
	assert_int_equal(yaml_read(a, buf_slice(&b), NULL, &d, &err), -ERR_QUOTA);
	assert_non_null(strstr(err.msg, "small"));
}

static void every_failing_allocation_is_a_clean_error(void **state)
{
	static const char text[] = "x: &x {a: 1, b: 2.5, c: 18446744073709551615}\ny: {<<: *x, d: "
				   "[1, two, !!binary aGk=]}\nz: *x\n";
	unsigned n;

	for (n = 1; n < 200; n++) {
		CLEANUP(arena_free) struct arena *a = arena_new("failing", 1 << 20);
		struct err err = ERR_INIT;
		struct doc *d = NULL;
		int r;

		arena_fail_at(a, n);
		r = yaml_read(a, SLICE(text), NULL, &d, &err);
		if (r == 0)
			break;
		assert_int_equal(r, -ERR_QUOTA);
		assert_non_null(strstr(err.msg, "failing"));
	}
	assert_in_range(n, 15, 199);
}

/* --- writer
 * ----------------------------------------------------------------------------------------- */

static const char *write_as(struct fix *f, const char *json, const struct yaml_style *style)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1 << 20);
	struct doc *d = NULL, *back = NULL;

	assert_int_equal(json_read(f->a, slice_str(json), NULL, &d, &f->err), 0);
	assert_int_equal(yaml_write(d, style, &b, &f->err), 0);
	/* whatever is written reads back as the same document, under both flavours */
	for (int i = 0; i < 2; i++) {
		struct yaml_options o = { .flavour = i ? YAML_COMPOSE : YAML_K8S,
					  .max_depth = 900 };

		if (yaml_read(f->a, buf_slice(&b), &o, &back, &f->err) < 0)
			fail_msg("%s: %s\n%s", json, f->err.msg, buf_str(&b));
		if (!doc_equal(d, back))
			fail_msg("%s came back as %s\n%s", json, print(f->a, back), buf_str(&b));
	}
	return arena_strdup(f->a, buf_str(&b));
}

static void block_style_is_that_of_kubectl_and_compose(void **state)
{
	static const char doc[] = "{\"kind\":\"Pod\",\"a10\":[],\"a2\":{},\"spec\":{\"c\":[{"
				  "\"name\":\"x\",\"p\":[1,2]},[3,[4]],"
				  "\"t\"],\"m\":null,\"b\":true}}";
	struct fix *f = *state;
	struct yaml_style compose = { .indent_lists = true }, sorted = { .sorted = true };

	assert_string_equal(
		write_as(f, doc, NULL),
		"kind: Pod\na10: []\na2: {}\nspec:\n  c:\n  - name: x\n    p:\n    - 1\n"
		"    - 2\n  - - 3\n    - - 4\n  - t\n  m: null\n  b: true\n");
	assert_string_equal(write_as(f, doc, &compose),
			    "kind: Pod\na10: []\na2: {}\nspec:\n  c:\n    - name: x\n      p:\n    "
			    "    - 1\n        - 2\n"
			    "    - - 3\n      - - 4\n    - t\n  m: null\n  b: true\n");
	assert_string_equal(
		write_as(f, doc, &sorted),
		"a2: {}\na10: []\nkind: Pod\nspec:\n  b: true\n  c:\n  - name: x\n    p:\n"
		"    - 1\n    - 2\n  - - 3\n    - - 4\n  - t\n  m: null\n");
	assert_string_equal(write_as(f, "[]", NULL), "[]\n");
	assert_string_equal(write_as(f, "\"x\"", NULL), "x\n");
	assert_string_equal(write_as(f, "\" a\\nb\"", NULL), "|2-\n   a\n  b\n");
}

static const char *const quoted[][2] = {
	{ "plain text", "plain text" },
	{ "true", "\"true\"" },
	{ "yes", "\"yes\"" },
	{ "y", "\"y\"" },
	{ "null", "\"null\"" },
	{ "~", "\"~\"" },
	{ "12", "\"12\"" },
	{ "1.5", "\"1.5\"" },
	{ "0x1f", "\"0x1f\"" },
	{ "1_0", "\"1_0\"" },
	{ "1:20", "\"1:20\"" },
	{ "2024-01-02", "\"2024-01-02\"" },
	{ ".inf", "\".inf\"" },
	{ "<<", "\"<<\"" },
	{ "=", "\"=\"" },
	{ "", "\"\"" },
	{ "a: b", "'a: b'" },
	{ "a:b", "a:b" },
	{ "a #b", "'a #b'" },
	{ "a#b", "a#b" },
	{ "a:", "'a:'" },
	{ "-", "'-'" },
	{ "-a", "-a" },
	{ "- a", "'- a'" },
	{ "?a", "?a" },
	{ "? a", "'? a'" },
	{ "---", "'---'" },
	{ "...", "'...'" },
	{ "*a", "'*a'" },
	{ "&a", "'&a'" },
	{ "!a", "'!a'" },
	{ "%a", "'%a'" },
	{ "@a", "'@a'" },
	{ "`a", "'`a'" },
	{ "{a", "'{a'" },
	{ "[a", "'[a'" },
	{ "a]", "a]" },
	{ "'a", "'''a'" },
	{ "\\\"a", "'\"a'" },
	{ "a'b", "a'b" },
	{ "|a", "'|a'" },
	{ ">a", "'>a'" },
	{ " a", "' a'" },
	{ "a ", "'a '" },
	{ "a\\tb", "\"a\\tb\"" },
	{ "a\\u0007", "\"a\\a\"" },
	{ "a\\u0000", "\"a\\0\"" },
	{ "\\u00e9", "\xc3\xa9" },
	{ "\\ud83d\\ude00", "\"\\U0001F600\"" },
	{ "\\u2028", "\"\\L\"" },
	{ "\\ufeff", "\"\\uFEFF\"" },
	{ "\\u0085", "\"\\N\"" },
	{ "a\\nb", "|-\n  a\n  b" },
	{ "a\\nb\\n", "|\n  a\n  b" },
	{ "a\\n\\n", "|+\n  a\n" },
	{ "\\n", "|2+\n" },
	{ "a\\n\\nb\\n", "|\n  a\n\n  b" },
	{ "a \\nb", "\"a \\nb\"" },
	{ "a\\nb ", "\"a\\nb \"" },
	{ "a\\r\\nb", "\"a\\r\\nb\"" },
};

static void ambiguous_scalars_are_quoted(void **state)
{
	struct fix *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(quoted); i++) {
		char *json = arena_printf(f->a, "{\"k\":\"%s\"}", quoted[i][0]);
		char *want = arena_printf(f->a, "k: %s\n", quoted[i][1]);
		const char *got = write_as(f, json, NULL);

		if (strcmp(got, want) != 0)
			fail_msg("%s: '%s' instead of '%s'", json, got, want);
		/* and as a key, in a list, at the top: must come back the same */
		(void)write_as(f,
			       arena_printf(f->a, "{\"%s\":[\"%s\",{\"%s\":1}]}", quoted[i][0],
					    quoted[i][0], quoted[i][0]),
			       NULL);
		(void)write_as(f,
			       arena_printf(f->a, "[[\"%s\"],\"%s\"]", quoted[i][0], quoted[i][0]),
			       &(struct yaml_style){ .indent_lists = true });
		(void)write_as(f, arena_printf(f->a, "\"%s\"", quoted[i][0]), NULL);
	}
}

static void long_scalars_are_folded_and_long_keys_spelled_out(void **state)
{
	struct fix *f = *state;
	const char *word = "word's and: such words # here ", *s;
	CLEANUP(buf_fini) struct buf b = BUF_INIT(10000);

	for (int i = 0; i < 20; i++)
		assert_int_equal(buf_adds(&b, i % 2 ? "words and more " : "so"), 0);
	s = write_as(f, arena_printf(f->a, "{\"a\":{\"k\":\"%s.\"}}", buf_str(&b)), NULL);
	assert_non_null(strstr(s, "\n    "));
	for (const char *p = s; *p; p++)
		if (p == s || p[-1] == '\n')
			assert_true(strcspn(p, "\n") < 100);
	s = write_as(f, arena_printf(f->a, "{\"a\":{\"k\":\"%s.\"}}", buf_str(&b)),
		     &(struct yaml_style){ .width = -1 });
	assert_null(strstr(s, "\n    "));
	buf_clear(&b);
	for (int i = 0; i < 20; i++)
		assert_int_equal(buf_adds(&b, word), 0);
	assert_non_null(
		strstr(write_as(f, arena_printf(f->a, "[\"%s\"]", buf_str(&b)), NULL), "\n  "));
	assert_non_null(
		strstr(write_as(f, arena_printf(f->a, "[\"\\t%s\"]", buf_str(&b)), NULL), "\n  "));
	s = write_as(f, arena_printf(f->a, "{\"x\":{\"%s\":{\"y\":[1]}}}", buf_str(&b)), NULL);
	assert_non_null(strstr(s, "\n  ? '"));
}

static void the_writer_fails_cleanly(void **state)
{
	struct fix *f = *state;
	CLEANUP(buf_fini) struct buf b = BUF_INIT(20);
	struct doc *d = doc_new_array(f->a), *root = d;

	assert_int_equal(buf_adds(&b, "head"), 0);
	assert_non_null(doc_append_str(f->a, d, "a text of more than twenty bytes"));
	assert_int_equal(yaml_write(d, NULL, &b, &f->err), -ERR_QUOTA);
	assert_non_null(strstr(f->err.msg, "more than 20 bytes"));
	assert_string_equal(buf_str(&b), "head");
	for (int i = 0; i < 1000; i++)
		d = doc_append(f->a, d, doc_array());
	buf_fini(&b);
	b = BUF_INIT(1 << 24);
	assert_int_equal(yaml_write(root, NULL, &b, &f->err), -ERR_QUOTA);
	assert_non_null(strstr(f->err.msg, "inside one another"));
	assert_int_equal(b.n, 0);
}

/* --- the YAML test suite
 * ------------------------------------------------------------------------------ */

/*
 * Where the Go readers or libyaml are known to differ from YAML 1.2. `refuses`: valid there,
 * refused here; `accepts`: the other way round; `reads`: another value.
 */
static const struct {
	const char *id, *why;
} differ[] = {
#include "yaml-differ.h"
};

static const char *why_differs(const char *id)
{
	for (size_t i = 0; i < ARRAY_LEN(differ); i++)
		if (strcmp(differ[i].id, id) == 0)
			return differ[i].why;
	return NULL;
}

/* The suite's visible stand-ins: blank, tab, CR, BOM, end of a line, no line end at the end. */
static struct slice unmask(struct arena *a, struct slice s)
{
	static const char *const marks[][2] = {
		{ "\xe2\x90\xa3", " " },
		{ "\xe2\x80\x94", "" },
		{ "\xc2\xbb", "\t" },
		{ "\xe2\x86\x90", "\r" },
		{ "\xe2\x87\x94", "\xef\xbb\xbf" },
		{ "\xe2\x86\xb5", "" },
		{ "\xe2\x88\x8e\n", "" },
	};
	char *out = arena_alloc(a, s.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < s.n;) {
		struct slice rest = slice_of(s.p + i, s.n - i);
		size_t k;

		for (k = 0; k < ARRAY_LEN(marks); k++)
			if (slice_starts(rest, slice_str(marks[k][0])))
				break;
		if (k == ARRAY_LEN(marks)) {
			out[n++] = s.p[i++];
			continue;
		}
		memcpy(out + n, marks[k][1], strlen(marks[k][1]));
		n += strlen(marks[k][1]);
		i += strlen(marks[k][0]);
	}
	return slice_of(out, n);
}

/* The documents of a stream of JSON values. */
static struct doc *json_stream(struct arena *a, struct slice text)
{
	struct doc *all = doc_new_array(a);
	struct err err = ERR_INIT;

	while (slice_trim(text).n) {
		struct doc *d = NULL;
		size_t used = 0, blank = strspn(text.p, " \n\t");

		text = slice_of(text.p + blank, text.n - blank);
		if (text.n == 0)
			break;
		if (json_read(a, text, &(struct json_options){ .consumed = &used }, &d, &err) < 0)
			fail_msg("json of a case: %s", err.msg);
		(void)doc_append(a, all, *d);
		text = slice_of(text.p + used, text.n - used);
	}
	return all;
}

/* One case: 1 when it behaves as YAML 1.2 says, 0 when not; `what` gets the short story. */
static int run_case(struct fix *f, const struct doc *yaml, const struct doc *json, bool fails,
		    char what[2000])
{
	struct slice text = unmask(f->a, doc_slice(yaml));
	struct doc *got = NULL, *want;
	int r = yaml_read_all(f->a, text, NULL, &got, &f->err);

	if (r < 0 || fails) {
		(void)snprintf(what, 2000, "%s", r < 0 ? f->err.msg : "accepted");
		return (r < 0) == fails;
	}
	if (!doc_is(json, DOC_STRING))
		return 1; /* nothing to compare: only that it is accepted */
	want = json_stream(f->a, doc_slice(json));
	(void)snprintf(what, 2000, "read %.900s, not %.900s", print(f->a, got), print(f->a, want));
	return doc_equal(got, want);
}

static unsigned run_file(struct fix *f, const char *name, struct slice text, unsigned *differing)
{
	struct doc *cases = NULL;
	const struct doc *yaml = NULL, *json = NULL;
	unsigned n = 0, wrong = 0;

	if (yaml_read(f->a, text, &(struct yaml_options){ .max_depth = 300 }, &cases, &f->err) < 0)
		fail_msg("%s: %s", name, f->err.msg);
	DOC_EACH (c, cases) {
		char id[64], what[2000];
		bool ok;

		(void)snprintf(id, sizeof(id), doc_len(cases) > 1 ? "%.4s/%u" : "%.4s", name, n++);
		/* Later cases of a file inherit what they do not say. */
		yaml = doc_get(c, "yaml") ? doc_get(c, "yaml") : yaml;
		json = doc_get(c, "json") ? doc_get(c, "json") : json;
		ok = run_case(f, yaml, json, doc_true(doc_get(c, "fail")), what);
		if (ok && why_differs(id)) {
			print_error("%s: is said to differ (%s) but does not\n", id,
				    why_differs(id));
			wrong++;
		} else if (!ok && !why_differs(id)) {
			print_error("%s: %s\n", id, what);
			wrong++;
		}
		*differing += !ok;
	}
	return wrong;
}

static void the_yaml_test_suite_agrees_but_for_the_known_cases(void **state)
{
	static char text[1 << 16];
	struct fix *f = *state;
	const char *shared = getenv("TEU_SHARED"); /* set by meson */
	char *folder = arena_printf(f->a, "%s/data/yaml/src", shared ? shared : "../shared");
	DIR *dir = opendir(folder);
	unsigned files = 0, wrong = 0, differing = 0;
	struct dirent *e;

	if (!dir) {
		print_message("skipped: no YAML test suite in %s\n", folder);
		skip();
	}
	while ((e = readdir(dir))) {
		char path[600];
		FILE *in;
		size_t n;

		if (!strstr(e->d_name, ".yaml"))
			continue;
		(void)snprintf(path, sizeof(path), "%s/data/yaml/src/%s",
			       shared ? shared : "../shared", e->d_name);
		in = fopen(path, "re");
		assert_non_null(in);
		n = fread(text, 1, sizeof(text), in);
		(void)fclose(in);
		wrong += run_file(f, e->d_name, slice_of(text, n), &differing);
		arena_reset(f->a);
		files++;
	}
	(void)closedir(dir);
	print_message("%u files of the YAML test suite, %u cases differ as listed\n", files,
		      differing);
	assert_int_equal(wrong, 0);
	assert_true(files > 300);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(scalars_mean_what_the_go_readers_make_of_them),
		CASE(tags_that_do_not_fit_are_refused),
		CASE(keys_become_strings_or_are_refused),
		CASE(duplicate_keys_are_refused_with_their_place),
		CASE(duplicate_keys_may_be_told_and_the_last_wins),
		CASE(merges_give_way_to_what_the_map_says),
		CASE(aliases_are_copies_of_their_own),
		CASE(plain_scalars_are_marked),
		CASE(streams_hold_many_documents),
		CASE(syntax_errors_name_their_place),
		CASE(foreign_tags_are_told_with_their_path),
		CASE(bombs_are_refused),
		CASE(huge_scalars_meet_the_arena),
		CASE(every_failing_allocation_is_a_clean_error),
		CASE(block_style_is_that_of_kubectl_and_compose),
		CASE(ambiguous_scalars_are_quoted),
		CASE(long_scalars_are_folded_and_long_keys_spelled_out),
		CASE(the_writer_fails_cleanly),
		CASE(the_yaml_test_suite_agrees_but_for_the_known_cases),
	};

	return cmocka_run_group_tests_name("yaml", tests, NULL, NULL);
}
