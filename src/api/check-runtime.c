/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of node.k8s.io/v1. */
#include "api/check-parts.h"
#include "api/check-pod.h"

static void check_overhead(struct check *c, const struct path *p, const struct doc *fixed)
{
	const struct path limits = PATH(p, "limits");

	DOC_EACH_MEMBER (key, value, fixed) {
		const struct path at = PATH_KEY(&limits, doc_slice(key));

		check_resource_quantity(c, &at, doc_slice(key), value);
	}
}

static void check_runtime_class(struct check *c, const struct doc *obj, const char *sub)
{
	static const char *const fixed[] = { "handler", NULL };
	const struct path overhead = PATH(NULL, "overhead"), scheduling = PATH(NULL, "scheduling"),
			  nodes = PATH(&scheduling, "nodeSelector"),
			  tolerations = PATH(&scheduling, "tolerations");

	(void)sub;
	if (c->old) {
		part_immutable(c, NULL, obj, c->old, fixed);
		return;
	}
	part_form(c, NULL, obj, "handler", form_dns_label);
	check_overhead(c, &overhead, doc_find(obj, "overhead.podFixed"));
	check_labels(c, &nodes, doc_find(obj, "scheduling.nodeSelector"));
	check_tolerations(c, &tolerations, doc_find(obj, "scheduling.tolerations"));
}

const struct check_kind check_runtime[] = {
	{ "node.k8s.io", "RuntimeClass", check_runtime_class, NULL },
	{ NULL, NULL, NULL, NULL },
};
