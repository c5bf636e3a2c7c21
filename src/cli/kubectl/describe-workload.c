/* SPDX-License-Identifier: Apache-2.0 */
/* What makes pods, in `kubectl describe`: replica sets, deployments, jobs; and their scaling. */
#include "cli/kubectl/describe-pod.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"

#define REASONS "Type\tStatus\tReason\n----\t------\t------\n"

/* ---- pods of a controller ---- */

/* "1 Running / 0 Waiting / 0 Succeeded / 0 Failed". */
static int count_pods(struct describe *d, const char *selector, const char **ret, struct err *err)
{
	static const char *const phases[] = { "Running", "Pending", "Succeeded", "Failed" };
	struct describe_ask ask = {
		.api = "api/v1", .resource = "pods", .space = d->space, .labels = selector
	};
	const char *uid = kubectl_text(d->k, d->obj, "metadata.uid");
	size_t n[ARRAY_LEN(phases)] = { 0 };
	struct doc *pods;
	int r = describe_list(d, &ask, &pods, err);

	if (r < 0)
		return r;
	DOC_EACH (p, pods)
		for (size_t i = 0; i < ARRAY_LEN(phases); i++)
			n[i] += describe_owned(d, p, uid) &&
				doc_str_is(doc_find(p, "status.phase"), phases[i]);
	*ret = arena_printf(d->k->arena, "%zu Running / %zu Waiting / %zu Succeeded / %zu Failed",
			    n[0], n[1], n[2], n[3]);
	return *ret ? 0 : arena_quota(d->k->arena, err);
}

static int count_selected(struct describe *d, const char **ret, struct err *err)
{
	return count_pods(d, describe_selector(d, doc_find(d->obj, "spec.selector"), ""), ret, err);
}

static void describe_template(struct describe *d)
{
	describe_pod_template(d, doc_find(d->obj, "spec.template"));
}

static void describe_owner(struct describe *d)
{
	if (*describe_controller(d, d->obj))
		describe_f(d, 0, "Controlled By:\t%s\n", describe_controller(d, d->obj));
}

static int describe_rc(struct describe *d, struct err *err)
{
	const struct doc *selector = doc_find(d->obj, "spec.selector");
	const char *pods, *text = describe_map(d, selector);
	int r = count_pods(d, doc_len(selector) ? text : "", &pods, err);

	if (r < 0)
		return r;
	describe_put(d, 0, d->obj, "Name:\t{metadata.name}\nNamespace:\t{metadata.namespace}\n");
	describe_f(d, 0, "Selector:\t%s\n", text);
	describe_labels(d, "", "Labels", doc_find(d->obj, "metadata.labels"));
	describe_annotations(d, "Annotations", doc_find(d->obj, "metadata.annotations"));
	describe_put(d, 0, d->obj,
		     "Replicas:\t{status.replicas|0} current / {spec.replicas|0} desired\n");
	describe_f(d, 0, "Pods Status:\t%s\n", pods);
	describe_template(d);
	describe_conditions(d, REASONS, "{type} \t{status}\t{reason}\n");
	return 0;
}

static int describe_rs(struct describe *d, struct err *err)
{
	const char *pods = NULL;
	int r = count_selected(d, &pods, err);

	if (r < 0)
		pods = arena_printf(d->k->arena, "error in fetching pods: %s", err->msg);
	*err = ERR_INIT;
	describe_put(d, 0, d->obj, "Name:\t{metadata.name}\nNamespace:\t{metadata.namespace}\n");
	describe_f(d, 0, "Selector:\t%s\n",
		   describe_selector(d, doc_find(d->obj, "spec.selector"), "<none>"));
	describe_labels(d, "", "Labels", doc_find(d->obj, "metadata.labels"));
	describe_annotations(d, "Annotations", doc_find(d->obj, "metadata.annotations"));
	describe_owner(d);
	describe_put(d, 0, d->obj,
		     "Replicas:\t{status.replicas|0} current / {spec.replicas|0} desired\n");
	describe_f(d, 0, "Pods Status:\t%s\n", pods ? pods : "");
	describe_template(d);
	describe_conditions(d, REASONS, "{type} \t{status}\t{reason}\n");
	return 0;
}

