/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/rest/rest-hooks.h"

#include "api/match-condition.h"
#include "apiserver/admission/admission.h"
#include "apiserver/auth/cel-authz.h"
#include "apiserver/rest/policy-run.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "doc/json.h"
#include "doc/patch.h"
#include "expr/cel.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BODY_MAX (16u << 20) /* two objects, and who asks */
#define TOGETHER_MAX 32u     /* validating ones that are asked at once for one request */

struct hook_desk {
	struct hook_configs *hooks;
	struct webhook_clients *clients;
	struct policy_desk *policies;
	bool on[2]; /* validating, mutating */
	struct metric_family *durations, *rejections, *requests, *opened;
};

/* One webhook that is asked. */
struct hook_one {
	struct hook_run *run;
	const struct hook *hook;
	size_t place; /* in the set */
	const struct resource *as;
	struct hook_view view;
	char uid[UUID_TEXT_MAX];
	struct buf body;
	struct webhook_post post;
	int64_t since;
	int result;
	const struct doc *patch; /* of its answer; NULL: none */
	struct err err;
	struct doc denied;
	int code;
};

struct hook_run {
	struct hook_ask *k;
	struct hook_desk *w;
	struct hook_set *set;
	bool mutating, over;
	struct hook_match match;
	size_t at; /* of the set: which is looked at now */
	/* mutating */
	unsigned round;
	bool *asked_before, *once_more; /* of each of the set: may be, shall be asked again */
	struct deferred next;
	/* validating: those that match; mutating: one */
	struct hook_one *ones;
	size_t n, started, pending;
};

/* ---- metrics ---- */

static const char *const duration_labels[] = { "name", "operation", "rejected", "type" };
static const double duration_buckets[] = { 0.005, 0.025, 0.1, 0.5, 1, 2.5, 10, 25 };
static const struct metric_spec durations_spec = {
	.type = METRIC_HISTOGRAM,
	.name = "apiserver_admission_webhook_admission_duration_seconds",
	.help = "Time that a webhook took, by its name, type, the operation and whether it "
		"refused.",
	.labels = duration_labels,
	.labels_n = ARRAY_LEN(duration_labels),
	.buckets = duration_buckets,
	.buckets_n = ARRAY_LEN(duration_buckets),
};
static const char *const rejection_labels[] = { "error_type", "name", "operation", "rejection_code",
						"type" };
/* Upstream's names of two are none that a counter has in OpenMetrics. */
static const struct metric_spec rejections_spec = {
	.type = METRIC_GAUGE,
	.name = "apiserver_admission_webhook_rejection_count",
	.help = "Requests that a webhook refused, or that were refused since it could not be "
		"asked.",
	.labels = rejection_labels,
	.labels_n = ARRAY_LEN(rejection_labels),
};
static const char *const request_labels[] = { "code", "name", "operation", "rejected", "type" };
static const struct metric_spec requests_spec = {
	.type = METRIC_COUNTER,
	.name = "apiserver_admission_webhook_request_total",
	.help = "What webhooks were asked, and with which code they answered.",
	.labels = request_labels,
	.labels_n = ARRAY_LEN(request_labels),
};
static const char *const opened_labels[] = { "name", "type" };
static const struct metric_spec opened_spec = {
	.type = METRIC_GAUGE,
	.name = "apiserver_admission_webhook_fail_open_count",
	.help = "Requests that went on although a webhook could not be asked.",
	.labels = opened_labels,
	.labels_n = ARRAY_LEN(opened_labels),
};

static const char *type_of(const struct hook_run *run)
{
	return run->mutating ? "admit" : "validating";
}

static void count(const struct hook_one *o, int code, const char *error)
{
	const struct hook_run *run = o->run;
	const char *op = hook_op_name(run->k->op), *rejected = o->result < 0 ? "true" : "false";
	char text[16];

	if (!run->w->durations)
		return;
	(void)snprintf(text, sizeof(text), "%d", MIN(code, 600));
	metric_observe(metric_with(run->w->durations,
				   (const char *[]){ o->hook->name, op, rejected, type_of(run) }),
		       (double)(clock_mono() - o->since) / NS_PER_SEC);
	metric_inc(metric_with(run->w->requests, (const char *[]){ text, o->hook->name, op,
								   rejected, type_of(run) }));
	if (o->result < 0)
		metric_inc(metric_with(run->w->rejections,
				       (const char *[]){ error, o->hook->name, op,
							 o->code ? text : "0", type_of(run) }));
}

