/* SPDX-License-Identifier: Apache-2.0 */
/* Imports, loads, queries, tags, removal, leases and collection, on a real store with real fenced
 * helpers. */
#include "fixture.h"
#include "image/mounts.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <zstd.h>

static void an_imported_root_file_system_has_everything_of_its_tar(void **state)
{
	struct fix *f = *state;
	const unsigned char cap[20] = { 1, 0, 0, 2, 0, 4 };
	struct tar_xattr xa[] = { { "security.capability", { (const char *)cap, sizeof(cap) } },
				  { "user.note", SLICE("hello") },
				  { "security.selinux", SLICE("label") } };
	struct tarball t;
	struct stat st, st2;
	char path[256], value[32], id[IMAGE_DIGEST_MAX];

	tar_begin(&t);
	tar_entry(&t,
		  (struct tar_entry){
			  .type = TAR_DIR, .name = "./", .mode = 0711, .uid = 5, .gid = 6 },
		  NULL);
	tar_entry(&t,
		  (struct tar_entry){ .type = TAR_DIR,
				      .name = "d",
				      .mode = 0555,
				      .mtime_s = 1234567890,
				      .mtime_ns = 5 },
		  NULL);
	tar_entry(&t,
		  (struct tar_entry){ .type = TAR_REG,
				      .name = "d/suid",
				      .mode = 04755,
				      .size = 3,
				      .uid = 1000,
				      .gid = 70000,
				      .xattrs = xa,
				      .nxattrs = 3,
				      .mtime_s = 1500000000,
				      .mtime_ns = 123456789 },
		  "abc");
	tar_link(&t, TAR_HARD, "hard", "./d/suid");
	tar_entry(&t,
		  (struct tar_entry){
			  .type = TAR_SYM, .name = "sym", .link = "/etc/passwd", .uid = 9 },
		  NULL);
	tar_entry(&t, (struct tar_entry){ .type = TAR_FIFO, .name = "fifo", .mode = 0640 }, NULL);
	tar_entry(&t,
		  (struct tar_entry){
			  .type = TAR_CHAR, .name = "null", .mode = 0666, .major = 1, .minor = 3 },
		  NULL);
	tar_file(&t, "implied/dir/file", "x");
	OK(f, import_rootfs(f, tar_end(&t), "base:1", id));
	buf_fini(&t.b);

	stat_in(f, "base:1", "", &st);
	assert_int_equal(st.st_mode & 07777, 0711);
	assert_int_equal(st.st_uid, 5);
	stat_in(f, "base:1", "d", &st);
	assert_int_equal(st.st_mode & 07777, 0555);
	assert_int_equal(st.st_mtim.tv_sec, 1234567890);
	assert_int_equal(st.st_mtim.tv_nsec, 5);
	stat_in(f, "base:1", "d/suid", &st);
	assert_int_equal(st.st_mode & 07777, 04755);
	assert_int_equal(st.st_uid, 1000);
	assert_int_equal(st.st_gid, 70000);
	assert_int_equal(st.st_mtim.tv_nsec, 123456789);
	stat_in(f, "base:1", "hard", &st2);
	assert_int_equal(st.st_ino, st2.st_ino);
	stat_in(f, "base:1", "sym", &st);
	assert_true(S_ISLNK(st.st_mode) && st.st_uid == 9);
	stat_in(f, "base:1", "fifo", &st);
	assert_true(S_ISFIFO(st.st_mode) && (st.st_mode & 0777) == 0640);
	stat_in(f, "base:1", "null", &st);
	assert_true(S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3) &&
		    (st.st_mode & 0777) == 0666);
	stat_in(f, "base:1", "implied/dir", &st);
	assert_int_equal(st.st_mode & 07777, 0755);
	snprintf(path, sizeof(path), "%s/d/suid", top_dir(f, "base:1"));
	assert_int_equal(lgetxattr(path, "security.capability", value, sizeof(value)), sizeof(cap));
	assert_int_equal(lgetxattr(path, "user.note", value, sizeof(value)), 5);
	assert_true(lgetxattr(path, "security.selinux", value, sizeof(value)) < 0);
	assert_int_equal(count_names(f, "ingest"), 0);
	assert_int_equal(count_names(f, "leases"), 0);
	assert_int_equal(rows(f, "SELECT count(*) FROM leases"), 0);
}

