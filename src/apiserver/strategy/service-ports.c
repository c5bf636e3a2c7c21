/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/strategy/service-ports.h"

#include "api/object.h"
#include "apiserver/objects/codec.h"
#include "apiserver/objects/resource.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>

#define KEY "servicenodeports"
#define MEND_EVERY (180 * NS_PER_SEC)
#define LEAKED (540 * NS_PER_SEC) /* three rounds: upstream's servers set the bit first */
#define TRIES_MAX 16
#define WORK_MAX (1u << 20)
#define BYTES_MAX (65536 / 8)

/* Which are taken: bit i of byte i / 8 is port from + i. */
struct bits {
	unsigned char b[BYTES_MAX];
};

struct mending;

struct service_ports {
	struct resources *rs;
	const struct collection *objects;
	unsigned from, n;
	const uint16_t *in_use;
	char range[32];	   /* "30000-32767" */
	struct item *seen; /* what `bits` was read from; NULL: nothing is stored */
	bool fresh;	   /* it was read at all */
	bool mismatched;   /* another server gives ports of another range */
	struct bits bits;
	int64_t *leaked; /* monotonic: since when a bit has no Service; 0: it has */
	struct timer timer;
	struct mending *mending;
};

static bool get(const struct bits *x, unsigned i)
{
	return x->b[i / 8] >> i % 8 & 1;
}

static void set(struct bits *x, unsigned i, bool on)
{
	const unsigned char bit = (unsigned char)(1u << i % 8);

	x->b[i / 8] = (unsigned char)(on ? x->b[i / 8] | bit : x->b[i / 8] & ~bit);
}

/* ---- what is stored ---- */

/* The number whose bit i is port from + i, in bytes from the highest to the lowest. */
static int read_bits(struct service_ports *sp, struct slice text)
{
	unsigned char bytes[BYTES_MAX + 3];
	size_t n = 0;

	if (text.n > (BYTES_MAX + 2) / 3 * 4 || base64_decode(bytes, &n, text) < 0 ||
	    n > (sp->n + 7) / 8)
		return -1;
	for (size_t i = 0; i < n; i++)
		sp->bits.b[i] = bytes[n - 1 - i];
	return 0;
}

static int read_item(struct service_ports *sp, const struct item *item)
{
	CLEANUP(arena_free) struct arena *a = arena_new("node ports", WORK_MAX);
	struct doc d;

	if (codec_parse(item, a, &d, NULL) < 0 || !doc_str_is(doc_get(&d, "range"), sp->range))
		return -1;
	return read_bits(sp, doc_slice(doc_get(&d, "data")));
}

static void look(struct service_ports *sp)
{
	struct item *now = cache_get(sp->objects->cache, SLICE(KEY));

	if (sp->fresh && now == sp->seen && now)
		return;
	item_unref(sp->seen);
	sp->seen = now ? item_ref(now) : NULL;
	sp->fresh = true;
	sp->bits = (struct bits){ 0 };
	sp->mismatched = now && read_item(sp, now) < 0;
	for (unsigned i = 0; !now && i < sp->n; i++)
		set(&sp->bits, i, sp->in_use[i] > 0);
}

const char *service_ports_why_not(struct service_ports *sp)
{
	look(sp);
	return sp->mismatched ? "the provided port range does not match the current port range"
			      : NULL;
}

bool service_ports_has(struct service_ports *sp, int64_t port)
{
	look(sp);
	return port >= sp->from && port < sp->from + sp->n &&
	       get(&sp->bits, (unsigned)port - sp->from);
}

/* ---- a new state of it ---- */

static int make_object(const struct service_ports *sp, const struct bits *bits, struct arena *a,
		       struct doc *ret, struct err *err)
{
	struct doc *d = doc_new_object(a);
	unsigned char bytes[BYTES_MAX];
	char text[(BYTES_MAX + 2) / 3 * 4 + 1];
	size_t n = (sp->n + 7) / 8;

	while (n && !bits->b[n - 1])
		n--;
	for (size_t i = 0; i < n; i++)
		bytes[i] = bits->b[n - 1 - i];
	base64_encode(text, bytes, n);
	(void)doc_set_str(a, d, "kind", sp->objects->kind->kind);
	(void)doc_set_str(a, d, "apiVersion", sp->objects->kind->group->api_version);
	(void)doc_set_object(a, d, "metadata");
	(void)doc_set_str(a, d, "range", sp->range);
	(void)doc_set_str(a, d, "data", text);
	if (!d || arena_exceeded(a))
		return arena_quota(a, err);
	return api_admit(sp->objects->kind->type, d, a, 0, NULL, ret, err);
}

typedef void each_port(struct service_ports *sp, unsigned i, void *arg);

static void each(struct service_ports *sp, const struct doc *service, each_port *fn, void *arg)
{
	const int64_t health = strategy_int(service, "spec.healthCheckNodePort");

	DOC_EACH (d, doc_find(service, "spec.ports")) {
		const int64_t port = strategy_int(d, "nodePort");

		if (port >= sp->from && port < sp->from + sp->n)
			fn(sp, (unsigned)port - sp->from, arg);
	}
	if (health >= sp->from && health < sp->from + sp->n)
		fn(sp, (unsigned)health - sp->from, arg);
}

static void give_up(struct service_ports *sp, unsigned i, void *arg)
{
	if (sp->in_use[i] <= 1)
		set(arg, i, false);
}

