/* SPDX-License-Identifier: Apache-2.0 */
/* Private to src/image: what each kind of place does. */
#pragma once

#include "image/copy.h"

#include "base/map.h"
#include "image/layers.h"

#include <pthread.h>

struct place_fetch;
struct place_ops {
	const char *name; /* "oci" */
	int (*read)(struct place *p, const char *rest, struct err *err);
	int (*write)(struct place *p, const char *rest, struct err *err);
	/* Raw bytes, in the arena; digest and media are judged by the caller, but media is what
	 * came beside the bytes or NULL. digest NULL = what the name means. */
	int (*manifest)(struct place *p, const char *digest, struct arena *a, struct slice *ret,
			const char **ret_media, struct err *err);
	/* Not verified yet when *ret_verified stays false. */
	int (*blob)(struct place *p, const struct manifest_desc *d, struct place_fetch *f,
		    struct place_blob *ret, bool *ret_verified, struct err *err);
	int (*has)(struct place *p, const struct manifest_desc *d, struct err *err);
	int (*put)(struct place *p, const struct manifest_desc *d, const struct place_blob *b,
		   struct err *err);
	int (*put_manifest)(struct place *p, const struct place_manifest *m, bool top,
			    struct err *err);
	int (*finish)(struct place *p, struct err *err);
	void (*free)(struct place *p);
};
extern const struct place_ops place_oci, place_dir, place_oci_archive, place_docker_archive,
	place_docker;

struct place_fetch {
	void (*told)(void *ctx, uint64_t done);
	void *ctx;
};

/* A member of an archive, or what stands for a blob in it. */
struct archive_member {
	const char *name, *link;
	uint64_t offset, size;
	int type; /* enum tar_type */
};

struct place {
	const struct place_ops *ops;
	struct place_conf conf;
	struct arena *arena; /* life of the place; only its opener's thread */
	bool writes, finished;
	const char *path; /* of files */
	const char *ref;  /* tag, digest, or ref.name; "" = none */

	/* layouts and directories */
	int dir;
	/* an archive that is written: a layout beside it until it is finished */
	char stage[64];
	int parent;
	/* an archive that is read */
	int file;
	uint64_t file_size;
	struct map members, blobs; /* by name; by digest (archive_member) */
	struct slice made;	   /* manifest made for an archive of docker's */
	/* what finish makes visible */
	struct place_manifest top;
	/* registry */
	struct remote *remote;
	struct image_name name;
	const char *repo;
	char host[256];
};

/* copy-place.c */
int place_scratch(struct place *p, int *ret_fd, struct err *err); /* a file without a name */
int place_bad_name(const struct place *p, const char *rest, struct err *err);
/* PATH[:REF]: the colon is the first one. */
int place_split(struct place *p, const char *rest, struct err *err);
/* cancel may be NULL. */
int place_copy_bytes(const struct place_blob *b, int to, struct image_hash *h,
		     const atomic_bool *cancel, struct err *err);

/* copy-remote.c: between repositories of one registry the bytes are sent only if it wants them.
 * 0 = not such a pair; 1 = copied; 2 = nothing had to be sent. */
int place_mount_blob(struct place *p, const struct manifest_desc *d, struct place *src,
		     const struct place_fetch *f, struct err *err);

/* layout.c: of a layout's root directory */
int layout_open(struct place *p, int dirfd, const char *path, bool make, struct err *err);
int layout_manifest(struct place *p, const char *digest, struct arena *a, struct slice *ret,
		    const char **ret_media, struct err *err);
int layout_has(struct place *p, const struct manifest_desc *d, struct err *err);
int layout_put(struct place *p, const struct manifest_desc *d, const struct place_blob *b,
	       struct err *err);
int layout_put_manifest(struct place *p, const struct place_manifest *m, bool top, struct err *err);
/* The entry of an index.json that the name means: by ref.name, or the only one. */
int layout_pick(const struct manifest *index, const char *ref, const char *where,
		const struct manifest_desc **ret, struct err *err);
