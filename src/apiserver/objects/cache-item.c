/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Items: one allocation with header, places of fields, key and JSON; and their other forms, which
 * go when the world's budget is reached, the ones that were not asked for longest first.
 */
#include "apiserver/objects/cache-private.h"

#include "base/err.h"

#include <assert.h>
#include <malloc.h>
#include <stdio.h>

struct item *item_ref(struct item *i)
{
	i->refs++;
	return i;
}

static void form_free(struct item_form *f)
{
	f->world->forms_bytes -= sizeof(*f) + f->n;
	list_del(&f->link);
	free(f);
}

void item_unref(struct item *i)
{
	if (!i || --i->refs)
		return;
	for (struct item_form *f = i->forms, *next; f; f = next) {
		next = f->next;
		form_free(f);
	}
	shape_unref(i->shape);
	free(i);
}

/* ---- making ---- */

static struct item *item_new(struct shape *s, struct slice key, size_t njson, int64_t revision)
{
	struct item *i;
	const char *slash;
	char *p;

	i = malloc(sizeof(*i) + s->nslots * sizeof(i->fields[0]) + key.n + njson);
	if (!i)
		abort();
	slash = s->namespaced && key.n ? memchr(key.p, '/', key.n) : NULL;
	*i = (struct item){ .refs = 1,
			    .njson = (uint32_t)njson,
			    .revision = revision,
			    .shape = shape_ref(s),
			    .nkey = (uint16_t)key.n,
			    .nspace = slash ? (uint16_t)(slash - key.p) : 0 };
	p = (char *)(uintptr_t)item_bytes(i);
	if (key.n)
		memcpy(p, key.p, key.n);
	return i;
}

static char *json_of(struct item *i)
{
	return (char *)(uintptr_t)item_bytes(i) + i->nkey;
}

/* Places behind `at` move by so much. */
static void shift(struct item *i, uint32_t at, uint32_t by)
{
	if (i->labels > at)
		i->labels += by;
	for (unsigned k = 0; k < i->shape->nslots; k++)
		if (i->fields[k].at > at)
			i->fields[k].at += by;
}

static char *put(char *p, const char *from, size_t n)
{
	memcpy(p, from, n);
	return p + n;
}

int item_make(struct shape *s, struct slice key, struct slice stored, int64_t revision,
	      struct item **ret, struct err *err)
{
	struct scan scan __attribute__((uninitialized));
	size_t ndigits, nbefore, nafter, added;
	char digits[24], *p;
	struct item *i;
	int r;

	r = shape_scan(s, stored, &scan, err);
	if (r < 0)
		return r;
	ndigits = (size_t)snprintf(digits, sizeof(digits), "%lld", (long long)revision);
	nbefore = strlen(scan.before);
	nafter = strlen(scan.after);
	added = nbefore + ndigits + nafter;
	i = item_new(s, key, stored.n + added - scan.cut, revision);
	i->labels = scan.labels;
	i->nlabels = scan.nlabels;
	memcpy(i->fields, scan.fields, s->nslots * sizeof(i->fields[0]));
	/* A member that resourceVersion goes before begins at `at`: its value is behind. */
	shift(i, scan.at, (uint32_t)(added - scan.cut));
	p = put(json_of(i), stored.p, scan.at);
	p = put(p, scan.before, nbefore);
	i->at = (uint32_t)(p - json_of(i));
	p = put(p, digits, ndigits);
	p = put(p, scan.after, nafter);
	put(p, stored.p + scan.at + scan.cut, stored.n - scan.at - scan.cut);
	*ret = i;
	return 0;
}

struct item *item_at(const struct item *i, int64_t revision)
{
	char old[24], new[24], *p;
	const size_t nold = (size_t)snprintf(old, sizeof(old), "%lld", (long long)i->revision);
	const size_t nnew = (size_t)snprintf(new, sizeof(new), "%lld", (long long)revision);
	const struct slice json = item_json(i);
	struct item *n = item_new(i->shape, item_key(i), json.n + nnew - nold, revision);

	n->labels = i->labels;
	n->nlabels = i->nlabels;
	n->at = i->at;
	memcpy(n->fields, i->fields, i->shape->nslots * sizeof(i->fields[0]));
	shift(n, i->at, (uint32_t)(nnew - nold));
	p = put(json_of(n), json.p, i->at);
	p = put(p, new, nnew);
	put(p, json.p + i->at + nold, json.n - i->at - nold);
	return n;
}

static size_t item_size(const struct item *i)
{
	return (size_t)(item_bytes(i) - (const char *)i) + i->nkey + i->njson;
}

struct item *item_keep_stored(struct item *i, struct slice stored)
{
	const size_t size = item_size(i);
	const uint32_t n = (uint32_t)stored.n;
	struct item *grown;

	assert(i->refs == 1 && !i->forms && !i->filled);
	grown = realloc(i, size + sizeof(n) + n);
	if (!grown)
		abort();
	memcpy((char *)grown + size, &n, sizeof(n));
	memcpy((char *)grown + size + sizeof(n), stored.p, n);
	grown->filled = 1;
	return grown;
}

