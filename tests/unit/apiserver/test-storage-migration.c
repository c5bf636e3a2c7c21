/* SPDX-License-Identifier: Apache-2.0 */
/*
 * StorageVersionMigrations in a real store: which objects are written again, in which order
 * migrations run, what conditions say. Sealing is a fake: an object is stale until it is written.
 */
#include "crd-fix.h"

#include "api/serve.h"
#include "apiserver/storage-migration.h"

#define N 150
#define V1(stored) "{name: v1, served: true, storage: " stored ", schema: " ANY "}"
#define V2(stored) "{name: v2, served: true, storage: " stored ", schema: " ANY "}"
#define ANY "{openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}"

struct mfix {
	struct crdfix *x;
	struct storage_migration *m;
	struct map fresh; /* keys that were sealed since rotate() */
	bool rotated;
	unsigned sealed; /* writes of config maps since rotate() */
	struct cache_form form;
};

static int fake_seal(void *arg, struct slice key, struct slice open, struct buf *out,
		     bool *ret_used, struct err *err)
{
	struct mfix *y = arg;
	char *own;

	(void)open;
	(void)out;
	(void)err;
	*ret_used = false;
	if (!y->rotated || !slice_starts(key, SLICE("/registry/configmaps/")))
		return 0;
	y->sealed++;
	if (map_get(&y->fresh, key))
		return 0;
	own = strndup(key.p, key.n);
	(void)map_put(&y->fresh, slice_str(own), own);
	return 0;
}

static bool fake_stale(void *arg, struct slice key)
{
	const struct mfix *y = arg;

	return y->rotated && slice_starts(key, SLICE("/registry/configmaps/")) &&
	       !map_get(&y->fresh, key);
}

static void start(struct mfix *y)
{
	if (storage_migration_start(y->x->rs, y->x->f->loop, &y->m, &y->x->err) < 0)
		fail_msg("%s", y->x->err.msg);
}

static int m_setup(void **state)
{
	static const char *const versions[] = { "storagemigration.k8s.io/v1beta1=true" };
	static const char *const features[] = { "StorageVersionMigrator=true" };
	struct api_serving s = { versions, features, 1, 1, NULL };
	struct mfix *y = calloc(1, sizeof(*y));

	assert_non_null(y);
	y->x = crd_new();
	map_init(&y->fresh);
	y->form = (struct cache_form){ .seal = fake_seal, .stale = fake_stale, .arg = y };
	y->x->sealing = &y->form;
	assert_int_equal(api_serve(&y->x->api, &s, &y->x->err), 0);
	begin(y->x);
	start(y);
	*state = y;
	return 0;
}

/* As boot.c ends it: what is being written is waited for. */
static void halt(struct mfix *y)
{
	storage_migration_stop(STEAL(y->m));
	while (world_writing(y->x->w))
		assert_true(loop_step(y->x->f->loop, NS_PER_SEC, &y->x->err) >= 0);
}

static int m_teardown(void **state)
{
	struct mfix *y = *state;
	void *x = y->x, *key;

	halt(y);
	crd_teardown(&x);
	for (size_t i = 0; (key = map_next(&y->fresh, &i, NULL));)
		free(map_del(&y->fresh, slice_str(key)));
	map_fini(&y->fresh);
	free(y);
	return 0;
}
#define CASE(f) cmocka_unit_test_setup_teardown(f, m_setup, m_teardown)

static void rest(struct mfix *y)
{
	for (int i = 0; !storage_migration_idle(y->m); i++)
		if (i > 200000 || loop_step(y->x->f->loop, NS_PER_SEC, &y->x->err) < 0)
			fail_msg("it does not come to rest: %s", y->x->err.msg);
	settle(y->x);
}

