/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Uploads (distribution-spec, "Pushing blobs"): a session is begun by POST, fed by PATCH and PUT,
 * ended by PUT. Between its requests an upload stays open here, so that its hash goes on; after a
 * while, or when many are open, it is closed, and its file waits for the next request. One request
 * has a session at a time. A sender that breaks off keeps what has arrived.
 */
#include "registry/private.h"

#include <stdio.h>
#include <string.h>

#define OPEN_MAX 256
#define WINDOW (512u << 10) /* body bytes under way */
#define QUOTA_STEP (4u << 20)

struct session {
	struct list link; /* in registry.idle while no request has it */
	struct content_upload *u;
	int64_t since;
	bool busy;
};

/* A request with a body for a session. */
struct feed {
	struct call *c;
	struct session *ss;
	void (*done)(struct feed *f); /* all of the body is written */
	const char *digest;
	size_t owed; /* credit that waits for room */
	struct content_limit limit[BOUNDS_MAX];
	struct content_limits limits;
	uint64_t most; /* bytes that the upload may reach; looked at again every QUOTA_STEP */
	uint64_t look;
	bool closed, ended, flushing;
	struct err err;
};

/* ---- sessions ---- */

static void session_drop(struct registry *g, struct session *ss)
{
	list_del(&ss->link);
	(void)map_del(&g->uploads, slice_str(content_upload_id(ss->u)));
	g->uploads_n--;
}

static struct session *session_add(struct registry *g, struct content_upload *u)
{
	struct session *ss = calloc(1, sizeof(*ss));

	if (!ss)
		abort();
	ss->u = u;
	list_init(&ss->link);
	(void)map_put(&g->uploads, slice_str(content_upload_id(u)), ss);
	g->uploads_n++;
	return ss;
}

/* No request has it any more. */
static void session_rest(struct registry *g, struct session *ss)
{
	ss->busy = false;
	ss->since = clock_mono();
	list_append(&g->idle, &ss->link);
	while (g->uploads_n > OPEN_MAX && !list_empty(&g->idle)) {
		struct session *old = LIST_FIRST(&g->idle, struct session, link);

		session_drop(g, old);
		content_upload_close(old->u);
		free(old);
	}
}

void uploads_close_idle(struct registry *g, int64_t older_than)
{
	struct session *ss;

	while ((ss = LIST_FIRST(&g->idle, struct session, link)) && ss->since < older_than) {
		session_drop(g, ss);
		content_upload_close(ss->u);
		free(ss);
	}
}

void uploads_free(struct registry *g)
{
	uploads_close_idle(g, INT64_MAX);
	map_fini(&g->uploads);
}

/* The session of the path; it is the caller's until session_rest or session_drop. NULL after an
 * answer was given. */
static struct session *session_take(struct call *c)
{
	struct session *ss = map_get(&c->g->uploads, slice_str(c->ref));
	struct content_upload *u;
	struct err err = ERR_INIT;

	if (ss && ss->busy) {
		answer_error(c, BLOB_UPLOAD_INVALID, "another request of upload '%s' goes on",
			     c->ref);
		return NULL;
	}
	if (!ss) {
		if (content_upload_open(c->g->store, c->g->pool, c->name, c->ref, &u, &err) < 0) {
			answer_err(c, &err, BLOB_UPLOAD_UNKNOWN, BLOB_UPLOAD_INVALID);
			return NULL;
		}
		ss = session_add(c->g, u);
	} else if (strcmp(content_upload_repo(ss->u), c->name) != 0) {
		answer_error(c, BLOB_UPLOAD_UNKNOWN, "repository '%s' has no upload '%s'", c->name,
			     c->ref);
		return NULL;
	}
	list_del(&ss->link);
	ss->busy = true;
	return ss;
}

static void set_upload_headers(struct call *c, const struct session *ss)
{
	uint64_t n = content_upload_size(ss->u);

	(void)stream_set_headerf(c->s, "Location", "/v2/%s/blobs/uploads/%s", c->name,
				 content_upload_id(ss->u));
	(void)stream_set_header(c->s, "Docker-Upload-UUID", content_upload_id(ss->u));
	(void)stream_set_headerf(c->s, "Range", "0-%llu", (unsigned long long)(n ? n - 1 : 0));
}

/* ---- the body ---- */

