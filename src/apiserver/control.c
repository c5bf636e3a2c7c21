/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/control.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/hash.h"
#include "base/log.h"
#include "doc/doc.h"
#include "doc/json.h"
#include "io/http-server.h"
#include "io/url.h"
#include "linux/sys.h"
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct control {
	struct control_conf conf;
	struct http_server *http;
	struct store *store;
};

/* Work on the store for one request; on the heap: it outlives the stream. */
struct work_ask {
	struct store_task task;
	struct control *m;
	struct stream *s;
	char path[64]; /* of a backup */
	int fd;
	uint64_t at, left;
};

/* ---- answers ---- */

static void reply_err(struct stream *s, const struct err *err)
{
	int status = err->code == ERR_NOT_FOUND				     ? 404
		     : err->code == ERR_INVALID || err->code == ERR_CONFLICT ? 409
		     : err->code == ERR_BAD_REQUEST			     ? 400
		     : err->code == ERR_UNAVAILABLE			     ? 503
									     : 500;

	(void)stream_replyf(s, status, "text/plain", "%s\n", err->msg);
}

static void reply_doc(struct stream *s, const struct doc *d)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1u << 20);

	if (arena_exceeded(stream_arena(s)) || json_write(d, NULL, &b, NULL) < 0)
		(void)stream_replyf(s, 500, "text/plain", "the answer is too long\n");
	else
		(void)stream_reply(s, 200, "application/json", b.p, b.n);
}

static void get_status(struct control *m, struct stream *s)
{
	struct doc *d = doc_new_object(stream_arena(s));

	m->conf.status(m->conf.arg, stream_arena(s), d);
	reply_doc(s, d);
}

static void get_stats(struct control *m, struct stream *s)
{
	struct arena *a = stream_arena(s);
	struct doc *d = doc_new_object(a);
	struct store_stats st;

	store_get_stats(m->store, &st);
	doc_set_int(a, d, "revision", st.revision);
	doc_set_int(a, d, "compacted", st.compacted);
	doc_set_uint(a, d, "keys", st.keys);
	doc_set_uint(a, d, "bytes", st.bytes);
	doc_set_uint(a, d, "commits", st.commits);
	doc_set_uint(a, d, "events", st.events);
	doc_set_uint(a, d, "watches", st.watches);
	doc_set_uint(a, d, "leases", st.leases);
	reply_doc(s, d);
}

/* ---- work on the store ---- */

static void work_end(struct work_ask *w)
{
	fd_close(w->fd);
	if (*w->path)
		(void)unlink(w->path); /* gone already, or never made */
	stream_unref(w->s);
	free(w);
}

static void work_done(struct store_task *t)
{
	struct work_ask *w = CONTAINER_OF(t, struct work_ask, task);

	if (t->result < 0)
		reply_err(w->s, &t->err);
	else
		(void)stream_replyf(w->s, 200, "application/json", "{\"revision\":%lld}\n",
				    (long long)store_revision(w->m->store));
	work_end(w);
}

static struct work_ask *work_new(struct control *m, struct stream *s)
{
	struct work_ask *w = calloc(1, sizeof(*w));

	if (!w)
		abort();
	w->m = m;
	w->s = stream_ref(s);
	w->fd = -1;
	w->task.done = work_done;
	return w;
}

static void post_verify(struct control *m, struct stream *s)
{
	store_verify(m->store, &work_new(m, s)->task);
}

static void post_compact(struct control *m, struct stream *s)
{
	struct work_ask *w = work_new(m, s);

	w->task.revision = store_revision(m->store);
	store_compact(m->store, &w->task);
}

/* ---- backup: made beside the store, then sent; its name is gone before the first byte ---- */

static void backup_more(struct stream *s)
{
	struct work_ask *w = stream_arg(s);
	struct err err = ERR_INIT;
	int r = stream_send_file(s, w->fd, &w->at, &w->left, &err);

	if (r == 0)
		(void)stream_end(s);
	else if (r < 0)
		stream_reset(s, &err);
}

