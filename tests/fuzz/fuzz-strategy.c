/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strategies on any object: a line with a kind and what is written ("Pod create", "Pod update",
 * "Pod status"), the object, and for writes to one that is there a NUL and that one. What was
 * before is not changed; the same call again gives the same.
 */
#include "api/object.h"
#include "apiserver/strategy/service-alloc.h"
#include "base/arena.h"
#include "doc/json.h"

#include <assert.h>
#include <stdlib.h>

#define MEMORY_MAX (32u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct api *kinds(void)
{
	static struct api api;

	if (!api.nkinds && api_load(arena_new("api", 16u << 20), &api, NULL) < 0)
		abort();
	return &api;
}

static const struct api_kind *find(const struct api *api, struct slice name)
{
	for (size_t i = 0; i < api->nkinds; i++)
		if (slice_is(name, api->kinds[i].kind))
			return &api->kinds[i];
	return NULL;
}

static struct doc *object(struct arena *a, const struct api_kind *k, struct slice text)
{
	struct doc *d = NULL, *ret = ARENA_NEW(a, struct doc);

	if (!ret || json_read(a, text, NULL, &d, NULL) < 0 ||
	    api_admit(k->type, d, a, 0, NULL, ret, NULL) < 0 || ret->type != DOC_OBJECT)
		return NULL;
	return ret;
}

static struct slice text_of(struct arena *a, const struct doc *d)
{
	struct slice s = { 0 };

	return d && json_print(a, d, NULL, &s, NULL) == 0 ? s : slice_of("", 0);
}

static int call(struct strategy_call *c, struct doc *obj, const struct doc *old)
{
	int r = old ? strategy_update(c, obj, old, NULL) : strategy_create(c, obj, NULL);

	if (r == 0)
		r = strategy_commit(c, obj, old, NULL);
	return r;
}

static void run(struct strategy_call *c, struct doc *obj, const struct doc *old)
{
	const struct slice before = text_of(c->a, old);
	struct doc *first = doc_copy(c->a, obj), *second = doc_copy(c->a, obj);
	struct doc reset, only;

	if (!first || !second)
		return;
	(void)strategy_reset_fields(c->objects, c->sub, c->a, &reset, &only);
	if (call(c, first, old) < 0 || arena_exceeded(c->a))
		return;
	strategy_warnings(c, first, old);
	if (c->objects->strategy->grace)
		(void)c->objects->strategy->grace(first, NULL);
	/* Addresses that were chosen are others the second time. */
	if (!c->objects->state && call(c, second, old) == 0 && !arena_exceeded(c->a))
		assert(doc_equal(first, second));
	if (old && !arena_exceeded(c->a))
		assert(slice_eq(before, text_of(c->a, old)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(service_alloc_free) struct service_alloc *sa = NULL;
	CLEANUP(arena_free) struct arena *a = arena_new("fuzz", MEMORY_MAX);
	const struct api *api = kinds();
	struct slice rest = slice_of((const char *)data, size), line = slice_split(&rest, '\n'),
		     kind = slice_split(&line, ' '), text = slice_split(&rest, '\0');
	const bool create = slice_is(line, "create"), update = slice_is(line, "update");
	struct collection objects;
	const struct api_kind *k;
	struct strategy_call c;
	struct doc *obj, *old;

	k = find(api, kind);
	obj = k ? object(a, k, text) : NULL;
	old = obj && !create ? object(a, k, rest.p ? rest : text) : NULL;
	if (!obj || (!create && !old))
		return 0;
	if (service_alloc_new(NULL, SLICE("10.0.0.0/24,fd00::/112"), 30000, 32767, &sa, NULL) < 0)
		abort();
	objects = (struct collection){ .kind = k,
				       .strategy = strategy_find(k->group->group, k->resource) };
	if (strcmp(k->kind, "Service") == 0)
		objects.state = sa;
	c = (struct strategy_call){ .objects = &objects,
				    .sub = create || update ? "" : arena_strndup(a, line.p, line.n),
				    .a = a,
				    .now = 1700000000,
				    .user = { "u" } };
	if (c.sub)
		run(&c, obj, old);
	return 0;
}
