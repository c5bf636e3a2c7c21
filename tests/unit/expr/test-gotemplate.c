/* SPDX-License-Identifier: Apache-2.0 */
/* Go's templates: what the language prints, and its messages. The texts are Go's. */
#include "gotemplate-check.h"

static void values_print_as_fmt_prints_them(void **state)
{
	static const struct row rows[] = {
		{ "{{.}}",
		  "map[apiVersion:v1 big:1.0000005e+06 e:1e+21 el:[] em:map[] es: f:1.5 fa:false "
		  "huge:1.2345678901234567e+19 i:3 items:[map[n:p1 v:1] map[n:p2 v:2]] k-y:4 l:[1 "
		  "two 3.5 <nil> map[a:map[b:2]] [1 [2]]] m:map[a:x b:1 c:map[] d:<nil>] n:<nil> "
		  "neg:-7 s:h\xc3\xa4l<l>o \"q\" t:true z:0]",
		  NULL },
		{ "{{.l}} {{.m}} {{.huge}} {{.e}} {{.big}} {{.f}} {{.i}}",
		  "[1 two 3.5 <nil> map[a:map[b:2]] [1 [2]]] map[a:x b:1 c:map[] d:<nil>] "
		  "1.2345678901234567e+19 1e+21 1.0000005e+06 1.5 3",
		  NULL },
		{ "{{printf \"%T %T %T %T %T %T %T\" .i .f .l .m .n .s 3}}",
		  "int64 float64 []interface {} map[string]interface {} <nil> string int", NULL },
	};

	run_rows(*state, rows, ARRAY_LEN(rows));
}

static void fields_of_nothing_are_nothing_and_of_other_types_are_errors(void **state)
{
	static const struct row rows[] = {
		{ "{{.a.b.c}} {{.n.x}}", "<no value> ",
		  "template: output:1:15: executing \"output\" at <.n.x>: nil pointer evaluating "
		  "interface {}.x" },
		{ "{{.s.b}}", "",
		  "template: output:1:4: executing \"output\" at <.s.b>: can't evaluate field b in "
		  "type interface {}" },
		{ "{{$x := .s}}{{$x.b}}", "",
		  "template: output:1:16: executing \"output\" at <$x.b>: can't evaluate field b "
		  "in type string" },
		{ "{{.l.x}}", "",
		  "template: output:1:4: executing \"output\" at <.l.x>: can't evaluate field x in "
		  "type interface {}" },
	};

	run_rows(*state, rows, ARRAY_LEN(rows));
}

static void lists_and_maps_are_walked_in_order(void **state)
{
	static const struct row rows[] = {
		{ "{{range .l}}[{{.}}]{{end}}",
		  "[1][two][3.5][<no value>][map[a:map[b:2]]][[1 [2]]]", NULL },
		{ "{{range $i, $e := .l}}{{$i}}={{$e}} {{end}}",
		  "0=1 1=two 2=3.5 3=<no value> 4=map[a:map[b:2]] 5=[1 [2]] ", NULL },
		{ "{{range $k, $e := .m}}{{$k}}={{$e}} {{end}}", "a=x b=1 c=map[] d=<no value> ",
		  NULL },
		{ "{{range $e := .m}}{{$e}} {{end}}", "x 1 map[] <no value> ", NULL },
		{ "{{range .el}}x{{else}}none{{end}} {{range .n}}x{{else}}nil{{end}} {{range "
		  ".q}}a{{end}}",
		  "none nil ", NULL },
	};

	run_rows(*state, rows, ARRAY_LEN(rows));
}

static void other_values_are_not_walked(void **state)
{
	static const struct row rows[] = {
		{ "{{range .s}}{{end}}", "",
		  "template: output:1:8: executing \"output\" at <.s>: range can't iterate over "
		  "h\xc3\xa4l<l>o \"q\"" },
		{ "{{range .i}}{{end}}", "",
		  "template: output:1:8: executing \"output\" at <.i>: range can't iterate over "
		  "3" },
		{ "{{range 3.5}}{{end}}", "",
		  "template: output:1:8: executing \"output\" at <3.5>: range can't iterate over "
		  "3.5" },
		{ "{{range true}}{{end}}", "",
		  "template: output:1:8: executing \"output\" at <true>: range can't iterate over "
		  "true" },
		{ "{{range $i,$j := .t}}{{end}}", "",
		  "template: output:1:17: executing \"output\" at <.t>: range can't iterate over "
		  "true" },
	};

	run_rows(*state, rows, ARRAY_LEN(rows));
}

static void branches_go_by_the_truth_of_values(void **state)
{
	static const struct row rows[] = {
		{ "{{if .i}}a{{else if .f}}b{{else}}c{{end}}{{if .z}}a{{else if "
		  ".fa}}b{{else}}c{{end}}{{if .n}}a{{else if .f}}b{{else}}c{{end}}",
		  "acb", NULL },
		{ "{{with .m}}{{.a}}{{end}}{{with .em}}{{.a}}{{else with .l}}{{len "
		  ".}}{{else}}z{{end}}{{with $y := .i}}{{$y}}{{.}}{{end}}",
		  "x633", NULL },
		{ "{{with .em}}{{.a}}{{else if .l}}{{len .}}{{end}}", "",
		  "template: output:1: unexpected <if> in input" },
		{ "{{if .em}}{{.a}}{{else with .l}}{{len .}}{{end}}", "",
		  "template: output:1: unexpected <with> in input" },
	};

	run_rows(*state, rows, ARRAY_LEN(rows));
}

static void break_and_continue_stand_within_ranges(void **state)
{
	static const struct row rows[] = {
		{ "{{range .l}}{{if eq (printf \"%v\" .) \"two\"}}{{continue}}{{end}}{{if eq "
		  "(printf \"%v\" .) \"3.5\"}}{{break}}{{end}}{{.}}{{end}}",
		  "1", NULL },
		{ "{{break}}", "", "template: output:1: {{break}} outside {{range}}" },
		{ "{{continue}}", "", "template: output:1: {{continue}} outside {{range}}" },
		{ "{{range .l}}{{break 3}}{{end}}", "",
		  "template: output:1: unexpected \"3\" in {{break}}" },
		{ "{{range .l}}{{else}}{{break}}{{end}}", "",
		  "template: output:1: {{break}} outside {{range}}" },
		{ "{{define \"x\"}}{{break}}{{end}}", "",
		  "template: output:1: {{break}} outside {{range}}" },
		{ "{{range .l}}{{block \"z\" .}}{{continue}}{{end}}{{end}}", "",
		  "template: output:1: {{continue}} outside {{range}}" },
	};

	run_rows(*state, rows, ARRAY_LEN(rows));
}

