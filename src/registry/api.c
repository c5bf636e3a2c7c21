/* SPDX-License-Identifier: Apache-2.0 */
/* Requests in, answers out: paths (whose repository names have slashes), methods, errors in
 * distribution's form. */
#include "registry/private.h"

#include "crypto/tls.h"
#include "doc/json.h"
#include "io/access-log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define CALL_ARENA_MAX (16u << 20)
#define CACHE_MAX (4u << 20)
#define CONNECTIONS_MAX 4096

static const struct http_header common_headers[] = {
	{ SLICE("Docker-Distribution-Api-Version"), SLICE("registry/2.0") },
	{ SLICE("X-Content-Type-Options"), SLICE("nosniff") },
};

enum { WRITES = 1, DELETES = 2, DIGEST = 4, PUSHES = 8 /* reading too */ };

struct op {
	enum what what;
	const char *method;
	void (*fn)(struct call *c);
	unsigned flags;
};

/* ---- errors ---- */

static const struct {
	const char *code;
	int status;
} reasons[] = {
	[BLOB_UNKNOWN] = { "BLOB_UNKNOWN", 404 },
	[BLOB_UPLOAD_INVALID] = { "BLOB_UPLOAD_INVALID", 400 },
	[BLOB_UPLOAD_UNKNOWN] = { "BLOB_UPLOAD_UNKNOWN", 404 },
	[DIGEST_INVALID] = { "DIGEST_INVALID", 400 },
	[MANIFEST_BLOB_UNKNOWN] = { "MANIFEST_BLOB_UNKNOWN", 400 },
	[MANIFEST_INVALID] = { "MANIFEST_INVALID", 400 },
	[MANIFEST_UNKNOWN] = { "MANIFEST_UNKNOWN", 404 },
	[NAME_INVALID] = { "NAME_INVALID", 400 },
	[NAME_UNKNOWN] = { "NAME_UNKNOWN", 404 },
	[PAGINATION_NUMBER_INVALID] = { "PAGINATION_NUMBER_INVALID", 400 },
	[RANGE_INVALID] = { "RANGE_INVALID", 416 },
	[SIZE_INVALID] = { "SIZE_INVALID", 413 },
	[TAG_INVALID] = { "TAG_INVALID", 400 },
	[UNSUPPORTED] = { "UNSUPPORTED", 405 },
	[DENIED] = { "DENIED", 403 },
	[UNAUTHORIZED] = { "UNAUTHORIZED", 401 },
	[TOOMANYREQUESTS] = { "TOOMANYREQUESTS", 429 },
	[UNAVAILABLE] = { "UNAVAILABLE", 503 },
	[UNKNOWN] = { "UNKNOWN", 500 },
};

static void error_text(struct buf *b, const char *code, const char *message)
{
	buf_addf(b, "{\"errors\":[{\"code\":\"%s\",\"message\":", code);
	json_write_string(b, slice_str(message), false);
	buf_adds(b, "}]}\n");
}

const char *call_object(const struct call *c)
{
	static const char *const names[] = {
		[WHAT_BASE] = "registry", [WHAT_CATALOG] = "catalog",
		[WHAT_TAGS] = "tags",	  [WHAT_MANIFEST] = "manifest",
		[WHAT_BLOB] = "blob",	  [WHAT_UPLOADS] = "blob",
		[WHAT_UPLOAD] = "blob",	  [WHAT_REFERRERS] = "referrers",
		[WHAT_NONE] = "other",
	};

	return names[c->what];
}

static void tell_event(struct call *c, enum event_kind kind, const char *digest)
{
	struct slice agent = stream_header(c->s, "User-Agent");
	const char *text = agent.n ? arena_strndup(c->a, agent.p, agent.n) : "";
	const struct event e = { .kind = kind,
				 .object = call_object(c),
				 .repo = c->name,
				 .ref = c->ref,
				 .digest = digest,
				 .media = c->media,
				 .size = c->size,
				 .method = c->method,
				 .user = c->who.name,
				 .peer = stream_peer(c->s)->addr,
				 .agent = text ? text : "",
				 .when = clock_real(),
				 .tags = c->tags,
				 .was = c->was,
				 .ntags = c->ntags };

	events_tell(c->g, &e);
}

