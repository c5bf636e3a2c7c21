/* SPDX-License-Identifier: Apache-2.0 */
/* Objects as they come in: canonical form, defaults of fields, strays, upstream's words. */
#include "../doc/doc-check.h"

#include "api/object.h"

static const struct api *api_of(struct arena *a)
{
	struct api *api = ARENA_NEW(a, struct api);
	struct err err = ERR_INIT;

	assert_non_null(api);
	assert_int_equal(api_load(a, api, &err), 0);
	return api;
}

/* The canonical text of an object, or the error's. */
static const char *admitted_with(struct arena *a, const char *gv, const char *kind, unsigned flags,
				 struct api_strays *strays, const char *text)
{
	struct api *api = (struct api *)(uintptr_t)api_of(a);
	const struct api_type *t = api_type(api, gv, kind);
	struct err err = ERR_INIT;
	struct doc out;
	int r = api_admit(t, must_read(a, text), a, flags, strays, &out, &err);

	api_fini(api);
	return r == 0 ? written(a, &out, NULL) : arena_strdup(a, err.msg);
}

#define admitted(a, gv, kind, text) admitted_with(a, gv, kind, 0, NULL, text)

static void zeros_go_and_structs_stay(void **state)
{
	struct arena *a = *state;

	assert_string_equal(
		admitted(a, "v1", "ConfigMap",
			 "{\"data\":{\"b\":\"1\",\"a\":\"\"},\"metadata\":{\"name\":\"x\","
			 "\"labels\":{},"
			 "\"generateName\":\"\",\"generation\":0,\"uid\":null},\"immutable\":false,"
			 "\"binaryData\":{},\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\"}"),
		"{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"x\"},"
		"\"immutable\":false,\"data\":{\"a\":\"\",\"b\":\"1\"}}");
	assert_string_equal(admitted_with(a, "v1", "Container", API_NO_DEFAULTS, NULL,
					  "{\"name\":\"c\",\"command\":[]}"),
			    "{\"name\":\"c\",\"resources\":{}}");
	assert_string_equal(
		admitted_with(a, "apps/v1", "DeploymentSpec", API_NO_DEFAULTS, NULL, "{}"),
		"{\"selector\":null,\"template\":{\"metadata\":{},\"spec\":{\"containers\":null}},"
		"\"strategy\":{}}");
	/* a pointer's zero is a value */
	assert_string_equal(admitted_with(a, "apps/v1", "ReplicaSetSpec", API_NO_DEFAULTS, NULL,
					  "{\"replicas\":0}"),
			    "{\"replicas\":0,\"selector\":null,\"template\":{\"metadata\":{},"
			    "\"spec\":{\"containers\":null}}}");
}

static void values_have_one_form(void **state)
{
	struct arena *a = *state;

	assert_string_equal(
		admitted(a, "v1", "ResourceRequirements",
			 "{\"limits\":{\"cpu\":0.5,\"memory\":\"1024Mi\"},\"requests\":{\"cpu\":"
			 "\"1000m\"}}"),
		"{\"limits\":{\"cpu\":\"500m\",\"memory\":\"1Gi\"},\"requests\":{\"cpu\":\"1\"}}");
	assert_string_equal(admitted(a, "v1", "ObjectMeta",
				     "{\"creationTimestamp\":\"2026-01-02T05:04:05.75+02:00\"}"),
			    "{\"creationTimestamp\":\"2026-01-02T03:04:05Z\"}");
	assert_string_equal(admitted(a, "coordination.k8s.io/v1", "LeaseSpec",
				     "{\"renewTime\":\"2026-01-02T05:04:05.75+02:00\"}"),
			    "{\"renewTime\":\"2026-01-02T03:04:05.750000Z\"}");
	assert_string_equal(admitted(a, "v1", "HTTPGetAction", "{\"port\":\"http\"}"),
			    "{\"path\":\"/\",\"port\":\"http\",\"scheme\":\"HTTP\"}");
	assert_string_equal(admitted_with(a, "v1", "HTTPGetAction", API_NO_DEFAULTS, NULL, "{}"),
			    "{\"port\":0}");
	assert_string_equal(admitted(a, "v1", "Secret", "{\"data\":{\"a\":\"YQ==\"}}"),
			    "{\"metadata\":{},\"data\":{\"a\":\"YQ==\"},\"type\":\"Opaque\"}");
	assert_string_equal(admitted(a, "v1", "ContainerPort", "{\"containerPort\":80}"),
			    "{\"containerPort\":80,\"protocol\":\"TCP\"}");
	assert_string_equal(admitted_with(a, "v1", "ContainerPort", API_NO_DEFAULTS, NULL,
					  "{\"containerPort\":80}"),
			    "{\"containerPort\":80}");
}