static void templates_are_defined_and_called(void **state)
{
	static const struct row rows[] = {
		{ "{{define \"a\"}}A{{.}}{{end}}{{template \"a\"}}{{template \"a\" .i}}{{template "
		  "\"a\" .l}}",
		  "A<no value>A3A[1 two 3.5 <nil> map[a:map[b:2]] [1 [2]]]", NULL },
		{ "{{template \"nope\"}}", "",
		  "template: output:1:11: executing \"output\" at <{{template \"nope\"}}>: "
		  "template \"nope\" not defined" },
		{ "{{template \"nope\" .i}}", "",
		  "template: output:1:11: executing \"output\" at <{{template \"nope\" .i}}>: "
		  "template \"nope\" not defined" },
		{ "{{template nope}}", "",
		  "template: output:1: unexpected \"nope\" in template clause" },
		{ "{{block \"b\" .i}}<{{.}}>{{end}}{{template \"b\" .f}}", "<3><1.5>", NULL },
		{ "{{block \"b\"}}{{end}}", "",
		  "template: output:1: missing value for block clause" },
		{ "{{define \"a\"}}x{{end}}{{define \"a\"}}y{{end}}", "",
		  "template: output:1: template: multiple definition of template \"a\"" },
		{ "{{define \"a\"}}  {{end}}{{define \"a\"}}y{{end}}{{template \"a\"}}", "y",
		  NULL },
		{ "{{define \"a\"}}y{{end}}{{define \"a\"}} {{end}}{{template \"a\"}}", "y", NULL },
		{ "{{define \"output\"}}y{{end}}", "y", NULL },
		{ "{{define \"output\"}}y{{end}}x", "",
		  "template: output:1: template: multiple definition of template \"output\"" },
		{ "{{define a}}{{end}}", "",
		  "template: output:1: unexpected \"a\" in define clause" },
		{ "{{define \"a\" .}}{{end}}", "",
		  "template: output:1: unexpected <.> in define clause" },
		{ "{{define \"a\"}}{{else}}{{end}}", "",
		  "template: output:1: unexpected {{else}} in define clause" },
		{ "{{define \"a\"}}", "", "template: output:1: unexpected EOF" },
		{ "{{block \"a\" .}}{{else}}{{end}}", "",
		  "template: output:1: unexpected {{else}} in block clause" },
		{ "{{if .x}}{{define \"a\"}}{{end}}{{end}}", "",
		  "template: output:1: unexpected <define> in command" },
	};

	run_rows(*state, rows, ARRAY_LEN(rows));
}

static void markers_trim_the_space_around_actions(void **state)
{
	static const struct row rows[] = {
		{ "a {{- .i -}} b {{- /* c */ -}} d", "a3bd", NULL },
		{ "a {{/* c */}} b {{- /* c */}} d", "a  b d", NULL },
		{ "{{/* a }}", "", "template: output:1: unclosed comment" },
		{ "{{/* a */ }}", "", "template: output:1: comment ends before closing delimiter" },
		{ "{{- /* a */-}}", "",
		  "template: output:1: comment ends before closing delimiter" },
		{ "{{-3}} {{- 3}} {{3 -}} x", "-33 3x", NULL },
	};

	run_rows(*state, rows, ARRAY_LEN(rows));
}

static void what_is_not_closed_is_told_with_its_line(void **state)
{
	static const struct row rows[] = {
		{ "\n\n{{.x.y\n.z}}", "\n\n<no value>", NULL },
		{ "{{.i", "", "template: output:1: unclosed action" },
		{ "{{.i}", "", "template: output:1: bad character U+007D '}'" },
		{ "{{.i}}}", "3}", NULL },
		{ "{{", "", "template: output:1: unclosed action" },
		{ "{{\"abc", "", "template: output:1: unterminated quoted string" },
		{ "{{`abc", "", "template: output:1: unterminated raw quoted string" },
		{ "{{'a", "", "template: output:1: unterminated character constant" },
		{ "{{\n\n\"abc", "",
		  "template: output:3: unterminated quoted string in action started at output:1" },
		{ "{{(.i}}", "", "template: output:1: unclosed left paren" },
		{ "{{.i)}}", "", "template: output:1: unexpected right paren" },
	};

	run_rows(*state, rows, ARRAY_LEN(rows));
}

static void parentheses_group_and_their_fields_can_be_read(void **state)
{
	static const struct row rows[] = {
		{ "{{((.i))}}", "3", NULL },
		{ "{{()}}", "", "template: output:1: missing value for parenthesized pipeline" },
		{ "{{(.m).a}} {{(.m).c.d}} {{(index .m \"a\").x}}", "x <no value> ",
		  "template: output:1:36: executing \"output\" at <\"a\">: can't evaluate field x "
		  "in type string" },
		{ "{{(index .l 4).a.b}}", "2", NULL },
		{ "{{(.l).a}}", "",
		  "template: output:1:3: executing \"output\" at <.l>: can't evaluate field a in "
		  "type []interface {}" },
		{ "{{(len .s).x}}", "",
		  "template: output:1:7: executing \"output\" at <.s>: can't evaluate field x in "
		  "type int" },
		{ "{{.m.a.b.c}}", "",
		  "template: output:1:4: executing \"output\" at <.m.a.b.c>: can't evaluate field "
		  "b in type interface {}" },
		{ "{{.m.d.e}}", "",
		  "template: output:1:4: executing \"output\" at <.m.d.e>: nil pointer evaluating "
		  "interface {}.e" },
	};

	run_rows(*state, rows, ARRAY_LEN(rows));
}

