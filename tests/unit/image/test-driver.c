/* SPDX-License-Identifier: Apache-2.0 */
/* Layers as tar programs write them, on the layers below, kept by each driver: the trees must be
 * those that GNU tar makes, and the same whatever the driver. */
#include "fixture.h"

#include "image/layers.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

/* ---- helpers ---- */

static int shell(const char *fmt, ...)
{
	char text[4096];
	int status;
	va_list ap;
	pid_t pid;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	pid = fork();
	if (pid == 0) {
		execl("/bin/sh", "sh", "-ec", text, NULL);
		_exit(126);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

static void read_all(const char *path, struct buf *b)
{
	struct err err = ERR_INIT;

	*b = BUF_INIT(256u << 20);
	if (fd_read_file(AT_FDCWD, path, b, &err) < 0)
		fail_msg("%s", err.msg);
}

static void reopen_with(struct fix *f, const char *driver)
{
	image_store_close(f->is);
	f->driver = driver;
	open_store(f);
}

/* What an image shows, as one tar of the files alone. */
static void shown(struct fix *f, const char *ref, const char *name, struct buf *ret)
{
	char path[128];
	struct image *img;
	struct strv dirs;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", f->dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	OK(f, image_resolve(f->is, ref, &img, &f->err));
	OK(f, image_lower_dirs(f->is, img, f->arena, &dirs, &f->err));
	OK(f, image_diff_tar(f->is, IMAGE_DIFF_MERGED, &dirs, fd, NULL, &f->err));
	image_unref(img);
	close(fd);
	read_all(path, ret);
}

static void load_layers(struct fix *f, const struct slice *layers, size_t n)
{
	struct tarball t;

	OK(f, load(f, docker_archive(&t, "[\"m:1\"]", layers, n), NULL));
	buf_fini(&t.b);
}

static int load_two(struct fix *f, struct tarball *a, struct tarball *b)
{
	struct slice layers[] = { tar_end(a), tar_end(b) };
	struct tarball t;
	int r = load(f, docker_archive(&t, "[\"m:1\"]", layers, 2), NULL);

	buf_fini(&t.b);
	buf_fini(&a->b);
	buf_fini(&b->b);
	return r;
}

static void path_in(struct fix *f, const char *name, char dst[512])
{
	snprintf(dst, 512, "%s/%s", top_dir(f, "m:1"), name);
}

/* ---- sparse files ---- */

/* As GNU tar writes and reads them. */
static void sparse_members_are_what_gnu_tar_makes_of_them(void **state)
{
	static const char *const forms[] = { "--format=gnu", "--format=pax --sparse-version=0.0",
					     "--format=pax --sparse-version=0.1",
					     "--format=pax --sparse-version=1.0" };
	struct fix *f = *state;

	if (shell("cd %s && mkdir src && cd src && truncate -s 3M hole && truncate -s 5M many && "
		  "i=0; while [ $i -lt 40 ]; do printf x%%d $i | dd of=many bs=1 seek=$((i * "
		  "131072)) "
		  "conv=notrunc 2>/dev/null; i=$((i + 1)); done; printf end >>many; "
		  "truncate -s 1M lead; printf tail >>lead; printf plain >plain; "
		  "tar --sparse -cf /dev/null .",
		  f->dir))
		skip();
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		char path[512], name[32];
		struct stat st;
		struct buf b;

		assert_int_equal(
			shell("cd %s/src && tar --sparse %s -cf ../s.tar . && mkdir ../x && "
			      "tar -xf ../s.tar -C ../x",
			      f->dir, forms[i]),
			0);
		snprintf(path, sizeof(path), "%s/s.tar", f->dir);
		read_all(path, &b);
		snprintf(name, sizeof(name), "m:%zu", i);
		OK(f, import_rootfs(f, buf_slice(&b), name, NULL));
		assert_int_equal(shell("diff -r %s/x %s", f->dir, top_dir(f, name)), 0);
		stat_in(f, name, "hole", &st);
		assert_int_equal(st.st_size, 3 << 20);
		assert_int_equal(st.st_blocks, 0);
		stat_in(f, name, "many", &st);
		assert_true(st.st_blocks * 512 < 1 << 20);
		assert_int_equal(shell("rm -r %s/x", f->dir), 0);
		buf_fini(&b);
	}
}

static void zero_blocks_become_holes(void **state)
{
	struct fix *f = *state;
	char *data = calloc(1, 1 << 20), path[512];
	struct tarball t;
	struct stat st;
	struct buf b;

	memcpy(data + 12345, "x", 1);
	memcpy(data + (1 << 20) - 1, "y", 1);
	tar_begin(&t);
	tar_bytes(&t, "both", data, 1 << 20);
	tar_bytes(&t, "zeros", data + 20000, 900001);
	OK(f, import_rootfs(f, tar_end(&t), "m:1", NULL));
	path_in(f, "both", path);
	read_all(path, &b);
	assert_int_equal(b.n, 1 << 20);
	assert_memory_equal(b.p, data, b.n);
	stat_in(f, "m:1", "both", &st);
	assert_true(st.st_blocks * 512 <= 2 * 4096);
	stat_in(f, "m:1", "zeros", &st);
	assert_int_equal(st.st_size, 900001);
	buf_fini(&b);
	buf_fini(&t.b);
	free(data);
}

/* ---- compressions ---- */

static void other_compressions_give_the_same_layer(void **state)
{
	static const char *const programs[] = { "gzip", "xz", "bzip2", "zstd" };
	struct fix *f = *state;
	char plain[IMAGE_DIGEST_MAX], path[128];
	struct tarball t;
	struct slice s = small_layer(&t, "text");
	FILE *out;

	digest_of(s, plain);
	snprintf(path, sizeof(path), "%s/l.tar", f->dir);
	out = fopen(path, "w");
	assert_int_equal(fwrite(s.p, 1, s.n, out), s.n);
	fclose(out);
	for (size_t i = 0; i < ARRAY_LEN(programs); i++) {
		struct image *img;
		struct buf b;

		if (shell("command -v %s >/dev/null", programs[i])) {
			print_message("%s is not installed\n", programs[i]);
			continue;
		}
		/* two streams, one after the other */
		assert_int_equal(shell("cd %s && { head -c 700 l.tar | %s -c; tail -c +701 l.tar | "
				       "%s -c; } >l.z",
				       f->dir, programs[i], programs[i]),
				 0);
		snprintf(path, sizeof(path), "%s/l.z", f->dir);
		read_all(path, &b);
		OK(f, import_rootfs(f, buf_slice(&b), "m:1", NULL));
		OK(f, image_resolve(f->is, "m:1", &img, &f->err));
		assert_string_equal(image_config(img)->diff_ids.v[0], plain);
		image_unref(img);
		assert_int_equal(import_rootfs(f, slice_of(b.p, b.n - 9), NULL, NULL),
				 -ERR_INVALID);
		assert_err(&f->err, ERR_INVALID, programs[i]);
		buf_fini(&b);
	}
	buf_fini(&t.b);
}

static void layers_of_an_archive_may_be_xz(void **state)
{
	struct fix *f = *state;
	struct tarball t, a;
	struct slice s = small_layer(&t, "text");
	struct buf z, config, man = BUF_INIT(4096);
	char path[128];
	FILE *out;

	snprintf(path, sizeof(path), "%s/l.tar", f->dir);
	out = fopen(path, "w");
	assert_int_equal(fwrite(s.p, 1, s.n, out), s.n);
	fclose(out);
	if (shell("xz %s/l.tar", f->dir))
		skip();
	strcat(path, ".xz");
	read_all(path, &z);
	config_of(&config, &s, 1, "");
	tar_begin(&a);
	tar_bytes(&a, "config.json", config.p, config.n);
	tar_bytes(&a, "l.tar", z.p, z.n);
	tar_file(&a, "manifest.json",
		 "[{\"Config\":\"config.json\",\"RepoTags\":[\"m:1\"],\"Layers\":[\"l.tar\"]}]");
	OK(f, load(f, tar_end(&a), NULL));
	assert_true(is_in(f, "m:1", "etc/name"));
	/* the blob is what a manifest can name: the plain tar */
	assert_int_equal(rows(f, "SELECT count(*) FROM blobs WHERE media LIKE '%layer.v1.tar' AND "
				 "digest = (SELECT diff FROM layers)"),
			 1);
	buf_fini(&z);
	buf_fini(&config);
	buf_fini(&man);
	buf_fini(&a.b);
	buf_fini(&t.b);
}

/* ---- hard links ---- */

static void lower(struct tarball *t)
{
	tar_begin(t);
	tar_dir(t, "./");
	tar_entry(t, (struct tar_entry){ .type = TAR_DIR, .name = "d", .mode = 0711, .uid = 7 },
		  NULL);
	tar_entry(t,
		  (struct tar_entry){ .type = TAR_REG,
				      .name = "d/file",
				      .mode = 04755,
				      .uid = 5,
				      .gid = 6,
				      .size = 5 },
		  "lower");
	tar_link(t, TAR_SYM, "sym", "d");
	tar_link(t, TAR_SYM, "out", "/etc");
}

static void a_hard_link_to_a_lower_file_copies_it_up(void **state)
{
	static const char *const drivers[] = { "overlay", "copy" };
	struct fix *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(drivers); i++) {
		struct stat st, again;
		struct tarball a, b;
		char path[512];
		struct buf text;

		lower(&a);
		tar_begin(&b);
		tar_link(&b, TAR_HARD, "new/link", "d/file");
		tar_link(&b, TAR_HARD, "second", "new/link");
		tar_link(&b, TAR_HARD, "third", "d/file");
		if (i)
			reopen_with(f, drivers[i]);
		OK(f, load_two(f, &a, &b));
		stat_in(f, "m:1", "d/file", &st);
		assert_true(st.st_mode == (S_IFREG | 04755) && st.st_uid == 5 && st.st_gid == 6);
		assert_true(st.st_nlink == 4 && st.st_size == 5 && st.st_mtime == 1600000000);
		stat_in(f, "m:1", "new/link", &again);
		assert_int_equal(st.st_ino, again.st_ino);
		stat_in(f, "m:1", "third", &again);
		assert_int_equal(st.st_ino, again.st_ino);
		stat_in(f, "m:1", "d", &st);
		assert_true((st.st_mode & 0777) == 0711 && st.st_uid == 7);
		path_in(f, "second", path);
		read_all(path, &text);
		assert_true(slice_is(buf_slice(&text), "lower"));
		buf_fini(&text);
		OK(f, fd_remove_tree(AT_FDCWD, path, &f->err));
		OK(f, image_store_gc(f->is, NULL, &f->err));
		image_store_close(f->is);
		OK(f, fd_remove_tree(AT_FDCWD, f->dir, &f->err));
		assert_int_equal(mkdir(f->dir, 0700), 0);
		open_store(f);
	}
}

