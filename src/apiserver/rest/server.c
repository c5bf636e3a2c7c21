/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request from its head to the verb. The order of what may refuse it is upstream's: who asks
 * (401), its path, its turn (429), may it (403), is there such a thing (404, 405), its query (400).
 */
#include "apiserver/rest/server.h"

#include "apiserver/auth/apiaudit.h"
#include "apiserver/auth/authn.h"
#include "apiserver/auth/authz.h"
#include "apiserver/auth/impersonate.h"
#include "apiserver/extension/aggregator.h"
#include "apiserver/outward/node-agent.h"
#include "apiserver/rest/call.h"
#include "apiserver/rest/rest-hooks.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/work.h"
#include "crypto/tls.h"
#include "doc/json.h"
#include "io/http-server.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REQUEST_TIME (60 * NS_PER_SEC)
#define WATCH_TIME (1800 * NS_PER_SEC)
#define SCRATCH_MAX (64u << 20)
#define STREAM_ARENA_MAX (24u << 20) /* a body of 3 MiB while it grows, and the head */
#define LINE_MAX (512u << 20)
#define PACKERS 2 /* threads, started when a list is compressed */
#define PACKERS_WAITING 256

/* ---- metrics ---- */

static const char *const request_labels[] = { "verb",	     "group", "version", "resource",
					      "subresource", "scope", "code" };
static const char *const duration_labels[] = { "verb",	   "group",	  "version",
					       "resource", "subresource", "scope" };
static const char *const running_labels[] = { "request_kind" };
static const double duration_buckets[] = { 0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8,
					   1,	  1.25,	 1.5,  2,   3,	 4,   5,   6,
					   8,	  10,	 15,   20,  30,	 45,  60 };
static const struct metric_spec requests_spec = {
	.type = METRIC_COUNTER,
	.name = "apiserver_request_total",
	.help = "Requests by verb, resource and code of the answer",
	.labels = request_labels,
	.labels_n = ARRAY_LEN(request_labels),
	.series_max = 4000,
};
static const struct metric_spec durations_spec = {
	.type = METRIC_HISTOGRAM,
	.name = "apiserver_request_duration_seconds",
	.help = "Time from a request's head to the end of its answer, but of watches",
	.labels = duration_labels,
	.labels_n = ARRAY_LEN(duration_labels),
	.buckets = duration_buckets,
	.buckets_n = ARRAY_LEN(duration_buckets),
};
static const struct metric_spec running_spec = {
	.type = METRIC_GAUGE,
	.name = "apiserver_current_inflight_requests",
	.help = "Requests that run now: readOnly, mutating, watch",
	.labels = running_labels,
	.labels_n = ARRAY_LEN(running_labels),
};

static const char *const acting_labels[] = { "decision", "mode" };
static const struct metric_spec acting_spec = {
	.type = METRIC_COUNTER,
	.name = "apiserver_impersonation_attempts_total",
	.help = "Requests to act as somebody else, by the mode in which they were allowed",
	.labels = acting_labels,
	.labels_n = ARRAY_LEN(acting_labels),
};

static int add_metrics(struct server *srv, struct err *err)
{
	struct metrics *m = srv->conf.metrics;
	int r;

	if (!m)
		return 0;
	r = metrics_add(m, &requests_spec, &srv->requests, err);
	if (r == 0)
		r = metrics_add(m, &durations_spec, &srv->durations, err);
	if (r == 0)
		r = metrics_add(m, &running_spec, &srv->running, err);
	if (r == 0)
		r = metrics_add(m, &acting_spec, &srv->acting, err);
	return r < 0 ? r : who_metrics_add(m, &srv->who, err);
}

static const char *verb_label(const struct call *c)
{
	static const char *const names[] = { "",       "GET",	 "LIST",
					     "WATCH",  "POST",	 "PUT",
					     "PATCH",  "DELETE", "DELETECOLLECTION",
					     "OPTIONS" };

	return c->rq.verb ? names[c->rq.verb] : stream_request(c->s)->method;
}

