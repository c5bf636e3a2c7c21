/* SPDX-License-Identifier: Apache-2.0 */
/* Directories of artifacts: packed and unpacked the same, and nothing leads out of them. */
#include "fixture.h"
#include "image/artifact-dir.h"
#include "image/copy.h"

struct dirs {
	char path[64];
	int fd;
	struct err err;
	char content[IMAGE_DIGEST_MAX];
};

static int begin(void **state)
{
	struct dirs *d = calloc(1, sizeof(*d));

	strcpy(d->path, "/tmp/teu-adir-XXXXXX");
	assert_non_null(mkdtemp(d->path));
	d->fd = open(d->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = d;
	return 0;
}

static int end(void **state)
{
	struct dirs *d = *state;

	close(d->fd);
	assert_int_equal(fd_remove_tree(AT_FDCWD, d->path, &d->err), 0);
	free(d);
	return 0;
}

static void write_file(struct dirs *d, const char *name, const char *text, mode_t mode)
{
	int fd = openat(d->fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);

	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, mode), 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void tree(struct dirs *d)
{
	assert_int_equal(mkdirat(d->fd, "in", 0750), 0);
	assert_int_equal(mkdirat(d->fd, "in/sub", 0755), 0);
	assert_int_equal(mkdirat(d->fd, "in/empty", 0700), 0);
	write_file(d, "in/b", "bee", 0640);
	write_file(d, "in/a", "", 0755);
	write_file(d, "in/sub/file", "deep", 0644);
	assert_int_equal(symlinkat("../b", d->fd, "in/sub/link"), 0);
	assert_int_equal(symlinkat("sub/file", d->fd, "in/link"), 0);
}

static int pack(struct dirs *d, const char *from, const char *title, struct place_blob *ret)
{
	int dir = openat(d->fd, from, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;

	*ret = (struct place_blob){ .fd = open(d->path, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600) };
	d->err = ERR_INIT;
	r = artifact_dir_pack(dir, title, ret->fd, d->content, &ret->size, &d->err);
	close(dir);
	return r;
}

static int unpack(struct dirs *d, const char *base, const char *title, const char *content,
		  const struct place_blob *b)
{
	const struct artifact_dir ad = {
		.dir = d->fd, .base = base, .title = title, .content = content
	};

	d->err = ERR_INIT;
	return artifact_dir_unpack(&ad, b, &d->err);
}

static struct stat look(struct dirs *d, const char *name)
{
	struct stat st;

	if (fstatat(d->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		fail_msg("no '%s'", name);
	return st;
}

static unsigned count(struct dirs *d)
{
	unsigned n = 0;
	DIR *dir = opendir(d->path);

	while (readdir(dir))
		n++;
	closedir(dir);
	return n - 2;
}

static void a_directory_comes_back_as_it_was(void **state)
{
	struct dirs *d = *state;
	struct place_blob one, two;
	char first[IMAGE_DIGEST_MAX], buf[16] = "";

	tree(d);
	assert_int_equal(pack(d, "in", "some/in", &one), 0);
	strcpy(first, d->content);
	assert_int_equal(unpack(d, "out", "some/in", first, &one), 0);
	assert_int_equal(look(d, "out/b").st_mode & 07777, 0640);
	assert_int_equal(look(d, "out/b").st_mtime, look(d, "in/b").st_mtime);
	assert_int_equal(look(d, "out/a").st_size, 0);
	assert_int_equal(look(d, "out/sub/file").st_size, 4);
	assert_true(S_ISDIR(look(d, "out/empty").st_mode));
	assert_int_equal(readlinkat(d->fd, "out/sub/link", buf, sizeof(buf)), 4);
	assert_string_equal(buf, "../b");
	/* The same files give the same bytes. */
	assert_int_equal(pack(d, "in", "some/in", &two), 0);
	assert_int_equal(one.size, two.size);
	assert_string_equal(first, d->content);
	/* What is there stays; nothing else is left. */
	assert_int_equal(unpack(d, "out", "some/in", NULL, &one), -ERR_EXISTS);
	assert_err(&d->err, ERR_EXISTS, "directories are not replaced");
	first[10] = first[10] == '0' ? '1' : '0';
	assert_int_equal(unpack(d, "other", "some/in", first, &one), -ERR_INVALID);
	assert_err(&d->err, ERR_INVALID, "instead of");
	assert_int_equal(unpack(d, "other", "in", d->content, &one), -ERR_INVALID);
	assert_err(&d->err, ERR_INVALID, "is not below 'in'");
	assert_int_equal(count(d), 2);
	close(one.fd);
	close(two.fd);
}

static void what_a_tar_cannot_hold_is_refused(void **state)
{
	struct dirs *d = *state;
	struct place_blob b;

	assert_int_equal(mkdirat(d->fd, "in", 0750), 0);
	assert_int_equal(mkfifoat(d->fd, "in/pipe", 0600), 0);
	assert_int_equal(pack(d, "in", "in", &b), -ERR_UNSUPPORTED);
	assert_err(&d->err, ERR_UNSUPPORTED, "'in/pipe' is a device, pipe or socket");
	close(b.fd);
}

struct hostile {
	const char *what, *part;
	enum err_code code;
	struct tar_entry v[4];
};

static void blob_of(struct dirs *d, struct slice tar, struct place_blob *ret)
{
	struct buf z;

	gzip_of(tar, &z);
	*ret = (struct place_blob){ .fd = open(d->path, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600),
				    .size = z.n };
	assert_int_equal(write(ret->fd, z.p, z.n), (ssize_t)z.n);
	buf_fini(&z);
}

static void nothing_leads_out(void **state)
{
	static const struct hostile cases[] = {
		{ "a name above",
		  "..",
		  ERR_INVALID,
		  { { .type = TAR_DIR, .name = "t/" }, { .type = TAR_REG, .name = "t/../x" } } },
		{ "another title",
		  "is not below 't'",
		  ERR_INVALID,
		  { { .type = TAR_REG, .name = "tt/x" } } },
		{ "an absolute name",
		  "is an absolute name",
		  ERR_INVALID,
		  { { .type = TAR_REG, .name = "/t/x" } } },
		{ "a link above",
		  "leads out",
		  ERR_INVALID,
		  { { .type = TAR_SYM, .name = "t/l", .link = "../x" } } },
		{ "an absolute link",
		  "leads out",
		  ERR_INVALID,
		  { { .type = TAR_SYM, .name = "t/l", .link = "/etc" } } },
		{ "a link that climbs behind another one",
		  "or might",
		  ERR_INVALID,
		  { { .type = TAR_SYM, .name = "t/d", .link = "." },
		    { .type = TAR_SYM, .name = "t/l", .link = "d/.." } } },
		{ "a file through a link",
		  "t",
		  ERR_CODE_COUNT,
		  { { .type = TAR_DIR, .name = "t/s/" },
		    { .type = TAR_SYM, .name = "t/l", .link = "s" },
		    { .type = TAR_REG, .name = "t/l/x" } } },
		{ "a file over a link",
		  "make the file",
		  ERR_CODE_COUNT,
		  { { .type = TAR_SYM, .name = "t/l", .link = "x" },
		    { .type = TAR_REG, .name = "t/l" } } },
		{ "a hard link out",
		  "is not below",
		  ERR_INVALID,
		  { { .type = TAR_HARD, .name = "t/h", .link = "etc/passwd" } } },
		{ "a hard link to a link",
		  "t",
		  ERR_CODE_COUNT,
		  { { .type = TAR_SYM, .name = "t/l", .link = "x" },
		    { .type = TAR_HARD, .name = "t/h", .link = "t/l" } } },
		{ "a device",
		  "is a device or a pipe",
		  ERR_UNSUPPORTED,
		  { { .type = TAR_CHAR, .name = "t/null", .major = 1, .minor = 3 } } },
		{ "no directory",
		  "is no directory",
		  ERR_INVALID,
		  { { .type = TAR_REG, .name = "t" } } },
		{ "nothing", "the archive is empty", ERR_INVALID, { { .name = NULL } } },
	};
	struct dirs *d = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct place_blob b;
		struct tarball t;
		int r;

		tar_begin(&t);
		for (size_t k = 0; k < ARRAY_LEN(cases[i].v) && cases[i].v[k].name; k++) {
			struct tar_entry e = cases[i].v[k];

			e.link = e.link ? e.link : "";
			tar_entry(&t, e, NULL);
		}
		blob_of(d, tar_end(&t), &b);
		r = unpack(d, "out", "t", NULL, &b);
		if (r >= 0)
			fail_msg("%s was unpacked", cases[i].what);
		assert_err(&d->err, cases[i].code == ERR_CODE_COUNT ? d->err.code : cases[i].code,
			   cases[i].part);
		assert_int_equal(count(d), 0);
		close(b.fd);
		buf_fini(&t.b);
	}
}

static void set_user_id_is_dropped_and_links_inside_stay(void **state)
{
	struct dirs *d = *state;
	struct place_blob b;
	struct tarball t;

	tar_begin(&t);
	tar_dir(&t, "t/");
	tar_dir(&t, "t/sub/");
	tar_entry(&t,
		  (struct tar_entry){ .type = TAR_REG, .name = "t/suid", .size = 1, .mode = 06755 },
		  "x");
	tar_link(&t, TAR_HARD, "t/sub/hard", "t/suid");
	tar_link(&t, TAR_SYM, "t/sub/up", "../suid");
	blob_of(d, tar_end(&t), &b);
	assert_int_equal(unpack(d, "out", "t", NULL, &b), 0);
	assert_int_equal(look(d, "out/suid").st_mode & 07777, 0755);
	assert_int_equal(look(d, "out/sub/hard").st_ino, look(d, "out/suid").st_ino);
	close(b.fd);
	buf_fini(&t.b);
}

#define D(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		D(a_directory_comes_back_as_it_was),
		D(what_a_tar_cannot_hold_is_refused),
		D(nothing_leads_out),
		D(set_user_id_is_dropped_and_links_inside_stay),
	};

	HELPER_MAIN(argc, argv);
	umask(022);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
