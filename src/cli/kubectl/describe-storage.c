/* SPDX-License-Identifier: Apache-2.0 */
/* Persistent volumes, claims, classes of storage in `kubectl describe`. */
#include "cli/kubectl/describe.h"

#include "base/arena.h"

#include <ctype.h>

#define BETA_CLASS "volume.beta.kubernetes.io/storage-class"

/* ---- values ---- */

static const char *annotation(struct describe *d, const struct doc *obj, const char *name)
{
	return doc_cstr(d->k->arena, doc_get(doc_find(obj, "metadata.annotations"), name));
}

const char *describe_claim_class(struct describe *d, const struct doc *claim)
{
	const char *beta = annotation(d, claim, BETA_CLASS);

	return beta ? beta : kubectl_text(d->k, claim, "spec.storageClassName");
}

const char *describe_modes(struct describe *d, const struct doc *modes)
{
	static const char *const names[][2] = { { "ReadWriteOnce", "RWO" },
						{ "ReadOnlyMany", "ROX" },
						{ "ReadWriteMany", "RWX" },
						{ "ReadWriteOncePod", "RWOP" } };
	const char *s = "";

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		bool there = false;

		DOC_EACH (m, modes)
			there = there || doc_str_is(m, names[i][0]);
		if (there && s)
			s = arena_printf(d->k->arena, "%s%s%s", s, *s ? "," : "", names[i][1]);
	}
	return s ? s : "";
}

static const char *lower(struct describe *d, const char *s)
{
	char *copy = arena_strdup(d->k->arena, s);

	for (char *p = copy; p && *p; p++)
		*p = (char)tolower((unsigned char)*p);
	return copy ? copy : "";
}

/* ---- volumes ---- */

/* "Term 0:\tkey in [a, b]\n\tkey2 exists\n". */
static void describe_term(struct describe *d, int level, size_t number, const struct doc *list)
{
	bool first = true;

	describe_f(d, level, "Term %zu:\t%s", number, doc_len(list) ? "" : "<none>\n");
	DOC_EACH (r, list) {
		const char *op = kubectl_text(d->k, r, "operator");

		if (!first)
			describe_f(d, level, "\t");
		first = false;
		describe_f(d, 0, "%s %s", kubectl_text(d->k, r, "key"), lower(d, *op ? op : "in"));
		if (doc_len(doc_get(r, "values")))
			describe_put(d, 0, r, " [{+values}]");
		describe_f(d, 0, "\n");
	}
}

static void describe_affinity(struct describe *d, const struct doc *required)
{
	const struct doc *terms = doc_get(required, "nodeSelectorTerms");
	size_t n = 0;

	describe_f(d, 0, "Node Affinity:\t%s\n", required ? "" : "<none>");
	if (!required)
		return;
	describe_f(d, 1, "Required Terms:\t%s\n", doc_len(terms) ? "" : "<none>");
	DOC_EACH (t, terms)
		describe_term(d, 2, n++, doc_get(t, "matchExpressions"));
}

static int describe_volume(struct describe *d, struct err *err)
{
	const struct doc *pv = d->obj;

	(void)err;
	describe_head(d, false);
	describe_put(d, 0, pv, "Finalizers:\t{metadata.finalizers|[]}\n");
	describe_f(d, 0, "StorageClass:\t%s\n", describe_claim_class(d, pv));
	describe_phase(d);
	if (doc_find(pv, "spec.claimRef"))
		describe_put(d, 0, pv, "Claim:\t{spec.claimRef.namespace}/{spec.claimRef.name}\n");
	else
		describe_f(d, 0, "Claim:\t\n");
	describe_put(d, 0, pv, "Reclaim Policy:\t{spec.persistentVolumeReclaimPolicy}\n");
	describe_f(d, 0, "Access Modes:\t%s\n",
		   describe_modes(d, doc_find(pv, "spec.accessModes")));
	describe_opt(d, 0, pv, "spec.volumeMode", "VolumeMode:\t{spec.volumeMode}\n");
	describe_put(d, 0, pv, "Capacity:\t{~spec.capacity.storage|0}\n");
	describe_affinity(d, doc_find(pv, "spec.nodeAffinity.required"));
	describe_put(d, 0, pv, "Message:\t{status.message}\nSource:\n");
	describe_source(d, doc_get(pv, "spec"), true);
	return 0;
}

