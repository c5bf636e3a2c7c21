/* SPDX-License-Identifier: Apache-2.0 */
/* Strategic merge patches over the built-in kinds. */
#include "../doc/doc-check.h"

#include "api/api.h"
#include "api/merge.h"

static const char *merged(struct arena *a, const char *gv, const char *kind, const char *obj,
			  const char *patch)
{
	CLEANUP(api_fini) struct api api;
	struct err err = ERR_INIT;
	struct doc out;

	assert_int_equal(api_load(a, &api, &err), 0);
	if (api_merge(api_type(&api, gv, kind), must_read(a, obj), must_read(a, patch), a, &out,
		      &err) < 0)
		return arena_strdup(a, err.msg);
	return written(a, &out, NULL);
}

#define SPEC(a, obj, patch) merged(a, "v1", "PodSpec", obj, patch)

static void members_are_merged(void **state)
{
	struct arena *a = *state;

	assert_string_equal(merged(a, "v1", "ConfigMap",
				   "{\"metadata\":{\"name\":\"x\",\"labels\":{\"a\":\"1\",\"b\":"
				   "\"2\"}},\"data\":{\"k\":\"v\"}}",
				   "{\"metadata\":{\"labels\":{\"a\":null,\"c\":\"3\"}},\"data\":{"
				   "\"k\":\"w\",\"n\":null}}"),
			    "{\"metadata\":{\"name\":\"x\",\"labels\":{\"b\":\"2\",\"c\":\"3\"}},"
			    "\"data\":{\"k\":\"w\"}}");
	/* nulls and directives do not get in where nothing was */
	assert_string_equal(
		SPEC(a, "{}", "{\"securityContext\":{\"runAsUser\":null,\"fsGroup\":1}}"),
		"{\"securityContext\":{\"fsGroup\":1}}");
}

static void lists_of_objects_merge_by_key(void **state)
{
	struct arena *a = *state;
	const char *two = "{\"containers\":[{\"name\":\"a\",\"image\":\"x\"},{\"name\":\"b\","
			  "\"image\":\"y\"}]}";

	assert_string_equal(
		SPEC(a, two,
		     "{\"containers\":[{\"name\":\"b\",\"image\":\"z\"},{\"name\":\"c\"}]}"),
		"{\"containers\":[{\"name\":\"a\",\"image\":\"x\"},{\"name\":\"b\",\"image\":\"z\"}"
		","
		"{\"name\":\"c\"}]}");
	assert_string_equal(
		SPEC(a, two, "{\"containers\":[{\"name\":\"a\",\"$patch\":\"delete\"}]}"),
		"{\"containers\":[{\"name\":\"b\",\"image\":\"y\"}]}");
	assert_string_equal(
		SPEC(a, two, "{\"containers\":[{\"$patch\":\"replace\"},{\"name\":\"c\"}]}"),
		"{\"containers\":[{\"name\":\"c\"}]}");
	assert_string_equal(SPEC(a, two, "{\"containers\":[{\"image\":\"z\"}]}"),
			    "map does not contain declared merge key: name");
	/* env within the element too */
	assert_string_equal(SPEC(a,
				 "{\"containers\":[{\"name\":\"a\",\"env\":[{\"name\":\"X\","
				 "\"value\":\"1\"}]}]}",
				 "{\"containers\":[{\"name\":\"a\",\"env\":[{\"name\":\"Y\","
				 "\"value\":\"2\"},{\"name\":\"X\",\"value\":null}]}]}"),
			    "{\"containers\":[{\"name\":\"a\",\"env\":[{\"name\":\"Y\",\"value\":"
			    "\"2\"},{\"name\":\"X\"}]}]}");
	/* the patch itself is an order: what is new there stands in front */
	assert_string_equal(SPEC(a, two, "{\"containers\":[{\"name\":\"c\"}]}"),
			    "{\"containers\":[{\"name\":\"c\"},{\"name\":\"a\",\"image\":\"x\"},"
			    "{\"name\":\"b\",\"image\":\"y\"}]}");
}

static void other_lists_are_replaced_or_sets(void **state)
{
	struct arena *a = *state;

	assert_string_equal(SPEC(a, "{\"tolerations\":[{\"key\":\"a\"}]}",
				 "{\"tolerations\":[{\"key\":\"b\"}]}"),
			    "{\"tolerations\":[{\"key\":\"b\"}]}");
	assert_string_equal(merged(a, "v1", "ObjectMeta", "{\"finalizers\":[\"a\",\"b\"]}",
				   "{\"finalizers\":[\"c\",\"a\"]}"),
			    "{\"finalizers\":[\"c\",\"a\",\"b\"]}");
	assert_string_equal(merged(a, "v1", "ObjectMeta", "{\"finalizers\":[\"a\",\"b\"]}",
				   "{\"$deleteFromPrimitiveList/finalizers\":[\"a\"]}"),
			    "{\"finalizers\":[\"b\"]}");
	assert_string_equal(
		merged(a, "v1", "ObjectMeta", "{\"finalizers\":[\"a\",\"b\"]}",
		       "{\"$deleteFromPrimitiveList/finalizers\":[\"a\"],"
		       "\"$setElementOrder/finalizers\":[\"c\",\"b\"],\"finalizers\":[\"c\"]}"),
		"{\"finalizers\":[\"c\",\"b\"]}");
}