static void count_end(struct call *c)
{
	const bool known = c->resource || !c->rq.verb;
	const char *scope = !c->resource	? ""
			    : *c->rq.name	? "resource"
			    : *c->rq.namespace_ ? "namespace"
						: "cluster";
	char code[12];
	const char *values[7] = { verb_label(c),
				  known ? c->rq.group : "",
				  known ? c->rq.version : "",
				  known ? c->rq.resource : "",
				  c->sub ? c->rq.subresource : "",
				  scope,
				  code };

	if (!c->srv->requests)
		return;
	(void)snprintf(code, sizeof(code), "%d", c->code);
	metric_inc(metric_with(c->srv->requests, values));
	if (!c->long_running)
		metric_observe(metric_with(c->srv->durations, values),
			       (double)(clock_mono() - c->since) / (double)NS_PER_SEC);
}

static void count_running(struct call *c, int by)
{
	const char *kind = c->rq.verb == VERB_WATCH    ? "watch"
			   : c->rq.verb >= VERB_CREATE ? "mutating"
						       : "readOnly";

	if (c->srv->running)
		metric_add(metric_with(c->srv->running, &kind), by);
}

/* ---- the audit log ---- */

/* What was sent, as a document, for the log only: before conversion and defaults. */
static const struct doc *request_doc(struct call *c)
{
	struct doc *d = ARENA_NEW(c->a, struct doc);
	const struct api_kind *kind = c->resource ? c->resource->kind : NULL;
	struct err err ERR_RAW;

	err_clear(&err);
	if (!d || !c->body.n)
		return NULL;
	/* Patches name no kind. */
	if (c->media == CODEC_JSON)
		return json_read(call_work(c), c->body, NULL, &d, NULL) == 0 ? d : NULL;
	return codec_read(c->srv->conf.api, c->media, c->body, kind, call_work(c), NULL, d, &err) ==
			       0
		       ? d
		       : NULL;
}

static const struct doc *answer_doc(struct call *c)
{
	struct doc *d = NULL;

	return c->told.n && !c->told.full &&
			       json_read(call_work(c), buf_slice(&c->told), NULL, &d, NULL) == 0
		       ? d
		       : NULL;
}

static void audit_about(struct call *c, struct apiaudit_about *r)
{
	const struct http_request *q = stream_request(c->s);
	const struct stream_peer *peer = stream_peer(c->s);

	*r = (struct apiaudit_about){
		.id = c->audit_id,
		.uri = q->raw_path,
		.verb = c->verb_name,
		.user = c->asker ? c->asker : &c->user,
		.impersonated = c->asker ? &c->user : NULL,
		.constraint = c->constraint,
		.source = peer ? peer->addr : "",
		.user_agent = stream_header(c->s, "User-Agent"),
		.is_resource = c->rq.verb != VERB_NONE,
		.group = c->rq.group,
		.version = c->rq.version,
		.resource = c->rq.resource,
		.subresource = c->rq.subresource,
		.namespace_ = c->rq.namespace_,
		.name = *c->rq.name || !c->named ? c->rq.name : c->named,
		.path = q->path,
		.received = c->received,
		.decision = c->decision,
		.notes = c->notes,
		.nnotes = c->nnotes,
		.why = c->why,
		.code = c->code,
	};
}

static void audit_begin(struct call *c)
{
	struct apiaudit_about r;

	if (!c->srv->conf.audit)
		return;
	audit_about(c, &r);
	c->audit = ARENA_NEW(c->a, struct apiaudit_verdict);
	if (!c->audit)
		return;
	*c->audit = apiaudit_judge(c->srv->conf.audit, &r);
	apiaudit_add(c->srv->conf.audit, c->audit, APIAUDIT_RECEIVED, &r);
}

void call_started(struct call *c)
{
	struct apiaudit_about r;

	if (!c->audit)
		return;
	audit_about(c, &r);
	apiaudit_add(c->srv->conf.audit, c->audit, APIAUDIT_STARTED, &r);
}

