/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A page is text, tags, comments and raw text (scripts, styles), told apart as browsers do as far
 * as links need it. A tag is gathered whole, then its values are looked at.
 */
#include "apiserver/rest/rest-connect-html.h"

#include "base/err.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define TAG_MAX (64u << 10)
#define OUT_MAX (8u << 20)
#define NAME_MAX_ 16

/* Elements and their attributes that hold an address (HTML 4.01 and 5). */
static const struct {
	const char *element, *attributes[4];
} links[] = {
	{ "a", { "href" } },
	{ "applet", { "codebase" } },
	{ "area", { "href" } },
	{ "audio", { "src" } },
	{ "base", { "href" } },
	{ "blockquote", { "cite" } },
	{ "body", { "background" } },
	{ "button", { "formaction" } },
	{ "command", { "icon" } },
	{ "del", { "cite" } },
	{ "embed", { "src" } },
	{ "form", { "action" } },
	{ "frame", { "longdesc", "src" } },
	{ "head", { "profile" } },
	{ "html", { "manifest" } },
	{ "iframe", { "longdesc", "src" } },
	{ "img", { "longdesc", "src", "usemap" } },
	{ "input", { "src", "usemap", "formaction" } },
	{ "ins", { "cite" } },
	{ "link", { "href" } },
	{ "object", { "classid", "codebase", "data", "usemap" } },
	{ "q", { "cite" } },
	{ "script", { "src" } },
	{ "source", { "src" } },
	{ "video", { "poster", "src" } },
};
/* What stands in these is no markup. */
static const char *const raw_elements[] = { "iframe", "noembed",  "noframes", "plaintext", "script",
					    "style",  "textarea", "title",    "xmp",	   NULL };

enum state { TEXT, TAG, LONG, COMMENT, RAW };

struct html {
	struct html_links links;
	enum state state;
	struct buf tag;	     /* from its "<" on; of RAW: "</scr" so far */
	char quote;	     /* inside a value */
	char raw[NAME_MAX_]; /* element whose end is sought */
	unsigned dashes;     /* of a comment's end */
	enum html_coding coding;
	z_stream in, out;
	bool over; /* the coding's end came */
};

/* ---- addresses ---- */

static bool is_scheme(struct slice s)
{
	if (!s.n || !isalpha((unsigned char)s.p[0]))
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!isalnum((unsigned char)s.p[i]) && !strchr("+-.", s.p[i]))
			return false;
	return true;
}

struct parts {
	struct slice scheme, host, rest; /* rest: path, query and fragment */
	bool has_host;
};

static struct parts take_apart(struct slice v)
{
	const char *colon = v.n ? memchr(v.p, ':', v.n) : NULL;
	struct parts p = { .rest = v };
	size_t n;

	if (colon && is_scheme(slice_of(v.p, (size_t)(colon - v.p)))) {
		p.scheme = slice_of(v.p, (size_t)(colon - v.p));
		p.rest = slice_of(colon + 1, v.n - p.scheme.n - 1);
	}
	if (!slice_starts(p.rest, SLICE("//")))
		return p;
	p.has_host = true;
	for (n = 2; n < p.rest.n && !strchr("/?#", p.rest.p[n]); n++)
		;
	p.host = slice_of(p.rest.p + 2, n - 2);
	p.rest = slice_of(p.rest.p + n, p.rest.n - n);
	return p;
}

int html_link(const struct html_links *l, struct slice v, struct buf *out)
{
	const struct slice prefix = slice_str(l->prefix);
	const struct parts p = take_apart(v);
	const bool asked = p.has_host && p.host.n && slice_eq(p.host, l->asked);

	if ((p.host.n && !asked && !slice_eq(p.host, l->own)) || (p.scheme.n && !p.host.n) ||
	    !slice_starts(p.rest, SLICE("/")) || slice_has(v, '\0'))
		return buf_add(out, v.p, v.n);
	if (asked) /* the client's own name for us stays */
		(void)buf_add(out, v.p, (size_t)(p.rest.p - v.p));
	if (!slice_starts(p.rest, prefix))
		(void)buf_add(out, prefix.p, prefix.n);
	return buf_add(out, p.rest.p, p.rest.n);
}

/* ---- tags ---- */

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

/* The element's name in lower case; "" when it is too long to be one we know. */
static size_t element_name(struct slice tag, size_t at, char out[NAME_MAX_])
{
	size_t n = 0;

	while (at < tag.n && !is_space(tag.p[at]) && tag.p[at] != '/' && tag.p[at] != '>') {
		if (n < NAME_MAX_)
			out[n] = (char)tolower((unsigned char)tag.p[at]);
		n++;
		at++;
	}
	out[n < NAME_MAX_ ? n : 0] = '\0';
	return at;
}

static const char *const *attributes_of(const char *element)
{
	for (size_t i = 0; i < ARRAY_LEN(links); i++)
		if (strcmp(links[i].element, element) == 0)
			return links[i].attributes;
	return NULL;
}

