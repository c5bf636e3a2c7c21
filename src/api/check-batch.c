/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of batch/v1. Schedules stand in check-cron.c. */
#include "api/check-cron.h"
#include "api/check-parts.h"
#include "api/check-pod.h"

#include "base/arena.h"

#include <stdio.h>

#define PARALLELISM_INDEXED_MAX 100000
#define FAILED_INDEXES_MAX 100000
#define MANY_COMPLETIONS 100000
#define MANY_PARALLELISM_MAX 10000
#define MANY_FAILED_MAX 10000
#define INDEXES_BYTES_MAX 65536

static const struct path root_spec = PATH(NULL, "spec"), in_status = PATH(NULL, "status");

static bool is_indexed(const struct doc *spec)
{
	return doc_str_is(doc_get(spec, "completionMode"), "Indexed");
}

/* ---- lists of indexes: "1,3-5,7" ---- */

static bool read_index(struct slice s, int64_t *ret)
{
	return s.n > 0 && str_int64(s, ret, NULL) == 0 && *ret >= 0;
}

/* What is wrong with a list of indexes below n, or NULL; *ret_total: how many there are. */
static const char *check_indexes(struct arena *a, struct slice list, int64_t n, int64_t *ret_total)
{
	int64_t last = -1, from, to;

	*ret_total = 0;
	while (list.p && list.n > 0) {
		struct slice part = slice_split(&list, ','), rest = part;
		struct slice first = slice_split(&rest, '-');

		if (!read_index(first, &from) || (rest.p && !read_index(rest, &to)))
			return arena_printf(a,
					    "cannot convert string to integer for index: \"%.*s\"",
					    (int)part.n, part.p);
		if (!rest.p)
			to = from;
		else if (from >= to)
			return arena_printf(a,
					    "non-increasing order, previous: %lld, current: %lld",
					    (long long)from, (long long)to);
		if (to >= n)
			return arena_printf(a, "too large index: \"%lld\"", (long long)to);
		if (from <= last)
			return arena_printf(a,
					    "non-increasing order, previous: %lld, current: %lld",
					    (long long)last, (long long)from);
		*ret_total += to - from + 1;
		last = to;
	}
	return NULL;
}

/* ---- pod failure policy ---- */

static bool names_container(const struct doc *spec, const struct doc *name)
{
	static const char *const lists[] = { "template.spec.containers",
					     "template.spec.initContainers" };

	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		DOC_EACH (container, doc_find(spec, lists[i]))
			if (doc_equal(doc_get(container, "name"), name))
				return true;
	return false;
}

static void check_exit_values(struct check *c, const struct path *p, const struct doc *values,
			      bool in)
{
	bool ordered = true;

	for (size_t i = 0; i < doc_len(values); i++) {
		const struct path at = PATH_INDEX(p, i);
		const struct doc *v = doc_at(values, i);
		int64_t n = 0;
		size_t j = 0;

		(void)doc_int64(v, &n);
		if (in && n == 0)
			check_invalid(c, &at, v, "must not be 0 for the In operator");
		while (j < i && !doc_equal(v, doc_at(values, j)))
			j++;
		if (j < i)
			check_duplicate(c, &at, v);
		ordered = ordered && (i == 0 || doc_number_cmp(doc_at(values, i - 1), v) <= 0);
	}
	if (!ordered)
		check_invalid(c, p, values, "must be ordered");
}

static void check_exit_codes(struct check *c, const struct path *p, const struct doc *spec,
			     const struct doc *codes)
{
	static const char *const operators[] = { "In", "NotIn", NULL };
	const struct path at = PATH(p, "values");
	const struct doc *values = doc_get(codes, "values"),
			 *name = doc_get(codes, "containerName");

	if (!part_full(codes, "operator"))
		part_required(c, p, "operator", "valid values: [\"In\" \"NotIn\"]");
	else
		part_one_of(c, p, codes, "operator", operators, true);
	if (name && !names_container(spec, name))
		part_invalid(c, p, codes, "containerName",
			     "must be one of the container or initContainer names in the pod "
			     "template");
	if (doc_len(values) == 0)
		check_invalid(c, &at, values, "at least one value is required");
	else if (doc_len(values) > 255)
		check_too_many(c, &at, doc_len(values), 255);
	check_exit_values(c, &at, values, doc_str_is(doc_get(codes, "operator"), "In"));
}