static void audit_end(struct call *c)
{
	struct apiaudit_about r;

	if (!c->audit)
		return;
	audit_about(c, &r);
	if (c->audit->level >= APIAUDIT_REQUEST)
		r.request = request_doc(c);
	r.response = answer_doc(c);
	if (c->code >= 400)
		r.status = r.response;
	apiaudit_add(c->srv->conf.audit, c->audit, APIAUDIT_COMPLETE, &r);
}

/* ---- life of a call ---- */

static void call_free(struct call *c)
{
	struct stream *s = c->s;

	timer_fini(&c->deadline);
	resource_unref(c->resource);
	list_del(&c->link);
	c->srv->ncalls--;
	if (c->work)
		arena_free(c->work);
	convert_memo_fini(&c->converted);
	buf_fini(&c->told);
	stream_unref(s); /* the call is in its arena */
}

void call_drop(struct call *c)
{
	assert(c->refs);
	if (--c->refs == 0)
		call_free(c);
}

/* The exchange is over, or shall be: whatever runs for it ends. */
static void end_call(struct call *c)
{
	void (*stop)(struct call * c) = STEAL(c->stop);

	timer_clear(&c->deadline);
	call_ask_no_more(c);
	if (c->waiting) {
		c->waiting = false;
		world_unwait(c->wait);
		call_drop(c); /* as its done() would */
	}
	if (stop)
		stop(c);
}

void call_closed(struct call *c)
{
	c->gone = true;
	if (!c->code)
		c->code = stream_status(c->s);
	end_call(c);
	c->answered = true;
	if (c->seated) {
		fairness_leave(&c->seat);
		c->seated = false;
	}
	if (c->entered) {
		count_running(c, -1);
		count_end(c);
		audit_end(c);
	}
	call_drop(c);
}

static void on_closed(struct stream *s, const struct err *why)
{
	(void)why;
	call_closed(stream_arg(s));
}

/* The client stopped listening: an endless answer ends now. */
static void on_cancel(struct stream *s)
{
	struct call *c = stream_arg(s);

	if (c->long_running)
		stream_reset(s, NULL);
}

static void on_writable(struct stream *s)
{
	struct call *c = stream_arg(s);

	if (c->writable)
		c->writable(c);
}

static const struct stream_events call_events = {
	.closed = on_closed,
	.cancel = on_cancel,
	.writable = on_writable,
};

static int on_deadline(struct timer *t)
{
	struct call *c = CONTAINER_OF(t, struct call, deadline);
	CLEANUP(call_drop) struct call *held = call_hold(c);
	struct err err = ERR_INIT;

	(void)held;
	if (c->answered && c->handed_on && c->code != 101)
		stream_reset(c->s, NULL);
	if (c->answered)
		return 0;
	(void)status_timeout(&err, &c->about, 0,
			     "request did not complete within the allotted timeout");
	if (c->handed_on) {
		rest_remote_expire(c, &err);
		return 0;
	}
	end_call(c);
	call_fail(c, &err);
	return 0;
}

/* ---- the way to a verb ---- */

static void new_audit_id(struct call *c)
{
	struct slice given = stream_header(c->s, "Audit-Id");

	if (given.n && given.n <= 64)
		(void)snprintf(c->audit_id, sizeof(c->audit_id), "%.*s", (int)given.n, given.p);
	else
		random_uuid(c->audit_id);
	(void)stream_set_header(c->s, "Audit-Id", c->audit_id);
}

static const char *lower(struct arena *a, const char *s)
{
	char *out = arena_strdup(a, s);

	for (char *p = out; p && *p; p++)
		*p = (char)tolower((unsigned char)*p);
	return out ? out : "";
}

static bool query_watches(struct slice query, struct arena *a)
{
	struct api_query q;

	return slice_has_text(query, SLICE("watch")) &&
	       api_query_parse(query, VERB_NONE, a, &q, NULL) == 0 && q.watch;
}

