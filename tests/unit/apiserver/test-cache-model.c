/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cache against a plain reference: random writes, several at a time, watchers with selectors
 * that begin in the past, stop taking and go on; afterwards what each was told is exactly what the
 * history says, and the past reads as it was. Seeds are fixed.
 */
#include "cache-fix.h"

#define KEYS 24
#define WATCHERS 24
#define FLIGHT 16
#define HISTORY 8192

/* What a key was from a revision on. */
struct fact {
	int64_t revision;
	uint8_t key, app, node; /* app 0: removed */
};

struct sel {
	const char *prefix;
	int key;       /* -1: all */
	unsigned app;  /* 0: all */
	unsigned node; /* 0: all */
	bool not ;     /* app is not to be */
};

struct told {
	enum cache_change what;
	uint8_t key;
	int64_t revision;
};

struct mw {
	struct cache_watch w;
	struct model *m;
	struct sel sel;
	struct selector labels, fields;
	struct selector_term label, field;
	struct slice app, node;
	char key[16];
	int64_t after;
	bool live, over, blocked;
	struct told *told;
	size_t n, cap;
};

struct mwrite {
	struct cache_write w;
	struct cache_op op;
	struct model *m;
	bool busy;
	struct fact f;
	char key[16];
	char json[2048];
};

struct model {
	struct cfix *x;
	uint64_t seed;
	struct fact facts[HISTORY];
	size_t n;
	struct mw watchers[WATCHERS];
	struct mwrite writes[FLIGHT];
	size_t conflicts, gone, checked;
};

static unsigned dice(struct model *m, unsigned n)
{
	m->seed = m->seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(m->seed >> 33) % n;
}

static void key_name(unsigned key, char out[16])
{
	static const char *const spaces[] = { "a", "b", "ab" };

	snprintf(out, 16, "%s/p%u", spaces[key % 3], key);
}

static uint8_t key_number(const struct item *i)
{
	struct slice name = item_name(i);
	int64_t v = 0;

	assert_int_equal(str_int64(slice_of(name.p + 1, name.n - 1), &v, NULL), 0);
	return (uint8_t)v;
}

/* ---- writes ---- */

static void on_mwrite(struct cache_write *cw)
{
	struct mwrite *w = CONTAINER_OF(cw, struct mwrite, w);
	struct model *m = w->m;
	struct item *i = w->op.result;

	w->busy = false;
	if (cw->result == 1) {
		struct item *is = cache_get(m->x->pods, w->op.key);

		m->conflicts++;
		assert_true(!w->op.expect || !is || item_revision(is) != w->op.expect);
		return;
	}
	if (cw->result < 0)
		fail_msg("%s", cw->err.msg);
	assert_true(world_revision(m->x->w) >= cw->revision);
	if (!i) {
		assert_int_equal(w->f.app, 0);
		return;
	}
	assert_true(slice_eq(item_key(i), w->op.key));
	if (w->f.app) /* a removal of what is not there is told with another's */
		assert_int_equal(item_revision(i), cw->revision);
	w->f.revision = cw->revision;
	assert_true(m->n < HISTORY);
	m->facts[m->n++] = w->f;
}

static void write_some(struct model *m)
{
	struct mwrite *w = &m->writes[dice(m, FLIGHT)];
	struct item *is;
	char labels[32];

	while (w->busy)
		assert_true(loop_step(m->x->f->loop, NS_PER_SEC, &m->x->err) >= 0);
	*w = (struct mwrite){ .m = m, .busy = true };
	w->f.key = (uint8_t)dice(m, KEYS);
	w->f.app = (uint8_t)(dice(m, 4) ? 1 + dice(m, 3) : 0);
	w->f.node = (uint8_t)dice(m, 4);
	key_name(w->f.key, w->key);
	snprintf(labels, sizeof(labels), "{\"x\":\"y\",\"app\":\"%u\"}", w->f.app);
	if (w->f.app)
		snprintf(w->json, sizeof(w->json), "%s",
			 pod_json(w->key, labels,
				  w->f.node ? &"n1\0n2\0n3"[3 * w->f.node - 3] : ""));
	w->op = (struct cache_op){ .cache = m->x->pods,
				   .key = slice_str(w->key),
				   .json = slice_str(w->json),
				   .expect = CACHE_ANY_REVISION };
	is = cache_get(m->x->pods, w->op.key);
	if (dice(m, 2))
		w->op.expect = is ? item_revision(is) : 0;
	w->w.ops = &w->op;
	w->w.n = 1;
	w->w.done = on_mwrite;
	cache_write(m->x->w, &w->w);
}

/* ---- watchers ---- */

static int on_told(struct cache_watch *cw, enum cache_change what, struct item *i)
{
	struct mw *w = CONTAINER_OF(cw, struct mw, w);
	struct model *m = w->m;

	assert_false(w->blocked);
	if (w->n == w->cap) {
		w->cap = w->cap ? 2 * w->cap : 64;
		w->told = reallocarray(w->told, w->cap, sizeof(*w->told));
		assert_non_null(w->told);
	}
	w->told[w->n++] = (struct told){ what, key_number(i), item_revision(i) };
	if (dice(m, 16) == 0) { /* another one goes, or takes again, in the middle of it */
		struct mw *o = &m->watchers[dice(m, WATCHERS)];

		if (o != w && o->live && dice(m, 4) == 0) {
			cache_unwatch(&o->w);
			o->live = false;
		} else if (o != w && o->blocked) {
			o->blocked = false;
			cache_watch_resume(&o->w);
		}
	}
	w->blocked = dice(m, 6) == 0;
	return w->blocked;
}