static void import_takes_changes_message_and_platform(void **state)
{
	struct fix *f = *state;
	const char *changes[] = { "CMD [\"/bin/sh\",\"-l\"]",
				  "ENV A=1 B=\"two words\"",
				  "env C three four",
				  "EXPOSE 80 53/udp",
				  "LABEL a.b=c",
				  "USER 1000:1000",
				  "WORKDIR /srv",
				  "ENTRYPOINT run me",
				  "VOLUME /data",
				  "STOPSIGNAL SIGQUIT",
				  "ENV A=2",
				  "HEALTHCHECK --interval=5s --retries=2 CMD curl x",
				  "ONBUILD RUN x",
				  "SHELL [\"bash\"]",
				  "WORKDIR sub" };
	struct image_import_options o = { .kind = IMAGE_IMPORT_ROOTFS,
					  .ref = "Example.com:5000/a/b",
					  .message = "made here",
					  .platform = "linux/arm64/v8",
					  .changes = changes,
					  .nchanges = ARRAY_LEN(changes) };
	const struct image_config *c;
	struct image *img;
	struct tarball t;

	OK(f, import_opts(f, &o, small_layer(&t, "x"), NULL));
	buf_fini(&t.b);
	OK(f, image_resolve(f->is, "Example.com:5000/a/b:latest", &img, &f->err));
	c = image_config(img);
	assert_int_equal(c->cmd.n, 2);
	assert_string_equal(c->cmd.v[1], "-l");
	assert_null(c->cmd.v[2]);
	assert_int_equal(c->env.n, 3);
	assert_string_equal(c->env.v[0], "A=2");
	assert_string_equal(c->env.v[1], "B=two words");
	assert_string_equal(c->env.v[2], "C=three four");
	assert_int_equal(c->ports.n, 2);
	assert_string_equal(c->ports.v[1], "53/udp");
	assert_string_equal(c->labels[0].key, "a.b");
	assert_string_equal(c->labels[0].value, "c");
	assert_string_equal(c->user, "1000:1000");
	assert_string_equal(c->working_dir, "/srv/sub");
	assert_int_equal(c->entrypoint.n, 3);
	assert_string_equal(c->entrypoint.v[2], "run me");
	assert_string_equal(c->volumes.v[0], "/data");
	assert_string_equal(c->stop_signal, "SIGQUIT");
	assert_int_equal(c->health.test.n, 2);
	assert_string_equal(c->health.test.v[0], "CMD-SHELL");
	assert_int_equal(c->health.interval, 5 * NS_PER_SEC);
	assert_int_equal(c->health.retries, 2);
	assert_string_equal(c->onbuild.v[0], "RUN x");
	assert_string_equal(c->shell.v[0], "bash");
	assert_string_equal(c->architecture, "arm64");
	assert_string_equal(c->variant, "v8");
	assert_string_equal(c->comment, "made here");
	assert_int_equal(c->nhistory, 1);
	assert_string_equal(c->history[0].comment, "made here");
	assert_int_equal(c->diff_ids.n, 1);
	assert_int_equal(image_size(img), 1);
	OK(f, image_blob_verify(f->is, image_id(img), &f->err));
	OK(f, image_blob_verify(f->is, image_manifest_digest(img), &f->err));
	image_unref(img);
}

static void bad_options_fail_before_the_body(void **state)
{
	static const struct {
		const char *ref, *platform, *change, *part;
	} cases[] = {
		{ "UP", NULL, NULL, "repository name (library/UP) must be lowercase" },
		{ "a b", NULL, NULL, "invalid reference format" },
		{ NULL, "windows/amd64", NULL, "only linux images" },
		{ NULL, "linux/a/b/c", NULL, "is not os[/arch[/variant]]" },
		{ NULL, NULL, "RUN x", "RUN is not a valid change command" },
		{ NULL, NULL, "ENV", "ENV requires at least one argument" },
		{ NULL, NULL, "ENV A", "ENV must have two arguments" },
		{ NULL, NULL, "EXPOSE 99999", "invalid containerPort: 99999" },
		{ NULL, NULL, "SHELL bash", "SHELL requires the arguments to be in JSON form" },
		{ NULL, NULL, "ONBUILD FROM x", "FROM isn't allowed as an ONBUILD trigger" },
		{ NULL, NULL, "HEALTHCHECK --x=1 CMD y", "bad flag '--x=1'" },
	};
	struct fix *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct image_import_options o = { .ref = cases[i].ref,
						  .platform = cases[i].platform,
						  .changes = &cases[i].change,
						  .nchanges = cases[i].change ? 1 : 0 };

		assert_int_equal(import_opts(f, &o, SLICE(""), NULL), -ERR_BAD_REQUEST);
		assert_err(&f->err, ERR_BAD_REQUEST, cases[i].part);
	}
	assert_empty(f);
}

