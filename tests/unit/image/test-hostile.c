/* SPDX-License-Identifier: Apache-2.0 */
/* Hostile archives, each class by name: one clear error, nothing in the store, nothing outside of
 * it. */
#include "fixture.h"

#include <errno.h>
#include <lzma.h>
#include <sched.h>
#include <sys/mount.h>

struct bad {
	struct tarball t;
	void (*make)(struct tarball *t);
};

/* The first entry becomes a pax header of the next. */
static void pax_header(struct tarball *t)
{
	unsigned sum = 0;

	t->b.p[156] = 'x';
	memset(t->b.p + 148, ' ', 8);
	for (int i = 0; i < TAR_BLOCK; i++)
		sum += (unsigned char)t->b.p[i];
	snprintf(t->b.p + 148, 8, "%06o", sum);
}

/* code ERR_CODE_COUNT: any */
static void refused(struct fix *f, struct tarball *t, enum err_code code, const char *part)
{
	int r = import_rootfs(f, tar_end(t), "bad:1", NULL);

	if (r >= 0)
		fail_msg("was accepted");
	assert_err(&f->err, code == ERR_CODE_COUNT ? f->err.code : code, part);
	assert_empty(f);
	buf_fini(&t->b);
}

static void dot_dot_in_a_name_is_refused(void **state)
{
	static const char *const names[] = { "../x", "a/../../x", "a/..", "./..", "/../x" };
	struct tarball t;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		tar_begin(&t);
		tar_file(&t, names[i], "x");
		refused(*state, &t, ERR_INVALID, "has a '..' in it");
	}
}

static void an_absolute_name_stays_in_the_layer(void **state)
{
	struct fix *f = *state;
	struct tarball t;

	tar_begin(&t);
	tar_file(&t, "/teu-hostile-absolute", "x");
	OK(f, import_rootfs(f, tar_end(&t), "abs:1", NULL));
	assert_true(is_in(f, "abs:1", "teu-hostile-absolute"));
	assert_int_equal(access("/teu-hostile-absolute", F_OK), -1);
	buf_fini(&t.b);
}

static void a_link_out_does_not_lead_files_out(void **state)
{
	struct fix *f = *state;
	static const char *const targets[] = { "/tmp", "..", "../../..", ".", "/proc/self/root",
					       "real" };
	struct tarball t;

	for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
		tar_begin(&t);
		tar_dir(&t, "real");
		tar_link(&t, TAR_SYM, "out", targets[i]);
		tar_file(&t, "out/teu-hostile-link", "x");
		refused(f, &t, ERR_INVALID, "lies below a symbolic link of this layer");
	}
	assert_int_equal(access("/tmp/teu-hostile-link", F_OK), -1);
}

static void a_late_link_does_not_redirect_a_file(void **state)
{
	struct fix *f = *state;
	struct tarball t;

	tar_begin(&t);
	tar_dir(&t, "a");
	tar_file(&t, "a/one", "x");
	tar_link(&t, TAR_SYM, "a", "/tmp"); /* replaces the directory, whose fd was at hand */
	tar_file(&t, "a/teu-hostile-late", "x");
	refused(f, &t, ERR_INVALID, "lies below a symbolic link");
	assert_int_equal(access("/tmp/teu-hostile-late", F_OK), -1);
}

static void a_file_over_a_link_replaces_the_link(void **state)
{
	struct fix *f = *state;
	struct tarball t;
	struct stat st;

	tar_begin(&t);
	tar_link(&t, TAR_SYM, "x", "/etc/passwd");
	tar_file(&t, "x", "owned");
	OK(f, import_rootfs(f, tar_end(&t), "over:1", NULL));
	stat_in(f, "over:1", "x", &st);
	assert_true(S_ISREG(st.st_mode) && st.st_size == 5);
	buf_fini(&t.b);
}

static void hard_links_out_are_refused(void **state)
{
	static const struct {
		const char *target, *part;
	} cases[] = {
		{ "../../../etc/passwd", "has a '..' in it" },
		{ "/etc/passwd", "the target of the hard link is not in this layer" },
		{ "link/passwd", "the target of the hard link lies below a symbolic link" },
		{ "dir", "is a hard link to a directory" },
		{ "h", "is a hard link to itself" },
		{ ".", "is a hard link to itself or to the root" },
	};
	struct tarball t;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		tar_begin(&t);
		tar_dir(&t, "dir");
		tar_link(&t, TAR_SYM, "link", "/etc");
		tar_link(&t, TAR_HARD, "h", cases[i].target);
		refused(*state, &t, ERR_INVALID, cases[i].part);
	}
}

