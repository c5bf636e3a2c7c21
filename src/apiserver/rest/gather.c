/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/rest/gather.h"

#include "apiserver/rest/call.h"

#include <stdlib.h>

#define LOOK_MAX 2048	       /* items looked at before others have their turn */
#define BYTES_MAX (512u << 20) /* of what is kept */

/* ---- selectors ---- */

static bool is_fixed(const struct selector_term *t)
{
	return slice_is(t->key, "metadata.name") || slice_is(t->key, "metadata.namespace");
}

bool gather_selects(struct call *c, struct selector *ret)
{
	const struct selector *s = &c->q.fields;
	struct selector_term *terms = ARENA_ARRAY(c->a, struct selector_term, s->n);
	size_t n = 0;

	*ret = (struct selector){ NULL, 0 };
	if (!custom_webhook(c->resource->kind))
		return false;
	for (size_t i = 0; terms && i < s->n; i++)
		if (is_fixed(&s->terms[i]))
			terms[n++] = s->terms[i];
	*ret = (struct selector){ terms, n };
	return c->q.labels.n || n < s->n;
}

/* ---- what is kept ---- */

static int room(struct gather *g, struct err *err)
{
	size_t cap = g->cap * 2 + CONVERT_BATCH_N;
	struct item **v;

	if (g->n < g->cap)
		return 0;
	v = reallocarray(g->v, cap, sizeof(struct item *));
	if (!v)
		return err_set(err, ERR_QUOTA, "no memory for the list");
	g->v = v;
	g->cap = cap;
	return 0;
}

static void drop_from(struct gather *g, size_t n)
{
	while (g->n > n)
		item_unref(g->v[--g->n]);
}

/* Those of the batch that are wanted stay. */
static int keep_batch(struct gather *g, struct err *err)
{
	const struct api_query *q = &g->call->q;
	size_t n = g->first;

	for (size_t i = g->first; i < g->n; i++) {
		struct item *it = g->v[i];

		if (g->selects && !item_match(it, &q->labels, &q->fields)) {
			item_unref(it);
			continue;
		}
		g->bytes += item_json(it).n;
		g->v[n++] = it;
	}
	g->n = n;
	if (g->limit && g->n > (size_t)g->limit) {
		drop_from(g, (size_t)g->limit);
		g->more = true;
	}
	if (g->bytes <= BYTES_MAX)
		return 0;
	return err_set(err, ERR_TOO_LARGE,
		       "the list takes more than %u bytes: ask for it in pages (limit)", BYTES_MAX);
}

/* ---- batches ---- */

static void kept(struct gather *g)
{
	struct err err = ERR_INIT;
	int r = keep_batch(g, &err);

	if (r < 0)
		g->done(g, r, &err);
	else
		deferred_call(&g->again);
}

static void on_batch(struct convert_items *k, int result, struct err *err)
{
	struct gather *g = CONTAINER_OF(k, struct gather, batch);
	CLEANUP(call_drop) struct call *held = call_hold(g->call);

	if (result == 0) {
		kept(g);
		return;
	}
	held->about.reason = STATUS_UNKNOWN;
	g->done(g, result, err);
}

static bool full(const struct gather *g)
{
	return g->limit && g->n >= (size_t)g->limit;
}

/* The next ones of the view, as they are stored. */
static int take(struct gather *g, size_t *budget, struct err *err)
{
	size_t bytes = 0;
	struct item *i;
	int r = 0;

	g->first = g->n;
	while (r == 0 && *budget > 0 && g->n - g->first < CONVERT_BATCH_N &&
	       bytes < CONVERT_BATCH && (g->selects || !full(g)) && (i = cache_iter_next(&g->it))) {
		--*budget;
		if (!item_match(i, NULL, &g->fixed))
			continue;
		r = room(g, err);
		if (r < 0)
			break;
		g->v[g->n++] = item_ref(i);
		bytes += item_json(i).n;
	}
	return r;
}

static void step(struct gather *g)
{
	struct err err = ERR_INIT;
	size_t budget = LOOK_MAX;
	int r = 0;

	g->first = g->n;
	if (full(g))
		g->more |= cache_iter_left(&g->it) > 0;
	else
		r = take(g, &budget, &err);
	if (r < 0 || (g->n == g->first && budget > 0)) {
		g->done(g, r, &err);
		return;
	}
	g->batch = (struct convert_items){ .to = g->call->resource->kind,
					   .v = g->v + g->first,
					   .n = g->n - g->first,
					   .done = on_batch };
	if (convert_items(g->call->srv->converter, &g->batch) == 1)
		kept(g);
}

static void again(struct deferred *d)
{
	struct gather *g = CONTAINER_OF(d, struct gather, again);
	CLEANUP(call_drop) struct call *held = call_hold(g->call);

	(void)held;
	step(g);
}

void gather_begin(struct gather *g)
{
	g->selects = gather_selects(g->call, &g->fixed);
	g->n = g->cap = g->bytes = 0;
	g->v = NULL;
	g->more = false;
	cache_iter_init(&g->it, g->view, g->prefix, g->from);
	deferred_init(&g->again, g->call->srv->conf.loop, again);
	deferred_call(&g->again);
}

struct item **gather_take(struct gather *g, size_t *ret_n)
{
	*ret_n = g->n;
	g->n = g->cap = 0;
	return STEAL(g->v);
}

void gather_fini(struct gather *g)
{
	if (!g->call)
		return;
	convert_items_cancel(&g->batch);
	deferred_fini(&g->again);
	drop_from(g, 0);
	free(STEAL(g->v));
	g->call = NULL;
}
