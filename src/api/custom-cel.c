/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules in CEL of a structural schema (x-kubernetes-validations): the types that they see, and
 * their programs. What a schema does not name is invisible; of a whole object's metadata only name
 * and generateName are seen.
 *
 * Spec: apiextensions, package schema/cel, and apiserver's cel/common (for facts).
 */
#include "api/custom-private.h"

#include <stdio.h>

#define REQUEST_MAX (3u << 20) /* upstream's largest request: bounds what has no bound */
#define COSTLY 4	       /* rules that are named when all together are too much */

/* Sizes of values as JSON. */
enum {
	EMPTY_SIZE = 2, /* "", [], {} */
	BOOL_SIZE = 4,
	DURATION_SIZE = 3,
	DURATION_MAX = 32,
	DATE_SIZE = 12,
	TIME_SIZE = 21,
	TIME_MAX = 32,
};

/* ---- types ---- */

static const struct cel_type any_text = { .kind = CEL_T_STRING,
					  .name = "string",
					  .max = REQUEST_MAX - 2 };

/* Of maps: upstream counts them as empty. */
static const struct cel_type key_type = { .kind = CEL_T_STRING, .name = "string", .max = 1 };

static const struct cel_type *find_in_meta(const void *arg, struct slice name, struct arena *a)
{
	(void)arg;
	(void)a;
	return slice_is(name, "name") || slice_is(name, "generateName") ? &any_text : NULL;
}
static const struct cel_fields meta_fields = { .find = find_in_meta };
static const struct cel_type meta_type = { .kind = CEL_T_OBJECT,
					   .name = "metadata",
					   .fields = &meta_fields };

static const struct cel_type *find_field(const void *arg, struct slice name, struct arena *a)
{
	const struct custom_schema *below = custom_property(arg, name);

	(void)a;
	return below ? below->seen : NULL;
}

/* Of a whole object. */
static const struct cel_type *find_in_whole(const void *arg, struct slice name, struct arena *a)
{
	if (slice_is(name, "kind") || slice_is(name, "apiVersion"))
		return &any_text;
	return slice_is(name, "metadata") ? &meta_type : find_field(arg, name, a);
}

static bool format_is(const struct custom_schema *s, const char *name)
{
	return doc_str_is(doc_get(s->source, "format"), name);
}

static uint64_t longest_of(const struct doc *enums)
{
	uint64_t n = 0;

	DOC_EACH (e, enums)
		if (e->type == DOC_STRING)
			n = MAX(n, (uint64_t)e->n);
	return n;
}

/* Characters take up to four bytes. */
static uint64_t text_max(const struct custom_schema *s)
{
	if (s->max_length >= 0)
		return (uint64_t)s->max_length > UINT64_MAX / 4 ? UINT64_MAX
								: (uint64_t)s->max_length * 4;
	return s->enums && s->type == CUSTOM_STRING ? longest_of(s->enums) : REQUEST_MAX - 2;
}

static struct cel_type text_type(const struct custom_schema *s, uint64_t *least)
{
	*least = EMPTY_SIZE;
	if (format_is(s, "byte"))
		return (struct cel_type){ .kind = CEL_T_BYTES,
					  .max = s->max_length >= 0 ? (uint64_t)s->max_length
								    : REQUEST_MAX - 2 };
	if (format_is(s, "duration")) {
		*least = DURATION_SIZE;
		return (struct cel_type){ .kind = CEL_T_DURATION, .max = DURATION_MAX };
	}
	if (format_is(s, "date") || format_is(s, "date-time")) {
		bool day = format_is(s, "date");

		*least = day ? DATE_SIZE : TIME_SIZE;
		return (struct cel_type){ .kind = CEL_T_TIMESTAMP,
					  .max = day ? DATE_SIZE : TIME_MAX };
	}
	return (struct cel_type){ .kind = CEL_T_STRING, .max = text_max(s) };
}

static struct cel_type list_type(struct custom_build *b, const struct custom_schema *s)
{
	struct cel_type t = { .kind = CEL_T_LIST, .of = { s->items->seen } };
	const char **keys;
	size_t n = 0;

	t.max = s->max_items >= 0 ? (uint64_t)s->max_items
				  : (REQUEST_MAX - 2) / (s->items->least + 1);
	if (s->list == SCHEMA_LIST_SET)
		t.list = CEL_LIST_SET;
	if (s->list != SCHEMA_LIST_MAP)
		return t;
	keys = ARENA_ARRAY(b->a, const char *, doc_len(s->keys) + 1);
	if (!keys)
		return t; /* the arena has it on record */
	DOC_EACH (k, s->keys) {
		keys[n] = doc_cstr(b->a, k);
		n += keys[n] != NULL;
	}
	t.list = CEL_LIST_MAP;
	t.keys = keys;
	return t;
}

