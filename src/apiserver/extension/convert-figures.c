/* SPDX-License-Identifier: Apache-2.0 */
/* Questions to conversion webhooks, counted under upstream's names. */
#include "apiserver/extension/convert-private.h"

#include "base/arena.h"
#include "io/metrics.h"

#include <string.h>

static const char *const labels[] = { "failure_type", "result" };
static const char *const made_labels[] = { "crd_name", "from_version", "succeeded", "to_version" };
static const double seconds[] = { 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 45, 60 };
static const double made_seconds[] = { 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128,
				       0.256, 0.512, 1.024, 2.048, 4.096, 8.192, 16.384 };
static const struct metric_spec asked_spec = {
	.type = METRIC_COUNTER,
	.name = "apiserver_conversion_webhook_request_total",
	.help = "Questions to conversion webhooks, by how they ended and what was wrong.",
	.labels = labels,
	.labels_n = ARRAY_LEN(labels),
};
static const struct metric_spec took_spec = {
	.type = METRIC_HISTOGRAM,
	.name = "apiserver_conversion_webhook_duration_seconds",
	.help = "Time that a conversion webhook took.",
	.labels = labels,
	.labels_n = ARRAY_LEN(labels),
	.buckets = seconds,
	.buckets_n = ARRAY_LEN(seconds),
};
static const struct metric_spec made_spec = {
	.type = METRIC_HISTOGRAM,
	.name = "apiserver_crd_conversion_webhook_duration_seconds",
	.help = "Time that a conversion took by a definition's webhook, by the versions.",
	.labels = made_labels,
	.labels_n = ARRAY_LEN(made_labels),
	.buckets = made_seconds,
	.buckets_n = ARRAY_LEN(made_seconds),
};
static const char *const faults[] = {
	[CONVERT_FINE] = "",
	[CONVERT_CALL] = "conversion_webhook_call_failure",
	[CONVERT_MALFORMED] = "conversion_webhook_malformed_response_failure",
	[CONVERT_PARTIAL] = "conversion_webhook_partial_response_failure",
	[CONVERT_EMPTY] = "conversion_webhook_no_objects_returned_failure",
	[CONVERT_INVALID] = "conversion_webhook_invalid_converted_object_failure",
};

int convert_figures_add(struct converter *cv, struct metrics *m, struct err *err)
{
	if (metrics_add(m, &asked_spec, &cv->asked, err) < 0 ||
	    metrics_add(m, &took_spec, &cv->took, err) < 0)
		return err_ret(err);
	return metrics_add(m, &made_spec, &cv->made, err);
}

/* "v1" of "example.com/v1". */
static const char *version_of(const char *group_version)
{
	const char *slash = strrchr(group_version, '/');

	return slash ? slash + 1 : group_version;
}

void convert_figures_tell(struct convert_job *j)
{
	const struct converter *cv = j->cv;
	const struct api_kind *from = j->n ? custom_kind_of(j->to, j->objects[0]) : NULL;
	const char *result = j->fault ? "failure" : "success";
	const char *const values[] = { faults[j->fault], result };
	const char *const made[] = {
		arena_printf(j->a, "%s.%s", j->to->resource, j->to->group->group),
		version_of((from ? from : j->to)->group->api_version), j->fault ? "false" : "true",
		version_of(j->to->group->api_version)
	};
	const double took = (double)(clock_mono() - j->begun) / 1e9;

	if (!cv->asked)
		return;
	metric_inc(metric_with(cv->asked, values));
	metric_observe(metric_with(cv->took, values), took);
	if (made[0])
		metric_observe(metric_with(cv->made, made), took);
}
