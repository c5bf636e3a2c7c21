/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Places that are directories: OCI layouts (image-spec image-layout.md) and `dir:` (manifest.json,
 * version, blobs by their hex digits, further manifests as HEX.manifest.json). No name below them
 * is followed through a link. A blob appears by rename or link, whole and synced; what a broken
 * copy left is found there again by the next one.
 */
#include "image/copy-priv.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "doc/json.h"
#include "linux/path.h"
#include "linux/sys.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#define INDEX_MAX (16u << 20)
#define NAME_MAX_ (IMAGE_DIGEST_MAX + 32)
#define LAYOUT_TEXT "{\"imageLayoutVersion\": \"1.0.0\"}"
#define DIR_TEXT "Directory Transport Version: 1.1\n"

/* ---- files ---- */

static int read_small(struct place *p, const char *name, size_t max, struct arena *a,
		      struct slice *ret, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(max);
	CLEANUP(fd_close) int fd = -1;
	ssize_t n = 1;
	int r;

	r = path_open_beneath(p->dir, name, O_RDONLY | O_NONBLOCK, 0, &fd, err);
	if (r < 0)
		return err_wrap(err, "'%.300s'", p->path);
	while (n > 0) {
		char *room = buf_room(&b, 65536);

		if (!room && b.n + 65536 > max)
			return err_set(err, ERR_TOO_LARGE, "'%.300s/%s' has more than %zu bytes",
				       p->path, name, max - 65536);
		n = fd_read_full(fd, room, 65536);
		if (n < 0)
			return err_sys(err, "read '%.300s/%s'", p->path, name);
		b.n += (size_t)n;
	}
	*ret = slice_of(arena_strndup(a, buf_str(&b), b.n), b.n);
	return ret->p ? 0 : arena_quota(a, err);
}

static int open_file(struct place *p, const char *name, struct place_blob *ret, struct err *err)
{
	CLEANUP(fd_close) int fd = -1;
	struct stat st;
	int r;

	r = path_open_beneath(p->dir, name, O_RDONLY | O_NONBLOCK, 0, &fd, err);
	if (r < 0)
		return err_wrap(err, "'%.300s'", p->path);
	if (sys_fstat(fd, &st) < 0)
		return err_sys(err, "look at '%.300s/%s'", p->path, name);
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_INVALID, "'%.300s/%s' is no regular file", p->path, name);
	*ret = (struct place_blob){ .fd = STEAL_FD(fd), .size = (uint64_t)st.st_size };
	return 0;
}

static void file_of(const struct place *p, const char *digest, char dst[NAME_MAX_])
{
	if (p->ops == &place_dir)
		(void)snprintf(dst, NAME_MAX_, "%s", IMAGE_HEX(digest));
	else
		(void)snprintf(dst, NAME_MAX_, "blobs/%.6s/%s", digest, IMAGE_HEX(digest));
}

/* A file of the place's own filesystem that takes its name only when all is in it. */
static int put_file(struct place *p, const char *name, const struct place_blob *b, struct err *err)
{
	CLEANUP(fd_close) int fd = -1;
	char temp[NAME_MAX_ + 8];
	int r;

	(void)snprintf(temp, sizeof(temp), "%s.part", name);
	(void)sys_unlinkat(p->dir, temp, 0); /* of a copy that broke off */
	r = path_open_beneath(p->dir, temp, O_WRONLY | O_CREAT | O_EXCL, 0644, &fd, err);
	if (r < 0)
		return err_wrap(err, "'%.300s'", p->path);
	r = place_copy_bytes(b, fd, NULL, p->conf.cancel, err);
	if (r >= 0 && (sys_fchmod(fd, 0644) < 0 || sys_fsync(fd) < 0))
		r = err_sys(err, "write '%.300s/%s'", p->path, name);
	if (r >= 0 && sys_renameat(p->dir, temp, p->dir, name) < 0)
		r = err_sys(err, "rename '%.300s/%s'", p->path, temp);
	if (r < 0)
		(void)sys_unlinkat(p->dir, temp, 0); /* the error counts */
	return r;
}