static void bad_links_to_lower_files_are_refused(void **state)
{
	static const struct {
		const char *before, *target, *part;
	} cases[] = {
		{ NULL, "nothing", "neither in this layer nor below it" },
		{ NULL, "sym/file", "neither in this layer nor below it" },
		{ NULL, "out/passwd", "neither in this layer nor below it" },
		{ NULL, "d", "is a directory of a lower layer" },
		{ NULL, "sym", "is a link or special file of a lower layer" },
		{ "d/.wh.file", "d/file", "was removed by this layer" },
		{ ".wh.d", "d/file", "is not in this layer" },
		{ "d/.wh..wh..opq", "d/file", "neither in this layer nor below it" },
		{ ".wh..wh..opq", "d/file", "neither in this layer nor below it" },
	};
	struct fix *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct tarball a, b;

		lower(&a);
		tar_begin(&b);
		if (cases[i].before)
			tar_file(&b, cases[i].before, "");
		tar_link(&b, TAR_HARD, "link", cases[i].target);
		if (load_two(f, &a, &b) >= 0)
			fail_msg("case %zu was accepted", i);
		assert_err(&f->err, ERR_INVALID, cases[i].part);
		assert_empty(f);
	}
}

/* The name of a copied file is given away later in the layer: its links keep the lower bytes. */
static void a_link_survives_its_target_being_replaced(void **state)
{
	struct fix *f = *state;
	struct tarball a, b;
	char path[512];
	struct buf text;

	lower(&a);
	tar_begin(&b);
	tar_link(&b, TAR_HARD, "link", "d/file");
	tar_file(&b, "d/file", "upper");
	OK(f, load_two(f, &a, &b));
	path_in(f, "link", path);
	read_all(path, &text);
	assert_true(slice_is(buf_slice(&text), "lower"));
	buf_fini(&text);
	path_in(f, "d/file", path);
	read_all(path, &text);
	assert_true(slice_is(buf_slice(&text), "upper"));
	buf_fini(&text);
}

