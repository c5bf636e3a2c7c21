/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What mutations are written with: objects without a schema (Object, Object.spec, ...: any field,
 * of any type), JSONPatch, and jsonpatch.escapeKey. Spec: Kubernetes' cel/mutation (for facts).
 */
#include "base/err.h"
#include "expr/cel-private.h"

#define DEPTH_MAX 64
#define PATH_MAX_BYTES 1024

static const struct cel_type *any_field(const void *arg, struct slice name, struct arena *a)
{
	(void)arg;
	(void)name;
	(void)a;
	return CEL_DYN;
}
static const struct cel_fields any_fields = { .find = any_field };

static const struct cel_type *operation_field(const void *arg, struct slice name, struct arena *a)
{
	(void)arg;
	(void)a;
	if (slice_is(name, "op") || slice_is(name, "path") || slice_is(name, "from"))
		return CEL_TEXT;
	return slice_is(name, "value") ? CEL_DYN : NULL;
}
static const struct cel_fields operation_fields = { .find = operation_field };

const struct cel_type cel_type_object_any = { .kind = CEL_T_OBJECT,
					      .name = CEL_PATCH_OBJECT,
					      .fields = &any_fields };
const struct cel_type cel_type_json_patch = { .kind = CEL_T_OBJECT,
					      .name = "JSONPatch",
					      .fields = &operation_fields };

const struct cel_type *cel_patch_type(struct slice name, struct arena *a)
{
	struct cel_type *t;
	const char *text;

	if (slice_is(name, cel_type_json_patch.name))
		return &cel_type_json_patch;
	if (slice_is(name, CEL_PATCH_OBJECT))
		return &cel_type_object_any;
	if (!slice_starts(name, SLICE(CEL_PATCH_OBJECT ".")))
		return NULL;
	text = arena_strndup(a, name.p, name.n);
	t = text ? cel_type_object(a, text, &any_fields) : NULL;
	return t;
}

/* ---- names of types against places ---- */

struct names {
	struct buf path, *words;
};

static int compare(struct names *x, const struct cel_value *v, unsigned depth);

static int compare_below(struct names *x, const struct cel_value *v, bool named, unsigned depth)
{
	const size_t n = x->path.n;
	int bad = 0;

	for (uint32_t i = 0; i < v->map->n; i++) {
		const struct cel_entry *e = &v->map->v[i];

		if (named)
			(void)buf_addf(&x->path, ".%.*s", (int)e->key.n, e->key.s);
		bad |= compare(x, &e->value, depth - 1);
		x->path.n = n;
	}
	return bad;
}

static int compare(struct names *x, const struct cel_value *v, unsigned depth)
{
	int bad = 0;

	if (depth == 0 || v->rep != CEL_REP_NATIVE)
		return 0;
	if (v->kind == CEL_T_LIST) {
		for (uint32_t i = 0; i < v->n; i++)
			bad |= compare(x, &v->list[i], depth - 1);
		return bad;
	}
	if (v->kind == CEL_T_MAP)
		return compare_below(x, v, false, depth);
	if (v->kind != CEL_T_OBJECT || !v->type)
		return 0;
	if (!slice_is(buf_slice(&x->path), v->type->name)) {
		bad = 1;
		(void)buf_addf(x->words,
			       "%sunexpected type name \"%s\", expected \"%.*s\", which matches "
			       "field name path from root Object type",
			       x->words->n ? "\n" : "", v->type->name, (int)x->path.n, x->path.p);
	}
	return bad | compare_below(x, v, true, depth);
}

int cel_patch_check(const struct cel_value *v, struct err *err)
{
	CLEANUP(buf_fini) struct buf words = BUF_INIT(4096);
	struct names x = { .path = BUF_INIT(PATH_MAX_BYTES), .words = &words };
	int bad;

	/* the root's own name, whatever it is: upstream takes a part of an object for a root */
	(void)buf_adds(&x.path,
		       v->kind == CEL_T_OBJECT && v->type ? v->type->name : CEL_PATCH_OBJECT);
	bad = compare(&x, v, DEPTH_MAX);
	buf_fini(&x.path);
	return bad ? err_set(err, ERR_INVALID, "type mismatch: %s", buf_str(&words)) : 0;
}

int cel_patch_operations(const struct cel_value *v, struct arena *a, struct doc *ret,
			 struct err *err)
{
	static const struct cel_value op = { .kind = CEL_T_STRING, .s = "value", .n = 5 };
	struct cel_run r = { .a = a, .limit = UINT64_MAX };

	for (uint32_t i = 0; i < cel_size(v); i++) {
		struct cel_value one, value;

		if (!cel_list_at(&r, v, i, &one))
			return err_set(err, ERR_INVALID, "%s", r.failure.msg);
		if (one.kind == CEL_T_OBJECT && cel_lookup(&r, &one, &op, &value) > 0 &&
		    value.kind == CEL_T_OBJECT && cel_patch_check(&value, err) < 0)
			return err_ret(err);
	}
	return cel_value_doc(v, a, ret, err);
}

/* ---- jsonpatch.escapeKey ---- */

static bool escape_key(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	struct slice s = cel_slice(v);
	char *p = arena_alloc_raw(r->a, 2 * s.n + 1, 1), *to = p;

	if (!p)
		return cel_quota(r);
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '~' || s.p[i] == '/') {
			*to++ = '~';
			*to++ = s.p[i] == '~' ? '0' : '1';
		} else {
			*to++ = s.p[i];
		}
	}
	*ret = cel_string(slice_of(p, (size_t)(to - p)));
	return true;
}

const struct cel_function cel_lib_patch[] = {
	CEL_F("jsonpatch.escapeKey", escape_key, CEL_TEXT, TWICE, CEL_TEXT),
	CEL_END,
};
