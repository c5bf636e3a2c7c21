/* SPDX-License-Identifier: Apache-2.0 */
#include "io/http-redirect.h"

#include "base/err.h"

#include <stdio.h>

/* The parts of an absolute address; authority is without its user. */
struct parts {
	struct slice scheme, authority, path, query; /* query with its '?' */
	bool user;
};

static struct slice cut(struct slice *rest, const char *ends)
{
	struct slice head = *rest;
	size_t n = 0;

	while (n < head.n && !strchr(ends, head.p[n]))
		n++;
	head.n = n;
	*rest = slice_of(rest->p + n, rest->n - n);
	return head;
}

static bool has_bad_byte(struct slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		if ((uint8_t)s.p[i] <= ' ' || s.p[i] == 0x7f || s.p[i] == '\\')
			return true;
	}
	return false;
}

/* Everything behind "scheme:". */
static void take_rest(struct slice rest, struct parts *p)
{
	const char *at;

	if (slice_starts(rest, SLICE("//"))) {
		rest = slice_of(rest.p + 2, rest.n - 2);
		p->authority = cut(&rest, "/?#");
		at = p->authority.n ? memrchr(p->authority.p, '@', p->authority.n) : NULL;
		if (at) {
			p->user = true;
			p->authority = slice_of(at + 1,
						(size_t)(p->authority.p + p->authority.n - at - 1));
		}
	}
	p->path = cut(&rest, "?#");
	p->query = cut(&rest, "#");
}

/* A scheme is there if a colon comes before any of "/?#". */
static struct parts split(struct slice text)
{
	struct slice rest = text, head = cut(&rest, ":/?#");
	struct parts p = { 0 };

	if (rest.n && rest.p[0] == ':' && head.n) {
		p.scheme = head;
		rest = slice_of(rest.p + 1, rest.n - 1);
	} else {
		rest = text;
	}
	take_rest(rest, &p);
	return p;
}

static unsigned default_port(struct slice scheme)
{
	return slice_ieq(scheme, SLICE("http")) ? 80 : slice_ieq(scheme, SLICE("https")) ? 443 : 0;
}

bool http_origin(struct slice url, char *dst, size_t n)
{
	struct parts p = split(url);
	const char *colon = p.authority.n ? memrchr(p.authority.p, ':', p.authority.n) : NULL;
	const char *bracket = p.authority.n ? memrchr(p.authority.p, ']', p.authority.n) : NULL;
	uint64_t port = default_port(p.scheme);
	struct slice host = p.authority, digits;
	int len;

	if (!port || !host.n)
		return false;
	if (colon && (!bracket || colon > bracket)) {
		host.n = (size_t)(colon - host.p);
		digits = slice_of(colon + 1, p.authority.n - host.n - 1);
		if (digits.n && (str_uint64(digits, &port, NULL) < 0 || port == 0 || port > 65535))
			return false;
	}
	if (!host.n)
		return false;
	len = snprintf(dst, n, "%.*s://%.*s:%u", (int)p.scheme.n, p.scheme.p, (int)host.n, host.p,
		       (unsigned)port);
	for (char *c = dst; *c; c++) {
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c | 0x20);
	}
	return len > 0 && (size_t)len < n;
}

/* RFC 3986 5.2.4, in place. Returns the new length. */
static size_t drop_dots(char *path, size_t n)
{
	size_t in = 0, out = 0;

	while (in < n) {
		size_t end = in + 1, len;

		while (end < n && path[end] != '/')
			end++;
		len = end - in; /* "/segment" */
		if (len == 2 && path[in + 1] == '.') {
			if (end == n)
				path[out++] = '/';
		} else if (len == 3 && path[in + 1] == '.' && path[in + 2] == '.') {
			while (out > 0 && path[--out] != '/')
				;
			if (end == n)
				path[out++] = '/';
		} else {
			memmove(path + out, path + in, len);
			out += len;
		}
		in = end;
	}
	return out;
}