static void on_flushed(void *ctx, int result, const struct err *err)
{
	struct feed *f = ctx;

	f->flushing = false;
	if (result < 0 && !f->err.code)
		f->err = *err;
	f->done(f);
}

static void flush(struct feed *f)
{
	if (f->flushing)
		return;
	f->flushing = true;
	content_upload_on_room(f->ss->u, NULL, NULL);
	stream_ref(f->c->s); /* until done() */
	content_upload_flush(f->ss->u, on_flushed, f);
}

static void on_room(void *ctx)
{
	struct feed *f = ctx;
	size_t owed = f->owed;

	f->owed = 0;
	if (owed && !f->closed)
		stream_read(f->c->s, owed);
}

/* ---- quotas while bytes come ---- */

static bool same_limit(const struct content_limits *lim, const char *repo, const char *other)
{
	if (strcmp(repo, other) == 0)
		return true;
	for (size_t i = 0; i < lim->n; i++)
		if (lim->v[i].prefix &&
		    strncmp(other, lim->v[i].prefix, strlen(lim->v[i].prefix)) == 0)
			return true;
	return false;
}

/* What uploads that are open here have taken already, where the same limits count. */
static uint64_t under_way(struct registry *g, const struct content_limits *lim, const char *repo,
			  const struct session *but)
{
	const struct session *ss;
	uint64_t n = 0;
	size_t i = 0;

	while ((ss = map_next(&g->uploads, &i, NULL)))
		if (ss != but && same_limit(lim, repo, content_upload_repo(ss->u)))
			n += content_upload_size(ss->u);
	return n;
}

/* How long the upload may become. The transaction that ends it has the last word: this only keeps
 * what cannot end well from filling the disk. */
static int look_at_quota(struct call *c, const struct content_limits *lim, const struct session *ss,
			 uint64_t *ret_most, struct err *err)
{
	uint64_t taken;
	int64_t room;

	*ret_most = UINT64_MAX;
	if (content_room(c->g->store, c->name, lim, &room, err) < 0)
		return err_ret(err);
	if (room == INT64_MAX)
		return 0;
	taken = under_way(c->g, lim, c->name, ss);
	*ret_most = (uint64_t)room > taken ? (uint64_t)room - taken : 0;
	return 0;
}

static int over_quota(const struct call *c, uint64_t most, struct err *err)
{
	return err_set(err, ERR_QUOTA,
		       "quota: repository '%s' has room for %llu bytes, and the upload has more",
		       c->name, (unsigned long long)most);
}

/* Before and while it is fed: n bytes more. */
static int check_room(struct feed *f, uint64_t n)
{
	uint64_t size = content_upload_size(f->ss->u) + n;

	if (!f->limits.n)
		return 0;
	if (size >= f->look) {
		f->look = size + QUOTA_STEP;
		if (look_at_quota(f->c, &f->limits, f->ss, &f->most, &f->err) < 0)
			return err_ret(&f->err);
	}
	return size > f->most ? over_quota(f->c, f->most, &f->err) : 0;
}

static void on_data(struct stream *s, struct slice bytes)
{
	struct feed *f = stream_arg(s);
	int r = f->err.code || check_room(f, bytes.n) < 0
			? -1
			: content_upload_push(f->ss->u, bytes, &f->err);

	if (r == 1)
		f->owed += bytes.n;
	else
		stream_read(s, bytes.n); /* also after a failure: the answer comes at the end */
}

static void on_end(struct stream *s)
{
	struct feed *f = stream_arg(s);

	f->ended = true;
	flush(f);
}

static void on_closed(struct stream *s, const struct err *why)
{
	struct feed *f = stream_arg(s);

	f->closed = true;
	if (!f->ended) { /* broken off: what came stays */
		if (why && !f->err.code)
			f->err = *why;
		flush(f);
	}
}

static const struct stream_events feed_events = { .data = on_data,
						  .end = on_end,
						  .closed = on_closed };

/* The same once more adds nothing. */
static bool has_blob(struct call *c, const char *digest)
{
	uint64_t size;

	return digest && content_blob(c->g->store, c->name, digest, &size, NULL) == 0;
}

/* What cannot be kept is not kept: its bytes go at once. */
static void refuse_quota(struct feed *f)
{
	struct call *c = f->c;

	session_drop(c->g, f->ss);
	content_upload_cancel(f->ss->u);
	free(f->ss);
	answer_err(c, &f->err, BLOB_UPLOAD_UNKNOWN, BLOB_UPLOAD_INVALID);
}

