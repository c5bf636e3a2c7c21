/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/auth/pod-refs.h"

#include "doc/doc.h"

#include <stdio.h>

struct visit {
	void (*each)(void *arg, enum pod_ref what, struct slice name);
	void *arg;
};

static void tell(const struct visit *v, enum pod_ref what, const struct doc *name)
{
	const struct slice s = doc_slice(name);

	if (s.n)
		v->each(v->arg, what, s);
}

static void tell_all(const struct visit *v, enum pod_ref what, const struct doc *list)
{
	DOC_EACH (e, list)
		tell(v, what, doc_get(e, "name"));
}

/* ---- containers ---- */

static void visit_container(const struct visit *v, const struct doc *c)
{
	DOC_EACH (e, doc_get(c, "env")) {
		tell(v, POD_REF_SECRET, doc_find(e, "valueFrom.secretKeyRef.name"));
		tell(v, POD_REF_CONFIG_MAP, doc_find(e, "valueFrom.configMapKeyRef.name"));
	}
	DOC_EACH (e, doc_get(c, "envFrom")) {
		tell(v, POD_REF_SECRET, doc_find(e, "secretRef.name"));
		tell(v, POD_REF_CONFIG_MAP, doc_find(e, "configMapRef.name"));
	}
}

/* ---- volumes ---- */

static const struct {
	enum pod_ref what;
	const char *path;
} sources[] = {
	{ POD_REF_SECRET, "azureFile.secretName" },
	{ POD_REF_SECRET, "cephfs.secretRef.name" },
	{ POD_REF_SECRET, "cinder.secretRef.name" },
	{ POD_REF_SECRET, "csi.nodePublishSecretRef.name" },
	{ POD_REF_SECRET, "flexVolume.secretRef.name" },
	{ POD_REF_SECRET, "iscsi.secretRef.name" },
	{ POD_REF_SECRET, "rbd.secretRef.name" },
	{ POD_REF_SECRET, "scaleIO.secretRef.name" },
	{ POD_REF_SECRET, "secret.secretName" },
	{ POD_REF_SECRET, "storageos.secretRef.name" },
	{ POD_REF_CONFIG_MAP, "configMap.name" },
	{ POD_REF_CLAIM, "persistentVolumeClaim.claimName" },
};

static void visit_volume(const struct visit *v, const struct doc *pod, const struct doc *volume)
{
	for (size_t i = 0; i < ARRAY_LEN(sources); i++)
		tell(v, sources[i].what, doc_find(volume, sources[i].path));
	DOC_EACH (s, doc_find(volume, "projected.sources")) {
		tell(v, POD_REF_SECRET, doc_find(s, "secret.name"));
		tell(v, POD_REF_CONFIG_MAP, doc_find(s, "configMap.name"));
		tell(v, POD_REF_TRUST_BUNDLE, doc_find(s, "clusterTrustBundle.name"));
		tell(v, POD_REF_TRUST_BUNDLE, doc_find(s, "clusterTrustBundle.signerName"));
	}
	if (doc_is(doc_get(volume, "ephemeral"), DOC_OBJECT)) {
		const struct slice a = doc_slice(doc_find(pod, "metadata.name"));
		const struct slice b = doc_slice(doc_get(volume, "name"));
		char name[512];
		int n = snprintf(name, sizeof(name), "%.*s-%.*s", (int)a.n, a.n ? a.p : "",
				 (int)b.n, b.n ? b.p : "");

		if (n > 0 && (size_t)n < sizeof(name))
			v->each(v->arg, POD_REF_CLAIM, slice_of(name, (size_t)n));
	}
}

/* Claims by name, and those that the controller made of templates. */
static void visit_resources(const struct visit *v, const struct doc *pod)
{
	DOC_EACH (c, doc_find(pod, "spec.resourceClaims"))
		tell(v, POD_REF_RESOURCE_CLAIM, doc_get(c, "resourceClaimName"));
	DOC_EACH (s, doc_find(pod, "status.resourceClaimStatuses"))
		tell(v, POD_REF_RESOURCE_CLAIM, doc_get(s, "resourceClaimName"));
	tell(v, POD_REF_RESOURCE_CLAIM,
	     doc_find(pod, "status.extendedResourceClaimStatus.resourceClaimName"));
}

void pod_refs_each(const struct doc *pod,
		   void (*each)(void *arg, enum pod_ref what, struct slice name), void *arg)
{
	static const char *const lists[] = { "initContainers", "containers",
					     "ephemeralContainers" };
	const struct doc *spec = doc_get(pod, "spec");
	const struct visit v = { each, arg };

	tell(&v, POD_REF_ACCOUNT, doc_get(spec, "serviceAccountName"));
	tell_all(&v, POD_REF_SECRET, doc_get(spec, "imagePullSecrets"));
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		DOC_EACH (c, doc_get(spec, lists[i]))
			visit_container(&v, c);
	DOC_EACH (volume, doc_get(spec, "volumes"))
		visit_volume(&v, pod, volume);
	visit_resources(&v, pod);
}

/* ---- persistent volumes ---- */

/* Where the reference has no namespace it is the claim's, for those that say so. */
static const struct {
	const char *name, *ns;
	bool of_claim;
} volume_secrets[] = {
	{ "azureFile.secretName", "azureFile.secretNamespace", true },
	{ "cephfs.secretRef.name", "cephfs.secretRef.namespace", true },
	{ "cinder.secretRef.name", "cinder.secretRef.namespace", false },
	{ "flexVolume.secretRef.name", "flexVolume.secretRef.namespace", true },
	{ "iscsi.secretRef.name", "iscsi.secretRef.namespace", true },
	{ "rbd.secretRef.name", "rbd.secretRef.namespace", true },
	{ "scaleIO.secretRef.name", "scaleIO.secretRef.namespace", true },
	{ "storageos.secretRef.name", "storageos.secretRef.namespace", false },
	{ "csi.nodePublishSecretRef.name", "csi.nodePublishSecretRef.namespace", false },
	{ "csi.nodeStageSecretRef.name", "csi.nodeStageSecretRef.namespace", false },
	{ "csi.nodeExpandSecretRef.name", "csi.nodeExpandSecretRef.namespace", false },
};

void pod_refs_volume_secrets(const struct doc *volume,
			     void (*each)(void *arg, struct slice ns, struct slice name), void *arg)
{
	const struct doc *spec = doc_get(volume, "spec");

	for (size_t i = 0; i < ARRAY_LEN(volume_secrets); i++) {
		struct slice name = doc_slice(doc_find(spec, volume_secrets[i].name));
		struct slice ns = doc_slice(doc_find(spec, volume_secrets[i].ns));

		if (!ns.n && volume_secrets[i].of_claim)
			ns = doc_slice(doc_find(spec, "claimRef.namespace"));
		if (name.n && ns.n)
			each(arg, ns, name);
	}
}
