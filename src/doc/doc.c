/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The document model: lookups, builders, whole-tree copy and comparison. Numbers are in number.c.
 *
 * A container's children lie in one run. `room` says how many fit (2^room, so growth is amortised);
 * readers leave it 0, which means "exactly n": the first growth then moves the run.
 */
#include "doc/doc.h"

#include "base/arena.h"
#include "base/err.h"
#include "doc/text.h"
#include "doc/walk.h"

#include <stdarg.h>
#include <stdio.h>

const char *doc_type_name(const struct doc *d)
{
	static const char *const names[] = { "null",   "boolean", "number",
					     "string", "array",	  "object" };

	return d ? names[d->type] : "nothing";
}

const char *doc_cstr(struct arena *a, const struct doc *d)
{
	if (!doc_is(d, DOC_STRING))
		return NULL;
	if (d->flags & DOC_CSTR)
		return d->s;
	if (d->n && memchr(d->s, '\0', d->n))
		return NULL;
	return arena_strndup(a, d->n ? d->s : "", d->n);
}

struct doc *doc_getn(const struct doc *d, struct slice key)
{
	if (!doc_is(d, DOC_OBJECT) || d->n == 0)
		return NULL;
	for (struct doc *k = d->kids, *end = k + 2 * (size_t)d->n; k != end; k += 2)
		if (k->n == key.n &&
		    (key.n == 0 || (k->s[0] == key.p[0] && memcmp(k->s, key.p, key.n) == 0)))
			return k + 1;
	return NULL;
}

struct doc *doc_get(const struct doc *d, const char *key)
{
	return doc_getn(d, slice_str(key));
}

static bool small_index(struct slice s, size_t *ret)
{
	size_t v = 0;

	if (s.n == 0 || s.n > 9)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		v = v * 10 + (size_t)(s.p[i] - '0');
	}
	*ret = v;
	return true;
}

struct doc *doc_find(const struct doc *d, const char *path)
{
	struct slice rest = slice_str(path);

	while (d && rest.p) {
		struct slice step = slice_split(&rest, '.');
		size_t i;

		if (d->type == DOC_ARRAY)
			d = small_index(step, &i) ? doc_at(d, i) : NULL;
		else
			d = doc_getn(d, step);
	}
	return (struct doc *)d;
}

/* Latches the arena as exceeded, for what could never fit. */
static void refuse(struct arena *a)
{
	void *p = arena_alloc_raw(a, PTRDIFF_MAX, 1);

	(void)p; /* never given */
}

struct doc doc_borrow(const char *p, size_t n)
{
	if (n > UINT32_MAX)
		return doc_null();
	return (struct doc){
		.type = DOC_STRING,
		.flags = text_clean(p, n) ? DOC_CLEAN : 0,
		.n = (uint32_t)n,
		.s = p,
	};
}

struct doc doc_strn(struct arena *a, const char *p, size_t n)
{
	struct doc d;
	char *copy;

	if (n > UINT32_MAX) {
		refuse(a);
		return doc_null();
	}
	copy = arena_alloc_raw(a, n + 1, 1);
	if (!copy)
		return doc_null();
	if (n)
		memcpy(copy, p, n);
	copy[n] = '\0';
	d = doc_borrow(copy, n);
	if ((d.flags & DOC_CLEAN) || !memchr(copy, '\0', n))
		d.flags |= DOC_CSTR;
	return d;
}

struct doc doc_str(struct arena *a, const char *s)
{
	return s ? doc_strn(a, s, strlen(s)) : doc_null();
}

struct doc *doc_new(struct arena *a, struct doc value)
{
	struct doc *d = arena_alloc_raw(a, sizeof(*d), 16);

	if (d)
		*d = value;
	return d;
}

struct doc *doc_new_object(struct arena *a)
{
	return doc_new(a, doc_object());
}

struct doc *doc_new_array(struct arena *a)
{
	return doc_new(a, doc_array());
}

/* Makes room for one more child (member); `width` is nodes per child. */
static bool make_room(struct arena *a, struct doc *d, size_t width)
{
	size_t old = d->n * width * sizeof(struct doc), size;
	uint8_t room = 2;
	struct doc *kids;

	if (d->room && d->n < (1u << d->room))
		return true;
	while ((1u << room) <= d->n) {
		if (++room == 31) {
			refuse(a);
			return false;
		}
	}
	size = ((size_t)1 << room) * width * sizeof(struct doc);
	if (d->n == 0)
		kids = arena_alloc_raw(a, size, 16);
	else if (d->room)
		kids = arena_grow(a, d->kids, old, size);
	else {
		/* A reader's run may lie in the middle of a larger block: never grow that in place.
		 */
		kids = arena_alloc_raw(a, size, 16);
		if (kids)
			memcpy(kids, d->kids, old);
	}
	if (!kids)
		return false;
	d->kids = kids;
	d->room = room;
	return true;
}

