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
	const struct cel_type *type;
	struct {
		const char *text;
		const struct cel_prog *prog;
	} v[CONDITIONS_MAX];
	size_t n;
};

/* ---- what a request has ---- */

enum shape { TEXT, TEXTS, MAP, RESOURCE, PATH, FIELDS, LABELS, TERMS };

struct field {
	const char *name;
	enum shape shape;
};

static const struct field spec_fields[] = { { "resourceAttributes", RESOURCE },
					    { "nonResourceAttributes", PATH },
					    { "user", TEXT },
					    { "groups", TEXTS },
					    { "extra", MAP },
					    { "uid", TEXT },
					    { NULL, TEXT } };
static const struct field resource_fields[] = { { "namespace", TEXT },
						{ "verb", TEXT },
						{ "group", TEXT },
						{ "version", TEXT },
						{ "resource", TEXT },
						{ "subresource", TEXT },
						{ "name", TEXT },
						{ "fieldSelector", FIELDS },
						{ "labelSelector", LABELS },
						{ NULL, TEXT } };
static const struct field path_fields[] = { { "path", TEXT }, { "verb", TEXT }, { NULL, TEXT } };
static const struct field narrowing_fields[] = { { "rawSelector", TEXT },
						 { "requirements", TERMS },
						 { NULL, TEXT } };
static const struct field term_fields[] = {
	{ "key", TEXT }, { "operator", TEXT }, { "values", TEXTS }, { NULL, TEXT }
};

static const struct cel_type *find_field(const void *arg, struct slice name, struct arena *a);

static const struct cel_fields of_spec = { find_field, spec_fields };
static const struct cel_fields of_resource = { find_field, resource_fields };
static const struct cel_fields of_path = { find_field, path_fields };
static const struct cel_fields of_selector = { find_field, narrowing_fields };
static const struct cel_fields of_term = { find_field, term_fields };

static const struct cel_type *object(struct arena *a, const char *name, const struct cel_fields *f)
{
	return cel_type_object(a, name, f);
}

static const struct cel_type *type_of(enum shape s, struct arena *a)
{
	const struct cel_type *text = cel_type_of(CEL_T_STRING);

	switch (s) {
	case TEXT: return text;
	case TEXTS: return cel_type_list(a, text);
	case MAP: return cel_type_map(a, text, cel_type_list(a, text));
	case RESOURCE: return object(a, "kubernetes.ResourceAttributes", &of_resource);
	case PATH: return object(a, "kubernetes.NonResourceAttributes", &of_path);
	case FIELDS: return object(a, "kubernetes.FieldSelectorAttributes", &of_selector);
	case LABELS: return object(a, "kubernetes.LabelSelectorAttributes", &of_selector);
	case TERMS: return cel_type_list(a, object(a, "kubernetes.SelectorRequirement", &of_term));
	}
	return NULL;
}

static const struct cel_type *find_field(const void *arg, struct slice name, struct arena *a)
{
	for (const struct field *f = arg; f->name; f++)
		if (slice_is(name, f->name))
			return type_of(f->shape, a);
	return NULL;
}

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
	m->type = object(a, "kubernetes.SubjectAccessReviewSpec", &of_spec);
	if (!m->env || !m->type)
		return arena_quota(a, err);
	if (cel_env_var(m->env, "request", m->type, err) < 0)
		return err_ret(err);
	DOC_EACH (one, list)
		if (add(m, one, err) < 0)
			return err_ret(err);
	*ret = m;
	return 0;
}

/* ---- running ---- */

static void fill(struct arena *a, struct doc *d, const struct field *f)
{
	for (; d && f->name; f++) {
		if (doc_get(d, f->name))
			continue;
		if (f->shape == TEXT)
			doc_set_str(a, d, f->name, "");
		else if (f->shape == TEXTS)
			doc_set_array(a, d, f->name);
		else if (f->shape == MAP)
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
	fill(a, *ret, spec_fields);
	fill(a, doc_get(*ret, "resourceAttributes"), resource_fields);
	fill(a, doc_get(*ret, "nonResourceAttributes"), path_fields);
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
	if (request_of(at, a, &d, err) < 0 || cel_value_of(d, m->type, a, &request, err) < 0)
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