/* ---- one tree, whatever the driver ---- */

static void many_things(struct tarball *a, struct tarball *b, struct tarball *c)
{
	static const struct tar_xattr xattrs[] = { { "user.mine", { "value", 5 } } };
	char deep[300];

	tar_begin(a);
	tar_dir(a, "./");
	tar_file(a, "gone", "1");
	tar_file(a, "dir/below", "1");
	tar_file(a, "dir/sub/below", "1");
	tar_file(a, "tree/a", "1");
	tar_file(a, "tree/b", "1");
	tar_file(a, "becomes-dir", "1");
	tar_dir(a, "becomes-file");
	tar_file(a, "becomes-file/x", "1");
	tar_file(a, "again/x", "1");
	tar_file(a, "lower", "lower");
	tar_link(a, TAR_HARD, "lower2", "lower");
	tar_begin(b);
	tar_file(b, "dir/above", "1");
	tar_file(b, "dir/.wh..wh..opq", ""); /* it hides what is below wherever it stands */
	tar_file(b, ".wh.gone", "");
	tar_file(b, "tree/.wh.a", "");
	tar_entry(b, (struct tar_entry){ .type = TAR_DIR, .name = "tree", .mode = 0700, .gid = 9 },
		  NULL);
	tar_dir(b, "becomes-dir");
	tar_file(b, "becomes-dir/x", "1");
	tar_file(b, "becomes-file", "1");
	tar_file(b, ".wh.again", "");
	tar_file(b, "again/new", "1"); /* without an entry of its own */
	tar_file(b, ".wh..wh.plnk/1.2", "aufs");
	tar_file(b, ".wh..wh.aufs", "aufs");
	tar_link(b, TAR_HARD, "linked", "lower2");
	tar_begin(c);
	tar_dir(c, "./");
	tar_entry(c,
		  (struct tar_entry){
			  .type = TAR_REG,
			  .name = "attributes",
			  .size = 3,
			  .mode = 06711,
			  .uid = UINT32_MAX - 1,
			  .gid = 70000,
			  .xattrs = (struct tar_xattr *)(uintptr_t)xattrs,
			  .nxattrs = 1,
		  },
		  "abc");
	tar_entry(c,
		  (struct tar_entry){
			  .type = TAR_CHAR, .name = "null", .mode = 0666, .major = 1, .minor = 3 },
		  NULL);
	tar_entry(c, (struct tar_entry){ .type = TAR_FIFO, .name = "pipe", .mode = 0640 }, NULL);
	memset(deep, 'n', 200);
	strcpy(deep + 200, "/and/more");
	tar_file(c, deep, "long");
	tar_file(c, "twice", "first");
	tar_file(c, "twice", "last");
	tar_link(c, TAR_SYM, "twice-link", "one");
	tar_link(c, TAR_SYM, "twice-link", "two");
	tar_file(c, "was-dir/x", "1");
	tar_file(c, "was-dir", "file");
}

