/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to src/image: maps of sparse members (GNU tar manual, "Storing Sparse Files"): the old
 * GNU header and pax 0.0, 0.1, 1.0. A map is foreign: it must ascend, lie inside the file and name
 * exactly the bytes that are stored; at most TAR_SEGMENTS_MAX pieces are kept.
 */
#pragma once

#include "base/str.h"
#include "image/tar.h"

struct err;

struct tar_segment {
	uint64_t off, len;
};

struct tar_sparse {
	struct tar_segment *v; /* capacity grows as needed, freed by tar_sparse_fini */
	size_t n, cap;
	size_t at;	     /* piece that is being given out */
	uint64_t done, told; /* bytes of it; position in the file */
	uint64_t real;
	uint64_t pending; /* 0.0: an offset that waits for its length */
	unsigned major, minor;
	bool on, has_real, has_pending;
	/* 1.0: the map stands before the data, as decimal lines in whole blocks. */
	bool map_in_data;
	uint64_t number, numbers_left;
	bool has_number, has_count;
};

void tar_sparse_fini(struct tar_sparse *sp);
void tar_sparse_reset(struct tar_sparse *sp); /* for the next member */
/* A pax record; key without "GNU.sparse.". 0, or -1: it is bad. "name" is the caller's. */
int tar_sparse_record(struct tar_sparse *sp, struct slice key, struct slice value);
/* One {offset, length} of a GNU header. -1 = bad. */
int tar_sparse_add(struct tar_sparse *sp, uint64_t off, uint64_t len);
/* 1.0: bytes of the map, whole blocks. 1 = more of it follows, 0 = done, -1 = bad. */
int tar_sparse_map(struct tar_sparse *sp, const unsigned char block[TAR_BLOCK]);
/* The map is complete and `stored` bytes follow: -1 = it lies. */
int tar_sparse_check(const struct tar_sparse *sp, uint64_t stored);
/* Data and holes in order. */
int tar_sparse_data(struct tar_sparse *sp, const struct tar_ops *ops, void *ctx, const char *p,
		    size_t n, struct err *err);
int tar_sparse_end(struct tar_sparse *sp, const struct tar_ops *ops, void *ctx, struct err *err);
