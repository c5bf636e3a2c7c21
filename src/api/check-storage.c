/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of storage.k8s.io/v1. */
#include "api/check-parts.h"
#include "api/check-pod.h"

#define PARAMETERS_MAX 512
#define PARAMETERS_BYTES_MAX (256u << 10)
#define METADATA_BYTES_MAX (256u << 10)
#define MESSAGE_BYTES_MAX 1024
#define NODE_ID_MAX 256

static const struct path in_spec = PATH(NULL, "spec");

static size_t size_of(const struct doc *map)
{
	size_t n = 0;

	DOC_EACH_MEMBER (key, value, map)
		n += key->n + value->n;
	return n;
}

static const char *form_lower_name(struct slice s)
{
	char text[512];
	size_t n = MIN(s.n, sizeof(text));

	for (size_t i = 0; i < n; i++)
		text[i] = (char)(s.p[i] >= 'A' && s.p[i] <= 'Z' ? s.p[i] + 32 : s.p[i]);
	return form_qualified_name(slice_of(text, n));
}

static void check_parameters(struct check *c, const struct doc *obj, bool needed)
{
	const struct path at = PATH(NULL, "parameters");
	const struct doc *map = doc_get(obj, "parameters");

	if (doc_len(map) > PARAMETERS_MAX) {
		check_too_long(c, &at, PARAMETERS_MAX);
		return;
	}
	DOC_EACH_MEMBER (key, value, map) {
		(void)value;
		if (key->n == 0)
			check_invalid(c, &at, key, "field can not be empty.");
	}
	if (size_of(map) > PARAMETERS_BYTES_MAX)
		check_too_long(c, &at, PARAMETERS_BYTES_MAX);
	if (needed && doc_len(map) == 0)
		check_required(c, &at, "must contain at least one key/value pair");
}

static void check_kept(struct check *c, const struct doc *obj, const char *const *fields)
{
	for (; c->old && *fields; fields++)
		if (!part_same(obj, c->old, *fields))
			part_forbidden(c, NULL, *fields, "updates to %s are forbidden.", *fields);
}

/* ---- classes ---- */

static void check_storage_class(struct check *c, const struct doc *obj, const char *sub)
{
	static const char *const policies[] = { "Delete", "Retain", NULL };
	static const char *const modes[] = { "Immediate", "WaitForFirstConsumer", NULL };
	static const char *const kept[] = { "parameters", "provisioner", "reclaimPolicy", NULL };
	static const char *const fixed[] = { "volumeBindingMode", NULL };
	const struct path topologies = PATH(NULL, "allowedTopologies");

	(void)sub;
	if (c->old) {
		check_kept(c, obj, kept);
		part_immutable(c, NULL, obj, c->old, fixed);
		return;
	}
	part_text(c, NULL, obj, "provisioner", form_lower_name);
	check_parameters(c, obj, false);
	part_maybe_one_of(c, NULL, obj, "reclaimPolicy", policies);
	part_one_of(c, NULL, obj, "volumeBindingMode", modes, true);
	check_topology_terms(c, &topologies, doc_get(obj, "allowedTopologies"));
}

static void check_attributes_class(struct check *c, const struct doc *obj, const char *sub)
{
	static const char *const kept[] = { "driverName", "parameters", NULL };

	(void)sub;
	check_kept(c, obj, kept);
	part_text(c, NULL, obj, "driverName", form_lower_name);
	check_parameters(c, obj, true);
}

/* ---- VolumeAttachment ---- */

static void check_source(struct check *c, const struct doc *spec)
{
	const struct path at = PATH(&in_spec, "source"), volume = PATH(&at, "inlineVolumeSpec");
	const struct doc *source = doc_get(spec, "source");
	bool inlined = part_set(source, "inlineVolumeSpec"),
	     named = part_set(source, "persistentVolumeName");

	if (!inlined && !named)
		check_required(c, &at,
			       "must specify exactly one of inlineVolumeSpec and "
			       "persistentVolumeName");
	else if (inlined && named)
		check_forbidden(c, &at,
				"must specify exactly one of inlineVolumeSpec and "
				"persistentVolumeName");
	else if (named && !part_full(source, "persistentVolumeName"))
		part_required(c, &at, "persistentVolumeName",
			      "must specify non empty persistentVolumeName");
	else if (inlined)
		check_volume_spec(c, &volume, doc_get(source, "inlineVolumeSpec"), SLICE(""), true);
	part_optional(c, &at, source, "persistentVolumeName", form_dns_subdomain);
}

