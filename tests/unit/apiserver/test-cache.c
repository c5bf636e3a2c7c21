/* SPDX-License-Identifier: Apache-2.0 */
/* The cache over a real store: reads, writes, the past, restart, failures. */
#include "cache-fix.h"

#include "base/log.h"

static void a_write_is_in_the_cache_when_it_is_done(void **state)
{
	struct cfix *x = *state;
	struct wr r = { 0 };
	struct item *i;

	assert_int_equal(wr_do(x, &r, x->pods, "default/a", pod_json("default/a", "", ""), 0), 0);
	assert_int_equal(r.w.revision, 2);
	assert_int_equal(r.revision, 2);
	assert_string_equal(r.json,
			    "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":"
			    "\"a\",\"namespace\":\"default\",\"uid\":\"u\","
			    "\"resourceVersion\":\"2\"},\"spec\":{}}");
	i = cache_get(x->pods, SLICE("default/a"));
	assert_non_null(i);
	assert_int_equal(item_revision(i), 2);
	assert_int_equal(cache_count(x->pods), 1);
	assert_int_equal(world_revision(x->w), 2);
}

static void watchers_are_told_of_what_concerns_them(void **state)
{
	struct cfix *x = *state;
	struct cw all = { 0 }, other = { 0 };

	cw_start(x, &all, "", world_revision(x->w));
	cw_start(x, &other, "other/", world_revision(x->w));
	pod_put(x, "default/a", "", "");
	pod_put(x, "default/a", "", "n1");
	pod_put(x, "other/b", "", "n1");
	pod_del(x, "default/a");
	assert_string_equal(buf_str(&all.text),
			    "+default/a@2 *default/a@3 +other/b@4 -default/a@5 ");
	assert_string_equal(buf_str(&other.text), "+other/b@4 ");
	assert_int_equal(cache_watch_revision(&other.w), 5);
	cw_stop(&all);
	cw_stop(&other);
}

static void a_restart_has_everything_and_the_past(void **state)
{
	struct cfix *x = *state;
	struct cw c = { 0 };

	pod_put(x, "default/a", "", "");
	pod_put(x, "default/b", "", "");
	pod_put(x, "default/b", "", "n1");
	pod_del(x, "default/a");
	world_again(x);
	assert_int_equal(cache_count(x->pods), 1);
	cw_start(x, &c, "", 2);
	settle(x);
	assert_string_equal(buf_str(&c.text), "+default/b@3 *default/b@4 -default/a@5 ");
	cw_stop(&c);
}

/* ---- writes ---- */

static void a_write_of_what_is_otherwise_is_told_so(void **state)
{
	struct cfix *x = *state;
	struct wr r = { 0 };
	int64_t first = pod_put(x, "default/a", "", "");

	assert_int_equal(wr_do(x, &r, x->pods, "default/a", pod_json("default/a", "", "n"), 0), 1);
	assert_int_equal(r.w.failed, 0);
	assert_null(r.op.result);
	assert_int_equal(wr_do(x, &r, x->pods, "default/a", pod_json("default/a", "", "n"), first),
			 0);
	assert_int_equal(wr_do(x, &r, x->pods, "default/a", "", first), 1);
	assert_int_equal(item_revision(cache_get(x->pods, SLICE("default/a"))), first + 1);
	assert_int_equal(wr_do(x, &r, x->pods, "default/none", "", 5), 1);
	assert_int_equal(wr_do(x, &r, x->pods, "default/a", "", first + 1), 0);
	assert_int_equal(r.revision, first + 2);
	assert_non_null(strstr(r.json, "\"nodeName\":\"n\"")); /* its last state */
	assert_non_null(strstr(r.json, "\"resourceVersion\":\"4\""));
	assert_int_equal(cache_count(x->pods), 0);
}

static void several_objects_are_one_revision(void **state)
{
	struct cfix *x = *state;
	struct wr r = { 0 };
	struct cw c = { 0 };
	const char *node = "{\"kind\":\"Node\",\"apiVersion\":\"v1\",\"metadata\":{}}";
	struct cache_op ops[3] = {
		{ .cache = x->nodes, .key = SLICE("n1"), .json = slice_str(node) },
		{ .cache = x->pods,
		  .key = SLICE("a/a"),
		  .json = slice_str(pod_json("a/a", "", "")) },
		{ .cache = x->nodes, .key = SLICE("n2"), .json = slice_str(node), .expect = 9 },
	};

	cw_start(x, &c, "", 1);
	r.w = (struct cache_write){ .ops = ops, .n = 3, .done = on_write };
	cache_write(x->w, &r.w);
	wait_for(x->f, &r.done);
	assert_int_equal(r.w.result, 1);
	assert_int_equal(r.w.failed, 2);
	assert_int_equal(cache_count(x->nodes), 0);
	ops[2].expect = 0;
	r.done = false;
	cache_write(x->w, &r.w);
	wait_for(x->f, &r.done);
	assert_int_equal(r.w.result, 0);
	assert_int_equal(cache_count(x->nodes), 2);
	assert_int_equal(item_revision(cache_get(x->nodes, SLICE("n2"))), 2);
	assert_string_equal(buf_str(&c.text), "+a/a@2 ");
	ops[2].key = SLICE("n1"); /* twice */
	ops[2].expect = CACHE_ANY_REVISION;
	ops[0].expect = ops[1].expect = CACHE_ANY_REVISION;
	r.done = false;
	cache_write(x->w, &r.w);
	wait_for(x->f, &r.done);
	assert_err(&r.w.err, ERR_INVALID, "twice in a transaction");
	cw_stop(&c);
}

