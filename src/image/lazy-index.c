/* SPDX-License-Identifier: Apache-2.0 */
/* The index's file: written from a stream, read with every number checked. */
#include "image/lazy-index.h"

#include "base/err.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#define MAGIC "TEULZX1\n"
#define MAGIC_LEN 8
#define HEAD_LEN (MAGIC_LEN + 8)
#define RAW_MAX (320u << 20)
#define ENTRIES_BYTES_MAX (160u << 20)
#define POINTS_BYTES_MAX (LAZY_POINTS_MAX * (size_t)(LAZY_WINDOW + 128))
#define FLAG_SEQUENTIAL 1u
#define LEVEL 3

/* ---- numbers ---- */

static void put(struct buf *b, uint64_t v)
{
	unsigned char t[10];
	size_t n = 0;

	do {
		t[n] = (unsigned char)(v & 0x7f);
		v >>= 7;
		t[n++] |= v ? 0x80 : 0;
	} while (v);
	(void)buf_add(b, t, n); /* a full buffer is asked at the end */
}

static void put_bytes(struct buf *b, const void *p, size_t n)
{
	put(b, n);
	(void)buf_add(b, p, n);
}

static uint64_t zigzag(int64_t v)
{
	return ((uint64_t)v << 1) ^ (v < 0 ? UINT64_MAX : 0);
}

struct in {
	const unsigned char *p, *end;
	bool bad; /* read past the end, or a number too large */
};

static uint64_t get(struct in *in, uint64_t max)
{
	uint64_t v = 0;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		uint64_t part;

		if (in->p == in->end)
			break;
		part = *in->p & 0x7f;
		if (shift == 63 && part > 1)
			break;
		v |= part << shift;
		if (!(*in->p++ & 0x80)) {
			if (v > max)
				break;
			return v;
		}
	}
	in->bad = true;
	return 0;
}

static struct slice get_bytes(struct in *in, uint64_t max)
{
	uint64_t n = get(in, max);
	struct slice s = { (const char *)in->p, (size_t)n };

	if (n > (uint64_t)(in->end - in->p)) {
		in->bad = true;
		return (struct slice){ "", 0 };
	}
	in->p += n;
	return s;
}

static int64_t get_signed(struct in *in)
{
	uint64_t v = get(in, UINT64_MAX);

	return (int64_t)(v >> 1) ^ (v & 1 ? -1 : 0);
}

/* ---- writing ---- */

void lazy_writer_init(struct lazy_writer *w)
{
	*w = (struct lazy_writer){ .points = BUF_INIT(POINTS_BYTES_MAX),
				   .entries = BUF_INIT(ENTRIES_BYTES_MAX) };
	sha256_init(&w->hash);
}

void lazy_writer_fini(struct lazy_writer *w)
{
	buf_fini(&w->points);
	buf_fini(&w->entries);
}

/* The chunk that ends here. */
static void end_chunk(struct lazy_writer *w)
{
	unsigned char sum[SHA256_LEN];

	if (!w->npoints)
		return;
	if (w->out - w->last > LAZY_CHUNK_MAX)
		w->sequential = true;
	sha256_final(&w->hash, sum);
	(void)buf_add(&w->points, sum, sizeof(sum));
	sha256_init(&w->hash);
}

void lazy_writer_point(struct lazy_writer *w, const struct lazy_point *p)
{
	if (w->sequential || w->points.full || w->npoints == LAZY_POINTS_MAX) {
		w->sequential = true;
		return;
	}
	end_chunk(w);
	put(&w->points, w->out - w->last);
	put(&w->points, p->in - w->last_in);
	put(&w->points, p->bits | (p->inside ? 8u : 0));
	put_bytes(&w->points, p->window, p->window ? p->window_len : 0);
	w->last = w->out;
	w->last_in = p->in;
	w->npoints++;
}

void lazy_writer_data(struct lazy_writer *w, const void *p, size_t n)
{
	if (!w->sequential)
		sha256_update(&w->hash, p, n);
	w->out += n;
}

/* Those that unpacking keeps. */
static bool keeps(const char *name)
{
	struct slice s = slice_str(name);

	return slice_is(s, "security.capability") || slice_starts(s, SLICE("system.posix_acl_")) ||
	       (slice_starts(s, SLICE("user.")) && !slice_starts(s, SLICE("user.overlay.")));
}

int lazy_entry_clean(const struct tar_entry *e, struct lazy_entry_room *room, struct tar_entry *ret,
		     struct err *err)
{
	int r = tar_name_clean(e->name, room->name, err);

