/* SPDX-License-Identifier: Apache-2.0 */
/* Selectors matched on the bytes of items. */
#include "apiserver/objects/cache-private.h"

#include "base/utf8.h"

/* ---- texts of JSON ---- */

static int hex4(const char *p)
{
	int v = 0;

	for (int i = 0; i < 4; i++) {
		const char c = p[i];
		int d = c >= '0' && c <= '9'   ? c - '0'
			: c >= 'a' && c <= 'f' ? c - 'a' + 10
			: c >= 'A' && c <= 'F' ? c - 'A' + 10
					       : -1;

		if (d < 0)
			return -1;
		v = v << 4 | d;
	}
	return v;
}

/* \uXXXX at p (the u), maybe two; how many bytes it took, 0: it is none. */
static size_t unicode(const char *p, const char *end, unsigned *ret)
{
	int a = end - p >= 5 ? hex4(p + 1) : -1, b;

	if (a < 0)
		return 0;
	*ret = (unsigned)a;
	if (a < 0xd800 || a > 0xdfff)
		return 5;
	b = a < 0xdc00 && end - p >= 11 && p[5] == '\\' && p[6] == 'u' ? hex4(p + 7) : -1;
	if (b >= 0xdc00 && b <= 0xdfff) {
		*ret = 0x10000u + ((unsigned)(a - 0xd800) << 10) + (unsigned)(b - 0xdc00);
		return 11;
	}
	*ret = 0xfffd;
	return 5;
}

/* What stands behind a backslash; -1: none of the short ones. */
static int short_escape(char c)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *at = memchr(from, c, sizeof(from) - 1);

	return at ? to[at - from] : -1;
}

bool text_decode(struct slice raw, char *out, size_t n, size_t *ret_n)
{
	const char *p = raw.p, *end = raw.p + raw.n;
	size_t at = 0;

	while (p < end) {
		unsigned c = 0;
		size_t used;

		if (at + 4 > n)
			return false;
		if (*p != '\\') {
			out[at++] = *p++;
			continue;
		}
		if (++p == end)
			return false;
		if (*p != 'u') {
			int s = short_escape(*p++);

			if (s < 0)
				return false;
			out[at++] = (char)s;
			continue;
		}
		used = unicode(p, end, &c);
		if (!used)
			return false;
		p += used;
		at += utf8_put(c, out + at);
	}
	*ret_n = at;
	return true;
}

/* Longer values with escapes are decoded on the heap. */
#define DECODE 512

static bool term_text(const struct selector_term *t, struct slice raw, bool escaped)
{
	char small[DECODE] __attribute__((uninitialized));
	CLEANUP_FREE char *big = NULL;
	char *at = small;
	size_t n = sizeof(small);

	if (!escaped)
		return selector_match_term(t, true, raw);
	if (raw.n + 4 > n) {
		n = raw.n + 4;
		at = big = malloc(n);
		if (!big)
			abort();
	}
	/* Escapes that are none match nothing. */
	return text_decode(raw, at, n, &n) ? selector_match_term(t, true, slice_of(at, n))
					   : selector_match_term(t, false, slice_of("", 0));
}

static bool text_is(struct slice raw, bool escaped, struct slice want)
{
	char out[DECODE] __attribute__((uninitialized));
	size_t n;

	if (!escaped)
		return slice_eq(raw, want);
	return want.n + 4 <= sizeof(out) && text_decode(raw, out, sizeof(out), &n) &&
	       slice_eq(slice_of(out, n), want);
}

/* ---- labels ---- */

/* A string at p (its opening quote); the byte behind it, NULL: there is none. */
static const char *string_at(const char *p, const char *end, struct slice *ret, bool *ret_escaped)
{
	const char *from;

	*ret_escaped = false;
	if (p == end || *p != '"')
		return NULL;
	for (from = ++p; p < end && *p != '"'; p++)
		if (*p == '\\') {
			*ret_escaped = true;
			p++;
		}
	if (p >= end)
		return NULL;
	*ret = slice_of(from, (size_t)(p - from));
	return p + 1;
}

/* One of the object's members: `"key":"value"`. */
struct label {
	struct slice key, value;
	bool key_escaped, value_escaped;
};

/* Behind { or , ; the place behind the member. NULL: there is none, or its value is no string. */
static const char *label_at(const char *p, const char *end, struct label *ret)
{
	p = string_at(p, end, &ret->key, &ret->key_escaped);
	if (!p || p == end || *p != ':')
		return NULL;
	return string_at(p + 1, end, &ret->value, &ret->value_escaped);
}

static bool put_text(struct slice raw, bool escaped, char *out, size_t n, size_t *ret_n)
{
	if (escaped)
		return text_decode(raw, out, n, ret_n);
	*ret_n = raw.n;
	if (raw.n > n)
		return false;
	memcpy(out, raw.p, raw.n);
	return true;
}

bool labels_next(struct slice labels, size_t *at, char *out, size_t n, size_t *ret_n)
{
	const char *p = labels.p + *at, *end = labels.p + labels.n;
	struct label l;
	size_t key, value;

	while (p && p < end && *p != '}') {
		p = label_at(p + 1, end, &l);
		if (!p)
			break;
		*at = (size_t)(p - labels.p);
		if (!put_text(l.key, l.key_escaped, out, n, &key) || key == n)
			continue;
		out[key++] = '=';
		if (!put_text(l.value, l.value_escaped, out + key, n - key, &value))
			continue;
		*ret_n = key + value;
		return true;
	}
	return false;
}

static bool match_label(const struct selector_term *t, struct slice labels)
{
	const char *p = labels.p, *end = labels.p + labels.n;
	struct label l;

	while (p && p < end && *p != '}') {
		p = label_at(p + 1, end, &l);
		if (p && text_is(l.key, l.key_escaped, t->key))
			return term_text(t, l.value, l.value_escaped);
	}
	return selector_match_term(t, false, slice_of("", 0));
}

bool item_match(const struct item *i, const struct selector *labels, const struct selector *fields)
{
	for (size_t k = 0; fields && k < fields->n; k++) {
		bool escaped;
		struct slice v = item_field(i, fields->terms[k].key, &escaped);

		if (!term_text(&fields->terms[k], v, escaped))
			return false;
	}
	for (size_t k = 0; labels && k < labels->n; k++)
		if (!match_label(&labels->terms[k], item_labels(i)))
			return false;
	return true;
}