static void variables_live_in_their_block(void **state)
{
	static const struct row rows[] = {
		{ "{{$.i}} {{$.m.a}} {{$}}",
		  "3 x map[apiVersion:v1 big:1.0000005e+06 e:1e+21 el:[] em:map[] es: f:1.5 "
		  "fa:false huge:1.2345678901234567e+19 i:3 items:[map[n:p1 v:1] map[n:p2 v:2]] "
		  "k-y:4 l:[1 two 3.5 <nil> map[a:map[b:2]] [1 [2]]] m:map[a:x b:1 c:map[] "
		  "d:<nil>] n:<nil> neg:-7 s:h\xc3\xa4l<l>o \"q\" t:true z:0]",
		  NULL },
		{ "{{$x}}", "", "template: output:1: undefined variable \"$x\"" },
		{ "{{$x := 3}}{{$x}}{{$x = 4}}{{$x}}{{if true}}{{$x := 9}}{{$x}}{{end}}{{$x}}{{if "
		  "true}}{{$x = 7}}{{end}}{{$x}}",
		  "34947", NULL },
		{ "{{if $y := .i}}{{$y}}{{end}}{{$y}}", "",
		  "template: output:1: undefined variable \"$y\"" },
		{ "{{$x = 1}}", "",
		  "template: output:1:7: executing \"output\" at <1>: undefined variable: $x" },
		{ "{{$x, $y := .l}}", "", "template: output:1: too many declarations in command" },
		{ "{{range $i, $j, $k := .l}}{{end}}", "",
		  "template: output:1: too many declarations in range" },
		{ "{{range $i, 3 := .l}}{{end}}", "",
		  "template: output:1: range can only initialize variables" },
		{ "{{range $i, $j}}{{end}}", "", "template: output:1: undefined variable \"$j\"" },
		{ "{{range $i, }}{{end}}", "", "template: output:1: missing value for range" },
		{ "{{$x := 1}}{{range $x = .m}}{{end}}{{$x}}", "<no value>", NULL },
		{ "{{$x := 1}}{{$y := 2}}{{range $x, $y = .m}}{{$x}}{{$y}}{{end}}{{$x}}{{$y}}",
		  "axb1cmap[]d<no value>d<no value>", NULL },
		{ "{{range $x = .m}}{{end}}", "",
		  "template: output:1:13: executing \"output\" at <.m>: undefined variable: $x" },
	};

	run_rows(*state, rows, ARRAY_LEN(rows));
}

static void pipelines_hand_their_value_on_as_the_last_argument(void **state)
{
	static const struct row rows[] = {
		{ "{{.i | printf \"%d-%s\" 5}} {{.i | printf \"%v %v\" .f}}",
		  "5-%!s(int64=3) 1.5 3", NULL },
		{ "{{3 | 4}}", "",
		  "template: output:1: non executable command in pipeline stage 2" },
		{ "{{. | nil}}", "",
		  "template: output:1: non executable command in pipeline stage 2" },
		{ "{{.i | .f}}", "",
		  "template: output:1:7: executing \"output\" at <.f>: f is not a method but has "
		  "arguments" },
		{ "{{.i | .m.a}}", "",
		  "template: output:1:9: executing \"output\" at <.m.a>: a is not a method but has "
		  "arguments" },
		{ "{{.m.a 3}}", "",
		  "template: output:1:4: executing \"output\" at <.m.a>: a is not a method but has "
		  "arguments" },
		{ "{{.q 3}}", "",
		  "template: output:1:2: executing \"output\" at <.q>: q is not a method but has "
		  "arguments" },
		{ "{{.q.r 3}}", "<no value>", NULL },
		{ "{{.i | .q.r}}", "<no value>", NULL },
		{ "{{.s.x 3}}", "",
		  "template: output:1:4: executing \"output\" at <.s.x>: can't evaluate field x in "
		  "type interface {}" },
		{ "{{$ 3}}", "",
		  "template: output:1:2: executing \"output\" at <$>: can't give argument to "
		  "non-function $" },
		{ "{{$.m.a 3}}", "",
		  "template: output:1:3: executing \"output\" at <$.m.a>: a is not a method but "
		  "has arguments" },
		{ "{{. 3}}", "",
		  "template: output:1:2: executing \"output\" at <.>: can't give argument to "
		  "non-function ." },
	};

	run_rows(*state, rows, ARRAY_LEN(rows));
}

static void literals_stand_where_Go_lets_them(void **state)
{
	static const struct row rows[] = {
		{ "{{nil}}", "",
		  "template: output:1:2: executing \"output\" at <nil>: nil is not a command" },
		{ "{{nil.x}}", "", "template: output:1: unexpected . after term \"nil\"" },
		{ "{{true.x}}", "", "template: output:1: unexpected . after term \"true\"" },
		{ "{{3.x}}", "", "template: output:1: bad number syntax: \"3.x\"" },
		{ "{{\"a\".x}}", "", "template: output:1: unexpected . after term \"\\\"a\\\"\"" },
		{ "{{\"a\" .x}}", "",
		  "template: output:1:2: executing \"output\" at <\"a\">: can't give argument to "
		  "non-function \"a\"" },
		{ "{{. .x}}", "",
		  "template: output:1:2: executing \"output\" at <.>: can't give argument to "
		  "non-function ." },
		{ "{{1.5.x}}", "", "template: output:1: unexpected . after term \"1.5\"" },
	};

	run_rows(*state, rows, ARRAY_LEN(rows));
}

static void characters_that_Go_does_not_know_are_refused(void **state)
{
	static const struct row rows[] = {
		{ "{{..x}}", "", "template: output:1: unexpected . after term \".\"" },
		{ "{{.x.}}", "", "template: output:1: unexpected <.> in operand" },
		{ "{{.x..y}}", "", "template: output:1: unexpected <.> in operand" },
		{ "{{$.}}", "", "template: output:1: unexpected <.> in operand" },
		{ "{{.\xc3\xa9}} {{.\xe6\x97\xa5\xe6\x9c\xac}}", "<no value> <no value>", NULL },
		{ "{{.a-b}}", "", "template: output:1: bad character U+002D '-'" },
		{ "{{.a+b}}", "", "template: output:1: bad character U+002B '+'" },
		{ "{{x-y}}", "", "template: output:1: bad character U+002D '-'" },
		{ "{{#}}", "", "template: output:1: unexpected \"#\" in command" },
		{ "{{.i ! .f}}", "", "template: output:1: unexpected \"!\" in operand" },
		{ "{{;}}", "", "template: output:1: unexpected \";\" in command" },
		{ "{{\x01}}", "", "template: output:1: unrecognized character in action: U+0001" },
		{ "{{\xc3\xa9}}", "", "template: output:1: function \"\xc3\xa9\" not defined" },
		{ "{{\xe2\x82\xac}}", "",
		  "template: output:1: unrecognized character in action: U+20AC '\xe2\x82\xac'" },
		{ "{{.i , .f}}", "", "template: output:1: unexpected \",\" in operand" },
		{ "{{,}}", "", "template: output:1: unexpected \",\" in command" },
		{ "{{.i := 3}}", "", "template: output:1: unexpected \":=\" in operand" },
		{ "{{= 3}}", "", "template: output:1: unexpected \"=\" in command" },
		{ "{{:= 3}}", "", "template: output:1: unexpected \":=\" in command" },
		{ "{{.i:3}}", "", "template: output:1: expected :=" },
		{ "{{.i:=3}}", "", "template: output:1: unexpected \":=\" in operand" },
		{ "{{$x:=3}}{{$x}}", "3", NULL },
	};

	run_rows(*state, rows, ARRAY_LEN(rows));
}

