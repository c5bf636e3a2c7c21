/* SPDX-License-Identifier: Apache-2.0 */
/* Fields of client-side apply become those of server-side apply. */
#include "cli/kubectl/kubectl-csa.h"

#include "cli/kubectl/kubectl.h"
#include "doc/doc.h"

static bool is_entry(const struct doc *e, const char *manager, const char *operation)
{
	return (!manager || doc_str_is(doc_get(e, "manager"), manager)) &&
	       doc_str_is(doc_get(e, "operation"), operation) && !doc_get(e, "subresource");
}

#define NOTE_FIELD "f:" KUBECTL_LAST_APPLIED

static bool has_note(const struct doc *entry)
{
	static const char *const path[] = { "fieldsV1", "f:metadata", "f:annotations", NOTE_FIELD };

	for (size_t i = 0; i < ARRAY_LEN(path) && entry; i++)
		entry = doc_get(entry, path[i]);
	return entry;
}

bool csa_owns_note(const struct doc *obj, const char *operation)
{
	DOC_EACH (e, doc_find(obj, "metadata.managedFields"))
		if (doc_str_is(doc_get(e, "operation"), operation) && has_note(e))
			return true;
	return false;
}

/* Owned by either. What has no members is a field that is owned itself; "." says it of others. */
static struct doc fields_union(struct arena *a, const struct doc *x, const struct doc *y)
{
	struct doc out = doc_object();

	if (doc_len(x) && !doc_len(y) && !doc_get(x, "."))
		doc_set_object(a, &out, ".");
	if (doc_len(y) && !doc_len(x) && !doc_get(y, "."))
		doc_set_object(a, &out, ".");
	DOC_EACH_MEMBER (key, value, x) {
		struct slice name = slice_of(key->s, key->n);
		const struct doc *other = doc_getn(y, name);

		doc_setn(a, &out, name, other ? fields_union(a, value, other) : *value);
	}
	DOC_EACH_MEMBER (key, value, y) {
		struct slice name = slice_of(key->s, key->n);

		if (!doc_getn(x, name))
			doc_setn(a, &out, name, *value);
	}
	return out;
}

static struct doc *find(const struct doc *list, const char *manager, const char *operation,
			const struct doc *version)
{
	DOC_EACH (e, list)
		if (is_entry(e, manager, operation) &&
		    (!version || doc_equal(doc_get(e, "apiVersion"), version)))
			return e;
	return NULL;
}

/* One manager's fields: those of the same version are united, the others let go. */
static struct doc hand_over(struct arena *a, const struct doc *list, const char *from,
			    const char *to)
{
	struct doc *target = find(list, to, "Apply", NULL), *entry, *same, fields;
	struct doc out = doc_array(), made;

	if (!target)
		target = find(list, from, "Update", NULL); /* the one that was last to change */
	if (!target)
		return *list;
	same = find(list, from, "Update", doc_get(target, "apiVersion"));
	fields = fields_union(a, doc_get(target, "fieldsV1"),
			      doc_get(same ? same : target, "fieldsV1"));
	DOC_EACH (e, list) {
		if (e != target && is_entry(e, from, "Update"))
			continue;
		if (e != target) {
			doc_append(a, &out, *e);
			continue;
		}
		made = doc_object();
		DOC_EACH_MEMBER (key, value, e)
			doc_setn(a, &made, slice_of(key->s, key->n), *value);
		doc_append(a, &out, made);
		entry = doc_at(&out, out.n - 1);
		doc_set_str(a, entry, "manager", to);
		doc_set_str(a, entry, "operation", "Apply");
		doc_set(a, entry, "fieldsV1", fields);
	}
	return out;
}

int csa_upgrade(struct arena *a, const struct doc *obj, const char *manager, struct doc *ret)
{
	const struct doc *list = doc_find(obj, "metadata.managedFields");
	struct doc now;
	int any = 0;

	if (!list)
		return 0;
	now = *list;
	DOC_EACH (e, list) {
		const char *from = is_entry(e, NULL, "Update") && has_note(e)
					   ? doc_cstr(a, doc_get(e, "manager"))
					   : NULL;

		if (!from)
			continue;
		now = hand_over(a, &now, from, manager);
		any = 1;
	}
	*ret = now;
	return any;
}