/* ---- watches ---- */

static struct selector only(struct selector_term *t, struct slice *value, const char *key,
			    const char *v)
{
	*value = slice_str(v);
	*t = (struct selector_term){ slice_str(key), SELECT_EQUAL, value, 1 };
	return (struct selector){ t, 1 };
}

/* Each stands in another list of the index. */
static void every_way_to_select_is_told_the_same(void **state)
{
	static const struct {
		const char *prefix, *key, *field, *value, *label, *want;
	} rows[] = {
		{ "", "", "", "", "", "+a/x@2 *a/x@3 +b/x@4 *b/x@5 +b/y@6 -a/x@7 " },
		{ "a/", "", "", "", "", "+a/x@2 *a/x@3 -a/x@7 " },
		{ "b/y", "", "", "", "", "+b/y@6 " },
		{ "", "b/x", "", "", "", "+b/x@4 *b/x@5 " },
		{ "", "", "metadata.name", "x", "", "+a/x@2 *a/x@3 +b/x@4 *b/x@5 -a/x@7 " },
		{ "b/", "", "metadata.name", "x", "", "+b/x@4 *b/x@5 " },
		{ "", "", "metadata.namespace", "b", "", "+b/x@4 *b/x@5 +b/y@6 " },
		{ "", "", "spec.nodeName", "n1", "", "+a/x@3 +b/x@4 -b/x@5 -a/x@7 " },
		{ "", "", "spec.host", "n2", "", "+b/x@5 +b/y@6 " },
		{ "", "", "spec.nodeName", "", "", "+a/x@2 -a/x@3 " },
		{ "", "", "spec.hostNetwork", "false", "",
		  "+a/x@2 *a/x@3 +b/x@4 *b/x@5 +b/y@6 -a/x@7 " },
		{ "b/", "", "spec.nodeName", "n2", "", "+b/x@5 +b/y@6 " },
		{ "", "", "spec.nodeName", "n2", "1", "+b/y@6 " },
		{ "", "", "", "", "1", "+a/x@2 -a/x@3 +b/y@6 " },
		{ "", "", "", "", "2", "+a/x@3 -a/x@7 " },
		{ "b/", "", "", "", "1", "+b/y@6 " },
		{ "", "", "spec.hostNetwork", "false", "2", "+a/x@3 -a/x@7 " },
	};
	struct cfix *x = *state;
	struct cw c[2][ARRAY_LEN(rows)] = { 0 };
	struct selector_term t[ARRAY_LEN(rows)], l[ARRAY_LEN(rows)];
	struct slice v[ARRAY_LEN(rows)], lv[ARRAY_LEN(rows)];
	struct selector fields[ARRAY_LEN(rows)], labels[ARRAY_LEN(rows)];

	for (size_t late = 0; late < 2; late++) { /* live, then from the window */
		for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
			struct cw *w = &c[late][i];

			fields[i] = only(&t[i], &v[i], rows[i].field, rows[i].value);
			labels[i] = only(&l[i], &lv[i], "app", rows[i].label);
			w->w.key = slice_str(rows[i].key);
			w->w.fields = *rows[i].field ? &fields[i] : NULL;
			w->w.labels = *rows[i].label ? &labels[i] : NULL;
			cw_start(x, w, rows[i].prefix, 1);
		}
		if (late)
			break;
		pod_put(x, "a/x", "{\"app\":\"1\"}", "");
		pod_put(x, "a/x", "{\"app\":\"2\"}", "n1");
		pod_put(x, "b/x", "", "n1");
		pod_put(x, "b/x", "", "n2");
		pod_put(x, "b/y", "{\"app\":\"1\"}", "n2");
		pod_del(x, "a/x");
	}
	settle(x);
	for (size_t late = 0; late < 2; late++)
		for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
			assert_string_equal(buf_str(&c[late][i].text), rows[i].want);
			assert_true(c[late][i].flushes > 0 && c[late][i].flushes <= c[late][i].n);
			assert_int_equal(cache_watch_revision(&c[late][i].w), 7);
			cw_stop(&c[late][i]);
			cw_stop(&c[late][i]); /* idempotent */
		}
	assert_int_equal(map_count(&x->pods->watches.groups), 0);
	assert_int_equal(x->pods->watches.n, 0);
}

