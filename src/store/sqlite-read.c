/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ranges: read in steps on the reader's thread, each a short snapshot of its own, all at one
 * revision that is pinned. A step's rows come to the loop packed; the next step begins when they
 * are handed out, so a long list costs one chunk of memory and lets others' steps in between.
 */
#include "store/sqlite.h"

#include <assert.h>

struct range {
	struct work work;
	struct sq *s;
	struct store_range *r;
	struct sq_pin pin;
	int64_t revision; /* 0: not known before the first step */
	char *end;	  /* the first key behind the range */
	size_t nend;
	char next[STORE_KEY_MAX + 2]; /* the step begins here */
	size_t nnext;
	size_t given;	  /* rows handed out and in the chunk */
	struct buf chunk; /* of this step */
	size_t rows;
	bool over;
};

/* ---- pins ---- */

void sq_pin(struct sq *s, struct sq_pin *p, int64_t revision)
{
	p->revision = revision;
	list_append(&s->pins, &p->link);
}

void sq_unpin(struct sq *s, struct sq_pin *p)
{
	list_del(&p->link);
	sq_care_kick(s);
}

/* ---- packing ---- */

int sq_pack(struct buf *b, const struct sq_packed *p, struct slice key, struct slice value,
	    struct slice prev)
{
	struct sq_packed h = *p;

	h.nkey = (uint32_t)key.n;
	h.nvalue = (uint32_t)value.n;
	h.nprev = (uint32_t)prev.n;
	(void)buf_add(b, &h, sizeof(h));
	(void)buf_add(b, key.p, key.n);
	(void)buf_add(b, value.p, value.n);
	return buf_add(b, prev.p, prev.n);
}

const char *sq_unpack(const char *at, struct sq_packed *p, struct store_event *ret)
{
	memcpy(p, at, sizeof(*p));
	at += sizeof(*p);
	*ret = (struct store_event){
		.removed = p->removed,
		.kv = { .key = slice_of(at, p->nkey),
			.value = slice_of(at + p->nkey, p->nvalue),
			.create_revision = p->created,
			.mod_revision = p->mod,
			.lease = p->lease },
		.prev = slice_of(at + p->nkey + p->nvalue, p->nprev),
		.prev_revision = p->prev_revision,
	};
	return at + p->nkey + p->nvalue + p->nprev;
}

/* ---- a step, on the reader's thread ---- */

/* The version that was the newest one at the revision. 0: the key was not there then. */
static int row_at(struct db_conn *c, int64_t revision, struct sq_row *row, struct db_row **hold,
		  struct err *err)
{
	int64_t id = row->id;
	int r;

	for (;;) {
		db_row_done(STEAL(*hold));
		if (!id)
			return 0;
		r = sq_log_get(c, id, row, hold, err);
		if (r < 0)
			return r;
		if (r == 0)
			return 0; /* a removal that is compacted */
		if (SQ_REVISION_OF(row->id) <= revision)
			return !row->removed;
		id = row->prev;
	}
}

/* Is the key there at the revision, and as what? */
static int look(struct range *g, struct db_conn *c, struct sq_row *row, struct db_row **hold,
		struct err *err)
{
	bool bare = g->r->keys_only || g->r->count_only || (g->r->limit && g->given >= g->r->limit);
	int r;

	if (SQ_REVISION_OF(row->id) > g->revision)
		return row_at(c, g->revision, row, hold, err);
	if (row->removed)
		return 0;
	if (bare)
		return 1;
	r = sq_log_get(c, row->id, row, hold, err);
	return r == 0 ? sq_damaged(err, "the newest row of key '%.*s' is gone", (int)row->key.n,
				   row->key.p)
		      : r;
}

/* Takes a key that is there. 1: the reading is over. */
static int take(struct range *g, const struct sq_row *row)
{
	struct store_range *r = g->r;
	const struct sq_packed p = { .mod = SQ_REVISION_OF(row->id),
				     .created = row->created,
				     .lease = row->lease };
	const struct slice none = { 0 };

	if (r->count_only || (r->limit && g->given >= r->limit)) {
		r->more = !r->count_only;
		r->total++;
		return !r->count_only && !r->count;
	}
	g->given++;
	g->rows++;
	(void)sq_pack(&g->chunk, &p, row->key, r->keys_only ? none : row->value, none);
	return 0;
}

static int scan(struct range *g, struct db_conn *c, struct err *err)
{
	CLEANUP(db_row_done) struct db_row *q = NULL;
	int64_t removed;
	int r;

	r = db_query(c, &q, err,
		     "SELECT key,id,created,lease,removed FROM cur WHERE key>=? AND key<?"
		     " ORDER BY key",
		     "bb", slice_of(g->next, g->nnext), slice_of(g->end, g->nend));
	for (unsigned visited = 0; r >= 0; visited++) {
		CLEANUP(db_row_done) struct db_row *hold = NULL;
		struct sq_row row = { 0 };
		struct slice key;

		r = db_row_next(q, err);
		if (r <= 0) {
			g->over = true;
			return r;
		}
		db_row_get(q, "biiii", &row.key, &row.id, &row.created, &row.lease, &removed);
		row.removed = removed;
		key = row.key;
		if (g->chunk.n >= SQ_CHUNK || visited >= SQ_VISIT_MAX) {
			memcpy(g->next, key.p, key.n);
			g->nnext = key.n;
			return 0;
		}
		r = look(g, c, &row, &hold, err);
		row.key = key;
		if (r > 0 && take(g, &row)) {
			g->over = true;
			return 0;
		}
	}
	return r;
}

