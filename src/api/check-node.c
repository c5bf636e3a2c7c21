/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of Nodes. */
#include "api/check-core.h"

static void check_amounts(struct check *c, const struct path *p, const struct doc *map)
{
	DOC_EACH_MEMBER (key, value, map) {
		const char *name = doc_cstr(c->a, key);
		const struct path at = PATH(p, name ? name : "");

		check_resource_quantity(c, &at, doc_slice(key), value);
	}
}

/* ---- where the configuration comes from (kept for what was stored long ago) ---- */

static void check_config_map(struct check *c, const struct path *p, const struct doc *m,
			     bool in_status)
{
	static const char *const fields[] = { "uid", "resourceVersion" };
	static const char *const must[] = { "uid must be set in status",
					    "resourceVersion must be set in status" };
	static const char *const must_not[] = { "uid must not be set in spec",
						"resourceVersion must not be set in spec" };
	static const struct field_rule rules[] = {
		{ .field = "namespace",
		  .required = true,
		  .detail = "namespace must be set",
		  .form = form_dns_label },
		{ .field = "name",
		  .required = true,
		  .detail = "name must be set",
		  .form = form_dns_subdomain },
		{ .field = "kubeletConfigKey",
		  .required = true,
		  .detail = "kubeletConfigKey must be set",
		  .form = form_config_key },
		{ 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (in_status)
			(void)check_has(c, p, m, fields[i], must[i]);
		else
			check_has_not(c, p, m, fields[i], must_not[i]);
	check_fields(c, p, m, rules);
}

static void check_config(struct check *c, const struct path *p, const struct doc *source,
			 bool in_status)
{
	const struct path at = PATH(p, "configMap");

	if (!source)
		return;
	if (doc_get(source, "configMap"))
		check_config_map(c, &at, doc_get(source, "configMap"), in_status);
	else
		check_invalid(c, p, source, "exactly one reference subfield must be non-nil");
}

static void check_configs(struct check *c, const struct doc *node)
{
	static const char *const states[] = { "assigned", "active", "lastKnownGood" };
	const struct path spec = PATH(NULL, "spec"), source = PATH(&spec, "configSource"),
			  status = PATH(NULL, "status"), config = PATH(&status, "config");
	const struct doc *d = doc_find(node, "status.config");

	check_config(c, &source, doc_find(node, "spec.configSource"), false);
	for (size_t i = 0; i < ARRAY_LEN(states); i++) {
		const struct path at = PATH(&config, states[i]);

		check_config(c, &at, doc_get(d, states[i]), true);
	}
}

/* ---- updates ---- */

static bool same(const struct doc *a, const struct doc *b)
{
	return a && b ? doc_equal(a, b) : a == b;
}

static void check_node_update(struct check *c, const struct doc *node, const struct doc *old)
{
	const struct path spec = PATH(NULL, "spec"), cidrs = PATH(&spec, "podCIDRs"),
			  id = PATH(&spec, "providerID"), external = PATH(&spec, "externalID"),
			  status = PATH(NULL, "status"), addresses = PATH(&status, "addresses");
	const struct doc *s = doc_get(node, "spec"), *o = doc_get(old, "spec"),
			 *list = doc_find(node, "status.addresses");

	for (size_t i = 0; i < doc_len(list); i++) {
		const struct path at = PATH_INDEX(&addresses, i);

		for (size_t j = 0; j < i; j++)
			if (doc_equal(doc_at(list, i), doc_at(list, j))) {
				check_duplicate(c, &at, doc_at(list, i));
				break;
			}
	}
	if (doc_len(doc_get(o, "podCIDRs")) > 0 &&
	    !same(doc_get(s, "podCIDRs"), doc_get(o, "podCIDRs")))
		check_forbidden(c, &cidrs,
				"node updates may not change podCIDR except from \"\" to valid");
	if (doc_slice(doc_get(o, "providerID")).n > 0 &&
	    !same(doc_get(s, "providerID"), doc_get(o, "providerID")))
		check_forbidden(c, &id,
				"node updates may not change providerID except from \"\" to valid");
	check_configs(c, node);
	if (!same(doc_get(s, "externalID"), doc_get(o, "externalID")))
		check_forbidden(c, &external, "may not be updated");
}

void check_node(struct check *c, const struct doc *obj, const char *sub)
{
	/* Upstream tells the taints below metadata. */
	const struct path meta = PATH(NULL, "metadata"), taints = PATH(&meta, "taints"),
			  spec = PATH(NULL, "spec"), cidrs = PATH(&spec, "podCIDRs"),
			  status = PATH(NULL, "status"), capacity = PATH(&status, "capacity"),
			  allocatable = PATH(&status, "allocatable");

	(void)sub;
	check_taints(c, &taints, doc_find(obj, "spec.taints"));
	check_amounts(c, &capacity, doc_find(obj, "status.capacity"));
	check_amounts(c, &allocatable, doc_find(obj, "status.allocatable"));
	if (c->old)
		check_node_update(c, obj, c->old);
	else
		check_families(c, &cidrs, doc_find(obj, "spec.podCIDRs"), NULL, "CIDR");
}