static int parse(struct call *c, struct err *err)
{
	const struct http_request *q = stream_request(c->s);
	int r = api_request_parse(q->method, q->path, query_watches(q->query, c->a), c->a, &c->rq,
				  err);

	c->verb_name = c->rq.verb ? api_request_verb_name(c->rq.verb) : lower(c->a, q->method);
	return r;
}

/* A list of the one object that a selector names is a request for that object. */
static const char *selected_name(struct call *c)
{
	struct slice name;
	const char *s = NULL;

	if (!*c->rq.name && selector_requires(&c->q.fields, "metadata.name", &name))
		s = arena_strndup(c->a, name.p, name.n);
	return s ? s : c->rq.name;
}

void call_attrs(struct call *c, struct authz_attrs *at)
{
	*at = (struct authz_attrs){
		.user = &c->user,
		.verb = c->verb_name,
		.resource_request = c->rq.verb != VERB_NONE,
		.group = c->rq.group,
		.version = c->rq.version,
		.resource = c->rq.resource,
		.sub = c->rq.subresource,
		.name = selected_name(c),
		.ns = c->rq.namespace_,
		.path = stream_request(c->s)->path,
		.fields = &c->q.fields,
		.labels = &c->q.labels,
	};
}

/* The verb's place in the tables: of the resource or its subresource. */
static bool is_served(const struct call *c)
{
	static const uint16_t bits[] = { 0,	    API_GET,	API_LIST,
					 API_WATCH, API_CREATE, API_UPDATE,
					 API_PATCH, API_DELETE, API_DELETE_COLLECTION,
					 API_GET };
	const struct api_kind *k = c->resource->kind;
	uint16_t verbs = c->sub ? c->sub->verbs : k->verbs;
	bool named = *c->rq.name != '\0';

	if (c->rq.verb == VERB_WATCH && c->rq.watch_path)
		named = false;
	if (c->rq.verb == VERB_CREATE && (named != (c->sub != NULL)))
		return false;
	if ((c->rq.verb == VERB_UPDATE || c->rq.verb == VERB_PATCH) && !named)
		return false;
	if (k->namespaced && !*c->rq.namespace_ && c->rq.verb != VERB_LIST &&
	    c->rq.verb != VERB_WATCH && c->rq.verb != VERB_NONE)
		return false;
	return verbs & bits[c->rq.verb];
}

/* Finds what the path names; false: answered. */
static bool find(struct call *c)
{
	struct resource *r =
		resources_find(c->srv->conf.resources, c->rq.group, c->rq.version, c->rq.resource);
	bool in_namespace = *c->rq.namespace_ && strcmp(c->rq.resource, "namespaces") != 0;
	struct err err = ERR_INIT;

	if (r)
		c->sub = *c->rq.subresource ? api_kind_sub(r->kind, c->rq.subresource) : NULL;
	if (!r || (*c->rq.subresource && !c->sub) || (in_namespace && !r->kind->namespaced)) {
		call_nowhere(c);
		return false;
	}
	c->resource = resource_ref(r);
	c->out.resource = r;
	c->about = status_about(r->kind);
	if (is_served(c))
		return true;
	(void)status_method_not_allowed(&err, &c->about, c->verb_name);
	call_fail(c, &err);
	return false;
}

static void run(struct call *c)
{
	static call_fn *const verbs[] = { NULL,	       rest_get,    rest_list,
					  rest_watch,  rest_create, rest_update,
					  rest_patch,  rest_delete, rest_delete_collection,
					  call_nowhere };
	const char *deprecated = strategy_deprecated(c->resource->kind);

	if (deprecated)
		call_warn(c, deprecated);
	if (rest_connect(c) || rest_review(c) || rest_token(c) || rest_sub(c))
		return;
	verbs[c->rq.verb](c);
}

