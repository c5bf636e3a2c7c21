/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/auth/authz-webhook.h"

#include "api/selector.h"
#include "apiserver/auth/authz-match.h"
#include "apiserver/strategy/strategy.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/log.h"
#include "doc/json.h"
#include "io/metrics.h"

#include <stdlib.h>
#include <string.h>

#define GROUP "authorization.k8s.io"
#define SPEC_MAX (1u << 20)
#define ANSWER_ARENA (8u << 20)
#define REASON_MAX 1024

struct authz_webhook {
	char *name;
	uint64_t id;
	struct authz_webhook_conf conf;
	struct hook_book *book;
	struct authz_metrics *metrics;
};

struct authz_said {
	struct authz_said *next;
	uint64_t by; /* webhook's id */
	const char *key, *reason;
	const char *failed; /* NULL: it answered */
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
	/* Both is a no, whatever its failure policy. */
	*ret = doc_true(no) ? AUTHZ_DENY : doc_true(yes) ? AUTHZ_ALLOW : AUTHZ_NO_OPINION;
	if (doc_is(why, DOC_STRING))
		(void)buf_add(reason, why->s, MIN(why->n, REASON_MAX / 2));
	return 0;
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

static void count_match(const struct authz_webhook *w, int r, int64_t took)
{
	const char *const labels[] = { authz_mode_name(AUTHZ_WEBHOOK), w->name };

	if (!w->metrics)
		return;
	metric_observe(metric_with(w->metrics->match_seconds, labels), (double)took / NS_PER_SEC);
	if (r < 0)
		metric_inc(metric_with(w->metrics->match_errors, labels));
	if (r == 0)
		metric_inc(metric_with(w->metrics->match_exclusions, labels));
}

/* Is it asked about that? If not, *ret is what stands for its answer. */
static bool matches(const struct authz_webhook *w, const struct authz_attrs *at,
		    enum authz_opinion *ret)
{
	const int64_t begun = clock_mono();
	struct err err = ERR_INIT;
	int r;

	if (!w->conf.match)
		return true;
	r = authz_match_run(w->conf.match, at, &err);
	count_match(w, r, clock_mono() - begun);
	if (r < 0)
		log_kv(LOG_LEVEL_WARN, "conditions of an authorization webhook failed", "name",
		       w->name, "error", err.msg, NULL);
	if (r < 0 && at->user->memo)
		at->user->memo->step_failed = arena_strdup(at->user->memo->a, err.msg);
	*ret = r < 0 ? failed(w) : AUTHZ_NO_OPINION;
	return r > 0;
}

bool authz_webhook_look(struct authz_webhook *w, const struct authz_attrs *at, struct buf *why,
			enum authz_opinion *ret)
{
	CLEANUP(buf_fini) struct buf key = BUF_INIT(SPEC_MAX);
	struct authz_memo *m = at->user->memo;
	const struct authz_said *said;
	const struct hook_answer *k;

	if (!matches(w, at, ret))
		return false;
	*ret = failed(w);
	if (authz_webhook_spec(at, w->conf.v1beta1, &key, NULL) < 0)
		return false;
	said = find_said(m, w->id, buf_str(&key));
	k = said ? NULL : hook_book_find(w->book, buf_str(&key));
	if (!said && !k)
		return leave_open(w, m, buf_str(&key));
	*ret = said ? said->opinion : (enum authz_opinion)k->code;
	if (why)
		(void)buf_adds(why, said ? said->reason : k->text);
	if (said)
		m->step_failed = said->failed;
	return false;
}

/* ---- waiting ---- */

static void remember(const struct authz_webhook *w, struct authz_memo *m, const char *key,
		     const struct hook_answer *a)
{
	struct authz_said *s = ARENA_NEW(m->a, struct authz_said);

	if (!s)
		return;
	*s = (struct authz_said){ .next = m->said,
				  .by = w->id,
				  .key = key,
				  .reason = arena_strdup(m->a, a->text),
				  .opinion = (enum authz_opinion)a->code };
	if (a->code < 0) {
		s->opinion = failed(w);
		s->failed = s->reason;
		s->reason = s->reason ? "" : NULL;
	}
	if (s->reason)
		m->said = s;
}

static void answered(struct hook_wait *at, const struct hook_answer *a)
{
	struct authz_wait *x = CONTAINER_OF(at, struct authz_wait, at);

	if (a->code != HOOK_ENDED)
		remember(x->asked->w, x->memo, x->asked->key, a);
	x->done(x);
}

void authz_wait(struct authz_wait *x, struct authz_memo *memo)
{
	CLEANUP(buf_fini) struct buf body = BUF_INIT(SPEC_MAX + 4096);
	const struct authz_question *q = STEAL(memo->open);

	x->memo = memo;
	x->asked = q;
	x->at.done = answered;
	(void)buf_addf(&body,
		       "{\"kind\":\"SubjectAccessReview\",\"apiVersion\":\"" GROUP
		       "/%s\",\"metadata\":{},\"spec\":",
		       q->w->conf.v1beta1 ? "v1beta1" : "v1");
	(void)buf_adds(&body, q->key);
	(void)buf_adds(&body, ",\"status\":{\"allowed\":false}}");
	hook_book_ask(q->w->book, q->key, buf_slice(&body), &x->at);
}

void authz_unwait(struct authz_wait *x)
{
	hook_unwait(&x->at);
}

/* ---- life ---- */

static int read_answer(void *arg, struct slice body, struct buf *text, int64_t *ret_keep,
		       struct err *err)
{
	const struct authz_webhook *w = arg;
	enum authz_opinion o;

