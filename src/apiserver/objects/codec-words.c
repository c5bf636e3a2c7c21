/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is wrong with a text that is no JSON, in the words of Go's encoding/json: clients and tests
 * compare them. The text is walked once more; it was refused already.
 */
#include "apiserver/objects/codec-private.h"

#include <stdio.h>

#define DEPTH_MAX 10000 /* encoding/json's */

struct walk {
	const unsigned char *p, *end;
	const char *why; /* behind the character at p; "" = the text ends too early */
	unsigned depth;
	uint8_t object[DEPTH_MAX / 8 + 1]; /* bit set: an object, else an array */
};

static bool fail(struct walk *w, const char *why)
{
	w->why = w->p == w->end ? "" : why;
	return false;
}

static void skip_space(struct walk *w)
{
	while (w->p < w->end && (*w->p == ' ' || *w->p == '\t' || *w->p == '\n' || *w->p == '\r'))
		w->p++;
}

static bool is_digit(const struct walk *w)
{
	return w->p < w->end && *w->p >= '0' && *w->p <= '9';
}

static bool digits(struct walk *w, const char *why)
{
	if (!is_digit(w))
		return fail(w, why);
	while (is_digit(w))
		w->p++;
	return true;
}

static bool number(struct walk *w)
{
	if (*w->p == '-')
		w->p++;
	if (w->p < w->end && *w->p == '0')
		w->p++;
	else if (!digits(w, "in numeric literal"))
		return false;
	if (w->p < w->end && *w->p == '.') {
		w->p++;
		if (!digits(w, "after decimal point in numeric literal"))
			return false;
	}
	if (w->p < w->end && (*w->p == 'e' || *w->p == 'E')) {
		w->p++;
		if (w->p < w->end && (*w->p == '+' || *w->p == '-'))
			w->p++;
		return digits(w, "in exponent of numeric literal");
	}
	return true;
}

static bool escape(struct walk *w)
{
	w->p++;
	if (w->p == w->end || !memchr("bfnrt\\/\"u", *w->p, 9))
		return fail(w, "in string escape code");
	if (*w->p++ != 'u')
		return true;
	for (unsigned i = 0; i < 4; i++, w->p++)
		if (w->p == w->end || !memchr("0123456789abcdefABCDEF", *w->p, 22))
			return fail(w, "in \\u hexadecimal character escape");
	return true;
}

static bool string(struct walk *w)
{
	w->p++;
	while (w->p < w->end && *w->p != '"') {
		if (*w->p < 0x20)
			return fail(w, "in string literal");
		if (*w->p != '\\')
			w->p++;
		else if (!escape(w))
			return false;
	}
	if (w->p == w->end)
		return fail(w, "");
	w->p++;
	return true;
}

static bool literal(struct walk *w)
{
	static const struct {
		const char *text, *why[4];
	} words[] = {
		{ "true",
		  { "in literal true (expecting 'r')", "in literal true (expecting 'u')",
		    "in literal true (expecting 'e')" } },
		{ "null",
		  { "in literal null (expecting 'u')", "in literal null (expecting 'l')",
		    "in literal null (expecting 'l')" } },
		{ "false",
		  { "in literal false (expecting 'a')", "in literal false (expecting 'l')",
		    "in literal false (expecting 's')", "in literal false (expecting 'e')" } },
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (*w->p != (unsigned char)words[i].text[0])
			continue;
		w->p++;
		for (size_t j = 1; words[i].text[j]; j++, w->p++)
			if (w->p == w->end || *w->p != (unsigned char)words[i].text[j])
				return fail(w, words[i].why[j - 1]);
		return true;
	}
	return fail(w, "looking for beginning of value");
}

