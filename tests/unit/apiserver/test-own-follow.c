/* SPDX-License-Identifier: Apache-2.0 */
/* What follows objects and writes: keys once, a few at a time, failures again, the end. */
#include "rest-fix.h"

#include "apiserver/strategy/own-follow.h"

#define MAPS "/api/v1/namespaces/n1/configmaps"

struct follower {
	struct own_follow f;
	struct rfix *x;
	struct doc want;
	int runs, updates, failures, most, ended, rested;
	bool other_writes, adds_again, removes;
	struct cache_write write; /* of another, in between */
	struct cache_op op;
	struct buf json;
	bool written;
};

static struct follower *of(struct own_follow *f)
{
	return CONTAINER_OF(f, struct follower, f);
}

static void on_other(struct cache_write *w)
{
	struct follower *g = CONTAINER_OF(w, struct follower, write);

	assert_int_equal(w->result, 0);
	g->written = true;
}

/* Somebody else's change of n1/m, which is there before ours. */
static void write_between(struct follower *g)
{
	struct collection *o = resources_objects(g->x->rs, "", "configmaps");
	struct item *i = cache_get(o->cache, SLICE("n1/m"));

	g->json = BUF_INIT(1u << 20);
	(void)buf_adds(&g->json, "{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"metadata\":{"
				 "\"name\":\"m\",\"namespace\":\"n1\",\"uid\":\"u\","
				 "\"creationTimestamp\":\"2026-01-01T00:00:00Z\"},"
				 "\"data\":{\"other\":\"1\"}}");
	g->op = (struct cache_op){ .cache = o->cache,
				   .key = SLICE("n1/m"),
				   .json = buf_slice(&g->json),
				   .expect = item_revision(i) };
	g->write = (struct cache_write){ .ops = &g->op, .n = 1, .done = on_other };
	cache_write(resources_world(g->x->rs), &g->write);
}

static int update(struct own_put *p, struct arena *a, struct doc *obj, const struct doc *want,
		  struct err *err)
{
	struct own_task *t = p->arg;
	struct follower *g = of(t->f);
	char text[32];

	(void)want;
	g->updates++;
	g->most = MAX(g->most, (int)g->f.running);
	if (g->failures && g->failures--)
		return err_set(err, ERR_UNAVAILABLE, "not now");
	if (STEAL(g->other_writes))
		write_between(g);
	if (STEAL(g->adds_again))
		own_follow_add(t->f, slice_str(t->key));
	if (g->removes)
		return own_delete(p, a, obj, err);
	(void)snprintf(text, sizeof(text), "%d", g->runs);
	doc_set_str(a, doc_set_object(a, obj, "data"), "runs", text);
	return OWN_CHANGED;
}

static int run(struct own_task *t, struct err *err)
{
	struct follower *g = of(t->f);

	(void)err;
	g->runs++;
	t->put = (struct own_put){ .group = "",
				   .resource = "configmaps",
				   .namespace_ = "n1",
				   .name = t->key,
				   .want = &g->want,
				   .only_there = true,
				   .update = update };
	own_task_put(t);
	return OWN_WRITES;
}

static void on_change(struct own_follow *f, enum cache_change what, struct item *i)
{
	if (what == CACHE_ADDED)
		own_follow_add(f, item_name(i));
}

static void on_over(struct own_follow *f)
{
	of(f)->ended++;
}

static void on_rest(struct own_follow *f)
{
	of(f)->rested++;
}

static const struct own_source maps = { "", "configmaps", on_change, NULL, false };

static void start(struct follower *g, struct rfix *x)
{
	struct err err = ERR_INIT;

	g->x = x;
	g->want = doc_object();
	g->f = (struct own_follow){ .loop = x->f->loop,
				    .rs = x->rs,
				    .what = "maps",
				    .sources = &maps,
				    .n = 1,
				    .at_once = 3,
				    .run = run,
				    .rest = on_rest,
				    .end = on_over };
	if (own_follow_start(&g->f, &err) < 0)
		fail_msg("%s", err.msg);
}

static void step(struct follower *g)
{
	assert_true(loop_step(g->x->f->loop, 5 * NS_PER_SEC, NULL) >= 0);
}

static void settle(struct follower *g)
{
	for (int i = 0; !own_follow_idle(&g->f) || !g->rested; i++) {
		if (i > 100000)
			fail_msg("it does not come to rest");
		step(g);
	}
}

static void stop(struct follower *g)
{
	own_follow_stop(&g->f);
	assert_int_equal(g->ended, 1);
	buf_fini(&g->json);
}

static void has(struct rfix *x, const char *text)
{
	(void)get(x, MAPS "/m");
	assert_code(x, 200);
	assert_has(x, text);
}

static void set_up(struct rfix *x)
{
	make_namespace(x, "n1");
	make_map(x, "m", "v");
}

