/* SPDX-License-Identifier: Apache-2.0 */
#include "image/tar-sparse.h"

#include "base/err.h"

#include <stdlib.h>
#include <string.h>

void tar_sparse_fini(struct tar_sparse *sp)
{
	free(sp->v);
	*sp = (struct tar_sparse){ 0 };
}

void tar_sparse_reset(struct tar_sparse *sp)
{
	struct tar_segment *v = sp->v;
	size_t cap = sp->cap;

	if (!sp->on)
		return;
	*sp = (struct tar_sparse){ .v = v, .cap = cap };
}

int tar_sparse_add(struct tar_sparse *sp, uint64_t off, uint64_t len)
{
	if (sp->n == TAR_SEGMENTS_MAX)
		return -1;
	if (sp->n == sp->cap) {
		size_t cap = sp->cap ? 2 * sp->cap : 32;
		void *v = realloc(sp->v, cap * sizeof(*sp->v));

		if (!v)
			abort();
		sp->v = v;
		sp->cap = cap;
	}
	sp->v[sp->n++] = (struct tar_segment){ off, len };
	return 0;
}

/* "offset,length,offset,length" */
static int add_list(struct tar_sparse *sp, struct slice rest)
{
	while (rest.n) {
		struct slice off = slice_split(&rest, ','), len = slice_split(&rest, ',');
		uint64_t o, l;

		if (str_uint64(off, &o, NULL) < 0 || str_uint64(len, &l, NULL) < 0 ||
		    tar_sparse_add(sp, o, l) < 0)
			return -1;
	}
	return 0;
}

int tar_sparse_record(struct tar_sparse *sp, struct slice key, struct slice value)
{
	uint64_t n = 0;

	sp->on = true;
	if (slice_is(key, "name"))
		return 0;
	if (slice_is(key, "map"))
		return add_list(sp, value);
	if (str_uint64(value, &n, NULL) < 0)
		return -1;
	if (slice_is(key, "major") || slice_is(key, "minor")) {
		if (n > 1)
			return -1;
		*(slice_is(key, "major") ? &sp->major : &sp->minor) = (unsigned)n;
		sp->map_in_data = sp->major == 1 && sp->minor == 0;
	} else if (slice_is(key, "realsize") || slice_is(key, "size")) {
		sp->real = n;
		sp->has_real = true;
	} else if (slice_is(key, "offset")) {
		if (sp->has_pending)
			return -1;
		sp->pending = n;
		sp->has_pending = true;
	} else if (slice_is(key, "numbytes")) {
		if (!sp->has_pending)
			return -1;
		sp->has_pending = false;
		return tar_sparse_add(sp, sp->pending, n);
	}
	return 0; /* numblocks says what the list says by itself */
}

static int map_number(struct tar_sparse *sp)
{
	if (!sp->has_number)
		return -1;
	sp->has_number = false;
	if (!sp->has_count) {
		sp->has_count = true;
		if (sp->number > TAR_SEGMENTS_MAX)
			return -1;
		sp->numbers_left = 2 * sp->number;
		return 0;
	}
	sp->numbers_left--;
	if (sp->numbers_left & 1) {
		sp->pending = sp->number;
		return 0;
	}
	return tar_sparse_add(sp, sp->pending, sp->number);
}

int tar_sparse_map(struct tar_sparse *sp, const unsigned char block[TAR_BLOCK])
{
	for (size_t i = 0; i < TAR_BLOCK; i++) {
		unsigned char c = block[i];

		if (c == '\n') {
			if (map_number(sp) < 0)
				return -1;
			sp->number = 0;
			if (sp->numbers_left == 0)
				return 0; /* the rest of the block is filling */
			continue;
		}
		if (c < '0' || c > '9' || sp->number > (uint64_t)INT64_MAX / 10 - 9)
			return -1;
		sp->number = sp->number * 10 + (uint64_t)(c - '0');
		sp->has_number = true;
	}
	return 1;
}

int tar_sparse_check(const struct tar_sparse *sp, uint64_t stored)
{
	uint64_t at = 0, sum = 0;

	if (!sp->has_real || sp->has_pending)
		return -1;
	for (size_t i = 0; i < sp->n; i++) {
		const struct tar_segment *s = &sp->v[i];

		if (s->off < at || s->off > sp->real || s->len > sp->real - s->off)
			return -1;
		at = s->off + s->len;
		sum += s->len; /* no overflow: the pieces lie side by side in `real` */
	}
	return sum == stored ? 0 : -1;
}

static int hole_to(struct tar_sparse *sp, const struct tar_ops *ops, void *ctx, uint64_t off,
		   struct err *err)
{
	uint64_t n = off - sp->told;

	sp->told = off;
	return n && ops->hole ? ops->hole(ctx, n, err) : 0;
}

int tar_sparse_data(struct tar_sparse *sp, const struct tar_ops *ops, void *ctx, const char *p,
		    size_t n, struct err *err)
{
	int r = 0;

	while (n && r >= 0) {
		const struct tar_segment *s = &sp->v[sp->at];
		size_t k;

		if (sp->at == sp->n)
			return err_set(err, ERR_INVALID, "tar: more data than the sparse map says");
		if (sp->done == s->len) {
			sp->at++;
			sp->done = 0;
			continue;
		}
		r = hole_to(sp, ops, ctx, s->off + sp->done, err);
		k = (size_t)MIN((uint64_t)n, s->len - sp->done);
		if (r >= 0 && ops->data)
			r = ops->data(ctx, p, k, err);
		sp->done += k;
		sp->told += k;
		p += k;
		n -= k;
	}
	return r;
}

int tar_sparse_end(struct tar_sparse *sp, const struct tar_ops *ops, void *ctx, struct err *err)
{
	return hole_to(sp, ops, ctx, sp->real, err);
}
