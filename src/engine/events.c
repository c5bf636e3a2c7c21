/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events: a bounded ring that answers `since`, and watchers that are called as they happen.
 * An event owns one heap block with all its texts; the oldest is freed when the ring is full.
 */
#include "engine/private.h"

struct event_slot {
	struct event ev;
	void *block;
};

int events_init(struct engine *e)
{
	e->ring_size = e->conf.event_ring ? e->conf.event_ring : 1024;
	e->ring = calloc(e->ring_size, sizeof(*e->ring));
	list_init(&e->event_watchers);
	if (!e->ring)
		abort();
	return 0;
}

void events_fini(struct engine *e)
{
	for (uint64_t i = 0; e->ring && i < e->ring_size; i++)
		free(e->ring[i].block);
	free(e->ring);
	e->ring = NULL;
}

static const char *put(char **p, const char *s)
{
	char *at = *p;
	size_t n = strlen(s) + 1;

	memcpy(at, s, n);
	*p += n;
	return at;
}

void engine_event(struct engine *e, const char *type, const char *action, const char *id,
		  const struct event_attr *attrs, size_t n)
{
	struct event_slot *slot = &e->ring[e->event_seq % e->ring_size];
	size_t need = n * sizeof(*attrs) + strlen(type) + strlen(action) + strlen(id) + 3;
	struct event_watch *w;
	struct event_attr *copy;
	char *p;

	for (size_t i = 0; i < n; i++)
		need += strlen(attrs[i].key) + strlen(attrs[i].value) + 2;
	free(slot->block);
	slot->block = malloc(need);
	if (!slot->block)
		abort(); /* true out of memory: state on disk is whole */
	copy = slot->block;
	p = (char *)(copy + n);
	slot->ev = (struct event){
		.seq = ++e->event_seq, .time = clock_real(), .attrs = copy, .nattrs = n
	};
	slot->ev.type = put(&p, type);
	slot->ev.action = put(&p, action);
	slot->ev.id = put(&p, id);
	for (size_t i = 0; i < n; i++) {
		copy[i].key = put(&p, attrs[i].key);
		copy[i].value = put(&p, attrs[i].value);
	}
	LIST_FOREACH (w, &e->event_watchers, struct event_watch, link)
		w->fn(w, &slot->ev);
}

void engine_events_watch(struct engine *e, struct event_watch *w)
{
	list_append(&e->event_watchers, &w->link);
}

void engine_events_unwatch(struct event_watch *w)
{
	if (w->link.next)
		list_del(&w->link);
}

void engine_events_replay(struct engine *e, int64_t since,
			  void (*fn)(void *arg, const struct event *ev), void *arg)
{
	uint64_t n = MIN(e->event_seq, e->ring_size);

	for (uint64_t i = e->event_seq - n; i < e->event_seq; i++) {
		const struct event *ev = &e->ring[i % e->ring_size].ev;

		if (ev->time >= since)
			fn(arg, ev);
	}
}
