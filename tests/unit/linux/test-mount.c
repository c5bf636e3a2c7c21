/* SPDX-License-Identifier: Apache-2.0 */
/* Mount options one by one, and mounts for real in a mount namespace of the test, read back from
 * mountinfo. */
#include "linux/mount.h"
#include "linux/ns.h"
#include "linux/path.h"
#include "linux/proc.h"
#include "linux/sys.h"
#include "test-linux.h"

#include <sys/sysmacros.h>
#include <sys/wait.h>

struct tree {
	char dir[64];
	int root;
};

/* A tmpfs as root file system, so that the host's disk sees nothing. */
static int make_tree(void **state)
{
	struct tree *t = calloc(1, sizeof(*t));

	*state = t;
	t->root = -1;
	strcpy_to(t->dir, sizeof(t->dir), "/tmp/teu-test-mount-XXXXXX");
	assert_non_null(mkdtemp(t->dir));
	assert_int_equal(mount("tmpfs", t->dir, "tmpfs", 0, NULL), 0);
	t->root = open(t->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(t->root, "src", 0755), 0);
	put_file(t->root, "src/file", "content");
	assert_int_equal(mkdirat(t->root, "src/sub", 0755), 0);
	return 0;
}

static int drop_tree(void **state)
{
	struct tree *t = *state;

	close(t->root);
	while (umount2(t->dir, MNT_DETACH) == 0)
		;
	assert_int_equal(rmdir(t->dir), 0);
	free(t);
	return 0;
}

struct look {
	const char *target;
	char options[256], optional[64], fstype[32], super[256];
	int n;
};

static int look_at(const struct mount_info *mi, void *arg)
{
	struct look *l = arg;

	if (strcmp(mi->target, l->target) != 0)
		return 0;
	strcpy_to(l->options, sizeof(l->options), mi->options);
	strcpy_to(l->optional, sizeof(l->optional), mi->optional);
	strcpy_to(l->fstype, sizeof(l->fstype), mi->fstype);
	strcpy_to(l->super, sizeof(l->super), mi->super);
	l->n++;
	return 0;
}

static struct look mounted(struct tree *t, const char *path)
{
	char full[128];
	struct look l = { .target = full };
	struct err err = ERR_INIT;

	(void)snprintf(full, sizeof(full), "%s/%s", t->dir, path);
	assert_ok(mount_each(-1, look_at, &l, &err), &err);
	return l;
}

static bool has_word(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = strstr(list, word); p; p = strstr(p + 1, word))
		if ((p == list || p[-1] == ',') && (p[n] == 0 || p[n] == ','))
			return true;
	return false;
}

#define OPTS(o, ...)                                                                \
	CLEANUP(mount_opts_fini) struct mount_opts o = { 0 };                       \
	{                                                                           \
		const char *const list_[] = { __VA_ARGS__ };                        \
		struct err e_ = ERR_INIT;                                           \
		assert_ok(mount_opts_parse(list_, ARRAY_LEN(list_), &o, &e_), &e_); \
	}

static void every_option_is_parsed_and_the_last_one_wins(void **state)
{
	OPTS(a, "ro", "nosuid", "noexec", "rw", "mode=755", "noatime", "relatime", "size=64k",
	     "rslave", "defaults");

	assert_int_equal(a.flags, MS_NOSUID | MS_NOEXEC | MS_RELATIME);
	assert_true(a.clear & MS_RDONLY);
	assert_string_equal(buf_str(&a.data), "mode=755,size=64k");
	assert_int_equal(a.n_propagation, 1);
	assert_int_equal(a.propagation[0], MS_SLAVE | MS_REC);
	OPTS(b, "rbind", "rro", "rnoatime", "rexec", "idmap", "tmpcopyup", "src-nofollow");
	assert_int_equal(b.flags, MS_BIND | MS_REC);
	assert_int_equal(b.rec_set, SYS_ATTR_RDONLY | SYS_ATTR_NOATIME);
	assert_int_equal(b.rec_clear, SYS_ATTR_ATIME | SYS_ATTR_NOEXEC);
	assert_true(b.idmap && b.tmpcopyup && b.src_nofollow && !b.ridmap);
	OPTS(c, "rro", "rrw");
	assert_int_equal(c.rec_set, 0);
	assert_int_equal(c.rec_clear, SYS_ATTR_RDONLY);
}

