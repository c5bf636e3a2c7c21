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
 * and "blob" are made), 5 /dev/fuse, 6 its configuration, 7 a listening socket of its starter's.
 * On a connection to that (SOCK_SEQPACKET, one letter a packet) the server says LAZY_WORKING, then
 * LAZY_COMPLETE; the starter may say LAZY_FAIL: from then on reads are EIO.
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
#define LAZY_FAIL 'f'

#define LAZY_WAIT_DEFAULT 60 /* seconds that a read waits for a registry which does not answer */

struct lazy_conf {
	const char *host, *repo, *digest;
	bool base;	 /* lowest layer */
	unsigned wait_s; /* 0 = the default */
	struct remote_auth auth;
	struct image_remotes remotes;
};
/* -ERR_TOO_LARGE when it does not fit. */
int lazy_conf_write(const struct lazy_conf *c, struct buf *ret, struct err *err);
int lazy_conf_read(struct arena *a, struct slice bytes, struct lazy_conf *ret, struct err *err);

#define LAZY_REPORT_MAGIC 0x595a414cu
struct lazy_report {
	uint32_t magic, code; /* enum err_code; 0 = it serves */
	uint64_t bytes;	      /* of the layer's regular files */
	char msg[512];
};

/* lazy-fence.c: for good, in a process of one thread. What it forks is fenced as well. */
int lazy_fence(struct err *err);
