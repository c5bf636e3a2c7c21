/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Import and load. All work happens in the lease's ingest directory: spool, blobs (b0, b1, ...),
 * snapshots (s0, ...). Only image_publish() makes anything visible; whatever fails before leaves
 * nothing once that directory is gone. Durability: every blob is fsynced, then one syncfs() of the
 * store's file system covers the snapshots, then come renames and rows. syncfs and not a sync per
 * file: a layer has thousands of files, and each fsync would be a journal commit.
 */
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/hash.h"
#include "base/work.h"
#include "doc/json.h"
#include "image/helper.h"
#include "image/import-priv.h"
#include "image/inflate.h"
#include "image/manifest.h"
#include "image/private.h"
#include "image/report.h"
#include "linux/path.h"
#include "linux/sys.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ARENA_MAX (256u << 20)

/* Progress on its way from the worker to the loop. */
struct told {
	struct post post;
	struct image_import *im;
	struct image_progress p;
	char id[IMAGE_DIGEST_MAX], text[IMAGE_NAME_TEXT_MAX];
};

/* ---- life ---- */

static char *keep(struct image_import *im, const char *s)
{
	return s ? arena_strdup(im->arena, s) : NULL;
}

int import_check_platform(const char *platform, struct err *err)
{
	struct slice rest = slice_str(platform), os = slice_split(&rest, '/'), part;
	int parts = 1;

	while (rest.p) {
		part = slice_split(&rest, '/');
		parts++;
		for (size_t i = 0; i < part.n; i++)
			if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789_.-", part.p[i]))
				os.n = 0;
		if (!part.n)
			os.n = 0;
	}
	if (!os.n || parts > 3)
		return err_set(err, ERR_BAD_REQUEST, "platform '%.100s' is not os[/arch[/variant]]",
			       platform);
	if (!slice_is(os, "linux"))
		return err_set(err, ERR_BAD_REQUEST,
			       "platform '%.100s': only linux images run here", platform);
	return 0;
}

/* Everything that can be found wrong before the body comes. */
static int check_options(struct image_import *im, struct err *err)
{
	struct image_name name;
	struct doc config = doc_object();
	int r = 0;

	if (im->o.ref) {
		r = image_name_parse(im->o.ref, &name, err);
		if (r >= 0 && name.digest[0])
			r = err_set(err, ERR_BAD_REQUEST, "cannot import digest reference");
	}
	if (r >= 0 && im->o.platform)
		r = import_check_platform(im->o.platform, err);
	if (r >= 0 && im->o.platforms.n > IMAGE_PLATFORMS_MAX)
		r = err_set(err, ERR_TOO_LARGE, "more than %d platforms", IMAGE_PLATFORMS_MAX);
	for (size_t i = 0; i < im->o.platforms.n && r >= 0; i++)
		r = import_check_platform(im->o.platforms.v[i], err);
	if (r >= 0)
		r = image_changes_apply(im->arena, &config, im->o.changes, im->o.nchanges, err);
	return r;
}

static int copy_options(struct image_import *im, const struct image_import_options *o,
			struct err *err)
{
	const char **lines = ARENA_ARRAY(im->arena, const char *, o->nchanges + 1);
	const char **platforms = ARENA_ARRAY(im->arena, const char *, o->platforms.n + 1);

	im->o = *o;
	im->o.ref = o->ref && o->ref[0] ? keep(im, o->ref) : NULL;
	im->o.message = keep(im, o->message);
	im->o.platform = o->platform && o->platform[0] ? keep(im, o->platform) : NULL;
	for (size_t i = 0; lines && i < o->nchanges; i++)
		lines[i] = keep(im, o->changes[i]);
	im->o.changes = lines;
	for (size_t i = 0; platforms && i < o->platforms.n; i++)
		platforms[i] = keep(im, o->platforms.v[i]);
	im->o.platforms.v = platforms;
	return arena_exceeded(im->arena) ? arena_quota(im->arena, err) : check_options(im, err);
}

int image_import_new(struct image_store *is, const struct image_import_options *o,
		     struct image_import **ret, struct err *err)
{
	CLEANUP(image_import_free) struct image_import *im = calloc(1, sizeof(*im));
	int r;

