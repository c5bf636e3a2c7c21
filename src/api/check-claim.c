/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of PersistentVolumeClaims, also of those within other kinds. */
#include "api/check-core.h"
#include "api/quantity.h"

#define STORAGE "storage"

const char *const check_volume_modes[] = { "Block", "Filesystem", NULL };

/* ---- the spec ---- */

void check_access_modes(struct check *c, const struct path *p, const struct doc *modes)
{
	static const char *const all[] = { "ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce",
					   "ReadWriteOncePod", NULL };
	bool alone = false, others = false;

	DOC_EACH (m, modes) {
		unsigned before = c->n;

		check_exactly_one_of(c, p, m, all);
		if (doc_str_is(m, "ReadWriteOncePod"))
			alone = true;
		else if (!check_failed_below(c, before))
			others = true;
	}
	if (alone && others)
		check_forbidden(c, p, "may not use ReadWriteOncePod with other access modes");
}

void check_positive(struct check *c, const struct path *p, const struct doc *quantity)
{
	struct quantity q;

	if (quantity && quantity_parse(doc_slice(quantity), &q) && q.nano <= 0)
		check_invalid(c, p, quantity, "must be greater than zero");
}

static void check_request(struct check *c, const struct path *p, const struct doc *spec)
{
	const struct path resources = PATH(p, "resources"),
			  at = PATH_KEY(&resources, SLICE(STORAGE));
	const struct doc *size = doc_get(doc_find(spec, "resources.requests"), STORAGE);

	if (!size)
		check_required(c, &at, "");
	check_positive(c, &at, size);
}

static void check_data_source(struct check *c, const struct path *p, const struct doc *s,
			      bool invalid_group)
{
	const struct path group_at = PATH(p, "apiGroup"), ns = PATH(p, "namespace");
	const struct doc *group = doc_get(s, "apiGroup"), *kind = doc_get(s, "kind");

	if (!s)
		return;
	(void)check_has(c, p, s, "name", "");
	(void)check_has(c, p, s, "kind", "");
	if (doc_slice(group).n == 0 && !doc_str_is(kind, "PersistentVolumeClaim"))
		check_invalid(c, p, kind,
			      "must be 'PersistentVolumeClaim' when referencing the default "
			      "apiGroup");
	if (!invalid_group && doc_is(group, DOC_STRING))
		check_optional_text(c, &group_at, group, form_dns_subdomain);
	check_optional_text(c, &ns, doc_get(s, "namespace"), form_dns_label);
}

static bool same_text(const struct doc *a, const struct doc *b, const char *field)
{
	struct slice x = doc_slice(doc_get(a, field)), y = doc_slice(doc_get(b, field));

	return slice_eq(x, y);
}

static void check_sources(struct check *c, const struct path *p, const struct doc *spec)
{
	static const struct doc field = { .type = DOC_STRING, .n = 15, .s = "spec.dataSource" };
	const struct path source = PATH(p, "dataSource"), ref = PATH(p, "dataSourceRef");
	const struct doc *s = doc_get(spec, "dataSource"), *r = doc_get(spec, "dataSourceRef"),
			 *before = doc_get(c->old, "spec");
	bool kept = doc_is(doc_find(before, "dataSource.apiGroup"), DOC_STRING) ||
		    doc_is(doc_find(before, "dataSourceRef.apiGroup"), DOC_STRING);

	check_data_source(c, &source, s, kept);
	check_data_source(c, &ref, r, kept);
	if (!s || !r)
		return;
	if (doc_slice(doc_get(r, "namespace")).n > 0)
		check_invalid(c, p, &field,
			      "may not be specified when dataSourceRef.namespace is specified");
	else if (!same_text(s, r, "apiGroup") || !same_text(s, r, "kind") ||
		 !same_text(s, r, "name"))
		check_invalid(c, p, &field, "must match dataSourceRef");
}

