/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Heads, fields and chunks of HTTP/1.1.
 *
 * (1) Lines end in CR LF; a bare LF, a bare CR and every other control byte are refused.
 * (2) A message has at most one framing: one Content-Length, or one "Transfer-Encoding: chunked" in
 * HTTP/1.1. (3) Nothing is repaired: folded lines, blanks before the colon, repeated Host are
 * errors, not input to guess at.
 */
#include "io/http1.h"

#include "base/arena.h"
#include "base/err.h"
#include "io/url.h"

enum { CH_TOKEN = 1, CH_VALUE = 2, CH_TARGET = 4, CH_HOST = 8 };

/* In a token, and in a host: all but the delimiters of an address. */
#define CH_PLAIN (CH_TOKEN | CH_VALUE | CH_TARGET | CH_HOST)

static const uint8_t char_class[256] = {
	['\t'] = CH_VALUE,
	[' '] = CH_VALUE,
	['!'] = CH_PLAIN,
	['"'] = CH_VALUE | CH_TARGET,
	['#'] = CH_TOKEN | CH_VALUE,
	['$' ... '\''] = CH_PLAIN,
	['(' ... ')'] = CH_VALUE | CH_TARGET | CH_HOST,
	['*' ... '+'] = CH_PLAIN,
	[','] = CH_VALUE | CH_TARGET,
	['-' ... '.'] = CH_PLAIN,
	['/'] = CH_VALUE | CH_TARGET,
	['0' ... '9'] = CH_PLAIN,
	[':' ... ';'] = CH_VALUE | CH_TARGET | CH_HOST,
	['<'] = CH_VALUE | CH_TARGET,
	['='] = CH_VALUE | CH_TARGET | CH_HOST,
	['>' ... '@'] = CH_VALUE | CH_TARGET,
	['A' ... 'Z'] = CH_PLAIN,
	['['] = CH_VALUE | CH_TARGET | CH_HOST,
	['\\'] = CH_VALUE | CH_TARGET,
	[']'] = CH_VALUE | CH_TARGET | CH_HOST,
	['^'] = CH_TOKEN | CH_VALUE | CH_TARGET,
	['_'] = CH_PLAIN,
	['`'] = CH_TOKEN | CH_VALUE | CH_TARGET,
	['a' ... 'z'] = CH_PLAIN,
	['{'] = CH_VALUE | CH_TARGET,
	['|'] = CH_TOKEN | CH_VALUE | CH_TARGET,
	['}'] = CH_VALUE | CH_TARGET,
	['~'] = CH_PLAIN,
	[0x80 ... 0xff] = CH_VALUE | CH_TARGET,
};

static bool all_of(struct slice s, uint8_t class)
{
	for (size_t i = 0; i < s.n; i++) {
		if (!(char_class[(uint8_t)s.p[i]] & class))
			return false;
	}
	return true;
}

bool h1_is_token(struct slice s)
{
	return s.n > 0 && all_of(s, CH_TOKEN);
}

bool h1_is_value(struct slice s)
{
	return all_of(s, CH_VALUE);
}

bool h1_list_has(struct slice list, const char *token)
{
	struct slice want = slice_str(token);

	while (list.p) {
		if (slice_ieq(slice_trim(slice_split(&list, ',')), want))
			return true;
	}
	return false;
}

static int refuse(struct err *err, int *status, int code, const char *why)
{
	*status = code;
	return err_set(err, code == 501 ? ERR_UNSUPPORTED : ERR_BAD_REQUEST, "%s", why);
}

/* ---- the end of a head ---- */

ssize_t h1_head_end(struct slice in, size_t *scan, const struct h1_limits *lim, int *status,
		    struct err *err)
{
	size_t start = *scan; /* begin of a line that is not complete yet */
	size_t skip = in.n >= 2 && in.p[0] == '\r' && in.p[1] == '\n' ? 2 : 0;

	/* One empty line before the request line is overlooked (RFC 9112 2.2); its CR may come
	 * alone at first. */
	if (in.n == 0 || (in.n == 1 && in.p[0] == '\r'))
		return 0;
	if (start < skip)
		start = skip;
	if (in.n > skip && !(char_class[(uint8_t)in.p[skip]] & CH_TOKEN))
		return refuse(err, status, 400,
			      "this is not HTTP: the first byte is not of a method");
	for (;;) {
		const char *lf = in.n > start ? memchr(in.p + start, '\n', in.n - start) : NULL;
		size_t end = lf ? (size_t)(lf - in.p) : in.n;

		if (start == skip && end - start > lim->line_max)
			return refuse(err, status, 414, "the request line is too long");
		if (end > lim->head_max)
			return refuse(err, status, 431, "the header fields are too large");
		if (!lf)
			break;
		if (end == start || in.p[end - 1] != '\r')
			return refuse(err, status, 400, "a line ends without CR");
		if (end - start == 1)
			return (ssize_t)(end + 1);
		start = end + 1;
	}
	*scan = start;
	return 0;
}

