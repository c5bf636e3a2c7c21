/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/rest/hook-view.h"

#include "api/defaults.h"
#include "apiserver/objects/codec.h"

#include <string.h>

static struct doc *own_meta(struct arena *a, struct doc *d)
{
	struct doc *copy = doc_copy_shared(a, doc_get(d, "metadata")), all = doc_object();

	if (!copy)
		return NULL;
	DOC_EACH_MEMBER (key, value, d)
		doc_add_node(a, &all, *key, doc_str_is(key, "metadata") ? *copy : *value);
	*d = all;
	return doc_get(d, "metadata");
}

/* The object without what it gets only when it is stored. */
static void hide(const struct hook_ask *k, struct doc *d)
{
	struct doc *meta = own_meta(call_work(k->c), d);

	if (!meta)
		return;
	(void)doc_remove(meta, "uid");
	(void)doc_remove(meta, "creationTimestamp");
	if (k->generated)
		(void)doc_remove(meta, "name");
}

static int show(const struct hook_ask *k, bool hidden, struct hook_view *v, struct err *err)
{
	struct arena *a = call_work(k->c);
	int r = 0;

	v->obj = k->obj ? *k->obj : doc_null();
	v->old = k->old ? *k->old : doc_null();
	if (!k->own && k->obj)
		r = call_convert(k->c, k->stored, v->as->kind, k->obj, a, &v->obj, err);
	if (r == 0 && !k->own && k->old)
		r = call_convert(k->c, k->stored, v->as->kind, k->old, a, &v->old, err);
	if (r == 0 && hidden && k->made)
		hide(k, &v->obj);
	return r < 0 ? r : arena_exceeded(a) ? arena_quota(a, err) : 0;
}

static struct review_gvk kind_of(const struct hook_ask *ask, const struct hook_view *view,
				 const struct api_kind *k)
{
	struct arena *a = call_work(ask->c);
	const char *v, *slash;

	if (!ask->own)
		return (struct review_gvk){ k->group->group, k->group->version, k->kind };
	v = doc_cstr(a, doc_get(&view->obj, "apiVersion"));
	slash = v ? strchr(v, '/') : NULL;
	return (struct review_gvk){
		slash ? arena_strndup(a, v, (size_t)(slash - v)) : "",
		slash ? slash + 1 : v,
		doc_cstr(a, doc_get(&view->obj, "kind")),
	};
}

static struct review_gvk resource_of(const struct api_kind *k)
{
	return (struct review_gvk){ k->group->group, k->group->version, k->resource };
}

int hook_view(const struct hook_ask *k, const struct resource *as, bool hidden,
	      struct hook_view *ret, struct err *err)
{
	int r;

	*ret = (struct hook_view){ .as = as };
	r = show(k, hidden, ret, err);
	if (r < 0)
		return r;
	ret->review = (struct review){
		.uid = "",
		.kind = kind_of(k, ret, as->kind),
		.resource = resource_of(as->kind),
		.request_kind = kind_of(k, ret, k->asked->kind),
		.request_resource = resource_of(k->asked->kind),
		.sub = k->sub,
		.name = k->name,
		.ns = k->ns,
		.operation = hook_op_name(k->op),
		.user = &k->c->user,
		.obj = k->obj ? &ret->obj : NULL,
		.old = k->old ? &ret->old : NULL,
		.options = k->options,
		.dry_run = k->dry_run,
	};
	return 0;
}

/* ---- what was made of it ---- */

/* What nobody gives. */
static void keep_meta(const struct hook_ask *k, struct doc *to, const struct doc *from)
{
	static const char *const kept[] = {
		"namespace",
		"uid",
		"generation",
		"resourceVersion",
		"managedFields",
		"creationTimestamp",
		"selfLink",
		"deletionTimestamp",
		"deletionGracePeriodSeconds",
	};
	const struct api_type *type = api_type(k->c->srv->conf.api, API_META, "ObjectMeta");
	struct arena *a = call_work(k->c);
	struct doc *meta = doc_get(to, "metadata");
	const struct doc *old = doc_get(from, "metadata");

	if (!doc_is(meta, DOC_OBJECT)) {
		api_set(k->stored->type, to, a, "metadata", doc_object());
		meta = doc_get(to, "metadata");
	}
	for (size_t i = 0; i < ARRAY_LEN(kept); i++)
		if (doc_get(old, kept[i]))
			api_set(type, meta, a, kept[i], *doc_get(old, kept[i]));
		else
			(void)doc_remove(meta, kept[i]);
	if (k->generated && !doc_get(meta, "name"))
		api_set(type, meta, a, "name", *doc_get(old, "name"));
}

static int same_kind(const struct doc *x, const struct doc *y)
{
	return doc_equal(doc_get(x, "kind"), doc_get(y, "kind")) &&
	       doc_equal(doc_get(x, "apiVersion"), doc_get(y, "apiVersion"));
}

static int take(struct hook_ask *k, const struct hook_view *v, const struct doc *to,
		const char *who, struct api_strays *strays, struct err *err)
{
	struct arena *a = call_work(k->c);
	const struct api_type *type = k->own ? k->own : v->as->kind->type;
	struct doc canonical, obj;

	if (!doc_is(to, DOC_OBJECT) || !same_kind(to, &v->obj))
		return err_set(err, ERR_INVALID, "%s made another kind of the object", who);
	if (api_admit(type, to, a, 0, strays, &canonical, err) < 0)
		return err_ret(err);
	if (strays && strays->n)
		return err_set(err, ERR_BAD_REQUEST, "strict decoding error: %s", strays->v[0]);
	obj = canonical;
	if (!k->own) {
		if (call_convert(k->c, v->as->kind, k->stored, &canonical, a, &obj, err) < 0)
			return err_ret(err);
		if (!own_meta(a, &obj))
			return err_set(err, ERR_INVALID, "%s removed the metadata", who);
		keep_meta(k, &obj, k->obj);
	}
	if (arena_exceeded(a))
		return arena_quota(a, err);
	*k->obj = obj;
	return 0;
}

int hook_view_take(struct hook_ask *k, const struct hook_view *v, const struct doc *to,
		   const char *who, bool *ret_changed, struct err *err)
{
	const struct doc before = *k->obj;

	if (take(k, v, to, who, NULL, err) < 0)
		return err_ret(err);
	*ret_changed = !doc_equal(&before, k->obj);
	return 0;
}

int hook_view_take_strictly(struct hook_ask *k, const struct hook_view *v, const struct doc *to,
			    const char *who, bool *ret_changed, struct err *err)
{
	const struct doc before = *k->obj;
	struct api_strays strays = { 0 };

	if (take(k, v, to, who, &strays, err) < 0)
		return err_ret(err);
	*ret_changed = !doc_equal(&before, k->obj);
	return 0;
}