static void schemas_within_schemas(void **state)
{
	struct arena *a = *state;
	const char *text =
		"{\"type\":\"object\",\"items\":{\"type\":\"x\"},"
		"\"properties\":{\"a\":{\"default\":null}},\"additionalProperties\":false}";

	assert_string_equal(
		admitted(a, "apiextensions.k8s.io/v1", "JSONSchemaProps", text),
		"{\"type\":\"object\",\"items\":{\"type\":\"x\"},\"properties\":{\"a\":{}},"
		"\"additionalProperties\":false}");
	assert_non_null(strstr(admitted(a, "apiextensions.k8s.io/v1", "JSONSchemaProps",
					"{\"additionalProperties\":3}"),
			       "json: cannot unmarshal number into Go struct field "));
}

static void strays_are_told(void **state)
{
	struct arena *a = *state;
	struct api_strays s = { 0 };

	assert_string_equal(admitted_with(a, "v1", "PodSpec", API_NO_DEFAULTS, &s,
					  "{\"foo\":1,\"containers\":[{\"name\":\"a\"},{\"name\":"
					  "\"b\",\"Image\":\"x\"}]}"),
			    "{\"containers\":[{\"name\":\"a\",\"resources\":{}},{\"name\":\"b\","
			    "\"resources\":{}}]}");
	assert_int_equal(s.n, 2);
	assert_string_equal(s.v[0], "unknown field \"foo\"");
	assert_string_equal(s.v[1], "unknown field \"containers[1].Image\"");
}

static void what_does_not_fit_is_told_in_upstreams_words(void **state)
{
	struct arena *a = *state;

	assert_string_equal(admitted(a, "apps/v1", "Deployment", "{\"spec\":{\"replicas\":\"x\"}}"),
			    "json: cannot unmarshal string into Go struct field "
			    "DeploymentSpec.spec.replicas of type int32");
	assert_string_equal(
		admitted(a, "v1", "Pod",
			 "{\"spec\":{\"containers\":[{\"env\":[{\"name\":\"a\",\"value\":1}]}]}}"),
		"json: cannot unmarshal number into Go struct field "
		"EnvVar.spec.containers.env.value of type string");
	assert_string_equal(admitted(a, "v1", "Pod", "{\"metadata\":{\"labels\":[]}}"),
			    "json: cannot unmarshal array into Go struct field "
			    "ObjectMeta.metadata.labels of type map[string]string");
	assert_string_equal(admitted(a, "v1", "Pod", "{\"spec\":{\"priority\":1.5}}"),
			    "json: cannot unmarshal number 1.5 into Go struct field "
			    "PodSpec.spec.priority of type int32");
	assert_string_equal(admitted(a, "v1", "Pod", "{\"spec\":{\"priority\":3000000000}}"),
			    "json: cannot unmarshal number 3000000000 into Go struct field "
			    "PodSpec.spec.priority of type int32");
	assert_string_equal(admitted(a, "v1", "Pod", "{\"spec\":{\"containers\":{}}}"),
			    "json: cannot unmarshal object into Go struct field "
			    "PodSpec.spec.containers of type []v1.Container");
	assert_non_null(
		strstr(admitted(a, "v1", "ResourceRequirements", "{\"limits\":{\"cpu\":\"x\"}}"),
		       "quantities must match the regular expression"));
	assert_string_equal(admitted(a, "v1", "Secret", "{\"data\":{\"a\":\"Y\"}}"),
			    "illegal base64 data at input byte 0");
	assert_non_null(strstr(admitted(a, "v1", "ObjectMeta", "{\"creationTimestamp\":\"x\"}"),
			       "parsing time \"x\" as \"2006-01-02T15:04:05Z07:00\""));
}

