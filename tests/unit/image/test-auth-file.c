/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials in config.json and with helper programs. */
#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "image/auth-file.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct env {
	char dir[64];
	struct arena *a;
	struct err err;
};

static int setup(void **state)
{
	struct env *e = calloc(1, sizeof(*e));

	strcpy(e->dir, "/tmp/teu-auth-XXXXXX");
	assert_non_null(mkdtemp(e->dir));
	e->a = arena_new("test", 1u << 20);
	*state = e;
	return 0;
}

static int teardown(void **state)
{
	struct env *e = *state;

	arena_free(e->a);
	assert_int_equal(fd_remove_tree(AT_FDCWD, e->dir, &e->err), 0);
	free(e);
	return 0;
}

static void put_file(struct env *e, const char *name, const char *text, mode_t mode)
{
	char path[200];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", e->dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static const char *get_file(struct env *e, const char *name)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1u << 16);
	char path[200];

	snprintf(path, sizeof(path), "%s/%s", e->dir, name);
	assert_int_equal(fd_read_file(AT_FDCWD, path, &b, &e->err), 0);
	return arena_strndup(e->a, buf_str(&b), b.n);
}

static void get(struct env *e, const char *host, struct remote_auth *ret)
{
	if (auth_file_get(e->dir, host, e->a, ret, &e->err) < 0)
		fail_msg("%s", e->err.msg);
}

static void fails(struct env *e, const char *host, const char *part)
{
	struct remote_auth auth;

	assert_true(auth_file_get(e->dir, host, e->a, &auth, &e->err) < 0);
	if (!strstr(e->err.msg, part))
		fail_msg("'%s' is not in '%s'", part, e->err.msg);
}

static void entries_are_found_by_their_host(void **state)
{
	struct env *e = *state;
	struct remote_auth auth;

	get(e, "reg.example", &auth);
	assert_null(auth.username);
	put_file(e, "config.json",
		 "{\"auths\":{\"https://index.docker.io/v1/\":{\"auth\":\"aHViOnB3\"},"
		 "\"https://reg.example/v2/\":{\"auth\":\"bWU6YTpi\"},"
		 "\"localhost:5000\":{\"username\":\"u\",\"password\":\"p\"},"
		 "\"tok.example\":{\"auth\":\"dTo=\",\"identitytoken\":\"t\"},"
		 "\"bad.example\":{\"auth\":\"!\"}}}",
		 0600);
	get(e, "docker.io", &auth);
	assert_string_equal(auth.username, "hub");
	assert_string_equal(auth.password, "pw");
	get(e, "reg.example", &auth);
	assert_string_equal(auth.username, "me");
	assert_string_equal(auth.password, "a:b");
	get(e, "localhost:5000", &auth);
	assert_string_equal(auth.password, "p");
	get(e, "tok.example", &auth);
	assert_string_equal(auth.identity_token, "t");
	get(e, "reg.example:443", &auth);
	assert_null(auth.username);
	fails(e, "bad.example", "log in again");
	put_file(e, "config.json", "{", 0600);
	fails(e, "x", "is no JSON");
	put_file(e, "config.json", "[]", 0600);
	fails(e, "x", "no JSON object");
}