/* ---- life ---- */

int hook_desk_new(struct server *srv, struct hook_desk **ret, struct err *err)
{
	const struct admission *ad = srv->conf.admission;
	struct hook_desk *w = calloc(1, sizeof(*w));
	struct metrics *m = srv->conf.metrics;
	int r = 0;

	assert(w);
	w->on[0] = admission_runs(ad, "ValidatingAdmissionWebhook");
	w->on[1] = admission_runs(ad, "MutatingAdmissionWebhook");
	w->hooks = hook_configs_new(srv->conf.resources);
	w->clients = webhook_clients_new(srv->conf.loop, srv->conf.resources);
	if (m && (w->on[0] || w->on[1])) {
		r = metrics_add(m, &durations_spec, &w->durations, err);
		if (r == 0)
			r = metrics_add(m, &rejections_spec, &w->rejections, err);
		if (r == 0)
			r = metrics_add(m, &requests_spec, &w->requests, err);
		if (r == 0)
			r = metrics_add(m, &opened_spec, &w->opened, err);
	}
	*ret = w;
	return r < 0 ? r : policy_desk_new(srv, &w->policies, err);
}

void hook_desk_free(struct hook_desk *w)
{
	if (!w)
		return;
	webhook_clients_free(w->clients);
	hook_configs_free(w->hooks);
	policy_desk_free(w->policies);
	free(w);
}

static void run_free(struct hook_run *run)
{
	for (size_t i = 0; i < run->n; i++) {
		webhook_post_cancel(&run->ones[i].post);
		buf_fini(&run->ones[i].body);
	}
	deferred_fini(&run->next);
	hook_set_unref(run->set);
	free(run->ones);
	free(run->asked_before);
	free(run->once_more);
	free(run);
}

void hook_ask_cancel(struct hook_ask *k)
{
	struct hook_run *run = STEAL(k->run);

	if (run)
		run_free(run);
}

static void finish(struct hook_run *run, int result, struct err *err)
{
	struct hook_ask *k = run->k;

	k->run = NULL;
	run_free(run);
	k->done(k, result, err);
}

void hook_ask_fail(struct hook_ask *k, const struct err *err)
{
	struct call *c = k->c;

	if (k->denied.type == DOC_NULL) {
		call_fail(c, err);
		return;
	}
	if (!c->out.codec.content_type)
		c->out.codec.content_type = "application/json";
	c->out.codec.shape = CODEC_OBJECT;
	c->code = k->code;
	call_doc(c, k->code, &k->denied, api_type(c->srv->conf.api, API_META, "Status"));
}

/* What is said of the request. */
static int describe(struct hook_one *o, struct err *err)
{
	int r = hook_view(o->run->k, o->as, o->run->mutating, &o->view, err);

	random_uuid(o->uid);
	o->view.review.beta = o->hook->beta;
	o->view.review.uid = o->uid;
	return r;
}

static int write_body(struct hook_one *o, struct err *err)
{
	int r = describe(o, err);

	if (r < 0)
		return r;
	o->body.max = BODY_MAX;
	buf_clear(&o->body);
	return review_write(&o->view.review, &o->body, err);
}

/* ---- conditions ---- */

#define NOT_YET 2 /* an authorizer, or who converts the object, has to be asked before */

static int unless_asked(const struct hook_one *o, int r)
{
	return r < 0 && o->run->k->c->converted.open ? NOT_YET : r;
}

/* What is asked for, as the request named it. */
static struct cel_check asked_for(const struct hook_ask *k)
{
	const struct api_kind *kind = k->asked->kind;

	return (struct cel_check){
		.group = slice_str(kind->group->group),
		.resource = slice_str(kind->resource),
		.subresource = slice_str(k->sub),
		.ns = slice_str(k->ns),
		.name = slice_str(k->name),
	};
}

