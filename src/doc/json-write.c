/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The JSON writer. Output goes through a bare pointer into the buffer's memory: each put_* first
 * makes sure of room and returns the new place, or NULL when the buffer's maximum is reached.
 * Strings marked DOC_CLEAN are copied as they are; all others are looked through, and what is no
 * UTF-8 becomes U+FFFD.
 */
#include "doc/json.h"

#include "base/arena.h"
#include "base/err.h"
#include "doc/number.h"
#include "doc/text.h"
#include "doc/walk.h"

#include <stdlib.h>

#define SLACK 16 /* quotes, colon, blank, comma, bracket: one check of room covers them */

struct writer {
	struct buf *out;
	char *end; /* of the room */
	struct json_style style;
	size_t indent_n, prefix_n;
	struct walk walk;
};

/* More room at the end; asks for as much again as there is, so that growing is rare. */
static __attribute__((noinline)) char *more(struct writer *wr, char *w, size_t need)
{
	struct buf *out = wr->out;
	size_t used = w ? (size_t)(w - out->p) : out->n, ask = need + used + 256;
	char *p;

	out->n = used;
	if (ask > out->max - MIN(used, out->max))
		ask = need;
	p = buf_room(out, ask);
	if (!p)
		return NULL;
	wr->end = p + used + ask;
	return p + used;
}

static inline char *room(struct writer *wr, char *w, size_t need)
{
	if (__builtin_expect((size_t)(wr->end - w) < need, 0))
		return more(wr, w, need);
	return w;
}

/* memcpy for what is mostly short: two overlapping moves instead of a call. */
static inline char *copy(char *w, const char *s, size_t n)
{
	if (n > 32) {
		memcpy(w, s, n);
	} else if (n >= 16) {
		memcpy(w, s, 16);
		memcpy(w + n - 16, s + n - 16, 16);
	} else if (n >= 8) {
		memcpy(w, s, 8);
		memcpy(w + n - 8, s + n - 8, 8);
	} else if (n >= 4) {
		memcpy(w, s, 4);
		memcpy(w + n - 4, s + n - 4, 4);
	} else if (n) {
		w[0] = s[0];
		w[n / 2] = s[n / 2];
		w[n - 1] = s[n - 1];
	}
	return w + n;
}

/* ---- Strings ---- */

static char *put_u(char *w, unsigned unit)
{
	static const char hex[] = "0123456789abcdef";

	*w++ = '\\';
	*w++ = 'u';
	for (int shift = 12; shift >= 0; shift -= 4)
		*w++ = hex[unit >> shift & 15];
	return w;
}

static char *put_special(char *w, unsigned char c)
{
	static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
	const char *at = c ? strchr(from, c) : NULL;

	if (!at)
		return put_u(w, c);
	*w++ = '\\';
	*w++ = to[at - from];
	return w;
}

/* First byte that cannot stay, or that begins a longer character; with html also < > &. */
static const char *skip_fit(const char *p, const char *end, bool html)
{
	if (!html)
		return text_skip_plain(p, end);
	while (p < end && !text_special((unsigned char)*p) && *p != '<' && *p != '>' && *p != '&')
		p++;
	return p;
}

/* One character at *s that skip_fit stopped at; moves *s past it. Needs 6 bytes of room. */
static char *put_char(char *w, const char **s, const char *end, bool html)
{
	const char *p = *s;
	unsigned len;

	if ((unsigned char)*p < 0x80) {
		*s = p + 1;
		return put_special(w, (unsigned char)*p);
	}
	len = text_utf8(p, end);
	*s = p + (len ? len : 1);
	if (len == 0)
		return put_u(w, 0xfffd);
	if (html && len == 3 && memcmp(p, "\xe2\x80", 2) == 0 &&
	    ((unsigned char)p[2] & 0xfe) == 0xa8)
		return put_u(w, 0x2028 + (p[2] & 1));
	memcpy(w, p, len);
	return w + len;
}

static char *put_escaped(struct writer *wr, char *w, const char *s, size_t n)
{
	const char *end = s + n;
	bool html = wr->style.html;

	w = room(wr, w, SLACK);
	if (!w)
		return NULL;
	*w++ = '"';
	while (s < end) {
		const char *q = skip_fit(s, end, html);

		w = room(wr, w, (size_t)(q - s) + SLACK);
		if (!w)
			return NULL;
		if (q > s)
			w = copy(w, s, (size_t)(q - s));
		s = q;
		if (s < end)
			w = put_char(w, &s, end, html);
	}
	w = room(wr, w, SLACK);
	if (w)
		*w++ = '"';
	return w;
}

