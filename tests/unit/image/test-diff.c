/* SPDX-License-Identifier: Apache-2.0 */
/* Layers out of directories: what differs, as a list and as a tar, read by the real fenced helper;
 * and that what comes out goes in again. */
#include "fixture.h"

#include "image/layers.h"

#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/xattr.h>

/* Directories <dir>/t0 (top), t1, ... */
static const char *tree(struct fix *f, int i)
{
	char *p = arena_printf(f->arena, "%s/t%d", f->dir, i);

	(void)mkdir(p, 0755);
	return p;
}

static struct strv trees(struct fix *f, int n)
{
	const char **v = ARENA_ARRAY(f->arena, const char *, (size_t)n + 1);

	for (int i = 0; i < n; i++)
		v[i] = tree(f, i);
	return (struct strv){ v, (size_t)n };
}

static const char *at(struct fix *f, int i, const char *name)
{
	return arena_printf(f->arena, "%s/%s", tree(f, i), name);
}

static void set_time(const char *path, int64_t s)
{
	const struct timespec ts[2] = { { s, 0 }, { s, 123456789 } };

	assert_int_equal(utimensat(AT_FDCWD, path, ts, AT_SYMLINK_NOFOLLOW), 0);
}

static void put_file(struct fix *f, int i, const char *name, const char *text)
{
	int fd = open(at(f, i, name), O_WRONLY | O_CREAT | O_TRUNC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	set_time(at(f, i, name), 1600000000);
}

static void put_dir(struct fix *f, int i, const char *name)
{
	assert_int_equal(mkdir(at(f, i, name), 0755), 0);
	set_time(at(f, i, name), 1600000000);
}

static void put_whiteout(struct fix *f, int i, const char *name)
{
	assert_int_equal(mknod(at(f, i, name), S_IFCHR, 0), 0);
}

static void put_opaque(struct fix *f, int i, const char *name)
{
	assert_int_equal(setxattr(at(f, i, name), "trusted.overlay.opaque", "y", 1, 0), 0);
}

/* ---- listing ---- */

static int add_line(void *ctx, const struct image_diff_item *it, struct err *err)
{
	buf_addf(ctx, "%c%c %s %llu %llu\n", it->change, it->type, it->path,
		 (unsigned long long)it->size, (unsigned long long)it->hidden);
	return 0;
}

static const char *list(struct fix *f, enum image_diff_kind kind, int n)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1 << 20);
	struct strv dirs = trees(f, n);

	OK(f, image_diff_list(f->is, kind, &dirs, add_line, &b, &f->err));
	return arena_strdup(f->arena, buf_str(&b));
}

/* ---- tars ---- */

static int make_tar(struct fix *f, enum image_diff_kind kind, int n, struct buf *b)
{
	struct strv dirs = trees(f, n);
	char path[128];
	int fd, r;

	(void)snprintf(path, sizeof(path), "%s/out.tar", f->dir);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	f->err = ERR_INIT;
	r = image_diff_tar(f->is, kind, &dirs, fd, NULL, &f->err);
	close(fd);
	*b = BUF_INIT(64u << 20);
	if (r >= 0)
		OK(f, fd_read_file(AT_FDCWD, path, b, &f->err));
	return r;
}

static int see_entry(void *ctx, const struct tar_entry *e, struct err *err)
{
	static const char types[] = "fhlcbdp"; /* as enum tar_type */

	buf_addf(ctx, "%c %s", types[e->type], e->name);
	if (e->link[0])
		buf_addf(ctx, " > %s", e->link);
	if (e->type == TAR_REG && e->size)
		buf_addf(ctx, " %llu", (unsigned long long)e->size);
	for (size_t i = 0; i < e->nxattrs; i++)
		buf_addf(ctx, " %s", e->xattrs[i].name);
	buf_addc(ctx, '\n');
	return 0;
}

static const char *names_in(struct fix *f, const struct buf *tar)
{
	static const struct tar_ops ops = { .entry = see_entry };
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1 << 20);
	CLEANUP(tar_reader_free)
	struct tar_reader *t = tar_reader_new(&(struct tar_limits){ 0 }, &ops, &b);

	OK(f, tar_reader_push(t, tar->p, tar->n, &f->err));
	OK(f, tar_reader_finish(t, &f->err));
	return arena_strdup(f->arena, buf_str(&b));
}

static const char *tar_of(struct fix *f, enum image_diff_kind kind, int n)
{
	CLEANUP(buf_fini) struct buf b;

	OK(f, make_tar(f, kind, n, &b));
	return names_in(f, &b);
}

