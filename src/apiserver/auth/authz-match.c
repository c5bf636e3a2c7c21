/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/auth/authz-match.h"

#include "apiserver/auth/authz-webhook.h"
#include "base/arena.h"
#include "base/err.h"
#include "doc/json.h"
#include "expr/cel.h"

#define CONDITIONS_MAX 64
#define RUN_MEMORY (8u << 20)
#define SPEC_MAX (1u << 20)

struct authz_match {
	struct arena *a;
	struct cel_env *env;
	struct {
		const char *text;
		const struct cel_prog *prog;
	} v[CONDITIONS_MAX];
	size_t n;
};

/* ---- what a request has ---- */

#define TEXT (&cel_types[CEL_T_STRING])
#define TEXTS (&cel_list_string)

static const struct cel_row term_rows[] = {
	{ "key", TEXT }, { "operator", TEXT }, { "values", TEXTS }, { NULL, NULL }
};
static const struct cel_type term = CEL_OBJECT("kubernetes.SelectorRequirement", term_rows);
static const struct cel_type terms = CEL_LIST(&term);

static const struct cel_row selector_rows[] = { { "rawSelector", TEXT },
						{ "requirements", &terms },
						{ NULL, NULL } };
static const struct cel_type fields =
	CEL_OBJECT("kubernetes.FieldSelectorAttributes", selector_rows);
static const struct cel_type labels =
	CEL_OBJECT("kubernetes.LabelSelectorAttributes", selector_rows);

static const struct cel_row resource_rows[] = { { "namespace", TEXT },
						{ "verb", TEXT },
						{ "group", TEXT },
						{ "version", TEXT },
						{ "resource", TEXT },
						{ "subresource", TEXT },
						{ "name", TEXT },
						{ "fieldSelector", &fields },
						{ "labelSelector", &labels },
						{ NULL, NULL } };
static const struct cel_type resource = CEL_OBJECT("kubernetes.ResourceAttributes", resource_rows);

static const struct cel_row path_rows[] = { { "path", TEXT }, { "verb", TEXT }, { NULL, NULL } };
static const struct cel_type path = CEL_OBJECT("kubernetes.NonResourceAttributes", path_rows);

static const struct cel_row spec_rows[] = { { "resourceAttributes", &resource },
					    { "nonResourceAttributes", &path },
					    { "user", TEXT },
					    { "groups", TEXTS },
					    { "extra", &cel_map_string_strings },
					    { "uid", TEXT },
					    { NULL, NULL } };
static const struct cel_type spec = CEL_OBJECT("kubernetes.SubjectAccessReviewSpec", spec_rows);

/* ---- compiling ---- */

static int add(struct authz_match *m, const struct doc *d, struct err *err)
{
	const struct doc *text = doc_get(d, "expression");
	const char *s = doc_is(text, DOC_STRING) ? doc_cstr(m->a, text) : NULL;
	struct err why = ERR_INIT;
	char type[128];

	if (!doc_is(d, DOC_OBJECT) || !s || !slice_trim(slice_str(s)).n)
		return err_set(err, ERR_INVALID, "matchConditions[%zu].expression: is required",
			       m->n);
	DOC_EACH_MEMBER (key, value, d) {
		(void)value;
		if (!doc_str_is(key, "expression"))
			return err_set(err, ERR_INVALID,
				       "matchConditions[%zu].%.*s: there is no "
				       "such field",
				       m->n, (int)MIN(key->n, 64), key->s);
	}
	for (size_t i = 0; i < m->n; i++)
		if (strcmp(m->v[i].text, s) == 0)
			return err_set(
				err, ERR_INVALID,
				"matchConditions[%zu].expression: Duplicate value: \"%.200s\"",
				m->n, s);
	m->v[m->n].text = s;
	if (cel_compile(m->env, slice_str(s), NULL, m->a, &m->v[m->n].prog, &why) < 0)
		return err_set(err, ERR_INVALID,
			       "matchConditions[%zu].expression: Invalid value: \"%.200s\": "
			       "compilation failed: %s",
			       m->n, s, why.msg);
	if (cel_prog_type(m->v[m->n].prog)->kind != CEL_T_BOOL)
		return err_set(err, ERR_INVALID,
			       "matchConditions[%zu].expression: Invalid value: \"%.200s\": must "
			       "evaluate to bool but got %s",
			       m->n, s,
			       cel_type_text(cel_prog_type(m->v[m->n].prog), type, sizeof(type)));
	m->n++;
	return 0;
}

