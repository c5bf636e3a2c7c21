/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Places that are tars: docker's archives and OCI layouts as one file. One that is read is indexed
 * once (headers alone; its data is passed over) and its members are then read where they lie. One
 * that is written begins as a layout in a hidden directory beside it, and takes its name at the
 * end.
 *
 * An archive of docker's that is a layout too is read as one: so its digests stay what they were.
 * Else a manifest is made for it: config and layers as they lie there, each with its own digest.
 */
#include "image/copy-priv.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/hash.h"
#include "doc/json.h"
#include "image/inflate.h"
#include "image/tar.h"
#include "linux/path.h"
#include "linux/sys.h"

#include <stdio.h>
#include <string.h>

#define MEMBERS_MAX 65536
#define JSON_MAX (4u << 20)
#define LINKS_MAX 8

/* ---- the list of members ---- */

static int take_entry(void *ctx, const struct tar_entry *e, struct err *err)
{
	struct place *p = ctx;
	char clean[TAR_NAME_MAX + 1];
	struct archive_member *m;

	if (tar_name_clean(e->name, clean, err) < 0)
		return err_wrap(err, "archive member");
	if (e->type == TAR_DIR || !clean[0])
		return 0;
	if (e->type != TAR_REG && e->type != TAR_SYM && e->type != TAR_HARD)
		return err_set(err, ERR_INVALID, "archive member '%.200s' is a special file",
			       clean);
	if (map_count(&p->members) == MEMBERS_MAX)
		return err_set(err, ERR_TOO_LARGE, "it has more than %u members", MEMBERS_MAX);
	m = ARENA_NEW(p->arena, struct archive_member);
	if (!m)
		return arena_quota(p->arena, err);
	*m = (struct archive_member){ .name = arena_strdup(p->arena, clean),
				      .link = arena_strdup(p->arena, e->link),
				      .offset = e->offset,
				      .size = e->size,
				      .type = e->type };
	if (!m->name || !m->link)
		return arena_quota(p->arena, err);
	/* which of two is meant could differ from reader to reader */
	if (map_put(&p->members, slice_str(m->name), m))
		return err_set(err, ERR_INVALID, "archive member '%.200s' occurs twice", clean);
	return 0;
}

static int list_members(struct place *p, struct err *err)
{
	static const struct tar_ops ops = { .entry = take_entry };
	const struct tar_limits limits = { .total_max = p->file_size, .entries_max = MEMBERS_MAX };
	CLEANUP(tar_reader_free) struct tar_reader *t = tar_reader_new(&limits, &ops, p);
	char block[TAR_BLOCK];
	uint64_t at = 0;
	ssize_t n = 1;
	int r = 0;

	while (r >= 0 && n > 0 && at < p->file_size) {
		at += tar_reader_skip(t, p->file_size - at);
		n = pread(p->file, block, TAR_BLOCK - at % TAR_BLOCK, (off_t)at);
		if (n > 0)
			r = tar_reader_push(t, block, (size_t)n, err);
		at += n > 0 ? (uint64_t)n : 0;
	}
	if (n < 0)
		return err_sys(err, "read");
	return r < 0 ? r : tar_reader_finish(t, err);
}

/* The member a name means; links inside the archive are followed. NULL: there is none. */
static const struct archive_member *find(const struct place *p, const char *name)
{
	char clean[TAR_NAME_MAX + 1], path[2 * TAR_NAME_MAX + 2];

	if (tar_name_clean(name, clean, NULL) < 0)
		return NULL;
	for (int i = 0; i < LINKS_MAX; i++) {
		const struct archive_member *m = map_get(&p->members, slice_str(clean));
		const char *link, *slash;
		size_t up = 0;

		if (!m || m->type == TAR_REG)
			return m;
		/* docker's old archives: "../<id>/layer.tar" */
		link = m->link;
		if (m->type == TAR_SYM)
			for (; strncmp(link, "../", 3) == 0; link += 3)
				up++;
		slash = strrchr(m->name, '/');
		if (m->type == TAR_HARD || link[0] == '/' ||
		    (up == 1 && slash == strchr(m->name, '/')))
			slash = NULL;
		else if (up)
			return NULL;
		(void)snprintf(path, sizeof(path), "%.*s/%s", slash ? (int)(slash - m->name) : 0,
			       m->name, link);
		if (tar_name_clean(path, clean, NULL) < 0)
			return NULL;
	}
	return NULL;
}

