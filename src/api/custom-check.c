/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values under their schema, in the words of upstream's validation: all errors, in the order of the
 * schema's words. What an update leaves as it was may be wrong: errors of a value that is equal to
 * the old one at the same place are dropped.
 *
 * Spec: kube-openapi, package validate, and apiextensions (for facts).
 */
#include "api/custom-private.h"

#include "api/check-parts.h"
#include "base/map.h"
#include "doc/json.h"

#include <ctype.h>

struct look {
	struct check *c;
	const struct path *from; /* words have the path from here on */
	unsigned work;		 /* values looked at: tells which alternative came closest */
	unsigned searched;	 /* old items compared */
};
#define SEARCH_MAX (1u << 20)

static void look_at(struct look *x, const struct custom_schema *s, const struct path *p,
		    const struct doc *v, const struct doc *old);

/* ---- words ---- */

#define WHERE_MAX 512
struct where {
	char text[WHERE_MAX];
};

/* The path as the words have it. */
static const char *where(const struct look *x, const struct path *p, struct where *w)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(8192);

	check_path(p, x->from, &b);
	(void)str_copy(w->text, sizeof(w->text), buf_str(&b));
	return w->text;
}

#define INVALID(x, p, v, fmt, ...)                                                         \
	check_invalid((x)->c, p, v, "%s in body " fmt, where(x, p, &(struct where){ "" }), \
		      ##__VA_ARGS__)

/* Of a schema as a whole: upstream tells no field. */
static void composite(struct look *x, const struct path *p, const char *words)
{
	static const struct path nowhere = { .name = "<nil>" };
	struct where w;

	check_invalid_text(x->c, &nowhere, slice_of("", 0), "\"%s\" %s", where(x, p, &w), words);
}

/* ---- types ---- */

static bool is_whole(const struct doc *v)
{
	int64_t n;

	return v->type == DOC_NUMBER && doc_int64(v, &n) == 0;
}

static const char *type_name(const struct doc *v)
{
	switch (v->type) {
	case DOC_NULL: return "null";
	case DOC_BOOL: return "boolean";
	case DOC_NUMBER: return v->flags & DOC_INT ? "integer" : "number";
	case DOC_STRING: return "string";
	case DOC_ARRAY: return "array";
	default: return "object";
	}
}

static bool fits(const struct custom_schema *s, const struct doc *v)
{
	switch ((enum custom_type)s->type) {
	case CUSTOM_ANY: return true;
	case CUSTOM_OBJECT: return v->type == DOC_OBJECT;
	case CUSTOM_ARRAY: return v->type == DOC_ARRAY;
	case CUSTOM_STRING: return v->type == DOC_STRING;
	case CUSTOM_INTEGER: return is_whole(v);
	case CUSTOM_NUMBER: return v->type == DOC_NUMBER;
	case CUSTOM_BOOLEAN: return v->type == DOC_BOOL;
	case CUSTOM_INT_OR_STRING: return v->type == DOC_STRING || is_whole(v);
	}
	return false;
}

static void look_type(struct look *x, const struct custom_schema *s, const struct path *p,
		      const struct doc *v)
{
	static const char *const names[] = { "",	"object", "array",   "string",
					     "integer", "number", "boolean", "integer,string" };
	const struct doc name = doc_borrow(type_name(v), strlen(type_name(v)));
	struct where w;

	if (v->type == DOC_NULL ? s->type == CUSTOM_ANY || s->flags & CUSTOM_NULLABLE : fits(s, v))
		return;
	check_type_invalid(x->c, p, &name, "%s in body must be of type %s: \"%s\"", where(x, p, &w),
			   names[s->type], type_name(v));
}

/* ---- schemas of schemas ---- */

/* Errors of one alternative, apart. */
static struct check alternative(struct look *x, const struct custom_schema *s, const struct path *p,
				const struct doc *v, const struct doc *old, unsigned *work)
{
	struct check c;
	struct look y = { &c, x->from, 0, x->searched };

	check_init(&c, x->c->api, x->c->kind, x->c->old, x->c->a);
	look_at(&y, s, p, v, old);
	*work = y.work;
	x->work += y.work;
	x->searched = y.searched;
	return c;
}

/* A check's list ends in itself: it is moved, not copied. */
static void take(struct check *to, const struct check *from)
{
	*to = *from;
	if (!to->first)
		to->tail = &to->first;
}

/* How many of a list hold; *best: the errors of the one that came closest. */
static size_t try_all(struct look *x, const struct custom_list *list, const struct path *p,
		      const struct doc *v, const struct doc *old, bool first_only,
		      struct check *best)
{
	unsigned most = 0;
	size_t ok = 0;

	check_init(best, x->c->api, x->c->kind, x->c->old, x->c->a);
	for (size_t i = 0; i < list->n && !(first_only && ok); i++) {
		unsigned work = 0;
		struct check c = alternative(x, list->v[i], p, v, old, &work);

		if (c.n == 0) {
			ok++;
		} else if (best->n == 0 || work > most) {
			take(best, &c);
			most = work;
		}
	}
	return ok;
}

static void look_alternatives(struct look *x, const struct custom_schema *s, const struct path *p,
			      const struct doc *v, const struct doc *old)
{
	struct check best;
	char words[96];
	size_t ok;

	if (s->any.n && try_all(x, &s->any, p, v, old, true, &best) == 0) {
		composite(x, p, "must validate at least one schema (anyOf)");
		check_join(x->c, &best);
	}
	if (s->one.n) {
		ok = try_all(x, &s->one, p, v, old, false, &best);
		(void)snprintf(words, sizeof(words),
			       "must validate one and only one schema (oneOf). Found %zu valid "
			       "alternatives",
			       ok);
		if (ok != 1)
			composite(x, p,
				  ok ? words
				     : "must validate one and only one schema (oneOf). Found none "
				       "valid");
		if (ok == 0)
			check_join(x->c, &best);
	}
}

static void look_all_and_not(struct look *x, const struct custom_schema *s, const struct path *p,
			     const struct doc *v, const struct doc *old)
{
	size_t ok = 0;
	unsigned work;

	for (size_t i = 0; i < s->all.n; i++) {
		struct check c = alternative(x, s->all.v[i], p, v, old, &work);

		ok += c.n == 0;
		check_join(x->c, &c);
	}
	if (ok != s->all.n)
		composite(x, p,
			  ok ? "must validate all the schemas (allOf)"
			     : "must validate all the schemas (allOf). None validated");
	if (s->not &&alternative(x, s->not, p, v, old, &work).n == 0)
		composite(x, p, "must not validate the schema (not)");
}

/* ---- texts, numbers, enums ---- */

static int64_t characters(const struct doc *v)
{
	int64_t n = 0;

	for (size_t i = 0; i < v->n; i++)
		n += (v->s[i] & 0xc0) != 0x80;
	return n;
}

static void look_text(struct look *x, const struct custom_schema *s, const struct path *p,
		      const struct doc *v)
{
	struct slice format = doc_slice(doc_get(s->source, "format"));
	struct where w;

	if (s->max_length >= 0 && characters(v) > s->max_length)
		check_too_long(x->c, p, (unsigned)s->max_length);
	else if (s->min_length > 0 && characters(v) < s->min_length)
		INVALID(x, p, v, "should be at least %lld chars long", (long long)s->min_length);
	else if (s->pattern && !regex_match(s->pattern, doc_slice(v)))
		INVALID(x, p, v, "should match '%.*s'", (int)MIN(s->pattern_text.n, (size_t)400),
			s->pattern_text.p);
	if (s->format && !custom_format_ok(s, doc_slice(v)))
		check_type_invalid(x->c, p, v, "%s in body must be of type %.*s: \"%.*s\"",
				   where(x, p, &w), (int)MIN(format.n, (size_t)64), format.p,
				   (int)MIN(v->n, 256u), v->s);
}

/* As near to a whole number as sums of doubles come. */
static bool is_near_whole(double q)
{
	double n;

	if (q < 0)
		q = -q;
	if (q >= 0x1p53)
		return true;
	n = (double)(int64_t)(q + 0.5);
	return (q > n ? q - n : n - q) < 1e-9 * MAX(1.0, q);
}

static bool is_multiple(const struct doc *v, const struct doc *of)
{
	double a = 0, b = 0;
	int64_t n, m;

	if (doc_int64(v, &n) == 0 && doc_int64(of, &m) == 0)
		return m == 0 || m == -1 || n % m == 0;
	(void)doc_double(v, &a);
	(void)doc_double(of, &b);
	return is_near_whole(b < 1 ? 1 / b * a : a / b);
}

/* A limit as Go prints it: whole numbers without a fraction. */
struct limit {
	char text[64];
};

static const char *limit_text(const struct doc *of, struct limit *l)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(sizeof(l->text));
	int64_t n;

	if (doc_int64(of, &n) == 0)
		(void)buf_addf(&b, "%lld", (long long)n);
	else
		(void)jsonpath_print_value(of, &b, NULL);
	(void)str_copy(l->text, sizeof(l->text), buf_str(&b));
	return l->text;
}