static int describe_sts(struct describe *d, struct err *err)
{
	const struct doc *claims = doc_find(d->obj, "spec.volumeClaimTemplates");
	const char *pods;
	int r = count_selected(d, &pods, err);

	if (r < 0)
		return r;
	describe_put(d, 0, d->obj,
		     "Name:\t{metadata.name}\nNamespace:\t{metadata.namespace}\n"
		     "CreationTimestamp:\t{@metadata.creationTimestamp}\n");
	describe_f(d, 0, "Selector:\t%s\n",
		   describe_selector(d, doc_find(d->obj, "spec.selector"), ""));
	describe_labels(d, "", "Labels", doc_find(d->obj, "metadata.labels"));
	describe_annotations(d, "Annotations", doc_find(d->obj, "metadata.annotations"));
	describe_put(d, 0, d->obj,
		     "Replicas:\t{spec.replicas|0} desired | {status.replicas|0} total\n"
		     "Update Strategy:\t{spec.updateStrategy.type}\n");
	if (doc_find(d->obj, "spec.updateStrategy.rollingUpdate.partition")) {
		const struct doc *ru = doc_find(d->obj, "spec.updateStrategy.rollingUpdate");

		describe_put(d, 1, ru, "Partition:\t{partition|0}\n");
		describe_opt(d, 1, ru, "maxUnavailable", "MaxUnavailable:\t{maxUnavailable}\n");
	}
	describe_f(d, 0, "Pods Status:\t%s\n", pods);
	describe_template(d);
	describe_f(d, 0, "Volume Claims:%s\n", doc_len(claims) ? "" : "\t<none>");
	DOC_EACH (c, claims) {
		describe_put(d, 1, c, "Name:\t{metadata.name}\n");
		describe_f(d, 1, "StorageClass:\t%s\n", describe_claim_class(d, c));
		describe_labels(d, "  ", "Labels", doc_find(c, "metadata.labels"));
		describe_labels(d, "  ", "Annotations", doc_find(c, "metadata.annotations"));
		describe_put(d, 1, c,
			     "Capacity:\t{~spec.resources.requests.storage|<default>}\n"
			     "Access Modes:\t{spec.accessModes|[]}\n");
	}
	return 0;
}

static int describe_ds(struct describe *d, struct err *err)
{
	const char *pods;
	int r = count_selected(d, &pods, err);

	if (r < 0)
		return r;
	describe_f(d, 0, "Name:\t%s\nSelector:\t%s\nNode-Selector:\t%s\n", d->name,
		   describe_selector(d, doc_find(d->obj, "spec.selector"), ""),
		   describe_map(d, doc_find(d->obj, "spec.template.spec.nodeSelector")));
	describe_labels(d, "", "Labels", doc_find(d->obj, "metadata.labels"));
	describe_annotations(d, "Annotations", doc_find(d->obj, "metadata.annotations"));
	describe_put(d, 0, doc_get(d->obj, "status"),
		     "Desired Number of Nodes Scheduled: {desiredNumberScheduled|0}\n"
		     "Current Number of Nodes Scheduled: {currentNumberScheduled|0}\n"
		     "Number of Nodes Scheduled with Up-to-date Pods: {updatedNumberScheduled|0}\n"
		     "Number of Nodes Scheduled with Available Pods: {numberAvailable|0}\n"
		     "Number of Nodes Misscheduled: {numberMisscheduled|0}\n");
	describe_f(d, 0, "Pods Status:\t%s\n", pods);
	describe_template(d);
	return 0;
}

/* ---- deployments ---- */

static int by_creation(const struct doc *a, const struct doc *b)
{
	int r = describe_by_text(doc_find(a, "metadata.creationTimestamp"),
				 doc_find(b, "metadata.creationTimestamp"));

	return r ? r : describe_by_text(doc_find(a, "metadata.name"), doc_find(b, "metadata.name"));
}

