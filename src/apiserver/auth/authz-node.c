/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/auth/authz-node.h"

#include "api/selector.h"
#include "apiserver/auth/authz.h"
#include "apiserver/auth/node-graph.h"
#include "apiserver/auth/rbac-defaults.h"
#include "apiserver/auth/rbac.h"
#include "apiserver/objects/codec.h"
#include "apiserver/objects/resource.h"
#include "base/arena.h"
#include "base/err.h"
#include "doc/doc.h"

#include <stdlib.h>
#include <string.h>

#define ROLE "system:node"
#define LEASES "kube-node-lease"
#define ROLE_BYTES (4u << 20)
#define OBJECT_BYTES (4u << 20)

struct authz_node {
	struct resources *rs;
	struct node_graph *graph;
	struct rbac *rules; /* the default role, bound to the group of nodes */
};

struct asked {
	const struct authz_node *n;
	const struct authz_attrs *at;
	const char *node;
	struct buf *why;
};

static bool no(const struct asked *q, const char *why)
{
	if (q->why)
		(void)buf_adds(q->why, why);
	return false;
}

static bool is_verb(const struct asked *q, const char *const *verbs)
{
	return str_is_one_of(q->at->verb, verbs);
}
#define VERBS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static bool related(const struct asked *q, bool is)
{
	if (!is && q->why)
		(void)buf_addf(q->why, "no relationship found between node '%s' and this object",
			       q->node);
	return is;
}

/* ---- what pods refer to ---- */

static bool by_reference(const struct asked *q, enum pod_ref what)
{
	if (!*q->at->name)
		return no(q, "No Object name found");
	return related(q, node_graph_refers(q->n->graph, q->node, what, q->at->ns, q->at->name));
}

static bool read_referred(const struct asked *q, enum pod_ref what)
{
	if (!is_verb(q, VERBS("get", "list", "watch")))
		return no(q, "can only read resources of this type");
	if (*q->at->sub)
		return no(q, "cannot read subresource");
	if (!*q->at->ns)
		return no(q, "can only read namespaced object of this type");
	return by_reference(q, what);
}

/* One object, by name. */
static bool is_get(const struct asked *q)
{
	if (!is_verb(q, VERBS("get")))
		return no(q, "can only get individual resources of this type");
	if (*q->at->sub)
		return no(q, "cannot get subresource");
	return *q->at->name || no(q, "No Object name found");
}

static bool secrets(const struct asked *q)
{
	return read_referred(q, POD_REF_SECRET);
}

static bool config_maps(const struct asked *q)
{
	return read_referred(q, POD_REF_CONFIG_MAP);
}

static bool claims(const struct asked *q)
{
	if (strcmp(q->at->sub, "status") != 0)
		return is_get(q) && by_reference(q, POD_REF_CLAIM);
	if (!is_verb(q, VERBS("get", "update", "patch")))
		return no(q, "can only get/update/patch this type");
	return by_reference(q, POD_REF_CLAIM);
}

static bool volumes(const struct asked *q)
{
	return is_get(q) && related(q, node_graph_has_volume(q->n->graph, q->node, q->at->name));
}

static bool resource_claims(const struct asked *q)
{
	return is_get(q) && by_reference(q, POD_REF_RESOURCE_CLAIM);
}

static bool accounts(const struct asked *q)
{
	if (strcmp(q->at->sub, "token") == 0) {
		if (!is_verb(q, VERBS("create")) || !*q->at->name)
			return no(q, "can only create tokens for individual service accounts");
		return by_reference(q, POD_REF_ACCOUNT);
	}
	if (*q->at->sub || !is_verb(q, VERBS("get")) || !*q->at->name)
		return no(q, "can only get individual service accounts, or create tokens for them");
	return by_reference(q, POD_REF_ACCOUNT);
}

/* ---- objects that name their node ---- */

