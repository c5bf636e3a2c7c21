/* SPDX-License-Identifier: Apache-2.0 */
/*
 * EventRateLimit: how many Events a second are taken, together, of a namespace, of a user, or about
 * the same from the same source. A bucket that nobody has asked for longest is forgotten, and is
 * full when it comes again.
 */
#include "apiserver/admission/admission-private.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/list.h"
#include "base/map.h"

#include <stdlib.h>

struct bucket {
	struct list link; /* of the limit's, the one used longest ago first */
	char *key;
	double tokens;
	int64_t at; /* that it had them */
};

struct limit {
	const struct event_limit *conf;
	struct map buckets;
	struct list latest;
};

struct event_limits {
	size_t n;
	struct limit v[EVENT_LIMITS_MAX];
};

static void forget(struct limit *l, struct bucket *b)
{
	(void)map_del(&l->buckets, slice_str(b->key));
	list_del(&b->link);
	free(b->key);
	free(b);
}

static void must(bool good)
{
	if (!good)
		abort();
}

struct event_limits *event_limits_new(const struct event_limit *conf, size_t n)
{
	struct event_limits *e = calloc(1, sizeof(*e));

	must(e && n <= EVENT_LIMITS_MAX);
	e->n = n;
	for (size_t i = 0; i < n; i++) {
		e->v[i].conf = &conf[i];
		map_init(&e->v[i].buckets);
		list_init(&e->v[i].latest);
	}
	return e;
}

void event_limits_free(struct event_limits *e)
{
	struct bucket *b;

	if (!e)
		return;
	for (size_t i = 0; i < e->n; i++) {
		while ((b = LIST_FIRST(&e->v[i].latest, struct bucket, link)))
			forget(&e->v[i], b);
		map_fini(&e->v[i].buckets);
	}
	free(e);
}

static struct bucket *bucket_of(struct limit *l, const char *key, int64_t now)
{
	struct bucket *b = map_get(&l->buckets, slice_str(key));

	if (b) {
		list_del(&b->link);
	} else {
		b = LIST_FIRST(&l->latest, struct bucket, link);
		if (b && map_count(&l->buckets) >= (size_t)l->conf->cache)
			forget(l, b);
		b = calloc(1, sizeof(*b));
		must(b);
		b->key = strdup(key);
		must(b->key);
		b->tokens = l->conf->burst;
		b->at = now;
		(void)map_put(&l->buckets, slice_str(b->key), b);
	}
	list_append(&l->latest, &b->link);
	return b;
}

bool event_limits_take(struct event_limits *e, size_t i, const char *key, int64_t now)
{
	struct limit *l = &e->v[i];
	struct bucket *b = bucket_of(l, key, now);

	b->tokens += (double)(now - b->at) / NS_PER_SEC * l->conf->qps;
	b->tokens = MIN(b->tokens, (double)l->conf->burst);
	b->at = now;
	if (b->tokens < 1)
		return false;
	b->tokens -= 1;
	return true;
}

/* ---- the plugin ---- */

static const char *object_key(struct admission_call *c)
{
	static const char *const parts[] = {
		"source.component",	     "source.host",	    "involvedObject.kind",
		"involvedObject.namespace",  "involvedObject.name", "involvedObject.uid",
		"involvedObject.apiVersion",
	};
	CLEANUP(buf_fini) struct buf b = BUF_INIT(64u << 10);

	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		(void)buf_adds(&b, admit_text(c, c->obj, parts[i]));
	return arena_strdup(c->sc->a, buf_str(&b));
}

static const char *key_of(struct admission_call *c, enum event_key key)
{
	switch (key) {
	case EVENT_OF_NAMESPACE: return c->ns;
	case EVENT_OF_USER: return c->sc->user.name;
	case EVENT_OF_OBJECT: return object_key(c);
	default: return "";
	}
}

int admit_events(struct admission_call *c, struct err *err)
{
	CLEANUP(buf_fini) struct buf why = BUF_INIT(64u << 10);
	struct event_limits *e = c->ad->events;
	unsigned n = 0;

	/* Those of events.k8s.io are another kind to upstream's plugin. */
	if (c->sc->dry_run || (c->about->group && *c->about->group))
		return 0;
	for (size_t i = 0; i < e->n; i++) {
		const enum event_key by = e->v[i].conf->key;
		const char *key = key_of(c, by);

		if (!key)
			return arena_quota(c->sc->a, err);
		if (event_limits_take(e, i, key, clock_mono()))
			continue;
		(void)buf_addf(&why, "%slimit reached on type %s for key %s", n++ ? ", " : "",
			       event_key_names[by], key);
	}
	if (!n)
		return 0;
	return status_too_many(err, c->about, 0, n > 1 ? "[%s]" : "%s", buf_str(&why));
}