/* Of a replica set's template all but the label that tells it from others. */
static bool same_template(struct describe *d, const struct doc *rs)
{
	struct arena *a = d->k->arena;
	struct doc *t = doc_copy_shared(a, doc_find(rs, "spec.template")),
		   *u = doc_copy_shared(a, doc_find(d->obj, "spec.template"));

	(void)doc_remove(doc_find(t, "metadata.labels"), "pod-template-hash");
	(void)doc_remove(doc_find(u, "metadata.labels"), "pod-template-hash");
	return t && u && doc_equal(t, u);
}

static const char *rs_text(struct describe *d, const char *before, const struct doc *rs)
{
	const char *s = arena_printf(d->k->arena, "%s%s%s", before, *before ? ", " : "",
				     describe_value(d, rs, "metadata.name"));

	s = s ? arena_printf(d->k->arena, "%s (%s/%s replicas created)", s,
			     describe_value(d, rs, "status.replicas|0"),
			     describe_value(d, rs, "spec.replicas|0"))
	      : NULL;
	return s ? s : "";
}

static void describe_sets(struct describe *d)
{
	const char *uid = kubectl_text(d->k, d->obj, "metadata.uid"), *old = "", *new = "";
	struct describe_ask ask = { .api = "apis/apps/v1",
				    .resource = "replicasets",
				    .space = d->space };
	struct err err = ERR_INIT;
	struct doc *sets;
	struct doc *const *v;
	size_t n;

	ask.labels = describe_selector(d, doc_find(d->obj, "spec.selector"), "");
	if (describe_list(d, &ask, &sets, &err) < 0)
		return; /* those who may not look at them see the rest */
	v = describe_sorted(d, sets, by_creation, &n);
	for (size_t i = 0; i < n; i++) {
		if (!describe_owned(d, v[i], uid))
			continue;
		if (!*new &&same_template(d, v[i]))
			new = rs_text(d, "", v[i]);
		else
			old = rs_text(d, old, v[i]);
	}
	if (*old || *new)
		describe_f(d, 0, "OldReplicaSets:\t%s\nNewReplicaSet:\t%s\n", *old ? old : "<none>",
			   *new ? new : "<none>");
}

static int describe_deployment(struct describe *d, struct err *err)
{
	const struct doc *spec = doc_get(d->obj, "spec");

	(void)err;
	describe_put(d, 0, d->obj,
		     "Name:\t{metadata.name}\nNamespace:\t{metadata.namespace}\n"
		     "CreationTimestamp:\t{@metadata.creationTimestamp}\n");
	describe_labels(d, "", "Labels", doc_find(d->obj, "metadata.labels"));
	describe_annotations(d, "Annotations", doc_find(d->obj, "metadata.annotations"));
	describe_f(d, 0, "Selector:\t%s\n", describe_selector(d, doc_get(spec, "selector"), ""));
	describe_put(d, 0, d->obj,
		     "Replicas:\t{spec.replicas|0} desired | {status.updatedReplicas|0} updated | "
		     "{status.replicas|0} total | {status.availableReplicas|0} available | "
		     "{status.unavailableReplicas|0} unavailable\n"
		     "StrategyType:\t{spec.strategy.type}\n"
		     "MinReadySeconds:\t{spec.minReadySeconds|0}\n");
	if (doc_find(spec, "strategy.rollingUpdate"))
		describe_put(d, 0, doc_find(spec, "strategy.rollingUpdate"),
			     "RollingUpdateStrategy:\t{maxUnavailable|0} max unavailable, "
			     "{maxSurge|0} max surge\n");
	describe_template(d);
	describe_conditions(d, REASONS, "{type} \t{status}\t{reason}\n");
	describe_sets(d);
	return 0;
}

/* ---- jobs ---- */

static const char *duration(struct describe *d, const struct doc *from, const struct doc *to)
{
	int64_t a, b;
	char text[32];
	const char *s;

	if (clock_parse_rfc3339(doc_slice(from), &a, NULL) < 0 ||
	    clock_parse_rfc3339(doc_slice(to), &b, NULL) < 0)
		return "<unknown>";
	s = arena_strdup(d->k->arena, kubectl_duration(text, (b - a) / NS_PER_SEC));
	return s ? s : "";
}

