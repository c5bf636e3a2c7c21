/* SPDX-License-Identifier: Apache-2.0 */
/* From a kubeconfig and flags to a server and credentials; answers of exec plugins. */
#include "client-test.h"

#include "client/client.h"
#include "client/exec.h"
#include "client/kubeconfig.h"

#include <sys/stat.h>

static const char config[] =
	"clusters:\n"
	"- {name: c, cluster: {server: \"https://h:1/base/\", certificate-authority-data: Y2E=}}\n"
	"- {name: d, cluster: {server: \"https://d\", insecure-skip-tls-verify: true}}\n"
	"users:\n"
	"- {name: u, user: {client-certificate: cert, client-key-data: a2V5, token: t}}\n"
	"- {name: v, user: {exec: {command: x}, as: joe, as-groups: [g]}}\n"
	"- {name: w, user: {auth-provider: {name: gcp}}}\n"
	"contexts:\n"
	"- {name: one, context: {cluster: c, user: u, namespace: n1}}\n"
	"- {name: two, context: {cluster: d, user: v}}\n"
	"- {name: bad, context: {cluster: c, user: nobody}}\n"
	"current-context: one\n";

struct fixture {
	const char *dir;
	struct kubeconfig k;
};

static struct fixture load(struct arena *a)
{
	struct fixture f = { .dir = folder(a) };
	struct kubeconfig_places p = { .given = file(a, f.dir, "config", config) };

	file(a, f.dir, "cert", "certificate");
	assert_int_equal(kubeconfig_load(a, &p, &f.k, NULL), 0);
	return f;
}

static void unload(const struct fixture *f)
{
	assert_int_equal(fd_remove_tree(AT_FDCWD, f->dir, NULL), 0);
}

static void the_context_says_where_and_who(void **state)
{
	struct fixture f = load(*state);
	struct client_wishes w = { 0 };
	struct client_conf c;
	struct err err = ERR_INIT;

	assert_int_equal(client_conf_read(*state, &f.k, &w, &c, &err), 0);
	assert_string_equal(c.server, "https://h:1/base");
	assert_string_equal(c.space, "n1");
	assert_true(c.space_given && !c.insecure);
	assert_true(slice_is(c.ca, "ca") && slice_is(c.key, "key"));
	assert_true(slice_is(c.cert, "certificate"));
	assert_string_equal(c.token, "t");
	w.context = "two";
	assert_int_equal(client_conf_read(*state, &f.k, &w, &c, &err), 0);
	assert_true(c.insecure && !c.space_given && c.exec);
	assert_string_equal(c.space, "default");
	assert_string_equal(c.as, "joe");
	assert_int_equal(c.as_groups_n, 1);
	unload(&f);
}

static void flags_go_first(void **state)
{
	struct fixture f = load(*state);
	struct client_wishes w = { .cluster = "d",
				   .user = "v",
				   .space = "n2",
				   .server = "127.0.0.1:8",
				   .token = "mine",
				   .as = "ann" };
	struct client_conf c;
	struct err err = ERR_INIT;

	assert_int_equal(client_conf_read(*state, &f.k, &w, &c, &err), 0);
	assert_string_equal(c.server, "http://127.0.0.1:8");
	assert_string_equal(c.space, "n2");
	assert_string_equal(c.token, "mine");
	assert_string_equal(c.as, "ann");
	assert_null(c.exec);
	unload(&f);
}

static void what_is_missing_is_named(void **state)
{
	static const struct {
		struct client_wishes w;
		int code;
		const char *part;
	} rows[] = {
		{ { .context = "no" },
		  ERR_NOT_FOUND,
		  "context was not found for specified context: no" },
		{ { .cluster = "no" }, ERR_NOT_FOUND, "cluster \"no\" does not exist" },
		{ { .context = "bad" }, ERR_NOT_FOUND, "auth info \"nobody\" does not exist" },
		{ { .user = "w" }, ERR_UNSUPPORTED, "no Auth Provider found for name \"gcp\"" },
		{ { .ca = "/no/such" }, ERR_NOT_FOUND, "--certificate-authority /no/such" },
	};
	struct fixture f = load(*state);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct client_conf c;
		struct err err = ERR_INIT;

		assert_int_equal(client_conf_read(*state, &f.k, &rows[i].w, &c, &err),
				 -rows[i].code);
		assert_part(err.msg, rows[i].part);
	}
	unload(&f);
}