static void take(struct service_ports *sp, unsigned i, void *arg)
{
	(void)sp;
	set(arg, i, true);
}

int service_ports_write(struct service_ports *sp, struct strategy_call *c, const struct doc *obj,
			const struct doc *old, struct err *err)
{
	struct doc *ret = ARENA_NEW(c->a, struct doc);
	struct bits bits;
	int r;

	look(sp);
	bits = sp->bits;
	if (old)
		each(sp, old, give_up, &bits);
	if (obj)
		each(sp, obj, take, &bits);
	if (sp->mismatched || memcmp(&bits, &sp->bits, sizeof(bits)) == 0)
		return 0;
	if (!ret)
		return arena_quota(c->a, err);
	if (c->nmore == STRATEGY_MORE_MAX)
		return err_set(err, ERR_QUOTA, "too much is written with one Service");
	r = make_object(sp, &bits, c->a, ret, err);
	if (r == 0)
		c->more[c->nmore++] =
			(struct strategy_more){ (struct collection *)(uintptr_t)sp->objects, KEY,
						ret, sp->seen ? item_revision(sp->seen) : 0 };
	return r;
}

/* ---- mending ---- */

struct mending {
	struct service_ports *sp; /* NULL: it has gone */
	struct cache_write write;
	struct cache_op op;
	struct buf json;
	unsigned tries;
};

static void mending_free(struct mending *m)
{
	if (m->sp)
		m->sp->mending = NULL;
	buf_fini(&m->json);
	free(m);
}

static bool is_leak(struct service_ports *sp, unsigned i, int64_t now)
{
	if (!sp->leaked[i])
		sp->leaked[i] = now;
	return now - sp->leaked[i] >= LEAKED;
}

/* As it should be. */
static void mend_bits(struct service_ports *sp, struct bits *bits)
{
	const int64_t now = clock_mono();

	for (unsigned i = 0; i < sp->n; i++) {
		if (sp->in_use[i])
			set(bits, i, true);
		if (sp->in_use[i] || !get(bits, i))
			sp->leaked[i] = 0;
		else if (is_leak(sp, i, now))
			set(bits, i, false);
	}
}

static void mend(struct mending *m);

static void mended(struct cache_write *w)
{
	struct mending *m = CONTAINER_OF(w, struct mending, write);

	if (w->result < 0)
		log_kv(LOG_LEVEL_WARN, "the list of taken node ports could not be mended", "error",
		       w->err.msg, NULL);
	if (w->result == 1 && m->sp && ++m->tries < TRIES_MAX)
		mend(m);
	else
		mending_free(m);
}

static void mend(struct mending *m)
{
	CLEANUP(arena_free) struct arena *a = arena_new("node ports", WORK_MAX);
	struct service_ports *sp = m->sp;
	struct err err = ERR_INIT;
	struct bits bits;
	struct doc d;

	look(sp);
	bits = sp->bits;
	if (sp->mismatched)
		bits = (struct bits){ 0 };
	mend_bits(sp, &bits);
	if (sp->seen && !sp->mismatched && memcmp(&bits, &sp->bits, sizeof(bits)) == 0) {
		mending_free(m);
		return;
	}
	buf_clear(&m->json);
	if (make_object(sp, &bits, a, &d, &err) < 0 || codec_store(&d, &m->json, &err) < 0) {
		log_kv(LOG_LEVEL_WARN, "the list of taken node ports could not be mended", "error",
		       err.msg, NULL);
		mending_free(m);
		return;
	}
	m->op = (struct cache_op){ .cache = sp->objects->cache,
				   .key = SLICE(KEY),
				   .json = buf_slice(&m->json),
				   .expect = sp->seen ? item_revision(sp->seen) : 0 };
	m->write = (struct cache_write){ .ops = &m->op, .n = 1, .done = mended };
	cache_write(resources_world(sp->rs), &m->write);
}

static int on_timer(struct timer *t)
{
	struct service_ports *sp = CONTAINER_OF(t, struct service_ports, timer);
	struct mending *m;

	timer_set_after(t, MEND_EVERY);
	if (sp->mending)
		return 0;
	m = calloc(1, sizeof(*m));
	if (!m)
		abort();
	m->sp = sp;
	m->json = BUF_INIT(WORK_MAX);
	sp->mending = m;
	mend(m);
	return 0;
}

/* ---- life ---- */

struct service_ports *service_ports_new(struct resources *rs, unsigned from, unsigned to,
					const uint16_t *in_use)
{
	struct service_ports *sp;

	if (!rs || !world_is_shared(resources_world(rs)))
		return NULL;
	sp = calloc(1, sizeof(*sp));
	if (!sp)
		abort();
	sp->rs = rs;
	sp->objects = resources_objects(rs, "", RESOURCES_RANGES);
	sp->from = from;
	sp->n = to - from + 1;
	sp->in_use = in_use;
	(void)snprintf(sp->range, sizeof(sp->range), "%u-%u", from, to);
	sp->leaked = calloc(sp->n, sizeof(*sp->leaked));
	if (!sp->leaked)
		abort();
	timer_init(&sp->timer, world_loop(resources_world(rs)), on_timer);
	timer_set_after(&sp->timer, 0);
	return sp;
}

void service_ports_free(struct service_ports *sp)
{
	if (!sp)
		return;
	if (sp->mending)
		sp->mending->sp = NULL;
	timer_fini(&sp->timer);
	item_unref(sp->seen);
	free(sp->leaked);
	free(sp);
}
