/* SPDX-License-Identifier: Apache-2.0 */
/* Private to src/image: what its files know of each other. */
#pragma once

#include "db/db.h"
#include "image/image.h"
#include "image/manifest.h"
#include "image/store.h"

#include <pthread.h>
#include <stdatomic.h>

#define IMAGE_CACHED 8

struct image_store {
	struct image_store_options o;
	char *path, *helper;
	int dir, blobs[IMAGE_DIGEST_ALGS], snapshots, ingest, leases, links,
		uploads; /* directory fds */
	struct db *db;
	const struct image_driver *driver;
	bool userxattr;		       /* overlay's marks are user.overlay.* */
	char *why;		       /* the driver was chosen */
	struct image_lease *publisher; /* see image_store_publish_dir() */
	char boot[40];
	struct image *cached[IMAGE_CACHED]; /* most recent first; queries thread */
	/* Trees that wait to be deleted, by a thread that comes and goes. */
	pthread_mutex_t lock;
	pthread_cond_t idle;
	bool sweeping;
	struct image_lazy *lazy; /* NULL: nothing is served here */
	unsigned live;		 /* leases and imports: must be 0 at close */
};

/* store.c */
int image_store_step(struct image_store *is, const char *name,
		     struct err *err); /* the test's hook */
/* The directory of a (valid) digest's file, borrowed. */
int image_blob_dir(const struct image_store *is, const char *digest);

/* gc.c: in a write transaction. What an image or a lease holds may be unused when it goes: */
int image_gc_doubt_image(struct db_conn *c, const char *id, struct err *err);
int image_gc_doubt_lease(struct db_conn *c, const char *id, struct err *err);
/* Settles up to max doubts; then, in another transaction, removes the files of up to max things
 * that are trash (snapshot trees are moved to ingest/gc-*). 1 = more may be left. */
int image_gc_rows(struct db_conn *c, unsigned max, struct err *err);
int image_gc_files(struct image_store *is, struct db_conn *c, unsigned max,
		   struct image_gc_result *res, struct err *err);
/* All that is noted, batch by batch. Blocking. */
int image_gc_notes(struct image_store *is, struct image_gc_result *ret, struct err *err);
/* What dead holders left; cheap when there are none. */
int image_gc_recover(struct image_store *is, struct err *err);
void image_gc_sweep(struct image_store *is,
		    struct image_gc_result *res);  /* blocking: ingest of nobody */
void image_gc_sweep_start(struct image_store *is); /* the same on a thread */
void image_gc_sweep_wait(struct image_store *is);

/* content.c: inside a job */
int content_repo_id(struct db_conn *c, const char *repo, bool make, int64_t *ret,
		    struct err *err); /* 1 = *ret, 0 = no such repository */
int content_link_blob(struct db_conn *c, const char *repo, const char *digest, struct err *err);
/* content-limit.c: may so much be added? */
struct content_limits;
struct content_more {
	int64_t bytes, manifests, tags;
};
int content_limits_check(struct db_conn *c, const char *repo, const struct content_limits *lim,
			 struct content_more more, struct err *err);
int content_limits_dup(struct arena *a, const struct content_limits *lim,
		       struct content_limits *ret, struct err *err);
/* A blob of so many bytes (negative = it is there), unless the repository has it already. */
int content_limits_check_blob(struct db_conn *c, const char *repo, const char *digest, int64_t size,
			      const struct content_limits *lim, struct err *err);
int content_doubt(struct db_conn *c, const char *digest, struct err *err);

/* store.c: a directory for files that will be published, its fd (borrowed) or negative. It lies
 * below a lease which lasts until the store is closed: after our death the next opener looks for
 * files without rows. Opening thread. */
int image_store_publish_dir(struct image_store *is, struct err *err);

/* lease.c */
int image_lease_add_in(struct image_lease *l, struct db_conn *c, enum image_item kind,
		       const char *digest, struct err *err); /* inside a job */
bool image_lease_dead(struct image_store *is, const char *id, const char *boot);

/* config.c: parses and checks a config document; strings in the arena. */
int image_config_parse(struct arena *a, struct slice json, struct image_config *ret,
		       struct err *err);

