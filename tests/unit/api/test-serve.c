/* SPDX-License-Identifier: Apache-2.0 */
/* --runtime-config and --feature-gates on the built-in tables. */
#include "api/serve.h"

#include "api/openapi.h"
#include "base/arena.h"
#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define SVM "storagemigration.k8s.io/v1beta1"
#define GATE "StorageVersionMigrator=true"

static int serve(struct arena *a, const char *versions, const char *features, struct api *api,
		 struct err *err)
{
	struct api_serving s = { .versions = &versions,
				 .nversions = versions != NULL,
				 .features = &features,
				 .nfeatures = features != NULL };

	arena_reset(a);
	assert_int_equal(api_load(a, api, err), 0);
	return api_serve(api, &s, err);
}

static bool has(const struct api *api, const char *version, const char *resource)
{
	const struct api_group *g = api_group(api, version);
	bool found = false;

	for (size_t i = 0; g && i < g->nkinds; i++)
		found |= strcmp(g->kinds[i]->resource, resource) == 0;
	if (found == api_resource(api, version, resource)->off)
		fail_msg("%s %s: the list and the kind differ", version, resource);
	return found;
}

static void each_name_switches_what_it_says(void **state)
{
	static const struct {
		const char *versions, *features;
		bool migration, deployments, pods, jobs;
	} rows[] = {
		{ NULL, NULL, false, true, true, true },
		{ "", NULL, false, true, true, true },
		{ NULL, GATE, false, true, true, true },
		{ SVM "=true", NULL, false, true, true, true },
		{ SVM "=true", GATE, true, true, true, true },
		{ SVM, GATE, true, true, true, true },
		{ SVM "/storageversionmigrations=true", GATE, true, true, true, true },
		{ "api/beta=true", GATE, true, true, true, true },
		{ "api/beta=true", NULL, false, true, true, true },
		{ "api/all=true", GATE, true, true, true, true },
		{ "api/alpha=true", GATE, false, true, true, true },
		{ "api/ga=false", NULL, false, false, false, false },
		{ "v1=false", NULL, false, true, false, true },
		{ "/v1=false", NULL, false, true, false, true },
		{ "v1/pods=false", NULL, false, true, false, true },
		{ "apps/v1=false", NULL, false, false, true, true },
		{ "apps/v1/deployments=f", NULL, false, false, true, true },
		{ "batch/v1=true,api/all=false", NULL, false, false, false, true },
		{ "batch/v1/jobs=true,batch/v1=false", NULL, false, true, true, true },
		{ "apps/v1=false, apps/v1=true", NULL, false, true, true, true },
		{ SVM "=true", GATE ",StorageVersionMigrator=false", false, true, true, true },
	};
	struct api api;
	struct err err = ERR_INIT;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (serve(*state, rows[i].versions, rows[i].features, &api, &err) < 0)
			fail_msg("%s: %s", rows[i].versions, err.msg);
		if (has(&api, SVM, "storageversionmigrations") != rows[i].migration ||
		    has(&api, "apps/v1", "deployments") != rows[i].deployments ||
		    has(&api, "v1", "pods") != rows[i].pods ||
		    has(&api, "batch/v1", "jobs") != rows[i].jobs)
			fail_msg("'%s' '%s'", rows[i].versions, rows[i].features);
		api_fini(&api);
	}
}

static void what_is_unknown_is_refused_by_name(void **state)
{
	static const struct {
		const char *versions, *features, *says;
	} rows[] = {
		{ "api/legacy=true", NULL, "--runtime-config: unknown api groups api/legacy" },
		{ "foo.k8s.io/v1=true", NULL, "unknown api groups foo.k8s.io/v1" },
		{ "apps/v2=true", NULL, "group version apps/v2 is not known here" },
		{ "meta/v1=true", NULL, "unknown api groups meta/v1" },
		{ "apps", NULL, "group version /apps is not known here" },
		{ "a/b/c/d=true", NULL, "invalid key a/b/c/d" },
		{ "apps/=true", NULL, "invalid key apps/" },
		{ "apps/v1/pods=true", NULL, "apps/v1 has no resource 'pods'" },
		{ "apps/v1/Deployment=true", NULL,
		  "resource is always lowercase plural, not \"Deployment\"" },
		{ "apps/v1=maybe", NULL, "invalid value of apps/v1: 'maybe'" },
		{ "api/all=1", NULL, "invalid value of api/all: '1'" },
		{ "api/all", NULL, "invalid value of api/all: ''" },
		{ "api/all=false", NULL, "invalid runtime-config with only api/all=false" },
		{ NULL, "Bogus=true", "--feature-gates: unrecognized feature gate: Bogus" },
		{ NULL, "StorageVersionMigrator", "missing bool value for StorageVersionMigrator" },
		{ NULL, "StorageVersionMigrator=x",
		  "--feature-gates: invalid value of StorageVersionMigrator: 'x'" },
	};
	struct api api;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err err = ERR_INIT;

		assert_int_equal(serve(*state, rows[i].versions, rows[i].features, &api, &err),
				 -ERR_BAD_REQUEST);
		if (!strstr(err.msg, rows[i].says))
			fail_msg("'%s' does not hold '%s'", err.msg, rows[i].says);
		api_fini(&api);
	}
}

static void a_version_without_its_feature_is_told(void **state)
{
	const char *versions = SVM "=true";
	struct api_serving s = { .versions = &versions, .nversions = 1 };
	struct err err = ERR_INIT;
	struct api api;

	assert_int_equal(api_load(*state, &api, &err), 0);
	assert_int_equal(api_serve(&api, &s, &err), 0);
	assert_string_equal(s.lacks, "StorageVersionMigrator");
	api_fini(&api);
}

static void what_is_off_has_no_name_in_openapi(void **state)
{
	static const char definition[] =
		"io.k8s.api.storagemigration.v1beta1.StorageVersionMigration";
	struct err err = ERR_INIT;
	struct api api;

	assert_int_equal(serve(*state, NULL, NULL, &api, &err), 0);
	assert_false(api_type_is_shown(api_definition(&api, definition)));
	api_fini(&api);
	assert_int_equal(serve(*state, SVM "=true", GATE, &api, &err), 0);
	assert_true(api_type_is_shown(api_definition(&api, definition)));
	assert_true(api_type_is_shown(
		api_definition(&api, "io.k8s.apimachinery.pkg.apis.meta.v1.GroupResource")));
	api_fini(&api);
}

static int make_arena(void **state)
{
	*state = arena_new("tables", 64u << 20);
	return 0;
}

static int free_arena(void **state)
{
	arena_free(*state);
	return 0;
}
#define CASE(f) cmocka_unit_test_setup_teardown(f, make_arena, free_arena)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(each_name_switches_what_it_says),
		CASE(what_is_unknown_is_refused_by_name),
		CASE(a_version_without_its_feature_is_told),
		CASE(what_is_off_has_no_name_in_openapi),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
