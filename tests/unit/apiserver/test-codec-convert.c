/* SPDX-License-Identifier: Apache-2.0 */
/* One object in another version: events, autoscalers, custom kinds. */
#include "codec-check.h"

#include "api/custom.h"

static const char *converted(struct arena *a, const struct api *api, const char *from,
			     const char *to, const char *kind, const char *text)
{
	const struct api_kind *f = api_kind(api, from, kind), *t = api_kind(api, to, kind);
	struct err err = ERR_INIT;
	struct doc d, admitted;
	int r;

	assert_int_equal(api_admit(f->type, must_read(a, text), a, 0, NULL, &admitted, &err), 0);
	r = codec_convert(f, t, &admitted, a, &d, &err);
	if (r != 0)
		print_error("%s\n", err.msg);
	assert_int_equal(r, 0);
	return written(a, &d, NULL);
}

#define HEAD(gv, kind) \
	"{\"kind\":\"" kind "\",\"apiVersion\":\"" gv "\",\"metadata\":{\"name\":\"x\"}"
#define CORE_EVENT                                                                                 \
	HEAD("v1", "Event")                                                                        \
	",\"involvedObject\":{\"kind\":\"Pod\",\"name\":\"p\"},\"reason\":\"Started\","            \
	"\"message\":"                                                                             \
	"\"m\",\"source\":{\"component\":\"kubelet\"},\"firstTimestamp\":"                         \
	"\"2024-05-01T12:00:00Z\",\"lastTimestamp\":\"2024-05-01T12:00:01Z\",\"count\":3,"         \
	"\"type\":\"Normal\",\"eventTime\":\"2024-05-01T12:00:00.000000Z\",\"series\":{\"count\":" \
	"2,"                                                                                       \
	"\"lastObservedTime\":\"2024-05-01T12:00:00.000000Z\"},\"action\":\"a\",\"related\":{"     \
	"\"kind\":\"Node\"},\"reportingComponent\":\"rc\",\"reportingInstance\":\"ri\"}"
#define NEW_EVENT                                                                               \
	HEAD("events.k8s.io/v1", "Event")                                                       \
	",\"eventTime\":\"2024-05-01T12:00:00.000000Z\",\"series\":{\"count\":2,"               \
	"\"lastObservedTime\":\"2024-05-01T12:00:00.000000Z\"},\"reportingController\":\"rc\"," \
	"\"reportingInstance\":\"ri\",\"action\":\"a\",\"reason\":\"Started\",\"regarding\":{"  \
	"\"kind\":\"Pod\",\"name\":\"p\"},\"related\":{\"kind\":\"Node\"},\"note\":\"m\","      \
	"\"type\":"                                                                             \
	"\"Normal\",\"deprecatedSource\":{\"component\":\"kubelet\"},"                          \
	"\"deprecatedFirstTimestamp\":"                                                         \
	"\"2024-05-01T12:00:00Z\",\"deprecatedLastTimestamp\":\"2024-05-01T12:00:01Z\","        \
	"\"deprecatedCount\":3}"

static void events_have_other_names(void **state)
{
	CLEANUP(api_fini_p) struct api *api = load(*state);

	assert_string_equal(converted(*state, api, "v1", "events.k8s.io/v1", "Event", CORE_EVENT),
			    NEW_EVENT);
	assert_string_equal(converted(*state, api, "events.k8s.io/v1", "v1", "Event", NEW_EVENT),
			    CORE_EVENT);
}

static void an_event_with_nothing_has_what_the_version_always_writes(void **state)
{
	CLEANUP(api_fini_p) struct api *api = load(*state);

	assert_string_equal(converted(*state, api, "events.k8s.io/v1", "v1", "Event",
				      HEAD("events.k8s.io/v1", "Event") "}"),
			    HEAD("v1", "Event") ",\"involvedObject\":{},\"source\":{},"
						"\"firstTimestamp\":null,\"lastTimestamp\":null,"
						"\"eventTime\":null,\"reportingComponent\":\"\","
						"\"reportingInstance\":\"\"}");
}

/* ---- autoscalers ---- */

#define TARGET \
	"\"scaleTargetRef\":{\"kind\":\"Deployment\",\"name\":\"web\",\"apiVersion\":\"apps/v1\"}"