static void on_over(struct cache_watch *cw, const struct err *err)
{
	struct mw *w = CONTAINER_OF(cw, struct mw, w);

	assert_err(err, ERR_GONE, "too old resource version");
	w->live = w->blocked = false;
	w->over = true;
	w->m->gone++;
}

static void begin_watch(struct model *m, struct mw *w)
{
	static const char *const prefixes[] = { "", "a/", "b/", "ab/", "a" };
	static const char *const apps[] = { "1", "2", "3" }, *const nodes[] = { "n1", "n2", "n3" };
	const int64_t now = world_revision(m->x->w);
	struct err err = ERR_INIT;
	struct told *told = w->told;
	size_t cap = w->cap;

	*w = (struct mw){ .m = m, .told = told, .cap = cap };
	w->sel = (struct sel){ prefixes[dice(m, 5)], -1, dice(m, 3), dice(m, 3), dice(m, 3) == 0 };
	if (dice(m, 6) == 0)
		w->sel.key = (int)dice(m, KEYS);
	w->after = now - dice(m, 30);
	w->w = (struct cache_watch){ .prefix = slice_str(w->sel.prefix),
				     .change = on_told,
				     .end = on_over };
	if (w->sel.key >= 0) {
		key_name((unsigned)w->sel.key, w->key);
		w->w.prefix = SLICE("");
		w->w.key = slice_str(w->key);
	}
	if (w->sel.app) {
		w->app = slice_str(apps[w->sel.app - 1]);
		w->label = (struct selector_term){ SLICE("app"),
						   w->sel.not ? SELECT_NOT_EQUAL : SELECT_EQUAL,
						   &w->app, 1 };
		w->labels = (struct selector){ &w->label, 1 };
		w->w.labels = &w->labels;
	}
	if (w->sel.node) {
		w->node = slice_str(nodes[w->sel.node - 1]);
		w->field =
			(struct selector_term){ SLICE("spec.nodeName"), SELECT_EQUAL, &w->node, 1 };
		w->fields = (struct selector){ &w->field, 1 };
		w->w.fields = &w->fields;
	}
	w->live = cache_watch(m->x->pods, &w->w, w->after, &err) == 0;
	if (!w->live)
		assert_err(&err, ERR_GONE, "too old resource version");
	assert_int_equal(w->n, 0);
}

static void watch_some(struct model *m)
{
	struct mw *w = &m->watchers[dice(m, WATCHERS)];

	if (!w->live) {
		begin_watch(m, w);
	} else if (w->blocked && dice(m, 2)) {
		w->blocked = false;
		cache_watch_resume(&w->w);
	} else if (dice(m, 40) == 0) {
		cache_unwatch(&w->w);
		w->live = w->blocked = false;
	}
}

/* ---- the reference ---- */

static int by_fact(const void *a, const void *b)
{
	const struct fact *x = a, *y = b;

	return x->revision != y->revision
		       ? (x->revision > y->revision) - (x->revision < y->revision)
		       : (int)x->key - (int)y->key;
}

static bool selects(const struct sel *s, const struct fact *f)
{
	char key[16];

	key_name(f->key, key);
	if (!f->app || (s->key >= 0 && f->key != s->key) ||
	    (s->key < 0 && strncmp(key, s->prefix, strlen(s->prefix)) != 0))
		return false;
	if (s->app && (f->app == s->app) == s->not )
		return false;
	return !s->node || f->node == s->node;
}

static void check_watch(struct model *m, struct mw *w)
{
	struct fact was[KEYS] = { 0 };
	const int64_t upto = cache_watch_revision(&w->w);
	size_t at = 0;

	for (size_t i = 0; i < m->n; i++) {
		const struct fact *f = &m->facts[i];
		const bool before = selects(&w->sel, &was[f->key]), now = selects(&w->sel, f);

		was[f->key] = *f;
		was[f->key].key = f->key;
		if (f->revision <= w->after || (!before && !now))
			continue;
		if (at == w->n) {
			assert_true(f->revision > upto); /* it is told later */
			return;
		}
		assert_int_equal(w->told[at].key, f->key);
		assert_int_equal(w->told[at].revision, f->revision);
		assert_int_equal(w->told[at].what, before && now ? CACHE_MODIFIED
						   : now	 ? CACHE_ADDED
								 : CACHE_DELETED);
		at++;
	}
	assert_int_equal(at, w->n);
	m->checked += at;
}