/* ---- fields ---- */

/* Cuts one line with its CR LF off *rest; h1_head_end made sure that they are there. */
static struct slice next_line(struct slice *rest)
{
	const char *lf = rest->n ? memchr(rest->p, '\n', rest->n) : NULL;
	struct slice line = *rest;

	if (!lf) {
		*rest = (struct slice){ 0 };
		return line;
	}
	line.n = (size_t)(lf - line.p);
	rest->n -= line.n + 1;
	rest->p = lf + 1;
	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	return line;
}

static int parse_field(struct slice line, struct http_header *h, struct err *err)
{
	const char *colon = line.n ? memchr(line.p, ':', line.n) : NULL;

	if (line.n && (line.p[0] == ' ' || line.p[0] == '\t'))
		return err_set(err, ERR_BAD_REQUEST, "a header field is folded over two lines");
	if (!colon)
		return err_set(err, ERR_BAD_REQUEST, "a header field has no colon");
	h->name = slice_of(line.p, (size_t)(colon - line.p));
	if (!h1_is_token(h->name))
		return err_set(
			err, ERR_BAD_REQUEST,
			"a header field's name is empty or has a character that is not allowed");
	h->value = slice_trim(slice_of(colon + 1, line.n - h->name.n - 1));
	if (!h1_is_value(h->value))
		return err_set(err, ERR_BAD_REQUEST, "header field %.*s has a control character",
			       (int)MIN(h->name.n, 64), h->name.p);
	return 0;
}

int h1_parse_fields(struct arena *a, struct slice lines, size_t max, struct http_header **ret,
		    size_t *ret_n, struct err *err)
{
	struct http_header *h;
	size_t n = 0, count = 0;
	int r;

	for (size_t i = 0; i < lines.n; i++)
		count += lines.p[i] == '\n';
	if (count > max)
		return err_set(err, ERR_QUOTA, "more than %zu header fields", max);
	h = ARENA_ARRAY(a, struct http_header, count + 1);
	if (!h)
		return arena_quota(a, err);
	while (lines.n > 0) {
		struct slice line = next_line(&lines);

		if (line.n == 0)
			break;
		r = parse_field(line, &h[n], err);
		if (r < 0)
			return r;
		n++;
	}
	*ret = h;
	*ret_n = n;
	return 0;
}

/* Content-Length: digits only; 18 of them keep it inside int64. */
static int parse_length(struct slice v, int64_t *ret, struct err *err)
{
	int64_t n = 0;

	if (v.n == 0 || v.n > 18)
		return err_set(err, ERR_BAD_REQUEST, "Content-Length is empty or too large");
	for (size_t i = 0; i < v.n; i++) {
		if (v.p[i] < '0' || v.p[i] > '9')
			return err_set(err, ERR_BAD_REQUEST,
				       "Content-Length '%.*s' is not a number", (int)v.n, v.p);
		n = n * 10 + (v.p[i] - '0');
	}
	*ret = n;
	return 0;
}

/* What the fields say about framing and connection. */
struct fields_seen {
	unsigned lengths, encodings, hosts;
	bool close, keep, upgrade, other_encoding;
	struct slice upgrade_to, expect;
};

static int look_at_field(struct h1_head *m, const struct http_header *h, struct fields_seen *seen,
			 struct err *err)
{
	/* The first letter sorts out most fields at once. */
	switch (h->name.p[0] | 0x20) {
	case 'c':
		if (slice_ieq(h->name, SLICE("content-length"))) {
			seen->lengths++;
			return parse_length(h->value, &m->length, err);
		}
		if (slice_ieq(h->name, SLICE("connection"))) {
			seen->close |= h1_list_has(h->value, "close");
			seen->keep |= h1_list_has(h->value, "keep-alive");
			seen->upgrade |= h1_list_has(h->value, "upgrade");
		}
		break;
	case 'e':
		if (slice_ieq(h->name, SLICE("expect")))
			seen->expect = h->value;
		break;
	case 'h':
		if (slice_ieq(h->name, SLICE("host"))) {
			seen->hosts++;
			m->rq.host = h->value;
		}
		break;
	case 't':
		if (slice_ieq(h->name, SLICE("transfer-encoding"))) {
			seen->encodings++;
			seen->other_encoding |= !slice_ieq(h->value, SLICE("chunked"));
		}
		break;
	case 'u':
		if (slice_ieq(h->name, SLICE("upgrade")))
			seen->upgrade_to = h->value;
		break;
	default: break;
	}
	return 0;
}

