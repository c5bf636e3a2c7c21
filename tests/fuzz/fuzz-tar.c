/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tar headers. First byte: bit 0 mends the checksum of every block first (else almost nothing gets
 * past it), the rest is the size of the pieces. The events must not depend on how the bytes arrive,
 * data must be as long as its header said, and what was read must come back from our own writer.
 */
#include "base/err.h"
#include "image/tar.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_MAX 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What came out, as text, and optionally written out again. */
struct trace {
	struct buf text;
	struct tar_writer *writer;
	uint64_t left;
	bool writable;
};

static void check_entry(const struct tar_entry *e)
{
	char clean[TAR_NAME_MAX + 1];

	assert(e->name[0] && strlen(e->name) <= TAR_NAME_MAX && strlen(e->link) <= TAR_NAME_MAX);
	assert(e->uid >= 0 && e->gid >= 0 && (e->mode & ~07777u) == 0);
	assert(e->mtime_ns < 1000000000u && (e->type == TAR_REG || e->size == 0));
	assert(e->nxattrs <= TAR_XATTRS_MAX);
	for (size_t i = 0; i < e->nxattrs; i++)
		assert(strlen(e->xattrs[i].name) <= 255 && e->xattrs[i].value.n <= 65536);
	if (tar_name_clean(e->name, clean, NULL) == 0)
		assert(clean[0] != '/' && !strstr(clean, "//") && strcmp(clean, "..") != 0 &&
		       strncmp(clean, "../", 3) != 0 && !strstr(clean, "/../"));
}

static int on_entry(void *ctx, const struct tar_entry *e, struct err *err)
{
	struct err werr = ERR_INIT;
	struct trace *t = ctx;

	assert(t->left == 0);
	check_entry(e);
	assert(e->sparse || e->real_size == e->size);
	assert(e->real_size <= 4 * INPUT_MAX);
	t->left = e->real_size;
	t->writable &= !e->sparse; /* the writer knows no holes */
	(void)buf_addf(&t->text, "%d %s>%s %llu %o %lld:%lld %lld.%u\n", (int)e->type, e->name,
		       e->link, (unsigned long long)e->size, e->mode, (long long)e->uid,
		       (long long)e->gid, (long long)e->mtime_s, e->mtime_ns);
	for (size_t i = 0; i < e->nxattrs; i++)
		(void)buf_addf(&t->text, " %s=%zu\n", e->xattrs[i].name, e->xattrs[i].value.n);
	if (t->writer && t->writable && tar_writer_entry(t->writer, e, &werr) < 0) {
		assert(werr.code && werr.msg[0]);
		t->writable = false;
	}
	return 0;
}

static int on_data(void *ctx, const void *p, size_t n, struct err *err)
{
	struct trace *t = ctx;

	assert(n && n <= t->left);
	t->left -= n;
	(void)buf_add(&t->text, p, n);
	if (t->writer && t->writable)
		assert(tar_writer_data(t->writer, p, n, err) == 0);
	return 0;
}

static int on_hole(void *ctx, uint64_t n, struct err *err)
{
	struct trace *t = ctx;

	(void)err;
	assert(n && n <= t->left);
	t->left -= n;
	(void)buf_addf(&t->text, "hole %llu\n", (unsigned long long)n);
	return 0;
}

static int on_end(void *ctx, struct err *err)
{
	assert(((struct trace *)ctx)->left == 0);
	return 0;
}

static const struct tar_ops ops = {
	.entry = on_entry, .data = on_data, .hole = on_hole, .end = on_end
};
static const struct tar_limits limits = { .total_max = 4 * INPUT_MAX,
					  .entries_max = 100,
					  .header_max = 16384 };

static int read_tar(struct trace *t, const uint8_t *p, size_t n, size_t step)
{
	CLEANUP(tar_reader_free) struct tar_reader *r = tar_reader_new(&limits, &ops, t);
	struct err err = ERR_INIT;

	for (size_t i = 0; i < n; i += step) {
		int rc = tar_reader_push(r, p + i, MIN(step, n - i), &err);

		assert(rc == 0 || (err.code && err.msg[0]));
		if (rc < 0)
			return rc;
	}
	return tar_reader_finish(r, &err);
}

static int to_buf(void *ctx, const void *p, size_t n, struct err *err)
{
	return buf_add(ctx, p, n) < 0 ? err_set(err, ERR_QUOTA, "fuzz: full") : 0;
}

static void mend(uint8_t *p, size_t n)
{
	for (size_t at = 0; at + TAR_BLOCK <= n; at += TAR_BLOCK) {
		unsigned sum = 0;
		char text[8];

		memset(p + at + 148, ' ', 8);
		for (size_t i = 0; i < TAR_BLOCK; i++)
			sum += p[at + i];
		if (sum == 8 * ' ') {
			/* A block of zeros is the end mark. */
			memset(p + at + 148, 0, 8);
			continue;
		}
		(void)snprintf(text, sizeof(text), "%06o", sum & 0777777u);
		memcpy(p + at + 148, text, 7);
	}
}

static bool same_text(const struct trace *a, const struct trace *b)
{
	return a->text.n == b->text.n &&
	       (a->text.n == 0 || memcmp(a->text.p, b->text.p, a->text.n) == 0);
}

static void feed(const uint8_t *p, size_t n, size_t step)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(1 << 22);
	struct trace whole = { .text = BUF_INIT(1 << 22), .writable = true };
	struct trace parts = { .text = BUF_INIT(1 << 22) }, back = { .text = BUF_INIT(1 << 22) };
	struct tar_writer w;
	int r;

	tar_writer_init(&w, to_buf, &out);
	whole.writer = &w;
	r = read_tar(&whole, p, n, n + 1);
	assert(read_tar(&parts, p, n, step) == r && same_text(&whole, &parts));
	if (r == 0 && whole.writable) {
		assert(tar_writer_finish(&w, NULL) == 0);
		assert(read_tar(&back, (const uint8_t *)out.p, out.n, TAR_BLOCK) == 0);
		assert(same_text(&whole, &back));
	}
	buf_fini(&whole.text);
	buf_fini(&parts.text);
	buf_fini(&back.text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy;

	if (size < 1 || size > INPUT_MAX)
		return 0;
	copy = malloc(size);
	if (!copy)
		abort();
	memcpy(copy, data + 1, size - 1);
	if (data[0] & 1)
		mend(copy, size - 1);
	feed(copy, size - 1, (data[0] >> 1) * 7u + 1);
	free(copy);
	return 0;
}
