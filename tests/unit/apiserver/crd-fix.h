/* SPDX-License-Identifier: Apache-2.0 */
/* Definitions and objects of custom kinds in a real store, with the controller that serves them. */
#pragma once

#include "../store/fixture.h"
#include "api/api.h"
#include "api/object.h"
#include "apiserver/crd-controller.h"
#include "apiserver/objects/codec.h"
#include "apiserver/objects/resource.h"
#include "apiserver/strategy/strategy.h"
#include "base/arena.h"
#include "doc/json.h"
#include "doc/yaml.h"

struct crdfix {
	struct fix *f;
	struct arena *tables, *a;
	struct api api;
	struct world *w;
	struct resources *rs;
	struct crd_controller *c;
	bool started;
	int result;
	struct err err;
	const struct cache_form *sealing; /* of begin; NULL: none */
};

static inline void on_start(void *arg, int result, struct err *err)
{
	struct crdfix *x = arg;

	x->started = true;
	x->result = result;
}

static inline void begin(struct crdfix *x)
{
	struct world_conf conf = { .loop = x->f->loop, .store = x->f->s, .sealing = x->sealing };

	x->w = world_new(&conf);
	assert_int_equal(resources_new(&x->api, x->w, strategy_of, &x->rs, &x->err), 0);
	x->started = false;
	world_start(x->w, on_start, x);
	wait_for(x->f, &x->started);
	assert_int_equal(x->result, 0);
	if (crd_controller_start(x->rs, x->f->loop, &x->c, &x->err) < 0)
		fail_msg("%s", x->err.msg);
}

/* Until the controller rests. */
static inline void settle(struct crdfix *x)
{
	for (int i = 0; !crd_controller_idle(x->c); i++) {
		if (i > 200000 || loop_step(x->f->loop, NS_PER_SEC, &x->err) < 0)
			fail_msg("the controller does not come to rest: %s", x->err.msg);
	}
}

static inline void end(struct crdfix *x)
{
	settle(x);
	crd_controller_stop(x->c);
	resources_free(x->rs);
	world_free(x->w);
}

/* All but begin(). */
static inline struct crdfix *crd_new(void)
{
	struct crdfix *x = calloc(1, sizeof(*x));
	void *f;

	assert_non_null(x);
	setup(&f);
	x->f = f;
	x->tables = arena_new("tables", 64u << 20);
	x->a = arena_new("test", 256u << 20);
	assert_int_equal(api_load(x->tables, &x->api, &x->err), 0);
	return x;
}

static inline int crd_setup(void **state)
{
	struct crdfix *x = crd_new();

	begin(x);
	*state = x;
	return 0;
}

static inline int crd_teardown(void **state)
{
	struct crdfix *x = *state;
	void *f = x->f;

	end(x);
	teardown(&f);
	api_fini(&x->api);
	arena_free(x->a);
	arena_free(x->tables);
	free(x);
	return 0;
}
#define CRD(f) cmocka_unit_test_setup_teardown(f, crd_setup, crd_teardown)

static inline struct doc *yaml(struct crdfix *x, const char *text)
{
	struct doc *d = NULL;

	if (yaml_read(x->a, slice_str(text), NULL, &d, &x->err) < 0)
		fail_msg("%s: %s", text, x->err.msg);
	return d;
}

/* ---- writes ---- */

struct put {
	struct cache_write w;
	struct cache_op op;
	bool done;
};

static inline void on_put(struct cache_write *w)
{
	CONTAINER_OF(w, struct put, w)->done = true;
}

static inline void write_json(struct crdfix *x, struct cache *c, const char *key, struct slice json)
{
	struct put p = { .op = { .cache = c,
				 .key = slice_str(key),
				 .json = json,
				 .expect = CACHE_ANY_REVISION } };

	p.w = (struct cache_write){ .ops = &p.op, .n = 1, .done = on_put };
	cache_write(x->w, &p.w);
	wait_for(x->f, &p.done);
	if (p.w.result != 0)
		fail_msg("%s: %s", key, p.w.err.msg);
}