static void compressed_root_file_systems_have_the_diff_id_of_the_plain_one(void **state)
{
	struct fix *f = *state;
	struct tarball t;
	struct slice plain = small_layer(&t, "x");
	struct buf gz, zs = BUF_INIT(1 << 20);
	char diff[IMAGE_DIGEST_MAX];
	struct image *img;

	digest_of(plain, diff);
	gzip_of(plain, &gz);
	assert_non_null(buf_room(&zs, ZSTD_compressBound(plain.n)));
	zs.n = ZSTD_compress(zs.p, zs.cap, plain.p, plain.n, 3);
	OK(f, import_rootfs(f, buf_slice(&gz), "gz", NULL));
	OK(f, import_rootfs(f, buf_slice(&zs), "zs", NULL));
	OK(f, import_rootfs(f, plain, "plain", NULL));
	for (size_t i = 0; i < 3; i++) {
		OK(f, image_resolve(f->is, (const char *const[]){ "gz", "zs", "plain" }[i], &img,
				    &f->err));
		assert_string_equal(image_config(img)->diff_ids.v[0], diff);
		image_unref(img);
	}
	assert_int_equal(count_names(f, "snapshots"), 1);
	assert_int_equal(image_count(f->is), 3);
	buf_fini(&gz);
	buf_fini(&zs);
	buf_fini(&t.b);
}

static unsigned seen[3];
static void count_progress(void *ctx, const struct image_progress *p)
{
	seen[p->stage]++;
	if (p->stage == IMAGE_PROGRESS_IMAGE)
		assert_string_equal(p->text, ctx);
	else
		assert_int_equal(strlen(p->id), 12);
}

static void a_docker_archive_is_loaded_resolved_and_listed(void **state)
{
	struct fix *f = *state;
	struct tarball a, b, t;
	struct slice layers[2] = { small_layer(&a, "one"), small_layer(&b, "two two") };
	struct slice ar = docker_archive(&t, "[\"app:v1\"]", layers, 2);
	struct image_import_options o = { .kind = IMAGE_IMPORT_ARCHIVE,
					  .progress = count_progress,
					  .ctx = (void *)"app:v1" };
	char id[IMAGE_DIGEST_MAX], prefix[32];
	struct image *img, **list;
	struct strv lower, tags, digests;
	size_t n;

	memset(seen, 0, sizeof(seen));
	OK(f, import_opts(f, &o, ar, id));
	assert_true(seen[IMAGE_PROGRESS_LAYER] >= 2);
	assert_int_equal(seen[IMAGE_PROGRESS_IMAGE], 1);
	OK(f, import_opts(f, &o, ar, id)); /* again: nothing new */
	assert_int_equal(seen[IMAGE_PROGRESS_EXISTS], 2);
	assert_int_equal(count_names(f, "snapshots"), 2);
	assert_int_equal(rows(f, "SELECT count(*) FROM leases"), 0);

	OK(f, image_resolve(f->is, "docker.io/library/app:v1", &img, &f->err));
	assert_string_equal(image_id(img), id);
	assert_string_equal(image_config(img)->cmd.v[0], "sh");
	assert_int_equal(image_size(img), 10);
	OK(f, image_lower_dirs(f->is, img, f->arena, &lower, &f->err));
	assert_int_equal(lower.n, 2);
	assert_true(strlen(lower.v[0]) < strlen(f->dir) + 20);
	OK(f, image_names(f->is, img, f->arena, &tags, &digests, &f->err));
	assert_int_equal(tags.n, 1);
	assert_string_equal(tags.v[0], "app:v1");
	image_unref(img);
	snprintf(prefix, sizeof(prefix), "%.12s", id + 7);
	OK(f, image_resolve(f->is, prefix, &img, &f->err));
	image_unref(img);
	OK(f, image_resolve(f->is, id, &img, &f->err));
	image_unref(img);
	OK(f, image_resolve(f->is, id + 7, &img, &f->err));
	image_unref(img);
	OK(f, image_list(f->is, f->arena, &list, &n, &f->err));
	assert_int_equal(n, 1);
	image_unref(list[0]);
	buf_fini(&a.b);
	buf_fini(&b.b);
	buf_fini(&t.b);
}

static void what_is_not_there_is_named_as_docker_does(void **state)
{
	static const struct {
		const char *text;
		enum err_code code;
		const char *part;
	} cases[] = {
		{ "nope", ERR_NOT_FOUND, "No such image: nope:latest" },
		{ "a/b:c", ERR_NOT_FOUND, "No such image: a/b:c" },
		{ "Nope", ERR_BAD_REQUEST, "must be lowercase" },
		{ "a::b", ERR_BAD_REQUEST, "invalid reference format" },
		{ "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		  ERR_NOT_FOUND, "No such image: sha256:e3b" },
	};
	struct fix *f = *state;
	struct image *img;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(image_resolve(f->is, cases[i].text, &img, &f->err),
				 -(int)cases[i].code);
		assert_err(&f->err, cases[i].code, cases[i].part);
	}
}