/* created: of the past, so that nothing is waited for. */
static void order(struct mfix *y, const char *name, const char *group, const char *resource,
		  const char *created)
{
	put_object(y->x, MIGRATION_GROUP, MIGRATION_RESOURCE, name,
		   yaml(y->x, arena_printf(y->x->a,
					   "{kind: StorageVersionMigration, apiVersion: "
					   "storagemigration.k8s.io/v1beta1, metadata: {name: %s, "
					   "uid: u, creationTimestamp: '%s'}, spec: {resource: "
					   "{group: '%s', resource: %s}}}",
					   name, created, group, resource)));
}

#define OLD "2020-01-01T00:00:00Z"

static struct doc *svm(struct mfix *y, const char *name)
{
	return object(y->x, MIGRATION_GROUP, MIGRATION_RESOURCE, "", name);
}

#define assert_svm(y, name, type, text) \
	assert_string_equal(condition((y)->x, svm(y, name), type), text)
#define DONE "True StorageVersionMigrationSucceeded "
#define ENDED "False MigrationCompleted Migration completed"

static void put_map(struct mfix *y, int i, const char *value)
{
	put_object(y->x, "", "configmaps", arena_printf(y->x->a, "d/m%03d", i),
		   yaml(y->x, arena_printf(y->x->a,
					   "{kind: ConfigMap, apiVersion: v1, metadata: {name: "
					   "m%03d, namespace: d}, data: {a: '%s'}}",
					   i, value)));
}

static void rotate(struct mfix *y)
{
	for (int i = 0; i < N; i++)
		put_map(y, i, "x");
	y->rotated = true;
}

static void all_are_fresh(struct mfix *y)
{
	for (int i = 0; i < N; i++)
		if (!map_get(&y->fresh,
			     slice_str(arena_printf(y->x->a, "/registry/configmaps/d/m%03d", i))))
			fail_msg("m%03d was not written", i);
}

/* ---- cases ---- */

static void what_another_key_sealed_is_written_once(void **state)
{
	struct mfix *y = *state;

	rotate(y);
	order(y, "one", "", "configmaps", OLD);
	rest(y);
	assert_svm(y, "one", "Succeeded", DONE);
	assert_svm(y, "one", "Running", ENDED);
	assert_svm(y, "one", "Failed", "");
	assert_non_null(doc_find(svm(y, "one"), "status.resourceVersion"));
	all_are_fresh(y);
	assert_int_equal(y->sealed, N);
	order(y, "two", "", "configmaps", OLD);
	rest(y);
	assert_svm(y, "two", "Succeeded", DONE);
	assert_int_equal(y->sealed, N); /* the same bytes are not written */
}

static void who_writes_meanwhile_keeps_what_was_written(void **state)
{
	struct mfix *y = *state;
	struct doc *d;

	rotate(y);
	order(y, "one", "", "configmaps", OLD);
	for (int i = 0; i < N; i += 10)
		put_map(y, i, "changed");
	rest(y);
	assert_svm(y, "one", "Succeeded", DONE);
	all_are_fresh(y);
	for (int i = 0; i < N; i++) {
		d = object(y->x, "", "configmaps", "d", arena_printf(y->x->a, "m%03d", i));
		assert_true(doc_str_is(doc_find(d, "data.a"), i % 10 ? "x" : "changed"));
	}
}

static void it_goes_on_where_it_was_ended(void **state)
{
	struct mfix *y = *state;

	rotate(y);
	order(y, "one", "", "configmaps", OLD);
	/* some are written, not all */
	while (y->sealed == 0)
		assert_true(loop_step(y->x->f->loop, NS_PER_SEC, &y->x->err) >= 0);
	halt(y);
	assert_in_range(y->sealed, 1, N - 1);
	assert_svm(y, "one", "Succeeded", "");
	end(y->x);
	begin(y->x);
	start(y);
	rest(y);
	assert_svm(y, "one", "Succeeded", DONE);
	all_are_fresh(y);
	assert_int_equal(y->sealed, N);
}