static void check_pod_patterns(struct check *c, const struct path *p, const struct doc *list)
{
	static const char *const states[] = { "False", "True", "Unknown", NULL };

	if (doc_len(list) > 20)
		check_too_many(c, p, doc_len(list), 20);
	for (size_t i = 0; i < doc_len(list); i++) {
		const struct path at = PATH_INDEX(p, i);

		part_form(c, &at, doc_at(list, i), "type", form_qualified_name);
		if (!part_full(doc_at(list, i), "status"))
			part_required(c, &at, "status",
				      "valid values: [\"False\" \"True\" \"Unknown\"]");
		else
			part_one_of(c, &at, doc_at(list, i), "status", states, true);
	}
}

static void check_failure_rule(struct check *c, const struct path *p, const struct doc *spec,
			       const struct doc *rule)
{
	static const char *const actions[] = { "Count", "FailIndex", "FailJob", "Ignore", NULL };
	const struct path codes = PATH(p, "onExitCodes"), pods = PATH(p, "onPodConditions");
	bool by_code = part_set(rule, "onExitCodes"), by_pod = part_full(rule, "onPodConditions");

	if (!part_full(rule, "action"))
		part_required(c, p, "action",
			      "valid values: [\"Count\" \"FailIndex\" \"FailJob\" \"Ignore\"]");
	else
		part_one_of(c, p, rule, "action", actions, true);
	if (doc_str_is(doc_get(rule, "action"), "FailIndex") &&
	    !part_set(spec, "backoffLimitPerIndex"))
		part_invalid(c, p, rule, "action", "requires the backoffLimitPerIndex to be set");
	if (by_code)
		check_exit_codes(c, &codes, spec, doc_get(rule, "onExitCodes"));
	if (by_pod)
		check_pod_patterns(c, &pods, doc_get(rule, "onPodConditions"));
	if (by_code && by_pod)
		check_wrong(c, p,
			    "specifying both OnExitCodes and OnPodConditions is not supported");
	if (!by_code && !by_pod)
		check_wrong(c, p, "specifying one of OnExitCodes and OnPodConditions is required");
}

static void check_failure_policy(struct check *c, const struct path *p, const struct doc *spec)
{
	const struct path policy = PATH(p, "podFailurePolicy"), at = PATH(&policy, "rules");
	const struct doc *rules = doc_find(spec, "podFailurePolicy.rules");

	if (doc_len(rules) > 20)
		check_too_many(c, &at, doc_len(rules), 20);
	for (size_t i = 0; i < doc_len(rules); i++) {
		const struct path rule = PATH_INDEX(&at, i);

		check_failure_rule(c, &rule, spec, doc_at(rules, i));
	}
}

/* ---- success policy ---- */

static void check_success_rule(struct check *c, const struct path *p, const struct doc *spec,
			       const struct doc *rule)
{
	static const char *const counts[] = { "succeededCount", NULL };
	bool counted = part_set(rule, "succeededCount"),
	     listed = part_set(rule, "succeededIndexes");
	int64_t all = part_number(spec, "completions"), n = part_number(rule, "succeededCount");
	int64_t total = 0;
	const char *why;

	if (!counted && !listed)
		check_required(
			c, p,
			"at least one of succeededCount or succeededIndexes must be specified");
	if (listed) {
		part_not_longer(c, p, rule, "succeededIndexes", INDEXES_BYTES_MAX);
		why = check_indexes(c->a, doc_slice(doc_get(rule, "succeededIndexes")), all,
				    &total);
		if (why)
			part_invalid(c, p, rule, "succeededIndexes",
				     "error parsing succeededIndexes: %s", why);
	}
	part_not_negative(c, p, rule, counts);
	if (counted && n > all)
		part_invalid(c, p, rule, "succeededCount",
			     "must be less than or equal to %lld (the number of specified "
			     "completions)",
			     (long long)all);
	if (counted && listed && n > total)
		part_invalid(c, p, rule, "succeededCount",
			     "must be less than or equal to %lld (the number of indexes in the "
			     "specified succeededIndexes field)",
			     (long long)total);
}

