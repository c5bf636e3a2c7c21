/* SPDX-License-Identifier: Apache-2.0 */
/* Which atomic values an object sets: what would replace all that is there. */
#include "api/typed-private.h"

struct finder {
	struct buf path, *out;
	unsigned depth;
};

static void note(struct finder *f)
{
	/* more than fit are cut: that there is one is what counts */
	(void)buf_addf(f->out, "%s%.*s", f->out->n ? ", " : "", (int)f->path.n, f->path.p);
}

static void find(struct finder *f, struct shape *s, const struct doc *v)
{
	const size_t n = f->path.n;
	struct shape below;

	if (f->depth == 0)
		return;
	f->depth--;
	if (s->kind == SHAPE_OBJECT && v->type == DOC_OBJECT) {
		if (s->atomic)
			note(f);
		DOC_EACH_MEMBER (key, value, v) {
			(void)buf_addf(&f->path, ".%.*s", (int)key->n, key->s);
			if (shape_member(s, doc_slice(key), &below) > 0)
				find(f, &below, value);
			f->path.n = n;
		}
	} else if (s->kind == SHAPE_LIST && v->type == DOC_ARRAY) {
		if (s->atomic || s->list == SCHEMA_LIST_ATOMIC)
			note(f);
		below = shape_element(s);
		for (size_t i = 0; i < v->n; i++) {
			(void)buf_addf(&f->path, "[%zu]", i);
			find(f, &below, doc_at(v, i));
			f->path.n = n;
		}
	}
	f->depth++;
}

bool typed_atomics(const struct api_type *t, const struct doc *obj, struct buf *out)
{
	struct finder f = { .path = BUF_INIT(FIELDS_KEY_MAX),
			    .out = out,
			    .depth = FIELDS_DEPTH_MAX };
	struct shape root = shape_root(t);
	const size_t before = out->n;

	find(&f, &root, obj);
	buf_fini(&f.path);
	return out->n > before || out->full;
}
