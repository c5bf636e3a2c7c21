/* SPDX-License-Identifier: Apache-2.0 */
/* Validation: what is told of an object, of an update; forms of names. */
#include "../doc/doc-check.h"

#include "api/check.h"
#include "api/object.h"

static struct doc canonical(struct arena *a, const struct api *api, const char *gv,
			    const char *kind, const char *text)
{
	struct err err = ERR_INIT;
	struct doc d;

	assert_int_equal(
		api_admit(api_kind(api, gv, kind)->type, must_read(a, text), a, 0, NULL, &d, &err),
		0);
	return d;
}

/* What is wrong with an object (after an old one, when there is one); "" = nothing. */
static const char *checked(struct arena *a, const char *gv, const char *kind, const char *text,
			   const char *old)
{
	CLEANUP(api_fini) struct api api;
	struct err err = ERR_INIT;
	struct doc d, before;

	assert_int_equal(api_load(a, &api, &err), 0);
	d = canonical(a, &api, gv, kind, text);
	if (old)
		before = canonical(a, &api, gv, kind, old);
	if (api_check(&api, api_kind(&api, gv, kind), "", &d, old ? &before : NULL, a, &err) == 0)
		return "";
	return arena_strdup(a, err.msg);
}

#define META(more) "{\"metadata\":{\"name\":\"x\",\"namespace\":\"n\"" more

static void metadata_is_checked(void **state)
{
	struct arena *a = *state;

	assert_string_equal(checked(a, "v1", "ConfigMap", META("}}"), NULL), "");
	assert_string_equal(
		checked(a, "v1", "ConfigMap", "{\"metadata\":{\"namespace\":\"n\"}}", NULL),
		"ConfigMap \"\" is invalid: metadata.name: Required value: name or "
		"generateName is required");
	assert_non_null(
		strstr(checked(a, "v1", "ConfigMap",
			       "{\"metadata\":{\"name\":\"A\",\"namespace\":\"n\"}}", NULL),
		       "metadata.name: Invalid value: \"A\": a lowercase RFC 1123 subdomain"));
	assert_string_equal(checked(a, "v1", "ConfigMap", "{\"metadata\":{\"name\":\"x\"}}", NULL),
			    "ConfigMap \"x\" is invalid: metadata.namespace: Required value");
	assert_string_equal(
		checked(a, "rbac.authorization.k8s.io/v1", "ClusterRole", META("}}"), NULL),
		"ClusterRole.rbac.authorization.k8s.io \"x\" is invalid: metadata.namespace: "
		"Forbidden: not allowed on this type");
	assert_non_null(
		strstr(checked(a, "v1", "ConfigMap",
			       META(",\"labels\":{\"a/b/c\":\"x\",\"ok\":\"no!\"}}}"), NULL),
		       "is invalid: [metadata.labels: Invalid value: \"a/b/c\": name part"));
	assert_non_null(
		strstr(checked(a, "v1", "ConfigMap",
			       META(",\"finalizers\":[\"orphan\",\"foregroundDeletion\"]}}"), NULL),
		       "metadata.finalizers: Invalid value: [\"orphan\",\"foregroundDeletion\"]: "
		       "finalizer orphan and foregroundDeletion cannot be both set"));
	assert_non_null(
		strstr(checked(a, "v1", "ConfigMap",
			       META(",\"ownerReferences\":[{\"apiVersion\":\"v1\",\"kind\":\"\","
				    "\"name\":\"a\",\"uid\":\"u\"}]}}"),
			       NULL),
		       "metadata.ownerReferences.kind: Invalid value: \"\": must not be empty"));
}