static void parts_stay_parts(void **state)
{
	struct arena *a = *state;

	assert_string_equal(
		admitted_with(a, "apps/v1", "Deployment", API_PARTIAL, NULL,
			      "{\"spec\":{\"template\":{\"spec\":{\"containers\":[],"
			      "\"hostname\":null,\"nodeName\":\"\"}}}}"),
		"{\"spec\":{\"template\":{\"spec\":{\"containers\":[],\"nodeName\":\"\","
		"\"hostname\":null}}}}");
}

/* What defaults make of an object, as a part of the whole. */
static void gives(struct arena *a, const char *gv, const char *kind, const char *text,
		  const char *path, const char *want)
{
	const char *all = admitted(a, gv, kind, text);
	struct doc *d = must_read(a, all);

	if (!doc_find(d, path))
		print_error("no %s in %s\n", path, all);
	assert_non_null(doc_find(d, path));
	assert_doc(a, doc_find(d, path), want);
}

static void defaults_follow_from_other_fields(void **state)
{
	struct arena *a = *state;
	const char *two =
		"{\"spec\":{\"containers\":[{\"name\":\"a\",\"image\":\"x:1\",\"ports\":[{"
		"\"containerPort\":80}],\"resources\":{\"limits\":{\"cpu\":\"1\"}}},{\"name\":"
		"\"b\",\"image\":\"h:5/x\"}],\"volumes\":[{\"name\":\"v\"}],\"hostNetwork\":true}}";

	gives(a, "v1", "Pod", two, "spec.containers.0.imagePullPolicy", "\"IfNotPresent\"");
	gives(a, "v1", "Pod", two, "spec.containers.1.imagePullPolicy", "\"Always\"");
	gives(a, "v1", "Pod", two, "spec.containers.0.resources.requests", "{\"cpu\":\"1\"}");
	gives(a, "v1", "Pod", two, "spec.containers.0.ports.0.hostPort", "80");
	gives(a, "v1", "Pod", two, "spec.volumes.0", "{\"name\":\"v\",\"emptyDir\":{}}");
	gives(a, "v1", "Pod", two, "spec.enableServiceLinks", "true");
	gives(a, "v1", "Pod", two, "spec.securityContext", "{}");
	gives(a, "v1", "Service",
	      "{\"spec\":{\"type\":\"NodePort\",\"ports\":[{\"port\":80},{\"port\":81,"
	      "\"targetPort\":\"x\"}]}}",
	      "spec",
	      "{\"ports\":[{\"protocol\":\"TCP\",\"port\":80,\"targetPort\":80},{\"protocol\":"
	      "\"TCP\","
	      "\"port\":81,\"targetPort\":\"x\"}],\"type\":\"NodePort\",\"sessionAffinity\":"
	      "\"None\","
	      "\"externalTrafficPolicy\":\"Cluster\",\"internalTrafficPolicy\":\"Cluster\"}");
	gives(a, "v1", "Namespace", "{\"metadata\":{\"name\":\"n\"}}", "metadata",
	      "{\"name\":\"n\",\"labels\":{\"kubernetes.io/metadata.name\":\"n\"}}");
	gives(a, "v1", "LimitRange",
	      "{\"spec\":{\"limits\":[{\"type\":\"Container\",\"max\":{\"cpu\":2},\"min\":{"
	      "\"memory\":\"1Mi\"}}]}}",
	      "spec.limits.0.defaultRequest", "{\"cpu\":\"2\",\"memory\":\"1Mi\"}");
	gives(a, "apps/v1", "Deployment", "{}", "spec.strategy",
	      "{\"type\":\"RollingUpdate\",\"rollingUpdate\":{\"maxUnavailable\":\"25%\","
	      "\"maxSurge\":\"25%\"}}");
	gives(a, "apps/v1", "StatefulSet", "{}", "spec.updateStrategy",
	      "{\"type\":\"RollingUpdate\",\"rollingUpdate\":{\"partition\":0}}");
	gives(a, "apps/v1", "StatefulSet",
	      "{\"spec\":{\"volumeClaimTemplates\":[{\"metadata\":{\"name\":\"c\"}}]}}",
	      "spec.volumeClaimTemplates.0",
	      "{\"kind\":\"PersistentVolumeClaim\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":"
	      "\"c\"},\"spec\":{\"resources\":{},\"volumeMode\":\"Filesystem\"},\"status\":{"
	      "\"phase\":\"Pending\"}}");
	gives(a, "v1", "PersistentVolume", "{}", "spec",
	      "{\"persistentVolumeReclaimPolicy\":\"Retain\",\"volumeMode\":\"Filesystem\"}");
	gives(a, "storage.k8s.io/v1", "VolumeAttachment",
	      "{\"spec\":{\"source\":{\"inlineVolumeSpec\":{}}}}", "spec.source.inlineVolumeSpec",
	      "{}");
	gives(a, "storage.k8s.io/v1", "CSIDriver", "{}", "spec.seLinuxMount", "false");
	gives(a, "authentication.k8s.io/v1", "TokenRequest", "{}", "spec.expirationSeconds",
	      "3600");
	gives(a, "batch/v1", "Job",
	      "{\"spec\":{\"template\":{\"metadata\":{\"labels\":{\"a\":\"b\"}}}}}",
	      "metadata.labels", "{\"a\":\"b\"}");
	gives(a, "batch/v1", "Job", "{\"spec\":{\"completions\":3}}", "spec.parallelism", "1");
	gives(a, "autoscaling/v2", "HorizontalPodAutoscaler", "{\"spec\":{\"behavior\":{}}}",
	      "spec.behavior.scaleDown",
	      "{\"selectPolicy\":\"Max\",\"policies\":[{\"type\":\"Percent\",\"value\":100,"
	      "\"periodSeconds\":15}]}");
	gives(a, "networking.k8s.io/v1", "NetworkPolicy", "{\"spec\":{\"egress\":[{}]}}",
	      "spec.policyTypes", "[\"Ingress\",\"Egress\"]");
	gives(a, "rbac.authorization.k8s.io/v1", "RoleBinding",
	      "{\"subjects\":[{\"kind\":\"User\",\"name\":\"u\"}]}", "subjects.0.apiGroup",
	      "\"rbac.authorization.k8s.io\"");
	gives(a, "apiextensions.k8s.io/v1", "CustomResourceDefinition",
	      "{\"spec\":{\"names\":{\"kind\":\"FooBar\"},\"versions\":[{\"name\":\"v1\","
	      "\"storage\":true}]}}",
	      "spec.names",
	      "{\"plural\":\"\",\"singular\":\"foobar\",\"kind\":\"FooBar\",\"listKind\":"
	      "\"FooBarList\"}");
}

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void policies_follow_from_tags(void **state)
{
	static const char *const latest[] = {
		"x",
		"x:latest",
		"a/b/c",
		"a__b-c--d.e_f",
		"h:5/x",
		"localhost/x",
		"Host/x",
		"h.example:5/a/x:latest",
		"[fe80::1]/x",
		"[::1]:5/x",
		("x:latest@sha256:" HEX64),
	};
	/* other tags, digests, and what is no name */
	static const char *const others[] = {
		"x:1",
		"h:5/x:Latest",
		("x@sha256:" HEX64),
		("x:1@sha256:" HEX64),
		"",
		HEX64,
		"X",
		"a/X",
		"a//b",
		"/x",
		"x/",
		"x:",
		"x:.a",
		"a..b",
		"a___b",
		"-a",
		"a-",
		"h-:5/x",
		"h:p/x",
		"h:/x",
		"[::1/x",
		"[]/x",
		"x@",
		"x:latest@sha256:0",
		("x:latest@md5:" HEX64),
		"x y",
	};
	struct arena *a = *state;

	for (size_t i = 0; i < ARRAY_LEN(latest); i++)
		gives(a, "v1", "Container", arena_printf(a, "{\"image\":\"%s\"}", latest[i]),
		      "imagePullPolicy", "\"Always\"");
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		gives(a, "v1", "Container", arena_printf(a, "{\"image\":\"%s\"}", others[i]),
		      "imagePullPolicy", "\"IfNotPresent\"");
}

