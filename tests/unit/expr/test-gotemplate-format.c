/* SPDX-License-Identifier: Apache-2.0 */
/* Literals of Go, and its fmt. The texts are Go's. */
#include "gotemplate-check.h"

static void print_html_js_and_urlquery_write_text(void **state)
{
	static const struct row rows[] = {
		{ "{{print}} {{print 1 2 3}} {{print \"a\" \"b\" 1 2 \"c\"}} {{print nil 1}} "
		  "{{print .l .m}} {{print .n}} {{print .q}}|",
		  " 1 2 3 ab1 2c <nil> 1 [1 two 3.5 <nil> map[a:map[b:2]] [1 [2]]] map[a:x b:1 "
		  "c:map[] d:<nil>] <nil> <nil>|",
		  NULL },
		{ "{{println}}|{{println 1 \"a\" nil}}|", "\n|1 a <nil>\n|", NULL },
		{ "{{html \"<a href='x'>&\"\" 3 .n nil}} {{html .m}} {{html}}", "",
		  "template: output:1: unterminated quoted string" },
		{ "{{js \"a'b\\\"c\\\\d<e>&=\\n\\t \xc3\xa9 \xe2\x82\xac\\u2028\\x00\"}} {{js 1 2 "
		  "nil}}",
		  "a\\'b\\\"c\\\\d\\u003Ce\\u003E\\u0026\\u003D\\u000A\\u0009 \xc3\xa9 "
		  "\xe2\x82\xac\\u2028\\u0000 1 2\\u003Cno value\\u003E",
		  NULL },
		{ "{{urlquery \"a b&c=d/\xc3\xa9~-_.!*\" 3}}", "a+b%26c%3Dd%2F%C3%A9~-_.%21%2A3",
		  NULL },
	};

	run_rows(*state, rows, ARRAY_LEN(rows));
}

static void numbers_have_all_forms_of_Go(void **state)
{
	static const struct row rows[] = {
		{ "{{1}} {{-1}} {{+1}} {{0}} {{-0}} {{007}} {{0x1F}} {{0XaB}} {{0b101}} {{0o17}} "
		  "{{1_000}} {{0x_1}} {{0_7}}",
		  "1 -1 1 0 0 7 31 171 5 15 1000 1 7", NULL },
		{ "{{1__0}}", "", "template: output:1: illegal number syntax: \"1__0\"" },
		{ "{{1_}}", "", "template: output:1: illegal number syntax: \"1_\"" },
		{ "{{_1}}", "", "template: output:1: function \"_1\" not defined" },
		{ "{{08}}", "", "template: output:1: integer overflow: \"08\"" },
		{ "{{08.5}} {{1.}} {{.5}} {{1e3}} {{1E-3}} {{1.5e+10}} {{0x1p-2}} {{0x1.8p1}} "
		  "{{1_0.5}} {{1e1_0}} {{1e21}} {{123456789.0}} {{1e20}} {{0.0001}} {{0.00001}} "
		  "{{-0.0}}",
		  "8.5 1 0.5 1000 0.001 1.5e+10 0.25 3 10.5 1e+10 1e+21 1.23456789e+08 1e+20 "
		  "0.0001 1e-05 -0",
		  NULL },
		{ "{{1e999}}", "", "template: output:1: illegal number syntax: \"1e999\"" },
		{ "{{0x1.8}}", "", "template: output:1: illegal number syntax: \"0x1.8\"" },
		{ "{{0b12}}", "", "template: output:1: bad number syntax: \"0b12\"" },
		{ "{{0o8}}", "", "template: output:1: bad number syntax: \"0o8\"" },
		{ "{{0xg}}", "", "template: output:1: bad number syntax: \"0xg\"" },
		{ "{{1a}}", "", "template: output:1: bad number syntax: \"1a\"" },
		{ "{{1.5.5}}", "", "template: output:1: unexpected \".5\" in operand" },
		{ "{{1e}}", "", "template: output:1: illegal number syntax: \"1e\"" },
		{ "{{0x}}", "", "template: output:1: illegal number syntax: \"0x\"" },
		{ "{{.}}{{+}}", "", "template: output:1: illegal number syntax: \"+\"" },
		{ "{{-}}", "", "template: output:1: illegal number syntax: \"-\"" },
		{ "{{9223372036854775807}} {{-9223372036854775808}}",
		  "9223372036854775807 -9223372036854775808", NULL },
		{ "{{9223372036854775808}}", "",
		  "template: output:1:2: executing \"output\" at <9223372036854775808>: "
		  "9223372036854775808 overflows int" },
		{ "{{-9223372036854775809}}", "",
		  "template: output:1: integer overflow: \"-9223372036854775809\"" },
		{ "{{18446744073709551616}}", "",
		  "template: output:1: integer overflow: \"18446744073709551616\"" },
		{ "{{+9223372036854775808}}", "",
		  "template: output:1: integer overflow: \"+9223372036854775808\"" },
		{ "{{printf \"%d\" 9223372036854775808}}", "",
		  "template: output:1:14: executing \"output\" at <9223372036854775808>: "
		  "9223372036854775808 overflows int" },
	};

	run_rows(*state, rows, ARRAY_LEN(rows));
}