static void what_is_put_is_found_and_removed(void **state)
{
	const struct remote_auth in = { .username = "me", .password = "secret" };
	struct env *e = *state;
	struct remote_auth out;
	const char *helper;
	struct stat st;
	char path[200];

	put_file(e, "config.json", "{\"psFormat\":\"x\"}", 0644);
	assert_int_equal(auth_file_put(e->dir, "docker.io", e->a, &in, &helper, &e->err), 0);
	assert_null(helper);
	assert_int_equal(auth_file_put(e->dir, "reg.example", e->a, &in, &helper, &e->err), 0);
	snprintf(path, sizeof(path), "%s/config.json", e->dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_non_null(strstr(get_file(e, "config.json"), "\"psFormat\": \"x\""));
	assert_non_null(strstr(get_file(e, "config.json"), "https://index.docker.io/v1/"));
	get(e, "docker.io", &out);
	assert_string_equal(out.password, "secret");
	assert_int_equal(auth_file_remove(e->dir, "docker.io", e->a, &e->err), 0);
	get(e, "docker.io", &out);
	assert_null(out.username);
	get(e, "reg.example", &out);
	assert_string_equal(out.username, "me");
	assert_int_equal(auth_file_remove(e->dir, "docker.io", e->a, &e->err), 1);
}

/* Keeps what is stored in the directory, and what it was asked. */
static const char helper_text[] =
	"#!/bin/sh\ncd \"$TEU_TEST_DIR\" || exit 9\ncase $1 in\n"
	"store) cat >stored;;\n"
	"get) read -r url || true; echo \"$url\" >asked\n"
	"  [ -e stored ] || { echo 'credentials not found in native keychain'; exit 1; }\n"
	"  cat stored;;\n"
	"erase) cat >erased; rm -f stored;;\nesac\n";

static void helpers_keep_what_they_are_given(void **state)
{
	const struct remote_auth in = { .username = "me", .password = "s3" },
				 token = { .username = "me", .identity_token = "it" };
	struct env *e = *state;
	struct remote_auth out;
	const char *helper;

	setenv("TEU_TEST_DIR", e->dir, 1);
	setenv("PATH", arena_printf(e->a, "%s:/usr/bin:/bin", e->dir), 1);
	put_file(e, "docker-credential-test", helper_text, 0755);
	put_file(e, "config.json",
		 "{\"credHelpers\":{\"reg.example\":\"test\",\"no.example\":\"none\","
		 "\"evil.example\":\"../x\"}}",
		 0600);
	get(e, "reg.example", &out);
	assert_null(out.username);
	assert_string_equal(get_file(e, "asked"), "reg.example\n");
	assert_int_equal(auth_file_put(e->dir, "reg.example", e->a, &in, &helper, &e->err), 0);
	assert_string_equal(helper, "test");
	assert_null(strstr(get_file(e, "config.json"), "s3"));
	get(e, "reg.example", &out);
	assert_string_equal(out.username, "me");
	assert_string_equal(out.password, "s3");
	assert_int_equal(auth_file_put(e->dir, "reg.example", e->a, &token, &helper, &e->err), 0);
	get(e, "reg.example", &out);
	assert_string_equal(out.identity_token, "it");
	assert_null(out.password);
	assert_int_equal(auth_file_remove(e->dir, "reg.example", e->a, &e->err), 0);
	assert_string_equal(get_file(e, "erased"), "reg.example");
	fails(e, "no.example", "'docker-credential-none' is not in PATH");
	fails(e, "evil.example", "is no name of a credential helper");
	put_file(e, "config.json", "{\"credsStore\":\"test\"}", 0600);
	assert_int_equal(auth_file_put(e->dir, "docker.io", e->a, &in, &helper, &e->err), 0);
	assert_non_null(strstr(get_file(e, "stored"), "https://index.docker.io/v1/"));
}

static void bad_helpers_are_told_of(void **state)
{
	struct env *e = *state;

	setenv("PATH", arena_printf(e->a, "%s:/usr/bin:/bin", e->dir), 1);
	put_file(e, "config.json", "{\"credsStore\":\"bad\"}", 0600);
	put_file(e, "docker-credential-bad", "#!/bin/sh\necho no luck; exit 3\n", 0755);
	fails(e, "x.example", "ended with status 3: no luck");
	put_file(e, "docker-credential-bad", "#!/bin/sh\necho my secret\n", 0755);
	fails(e, "x.example", "does not answer in JSON");
	assert_null(strstr(e->err.msg, "my secret"));
	put_file(e, "docker-credential-bad", "#!/bin/sh\nhead -c 100000 /dev/zero\n", 0755);
	fails(e, "x.example", "more than");
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(entries_are_found_by_their_host),
		T(what_is_put_is_found_and_removed),
		T(helpers_keep_what_they_are_given),
		T(bad_helpers_are_told_of),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