	if (!im)
		abort();
	im->is = is;
	im->spool = im->dir = -1;
	im->arena = arena_new("image import", ARENA_MAX);
	r = copy_options(im, o, err);
	if (r >= 0)
		r = image_lease_new(is, &im->lease, err);
	if (r < 0)
		return r;
	im->dir = image_lease_dirfd(im->lease, err);
	if (im->dir < 0)
		return im->dir;
	im->spool = sys_openat(im->dir, "spool", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (im->spool < 0)
		return err_sys(err, "create a spool file in '%s/ingest'", is->path);
	*ret = STEAL(im);
	return 0;
}

/* The worker calls this at its end, so that the loop has no tree to delete. */
static void drop_files(struct image_import *im)
{
	fd_close(STEAL_FD(im->spool));
	image_lease_free(STEAL(im->lease));
	im->dir = -1;
}

void image_import_free(struct image_import *im)
{
	if (!im)
		return;
	assert(!im->running);
	drop_files(im);
	arena_free(im->arena);
	free(im);
}

void image_import_cancel(struct image_import *im)
{
	atomic_store(&im->cancel, true);
}

/* ---- the body ---- */

int image_import_push(struct image_import *im, const void *p, size_t n, struct err *err)
{
	assert(!im->running && !im->finished);
	if (n > im->is->o.limits.input_max - im->size)
		return err_set(err, ERR_TOO_LARGE,
			       "the archive is larger than the limit of %llu bytes",
			       (unsigned long long)im->is->o.limits.input_max);
	if (fd_write_all(im->spool, p, n) < 0)
		return err_sys(err, "spool the archive in '%s/ingest'", im->is->path);
	im->size += n;
	return 0;
}

int image_import_read(struct image_import *im, int fd, struct err *err)
{
	CLEANUP_FREE char *buf = malloc(1 << 18);
	int r;

	if (!buf)
		abort();
	for (;;) {
		ssize_t n = sys_read(fd, buf, 1 << 18);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, "read the archive");
		if (n == 0)
			return 0;
		r = image_import_push(im, buf, (size_t)n, err);
		if (r < 0)
			return r;
	}
}

/* ---- progress ---- */

static void on_told(struct post *p)
{
	struct told *t = CONTAINER_OF(p, struct told, post);

	t->im->o.progress(t->im->o.ctx, &t->p);
	free(t);
}

static void tell(struct image_import *im, const struct image_progress *p)
{
	struct told *t;

	if (!im->o.progress)
		return;
	if (!im->on_loop) {
		im->o.progress(im->o.ctx, p);
		return;
	}
	t = calloc(1, sizeof(*t));
	if (!t)
		abort();
	t->im = im;
	t->p = *p;
	(void)str_copy(t->id, sizeof(t->id), p->id);
	(void)str_copy(t->text, sizeof(t->text), p->text);
	t->p.id = t->id;
	t->p.text = t->text;
	t->post.fn = on_told;
	loop_post(im->is->o.loop, &t->post);
}

/* At most some 100 messages for a layer: the loop's queue is not to grow with its size. */
static void on_pumped(void *ctx, uint64_t done)
{
	struct image_import *im = ctx;

	if (done < im->layer_total && done - im->told_at < MAX(im->layer_total / 100, 1u << 19))
		return;
	im->told_at = done;
	tell(im, &(struct image_progress){ IMAGE_PROGRESS_LAYER, im->layer_id, "", done,
					   im->layer_total });
}

/* ---- pieces ---- */

static void *grow(struct image_import *im, void *p, size_t n, size_t *cap, size_t size)
{
	size_t want = *cap ? *cap * 2 : 16;

	if (n < *cap)
		return p;
	p = arena_grow(im->arena, p, *cap * size, want * size);
	if (p)
		*cap = want;
	return p;
}

struct image_new_blob *import_new_blob(struct image_import *im, const char *digest, uint64_t size,
				       const char *media, const char *file)
{
	struct image_new_blob *b;

	for (size_t i = 0; i < im->nblobs; i++)
		if (strcmp(im->blobs[i].digest, digest) == 0) {
			if (!im->blobs[i].file[0]) /* now the bytes are at hand too */
				(void)str_copy(im->blobs[i].file, sizeof(im->blobs[i].file), file);
			return &im->blobs[i];
		}
	im->blobs = grow(im, im->blobs, im->nblobs, &im->blobs_cap, sizeof(*im->blobs));
	if (!im->blobs)
		return NULL;
	b = &im->blobs[im->nblobs++];
	*b = (struct image_new_blob){ .size = size, .media = media };
	(void)str_copy(b->digest, sizeof(b->digest), digest);
	(void)str_copy(b->file, sizeof(b->file), file);
	return b;
}