static void a_watcher_without_room_goes_on_where_it_stood(void **state)
{
	struct cfix *x = *state;
	struct cw c = { .room = 2 };

	cw_start(x, &c, "", 1);
	for (unsigned i = 0; i < 5; i++)
		pod_put(x, "a/a", "", i % 2 ? "n1" : "n2");
	assert_string_equal(buf_str(&c.text), "+a/a@2 *a/a@3 ");
	assert_int_equal(cache_watch_revision(&c.w), 3);
	c.room = 1;
	cache_watch_resume(&c.w);
	assert_int_equal(c.n, 2); /* not within the call */
	settle(x);
	assert_int_equal(c.n, 3);
	c.room = -1;
	cache_watch_resume(&c.w);
	cache_watch_resume(&c.w);
	settle(x);
	assert_string_equal(buf_str(&c.text), "+a/a@2 *a/a@3 *a/a@4 *a/a@5 *a/a@6 ");
	assert_int_equal(cache_watch_revision(&c.w), 6);
	pod_del(x, "a/a");
	assert_int_equal(c.n, 6);
	cw_stop(&c);
}

static void a_watcher_that_the_window_passes_is_told_so(void **state)
{
	struct cfix *x = *state;
	struct cw c = { .room = 1 }, fast = { 0 };

	world_close(x);
	x->conf.window_changes = 3;
	world_open(x);
	cw_start(x, &c, "", 1);
	cw_start(x, &fast, "", 1);
	for (unsigned i = 0; i < 9; i++)
		pod_put(x, "a/a", "", i % 2 ? "n1" : "n2");
	assert_true(c.over);
	assert_err(&c.err, ERR_GONE, "too old resource version: ");
	assert_int_equal(c.n, 1);
	assert_int_equal(fast.n, 9);
	cw_stop(&c);
	assert_int_equal(cw_try(x, &c, "", 4), -ERR_GONE);
	assert_err(&x->err, ERR_GONE, "too old resource version: 4 (");
	cw_start(x, &c, "", 9);
	settle(x);
	assert_string_equal(buf_str(&c.text), "*a/a@10 ");
	cw_stop(&c);
	cw_stop(&fast);
}

static void a_watch_from_the_future_waits_for_it(void **state)
{
	struct cfix *x = *state;
	struct cw c = { 0 };

	cw_start(x, &c, "", 3);
	pod_put(x, "a/a", "", "");
	pod_put(x, "a/b", "", "");
	assert_int_equal(c.n, 0);
	assert_int_equal(cache_watch_revision(&c.w), 3);
	pod_put(x, "a/c", "", "");
	assert_string_equal(buf_str(&c.text), "+a/c@4 ");
	cw_stop(&c);
}

static int end_both(struct cache_watch *w, enum cache_change what, struct item *i)
{
	struct cw *c = CONTAINER_OF(w, struct cw, w);

	c->n++;
	cache_unwatch(&c[0].w);
	cache_unwatch(&(c->room == 7 ? c - 1 : c + 1)->w);
	return 1; /* it is over: nobody looks */
}

static void watches_end_within_their_callbacks(void **state)
{
	struct cfix *x = *state;
	struct cw c[2] = { { .room = 6 }, { .room = 7 } };

	for (size_t i = 0; i < 2; i++) {
		c[i].w.change = end_both;
		c[i].w.prefix = SLICE("");
		assert_int_equal(cache_watch(x->pods, &c[i].w, 1, &x->err), 0);
	}
	pod_put(x, "a/a", "", "");
	assert_int_equal(c[0].n + c[1].n, 1);
	assert_int_equal(x->pods->watches.n, 0);
	/* While catching up, too. */
	assert_int_equal(cache_watch(x->pods, &c[0].w, 1, &x->err), 0);
	settle(x);
	assert_int_equal(c[0].n + c[1].n, 2);
}

/* ---- lists and the past ---- */

static void assert_list(struct cache_view *v, const char *prefix, const char *from,
			const char *want)
{
	struct cache_iter it;
	struct buf text = BUF_INIT(1 << 16);
	struct item *i;
	size_t left, n = 0;

	cache_iter_init(&it, v, slice_str(prefix), slice_str(from));
	left = cache_iter_left(&it);
	for (; (i = cache_iter_next(&it)); n++)
		(void)buf_addf(&text, "%.*s@%lld ", (int)item_key(i).n, item_key(i).p,
			       (long long)item_revision(i));
	assert_int_equal(left, n);
	assert_int_equal(cache_iter_left(&it), 0);
	assert_string_equal(buf_str(&text), want);
	buf_fini(&text);
}