static void an_order_is_kept(void **state)
{
	struct arena *a = *state;
	const char *obj =
		"{\"containers\":[{\"name\":\"a\"},{\"name\":\"side\"},{\"name\":\"b\"}]}";

	assert_string_equal(
		SPEC(a, obj,
		     "{\"$setElementOrder/containers\":[{\"name\":\"b\"},{\"name\":\"a\"}],"
		     "\"containers\":[{\"name\":\"a\",\"image\":\"x\"}]}"),
		"{\"containers\":[{\"name\":\"side\"},{\"name\":\"b\"},{\"name\":\"a\",\"image\":"
		"\"x\"}]}");
	assert_string_equal(
		SPEC(a, obj,
		     "{\"$setElementOrder/containers\":[{\"name\":\"a\"},{\"name\":\"b\"}]}"),
		obj);
}

static void keys_are_retained(void **state)
{
	struct arena *a = *state;

	assert_string_equal(
		merged(a, "apps/v1", "DeploymentSpec",
		       "{\"strategy\":{\"type\":\"RollingUpdate\",\"rollingUpdate\":{\"maxSurge\":"
		       "1}}}",
		       "{\"strategy\":{\"$retainKeys\":[\"type\"],\"type\":\"Recreate\"}}"),
		"{\"strategy\":{\"type\":\"Recreate\"}}");
	assert_string_equal(
		merged(a, "apps/v1", "DeploymentSpec", "{\"strategy\":{\"type\":\"x\"}}",
		       "{\"strategy\":{\"$retainKeys\":[\"a\"],\"type\":\"Recreate\"}}"),
		"$retainKeys list doesn't contain a field of the patch: type");
	assert_string_equal(merged(a, "policy/v1", "PodDisruptionBudgetSpec",
				   "{\"selector\":{\"matchLabels\":{\"a\":\"1\"}}}",
				   "{\"selector\":{\"matchLabels\":{\"b\":\"2\"}}}"),
			    "{\"selector\":{\"matchLabels\":{\"b\":\"2\"}}}");
}

static void directives_are_checked(void **state)
{
	struct arena *a = *state;

	assert_string_equal(SPEC(a, "{\"nodeSelector\":{\"a\":\"1\"}}",
				 "{\"nodeSelector\":{\"$patch\":\"replace\",\"b\":\"2\"}}"),
			    "{\"nodeSelector\":{\"b\":\"2\"}}");
	assert_string_equal(SPEC(a, "{\"nodeSelector\":{\"a\":\"1\"}}",
				 "{\"nodeSelector\":{\"$patch\":\"delete\"}}"),
			    "{\"nodeSelector\":{}}");
	assert_string_equal(SPEC(a, "{}", "{\"$patch\":\"melt\"}"),
			    "unrecognized patch type: melt");
	assert_string_equal(SPEC(a, "{}", "{\"$setElementOrder/containers\":1}"),
			    "a directive that is no list: $setElementOrder/containers");
	assert_string_equal(SPEC(a, "{}", "{\"$foo\":1}"), "an unknown directive: $foo");
	assert_string_equal(SPEC(a, "{}", "[]"), "a strategic merge patch is an object, not array");
}

/* The patch that is made, a blank, and what it makes of the live object. */
static const char *made(struct arena *a, const char *kind, const char *last, const char *now,
			const char *live)
{
	CLEANUP(api_fini) struct api api;
	const struct api_type *t;
	struct err err = ERR_INIT;
	struct doc patch, out;

	assert_int_equal(api_load(a, &api, &err), 0);
	t = kind ? api_type(&api, "v1", kind) : NULL;
	if (api_merge_diff(t, last ? must_read(a, last) : NULL, must_read(a, now),
			   must_read(a, live), a, &patch, &err) < 0)
		return arena_strdup(a, err.msg);
	assert_int_equal(api_merge(t, must_read(a, live), &patch, a, &out, &err), 0);
	return arena_printf(a, "%s %s", written(a, &patch, NULL), written(a, &out, NULL));
}

