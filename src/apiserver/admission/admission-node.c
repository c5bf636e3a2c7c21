/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NodeRestriction: what nodes write is their own. The Node authorizer says which objects a node may
 * touch at all; this, what it may make of them: no labels by which others keep work apart, no taint
 * taken off, no pod that would give it more to read, no token but of its pods.
 * Spec: Kubernetes' documentation, "NodeRestriction".
 */
#include "apiserver/admission/admission-private.h"

#include "apiserver/auth/node-graph.h"
#include "base/err.h"
#include "base/hash.h"
#include "crypto/x509.h"

#define MIRROR "kubernetes.io/config.mirror"
#define LEASES "kube-node-lease"
#define RESTRICTED "node-restriction.kubernetes.io"

struct restricted {
	struct admission_call *c;
	const char *node;
	struct err *err;
};

/* ---- pods ---- */

/* The pod that a request is about, which has to be there. */
static int find_pod(struct restricted *x, const char *name, struct doc **ret)
{
	struct status_about about = { .resource = "pods" };

	*ret = admit_get(x->c, "", "pods", x->c->ns, slice_str(name));
	if (*ret)
		return 0;
	*x->c->about = about;
	return status_not_found(x->err, x->c->about, name);
}

static bool is_bound(const struct restricted *x, const struct doc *pod)
{
	return doc_str_is(doc_find(pod, "spec.nodeName"), x->node);
}

static int check_owner(struct restricted *x)
{
	const struct doc *list = doc_find(x->c->obj, "metadata.ownerReferences"), *o;
	const struct doc *node;

	if (doc_len(list) > 1)
		return admit_refuse(x->c, x->err,
				    "node \"%s\" can only create pods with a single owner "
				    "reference set to itself",
				    x->node);
	o = doc_at(list, 0);
	if (!o || !doc_str_is(doc_get(o, "apiVersion"), "v1") ||
	    !doc_str_is(doc_get(o, "kind"), "Node") || !doc_str_is(doc_get(o, "name"), x->node))
		return admit_refuse(x->c, x->err,
				    "node \"%s\" can only create pods with an owner reference set "
				    "to itself",
				    x->node);
	if (!doc_true(doc_get(o, "controller")))
		return admit_refuse(x->c, x->err,
				    "node \"%s\" can only create pods with a controller owner "
				    "reference set to itself",
				    x->node);
	if (doc_true(doc_get(o, "blockOwnerDeletion")))
		return admit_refuse(x->c, x->err,
				    "node \"%s\" must not set blockOwnerDeletion on an owner "
				    "reference",
				    x->node);
	node = admit_get(x->c, "", "nodes", "", slice_str(x->node));
	if (!node) {
		*x->c->about = (struct status_about){ .resource = "nodes" };
		return status_not_found(x->err, x->c->about, x->node);
	}
	if (strcmp(admit_text(x->c, o, "uid"), admit_text(x->c, node, "metadata.uid")) == 0)
		return 0;
	return admit_refuse(x->c, x->err, "node %s UID mismatch: expected %s got %s", x->node,
			    admit_text(x->c, o, "uid"), admit_text(x->c, node, "metadata.uid"));
}

static void find_ref(void *arg, enum pod_ref what, struct slice name)
{
	(void)name;
	*(enum pod_ref *)arg = what;
}

/* A pod that refers to objects would let its node read them. */
static int check_refs(struct restricted *x)
{
	static const struct {
		enum pod_ref what;
		const char *name;
	} names[] = {
		{ POD_REF_ACCOUNT, "a service account" },
		{ POD_REF_SECRET, "secrets" },
		{ POD_REF_CONFIG_MAP, "configmaps" },
		{ POD_REF_CLAIM, "persistentvolumeclaims" },
		{ POD_REF_RESOURCE_CLAIM, "resourceclaims" },
		{ POD_REF_TRUST_BUNDLE, "clustertrustbundles" },
	};
	enum pod_ref any = 0;

	pod_refs_each(x->c->obj, find_ref, &any);
	if (!any && doc_len(doc_find(x->c->obj, "spec.resourceClaims")))
		any = POD_REF_RESOURCE_CLAIM; /* of a template */
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (any == names[i].what)
			return admit_refuse(x->c, x->err,
					    "node \"%s\" can not create pods that reference %s",
					    x->node, names[i].name);
	return 0;
}

