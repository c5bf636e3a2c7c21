/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compressed layers: gzip by our own inflate, and what inflate_fd() takes of zstd, xz, bzip2 and
 * plain bytes. The first byte is the size of the pieces. What comes out, and whether it is refused,
 * must not depend on how the bytes arrive.
 */
#include "base/err.h"
#include "base/str.h"
#include "image/gunzip.h"
#include "image/inflate.h"

#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define INPUT_MAX 65536
#define OUTPUT_MAX (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct run {
	const uint8_t *in;
	size_t n, at, step;
	char *out;
	size_t made;
};

static ssize_t give(void *ctx, void *p, size_t n, struct err *err)
{
	struct run *r = ctx;

	(void)err;
	n = MIN(n, r->n - r->at);
	n = r->step ? MIN(n, r->step) : n;
	memcpy(p, r->in + r->at, n);
	r->at += n;
	return (ssize_t)n;
}

static int take(void *ctx, const void *p, size_t n, struct err *err)
{
	struct run *r = ctx;

	if (n > OUTPUT_MAX - r->made)
		return err_set(err, ERR_TOO_LARGE, "too large");
	memcpy(r->out + r->made, p, n);
	r->made += n;
	return 0;
}

static int gunzip(const uint8_t *data, size_t n, size_t step, struct run *ret)
{
	const struct gunzip_io io = { give, take, ret };
	struct err err = ERR_INIT;
	int r;

	*ret = (struct run){ .in = data, .n = n, .step = step, .out = malloc(OUTPUT_MAX) };
	assert(ret->out);
	r = gunzip_run(&io, &err);
	assert(r >= 0 || err.msg[0]);
	return r;
}

/* A file that cannot grow is where a bomb ends. */
static int by_file(const uint8_t *data, size_t n, char *out, uint64_t *ret)
{
	int in = memfd_create("in", MFD_CLOEXEC), to = memfd_create("out", MFD_ALLOW_SEALING), r;
	struct err err = ERR_INIT;

	assert(in >= 0 && to >= 0 && write(in, data, n) == (ssize_t)n);
	assert(lseek(in, 0, SEEK_SET) == 0 && ftruncate(to, OUTPUT_MAX) == 0);
	assert(fcntl(to, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK) == 0);
	r = inflate_fd(in, to, ret, &err);
	assert(r >= 0 || err.msg[0]);
	if (r >= 0)
		assert(*ret <= OUTPUT_MAX && pread(to, out, *ret, 0) == (ssize_t)*ret);
	close(in);
	close(to);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct run whole, pieces;
	uint64_t made = 0;
	char *out;
	int r;

	if (size < 2 || size > INPUT_MAX)
		return 0;
	out = malloc(OUTPUT_MAX);
	assert(out);
	r = gunzip(data + 1, size - 1, 0, &whole);
	assert(gunzip(data + 1, size - 1, 1 + data[0], &pieces) == r);
	if (r >= 0)
		assert(whole.made == pieces.made && memcmp(whole.out, pieces.out, whole.made) == 0);
	(void)inflate_name(data + 1, size - 1);
	if (by_file(data + 1, size - 1, out, &made) >= 0 &&
	    inflate_sniff(data + 1, size - 1) == INFLATE_GZIP)
		assert(r >= 0 && made >= whole.made && memcmp(out, whole.out, whole.made) == 0);
	free(whole.out);
	free(pieces.out);
	free(out);
	return 0;
}
