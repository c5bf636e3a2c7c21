/* SPDX-License-Identifier: Apache-2.0 */
/* Private to the server: how often it was found who asks and whether they may, and how long that
 * took. Names and labels are upstream's (endpoints/filters). */
#pragma once

#include <stdint.h>

struct err;
struct metric;
struct metric_family;
struct metrics;

enum who_known { WHO_SUCCESS, WHO_FAILURE, WHO_ERROR, WHO_KNOWN_N };
enum who_may { WHO_ALLOWED, WHO_DENIED, WHO_NO_OPINION, WHO_UNDECIDED, WHO_MAY_N };

struct who_metrics {
	struct metric_family *users; /* NULL: nobody counts */
	struct metric *known[WHO_KNOWN_N], *known_took[WHO_KNOWN_N];
	struct metric *may[WHO_MAY_N], *may_took[WHO_MAY_N];
};
int who_metrics_add(struct metrics *m, struct who_metrics *ret, struct err *err);
/* user: of a success; took: ns. */
void who_count_known(struct who_metrics *m, enum who_known how, const char *user, int64_t took);
void who_count_may(struct who_metrics *m, enum who_may how, int64_t took);
