/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The serving process's side of a layer that comes for the first time: what the pipe brings goes to
 * "data", and what its tar holds into the tree. Invariants: (1) bytes count as here when they are
 * in "data" and in the tree, so a partner that takes over makes the same tree of the file; (2)
 * after an error nothing more is told.
 */
#include "base/err.h"
#include "base/fd.h"
#include "base/hash.h"
#include "image/lazy-growth.h"
#include "image/lazy-priv.h"
#include "linux/sys.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROUND 4 /* pieces before something else has its turn */

/* An index of one chunk, which is all of the layer: what asks for chunks, and tries again, serves
 * here too. */
int lazy_flow_open(struct lazy_server *s, struct err *err)
{
	struct lazy_index *ix = calloc(1, sizeof(*ix));

	if (!ix)
		abort();
	s->ix = ix;
	ix->points = calloc(1, sizeof(*ix->points));
	if (!ix->points)
		abort();
	ix->npoints = 1;
	ix->blob_size = s->conf.size;
	s->plain_max = LAZY_FLOW_PIECE;
	(void)hash_bytes("", 0); /* all processes have its seed */
	return s->conf.size > INT64_MAX ? err_set(err, ERR_INVALID, "a layer of no possible size")
					: 0;
}

static int read_again(struct lazy_server *s, struct err *err)
{
	uint64_t end = atomic_load(&s->flow->plain_done), at = 0;
	int r = 0;

	lazy_growth_again(s->growth, true);
	while (at < end && r >= 0) {
		ssize_t n =
			pread(s->data, s->plain, (size_t)MIN(end - at, LAZY_FLOW_PIECE), (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_sys(err, "read the layer again");
		r = lazy_growth_push(s->growth, s->plain, (size_t)n, err);
		at += (uint64_t)n;
	}
	lazy_growth_again(s->growth, false);
	if (r >= 0 && s->shared->have[0])
		r = lazy_growth_finish(s->growth, err);
	return r;
}

int lazy_flow_begin(struct lazy_server *s, struct err *err)
{
	lazy_growth_free(s->growth);
	s->growth = lazy_growth_new(s->conf.base, s->holes, &s->flow->told);
	s->fs.growth = s->growth;
	s->fs.tree = lazy_growth_tree(s->growth);
	return read_again(s, err);
}

/* ---- bytes ---- */

int lazy_flow_data(struct lazy_server *s, uint64_t offset, size_t n, char *dst)
{
	bool holes = offset >= LAZY_HOLES;
	uint64_t at = holes ? offset - LAZY_HOLES : offset,
		 here = holes ? lazy_growth_holes(s->growth) : atomic_load(&s->flow->plain_done);

	if (at + n > here)
		return 1;
	for (size_t done = 0; done < n;) {
		ssize_t got =
			pread(holes ? s->holes : s->data, dst + done, n - done, (off_t)(at + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 || (got == 0 && !holes))
			return -EIO;
		if (got == 0) { /* a hole at its end */
			memset(dst + done, 0, n - done);
			break;
		}
		done += (size_t)got;
	}
	return 0;
}

static int check_size(const struct lazy_server *s, struct err *err)
{
	uint64_t out = atomic_load(&s->flow->plain_done), in = atomic_load(&s->flow->blob_done);

	if (out > s->conf.plain_max)
		return err_set(err, ERR_TOO_LARGE,
			       "uncompressed, it is larger than the limit of %llu bytes",
			       (unsigned long long)s->conf.plain_max);
	if (out > s->conf.ratio_free && out / s->conf.ratio_max > in)
		return err_set(err, ERR_TOO_LARGE,
			       "it expands more than %u times, as decompression bombs do",
			       s->conf.ratio_max);
	return 0;
}

static int take(struct lazy_server *s, size_t n, bool *ret_disk, struct err *err)
{
	uint64_t at = atomic_load(&s->flow->plain_done);
	int r;

	if (pwrite(s->data, s->plain, n, (off_t)at) != (ssize_t)n) {
		*ret_disk = true;
		return err_sys(err, "write a layer to disk");
	}
	r = lazy_growth_push(s->growth, s->plain, n, err);
	atomic_store(&s->flow->plain_done, at + n); /* keeps (1) */
	return r < 0 ? r : check_size(s, err);
}

int lazy_flow_read(struct lazy_server *s, bool *ret_disk, struct err *err)
{
	int i;

	*ret_disk = false;
	for (i = 0; i < ROUND; i++) {
		ssize_t n = read(s->stream, s->plain, LAZY_FLOW_PIECE);
		int r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			fd_close(STEAL_FD(s->stream)); /* its writer's line tells */
		if (n <= 0)
			return i;
		r = take(s, (size_t)n, ret_disk, err);
		if (r < 0)
			return r;
	}
	return i;
}

/* ---- what a start reads ---- */

static bool is_settled(const struct lazy_server *s, const char *path)
{
	struct slice rest = slice_str(path);
	const struct lazy_inode *n = lazy_tree_inode(s->fs.tree, LAZY_ROOT);
	uint32_t ino = LAZY_ROOT;

	while (rest.p && S_ISDIR(n->mode)) {
		struct slice part = slice_split(&rest, '/');
		uint32_t in = ino;

		ino = lazy_tree_lookup(s->fs.tree, in, part);
		if (!ino)
			return lazy_growth_lacks(s->growth, in, part);
		n = lazy_tree_inode(s->fs.tree, ino);
	}
	return !S_ISREG(n->mode) || n->offset >= LAZY_HOLES ||
	       n->offset + MIN(n->size, LAZY_WARM_MAX) <= atomic_load(&s->flow->plain_done);
}

bool lazy_flow_ready(const struct lazy_server *s)
{
	static const char *const files[] = LAZY_WARM_FILES;

	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		if (!is_settled(s, files[i]))
			return false;
	return true;
}
