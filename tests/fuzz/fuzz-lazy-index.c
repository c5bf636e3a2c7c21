/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Indexes of lazy layers. What is read keeps its promises: chunks follow each other without a gap,
 * names are clean, data lies inside the tar; the tree that is made of it can be walked by requests
 * of the kernel. To reach what lies behind the compression the input is also taken as the payload.
 */
#include "base/err.h"
#include "image/lazy-fuse.h"
#include "image/lazy-index.h"
#include "image/lazy-tree.h"

#include <linux/fuse.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zstd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void check_chunks(const struct lazy_index *ix)
{
	uint64_t at = 0;

	for (size_t i = 0; i < ix->npoints; i++) {
		uint64_t from, n;

		lazy_chunk_range(ix, i, &from, &n);
		must(n <= ix->blob_size && from <= ix->blob_size - n);
		must(ix->points[i].out == at && lazy_chunk_size(ix, i) <= LAZY_CHUNK_MAX);
		at += lazy_chunk_size(ix, i);
	}
	must(!ix->npoints || at == ix->plain_size);
}

static int on_entry(void *ctx, const struct tar_entry *e, struct err *err)
{
	return lazy_tree_add(ctx, e, err);
}

static int on_data(void *ctx, uint64_t offset, size_t n, char *dst)
{
	const struct lazy_index *ix = ctx;

	must(n && n <= ix->plain_size && offset <= ix->plain_size - n);
	memset(dst, 0, n);
	return 0;
}

static void ask(const struct lazy_fs *fs, uint32_t opcode, uint64_t node, const void *body,
		size_t n)
{
	struct {
		struct fuse_in_header h;
		char body[512];
	} rq = { .h = { .len = (uint32_t)(sizeof(rq.h) + n),
			.opcode = opcode,
			.unique = 2,
			.nodeid = node } };
	struct buf out = BUF_INIT(LAZY_REPLY_MAX);
	uint64_t unique;

	memcpy(rq.body, body, n);
	if (lazy_fuse_answer(fs, &rq, rq.h.len, &out, &unique) == LAZY_ANSWER)
		must(out.n >= sizeof(struct fuse_out_header));
	buf_fini(&out);
}

static void walk(const struct lazy_fs *fs)
{
	static const uint32_t plain[] = { FUSE_GETATTR, FUSE_READLINK, FUSE_STATFS };
	const struct fuse_read_in read = { .size = 8192 };
	const char name[16] = "\0\0\0\1\0\0\0\0user.x";

	for (uint64_t i = 1; i < MIN(lazy_tree_inodes(fs->tree) + 3, 300u); i++) {
		for (size_t k = 0; k < ARRAY_LEN(plain); k++)
			ask(fs, plain[k], i, "", 0);
		ask(fs, FUSE_READ, i, &read, sizeof(read));
		ask(fs, FUSE_READDIR, i, &read, sizeof(read));
		ask(fs, FUSE_READDIRPLUS, i, &read, sizeof(read));
		ask(fs, FUSE_LISTXATTR, i, name, 8);
		ask(fs, FUSE_GETXATTR, i, name, sizeof(name));
		ask(fs, FUSE_LOOKUP, i, "a", 2);
	}
}

static void try_one(struct slice file)
{
	struct lazy_tree *tree = lazy_tree_new(true);
	struct lazy_index *ix = NULL;
	struct err err = ERR_INIT;
	struct lazy_fs fs = { .tree = tree, .data = on_data };

	if (lazy_index_read(file, &ix, &err) == 0) {
		check_chunks(ix);
		fs.ctx = ix;
		if (lazy_index_each(ix, on_entry, tree, &err) >= 0)
			walk(&fs);
		lazy_index_free(ix);
	} else {
		must(err.code != ERR_NONE);
	}
	lazy_tree_free(tree);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf b = BUF_INIT(1u << 20);
	size_t bound = ZSTD_compressBound(size), n;

	if (size > 256 << 10)
		return 0;
	try_one(slice_of((const char *)data, size));
	must(buf_room(&b, 16 + bound));
	memcpy(b.p, "TEULZX1\n", 8);
	for (int i = 0; i < 8; i++)
		b.p[8 + i] = (char)((uint64_t)size >> (8 * i));
	n = ZSTD_compress(b.p + 16, bound, data, size, 1);
	must(!ZSTD_isError(n));
	try_one(slice_of(b.p, 16 + n));
	buf_fini(&b);
	return 0;
}
