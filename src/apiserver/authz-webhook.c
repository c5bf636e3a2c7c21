/* SPDX-License-Identifier: Apache-2.0 */
/*
 * (1) A flight is one question under way: in `flying` by its key until it is judged, with those who
 * wait for it. It ends by `judge`, once, whatever happened.
 * (2) Only an answer is kept (never a failure), under the key and for the time of its kind.
 */
#include "apiserver/authz-webhook.h"

#include "api/selector.h"
#include "apiserver/strategy.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/map.h"
#include "crypto/aead.h"
#include "crypto/tls.h"
#include "doc/json.h"
#include "io/http-client.h"
#include "io/metrics.h"

#include <stdlib.h>
#include <string.h>

#define GROUP "authorization.k8s.io"
#define SPEC_MAX (1u << 20)
#define ANSWER_MAX (1u << 20)
#define ANSWER_ARENA (8u << 20)
#define REASON_MAX 1024
#define KEPT_MAX 8192	   /* answers */
#define KEPT_KEY_MAX 10000 /* bytes of a question whose answer is kept */
#define FLIGHTS_MAX 1024
#define CONNECTIONS 32
#define TRIES_MAX 5
#define BACK_OFF (500 * NS_PER_MS)
#define TOKEN_MAX (64u << 10)

struct kept {
	struct list link; /* of w->latest, the one used longest ago first */
	char *key, *reason;
	enum authz_opinion opinion;
	int64_t until;
};

struct flight {
	struct list link, waits;
	struct authz_webhook *w;
	char *key;
	struct buf body;
	struct stream *s;
	struct timer deadline, retry;
	int64_t begun, until;
	unsigned tries;
	bool late, written;
	struct buf answer;
};

struct authz_webhook {
	struct loop *loop;
	char *name, *target;
	uint64_t id;
	struct authz_webhook_conf conf;
	struct http_client *client;
	char *token; /* NULL: none, or of the file */
	struct given *token_file;
	struct map kept, flying;
	struct list latest, flights;
	struct authz_metrics *metrics;
};

struct authz_said {
	struct authz_said *next;
	uint64_t by; /* webhook's id */
	const char *key, *reason;
	enum authz_opinion opinion;
};

struct authz_question {
	struct authz_webhook *w;
	const char *key;
};

static void *must(void *p)
{
	if (!p)
		abort();
	return p;
}

/* ---- the question ---- */

static void add_text(struct buf *b, const char *key, const char *value)
{
	if (!*value)
		return;
	(void)buf_addf(b, "%s\"%s\":", b->p[b->n - 1] == '{' ? "" : ",", key);
	(void)json_write_string(b, slice_str(value), false);
}

static void add_list(struct buf *b, const char *key, const struct slice *v, size_t n)
{
	(void)buf_addf(b, ",\"%s\":[", key);
	for (size_t i = 0; i < n; i++) {
		(void)buf_adds(b, i ? "," : "");
		(void)json_write_string(b, v[i], false);
	}
	(void)buf_addc(b, ']');
}

/* Terms as requirements; a webhook is not told of those that these have no word for, so that it
 * sees a wider request than there is, never a narrower one. */
static void add_selector(struct buf *b, const char *key, const struct selector *s)
{
	static const char *const words[] = {
		[SELECT_EQUAL] = "In",	    [SELECT_NOT_EQUAL] = "NotIn",
		[SELECT_IN] = "In",	    [SELECT_NOT_IN] = "NotIn",
		[SELECT_EXISTS] = "Exists", [SELECT_ABSENT] = "DoesNotExist",
		[SELECT_GREATER] = NULL,    [SELECT_LESS] = NULL,
	};
	bool any = false;

	for (size_t i = 0; s && i < s->n; i++) {
		const struct selector_term *t = &s->terms[i];

		if (!words[t->op])
			continue;
		if (any)
			(void)buf_adds(b, ",{\"key\":");
		else
			(void)buf_addf(b, ",\"%s\":{\"requirements\":[{\"key\":", key);
		any = true;
		(void)json_write_string(b, t->key, false);
		(void)buf_addf(b, ",\"operator\":\"%s\"", words[t->op]);
		if (t->n)
			add_list(b, "values", t->values, t->n);
		(void)buf_addc(b, '}');
	}
	if (any)
		(void)buf_adds(b, "]}");
}