void call_done(struct call *c, enum counter which, int status, const char *digest)
{
	static const enum event_kind kinds[] = {
		[COUNT_PUSHED] = EVENT_PUSH,
		[COUNT_PULLED] = EVENT_PULL,
		[COUNT_DELETED] = EVENT_DELETE,
	};

	count(c->g, which, call_object(c), 1);
	if (which != COUNT_DELETED)
		count_bytes(c->g, c->name, which == COUNT_PUSHED, c->size);
	audit_add(c->g->audit, c, status, digest);
	tell_event(c, kinds[which], digest);
	if (which == COUNT_PUSHED)
		warn_if_full(c->g, c->name);
}

/* Refusals of somebody, and changes that failed, are for the audit log; a first question without
 * credentials is not. */
static void note_refusal(struct call *c, enum reason why)
{
	bool writes = c->op && (c->op->flags & WRITES);
	bool refused = why == UNAUTHORIZED || why == DENIED || why == TOOMANYREQUESTS;

	if (refused)
		count(c->g, COUNT_REFUSED, reasons[why].code, 1);
	if (refused ? c->user || c->who.name || stream_header(c->s, "Authorization").n : writes)
		audit_add(c->g->audit, c, reasons[why].status, NULL);
}

static void answer_reason(struct call *c, enum reason why, const char *message)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(16384);

	note_refusal(c, why);
	error_text(&b, reasons[why].code, message);
	if (reasons[why].status == 405 || reasons[why].status == 503)
		(void)stream_set_header(c->s, reasons[why].status == 405 ? "Allow" : "Retry-After",
					reasons[why].status == 405 ? "GET, HEAD" : "5");
	(void)stream_reply(c->s, reasons[why].status, "application/json", b.p, b.n);
}

void answer_error(struct call *c, enum reason why, const char *fmt, ...)
{
	char message[1024];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	answer_reason(c, why, message);
}

void answer_err(struct call *c, const struct err *err, enum reason unknown, enum reason invalid)
{
	enum reason why;

	switch (err->code) {
	case ERR_NOT_FOUND: why = unknown; break;
	case ERR_INVALID:
	case ERR_BAD_REQUEST:
	case ERR_UNSUPPORTED:
		why = strncmp(err->msg, "digest", 6) == 0 ? DIGEST_INVALID : invalid;
		break;
	case ERR_TOO_LARGE: why = SIZE_INVALID; break;
	case ERR_CONFLICT: why = UNSUPPORTED; break;
	case ERR_QUOTA:
		/* A limit of the configuration, or one of ours. */
		why = strncmp(err->msg, "quota:", 6) == 0 ? DENIED : TOOMANYREQUESTS;
		if (why == DENIED)
			tell_event(c, EVENT_QUOTA, NULL);
		break;
	case ERR_UNAVAILABLE: why = UNAVAILABLE; break;
	default:
		why = UNKNOWN;
		log_kv(LOG_LEVEL_ERROR, "request failed", "method", c->method, "path",
		       stream_request(c->s)->path, "error", err->msg, NULL);
	}
	answer_reason(c, why, err->msg);
}

/* What the codec refuses (too long a head, no HTTP at all) has the same form. */
static const char *refuse(struct buf *body, int status, const char *message)
{
	error_text(body, status == 413 || status == 431 ? "SIZE_INVALID" : "UNSUPPORTED", message);
	return "application/json";
}

void answer_status(struct call *c, int status)
{
	(void)stream_reply(c->s, status, NULL, NULL, 0); /* a client that left */
}

/* ---- lists ---- */

int page_of(struct call *c, struct content_page *p, int64_t *ret_n)
{
	const char *n = query_get(&c->q, "n");
	struct err err = ERR_INIT;
	int64_t v = PAGE_DEFAULT;

	if (n && (str_int64(slice_str(n), &v, &err) < 0 || v < 0)) {
		answer_error(c, PAGINATION_NUMBER_INVALID, "n=%.40s: must be a number, 0 or more",
			     n);
		return -ERR_BAD_REQUEST;
	}
	v = MIN(v, (int64_t)PAGE_DEFAULT);
	*ret_n = v;
	*p = (struct content_page){ .after = query_get(&c->q, "last"), .max = (size_t)v };
	return 0;
}

