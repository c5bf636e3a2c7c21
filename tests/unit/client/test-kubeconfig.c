/* SPDX-License-Identifier: Apache-2.0 */
/* kubeconfig files: what is kept of them, one over the other, changes on disk. */
#include "client-test.h"

#include "client/kubeconfig.h"

#include <sys/stat.h>

static struct doc *must_read(struct arena *a, const char *text)
{
	struct err err = ERR_INIT;
	struct doc *d = NULL;

	if (kubeconfig_read(a, slice_str(text), &d, &err) < 0)
		fail_msg("%s: %s", text, err.msg);
	return d;
}

static void known_fields_stay_and_zero_values_go(void **state)
{
	static const char *const rows[][2] = {
		{ "clusters: [{name: c, cluster: {server: s, unknown: 1, tls-server-name: ''}}]",
		  "\"clusters\":[{\"name\":\"c\",\"cluster\":{\"server\":\"s\"}}]" },
		{ "clusters: [{name: c}]",
		  "\"clusters\":[{\"name\":\"c\",\"cluster\":{\"server\":\"\"}}]" },
		{ "clusters: [{name: b}, {name: a}, {name: b, cluster: {server: z}}]",
		  "[{\"name\":\"a\",\"cluster\":{\"server\":\"\"}},{\"name\":\"b\",\"cluster\":{"
		  "\"server\":\"z\"}}]" },
		{ "users: [{name: u, user: {token: t, as-groups: [], exec: {command: x}}}]",
		  "{\"token\":\"t\",\"exec\":{\"command\":\"x\",\"args\":null,\"env\":null,"
		  "\"provideClusterInfo\":false}}" },
		{ "users: [{name: u, user: {exec: {command: x, apiVersion: "
		  "client.authentication.k8s.io/v1beta1}}}]",
		  "\"interactiveMode\":\"IfAvailable\"" },
		{ "contexts: [{name: x, context: {namespace: n1}}]",
		  "{\"cluster\":\"\",\"user\":\"\",\"namespace\":\"n1\"}" },
		{ "", "\"current-context\":\"\"" },
		{ "{\"current-context\": \"x\", \"current-context\": \"y\"}",
		  "\"current-context\":\"y\"" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_part(json_of(*state, must_read(*state, rows[i][0])), rows[i][1]);
}

static void what_does_not_fit_is_named(void **state)
{
	static const char *const rows[][2] = {
		{ "clusters: {}", "clusters must be a list, not object" },
		{ "clusters: [1]", "clusters must be a list of objects, not number" },
		{ "clusters: [{name: c, cluster: {server: 1}}]",
		  "cluster 'c': server must be a text, not number" },
		{ "users: [{name: u, user: {as-groups: [1]}}]",
		  "user 'u': as-groups must be a list of texts, not number" },
		{ "users: [{name: u, user: {exec: {args: x}}}]", "exec: args must be a list" },
		{ "users: [{name: u, user: {exec: {env: [x]}}}]", "exec.env must be a list" },
		{ "contexts: [{name: x, context: 1}]", "context 'x': expected an object" },
		{ "current-context: 1", "current-context must be a text" },
		{ "[]", "a kubeconfig must be an object" },
		{ "a: [", "line" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err err = ERR_INIT;
		struct doc *d;

		if (kubeconfig_read(*state, slice_str(rows[i][0]), &d, &err) >= 0)
			fail_msg("%s was taken", rows[i][0]);
		assert_part(err.msg, rows[i][1]);
	}
}

static void the_first_file_wins_whole_entries(void **state)
{
	struct arena *a = *state;
	struct kubeconfig_file files[] = {
		{ .doc = must_read(a, "users: [{name: u, user: {token: t}}]") },
		{ .doc = must_read(a, "users: [{name: u, user: {username: me}}, {name: v}]\n"
				      "current-context: two\npreferences: {colors: true}") },
		{ .doc = must_read(a, "current-context: three") },
	};
	struct doc *d = kubeconfig_merge(a, files, ARRAY_LEN(files));

	assert_string_equal(json_of(a, kubeconfig_get(d, KUBECONFIG_USER, SLICE("u"))),
			    "{\"token\":\"t\"}");
	assert_non_null(kubeconfig_get(d, KUBECONFIG_USER, SLICE("v")));
	assert_null(kubeconfig_get(d, KUBECONFIG_USER, SLICE("w")));
	assert_true(slice_is(kubeconfig_current(d), "two"));
	assert_part(json_of(a, d), "\"preferences\":{\"colors\":true}");
	assert_part(json_of(a, kubeconfig_shown(a, d)), "\"clusters\":null");
}

static void places_are_flag_list_home(void **state)
{
	struct arena *a = *state;
	const char *dir = folder(a), *one = file(a, dir, "one", "current-context: one"),
		   *two = file(a, dir, "two", "current-context: two");
	struct kubeconfig_places p = { one, two, dir };
	struct kubeconfig k;
	struct err err = ERR_INIT;

	assert_int_equal(kubeconfig_load(a, &p, &k, &err), 0);
	assert_true(k.given && slice_is(kubeconfig_current(k.merged), "one"));
	p.given = NULL;
	p.list = arena_printf(a, "%s/none::%s:%s", dir, two, one);
	assert_int_equal(kubeconfig_load(a, &p, &k, &err), 0);
	assert_int_equal(k.nfiles, 3);
	assert_true(slice_is(kubeconfig_current(k.merged), "two"));
	assert_string_equal(kubeconfig_default_file(&k), two);
	p.list = "";
	assert_int_equal(kubeconfig_load(a, &p, &k, &err), 0);
	assert_int_equal(kubeconfig_current(k.merged).n, 0);
	assert_part(kubeconfig_default_file(&k), "/.kube/config");
	file(a, dir, "bad", "clusters: 1");
	p.list = arena_printf(a, "%s/bad", dir);
	assert_int_equal(kubeconfig_load(a, &p, &k, &err), -ERR_INVALID);
	assert_part(err.msg, "error loading config file");
	assert_int_equal(fd_remove_tree(AT_FDCWD, dir, &err), 0);
}

static void changes_go_where_the_entry_is(void **state)
{
	struct arena *a = *state;
	const char *dir = folder(a), *one = file(a, dir, "one", "users: [{name: u}]"),
		   *two = file(a, dir, "two", "contexts: [{name: x}]\ncurrent-context: x");
	struct kubeconfig_places p = { .list = arena_printf(a, "%s:%s", one, two) };
	struct kubeconfig k;
	struct err err = ERR_INIT;
	const char *cert = arena_printf(a, "{\"client-certificate\":\"%s/c\"}", dir);
	struct stat st;

	assert_int_equal(kubeconfig_load(a, &p, &k, &err), 0);
	assert_int_equal(kubeconfig_put(&k, KUBECONFIG_CONTEXT, SLICE("x"),
					doc_of(a, "{\"namespace\":\"n\"}"), true, &err),
			 0);
	assert_part(text_of(a, two), "namespace: \"n\"");
	assert_int_equal(
		kubeconfig_put(&k, KUBECONFIG_USER, SLICE("u"), doc_of(a, cert), true, &err), 0);
	assert_part(text_of(a, one), "client-certificate: c\n");
	assert_int_equal(kubeconfig_put(&k, KUBECONFIG_CLUSTER, SLICE("c"),
					doc_of(a, "{\"server\":\"s\"}"), true, &err),
			 0);
	assert_part(text_of(a, one), "server: s");
	assert_int_equal(stat(one, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(kubeconfig_use(&k, SLICE(""), &err), 0);
	assert_part(text_of(a, two), "current-context: \"\"");
	assert_int_equal(kubeconfig_use(&k, SLICE("x"), &err), 0);
	assert_part(text_of(a, one), "current-context: x");
	assert_int_equal(kubeconfig_put(&k, KUBECONFIG_USER, SLICE("u"), NULL, true, &err), 0);
	assert_null(kubeconfig_get(k.merged, KUBECONFIG_USER, SLICE("u")));
	assert_part(text_of(a, one), "users: null");
	assert_int_equal(fd_remove_tree(AT_FDCWD, dir, &err), 0);
}

static void a_locked_file_is_left_alone(void **state)
{
	struct arena *a = *state;
	const char *dir = folder(a), *one = file(a, dir, "one", "users: [{name: u}]"),
		   *lock = file(a, dir, "one.lock", "");
	struct kubeconfig_places p = { .given = one };
	struct kubeconfig k;
	struct err err = ERR_INIT;

	assert_int_equal(kubeconfig_load(a, &p, &k, &err), 0);
	assert_int_equal(kubeconfig_use(&k, SLICE("x"), &err), -ERR_CONFLICT);
	assert_part(err.msg, "somebody else is changing the file");
	assert_string_equal(text_of(a, one), "users: [{name: u}]");
	assert_int_equal(unlink(lock), 0);
	assert_int_equal(kubeconfig_use(&k, SLICE("x"), &err), 0);
	assert_int_equal(access(lock, F_OK), -1);
	assert_int_equal(fd_remove_tree(AT_FDCWD, dir, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ARENA_CASE(known_fields_stay_and_zero_values_go),
		ARENA_CASE(what_does_not_fit_is_named),
		ARENA_CASE(the_first_file_wins_whole_entries),
		ARENA_CASE(places_are_flag_list_home),
		ARENA_CASE(changes_go_where_the_entry_is),
		ARENA_CASE(a_locked_file_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
