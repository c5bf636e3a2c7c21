/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of PersistentVolumes. */
#include "api/check-core.h"
#include "api/check-volume.h"
#include "api/quantity.h"

static void check_capacity(struct check *c, const struct path *p, const struct doc *spec)
{
	static const char *const storage[] = { "storage", NULL };
	const struct path at = PATH(p, "capacity");
	const struct doc *capacity = doc_get(spec, "capacity");

	if (doc_len(capacity) == 0)
		check_required(c, &at, "");
	if (doc_len(capacity) != 1 || !doc_get(capacity, "storage")) {
		static const struct doc none = { .type = DOC_OBJECT };

		check_unsupported(c, &at, capacity ? capacity : &none, storage);
	}
	DOC_EACH_MEMBER (key, value, capacity) {
		const struct path one = PATH_KEY(&at, doc_slice(key));

		if (slice_starts(doc_slice(value), SLICE("-")))
			check_invalid(c, &one, value, "must be a valid resource quantity");
		check_positive(c, &one, value);
	}
}

/* Within a VolumeAttachment, which has no claim and no life of its own. */
static void check_inline(struct check *c, const struct path *p, const struct doc *spec)
{
	static const char *const no[] = { "claimRef", "capacity", "nodeAffinity",
					  "storageClassName" };
	const struct path reclaim = PATH(p, "persistentVolumeReclaimPolicy"),
			  mode = PATH(p, "volumeMode");
	const struct doc *r = doc_get(spec, "persistentVolumeReclaimPolicy"),
			 *m = doc_get(spec, "volumeMode");

	for (size_t i = 0; i < ARRAY_LEN(no); i++)
		check_has_not(c, p, spec, no[i],
			      "may not be specified in the context of inline volumes");
	(void)check_has(c, p, spec, "csi", "has to be specified in the context of inline volumes");
	if (doc_slice(r).n > 0 && !doc_str_is(r, "Retain"))
		check_forbidden(c, &reclaim, "may only be Retain in the context of inline volumes");
	if (m && !doc_str_is(m, "Filesystem"))
		check_forbidden(c, &mode,
				"may not specify volumeMode other than Filesystem in the context "
				"of inline volumes");
}

static void check_affinity_of(struct check *c, const struct path *p, const struct doc *spec)
{
	const struct path at = PATH(p, "nodeAffinity"), required = PATH(&at, "required");
	const struct doc *a = doc_get(spec, "nodeAffinity");

	if (!a)
		return;
	if (doc_get(a, "required"))
		check_node_selector(c, &required, doc_get(a, "required"));
	else
		check_required(c, &required, "must specify required node constraints");
}

static void check_attributes(struct check *c, const struct path *p, const struct doc *spec)
{
	const struct path at = PATH(p, "volumeAttributesClassName");
	const struct doc *class = doc_get(spec, "volumeAttributesClassName");

	if (!class)
		return;
	if (check_has(c, p, spec, "volumeAttributesClassName", "an empty string is disallowed"))
		check_optional_text(c, &at, class, form_dns_subdomain);
	(void)check_has(c, p, spec, "csi",
			"has to be specified when using volumeAttributesClassName");
}

static bool is_root(struct slice path)
{
	for (size_t i = 0; i < path.n; i++)
		if (path.p[i] != '/' && !(path.p[i] == '.' && i > 0))
			return false;
	return slice_starts(path, SLICE("/")) && !slice_has_text(path, SLICE("..."));
}

static void check_own(struct check *c, const struct path *p, const struct doc *spec)
{
	static const char *const reclaim[] = { "Delete", "Recycle", "Retain", NULL };
	static const struct field_rule rules[] = {
		{ .field = "persistentVolumeReclaimPolicy", .values = reclaim },
		{ .field = "storageClassName", .form = form_dns_subdomain },
		{ .field = "volumeMode", .values = check_volume_modes },
		{ 0 },
	};

	check_capacity(c, p, spec);
	check_affinity_of(c, p, spec);
	check_fields(c, p, spec, rules);
}

void check_volume_spec(struct check *c, const struct path *p, const struct doc *spec,
		       struct slice name, bool in_attachment)
{
	const struct path modes = PATH(p, "accessModes"),
			  reclaim = PATH(p, "persistentVolumeReclaimPolicy");
	const struct volume v = { .at = p, .name = name, .spec = spec, .persistent = true };

	(void)check_has(c, p, spec, "accessModes", "");
	check_access_modes(c, &modes, doc_get(spec, "accessModes"));
	if (in_attachment)
		check_inline(c, p, spec);
	else
		check_own(c, p, spec);
	check_source(c, spec, &v);
	if (is_root(doc_slice(doc_find(spec, "hostPath.path"))) &&
	    doc_str_is(doc_get(spec, "persistentVolumeReclaimPolicy"), "Recycle"))
		check_forbidden(c, &reclaim, "may not be 'recycle' for a hostPath mount of '/'");
	check_attributes(c, p, spec);
}

