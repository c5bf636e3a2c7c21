/* SPDX-License-Identifier: Apache-2.0 */
/* Private to src/image: streams of gzip, zstd, xz and bzip2, and telling compressions apart. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct err;

enum inflate_kind {
	INFLATE_PLAIN,
	INFLATE_GZIP,
	INFLATE_ZSTD,
	INFLATE_XZ,
	INFLATE_BZIP2,
	INFLATE_OTHER
};

/* By the first bytes (6 are enough). INFLATE_OTHER: lz4, which is refused by name (inflate_name).
 */
enum inflate_kind inflate_sniff(const void *p, size_t n);
const char *inflate_name(const void *p, size_t n); /* "xz" */

/* All of `in` to `out`, until end of file. Several members or frames one after the other are one
 * stream. */
int inflate_fd(int in, int out, uint64_t *ret_bytes, struct err *err);