static void check_view(struct model *m, struct cache_view *v, int64_t revision)
{
	int64_t want[KEYS] = { 0 };
	struct cache_iter it;
	struct item *i;
	char last[16] = "";
	size_t n = 0;

	for (size_t k = 0; k < m->n && m->facts[k].revision <= revision; k++)
		want[m->facts[k].key] = m->facts[k].app ? m->facts[k].revision : 0;
	for (size_t k = 0; k < KEYS; k++)
		n += want[k] > 0;
	cache_iter_init(&it, v, SLICE(""), SLICE(""));
	for (; (i = cache_iter_next(&it)); n--) {
		char key[16];

		assert_int_equal(cache_iter_left(&it), n - 1);
		snprintf(key, sizeof(key), "%.*s", (int)item_key(i).n, item_key(i).p);
		assert_true(strcmp(last, key) < 0);
		memcpy(last, key, sizeof(last));
		assert_int_equal(item_revision(i), want[key_number(i)]);
	}
	assert_int_equal(n, 0);
	assert_int_equal(cache_view_revision(v), revision);
}

/* The past, all of it that the window tells; and what is now. */
static void check_views(struct model *m)
{
	const int64_t now = world_revision(m->x->w);
	struct cache_view *v = NULL;
	struct err err = ERR_INIT;
	struct cache_stats s;

	cache_get_stats(m->x->pods, &s);
	for (int64_t r = MAX(now - 40, 1); r <= now; r++) {
		int rc = cache_at(m->x->pods, r, &v, &err);

		if (rc < 0) {
			assert_true(r < s.oldest);
			assert_err(&err, ERR_GONE, "too old");
			continue;
		}
		check_view(m, v, r);
		if (dice(m, 8) == 0)
			cache_keep(v);
		cache_view_unref(v);
	}
	v = cache_now(m->x->pods);
	check_view(m, v, now);
	cache_view_unref(v);
	assert_int_equal(cache_at(m->x->pods, now + 1, &v, &err), -ERR_TIMEOUT);
}

static void quiet(struct model *m)
{
	for (size_t i = 0; i < FLIGHT; i++)
		while (m->writes[i].busy)
			assert_true(loop_step(m->x->f->loop, NS_PER_SEC, &m->x->err) >= 0);
	settle(m->x);
	qsort(m->facts, m->n, sizeof(m->facts[0]), by_fact);
	/* Several removals of a key may have been told of one. */
	for (size_t i = 1; i < m->n;)
		if (by_fact(&m->facts[i - 1], &m->facts[i]) == 0)
			memmove(&m->facts[i], &m->facts[i + 1], (--m->n - i) * sizeof(m->facts[0]));
		else
			i++;
}

static void check_all(struct model *m)
{
	quiet(m);
	check_views(m);
	for (size_t i = 0; i < WATCHERS; i++)
		if (m->watchers[i].live)
			check_watch(m, &m->watchers[i]);
}

/* They are there before and after, and go on from where they were. */
static void restart(struct model *m)
{
	int64_t at[WATCHERS];

	for (size_t i = 0; i < WATCHERS; i++) {
		at[i] = cache_watch_revision(&m->watchers[i].w);
		if (m->watchers[i].live)
			cache_unwatch(&m->watchers[i].w);
	}
	world_again(m->x);
	for (size_t i = 0; i < WATCHERS; i++) {
		struct mw *w = &m->watchers[i];
		size_t n = w->n;

		if (!w->live)
			continue;
		while (n && w->told[n - 1].revision > at[i])
			n--; /* it stood within a revision: told again */
		w->n = n;
		w->blocked = false;
		if (cache_watch(m->x->pods, &w->w, at[i], &m->x->err) < 0) {
			assert_err(&m->x->err, ERR_GONE, "too old");
			w->live = false;
		}
	}
}

static void run_model(struct cfix *x, uint64_t seed, unsigned steps)
{
	struct model *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	m->x = x;
	m->seed = seed;
	for (unsigned i = 1; i <= steps; i++) {
		write_some(m);
		watch_some(m);
		if (dice(m, 3) == 0)
			assert_true(loop_step(x->f->loop, 0, &x->err) >= 0);
		if (i % 250 == 0)
			check_all(m);
		if (i % 750 == 0)
			restart(m);
	}
	check_all(m);
	assert_true(m->checked > 200);
	assert_true(m->conflicts > 0);
	for (size_t i = 0; i < WATCHERS; i++) {
		if (m->watchers[i].live)
			cache_unwatch(&m->watchers[i].w);
		free(m->watchers[i].told);
	}
	free(m);
}

static void with_window(struct cfix *x, uint64_t changes, uint64_t bytes, uint64_t seed)
{
	world_close(x);
	x->conf.window_changes = changes;
	x->conf.window_bytes = bytes;
	world_open(x);
	run_model(x, seed, 1600);
}

static void all_is_told_with_a_large_window(void **state)
{
	with_window(*state, 0, 0, 1);
}

static void all_is_told_or_gone_with_few_changes_kept(void **state)
{
	with_window(*state, 8, 0, 2);
}

static void all_is_told_or_gone_with_few_bytes_kept(void **state)
{
	with_window(*state, 0, 8192, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, cache_setup, cache_teardown)
		T(all_is_told_with_a_large_window),
		T(all_is_told_or_gone_with_few_changes_kept),
		T(all_is_told_or_gone_with_few_bytes_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