static void backup_closed(struct stream *s, const struct err *why)
{
	work_end(stream_arg(s));
}

static const struct stream_events backup_events = { .writable = backup_more,
						    .closed = backup_closed };

static void backup_made(struct store_task *t)
{
	struct work_ask *w = CONTAINER_OF(t, struct work_ask, task);
	struct stat st;

	if (t->result == 0) {
		w->fd = sys_openat(AT_FDCWD, w->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0);
		if (w->fd < 0 || fstat(w->fd, &st) < 0)
			t->result = err_sys(&t->err, "open the backup");
	}
	if (t->result < 0 || stream_is_closed(w->s)) {
		if (t->result < 0)
			reply_err(w->s, &t->err);
		work_end(w);
		return;
	}
	(void)unlink(w->path);
	w->path[0] = '\0';
	w->left = (uint64_t)st.st_size;
	stream_on(w->s, &backup_events, w);
	(void)stream_set_header(w->s, "Content-Type", "application/octet-stream");
	if (stream_start(w->s, 200, (int64_t)w->left) >= 0)
		backup_more(w->s);
}

static void get_backup(struct control *m, struct stream *s)
{
	struct work_ask *w = work_new(m, s);
	char hex[17];

	random_hex(hex, 16);
	(void)snprintf(w->path, sizeof(w->path), ".backup.%s.tmp", hex);
	w->task.path = w->path;
	w->task.done = backup_made;
	store_backup(m->store, &w->task);
}

/* ---- certificates ---- */

static void post_renew(struct control *m, struct stream *s)
{
	struct query q;
	struct err err = ERR_INIT;
	const char *name;

	if (query_parse(stream_arena(s), stream_request(s)->query, &q, &err) < 0) {
		reply_err(s, &err);
		return;
	}
	name = query_get(&q, "name");
	if (m->conf.renew(m->conf.arg, name ? name : "all", &err) < 0)
		reply_err(s, &err);
	else
		get_status(m, s);
}

static void get_why(struct control *m, struct stream *s)
{
	m->conf.why(m->conf.arg, s);
}

/* ---- dispatch ---- */

static const struct row {
	const char *method, *path;
	void (*fn)(struct control *m, struct stream *s);
} rows[] = {
	{ "GET", "/status", get_status },
	{ "GET", "/store/stats", get_stats },
	{ "POST", "/store/verify", post_verify },
	{ "POST", "/store/compact", post_compact },
	{ "GET", "/store/backup", get_backup },
	{ "POST", "/certs/renew", post_renew },
	{ "GET", "/why", get_why },
};

static void request(struct stream *s, void *arg)
{
	const struct http_request *rq = stream_request(s);
	struct control *m = arg;

	if (!m->store) {
		(void)stream_replyf(s, 503, "text/plain", "the API server is not ready yet\n");
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (strcmp(rows[i].path, rq->path) != 0 || strcmp(rows[i].method, rq->method) != 0)
			continue;
		stream_ref(s); /* an answer can be the last one to let go of it */
		rows[i].fn(m, s);
		stream_unref(s);
		return;
	}
	(void)stream_replyf(s, 404, "text/plain", "there is no %s %.100s\n", rq->method, rq->path);
}

int control_new(const struct control_conf *conf, struct control **ret, struct err *err)
{
	CLEANUP(control_free) struct control *m = calloc(1, sizeof(*m));
	struct http_server_conf hc = { .request = request, .arg = m, .connections_max = 16 };

	if (!m)
		abort();
	m->conf = *conf;
	if (http_server_new(conf->loop, &hc, &m->http, err) < 0 ||
	    http_server_listen_unix(m->http, conf->path, 0600, (gid_t)-1, err) < 0)
		return err_wrap(err, "admin socket");
	*ret = STEAL(m);
	return 0;
}

void control_set_store(struct control *m, struct store *s)
{
	m->store = s;
}

void control_free(struct control *m)
{
	if (!m)
		return;
	http_server_free(m->http);
	free(m);
}
