/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to src/image: layers that are served while they are fetched.
 *
 * The server (`PROGRAM --role=lazy`) of one layer speaks the kernel's FUSE protocol on a /dev/fuse
 * that its starter has mounted, and reads what is not here yet from the registry by range: chunks
 * of the layer's index (lazy-index.h), each believed only when it has the index's sha256. Chunks
 * that somebody waits for come first, then those behind them, then all others: when all are here
 * the starter is told, which hashes and unpacks the whole as in every pull.
 *
 * It is a pair of processes, both with the open /dev/fuse and a table of requests in flight in
 * shared memory; a request is read into that table. One serves, the other waits for its end, then
 * answers what was in flight and makes a new partner. A third fetches, for as long as the server
 * lives: it alone touches bytes of the network. All three are fenced in: no user, no capability, no
 * file but the resolver's and the roots of trust, a seccomp list that kills.
 *
 * Its fds: 2 log, 3 report (one struct lazy_report), 4 the layer's directory (holds "index"; "data"
 * and "blob" are made; "foreign" marks an index that came from a registry; "early" that there is
 * none: conf.early), 5 /dev/fuse, 6 its
 * configuration, 7 a listening socket of its starter's. On a connection to that (SOCK_SEQPACKET,
 * one letter a packet) the server says LAZY_WORKING, then LAZY_COMPLETE, or LAZY_FALSE when a
 * foreign index and the registry's bytes do not fit; the starter may say LAZY_FAIL: from then on
 * all is EIO, also what the kernel had in its cache.
 *
 * A layer that comes for the first time can be served as well, before its digest is known
 * (conf.early): the fetching process reads the blob from its beginning and decompresses it, the
 * serving one reads the tar and tells what came (lazy-growth.h). It says LAZY_READY when what every
 * start reads is here, and LAZY_FALSE when it cannot go on: something was told that is not so, or
 * the layer is none that can be served. What was told is believed when the whole has its digest and
 * "data" its diff id, which the starter looks at.
 */
#pragma once

#include "base/str.h"
#include "image/digest.h"
#include "image/remotes.h"

#include <stdbool.h>
#include <stdint.h>

struct arena;
struct err;

#define IMAGE_LAZY_ROLE "--role=lazy"
#define IMAGE_LAZY_UID 61903

/* `PROGRAM --role=lazy LABEL`: reached through src/teu.c (and by test programs). Exit status. */
int image_lazy_main(int argc, char **argv);

enum { LAZY_FD_REPORT = 3, LAZY_FD_DIR, LAZY_FD_FUSE, LAZY_FD_CONF, LAZY_FD_LISTEN, LAZY_FDS };
#define LAZY_WORKING 'w'
#define LAZY_COMPLETE 'c'
#define LAZY_FALSE 'x'
#define LAZY_READY 'r'
#define LAZY_AWAY 'a' /* the registry is, or it refuses */
#define LAZY_FAIL 'f'

/* What who starts a container reads of each layer, so many bytes of a file at most. */
#define LAZY_WARM_FILES                   \
	{                                 \
		"etc/passwd", "etc/group" \
	}
#define LAZY_WARM_MAX (1u << 20)

#define LAZY_WAIT_DEFAULT 60 /* seconds that a read waits for a registry which does not answer */

struct lazy_conf {
	const char *host, *repo, *digest;
	bool base;	 /* lowest layer */
	unsigned wait_s; /* 0 = the default */
	struct remote_auth auth;
	struct image_remotes remotes;
	/* Served while it comes for the first time: the blob's bytes, and limits of its tar as in
	 * struct image_limits. */
	bool early;
	uint64_t size, plain_max, ratio_free;
	unsigned ratio_max;
};
struct image_limits;
void lazy_conf_early(struct lazy_conf *c, uint64_t size, const struct image_limits *limits);
/* -ERR_TOO_LARGE when it does not fit. */
int lazy_conf_write(const struct lazy_conf *c, struct buf *ret, struct err *err);
int lazy_conf_read(struct arena *a, struct slice bytes, struct lazy_conf *ret, struct err *err);

