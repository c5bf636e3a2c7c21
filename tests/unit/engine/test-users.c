/* SPDX-License-Identifier: Apache-2.0 */
/* "user[:group]" in layered passwd and group files, also missing, whited out and hostile ones. */
#include "engine/private.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

struct layers {
	char dir[64];
	char upper[96], lower[96];
	const char *dirs[3];
};

static void put(const char *layer, const char *path, const char *text)
{
	char full[256];
	CLEANUP(fd_close) int fd = -1;

	(void)snprintf(full, sizeof(full), "%s/etc", layer);
	(void)mkdir(full, 0755);
	(void)snprintf(full, sizeof(full), "%s/%s", layer, path);
	fd = openat(AT_FDCWD, full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
}

static int setup(void **state)
{
	struct layers *l = calloc(1, sizeof(*l));

	str_copy(l->dir, sizeof(l->dir), "/tmp/teu-users-XXXXXX");
	assert_non_null(mkdtemp(l->dir));
	(void)snprintf(l->upper, sizeof(l->upper), "%s/upper", l->dir);
	(void)snprintf(l->lower, sizeof(l->lower), "%s/lower", l->dir);
	assert_int_equal(mkdir(l->upper, 0755), 0);
	assert_int_equal(mkdir(l->lower, 0755), 0);
	l->dirs[0] = l->upper;
	l->dirs[1] = l->lower;
	put(l->lower, "etc/passwd",
	    "root:x:0:0:root:/root:/bin/sh\n\nbroken\nbad:x:nan:1:::\n"
	    "user:x:1000:1001:User:/home/user:/bin/sh\n12:x:77:78::/twelve:\nlast:x:5:6::/l:/x");
	put(l->lower, "etc/group",
	    "root:x:0:\nstaff:x:50:user,other\nextra:x:2000:other,user\nhalf:x\n");
	*state = l;
	return 0;
}

static int teardown(void **state)
{
	struct layers *l = *state;
	struct err err = ERR_INIT;

	assert_int_equal(fd_remove_tree(AT_FDCWD, l->dir, &err), 0);
	free(l);
	return 0;
}

static int resolve(struct layers *l, const char *user, struct user_ids *ids, struct err *err)
{
	const struct user_layers ul = { l->dirs };

	*err = ERR_INIT;
	return user_resolve(&ul, user, NULL, ids, err);
}

static void names_numbers_and_groups(void **state)
{
	static const struct {
		const char *text, *home;
		uint32_t uid, gid;
		size_t groups;
	} cases[] = {
		{ NULL, "/root", 0, 0, 0 },
		{ "", "/root", 0, 0, 0 },
		{ "user", "/home/user", 1000, 1001, 2 },
		{ "1000", "/home/user", 1000, 1001, 2 },
		{ "user:staff", "/home/user", 1000, 50, 0 },
		{ "user:7", "/home/user", 1000, 7, 0 },
		{ "4242", "/", 4242, 0, 0 },
		{ "4242:4343", "/", 4242, 4343, 0 },
		{ "12", "/twelve", 77, 78, 0 },
		{ "last", "/l", 5, 6, 0 },
	};
	struct user_ids ids;
	struct err err;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (resolve(*state, cases[i].text, &ids, &err) < 0)
			fail_msg("%s: %s", cases[i].text, err.msg);
		assert_int_equal(ids.uid, cases[i].uid);
		assert_int_equal(ids.gid, cases[i].gid);
		assert_int_equal(ids.ngroups, cases[i].groups);
		assert_string_equal(ids.home, cases[i].home);
	}
}

static void unknown_ones_are_refused(void **state)
{
	static const char *const bad[][2] = {
		{ "nosuch", "unable to find user nosuch" },
		{ "user:nosuch", "unable to find group nosuch" },
		{ "-1", "unable to find user -1" },
		{ "99999999999", "unable to find user" },
		{ "bad", "unable to find user bad" },
		{ "user:half", "unable to find group half" },
	};
	struct user_ids ids;
	struct err err;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(resolve(*state, bad[i][0], &ids, &err), -ERR_BAD_REQUEST);
		assert_non_null(strstr(err.msg, bad[i][1]));
	}
}