static int open_dir(struct place *p, int dirfd, const char *path, bool make, struct err *err)
{
	int r = 0;

	if (make)
		r = fd_mkdir_p(dirfd, path, 0755, err);
	if (r < 0)
		return r;
	p->dir = sys_openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	return p->dir < 0 ? err_sysc(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_SYSTEM, errno,
				     "open the directory '%.300s'", path)
			  : 0;
}

/* ---- layouts ---- */

static int check_layout(struct place *p, struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("oci-layout", 1u << 20);
	struct slice text;
	struct doc *d;
	int r;

	r = read_small(p, "oci-layout", 1u << 17, a, &text, err);
	if (r < 0)
		return r == -ERR_NOT_FOUND ? err_set(err, ERR_NOT_FOUND,
						     "'%.300s' is no OCI layout: it has no file "
						     "oci-layout",
						     p->path)
					   : r;
	r = json_read(a, text, NULL, &d, err);
	if (r < 0)
		return err_wrap(err, "'%.300s/oci-layout'", p->path);
	return doc_str_is(doc_get(d, "imageLayoutVersion"), "1.0.0")
		       ? 0
		       : err_set(err, ERR_UNSUPPORTED,
				 "'%.300s/oci-layout': its version is not 1.0.0", p->path);
}

int layout_open(struct place *p, int dirfd, const char *path, bool make, struct err *err)
{
	struct stat st;
	int r;

	r = open_dir(p, dirfd, path, make, err);
	if (r < 0)
		return r;
	if (!make)
		return check_layout(p, err);
	if (sys_fstatat(p->dir, "oci-layout", &st, AT_SYMLINK_NOFOLLOW) == 0)
		r = check_layout(p, err);
	else
		r = fd_replace_file(p->dir, "oci-layout", LAYOUT_TEXT, strlen(LAYOUT_TEXT), 0644,
				    err);
	if (r >= 0)
		r = fd_mkdir_p(p->dir, "blobs/sha256", 0755, err);
	return r;
}

static int oci_read(struct place *p, const char *rest, struct err *err)
{
	int r = place_split(p, rest, err);

	return r < 0 ? r : layout_open(p, AT_FDCWD, p->path, false, err);
}

static int oci_write(struct place *p, const char *rest, struct err *err)
{
	int r = place_split(p, rest, err);

	return r < 0 ? r : layout_open(p, AT_FDCWD, p->path, true, err);
}

static bool is_named(const struct manifest_desc *d, const char *ref)
{
	const char *name = str_map_get(&d->annotations, "org.opencontainers.image.ref.name"),
		   *full = str_map_get(&d->annotations, "io.containerd.image.name");

	assert(d);
	return (name && strcmp(name, ref) == 0) || (full && strcmp(full, ref) == 0) ||
	       strcmp(d->digest, ref) == 0;
}

int layout_pick(const struct manifest *index, const char *ref, const char *where,
		const struct manifest_desc **ret, struct err *err)
{
	const struct manifest_desc *found = NULL;
	bool same = true;

	for (size_t i = 0; i < index->n; i++) {
		const struct manifest_desc *d = &index->parts[i];

		if (ref[0] && !is_named(d, ref))
			continue;
		same &= !found || strcmp(found->digest, d->digest) == 0;
		found = found ? found : d;
	}
	if (!found)
		return err_set(err, ERR_NOT_FOUND, "'%.300s' has no image%s%.300s%s", where,
			       ref[0] ? " with the name '" : "", ref, ref[0] ? "'" : "");
	if (!same)
		return err_set(err, ERR_BAD_REQUEST,
			       "'%.300s' has several images%s: choose one by :NAME", where,
			       ref[0] ? " of that name" : "");
	*ret = found;
	return 0;
}

static int find_top(struct place *p, struct arena *a, const char **ret, struct err *err)
{
	const struct manifest_desc *d;
	struct manifest index;
	struct slice text;
	int r;

	r = read_small(p, "index.json", INDEX_MAX, a, &text, err);
	if (r >= 0)
		r = manifest_parse(a, text, MEDIA_OCI_INDEX, &index, err);
	if (r < 0)
		return err_wrap(err, "'%.300s/index.json'", p->path);
	r = layout_pick(&index, p->ref, p->path, &d, err);
	if (r >= 0)
		r = image_digest_check(slice_str(d->digest), err);
	*ret = r < 0 ? NULL : d->digest;
	return r;
}