static struct cel_type object_type(struct custom_build *b, const struct custom_schema *s,
				   const char *name, bool whole, uint64_t *least)
{
	struct cel_fields *fields = ARENA_NEW(b->a, struct cel_fields);

	*least = EMPTY_SIZE;
	if (fields)
		*fields = (struct cel_fields){ whole ? find_in_whole : find_field, s };
	DOC_EACH (r, s->required) {
		const struct custom_schema *below = custom_property(s, doc_slice(r));

		if (below && below->seen && !below->def)
			*least += r->n + below->least + 4;
	}
	return (struct cel_type){ .kind = CEL_T_OBJECT, .name = name, .fields = fields };
}

/* Kind DYN without a bound: rules cannot see it. */
static struct cel_type type_of(struct custom_build *b, const struct custom_schema *s,
			       const char *name, bool whole, uint64_t *least)
{
	*least = 1;
	switch ((enum custom_type)s->type) {
	case CUSTOM_INT_OR_STRING:
		return (struct cel_type){ .kind = CEL_T_DYN, .max = text_max(s) };
	case CUSTOM_BOOLEAN: *least = BOOL_SIZE; return (struct cel_type){ .kind = CEL_T_BOOL };
	case CUSTOM_INTEGER: return (struct cel_type){ .kind = CEL_T_INT };
	case CUSTOM_NUMBER: return (struct cel_type){ .kind = CEL_T_DOUBLE };
	case CUSTOM_STRING: return text_type(s, least);
	case CUSTOM_ARRAY:
		*least = EMPTY_SIZE;
		if (s->items && s->items->seen)
			return list_type(b, s);
		break;
	case CUSTOM_OBJECT:
		if (!s->extra)
			return object_type(b, s, name, whole, least);
		*least = EMPTY_SIZE;
		if (s->extra->seen)
			return (struct cel_type){
				.kind = CEL_T_MAP,
				.of = { &key_type, s->extra->seen },
				.max = s->max_members >= 0
					       ? (uint64_t)s->max_members
					       : (REQUEST_MAX - 2) / (s->extra->least + 6),
			};
		break;
	case CUSTOM_ANY: break;
	}
	return (struct cel_type){ .kind = CEL_T_DYN };
}

/* ---- what all have ---- */

struct rules {
	struct custom_build *b;
	struct check *c;
	bool defaults; /* run on these too */
	uint64_t cost; /* of all */
	struct {
		const char *at;
		uint64_t cost;
	} costly[COSTLY]; /* the most expensive first */
};

/* Where a schema stands. */
struct stand {
	const struct path *p;
	const char *name;	   /* of its type */
	const struct path *within; /* a list whose items are not known again; NULL */
	uint64_t times;		   /* values of it at most; 0: no bound */
	bool whole;
};

static uint64_t times(uint64_t a, uint64_t b)
{
	uint64_t n;

	return __builtin_mul_overflow(a, b, &n) ? UINT64_MAX : n;
}

/* "estimated rule cost exceeds budget by factor of 2.5x (...)". */
static void too_costly(struct check *c, const struct path *p, const char *what, uint64_t cost,
		       uint64_t limit)
{
	double factor = (double)cost / (double)limit;
	char text[64];

	if (factor > 100)
		(void)str_copy(text, sizeof(text), "more than 100x");
	else
		(void)snprintf(text, sizeof(text), factor < 1.5 ? "%fx" : "%.1fx", factor);
	check_forbidden(c, p,
			"%s exceeds budget by factor of %s (try simplifying the rule, or adding "
			"maxItems, maxProperties, and maxLength where arrays, maps, and strings "
			"are declared)",
			what, text);
}

static void count_cost(struct rules *x, const struct path *p, uint64_t cost)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(8192);
	size_t i = COSTLY;

	if (__builtin_add_overflow(x->cost, cost, &x->cost))
		x->cost = UINT64_MAX;
	if (cost < CEL_COST_CRD_MAX / 100 || cost <= x->costly[COSTLY - 1].cost)
		return;
	check_path(p, NULL, &b);
	for (; i > 1 && x->costly[i - 2].cost < cost; i--)
		x->costly[i - 1] = x->costly[i - 2];
	x->costly[i - 1].at = arena_strdup(x->b->a, buf_str(&b));
	x->costly[i - 1].cost = cost;
}

