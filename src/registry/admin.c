/* SPDX-License-Identifier: Apache-2.0 */
/* The admin socket: status, modes, collection, retention, use, accounts. Whoever may open the
 * socket may use it. */
#include "base/arena.h"
#include "doc/json.h"
#include "registry/private.h"

#include <stdlib.h>
#include <string.h>

#define BODY_MAX (64u << 10)

struct admin {
	struct registry *g;
	struct http_server *server;
};

/* One request; in the stream's arena. */
struct ask {
	struct registry *g;
	struct stream *s;
	const char *rest; /* of the path, behind the row's */
	struct query q;
};

struct row {
	const char *method, *path; /* a path that ends with "/" takes one name behind it */
	void (*fn)(struct ask *k);
};

/* ---- answers ---- */

static void reply_doc(struct ask *k, const struct doc *d)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(8u << 20);

	if (arena_exceeded(stream_arena(k->s)) || json_write(d, NULL, &b, NULL) < 0)
		(void)stream_replyf(k->s, 500, "text/plain", "the answer is too long\n");
	else
		(void)stream_reply(k->s, 200, "application/json", b.p, b.n);
}

static void reply_err(struct ask *k, const struct err *err)
{
	int status = err->code == ERR_NOT_FOUND	    ? 404
		     : err->code == ERR_CONFLICT    ? 409
		     : err->code == ERR_SYSTEM	    ? 500
		     : err->code == ERR_UNAVAILABLE ? 503
						    : 400;

	(void)stream_replyf(k->s, status, "text/plain", "%s\n", err->msg);
}

static void get_status(struct ask *k)
{
	struct arena *a = stream_arena(k->s);
	struct registry *g = k->g;
	struct http_server_stats st = http_server_get_stats(g->server);
	struct doc *d = doc_new_object(a);

	doc_set_bool(a, d, "readOnly", g->conf.read_only);
	doc_set_bool(a, d, "collecting", g->gc_runs);
	doc_set_bool(a, d, "tls", g->tls != NULL);
	doc_set_bool(a, d, "users", registry_is_closed(g));
	doc_set_uint(a, d, "uploadsOpen", g->uploads_n);
	doc_set_uint(a, d, "connections", st.connections);
	doc_set_uint(a, d, "requests", st.requests);
	scrub_status(g, a, d);
	reply_doc(k, d);
}

/* ---- modes and work ---- */

static void set_read_only(struct ask *k, bool on)
{
	k->g->conf.read_only = on;
	log_kv(LOG_LEVEL_INFO, on ? "read-only from now on" : "takes pushes again", NULL);
	get_status(k);
}

static void post_read_only(struct ask *k)
{
	set_read_only(k, true);
}

static void post_read_write(struct ask *k)
{
	set_read_only(k, false);
}

static void post_gc(struct ask *k)
{
	bool dry = query_bool(&k->q, "dry-run", false);

	if (query_bool(&k->q, "stop", false)) {
		if (gc_stop(k->g))
			get_status(k);
		else
			(void)stream_replyf(k->s, 404, "text/plain", "no collection goes on\n");
		return;
	}
	if (dry || query_bool(&k->q, "wait", false)) {
		gc_ask(k->g, k->s, dry);
		return;
	}
	gc_now(k->g);
	get_status(k);
}

static void post_scrub(struct ask *k)
{
	struct err err = ERR_INIT;

	if (query_bool(&k->q, "stop", false))
		scrub_stop(k->g);
	else if (scrub_begin(k->g, &err) < 0) {
		reply_err(k, &err);
		return;
	}
	get_status(k);
}

static void post_retention(struct ask *k)
{
	upkeep_retain(k->g->upkeep, k->s, query_bool(&k->q, "dry-run", false));
}

static void get_usage(struct ask *k)
{
	upkeep_usage(k->g->upkeep, k->s, query_get(&k->q, "repository"));
}

static void post_reload(struct ask *k)
{
	struct err err = ERR_INIT;

	if (registry_reload(k->g, &err) < 0)
		reply_err(k, &err);
	else
		get_status(k);
}

/* ---- accounts ---- */

static void put_strs(struct arena *a, struct doc *d, const char *key, const char *const *v,
		     size_t n)
{
	struct doc *list = doc_set_array(a, d, key);

	for (size_t i = 0; i < n; i++)
		doc_append_str(a, list, v[i]);
}

static void put_account(struct arena *a, struct doc *e, const struct account *acc)
{
	struct doc *rules = acc->limited ? doc_set_array(a, e, "rules") : NULL;
	char stamp[CLOCK_TEXT_MAX];

	doc_set_str(a, e, "name", acc->name);
	doc_set_str(a, e, "kind", acc->robot ? "robot" : "user");
	doc_set_bool(a, e, "managed", acc->managed);
	if (acc->expires != INT64_MAX) {
		doc_set_str(a, e, "expires", clock_rfc3339nano(stamp, acc->expires * NS_PER_SEC));
		doc_set_bool(a, e, "expired", clock_real() / NS_PER_SEC >= acc->expires);
	}
	for (size_t i = 0; rules && i < acc->rules.n; i++) {
		const struct policy_rule *r = &acc->rules.v[i];
		struct doc *o = doc_append_object(a, rules);

		put_strs(a, o, "repositories", (const char *const *)r->repositories.v,
			 r->repositories.n);
		if (r->role)
			doc_set_str(a, o, "role", r->role);
		else
			put_strs(a, o, "actions", (const char *const *)r->actions.v, r->actions.n);
	}
}

