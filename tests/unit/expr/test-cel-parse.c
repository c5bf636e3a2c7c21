/* SPDX-License-Identifier: Apache-2.0 */
/* The grammar of CEL: trees of expressions, literals and their escapes, macros, messages, bounds.
 */
#include "../doc/doc-check.h"

#include "expr/cel-ast.h"

#include <stdio.h>

static void print(struct buf *b, const struct cel_node *n);

static void print_args(struct buf *b, const struct cel_node *n)
{
	for (uint32_t i = 0; i < n->n; i++) {
		bool key = n->kind != CEL_MAP || i % 2 == 0;

		(void)buf_addc(b, ' ');
		if (n->optionals && key && n->optionals[n->kind == CEL_MAP ? i / 2 : i])
			(void)buf_addc(b, '?');
		if (n->kind == CEL_STRUCT)
			(void)buf_addf(b, "%.*s=", (int)n->fields[i].n, n->fields[i].p);
		if (n->args[i])
			print(b, n->args[i]);
		else
			(void)buf_addc(b, '-');
	}
}

static void print_literal(struct buf *b, const struct cel_node *n)
{
	if (n->kind == CEL_NULL)
		(void)buf_adds(b, "null");
	else if (n->kind == CEL_BOOL)
		(void)buf_adds(b, n->b ? "true" : "false");
	else if (n->kind == CEL_INT)
		(void)buf_addf(b, "%lld", (long long)n->i);
	else if (n->kind == CEL_UINT)
		(void)buf_addf(b, "%lluu", (unsigned long long)n->u);
	else if (n->kind == CEL_DOUBLE)
		(void)buf_addf(b, "%gd", n->d);
	else if (n->kind == CEL_IDENT)
		(void)buf_addf(b, "%.*s", (int)n->name.n, n->name.p);
	else
		(void)buf_addf(b, "%s\"%.*s\"", n->kind == CEL_BYTES ? "b" : "", (int)n->s.n,
			       n->s.p);
}

/* An expression in brackets: what it is, then its parts. */
static void print(struct buf *b, const struct cel_node *n)
{
	static const char *const folds[] = { "all",   "exists", "one",	  "map",    "filter",
					     "tlist", "tmap",	"tentry", "optmap", "optflat" };

	if (n->kind <= CEL_IDENT) {
		print_literal(b, n);
		return;
	}
	(void)buf_addc(b, '(');
	if (n->kind == CEL_SELECT)
		(void)buf_addf(b, "%s.%.*s", n->optional ? "?" : "", (int)n->name.n, n->name.p);
	else if (n->kind == CEL_HAS)
		(void)buf_addf(b, "has.%.*s", (int)n->name.n, n->name.p);
	else if (n->kind == CEL_INDEX)
		(void)buf_adds(b, n->optional ? "?[]" : "[]");
	else if (n->kind == CEL_CALL)
		(void)buf_addf(b, "%s%.*s", n->target ? "->" : "", (int)n->name.n, n->name.p);
	else if (n->kind == CEL_LIST)
		(void)buf_adds(b, "list");
	else if (n->kind == CEL_MAP)
		(void)buf_adds(b, "dict");
	else if (n->kind == CEL_STRUCT)
		(void)buf_addf(b, "new %.*s", (int)n->name.n, n->name.p);
	else if (n->kind == CEL_BIND)
		(void)buf_addf(b, "bind %.*s", (int)n->vars[0].n, n->vars[0].p);
	else
		(void)buf_addf(b, "%s %.*s%s%.*s", folds[n->fold], (int)n->vars[0].n, n->vars[0].p,
			       n->vars[1].n ? "," : "", (int)n->vars[1].n,
			       n->vars[1].n ? n->vars[1].p : "");
	print_args(b, n);
	(void)buf_addc(b, ')');
}

static void parses_as(const char *text, const char *want)
{
	struct arena *a = arena_new("test", 16u << 20);
	struct buf b = BUF_INIT(1u << 20);
	struct err err = ERR_INIT;
	struct cel_ast ast;

	if (cel_parse(slice_str(text), a, &ast, &err) < 0)
		fail_msg("%s: %s", text, err.msg);
	print(&b, ast.root);
	if (strcmp(buf_str(&b), want) != 0)
		fail_msg("%s\n got %s\nwant %s", text, buf_str(&b), want);
	buf_fini(&b);
	arena_free(a);
}

