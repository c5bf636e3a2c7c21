/* SPDX-License-Identifier: Apache-2.0 */
/* Opening and making below a root: escape attempts by "..", absolute links, magic links and races
 * end inside. */
#include "base/err.h"
#include "base/fd.h"
#include "linux/path.h"
#include "linux/sys.h"
#include "test-linux.h"

#include <pthread.h>
#include <sys/syscall.h>

struct tree {
	char dir[64];
	int root, outside;
};

static int make_tree(void **state)
{
	struct tree *t = calloc(1, sizeof(*t));

	strcpy_to(t->dir, sizeof(t->dir), "/tmp/teu-test-path-XXXXXX");
	assert_non_null(mkdtemp(t->dir));
	t->outside = open(t->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(t->outside, "root", 0755), 0);
	t->root = openat(t->outside, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(t->root, "etc", 0755), 0);
	put_file(t->root, "etc/passwd", "inside");
	put_file(t->outside, "passwd", "outside");
	assert_int_equal(symlinkat("/etc", t->root, "abs"), 0);
	assert_int_equal(symlinkat("../../../etc", t->root, "up"), 0);
	assert_int_equal(symlinkat("/proc/self/root", t->root, "magic"), 0);
	assert_int_equal(symlinkat("loop", t->root, "loop"), 0);
	assert_int_equal(symlinkat("/nowhere/at/all", t->root, "dangling"), 0);
	*state = t;
	return 0;
}

static int drop_tree(void **state)
{
	struct tree *t = *state;

	close(t->root);
	close(t->outside);
	assert_int_equal(fd_remove_tree(AT_FDCWD, t->dir, NULL), 0);
	free(t);
	return 0;
}

static void expect_inside(struct tree *t, const char *path)
{
	CLEANUP(fd_close) int fd = -1;
	struct err err = ERR_INIT;
	char text[16] = "";

	assert_ok(path_open_in(t->root, path, O_RDONLY, &fd, &err), &err);
	assert_int_equal(read(fd, text, 6), 6);
	assert_string_equal(text, "inside");
}

static void links_and_dots_end_inside_the_root(void **state)
{
	expect_inside(*state, "etc/passwd");
	expect_inside(*state, "/etc/passwd");
	expect_inside(*state, "abs/passwd");
	expect_inside(*state, "up/passwd");
	expect_inside(*state, "../../../../etc/passwd");
	expect_inside(*state, "etc/../etc/./passwd");
}

static void what_is_absent_or_loops_fails_with_its_own_code(void **state)
{
	struct tree *t = *state;
	struct err err = ERR_INIT;
	int fd = -1;

	assert_fails(path_open_in(t->root, "none/x", O_RDONLY, &fd, &err), &err, ERR_NOT_FOUND,
		     "none/x");
	assert_fails(path_open_in(t->root, "loop", O_RDONLY, &fd, &err), &err, ERR_INVALID, "link");
	assert_fails(path_open_in(t->root, "../passwd", O_RDONLY, &fd, &err), &err, ERR_NOT_FOUND,
		     "passwd");
	assert_int_equal(fd, -1);
}

static void magic_links_are_not_followed(void **state)
{
	CLEANUP(fd_close) int slash = open("/", O_PATH | O_CLOEXEC);
	struct err err = ERR_INIT;
	int fd = -1;

	assert_fails(path_open_in(slash, "/proc/self/root/etc", O_PATH, &fd, &err), &err,
		     ERR_INVALID, "link");
}

