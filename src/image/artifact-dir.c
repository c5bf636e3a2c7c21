/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Directories of artifacts, as ORAS packs them: a gzipped tar whose names begin with the title,
 * everything owned by 0. Packing is sorted and tells whole seconds, so equal files are equal bytes.
 * Unpacking goes into a new directory beside the place, which is named when all was written and
 * checked. What it makes can lead nowhere else: no name passes a link, and a link is relative,
 * climbs only at its beginning, and never above the directory.
 */
#include "image/artifact-dir.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/hash.h"
#include "image/copy-priv.h"
#include "image/tar.h"
#include "linux/path.h"
#include "linux/sys.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define CHUNK (128u << 10)
#define DEPTH_MAX 256
#define ENTRIES_MAX (1u << 20)

/* ---- packing ---- */

struct pack {
	struct tar_writer tar;
	struct image_hash plain;
	z_stream z;
	int out;
	uint64_t size;
	char *chunk, *packed;
	uint64_t entries;
};

static int deflate_all(struct pack *k, const void *p, size_t n, int flush, struct err *err)
{
	int rc;

	k->z.next_in = (unsigned char *)(uintptr_t)p;
	k->z.avail_in = (unsigned)n;
	do {
		k->z.next_out = (unsigned char *)k->packed;
		k->z.avail_out = CHUNK;
		rc = deflate(&k->z, flush);
		n = CHUNK - k->z.avail_out;
		if (n && fd_write_all(k->out, k->packed, n) < 0)
			return err_sys(err, "write the packed directory");
		k->size += n;
	} while (rc == Z_OK && (flush == Z_FINISH || k->z.avail_in || k->z.avail_out == 0));
	return rc == Z_STREAM_ERROR ? err_set(err, ERR_SYSTEM, "gzip failed") : 0;
}

static int to_gzip(void *ctx, const void *p, size_t n, struct err *err)
{
	struct pack *k = ctx;

	image_hash_update(&k->plain, p, n);
	return deflate_all(k, p, n, Z_NO_FLUSH, err);
}

static int pack_file(struct pack *k, int fd, const struct tar_entry *e, struct err *err)
{
	int r = tar_writer_entry(&k->tar, e, err);

	while (r >= 0 && k->tar.left) {
		ssize_t n = fd_read_full(fd, k->chunk, (size_t)MIN(k->tar.left, (uint64_t)CHUNK));

		if (n < 0)
			return err_sys(err, "read '%s'", e->name);
		if (n == 0)
			return err_set(err, ERR_CONFLICT, "'%s' became shorter meanwhile", e->name);
		r = tar_writer_data(&k->tar, k->chunk, (size_t)n, err);
	}
	return r;
}

static int pack_dir(struct pack *k, int fd, const char *name, int depth, struct err *err);

static int pack_link(struct pack *k, int dir, const char *base, struct tar_entry *e,
		     struct err *err)
{
	char target[TAR_NAME_MAX + 1];
	ssize_t n = readlinkat(dir, base, target, sizeof(target));

	if (n < 0 || n == (ssize_t)sizeof(target))
		return err_sys(err, "read the link '%s'", e->name);
	target[n] = '\0';
	e->type = TAR_SYM;
	e->link = target;
	e->mode = 0777;
	return tar_writer_entry(&k->tar, e, err);
}

static int pack_one(struct pack *k, int dir, const char *base, const char *name, int depth,
		    struct err *err)
{
	CLEANUP(fd_close) int fd = -1;
	struct tar_entry e = { .type = TAR_REG, .name = name, .link = "" };
	struct stat st;

