/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images that are mounted somewhere outside of containers: each mount is a row, so that the image
 * is not removed under it. A mount outlives every process, so no lease can stand for it: the row
 * goes when it is unmounted, and means nothing after the boot that it was made in.
 *
 * Blocking; any thread but the store's writer.
 */
#pragma once

#include <stdbool.h>

struct db_conn;
struct err;
struct image;
struct image_store;

/* From now on the image stays. path: where it is mounted, absolute, for people and to find the row
 * by. -ERR_NOT_FOUND: it has been removed meanwhile. */
int image_mount_add(struct image_store *is, const struct image *img, const char *path,
		    struct err *err);
/* Takes one row of that path away, the newest one. 1 = there was one. */
int image_mount_drop(struct image_store *is, const char *path, struct err *err);

/* Private to src/image. In a transaction: -ERR_CONFLICT with the path where the image is mounted.
 */
int image_mount_check(struct image_store *is, struct db_conn *c, const char *id, struct err *err);