static int look_at_fields(struct h1_head *m, struct fields_seen *seen, struct err *err, int *status)
{
	m->length = -1;
	for (size_t i = 0; i < m->headers_n; i++) {
		if (look_at_field(m, &m->headers[i], seen, err) < 0) {
			*status = 400;
			return err_ret(err);
		}
	}
	m->keep_alive = m->minor >= 1 ? !seen->close : seen->keep && !seen->close;
	if (seen->lengths > 1)
		return refuse(err, status, 400, "more than one Content-Length");
	if (seen->encodings > 1)
		return refuse(err, status, 400, "more than one Transfer-Encoding");
	if (seen->lengths && seen->encodings)
		return refuse(err, status, 400, "both Content-Length and Transfer-Encoding");
	if (seen->encodings && m->minor < 1)
		return refuse(err, status, 400, "Transfer-Encoding in an HTTP/1.0 message");
	if (seen->other_encoding)
		return refuse(err, status, 501,
			      "only the transfer encoding 'chunked' is supported");
	return 0;
}

/* ---- requests ---- */

/* Splits an absolute target ("http://host/path") into authority and the rest. */
static int split_absolute(struct slice *target, struct slice *authority, struct err *err,
			  int *status)
{
	struct slice t = *target;
	size_t i;

	if (t.n > 7 && slice_ieq(slice_of(t.p, 7), SLICE("http://")))
		i = 7;
	else if (t.n > 8 && slice_ieq(slice_of(t.p, 8), SLICE("https://")))
		i = 8;
	else
		return refuse(err, status, 400,
			      "the request target is neither a path nor an http address");
	t = slice_of(t.p + i, t.n - i);
	for (i = 0; i < t.n && t.p[i] != '/' && t.p[i] != '?'; i++)
		;
	*authority = slice_of(t.p, i);
	*target = i < t.n ? slice_of(t.p + i, t.n - i) : SLICE("/");
	if (i == 0 || memchr(t.p, '@', i))
		return refuse(err, status, 400, "the request target has no host, or a user in it");
	return 0;
}

bool h1_is_host(struct slice host)
{
	/* Without delimiters of an address: what stands behind them might be read as the host by
	 * somebody else. */
	return all_of(host, CH_HOST);
}

/* CONNECT's target: host and port, nothing else (RFC 9112 3.2.3). */
static int parse_authority(struct http_request *rq, struct slice target, struct err *err,
			   int *status)
{
	const char *colon = target.n ? memrchr(target.p, ':', target.n) : NULL;
	size_t host_n = colon ? (size_t)(colon - target.p) : 0;
	uint64_t port = 0;

	if (host_n == 0 || !h1_is_host(target) ||
	    str_uint64(slice_of(colon + 1, target.n - host_n - 1), &port, NULL) < 0 || port == 0 ||
	    port > 65535)
		return refuse(err, status, 400, "the target of CONNECT is not 'host:port'");
	rq->path = "";
	rq->raw_path = (struct slice){ 0 };
	rq->host = target;
	return 0;
}

int h1_parse_target(struct arena *a, struct http_request *rq, struct slice target, struct err *err,
		    int *status)
{
	struct slice authority = { 0 }, path;
	const char *q;
	int r;

	if (strcmp(rq->method, "CONNECT") == 0)
		return parse_authority(rq, target, err, status);
	if (target.n == 0 || !all_of(target, CH_TARGET))
		return refuse(err, status, 400,
			      "the request target is empty or has a character that is not allowed");
	if (slice_is(target, "*")) {
		if (strcmp(rq->method, "OPTIONS") != 0)
			return refuse(err, status, 400,
				      "the request target '*' is for OPTIONS only");
		rq->path = "*";
		rq->raw_path = target;
		return 0;
	}
	if (target.p[0] != '/') {
		r = split_absolute(&target, &authority, err, status);
		if (r < 0)
			return r;
	}
	q = memchr(target.p, '?', target.n);
	rq->raw_path = slice_of(target.p, q ? (size_t)(q - target.p) : target.n);
	if (q)
		rq->query = slice_of(q + 1, target.n - rq->raw_path.n - 1);
	if (rq->raw_path.n == 0)
		rq->raw_path = SLICE("/");
	r = url_decode(a, rq->raw_path, false, &path, err);
	if (r < 0) {
		*status = r == -ERR_QUOTA ? 431 : 400;
		return err_wrap(err, "request target");
	}
	rq->path = path.p;
	/* The authority of an absolute target replaces Host (RFC 9112 3.2.2). */
	rq->host = authority;
	return 0;
}