/* OCI layout with one manifest below a nested index for two platforms. */
static struct slice oci_layout(struct tarball *t, struct slice blob, struct slice plain,
			       const char *wrong, char man_digest[IMAGE_DIGEST_MAX])
{
	struct buf config, man = BUF_INIT(65536), index = BUF_INIT(65536), sub = BUF_INIT(65536);
	char cd[IMAGE_DIGEST_MAX], ld[IMAGE_DIGEST_MAX], sd[IMAGE_DIGEST_MAX],
		path[IMAGE_DIGEST_MAX + 16];

	config_of(&config, &plain, 1, "");
	digest_of(buf_slice(&config), cd);
	digest_of(blob, ld);
	buf_addf(&man,
		 "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"x\",\"digest\":\"%s\",\"size\":%"
		 "zu},\"layers\":[{\"mediaType\":\"y\","
		 "\"digest\":\"%s\",\"size\":%zu}]}",
		 cd, config.n, wrong ? wrong : ld, blob.n);
	digest_of(buf_slice(&man), man_digest);
	digest_of(SLICE("not in the archive"), sd);
	buf_addf(&sub,
		 "{\"schemaVersion\":2,\"manifests\":[{\"digest\":\"%s\",\"size\":1,\"platform\":{"
		 "\"os\":\"linux\",\"architecture\":\"none\"}},"
		 "{\"digest\":\"%s\",\"size\":%zu,\"platform\":{\"os\":\"linux\",\"architecture\":"
		 "\"amd64\"}}]}",
		 sd, man_digest, man.n);
	digest_of(buf_slice(&sub), sd);
	buf_addf(&index,
		 "{\"schemaVersion\":2,\"manifests\":[{\"digest\":\"%s\",\"size\":%zu,"
		 "\"annotations\":{\"io.containerd.image.name\":"
		 "\"docker.io/library/oci:2\",\"org.opencontainers.image.ref.name\":\"2\"}}]}",
		 sd, sub.n);
	tar_begin(t);
	tar_file(t, "oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}");
	tar_bytes(t, "index.json", index.p, index.n);
	snprintf(path, sizeof(path), "blobs/sha256/%s", cd + 7);
	tar_bytes(t, path, config.p, config.n);
	snprintf(path, sizeof(path), "blobs/sha256/%s", man_digest + 7);
	tar_bytes(t, path, man.p, man.n);
	snprintf(path, sizeof(path), "blobs/sha256/%s", sd + 7);
	tar_bytes(t, path, sub.p, sub.n);
	snprintf(path, sizeof(path), "blobs/sha256/%s", wrong ? wrong + 7 : ld + 7);
	tar_bytes(t, path, blob.p, blob.n);
	buf_fini(&config);
	buf_fini(&man);
	buf_fini(&index);
	buf_fini(&sub);
	return tar_end(t);
}

static void an_oci_layout_keeps_its_manifest_and_its_compressed_layer(void **state)
{
	struct fix *f = *state;
	struct tarball a, t;
	struct slice plain = small_layer(&a, "x");
	struct buf gz, outer;
	char man[IMAGE_DIGEST_MAX], blob[IMAGE_DIGEST_MAX];
	struct image *img;
	uint64_t size;
	int fd;

	gzip_of(plain, &gz);
	/* The same layer is there already, plain: the manifest's own blob comes beside it. */
	OK(f, import_rootfs(f, plain, "plain", NULL));
	gzip_of(oci_layout(&t, buf_slice(&gz), plain, NULL, man),
		&outer); /* and the archive itself compressed */
	if (import_opts(f,
			&(struct image_import_options){
				.kind = IMAGE_IMPORT_ARCHIVE,
				.platforms = { (const char *const[]){ "linux/amd64" }, 1 } },
			buf_slice(&outer), NULL) < 0)
		fail_msg("%s", f->err.msg);
	OK(f, image_resolve(f->is, "oci:2", &img, &f->err));
	assert_string_equal(image_manifest_digest(img), man);
	image_unref(img);
	digest_of(buf_slice(&gz), blob);
	OK(f, image_blob_open(f->is, blob, &fd, &size, &f->err));
	assert_int_equal(size, gz.n);
	close(fd);
	assert_int_equal(count_names(f, "snapshots"), 1);
	buf_fini(&a.b);
	buf_fini(&t.b);
	buf_fini(&gz);
	buf_fini(&outer);
}

static void digests_that_differ_are_found_and_nothing_is_kept(void **state)
{
	struct fix *f = *state;
	struct tarball a, b, t;
	struct slice one = small_layer(&a, "one"), two = small_layer(&b, "two");
	char man[IMAGE_DIGEST_MAX], wrong[IMAGE_DIGEST_MAX];

	digest_of(two, wrong);
	assert_int_equal(load(f, oci_layout(&t, one, one, wrong, man), NULL), -ERR_INVALID);
	assert_err(&f->err, ERR_INVALID, "instead of");
	assert_empty(f);
	buf_fini(&t.b);
	/* config names another layer */
	assert_int_equal(load(f, oci_layout(&t, one, two, NULL, man), NULL), -ERR_INVALID);
	assert_err(&f->err, ERR_INVALID, "the config says");
	assert_empty(f);
	buf_fini(&a.b);
	buf_fini(&b.b);
	buf_fini(&t.b);
}