static void add_attrs(struct buf *b, const struct authz_attrs *at)
{
	if (!at->resource_request) {
		(void)buf_adds(b, "\"nonResourceAttributes\":{");
		add_text(b, "path", at->path);
		add_text(b, "verb", at->verb);
		(void)buf_addc(b, '}');
		return;
	}
	(void)buf_adds(b, "\"resourceAttributes\":{");
	add_text(b, "namespace", at->ns);
	add_text(b, "verb", at->verb);
	add_text(b, "group", at->group);
	add_text(b, "version", at->version);
	add_text(b, "resource", at->resource);
	add_text(b, "subresource", at->sub);
	add_text(b, "name", at->name);
	add_selector(b, "fieldSelector", at->fields);
	add_selector(b, "labelSelector", at->labels);
	(void)buf_addc(b, '}');
}

int authz_webhook_spec(const struct authz_attrs *at, bool v1beta1, struct buf *out, struct err *err)
{
	const struct strategy_user *u = at->user;

	(void)buf_addc(out, '{');
	add_attrs(out, at);
	add_text(out, "user", u->name);
	for (size_t i = 0; u->groups && u->groups[i]; i++) {
		(void)buf_addf(out, i ? "," : v1beta1 ? ",\"group\":[" : ",\"groups\":[");
		(void)json_write_string(out, slice_str(u->groups[i]), false);
	}
	if (u->groups && u->groups[0])
		(void)buf_addc(out, ']');
	if (doc_len(u->extra)) {
		(void)buf_adds(out, ",\"extra\":");
		(void)json_write(u->extra, NULL, out, NULL);
	}
	add_text(out, "uid", u->uid ? u->uid : "");
	(void)buf_addc(out, '}');
	return out->full ? err_set(err, ERR_TOO_LARGE, "a question of more than %u bytes", SPEC_MAX)
			 : 0;
}

/* ---- the answer ---- */

int authz_webhook_read(struct slice body, bool v1beta1, enum authz_opinion *ret, struct buf *reason,
		       struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("answer of a webhook", ANSWER_ARENA);
	const struct json_options limits = { .max_depth = 32, .max_nodes = 65536 };
	const struct doc *status, *yes, *no, *why;
	struct doc *d;

	if (json_read(a, body, &limits, &d, err) < 0)
		return err_set(err, ERR_INVALID, "the answer is not JSON");
	if (!doc_str_is(doc_get(d, "kind"), "SubjectAccessReview") ||
	    !doc_str_is(doc_get(d, "apiVersion"), v1beta1 ? GROUP "/v1beta1" : GROUP "/v1"))
		return err_set(err, ERR_INVALID, "the answer is no SubjectAccessReview as asked");
	status = doc_get(d, "status");
	yes = doc_get(status, "allowed");
	no = doc_get(status, "denied");
	why = doc_get(status, "reason");
	if (!doc_is(status, DOC_OBJECT) || !doc_is(yes, DOC_BOOL) || (no && !doc_is(no, DOC_BOOL)))
		return err_set(err, ERR_INVALID, "the answer has no status");
	if (doc_true(yes) && doc_true(no))
		return err_set(err, ERR_INVALID, "the answer both allows and denies");
	*ret = doc_true(yes) ? AUTHZ_ALLOW : doc_true(no) ? AUTHZ_DENY : AUTHZ_NO_OPINION;
	if (doc_is(why, DOC_STRING))
		(void)buf_add(reason, why->s, MIN(why->n, REASON_MAX / 2));
	return 0;
}

/* ---- answers that are kept ---- */

static void forget(struct authz_webhook *w, struct kept *k)
{
	(void)map_del(&w->kept, slice_str(k->key));
	list_del(&k->link);
	free(k->key);
	free(k->reason);
	free(k);
}