static void look_number(struct look *x, const struct custom_schema *s, const struct path *p,
			const struct doc *v)
{
	struct limit l;
	int c;

	if (s->multiple && !is_multiple(v, s->multiple))
		INVALID(x, p, v, "should be a multiple of %s", limit_text(s->multiple, &l));
	c = s->maximum ? doc_number_cmp(v, s->maximum) : -1;
	if (c > 0 || (c == 0 && s->flags & CUSTOM_UNDER))
		INVALID(x, p, v, "should be less than %s%s",
			s->flags & CUSTOM_UNDER ? "" : "or equal to ", limit_text(s->maximum, &l));
	c = s->minimum ? doc_number_cmp(v, s->minimum) : 1;
	if (c < 0 || (c == 0 && s->flags & CUSTOM_OVER))
		INVALID(x, p, v, "should be greater than %s%s",
			s->flags & CUSTOM_OVER ? "" : "or equal to ", limit_text(s->minimum, &l));
}

static void look_enum(struct look *x, const struct custom_schema *s, const struct path *p,
		      const struct doc *v)
{
	static const struct doc null = {
		.type = DOC_STRING, .flags = DOC_CLEAN, .n = 4, .s = "null"
	};
	const char **valid;
	size_t n = 0;

	if (!s->enums)
		return;
	DOC_EACH (e, s->enums)
		if (doc_equal(e, v) && e->type != DOC_NULL)
			return;
	valid = ARENA_ARRAY(x->c->a, const char *, doc_len(s->enums) + 1);
	if (!valid)
		return; /* the arena has it on record */
	DOC_EACH (e, s->enums) {
		struct slice text = doc_slice(e);

		if (e->type != DOC_STRING && json_print(x->c->a, e, NULL, &text, NULL) < 0)
			return;
		valid[n] = arena_strndup(x->c->a, text.n ? text.p : "", text.n);
		if (!valid[n++])
			return;
	}
	check_unsupported(x->c, p, v->type == DOC_NULL ? &null : v, valid);
}