static void whiteouts_become_overlays_own(void **state)
{
	struct fix *f = *state;
	struct tarball a, b, t;
	struct slice layers[2];
	struct stat st;
	char path[256], v[4];

	tar_begin(&a);
	tar_entry(&a,
		  (struct tar_entry){ .type = TAR_DIR, .name = "keep", .mode = 0700, .uid = 42 },
		  NULL);
	tar_file(&a, ".wh.nothing", "");
	tar_file(&a, "keep/gone", "x");
	layers[0] = tar_end(&a);
	tar_begin(&b);
	tar_file(&b, "keep/.wh.gone", "");
	tar_file(&b, "keep/new", "x");
	tar_dir(&b, "opq");
	tar_file(&b, "opq/inside", "x");
	tar_file(&b, "opq/.wh..wh..opq", "");
	tar_file(&b, ".wh.both", "");
	tar_dir(&b, "both");
	tar_dir(&b, "later");
	tar_file(&b, ".wh.later", "");
	tar_file(&b, ".wh.file", "");
	tar_file(&b, "file", "new");
	tar_file(&b, ".wh..wh.plnk/1", "x");
	tar_file(&b, ".wh..wh.aufs", "x");
	layers[1] = tar_end(&b);
	OK(f, load(f, docker_archive(&t, "[\"w:1\"]", layers, 2), NULL));
	stat_in(f, "w:1", "keep/gone", &st);
	assert_true(S_ISCHR(st.st_mode) && st.st_rdev == 0);
	assert_false(is_in(f, "w:1", "keep/.wh.gone"));
	stat_in(f, "w:1", "keep", &st); /* only implied here: as the layer below has it */
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(st.st_uid, 42);
	for (size_t i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s/%s", top_dir(f, "w:1"),
			 (const char *const[]){ "opq", "both", "later" }[i]);
		assert_int_equal(lgetxattr(path, "trusted.overlay.opaque", v, sizeof(v)), 1);
	}
	stat_in(f, "w:1", "file", &st);
	assert_true(S_ISREG(st.st_mode));
	assert_false(is_in(f, "w:1", ".wh..wh.plnk"));
	assert_false(is_in(f, "w:1", ".wh..wh.aufs"));
	assert_int_equal(rows(f, "SELECT count(*) FROM layers"), 2);
	buf_fini(&a.b);
	buf_fini(&b.b);
	buf_fini(&t.b);
}

static void a_container_root_mounts_and_shows_the_merged_tree(void **state)
{
	struct fix *f = *state;
	struct tarball a, b, t;
	struct slice layers[2];
	struct image_rootfs rf;
	struct image *img;
	char dir[128], opts[2048], path[256];
	pid_t pid;
	int status;

	tar_begin(&a);
	tar_entry(&a, (struct tar_entry){ .type = TAR_DIR, .name = "./", .mode = 0751 }, NULL);
	tar_file(&a, "gone", "1");
	tar_file(&a, "dir/below", "1");
	layers[0] = tar_end(&a);
	tar_begin(&b);
	tar_entry(&b, (struct tar_entry){ .type = TAR_DIR, .name = "./", .mode = 0751 }, NULL);
	tar_file(&b, ".wh.gone", "");
	tar_file(&b, "dir/.wh..wh..opq", "");
	tar_file(&b, "dir/above", "1");
	layers[1] = tar_end(&b);
	OK(f, load(f, docker_archive(&t, "[\"m:1\"]", layers, 2), NULL));
	OK(f, image_resolve(f->is, "m:1", &img, &f->err));
	snprintf(dir, sizeof(dir), "%s/ctr", f->dir);
	assert_int_equal(mkdir(dir, 0700), 0);
	OK(f, image_rootfs_plan(f->is, img, &(struct image_rootfs_place){ .dir = dir }, f->arena,
				&rf, &f->err));
	OK(f, image_rootfs_make(f->is, &rf, &f->err));
	snprintf(opts, sizeof(opts), "lowerdir=%s:%s,upperdir=%s,workdir=%s", rf.lower.v[0],
		 rf.lower.v[1], rf.upper, rf.work);
	pid = fork();
	if (pid == 0) {
		struct stat st;

		if (unshare(CLONE_NEWNS) < 0 ||
		    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		    mount("overlay", rf.merged, "overlay", 0, opts) < 0)
			_exit(77);
		snprintf(path, sizeof(path), "%s/gone", rf.merged);
		if (access(path, F_OK) == 0)
			_exit(1);
		snprintf(path, sizeof(path), "%s/dir/below", rf.merged);
		if (access(path, F_OK) == 0)
			_exit(2);
		snprintf(path, sizeof(path), "%s/dir/above", rf.merged);
		if (access(path, F_OK) != 0)
			_exit(3);
		_exit(stat(rf.merged, &st) == 0 && (st.st_mode & 0777) == 0751 ? 0 : 4);
	}
	waitpid(pid, &status, 0);
	if (WEXITSTATUS(status) == 77)
		print_message(
			"overlay cannot be mounted here: only the directories were checked\n");
	else
		assert_int_equal(WEXITSTATUS(status), 0);
	OK(f, image_rootfs_remove(dir, &f->err));
	OK(f, image_rootfs_remove(dir, &f->err));
	image_unref(img);
	buf_fini(&a.b);
	buf_fini(&b.b);
	buf_fini(&t.b);
}

