/* SPDX-License-Identifier: Apache-2.0 */
/* Indexes of layers: whole round trips in all compressions, and what is refused of foreign ones. */
#include "lazy-fix.h"

static const char *const forms[] = { "plain", "gzip", "gzip members", "zstd", "zstd frames" };

struct whole {
	struct tarball t;
	struct slice tar;
	struct buf blob, index, plain;
	struct lazy_index *ix;
};

static void make(struct whole *w, uint64_t seed, enum form form)
{
	struct err err = ERR_INIT;

	w->tar = seeded_tar(&w->t, seed, 24, 2500000);
	compressed(w->tar, form, &w->blob);
	if (build_index(buf_slice(&w->blob), &w->index, &w->plain, &err) < 0)
		fail_msg("%s: %s", forms[form], err.msg);
	if (lazy_index_read(buf_slice(&w->index), &w->ix, &err) < 0)
		fail_msg("%s: %s", forms[form], err.msg);
}

static void drop(struct whole *w)
{
	lazy_index_free(w->ix);
	buf_fini(&w->blob);
	buf_fini(&w->index);
	buf_fini(&w->plain);
	buf_fini(&w->t.b);
}

static void check_chunks(const struct whole *w)
{
	const struct lazy_index *ix = w->ix;
	struct err err = ERR_INIT;
	uint64_t at = 0;

	for (size_t i = 0; i < ix->npoints; i++) {
		uint64_t size = lazy_chunk_size(ix, i), from, n;
		char *out = malloc(size + 1);

		lazy_chunk_range(ix, i, &from, &n);
		assert_true(from + n <= w->blob.n);
		if (lazy_chunk_inflate(ix, i, w->blob.p + from, n, out, &err) < 0)
			fail_msg("%s", err.msg);
		assert_int_equal(ix->points[i].out, at);
		assert_memory_equal(out, w->tar.p + at, size);
		assert_int_equal(lazy_chunk_at(ix, at), i);
		assert_int_equal(lazy_chunk_at(ix, at + size - 1), i);
		at += size;
		free(out);
	}
	assert_int_equal(at, w->tar.n);
}

struct compare {
	const struct whole *w;
	struct tar_reader *t;
	size_t n, at;
	struct tar_entry last;
	char name[5000], link[5000];
	bool seen;
};

static int remember(void *ctx, const struct tar_entry *e, struct err *err)
{
	struct compare *c = ctx;

	c->last = *e;
	assert_int_equal(tar_name_clean(e->name, c->name, err), 0);
	(void)str_copy(c->link, sizeof(c->link), e->link);
	c->seen = true;
	return 0;
}

/* The tar's own next entry is that of the index. */
static int same_entry(void *ctx, const struct tar_entry *e, struct err *err)
{
	struct compare *c = ctx;

	c->seen = false;
	while (!c->seen && c->at < c->w->tar.n)
		assert_int_equal(tar_reader_push(c->t, c->w->tar.p + c->at++, 1, err), 0);
	assert_true(c->seen);
	assert_string_equal(e->name, c->name);
	assert_string_equal(e->link, c->link);
	assert_int_equal(e->type, c->last.type);
	assert_int_equal(e->mode, c->last.mode);
	assert_int_equal(e->uid, c->last.uid);
	assert_int_equal(e->gid, c->last.gid);
	assert_int_equal(e->mtime_s, c->last.mtime_s);
	assert_int_equal(e->mtime_ns, c->last.mtime_ns);
	assert_int_equal(e->nxattrs, c->last.nxattrs);
	if (e->type == TAR_REG) {
		assert_int_equal(e->size, c->last.size);
		assert_int_equal(e->offset, c->last.offset);
		c->at += tar_reader_skip(c->t, UINT64_MAX);
	}
	c->n++;
	return 0;
}

static void check_entries(const struct whole *w)
{
	static const struct tar_ops ops = { remember, NULL, NULL };
	CLEANUP_FREE struct compare *c = calloc(1, sizeof(*c));
	struct err err = ERR_INIT;

	c->w = w;
	c->t = tar_reader_new(&(struct tar_limits){ 0 }, &ops, c);
	assert_int_equal(lazy_index_each(w->ix, same_entry, c, &err), 0);
	assert_int_equal(c->n, w->ix->nentries);
	assert_int_equal(c->n, 31);
	tar_reader_free(c->t);
}

static void every_form_is_read_again_by_its_index(void **state)
{
	for (enum form form = FORM_PLAIN; form < FORMS; form++) {
		struct whole w;

		make(&w, 7 + form, form);
		assert_int_equal(w.plain.n, w.tar.n);
		assert_memory_equal(w.plain.p, w.tar.p, w.tar.n);
		assert_int_equal(w.ix->blob_size, w.blob.n);
		assert_int_equal(w.ix->plain_size, w.tar.n);
		assert_false(w.ix->sequential);
		/* 10 MB in spans of 2; one zstd frame has one place to begin at. */
		assert_int_equal(w.ix->npoints, form == FORM_ZSTD ? 1 : 5);
		check_chunks(&w);
		check_entries(&w);
		drop(&w);
	}
}

