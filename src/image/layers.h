/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layers out of directories: what a container changed, as a list or as a layer's tar; a whole root
 * as one tar; images as archives. Foreign directories are read by a fenced helper (unpack.h).
 * Specs: OCI image-spec 1.1 layer.md (change sets), image-layout.md; docker-image-spec 1.3.
 *
 * A layer's tar is a function of the files alone: sorted by name, owners as numbers, times of the
 * whole second, no access times, hard links to the first of their names, whiteouts as
 * ".wh.<name>", opaque directories with ".wh..wh..opq"; security.capability, user.* and POSIX ACLs
 * as pax SCHILY.xattr records. Sockets are left out. Blocking, any thread.
 */
#pragma once

#include "base/cleanup.h"
#include "image/image.h"

#include <stddef.h>
#include <stdint.h>

struct err;
struct image_store;

/* How the directories given (topmost first) belong together. */
enum image_diff_kind {
	IMAGE_DIFF_LAYER,   /* [0] is the upper directory of an overlay on the others */
	IMAGE_DIFF_COMPARE, /* [0] is a whole tree: what makes it differ from the others together */
	IMAGE_DIFF_MERGED,  /* what an overlay of all shows, without regard to any base */
};

/* A container's root, for the two below: the directories and how they belong together. */
enum image_rootfs_view {
	IMAGE_VIEW_MERGED,  /* all files, as the container sees them */
	IMAGE_VIEW_CHANGES, /* what tells it from its image, without the init directory */
	IMAGE_VIEW_COMMIT,  /* the same, to become a layer over the image */
};
int image_rootfs_read(const struct image_rootfs *rf, enum image_rootfs_view what, struct arena *a,
		      struct strv *ret, enum image_diff_kind *ret_kind, struct err *err);

/* Of the kind that overlay makes on directories: IMAGE_DIFF_LAYER and _MERGED refuse, by name,
 * what "redirect_dir" and "metacopy" leave behind (-ERR_UNSUPPORTED). A file that goes away
 * meanwhile is left out; one that changes its size is cut or filled with zeros. `out` is written to
 * (a pipe or a file) and stays the caller's; a reader that left is -ERR_UNAVAILABLE. */
struct image_diff_result {
	uint64_t entries, bytes; /* of regular files */
};
int image_diff_tar(struct image_store *is, enum image_diff_kind kind, const struct strv *dirs,
		   int out, struct image_diff_result *ret, struct err *err);

struct image_diff_item {
	char change; /* 'A' added, 'C' changed, 'D' deleted */
	char type; /* 'f', 'd', 'l' link, 'h' hard link to another item, 's' special; of 'D': '-' */
	uint64_t size;	  /* of a regular file; of 'C' and 'D': the new one's, 0 when deleted */
	uint64_t hidden;  /* bytes of the lower file (or tree) that cannot be seen any more */
	const char *path; /* "/etc/hosts"; borrowed during the call */
};
typedef int image_diff_fn(void *ctx, const struct image_diff_item *it, struct err *err);
/* In the order of `docker diff`: by name, a directory before what is in it. A directory counts as
 * changed when its attributes or its list of names did. */
int image_diff_list(struct image_store *is, enum image_diff_kind kind, const struct strv *dirs,
		    image_diff_fn *fn, void *ctx, struct err *err);

/* ---- Archives (docker save) ---- */

/* What is to be saved: an OCI layout that is docker's archive too (blobs/, index.json,
 * manifest.json, oci-layout, repositories), the manifests and layers byte for byte as they are in
 * the store, so that loading and saving again gives the same bytes. */
struct image_save;
/* names: "repo[:tag]" (without a tag: all of that repository, as docker), ids, digests. platforms,
 * each "os/arch[/variant]": of each name, the images for them (none given: all); one that a name
 * has not is -ERR_NOT_FOUND. Queries thread. */
int image_save_new(struct image_store *is, const struct strv *names, const struct strv *platforms,
		   struct image_save **ret, struct err *err);
/* Ids of the images, in order. */
size_t image_save_count(const struct image_save *s);
const char *image_save_id(const struct image_save *s, size_t i);
/* Writes the tar. Blocking, any one thread; the images are kept meanwhile. */
int image_save_write(struct image_save *s, int out, struct err *err);
void image_save_free(struct image_save *s);
DEFINE_CLEANUP(struct image_save *, image_save_free)

/* The same archive of an OCI layout that holds one image (or, unless `docker`, one index). */
struct image_save_layout {
	int dir;		       /* its root */
	const char *digest;	       /* of its manifest or index */
	const char *media;	       /* of that */
	uint64_t size;		       /* of that */
	const char *ref;	       /* ref.name, "" = none; unless docker */
	const struct image_name *name; /* docker: NULL = none */
	bool docker;
};
int image_save_layout(const struct image_save_layout *o, int out, struct err *err);

/* ---- docker commit: an import of kind IMAGE_IMPORT_COMMIT, without a body ---- */

/* Borrowed, with all it points to, until the import is done. Message, changes and reference are
 * the import's. */
struct image_commit {
	const struct image *base;
	/* image_rootfs_read(IMAGE_VIEW_COMMIT) */
	const struct strv *dirs;
	enum image_diff_kind kind;
	struct slice config; /* JSON of the new image's "config", before the changes */
	const char *author, *created_by;
	/* Around the reading of the files, on the thread that runs the import; may be NULL. */
	int (*hold)(void *ctx, struct err *err);
	void (*release)(void *ctx);
	void *ctx;
};
