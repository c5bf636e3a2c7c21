/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The comparison is of two tars: that of the layer, and the one that a commit would make of its
 * directory (image/layers.h). Where those may rightly differ - hard links by another first name,
 * directories without an entry, whiteouts of nothing - it is lenient.
 */
#include "image/verify.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/map.h"
#include "image/copy-priv.h"
#include "image/diff.h"
#include "image/driver.h"
#include "image/layers.h"
#include "image/private.h"
#include "image/tar.h"
#include "linux/path.h"
#include "linux/sys.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

#define ARENA_MAX ((size_t)2 << 30)
#define WHITE ".wh."
#define OPAQUE ".wh..wh..opq"

/* Extended attributes, by what a file system may lack. */
enum { ATTR_USER, ATTR_ACL, ATTR_CAPS, ATTRS };

struct found {
	const char *path, *link;
	uint64_t attrs[ATTRS]; /* hashes of names and values, added up */
	enum tar_type type;
	uint32_t mode, major, minor;
	int64_t uid, gid, mtime;
	uint64_t size;
	unsigned char sum[SHA256_LEN];
};

/* One of the two sides. */
struct listing {
	struct arena *a;
	struct map files;  /* by path */
	bool lacks[ATTRS]; /* of the file system that it is on */
	struct tar_reader *tar;
	struct found *now;
	struct sha256 hash;
};

/* ---- reading ---- */

#define ACL_PLAIN 28 /* bytes of an ACL that the mode says as well, which no file system keeps */
#define CAPS_EFFECTIVE 1 /* of the first byte */

/* The kernel writes capabilities in the form that suits the reader: only what they allow counts. */
static struct slice caps_of(struct slice v, unsigned char room[17])
{
	if (v.n < 20)
		return v;
	room[0] = (unsigned char)v.p[0] & CAPS_EFFECTIVE;
	memcpy(room + 1, v.p + 4, 16);
	return slice_of((char *)room, 17);
}

static void add_attr(struct found *f, const struct tar_xattr *x)
{
	struct slice name = slice_str(x->name), value = x->value;
	unsigned char sum[SHA256_LEN], room[17];
	struct sha256 hash;
	uint64_t n;
	int kind;

	if (slice_starts(name, SLICE("user.")))
		kind = ATTR_USER;
	else if (slice_starts(name, SLICE("system.posix_acl_")) && value.n > ACL_PLAIN)
		kind = ATTR_ACL;
	else if (slice_is(name, "security.capability"))
		kind = ATTR_CAPS;
	else
		return;
	if (kind == ATTR_CAPS)
		value = caps_of(value, room);
	sha256_init(&hash);
	sha256_update(&hash, name.p, name.n + 1);
	sha256_update(&hash, value.p, value.n);
	sha256_final(&hash, sum);
	memcpy(&n, sum, sizeof(n));
	f->attrs[kind] += n;
}

/* Unpacking went on without what the file system does not take. */
static void find_lacks(const char *dir, bool lacks[ATTRS])
{
	static const char *const names[ATTRS] = { "user.teu", "system.posix_acl_access",
						  "security.capability" };

	for (size_t i = 0; i < ATTRS; i++)
		lacks[i] = getxattr(dir, names[i], NULL, 0) < 0 && errno == ENOTSUP;
}

static int on_entry(void *ctx, const struct tar_entry *e, struct err *err)
{
	struct listing *l = ctx;
	char path[TAR_NAME_MAX + 1];
	struct found *f;
	int r;

	l->now = NULL;
	r = tar_name_clean(e->name, path, err);
	if (r < 0 || !path[0])
		return r;
	f = ARENA_NEW(l->a, struct found);
	if (!f)
		return arena_quota(l->a, err);
	*f = (struct found){ .path = arena_strdup(l->a, path),
			     .link = arena_strdup(l->a, e->link),
			     .type = e->type,
			     .mode = e->mode,
			     .major = e->major,
			     .minor = e->minor,
			     .uid = e->uid,
			     .gid = e->gid,
			     .mtime = e->mtime_s,
			     .size = e->real_size };
	if (!f->path || !f->link)
		return arena_quota(l->a, err);
	for (size_t i = 0; i < e->nxattrs; i++)
		add_attr(f, &e->xattrs[i]);
	(void)map_put(&l->files, slice_str(f->path), f);
	sha256_init(&l->hash);
	l->now = f;
	return 0;
}

