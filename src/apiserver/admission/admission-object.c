/* SPDX-License-Identifier: Apache-2.0 */
/* Defaults and protection of nodes, claims, volumes, ingresses; what services may not have. */
#include "apiserver/admission/admission-private.h"

#include "api/volume-protect.h"
#include "base/err.h"

#define NOT_READY "node.kubernetes.io/not-ready"

/* ---- TaintNodesByCondition ---- */

int admit_taint(struct admission_call *c, struct err *err)
{
	struct doc *list = doc_find(c->obj, "spec.taints"), taint = doc_object();

	(void)err;
	DOC_EACH (t, list)
		if (strategy_is(t, "key", NOT_READY) && strategy_is(t, "effect", "NoSchedule"))
			return 0;
	doc_set_str(c->sc->a, &taint, "key", NOT_READY);
	doc_set_str(c->sc->a, &taint, "effect", "NoSchedule");
	if (!list)
		list = strategy_put(admit_type(c), c->obj, c->sc->a, "spec.taints", doc_array());
	(void)doc_append(c->sc->a, list, taint);
	return 0;
}

/* ---- DefaultStorageClass, DefaultIngressClass ---- */

#define OLD_STORAGE_CLASS "volume.beta.kubernetes.io/storage-class"
#define OLD_INGRESS_CLASS "kubernetes.io/ingress.class"

static int set_class(struct admission_call *c, const char *path, struct slice name)
{
	if (name.n)
		(void)strategy_put(admit_type(c), c->obj, c->sc->a, path,
				   doc_strn(c->sc->a, name.p, name.n));
	return 0;
}

int admit_storage_class(struct admission_call *c, struct err *err)
{
	static const char *const annotations[2] = {
		"storageclass.kubernetes.io/is-default-class",
		"storageclass.beta.kubernetes.io/is-default-class"
	};
	struct slice name;
	int r;

	if (doc_get(doc_find(c->obj, "metadata.annotations"), OLD_STORAGE_CLASS) ||
	    doc_find(c->obj, "spec.storageClassName"))
		return 0;
	r = admit_default_class(c, "storage.k8s.io", "storageclasses", annotations, &name, err);
	return r < 0 ? r : set_class(c, "spec.storageClassName", name);
}

int admit_ingress_class(struct admission_call *c, struct err *err)
{
	static const char *const annotations[2] = { "ingressclass.kubernetes.io/is-default-class",
						    NULL };
	struct slice name;
	int r;

	if (doc_get(doc_find(c->obj, "metadata.annotations"), OLD_INGRESS_CLASS) ||
	    doc_find(c->obj, "spec.ingressClassName"))
		return 0;
	r = admit_default_class(c, "networking.k8s.io", "ingressclasses", annotations, &name, err);
	return r < 0 ? r : set_class(c, "spec.ingressClassName", name);
}

/* ---- StorageObjectInUseProtection ---- */

int admit_in_use(struct admission_call *c, struct err *err)
{
	const enum protected_kind k = c->kind == ADMIT_CLAIM	? PROTECTED_CLAIM
				      : c->kind == ADMIT_VOLUME ? PROTECTED_VOLUME
								: PROTECTED_CLASS;
	struct doc *list = doc_find(c->obj, "metadata.finalizers");

	(void)err;
	if (volume_protect_has(k, c->obj))
		return 0;
	if (!list)
		list = strategy_put(admit_type(c), c->obj, c->sc->a, "metadata.finalizers",
				    doc_array());
	(void)doc_append_str(c->sc->a, list, volume_protect_finalizer(k));
	return 0;
}

/* ---- PersistentVolumeClaimResize ---- */

static struct slice class_of(const struct doc *claim)
{
	const struct doc *old = doc_get(doc_find(claim, "metadata.annotations"), OLD_STORAGE_CLASS);

	return old ? doc_slice(old) : strategy_text(claim, "spec.storageClassName");
}

static void size_of(const struct doc *claim, struct quantity *ret)
{
	*ret = (struct quantity){ 0 };
	(void)quantity_parse(strategy_text(claim, "spec.resources.requests.storage"), ret);
}

int admit_resize(struct admission_call *c, struct err *err)
{
	struct slice class = class_of(c->obj);
	struct quantity before, after;

	size_of(c->old, &before);
	size_of(c->obj, &after);
	if (quantity_cmp(&after, &before) <= 0)
		return 0;
	if (!strategy_is(c->old, "status.phase", "Bound"))
		return admit_refuse(c, err, "Only bound persistent volume claims can be expanded");
	if (class.n && slice_eq(class, class_of(c->old)) &&
	    doc_true(doc_get(admit_get(c, "storage.k8s.io", "storageclasses", "", class),
			     "allowVolumeExpansion")))
		return 0;
	return admit_refuse(c, err,
			    "only dynamically provisioned pvc can be resized and the storageclass "
			    "that provisions the pvc must support resize");
}

/* ---- DenyServiceExternalIPs ---- */

static bool had(const struct doc *old, const struct doc *ip)
{
	DOC_EACH (o, doc_find(old, "spec.externalIPs"))
		if (doc_equal(o, ip))
			return true;
	return false;
}

int admit_external_ips(struct admission_call *c, struct err *err)
{
	DOC_EACH (ip, doc_find(c->obj, "spec.externalIPs"))
		if (!had(c->old, ip))
			return admit_refuse(c, err,
					    "Use of external IPs is denied by admission control");
	return 0;
}
