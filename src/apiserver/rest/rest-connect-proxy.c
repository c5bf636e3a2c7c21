/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The proxies of pods, services and nodes: a request of any method goes to the other side without
 * its credentials, body and answer as they come. Redirects are not followed: their address is told
 * as the client has to ask for it, and so are links of pages.
 *
 * A node's proxy asks the node's agent and nothing else: it is the only one who gets our
 * certificate, so neither its port nor its scheme is the client's choice (CVE-2022-3294).
 */
#include "apiserver/rest/rest-connect.h"

#include "apiserver/rest/rest-connect-html.h"
#include "io/http-client.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* ---- paths ---- */

/* As upstream's: no empty, "." or ".." segments, which never lead above "/"; the slash at the end
 * stays. */
static const char *clean_path(struct arena *a, const char *path)
{
	size_t len = strlen(path), n = 0;
	bool slash = len && path[len - 1] == '/';
	char *out = arena_alloc(a, len + 2);

	if (!out)
		return NULL;
	while (*path) {
		size_t seg = strcspn(path, "/");

		if (seg == 2 && path[0] == '.' && path[1] == '.') {
			while (n > 0 && out[--n] != '/')
				;
		} else if (seg > 0 && !(seg == 1 && path[0] == '.')) {
			out[n++] = '/';
			memcpy(out + n, path, seg);
			n += seg;
		}
		path += seg + (path[seg] == '/');
	}
	if (slash && (n == 0 || out[n - 1] != '/'))
		out[n++] = '/';
	out[n] = '\0';
	return out;
}

/* Go's choice of what stands for itself in a path. */
static void encode_path(struct buf *b, const char *path)
{
	for (; *path; path++) {
		unsigned char c = (unsigned char)*path;

		if (isalnum(c) || strchr("-_.~$&+,/:;=@", c))
			(void)buf_addc(b, (char)c);
		else
			(void)buf_addf(b, "%%%02X", c);
	}
}

const char *connect_target(struct arena *a, const char *path, struct slice query)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(CONNECT_TARGET_MAX);

	encode_path(&b, path);
	if (query.n) {
		(void)buf_addc(&b, '?');
		(void)buf_add(&b, query.p, query.n);
	}
	return b.full ? NULL : arena_strndup(a, b.n ? b.p : "", b.n);
}

/* The request's path up to the other side's: what its own paths stand behind for the client. */
static const char *own_prefix(struct call *c)
{
	const char *path = stream_request(c->s)->path;
	size_t n = strlen(path) - strlen(c->rq.rest);

	while (n > 0 && path[n - 1] == '/')
		n--;
	path = arena_strndup(c->a, path, n);
	return path ? connect_target(c->a, path, (struct slice){ 0 }) : NULL;
}

static int set_paths(struct connect *x, struct err *err)
{
	struct call *c = x->call;
	const struct http_request *q = stream_request(c->s);
	const char *path = clean_path(c->a, c->rq.rest);

	x->prefix = own_prefix(c);
	x->target = path ? connect_target(c->a, *path ? path : "/", q->query) : NULL;
	if (!x->prefix || !x->target)
		return status_bad_request(err, &c->about, "the path is too long to be handed on");
	return 0;
}

/* A page at the root needs the slash, so that what it names beside itself is found. */
static bool redirect_root(struct connect *x)
{
	struct call *c = x->call;
	const struct http_request *q = stream_request(c->s);
	bool get = strcmp(q->method, "GET") == 0 || strcmp(q->method, "HEAD") == 0;
	const char *to;

	if (*c->rq.rest || !get || q->upgrade.n)
		return false;
	to = arena_printf(c->a, "%s%s", x->prefix, x->target); /* its path is "/" */
	if (!to || stream_set_header(c->s, "Location", to) < 0)
		connect_broken(x, "the request does not fit its memory");
	else
		call_text(c, 301, NULL, SLICE(""));
	return true;
}

/* ---- answers ---- */

static struct html_links links_of(struct connect *x)
{
	const char *url = agent_url(x->agent);

	return (struct html_links){ .prefix = x->prefix,
				    .own = slice_str(strchr(url, '/') + 2),
				    .asked = stream_request(x->call->s)->host };
}

static void rewrite_location(struct connect *x, struct slice to)
{
	const struct html_links l = links_of(x);
	CLEANUP(buf_fini) struct buf b = BUF_INIT(CONNECT_TARGET_MAX);

	if (html_link(&l, to, &b) == 0)
		(void)stream_set_header(x->call->s, "Location", buf_str(&b));
}

static bool is_page(const struct stream *s, enum html_coding *ret)
{
	struct slice type = stream_header(s, "Content-Type"),
		     coding = slice_trim(stream_header(s, "Content-Encoding"));

	*ret = slice_is(coding, "gzip")	     ? HTML_GZIP
	       : slice_is(coding, "deflate") ? HTML_DEFLATE
					     : HTML_PLAIN;
	return slice_ieq(slice_trim(slice_split(&type, ';')), SLICE("text/html")) &&
	       (coding.n == 0 || *ret != HTML_PLAIN);
}

static int rewrite_page(struct pipe_end *e, struct slice in, bool last, struct buf *out)
{
	return html_rewrite(e->x->html, in, last, out);
}

