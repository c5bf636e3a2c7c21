/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON Pointer. Tokens are compared in their encoded form where possible, so that a lookup copies
 * nothing.
 */
#include "doc/pointer.h"

#include "base/arena.h"
#include "base/err.h"

/* End of the token that starts at p; NULL when a '~' in it is not followed by 0 or 1. */
static const char *token_end(const char *p, const char *end)
{
	for (; p < end && *p != '/'; p++)
		if (*p == '~' && (p + 1 == end || (p[1] != '0' && p[1] != '1')))
			return NULL;
	return p;
}

int pointer_check(struct slice pointer, struct err *err)
{
	struct slice rest = pointer, token;

	if (pointer.n && pointer.p[0] != '/')
		return err_set(err, ERR_BAD_REQUEST,
			       "pointer '%.*s': must be empty or begin with '/'",
			       (int)MIN(pointer.n, 200), pointer.p);
	while (pointer_next(&rest, &token))
		;
	if (rest.n)
		return err_set(err, ERR_BAD_REQUEST,
			       "pointer '%.*s': '~' must be written as '~0', '/' in a key as '~1'",
			       (int)MIN(pointer.n, 200), pointer.p);
	return 0;
}

bool pointer_next(struct slice *rest, struct slice *ret_token)
{
	const char *end = rest->p + rest->n, *p;

	if (rest->n == 0 || rest->p[0] != '/')
		return false;
	p = token_end(rest->p + 1, end);
	if (!p)
		return false;
	*ret_token = slice_of(rest->p + 1, (size_t)(p - rest->p - 1));
	*rest = slice_of(p, (size_t)(end - p));
	return true;
}

/* Next decoded byte; *p is not at its end. */
static char decoded(const char **p)
{
	char c = *(*p)++;

	if (c != '~')
		return c;
	return *(*p)++ == '0' ? '~' : '/';
}

bool pointer_token_is(struct slice token, struct slice key)
{
	const char *p = token.p, *end = p + token.n;
	size_t i = 0;

	if (key.n > token.n)
		return false;
	for (; p < end && i < key.n; i++)
		if (decoded(&p) != key.p[i])
			return false;
	return p == end && i == key.n;
}

struct slice pointer_token(struct arena *a, struct slice token)
{
	const char *p = token.p, *end = p + token.n;
	char *dst, *w;

	if (token.n == 0 || !memchr(token.p, '~', token.n))
		return token.p ? token : slice_of("", 0);
	dst = w = arena_alloc_raw(a, token.n, 1);
	if (!dst)
		return slice_of(NULL, 0);
	while (p < end)
		*w++ = decoded(&p);
	return slice_of(dst, (size_t)(w - dst));
}

int pointer_index(struct slice token, size_t *ret)
{
	size_t v = 0;

	if (slice_is(token, "-"))
		return 1;
	if (token.n == 0 || token.n > 10 || (token.n > 1 && token.p[0] == '0'))
		return -ERR_INVALID;
	for (size_t i = 0; i < token.n; i++) {
		if (token.p[i] < '0' || token.p[i] > '9')
			return -ERR_INVALID;
		v = v * 10 + (size_t)(token.p[i] - '0');
	}
	*ret = v;
	return 0;
}

static struct doc *step(const struct doc *d, struct slice token)
{
	size_t i;

	if (doc_is(d, DOC_ARRAY))
		return pointer_index(token, &i) == 0 ? doc_at(d, i) : NULL;
	if (token.n == 0 || !memchr(token.p, '~', token.n))
		return doc_getn(d, token);
	DOC_EACH_MEMBER (key, value, d)
		if (pointer_token_is(token, doc_slice(key)))
			return value;
	return NULL;
}

struct doc *pointer_get(const struct doc *root, struct slice pointer)
{
	struct slice token;

	while (root && pointer_next(&pointer, &token))
		root = step(root, token);
	return pointer.n == 0 ? (struct doc *)root : NULL;
}

int pointer_find(struct doc *root, struct slice pointer, struct doc **ret, struct err *err)
{
	struct slice rest = pointer, token;
	struct doc *d = root;
	int r = pointer_check(pointer, err);

	if (r < 0)
		return r;
	while (pointer_next(&rest, &token)) {
		struct doc *next = step(d, token);

		if (!next)
			return err_set(err, ERR_NOT_FOUND,
				       "pointer '%.*s': there is no '%.*s' in the %s",
				       (int)MIN(pointer.n, 200), pointer.p, (int)MIN(token.n, 100),
				       token.p, doc_type_name(d));
		d = next;
	}
	*ret = d;
	return 0;
}

int pointer_append(struct buf *b, struct slice key)
{
	int r = buf_addc(b, '/');

	for (size_t i = 0; r == 0 && i < key.n; i++) {
		if (key.p[i] == '~')
			r = buf_adds(b, "~0");
		else if (key.p[i] == '/')
			r = buf_adds(b, "~1");
		else
			r = buf_addc(b, key.p[i]);
	}
	return r;
}