static bool holds_address(const char *const *attributes, struct slice name)
{
	for (size_t i = 0; i < 4 && attributes[i]; i++)
		if (slice_ieq(name, slice_str(attributes[i])))
			return true;
	return false;
}

/* From the attribute at `at` to behind its value; *value is empty without one. */
static size_t next_attribute(struct slice tag, size_t at, struct slice *name, struct slice *value)
{
	size_t from;
	char quote;

	while (at < tag.n && (is_space(tag.p[at]) || tag.p[at] == '/'))
		at++;
	for (from = at; at < tag.n && !is_space(tag.p[at]) && !strchr("=/>", tag.p[at]); at++)
		;
	if (at == from && at < tag.n)
		at++; /* "=" in front, ">" at the end */
	*name = slice_of(tag.p + from, at - from);
	*value = slice_of(tag.p + at, 0);
	while (at < tag.n && is_space(tag.p[at]))
		at++;
	if (at == tag.n || tag.p[at] != '=')
		return at;
	for (at++; at < tag.n && is_space(tag.p[at]); at++)
		;
	quote = at < tag.n ? tag.p[at] : '\0';
	if (quote == '"' || quote == '\'') {
		for (from = ++at; at < tag.n && tag.p[at] != quote; at++)
			;
		*value = slice_of(tag.p + from, at - from);
		return at + (at < tag.n);
	}
	for (from = at; at < tag.n && !is_space(tag.p[at]) && tag.p[at] != '>'; at++)
		;
	*value = slice_of(tag.p + from, at - from);
	return at;
}

/* Blanks around an address are no part of it. */
static struct slice trim(struct slice v)
{
	while (v.n && is_space(v.p[0])) {
		v.p++;
		v.n--;
	}
	while (v.n && is_space(v.p[v.n - 1]))
		v.n--;
	return v;
}

static void put_tag(struct html *h, struct slice tag, struct buf *out)
{
	char element[NAME_MAX_];
	size_t at = element_name(tag, 1, element), copied = 0;
	const char *const *attributes = attributes_of(element);
	struct slice name, value;

	while (attributes && at < tag.n) {
		at = next_attribute(tag, at, &name, &value);
		value = trim(value);
		if (!value.n || !holds_address(attributes, name))
			continue;
		(void)buf_add(out, tag.p + copied, (size_t)(value.p - tag.p) - copied);
		(void)html_link(&h->links, value, out);
		copied = (size_t)(value.p - tag.p) + value.n;
	}
	(void)buf_add(out, tag.p + copied, tag.n - copied);
	if (str_is_one_of(element, raw_elements)) {
		memcpy(h->raw, element, sizeof(element));
		h->state = RAW;
	}
}

/* ---- a page ---- */

/* What was gathered is no tag: it goes as it came. */
static void let_go(struct html *h, struct buf *out)
{
	(void)buf_add(out, h->tag.n ? h->tag.p : "", h->tag.n);
	buf_clear(&h->tag);
}

static void in_text(struct html *h, char c, struct buf *out)
{
	if (c != '<') {
		(void)buf_addc(out, c);
		return;
	}
	h->state = TAG;
	h->quote = '\0';
	(void)buf_addc(&h->tag, c);
}

static bool starts_comment(const struct html *h)
{
	return h->tag.n == 4 && memcmp(h->tag.p, "<!--", 4) == 0;
}

static void end_tag(struct html *h, struct buf *out)
{
	h->state = TEXT;
	if (isalpha((unsigned char)buf_str(&h->tag)[1]))
		put_tag(h, buf_slice(&h->tag), out);
	else
		(void)buf_add(out, h->tag.p, h->tag.n);
	buf_clear(&h->tag);
}

/* Quotes count only where a value begins: behind "=". */
static void quotes(struct html *h, char c)
{
	size_t i = h->tag.n - 1;

	if (h->quote) {
		h->quote = c == h->quote ? '\0' : h->quote;
		return;
	}
	if (c != '"' && c != '\'')
		return;
	while (i > 0 && is_space(h->tag.p[i - 1]))
		i--;
	if (i > 0 && h->tag.p[i - 1] == '=')
		h->quote = c;
}

static void in_tag(struct html *h, char c, struct buf *out)
{
	if (h->tag.n == 1 && !isalpha((unsigned char)c) && !strchr("/!?", c)) {
		let_go(h, out); /* "a < b" */
		h->state = TEXT;
		in_text(h, c, out);
		return;
	}
	(void)buf_addc(&h->tag, c);
	if (isalpha((unsigned char)h->tag.p[1]))
		quotes(h, c);
	if (starts_comment(h)) {
		let_go(h, out);
		h->state = COMMENT;
		h->dashes = 2; /* "<!-->" is one */
	} else if (c == '>' && !h->quote) {
		end_tag(h, out);
	} else if (h->tag.n == TAG_MAX) {
		(void)element_name(buf_slice(&h->tag), 1, h->raw);
		let_go(h, out);
		h->state = LONG;
	}
}

/* The rest of a tag too long to be looked at. */
static void in_long(struct html *h, char c, struct buf *out)
{
	(void)buf_addc(out, c);
	if (h->quote && c == h->quote)
		h->quote = '\0';
	else if (!h->quote && c == '>')
		h->state = str_is_one_of(h->raw, raw_elements) ? RAW : TEXT;
}

