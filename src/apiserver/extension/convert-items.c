/* SPDX-License-Identifier: Apache-2.0 */
/* Items in another version: those that are known, and those that several wait for together. */
#include "apiserver/extension/convert-private.h"
#include "apiserver/objects/cache-private.h"
#include "apiserver/objects/codec.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORMS_FROM 256 /* ids below are the codec's */
#define OBJECT_MAX (64u << 20)

struct convert_flight {
	struct converter *cv;
	struct list waiters; /* struct convert_items: those that want all of it */
	struct convert_job job;
	struct item **items; /* referenced */
	struct slice *json;
	char key[40]; /* of the map; "" = of a batch */
	bool over;
};

/* ---- what is known ---- */

static uint32_t form_of(const struct api_kind *to)
{
	return FORMS_FROM + to->custom->form;
}

/* Where selectable fields are in that version. Borrowed until the next one. */
static struct shape *shape_of(struct converter *cv, const struct api_kind *to)
{
	if (!cv->shape || cv->form != form_of(to)) {
		shape_unref(cv->shape);
		cv->shape = shape_new(to);
		cv->form = form_of(to);
	}
	return cv->shape;
}

void convert_shapes_fini(struct converter *cv)
{
	shape_unref(STEAL(cv->shape));
}

static int make_item(struct item *i, struct shape *s, struct slice json, struct item **ret,
		     struct err *err)
{
	return item_make(s, item_key(i), json, item_revision(i), ret, err);
}

struct item *convert_known(struct converter *cv, struct item *i, const struct api_kind *to)
{
	struct slice json;
	struct item *made = NULL;

	if (codec_is_in(i, to))
		return item_ref(i);
	json = item_form(cv->world, i, form_of(to));
	if (!json.n)
		return NULL;
	return make_item(i, shape_of(cv, to), json, &made, NULL) == 0 ? made : NULL;
}

/* ---- what is asked for ---- */

static void flight_free(struct convert_flight *f)
{
	if (*f->key)
		(void)map_del(&f->cv->flights, slice_str(f->key));
	convert_cancel(&f->job);
	for (size_t i = 0; i < f->job.n; i++)
		item_unref(f->items[i]);
	free(f->items);
	free(f->json);
	free(f);
}

static void leave(struct convert_items *k)
{
	list_del(&k->link);
	k->flight = NULL;
	free(STEAL(k->places));
}

void convert_items_cancel(struct convert_items *k)
{
	struct convert_flight *f = k->flight;

	if (!f)
		return;
	leave(k);
	if (list_empty(&f->waiters) && !f->over)
		flight_free(f);
}

/* All or none of them: made[i] of f->items[i]. */
static int make_all(struct convert_flight *f, const struct doc *objects, struct item **made,
		    struct err *err)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT(OBJECT_MAX);
	struct shape *s = shape_of(f->cv, f->job.to);
	int r = 0;

	for (size_t i = 0; r == 0 && i < f->job.n; i++) {
		buf_clear(&text);
		r = codec_store(&objects[i], &text, err);
		if (r == 0)
			r = make_item(f->items[i], s, buf_slice(&text), &made[i], err);
		if (r == 0)
			(void)item_keep_form(f->cv->world, f->items[i], form_of(f->job.to),
					     buf_slice(&text));
	}
	return r < 0 ? err_set(err, ERR_SYSTEM, "a converted object cannot be kept") : 0;
}

static void give(struct convert_items *k, struct item *const *made, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct item **at = &k->v[k->places[i]];

		item_unref(*at);
		*at = item_ref(made[i]);
	}
}

static void on_converted(struct convert_job *j, int result, const struct doc *objects,
			 struct err *err)
{
	struct convert_flight *f = CONTAINER_OF(j, struct convert_flight, job);
	struct item **made = calloc(j->n, sizeof(struct item *));
	const struct err why = *err;
	struct convert_items *k;

	assert(made);
	f->over = true;
	if (*f->key) { /* who comes from now on finds the form, or asks again */
		(void)map_del(&f->cv->flights, slice_str(f->key));
		f->key[0] = '\0';
	}
	if (result == 0)
		result = make_all(f, objects, made, err);
	else
		*err = why;
	while ((k = LIST_FIRST(&f->waiters, struct convert_items, link))) {
		struct err each = *err;

		if (result == 0)
			give(k, made, j->n);
		leave(k);
		k->done(k, result, &each);
	}
	for (size_t i = 0; i < j->n; i++)
		item_unref(made[i]);
	free(made);
	flight_free(f);
}

static struct convert_flight *flight_new(struct converter *cv, struct convert_items *k, size_t n)
{
	struct convert_flight *f = calloc(1, sizeof(*f));

	assert(f);
	f->cv = cv;
	list_init(&f->waiters);
	f->items = calloc(n, sizeof(struct item *));
	f->json = calloc(n, sizeof(struct slice));
	assert(f->items && f->json);
	for (size_t i = 0; i < n; i++) {
		f->items[i] = item_ref(k->v[k->places[i]]);
		f->json[i] = item_json(f->items[i]);
	}
	f->job = (struct convert_job){
		.to = k->to, .list = k->n > 1, .objects = f->json, .n = n, .done = on_converted
	};
	return f;
}

/* A single item may be on its way already. */
static struct convert_flight *flight_of(struct converter *cv, struct convert_items *k, size_t n)
{
	struct convert_flight *f;
	char key[sizeof(f->key)] = "";

	if (k->n == 1) {
		(void)snprintf(key, sizeof(key), "%p %u", (void *)k->v[0], form_of(k->to));
		f = map_get(&cv->flights, slice_str(key));
		if (f)
			return f;
	}
	f = flight_new(cv, k, n);
	memcpy(f->key, key, sizeof(key));
	if (*key)
		(void)map_put(&cv->flights, slice_str(f->key), f);
	convert_ask(cv, &f->job);
	return f;
}

int convert_items(struct converter *cv, struct convert_items *k)
{
	size_t n = 0;

	k->flight = NULL;
	k->places = calloc(k->n + 1, sizeof(size_t));
	assert(k->places);
	for (size_t i = 0; i < k->n; i++) {
		struct item *known = convert_known(cv, k->v[i], k->to);

		if (!known) {
			k->places[n++] = i;
			continue;
		}
		item_unref(k->v[i]);
		k->v[i] = known;
	}
	if (n == 0) {
		free(STEAL(k->places));
		return 1;
	}
	k->flight = flight_of(cv, k, n);
	list_append(&k->flight->waiters, &k->link);
	return 0;
}