	if (authz_webhook_read(body, w->conf.v1beta1, &o, text, err) < 0)
		return err_ret(err);
	*ret_keep = o == AUTHZ_ALLOW ? w->conf.authorized_ttl : w->conf.unauthorized_ttl;
	return (int)o;
}

static void count(void *arg, const char *how, int64_t took)
{
	const struct authz_webhook *w = arg;
	const struct authz_metrics *m = w->metrics;
	const char *const labels[] = { w->name, how };

	if (!m)
		return;
	metric_inc(metric_with(m->evaluations, labels));
	metric_observe(metric_with(m->durations, labels), (double)took / NS_PER_SEC);
	if (strcmp(how, "success") != 0 && !w->conf.denies)
		metric_inc(metric_with(m->fail_open, labels));
}

int authz_webhook_new(const struct authz_webhook_make *m, struct authz_webhook **ret,
		      struct err *err)
{
	CLEANUP(authz_webhook_free) struct authz_webhook *w = must(calloc(1, sizeof(*w)));
	const struct hook_book_make make = { .loop = m->loop,
					     .name = m->name,
					     .to = m->to,
					     .resolver = m->resolver,
					     .timeout = m->conf->timeout,
					     .back_off = HOOK_BACK_OFF,
					     .read = read_answer,
					     .ended = count,
					     .arg = w };

	w->name = must(strdup(m->name));
	w->id = random_u64();
	w->conf = *m->conf;
	w->conf.kubeconfig = NULL;
	w->metrics = m->metrics;
	if (hook_book_new(&make, &w->book, err) < 0)
		return err_ret(err);
	*ret = STEAL(w);
	return 0;
}

void authz_webhook_free(struct authz_webhook *w)
{
	if (!w)
		return;
	hook_book_free(w->book);
	free(w->name);
	free(w);
}

/* ---- counting ---- */

int authz_metrics_add(struct metrics *m, struct authz_metrics *ret, struct err *err)
{
	static const char *const of_decision[] = { "type", "name", "decision" };
	static const char *const of_webhook[] = { "name", "result" };
	static const char *const of_reload[] = { "status" };
	static const char *const of_match[] = { "type", "name" };
	static const double match_seconds[] = { 0.001, 0.005, 0.01, 0.025, 0.1, 0.2, 0.25 };
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
		{ METRIC_COUNTER, "apiserver_authorization_match_condition_evaluation_errors_total",
		  "Questions on which conditions of a webhook failed.", of_match,
		  ARRAY_LEN(of_match), NULL, 0, 0 },
		{ METRIC_COUNTER, "apiserver_authorization_match_condition_exclusions_total",
		  "Questions that a webhook was not asked since a condition did not hold.",
		  of_match, ARRAY_LEN(of_match), NULL, 0, 0 },
		{ METRIC_HISTOGRAM, "apiserver_authorization_match_condition_evaluation_seconds",
		  "Time that conditions of a webhook took.", of_match, ARRAY_LEN(of_match),
		  match_seconds, ARRAY_LEN(match_seconds), 0 },
	};
	struct metric_family **to[] = { &ret->decisions,    &ret->evaluations,
					&ret->durations,    &ret->fail_open,
					&ret->reloads,	    &ret->reloaded,
					&ret->match_errors, &ret->match_exclusions,
					&ret->match_seconds };

	for (size_t i = 0; i < ARRAY_LEN(specs); i++)
		if (metrics_add(m, &specs[i], to[i], err) < 0)
			return err_ret(err);
	return 0;
}
