/* SPDX-License-Identifier: Apache-2.0 */
/* autoscaling/v1 Scale: how many pods a workload is to have, and whose they are. */
#include "api/custom.h"
#include "api/fields.h"
#include "api/managed.h"
#include "api/selector.h"
#include "apiserver/strategy/strategy-private.h"

#include <stdio.h>

#define SCALE_VERSION "autoscaling/v1"

static const struct api_group scale_group = { .group = "autoscaling",
					      .version = "v1",
					      .api_version = SCALE_VERSION };

/* ---- reading ---- */

static int no_scale(const struct api_kind *k, struct err *err)
{
	return err_set(err, ERR_NOT_FOUND, "the %s of \"%s\" have no scale", k->resource,
		       k->group->api_version);
}

/* The text of the selector of its pods. */
static int selector_text(const struct api_kind *k, const struct doc *obj, struct arena *a,
			 const char **ret, struct err *err)
{
	const struct doc *selector = doc_find(obj, "spec.selector");
	CLEANUP(buf_fini) struct buf text = BUF_INIT(1u << 20);
	struct doc whole = doc_object();
	struct selector s;
	bool none = false;
	int r;

	/* Of a replication controller it is the labels themselves. */
	if (selector && strcmp(k->kind, "ReplicationController") == 0) {
		(void)doc_set(a, &whole, "matchLabels", *selector);
		selector = &whole;
	}
	*ret = "";
	r = selector_object(selector, a, &s, &none, err);
	if (r < 0 || none)
		return r;
	r = selector_print(&s, &text);
	*ret = arena_strndup(a, buf_str(&text), text.n);
	return r < 0 || !*ret ? arena_quota(a, err) : 0;
}

static void copy_meta(struct doc *meta, const struct doc *obj, struct arena *a)
{
	static const char *const fields[] = { "name", "namespace", "uid", "resourceVersion",
					      "creationTimestamp" };

	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		const struct doc *value = doc_get(doc_get(obj, "metadata"), fields[i]);

		if (value)
			(void)doc_set(a, meta, fields[i], *value);
	}
}

int scale_get(const struct api_kind *k, const struct doc *obj, struct arena *a, struct doc *ret,
	      struct err *err)
{
	const int64_t replicas = strategy_int(obj, "spec.replicas");
	struct doc *d = doc_new_object(a), *spec, *status;
	const char *selector;
	int r;

	if (k->custom)
		return custom_scale_get(k, obj, a, ret, err);
	if (!api_kind_sub(k, "scale"))
		return no_scale(k, err);
	r = selector_text(k, obj, a, &selector, err);
	if (r < 0)
		return r;
	(void)doc_set_str(a, d, "kind", "Scale");
	(void)doc_set_str(a, d, "apiVersion", SCALE_VERSION);
	copy_meta(doc_set_object(a, d, "metadata"), obj, a);
	spec = doc_set_object(a, d, "spec");
	if (replicas != 0)
		(void)doc_set_int(a, spec, "replicas", replicas);
	status = doc_set_object(a, d, "status");
	(void)doc_set_int(a, status, "replicas", strategy_int(obj, "status.replicas"));
	if (*selector)
		(void)doc_set_str(a, status, "selector", selector);
	if (arena_exceeded(a))
		return arena_quota(a, err);
	*ret = *d;
	return 0;
}

/* ---- writing ---- */

static int check_scale(const struct api_kind *k, const struct doc *scale, const char *name,
		       struct arena *a, struct err *err)
{
	const struct path spec = PATH(NULL, "spec"), replicas = PATH(&spec, "replicas");
	const struct api_kind kind = { .group = &scale_group,
				       .kind = "Scale",
				       .namespaced = k->namespaced };
	struct check c;

	check_init(&c, NULL, &kind, NULL, a);
	check_metadata(&c, scale, form_dns_subdomain);
	check_not_negative(&c, &replicas, doc_find(scale, "spec.replicas"));
	return check_result(&c, name, err);
}

