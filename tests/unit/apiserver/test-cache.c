/* SPDX-License-Identifier: Apache-2.0 */
/* The cache over a real store: reads, writes, the past, restart, failures. */
#include "cache-fix.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, cache_setup, cache_teardown)
		T(a_write_is_in_the_cache_when_it_is_done),
		T(watchers_are_told_of_what_concerns_them),
		T(a_restart_has_everything_and_the_past),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