/* lazy-auth.c: the credentials of a conf (none: nothing is kept), in a new file 0600 of the layer's
 * directory; read back (nothing kept: anonymous), with strings in the arena, which are to be wiped;
 * no longer needed. */
int lazy_auth_keep(int dir, const struct lazy_conf *c, struct err *err);
int lazy_auth_read(int dir, struct arena *a, struct remote_auth *ret, struct err *err);
void lazy_auth_wipe(struct remote_auth *a);
void lazy_auth_forget(int dir);

#define LAZY_REPORT_MAGIC 0x595a414cu
struct lazy_report {
	uint32_t magic, code; /* enum err_code; 0 = it serves */
	uint64_t bytes;	      /* of the layer's regular files */
	char msg[512];
};

/* lazy-fence.c: for good, in a process of one thread. What it forks is fenced as well. */
int lazy_fence(struct err *err);

/* ---- the starter's side ---- */

struct image_store;
struct image_publish;
struct image_new_layer;
struct db_conn;
struct layer_job;

/* In the layer's directory (which holds "index"): mounts "mnt", makes the socket "sock", starts the
 * server and hears its report. Blocking, any thread. Nothing is left of a failure but empty names.
 */
int lazy_start(int dir, const char *program, const char *label, const struct lazy_conf *c,
	       struct lazy_report *ret, struct err *err);
int lazy_connect(int dir, int *ret); /* to its server; a non-blocking socket. -1 with errno */
void lazy_unmount(const char *path); /* of what was mounted there; detached: users keep it */

/* Where a layer comes from that is published before it is here. */
struct lazy_source {
	const char *blob, *media, *host, *repo;
	uint64_t size;
	bool base;
};

/* All layers of the image are here: 0. -ERR_UNAVAILABLE names one that still comes, -ERR_INVALID
 * one that turned out to be false. */
int lazy_check_here(struct db_conn *c, const char *image, struct err *err);

/* lazy-layer.c, in a pull: notes in the lease what a lazy start of the layer needs, 1 if it has all
 * of it; then makes the layer served: 1, or 0 when it is to be pulled as a whole. */
int lazy_layer_reserve(struct layer_job *j, struct db_conn *c, struct err *err);
int lazy_layer_begin(struct layer_job *j);
/* lazy-remote.c: indexes that the registry has beside the image, where they are trusted. */
struct image_pull;
struct transfer;
struct image_lease;
struct manifest;
void lazy_find_indexes(struct image_pull *p);
/* Of the layers of an image that was pushed, those that are known here go there too. */
int lazy_push_indexes(struct transfer *t, struct image_lease *lease, struct arena *a,
		      struct slice manifest, const struct manifest *doc, struct err *err);
void lazy_layer_fini(struct layer_job *j); /* unmounts it if it was not published */
/* In the publishing transaction: a layer that is served; one that was, and now is here. */
int lazy_publish_new(struct image_publish *p, struct db_conn *c, struct image_new_layer *l,
		     struct err *err);
int lazy_publish_whole(struct image_publish *p, struct db_conn *c, struct image_new_layer *l,
		       struct err *err); /* 0 = it is no lazy one; 1 = done */
int lazy_publish_index(struct db_conn *c, const struct image_new_layer *l, struct err *err);
/* Indexes that nobody has used for LAZY_INDEX_KEEP are in doubt (gc.c). In a write transaction. */
#define LAZY_INDEX_KEEP (30 * 86400 * NS_PER_SEC)
int lazy_expire(struct db_conn *c, struct err *err);
/* Takes store/lazy/<hex> out of the way; for a write transaction. */
int lazy_put_away(struct image_store *is, const char *hex, struct err *err);

/* lazy-manage.c: a thread that finds the servers of this store again, restarts what died, and makes
 * whole what is complete. */
struct image_lazy;
void lazy_manager_wake(struct image_lazy *m); /* NULL is fine; rows or directories have changed */
unsigned lazy_manager_wait(const struct image_lazy *m); /* seconds; 0 = the default */
void lazy_manager_free(struct image_lazy *m);
