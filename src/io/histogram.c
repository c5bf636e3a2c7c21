/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log-linear counters: 2048 of width 1, then for each doubling 1024 of twice the width. The sums
 * for mean and deviation are of the exact values.
 */
#include "io/histogram.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define HALF_BITS 10u
#define HALF (1u << HALF_BITS)
#define TOP_BITS 42u
#define SLOTS (HALF * (TOP_BITS - HALF_BITS + 1))

struct histogram {
	uint64_t count;
	int64_t min, max;
	double sum, squares;
	uint64_t n[SLOTS];
};

struct histogram *histogram_new(void)
{
	struct histogram *h = calloc(1, sizeof(*h));

	if (!h)
		abort();
	return h;
}

void histogram_free(struct histogram *h)
{
	free(h);
}

void histogram_clear(struct histogram *h)
{
	memset(h, 0, sizeof(*h));
}

static unsigned slot_of(uint64_t v)
{
	unsigned shift;

	if (v < 2 * HALF)
		return (unsigned)v;
	shift = 63u - (unsigned)__builtin_clzll(v) - HALF_BITS;
	return shift * HALF + (unsigned)(v >> shift);
}

/* The largest value that is counted in this slot. */
static int64_t slot_end(unsigned slot)
{
	unsigned shift;

	if (slot < 2 * HALF)
		return slot;
	shift = slot / HALF - 1;
	return (int64_t)(((uint64_t)(slot % HALF + HALF + 1) << shift) - 1);
}

void histogram_record(struct histogram *h, int64_t value)
{
	if (value < 0)
		value = 0;
	if (value > HISTOGRAM_MAX)
		value = HISTOGRAM_MAX;
	if (h->count == 0 || value < h->min)
		h->min = value;
	if (value > h->max)
		h->max = value;
	h->count++;
	h->sum += (double)value;
	h->squares += (double)value * (double)value;
	h->n[slot_of((uint64_t)value)]++;
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
	if (from->count == 0)
		return;
	if (into->count == 0 || from->min < into->min)
		into->min = from->min;
	if (from->max > into->max)
		into->max = from->max;
	into->count += from->count;
	into->sum += from->sum;
	into->squares += from->squares;
	for (unsigned i = 0; i < SLOTS; i++)
		into->n[i] += from->n[i];
}

uint64_t histogram_count(const struct histogram *h)
{
	return h->count;
}

int64_t histogram_min(const struct histogram *h)
{
	return h->min;
}

int64_t histogram_max(const struct histogram *h)
{
	return h->max;
}

double histogram_mean(const struct histogram *h)
{
	return h->count ? h->sum / (double)h->count : 0;
}

double histogram_stddev(const struct histogram *h)
{
	double mean = histogram_mean(h), v;

	if (h->count == 0)
		return 0;
	v = h->squares / (double)h->count - mean * mean;
	return v > 0 ? sqrt(v) : 0;
}

int64_t histogram_percentile(const struct histogram *h, double percent)
{
	uint64_t want, seen = 0;
	int64_t end;

	if (h->count == 0)
		return 0;
	percent = percent < 0 ? 0 : percent > 100 ? 100 : percent;
	want = (uint64_t)ceil((double)h->count * percent / 100);
	if (want == 0)
		return h->min;
	for (unsigned i = 0; i < SLOTS; i++) {
		seen += h->n[i];
		if (seen < want)
			continue;
		end = slot_end(i);
		return end > h->max ? h->max : end < h->min ? h->min : end;
	}
	return h->max;
}
