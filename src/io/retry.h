/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When to try again: back-off with jitter, a budget that keeps retries a small part of all
 * requests, Retry-After, and a circuit that stops asking who never answers. Plain values: no clock,
 * no loop, no memory of their own; the caller passes the time (ns, monotonic), so tests pass
 * theirs.
 */
#pragma once

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

/* Zero means the default in brackets. */
struct retry_policy {
	unsigned attempts_max; /* with the first one [3] */
	int64_t first;	       /* delay before the first retry, ns [100 ms] */
	int64_t max;	       /* longest delay [10 s] */
	unsigned factor_pct;   /* growth from one delay to the next [200 = doubled] */
	unsigned jitter_pct;   /* a delay d becomes one of d*(100-j)..d*(100+j) percent [20];
				  100 and more: full jitter, 0..d */
};

struct backoff {
	struct retry_policy policy;
	uint64_t seed;
	unsigned n; /* retries that were granted */
};

/* policy NULL = all defaults. seed 0 = a random one. */
void backoff_init(struct backoff *b, const struct retry_policy *policy, uint64_t seed);
/* Delay in ns before the next attempt, or -1: the attempts are used up. */
int64_t backoff_next(struct backoff *b);
/* After a success: the next failure starts with the first delay again. */
void backoff_reset(struct backoff *b);

/*
 * A budget: each request puts `ratio_pct` percent of a token in, each retry takes one out. It
 * holds at most `burst` tokens and begins full, so rare requests may be retried freely, and an
 * outage at load adds at most ratio_pct percent of requests.
 */
struct retry_budget {
	uint32_t ratio_pct; /* [10] */
	uint32_t burst;	    /* [10] */
	uint32_t cents;	    /* private: tokens times 100 */
};
void retry_budget_init(struct retry_budget *b, uint32_t ratio_pct, uint32_t burst);
void retry_budget_request(struct retry_budget *b);
bool retry_budget_take(struct retry_budget *b); /* false: do not retry */

/* Retry-After: seconds, or a date of RFC 9110 section 5.6.7 (IMF-fixdate, RFC 850, asctime) against
 * now_real (ns since 1970). The delay in ns (0 for the past), at most a day; -1 if it is neither.
 */
int64_t retry_after(struct slice value, int64_t now_real);

/* Closed: all may ask. After `failures` in a row it is open for `time`: nobody asks. Then one probe
 * may; its success closes it, its failure opens it again for twice as long, up to 16 times. */
struct circuit {
	unsigned failures; /* [5] */
	int64_t time;	   /* ns [5 s] */
	unsigned seen, openings;
	int64_t until; /* 0 = closed */
	bool probing;
};
void circuit_init(struct circuit *c, unsigned failures, int64_t time);
/* May ask now? A caller that got true must report with circuit_done. */
bool circuit_allow(struct circuit *c, int64_t now);
void circuit_done(struct circuit *c, bool good, int64_t now);
/* The caller gave up without an answer: counts as neither. */
void circuit_cancel(struct circuit *c);
static inline bool circuit_is_open(const struct circuit *c)
{
	return c->until != 0;
}