static void operators_bind_as_the_language_says(void **state)
{
	static const char *const rows[][2] = {
		{ "1 + 2 * 3 - 4", "(_-_ (_+_ 1 (_*_ 2 3)) 4)" },
		{ "(1 + 2) * 3 % 4", "(_%_ (_*_ (_+_ 1 2) 3) 4)" },
		{ "a && b || c && !d", "(_||_ (_&&_ a b) (_&&_ c (!_ d)))" },
		{ "a || b || c", "(_||_ a b c)" },
		{ "a == b != c", "(_!=_ (_==_ a b) c)" },
		{ "x in [1, 2]", "(@in x (list 1 2))" },
		{ "a ? b : c ? d : e", "(_?_:_ a b (_?_:_ c d e))" },
		{ "a < b && c >= d", "(_&&_ (_<_ a b) (_>=_ c d))" },
		{ "!!a", "a" },
		{ "!!!a", "(!_ a)" },
		{ "-a", "(-_ a)" },
		{ "--a", "a" },
		{ "- 1", "-1" },
		{ "a - 1", "(_-_ a 1)" },
		{ "a-1", "(_-_ a 1)" },
		{ "1 - -1", "(_-_ 1 -1)" },
		{ "inner", "inner" },
		{ "a.b.c[0].d", "(.d ([] (.c (.b a)) 0))" },
		{ "a.?b[?1]", "(?[] (?.b a) 1)" },
		{ ".a.b(c)", "(->b .a c)" },
		{ "f()", "(f)" },
		{ "a.f(1, 'x')", "(->f a 1 \"x\")" },
		{ "a // comment\n + b", "(_+_ a b)" },
		{ "a.`b-c/d`", "(.b-c/d a)" },
		{ "google.protobuf.Duration{seconds: 1, ?nanos: x}",
		  "(new google.protobuf.Duration seconds=1 ?nanos=x)" },
		{ "A{}", "(new A)" },
		{ "[?a, b,]", "(list ?a b)" },
		{ "{'a': 1, ?'b': c,}", "(dict \"a\" 1 ?\"b\" c)" },
		{ "{}", "(dict)" },
		{ "[]", "(list)" },
		{ "a.in_", "(.in_ a)" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		parses_as(rows[i][0], rows[i][1]);
}

static void literals_are_read(void **state)
{
	static const char *const rows[][2] = {
		{ "0x1F", "31" },
		{ "-9223372036854775808", "-9223372036854775808" },
		{ "9223372036854775807", "9223372036854775807" },
		{ "18446744073709551615u", "18446744073709551615u" },
		{ "0xffu", "255u" },
		{ "1.5", "1.5d" },
		{ ".5", "0.5d" },
		{ "-1.5e3", "-1500d" },
		{ "2e2", "200d" },
		{ "'a\\'b'", "\"a'b\"" },
		{ "\"\\x41\\u00e9\\U0001F600\\101\\n\"", "\"A\xc3\xa9\xf0\x9f\x98\x80"
							 "A\n\"" },
		{ "r'\\n'", "\"\\n\"" },
		{ "'''a\n'b''c'''", "\"a\n'b''c\"" },
		{ "b'\\xff\\101'", "b\"\xff"
				   "A\"" },
		{ "rb'\\x'", "b\"\\x\"" },
		{ "bR\"x\"", "b\"x\"" },
		{ "''", "\"\"" },
		{ "true && null == false", "(_&&_ true (_==_ null false))" },
		{ "-1.abs()", "(->abs -1)" },
		{ "r1 + b2", "(_+_ r1 b2)" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		parses_as(rows[i][0], rows[i][1]);
}

static void macros_become_nodes(void **state)
{
	static const char *const rows[][2] = {
		{ "has(a.b.c)", "(has.c (.b a))" },
		{ "l.all(x, x > 1)", "(all x l (_>_ x 1) -)" },
		{ "l.exists(x, x)", "(exists x l x -)" },
		{ "l.exists_one(x, x)", "(one x l x -)" },
		{ "l.map(x, x + 1)", "(map x l - (_+_ x 1))" },
		{ "l.map(x, x > 1, x + 1)", "(map x l (_>_ x 1) (_+_ x 1))" },
		{ "l.filter(x, x)", "(filter x l x -)" },
		{ "m.all(k, v, k != v)", "(all k,v m (_!=_ k v) -)" },
		{ "m.transformList(k, v, k)", "(tlist k,v m - k)" },
		{ "m.transformMap(k, v, v > 1, v)", "(tmap k,v m (_>_ v 1) v)" },
		{ "m.transformMapEntry(k, v, {v: k})", "(tentry k,v m - (dict v k))" },
		{ "a.?b.optMap(x, x + 1)", "(optmap x (?.b a) - (_+_ x 1))" },
		{ "a.?b.optFlatMap(x, x.?c)", "(optflat x (?.b a) - (?.c x))" },
		{ "cel.bind(x, a + b, x * x)", "(bind x (_+_ a b) (_*_ x x))" },
		/* Not as many arguments as the macro has: a function of that name. */
		{ "l.all(x)", "(->all l x)" },
		{ "l.map(x)", "(->map l x)" },
		{ "has(a, b)", "(has a b)" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		parses_as(rows[i][0], rows[i][1]);
}

static void what_is_wrong_is_told_with_its_place(void **state)
{
	static const char *const rows[][2] = {
		{ "", "ERROR: <input>:1:1: Syntax error: mismatched input '<EOF>'" },
		{ "a +", "1:4: Syntax error: mismatched input '<EOF>'" },
		{ "a\n  ) b",
		  "2:3: Syntax error: mismatched input ')' expecting <EOF>\n |   ) b\n | ..^" },
		{ "(a", "expecting ')'" },
		{ "[1, 2", "expecting ']'" },
		{ "{1}", "expecting ':'" },
		{ "a.", "a field's name" },
		{ "f(a,)", "an expression" },
		{ "'abc",
		  "1:1: Syntax error: token recognition error at: a string without an end" },
		{ "'a\nb'", "a string without an end" },
		{ "'\\q'", "an escape sequence" },
		{ "'\\ud800'", "an escape sequence" },
		{ "'\\x4'", "an escape sequence" },
		{ "b'\\u0041'", "an escape sequence" },
		{ "9223372036854775808", "invalid int literal" },
		{ "-9223372036854775809", "invalid int literal" },
		{ "18446744073709551616u", "invalid uint literal" },
		{ "1e999", "invalid double literal" },
		{ "a # b", "at: '#'" },
		{ "for", "reserved identifier" },
		{ "a = b", "at: '='" },
		{ "has(a)", "invalid argument to has() macro" },
		{ "l.all(a.b, true)", "argument must be a simple name" },
		{ "m.all(k, k, true)", "two variables of one name" },
		{ "cel.bind(1, 2, 3)", "simple identifiers" },
		{ "a.`b", "a name in backquotes" },
		{ "a b", "mismatched input 'b' expecting <EOF>" },
		{ "in", "expecting a name" },
		{ "a ? b", "expecting ':'" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena *a = arena_new("test", 1u << 20);
		struct err err = ERR_INIT;
		struct cel_ast ast;
		int r = cel_parse(slice_str(rows[i][0]), a, &ast, &err);

		if (r != -ERR_INVALID || !strstr(err.msg, rows[i][1]))
			fail_msg("%s: %d '%s', wanted '%s'", rows[i][0], r, err.msg, rows[i][1]);
		arena_free(a);
	}
}

static int parse_many(const char *before, const char *middle, const char *after, size_t n,
		      size_t room, struct err *err)
{
	struct arena *a = arena_new("test", room);
	struct buf b = BUF_INIT(1u << 24);
	struct cel_ast ast;
	int r;

	for (size_t i = 0; i < n; i++)
		(void)buf_adds(&b, before);
	(void)buf_adds(&b, middle);
	for (size_t i = 0; i < n; i++)
		(void)buf_adds(&b, after);
	r = cel_parse(buf_slice(&b), a, &ast, err);
	buf_fini(&b);
	arena_free(a);
	return r;
}

static void what_is_too_much_is_refused(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(parse_many("(", "a", ")", 200, 1u << 24, &err), 0);
	assert_int_equal(parse_many("(", "a", ")", 2000, 1u << 24, &err), -ERR_TOO_LARGE);
	assert_non_null(strstr(err.msg, "recursion"));
	assert_int_equal(parse_many("[", "", "]", 300, 1u << 24, &err), -ERR_TOO_LARGE);
	assert_int_equal(parse_many("a ? b : ", "c", "", 300, 1u << 24, &err), -ERR_TOO_LARGE);
	assert_int_equal(parse_many("", "a", ".b", 5000, 1u << 24, &err), -ERR_INVALID);
	assert_int_equal(parse_many("", "a", "+b", 5000, 1u << 24, &err), -ERR_INVALID);
	assert_int_equal(parse_many("!", "a", "", 50000, 1u << 24, &err), 0);
	assert_int_equal(parse_many("", "a", " && b", 10000, 1u << 24, &err), 0);
	assert_int_equal(parse_many(" ", "a", "", 200000, 1u << 24, &err), -ERR_TOO_LARGE);
	assert_int_equal(parse_many("", "a", "+b", 500, 8192, &err), -ERR_QUOTA);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(operators_bind_as_the_language_says),
		cmocka_unit_test(literals_are_read),
		cmocka_unit_test(macros_become_nodes),
		cmocka_unit_test(what_is_wrong_is_told_with_its_place),
		cmocka_unit_test(what_is_too_much_is_refused),
	};

	return cmocka_run_group_tests_name("cel-parse", tests, NULL, NULL);
}