static void check_success_policy(struct check *c, const struct path *p, const struct doc *spec)
{
	const struct path policy = PATH(p, "successPolicy"), at = PATH(&policy, "rules");
	const struct doc *rules = doc_find(spec, "successPolicy.rules");

	if (!is_indexed(spec)) {
		part_invalid(c, p, spec, "successPolicy", "requires indexed completion mode");
		return;
	}
	if (doc_len(rules) == 0)
		check_required(c, &at,
			       "at least one rules must be specified when the successPolicy is "
			       "specified");
	if (doc_len(rules) > 20)
		check_too_many(c, &at, doc_len(rules), 20);
	for (size_t i = 0; part_set(spec, "completions") && i < doc_len(rules); i++) {
		const struct path rule = PATH_INDEX(&at, i);

		check_success_rule(c, &rule, spec, doc_at(rules, i));
	}
}

/* ---- JobSpec ---- */

/* p.field may be max at most, in these words. */
static void check_most(struct check *c, const struct path *p, const struct doc *spec,
		       const char *field, int64_t max, const char *when)
{
	if (part_number(spec, field) > max)
		part_invalid(c, p, spec, field, "must be less than or equal to %lld%s",
			     (long long)max, when);
}

static void check_many(struct check *c, const struct path *p, const struct doc *spec)
{
	static const char when[] = " when completions are above 100000 and used with backoff limit "
				   "per index";

	if (part_number(spec, "completions") <= MANY_COMPLETIONS ||
	    !part_set(spec, "backoffLimitPerIndex"))
		return;
	if (!part_set(spec, "maxFailedIndexes"))
		part_required(c, p, "maxFailedIndexes",
			      "must be specified when completions is above 100000");
	check_most(c, p, spec, "parallelism", MANY_PARALLELISM_MAX, when);
	check_most(c, p, spec, "maxFailedIndexes", MANY_FAILED_MAX, when);
}

static void check_mode(struct check *c, const struct path *p, const struct doc *spec)
{
	static const char *const modes[] = { "NonIndexed", "Indexed", NULL };
	static const char *const indexed_only[] = { "backoffLimitPerIndex", "maxFailedIndexes" };
	const struct doc *mode = doc_get(spec, "completionMode");

	part_maybe_one_of(c, p, spec, "completionMode", modes);
	if (is_indexed(spec)) {
		if (!part_set(spec, "completions"))
			part_required(c, p, "completions", "when completion mode is Indexed");
		check_most(c, p, spec, "parallelism", PARALLELISM_INDEXED_MAX,
			   " when completion mode is Indexed");
		if (part_set(spec, "completions") &&
		    part_number(spec, "maxFailedIndexes") > part_number(spec, "completions"))
			part_invalid(c, p, spec, "maxFailedIndexes",
				     "must be less than or equal to completions");
		check_most(c, p, spec, "maxFailedIndexes", FAILED_INDEXES_MAX, "");
		check_many(c, p, spec);
	}
	for (size_t i = 0; i < ARRAY_LEN(indexed_only); i++)
		if ((!mode || doc_str_is(mode, "NonIndexed")) && part_set(spec, indexed_only[i]))
			part_invalid(c, p, spec, indexed_only[i],
				     "requires indexed completion mode");
}

static void check_replacement(struct check *c, const struct path *p, const struct doc *spec)
{
	static const char *const failed[] = { "Failed", NULL };
	static const char *const both[] = { "Failed", "TerminatingOrFailed", NULL };

	part_maybe_one_of(c, p, spec, "podReplacementPolicy",
			  part_set(spec, "podFailurePolicy") ? failed : both);
}

static void check_job_pods(struct check *c, const struct path *p, const struct doc *spec)
{
	static const char *const policies[] = { "OnFailure", "Never", NULL };
	const struct path template = PATH(p, "template"), pod = PATH(&template, "spec");
	const struct doc *in_pod = doc_find(spec, "template.spec"),
			 *policy = doc_get(in_pod, "restartPolicy");

	check_pod_template(c, &template, doc_get(spec, "template"), 0);
	if (!part_full(in_pod, "restartPolicy") || doc_str_is(policy, "Always"))
		part_required(c, &pod, "restartPolicy", "valid values: \"OnFailure\", \"Never\"");
	else if (!doc_str_is(policy, "OnFailure") && !doc_str_is(policy, "Never"))
		part_one_of(c, &pod, in_pod, "restartPolicy", policies, true);
	else if (part_set(spec, "podFailurePolicy") && !doc_str_is(policy, "Never"))
		part_invalid(c, &pod, in_pod, "restartPolicy",
			     "only \"Never\" is supported when podFailurePolicy is specified");
}

