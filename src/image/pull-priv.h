/* SPDX-License-Identifier: Apache-2.0 */
/* Private to pulls: the whole, and one layer of it. */
#pragma once

#include "image/helper.h"
#include "image/import-priv.h"
#include "image/lazy-index.h"
#include "image/lazy.h"
#include "image/manifest.h"
#include "image/transfer.h"

struct layer_job {
	struct image_pull *p;
	const struct manifest_desc *d;
	char chain[IMAGE_DIGEST_MAX], diff[IMAGE_DIGEST_MAX], parent[IMAGE_DIGEST_MAX];
	char short_id[13];
	/* What the store has already, held by the lease. */
	bool has_layer, has_blob;
	char blob[IMAGE_DIGEST_MAX]; /* of the layer that is there */
	uint64_t blob_size;
	char media[80];
	/* The work: */
	struct pump pump;
	char file[32], dir[32];
	int copy, target;
	uint64_t told_at;
	bool done;
	/* Lazily: served already, or its index is here; what came of it. */
	bool served, begun, whole; /* whole: its lazy start failed */
	bool early;		   /* it has no index, and may be served while it comes */
	char index[IMAGE_DIGEST_MAX];
	struct buf foreign; /* an index of the registry's, in place of one of ours */
	struct lazy_source source;
	uint64_t bytes;
};

struct image_pull {
	struct transfer t;
	struct image_import im; /* arena, lease, lists; one for each image */
	struct image_pull_options o;
	/* The image at work. */
	struct layer_job *jobs;
	size_t njobs;
	pthread_mutex_t lock; /* of what follows, and of im's lists */
	const char *subject;  /* digest of the image's manifest */
	size_t finished;
	bool failed;
	char id[IMAGE_DIGEST_MAX], digest[IMAGE_DIGEST_MAX];
};

/* pull-layer.c: all layers into the ingest directory and im's lists; p->jobs is filled in. */
int pull_layers(struct image_pull *p, struct err *err);
void pull_jobs_fini(struct image_pull *p);