static void empty_commands_and_actions_are_refused(void **state)
{
	static const struct row rows[] = {
		{ "{{|}}", "", "template: output:1: unexpected \"|\" in command" },
		{ "{{.i |}}", "3", NULL },
		{ "{{.i | | len}}", "", "template: output:1: unexpected \"|\" in command" },
		{ "{{| .i}}", "", "template: output:1: unexpected \"|\" in command" },
		{ "{{if}}{{end}}", "", "template: output:1: missing value for if" },
		{ "{{range}}{{end}}", "", "template: output:1: missing value for range" },
		{ "{{with}}{{end}}", "", "template: output:1: missing value for with" },
		{ "{{template}}", "", "template: output:1: unexpected \"}}\" in template clause" },
		{ "{{block}}", "", "template: output:1: unexpected \"}}\" in block clause" },
		{ "{{define}}", "", "template: output:1: unexpected \"}}\" in define clause" },
		{ "{{else}}", "", "template: output:1: unexpected {{else}}" },
		{ "{{end}}", "", "template: output:1: unexpected {{end}}" },
		{ "{{end 3}}", "", "template: output:1: unexpected \"3\" in end" },
		{ "{{if .i}}{{else 3}}{{end}}", "",
		  "template: output:1: unexpected \"3\" in else" },
		{ "{{if .i}}{{else}}{{else}}{{end}}", "",
		  "template: output:1: expected end; found {{else}}" },
		{ "{{if .i}}", "", "template: output:1: unexpected EOF" },
		{ "{{if .i}}{{else}}", "", "template: output:1: unexpected EOF" },
		{ "{{range .l}}{{else if .i}}{{end}}", "",
		  "template: output:1: unexpected <if> in input" },
		{ "{{if .i}}{{else if}}{{end}}", "", "template: output:1: missing value for if" },
		{ "{{with .i}}{{else with}}{{end}}", "",
		  "template: output:1: missing value for with" },
	};

	run_rows(*state, rows, ARRAY_LEN(rows));
}

static void arguments_are_counted_and_typed(void **state)
{
	static const struct row rows[] = {
		{ "{{foo}} {{foo .i}}", "", "template: output:1: function \"foo\" not defined" },
		{ "{{printf}}", "",
		  "template: output:1:2: executing \"output\" at <printf>: wrong number of args "
		  "for printf: want at least 1 got 0" },
		{ "{{printf 3}}", "",
		  "template: output:1:9: executing \"output\" at <3>: expected string; found 3" },
		{ "{{printf .i}}", "",
		  "template: output:1:9: executing \"output\" at <.i>: wrong type for value; "
		  "expected string; got int64" },
		{ "{{printf nil}}", "",
		  "template: output:1:9: executing \"output\" at <nil>: cannot assign nil to "
		  "string" },
		{ "{{printf .n}}", "",
		  "template: output:1:9: executing \"output\" at <.n>: wrong type for value; "
		  "expected string; got interface {}" },
		{ "{{printf .q}}", "",
		  "template: output:1:9: executing \"output\" at <.q>: invalid value; expected "
		  "string" },
		{ "{{.i | printf}}", "",
		  "template: output:1:7: executing \"output\" at <printf>: wrong type for value; "
		  "expected string; got int64" },
		{ "{{.s | printf}}", "h\xc3\xa4l<l>o \"q\"", NULL },
	};

	run_rows(*state, rows, ARRAY_LEN(rows));
}

static void len_counts_bytes_elements_and_members(void **state)
{
	static const struct row rows[] = {
		{ "{{len}}", "",
		  "template: output:1:2: executing \"output\" at <len>: wrong number of args for "
		  "len: want 1 got 0" },
		{ "{{len 3}}", "",
		  "template: output:1:2: executing \"output\" at <len 3>: error calling len: len "
		  "of type int" },
		{ "{{len nil}}", "",
		  "template: output:1:2: executing \"output\" at <len nil>: error calling len: "
		  "reflect: call of reflect.Value.Type on zero Value" },
		{ "{{len .n}}", "",
		  "template: output:1:2: executing \"output\" at <len .n>: error calling len: len "
		  "of nil pointer" },
		{ "{{len .q}}", "",
		  "template: output:1:2: executing \"output\" at <len .q>: error calling len: "
		  "reflect: call of reflect.Value.Type on zero Value" },
		{ "{{len \"abc\" }} {{len .l}} {{len .m}} {{len .s}}", "3 6 4 12", NULL },
		{ "{{len .i .i}}", "",
		  "template: output:1:2: executing \"output\" at <len>: wrong number of args for "
		  "len: want 1 got 2" },
		{ "{{.i | len}}", "",
		  "template: output:1:7: executing \"output\" at <len>: error calling len: len of "
		  "type int64" },
	};

	run_rows(*state, rows, ARRAY_LEN(rows));
}

static void index_reads_lists_maps_and_strings(void **state)
{
	static const struct row rows[] = {
		{ "{{index}}", "",
		  "template: output:1:2: executing \"output\" at <index>: wrong number of args for "
		  "index: want at least 1 got 0" },
		{ "{{index .l}}", "[1 two 3.5 <nil> map[a:map[b:2]] [1 [2]]]", NULL },
		{ "{{index .l 0}} {{index .l 4 \"a\" \"b\"}} {{index .m \"a\"}} {{index .m "
		  "\"zz\"}} {{index .s 1}} {{index .l 3}}",
		  "1 2 x <no value> 195 <no value>", NULL },
		{ "{{index .l -1}}", "",
		  "template: output:1:2: executing \"output\" at <index .l -1>: error calling "
		  "index: index out of range: -1" },
		{ "{{index .l 6}}", "",
		  "template: output:1:2: executing \"output\" at <index .l 6>: error calling "
		  "index: reflect: slice index out of range" },
		{ "{{index .l 7}}", "",
		  "template: output:1:2: executing \"output\" at <index .l 7>: error calling "
		  "index: index out of range: 7" },
		{ "{{index .s 100}}", "",
		  "template: output:1:2: executing \"output\" at <index .s 100>: error calling "
		  "index: index out of range: 100" },
		{ "{{index .es 0}}", "",
		  "template: output:1:2: executing \"output\" at <index .es 0>: error calling "
		  "index: reflect: string index out of range" },
		{ "{{index .l \"a\"}}", "",
		  "template: output:1:2: executing \"output\" at <index .l \"a\">: error calling "
		  "index: cannot index slice/array with type string" },
		{ "{{index .l nil}}", "",
		  "template: output:1:2: executing \"output\" at <index .l nil>: error calling "
		  "index: cannot index slice/array with nil" },
		{ "{{index .l .n}}", "",
		  "template: output:1:2: executing \"output\" at <index .l .n>: error calling "
		  "index: cannot index slice/array with nil" },
		{ "{{index .l 1.0}}", "",
		  "template: output:1:2: executing \"output\" at <index .l 1.0>: error calling "
		  "index: cannot index slice/array with type float64" },
		{ "{{index .m 1}}", "",
		  "template: output:1:2: executing \"output\" at <index .m 1>: error calling "
		  "index: value has type int; should be string" },
		{ "{{index .m nil}}", "",
		  "template: output:1:2: executing \"output\" at <index .m nil>: error calling "
		  "index: value is nil; should be of type string" },
		{ "{{index .i 1}}", "",
		  "template: output:1:2: executing \"output\" at <index .i 1>: error calling "
		  "index: can't index item of type int64" },
		{ "{{index .n 1}}", "",
		  "template: output:1:2: executing \"output\" at <index .n 1>: error calling "
		  "index: index of untyped nil" },
		{ "{{index .q 1}}", "",
		  "template: output:1:2: executing \"output\" at <index .q 1>: error calling "
		  "index: index of untyped nil" },
		{ "{{index nil}}", "",
		  "template: output:1:2: executing \"output\" at <index nil>: error calling index: "
		  "index of untyped nil" },
		{ "{{index .l 3 1}}", "",
		  "template: output:1:2: executing \"output\" at <index .l 3 1>: error calling "
		  "index: index of nil pointer" },
		{ "{{index .m \"zz\" \"y\"}}", "",
		  "template: output:1:2: executing \"output\" at <index .m \"zz\" \"y\">: error "
		  "calling index: index of nil pointer" },
		{ "{{index .l .i}}", "<no value>", NULL },
	};

	run_rows(*state, rows, ARRAY_LEN(rows));
}

