/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/auth/claims-cel.h"

#include "api/admission-types.h"
#include "apiserver/strategy/strategy.h"
#include "base/arena.h"
#include "base/err.h"
#include "doc/doc.h"
#include "expr/cel.h"

#define VALUES_MAX 10000 /* groups, values of an extra */

/* ---- compiling ---- */

static int one_env(struct arena *a, const char *name, const struct cel_type *type,
		   struct cel_env **ret, struct err *err)
{
	*ret = cel_env_new(a, 0);
	if (!*ret || !type)
		return arena_quota(a, err);
	return cel_env_var(*ret, name, type, err);
}

static const struct cel_type *claims_type(struct arena *a)
{
	return cel_type_map(a, cel_type_of(CEL_T_STRING), cel_type_of(CEL_T_DYN));
}

int claims_env_new(struct arena *a, struct claims_env *ret, struct err *err)
{
	if (one_env(a, "claims", claims_type(a), &ret->claims, err) < 0)
		return err_ret(err);
	return one_env(a, "user", &admission_user_type, &ret->user, err);
}

int claims_compile(const struct cel_env *env, bool rule, struct arena *a, struct claim_expr *x,
		   struct err *err)
{
	struct err why = ERR_INIT;
	const int r = cel_compile(env, slice_str(x->text), rule ? cel_type_of(CEL_T_BOOL) : NULL, a,
				  &x->prog, &why);
	const bool other = r < 0 && strncmp(why.msg, "must evaluate", 13) == 0;

	if (r >= 0)
		return 0;
	return err_set(err, ERR_INVALID, "Invalid value: \"%.200s\": %s%s", x->text,
		       other ? "" : "compilation failed: ", why.msg);
}

static bool any_reads(const struct claim_list *l, struct slice field)
{
	for (size_t i = 0; i < l->n; i++)
		if (cel_prog_reads(l->v[i].prog, 0, field))
			return true;
	return false;
}

bool claims_email_unverified(const struct claim_exprs *x)
{
	const struct slice verified = SLICE("email_verified");

	return x->user.prog && cel_prog_reads(x->user.prog, 0, SLICE("email")) &&
	       !cel_prog_reads(x->user.prog, 0, verified) && !any_reads(&x->extra, verified) &&
	       !any_reads(&x->rules, verified);
}

/* ---- running ---- */

static int failed(struct err *err, const char *what, const char *why)
{
	return err_set(err, ERR_UNAUTHORIZED, "oidc: error evaluating %s: %.700s", what, why);
}

static int run(const struct claim_expr *x, const struct cel_value *var, const char *what,
	       struct arena *a, struct cel_value *ret, struct err *err)
{
	const struct cel_vars vars = { .v = var, .n = 1 };
	struct cel_budget budget = CEL_BUDGET_INIT;
	struct err why = ERR_INIT;

	if (cel_run(x->prog, &vars, &budget, a, ret, &why) >= 0)
		return 0;
	if (arena_exceeded(a))
		return arena_quota(a, err);
	return err_set(err, ERR_UNAUTHORIZED,
		       "oidc: error evaluating %s: expression '%.200s' resulted in error: %.400s",
		       what, x->text, why.msg);
}

/* A text without NULs, in the arena; NULL: it is none. */
static const char *text_of(const struct cel_value *v, struct arena *a)
{
	const struct slice s = v->kind == CEL_T_STRING ? cel_slice(v) : (struct slice){ NULL, 0 };

	if (v->kind != CEL_T_STRING || slice_has(s, '\0'))
		return NULL;
	return arena_strndup(a, s.n ? s.p : "", s.n);
}

/* One of a list; NULL: no text. */
static const char *element(const struct cel_value *list, size_t i, struct arena *a)
{
	const struct doc *d = list->rep == CEL_REP_DOC ? doc_at(list->doc, i) : NULL;

	if (list->rep == CEL_REP_DOC)
		return doc_is(d, DOC_STRING) ? doc_cstr(a, d) : NULL;
	return text_of(&list->list[i], a);
}

/* A text, or a list of them; empty ones and null are nothing. NULL: it is something else. */
static const char *const *texts_of(const struct cel_value *v, struct arena *a)
{
	const bool list = v->kind == CEL_T_LIST;
	const size_t len = list ? v->n : 1;
	const char **out = len <= VALUES_MAX ? ARENA_ARRAY(a, const char *, len + 1) : NULL;
	size_t n = 0;

	if (!out || (!list && v->kind != CEL_T_STRING && v->kind != CEL_T_NULL))
		return NULL;
	for (size_t i = 0; v->kind != CEL_T_NULL && i < len; i++) {
		const char *s = list ? element(v, i, a) : text_of(v, a);

		if (!s)
			return NULL;
		if (*s)
			out[n++] = s;
	}
	return out;
}

static int map_text(const struct claim_expr *x, const struct cel_value *claims, const char *what,
		    struct arena *a, const char **ret, struct err *err)
{
	struct cel_value v;
	char where[64];

	if (!x->prog)
		return 0;
	(void)snprintf(where, sizeof(where), "%s claim expression", what);
	if (run(x, claims, where, a, &v, err) < 0)
		return err_ret(err);
	*ret = text_of(&v, a);
	if (arena_exceeded(a))
		return arena_quota(a, err);
	return *ret ? 0 : failed(err, where, "it must return a string");
}