static void characters_and_strings_have_all_escapes_of_Go(void **state)
{
	static const struct row rows[] = {
		{ "{{'a'}} {{'\\n'}} {{'\\x41'}} {{'\xc3\xa9'}} {{'\\u00e9'}} {{'\\''}} {{'\"'}} "
		  "{{'\\101'}} {{'\\\\'}}",
		  "97 10 65 233 233 39 34 65 92", NULL },
		{ "{{'ab'}}", "", "template: output:1: malformed character constant: 'ab'" },
		{ "{{''}}", "", "template: output:1: invalid syntax" },
		{ "{{'\\\"'}}", "", "template: output:1: invalid syntax" },
		{ "{{'\\q'}}", "", "template: output:1: invalid syntax" },
		{ "{{\"\\\"\"}} {{\"\\'\"}}", "", "template: output:1: invalid syntax" },
		{ "{{\"\\x41\\u00e9\\U0001F600\\101\\a\"}} {{`a\\n\"b`}}",
		  "A\xc3\xa9\xf0\x9f\x98\x80"
		  "A\x07 a\\n\"b",
		  NULL },
		{ "{{\"\\ud800\"}}", "", "template: output:1: invalid syntax" },
		{ "{{\"\\400\"}}", "", "template: output:1: invalid syntax" },
		{ "{{\"\\u12\"}}", "", "template: output:1: invalid syntax" },
	};

	run_rows(*state, rows, ARRAY_LEN(rows));
}