static void slice_cuts_strings_and_lists(void **state)
{
	static const struct row rows[] = {
		{ "{{slice .s 1 3}} {{slice .s}} {{slice .s 2}} {{slice .l 1 2}} {{slice .l}} "
		  "{{slice .l 2 3 4}}",
		  "\xc3\xa4 h\xc3\xa4l<l>o \"q\" \xa4l<l>o \"q\" [two] [1 two 3.5 <nil> "
		  "map[a:map[b:2]] [1 [2]]] [3.5]",
		  NULL },
		{ "{{slice .s 3 1}}", "",
		  "template: output:1:2: executing \"output\" at <slice .s 3 1>: error calling "
		  "slice: invalid slice index: 3 > 1" },
		{ "{{slice .l 3 2 1}}", "",
		  "template: output:1:2: executing \"output\" at <slice .l 3 2 1>: error calling "
		  "slice: invalid slice index: 3 > 2" },
		{ "{{slice .l 1 3 2}}", "",
		  "template: output:1:2: executing \"output\" at <slice .l 1 3 2>: error calling "
		  "slice: invalid slice index: 3 > 2" },
		{ "{{slice .s 1 2 3}}", "",
		  "template: output:1:2: executing \"output\" at <slice .s 1 2 3>: error calling "
		  "slice: cannot 3-index slice a string" },
		{ "{{slice .s 1 2 3 4}}", "",
		  "template: output:1:2: executing \"output\" at <slice .s 1 2 3 4>: error calling "
		  "slice: too many slice indexes: 4" },
		{ "{{slice .i 1}}", "",
		  "template: output:1:2: executing \"output\" at <slice .i 1>: error calling "
		  "slice: can't slice item of type int64" },
		{ "{{slice nil}}", "",
		  "template: output:1:2: executing \"output\" at <slice nil>: error calling slice: "
		  "slice of untyped nil" },
		{ "{{slice .s 100}}", "",
		  "template: output:1:2: executing \"output\" at <slice .s 100>: error calling "
		  "slice: index out of range: 100" },
		{ "{{slice .s \"a\"}}", "",
		  "template: output:1:2: executing \"output\" at <slice .s \"a\">: error calling "
		  "slice: cannot index slice/array with type string" },
	};

	run_rows(*state, rows, ARRAY_LEN(rows));
}

static void call_finds_no_functions(void **state)
{
	static const struct row rows[] = {
		{ "{{call .i}}", "",
		  "template: output:1:2: executing \"output\" at <call .i>: error calling call: "
		  "non-function .i of type int64" },
		{ "{{call nil}}", "",
		  "template: output:1:2: executing \"output\" at <call nil>: error calling call: "
		  "call of nil" },
		{ "{{call .n}}", "",
		  "template: output:1:2: executing \"output\" at <call .n>: error calling call: "
		  "call of nil" },
		{ "{{call}}", "",
		  "template: output:1:2: executing \"output\" at <call>: wrong number of args for "
		  "call: want at least 1 got 0" },
		{ "{{.i | call}}", "",
		  "template: output:1:7: executing \"output\" at <call>: error calling call: "
		  "non-function <int64 Value> of type int64" },
	};

	run_rows(*state, rows, ARRAY_LEN(rows));
}