/* Long lists of indexes are cut behind a comma. */
static const char *indexes(struct describe *d, const char *text)
{
	const size_t n = strlen(text), at = n > 50 ? 50 + strcspn(text + 50, ",") : n;
	const char *s = at < n ? arena_printf(d->k->arena, "%.*s...", (int)at + 1, text) : text;

	return s && *s ? s : "<none>";
}

static void describe_job_times(struct describe *d)
{
	const struct doc *spec = doc_get(d->obj, "spec"), *status = doc_get(d->obj, "status"),
			 *from = doc_get(status, "startTime"),
			 *to = doc_get(status, "completionTime");

	describe_opt(d, 0, status, "startTime", "Start Time:\t{@startTime}\n");
	describe_opt(d, 0, status, "completionTime", "Completed At:\t{@completionTime}\n");
	if (from && to)
		describe_f(d, 0, "Duration:\t%s\n", duration(d, from, to));
	describe_opt(d, 0, spec, "activeDeadlineSeconds",
		     "Active Deadline Seconds:\t{activeDeadlineSeconds}s\n");
	describe_put(d, 0, status, "Pods Statuses:\t{active|0} Active ");
	describe_opt(d, 0, status, "ready", "({ready} Ready) ");
	describe_put(d, 0, status, "/ {succeeded|0} Succeeded / {failed|0} Failed\n");
	if (doc_str_is(doc_get(spec, "completionMode"), "Indexed"))
		describe_f(d, 0, "Completed Indexes:\t%s\n",
			   indexes(d, kubectl_text(d->k, status, "completedIndexes")));
}

static int describe_job(struct describe *d, struct err *err)
{
	const struct doc *spec = doc_get(d->obj, "spec");

	(void)err;
	describe_put(d, 0, d->obj, "Name:\t{metadata.name}\nNamespace:\t{metadata.namespace}\n");
	describe_f(d, 0, "Selector:\t%s\n", describe_selector(d, doc_get(spec, "selector"), ""));
	describe_labels(d, "", "Labels", doc_find(d->obj, "metadata.labels"));
	describe_annotations(d, "Annotations", doc_find(d->obj, "metadata.annotations"));
	describe_owner(d);
	describe_opt(d, 0, spec, "parallelism", "Parallelism:\t{parallelism}\n");
	describe_put(d, 0, spec, "Completions:\t{completions|<unset>}\n");
	describe_opt(d, 0, spec, "completionMode", "Completion Mode:\t{completionMode}\n");
	describe_opt(d, 0, spec, "suspend", "Suspend:\t{suspend}\n");
	describe_opt(d, 0, spec, "backoffLimit", "Backoff Limit:\t{backoffLimit}\n");
	describe_opt(d, 0, spec, "ttlSecondsAfterFinished",
		     "TTL Seconds After Finished:\t{ttlSecondsAfterFinished}\n");
	describe_job_times(d);
	describe_template(d);
	return 0;
}

static void describe_job_template(struct describe *d, const struct doc *spec)
{
	const struct doc *selector = doc_get(spec, "selector");

	describe_f(d, 0, "Selector:\t%s\n",
		   selector ? describe_selector(d, selector, "") : "<unset>");
	describe_put(d, 0, spec,
		     "Parallelism:\t{parallelism|<unset>}\nCompletions:\t{completions|<unset>}\n");
	describe_opt(d, 0, spec, "activeDeadlineSeconds",
		     "Active Deadline Seconds:\t{activeDeadlineSeconds}s\n");
	describe_pod_template(d, doc_get(spec, "template"));
}