/* ---- lists ---- */

static bool same_keys(const struct custom_schema *s, const struct doc *o, const struct doc *item)
{
	if (!doc_is(o, DOC_OBJECT) || !doc_is(item, DOC_OBJECT))
		return false;
	DOC_EACH (k, s->keys) {
		const struct doc *a = doc_getn(o, doc_slice(k)), *b = doc_getn(item, doc_slice(k));

		if (a && b ? !doc_equal(a, b) : a || b)
			return false;
	}
	return true;
}

/* The old item that is this one: of lists with keys only. Mostly it stands at the same place; the
 * search for others is bounded, beyond that an item counts as new. */
const struct doc *custom_old_item(const struct custom_schema *s, const struct doc *old, size_t i,
				  const struct doc *item, unsigned *searched)
{
	if (s->list != SCHEMA_LIST_MAP || !doc_is(old, DOC_ARRAY))
		return NULL;
	if (same_keys(s, doc_at(old, i), item))
		return doc_at(old, i);
	DOC_EACH (o, old) {
		if (++*searched > SEARCH_MAX)
			return NULL;
		if (same_keys(s, o, item))
			return o;
	}
	return NULL;
}

static void look_list(struct look *x, const struct custom_schema *s, const struct path *p,
		      const struct doc *v, const struct doc *old)
{
	for (size_t i = 0; s->items && i < v->n; i++) {
		const struct path at = PATH_INDEX(p, i);

		look_at(x, s->items, &at, doc_at(v, i),
			custom_old_item(s, old, i, doc_at(v, i), &x->searched));
	}
	if (s->min_items > 0 && v->n < s->min_items) {
		const struct doc n = doc_int(x->c->a, v->n);

		INVALID(x, p, &n, "should have at least %lld items", (long long)s->min_items);
	}
	if (s->max_items >= 0 && v->n > s->max_items)
		check_too_many(x->c, p, v->n, (size_t)s->max_items);
}

