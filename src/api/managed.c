/* SPDX-License-Identifier: Apache-2.0 */
#include "api/managed.h"

#include "api/fields.h"
#include "base/arena.h"
#include "base/err.h"
#include "doc/schema.h"

#include <stdlib.h>

/* ---- entries ---- */

struct managed_entry *managed_find(const struct managed *m, const char *manager, bool applied,
				   const char *api_version, const char *subresource)
{
	for (size_t i = 0; i < m->n; i++) {
		struct managed_entry *e = &m->v[i];

		if (e->applied == applied && strcmp(e->manager, manager) == 0 &&
		    strcmp(e->subresource, subresource) == 0 &&
		    (applied || strcmp(e->api_version, api_version) == 0))
			return e;
	}
	return NULL;
}

struct managed_entry *managed_add(struct managed *m, const char *manager, bool applied,
				  const char *api_version, const char *subresource, struct arena *a)
{
	struct managed_entry *e;

	if (m->n == m->cap) {
		size_t cap = m->cap ? 2 * m->cap : 8;
		struct managed_entry *v =
			arena_grow(a, m->v, m->cap * sizeof(*v), cap * sizeof(*v));

		if (!v)
			return NULL;
		m->v = v;
		m->cap = cap;
	}
	e = &m->v[m->n++];
	*e = (struct managed_entry){ .manager = manager,
				     .applied = applied,
				     .api_version = api_version,
				     .subresource = subresource,
				     .set = doc_object() };
	return e;
}

void managed_remove(struct managed *m, struct managed_entry *e)
{
	*e = m->v[--m->n];
}

void managed_touch(struct managed_entry *e, const char *time)
{
	struct schema_time t = { 0 };

	e->time = time;
	e->sec = time && schema_parse_time(slice_str(time), &t, NULL) == 0 ? t.sec : 0;
}

/* ---- reading ---- */

/* A member that is a string or absent. */
static int word_of(const struct doc *entry, const char *key, struct arena *a, const char **ret,
		   struct err *err)
{
	const struct doc *d = doc_get(entry, key);

	*ret = "";
	if (!d || d->type == DOC_NULL)
		return 0;
	*ret = doc_cstr(a, d);
	if (!*ret)
		return err_set(err, arena_exceeded(a) ? ERR_QUOTA : ERR_INVALID,
			       "%s of an entry of managedFields is no string", key);
	return 0;
}

static int bad_entry(struct err *err, const char *what, size_t i)
{
	return err_set(err, ERR_INVALID, "%s in managed fields entry %zu", what, i);
}

static int check_words(const struct managed_entry *e, const char *operation, const char *type,
		       size_t i, struct err *err)
{
	if (strcmp(operation, "Apply") != 0 && strcmp(operation, "Update") != 0)
		return bad_entry(err, "operation must be `Apply` or `Update`", i);
	if (!*e->api_version)
		return bad_entry(err, "apiVersion must not be empty", i);
	if (!*type)
		return bad_entry(err, "missing fieldsType", i);
	if (strcmp(type, "FieldsV1") != 0)
		return bad_entry(err, "invalid fieldsType", i);
	return 0;
}

static int read_entry(const struct doc *d, size_t i, struct arena *a, struct managed *m,
		      struct err *err)
{
	struct managed_entry e = { .set = doc_object() }, *to;
	const char *operation = "", *type = "", *time = "";
	const struct doc *fields = doc_get(d, "fieldsV1");
	int r = d->type == DOC_OBJECT ? 0 : bad_entry(err, "no object", i);

	if (r == 0)
		r = word_of(d, "manager", a, &e.manager, err);
	if (r == 0)
		r = word_of(d, "operation", a, &operation, err);
	if (r == 0)
		r = word_of(d, "apiVersion", a, &e.api_version, err);
	if (r == 0)
		r = word_of(d, "subresource", a, &e.subresource, err);
	if (r == 0)
		r = word_of(d, "fieldsType", a, &type, err);
	if (r == 0)
		r = word_of(d, "time", a, &time, err);
	if (r == 0)
		r = check_words(&e, operation, type, i, err);
	if (r == 0 && fields)
		r = fields_read(fields, a, &e.set, err);
	if (r < 0)
		return r;
	e.applied = strcmp(operation, "Apply") == 0;
	managed_touch(&e, *time ? time : NULL);
	to = managed_find(m, e.manager, e.applied, e.api_version, e.subresource);
	if (!to)
		to = managed_add(m, e.manager, e.applied, e.api_version, e.subresource, a);
	if (!to)
		return arena_quota(a, err);
	*to = e;
	return 0;
}

int managed_read(const struct doc *list, struct arena *a, struct managed *ret, struct err *err)
{
	size_t i = 0;

	*ret = (struct managed){ 0 };
	if (list && list->type != DOC_ARRAY && list->type != DOC_NULL)
		return err_set(err, ERR_INVALID, "metadata.managedFields is no list");
	if (doc_len(list) > MANAGED_MAX)
		return err_set(err, ERR_TOO_LARGE,
			       "metadata.managedFields has more than %d entries", MANAGED_MAX);
	DOC_EACH (d, list) {
		int r = read_entry(d, i++, a, ret, err);

		if (r < 0)
			return r;
	}
	return 0;
}

