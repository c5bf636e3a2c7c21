/* SPDX-License-Identifier: Apache-2.0 */
/* Volumes, claims, classes, drivers. */
#include "apiserver/objects/columns-cell.h"
#include "apiserver/objects/columns-private.h"

#include "doc/doc.h"

/* The old annotation goes before the field. */
static void storage_class(struct cells *c)
{
	const struct doc *old = doc_get(doc_find(c->obj, "metadata.annotations"),
					"volume.beta.kubernetes.io/storage-class");

	if (old)
		cell_text(c, doc_slice(old));
	else
		cell_path(c, "spec.storageClassName");
}

static void phase(struct cells *c)
{
	if (cell_is_set(c->obj, "metadata.deletionTimestamp"))
		cell_word(c, "Terminating");
	else
		cell_path(c, "status.phase");
}

void columns_volume(struct cells *c)
{
	const struct doc *claim = doc_find(c->obj, "spec.claimRef");
	struct slice space = cell_get(claim, "namespace"), name = cell_get(claim, "name");

	cell_name(c);
	cell_or(c, cell_get(c->obj, "spec.capacity.storage"), "0");
	cell_access_modes(c, doc_find(c->obj, "spec.accessModes"));
	cell_path(c, "spec.persistentVolumeReclaimPolicy");
	phase(c);
	if (doc_is(claim, DOC_OBJECT))
		cell_printf(c, "%.*s/%.*s", (int)space.n, space.n ? space.p : "", (int)name.n,
			    name.n ? name.p : "");
	else
		cell_word(c, "");
	storage_class(c);
	cell_path_or(c, "spec.volumeAttributesClassName", CELL_UNSET);
	cell_path(c, "status.reason");
	cell_age(c);
	cell_path_or(c, "spec.volumeMode", CELL_UNSET);
}

void columns_claim(struct cells *c)
{
	bool bound = cell_get(c->obj, "spec.volumeName").n > 0;

	cell_name(c);
	phase(c);
	cell_path(c, "spec.volumeName");
	if (bound)
		cell_or(c, cell_get(c->obj, "status.capacity.storage"), "0");
	else
		cell_word(c, "");
	cell_access_modes(c, bound ? doc_find(c->obj, "status.accessModes") : NULL);
	storage_class(c);
	cell_path_or(c, "spec.volumeAttributesClassName", CELL_UNSET);
	cell_age(c);
	cell_path_or(c, "spec.volumeMode", CELL_UNSET);
}

void columns_storage_class(struct cells *c)
{
	static const char *const keys[] = { "storageclass.kubernetes.io/is-default-class",
					    "storageclass.beta.kubernetes.io/is-default-class" };
	const struct doc *notes = doc_find(c->obj, "metadata.annotations");
	struct slice name = cell_get(c->obj, "metadata.name");
	bool is_default = false;

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		is_default |= doc_str_is(doc_get(notes, keys[i]), "true");
	cell_printf(c, "%.*s%s", (int)name.n, name.n ? name.p : "", is_default ? " (default)" : "");
	cell_path(c, "provisioner");
	cell_path_or(c, "reclaimPolicy", "Delete");
	cell_path_or(c, "volumeBindingMode", "Immediate");
	cell_bool(c, "allowVolumeExpansion");
	cell_age(c);
}

void columns_attributes_class(struct cells *c)
{
	cell_name(c);
	cell_path(c, "driverName");
	cell_age(c);
}

void columns_volume_attachment(struct cells *c)
{
	cell_name(c);
	cell_path(c, "spec.attacher");
	cell_path(c, "spec.source.persistentVolumeName");
	cell_path(c, "spec.nodeName");
	cell_bool(c, "status.attached");
	cell_age(c);
}

/* ---- drivers ---- */

static void joined(struct cells *c, const char *path, const char *member, const char *other)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(CELL_MAX);

	cell_join(&b, doc_find(c->obj, path), member, ",");
	cell_buf(c, &b, other);
}

void columns_csi_driver(struct cells *c)
{
	const struct doc *attach = doc_find(c->obj, "spec.attachRequired");

	cell_name(c);
	(void)doc_append(c->a, c->out, doc_bool(!doc_is(attach, DOC_BOOL) || doc_true(attach)));
	cell_bool(c, "spec.podInfoOnMount");
	cell_bool(c, "spec.storageCapacity");
	joined(c, "spec.tokenRequests", "audience",
	       cell_is_set(c->obj, "spec.tokenRequests") ? NULL : CELL_UNSET);
	cell_bool(c, "spec.requiresRepublish");
	joined(c, "spec.volumeLifecycleModes", NULL, CELL_NONE);
	cell_age(c);
}

void columns_csi_node(struct cells *c)
{
	cell_name(c);
	cell_count(c, "spec.drivers");
	cell_age(c);
}

void columns_capacity(struct cells *c)
{
	cell_name(c);
	cell_path(c, "storageClassName");
	cell_path_or(c, "capacity", CELL_UNSET);
}

void columns_migration(struct cells *c)
{
	static const char *const states[] = { "Running", "Failed", "Succeeded" };
	const struct slice group = cell_get(c->obj, "spec.resource.group"),
			   resource = cell_get(c->obj, "spec.resource.resource");
	const char *state = "Unknown";

	cell_name(c);
	cell_printf(c, "%.*s%s%.*s", (int)resource.n, resource.p, group.n ? "." : "", (int)group.n,
		    group.p);
	/* the last one that is true, in the order of the object */
	DOC_EACH (x, doc_find(c->obj, "status.conditions"))
		for (size_t i = 0; i < ARRAY_LEN(states); i++)
			if (doc_str_is(doc_get(x, "type"), states[i]) &&
			    doc_str_is(doc_get(x, "status"), "True"))
				state = states[i];
	cell_word(c, state);
}