struct doc *doc_add_node(struct arena *a, struct doc *obj, struct doc key, struct doc value)
{
	struct doc *slot;

	if (!doc_is(obj, DOC_OBJECT) || key.type != DOC_STRING || !make_room(a, obj, 2))
		return NULL;
	slot = &obj->kids[2 * (size_t)obj->n++];
	slot[0] = key;
	slot[1] = value;
	return &slot[1];
}

struct doc *doc_add(struct arena *a, struct doc *obj, struct slice key, struct doc value)
{
	return doc_is(obj, DOC_OBJECT) ? doc_add_node(a, obj, doc_strn(a, key.p, key.n), value)
				       : NULL;
}

struct doc *doc_setn(struct arena *a, struct doc *obj, struct slice key, struct doc value)
{
	struct doc *slot = doc_getn(obj, key);

	if (!slot)
		return doc_add(a, obj, key, value);
	*slot = value;
	return slot;
}

struct doc *doc_set(struct arena *a, struct doc *obj, const char *key, struct doc value)
{
	return doc_setn(a, obj, slice_str(key), value);
}

struct doc *doc_set_str(struct arena *a, struct doc *obj, const char *key, const char *s)
{
	return doc_set(a, obj, key, doc_str(a, s));
}

struct doc *doc_set_strn(struct arena *a, struct doc *obj, const char *key, const char *p, size_t n)
{
	return doc_set(a, obj, key, doc_strn(a, p, n));
}

struct doc *doc_set_strf(struct arena *a, struct doc *obj, const char *key, const char *fmt, ...)
{
	CLEANUP_FREE char *text = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0)
		abort();
	return doc_set_strn(a, obj, key, text, (size_t)n);
}

struct doc *doc_set_int(struct arena *a, struct doc *obj, const char *key, int64_t v)
{
	return doc_set(a, obj, key, doc_int(a, v));
}

struct doc *doc_set_uint(struct arena *a, struct doc *obj, const char *key, uint64_t v)
{
	return doc_set(a, obj, key, doc_uint(a, v));
}

struct doc *doc_set_bool(struct arena *a, struct doc *obj, const char *key, bool v)
{
	return doc_set(a, obj, key, doc_bool(v));
}

struct doc *doc_set_null(struct arena *a, struct doc *obj, const char *key)
{
	return doc_set(a, obj, key, doc_null());
}

struct doc *doc_set_object(struct arena *a, struct doc *obj, const char *key)
{
	return doc_set(a, obj, key, doc_object());
}

struct doc *doc_set_array(struct arena *a, struct doc *obj, const char *key)
{
	return doc_set(a, obj, key, doc_array());
}

struct doc *doc_insert(struct arena *a, struct doc *arr, size_t i, struct doc value)
{
	if (!doc_is(arr, DOC_ARRAY) || i > arr->n || !make_room(a, arr, 1))
		return NULL;
	memmove(&arr->kids[i + 1], &arr->kids[i], (arr->n - i) * sizeof(struct doc));
	arr->kids[i] = value;
	arr->n++;
	return &arr->kids[i];
}

struct doc *doc_append(struct arena *a, struct doc *arr, struct doc value)
{
	return doc_is(arr, DOC_ARRAY) ? doc_insert(a, arr, arr->n, value) : NULL;
}

struct doc *doc_append_str(struct arena *a, struct doc *arr, const char *s)
{
	return doc_append(a, arr, doc_str(a, s));
}

struct doc *doc_append_object(struct arena *a, struct doc *arr)
{
	return doc_append(a, arr, doc_object());
}

bool doc_removen(struct doc *obj, struct slice key)
{
	struct doc *value = doc_getn(obj, key), *end;

	if (!value)
		return false;
	end = obj->kids + 2 * (size_t)obj->n;
	memmove(value - 1, value + 1, (size_t)(end - (value + 1)) * sizeof(struct doc));
	obj->n--;
	return true;
}

bool doc_remove(struct doc *obj, const char *key)
{
	return doc_removen(obj, slice_str(key));
}

bool doc_remove_at(struct doc *arr, size_t i)
{
	if (!doc_is(arr, DOC_ARRAY) || i >= arr->n)
		return false;
	memmove(&arr->kids[i], &arr->kids[i + 1], (arr->n - i - 1) * sizeof(struct doc));
	arr->n--;
	return true;
}

