/* SPDX-License-Identifier: Apache-2.0 */
#include "api/policy.h"

#include "api/admission-types.h"
#include "base/arena.h"
#include "base/err.h"

#define VARIABLES_MAX 10000

struct policy_scope {
	struct arena *a;
	unsigned has;
	struct cel_env *envs[POLICY_USES];
	struct cel_fields fields;
	struct policy_named *v;
	size_t n, cap;
};

/* Types that stay what they are in `variables`. */
static const struct cel_type *seen_type(const struct cel_type *t, struct arena *a, unsigned depth)
{
	const struct cel_type *dyn = cel_type_of(CEL_T_DYN);

	switch ((enum cel_kind)t->kind) {
	case CEL_T_NULL:
	case CEL_T_BOOL:
	case CEL_T_INT:
	case CEL_T_UINT:
	case CEL_T_DOUBLE:
	case CEL_T_STRING:
	case CEL_T_BYTES:
	case CEL_T_TIMESTAMP:
	case CEL_T_DURATION: return t;
	case CEL_T_LIST: return depth ? cel_type_list(a, seen_type(t->of[0], a, depth - 1)) : dyn;
	case CEL_T_MAP:
		return depth ? cel_type_map(a, seen_type(t->of[0], a, depth - 1),
					    seen_type(t->of[1], a, depth - 1))
			     : dyn;
	default: return dyn;
	}
}

const struct policy_named *policy_find(const struct policy_scope *s, struct slice name)
{
	for (size_t i = s->n; i-- > 0;)
		if (slice_is(name, s->v[i].name))
			return &s->v[i];
	return NULL;
}

static const struct cel_type *find_variable(const void *arg, struct slice name, struct arena *a)
{
	const struct policy_named *v = policy_find(arg, name);

	(void)a;
	return v ? v->seen : NULL;
}

/* What a scope does not have stands under a name that no expression can write: so places are the
 * same in all. */
static int declare(struct cel_env *env, const struct cel_type *const types[POLICY_VARS],
		   struct err *err)
{
	static const char *const names[POLICY_VARS][2] = {
		{ "object", "" },
		{ "oldObject", "" },
		{ "request", "" },
		{ "namespaceObject", "" },
		{ "params", "#params" },
		{ "authorizer", "#authorizer" },
		{ "authorizer.requestResource", "#about" },
		{ "variables", "#variables" },
	};

	for (int i = 0; i < POLICY_VARS; i++) {
		const struct cel_type *t = types[i] ? types[i] : cel_type_of(CEL_T_DYN);
		int r = cel_env_var(env, names[i][!types[i]], t, err);

		if (r < 0)
			return r;
	}
	return 0;
}

static bool has_authorizer(enum policy_use use)
{
	return use != POLICY_MESSAGE;
}

static bool has_patch(enum policy_use use)
{
	return use == POLICY_APPLY || use == POLICY_JSON_PATCH;
}

static int make_env(struct policy_scope *s, enum policy_use use,
		    const struct cel_type *types[POLICY_VARS], const struct cel_type *variables,
		    struct err *err)
{
	struct cel_env *env = cel_env_new(s->a, has_patch(use) ? CEL_ENV_PATCH : 0);

	if (!env)
		return arena_quota(s->a, err);
	types[POLICY_AUTHORIZER] = has_authorizer(use) ? cel_type_of(CEL_T_AUTHORIZER) : NULL;
	types[POLICY_ABOUT] = has_authorizer(use) ? cel_type_of(CEL_T_RESOURCE_CHECK) : NULL;
	types[POLICY_VARIABLES] =
		s->has & POLICY_HAS_VARIABLES && use != POLICY_MATCH ? variables : NULL;
	s->envs[use] = env;
	return declare(env, types, err);
}

int policy_scope_new(struct arena *a, unsigned has, const struct policy_types *given,
		     struct policy_scope **ret, struct err *err)
{
	struct policy_scope *s = ARENA_NEW(a, struct policy_scope);
	const struct cel_type *dyn = cel_type_of(CEL_T_DYN), *object = dyn, *params = dyn,
			      *variables = NULL, *types[POLICY_VARS] = { NULL };
	int r = 0;