static void in_comment(struct html *h, char c, struct buf *out)
{
	(void)buf_addc(out, c);
	if (c == '>' && h->dashes >= 2)
		h->state = TEXT;
	h->dashes = c == '-' ? h->dashes + 1 : 0;
}

/* Until "</name" and something that ends a name. */
static void in_raw(struct html *h, char c, struct buf *out)
{
	size_t n = h->tag.n, len = strlen(h->raw);
	bool fits = n == 0	  ? c == '<'
		    : n == 1	  ? c == '/'
		    : n < len + 2 ? tolower((unsigned char)c) == h->raw[n - 2]
				  : is_space(c) || c == '/' || c == '>';

	if (!fits) {
		let_go(h, out);
		if (c == '<')
			(void)buf_addc(&h->tag, c);
		else
			(void)buf_addc(out, c);
		return;
	}
	(void)buf_addc(&h->tag, c);
	if (h->tag.n < len + 3)
		return;
	h->state = TAG; /* an end tag: nothing in it is looked at */
	h->quote = '\0';
	if (c == '>')
		end_tag(h, out);
}

static void scan(struct html *h, struct slice in, struct buf *out)
{
	static void (*const states[])(struct html *, char, struct buf *) = { [TEXT] = in_text,
									     [TAG] = in_tag,
									     [LONG] = in_long,
									     [COMMENT] = in_comment,
									     [RAW] = in_raw };

	for (size_t i = 0; i < in.n; i++) {
		if (h->state == TEXT) {
			const char *p = memchr(in.p + i, '<', in.n - i);
			size_t n = p ? (size_t)(p - in.p) - i : in.n - i;

			(void)buf_add(out, in.p + i, n);
			i += n;
			if (i == in.n)
				break;
		}
		states[h->state](h, in.p[i], out);
	}
}

/* ---- codings ---- */

static int window_of(enum html_coding coding)
{
	return coding == HTML_GZIP ? MAX_WBITS + 16 : -MAX_WBITS;
}

struct html *html_new(const struct html_links *l, enum html_coding coding)
{
	struct html *h = calloc(1, sizeof(*h));

	assert(h);
	h->links = *l;
	h->coding = coding;
	h->tag = BUF_INIT(TAG_MAX + 16);
	if (coding != HTML_PLAIN &&
	    (inflateInit2(&h->in, window_of(coding)) != Z_OK ||
	     deflateInit2(&h->out, Z_DEFAULT_COMPRESSION, Z_DEFLATED, window_of(coding), 8,
			  Z_DEFAULT_STRATEGY) != Z_OK))
		abort(); /* memory */
	return h;
}

void html_free(struct html *h)
{
	if (!h)
		return;
	if (h->coding != HTML_PLAIN) {
		(void)inflateEnd(&h->in);
		(void)deflateEnd(&h->out);
	}
	buf_fini(&h->tag);
	free(h);
}

static int pack(struct html *h, struct slice in, bool last, struct buf *out)
{
	h->out.next_in = (unsigned char *)(uintptr_t)in.p; /* zlib only reads it */
	h->out.avail_in = (unsigned)in.n;
	do {
		char piece[16384];

		h->out.next_out = (unsigned char *)piece;
		h->out.avail_out = sizeof(piece);
		(void)deflate(&h->out, last ? Z_FINISH : Z_SYNC_FLUSH);
		if (buf_add(out, piece, sizeof(piece) - h->out.avail_out) < 0)
			return -ERR_QUOTA;
	} while (h->out.avail_out == 0);
	return 0;
}

static int unpacked(struct html *h, struct slice in, struct buf *text)
{
	h->in.next_in = (unsigned char *)(uintptr_t)in.p;
	h->in.avail_in = (unsigned)in.n;
	while (h->in.avail_in > 0 && !h->over) {
		char piece[16384];
		int r;

		h->in.next_out = (unsigned char *)piece;
		h->in.avail_out = sizeof(piece);
		r = inflate(&h->in, Z_SYNC_FLUSH);
		if (r != Z_OK && r != Z_STREAM_END && r != Z_BUF_ERROR)
			return -ERR_INVALID;
		h->over = r == Z_STREAM_END;
		scan(h, slice_of(piece, sizeof(piece) - h->in.avail_out), text);
		if (text->full)
			return -ERR_QUOTA;
	}
	return 0;
}

int html_rewrite(struct html *h, struct slice in, bool last, struct buf *out)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT(OUT_MAX);
	struct buf *to = h->coding == HTML_PLAIN ? out : &text;
	int r = 0;

	if (h->coding == HTML_PLAIN)
		scan(h, in, out);
	else
		r = unpacked(h, in, &text);
	if (r == 0 && last)
		let_go(h, to); /* a tag that never ended */
	if (r == 0 && h->coding != HTML_PLAIN && (text.n || last))
		r = pack(h, buf_slice(&text), last, out);
	return out->full ? -ERR_QUOTA : r;
}