/* One that is false decides; else one that failed: *ret_why, of err. */
static int run_conditions(struct hook_one *o, const char **ret_why, struct err *err)
{
	const struct hook_ask *k = o->run->k;
	struct arena *a = call_work(k->c);
	struct cel_value v[MATCH_VARS], result;
	struct cel_budget budget = { .left = MATCH_COST_MAX };
	const struct cel_vars vars = { .v = v, .n = MATCH_VARS };
	const struct cel_check asked = asked_for(k);
	const struct review *q = &o->view.review;
	struct cel_authz authz;

	*ret_why = NULL;
	if (match_values(q->obj, q->old, review_request(q, a), a, v, err) < 0)
		return err_ret(err);
	cel_authz_init(&authz, k->c->srv->conf.authz, &k->c->user);
	v[MATCH_VAR_AUTHORIZER] = cel_authz_value(&authz, a);
	v[MATCH_VAR_REQUEST_RESOURCE] = cel_authz_request(&authz, &asked, a);
	for (size_t i = 0; i < o->hook->nconditions; i++) {
		const struct hook_condition *c = &o->hook->conditions[i];
		struct err one = ERR_INIT;
		const int r = cel_run(c->prog, &vars, &budget, a, &result, &one);

		if (cel_authz_waits(&authz))
			return NOT_YET;
		if (r < 0) {
			if (!*ret_why)
				*ret_why = arena_printf(a, "%s: %s", c->name, one.msg);
		} else if (result.kind != CEL_T_BOOL || !result.b) {
			return 0;
		}
	}
	return arena_exceeded(a) ? arena_quota(a, err) : 1;
}

/* Do the conditions want it to be asked? Or NOT_YET; negative: the request is refused. */
static int conditions_hold(struct hook_one *o, struct err *err)
{
	struct hook_ask *k = o->run->k;
	const char *why;
	int r;

	if (!o->hook->nconditions)
		return 1;
	r = describe(o, err);
	if (r < 0)
		return unless_asked(o, r);
	r = run_conditions(o, &why, err);
	if (r != 1 || !why)
		return r;
	if (o->hook->fails_open)
		return 0;
	return status_forbidden(err, &k->c->about, k->name,
				"match conditions of webhook \"%s\" could not be evaluated: %s",
				o->hook->name, why);
}

/* ---- what is told ---- */

static void note(struct hook_run *run, const struct hook_one *o, const char *what,
		 const char *value)
{
	struct call *c = run->k->c;

	if (c->audit)
		call_note(c,
			  arena_printf(c->a, "%s.webhook.admission.k8s.io/round_%u_index_%zu", what,
				       run->round, o->place),
			  value);
}

static void note_mutation(struct hook_one *o, bool changed, const struct doc *patch)
{
	struct hook_run *run = o->run;
	struct call *c = run->k->c;
	struct doc d = doc_object();
	struct slice text;

	if (!c->audit)
		return;
	doc_set_str(c->a, &d, "configuration", o->hook->config);
	doc_set_str(c->a, &d, "webhook", o->hook->name);
	doc_set_bool(c->a, &d, "mutated", changed);
	if (json_print(c->a, &d, NULL, &text, NULL) == 0)
		note(run, o, "mutation", text.p);
	if (!patch || c->audit->level < APIAUDIT_REQUEST)
		return;
	(void)doc_remove(&d, "mutated");
	doc_set(c->a, &d, "patch", *patch);
	doc_set_str(c->a, &d, "patchType", "JSONPatch");
	if (json_print(c->a, &d, NULL, &text, NULL) == 0)
		note(run, o, "patch", text.p);
}

static void tell(struct hook_one *o, const struct review_answer *answer)
{
	struct call *c = o->run->k->c;

	DOC_EACH (w, answer->warnings)
		call_warn(c, doc_cstr(call_work(c), w));
	DOC_EACH_MEMBER (key, value, answer->audit)
		if (c->audit)
			call_note(c,
				  arena_printf(c->a, "%s/%.*s", o->hook->name, (int)key->n, key->s),
				  arena_strndup(c->a, value->s, value->n));
}

