/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OwnerReferencesPermissionEnforcement: who makes an object go with another one must be allowed to
 * delete it, and to hold up the owner's deletion if the reference does so.
 */
#include "apiserver/admission/admission-private.h"

#include "base/err.h"

static const struct doc *owners_of(const struct doc *obj)
{
	return doc_find(obj, "metadata.ownerReferences");
}

static bool blocks(const struct doc *ref)
{
	return doc_true(doc_get(ref, "blockOwnerDeletion"));
}

static bool blocked_before(const struct doc *old, const struct doc *ref)
{
	DOC_EACH (o, owners_of(old))
		if (strategy_same_at(o, ref, "uid"))
			return blocks(o);
	return false;
}

static int may_block(struct admission_call *c, const struct doc *ref, struct err *err)
{
	const char *version = admit_text(c, ref, "apiVersion"), *kind = admit_text(c, ref, "kind");
	const struct resource *r = resources_kind(c->sc->rs, version, kind);

	if (!r)
		return admit_refuse(c, err,
				    "cannot set blockOwnerDeletion in this case because cannot "
				    "find RESTMapping for APIVersion %s Kind %s: no matches for "
				    "kind \"%s\" in version \"%s\"",
				    version, kind, kind, version);
	if (admit_may(c, "update", r->kind->group->group, r->kind->resource, "finalizers",
		      r->kind->namespaced ? c->ns : "", admit_text(c, ref, "name")))
		return 0;
	return admit_refuse(c, err,
			    "cannot set blockOwnerDeletion if an ownerReference refers to a "
			    "resource you can't set finalizers on: , <nil>");
}

int admit_owners(struct admission_call *c, struct err *err)
{
	const struct api_kind *k = c->sc->objects->kind;
	bool any = false;
	int r = 0;

	/* A pod's status is its node's to write. */
	if (c->kind == ADMIT_POD && strcmp(c->sub, "status") == 0)
		return 0;
	if (doc_len(owners_of(c->obj)) == 0 && doc_len(owners_of(c->old)) == 0)
		return 0;
	if (c->old && strategy_same(owners_of(c->obj), owners_of(c->old)))
		return 0;
	if (c->old && !admit_may(c, "delete", k->group->group, k->resource, c->sub, c->ns, c->name))
		return admit_refuse(c, err,
				    "cannot set an ownerRef on a resource you can't delete: , "
				    "<nil>");
	DOC_EACH (ref, owners_of(c->obj))
		any |= blocks(ref) && !blocked_before(c->old, ref);
	if (!any || admit_may(c, "update", "*", "*", "finalizers", "", "*"))
		return 0;
	DOC_EACH (ref, owners_of(c->obj))
		if (r == 0 && blocks(ref) && !blocked_before(c->old, ref))
			r = may_block(c, ref, err);
	return r;
}
