/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images: references in docker's grammar, resolving and listing, tagging and removing, importing
 * and loading, and what a container's root needs. Specs: OCI image-spec 1.1 (config.md, layer.md,
 * image-layout.md), docker-image-spec 1.3.
 *
 * A struct image is immutable and counted (atomically), so it may be shared by threads. Queries run
 * on the thread that opened the store and do not block but for SQLite reads. Changes are
 * asynchronous (done() on the loop) or blocking by name.
 */
#pragma once

#include "base/cleanup.h"
#include "base/err.h"
#include "base/str.h"
#include "image/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct image_driver;
struct work_pool;

/* ---- References: [domain/]path[:tag][@digest] ---- */

#define IMAGE_REPO_MAX 512
#define IMAGE_NAME_TEXT_MAX (IMAGE_REPO_MAX + 270)
struct image_name {
	char name[IMAGE_REPO_MAX];     /* full: "docker.io/library/nginx" */
	char tag[129];		       /* "" when not given */
	char digest[IMAGE_DIGEST_MAX]; /* "" when not given */
};
/* -ERR_BAD_REQUEST with docker's words: "invalid reference format", "... repository name must be
 * lowercase". */
int image_name_parse(const char *text, struct image_name *ret, struct err *err);
void image_name_default_tag(struct image_name *r); /* "latest" when neither tag nor digest */
/* "nginx:latest" (docker.io/library/ and docker.io/ dropped), "ghcr.io/a/b@sha256:..."; returns
 * dst. */
const char *image_name_familiar(const struct image_name *r, char dst[IMAGE_NAME_TEXT_MAX]);
const char *image_name_full(const struct image_name *r, char dst[IMAGE_NAME_TEXT_MAX]);
/* The repository part of the familiar form ("nginx"). */
const char *image_name_familiar_repo(const struct image_name *r);

/* ---- One image ---- */

struct image;
struct image *image_ref(struct image *img); /* one more reference */
void image_unref(struct image *img);	    /* NULL is fine */
DEFINE_CLEANUP(struct image *, image_unref)

struct strv {
	const char *const *v; /* n strings and a NULL; NULL when absent in the document */
	size_t n;
};
struct image_label {
	const char *key, *value;
};
struct image_health {
	struct strv test; /* n == 0: no health check in the image */
	int64_t interval, timeout, start_period, start_interval; /* ns, 0 = default */
	int64_t retries;
};
struct image_history {
	const char *created, *created_by, *author, *comment; /* "" when absent */
	bool empty_layer;
};
struct image_config {
	const char *user, *working_dir, *stop_signal; /* "" when absent */
	struct strv env, cmd, entrypoint, shell, onbuild;
	struct strv ports;   /* "80/tcp", sorted as in the document */
	struct strv volumes; /* paths */
	const struct image_label *labels;
	size_t nlabels;
	struct image_health health;
	bool args_escaped;
	const char *architecture, *os, *variant, *os_version, *created, *author, *comment,
		*docker_version;
	const struct image_history *history;
	size_t nhistory;
	struct strv diff_ids;
};

const char *image_id(const struct image *img); /* "sha256:<hex>", digest of the config */
const char *image_manifest_digest(const struct image *img);
const struct image_config *image_config(const struct image *img);
struct slice image_config_json(const struct image *img); /* the document's own bytes */
uint64_t image_size(const struct image *img);	/* bytes of all unpacked layers, as docker's Size */
int64_t image_created(const struct image *img); /* ns; CLOCK_ZERO when the config has none */
int64_t image_tagged_at(const struct image *img); /* ns: when it was added here */
/* Chain ids, base first; image_config()->diff_ids.n of them. */
const char *image_chain_id(const struct image *img, size_t i);
/* Bytes of the files in each layer, base first; ret has room for all. Queries thread. */
int image_layer_sizes(struct image_store *is, const struct image *img, uint64_t *ret,
		      struct err *err);
/* Names that point to it now ("nginx:latest"; familiar form), and "nginx@sha256:..." forms: arena
 * memory. */
int image_names(struct image_store *is, const struct image *img, struct arena *a,
		struct strv *ret_tags, struct strv *ret_digests, struct err *err);

/* ---- Queries ---- */

/* name[:tag][@digest], "sha256:<hex>", an id of 64 digits or a unique prefix of an id (names win
 * over prefixes). -ERR_NOT_FOUND "No such image: <text>" (text as docker prints it), an ambiguous
 * prefix is -ERR_BAD_REQUEST. */
int image_resolve(struct image_store *is, const char *text, struct image **ret, struct err *err);
/* The same for "os/arch[/variant]", NULL = any: of a name that means an index with several
 * platforms here, the image of that platform; any other image must be for it. -ERR_NOT_FOUND when
 * there is none. Without a platform a name means this machine's; is that not here, the one that
 * came last.
 */