static int by_name(const void *a, const void *b)
{
	return strcmp((*(const struct account *const *)a)->name,
		      (*(const struct account *const *)b)->name);
}

static void get_accounts(struct ask *k)
{
	const struct policy *p = auth_policy(k->g->auth);
	struct arena *a = stream_arena(k->s);
	size_t n = map_count(&p->accounts), i = 0, got = 0;
	const struct account **v = ARENA_ARRAY(a, const struct account *, n + 1), *acc;
	struct doc *d = doc_new_object(a), *list = doc_set_array(a, d, "accounts");

	while (v && got < n && (acc = map_next(&p->accounts, &i, NULL)))
		v[got++] = acc;
	if (v)
		qsort(v, got, sizeof(*v), by_name);
	for (i = 0; i < got; i++)
		put_account(a, doc_append_object(a, list), v[i]);
	reply_doc(k, d);
}

static void change(struct ask *k, enum account_change what, const char *name,
		   const struct doc *value)
{
	static const char *const words[] = { "user kept", "robot kept", "account deleted",
					     "tokens revoked" };
	struct err err = ERR_INIT;

	if (auth_change(k->g->auth, what, name, value, &err) < 0) {
		reply_err(k, &err);
		return;
	}
	log_kv(LOG_LEVEL_INFO, words[what], "name", name ? name : "(all)", NULL);
	audit_note(k->g->audit, "admin", words[what], NULL, name ? name : "", NULL);
	(void)stream_replyf(k->s, 200, "application/json", "{}\n");
}

static void put_body(struct stream *s, void *arg, int result, struct slice body, struct err *err)
{
	struct ask *k = arg;
	bool robot = strncmp(stream_request(s)->path, "/robots/", 8) == 0;
	struct doc *d;

	if (result < 0 || json_read(stream_arena(s), body, NULL, &d, err) < 0)
		reply_err(k, err);
	else
		change(k, robot ? ACCOUNT_PUT_ROBOT : ACCOUNT_PUT_USER, k->rest, d);
}

static void put_account_body(struct ask *k)
{
	stream_collect(k->s, BODY_MAX, put_body, k);
}

static void delete_account(struct ask *k)
{
	change(k, ACCOUNT_DELETE, k->rest, NULL);
}

static void post_revoke(struct ask *k)
{
	const char *name = query_get(&k->q, "user");

	if (!name && !query_bool(&k->q, "all", false))
		(void)stream_replyf(k->s, 400, "text/plain", "give user=NAME or all=1\n");
	else if (name && !map_get(&auth_policy(k->g->auth)->accounts, slice_str(name)))
		(void)stream_replyf(k->s, 404, "text/plain", "there is no account '%.128s'\n",
				    name);
	else
		change(k, ACCOUNT_REVOKE, name, NULL);
}

/* ---- dispatch ---- */

static const struct row rows[] = {
	{ "GET", "/status", get_status },
	{ "POST", "/read-only", post_read_only },
	{ "POST", "/read-write", post_read_write },
	{ "POST", "/reload", post_reload },
	{ "POST", "/gc", post_gc },
	{ "POST", "/scrub", post_scrub },
	{ "POST", "/retention", post_retention },
	{ "GET", "/usage", get_usage },
	{ "GET", "/accounts", get_accounts },
	{ "PUT", "/users/", put_account_body },
	{ "PUT", "/robots/", put_account_body },
	{ "DELETE", "/accounts/", delete_account },
	{ "POST", "/tokens/revoke", post_revoke },
};

static const char *path_rest(const struct row *r, const char *path)
{
	size_t n = strlen(r->path);

	if (strncmp(path, r->path, n) != 0)
		return NULL;
	return (r->path[n - 1] == '/') == (path[n] != '\0') ? path + n : NULL;
}

static void tell_rows(struct stream *s)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(4096);

	buf_adds(&b, "there are");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		buf_addf(&b, "%s %s %s%s", i ? "," : "", rows[i].method, rows[i].path,
			 rows[i].path[strlen(rows[i].path) - 1] == '/' ? "NAME" : "");
	buf_adds(&b, ", GET /outward, POST /replication/VERB, POST /webhooks/VERB\n");
	(void)stream_reply(s, 404, "text/plain", b.p, b.n);
}

static void request(struct stream *s, void *arg)
{
	const struct http_request *rq = stream_request(s);
	struct ask *k = ARENA_NEW(stream_arena(s), struct ask);
	struct err err = ERR_INIT;

	if (hooks_admin(((struct admin *)arg)->g, s))
		return;
	*k = (struct ask){ .g = ((struct admin *)arg)->g, .s = s };
	if (query_parse(stream_arena(s), rq->query, &k->q, &err) < 0) {
		reply_err(k, &err);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		k->rest = path_rest(&rows[i], rq->path);
		if (!k->rest || strcmp(rows[i].method, rq->method) != 0)
			continue;
		stream_ref(s); /* an answer can be the last one to let go of it */
		rows[i].fn(k);
		stream_unref(s);
		return;
	}
	tell_rows(s);
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