/* Handed on to a node or pod: it takes as long as it takes, and its query is theirs. */
static bool is_connect(const struct call *c)
{
	static const char *const subs[] = { "proxy", "exec", "attach", "portforward", "log", NULL };

	return str_is_one_of(c->rq.subresource, subs);
}

static bool is_long(const struct call *c)
{
	return c->rq.verb == VERB_WATCH || is_connect(c);
}

void call_set_deadline(struct call *c)
{
	int64_t most = c->srv->conf.request_time ? c->srv->conf.request_time : REQUEST_TIME;

	if (c->long_running)
		return;
	if (c->q.request_time && c->q.request_time < most)
		most = c->q.request_time;
	timer_set_after(&c->deadline, most);
}

static void proceed(struct call *c);

static void proceed_again(void *arg, bool given_up)
{
	if (!given_up)
		proceed(arg);
}

/* Nobody allowed it, and one who might have gave no answer: that is no refusal. */
static void fail_to_decide(struct call *c, const char *why)
{
	static const char *const entities[] = { ['&'] = "&amp;", ['<'] = "&lt;", ['>'] = "&gt;" };
	CLEANUP(buf_fini) struct buf said = BUF_INIT(8192), text = BUF_INIT(65536);
	const struct slice uri = stream_request(c->s)->raw_path;

	c->why = "internal error";
	(void)buf_addf(&said, "Internal Server Error: \"%.*s\": %.1024s\n",
		       (int)MIN(uri.n, (size_t)2048), uri.p, why);
	for (size_t i = 0; i < said.n; i++) {
		const unsigned char ch = (unsigned char)said.p[i];

		if (ch < ARRAY_LEN(entities) && entities[ch])
			(void)buf_adds(&text, entities[ch]);
		else
			(void)buf_addc(&text, (char)ch);
	}
	call_text(c, 500, "text/plain; charset=utf-8", buf_slice(&text));
}

/* What decided is told to the log, and to who is refused; false: answered, or not known yet. */
static bool may_proceed(struct call *c, const struct authz_attrs *at)
{
	const struct authz *z = c->srv->conf.authz;
	CLEANUP(buf_fini) struct buf why = BUF_INIT(1024);
	struct err err = ERR_INIT;
	bool may = authz_allowed(z, at, c->srv->conf.audit ? &why : NULL);

	if (!c->judged)
		c->judged = loop_now(c->srv->conf.loop);
	if (!may && call_asks(c, proceed_again, c))
		return false;
	who_count_may(&c->srv->who,
		      may	       ? WHO_ALLOWED
		      : c->memo.failed ? WHO_UNDECIDED
		      : c->memo.denied ? WHO_DENIED
				       : WHO_NO_OPINION,
		      loop_now(c->srv->conf.loop) - c->judged);
	if (!may && !c->srv->conf.audit)
		(void)authz_allowed(z, at, &why);
	if (!may && c->memo.failed) {
		fail_to_decide(c, c->memo.failed);
		return false;
	}
	c->decision = may ? "allow" : "forbid";
	if (why.n)
		c->why = arena_strdup(c->a, buf_str(&why));
	if (may)
		return true;
	(void)authz_refuse(at, &why, &err, &c->about);
	call_fail(c, &err);
	return false;
}