/* The Status that a refusal is told as. */
static int deny(struct hook_one *o, const struct doc *given, struct err *err)
{
	struct call *c = o->run->k->c;
	struct arena *a = call_work(c);
	const struct api_type *type = api_type(c->srv->conf.api, API_META, "Status");
	struct slice message = doc_slice(doc_get(given, "message")),
		     reason = doc_slice(doc_get(given, "reason"));
	struct doc st, d = doc_object();
	int64_t code = 0;

	if (!given || api_admit(type, given, a, 0, NULL, &st, NULL) < 0)
		st = doc_object();
	if (doc_get(&st, "code"))
		(void)doc_int64(doc_get(&st, "code"), &code);
	if (code < 400 || code > 599)
		code = 400;
	if (!message.n)
		message = reason;
	doc_set_str(a, &d, "kind", "Status");
	doc_set_str(a, &d, "apiVersion", "v1");
	doc_set_object(a, &d, "metadata");
	doc_set_str(a, &d, "status", "Failure");
	doc_set_strf(a, &d, "message", "admission webhook \"%s\" denied the request%s%.*s",
		     o->hook->name, message.n ? ": " : " without explanation", (int)message.n,
		     message.n ? message.p : "");
	if (reason.n)
		doc_set_strn(a, &d, "reason", reason.p, reason.n);
	if (doc_get(&st, "details"))
		doc_set(a, &d, "details", *doc_get(&st, "details"));
	doc_set_int(a, &d, "code", code);
	if (arena_exceeded(a))
		return arena_quota(a, err);
	o->denied = d;
	o->code = (int)code;
	return err_set(err, ERR_FORBIDDEN, "admission webhook \"%s\" denied the request",
		       o->hook->name);
}

/* It could not be asked, or its answer is none: what that means for the request. */
static int call_failed(struct hook_one *o, const char *what, struct err *err)
{
	struct hook_run *run = o->run;
	char why[sizeof(err->msg)];

	(void)str_copy(why, sizeof(why), err->msg);
	if (o->hook->fails_open) {
		log_kv(LOG_LEVEL_WARN, "a webhook could not be asked: the request goes on",
		       "webhook", o->hook->name, "error", why, NULL);
		if (run->w->opened)
			metric_inc(metric_with(run->w->opened,
					       (const char *[]){ o->hook->name, type_of(run) }));
		note(run, o, run->mutating ? "failed-open.mutation" : "failed-open.validating",
		     o->hook->name);
		return 0;
	}
	return status_internal(err, &run->k->c->about, "failed calling webhook \"%s\": %s%s",
			       o->hook->name, what, why);
}

/* ---- patches ---- */

static int apply_patch(struct hook_one *o, const struct doc *patch, bool *ret_changed,
		       struct err *err)
{
	struct hook_ask *k = o->run->k;
	char who[HOOK_WHO_MAX];
	struct doc *to;

	(void)snprintf(who, sizeof(who), "admission webhook \"%.253s\"", o->hook->name);
	if (!k->obj)
		return err_set(err, ERR_INVALID,
			       "%s attempted to modify the object, which is not supported for "
			       "this operation",
			       who);
	if (patch_apply(call_work(k->c), &o->view.obj, patch, NULL, &to, err) < 0)
		return err_ret(err);
	return hook_view_take(k, &o->view, to, who, ret_changed, err);
}

static int take_patch(struct hook_one *o, const struct doc *patch, struct err *err)
{
	struct hook_run *run = o->run;
	bool changed = false;
	char why[sizeof(err->msg)];

	if (patch && apply_patch(o, patch, &changed, err) < 0) {
		if (unless_asked(o, err_ret(err)) == NOT_YET)
			return NOT_YET;
		(void)str_copy(why, sizeof(why), err->msg);
		return status_internal(err, &run->k->c->about, "%s", why);
	}
	note_mutation(o, changed, patch);
	if (!changed)
		return 0;
	run->k->changed = true;
	/* All that were asked before it and want to know are asked again. */
	for (size_t i = 0; i < run->set->n; i++) {
		run->once_more[i] |= run->asked_before[i];
		run->asked_before[i] = false;
	}
	return 0;
}

/* ---- one answer ---- */

