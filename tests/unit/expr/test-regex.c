/* SPDX-License-Identifier: Apache-2.0 */
/* Go's regular expressions: what matches, what is refused and in which words. */
#include "../doc/doc-check.h"

#include "expr/regex.h"

static bool matches(struct arena *a, const char *pattern, const char *text)
{
	const struct regex *x = NULL;
	struct err err = ERR_INIT;

	if (regex_compile(slice_str(pattern), a, &x, &err) < 0)
		print_error("%s: %s\n", pattern, err.msg);
	assert_int_equal(err.code, 0);
	return regex_match(x, slice_str(text));
}

static void patterns_match_as_in_go(void **state)
{
	static const struct {
		const char *pattern, *yes, *no; /* NULL: nothing of the sort */
	} rows[] = {
		{ "", "", NULL },
		{ "abc", "xabcx", "ab" },
		{ "^abc$", "abc", "abc\n" },
		{ "^a.c$",
		  "a\xc3\xa4"
		  "c",
		  "a\nc" },
		{ "(?s)^a.c$", "a\nc", "ac" },
		{ "^a*$", "", "b" },
		{ "^a+$", "aaa", "" },
		{ "^a?b$", "ab", "aab" },
		{ "^(a|b|cd)$", "cd", "c" },
		{ "^(a|)$", "", "b" },
		{ "^(?:a|b)+$", "abba", "abc" },
		{ "^a{3}$", "aaa", "aa" },
		{ "^a{2,}$", "aaaa", "a" },
		{ "^a{2,3}$", "aaa", "aaaa" },
		{ "^a{0,2}$", "", "aaa" },
		{ "^a{0}b$", "b", "ab" },
		{ "^a{,2}$", "a{,2}", "aa" },
		{ "^a{$", "a{", "a" },
		{ "^(ab){2}$", "abab", "ab" },
		{ "^(a*)*$", "aaa", "ab" },
		{ "^(a+)+b$", "aaab", "aaaa" },
		{ "^[a-c]+$", "abc", "d" },
		{ "^[^a-c]$", "\n", "a" },
		{ "^[]a]$", "]", "b" },
		{ "^[^]a]$", "b", "]" },
		{ "^[a-]$", "-", "b" },
		{ "^[-a]$", "-", "b" },
		{ "^[\\d-]+$", "1-2", "a" },
		{ "^[[:alpha:]_]+$", "a_Z", "1" },
		{ "^[[:^alpha:]]+$", "12", "a" },
		{ "^[\\w.]+$", "a.b_1", "a-b" },
		{ "^\\d\\D\\s\\S\\w\\W$", "1a b_!", "1a bb!x" },
		{ "^\\s$", "\f", "\v" },
		{ "\\bfoo\\b", "a foo b", "afoob" },
		{ "\\Boo", "foo", "oo" },
		{ "\\Aab\\z", "ab", "xab" },
		{ "(?m)^b$", "a\nb\nc", "ab" },
		{ "(?i)^hello$", "HeLLo", "helo" },
		{ "^(?i:a)b$", "Ab", "AB" },
		{ "^(?i)[a-c]+$", "aBC", "d" },
		{ "^(?i-s:A).$", "ab", "ab\n" },
		{ "^\\Qa.b*\\E$", "a.b*", "axbb" },
		{ "^\\Qab\\E+$", "abbb", "abab" },
		{ "^\\x41\\x{42}\\101\\n\\t$", "ABA\n\t", "AB" },
		{ "^\\.\\-\\/\\$$", ".-/$", "a" },
		{ "^(?P<year>\\d{4})-(?<month>\\d\\d)$", "2024-12", "24-1" },
		{ "^[\xc3\xa4-\xc3\xbc]$", "\xc3\xb6", "o" },
		{ "^\xe2\x82\xac+$", "\xe2\x82\xac\xe2\x82\xac", "\xe2\x82" },
		{ "^a.$", "a\xff", "a" },
		{ "^a*?$", "aaa", "b" },
		{ "x*", "", NULL },
		{ "a|b|c|d|e|f", "f", "g" },
		{ "^([a-z0-9]([-a-z0-9]*[a-z0-9])?)(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
		  "gateway.example.com", "-a.b" },
		{ "^(\\+|-)?(([0-9]+(\\.[0-9]*)?)|(\\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\\+|-)"
		  "?(([0-9]+(\\.[0-9]*)?)|(\\.[0-9]+))))?$",
		  "1.5Gi", "1.5Gx" },
	};
	struct arena *a = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (rows[i].yes && !matches(a, rows[i].pattern, rows[i].yes))
			fail_msg("/%s/ does not match '%s'", rows[i].pattern, rows[i].yes);
		if (rows[i].no && matches(a, rows[i].pattern, rows[i].no))
			fail_msg("/%s/ matches '%s'", rows[i].pattern, rows[i].no);
	}
}