static void the_table_is_sorted_and_each_name_is_understood(void **state)
{
	const char *const *names = mount_opt_names();
	size_t n = 0;

	for (; names[n]; n++) {
		OPTS(o, names[n]);
		assert_int_equal(o.data.n, 0);
		if (n)
			assert_true(strcmp(names[n - 1], names[n]) < 0);
	}
	assert_true(n > 60);
}

static void what_is_not_supported_is_refused_by_name(void **state)
{
	const char *const copy[] = { "rsync" }, *const idmap[] = { "idmap=uids=0-1-10" };
	const char *const prop[] = { "shared", "slave", "private", "shared", "slave" };
	CLEANUP(mount_opts_fini) struct mount_opts o = { 0 };
	struct err err = ERR_INIT;

	assert_fails(mount_opts_parse(copy, 1, &o, &err), &err, ERR_UNSUPPORTED, "rsync");
	assert_fails(mount_opts_parse(idmap, 1, &o, &err), &err, ERR_UNSUPPORTED, "uidMappings");
	assert_fails(mount_opts_parse(prop, 5, &o, &err), &err, ERR_INVALID, "propagation");
}

static void flags_of_a_file_system_are_in_mountinfo(void **state)
{
	static const struct {
		const char *opt, *word;
	} rows[] = {
		{ "ro", "ro" },
		{ "nosuid", "nosuid" },
		{ "nodev", "nodev" },
		{ "noexec", "noexec" },
		{ "noatime", "noatime" },
		{ "relatime", "relatime" },
		{ "nodiratime", "nodiratime" },
		{ "rw", "rw" },
		{ "nosymfollow", "nosymfollow" },
	};
	struct tree *t = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(mount_target_fini) struct mount_target at = { .fd = -1 };
		struct err err = ERR_INIT;
		char path[32];
		OPTS(o, rows[i].opt, "mode=711", "size=16k");

		(void)snprintf(path, sizeof(path), "fs%zu", i);
		assert_int_equal(mount_target_open(&at, t->root, path, MOUNT_ON_DIR, false, &err),
				 1);
		assert_ok(mount_fs(&at, "tmpfs", NULL, &o, &err), &err);
		struct look l = mounted(t, path);
		assert_int_equal(l.n, 1);
		assert_true(has_word(l.options, rows[i].word));
		assert_true(has_word(l.super, "mode=711") && has_word(l.super, "size=16k"));
	}
}

static void flags_and_recursive_flags_of_a_bind_are_in_mountinfo(void **state)
{
	struct tree *t = *state;
	CLEANUP(mount_target_fini) struct mount_target sub = { .fd = -1 };
	CLEANUP(mount_target_fini) struct mount_target one = { .fd = -1 };
	CLEANUP(mount_target_fini) struct mount_target two = { .fd = -1 };
	struct err err = ERR_INIT;
	OPTS(plain, "nodev");
	OPTS(top, "rbind", "ro", "nosuid", "rslave");
	OPTS(all, "rbind", "rro", "rnoexec", "noatime", "shared");

	assert_ok(mount_target_open(&sub, t->root, "src/sub", MOUNT_ON_DIR, false, &err), &err);
	assert_ok(mount_fs(&sub, "tmpfs", "x", &plain, &err), &err);
	assert_ok(mount_target_open(&one, t->root, "b1", MOUNT_ON_DIR, false, &err), &err);
	assert_ok(mount_bind(&one, t->root, "src", &top, -1, &err), &err);
	assert_true(has_word(mounted(t, "b1").options, "ro") &&
		    has_word(mounted(t, "b1").options, "nosuid"));
	assert_true(has_word(mounted(t, "b1/sub").options, "rw") &&
		    has_word(mounted(t, "b1/sub").options, "nodev"));
	assert_ok(mount_target_open(&two, t->root, "b2", MOUNT_ON_DIR, false, &err), &err);
	assert_ok(mount_bind(&two, t->root, "src", &all, -1, &err), &err);
	assert_true(has_word(mounted(t, "b2").options, "noatime") &&
		    has_word(mounted(t, "b2").options, "noexec"));
	assert_true(has_word(mounted(t, "b2/sub").options, "ro") &&
		    has_word(mounted(t, "b2/sub").options, "noexec"));
	assert_true(has_word(mounted(t, "b2/sub").options, "nodev"));
	assert_non_null(strstr(mounted(t, "b2").optional, "shared:"));
	assert_string_equal(mounted(t, "b2/sub").optional, "");
}