static void judge(struct hook_one *o, int result, struct slice text, struct err *err)
{
	struct hook_run *run = o->run;
	struct call *c = run->k->c;
	struct review_answer answer;
	const char *what = "failed to call webhook: ", *error = "no_error";
	int code = 200;

	if (result == 0) {
		what = "received invalid webhook response: ";
		result = review_read(text, &o->view.review, run->mutating, call_work(c), &answer,
				     err);
		if (result == -ERR_UNSUPPORTED)
			what = "";
	}
	if (result < 0) {
		o->result = call_failed(o, what, err);
		error = "calling_webhook_error";
		code = o->code = 500;
	} else {
		tell(o, &answer);
		if (!answer.allowed) {
			o->result = deny(o, answer.status, err);
			code = o->code;
		} else if (run->mutating) {
			o->patch = answer.patch;
			o->result = take_patch(o, answer.patch, err);
			if (o->result == NOT_YET)
				return;
			error = "apiserver_internal_error";
			code = o->result < 0 ? 500 : 200;
		}
	}
	if (o->result < 0)
		o->err = *err;
	count(o, code, error);
}

/* Asks it; done is called from the loop. Negative: it is not to be asked about this at all. */
static int ask(struct hook_one *o, webhook_done *done, struct err *err)
{
	struct hook_ask *k = o->run->k;
	struct call *c = k->c;
	int64_t time = o->hook->seconds * NS_PER_SEC, left;
	int r;

	if (k->dry_run && o->hook->effects)
		return status_bad_request(err, &c->about,
					  "admission webhook \"%s\" does not support dry run",
					  o->hook->name);
	r = write_body(o, err);
	if (r < 0)
		return r;
	o->since = clock_mono();
	if (timer_armed(&c->deadline)) {
		/* The request's own end is told as that, and comes first. */
		left = MAX(c->deadline.due - o->since, 0) + NS_PER_SEC;
		time = MIN(time, left);
	}
	o->post = (struct webhook_post){
		.at = &o->hook->at,
		.body = buf_slice(&o->body),
		.seconds = o->hook->seconds,
		.time = time,
		.done = done,
		.user = admission_hook_user(c->srv->conf.admission, o->run->mutating, &o->hook->at),
	};
	webhook_post(o->run->w->clients, &o->post);
	return 0;
}

/* The first refusal is what the client is told. */
static void refuse(struct hook_run *run, struct hook_one *o)
{
	struct err err = o->err;

	run->k->denied = o->denied;
	run->k->code = o->code;
	finish(run, o->result, &err);
}

/* ---- mutating ---- */

static void mutate_next(struct hook_run *run);

static void mutated(struct hook_run *run, struct hook_one *o)
{
	if (o->result < 0) {
		refuse(run, o);
		return;
	}
	if (o->hook->again)
		run->asked_before[o->place] = true;
	run->at++;
	mutate_next(run);
}

/* The patched object was converted. */
static void patch_again(void *arg, bool given_up)
{
	struct hook_run *run = arg;
	struct hook_one *o = run->ones;
	struct err err = ERR_INIT;

	if (given_up)
		return;
	o->result = take_patch(o, o->patch, &err);
	if (o->result == NOT_YET) {
		(void)call_asks(run->k->c, patch_again, run);
		return;
	}
	o->err = err;
	count(o, o->result < 0 ? 500 : 200, "apiserver_internal_error");
	mutated(run, o);
}

static void on_mutated(struct webhook_post *p, int result, struct slice answer, struct err *err)
{
	struct hook_one *o = CONTAINER_OF(p, struct hook_one, post);

	CLEANUP(call_drop) struct call *held = call_hold(o->run->k->c);

	judge(o, result, answer, err);
	if (o->result == NOT_YET)
		(void)call_asks(held, patch_again, o->run);
	else
		mutated(o->run, o);
}

/* The plugins and the policies once more. 1: they changed something. */
static int again(struct hook_ask *k, struct err *err)
{
	const struct doc *before = doc_copy_shared(call_work(k->c), k->obj);
	int r;

	if (!before)
		return arena_quota(call_work(k->c), err);
	r = k->again ? k->again(k, err) : 0;
	if (r >= 0)
		r = policy_desk_mutate(k->c->srv->hook_desk->policies, k, err);
	return r < 0 ? r : !doc_equal(before, k->obj);
}

