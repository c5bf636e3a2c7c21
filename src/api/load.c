/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of numbers (tables.h) to structs with pointers, in one arena. */
#include "api/api.h"

#include "api/defaults.h"
#include "api/tables.h"
#include "base/arena.h"
#include "base/err.h"

#include <stdio.h>

struct load {
	struct arena *a;
	struct api *api;
	const char **lists;	    /* api_lists with pointers, same places */
	struct schema_field *elems; /* the elements' rows: those before the first object's */
	struct api_type *types;
};

static const char *text(uint32_t at)
{
	return api_strings + at;
}

static const char *text_or_null(uint32_t at)
{
	return at ? text(at) : NULL;
}

/* NULL for the empty list where that means "any". */
static const char *const *list(const struct load *l, uint32_t at)
{
	return &l->lists[at];
}

static void load_row(const struct load *l, const struct api_row *r, struct schema_field *f)
{
	*f = (struct schema_field){
		.name = text_or_null(r->name),
		.len = r->name ? (uint8_t)strlen(text(r->name)) : 0,
		.def = text_or_null(r->def),
		.list_keys = text_or_null(r->list_keys),
		.merge_key = text_or_null(r->merge_key),
		.min = r->min,
		.max = r->max,
		.pb = r->pb,
		.flags = r->flags,
		.type = r->kind,
		.elem_type = r->elem_kind,
		.width = r->width,
		.format = r->format,
		.key_format = r->key_format,
		.list = r->list,
		.merge = r->merge,
		.wire = r->wire,
		.part = r->part,
	};
	if (r->elem) {
		f->elem = &l->elems[r->elem - 1];
		f->elem_row = true;
	} else if (r->type) {
		f->sub = &l->types[r->type - 1].schema;
	}
}

/* The type that a row leads to, also through rows of elements. */
static const struct api_row *innermost(const struct api_row *r)
{
	while (r->elem)
		r = &api_rows[r->elem - 1];
	return r;
}

static void load_note(const struct load *l, const struct api_row *r, struct api_note *n)
{
	const struct api_row *in = innermost(r);

	*n = (struct api_note){
		.doc = text(r->doc),
		.type = in->type ? &l->types[in->type - 1] : NULL,
		.enums = r->enums ? list(l, r->enums) : NULL,
		.word = in->word,
		.flags = r->note,
	};
}

static int full(struct err *err)
{
	return err_set(err, ERR_QUOTA, "the tables of the API do not fit their arena");
}

static int load_lists(struct load *l, struct err *err)
{
	l->lists = arena_alloc(l->a, api_nlists * sizeof(*l->lists));
	if (!l->lists)
		return full(err);
	for (uint32_t i = 0; i < api_nlists; i++)
		l->lists[i] = text_or_null(api_lists[i]);
	return 0;
}

static int load_types(struct load *l, struct api_group *groups, struct err *err)
{
	uint32_t first = api_nobjects ? api_objects[0].row : 0;
	struct schema_field *fields = arena_alloc(l->a, api_nrows * sizeof(*fields));
	struct api_note *notes = arena_alloc(l->a, api_nrows * sizeof(*notes));
	struct schema_part *parts = arena_alloc(l->a, (api_nparts + 1) * sizeof(*parts));

	l->types = arena_alloc(l->a, api_nobjects * sizeof(*l->types));
	if (!fields || !notes || !parts || !l->types)
		return full(err);
	l->elems = fields;
	for (uint32_t i = 0; i < api_nrows; i++) {
		load_row(l, &api_rows[i], &fields[i]);
		if (i >= first)
			load_note(l, &api_rows[i], &notes[i]);
	}
	for (uint32_t i = 0; i < api_nparts; i++)
		parts[i] = (struct schema_part){ .pb = api_parts[i].pb, .up = api_parts[i].up };
	for (uint32_t i = 0; i < api_nobjects; i++) {
		const struct api_object *o = &api_objects[i];

		l->types[i] = (struct api_type){
			.schema = { .name = text(o->name),
				    .fields = &fields[o->row],
				    .n = o->nrows,
				    .parts = &parts[o->part],
				    .nparts = (uint8_t)o->nparts,
				    .unknown = SCHEMA_UNKNOWN_ERROR },
			.definition = text(o->definition),
			.doc = text(o->doc),
			.notes = &notes[o->row],
			.group = &groups[o->group],
			.unions = text_or_null(o->unions),
			.atomic = o->atomic,
			.hidden = o->hidden,
			.fix = (uint8_t)api_defaults_find(text(o->definition)),
		};
	}
	return 0;
}

