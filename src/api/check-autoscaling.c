/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of autoscaling/v1 and v2: one kind in two versions, and Scale. */
#include "api/check-parts.h"

#define WINDOW_MAX 3600
#define PERIOD_MAX 1800

static const struct path in_spec = PATH(NULL, "spec"), in_status = PATH(NULL, "status");

/* ---- metrics ---- */

static void check_target(struct check *c, const struct path *p, const struct doc *target)
{
	static const char *const quantities[] = { "value", "averageValue" };
	const struct doc *type = doc_get(target, "type");

	if (!part_full(target, "type"))
		part_required(c, p, "type", "must specify a metric target type");
	if (!doc_str_is(type, "Utilization") && !doc_str_is(type, "Value") &&
	    !doc_str_is(type, "AverageValue"))
		part_invalid(c, p, target, "type",
			     "must be either Utilization, Value, or AverageValue");
	for (size_t i = 0; i < ARRAY_LEN(quantities); i++)
		if (part_set(target, quantities[i]) &&
		    part_sign(doc_get(target, quantities[i])) != 1)
			part_invalid(c, p, target, quantities[i], "must be positive");
	if (part_set(target, "averageUtilization") && part_number(target, "averageUtilization") < 1)
		part_invalid(c, p, target, "averageUtilization", "must be greater than 0");
}

static void check_metric(struct check *c, const struct path *p, const struct doc *metric)
{
	if (!part_full(metric, "name"))
		part_required(c, p, "name", "must specify a metric name");
	else
		part_optional(c, p, metric, "name", form_path_segment);
}

/* Absolute value or value per pod of a metric that is not of a resource. */
static void check_measure(struct check *c, const struct path *p, const struct doc *source,
			  const char *name)
{
	const struct path at = PATH(p, "target");
	const struct doc *target = doc_get(source, "target");
	bool value = part_set(target, "value"), average = part_set(target, "averageValue");

	if (strcmp(name, "pods") == 0) {
		if (!average)
			part_required(c, &at, "averageValue",
				      "must specify a positive target averageValue");
		return;
	}
	if (!value && !average)
		part_required(c, &at, "averageValue",
			      strcmp(name, "object") == 0
				      ? "must set either a target value or averageValue"
				      : "must set either a target value for metric or a per-pod "
					"target");
	if (value && average && strcmp(name, "external") == 0)
		part_forbidden(c, &at, "value",
			       "may not set both a target value for metric and a per-pod target");
}

static void check_utilization(struct check *c, const struct path *p, const struct doc *source)
{
	const struct path at = PATH(p, "target");
	const struct doc *target = doc_get(source, "target");
	bool part = part_set(target, "averageUtilization"), raw = part_set(target, "averageValue");

	if (!part && !raw)
		part_required(c, &at, "averageUtilization",
			      "must set either a target raw value or a target utilization");
	if (part && raw)
		part_forbidden(c, &at, "averageValue",
			       "may not set both a target raw value and a target utilization");
}

static void check_source(struct check *c, const struct path *p, const struct doc *source,
			 const char *name)
{
	const struct path object = PATH(p, "describedObject"), metric = PATH(p, "metric"),
			  target = PATH(p, "target");
	bool resource = strcmp(name, "resource") == 0, container = name[0] == 'c';

	if (strcmp(name, "object") == 0)
		part_reference(c, &object, doc_get(source, "describedObject"), NULL);
	if ((resource || container) && !part_full(source, "name"))
		part_required(c, p, "name", "must specify a resource name");
	if (container && !part_full(source, "container"))
		part_required(c, p, "container", "must specify a container");
	if (container)
		part_optional(c, p, source, "container", form_dns_label);
	if (!resource && !container)
		check_metric(c, &metric, doc_get(source, "metric"));
	check_target(c, &target, doc_get(source, "target"));
	if (resource || container)
		check_utilization(c, p, source);
	else
		check_measure(c, p, source, name);
}

static void check_metric_spec(struct check *c, const struct path *p, const struct doc *spec)
{
	static const char *const types[] = { "ContainerResource", "External", "Object", "Pods",
					     "Resource",	  NULL };
	static const struct {
		const char *type, *field;
	} sources[] = {
		{ "Object", "object" },
		{ "External", "external" },
		{ "Pods", "pods" },
		{ "Resource", "resource" },
		{ "ContainerResource", "containerResource" },
	};
	unsigned present = 0;

	if (!part_full(spec, "type"))
		part_required(c, p, "type", "must specify a metric source type");
	part_one_of(c, p, spec, "type", types, false);
	for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
		const struct path at = PATH(p, sources[i].field);

		if (part_set(spec, sources[i].field) && ++present == 1)
			check_source(c, &at, doc_get(spec, sources[i].field), sources[i].field);
	}
	for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
		bool chosen = doc_str_is(doc_get(spec, "type"), sources[i].type);
		bool have = part_set(spec, sources[i].field);

		if (chosen && !have)
			part_required(c, p, sources[i].field,
				      "must populate information for the given metric source");
		if (!chosen && have && present != 1)
			part_forbidden(c, p, sources[i].field,
				       "must populate the given metric source only");
	}
}

