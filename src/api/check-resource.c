/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of resource.k8s.io/v1: claims of devices, classes, slices. Selectors in CEL are looked at
 * for being there. */
#include "api/check-parts.h"
#include "api/check-pod.h"

#define REQUESTS_MAX 32
#define CONSTRAINTS_MAX 32
#define CONFIGS_MAX 32
#define SELECTORS_MAX 32
#define ALTERNATIVES_MAX 8
#define EXPRESSION_MAX 10240
#define PARAMETERS_MAX 10240
#define USERS_MAX 256
#define RESULTS_MAX 32
#define DEVICES_MAX 128
#define DEVICES_RICH_MAX 64
#define COUNTER_SETS_MAX 8
#define ATTRIBUTES_MAX 32
#define TAINTS_MAX 16
#define VALUE_MAX 64
#define ID_MAX 32
#define BINDINGS_MAX 4

static const struct path in_spec = PATH(NULL, "spec");

typedef void check_element(struct check *c, const struct path *p, const struct doc *d);

/* Each element of p.field, when there are not too many. */
static void check_each(struct check *c, const struct path *p, const struct doc *obj,
		       const char *field, size_t max, check_element *f)
{
	const struct path at = PATH(p, field);
	const struct doc *list = doc_get(obj, field);

	if (doc_len(list) > max) {
		check_too_many(c, &at, doc_len(list), max);
		return;
	}
	for (size_t i = 0; i < doc_len(list); i++) {
		const struct path one = PATH_INDEX(&at, i);

		f(c, &one, doc_at(list, i));
	}
}

/* Elements whose `key` another one has -> Duplicate at the element. */
static void check_keys(struct check *c, const struct path *p, const struct doc *obj,
		       const char *field, const char *key)
{
	const struct path at = PATH(p, field);
	const struct doc *list = doc_get(obj, field);

	for (size_t i = 1; i < doc_len(list); i++)
		for (size_t j = 0; j < i; j++)
			if (part_same(doc_at(list, i), doc_at(list, j), key)) {
				const struct path one = PATH_INDEX(&at, i);

				check_duplicate(c, &one, doc_get(doc_at(list, i), key));
				break;
			}
}

static const char *form_identifier(struct slice s)
{
	return schema_format_ok(FORMAT_C_IDENTIFIER, s)
		       ? NULL
		       : "a valid C identifier begins with a letter or '_', followed by letters, "
			 "digits or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName', regex used "
			 "for validation is '[A-Za-z_][A-Za-z0-9_]*')";
}

/* [domain/]identifier */
static void check_attribute_name(struct check *c, const struct path *p, struct slice name,
				 bool full)
{
	struct slice id = name, domain = { 0 };

	if (name.n && memchr(name.p, '/', name.n)) {
		domain = slice_split(&id, '/');
		if (domain.n == 0)
			check_invalid_text(c, p, SLICE(""), "the domain must not be empty");
		else if (form_csi_driver(domain))
			check_invalid_text(c, p, domain, "%s", form_csi_driver(domain));
		if (domain.n > 63)
			check_too_long(c, p, 63);
	} else if (full) {
		check_invalid_text(c, p, name,
				   "a fully qualified name must be a domain and a name separated "
				   "by a slash");
	}
	if (domain.p && id.n == 0)
		check_invalid_text(c, p, SLICE(""), "the name must not be empty");
	else if (form_identifier(id))
		check_invalid_text(c, p, id, "%s", form_identifier(id));
	if (id.n > ID_MAX)
		check_too_long(c, p, ID_MAX);
}

static void check_pool(struct check *c, const struct path *p, const struct doc *obj,
		       const char *field)
{
	const struct path at = PATH(p, field);
	struct slice rest = doc_slice(doc_get(obj, field));

	if (rest.n == 0)
		check_required(c, &at, "");
	if (rest.n > 253)
		check_too_long(c, &at, 253);
	while (rest.n) {
		struct slice part = slice_split(&rest, '/');

		if (form_dns_subdomain(part))
			check_invalid_text(c, &at, part, "%s", form_dns_subdomain(part));
	}
}

/* ---- requests ---- */

