/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of Pods themselves: new ones, updates, the subresources; of bindings. */
#include "api/check-annotations.h"
#include "api/check-pod-change.h"

#include <ctype.h>

void take_over(struct check *c, struct doc *obj, const char *field, const struct doc *from)
{
	const struct doc *value = doc_get(from, field);

	if (value)
		(void)doc_set(c->a, obj, field, *value);
	else
		(void)doc_remove(obj, field);
}

/* ---- what all have ---- */

static void check_tokens(struct check *c, const struct path *p, const struct doc *spec)
{
	const struct path list = PATH(p, "volumes");
	const struct doc *volumes = doc_get(spec, "volumes");

	if (doc_slice(doc_get(spec, "serviceAccountName")).n > 0)
		return;
	for (size_t i = 0; i < doc_len(volumes); i++) {
		const struct path one = PATH_INDEX(&list, i), projected = PATH(&one, "projected"),
				  sources = PATH(&projected, "sources");
		const struct doc *all = doc_find(doc_at(volumes, i), "projected.sources");

		for (size_t j = 0; j < doc_len(all); j++) {
			const struct path at = PATH_INDEX(&sources, j);

			check_has_not(c, &at, doc_at(all, j), "serviceAccountToken",
				      "must not be specified when serviceAccountName is not set");
		}
	}
}

static void check_whole(struct check *c, const struct path *p, const struct doc *pod)
{
	const struct path meta = PATH(NULL, "metadata"), annotations = PATH(&meta, "annotations");
	const struct doc *spec = doc_get(pod, "spec");

	check_pod_annotations(c, &annotations, doc_find(pod, "metadata.annotations"), spec);
	check_pod_spec(c, p, spec, doc_get(pod, "metadata"), POD_IS_POD);
	check_tokens(c, p, spec);
}

static void check_new(struct check *c, const struct path *p, const struct doc *pod)
{
	const struct path node = PATH(p, "nodeName"), ephemeral = PATH(p, "ephemeralContainers");
	const struct doc *spec = doc_get(pod, "spec");

	if (doc_len(doc_get(spec, "ephemeralContainers")) > 0)
		check_forbidden(c, &ephemeral, "cannot be set on create");
	if (doc_slice(doc_get(spec, "nodeName")).n > 0 &&
	    doc_len(doc_get(spec, "schedulingGates")) > 0)
		check_forbidden(c, &node,
				"cannot be set until all schedulingGates have been "
				"cleared");
	check_profiles_match(c, p, doc_find(pod, "metadata.annotations"), spec);
}

/* ---- updates: field by field ---- */

/* False: the lists have other lengths, and nothing more is to be told. */
static bool check_images(struct check *c, const struct path *p, const struct doc *now,
			 const struct doc *old)
{
	if (doc_len(now) == doc_len(old))
		return true;
	check_forbidden(c, p, "pod updates may not add or remove containers");
	return false;
}

/* False: nothing more is to be told. */
static bool check_deadline(struct check *c, const struct path *p, const struct doc *now,
			   const struct doc *old)
{
	static const struct doc none = { .type = DOC_NULL };

	if (!now) {
		if (old)
			check_invalid(c, p, &none,
				      "must not update from a positive integer to nil value");
		return true;
	}
	if (check_number(now) < 0 || check_number(now) > INT32_MAX) {
		check_range(c, p, now, 0, INT32_MAX);
		return false;
	}
	if (!old || check_number(old) >= check_number(now))
		return true;
	check_invalid(c, p, now, "must be less than or equal to previous value");
	return false;
}

static bool same_toleration(struct check *c, const struct doc *now, const struct doc *old)
{
	struct doc *copy = doc_copy_shared(c->a, now);

	if (!copy)
		return true;
	take_over(c, copy, "tolerationSeconds", old);
	return doc_equal(copy, old);
}

static void check_added_tolerations(struct check *c, const struct path *p, const struct doc *now,
				    const struct doc *old)
{
	DOC_EACH (was, old) {
		bool found = false;

		DOC_EACH (is, now)
			found |= same_toleration(c, is, was);
		if (!found) {
			check_forbidden(c, p,
					"existing toleration can not be modified except its "
					"tolerationSeconds");
			return;
		}
	}
}