static void the_tree_is_the_same_with_every_driver(void **state)
{
	static const char *const gone[] = { "gone",	    "dir/below",   "dir/sub",
					    "tree/a",	    "again/x",	   "becomes-file/x",
					    ".wh..wh.plnk", ".wh..wh.aufs" };
	struct fix *f = *state;
	struct tarball t[3];
	struct slice layers[3];
	struct buf overlay, copy;
	char path[512];
	struct stat st;

	many_things(&t[0], &t[1], &t[2]);
	for (size_t i = 0; i < 3; i++)
		layers[i] = tar_end(&t[i]);
	load_layers(f, layers, 3);
	shown(f, "m:1", "overlay.tar", &overlay);
	image_store_close(f->is);
	snprintf(path, sizeof(path), "%s/store", f->dir);
	OK(f, fd_remove_tree(AT_FDCWD, path, &f->err));
	f->driver = "copy";
	open_store(f);
	assert_string_equal(image_driver_name(f->is), "vfs");
	load_layers(f, layers, 3);
	shown(f, "m:1", "copy.tar", &copy);
	assert_int_equal(overlay.n, copy.n);
	assert_memory_equal(overlay.p, copy.p, copy.n);
	for (size_t i = 0; i < ARRAY_LEN(gone); i++)
		if (is_in(f, "m:1", gone[i]))
			fail_msg("'%s' is still there", gone[i]);
	stat_in(f, "m:1", "linked", &st);
	assert_int_equal(st.st_nlink, 2); /* with lower2, which was copied up; lower stays alone */
	stat_in(f, "m:1", "attributes", &st);
	assert_true(st.st_uid == UINT32_MAX - 1 && st.st_gid == 70000 &&
		    st.st_mode == (S_IFREG | 06711));
	stat_in(f, "m:1", "null", &st);
	assert_true(S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3));
	path_in(f, "attributes", path);
	assert_int_equal(getxattr(path, "user.mine", path, sizeof(path)), 5);
	for (size_t i = 0; i < 3; i++)
		buf_fini(&t[i].b);
	buf_fini(&overlay);
	buf_fini(&copy);
}

