/* SPDX-License-Identifier: Apache-2.0 */
/* The ring of events and its watchers. */
#include "engine/private.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct seen {
	struct event_watch watch;
	unsigned n;
	char last[64], value[64];
	uint64_t first_seq, last_seq;
};

static void note(struct seen *s, const struct event *ev)
{
	if (!s->n++)
		s->first_seq = ev->seq;
	s->last_seq = ev->seq;
	str_copy(s->last, sizeof(s->last), ev->action);
	str_copy(s->value, sizeof(s->value), ev->nattrs ? ev->attrs[0].value : "");
}

static void on_event(struct event_watch *w, const struct event *ev)
{
	note(CONTAINER_OF(w, struct seen, watch), ev);
}

static void on_replay(void *arg, const struct event *ev)
{
	note(arg, ev);
}

static void a_watcher_sees_each_event_once(void **state)
{
	struct engine e = { 0 };
	struct seen s = { .watch.fn = on_event };
	char value[] = "one";
	const struct event_attr attr = { "k", value };

	(void)state;
	assert_int_equal(events_init(&e), 0);
	engine_events_watch(&e, &s.watch);
	engine_event(&e, "container", "start", "id", &attr, 1);
	memset(value, 'x', sizeof(value) - 1); /* the event has its own copy */
	assert_int_equal(s.n, 1);
	assert_string_equal(s.last, "start");
	assert_string_equal(s.value, "one");
	engine_events_unwatch(&s.watch);
	engine_events_unwatch(&s.watch);
	engine_event(&e, "container", "die", "id", NULL, 0);
	assert_int_equal(s.n, 1);
	events_fini(&e);
}

static void the_ring_keeps_the_newest(void **state)
{
	struct engine e = { .conf.event_ring = 8 };
	struct seen s = { 0 };
	char action[32];

	(void)state;
	assert_int_equal(events_init(&e), 0);
	for (int i = 0; i < 20; i++) {
		(void)snprintf(action, sizeof(action), "a%d", i);
		engine_event(&e, "t", action, "id", NULL, 0);
	}
	engine_events_replay(&e, 0, on_replay, &s);
	assert_int_equal(s.n, 8);
	assert_int_equal(s.first_seq, 13);
	assert_int_equal(s.last_seq, 20);
	assert_string_equal(s.last, "a19");
	s = (struct seen){ 0 };
	engine_events_replay(&e, INT64_MAX, on_replay, &s);
	assert_int_equal(s.n, 0);
	events_fini(&e);
}

static void an_empty_ring_replays_nothing(void **state)
{
	struct engine e = { 0 };
	struct seen s = { 0 };

	(void)state;
	assert_int_equal(events_init(&e), 0);
	engine_events_replay(&e, 0, on_replay, &s);
	assert_int_equal(s.n, 0);
	events_fini(&e);
}

static void made_up_names_are_valid_and_odd_ones_are_not(void **state)
{
	static const char *const bad[] = { "", "a", "-ab", ".ab", "a b", "a/b", "ab\n", "_ab" };
	char name[64], longest[300];

	(void)state;
	for (int i = 0; i < 200; i++) {
		name_generate(name);
		assert_true(name_valid(name));
		assert_non_null(strchr(name, '_'));
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(name_valid(bad[i]));
	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_false(name_valid(longest));
	longest[255] = '\0';
	assert_true(name_valid(longest));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_watcher_sees_each_event_once),
		cmocka_unit_test(the_ring_keeps_the_newest),
		cmocka_unit_test(an_empty_ring_replays_nothing),
		cmocka_unit_test(made_up_names_are_valid_and_odd_ones_are_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