static void comparisons_go_by_kinds(void **state)
{
	static const struct row rows[] = {
		{ "{{eq 1 1}} {{eq 1 2}} {{eq .i 3}} {{eq .i 1 2 3}} {{eq \"a\" \"a\"}} {{eq .f "
		  "1.5}} {{eq true .t}} {{eq nil nil}} {{eq .n nil}} {{eq .q .n}} {{eq .n 3}} {{eq "
		  ".m nil}}",
		  "true false true true true true true true true true false false", NULL },
		{ "{{eq 1}}", "",
		  "template: output:1:2: executing \"output\" at <eq 1>: error calling eq: missing "
		  "argument for comparison" },
		{ "{{eq}}", "",
		  "template: output:1:2: executing \"output\" at <eq>: wrong number of args for "
		  "eq: want at least 1 got 0" },
		{ "{{eq .i .f}}", "",
		  "template: output:1:2: executing \"output\" at <eq .i .f>: error calling eq: "
		  "incompatible types for comparison" },
		{ "{{eq .i \"3\"}}", "",
		  "template: output:1:2: executing \"output\" at <eq .i \"3\">: error calling eq: "
		  "incompatible types for comparison" },
		{ "{{eq .m .m}}", "",
		  "template: output:1:2: executing \"output\" at <eq .m .m>: error calling eq: "
		  "non-comparable type map[a:x b:%!s(int64=1) c:map[] d:<nil>]: "
		  "map[string]interface {}" },
		{ "{{eq .m .l}}", "",
		  "template: output:1:2: executing \"output\" at <eq .m .l>: error calling eq: "
		  "non-comparable types map[a:x b:%!s(int64=1) c:map[] d:<nil>]: "
		  "map[string]interface {}, []interface {}: [1 two 3.5 <nil> map[a:map[b:2]] [1 "
		  "[2]]]" },
		{ "{{eq .l .l}}", "",
		  "template: output:1:2: executing \"output\" at <eq .l .l>: error calling eq: "
		  "non-comparable type [%!s(int64=1) two %!s(float64=3.5) <nil> "
		  "map[a:map[b:%!s(int64=2)]] [%!s(int64=1) [%!s(int64=2)]]]: []interface {}" },
		{ "{{eq .m 3}}", "",
		  "template: output:1:2: executing \"output\" at <eq .m 3>: error calling eq: "
		  "incompatible types for comparison" },
		{ "{{eq 3 .m}}", "",
		  "template: output:1:2: executing \"output\" at <eq 3 .m>: error calling eq: "
		  "incompatible types for comparison" },
		{ "{{eq .em .em}}", "",
		  "template: output:1:2: executing \"output\" at <eq .em .em>: error calling eq: "
		  "non-comparable type map[]: map[string]interface {}" },
		{ "{{eq .el .em}}", "",
		  "template: output:1:2: executing \"output\" at <eq .el .em>: error calling eq: "
		  "non-comparable types []: []interface {}, map[string]interface {}: map[]" },
		{ "{{ne 1 2}} {{ne .i 3}}", "true false", NULL },
		{ "{{ne 1 2 3}}", "",
		  "template: output:1:2: executing \"output\" at <ne>: wrong number of args for "
		  "ne: want 2 got 3" },
		{ "{{ne .i .f}}", "",
		  "template: output:1:2: executing \"output\" at <ne .i .f>: error calling ne: "
		  "incompatible types for comparison" },
		{ "{{lt 1 2}} {{lt .i 2}} {{lt \"a\" \"b\"}} {{lt 1.5 .f}} {{le 1 1}} {{gt 2 1}} "
		  "{{ge 1 2}} {{le .f 1.5}}",
		  "true false true false true true false true", NULL },
		{ "{{lt true false}}", "",
		  "template: output:1:2: executing \"output\" at <lt true false>: error calling "
		  "lt: invalid type for comparison" },
		{ "{{lt .m 1}}", "",
		  "template: output:1:2: executing \"output\" at <lt .m 1>: error calling lt: "
		  "invalid type for comparison" },
		{ "{{lt 1 .m}}", "",
		  "template: output:1:2: executing \"output\" at <lt 1 .m>: error calling lt: "
		  "invalid type for comparison" },
		{ "{{lt 1 nil}}", "",
		  "template: output:1:2: executing \"output\" at <lt 1 nil>: error calling lt: "
		  "invalid type for comparison" },
		{ "{{lt .q 1}}", "",
		  "template: output:1:2: executing \"output\" at <lt .q 1>: error calling lt: "
		  "invalid type for comparison" },
		{ "{{lt 1 1.5}}", "",
		  "template: output:1:2: executing \"output\" at <lt 1 1.5>: error calling lt: "
		  "incompatible types for comparison" },
		{ "{{lt 1 \"a\"}}", "",
		  "template: output:1:2: executing \"output\" at <lt 1 \"a\">: error calling lt: "
		  "incompatible types for comparison" },
		{ "{{le true true}}", "",
		  "template: output:1:2: executing \"output\" at <le true true>: error calling le: "
		  "invalid type for comparison" },
		{ "{{gt .l .l}}", "",
		  "template: output:1:2: executing \"output\" at <gt .l .l>: error calling gt: "
		  "invalid type for comparison" },
		{ "{{lt 1}}", "",
		  "template: output:1:2: executing \"output\" at <lt>: wrong number of args for "
		  "lt: want 2 got 1" },
		{ "{{lt (index .s 0) 200}} {{eq (index .s 0) 104}} {{eq 104 (index .s 0)}} "
		  "{{printf \"%T %v %c %q %x %d %#v\" (index .s 0) (index .s 0) (index .s 0) "
		  "(index .s 0) (index .s 0) (index .s 0) (index .s 0)}}",
		  "true true true uint8 104 h 'h' 68 104 0x68", NULL },
	};

	run_rows(*state, rows, ARRAY_LEN(rows));
}

static void and_and_or_stop_at_what_decides(void **state)
{
	static const struct row rows[] = {
		{ "{{and 1 0 2}} {{and 1 2}} {{or 0 \"\" 3}} {{or 0 \"\"}} {{and .q .l}} {{or .q "
		  ".n}} {{and true (index .l 100)}}",
		  "0 2 3  <no value> <no value> ",
		  "template: output:1:91: executing \"output\" at <index .l 100>: error calling "
		  "index: index out of range: 100" },
		{ "{{and false (index .l 100)}} {{or true (index .l 100)}} {{3 | and true}} {{3 | "
		  "or false}} {{3 | and 0}} {{0 | or 1 }}",
		  "false true 3 3 0 1", NULL },
		{ "{{and}}", "",
		  "template: output:1:2: executing \"output\" at <and>: wrong number of args for "
		  "and: want at least 1 got 0" },
		{ "{{not 1}} {{not .q}} {{not 0}} {{not nil}}", "false true true true", NULL },
		{ "{{not}}", "",
		  "template: output:1:2: executing \"output\" at <not>: wrong number of args for "
		  "not: want 1 got 0" },
		{ "{{not 1 2}}", "",
		  "template: output:1:2: executing \"output\" at <not>: wrong number of args for "
		  "not: want 1 got 2" },
		{ "{{and nil}} {{or nil nil}}", "<no value> <no value>", NULL },
		{ "{{(and .m .l).x}}", "",
		  "template: output:1:10: executing \"output\" at <.l>: can't evaluate field x in "
		  "type []interface {}" },
		{ "{{(or .q .m).a}}", "x", NULL },
		{ "{{(or .q .n).a}}", "<no value>", NULL },
		{ "{{(and .l.x)}}", "",
		  "template: output:1:9: executing \"output\" at <.l.x>: can't evaluate field x in "
		  "type interface {}" },
	};

	run_rows(*state, rows, ARRAY_LEN(rows));
}

