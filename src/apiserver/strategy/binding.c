/* SPDX-License-Identifier: Apache-2.0 */
/* pods/binding: a pod gets its node. */
#include "apiserver/strategy/strategy-private.h"

#define CANNOT "Operation cannot be fulfilled on "

/* uid and resourceVersion of the binding are those that the pod must have. */
static int check_precondition(const struct doc *pod, const struct doc *binding, const char *field,
			      const char *what, const char *where, struct err *err)
{
	const struct slice want = strategy_text(doc_get(binding, "metadata"), field),
			   have = strategy_text(doc_get(pod, "metadata"), field),
			   name = strategy_text(pod, "metadata.name"),
			   namespace = strategy_text(pod, "metadata.namespace");

	if (want.n == 0 || slice_eq(want, have))
		return 0;
	return err_set(err, ERR_CONFLICT,
		       CANNOT "pods \"%.*s\": StorageError: invalid object, Code: 4, Key: "
			      "/registry/pods/%.*s/%.*s, ResourceVersion: 0, AdditionalErrorMsg: "
			      "Precondition failed: %s in precondition: %.*s, %s in %s: %.*s",
		       (int)name.n, name.p, (int)namespace.n, namespace.p, (int)name.n, name.p,
		       what, (int)want.n, want.p, what, where, (int)have.n, have.p);
}

static int check_pod(const struct doc *pod, struct err *err)
{
	const struct slice name = strategy_text(pod, "metadata.name"),
			   node = strategy_text(pod, "spec.nodeName");
	const int n = (int)name.n;

	if (doc_find(pod, "metadata.deletionTimestamp"))
		return err_set(err, ERR_CONFLICT,
			       CANNOT "pods/binding \"%.*s\": pod %.*s is being deleted, cannot be "
				      "assigned to a host",
			       n, name.p, n, name.p);
	if (node.n > 0)
		return err_set(err, ERR_CONFLICT,
			       CANNOT "pods/binding \"%.*s\": pod %.*s is already assigned to node "
				      "\"%.*s\"",
			       n, name.p, n, name.p, (int)node.n, node.p);
	if (doc_len(doc_find(pod, "spec.schedulingGates")) > 0)
		return err_set(err, ERR_CONFLICT,
			       CANNOT "pods/binding \"%.*s\": pod %.*s has non-empty "
				      ".spec.schedulingGates",
			       n, name.p, n, name.p);
	return 0;
}

static void copy_map(struct strategy_call *c, struct doc *pod, const struct doc *from,
		     const char *path)
{
	struct doc *map = doc_find(pod, path);

	if (doc_len(from) == 0)
		return;
	if (!map)
		map = strategy_set(c, pod, path, doc_object());
	DOC_EACH_MEMBER (key, value, from) {
		const char *name = arena_strndup(c->a, key->s, key->n);

		if (name)
			strategy_map_put(c->a, map, name, *value, false);
	}
}

int binding_set(struct strategy_call *c, struct doc *pod, const struct doc *binding,
		struct err *err)
{
	const struct doc *copy = doc_copy_shared(c->a, pod),
			 *node = doc_find(binding, "target.name");
	int r = check_precondition(pod, binding, "uid", "UID", "object meta", err);

	if (r == 0)
		r = check_precondition(pod, binding, "resourceVersion", "ResourceVersion",
				       "object meta", err);
	if (r == 0)
		r = check_pod(pod, err);
	if (r < 0)
		return r;
	if (!copy)
		return arena_quota(c->a, err);
	*pod = *copy;
	(void)strategy_set(c, pod, "spec.nodeName", node ? *node : DOC_LIT(""));
	(void)strategy_drop(pod, "status.nominatedNodeName");
	copy_map(c, pod, doc_find(binding, "metadata.annotations"), "metadata.annotations");
	copy_map(c, pod, doc_find(binding, "metadata.labels"), "metadata.labels");
	strategy_pod_condition(c, pod, "PodScheduled", "True", NULL, NULL);
	return arena_exceeded(c->a) ? arena_quota(c->a, err) : 0;
}
