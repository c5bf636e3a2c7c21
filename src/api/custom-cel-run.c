/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules in CEL run on objects: one budget an object. A rule of what an update left as it was is not
 * failed, unless it reads oldSelf; items of lists that are no maps count as left when their list
 * is.
 *
 * Spec: apiextensions, package schema/cel (for facts and words).
 */
#include "api/custom-private.h"

#define SCRATCH_MAX (64u << 20)
#define WORDS_MAX 5120 /* of messageExpression */

struct run {
	struct check *c;
	struct arena *a; /* of one value's rules */
	struct cel_budget budget;
	unsigned searched;
	bool stopped;
};

/* The nearest value that is known from before. */
struct known {
	const struct doc *v, *old; /* old NULL: none is */
};

static bool is_left(const struct known *k)
{
	return k->old && (k->v == k->old || doc_equal(k->v, k->old));
}

static struct doc type_name(const struct custom_schema *s)
{
	const struct doc *type = doc_get(s->source, "type");

	return doc_is(type, DOC_STRING) ? *type : doc_borrow("", 0);
}

static void say(struct run *x, const struct custom_schema *s, const struct path *p,
		const char *reason, const char *words)
{
	static const struct path nowhere = { .name = "<nil>" };
	const struct doc type = type_name(s);

	check_because(x->c, p ? p : &nowhere, reason, &type, words);
}

static void stop(struct run *x, const struct custom_schema *s, const struct path *p,
		 const char *words)
{
	say(x, s, p, "FieldValueInvalid", words);
	x->stopped = true;
}

/* ---- words ---- */

static struct slice name_of(const struct custom_rule *r)
{
	return r->message.n ? r->message : r->text;
}

/* A rule that could not be run. */
static void failed(struct run *x, const struct custom_schema *s, const struct path *p,
		   const struct custom_rule *r, const struct err *err)
{
	struct slice name = name_of(r);
	const char *words;

	if (err->code == ERR_QUOTA) {
		stop(x, s, p,
		     "validation failed due to running out of cost budget, no further validation "
		     "rules will be run");
		return;
	}
	if (err->code == ERR_TOO_LARGE)
		words = arena_printf(x->c->a,
				     "'%s': no further validation rules will be run due to call "
				     "cost exceeds limit for rule: %.*s",
				     err->msg, (int)name.n, name.p);
	else if (slice_starts(slice_str(err->msg), SLICE("no such overload")))
		words = arena_printf(x->c->a,
				     "'%s': call arguments did not match a supported operator, "
				     "function or macro signature for rule: %.*s",
				     err->msg, (int)name.n, name.p);
	else
		words = arena_printf(x->c->a, "%s evaluating rule: %.*s", err->msg, (int)name.n,
				     name.p);
	if (words)
		say(x, s, p, "FieldValueInvalid", words);
	x->stopped = err->code == ERR_TOO_LARGE;
}

static const char *fixed_words(struct run *x, const struct custom_rule *r)
{
	struct slice name = name_of(r);

	return arena_printf(x->c->a, "%s%.*s", r->message.n ? "" : "failed rule: ", (int)name.n,
			    name.p);
}

/* What messageExpression says; NULL: nothing that can be told, or (stopped) no rule runs any more.
 */
static const char *made_words(struct run *x, const struct custom_schema *s, const struct path *p,
			      const struct custom_rule *r, const struct cel_vars *vars)
{
	struct cel_value v;
	struct err err = ERR_INIT;
	struct slice text;
	int e = cel_run(r->words, vars, &x->budget, x->a, &v, &err);

	if (e == -ERR_QUOTA)
		stop(x, s, p,
		     "messageExpression evaluation failed due to running out of cost budget, no "
		     "further validation rules will be run");
	else if (e == -ERR_TOO_LARGE)
		stop(x, s, p,
		     "no further validation rules will be run due to call cost exceeds limit for "
		     "messageExpression");
	if (e < 0 || v.kind != CEL_T_STRING)
		return NULL;
	text = custom_trim(cel_slice(&v));
	if (text.n == 0 || text.n > WORDS_MAX || memchr(text.p, '\n', text.n) ||
	    memchr(text.p, '\0', text.n))
		return NULL;
	return arena_strndup(x->c->a, text.p, text.n);
}

/* ---- a value ---- */

struct selves {
	struct cel_value self, old;
	bool has_old;
};