#define CPU_50                                                                        \
	"{\"type\":\"Resource\",\"resource\":{\"name\":\"cpu\",\"target\":{\"type\":" \
	"\"Utilization\",\"averageUtilization\":50}}}"

static struct doc *as_doc(struct arena *a, const char *text)
{
	return must_read(a, text);
}

static const char *annotation(const struct doc *d, const char *key, struct arena *a)
{
	const struct doc *text = doc_get(doc_find(d, "metadata.annotations"), key);

	return text ? doc_cstr(a, text) : NULL;
}

static void cpu_is_a_field_of_v1(void **state)
{
	CLEANUP(api_fini_p) struct api *api = load(*state);
	const char *v1 = converted(
		*state, api, "autoscaling/v2", "autoscaling/v1", "HorizontalPodAutoscaler",
		HEAD("autoscaling/v2",
		     "HorizontalPodAutoscaler") ",\"spec\":{" TARGET
						",\"maxReplicas\":5,\"metrics\":[" CPU_50 "]}}");

	assert_string_equal(
		v1,
		HEAD("autoscaling/v1",
		     "HorizontalPodAutoscaler") ",\"spec\":{" TARGET
						",\"minReplicas\":1,\"maxReplicas\":5,"
						"\"targetCPUUtilizationPercentage\":50},\"status\":"
						"{"
						"\"currentReplicas\":0,\"desiredReplicas\":0}}");
	assert_string_equal(converted(*state, api, "autoscaling/v1", "autoscaling/v2",
				      "HorizontalPodAutoscaler", v1),
			    HEAD("autoscaling/v2",
				 "HorizontalPodAutoscaler") ",\"spec\":{" TARGET
							    ",\"minReplicas\":1,\"maxReplicas\":5,"
							    "\"metrics\":[" CPU_50
							    "]},\"status\":{\"desiredReplicas\":0,"
							    "\"currentMetrics\":null}}");
}

static void without_metrics_v1_means_cpu(void **state)
{
	CLEANUP(api_fini_p) struct api *api = load(*state);
	struct doc *d =
		as_doc(*state, converted(*state, api, "autoscaling/v1", "autoscaling/v2",
					 "HorizontalPodAutoscaler",
					 HEAD("autoscaling/v1",
					      "HorizontalPodAutoscaler") ",\"spec\":{" TARGET
									 ",\"maxReplicas\":5}}"));

	assert_doc(*state, doc_find(d, "spec.metrics"),
		   "[{\"type\":\"Resource\",\"resource\":{\"name\":\"cpu\",\"target\":{\"type\":"
		   "\"Utilization\",\"averageUtilization\":80}}}]");
}

