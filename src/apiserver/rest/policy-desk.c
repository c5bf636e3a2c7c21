/* SPDX-License-Identifier: Apache-2.0 */
/* Life of what judges requests by admission policies, its metrics, and its refusals. */
#include "apiserver/rest/policy-run.h"

#include "apiserver/admission/admission.h"
#include "base/arena.h"
#include "base/clock.h"
#include "io/metrics.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ---- metrics ---- */

static const double buckets[] = { 0.0000005, 0.001, 0.01, 0.1, 1.0 };
static const char *const judge_labels[] = { "enforcement_action", "error_type", "policy",
					    "policy_binding" };
static const char *const change_labels[] = { "error_type", "policy", "policy_binding" };

static const struct metric_spec counts[2] = {
	{ .type = METRIC_COUNTER,
	  .name = "apiserver_validating_admission_policy_check_total",
	  .help = "Expressions of policies that were evaluated, by what came of it.",
	  .labels = judge_labels,
	  .labels_n = ARRAY_LEN(judge_labels) },
	{ .type = METRIC_COUNTER,
	  .name = "apiserver_mutating_admission_policy_check_total",
	  .help = "Mutations of policies that were evaluated, by what went wrong.",
	  .labels = change_labels,
	  .labels_n = ARRAY_LEN(change_labels) },
};
static const struct metric_spec durations[2] = {
	{ .type = METRIC_HISTOGRAM,
	  .name = "apiserver_validating_admission_policy_check_duration_seconds",
	  .help = "Time that an expression of a policy took.",
	  .labels = judge_labels,
	  .labels_n = ARRAY_LEN(judge_labels),
	  .buckets = buckets,
	  .buckets_n = ARRAY_LEN(buckets) },
	{ .type = METRIC_HISTOGRAM,
	  .name = "apiserver_mutating_admission_policy_check_duration_seconds",
	  .help = "Time that a mutation of a policy took.",
	  .labels = change_labels,
	  .labels_n = ARRAY_LEN(change_labels),
	  .buckets = buckets,
	  .buckets_n = ARRAY_LEN(buckets) },
};

static int add_metrics(struct policy_desk *d, struct metrics *m, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < 2; i++) {
		if (!d->on[i])
			continue;
		r = metrics_add(m, &counts[i], &d->checks[i], err);
		if (r == 0)
			r = metrics_add(m, &durations[i], &d->durations[i], err);
	}
	return r;
}

void policy_count(const struct policy_count *n)
{
	const struct policy_desk *d = n->c->desk;
	const unsigned i = n->c->mutating;
	const char *judged[] = { n->action, n->error, n->policy, n->binding };
	const char **labels = i ? judged + 1 : judged;

	if (!d->checks[i])
		return;
	metric_inc(metric_with(d->checks[i], labels));
	metric_observe(metric_with(d->durations[i], labels), (double)n->ns / NS_PER_SEC);
}

const char *policy_error_type(const char *message)
{
	if (strncmp(message, "compilation", 11) == 0)
		return "compile_error";
	if (strncmp(message, "validation failed due to running out of cost budget", 51) == 0)
		return "out_of_budget";
	return "invalid_error";
}

/* ---- life ---- */

int policy_desk_new(struct server *srv, struct policy_desk **ret, struct err *err)
{
	const struct admission *ad = srv->conf.admission;
	struct policy_desk *d = calloc(1, sizeof(*d));

	assert(d);
	d->on[0] = admission_runs(ad, "ValidatingAdmissionPolicy");
	d->on[1] = admission_runs(ad, "MutatingAdmissionPolicy");
	d->configs = policy_configs_new(srv->conf.resources);
	*ret = d;
	return srv->conf.metrics ? add_metrics(d, srv->conf.metrics, err) : 0;
}

void policy_desk_free(struct policy_desk *d)
{
	if (!d)
		return;
	policy_configs_free(d->configs);
	free(d);
}

bool policy_is_exempt(const struct api_kind *k)
{
	static const struct {
		const char *group, *resource;
	} reviews[] = {
		{ "authentication.k8s.io", "selfsubjectreviews" },
		{ "authentication.k8s.io", "tokenreviews" },
		{ "authorization.k8s.io", "localsubjectaccessreviews" },
		{ "authorization.k8s.io", "selfsubjectaccessreviews" },
		{ "authorization.k8s.io", "selfsubjectrulesreviews" },
		{ "authorization.k8s.io", "subjectaccessreviews" },
	};

	for (size_t i = 0; i < ARRAY_LEN(reviews); i++)
		if (strcmp(k->resource, reviews[i].resource) == 0 &&
		    strcmp(k->group->group, reviews[i].group) == 0)
			return true;
	return hook_is_exempt(k);
}

/* ---- refusals ---- */

static const char *name_of(struct policy_call *c)
{
	const struct doc *meta = c->k->obj ? doc_get(c->k->obj, "metadata") : NULL;
	const char *name = c->k->name;

	if (!*name)
		name = doc_cstr(c->a, doc_get(meta, "name"));
	if (!name || !*name || c->k->generated)
		name = doc_cstr(c->a, doc_get(meta, "generateName"));
	return name && *name ? name : "Unknown";
}

const char *policy_forbidden(struct policy_call *c, const char *why)
{
	const struct api_kind *k = c->k->asked->kind;

	return arena_printf(c->a, "%s%s%s \"%s\" is forbidden: %s", k->resource,
			    *k->group->group ? "." : "", k->group->group, name_of(c), why);
}

int policy_deny(struct policy_call *c, const struct policy_denial *d, struct err *err)
{
	const struct api_kind *k = c->k->asked->kind;
	struct doc st = doc_object(), details = doc_object(), causes = doc_array();

	doc_set_str(c->a, &details, "name", name_of(c));
	if (*k->group->group)
		doc_set_str(c->a, &details, "group", k->group->group);
	doc_set_str(c->a, &details, "kind", k->resource);
	for (size_t i = 0; i < d->ncauses; i++)
		doc_set_str(c->a, doc_append_object(c->a, &causes), "message", d->causes[i]);
	if (d->ncauses)
		doc_set(c->a, &details, "causes", causes);
	doc_set_str(c->a, &st, "kind", "Status");
	doc_set_str(c->a, &st, "apiVersion", "v1");
	doc_set_object(c->a, &st, "metadata");
	doc_set_str(c->a, &st, "status", "Failure");
	doc_set_str(c->a, &st, "message", d->message);
	doc_set_str(c->a, &st, "reason", d->reason);
	doc_set(c->a, &st, "details", details);
	doc_set_int(c->a, &st, "code", d->code);
	if (arena_exceeded(c->a))
		return arena_quota(c->a, err);
	c->k->denied = st;
	c->k->code = d->code;
	return err_set(err, ERR_FORBIDDEN, "%s", d->message);
}