/* Its turn has come. */
static void proceed(struct call *c)
{
	const struct http_request *q = stream_request(c->s);
	struct err err ERR_RAW, bad ERR_RAW;
	struct authz_attrs at;
	struct remote *remote;
	int r;

	err_clear(&err);
	err_clear(&bad); /* of the query: told to who may ask at all */
	if (c->seated && *c->seat.schema_uid) {
		(void)stream_set_header(c->s, "X-Kubernetes-Pf-Flowschema-Uid", c->seat.schema_uid);
		(void)stream_set_header(c->s, "X-Kubernetes-Pf-Prioritylevel-Uid",
					c->seat.level_uid);
	}
	r = c->rq.verb && !is_connect(c) ? api_query_parse(q->query, c->rq.verb, c->a, &c->q, &bad)
					 : 0;
	c->user.memo = &c->memo;
	call_attrs(c, &at);
	if (!may_proceed(c, &at))
		return;
	remote = aggregator_find(c->srv->conf.aggregator, q->path);
	if (remote) {
		rest_remote(c, remote, NULL);
		return;
	}
	if (!c->rq.verb) {
		paths_serve(c);
		return;
	}
	if (!find(c))
		return;
	if (r < 0) {
		if (bad.code == ERR_INVALID)
			c->about = (struct status_about){ .group = "meta.k8s.io",
							  .kind = api_query_kind(c->rq.verb) };
		call_fail(c, &bad);
		return;
	}
	c->q.pretty = c->q.pretty_given ? c->q.pretty : call_is_person(c);
	call_set_deadline(c);
	call_wait_objects(c, run);
}

static void seat_start(struct fairness_seat *seat)
{
	struct call *c = CONTAINER_OF(seat, struct call, seat);
	CLEANUP(call_drop) struct call *held = call_hold(c);

	(void)held;
	proceed(c);
}

static void refuse_busy(struct call *c)
{
	struct err err = ERR_INIT;

	c->seated = false;
	c->about.retry_after = 1;
	(void)status_too_many(&err, &c->about, 1, "too many requests, please try again later");
	call_fail(c, &err);
}

static void seat_refuse(struct fairness_seat *seat)
{
	struct call *c = CONTAINER_OF(seat, struct call, seat);
	CLEANUP(call_drop) struct call *held = call_hold(c);

	(void)held;
	refuse_busy(c);
}

static unsigned cost_of(const struct call *c)
{
	struct collection *o;

	if (c->rq.verb != VERB_LIST)
		return 1;
	o = resources_objects(c->srv->conf.resources, c->rq.group, c->rq.resource);
	return o && o->cache ? fairness_list_cost(cache_count(o->cache)) : 1;
}

static void enter(struct call *c)
{
	struct fairness_about about = {
		.user = &c->user,
		.verb = c->verb_name,
		.is_resource = c->rq.verb != VERB_NONE,
		.group = c->rq.group,
		.resource = c->rq.resource,
		.subresource = c->rq.subresource,
		.namespace_ = c->rq.namespace_,
		.path = stream_request(c->s)->path,
	};
	int r;

	if (!c->srv->conf.fairness) {
		proceed(c);
		return;
	}
	c->seat.start = seat_start;
	c->seat.refuse = seat_refuse;
	c->seated = true;
	r = fairness_enter(c->srv->conf.fairness, &c->seat, &about, cost_of(c), NULL);
	if (r == 0)
		proceed(c);
	else if (r < 0)
		refuse_busy(c);
}

void call_leave_queue(struct call *c)
{
	if (!c->seated)
		return;
	c->seated = false;
	fairness_leave(&c->seat);
}

bool call_is_person(const struct call *c)
{
	struct slice ua = stream_header(c->s, "User-Agent");

	return slice_starts(ua, SLICE("curl")) || slice_starts(ua, SLICE("Wget")) ||
	       slice_starts(ua, SLICE("Mozilla/5.0"));
}

/* From here on who asked is somebody else; the log has both. */
static int act_as(struct call *c, struct status_about *about, struct err *err)
{
	struct impersonation other;
	struct authz_attrs at;
	int r;

	if (!impersonate_asked(c->s))
		return 0;
	/* What is selected is part of what is done; a query that is wrong is told later. */
	if (c->rq.verb && !is_connect(c))
		(void)api_query_parse(stream_request(c->s)->query, c->rq.verb, c->a, &c->q, NULL);
	call_attrs(c, &at);
	r = impersonate(c->s, c->srv->conf.authz, &at, c->a, &other, about, err);
	if (r <= 0)
		return r;
	c->asker = ARENA_NEW(c->a, struct strategy_user);
	if (!c->asker)
		return arena_quota(c->a, err);
	*c->asker = c->user;
	c->user = other.user;
	c->constraint = other.constraint;
	return 0;
}