/* Another round, if one is needed: all of them, then those webhooks that asked for it. */
static int go_round(struct hook_run *run, struct err *err)
{
	int r;

	if (run->round || !run->k->changed)
		return 0;
	run->round = 1;
	run->at = 0;
	r = again(run->k, err);
	for (size_t i = 0; r > 0 && i < run->set->n; i++)
		run->once_more[i] |= run->asked_before[i];
	return r < 0 ? r : 1;
}

/* Is it this one's turn? 1: it is asked now; 0: the next; NOT_YET. */
static int mutate_one(struct hook_run *run, struct hook_one *o, struct err *err)
{
	struct hook_ask *k = run->k;
	int r;

	*o = (struct hook_one){
		.run = run, .hook = &run->set->v[run->at], .place = run->at, .body = o->body
	};
	if (run->round && !run->once_more[run->at])
		return 0;
	run->match.obj = k->obj;
	r = hook_matches(o->hook, &run->match, &o->as, err);
	if (r <= 0)
		return r;
	o->since = clock_mono();
	if (o->hook->broken) {
		(void)err_set(err, ERR_INVALID, "%s", o->hook->broken);
		o->result = call_failed(o, "", err);
		o->code = 500;
		if (o->result < 0)
			o->err = *err;
		count(o, 500, "calling_webhook_error");
		return o->result;
	}
	r = conditions_hold(o, err);
	if (r != 1)
		return r;
	r = unless_asked(o, ask(o, on_mutated, err));
	return r == 0 ? 1 : r;
}

/* An authorizer was asked. The request's end frees the run. */
static void mutate_again(void *arg, bool given_up)
{
	if (!given_up)
		mutate_next(arg);
}

static void mutate_next(struct hook_run *run)
{
	struct err err = ERR_INIT;
	int r = 0;

	for (;;) {
		for (; run->at < run->set->n; run->at++) {
			r = mutate_one(run, run->ones, &err);
			if (r == NOT_YET)
				(void)call_asks(run->k->c, mutate_again, run);
			if (r > 0)
				return; /* on_mutated, or mutate_again, goes on */
			if (r < 0)
				break;
		}
		if (r == 0)
			r = go_round(run, &err);
		if (r <= 0)
			break;
	}
	finish(run, r, &err);
}

/* ---- validating ---- */

static void validate_more(struct hook_run *run);

static void all_validated(struct hook_run *run)
{
	struct err err = ERR_INIT;

	for (size_t i = 0; i < run->n; i++)
		if (run->ones[i].result < 0) {
			refuse(run, &run->ones[i]);
			return;
		}
	finish(run, 0, &err);
}

static void on_validated(struct webhook_post *p, int result, struct slice answer, struct err *err)
{
	struct hook_one *o = CONTAINER_OF(p, struct hook_one, post);
	struct hook_run *run = o->run;
	CLEANUP(call_drop) struct call *held = call_hold(run->k->c);

	(void)held;
	judge(o, result, answer, err);
	buf_fini(&o->body);
	run->pending--;
	validate_more(run);
}

static void validate_more(struct hook_run *run)
{
	while (run->started < run->n && run->pending < TOGETHER_MAX) {
		struct hook_one *o = &run->ones[run->started++];
		struct err err = ERR_INIT;

		o->since = clock_mono();
		if (o->hook->broken) {
			(void)err_set(&err, ERR_INVALID, "%s", o->hook->broken);
			o->result = call_failed(o, "", &err);
			o->code = 500;
			o->err = err;
			count(o, 500, "calling_webhook_error");
			continue;
		}
		o->result = ask(o, on_validated, &err);
		o->err = err;
		run->pending += o->result == 0;
	}
	if (run->pending == 0)
		all_validated(run);
}

