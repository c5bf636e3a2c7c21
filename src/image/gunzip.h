/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to src/image: a stream of gzip members (RFC 1952, RFC 1951), pulled and pushed in big
 * pieces. It takes whole buffers where zlib must be able to stop at any byte, which makes it twice
 * as fast; memory is half a MiB. Checks and errors are zlib's: CRC, size, over-long and incomplete
 * codes, distances before the beginning. Bytes after the last member are left to the caller.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

struct gunzip_io {
	/* Up to n bytes: their number, 0 = end, negative with err. */
	ssize_t (*read)(void *ctx, void *p, size_t n, struct err *err);
	int (*write)(void *ctx, const void *p, size_t n, struct err *err);
	void *ctx;
};

/* One member after the other until the end of the input, or until one does not begin with the first
 * byte of gzip: then 1 = something else follows (some of it was read). -ERR_INVALID for what is
 * damaged or cut. */
int gunzip_run(const struct gunzip_io *io, struct err *err);