static void lists_are_in_order_and_begin_anywhere(void **state)
{
	static const char *const keys[] = { "b/1", "a/2", "ab/1", "a/1", "a-b/1", "a\xff/1" };
	struct cfix *x = *state;
	struct cache_view *v = cache_now(x->pods);

	assert_list(v, "", "", "");
	cache_view_unref(v);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		pod_put(x, keys[i], "", "");
	v = cache_now(x->pods);
	assert_list(v, "", "", "a-b/1@6 a/1@5 a/2@3 ab/1@4 a\xff/1@7 b/1@2 ");
	assert_list(v, "a/", "", "a/1@5 a/2@3 ");
	assert_list(v, "a/", "a/1a", "a/2@3 ");
	assert_list(v, "a/", "a/3", "");
	assert_list(v, "a/", "b", "");
	assert_list(v, "a\xff", "", "a\xff/1@7 ");
	assert_list(v, "\xff", "", "");
	assert_list(v, "b", "", "b/1@2 ");
	assert_list(v, "c", "", "");
	assert_list(v, "", "ab", "ab/1@4 a\xff/1@7 b/1@2 ");
	cache_view_unref(v);
}

static void views_stay_as_they_were(void **state)
{
	struct cfix *x = *state;
	struct cache_view *now, *then;
	struct cw c = { 0 };

	world_close(x);
	x->conf.window_changes = 4;
	world_open(x);
	pod_put(x, "a/a", "", "");
	pod_put(x, "a/b", "", "");
	now = cache_now(x->pods);
	assert_int_equal(cache_at(x->pods, 2, &then, &x->err), 0);
	assert_list(then, "", "", "a/a@2 ");
	cache_keep(then);
	cache_keep(then);
	cache_view_unref(then);
	for (unsigned i = 0; i < 8; i++)
		pod_put(x, "a/a", "", i % 2 ? "n1" : "n2");
	pod_del(x, "a/b");
	assert_list(now, "", "", "a/a@2 a/b@3 ");
	cache_view_unref(now);
	/* The window has forgotten it; it was kept. */
	assert_int_equal(cache_at(x->pods, 3, &now, &x->err), -ERR_GONE);
	assert_err(&x->err, ERR_GONE, "too old: 3 (");
	assert_int_equal(cache_at(x->pods, 2, &then, &x->err), 0);
	assert_list(then, "", "", "a/a@2 ");
	/* Its time is over. */
	then->until = 0;
	timer_set(&x->w->keep, 0);
	settle(x);
	assert_int_equal(x->w->nkept, 0);
	cache_view_unref(then);
	assert_int_equal(cache_at(x->pods, 2, &then, &x->err), -ERR_GONE);
	assert_int_equal(cache_at(x->pods, 10, &then, &x->err), 0);
	assert_list(then, "", "", "a/a@10 a/b@3 ");
	cache_view_unref(then);
	assert_int_equal(cache_at(x->pods, 99, &then, &x->err), -ERR_TIMEOUT);
	assert_err(&x->err, ERR_TIMEOUT, "Too large resource version: 99, current: 12");
	cw_stop(&c);
}

static void kept_views_that_hold_too_much_go(void **state)
{
	struct cfix *x = *state;
	struct cache_view *v;

	world_close(x);
	x->conf.window_bytes = 4096;
	world_open(x);
	pod_put(x, "a/a", "", "");
	v = cache_now(x->pods);
	cache_keep(v);
	cache_view_unref(v);
	assert_int_equal(x->w->nkept, 1);
	x->w->replaced_seen -= 2 << 20; /* as if a megabyte had been replaced */
	for (unsigned i = 0; i < 30; i++)
		pod_put(x, "a/a", "", i % 2 ? "n1" : "n2");
	x->w->replaced_seen -= 2 << 20;
	pod_put(x, "a/a", "", "");
	assert_int_equal(x->w->nkept, 0);
	for (unsigned i = 0; i < 1100; i++) {
		v = cache_now(x->pods);
		cache_keep(v);
		cache_view_unref(v);
	}
	assert_int_equal(x->w->nkept, 1024);
}

/* ---- caches come, change and go ---- */

static const struct api_group crd_group = { .group = "x.io",
					    .version = "v1",
					    .api_version = "x.io/v1" };
static const struct api_group crd_group2 = { .group = "x.io",
					     .version = "v2",
					     .api_version = "x.io/v2" };
static const char *const color[] = { ".spec.color", NULL };
static const struct api_kind crd = { .group = &crd_group, .kind = "T", .namespaced = true };
static const struct api_kind crd_color = {
	.group = &crd_group, .kind = "T", .namespaced = true, .selectable = color
};
static const struct api_kind crd2 = { .group = &crd_group2, .kind = "T", .namespaced = true };

#define T_JSON(v, c)                                                                             \
	"{\"kind\":\"T\",\"apiVersion\":\"x.io/" v "\",\"metadata\":{},\"spec\":{\"color\":\"" c \
	"\"}}"

/* The other version in the place of the one that is stored. */
static int to_v2(void *arg, const struct api_kind *kind, struct slice bytes, struct buf *out,
		 struct err *err)
{
	const char *at = memmem(bytes.p, bytes.n, "x.io/v1", 7);