static void groups_are_added_by_name_and_number(void **state)
{
	struct layers *l = *state;
	const struct user_layers ul = { l->dirs };
	const char *names[] = { "extra", "33", "33" }, *none[] = { "nosuch" };
	struct user_ids ids;
	struct err err = ERR_INIT;

	assert_int_equal(user_resolve(&ul, "4242", &(struct strs){ names, 3 }, &ids, &err), 0);
	assert_int_equal(ids.ngroups, 2);
	assert_int_equal(ids.groups[0], 2000);
	assert_int_equal(user_resolve(&ul, "0", &(struct strs){ none, 1 }, &ids, &err),
			 -ERR_BAD_REQUEST);
	assert_non_null(strstr(err.msg, "Unable to find group nosuch"));
}

static void the_upper_layer_wins(void **state)
{
	struct layers *l = *state;
	struct user_ids ids;
	struct err err;

	put(l->upper, "etc/passwd", "user:x:7:8::/up:/bin/sh\n");
	assert_int_equal(resolve(l, "user", &ids, &err), 0);
	assert_int_equal(ids.uid, 7);
	assert_int_equal(resolve(l, "last", &ids, &err), -ERR_BAD_REQUEST);
}

static void a_whiteout_hides_what_is_below(void **state)
{
	struct layers *l = *state;
	struct user_ids ids;
	struct err err;
	char path[256];

	if (geteuid() != 0)
		skip();
	(void)snprintf(path, sizeof(path), "%s/etc", l->upper);
	assert_int_equal(mkdir(path, 0755), 0);
	(void)snprintf(path, sizeof(path), "%s/etc/passwd", l->upper);
	assert_int_equal(mknod(path, S_IFCHR, makedev(0, 0)), 0);
	assert_int_equal(resolve(l, "user", &ids, &err), -ERR_BAD_REQUEST);
	assert_int_equal(resolve(l, "3:staff", &ids, &err), 0);
}

static void a_removed_or_opaque_etc_hides_what_is_below(void **state)
{
	struct layers *l = *state;
	struct user_ids ids;
	struct err err;
	char path[256];

	if (geteuid() != 0)
		skip();
	(void)snprintf(path, sizeof(path), "%s/etc", l->upper);
	assert_int_equal(mkdir(path, 0755), 0);
	assert_int_equal(resolve(l, "user", &ids, &err), 0);
	if (setxattr(path, "trusted.overlay.opaque", "y", 1, 0) == 0)
		assert_int_equal(resolve(l, "user", &ids, &err), -ERR_BAD_REQUEST);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(mknod(path, S_IFCHR, makedev(0, 0)), 0);
	assert_int_equal(resolve(l, "user", &ids, &err), -ERR_BAD_REQUEST);
}

static void hostile_files_neither_block_nor_lead_out(void **state)
{
	struct layers *l = *state;
	struct user_ids ids;
	struct err err;
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/etc", l->upper);
	assert_int_equal(mkdir(path, 0755), 0);
	(void)snprintf(path, sizeof(path), "%s/etc/passwd", l->upper);
	assert_int_equal(mkfifo(path, 0666), 0);
	assert_int_equal(resolve(l, "user", &ids, &err), -ERR_BAD_REQUEST);
	assert_non_null(strstr(err.msg, "no regular file"));
	assert_int_equal(unlink(path), 0);
	/* The root of this machine has a user "daemon"; the layers have none. */
	assert_int_equal(symlink("/etc/passwd", path), 0);
	assert_true(resolve(l, "daemon", &ids, &err) < 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("../../../../../../etc/passwd", path), 0);
	assert_true(resolve(l, "daemon", &ids, &err) < 0);
	assert_int_equal(unlink(path), 0);
	put(l->upper, "etc/passwd", "");
	assert_int_equal(truncate(path, 2 << 20), 0);
	assert_int_equal(resolve(l, "user", &ids, &err), -ERR_BAD_REQUEST);
	assert_non_null(strstr(err.msg, "1 MiB"));
}

static void no_files_at_all_leave_numbers(void **state)
{
	struct layers *l = *state;
	const char *dirs[] = { l->upper, NULL };
	const struct user_layers ul = { dirs };
	struct user_ids ids;
	struct err err = ERR_INIT;

	assert_int_equal(user_resolve(&ul, NULL, NULL, &ids, &err), 0);
	assert_int_equal(ids.uid, 0);
	assert_string_equal(ids.home, "/");
	assert_int_equal(user_resolve(&ul, "root", NULL, &ids, &err), -ERR_BAD_REQUEST);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(names_numbers_and_groups),
		T(unknown_ones_are_refused),
		T(groups_are_added_by_name_and_number),
		T(the_upper_layer_wins),
		T(a_whiteout_hides_what_is_below),
		T(a_removed_or_opaque_etc_hides_what_is_below),
		T(hostile_files_neither_block_nor_lead_out),
		T(no_files_at_all_leave_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