#define METRIC_NAME "\"metric\":{\"name\":\"m\",\"selector\":{\"matchLabels\":{\"a\":\"b\"}}}"
#define EVERYTHING                                                                                 \
	HEAD("autoscaling/v2", "HorizontalPodAutoscaler")                                          \
	",\"spec\":{" TARGET ",\"minReplicas\":2,\"maxReplicas\":5,\"metrics\":["                  \
	"{\"type\":\"Object\",\"object\":{\"describedObject\":{\"kind\":\"Service\",\"name\":"     \
	"\"s\"},"                                                                                  \
	"\"target\":{\"type\":\"Value\",\"value\":\"10\"}," METRIC_NAME "}},"                      \
	"{\"type\":\"Pods\",\"pods\":{" METRIC_NAME                                                \
	",\"target\":{\"type\":\"AverageValue\",\"averageValue\":\"1500m\"}}},"                    \
	"{\"type\":\"Resource\",\"resource\":{\"name\":\"memory\",\"target\":{\"type\":"           \
	"\"AverageValue\",\"averageValue\":\"2Gi\"}}},"                                            \
	"{\"type\":\"ContainerResource\",\"containerResource\":{\"name\":\"cpu\",\"target\":{"     \
	"\"type\":\"Utilization\",\"averageUtilization\":70},\"container\":\"c\"}},"               \
	"{\"type\":\"External\",\"external\":{" METRIC_NAME                                        \
	",\"target\":{\"type\":\"AverageValue\",\"averageValue\":\"3\"}}}," CPU_50 "],"            \
	"\"behavior\":{\"scaleUp\":{\"stabilizationWindowSeconds\":0,\"selectPolicy\":\"Max\","    \
	"\"policies\":[{\"type\":\"Pods\",\"value\":4,\"periodSeconds\":15}]},\"scaleDown\":{"     \
	"\"selectPolicy\":\"Max\",\"policies\":[{"                                                 \
	"\"type\":\"Percent\",\"value\":100,\"periodSeconds\":15}]}}},\"status\":{"                \
	"\"observedGeneration\":3,\"lastScaleTime\":\"2024-05-01T12:00:00Z\",\"currentReplicas\":" \
	"2,"                                                                                       \
	"\"desiredReplicas\":3,\"currentMetrics\":["                                               \
	"{\"type\":\"Object\",\"object\":{" METRIC_NAME                                            \
	",\"current\":{\"value\":\"9\"},\"describedObject\":{\"kind\":\"Service\",\"name\":\"s\"}" \
	"}},"                                                                                      \
	"{\"type\":\"Pods\",\"pods\":{" METRIC_NAME ",\"current\":{\"averageValue\":\"1\"}}},"     \
	"{\"type\":\"Resource\",\"resource\":{\"name\":\"cpu\",\"current\":{\"averageValue\":"     \
	"\"100m\","                                                                                \
	"\"averageUtilization\":42}}},"                                                            \
	"{\"type\":\"ContainerResource\",\"containerResource\":{\"name\":\"cpu\",\"current\":{"    \
	"\"averageValue\":\"0\",\"averageUtilization\":1},\"container\":\"c\"}},"                  \
	"{\"type\":\"External\",\"external\":{" METRIC_NAME                                        \
	",\"current\":{\"value\":\"8\",\"averageValue\":\"4\"}}}],\"conditions\":[{\"type\":"      \
	"\"AbleToScale\",\"status\":\"True\",\"lastTransitionTime\":\"2024-05-01T12:00:00Z\","     \
	"\"reason\":\"r\",\"message\":\"m\"}]}}"

static void what_v1_has_no_fields_for_goes_to_annotations(void **state)
{
	CLEANUP(api_fini_p) struct api *api = load(*state);
	struct arena *a = *state;
	const char *v1 = converted(a, api, "autoscaling/v2", "autoscaling/v1",
				   "HorizontalPodAutoscaler", EVERYTHING);
	struct doc *d = as_doc(a, v1), *v2 = as_doc(a, EVERYTHING), *metrics;
	const char *text = annotation(d, "autoscaling.alpha.kubernetes.io/metrics", a);
	struct doc cpu;

	assert_non_null(text);
	assert_string_equal(
		text,
		"[{\"type\":\"Object\",\"object\":{\"target\":{\"kind\":\"Service\",\"name\":\"s\"}"
		","
		"\"metricName\":\"m\",\"targetValue\":\"10\",\"selector\":{\"matchLabels\":{\"a\":"
		"\"b\"}}}},{\"type\":\"Pods\",\"pods\":{\"metricName\":\"m\","
		"\"targetAverageValue\":"
		"\"1500m\",\"selector\":{\"matchLabels\":{\"a\":\"b\"}}}},{\"type\":\"Resource\","
		"\"resource\":{\"name\":\"memory\",\"targetAverageValue\":\"2Gi\"}},{\"type\":"
		"\"ContainerResource\",\"containerResource\":{\"name\":\"cpu\","
		"\"targetAverageUtilization\":70,\"container\":\"c\"}},{\"type\":\"External\","
		"\"external\":{\"metricName\":\"m\",\"metricSelector\":{\"matchLabels\":{\"a\":"
		"\"b\"}},\"targetAverageValue\":\"3\"}}]");
	assert_string_equal(
		annotation(d, "autoscaling.alpha.kubernetes.io/behavior", a),
		"{\"ScaleUp\":{\"StabilizationWindowSeconds\":0,\"SelectPolicy\":"
		"\"Max\",\"Policies\":[{\"Type\":\"Pods\",\"Value\":4,"
		"\"PeriodSeconds\":15}],\"Tolerance\":null},\"ScaleDown\":{"
		"\"StabilizationWindowSeconds\":null,\"SelectPolicy\":\"Max\",\"Policies\":[{"
		"\"Type\":\"Percent\",\"Value\":100,\"PeriodSeconds\":15}],\"Tolerance\":null}}");
	assert_non_null(strstr(annotation(d, "autoscaling.alpha.kubernetes.io/current-metrics", a),
			       "{\"type\":\"Resource\",\"resource\":{\"name\":\"cpu\","
			       "\"currentAverageUtilization\":42,\"currentAverageValue\":"
			       "\"100m\"}}"));
	assert_non_null(strstr(annotation(d, "autoscaling.alpha.kubernetes.io/conditions", a),
			       "[{\"type\":\"AbleToScale\",\"status\":\"True\""));
	/* the first metric of the CPU by its use: there is a ContainerResource, which is none */
	assert_non_null(strstr(v1, "\"targetCPUUtilizationPercentage\":50"));
	assert_non_null(strstr(v1, "\"currentCPUUtilizationPercentage\":42"));
	/* and all of it comes back */
	d = as_doc(a, converted(a, api, "autoscaling/v1", "autoscaling/v2",
				"HorizontalPodAutoscaler", v1));
	metrics = doc_find(v2, "spec.metrics");
	assert_int_equal(doc_len(metrics), 6);
	cpu = *doc_at(metrics, 5);
	assert_doc(a, &cpu, CPU_50);
	assert_true(doc_equal(doc_get(d, "spec"), doc_get(v2, "spec")));
	assert_true(doc_equal(doc_get(d, "status"), doc_get(v2, "status")));
	assert_null(doc_find(d, "metadata.annotations"));
}