/* A base of two layers and an upper directory with one of everything that can happen. */
static void everything(struct fix *f)
{
	for (int i = 0; i < 3; i++)
		(void)tree(f, i);
	put_dir(f, 2, "d");
	put_file(f, 2, "d/gone", "12345");
	put_file(f, 2, "d/kept", "k");
	put_file(f, 2, "d/changed", "old");
	put_dir(f, 2, "tree");
	put_dir(f, 2, "tree/sub");
	put_file(f, 2, "tree/sub/file", "1234567");
	put_dir(f, 2, "op");
	put_file(f, 2, "op/hidden", "hid");
	put_file(f, 2, "op/again", "a");
	put_dir(f, 2, "hid");
	put_file(f, 2, "hid/below", "b");
	put_whiteout(f, 1, "hid");
	put_dir(f, 1, "same");
	put_file(f, 1, "same/in", "1");
	set_time(at(f, 1, "same"), 1600000000);

	put_dir(f, 0, "d");
	put_whiteout(f, 0, "d/gone");
	put_file(f, 0, "d/changed", "newer");
	put_file(f, 0, "d/added", "add");
	set_time(at(f, 0, "d"), 1600000000);
	put_whiteout(f, 0, "tree");
	put_dir(f, 0, "op");
	put_opaque(f, 0, "op");
	put_file(f, 0, "op/again", "aa");
	put_file(f, 0, "op/new", "n");
	put_file(f, 0, "hid", "now a file");
	put_dir(f, 0, "same");
	put_file(f, 0, "same/in", "2");
	set_time(at(f, 0, "same"), 1600000000);
	put_whiteout(f, 0, "nothing below");
}

static void a_list_has_what_was_added_changed_and_deleted(void **state)
{
	struct fix *f = *state;

	everything(f);
	set_time(at(f, 0, "op"), 1700000000);
	assert_string_equal(list(f, IMAGE_DIFF_LAYER, 3), "Cd /d 0 0\n"
							  "Af /d/added 3 0\n"
							  "Cf /d/changed 5 3\n"
							  "D- /d/gone 0 5\n"
							  "Af /hid 10 0\n"
							  "Cd /op 0 0\n"
							  "Cf /op/again 2 1\n"
							  "D- /op/hidden 0 3\n"
							  "Af /op/new 1 0\n"
							  "Cf /same/in 1 1\n"
							  "Dd /tree 0 0\n"
							  "dd /tree/sub 0 0\n"
							  "d- /tree/sub/file 0 7\n");
}

static void a_layer_has_whiteouts_and_opaque_marks(void **state)
{
	struct fix *f = *state;

	everything(f);
	assert_string_equal(tar_of(f, IMAGE_DIFF_LAYER, 3), "d d/\n"
							    "f d/added 3\n"
							    "f d/changed 5\n"
							    "f d/.wh.gone\n"
							    "f hid 10\n"
							    "d op/\n"
							    "f op/.wh..wh..opq\n"
							    "f op/again 2\n"
							    "f op/new 1\n"
							    "d same/\n"
							    "f same/in 1\n"
							    "f .wh.tree\n");
}

static void the_merged_view_is_what_overlay_shows(void **state)
{
	struct fix *f = *state;

	everything(f);
	assert_string_equal(tar_of(f, IMAGE_DIFF_MERGED, 3), "d d/\n"
							     "f d/added 3\n"
							     "f d/changed 5\n"
							     "f d/kept 1\n"
							     "f hid 10\n"
							     "d op/\n"
							     "f op/again 2\n"
							     "f op/new 1\n"
							     "d same/\n"
							     "f same/in 1\n");
}

static void whole_trees_are_compared(void **state)
{
	struct fix *f = *state;

	for (int i = 0; i < 3; i++)
		(void)tree(f, i);
	for (int i = 0; i < 2; i++) { /* 0 is a copy of 1, then changed */
		put_dir(f, i, "a");
		put_dir(f, i, "a/deep");
		put_dir(f, i, "quiet");
		put_file(f, i, "a/deep/file", "same");
		put_file(f, i, "quiet/file", "same");
	}
	put_file(f, 2, "lost", "l");
	put_file(f, 0, "a/deep/more", "m");
	for (int i = 0; i < 2; i++) {
		set_time(at(f, i, "a/deep"), 1600000000);
		set_time(at(f, i, "a"), 1600000000);
		set_time(at(f, i, "quiet"), 1600000000);
	}
	assert_string_equal(tar_of(f, IMAGE_DIFF_COMPARE, 3), "d a/\n"
							      "d a/deep/\n"
							      "f a/deep/more 1\n"
							      "f .wh.lost\n");
	assert_string_equal(list(f, IMAGE_DIFF_COMPARE, 3), "Cd /a/deep 0 0\n"
							    "Af /a/deep/more 1 0\n"
							    "D- /lost 0 1\n");
}

/* ---- attributes ---- */