void set_next_link(struct call *c, const char *path, const char *last, int64_t n)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(4096);
	char count[24];

	(void)snprintf(count, sizeof(count), "%lld", (long long)n);
	buf_addf(&b, "<%s", path);
	(void)query_add(&b, "last", last);
	(void)query_add(&b, "n", count);
	buf_adds(&b, ">; rel=\"next\"");
	(void)stream_set_header(c->s, "Link", buf_str(&b));
}

const char *path_of(struct call *c, const char *kind, const char *ref)
{
	return arena_printf(c->a, "/v2/%s/%s/%s", c->name, kind, ref);
}

/* ---- paths ---- */

/* The last "/<word>/" of path behind `from`, NULL if there is none. */
static const char *last_of(const char *from, const char *word)
{
	const char *at = from, *found = NULL;

	while ((at = strstr(at, word))) {
		found = at;
		at++;
	}
	return found;
}

static bool take(const char *begin, const char *at, const char *word, enum what what,
		 struct place *ret)
{
	if (!at)
		return false;
	ret->what = what;
	ret->name = slice_of(begin, (size_t)(at - begin));
	ret->ref = slice_str(at + strlen(word));
	return true;
}

void place_parse(const char *path, struct place *ret)
{
	const char *rest = path + 4, *blobs;

	*ret = (struct place){ .what = WHAT_NONE };
	if (strcmp(path, "/v2/") == 0 || strcmp(path, "/v2") == 0) {
		ret->what = WHAT_BASE;
		return;
	}
	if (strncmp(path, "/v2/", 4) != 0)
		return;
	if (strcmp(rest, "_catalog") == 0) {
		ret->what = WHAT_CATALOG;
		return;
	}
	if (slice_ends(slice_str(rest), SLICE("/tags/list"))) {
		ret->what = WHAT_TAGS;
		ret->name = slice_of(rest, strlen(rest) - 10);
		return;
	}
	/* Names may have such words too: only what stands behind the last one is a reference, and
	 * that has no slash. */
	if (take(rest, last_of(rest, "/manifests/"), "/manifests/", WHAT_MANIFEST, ret) &&
	    !memchr(ret->ref.p, '/', ret->ref.n))
		return;
	if (take(rest, last_of(rest, "/referrers/"), "/referrers/", WHAT_REFERRERS, ret) &&
	    !memchr(ret->ref.p, '/', ret->ref.n))
		return;
	blobs = last_of(rest, "/blobs/uploads");
	if (blobs && (blobs[14] == '/' || !blobs[14])) {
		ret->what = blobs[14] && blobs[15] ? WHAT_UPLOAD : WHAT_UPLOADS;
		ret->name = slice_of(rest, (size_t)(blobs - rest));
		ret->ref = slice_str(blobs[14] ? blobs + 15 : "");
		return;
	}
	if (take(rest, last_of(rest, "/blobs/"), "/blobs/", WHAT_BLOB, ret))
		return;
	*ret = (struct place){ .what = WHAT_NONE };
}

/* ---- dispatch ---- */

static void base_get(struct call *c)
{
	(void)stream_reply(c->s, 200, "application/json", "{}", 2);
}

static const struct op ops[] = {
	{ WHAT_BASE, "GET", base_get, 0 },
	{ WHAT_CATALOG, "GET", catalog_list, 0 },
	{ WHAT_TAGS, "GET", tags_list, 0 },
	{ WHAT_MANIFEST, "GET", manifest_get, 0 },
	{ WHAT_MANIFEST, "PUT", manifest_put, WRITES },
	{ WHAT_MANIFEST, "DELETE", manifest_delete, WRITES | DELETES },
	{ WHAT_BLOB, "GET", blob_get, DIGEST },
	{ WHAT_BLOB, "DELETE", blob_delete, WRITES | DELETES | DIGEST },
	{ WHAT_UPLOADS, "POST", upload_begin, WRITES },
	{ WHAT_UPLOAD, "GET", upload_status, PUSHES },
	{ WHAT_UPLOAD, "PATCH", upload_patch, WRITES },
	{ WHAT_UPLOAD, "PUT", upload_put, WRITES },
	{ WHAT_UPLOAD, "DELETE", upload_cancel, WRITES },
	{ WHAT_REFERRERS, "GET", referrers_list, DIGEST },
};