static bool open_container(struct walk *w, bool object)
{
	uint8_t bit = (uint8_t)(1u << w->depth % 8);

	if (w->depth == DEPTH_MAX) {
		w->why = "exceeded max depth";
		return false;
	}
	if (object)
		w->object[w->depth / 8] |= bit;
	else
		w->object[w->depth / 8] &= (uint8_t)~bit;
	w->depth++;
	w->p++;
	return true;
}

static bool in_object(const struct walk *w)
{
	return w->object[(w->depth - 1) / 8] >> (w->depth - 1) % 8 & 1;
}

static bool key(struct walk *w)
{
	skip_space(w);
	if (w->p == w->end || *w->p != '"')
		return fail(w, "looking for beginning of object key string");
	if (!string(w))
		return false;
	skip_space(w);
	if (w->p == w->end || *w->p != ':')
		return fail(w, "after object key");
	w->p++;
	return true;
}

/* Behind a value: closes what ends here. True: another value follows, or (depth 0) all is read. */
static bool behind_value(struct walk *w)
{
	while (w->depth > 0) {
		bool object = in_object(w);

		skip_space(w);
		if (w->p < w->end && *w->p == ',') {
			w->p++;
			return !object || key(w);
		}
		if (w->p == w->end || *w->p != (object ? '}' : ']'))
			return fail(w,
				    object ? "after object key:value pair" : "after array element");
		w->p++;
		w->depth--;
	}
	return true;
}

/* Opens a container up to its first value; *closed: it was empty. */
static bool enter(struct walk *w, bool *closed)
{
	bool object = *w->p == '{';

	*closed = false;
	if (!open_container(w, object))
		return false;
	skip_space(w);
	if (w->p < w->end && *w->p == (object ? '}' : ']')) {
		w->p++;
		w->depth--;
		*closed = true;
		return true;
	}
	return !object || key(w);
}

static bool value(struct walk *w, bool *ended)
{
	*ended = true;
	skip_space(w);
	if (w->p == w->end)
		return fail(w, "");
	if (*w->p == '{' || *w->p == '[')
		return enter(w, ended);
	if (*w->p == '"')
		return string(w);
	return *w->p == '-' || is_digit(w) ? number(w) : literal(w);
}

static bool text_is_json(struct walk *w)
{
	bool ended;

	do {
		if (!value(w, &ended))
			return false;
		if (ended && !behind_value(w))
			return false;
	} while (!ended || w->depth > 0);
	skip_space(w);
	return w->p == w->end || fail(w, "after top-level value");
}

/* The byte as Go quotes it: as the character of that number. */
static void quote(unsigned char c, char out[12])
{
	static const char named[] = "\a\b\t\n\v\f\r", letters[] = "abtnvfr";
	const char *at = c ? strchr(named, c) : NULL;

	if (c == '\'' || c == '\\')
		(void)snprintf(out, 12, "'\\%c'", c);
	else if (at)
		(void)snprintf(out, 12, "'\\%c'", letters[at - named]);
	else if (c < 0x20 || c == 0x7f)
		(void)snprintf(out, 12, "'\\x%02x'", c);
	else if (c < 0x80)
		(void)snprintf(out, 12, "'%c'", c);
	else if (c <= 0xa0 || c == 0xad)
		(void)snprintf(out, 12, "'\\u%04x'", c);
	else
		(void)snprintf(out, 12, "'%c%c'", 0xc0 | c >> 6, 0x80 | (c & 0x3f));
}

void codec_json_words(struct slice text, char *out, size_t n)
{
	struct walk w = { .p = (const unsigned char *)text.p };
	char c[12];

	w.end = w.p ? w.p + text.n : w.p;
	if (text_is_json(&w)) {
		out[0] = '\0';
	} else if (!*w.why) {
		(void)snprintf(out, n, "unexpected end of JSON input");
	} else if (strcmp(w.why, "exceeded max depth") == 0) {
		(void)snprintf(out, n, "exceeded max depth");
	} else {
		quote(*w.p, c);
		(void)snprintf(out, n, "invalid character %s %s", c, w.why);
	}
}
