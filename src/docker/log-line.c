/* SPDX-License-Identifier: Apache-2.0 */
/* See log-line.h. The fast path looks for quotes and backslashes by memchr and copies
 * what lies between. */
#include "docker/log-line.h"

#include "base/arena.h"
#include "base/err.h"
#include "doc/json.h"

static int hex4(const char *p, unsigned *ret)
{
	unsigned v = 0;

	for (int i = 0; i < 4; i++) {
		char c = p[i];
		unsigned d = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
			     : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
			     : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A' + 10)
						    : 16;

		if (d > 15)
			return -1;
		v = v << 4 | d;
	}
	*ret = v;
	return 0;
}

static size_t put_utf8(char *p, unsigned v)
{
	if (v < 0x80) {
		p[0] = (char)v;
		return 1;
	}
	if (v < 0x800) {
		p[0] = (char)(0xc0 | v >> 6);
		p[1] = (char)(0x80 | (v & 0x3f));
		return 2;
	}
	p[0] = (char)(0xe0 | v >> 12);
	p[1] = (char)(0x80 | (v >> 6 & 0x3f));
	p[2] = (char)(0x80 | (v & 0x3f));
	return 3;
}

/* One escape at p (after the backslash): bytes used, 0 for one that is not ours to judge. */
static size_t unescape_one(const char *p, const char *end, char **out)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *at = p < end && *p ? strchr(from, *p) : NULL;
	unsigned v;

	if (at) {
		*(*out)++ = to[at - from];
		return 1;
	}
	if (end - p < 5 || *p != 'u' || hex4(p + 1, &v) < 0 || (v >= 0xd800 && v < 0xe000))
		return 0; /* surrogates: the JSON reader's work */
	*out += put_utf8(*out, v);
	return 5;
}

/* The inside of a string from *p up to its closing quote, still escaped. */
static int take_string(const char **p, const char *end, struct slice *ret, bool *escaped)
{
	const char *start = *p, *in = start, *quote, *slash;

	*escaped = false;
	for (;;) {
		quote = memchr(in, '"', (size_t)(end - in));
		if (!quote)
			return -1;
		slash = memchr(in, '\\', (size_t)(quote - in));
		if (!slash)
			break;
		*escaped = true;
		in = slash + 2;
		if (in > end)
			return -1;
	}
	*p = quote + 1;
	*ret = slice_of(start, (size_t)(quote - start));
	return 0;
}

/* An escape is never shorter than what it stands for: the length of the text is room enough. */
static int unescape(struct buf *scratch, struct slice *text)
{
	const char *in = text->p, *end = in + text->n, *slash;
	char *start, *out;
	size_t used;

	buf_clear(scratch);
	start = out = buf_room(scratch, text->n + 1);
	if (!out)
		return -1;
	while ((slash = memchr(in, '\\', (size_t)(end - in)))) {
		memcpy(out, in, (size_t)(slash - in));
		out += slash - in;
		used = unescape_one(slash + 1, end, &out);
		if (!used)
			return -1;
		in = slash + 1 + used;
	}
	memcpy(out, in, (size_t)(end - in));
	out += end - in;
	*text = slice_of(start, (size_t)(out - start));
	return 0;
}

static bool skip(const char **p, const char *end, const char *word, size_t n)
{
	if ((size_t)(end - *p) < n || memcmp(*p, word, n) != 0)
		return false;
	*p += n;
	return true;
}
#define SKIP(p, end, lit) skip(p, end, lit, sizeof(lit) - 1)

/* {"log":"...","stream":"stdout"[,"attrs":{...}],"time":"..."}. Negative = another shape. */
static int parse_fast(const char *line, size_t n, struct buf *scratch, struct log_line *ret)
{
	const char *p = line, *end = line + n, *close;
	struct slice stream;
	bool text_escaped, escaped;

	*ret = (struct log_line){ 0 };
	if (!SKIP(&p, end, "{\"log\":\"") || take_string(&p, end, &ret->text, &text_escaped) < 0 ||
	    !SKIP(&p, end, ",\"stream\":\"") || take_string(&p, end, &stream, &escaped) < 0)
		return -1;
	if (SKIP(&p, end, ",\"attrs\":")) {
		/* Its end: the last member is the time. */
		close = memmem(p, (size_t)(end - p), "},\"time\":\"", 10);
		if (!close)
			return -1;
		ret->attrs = slice_of(p, (size_t)(close + 1 - p));
		p = close + 1;
	}
	if (!SKIP(&p, end, ",\"time\":\"") || take_string(&p, end, &ret->time, &escaped) < 0 ||
	    escaped || end - p != 1 || *p != '}')
		return -1;
	ret->is_err = slice_is(stream, "stderr");
	return text_escaped ? unescape(scratch, &ret->text) : 0;
}

static int parse_slow(const char *line, size_t n, struct buf *scratch, struct log_line *ret)
{
	CLEANUP(arena_free) struct arena *a = arena_new("log line", 8u << 20);
	struct json_options opt = { .replace = true };
	struct err ignored = ERR_INIT;
	struct slice text, time, attrs = { NULL, 0 };
	struct doc *d;

	buf_clear(scratch);
	if (json_read(a, slice_of(line, n), &opt, &d, &ignored) < 0 || !doc_is(d, DOC_OBJECT))
		return -1;
	text = doc_slice(doc_get(d, "log"));
	time = doc_slice(doc_get(d, "time"));
	if (!text.p || !time.p)
		return -1;
	if (doc_is(doc_get(d, "attrs"), DOC_OBJECT) &&
	    json_print(a, doc_get(d, "attrs"), NULL, &attrs, &ignored) < 0)
		return -1;
	if (buf_add(scratch, text.p, text.n) < 0 || buf_add(scratch, time.p, time.n) < 0 ||
	    buf_add(scratch, attrs.p, attrs.n) < 0)
		return -1;
	*ret = (struct log_line){
		.text = slice_of(scratch->p, text.n),
		.time = slice_of(scratch->p + text.n, time.n),
		.attrs = slice_of(attrs.n ? scratch->p + text.n + time.n : NULL, attrs.n),
		.is_err = doc_str_is(doc_get(d, "stream"), "stderr"),
	};
	return 0;
}

int log_line_parse(const char *line, size_t n, struct buf *scratch, struct log_line *ret)
{
	return parse_fast(line, n, scratch, ret) == 0 ? 0 : parse_slow(line, n, scratch, ret);
}