/* ---- claims ---- */

void describe_claim(struct describe *d, const struct doc *claim, bool whole)
{
	const struct doc *from = doc_find(claim, "spec.dataSource");
	const bool bound = *kubectl_text(d->k, claim, "spec.volumeName") != '\0';

	if (whole)
		describe_put(d, 0, claim,
			     "Name:\t{metadata.name}\nNamespace:\t{metadata.namespace}\n");
	describe_f(d, 0, "StorageClass:\t%s\n", describe_claim_class(d, claim));
	if (whole)
		describe_phase(d);
	describe_put(d, 0, claim, "Volume:\t{spec.volumeName}\n");
	describe_labels(d, "", "Labels", doc_find(claim, "metadata.labels"));
	describe_annotations(d, "Annotations", doc_find(claim, "metadata.annotations"));
	if (whole)
		describe_put(d, 0, claim, "Finalizers:\t{metadata.finalizers|[]}\n");
	describe_put(d, 0, claim,
		     bound ? "Capacity:\t{~status.capacity.storage|0}\n" : "Capacity:\t\n");
	describe_f(d, 0, "Access Modes:\t%s\n",
		   bound ? describe_modes(d, doc_find(claim, "status.accessModes")) : "");
	describe_opt(d, 0, claim, "spec.volumeMode", "VolumeMode:\t{spec.volumeMode}\n");
	if (from) {
		describe_f(d, 0, "DataSource:\n");
		describe_opt(d, 1, from, "apiGroup", "APIGroup:\t{apiGroup}\n");
		describe_put(d, 1, from, "Kind:\t{kind}\nName:\t{name}\n");
	}
}

/* A pod that mounts it, or that it was made for. */
static bool uses(struct describe *d, const struct doc *pod)
{
	const char *uid = kubectl_text(d->k, pod, "metadata.uid");

	DOC_EACH (v, doc_find(pod, "spec.volumes"))
		if (doc_str_is(doc_find(v, "persistentVolumeClaim.claimName"), d->name))
			return true;
	DOC_EACH (o, doc_find(d->obj, "metadata.ownerReferences"))
		if (doc_str_is(doc_get(o, "kind"), "Pod") && doc_str_is(doc_get(o, "uid"), uid))
			return true;
	return false;
}

static int by_name(const struct doc *a, const struct doc *b)
{
	return describe_by_text(doc_find(a, "metadata.name"), doc_find(b, "metadata.name"));
}

static int describe_whole_claim(struct describe *d, struct err *err)
{
	struct describe_ask ask = { .api = "api/v1", .resource = "pods", .space = d->space };
	struct doc *pods;
	struct doc *const *v;
	size_t n, written = 0;
	int r = describe_list(d, &ask, &pods, err);

	if (r < 0)
		return r;
	describe_claim(d, d->obj, true);
	v = describe_sorted(d, pods, by_name, &n);
	describe_f(d, 0, "Used By:\t");
	for (size_t i = 0; i < n; i++)
		if (uses(d, v[i]))
			describe_f(d, 0, "%s%s\n", written++ ? "\t" : "",
				   kubectl_text(d->k, v[i], "metadata.name"));
	if (!written)
		describe_f(d, 0, "<none>\n");
	describe_conditions(
		d,
		"Type\tStatus\tLastProbeTime\tLastTransitionTime\tReason\tMessage\n"
		"----\t------\t-----------------\t------------------\t------\t-------\n",
		"{type} \t{status} \t{@lastProbeTime} \t{@lastTransitionTime} \t{reason} "
		"\t{message}\n");
	return 0;
}

/* ---- classes ---- */

