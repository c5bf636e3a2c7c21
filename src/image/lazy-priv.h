/* SPDX-License-Identifier: Apache-2.0 */
/* Private to the lazy server's processes: what they share, and what the serving one knows. */
#pragma once

#include "image/lazy-fuse.h"
#include "image/lazy-growth.h"
#include "image/lazy-index.h"
#include "image/lazy.h"

#include <stdatomic.h>
#include <sys/types.h>

#define LAZY_LINES 4	     /* fetches at once */
#define LAZY_FILL_LINES 2    /* of them, for what nobody waits for */
#define LAZY_WAITING 2048    /* requests that wait at once */
#define LAZY_WAITING_MAX 512 /* bytes of one: names have at most 255 */
#define LAZY_CONNS 8

/* In memory that all processes of the server share. Written by the serving one alone, so that its
 * partner can go on at any moment: a request is read into `landing`, whose length is 0 until the
 * kernel has put it there, and is moved to `waiting` before the landing is emptied. To answer one
 * twice does no harm: the kernel knows the second as one of no request. */
struct lazy_shared {
	atomic_uint failed, complete, unmounted, unfit; /* unfit: see LAZY_FALSE */
	_Alignas(8) char landing[LAZY_REQUEST_MAX];
	struct {
		_Alignas(8) char request[LAZY_WAITING_MAX]; /* length 0: free */
	} waiting[LAZY_WAITING];
	unsigned char have[LAZY_POINTS_MAX]; /* chunks that are in "data" */
};

/* Of a layer that comes for the first time, shared as well: bytes of its tar that are in "data" and
 * in the tree, bytes of its blob that are in "blob", and what was told of it. */
struct lazy_flow {
	atomic_ullong plain_done, blob_done;
	struct lazy_told told;
};
#define LAZY_FLOW_PIECE (256u << 10)

/* A fetch: asked on a line's socket with the chunk's number, answered with this. The bytes are in
 * the line's room, first as uncompressed, then as they came. */
struct lazy_fetched {
	uint32_t chunk, code; /* enum err_code */
	uint32_t final;	      /* no other try makes it better */
	char msg[244];
};

struct lazy_chunk {
	bool wanted, failed;   /* failed: whoever waits for it is told */
	unsigned tries, unfit; /* unfit: of them, so many with false bytes */
	int64_t since, next;   /* monotonic ns: when it first failed, when to try again */
};

struct lazy_server {
	struct lazy_conf conf;
	struct remote *remote; /* used by the fetcher alone */
	struct lazy_index *ix;
	struct lazy_tree *tree;
	struct lazy_fs fs;
	int fuse, data, blob, listen;
	bool foreign; /* the index came from a registry */
	/* conf.early: there is no index yet */
	struct lazy_flow *flow;
	struct lazy_growth *growth;
	int holes, stream; /* file of sparse files; the fetcher's pipe */
	bool ready;	   /* what a start reads first is here */
	struct lazy_shared *shared;
	char *room; /* LAZY_LINES times line_room bytes, shared */
	size_t plain_max, line_room;
	/* Of the serving process. */
	struct lazy_chunk *chunks;
	size_t nhave, fill_at;
	int64_t demanded;    /* when a chunk was last waited for */
	int64_t fetcher_due; /* when one may be made again */
	int partner;
	struct {
		int fd;
		int64_t chunk; /* -1 = idle */
		bool fill;
	} lines[LAZY_LINES];
	int conns[LAZY_CONNS];
	struct buf out;
	char *plain; /* a chunk while it is checked */
};

/* lazy-serve.c: serves until the file system is gone, then ends the process. */
_Noreturn void lazy_serve(struct lazy_server *s);
/* lazy-pair.c: waits for the partner's end, then serves. `sock` is ours of the two. */
_Noreturn void lazy_stand_by(struct lazy_server *s, int sock);
/* Makes a partner and a fetcher where there is none. */
int lazy_spawn_partner(struct lazy_server *s, struct err *err);
int lazy_spawn_fetcher(struct lazy_server *s, struct err *err);
void lazy_end_fetcher(struct lazy_server *s);
/* Makes the kernel forget all files' bytes, in a process of its own. */
int lazy_spawn_forgetter(struct lazy_server *s, struct err *err);
/* lazy-fetch.c: the fetching process. */
_Noreturn void lazy_fetch(struct lazy_server *s, const int lines[LAZY_LINES]);
/* lazy-stream.c: that of a layer which comes for the first time. */
_Noreturn void lazy_stream(struct lazy_server *s, int line, int out);

/* lazy-flow.c: before the processes are made; as a process begins to serve. */
int lazy_flow_open(struct lazy_server *s, struct err *err);
int lazy_flow_begin(struct lazy_server *s, struct err *err);
/* Reads some of the stream: pieces read, 0 = there is nothing now. *ret_disk: it failed for want of
 * the disk; every other failure is final. */
int lazy_flow_read(struct lazy_server *s, bool *ret_disk, struct err *err);
int lazy_flow_data(struct lazy_server *s, uint64_t offset, size_t n,
		   char *dst); /* struct lazy_fs */
/* What who starts a container reads of each layer is here, or known to be not there. */
bool lazy_flow_ready(const struct lazy_server *s);
