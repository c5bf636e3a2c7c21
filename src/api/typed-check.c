/* SPDX-License-Identifier: Apache-2.0 */
/* Does an object fit its type? In the words of upstream's typed objects. */
#include "api/typed-private.h"
#include "doc/json.h"

#include <stdarg.h>

#define PROBLEMS_MAX 16

struct check {
	struct typed t;
	struct buf path;
	struct buf out;
	unsigned n;
};

static void problem(struct check *c, const char *fmt, ...) PRINTF(2, 3);
static void problem(struct check *c, const char *fmt, ...)
{
	va_list ap;

	if (++c->n > PROBLEMS_MAX)
		return;
	/* what does not fit is cut: the refusal itself does not depend on it */
	(void)buf_addf(&c->out, "\n  %s%s", buf_str(&c->path), c->path.n ? ": " : "");
	va_start(ap, fmt);
	(void)buf_addv(&c->out, fmt, ap);
	va_end(ap);
}

/* Go prints strings bare and the rest as JSON does, nearly. */
static const char *go_value(struct check *c, const struct doc *v)
{
	static const size_t most = 200;
	struct slice text = { "", 0 };

	if (v->type == DOC_STRING)
		text = doc_slice(v);
	else if (json_print(c->t.a, v, NULL, &text, NULL) < 0)
		return "";
	return arena_printf(c->t.a, "%.*s", (int)MIN(text.n, most), text.n ? text.p : "");
}

static const char *go_type(const struct doc *v)
{
	switch (v->type) {
	case DOC_BOOL: return "bool";
	case DOC_NUMBER: return v->flags & DOC_INT ? "int64" : "float64";
	case DOC_STRING: return "string";
	case DOC_ARRAY: return "[]interface {}";
	default: return "map[string]interface {}";
	}
}

static void check_leaf(struct check *c, const struct shape *s, const struct doc *v)
{
	if (v->type == DOC_NULL || s->scalar == SCHEMA_ANY)
		return;
	switch (s->scalar) {
	case SCHEMA_BOOL:
		if (v->type != DOC_BOOL)
			problem(c, "expected boolean, got &{%s}", go_value(c, v));
		break;
	case SCHEMA_INT:
	case SCHEMA_DOUBLE:
		if (v->type != DOC_NUMBER)
			problem(c, "expected numeric (int or float), got %s", go_type(v));
		break;
	case SCHEMA_QUANTITY:
	case SCHEMA_INT_OR_STR:
		if (v->type >= DOC_ARRAY)
			problem(c, "expected any scalar, got &{%s}", go_value(c, v));
		break;
	default:
		if (v->type != DOC_STRING)
			problem(c, "expected string, got &value.valueUnstructured{Value:%s}",
				go_value(c, v));
	}
}

static int check_value(struct check *c, struct shape *s, const struct doc *v);

/* A value whose step is already at the end of the path; cuts it off again. */
static int check_at(struct check *c, size_t here, int r, struct shape *s, const struct doc *v)
{
	if (r < 0)
		return err_set(c->t.err, ERR_TOO_LARGE, "the path of a field is too long");
	if (s)
		r = check_value(c, s, v);
	else
		problem(c, "field not declared in schema");
	c->path.n = here;
	c->path.p[here] = '\0';
	return r;
}

static int check_object(struct check *c, struct shape *s, const struct doc *v)
{
	int r = 0;

	if (v->type != DOC_OBJECT && v->type != DOC_NULL) {
		problem(c, "expected map, got &{%s}", go_value(c, v));
		return 0;
	}
	DOC_EACH_MEMBER (key, value, v) {
		struct shape m;
		int known = shape_member(s, doc_slice(key), &m);
		size_t here = c->path.n;

		r = buf_addc(&c->path, '.');
		if (r == 0)
			r = buf_add(&c->path, key->s, key->n);
		r = check_at(c, here, r, known < 0 ? NULL : &m, value);
		if (r < 0)
			break;
	}
	return r;
}

static int check_items(struct check *c, struct shape *s, const struct doc *v)
{
	CLEANUP(items_fini) struct items x;
	struct shape e = shape_element(s);
	struct err why = ERR_INIT;
	struct err *err = c->t.err;
	int r;

	c->t.err = &why;
	r = items_init(&x, &c->t, s, v);
	c->t.err = err;
	if (r == -ERR_INVALID) {
		problem(c, "%s", why.msg);
		return 0;
	}
	if (r < 0)
		return err_set(err, why.code, "%s", why.msg);
	for (size_t i = 0; i < x.n; i++) {
		size_t here = c->path.n;
		struct buf name = BUF_INIT(TYPED_BUF);

		if (x.v[i].times == 0) {
			r = fields_print(&name, x.v[i].key);
			problem(c, "duplicate entries for key %s", buf_str(&name));
			buf_fini(&name);
		}
		r = fields_print(&c->path, x.v[i].key);
		r = check_at(c, here, r, &e, doc_at(v, i));
		if (r < 0)
			return r;
	}
	return 0;
}

static int check_list(struct check *c, struct shape *s, const struct doc *v)
{
	struct shape e = shape_element(s);
	size_t i = 0;
	int r = 0;

	if (v->type != DOC_ARRAY && v->type != DOC_NULL) {
		problem(c, "expected list, got &{%s}", go_value(c, v));
		return 0;
	}
	if (s->list != SCHEMA_LIST_ATOMIC)
		return check_items(c, s, v);
	DOC_EACH (x, v) {
		size_t here = c->path.n;

		r = buf_addf(&c->path, "[%zu]", i++);
		r = check_at(c, here, r, &e, x);
		if (r < 0)
			break;
	}
	return r;
}

static int check_value(struct check *c, struct shape *s, const struct doc *v)
{
	int r = typed_down(&c->t);

	if (r < 0)
		return r;
	if (s->kind == SHAPE_LIST)
		r = check_list(c, s, v);
	else if (s->kind == SHAPE_OBJECT)
		r = check_object(c, s, v);
	else if (s->kind == SHAPE_LEAF)
		check_leaf(c, s, v);
	c->t.depth--;
	return r;
}

/* One problem stands alone; more are listed. */
static int tell(struct check *c, const char **ret_text, struct err *err)
{
	const char *text = buf_str(&c->out);

	if (c->n > PROBLEMS_MAX)
		(void)buf_addf(&c->out, "\n  and %u more", c->n - PROBLEMS_MAX);
	text = c->n == 1 ? text + 3 : buf_str(&c->out);
	if (c->n > 1)
		text = arena_printf(c->t.a, "errors:%s", text);
	else
		text = arena_strdup(c->t.a, text);
	if (!text)
		return arena_quota(c->t.a, err);
	if (ret_text)
		*ret_text = text;
	return err_set(err, ERR_INVALID, "%s", text);
}

int typed_check(const struct api_type *type, const struct doc *obj, struct arena *a,
		const char **ret_text, struct err *err)
{
	struct check c = { .t = { .a = a, .err = err, .b = BUF_INIT(TYPED_BUF) },
			   .path = BUF_INIT((FIELDS_KEY_MAX + 8) * (FIELDS_DEPTH_MAX + 2)),
			   .out = BUF_INIT(64 << 10) };
	struct shape s = shape_root(type);
	int r = typed_done(&c.t, check_value(&c, &s, obj));

	if (r == 0 && c.n)
		r = tell(&c, ret_text, err);
	buf_fini(&c.path);
	buf_fini(&c.out);
	return r;
}