static void check_total(struct rules *x, const struct path *p)
{
	if (x->cost <= CEL_COST_CRD_MAX)
		return;
	for (size_t i = 0; i < COSTLY && x->costly[i].at; i++) {
		const struct path at = { .name = x->costly[i].at };

		check_forbidden(x->c, &at,
				"contributed to estimated rule cost total exceeding cost limit for "
				"entire OpenAPIv3 schema");
	}
	too_costly(x->c, p,
		   "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 "
		   "schema",
		   x->cost, CEL_COST_CRD_MAX);
}

/* ---- a rule's fieldPath ---- */

/* What stands between the quotes of ['...'], and how much of the path it takes; 0: it is wrong. */
static size_t read_quoted(struct slice s, struct buf *out)
{
	static const char escapes[] = "a\ab\bf\fn\nr\rt\tv\v''\\\\";
	size_t i = 2;

	if (s.n < 4 || s.p[1] != '\'')
		return 0;
	for (; i < s.n && s.p[i] != '\''; i++) {
		const char *e = escapes;

		if (s.p[i] != '\\') {
			(void)buf_addc(out, s.p[i]);
			continue;
		}
		if (++i == s.n)
			return 0;
		while (*e && *e != s.p[i])
			e += 2;
		if (!*e)
			return 0;
		(void)buf_addc(out, e[1]);
	}
	return i + 1 < s.n && s.p[i + 1] == ']' ? i + 2 : 0;
}

/* The path as errors have it; NULL: it leads nowhere. */
static const char *field_path(struct custom_build *b, const struct custom_schema *s,
			      struct slice text)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(8192);

	while (text.n) {
		CLEANUP(buf_fini) struct buf name = BUF_INIT(8192);
		size_t n = 1;

		if (*text.p == '[') {
			n = read_quoted(text, &name);
		} else if (*text.p == '.') {
			while (n < text.n && text.p[n] != '.' && text.p[n] != '[' &&
			       text.p[n] != ']')
				n++;
			(void)buf_add(&name, text.p + 1, n - 1);
		} else {
			n = 0;
		}
		if (n == 0 || name.n == 0)
			return NULL;
		if (s->nproperties) {
			s = custom_property(s, buf_slice(&name));
			(void)buf_addf(&out, "%s%s", out.n ? "." : "", buf_str(&name));
		} else {
			s = s->extra;
			(void)buf_addf(&out, "[%s]", buf_str(&name));
		}
		if (!s || out.full)
			return NULL;
		text = slice_of(text.p + n, text.n - n);
	}
	return arena_strdup(b->a, buf_str(&out));
}

/* ---- a rule ---- */

struct slice custom_trim(struct slice s)
{
	while (s.n && strchr(" \t\r\n\v\f", *s.p))
		s = slice_of(s.p + 1, s.n - 1);
	while (s.n && strchr(" \t\r\n\v\f", s.p[s.n - 1]))
		s.n--;
	return s;
}

/* As upstream prints its own struct. */
static struct doc shown(struct arena *a, const struct doc *rule)
{
	static const char *const names[][2] = { { "Rule", "rule" },
						{ "Message", "message" },
						{ "MessageExpression", "messageExpression" },
						{ "Reason", "reason" },
						{ "FieldPath", "fieldPath" },
						{ "OptionalOldSelf", "optionalOldSelf" } };
	struct doc d = doc_object();

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const struct doc *v = doc_get(rule, names[i][1]);
		bool pointer = i == 3 || i == 5;

		if (v)
			doc_add(a, &d, slice_str(names[i][0]), *v);
		else
			doc_add(a, &d, slice_str(names[i][0]),
				pointer ? (struct doc){ .type = DOC_NULL } : doc_borrow("", 0));
	}
	return d;
}

static void read_reason(const struct doc *source, struct custom_rule *r)
{
	static const char *const reasons[] = { "FieldValueRequired", "FieldValueForbidden",
					       "FieldValueDuplicate" };

	r->reason = "FieldValueInvalid";
	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		if (doc_str_is(doc_get(source, "reason"), reasons[i]))
			r->reason = reasons[i];
}

/* A program, or an error at p. */
static const struct cel_prog *compile(struct rules *x, const struct cel_env *env,
				      const struct path *p, const struct doc *source,
				      const char *field, enum cel_kind kind, const char *prefix)
{
	const struct path at = PATH(p, field);
	struct doc value = shown(x->b->a, source);
	const struct cel_prog *prog = NULL;
	struct err err = ERR_INIT;

	if (cel_compile(env, doc_slice(doc_get(source, field)), NULL, x->b->a, &prog, &err) < 0)
		check_invalid(x->c, &at, &value, "%scompilation failed: %s", prefix, err.msg);
	else if (cel_prog_type(prog)->kind == (unsigned)kind)
		return prog;
	else if (kind == CEL_T_BOOL)
		check_invalid(x->c, &at, &value, "cel expression must evaluate to a bool");
	else
		check_invalid(x->c, &at, &value, "messageExpression must evaluate to a string");
	return NULL;
}