int authz_match_new(const struct doc *list, struct arena *a, const struct authz_match **ret,
		    struct err *err)
{
	struct authz_match *m;

	*ret = NULL;
	if (!list || doc_is(list, DOC_NULL))
		return 0;
	if (!doc_is(list, DOC_ARRAY) || doc_len(list) > CONDITIONS_MAX)
		return err_set(err, ERR_INVALID, "matchConditions: must be a list of at most %d",
			       CONDITIONS_MAX);
	if (!doc_len(list))
		return 0;
	m = ARENA_NEW(a, struct authz_match);
	if (!m)
		return arena_quota(a, err);
	m->a = a;
	m->env = cel_env_new(a, 0);
	if (!m->env)
		return arena_quota(a, err);
	if (cel_env_var(m->env, "request", &spec, err) < 0)
		return err_ret(err);
	DOC_EACH (one, list)
		if (add(m, one, err) < 0)
			return err_ret(err);
	*ret = m;
	return 0;
}

/* ---- running ---- */

static void fill(struct arena *a, struct doc *d, const struct cel_row *f)
{
	for (; d && f->name; f++) {
		if (doc_get(d, f->name))
			continue;
		if (f->type->kind == CEL_T_STRING)
			doc_set_str(a, d, f->name, "");
		else if (f->type->kind == CEL_T_LIST)
			doc_set_array(a, d, f->name);
		else if (f->type->kind == CEL_T_MAP)
			doc_set_object(a, d, f->name);
	}
}

/* What a webhook is sent leaves out what is empty; expressions see it all. */
static int request_of(const struct authz_attrs *at, struct arena *a, struct doc **ret,
		      struct err *err)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT(SPEC_MAX);
	const char *copy;

	if (authz_webhook_spec(at, false, &text, err) < 0)
		return err_ret(err);
	copy = arena_strndup(a, text.p, text.n);
	if (!copy)
		return arena_quota(a, err);
	if (json_read(a, slice_of(copy, text.n), NULL, ret, err) < 0)
		return err_ret(err);
	fill(a, *ret, spec_rows);
	fill(a, doc_get(*ret, "resourceAttributes"), resource_rows);
	fill(a, doc_get(*ret, "nonResourceAttributes"), path_rows);
	return arena_exceeded(a) ? arena_quota(a, err) : 0;
}

int authz_match_run(const struct authz_match *m, const struct authz_attrs *at, struct err *err)
{
	CLEANUP(arena_free) struct arena *a = NULL;
	struct cel_value request;
	const struct cel_vars vars = { .v = &request, .n = 1 };
	struct err why = ERR_INIT;
	struct doc *d;

	if (!m)
		return 1;
	a = arena_new("match conditions of an authorizer", RUN_MEMORY);
	if (request_of(at, a, &d, err) < 0 || cel_value_of(d, &spec, a, &request, err) < 0)
		return err_ret(err);
	for (size_t i = 0; i < m->n; i++) {
		struct cel_budget budget = CEL_BUDGET_INIT;
		struct cel_value v;
		struct err one = ERR_INIT;

		if (cel_run(m->v[i].prog, &vars, &budget, a, &v, &one) >= 0) {
			if (!v.b)
				return 0;
		} else if (!why.code) {
			(void)err_set(&why, ERR_INVALID,
				      "cel evaluation error: expression '%.200s' resulted in "
				      "error: %.400s",
				      m->v[i].text, one.msg);
		}
	}
	if (!why.code)
		return 1;
	return err_set(err, ERR_INVALID, "%s", why.msg);
}