static void amounts_have_no_more_than_thousandths(void **state)
{
	struct arena *a = *state;
	const char *pod = "{\"spec\":{\"containers\":[{\"resources\":{\"limits\":{\"cpu\":"
			  "\"100u\",\"memory\":\"1.5Ki\"}}}],\"overhead\":{\"cpu\":\"1100u\"}}}";

	gives(a, "v1", "Pod", pod, "spec.containers.0.resources",
	      "{\"limits\":{\"cpu\":\"1m\",\"memory\":\"1536\"},\"requests\":{\"cpu\":\"1m\","
	      "\"memory\":\"1536\"}}");
	gives(a, "v1", "Pod", pod, "spec.overhead", "{\"cpu\":\"2m\"}");
	gives(a, "v1", "LimitRange",
	      "{\"spec\":{\"limits\":[{\"type\":\"Container\",\"max\":{\"cpu\":\"1n\"}}]}}",
	      "spec.limits.0.default", "{\"cpu\":\"1m\"}");
	gives(a, "v1", "Node", "{\"status\":{\"capacity\":{\"cpu\":\"1.0001\"}}}",
	      "status.allocatable", "{\"cpu\":\"1001m\"}");
	gives(a, "node.k8s.io/v1", "RuntimeClass", "{\"overhead\":{\"podFixed\":{\"cpu\":\"1u\"}}}",
	      "overhead.podFixed", "{\"cpu\":\"1m\"}");
	/* devices' own are another sort */
	gives(a, "resource.k8s.io/v1", "CapacityRequirements", "{\"requests\":{\"x\":\"1u\"}}",
	      "requests", "{\"x\":\"1u\"}");
}