static int read_member(struct place *p, const char *name, size_t max, struct arena *a,
		       struct slice *ret, struct err *err)
{
	const struct archive_member *m = find(p, name);
	char *text;

	if (!m)
		return err_set(err, ERR_NOT_FOUND, "'%.300s' has no member '%.200s'", p->path,
			       name);
	if (m->size > max)
		return err_set(err, ERR_TOO_LARGE, "'%.200s' has more than %zu bytes", name, max);
	text = arena_alloc(a, m->size + 1);
	if (!text)
		return arena_quota(a, err);
	if (pread(p->file, text, m->size, (off_t)m->offset) != (ssize_t)m->size)
		return err_set(err, ERR_INVALID, "'%.200s' is cut off", name);
	*ret = slice_of(text, m->size);
	return 0;
}

/* ---- opening ---- */

static int spool(void *ctx, struct slice bytes, struct err *err)
{
	return fd_write_all(*(int *)ctx, bytes.p, bytes.n) < 0
		       ? err_sys(err, "write what was decompressed")
		       : 0;
}

/* What is compressed is undone into a file without a name. */
static int undo_compression(struct place *p, struct err *err)
{
	CLEANUP(fd_close) int fd = -1;
	struct place_blob b = { .fd = p->file, .size = p->file_size };
	char first[8];
	struct stat st;
	ssize_t n;
	int r;

	n = pread(p->file, first, sizeof(first), 0);
	if (n < 0)
		return err_sys(err, "read");
	if (inflate_sniff(first, (size_t)n) == INFLATE_PLAIN)
		return 0;
	r = place_scratch(p, &fd, err);
	if (r >= 0)
		r = place_inflate(&p->conf, &b, spool, &fd, err);
	if (r >= 0 && sys_fstat(fd, &st) < 0)
		r = err_sys(err, "look at what was decompressed");
	if (r < 0)
		return r;
	fd_close(p->file);
	p->file = STEAL_FD(fd);
	p->file_size = (uint64_t)st.st_size;
	return 0;
}

/* A pipe can be read once: into a file first. */
static int keep_stream(struct place *p, struct err *err)
{
	CLEANUP(fd_close) int fd = -1;
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1u << 20);
	ssize_t n = 1;
	int r;

	r = place_scratch(p, &fd, err);
	if (r < 0)
		return r;
	if (!buf_room(&b, 256u << 10))
		return err_set(err, ERR_QUOTA, "no memory");
	while (n > 0) {
		n = fd_read_full(p->file, b.p, 256u << 10);
		if (n < 0 || fd_write_all(fd, b.p, (size_t)n) < 0)
			return err_sys(err, "keep what is read");
		p->file_size += (uint64_t)n;
	}
	fd_close(p->file);
	p->file = STEAL_FD(fd);
	return 0;
}

static int open_tar(struct place *p, const char *rest, struct err *err)
{
	struct stat st;
	int r;

	r = place_split(p, rest, err);
	if (r < 0)
		return r;
	p->file = sys_openat(AT_FDCWD, p->path, O_RDONLY | O_CLOEXEC, 0);
	if (p->file < 0)
		return err_sysc(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_SYSTEM, errno,
				"open the archive '%.300s'", p->path);
	if (sys_fstat(p->file, &st) < 0)
		return err_sys(err, "look at '%.300s'", p->path);
	if (S_ISDIR(st.st_mode))
		return err_set(err, ERR_INVALID, "'%.300s' is a directory, not an archive",
			       p->path);
	p->file_size = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
	if (!S_ISREG(st.st_mode))
		r = keep_stream(p, err);
	if (r >= 0)
		r = undo_compression(p, err);
	if (r >= 0)
		r = list_members(p, err);
	return r < 0 ? err_wrap(err, "archive '%.300s'", p->path) : 0;
}

/* ---- OCI layouts ---- */

static const char *blob_name(const char *digest, char dst[IMAGE_DIGEST_MAX + 16])
{
	(void)snprintf(dst, IMAGE_DIGEST_MAX + 16, "blobs/%.6s/%s", digest, IMAGE_HEX(digest));
	return dst;
}