	if (!at)
		return err_set(err, ERR_INVALID, "no version");
	(void)buf_add(out, bytes.p, (size_t)(at - bytes.p));
	(void)buf_adds(out, "x.io/v2");
	return buf_add(out, at + 7, bytes.n - (size_t)(at - bytes.p) - 7);
}

static void wait_ready(struct cfix *x, struct cache *c)
{
	while (!cache_ready(c))
		assert_true(loop_step(x->f->loop, NS_PER_SEC, &x->err) >= 0);
}

static void a_cache_may_come_later(void **state)
{
	struct cfix *x = *state;
	struct cw c = { 0 };
	struct wr r[4] = { 0 };
	struct cache *pods = x->pods, *t;

	put(x->f, "/registry/x.io/ts/a/old", T_JSON("v1", "red"));
	put(x->f, "/registry/x.io/ts/a/old", T_JSON("v1", "blue"));
	put(x->f, "/registry/x.io/ts", "not within");
	t = world_add(x->w, &(struct cache_conf){
				    .prefix = "/registry/x.io/ts/", .kind = &crd, .arg = x });
	assert_ptr_equal(cache_arg(t), x);
	assert_false(cache_ready(t));
	x->pods = t; /* the watches' */
	assert_int_equal(cw_try(x, &c, "", 2), -ERR_UNAVAILABLE);
	assert_err(&x->err, ERR_UNAVAILABLE, "is not read yet");
	/* Some of these come while it is read. */
	wr_start(x, &r[0], t, "a/new", T_JSON("v1", "red"), 0);
	wr_start(x, &r[1], t, "a/old", "", CACHE_ANY_REVISION);
	for (size_t i = 0; i < 2; i++)
		wait_for(x->f, &r[i].done);
	wait_ready(x, t);
	assert_int_equal(cache_count(t), 1);
	cw_start(x, &c, "", 2);
	settle(x);
	assert_non_null(strstr(buf_str(&c.text), "*a/old@3 "));
	assert_non_null(strstr(buf_str(&c.text), "-a/old@"));
	assert_non_null(strstr(buf_str(&c.text), "+a/new@"));
	assert_int_equal(c.n, 3);
	x->pods = pods;
	cw_stop(&c);
}

/* ---- several changes of one revision ---- */

static int64_t lease_of(struct cfix *x, int64_t ttl)
{
	struct lse l = { .l = { .ttl = ttl } };

	assert_int_equal(lease(x->f, &l), 0);
	return l.l.id;
}

static void lease_ends(struct cfix *x, int64_t id)
{
	struct lse l = { .l = { .id = id } };

	assert_int_equal(lease(x->f, &l), 0);
	settle(x);
}

static void put_leased(struct cfix *x, const char *key, int64_t id)
{
	char at[128];

	snprintf(at, sizeof(at), "/registry/pods/%s", key);
	(void)put_lease(x->f, at, pod_json(key, "", ""), id);
}

#define THREE_GO "-a/a@6 -a/b@6 -b/c@6 "

static void keys_of_a_lease_go_at_one_revision(void **state)
{
	struct cfix *x = *state;
	struct cw all = { 0 }, slow = { 0 }, one = { 0 }, late = { 0 }, past = { 0 };
	const int64_t id = lease_of(x, 60);
	struct cache_view *v;

	cw_start(x, &all, "", 1);
	cw_start(x, &slow, "", 1);
	cw_start(x, &one, "b/", 1);
	put_leased(x, "a/a", id);
	put_leased(x, "a/b", id);
	put_leased(x, "b/c", id);
	pod_put(x, "b/d", "", "");
	assert_int_equal(world_revision(x->w), 5);
	slow.room = 2; /* of the three */
	lease_ends(x, id);
	assert_int_equal(world_revision(x->w), 6);
	assert_string_equal(buf_str(&all.text), "+a/a@2 +a/b@3 +b/c@4 +b/d@5 " THREE_GO);
	assert_int_equal(cache_watch_revision(&all.w), 6);
	assert_false(cache_watch_is_within(&all.w));
	assert_string_equal(buf_str(&one.text), "+b/c@4 +b/d@5 -b/c@6 ");
	/* A bookmark must not say 6 before all of it was told. */
	assert_non_null(strstr(buf_str(&slow.text), "-a/a@6 -a/b@6 "));
	assert_null(strstr(buf_str(&slow.text), "-b/c@6 "));
	assert_int_equal(cache_watch_revision(&slow.w), 5);
	assert_true(cache_watch_is_within(&slow.w));
	slow.room = -1;
	cache_watch_resume(&slow.w);
	settle(x);
	assert_string_equal(buf_str(&slow.text), buf_str(&all.text));
	assert_int_equal(cache_watch_revision(&slow.w), 6);
	assert_false(cache_watch_is_within(&slow.w));
	/* Who comes back: all of it, or nothing. */
	cw_start(x, &late, "", 5);
	cw_start(x, &past, "", 6);
	settle(x);
	assert_string_equal(buf_str(&late.text), THREE_GO);
	assert_int_equal(past.n, 0);
	assert_int_equal(cache_at(x->pods, 5, &v, &x->err), 0);
	assert_list(v, "", "", "a/a@2 a/b@3 b/c@4 b/d@5 ");
	cache_view_unref(v);
	assert_int_equal(cache_at(x->pods, 6, &v, &x->err), 0);
	assert_list(v, "", "", "b/d@5 ");
	cache_view_unref(v);
	cw_stop(&all);
	cw_stop(&slow);
	cw_stop(&one);
	cw_stop(&late);
	cw_stop(&past);
}