/* ---- changes ---- */

struct answer {
	int result, told;
	struct image_removal rm;
	struct err err;
};
static void on_removed(void *ctx, int result, const struct image_removal *rm, const struct err *err)
{
	struct answer *a = ctx;

	a->result = result;
	a->rm = *rm;
	a->err = *err;
	a->told = 1;
}
static void on_changed(void *ctx, int result, const struct err *err)
{
	struct answer *a = ctx;

	a->result = result;
	a->err = *err;
	a->told = 1;
}
static void wait_for(struct fix *f, struct answer *a)
{
	int64_t end = clock_mono() + 30 * NS_PER_SEC;

	while (!a->told && clock_mono() < end)
		OK(f, loop_step(f->loop, NS_PER_SEC, &f->err));
	assert_true(a->told);
}
static void tag(struct fix *f, const char *from, const char *to, struct answer *a)
{
	*a = (struct answer){ 0 };
	image_tag(f->is, from, to, on_changed, a);
	wait_for(f, a);
}
static void rmi(struct fix *f, const char *what, bool force, struct answer *a)
{
	*a = (struct answer){ 0 };
	image_remove(f->is, what, NULL, force, on_removed, a);
	wait_for(f, a);
}

static void tags_are_moved_and_the_last_one_takes_the_image_along(void **state)
{
	struct fix *f = *state;
	struct answer *a = calloc(1, sizeof(*a));
	char id[IMAGE_DIGEST_MAX];
	struct image *img;
	struct tarball t;

	OK(f, import_rootfs(f, small_layer(&t, "x"), "one", id));
	tag(f, "one", "two:t", a);
	assert_int_equal(a->result, 0);
	tag(f, "one", "Bad", a);
	assert_err(&a->err, ERR_BAD_REQUEST, "must be lowercase");
	rmi(f, id, false, a);
	assert_err(&a->err, ERR_CONFLICT,
		   "must be forced) - image is referenced in multiple repositories");
	rmi(f, "two:t", false, a);
	assert_int_equal(a->result, 0);
	assert_int_equal(a->rm.nuntagged, 1);
	assert_string_equal(a->rm.untagged[0], "two:t");
	assert_int_equal(a->rm.ndeleted, 0);
	rmi(f, "two:t", false, a);
	assert_err(&a->err, ERR_NOT_FOUND, "No such image: two:t");
	rmi(f, "one", false, a);
	assert_int_equal(a->rm.nuntagged, 1);
	assert_int_equal(a->rm.ndeleted, 2);
	assert_string_equal(a->rm.deleted[0], id);
	assert_int_equal(image_resolve(f->is, "one", &img, &f->err), -ERR_NOT_FOUND);
	assert_int_equal(image_resolve(f->is, id, &img, &f->err), -ERR_NOT_FOUND);
	image_store_close(f->is);
	open_store(f);
	assert_empty(f);
	buf_fini(&t.b);
	free(a);
}

static void a_shared_layer_stays_until_its_last_image_goes(void **state)
{
	struct fix *f = *state;
	struct answer *a = calloc(1, sizeof(*a));
	struct tarball l0, l1, t;
	struct slice layers[2] = { small_layer(&l0, "base"), small_layer(&l1, "top") };
	char id[IMAGE_DIGEST_MAX];

	OK(f, load(f, docker_archive(&t, "[\"big:1\",\"big:2\"]", layers, 2), id));
	buf_fini(&t.b);
	OK(f, load(f, docker_archive(&t, "null", layers, 1), NULL));
	assert_int_equal(count_names(f, "snapshots"), 2);
	rmi(f, id, true, a);
	assert_int_equal(a->rm.nuntagged, 2);
	assert_int_equal(a->rm.ndeleted, 2);
	assert_int_equal(count_names(f, "snapshots"), 1);
	assert_int_equal(image_count(f->is), 1);
	buf_fini(&l0.b);
	buf_fini(&l1.b);
	buf_fini(&t.b);
	free(a);
}

static int reboot_rows(void *ctx, struct db_conn *c, struct err *err)
{
	return db_exec(c, err, "UPDATE mounts SET boot = 'earlier'", "");
}