static void check_selector(struct check *c, const struct path *p, const struct doc *selector)
{
	const struct path cel = PATH(p, "cel");

	if (!part_set(selector, "cel"))
		part_required(c, p, "cel", "");
	else if (!part_full(doc_get(selector, "cel"), "expression"))
		part_required(c, &cel, "expression", "");
	part_not_longer(c, &cel, doc_get(selector, "cel"), "expression", EXPRESSION_MAX);
}

static void check_toleration(struct check *c, const struct path *p, const struct doc *t)
{
	part_optional(c, p, t, "key", form_qualified_name);
	if (doc_str_is(doc_get(t, "operator"), "Exists")) {
		if (part_full(t, "value"))
			part_invalid(c, p, t, "value", "must be empty for operator `Exists`");
	} else {
		part_optional(c, p, t, "value", form_label_value);
	}
}

static void check_exact(struct check *c, const struct path *p, const struct doc *request)
{
	static const char *const modes[] = { "All", "ExactCount", NULL };
	const struct doc *mode = doc_get(request, "allocationMode");

	part_text(c, p, request, "deviceClassName", form_dns_subdomain);
	check_each(c, p, request, "selectors", SELECTORS_MAX, check_selector);
	if (doc_str_is(mode, "All")) {
		if (part_number(request, "count") != 0)
			part_invalid(c, p, request, "count",
				     "must not be specified when allocationMode is 'All'");
	} else if (doc_str_is(mode, "ExactCount")) {
		if (part_number(request, "count") <= 0)
			part_bad_number(c, p, request, "count", "must be greater than zero");
	} else {
		part_one_of(c, p, request, "allocationMode", modes, false);
	}
	check_each(c, p, request, "tolerations", 16, check_toleration);
}

static void check_sub_request(struct check *c, const struct path *p, const struct doc *request)
{
	part_form(c, p, request, "name", form_dns_label);
	check_exact(c, p, request);
}

static void check_device_request(struct check *c, const struct path *p, const struct doc *request)
{
	const struct path exactly = PATH(p, "exactly");
	bool one = part_set(request, "exactly"), some = part_full(request, "firstAvailable");

	part_form(c, p, request, "name", form_dns_label);
	if (!one && !some) {
		check_required(c, p, "exactly one of `exactly` or `firstAvailable` is required");
	} else if (one && some) {
		check_wrong(c, p,
			    "exactly one of `exactly` or `firstAvailable` is required, but "
			    "multiple fields are set");
	} else if (one) {
		check_exact(c, &exactly, doc_get(request, "exactly"));
	} else {
		check_each(c, p, request, "firstAvailable", ALTERNATIVES_MAX, check_sub_request);
		check_keys(c, p, request, "firstAvailable", "name");
	}
}

/* "request" or "request/alternative" of the claim. */
static bool is_request(const struct doc *claim, struct slice name)
{
	struct slice sub = name, first = slice_split(&sub, '/');

	DOC_EACH (r, doc_get(claim, "requests")) {
		if (!slice_eq(doc_slice(doc_get(r, "name")), first))
			continue;
		if (!sub.p)
			return true;
		DOC_EACH (s, doc_get(r, "firstAvailable"))
			if (slice_eq(doc_slice(doc_get(s, "name")), sub))
				return true;
	}
	return false;
}

static void check_request_refs(struct check *c, const struct path *p, const struct doc *obj,
			       const struct doc *claim)
{
	const struct path at = PATH(p, "requests");
	const struct doc *list = doc_get(obj, "requests");

	if (doc_len(list) > REQUESTS_MAX)
		check_too_many(c, &at, doc_len(list), REQUESTS_MAX);
	for (size_t i = 0; i < doc_len(list); i++) {
		const struct path one = PATH_INDEX(&at, i);

		if (!is_request(claim, doc_slice(doc_at(list, i))))
			check_invalid(c, &one, doc_at(list, i),
				      "must be the name of a request in the claim or the name of a "
				      "request and a subrequest separated by '/'");
	}
	part_unique_texts(c, &at, list);
}