static void bad_patterns_are_refused_in_go_s_words(void **state)
{
	static const struct {
		const char *pattern, *words;
	} rows[] = {
		{ "(", "missing closing ): `(`" },
		{ "a)", "unexpected ): `a)`" },
		{ "[a", "missing closing ]: `[a`" },
		{ "[b-a]", "invalid character class range: `b-a`" },
		{ "[[:nope:]]", "invalid character class range: `[:nope:]`" },
		{ "*a", "missing argument to repetition operator: `*`" },
		{ "a|+", "missing argument to repetition operator: `+`" },
		{ "(?i)*", "missing argument to repetition operator: `*`" },
		{ "a**", "invalid nested repetition operator: `**`" },
		{ "a*?+", "invalid nested repetition operator: `*?+`" },
		{ "a{1001}", "invalid repeat count: `{1001}`" },
		{ "a{3,2}", "invalid repeat count: `{3,2}`" },
		{ "\\", "trailing backslash at end of expression" },
		{ "\\1", "invalid escape sequence: `\\1`" },
		{ "(a)\\2", "invalid escape sequence: `\\2`" },
		{ "\\y", "invalid escape sequence: `\\y`" },
		{ "\\Z", "invalid escape sequence: `\\Z`" },
		{ "\\x4", "invalid escape sequence" },
		{ "\\x{110000}", "invalid escape sequence" },
		{ "a(?=b)", "invalid or unsupported Perl syntax: `(?=`" },
		{ "a(?!b)", "invalid or unsupported Perl syntax: `(?!`" },
		{ "(?<=a)b", "invalid or unsupported Perl syntax: `(?<`" },
		{ "(?>a)", "invalid or unsupported Perl syntax" },
		{ "(?i-)a", "invalid or unsupported Perl syntax" },
		{ "(?P<n", "invalid named capture" },
		{ "(?P<a b>c)", "invalid named capture: `(?P<a b>`" },
		{ "\\pL", "classes by Unicode property are not supported" },
		{ "[\\p{Greek}]", "classes by Unicode property are not supported" },
		{ "a\xff", "invalid UTF-8" },
	};
	struct arena *a = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct regex *x = NULL;
		struct err err = ERR_INIT;

		if (regex_compile(slice_str(rows[i].pattern), a, &x, &err) != -ERR_INVALID ||
		    !strstr(err.msg, rows[i].words))
			fail_msg("%s: '%s'", rows[i].pattern, err.msg);
		assert_non_null(strstr(err.msg, "error parsing regexp: "));
	}
}

static void sizes_are_bounded(void **state)
{
	struct arena *a = *state, *small = arena_new("small", 8 << 10);
	char deep[4096];
	const struct regex *x = NULL;
	struct err err = ERR_INIT;

	assert_int_equal(regex_compile(SLICE("((a{100}){100}){100}"), a, &x, &err), -ERR_TOO_LARGE);
	assert_non_null(strstr(err.msg, "expression too large"));
	memset(deep, '(', 1500);
	memset(deep + 1500, ')', 1500);
	assert_int_equal(regex_compile(slice_of(deep, 3000), a, &x, &err), -ERR_INVALID);
	assert_non_null(strstr(err.msg, "expression nests too deeply"));
	assert_int_equal(regex_compile(SLICE("[a-z]{900}"), small, &x, &err), -ERR_QUOTA);
	arena_free(small);
}

/* What takes others exponential time; the work is steps times bytes. */
static void evil_patterns_take_linear_time(void **state)
{
	struct arena *a = *state;
	char *text = arena_alloc(a, 200001);

	memset(text, 'a', 200000);
	assert_false(matches(a, "^(a+)+$x", text));
	assert_false(matches(a, "(a|a|a)*b", text));
	assert_false(matches(a, "(.*)(.*)(.*)(.*)c$", text));
	assert_true(matches(a, "^(a?){50}a*$", text));
	assert_true(matches(a, "^(a{1,100}){1,40}$", "aaaa"));
}

static void a_program_longer_than_the_stack_s_room_runs(void **state)
{
	struct arena *a = *state;
	char text[1002];

	memset(text, 'b', 1001);
	text[1001] = '\0';
	assert_false(matches(a, "^[a-c]{1,1000}$", text));
	text[1000] = '\0';
	assert_true(matches(a, "^[a-c]{1,1000}$", text));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(patterns_match_as_in_go),
		CASE(bad_patterns_are_refused_in_go_s_words),
		CASE(sizes_are_bounded),
		CASE(evil_patterns_take_linear_time),
		CASE(a_program_longer_than_the_stack_s_room_runs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