static void a_file_is_bound_on_a_file_that_is_made(void **state)
{
	struct tree *t = *state;
	CLEANUP(mount_target_fini) struct mount_target at = { .fd = -1 };
	struct err err = ERR_INIT;
	char text[32];
	OPTS(o, "bind", "ro");
	OPTS(rw, "bind", "remount", "rw");

	assert_int_equal(mount_target_open(&at, t->root, "etc/conf", MOUNT_ON_FILE, false, &err),
			 1);
	assert_ok(mount_bind(&at, t->root, "src/file", &o, -1, &err), &err);
	get_file(t->root, "etc/conf", text, sizeof(text));
	assert_string_equal(text, "content");
	assert_int_equal(openat(t->root, "etc/conf", O_WRONLY), -1);
	assert_ok(mount_remount(&at, &rw, &err), &err);
	assert_true(has_word(mounted(t, "etc/conf").options, "rw"));
	assert_fails(mount_bind(&at, t->root, "none", &o, -1, &err), &err, ERR_NOT_FOUND, "none");
}

static void a_link_as_source_or_target_can_be_refused(void **state)
{
	struct tree *t = *state;
	CLEANUP(mount_target_fini) struct mount_target at = { .fd = -1 };
	struct err err = ERR_INIT;
	OPTS(o, "bind", "src-nofollow");

	assert_int_equal(symlinkat("src", t->root, "link"), 0);
	assert_fails(mount_target_open(&at, t->root, "link", MOUNT_ON_DIR, true, &err), &err,
		     ERR_INVALID, "symbolic link");
	assert_ok(mount_target_open(&at, t->root, "dst", MOUNT_ON_DIR, true, &err), &err);
	assert_true(mount_bind(&at, t->root, "link", &o, -1, &err) < 0);
	assert_int_equal(mounted(t, "dst").n, 0);
}

