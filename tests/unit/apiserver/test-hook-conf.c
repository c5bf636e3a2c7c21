/* SPDX-License-Identifier: Apache-2.0 */
/* Kubeconfigs of webhooks: where one is and who we are there, by current context and by host. */
#include "../doc/doc-check.h"

#include "apiserver/outward/hook-conf.h"
#include "base/arena.h"
#include "base/fd.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

struct at {
	char dir[64], path[96];
	struct arena *a;
	struct given_set files;
};

static int at_setup(void **state)
{
	struct at *x = calloc(1, sizeof(*x));

	strcpy(x->dir, "/tmp/teu-hook-XXXXXX");
	assert_non_null(mkdtemp(x->dir));
	snprintf(x->path, sizeof(x->path), "%s/kubeconfig", x->dir);
	x->a = arena_new("t", 4u << 20);
	*state = x;
	return 0;
}

static int at_teardown(void **state)
{
	struct at *x = *state;

	given_set_fini(&x->files);
	arena_free(x->a);
	assert_int_equal(fd_remove_tree(AT_FDCWD, x->dir, NULL), 0);
	free(x);
	return 0;
}

static void save(struct at *x, const char *name, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", x->dir, name);
	assert_int_equal(fd_replace_file(AT_FDCWD, path, text, strlen(text), 0600, NULL), 0);
	given_set_fini(&x->files);
}

#define USER(name, more) "{name: '" name "', user: {token: t-" more "}}"

static void users_are_found_by_host(void **state)
{
	static const struct {
		const char *host;
		uint16_t port;
		const char *token;
	} rows[] = {
		{ "a.example.com", 8443, "t-a8443" }, /* exactly */
		{ "a.example.com", 443, "t-a" },      /* the port of https may be left out */
		{ "a.example.com", 9000, "t-any" },
		{ "b.example.com", 443, "t-domain" },
		{ "c.b.example.com", 443, "t-b" }, /* the nearest star */
		{ "b.example.com", 8443, "t-domain8443" },
		{ "example.com", 443, "t-any" },
		{ "hook.n1.svc", 443, "t-svc" },
		{ "::1", 8443, "t-six" },
		{ "elsewhere", 1, "t-any" },
	};
	struct at *x = *state;
	struct hook_users u;
	struct err err = ERR_INIT;

	save(x, "kubeconfig",
	     "users: [" USER("a.example.com:8443", "a8443") "," USER("a.example.com", "a") "," USER(
		     "*.example.com",
		     "domain") "," USER("*.b.example.com",
					"b") "," USER("*.example.com:8443",
						      "domain8443") "," USER("hook.n1.svc:443",
									     "svc") "," USER("[::1]"
											     ":844"
											     "3",
											     "six") "," USER("*",
													     "any") "]\n");
	if (hook_users_read(x->path, &x->files, x->a, &u, &err) < 0)
		fail_msg("%s", err.msg);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct hook_user *f = hook_users_find(&u, rows[i].host, rows[i].port);

		if (!f || strcmp(f->token, rows[i].token) != 0)
			fail_msg("%s:%u: %s", rows[i].host, rows[i].port, f ? f->token : "nobody");
	}
	hook_users_fini(&u);
}

static void else_the_current_context_says_it(void **state)
{
	struct at *x = *state;
	struct hook_users u;

	save(x, "kubeconfig",
	     "current-context: c\ncontexts: [{name: c, context: {user: me}}]\nusers: [" USER(
		     "me", "me") "]\n");
	assert_int_equal(hook_users_read(x->path, &x->files, x->a, &u, NULL), 0);
	assert_string_equal(hook_users_find(&u, "anybody", 443)->token, "t-me");
	hook_users_fini(&u);
	save(x, "kubeconfig", "users: [" USER("me", "me") "]\n");
	assert_int_equal(hook_users_read(x->path, &x->files, x->a, &u, NULL), 0);
	assert_null(hook_users_find(&u, "anybody", 443));
	hook_users_fini(&u);
	save(x, "kubeconfig", "{}\n");
	assert_int_equal(hook_users_read(x->path, &x->files, x->a, &u, NULL), 0);
	assert_null(hook_users_find(&u, "anybody", 443));
	hook_users_fini(&u);
}

