/* SPDX-License-Identifier: Apache-2.0 */
#include "api/volume-protect.h"

#include "api/check.h"
#include "doc/doc.h"

#include <stdio.h>

#define CLAIM_NAME_MAX 512 /* of a pod's and a volume's name */

const char *volume_protect_finalizer(enum protected_kind k)
{
	static const char *const names[] = {
		[PROTECTED_CLAIM] = "kubernetes.io/pvc-protection",
		[PROTECTED_VOLUME] = "kubernetes.io/pv-protection",
		[PROTECTED_CLASS] = "kubernetes.io/vac-protection",
	};

	return names[k];
}

bool volume_protect_has(enum protected_kind k, const struct doc *obj)
{
	DOC_EACH (f, doc_find(obj, "metadata.finalizers"))
		if (doc_str_is(f, volume_protect_finalizer(k)))
			return true;
	return false;
}

static bool is_going(const struct doc *obj)
{
	return doc_is(doc_find(obj, "metadata.deletionTimestamp"), DOC_STRING);
}

enum protect_step volume_protect_step(enum protected_kind k, const struct doc *obj)
{
	const bool has = volume_protect_has(k, obj);

	if (is_going(obj))
		return has ? PROTECT_RELEASE : PROTECT_NOTHING;
	return has ? PROTECT_NOTHING : PROTECT_ADD;
}

/* ---- pods ---- */

/* Its node is done with it, or it was removed by force; finalizers may keep it still. */
static bool is_shut_down(const struct doc *pod)
{
	const struct doc *grace = doc_find(pod, "metadata.deletionGracePeriodSeconds");

	return is_going(pod) && grace && check_number(grace) == 0;
}

/* The name of the claim that is made for a volume of the pod; empty: it has none. */
static struct slice made_name(const struct doc *pod, const struct doc *volume,
			      char buf[static CLAIM_NAME_MAX])
{
	const struct slice a = doc_slice(doc_find(pod, "metadata.name")),
			   b = doc_slice(doc_get(volume, "name"));
	int n;

	if (!doc_is(doc_get(volume, "ephemeral"), DOC_OBJECT) || !a.n || !b.n)
		return SLICE("");
	n = snprintf(buf, CLAIM_NAME_MAX, "%.*s-%.*s", (int)a.n, a.p, (int)b.n, b.p);
	return n > 0 && n < CLAIM_NAME_MAX ? slice_of(buf, (size_t)n) : SLICE("");
}

static struct slice given_name(const struct doc *volume)
{
	return doc_slice(doc_find(volume, "persistentVolumeClaim.claimName"));
}

static bool is_owned_by(const struct doc *claim, const struct doc *pod)
{
	const struct slice uid = doc_slice(doc_find(pod, "metadata.uid"));

	DOC_EACH (o, doc_find(claim, "metadata.ownerReferences"))
		if (doc_true(doc_get(o, "controller")))
			return uid.n && slice_eq(doc_slice(doc_get(o, "uid")), uid);
	return false;
}

bool volume_protect_pod_uses(const struct doc *pod, const struct doc *claim)
{
	const struct slice name = doc_slice(doc_find(claim, "metadata.name"));
	char buf[CLAIM_NAME_MAX];

	if (!doc_slice(doc_find(pod, "spec.nodeName")).n || !name.n)
		return false;
	DOC_EACH (v, doc_find(pod, "spec.volumes"))
		if (slice_eq(given_name(v), name) ||
		    (!is_shut_down(pod) && slice_eq(made_name(pod, v, buf), name) &&
		     is_owned_by(claim, pod)))
			return true;
	return false;
}

void volume_protect_claims(const struct doc *pod, void (*each)(void *arg, struct slice name),
			   void *arg)
{
	char buf[CLAIM_NAME_MAX];

	DOC_EACH (v, doc_find(pod, "spec.volumes")) {
		const struct slice given = given_name(v),
				   name = given.n ? given : made_name(pod, v, buf);

		if (name.n)
			each(arg, name);
	}
}

/* ---- volumes and classes ---- */

bool volume_protect_is_bound(const struct doc *volume)
{
	return doc_str_is(doc_find(volume, "status.phase"), "Bound");
}

bool volume_protect_names_class(const struct doc *obj, struct slice class_name)
{
	static const char *const paths[] = {
		"spec.volumeAttributesClassName",
		"status.currentVolumeAttributesClassName",
		"status.modifyVolumeStatus.targetVolumeAttributesClassName",
	};

	for (size_t i = 0; i < ARRAY_LEN(paths); i++)
		if (class_name.n && slice_eq(doc_slice(doc_find(obj, paths[i])), class_name))
			return true;
	return false;
}