static void an_image_that_is_mounted_stays_until_unmount_or_reboot(void **state)
{
	struct fix *f = *state;
	struct answer *a = calloc(1, sizeof(*a));
	struct image *img;
	struct tarball t;

	OK(f, import_rootfs(f, small_layer(&t, "x"), "one", NULL));
	OK(f, image_resolve(f->is, "one", &img, &f->err));
	OK(f, image_mount_add(f->is, img, "/mnt/a", &f->err));
	OK(f, image_mount_add(f->is, img, "/mnt/b", &f->err));
	tag(f, "one", "two", a);
	rmi(f, "two", false, a); /* a name may go */
	assert_int_equal(a->result, 0);
	rmi(f, "one", true, a);
	assert_err(&a->err, ERR_CONFLICT, "cannot be forced) - image is mounted on '/mnt/a'");
	assert_int_equal(image_mount_drop(f->is, "/mnt/a", &f->err), 1);
	assert_int_equal(image_mount_drop(f->is, "/mnt/a", &f->err), 0);
	rmi(f, "one", true, a);
	assert_err(&a->err, ERR_CONFLICT, "'/mnt/b'");
	OK(f, db_write_wait(image_store_db(f->is), reboot_rows, NULL, &f->err));
	assert_int_equal(image_mount_drop(f->is, "/mnt/b", &f->err), 0);
	rmi(f, "one", false, a);
	assert_int_equal(a->result, 0);
	assert_int_equal(rows(f, "SELECT count(*) FROM mounts"), 0);
	assert_int_equal(image_mount_add(f->is, img, "/mnt/a", &f->err), -ERR_NOT_FOUND);
	image_unref(img);
	buf_fini(&t.b);
	free(a);
}

static int delete_images(void *ctx, struct db_conn *c, struct err *err)
{
	return db_exec(c, err, "DELETE FROM images", "");
}