int image_resolve_platform(struct image_store *is, const char *text, const char *platform,
			   struct image **ret, struct err *err);
/* The image is one of those that the text means; not if the text means nothing. */
bool image_is_meant(struct image_store *is, const char *text, const char *id);
/* Ids of all images that go when `text` is removed (image_remove). */
int image_meant(struct image_store *is, const char *text, struct arena *a, struct strv *ret,
		struct err *err);
/* No name means it but with a platform: it is shown with the image that names mean alone. */
bool image_is_further(struct image_store *is, const struct image *img);

/* What an index names. */
struct image_platform {
	const char *digest, *media; /* of a manifest */
	uint64_t size;
	const char *platform;			      /* "os/arch[/variant]", "unknown/unknown" */
	const char *os, *arch, *variant, *os_version; /* "" when not told */
	const char *attests; /* digest of the manifest that it is an attestation of; NULL = none */
	const char *id;	     /* the image that it is here, or NULL */
	bool available;	     /* all its content is here */
	uint64_t content;    /* bytes of it that are */
};
/* The index that the image's names mean, or, of an image that came alone, its manifest. */
struct image_means {
	const char *digest, *media;
	uint64_t size;
	bool is_index;
	struct image_platform *v;
	size_t n; /* 1 unless it is an index */
};
/* Arena memory; reads documents from disk. Queries thread. */
int image_means(struct image_store *is, const struct image *img, struct arena *a,
		struct image_means *ret, struct err *err);

/* All images, newest first; arena holds the array, each element one reference that the caller drops
 * (image_unref). */
int image_list(struct image_store *is, struct arena *a, struct image ***ret, size_t *ret_n,
	       struct err *err);
int64_t image_count(struct image_store *is);
/* Bytes of its layers that no other image has; of all layers. */
int image_unique_size(struct image_store *is, const struct image *img, uint64_t *ret,
		      struct err *err);
int image_layers_size(struct image_store *is, uint64_t *ret, struct err *err);

/* ---- Changes ---- */

struct image_change; /* private */
typedef void image_done_fn(void *ctx, int result, const struct err *err);

/* Points `target` ("repo[:tag]") to what `source` means, moves it if it exists: a name stands for
 * the whole index with all its platforms, and so does the id of the image that is meant by it
 * without a platform; another id for that image alone. */
void image_tag(struct image_store *is, const char *source, const char *target, image_done_fn *done,
	       void *ctx);

struct image_removal {
	char untagged[32][IMAGE_NAME_TEXT_MAX]; /* what was untagged, familiar form */
	unsigned nuntagged;
	char deleted[130]
		    [IMAGE_DIGEST_MAX]; /* image id first, then layers' chain ids that went too */
	unsigned ndeleted;
};
typedef void image_removed_fn(void *ctx, int result, const struct image_removal *rm,
			      const struct err *err);
/* docker rmi: by name it untags; the last name, or an id, deletes the image, the other platforms of
 * the index that its names mean, and what only they used. An id with several names is
 * -ERR_CONFLICT unless force. Whether a container uses it is the engine's check, made before.
 * platforms: only these images; the name goes with the last. */
void image_remove(struct image_store *is, const char *text, const struct strv *platforms,
		  bool force, image_removed_fn *done, void *ctx);

/* ---- Import and load ---- */

enum image_import_kind {
	IMAGE_IMPORT_ROOTFS,  /* docker import: one root file system tar, plain, gzip or zstd */
	IMAGE_IMPORT_ARCHIVE, /* docker load: docker-archive or OCI layout tar, itself plain, gzip
				 or zstd */
	IMAGE_IMPORT_COMMIT,  /* docker commit: no body, see layers.h */
};
struct image_commit;
enum image_progress_stage {
	IMAGE_PROGRESS_LAYER,  /* "Loading layer": id = first 12 digits of the diff id, current of
				  total bytes */
	IMAGE_PROGRESS_EXISTS, /* layer was there already: id as above */
	IMAGE_PROGRESS_IMAGE,  /* one image is in: text = "repo:tag" or "", id = "sha256:..." */
};
struct image_progress {
	enum image_progress_stage stage;
	const char *id;
	const char *text;
	uint64_t current, total;
};
struct image_import_options {
	enum image_import_kind kind;
	const char *ref;       /* ROOTFS: "repo[:tag]" or NULL */
	const char *message;   /* ROOTFS: comment of the history row */
	const char *platform;  /* ROOTFS: "os[/arch[/variant]]"; NULL = this machine's */
	struct strv platforms; /* ARCHIVE: these images alone; n == 0: all that it has */
	const char *const
		*changes; /* ROOTFS: Dockerfile lines: CMD ENTRYPOINT ENV EXPOSE HEALTHCHECK LABEL
			   * ONBUILD SHELL STOPSIGNAL USER VOLUME WORKDIR */
	size_t nchanges;
	const struct image_commit *commit; /* COMMIT: borrowed until it is done */
	void (*progress)(void *ctx,
			 const struct image_progress
				 *p); /* may be NULL; on the loop after image_import_start */
	void *ctx;
};
#define IMAGE_PLATFORMS_MAX 64
struct image_import;
/* Copies and checks the options (bad ref, platform or change fail here), opens a spool under a
 * lease. Blocking: one commit. */