static const struct kept *recall(struct authz_webhook *w, struct slice key)
{
	struct kept *k = map_get(&w->kept, key);

	if (!k)
		return NULL;
	if (k->until <= clock_mono()) {
		forget(w, k);
		return NULL;
	}
	list_del(&k->link);
	list_append(&w->latest, &k->link);
	return k;
}

/* keeps (2) */
static void keep(struct authz_webhook *w, const char *key, enum authz_opinion opinion,
		 const char *reason)
{
	const int64_t ttl =
		opinion == AUTHZ_ALLOW ? w->conf.authorized_ttl : w->conf.unauthorized_ttl;
	struct kept *k = map_get(&w->kept, slice_str(key));
	struct kept *oldest;

	if (k)
		forget(w, k);
	if (ttl <= 0 || strlen(key) > KEPT_KEY_MAX)
		return;
	oldest = LIST_FIRST(&w->latest, struct kept, link);
	if (oldest && map_count(&w->kept) >= KEPT_MAX)
		forget(w, oldest);
	k = must(calloc(1, sizeof(*k)));
	k->key = must(strdup(key));
	k->reason = must(strdup(reason));
	k->opinion = opinion;
	k->until = ttl > INT64_MAX - clock_mono() ? INT64_MAX : clock_mono() + ttl;
	(void)map_put(&w->kept, slice_str(k->key), k);
	list_append(&w->latest, &k->link);
}

/* ---- looking ---- */

static const struct authz_said *find_said(const struct authz_memo *m, uint64_t by, const char *key)
{
	const struct authz_said *s = m ? m->said : NULL;

	while (s && (s->by != by || strcmp(s->key, key) != 0))
		s = s->next;
	return s;
}

static enum authz_opinion failed(const struct authz_webhook *w)
{
	return w->conf.denies ? AUTHZ_DENY : AUTHZ_NO_OPINION;
}

static bool leave_open(struct authz_webhook *w, struct authz_memo *m, const char *key)
{
	struct authz_question *q = m ? ARENA_NEW(m->a, struct authz_question) : NULL;
	const char *copy = q ? arena_strdup(m->a, key) : NULL;

	if (!copy)
		return false;
	*q = (struct authz_question){ w, copy };
	m->open = q;
	return true;
}

bool authz_webhook_look(struct authz_webhook *w, const struct authz_attrs *at, struct buf *why,
			enum authz_opinion *ret)
{
	CLEANUP(buf_fini) struct buf key = BUF_INIT(SPEC_MAX);
	struct authz_memo *m = at->user->memo;
	const struct authz_said *said;
	const struct kept *k;

	*ret = failed(w);
	if (authz_webhook_spec(at, w->conf.v1beta1, &key, NULL) < 0)
		return false;
	said = find_said(m, w->id, buf_str(&key));
	k = said ? NULL : recall(w, buf_slice(&key));
	if (!said && !k)
		return leave_open(w, m, buf_str(&key));
	*ret = said ? said->opinion : k->opinion;
	if (why)
		(void)buf_adds(why, said ? said->reason : k->reason);
	return false;
}

/* ---- a flight ---- */

static void tell(struct flight *f, enum authz_opinion opinion, const char *reason)
{
	struct authz_wait *x;

	while ((x = LIST_FIRST(&f->waits, struct authz_wait, link))) {
		struct authz_memo *m = x->memo;
		struct authz_said *s = ARENA_NEW(m->a, struct authz_said);

		list_del(&x->link);
		if (s)
			*s = (struct authz_said){ .next = m->said,
						  .by = f->w->id,
						  .key = arena_strdup(m->a, f->key),
						  .reason = arena_strdup(m->a, reason),
						  .opinion = opinion };
		if (s && s->key && s->reason)
			m->said = s;
		x->done(x);
	}
}

static void count(const struct flight *f, const char *result)
{
	const struct authz_metrics *m = f->w->metrics;
	const char *const labels[] = { f->w->name, result };

	if (!m)
		return;
	metric_inc(metric_with(m->evaluations, labels));
	metric_observe(metric_with(m->durations, labels),
		       (double)(clock_mono() - f->begun) / NS_PER_SEC);
	if (strcmp(result, "success") != 0 && !f->w->conf.denies)
		metric_inc(metric_with(m->fail_open, labels));
}

