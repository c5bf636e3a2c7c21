/* SPDX-License-Identifier: Apache-2.0 */
/* Fields that a write cannot set: nobody becomes their owner by it. */
#include "api/fields.h"
#include "apiserver/strategy/strategy-private.h"
#include "doc/json.h"

#include <assert.h>

#define STATUS "{\"f:status\":{}}"
#define SPEC "{\"f:spec\":{}}"
#define META_AND_SPEC "{\"f:metadata\":{},\"f:spec\":{}}"

struct row {
	const char *group, *resource, *sub;
	const char *reset, *only; /* sets; NULL: none */
};

/* All else with a status: the object's writes reset status, those of status reset spec. */
static const struct row rows[] = {
	{ "", "pods", "status",
	  "{\"f:metadata\":{\"f:deletionTimestamp\":{},\"f:ownerReferences\":{}},\"f:spec\":{}}",
	  NULL },
	{ "", "pods", "ephemeralcontainers", NULL, "{\"f:spec\":{\"f:ephemeralContainers\":{}}}" },
	{ "", "pods", "resize", NULL,
	  "{\"f:spec\":{\"f:containers\":{\"*\":{\"f:resizePolicy\":{},\"f:resources\":{}}},"
	  "\"f:initContainers\":{\"*\":{\"f:resizePolicy\":{},\"f:resources\":{}}}}}" },
	{ "", "namespaces", "finalize", STATUS, NULL },
	{ "apps", "deployments", "status", "{\"f:metadata\":{\"f:labels\":{}},\"f:spec\":{}}",
	  NULL },
	{ "certificates.k8s.io", "certificatesigningrequests", "",
	  "{\"f:spec\":{},\"f:status\":{}}", NULL },
	{ "certificates.k8s.io", "certificatesigningrequests", "status",
	  "{\"f:spec\":{},\"f:status\":{\"f:conditions\":{}}}", NULL },
	{ "certificates.k8s.io", "certificatesigningrequests", "approval",
	  "{\"f:spec\":{},\"f:status\":{\"f:certificate\":{}}}", NULL },
	{ "networking.k8s.io", "servicecidrs", "status", META_AND_SPEC, NULL },
	{ "storage.k8s.io", "volumeattachments", "status", META_AND_SPEC, NULL },
	{ "flowcontrol.apiserver.k8s.io", "flowschemas", "status", META_AND_SPEC, NULL },
	{ "flowcontrol.apiserver.k8s.io", "prioritylevelconfigurations", "status", META_AND_SPEC,
	  NULL },
	{ "resource.k8s.io", "resourceclaims", "status", META_AND_SPEC, NULL },
	{ "admissionregistration.k8s.io", "validatingadmissionpolicies", "status", META_AND_SPEC,
	  NULL },
	{ "apiregistration.k8s.io", "apiservices", "status", META_AND_SPEC, NULL },
	{ "storagemigration.k8s.io", "storageversionmigrations", "status", META_AND_SPEC, NULL },
};

static const struct row *find(const struct api_kind *k, const char *sub)
{
	static const struct row common[] = { { "", "", "", STATUS, NULL },
					     { "", "", "status", SPEC, NULL },
					     { "", "", "status", META_AND_SPEC, NULL } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (strcmp(rows[i].group, k->group->group) == 0 &&
		    strcmp(rows[i].resource, k->resource) == 0 && strcmp(rows[i].sub, sub) == 0)
			return &rows[i];
	if (!api_kind_sub(k, "status"))
		return NULL;
	if (strcmp(sub, "status") == 0)
		return &common[k->custom ? 2 : 1];
	return *sub ? NULL : &common[0];
}

static void read_set(const char *text, struct arena *a, struct doc *ret)
{
	struct doc *d = NULL;
	int r = text ? json_read(a, slice_str(text), NULL, &d, NULL) : 0;

	assert(r == 0 || arena_exceeded(a));
	*ret = d ? *d : doc_null();
}

bool strategy_reset_fields(const struct collection *o, const char *sub, struct arena *a,
			   struct doc *ret_reset, struct doc *ret_only)
{
	const struct row *row = find(o->kind, sub);

	if (!row)
		return false;
	read_set(row->reset, a, ret_reset);
	read_set(row->only, a, ret_only);
	return true;
}
