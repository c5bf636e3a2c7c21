/* SPDX-License-Identifier: Apache-2.0 */
/* Fields that client-side apply owned, and who has them then. */
#include "cli-test.h"

#include "cli/kubectl/kubectl-csa.h"

#define NOTE "f:kubectl.kubernetes.io/last-applied-configuration"
#define OWNS(more) "{\"f:metadata\":{\"f:annotations\":{\".\":{},\"" NOTE "\":{}}}" more "}"
#define ENTRY(manager, op, version, fields)                                                     \
	"{\"manager\":\"" manager "\",\"operation\":\"" op "\",\"apiVersion\":\"" version "\"," \
	"\"fieldsV1\":" fields "}"

static struct doc *object(struct arena *a, const char *entries)
{
	const char *text = arena_printf(a, "{\"metadata\":{\"managedFields\":[%s]}}", entries);
	struct doc *d;

	assert_int_equal(json_read(a, slice_str(text), NULL, &d, NULL), 0);
	return d;
}

static void what_nobody_applied_stays(void **state)
{
	struct doc *obj = object(*state, ENTRY("x", "Update", "v1", "{\"f:data\":{}}")), fields;

	assert_int_equal(csa_upgrade(*state, obj, "kubectl", &fields), 0);
	assert_int_equal(csa_upgrade(*state, object(*state, ""), "kubectl", &fields), 0);
	assert_false(csa_owns_note(obj, "Update"));
}

static void a_lone_manager_becomes_that_of_apply(void **state)
{
	struct doc *obj = object(*state, ENTRY("csa", "Update", "v1", OWNS(""))), fields;

	assert_true(csa_owns_note(obj, "Update"));
	assert_false(csa_owns_note(obj, "Apply"));
	assert_int_equal(csa_upgrade(*state, obj, "kubectl", &fields), 1);
	assert_string_equal(json_of(*state, &fields),
			    "[" ENTRY("kubectl", "Apply", "v1", OWNS("")) "]");
}

static void fields_of_both_are_united(void **state)
{
	struct doc *obj = object(
		*state,
		ENTRY("other", "Update", "v1", "{\"f:spec\":{}}") "," ENTRY(
			"csa", "Update", "v1",
			OWNS(",\"f:data\":{\"f:a\":{},\"f:b\":{}}")) "," ENTRY("kubectl", "Apply",
									       "v1",
									       "{\"f:data\":{}}"));
	struct doc fields;

	assert_int_equal(csa_upgrade(*state, obj, "kubectl", &fields), 1);
	assert_string_equal(json_of(*state, &fields),
			    "[" ENTRY("other", "Update", "v1", "{\"f:spec\":{}}") "," ENTRY(
				    "kubectl", "Apply", "v1",
				    "{\"f:data\":{\".\":{},\"f:a\":{},\"f:b\":{}},\"f:metadata\":{"
				    "\"f:annotations\":{\".\":{},\"" NOTE "\":{}}}}") "]");
}

static void fields_of_another_version_are_let_go(void **state)
{
	struct doc *obj = object(*state, ENTRY("csa", "Update", "v1beta1", OWNS("")) "," ENTRY(
						 "kubectl", "Apply", "v1", "{\"f:data\":{}}"));
	struct doc fields;

	assert_int_equal(csa_upgrade(*state, obj, "kubectl", &fields), 1);
	assert_int_equal(fields.n, 1);
	assert_string_equal(json_of(*state, doc_get(&fields.kids[0], "fieldsV1")),
			    "{\"f:data\":{}}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ARENA_CASE(what_nobody_applied_stays),
		ARENA_CASE(a_lone_manager_becomes_that_of_apply),
		ARENA_CASE(fields_of_both_are_united),
		ARENA_CASE(fields_of_another_version_are_let_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
