/* SPDX-License-Identifier: Apache-2.0 */
#include "api/type-cel.h"

#include "api/api.h"
#include "api/policy.h"
#include "base/arena.h"
#include "base/err.h"
#include "doc/doc.h"

#include <string.h>

#define PROGRAMS_MAX (64u << 20) /* of one kind: all expressions compiled */

static const struct cel_type *value_type(const struct schema_field *f, const struct api_note *note,
					 enum schema_type type, struct arena *a);

/* ---- tables to types ---- */

static const struct cel_type *find_field(const void *arg, struct slice name, struct arena *a)
{
	const struct api_type *t = arg;
	const struct schema_field *f = schema_find(&t->schema, name, 0, false);

	if (f)
		return value_type(f, api_note_of(t, f), (enum schema_type)f->type, a);
	return t->schema.unknown == SCHEMA_UNKNOWN_PRESERVE ? cel_type_of(CEL_T_DYN) : NULL;
}

const struct cel_type *type_cel(const struct api_type *t, struct arena *a)
{
	struct cel_fields *fields = ARENA_NEW(a, struct cel_fields);

	if (!fields)
		return NULL;
	*fields = (struct cel_fields){ .find = find_field, .arg = t };
	return cel_type_object(a, t->schema.name ? t->schema.name : "object", fields);
}

/* Elements of a list or map. */
static const struct cel_type *element_type(const struct schema_field *f,
					   const struct api_note *note, struct arena *a)
{
	if (f->elem_row)
		return value_type(f->elem, NULL, (enum schema_type)f->elem->type, a);
	return value_type(f, note, (enum schema_type)f->elem_type, a);
}

static const struct cel_type *scalar_type(const struct api_note *note, enum schema_type type)
{
	if (note && note->word != API_PLAIN)
		return cel_type_of(CEL_T_DYN);
	switch (type) {
	case SCHEMA_BOOL: return cel_type_of(CEL_T_BOOL);
	case SCHEMA_INT: return cel_type_of(CEL_T_INT);
	case SCHEMA_DOUBLE: return cel_type_of(CEL_T_DOUBLE);
	case SCHEMA_STRING:
	case SCHEMA_ENUM: return cel_type_of(CEL_T_STRING);
	case SCHEMA_TIME: return cel_type_of(CEL_T_TIMESTAMP);
	case SCHEMA_BYTES: return cel_type_of(CEL_T_BYTES);
	default: return cel_type_of(CEL_T_DYN);
	}
}

static const struct cel_type *value_type(const struct schema_field *f, const struct api_note *note,
					 enum schema_type type, struct arena *a)
{
	const bool plain = !note || note->word == API_PLAIN;

	if (f->flags & SCHEMA_PRESERVE)
		return cel_type_of(CEL_T_DYN);
	switch (type) {
	case SCHEMA_OBJECT:
		return plain && f->sub && f->sub->n ? type_cel(api_type_of(f->sub), a)
						    : cel_type_of(CEL_T_DYN);
	case SCHEMA_LIST: return cel_type_list(a, element_type(f, note, a));
	case SCHEMA_MAP:
		return cel_type_map(a, cel_type_of(CEL_T_STRING), element_type(f, note, a));
	default: return scalar_type(note, type);
	}
}

/* ---- a policy's expressions ---- */

struct checking {
	const struct doc *spec;
	const struct cel_type *params;
	struct arena *a;
	struct buf *words; /* of each expression: two for a validation */
};

static void note(struct checking *x, const struct type_cel_kind *k, size_t at, const char *error)
{
	static const char front[] = "compilation failed: ";
	struct buf *b = &x->words[at];

	if (strncmp(error, front, sizeof(front) - 1) == 0)
		error += sizeof(front) - 1;
	/* what does not fit is cut: there is a warning all the same */
	(void)buf_addf(b, "%s%s/%s, Kind=%s: %s\n", b->n ? "\n" : "", k->group, k->version, k->kind,
		       error);
}

static int check_kind(struct checking *x, const struct type_cel_kind *k, struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("a check of types", PROGRAMS_MAX);
	const struct policy_types types = { .object = k->type, .params = x->params };
	const struct doc *variables = doc_get(x->spec, "variables"),
			 *list = doc_get(x->spec, "validations");
	unsigned has = (doc_get(x->spec, "paramKind") ? POLICY_HAS_PARAMS : 0) |
		       (doc_len(variables) ? POLICY_HAS_VARIABLES : 0);
	static const char *const fields[] = { "expression", "messageExpression" };
	struct policy_scope *s;

	if (policy_scope_new(a, has, &types, &s, err) < 0)
		return err_ret(err);
	DOC_EACH (v, variables)
		(void)policy_variable(s, doc_cstr(x->a, doc_get(v, "name")),
				      doc_slice(doc_get(v, "expression")));
	for (size_t i = 0; i < 2 * doc_len(list); i++) {
		struct slice text = doc_slice(doc_get(doc_at(list, i / 2), fields[i % 2]));
		struct policy_expr e;

		if (!text.n)
			continue;
		e = policy_compile(s, POLICY_ANY, text);
		if (e.error)
			note(x, k, i, e.error);
	}
	return 0;
}

static void put_warnings(struct checking *x, size_t n, struct doc *ret)
{
	static const char *const fields[] = { "expression", "messageExpression" };

	for (size_t i = 0; i < n; i++) {
		struct doc *w;

		if (!x->words[i].n)
			continue;
		w = doc_append_object(x->a, ret);
		doc_set_strf(x->a, w, "fieldRef", "spec.validations[%zu].%s", i / 2, fields[i % 2]);
		doc_set_str(x->a, w, "warning", buf_str(&x->words[i]));
	}
}

int type_cel_warnings(const struct doc *policy, const struct type_cel_kind *kinds, size_t n,
		      const struct cel_type *params, struct arena *a, struct doc *ret,
		      struct err *err)
{
	const struct doc *spec = doc_get(policy, "spec");
	const size_t expressions = 2 * doc_len(doc_get(spec, "validations"));
	struct checking x = { .spec = spec, .params = params, .a = a };
	int r = 0;

	*ret = doc_array();
	x.words = ARENA_ARRAY(a, struct buf, expressions);
	if (!x.words)
		return arena_quota(a, err);
	for (size_t i = 0; i < expressions; i++)
		x.words[i] = BUF_INIT(16u << 10);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = check_kind(&x, &kinds[i], err);
	if (r == 0)
		put_warnings(&x, expressions, ret);
	for (size_t i = 0; i < expressions; i++)
		buf_fini(&x.words[i]);
	return r < 0 ? r : arena_exceeded(a) ? arena_quota(a, err) : 0;
}
