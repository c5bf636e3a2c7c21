/* SPDX-License-Identifier: Apache-2.0 */
/* Go's templates: options, sets of several texts, functions of a caller, bounds. */
#include "gotemplate-check.h"

#include <pthread.h>

static void missing_keys_are_what_the_option_says(void **state)
{
	static const struct row none[] = {
		{ "{{.q}} {{.q.r}} {{.n}}", "<no value> <no value> <no value>", NULL },
	};
	static const struct row zero[] = {
		{ "{{.q}} {{printf \"%v\" .q}}", "<no value> <nil>", NULL },
		{ "{{.q.r}}", "",
		  "template: output:1:4: executing \"output\" at <.q.r>: nil pointer evaluating "
		  "interface {}.r" },
	};
	static const struct row error[] = {
		{ "a{{.q}}", "a",
		  "template: output:1:3: executing \"output\" at <.q>: map has no entry for key "
		  "\"q\"" },
		{ "{{.n}}", "<no value>", NULL },
		{ "{{$x := .n}}{{$x.r}}", "",
		  "template: output:1:16: executing \"output\" at <$x.r>: nil data; no entry for "
		  "key \"r\"" },
	};

	run_rows(*state, none, ARRAY_LEN(none));
	run_rows_with(*state, zero, ARRAY_LEN(zero), GOTEMPLATE_MISSING_ZERO);
	run_rows_with(*state, error, ARRAY_LEN(error), GOTEMPLATE_MISSING_ERROR);
}

static void numbers_are_floats_when_the_decoder_knows_no_integers(void **state)
{
	static const struct row rows[] = {
		{ "{{printf \"%T %T\" .i 3}}", "float64 int", NULL },
		{ "{{eq .i 3.0}} {{.items}}", "true [map[n:p1 v:1] map[n:p2 v:2]]", NULL },
		{ "{{eq .i 3}}", "",
		  "template: output:1:2: executing \"output\" at <eq .i 3>: error calling eq: "
		  "incompatible types for comparison" },
		{ "{{printf \"%d\" .l}}",
		  "[%!d(float64=1) %!d(string=two) %!d(float64=3.5) <nil> "
		  "map[%!d(string=a):map[%!d(string=b):%!d(float64=2)]] "
		  "[%!d(float64=1) [%!d(float64=2)]]]",
		  NULL },
	};

	run_rows_with(*state, rows, ARRAY_LEN(rows), GOTEMPLATE_FLOATS);
}

static void integers_are_walked_when_the_option_says(void **state)
{
	static const struct row rows[] = {
		{ "{{range 3}}{{.}},{{end}}", "0,1,2,", NULL },
		{ "{{range $x := .i}}{{$x}}{{end}}{{range 0}}a{{else}}none{{end}}", "012none",
		  NULL },
		{ "{{range $x := .i}}{{printf \"%T\" .}}{{break}}{{end}}", "int64", NULL },
		{ "{{range $i, $x := 3}}{{end}}", "",
		  "template: output:1:18: executing \"output\" at <3>: can't use 3 to iterate over "
		  "more than one variable" },
		{ "{{range .neg}}a{{end}}", "", NULL },
	};

	run_rows_with(*state, rows, ARRAY_LEN(rows), GOTEMPLATE_RANGE_INTS);
}

/* ---- sets ---- */

static struct gotemplate *new_set(struct arena *a, const struct gotemplate_func *funcs)
{
	struct gotemplate *set;

	assert_int_equal(gotemplate_new(a, funcs, &set, NULL), 0);
	return set;
}

static void must_parse(struct gotemplate *set, const char *name, const char *text)
{
	struct err err = ERR_INIT;

	if (gotemplate_parse(set, slice_str(name), slice_str(text), &err) < 0)
		fail_msg("%s", err.msg);
}

static const char *must_run(struct arena *a, const struct gotemplate *set, const char *name)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(1 << 16);
	struct gotemplate_job job = { .name = slice_str(name), .a = a, .out = &out };
	struct err err = ERR_INIT;

	job.data = must_read(a, check_data);
	if (gotemplate_run(set, &job, &err) < 0)
		return arena_strdup(a, err.msg);
	return arena_strdup(a, buf_str(&out));
}

