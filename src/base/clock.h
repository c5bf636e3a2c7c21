/* SPDX-License-Identifier: Apache-2.0 */
/* Time in int64 nanoseconds: monotonic for durations, real for stamps. RFC 3339 text as Go prints
 * it. */
#pragma once

#include "base/str.h"

#include <stdint.h>

struct err;

#define NS_PER_SEC 1000000000LL
#define NS_PER_MS 1000000LL
#define CLOCK_TEXT_MAX 40

int64_t clock_mono(void);
int64_t clock_real(void);
/* "2026-11-22T03:04:05.123456789Z": trailing zeros of the fraction dropped, none = no dot (Go's
 * RFC3339Nano, UTC). ns == INT64_MIN gives Go's zero time "0001-01-01T00:00:00Z". Returns dst. */
const char *clock_rfc3339nano(char dst[CLOCK_TEXT_MAX], int64_t real_ns);
#define CLOCK_ZERO INT64_MIN
/* The same with exactly nine digits of fraction (log files, sortable). */
const char *clock_rfc3339full(char dst[CLOCK_TEXT_MAX], int64_t real_ns);
/* RFC 3339 with any offset; -ERR_INVALID otherwise. Out of int64 range: CLOCK_ZERO for year 1, else
 * an error. */
int clock_parse_rfc3339(struct slice s, int64_t *ret_ns, struct err *err);
/* Docker's since/until: unix seconds with optional fraction ("1700000000.5"), RFC 3339 (also
 * without seconds, date only), or a Go duration ("10m", "1h30m") back from `now`. */
int clock_parse_when(struct slice s, int64_t now, int64_t *ret_ns, struct err *err);
/* Go duration: "300ms", "-1.5h", "2h45m", units ns us ms s m h. */
int clock_parse_duration(struct slice s, int64_t *ret_ns, struct err *err);