static int check_uid(const struct api_kind *k, const struct doc *obj, const struct doc *scale,
		     const char *name, struct err *err)
{
	const struct slice uid = strategy_text(scale, "metadata.uid"),
			   have = strategy_text(obj, "metadata.uid");

	if (uid.n == 0 || slice_eq(uid, have))
		return 0;
	return err_set(err, ERR_CONFLICT,
		       "Operation cannot be fulfilled on %s/scale%s%s \"%s\": Precondition failed: "
		       "UID in precondition: %.*s, UID in object meta: %.*s",
		       k->resource, *k->group->group ? "." : "", k->group->group, name, (int)uid.n,
		       uid.p, (int)have.n, have.p);
}

static int set_replicas(const struct api_kind *k, struct doc *obj, const struct doc *scale,
			struct arena *a, struct err *err)
{
	if (k->custom)
		return custom_scale_set(k, obj, scale, a, err);
	(void)strategy_put(k->type, obj, a, "spec.replicas",
			   doc_int(a, strategy_int(scale, "spec.replicas")));
	return 0;
}

int scale_set(const struct api_kind *k, struct doc *obj, const struct doc *scale, struct arena *a,
	      struct err *err)
{
	const char *name = doc_cstr(a, doc_find(obj, "metadata.name"));
	const struct doc *copy, *revision = doc_find(scale, "metadata.resourceVersion");
	int r = 0;

	if (!api_kind_sub(k, "scale"))
		return no_scale(k, err);
	/* Of custom kinds their own rules tell. */
	if (!k->custom)
		r = check_scale(k, scale, name, a, err);
	if (r == 0)
		r = check_uid(k, obj, scale, name, err);
	copy = r == 0 ? doc_copy_shared(a, obj) : NULL;
	if (!copy)
		return r < 0 ? r : arena_quota(a, err);
	*obj = *copy;
	r = set_replicas(k, obj, scale, a, err);
	if (revision)
		(void)strategy_put(k->type, obj, a, "metadata.resourceVersion", *revision);
	else
		(void)strategy_drop(obj, "metadata.resourceVersion");
	return r == 0 && arena_exceeded(a) ? arena_quota(a, err) : r;
}

/* ---- owners of fields ---- */

/*
 * Who owns the object's replicas owns those of its Scale, and the other way round. Entries of
 * Update are known by their version too, so none of a Scale is the same as one of the object:
 * upstream makes it anew, without its time; only those of Apply keep theirs.
 */

/* The path of the replicas, step by step, NULL at its end; in a Scale it is spec.replicas. */
#define STEPS_MAX 16
struct steps {
	const char *v[STEPS_MAX + 1];
};

static const struct steps spec_replicas = { { "spec", "replicas" } };

/* The version of the kind that an entry speaks of; NULL: there is none. */
static const struct api_kind *version_of(const struct api_kind *k, const char *api_version)
{
	const size_t n = strlen(k->group->group);

	if (strcmp(api_version, k->group->api_version) == 0)
		return k;
	if (!k->custom || strncmp(api_version, k->group->group, n) != 0 || api_version[n] != '/')
		return NULL;
	return custom_version(k->custom->definition, api_version + n + 1);
}

/* Where a version has them, without steps when it has no scale; of custom kinds their definition
 * tells. */
static struct steps steps_of(const struct api_kind *k, struct arena *a)
{
	struct steps path = { 0 };
	struct slice rest;
	size_t n = 0;

	if (!k->custom)
		return spec_replicas;
	rest = k->custom->scale ? slice_str(k->custom->scale->spec_replicas) : SLICE("");
	while (rest.p && n < STEPS_MAX) {
		const struct slice name = slice_split(&rest, '.');

		if (name.n > 0)
			path.v[n++] = arena_strndup(a, name.p, name.n);
	}
	return path;
}

static bool owns(const struct doc *set, const struct steps *path)
{
	const struct doc *value = set;

	for (size_t i = 0; value && path->v[i]; i++)
		value = fields_step(value, 'f', slice_str(path->v[i]));
	return value && value != set && fields_member(value);
}

/* The set of this one field. */
static struct doc set_of(const struct steps *path, struct arena *a)
{
	struct doc set = doc_object(), *at = &set;