/* ---- behavior ---- */

static void check_policy_of(struct check *c, const struct path *p, const struct doc *policy)
{
	static const char *const types[] = { "Percent", "Pods", NULL };

	part_one_of(c, p, policy, "type", types, false);
	if (part_number(policy, "value") <= 0)
		part_bad_number(c, p, policy, "value", "must be greater than zero");
	if (part_number(policy, "periodSeconds") <= 0)
		part_bad_number(c, p, policy, "periodSeconds", "must be greater than zero");
	if (part_number(policy, "periodSeconds") > PERIOD_MAX)
		part_invalid(c, p, policy, "periodSeconds", "must be less than or equal to %d",
			     PERIOD_MAX);
}

static void check_rules(struct check *c, const struct path *p, const struct doc *rules)
{
	static const char *const selects[] = { "Disabled", "Max", "Min", NULL };
	const struct path at = PATH(p, "policies");
	const struct doc *policies = doc_get(rules, "policies");
	int64_t window = part_number(rules, "stabilizationWindowSeconds");

	if (!rules || rules->type == DOC_NULL)
		return;
	if (window < 0)
		part_invalid(c, p, rules, "stabilizationWindowSeconds",
			     "must be greater than or equal to zero");
	if (window > WINDOW_MAX)
		part_invalid(c, p, rules, "stabilizationWindowSeconds",
			     "must be less than or equal to %d", WINDOW_MAX);
	part_maybe_one_of(c, p, rules, "selectPolicy", selects);
	if (part_sign(doc_get(rules, "tolerance")) < 0)
		part_invalid(c, p, rules, "tolerance", "must be greater than or equal to 0");
	if (doc_len(policies) == 0 && !part_set(rules, "tolerance"))
		check_required(c, &at, "must specify at least one Policy");
	for (size_t i = 0; i < doc_len(policies); i++) {
		const struct path one = PATH_INDEX(&at, i);

		check_policy_of(c, &one, doc_at(policies, i));
	}
}

/* ---- the kind ---- */

static void check_numbers(struct check *c, const struct doc *spec)
{
	bool has_min = part_set(spec, "minReplicas");
	int64_t min = part_number(spec, "minReplicas"), max = part_number(spec, "maxReplicas");
	const struct doc *old = doc_get(c->old, "spec");
	int64_t least =
		part_set(old, "minReplicas") && part_number(old, "minReplicas") == 0 ? 0 : 1;

	if (has_min && min < least)
		part_invalid(c, &in_spec, spec, "minReplicas",
			     "must be greater than or equal to %lld", (long long)least);
	if (max < 1)
		part_bad_number(c, &in_spec, spec, "maxReplicas", "must be greater than 0");
	if (has_min && max < min)
		part_bad_number(c, &in_spec, spec, "maxReplicas",
				"must be greater than or equal to `minReplicas`");
}

static void check_autoscaler(struct check *c, const struct doc *obj, const char *sub)
{
	static const char *const counts[] = { "currentReplicas", "desiredReplicas", NULL };
	const struct path ref = PATH(&in_spec, "scaleTargetRef"), at = PATH(&in_spec, "metrics"),
			  behavior = PATH(&in_spec, "behavior"), up = PATH(&behavior, "scaleUp"),
			  down = PATH(&behavior, "scaleDown");
	const struct doc *spec = doc_get(obj, "spec"), *metrics = doc_get(spec, "metrics");

	if (strcmp(sub, "status") == 0) {
		part_not_negative(c, &in_status, doc_get(obj, "status"), counts);
		return;
	}
	check_numbers(c, spec);
	part_reference(c, &ref, doc_get(spec, "scaleTargetRef"), NULL);
	for (size_t i = 0; i < doc_len(metrics); i++) {
		const struct path one = PATH_INDEX(&at, i);

		check_metric_spec(c, &one, doc_at(metrics, i));
	}
	check_rules(c, &up, doc_find(spec, "behavior.scaleUp"));
	check_rules(c, &down, doc_find(spec, "behavior.scaleDown"));
	/* v1 has one metric as a number; upstream tells of it as of the metric it becomes */
	if (part_set(spec, "targetCPUUtilizationPercentage") &&
	    part_number(spec, "targetCPUUtilizationPercentage") < 1) {
		const struct path one = PATH_INDEX(&at, 0), resource = PATH(&one, "resource"),
				  target = PATH(&resource, "target"),
				  part = PATH(&target, "averageUtilization");

		check_invalid(c, &part, doc_get(spec, "targetCPUUtilizationPercentage"),
			      "must be greater than 0");
	}
}

static void check_scale(struct check *c, const struct doc *obj, const char *sub)
{
	static const char *const replicas[] = { "replicas", NULL };

	(void)sub;
	part_not_negative(c, &in_spec, doc_get(obj, "spec"), replicas);
}

const struct check_kind check_autoscaling[] = {
	{ "autoscaling", "HorizontalPodAutoscaler", check_autoscaler, NULL },
	{ "autoscaling", "Scale", check_scale, NULL },
	{ NULL, NULL, NULL, NULL },
};