int layout_manifest(struct place *p, const char *digest, struct arena *a, struct slice *ret,
		    const char **ret_media, struct err *err)
{
	char name[NAME_MAX_];
	const char *top = digest;
	int r = 0;

	if (!top)
		r = find_top(p, a, &top, err);
	if (r < 0)
		return r;
	*ret_media = NULL;
	file_of(p, top, name);
	r = read_small(p, name, PLACE_MANIFEST_MAX + 65536, a, ret, err);
	if (r >= 0 && !image_digest_matches(top, *ret))
		r = err_set(err, ERR_INVALID, "the bytes of manifest '%s' have another digest",
			    top);
	return r;
}

static int file_blob(struct place *p, const struct manifest_desc *d, struct place_fetch *f,
		     struct place_blob *ret, bool *ret_verified, struct err *err)
{
	char name[NAME_MAX_];

	(void)f;
	(void)ret_verified; /* not yet: the caller does it */
	file_of(p, d->digest, name);
	return open_file(p, name, ret, err);
}

/* A file of the right name and size whose bytes have the digest; another one is written anew. */
int layout_has(struct place *p, const struct manifest_desc *d, struct err *err)
{
	char name[NAME_MAX_], digest[IMAGE_DIGEST_MAX];
	struct place_blob b = { .fd = -1 };
	struct image_hash h;
	int r;

	file_of(p, d->digest, name);
	r = open_file(p, name, &b, err);
	if (r == -ERR_NOT_FOUND)
		return 0;
	if (r >= 0 && b.size == (uint64_t)d->size) {
		image_hash_init(&h, image_digest_alg(d->digest));
		r = place_copy_bytes(&b, -1, &h, p->conf.cancel, err);
		image_hash_final(&h, digest);
		r = r < 0 ? r : strcmp(digest, d->digest) == 0;
	}
	fd_close(b.fd);
	return r;
}

int layout_put(struct place *p, const struct manifest_desc *d, const struct place_blob *b,
	       struct err *err)
{
	char name[NAME_MAX_];
	int r = 0;

	file_of(p, d->digest, name);
	if (p->ops != &place_dir && image_digest_alg(d->digest) != IMAGE_SHA256)
		r = fd_mkdir_p(p->dir, "blobs/sha512", 0755, err);
	return r < 0 ? r : put_file(p, name, b, err);
}

int layout_put_manifest(struct place *p, const struct place_manifest *m, bool top, struct err *err)
{
	char name[NAME_MAX_];
	int r;

	file_of(p, m->digest, name);
	if (image_digest_alg(m->digest) != IMAGE_SHA256 &&
	    fd_mkdir_p(p->dir, "blobs/sha512", 0755, err) < 0)
		return err_ret(err);
	r = fd_replace_file(p->dir, name, m->bytes.p, m->bytes.n, 0644, err);
	if (r < 0 || !top)
		return r;
	p->top = *m;
	p->top.bytes.p = arena_strndup(p->arena, m->bytes.p, m->bytes.n);
	return p->top.bytes.p ? 0 : arena_quota(p->arena, err);
}

/* ---- index.json ---- */

static void add_entry(struct place *p, struct arena *a, struct doc *list)
{
	struct doc *d = doc_append_object(a, list);

	doc_set_str(a, d, "mediaType", p->top.media);
	doc_set_str(a, d, "digest", p->top.digest);
	doc_set_uint(a, d, "size", p->top.bytes.n);
	if (p->ref[0])
		doc_set_str(a, doc_set_object(a, d, "annotations"),
			    "org.opencontainers.image.ref.name", p->ref);
}

/* Another image of the same name gives the name up; without a name it is listed once. */
static void drop_entry(struct place *p, struct doc *list)
{
	for (size_t i = doc_len(list); i-- > 0;) {
		struct doc *d = doc_at(list, i);
		struct doc *name =
			doc_get(doc_get(d, "annotations"), "org.opencontainers.image.ref.name");

		if (p->ref[0] ? doc_str_is(name, p->ref)
			      : !name && doc_str_is(doc_get(d, "digest"), p->top.digest))
			(void)doc_remove_at(list, i);
	}
}