static int create_pod(struct restricted *x)
{
	if (!doc_get(doc_find(x->c->obj, "metadata.annotations"), MIRROR))
		return admit_refuse(x->c, x->err,
				    "pod does not have \"" MIRROR "\" annotation, node \"%s\" can "
				    "only create mirror pods",
				    x->node);
	if (!is_bound(x, x->c->obj))
		return admit_refuse(x->c, x->err,
				    "node \"%s\" can only create pods with spec.nodeName set to "
				    "itself",
				    x->node);
	return check_owner(x) < 0 ? err_ret(x->err) : check_refs(x);
}

static int pod_status(struct restricted *x)
{
	static const struct {
		const char *path, *what;
	} kept[] = {
		{ "metadata.labels", "update labels through pod status" },
		{ "status.resourceClaimStatuses", "update resource claim statuses" },
		{ "status.extendedResourceClaimStatus", "update extended resource claim status" },
	};

	if (!is_bound(x, x->c->old))
		return admit_refuse(x->c, x->err,
				    "node \"%s\" can only update pod status for pods with "
				    "spec.nodeName set to itself",
				    x->node);
	for (size_t i = 0; i < ARRAY_LEN(kept); i++)
		if (!strategy_same_at(x->c->obj, x->c->old, kept[i].path))
			return admit_refuse(x->c, x->err, "node \"%s\" can not %s", x->node,
					    kept[i].what);
	return 0;
}

static int pods(struct restricted *x)
{
	const char *sub = x->c->sub;

	if (strcmp(sub, "status") == 0)
		return pod_status(x);
	if (x->c->op == ADMISSION_DELETE && strcmp(sub, "eviction") == 0)
		return is_bound(x, x->c->old)
			       ? 0
			       : admit_refuse(x->c, x->err,
					      "node %s can only evict pods with spec.nodeName set "
					      "to itself",
					      x->node);
	if (*sub)
		return admit_refuse(x->c, x->err,
				    "unexpected pod subresource \"%s\", only 'status' and "
				    "'eviction' are allowed",
				    sub);
	if (x->c->op == ADMISSION_CREATE)
		return create_pod(x);
	if (x->c->op == ADMISSION_UPDATE)
		return admit_refuse(x->c, x->err,
				    "unexpected operation \"UPDATE\", node \"%s\" can only create "
				    "and delete mirror pods",
				    x->node);
	if (is_bound(x, x->c->old))
		return 0;
	return admit_refuse(x->c, x->err,
			    "node \"%s\" can only delete pods with spec.nodeName set to itself",
			    x->node);
}

/* ---- the Node ---- */

/* "a", or anything that ends with ".a". */
static bool is_below(struct slice s, const char *domain)
{
	const size_t n = strlen(domain);

	return slice_is(s, domain) ||
	       (s.n > n && s.p[s.n - n - 1] == '.' && memcmp(s.p + s.n - n, domain, n) == 0);
}

static bool is_forbidden_label(struct slice label)
{
	static const char *const own[] = {
		"beta.kubernetes.io/arch",
		"beta.kubernetes.io/instance-type",
		"beta.kubernetes.io/os",
		"failure-domain.beta.kubernetes.io/region",
		"failure-domain.beta.kubernetes.io/zone",
		"kubernetes.io/arch",
		"kubernetes.io/hostname",
		"kubernetes.io/os",
		"node.kubernetes.io/instance-type",
		"topology.kubernetes.io/region",
		"topology.kubernetes.io/zone",
	};
	const char *slash = !label.n ? NULL : memchr(label.p, '/', label.n);
	const struct slice domain =
		slash ? slice_of(label.p, (size_t)(slash - label.p)) : SLICE("");

	if (is_below(domain, RESTRICTED))
		return true;
	if (!is_below(domain, "kubernetes.io") && !is_below(domain, "k8s.io"))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		if (slice_is(label, own[i]))
			return false;
	return !is_below(domain, "kubelet.kubernetes.io") &&
	       !is_below(domain, "node.kubernetes.io");
}