static int on_data(void *ctx, const void *p, size_t n, struct err *err)
{
	struct listing *l = ctx;

	(void)err;
	sha256_update(&l->hash, p, n);
	return 0;
}

static int on_end(void *ctx, struct err *err)
{
	struct listing *l = ctx;

	(void)err;
	if (l->now)
		sha256_final(&l->hash, l->now->sum);
	return 0;
}

/* A hole reads as zeros. */
static int on_hole(void *ctx, uint64_t n, struct err *err)
{
	static const char zeros[4096];
	struct listing *l = ctx;

	(void)err;
	for (; n; n -= MIN(n, sizeof(zeros)))
		sha256_update(&l->hash, zeros, MIN(n, sizeof(zeros)));
	return 0;
}

static const struct tar_ops ops = {
	.entry = on_entry, .data = on_data, .hole = on_hole, .end = on_end
};

static int push(void *ctx, struct slice bytes, struct err *err)
{
	return tar_reader_push(((struct listing *)ctx)->tar, bytes.p, bytes.n, err);
}

static int list_blob(struct image_store *is, const char *digest, struct listing *l, struct err *err)
{
	const struct place_conf conf = { .helper = is->helper };
	CLEANUP(tar_reader_free) struct tar_reader *t = tar_reader_new(NULL, &ops, l);
	CLEANUP(fd_close) int fd = -1;
	struct place_blob b = { 0 };
	int r;

	l->tar = t;
	r = image_blob_open(is, digest, &fd, &b.size, err);
	b.fd = fd;
	if (r >= 0)
		r = place_inflate(&conf, &b, push, l, err);
	return r < 0 ? r : tar_reader_finish(t, err);
}

/* The directory's tar comes from a thread that starts the helper and waits for it. */
struct making {
	struct image_store *is;
	const struct strv *dirs;
	int out, result;
	struct err err;
};

static void *make_main(void *arg)
{
	struct making *m = arg;

	m->result = image_diff_tar(m->is, IMAGE_DIFF_LAYER, m->dirs, m->out, NULL, &m->err);
	fd_close(STEAL_FD(m->out));
	return NULL;
}

static int read_pipe(int fd, struct listing *l, struct err *err)
{
	CLEANUP_FREE char *chunk = malloc(256u << 10);
	ssize_t n;
	int r = 0;

	if (!chunk)
		abort();
	while (r >= 0 && (n = fd_read_full(fd, chunk, 256u << 10)) > 0)
		r = push(l, slice_of(chunk, (size_t)n), err);
	return r < 0 || n >= 0 ? r : err_sys(err, "read the layer's files");
}

static int list_dirs(struct image_store *is, const struct strv *dirs, struct listing *l,
		     struct err *err)
{
	CLEANUP(tar_reader_free) struct tar_reader *t = tar_reader_new(NULL, &ops, l);
	struct making m = { .is = is, .dirs = dirs };
	pthread_t maker;
	int p[2], r, rc;

	l->tar = t;
	if (sys_pipe2(p, O_CLOEXEC) < 0)
		return err_sys(err, "make a pipe");
	m.out = p[1];
	rc = pthread_create(&maker, NULL, make_main, &m);
	if (rc) {
		fd_close(p[0]);
		fd_close(p[1]);
		return err_sysc(err, ERR_SYSTEM, rc, "start a thread");
	}
	r = read_pipe(p[0], l, err);
	fd_close(p[0]);
	pthread_join(maker, NULL);
	if (m.result < 0 && r >= 0) {
		*err = m.err;
		return m.result;
	}
	return r < 0 ? r : tar_reader_finish(t, err);
}

/* ---- comparing ---- */

static const char *base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static bool is_white(const char *path)
{
	return strncmp(base_of(path), WHITE, 4) == 0;
}

static const struct found *get(const struct listing *l, struct slice path)
{
	return path.n ? map_get(&l->files, path) : NULL;
}

/* A hard link is what it is a link to; NULL: that is in another layer. */
static const struct found *follow(const struct listing *l, const struct found *f)
{
	char clean[TAR_NAME_MAX + 1];

	for (int i = 0; f && f->type == TAR_HARD && i < 8; i++)
		f = tar_name_clean(f->link, clean, NULL) < 0 ? NULL : get(l, slice_str(clean));
	return f && f->type == TAR_HARD ? NULL : f;
}