/* Copies the bytes of a string or number node. */
static bool copy_bytes(struct arena *a, struct doc *d)
{
	char *p;

	if (d->type != DOC_STRING && d->type != DOC_NUMBER)
		return true;
	p = arena_alloc_raw(a, (size_t)d->n + 1, 1);
	if (!p)
		return false;
	if (d->n)
		memcpy(p, d->s, d->n);
	p[d->n] = '\0';
	if (d->type == DOC_STRING && (d->flags & DOC_CLEAN))
		d->flags |= DOC_CSTR;
	d->s = p;
	return true;
}

static bool copy_tree(struct arena *a, const struct doc *src, struct doc *dst, bool bytes)
{
	struct walk w;
	bool ok = true;

	walk_init(&w);
	walk_push(&w, (struct walk_frame){ .a = src, .end = src + 1, .b = dst });
	while (ok && w.n) {
		struct walk_frame *f = walk_top(&w);
		struct doc *to = (struct doc *)f->b;
		size_t width;

		if (f->a == f->end) {
			w.n--;
			continue;
		}
		*to = *f->a++;
		f->b = to + 1;
		to->room = 0;
		if (!walk_has_kids(to)) {
			ok = !bytes || copy_bytes(a, to);
			continue;
		}
		width = walk_width(to);
		src = to->kids;
		to->kids = arena_alloc_raw(a, width * sizeof(struct doc), 16);
		ok = to->kids != NULL;
		if (ok)
			walk_push(&w, (struct walk_frame){
					      .a = src, .end = src + width, .b = to->kids });
	}
	walk_fini(&w);
	return ok;
}

struct doc *doc_copy(struct arena *a, const struct doc *src)
{
	struct doc *d = doc_new(a, doc_null());

	return d && src && copy_tree(a, src, d, true) ? d : NULL;
}

struct doc *doc_copy_shared(struct arena *a, const struct doc *src)
{
	struct doc *d = doc_new(a, doc_null());

	return d && src && copy_tree(a, src, d, false) ? d : NULL;
}

size_t doc_size(const struct doc *d, size_t limit)
{
	struct walk w;
	size_t total = 0;

	walk_init(&w);
	walk_push(&w, (struct walk_frame){ .a = d, .end = d + 1 });
	while (w.n && total <= limit) {
		struct walk_frame *f = walk_top(&w);

		if (f->a == f->end) {
			w.n--;
			continue;
		}
		d = f->a++;
		total += sizeof(*d);
		if (walk_has_kids(d))
			walk_push(&w, (struct walk_frame){ .a = d->kids,
							   .end = d->kids + walk_width(d) });
		else if (d->type == DOC_STRING || d->type == DOC_NUMBER)
			total += (size_t)d->n + 1;
	}
	walk_fini(&w);
	return total;
}

/* Everything but the children. */
static bool same_head(const struct doc *a, const struct doc *b)
{
	if (a->type != b->type)
		return false;
	if (a->type == DOC_NUMBER)
		return doc_number_cmp(a, b) == 0;
	if (a->n != b->n)
		return false;
	return a->type != DOC_STRING || a->n == 0 || memcmp(a->s, b->s, a->n) == 0;
}

/*
 * Pushes the members' values beside their peers; keys without a peer make the objects differ. Keys
 * are unique, so equal counts and a peer for each is enough. Most objects agree in order: that
 * place is tried before the index.
 */
static bool push_members(struct walk *w, const struct doc *a, const struct doc *b)
{
	struct index x = { 0 };
	bool ok = true, indexed = false;

	for (uint32_t i = 0; ok && i < a->n; i++) {
		const struct doc *key = doc_key_at(a, i), *value = key + 1;
		const struct doc *peer = doc_value_at(b, i);

		if (!same_head(key, peer - 1)) {
			if (!indexed)
				index_init(&x, b);
			indexed = true;
			peer = index_get(&x, key);
		}
		ok = peer && same_head(value, peer);
		if (ok && walk_has_kids(value))
			walk_push(w,
				  (struct walk_frame){ .a = value, .end = value + 1, .b = peer });
	}
	index_fini(&x);
	return ok;
}

bool doc_equal(const struct doc *a, const struct doc *b)
{
	struct walk w;
	bool ok;

	if (!a || !b)
		return a == b;
	walk_init(&w);
	walk_push(&w, (struct walk_frame){ .a = a, .end = a + 1, .b = b });
	for (ok = true; ok && w.n;) {
		struct walk_frame *f = walk_top(&w);

		if (f->a == f->end) {
			w.n--;
			continue;
		}
		a = f->a++;
		b = f->b;
		f->b = b + 1;
		ok = same_head(a, b);
		if (!ok || !walk_has_kids(a) || a->kids == b->kids)
			continue;
		if (a->type == DOC_OBJECT)
			ok = push_members(&w, a, b);
		else
			walk_push(&w, (struct walk_frame){
					      .a = a->kids, .end = a->kids + a->n, .b = b->kids });
	}
	walk_fini(&w);
	return ok;
}