	if (r >= 0 && e->type == TAR_HARD)
		r = tar_name_clean(e->link, room->link, err);
	if (r < 0)
		return r;
	if (e->uid < 0 || e->gid < 0 || e->uid >= UINT32_MAX || e->gid >= UINT32_MAX)
		return err_set(err, ERR_INVALID, "layer entry '%.300s': has an impossible owner",
			       e->name);
	*ret = *e;
	ret->name = room->name;
	ret->link = e->type == TAR_HARD ? room->link : e->link;
	ret->mode = e->mode & 07777;
	ret->size = e->type == TAR_REG ? e->size : 0;
	ret->xattrs = room->xattrs;
	ret->nxattrs = 0;
	for (size_t i = 0; i < e->nxattrs; i++)
		if (keeps(e->xattrs[i].name))
			room->xattrs[ret->nxattrs++] = e->xattrs[i];
	return 0;
}

static void put_xattrs(struct buf *b, const struct tar_entry *e)
{
	size_t n = 0;

	for (size_t i = 0; i < e->nxattrs; i++)
		n += keeps(e->xattrs[i].name);
	put(b, n);
	for (size_t i = 0; i < e->nxattrs; i++) {
		const struct tar_xattr *x = &e->xattrs[i];

		if (!keeps(x->name))
			continue;
		put_bytes(b, x->name, strlen(x->name));
		put_bytes(b, x->value.p, x->value.n);
	}
}

int lazy_writer_entry(struct lazy_writer *w, const struct tar_entry *e, struct err *err)
{
	char name[TAR_NAME_MAX + 1], link[TAR_NAME_MAX + 1];
	const char *target = e->link;
	struct buf *b = &w->entries;
	int r = tar_name_clean(e->name, name, err);

	if (e->sparse) /* its bytes are not all in the tar, and an index has one place a file */
		return err_set(err, ERR_UNSUPPORTED, "the layer has a sparse file");
	if (r >= 0 && e->type == TAR_HARD) {
		r = tar_name_clean(e->link, link, err);
		target = link;
	}
	if (r < 0)
		return r;
	w->full |= ++w->nentries > LAZY_ENTRIES_MAX || b->full || strlen(target) > TAR_NAME_MAX;
	if (w->full)
		return 0;
	put(b, e->type);
	put_bytes(b, name, strlen(name));
	put_bytes(b, target, strlen(target));
	put(b, e->mode & 07777);
	put(b, (uint64_t)e->uid);
	put(b, (uint64_t)e->gid);
	put(b, zigzag(e->mtime_s));
	put(b, e->mtime_ns);
	put(b, e->type == TAR_REG ? e->size : 0);
	put(b, e->type == TAR_REG ? e->offset : 0);
	put(b, e->major);
	put(b, e->minor);
	put_xattrs(b, e);
	return 0;
}

static void put_head(struct lazy_writer *w, enum lazy_kind kind, uint64_t blob_size, struct buf *b)
{
	(void)buf_addc(b, (char)kind);
	(void)buf_addc(b, w->sequential ? (char)FLAG_SEQUENTIAL : 0);
	put(b, blob_size);
	put(b, w->out);
	put(b, w->sequential ? 0 : w->npoints);
	put(b, w->nentries);
	if (!w->sequential)
		(void)buf_add(b, w->points.p, w->points.n);
	(void)buf_add(b, w->entries.p, w->entries.n);
}

static void put_le64(char *p, uint64_t v)
{
	for (int i = 0; i < 8; i++)
		p[i] = (char)(v >> (8 * i));
}

int lazy_writer_finish(struct lazy_writer *w, enum lazy_kind kind, uint64_t blob_size,
		       struct buf *ret, struct err *err)
{
	CLEANUP(buf_fini) struct buf raw = BUF_INIT(RAW_MAX);
	size_t bound, n;
	char *p;

	if (!w->sequential)
		end_chunk(w);
	w->sequential |= w->points.full;
	if (w->full || w->entries.full)
		return err_set(err, ERR_TOO_LARGE, "the layer has too many entries for an index");
	put_head(w, kind, blob_size, &raw);
	if (raw.full)
		return err_set(err, ERR_TOO_LARGE, "the layer's index would be too large");
	bound = ZSTD_compressBound(raw.n);
	*ret = BUF_INIT(HEAD_LEN + bound);
	p = buf_room(ret, HEAD_LEN + bound);
	memcpy(p, MAGIC, MAGIC_LEN);
	put_le64(p + MAGIC_LEN, raw.n);
	n = ZSTD_compress(p + HEAD_LEN, bound, raw.p, raw.n, LEVEL);
	if (ZSTD_isError(n) || HEAD_LEN + n > LAZY_FILE_MAX) {
		buf_fini(ret);
		return err_set(err, ERR_TOO_LARGE, "the layer's index would be too large");
	}
	ret->n = HEAD_LEN + n;
	return 0;
}