/* RFC 3986 5.2.2: what ref means seen from base. */
static int resolve(struct slice base, struct slice ref, char *dst, size_t n, struct err *err)
{
	struct parts b = split(base), r = split(ref), t = r;
	char path[8192];
	size_t dir = 0, len = 0;

	if (!r.scheme.n) {
		t.scheme = b.scheme;
		if (!r.authority.n) {
			t.authority = b.authority;
			if (!r.path.n) {
				t.path = b.path;
				if (!r.query.n)
					t.query = b.query;
			} else if (r.path.p[0] != '/') {
				for (size_t i = 0; i < b.path.n; i++)
					dir = b.path.p[i] == '/' ? i + 1 : dir;
			}
		}
	}
	if (dir + t.path.n + 2 > sizeof(path))
		return err_set(err, ERR_BAD_REQUEST, "redirect: the address is too long");
	if (dir)
		memcpy(path, b.path.p, dir);
	else if (!t.path.n || t.path.p[0] != '/')
		path[dir++] = '/';
	memcpy(path + dir, t.path.n ? t.path.p : "", t.path.n);
	len = drop_dots(path, dir + t.path.n);
	if (r.user)
		return err_set(err, ERR_BAD_REQUEST, "redirect: the address has a user in it");
	if ((size_t)snprintf(dst, n, "%.*s://%.*s%.*s%.*s", (int)t.scheme.n, t.scheme.p,
			     (int)t.authority.n, t.authority.p, (int)len, path, (int)t.query.n,
			     t.query.n ? t.query.p : "") >= n)
		return err_set(err, ERR_BAD_REQUEST, "redirect: the address is too long");
	return 0;
}

int http_redirect_init(struct http_redirect *r, const char *method, const char *url, bool body,
		       struct err *err)
{
	char origin[512];

	*r = (struct http_redirect){ .left = HTTP_REDIRECTS, .body = body, .credentials = true };
	if (!str_copy(r->url, sizeof(r->url), url) ||
	    !str_copy(r->method, sizeof(r->method), method) ||
	    !http_origin(slice_str(url), origin, sizeof(origin)))
		return err_set(err, ERR_INVALID, "'%.200s' is not an http address", url);
	return 0;
}

int http_redirect_step(struct http_redirect *r, int status, struct slice location, struct err *err)
{
	char next[sizeof(r->url)], from[512], to[512];
	int e;

	if (status != 301 && status != 302 && status != 303 && status != 307 && status != 308)
		return 0;
	if (r->left == 0)
		return err_set(err, ERR_QUOTA, "more than %u redirects, the last to '%.*s'",
			       HTTP_REDIRECTS, (int)MIN(location.n, 200), location.p);
	if (location.n == 0 || has_bad_byte(location))
		return err_set(err, ERR_BAD_REQUEST,
			       "redirect %d without a Location that is an address", status);
	e = resolve(slice_str(r->url), location, next, sizeof(next), err);
	if (e < 0)
		return e;
	if (!http_origin(slice_str(next), to, sizeof(to)))
		return err_set(err, ERR_UNSUPPORTED,
			       "redirect to '%.200s', which is not an http address", next);
	(void)http_origin(slice_str(r->url), from, sizeof(from)); /* was looked at before */
	if (strncmp(from, "https:", 6) == 0 && strncmp(to, "https:", 6) != 0)
		return err_set(err, ERR_FORBIDDEN,
			       "redirect from https to '%.200s' is not followed", next);
	if (strcmp(from, to) != 0)
		r->credentials = false;
	if ((status == 303 && strcmp(r->method, "HEAD") != 0) ||
	    ((status == 301 || status == 302) && strcmp(r->method, "POST") == 0)) {
		memcpy(r->method, "GET", 4);
		r->body = false;
	}
	memcpy(r->url, next, sizeof(next));
	r->left--;
	return 1;
}