static void fill_attributes(struct fix *f, int i, char long_name[200])
{
	const unsigned char cap[20] = { 1, 0, 0, 2, 0, 4 };
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int s;

	put_file(f, i, "file", "abc");
	assert_int_equal(chown(at(f, i, "file"), 3000000000u, 4000000000u), 0);
	assert_int_equal(chmod(at(f, i, "file"), 04755), 0);
	assert_int_equal(setxattr(at(f, i, "file"), "security.capability", cap, sizeof(cap), 0), 0);
	(void)setxattr(at(f, i, "file"), "user.note", "hello", 5, 0);
	set_time(at(f, i, "file"), 1600000000);
	assert_int_equal(link(at(f, i, "file"), at(f, i, "hard")), 0);
	assert_int_equal(symlink("/etc/passwd", at(f, i, "link")), 0);
	assert_int_equal(mknod(at(f, i, "null"), S_IFCHR | 0666, makedev(1, 3)), 0);
	assert_int_equal(mkfifo(at(f, i, "pipe"), 0640), 0);
	memset(long_name, 'n', 199);
	long_name[199] = '\0';
	put_dir(f, i, long_name);
	put_file(f, i, arena_printf(f->arena, "%s/%s", long_name, long_name), "long");
	set_time(at(f, i, long_name), 1600000000);
	set_time(at(f, i, "link"), 1600000000);
	set_time(at(f, i, "null"), 1600000000);
	set_time(at(f, i, "pipe"), 1600000000);
	(void)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", at(f, i, "sock"));
	s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(s, (struct sockaddr *)&sa, sizeof(sa)), 0);
	close(s);
}

static void attributes_links_and_specials_are_in_the_tar(void **state)
{
	struct fix *f = *state;
	char name[200];
	CLEANUP(buf_fini) struct buf b;
	const char *names;

	fill_attributes(f, 0, name);
	(void)tree(f, 1);
	OK(f, make_tar(f, IMAGE_DIFF_LAYER, 2, &b));
	names = names_in(f, &b);
	assert_non_null(strstr(names, "f file 3 security.capability"));
	assert_non_null(strstr(names, "h hard > file\n"));
	assert_non_null(strstr(names, "l link > /etc/passwd\n"));
	assert_non_null(strstr(names, "c null\n"));
	assert_non_null(strstr(names, "p pipe\n"));
	assert_non_null(strstr(names, arena_printf(f->arena, "f %s/%s 4\n", name, name)));
	assert_null(strstr(names, "sock"));
}

static void equal_trees_give_equal_bytes(void **state)
{
	struct fix *f = *state;
	CLEANUP(buf_fini) struct buf a, b;
	char name[200];

	fill_attributes(f, 0, name);
	(void)tree(f, 1);
	OK(f, make_tar(f, IMAGE_DIFF_LAYER, 2, &a));
	/* the same once more, made in another directory */
	assert_int_equal(rename(tree(f, 0), arena_printf(f->arena, "%s/away", f->dir)), 0);
	fill_attributes(f, 0, name);
	OK(f, make_tar(f, IMAGE_DIFF_LAYER, 2, &b));
	assert_int_equal(a.n, b.n);
	assert_memory_equal(a.p, b.p, a.n);
}

static void what_is_written_is_read_again(void **state)
{
	struct fix *f = *state;
	CLEANUP(buf_fini) struct buf b, again;
	char name[200], id[IMAGE_DIGEST_MAX];
	const char *dirs[1];
	struct strv one = { dirs, 1 };
	struct stat st, hard;
	int fd;

	fill_attributes(f, 0, name);
	assert_int_equal(chmod(tree(f, 0), 0711), 0);
	OK(f, make_tar(f, IMAGE_DIFF_MERGED, 1, &b));
	OK(f, import_rootfs(f, buf_slice(&b), "round:1", id));
	stat_in(f, "round:1", "file", &st);
	assert_int_equal(st.st_uid, 3000000000u);
	assert_int_equal(st.st_gid, 4000000000u);
	assert_int_equal(st.st_mode & 07777, 04755);
	assert_int_equal(st.st_mtim.tv_sec, 1600000000);
	assert_int_equal(st.st_mtim.tv_nsec, 0);
	stat_in(f, "round:1", "hard", &hard);
	assert_int_equal(st.st_ino, hard.st_ino);
	stat_in(f, "round:1", "null", &st);
	assert_int_equal(st.st_rdev, makedev(1, 3));
	stat_in(f, "round:1", "", &st);
	assert_int_equal(st.st_mode & 07777, 0711);
	/* and from there the same bytes come */
	dirs[0] = top_dir(f, "round:1");
	fd = open(at(f, 3, "again"), O_RDWR | O_CREAT, 0600);
	OK(f, image_diff_tar(f->is, IMAGE_DIFF_MERGED, &one, fd, NULL, &f->err));
	close(fd);
	again = BUF_INIT(64u << 20);
	OK(f, fd_read_file(AT_FDCWD, at(f, 3, "again"), &again, &f->err));
	assert_int_equal(b.n, again.n);
	assert_memory_equal(b.p, again.p, b.n);
}