static int read_index(struct place *p, struct arena *a, struct doc **ret, struct err *err)
{
	struct manifest checked;
	struct slice text;
	int r;

	r = read_small(p, "index.json", INDEX_MAX, a, &text, err);
	if (r == -ERR_NOT_FOUND) {
		*ret = doc_new_object(a);
		doc_set_int(a, *ret, "schemaVersion", 2);
		doc_set_array(a, *ret, "manifests");
		return arena_exceeded(a) ? arena_quota(a, err) : 0;
	}
	if (r >= 0)
		r = manifest_parse(a, text, MEDIA_OCI_INDEX, &checked, err);
	if (r >= 0)
		r = json_read(a, text, NULL, ret, err);
	return r < 0 ? err_wrap(err, "'%.300s/index.json'", p->path) : 0;
}

static int oci_finish(struct place *p, struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("index.json", 4 * INDEX_MAX);
	struct doc *index, *list;
	struct slice text;
	int r;

	if (flock(p->dir, LOCK_EX) < 0) /* another copy into the same layout */
		return err_sys(err, "lock '%.300s'", p->path);
	r = read_index(p, a, &index, err);
	if (r >= 0) {
		list = doc_get(index, "manifests");
		drop_entry(p, list);
		add_entry(p, a, list);
		r = json_print(a, index, NULL, &text, err);
	}
	if (r >= 0)
		r = fd_replace_file(p->dir, "index.json", text.p, text.n, 0644, err);
	(void)flock(p->dir, LOCK_UN);
	return r;
}

const struct place_ops place_oci = { .name = "oci",
				     .read = oci_read,
				     .write = oci_write,
				     .manifest = layout_manifest,
				     .blob = file_blob,
				     .has = layout_has,
				     .put = layout_put,
				     .put_manifest = layout_put_manifest,
				     .finish = oci_finish };

/* ---- dir: ---- */

static int dir_split(struct place *p, const char *rest, struct err *err)
{
	if (!*rest)
		return place_bad_name(p, rest, err);
	p->path = arena_strdup(p->arena, rest);
	return p->path ? 0 : arena_quota(p->arena, err);
}

static int dir_read(struct place *p, const char *rest, struct err *err)
{
	int r = dir_split(p, rest, err);

	return r < 0 ? r : open_dir(p, AT_FDCWD, p->path, false, err);
}

static int dir_write(struct place *p, const char *rest, struct err *err)
{
	int r = dir_split(p, rest, err);

	if (r >= 0)
		r = open_dir(p, AT_FDCWD, p->path, true, err);
	return r < 0 ? r
		     : fd_replace_file(p->dir, "version", DIR_TEXT, strlen(DIR_TEXT), 0644, err);
}

static int dir_manifest(struct place *p, const char *digest, struct arena *a, struct slice *ret,
			const char **ret_media, struct err *err)
{
	char name[NAME_MAX_];

	*ret_media = NULL;
	(void)snprintf(name, sizeof(name), "%s%smanifest.json", digest ? IMAGE_HEX(digest) : "",
		       digest ? "." : "");
	return read_small(p, name, PLACE_MANIFEST_MAX + 65536, a, ret, err);
}

static int dir_put_manifest(struct place *p, const struct place_manifest *m, bool top,
			    struct err *err)
{
	char name[NAME_MAX_];

	(void)snprintf(name, sizeof(name), "%s%smanifest.json", top ? "" : IMAGE_HEX(m->digest),
		       top ? "" : ".");
	return fd_replace_file(p->dir, name, m->bytes.p, m->bytes.n, 0644, err);
}

const struct place_ops place_dir = { .name = "dir",
				     .read = dir_read,
				     .write = dir_write,
				     .manifest = dir_manifest,
				     .blob = file_blob,
				     .has = layout_has,
				     .put = layout_put,
				     .put_manifest = dir_put_manifest };