static void annotations_that_are_no_metrics_are_dropped(void **state)
{
	CLEANUP(api_fini_p) struct api *api = load(*state);
	struct arena *a = *state;
	struct doc *d = as_doc(
		a, converted(a, api, "autoscaling/v1", "autoscaling/v2", "HorizontalPodAutoscaler",
			     "{\"kind\":\"HorizontalPodAutoscaler\",\"apiVersion\":"
			     "\"autoscaling/v1\",\"metadata\":{\"name\":\"x\",\"annotations\":{"
			     "\"mine\":\"1\",\"autoscaling.alpha.kubernetes.io/metrics\":"
			     "\"[{\\\"type\\\":1}]\","
			     "\"autoscaling.alpha.kubernetes.io/current-metrics\":\"x\","
			     "\"autoscaling.alpha.kubernetes.io/behavior\":\"[]\","
			     "\"autoscaling.alpha.kubernetes.io/conditions\":"
			     "\"[{\\\"status\\\":{}}]\"}},\"spec\":{" TARGET
			     ",\"maxReplicas\":5},\"status\":{"
			     "\"currentCPUUtilizationPercentage\":7}}"));

	assert_doc(a, doc_find(d, "metadata.annotations"), "{\"mine\":\"1\"}");
	assert_int_equal(doc_len(doc_find(d, "spec.metrics")), 1);
	assert_null(doc_find(d, "spec.behavior"));
	assert_null(doc_find(d, "status.conditions"));
	assert_doc(a, doc_find(d, "status.currentMetrics"),
		   "[{\"type\":\"Resource\",\"resource\":{\"name\":\"cpu\",\"current\":{"
		   "\"averageUtilization\":7}}}]");
}

/* A v2 object never has them: they are of another version. */
static void annotations_of_versions_are_not_kept(void **state)
{
	CLEANUP(api_fini_p) struct api *api = load(*state);
	const char *v1 = converted(*state, api, "autoscaling/v2", "autoscaling/v1",
				   "HorizontalPodAutoscaler",
				   "{\"kind\":\"HorizontalPodAutoscaler\",\"apiVersion\":"
				   "\"autoscaling/v2\",\"metadata\":{\"name\":\"x\","
				   "\"annotations\":{\"autoscaling.alpha.kubernetes.io/behavior\":"
				   "\"{}\"}},\"spec\":{" TARGET ",\"maxReplicas\":5}}");

	assert_null(strstr(v1, "autoscaling.alpha"));
}