static int load_columns(struct load *l, const char *const *names, struct api_kind *k,
			struct err *err)
{
	struct api_column *c;
	size_t n = 0;

	while (names[n])
		n++;
	c = arena_alloc(l->a, (n + 1) * sizeof(*c));
	if (!c)
		return full(err);
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(names[i]);

		c[i].wide = len > 0 && names[i][len - 1] == '*';
		c[i].name = c[i].wide ? arena_strndup(l->a, names[i], len - 1) : names[i];
		if (!c[i].name)
			return full(err);
	}
	k->columns = c;
	k->ncolumns = n;
	return 0;
}

static int load_kind(struct load *l, const struct api_resource *r, const struct api_sub *subs,
		     struct api_kind *k, struct err *err)
{
	*k = (struct api_kind){
		.kind = text(r->kind),
		.list_kind = text(r->list_kind),
		.resource = text(r->resource),
		.singular = text(r->singular),
		.short_names = list(l, r->short_names),
		.categories = list(l, r->categories),
		.namespaced = r->namespaced,
		.verbs = r->verbs,
		.subs = &subs[r->sub],
		.nsubs = r->nsubs,
		.selectable = list(l, r->selectable),
		.type = &l->types[r->type - 1],
		.list = r->list ? &l->types[r->list - 1] : NULL,
	};
	return load_columns(l, list(l, r->columns), k, err);
}

static int load_kinds(struct load *l, struct api_group *groups, struct err *err)
{
	struct api_kind *kinds = arena_alloc(l->a, api_nresources * sizeof(*kinds));
	const struct api_kind **all = arena_alloc(l->a, api_nresources * sizeof(*all));
	struct api_sub *subs = arena_alloc(l->a, (api_nsubresources + 1) * sizeof(*subs));
	int r;

	if (!kinds || !all || !subs)
		return full(err);
	for (uint32_t i = 0; i < api_nsubresources; i++)
		subs[i] = (struct api_sub){ .name = text(api_subresources[i].name),
					    .group = text(api_subresources[i].group),
					    .version = text(api_subresources[i].version),
					    .kind = text(api_subresources[i].kind),
					    .verbs = api_subresources[i].verbs };
	for (uint32_t g = 0; g < api_nversions; g++) {
		const struct api_version *v = &api_versions[g];

		groups[g] = (struct api_group){ .group = text(v->group),
						.version = text(v->version),
						.api_version = text(v->api_version),
						.package = text(v->package),
						.gate = text_or_null(v->gate),
						.kinds = &all[v->kind],
						.nkinds = v->gate ? 0 : v->nkinds };
		for (uint32_t i = v->kind; i < (uint32_t)v->kind + v->nkinds; i++) {
			r = load_kind(l, &api_resources[i], subs, &kinds[i], err);
			if (r < 0)
				return r;
			kinds[i].group = &groups[g];
			kinds[i].off = v->gate != 0;
			all[i] = &kinds[i];
		}
	}
	l->api->kinds = kinds;
	l->api->nkinds = api_nresources;
	return 0;
}

/* "apps/v1 deployments" in the arena. */
static struct slice key_of(struct arena *a, const char *group_version, const char *name)
{
	size_t n = strlen(group_version), m = strlen(name);
	char *p = arena_alloc_raw(a, n + m + 2, 1);