static void actions_work_together(void **state)
{
	static const struct row rows[] = {
		{ "{{printf \"%s %v\" \"a\" \"b\" | print}} {{\"x\" | printf \"%s-%s\" \"y\" | "
		  "len}}",
		  "a b 3", NULL },
		{ "{{$a := 1}}{{$b := 2}}{{with $a}}{{$b = .}}{{end}}{{$b}}", "1", NULL },
		{ "{{range $i, $x := .items}}{{if $i}}, {{end}}{{$x.n}}:{{.v}}{{end}}",
		  "p1:1, p2:2", NULL },
		{ "{{define \"r\"}}{{if .}}{{len .}}{{template \"r\" (slice . "
		  "1)}}{{end}}{{end}}{{template \"r\" \"abc\"}}",
		  "321", NULL },
		{ "{{define \"v\"}}{{$}}{{$x := 1}}{{$x}}{{end}}{{$x := 5}}{{template \"v\" "
		  ".i}}{{$x}}",
		  "315", NULL },
		{ "{{define \"v\"}}{{$x}}{{end}}{{$x := 5}}{{template \"v\" .i}}", "",
		  "template: output:1: undefined variable \"$x\"" },
	};

	run_rows(*state, rows, ARRAY_LEN(rows));
}

static void functions_of_the_caller_take_what_their_row_says(void **state)
{
	static const struct row rows[] = {
		{ "{{exists}} ", "",
		  "template: output:1:2: executing \"output\" at <exists>: wrong number of args "
		  "for exists: want at least 1 got 0" },
		{ "{{exists .m}} {{exists .q}} {{.i | exists}} {{exists nil}}",
		  "true false true false", NULL },
		{ "{{base64decode 3}}", "",
		  "template: output:1:15: executing \"output\" at <3>: expected string; found 3" },
		{ "{{base64decode .i}}", "",
		  "template: output:1:15: executing \"output\" at <.i>: wrong type for value; "
		  "expected string; got int64" },
		{ "{{base64decode nil}}", "",
		  "template: output:1:15: executing \"output\" at <nil>: cannot assign nil to "
		  "string" },
		{ "{{base64decode .m}}", "",
		  "template: output:1:15: executing \"output\" at <.m>: wrong type for value; "
		  "expected string; got map[string]interface {}" },
		{ "{{base64decode true}}", "",
		  "template: output:1:15: executing \"output\" at <true>: expected string; found "
		  "true" },
		{ "{{base64decode (index .l 0)}}", "",
		  "template: output:1:25: executing \"output\" at <0>: wrong type for value; "
		  "expected string; got int64" },
		{ "{{base64decode (index .l 3)}}", "",
		  "template: output:1:25: executing \"output\" at <3>: invalid value; expected "
		  "string" },
		{ "{{base64decode}}", "",
		  "template: output:1:2: executing \"output\" at <base64decode>: wrong number of "
		  "args for base64decode: want 1 got 0" },
		{ "{{.i | base64decode}}", "",
		  "template: output:1:7: executing \"output\" at <base64decode>: wrong type for "
		  "value; expected string; got int64" },
		{ "{{base64decode \"a\" \"b\"}}", "",
		  "template: output:1:2: executing \"output\" at <base64decode>: wrong number of "
		  "args for base64decode: want 1 got 2" },
	};

	run_rows(*state, rows, ARRAY_LEN(rows));
}

static void functions_stand_among_arguments(void **state)
{
	static const struct row rows[] = {
		{ "{{print (print 1) (print 2)}} {{print print}} {{len print}}", "12  0", NULL },
		{ "{{print len}}", "",
		  "template: output:1:8: executing \"output\" at <len>: wrong number of args for "
		  "len: want 1 got 0" },
		{ "{{printf \"%v\" (len)}}", "",
		  "template: output:1:15: executing \"output\" at <len>: wrong number of args for "
		  "len: want 1 got 0" },
		{ "{{.l | len | printf \"%d\" | len}}", "1", NULL },
		{ "{{if and .i .f}}y{{end}}{{if not (eq .i 3)}}n{{end}}", "y", NULL },
		{ "{{with $x := .m}}{{range $k, $v := $x}}{{$k}}{{end}}{{end}}", "abcd", NULL },
		{ "{{template \"a\" 1 | print}}{{define \"a\"}}{{.}}{{end}}", "1", NULL },
		{ "{{template \"a\" $x := 3}}{{define \"a\"}}{{.}}{{end}}", "3", NULL },
		{ "{{$x := 1 | $y := 2}}", "", "template: output:1: undefined variable \"$y\"" },
	};

	run_rows(*state, rows, ARRAY_LEN(rows));
}

static void long_words_are_cut_in_messages(void **state)
{
	static const struct row rows[] = {
		{ "{{\"abcdefghijklmnop\" \"x\"}}", "",
		  "template: output:1:2: executing \"output\" at <\"abcdefghijklmnop\">: can't "
		  "give argument to non-function \"abcdefghijklmnop\"" },
		{ "{{if \"abcdefghijklmnop\" , }}{{end}}", "",
		  "template: output:1: unexpected \",\" in operand" },
		{ "{{.abcdefghijkl , }}", "", "template: output:1: unexpected \",\" in operand" },
		{ "{{.abcdefghi , }}", "", "template: output:1: unexpected \",\" in operand" },
	};

	run_rows(*state, rows, ARRAY_LEN(rows));
}