static const struct op *find_op(enum what what, const char *method)
{
	const char *m = strcmp(method, "HEAD") == 0 ? "GET" : method;

	for (size_t i = 0; i < ARRAY_LEN(ops); i++)
		if (ops[i].what == what && strcmp(ops[i].method, m) == 0)
			return &ops[i];
	return NULL;
}

/* A wrong name or reference is told before anything is looked for. */
static bool check_place(struct call *c, const struct op *op, const struct place *p)
{
	struct err err = ERR_INIT;

	if (p->name.p && !content_name_ok(p->name)) {
		answer_error(c, NAME_INVALID, "invalid repository name");
		return false;
	}
	if ((op->flags & DIGEST) && image_digest_check(p->ref, &err) < 0) {
		answer_error(c, DIGEST_INVALID, "%s", err.msg);
		return false;
	}
	if (op->what != WHAT_MANIFEST)
		return true;
	if (p->ref.n && memchr(p->ref.p, ':', p->ref.n)) {
		if (image_digest_check(p->ref, &err) == 0)
			return true;
		answer_error(c, DIGEST_INVALID, "%s", err.msg);
		return false;
	}
	if (!content_tag_ok(p->ref)) {
		answer_error(c, strcmp(c->method, "PUT") == 0 ? TAG_INVALID : MANIFEST_UNKNOWN,
			     "'%.*s' is no tag", (int)MIN(p->ref.n, 150u), p->ref.p);
		return false;
	}
	return true;
}

static bool allowed(struct call *c, const struct op *op)
{
	const struct registry_conf *conf = &c->g->conf;

	if ((op->flags & WRITES) && conf->read_only) {
		answer_error(c, UNSUPPORTED, "this registry is read-only");
		return false;
	}
	if ((op->flags & DELETES) && conf->no_delete) {
		answer_error(c, UNSUPPORTED, "this registry does not delete");
		return false;
	}
	return true;
}

static unsigned need_of(const struct op *op)
{
	return op->flags & DELETES	       ? MAY_DELETE
	       : op->flags & (WRITES | PUSHES) ? MAY_PUSH
					       : MAY_PULL;
}

static void run_op(struct call *c)
{
	if ((c->op->flags & (WRITES | DELETES)) == WRITES && hooks_proxied(c->g, c->name)) {
		answer_error(c, UNSUPPORTED,
			     "repository '%s' is a cache of another registry: push there", c->name);
		return;
	}
	c->op->fn(c);
}

/* Paths that are not distribution's. False: it is none. */
static bool run_other(struct call *c, const char *path)
{
	if (strcmp(path, "/token") == 0)
		auth_token(c);
	else if (strncmp(path, "/v2/_zot/", 9) == 0)
		answer_error(c, NAME_UNKNOWN,
			     "'%.200s': the extensions of zot (mgmt, search, userprefs) are not "
			     "served here; status, use and accounts are told by the admin socket",
			     path);
	else if (strcmp(path, "/healthz") == 0 || strcmp(path, "/readyz") == 0)
		(void)stream_reply(c->s, 200, "text/plain", "ok\n", 3);
	else
		return false;
	return true;
}

static void begin(struct call *c, const struct http_request *rq)
{
	struct err err = ERR_INIT;
	struct place p;

	place_parse(rq->path, &p);
	c->op = find_op(p.what, rq->method);
	c->what = p.what;
	c->name = arena_strndup(c->a, p.name.p ? p.name.p : "", p.name.n);
	c->ref = arena_strndup(c->a, p.ref.p ? p.ref.p : "", p.ref.n);
	if (!c->name || !c->ref || query_parse(c->a, rq->query, &c->q, &err) < 0) {
		answer_error(c, UNSUPPORTED, "%s", err.msg);
		return;
	}
	if (p.what == WHAT_NONE) {
		if (!run_other(c, rq->path))
			answer_error(c, NAME_UNKNOWN, "there is nothing at '%.200s'", rq->path);
		return;
	}
	if (!c->op) {
		answer_error(c, UNSUPPORTED, "%s is not for '%.200s'", rq->method, rq->path);
		return;
	}
	if (check_place(c, c->op, &p) && allowed(c, c->op) && hooks_ns(c) >= 0)
		auth_check(c, need_of(c->op), run_op);
}

