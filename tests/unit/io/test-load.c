/* SPDX-License-Identifier: Apache-2.0 */
/* Histograms, pacing with a clock of our own, and short runs against a server in this process's
 * neighbour. */
#include "io-test.h"
#include "io/histogram.h"
#include "io/load.h"

#include <math.h>
#include <signal.h>
#include <sys/wait.h>

/* ---- histograms ---- */

static void small_values_are_exact(void **state)
{
	CLEANUP(histogram_free) struct histogram *h = histogram_new();

	assert_int_equal(histogram_percentile(h, 50), 0);
	assert_int_equal(histogram_max(h), 0);
	for (int64_t v = 1; v <= 1000; v++)
		histogram_record(h, v);
	assert_int_equal(histogram_count(h), 1000);
	assert_int_equal(histogram_min(h), 1);
	assert_int_equal(histogram_max(h), 1000);
	assert_int_equal(histogram_percentile(h, 50), 500);
	assert_int_equal(histogram_percentile(h, 99.9), 999);
	assert_int_equal(histogram_percentile(h, 100), 1000);
	assert_int_equal(histogram_percentile(h, 0), 1);
	assert_true(fabs(histogram_mean(h) - 500.5) < 1e-9);
	assert_true(fabs(histogram_stddev(h) - 288.675) < 0.001);
}

static void every_value_is_kept_to_three_digits(void **state)
{
	for (int64_t v = 1; v < HISTOGRAM_MAX; v += v / 3 + 1) {
		CLEANUP(histogram_free) struct histogram *h = histogram_new();
		int64_t p;

		histogram_record(h, v);
		histogram_record(h, HISTOGRAM_MAX);
		p = histogram_percentile(h, 50);
		if (p < v || p - v > v / 1000)
			fail_msg("%lld is told as %lld", (long long)v, (long long)p);
		v += v / 7;
	}
}

static void what_is_out_of_range_counts_at_its_end(void **state)
{
	CLEANUP(histogram_free) struct histogram *h = histogram_new();

	histogram_record(h, -5);
	histogram_record(h, INT64_MAX);
	assert_int_equal(histogram_min(h), 0);
	assert_int_equal(histogram_max(h), HISTOGRAM_MAX);
	assert_int_equal(histogram_percentile(h, 100), HISTOGRAM_MAX);
	histogram_clear(h);
	assert_int_equal(histogram_count(h), 0);
}

static void merging_is_as_recording_into_one(void **state)
{
	CLEANUP(histogram_free)
	struct histogram *a = histogram_new(), *b = histogram_new(), *all = histogram_new();
	int64_t v = 1;

	for (int i = 0; i < 5000; i++) {
		v = v * 48271 % 2147483647;
		histogram_record(i & 1 ? a : b, v);
		histogram_record(all, v);
	}
	histogram_merge(a, b);
	for (double p = 0; p <= 100; p += 0.5)
		assert_int_equal(histogram_percentile(a, p), histogram_percentile(all, p));
	assert_int_equal(histogram_count(a), 5000);
	assert_int_equal(histogram_min(a), histogram_min(all));
	assert_int_equal(histogram_max(a), histogram_max(all));
	assert_true(fabs(histogram_mean(a) - histogram_mean(all)) < 1e-3);
}

/* ---- pacing ---- */

static void a_pace_is_due_by_its_clock_and_misses_nothing(void **state)
{
	struct pace p;
	int64_t due;

	pace_init(&p, 1000000000, 3); /* a third of a second does not divide */
	assert_true(pace_take(&p, 1000000000, &due));
	assert_int_equal(due, 1000000000);
	assert_false(pace_take(&p, 1333333332, &due));
	assert_true(pace_take(&p, 1333333333, &due));
	assert_int_equal(due, 1333333333);
	assert_int_equal(pace_next(&p), 1666666666);
	/* After a pause all that was due comes, each with its own time. */
	for (int i = 2; i <= 30; i++) {
		assert_true(pace_take(&p, 11000000000, &due));
		assert_int_equal(due, 1000000000 + (int64_t)(i * 1e9 / 3));
	}
	assert_false(pace_take(&p, 11000000000, &due));
	/* No drift: after a million the time is still right. */
	pace_init(&p, 0, 1e6 / 7);
	for (int i = 0; i < 1000000; i++)
		assert_true(pace_take(&p, INT64_MAX, &due));
	assert_true(llabs(due - 999999 * 7000LL) <= 1);
}