static int describe_cron(struct describe *d, struct err *err)
{
	const struct doc *suspend = doc_find(d->obj, "spec.suspend"),
			 *active = doc_find(d->obj, "status.active");
	bool first = true;

	(void)err;
	describe_head(d, true);
	describe_put(d, 0, d->obj,
		     "Schedule:\t{spec.schedule}\nConcurrency Policy:\t{spec.concurrencyPolicy}\n");
	describe_f(d, 0, "Suspend:\t%s\n",
		   !suspend	       ? "<unset>"
		   : doc_true(suspend) ? "True"
				       : "False");
	describe_put(d, 0, d->obj,
		     "Successful Job History Limit:\t{spec.successfulJobsHistoryLimit|<unset>}\n"
		     "Failed Job History Limit:\t{spec.failedJobsHistoryLimit|<unset>}\n"
		     "Starting Deadline Seconds:\t{spec.startingDeadlineSeconds|<unset>}");
	describe_f(d, 0, "%s\n", doc_find(d->obj, "spec.startingDeadlineSeconds") ? "s" : "");
	describe_job_template(d, doc_find(d->obj, "spec.jobTemplate.spec"));
	describe_put(d, 0, d->obj,
		     "Last Schedule Time:\t{@status.lastScheduleTime|<unset>}\nActive Jobs:\t");
	DOC_EACH (j, active) {
		describe_f(d, 0, "%s%s", first ? "" : ", ", kubectl_text(d->k, j, "name"));
		first = false;
	}
	describe_f(d, 0, "%s\n", first ? "<none>" : "");
	return 0;
}

/* ---- budgets ---- */

static int describe_pdb(struct describe *d, struct err *err)
{
	const struct doc *spec = doc_get(d->obj, "spec"), *selector = doc_get(spec, "selector");

	(void)err;
	describe_put(d, 0, d->obj, "Name:\t{metadata.name}\nNamespace:\t{metadata.namespace}\n");
	if (doc_get(spec, "minAvailable"))
		describe_put(d, 0, spec, "Min available:\t{minAvailable}\n");
	else
		describe_opt(d, 0, spec, "maxUnavailable", "Max unavailable:\t{maxUnavailable}\n");
	describe_f(d, 0, "Selector:\t%s\nStatus:\n",
		   selector ? describe_selector(d, selector, "<none>") : "<unset>");
	describe_put(d, 2, doc_get(d->obj, "status"),
		     "Allowed disruptions:\t{disruptionsAllowed|0}\nCurrent:\t{currentHealthy|0}\n"
		     "Desired:\t{desiredHealthy|0}\nTotal:\t{expectedPods|0}\n");
	return 0;
}

/* ---- autoscalers ---- */

/* What is now and what is to be: "10% (100m) / 50%". */
static void describe_share(struct describe *d, const struct doc *now, const struct doc *target)
{
	if (doc_get(target, "averageValue")) {
		describe_f(d, 0, ":\t%s / %s\n",
			   now ? describe_value(d, now, "~current.averageValue|0") : "<unknown>",
			   describe_value(d, target, "~averageValue|0"));
		return;
	}
	describe_f(d, 1, "(as a percentage of request):\t");
	if (doc_find(now, "current.averageUtilization"))
		describe_put(d, 0, now,
			     "{current.averageUtilization}% ({~current.averageValue|0})");
	else
		describe_f(d, 0, "<unknown>");
	describe_f(d, 0, " / %s%s\n", describe_value(d, target, "averageUtilization|<auto>"),
		   doc_get(target, "averageUtilization") ? "%" : "");
}

/* "(target value):\t1 / 2". */
static void describe_pair(struct describe *d, const struct doc *now, const struct doc *target,
			  bool average)
{
	const struct doc *current =
		doc_find(now, average ? "current.averageValue" : "current.value");
	const char *spec = average ? "~averageValue|0" : "~value|0";

	describe_f(d, 0, ":\t%s / %s\n",
		   current ? describe_value(d, doc_get(now, "current"), spec) : "<unknown>",
		   describe_value(d, target, spec));
}