/* The window forgets a part of a revision: nobody goes on from before it. */
static void a_revision_is_whole_in_the_window_or_gone(void **state)
{
	struct cfix *x = *state;
	struct cw slow = { .room = 1 }, c = { 0 };
	const int64_t id = lease_of(x, 60);
	struct cache_view *v;

	x->conf.window_changes = 2;
	world_again(x);
	put_leased(x, "a/a", id);
	put_leased(x, "a/b", id);
	put_leased(x, "b/c", id);
	cw_start(x, &slow, "", 4);
	lease_ends(x, id);
	assert_string_equal(buf_str(&slow.text), "-a/a@5 ");
	assert_true(cache_watch_is_within(&slow.w));
	pod_put(x, "z/z", "", ""); /* trims the window */
	pod_put(x, "z/z", "", "n");
	assert_int_equal(cw_try(x, &c, "", 4), -ERR_GONE);
	assert_int_equal(cache_at(x->pods, 4, &v, &x->err), -ERR_GONE);
	assert_int_equal(cw_try(x, &c, "", 5), 0);
	settle(x);
	assert_string_equal(buf_str(&c.text), "+z/z@6 *z/z@7 ");
	assert_true(slow.over); /* the window has passed it */
	assert_err(&slow.err, ERR_GONE, "too old resource version: 4 (");
	cw_stop(&c);
	cw_stop(&slow);
}

struct late {
	struct world_wait wait;
	bool done;
	int result;
};

static void on_late(struct world_wait *w, int result, struct err *err)
{
	struct late *l = CONTAINER_OF(w, struct late, wait);

	(void)err;
	l->done = true;
	l->result = result;
}

static void who_asks_a_late_cache_waits(void **state)
{
	struct cfix *x = *state;
	struct late l[4] = { 0 };
	struct cache *t, *gone;

	for (size_t i = 0; i < ARRAY_LEN(l); i++)
		l[i].wait.done = on_late;
	t = world_add(x->w, &(struct cache_conf){ .prefix = "/registry/x.io/ts/", .kind = &crd });
	gone = world_add(x->w,
			 &(struct cache_conf){ .prefix = "/registry/x.io/us/", .kind = &crd });
	assert_false(cache_ready(t));
	cache_wait(t, &l[0].wait);
	cache_wait(t, &l[1].wait);
	cache_wait(gone, &l[2].wait);
	world_unwait(&l[1].wait);
	world_remove(x->w, gone);
	assert_false(l[2].done); /* not within the call */
	wait_for(x->f, &l[2].done);
	assert_int_equal(l[2].result, 0);
	wait_for(x->f, &l[0].done);
	assert_int_equal(l[0].result, 0);
	assert_true(cache_ready(t));
	assert_false(l[1].done);
	cache_wait(t, &l[3].wait); /* is ready */
	assert_false(l[3].done);
	wait_for(x->f, &l[3].done);
	assert_int_equal(l[3].result, 0);
}

static void a_cache_that_goes_ends_its_watches(void **state)
{
	struct cfix *x = *state;
	struct cw c = { 0 }, slow = { .room = 1 };
	struct cache_view *v, *kept;
	struct wr r = { 0 };
	struct cache *pods = cache_ref(x->pods);

	pod_put(x, "a/a", "", "");
	cw_start(x, &c, "", 1);
	cw_start(x, &slow, "", 1);
	v = cache_now(x->pods);
	kept = cache_now(x->pods);
	cache_keep(kept);
	cache_view_unref(kept);
	settle(x);
	world_remove(x->w, x->pods);
	assert_false(c.over); /* not within the call */
	assert_int_equal(wr_do(x, &r, pods, "a/b", pod_json("a/b", "", ""), 0), -ERR_UNAVAILABLE);
	assert_err(&r.w.err, ERR_UNAVAILABLE, "no longer served");
	assert_true(c.over && slow.over);
	assert_err(&c.err, ERR_GONE, "/registry/pods/ is no longer served");
	assert_list(v, "", "", "a/a@2 ");
	cache_view_unref(v);
	assert_int_equal(x->w->nkept, 0);
	assert_int_equal(x->w->ncaches, 1);
	cache_unref(pods);
	cw_stop(&c);
	cw_stop(&slow);
}

