/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of lazy layers share: tars of seeded content in all compressions, their indexes.
 */
#pragma once

#include "fixture.h"

#include "image/lazy-fuse.h"
#include "image/lazy-index.h"
#include "image/lazy-tree.h"

#include <zstd.h>

/* A small generator of its own: the same bytes on every machine. */
struct seeded {
	uint64_t x;
};
static inline uint64_t seeded_next(struct seeded *s)
{
	s->x ^= s->x << 13;
	s->x ^= s->x >> 7;
	s->x ^= s->x << 17;
	return s->x;
}

/* Bytes that compress to about a half. */
static inline void seeded_fill(struct seeded *s, char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = i % 3 ? (char)(seeded_next(s) >> 20) : 'x';
}

/* Directories, files up to `big` bytes, links of both kinds, attributes, a long name. */
static inline struct slice seeded_tar(struct tarball *t, uint64_t seed, unsigned files, size_t big)
{
	struct seeded s = { seed * 2654435761u + 1 };
	char *data = malloc(big + 1), name[200], longname[300];
	struct tar_xattr x = { "user.kind", { "seeded", 6 } };

	assert_non_null(data);
	tar_begin(t);
	for (unsigned i = 0; i < files; i++) {
		size_t n = i % 5 == 4 ? big : seeded_next(&s) % 5000;

		if (i % 7 == 0) {
			snprintf(name, sizeof(name), "d%u/", i / 7);
			tar_dir(t, name);
		}
		seeded_fill(&s, data, n);
		snprintf(name, sizeof(name), "d%u/f%u", i / 7, i);
		tar_entry(t,
			  (struct tar_entry){ .type = TAR_REG,
					      .name = name,
					      .size = n,
					      .uid = i,
					      .gid = 100000 + i,
					      .mode = i % 2 ? 04755 : 0640,
					      .mtime_s = 1600000000 + i,
					      .mtime_ns = i % 3 ? 0 : 123456789,
					      .xattrs = &x,
					      .nxattrs = i % 4 == 0 },
			  data);
	}
	tar_link(t, TAR_SYM, "link", "d0/f0");
	tar_link(t, TAR_HARD, "hard", "d0/f0");
	memset(longname, 'n', sizeof(longname) - 1);
	longname[sizeof(longname) - 1] = '\0';
	longname[150] = '/';
	tar_file(t, longname, "long");
	free(data);
	return tar_end(t);
}

static inline void raw_member(struct tarball *t, const char *name, char type, const char *data,
			      size_t n)
{
	char h[TAR_BLOCK] = "";
	unsigned sum = 0;

	snprintf(h, 100, "%s", name);
	memcpy(h + 100, "0000644", 8);
	memcpy(h + 108, "0000000", 8);
	memcpy(h + 116, "0000000", 8);
	snprintf(h + 124, 12, "%011zo", n);
	memcpy(h + 136, "00000000000", 12);
	memcpy(h + 148, "        ", 8);
	h[156] = type;
	memcpy(h + 257, "ustar\00000", 8);
	for (size_t i = 0; i < sizeof(h); i++)
		sum += (unsigned char)h[i];
	snprintf(h + 148, 8, "%06o", sum);
	buf_add(&t->b, h, sizeof(h));
	memset(h, 0, sizeof(h));
	memcpy(h, data, n);
	buf_add(&t->b, h, sizeof(h));
}

/* Nine bytes, of which the fourth and fifth are "xy" and the others in holes (pax 0.1). */
static inline void sparse_into(struct tarball *t, const char *name)
{
	static const char records[] = "21 GNU.sparse.size=9\n26 GNU.sparse.numblocks=1\n"
				      "22 GNU.sparse.map=4,2\n";

	raw_member(t, "pax", 'x', records, sizeof(records) - 1);
	raw_member(t, name, '0', "xy", 2);
}

enum form { FORM_PLAIN, FORM_GZIP, FORM_MEMBERS, FORM_ZSTD, FORM_FRAMES, FORMS };

static inline void gzip_into(struct buf *b, const char *p, size_t n)
{
	z_stream z = { .next_in = (unsigned char *)(uintptr_t)p, .avail_in = (unsigned)n };

	assert_non_null(buf_room(b, n + n / 100 + 1000));
	assert_int_equal(deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_out = (unsigned char *)b->p + b->n;
	z.avail_out = (unsigned)(n + n / 100 + 1000);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	b->n += z.total_out;
	deflateEnd(&z);
}

static inline void zstd_into(struct buf *b, const char *p, size_t n)
{
	size_t cap = ZSTD_compressBound(n), got;

	assert_non_null(buf_room(b, cap));
	got = ZSTD_compress(b->p + b->n, cap, p, n, 1);
	assert_false(ZSTD_isError(got));
	b->n += got;
}

static inline void compressed(struct slice tar, enum form form, struct buf *b)
{
	size_t piece = form == FORM_MEMBERS || form == FORM_FRAMES ? 700001 : tar.n;

	*b = BUF_INIT(256u << 20);
	for (size_t at = 0; at < tar.n; at += piece) {
		size_t n = MIN(piece, tar.n - at);

		if (form == FORM_PLAIN)
			buf_add(b, tar.p + at, n);
		else if (form <= FORM_MEMBERS)
			gzip_into(b, tar.p + at, n);
		else
			zstd_into(b, tar.p + at, n);
	}
}

/* Through files: what a pipe would be is another process's. */
static inline int build_index(struct slice blob, struct buf *index, struct buf *plain,
			      struct err *err)
{
	FILE *in = tmpfile(), *out = tmpfile();
	uint64_t bytes = 0;
	int r;

	assert_non_null(in);
	assert_non_null(out);
	assert_int_equal(fd_write_all(fileno(in), blob.p, blob.n), 0);
	assert_int_equal(lseek(fileno(in), 0, SEEK_SET), 0);
	*index = BUF_INIT(LAZY_FILE_MAX);
	r = lazy_build_fd(fileno(in), fileno(out), index, &bytes, err);
	*plain = BUF_INIT(256u << 20);
	assert_int_equal(lseek(fileno(out), 0, SEEK_SET), 0);
	if (r >= 0 && bytes) {
		char *room = buf_room(plain, bytes);

		assert_int_equal(fd_read_full(fileno(out), room, bytes), (ssize_t)bytes);
		plain->n = bytes;
	}
	fclose(in);
	fclose(out);
	return r;
}

static inline int add_to_tree(void *ctx, const struct tar_entry *e, struct err *err)
{
	return lazy_tree_add(ctx, e, err);
}