/* Those that are to be asked; NOT_YET: it goes on at the same one. */
static int choose(struct hook_run *run, struct err *err)
{
	for (; run->at < run->set->n; run->at++) {
		const size_t i = run->at;
		struct hook_one *o = &run->ones[run->n];
		int r = hook_matches(&run->set->v[i], &run->match, &o->as, err);

		if (r < 0)
			return r;
		if (r == 0)
			continue;
		o->run = run;
		o->hook = &run->set->v[i];
		o->place = i;
		r = o->hook->broken ? 1 : conditions_hold(o, err);
		if (r > 0 && unless_asked(o, describe(o, err)) == NOT_YET)
			r = NOT_YET; /* else it is told when it is asked */
		if (r < 0 || r == NOT_YET)
			return r;
		run->n += r > 0;
	}
	return 0;
}

static void validate_begin(struct hook_run *run);

static void validate_again(void *arg, bool given_up)
{
	if (!given_up)
		validate_begin(arg);
}

static void validate_begin(struct hook_run *run)
{
	struct err err = ERR_INIT;
	const int r = choose(run, &err);

	if (r == NOT_YET)
		(void)call_asks(run->k->c, validate_again, run);
	else if (r < 0)
		finish(run, r, &err);
	else
		validate_more(run);
}

/* ---- the beginning ---- */

struct hook_match hook_ask_match(const struct hook_ask *k)
{
	return (struct hook_match){ .rs = k->c->srv->conf.resources,
				    .op = k->op,
				    .asked = k->asked,
				    .sub = k->sub,
				    .ns = k->ns,
				    .name = k->name,
				    .obj = k->obj,
				    .old = k->old };
}

/* NULL: no webhook is to be asked. */
static struct hook_run *run_new(struct hook_ask *k, bool mutating)
{
	struct hook_desk *w = k->c->srv->hook_desk;
	struct hook_set *set = w->on[mutating] ? hook_configs_get(w->hooks, mutating) : NULL;
	struct hook_run *run;

	if (!set || !set->n || hook_is_exempt(k->asked->kind)) {
		hook_set_unref(set);
		return NULL;
	}
	run = calloc(1, sizeof(*run));
	assert(run);
	run->k = k;
	run->w = w;
	run->set = set;
	run->mutating = mutating;
	run->match = hook_ask_match(k);
	run->ones = calloc(mutating ? 1 : set->n, sizeof(*run->ones));
	assert(run->ones);
	k->run = run;
	return run;
}

/* An authorizer that policies need was asked meanwhile. */
static void change_again(void *arg, bool given_up)
{
	if (!given_up)
		hook_ask_mutate(arg);
}

static void judge_again(void *arg, bool given_up)
{
	if (!given_up)
		hook_ask_validate(arg);
}

/* Policies first. True: *ret goes on, or nothing is to be asked (NULL; result says how it ends);
 * else it waits, and all begins again. */
static bool ask_policies(struct hook_ask *k, bool mutating, struct hook_run **ret, int *result,
			 struct err *err)
{
	struct policy_desk *policies = k->c->srv->hook_desk->policies;
	int r;

	*ret = NULL;
	k->denied = doc_null();
	k->changed = false;
	k->run = NULL;
	r = mutating ? policy_desk_mutate(policies, k, err)
		     : policy_desk_validate(policies, k, err);
	if (r == -ERR_UNAVAILABLE && call_asks(k->c, mutating ? change_again : judge_again, k))
		return false;
	if (r == 0)
		*ret = run_new(k, mutating);
	*result = r;
	return true;
}

void hook_ask_mutate(struct hook_ask *k)
{
	struct hook_run *run;
	struct err err ERR_RAW;
	int r;

	err_clear(&err);
	k->rounds = NULL;
	if (!ask_policies(k, true, &run, &r, &err))
		return;
	if (!run) {
		if (r == 0 && k->changed)
			r = again(k, &err);
		k->done(k, MIN(r, 0), &err);
		return;
	}
	run->n = 1;
	run->asked_before = calloc(run->set->n, sizeof(bool));
	run->once_more = calloc(run->set->n, sizeof(bool));
	assert(run->asked_before && run->once_more);
	mutate_next(run);
}

void hook_ask_validate(struct hook_ask *k)
{
	struct hook_run *run;
	struct err err ERR_RAW;
	int r;

	err_clear(&err);
	if (!ask_policies(k, false, &run, &r, &err))
		return;
	if (run)
		validate_begin(run);
	else
		k->done(k, r, &err);
}