/* constraint: "impersonate:MODE", or NULL of legacy; of who was refused there is no mode. */
static void count_acting(struct call *c, bool allowed)
{
	const char *mode = !allowed	   ? ""
			   : c->constraint ? strchr(c->constraint, ':') + 1
					   : "legacy";

	if (c->srv->acting)
		metric_inc(metric_with(c->srv->acting,
				       (const char *[]){ allowed ? "allowed" : "denied", mode }));
}

static void act(struct call *c);

static void act_again(void *arg, bool given_up)
{
	if (!given_up)
		act(arg);
}

/* Who asks is known. */
static void act(struct call *c)
{
	struct status_about about = c->about;
	struct err err ERR_RAW;
	int r;

	err_clear(&err);
	c->memo.a = c->images.a = c->a;
	c->user.memo = &c->memo;
	r = act_as(c, &about, &err);
	if (r < 0 && call_asks(c, act_again, c))
		return;
	c->about = about;
	if (r == -ERR_FORBIDDEN || c->asker)
		count_acting(c, r == 0);
	if (r < 0)
		call_fail(c, &err);
	else
		enter(c);
}

static void identify(struct call *c);

static void identify_again(void *arg, bool given_up)
{
	if (!given_up)
		identify(arg);
}

static void identify(struct call *c)
{
	struct authn_found who;
	struct err err ERR_RAW;
	int r;

	err_clear(&err);
	r = authn_check(c->srv->conf.authn, c->s, &c->known, c->a, &who, &err);
	if (r == AUTHN_WAITS && call_asks(c, identify_again, c))
		return;
	who_count_known(&c->srv->who,
			r == 0					 ? WHO_SUCCESS
			: stream_header(c->s, "Authorization").n ? WHO_ERROR
								 : WHO_FAILURE,
			r == 0 ? who.user.name : NULL, loop_now(c->srv->conf.loop) - c->since);
	if (r != 0) {
		(void)status_unauthorized(&err, &c->about);
		call_fail(c, &err);
		return;
	}
	c->user = who.user;
	call_warn(c, who.warning);
	for (size_t i = 0; i < who.nnotes; i++)
		call_note(c, who.notes[i].key, who.notes[i].value);
	audit_begin(c);
	err_clear(&err);
	if (c->bad_path && parse(c, &err) < 0) /* is told to who is known only */
		call_fail(c, &err);
	else
		act(c);
}

static void start(struct call *c)
{
	new_audit_id(c);
	(void)stream_set_header(c->s, "Cache-Control", "no-cache, private");
	c->bad_path = parse(c, NULL) < 0;
	c->long_running = is_long(c);
	c->entered = true;
	count_running(c, 1);
	c->known.a = c->a;
	identify(c);
}

static void on_request(struct stream *s, void *arg)
{
	struct call *c = ARENA_NEW(stream_arena(s), struct call);

	if (!c) {
		stream_reset(s, NULL);
		return;
	}
	c->srv = arg;
	c->s = stream_ref(s);
	c->a = stream_arena(s);
	c->refs = 2; /* the connection's and ours */
	c->since = loop_now(c->srv->conf.loop);
	c->received = clock_real();
	c->out.world = c->srv->conf.world;
	c->out.api = c->srv->conf.api;
	c->out.now = c->received / NS_PER_SEC;
	timer_init(&c->deadline, c->srv->conf.loop, on_deadline);
	list_append(&c->srv->calls, &c->link);
	c->srv->ncalls++;
	stream_on(s, &call_events, c);
	start(c);
	call_drop(c);
}

/* ---- the server ---- */

/* What is not even a request is told as a Status too. */
static const char *refuse(struct buf *body, int status, const char *message)
{
	(void)buf_addf(body, "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},"
			     "\"status\":\"Failure\",\"message\":");
	(void)json_write_string(body, slice_str(message), true);
	(void)buf_addf(body, ",\"code\":%d}\n", status);
	return "application/json";
}