static void check_config(struct check *c, const struct path *p, const struct doc *config)
{
	const struct path at = PATH(p, "opaque"), parameters = PATH(&at, "parameters");
	const struct doc *opaque = doc_get(config, "opaque"), *v = doc_get(opaque, "parameters");

	if (!opaque) {
		check_required(c, &at, "");
		return;
	}
	part_driver(c, &at, opaque, "driver");
	if (!v || v->type == DOC_NULL)
		check_required(c, &parameters, "");
	else if (v->type != DOC_OBJECT)
		check_invalid_text(c, &parameters, SLICE("<value omitted>"),
				   "must be a valid JSON object");
	else if (doc_size(v, (size_t)16 * PARAMETERS_MAX) > (size_t)16 * PARAMETERS_MAX)
		check_too_long(c, &parameters, PARAMETERS_MAX);
}

static void check_constraint(struct check *c, const struct path *p, const struct doc *constraint)
{
	static const char *const names[] = { "matchAttribute", "distinctAttribute" };
	const struct doc *match = doc_get(constraint, names[0]),
			 *distinct = doc_get(constraint, names[1]);
	const struct path at = PATH(p, match ? names[0] : names[1]);

	if (!match && !distinct)
		check_required(c, p,
			       "exactly one of \"matchAttribute\" or \"distinctAttribute\" is "
			       "required, but multiple fields are set");
	else
		check_attribute_name(c, &at, doc_slice(match ? match : distinct), true);
}

static void check_claim(struct check *c, const struct path *p, const struct doc *claim)
{
	static const char *const with_refs[] = { "constraints", "config" };

	check_each(c, p, claim, "requests", REQUESTS_MAX, check_device_request);
	check_keys(c, p, claim, "requests", "name");
	check_each(c, p, claim, "constraints", CONSTRAINTS_MAX, check_constraint);
	check_each(c, p, claim, "config", CONFIGS_MAX, check_config);
	for (size_t i = 0; i < ARRAY_LEN(with_refs); i++) {
		const struct path at = PATH(p, with_refs[i]);
		const struct doc *list = doc_get(claim, with_refs[i]);

		for (size_t j = 0; j < doc_len(list); j++) {
			const struct path one = PATH_INDEX(&at, j);

			check_request_refs(c, &one, doc_at(list, j), claim);
		}
	}
}

/* ---- status of a claim ---- */

static void check_consumer(struct check *c, const struct path *p, const struct doc *user)
{
	static const char *const needed[] = { "resource", "name", "uid" };

	for (size_t i = 0; i < ARRAY_LEN(needed); i++)
		if (!part_full(user, needed[i]))
			part_required(c, p, needed[i], "");
}

static void check_result_of(struct check *c, const struct path *p, const struct doc *result)
{
	part_driver(c, p, result, "driver");
	check_pool(c, p, result, "pool");
	part_form(c, p, result, "device", form_dns_label);
}

static void check_allocation(struct check *c, const struct path *p, const struct doc *obj)
{
	const struct path devices = PATH(p, "devices"), at = PATH(&devices, "results"),
			  nodes = PATH(p, "nodeSelector");
	const struct doc *allocation = doc_find(obj, "status.allocation"),
			 *list = doc_find(allocation, "devices.results");

	check_each(c, &devices, doc_get(allocation, "devices"), "results", RESULTS_MAX,
		   check_result_of);
	for (size_t i = 0; i < doc_len(list); i++) {
		const struct path one = PATH_INDEX(&at, i);

		if (!is_request(doc_find(obj, "spec.devices"),
				doc_slice(doc_get(doc_at(list, i), "request"))))
			part_invalid(c, &one, doc_at(list, i), "request",
				     "must be the name of a request in the claim or the name of a "
				     "request and a subrequest separated by '/'");
	}
	check_each(c, &devices, doc_get(allocation, "devices"), "config", 2 * CONFIGS_MAX,
		   check_config);
	if (part_set(allocation, "nodeSelector"))
		check_node_selector(c, &nodes, doc_get(allocation, "nodeSelector"));
}

static bool is_known(const struct doc *list, const struct doc *user)
{
	DOC_EACH (x, list)
		if (doc_equal(x, user))
			return true;
	return false;
}