	if (strlen(name) > TAR_NAME_MAX - 2 || ++k->entries > ENTRIES_MAX)
		return err_set(err, ERR_TOO_LARGE, "'%.200s': too long a name, or too many files",
			       name);
	if (sys_fstatat(dir, base, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, "look at '%s'", name);
	e.mtime_s = st.st_mtime;
	if (S_ISLNK(st.st_mode))
		return pack_link(k, dir, base, &e, err);
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return err_set(err, ERR_UNSUPPORTED,
			       "'%s' is a device, pipe or socket, which an artifact cannot hold",
			       name);
	fd = sys_openat(dir, base, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0);
	if (fd < 0 || sys_fstat(fd, &st) < 0) /* what was opened counts */
		return err_sys(err, "open '%s'", name);
	e.mode = st.st_mode & 0777;
	e.size = (uint64_t)st.st_size;
	return S_ISDIR(st.st_mode) ? pack_dir(k, fd, name, depth, err) : pack_file(k, fd, &e, err);
}

static int not_dots(const struct dirent *e)
{
	return strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int pack_members(struct pack *k, int fd, const char *name, int depth, struct err *err)
{
	struct dirent **v;
	char path[TAR_NAME_MAX + 260];
	int n = scandirat(fd, ".", &v, not_dots, by_bytes), r = 0;

	if (n < 0)
		return err_sys(err, "list '%s'", name);
	for (int i = 0; i < n; i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", name, v[i]->d_name);
		if (r >= 0)
			r = pack_one(k, fd, v[i]->d_name, path, depth + 1, err);
		free(v[i]);
	}
	free(v);
	return r;
}

static int pack_dir(struct pack *k, int fd, const char *name, int depth, struct err *err)
{
	struct tar_entry e = { .type = TAR_DIR, .link = "" };
	char slash[TAR_NAME_MAX + 2];
	struct stat st;
	int r;

	if (depth == DEPTH_MAX)
		return err_set(err, ERR_TOO_LARGE, "'%.200s' is more than %d directories deep",
			       name, DEPTH_MAX);
	if (sys_fstat(fd, &st) < 0)
		return err_sys(err, "look at '%s'", name);
	(void)snprintf(slash, sizeof(slash), "%s/", name);
	e.name = slash;
	e.mode = st.st_mode & 0777;
	e.mtime_s = st.st_mtime;
	r = tar_writer_entry(&k->tar, &e, err);
	return r < 0 ? r : pack_members(k, fd, name, depth, err);
}

int artifact_dir_pack(int dir, const char *title, int out, char ret_content[IMAGE_DIGEST_MAX],
		      uint64_t *ret_size, struct err *err)
{
	CLEANUP_FREE char *chunk = malloc(CHUNK), *packed = malloc(CHUNK);
	struct pack k = { .out = out, .chunk = chunk, .packed = packed };
	int r;

	if (!chunk || !packed ||
	    deflateInit2(&k.z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) !=
		    Z_OK)
		abort();
	image_hash_init(&k.plain, IMAGE_SHA256);
	tar_writer_init(&k.tar, to_gzip, &k);
	r = pack_dir(&k, dir, title, 0, err);
	if (r >= 0)
		r = tar_writer_finish(&k.tar, err);
	if (r >= 0)
		r = deflate_all(&k, NULL, 0, Z_FINISH, err);
	(void)deflateEnd(&k.z);
	image_hash_final(&k.plain, ret_content);
	*ret_size = k.size;
	return r;
}

/* ---- unpacking ---- */

struct unpack {
	struct tar_reader *tar;
	struct image_hash plain;
	const char *title;
	int root; /* the new directory */
	int file; /* the one at work */
	bool begun;
	int64_t mtime;
	uint64_t at;
};

/* The name below the directory: "" = itself. */
static int inside(const struct unpack *u, const char *name, char clean[TAR_NAME_MAX + 1],
		  const char **ret, struct err *err)
{
	size_t n = strlen(u->title);
	int r;

	if (name[0] == '/')
		return err_set(err, ERR_INVALID, "'%.200s' is an absolute name", name);
	r = tar_name_clean(name, clean, err);
	if (r < 0)
		return r;
	if (strncmp(clean, u->title, n) != 0 || (clean[n] && clean[n] != '/'))
		return err_set(err, ERR_INVALID, "'%.200s' is not below '%.200s'", name, u->title);
	*ret = clean + n + (clean[n] == '/');
	return 0;
}

/* "../" at its beginning, but not above the directory that `at` is in; names after that. */
static bool link_stays(const char *at, const char *target)
{
	size_t depth = 0;

	for (const char *c = at; *c; c++)
		depth += *c == '/';
	if (!*target || *target == '/')
		return false;
	while (strncmp(target, "..", 2) == 0 && (target[2] == '/' || !target[2])) {
		if (depth-- == 0)
			return false;
		target += 2 + (target[2] == '/');
	}
	for (struct slice rest = slice_str(target), part; rest.p;) {
		part = slice_split(&rest, '/');
		if (slice_is(part, ".."))
			return false;
	}
	return true;
}

/* The directory that holds the name, and its last part; all before it must be there. */
static int open_parent(const struct unpack *u, const char *name, int *ret, const char **ret_base,
		       struct err *err)
{
	const char *slash = strrchr(name, '/');
	char parent[TAR_NAME_MAX + 1];

	*ret_base = slash ? slash + 1 : name;
	if (!slash) {
		*ret = sys_openat(u->root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
		return *ret < 0 ? err_sys(err, "open the directory") : 0;
	}
	(void)snprintf(parent, sizeof(parent), "%.*s", (int)(slash - name), name);
	return path_open_beneath(u->root, parent, O_PATH | O_DIRECTORY, 0, ret, err);
}

static int make_dir(int dir, const char *base, uint32_t mode, struct err *err)
{
	struct stat st;

	if (sys_mkdirat(dir, base, (mode & 0777) | 0700) == 0)
		return 0;
	if (errno == EEXIST && sys_fstatat(dir, base, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISDIR(st.st_mode))
		return 0;
	return err_sys(err, "make the directory '%s'", base);
}

static int make_hard(struct unpack *u, int dir, const char *base, const char *target,
		     struct err *err)
{
	CLEANUP(fd_close) int old = -1;
	char clean[TAR_NAME_MAX + 1], path[64];
	const char *name;
	struct stat st;
	int r = inside(u, target, clean, &name, err);

	if (r >= 0)
		r = path_open_beneath(u->root, name, O_PATH, 0, &old, err);
	if (r < 0)
		return r;
	if (sys_fstat(old, &st) < 0 || !S_ISREG(st.st_mode))
		return err_set(err, ERR_INVALID, "'%.200s' is a hard link to no file", base);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", old);
	return linkat(AT_FDCWD, path, dir, base, AT_SYMLINK_FOLLOW) < 0
		       ? err_sys(err, "make the link '%s'", base)
		       : 0;
}

static int on_entry(void *ctx, const struct tar_entry *e, struct err *err)
{
	struct unpack *u = ctx;
	CLEANUP(fd_close) int dir = -1;
	char clean[TAR_NAME_MAX + 1];
	const char *name, *base;
	int r = inside(u, e->name, clean, &name, err);

	u->begun = true;
	if (r < 0 || (!*name && e->type == TAR_DIR))
		return r;
	if (!*name)
		return err_set(err, ERR_INVALID, "'%.200s' is no directory", e->name);
	r = open_parent(u, name, &dir, &base, err);
	if (r < 0)
		return r;
	switch (e->type) {
	case TAR_DIR: return make_dir(dir, base, e->mode, err);
	case TAR_HARD: return make_hard(u, dir, base, e->link, err);
	case TAR_SYM:
		if (!link_stays(name, e->link))
			return err_set(err, ERR_INVALID,
				       "the link '%.200s' leads out of the directory, or might",
				       e->name);
		return symlinkat(e->link, dir, base) < 0
			       ? err_sys(err, "make the link '%s'", e->name)
			       : 0;
	case TAR_REG:
		u->file =
			sys_openat(dir, base, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
				   (e->mode & 0777) | 0600);
		u->mtime = e->mtime_s;
		u->at = 0;
		return u->file < 0 ? err_sys(err, "make the file '%s'", e->name) : 0;
	default: return err_set(err, ERR_UNSUPPORTED, "'%.200s' is a device or a pipe", e->name);
	}
}

static int on_data(void *ctx, const void *p, size_t n, struct err *err)
{
	struct unpack *u = ctx;

	if (fd_write_all(u->file, p, n) < 0)
		return err_sys(err, "write a file");
	u->at += n;
	return 0;
}

static int on_hole(void *ctx, uint64_t n, struct err *err)
{
	struct unpack *u = ctx;

	u->at += n;
	return ftruncate(u->file, (off_t)u->at) < 0 || lseek(u->file, 0, SEEK_END) < 0
		       ? err_sys(err, "write a file")
		       : 0;
}

static int on_end(void *ctx, struct err *err)
{
	struct unpack *u = ctx;
	const struct timespec t[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = u->mtime } };

	(void)err;
	if (u->file >= 0)
		(void)futimens(u->file, t); /* a time that the file system has not is no loss */
	fd_close(STEAL_FD(u->file));
	return 0;
}

static int take(void *ctx, struct slice bytes, struct err *err)
{
	struct unpack *u = ctx;

	image_hash_update(&u->plain, bytes.p, bytes.n);
	return tar_reader_push(u->tar, bytes.p, bytes.n, err);
}

static int fill(const struct artifact_dir *d, const struct place_blob *b, int root, struct err *err)
{
	static const struct tar_ops ops = {
		.entry = on_entry, .data = on_data, .hole = on_hole, .end = on_end
	};
	const struct tar_limits lim = { .entries_max = ENTRIES_MAX };
	struct unpack u = { .title = d->title, .root = root, .file = -1 };
	char digest[IMAGE_DIGEST_MAX];
	int r;

	image_hash_init(&u.plain, d->content ? image_digest_alg(d->content) : IMAGE_SHA256);
	u.tar = tar_reader_new(&lim, &ops, &u);
	r = place_inflate(d->conf, b, take, &u, err);
	if (r >= 0)
		r = tar_reader_finish(u.tar, err);
	tar_reader_free(u.tar);
	fd_close(u.file);
	image_hash_final(&u.plain, digest);
	if (r >= 0 && !u.begun)
		r = err_set(err, ERR_INVALID, "the archive is empty");
	if (r >= 0 && d->content && strcmp(d->content, digest) != 0)
		r = err_set(err, ERR_INVALID, "what it holds has digest %s instead of %s", digest,
			    d->content);
	return r;
}

int artifact_dir_unpack(const struct artifact_dir *d, const struct place_blob *b, struct err *err)
{
	CLEANUP(fd_close) int root = -1;
	char temp[280], random[17];
	struct stat st;
	int r;

	if (d->content && !image_digest_valid(slice_str(d->content)))
		return err_set(err, ERR_INVALID, "its content has the digest '%.150s'", d->content);
	if (sys_fstatat(d->dir, d->base, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return err_set(err, ERR_EXISTS,
			       "'%s' exists, and directories are not replaced: move it away first",
			       d->title);
	random_hex(random, 16);
	(void)snprintf(temp, sizeof(temp), "%.200s.%s", d->base, random);
	if (sys_mkdirat(d->dir, temp, 0777) < 0)
		return err_sys(err, "make the directory '%s'", temp);
	root = sys_openat(d->dir, temp, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
	r = root < 0 ? err_sys(err, "open '%s'", temp) : fill(d, b, root, err);
	if (r >= 0 && syncfs(root) < 0)
		r = err_sys(err, "write '%s' to disk", d->title);
	if (r >= 0 && renameat2(d->dir, temp, d->dir, d->base, RENAME_NOREPLACE) < 0)
		r = err_sys(err, "name the directory '%s'", d->title);
	if (r < 0)
		(void)fd_remove_tree(d->dir, temp, NULL); /* the error counts */
	return r < 0 ? err_wrap(err, "directory '%s'", d->title) : 0;
}
