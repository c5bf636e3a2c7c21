/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Percent coding, query strings and server addresses. Names are not resolved: a static program has
 * no NSS, so an address is numeric or "localhost".
 */
#include "io/url.h"

#include "base/arena.h"
#include "base/err.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int url_decode(struct arena *a, struct slice raw, bool plus, struct slice *ret, struct err *err)
{
	char *d = arena_alloc_raw(a, raw.n + 1, 1);
	size_t n = 0;

	if (!d)
		return arena_quota(a, err);
	for (size_t i = 0; i < raw.n; i++) {
		char c = raw.p[i];

		if (c == '%') {
			int hi = i + 2 < raw.n ? hex(raw.p[i + 1]) : -1,
			    lo = hi >= 0 ? hex(raw.p[i + 2]) : -1;

			if (lo < 0)
				return err_set(err, ERR_INVALID, "bad percent escape in '%.*s'",
					       (int)MIN(raw.n, 200), raw.p);
			c = (char)(hi << 4 | lo);
			if (c == '\0')
				return err_set(err, ERR_INVALID, "escaped NUL in '%.*s'",
					       (int)MIN(raw.n, 200), raw.p);
			i += 2;
		} else if (c == '\0') {
			return err_set(err, ERR_INVALID, "NUL in an encoded text");
		} else if (c == '+' && plus) {
			c = ' ';
		}
		d[n++] = c;
	}
	d[n] = '\0';
	*ret = slice_of(d, n);
	return 0;
}

int url_encode(struct buf *b, struct slice s, bool keep_slash)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = (uint8_t)s.p[i];
		bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
			     (c >= 'a' && c <= 'z') || c == '-' || c == '.' || c == '_' ||
			     c == '~' || (c == '/' && keep_slash);
		char esc[3] = { '%', digits[c >> 4], digits[c & 15] };

		if (plain)
			(void)buf_addc(b, (char)c); /* the buffer latches */
		else
			(void)buf_add(b, esc, 3);
	}
	return b->full ? -ERR_QUOTA : 0;
}

int query_parse(struct arena *a, struct slice raw, struct query *ret, struct err *err)
{
	struct query q = { 0 };
	size_t n = raw.n ? 1 : 0;
	int r;

	for (size_t i = 0; i < raw.n; i++)
		n += raw.p[i] == '&';
	if (n > QUERY_PAIRS_MAX)
		return err_set(err, ERR_QUOTA, "more than %d query parameters", QUERY_PAIRS_MAX);
	q.pairs = ARENA_ARRAY(a, struct query_pair, n + 1);
	if (!q.pairs)
		return arena_quota(a, err);
	while (raw.p && raw.n) {
		struct slice value = slice_split(&raw, '&'), name, out;

		if (value.n == 0)
			continue;
		name = slice_split(&value, '=');
		r = url_decode(a, name, true, &out, err);
		if (r < 0)
			return err_wrap(err, "query");
		q.pairs[q.n].name = out.p;
		r = url_decode(a, value, true, &out, err);
		if (r < 0)
			return err_wrap(err, "query parameter '%s'", q.pairs[q.n].name);
		q.pairs[q.n++].value = out.p;
	}
	*ret = q;
	return 0;
}

const char *query_nth(const struct query *q, const char *name, size_t i)
{
	for (size_t k = 0; k < q->n; k++) {
		if (strcmp(q->pairs[k].name, name) == 0 && i-- == 0)
			return q->pairs[k].value;
	}
	return NULL;
}

const char *query_get(const struct query *q, const char *name)
{
	return query_nth(q, name, 0);
}

bool query_bool(const struct query *q, const char *name, bool absent_value)
{
	static const char *const no[] = { "", "0", "no", "false", "none" };
	const char *v = query_get(q, name);

	if (!v)
		return absent_value;
	for (size_t i = 0; i < ARRAY_LEN(no); i++) {
		if (slice_ieq(slice_str(v), slice_str(no[i])))
			return false;
	}
	return true;
}

int query_int64(const struct query *q, const char *name, int64_t absent_value, int64_t *ret,
		struct err *err)
{
	const char *v = query_get(q, name);
	int r;

	if (!v || !*v) {
		*ret = absent_value;
		return 0;
	}
	r = str_int64(slice_str(v), ret, err);
	return r < 0 ? err_wrap(err, "query parameter '%s'", name) : 0;
}

int query_add(struct buf *b, const char *name, const char *value)
{
	if (!value)
		return 0;
	(void)buf_addc(b, b->n && memchr(b->p, '?', b->n) ? '&' : '?'); /* the buffer latches */
	(void)url_encode(b, slice_str(name), false);
	(void)buf_addc(b, '=');
	return url_encode(b, slice_str(value), false);
}