/* ---- updates ---- */

/* Are the sources of both the same? A secret for growing may be added. */
static bool same_sources(struct check *c, const struct doc *now, const struct doc *old)
{
	DOC_EACH_MEMBER (key, value, now) {
		const struct doc *was = doc_getn(old, doc_slice(key));
		struct doc *is = value;

		if (!volume_is_source(doc_slice(key)))
			continue;
		if (was && doc_str_is(key, "csi") && !doc_get(was, "controllerExpandSecretRef")) {
			is = doc_copy_shared(c->a, value);
			(void)doc_remove(is, "controllerExpandSecretRef");
		}
		if (!was || !doc_equal(is, was))
			return false;
	}
	DOC_EACH_MEMBER (name, source, old) {
		(void)source;
		if (volume_is_source(doc_slice(name)) && !doc_getn(now, doc_slice(name)))
			return false;
	}
	return true;
}

/* Labels that were renamed when they became stable. */
static const char *const renamed[][2] = {
	{ "failure-domain.beta.kubernetes.io/zone", "topology.kubernetes.io/zone" },
	{ "failure-domain.beta.kubernetes.io/region", "topology.kubernetes.io/region" },
	{ "beta.kubernetes.io/os", "kubernetes.io/os" },
	{ "beta.kubernetes.io/arch", "kubernetes.io/arch" },
	{ "beta.kubernetes.io/instance-type", "node.kubernetes.io/instance-type" },
};

static bool same_key(const struct doc *now, const struct doc *old)
{
	for (size_t i = 0; i < ARRAY_LEN(renamed); i++)
		if (doc_str_is(old, renamed[i][0]) && doc_str_is(now, renamed[i][1]))
			return true;
	return doc_equal(now, old);
}

static bool same_list(const struct doc *now, const struct doc *old,
		      bool (*same)(const struct doc *now, const struct doc *old))
{
	if (doc_len(now) != doc_len(old))
		return false;
	for (size_t i = 0; i < doc_len(now); i++)
		if (!same(doc_at(now, i), doc_at(old, i)))
			return false;
	return true;
}

static bool same_values(const struct doc *now, const struct doc *old)
{
	return doc_equal(now, old);
}

static bool same_requirement(const struct doc *now, const struct doc *old)
{
	return same_key(doc_get(now, "key"), doc_get(old, "key")) &&
	       doc_equal(doc_get(now, "operator"), doc_get(old, "operator")) &&
	       same_list(doc_get(now, "values"), doc_get(old, "values"), same_values);
}

static bool same_term(const struct doc *now, const struct doc *old)
{
	return same_list(doc_get(now, "matchExpressions"), doc_get(old, "matchExpressions"),
			 same_requirement) &&
	       same_list(doc_get(now, "matchFields"), doc_get(old, "matchFields"),
			 same_requirement);
}

static void check_volume_update(struct check *c, const struct doc *now, const struct doc *old)
{
	const struct path spec = PATH(NULL, "spec"), source = PATH(&spec, "persistentvolumesource"),
			  mode = PATH(NULL, "volumeMode"), affinity = PATH(NULL, "nodeAffinity"),
			  class = PATH(&spec, "volumeAttributesClassName");
	const struct doc *s = doc_get(now, "spec"), *o = doc_get(old, "spec");

	if (!same_sources(c, s, o))
		check_forbidden(c, &source,
				"spec.persistentvolumesource is immutable after creation");
	check_immutable(c, &mode, doc_get(s, "volumeMode"), doc_get(o, "volumeMode"));
	if (doc_get(o, "nodeAffinity") &&
	    !same_list(doc_find(s, "nodeAffinity.required.nodeSelectorTerms"),
		       doc_find(o, "nodeAffinity.required.nodeSelectorTerms"), same_term))
		check_invalid(c, &affinity, doc_get(s, "nodeAffinity"),
			      "field is immutable, except for updating from beta label to GA");
	if (doc_get(o, "volumeAttributesClassName") && !doc_get(s, "volumeAttributesClassName"))
		check_forbidden(c, &class, "update from non-nil value to nil is forbidden");
}

void check_persistent_volume(struct check *c, const struct doc *obj, const char *sub)
{
	const struct path spec = PATH(NULL, "spec");

	if (strcmp(sub, "status") == 0)
		return;
	check_volume_spec(c, &spec, doc_get(obj, "spec"), doc_slice(doc_find(obj, "metadata.name")),
			  false);
	if (c->old)
		check_volume_update(c, obj, c->old);
}