void connect_trailers(struct pipe_end *e)
{
	struct call *c = e->x->call;
	struct slice list = stream_header(e->s, "Trailer");

	while (list.p) {
		struct slice one = slice_trim(slice_split(&list, ',')), v;
		const char *name = arena_strndup(c->a, one.p, one.n), *value;

		v = name && *name ? stream_got_trailer(e->s, name) : (struct slice){ 0 };
		value = v.p ? arena_strndup(c->a, v.p, v.n) : NULL;
		if (value)
			(void)stream_set_trailer(c->s, name, value);
	}
}

static const struct pipe_ops page_ops = { .closed = connect_back_closed,
					  .ended = connect_trailers,
					  .filter = rewrite_page };

static void on_head(struct pipe_end *e)
{
	struct connect *x = e->x;
	struct call *c = x->call;
	struct slice to = stream_header(e->s, "Location");
	const struct html_links l = links_of(x);
	enum html_coding coding;
	bool page = is_page(e->s, &coding) && !to.n && strcmp(stream_request(c->s)->method, "HEAD");

	c->answered = true;
	c->code = stream_status(e->s);
	head_answer(x);
	if (to.n)
		rewrite_location(x, to);
	if (page) {
		x->html = html_new(&l, coding);
		e->ops = &page_ops;
	}
	/* closed: nobody reads it */
	(void)stream_start(c->s, c->code, page ? -1 : stream_length(e->s));
	call_started(c);
	pipe_flow(&x->back, &x->front);
}

static const struct pipe_ops proxy_ops = { .closed = connect_back_closed,
					   .ended = connect_trailers,
					   .head = on_head };

static void ask(struct connect *x)
{
	struct call *c = x->call;
	const struct http_request *q = stream_request(c->s);
	const char *uri;

	if (q->upgrade.n && !q->has_body) {
		connect_upgrade(x);
		return;
	}
	uri = arena_printf(c->a, "%s%.*s", x->prefix, (int)strcspn(x->target, "?"), x->target);
	if (!uri || connect_open(x, q->method, &proxy_ops) < 0)
		return;
	if (head_request(x, true) < 0 || stream_set_header(x->back.s, "X-Forwarded-Uri", uri) < 0) {
		connect_broken(x, "the request's headers do not fit");
		return;
	}
	connect_send(x, q->has_body ? q->length : HTTP_NO_BODY, false);
	if (q->has_body && x->back.s)
		pipe_flow(&x->front, &x->back);
}

static void not_reached(struct connect *x, const struct err *err)
{
	struct err e = ERR_INIT;

	(void)status_unavailable(&e, &x->call->about, "error trying to reach service: %s",
				 err->msg);
	connect_fail(x, &e);
}

/* ---- whom ---- */

static struct item *named(struct call *c, const char *name)
{
	const char *ns = c->resource->kind->namespaced ? c->rq.namespace_ : "";

	return resources_get(c->srv->conf.resources, "", c->rq.resource, ns, name);
}

/* The agent's port and scheme, if any are named. */
static int check_node(struct call *c, struct item *node, const struct connect_id *id,
		      struct err *err)
{
	struct agent_place place;
	uint64_t port;
	struct doc d;
	int r = codec_parse(node, call_work(c), &d, err);

	if (r == 0)
		r = agent_place(&d, c->srv->conf.node_addresses, c->a, &place, err);
	if (r < 0)
		return r;
	if ((*id->port &&
	     (str_uint64(slice_str(id->port), &port, NULL) < 0 || port != place.port)) ||
	    strcmp(id->scheme, "http") == 0)
		return status_bad_request(err, &c->about,
					  "only the agent of node \"%s\" can be asked: port %u, "
					  "https",
					  id->name, place.port);
	return 0;
}

static void to_node(struct connect *x, struct item *node, const struct connect_id *id)
{
	struct err err = ERR_INIT;

	if (check_node(x->call, node, id, &err) < 0)
		connect_fail(x, &err);
	else
		connect_node(x, id->name, node, AGENT_NODE, true);
}

static void to_pod(struct connect *x, struct item *i, const struct connect_id *id)
{
	struct call *c = x->call;
	struct connect_place at;
	struct err err = ERR_INIT;
	struct doc d;
	int r = codec_parse(i, call_work(c), &d, &err);

	if (r == 0)
		r = strcmp(c->rq.resource, "pods") == 0 ? connect_pod(c, &d, id, &at, &err)
							: connect_service(c, &d, id, &at, &err);
	if (r < 0)
		connect_fail(x, &err);
	else
		connect_address(x, &at.ip, at.port, at.tls ? AGENT_POD_TLS : AGENT_POD);
}

static int prepare(struct connect *x, struct connect_id *id, struct err *err)
{
	struct call *c = x->call;
	/* "pod", "service", "node" */
	const int len = (int)strlen(c->rq.resource) - 1;

	if (!connect_split(c->a, c->rq.name, id))
		return status_bad_request(err, &c->about, "invalid %.*s request \"%s\"", len,
					  c->rq.resource, c->rq.name);
	if (!named(c, id->name))
		return status_not_found(err, &c->about, id->name);
	return set_paths(x, err);
}

void connect_proxy(struct call *c)
{
	struct connect *x = c->verb;
	struct err err = ERR_INIT;
	struct connect_id id;

	x->ready = ask;
	x->unreachable = not_reached;
	if (prepare(x, &id, &err) < 0)
		connect_fail(x, &err);
	else if (redirect_root(x))
		return;
	else if (strcmp(c->rq.resource, "nodes") == 0)
		to_node(x, named(c, id.name), &id);
	else
		to_pod(x, named(c, id.name), &id);
}
