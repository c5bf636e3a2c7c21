/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of resizing a running Pod: cpu and memory, of what keeps running, within its QoS class. */
#include "api/check-annotations.h"
#include "api/check-pod-change.h"
#include "api/quantity.h"

static const char *const measured[] = { "cpu", "memory" };

/* ---- QoS class ---- */

struct qos_sum {
	struct quantity requests[2], limits[2];
	bool bounded; /* all have limits of both */
};

static struct quantity amount(const struct doc *resources, const char *list, const char *name)
{
	const struct doc *v = doc_get(doc_get(resources, list), name);
	struct quantity q = { 0 };

	if (v)
		(void)quantity_parse(doc_slice(v), &q);
	return q;
}

static void add_resources(struct qos_sum *sum, const struct doc *resources)
{
	for (size_t i = 0; i < ARRAY_LEN(measured); i++) {
		struct quantity r = amount(resources, "requests", measured[i]),
				l = amount(resources, "limits", measured[i]);

		quantity_add(&sum->requests[i], &r);
		quantity_add(&sum->limits[i], &l);
		sum->bounded &= l.nano > 0;
	}
}

static const char *qos_class(const struct doc *spec)
{
	struct qos_sum sum = { .bounded = true };
	const struct doc *own = doc_get(spec, "resources");
	bool any = false, equal = true;

	if (doc_len(doc_get(own, "requests")) + doc_len(doc_get(own, "limits")) > 0) {
		add_resources(&sum, own);
	} else {
		DOC_EACH (k, doc_get(spec, "containers"))
			add_resources(&sum, doc_get(k, "resources"));
		DOC_EACH (init, doc_get(spec, "initContainers"))
			add_resources(&sum, doc_get(init, "resources"));
	}
	for (size_t i = 0; i < ARRAY_LEN(measured); i++) {
		any |= sum.requests[i].nano > 0 || sum.limits[i].nano > 0;
		equal &= quantity_cmp(&sum.requests[i], &sum.limits[i]) == 0;
	}
	if (!any)
		return "BestEffort";
	return sum.bounded && equal ? "Guaranteed" : "Burstable";
}

/* ---- what may change ---- */

static bool is_removed(const struct doc *now, const struct doc *old)
{
	DOC_EACH_MEMBER (key, value, old) {
		(void)value;
		if (!doc_getn(now, doc_slice(key)))
			return true;
	}
	return false;
}

static void check_kept(struct check *c, const struct path *p, const struct doc *now,
		       const struct doc *old)
{
	static const char *const fields[] = { "requests", "limits" };

	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		const struct path at = PATH(p, fields[i]);

		if (is_removed(doc_get(now, fields[i]), doc_get(old, fields[i])))
			check_forbidden(c, &at, "resource %s cannot be removed", fields[i]);
	}
}

/* obj's cpu and memory as old has them. */
static void keep_measured(struct check *c, struct doc *obj, const struct doc *old)
{
	static const char *const fields[] = { "requests", "limits" };
	struct doc *resources = doc_get(obj, "resources");

	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		struct doc *list = doc_get(resources, fields[i]);
		const struct doc *was = doc_get(doc_get(old, "resources"), fields[i]);

		for (size_t k = 0; list && k < ARRAY_LEN(measured); k++)
			take_over(c, list, measured[k], was);
		if (doc_is(list, DOC_OBJECT) && list->n == 0)
			(void)doc_remove(resources, fields[i]);
	}
	if (doc_is(resources, DOC_OBJECT) && resources->n == 0 && !doc_get(old, "resources"))
		(void)doc_remove(obj, "resources");
}

static void check_list(struct check *c, const struct path *p, struct doc *spec,
		       const struct doc *old, bool init)
{
	const char *name = init ? "initContainers" : "containers";
	const struct path list = PATH(p, name);
	const struct doc *was = doc_get(old, name);
	struct doc *now = doc_get(spec, name);

	for (size_t i = 0; i < MIN(doc_len(now), doc_len(was)); i++) {
		const struct path at = PATH_INDEX(&list, i), resources = PATH(&at, "resources");
		struct doc *k = doc_at(now, i);
		const struct doc *o = doc_at(was, i);
		bool stays = !init || doc_str_is(doc_get(o, "restartPolicy"), "Always");

		if (stays) {
			check_kept(c, &resources, doc_get(k, "resources"), doc_get(o, "resources"));
			keep_measured(c, k, o);
			take_over(c, k, "resizePolicy", o);
		}
		if (!doc_equal(k, o))
			check_forbidden(c, p, "%s",
					!stays ? "resources for non-sidecar init containers are "
						 "immutable"
					: init ? "only cpu and memory resources for sidecar "
						 "containers are mutable"
					       : "only cpu and memory resources are mutable");
	}
}

/* A node that knows of resizing tells the resources of what runs. */
static bool node_resizes(const struct doc *pod)
{
	DOC_EACH (s, doc_find(pod, "status.containerStatuses"))
		if (doc_find(s, "state.running"))
			return doc_get(s, "resources");
	return true;
}

bool check_no_resize(struct check *c, const struct doc *pod)
{
	const char *why = NULL;

	(void)pod;
	if (pod_is_mirror(c->old))
		why = "static pods cannot be resized";
	else if (doc_str_is(doc_find(c->old, "spec.os.name"), "windows"))
		why = "windows pods cannot be resized";
	if (why)
		check_forbidden(c, NULL, "%s", why);
	return why;
}

void check_pod_resize(struct check *c, const struct doc *pod)
{
	const struct path p = PATH(NULL, "spec"), resources = PATH(&p, "resources");
	const struct doc *old = doc_get(c->old, "spec"), *was = doc_find(c->old, "status.qosClass");
	struct doc *spec = doc_copy_shared(c->a, doc_get(pod, "spec"));
	const char *class = was ? doc_cstr(c->a, was) : qos_class(old);
	unsigned before = c->n;

	if (!spec || !class)
		return;
	if (strcmp(class, qos_class(spec)) != 0)
		check_invalid(c, &p, doc_find(pod, "status.qosClass"),
			      "Pod QOS Class may not change as a result of resizing");
	if (!node_resizes(c->old))
		check_forbidden(c, &p, "Pod running on node without support for resize");
	if (doc_get(old, "resources"))
		check_kept(c, &resources, doc_get(spec, "resources"), doc_get(old, "resources"));
	check_list(c, &p, spec, old, true);
	check_list(c, &p, spec, old, false);
	keep_measured(c, spec, old);
	if (!check_failed_below(c, before) && !doc_equal(spec, old))
		check_forbidden(c, &p, "only cpu and memory resources are mutable");
}