/* keeps (1) */
static void judge(struct flight *f, enum authz_opinion opinion, const char *reason,
		  const char *result)
{
	struct authz_webhook *w = f->w;

	count(f, result);
	list_del(&f->link);
	(void)map_del(&w->flying, slice_str(f->key));
	timer_fini(&f->deadline);
	timer_fini(&f->retry);
	if (strcmp(result, "success") == 0)
		keep(w, f->key, opinion, reason);
	tell(f, opinion, reason); /* w may go here */
	buf_fini(&f->body);
	buf_fini(&f->answer);
	free(f->key);
	free(f);
}

static void fail(struct flight *f, const char *why)
{
	const struct authz_webhook *w = f->w;
	char reason[256];

	log_kv(LOG_LEVEL_WARN, "an authorization webhook gave no answer", "name", w->name, "error",
	       why, NULL);
	(void)snprintf(reason, sizeof(reason), "webhook \"%s\" gave no answer", w->name);
	judge(f, failed(w), w->conf.denies ? reason : "", f->late ? "timeout" : "error");
}

/* ---- one attempt ---- */

static int64_t back_off(const struct flight *f)
{
	int64_t t = BACK_OFF;

	for (unsigned i = 1; i < f->tries; i++)
		t += t / 2;
	return t;
}

/* status 0: there was no answer. */
static void attempt_over(struct flight *f, int status, const char *why)
{
	CLEANUP(buf_fini) struct buf reason = BUF_INIT(REASON_MAX);
	enum authz_opinion opinion = AUTHZ_NO_OPINION;
	struct err err = ERR_INIT;
	char text[128];
	const bool again = status == 0 || status == 429 || status >= 500;

	stream_unref(STEAL(f->s));
	if (f->late) {
		fail(f, "no answer in time");
		return;
	}
	if (status / 100 == 2) {
		if (authz_webhook_read(buf_slice(&f->answer), f->w->conf.v1beta1, &opinion, &reason,
				       &err) < 0)
			fail(f, err.msg);
		else
			judge(f, opinion, buf_str(&reason), "success");
		return;
	}
	if (again && f->tries < TRIES_MAX && clock_mono() + back_off(f) < f->until) {
		timer_set_after(&f->retry, back_off(f));
		return;
	}
	(void)snprintf(text, sizeof(text), "it answers %d", status);
	fail(f, status ? text : why);
}

static void collected(struct stream *s, void *arg, int result, struct slice body, struct err *err)
{
	struct flight *f = arg;

	(void)s;
	(void)err;
	if (result == 0)
		(void)buf_add(&f->answer, body.p, body.n);
}

static void on_head(struct stream *s)
{
	stream_collect(s, ANSWER_MAX, collected, stream_arg(s));
}

static void write_body(struct flight *f)
{
	if (f->written)
		return;
	f->written = stream_write(f->s, f->body.p, f->body.n) >= 0;
	if (f->written)
		(void)stream_end(f->s); /* a failure comes by closed */
}

static void on_writable(struct stream *s)
{
	write_body(stream_arg(s));
}

static void on_closed(struct stream *s, const struct err *why)
{
	attempt_over(stream_arg(s), why ? 0 : stream_status(s),
		     why ? why->msg : "the connection broke");
}

static const struct stream_events events = {
	.head = on_head,
	.writable = on_writable,
	.closed = on_closed,
};
static const struct stream_events no_events = { 0 };

/* The token is read anew each time: it is renewed while we run. */
static void set_token(struct flight *f)
{
	CLEANUP(secret_buf_fini) struct buf header = BUF_INIT(TOKEN_MAX + 16);
	const struct authz_webhook *w = f->w;

	if ((!w->token && !w->token_file) || !buf_room(&header, TOKEN_MAX))
		return;
	(void)buf_adds(&header, "Bearer ");
	if (w->token)
		(void)buf_adds(&header, w->token);
	else if (given_read(w->token_file, &header, NULL) < 0)
		return;
	while (header.n && strchr(" \r\n", header.p[header.n - 1]))
		header.p[--header.n] = '\0';
	(void)stream_set_header(f->s, "Authorization", header.p);
}

