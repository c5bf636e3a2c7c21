/* SPDX-License-Identifier: Apache-2.0 */
/* Private to src/image: the starter's side of the fenced helper, and the pump that feeds layers
 * through it. Any thread. */
#pragma once

#include "base/str.h"
#include "image/store.h"
#include "linux/proc.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct err;

struct helper {
	struct proc proc;
	const char *mode;
	int in;	    /* we write the helper's input; -1 = none */
	int out;    /* we read its output; -1 = none */
	int report; /* we read its report */
};

struct helper_start {
	const char *program;
	const char *mode;     /* "unpack", "list", "inflate", "index", "diff" */
	int input;	      /* becomes its fd 0; -1 = a pipe, see helper.in */
	bool output;	      /* its fd 1 is a pipe */
	const int *output_to; /* or this; NULL = neither */
	const int *extra;     /* become its fds from 5 on */
	size_t nextra;
	int root; /* directory fd */
	uint64_t size_max, entries_max;
	unsigned flags;
};

struct helper_result {
	uint64_t entries, bytes;
	struct buf extra;
};
void helper_result_fini(struct helper_result *r);
static inline void helper_result_fini_cleanup_(struct helper_result *r)
{
	helper_result_fini(r);
}

int helper_start(const struct helper_start *s, struct helper *ret, struct err *err);
/* Closes our ends, reads the report, waits. The helper's own error, or that it died. */
int helper_finish(struct helper *h, struct helper_result *ret, struct err *err);
void helper_kill(struct helper *h); /* and waits; fine when finished or never started */

/* One layer or archive through hash, decompression and unpacking. */
struct pump {
	const char *program;
	const struct image_limits *limits;
	const atomic_bool *cancel; /* may be NULL */
	int src;
	bool stream;	       /* src is a pipe or socket, non-blocking, that gives `size` bytes */
	uint64_t offset, size; /* range of src */
	enum image_digest_alg alg; /* of `digest` */
	int copy;		   /* file that gets the bytes as they are, or -1 */
	int plain;		   /* file that gets the uncompressed bytes, or -1 */
	int target;		   /* directory to unpack into, or -1 */
	int empty;		   /* some directory: root of the decompressor */
	bool base_layer;
	uint64_t size_max; /* uncompressed */
	bool want_index;   /* made while it is decompressed: `index` */
	void (*progress)(void *ctx, uint64_t done);
	void *ctx;
	/* results */
	char digest[IMAGE_DIGEST_MAX];	/* of the bytes as they are */
	char diff_id[IMAGE_DIGEST_MAX]; /* of the uncompressed bytes */
	uint64_t plain_size;
	const char *compression; /* "none", "gzip", "zstd" */
	struct helper_result unpacked;
	struct buf index; /* lazy-index.h; empty when there can be none. The caller's to free */
};
int pump_run(struct pump *p, struct err *err);
