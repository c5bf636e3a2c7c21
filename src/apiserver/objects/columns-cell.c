/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/objects/columns-cell.h"

#include "api/selector.h"
#include "apiserver/objects/columns.h"
#include "base/arena.h"
#include "base/err.h"
#include "doc/doc.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- reading ---- */

struct slice cell_get(const struct doc *d, const char *path)
{
	return doc_slice(doc_find(d, path));
}

int64_t cell_get_int(const struct doc *d, const char *path)
{
	int64_t v = 0;

	(void)doc_int64(doc_find(d, path), &v); /* absent is 0 */
	return v;
}

bool cell_is_set(const struct doc *d, const char *path)
{
	const struct doc *v = doc_find(d, path);

	return v && v->type != DOC_NULL;
}

const struct doc *cell_condition(const struct doc *list, const char *type)
{
	DOC_EACH (it, list)
		if (doc_str_is(doc_get(it, "type"), type))
			return it;
	return NULL;
}

bool cell_condition_true(const struct doc *list, const char *type)
{
	return doc_str_is(doc_get(cell_condition(list, type), "status"), "True");
}

int64_t cell_time(const struct doc *moment)
{
	struct slice s = doc_slice(moment);
	int64_t ns = CLOCK_ZERO;

	if (s.n == 0)
		return CLOCK_ZERO;
	if (clock_parse_rfc3339(s, &ns, NULL) == 0)
		return ns;
	/* Far from now on either side: Go's durations end there too. */
	return s.n >= 4 && memcmp(s.p, "1970", 4) < 0 ? INT64_MIN + 1 : INT64_MAX;
}

const char *cell_since(const struct cells *c, int64_t moment, char *out)
{
	__int128 d = (__int128)c->now * NS_PER_SEC - moment;

	if (moment == CLOCK_ZERO)
		return CELL_UNKNOWN;
	d = d > INT64_MAX ? INT64_MAX : d < INT64_MIN ? INT64_MIN : d;
	return columns_age((int64_t)d / NS_PER_SEC, out, 32);
}

/* ---- cells ---- */

static void add(struct cells *c, struct doc d)
{
	(void)doc_append(c->a, c->out, d); /* the arena tells at the end */
}

void cell_text(struct cells *c, struct slice s)
{
	add(c, doc_strn(c->a, s.n ? s.p : "", s.n));
}

void cell_word(struct cells *c, const char *s)
{
	cell_text(c, slice_str(s));
}

void cell_printf(struct cells *c, const char *fmt, ...)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(CELL_MAX);
	va_list ap;

	va_start(ap, fmt);
	(void)buf_addv(&b, fmt, ap); /* cell_buf looks at full */
	va_end(ap);
	cell_buf(c, &b, NULL);
}

void cell_or(struct cells *c, struct slice s, const char *other)
{
	cell_text(c, s.n || !other ? s : slice_str(other));
}

void cell_buf(struct cells *c, const struct buf *b, const char *other)
{
	cell_or(c, buf_slice(b), other);
}

void cell_path(struct cells *c, const char *path)
{
	cell_text(c, cell_get(c->obj, path));
}

void cell_path_or(struct cells *c, const char *path, const char *other)
{
	if (cell_is_set(c->obj, path))
		cell_path(c, path);
	else
		cell_word(c, other);
}

void cell_int(struct cells *c, int64_t v)
{
	add(c, doc_int(c->a, v));
}

void cell_number(struct cells *c, const char *path)
{
	cell_int(c, cell_get_int(c->obj, path));
}

void cell_count(struct cells *c, const char *path)
{
	cell_int(c, (int64_t)doc_len(doc_find(c->obj, path)));
}

void cell_bool(struct cells *c, const char *path)
{
	add(c, doc_bool(doc_true(doc_find(c->obj, path))));
}

void cell_name(struct cells *c)
{
	cell_path(c, "metadata.name");
}

void cell_age(struct cells *c)
{
	char out[32];

	cell_word(c, cell_since(c, cell_time(doc_find(c->obj, "metadata.creationTimestamp")), out));
}

/* ---- of several kinds ---- */

static int cmp_slices(const void *a, const void *b)
{
	return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

size_t cell_sort(struct slice *v, size_t n)
{
	size_t m = 0;

	qsort(v, n, sizeof(*v), cmp_slices);
	for (size_t i = 0; i < n; i++)
		if (m == 0 || cmp_slices(&v[m - 1], &v[i]) != 0)
			v[m++] = v[i];
	return m;
}

void cell_lower(struct buf *b)
{
	for (size_t i = 0; i < b->n; i++)
		if (b->p[i] >= 'A' && b->p[i] <= 'Z')
			b->p[i] = (char)(b->p[i] - 'A' + 'a');
}

struct slice *cell_keys(struct cells *c, const struct doc *map, size_t *ret_n)
{
	struct slice *keys = arena_alloc(c->a, (doc_len(map) + 1) * sizeof(*keys));
	size_t n = 0;

	*ret_n = 0;
	if (!keys)
		return NULL;
	DOC_EACH_MEMBER (key, value, map)
		if (value)
			keys[n++] = doc_slice(key);
	*ret_n = cell_sort(keys, n);
	return keys;
}

void cell_labels(struct cells *c, const struct doc *labels)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(CELL_MAX);
	size_t n;
	struct slice *keys = cell_keys(c, labels, &n);

	for (size_t i = 0; i < n; i++) {
		struct slice v = doc_slice(doc_getn(labels, keys[i]));

		(void)buf_addf(&b, "%s%.*s=%.*s", i ? "," : "", (int)keys[i].n, keys[i].p, (int)v.n,
			       v.n ? v.p : "");
	}
	cell_buf(c, &b, CELL_NONE);
}

bool cell_print_selector(struct cells *c, const struct doc *selector, struct buf *out)
{
	struct selector s;
	bool none = false;

	if (selector_object(selector, c->a, &s, &none, NULL) < 0)
		return false;
	return none || selector_print(&s, out) == 0;
}

void cell_selector(struct cells *c, const struct doc *selector)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(CELL_MAX);

	if (cell_print_selector(c, selector, &b))
		cell_buf(c, &b, CELL_NONE);
	else
		cell_word(c, "<error>");
}

void cell_join(struct buf *b, const struct doc *list, const char *member, const char *comma)
{
	DOC_EACH (it, list) {
		struct slice s = doc_slice(member ? doc_get(it, member) : it);

		if (it != list->kids)
			(void)buf_adds(b, comma);
		(void)buf_add(b, s.p, s.n);
	}
}

static void join_cell(struct cells *c, const struct doc *list, const char *member)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(CELL_MAX);

	cell_join(&b, list, member, ",");
	cell_buf(c, &b, NULL);
}

void cell_containers(struct cells *c, const struct doc *containers)
{
	join_cell(c, containers, "name");
	join_cell(c, containers, "image");
}

void cell_access_modes(struct cells *c, const struct doc *list)
{
	static const char *const modes[][2] = { { "ReadWriteOnce", "RWO" },
						{ "ReadOnlyMany", "ROX" },
						{ "ReadWriteMany", "RWX" },
						{ "ReadWriteOncePod", "RWOP" } };
	CLEANUP(buf_fini) struct buf b = BUF_INIT(64);

	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		bool has = false;

		DOC_EACH (it, list)
			has |= doc_str_is(it, modes[i][0]);
		if (has)
			(void)buf_addf(&b, "%s%s", b.n ? "," : "", modes[i][1]);
	}
	cell_buf(c, &b, NULL);
}
