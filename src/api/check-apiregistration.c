/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of apiregistration.k8s.io/v1. */
#include "api/check-parts.h"

static const struct path in_spec = PATH(NULL, "spec");

/* metadata.name is "version.group". */
static void check_service_name(struct check *c, const struct doc *obj)
{
	const struct path meta = PATH(NULL, "metadata");
	const struct slice name = doc_slice(doc_find(obj, "metadata.name")),
			   version = doc_slice(doc_find(obj, "spec.version")),
			   group = doc_slice(doc_find(obj, "spec.group"));
	bool fits = name.n == version.n + 1 + group.n && slice_starts(name, version) && name.p &&
		    name.p[version.n] == '.' && slice_ends(name, group);

	if (name.n && !form_path_segment(name) && !fits)
		part_invalid(c, &meta, doc_get(obj, "metadata"), "name",
			     "must be `spec.version+\".\"+spec.group`: \"%.*s.%.*s\"",
			     (int)version.n, version.p, (int)group.n, group.p);
}

static void check_backing(struct check *c, const struct doc *spec)
{
	const struct path at = PATH(&in_spec, "service"), bundle = PATH(&in_spec, "caBundle");
	const struct doc *service = doc_get(spec, "service");
	bool trusts = doc_true(doc_get(spec, "insecureSkipTLSVerify"));
	int64_t port = part_number(service, "port");

	if (!service) {
		if (part_full(spec, "caBundle"))
			check_invalid_text(c, &bundle, SLICE("<bytes>"),
					   "local APIServices may not have a caBundle");
		if (trusts)
			part_invalid(c, &in_spec, spec, "insecureSkipTLSVerify",
				     "local APIServices may not have insecureSkipTLSVerify");
		return;
	}
	if (!part_full(service, "namespace"))
		part_required(c, &at, "namespace", "");
	if (!part_full(service, "name"))
		part_required(c, &at, "name", "");
	if (port < 1 || port > 65535)
		part_bad_number(c, &at, service, "port",
				"port is not valid: must be between 1 and 65535, inclusive");
	if (trusts && part_full(spec, "caBundle"))
		part_invalid(c, &in_spec, spec, "insecureSkipTLSVerify",
			     "may not be true if caBundle is present");
}

static void check_service_status(struct check *c, const struct doc *obj)
{
	static const char *const states[] = { "True", "False", "Unknown", NULL };
	const struct path status = PATH(NULL, "status"), at = PATH(&status, "conditions");
	const struct doc *list = doc_find(obj, "status.conditions");

	for (size_t i = 0; i < doc_len(list); i++) {
		const struct path one = PATH_INDEX(&at, i);

		part_one_of(c, &one, doc_at(list, i), "status", states, false);
	}
}

static void check_api_service(struct check *c, const struct doc *obj, const char *sub)
{
	const struct doc *spec = doc_get(obj, "spec");
	int64_t group = part_number(spec, "groupPriorityMinimum"),
		version = part_number(spec, "versionPriority");

	if (strcmp(sub, "status") == 0) {
		check_service_status(c, obj);
		return;
	}
	check_service_name(c, obj);
	if (!part_full(spec, "group") && !doc_str_is(doc_get(spec, "version"), "v1"))
		part_required(c, &in_spec, "group",
			      "only v1 may have an empty group and it better be legacy kube");
	part_optional(c, &in_spec, spec, "group", form_dns_subdomain);
	part_form(c, &in_spec, spec, "version", form_dns1035_label);
	if (group <= 0 || group > 20000)
		part_bad_number(c, &in_spec, spec, "groupPriorityMinimum",
				"must be positive and less than 20000");
	if (version <= 0 || version > 1000)
		part_bad_number(c, &in_spec, spec, "versionPriority",
				"must be positive and less than 1000");
	check_backing(c, spec);
}

const struct check_kind check_apiregistration[] = {
	{ "apiregistration.k8s.io", "APIService", check_api_service, form_path_segment },
	{ NULL, NULL, NULL, NULL },
};
