/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An expression, a NUL, and a document for its variables: what compiles runs in bounds, ends by its
 * cost, gives the same twice, and costs no more than the estimate where there is one.
 */
#include "base/arena.h"
#include "base/err.h"
#include "doc/json.h"
#include "expr/cel.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Fields of the typed variable: their names tell their types. */
static const struct cel_type *find_field(const void *arg, struct slice name, struct arena *a)
{
	(void)arg;
	(void)a;
	switch (name.n ? name.p[0] : 0) {
	case 'i': return cel_type_of(CEL_T_INT);
	case 's': return cel_type_of(CEL_T_STRING);
	case 'b': return cel_type_of(CEL_T_BOOL);
	case 't': return cel_type_of(CEL_T_TIMESTAMP);
	case 'd': return cel_type_of(CEL_T_DURATION);
	case 'y': return cel_type_of(CEL_T_BYTES);
	case 'l': return cel_type_of(CEL_T_LIST);
	case 'm': return cel_type_of(CEL_T_MAP);
	default: return NULL;
	}
}

static int allow(void *arg, const struct cel_check *c, struct arena *a, struct cel_decision *ret,
		 struct err *err)
{
	(void)arg;
	(void)a;
	(void)err;
	*ret = (struct cel_decision){ .allowed = c->verb.n > 0, .reason = c->verb };
	return 0;
}

static const struct cel_fields fields = { find_field, NULL };
static const struct cel_authorizer authorizer = { allow, NULL };

static struct cel_env *environment(struct arena *a)
{
	struct cel_env *env = cel_env_new(a, 0);
	const struct cel_type *object = cel_type_object(a, "Object", &fields);

	if (!env || cel_env_var(env, "x", cel_type_of(CEL_T_DYN), NULL) < 0 ||
	    cel_env_var(env, "self", object, NULL) < 0 ||
	    cel_env_var(env, "authorizer", cel_type_of(CEL_T_AUTHORIZER), NULL) < 0 ||
	    cel_env_type(env, object, NULL) < 0)
		return NULL;
	return env;
}

static void run(const struct cel_prog *p, const struct cel_vars *vars, struct arena *a)
{
	struct cel_budget b = CEL_BUDGET_INIT, c = CEL_BUDGET_INIT;
	struct cel_value v, w;
	struct err err = ERR_INIT;
	struct doc d;
	int r = cel_run(p, vars, &b, a, &v, &err), s;

	assert(r == 0 || (err.code && err.msg[0]));
	if (arena_exceeded(a))
		return;
	s = cel_run(p, vars, &c, a, &w, &err);
	if (arena_exceeded(a))
		return;
	assert(r == s && b.used == c.used);
	if (r == 0) {
		assert(v.kind == w.kind);
		(void)cel_value_doc(&v, a, &d, &err);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena_free) struct arena *a = arena_new("fuzz", 16u << 20);
	struct slice all = slice_of((const char *)data, size), text = slice_split(&all, '\0');
	struct cel_env *env = environment(a);
	const struct cel_prog *p = NULL;
	struct cel_value v[3];
	struct cel_vars vars = { v, 3 };
	struct err err = ERR_INIT;
	struct doc *d = NULL;

	if (!env)
		return 0;
	if (cel_compile(env, text, NULL, a, &p, &err) < 0) {
		assert(err.code && err.msg[0]);
		return 0;
	}
	assert(cel_prog_cost(p).min <= cel_prog_cost(p).max);
	if (!all.n || json_read(a, all, NULL, &d, &err) < 0)
		d = NULL;
	err = ERR_INIT;
	if (cel_value_of(d, NULL, a, &v[0], &err) < 0 ||
	    cel_value_of(doc_is(d, DOC_OBJECT) ? d : NULL, cel_type_object(a, "Object", &fields), a,
			 &v[1], &err) < 0)
		return 0;
	v[2] = cel_authorizer(&authorizer, a);
	run(p, &vars, a);
	return 0;
}