	if (!p)
		return (struct slice){ NULL, 0 };
	memcpy(p, group_version, n);
	p[n] = ' ';
	memcpy(p + n + 1, name, m + 1);
	return slice_of(p, n + m + 1);
}

static int put(struct arena *a, struct map *m, const char *group_version, const char *name,
	       const void *value, struct err *err)
{
	struct slice key = key_of(a, group_version, name);

	if (!key.p)
		return full(err);
	map_put(m, key, (void *)(uintptr_t)value);
	return 0;
}

static int index_all(struct load *l, struct err *err)
{
	struct api *api = l->api;
	int r = 0;

	for (size_t i = 0; i < api->nkinds && r == 0; i++) {
		const struct api_kind *k = &api->kinds[i];

		r = put(l->a, &api->by_resource, k->group->api_version, k->resource, k, err);
	}
	for (size_t i = 0; i < api->ntypes && r == 0; i++) {
		const struct api_type *t = &api->types[i];

		map_put(&api->by_definition, slice_str(t->definition), (void *)(uintptr_t)t);
		r = put(l->a, &api->by_kind, t->group->api_version, t->schema.name, t, err);
	}
	return r;
}

int api_load(struct arena *a, struct api *ret, struct err *err)
{
	struct load l = { .a = a, .api = ret };
	struct api_group *groups = arena_alloc(a, api_nversions * sizeof(*groups));
	int r;

	*ret = (struct api){ 0 };
	map_init(&ret->by_kind);
	map_init(&ret->by_resource);
	map_init(&ret->by_definition);
	if (!groups)
		return full(err);
	ret->groups = groups;
	ret->ngroups = api_nversions;
	r = load_lists(&l, err);
	if (r == 0)
		r = load_types(&l, groups, err);
	if (r == 0)
		r = load_kinds(&l, groups, err);
	ret->types = l.types;
	ret->ntypes = api_nobjects;
	if (r == 0)
		r = index_all(&l, err);
	if (r < 0)
		api_fini(ret);
	return r;
}

void api_fini(struct api *api)
{
	map_fini(&api->by_kind);
	map_fini(&api->by_resource);
	map_fini(&api->by_definition);
}

/* ---- finding ---- */

static const void *get(const struct map *m, const char *group_version, const char *name)
{
	return map_get_pair(m, group_version, ' ', name);
}

const struct api_group *api_group(const struct api *api, const char *group_version)
{
	for (size_t i = 0; i < api->ngroups; i++)
		if (strcmp(api->groups[i].api_version, group_version) == 0)
			return &api->groups[i];
	return NULL;
}

const struct api_kind *api_resource(const struct api *api, const char *group_version,
				    const char *resource)
{
	return get(&api->by_resource, group_version, resource);
}

const struct api_kind *api_kind(const struct api *api, const char *group_version, const char *kind)
{
	const struct api_group *g = api_group(api, group_version);

	for (size_t i = 0; g && i < api->nkinds; i++)
		if (api->kinds[i].group == g && strcmp(api->kinds[i].kind, kind) == 0)
			return &api->kinds[i];
	return NULL;
}

const struct api_type *api_definition(const struct api *api, const char *definition)
{
	return map_get(&api->by_definition, slice_str(definition));
}

const struct api_type *api_type(const struct api *api, const char *group_version, const char *name)
{
	const struct api_type *t = get(&api->by_kind, group_version, name);

	return t ? t : get(&api->by_kind, API_META, name);
}

const struct api_sub *api_kind_sub(const struct api_kind *k, const char *name)
{
	for (size_t i = 0; i < k->nsubs; i++)
		if (strcmp(k->subs[i].name, name) == 0)
			return &k->subs[i];
	return NULL;
}

const char *api_verb_name(enum api_verb v)
{
	static const char names[][17] = { "create", "delete", "deletecollection", "get",
					  "list",   "patch",  "update",		  "watch" };
	unsigned i = (unsigned)__builtin_ctz((unsigned)v | 1u << 8);

	return i < 8 ? names[i] : "";
}