/* A text of an object that is there, read now: these are asked for seldom. */
static bool names_node(const struct asked *q, const char *group, const char *resource,
		       const char *path)
{
	CLEANUP(arena_free) struct arena *a = arena_new("object of a node", OBJECT_BYTES);
	struct item *i = resources_get(q->n->rs, group, resource, "", q->at->name);
	struct doc d;

	return i && codec_parse(i, a, &d, NULL) == 0 && doc_str_is(doc_find(&d, path), q->node);
}

static bool attachments(const struct asked *q)
{
	return is_get(q) &&
	       related(q, names_node(q, "storage.k8s.io", "volumeattachments", "spec.nodeName"));
}

static bool selects_node(const struct asked *q, const char *field)
{
	struct slice value;

	return q->at->fields && selector_requires(q->at->fields, field, &value) &&
	       slice_is(value, q->node);
}

static bool slices(const struct asked *q)
{
	if (*q->at->sub)
		return no(q, "cannot authorize ResourceSlice subresources");
	if (is_verb(q, VERBS("create")))
		return true; /* of which node: NodeRestriction */
	if (is_verb(q, VERBS("get", "update", "patch", "delete")))
		return *q->at->name ? related(q, names_node(q, "resource.k8s.io", "resourceslices",
							    "spec.nodeName"))
				    : no(q, "No Object name found");
	if (!is_verb(q, VERBS("watch", "list", "deletecollection")))
		return no(q, "only the following verbs are allowed for a ResourceSlice: create, "
			     "get, update, patch, delete, watch, list, deletecollection");
	return selects_node(q, "spec.nodeName") ||
	       no(q, "can only list/watch/deletecollection resourceslices with nodeName field "
		     "selector");
}

/* ---- of the node's own name ---- */

static bool leases(const struct asked *q)
{
	if (!is_verb(q, VERBS("get", "create", "update", "patch", "delete")))
		return no(q, "can only get, create, update, patch, or delete a node lease");
	if (strcmp(q->at->ns, LEASES) != 0)
		return no(q, "can only access leases in the \"" LEASES "\" system namespace");
	if (is_verb(q, VERBS("create"))) /* it has no name yet */
		return true;
	return strcmp(q->at->name, q->node) == 0 ||
	       no(q, "can only access node lease with the same name as the requesting node");
}

static bool csi_nodes(const struct asked *q)
{
	if (!is_verb(q, VERBS("get", "create", "update", "patch", "delete")))
		return no(q, "can only get, create, update, patch, or delete a CSINode");
	if (*q->at->sub)
		return no(q, "cannot authorize CSINode subresources");
	if (is_verb(q, VERBS("create")))
		return true;
	return strcmp(q->at->name, q->node) == 0 ||
	       no(q, "can only access CSINode with the same name as the requesting node");
}

static bool nodes(const struct asked *q)
{
	if (strcmp(q->at->sub, "status") == 0)
		return is_verb(q, VERBS("update", "patch"));
	if (*q->at->sub)
		return false;
	if (is_verb(q, VERBS("create", "update", "patch")))
		return true;
	if (!is_verb(q, VERBS("get", "list", "watch")))
		return false;
	/* By name, not by the graph: an agent asks before its Node is there. */
	if (strcmp(q->at->name, q->node) == 0)
		return true;
	if (q->why && *q->at->name)
		(void)buf_addf(q->why, "node '%s' cannot read '%s', only its own Node object",
			       q->node, q->at->name);
	else if (q->why)
		(void)buf_addf(q->why, "node '%s' cannot read all nodes, only its own Node object",
			       q->node);
	return false;
}