static int parse_version(struct slice v, int *minor, struct err *err, int *status)
{
	if (v.n != 8 || memcmp(v.p, "HTTP/", 5) != 0 || v.p[5] < '0' || v.p[5] > '9' ||
	    v.p[6] != '.' || v.p[7] < '0' || v.p[7] > '9')
		return refuse(err, status, 400, "the request line does not end in an HTTP version");
	if (v.p[5] != '1')
		return refuse(err, status, 505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
	*minor = v.p[7] == '0' ? 0 : 1;
	return 0;
}

static int parse_request_line(struct arena *a, struct slice line, struct h1_head *m,
			      struct err *err, int *status)
{
	struct slice rest = line, method = slice_split(&rest, ' '),
		     target = slice_split(&rest, ' ');
	int r;

	/* Exactly two blanks: what is left over may not have another one, and a missing one leaves
	 * {NULL,0}. */
	if (!rest.p || !h1_is_token(method) || method.n > 32)
		return refuse(err, status, 400, "the request line is not 'METHOD target HTTP/1.1'");
	r = parse_version(rest, &m->minor, err, status);
	if (r < 0)
		return r;
	m->rq.major = 1;
	m->rq.minor = m->minor;
	m->rq.method = arena_strndup(a, method.p, method.n);
	if (!m->rq.method) {
		*status = 431;
		return arena_quota(a, err);
	}
	return h1_parse_target(a, &m->rq, target, err, status);
}

int h1_parse_request(struct arena *a, struct slice head, const struct h1_limits *lim,
		     struct h1_head *ret, struct err *err, int *status)
{
	struct h1_head m = { 0 };
	struct fields_seen seen = { 0 };
	struct slice rest = head, line, authority;
	int r;

	line = next_line(&rest);
	if (line.n == 0)
		line = next_line(&rest);
	r = parse_request_line(a, line, &m, err, status);
	if (r < 0)
		return r;
	authority = m.rq.host;
	r = h1_parse_fields(a, rest, lim->headers_max + 1, &m.headers, &m.headers_n, err);
	if (r < 0) {
		*status = r == -ERR_QUOTA ? 431 : 400;
		return r;
	}
	r = look_at_fields(&m, &seen, err, status);
	if (r < 0)
		return r;
	if (seen.hosts > 1 || (seen.hosts == 0 && m.minor >= 1))
		return refuse(err, status, 400,
			      seen.hosts ? "more than one Host" : "no Host in an HTTP/1.1 request");
	if (!h1_is_host(m.rq.host))
		return refuse(err, status, 400, "Host is not a host name");
	if (authority.n)
		m.rq.host = authority;
	if (seen.expect.p && !slice_ieq(seen.expect, SLICE("100-continue")))
		return refuse(err, status, 417, "only the expectation '100-continue' can be met");
	m.body = seen.encodings ? H1_CHUNKED : m.length > 0 ? H1_LENGTH : H1_NO_BODY;
	m.expect_continue = seen.expect.p && m.minor >= 1 && m.body != H1_NO_BODY;
	if (seen.upgrade && m.minor >= 1)
		m.rq.upgrade = seen.upgrade_to;
	m.rq.has_body = m.body != H1_NO_BODY;
	m.rq.length = m.body == H1_CHUNKED ? -1 : m.length > 0 ? m.length : 0;
	*ret = m;
	return 0;
}

/* ---- responses ---- */

static int parse_status_line(struct slice line, struct h1_head *m, struct err *err)
{
	/* "HTTP/1.1 200 reason"; the blank before an empty reason may be missing. */
	if (line.n < 12 || memcmp(line.p, "HTTP/1.", 7) != 0 || line.p[7] < '0' ||
	    line.p[7] > '9' || line.p[8] != ' ' || (line.n > 12 && line.p[12] != ' ') ||
	    !h1_is_value(line))
		return err_set(err, ERR_BAD_REQUEST,
			       "the answer does not begin with an HTTP/1.1 status line");
	m->minor = line.p[7] == '0' ? 0 : 1;
	for (int i = 9; i < 12; i++) {
		if (line.p[i] < '0' || line.p[i] > '9')
			return err_set(err, ERR_BAD_REQUEST, "the answer's status is not a number");
		m->status = m->status * 10 + (line.p[i] - '0');
	}
	if (m->status < 100 || m->status > 599)
		return err_set(err, ERR_BAD_REQUEST, "the answer's status %d is not one of HTTP",
			       m->status);
	return 0;
}

int h1_parse_response(struct arena *a, struct slice head, const struct h1_limits *lim,
		      const char *method, struct h1_head *ret, struct err *err)
{
	struct h1_head m = { 0 };
	struct fields_seen seen = { 0 };
	struct slice rest = head;
	int r, status = 0;

	r = parse_status_line(next_line(&rest), &m, err);
	if (r < 0)
		return r;
	r = h1_parse_fields(a, rest, lim->headers_max + 1, &m.headers, &m.headers_n, err);
	if (r < 0)
		return r;
	r = look_at_fields(&m, &seen, err, &status);
	if (r < 0)
		return err_wrap(err, "answer");
	if (strcmp(method, "HEAD") == 0 || m.status < 200 || m.status == 204 || m.status == 304)
		m.body = H1_NO_BODY;
	else if (seen.encodings)
		m.body = H1_CHUNKED;
	else if (m.length >= 0)
		m.body = m.length > 0 ? H1_LENGTH : H1_NO_BODY;
	else
		m.body = H1_UNTIL_CLOSE;
	if (m.body == H1_UNTIL_CLOSE)
		m.keep_alive = false;
	*ret = m;
	return 0;
}

/* ---- body framing ---- */

void h1_body_init(struct h1_body *b, enum h1_body_kind kind, int64_t length)
{
	*b = (struct h1_body){ .kind = kind, .trailer = BUF_INIT(H1_TRAILERS_MAX) };
	if (kind == H1_LENGTH)
		b->left = (uint64_t)length;
	b->done = kind == H1_NO_BODY || (kind == H1_LENGTH && length == 0);
}

void h1_body_fini(struct h1_body *b)
{
	buf_fini(&b->trailer);
}

static int bad_chunk(struct err *err, const char *why)
{
	return err_set(err, ERR_BAD_REQUEST, "chunked body: %s", why);
}

static int chunk_digit(struct h1_body *b, char c, struct err *err)
{
	unsigned v;

	if (c >= '0' && c <= '9')
		v = (unsigned)(c - '0');
	else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
		v = (unsigned)((c | 0x20) - 'a') + 10;
	else
		return bad_chunk(err, "a chunk size is not hexadecimal");
	if (++b->digits > 15)
		return bad_chunk(err, "a chunk size is too large");
	b->left = b->left << 4 | v;
	return 0;
}

/* One byte of "1a;name=value" up to its CR. Extensions are skipped, within limits. */
static int chunk_size_byte(struct h1_body *b, char c, struct err *err)
{
	if (++b->line > H1_CHUNK_LINE_MAX)
		return bad_chunk(err, "a chunk size line is too long");
	if (c == '\r') {
		if (b->digits == 0)
			return bad_chunk(err, "a chunk size is missing");
		b->state = CK_SIZE_LF;
		return 0;
	}
	if (!b->in_extension) {
		if (c != ';')
			return chunk_digit(b, c, err);
		if (b->digits == 0)
			return bad_chunk(err, "a chunk size is missing");
		b->in_extension = true;
	}
	if (++b->extensions > H1_EXTENSIONS_MAX)
		return bad_chunk(err, "too many chunk extensions");
	if (!(char_class[(uint8_t)c] & CH_VALUE))
		return bad_chunk(err, "a chunk extension has a control character");
	return 0;
}

/* Collects trailer lines until the empty one; the fields are parsed when all are there. */
static int trailer_byte(struct h1_body *b, char c, struct err *err)
{
	struct buf *t = &b->trailer;
	char before = t->n ? t->p[t->n - 1] : '\n';

	if (buf_addc(t, c) < 0)
		return bad_chunk(err, "the trailers are too large");
	if (before == '\r' && c != '\n')
		return bad_chunk(err, "a trailer has a bare CR");
	if (c != '\n')
		return 0;
	if (before != '\r')
		return bad_chunk(err, "a trailer line ends without CR");
	if (t->n == 2 || (t->n >= 4 && t->p[t->n - 3] == '\n')) {
		t->n -= 2;
		b->state = CK_DONE;
		b->done = true;
	}
	return 0;
}

static int chunk_byte(struct h1_body *b, char c, struct err *err)
{
	switch (b->state) {
	case CK_SIZE: return chunk_size_byte(b, c, err);
	case CK_SIZE_LF:
		if (c != '\n')
			return bad_chunk(err, "a chunk size line ends without LF");
		b->state = b->left ? CK_DATA : CK_TRAILER;
		return 0;
	case CK_DATA_CR:
		if (c != '\r')
			return bad_chunk(err, "a chunk is longer than its size");
		b->state = CK_DATA_LF;
		return 0;
	case CK_DATA_LF:
		if (c != '\n')
			return bad_chunk(err, "a chunk is longer than its size");
		b->state = CK_SIZE;
		b->digits = b->line = 0;
		b->in_extension = false;
		return 0;
	case CK_TRAILER: return trailer_byte(b, c, err);
	default: return bad_chunk(err, "bytes after the end");
	}
}

static ssize_t take_payload(struct h1_body *b, struct slice in, size_t credit, struct slice *data)
{
	size_t n = MIN(in.n, credit);

	if (b->kind != H1_UNTIL_CLOSE)
		n = (size_t)MIN((uint64_t)n, b->left);
	*data = slice_of(in.p, n);
	if (b->kind == H1_UNTIL_CLOSE)
		return (ssize_t)n;
	b->left -= n;
	if (b->left == 0 && b->kind == H1_LENGTH)
		b->done = true;
	if (b->left == 0 && b->kind == H1_CHUNKED)
		b->state = CK_DATA_CR;
	return (ssize_t)n;
}

ssize_t h1_body_step(struct h1_body *b, struct slice in, size_t credit, struct slice *data,
		     struct err *err)
{
	size_t i = 0;
	int r;

	*data = (struct slice){ 0 };
	if (b->done || in.n == 0)
		return 0;
	if (b->kind != H1_CHUNKED)
		return take_payload(b, in, credit, data);
	while (i < in.n && !b->done && b->state != CK_DATA) {
		/* left is being read while the state is CK_SIZE, so payload is told by the state
		 * alone. */
		r = chunk_byte(b, in.p[i], err);
		if (r < 0)
			return r;
		i++;
	}
	if (b->state == CK_DATA && i < in.n)
		i += (size_t)take_payload(b, slice_of(in.p + i, in.n - i), credit, data);
	return (ssize_t)i;
}

const char *h1_reason(int status)
{
	static const struct {
		int status;
		const char *reason;
	} reasons[] = {
		{ 100, "Continue" },
		{ 101, "UPGRADED" }, /* docker's spelling; nobody reads it but old scripts */
		{ 200, "OK" },
		{ 201, "Created" },
		{ 202, "Accepted" },
		{ 204, "No Content" },
		{ 206, "Partial Content" },
		{ 301, "Moved Permanently" },
		{ 302, "Found" },
		{ 303, "See Other" },
		{ 304, "Not Modified" },
		{ 307, "Temporary Redirect" },
		{ 308, "Permanent Redirect" },
		{ 400, "Bad Request" },
		{ 401, "Unauthorized" },
		{ 403, "Forbidden" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 406, "Not Acceptable" },
		{ 408, "Request Timeout" },
		{ 409, "Conflict" },
		{ 410, "Gone" },
		{ 411, "Length Required" },
		{ 412, "Precondition Failed" },
		{ 413, "Request Entity Too Large" },
		{ 414, "Request URI Too Long" },
		{ 415, "Unsupported Media Type" },
		{ 416, "Requested Range Not Satisfiable" },
		{ 417, "Expectation Failed" },
		{ 422, "Unprocessable Entity" },
		{ 429, "Too Many Requests" },
		{ 431, "Request Header Fields Too Large" },
		{ 500, "Internal Server Error" },
		{ 501, "Not Implemented" },
		{ 502, "Bad Gateway" },
		{ 503, "Service Unavailable" },
		{ 504, "Gateway Timeout" },
		{ 505, "HTTP Version Not Supported" },
	};

	for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
		if (reasons[i].status == status)
			return reasons[i].reason;
	}
	return "Status";
}