int import_create_file(struct image_import *im, char name[32], int *ret, struct err *err)
{
	snprintf(name, 32, "b%zu", im->nfiles++);
	*ret = sys_openat(im->dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	return *ret < 0 ? err_sys(err, "create a blob in '%s/ingest'", im->is->path) : 0;
}

int import_blob_from_bytes(struct image_import *im, struct slice s, const char *media,
			   char ret_digest[IMAGE_DIGEST_MAX], struct err *err)
{
	CLEANUP(fd_close) int fd = -1;
	char name[32];
	int r;

	image_digest_of(s.p, s.n, ret_digest);
	r = import_create_file(im, name, &fd, err);
	if (r < 0)
		return r;
	if (fd_write_all(fd, s.p, s.n) < 0 || sys_fsync(fd) < 0)
		return err_sys(err, "write a blob in '%s/ingest'", im->is->path);
	return import_new_blob(im, ret_digest, s.n, media, name) ? 0 : arena_quota(im->arena, err);
}

const char *import_layer_media(const char *compression)
{
	if (strcmp(compression, "gzip") == 0)
		return "application/vnd.oci.image.layer.v1.tar+gzip";
	if (strcmp(compression, "zstd") == 0)
		return "application/vnd.oci.image.layer.v1.tar+zstd";
	return "application/vnd.oci.image.layer.v1.tar";
}

void import_chain_of(const char *parent, const char *diff, char dst[IMAGE_DIGEST_MAX])
{
	char text[2 * IMAGE_DIGEST_MAX];

	if (!parent[0]) {
		(void)str_copy(dst, IMAGE_DIGEST_MAX, diff);
		return;
	}
	snprintf(text, sizeof(text), "%s %s", parent, diff);
	image_digest_of(text, strlen(text), dst);
}

struct image_new_layer *import_find_layer(struct image_import *im, const char *chain)
{
	for (size_t i = 0; i < im->nlayers; i++)
		if (strcmp(im->layers[i].chain, chain) == 0)
			return &im->layers[i];
	return NULL;
}

/* ---- layers ---- */

struct layer_in {
	uint64_t offset, size;
	const char *promised; /* blob digest, or "" */
	const char *diff;     /* expected, or NULL */
	const char *parent;   /* chain id, or "" */
	bool whole_spool;     /* the spool itself becomes the blob */
};

static int check_digests(const struct pump *p, const struct layer_in *in, struct err *err)
{
	if (in->promised[0] && strcmp(in->promised, p->digest) != 0)
		return err_set(err, ERR_INVALID, "the bytes have digest %s instead of %s",
			       p->digest, in->promised);
	if (in->diff && strcmp(in->diff, p->diff_id) != 0)
		return err_set(err, ERR_INVALID,
			       "the uncompressed bytes have diff id %s, the config says %s",
			       p->diff_id, in->diff);
	return 0;
}

int import_snapshot_dir(struct image_import *im, char name[32], int *ret, struct err *err)
{
	snprintf(name, 32, "s%zu", im->nfiles++);
	if (sys_mkdirat(im->dir, name, 0755) < 0)
		return err_sys(err, "make a snapshot in '%s/ingest'", im->is->path);
	return path_open_beneath(im->dir, name, O_RDONLY | O_DIRECTORY, 0, ret, err);
}

/* xz and bzip2 are no media types of layers: a blob of theirs is kept uncompressed. 1 = so it is.
 */
static int keep_plain(struct image_import *im, const struct layer_in *in, struct err *err)
{
	char head[6] = "";
	enum inflate_kind kind;

	if (pread(im->spool, head, MIN(sizeof(head), in->size), (off_t)in->offset) < 0)
		return err_sys(err, "read the spooled archive");
	kind = inflate_sniff(head, sizeof(head));
	if (kind != INFLATE_XZ && kind != INFLATE_BZIP2)
		return 0;
	if (in->promised[0])
		return err_set(err, ERR_UNSUPPORTED,
			       "blob %s is compressed with %s, for which there is no media type of "
			       "layers; use gzip, zstd or none",
			       in->promised, inflate_name(head, sizeof(head)));
	return 1;
}

static int pump_layer(struct image_import *im, const struct layer_in *in, struct pump *p,
		      struct err *err)
{
	const struct image_limits *lim = &im->is->o.limits;
	int r = keep_plain(im, in, err);

	if (r < 0)
		return r;
	p->plain = -1;
	if (r) {
		p->plain = p->copy;
		p->copy = -1;
	}
	p->program = im->is->helper;
	p->limits = lim;
	p->cancel = &im->cancel;
	p->src = im->spool;
	p->offset = in->offset;
	p->size = in->size;
	p->alg = in->promised[0] ? image_digest_alg(in->promised) : IMAGE_SHA256;
	p->empty = im->dir;
	p->base_layer = !in->parent[0];
	p->size_max = MIN(lim->layer_max, lim->total_max - im->plain_total);
	p->progress = on_pumped;
	p->ctx = im;
	im->layer_total = in->size;
	im->told_at = 0;
	r = pump_run(p, err);
	if (r < 0)
		return r;
	im->plain_total += p->plain_size;
	return check_digests(p, in, err);
}

struct image_new_layer *import_new_layer(struct image_import *im)
{
	im->layers = grow(im, im->layers, im->nlayers, &im->layers_cap, sizeof(*im->layers));
	if (!im->layers)
		return NULL;
	im->layers[im->nlayers] = (struct image_new_layer){ 0 };
	return &im->layers[im->nlayers];
}

/* Reads one layer: blob (unless it is the spool) and snapshot. On success it is the last of
 * im->layers. */
static int add_layer(struct image_import *im, const struct layer_in *in,
		     struct image_new_layer **ret, struct err *err)
{
	CLEANUP(fd_close) int target = -1, copy = -1;
	CLEANUP(helper_result_fini) struct helper_result res = { 0 };
	struct pump p = { 0 };
	struct image_new_layer *l = import_new_layer(im);
	char file[32] = "spool";
	uint64_t size = in->size;
	int r;

	if (!l)
		return arena_quota(im->arena, err);
	r = image_store_step(im->is, "unpack", err);
	if (r >= 0)
		r = import_snapshot_dir(im, l->dir, &target, err);
	if (r >= 0 && !in->whole_spool)
		r = import_create_file(im, file, &copy, err);
	if (r < 0)
		return r;
	p.target = target;
	p.copy = copy;
	r = pump_layer(im, in, &p, err);
	res = p.unpacked;
	if (r < 0)
		return r;
	if (p.plain >= 0) {
		size = p.plain_size;
		p.compression = "none";
		(void)str_copy(p.digest, sizeof(p.digest), p.diff_id);
	}
	if (sys_fsync(in->whole_spool ? im->spool : copy) < 0)
		return err_sys(err, "write a blob to disk");
	(void)str_copy(l->diff, sizeof(l->diff), p.diff_id);
	(void)str_copy(l->parent, sizeof(l->parent), in->parent);
	(void)str_copy(l->blob, sizeof(l->blob), p.digest);
	import_chain_of(l->parent, l->diff, l->chain);
	l->size = res.bytes;
	r = import_finish_layer(im, l, target, buf_slice(&res.extra), err);
	if (r < 0)
		return r;
	if (!import_new_blob(im, p.digest, size, import_layer_media(p.compression), file))
		return arena_quota(im->arena, err);
	im->nlayers++;
	*ret = l;
	return 0;
}

/* ---- documents ---- */

static void add_descriptor(struct arena *a, struct doc *d, const char *media, const char *digest,
			   uint64_t size)
{
	doc_set_str(a, d, "mediaType", media);
	doc_set_str(a, d, "digest", digest);
	doc_set(a, d, "size", doc_uint(a, size));
}

static const struct image_new_blob *find_blob(const struct image_import *im, const char *digest)
{
	for (size_t i = 0; i < im->nblobs; i++)
		if (strcmp(im->blobs[i].digest, digest) == 0)
			return &im->blobs[i];
	return NULL;
}

/* An OCI manifest for an image that came without one. */
static int make_manifest(struct image_import *im, struct image_new_image *n, struct err *err)
{
	struct arena *a = im->arena;
	struct doc root = doc_object(), config = doc_object(), layers = doc_array();
	struct slice text;
	int r;

	add_descriptor(a, &config, MEDIA_OCI_CONFIG, n->id, find_blob(im, n->id)->size);
	for (size_t i = 0; i < n->nchains; i++) {
		const struct image_new_blob *b =
			find_blob(im, import_find_layer(im, n->chains[i])->blob);
		struct doc d = doc_object();

		add_descriptor(a, &d, b->media, b->digest, b->size);
		doc_append(a, &layers, d);
	}
	doc_set(a, &root, "schemaVersion", doc_int(a, 2));
	doc_set_str(a, &root, "mediaType", MEDIA_OCI_MANIFEST);
	doc_set(a, &root, "config", config);
	doc_set(a, &root, "layers", layers);
	r = json_print(a, &root, NULL, &text, err);
	return r < 0 ? r : import_blob_from_bytes(im, text, MEDIA_OCI_MANIFEST, n->manifest, err);
}

/* Blobs that the image refers to: config, manifest, and the layers'; room is left for `more`. */
static int list_blobs(struct image_import *im, struct image_new_image *n,
		      const struct archive_layer *promised, size_t more, struct err *err)
{
	n->blobs = arena_alloc_array(im->arena, 2 * n->nchains + 2 + more, IMAGE_DIGEST_MAX);
	if (!n->blobs)
		return arena_quota(im->arena, err);
	(void)str_copy(n->blobs[n->nblobs++], IMAGE_DIGEST_MAX, n->id);
	(void)str_copy(n->blobs[n->nblobs++], IMAGE_DIGEST_MAX, n->manifest);
	for (size_t i = 0; i < n->nchains; i++) {
		(void)str_copy(n->blobs[n->nblobs++], IMAGE_DIGEST_MAX,
			       import_find_layer(im, n->chains[i])->blob);
		if (promised && promised[i].digest[0])
			(void)str_copy(n->blobs[n->nblobs++], IMAGE_DIGEST_MAX, promised[i].digest);
	}
	return 0;
}

/* ---- rootfs ---- */

static int make_config(struct image_import *im, const char *diff, int64_t now, struct slice *ret,
		       struct err *err)
{
	struct arena *a = im->arena;
	struct slice rest = slice_str(im->o.platform ? im->o.platform : manifest_host_platform), os,
		     arch;
	struct doc root = doc_object(), config = doc_object(), rootfs = doc_object(),
		   ids = doc_array();
	struct doc history = doc_array(), row = doc_object();
	char when[CLOCK_TEXT_MAX];
	const char *message = im->o.message ? im->o.message : "";
	int r;

	os = slice_split(&rest, '/');
	arch = slice_split(&rest, '/');
	if (!arch.n)
		arch = slice_str(manifest_host_arch);
	clock_rfc3339nano(when, now);
	r = image_changes_apply(a, &config, im->o.changes, im->o.nchanges, err);
	if (r < 0)
		return r;
	doc_set_strn(a, &root, "architecture", arch.p, arch.n);
	if (message[0])
		doc_set_str(a, &root, "comment", message);
	doc_set(a, &root, "config", config);
	doc_set_str(a, &root, "created", when);
	doc_set_str(a, &row, "created", when);
	if (message[0])
		doc_set_str(a, &row, "comment", message);
	doc_append(a, &history, row);
	doc_set(a, &root, "history", history);
	doc_set_strn(a, &root, "os", os.p, os.n);
	doc_append(a, &ids, doc_str(a, diff));
	doc_set_str(a, &rootfs, "type", "layers");
	doc_set(a, &rootfs, "diff_ids", ids);
	doc_set(a, &root, "rootfs", rootfs);
	if (rest.n)
		doc_set_strn(a, &root, "variant", rest.p, rest.n);
	return json_print(a, &root, NULL, ret, err);
}

static int one_name(struct image_import *im, struct image_new_image *n, struct err *err)
{
	struct image_name name;
	int r;

	if (!im->o.ref)
		return 0;
	r = image_name_parse(im->o.ref, &name, err);
	if (r < 0)
		return r;
	n->names = arena_alloc_array(im->arena, 1, IMAGE_NAME_TEXT_MAX);
	if (!n->names)
		return arena_quota(im->arena, err);
	image_name_default_tag(&name);
	image_name_full(&name, n->names[n->nnames++]);
	return 0;
}

int import_finish_image(struct image_import *im, struct image_new_image *n, struct err *err)
{
	int r = make_manifest(im, n, err);

	if (r >= 0)
		r = list_blobs(im, n, NULL, 0, err);
	return r < 0 ? r : one_name(im, n, err);
}

int import_add_spool(struct image_import *im, const char *parent, struct image_new_layer **ret,
		     struct err *err)
{
	const struct layer_in in = {
		.size = im->size, .promised = "", .parent = parent, .whole_spool = true
	};

	im->layer_id = "";
	return add_layer(im, &in, ret, err);
}

static int unwrap(struct image_import *im, struct err *err)
{
	CLEANUP(fd_close) int plain = -1;
	struct pump p = { .program = im->is->helper,
			  .limits = &im->is->o.limits,
			  .cancel = &im->cancel,
			  .src = im->spool,
			  .size = im->size,
			  .copy = -1,
			  .target = -1,
			  .empty = im->dir,
			  .size_max = im->is->o.limits.input_max };
	int r;

	plain = sys_openat(im->dir, "plain", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (plain < 0)
		return err_sys(err, "create a spool file");
	p.plain = plain;
	r = pump_run(&p, err);
	if (r < 0)
		return r;
	if (sys_renameat(im->dir, "plain", im->dir, "spool") < 0)
		return err_sys(err, "name the uncompressed archive");
	fd_close(im->spool);
	im->spool = STEAL_FD(plain);
	im->size = p.plain_size;
	return 0;
}

static int run_rootfs(struct image_import *im, struct err *err)
{
	struct image_new_image *n = ARENA_NEW(im->arena, struct image_new_image);
	struct image_new_layer *l;
	struct slice config;
	int r;

	if (!n)
		return arena_quota(im->arena, err);
	if (!im->size)
		return err_set(err, ERR_INVALID, "the archive is empty");
	r = keep_plain(im, &(struct layer_in){ .size = im->size, .promised = "" }, err);
	if (r > 0)
		r = unwrap(im, err);
	if (r >= 0)
		r = import_add_spool(im, "", &l, err);
	if (r < 0)
		return r;
	n->created = clock_real();
	n->os = "linux";
	n->arch = manifest_host_arch;
	n->chains = arena_alloc_array(im->arena, 1, IMAGE_DIGEST_MAX);
	r = make_config(im, l->diff, n->created, &config, err);
	if (r < 0 || !n->chains)
		return r < 0 ? r : arena_quota(im->arena, err);
	(void)str_copy(n->chains[n->nchains++], IMAGE_DIGEST_MAX, l->chain);
	r = import_blob_from_bytes(im, config, MEDIA_OCI_CONFIG, n->id, err);
	if (r >= 0)
		r = import_finish_image(im, n, err);
	im->images = n;
	im->nimages = 1;
	return r;
}

/* ---- archive ---- */

static int list_members(struct image_import *im, struct helper_result *ret, struct err *err)
{
	const struct helper_start hs = { .program = im->is->helper,
					 .mode = "list",
					 .input = im->spool,
					 .root = im->dir,
					 .size_max = im->is->o.limits.input_max,
					 .entries_max = im->is->o.limits.members_max };
	struct helper h;
	int r;

	r = helper_start(&hs, &h, err);
	return r < 0 ? r : helper_finish(&h, ret, err);
}

struct reserve {
	struct image_import *im;
	const char *chain;
	char diff[IMAGE_DIGEST_MAX], blob[IMAGE_DIGEST_MAX];
	char media[80];
	int64_t blob_size;
	const char *promised;
	int64_t promised_there;
};

/* Is the layer in the store? Then the lease holds it from now on. */
static int run_reserve(void *ctx, struct db_conn *c, struct err *err)
{
	CLEANUP(db_row_done) struct db_row *row = NULL;
	struct reserve *rv = ctx;
	const char *diff, *blob, *media;
	int r;

	if (rv->promised[0]) {
		r = db_query_int(c, &rv->promised_there, err,
				 "SELECT 1 FROM blobs WHERE digest = ?", "t", rv->promised);
		if (r > 0)
			r = image_lease_add_in(rv->im->lease, c, IMAGE_ITEM_BLOB, rv->promised,
					       err);
		if (r < 0)
			return r;
	}
	r = db_query(c, &row, err,
		     "SELECT layers.diff, layers.blob, blobs.media, blobs.size FROM layers JOIN "
		     "blobs ON digest = blob"
		     " WHERE chain = ?",
		     "t", rv->chain);
	if (r >= 0)
		r = db_row_next(row, err);
	if (r <= 0)
		return r;
	db_row_get(row, "ttti", &diff, &blob, &media, &rv->blob_size);
	(void)str_copy(rv->diff, sizeof(rv->diff), diff);
	(void)str_copy(rv->blob, sizeof(rv->blob), blob);
	(void)str_copy(rv->media, sizeof(rv->media), media);
	r = image_lease_add_in(rv->im->lease, c, IMAGE_ITEM_SNAPSHOT, rv->chain, err);
	return r < 0 ? r : 1;
}

/* The layer's files are there, but a manifest of the archive names another blob for it. */
static int add_blob_alone(struct image_import *im, const struct layer_in *in, struct err *err)
{
	CLEANUP(fd_close) int copy = -1;
	struct pump p = { .target = -1 };
	char file[32];
	int r;

	r = import_create_file(im, file, &copy, err);
	if (r < 0)
		return r;
	p.copy = copy;
	r = pump_layer(im, in, &p, err);
	if (r < 0)
		return r;
	if (sys_fsync(copy) < 0)
		return err_sys(err, "write a blob to disk");
	return import_new_blob(im, p.digest, in->size, import_layer_media(p.compression), file)
		       ? 0
		       : arena_quota(im->arena, err);
}

/* The layer from the store, if it is there: 1. */
static int reuse_layer(struct image_import *im, const struct layer_in *in, const char *chain,
		       struct err *err)
{
	struct reserve rv = { .im = im, .chain = chain, .promised = in->promised };
	struct image_new_layer *l;
	int r;

	r = db_write_wait(im->is->db, run_reserve, &rv, err);
	if (r <= 0)
		return r;
	l = import_new_layer(im);
	if (!l)
		return arena_quota(im->arena, err);
	(void)str_copy(l->chain, sizeof(l->chain), chain);
	(void)str_copy(l->diff, sizeof(l->diff), rv.diff);
	(void)str_copy(l->parent, sizeof(l->parent), in->parent);
	(void)str_copy(l->blob, sizeof(l->blob), rv.blob);
	im->nlayers++;
	if (!import_new_blob(im, rv.blob, (uint64_t)rv.blob_size, keep(im, rv.media), ""))
		return arena_quota(im->arena, err);
	if (in->promised[0] && !rv.promised_there && !find_blob(im, in->promised)) {
		r = add_blob_alone(im, in, err);
		if (r < 0)
			return r;
	}
	tell(im, &(struct image_progress){ IMAGE_PROGRESS_EXISTS, im->layer_id, "", 0, 0 });
	return 1;
}

int import_reuse_layer(struct image_import *im, const char *parent, const char *chain,
		       struct err *err)
{
	const struct layer_in in = { .promised = "", .parent = parent };

	im->layer_id = "";
	return reuse_layer(im, &in, chain, err);
}

static int load_layer(struct image_import *im, const struct archive_image *ai, size_t i,
		      const char *parent, char chain[IMAGE_DIGEST_MAX], struct err *err)
{
	const struct layer_in in = { .offset = ai->layers[i].offset,
				     .size = ai->layers[i].size,
				     .promised = ai->layers[i].digest,
				     .diff = ai->doc.diff_ids.v[i],
				     .parent = parent };
	char short_id[13];
	struct image_new_layer *l;
	int r;

	import_chain_of(parent, in.diff, chain);
	snprintf(short_id, sizeof(short_id), "%.12s", IMAGE_HEX(in.diff));
	im->layer_id = short_id;
	l = import_find_layer(im, chain);
	if (l) {
		r = in.promised[0] && !find_blob(im, in.promised) ? add_blob_alone(im, &in, err)
								  : 0;
	} else {
		r = reuse_layer(im, &in, chain, err);
		if (r == 0)
			r = add_layer(im, &in, &l, err);
	}
	im->layer_id = "";
	return r < 0 ? err_wrap(err, "layer %zu (%s)", i + 1, in.diff) : 0;
}

static int load_image(struct image_import *im, const struct archive_image *ai,
		      struct image_new_image *n, struct err *err)
{
	int r = 0;

	n->chains = arena_alloc_array(im->arena, ai->doc.diff_ids.n + 1, IMAGE_DIGEST_MAX);
	if (!n->chains)
		return arena_quota(im->arena, err);
	for (; n->nchains < ai->doc.diff_ids.n && r >= 0; n->nchains++)
		r = load_layer(im, ai, n->nchains, n->nchains ? n->chains[n->nchains - 1] : "",
			       n->chains[n->nchains], err);
	if (r < 0)
		return r;
	n->created = CLOCK_ZERO;
	(void)clock_parse_rfc3339(slice_str(ai->doc.created), &n->created,
				  NULL); /* absent or odd: shown as zero */
	n->os = ai->doc.os[0] ? ai->doc.os : "linux";
	n->arch = ai->doc.architecture;
	n->names = ai->names;
	n->name_index = ai->name_index;
	n->nnames = ai->nnames;
	r = import_blob_from_bytes(im, ai->config, MEDIA_OCI_CONFIG, n->id, err);
	if (r < 0)
		return r;
	if (ai->manifest.n)
		r = import_blob_from_bytes(im, ai->manifest, ai->manifest_media, n->manifest, err);
	else
		r = make_manifest(im, n, err);
	if (r >= 0)
		r = list_blobs(im, n, ai->layers, ai->nindexes, err);
	n->parts = ai->parts;
	n->nparts = ai->nparts;
	for (size_t i = 0; i < ai->nindexes && r >= 0; i++)
		r = import_blob_from_bytes(im, ai->indexes[i]->bytes, ai->indexes[i]->media,
					   n->blobs[n->nblobs++], err);
	return r;
}

static int run_archive(struct image_import *im, struct err *err)
{
	CLEANUP(helper_result_fini) struct helper_result members = { 0 };
	struct archive ar;
	char head[8] = "";
	int r = 0;

	if (pread(im->spool, head, sizeof(head), 0) < 0)
		return err_sys(err, "read the spooled archive");
	if (head[0] == 0x1f || (head[0] & 0xf0) == 0x50 || head[0] == 0x28 ||
	    head[0] == (char)0xfd || head[0] == 'B')
		r = unwrap(
			im,
			err); /* a tar that begins with such a byte is passed through unchanged */
	if (r >= 0)
		r = image_store_step(im->is, "list", err);
	if (r >= 0)
		r = list_members(im, &members, err);
	if (r >= 0)
		r = archive_read(im->arena, im->spool, im->size, buf_slice(&members.extra),
				 &im->o.platforms, &im->is->o.limits, &ar, err);
	if (r < 0)
		return r;
	im->images = ARENA_ARRAY(im->arena, struct image_new_image, ar.n);
	if (!im->images)
		return arena_quota(im->arena, err);
	for (size_t i = 0; i < ar.n && r >= 0; i++, im->nimages++) {
		r = load_image(im, &ar.images[i], &im->images[i], err);
		if (r < 0)
			return err_wrap(err, "image %zu of the archive", i + 1);
	}
	return r;
}

/* ---- running ---- */

/* Platforms of one index have its names together: these are told once. */
static bool was_told(const struct image_import *im, size_t upto, const char *name)
{
	for (size_t i = 0; i < upto; i++)
		for (size_t k = 0; k < im->images[i].nnames; k++)
			if (strcmp(im->images[i].names[k], name) == 0)
				return true;
	return false;
}

static void tell_images(struct image_import *im)
{
	for (size_t i = 0; i < im->nimages; i++) {
		const struct image_new_image *n = &im->images[i];
		char text[IMAGE_NAME_TEXT_MAX];
		struct image_name name;

		for (size_t k = 0; k < MAX(n->nnames, 1u); k++) {
			text[0] = '\0';
			if (k < n->nnames && n->name_index && n->name_index[k] &&
			    was_told(im, i, n->names[k]))
				continue;
			if (k < n->nnames && image_name_parse(n->names[k], &name, NULL) == 0)
				image_name_familiar(&name, text);
			tell(im,
			     &(struct image_progress){ IMAGE_PROGRESS_IMAGE, n->id, text, 0, 0 });
		}
	}
}

static int run(struct image_import *im, struct err *err)
{
	struct image_publish p = { .is = im->is, .lease = im->lease };
	int r;

	r = image_store_step(im->is, "spool", err);
	if (r >= 0)
		r = im->o.kind == IMAGE_IMPORT_ROOTFS	? run_rootfs(im, err)
		    : im->o.kind == IMAGE_IMPORT_COMMIT ? import_run_commit(im, err)
							: run_archive(im, err);
	if (r >= 0)
		r = image_store_step(im->is, "sync", err);
	if (r < 0)
		return r;
	if (syncfs(im->dir) < 0)
		return err_sys(err, "write the layers to disk");
	p.blobs = im->blobs;
	p.nblobs = im->nblobs;
	p.layers = im->layers;
	p.nlayers = im->nlayers;
	p.images = im->images;
	p.nimages = im->nimages;
	return image_publish(&p, err);
}

int image_import_run(struct image_import *im, struct err *err)
{
	int r;

	assert(!im->finished);
	im->running = true;
	r = run(im, err);
	if (r >= 0)
		tell_images(im);
	else
		im->nimages = 0;
	drop_files(im);
	im->running = false;
	im->finished = true;
	return r < 0 ? err_wrap(err, im->o.kind == IMAGE_IMPORT_ROOTFS	 ? "import"
				     : im->o.kind == IMAGE_IMPORT_COMMIT ? "commit"
									 : "load")
		     : 0;
}

static void work_run(struct work *w)
{
	struct image_import *im = CONTAINER_OF(w, struct image_import, work);

	im->result = image_import_run(im, &im->err);
	im->running = true; /* until done() */
}

static void work_done(struct work *w)
{
	struct image_import *im = CONTAINER_OF(w, struct image_import, work);

	im->running = false;
	im->done(im->done_ctx, im->result, &im->err);
}

int image_import_start(struct image_import *im, struct work_pool *pool, image_done_fn *done,
		       void *ctx, struct err *err)
{
	int r;

	im->done = done;
	im->done_ctx = ctx;
	im->on_loop = true;
	im->running = true;
	r = work_submit(pool, &im->work, work_run, work_done, err);
	if (r < 0)
		im->running = im->on_loop = false;
	return r;
}

size_t image_import_count(const struct image_import *im)
{
	return im->nimages;
}

const char *image_import_id(const struct image_import *im, size_t i)
{
	return i < im->nimages ? im->images[i].id : NULL;
}
