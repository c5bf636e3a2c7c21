/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of images, as far as defaults look at them: [HOST[:PORT]/]PATH[:TAG][@DIGEST], the form of
 * the Distribution project's references.
 */
#include "api/defaults.h"

enum { NAME_MAX_LEN = 255, TAG_MAX_LEN = 128, ID_LEN = 64 };

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_lower(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z');
}

static bool is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static bool is_alnum(char c)
{
	return is_lower(c) || is_upper(c);
}

static bool is_tag_char(char c)
{
	return is_alnum(c) || c == '_' || c == '.' || c == '-';
}

static bool is_hyphenated(char c)
{
	return is_alnum(c) || c == '-';
}

static bool is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f');
}

static bool is_address(char c)
{
	return is_hex(c) || (c >= 'A' && c <= 'F') || c == ':';
}

/* Takes the characters off the front that are of a sort; how many they were. */
static size_t take(struct slice *s, bool (*is)(char c), size_t max)
{
	size_t n = 0;

	while (n < s->n && n < max && is(s->p[n]))
		n++;
	s->p += n;
	s->n -= n;
	return n;
}

static bool all(struct slice s, bool (*is)(char c), size_t max)
{
	return take(&s, is, max) > 0 && s.n == 0;
}

static bool is_hyphen(char c)
{
	return c == '-';
}

static bool is_underscore(char c)
{
	return c == '_';
}

static bool is_dot(char c)
{
	return c == '.';
}

/* Lower case and digits, parted by '.', '_', '__' or hyphens. */
static bool is_path_element(struct slice s)
{
	while (take(&s, is_lower, s.n) > 0) {
		if (s.n == 0)
			return true;
		if (!take(&s, is_dot, 1) && !take(&s, is_underscore, 2) &&
		    !take(&s, is_hyphen, s.n))
			return false;
	}
	return false;
}

static bool is_host_label(struct slice s)
{
	return all(s, is_hyphenated, s.n) && s.p[0] != '-' && s.p[s.n - 1] != '-';
}

/* A host name or an address of IPv6 in brackets, maybe with a port. */
static bool is_domain(struct slice s)
{
	struct slice host;

	if (slice_starts(s, SLICE("["))) {
		s = slice_of(s.p + 1, s.n - 1);
		if (take(&s, is_address, s.n) == 0 || !slice_starts(s, SLICE("]")))
			return false;
		s = slice_of(s.p + 1, s.n - 1);
		return s.n == 0 ||
		       (s.p[0] == ':' && all(slice_of(s.p + 1, s.n - 1), is_digit, s.n));
	}
	host = slice_split(&s, ':');
	if (s.p && !all(s, is_digit, s.n))
		return false;
	while (host.p)
		if (!is_host_label(slice_split(&host, '.')))
			return false;
	return true;
}

static bool is_digest(struct slice s)
{
	struct slice algorithm = slice_split(&s, ':');
	size_t digits = slice_is(algorithm, "sha256")	? 64
			: slice_is(algorithm, "sha384") ? 96
			: slice_is(algorithm, "sha512") ? 128
							: 0;

	return digits && s.n == digits && all(s, is_hex, s.n);
}

/* The first element of a path is a host when it looks like one. */
static bool looks_like_domain(struct slice s)
{
	if (slice_is(s, "localhost"))
		return true;
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '.' || s.p[i] == ':' || is_upper(s.p[i]))
			return true;
	return false;
}

static bool is_name(struct slice s)
{
	const char *slash = s.n ? memchr(s.p, '/', s.n) : NULL;
	size_t n = slash ? (size_t)(slash - s.p) : 0;

	if (slash && looks_like_domain(slice_of(s.p, n))) {
		if (!is_domain(slice_of(s.p, n)))
			return false;
		s = slice_of(slash + 1, s.n - n - 1);
	}
	if (s.n > NAME_MAX_LEN)
		return false;
	while (s.p)
		if (!is_path_element(slice_split(&s, '/')))
			return false;
	return true;
}

bool api_image_is_latest(struct slice image)
{
	struct slice rest = image, name = slice_split(&rest, '@'), tag = { 0 };
	const char *slash, *colon;

	if (image.n == 0 || (image.n == ID_LEN && all(image, is_hex, ID_LEN)))
		return false;
	if (rest.p && !is_digest(rest))
		return false;
	slash = name.n ? memrchr(name.p, '/', name.n) : NULL;
	colon = name.n ? memrchr(name.p, ':', name.n) : NULL;
	if (colon && (!slash || colon > slash)) {
		tag = slice_of(colon + 1, name.n - (size_t)(colon + 1 - name.p));
		name.n = (size_t)(colon - name.p);
		if (!all(tag, is_tag_char, TAG_MAX_LEN) || tag.p[0] == '.' || tag.p[0] == '-')
			return false;
	}
	if (!is_name(name))
		return false;
	return tag.p ? slice_is(tag, "latest") : !rest.p;
}