/* ---- reading ---- */

static int bad(struct err *err, const char *what)
{
	return err_set(err, ERR_INVALID, "index of a layer: %s", what);
}

static int unpack(struct slice file, char **ret, size_t *ret_n, struct err *err)
{
	uint64_t size = 0;
	size_t n;

	if (file.n < HEAD_LEN || file.n > LAZY_FILE_MAX)
		return bad(err, "is too short or too long");
	if (memcmp(file.p, MAGIC, MAGIC_LEN) != 0)
		return memcmp(file.p, MAGIC, 6) == 0
			       ? err_set(err, ERR_UNSUPPORTED,
					 "index of a layer: version '%c' is not known here",
					 file.p[6] >= ' ' && file.p[6] < 127 ? file.p[6] : '?')
			       : bad(err, "is none: other first bytes");
	for (int i = 0; i < 8; i++)
		size |= (uint64_t)(unsigned char)file.p[MAGIC_LEN + i] << (8 * i);
	if (size > RAW_MAX || size < 6)
		return bad(err, "has an impossible size");
	/* Before memory is taken for it: the frame must promise the same. */
	if (ZSTD_getFrameContentSize(file.p + HEAD_LEN, file.n - HEAD_LEN) != size)
		return bad(err, "its two sizes differ");
	*ret = malloc(size);
	if (!*ret)
		return err_set(err, ERR_TOO_LARGE, "index of a layer: no memory for %llu bytes",
			       (unsigned long long)size);
	n = ZSTD_decompress(*ret, size, file.p + HEAD_LEN, file.n - HEAD_LEN);
	if (ZSTD_isError(n) || n != size)
		return bad(err, "is damaged");
	*ret_n = n;
	return 0;
}

static bool point_ok(const struct lazy_index *ix, size_t i)
{
	const struct lazy_point *p = &ix->points[i];
	bool gzip = ix->kind == LAZY_GZIP;

	if (i == 0 && (p->out || p->in || p->bits || p->inside))
		return false;
	if (i && (p->out <= p[-1].out || p->in < p[-1].in || p->out - p[-1].out > LAZY_CHUNK_MAX))
		return false;
	if (p->out > ix->plain_size || p->in > ix->blob_size || (p->bits && !p->in))
		return false;
	if (!gzip && (p->bits || p->inside))
		return false;
	return p->inside ? p->window_len == MIN(p->out, LAZY_WINDOW) : !p->window_len && !p->bits;
}

static int read_points(struct lazy_index *ix, struct in *in, struct err *err)
{
	uint64_t out = 0, at = 0;

	ix->points = calloc(ix->npoints + 1, sizeof(*ix->points));
	if (!ix->points)
		abort();
	for (size_t i = 0; i < ix->npoints && !in->bad; i++) {
		struct lazy_point *p = &ix->points[i];
		struct slice w;
		uint64_t bits;

		p->out = out += get(in, ix->plain_size - out);
		p->in = at += get(in, ix->blob_size - at);
		bits = get(in, 15);
		p->bits = bits & 7;
		p->inside = bits & 8;
		w = get_bytes(in, LAZY_WINDOW);
		p->window = (const unsigned char *)w.p;
		p->window_len = (uint32_t)w.n;
		if (in->bad || in->end - in->p < SHA256_LEN)
			return bad(err, "ends inside its points");
		memcpy(p->sha256, in->p, SHA256_LEN);
		in->p += SHA256_LEN;
		if (!point_ok(ix, i))
			return bad(err, "has an impossible point");
	}
	if (in->bad)
		return bad(err, "ends inside its points");
	if (ix->npoints && ix->plain_size - out > LAZY_CHUNK_MAX)
		return bad(err, "its last chunk is too large");
	return 0;
}

/* Texts of one entry: the encoding has no NULs. */
struct texts {
	char name[TAR_NAME_MAX + 1], link[TAR_NAME_MAX + 1], clean[TAR_NAME_MAX + 1];
	char xnames[TAR_XATTRS_MAX][256];
	struct tar_xattr xattrs[TAR_XATTRS_MAX];
};