static void patches_are_made_of_three_sides(void **state)
{
	struct arena *a = *state;

	/* what others have set stays, what was said and is not said any more goes */
	assert_string_equal(made(a, "ConfigMap",
				 "{\"data\":{\"a\":\"1\",\"b\":\"1\",\"gone\":\"1\"}}",
				 "{\"data\":{\"a\":\"2\"}}",
				 "{\"data\":{\"a\":\"1\",\"b\":\"1\",\"c\":\"3\"}}"),
			    "{\"data\":{\"a\":\"2\",\"b\":null}} "
			    "{\"data\":{\"a\":\"2\",\"c\":\"3\"}}");
	assert_string_equal(made(a, "ConfigMap", NULL, "{\"data\":{\"a\":\"1\"}}",
				 "{\"data\":{\"a\":\"1\",\"b\":\"2\"}}"),
			    "{} {\"data\":{\"a\":\"1\",\"b\":\"2\"}}");
	assert_string_equal(made(a, "ConfigMap", NULL, "{\"data\":null,\"immutable\":null}",
				 "{\"data\":{\"a\":\"1\"}}"),
			    "{\"data\":null} {}");
}

static void patches_of_keyed_lists_name_elements(void **state)
{
	struct arena *a = *state;
	const char *live = "{\"containers\":[{\"name\":\"a\",\"image\":\"x\",\"tty\":true},"
			   "{\"name\":\"b\",\"image\":\"y\"},{\"name\":\"c\"}]}";

	assert_string_equal(
		made(a, "PodSpec", "{\"containers\":[{\"name\":\"a\"},{\"name\":\"b\"}]}",
		     "{\"containers\":[{\"name\":\"a\",\"image\":\"z\"}]}", live),
		"{\"$setElementOrder/containers\":[{\"name\":\"a\"}],\"containers\":["
		"{\"image\":\"z\",\"name\":\"a\"},{\"name\":\"b\",\"$patch\":\"delete\"}]} "
		"{\"containers\":[{\"name\":\"a\",\"image\":\"z\",\"tty\":true},{\"name\":"
		"\"c\"}]}");
	assert_string_equal(made(a, "PodSpec", NULL,
				 "{\"containers\":[{\"name\":\"a\"},{\"name\":\"c\"}]}", live),
			    arena_printf(a, "{} %s", live));
	/* only the order is another */
	assert_string_equal(made(a, "PodSpec", NULL,
				 "{\"containers\":[{\"name\":\"b\"},{\"name\":\"a\"}]}",
				 "{\"containers\":[{\"name\":\"a\"},{\"name\":\"b\"}]}"),
			    "{\"$setElementOrder/containers\":[{\"name\":\"b\"},{\"name\":\"a\"}]} "
			    "{\"containers\":[{\"name\":\"b\"},{\"name\":\"a\"}]}");
	assert_string_equal(made(a, "PodSpec", NULL, "{\"containers\":[{\"image\":\"x\"}]}", live),
			    "containers: an element without its merge key name");
	/* lists that are no sets, and all lists without a type, are replaced */
	assert_string_equal(
		made(a, "PodSpec", NULL, "{\"tolerations\":[{\"key\":\"b\"}]}",
		     "{\"tolerations\":[{\"key\":\"a\"}]}"),
		"{\"tolerations\":[{\"key\":\"b\"}]} {\"tolerations\":[{\"key\":\"b\"}]}");
	assert_string_equal(
		made(a, NULL, NULL, "{\"l\":[{\"name\":\"b\"}]}", "{\"l\":[{\"name\":\"a\"}]}"),
		"{\"l\":[{\"name\":\"b\"}]} {\"l\":[{\"name\":\"b\"}]}");
}

static void patches_of_sets_say_what_goes(void **state)
{
	assert_string_equal(
		made(*state, "ObjectMeta", "{\"finalizers\":[\"a\",\"b\"]}",
		     "{\"finalizers\":[\"b\",\"c\"]}", "{\"finalizers\":[\"a\",\"b\",\"x\"]}"),
		"{\"$setElementOrder/finalizers\":[\"b\",\"c\"],"
		"\"$deleteFromPrimitiveList/finalizers\":[\"a\"],\"finalizers\":[\"c\"]} "
		"{\"finalizers\":[\"b\",\"c\",\"x\"]}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(members_are_merged),
		CASE(lists_of_objects_merge_by_key),
		CASE(other_lists_are_replaced_or_sets),
		CASE(an_order_is_kept),
		CASE(keys_are_retained),
		CASE(directives_are_checked),
		CASE(patches_are_made_of_three_sides),
		CASE(patches_of_keyed_lists_name_elements),
		CASE(patches_of_sets_say_what_goes),
	};

	return cmocka_run_group_tests_name("api merge", tests, NULL, NULL);
}