static void a_whole_root_is_made_once_and_shows_its_changes(void **state)
{
	struct fix *f = *state;
	struct image_rootfs_place at = { 0 };
	enum image_diff_kind kind;
	struct image_rootfs rf;
	struct tarball t;
	struct image *img;
	struct strv dirs;
	char dir[128], path[256], init[128];
	struct stat st;

	reopen_with(f, "copy");
	OK(f, import_rootfs(f, small_layer(&t, "x"), "m:1", NULL));
	OK(f, image_resolve(f->is, "m:1", &img, &f->err));
	snprintf(dir, sizeof(dir), "%s/ctr", f->dir);
	snprintf(init, sizeof(init), "%s/init", f->dir);
	assert_int_equal(mkdir(dir, 0700) + mkdir(init, 0755), 0);
	assert_int_equal(shell("mkdir %s/proc && touch %s/marker", init, init), 0);
	at.dir = dir;
	at.init = init;
	OK(f, image_rootfs_plan(f->is, img, &at, f->arena, &rf, &f->err));
	assert_true(rf.slow && !rf.exists && rf.tree);
	OK(f, image_rootfs_make(f->is, &rf, &f->err));
	snprintf(path, sizeof(path), "%s/marker", rf.tree);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(shell("echo y >%s/etc/name", rf.tree), 0);
	OK(f, image_rootfs_plan(f->is, img, &at, f->arena, &rf, &f->err));
	assert_true(!rf.slow && rf.exists);
	OK(f, image_rootfs_make(f->is, &rf, &f->err));
	OK(f, image_rootfs_read(&rf, IMAGE_VIEW_COMMIT, f->arena, &dirs, &kind, &f->err));
	assert_true(kind == IMAGE_DIFF_COMPARE && dirs.n == 3);
	OK(f, image_rootfs_remove(dir, &f->err));
	assert_int_equal(stat(rf.tree, &st), -1);
	image_unref(img);
	buf_fini(&t.b);
}

/* ---- user namespaces ---- */

static int in_userns(struct fix *f, struct slice *layers)
{
	struct image_store_options o = { .root = f->dir, .driver = "overlay" };
	struct image_rootfs_place at = { .dir = f->dir };
	struct image_rootfs rf;
	struct image *img;
	struct tarball t;
	char opts[2048], path[512];

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return 77;
	if (image_store_open(&o, &f->is, &f->err) < 0)
		return f->err.sys == EPERM ? 77 : 1;
	if (load(f, docker_archive(&t, "[\"m:1\"]", layers, 2), NULL) < 0 ||
	    image_resolve(f->is, "m:1", &img, &f->err) < 0 ||
	    image_rootfs_plan(f->is, img, &at, f->arena, &rf, &f->err) < 0 ||
	    image_rootfs_make(f->is, &rf, &f->err) < 0 || !rf.userxattr)
		return 2;
	snprintf(opts, sizeof(opts), "lowerdir=%s:%s,upperdir=%s,workdir=%s,userxattr",
		 rf.lower.v[0], rf.lower.v[1], rf.upper, rf.work);
	if (mount("overlay", rf.merged, "overlay", 0, opts) < 0)
		return 3;
	snprintf(path, sizeof(path), "%s/gone", rf.merged);
	if (access(path, F_OK) == 0)
		return 4;
	snprintf(path, sizeof(path), "%s/dir/below", rf.merged);
	if (access(path, F_OK) == 0)
		return 5;
	snprintf(path, sizeof(path), "%s/dir/above", rf.merged);
	if (access(path, F_OK) != 0)
		return 6;
	snprintf(path, sizeof(path), "%s/null", rf.merged);
	return access(path, F_OK) == 0 ? 7 : 0; /* devices are left out */
}