static void check_claim_status(struct check *c, const struct doc *obj)
{
	static const char *const fixed[] = { "allocation", NULL };
	const struct path p = PATH(NULL, "status"), at = PATH(&p, "allocation"),
			  users = PATH(&p, "reservedFor");
	const struct doc *status = doc_get(obj, "status"), *old = doc_get(c->old, "status");
	bool allocated = part_set(status, "allocation"), added = false;

	check_each(c, &p, status, "reservedFor", USERS_MAX, check_consumer);
	check_keys(c, &p, status, "reservedFor", "uid");
	check_each(c, &p, status, "devices", RESULTS_MAX, check_result_of);
	DOC_EACH (user, doc_get(status, "reservedFor"))
		added = added || !is_known(doc_get(old, "reservedFor"), user);
	if (part_full(status, "reservedFor") && !allocated)
		check_forbidden(c, &users, "may not be specified when `allocated` is not set");
	else if (added && doc_is(doc_find(obj, "metadata.deletionTimestamp"), DOC_STRING))
		check_forbidden(c, &users,
				"new entries may not be added while `deallocationRequested` or "
				"`deletionTimestamp` are set");
	if (allocated && part_set(old, "allocation"))
		part_immutable(c, &p, status, old, fixed);
	else if (allocated)
		check_allocation(c, &at, obj);
}

static void check_resource_claim(struct check *c, const struct doc *obj, const char *sub)
{
	static const char *const fixed[] = { "spec", NULL };
	const struct path at = PATH(&in_spec, "devices");

	if (strcmp(sub, "status") == 0)
		check_claim_status(c, obj);
	else if (c->old)
		part_immutable(c, NULL, obj, c->old, fixed);
	else
		check_claim(c, &at, doc_find(obj, "spec.devices"));
}

static void check_template(struct check *c, const struct doc *obj, const char *sub)
{
	static const char *const fixed[] = { "spec", NULL };
	const struct path meta = PATH(&in_spec, "metadata"), labels = PATH(&meta, "labels"),
			  annotations = PATH(&meta, "annotations"), spec = PATH(&in_spec, "spec"),
			  at = PATH(&spec, "devices");

	(void)sub;
	if (c->old) {
		part_immutable(c, NULL, obj, c->old, fixed);
		return;
	}
	check_labels(c, &labels, doc_find(obj, "spec.metadata.labels"));
	check_annotations(c, &annotations, doc_find(obj, "spec.metadata.annotations"));
	check_claim(c, &at, doc_find(obj, "spec.spec.devices"));
}

static void check_device_class(struct check *c, const struct doc *obj, const char *sub)
{
	const struct doc *spec = doc_get(obj, "spec"),
			 *name = doc_get(spec, "extendedResourceName");

	(void)sub;
	check_each(c, &in_spec, spec, "selectors", SELECTORS_MAX, check_selector);
	check_each(c, &in_spec, spec, "config", CONFIGS_MAX, check_config);
	if (name && (form_qualified_name(doc_slice(name)) || !memchr(name->s, '/', name->n) ||
		     memmem(name->s, name->n, "kubernetes.io/", 14)))
		part_invalid(c, &in_spec, spec, "extendedResourceName",
			     "must be a valid extended resource name");
}

/* ---- ResourceSlice ---- */

static void check_attribute(struct check *c, const struct path *p, const struct doc *v)
{
	static const char *const kinds[] = { "bool",  "int",  "string",	 "version",
					     "bools", "ints", "strings", "versions" };
	unsigned n = 0;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		n += part_set(v, kinds[i]);
		if (i >= 4 && part_set(v, kinds[i]) && !part_full(v, kinds[i]))
			part_invalid(c, p, v, kinds[i], "must not be empty if specified");
	}
	part_not_longer(c, p, v, "string", VALUE_MAX);
	part_not_longer(c, p, v, "version", VALUE_MAX);
	if (part_set(v, "version") &&
	    !schema_format_ok(FORMAT_SEMVER, doc_slice(doc_get(v, "version"))))
		part_invalid(c, p, v, "version",
			     "must be a string compatible with semver.org spec 2.0.0");
	if (n == 0)
		check_invalid_text(c, p, SLICE(""), "exactly one value must be specified");
	else if (n > 1)
		check_invalid(c, p, v, "exactly one value must be specified");
}

static void check_taint(struct check *c, const struct path *p, const struct doc *taint)
{
	part_form(c, p, taint, "key", form_qualified_name);
	part_optional(c, p, taint, "value", form_label_value);
	if (!part_full(taint, "effect"))
		part_required(c, p, "effect", "");
}