static void a_kind_that_changes_is_indexed_anew(void **state)
{
	struct cfix *x = *state;
	struct cw c = { 0 };
	struct wr r = { 0 };
	struct selector_term t;
	struct slice v;
	struct selector red = only(&t, &v, "spec.color", "red");
	struct cache *pods = x->pods;
	struct item *i;

	x->pods = world_add(x->w, &(struct cache_conf){ .prefix = "/registry/x.io/ts/",
							.kind = &crd,
							.form = { .foreign = to_v2 } });
	wait_ready(x, x->pods);
	assert_int_equal(wr_do(x, &r, x->pods, "a/a", T_JSON("v1", "red"), 0), 0);
	assert_int_equal(wr_do(x, &r, x->pods, "a/b", T_JSON("v1", "blue"), 0), 0);
	cw_start(x, &c, "", 3);
	cache_set_kind(x->pods, &crd); /* nothing that matters to items */
	assert_false(item_match(cache_get(x->pods, SLICE("a/a")), NULL, &red));
	cache_set_kind(x->pods, &crd_color);
	settle(x);
	assert_true(c.over);
	assert_err(&c.err, ERR_GONE, "the definition of /registry/x.io/ts/ changed");
	i = cache_get(x->pods, SLICE("a/a"));
	assert_true(item_match(i, NULL, &red));
	assert_int_equal(item_revision(i), 2);
	assert_false(item_match(cache_get(x->pods, SLICE("a/b")), NULL, &red));
	cw_stop(&c);
	cw_start(x, &c, "", 3);
	/* Another version is stored from now on: what is there is told in it. */
	cache_set_kind(x->pods, &crd2);
	settle(x);
	assert_true(slice_starts(item_json(cache_get(x->pods, SLICE("a/b"))),
				 SLICE("{\"kind\":\"T\",\"apiVersion\":\"x.io/v2\",\"metadata\":{"
				       "\"resourceVersion\":\"3\"},")));
	assert_int_equal(cache_count(x->pods), 2);
	cw_stop(&c);
	/* While it is read. */
	world_remove(x->w, x->pods);
	x->pods = world_add(x->w,
			    &(struct cache_conf){ .prefix = "/registry/x.io/ts/", .kind = &crd });
	cache_set_kind(x->pods, &crd_color);
	wait_ready(x, x->pods);
	assert_true(item_match(cache_get(x->pods, SLICE("a/a")), NULL, &red));
	x->pods = pods;
}

/* Every byte but one is another; the first tells that it is sealed. */
static int flip(struct slice in, struct buf *out)
{
	for (size_t i = 0; i < in.n; i++)
		(void)buf_addc(out, (char)(in.p[i] ^ 0x55));
	return out->full ? -ERR_QUOTA : 0;
}

static int opened(void *arg, struct slice key, struct slice stored, struct buf *out, bool *ret_used,
		  struct err *err)
{
	assert_true(slice_starts(key, SLICE("/registry/x.io/ts/")));
	if (stored.n && stored.p[0] == '!')
		return err_set(err, ERR_INVALID, "no key opens it");
	*ret_used = stored.n && stored.p[0] != '{';
	return *ret_used ? flip(stored, out) : 0;
}

static int sealed(void *arg, struct slice key, struct slice open, struct buf *out, bool *ret_used,
		  struct err *err)
{
	assert_true(slice_starts(key, SLICE("/registry/x.io/ts/")));
	if (slice_has_text(open, SLICE("unsealable")))
		return err_set(err, ERR_SYSTEM, "no key");
	*ret_used = !slice_has_text(open, SLICE("plain"));
	return *ret_used ? flip(open, out) : 0;
}

static void values_may_be_sealed_in_the_store(void **state)
{
	struct cfix *x = *state;
	struct wr r = { 0 };
	struct rng read = { .r = { .prefix = SLICE("/registry/x.io/ts/"), .limit = 1 } };
	struct cache *t =
		world_add(x->w, &(struct cache_conf){ .prefix = "/registry/x.io/ts/",
						      .kind = &crd,
						      .form = { .open = opened, .seal = sealed } });

	wait_ready(x, t);
	assert_int_equal(wr_do(x, &r, t, "a/a", T_JSON("v1", "red"), 0), 0);
	assert_non_null(strstr(r.json, "\"color\":\"red\""));
	assert_int_equal(range(x->f, &read), 0);
	assert_null(strstr(buf_str(&read.text), "red"));
	buf_fini(&read.text);
	assert_int_equal(wr_do(x, &r, t, "a/b", T_JSON("v1", "plain"), 0), 0);
	assert_int_equal(wr_do(x, &r, t, "a/c", T_JSON("v1", "unsealable"), 0), -ERR_SYSTEM);
	assert_err(&r.w.err, ERR_SYSTEM, "key '/registry/x.io/ts/a/c': no key");
	put(x->f, "/registry/x.io/ts/a/d", "!");
	pod_put(x, "a/a", "", "");
	assert_err(world_error(x->w), ERR_INVALID, "key '/registry/x.io/ts/a/d': no key opens it");
	assert_int_equal(cache_count(t), 2);
}

