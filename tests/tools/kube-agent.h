/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A node's agent as the API server sees it, and the pods behind: what tests hand requests on to.
 *
 *	/containerLogs/NS/POD/CONTAINER   by the container: "app" two lines (with follow more,
 *	                                  by agent_stub.follow), "big" 2 MiB, "waiting" 400,
 *	                                  "gone" 404, "broken" 500, "moved" 302
 *	/exec /attach /portForward        kube-streams.h; container "refused": 404, "moved": 302,
 *	                                  "fine": 200 without an upgrade
 *	/upgrade                          101 to "echo", raw bytes come back
 *	/page /gzip /redirect /absolute   links
 *	/headers                          what came, as lines
 *	/big                              2 MiB
 *	/broken                           stands in the middle (agent_stub.follow)
 *	else                              "METHOD TARGET BODY"
 */
#pragma once

#include "kube-streams.h"

#include "crypto/tls.h"
#include "crypto/x509.h"

#include <string.h>
#include <zlib.h>

#define AGENT_BIG (2u << 20)

struct agent_stub {
	char name[96];	       /* of the client's certificate, the last that came */
	char target[2048];     /* of the last request */
	struct stream *follow; /* a log that is followed */
	bool follow_gone;
	unsigned requests;
};

struct agent_big {
	size_t left;
	char piece[16384];
};

static void big_go(struct stream *s)
{
	struct agent_big *b = stream_arg(s);

	while (b->left > 0) {
		size_t n = MIN(b->left, sizeof(b->piece));
		int r = stream_write(s, b->piece, n);

		if (r >= 0)
			b->left -= n;
		if (r != 0)
			return;
	}
	(void)stream_end(s);
}

static const struct stream_events big_events = { .writable = big_go };

static inline void agent_big(struct stream *s)
{
	struct agent_big *b = ARENA_NEW(stream_arena(s), struct agent_big);

	b->left = AGENT_BIG;
	memset(b->piece, 'b', sizeof(b->piece));
	stream_on(s, &big_events, b);
	(void)stream_set_header(s, "Content-Type", "text/plain");
	(void)stream_start(s, 200, -1);
	big_go(s);
}

/* ---- logs ---- */

static void follow_closed(struct stream *s, const struct err *why)
{
	struct agent_stub *a = stream_arg(s);

	(void)why;
	a->follow_gone = true;
	stream_unref(a->follow);
	a->follow = NULL;
}

static void follow_cancel(struct stream *s)
{
	stream_reset(s, NULL);
}

static const struct stream_events follow_events = { .closed = follow_closed,
						    .cancel = follow_cancel };

static inline void agent_log(struct agent_stub *a, struct stream *s, const char *container)
{
	if (strcmp(container, "waiting") == 0) {
		(void)stream_replyf(s, 400, "text/plain",
				    "container \"waiting\" in pod \"p\" is waiting to start: "
				    "ContainerCreating");
	} else if (strcmp(container, "gone") == 0) {
		(void)stream_replyf(s, 404, "text/plain", "no such pod");
	} else if (strcmp(container, "broken") == 0) {
		(void)stream_replyf(s, 500, "text/plain", "the disk is gone");
	} else if (strcmp(container, "moved") == 0) {
		(void)stream_set_header(s, "Location", "http://169.254.169.254/latest");
		(void)stream_replyf(s, 302, "text/plain", "elsewhere");
	} else if (strcmp(container, "big") == 0) {
		agent_big(s);
	} else if (slice_has_text(stream_request(s)->query, SLICE("follow=true"))) {
		a->follow = stream_ref(s);
		a->follow_gone = false;
		stream_on(s, &follow_events, a);
		(void)stream_start(s, 200, -1);
		(void)stream_write(s, "line 1\n", 7);
	} else {
		(void)stream_replyf(s, 200, "text/plain", "line 1\nline 2\n");
	}
}

/* ---- pages and echoes ---- */

static void whole(struct stream *s, void *arg, int result, struct slice body, struct err *err)
{
	const struct http_request *q = stream_request(s);

	(void)arg;
	(void)err;
	if (result < 0)
		return;
	(void)stream_set_header(s, "Access-Control-Allow-Origin", "*");
	(void)stream_set_header(s, "X-Pod", "yes");
	(void)stream_replyf(s, 200, "text/plain", "%s %.*s%s%.*s [%.*s]", q->method,
			    (int)q->raw_path.n, q->raw_path.p, q->query.n ? "?" : "",
			    (int)q->query.n, q->query.n ? q->query.p : "", (int)MIN(body.n, 200u),
			    body.p);
}

