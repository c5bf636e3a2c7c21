/* SPDX-License-Identifier: Apache-2.0 */
/* Templates over documents, and tables laid out as docker's. */
#include "cli-test.h"

#include "cli/view.h"

static const char object[] =
	"{\"Name\":\"web\",\"State\":{\"Pid\":12,\"Running\":true,\"Error\":null},"
	"\"Env\":[\"A=1\",\"B=2\"],\"Labels\":{\"a\":\"b\",\"c\":\"d\"},\"None\":[]}";

static void fields_paths_and_json_are_filled_in(void **state)
{
	static const char *const rows[][2] = {
		{ "plain", "plain" },
		{ "", "" },
		{ "{{.Name}}", "web" },
		{ "{{ .State.Pid }}/{{.State.Running}}", "12/true" },
		{ "a\\tb\\n{{.Name}}", "a\tb\nweb" },
		{ "{{json .State}}", "{\"Pid\":12,\"Running\":true,\"Error\":null}" },
		{ "{{json .Labels.a}}", "\"b\"" },
		{ "{{.Env}}", "[A=1 B=2]" },
		{ "{{.None}}", "[]" },
		{ "{{.Labels}}", "map[a:b c:d]" },
		{ "{{.State.Error}}", "<no value>" },
		{ "}} {", "}} {" },
	};
	struct arena *a = *state;
	struct doc *d = doc_of(a, object);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(buf_fini) struct buf out = BUF_INIT(1000);
		struct template t;
		struct err err = ERR_INIT;

		if (template_parse(a, rows[i][0], &t, &err) < 0 ||
		    template_render(&t, d, &out, &err) < 0)
			fail_msg("%s: %s", rows[i][0], err.msg);
		assert_string_equal(buf_str(&out), rows[i][1]);
	}
}

static void the_whole_as_json(void **state)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(1000);
	struct template t;
	struct err err;

	assert_int_equal(template_parse(*state, "{{json .}}", &t, &err), 0);
	assert_int_equal(template_render(&t, doc_of(*state, object), &out, &err), 0);
	assert_string_equal(buf_str(&out), object);
}

static void names_differ_from_gos_only_in_case(void **state)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(4096);
	struct err err = ERR_INIT;
	struct template t;

	assert_int_equal(template_parse(*state, "{{.ID}} {{.id}} {{.net.ipaddress}}", &t, &err), 0);
	assert_int_equal(template_render(&t,
					 doc_of(*state, "{\"Id\":\"a\",\"id\":\"b\","
							"\"Net\":{\"IPAddress\":\"c\"}}"),
					 &out, &err),
			 0);
	assert_string_equal(buf_str(&out), "a b c");
}

static void other_templates_are_refused_by_name(void **state)
{
	static const char *const bad[] = { "{{range .X}}",   "{{.}}",	      "{{if .A}}",
					   "{{index .A 0}}", "{{.A | json}}", "{{.A..B}}",
					   "{{.A.}}",	     "{{- .A}}",      "{{}}",
					   "{{json}}",	     "{{upper .A}}" };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct template t;
		struct err err = ERR_INIT;

		assert_int_equal(template_parse(*state, bad[i], &t, &err), -ERR_UNSUPPORTED);
		assert_part(err.msg, bad[i]);
		assert_part(err.msg, "{{json .}}");
	}
}

static void unclosed_actions_and_unknown_fields(void **state)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(1000);
	struct template t;
	struct err err = ERR_INIT;

	assert_int_equal(template_parse(*state, "x {{.A", &t, &err), -ERR_INVALID);
	assert_part(err.msg, "no closing");
	assert_int_equal(template_parse(*state, "{{.State.Nope}}", &t, &err), 0);
	assert_int_equal(template_render(&t, doc_of(*state, object), &out, &err), -ERR_NOT_FOUND);
	assert_part(err.msg, ".State.Nope: no such field");
}

static const struct view_field fields[] = { { "ID", "CONTAINER ID" },
					    { "Names", "NAMES" },
					    { "Size", "SIZE" } };
static const struct view view = { fields, ARRAY_LEN(fields), "{{.ID}}\t{{.Size}}\t{{.Names}}" };

static const char *rows[] = { "{\"ID\":\"1\",\"Names\":\"web\",\"Size\":\"1MB\"}",
			      "{\"ID\":\"22\",\"Names\":\"größe\",\"Size\":\"a long size\"}" };

static int show(struct arena *a, const char *format, struct buf *out, struct err *err)
{
	struct view_print p;
	int r = view_begin(&p, a, &view, format, err);

	for (size_t i = 0; i < ARRAY_LEN(rows) && r == 0; i++)
		r = view_row(&p, doc_of(a, rows[i]), err);
	view_end(&p, r < 0 ? NULL : out);
	return r;
}

static void assert_shown(struct arena *a, const char *format, const char *expected)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(10000);
	struct err err = ERR_INIT;

	if (show(a, format, &out, &err) < 0)
		fail_msg("%s: %s", format, err.msg);
	assert_string_equal(buf_str(&out), expected);
}

static void tables_have_dockers_widths(void **state)
{
	assert_shown(*state, NULL,
		     "CONTAINER ID   SIZE          NAMES\n"
		     "1              1MB           web\n"
		     "22             a long size   größe\n");
	assert_shown(*state, "table {{.Names}}\t{{.ID}}",
		     "NAMES     CONTAINER ID\nweb       1\ngröße     22\n");
	assert_shown(*state, "table",
		     "CONTAINER ID   SIZE          NAMES\n"
		     "1              1MB           web\n"
		     "22             a long size   größe\n");
}

static void templates_have_no_heading(void **state)
{
	assert_shown(*state, "{{.ID}}-{{.Names}}", "1-web\n22-größe\n");
	assert_shown(*state, "json",
		     "{\"ID\":\"1\",\"Names\":\"web\",\"Size\":\"1MB\"}\n"
		     "{\"ID\":\"22\",\"Names\":\"größe\",\"Size\":\"a long size\"}\n");
}

static void unknown_columns_are_told(void **state)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(10000);
	struct err err = ERR_INIT;

	assert_int_equal(show(*state, "table {{.Foo}}", &out, &err), -ERR_NOT_FOUND);
	assert_part(err.msg, ".Foo: no such field");
	assert_int_equal(show(*state, "{{.Foo}}", &out, &err), -ERR_NOT_FOUND);
	assert_int_equal(show(*state, "table {{range}}", &out, &err), -ERR_UNSUPPORTED);
	assert_int_equal(out.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ARENA_CASE(fields_paths_and_json_are_filled_in),
		ARENA_CASE(the_whole_as_json),
		ARENA_CASE(names_differ_from_gos_only_in_case),
		ARENA_CASE(other_templates_are_refused_by_name),
		ARENA_CASE(unclosed_actions_and_unknown_fields),
		ARENA_CASE(tables_have_dockers_widths),
		ARENA_CASE(templates_have_no_heading),
		ARENA_CASE(unknown_columns_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