static void check_cost(struct rules *x, const struct path *p, const char *field, const char *what,
		       uint64_t cost)
{
	const struct path at = PATH(p, field);

	if (cost > CEL_COST_EXPRESSION_MAX)
		too_costly(x->c, &at, what, cost, CEL_COST_EXPRESSION_MAX);
	count_cost(x, &at, cost);
}

static void check_old(struct rules *x, const struct stand *at, const struct path *p,
		      const struct doc *source, const struct custom_rule *r)
{
	const struct path text = PATH(p, "rule"), optional = PATH(p, "optionalOldSelf");
	CLEANUP(buf_fini) struct buf b = BUF_INIT(4096);

	if (r->uses_old && at->within) {
		check_path(at->within, NULL, &b);
		check_invalid(x->c, &text, doc_get(source, "rule"),
			      "oldSelf cannot be used on the uncorrelatable portion of the schema "
			      "within %s",
			      buf_str(&b));
	}
	if (!r->uses_old && doc_is(doc_get(source, "optionalOldSelf"), DOC_BOOL))
		check_invalid(x->c, &optional, doc_get(source, "optionalOldSelf"),
			      "may not be set if oldSelf is not used in rule");
}

static void compile_rule(struct rules *x, const struct stand *at, const struct path *p,
			 const struct custom_schema *s, const struct doc *source,
			 struct custom_rule *r)
{
	struct cel_env *env = cel_env_new(x->b->a, 0);
	struct slice field = doc_slice(doc_get(source, "fieldPath"));
	const struct path field_at = PATH(p, "fieldPath");
	uint64_t most = at->times ? at->times : REQUEST_MAX / (s->least + 1);
	const struct cel_type *old = s->seen;
	struct err err = ERR_INIT;

	r->text = custom_trim(doc_slice(doc_get(source, "rule")));
	r->message = custom_trim(doc_slice(doc_get(source, "message")));
	r->optional_old = doc_true(doc_get(source, "optionalOldSelf"));
	read_reason(source, r);
	if (r->optional_old)
		old = cel_type_optional(x->b->a, old);
	if (!env || cel_env_var(env, "self", s->seen, &err) < 0 ||
	    cel_env_var(env, "oldSelf", old, &err) < 0)
		return; /* the arena has it on record */
	if (field.n) {
		r->field = field_path(x->b, s, field);
		if (!r->field)
			check_invalid(x->c, &field_at, doc_get(source, "fieldPath"),
				      "fieldPath must be a valid path");
	}
	r->prog = compile(x, env, p, source, "rule", CEL_T_BOOL, "");
	if (!r->prog)
		return;
	check_cost(x, p, "rule", "estimated rule cost", times(cel_prog_cost(r->prog).max, most));
	if (doc_slice(doc_get(source, "messageExpression")).n) {
		r->words = compile(x, env, p, source, "messageExpression", CEL_T_STRING,
				   "messageExpression ");
		if (r->words)
			check_cost(x, p, "messageExpression", "estimated messageExpression cost",
				   cel_prog_cost(r->words).max);
	}
	r->uses_old = cel_prog_uses(r->prog, 1);
	check_old(x, at, p, source, r);
}

static void compile_rules(struct rules *x, const struct stand *at, struct custom_schema *s)
{
	const struct doc *list = doc_get(s->source, "x-kubernetes-validations");
	const struct path p = PATH(at->p, "x-kubernetes-validations");
	struct custom_rule *v = ARENA_ARRAY(x->b->a, struct custom_rule, doc_len(list));

	if (!v || doc_len(list) == 0)
		return;
	if (!s->seen) {
		check_wrong(x->c, &p,
			    "failed to construct type information for x-kubernetes-validations "
			    "rules: unable to convert structural schema to CEL declarations");
		return;
	}
	for (size_t i = 0; i < doc_len(list); i++) {
		const struct path one = PATH_INDEX(&p, i);

		compile_rule(x, at, &one, s, doc_at(list, i), &v[i]);
	}
	s->rules = v;
	s->nrules = doc_len(list);
	s->ruled = true;
}

/* ---- a schema ---- */

static void look(struct rules *x, const struct stand *at, struct custom_schema *s);

