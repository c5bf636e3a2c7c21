/* SPDX-License-Identifier: Apache-2.0 */
/* Private to pulls: the whole, and one layer of it. */
#pragma once

#include "image/helper.h"
#include "image/import-priv.h"
#include "image/manifest.h"
#include "image/pull.h"

/* Where the progress of a transfer goes. Any thread. */
struct teller {
	image_transfer_fn *fn; /* NULL = nowhere */
	void *ctx;
	struct loop *loop; /* NULL = called at once, one at a time */
	pthread_mutex_t lock;
};
void teller_tell(struct teller *te, const struct image_transfer *t);
void teller_say(struct teller *te, const char *id, const char *status);

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
	/* of the download, on a thread of its own */
	int out;
	int fetched;
	struct err fetch_err;
};

struct image_pull {
	struct image_import im; /* arena, lease, lists; one for each image */
	struct image_store *is;
	struct arena *arena; /* options */
	struct image_pull_options o;
	struct image_name name;
	char host[256];
	const char *repo;
	struct remote *remote;
	atomic_bool cancel;
	/* The image at work. */
	struct layer_job *jobs;
	size_t njobs;
	pthread_mutex_t lock; /* of what follows, and of im's lists */
	struct teller teller;
	size_t next, finished;
	struct err failure; /* the first */
	char id[IMAGE_DIGEST_MAX], digest[IMAGE_DIGEST_MAX];
	/* Asynchronous run. */
	struct work work;
	image_done_fn *done;
	void *done_ctx;
	int result;
	struct err err;
	bool running;
};

/* pull-layer.c: all layers into the ingest directory and im's lists; p->jobs is filled in. */
int pull_layers(struct image_pull *p, struct err *err);
void pull_jobs_fini(struct image_pull *p);