static void files_of_a_user_lie_beside(void **state)
{
	struct at *x = *state;
	struct hook_users u;

	save(x, "token", "secret\n");
	save(x, "kubeconfig", "users: [{name: '*', user: {tokenFile: token}}]\n");
	assert_int_equal(hook_users_read(x->path, &x->files, x->a, &u, NULL), 0);
	assert_null(u.v[0].token);
	assert_string_equal(given_path(u.v[0].token_file) + strlen(x->dir), "/token");
	hook_users_fini(&u);
}

static void what_cannot_be_is_refused(void **state)
{
	static const struct {
		const char *text, *says;
		bool users; /* of hook_users_read, too */
	} rows[] = {
		{ "{a", "kubeconfig '", true },
		{ "users: [{user: {}}]", "", true },
		{ "users: [{name: u, user: {exec: {command: x}}}]",
		  "exec: is not supported by this server", true },
		{ "users: [{name: u, user: {auth-provider: {name: x}}}]", "auth-provider", true },
		{ "users: [{name: u, user: {as: root}}]", "as: is not supported", true },
		{ "users: [{name: u, user: {username: x}}]", "username: is not supported", true },
		{ "users: [{name: u, user: {tokenFile: nowhere}}]", "tokenFile", true },
		{ "users: [{name: u, user: {client-certificate-data: '!'}}]",
		  "client-certificate-data: is not base64", true },
		{ "users: [{name: u, user: {client-key-data: 'AAAA'}}]",
		  "client-certificate, client-key: one goes with the other", true },
		{ "{}", "current-context: is not given", false },
		{ "current-context: c", "contexts: \"c\" is not there", false },
		{ "{current-context: c, contexts: [{name: c, context: {}}]}",
		  "the context has no cluster", false },
		{ "{current-context: c, contexts: [{name: c, context: {cluster: k}}]}",
		  "clusters: \"k\" is not there", false },
		{ "{current-context: c, contexts: [{name: c, context: {cluster: k}}], clusters: "
		  "[{name: k, cluster: {server: 'ftp://x'}}]}",
		  "server: must be an https:// or http:// URL", false },
		{ "{current-context: c, contexts: [{name: c, context: {cluster: k, user: u}}], "
		  "clusters: [{name: k, cluster: {server: 'http://x'}}], users: [{name: u, user: "
		  "{token: t}}]}",
		  "a token is not sent in the clear", false },
		{ "{current-context: c, contexts: [{name: c, context: {cluster: k}}], clusters: "
		  "[{name: k, cluster: {server: 'https://x', proxy-url: 'http://p'}}]}",
		  "proxy-url: is not supported", false },
	};
	struct at *x = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char head[512];
		struct hook_conf k;
		struct hook_users u;
		struct err err = ERR_INIT;

		save(x, "kubeconfig", rows[i].text);
		if (rows[i].users && (hook_users_read(x->path, &x->files, x->a, &u, &err) >= 0 ||
				      !strstr(err.msg, rows[i].says)))
			fail_msg("users of %s: %s", rows[i].text, err.msg);
		if (rows[i].users && strncmp(rows[i].text, "users", 5) == 0) {
			snprintf(head, sizeof(head),
				 "current-context: c\ncontexts: [{name: c, context: {cluster: k, "
				 "user: u}}]\nclusters: [{name: k, cluster: {server: "
				 "'https://127.0.0.1'}}]\n%s",
				 rows[i].text);
			save(x, "kubeconfig", head);
		}
		err = ERR_INIT;
		if (hook_conf_read(x->path, &x->files, x->a, &k, &err) >= 0 ||
		    !strstr(err.msg, rows[i].says))
			fail_msg("%s: %s", rows[i].text, err.msg);
	}
}

#define ATCASE(f) cmocka_unit_test_setup_teardown(f, at_setup, at_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ATCASE(users_are_found_by_host),
		ATCASE(else_the_current_context_says_it),
		ATCASE(files_of_a_user_lie_beside),
		ATCASE(what_cannot_be_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