static int archive_manifest(struct place *p, const char *digest, struct arena *a, struct slice *ret,
			    const char **ret_media, struct err *err)
{
	char name[IMAGE_DIGEST_MAX + 16];
	const struct manifest_desc *d;
	struct manifest index;
	struct slice text;
	int r;

	*ret_media = NULL;
	if (p->made.n) {
		if (digest && !image_digest_matches(digest, p->made))
			return err_set(err, ERR_NOT_FOUND, "'%.300s' has no manifest '%s'", p->path,
				       digest);
		*ret = p->made;
		return 0;
	}
	if (digest)
		return read_member(p, blob_name(digest, name), PLACE_MANIFEST_MAX, a, ret, err);
	r = read_member(p, "index.json", JSON_MAX, a, &text, err);
	if (r >= 0)
		r = manifest_parse(a, text, MEDIA_OCI_INDEX, &index, err);
	if (r < 0)
		return err_wrap(err, "index.json of '%.300s'", p->path);
	r = layout_pick(&index, p->ref, p->path, &d, err);
	if (r >= 0)
		r = image_digest_check(slice_str(d->digest), err);
	if (r >= 0)
		r = read_member(p, blob_name(d->digest, name), PLACE_MANIFEST_MAX, a, ret, err);
	if (r >= 0 && !image_digest_matches(d->digest, *ret))
		r = err_set(err, ERR_INVALID, "the bytes of manifest '%s' have another digest",
			    d->digest);
	return r;
}

static int archive_blob(struct place *p, const struct manifest_desc *d, struct place_fetch *f,
			struct place_blob *ret, bool *ret_verified, struct err *err)
{
	char name[IMAGE_DIGEST_MAX + 16];
	const struct archive_member *m = map_get(&p->blobs, slice_str(d->digest));
	int fd;

	(void)f;
	(void)ret_verified; /* the caller does it */
	if (!m)
		m = find(p, blob_name(d->digest, name));
	if (!m)
		return err_set(err, ERR_NOT_FOUND, "'%.300s' does not have it", p->path);
	fd = fd_dup(p->file);
	if (fd < 0)
		return err_sys(err, "duplicate a descriptor");
	*ret = (struct place_blob){ .fd = fd, .offset = m->offset, .size = m->size };
	return 0;
}

static int oci_archive_read(struct place *p, const char *rest, struct err *err)
{
	int r = open_tar(p, rest, err);

	if (r >= 0 && !find(p, "index.json"))
		r = err_set(err, ERR_INVALID,
			    "'%.300s' is no OCI archive: it has no index.json (an archive of "
			    "docker's is read by docker-archive:)",
			    p->path);
	return r;
}

/* ---- docker's manifest.json ---- */

static bool has_name(struct arena *a, const struct doc *image, const struct image_name *want)
{
	DOC_EACH (it, doc_get(image, "RepoTags")) {
		const char *text = doc_cstr(a, it);
		struct image_name n;

		if (!text || image_name_parse(text, &n, NULL) < 0)
			continue;
		image_name_default_tag(&n);
		if (strcmp(n.name, want->name) == 0 && strcmp(n.tag, want->tag) == 0)
			return true;
	}
	return false;
}

static int pick_image(struct place *p, const struct doc *list, const struct doc **ret,
		      struct err *err)
{
	int64_t at = -1;

	if (!doc_is(list, DOC_ARRAY) || !doc_len(list))
		return err_set(err, ERR_INVALID, "manifest.json: must be a list of images");
	if (p->ref[0] == '@' && str_int64(slice_str(p->ref + 1), &at, err) < 0)
		return err_ret(err);
	if (!p->ref[0] && doc_len(list) > 1)
		return err_set(err, ERR_BAD_REQUEST,
			       "'%.300s' has %zu images: choose one by :REPO:TAG or :@INDEX",
			       p->path, doc_len(list));
	if (!p->ref[0])
		at = 0;
	*ret = at >= 0 ? doc_at(list, (size_t)at) : NULL;
	for (size_t i = 0; at < 0 && i < doc_len(list); i++)
		if (has_name(p->arena, doc_at(list, i), &p->name))
			*ret = doc_at(list, i);
	return *ret ? 0
		    : err_set(err, ERR_NOT_FOUND, "'%.300s' has no image '%.300s'", p->path,
			      p->ref);
}

static const char *layer_media(struct place *p, const struct archive_member *m)
{
	char first[8];
	ssize_t n = pread(p->file, first, sizeof(first), (off_t)m->offset);

	switch (inflate_sniff(first, n > 0 ? MIN((size_t)n, (size_t)m->size) : 0)) {
	case INFLATE_GZIP: return MEDIA_DOCKER_LAYER ".gzip";
	case INFLATE_ZSTD: return MEDIA_DOCKER_LAYER ".zstd";
	case INFLATE_PLAIN: return MEDIA_DOCKER_LAYER;
	default: return NULL;
	}
}

