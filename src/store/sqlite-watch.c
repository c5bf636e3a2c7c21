/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Watches. A live one gets the events of each batch as it is durable; one that is behind replays
 * the log in steps on the reader's thread until it has all that was handed out, then is live.
 *
 * `sent` joins the two: everything up to it was told, so a live event at or below it is left out,
 * and a watch whose `sent` is not below the last batch's revision misses nothing. Watches of one
 * prefix are a group; an event finds its groups by one look-up for each length of prefix in use.
 */
#include "base/clock.h"
#include "store/sqlite.h"

#include <assert.h>

#define TICK NS_PER_SEC

struct sq_replay {
	struct work work;
	struct sq *s;
	struct store_watch *w; /* NULL: nobody waits any more */
	struct sq_pin pin;
	char prefix[STORE_KEY_MAX];
	size_t nprefix;
	bool no_prev;
	int64_t from, upto; /* after; all up to here is in the chunk */
	struct buf chunk;
	size_t n;
	int result;
	struct err err;
};
_Static_assert(sizeof(struct sq_watch) <= sizeof(((struct store_watch *)0)->private_), "sq_watch");

static struct sq_watch *priv(struct store_watch *w)
{
	return (struct sq_watch *)(void *)w->private_;
}

static struct store_watch *watch_of(struct sq_watch *p)
{
	return (struct store_watch *)(void *)((char *)p - offsetof(struct store_watch, private_));
}

bool sq_slice_in(struct slice key, struct slice prefix)
{
	return key.n >= prefix.n && (prefix.n == 0 || memcmp(key.p, prefix.p, prefix.n) == 0);
}

/* All of `from` into a list that was not yet initialised. */
static void list_move(struct list *to, struct list *from)
{
	list_init(to);
	if (list_empty(from))
		return;
	list_add_after(from->prev, to);
	list_del(from);
}

/* ---- groups ---- */

static void lengths_build(struct sq *s)
{
	s->nused = 0;
	for (size_t i = 0; i <= STORE_KEY_MAX; i++)
		if (s->lengths[i])
			s->used[s->nused++] = (unsigned short)i;
}

static struct sq_group *group_get(struct sq *s, struct slice prefix)
{
	struct sq_group *g = map_get(&s->groups, prefix);
	char *p;

	if (g)
		return g;
	g = calloc(1, sizeof(*g));
	p = malloc(prefix.n + 1);
	if (!g || !p)
		abort();
	memcpy(p, prefix.p ? prefix.p : "", prefix.n);
	g->prefix = slice_of(p, prefix.n);
	list_init(&g->watches);
	(void)map_put(&s->groups, g->prefix, g);
	if (s->lengths[prefix.n]++ == 0)
		lengths_build(s);
	return g;
}

static void group_put(struct sq *s, struct sq_group *g)
{
	if (g->busy || !list_empty(&g->watches))
		return;
	(void)map_del(&s->groups, g->prefix);
	if (--s->lengths[g->prefix.n] == 0)
		lengths_build(s);
	free((char *)(uintptr_t)g->prefix.p);
	free(g->hits);
	free(g);
}

/* ---- live events ---- */

static void group_hit(struct sq_group *g, const struct store_event *e, struct sq_group **hit)
{
	if (g->nhits == 0) {
		g->next_hit = *hit;
		*hit = g;
		g->busy++;
	}
	if (g->nhits == g->cap) {
		g->cap = g->cap ? g->cap * 2 : 8;
		g->hits = reallocarray(g->hits, g->cap, sizeof(*g->hits));
		if (!g->hits)
			abort();
	}
	g->hits[g->nhits++] = *e;
}

static void find_groups(struct sq *s, const struct store_event *e, struct sq_group **hit)
{
	for (unsigned i = 0; i < s->nused && s->used[i] <= e->kv.key.n; i++) {
		struct sq_group *g = map_get(&s->groups, slice_of(e->kv.key.p, s->used[i]));

		if (g)
			group_hit(g, e, hit);
	}
}

static void replay_start(struct sq *s, struct store_watch *w);

static void watch_tell(struct sq *s, struct sq_watch *p, const struct sq_group *g,
		       const struct sq_batch *b)
{
	struct store_watch *w = watch_of(p);
	size_t i = 0;

	if (p->replay)
		return; /* it will read them */
	while (i < g->nhits && g->hits[i].kv.mod_revision <= p->sent)
		i++;
	if (i == g->nhits)
		return;
	if (!b->with_prev && !w->no_prev) {
		replay_start(s, w); /* the batch ran before anyone wanted values before */
		return;
	}
	p->sent = b->revision;
	w->events(w, g->hits + i, g->nhits - i, b->revision);
}