static void check_job_spec(struct check *c, const struct path *p, const struct doc *spec)
{
	static const char *const numbers[] = { "parallelism",
					       "completions",
					       "activeDeadlineSeconds",
					       "backoffLimit",
					       "ttlSecondsAfterFinished",
					       "backoffLimitPerIndex",
					       "maxFailedIndexes",
					       NULL };

	part_not_negative(c, p, spec, numbers);
	if (part_set(spec, "maxFailedIndexes") && !part_set(spec, "backoffLimitPerIndex"))
		part_required(c, p, "backoffLimitPerIndex", "when maxFailedIndexes is specified");
	if (part_set(spec, "managedBy")) {
		part_text(c, p, spec, "managedBy", form_domain_path);
		part_not_longer(c, p, spec, "managedBy", 63);
	}
	check_mode(c, p, spec);
	if (part_set(spec, "podFailurePolicy"))
		check_failure_policy(c, p, spec);
	if (part_set(spec, "successPolicy"))
		check_success_policy(c, p, spec);
	check_replacement(c, p, spec);
	check_job_pods(c, p, spec);
}

/* ---- Job ---- */

/* Labels of pods that tell their job, and the selector of them, are made by the server. */
static void check_generated(struct check *c, const struct doc *obj)
{
	static const struct {
		const char *label, *from;
	} labels[] = {
		{ "controller-uid", "uid" },
		{ "job-name", "name" },
		{ "batch.kubernetes.io/controller-uid", "uid" },
		{ "batch.kubernetes.io/job-name", "name" },
	};
	const struct path meta = PATH(NULL, "metadata"), template = PATH(&root_spec, "template"),
			  in_template = PATH(&template, "metadata"),
			  at = PATH(&in_template, "labels");
	const struct doc *have = doc_find(obj, "spec.template.metadata.labels");

	if (doc_true(doc_find(obj, "spec.manualSelector")) || !doc_find(obj, "spec.selector"))
		return;
	if (!part_full(doc_get(obj, "metadata"), "uid"))
		part_required(c, &meta, "uid", "");
	for (size_t i = 0; i < ARRAY_LEN(labels); i++) {
		const struct doc *want = doc_get(doc_get(obj, "metadata"), labels[i].from);
		const struct doc *v = doc_get(have, labels[i].label);
		const struct path key = PATH_KEY(&at, slice_str(labels[i].label));

		if (!v)
			check_required(
				c, &key,
				want ? arena_printf(c->a, "must be '%.*s'", (int)want->n, want->s)
				     : "must be ''");
		else if (want && !doc_equal(v, want))
			check_invalid(c, &key, v, "must be '%.*s'", (int)want->n, want->s);
	}
}

/* The last pod's host name, name-index, is a label. */
static void check_host_name(struct check *c, const struct doc *obj)
{
	const struct doc *spec = doc_get(obj, "spec"), *name = doc_find(obj, "metadata.name");
	const struct path meta = PATH(NULL, "metadata"), at = PATH(&meta, "name");
	int64_t n = part_number(spec, "completions");
	char text[512];

	if (!is_indexed(spec) || n <= 0 || !name)
		return;
	(void)snprintf(text, sizeof(text), "%.*s-%lld", (int)MIN(name->n, 300u), name->s,
		       (long long)n - 1);
	if (form_dns_label(slice_str(text)))
		check_invalid(c, &at, name,
			      "will not able to create pod with invalid DNS label: %s", text);
}

static bool ran(const struct doc *status)
{
	return doc_is(doc_get(status, "startTime"), DOC_STRING);
}

/* What of a template may change while its job is suspended and never ran. */
static void drop_directives(struct arena *a, struct doc *template, bool all)
{
	struct doc *pod = doc_get(template, "spec"), *affinity = doc_get(pod, "affinity");

	(void)a;
	if (!all || !pod)
		return;
	(void)doc_remove(affinity, "nodeAffinity");
	if (affinity && doc_len(affinity) == 0)
		(void)doc_remove(pod, "affinity");
	(void)doc_remove(pod, "nodeSelector");
	(void)doc_remove(pod, "tolerations");
	(void)doc_remove(pod, "schedulingGates");
	(void)doc_remove(template, "metadata");
}