/* A name of the tar that a later entry of the same tar has replaced by something without names. */
static bool is_buried(const struct listing *l, const char *path)
{
	for (const char *c = strrchr(path, '/'); c;
	     c = c > path ? memrchr(path, '/', (size_t)(c - path)) : NULL) {
		const struct found *f = get(l, slice_of(path, (size_t)(c - path)));

		if (f && f->type != TAR_DIR)
			return true;
	}
	return false;
}

/* What a whiteout takes away: "d/.wh.x" to "d/x", the opaque mark to "d". */
static void target_of(const char *path, char dst[TAR_NAME_MAX + 1])
{
	const char *base = base_of(path);
	size_t dir = (size_t)(base - path);

	if (strcmp(base, OPAQUE) == 0)
		(void)snprintf(dst, TAR_NAME_MAX + 1, "%.*s", dir ? (int)dir - 1 : 0, path);
	else
		(void)snprintf(dst, TAR_NAME_MAX + 1, "%.*s%s", (int)dir, path, base + 4);
}

/* NULL: they are the same. */
static const char *differs(const struct listing *want, const struct found *w,
			   const struct listing *have, const struct found *h)
{
	bool linked = w->type == TAR_HARD;

	w = follow(want, w);
	h = follow(have, h);
	if (!h || !w)
		return !h && !linked ? "is a link to nothing" : NULL;
	if (w->type != h->type)
		return "is of another kind";
	if (w->type == TAR_SYM)
		return strcmp(w->link, h->link) == 0 ? NULL : "points elsewhere";
	if (w->mode != h->mode)
		return "has another mode";
	if (w->uid != h->uid || w->gid != h->gid)
		return "has another owner";
	if (w->type == TAR_REG && w->size != h->size)
		return "has another size";
	if (w->type == TAR_REG && memcmp(w->sum, h->sum, sizeof(w->sum)) != 0)
		return "has other bytes";
	if (w->type == TAR_REG && w->mtime != h->mtime)
		return "has another time";
	if ((w->type == TAR_CHAR || w->type == TAR_BLOCKDEV) &&
	    (w->major != h->major || w->minor != h->minor))
		return "is another device";
	for (size_t i = 0; i < ATTRS; i++)
		if (w->attrs[i] != h->attrs[i] && !have->lacks[i])
			return "has other extended attributes";
	return NULL;
}

/* Do the layers below (dirs but the first) show this path? Whiteouts of nothing leave nothing. */
static bool shown_in(struct diff_view *v, size_t n, const char *path)
{
	struct diff_set s = { .n = (unsigned)n }, next;
	struct slice rest = slice_str(path);
	char name[256];
	struct stat st;

	for (unsigned i = 0; i < n; i++)
		s.v[i] = (unsigned char)i;
	diff_view_enter(v, "");
	while (rest.p) {
		struct slice part = slice_split(&rest, '/');
		char prefix[TAR_NAME_MAX + 1];

		(void)snprintf(name, sizeof(name), "%.*s", (int)part.n, part.p);
		if (diff_view_find(v, &s, name, false, &st, NULL) < 0)
			return false;
		if (!rest.p)
			return true;
		if (!S_ISDIR(st.st_mode) || diff_view_subset(v, &s, name, &next, NULL) < 0)
			return false;
		s = next;
		(void)snprintf(prefix, sizeof(prefix), "%.*s", (int)(part.p + part.n - path), path);
		diff_view_enter(v, prefix);
	}
	return false;
}

