/* SPDX-License-Identifier: Apache-2.0 */
/* What is common to all kinds, and the way to what is not. */
#include "apiserver/strategy/strategy-private.h"

#include "api/custom.h"
#include "api/defaults.h"
#include "api/object.h"
#include "base/clock.h"

#include <stdarg.h>
#include <stdio.h>

/* ---- tables ---- */

static const struct strategy others = { 0 };

const struct strategy *strategy_find(const char *group, const char *resource)
{
	static const struct strategy *const tables[] = { strategy_core,	   strategy_pod,
							 strategy_service, strategy_apps,
							 strategy_batch,   strategy_rest };

	for (size_t i = 0; i < ARRAY_LEN(tables); i++)
		for (const struct strategy *s = tables[i]; s->resource; s++)
			if (strcmp(s->group, group) == 0 && strcmp(s->resource, resource) == 0)
				return s;
	return &others;
}

const struct strategy *strategy_of(const struct api_kind *k)
{
	return k->custom ? &strategy_custom : strategy_find(k->group->group, k->resource);
}

const char *strategy_deprecated(const struct api_kind *k)
{
	if (k->custom)
		return k->custom->warning;
	if (strcmp(k->group->api_version, "v1") != 0)
		return NULL;
	if (strcmp(k->kind, "Endpoints") == 0)
		return "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 "
		       "EndpointSlice";
	return strcmp(k->kind, "ComponentStatus") == 0
		       ? "v1 ComponentStatus is deprecated in v1.19+"
		       : NULL;
}

/* ---- changing documents ---- */

/* The first name of a path; *path goes behind it. */
static struct slice step(const char **path)
{
	const char *dot = strchr(*path, '.');
	struct slice s = slice_of(*path, dot ? (size_t)(dot - *path) : strlen(*path));

	*path = dot ? dot + 1 : *path + s.n;
	return s;
}

static const struct api_type *type_of(const struct api_type *t, struct slice field)
{
	const struct schema_field *f = t ? schema_find(&t->schema, field, 0, false) : NULL;

	return f ? api_note_of(t, f)->type : NULL;
}

const struct api_type *strategy_type(const struct api_type *t, const char *path)
{
	while (*path)
		t = type_of(t, step(&path));
	return t;
}

/* Members that a table does not have (custom kinds) stand at the end. */
static void set_member(const struct api_type *t, struct doc *obj, struct arena *a, const char *name,
		       struct doc value)
{
	if (t && schema_find(&t->schema, slice_str(name), 0, false))
		api_set(t, obj, a, name, value);
	else
		(void)doc_set(a, obj, name, value);
}

struct doc *strategy_put(const struct api_type *t, struct doc *obj, struct arena *a,
			 const char *path, struct doc value)
{
	while (obj) {
		struct slice name = step(&path);
		const char *text = arena_strndup(a, name.p, name.n);
		struct doc *there = doc_getn(obj, name);

		if (!text)
			return NULL;
		if (!*path || !doc_is(there, DOC_OBJECT))
			set_member(t, obj, a, text, *path ? doc_object() : value);
		obj = doc_getn(obj, name);
		if (!*path)
			return obj;
		t = type_of(t, name);
	}
	return NULL;
}

bool strategy_drop(struct doc *obj, const char *path)
{
	while (obj) {
		struct slice name = step(&path);

		if (!*path)
			return doc_removen(obj, name);
		obj = doc_getn(obj, name);
	}
	return false;
}

void strategy_keep(const struct api_type *t, struct doc *obj, const struct doc *old,
		   struct arena *a, const char *path)
{
	const struct doc *was = doc_find(old, path), *copy = was ? doc_copy_shared(a, was) : NULL;

	if (copy)
		(void)strategy_put(t, obj, a, path, *copy);
	else
		(void)strategy_drop(obj, path);
}

void strategy_map_put(struct arena *a, struct doc *map, const char *key, struct doc value,
		      bool only_new)
{
	struct doc *there = doc_get(map, key), pair[2];
	size_t at = 0;

	if (there && !only_new)
		*there = value;
	if (there || !doc_add(a, map, slice_str(key), value))
		return;
	while (at + 1 < map->n) {
		if (slice_cmp(doc_slice(doc_key_at(map, at)), slice_str(key)) > 0)
			break;
		at++;
	}
	memcpy(pair, &map->kids[2 * (size_t)(map->n - 1)], sizeof(pair));
	memmove(&map->kids[2 * at + 2], &map->kids[2 * at],
		2 * (map->n - 1 - at) * sizeof(*map->kids));
	memcpy(&map->kids[2 * at], pair, sizeof(pair));
}