static void check_template_change(struct check *c, const struct doc *obj)
{
	const struct path at = PATH(&root_spec, "template");
	const struct doc *before = doc_get(c->old, "spec"), *now = doc_get(obj, "spec");
	bool free = doc_true(doc_get(before, "suspend")) && !ran(doc_get(c->old, "status"));
	struct doc *old = doc_copy_shared(c->a, doc_get(before, "template"));
	struct doc *new = doc_copy_shared(c->a, doc_get(now, "template"));

	drop_directives(c->a, old, free);
	drop_directives(c->a, new, free);
	if (old && new && !doc_equal(old, new))
		check_invalid(c, &at, doc_get(now, "template"), "field is immutable");
}

static void check_job_update(struct check *c, const struct doc *obj)
{
	static const char *const completions[] = { "completions", NULL };
	static const char *const selector[] = { "selector", NULL };
	static const char *const fixed[] = { "completionMode",	     "podFailurePolicy",
					     "backoffLimitPerIndex", "managedBy",
					     "successPolicy",	     NULL };
	const struct doc *spec = doc_get(obj, "spec"), *old = doc_get(c->old, "spec");

	if (!is_indexed(spec))
		part_immutable(c, &root_spec, spec, old, completions);
	else if (part_set(spec, "completions") && !part_same(spec, old, "completions") &&
		 part_number(spec, "completions") != part_number(spec, "parallelism"))
		part_invalid(c, &root_spec, spec, "completions",
			     "can only be modified in tandem with spec.parallelism");
	part_immutable(c, &root_spec, spec, old, selector);
	check_template_change(c, obj);
	part_immutable(c, &root_spec, spec, old, fixed);
}

/* ---- status of a Job ---- */

static void check_uncounted(struct check *c, const struct doc *status)
{
	static const char *const lists[] = { "succeeded", "failed" };
	const struct path at = PATH(&in_status, "uncountedTerminatedPods");
	const struct doc *uncounted = doc_get(status, "uncountedTerminatedPods");

	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		const struct path p = PATH(&at, lists[i]);
		const struct doc *list = doc_get(uncounted, lists[i]);

		part_unique_texts(c, &p, list);
		for (size_t j = 0; j < doc_len(list); j++) {
			const struct path one = PATH_INDEX(&p, j);

			if (doc_at(list, j)->n == 0)
				check_invalid(c, &one, doc_at(list, j), "must not be empty");
		}
	}
}

/* Two conditions, and what is wrong when the first is True and the second is (not). */
static void check_job_conditions(struct check *c, const struct doc *obj)
{
	static const struct {
		const char *when, *other;
		bool is;
		const char *words;
	} rules[] = {
		{ "Complete", "Failed", true,
		  "cannot set Complete=True and Failed=true conditions" },
		{ "Complete", "FailureTarget", true,
		  "cannot set Complete=True and FailureTarget=true conditions" },
		{ "Failed", "FailureTarget", false,
		  "cannot set Failed=True condition without the FailureTarget=true condition" },
		{ "Complete", "SuccessCriteriaMet", false,
		  "cannot set Complete=True condition without the SuccessCriteriaMet=true "
		  "condition" },
		{ "SuccessCriteriaMet", "Failed", true,
		  "cannot set SuccessCriteriaMet=True and Failed=true conditions" },
		{ "SuccessCriteriaMet", "FailureTarget", true,
		  "cannot set SuccessCriteriaMet=True and FailureTarget=true conditions" },
	};
	static const char *const terminal[] = { "Failed", "Complete", "FailureTarget" };
	const struct path at = PATH(&in_status, "conditions");
	const struct doc *list = doc_find(obj, "status.conditions"),
			 *old = doc_find(c->old, "status.conditions");

	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		if (part_condition_true(list, rules[i].when) &&
		    part_condition_true(list, rules[i].other) == rules[i].is)
			check_wrong(c, &at, "%s", rules[i].words);
	for (size_t i = 0; i < ARRAY_LEN(terminal); i++)
		if (part_condition_true(old, terminal[i]) &&
		    !part_condition_true(list, terminal[i]))
			check_wrong(c, &at, "cannot disable the terminal %s=True condition",
				    terminal[i]);
	if (part_condition_true(old, "SuccessCriteriaMet") &&
	    !part_condition_true(list, "SuccessCriteriaMet"))
		check_wrong(c, &at, "cannot disable the SuccessCriteriaMet=True condition");
}