void check_claim_spec(struct check *c, const struct path *p, const struct doc *spec)
{
	static const struct field_rule rules[] = {
		{ .field = "storageClassName", .form = form_dns_subdomain },
		{ .field = "volumeMode", .values = check_volume_modes },
		{ .field = "volumeAttributesClassName", .form = form_dns_subdomain },
		{ 0 },
	};
	const struct path modes = PATH(p, "accessModes"), selector = PATH(p, "selector");

	(void)check_has(c, p, spec, "accessModes", "at least 1 access mode is required");
	check_label_selector(c, &selector, doc_get(spec, "selector"));
	check_access_modes(c, &modes, doc_get(spec, "accessModes"));
	check_request(c, p, spec);
	check_fields(c, p, spec, rules);
	check_sources(c, p, spec);
}

void check_claim_template(struct check *c, const struct path *p, const struct doc *template)
{
	const struct path meta = PATH(p, "metadata"), spec = PATH(p, "spec"),
			  labels = PATH(&meta, "labels"), annotations = PATH(&meta, "annotations");
	const struct doc *m = doc_get(template, "metadata");

	check_annotations(c, &annotations, doc_get(m, "annotations"));
	check_labels(c, &labels, doc_get(m, "labels"));
	DOC_EACH_MEMBER (key, value, m) {
		const char *name = doc_cstr(c->a, key);

		(void)value;
		if (name && strcmp(name, "labels") != 0 && strcmp(name, "annotations") != 0 &&
		    value->type != DOC_NULL)
			check_has_not(c, &meta, m, name, "cannot be set");
	}
	check_claim_spec(c, &spec, doc_get(template, "spec"));
}

/* ---- updates ---- */

#define BETA_CLASS "volume.beta.kubernetes.io/storage-class"

static const struct doc *class_annotation(const struct doc *claim)
{
	return doc_get(doc_find(claim, "metadata.annotations"), BETA_CLASS);
}

/* The class moves from the annotation of old to the field. */
static bool moves_class(const struct doc *now, const struct doc *old)
{
	const struct doc *was = class_annotation(old), *is = class_annotation(now),
			 *class = doc_find(now, "spec.storageClassName");

	return was && !doc_find(old, "spec.storageClassName") && class && doc_equal(class, was) &&
	       (!is || doc_equal(is, was));
}

/* A class may be told once to a claim that has none. */
static bool gets_class(const struct doc *now, const struct doc *old)
{
	const struct doc *was = class_annotation(old),
			 *class = doc_find(now, "spec.storageClassName");

	return class && !doc_find(old, "spec.storageClassName") && (!was || doc_equal(class, was));
}

static void set_or_remove(struct check *c, struct doc *obj, const char *field,
			  const struct doc *value)
{
	if (value)
		(void)doc_set(c->a, obj, field, *value);
	else
		(void)doc_remove(obj, field);
}

/* The spec as it must still be: what may change is taken over from old. */
static bool spec_is_kept(struct check *c, const struct doc *now, const struct doc *old)
{
	const struct doc *before = doc_get(old, "spec");
	struct doc *spec = doc_copy_shared(c->a, doc_get(now, "spec"));
	struct doc *requests = doc_find(spec, "resources.requests");
	bool bound = doc_str_is(doc_find(now, "status.phase"), "Bound");

	if (!spec || !before)
		return true;
	if (doc_slice(doc_get(before, "volumeName")).n == 0)
		set_or_remove(c, spec, "volumeName", doc_get(before, "volumeName"));
	if (moves_class(now, old) || gets_class(now, old))
		set_or_remove(c, spec, "storageClassName", doc_get(before, "storageClassName"));
	if (bound && requests)
		set_or_remove(c, requests, STORAGE,
			      doc_get(doc_find(before, "resources.requests"), STORAGE));
	if (bound && doc_get(spec, "volumeAttributesClassName"))
		set_or_remove(c, spec, "volumeAttributesClassName",
			      doc_get(before, "volumeAttributesClassName"));
	return doc_equal(spec, before);
}

static bool less(const struct doc *a, const struct doc *b, bool or_equal)
{
	struct quantity x = { 0 }, y = { 0 };
	int cmp;

	if (a)
		(void)quantity_parse(doc_slice(a), &x);
	if (b)
		(void)quantity_parse(doc_slice(b), &y);
	cmp = quantity_cmp(&x, &y);
	return cmp < 0 || (or_equal && cmp == 0);
}