static void check_consumption(struct check *c, const struct path *p, const struct doc *use)
{
	part_text(c, p, use, "counterSet", form_dns_label);
	if (!part_full(use, "counters"))
		part_required(c, p, "counters", "");
}

static void check_bindings(struct check *c, const struct path *p, const struct doc *device)
{
	static const char *const lists[] = { "bindingConditions", "bindingFailureConditions" };

	for (size_t i = 0; i < 2; i++) {
		const struct path at = PATH(p, lists[i]);
		const struct doc *list = doc_get(device, lists[i]);

		if (doc_len(list) > BINDINGS_MAX)
			check_too_many(c, &at, doc_len(list), BINDINGS_MAX);
		else
			check_each_text(c, &at, list, form_qualified_name);
		part_unique_texts(c, &at, list);
		if (doc_len(list) == 0 && part_full(device, lists[1 - i]))
			check_invalid(c, &at, list, "%s are required to use %s", lists[i],
				      lists[1 - i]);
	}
}

static void check_device(struct check *c, const struct path *p, const struct doc *device)
{
	const struct path attributes = PATH(p, "attributes"), capacity = PATH(p, "capacity");
	size_t n = doc_len(doc_get(device, "attributes")) + doc_len(doc_get(device, "capacity"));

	part_form(c, p, device, "name", form_dns_label);
	if (n > ATTRIBUTES_MAX)
		check_wrong(c, p,
			    "the total number of attributes and capacities must not exceed %d",
			    ATTRIBUTES_MAX);
	DOC_EACH_MEMBER (key, value, doc_get(device, "attributes")) {
		const struct path at = PATH_KEY(&attributes, doc_slice(key));

		check_attribute_name(c, &attributes, doc_slice(key), false);
		check_attribute(c, &at, value);
	}
	DOC_EACH_MEMBER (name, v, doc_get(device, "capacity")) {
		const struct path at = PATH_KEY(&capacity, doc_slice(name));

		check_attribute_name(c, &capacity, doc_slice(name), false);
		if (part_set(v, "requestPolicy") &&
		    !doc_true(doc_get(device, "allowMultipleAllocations")))
			part_forbidden(c, &at, "requestPolicy",
				       "allowMultipleAllocations must be true");
	}
	check_each(c, p, device, "taints", TAINTS_MAX, check_taint);
	check_each(c, p, device, "consumesCounters", 2, check_consumption);
	check_keys(c, p, device, "consumesCounters", "counterSet");
	check_bindings(c, p, device);
}

static void check_counter_set(struct check *c, const struct path *p, const struct doc *set)
{
	const struct path at = PATH(p, "counters");

	part_text(c, p, set, "name", form_dns_label);
	if (!part_full(set, "counters"))
		part_required(c, p, "counters", "");
	DOC_EACH_MEMBER (key, value, doc_get(set, "counters")) {
		(void)value;
		if (form_dns_label(doc_slice(key)))
			check_invalid(c, &at, key, "%s", form_dns_label(doc_slice(key)));
	}
}

/* Where devices are: exactly one of the ways to say so. */
static void check_place(struct check *c, const struct path *p, const struct doc *d, bool device)
{
	static const char *const ways[] = { "nodeName", "nodeSelector", "allNodes",
					    "perDeviceNodeSelection" };
	const struct path nodes = PATH(p, "nodeSelector"),
			  terms = PATH(&nodes, "nodeSelectorTerms");
	const struct doc *list = doc_find(d, "nodeSelector.nodeSelectorTerms");
	unsigned n = 0;

	for (size_t i = 0; i < (device ? 3u : 4u); i++) {
		n += i < 2 ? part_full(d, ways[i]) || (i && part_set(d, ways[i]))
			   : doc_true(doc_get(d, ways[i]));
		if (i >= 2 && doc_is(doc_get(d, ways[i]), DOC_BOOL) &&
		    !doc_true(doc_get(d, ways[i])))
			part_invalid(c, p, d, ways[i], "must be either unset or set to true");
	}
	if (part_full(d, "nodeName"))
		part_form(c, p, d, "nodeName", form_dns_subdomain);
	else if (part_set(d, "nodeName"))
		part_invalid(c, p, d, "nodeName",
			     device ? "must not be empty"
				    : "must be either unset or set to a non-empty string");
	if (part_set(d, "nodeSelector")) {
		check_node_selector(c, &nodes, doc_get(d, "nodeSelector"));
		if (!device && doc_len(list) != 1)
			check_invalid(c, &terms, list, "must have exactly one node selector term");
	}
	if (n == 1)
		return;
	if (device)
		check_required(c, p,
			       "exactly one of `nodeName`, `nodeSelector`, or `allNodes` is "
			       "required when `perDeviceNodeSelection` is set to true in the "
			       "ResourceSlice spec");
	else if (n == 0)
		check_required(c, p,
			       "exactly one of `nodeName`, `nodeSelector`, `allNodes`, "
			       "`perDeviceNodeSelection` is required");
	else
		check_wrong(c, p,
			    "exactly one of `nodeName`, `nodeSelector`, `allNodes`, "
			    "`perDeviceNodeSelection` is required, but multiple fields are set");
}