static void check_job_times(struct check *c, const struct doc *obj)
{
	const struct doc *status = doc_get(obj, "status"), *old = doc_get(c->old, "status");
	const struct doc *list = doc_get(status, "conditions");
	bool complete = part_condition_true(list, "Complete");
	bool finished = complete || part_condition_true(list, "Failed");
	struct slice start = doc_slice(doc_get(status, "startTime")),
		     end = doc_slice(doc_get(status, "completionTime"));

	if (end.n && !complete)
		part_invalid(c, &in_status, status, "completionTime",
			     "cannot set completionTime when there is no Complete=True condition");
	if (!end.n && complete)
		part_required(c, &in_status, "completionTime",
			      "completionTime is required for Complete jobs");
	/* canonical times of one length are ordered as texts are */
	if (start.n && start.n == end.n && memcmp(end.p, start.p, end.n) < 0)
		part_invalid(c, &in_status, status, "completionTime",
			     "completionTime cannot be set before startTime");
	if (!start.n && finished)
		part_required(c, &in_status, "startTime", "startTime is required for finished job");
	if (end.n && part_full(old, "completionTime") && !part_same(status, old, "completionTime"))
		part_invalid(c, &in_status, status, "completionTime",
			     "completionTime cannot be mutated");
	if (part_full(old, "startTime") && !part_same(status, old, "startTime") &&
	    !doc_true(doc_find(obj, "spec.suspend")))
		part_required(c, &in_status, "startTime",
			      "startTime cannot be removed for unsuspended job");
}

static void check_job_indexes(struct check *c, const struct doc *obj)
{
	static const char *const lists[] = { "completedIndexes", "failedIndexes" };
	const struct doc *spec = doc_get(obj, "spec"), *status = doc_get(obj, "status");
	int64_t n = part_number(spec, "completions"), total;

	for (size_t i = 0; part_set(spec, "completions") && i < ARRAY_LEN(lists); i++) {
		const char *why =
			check_indexes(c->a, doc_slice(doc_get(status, lists[i])), n, &total);

		if (why)
			part_invalid(c, &in_status, status, lists[i], "error parsing %s: %s",
				     lists[i], why);
	}
	if (part_full(status, "completedIndexes") && !is_indexed(spec))
		part_invalid(c, &in_status, status, "completedIndexes",
			     "cannot set non-empty completedIndexes when non-indexed completion "
			     "mode");
	if (!part_set(spec, "backoffLimitPerIndex") && part_set(status, "failedIndexes"))
		part_invalid(c, &in_status, status, "failedIndexes",
			     "cannot set non-null failedIndexes when backoffLimitPerIndex is null");
}

static void check_job_counts(struct check *c, const struct doc *obj)
{
	static const char *const counts[] = { "active", "succeeded",   "failed",
					      "ready",	"terminating", NULL };
	static const char *const grow[] = { "failed", "succeeded" };
	const struct doc *status = doc_get(obj, "status"), *list = doc_get(status, "conditions");
	const struct doc *uncounted = doc_get(status, "uncountedTerminatedPods");
	bool finished =
		part_condition_true(list, "Complete") || part_condition_true(list, "Failed");

	part_not_negative(c, &in_status, status, counts);
	check_uncounted(c, status);
	if (finished && part_number(status, "active") > 0)
		part_invalid(c, &in_status, status, "active",
			     "active>0 is invalid for finished job");
	if (finished && part_number(status, "terminating") > 0)
		part_invalid(c, &in_status, status, "terminating",
			     "terminating>0 is invalid for finished job");
	if (finished &&
	    doc_len(doc_get(uncounted, "succeeded")) + doc_len(doc_get(uncounted, "failed")) > 0)
		part_invalid(c, &in_status, status, "uncountedTerminatedPods",
			     "uncountedTerminatedPods needs to be empty for finished job");
	if (part_number(status, "ready") > part_number(status, "active"))
		part_invalid(c, &in_status, status, "ready",
			     "cannot set more ready pods than active");
	for (size_t i = 0; i < ARRAY_LEN(grow); i++)
		if (part_number(status, grow[i]) < part_number(doc_get(c->old, "status"), grow[i]))
			part_bad_number(c, &in_status, status, grow[i],
					"cannot decrease the %s counter", grow[i]);
}