static void maps_stand_by_their_keys(void **state)
{
	struct arena *a = *state;

	gives(a, "v1", "ConfigMap",
	      "{\"data\":{\"b\":\"1\",\"a.b\":\"2\",\"a\":\"3\",\"B\":\"4\"}}", "data",
	      "{\"B\":\"4\",\"a\":\"3\",\"a.b\":\"2\",\"b\":\"1\"}");
	gives(a, "v1", "ResourceRequirements", "{\"limits\":{\"memory\":1,\"cpu\":2}}", "limits",
	      "{\"cpu\":\"2\",\"memory\":\"1\"}");
	gives(a, "v1", "Namespace",
	      "{\"metadata\":{\"name\":\"n\",\"labels\":{\"z\":\"1\",\"a\":\"2\"}}}",
	      "metadata.labels", "{\"a\":\"2\",\"kubernetes.io/metadata.name\":\"n\",\"z\":\"1\"}");
	/* what is limited and not asked for comes to its place */
	gives(a, "v1", "Pod",
	      "{\"spec\":{\"containers\":[{\"name\":\"a\",\"resources\":{\"requests\":{\"memory\":"
	      "1},\"limits\":{\"cpu\":2}}}]}}",
	      "spec.containers.0.resources.requests", "{\"cpu\":\"2\",\"memory\":\"1\"}");
	/* parts of objects stay as they were sent, and so does JSON of any kind */
	assert_string_equal(admitted_with(a, "v1", "ConfigMap", API_PARTIAL, NULL,
					  "{\"data\":{\"b\":\"1\",\"a\":null}}"),
			    "{\"data\":{\"b\":\"1\",\"a\":null}}");
	gives(a, "apps/v1", "ControllerRevision", "{\"data\":{\"b\":1,\"a\":2}}", "data",
	      "{\"b\":1,\"a\":2}");
}