static void a_hard_link_to_a_link_does_not_follow_it(void **state)
{
	struct fix *f = *state;
	struct tarball t;
	struct stat st;

	tar_begin(&t);
	tar_link(&t, TAR_SYM, "s", "/etc/passwd");
	tar_link(&t, TAR_HARD, "h", "s");
	OK(f, import_rootfs(f, tar_end(&t), "hl:1", NULL));
	stat_in(f, "hl:1", "h", &st);
	assert_true(S_ISLNK(st.st_mode));
	buf_fini(&t.b);
}

static void forged_overlay_marks_are_refused(void **state)
{
	static const char *const names[] = { "trusted.overlay.opaque", "trusted.overlay.redirect",
					     "trusted.x", "user.overlay.opaque" };
	struct tarball t;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct tar_xattr x = { names[i], SLICE("y") };

		tar_begin(&t);
		tar_entry(&t,
			  (struct tar_entry){
				  .type = TAR_DIR, .name = "d", .xattrs = &x, .nxattrs = 1 },
			  NULL);
		refused(*state, &t, ERR_INVALID, "is not allowed in a layer");
	}
	tar_begin(&t);
	tar_entry(&t, (struct tar_entry){ .type = TAR_CHAR, .name = "wh" }, NULL);
	refused(*state, &t, ERR_INVALID, "character device 0:0 is overlay's whiteout");
}

static void bad_whiteouts_are_refused(void **state)
{
	static const struct {
		const char *name, *part;
	} cases[] = {
		{ ".wh.", "is a whiteout of no possible name" },
		{ "a/.wh...", "is a whiteout of no possible name" },
		{ ".wh..", "is a whiteout of no possible name" },
		{ ".wh.a/b", "lies below a whiteout" },
		{ ".wh..wh..opq/x", "lies below a whiteout" },
	};
	struct tarball t;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		tar_begin(&t);
		tar_file(&t, cases[i].name, "");
		refused(*state, &t, ERR_INVALID, cases[i].part);
	}
}

static void a_file_as_parent_is_refused(void **state)
{
	struct tarball t;

	tar_begin(&t);
	tar_file(&t, "f", "x");
	tar_file(&t, "f/below", "x");
	refused(*state, &t, ERR_INVALID, "lies below something that is no directory");
	tar_begin(&t);
	tar_file(&t, "./", "x");
	refused(*state, &t, ERR_INVALID, "");
}