static bool shown_below(const struct strv *dirs, const char *path)
{
	int fds[DIFF_LAYERS_MAX];
	struct diff_view v;
	bool shown = false;
	size_t n = 0;

	for (; n + 1 < dirs->n && n < DIFF_LAYERS_MAX; n++) {
		fds[n] =
			sys_openat(AT_FDCWD, dirs->v[n + 1], O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
		if (fds[n] < 0)
			break;
	}
	if (n + 1 == dirs->n) {
		diff_view_init(&v, fds, n);
		shown = shown_in(&v, n, path);
		diff_view_fini(&v);
	}
	while (n)
		fd_close(fds[--n]);
	return shown;
}

static const char *judge_wanted(const struct listing *want, const struct found *w,
				const struct listing *have, const struct strv *dirs)
{
	const struct found *h = get(have, slice_str(w->path));
	char target[TAR_NAME_MAX + 1], opaque[TAR_NAME_MAX + 32];

	if (!is_white(w->path))
		return h			  ? differs(want, w, have, h)
		       : is_buried(want, w->path) ? NULL
						  : "is missing";
	target_of(w->path, target);
	if (dirs->n == 1 || h || !target[0] || get(have, slice_str(target)))
		return NULL;
	(void)snprintf(opaque, sizeof(opaque), "%.*s" OPAQUE, (int)(base_of(w->path) - w->path),
		       w->path);
	if (get(have, slice_str(opaque)) || is_buried(want, w->path))
		return NULL;
	return shown_below(dirs, target) ? "is missing: it is shown again" : NULL;
}

static const char *judge_extra(const struct listing *want, const struct found *h)
{
	char target[TAR_NAME_MAX + 1];

	if (h->type == TAR_DIR || get(want, slice_str(h->path)))
		return NULL; /* a directory may have no entry of its own */
	if (!is_white(h->path))
		return "is not of the layer";
	target_of(h->path, target);
	return get(want, slice_str(target)) || !target[0] ? NULL : "hides what the layer does not";
}

struct verifying {
	struct image_store *is;
	struct image_verify *v;
	struct arena *a;
	const struct image *img;
	const char *names; /* of its manifest in a registry, "HOST/REPO@DIGEST", or NULL */
};

static void complain(struct verifying *x, const char *kind, const char *digest, const char *text,
		     bool repaired)
{
	x->v->problems += !repaired;
	if (x->v->problem)
		x->v->problem(x->v->ctx, kind, digest, text, repaired);
}

/* Up to so many are named: one damaged directory brings many. */
#define NAMED_MAX 20

/* The two sides of a layer, and what is said of their differences. */
struct comparison {
	const char *chain;
	const struct listing *want, *have;
	const struct strv *dirs;
	bool quiet, repaired;
	const char *note; /* behind each */
	unsigned n;
};

static void differ(struct verifying *x, struct comparison *c, const struct found *f,
		   const char *why)
{
	char text[TAR_NAME_MAX + 128 + 1024];

	if (!why || c->n == NAMED_MAX)
		return;
	c->n++;
	(void)snprintf(text, sizeof(text), "/%s %s%s", f->path, why, c->note);
	if (!c->quiet)
		complain(x, "layer", c->chain, text, c->repaired);
}

static unsigned compare(struct verifying *x, struct comparison *c)
{
	struct found *f;
	size_t at = 0;

	c->n = 0;
	while ((f = map_next(&c->want->files, &at, NULL)))
		differ(x, c, f, judge_wanted(c->want, f, c->have, c->dirs));
	at = 0;
	while ((f = map_next(&c->have->files, &at, NULL)))
		differ(x, c, f, judge_extra(c->want, f));
	return c->n;
}

/* Told after the repair, for then it is known what is left. */
static void judge(struct verifying *x, size_t i, struct comparison *c, const struct err *unread)
{
	struct err why = ERR_INIT;
	char note[sizeof(why.msg) + 16] = "", text[2 * sizeof(why.msg) + 16];

	c->note = "";
	c->quiet = true;
	if (!unread && compare(x, c) == 0)
		return;
	if (x->v->reach) {
		c->repaired = image_layer_repair(x->is, x->img, i, &why) >= 0;
		if (!c->repaired)
			(void)snprintf(note, sizeof(note), "; repair: %s", why.msg);
	}
	c->quiet = false;
	c->note = note;
	if (!unread) {
		(void)compare(x, c);
		return;
	}
	(void)snprintf(text, sizeof(text), "%s%s", unread->msg, note);
	complain(x, "layer", c->chain, text, c->repaired);
}

/* ---- layers ---- */

/* Its own directory and those below, topmost first; n == 0: it is not kept as one. */
static int dirs_of(struct verifying *x, size_t i, struct strv *ret, const char **ret_blob,
		   struct err *err)
{
	const char **v = ARENA_ARRAY(x->a, const char *, i + 2), *link, *blob;
	size_t n = 0;
	int r = 0;

	if (!v)
		return arena_quota(x->a, err);
	for (size_t k = i + 1; k-- > 0;) {
		CLEANUP(db_row_done) struct db_row *row = NULL;

		r = db_query(db_reader(x->is->db), &row, err,
			     "SELECT link, COALESCE(blob, '') FROM layers WHERE chain = ?", "t",
			     image_chain_id(x->img, k));
		if (r >= 0)
			r = db_row_next(row, err);
		if (r <= 0)
			return r < 0 ? r
				     : err_set(err, ERR_NOT_FOUND, "layer '%s' is not in the store",
					       image_chain_id(x->img, k));
		db_row_get(row, "tt", &link, &blob);
		if (k == i)
			*ret_blob = arena_strdup(x->a, blob);
		v[n] = arena_printf(x->a, "%s/l/%s", x->is->path, link);
		if (!v[n++])
			return arena_quota(x->a, err);
	}
	*ret = (struct strv){ v, n };
	return 0;
}

static int verify_layer(struct verifying *x, size_t i, struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("files of a layer", ARENA_MAX);
	CLEANUP(map_fini) struct map wanted = { 0 }, there = { 0 };
	struct listing want = { .a = a }, have = { .a = a };
	const char *blob = "", *chain = image_chain_id(x->img, i);
	struct err why = ERR_INIT;
	struct strv dirs;
	int r;

	r = dirs_of(x, i, &dirs, &blob, err);
	if (r < 0)
		return r;
	if (x->is->driver->whole || !*blob) {
		x->v->skipped++;
		return 0;
	}
	map_init(&want.files);
	map_init(&have.files);
	find_lacks(dirs.v[0], have.lacks);
	r = list_blob(x->is, blob, &want, &why);
	if (r >= 0)
		r = list_dirs(x->is, &dirs, &have, &why);
	judge(x, i,
	      &(struct comparison){ .chain = chain, .want = &want, .have = &have, .dirs = &dirs },
	      r < 0 ? &why : NULL);
	wanted = want.files; /* freed with them */
	there = have.files;
	x->v->layers++;
	return 0;
}

/* ---- blobs ---- */

static int replace_blob(struct verifying *x, const char *digest, const struct place_blob *b,
			struct err *err)
{
	CLEANUP(fd_close) int fd = -1;
	const int dir = image_blob_dir(x->is, digest);
	char temp[SHA512_HEX_LEN + 32];
	int r;

	(void)snprintf(temp, sizeof(temp), "%s.repair", IMAGE_HEX(digest));
	(void)sys_unlinkat(dir, temp, 0); /* of one that was killed */
	r = path_open_beneath(dir, temp, O_WRONLY | O_CREAT | O_EXCL, 0644, &fd, err);
	if (r < 0)
		return r;
	r = place_copy_bytes(b, fd, NULL, NULL, err);
	if (r >= 0 && sys_fsync(fd) < 0)
		r = err_sys(err, "write blob '%s'", digest);
	if (r >= 0 && sys_renameat(dir, temp, dir, IMAGE_HEX(digest)) < 0)
		r = err_sys(err, "replace blob '%s'", digest);
	if (r >= 0)
		r = fd_fsync_dir(dir, err);
	if (r < 0)
		(void)sys_unlinkat(dir, temp, 0); /* the error counts */
	return r;
}

static int repair(struct verifying *x, const struct manifest_desc *d, struct err *err)
{
	CLEANUP(place_free) struct place *p = NULL;
	CLEANUP(fd_close) int fd = -1;
	struct place_manifest m;
	struct place_blob b;
	struct slice bytes;
	int r;

	if (!x->v->reach)
		return err_set(err, ERR_UNSUPPORTED, "--repair fetches it again");
	if (!x->names)
		return err_set(err, ERR_NOT_FOUND, "no registry is known that has the image");
	r = x->v->reach(x->v->ctx, arena_printf(x->a, "docker://%s", x->names), &p, err);
	if (r < 0)
		return r;
	if (strcmp(d->digest, image_manifest_digest(x->img)) != 0) {
		r = place_blob(p, d, NULL, NULL, &b, err);
		if (r < 0)
			return r;
		fd = b.fd;
		return replace_blob(x, d->digest, &b, err);
	}
	r = place_manifest(p, d->digest, x->a, &m, NULL, err);
	if (r >= 0)
		r = place_scratch(p, &fd, err);
	if (r < 0)
		return r;
	bytes = m.bytes;
	if (fd_write_all(fd, bytes.p, bytes.n) < 0)
		return err_sys(err, "keep the manifest");
	return replace_blob(x, d->digest, &(struct place_blob){ .fd = fd, .size = bytes.n }, err);
}

/* 1 = it was damaged, and is not any more; 2 = it still is. */
static int verify_blob(struct verifying *x, const struct manifest_desc *d, struct err *err)
{
	struct err why = ERR_INIT, then = ERR_INIT;
	char text[2 * sizeof(why.msg) + 32];
	uint64_t size;
	int fd, r;

	r = image_blob_open(x->is, d->digest, &fd, &size, &why);
	if (r >= 0) {
		fd_close(fd);
		r = image_blob_verify(x->is, d->digest, &why);
	}
	x->v->blobs++;
	x->v->bytes += (uint64_t)d->size;
	if (x->v->told)
		x->v->told(x->v->ctx, x->v->bytes);
	(void)err;
	if (r >= 0)
		return 0;
	r = repair(x, d, &then);
	(void)snprintf(text, sizeof(text), "%s%s%s", why.msg,
		       r < 0 && x->v->reach ? "; repair: " : "",
		       r < 0 && x->v->reach ? then.msg : "");
	complain(x, "blob", d->digest, text, r >= 0);
	return r < 0 ? 2 : 1;
}

/* 1 = the database has it: of a layer that is served lazily it does not. */
static int is_kept(struct verifying *x, const char *digest, struct err *err)
{
	CLEANUP(db_row_done) struct db_row *row = NULL;
	int r;

	r = db_query(db_reader(x->is->db), &row, err, "SELECT 1 FROM blobs WHERE digest = ?", "t",
		     digest);
	return r < 0 ? r : db_row_next(row, err);
}

static int verify_blobs(struct verifying *x, bool *ret_whole, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(PLACE_MANIFEST_MAX);
	struct manifest_desc d = { .digest = image_manifest_digest(x->img) };
	struct manifest doc;
	int r;

	*ret_whole = false;
	r = verify_blob(x, &d, err);
	if (r < 0 || r == 2)
		return r < 0 ? r : 0; /* what it names is not known then */
	r = fd_read_file(image_blob_dir(x->is, d.digest), IMAGE_HEX(d.digest), &b, err);
	if (r >= 0)
		r = manifest_parse(x->a, buf_slice(&b), NULL, &doc, err);
	*ret_whole = true;
	for (size_t i = 0; r >= 0 && i <= doc.n; i++) {
		const struct manifest_desc *part = i ? &doc.parts[i - 1] : &doc.config;
		int kept = is_kept(x, part->digest, err);

		r = kept > 0 ? verify_blob(x, part, err) : kept;
		*ret_whole &= r != 2;
	}
	return r < 0 ? r : 0;
}

static int known_as(struct verifying *x, struct err *err)
{
	struct strv tags, digests;
	struct image_name n;
	char full[IMAGE_NAME_TEXT_MAX];
	int r;

	r = image_names(x->is, x->img, x->a, &tags, &digests, err);
	for (size_t i = 0; r >= 0 && !x->names && i < digests.n; i++)
		if (image_name_parse(digests.v[i], &n, NULL) == 0 && n.digest[0])
			x->names = arena_strdup(x->a, image_name_full(&n, full));
	return r;
}

int image_verify(struct image_store *is, const struct image *img, struct image_verify *v,
		 struct err *err)
{
	CLEANUP(image_lease_free) struct image_lease *lease = NULL;
	CLEANUP(arena_free) struct arena *a = arena_new("verify", 64u << 20);
	struct verifying x = { .is = is, .v = v, .a = a, .img = img };
	bool whole;
	int r;

	r = image_lease_new(is, &lease, err);
	if (r >= 0)
		r = image_lease_add(lease, IMAGE_ITEM_IMAGE, image_id(img), err);
	if (r >= 0)
		r = known_as(&x, err);
	if (r >= 0)
		r = verify_blobs(&x, &whole, err);
	/* A layer is compared with its blob: only where that is right. */
	for (size_t i = 0; r >= 0 && whole && i < image_config(img)->diff_ids.n; i++)
		r = verify_layer(&x, i, err);
	return r < 0 ? err_wrap(err, "verify image '%s'", image_id(img)) : 0;
}
