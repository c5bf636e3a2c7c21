/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Headers of what is handed on, both ways. What belongs to one connection stays on it (RFC 9110,
 * 7.6.1), and what tells the API who its client is, or lets it act as another, goes to nobody else.
 */
#include "apiserver/rest/rest-connect.h"

#include "apiserver/auth/authn.h"
#include "base/hash.h"

#include <stdio.h>
#include <string.h>

#define TOKEN_PROTOCOL "base64url.bearer.authorization.k8s.io."

static const char *const hop_names[] = { "connection",
					 "proxy-connection",
					 "keep-alive",
					 "proxy-authenticate",
					 "proxy-authorization",
					 "te",
					 "trailer",
					 "upgrade",
					 "transfer-encoding",
					 "content-length",
					 "http2-settings",
					 NULL };
/* Codecs and proxies do these themselves, or they are credentials. */
static const char *const request_names[] = { "host",
					     "expect",
					     "authorization",
					     "x-forwarded-for",
					     "x-forwarded-uri",
					     "sec-websocket-protocol",
					     "x-remote-user",
					     "x-remote-uid",
					     "x-remote-group",
					     "impersonate-user",
					     "impersonate-uid",
					     "impersonate-group",
					     NULL };
static const char *const request_prefixes[] = { "x-remote-extra-", "impersonate-extra-", NULL };
static const char *const answer_names[] = { "date", "audit-id", "x-kubernetes-pf-flowschema-uid",
					    "x-kubernetes-pf-prioritylevel-uid", NULL };
/* Pages of others must not read the API by way of a pod. */
static const char *const cors_names[] = { "access-control-allow-credentials",
					  "access-control-allow-headers",
					  "access-control-allow-methods",
					  "access-control-allow-origin", NULL };

static bool is_in(struct slice name, const char *const *list)
{
	for (; *list; list++)
		if (slice_ieq(name, slice_str(*list)))
			return true;
	return false;
}

static bool begins_with_one(struct slice name, const char *const *list)
{
	for (; *list; list++) {
		size_t n = strlen(*list);

		if (name.n >= n && slice_ieq(slice_of(name.p, n), slice_of(*list, n)))
			return true;
	}
	return false;
}

/* Of this connection only, also by what Connection names. */
static bool is_hop(const struct stream *s, struct slice name)
{
	char text[64];

	if (is_in(name, hop_names))
		return true;
	if (name.n >= sizeof(text))
		return false;
	memcpy(text, name.p, name.n);
	text[name.n] = '\0';
	return stream_header_has(s, "Connection", text);
}

/* One by which our front proxies say for whom they ask: who trusts us may trust it too. */
static bool is_of_front(const struct authn_front *f, struct slice name)
{
	return f && ((f->users && is_in(name, f->users)) || (f->uids && is_in(name, f->uids)) ||
		     (f->groups && is_in(name, f->groups)) ||
		     (f->extras && begins_with_one(name, f->extras)));
}

static int copy(struct stream *to, const struct http_header *h, bool replace, struct arena *a)
{
	const char *name = arena_strndup(a, h->name.p, h->name.n),
		   *value = arena_strndup(a, h->value.n ? h->value.p : "", h->value.n);
	int r;

	if (!name || !value)
		return -ERR_QUOTA;
	r = replace ? stream_set_header(to, name, value) : stream_add_header(to, name, value);
	return r == -ERR_QUOTA ? r : 0; /* one that is malformed is left out */
}

/* "192.0.2.1" of "192.0.2.1:4711", "2001:db8::1" of "[2001:db8::1]:4711"; "": not known. */
static void peer_address(const struct stream *s, char *out, size_t n)
{
	const struct stream_peer *peer = stream_peer(s);
	const char *at = peer ? peer->addr : "", *colon = strrchr(at, ':');
	size_t len = colon ? (size_t)(colon - at) : 0;

	if (len > 2 && *at == '[') {
		at++;
		len -= 2;
	}
	(void)snprintf(out, n, "%.*s", (int)len, at);
}

/* Who was asked for whom, in the order of the way. */
static int forwarded_for(struct connect *x, struct arena *a)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(16u << 10);
	struct stream *s = x->call->s;
	char address[64];
	size_t n;
	const struct http_header *h = stream_headers(s, &n);

	for (size_t i = 0; i < n; i++) {
		if (!slice_ieq(h[i].name, SLICE("x-forwarded-for")))
			continue;
		(void)buf_adds(&b, b.n ? ", " : "");
		(void)buf_add(&b, h[i].value.p, h[i].value.n);
	}
	peer_address(s, address, sizeof(address));
	if (*address && buf_addf(&b, "%s%s", b.n ? ", " : "", address) < 0)
		return -ERR_QUOTA;
	return b.n ? copy(x->back.s,
			  &(struct http_header){ SLICE("X-Forwarded-For"), buf_slice(&b) }, true, a)
		   : 0;
}

const char *head_protocols(struct stream *s, struct arena *a)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(16u << 10);
	size_t n;
	const struct http_header *h = stream_headers(s, &n);

	for (size_t i = 0; i < n; i++) {
		struct slice list = h[i].value;

		if (!slice_ieq(h[i].name, SLICE("sec-websocket-protocol")))
			continue;
		while (list.p) {
			struct slice one = slice_trim(slice_split(&list, ','));

			if (one.n && !slice_starts(one, SLICE(TOKEN_PROTOCOL)))
				(void)buf_addf(&b, "%s%.*s", b.n ? ", " : "", (int)one.n, one.p);
		}
	}
	return b.n ? arena_strndup(a, b.p, b.n) : NULL;
}

int head_request(struct connect *x, bool host)
{
	struct stream *from = x->call->s, *to = x->back.s;
	struct arena *a = stream_arena(to);
	const char *protocols = head_protocols(from, a);
	size_t n;
	const struct http_header *h = stream_headers(from, &n);
	int r = forwarded_for(x, a);

	for (size_t i = 0; r == 0 && i < n; i++)
		if (!is_hop(from, h[i].name) && !is_in(h[i].name, request_names) &&
		    !begins_with_one(h[i].name, request_prefixes) &&
		    !is_of_front(x->call->srv->conf.front, h[i].name))
			r = copy(to, &h[i], false, a);
	if (r == 0 && host)
		r = copy(to, &(struct http_header){ SLICE("Host"), stream_request(from)->host },
			 true, a);
	if (r == 0 && protocols)
		r = stream_set_header(to, "Sec-WebSocket-Protocol", protocols);
	return r == 0 && x->dress ? x->dress(x) : r;
}

static bool is_repeated(const struct http_header *h, size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (slice_ieq(h[j].name, h[i].name))
			return true;
	return false;
}

void head_answer(struct connect *x)
{
	struct stream *from = x->back.s, *to = x->call->s;
	/* HTTP/2 has no key that could be accepted (RFC 8441, 5.1). */
	const bool h2 = stream_request(to)->major >= 2;
	size_t n;
	const struct http_header *h = stream_headers(from, &n);

	for (size_t i = 0; i < n; i++) {
		if (is_hop(from, h[i].name) || is_in(h[i].name, answer_names) ||
		    ((x->prefix || x->sub == CONNECT_REMOTE) && is_in(h[i].name, cors_names)) ||
		    (h2 && slice_ieq(h[i].name, SLICE("sec-websocket-accept"))))
			continue;
		if (copy(to, &h[i], !is_repeated(h, i), x->call->a) < 0)
			break;
	}
	call_headers(x->call);
}

bool connect_asks(const struct stream *s, const char *protocol)
{
	return stream_header_has(s, "Sec-WebSocket-Protocol", protocol);
}
