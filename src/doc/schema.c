/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Schema tables: what decode, encode, default and prune share (rows by key, element rows, paths and
 * causes), and the two operations that change documents in place, default and prune.
 */
#include "doc/schema.h"

#include "doc/json.h"
#include "doc/schema-private.h"

#include <assert.h>
#include <stdio.h>

_Static_assert(sizeof(void *) == 8, "MAP_OF entries are laid out for 64 bits");

/* --- rows ---------------------------------------------------------------------------------------
 */

static bool is_row(const struct schema_field *f, struct slice key)
{
	return f->len == key.n && memcmp(f->name, key.p, key.n) == 0;
}

const struct schema_field *schema_find(const struct schema *s, struct slice key, unsigned hint,
				       bool icase)
{
	const struct schema_field *f = s->fields;

	/* Writers mostly keep the order of the specification, which is the order of the rows. */
	if (hint < s->n && is_row(&f[hint], key))
		return &f[hint];
	for (unsigned i = 0; i < s->n; i++)
		if (is_row(&f[i], key))
			return &f[i];
	for (unsigned i = 0; icase && i < s->n; i++)
		if (f[i].len == key.n && slice_ieq(slice_of(f[i].name, f[i].len), key))
			return &f[i];
	return NULL;
}

const struct schema_field *schema_elem(const struct schema_field *f, struct schema_field *room)
{
	if (f->elem_row)
		return f->elem;
	*room = (struct schema_field){
		.sub = f->sub,
		.type = f->elem_type,
		.check = f->check,
		.format = f->format,
		.width = f->width,
		.flags = (f->flags & (SCHEMA_SECRET | SCHEMA_PRESERVE)) | SCHEMA_INLINE,
	};
	return room;
}

size_t schema_value_size(const struct schema_field *f)
{
	switch (f->type) {
	case SCHEMA_BOOL: return f->width & SCHEMA_W_OPT ? sizeof(struct opt_bool) : sizeof(bool);
	case SCHEMA_INT:
		return f->width & SCHEMA_W_OPT ? sizeof(struct opt_int) : f->width & SCHEMA_W_SIZE;
	case SCHEMA_DOUBLE:
		return f->width & SCHEMA_W_OPT ? sizeof(struct opt_double) : sizeof(double);
	case SCHEMA_ENUM:
		return f->width & SCHEMA_W_TEXT ? sizeof(char *) : f->width & SCHEMA_W_SIZE;
	case SCHEMA_OBJECT: return f->flags & SCHEMA_INLINE ? f->sub->size : sizeof(void *);
	case SCHEMA_LIST:
	case SCHEMA_MAP: return sizeof(struct strs);
	case SCHEMA_INT_OR_STR: return sizeof(struct int_or_str);
	case SCHEMA_TIME: return sizeof(struct schema_time);
	case SCHEMA_BYTES: return sizeof(struct slice);
	default: return sizeof(char *);
	}
}

size_t schema_entry_size(const struct schema_field *f)
{
	return sizeof(char *) + (schema_value_size(f) + 7) / 8 * 8;
}

struct doc *schema_default_value(struct arena *a, const struct schema_field *f)
{
	struct slice text = slice_str(f->def);
	struct doc *ret = NULL;
	int r;

	/* The usual kinds without the reader: defaults are applied on every decode. */
	if (text.n >= 2 && text.p[0] == '"' && !memchr(text.p, '\\', text.n))
		return doc_new(a, doc_borrow(text.p + 1, text.n - 2));
	if (slice_is(text, "true") || slice_is(text, "false"))
		return doc_new(a, doc_bool(text.p[0] == 't'));
	r = json_read(a, text, NULL, &ret, NULL);
	assert(r == 0 || arena_exceeded(a));
	return r < 0 ? NULL : ret;
}

const char *str_map_get(const struct str_map *m, const char *key)
{
	for (size_t i = 0; i < m->n; i++)
		if (strcmp(m->v[i].key, key) == 0)
			return m->v[i].value;
	return NULL;
}

/* --- paths and causes ---------------------------------------------------------------------------
 */