static void attempt(struct flight *f)
{
	struct err err = ERR_INIT;
	int r = http_client_stream(f->w->client, "POST", f->w->target, &f->s, &err);

	f->tries++;
	f->written = false;
	buf_clear(&f->answer);
	if (r == 0) {
		stream_on(f->s, &events, f);
		(void)stream_set_header(f->s, "Content-Type", "application/json");
		(void)stream_set_header(f->s, "Accept", "application/json");
		set_token(f);
		r = http_client_send(f->s, (int64_t)f->body.n, false, &err);
	}
	if (r < 0)
		attempt_over(f, 0, err.msg);
	else
		write_body(f);
}

static int on_retry(struct timer *t)
{
	attempt(CONTAINER_OF(t, struct flight, retry));
	return 0;
}

static int on_deadline(struct timer *t)
{
	struct flight *f = CONTAINER_OF(t, struct flight, deadline);

	f->late = true;
	if (f->s)
		stream_reset(f->s, NULL); /* closed runs */
	else
		attempt_over(f, 0, "");
	return 0;
}

/* ---- waiting ---- */

static struct flight *flight_new(struct authz_webhook *w, const char *key)
{
	struct flight *f = must(calloc(1, sizeof(*f)));

	f->w = w;
	f->key = must(strdup(key));
	f->begun = clock_mono();
	f->until = f->begun + w->conf.timeout;
	f->body = BUF_INIT(SPEC_MAX + 4096);
	f->answer = BUF_INIT(ANSWER_MAX + 1);
	list_init(&f->waits);
	(void)buf_addf(&f->body,
		       "{\"kind\":\"SubjectAccessReview\",\"apiVersion\":\"" GROUP
		       "/%s\",\"metadata\":{},\"spec\":",
		       w->conf.v1beta1 ? "v1beta1" : "v1");
	(void)buf_adds(&f->body, key);
	(void)buf_adds(&f->body, ",\"status\":{\"allowed\":false}}");
	timer_init(&f->deadline, w->loop, on_deadline);
	timer_init(&f->retry, w->loop, on_retry);
	list_init(&f->link);
	list_append(&w->flights, &f->link);
	(void)map_put(&w->flying, slice_str(f->key), f);
	return f;
}

void authz_wait(struct authz_wait *x, struct authz_memo *memo)
{
	const struct authz_question *q = STEAL(memo->open);
	struct authz_webhook *w = q->w;
	struct flight *f = map_get(&w->flying, slice_str(q->key));

	x->memo = memo;
	list_init(&x->link);
	if (f) {
		list_append(&f->waits, &x->link);
		return;
	}
	f = flight_new(w, q->key);
	list_append(&f->waits, &x->link);
	if (map_count(&w->flying) > FLIGHTS_MAX) {
		fail(f, "too many questions are on their way");
		return;
	}
	timer_set_after(&f->deadline, w->conf.timeout);
	attempt(f);
}

void authz_unwait(struct authz_wait *x)
{
	if (x->link.next)
		list_del(&x->link);
}

/* ---- life ---- */

static int open_client(struct authz_webhook *w, const struct authz_webhook_make *m, struct err *err)
{
	CLEANUP(buf_fini) struct buf base = BUF_INIT(4096);
	const struct http_client_conf conf = { .resolver = m->resolver,
					       .tls = m->to->tls,
					       .tls_name = m->to->tls_name,
					       .connections_max = CONNECTIONS,
					       .connect_time = w->conf.timeout };
	const char *rest = strstr(m->to->server, "://") + 3, *path = strpbrk(rest, "/?");

	w->target = must(strdup(path && path[0] == '/' ? path : "/"));
	(void)buf_add(&base, m->to->server,
		      path ? (size_t)(path - m->to->server) : strlen(m->to->server));
	return http_client_new(m->loop, buf_str(&base), &conf, &w->client, err);
}