static const char *bool_text(const struct doc *v)
{
	return !v ? "<unset>" : doc_true(v) ? "True" : "False";
}

static int describe_class(struct describe *d, struct err *err)
{
	const struct doc *sc = d->obj, *topologies = doc_get(sc, "allowedTopologies");
	const char *is = annotation(d, sc, "storageclass.kubernetes.io/is-default-class"),
		   *was = annotation(d, sc, "storageclass.beta.kubernetes.io/is-default-class");
	size_t n = 0;

	(void)err;
	describe_f(d, 0, "Name:\t%s\nIsDefaultClass:\t%s\n", d->name,
		   (is && strcmp(is, "true") == 0) || (was && strcmp(was, "true") == 0) ? "Yes"
											: "No");
	describe_f(d, 0, "Annotations:\t%s\n",
		   describe_map(d, doc_find(sc, "metadata.annotations")));
	describe_put(d, 0, sc, "Provisioner:\t{provisioner}\n");
	describe_f(d, 0, "Parameters:\t%s\nAllowVolumeExpansion:\t%s\n",
		   describe_map(d, doc_get(sc, "parameters")),
		   bool_text(doc_get(sc, "allowVolumeExpansion")));
	describe_f(d, 0, "MountOptions:%s\n",
		   doc_len(doc_get(sc, "mountOptions")) ? "" : "\t<none>");
	DOC_EACH (o, doc_get(sc, "mountOptions"))
		describe_put(d, 1, o, "{}\n");
	describe_opt(d, 0, sc, "reclaimPolicy", "ReclaimPolicy:\t{reclaimPolicy}\n");
	describe_opt(d, 0, sc, "volumeBindingMode", "VolumeBindingMode:\t{volumeBindingMode}\n");
	if (topologies)
		describe_f(d, 0, "AllowedTopologies:\t%s\n", doc_len(topologies) ? "" : "<none>");
	DOC_EACH (t, topologies)
		describe_term(d, 1, n++, doc_get(t, "matchLabelExpressions"));
	return 0;
}

static int describe_attributes_class(struct describe *d, struct err *err)
{
	(void)err;
	describe_f(d, 0, "Name:\t%s\nAnnotations:\t%s\n", d->name,
		   describe_map(d, doc_find(d->obj, "metadata.annotations")));
	describe_put(d, 0, d->obj, "DriverName:\t{driverName}\n");
	describe_f(d, 0, "Parameters:\t%s\n", describe_map(d, doc_get(d->obj, "parameters")));
	return 0;
}

static int describe_csi_node(struct describe *d, struct err *err)
{
	const struct doc *drivers = doc_find(d->obj, "spec.drivers");

	(void)err;
	describe_head(d, false);
	describe_put(d, 0, d->obj, "CreationTimestamp:\t{@metadata.creationTimestamp}\nSpec:\n");
	if (doc_is(drivers, DOC_ARRAY))
		describe_f(d, 1, "Drivers:\n");
	DOC_EACH (v, drivers) {
		describe_put(d, 2, v, "{name}:\n");
		describe_put(d, 3, v, "Node ID:\t{nodeID}\n");
		if (doc_find(v, "allocatable.count")) {
			describe_f(d, 3, "Allocatables:\n");
			describe_put(d, 4, v, "Count:\t{allocatable.count}\n");
		}
		if (doc_is(doc_get(v, "topologyKeys"), DOC_ARRAY))
			describe_put(d, 3, v, "Topology Keys:\t{topologyKeys}\n");
	}
	return 0;
}

const struct describe_kind describe_stores[] = {
	{ "", "PersistentVolume", NULL, describe_volume, true },
	{ "", "PersistentVolumeClaim", NULL, describe_whole_claim, true },
	{ "storage.k8s.io", "StorageClass", NULL, describe_class, true },
	{ "storage.k8s.io", "CSINode", NULL, describe_csi_node, true },
	{ "storage.k8s.io", "VolumeAttributesClass", NULL, describe_attributes_class, true },
	{ 0 },
};