/* The callbacks may begin and end watches, of this group too. */
static void group_tell(struct sq *s, struct sq_group *g, const struct sq_batch *b)
{
	struct list todo;
	struct sq_watch *p;

	list_move(&todo, &g->watches);
	while ((p = LIST_FIRST(&todo, struct sq_watch, link))) {
		list_del(&p->link);
		list_append(&g->watches, &p->link);
		watch_tell(s, p, g, b);
	}
	g->nhits = 0;
	g->busy--;
	group_put(s, g);
}

static void progress_arm(struct sq *s)
{
	if (map_count(&s->groups) && !timer_armed(&s->progress))
		timer_set_after(&s->progress, TICK);
}

void sq_dispatch(struct sq *s, struct sq_batch *b)
{
	struct sq_group *hit = NULL, *next;

	for (size_t i = 0; i < b->nev; i++)
		find_groups(s, &b->ev[i].e, &hit);
	for (; hit; hit = next) {
		next = hit->next_hit;
		group_tell(s, hit, b);
	}
	progress_arm(s);
}

/* ---- progress ---- */

static void tell_progress(struct sq *s, struct sq_watch *p)
{
	p->asked = false;
	p->sent = MAX(p->sent, s->revision);
	watch_of(p)->events(watch_of(p), NULL, 0, p->sent);
}

/* Of all that are behind, or that asked. The callbacks may begin and end watches. */
static void tell_all(struct sq *s, bool asked)
{
	struct list todo;
	struct sq_watch *p;

	list_move(&todo, &s->watches);
	while ((p = LIST_FIRST(&todo, struct sq_watch, all))) {
		list_del(&p->all);
		list_append(&s->watches, &p->all);
		if (!p->replay && (asked ? p->asked : p->sent < s->revision))
			tell_progress(s, p);
	}
}

static int on_tick(struct timer *t)
{
	tell_all(CONTAINER_OF(t, struct sq, progress), false);
	return 0;
}

static void on_asked(struct deferred *d)
{
	tell_all(CONTAINER_OF(d, struct sq, asked), true);
}

void sq_progress(struct store *st, struct store_watch *w)
{
	priv(w)->asked = true;
	deferred_call(&sq_of(st)->asked);
}

/* ---- replay, on the reader's thread ---- */

static int pack_row(struct sq_replay *y, struct db_conn *c, const struct sq_row *row,
		    struct err *err)
{
	CLEANUP(db_row_done) struct db_row *hold = NULL;
	struct sq_packed p = { .mod = SQ_REVISION_OF(row->id),
			       .created = row->created,
			       .lease = row->lease,
			       .removed = row->removed };
	struct sq_row prev = { 0 };
	int r = 0;

	if (row->prev)
		r = sq_log_get(c, row->prev, &prev, &hold, err);
	if (r < 0)
		return r;
	if (r > 0 && !prev.removed)
		p.prev_revision = SQ_REVISION_OF(prev.id);
	y->n++;
	(void)sq_pack(&y->chunk, &p, row->key, row->value,
		      y->no_prev || prev.removed ? (struct slice){ 0 } : prev.value);
	return 0;
}

/* Whole revisions until the chunk is full. */
static int replay_scan(struct sq_replay *y, struct db_conn *c, int64_t now, struct err *err)
{
	CLEANUP(db_row_done) struct db_row *q = NULL;
	const struct slice prefix = slice_of(y->prefix, y->nprefix);
	struct sq_row row;
	int r;

	r = db_query(c, &q, err, "SELECT " SQ_LOG_COLUMNS " FROM log WHERE id>=? ORDER BY id", "i",
		     SQ_FIRST_ID(y->from + 1));
	for (unsigned visited = 0; r >= 0; visited++) {
		r = sq_log_next(q, &row, err);
		if (r == 0)
			y->upto = now;
		if (r <= 0)
			return r;
		if (SQ_REVISION_OF(row.id) > y->upto) {
			if (y->chunk.n >= SQ_CHUNK || visited >= SQ_VISIT_MAX)
				return 0;
			y->upto = SQ_REVISION_OF(row.id);
		}
		if (sq_slice_in(row.key, prefix))
			r = pack_row(y, c, &row, err);
	}
	return r;
}

static int replay_check(struct sq_replay *y, int64_t now, int64_t compacted, struct err *err)
{
	if (y->from < compacted)
		return err_set(err, ERR_GONE,
			       "revision %lld is compacted: watches begin after %lld or later",
			       (long long)y->from, (long long)compacted);
	if (y->from > now)
		return err_set(err, ERR_BAD_REQUEST, "revision %lld is yet to come: it is %lld now",
			       (long long)y->from, (long long)now);
	return 0;
}

static void replay_step(struct work *work)
{
	struct sq_replay *y = CONTAINER_OF(work, struct sq_replay, work);
	CLEANUP(db_snapshot_end) struct db_snapshot snap = { 0 };
	struct db_conn *c = db_reader(y->s->rdb);
	int64_t now, compacted;
	int r;

	if (atomic_load(&y->s->closing))
		return;
	r = db_snapshot_begin(c, &snap, &y->err);
	if (r >= 0)
		r = sq_meta(c, &now, &compacted, &y->err);
	if (r >= 0 && y->upto < 0)
		r = replay_check(y, now, compacted, &y->err);
	y->upto = y->from;
	if (r >= 0)
		r = replay_scan(y, c, now, &y->err);
	y->result = r;
}