static void check_attach_status(struct check *c, const struct doc *status)
{
	static const char *const errors[] = { "attachError", "detachError" };
	const struct path p = PATH(NULL, "status"), metadata = PATH(&p, "attachmentMetadata");

	if (size_of(doc_get(status, "attachmentMetadata")) > METADATA_BYTES_MAX)
		check_too_long(c, &metadata, METADATA_BYTES_MAX);
	for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
		const struct path at = PATH(&p, errors[i]), message = PATH(&at, "message"),
				  code = PATH(&at, "errorCode");
		const struct doc *e = doc_get(status, errors[i]);

		/* the limit is the message's, the number that is told the metadata's: upstream's */
		if (doc_slice(doc_get(e, "message")).n > MESSAGE_BYTES_MAX)
			check_too_long(c, &message, METADATA_BYTES_MAX);
		check_range(c, &code, doc_get(e, "errorCode"), 0, INT32_MAX);
	}
}

static void check_attachment(struct check *c, const struct doc *obj, const char *sub)
{
	static const char *const fixed[] = { "spec", NULL };
	const struct doc *spec = doc_get(obj, "spec");

	(void)sub;
	part_driver(c, &in_spec, spec, "attacher");
	check_source(c, spec);
	part_form(c, &in_spec, spec, "nodeName", form_dns_subdomain);
	check_attach_status(c, doc_get(obj, "status"));
	if (c->old)
		part_immutable(c, NULL, obj, c->old, fixed);
}

/* ---- CSI ---- */

static void check_token_requests(struct check *c, const struct path *p, const struct doc *list)
{
	for (size_t i = 0; i < doc_len(list); i++) {
		const struct path at = PATH_INDEX(p, i);
		const struct doc *r = doc_at(list, i);
		int64_t seconds = part_number(r, "expirationSeconds");
		size_t j = 0;

		while (j < i && !part_same(r, doc_at(list, j), "audience"))
			j++;
		if (j < i) {
			part_duplicate(c, &at, r, "audience");
			continue;
		}
		if (part_set(r, "expirationSeconds") && seconds < 600)
			part_invalid(c, &at, r, "expirationSeconds",
				     "may not specify a duration less than 10 minutes");
		if (seconds > INT64_C(1) << 32)
			part_invalid(c, &at, r, "expirationSeconds",
				     "may not specify a duration larger than 2^32 seconds");
	}
}

static void check_driver(struct check *c, const struct doc *obj, const char *sub)
{
	static const char *const policies[] = { "File", "None", "ReadWriteOnceWithFSType", NULL };
	static const char *const modes[] = { "Persistent", "Ephemeral", NULL };
	/* upstream's name of attachRequired in errors has one letter too many */
	static const struct {
		const char *field, *at;
	} needed[] = { { "attachRequired", "attachedRequired" },
		       { "podInfoOnMount", "podInfoOnMount" },
		       { "storageCapacity", "storageCapacity" } };
	const struct path tokens = PATH(&in_spec, "tokenRequests"),
			  lives = PATH(&in_spec, "volumeLifecycleModes"),
			  attach = PATH(&in_spec, "attachedRequired");
	const struct doc *spec = doc_get(obj, "spec"), *old = doc_get(c->old, "spec");

	(void)sub;
	for (size_t i = 0; i < ARRAY_LEN(needed); i++)
		if (!part_set(spec, needed[i].field))
			part_required(c, &in_spec, needed[i].at, "");
	part_maybe_one_of(c, &in_spec, spec, "fsGroupPolicy", policies);
	check_token_requests(c, &tokens, doc_get(spec, "tokenRequests"));
	DOC_EACH (mode, doc_get(spec, "volumeLifecycleModes"))
		check_exactly_one_of(c, &lives, mode, modes);
	if (part_set(spec, "nodeAllocatableUpdatePeriodSeconds") &&
	    part_number(spec, "nodeAllocatableUpdatePeriodSeconds") < 10)
		part_invalid(c, &in_spec, spec, "nodeAllocatableUpdatePeriodSeconds",
			     "must be greater than or equal to 10 seconds");
	if (doc_true(doc_get(spec, "serviceAccountTokenInSecrets")) &&
	    doc_len(doc_get(spec, "tokenRequests")) == 0)
		part_invalid(c, &in_spec, spec, "serviceAccountTokenInSecrets",
			     "must be unset when tokenRequests is empty");
	if (!c->old)
		return;
	check_immutable(c, &attach, doc_get(spec, "attachRequired"),
			doc_get(old, "attachRequired"));
	check_immutable(c, &lives, doc_get(spec, "volumeLifecycleModes"),
			doc_get(old, "volumeLifecycleModes"));
}