struct slice item_stored(const struct item *i)
{
	const char *p = (const char *)i + item_size(i);
	uint32_t n;

	if (!i->filled)
		return item_json(i);
	memcpy(&n, p, sizeof(n));
	return slice_of(p + sizeof(n), n);
}

bool item_is_older(const struct item *i)
{
	return i->filled && !slice_starts(item_stored(i), i->shape->head);
}

bool item_is_as_stored(const struct item *i)
{
	return !i->filled;
}

size_t item_memory(const struct item *i)
{
	return malloc_usable_size((void *)(uintptr_t)i) + sizeof(size_t);
}

/* ---- looking ---- */

struct slice item_key(const struct item *i)
{
	return slice_of(item_bytes(i), i->nkey);
}

struct slice item_namespace(const struct item *i)
{
	return slice_of(item_bytes(i), i->nspace);
}

struct slice item_name(const struct item *i)
{
	const size_t from = i->nspace ? i->nspace + 1u : 0;

	return slice_of(item_bytes(i) + from, i->nkey - from);
}

int64_t item_revision(const struct item *i)
{
	return i->revision;
}

struct slice item_json(const struct item *i)
{
	return slice_of(item_bytes(i) + i->nkey, i->njson);
}

struct slice item_tail(const struct item *i)
{
	const size_t head = i->shape->head.n;

	return slice_of(item_json(i).p + head, i->njson - head);
}

struct slice item_labels(const struct item *i)
{
	return slice_of(item_json(i).p + i->labels, i->nlabels);
}

static struct slice slot_text(const struct item *i, uint8_t slot, bool *ret_escaped)
{
	const struct item_field *f;

	*ret_escaped = false;
	if (slot == SHAPE_NONE || !i->fields[slot].at)
		return (struct slice){ NULL, 0 };
	f = &i->fields[slot];
	*ret_escaped = f->escaped;
	return slice_of(item_json(i).p + f->at, f->n);
}

struct slice item_slot(const struct item *i, const struct shape_field *f, bool *ret_escaped)
{
	struct slice v = slot_text(i, f->slot, ret_escaped);

	if (!v.n && f->other != SHAPE_NONE)
		v = slot_text(i, f->other, ret_escaped);
	return v.p ? v : f->absent;
}

struct slice item_field(const struct item *i, struct slice name, bool *ret_escaped)
{
	const struct shape_field *f;

	*ret_escaped = false;
	if (slice_is(name, "metadata.name"))
		return item_name(i);
	if (slice_is(name, "metadata.namespace"))
		return item_namespace(i);
	f = shape_field(i->shape, name);
	return f ? item_slot(i, f, ret_escaped) : SLICE("");
}

/* ---- other forms ---- */

static struct item_form *find_form(const struct item *i, uint32_t id)
{
	struct item_form *f = i->forms;

	while (f && f->id != id)
		f = f->next;
	return f;
}

struct slice item_form(struct world *w, struct item *i, uint32_t id)
{
	struct item_form *f = find_form(i, id);

	if (!f)
		return (struct slice){ NULL, 0 };
	list_del(&f->link);
	list_append(&w->forms, &f->link);
	return slice_of(f->p, f->n);
}

static void form_drop(struct item_form *f)
{
	struct item_form **at = &f->item->forms;

	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
	form_free(f);
}

struct slice item_keep_form(struct world *w, struct item *i, uint32_t id, struct slice bytes)
{
	struct item_form *f = find_form(i, id);

	if (f) /* the same object: the same bytes */
		return slice_of(f->p, f->n);
	assert(bytes.n <= UINT32_MAX);
	f = malloc(sizeof(*f) + bytes.n);
	if (!f)
		abort();
	*f = (struct item_form){
		.next = i->forms, .item = i, .world = w, .id = id, .n = (uint32_t)bytes.n
	};
	if (bytes.n)
		memcpy(f->p, bytes.p, bytes.n);
	i->forms = f;
	list_append(&w->forms, &f->link);
	w->forms_bytes += sizeof(*f) + f->n;
	if (w->forms_bytes > w->conf.forms_bytes)
		deferred_call(&w->forms_over); /* later: others may be in use in this round */
	return slice_of(f->p, f->n);
}

static void forms_trim(struct deferred *d)
{
	struct world *w = CONTAINER_OF(d, struct world, forms_over);

	while (w->forms_bytes > w->conf.forms_bytes)
		form_drop(LIST_FIRST(&w->forms, struct item_form, link));
}

void forms_init(struct world *w)
{
	list_init(&w->forms);
	deferred_init(&w->forms_over, w->conf.loop, forms_trim);
}

void forms_fini(struct world *w)
{
	struct item_form *f;

	while ((f = LIST_FIRST(&w->forms, struct item_form, link)))
		form_drop(f);
	deferred_fini(&w->forms_over);
}
