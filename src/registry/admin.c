/* SPDX-License-Identifier: Apache-2.0 */
/* The admin socket: status, read-only mode, collection. Whoever may open the socket may use it. */
#include "doc/json.h"
#include "registry/private.h"

#include <stdlib.h>

struct admin {
	struct registry *g;
	struct http_server *server;
};

static void reply_status(struct stream *s, struct registry *g)
{
	struct arena *a = stream_arena(s);
	CLEANUP(buf_fini) struct buf b = BUF_INIT(4096);
	struct http_server_stats st = http_server_get_stats(g->server);
	struct doc *d = doc_new_object(a);

	doc_set_bool(a, d, "readOnly", g->conf.read_only);
	doc_set_bool(a, d, "collecting", g->gc_runs);
	doc_set_bool(a, d, "tls", g->tls != NULL);
	doc_set_bool(a, d, "users", registry_is_closed(g));
	doc_set_uint(a, d, "uploadsOpen", g->uploads_n);
	doc_set_uint(a, d, "connections", st.connections);
	doc_set_uint(a, d, "requests", st.requests);
	if (arena_exceeded(a) || json_write(d, NULL, &b, NULL) < 0)
		(void)stream_reply(s, 500, NULL, NULL, 0);
	else
		(void)stream_reply(s, 200, "application/json", b.p, b.n);
}

static void set_read_only(struct registry *g, bool on)
{
	g->conf.read_only = on;
	log_kv(LOG_LEVEL_INFO, on ? "read-only from now on" : "takes pushes again", NULL);
}

static void request(struct stream *s, void *arg)
{
	struct registry *g = ((struct admin *)arg)->g;
	const struct http_request *rq = stream_request(s);
	bool post = strcmp(rq->method, "POST") == 0;

	if (strcmp(rq->path, "/status") == 0 && strcmp(rq->method, "GET") == 0) {
		reply_status(s, g);
		return;
	}
	if (post && strcmp(rq->path, "/gc") == 0) {
		gc_now(g);
	} else if (post && strcmp(rq->path, "/read-only") == 0) {
		set_read_only(g, true);
	} else if (post && strcmp(rq->path, "/read-write") == 0) {
		set_read_only(g, false);
	} else {
		(void)stream_replyf(s, 404, "text/plain",
				    "there are GET /status, POST /gc, /read-only, /read-write\n");
		return;
	}
	reply_status(s, g);
}

int admin_new(struct registry *g, const char *path, struct admin **ret, struct err *err)
{
	struct admin *a = calloc(1, sizeof(*a));
	struct http_server_conf hc = { .request = request, .arg = a, .connections_max = 16 };
	int r;

	if (!a)
		abort();
	a->g = g;
	r = http_server_new(g->loop, &hc, &a->server, err);
	if (r >= 0)
		r = http_server_listen_unix(a->server, path, 0600, (gid_t)-1, err);
	if (r < 0) {
		admin_free(a);
		return err_wrap(err, "--admin %s", path);
	}
	*ret = a;
	return 0;
}

void admin_free(struct admin *a)
{
	if (!a)
		return;
	http_server_free(a->server);
	free(a);
}