static void check_node_driver(struct check *c, const struct path *p, const struct doc *driver)
{
	static const char *const count[] = { "count", NULL };
	const struct path allocatable = PATH(p, "allocatable");
	const struct doc *keys = doc_get(driver, "topologyKeys");

	part_driver(c, p, driver, "name");
	if (!part_full(driver, "nodeID"))
		part_required(c, p, "nodeID", "");
	if (doc_slice(doc_get(driver, "nodeID")).n > NODE_ID_MAX)
		part_invalid(c, p, driver, "nodeID", "must be %d characters or less", NODE_ID_MAX);
	part_not_negative(c, &allocatable, doc_get(driver, "allocatable"), count);
	for (size_t i = 0; i < doc_len(keys); i++) {
		const struct doc *key = doc_at(keys, i);
		size_t j = 0;

		if (key->n == 0)
			check_required(c, p, "");
		while (j < i && !doc_equal(key, doc_at(keys, j)))
			j++;
		if (j < i)
			check_duplicate(c, p, key);
		if (form_qualified_name(doc_slice(key)))
			check_invalid(c, p, key, "%s", form_qualified_name(doc_slice(key)));
	}
}

/* A driver of a node may change how much it takes, nothing else. */
static void check_driver_change(struct check *c, const struct path *p, const struct doc *now,
				const struct doc *old)
{
	static const char *const fixed[] = { "nodeID", "topologyKeys" };

	if (!part_same(now, old, "name"))
		return;
	for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
		if (!part_same(now, old, fixed[i])) {
			check_invalid(c, p, now, "field is immutable");
			return;
		}
}

static void check_csi_node(struct check *c, const struct doc *obj, const char *sub)
{
	const struct path at = PATH(&in_spec, "drivers");
	const struct doc *drivers = doc_find(obj, "spec.drivers");

	(void)sub;
	for (size_t i = 0; i < doc_len(drivers); i++) {
		const struct path one = PATH_INDEX(&at, i);

		check_node_driver(c, &one, doc_at(drivers, i));
	}
	check_unique(c, &at, drivers, "name");
	DOC_EACH (old, doc_find(c->old, "spec.drivers"))
		DOC_EACH (now, drivers)
			check_driver_change(c, &at, now, old);
}

static void check_capacity(struct check *c, const struct doc *obj, const char *sub)
{
	static const char *const fixed[] = { "nodeTopology", "storageClassName", NULL };
	static const char *const sizes[] = { "capacity", "maximumVolumeSize" };

	(void)sub;
	if (c->old) {
		part_immutable(c, NULL, obj, c->old, fixed);
		return;
	}
	part_selector(c, NULL, obj, "nodeTopology");
	part_form(c, NULL, obj, "storageClassName", form_dns_subdomain);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
		if (part_sign(doc_get(obj, sizes[i])) < 0)
			part_invalid(c, NULL, obj, sizes[i], "must be greater than or equal to 0");
}

const struct check_kind check_storage[] = {
	{ "storage.k8s.io", "StorageClass", check_storage_class, NULL, .own_values = true },
	{ "storage.k8s.io", "VolumeAttributesClass", check_attributes_class, NULL },
	{ "storage.k8s.io", "VolumeAttachment", check_attachment, NULL },
	{ "storage.k8s.io", "CSIDriver", check_driver, NULL },
	{ "storage.k8s.io", "CSINode", check_csi_node, NULL },
	{ "storage.k8s.io", "CSIStorageCapacity", check_capacity, NULL },
	{ NULL, NULL, NULL, NULL },
};