static void feed_begin(struct call *c, struct session *ss, void (*done)(struct feed *f))
{
	struct feed *f = ARENA_NEW(c->a, struct feed);
	int64_t length = stream_length(c->s);

	*f = (struct feed){ .c = c, .ss = ss, .done = done, .digest = query_get(&c->q, "digest") };
	f->limits = bounds_of(auth_policy(c->g->auth), c->name, f->limit);
	for (size_t i = 0; i < f->limits.n; i++) /* a reload may take the policy away */
		if (f->limit[i].prefix)
			f->limit[i].prefix = arena_strdup(c->a, f->limit[i].prefix);
	if (has_blob(c, f->digest))
		f->limits.n = 0;
	/* Told before a byte is read. */
	if (check_room(f, length > 0 ? (uint64_t)length : 0) < 0) {
		refuse_quota(f);
		return;
	}
	f->look = 0;
	content_upload_on_room(ss->u, on_room, f);
	stream_on(c->s, &feed_events, f);
	if (c->ended)
		on_end(c->s);
	else
		stream_read(c->s, WINDOW);
}

/* ---- the ends of a body ---- */

static void fed_patch(struct feed *f)
{
	struct call *c = f->c;

	if (f->err.code == ERR_QUOTA && !f->closed) {
		refuse_quota(f);
		stream_unref(c->s);
		return;
	}
	if (f->closed)
		log_kv(LOG_LEVEL_DEBUG, "a sender broke off", "upload", content_upload_id(f->ss->u),
		       "error", f->err.msg, NULL);
	else if (f->err.code)
		answer_err(c, &f->err, BLOB_UPLOAD_UNKNOWN, BLOB_UPLOAD_INVALID);
	else
		set_upload_headers(c, f->ss);
	if (!f->closed && !f->err.code)
		answer_status(c, 202);
	session_rest(c->g, f->ss);
	stream_unref(c->s);
}

static void on_committed(void *ctx, const struct content_change *ch, int result,
			 const struct err *err)
{
	struct feed *f = ctx;
	struct call *c = f->c;

	if (result < 0) {
		answer_err(c, err, BLOB_UPLOAD_UNKNOWN, BLOB_UPLOAD_INVALID);
	} else {
		(void)stream_set_header(c->s, "Location", path_of(c, "blobs", ch->digest));
		(void)stream_set_header(c->s, "Docker-Content-Digest", ch->digest);
		(void)content_blob(c->g->store, c->name, ch->digest, &c->size, NULL);
		call_done(c, COUNT_PUSHED, 201, ch->digest);
		answer_status(c, 201);
	}
	free(f->ss);
	stream_unref(c->s);
}

static void fed_put(struct feed *f)
{
	struct call *c = f->c;

	if (f->closed || f->err.code) {
		fed_patch(f);
		return;
	}
	session_drop(c->g, f->ss); /* the id ends here */
	content_upload_commit(f->ss->u, f->digest, &f->limits, on_committed, f);
}

/* ---- requests ---- */

static bool check_digest(struct call *c, const char *digest)
{
	struct err err = ERR_INIT;

	if (digest && image_digest_check(slice_str(digest), &err) == 0)
		return true;
	answer_error(c, DIGEST_INVALID, "%s",
		     digest ? err.msg : "the query has no digest: which one must the blob have?");
	return false;
}

/* A repository that is full takes no upload at all. */
static int check_begin(struct call *c, const char *digest, struct err *err)
{
	struct content_limit v[BOUNDS_MAX];
	struct content_limits lim = bounds_of(auth_policy(c->g->auth), c->name, v);
	uint64_t most = UINT64_MAX;

	if (lim.n && !has_blob(c, digest) && look_at_quota(c, &lim, NULL, &most, err) < 0)
		return err_ret(err);
	return most == 0 ? over_quota(c, 0, err) : 0;
}