static void an_update_keeps_what_is_fixed(void **state)
{
	struct arena *a = *state;
	const char *old = META(",\"resourceVersion\":\"1\",\"uid\":\"u\"}}");

	assert_string_equal(checked(a, "v1", "ConfigMap", old, old), "");
	assert_string_equal(
		checked(a, "v1", "ConfigMap", META(",\"resourceVersion\":\"1\",\"uid\":\"w\"}}"),
			old),
		"ConfigMap \"x\" is invalid: metadata.uid: Invalid value: \"w\": field is "
		"immutable");
	assert_string_equal(checked(a, "v1", "ConfigMap", META(",\"uid\":\"u\"}}"), old),
			    "ConfigMap \"x\" is invalid: metadata.resourceVersion: Invalid value: "
			    "\"\": must be specified for an update");
	assert_string_equal(checked(a, "v1", "ConfigMap",
				    META(",\"resourceVersion\":\"1\",\"uid\":\"u\"},\"immutable\":"
					 "true,\"data\":{\"a\":\"2\"}}"),
				    META(",\"resourceVersion\":\"1\",\"uid\":\"u\"},\"immutable\":"
					 "true,\"data\":{\"a\":\"1\"}}")),
			    "ConfigMap \"x\" is invalid: data: Forbidden: field is immutable when "
			    "`immutable` is "
			    "set");
}

static void values_of_lists_are_checked(void **state)
{
	struct arena *a = *state;

	assert_non_null(strstr(
		checked(a, "v1", "Pod",
			META("},\"spec\":{\"dnsPolicy\":\"x\",\"containers\":[{\"name\":\"c\","
			     "\"imagePullPolicy\":\"Sometimes\"}]}}"),
			NULL),
		"spec.containers[0].imagePullPolicy: Unsupported value: \"Sometimes\": "
		"supported values: \"Always\", \"IfNotPresent\", \"Never\""));
}

static void secrets_hold_what_their_type_asks(void **state)
{
	struct arena *a = *state;

	assert_string_equal(
		checked(a, "v1", "Secret", META("},\"data\":{\"a b\":\"\"}}"), NULL),
		"Secret \"x\" is invalid: data[a b]: Invalid value: \"a b\": a valid config "
		"key has letters, digits, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME', "
		" or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')");
	assert_string_equal(
		checked(a, "v1", "Secret", META("},\"type\":\"kubernetes.io/tls\"}"), NULL),
		"Secret \"x\" is invalid: [data[tls.crt]: Required value, data[tls.key]: Required "
		"value]");
}

static void names_have_forms(void **state)
{
	(void)state;
	assert_null(form_dns_label(SLICE("a-1")));
	assert_non_null(form_dns_label(SLICE("-a")));
	assert_string_equal(form_dns_label(SLICE("a.b")), "must not contain dots");
	assert_null(form_dns_subdomain(SLICE("a.b-c.d")));
	assert_non_null(form_dns_subdomain(SLICE("a..b")));
	assert_non_null(form_dns_subdomain(SLICE("")));
	assert_non_null(form_dns1035_label(SLICE("1a")));
	assert_null(form_qualified_name(SLICE("example.com/My.Name")));
	assert_string_equal(form_qualified_name(SLICE("/x")), "prefix part must be non-empty");
	assert_string_equal(form_qualified_name(SLICE("x/")), "name part must be non-empty");
	assert_null(form_label_value(SLICE("")));
	assert_non_null(form_label_value(SLICE("-x")));
	assert_string_equal(form_path_segment(SLICE("..")), "may not be '..'");
	assert_string_equal(form_path_segment(SLICE("a/b")), "may not contain '/'");
	assert_null(form_env_name(SLICE("A.B-c d")));
	assert_non_null(form_env_name(SLICE("A=B")));
	assert_string_equal(form_config_key(SLICE("..a")), "must not start with '..'");
	assert_null(form_port_name(SLICE("http-2")));
	assert_string_equal(form_port_name(SLICE("80")), "must contain at least one letter (a-z)");
	assert_string_equal(form_port_name(SLICE("a--b")), "must not contain consecutive hyphens");
	assert_null(form_ip(SLICE("fd00::1")));
	assert_non_null(form_cidr(SLICE("10.0.0.0")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(metadata_is_checked),
		CASE(an_update_keeps_what_is_fixed),
		CASE(values_of_lists_are_checked),
		CASE(secrets_hold_what_their_type_asks),
		CASE(names_have_forms),
	};

	return cmocka_run_group_tests_name("api check", tests, NULL, NULL);
}
