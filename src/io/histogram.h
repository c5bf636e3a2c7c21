/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How often which value: counters whose width grows with the value, so that every value is kept to
 * three digits (1 in 1024) from 0 to HISTOGRAM_MAX in fixed memory. Values are ns in TEU, but
 * nothing here depends on it. Recording is a few instructions. Histograms of threads are merged
 * afterwards; one is used by one thread at a time.
 */
#pragma once

#include "base/cleanup.h"

#include <stdint.h>

struct histogram;

#define HISTOGRAM_MAX ((1LL << 42) - 1) /* 73 minutes in ns; what is larger counts as this */

struct histogram *histogram_new(void); /* about 260 KB; never NULL */
void histogram_free(struct histogram *h);
DEFINE_CLEANUP(struct histogram *, histogram_free)
void histogram_clear(struct histogram *h);

void histogram_record(struct histogram *h, int64_t value); /* negative counts as 0 */
void histogram_merge(struct histogram *into, const struct histogram *from);

uint64_t histogram_count(const struct histogram *h);
int64_t histogram_min(const struct histogram *h); /* exact; 0 when empty, as all that follow */
int64_t histogram_max(const struct histogram *h);
double histogram_mean(const struct histogram *h);
double histogram_stddev(const struct histogram *h);
/* The smallest value that at least this share (0 to 100) of all is not above; to three digits,
 * never past the maximum. */
int64_t histogram_percentile(const struct histogram *h, double percent);