static int begin(struct range *g, struct db_conn *c, struct err *err)
{
	struct store_range *r = g->r;
	int64_t now, compacted;
	int rc = sq_meta(c, &now, &compacted, err);

	if (rc < 0)
		return rc;
	r->revision_now = now;
	g->revision = r->revision ? r->revision : now;
	if (g->revision > now)
		return err_set(err, ERR_BAD_REQUEST, "revision %lld is yet to come: it is %lld now",
			       (long long)g->revision, (long long)now);
	if (g->revision < compacted)
		return err_set(err, ERR_GONE,
			       "revision %lld is compacted: %lld is the oldest that can be read",
			       (long long)g->revision, (long long)compacted);
	return 0;
}

static void range_step(struct work *w)
{
	struct range *g = CONTAINER_OF(w, struct range, work);
	CLEANUP(db_snapshot_end) struct db_snapshot snap = { 0 };
	struct db_conn *c = db_reader(g->s->rdb);
	int r;

	if (atomic_load(&g->s->closing))
		return;
	r = db_snapshot_begin(c, &snap, &g->r->err);
	if (r >= 0 && !g->revision)
		r = begin(g, c, &g->r->err);
	if (r >= 0)
		r = scan(g, c, &g->r->err);
	if (r < 0) {
		g->r->result = r;
		g->over = true;
	}
}

/* ---- the loop's side ---- */

static void range_end(struct range *g)
{
	struct store_range *r = g->r;

	sq_unpin(g->s, &g->pin);
	buf_fini(&g->chunk);
	free(g->end);
	free(g);
	r->done(r);
}

static int hand_out(struct range *g)
{
	const char *at = g->chunk.p;
	int r = 0;

	for (size_t i = 0; i < g->rows && r >= 0; i++) {
		struct store_event e;
		struct sq_packed p;

		at = sq_unpack(at, &p, &e);
		r = g->r->each(g->r, &e.kv);
	}
	g->rows = 0;
	buf_fini(&g->chunk);
	return r < 0 ? r : 0;
}

static void range_step_done(struct work *w);

static void range_submit(struct range *g)
{
	int r = work_submit(g->s->reader, &g->work, range_step, range_step_done, &g->r->err);

	if (r >= 0)
		return;
	g->r->result = r;
	g->over = true;
	g->work.done = range_step_done;
	loop_post(g->s->base.loop, &g->work.post);
}

static void range_step_done(struct work *w)
{
	struct range *g = CONTAINER_OF(w, struct range, work);
	struct store_range *r = g->r;
	int rc;

	if (atomic_load(&g->s->closing)) {
		r->result = err_set(&r->err, ERR_UNAVAILABLE, "the store is being closed");
		range_end(g);
		return;
	}
	rc = r->result < 0 ? 0 : hand_out(g);
	if (rc < 0) {
		r->result = rc;
		if (!r->err.code)
			(void)err_set(&r->err, (enum err_code) - rc, "the reader ended it");
		g->over = true;
	}
	if (g->over)
		range_end(g);
	else
		range_submit(g);
}

/* The first key behind all that begin with the prefix. */
static void set_end(struct range *g, struct slice prefix)
{
	size_t n = prefix.n;

	g->end = malloc(STORE_KEY_MAX + 2);
	if (!g->end)
		abort();
	memcpy(g->end, prefix.p ? prefix.p : "", n);
	g->nend = n;
	if (g->r->exact) {
		g->end[g->nend++] = '\0';
		return;
	}
	while (n && (unsigned char)g->end[n - 1] == 0xff)
		n--;
	g->nend = n;
	if (n) {
		g->end[n - 1]++;
		return;
	}
	memset(g->end, 0xff, STORE_KEY_MAX + 1); /* longer, so behind every key */
	g->nend = STORE_KEY_MAX + 1;
}

void sq_range(struct store *st, struct store_range *r)
{
	struct sq *s = sq_of(st);
	struct range *g = calloc(1, sizeof(*g));
	struct slice first = r->exact || !r->from.n ? r->prefix : r->from;

	if (!g)
		abort();
	g->s = s;
	g->r = r;
	g->chunk = BUF_INIT(SIZE_MAX / 2);
	set_end(g, r->prefix);
	memcpy(g->next, first.p ? first.p : "", first.n);
	g->nnext = first.n;
	sq_pin(s, &g->pin, r->revision ? r->revision : s->revision);
	range_submit(g);
}