/* Schemas are made by this folder, in the same arena. */
static struct custom_schema *own(const struct custom_schema *s)
{
	return (struct custom_schema *)(uintptr_t)s;
}

static void look_below(struct rules *x, const struct stand *at, struct custom_schema *s)
{
	const struct path fields = PATH(at->p, "properties"), items = PATH(at->p, "items"),
			  extra = PATH(at->p, "additionalProperties");
	struct stand below = *at;

	below.whole = false;
	for (size_t i = 0; i < s->nproperties; i++) {
		const struct custom_property *f = &s->properties[i];
		const struct path one = PATH_KEY(&fields, f->name);

		below.p = &one;
		below.name = arena_printf(x->b->a, "%s.%s", at->name, f->name.p);
		look(x, &below, own(f->schema));
		s->ruled = s->ruled || f->schema->ruled;
	}
	if (s->items) {
		below.p = &items;
		below.name = arena_printf(x->b->a, "%s.@idx", at->name);
		below.times = s->max_items >= 0 ? times(at->times, (uint64_t)s->max_items) : 0;
		if (s->list != SCHEMA_LIST_MAP)
			below.within = at->p;
		look(x, &below, own(s->items));
		s->ruled = s->ruled || s->items->ruled;
	}
	if (s->extra) {
		below.p = &extra;
		below.within = at->within;
		below.name = arena_printf(x->b->a, "%s.@elem", at->name);
		below.times = s->max_members >= 0 ? times(at->times, (uint64_t)s->max_members) : 0;
		look(x, &below, own(s->extra));
		s->ruled = s->ruled || s->extra->ruled;
	}
}

static void look(struct rules *x, const struct stand *at, struct custom_schema *s)
{
	const struct path def = PATH(at->p, "default");
	struct cel_type *t = ARENA_NEW(x->b->a, struct cel_type);
	bool whole = at->whole || s->flags & CUSTOM_EMBEDDED;

	if (!t || !at->name)
		return; /* the arena has it on record */
	look_below(x, at, s);
	*t = type_of(x->b, s, at->name, whole, &s->least);
	if (!t->name)
		t->name = cel_type_of((enum cel_kind)t->kind)->name;
	if (t->kind != CEL_T_DYN || s->type == CUSTOM_INT_OR_STRING)
		s->seen = t;
	compile_rules(x, at, s);
	if (x->defaults && s->ruled && s->def && x->c->n == 0)
		custom_rules_run(x->c, s, &def, s->def, NULL);
}

static bool has_rules(const struct doc *d)
{
	if (!doc_is(d, DOC_OBJECT))
		return false;
	if (doc_len(doc_get(d, "x-kubernetes-validations")))
		return true;
	DOC_EACH_MEMBER (key, value, doc_get(d, "properties"))
		if (has_rules(value))
			return true;
	return has_rules(doc_get(d, "items")) || has_rules(doc_get(d, "additionalProperties"));
}

static void compile_all(struct custom_build *b, struct check *c, const struct path *p,
			const struct custom_schema *root, bool defaults)
{
	struct rules x = { .b = b, .c = c, .defaults = defaults };
	const struct stand at = { .p = p, .name = "self", .times = 1, .whole = true };

	look(&x, &at, own(root));
	check_total(&x, p);
}

int custom_rules_compile(struct custom_build *b, const struct custom_schema *root)
{
	struct check c;

	if (!has_rules(root->source))
		return 0;
	check_init(&c, b->api, NULL, NULL, b->a);
	compile_all(b, &c, NULL, root, false);
	if (arena_exceeded(b->a))
		return custom_full(b);
	if (c.first)
		return err_set(b->err, ERR_INVALID, "%s: %s", c.first->field, c.first->detail);
	return 0;
}

void custom_check_rules(struct check *c, const struct path *at, const struct doc *schema)
{
	CLEANUP(arena_free) struct arena *a = arena_new("rules", CUSTOM_BYTES_MAX);
	static const struct api_group group = { .group = "validation", .version = "v1" };
	struct err err = ERR_INIT;
	struct custom_build b = { .api = c->api, .group = &group, .a = a, .err = &err };
	const struct custom_schema *root = NULL;

	if (!has_rules(schema))
		return;
	if (custom_schema_compile(&b, schema, "object", true, &root) == 0)
		compile_all(&b, c, at, root, true);
	if (arena_exceeded(a))
		check_forbidden(c, at,
				"rules that take more than %u MiB of memory are not supported",
				CUSTOM_BYTES_MAX >> 20);
	else if (err.code)
		check_wrong(c, at, "%s", err.msg);
}