int image_import_new(struct image_store *is, const struct image_import_options *o,
		     struct image_import **ret, struct err *err);
/* Appends bytes of the body: a write to a file in the page cache. -ERR_TOO_LARGE past
 * limits.input_max. */
int image_import_push(struct image_import *im, const void *p, size_t n, struct err *err);
/* As pushing all that fd gives until end of file. Blocking. */
int image_import_read(struct image_import *im, int fd, struct err *err);
/* The body is complete: verify, unpack, publish. Blocking, any one thread; progress is called on
 * it. Nothing is changed on failure. */
int image_import_run(struct image_import *im, struct err *err);
/* The same on a worker of the pool; done on the loop. */
int image_import_start(struct image_import *im, struct work_pool *pool, image_done_fn *done,
		       void *ctx, struct err *err);
/* After success: images in the order of the archive. */
size_t image_import_count(const struct image_import *im);
const char *image_import_id(const struct image_import *im, size_t i); /* "sha256:..." */
void image_import_free(struct image_import *im); /* not while running: see image_import_cancel */
DEFINE_CLEANUP(struct image_import *, image_import_free)
/* Makes a running import fail soon (-ERR_UNAVAILABLE); done() still comes. Any thread. */
void image_import_cancel(struct image_import *im);

/* ---- Root of a container ---- */

/* By the store's storage driver: overlay and fuse-overlayfs have an upper directory over the
 * image's layers, btrfs and copy a whole tree of the container's own. */
struct image_rootfs {
	const struct image_driver *driver; /* private */
	const char *dir, *init, *top;
	struct strv lower; /* topmost first, for overlay's lowerdir / lowerdir+; short absolute
			      paths (store/l/xxxxxxxx); of whole trees: the image's */
	/* overlay: absolute; merged is the mount point, one directory for all, since each mount is
	 * in a namespace of its own. The runtime mounts it if `mount` is NULL. */
	const char *upper, *work, *merged;
	const char *tree;  /* the root itself, or NULL */
	const char *mount; /* mounted here by image_rootfs_make until image_rootfs_release, or NULL
			    */
	struct strv view;  /* what shows the root's files without a mount, topmost first */
	bool userxattr;	   /* overlay inside a user namespace: user.overlay.* */
	bool exists;	   /* it was made before */
	bool slow;	   /* making it takes longer than an event loop should stand still */
};
struct image_rootfs_place {
	const char *dir;  /* the container's directory */
	const char *run;  /* its directory of this run, for a mount; NULL = it is not to run */
	const char *init; /* directory of files that lie over every image, or NULL */
};
/* What the root of a container will be: no file is made. arena holds the strings. Queries thread.
 */
int image_rootfs_plan(struct image_store *is, const struct image *img,
		      const struct image_rootfs_place *at, struct arena *a,
		      struct image_rootfs *ret, struct err *err);
/* Makes it where it is missing. upper has the mode and owner of the image's root directory. Not
 * durable: the container's own row is. Blocking, any thread. */
int image_rootfs_make(struct image_store *is, const struct image_rootfs *rf, struct err *err);
/* For the runtime: the root's path (overlay: where it mounts). */
const char *image_rootfs_path(const struct image_rootfs *rf);
/* The container has the mount of a driver in its own namespace now, or will never have it: ours
 * goes. Fine when there is none. */
void image_rootfs_release(const char *run);
/* Lower directories alone. */
int image_lower_dirs(struct image_store *is, const struct image *img, struct arena *a,
		     struct strv *ret, struct err *err);
/* Removes what image_rootfs_make made; 0 also if absent. Not while it is mounted. */
int image_rootfs_remove(const char *dir, struct err *err);

/* ---- The storage driver ---- */

const char *image_driver_name(const struct image_store *is); /* docker's: "overlay2", "vfs" */
bool image_driver_is_whole(const struct image_store *is);    /* roots are whole trees */
struct image_driver_row {
	const char *name, *value; /* live as long as the store */
};
#define IMAGE_DRIVER_ROWS 8
/* For `docker info`; the last one says why it was chosen. Returns their number. */
size_t image_driver_rows(struct image_store *is, struct image_driver_row rows[IMAGE_DRIVER_ROWS]);