void schema_ctx_init(struct schema_ctx *c, struct arena *a, const struct schema_opts *o)
{
	static const struct schema_opts none;

	*c = (struct schema_ctx){ .a = a, .o = o ? o : &none };
	c->max = c->o->max_causes ? c->o->max_causes : SCHEMA_CAUSES_DEFAULT;
	c->tail = &c->first;
}

struct arena *schema_arena(struct schema_ctx *c)
{
	return c->a;
}

static bool is_plain_word(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!((s.p[i] | 32) >= 'a' && (s.p[i] | 32) <= 'z') &&
		    !(s.p[i] >= '0' && s.p[i] <= '9') && s.p[i] != '_' && s.p[i] != '-')
			return false;
	return s.n > 0;
}

/* Field names as they are; a map's key in brackets when it could be taken for something else. */
static void add_step(struct buf *b, struct slice name, bool key)
{
	if (key && !is_plain_word(name)) {
		(void)buf_adds(b, "["); /* a cut path is no failure */
		(void)json_write_string(b, slice_of(name.p, MIN(name.n, (size_t)128)), false);
		(void)buf_adds(b, "]");
		return;
	}
	if (b->n > 0)
		(void)buf_addc(b, '.');
	(void)buf_add(b, name.p, name.n);
}

char *schema_path(struct schema_ctx *c, const char *field)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(2048);
	const struct schema_step *steps[SCHEMA_DEPTH_MAX * 2 + 2];
	size_t n = 0;

	for (const struct schema_step *s = c->at; s && n < ARRAY_LEN(steps); s = s->up)
		steps[n++] = s;
	if (c->o->root)
		(void)buf_adds(&b, c->o->root);
	while (n-- > 0)
		if (steps[n]->name.p)
			add_step(&b, steps[n]->name, steps[n]->key);
		else
			(void)buf_addf(&b, "[%zu]", steps[n]->index);
	if (*field)
		add_step(&b, slice_str(field), false);
	return arena_strndup(c->a, buf_str(&b), b.n);
}

void schema_fail(struct schema_ctx *c, const char *field, const char *reason, const char *fmt, ...)
{
	char detail[512];
	struct cause *k;
	va_list ap;

	if (c->quota || c->total++ >= c->max)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(detail, sizeof(detail), fmt, ap); /* a cut detail is fine */
	va_end(ap);
	k = ARENA_NEW(c->a, struct cause);
	if (k)
		*k = (struct cause){ .field = schema_path(c, field),
				     .reason = reason,
				     .detail = arena_strdup(c->a, detail) };
	if (!k || !k->field || !k->detail) {
		c->quota = true;
		return;
	}
	*c->tail = k;
	c->tail = &k->next;
}

int schema_ctx_result(struct schema_ctx *c, const struct schema *s, struct err *err)
{
	const struct cause *k = c->first;
	enum err_code code = c->o->code ? c->o->code : ERR_INVALID;
	const char *sep;

	if (c->quota)
		return arena_quota(c->a, err);
	if (!k)
		return 0;
	sep = *k->field ? ": " : "";
	if (c->total > 1)
		(void)err_set(err, code, "%s: %.400s%s%s; and %u more problem%s", s->name, k->field,
			      sep, k->detail, c->total - 1, c->total > 2 ? "s" : "");
	else
		(void)err_set(err, code, "%s: %.400s%s%s", s->name, k->field, sep, k->detail);
	if (err)
		err->causes = c->first;
	return -(int)code;
}

/* --- default ------------------------------------------------------------------------------------
 */

static void default_object(struct arena *a, const struct schema *s, struct doc *d, unsigned depth);

static void default_value(struct arena *a, const struct schema_field *f, struct doc *d,
			  unsigned depth)
{
	struct schema_field room;

	if (f->type == SCHEMA_OBJECT && d->type == DOC_OBJECT) {
		default_object(a, f->sub, d, depth + 1);
	} else if (f->type == SCHEMA_LIST && d->type == DOC_ARRAY) {
		f = schema_elem(f, &room);
		DOC_EACH (it, d)
			default_value(a, f, it, depth + 1);
	} else if (f->type == SCHEMA_MAP && d->type == DOC_OBJECT) {
		f = schema_elem(f, &room);
		DOC_EACH_MEMBER (key, value, d)
			default_value(a, f, value, depth + 1);
	}
}