/* Leaves room for what may follow: a colon and a blank, or a comma. */
static inline char *put_string(struct writer *wr, char *w, const struct doc *d)
{
	if (__builtin_expect(!(d->flags & DOC_CLEAN) || wr->style.html, 0))
		return put_escaped(wr, w, d->s, d->n);
	w = room(wr, w, (size_t)d->n + SLACK);
	if (!w)
		return NULL;
	*w++ = '"';
	w = copy(w, d->s, d->n);
	*w++ = '"';
	return w;
}

/* ---- Values ---- */

static char *put_number(struct writer *wr, char *w, const struct doc *d)
{
	bool canonical = wr->style.order == JSON_CANONICAL;

	w = room(wr, w, (canonical ? NUMBER_FORMAT_MAX(d->n) : d->n) + SLACK);
	if (!w)
		return NULL;
	if (canonical)
		return w + number_format(w, d->s, d->n);
	return copy(w, d->s, d->n);
}

/* Anything without children. */
static inline char *put_leaf(struct writer *wr, char *w, const struct doc *d)
{
	static const struct {
		char text[8];
		uint8_t n;
	} words[] = { { "null", 4 }, { "false", 5 }, { "true", 4 }, { "[]", 2 }, { "{}", 2 } };
	unsigned word;

	if (d->type == DOC_STRING)
		return put_string(wr, w, d);
	if (d->type == DOC_NUMBER)
		return put_number(wr, w, d);
	word = d->type == DOC_NULL ? 0 : d->type == DOC_BOOL ? 1 + (d->n != 0) : d->type - 1u;
	w = room(wr, w, SLACK);
	if (!w)
		return NULL;
	memcpy(w, words[word].text, 8);
	return w + words[word].n;
}

static char *put_newline(struct writer *wr, char *w, size_t depth)
{
	w = room(wr, w, 1 + wr->prefix_n + depth * wr->indent_n + SLACK);
	if (!w)
		return NULL;
	*w++ = '\n';
	if (wr->prefix_n)
		w = copy(w, wr->style.prefix, wr->prefix_n);
	while (depth--)
		w = copy(w, wr->style.indent, wr->indent_n);
	return w;
}

/* ---- Order of members ---- */

struct member {
	struct doc key, value;
};

static int cmp_bytes(const void *a, const void *b)
{
	const struct doc *x = a, *y = b;

	return slice_cmp(doc_slice(x), doc_slice(y));
}

/*
 * UTF-16 units sort like UTF-8 bytes except that surrogates (characters from U+10000, lead byte F0
 * and up) come before U+E000 to U+FFFF (lead bytes EE and EF). RFC 8785 section 3.2.3.
 */
static int cmp_utf16(const void *a, const void *b)
{
	const struct doc *x = a, *y = b;
	uint32_t n = MIN(x->n, y->n);

	for (uint32_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)x->s[i], d = (unsigned char)y->s[i];

		if (c == d)
			continue;
		if (c >= 0xee && d >= 0xee && (c >= 0xf0) != (d >= 0xf0))
			return c >= 0xf0 ? -1 : 1;
		return c < d ? -1 : 1;
	}
	return x->n < y->n ? -1 : x->n > y->n;
}

/* The members in the order wanted: the object's own run, or a sorted copy that the frame owns. */
static struct walk_frame frame_of(struct writer *wr, const struct doc *d)
{
	struct walk_frame f = { .a = d->kids, .end = d->kids + walk_width(d), .aux = d->type };
	struct member *sorted;

	if (wr->style.order == JSON_AS_IS || d->type != DOC_OBJECT || d->n < 2)
		return f;
	sorted = reallocarray(NULL, d->n, sizeof(*sorted));
	if (!sorted)
		abort();
	memcpy(sorted, d->kids, d->n * sizeof(*sorted));
	qsort(sorted, d->n, sizeof(*sorted),
	      wr->style.order == JSON_SORTED ? cmp_bytes : cmp_utf16);
	f.a = &sorted->key;
	f.end = f.a + walk_width(d);
	f.b = sorted;
	return f;
}