static void check_job(struct check *c, const struct doc *obj, const char *sub)
{
	const struct doc *spec = doc_get(obj, "spec");

	if (strcmp(sub, "status") == 0) {
		check_job_counts(c, obj);
		check_job_conditions(c, obj);
		check_job_times(c, obj);
		check_job_indexes(c, obj);
		return;
	}
	if (!c->old)
		check_generated(c, obj);
	check_job_spec(c, &root_spec, spec);
	if (!part_set(spec, "selector")) {
		part_required(c, &root_spec, "selector", "");
	} else {
		part_selector(c, &root_spec, spec, "selector");
		part_matches(c, &root_spec, spec);
	}
	if (c->old)
		check_job_update(c, obj);
	else
		check_host_name(c, obj);
}

/* ---- CronJob ---- */

static void check_schedule(struct check *c, const struct doc *spec)
{
	const struct doc *schedule = doc_get(spec, "schedule");
	struct slice s = doc_slice(schedule), old = doc_slice(doc_find(c->old, "spec.schedule"));
	bool zone = s.n > 1 && memmem(s.p, s.n, "TZ", 2);
	bool may = old.n > 1 && memmem(old.p, old.n, "TZ", 2);
	const char *why;

	if (s.n == 0) {
		part_required(c, &root_spec, "schedule", "");
		return;
	}
	why = cron_check(c->a, s);
	if (why)
		part_invalid(c, &root_spec, spec, "schedule", "%s", why);
	if (zone && may && part_set(spec, "timeZone"))
		part_invalid(c, &root_spec, spec, "schedule",
			     "cannot use both timeZone field and TZ or CRON_TZ in schedule");
	if (zone && !may)
		part_invalid(c, &root_spec, spec, "schedule",
			     "cannot use TZ or CRON_TZ in schedule, use timeZone field instead");
}

static void check_zone(struct check *c, const struct doc *spec)
{
	const char *why;

	if (!part_set(spec, "timeZone") ||
	    (c->old && part_same(spec, doc_get(c->old, "spec"), "timeZone")))
		return;
	why = cron_check_zone(c->a, doc_slice(doc_get(spec, "timeZone")));
	if (why)
		part_invalid(c, &root_spec, spec, "timeZone", "%s", why);
}

static void check_cron_job(struct check *c, const struct doc *obj, const char *sub)
{
	static const char *const deadline[] = { "startingDeadlineSeconds", NULL };
	static const char *const limits[] = { "successfulJobsHistoryLimit",
					      "failedJobsHistoryLimit", NULL };
	static const char *const policies[] = { "Allow", "Forbid", "Replace", NULL };
	static const char *const manual[] = { "nil", "false", NULL };
	const struct path template = PATH(&root_spec, "jobTemplate"), job = PATH(&template, "spec"),
			  meta = PATH(NULL, "metadata"), at = PATH(&job, "manualSelector");
	const struct doc *spec = doc_get(obj, "spec"), *in_job = doc_find(spec, "jobTemplate.spec");

	if (strcmp(sub, "status") == 0)
		return;
	check_schedule(c, spec);
	part_not_negative(c, &root_spec, spec, deadline);
	check_zone(c, spec);
	part_one_of(c, &root_spec, spec, "concurrencyPolicy", policies, true);
	check_job_spec(c, &job, in_job);
	if (part_set(in_job, "selector"))
		part_invalid(c, &job, in_job, "selector", "`selector` will be auto-generated");
	if (doc_true(doc_get(in_job, "manualSelector")))
		check_unsupported(c, &at, doc_get(in_job, "manualSelector"), manual);
	part_not_negative(c, &root_spec, spec, limits);
	if (!c->old && doc_slice(doc_find(obj, "metadata.name")).n > 52)
		part_invalid(c, &meta, doc_get(obj, "metadata"), "name",
			     "must be no more than 52 characters");
}

const struct check_kind check_batch[] = {
	{ "batch", "Job", check_job, NULL, .own_values = true },
	{ "batch", "CronJob", check_cron_job, NULL, .own_values = true },
	{ NULL, NULL, NULL, NULL },
};