/* ---- addresses ---- */

/* Cuts "host:port", "[v6]:port", "host"; port 0 when absent. */
static int split_host_port(struct slice text, struct slice *host, uint16_t *port, struct err *err)
{
	struct slice rest = text, p = { 0 };
	const char *end;
	uint64_t n = 0;

	if (rest.n && rest.p[0] == '[') {
		end = memchr(rest.p, ']', rest.n);
		if (!end)
			return err_set(err, ERR_INVALID, "address '%.*s' has no ']'", (int)text.n,
				       text.p);
		*host = slice_of(rest.p + 1, (size_t)(end - rest.p) - 1);
		rest = slice_of(end + 1, rest.n - host->n - 2);
		if (rest.n && rest.p[0] != ':')
			return err_set(err, ERR_INVALID, "address '%.*s' has bytes after ']'",
				       (int)text.n, text.p);
		p = rest.n ? slice_of(rest.p + 1, rest.n - 1) : p;
	} else {
		*host = slice_split(&rest, ':');
		p = rest;
	}
	if (!p.p) {
		*port = 0;
		return 0;
	}
	if (str_uint64(p, &n, NULL) < 0 || n > 65535)
		return err_set(err, ERR_INVALID, "address '%.*s': '%.*s' is not a port",
			       (int)text.n, text.p, (int)p.n, p.p);
	*port = (uint16_t)n;
	return 0;
}

int url_sockaddr(const char *host_port, struct sockaddr_storage *ret, socklen_t *ret_len,
		 struct err *err)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	struct slice host;
	uint16_t port;
	char name[256];
	int r;

	r = split_host_port(slice_str(host_port), &host, &port, err);
	if (r < 0)
		return r;
	if (host.n >= sizeof(name))
		return err_set(err, ERR_INVALID, "address '%.64s...' is too long", host_port);
	memcpy(name, host.n ? host.p : "", host.n);
	name[host.n] = '\0';
	if (strcmp(name, "localhost") == 0)
		(void)str_copy(name, sizeof(name), "127.0.0.1"); /* fits */
	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET, name, &v4.sin_addr) == 1) {
		v4.sin_port = htons(port);
		memcpy(ret, &v4, sizeof(v4));
		*ret_len = sizeof(v4);
		return 0;
	}
	if (!*name || inet_pton(AF_INET6, name, &v6.sin6_addr) == 1) {
		v6.sin6_port = htons(port);
		memcpy(ret, &v6, sizeof(v6));
		*ret_len = sizeof(v6);
		return 0;
	}
	return err_set(err, ERR_UNSUPPORTED,
		       "host '%s' is a name; give a numeric address or localhost", name);
}

int url_parse(struct arena *a, const char *text, struct url *ret, struct err *err)
{
	const char *sep = strstr(text, "://"), *slash;
	struct url u = { .host = "", .path = "" };
	struct slice host;
	char *scheme;
	int r;

	if (!sep || sep == text || sep - text > 16)
		return err_set(err, ERR_INVALID,
			       "address '%.200s' does not begin with unix://, tcp:// or http://",
			       text);
	scheme = arena_strndup(a, text, (size_t)(sep - text));
	if (!scheme)
		return arena_quota(a, err);
	for (char *c = scheme; *c; c++)
		*c = *c >= 'A' && *c <= 'Z' ? (char)(*c | 0x20) : *c;
	u.scheme = scheme;
	text = sep + 3;
	if (strcmp(scheme, "unix") == 0 || strcmp(scheme, "fd") == 0) {
		u.path = arena_strdup(a, text);
		if (!u.path)
			return arena_quota(a, err);
		if (scheme[0] == 'u' && u.path[0] != '/')
			return err_set(err, ERR_INVALID,
				       "address 'unix://%.200s': the path is not absolute", text);
		*ret = u;
		return 0;
	}
	if (strcmp(scheme, "tcp") != 0 && strcmp(scheme, "http") != 0 &&
	    strcmp(scheme, "https") != 0)
		return err_set(err, ERR_UNSUPPORTED,
			       "address scheme '%s' is not unix, tcp, http, https or fd", scheme);
	slash = strchr(text, '/');
	r = split_host_port(slice_of(text, slash ? (size_t)(slash - text) : strlen(text)), &host,
			    &u.port, err);
	if (r < 0)
		return r;
	u.host = arena_strndup(a, host.n ? host.p : "", host.n);
	u.path = arena_strdup(a, slash ? slash : "");
	if (!u.host || !u.path)
		return arena_quota(a, err);
	if (u.port == 0)
		u.port = strcmp(scheme, "http") == 0 ? 80 : strcmp(scheme, "https") == 0 ? 443 : 0;
	*ret = u;
	return 0;
}
