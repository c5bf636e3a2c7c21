/* SPDX-License-Identifier: Apache-2.0 */
/* Private to src/image: a directory as one layer of an artifact. Blocking. */
#pragma once

#include "image/digest.h"

#include <stdint.h>

struct err;
struct place_blob;
struct place_conf;

/* The gzipped tar of the open directory, with names below `title`, is written to `out`.
 * *ret_content: digest of what is uncompressed. Devices, pipes and sockets are -ERR_UNSUPPORTED. */
int artifact_dir_pack(int dir, const char *title, int out, char ret_content[IMAGE_DIGEST_MAX],
		      uint64_t *ret_size, struct err *err);

struct artifact_dir {
	int dir;		       /* where it goes */
	const char *base;	       /* its name there */
	const char *title;	       /* that the names of the archive begin with */
	const char *content;	       /* digest of the uncompressed archive; NULL = not told */
	const struct place_conf *conf; /* for its decompression; may be NULL */
};
/* -ERR_EXISTS when something has the name; -ERR_INVALID names what would lead elsewhere. Nothing is
 * left of a failure. */
int artifact_dir_unpack(const struct artifact_dir *d, const struct place_blob *b, struct err *err);
