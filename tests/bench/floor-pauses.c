/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long this machine takes its processors away from a program that does nothing but look at the
 * clock: what no server can be faster than. A thread on each core notes every gap between two
 * looks.
 *
 * usage: floor-pauses SECONDS
 *
 * Prints "pauses N longest U lost U wait99 U" (per second and core; microseconds; lost: of a
 * second, of one core; wait99: what 99 of 100 things that come at any time and need each core once
 * have waited for pauses in the end).
 */
#include "base/clock.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#define CORES_MAX 64
#define US (NS_PER_MS / 1000)
#define PAUSE (200 * US) /* a shorter gap is an interrupt's */
#define TRIES 1000000

struct core {
	unsigned number;
	int64_t begin, end;
	struct gap {
		int64_t from, to;
	} * gaps;
	size_t n, cap;
};

static void *look(void *arg)
{
	struct core *c = arg;
	int64_t last, now;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(c->number, &set);
	(void)sched_setaffinity(0, sizeof(set),
				&set); /* a core that is not ours: wherever we run */
	for (last = clock_mono(); last < c->end; last = now) {
		now = clock_mono();
		if (now - last < PAUSE || last < c->begin)
			continue;
		if (c->n == c->cap)
			return NULL;
		c->gaps[c->n++] = (struct gap){ last, now };
	}
	return NULL;
}

/* When something that comes at `at` has the core. */
static int64_t served(const struct core *c, int64_t at)
{
	size_t from = 0, to = c->n;

	while (from < to) { /* the first gap that ends behind it */
		size_t mid = (from + to) / 2;

		if (c->gaps[mid].to <= at)
			from = mid + 1;
		else
			to = mid;
	}
	return from < c->n && c->gaps[from].from <= at ? c->gaps[from].to : at;
}

static int longer(const void *a, const void *b)
{
	const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static void tell(const struct core *cores, unsigned n, double seconds)
{
	int64_t *waits = calloc(TRIES, sizeof(*waits)), longest = 0, lost = 0;
	size_t pauses = 0;

	if (!waits)
		abort();
	for (unsigned i = 0; i < n; i++) {
		pauses += cores[i].n;
		for (size_t k = 0; k < cores[i].n; k++) {
			const int64_t gap = cores[i].gaps[k].to - cores[i].gaps[k].from;

			lost += gap;
			longest = gap > longest ? gap : longest;
		}
	}
	for (size_t i = 0; i < TRIES; i++) {
		const int64_t from =
			cores[0].begin + (int64_t)((double)i / TRIES * seconds * NS_PER_SEC);
		int64_t at = from;

		for (unsigned k = 0; k < n; k++)
			at = served(&cores[k], at);
		waits[i] = at - from;
	}
	qsort(waits, TRIES, sizeof(*waits), longer);
	printf("pauses %.1f longest %.0f lost %.0f wait99 %.0f\n", (double)pauses / seconds / n,
	       (double)longest / US, (double)lost / seconds / n / US,
	       (double)waits[TRIES / 100 * 99] / US);
	free(waits);
}

int main(int argc, char **argv)
{
	const double seconds = argc == 2 ? strtod(argv[1], NULL) : 0;
	pthread_t threads[CORES_MAX];
	struct core cores[CORES_MAX];
	cpu_set_t set;
	unsigned n = 0;

	if (seconds < 0.1 || seconds > 600 || sched_getaffinity(0, sizeof(set), &set) < 0) {
		fprintf(stderr, "usage: floor-pauses SECONDS\n");
		return 2;
	}
	for (unsigned i = 0; i < CPU_SETSIZE && n < CORES_MAX; i++) {
		const int64_t begin = clock_mono() + NS_PER_SEC / 10;

		if (!CPU_ISSET(i, &set))
			continue;
		cores[n] = (struct core){ .number = i,
					  .begin = n ? cores[0].begin : begin,
					  .cap = (size_t)(seconds * 10000) };
		cores[n].end = cores[n].begin + (int64_t)(seconds * NS_PER_SEC);
		cores[n].gaps = calloc(cores[n].cap, sizeof(struct gap));
		if (!cores[n].gaps || pthread_create(&threads[n], NULL, look, &cores[n]) != 0) {
			fprintf(stderr, "floor-pauses: no thread for core %u\n", i);
			return 1;
		}
		n++;
	}
	for (unsigned i = 0; i < n; i++)
		(void)pthread_join(threads[i], NULL);
	tell(cores, n, seconds);
	for (unsigned i = 0; i < n; i++)
		free(cores[i].gaps);
	return 0;
}