static void without_a_kubeconfig_it_is_localhost(void **state)
{
	struct kubeconfig_places p = { 0 };
	struct client_wishes w = { 0 };
	struct kubeconfig k;
	struct client_conf c;

	unsetenv("KUBERNETES_SERVICE_HOST");
	assert_int_equal(kubeconfig_load(*state, &p, &k, NULL), 0);
	assert_int_equal(client_conf_read(*state, &k, &w, &c, NULL), 0);
	assert_string_equal(c.server, CLIENT_SERVER);
}

#define V1 "client.authentication.k8s.io/v1"
static void plugins_answers_are_read(void **state)
{
	static const struct {
		const char *text, *part; /* part NULL: it is taken */
	} rows[] = {
		{ "{\"kind\":\"ExecCredential\",\"apiVersion\":\"" V1
		  "\",\"status\":{\"token\":\"t\"}}",
		  NULL },
		{ "{\"kind\":\"ExecCredential\",\"apiVersion\":\"" V1
		  "\",\"status\":{\"clientCertificateData\":\"c\",\"clientKeyData\":\"k\"}}",
		  NULL },
		{ "{\"kind\":\"ExecCredential\",\"apiVersion\":\"" V1
		  "\",\"status\":{\"clientCertificateData\":\"c\"}}",
		  "go together" },
		{ "{\"kind\":\"ExecCredential\",\"apiVersion\":\"" V1 "\",\"status\":{}}",
		  "neither a token" },
		{ "{\"kind\":\"ExecCredential\",\"apiVersion\":\"" V1
		  "\",\"status\":{\"token\":\"a\\r\\nb: c\"}}",
		  "neither a token" },
		{ "{\"kind\":\"ExecCredential\",\"apiVersion\":\"v2\",\"status\":{\"token\":\"t\"}"
		  "}",
		  "no ExecCredential of " V1 },
		{ "nothing", "line 1" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct exec_credential c = { 0 };
		struct err err = ERR_INIT;
		int r = exec_read(slice_str(rows[i].text), V1, *state, &c, &err);

		assert_int_equal(r == 0, !rows[i].part);
		if (rows[i].part)
			assert_part(err.msg, rows[i].part);
	}
}

static void a_plugin_is_run_beside_its_kubeconfig(void **state)
{
	struct arena *a = *state;
	const char *dir = folder(a);
	struct client_conf c = { .server = "https://s",
				 .exec_file = file(a, dir, "config", ""),
				 .exec = doc_of(
					 a, "{\"command\":\"./p\",\"args\":[\"t1\"],\"apiVersion\":"
					    "\"" V1 "\",\"interactiveMode\":\"Never\","
					    "\"env\":[{\"name\":\"E\",\"value\":\"e\"}]}") };
	struct exec_credential got = { 0 };
	struct err err = ERR_INIT;
	const char *p = file(a, dir, "p",
			     "#!/bin/sh\nprintf '{\"kind\":\"ExecCredential\",\"apiVersion\":\"" V1
			     "\",\"status\":{\"token\":\"%s%s\"}}' $1 $E\n");

	assert_int_equal(chmod(p, 0755), 0);
	assert_int_equal(exec_ask(&c, a, &got, &err), 0);
	assert_string_equal(got.token, "t1e");
	file(a, dir, "p", "#!/bin/sh\nexit 3\n");
	assert_int_equal(chmod(p, 0755), 0);
	assert_int_equal(exec_ask(&c, a, &got, &err), -ERR_UNAUTHORIZED);
	assert_part(err.msg, "exec plugin './p': it ended with status 3");
	c.exec = doc_of(a, "{\"command\":\"no-such-program-here\",\"apiVersion\":\"" V1
			   "\",\"installHint\":\"get it\"}");
	assert_int_equal(exec_ask(&c, a, &got, &err), -ERR_NOT_FOUND);
	assert_part(err.msg, "executable no-such-program-here not found; get it");
	c.exec = doc_of(a, "{\"command\":\"x\",\"apiVersion\":\"v9\"}");
	assert_int_equal(exec_ask(&c, a, &got, &err), -ERR_UNSUPPORTED);
	assert_int_equal(fd_remove_tree(AT_FDCWD, dir, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ARENA_CASE(the_context_says_where_and_who),
		ARENA_CASE(flags_go_first),
		ARENA_CASE(what_is_missing_is_named),
		ARENA_CASE(without_a_kubeconfig_it_is_localhost),
		ARENA_CASE(plugins_answers_are_read),
		ARENA_CASE(a_plugin_is_run_beside_its_kubeconfig),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