int authz_webhook_new(const struct authz_webhook_make *m, struct authz_webhook **ret,
		      struct err *err)
{
	CLEANUP(authz_webhook_free) struct authz_webhook *w = must(calloc(1, sizeof(*w)));

	w->loop = m->loop;
	w->name = must(strdup(m->name));
	w->id = random_u64();
	w->conf = *m->conf;
	w->conf.kubeconfig = NULL;
	w->metrics = m->metrics;
	map_init(&w->kept);
	map_init(&w->flying);
	list_init(&w->latest);
	list_init(&w->flights);
	w->token = m->to->token ? must(strdup(m->to->token)) : NULL;
	w->token_file = m->to->token_file;
	if (open_client(w, m, err) < 0)
		return err_wrap(err, "webhook '%s'", m->name);
	*ret = STEAL(w);
	return 0;
}

void authz_webhook_free(struct authz_webhook *w)
{
	struct flight *f;
	struct kept *k;

	if (!w)
		return;
	while ((f = LIST_FIRST(&w->flights, struct flight, link))) {
		if (f->s) {
			stream_on(f->s, &no_events, NULL);
			stream_reset(f->s, NULL);
			stream_unref(STEAL(f->s));
		}
		judge(f, failed(w), "", "canceled");
	}
	http_client_free(w->client);
	while ((k = LIST_FIRST(&w->latest, struct kept, link)))
		forget(w, k);
	map_fini(&w->kept);
	map_fini(&w->flying);
	if (w->token)
		explicit_bzero(w->token, strlen(w->token));
	free(w->token);
	free(w->target);
	free(w->name);
	free(w);
}

/* ---- counting ---- */

int authz_metrics_add(struct metrics *m, struct authz_metrics *ret, struct err *err)
{
	static const char *const of_decision[] = { "type", "name", "decision" };
	static const char *const of_webhook[] = { "name", "result" };
	static const char *const of_reload[] = { "status" };
	static const double seconds[] = { 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
					  0.5,	 1,	2.5,  5,     10,   30 };
	static const struct metric_spec specs[] = {
		{ METRIC_COUNTER, "apiserver_authorization_decisions_total",
		  "Requests that an authorizer decided, by its type and name.", of_decision,
		  ARRAY_LEN(of_decision), NULL, 0, 0 },
		{ METRIC_COUNTER, "apiserver_authorization_webhook_evaluations_total",
		  "Questions to authorization webhooks, by how they ended.", of_webhook,
		  ARRAY_LEN(of_webhook), NULL, 0, 0 },
		{ METRIC_HISTOGRAM, "apiserver_authorization_webhook_duration_seconds",
		  "Time until an authorization webhook's answer was there.", of_webhook,
		  ARRAY_LEN(of_webhook), seconds, ARRAY_LEN(seconds), 0 },
		{ METRIC_COUNTER, "apiserver_authorization_webhook_evaluations_fail_open_total",
		  "Questions without an answer that were passed on to the next authorizer.",
		  of_webhook, ARRAY_LEN(of_webhook), NULL, 0, 0 },
		{ METRIC_COUNTER,
		  "apiserver_authorization_config_controller_automatic_reloads_total",
		  "Times that the authorizers were read again, by how it went.", of_reload,
		  ARRAY_LEN(of_reload), NULL, 0, 0 },
		{ METRIC_GAUGE,
		  "apiserver_authorization_config_controller_automatic_reload_last_timestamp_"
		  "seconds",
		  "When the authorizers were read again last, by how it went.", of_reload,
		  ARRAY_LEN(of_reload), NULL, 0, 0 },
	};
	struct metric_family **to[] = { &ret->decisions, &ret->evaluations, &ret->durations,
					&ret->fail_open, &ret->reloads,	    &ret->reloaded };

	for (size_t i = 0; i < ARRAY_LEN(specs); i++)
		if (metrics_add(m, &specs[i], to[i], err) < 0)
			return err_ret(err);
	return 0;
}
