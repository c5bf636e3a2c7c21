/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The content store of a machine: blobs, layers, images, references, snapshots. Shared by engine,
 * builder and registry, each of which opens it. Files live under <root>/store; what they mean is
 * rows in store.db: blobs/<algorithm>/<hex>   immutable, verified when written: hashed, fsynced,
 * renamed snapshots/<hex>/     one unpacked layer, named by chain id; l/<8 letters> is a short link
 * to it (overlay's option string) ingest/<lease>/      work of a live lease: spools, half-made
 * snapshots; goes with the lease leases/<lease>       locked by its holder as long as that lives
 * (row: boot id and what it protects) store.db             rows; the write lock of this database
 * also orders publishing against garbage collection Invariants: (1) a row is committed only after
 * its files are in place and synced; (2) a file is removed only in a write transaction that saw
 * neither row nor live lease item for it; (3) a failed or killed import leaves no row, and its
 * files go at once or with the next collection. Threading: one struct image_store per process;
 * queries on the thread that opened it, the blocking calls say so.
 */
#pragma once

#include "base/cleanup.h"
#include "base/loop.h"
#include "base/str.h"
#include "image/digest.h"

#include <stdbool.h>
#include <stdint.h>

struct db;
struct err;
struct image_store;

/* Bounds on foreign input; 0 = the default. */
struct image_limits {
	uint64_t input_max;  /* bytes of one import as sent: 64 GiB */
	uint64_t layer_max;  /* bytes of one layer's tar: 64 GiB */
	uint64_t total_max;  /* of all layers of one import: 128 GiB */
	uint64_t ratio_free; /* up to here any compression ratio goes: 256 MiB */
	unsigned ratio_max; /* beyond it, uncompressed : compressed: 1100 (gzip's own limit is 1032)
			     */
	uint64_t entries_max; /* entries of one layer: 4 million */
	unsigned members_max; /* members of a docker-archive or OCI layout: 16384 */
	unsigned layers_max;  /* layers of one image: 127 */
	unsigned images_max;  /* images of one archive: 256 */
	uint64_t json_max;    /* bytes of a manifest, index or config: 4 MiB */
};

struct image_store_options {
	const char *root; /* the store is <root>/store */
	struct loop
		*loop; /* where done() and progress() run; NULL = only blocking calls are used */
	const char *helper;	    /* program that answers --role=unpack and --role=fetch; NULL =
				       /proc/self/exe */
	struct image_limits limits; /* zeros = defaults */
	/* Storage driver: overlay (overlay2), fuse-overlayfs, btrfs, copy (vfs), or auto: the one
	 * that the store's layers were made with, else the first that works. A store with layers of
	 * another one is -ERR_CONFLICT. NULL = that of the layers or overlay, untried: for those
	 * who mount nothing. */
	const char *driver;
	/* For tests: called before each named step of an import ("spool", "publish", ...); negative
	 * makes it fail there. */
	int (*step)(void *ctx, const char *name);
	void *step_ctx;
};

/* Creates what is missing (0700), opens the database, collects garbage of dead leases. */
int image_store_open(const struct image_store_options *o, struct image_store **ret,
		     struct err *err);
void image_store_close(struct image_store *is); /* all leases, imports and images must be gone */
DEFINE_CLEANUP(struct image_store *, image_store_close)
struct db *image_store_db(struct image_store *is);
const char *image_store_helper(const struct image_store *is); /* its program; borrowed */
int image_store_dirfd(const struct image_store *is);	      /* <root>/store, borrowed */
const char *image_store_path(const struct image_store *is);   /* the same as text */

/* A lease keeps what it names (and ingest/<its id>) from collection while its holder's process
 * lives. Blocking (a commit). */
struct image_lease;
enum image_item {
	IMAGE_ITEM_BLOB,
	IMAGE_ITEM_SNAPSHOT,
	IMAGE_ITEM_IMAGE
}; /* digest, chain id, image id */
int image_lease_new(struct image_store *is, struct image_lease **ret, struct err *err);
int image_lease_add(struct image_lease *l, enum image_item kind, const char *digest,
		    struct err *err);
int image_lease_dirfd(struct image_lease *l,
		      struct err *err); /* ingest/<id>, made at first use; borrowed */
const char *image_lease_id(const struct image_lease *l);
void image_lease_free(struct image_lease *l); /* ends it: row, file and ingest directory go */
DEFINE_CLEANUP(struct image_lease *, image_lease_free)

/* A blob of the store by its digest: open for reading, -ERR_NOT_FOUND. Queries thread.
 */
int image_blob_open(struct image_store *is, const char *digest, int *ret_fd, uint64_t *ret_size,
		    struct err *err);
/* Reads the whole blob again: -ERR_INVALID when its bytes do not have its digest. Any thread. */
int image_blob_verify(struct image_store *is, const char *digest, struct err *err);

/* Removes rows and files that nothing refers to: images without reference are kept (they are
 * dangling, not garbage); layers and blobs of no image, snapshots of no layer, leases and ingest of
 * dead holders. Blocking, any thread. */
struct image_gc_result {
	uint64_t blobs, snapshots, leases, ingests, bytes;
};
int image_store_gc(struct image_store *is, struct image_gc_result *ret,
		   struct err *err); /* ret may be NULL */
