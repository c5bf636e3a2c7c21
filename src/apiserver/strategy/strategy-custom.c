/* SPDX-License-Identifier: Apache-2.0 */
/* What a write does to objects of custom kinds, and to the definitions of these. */
#include "api/check-parts.h"
#include "api/custom.h"
#include "apiserver/strategy/strategy-private.h"
#include "base/err.h"

/* ---- objects ---- */

/* The definition of a kind as it is stored is being deleted: it says so in its metadata, which
 * stands before everything else. */
static bool is_terminating(const struct strategy_call *c)
{
	const struct api_kind *k = c->objects->kind;
	const char *name = arena_printf(c->a, "%s.%s", k->resource, k->group->group);
	struct item *i = name ? resources_get(c->rs, "apiextensions.k8s.io",
					      "customresourcedefinitions", "", name)
			      : NULL;
	struct slice tail = i ? item_tail(i) : slice_of("", 0);
	const char *spec = tail.n ? memmem(tail.p, tail.n, "\"spec\":{", 8) : NULL;

	return spec && slice_has_text(slice_of(tail.p, (size_t)(spec - tail.p)),
				      SLICE("\"deletionTimestamp\":\""));
}

static int create_custom(struct strategy_call *c, struct doc *obj, struct err *err)
{
	const struct slice name = strategy_text(obj, "metadata.name");

	if (!is_terminating(c))
		return 0;
	return err_set(err, ERR_FORBIDDEN,
		       "%s.%s \"%.*s\" is forbidden: create not allowed while custom resource "
		       "definition is terminating",
		       c->objects->kind->resource, c->objects->kind->group->group, (int)name.n,
		       name.n ? name.p : "");
}

static bool has_finalizer(const struct doc *obj, const struct doc *name)
{
	DOC_EACH (f, doc_find(obj, "metadata.finalizers"))
		if (doc_equal(f, name))
			return true;
	return false;
}

static void warn_custom(struct strategy_call *c, const struct doc *obj, const struct doc *old)
{
	static const char *const known[] = { "kubernetes", "orphan", "foregroundDeletion", NULL };

	DOC_EACH (f, doc_find(obj, "metadata.finalizers")) {
		struct slice s = doc_slice(f);
		const char *text = doc_cstr(c->a, f), *why = form_qualified_name(s);

		if (!text || has_finalizer(old, f))
			continue;
		if (why)
			strategy_warn(c, "metadata.finalizers: \"%s\": %s", text, why);
		if (!slice_has(s, '/') && !str_is_one_of(text, known))
			strategy_warn(c,
				      "metadata.finalizers: \"%s\": prefer a domain-qualified "
				      "finalizer name %sto avoid accidental conflicts with other "
				      "finalizer writers",
				      text, slice_has(s, '.') ? "including a path (/) " : "");
	}
}

const struct strategy strategy_custom = {
	.flags = STRATEGY_NEEDS_REVISION | STRATEGY_GENERATION | STRATEGY_STATUS_ALL_META,
	.create = create_custom,
	.warn = warn_custom,
};

/* ---- definitions ---- */

static int add_stored(struct strategy_call *c, struct doc *obj, struct err *err)
{
	const struct doc *have = doc_find(obj, "status.storedVersions");
	struct doc list = doc_array(), *copy = have ? doc_copy_shared(c->a, have) : NULL;
	const struct doc *name = NULL;

	DOC_EACH (v, doc_find(obj, "spec.versions"))
		if (doc_true(doc_get(v, "storage")))
			name = doc_get(v, "name");
	if (!name || part_has_text(have, doc_cstr(c->a, name)))
		return 0;
	if (doc_is(copy, DOC_ARRAY))
		list = *copy;
	doc_append(c->a, &list, *name);
	(void)strategy_set(c, obj, "status.storedVersions", list);
	return arena_exceeded(c->a) ? arena_quota(c->a, err) : 0;
}

int strategy_create_definition(struct strategy_call *c, struct doc *obj, struct err *err)
{
	return add_stored(c, obj, err);
}

int strategy_update_definition(struct strategy_call *c, struct doc *obj, const struct doc *old,
			       struct err *err)
{
	struct doc *status = doc_get(obj, "status"),
		   *copy = status ? doc_copy_shared(c->a, status) : NULL;

	if (!strategy_sub(c, ""))
		return 0;
	/* it is the old object's: changed apart from it */
	if (copy)
		*status = *copy;
	return add_stored(c, obj, err);
}

struct formats {
	struct strategy_call *c;
	const struct doc *old;
	struct slice one;
	bool found;
};

static void look_for(void *arg, struct slice format)
{
	struct formats *x = arg;

	x->found = x->found || slice_eq(x->one, format);
}

static void warn_format(void *arg, struct slice format)
{
	struct formats *x = arg;

	x->one = format;
	x->found = false;
	if (x->old)
		custom_unknown_formats(x->old, look_for, x);
	if (!x->found)
		strategy_warn(x->c, "unrecognized format \"%.*s\"", (int)format.n, format.p);
}

void strategy_warn_definition(struct strategy_call *c, const struct doc *obj, const struct doc *old)
{
	struct formats x = { .c = c, .old = old };

	custom_unknown_formats(obj, warn_format, &x);
}
