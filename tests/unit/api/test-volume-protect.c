/* SPDX-License-Identifier: Apache-2.0 */
/* Who keeps claims, volumes and volume attributes classes. */
#include "../doc/doc-check.h"

#include "api/volume-protect.h"

#include <stdio.h>

static struct doc parsed(struct arena *a, const char *text)
{
	char *copy = arena_strdup(a, text);
	struct err err = ERR_INIT;
	struct doc *d;

	assert_non_null(copy);
	for (char *p = copy; *p; p++)
		if (*p == '\'')
			*p = '"';
	if (json_read(a, slice_str(copy), NULL, &d, &err) < 0)
		fail_msg("%s: %s", text, err.msg);
	return *d;
}

#define GOING "'deletionTimestamp':'2026-01-01T00:00:00Z'"

static void steps_follow_the_life_and_the_finalizer(void **state)
{
	static const struct {
		const char *meta;
		enum protect_step is;
	} rows[] = {
		{ "{}", PROTECT_ADD },
		{ "{'finalizers':['other']}", PROTECT_ADD },
		{ "{'finalizers':['other','kubernetes.io/pvc-protection']}", PROTECT_NOTHING },
		{ "{" GOING "}", PROTECT_NOTHING },
		{ "{" GOING ",'finalizers':['kubernetes.io/pv-protection']}", PROTECT_NOTHING },
		{ "{" GOING ",'finalizers':['kubernetes.io/pvc-protection']}", PROTECT_RELEASE },
	};
	struct arena *a = arena_new("protection", 1u << 20);
	struct doc d =
		parsed(a, "{'metadata':{" GOING ",'finalizers':['kubernetes.io/vac-protection']}}");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[512];

		(void)snprintf(text, sizeof(text), "{'metadata':%s}", rows[i].meta);
		d = parsed(a, text);
		assert_int_equal(volume_protect_step(PROTECTED_CLAIM, &d), rows[i].is);
	}
	d = parsed(a, "{'metadata':{" GOING ",'finalizers':['kubernetes.io/vac-protection']}}");
	assert_int_equal(volume_protect_step(PROTECTED_CLASS, &d), PROTECT_RELEASE);
	assert_int_equal(volume_protect_step(PROTECTED_VOLUME, &d), PROTECT_NOTHING);
	arena_free(a);
}

#define POD(meta, node, volume, status)                                                         \
	"{'metadata':{'name':'p','uid':'u'" meta "},'spec':{'nodeName':'" node "','volumes':[{" \
	"'name':'x','emptyDir':{}},{'name':'v'," volume "}]},'status':{" status "}}"
#define CLAIM(name) "'persistentVolumeClaim':{'claimName':'" name "'}"
#define MADE "'ephemeral':{'volumeClaimTemplate':{}}"
#define OF(uid, controller) \
	"{'metadata':{'name':'p-v','ownerReferences':[{'uid':'" uid "'" controller "}]}}"

static void pods_with_a_node_use_what_they_name(void **state)
{
	static const char by_name[] = "{'metadata':{'name':'c'}}";
	static const struct {
		const char *pod, *claim;
		bool uses;
	} rows[] = {
		{ POD("", "n", CLAIM("c"), ""), by_name, true },
		{ POD("", "n", CLAIM("d"), ""), by_name, false },
		{ POD("", "", CLAIM("c"), ""), by_name, false },
		{ POD("", "n", CLAIM("c"), "'phase':'Succeeded'"), by_name, true },
		{ POD("," GOING ",'deletionGracePeriodSeconds':0", "n", CLAIM("c"), ""), by_name,
		  true },
		{ POD("", "n", MADE, ""), OF("u", ",'controller':true"), true },
		{ POD("", "", MADE, ""), OF("u", ",'controller':true"), false },
		{ POD("", "n", MADE, ""), OF("other", ",'controller':true"), false },
		{ POD("", "n", MADE, ""), OF("u", ""), false },
		{ POD("," GOING ",'deletionGracePeriodSeconds':30", "n", MADE, ""),
		  OF("u", ",'controller':true"), true },
		{ POD("," GOING ",'deletionGracePeriodSeconds':0", "n", MADE, ""),
		  OF("u", ",'controller':true"), false },
		{ POD("," GOING, "n", MADE, ""), OF("u", ",'controller':true"), true },
		{ "{}", by_name, false },
		{ POD("", "n", CLAIM(""), ""), "{'metadata':{}}", false },
	};
	struct arena *a = arena_new("protection", 1u << 20);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct doc pod = parsed(a, rows[i].pod), claim = parsed(a, rows[i].claim);

		if (volume_protect_pod_uses(&pod, &claim) != rows[i].uses)
			fail_msg("row %zu: %s", i, rows[i].pod);
	}
	arena_free(a);
}

static void add_name(void *arg, struct slice name)
{
	struct buf *b = arg;

	(void)buf_addf(b, "%.*s ", (int)name.n, name.p);
}

static void a_pod_names_claims_given_and_made(void **state)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(4096);
	struct arena *a = arena_new("protection", 1u << 20);
	struct doc pod =
		parsed(a, "{'metadata':{'name':'p'},'spec':{'volumes':[{'name':'x'," CLAIM(
				  "c") "},{'name':'y','emptyDir':{}},{'name':'v'," MADE "}]}}");

	(void)state;
	volume_protect_claims(&pod, add_name, &b);
	assert_string_equal(buf_str(&b), "c p-v ");
	arena_free(a);
}

static void volumes_are_bound_and_classes_named(void **state)
{
	static const char *const names[] = {
		"{'spec':{'volumeAttributesClassName':'k'}}",
		"{'status':{'currentVolumeAttributesClassName':'k'}}",
		"{'status':{'modifyVolumeStatus':{'targetVolumeAttributesClassName':'k'}}}",
	};
	struct arena *a = arena_new("protection", 1u << 20);
	struct doc d = parsed(a, "{'status':{'phase':'Bound'}}");

	(void)state;
	assert_true(volume_protect_is_bound(&d));
	d = parsed(a, "{'status':{'phase':'Released'}}");
	assert_false(volume_protect_is_bound(&d));
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		d = parsed(a, names[i]);
		assert_true(volume_protect_names_class(&d, SLICE("k")));
		assert_false(volume_protect_names_class(&d, SLICE("l")));
		assert_false(volume_protect_names_class(&d, SLICE("")));
	}
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(steps_follow_the_life_and_the_finalizer),
		cmocka_unit_test(pods_with_a_node_use_what_they_name),
		cmocka_unit_test(a_pod_names_claims_given_and_made),
		cmocka_unit_test(volumes_are_bound_and_classes_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