/* A descriptor of a member: its digest is taken now. */
static int describe(struct place *p, const struct doc *name, const char *media, struct doc *to,
		    struct err *err)
{
	const char *text = doc_cstr(p->arena, name);
	const struct archive_member *m = text ? find(p, text) : NULL;
	char digest[IMAGE_DIGEST_MAX];
	struct image_hash h;
	const char *kept;
	int r;

	if (!m)
		return err_set(err, ERR_INVALID, "manifest.json: there is no member '%.200s'",
			       text ? text : "");
	media = media ? media : layer_media(p, m);
	if (!media)
		return err_set(err, ERR_UNSUPPORTED,
			       "layer '%.200s' is compressed by something else than gzip or zstd",
			       text);
	image_hash_init(&h, IMAGE_SHA256);
	r = place_copy_bytes(&(struct place_blob){ p->file, m->offset, m->size }, -1, &h,
			     p->conf.cancel, err);
	if (r < 0)
		return err_wrap(err, "archive member '%.200s'", text);
	image_hash_final(&h, digest);
	kept = arena_strdup(p->arena, digest);
	if (!kept)
		return arena_quota(p->arena, err);
	(void)map_put(&p->blobs, slice_str(kept), (void *)m);
	doc_set_str(p->arena, to, "mediaType", media);
	doc_set_uint(p->arena, to, "size", m->size);
	doc_set_str(p->arena, to, "digest", kept);
	return 0;
}

static int make_manifest(struct place *p, const struct doc *image, struct err *err)
{
	struct arena *a = p->arena;
	struct doc *m = doc_new_object(a), *layers;
	int r;

	doc_set_int(a, m, "schemaVersion", 2);
	doc_set_str(a, m, "mediaType", MEDIA_DOCKER_MANIFEST);
	r = describe(p, doc_get(image, "Config"), MEDIA_DOCKER_CONFIG,
		     doc_set_object(a, m, "config"), err);
	layers = doc_set_array(a, m, "layers");
	DOC_EACH (it, doc_get(image, "Layers"))
		if (r >= 0)
			r = describe(p, it, NULL, doc_append_object(a, layers), err);
	if (r >= 0 && arena_exceeded(a))
		r = arena_quota(a, err);
	return r < 0 ? r : json_print(a, m, NULL, &p->made, err);
}

static int take_name(struct place *p, struct err *err)
{
	char full[IMAGE_NAME_TEXT_MAX];

	if (!p->ref[0] || p->ref[0] == '@')
		return 0;
	if (image_name_parse(p->ref, &p->name, err) < 0)
		return err_wrap(err, "'%.300s'", p->ref);
	p->name.digest[0] = '\0';
	image_name_default_tag(&p->name);
	p->ref = arena_strdup(p->arena, image_name_full(&p->name, full));
	return p->ref ? 0 : arena_quota(p->arena, err);
}

static int docker_archive_read(struct place *p, const char *rest, struct err *err)
{
	const struct doc *image;
	struct doc *list;
	struct slice text;
	int r;

	r = open_tar(p, rest, err);
	if (r >= 0)
		r = take_name(p, err);
	if (r < 0)
		return r;
	if (find(p, "index.json") && find(p, "oci-layout") && p->ref[0] != '@')
		return 0;
	if (!find(p, "manifest.json"))
		return err_set(err, ERR_INVALID,
			       "'%.300s' is no archive of docker's: it has no manifest.json",
			       p->path);
	r = read_member(p, "manifest.json", JSON_MAX, p->arena, &text, err);
	if (r >= 0)
		r = json_read(p->arena, text,
			      &(struct json_options){ .max_depth = 64, .max_nodes = 1u << 18 },
			      &list, err);
	if (r >= 0)
		r = pick_image(p, list, &image, err);
	if (r >= 0)
		r = make_manifest(p, image, err);
	return r < 0 ? err_wrap(err, "archive '%.300s'", p->path) : 0;
}

/* ---- writing ---- */

static bool is_special(const char *path)
{
	struct stat st;

	return sys_fstatat(AT_FDCWD, path, &st, 0) == 0 && !S_ISREG(st.st_mode) &&
	       !S_ISDIR(st.st_mode);
}