static void texts_of_a_set_know_each_other(void **state)
{
	struct gotemplate *set = new_set(*state, NULL);
	struct err err = ERR_INIT;

	must_parse(set, "dir/helpers.tpl",
		   "{{define \"name\"}}<{{.i}}>{{end}}\n\n{{define \"bad\"}}\n"
		   "{{.s.x}}{{end}}");
	must_parse(set, "dir/a.yaml", "{{template \"name\" .}}{{template \"dir/b.yaml\"}}");
	must_parse(set, "dir/b.yaml", "b");
	must_parse(set, "dir/c.yaml", "{{template \"bad\" .}}");
	assert_string_equal(must_run(*state, set, "dir/a.yaml"), "<3>b");
	assert_string_equal(must_run(*state, set, "dir/c.yaml"),
			    "template: dir/helpers.tpl:4:4: executing \"bad\" at <.s.x>: can't "
			    "evaluate field x in type interface {}");
	assert_string_equal(must_run(*state, set, "nope"),
			    "template: no template \"nope\" in the set");
	assert_int_equal(gotemplate_parse(set, SLICE("d"), SLICE("\n{{end}}"), &err), -ERR_INVALID);
	assert_string_equal(err.msg, "template: d:2: unexpected {{end}}");
	assert_string_equal(must_run(*state, set, "dir/a.yaml"), "<3>b");
}

static void a_later_text_replaces_templates_unless_it_is_empty(void **state)
{
	struct gotemplate *set = new_set(*state, NULL);

	must_parse(set, "a", "{{define \"x\"}}one{{end}}{{template \"x\"}}");
	must_parse(set, "b", "{{define \"x\"}} {{end}}");
	assert_string_equal(must_run(*state, set, "a"), "one");
	must_parse(set, "b", "{{define \"x\"}}two{{end}}");
	assert_string_equal(must_run(*state, set, "a"), "two");
}

/* ---- functions ---- */

static int run_list(const struct gotemplate_call *c, struct gotemplate_value *ret)
{
	struct doc *list = doc_new_array(c->a);

	for (size_t i = 0; i < c->n; i++)
		(void)doc_append(c->a, list, gotemplate_doc_of(&c->v[i], c->a));
	*ret = (struct gotemplate_value){ .type = GOTEMPLATE_LIST, .d = list };
	return 0;
}

static int run_user(const struct gotemplate_call *c, struct gotemplate_value *ret)
{
	ret->type = GOTEMPLATE_STRING;
	ret->s = slice_str(c->user);
	return 0;
}

static int run_typed(const struct gotemplate_call *c, struct gotemplate_value *ret)
{
	assert_int_equal(c->v[0].type, GOTEMPLATE_INT);
	assert_int_equal(c->v[1].type, GOTEMPLATE_FLOAT64);
	assert_int_equal(c->v[2].type, GOTEMPLATE_BOOL);
	ret->type = GOTEMPLATE_FLOAT64;
	ret->f = (double)c->v[0].i + c->v[1].f;
	return 0;
}

static int run_size(const struct gotemplate_call *c, struct gotemplate_value *ret)
{
	ret->type = GOTEMPLATE_INT;
	ret->i = c->v[0].type == GOTEMPLATE_NIL ? -1 : (int64_t)doc_len(c->v[0].d);
	return 0;
}

static int run_fail(const struct gotemplate_call *c, struct gotemplate_value *ret)
{
	(void)ret;
	return err_set(c->err, ERR_CONFLICT, "no: %.*s", (int)c->v[0].s.n, c->v[0].s.p);
}

static const struct gotemplate_func funcs[] = {
	{ "fail", "s", run_fail },    { "keys", "m", run_size },
	{ "list", "a...", run_list }, { "many", "l", run_size },
	{ "sum", "ifb", run_typed },  { "user", "", run_user },
	{ "len", "a...", run_list },  { 0 },
};

static const char *with_funcs(struct arena *a, const char *text)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(1 << 16);
	struct gotemplate *set = new_set(a, funcs);
	struct gotemplate_job job = { .name = SLICE("t"), .a = a, .out = &out, .user = "me" };
	struct err err = ERR_INIT;

	job.data = must_read(a, check_data);
	if (gotemplate_parse(set, job.name, slice_str(text), &err) < 0 ||
	    gotemplate_run(set, &job, &err) < 0)
		return arena_strdup(a, err.msg);
	return arena_strdup(a, buf_str(&out));
}

