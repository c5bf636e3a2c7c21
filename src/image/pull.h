/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pulling images from a registry, and pushing them to one.
 *
 * A pull: the name is resolved to a manifest for one platform; layers that are not here are
 * downloaded several at a time, and each is hashed, kept, decompressed and unpacked while it
 * arrives (pump.c and its fenced helpers); one commit makes all of it visible. What fails or is
 * killed before leaves nothing. Nothing is acted on before its digest was checked, but for
 * unpacking into a directory that then is thrown away.
 *
 * Specs: distribution-spec 1.1, image-spec 1.1, docker's schema 2.
 */
#pragma once

#include "image/image.h"
#include "image/remotes.h"

struct work_pool;

/* One line of progress in docker's words: "Downloading" with current of total bytes. */
struct image_transfer {
	const char *id;	    /* of a layer: 12 digits; "" = of the whole */
	const char *status; /* "Pulling fs layer", "Digest: sha256:..." */
	uint64_t current, total;
	bool detail; /* current and total mean something */
	/* What was pushed at last: NULL but for that. */
	const char *tag, *digest;
	uint64_t size;
	/* Then, without a tag: this manifest went instead of the index that the name means here,
	 * since not all that the index names is here. */
	const char *media, *index, *index_media; /* media types: static text */
	uint64_t index_size;
};
typedef void image_transfer_fn(void *ctx, const struct image_transfer *t);

struct image_pull_options {
	const char *ref;      /* name[:tag][@digest]; "latest" when it has neither */
	bool all_tags;	      /* every tag of the repository; ref has none then */
	const char *platform; /* "os[/arch[/variant]]"; NULL = this machine's */
	struct remote_auth auth;
	const struct image_remotes *remotes; /* outlives the pull; NULL = nothing configured */
	unsigned parallel;		     /* downloads at once; 0 = 3 */
	/* Layers whose index is here are served while they are fetched, and others' indexes are
	 * made (lazy.h); only where image_lazy_begin() was called. */
	bool lazy; /* where it is not possible: a usual pull, and a line in the log */
	/* An index that came from the registry is believed for starting: each chunk is checked by
	 * it, and the whole layer by the image; what differs is found out when the layer is whole.
	 */
	bool lazy_trust;
	/* A layer without an index is served while it comes for the first time: before its digest
	 * is known. What of it was believed is verified at its end; a container that began on
	 * another one is left with I/O errors. */
	bool lazy_early;
	image_transfer_fn *progress; /* may be NULL; on the loop after image_pull_start, else on any
					thread, one at a time */
	void *ctx;
};

struct image_pull;
/* Checks and copies the options. */
int image_pull_new(struct image_store *is, const struct image_pull_options *o,
		   struct image_pull **ret, struct err *err);
/* Blocking. -ERR_NOT_FOUND, -ERR_UNAUTHORIZED, -ERR_FORBIDDEN, -ERR_QUOTA as the registry says;
 * -ERR_UNSUPPORTED names what is no image of this machine; -ERR_INVALID what is not what it says.
 */
int image_pull_run(struct image_pull *p, struct err *err);
/* The same on a worker of the pool; done on the loop. */
int image_pull_start(struct image_pull *p, struct work_pool *pool, image_done_fn *done, void *ctx,
		     struct err *err);
/* Makes a running pull fail soon (-ERR_UNAVAILABLE); done() still comes. Any thread. */
void image_pull_cancel(struct image_pull *p);
/* Of the last image, after success: "sha256:...", and the digest of what the name meant there. */
const char *image_pull_id(const struct image_pull *p);
const char *image_pull_digest(const struct image_pull *p);
void image_pull_free(struct image_pull *p); /* not while running */
DEFINE_CLEANUP(struct image_pull *, image_pull_free)

/* ---- lazy start ---- */

/* Layers that are served while they are fetched: from now on pulls may begin some, and those that
 * an earlier process of this store began are found again. Ends with the store; the servers live
 * on. Overlay alone can use them. */
struct image_lazy_options {
	const struct image_remotes *remotes; /* copied for servers that are made anew */
	unsigned wait_s; /* how long a read waits for a registry that is away; 0 = 60 */
};
int image_lazy_begin(struct image_store *is, const struct image_lazy_options *o, struct err *err);
/* It was begun, and the driver is the kernel's overlay, outside of user namespaces: 0, else
 * -ERR_UNSUPPORTED that says what is not so. */
int image_lazy_check(const struct image_store *is, struct err *err);

/* ---- push ---- */

struct image_push_options {
	const char *ref;      /* name[:tag] of an image that is here */
	bool all_tags;	      /* every tag of the name; ref has none then. Else "latest" is meant */
	const char *platform; /* of a name that means an index: this image alone; NULL = the index
				 with all that it names, or one image if not all is here */
	struct remote_auth auth;
	const struct image_remotes *remotes;
	unsigned parallel; /* uploads at once; 0 = 3 */
	bool lazy; /* the layers' indexes go along, as an artifact whose subject is the image */
	image_transfer_fn *progress; /* as of a pull */
	void *ctx;
};
struct image_push;
/* Manifest and blobs go as they are kept, so the digest there is the one here. What is there, or in
 * another repository of that registry, is not sent. Calls as those of a pull. */
int image_push_new(struct image_store *is, const struct image_push_options *o,
		   struct image_push **ret, struct err *err);
int image_push_run(struct image_push *p, struct err *err);
int image_push_start(struct image_push *p, struct work_pool *pool, image_done_fn *done, void *ctx,
		     struct err *err);
void image_push_cancel(struct image_push *p);
void image_push_free(struct image_push *p);
DEFINE_CLEANUP(struct image_push *, image_push_free)