static void nulls_in_maps_and_lists_are_zeros(void **state)
{
	struct arena *a = *state;

	gives(a, "v1", "ResourceRequirements", "{\"limits\":{\"cpu\":null}}", "limits",
	      "{\"cpu\":\"0\"}");
	gives(a, "v1", "ConfigMap", "{\"data\":{\"a\":null}}", "data", "{\"a\":\"\"}");
	gives(a, "v1", "Secret", "{\"data\":{\"a\":null}}", "data", "{\"a\":\"\"}");
	gives(a, "v1", "SecurityContext", "{\"capabilities\":{\"add\":[\"A\",null]}}",
	      "capabilities.add", "[\"A\",\"\"]");
	gives(a, "v1", "PodSecurityContext", "{\"supplementalGroups\":[5,null]}",
	      "supplementalGroups", "[5,0]");
	gives(a, "v1", "PodSpec", "{\"containers\":[null]}", "containers.0.name", "\"\"");
	gives(a, "authorization.k8s.io/v1", "SubjectAccessReview",
	      "{\"spec\":{\"extra\":{\"a\":null,\"b\":[\"x\"]}}}", "spec.extra",
	      "{\"a\":[],\"b\":[\"x\"]}");
}

static void zero_defaults_are_not_written_where_zeros_are_not(void **state)
{
	struct arena *a = *state;

	assert_string_equal(admitted(a, "v1", "LocalObjectReference", "{}"), "{}");
	assert_string_equal(admitted(a, "v1", "LocalObjectReference", "{\"name\":\"\"}"), "{}");
	assert_string_equal(admitted(a, "autoscaling/v1", "ScaleSpec", "{\"replicas\":0}"), "{}");
	assert_string_equal(
		admitted(a, "v1", "ReplicationControllerSpec", "{\"minReadySeconds\":0}"),
		"{\"replicas\":1}");
	assert_string_equal(
		admitted(a, "v1", "ContainerPort", "{\"hostPort\":0,\"containerPort\":0}"),
		"{\"containerPort\":0,\"protocol\":\"TCP\"}");
	/* behind a pointer they are */
	assert_string_equal(admitted(a, "apps/v1", "RollingUpdateStatefulSetStrategy", "{}"),
			    "{\"partition\":0}");
}

static void old_fields_go_with_those_of_today(void **state)
{
	struct arena *a = *state;

	gives(a, "v1", "PodSpec", "{\"serviceAccountName\":\"a\",\"serviceAccount\":\"b\"}",
	      "serviceAccount", "\"a\"");
	gives(a, "v1", "PodSpec", "{\"serviceAccount\":\"b\"}", "serviceAccountName", "\"b\"");
	gives(a, "v1", "PodStatus", "{\"podIP\":\"1.2.3.4\"}", "podIPs", "[{\"ip\":\"1.2.3.4\"}]");
	gives(a, "v1", "PodStatus", "{\"podIPs\":[{\"ip\":\"1.2.3.4\"},{\"ip\":\"::1\"}]}", "podIP",
	      "\"1.2.3.4\"");
	gives(a, "v1", "PodStatus", "{\"podIP\":\"1.1.1.1\",\"podIPs\":[{\"ip\":\"1.2.3.4\"}]}",
	      "podIPs", "[{\"ip\":\"1.1.1.1\"}]");
	gives(a, "v1", "NodeSpec", "{\"podCIDR\":\"10.0.0.0/24\"}", "podCIDRs",
	      "[\"10.0.0.0/24\"]");
	gives(a, "v1", "NodeSpec", "{\"podCIDRs\":[\"10.0.0.0/24\",\"fd::/64\"]}", "podCIDR",
	      "\"10.0.0.0/24\"");
	assert_string_equal(admitted(a, "v1", "NodeSpec", "{}"), "{}");
	assert_string_equal(admitted(a, "v1", "Secret",
				     "{\"stringData\":{\"c\":\"x\",\"a\":\"y\"},"
				     "\"data\":{\"b\":\"YQ==\",\"a\":\"YQ==\"}}"),
			    "{\"metadata\":{},\"data\":{\"a\":\"eQ==\",\"b\":\"YQ==\",\"c\":"
			    "\"eA==\"},\"type\":\"Opaque\"}");
	assert_string_equal(admitted(a, "v1", "Secret", "{\"stringData\":{\"a\":\"\"}}"),
			    "{\"metadata\":{},\"data\":{\"a\":\"\"},\"type\":\"Opaque\"}");
}