/* digest: the whole blob is in this request; NULL = further ones bring it. */
static void begin_session(struct call *c, const char *digest)
{
	const char *name = query_get(&c->q, "digest-algorithm");
	enum image_digest_alg alg = IMAGE_SHA256;
	struct content_upload *u;
	struct err err = ERR_INIT;
	struct session *ss;

	if (digest && !check_digest(c, digest))
		return;
	if (name && image_digest_alg_parse(slice_str(name), &alg, &err) < 0) {
		answer_error(c, DIGEST_INVALID, "%s", err.msg);
		return;
	}
	if (digest)
		alg = image_digest_alg(digest);
	if (check_begin(c, digest, &err) < 0) {
		answer_err(c, &err, UNKNOWN, UNKNOWN);
		return;
	}
	if (content_upload_new(c->g->store, c->g->pool, c->name, alg, &u, &err) < 0) {
		answer_err(c, &err, NAME_UNKNOWN, BLOB_UPLOAD_INVALID);
		return;
	}
	ss = session_add(c->g, u);
	ss->busy = true;
	if (digest) { /* all in one request */
		feed_begin(c, ss, fed_put);
		return;
	}
	set_upload_headers(c, ss);
	session_rest(c->g, ss);
	answer_status(c, 202);
}

static void mounted(void *ctx, const struct content_change *ch, int result, const struct err *err)
{
	struct call *c = ctx;

	if (result == -ERR_NOT_FOUND) {
		begin_session(c, NULL);
	} else if (result < 0) {
		answer_err(c, err, BLOB_UNKNOWN, DIGEST_INVALID);
	} else {
		(void)stream_set_header(c->s, "Location", path_of(c, "blobs", ch->digest));
		(void)stream_set_header(c->s, "Docker-Content-Digest", ch->digest);
		call_done(c, COUNT_PUSHED, 201, ch->digest);
		answer_status(c, 201);
	}
	stream_unref(c->s);
}

void upload_begin(struct call *c)
{
	const char *digest = query_get(&c->q, "mount"), *from = query_get(&c->q, "from");
	struct content_limit v[BOUNDS_MAX];
	struct content_limits lim;

	if (!digest) {
		begin_session(c, query_get(&c->q, "digest"));
		return;
	}
	if (!check_digest(c, digest))
		return;
	if (from && !content_name_ok(slice_str(from)))
		from = NULL;
	/* What one may not pull is not to be had by a mount either. */
	if (from ? !(auth_may(c, from) & MAY_PULL) : registry_is_closed(c->g)) {
		begin_session(c, NULL);
		return;
	}
	lim = bounds_of(auth_policy(c->g->auth), c->name, v);
	stream_ref(c->s);
	content_mount(c->g->store, c->name, digest, from, &lim, mounted, c);
}

void upload_status(struct call *c)
{
	struct session *ss = session_take(c);

	if (!ss)
		return;
	set_upload_headers(c, ss);
	session_rest(c->g, ss);
	answer_status(c, 204);
}

/* Content-Range: <from>-<to>, where the upload ends now. false after an answer was given. */
static bool check_range(struct call *c, struct session *ss)
{
	struct slice rest = stream_header(c->s, "Content-Range"), first;
	uint64_t from, to, size = content_upload_size(ss->u);
	int64_t length = stream_length(c->s);
	struct err err = ERR_INIT;

	if (!rest.n)
		return true;
	if (slice_starts(rest, SLICE("bytes ")))
		rest = slice_of(rest.p + 6, rest.n - 6);
	first = slice_split(&rest, '-');
	if (str_uint64(first, &from, &err) < 0 || str_uint64(rest, &to, &err) < 0 || to < from ||
	    from != size || (length >= 0 && to - from + 1 != (uint64_t)length)) {
		set_upload_headers(c, ss);
		answer_error(
			c, RANGE_INVALID,
			"the upload has %llu bytes: a chunk must begin there, and its range fit "
			"its length",
			(unsigned long long)size);
		session_rest(c->g, ss);
		return false;
	}
	return true;
}

void upload_patch(struct call *c)
{
	struct session *ss = session_take(c);

	if (ss && check_range(c, ss))
		feed_begin(c, ss, fed_patch);
}

void upload_put(struct call *c)
{
	struct session *ss;

	if (!check_digest(c, query_get(&c->q, "digest")))
		return;
	ss = session_take(c);
	if (ss && check_range(c, ss))
		feed_begin(c, ss, fed_put);
}

void upload_cancel(struct call *c)
{
	struct session *ss = session_take(c);

	if (!ss)
		return;
	session_drop(c->g, ss);
	content_upload_cancel(ss->u);
	free(ss);
	answer_status(c, 204);
}