static void check_removed_gates(struct check *c, const struct path *p, const struct doc *now,
				const struct doc *old)
{
	for (size_t i = 0; i < doc_len(now); i++) {
		const struct path one = PATH_INDEX(p, i), at = PATH(&one, "name");
		const struct doc *name = doc_get(doc_at(now, i), "name");
		bool found = false;

		DOC_EACH (g, old)
			found |= doc_equal(doc_get(g, "name"), name);
		if (!found)
			check_forbidden(c, &at,
					"only deletion is allowed, but found new scheduling gate "
					"'%.*s'",
					(int)doc_slice(name).n, doc_slice(name).p);
	}
}

/* ---- updates: what a gated pod may still be told of its place ---- */

static bool begins_with(const struct doc *now, const struct doc *old)
{
	if (doc_len(now) < doc_len(old))
		return false;
	for (size_t i = 0; i < doc_len(old); i++)
		if (!doc_equal(doc_at(now, i), doc_at(old, i)))
			return false;
	return true;
}

static bool only_adds(const struct doc *now, const struct doc *old)
{
	const struct doc *e = doc_get(old, "matchExpressions"), *f = doc_get(old, "matchFields"),
			 *ne = doc_get(now, "matchExpressions"), *nf = doc_get(now, "matchFields");

	if (doc_len(e) + doc_len(f) == 0 && doc_len(ne) + doc_len(nf) > 0)
		return false;
	return begins_with(ne, e) && begins_with(nf, f);
}

#define TERMS "nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms"

static void check_more_affinity(struct check *c, const struct path *p, const struct doc *now,
				const struct doc *old)
{
	const struct path affinity = PATH(p, "affinity"), node = PATH(&affinity, "nodeAffinity"),
			  required = PATH(&node, "requiredDuringSchedulingIgnoredDuringExecution"),
			  list = PATH(&required, "nodeSelectorTerms");
	const struct doc *was = doc_find(old, TERMS), *is = doc_find(now, TERMS);

	if (doc_len(was) == 0)
		return;
	if (doc_len(was) != doc_len(is)) {
		check_invalid(c, &list, is,
			      "no additions/deletions to non-empty NodeSelectorTerms list are "
			      "allowed");
		return;
	}
	for (size_t i = 0; i < doc_len(was); i++) {
		const struct path at = PATH_INDEX(&list, i);

		if (!only_adds(doc_at(is, i), doc_at(was, i)))
			check_invalid(c, &at, doc_at(is, i),
				      "only additions are allowed (no mutations or deletions)");
	}
}

static void check_more_selector(struct check *c, const struct path *p, const struct doc *now,
				const struct doc *old)
{
	const struct path at = PATH(p, "nodeSelector");

	DOC_EACH_MEMBER (key, value, old) {
		const struct doc *v = doc_getn(now, doc_slice(key));

		if (!v || !doc_equal(v, value)) {
			check_invalid(c, &at, now,
				      "only additions to spec.nodeSelector are allowed (no "
				      "mutations or deletions)");
			return;
		}
	}
}

/* spec: a copy of the new one, which takes over what was allowed to change. */
static void check_gated(struct check *c, const struct path *p, struct doc *spec,
			const struct doc *old)
{
	const struct doc *was = doc_get(old, "affinity");
	struct doc *is;

	check_more_selector(c, p, doc_get(spec, "nodeSelector"), doc_get(old, "nodeSelector"));
	take_over(c, spec, "nodeSelector", old);
	check_more_affinity(c, p, doc_get(spec, "affinity"), was);
	is = doc_get(spec, "affinity");
	if (!is && doc_get(was, "nodeAffinity"))
		is = doc_set(c->a, spec, "affinity", doc_object());
	if (is)
		take_over(c, is, "nodeAffinity", was);
	if (is && is->n == 0 && !was)
		(void)doc_remove(spec, "affinity");
}

/* ---- updates: the rest ---- */

static void keep_images(struct check *c, struct doc *spec, const struct doc *old, const char *list)
{
	struct doc *now = doc_get(spec, list);

	for (size_t i = 0; i < doc_len(now); i++)
		take_over(c, doc_at(now, i), "image", doc_at(doc_get(old, list), i));
}

#define CHANGING                                                                                   \
	"pod updates may not change fields other than `spec.containers[*].image`,"                 \
	"`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only "    \
	"additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be " \
	"set to 1 if it was previously negative)"