static void what_is_canonical_stays(void **state)
{
	struct arena *a = *state;
	CLEANUP(api_fini) struct api api;
	struct err err = ERR_INIT;

	assert_int_equal(api_load(a, &api, &err), 0);
	for (size_t i = 0; i < api.nkinds; i++) {
		const struct api_kind *k = &api.kinds[i];
		const char *once = admitted(a, k->group->api_version, k->kind, "{}");

		assert_string_equal(admitted(a, k->group->api_version, k->kind, once), once);
	}
}

/* What a default adds deep in an object stands in its place. */
static void defaults_stand_in_their_places(void **state)
{
	struct arena *a = *state;
	const char *pod = "{\"spec\":{\"hostNetwork\":true,\"containers\":[{\"ports\":[{"
			  "\"containerPort\":1}],\"resources\":{\"limits\":{\"cpu\":\"1\"},"
			  "\"claims\":[{\"name\":\"c\"}]}}],\"resources\":{\"requests\":{"
			  "\"cpu\":\"1\"}}}}";
	const char *service = "{\"spec\":{\"type\":\"LoadBalancer\"},\"status\":{\"loadBalancer\":{"
			      "\"ingress\":[{\"ip\":\"::1\",\"ports\":[{\"port\":1}]}]}}}";
	const char *once = admitted(a, "v1", "Pod", pod);

	assert_string_equal(admitted(a, "v1", "Pod", once), once);
	assert_non_null(strstr(once, "{\"hostPort\":1,\"containerPort\":1,"));
	once = admitted(a, "v1", "Service", service);
	assert_string_equal(admitted(a, "v1", "Service", once), once);
	assert_non_null(strstr(once, "\"ipMode\":\"VIP\",\"ports\""));
}

static void depth_is_bounded(void **state)
{
	struct arena *a = *state;
	CLEANUP(buf_fini) struct buf text = BUF_INIT(1 << 16);

	for (int i = 0; i < 200; i++)
		assert_int_equal(buf_adds(&text, "{\"not\":"), 0);
	assert_int_equal(buf_adds(&text, "{}"), 0);
	for (int i = 0; i < 200; i++)
		assert_int_equal(buf_addc(&text, '}'), 0);
	assert_string_equal(admitted(a, "apiextensions.k8s.io/v1", "JSONSchemaProps", text.p),
			    "exceeded max depth");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(zeros_go_and_structs_stay),
		CASE(values_have_one_form),
		CASE(schemas_within_schemas),
		CASE(strays_are_told),
		CASE(what_does_not_fit_is_told_in_upstreams_words),
		CASE(parts_stay_parts),
		CASE(defaults_follow_from_other_fields),
		CASE(policies_follow_from_tags),
		CASE(amounts_have_no_more_than_thousandths),
		CASE(maps_stand_by_their_keys),
		CASE(nulls_in_maps_and_lists_are_zeros),
		CASE(zero_defaults_are_not_written_where_zeros_are_not),
		CASE(old_fields_go_with_those_of_today),
		CASE(what_is_canonical_stays),
		CASE(defaults_stand_in_their_places),
		CASE(depth_is_bounded),
	};

	return cmocka_run_group_tests_name("api object", tests, NULL, NULL);
}