static void device_nodes_cannot_be_opened_from_the_store_by_others(void **state)
{
	struct fix *f = *state;
	struct stat st;
	char path[128];

	snprintf(path, sizeof(path), "%s/store", f->dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
}

static void xz_of(struct slice in, struct buf *out)
{
	size_t n = 0;

	*out = BUF_INIT(16u << 20);
	assert_non_null(buf_room(out, 1 << 20));
	assert_int_equal(lzma_easy_buffer_encode(6, LZMA_CHECK_CRC32, NULL, (const uint8_t *)in.p,
						 in.n, (uint8_t *)out->p, &n, 1 << 20),
			 LZMA_OK);
	out->n = n;
}

/* A file of holes costs nothing to send: its size counts all the same. */
static void a_sparse_map_that_lies_is_refused(void **state)
{
	static const struct {
		const char *real, *map, *part;
	} cases[] = {
		{ "99999999999999999", "0,3", "has no size, or one over" },
		{ "4611686018427387904", "0,3", "has no size, or one over" },
		{ "10", "8,3", "does not fit its data" },
		{ "10", "0,2", "does not fit its data" },
		{ "10", "0,4", "does not fit its data" },
		{ "10", "5,2,4,1", "does not fit its data" },
		{ "10", "18446744073709551615,3", "does not fit its data" },
		{ "10", "0,18446744073709551615,0,4", "does not fit its data" },
		{ "10", "0,3,5", "record of a sparse file is bad" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char records[2][200];
		struct tarball t;
		size_t at;

		/* in front of the file that our writer makes, over its own name */
		tar_begin(&t);
		snprintf(records[0], sizeof(records[0]), "GNU.sparse.realsize=%s\n", cases[i].real);
		snprintf(records[1], sizeof(records[1]), "GNU.sparse.map=%s\n", cases[i].map);
		at = 0;
		for (int k = 0; k < 2; k++) {
			size_t n = strlen(records[k]) + 3;
			char line[256];

			snprintf(line, sizeof(line), "%zu %s", n, records[k]);
			if (strlen(line) != n)
				snprintf(line, sizeof(line), "%zu %s", n + 1, records[k]);
			memcpy(records[k], line, strlen(line) + 1);
			at += strlen(line);
		}
		tar_entry(&t, (struct tar_entry){ .type = TAR_REG, .name = "pax", .size = at },
			  strcat(strcpy((char[512]){ 0 }, records[0]), records[1]));
		pax_header(&t);
		tar_file(&t, "f", "abc");
		refused(*state, &t, ERR_CODE_COUNT, cases[i].part);
	}
}

static void bombs_are_stopped(void **state)
{
	struct fix *f = *state;
	struct tarball t;
	struct buf gz, xz;
	char *zeros = calloc(1, 8 << 20);

	tar_begin(&t);
	tar_bytes(&t, "zeros", zeros, 8 << 20);
	gzip_of(tar_end(&t), &gz);
	image_store_close(f->is);
	f->limits = (struct image_limits){ .ratio_free = 1 << 20, .ratio_max = 100 };
	open_store(f);
	assert_int_equal(import_rootfs(f, buf_slice(&gz), NULL, NULL), -ERR_TOO_LARGE);
	assert_err(&f->err, ERR_TOO_LARGE, "expands more than 100 times");
	assert_int_equal(load(f, buf_slice(&gz), NULL), -ERR_TOO_LARGE);
	assert_empty(f);
	xz_of(buf_slice(&t.b), &xz);
	assert_int_equal(import_rootfs(f, buf_slice(&xz), NULL, NULL), -ERR_TOO_LARGE);
	assert_err(&f->err, ERR_TOO_LARGE, "expands more than 100 times");
	assert_empty(f);
	buf_fini(&xz);
	image_store_close(f->is);
	f->limits = (struct image_limits){ .layer_max = 4 << 20 };
	open_store(f);
	assert_int_equal(import_rootfs(f, buf_slice(&gz), NULL, NULL), -ERR_TOO_LARGE);
	assert_err(&f->err, ERR_TOO_LARGE, "larger than 4194304 bytes");
	assert_int_equal(import_rootfs(f, buf_slice(&t.b), NULL, NULL), -ERR_TOO_LARGE);
	assert_empty(f);
	image_store_close(f->is);
	f->limits = (struct image_limits){ .input_max = 1 << 20 };
	open_store(f);
	assert_int_equal(import_rootfs(f, buf_slice(&t.b), NULL, NULL), -ERR_TOO_LARGE);
	assert_err(&f->err, ERR_TOO_LARGE, "larger than the limit of 1048576 bytes");
	assert_empty(f);
	free(zeros);
	buf_fini(&gz);
	buf_fini(&t.b);
}

static void counts_are_limited(void **state)
{
	struct fix *f = *state;
	struct tarball t;
	char name[32];

	image_store_close(f->is);
	f->limits = (struct image_limits){ .entries_max = 100, .members_max = 50, .layers_max = 1 };
	open_store(f);
	tar_begin(&t);
	for (int i = 0; i < 101; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		tar_file(&t, name, "");
	}
	assert_int_equal(load(f, tar_end(&t), NULL), -ERR_TOO_LARGE);
	assert_err(&f->err, ERR_TOO_LARGE, "more than 50 entries");
	refused(f, &t, ERR_TOO_LARGE, "more than 100 entries");
}

static void damaged_and_foreign_streams_are_refused(void **state)
{
	struct fix *f = *state;
	struct tarball t;
	struct buf gz;
	struct slice s = small_layer(&t, "x");

	gzip_of(s, &gz);
	assert_int_equal(import_rootfs(f, slice_of(gz.p, gz.n - 9), NULL, NULL), -ERR_INVALID);
	assert_err(&f->err, ERR_INVALID, "gzip stream ends too early");
	gz.p[20] ^= 0x55;
	assert_int_equal(import_rootfs(f, buf_slice(&gz), NULL, NULL), -ERR_INVALID);
	assert_err(&f->err, ERR_INVALID, "gzip stream is damaged");
	assert_int_equal(import_rootfs(f, SLICE("\x28\xb5\x2f\xfd-not-zstd-at-all"), NULL, NULL),
			 -ERR_INVALID);
	assert_err(&f->err, ERR_INVALID, "zstd stream");
	assert_int_equal(import_rootfs(f, SLICE("BZh91AY&SY"), NULL, NULL), -ERR_INVALID);
	assert_err(&f->err, ERR_INVALID, "bzip2 stream ends too early");
	assert_int_equal(import_rootfs(f, SLICE("BZh91AY&SYrubbish and more rubbish"), NULL, NULL),
			 -ERR_INVALID);
	assert_err(&f->err, ERR_INVALID, "bzip2 stream is damaged");
	assert_int_equal(import_rootfs(f, SLICE("\x04\x22\x4d\x18rest"), NULL, NULL),
			 -ERR_UNSUPPORTED);
	assert_err(&f->err, ERR_UNSUPPORTED, "compressed with lz4; use gzip, zstd, xz, bzip2");
	assert_int_equal(import_rootfs(f,
				       SLICE("\xfd"
					     "7zXZ\0rest"),
				       NULL, NULL),
			 -ERR_INVALID);
	assert_err(&f->err, ERR_INVALID, "xz stream ends too early");
	assert_int_equal(import_rootfs(f, SLICE("hello world"), NULL, NULL), -ERR_INVALID);
	assert_err(&f->err, ERR_INVALID, "ends too early");
	assert_int_equal(import_rootfs(f, slice_of(s.p, 700), NULL, NULL), -ERR_INVALID);
	assert_int_equal(import_rootfs(f, SLICE(""), NULL, NULL), -ERR_INVALID);
	assert_err(&f->err, ERR_INVALID, "the archive is empty");
	assert_empty(f);
	buf_fini(&gz);
	buf_fini(&t.b);
}

/* ---- archives of images ---- */

static void load_refused(struct fix *f, struct tarball *t, enum err_code code, const char *part)
{
	if (load(f, tar_end(t), NULL) >= 0)
		fail_msg("was accepted");
	assert_err(&f->err, code, part);
	assert_empty(f);
	buf_fini(&t->b);
}

static void bad_archives_are_refused(void **state)
{
	struct fix *f = *state;
	static const struct {
		const char *manifest;
		enum err_code code;
		const char *part;
	} cases[] = {
		{ "{", ERR_BAD_REQUEST, "archive member 'manifest.json'" },
		{ "{}", ERR_INVALID, "must be a list of images" },
		{ "[]", ERR_INVALID, "must be a list of images" },
		{ "[{}]", ERR_INVALID, "an image has no Config" },
		{ "[{\"Config\":\"../../etc/passwd\"}]", ERR_INVALID, "has a '..' in it" },
		{ "[{\"Config\":\"nope\"}]", ERR_INVALID, "the archive has no member 'nope'" },
		{ "[{\"Config\":\"out\"}]", ERR_INVALID, "leaves the archive" },
		{ "[{\"Config\":\"loop\"}]", ERR_INVALID, "has too many links" },
		{ "[{\"Config\":\"empty.json\"}]", ERR_INVALID, "image config" },
		{ "[{\"Config\":\"config.json\",\"Layers\":[]}]", ERR_INVALID,
		  "has 0 layers, but its config names 1 diff ids" },
		{ "[{\"Config\":\"config.json\",\"Layers\":[7]}]", ERR_INVALID,
		  "a layer is no string" },
		{ "[{\"Config\":\"config.json\",\"Layers\":[\"empty.json\"]}]", ERR_INVALID,
		  "layer 1" },
		{ "[{\"Config\":\"config.json\",\"Layers\":[\"l\"],\"RepoTags\":[\"Bad:1\"]}]",
		  ERR_BAD_REQUEST, "must be lowercase" },
	};
	struct tarball t, lt;
	struct slice layer = small_layer(&lt, "x");
	struct buf config;

	config_of(&config, &layer, 1, "");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		tar_begin(&t);
		tar_file(&t, "manifest.json", cases[i].manifest);
		tar_file(&t, "empty.json", "{}");
		tar_bytes(&t, "config.json", config.p, config.n);
		tar_bytes(&t, "l", layer.p, layer.n);
		tar_link(&t, TAR_SYM, "out", "../../../etc/passwd");
		tar_link(&t, TAR_SYM, "loop", "loop");
		load_refused(f, &t, cases[i].code, cases[i].part);
	}
	tar_begin(&t);
	tar_file(&t, "manifest.json", "[]");
	tar_file(&t, "./manifest.json", "[]");
	load_refused(f, &t, ERR_INVALID, "occurs twice");
	tar_begin(&t);
	tar_file(&t, "repositories", "{}");
	load_refused(f, &t, ERR_UNSUPPORTED, "docker before 1.10");
	tar_begin(&t);
	tar_file(&t, "bin/sh", "x");
	load_refused(f, &t, ERR_INVALID, "neither manifest.json (docker save) nor index.json");
	tar_begin(&t);
	tar_file(&t, "index.json", "{}");
	tar_file(&t, "oci-layout", "{\"imageLayoutVersion\":\"9\"}");
	load_refused(f, &t, ERR_UNSUPPORTED, "only imageLayoutVersion 1.0.0");
	buf_fini(&config);
	buf_fini(&lt.b);
}

static void links_inside_an_archive_are_followed(void **state)
{
	struct fix *f = *state;
	struct tarball t, lt;
	struct slice layer = small_layer(&lt, "x");
	struct buf config;

	config_of(&config, &layer, 1, "");
	tar_begin(&t);
	tar_bytes(&t, "b/layer.tar", layer.p, layer.n);
	tar_link(&t, TAR_SYM, "a/layer.tar", "../b/layer.tar");
	tar_bytes(&t, "c.json", config.p, config.n);
	tar_file(&t, "manifest.json",
		 "[{\"Config\":\"c.json\",\"Layers\":[\"a/layer.tar\"],\"RepoTags\":null}]");
	OK(f, load(f, tar_end(&t), NULL));
	assert_int_equal(image_count(f->is), 1);
	buf_fini(&config);
	buf_fini(&t.b);
	buf_fini(&lt.b);
}

/* ---- full disk ---- */

static void a_full_disk_leaves_nothing_and_says_so(void **state)
{
	struct fix *f = *state;
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct image_store_options o = { .root = f->dir };
		struct image_store *is;
		struct image_import_options io = { .kind = IMAGE_IMPORT_ROOTFS };
		struct tarball t;
		char *data = malloc(3 << 20);

		memset(data, 'x', 3 << 20); /* zeros would become a hole */
		if (unshare(CLONE_NEWNS) < 0 ||
		    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		    mount("tmpfs", f->dir, "tmpfs", 0, "size=5m") < 0)
			_exit(77);
		if (image_store_open(&o, &is, &f->err) < 0)
			_exit(1);
		f->is = is;
		tar_begin(&t);
		tar_bytes(&t, "big", data, 3 << 20);
		/* The spool fits, the snapshot does not. */
		if (import_opts(f, &io, tar_end(&t), NULL) >= 0 || f->err.sys != ENOSPC ||
		    !strstr(f->err.msg, "No space left"))
			_exit(2);
		assert_empty(f);
		tar_begin(&t);
		for (int i = 0; i < 3; i++)
			tar_bytes(&t, "big", data, 3 << 20);
		if (import_opts(f, &io, tar_end(&t), NULL) >= 0 ||
		    !strstr(f->err.msg, "spool the archive"))
			_exit(3);
		assert_empty(f);
		/* And it still works. */
		_exit(import_opts(f, &io, small_layer(&t, "x"), NULL) < 0 ? 4 : 0);
	}
	waitpid(pid, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(status, 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		T(dot_dot_in_a_name_is_refused),
		T(an_absolute_name_stays_in_the_layer),
		T(a_link_out_does_not_lead_files_out),
		T(a_late_link_does_not_redirect_a_file),
		T(a_file_over_a_link_replaces_the_link),
		T(hard_links_out_are_refused),
		T(a_hard_link_to_a_link_does_not_follow_it),
		T(forged_overlay_marks_are_refused),
		T(bad_whiteouts_are_refused),
		T(a_file_as_parent_is_refused),
		T(device_nodes_cannot_be_opened_from_the_store_by_others),
		T(a_sparse_map_that_lies_is_refused),
		T(bombs_are_stopped),
		T(counts_are_limited),
		T(damaged_and_foreign_streams_are_refused),
		T(bad_archives_are_refused),
		T(links_inside_an_archive_are_followed),
		T(a_full_disk_leaves_nothing_and_says_so),
	};

	HELPER_MAIN(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