/* Creates or replaces an object as a request would: admitted and by its strategy. */
static inline void put_object(struct crdfix *x, const char *group, const char *resource,
			      const char *key, struct doc *d)
{
	struct collection *o = resources_objects(x->rs, group, resource);
	struct item *was = cache_get(o->cache, slice_str(key));
	struct strategy_call call = { .rs = x->rs, .objects = o, .sub = "", .a = x->a };
	CLEANUP(buf_fini) struct buf json = BUF_INIT(1 << 20);
	struct doc obj, old;

	assert_int_equal(api_admit(o->kind->type, d, x->a, 0, NULL, &obj, &x->err), 0);
	if (was) {
		assert_int_equal(codec_parse(was, x->a, &old, &x->err), 0);
		assert_int_equal(strategy_update(&call, &obj, &old, &x->err), 0);
	} else {
		assert_int_equal(strategy_create(&call, &obj, &x->err), 0);
	}
	assert_int_equal(codec_store(&obj, &json, &x->err), 0);
	write_json(x, o->cache, key, buf_slice(&json));
}

static inline void put_crd(struct crdfix *x, const char *plural, const char *kind, const char *more,
			   const char *versions)
{
	const char *text = arena_printf(
		x->a,
		"apiVersion: apiextensions.k8s.io/v1\n"
		"kind: CustomResourceDefinition\n"
		"metadata: {name: %s.example.com, uid: u}\n"
		"spec:\n"
		"  group: example.com\n"
		"  scope: Namespaced\n"
		"  names: {plural: %s, kind: %s%s}\n"
		"  versions: %s\n",
		plural, plural, kind, more,
		*versions ? versions
			  : "[{name: v1, served: true, storage: true, schema: {openAPIV3Schema: "
			    "{type: object, x-kubernetes-preserve-unknown-fields: true}}}]");

	put_object(x, "apiextensions.k8s.io", "customresourcedefinitions",
		   arena_printf(x->a, "%s.example.com", plural), yaml(x, text));
	settle(x);
}

static inline void put_foo(struct crdfix *x, const char *name, const char *meta)
{
	put_object(
		x, "example.com", "foos", arena_printf(x->a, "d/%s", name),
		yaml(x, arena_printf(x->a,
				     "{kind: Foo, apiVersion: example.com/v1, metadata: {name: %s, "
				     "namespace: d%s}}",
				     name, meta)));
}

/* ---- looking ---- */

static inline struct doc *object(struct crdfix *x, const char *group, const char *resource,
				 const char *ns, const char *name)
{
	struct item *i = resources_get(x->rs, group, resource, ns, name);
	struct doc *d = doc_new_object(x->a);

	if (!i)
		return NULL;
	assert_int_equal(codec_parse(i, x->a, d, &x->err), 0);
	return d;
}

static inline struct doc *crd(struct crdfix *x, const char *plural)
{
	return object(x, "apiextensions.k8s.io", "customresourcedefinitions", "",
		      arena_printf(x->a, "%s.example.com", plural));
}

/* "True NoConflicts no conflicts found"; "" when there is none. */
static inline const char *condition(struct crdfix *x, const struct doc *d, const char *type)
{
	DOC_EACH (c, doc_find(d, "status.conditions"))
		if (doc_str_is(doc_get(c, "type"), type))
			return arena_printf(x->a, "%s %s %s", doc_cstr(x->a, doc_get(c, "status")),
					    doc_cstr(x->a, doc_get(c, "reason")),
					    doc_cstr(x->a, doc_get(c, "message")));
	return "";
}

#define assert_condition(x, plural, type, text) \
	assert_string_equal(condition(x, crd(x, plural), type), text)

static inline const char *json(struct crdfix *x, const struct doc *d)
{
	struct slice s = { "", 0 };

	assert_int_equal(json_print(x->a, d, NULL, &s, &x->err), 0);
	return s.p;
}