struct doc strategy_now(struct strategy_call *c)
{
	char text[CLOCK_TEXT_MAX];

	return doc_str(c->a, clock_rfc3339nano(text, c->now * NS_PER_SEC));
}

bool strategy_same(const struct doc *x, const struct doc *y)
{
	return x && y ? doc_equal(x, y) : x == y;
}

struct doc *strategy_condition(const struct doc *list, const char *type)
{
	DOC_EACH (d, list)
		if (strategy_is(d, "type", type))
			return d;
	return NULL;
}

/* ---- common rules ---- */

static bool has_status(const struct strategy_call *c)
{
	return api_kind_sub(c->objects->kind, "status") != NULL;
}

/* What is there of a status that nobody wrote. */
static int empty_status(struct strategy_call *c, struct doc *obj, struct err *err)
{
	const struct api_type *t = c->objects->kind->type;
	const struct schema_field *f = schema_find(&t->schema, SLICE("status"), 0, false);
	const struct doc nothing = doc_object();
	struct doc status;
	int r;

	if (!f || c->objects->kind->custom ||
	    (api_note_of(t, f)->flags & (API_POINTER | API_OMIT_ZERO))) {
		(void)doc_remove(obj, "status");
		return 0;
	}
	r = api_admit(api_note_of(t, f)->type, &nothing, c->a, 0, NULL, &status, err);
	if (r < 0)
		return r;
	(void)strategy_set(c, obj, "status", status);
	return 0;
}

static bool is_part_of(struct slice name, const char *const *list)
{
	for (; *list; list++)
		if (slice_is(name, *list))
			return true;
	return false;
}

/* Everything but the listed members becomes old's. */
static void keep_but(struct strategy_call *c, struct doc *obj, const struct doc *old,
		     const char *const *own)
{
	for (size_t i = obj->n; i-- > 0;) {
		struct slice name = doc_slice(doc_key_at(obj, i));

		if (!is_part_of(name, own) && !doc_getn(old, name))
			(void)doc_removen(obj, name);
	}
	DOC_EACH_MEMBER (key, value, old) {
		struct doc *there = doc_getn(obj, doc_slice(key));

		if (is_part_of(doc_slice(key), own))
			continue;
		if (there)
			*there = *value;
		else if (c->objects->kind->custom)
			(void)doc_add_node(c->a, obj, *key, *value);
		else
			(void)strategy_set(c, obj, arena_strndup(c->a, key->s, key->n), *value);
	}
}

/* What a write to status keeps of metadata, where it keeps any. */
static void keep_metadata(struct strategy_call *c, struct doc *obj, const struct doc *old)
{
	static const char *const kept[] = { "metadata.generation", "metadata.labels",
					    "metadata.annotations", "metadata.ownerReferences",
					    "metadata.finalizers" };
	const unsigned flags = c->objects->strategy->flags;
	const struct doc *meta = doc_get(old, "metadata"),
			 *fields = doc_find(obj, "metadata.managedFields");
	struct doc mine = fields ? *fields : doc_null(), *copy;

	if (flags & STRATEGY_STATUS_META)
		for (size_t i = 0; i < ARRAY_LEN(kept); i++)
			strategy_keep(c->objects->kind->type, obj, old, c->a, kept[i]);
	copy = flags & STRATEGY_STATUS_ALL_META && meta ? doc_copy_shared(c->a, meta) : NULL;
	if (!copy)
		return;
	(void)strategy_set(c, obj, "metadata", *copy);
	if (fields)
		(void)strategy_set(c, obj, "metadata.managedFields", mine);
	else
		(void)strategy_drop(obj, "metadata.managedFields");
}

static const char *const uncounted[] = { "kind", "apiVersion", "metadata", "status", NULL };
static const char *const uncounted_but_status[] = { "kind", "apiVersion", "metadata", NULL };

/* Is something else desired than before? Every member counts that is neither metadata nor status.
 */
static bool is_changed(const struct strategy_call *c, const struct doc *obj, const struct doc *old)
{
	const unsigned flags = c->objects->strategy->flags;
	const char *const *out = has_status(c) ? uncounted : uncounted_but_status;
	const struct doc *both[2] = { obj, old };

	for (size_t i = 0; i < 2; i++)
		DOC_EACH_MEMBER (key, value, both[i]) {
			const struct doc *other = doc_getn(both[1 - i], doc_slice(key));

			if (!is_part_of(doc_slice(key), out) && !strategy_same(value, other))
				return true;
		}
	return (flags & STRATEGY_COUNTS_ANNOTATIONS &&
		!strategy_same_at(obj, old, "metadata.annotations")) ||
	       (flags & STRATEGY_COUNTS_LABELS && !strategy_same_at(obj, old, "metadata.labels"));
}