/* ---- runs ---- */

static void serve(struct stream *s, void *arg)
{
	const char *path = stream_request(s)->path;

	if (strcmp(path, "/reset") == 0)
		stream_reset(s, NULL);
	else if (strcmp(path, "/silent") == 0)
		(void)stream_ref(s); /* never */
	else
		(void)stream_reply(s, strcmp(path, "/404") == 0 ? 404 : 200, NULL, "four", 4);
}

/* A server in a process of its own, so that the runs have the threads of this one. */
struct there {
	pid_t pid;
	char path[64], address[80];
};

static void there_start(struct there *t)
{
	struct http_server_conf conf = { .request = serve };
	struct err err = ERR_INIT;
	int ready[2];
	char c;

	(void)snprintf(t->path, sizeof(t->path), "/tmp/teu-load-%d", (int)getpid());
	(void)snprintf(t->address, sizeof(t->address), "unix://%s", t->path);
	assert_int_equal(pipe(ready), 0);
	t->pid = fork();
	assert_true(t->pid >= 0);
	if (t->pid == 0) {
		struct http_server *srv;
		struct loop *l;

		if (loop_new(&l, &err) < 0 || http_server_new(l, &conf, &srv, &err) < 0 ||
		    http_server_listen_unix(srv, t->path, 0600, (gid_t)-1, &err) < 0)
			_exit(1);
		(void)!write(ready[1], "r", 1);
		for (;;)
			(void)loop_step(l, -1, NULL);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
}

static void there_stop(struct there *t)
{
	char lock[80];

	(void)kill(t->pid, SIGKILL);
	assert_int_equal(waitpid(t->pid, NULL, 0), t->pid);
	(void)unlink(t->path);
	(void)snprintf(lock, sizeof(lock), "%s.lock", t->path);
	(void)unlink(lock);
}

static struct load_result go(const struct load_conf *conf)
{
	struct load_result r = { 0 };
	struct err err = ERR_INIT;

	if (load_run(conf, &r, &err) < 0)
		fail_msg("%s", err.msg);
	return r;
}

static void a_number_of_requests_is_kept_exactly(void **state)
{
	struct there t;
	struct load_conf conf = { .address = t.address,
				  .connections = 5,
				  .threads = 3,
				  .requests = 1000,
				  .body = SLICE("hello") };
	struct load_result r;

	there_start(&t);
	r = go(&conf);
	assert_int_equal(r.done, 1000);
	assert_int_equal(r.statuses[2], 1000);
	assert_int_equal(r.bytes_in, 4000);
	assert_int_equal(r.bytes_out, 5000);
	assert_int_equal(histogram_count(r.latency), 1000);
	assert_true(histogram_min(r.latency) > 0);
	assert_true(r.elapsed > 0);
	load_result_fini(&r);
	there_stop(&t);
}

static void an_open_loop_makes_its_number_and_counts_from_when_it_was_due(void **state)
{
	struct there t;
	struct load_conf conf = {
		.address = t.address, .connections = 2, .rate = 2000, .requests = 100
	};
	struct load_result r;

	there_start(&t);
	r = go(&conf);
	assert_int_equal(r.done, 100);
	assert_true(r.elapsed >= 49 * NS_PER_MS); /* the hundredth is due then */
	assert_true(histogram_max(r.latency) >= histogram_max(r.service));
	load_result_fini(&r);
	there_stop(&t);
}

static void failures_are_counted_by_kind(void **state)
{
	struct there t;
	struct load_conf conf = { .address = t.address, .connections = 2, .requests = 4 };
	struct load_result r;

	there_start(&t);
	conf.target = "/404";
	r = go(&conf);
	assert_int_equal(r.errors[LOAD_STATUS], 4);
	assert_int_equal(r.statuses[4], 4);
	assert_int_equal(r.done, 0);
	assert_has(r.first.msg, "404");
	load_result_fini(&r);
	conf.target = "/reset";
	r = go(&conf);
	assert_int_equal(r.errors[LOAD_BROKEN], 4);
	load_result_fini(&r);
	conf.target = "/silent";
	conf.timeout = 50 * NS_PER_MS;
	r = go(&conf);
	assert_int_equal(r.errors[LOAD_TIMEOUT], 4);
	load_result_fini(&r);
	conf.kind = LOAD_WS;
	conf.target = "/";
	conf.timeout = 0;
	r = go(&conf);
	assert_int_equal(r.errors[LOAD_CONNECT], 4);
	load_result_fini(&r);
	there_stop(&t);
	conf.kind = LOAD_HTTP;
	r = go(&conf);
	assert_int_equal(r.errors[LOAD_CONNECT], 4);
	load_result_fini(&r);
}

static void a_connection_for_each(void **state)
{
	struct there t;
	struct load_conf conf = { .address = t.address, .requests = 20, .no_keepalive = true };
	struct load_result r;

	there_start(&t);
	r = go(&conf);
	assert_int_equal(r.done, 20);
	assert_int_equal(r.connects, 20);
	load_result_fini(&r);
	there_stop(&t);
}

static void a_duration_ends_it(void **state)
{
	struct there t;
	struct load_conf conf = { .address = t.address,
				  .connections = 2,
				  .duration = 50 * NS_PER_MS,
				  .warmup = NS_PER_MS };
	struct load_result r;

	there_start(&t);
	r = go(&conf);
	assert_true(r.done > 0);
	assert_int_equal(r.elapsed, 50 * NS_PER_MS);
	assert_int_equal(histogram_count(r.latency), r.done);
	load_result_fini(&r);
	there_stop(&t);
}

static void confs_that_cannot_be_are_refused(void **state)
{
	static const struct {
		struct load_conf c;
		const char *says;
	} rows[] = {
		{ { .connections = 1 }, "neither a duration nor a number" },
		{ { .connections = 2, .threads = 3, .requests = 9 }, "3 threads cannot share" },
		{ { .connections = 30000, .requests = 9 }, "at most" },
		{ { .streams = 5000, .requests = 9 }, "at most" },
		{ { .rate = -1, .requests = 9 }, "cannot be negative" },
		{ { .threads = 2, .connections = 2, .requests = 1 }, "fewer than 2 threads" },
		{ { .streams = 2, .no_keepalive = true, .requests = 9 }, "one HTTP exchange only" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct load_conf c = rows[i].c;
		struct load_result r = { 0 };
		struct err err = ERR_INIT;

		c.address = "unix:///x";
		assert_int_equal(load_run(&c, &r, &err), -ERR_INVALID);
		assert_has(err.msg, rows[i].says);
		load_result_fini(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small_values_are_exact),
		cmocka_unit_test(every_value_is_kept_to_three_digits),
		cmocka_unit_test(what_is_out_of_range_counts_at_its_end),
		cmocka_unit_test(merging_is_as_recording_into_one),
		cmocka_unit_test(a_pace_is_due_by_its_clock_and_misses_nothing),
		cmocka_unit_test(a_number_of_requests_is_kept_exactly),
		cmocka_unit_test(an_open_loop_makes_its_number_and_counts_from_when_it_was_due),
		cmocka_unit_test(failures_are_counted_by_kind),
		cmocka_unit_test(a_connection_for_each),
		cmocka_unit_test(a_duration_ends_it),
		cmocka_unit_test(confs_that_cannot_be_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