bool managed_clears(const struct doc *list)
{
	const struct doc *first = doc_at(list, 0);

	if (!doc_is(list, DOC_ARRAY) || list->n > 1)
		return false;
	return list->n == 0 || (first->type == DOC_OBJECT && first->n == 0);
}

/* ---- writing ---- */

static int cmp_entries(const void *a, const void *b)
{
	const struct managed_entry *x = a, *y = b;
	int c;

	if (x->applied != y->applied)
		return x->applied ? -1 : 1;
	if (x->sec != y->sec)
		return x->sec < y->sec ? -1 : 1;
	c = strcmp(x->manager, y->manager);
	if (c == 0)
		c = strcmp(x->api_version, y->api_version);
	return c ? c : strcmp(x->subresource, y->subresource);
}

struct doc managed_write(struct managed *m, struct arena *a)
{
	struct doc list = doc_array();

	if (m->n > 1)
		qsort(m->v, m->n, sizeof(*m->v), cmp_entries);
	for (size_t i = 0; i < m->n; i++) {
		const struct managed_entry *e = &m->v[i];
		struct doc *d = doc_append_object(a, &list);

		if (*e->manager)
			doc_set_str(a, d, "manager", e->manager);
		doc_set(a, d, "operation", e->applied ? DOC_LIT("Apply") : DOC_LIT("Update"));
		doc_set_str(a, d, "apiVersion", e->api_version);
		if (e->time)
			doc_set_str(a, d, "time", e->time);
		doc_set(a, d, "fieldsType", DOC_LIT("FieldsV1"));
		doc_set(a, d, "fieldsV1", e->set);
		if (*e->subresource)
			doc_set_str(a, d, "subresource", e->subresource);
	}
	return list;
}

static bool same_entry(const struct doc *x, const struct doc *y)
{
	size_t nx = 0, ny = 0;

	DOC_EACH_MEMBER (yk, yv, y)
		ny += yv->type != DOC_NULL && !doc_str_is(yk, "time");
	DOC_EACH_MEMBER (key, value, x) {
		const struct doc *other;

		if (value->type == DOC_NULL || doc_str_is(key, "time"))
			continue;
		nx++;
		other = doc_getn(y, doc_slice(key));
		if (!other || !doc_equal(value, other))
			return false;
	}
	return nx == ny;
}

bool managed_same(const struct doc *x, const struct doc *y)
{
	if (doc_len(x) != doc_len(y) || doc_len(x) > MANAGED_MAX)
		return false;
	/* times are part of the order, so an entry may stand elsewhere in the other list */
	DOC_EACH (d, x) {
		bool found = false;

		DOC_EACH (e, y)
			found = found || same_entry(d, e);
		if (!found)
			return false;
	}
	return true;
}

/* ---- too many updates ---- */

static int cmp_old(const void *a, const void *b)
{
	const struct managed_entry *x = a, *y = b;
	int c;

	if (x->applied != y->applied) /* updates first */
		return x->applied ? 1 : -1;
	if (x->sec != y->sec)
		return x->sec < y->sec ? -1 : 1;
	c = strcmp(x->manager, y->manager);
	if (c == 0)
		c = strcmp(x->api_version, y->api_version);
	return c ? c : strcmp(x->subresource, y->subresource);
}

/* Where v[i] goes: to the ancient changes of its version, or to the oldest that is still there. */
static struct managed_entry *bucket(struct managed *m, size_t i, size_t updates)
{
	const char *version = m->v[i].api_version;
	struct managed_entry *oldest = NULL;

	for (size_t j = 0; j < updates; j++) {
		struct managed_entry *e = &m->v[j];

		if (!e->manager || strcmp(e->api_version, version) != 0)
			continue;
		if (strcmp(e->manager, MANAGED_ANCIENT) == 0 && !*e->subresource)
			return j == i ? NULL : e;
		if (!oldest && j < i)
			oldest = e;
	}
	return oldest;
}

/* The oldest of a version waits for the next of it: only then is it folded. */
void managed_fold(struct managed *m, struct arena *a)
{
	size_t updates = 0, n = 0;

	for (size_t i = 0; i < m->n; i++)
		updates += !m->v[i].applied;
	if (updates <= MANAGED_UPDATES_MAX)
		return;
	qsort(m->v, m->n, sizeof(*m->v), cmp_old);
	for (size_t i = 0, left = updates; i < updates && left > MANAGED_UPDATES_MAX; i++) {
		struct managed_entry *e = &m->v[i], *to = bucket(m, i, updates);

		if (!to)
			continue;
		to->set = fields_join(FIELDS_UNION, &e->set, &to->set, a);
		to->manager = MANAGED_ANCIENT;
		to->subresource = "";
		if (e->sec >= to->sec) {
			to->time = e->time;
			to->sec = e->sec;
		}
		e->manager = NULL;
		left--;
	}
	for (size_t i = 0; i < m->n; i++)
		if (m->v[i].manager)
			m->v[n++] = m->v[i];
	m->n = n;
}
