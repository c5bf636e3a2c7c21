/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is an image of the store still what it was? Every blob is hashed again, and every unpacked layer
 * is compared with its tar: names, kinds, owners, modes, sizes, times, contents, extended
 * attributes, whiteouts. Layers are read by the fenced helper. Blocking; the queries' thread.
 */
#pragma once

#include "image/copy.h"
#include "image/image.h"

#include <stdint.h>

struct err;
struct image_store;

struct image_verify {
	/* What is wrong with a part: "blob" or "layer" and its digest; repaired: not any more. */
	void (*problem)(void *ctx, const char *kind, const char *digest, const char *text,
			bool repaired);
	/* Opens "docker://HOST/REPO@DIGEST" of a manifest that is known by it, to fetch damaged
	 * blobs again; damaged layers are unpacked again. NULL = nothing is repaired. */
	int (*reach)(void *ctx, const char *name, struct place **ret, struct err *err);
	void (*told)(void *ctx, uint64_t bytes); /* verified so far; may be NULL */
	void *ctx;
	/* out */
	uint64_t blobs, layers, bytes;
	uint64_t skipped;  /* layers not compared: served lazily, or whole trees of the driver */
	uint64_t problems; /* that are left */
};
/* Unpacks layer i again from its blob, of a driver that keeps layers. -ERR_CONFLICT: it is mounted
 * somewhere. */
int image_layer_repair(struct image_store *is, const struct image *img, size_t i, struct err *err);
/* 0 also with problems: they are told. Negative when it could not be looked. */
int image_verify(struct image_store *is, const struct image *img, struct image_verify *v,
		 struct err *err);