/* Those that one has and the other has not, or otherwise. */
static void find_forbidden(const struct doc *of, const struct doc *other, bool once,
			   struct buf *out)
{
	DOC_EACH_MEMBER (key, value, of) {
		const struct slice label = doc_slice(key);
		const struct doc *v = doc_getn(other, label);

		if ((v && (once || doc_equal(v, value))) || !is_forbidden_label(label))
			continue;
		(void)buf_addf(out, "%s%.*s", out->n ? ", " : "", (int)label.n, label.p);
	}
}

static int check_own_labels(struct restricted *x)
{
	const struct doc *now = doc_find(x->c->obj, "metadata.labels");
	const struct doc *was = doc_find(x->c->old, "metadata.labels");
	CLEANUP(buf_fini) struct buf list = BUF_INIT(4096);

	find_forbidden(now, was, false, &list);
	find_forbidden(was, now, true, &list);
	if (!list.n)
		return 0;
	if (x->c->old)
		return admit_refuse(x->c, x->err, "is not allowed to modify labels: %s",
				    buf_str(&list));
	return admit_refuse(x->c, x->err,
			    "node \"%s\" is not allowed to set the following labels: %s", x->node,
			    buf_str(&list));
}

static int nodes(struct restricted *x)
{
	struct admission_call *c = x->c;
	const char *name =
		c->op == ADMISSION_CREATE ? admit_text(c, c->obj, "metadata.name") : c->name;

	if (strcmp(*name ? name : c->name, x->node) != 0)
		return admit_refuse(c, x->err, "node \"%s\" is not allowed to modify node \"%s\"",
				    x->node, *name ? name : c->name);
	if (c->op == ADMISSION_DELETE)
		return 0;
	if (!strategy_same_at(c->obj, c->old, "spec.configSource") &&
	    doc_find(c->obj, "spec.configSource"))
		return admit_refuse(c, x->err,
				    "node \"%s\" is not allowed to update configSource to a new "
				    "non-nil configSource",
				    x->node);
	if (c->op == ADMISSION_UPDATE && !strategy_same_at(c->obj, c->old, "spec.taints"))
		return admit_refuse(c, x->err, "node \"%s\" is not allowed to modify taints",
				    x->node);
	/* By an owner that is not there a node would be collected as garbage, and come back anew.
	 */
	if (!strategy_same_at(c->obj, c->old, "metadata.ownerReferences"))
		return admit_refuse(
			c, x->err, "node \"%s\" is not allowed to modify ownerReferences", x->node);
	return check_own_labels(x);
}

/* ---- claims ---- */

/* All but what nodes tell of a claim's size is as it was. */
static int claims(struct restricted *x)
{
	static const char *const theirs[] = { "metadata.managedFields",
					      "metadata.resourceVersion",
					      "status.allocatedResourceStatuses",
					      "status.allocatedResources",
					      "status.capacity",
					      "status.conditions",
					      "status.currentVolumeAttributesClassName",
					      "status.modifyVolumeStatus" };
	struct arena *a = x->c->sc->a;
	struct doc *now, *was;

	if (strcmp(x->c->sub, "status") != 0)
		return admit_refuse(x->c, x->err, "may only update PVC status");
	now = doc_copy_shared(a, x->c->obj);
	was = doc_copy_shared(a, x->c->old);
	if (!now || !was)
		return arena_quota(a, x->err);
	for (size_t i = 0; i < ARRAY_LEN(theirs); i++) {
		(void)strategy_drop(now, theirs[i]);
		(void)strategy_drop(was, theirs[i]);
	}
	if (strategy_same(now, was))
		return 0;
	return admit_refuse(x->c, x->err,
			    "node \"%s\" is not allowed to update fields other than "
			    "status.quantity and status.conditions",
			    x->node);
}

/* ---- tokens ---- */

static int accounts(struct restricted *x)
{
	struct admission_call *c = x->c;
	const struct doc *ref = doc_find(c->obj, "spec.boundObjectRef");
	const char *name = admit_text(c, ref, "name"), *uid = admit_text(c, ref, "uid");
	struct doc *pod;

	if (c->op != ADMISSION_CREATE || strcmp(c->sub, "token") != 0)
		return 0;
	if (!doc_str_is(doc_get(ref, "apiVersion"), "v1") ||
	    !doc_str_is(doc_get(ref, "kind"), "Pod") || !*name)
		return admit_refuse(c, x->err, "node requested token not bound to a pod");
	if (!*uid)
		return admit_refuse(c, x->err,
				    "node requested token with a pod binding without a uid");
	if (find_pod(x, name, &pod) < 0)
		return err_ret(x->err);
	if (strcmp(admit_text(c, pod, "metadata.uid"), uid) != 0)
		return admit_refuse(c, x->err,
				    "the UID in the bound object reference (%s) does not match the "
				    "UID in record. The object might have been deleted and then "
				    "recreated",
				    uid);
	if (!is_bound(x, pod))
		return admit_refuse(c, x->err,
				    "node requested token bound to a pod scheduled on a different "
				    "node");
	return 0;
}