int server_new(const struct server_conf *conf, struct server **ret, struct err *err)
{
	CLEANUP(server_free) struct server *srv = calloc(1, sizeof(*srv));
	struct http_server_conf http = {
		.request = on_request,
		.arg = srv,
		.refuse = refuse,
		.connections_max = 65536,
		.streams_max = 1000,
		.arena_max = STREAM_ARENA_MAX,
	};
	const struct agents_conf agents = { .loop = conf->loop,
					    .ca = conf->node_ca,
					    .cert = conf->node_cert,
					    .key = conf->node_key,
					    .order = conf->node_addresses };
	int r;

	assert(srv);
	srv->conf = *conf;
	list_init(&srv->calls);
	list_init(&srv->corked);
	srv->scratch = arena_new("an answer", SCRATCH_MAX);
	srv->line = BUF_INIT(LINE_MAX);
	if (!srv->conf.watch_time_min)
		srv->conf.watch_time_min = WATCH_TIME;
	srv->paths = paths_new(srv);
	r = add_metrics(srv, err);
	if (r == 0)
		r = agents_new(&agents, &srv->agents, err);
	if (r == 0)
		r = work_pool_new(conf->loop, PACKERS, PACKERS_WAITING, &srv->packers, err);
	if (r == 0)
		r = hook_desk_new(srv, &srv->hook_desk, err);
	if (r == 0)
		r = converter_new(conf->loop, conf->resources, conf->metrics, &srv->converter, err);
	if (r == 0)
		r = http_server_new(conf->loop, &http, &srv->http, err);
	if (r < 0)
		return r;
	*ret = STEAL(srv);
	return 0;
}

/* Writes that are on their way hold their calls: the store, which lives longer, finishes them. */
void server_free(struct server *srv)
{
	if (!srv)
		return;
	http_server_free(srv->http);
	while (!list_empty(&srv->calls))
		if (loop_step(srv->conf.loop, -1, NULL) < 0)
			break;
	work_pool_free(srv->packers); /* idle: a call is held by its piece */
	hook_desk_free(srv->hook_desk);
	converter_free(srv->converter);
	agents_free(srv->agents);
	paths_free(srv->paths);
	buf_fini(&srv->line);
	buf_fini(&srv->spare);
	arena_free(srv->scratch);
	free(srv);
}

int server_listen(struct server *srv, const char *address, struct tls_conf *tls, struct err *err)
{
	size_t i = http_server_listeners(srv->http);
	int r;

	if (strncmp(address, "unix://", 7) == 0)
		r = http_server_listen_unix(srv->http, address + 7, 0600, (gid_t)-1, err);
	else
		r = http_server_listen_tcp(srv->http, address, err);
	if (r == 0 && tls)
		r = http_server_set_tls(srv->http, i, tls, err);
	return r;
}

int server_set_tls(struct server *srv, struct tls_conf *tls, struct err *err)
{
	return http_server_set_tls(srv->http, HTTP_ALL_LISTENERS, tls, err);
}

const char *server_address(const struct server *srv, size_t i)
{
	return i < http_server_listeners(srv->http) ? http_server_address(srv->http, i) : NULL;
}

int server_adopt(struct server *srv, int fd_taken, struct err *err)
{
	return http_server_adopt(srv->http, fd_taken, err);
}

void server_add_check(struct server *srv, struct server_check *c)
{
	struct server_check **at = &srv->checks;

	while (*at)
		at = &(*at)->next;
	c->next = NULL;
	*at = c;
}

void server_drain(struct server *srv, int64_t grace_ns, void (*drained)(void *arg), void *arg)
{
	struct call *c;

	srv->draining = true;
	LIST_FOREACH (c, &srv->calls, struct call, link)
		if (c->drain)
			c->drain(c);
	http_server_drain(srv->http, grace_ns, drained, arg);
}