	for (size_t i = 0; path->v[i]; i++)
		at = doc_set(a, at, arena_printf(a, "f:%s", path->v[i]), doc_object());
	return set;
}

int scale_managed_from_parent(const struct api_kind *k, const struct doc *parent, struct arena *a,
			      struct doc *ret, struct err *err)
{
	struct managed all, scale = { 0 };
	int r = managed_read(parent, a, &all, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < all.n; i++) {
		const struct managed_entry *e = &all.v[i];
		const struct api_kind *version = version_of(k, e->api_version);
		const struct steps path = version ? steps_of(version, a) : (struct steps){ 0 };
		struct managed_entry *to;

		if (!owns(&e->set, &path))
			continue;
		to = managed_add(&scale, e->manager, e->applied, SCALE_VERSION, e->subresource, a);
		if (!to)
			break;
		managed_touch(to, e->time);
		to->sec = e->sec;
		to->set = set_of(&spec_replicas, a);
	}
	*ret = managed_write(&scale, a);
	return arena_exceeded(a) ? arena_quota(a, err) : 0;
}

/* The entry of the Scale that is the same as the object's: of Apply, by its names. */
static struct managed_entry *same_entry(struct managed *scale, const struct managed_entry *e)
{
	return e->applied ? managed_find(scale, e->manager, true, SCALE_VERSION, e->subresource)
			  : NULL;
}

/* What of the object's entries goes on, with their fields but for the replicas they lost. */
static void keep_entries(struct managed *to, const struct managed *all, struct managed *scale,
			 const struct api_kind *k, struct arena *a)
{
	for (size_t i = 0; i < all->n; i++) {
		const struct managed_entry *e = &all->v[i];
		const struct api_kind *version = version_of(k, e->api_version);
		const struct steps path = version ? steps_of(version, a) : (struct steps){ 0 };
		struct managed_entry *same = same_entry(scale, e), *n;
		struct doc set = e->set;

		/* Versions that nothing is known of are dropped, as upstream drops them. */
		if (!version)
			continue;
		if (owns(&e->set, &path)) {
			const struct doc lost = set_of(&path, a);

			if (same)
				managed_remove(scale, same);
			else
				set = fields_join(FIELDS_DIFFERENCE, &e->set, &lost, a);
			if (fields_empty(&set))
				continue;
		}
		n = managed_add(to, e->manager, e->applied, e->api_version, e->subresource, a);
		if (!n)
			return;
		n->time = e->time;
		n->sec = e->sec;
		n->set = set;
	}
}

static void add_entries(struct managed *to, const struct managed *all, const struct managed *scale,
			const struct api_kind *k, const struct steps *path, struct arena *a)
{
	for (size_t i = 0; i < scale->n; i++) {
		const struct managed_entry *e = &scale->v[i];
		const char *version = k->group->api_version;
		const struct managed_entry *was =
			e->applied ? managed_find(all, e->manager, true, version, e->subresource)
				   : NULL;
		struct managed_entry *n;

		if (!owns(&e->set, &spec_replicas))
			continue;
		n = managed_find(to, e->manager, e->applied, version, e->subresource);
		if (n) {
			const struct doc more = set_of(path, a);

			n->set = fields_join(FIELDS_UNION, &n->set, &more, a);
			continue;
		}
		n = managed_add(to, e->manager, e->applied, version, e->subresource, a);
		if (!n)
			return;
		n->set = set_of(path, a);
		n->time = was ? was->time : NULL;
		n->sec = was ? was->sec : 0;
	}
}

int scale_managed_to_parent(const struct api_kind *k, const struct doc *parent,
			    const struct doc *scale, struct arena *a, struct doc *ret,
			    struct err *err)
{
	const struct steps path = steps_of(k, a);
	struct managed all, of_scale, out = { 0 };
	int r = managed_read(parent, a, &all, err);

	if (r == 0)
		r = managed_read(scale, a, &of_scale, err);
	if (r < 0)
		return r;
	keep_entries(&out, &all, &of_scale, k, a);
	add_entries(&out, &all, &of_scale, k, &path, a);
	*ret = managed_write(&out, a);
	return arena_exceeded(a) ? arena_quota(a, err) : 0;
}