/* ---- what is called as the node ---- */

static bool is_own_name(const struct restricted *x)
{
	const struct admission_call *c = x->c;

	return c->op == ADMISSION_CREATE ? doc_str_is(doc_find(c->obj, "metadata.name"), x->node)
					 : strcmp(c->name, x->node) == 0;
}

static int leases(struct restricted *x)
{
	if (strcmp(x->c->ns, LEASES) != 0)
		return admit_refuse(x->c, x->err,
				    "can only access leases in the \"" LEASES
				    "\" system namespace");
	return is_own_name(x) ? 0
			      : admit_refuse(x->c, x->err,
					     "can only access node lease with the same name as the "
					     "requesting node");
}

static int csi_nodes(struct restricted *x)
{
	return is_own_name(x) ? 0
			      : admit_refuse(x->c, x->err,
					     "can only access CSINode with the same name as the "
					     "requesting node");
}

static int slices(struct restricted *x)
{
	static const char *const words[] = { [ADMISSION_CREATE] = "create",
					     [ADMISSION_UPDATE] = "update",
					     [ADMISSION_DELETE] = "delete" };
	const struct doc *d = x->c->op == ADMISSION_CREATE ? x->c->obj : x->c->old;

	if (doc_str_is(doc_find(d, "spec.nodeName"), x->node))
		return 0;
	return admit_refuse(x->c, x->err,
			    "can only %s ResourceSlice with the same NodeName as the requesting "
			    "node",
			    words[x->c->op]);
}

/* ---- certificates ---- */

static int certificates(struct restricted *x)
{
	struct admission_call *c = x->c;
	CLEANUP(csr_free) struct csr *csr = NULL;
	struct slice text = strategy_text(c->obj, "spec.request");
	struct err why = ERR_INIT;
	const char *cn;
	size_t n = 0;
	char *pem;

	if (c->op != ADMISSION_CREATE || *c->sub ||
	    (!strategy_is(c->obj, "spec.signerName", "kubernetes.io/kubelet-serving") &&
	     !strategy_is(c->obj, "spec.signerName",
			  "kubernetes.io/kube-apiserver-client-kubelet")))
		return 0;
	pem = arena_alloc(c->sc->a, text.n + 1);
	if (!pem)
		return arena_quota(c->sc->a, x->err);
	if (base64_decode(pem, &n, text) < 0)
		return admit_refuse(c, x->err, "unable to parse csr: it is not base64");
	if (csr_read(slice_of(pem, n), &csr, &why) < 0)
		return admit_refuse(c, x->err, "unable to parse csr: %.200s", why.msg);
	cn = csr_names(csr)->cn;
	if (cn && strcmp(cn, c->sc->user.name) == 0)
		return 0;
	return admit_refuse(c, x->err, "can only create a node CSR with CN=%s", c->sc->user.name);
}

/* ---- all ---- */

int admit_node(struct admission_call *c, struct err *err)
{
	static const struct {
		unsigned kind;
		int (*check)(struct restricted *x);
	} checks[] = {
		{ ADMIT_POD, pods },	 { ADMIT_NODE, nodes },
		{ ADMIT_CLAIM, claims }, { ADMIT_ACCOUNT, accounts },
		{ ADMIT_LEASE, leases }, { ADMIT_CSI_NODE, csi_nodes },
		{ ADMIT_SLICE, slices }, { ADMIT_CSR, certificates },
	};
	struct restricted x = { c, node_of_user(&c->sc->user), err };

	if (!x.node)
		return 0;
	if (!*x.node)
		return admit_refuse(c, err, "could not determine node from user \"%s\"",
				    c->sc->user.name);
	for (size_t i = 0; i < ARRAY_LEN(checks); i++)
		if (c->kind == checks[i].kind)
			return checks[i].check(&x);
	return 0;
}