#define NO_TEXTS "expression must return a string or a list of strings"

static int map_groups(const struct claim_expr *x, const struct cel_value *claims, struct arena *a,
		      struct strategy_user *u, struct err *err)
{
	static const char where[] = "group claim expression";
	struct cel_value v;

	if (!x->prog)
		return 0;
	if (run(x, claims, where, a, &v, err) < 0)
		return err_ret(err);
	u->groups = texts_of(&v, a);
	if (arena_exceeded(a))
		return arena_quota(a, err);
	return u->groups ? 0 : failed(err, where, NO_TEXTS);
}

static int map_extra(const struct claim_exprs *x, const struct cel_value *claims, struct arena *a,
		     struct strategy_user *u, struct err *err)
{
	static const char where[] = "extra claim expression";
	struct doc *extra = doc_new_object(a);

	if (!x->extra.n)
		return 0;
	DOC_EACH_MEMBER (key, value, u->extra)
		doc_add_node(a, extra, *key, *value);
	for (size_t i = 0; i < x->extra.n; i++) {
		const struct claim_expr *e = &x->extra.v[i];
		const char *const *texts;
		struct cel_value v;
		struct doc *list;

		if (run(e, claims, where, a, &v, err) < 0)
			return err_ret(err);
		texts = texts_of(&v, a);
		if (arena_exceeded(a))
			return arena_quota(a, err);
		if (!texts)
			return failed(err, where, NO_TEXTS);
		list = *texts ? doc_set_array(a, extra, e->key) : NULL;
		for (; *texts; texts++)
			doc_append_str(a, list, *texts);
	}
	u->extra = doc_len(extra) ? extra : NULL;
	return arena_exceeded(a) ? arena_quota(a, err) : 0;
}

/* All numbers of claims are doubles, as upstream reads them; their depth is the reader's. */
static void make_doubles(struct doc *d)
{
	if (d->type == DOC_NUMBER)
		d->flags &= (uint8_t)~DOC_INT;
	DOC_EACH (it, d)
		make_doubles(it);
	DOC_EACH_MEMBER (key, value, d)
		make_doubles(value);
}

static int claims_value(const struct doc *claims, struct arena *a, struct cel_value *ret,
			struct err *err)
{
	struct doc *copy = doc_copy(a, claims);

	if (!copy)
		return arena_quota(a, err);
	make_doubles(copy);
	return cel_value_of(copy, claims_type(a), a, ret, err);
}

int claims_map(const struct claim_exprs *x, const struct doc *claims, struct arena *a,
	       struct strategy_user *u, struct err *err)
{
	struct cel_value v;

	if (!x->user.prog && !x->groups.prog && !x->uid.prog && !x->extra.n)
		return 0;
	if (claims_value(claims, a, &v, err) < 0 ||
	    map_text(&x->user, &v, "username", a, &u->name, err) < 0)
		return err_ret(err);
	if (x->user.prog && !*u->name)
		return err_set(err, ERR_UNAUTHORIZED,
			       "oidc: empty username via CEL expression is not allowed");
	if (map_groups(&x->groups, &v, a, u, err) < 0 ||
	    map_text(&x->uid, &v, "uid", a, &u->uid, err) < 0)
		return err_ret(err);
	return map_extra(x, &v, a, u, err);
}

/* ---- rules ---- */

static int all_hold(const struct claim_list *l, const struct cel_value *var, const char *what,
		    struct arena *a, struct err *err)
{
	for (size_t i = 0; i < l->n; i++) {
		struct cel_value v;

		if (run(&l->v[i], var, what, a, &v, err) < 0)
			return err_ret(err);
		if (v.kind != CEL_T_BOOL)
			return failed(err, what, "validation expression must return a boolean");
		if (!v.b)
			return err_set(err, ERR_UNAUTHORIZED,
				       "oidc: error evaluating %s: validation expression '%.200s' "
				       "failed: %.400s",
				       what, l->v[i].text, l->v[i].message ? l->v[i].message : "");
	}
	return 0;
}

static const struct doc *user_doc(const struct strategy_user *u, struct arena *a)
{
	struct doc *d = doc_new_object(a), *groups;

	doc_set_str(a, d, "username", u->name);
	doc_set_str(a, d, "uid", u->uid ? u->uid : "");
	groups = doc_set_array(a, d, "groups");
	for (size_t i = 0; u->groups && u->groups[i]; i++)
		doc_append_str(a, groups, u->groups[i]);
	if (u->extra)
		doc_set(a, d, "extra", *u->extra);
	else
		doc_set_object(a, d, "extra");
	return arena_exceeded(a) ? NULL : d;
}

int claims_check(const struct claim_exprs *x, const struct doc *claims,
		 const struct strategy_user *u, struct arena *a, struct err *err)
{
	const struct doc *user;
	struct cel_value v;

	if (x->rules.n && (claims_value(claims, a, &v, err) < 0 ||
			   all_hold(&x->rules, &v, "claim validation expression", a, err) < 0))
		return err_ret(err);
	if (!x->user_rules.n)
		return 0;
	user = user_doc(u, a);
	if (!user)
		return arena_quota(a, err);
	if (cel_value_of(user, &admission_user_type, a, &v, err) < 0)
		return err_ret(err);
	return all_hold(&x->user_rules, &v, "user info validation rule", a, err);
}