static void request(struct stream *s, void *arg)
{
	const struct http_request *rq = stream_request(s);
	struct call *c = ARENA_NEW(stream_arena(s), struct call);

	*c = (struct call){ .g = arg, .s = s, .a = stream_arena(s), .method = rq->method };
	log_kv(LOG_LEVEL_DEBUG, "request", "method", rq->method, "path", rq->path, NULL);
	/* An answer can be the last one to let go of the stream, and `c` lives in it. */
	stream_ref(s);
	begin(c, rq);
	stream_unref(s);
}

/* ---- life ---- */

/* Access log, audit log, metrics: what is asked for. */
static int open_records(struct registry *g, struct err *err)
{
	const struct registry_conf *c = &g->conf;
	const struct access_log_conf ac = { .format = ACCESS_JSON, .path = c->access_log };
	int r = 0;

	if (c->access_log)
		r = access_log_new(&ac, &g->access_log, err);
	if (r >= 0 && c->audit_log)
		r = audit_new(c->audit_log, c->audit_bytes, g->pool, &g->audit, err);
	if (r >= 0 && c->metrics)
		r = counters_new(g, &g->counters, err);
	return r;
}

int registry_new(struct loop *l, const struct registry_conf *conf, struct registry **ret,
		 struct err *err)
{
	CLEANUP(registry_free) struct registry *g = calloc(1, sizeof(*g));
	struct image_store_options so = { .root = conf->root, .loop = l };
	struct http_server_conf hc = { .request = request,
				       .arg = g,
				       .refuse = refuse,
				       .common = common_headers,
				       .common_n = ARRAY_LEN(common_headers),
				       .connections_max = CONNECTIONS_MAX,
				       .arena_max = CALL_ARENA_MAX };
	int r;

	if (!g)
		abort();
	g->loop = l;
	g->conf = *conf;
	map_init(&g->uploads);
	list_init(&g->idle);
	list_init(&g->watchers);
	g->cache = cache_new(CACHE_MAX);
	g->warnings = warnings_new();
	r = image_store_open(&so, &g->store, err);
	if (r >= 0)
		r = work_pool_new(l, 2, 256, &g->pool, err);
	if (r >= 0)
		r = open_records(g, err);
	hc.metrics = counters_metrics(g->counters);
	hc.access_log = g->access_log;
	if (r >= 0)
		r = http_server_new(l, &hc, &g->server, err);
	if (r >= 0)
		r = auth_new(g, &g->auth, err);
	if (r >= 0)
		r = tls_load(g, err);
	if (r >= 0 && conf->admin)
		r = admin_new(g, conf->admin, &g->admin, err);
	if (r >= 0)
		r = hooks_new(g, &g->hooks, err);
	if (r < 0)
		return r;
	g->upkeep = upkeep_new(g);
	gc_begin(g);
	*ret = STEAL(g);
	return 0;
}

void registry_free(struct registry *g)
{
	if (!g)
		return;
	gc_end(g);
	hooks_stop(g->hooks);
	admin_free(g->admin);
	http_server_free(g->server);
	auth_free(g->auth);
	tls_conf_unref(g->tls);
	audit_end(g->audit);
	atomic_store(&g->gc_stop, true);
	scrub_free(g->scrub);
	work_pool_free(g->pool);
	warnings_free(g->warnings);
	upkeep_free(g->upkeep);
	audit_free(g->audit);
	counters_free(g->counters);
	access_log_free(g->access_log);
	uploads_free(g);
	image_store_close(g->store);
	hooks_free(g->hooks);
	cache_free(g->cache);
	free(g);
}

struct http_server *registry_server(struct registry *g)
{
	return g->server;
}

struct image_store *registry_store(struct registry *g)
{
	return g->store;
}

bool registry_is_closed(const struct registry *g)
{
	return auth_policy(g->auth)->closed;
}

int registry_reload(struct registry *g, struct err *err)
{
	CLEANUP(policy_unref) struct policy *old = policy_ref(auth_policy(g->auth));
	int r = hooks_check(g, err);

	if (r >= 0)
		r = auth_reload(g->auth, err);
	if (r >= 0)
		r = tls_load(g, err);
	if (r >= 0)
		r = hooks_reload(g->hooks, err);
	if (r < 0)
		auth_restore(g->auth, old);
	else
		r = audit_reopen(g->audit, err);
	if (r >= 0 && g->access_log)
		r = access_log_reopen(g->access_log, err);
	return r;
}