static void layers_work_inside_a_user_namespace(void **state)
{
	struct fix *f = *state;
	struct tarball a, b;
	struct slice layers[2];
	int ready[2], go[2], status;
	char c = 'x';
	pid_t pid;

	tar_begin(&a);
	tar_file(&a, "gone", "1");
	tar_file(&a, "dir/below", "1");
	layers[0] = tar_end(&a);
	tar_begin(&b);
	tar_file(&b, ".wh.gone", "");
	tar_file(&b, "dir/above", "1");
	tar_file(&b, "dir/.wh..wh..opq", "");
	tar_entry(&b,
		  (struct tar_entry){ .type = TAR_CHAR, .name = "null", .major = 1, .minor = 3 },
		  NULL);
	layers[1] = tar_end(&b);
	image_store_close(f->is);
	assert_int_equal(shell("rm -r %s/store", f->dir), 0);
	assert_int_equal(pipe(ready) + pipe(go), 0);
	pid = fork();
	if (pid == 0) {
		int r;

		if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
			_exit(77);
		(void)!write(ready[1], &c, 1);
		(void)!read(go[0], &c, 1);
		r = in_userns(f, layers);
		if (r && r != 77)
			fprintf(stderr, "step %d: %s (%s)\n", r, f->err.msg, strerror(errno));
		_exit(r);
	}
	close(ready[1]);
	if (read(ready[0], &c, 1) == 1)
		(void)shell("echo 0 0 65536 >/proc/%d/uid_map && echo 0 0 65536 >/proc/%d/gid_map",
			    (int)pid, (int)pid);
	(void)!write(go[1], &c, 1);
	waitpid(pid, &status, 0);
	open_store(f);
	buf_fini(&a.b);
	buf_fini(&b.b);
	close(ready[0]);
	close(go[0]);
	close(go[1]);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(status, 0);
}

/* ---- the choice ---- */

static int open_as(struct fix *f, const char *driver)
{
	struct image_store_options o = { .root = f->dir, .loop = f->loop, .driver = driver };

	f->err = ERR_INIT;
	return image_store_open(&o, &f->is, &f->err);
}

static void a_store_stays_with_its_driver(void **state)
{
	struct fix *f = *state;
	struct tarball t;

	reopen_with(f, "vfs");
	OK(f, import_rootfs(f, small_layer(&t, "x"), "m:1", NULL));
	image_store_close(f->is);
	assert_int_equal(open_as(f, "overlay2"), -ERR_CONFLICT);
	assert_err(&f->err, ERR_CONFLICT, "go on with --storage-driver copy");
	assert_int_equal(open_as(f, "aufs"), -ERR_UNSUPPORTED);
	assert_int_equal(open_as(f, "nonsense"), -ERR_BAD_REQUEST);
	assert_err(&f->err, ERR_BAD_REQUEST, "there are auto, overlay (overlay2), fuse-overlayfs");
	OK(f, open_as(f, NULL)); /* whoever does not care gets what is there */
	assert_string_equal(image_driver_name(f->is), "vfs");
	image_store_close(f->is);
	OK(f, open_as(f, "auto"));
	assert_string_equal(image_driver_name(f->is), "vfs");
	buf_fini(&t.b);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		T(sparse_members_are_what_gnu_tar_makes_of_them),
		T(zero_blocks_become_holes),
		T(other_compressions_give_the_same_layer),
		T(layers_of_an_archive_may_be_xz),
		T(a_hard_link_to_a_lower_file_copies_it_up),
		T(bad_links_to_lower_files_are_refused),
		T(a_link_survives_its_target_being_replaced),
		T(the_tree_is_the_same_with_every_driver),
		T(a_whole_root_is_made_once_and_shows_its_changes),
		T(layers_work_inside_a_user_namespace),
		T(a_store_stays_with_its_driver),
	};

	HELPER_MAIN(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