static inline void agent_headers(struct stream *s)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(65536);
	size_t n;
	const struct http_header *h = stream_headers(s, &n);

	for (size_t i = 0; i < n; i++)
		(void)buf_addf(&b, "%.*s: %.*s\n", (int)h[i].name.n, h[i].name.p, (int)h[i].value.n,
			       h[i].value.p);
	(void)stream_reply(s, 200, "text/plain", b.p, b.n);
}

#define AGENT_PAGE "<html><a href=\"/x/y\">1</a><a href=z>2</a></html>"

static inline void agent_gzip(struct stream *s)
{
	unsigned char out[1024];
	z_stream z = { .next_in = (unsigned char *)AGENT_PAGE,
		       .avail_in = sizeof(AGENT_PAGE) - 1,
		       .next_out = out,
		       .avail_out = sizeof(out) };

	(void)deflateInit2(&z, 6, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY);
	(void)deflate(&z, Z_FINISH);
	(void)deflateEnd(&z);
	(void)stream_set_header(s, "Content-Encoding", "gzip");
	(void)stream_reply(s, 200, "text/html; charset=utf-8", out, sizeof(out) - z.avail_out);
}

static inline void agent_upgrade(struct stream *s)
{
	stream_on(s, &echo_events, NULL);
	(void)stream_set_header(s, "X-Pod", "yes");
	if (stream_hijack(s, 101, NULL) == 0)
		stream_read(s, 32768);
}

static inline bool agent_page(struct agent_stub *a, struct stream *s, const char *path)
{
	if (strcmp(path, "/page") == 0)
		(void)stream_replyf(s, 200, "text/html", "%s", AGENT_PAGE);
	else if (strcmp(path, "/gzip") == 0)
		agent_gzip(s);
	else if (strcmp(path, "/headers") == 0)
		agent_headers(s);
	else if (strcmp(path, "/upgrade") == 0)
		agent_upgrade(s);
	else if (strcmp(path, "/big") == 0)
		agent_big(s);
	else if (strcmp(path, "/redirect") == 0 || strcmp(path, "/absolute") == 0) {
		(void)stream_set_header(s, "Location",
					path[1] == 'r' ? "/there?q=1" : "http://other.test/x");
		(void)stream_replyf(s, 302, "text/plain", "moved");
	} else if (strcmp(path, "/broken") == 0) {
		a->follow = stream_ref(s);
		stream_on(s, &follow_events, a);
		(void)stream_start(s, 200, 1000);
		(void)stream_write(s, "half", 4);
	} else {
		return false;
	}
	return true;
}

/* ---- requests ---- */

static inline void agent_session(struct stream *s, const char *what, const char *container)
{
	static const char *const names[STREAMS] = { "input", "output", "error", "", "tty" };

	if (strcmp(container, "refused") == 0) {
		(void)stream_replyf(s, 404, "text/plain", "container not found (\"refused\")");
	} else if (strcmp(container, "moved") == 0) {
		(void)stream_set_header(s, "Location", "http://169.254.169.254/latest");
		(void)stream_replyf(s, 302, "text/plain", "elsewhere");
	} else if (strcmp(container, "fine") == 0) {
		(void)stream_replyf(s, 200, "text/plain", "fine");
	} else if (what[1] == 'p') {
		serve_forward(s);
	} else {
		serve_exec(s, what + 1, names);
	}
}

static inline void agent_remember(struct agent_stub *a, struct stream *s)
{
	const struct http_request *q = stream_request(s);
	const struct stream_peer *peer = stream_peer(s);

	a->requests++;
	snprintf(a->target, sizeof(a->target), "%.*s%s%.*s", (int)q->raw_path.n, q->raw_path.p,
		 q->query.n ? "?" : "", (int)q->query.n, q->query.n ? q->query.p : "");
	snprintf(a->name, sizeof(a->name), "%s",
		 peer && peer->tls && peer->tls->chain_n ? cert_info(peer->tls->chain[0])->names.cn
							 : "");
}

static void agent_serve(struct stream *s, void *arg)
{
	struct agent_stub *a = arg;
	const char *path = stream_request(s)->path, *last = strrchr(path, '/');

	agent_remember(a, s);
	if (strncmp(path, "/containerLogs/", 15) == 0)
		agent_log(a, s, last + 1);
	else if (strncmp(path, "/exec/", 6) == 0)
		agent_session(s, "/exec", last + 1);
	else if (strncmp(path, "/attach/", 8) == 0)
		agent_session(s, "/attach", last + 1);
	else if (strncmp(path, "/portForward/", 13) == 0)
		agent_session(s, "/portforward", last + 1);
	else if (!agent_page(a, s, path))
		stream_collect(s, 64u << 20, whole, NULL);
}