static void check_device_places(struct check *c, const struct doc *spec)
{
	const struct path at = PATH(&in_spec, "devices");
	const struct doc *list = doc_get(spec, "devices");
	bool each = doc_true(doc_get(spec, "perDeviceNodeSelection"));

	for (size_t i = 0; i < doc_len(list); i++) {
		const struct path one = PATH_INDEX(&at, i);
		const struct doc *d = doc_at(list, i);

		if (each)
			check_place(c, &one, d, true);
		else if (part_set(d, "nodeName") || part_set(d, "nodeSelector") ||
			 part_set(d, "allNodes"))
			check_wrong(c, &one,
				    "`nodeName`, `nodeSelector` and `allNodes` can only be set if "
				    "`perDeviceNodeSelection` is set to true in the ResourceSlice "
				    "spec");
	}
}

static size_t most_devices(const struct doc *spec)
{
	DOC_EACH (d, doc_get(spec, "devices"))
		if (part_full(d, "taints") || part_full(d, "consumesCounters"))
			return DEVICES_RICH_MAX;
	return DEVICES_MAX;
}

static void check_resource_slice(struct check *c, const struct doc *obj, const char *sub)
{
	static const char *const fixed[] = { "driver", "nodeName", NULL };
	static const char *const name[] = { "name", NULL };
	const struct path at = PATH(&in_spec, "pool");
	const struct doc *spec = doc_get(obj, "spec"), *pool = doc_get(spec, "pool"),
			 *old = doc_get(c->old, "spec");

	(void)sub;
	part_driver(c, &in_spec, spec, "driver");
	check_pool(c, &at, pool, "name");
	if (part_number(pool, "resourceSliceCount") <= 0)
		part_bad_number(c, &at, pool, "resourceSliceCount", "must be greater than zero");
	if (part_number(pool, "generation") < 0)
		part_invalid(c, &at, pool, "generation", "must be greater than or equal to zero");
	if (c->old) {
		part_immutable(c, &at, pool, doc_get(old, "pool"), name);
		part_immutable(c, &in_spec, spec, old, fixed);
	}
	check_place(c, &in_spec, spec, false);
	if (part_set(spec, "sharedCounters") && part_set(spec, "devices"))
		check_invalid_text(c, &in_spec, SLICE(""),
				   "only one of `sharedCounters` or `devices` is allowed");
	check_each(c, &in_spec, spec, "devices", most_devices(spec), check_device);
	check_keys(c, &in_spec, spec, "devices", "name");
	check_device_places(c, spec);
	check_each(c, &in_spec, spec, "sharedCounters", COUNTER_SETS_MAX, check_counter_set);
	check_keys(c, &in_spec, spec, "sharedCounters", "name");
}

const struct check_kind check_resource[] = {
	{ "resource.k8s.io", "ResourceClaim", check_resource_claim, NULL },
	{ "resource.k8s.io", "ResourceClaimTemplate", check_template, NULL },
	{ "resource.k8s.io", "ResourceSlice", check_resource_slice, NULL },
	{ "resource.k8s.io", "DeviceClass", check_device_class, NULL },
	{ NULL, NULL, NULL, NULL },
};