static void functions_come_from_the_callers_table(void **state)
{
	static const struct {
		const char *template, *text;
	} rows[] = {
		{ "{{user}}", "me" },
		{ "{{list 1 2.5 \"a\" nil true .l}}",
		  "[1 2.5 a <nil> true [1 two 3.5 <nil> map[a:map[b:2]] [1 [2]]]]" },
		{ "{{range list 1 .i 2.0}}{{printf \"%T \" .}}{{end}}", "int int64 float64 " },
		{ "{{index (list 1 2) 1}} {{len 1 2}}", "2 [1 2]" },
		{ "{{sum 1 2 true}} {{sum 0x10 1.5 false}} {{sum 1e1 2 true}}", "3 17.5 12" },
		{ "{{keys .m}} {{keys nil}} {{keys .q}} {{many .l}} {{.el | many}}",
		  "4 -1 -1 6 0" },
		{ "{{fail \"x\"}}",
		  "template: t:1:2: executing \"t\" at <fail \"x\">: error calling fail: no: x" },
		{ "{{sum 1.5 2 true}}",
		  "template: t:1:6: executing \"t\" at <1.5>: expected integer; found 1.5" },
		{ "{{sum .i 2 true}}",
		  "template: t:1:6: executing \"t\" at <.i>: wrong type for value; expected int; "
		  "got int64" },
		{ "{{sum 1 \"x\" true}}",
		  "template: t:1:8: executing \"t\" at <\"x\">: expected float; found \"x\"" },
		{ "{{sum 1 2 3}}",
		  "template: t:1:10: executing \"t\" at <3>: expected bool; found 3" },
		{ "{{sum nil 2 3}}",
		  "template: t:1:6: executing \"t\" at <nil>: cannot assign nil to int" },
		{ "{{keys 3}}",
		  "template: t:1:7: executing \"t\" at <3>: can't handle 3 for arg of "
		  "type map[string]interface {}" },
		{ "{{keys .l}}", "template: t:1:7: executing \"t\" at <.l>: wrong type for value; "
				 "expected map[string]interface {}; got []interface {}" },
		{ "{{keys .n}}", "template: t:1:7: executing \"t\" at <.n>: wrong type for value; "
				 "expected map[string]interface {}; got interface {}" },
		{ "{{user 1}}",
		  "template: t:1:2: executing \"t\" at <user>: wrong number of args for "
		  "user: want 0 got 1" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_string_equal(with_funcs(*state, rows[i].template), rows[i].text);
}

static void imaginary_numbers_and_addresses_are_refused_by_name(void **state)
{
	static const struct row rows[] = {
		{ "{{1i}}", "", "template: output:1: imaginary numbers are not supported: 1i" },
		{ "{{1+2i}}", "", "template: output:1: imaginary numbers are not supported: 1+2i" },
		{ "{{printf \"%p\" .l}}", "",
		  "template: output:1:2: executing \"output\" at <printf \"%p\" .l>: error calling "
		  "printf: %p is not supported" },
	};

	run_rows(*state, rows, ARRAY_LEN(rows));
}

/* ---- bounds ---- */

static const char *repeated(struct arena *a, const char *before, unsigned n, const char *middle,
			    const char *after)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(8 << 20);

	for (unsigned i = 0; i < n; i++)
		(void)buf_adds(&b, before);
	(void)buf_adds(&b, middle);
	for (unsigned i = 0; i < n; i++)
		(void)buf_adds(&b, after);
	return arena_strdup(a, buf_str(&b));
}

static void nesting_is_bounded(void **state)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(1 << 16);
	struct arena *a = *state;

	assert_string_equal(check_run(a, repeated(a, "{{if 1}}", 190, "x", "{{end}}"), 0, &out),
			    "");
	assert_string_equal(buf_str(&out), "x");
	assert_non_null(strstr(check_run(a, repeated(a, "{{if 1}}", 201, "x", "{{end}}"), 0, &out),
			       "more than 200 blocks in one another"));
	assert_non_null(
		strstr(check_run(a, repeated(a, "{{block \"b\" .}}", 201, "x", "{{end}}"), 0, &out),
		       "more than 200 blocks in one another"));
	assert_non_null(strstr(
		check_run(a, repeated(a, "{{if 0}}{{else ", 201, "if 1}}", "{{end}}"), 0, &out),
		"template: output:1: "));
	buf_clear(&out);
	assert_string_equal(
		check_run(a, repeated(a, "{{if 0}}{{else}}", 190, "x", "{{end}}"), 0, &out), "");
	assert_non_null(strstr(
		check_run(a, arena_printf(a, "{{%s}}", repeated(a, "(", 201, "1", ")")), 0, &out),
		"max expression depth exceeded"));
}

static void recursion_and_steps_are_bounded(void **state)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(1 << 16);
	static const char loops[] =
		"{{define \"a\"}}{{range $.l}}{{range $.l}}{{range $.l}}{{range $.l}}{{range $.l}}"
		"{{range $.l}}{{range $.l}}{{range $.l}}{{range $.l}}{{range $.l}}{{range $.l}}"
		"{{end}}{{end}}{{end}}{{end}}{{end}}{{end}}{{end}}{{end}}{{end}}{{end}}{{end}}"
		"{{end}}{{template \"a\" .}}";

	assert_non_null(strstr(check_run(*state,
					 "{{define \"a\"}}{{template \"a\"}}{{end}}"
					 "{{template \"a\"}}",
					 0, &out),
			       "exceeded maximum template depth (1000)"));
	assert_non_null(strstr(check_run(*state, loops, 0, &out), "takes too many steps"));
}

