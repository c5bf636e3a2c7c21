/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The spec of an admission policy, a NUL, and an object: a policy that the rules of its kind let in
 * compiles whole, is checked against types, and what its expressions give for the object ends in
 * bounds, is a patch or an error.
 */
#include "api/check.h"
#include "api/object.h"
#include "api/type-cel.h"
#include "api/typed.h"
#include "apiserver/admission/policy-set.h"
#include "base/arena.h"
#include "base/err.h"
#include "doc/json.h"
#include "doc/patch.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct api *tables(void)
{
	static struct api api;
	static struct arena *a;

	if (!a) {
		a = arena_new("tables", 64u << 20);
		assert(api_load(a, &api, NULL) == 0);
	}
	return &api;
}

static void run(const struct policy_expr *e, const struct cel_vars *vars, struct arena *a,
		struct cel_value *ret, bool *ret_ok)
{
	struct cel_budget budget = { .call = 20000, .left = 100000 };
	struct err err = ERR_INIT;

	*ret_ok = e->prog && cel_run(e->prog, vars, &budget, a, ret, &err) == 0;
	assert(*ret_ok || !e->prog || err.msg[0]);
}

static void mutate(const struct policy_change *c, const struct cel_vars *vars, struct arena *a,
		   const struct api_type *type, const struct doc *obj)
{
	CLEANUP(buf_fini) struct buf atomics = BUF_INIT(4096);
	struct err err = ERR_INIT;
	struct doc d, merged, *patched;
	struct cel_value v;
	bool ok;

	run(&c->expr, vars, a, &v, &ok);
	if (!ok)
		return;
	if (c->json) {
		if (cel_patch_operations(&v, a, &d, &err) == 0)
			(void)patch_apply(a, obj, &d, NULL, &patched, &err);
		return;
	}
	if (cel_patch_check(&v, &err) < 0 || cel_value_doc(&v, a, &d, &err) < 0)
		return;
	assert(d.type == DOC_OBJECT);
	(void)typed_atomics(type, &d, &atomics);
	if (typed_check(type, &d, a, NULL, &err) == 0)
		(void)typed_merge(type, obj, &d, a, &merged, &err);
}

static void use(const struct policy *p, const struct api_type *type, const struct doc *obj)
{
	CLEANUP(arena_free) struct arena *a = arena_new("run", 16u << 20);
	struct cel_value v[POLICY_VARS], out;
	const struct cel_vars vars = { v, POLICY_VARS };
	bool ok;

	for (size_t i = 0; i < POLICY_VARS; i++)
		v[i] = cel_null();
	if (cel_value_of(obj, NULL, a, &v[POLICY_OBJECT], NULL) < 0)
		return;
	for (size_t i = 0; i < p->nconditions; i++)
		run(&p->conditions[i].expr, &vars, a, &out, &ok);
	for (size_t i = 0; i < p->nchecks; i++) {
		run(&p->checks[i].expr, &vars, a, &out, &ok);
		assert(!ok || out.kind == CEL_T_BOOL);
		run(&p->checks[i].words, &vars, a, &out, &ok);
	}
	for (size_t i = 0; i < p->nchanges; i++)
		mutate(&p->changes[i], &vars, a, type, obj);
}

static void try_kind(const char *name, const struct doc *spec, const struct doc *obj,
		     struct arena *a)
{
	const struct api *api = tables();
	const struct api_kind *k = api_kind(api, "admissionregistration.k8s.io/v1", name),
			      *pods = api_kind(api, "v1", "Pod");
	struct doc *d = doc_new_object(a), canonical, warnings, pod;
	struct type_cel_kind of = { "", "v1", "Pod", type_cel(pods->type, a) };
	struct err err = ERR_INIT;
	struct policy p;

	doc_set_str(a, d, "apiVersion", "admissionregistration.k8s.io/v1");
	doc_set_str(a, d, "kind", name);
	doc_set_str(a, doc_set_object(a, d, "metadata"), "name", "p");
	doc_set(a, d, "spec", *spec);
	if (arena_exceeded(a) || api_admit(k->type, d, a, 0, NULL, &canonical, &err) < 0 ||
	    api_check(api, k, "", &canonical, NULL, a, &err) < 0 ||
	    policy_of_object(&canonical, a, &p, &err) < 0)
		return;
	for (size_t i = 0; i < p.nchecks; i++)
		assert(p.checks[i].expr.prog); /* it was let in */
	for (size_t i = 0; i < p.nchanges; i++)
		assert(p.changes[i].expr.prog);
	(void)type_cel_warnings(&canonical, &of, of.type != NULL, NULL, a, &warnings, &err);
	if (api_admit(pods->type, obj, a, 0, NULL, &pod, &err) == 0)
		use(&p, pods->type, &pod);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena_free) struct arena *a = arena_new("fuzz", 128u << 20);
	struct slice all = slice_of((const char *)data, size), spec = slice_split(&all, '\0');
	struct doc *s, *d;
	struct err err = ERR_INIT;

	if (size > 64u << 10 || json_read(a, spec, NULL, &s, &err) < 0 ||
	    json_read(a, all.p ? all : SLICE("{}"), NULL, &d, &err) < 0)
		return 0;
	try_kind("ValidatingAdmissionPolicy", s, d, a);
	if (json_read(a, all.p ? all : SLICE("{}"), NULL, &d, &err) == 0)
		try_kind("MutatingAdmissionPolicy", s, d, a);
	return 0;
}