static void set_generation(struct strategy_call *c, struct doc *obj, int64_t generation)
{
	if (generation == 0)
		(void)strategy_drop(obj, "metadata.generation");
	else
		(void)strategy_set(c, obj, "metadata.generation", doc_int(c->a, generation));
}

/* Subresources that write what is desired. */
static bool writes_spec(const struct strategy_call *c)
{
	return strategy_sub(c, "") || strategy_sub(c, "scale") || strategy_sub(c, "resize") ||
	       strategy_sub(c, "ephemeralcontainers");
}

static int end(const struct strategy_call *c, int r, struct err *err)
{
	return r == 0 && arena_exceeded(c->a) ? arena_quota(c->a, err) : r;
}

/* A patch may share nodes with what it was applied to, a body is used again with another name. */
static int own_nodes(struct strategy_call *c, struct doc *obj, struct err *err)
{
	const struct doc *copy = doc_copy_shared(c->a, obj);

	if (!copy)
		return arena_quota(c->a, err);
	*obj = *copy;
	return 0;
}

int strategy_create(struct strategy_call *c, struct doc *obj, struct err *err)
{
	const struct strategy *s = c->objects->strategy;
	int r = 0;

	if (own_nodes(c, obj, err) < 0)
		return err_ret(err);
	if (has_status(c) && !(s->flags & STRATEGY_KEEPS_STATUS))
		r = empty_status(c, obj, err);
	if (s->flags & STRATEGY_GENERATION)
		set_generation(c, obj, 1);
	if (r == 0 && s->create)
		r = s->create(c, obj, err);
	return end(c, r, err);
}

int strategy_update(struct strategy_call *c, struct doc *obj, const struct doc *old,
		    struct err *err)
{
	static const char *const of_status[] = { "kind", "apiVersion", "metadata", "status", NULL };
	const struct strategy *s = c->objects->strategy;
	int r = 0;

	if (own_nodes(c, obj, err) < 0)
		return err_ret(err);
	set_generation(c, obj, strategy_int(old, "metadata.generation"));
	if (strategy_sub(c, "status")) {
		keep_but(c, obj, old, of_status);
		keep_metadata(c, obj, old);
	} else if (has_status(c) && !strategy_sub(c, "approval")) {
		strategy_keep(c->objects->kind->type, obj, old, c->a, "status");
	}
	if (s->update)
		r = s->update(c, obj, old, err);
	if (r == 0 && s->flags & STRATEGY_GENERATION && writes_spec(c))
		set_generation(c, obj,
			       strategy_int(old, "metadata.generation") + is_changed(c, obj, old));
	return end(c, r, err);
}

int strategy_commit(struct strategy_call *c, struct doc *obj, const struct doc *old,
		    struct err *err)
{
	const struct strategy *s = c->objects->strategy;

	c->nmore = 0;
	return s->commit ? end(c, s->commit(c, obj, old, err), err) : 0;
}

bool strategy_is_over(const struct api_kind *k, const struct doc *obj, const struct doc *old)
{
	const struct doc *was = doc_get(old, "metadata");

	if (doc_len(doc_find(obj, "metadata.finalizers")) || !doc_get(was, "deletionTimestamp") ||
	    check_number(doc_get(was, "deletionGracePeriodSeconds")) != 0)
		return false;
	return strcmp(k->kind, "Namespace") != 0 || *k->group->group ||
	       doc_len(doc_find(obj, "spec.finalizers")) == 0;
}

/* ---- warnings ---- */

void strategy_warn(struct strategy_call *c, const char *fmt, ...)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT(16u << 10);
	va_list ap;

	if (c->nwarnings == STRATEGY_WARNINGS_MAX)
		return;
	va_start(ap, fmt);
	(void)buf_addv(&text, fmt, ap);
	va_end(ap);
	c->warnings[c->nwarnings] = arena_strndup(c->a, buf_str(&text), text.n);
	if (c->warnings[c->nwarnings])
		c->nwarnings++;
}

void strategy_warnings(struct strategy_call *c, const struct doc *obj, const struct doc *old)
{
	const struct strategy *s = c->objects->strategy;

	if (s->warn)
		s->warn(c, obj, old);
}