/* Random objects: nothing is lost on the way through the other version. */
static void every_autoscaler_survives_v1(void **state)
{
	CLEANUP(api_fini_p) struct api *api = load(*state);
	const struct api_kind *v1 = api_kind(api, "autoscaling/v1", "HorizontalPodAutoscaler");
	const struct api_kind *v2 = api_kind(api, "autoscaling/v2", "HorizontalPodAutoscaler");

	for (uint64_t seed = 1; seed < 200; seed++) {
		CLEANUP(arena_free) struct arena *a = arena_new("kind", 64u << 20);
		struct doc d = make_kind(a, v1, seed), up, down;
		struct err err = ERR_INIT;

		if (!doc_find(&d, "spec.targetCPUUtilizationPercentage"))
			continue; /* the default of 80 is told then */
		assert_int_equal(codec_convert(v1, v2, &d, a, &up, &err), 0);
		assert_int_equal(codec_convert(v2, v1, &up, a, &down, &err), 0);
		doc_remove(doc_get(&down, "metadata"), "annotations");
		doc_remove(doc_get(&d, "metadata"), "annotations");
		assert_string_equal(written(a, &down, NULL), written(a, &d, NULL));
	}
}

/* ---- others ---- */

static void kinds_of_their_own_have_no_other_version(void **state)
{
	CLEANUP(api_fini_p) struct api *api = load(*state);
	const struct api_kind *pod = api_kind(api, "v1", "Pod");
	const struct doc *d = must_read(*state, "{\"kind\":\"Pod\"}");
	struct err err = ERR_INIT;
	struct doc same;

	assert_int_equal(codec_convert(pod, pod, d, *state, &same, &err), 0);
	assert_ptr_equal(same.kids, d->kids);
	assert_int_equal(
		codec_convert(pod, api_kind(api, "apps/v1", "Deployment"), d, *state, &same, &err),
		-ERR_UNSUPPORTED);
	assert_string_equal(err.msg, "kind 'Pod' of 'v1' has no form in 'apps/v1'");
}

static void a_custom_object_changes_its_version_only(void **state)
{
	static const struct api_group one = { .api_version = "e.com/v1" };
	static const struct api_group two = { .api_version = "e.com/v2" };
	static const struct api_custom none, *const custom = &none;
	const struct api_kind v1 = { .group = &one, .custom = custom };
	const struct api_kind v2 = { .group = &two, .custom = custom };
	struct err err = ERR_INIT;
	struct doc d;

	assert_int_equal(codec_convert(&v1, &v2,
				       must_read(*state, "{\"kind\":\"Foo\",\"apiVersion\":"
							 "\"e.com/v1\",\"spec\":{\"z\":0}}"),
				       *state, &d, &err),
			 0);
	assert_doc(*state, &d, "{\"kind\":\"Foo\",\"apiVersion\":\"e.com/v2\",\"spec\":{\"z\":0}}");
}

static void a_full_arena_is_told(void **state)
{
	CLEANUP(api_fini_p) struct api *api = load(*state);
	const struct api_kind *v1 = api_kind(api, "autoscaling/v1", "HorizontalPodAutoscaler");
	const struct api_kind *v2 = api_kind(api, "autoscaling/v2", "HorizontalPodAutoscaler");
	const struct doc *d = must_read(*state, EVERYTHING);
	struct err err = ERR_INIT;
	struct doc out;

	for (unsigned n = 1; n < 60; n += 3) {
		CLEANUP(arena_free) struct arena *small = arena_new("small", 1u << 20);

		arena_fail_at(small, n);
		assert_int_equal(codec_convert(v2, v1, d, small, &out, &err), -ERR_QUOTA);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		CASE(events_have_other_names),
		CASE(an_event_with_nothing_has_what_the_version_always_writes),
		CASE(cpu_is_a_field_of_v1),
		CASE(without_metrics_v1_means_cpu),
		CASE(what_v1_has_no_fields_for_goes_to_annotations),
		CASE(annotations_that_are_no_metrics_are_dropped),
		CASE(annotations_of_versions_are_not_kept),
		CASE(every_autoscaler_survives_v1),
		CASE(kinds_of_their_own_have_no_other_version),
		CASE(a_custom_object_changes_its_version_only),
		CASE(a_full_arena_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