/* ---- objects ---- */

static void look_member(struct look *x, const struct custom_schema *s, const struct path *p,
			const struct doc *key, const struct doc *v, const struct doc *old)
{
	const struct custom_schema *below = custom_property(s, slice_of(key->s, key->n));
	const struct path at = PATH(p, arena_strndup(x->c->a, key->s, key->n));
	bool meta = !p && (doc_str_is(key, "kind") || doc_str_is(key, "apiVersion"));

	if (!below && !s->extra && !(s->flags & CUSTOM_NO_EXTRA))
		return;
	if (!at.name)
		return;
	if (!below && s->flags & CUSTOM_NO_EXTRA) {
		struct where w;

		check_invalid(x->c, p, key, "%s.%s in body is a forbidden property",
			      where(x, p, &w), at.name);
		return;
	}
	look_at(x, below ? below : s->extra, &at, v,
		s->atomic || meta ? NULL : doc_getn(old, slice_of(key->s, key->n)));
}

static void look_object(struct look *x, const struct custom_schema *s, const struct path *p,
			const struct doc *v, const struct doc *old)
{
	if (s->min_members > 0 && v->n < s->min_members) {
		const struct doc n = doc_int(x->c->a, v->n);

		INVALID(x, p, &n, "should have at least %lld properties",
			(long long)s->min_members);
		return;
	}
	if (s->max_members >= 0 && v->n > s->max_members) {
		check_too_many(x->c, p, v->n, (size_t)s->max_members);
		return;
	}
	DOC_EACH_MEMBER (key, value, v)
		look_member(x, s, p, key, value, old);
	DOC_EACH (r, s->required) {
		const struct path at = PATH(p, arena_strndup(x->c->a, r->s, r->n));

		if (!doc_getn(v, doc_slice(r)) && at.name)
			check_required(x->c, &at, "");
	}
}

/* ---- a value ---- */

static void look_at(struct look *x, const struct custom_schema *s, const struct path *p,
		    const struct doc *v, const struct doc *old)
{
	struct check *outer = x->c, c;

	x->work++;
	check_init(&c, outer->api, outer->kind, outer->old, outer->a);
	x->c = &c;
	look_type(x, s, p, v);
	if (v->type != DOC_NULL) {
		look_alternatives(x, s, p, v, old);
		look_all_and_not(x, s, p, v, old);
	}
	if (v->type == DOC_STRING)
		look_text(x, s, p, v);
	if (v->type == DOC_NUMBER)
		look_number(x, s, p, v);
	if (v->type == DOC_ARRAY)
		look_list(x, s, p, v, old);
	look_enum(x, s, p, v);
	if (v->type == DOC_OBJECT)
		look_object(x, s, p, v, old);
	x->c = outer;
	if (c.n && !(old && doc_equal(v, old)))
		check_join(outer, &c);
}

void custom_check_value(struct check *c, const struct custom_schema *s, const struct path *p,
			const struct path *from, const struct doc *v, const struct doc *old)
{
	struct look x = { c, from, 0, 0 };

	look_at(&x, s, p, v, old);
}