static void output_and_memory_are_bounded(void **state)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(16);
	struct arena *small = arena_new("small", 16 << 10);
	struct gotemplate *set = new_set(*state, NULL);
	struct gotemplate_job job = { .name = SLICE("t"), .a = small, .out = &out };
	struct err err = ERR_INIT;
	char *text;

	assert_non_null(
		strstr(check_run(*state, "{{.s}}{{.l}}", 0, &out), "the output is too large"));
	assert_non_null(strstr(check_run(*state,
					 "{{printf \"%999999d\" 1 | len}}{{range .l}}{{end}}xxxx"
					 "xxxxxxxxxxxxxxxx",
					 0, &out),
			       "the output is too large"));
	must_parse(set, "t", "{{$x := \"abcdefgh\"}}{{range .}}{{$x = print $x $x}}{{end}}");
	job.data = must_read(*state, "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]");
	assert_int_equal(gotemplate_run(set, &job, &err), -ERR_QUOTA);
	assert_non_null(strstr(err.msg, "error calling print: small: more than"));
	text = arena_alloc(*state, GOTEMPLATE_TEXT_MAX + 2);
	memset(text, 'x', GOTEMPLATE_TEXT_MAX + 1);
	assert_int_equal(
		gotemplate_parse(set, SLICE("t"), slice_of(text, GOTEMPLATE_TEXT_MAX + 1), &err),
		-ERR_TOO_LARGE);
	for (unsigned i = 1; i < 60; i++) {
		struct arena *some = arena_new("some", 1 << 20);
		struct gotemplate *x = NULL;

		arena_fail_at(some, i);
		if (gotemplate_new(some, NULL, &x, &err) == 0)
			(void)gotemplate_parse(x, SLICE("t"),
					       SLICE("{{define \"a\"}}{{$x := (print 1).a}}{{end}}"
						     "{{range $i, $e := .l}}{{'a'}}{{end}}"),
					       &err);
		arena_free(some);
	}
	arena_free(small);
}

static void data_that_is_too_deep_is_refused(void **state)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(1 << 16);
	struct doc *d = doc_new(*state, doc_null());
	struct gotemplate *set = new_set(*state, NULL);
	struct gotemplate_job job = { .name = SLICE("t"), .a = *state, .out = &out, .data = d };
	struct err err = ERR_INIT;

	for (int i = 0; i < GOTEMPLATE_DATA_MAX + 10; i++) {
		struct doc *list = doc_new_array(*state);

		(void)doc_append(*state, list, *job.data);
		job.data = list;
	}
	must_parse(set, "t", "{{.}}");
	assert_int_equal(gotemplate_run(set, &job, &err), -ERR_TOO_LARGE);
	assert_non_null(strstr(err.msg, "a value of more than 1000 levels"));
	must_parse(set, "t", "{{print .}}");
	assert_int_equal(gotemplate_run(set, &job, &err), -ERR_TOO_LARGE);
	assert_non_null(strstr(err.msg, "error calling print: a value of more than 1000 levels"));
}

/* ---- threads ---- */

static const struct gotemplate *shared;

static void *run_shared(void *text)
{
	struct arena *a = arena_new("thread", 1 << 22);

	for (int i = 0; i < 50; i++)
		assert_string_equal(must_run(a, shared, "t"), text);
	arena_free(a);
	return NULL;
}

static void a_set_runs_in_several_threads_at_once(void **state)
{
	struct gotemplate *set = new_set(*state, NULL);
	pthread_t threads[3];
	char text[] = "1two3.5<nil>[a x]";

	must_parse(set, "t", "{{range .l}}{{print . | slice | printf \"%.5s\"}}{{end}}");
	must_parse(set, "t",
		   "{{range $i, $e := .l}}{{if lt $i 4}}{{print $e}}{{end}}{{end}}"
		   "[{{range $k, $v := .m}}{{if eq $k \"a\"}}{{$k}} {{$v}}{{end}}{{end}}]");
	shared = set;
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, run_shared, text), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(missing_keys_are_what_the_option_says),
		CASE(numbers_are_floats_when_the_decoder_knows_no_integers),
		CASE(integers_are_walked_when_the_option_says),
		CASE(texts_of_a_set_know_each_other),
		CASE(a_later_text_replaces_templates_unless_it_is_empty),
		CASE(functions_come_from_the_callers_table),
		CASE(imaginary_numbers_and_addresses_are_refused_by_name),
		CASE(nesting_is_bounded),
		CASE(recursion_and_steps_are_bounded),
		CASE(output_and_memory_are_bounded),
		CASE(data_that_is_too_deep_is_refused),
		CASE(a_set_runs_in_several_threads_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