static bool pods(const struct asked *q)
{
	if (strcmp(q->at->sub, "status") == 0)
		return is_verb(q, VERBS("update", "patch"));
	if (strcmp(q->at->sub, "eviction") == 0)
		return is_verb(q, VERBS("create"));
	if (*q->at->sub)
		return false;
	if (is_verb(q, VERBS("create", "delete")))
		return true;
	if (!is_verb(q, VERBS("get", "list", "watch")))
		return false;
	if (*q->at->verb != 'g' && selects_node(q, "spec.nodeName"))
		return true;
	if (*q->at->name)
		return related(q, node_graph_has_pod(q->n->graph, q->node, q->at->ns, q->at->name));
	return no(q, *q->at->verb == 'g'
			     ? "No Object name found"
			     : "can only list/watch pods with spec.nodeName field selector");
}

/* ---- all ---- */

static const struct {
	const char *group, *resource;
	bool (*allows)(const struct asked *q);
} divided[] = {
	{ "", "secrets", secrets },
	{ "", "configmaps", config_maps },
	{ "", "persistentvolumeclaims", claims },
	{ "", "persistentvolumes", volumes },
	{ "resource.k8s.io", "resourceclaims", resource_claims },
	{ "storage.k8s.io", "volumeattachments", attachments },
	{ "", "serviceaccounts", accounts },
	{ "coordination.k8s.io", "leases", leases },
	{ "storage.k8s.io", "csinodes", csi_nodes },
	{ "resource.k8s.io", "resourceslices", slices },
	{ "", "nodes", nodes },
	{ "", "pods", pods },
};

bool authz_node_allows(const struct authz_node *n, const struct authz_attrs *at, struct buf *why)
{
	const struct asked q = { n, at, node_of_user(at->user), why };

	if (!q.node)
		return false;
	if (!*q.node) {
		if (why)
			(void)buf_addf(why, "unknown node for user \"%s\"", at->user->name);
		return false;
	}
	for (size_t i = 0; at->resource_request && i < ARRAY_LEN(divided); i++)
		if (strcmp(at->resource, divided[i].resource) == 0 &&
		    strcmp(at->group, divided[i].group) == 0)
			return divided[i].allows(&q);
	return rbac_allows(n->rules, at, NULL);
}

/* ---- life ---- */

static int add_role(struct rbac *rules, struct arena *a, struct err *err)
{
	enum rbac_default_kind kind;
	struct doc d = doc_null();
	struct doc *ref, *subject;
	size_t i = 0;
	int r = 0;

	for (; r == 0 && i < rbac_defaults_count(); i++) {
		r = rbac_default(i, a, &kind, &d, err);
		if (r == 0 && kind == RBAC_CLUSTER_ROLE &&
		    doc_str_is(doc_find(&d, "metadata.name"), ROLE))
			break;
	}
	if (r == 0)
		r = rbac_set_role(rules, &d, err);
	if (r < 0)
		return r;
	d = doc_object();
	doc_set_str(a, doc_set_object(a, &d, "metadata"), "name", ROLE);
	ref = doc_set_object(a, &d, "roleRef");
	doc_set_str(a, ref, "kind", "ClusterRole");
	doc_set_str(a, ref, "name", ROLE);
	subject = doc_append_object(a, doc_set_array(a, &d, "subjects"));
	doc_set_str(a, subject, "kind", "Group");
	doc_set_str(a, subject, "name", "system:nodes");
	return arena_exceeded(a) ? arena_quota(a, err) : rbac_set_binding(rules, &d, err);
}

int authz_node_new(struct resources *rs, struct authz_node **ret, struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("role of nodes", ROLE_BYTES);
	CLEANUP(authz_node_free) struct authz_node *n = calloc(1, sizeof(*n));

	if (!n)
		abort();
	n->rs = rs;
	n->rules = rbac_new();
	if (add_role(n->rules, a, err) < 0 || node_graph_new(rs, &n->graph, err) < 0)
		return err_ret(err);
	*ret = STEAL(n);
	return 0;
}

void authz_node_free(struct authz_node *n)
{
	if (!n)
		return;
	node_graph_free(n->graph);
	rbac_free(n->rules);
	free(n);
}
