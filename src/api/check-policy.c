/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of policy/v1. */
#include "api/check-parts.h"

static void check_budget(struct check *c, const struct doc *obj, const char *sub)
{
	static const char *const counts[] = { "disruptionsAllowed", "currentHealthy",
					      "desiredHealthy", "expectedPods", NULL };
	static const char *const policies[] = { "AlwaysAllow", "IfHealthyBudget", NULL };
	const struct path p = PATH(NULL, "spec"), least = PATH(&p, "minAvailable"),
			  most = PATH(&p, "maxUnavailable"), status = PATH(NULL, "status"),
			  conditions = PATH(&status, "conditions");
	const struct doc *spec = doc_get(obj, "spec");

	if (strcmp(sub, "status") == 0) {
		part_conditions(c, &conditions, doc_find(obj, "status.conditions"));
		part_not_negative(c, &status, doc_get(obj, "status"), counts);
		return;
	}
	if (part_set(spec, "minAvailable") && part_set(spec, "maxUnavailable"))
		check_invalid(c, &p, spec, "minAvailable and maxUnavailable cannot be both set");
	check_int_or_percent(c, &least, doc_get(spec, "minAvailable"), true);
	check_int_or_percent(c, &most, doc_get(spec, "maxUnavailable"), true);
	part_selector(c, &p, spec, "selector");
	part_maybe_one_of(c, &p, spec, "unhealthyPodEvictionPolicy", policies);
}

const struct check_kind check_policy[] = {
	{ "policy", "PodDisruptionBudget", check_budget, NULL, .own_values = true },
	{ NULL, NULL, NULL, NULL },
};