/* ---- replay, on the loop ---- */

static void replay_free(struct sq_replay *y)
{
	if (y->w)
		priv(y->w)->replay = NULL;
	sq_unpin(y->s, &y->pin);
	buf_fini(&y->chunk);
	free(y);
}

static void replay_tell(struct sq_replay *y)
{
	struct store_event *v = calloc(y->n + 1, sizeof(*v));
	const char *at = y->chunk.p;
	struct store_watch *w = y->w;
	struct sq_packed p;

	if (!v)
		abort();
	for (size_t i = 0; i < y->n; i++)
		at = sq_unpack(at, &p, &v[i]);
	priv(w)->sent = y->upto;
	w->events(w, v, y->n, y->upto);
	free(v);
}

static void watch_drop(struct sq *s, struct store_watch *w)
{
	struct sq_watch *p = priv(w);

	if (p->replay)
		p->replay->w = NULL; /* its step ends it */
	p->replay = NULL;
	list_del(&p->link);
	list_del(&p->all);
	if (!w->no_prev)
		atomic_fetch_sub(&s->want_prev, 1);
	s->stats.watches--;
	group_put(s, p->group);
}

static void replay_fail(struct sq_replay *y)
{
	struct store_watch *w = y->w;
	struct err err = y->err;

	watch_drop(y->s, w);
	replay_free(y);
	if (w->end)
		w->end(w, &err);
}

static void replay_step_done(struct work *work);

static void replay_submit(struct sq_replay *y)
{
	int r = work_submit(y->s->reader, &y->work, replay_step, replay_step_done, &y->err);

	if (r >= 0)
		return; /* it may have run already: the result is its own */
	y->result = r;
	y->work.done = replay_step_done;
	loop_post(y->s->base.loop, &y->work.post);
}

static void replay_step_done(struct work *work)
{
	struct sq_replay *y = CONTAINER_OF(work, struct sq_replay, work);
	struct sq *s = y->s;
	bool there;

	if (!y->w || atomic_load(&s->closing)) {
		replay_free(y);
		return;
	}
	if (y->result < 0) {
		replay_fail(y);
		return;
	}
	there = y->upto >= s->revision;
	if (there)
		priv(y->w)->replay = NULL; /* live from here on */
	if (y->n || there)
		replay_tell(y); /* may end the watch */
	buf_fini(&y->chunk);
	y->n = 0;
	y->from = y->upto;
	if (there)
		y->w = NULL;
	if (!y->w) {
		replay_free(y);
		return;
	}
	y->pin.revision = y->from;
	sq_care_kick(s);
	replay_submit(y);
}

static void replay_start(struct sq *s, struct store_watch *w)
{
	struct sq_replay *y = calloc(1, sizeof(*y));

	if (!y)
		abort();
	y->s = s;
	y->w = w;
	y->from = priv(w)->sent;
	y->upto = -1; /* the first step looks whether it may */
	y->no_prev = w->no_prev;
	y->chunk = BUF_INIT(SIZE_MAX / 2);
	memcpy(y->prefix, w->prefix.p ? w->prefix.p : "", w->prefix.n);
	y->nprefix = w->prefix.n;
	priv(w)->replay = y;
	sq_pin(s, &y->pin, y->from);
	replay_submit(y);
}

/* ---- calls ---- */

int sq_watch(struct store *st, struct store_watch *w, struct err *err)
{
	struct sq *s = sq_of(st);
	struct sq_watch *p = priv(w);

	*p = (struct sq_watch){ .s = s, .sent = w->after ? w->after : s->revision };
	p->group = group_get(s, w->prefix);
	list_append(&p->group->watches, &p->link);
	list_append(&s->watches, &p->all);
	if (!w->no_prev)
		atomic_fetch_add(&s->want_prev, 1);
	s->stats.watches++;
	if (w->after)
		replay_start(s, w);
	return 0;
}

void sq_unwatch(struct store *st, struct store_watch *w)
{
	watch_drop(sq_of(st), w);
}

void sq_watch_init(struct sq *s)
{
	map_init(&s->groups);
	list_init(&s->watches);
	timer_init(&s->progress, s->base.loop, on_tick);
	deferred_init(&s->asked, s->base.loop, on_asked);
}

void sq_watch_fini(struct sq *s)
{
	struct sq_group *g;

	for (size_t i = 0; (g = map_next(&s->groups, &i, NULL));) {
		free((char *)(uintptr_t)g->prefix.p);
		free(g->hits);
		free(g);
	}
	map_fini(&s->groups);
	timer_fini(&s->progress);
	deferred_fini(&s->asked);
}