static void objects_go_to_the_storage_version_of_their_definition(void **state)
{
	struct mfix *y = *state;
	struct collection *o;

	put_crd(y->x, "foos", "Foo", "", "[" V1("true") ", " V2("false") "]");
	for (int i = 0; i < N; i++)
		put_foo(y->x, arena_printf(y->x->a, "f%d", i), "");
	put_crd(y->x, "foos", "Foo", "", "[" V1("false") ", " V2("true") "]");
	assert_string_equal(json(y->x, doc_find(crd(y->x, "foos"), "status.storedVersions")),
			    "[\"v1\",\"v2\"]");
	o = resources_objects(y->x->rs, "example.com", "foos");
	assert_true(item_is_older(cache_get(o->cache, SLICE("d/f7"))));
	order(y, "one", "example.com", "foos", OLD);
	rest(y);
	assert_svm(y, "one", "Succeeded", DONE);
	assert_svm(y, "one", "Running", ENDED);
	for (int i = 0; i < N; i++)
		assert_false(item_is_older(
			cache_get(o->cache, slice_str(arena_printf(y->x->a, "d/f%d", i)))));
	assert_string_equal(json(y->x, doc_find(crd(y->x, "foos"), "status.storedVersions")),
			    "[\"v2\"]");
	assert_condition(y->x, "foos", "StorageMigrating",
			 "False MigrationSucceeded The migration has succeeded and the stored "
			 "versions have been updated");
}

static void a_definition_that_changed_meanwhile_keeps_its_versions(void **state)
{
	struct mfix *y = *state;

	put_crd(y->x, "foos", "Foo", "", "[" V1("true") ", " V2("false") "]");
	put_foo(y->x, "one", "");
	put_crd(y->x, "foos", "Foo", "", "[" V1("false") ", " V2("true") "]");
	order(y, "one", "example.com", "foos", OLD);
	while (strcmp(condition(y->x, svm(y, "one"), "Running"), "") == 0)
		assert_true(loop_step(y->x->f->loop, NS_PER_SEC, &y->x->err) >= 0);
	halt(y);
	put_crd(y->x, "foos", "Foo", ", categories: [all]", "[" V1("false") ", " V2("true") "]");
	start(y);
	rest(y);
	assert_svm(y, "one", "Succeeded", DONE);
	assert_int_equal(doc_len(doc_find(crd(y->x, "foos"), "status.storedVersions")), 2);
	assert_condition(y->x, "foos", "StorageMigrating",
			 "False MigrationSucceeded The migration has succeeded but the stored "
			 "versions have not been updated due to a generation mismatch");
}

static void what_cannot_be_migrated_fails_and_says_why(void **state)
{
	struct mfix *y = *state;

	order(y, "none", "example.com", "nothings", OLD);
	order(y, "bind", "", "bindings", OLD);
	rest(y);
	assert_svm(y, "none", "Failed",
		   "True StorageVersionMigrationFailed resource does not exist in discovery");
	assert_svm(y, "none", "Running", ENDED);
	assert_svm(y, "bind", "Failed",
		   "True StorageVersionMigrationFailed resource \"/v1, Resource=bindings\" does "
		   "not support discovery operations: [update patch list]");
}

static void the_oldest_of_a_resource_goes_first(void **state)
{
	struct mfix *y = *state;

	rotate(y);
	halt(y);
	order(y, "a", "", "configmaps", "2021-01-01T00:00:00Z");
	order(y, "b", "", "configmaps", OLD);
	start(y);
	while (strcmp(condition(y->x, svm(y, "b"), "Succeeded"), "") == 0) {
		assert_svm(y, "a", "Running", "");
		assert_true(loop_step(y->x->f->loop, NS_PER_SEC, &y->x->err) >= 0);
	}
	rest(y);
	assert_svm(y, "a", "Succeeded", DONE);
	assert_int_equal(y->sealed, N);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(what_another_key_sealed_is_written_once),
		CASE(who_writes_meanwhile_keeps_what_was_written),
		CASE(it_goes_on_where_it_was_ended),
		CASE(objects_go_to_the_storage_version_of_their_definition),
		CASE(a_definition_that_changed_meanwhile_keeps_its_versions),
		CASE(what_cannot_be_migrated_fails_and_says_why),
		CASE(the_oldest_of_a_resource_goes_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