static void default_object(struct arena *a, const struct schema *s, struct doc *d, unsigned depth)
{
	unsigned hint = 0;

	if (depth > SCHEMA_DEPTH_MAX)
		return;
	for (unsigned i = 0; i < s->n; i++) {
		const struct schema_field *f = &s->fields[i];
		struct doc *old, *v;

		if (!f->def)
			continue;
		old = doc_getn(d, slice_of(f->name, f->len));
		if (old && (old->type != DOC_NULL || (f->flags & SCHEMA_NULLABLE)))
			continue;
		v = schema_default_value(a, f);
		if (!v)
			return;
		if (old)
			*old = *v;
		else if (!doc_add(a, d, slice_of(f->name, f->len), *v))
			return;
	}
	DOC_EACH_MEMBER (key, value, d) {
		const struct schema_field *f = schema_find(s, doc_slice(key), hint, false);

		if (!f)
			continue;
		hint = (unsigned)(f - s->fields) + 1;
		default_value(a, f, value, depth);
	}
}

static int want_object(const struct schema *s, const struct doc *d, struct err *err)
{
	if (doc_is(d, DOC_OBJECT))
		return 0;
	return err_set(err, ERR_INVALID, "%s: must be an object, not %s", s->name,
		       doc_type_name(d));
}

int schema_default(const struct schema *s, struct doc *d, struct arena *a, struct err *err)
{
	int r = want_object(s, d, err);

	if (r < 0)
		return r;
	default_object(a, s, d, 0);
	return arena_exceeded(a) ? arena_quota(a, err) : 0;
}

/* --- prune --------------------------------------------------------------------------------------
 */

static void prune_object(const struct schema *s, struct doc *d, bool keep, unsigned depth);

static void prune_value(const struct schema_field *f, struct doc *d, unsigned depth)
{
	struct schema_field room;

	if (f->type == SCHEMA_OBJECT && d->type == DOC_OBJECT) {
		prune_object(f->sub, d, f->flags & SCHEMA_PRESERVE, depth + 1);
	} else if (f->type == SCHEMA_LIST && d->type == DOC_ARRAY) {
		f = schema_elem(f, &room);
		DOC_EACH (it, d)
			prune_value(f, it, depth + 1);
	} else if (f->type == SCHEMA_MAP && d->type == DOC_OBJECT) {
		f = schema_elem(f, &room);
		DOC_EACH_MEMBER (key, value, d)
			prune_value(f, value, depth + 1);
	}
}

static void prune_object(const struct schema *s, struct doc *d, bool keep, unsigned depth)
{
	unsigned hint = 0;
	uint32_t kept = 0;

	if (depth > SCHEMA_DEPTH_MAX)
		return;
	keep |= s->unknown == SCHEMA_UNKNOWN_PRESERVE;
	for (uint32_t i = 0; i < d->n; i++) {
		struct doc *key = doc_key_at(d, i), *value = doc_value_at(d, i);
		const struct schema_field *f = schema_find(s, doc_slice(key), hint, false);

		if (!f && !keep)
			continue;
		if (f) {
			hint = (unsigned)(f - s->fields) + 1;
			prune_value(f, value, depth);
		}
		if (kept != i) {
			*doc_key_at(d, kept) = *key;
			*doc_value_at(d, kept) = *value;
		}
		kept++;
	}
	/* With room 0 the node "holds exactly n": what was freed is simply not used again. */
	d->n = kept;
}

int schema_prune(const struct schema *s, struct doc *d, struct arena *a, struct err *err)
{
	int r = want_object(s, d, err);

	(void)a; /* pruning only moves nodes; the parameter keeps the operations alike */
	if (r < 0)
		return r;
	prune_object(s, d, false, 0);
	return 0;
}