static void tmpcopyup_brings_what_it_covers(void **state)
{
	struct tree *t = *state;
	CLEANUP(mount_target_fini) struct mount_target at = { .fd = -1 };
	struct err err = ERR_INIT;
	struct stat st;
	char text[32];
	OPTS(o, "tmpcopyup", "ro", "size=1m");
	OPTS(tiny, "tmpcopyup", "size=4k");

	assert_int_equal(symlinkat("file", t->root, "src/link"), 0);
	assert_int_equal(mknodat(t->root, "src/null", S_IFCHR | 0666, makedev(1, 3)), 0);
	assert_int_equal(fchmodat(t->root, "src/file", 04750, 0), 0);
	assert_int_equal(fchownat(t->root, "src/sub", 5, 6, 0), 0);
	assert_ok(mount_target_open(&at, t->root, "src", MOUNT_ON_DIR, false, &err), &err);
	assert_ok(mount_fs(&at, "tmpfs", NULL, &o, &err), &err);
	get_file(t->root, "src/link", text, sizeof(text));
	assert_string_equal(text, "content");
	assert_int_equal(fstatat(t->root, "src/file", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 04750);
	assert_int_equal(fstatat(t->root, "src/sub", &st, 0), 0);
	assert_int_equal(st.st_uid * 10 + st.st_gid, 56);
	assert_true(has_word(mounted(t, "src").options, "ro"));
	mount_target_fini(&at);
	assert_int_equal(mkdirat(t->root, "big", 0755), 0);
	for (int i = 0; i < 8; i++) {
		(void)snprintf(text, sizeof(text), "big/%d", i);
		put_file(t->root, text, "more than one page in all");
	}
	assert_ok(mount_target_open(&at, t->root, "big", MOUNT_ON_DIR, false, &err), &err);
	assert_fails(mount_fs(&at, "tmpfs", NULL, &tiny, &err), &err, ERR_SYSTEM, "copy up");
	assert_int_equal(mounted(t, "big").n, 0); /* taken back */
	assert_fails(mount_fs(&at, "proc", NULL, &o, &err), &err, ERR_INVALID, "tmpcopyup");
}

static void idmapped_binds_shift_owners(void **state)
{
	struct tree *t = *state;
	const struct ns_id_map map = { .inside = 0, .outside = 100000, .count = 65536 };
	CLEANUP(mount_target_fini) struct mount_target at = { .fd = -1 };
	CLEANUP(fd_close) int userns = -1;
	struct err err = ERR_INIT;
	struct stat st;
	OPTS(o, "rbind", "idmap");

	if (getenv("TEU_FAULT")) /* there is no old way to do it */
		skip();
	assert_ok(ns_user_make(&map, 1, &map, 1, &userns, &err), &err);
	assert_ok(mount_target_open(&at, t->root, "mapped", MOUNT_ON_DIR, false, &err), &err);
	assert_fails(mount_bind(&at, t->root, "src", &o, -1, &err), &err, ERR_INVALID,
		     "user namespace");
	assert_ok(mount_bind(&at, t->root, "src", &o, userns, &err), &err);
	assert_int_equal(fstatat(t->root, "mapped/file", &st, 0), 0);
	assert_int_equal(st.st_uid, 100000);
}

static void overlays_stack_many_layers(void **state)
{
	struct tree *t = *state;
	CLEANUP(mount_target_fini) struct mount_target at = { .fd = -1 };
	CLEANUP(mount_target_fini) struct mount_target odd = { .fd = -1 };
	char paths[40][128], upper[128], work[128], text[32];
	const char *lower[40];
	struct mount_overlay ov = { .lower = lower, .n_lower = 40 };
	struct err err = ERR_INIT;

	for (int i = 0; i < 40; i++) {
		(void)snprintf(paths[i], sizeof(paths[i]), "%s/layer%d", t->dir, i);
		assert_int_equal(mkdir(paths[i], 0755), 0);
		lower[i] = paths[i];
	}
	put_file(t->root, "layer0/a", "top");
	put_file(t->root, "layer39/a", "bottom");
	put_file(t->root, "layer39/b", "bottom");
	(void)snprintf(upper, sizeof(upper), "%s/up,per", t->dir); /* takes the mount(2) way */
	(void)snprintf(work, sizeof(work), "%s/work", t->dir);
	assert_int_equal(mkdir(upper, 0755) + mkdir(work, 0755), 0);
	assert_ok(mount_target_open(&at, t->root, "merged", MOUNT_ON_DIR, false, &err), &err);
	assert_ok(mount_overlay(&at, &ov, &err), &err);
	get_file(t->root, "merged/a", text, sizeof(text));
	assert_string_equal(text, "top");
	get_file(t->root, "merged/b", text, sizeof(text));
	assert_string_equal(text, "bottom");
	ov = (struct mount_overlay){
		.lower = lower, .n_lower = 2, .upper = upper, .work = work, .is_volatile = true
	};
	assert_ok(mount_target_open(&odd, t->root, "odd", MOUNT_ON_DIR, false, &err), &err);
	assert_ok(mount_overlay(&odd, &ov, &err), &err);
	put_file(t->root, "odd/new", "written");
	get_file(t->root, "up,per/new", text, sizeof(text));
	assert_string_equal(text, "written");
	assert_non_null(strstr(mounted(t, "odd").super, "volatile"));
}

static int wait_to_be_told(void *arg)
{
	(void)arg;
	pause();
	return 0;
}

/* A pid namespace with one process in it. */
static struct proc other_pids(int *ret_ns)
{
	const struct proc_clone c = { .flags = CLONE_NEWPID,
				      .fn = wait_to_be_told,
				      .cgroup_fd = -1 };
	struct err err = ERR_INIT;
	struct proc p;

	assert_ok(proc_clone(&c, &p, &err), &err);
	assert_ok(ns_open_of(p.pid, NS_PID, ret_ns, &err), &err);
	return p;
}

/* The calls that it cannot do without are taken away. */
static bool procfs_is_out_of_reach(void)
{
	const char *fault = getenv("TEU_FAULT");

	return fault && (strstr(fault, "fsopen") || strstr(fault, "move_mount"));
}

static void procfs_of_another_namespace_is_no_others(void **state)
{
	if (procfs_is_out_of_reach())
		skip();

	struct tree *t = *state;
	CLEANUP(mount_target_fini) struct mount_target at = { .fd = -1 };
	CLEANUP(fd_close) int ns = -1;
	struct proc p = other_pids(&ns);
	int own = sys_fsopen("proc", SYS_FSOPEN_CLOEXEC);
	int tmp = sys_fsopen("tmpfs", SYS_FSOPEN_CLOEXEC);
	struct mount_opts o = { .flags = MS_NOSUID };
	struct err err = ERR_INIT;
	struct stat st;
	int r;

	assert_ok(mount_target_open(&at, t->root, "proc", MOUNT_ON_DIR, false, &err), &err);
	/* Ours: FORBIDDEN where its first process may be looked at, else that is told. */
	assert_true(mount_proc_of(&at, ns, own, NULL, &o, &err) < 0);
	assert_non_null(strstr(err.msg, "pid namespace"));
	assert_true(mount_proc_of(&at, ns, tmp, NULL, &o, &err) < 0);
	assert_non_null(strstr(err.msg, "procfs"));
	assert_int_equal(mounted(t, "proc").n, 0);
	r = mount_proc_of(&at, ns, -1, "named", &o, &err);
	assert_in_range(r, 0, 1); /* 1: before Linux 6.17 */
	if (r == 0) {
		assert_string_equal(mounted(t, "proc").fstype, "proc");
		assert_non_null(strstr(mounted(t, "proc").options, "nosuid"));
		assert_int_equal(fstatat(t->root, "proc/1", &st, 0), 0);
		assert_int_equal(fstatat(t->root, "proc/2", &st, 0), -1);
	}
	close(own);
	close(tmp);
	kill(p.pid, SIGKILL);
	assert_int_equal(waitpid(p.pid, NULL, 0), p.pid);
	proc_fini(&p);
}

static void overlay_errors_name_the_layer(void **state)
{
	struct tree *t = *state;
	CLEANUP(mount_target_fini) struct mount_target at = { .fd = -1 };
	const char *lower[] = { "/nowhere/layer" };
	struct mount_overlay ov = { .lower = lower, .n_lower = 1 };
	struct err err = ERR_INIT;

	assert_ok(mount_target_open(&at, t->root, "merged", MOUNT_ON_DIR, false, &err), &err);
	assert_fails(mount_overlay(&at, &ov, &err), &err, ERR_SYSTEM, "/nowhere/layer");
	ov.upper = "/x";
	assert_fails(mount_overlay(&at, &ov, &err), &err, ERR_INVALID, "upper and work together");
	assert_int_equal(mounted(t, "merged").n, 0);
}

static void masks_and_read_only_paths(void **state)
{
	struct tree *t = *state;
	CLEANUP(mount_masks_fini) struct mount_masks m = { .null_fd = -1, .empty_fd = -1 };
	struct err err = ERR_INIT;
	char text[32];

	assert_int_equal(mkdirat(t->root, "d1", 0755) + mkdirat(t->root, "d2", 0755) +
				 mkdirat(t->root, "ro", 0755),
			 0);
	put_file(t->root, "d2/secret", "secret");
	assert_ok(mount_masks_init(&m, &err), &err);
	assert_ok(mount_mask(t->root, "/d1", &m, &err), &err);
	assert_ok(mount_mask(t->root, "/d2", &m, &err), &err);
	assert_ok(mount_mask(t->root, "/src/file", &m, &err), &err);
	assert_ok(mount_mask(t->root, "/none", &m, &err), &err);
	assert_int_equal(faccessat(t->root, "d2/secret", F_OK, 0), -1);
	assert_int_equal(mkdirat(t->root, "d2/x", 0755), -1);
	get_file(t->root, "src/file", text, sizeof(text));
	assert_string_equal(text, "");
	assert_ok(mount_read_only(t->root, "/ro", &err), &err);
	assert_ok(mount_read_only(t->root, "/none", &err), &err);
	assert_int_equal(mkdirat(t->root, "ro/x", 0755), -1);
	assert_true(has_word(mounted(t, "ro").options, "ro"));
}

static void pivot(struct tree *t, bool shared)
{
	struct err err = ERR_INIT;
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		CLEANUP(fd_close) int fd = -1;

		if (unshare(CLONE_NEWNS) < 0 || mount_propagate("/", MS_REC | MS_PRIVATE, &err) < 0)
			_exit(1);
		fd = open(t->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (mount_pivot(fd, shared, &err) < 0)
			_exit(2);
		if (access("/src/file", F_OK) < 0 || access("/usr", F_OK) == 0)
			_exit(3);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(access("/usr", F_OK), 0);
}

static void pivot_leaves_only_the_new_root(void **state)
{
	pivot(*state, false);
	pivot(*state, true);
}

static void detach_is_content_with_nothing(void **state)
{
	struct tree *t = *state;
	struct err err = ERR_INIT;
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/src", t->dir);
	assert_ok(mount_detach(path, &err), &err);
	assert_ok(mount_detach("/nowhere", &err), &err);
}

static void mountinfo_lines_are_unescaped_and_malformed_ones_refused(void **state)
{
	struct tree *t = *state;
	struct look l = { .target = "/a b" };
	struct err err = ERR_INIT;

	assert_int_equal(mkdirat(t->root, "proc", 0755) + mkdirat(t->root, "proc/self", 0755), 0);
	put_file(t->root, "proc/self/mountinfo",
		 "1 2 0:3 / /a\\040b rw,nosuid shared:7 master:1 - tmpfs src\\134x rw,size=1k\n");
	assert_ok(mount_each(t->root, look_at, &l, &err), &err);
	assert_string_equal(l.optional, "shared:7 master:1");
	assert_string_equal(l.super, "rw,size=1k");
	put_file(t->root, "proc/self/mountinfo", "1 2 nonsense\n");
	assert_fails(mount_each(t->root, look_at, &l, &err), &err, ERR_SYSTEM, "unknown form");
}

static int in_own_mounts(void **state)
{
	own_mounts();
	return 0;
}

int main(void)
{
	const struct CMUnitTest parse[] = {
		cmocka_unit_test(every_option_is_parsed_and_the_last_one_wins),
		cmocka_unit_test(the_table_is_sorted_and_each_name_is_understood),
		cmocka_unit_test(what_is_not_supported_is_refused_by_name),
	};
	const struct CMUnitTest real[] = {
		TREE_TEST(flags_of_a_file_system_are_in_mountinfo),
		TREE_TEST(flags_and_recursive_flags_of_a_bind_are_in_mountinfo),
		TREE_TEST(a_file_is_bound_on_a_file_that_is_made),
		TREE_TEST(a_link_as_source_or_target_can_be_refused),
		TREE_TEST(tmpcopyup_brings_what_it_covers),
		TREE_TEST(idmapped_binds_shift_owners),
		TREE_TEST(overlays_stack_many_layers),
		TREE_TEST(overlay_errors_name_the_layer),
		TREE_TEST(procfs_of_another_namespace_is_no_others),
		TREE_TEST(masks_and_read_only_paths),
		TREE_TEST(pivot_leaves_only_the_new_root),
		TREE_TEST(detach_is_content_with_nothing),
		TREE_TEST(mountinfo_lines_are_unescaped_and_malformed_ones_refused),
	};
	int r = cmocka_run_group_tests_name("linux/mount options", parse, NULL, NULL);

	if (geteuid() != 0) {
		print_message("skipped: mounting needs root\n");
		return r;
	}
	return r + cmocka_run_group_tests_name("linux/mount", real, in_own_mounts, NULL);
}
