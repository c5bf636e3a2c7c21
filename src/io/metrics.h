/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A registry of counters, gauges and histograms with labels, and its text: Prometheus 0.0.4 and
 * OpenMetrics 1.0.
 *
 * A family is registered once; a series is one set of label values, found once and then kept by
 * who counts, so that counting is an addition. The number of series of a family is bounded: past
 * it, values go to one series whose labels are all "other", and the loss is seen in
 * teu_metrics_series_dropped_total. Not thread safe: one registry per loop.
 */
#pragma once

#include "base/cleanup.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct err;
struct metrics;
struct metric_family;
struct stream;

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

#define METRIC_LABELS_MAX 8
#define METRIC_BUCKETS_MAX 32

/* Zero means the default in brackets. All texts are borrowed for the registry's life. */
struct metric_spec {
	enum metric_type type;
	const char *name; /* [a-zA-Z_:][a-zA-Z0-9_:]*; a counter's ends in "_total" */
	const char *help;
	const char *const *labels; /* names, [a-zA-Z_][a-zA-Z0-9_]* */
	size_t labels_n;
	const double *buckets; /* histogram: upper bounds, rising, without +Inf */
	size_t buckets_n;
	size_t series_max; /* [1000] */
};

struct metric {
	double value; /* counter, gauge; histogram: sum */
	uint64_t count;
	uint64_t *buckets; /* not cumulative; one more for +Inf */
	const struct metric_spec *spec;
};

struct metrics *metrics_new(void);
void metrics_free(struct metrics *m);
DEFINE_CLEANUP(struct metrics *, metrics_free)

/* INVALID: the name is none; EXISTS: it is taken. spec is borrowed (a static table). */
int metrics_add(struct metrics *m, const struct metric_spec *spec, struct metric_family **ret,
		struct err *err);
/* The series of these label values (as many as the family has labels); never NULL. Lives as long as
 * the registry. */
struct metric *metric_with(struct metric_family *f, const char *const *values);
/* Runs before each text: for gauges that are known elsewhere. */
void metrics_on_collect(struct metrics *m, void (*fn)(void *arg), void *arg);
/* Removes what metrics_on_collect added with that argument. */
void metrics_forget_collect(struct metrics *m, void *arg);

static inline void metric_inc(struct metric *m)
{
	m->value += 1;
}
static inline void metric_add(struct metric *m, double v)
{
	m->value += v;
}
static inline void metric_set(struct metric *m, double v)
{
	m->value = v;
}
void metric_observe(struct metric *m, double v);

enum metrics_format { METRICS_TEXT, METRICS_OPENMETRICS };
/* What an Accept header asks for; OpenMetrics only if it is named and not with q=0. */
enum metrics_format metrics_negotiate(struct slice accept);
const char *metrics_content_type(enum metrics_format f);
/* QUOTA: larger than the buffer may be. */
int metrics_write(struct metrics *m, enum metrics_format f, struct buf *out, struct err *err);
/* Answers a GET of /metrics. */
void metrics_serve(struct stream *s, struct metrics *m);
