/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The embedded store: durable commits/s with 1, 8 and 32 in flight (2 KB values, new keys, then
 * updates of them), a range of 500 of 20,000 keys, and events/s handed to watches. usage:
 * bench-store [seconds of each] [folder].
 */
#include "base/clock.h"
#include "base/fd.h"
#include "base/loop.h"
#include "store/store.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define VALUE 2048
#define WRITERS 32
#define LATENCIES 400000

struct bench;

struct writer {
	struct store_txn t;
	struct store_guard g;
	struct store_op op;
	struct bench *b;
	char key[64];
	int64_t began;
};

struct bench {
	struct loop *loop;
	struct store *s;
	struct writer w[WRITERS];
	char value[VALUE];
	int64_t until, *lat;
	unsigned busy;
	size_t n, next, keys; /* keys: 0 = always a new one */
	bool done;
	size_t events, rows;
};

static void fail(const char *what, const struct err *err)
{
	fprintf(stderr, "%s: %s\n", what, err->msg);
	exit(1);
}

static double cpu(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void go(struct writer *w)
{
	struct bench *b = w->b;
	size_t n = b->next++;

	snprintf(w->key, sizeof(w->key), "/registry/pods/default/pod-%08zu",
		 b->keys ? n % b->keys : n);
	w->op = (struct store_op){ .key = slice_str(w->key), .value = slice_of(b->value, VALUE) };
	w->g = (struct store_guard){ .key = w->op.key };
	w->t.guards = &w->g;
	w->t.nguards = b->keys ? 0 : 1;
	w->t.ops = &w->op;
	w->t.nops = 1;
	w->began = clock_mono();
	store_commit(b->s, &w->t);
}

static void committed(struct store_txn *t)
{
	struct writer *w = CONTAINER_OF(t, struct writer, t);
	struct bench *b = w->b;
	int64_t now = clock_mono();

	if (t->result != 0)
		fail("commit", &t->err);
	if (b->n < LATENCIES)
		b->lat[b->n] = now - w->began;
	b->n++;
	if (now < b->until)
		go(w);
	else if (--b->busy == 0)
		b->done = true;
}

static void turn(struct bench *b)
{
	struct err err = ERR_INIT;

	for (b->done = false; !b->done;)
		if (loop_step(b->loop, NS_PER_SEC, &err) < 0)
			fail("loop", &err);
}

static int by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static void commits(struct bench *b, unsigned flight, int64_t time, const char *what)
{
	double began = (double)clock_mono(), used = cpu();
	size_t n;

	b->n = 0;
	b->busy = flight;
	b->until = clock_mono() + time;
	for (unsigned i = 0; i < flight; i++) {
		b->w[i].b = b;
		b->w[i].t.done = committed;
		go(&b->w[i]);
	}
	turn(b);
	n = b->n < LATENCIES ? b->n : LATENCIES;
	qsort(b->lat, n, sizeof(*b->lat), by_size);
	printf("%-8s %2u in flight: %8.0f commits/s, p50 %6.0f us, p99 %7.0f us, %5.1f us CPU "
	       "each\n",
	       what, flight, (double)b->n / (((double)clock_mono() - began) / 1e9),
	       (double)b->lat[n / 2] / 1e3, (double)b->lat[n * 99 / 100] / 1e3,
	       (cpu() - used) * 1e6 / (double)b->n);
}

static int on_row(struct store_range *r, const struct store_kv *kv)
{
	return 0;
}

struct range_bench {
	struct store_range r;
	struct bench *b;
};

static void ranged(struct store_range *r)
{
	struct bench *b = CONTAINER_OF(r, struct range_bench, r)->b;

	if (r->result < 0)
		fail("range", &r->err);
	b->n++;
	if (clock_mono() < b->until)
		store_range(b->s, r);
	else
		b->done = true;
}

static void ranges(struct bench *b, size_t limit, int64_t time, bool past)
{
	struct range_bench x = { .b = b };
	double began = (double)clock_mono(), used = cpu();

	x.r = (struct store_range){ .prefix = SLICE("/registry/pods/"),
				    .limit = limit,
				    .each = on_row,
				    .done = ranged,
				    .revision = past ? store_revision(b->s) - 10000 : 0 };
	b->n = 0;
	b->until = clock_mono() + time;
	store_range(b->s, &x.r);
	turn(b);
	printf("range of %3zu %s: %8.0f /s, %6.0f us CPU each\n", limit,
	       past ? "10,000 revisions ago" : "now",
	       (double)b->n / (((double)clock_mono() - began) / 1e9),
	       (cpu() - used) * 1e6 / (double)b->n);
}

struct watch_bench {
	struct store_watch w;
	struct bench *b;
};

static void on_events(struct store_watch *w, const struct store_event *v, size_t n, int64_t rev)
{
	CONTAINER_OF(w, struct watch_bench, w)->b->events += n;
}

static void fan_out(struct bench *b, unsigned n, int64_t time)
{
	struct watch_bench *x = calloc(n, sizeof(*x));
	struct err err = ERR_INIT;
	double began;

	if (!x)
		abort();
	for (unsigned i = 0; i < n; i++) {
		x[i] = (struct watch_bench){ .b = b };
		x[i].w = (struct store_watch){ .prefix = SLICE("/registry/pods/"),
					       .no_prev = true,
					       .events = on_events };
		if (store_watch(b->s, &x[i].w, &err) < 0)
			fail("watch", &err);
	}
	b->events = 0;
	began = (double)clock_mono();
	commits(b, 32, time, "watched");
	printf("  to %u watches: %.0f events/s\n", n,
	       (double)b->events / (((double)clock_mono() - began) / 1e9));
	for (unsigned i = 0; i < n; i++)
		store_unwatch(b->s, &x[i].w);
	free(x);
}

int main(int argc, char **argv)
{
	int64_t seconds = argc > 1 ? argv[1][0] - '0' : 3, time;
	char dir[4096];
	static struct bench b;
	struct err err = ERR_INIT;
	struct store_sqlite_options o = { .path = dir };
	char path[4200];

	time = (seconds > 0 && seconds < 10 ? seconds : 3) * NS_PER_SEC;
	snprintf(dir, sizeof(dir), "%s/teu-bench-store-XXXXXX", argc > 2 ? argv[2] : "/tmp");
	if (!mkdtemp(dir) || loop_new(&b.loop, &err) < 0)
		fail("begin", &err);
	snprintf(path, sizeof(path), "%s/store.db", dir);
	o.path = path;
	o.loop = b.loop;
	b.lat = calloc(LATENCIES, sizeof(*b.lat));
	memset(b.value, 'v', sizeof(b.value));
	if (!b.lat || store_open_sqlite(&o, &b.s, &err) < 0)
		fail("open", &err);
	commits(&b, 1, time, "create");
	commits(&b, 8, time, "create");
	commits(&b, 32, time, "create");
	b.keys = 20000;
	commits(&b, 1, time, "update");
	commits(&b, 8, time, "update");
	commits(&b, 32, time, "update");
	ranges(&b, 1, time, false);
	ranges(&b, 500, time, false);
	ranges(&b, 500, time, true);
	fan_out(&b, 1000, time);
	store_close(b.s);
	loop_free(b.loop);
	free(b.lat);
	return fd_remove_tree(AT_FDCWD, dir, &err) < 0;
}