static void run_rule(struct run *x, const struct custom_schema *s, const struct path *p,
		     const struct custom_rule *r, const struct selves *v, const struct known *known)
{
	struct cel_value pair[2] = { v->self, v->has_old ? v->old : cel_null() }, out;
	const struct cel_vars vars = { pair, 2 };
	const struct path field = PATH(p, r->field);
	struct err err = ERR_INIT;
	const char *words = NULL;

	if (r->uses_old && !v->has_old && !r->optional_old)
		return;
	if (r->optional_old)
		pair[1] = (struct cel_value){ .kind = CEL_T_OPTIONAL,
					      .opt = v->has_old ? &v->old : NULL };
	if (cel_run(r->prog, &vars, &x->budget, x->a, &out, &err) < 0) {
		failed(x, s, p, r, &err);
		return;
	}
	if ((out.kind == CEL_T_BOOL && out.b) || (!r->uses_old && is_left(known)))
		return;
	if (r->field)
		p = &field;
	/* Words about what was are none when nothing was. */
	if (r->words && (v->has_old || r->optional_old || !cel_prog_uses(r->words, 1)))
		words = made_words(x, s, p, r, &vars);
	if (!words && !x->stopped)
		words = fixed_words(x, r);
	if (words)
		say(x, s, p, r->reason, words);
}

static void run_rules(struct run *x, const struct custom_schema *s, const struct path *p,
		      const struct doc *v, const struct doc *old, const struct known *known)
{
	struct selves both = { .has_old = old };
	struct err err = ERR_INIT;
	int e;

	arena_reset(x->a);
	e = cel_value_of(v, s->seen, x->a, &both.self, &err);
	if (e == 0 && old)
		e = cel_value_of(old, s->seen, x->a, &both.old, &err);
	for (size_t i = 0; i < s->nrules && !x->stopped; i++)
		if (e < 0)
			failed(x, s, p, &s->rules[i], &err);
		else
			run_rule(x, s, p, &s->rules[i], &both, known);
}

static void look(struct run *x, const struct custom_schema *s, const struct path *p,
		 const struct doc *v, const struct doc *old, struct known known);

static void look_list(struct run *x, const struct custom_schema *s, const struct path *p,
		      const struct doc *v, const struct doc *old, const struct known *known)
{
	for (size_t i = 0; i < v->n && !x->stopped; i++) {
		const struct path at = PATH_INDEX(p, i);
		const struct doc *item = doc_at(v, i),
				 *before = custom_old_item(s, old, i, item, &x->searched);

		look(x, s->items, &at, item, before,
		     before ? (struct known){ item, before } : *known);
	}
}

static void look_object(struct run *x, const struct custom_schema *s, const struct path *p,
			const struct doc *v, const struct doc *old, const struct known *known)
{
	for (uint32_t i = 0; i < v->n && !x->stopped; i++) {
		const struct doc *key = doc_key_at(v, i), *value = doc_value_at(v, i);
		struct slice name = slice_of(key->s, key->n);
		const struct custom_schema *below = custom_property(s, name);
		struct path at = PATH_KEY(p, name);
		const struct doc *before = doc_is(old, DOC_OBJECT) ? doc_getn(old, name) : NULL;
		struct known k = before && !s->atomic ? (struct known){ value, before } : *known;

		if (!below && !s->extra)
			continue;
		if (below && below->ruled)
			at = (struct path)PATH(p, arena_strndup(x->c->a, key->s, key->n));
		/* whoever writes them has them both in one version */
		if (!p && (slice_is(name, "kind") || slice_is(name, "apiVersion")))
			k = (struct known){ NULL, NULL };
		if (at.name || at.key.p)
			look(x, below ? below : s->extra, &at, value, before, k);
	}
}

static void look(struct run *x, const struct custom_schema *s, const struct path *p,
		 const struct doc *v, const struct doc *old, struct known known)
{
	if (!s->ruled || !s->seen || v->type == DOC_NULL)
		return;
	if (old && old->type == DOC_NULL)
		old = NULL;
	if (s->nrules)
		run_rules(x, s, p, v, old, &known);
	if (v->type == DOC_ARRAY && s->items)
		look_list(x, s, p, v, old, &known);
	else if (v->type == DOC_OBJECT)
		look_object(x, s, p, v, old, &known);
}

void custom_rules_run(struct check *c, const struct custom_schema *s, const struct path *p,
		      const struct doc *v, const struct doc *old)
{
	CLEANUP(arena_free) struct arena *a = arena_new("rules", SCRATCH_MAX);
	struct run x = { .c = c, .a = a, .budget = CEL_BUDGET_INIT };

	look(&x, s, p, v, old, (struct known){ v, old });
}