static void boxes_of_elements_show_in_messages(void **state)
{
	static const struct row rows[] = {
		{ "{{range .l}} {{- . -}} {{end}}", "1two3.5<no value>map[a:map[b:2]][1 [2]]",
		  NULL },
		{ "{{ . | printf \"%v\" | len }}", "268", NULL },
		{ "{{- .i}}  \n  {{- .f -}}  \n x", "31.5x", NULL },
		{ "{{.m.a | .m}}", "",
		  "template: output:1:9: executing \"output\" at <.m>: m is not a method but has "
		  "arguments" },
		{ "{{$x := .m}}{{$x.a 3}}", "",
		  "template: output:1:16: executing \"output\" at <$x.a>: a is not a method but "
		  "has arguments" },
		{ "{{(.m) 3}}", "",
		  "template: output:1:2: executing \"output\" at <(.m) 3>: can't give argument to "
		  "non-function .m" },
		{ "{{(3)}} {{((printf \"%d\" 3))}} {{(3).x}}", "3 3 ",
		  "template: output:1:33: executing \"output\" at <3>: can't evaluate field x in "
		  "type int" },
		{ "{{(nil).x}}", "",
		  "template: output:1:3: executing \"output\" at <nil>: nil is not a command" },
		{ "{{(print \"a\").x}}", "",
		  "template: output:1:9: executing \"output\" at <\"a\">: can't evaluate field x "
		  "in type string" },
		{ "{{.n.a.b}}", "",
		  "template: output:1:4: executing \"output\" at <.n.a.b>: nil pointer evaluating "
		  "interface {}.a" },
		{ "{{(.n).a}} {{(.q).a.b}} {{(index .l 3).x}}", "<no value> <no value> <no value>",
		  NULL },
		{ "{{$x := .n}}{{$x.a}} {{range .l}}{{.x}}{{end}}", "<no value> ",
		  "template: output:1:35: executing \"output\" at <.x>: can't evaluate field x in "
		  "type interface {}" },
		{ "{{range .items}}{{.n.x}}{{end}}", "",
		  "template: output:1:20: executing \"output\" at <.n.x>: can't evaluate field x "
		  "in type interface {}" },
		{ "{{range .l}}{{with .}}{{.x}}{{end}}{{end}}", "",
		  "template: output:1:24: executing \"output\" at <.x>: can't evaluate field x in "
		  "type int64" },
		{ "{{printf \"%s\" .k-y}}", "", "template: output:1: bad character U+002D '-'" },
		{ "{{index . \"k-y\"}}", "4", NULL },
		{ "{{eq (index .l 3) nil}} {{eq (index .m \"d\") .n}} {{not (index .l 3)}} {{and "
		  "(index .l 3) 1}}",
		  "true true true <no value>", NULL },
		{ "{{len (index .l 3)}}", "",
		  "template: output:1:2: executing \"output\" at <len (index .l 3)>: error calling "
		  "len: reflect: call of reflect.Value.Type on zero Value" },
		{ "{{index (index .l 3) 1}}", "",
		  "template: output:1:2: executing \"output\" at <index (index .l 3) 1>: error "
		  "calling index: index of untyped nil" },
		{ "{{slice (index .l 3)}}", "",
		  "template: output:1:2: executing \"output\" at <slice (index .l 3)>: error "
		  "calling slice: slice of untyped nil" },
		{ "{{lt (index .l 3) 1}}", "",
		  "template: output:1:2: executing \"output\" at <lt (index .l 3) 1>: error "
		  "calling lt: invalid type for comparison" },
		{ "{{print (index .l 3)}} {{html (index .l 3)}} {{printf \"%v\" (index .l 3)}}",
		  "<nil> &lt;no value&gt; <nil>", NULL },
	};

	run_rows(*state, rows, ARRAY_LEN(rows));
}

static void the_rest_of_the_language_works(void **state)
{
	static const struct row rows[] = {
		{ "{{block \"x\" .}}{{template \"y\" .}}{{end}}{{define \"y\"}}Y{{.i}}{{end}}",
		  "Y3", NULL },
		{ "{{define \"T1\"}}ONE{{end}}{{define \"T2\"}}TWO {{template "
		  "\"T1\"}}{{end}}{{template \"T2\"}}",
		  "TWO ONE", NULL },
		{ "x{{if true}}{{if false}}{{else}}y{{end}}{{end}}z", "xyz", NULL },
		{ "{{printf \"%q\" \"\\u00ad\\u200b\\ufeff\\U0010ffff\\x7f\\xff\"}} {{printf "
		  "\"%+q\" \"\xc3\xa9\xf0\x9f\x98\x80\"}} {{printf \"%#q\" \"a`b\"}} {{printf "
		  "\"%x\" .f}}",
		  "\"\\u00ad\\u200b\\ufeff\\U0010ffff\\x7f\\xff\" \"\\u00e9\\U0001f600\" \"a`b\" "
		  "0x1.8p+00",
		  NULL },
		{ "{{printf \"%v\" 1e-7}} {{printf \"%v\" 100000.0}} {{printf \"%6v|%-6v|%06v\" "
		  "1.5 1.5 -1.5}} {{printf \"%+v % v\" 1.5 3}} {{printf \"%.2v %.1v\" 1.256 "
		  "\"abc\"}}",
		  "1e-07 100000    1.5|1.5   |-001.5 1.5  3 1.3 a", NULL },
		{ "{{printf \"%08.3f|%+08.3f|%-+8.3f|% 8.3f|%#8.0f\" 3.14159 3.14159 3.14159 "
		  "3.14159 3.0}}",
		  "0003.142|+003.142|+3.142  |   3.142|      3.", NULL },
	};

	run_rows(*state, rows, ARRAY_LEN(rows));
}

static void lines_and_columns_are_those_of_Go(void **state)
{
	static const struct row rows[] = {
		{ "{{\n.i\n|\nprintf \"%d\"\n}}", "3", NULL },
		{ "{{.i\n\n.x}}", "",
		  "template: output:1:2: executing \"output\" at <.i>: i is not a method but has "
		  "arguments" },
		{ "a\nb{{if .i}}\n{{foo}}", "",
		  "template: output:3: function \"foo\" not defined" },
		{ "a\nb{{if .i}}\n{{.s.x}}{{end}}", "a\nb\n",
		  "template: output:3:4: executing \"output\" at <.s.x>: can't evaluate field x in "
		  "type interface {}" },
		{ "a\nb{{\n\n(.i}}", "",
		  "template: output:4: unclosed left paren in action started at output:2" },
		{ "a{{if\n.i , }}", "", "template: output:2: unexpected \",\" in operand" },
		{ "{{\"a\nb\"}}", "", "template: output:1: unterminated quoted string" },
		{ "{{`a\nb`}}{{.s.x}}", "a\nb",
		  "template: output:2:8: executing \"output\" at <.s.x>: can't evaluate field x in "
		  "type interface {}" },
	};

	run_rows(*state, rows, ARRAY_LEN(rows));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(values_print_as_fmt_prints_them),
		CASE(fields_of_nothing_are_nothing_and_of_other_types_are_errors),
		CASE(lists_and_maps_are_walked_in_order),
		CASE(other_values_are_not_walked),
		CASE(branches_go_by_the_truth_of_values),
		CASE(break_and_continue_stand_within_ranges),
		CASE(templates_are_defined_and_called),
		CASE(markers_trim_the_space_around_actions),
		CASE(what_is_not_closed_is_told_with_its_line),
		CASE(parentheses_group_and_their_fields_can_be_read),
		CASE(variables_live_in_their_block),
		CASE(pipelines_hand_their_value_on_as_the_last_argument),
		CASE(literals_stand_where_Go_lets_them),
		CASE(characters_that_Go_does_not_know_are_refused),
		CASE(empty_commands_and_actions_are_refused),
		CASE(arguments_are_counted_and_typed),
		CASE(len_counts_bytes_elements_and_members),
		CASE(index_reads_lists_maps_and_strings),
		CASE(slice_cuts_strings_and_lists),
		CASE(call_finds_no_functions),
		CASE(comparisons_go_by_kinds),
		CASE(and_and_or_stop_at_what_decides),
		CASE(actions_work_together),
		CASE(functions_of_the_caller_take_what_their_row_says),
		CASE(functions_stand_among_arguments),
		CASE(long_words_are_cut_in_messages),
		CASE(boxes_of_elements_show_in_messages),
		CASE(the_rest_of_the_language_works),
		CASE(lines_and_columns_are_those_of_Go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