static void a_world_may_seal_all_that_has_no_form(void **state)
{
	const struct cache_form all = { .open = opened, .seal = sealed };
	const struct cache_conf t_conf = { .prefix = "/registry/x.io/ts/", .kind = &crd };
	struct cfix *x = *state;
	struct rng read = { .r = { .prefix = SLICE("/registry/x.io/ts/"), .limit = 1 } };
	struct wr r = { 0 };
	struct cache *t;

	world_close(x);
	x->conf.sealing = &all;
	world_open(x);
	x->conf.sealing = NULL;
	t = world_add(x->w, &t_conf);
	wait_ready(x, t);
	assert_int_equal(wr_do(x, &r, t, "a/a", T_JSON("v1", "red"), 0), 0);
	assert_int_equal(range(x->f, &read), 0);
	assert_null(strstr(buf_str(&read.text), "red"));
	buf_fini(&read.text);
	assert_non_null(strstr(r.json, "\"color\":\"red\""));
}

static void caches_within_others_get_their_own_keys(void **state)
{
	struct cfix *x = *state;
	const struct cache_conf outer = { .prefix = "/registry/x", .kind = &pod_kind };
	const struct cache_conf inner = { .prefix = "/registry/x/pods/", .kind = &pod_kind };
	struct cache *o = world_add(x->w, &outer), *i = world_add(x->w, &inner);
	struct slice key;

	assert_ptr_equal(world_route(x->w, SLICE("/registry/x/pods/a/b"), &key), i);
	assert_true(slice_is(key, "a/b"));
	assert_ptr_equal(world_route(x->w, SLICE("/registry/x/pods"), &key), o);
	assert_ptr_equal(world_route(x->w, SLICE("/registry/x/z"), &key), o);
	assert_ptr_equal(world_route(x->w, SLICE("/registry/x/pods/c"), &key), i);
	assert_ptr_equal(world_route(x->w, SLICE("/registry/pods/a/b"), &key), x->pods);
	assert_null(world_route(x->w, SLICE("/registry/w"), &key));
	assert_null(world_route(x->w, SLICE("/"), &key));
	world_remove(x->w, o);
	assert_null(world_route(x->w, SLICE("/registry/x/z"), &key));
}

static void figures_are_told(void **state)
{
	struct cfix *x = *state;
	struct cw c = { 0 };
	struct cache_stats s, all;

	cw_start(x, &c, "", 1);
	pod_put(x, "a/a", "", "");
	pod_put(x, "a/b", "", "");
	pod_put(x, "a/b", "", "n1");
	cache_get_stats(x->pods, &s);
	assert_int_equal(s.objects, 2);
	assert_int_equal(s.watches, 1);
	assert_int_equal(s.changes, 3);
	assert_int_equal(s.window, 3);
	assert_int_equal(s.oldest, 1);
	assert_true(s.json_bytes > 200 && s.memory_bytes > s.json_bytes);
	assert_true(s.window_bytes > 0);
	world_get_stats(x->w, &all);
	assert_int_equal(all.objects, 2);
	pod_del(x, "a/a");
	pod_del(x, "a/b");
	cache_get_stats(x->pods, &s);
	assert_int_equal(s.objects + s.json_bytes + s.memory_bytes, 0);
	cw_stop(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, cache_setup, cache_teardown)
		T(a_write_is_in_the_cache_when_it_is_done),
		T(watchers_are_told_of_what_concerns_them),
		T(a_restart_has_everything_and_the_past),
		T(a_write_of_what_is_otherwise_is_told_so),
		T(several_objects_are_one_revision),
		T(every_way_to_select_is_told_the_same),
		T(a_watcher_without_room_goes_on_where_it_stood),
		T(a_watcher_that_the_window_passes_is_told_so),
		T(a_watch_from_the_future_waits_for_it),
		T(watches_end_within_their_callbacks),
		T(lists_are_in_order_and_begin_anywhere),
		T(views_stay_as_they_were),
		T(kept_views_that_hold_too_much_go),
		T(keys_of_a_lease_go_at_one_revision),
		T(a_revision_is_whole_in_the_window_or_gone),
		T(a_cache_may_come_later),
		T(who_asks_a_late_cache_waits),
		T(a_cache_that_goes_ends_its_watches),
		T(a_kind_that_changes_is_indexed_anew),
		T(values_may_be_sealed_in_the_store),
		T(a_world_may_seal_all_that_has_no_form),
		T(caches_within_others_get_their_own_keys),
		T(figures_are_told),
	};

	log_setup("test", -1, LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
