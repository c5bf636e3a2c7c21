/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to src/image: reading layers, inside the fenced helper. A view is an ordered list of
 * directories seen as overlay sees them; a walk goes over what differs between two views.
 */
#pragma once

#include "base/str.h"
#include "image/layers.h"

#include <stdbool.h>
#include <sys/stat.h>

#define DIFF_LAYERS_MAX 130 /* 127 of an image, the engine's, the container's */
#define DIFF_PATH_MAX 4096
#define DIFF_FD_FIRST 5 /* of the helper: its layers, topmost first */
#define DIFF_FLAG_LIST 0x100u
/* flags of mode "diff": enum image_diff_kind | DIFF_FLAG_LIST | layers << 16 */

/* Layers that have the directory at hand, topmost first: indexes of the view. */
struct diff_set {
	unsigned n;
	unsigned char v[DIFF_LAYERS_MAX];
};

/* The directory at hand, in each layer opened when it is needed. */
struct diff_view {
	const int *layers;
	size_t n;
	int open[DIFF_LAYERS_MAX]; /* -1 = not open */
	char path[DIFF_PATH_MAX + 1];
};

void diff_view_init(struct diff_view *v, const int *layers, size_t n);
void diff_view_fini(struct diff_view *v);
void diff_view_enter(struct diff_view *v, const char *path); /* "" = root; at most DIFF_PATH_MAX */
/* The directory at hand in layer i: fd (borrowed), or -1 with errno. */
int diff_view_dir(struct diff_view *v, unsigned i);
/* The layer that shows `name`; -1 = none (absent, or a whiteout is on top: *ret_white); `raw`:
 * a whiteout counts as a file. -2 with err. */
int diff_view_find(struct diff_view *v, const struct diff_set *s, const char *name, bool raw,
		   struct stat *ret, struct err *err);
/* Layers of `s` that merge in the directory `name`. Fails for overlay's redirects. */
int diff_view_subset(struct diff_view *v, const struct diff_set *s, const char *name,
		     struct diff_set *ret, struct err *err);
/* Appends the names in the directory at hand of layer i, NUL-terminated, without . and .. */
int diff_view_names(struct diff_view *v, unsigned i, struct buf *names, struct err *err);
/* 1 = the directory hides those below; overlay's mark, also the one of user namespaces. */
int diff_is_opaque(int dir_fd);
bool diff_is_whiteout(const struct stat *st);

/* The helper's job: layers at DIFF_FD_FIRST, tar or list on fd 1. */
int diff_run(unsigned flags, struct image_diff_result *ret, struct err *err);