static void describe_metric(struct describe *d, const struct doc *m, const struct doc *status)
{
	static const char *const members[][2] = { { "External", "external" },
						  { "Pods", "pods" },
						  { "Object", "object" },
						  { "Resource", "resource" },
						  { "ContainerResource", "containerResource" } };
	const char *type = kubectl_text(d->k, m, "type"), *member = "";
	const struct doc *s, *now, *target;
	bool average;

	for (size_t i = 0; i < ARRAY_LEN(members); i++)
		if (strcmp(members[i][0], type) == 0)
			member = members[i][1];
	s = doc_get(m, member);
	now = doc_get(status, member);
	target = doc_get(s, "target");
	average = doc_get(target, "averageValue") != NULL;
	if (strcmp(type, "External") == 0) {
		describe_put(d, 1, s,
			     average ? "\"{metric.name}\" (target average value)"
				     : "\"{metric.name}\" (target value)");
		describe_pair(d, now, target, average);
	} else if (strcmp(type, "Pods") == 0) {
		describe_put(d, 1, s, "\"{metric.name}\" on pods");
		describe_pair(d, now, target, true);
	} else if (strcmp(type, "Object") == 0) {
		average = doc_str_is(doc_get(target, "type"), "AverageValue");
		describe_put(d, 1, s,
			     "\"{metric.name}\" on {describedObject.kind}/{describedObject.name} ");
		describe_f(d, 0, average ? "(target average value)" : "(target value)");
		describe_pair(d, now, target, average);
	} else if (strcmp(type, "Resource") == 0) {
		describe_put(d, 1, s, "resource {name} on pods");
		describe_share(d, now, target);
	} else if (strcmp(type, "ContainerResource") == 0) {
		describe_put(d, 1, s, "resource {name} of container \"{container}\" on pods");
		describe_share(d, now, target);
	} else {
		describe_f(d, 1, "<unknown metric type \"%s\">\n", type);
	}
}

static void describe_behavior(struct describe *d, const char *title, const struct doc *rules)
{
	const struct doc *policies = doc_get(rules, "policies");

	if (!rules)
		return;
	describe_f(d, 1, "%s:\n", title);
	describe_opt(d, 2, rules, "stabilizationWindowSeconds",
		     "Stabilization Window: {stabilizationWindowSeconds} seconds\n");
	if (doc_len(policies))
		describe_put(d, 2, rules, "Select Policy: {selectPolicy|Max}\nPolicies:\n");
	DOC_EACH (p, policies)
		describe_put(
			d, 3, p,
			"- Type: {type}\tValue: {value|0}\tPeriod: {periodSeconds|0} seconds\n");
}

static int describe_hpa(struct describe *d, struct err *err)
{
	const struct doc *spec = doc_get(d->obj, "spec"),
			 *now = doc_find(d->obj, "status.currentMetrics");
	size_t i = 0;

	(void)err;
	describe_head(d, true);
	describe_put(d, 0, d->obj,
		     "CreationTimestamp:\t{@metadata.creationTimestamp}\n"
		     "Reference:\t{spec.scaleTargetRef.kind}/{spec.scaleTargetRef.name}\n"
		     "Metrics:\t( current / target )\n");
	DOC_EACH (m, doc_get(spec, "metrics"))
		describe_metric(d, m, doc_at(now, i++));
	describe_put(d, 0, spec,
		     "Min replicas:\t{minReplicas|<unset>}\nMax replicas:\t{maxReplicas|0}\n");
	if (doc_get(spec, "behavior")) {
		describe_f(d, 0, "Behavior:\n");
		describe_behavior(d, "Scale Up", doc_find(spec, "behavior.scaleUp"));
		describe_behavior(d, "Scale Down", doc_find(spec, "behavior.scaleDown"));
	}
	describe_put(d, 0, d->obj,
		     "{spec.scaleTargetRef.kind} pods:\t{status.currentReplicas|0} current / "
		     "{status.desiredReplicas|0} desired\n");
	describe_conditions(d, "Type\tStatus\tReason\tMessage\n----\t------\t------\t-------\n",
			    "{type}\t{status}\t{reason}\t{message}\n");
	return 0;
}

const struct describe_kind describe_workloads[] = {
	{ "", "Pod", NULL, describe_pod, false }, /* it looks for events itself */
	{ "", "ReplicationController", NULL, describe_rc, true },
	{ "apps", "ReplicaSet", NULL, describe_rs, true },
	{ "apps", "StatefulSet", NULL, describe_sts, true },
	{ "apps", "DaemonSet", NULL, describe_ds, true },
	{ "apps", "Deployment", NULL, describe_deployment, true },
	{ "batch", "Job", NULL, describe_job, true },
	{ "batch", "CronJob", NULL, describe_cron, true },
	{ "policy", "PodDisruptionBudget", NULL, describe_pdb, true },
	{ "autoscaling", "HorizontalPodAutoscaler", "autoscaling/v2", describe_hpa, true },
	{ 0 },
};