static void a_key_is_done_once_however_often_it_is_added(void **state)
{
	struct follower g = { 0 };

	set_up(*state);
	start(&g, *state);
	for (int i = 0; i < 5; i++)
		own_follow_add(&g.f, SLICE("m"));
	own_follow_add_later(&g.f, SLICE("m"));
	settle(&g);
	assert_int_equal(g.runs, 1);
	assert_true(g.rested > 0);
	has(*state, "\"runs\":\"1\"");
	stop(&g);
}

static void what_is_not_there_is_nothing_to_do(void **state)
{
	struct follower g = { 0 };

	make_namespace(*state, "n1");
	start(&g, *state);
	own_follow_add(&g.f, SLICE("none"));
	settle(&g);
	assert_int_equal(g.runs, 1);
	assert_int_equal(g.updates, 0);
	stop(&g);
}

static void a_few_are_done_at_a_time(void **state)
{
	struct follower g = { 0 };

	set_up(*state);
	for (int i = 0; i < 40; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "m%d", i);
		make_map(*state, name, "v");
	}
	start(&g, *state);
	settle(&g);
	assert_int_equal(g.runs, 41);
	assert_int_equal(g.most, 3);
	stop(&g);
}

static void what_failed_is_done_again(void **state)
{
	struct follower g = { .failures = 2 };

	set_up(*state);
	start(&g, *state);
	settle(&g);
	assert_int_equal(g.runs, 3);
	has(*state, "\"runs\":\"3\"");
	stop(&g);
}

static void a_change_brings_what_failed_to_its_turn(void **state)
{
	struct follower g = { .failures = 1 };

	set_up(*state);
	start(&g, *state);
	while (!g.updates)
		step(&g);
	assert_false(own_follow_idle(&g.f));
	own_follow_add(&g.f, SLICE("m"));
	settle(&g);
	assert_int_equal(g.runs, 2);
	stop(&g);
}

static void a_conflict_looks_again_at_what_is_there(void **state)
{
	struct follower g = { .other_writes = true };

	set_up(*state);
	start(&g, *state);
	settle(&g);
	assert_true(g.written);
	assert_int_equal(g.runs, 1);
	assert_int_equal(g.updates, 2);
	has(*state, "\"runs\":\"1\"");
	stop(&g);
}

static void what_is_added_while_it_is_done_is_done_once_more(void **state)
{
	struct follower g = { .adds_again = true };

	set_up(*state);
	start(&g, *state);
	settle(&g);
	assert_int_equal(g.runs, 2);
	stop(&g);
}

static void the_end_waits_for_a_write_that_is_out(void **state)
{
	struct follower g = { 0 };

	set_up(*state);
	make_map(*state, "other", "v");
	start(&g, *state);
	own_follow_add_later(&g.f, SLICE("never"));
	g.f.at_once = 1;
	while (!g.updates)
		step(&g);
	assert_int_equal(g.f.running, 1);
	own_follow_stop(&g.f);
	own_follow_stop(&g.f);
	own_follow_add(&g.f, SLICE("late"));
	assert_int_equal(g.ended, 0);
	while (!g.ended)
		step(&g);
	assert_int_equal(g.runs, 1);
	has(*state, "\"runs\":\"1\"");
	stop(&g);
}

static void a_deletion_removes_or_marks(void **state)
{
	struct follower g = { .removes = true };
	struct rfix *x = *state;

	set_up(x);
	post(x, MAPS, "{\"metadata\":{\"name\":\"held\",\"finalizers\":[\"a.example/b\"]}}");
	assert_code(x, 201);
	start(&g, x);
	settle(&g);
	(void)get(x, MAPS "/m");
	assert_code(x, 404);
	(void)get(x, MAPS "/held");
	assert_code(x, 200);
	assert_has(x, "\"deletionTimestamp\":\"");
	own_follow_add(&g.f, SLICE("held"));
	settle(&g);
	stop(&g);
}

static void what_is_not_served_is_not_followed(void **state)
{
	static const struct own_source sources[] = {
		{ "", "configmaps", on_change, NULL, false },
		{ "", "nothings", on_change, NULL, false },
	};
	struct follower g = { 0 };
	struct rfix *x = *state;
	struct err err = ERR_INIT;

	g.f = (struct own_follow){
		.loop = x->f->loop, .rs = x->rs, .sources = sources, .n = 2, .end = on_over
	};
	assert_int_equal(own_follow_start(&g.f, &err), -ERR_NOT_FOUND);
	assert_string_equal(err.msg, "nothings are not served");
	assert_int_equal(g.ended, 0);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, rest_setup, rest_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_key_is_done_once_however_often_it_is_added),
		CASE(what_is_not_there_is_nothing_to_do),
		CASE(a_few_are_done_at_a_time),
		CASE(what_failed_is_done_again),
		CASE(a_change_brings_what_failed_to_its_turn),
		CASE(a_conflict_looks_again_at_what_is_there),
		CASE(what_is_added_while_it_is_done_is_done_once_more),
		CASE(the_end_waits_for_a_write_that_is_out),
		CASE(a_deletion_removes_or_marks),
		CASE(what_is_not_served_is_not_followed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