/* publish.c */
struct image_new_blob {
	char digest[IMAGE_DIGEST_MAX];
	const char *media; /* static text */
	uint64_t size;
	char file[32]; /* in the lease's directory; "" = in the store already */
	bool moved;
};
struct image_new_layer {
	char chain[IMAGE_DIGEST_MAX], diff[IMAGE_DIGEST_MAX],
		parent[IMAGE_DIGEST_MAX]; /* parent "" = lowest */
	char blob[IMAGE_DIGEST_MAX];
	uint64_t size; /* of the files in it */
	bool opaque;   /* its root hides all below */
	char dir[32];  /* in the lease's directory; "" = in the store already */
	char link[16];
	bool moved;
	char index[IMAGE_DIGEST_MAX];	   /* of the layer's index, a new blob; "" = none */
	bool lazy;			   /* it is served: its files are not here */
	const struct lazy_source *lazy_of; /* dir is a served one then */
};
/* One platform of an index: what the index names, and for what. */
struct image_part {
	const char *index, *manifest, *platform; /* "os/arch[/variant]" */
};
struct image_new_image {
	char id[IMAGE_DIGEST_MAX], manifest[IMAGE_DIGEST_MAX];
	int64_t created;
	const char *os, *arch;
	char (*chains)[IMAGE_DIGEST_MAX];
	size_t nchains;
	char (*blobs)[IMAGE_DIGEST_MAX]; /* config, manifest, layers */
	size_t nblobs;
	char (*names)[IMAGE_NAME_TEXT_MAX]; /* full names with tag */
	const char **name_index; /* NULL, or of each name: the index that it means, or NULL */
	size_t nnames;
	const struct image_part *parts; /* indexes that name it, whose bytes are among the blobs */
	size_t nparts;
	/* As pulled: repository and digest of the manifest or index that was asked for; "" = not.
	 * `manifest` takes the place of what we made ourselves for the same image. */
	char repo[IMAGE_REPO_MAX], digest[IMAGE_DIGEST_MAX];
};
struct image_publish {
	struct image_store *is;
	struct image_lease *lease;
	struct image_new_blob *blobs;
	size_t nblobs;
	struct image_new_layer *layers;
	size_t nlayers;
	struct image_new_image *images;
	size_t nimages;
};
/* Files into place and all rows in one durable commit, or nothing. Blocking. */
int image_publish(struct image_publish *p, struct err *err);

/* image.c */
int image_open_in(struct image_store *is, struct db_conn *c, const char *id, struct image **ret,
		  struct err *err);
void image_cache_clear(struct image_store *is);
/* names.c: the one image that a text means; rows are read on the connection given. */
struct image_found {
	char id[IMAGE_DIGEST_MAX];
	char index[IMAGE_DIGEST_MAX]; /* that the name means, whose platforms are images; or "" */
	bool by_id;
	struct image_name name; /* unless by_id */
};
int image_find(struct db_conn *c, const char *text, struct image_found *ret, struct err *err);

/* platforms.c */
/* The best image of the index for a platform (manifest_pick): 1; 0 = none is here. */
int index_choose(struct db_conn *c, const char *index, const char *platform,
		 char ret_id[IMAGE_DIGEST_MAX], struct err *err);
/* Of what was found, the image for the platform (NULL = any). -ERR_NOT_FOUND in docker's words. The
 * variant of an image that came alone is looked at by image_is_for(). */
int image_find_platform(struct db_conn *c, const char *text, const char *platform,
			struct image_found *ret, struct err *err);
int image_not_for(const char *text, const char *platform, struct err *err); /* that error */
/* Another image of the same index takes the names of one that goes. */
int index_hand_over(struct db_conn *c, const char *id, struct err *err);
/* Is the config's own platform one that runs what is asked for? "linux" alone asks for no CPU. */
bool image_is_for(const struct image *img, const char *platform);

/* An index as it is kept, and all that it names, also through indexes in it (which come after what
 * they name; the index itself is the last). */
struct index_item {
	struct manifest_desc d;
	const char *id; /* the image that it is here, or NULL */
	bool here;	/* its bytes are, and were read: */
	struct slice bytes;
	struct manifest doc; /* of an entry that is here */
	bool whole;	     /* so are all blobs that it names */
};
struct index_items {
	struct index_item *v;
	size_t n;
};
/* Memory is the arena's. -ERR_INVALID: an index is damaged. Any thread that owns the connection. */
int index_read(struct image_store *is, struct db_conn *c, struct arena *a, const char *index,
	       struct index_items *ret, struct err *err);
/* An index is kept for byte-identical use: its nested ones may be this deep. */
#define INDEX_DEPTH 4
#define INDEX_ITEMS_MAX 4096

/* changes.c: Dockerfile lines of docker import and commit, into the "config" object of a config
 * document. */
struct doc;
int image_changes_apply(struct arena *a, struct doc *config, const char *const *lines, size_t n,
			struct err *err);

/* archive.c: what an archive (docker save or OCI layout) holds, once its members are listed. */
struct archive_layer {
	uint64_t offset, size;	       /* in the spool */
	char digest[IMAGE_DIGEST_MAX]; /* promised by a descriptor, or "" */
};
struct archive_image {
	struct slice config; /* bytes, in the arena */
	char id[IMAGE_DIGEST_MAX];
	struct image_config doc;
	struct slice manifest; /* OCI manifest's bytes, or empty */
	const char *manifest_media;
	struct archive_layer *layers;
	char (*names)[IMAGE_NAME_TEXT_MAX];
	const char **name_index; /* of each name: digest of the index that it means, or NULL */
	size_t nnames;
	struct image_part *parts;
	size_t nparts;
	struct archive_index **indexes; /* all whose bytes those are */
	size_t nindexes;
};
struct archive_index {
	char digest[IMAGE_DIGEST_MAX];
	struct slice bytes;
	const char *media;
};
struct archive {
	struct archive_image *images;
	size_t n;
};
/* `members`: the helper's list (report.h). platforms: these alone, each of which must be there;
 * none = all that the archive has. */
int archive_read(struct arena *a, int spool, uint64_t spool_size, struct slice members,
		 const struct strv *platforms, const struct image_limits *limits,
		 struct archive *ret, struct err *err);