static void a_chunk_of_other_bytes_is_refused(void **state)
{
	for (enum form form = FORM_PLAIN; form < FORMS; form++) {
		struct err err = ERR_INIT;
		uint64_t from, n;
		struct whole w;
		char *out;

		make(&w, 3, form);
		lazy_chunk_range(w.ix, 0, &from, &n);
		out = malloc(lazy_chunk_size(w.ix, 0));
		w.blob.p[from + n / 2] ^= 0x10;
		assert_int_equal(lazy_chunk_inflate(w.ix, 0, w.blob.p + from, n, out, &err),
				 -ERR_INVALID);
		assert_err(&err, ERR_INVALID, "chunk 0 of the layer");
		assert_int_equal(lazy_chunk_inflate(w.ix, 0, w.blob.p + from, n - 1, out, &err),
				 -ERR_INVALID);
		free(out);
		drop(&w);
	}
}

static void a_damaged_index_is_refused_and_never_crashes(void **state)
{
	struct seeded s = { 99 };
	struct whole w;

	make(&w, 5, FORM_GZIP);
	for (int i = 0; i < 60; i++) {
		size_t at = seeded_next(&s) % w.index.n, cut = seeded_next(&s) % w.index.n;
		char was = w.index.p[at];
		struct lazy_index *ix = NULL;
		struct err err = ERR_INIT;

		assert_true(lazy_index_read(slice_of(w.index.p, cut), &ix, &err) < 0);
		w.index.p[at] ^= (char)(1 + seeded_next(&s) % 255);
		if (lazy_index_read(buf_slice(&w.index), &ix, &err) >= 0)
			lazy_index_free(ix);
		w.index.p[at] = was;
	}
	w.index.p[6] = '9';
	assert_int_equal(lazy_index_read(buf_slice(&w.index), &(struct lazy_index *){ NULL },
					 &(struct err){ 0 }),
			 -ERR_UNSUPPORTED);
	drop(&w);
}

static void a_stream_that_is_no_layer_has_no_index(void **state)
{
	struct buf index, plain;
	struct err err = ERR_INIT;
	char rubbish[4000];

	memset(rubbish, 'r', sizeof(rubbish));
	assert_int_equal(build_index(slice_of(rubbish, sizeof(rubbish)), &index, &plain, &err), 0);
	assert_int_equal(index.n, 0);
	assert_int_equal(plain.n, sizeof(rubbish));
	buf_fini(&index);
	buf_fini(&plain);
	assert_int_equal(build_index(SLICE("\x1f\x8b\x08\0\0\0\0\0\0\3xyz"), &index, &plain, &err),
			 -ERR_INVALID);
	assert_err(&err, ERR_INVALID, "gzip stream");
	buf_fini(&index);
	buf_fini(&plain);
}

/* Its bytes are not all in the tar: such a layer is never begun by an index. */
static void a_layer_with_a_sparse_file_has_no_index(void **state)
{
	struct buf index, plain;
	struct err err = ERR_INIT;
	struct tarball t;
	struct slice tar;

	tar_begin(&t);
	tar_file(&t, "a", "text");
	sparse_into(&t, "s");
	tar = tar_end(&t);
	assert_int_equal(build_index(tar, &index, &plain, &err), 0);
	assert_int_equal(index.n, 0);
	assert_int_equal(plain.n, tar.n);
	buf_fini(&index);
	buf_fini(&plain);
	buf_fini(&t.b);
}

/* More than LAZY_CHUNK_MAX in one frame: there is nothing to begin at. */
static void one_large_zstd_frame_is_sequential(void **state)
{
	size_t n = (65u << 20) + 512;
	char *zeros = calloc(1, n);
	struct buf blob = BUF_INIT(1u << 20), index, plain;
	struct lazy_index *ix;
	struct err err = ERR_INIT;

	blob.max = ZSTD_compressBound(n) + 1;
	zstd_into(&blob, zeros, n);
	assert_int_equal(build_index(buf_slice(&blob), &index, &plain, &err), 0);
	assert_int_equal(lazy_index_read(buf_slice(&index), &ix, &err), 0);
	assert_true(ix->sequential);
	assert_int_equal(ix->npoints, 0);
	assert_int_equal(ix->plain_size, n);
	lazy_index_free(ix);
	buf_fini(&blob);
	buf_fini(&index);
	buf_fini(&plain);
	free(zeros);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_form_is_read_again_by_its_index),
		cmocka_unit_test(a_chunk_of_other_bytes_is_refused),
		cmocka_unit_test(a_damaged_index_is_refused_and_never_crashes),
		cmocka_unit_test(a_stream_that_is_no_layer_has_no_index),
		cmocka_unit_test(a_layer_with_a_sparse_file_has_no_index),
		cmocka_unit_test(one_large_zstd_frame_is_sequential),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