/* The directory of the archive; of a pipe, that of files under way. */
static int open_parent(struct place *p, struct err *err)
{
	const char *slash = strrchr(p->path, '/'), *dir, *env = getenv("TMPDIR");

	if (is_special(p->path))
		dir = p->conf.scratch ? p->conf.scratch : env && *env ? env : "/var/tmp";
	else
		dir = !slash ? "."
		      : slash == p->path
			      ? "/"
			      : arena_strndup(p->arena, p->path, (size_t)(slash - p->path));
	if (!dir)
		return arena_quota(p->arena, err);
	p->parent = sys_openat(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	return p->parent < 0 ? err_sys(err, "open the directory '%.300s'", dir) : 0;
}

static int archive_write(struct place *p, const char *rest, struct err *err)
{
	char random[17];
	struct stat st;
	int r;

	r = place_split(p, rest, err);
	if (r >= 0 && p->ops == &place_docker_archive)
		r = take_name(p, err);
	if (r < 0)
		return r;
	if (p->ref[0] == '@')
		return err_set(err, ERR_BAD_REQUEST, "'%.300s': an archive is written with a name",
			       rest);
	if (sys_fstatat(AT_FDCWD, p->path, &st, 0) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 &&
	    p->ops == &place_docker_archive)
		return err_set(err, ERR_EXISTS,
			       "the archive '%.300s' exists, and nothing can be added to one of "
			       "docker's: remove it first",
			       p->path);
	r = open_parent(p, err);
	if (r < 0)
		return r;
	random_hex(random, 16);
	(void)snprintf(p->stage, sizeof(p->stage), ".teu-archive-%s", random);
	return layout_open(p, p->parent, p->stage, true, err);
}

static int write_tar(struct place *p, int out, struct err *err)
{
	const struct image_save_layout o = { .dir = p->dir,
					     .digest = p->top.digest,
					     .media = p->top.media,
					     .size = p->top.bytes.n,
					     .ref = p->ref,
					     .name = p->name.name[0] ? &p->name : NULL,
					     .docker = p->ops == &place_docker_archive };

	return image_save_layout(&o, out, err);
}

static int archive_finish(struct place *p, struct err *err)
{
	const char *slash = strrchr(p->path, '/'), *base = slash ? slash + 1 : p->path;
	CLEANUP(fd_close) int fd = -1;
	char temp[80];
	int r;

	if (is_special(p->path)) {
		fd = sys_openat(AT_FDCWD, p->path, O_WRONLY | O_CLOEXEC, 0);
		return fd < 0 ? err_sys(err, "open '%.300s'", p->path) : write_tar(p, fd, err);
	}
	(void)snprintf(temp, sizeof(temp), "%s.tar", p->stage);
	fd = sys_openat(p->parent, temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0)
		return err_sys(err, "make the archive '%.300s'", p->path);
	r = write_tar(p, fd, err);
	if (r >= 0 && sys_fsync(fd) < 0)
		r = err_sys(err, "write '%.300s'", p->path);
	if (r >= 0 && sys_renameat(p->parent, temp, p->parent, base) < 0)
		r = err_sys(err, "name the archive '%.300s'", p->path);
	if (r >= 0)
		r = fd_fsync_dir(p->parent, err);
	if (r < 0)
		(void)sys_unlinkat(p->parent, temp, 0); /* the error counts */
	return r;
}

static int archive_put_manifest(struct place *p, const struct place_manifest *m, bool top,
				struct err *err)
{
	if (p->ops == &place_docker_archive &&
	    (strcmp(m->media, MEDIA_OCI_INDEX) == 0 || strcmp(m->media, MEDIA_DOCKER_LIST) == 0))
		return err_set(err, ERR_UNSUPPORTED,
			       "an archive of docker's holds no index: choose a platform, or "
			       "oci-archive:");
	return layout_put_manifest(p, m, top, err);
}

static void archive_free(struct place *p)
{
	if (p->stage[0])
		(void)fd_remove_tree(p->parent, p->stage, NULL); /* nobody is left to tell */
}

const struct place_ops place_oci_archive = { .name = "oci-archive",
					     .read = oci_archive_read,
					     .write = archive_write,
					     .manifest = archive_manifest,
					     .blob = archive_blob,
					     .has = layout_has,
					     .put = layout_put,
					     .put_manifest = archive_put_manifest,
					     .finish = archive_finish,
					     .free = archive_free };

const struct place_ops place_docker_archive = { .name = "docker-archive",
						.read = docker_archive_read,
						.write = archive_write,
						.manifest = archive_manifest,
						.blob = archive_blob,
						.has = layout_has,
						.put = layout_put,
						.put_manifest = archive_put_manifest,
						.finish = archive_finish,
						.free = archive_free };
