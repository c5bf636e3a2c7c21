/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of coordination.k8s.io/v1. */
#include "api/check-parts.h"

static void check_lease(struct check *c, const struct doc *obj, const char *sub)
{
	static const char *const strategies[] = { "OldestEmulationVersion", NULL };
	const struct path p = PATH(NULL, "spec"), at = PATH(&p, "strategy");
	const struct doc *spec = doc_get(obj, "spec"), *strategy = doc_get(spec, "strategy");

	(void)sub;
	if (part_set(spec, "leaseDurationSeconds") &&
	    part_number(spec, "leaseDurationSeconds") <= 0)
		part_invalid(c, &p, spec, "leaseDurationSeconds", "must be greater than 0");
	if (part_number(spec, "leaseTransitions") < 0)
		part_invalid(c, &p, spec, "leaseTransitions", "must be greater than or equal to 0");
	/* upstream tells of a strategy one level below itself */
	if (strategy && !(strategy->n && memchr(strategy->s, '/', strategy->n)))
		part_maybe_one_of(c, &at, spec, "strategy", strategies);
	else if (strategy)
		part_form(c, &at, spec, "strategy", form_qualified_name);
	if (part_full(spec, "preferredHolder") && !part_full(spec, "strategy"))
		part_forbidden(c, &p, "preferredHolder",
			       "may only be specified if `strategy` is defined");
}

const struct check_kind check_coordination[] = {
	{ "coordination.k8s.io", "Lease", check_lease, NULL },
	{ NULL, NULL, NULL, NULL },
};