	if (s) {
		s->fields = (struct cel_fields){ .find = find_variable, .arg = s };
		variables = cel_type_object(a, "kubernetes.variables", &s->fields);
	}
	if (given && given->object)
		object = given->object;
	if (given && given->params)
		params = given->params;
	types[POLICY_OBJECT] = types[POLICY_OLD] = object;
	types[POLICY_REQUEST] = &admission_request_type;
	types[POLICY_NAMESPACE] = &admission_namespace_type;
	types[POLICY_PARAMS] = has & POLICY_HAS_PARAMS ? params : NULL;
	if (!s || !variables)
		return arena_quota(a, err);
	s->a = a;
	s->has = has;
	for (unsigned use = 0; r >= 0 && use < POLICY_USES; use++)
		r = make_env(s, (enum policy_use)use, types, variables, err);
	if (r < 0)
		return r;
	*ret = s;
	return 0;
}

/* ---- what they must give ---- */

static const char *print(const struct policy_scope *s, const struct cel_type *t)
{
	char text[200];

	return arena_strdup(s->a, t->kind == CEL_T_NULL ? "null_type"
							: cel_type_text(t, text, sizeof(text)));
}

static bool is_object(const struct cel_type *t, const struct cel_type *want)
{
	return t->kind == CEL_T_OBJECT && strcmp(t->name, want->name) == 0;
}

/* NULL: it is of the right type. */
static const char *misfit(const struct policy_scope *s, enum policy_use use,
			  const struct cel_type *t)
{
	const char *want = NULL;

	switch (use) {
	case POLICY_MATCH:
	case POLICY_VALIDATION: want = t->kind == CEL_T_BOOL ? NULL : "bool"; break;
	case POLICY_MESSAGE: want = t->kind == CEL_T_STRING ? NULL : "string"; break;
	case POLICY_APPLY: want = is_object(t, &cel_type_object_any) ? NULL : "Object"; break;
	case POLICY_JSON_PATCH:
		want = t->kind == CEL_T_LIST && is_object(t->of[0], &cel_type_json_patch)
			       ? NULL
			       : "list(JSONPatch)";
		break;
	case POLICY_AUDIT:
		if (t->kind == CEL_T_STRING || t->kind == CEL_T_NULL)
			return NULL;
		return arena_printf(s->a, "must evaluate to one of [string null_type] but got %s",
				    print(s, t));
	default: return NULL;
	}
	return want ? arena_printf(s->a, "must evaluate to %s but got %s", want, print(s, t))
		    : NULL;
}

struct policy_expr policy_compile(struct policy_scope *s, enum policy_use use, struct slice text)
{
	struct policy_expr e = { .text = arena_strndup(s->a, text.n ? text.p : "", text.n) };
	struct err err = ERR_INIT;

	if (cel_compile(s->envs[use], text, NULL, s->a, &e.prog, &err) < 0)
		e.error = arena_printf(s->a, "compilation failed: %s", err.msg);
	else
		e.error = misfit(s, use, cel_prog_type(e.prog));
	if (e.error)
		e.prog = NULL;
	if (!e.prog && !e.error) /* no memory for the words */
		e.error = "compilation failed: it takes too much memory";
	return e;
}

struct policy_expr policy_variable(struct policy_scope *s, const char *name, struct slice text)
{
	struct policy_named v = { .name = name, .expr = policy_compile(s, POLICY_ANY, text) };
	size_t cap = s->cap ? s->cap * 2 : 8;

	v.seen = v.expr.prog ? seen_type(cel_prog_type(v.expr.prog), s->a, 16) : NULL;
	if (!v.seen)
		v.seen = cel_type_of(CEL_T_DYN);
	if (s->n == s->cap && s->n < VARIABLES_MAX) {
		struct policy_named *grown =
			arena_grow(s->a, s->v, s->cap * sizeof(*s->v), cap * sizeof(*s->v));

		if (grown) {
			s->v = grown;
			s->cap = cap;
		}
	}
	if (s->n == s->cap) {
		v.expr.prog = NULL;
		v.expr.error = "compilation failed: more variables than there may be";
		return v.expr;
	}
	s->v[s->n++] = v;
	return v.expr;
}

const struct policy_named *policy_variables(const struct policy_scope *s, size_t *ret_n)
{
	*ret_n = s->n;
	return s->v;
}