static void check_attributes_class(struct check *c, const struct doc *now, const struct doc *old)
{
	const struct path spec = PATH(NULL, "spec"), at = PATH(&spec, "volumeAttributesClassName");
	const struct doc *was = doc_find(old, "spec.volumeAttributesClassName"),
			 *is = doc_find(now, "spec.volumeAttributesClassName");

	if (was && !is)
		check_forbidden(c, &at, "update from non-nil value to nil is forbidden");
	else if (was && is->n == 0 && was->n > 0)
		check_forbidden(c, &at,
				"update from non-nil value to an empty string is forbidden");
}

static void check_claim_update(struct check *c, const struct doc *now, const struct doc *old)
{
	const struct path spec = PATH(NULL, "spec"), resources = PATH(&spec, "resources"),
			  requests = PATH(&resources, "requests"),
			  size_at = PATH(&requests, STORAGE), mode = PATH(NULL, "volumeMode"),
			  meta = PATH(NULL, "metadata"), annotations = PATH(&meta, "annotations"),
			  class = PATH(&annotations, BETA_CLASS);
	const struct doc *is = doc_get(doc_find(now, "spec.resources.requests"), STORAGE),
			 *was = doc_get(doc_find(old, "spec.resources.requests"), STORAGE);

	if (!moves_class(now, old))
		check_immutable(c, &class, class_annotation(now), class_annotation(old));
	if (!spec_is_kept(c, now, old))
		check_forbidden(c, &spec,
				"spec is immutable after creation except resources.requests and "
				"volumeAttributesClassName for bound claims");
	if (less(is, was, false) &&
	    less(is, doc_get(doc_find(old, "status.capacity"), STORAGE), true))
		check_forbidden(c, &size_at, "field can not be less than status.capacity");
	check_immutable(c, &mode, doc_find(now, "spec.volumeMode"),
			doc_find(old, "spec.volumeMode"));
	check_attributes_class(c, now, old);
}

/* ---- status ---- */

static void check_resize_key(struct check *c, const struct path *p, const struct doc *key)
{
	static const char *const storage[] = { STORAGE, NULL };
	struct slice s = doc_slice(key);
	const char *why = form_qualified_name(s);
	bool native = !slice_has(s, '/') || slice_has_text(s, SLICE("kubernetes.io/"));

	if (why)
		check_invalid(c, p, key, "%s", why);
	else if (native)
		check_one_of(c, p, key, storage, true);
}

static void check_sizes(struct check *c, const struct path *p, const struct doc *map)
{
	DOC_EACH_MEMBER (key, value, map) {
		const struct path at = PATH_KEY(p, doc_slice(key));

		if (slice_starts(doc_slice(value), SLICE("-")))
			check_invalid(c, &at, value, "must be a valid resource quantity");
	}
}

static void check_claim_status(struct check *c, const struct doc *claim)
{
	static const char *const states[] = {
		"ControllerResizeInProgress", "ControllerResizeInfeasible", "NodeResizeInProgress",
		"NodeResizeInfeasible",	      "NodeResizePending",	    NULL
	};
	const struct path spec = PATH(NULL, "Spec"), modes = PATH(&spec, "accessModes"),
			  status = PATH(NULL, "status"), capacity = PATH(&status, "capacity"),
			  resize = PATH(&status, "allocatedResourceStatus"),
			  allocated = PATH(&status, "allocatedResources");
	const struct doc *s = doc_get(claim, "status");

	if (doc_len(doc_find(claim, "spec.accessModes")) == 0)
		check_required(c, &modes, "");
	check_sizes(c, &capacity, doc_get(s, "capacity"));
	DOC_EACH_MEMBER (key, value, doc_get(s, "allocatedResourceStatuses")) {
		check_resize_key(c, &resize, key);
		check_exactly_one_of(c, &resize, value, states);
	}
	DOC_EACH_MEMBER (name, amount, doc_get(s, "allocatedResources")) {
		(void)amount;
		check_resize_key(c, &allocated, name);
	}
	check_sizes(c, &allocated, doc_get(s, "allocatedResources"));
}

void check_claim(struct check *c, const struct doc *obj, const char *sub)
{
	const struct path spec = PATH(NULL, "spec");

	if (strcmp(sub, "status") == 0) {
		check_claim_status(c, obj);
		return;
	}
	check_claim_spec(c, &spec, doc_get(obj, "spec"));
	if (c->old)
		check_claim_update(c, obj, c->old);
}