static void check_rest(struct check *c, const struct path *p, const struct doc *now,
		       const struct doc *old)
{
	static const char *const free[] = { "activeDeadlineSeconds", "schedulingGates",
					    "tolerations" };
	struct doc *spec = doc_equal(now, old) ? NULL : doc_copy_shared(c->a, now);

	if (!spec)
		return;
	keep_images(c, spec, old, "containers");
	keep_images(c, spec, old, "initContainers");
	for (size_t i = 0; i < ARRAY_LEN(free); i++)
		take_over(c, spec, free[i], old);
	if (check_number(doc_get(old, "terminationGracePeriodSeconds")) < 0 &&
	    check_number(doc_get(spec, "terminationGracePeriodSeconds")) == 1)
		take_over(c, spec, "terminationGracePeriodSeconds", old);
	if (doc_len(doc_get(old, "schedulingGates")) > 0)
		check_gated(c, p, spec, old);
	if (!doc_equal(spec, old))
		check_forbidden(c, p, CHANGING);
}

static void check_update(struct check *c, const struct path *p, const struct doc *pod)
{
	const struct path containers = PATH(p, "containers"), init = PATH(p, "initContainers"),
			  deadline = PATH(p, "activeDeadlineSeconds"),
			  tolerations = PATH(p, "tolerations"), gates = PATH(p, "schedulingGates");
	const struct doc *now = doc_get(pod, "spec"), *old = doc_get(c->old, "spec");

	if (!check_images(c, &containers, doc_get(now, "containers"), doc_get(old, "containers")) ||
	    !check_images(c, &init, doc_get(now, "initContainers"),
			  doc_get(old, "initContainers")) ||
	    !check_deadline(c, &deadline, doc_get(now, "activeDeadlineSeconds"),
			    doc_get(old, "activeDeadlineSeconds")))
		return;
	check_added_tolerations(c, &tolerations, doc_get(now, "tolerations"),
				doc_get(old, "tolerations"));
	check_removed_gates(c, &gates, doc_get(now, "schedulingGates"),
			    doc_get(old, "schedulingGates"));
	check_rest(c, p, now, old);
}

/* ---- ephemeral containers ---- */

static void check_ephemeral_update(struct check *c, const struct path *p, const struct doc *pod)
{
	const struct path at = PATH(p, "ephemeralContainers");
	const struct doc *now = doc_find(pod, "spec.ephemeralContainers");

	DOC_EACH (was, doc_find(c->old, "spec.ephemeralContainers")) {
		struct slice name = doc_slice(doc_get(was, "name"));
		const struct doc *is = NULL;

		DOC_EACH (k, now)
			if (slice_eq(doc_slice(doc_get(k, "name")), name))
				is = k;
		if (!is)
			check_forbidden(c, &at,
					"existing ephemeral containers \"%.*s\" may not be removed",
					(int)name.n, name.p);
		else if (!doc_equal(is, was))
			check_forbidden(c, &at,
					"existing ephemeral containers \"%.*s\" may not be changed",
					(int)name.n, name.p);
	}
}

/* ---- the kinds ---- */

void check_pod(struct check *c, const struct doc *obj, const char *sub)
{
	const struct path p = PATH(NULL, "spec"), meta = PATH(NULL, "metadata"),
			  annotations = PATH(&meta, "annotations");
	bool ephemeral = strcmp(sub, "ephemeralcontainers") == 0,
	     resize = strcmp(sub, "resize") == 0;

	if (c->old && ephemeral && pod_is_mirror(c->old)) {
		check_forbidden(c, NULL, "static pods do not support ephemeral containers");
		return;
	}
	if (c->old && resize && check_no_resize(c, obj))
		return;
	if (c->old && !resize)
		check_annotation_updates(c, &annotations, doc_find(obj, "metadata.annotations"),
					 doc_find(c->old, "metadata.annotations"));
	if (strcmp(sub, "status") == 0) {
		check_pod_status(c, obj);
		return;
	}
	check_whole(c, &p, obj);
	if (!c->old)
		check_new(c, &p, obj);
	else if (ephemeral)
		check_ephemeral_update(c, &p, obj);
	else if (resize)
		check_pod_resize(c, obj);
	else
		check_update(c, &p, obj);
}

void check_binding(struct check *c, const struct doc *obj, const char *sub)
{
	static const char *const kinds[] = { "Node", "<empty>", NULL };
	const struct path p = PATH(NULL, "target"), kind_at = PATH(&p, "kind");
	const struct doc *target = doc_get(obj, "target"), *kind = doc_get(target, "kind");

	(void)sub;
	if (doc_slice(kind).n > 0 && !doc_str_is(kind, "Node"))
		check_unsupported(c, &kind_at, kind, kinds);
	(void)check_has(c, &p, target, "name", "");
}
