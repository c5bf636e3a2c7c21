/* SPDX-License-Identifier: Apache-2.0 */
/* kubectl's -o go-template: its forms, its functions, what is told of a mistake. */
#include "cli-test.h"

#include "cli/kubectl/kubectl.h"

static const char object[] =
	"{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"x\","
	"\"managedFields\":[{\"manager\":\"m\"}]},\"data\":{\"b\":\"<\",\"a\":null,\"l\":[1,null]}"
	"}";

/* What is printed, then the error behind a "!". */
static const char *printed(struct arena *a, const char *output, const char *template, bool strict)
{
	struct kubectl k = { .arena = a, .out = BUF_INIT(1 << 20), .errors = BUF_INIT(1 << 20) };
	struct kubectl_print p;
	struct err err = ERR_INIT;
	int r = kubectl_print_init(&p, &k, output, template, &err);
	const char *text;

	p.missing_ok = !strict;
	if (r == 0)
		r = kubectl_print_doc(&p, doc_of(a, object), &err);
	text = arena_printf(a, "%s%s%s", buf_str(&k.out), r < 0 ? "!" : "", err.msg);
	buf_fini(&k.out);
	return text;
}

static void a_template_stands_behind_the_form_or_in_its_flag(void **state)
{
	static const struct {
		const char *output, *template, *text;
	} rows[] = {
		{ "go-template={{.kind}}", NULL, "ConfigMap" },
		{ "template={{.kind}}", "", "ConfigMap" },
		{ "go-template", "{{.kind}}", "ConfigMap" },
		{ NULL, "{{.kind}}", "ConfigMap" },
		{ "", "{{.kind}}", "ConfigMap" },
		{ "name", "{{.kind}}", "configmap/x\n" },
		{ "jsonpath", "{.kind}", "ConfigMap" },
		{ "go-template", NULL, "!template format specified but no template given" },
		{ "templatefile=", NULL, "!template format specified but no template given" },
		{ "go-template={{.kind}}{{range .metadata.managedFields}} {{.manager}}{{end}}",
		  NULL, "ConfigMap m" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_string_equal(printed(*state, rows[i].output, rows[i].template, false),
				    rows[i].text);
	assert_part(printed(*state, "go-template={{.a}}", "{{.b}}", false),
		    "unable to match a printer suitable for the output format "
		    "\"go-template={{.a}}\"");
}

static void exists_tells_what_index_would_find(void **state)
{
	static const struct {
		const char *template, *text;
	} rows[] = {
		{ "{{exists .}} {{exists nil}} {{exists .no}}", "true true true" },
		{ "{{exists .data \"b\"}} {{exists .data \"a\"}} {{exists .data \"c\"}}",
		  "true false false" },
		{ "{{exists .data.l 0}} {{exists .data.l 1}} {{exists .data.l 2}}",
		  "true false false" },
		{ "{{exists .data.l -1}} {{exists .data.l \"a\"}} {{exists .data 1}}",
		  "false false false" },
		{ "{{exists .kind 1}} {{exists .kind 9}} {{exists . nil}} {{exists .no 1}}",
		  "true false false false" },
		{ "{{exists . \"data\" \"l\" 0}} {{exists . \"no\" \"l\"}} {{exists .data.l 0 1}}",
		  "true false false" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_string_equal(printed(*state, "template", rows[i].template, false),
				    rows[i].text);
}

static void base64decode_says_where_a_text_is_wrong(void **state)
{
	static const struct {
		const char *text, *bytes;
		int bad; /* -1: nowhere */
	} rows[] = {
		{ "", "", -1 },		 { "aGk=", "hi", -1 },
		{ "aA==", "h", -1 },	 { "aGVs\\nbG8=\\r\\n", "hello", -1 },
		{ "aG\\nk=", "hi", -1 }, { "aGl=", "hi", -1 },
		{ "aGk", NULL, 0 },	 { "a", NULL, 0 },
		{ "aGVsa", NULL, 4 },	 { "=aGV", NULL, 0 },
		{ "a===", NULL, 1 },	 { "aG=k", NULL, 2 },
		{ "aG=", NULL, 3 },	 { "aGk=aGk=", NULL, 4 },
		{ "aGVs!Gk=", NULL, 4 }, { "aG-_", NULL, 2 },
		{ "\\x00aaa", NULL, 0 },
	};
	struct arena *a = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *template = arena_printf(a, "{{base64decode \"%s\"}}", rows[i].text);
		const char *text = printed(a, "template", template, false);

		if (rows[i].bad < 0)
			assert_string_equal(text, rows[i].bytes);
		else
			assert_part(text,
				    arena_printf(a, "at input byte %d. Printing", rows[i].bad));
	}
}

static void a_mistake_is_explained_behind_what_was_printed(void **state)
{
	assert_string_equal(
		printed(*state, "template", "a{{.data.b.c}}", false),
		"aError executing template: template: output:1:8: executing \"output\" at "
		"<.data.b.c>: can't evaluate field c in type interface {}. Printing more "
		"information for debugging the template:\n\ttemplate was:\n\t\ta{{.data.b.c}}\n"
		"\traw data was:\n\t\t{\"apiVersion\":\"v1\",\"data\":{\"a\":null,\"b\":"
		"\"\\u003c\",\"l\":[1,null]},\"kind\":\"ConfigMap\",\"metadata\":"
		"{\"managedFields\":[{\"manager\":\"m\"}],\"name\":\"x\"}}\n\tobject given to "
		"template engine was:\n\t\tmap[apiVersion:v1 data:map[a:<nil> b:< l:[1 <nil>]] "
		"kind:ConfigMap metadata:map[managedFields:[map[manager:m]] name:x]]\n\n"
		"!error executing template \"a{{.data.b.c}}\": template: output:1:8: executing "
		"\"output\" at <.data.b.c>: can't evaluate field c in type interface {}");
	assert_string_equal(printed(*state, "template", "{{foo}}", false),
			    "!error parsing template {{foo}}, template: output:1: function \"foo\" "
			    "not defined");
}

static void a_long_template_leaves_room_for_the_reason(void **state)
{
	struct arena *a = *state;
	char text[1200];
	const char *said;

	memset(text, 'x', sizeof(text) - 1);
	memcpy(text + 399, "\xc3\xa9", 2);
	memcpy(text + sizeof(text) - 10, "{{.kind.b", 10);
	said = printed(a, "template", text, false);
	assert_part(said, "!error parsing template xxxx");
	assert_part(said, "xxx..., template: output:1: unclosed action");
	memcpy(text + sizeof(text) - 12, "{{.kind.b}}", 12);
	said = printed(a, "template", text, false);
	assert_part(said, "xx{{.kind.b}}\n\traw data was:");
	assert_part(said, "xxx...\": template: output:1:1195: executing");
	assert_part(said, "can't evaluate field b in type interface {}");
}

static void missing_keys_are_a_mistake_when_the_flag_says(void **state)
{
	assert_string_equal(printed(*state, "template", "{{.no}} {{.data.a}}", false),
			    "<no value> <no value>");
	assert_part(printed(*state, "template", "{{.no}}", true),
		    "map has no entry for key \"no\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ARENA_CASE(a_template_stands_behind_the_form_or_in_its_flag),
		ARENA_CASE(exists_tells_what_index_would_find),
		ARENA_CASE(base64decode_says_where_a_text_is_wrong),
		ARENA_CASE(a_mistake_is_explained_behind_what_was_printed),
		ARENA_CASE(a_long_template_leaves_room_for_the_reason),
		ARENA_CASE(missing_keys_are_a_mistake_when_the_flag_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
