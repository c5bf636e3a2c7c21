/* SPDX-License-Identifier: Apache-2.0 */
/* kubectl explain of documents that no server need send. */
#include "cli-test.h"

#include "cli/kubectl/kubectl-explain.h"
#include "client/discovery.h"

static const struct resource widgets = {
	.group = "g", .version = "v1", .kind = "Widget", .name = "widgets"
};

#define KIND                                                                                 \
	"\"x-kubernetes-group-version-kind\":[{\"group\":\"g\",\"version\":\"v1\",\"kind\":" \
	"\"Widget\"}]"

static const char *explain(struct arena *a, const char *schemas, bool recursive, const char *field,
			   int code)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1 << 20);
	struct explain e = { .arena = a,
			     .document =
				     doc_of(a, arena_printf(a, "{\"components\":{\"schemas\":%s}}",
							    schemas)),
			     .recursive = recursive,
			     .out = &b };
	struct err err = ERR_INIT;

	assert_int_equal(explain_kind(&e, &widgets, &field, field ? 1 : 0, &err), code);
	if (code < 0)
		buf_addf(&b, "! %s", err.msg);
	return arena_strdup(a, buf_str(&b));
}

static void lines_break_at_blanks(void **state)
{
	static const struct {
		const char *text;
		size_t limit;
		const char *lines;
	} rows[] = {
		{ "", 10, "" },
		{ "one two three", 7, "one two\nthree" },
		{ "one two three", 8, "one two\nthree" },
		{ "a  b", 2, "a\nb" },
		{ "one\ntwo\n", 3, "one\ntwo\n" },
		{ "unbreakable", 4, "unbreakable" },
		{ "a b   \nc", 3, "a b\nc" },
		{ "\303\244\303\244 \303\244\303\244", 5, "\303\244\303\244 \303\244\303\244" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(buf_fini) struct buf b = BUF_INIT(4096);

		explain_wrap(slice_str(rows[i].text), rows[i].limit, &b);
		assert_string_equal(buf_str(&b), rows[i].lines);
	}
}

static void fields_have_types_and_descriptions(void **state)
{
	const char *text = explain(
		*state,
		"{\"a.b.W\":{" KIND ",\"description\":\"A widget.\",\"required\":[\"n\"],"
		"\"properties\":{\"n\":{\"type\":\"integer\",\"enum\":[1,\"\"]},"
		"\"l\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/a.b.X\"}},"
		"\"m\":{\"additionalProperties\":{\"type\":\"string\"},\"description\":\"Map.\"},"
		"\"r\":{\"allOf\":[{\"$ref\":\"#/components/schemas/none\"}]}}},"
		"\"a.b.X\":{\"type\":\"object\"}}",
		false, NULL, 0);

	assert_string_equal(text,
			    "GROUP:      g\nKIND:       Widget\nVERSION:    v1\n\n"
			    "DESCRIPTION:\n    A widget.\n    \nFIELDS:\n"
			    "  l\t<[]X>\n    <no description>\n\n"
			    "  m\t<map[string]string>\n    Map.\n\n"
			    "  n\t<integer> -required-\n  enum: 1, \"\"\n    <no description>\n\n"
			    "  r\t<none>\n    <no description>\n\n\n");
}

/* JSONSchemaProps is such a kind: it stands in itself. */
static void a_schema_in_itself_ends(void **state)
{
	static const char *const cycle =
		"{\"w\":{" KIND ",\"properties\":{\"x\":{\"$ref\":\"#/components/schemas/x\"}}},"
		"\"x\":{\"properties\":{\"again\":{\"$ref\":\"#/components/schemas/x\"},\"z\":{"
		"\"type\":\"string\"}}},\"y\":{\"items\":{\"$ref\":\"#/components/schemas/y\"}}}";
	static const char *const items =
		"{\"w\":{" KIND ",\"items\":{\"$ref\":\"#/components/schemas/y\"}},"
		"\"y\":{\"items\":{\"$ref\":\"#/components/schemas/y\"}}}";

	assert_part(explain(*state, cycle, true, NULL, 0),
		    "FIELDS:\n  x\t<x>\n    again\t<x>\n    z\t<string>\n\n");
	assert_part(explain(*state, items, true, NULL, 0), "DESCRIPTION:\n    <empty>\n");
	assert_part(explain(*state, items, false, "no", -ERR_NOT_FOUND),
		    "! field \"no\" does not exist");
}

static void strange_documents_are_refused_or_empty(void **state)
{
	static const char *const rows[] = {
		"{\"w\":{" KIND ",\"properties\":[1]}}",
		"{\"w\":{" KIND ",\"properties\":{\"a\":1},\"required\":3,\"allOf\":{}}}",
		"{\"w\":{" KIND ",\"$ref\":\"http://x/y\",\"description\":4}}",
		"{\"w\":{" KIND ",\"$ref\":\"#/components\"}}",
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_part(explain(*state, rows[i], true, NULL, 0), "KIND:       Widget");
	assert_part(explain(*state, "{}", false, NULL, -ERR_NOT_FOUND),
		    "! GVK g/v1, Kind=Widget not found in OpenAPI schema");
	assert_part(explain(*state, "1", false, NULL, -ERR_NOT_FOUND), "not found");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_break_at_blanks),
		ARENA_CASE(fields_have_types_and_descriptions),
		ARENA_CASE(a_schema_in_itself_ends),
		ARENA_CASE(strange_documents_are_refused_or_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
