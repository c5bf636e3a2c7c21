/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tar writer: ustar headers, and a pax header before those whose values ustar cannot hold.
 * The output for the same entries is the same, byte for byte: digests depend on it.
 */
#include "base/err.h"
#include "image/tar.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PAX_MAX (5u << 20)

void tar_writer_init(struct tar_writer *w,
		     int (*sink)(void *ctx, const void *p, size_t n, struct err *err), void *ctx)
{
	*w = (struct tar_writer){ .sink = sink, .ctx = ctx };
}

/* Octal, zero-filled, NUL-ended. false if it does not fit. */
static bool put_octal(char *p, size_t n, uint64_t v)
{
	p[n - 1] = '\0';
	for (size_t i = n - 1; i-- > 0; v >>= 3)
		p[i] = (char)('0' + (v & 7));
	return v == 0;
}

/* Length of "<len> <key>=<value>\n" counts its own digits. */
static void put_record(struct buf *b, const char *key, struct slice v)
{
	size_t body = strlen(key) + v.n + 3, len = body + 1;
	char digits[24];

	while ((size_t)snprintf(digits, sizeof(digits), "%zu", len) + body != len)
		len = body + strlen(digits);
	buf_addf(b, "%zu %s=", len, key);
	buf_add(b, v.p ? v.p : "", v.n);
	buf_addc(b, '\n');
}

static void put_number(struct buf *b, const char *key, uint64_t v)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, v);
	put_record(b, key, slice_str(text));
}

/* Fits ustar's 100 bytes, or prefix and name at some slash. */
static bool put_name(char *h, const char *name)
{
	size_t n = strlen(name);

	if (n <= 100) {
		memcpy(h, name, n);
		return true;
	}
	for (size_t i = MIN(n - 2, 155u); n <= 256 && i > 0; i--) {
		if (name[i] != '/' || n - i - 1 > 100)
			continue;
		memcpy(h + 345, name, i);
		memcpy(h, name + i + 1, n - i - 1);
		return true;
	}
	memcpy(h, name, 100);
	return false;
}

static void put_sum(char *h)
{
	unsigned sum = 0;

	memset(h + 148, ' ', 8);
	for (int i = 0; i < TAR_BLOCK; i++)
		sum += (unsigned char)h[i];
	put_octal(h + 148, 7, sum);
	h[155] = ' ';
}

static void fill_header(char *h, const struct tar_entry *e, struct buf *pax)
{
	static const char types[] = {
		[TAR_REG] = '0',      [TAR_HARD] = '1', [TAR_SYM] = '2', [TAR_CHAR] = '3',
		[TAR_BLOCKDEV] = '4', [TAR_DIR] = '5',	[TAR_FIFO] = '6'
	};

	if (!put_name(h, e->name))
		put_record(pax, "path", slice_str(e->name));
	put_octal(h + 100, 8, e->mode & 07777);
	if (!put_octal(h + 108, 8, (uint64_t)e->uid))
		put_number(pax, "uid", (uint64_t)e->uid);
	if (!put_octal(h + 116, 8, (uint64_t)e->gid))
		put_number(pax, "gid", (uint64_t)e->gid);
	if (!put_octal(h + 124, 12, e->size))
		put_number(pax, "size", e->size);
	if (e->mtime_s < 0 || e->mtime_ns || !put_octal(h + 136, 12, (uint64_t)e->mtime_s)) {
		/* A negative time with a fraction counts up from the second below: -1.75 is -2 s +
		 * 250 ms. */
		int64_t s = e->mtime_s;
		uint32_t ns = e->mtime_ns;
		char text[48];
		int n;

		put_octal(h + 136, 12, s < 0 ? 0 : (uint64_t)s & 077777777777);
		if (s < 0 && ns) {
			s += 1;
			ns = 1000000000 - ns;
		}
		n = snprintf(text, sizeof(text), "%s%" PRId64, e->mtime_s < 0 && s == 0 ? "-" : "",
			     s);
		if (ns)
			snprintf(text + n, sizeof(text) - (size_t)n, ".%09u", ns);
		put_record(pax, "mtime", slice_str(text));
	}
	h[156] = types[e->type];
	if (e->link && (e->type == TAR_HARD || e->type == TAR_SYM)) {
		memcpy(h + 157, e->link, MIN(strlen(e->link), 100u));
		if (strlen(e->link) > 100)
			put_record(pax, "linkpath", slice_str(e->link));
	}
	memcpy(h + 257, "ustar\00000", 8);
	snprintf(h + 265, 32, "%s", e->uname ? e->uname : "");
	snprintf(h + 297, 32, "%s", e->gname ? e->gname : "");
	put_octal(h + 329, 8, e->major);
	put_octal(h + 337, 8, e->minor);
	for (size_t i = 0; i < e->nxattrs; i++) {
		char key[300];

		snprintf(key, sizeof(key), "SCHILY.xattr.%s", e->xattrs[i].name);
		put_record(pax, key, e->xattrs[i].value);
	}
	put_sum(h);
}

static int put_pax(struct tar_writer *w, const struct buf *pax, struct err *err)
{
	static const char zeros[TAR_BLOCK];
	char h[TAR_BLOCK] = { 0 };
	int r;

	memcpy(h, "PaxHeaders/0", 12);
	put_octal(h + 100, 8, 0644);
	put_octal(h + 108, 8, 0);
	put_octal(h + 116, 8, 0);
	put_octal(h + 124, 12, pax->n);
	put_octal(h + 136, 12, 0);
	h[156] = 'x';
	memcpy(h + 257, "ustar\00000", 8);
	put_sum(h);
	r = w->sink(w->ctx, h, sizeof(h), err);
	if (r >= 0)
		r = w->sink(w->ctx, pax->p, pax->n, err);
	if (r >= 0)
		r = w->sink(w->ctx, zeros, -pax->n & (TAR_BLOCK - 1), err);
	return r;
}

int tar_writer_entry(struct tar_writer *w, const struct tar_entry *e, struct err *err)
{
	CLEANUP(buf_fini) struct buf pax = BUF_INIT(PAX_MAX);
	char h[TAR_BLOCK] = { 0 };
	int r;

	if (w->left)
		return err_set(err, ERR_INVALID,
			       "tar: '%s' begins before the data of the last entry is whole",
			       e->name);
	fill_header(h, e, &pax);
	if (pax.full)
		return err_set(err, ERR_TOO_LARGE, "tar: the header of '%.200s' is too large",
			       e->name);
	if (pax.n) {
		r = put_pax(w, &pax, err);
		if (r < 0)
			return r;
	}
	w->left = w->size = e->type == TAR_REG ? e->size : 0;
	return w->sink(w->ctx, h, sizeof(h), err);
}

int tar_writer_data(struct tar_writer *w, const void *p, size_t n, struct err *err)
{
	static const char zeros[TAR_BLOCK];
	int r;

	if (n > w->left)
		return err_set(err, ERR_INVALID, "tar: more data than the entry's size");
	r = w->sink(w->ctx, p, n, err);
	if (r < 0)
		return r;
	w->left -= n;
	if (w->left == 0 && n)
		r = w->sink(w->ctx, zeros, -w->size & (TAR_BLOCK - 1), err);
	return r;
}

int tar_writer_finish(struct tar_writer *w, struct err *err)
{
	static const char zeros[2 * TAR_BLOCK];

	if (w->left)
		return err_set(err, ERR_INVALID, "tar: the data of the last entry is not whole");
	return w->sink(w->ctx, zeros, sizeof(zeros), err);
}