static bool get_text(struct in *in, char *dst, size_t cap)
{
	struct slice s = get_bytes(in, cap - 1);

	if (memchr(s.p, 0, s.n))
		in->bad = true;
	memcpy(dst, s.p, s.n);
	dst[s.n] = '\0';
	return !in->bad;
}

static bool get_xattrs(struct in *in, struct texts *t, struct tar_entry *e)
{
	e->nxattrs = get(in, TAR_XATTRS_MAX);
	e->xattrs = t->xattrs;
	for (size_t i = 0; i < e->nxattrs && !in->bad; i++) {
		if (!get_text(in, t->xnames[i], sizeof(t->xnames[i])) || !keeps(t->xnames[i]))
			return false;
		t->xattrs[i].name = t->xnames[i];
		t->xattrs[i].value = get_bytes(in, 65536);
	}
	return !in->bad;
}

static bool names_ok(struct texts *t, const struct tar_entry *e)
{
	if (tar_name_clean(t->name, t->clean, NULL) < 0 || strcmp(t->clean, t->name) != 0)
		return false;
	if (e->type != TAR_HARD)
		return true;
	return tar_name_clean(t->link, t->clean, NULL) >= 0 && strcmp(t->clean, t->link) == 0;
}

static bool get_entry(const struct lazy_index *ix, struct in *in, struct texts *t,
		      struct tar_entry *e)
{
	*e = (struct tar_entry){ .name = t->name, .link = t->link, .uname = "", .gname = "" };
	e->type = (enum tar_type)get(in, TAR_FIFO);
	if (!get_text(in, t->name, sizeof(t->name)) || !get_text(in, t->link, sizeof(t->link)))
		return false;
	e->mode = (uint32_t)get(in, 07777);
	e->uid = (int64_t)get(in, UINT32_MAX - 1);
	e->gid = (int64_t)get(in, UINT32_MAX - 1);
	e->mtime_s = get_signed(in);
	e->mtime_ns = (uint32_t)get(in, 999999999);
	e->size = get(in, ix->plain_size);
	e->offset = get(in, ix->plain_size - e->size);
	e->major = (uint32_t)get(in, UINT32_MAX);
	e->minor = (uint32_t)get(in, UINT32_MAX);
	return get_xattrs(in, t, e) && names_ok(t, e);
}

int lazy_index_each(const struct lazy_index *ix, lazy_entry_fn *fn, void *ctx, struct err *err)
{
	struct in in = { (const unsigned char *)ix->entries.p,
			 (const unsigned char *)ix->entries.p + ix->entries.n, false };
	CLEANUP_FREE struct texts *t = malloc(sizeof(*t));
	struct tar_entry e;
	int r = 0;

	if (!t)
		abort();
	for (size_t i = 0; i < ix->nentries && r >= 0; i++) {
		if (!get_entry(ix, &in, t, &e))
			return bad(err, "has an impossible entry");
		r = fn ? fn(ctx, &e, err) : 0;
	}
	if (r >= 0 && in.p != in.end)
		r = bad(err, "goes on behind its last entry");
	return r;
}

int lazy_index_read(struct slice file, struct lazy_index **ret, struct err *err)
{
	CLEANUP(lazy_index_free) struct lazy_index *ix = calloc(1, sizeof(*ix));
	struct in in = { 0 };
	size_t n = 0;
	int r;

	if (!ix)
		abort();
	r = unpack(file, &ix->memory, &n, err);
	if (r < 0)
		return r;
	in.p = (const unsigned char *)ix->memory;
	in.end = in.p + n;
	ix->kind = (enum lazy_kind)get(&in, LAZY_KINDS - 1);
	ix->sequential = get(&in, FLAG_SEQUENTIAL) != 0;
	ix->blob_size = get(&in, INT64_MAX);
	ix->plain_size = get(&in, INT64_MAX);
	ix->npoints = get(&in, LAZY_POINTS_MAX);
	ix->nentries = get(&in, LAZY_ENTRIES_MAX);
	if (in.bad || ix->sequential != (ix->npoints == 0))
		return bad(err, "has an impossible head");
	r = read_points(ix, &in, err);
	if (r < 0)
		return r;
	ix->entries = slice_of((const char *)in.p, (size_t)(in.end - in.p));
	r = lazy_index_each(ix, NULL, NULL, err);
	if (r < 0)
		return r;
	*ret = STEAL(ix);
	return 0;
}

void lazy_index_free(struct lazy_index *ix)
{
	if (!ix)
		return;
	free(ix->points);
	free(ix->memory);
	free(ix);
}