/* ---- what cannot be ---- */

static void what_a_layer_cannot_say_is_refused(void **state)
{
	struct fix *f = *state;
	CLEANUP(buf_fini) struct buf b = BUF_INIT(0);
	struct strv none = { NULL, 0 };

	(void)tree(f, 1);
	put_dir(f, 0, "d");
	put_file(f, 0, "d/.wh.x", "");
	assert_int_equal(make_tar(f, IMAGE_DIFF_LAYER, 2, &b), -ERR_UNSUPPORTED);
	assert_err(&f->err, ERR_UNSUPPORTED, "'/d/.wh.x' cannot be in a layer");
	assert_string_equal(tar_of(f, IMAGE_DIFF_MERGED, 2), "d d/\nf d/.wh.x\n");
	assert_int_equal(unlink(at(f, 0, "d/.wh.x")), 0);
	assert_int_equal(setxattr(at(f, 0, "d"), "trusted.overlay.redirect", "e", 1, 0), 0);
	assert_int_equal(make_tar(f, IMAGE_DIFF_LAYER, 2, &b), -ERR_UNSUPPORTED);
	assert_err(&f->err, ERR_UNSUPPORTED, "redirect_dir=off");
	assert_int_equal(image_diff_tar(f->is, IMAGE_DIFF_LAYER, &none, 1, NULL, &f->err),
			 -ERR_TOO_LARGE);
}

static void a_reader_that_leaves_is_an_error(void **state)
{
	struct fix *f = *state;
	struct strv dirs;
	int p[2];

	put_file(f, 0, "file", "text");
	dirs = trees(f, 1);
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	close(p[0]);
	assert_int_equal(image_diff_tar(f->is, IMAGE_DIFF_MERGED, &dirs, p[1], NULL, &f->err),
			 -ERR_UNAVAILABLE);
	close(p[1]);
	assert_err(&f->err, ERR_UNAVAILABLE, "reader");
}

static int stop_here(void *ctx, const struct image_diff_item *it, struct err *err)
{
	return err_set(err, ERR_CONFLICT, "enough");
}

static void a_list_can_be_ended(void **state)
{
	struct fix *f = *state;
	struct strv dirs;

	put_file(f, 0, "file", "text");
	dirs = trees(f, 1);
	assert_int_equal(image_diff_list(f->is, IMAGE_DIFF_MERGED, &dirs, stop_here, NULL, &f->err),
			 -ERR_CONFLICT);
}

static void links_of_the_tree_lead_nowhere(void **state)
{
	struct fix *f = *state;

	(void)tree(f, 1);
	assert_int_equal(symlink("/etc", at(f, 0, "etc")), 0);
	put_dir(f, 1, "etc");
	put_file(f, 1, "etc/in", "x");
	assert_string_equal(tar_of(f, IMAGE_DIFF_MERGED, 2), "l etc > /etc\n");
	assert_string_equal(list(f, IMAGE_DIFF_LAYER, 2), "Cl /etc 0 0\nd- /etc/in 0 1\n");
}

static void big_files_and_many_names_pass(void **state)
{
	struct fix *f = *state;
	CLEANUP(buf_fini) struct buf b;
	char name[32];
	const char *names;
	int fd;

	for (int i = 0; i < 3000; i++) {
		(void)snprintf(name, sizeof(name), "n%04d", i);
		put_file(f, 0, name, "");
	}
	fd = open(at(f, 0, "sparse"), O_WRONLY | O_CREAT, 0600);
	assert_int_equal(ftruncate(fd, 3 << 20), 0);
	assert_int_equal(pwrite(fd, "end", 3, (3 << 20) - 3), 3);
	close(fd);
	OK(f, make_tar(f, IMAGE_DIFF_MERGED, 1, &b));
	names = names_in(f, &b);
	assert_non_null(strstr(names, "f n0000\nf n0001\n"));
	assert_non_null(strstr(names, "f n2999\nf sparse 3145728\n"));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		T(a_list_has_what_was_added_changed_and_deleted),
		T(a_layer_has_whiteouts_and_opaque_marks),
		T(the_merged_view_is_what_overlay_shows),
		T(whole_trees_are_compared),
		T(attributes_links_and_specials_are_in_the_tar),
		T(equal_trees_give_equal_bytes),
		T(what_is_written_is_read_again),
		T(what_a_layer_cannot_say_is_refused),
		T(a_reader_that_leaves_is_an_error),
		T(a_list_can_be_ended),
		T(links_of_the_tree_lead_nowhere),
		T(big_files_and_many_names_pass),
	};

	HELPER_MAIN(argc, argv);
	if (geteuid() != 0) {
		print_message("skipped: layers are read as root\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