/* ---- The tree ---- */

/* Closes the innermost container, and puts the comma that may follow it. */
static char *put_close(struct writer *wr, char *w)
{
	struct walk_frame *f = walk_top(&wr->walk);

	free((void *)f->b);
	wr->walk.n--;
	if (wr->style.indent)
		w = put_newline(wr, w, wr->walk.n);
	w = w ? room(wr, w, SLACK) : NULL;
	if (!w)
		return NULL;
	*w++ = f->aux == DOC_OBJECT ? '}' : ']';
	if (wr->walk.n && f[-1].a != f[-1].end)
		*w++ = ',';
	return w;
}

static char *put_key(struct writer *wr, char *w, const struct doc *key)
{
	w = put_string(wr, w, key);
	if (!w)
		return NULL;
	*w++ = ':';
	if (wr->style.indent)
		*w++ = ' ';
	return w;
}

/* One child of the innermost container: a leaf with its comma, or the opening of a container. */
static inline char *put_child(struct writer *wr, char *w, struct walk_frame *f)
{
	const struct doc *d;

	if (wr->style.indent) {
		w = put_newline(wr, w, wr->walk.n);
		if (!w)
			return NULL;
	}
	if (f->aux == DOC_OBJECT) {
		w = put_key(wr, w, f->a++);
		if (!w)
			return NULL;
	}
	d = f->a++;
	if (walk_has_kids(d)) {
		w = room(wr, w, SLACK);
		if (!w)
			return NULL;
		*w++ = d->type == DOC_OBJECT ? '{' : '[';
		walk_push(&wr->walk, frame_of(wr, d));
		return w;
	}
	w = put_leaf(wr, w, d);
	if (w && f->a != f->end)
		*w++ = ',';
	return w;
}

static char *put_tree(struct writer *wr, char *w, const struct doc *d)
{
	if (!walk_has_kids(d))
		return put_leaf(wr, w, d);
	w = room(wr, w, SLACK);
	if (!w)
		return NULL;
	*w++ = d->type == DOC_OBJECT ? '{' : '[';
	walk_push(&wr->walk, frame_of(wr, d));
	while (w && wr->walk.n) {
		struct walk_frame *f = walk_top(&wr->walk);

		w = f->a == f->end ? put_close(wr, w) : put_child(wr, w, f);
	}
	while (wr->walk.n)
		free((void *)wr->walk.frames[--wr->walk.n].b);
	return w;
}

/* Takes what was written, or nothing at all. */
static int settle(struct buf *out, const char *w, size_t before)
{
	out->n = w ? (size_t)(w - out->p) : before;
	if (out->p)
		out->p[out->n] = '\0';
	return w ? 0 : -ERR_QUOTA;
}

int json_write(const struct doc *d, const struct json_style *style, struct buf *out,
	       struct err *err)
{
	struct writer wr = { .out = out };
	size_t before = out->n;
	char *w;

	if (style)
		wr.style = *style;
	wr.indent_n = wr.style.indent ? strlen(wr.style.indent) : 0;
	wr.prefix_n = wr.style.prefix ? strlen(wr.style.prefix) : 0;
	walk_init(&wr.walk);
	w = out->full ? NULL : more(&wr, NULL, SLACK);
	if (w)
		w = put_tree(&wr, w, d);
	walk_fini(&wr.walk);
	if (settle(out, w, before) == 0)
		return 0;
	return err_set(err, ERR_QUOTA, "JSON output needs more than the %zu bytes allowed",
		       out->max);
}

int json_print(struct arena *a, const struct doc *d, const struct json_style *style,
	       struct slice *ret, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(UINT32_MAX);
	char *copied;
	int r;

	r = json_write(d, style, &b, err);
	if (r < 0)
		return r;
	copied = arena_strndup(a, b.p, b.n);
	if (!copied)
		return arena_quota(a, err);
	*ret = slice_of(copied, b.n);
	return 0;
}

int json_write_string(struct buf *out, struct slice s, bool html)
{
	struct writer wr = { .out = out, .style.html = html };
	size_t before = out->n;
	char *w;

	w = out->full ? NULL : more(&wr, NULL, s.n + SLACK);
	if (w)
		w = put_escaped(&wr, w, s.p, s.n);
	return settle(out, w, before);
}
