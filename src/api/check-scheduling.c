/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of scheduling.k8s.io/v1. */
#include "api/check-parts.h"

#define USER_PRIORITY_MAX 1000000000

static const struct {
	const char *name;
	int64_t value;
} system_classes[] = {
	{ "system-node-critical", 2000001000 },
	{ "system-cluster-critical", 2000000000 },
};

/* Why a class may not have a name of the system's; NULL = it may. */
static const char *why_not(const struct doc *obj)
{
	const struct doc *name = doc_find(obj, "metadata.name");

	for (size_t i = 0; i < ARRAY_LEN(system_classes); i++) {
		if (!doc_str_is(name, system_classes[i].name))
			continue;
		if (part_number(obj, "value") != system_classes[i].value)
			return i == 0 ? "value of system-node-critical PriorityClass must be "
					"2000001000"
				      : "value of system-cluster-critical PriorityClass must be "
					"2000000000";
		if (doc_true(doc_get(obj, "globalDefault")))
			return i == 0 ? "globalDefault of system-node-critical PriorityClass must "
					"be false"
				      : "globalDefault of system-cluster-critical PriorityClass "
					"must be false";
		return NULL;
	}
	return "it is not a known system priority class";
}

static void check_priority_class(struct check *c, const struct doc *obj, const char *sub)
{
	static const char *const fixed[] = { "preemptionPolicy", NULL };
	const struct path meta = PATH(NULL, "metadata");
	const struct doc *name = doc_find(obj, "metadata.name");
	const char *why;

	(void)sub;
	if (c->old) {
		if (!part_same(obj, c->old, "value"))
			part_forbidden(c, NULL, "value", "may not be changed in an update.");
		part_immutable(c, NULL, obj, c->old, fixed);
		return;
	}
	if (slice_starts(doc_slice(name), SLICE("system-"))) {
		why = why_not(obj);
		if (why)
			part_forbidden(c, &meta, "name",
				       "priority class names with 'system-' prefix are reserved "
				       "for system use only. error: %s",
				       why);
	} else if (part_number(obj, "value") > USER_PRIORITY_MAX) {
		part_forbidden(c, NULL, "value",
			       "maximum allowed value of a user defined priority is %d",
			       USER_PRIORITY_MAX);
	}
}

const struct check_kind check_scheduling[] = {
	{ "scheduling.k8s.io", "PriorityClass", check_priority_class, NULL },
	{ NULL, NULL, NULL, NULL },
};