static void a_lease_keeps_what_it_names_and_a_dead_one_does_not(void **state)
{
	struct fix *f = *state;
	struct image_gc_result res;
	struct image_lease *l;
	struct image *img;
	struct tarball t;
	pid_t pid;
	int status;

	OK(f, import_rootfs(f, small_layer(&t, "x"), "one", NULL));
	OK(f, image_resolve(f->is, "one", &img, &f->err));
	OK(f, image_lease_new(f->is, &l, &f->err));
	OK(f, image_lease_add(l, IMAGE_ITEM_SNAPSHOT, image_chain_id(img, 0), &f->err));
	assert_int_equal(image_lease_add(l, IMAGE_ITEM_BLOB, "nonsense", &f->err),
			 -ERR_BAD_REQUEST);
	OK(f, db_write_wait(image_store_db(f->is), delete_images, NULL, &f->err));
	OK(f, image_store_gc(f->is, &res, &f->err));
	assert_int_equal(res.snapshots, 0);
	assert_int_equal(res.blobs,
			 2); /* config and manifest; the layer's blob stays with its layer */
	assert_int_equal(count_names(f, "snapshots"), 1);
	image_lease_free(l);
	OK(f, image_store_gc(f->is, &res, &f->err));
	assert_int_equal(res.snapshots, 1);
	image_unref(img);
	/* A holder that dies. */
	pid = fork();
	if (pid == 0) {
		struct image_store_options o = { .root = f->dir };
		struct image_store *is;

		if (image_store_open(&o, &is, &f->err) < 0 ||
		    image_lease_new(is, &l, &f->err) < 0 || image_lease_dirfd(l, &f->err) < 0 ||
		    image_lease_add(
			    l, IMAGE_ITEM_BLOB,
			    "sha256:"
			    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
			    &f->err) < 0)
			_exit(1);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	assert_int_equal(count_names(f, "ingest"), 1);
	OK(f, image_store_gc(f->is, &res, &f->err));
	assert_int_equal(res.leases, 1);
	assert_int_equal(res.ingests, 1);
	assert_empty(f);
	buf_fini(&t.b);
}

static void damage_of_a_config_or_a_blob_is_found(void **state)
{
	struct fix *f = *state;
	char id[IMAGE_DIGEST_MAX], path[256], c;
	struct image *img;
	struct tarball t;
	uint64_t size;
	int fd;

	OK(f, import_rootfs(f, small_layer(&t, "x"), "one", id));
	snprintf(path, sizeof(path), "%s/store/blobs/sha256/%s", f->dir, id + 7);
	fd = open(path, O_RDWR);
	assert_int_equal(pread(fd, &c, 1, 20), 1);
	c ^= 1;
	assert_int_equal(pwrite(fd, &c, 1, 20), 1);
	assert_int_equal(image_resolve(f->is, "one", &img, &f->err), -ERR_INVALID);
	assert_err(&f->err, ERR_INVALID, "its config is damaged");
	assert_int_equal(image_blob_verify(f->is, id, &f->err), -ERR_INVALID);
	assert_err(&f->err, ERR_INVALID, "its bytes have digest");
	assert_int_equal(ftruncate(fd, 10), 0);
	close(fd);
	assert_int_equal(image_blob_open(f->is, id, &fd, &size, &f->err), -ERR_INVALID);
	assert_err(&f->err, ERR_INVALID, "10 bytes instead of");
	assert_int_equal(
		image_blob_open(
			f->is,
			"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
			&fd, &size, &f->err),
		-ERR_NOT_FOUND);
	buf_fini(&t.b);
}

/* ---- many at once ---- */

static void parallel_imports_of_the_same_layers_end_as_one(void **state)
{
	struct fix *f = *state;
	struct tarball a, b, t;
	struct slice layers[2] = { small_layer(&a, "one"), small_layer(&b, "two") };
	struct slice ar = docker_archive(&t, "[\"par:1\"]", layers, 2);
	struct image_import_options o = { .kind = IMAGE_IMPORT_ARCHIVE };
	struct image_import *im[6];
	struct answer *ans = calloc(6, sizeof(*ans));
	struct work_pool *pool;

	OK(f, work_pool_new(f->loop, 4, 16, &pool, &f->err));
	for (size_t i = 0; i < 6; i++) {
		OK(f, image_import_new(f->is, &o, &im[i], &f->err));
		OK(f, image_import_push(im[i], ar.p, ar.n, &f->err));
		OK(f, image_import_start(im[i], pool, on_changed, &ans[i], &f->err));
	}
	for (size_t i = 0; i < 6; i++) {
		wait_for(f, &ans[i]);
		if (ans[i].result < 0)
			fail_msg("%s", ans[i].err.msg);
		image_import_free(im[i]);
	}
	assert_int_equal(count_names(f, "snapshots"), 2);
	assert_int_equal(count_names(f, "l"), 2);
	assert_int_equal(count_names(f, "ingest"), 0);
	assert_int_equal(image_count(f->is), 1);
	work_pool_free(pool);
	buf_fini(&a.b);
	buf_fini(&b.b);
	buf_fini(&t.b);
	free(ans);
}

static void a_cancelled_import_leaves_nothing(void **state)
{
	struct fix *f = *state;
	struct image_import_options o = { .kind = IMAGE_IMPORT_ROOTFS };
	struct image_import *im;
	struct tarball t;
	struct slice s = small_layer(&t, "x");

	OK(f, image_import_new(f->is, &o, &im, &f->err));
	OK(f, image_import_push(im, s.p, s.n, &f->err));
	image_import_cancel(im);
	assert_int_equal(image_import_run(im, &f->err), -ERR_UNAVAILABLE);
	assert_err(&f->err, ERR_UNAVAILABLE, "it was cancelled");
	image_import_free(im);
	OK(f, image_import_new(f->is, &o, &im, &f->err));
	OK(f, image_import_push(im, s.p, s.n, &f->err));
	image_import_free(im); /* never run */
	assert_empty(f);
	buf_fini(&t.b);
}

static void a_newer_store_is_refused(void **state)
{
	struct fix *f = *state;
	struct image_store_options o = { .root = f->dir };
	struct image_store *other;
	char cmd[128];
	FILE *fp;

	image_store_close(f->is);
	f->is = NULL;
	snprintf(cmd, sizeof(cmd), "%s/store/store.db", f->dir);
	fp = fopen(cmd, "r+"); /* user_version is bytes 60 to 63 of the header, big endian */
	fseek(fp, 60, SEEK_SET);
	fwrite("\0\0\0\x63", 1, 4, fp);
	fclose(fp);
	assert_int_equal(image_store_open(&o, &other, &f->err), -ERR_UNSUPPORTED);
	assert_err(&f->err, ERR_UNSUPPORTED, "has version 99");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		T(an_imported_root_file_system_has_everything_of_its_tar),
		T(import_takes_changes_message_and_platform),
		T(bad_options_fail_before_the_body),
		T(compressed_root_file_systems_have_the_diff_id_of_the_plain_one),
		T(a_docker_archive_is_loaded_resolved_and_listed),
		T(what_is_not_there_is_named_as_docker_does),
		T(an_oci_layout_keeps_its_manifest_and_its_compressed_layer),
		T(digests_that_differ_are_found_and_nothing_is_kept),
		T(whiteouts_become_overlays_own),
		T(a_container_root_mounts_and_shows_the_merged_tree),
		T(tags_are_moved_and_the_last_one_takes_the_image_along),
		T(a_shared_layer_stays_until_its_last_image_goes),
		T(an_image_that_is_mounted_stays_until_unmount_or_reboot),
		T(a_lease_keeps_what_it_names_and_a_dead_one_does_not),
		T(damage_of_a_config_or_a_blob_is_found),
		T(parallel_imports_of_the_same_layers_end_as_one),
		T(a_cancelled_import_leaves_nothing),
		T(a_newer_store_is_refused),
	};

	HELPER_MAIN(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
