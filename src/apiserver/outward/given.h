/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file that somebody named for us: read at the start, and again when it has changed.
 *
 * It is opened before root is given up. What may not be opened any more afterwards (a key of mode
 * 0600, a directory of mode 0700) is still read through that first descriptor, so changes in place
 * are seen; a file that took its place has to be readable for the user that we then are.
 */
#pragma once

#include "base/cleanup.h"
#include "base/str.h"

#include <stdbool.h>

struct err;
struct given;

#define GIVEN_MAX (16u << 20)

/* A path as it is now, before the process goes to another directory; heap. NULL stays NULL. */
int given_absolute(const char *path, char **ret, struct err *err);
int given_open(const char *path, struct given **ret, struct err *err);
/* A file of our own below the working directory, which is the state's by then and stays: the way to
 * it from above may be closed to who we are. */
int given_open_own(const char *path, struct given **ret, struct err *err);
/* An absolute path is somebody's, any other one our own. */
int given_open_any(const char *path, struct given **ret, struct err *err);
void given_free(struct given *g); /* NULL is fine */
DEFINE_CLEANUP(struct given *, given_free)
const char *given_path(const struct given *g); /* absolute */
/* Appends all of it. */
int given_read(struct given *g, struct buf *out, struct err *err);
/* Whether it differs from what was read last (by inode, size and times); false also when it cannot
 * be told. */
bool given_changed(const struct given *g);
