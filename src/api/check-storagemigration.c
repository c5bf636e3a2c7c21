/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of storagemigration.k8s.io/v1beta1. */
#include "api/check-parts.h"

static const struct path in_spec = PATH(NULL, "spec"), in_status = PATH(NULL, "status");

/* A number as revisions are: no sign, no zero in front. */
static bool is_revision(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	return s.n > 0 && s.p[0] != '0';
}

static void check_revision(struct check *c, const struct doc *status)
{
	const struct path at = PATH(&in_status, "resourceVersion");
	const struct doc *now = doc_get(status, "resourceVersion"),
			 *was = doc_find(c->old, "status.resourceVersion");
	const struct slice text = doc_slice(now);

	if (text.n && !is_revision(text))
		check_invalid(c, &at, now, "resource version is not well formed: %.*s", (int)text.n,
			      text.p);
	if (was && was->n && !slice_eq(doc_slice(was), text))
		check_invalid(c, &at, now ? now : &(struct doc){ .type = DOC_STRING, .s = "" },
			      "field is immutable");
}

static void check_status(struct check *c, const struct doc *obj)
{
	static const char *const last[] = { "Succeeded", "Failed" };
	static const char *const words[] = {
		"Success condition cannot be set to false once it is true",
		"Failed condition cannot be set to false once it is true"
	};
	const struct path at = PATH(&in_status, "conditions");
	const struct doc *now = doc_find(obj, "status.conditions"),
			 *was = doc_find(c->old, "status.conditions");

	check_revision(c, doc_get(obj, "status"));
	part_conditions(c, &at, now);
	if (part_condition_true(now, last[0]) && part_condition_true(now, last[1]))
		check_invalid(c, &at, now,
			      "Both success and failed conditions cannot be true at the same time");
	for (size_t i = 0; i < ARRAY_LEN(last); i++)
		if (part_condition_true(was, last[i]) && !part_condition_true(now, last[i]))
			check_invalid(c, &at, now, "%s", words[i]);
}

static void check_migration(struct check *c, const struct doc *obj, const char *sub)
{
	const struct path at = PATH(&in_spec, "resource"), resource = PATH(&at, "resource");
	const struct doc *of = doc_find(obj, "spec.resource");

	if (strcmp(sub, "status") == 0) {
		check_status(c, obj);
		return;
	}
	if (!part_full(of, "resource"))
		check_required(c, &resource, "resource is required to be set");
	else
		part_text(c, &at, of, "resource", form_dns1035_label);
	part_optional(c, &at, of, "group", form_dns_subdomain);
	if (c->old)
		check_immutable(c, &in_spec, doc_get(obj, "spec"), doc_get(c->old, "spec"));
}

const struct check_kind check_storagemigration[] = {
	{ "storagemigration.k8s.io", "StorageVersionMigration", check_migration, NULL },
	{ NULL, NULL, NULL, NULL },
};