static void printf_has_the_verbs_and_flags_of_Go(void **state)
{
	static const struct row rows[] = {
		{ "{{printf \"%d|%5d|%-5d|%05d|%+d|% d|%x|%X|%#x|%o|%#o|%O|%b|%#b|%c|%q|%U|%#U\" "
		  "42 42 42 42 42 42 42 42 42 42 42 42 42 42 42 42 42 42}}",
		  "42|   42|42   |00042|+42| "
		  "42|2a|2A|0x2a|52|052|0o52|101010|0b101010|*|'*'|U+002A|U+002A '*'",
		  NULL },
		{ "{{printf \"%.3d|%8.3d|%-8.3d|%08.3d|%+08d|% "
		  "08d|%.0d|%.0d|%x|%-08d|%#08x|%#.4x|%+x\" 42 42 42 42 42 42 0 5 -255 7 255 255 "
		  "255}}",
		  "042|     042|042     |     042|+0000042| 0000042||5|-ff|7       "
		  "|0x000000ff|0x00ff|+ff",
		  NULL },
		{ "{{printf \"%s|%10s|%-10s|%.2s|%q|%#q|%+q|%x|%X|% x|%#x|% "
		  "#x|%10.1s|%010s|%v|%#v|%T\" \"h\xc3\xa9\" \"h\xc3\xa9\" \"h\xc3\xa9\" "
		  "\"h\xc3\xa9x\" \"h\\\"\xc3\xa9\" \"h\xc3\xa9\" \"h\xc3\xa9\" \"h\xc3\xa9\" "
		  "\"h\xc3\xa9\" \"h\xc3\xa9\" \"h\xc3\xa9\" \"h\xc3\xa9\" \"h\xc3\xa9\" "
		  "\"h\xc3\xa9\" \"h\xc3\xa9\" \"h\xc3\xa9\" \"h\xc3\xa9\"}}",
		  "h\xc3\xa9|        h\xc3\xa9|h\xc3\xa9        "
		  "|h\xc3\xa9|\"h\\\"\xc3\xa9\"|`h\xc3\xa9`|\"h\\u00e9\"|68c3a9|68C3A9|68 c3 "
		  "a9|0x68c3a9|0x68 0xc3 0xa9|         "
		  "h|00000000h\xc3\xa9|h\xc3\xa9|\"h\xc3\xa9\"|string",
		  NULL },
		{ "{{printf \"%f|%.2f|%8.2f|%-8.2f|%08.2f|%+.1f|% "
		  "f|%e|%E|%g|%G|%.3g|%v|%#v|%x|%X|%.3x|%b|%6.0f|%#.0f|%#g|%F|%+v\" 1.5 1.5 1.5 "
		  "1.5 1.5 1.5 1.5 1.5 1.5 1.5 1.5 1.5 1.5 1.5 1.5 1.5 1.5 1.5 1.5 1.5 1.5 1.5 "
		  "1.5}}",
		  "1.500000|1.50|    1.50|1.50    |00001.50|+1.5| "
		  "1.500000|1.500000e+00|1.500000E+00|1.5|1.5|1.5|1.5|1.5|0x1.8p+00|0X1.8P+00|0x1."
		  "800p+00|6755399441055744p-52|     2|2.|1.50000|1.500000|1.5",
		  NULL },
		{ "{{printf \"%g %g %g %g %g %v %e %x %x %b %#g %#.3g %#e %#x %.0x %.1x %g\" 1e6 "
		  "123456.0 1e-5 1e100 0.0 1e20 0.0 0.0 1e-320 5e-324 1e6 2.0 1.0 1.5 1.5 1.9999 "
		  "1234567.0}}",
		  "1e+06 123456 1e-05 1e+100 0 1e+20 0.000000e+00 0x0p+00 0x1.fap-1064 1p-1074 "
		  "1.00000e+06 2.00 1.000000e+00 0x1.8000p+00 0x1p+01 0x1.0p+01 1.234567e+06",
		  NULL },
		{ "{{printf \"%t|%v|%5t|%-7t|%q|%d|%s\" true false true false true true true}}",
		  "true|false| true|false  |%!q(bool=true)|%!d(bool=true)|%!s(bool=true)", NULL },
		{ "{{printf \"%d %s %x %t %f\" \"a\" 3 1.5 3 3}}",
		  "%!d(string=a) %!s(int=3) 0x1.8p+00 %!t(int=3) %!f(int=3)", NULL },
		{ "{{printf \"%d %d\"}} {{printf \"%d\" 1 2 \"x\" nil}} {{printf \"%!\"}} {{printf "
		  "\"%\"}} {{printf \"%z\" 3}} {{printf \"%\xc3\xa9\" 3}} {{printf \"100%%\"}} "
		  "{{printf \"%5%\"}}",
		  "%!d(MISSING) %!d(MISSING) 1%!(EXTRA int=2, string=x, <nil>) %!!(MISSING) "
		  "%!(NOVERB) %!z(int=3) %!\xc3\xa9(int=3) 100% %",
		  NULL },
		{ "{{printf \"%[2]d %[1]d\" 1 2}} {{printf \"%[3]d\" 1}} {{printf \"%[x]d\" 1}} "
		  "{{printf \"%[1]d %d\" 1 2}} {{printf \"%[2]*[1]d|\" 1 5}} {{printf \"%[1]*d\" 1 "
		  "5}} {{printf \"%[\" 1}} {{printf \"%[]d\" 1}} {{printf \"%[-1]d\" 1}} {{printf "
		  "\"%[1]2d\" 1}} {{printf \"%[1].2d\" 1}} {{printf \"%[1\" 2}} {{printf \"%[3\" "
		  "2}}",
		  "2 1 %!d(BADINDEX) %!d(BADINDEX) 1 2     1| 5 %!(NOVERB) %!d(BADINDEX) "
		  "%!d(BADINDEX) %!d(BADINDEX) %!d(BADINDEX) %!(NOVERB) %!(NOVERB)",
		  NULL },
		{ "{{printf \"%*d|%-*d|%*d|%.*f|%*s\" 5 42 5 42 -5 42 2 3.14159 \"x\" \"y\"}} "
		  "{{printf \"%*d\" \"a\" 3}} {{printf \"%.*d\" \"a\" 3}} {{printf \"%.*d\" -2 3}} "
		  "{{printf \"%*d\" 10000000 3}} {{printf \"%*d\"}}",
		  "   42|42   |42   |3.14|%!(BADWIDTH)y %!(BADWIDTH)3 %!(BADPREC)3 %!(BADPREC)3 "
		  "%!(BADWIDTH)3 %!(BADWIDTH)%!d(MISSING)",
		  NULL },
		{ "{{printf \"%v|%+v|%#v|%s|%d|%x|%q|%T\" .m .m .m .m .m .m .m .m}}",
		  "map[a:x b:1 c:map[] d:<nil>]|map[a:x b:1 c:map[] d:<nil>]|map[string]interface "
		  "{}{\"a\":\"x\", \"b\":1, \"c\":map[string]interface {}{}, \"d\":interface "
		  "{}(nil)}|map[a:x b:%!s(int64=1) c:map[] "
		  "d:<nil>]|map[%!d(string=a):%!d(string=x) %!d(string=b):1 %!d(string=c):map[] "
		  "%!d(string=d):<nil>]|map[61:78 62:1 63:map[] 64:<nil>]|map[\"a\":\"x\" "
		  "\"b\":'\\x01' \"c\":map[] \"d\":<nil>]|map[string]interface {}",
		  NULL },
		{ "{{printf \"%v|%+v|%#v|%s|%d|%x|%q|%5v|%05d\" .l .l .l .l .l .l .l .l .l}}",
		  "[1 two 3.5 <nil> map[a:map[b:2]] [1 [2]]]|[1 two 3.5 <nil> map[a:map[b:2]] [1 "
		  "[2]]]|[]interface {}{1, \"two\", 3.5, interface {}(nil), map[string]interface "
		  "{}{\"a\":map[string]interface {}{\"b\":2}}, []interface {}{1, []interface "
		  "{}{2}}}|[%!s(int64=1) two %!s(float64=3.5) <nil> map[a:map[b:%!s(int64=2)]] "
		  "[%!s(int64=1) [%!s(int64=2)]]]|[1 %!d(string=two) %!d(float64=3.5) <nil> "
		  "map[%!d(string=a):map[%!d(string=b):2]] [1 [2]]]|[1 74776f 0x1.cp+01 <nil> "
		  "map[61:map[62:2]] [1 [2]]]|['\\x01' \"two\" %!q(float64=3.5) <nil> "
		  "map[\"a\":map[\"b\":'\\x02']] ['\\x01' ['\\x02']]]|[    1   two   3.5 <nil> "
		  "map[    a:map[    b:    2]] [    1 [    2]]]|[00001 %!d(string=00two) "
		  "%!d(float64=003.5) <nil> map[%!d(string=0000a):map[%!d(string=0000b):00002]] "
		  "[00001 [00002]]]",
		  NULL },
		{ "{{printf \"%v|%s|%d|%T|%5v|%#v|%t\" nil nil nil nil nil nil nil}} {{printf \"%v "
		  "%s\" .n .q}}",
		  "<nil>|%!s(<nil>)|%!d(<nil>)|<nil>|<nil>|<nil>|%!t(<nil>) <nil> %!s(<nil>)",
		  NULL },
		{ "{{printf \"%w\" 3}} {{printf \"%w\" .m}} {{printf \"%p\" 3}} {{printf \"%p\" "
		  "\"x\"}} {{printf \"%p\" nil}}",
		  "%!w(int=3) %!w(map[string]interface {}=map[a:x b:1 c:map[] d:<nil>]) %!p(int=3) "
		  "%!p(string=x) %!p(<nil>)",
		  NULL },
		{ "{{printf \"%c %c %U %q\" 128512 -1 -1 128512}} {{printf "
		  "\"%5c|%-5c|%05c|%+q|%#U|%.8U\" 65 65 65 233 10 65}}",
		  "\xf0\x9f\x98\x80 \xef\xbf\xbd U+FFFFFFFFFFFFFFFF '\xf0\x9f\x98\x80'     A|A    "
		  "|0000A|'\\u00e9'|U+000A|U+00000041",
		  NULL },
		{ "{{printf \"%99999999d\" 3}} {{printf \"%.99999999d\" 3}} {{printf \"%6.2f%%\" "
		  "3.14159}}",
		  "%!(NOVERB)%!(EXTRA int=3) %!(NOVERB)%!(EXTRA int=3)   3.14%", NULL },
	};

	run_rows(*state, rows, ARRAY_LEN(rows));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(print_html_js_and_urlquery_write_text),
		CASE(numbers_have_all_forms_of_Go),
		CASE(characters_and_strings_have_all_escapes_of_Go),
		CASE(printf_has_the_verbs_and_flags_of_Go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