static void directories_are_made_through_links_but_inside(void **state)
{
	struct tree *t = *state;
	CLEANUP(fd_close) int a = -1;
	CLEANUP(fd_close) int b = -1;
	struct err err = ERR_INIT;
	struct stat st;

	assert_int_equal(path_mkdir_in(t->root, "/abs/x/y/z", 0700, &a, &err), 1);
	assert_int_equal(fstatat(t->root, "etc/x/y/z", &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(path_mkdir_in(t->root, "abs/x/y/z", 0700, &b, &err), 0);
	assert_int_equal(faccessat(t->outside, "etc", F_OK, 0), -1);
}

static void a_file_or_a_dangling_link_in_the_way_is_a_conflict(void **state)
{
	struct tree *t = *state;
	struct err err = ERR_INIT;
	int fd = -1;

	assert_fails(path_mkdir_in(t->root, "etc/passwd/x", 0755, &fd, &err), &err, ERR_CONFLICT,
		     "in the way");
	assert_fails(path_mkdir_in(t->root, "dangling", 0755, &fd, &err), &err, ERR_CONFLICT,
		     "dangling");
	assert_fails(path_touch_in(t->root, "dangling", 0644, &fd, &err), &err, ERR_CONFLICT,
		     "dangling");
	assert_int_equal(faccessat(t->root, "nowhere", F_OK, 0), -1);
	assert_int_equal(fd, -1);
}

static void a_mount_point_file_is_made_once(void **state)
{
	struct tree *t = *state;
	CLEANUP(fd_close) int a = -1;
	CLEANUP(fd_close) int b = -1;
	struct err err = ERR_INIT;

	assert_int_equal(path_touch_in(t->root, "run/secrets/key", 0600, &a, &err), 1);
	assert_int_equal(path_touch_in(t->root, "/run/secrets/key", 0600, &b, &err), 0);
}

static void a_parent_needs_a_plain_last_name(void **state)
{
	struct tree *t = *state;
	CLEANUP(fd_close) int dir = -1;
	struct err err = ERR_INIT;
	char name[256];

	assert_ok(path_parent_in(t->root, "dev/shm/x//", true, &dir, name, sizeof(name), &err),
		  &err);
	assert_string_equal(name, "x");
	assert_fails(path_parent_in(t->root, "/", true, &dir, name, sizeof(name), &err), &err,
		     ERR_INVALID, "name");
	assert_fails(path_parent_in(t->root, "a/..", true, &dir, name, sizeof(name), &err), &err,
		     ERR_INVALID, "name");
	assert_fails(path_parent_in(t->root, "q/w", false, &dir, name, sizeof(name), &err), &err,
		     ERR_NOT_FOUND, "q");
}

static void beneath_follows_no_link_and_does_not_leave(void **state)
{
	struct tree *t = *state;
	CLEANUP(fd_close) int fd = -1;
	struct err err = ERR_INIT;
	int bad = -1;

	assert_ok(path_open_beneath(t->root, "etc/passwd", O_RDONLY, 0, &fd, &err), &err);
	assert_fails(path_open_beneath(t->root, "up/passwd", O_RDONLY, 0, &bad, &err), &err,
		     ERR_INVALID, "link");
	assert_fails(path_open_beneath(t->root, "../passwd", O_RDONLY, 0, &bad, &err), &err,
		     ERR_INVALID, "leads out");
	assert_fails(path_open_beneath(t->root, "/etc", O_RDONLY, 0, &bad, &err), &err, ERR_INVALID,
		     "leads out");
	assert_fails(path_open_beneath(t->root, "etc/passwd", O_WRONLY | O_CREAT | O_EXCL, 0600,
				       &bad, &err),
		     &err, ERR_EXISTS, "passwd");
}

static void an_o_path_fd_is_reopened_by_procfs(void **state)
{
	struct tree *t = *state;
	CLEANUP(fd_close) int fd = openat(t->root, "etc/passwd", O_PATH | O_CLOEXEC);
	CLEANUP(fd_close) int again = -1;
	struct err err = ERR_INIT;
	char name[4096], want[128];

	assert_ok(path_reopen(fd, O_RDONLY, &again, &err), &err);
	assert_ok(path_name_of_fd(fd, name, sizeof(name), &err), &err);
	(void)snprintf(want, sizeof(want), "%s/root/etc/passwd", t->dir);
	assert_string_equal(name, want);
	assert_fails(path_check_procfs(t->root, &err), &err, ERR_FORBIDDEN, "not procfs");
	assert_fails(path_name_of_fd(fd, name, 8, &err), &err, ERR_TOO_LARGE, "longer");
}

struct racer {
	struct tree *t;
	bool stop;
};

/* Swaps a directory and a link to the outside as fast as it can. */
static void *race(void *arg)
{
	struct racer *r = arg;

	while (!__atomic_load_n(&r->stop, __ATOMIC_RELAXED))
		(void)syscall(SYS_renameat2, r->t->root, "swap", r->t->root, "swap-link",
			      2 /* RENAME_EXCHANGE */);
	return NULL;
}

static void a_swapped_link_never_leads_out(void **state)
{
	struct racer r = { .t = *state };
	pthread_t thread;

	assert_int_equal(mkdirat(r.t->root, "swap", 0755), 0);
	assert_int_equal(symlinkat("../../", r.t->root, "swap-link"), 0);
	assert_int_equal(pthread_create(&thread, NULL, race, &r), 0);
	for (int i = 0; i < 3000; i++) {
		char path[32];
		int fd = -1;

		(void)snprintf(path, sizeof(path), "swap/d%d", i);
		if (path_mkdir_in(r.t->root, path, 0755, &fd, NULL) >= 0)
			close(fd);
		(void)snprintf(path, sizeof(path), "d%d", i);
		assert_int_equal(faccessat(r.t->outside, path, F_OK, 0), -1);
	}
	__atomic_store_n(&r.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TREE_TEST(links_and_dots_end_inside_the_root),
		TREE_TEST(what_is_absent_or_loops_fails_with_its_own_code),
		TREE_TEST(magic_links_are_not_followed),
		TREE_TEST(directories_are_made_through_links_but_inside),
		TREE_TEST(a_file_or_a_dangling_link_in_the_way_is_a_conflict),
		TREE_TEST(a_mount_point_file_is_made_once),
		TREE_TEST(a_parent_needs_a_plain_last_name),
		TREE_TEST(beneath_follows_no_link_and_does_not_leave),
		TREE_TEST(an_o_path_fd_is_reopened_by_procfs),
		TREE_TEST(a_swapped_link_never_leads_out),
	};

	return cmocka_run_group_tests_name("linux/path", tests, NULL, NULL);
}
