/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to src/image: images in the making, as imports and pulls have them: files in a lease's
 * ingest directory, and lists of what image_publish() is to make visible. One thread at a time.
 */
#pragma once

#include "base/work.h"
#include "image/private.h"

struct image_import {
	struct image_store *is;
	struct image_import_options o; /* strings in the arena */
	struct arena *arena;
	struct image_lease *lease;
	int dir;   /* the lease's; borrowed */
	int spool; /* what came in, then what is read */
	uint64_t size, plain_total;
	bool running, finished;
	atomic_bool cancel;
	/* Work. */
	struct image_new_blob *blobs;
	struct image_new_layer *layers;
	struct image_new_image *images;
	size_t nblobs, nlayers, nimages, blobs_cap, layers_cap, nfiles;
	/* What the current layer's progress is told of. */
	const char *layer_id;
	uint64_t layer_total, told_at;
	/* Asynchronous run. */
	struct work work;
	image_done_fn *done;
	void *done_ctx;
	int result;
	struct err err;
	bool on_loop;
};

/* "os[/arch[/variant]]" that can run here. */
int import_check_platform(const char *platform, struct err *err);
/* A row of the list of blobs, which has it once; NULL past the arena's maximum. `media` is static
 * or the arena's; file as in struct image_new_blob. */
struct image_new_blob *import_new_blob(struct image_import *im, const char *digest, uint64_t size,
				       const char *media, const char *file);
/* The next row of the list of layers, zeroed; it counts when im->nlayers is raised. */
struct image_new_layer *import_new_layer(struct image_import *im);
struct image_new_layer *import_find_layer(struct image_import *im, const char *chain);
/* A new file or directory of the ingest directory, and its name. */
int import_create_file(struct image_import *im, char name[32], int *ret, struct err *err);
int import_snapshot_dir(struct image_import *im, char name[32], int *ret, struct err *err);
/* Written, synced and listed. */
int import_blob_from_bytes(struct image_import *im, struct slice s, const char *media,
			   char ret_digest[IMAGE_DIGEST_MAX], struct err *err);
/* Media type of a layer compressed so ("none", "gzip", "zstd"). */
const char *import_layer_media(const char *compression);
void import_chain_of(const char *parent, const char *diff, char dst[IMAGE_DIGEST_MAX]);
/* layer.c: the directory `target` of layer l, as the helper left it and reported (report.h),
 * becomes what the store's driver keeps; l->dir may be another one then. Lower layers must be
 * listed. */
int import_finish_layer(struct image_import *im, struct image_new_layer *l, int target,
			struct slice marks, struct err *err);
/* A layer that the store has, on top of `parent` ("" = none): 1, and the lease holds it; 0 = not
 * there. */
int import_reuse_layer(struct image_import *im, const char *parent, const char *chain,
		       struct err *err);
/* The whole spool is the tar of the next layer. */
int import_add_spool(struct image_import *im, const char *parent, struct image_new_layer **ret,
		     struct err *err);
/* Manifest, list of blobs and the name asked for, of an image whose id and chains are known. */
int import_finish_image(struct image_import *im, struct image_new_image *n, struct err *err);
/* commit.c */
int import_run_commit(struct image_import *im, struct err *err);
