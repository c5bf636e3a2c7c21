/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each layer of an image adds, changes and takes away, and what is carried along without ever
 * being seen: files that later layers replace or delete. Read from the layers' tars wherever the
 * image lies (image/copy.h). Spec: image-spec layer.md (change sets).
 */
#pragma once

#include "image/copy.h"

#include <stdint.h>

struct arena;
struct err;

struct tree_file {
	struct tree_file *next; /* of the same layer, in its tar's order */
	const char *path;	/* "/etc/hosts" */
	char change;		/* 'A' added, 'C' changed, 'D' removed */
	char type;		/* 'f', 'd', 'l', 'h', 's' as in image/layers.h; of 'D': '-' */
	uint64_t size;		/* of a regular file; of 'D': bytes that it hides */
};

struct tree_layer {
	const char *digest, *media, *command; /* command: its history's, "" when there is none */
	uint64_t packed;		      /* bytes of the blob */
	uint64_t bytes;			      /* of its files */
	uint64_t added, changed, removed;     /* files, not directories */
	struct tree_file *files;
};

struct tree_waste {
	const char *path;
	uint64_t bytes; /* that no one sees, of all layers together */
	unsigned times; /* how often it was replaced or removed */
};

struct image_tree {
	struct tree_layer *layers; /* base first */
	size_t n;
	uint64_t bytes;		   /* of the files of all layers */
	uint64_t user;		   /* of all but the first */
	uint64_t wasted;	   /* of those that no one sees */
	struct tree_waste *wastes; /* largest first */
	size_t nwastes;
};
/* told may be NULL: layer i of n begins. */
struct tree_options {
	const char *platform;
	const struct place_conf *conf;
	void (*told)(void *ctx, size_t i, size_t n);
	void *ctx;
};
/* All in the arena. -ERR_UNSUPPORTED: what is no image. */
int image_tree_read(struct place *p, const struct tree_options *o, struct arena *a,
		    struct image_tree *ret, struct err *err);
/* Share of the bytes that are seen, 0 to 1; 1 of an empty image. */
double image_tree_efficiency(const struct image_tree *t);
