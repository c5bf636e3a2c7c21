/* SPDX-License-Identifier: Apache-2.0 */
/* Back-off, budgets, Retry-After and the circuit. Time is given; randomness is a seed. */
#include "io/retry.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"

#include <stdio.h>

#define DAY (86400 * NS_PER_SEC)
#define OPENINGS_MAX 4 /* 2^4 = 16 times */

void backoff_init(struct backoff *b, const struct retry_policy *policy, uint64_t seed)
{
	*b = (struct backoff){ .seed = seed ? seed : random_u64() | 1 };
	if (policy)
		b->policy = *policy;
	if (!b->policy.attempts_max)
		b->policy.attempts_max = 3;
	if (!b->policy.first)
		b->policy.first = 100 * NS_PER_MS;
	if (!b->policy.max)
		b->policy.max = 10 * NS_PER_SEC;
	if (!b->policy.factor_pct)
		b->policy.factor_pct = 200;
	if (!b->policy.jitter_pct)
		b->policy.jitter_pct = 20;
}

static uint64_t dice(struct backoff *b, uint64_t n)
{
	/* SplitMix64 */
	uint64_t z = b->seed += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return (z ^ (z >> 31)) % n;
}

int64_t backoff_next(struct backoff *b)
{
	const struct retry_policy *p = &b->policy;
	int64_t d = MIN(p->first, p->max), low, span;

	if (b->n + 1 >= p->attempts_max)
		return -1;
	for (unsigned i = 0; i < b->n && d < p->max; i++)
		d = (int64_t)MIN((__int128)d * p->factor_pct / 100, (__int128)p->max);
	b->n++;
	if (p->jitter_pct >= 100)
		return (int64_t)dice(b, (uint64_t)d + 1);
	low = (int64_t)((__int128)d * (100 - p->jitter_pct) / 100);
	span = (int64_t)((__int128)d * p->jitter_pct / 50);
	return low + (int64_t)dice(b, (uint64_t)span + 1);
}

void backoff_reset(struct backoff *b)
{
	b->n = 0;
}

void retry_budget_init(struct retry_budget *b, uint32_t ratio_pct, uint32_t burst)
{
	*b = (struct retry_budget){ .ratio_pct = ratio_pct ? MIN(ratio_pct, 100u) : 10,
				    .burst = burst ? MIN(burst, 10000u) : 10 };
	b->cents = b->burst * 100;
}

void retry_budget_request(struct retry_budget *b)
{
	b->cents = MIN(b->cents + b->ratio_pct, b->burst * 100);
}

bool retry_budget_take(struct retry_budget *b)
{
	if (b->cents < 100)
		return false;
	b->cents -= 100;
	return true;
}

/* ---- Retry-After ---- */

static int month_of(struct slice s)
{
	static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

	for (int i = 0; i < 12; i++)
		if (s.n == 3 && memcmp(s.p, names + 3 * i, 3) == 0)
			return i + 1;
	return 0;
}

/* A word up to blanks, commas, hyphens: the date's forms have nothing else between their parts. */
static struct slice word(struct slice *s)
{
	size_t i = 0, start;

	while (i < s->n && (s->p[i] == ' ' || s->p[i] == ',' || s->p[i] == '-'))
		i++;
	start = i;
	while (i < s->n && s->p[i] != ' ' && s->p[i] != ',' && s->p[i] != '-')
		i++;
	struct slice ret = slice_of(s->p + start, i - start);
	*s = slice_of(s->p + i, s->n - i);
	return ret;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994" */
static bool read_date(struct slice s, int64_t *ret_ns)
{
	struct slice w[6];
	char text[40];
	uint64_t day, year;
	bool asctime;
	int month;

	for (size_t i = 0; i < 6; i++)
		w[i] = word(&s);
	asctime = month_of(w[1]) != 0;
	month = month_of(asctime ? w[1] : w[2]);
	if (!month || word(&s).n || (!asctime && !slice_is(w[5], "GMT")) || (asctime && w[5].n))
		return false;
	if (str_uint64(asctime ? w[2] : w[1], &day, NULL) < 0 ||
	    str_uint64(asctime ? w[4] : w[3], &year, NULL) < 0 || day > 31 || year > 9999)
		return false;
	/* RFC 9110: two digits more than 50 years ahead are the last century's. */
	if (!asctime && w[3].n == 2)
		year += year < 76 ? 2000 : 1900;
	if (w[asctime ? 3 : 4].n != 8)
		return false;
	(void)snprintf(text, sizeof(text), "%04u-%02d-%02uT%.8sZ", (unsigned)year, month,
		       (unsigned)day, w[asctime ? 3 : 4].p);
	return clock_parse_rfc3339(slice_str(text), ret_ns, NULL) == 0;
}

int64_t retry_after(struct slice value, int64_t now_real)
{
	struct slice s = slice_trim(value);
	uint64_t seconds;
	int64_t at;

	if (str_uint64(s, &seconds, NULL) == 0)
		return (int64_t)MIN(seconds, 86400u) * NS_PER_SEC;
	if (!read_date(s, &at))
		return -1;
	return at <= now_real ? 0 : MIN(at - now_real, DAY);
}

/* ---- circuit ---- */

void circuit_init(struct circuit *c, unsigned failures, int64_t time)
{
	*c = (struct circuit){ .failures = failures ? failures : 5,
			       .time = time ? time : 5 * NS_PER_SEC };
}

bool circuit_allow(struct circuit *c, int64_t now)
{
	if (!c->until)
		return true;
	if (now < c->until || c->probing)
		return false;
	c->probing = true;
	return true;
}

void circuit_done(struct circuit *c, bool good, int64_t now)
{
	bool probe = c->probing;

	c->probing = false;
	if (good) {
		c->seen = c->openings = 0;
		c->until = 0;
		return;
	}
	/* A late failure of before the opening tells nothing new. */
	if (c->until && !probe)
		return;
	if (!probe && ++c->seen < c->failures)
		return;
	c->until = now + (c->time << MIN(c->openings, (unsigned)OPENINGS_MAX));
	c->openings++;
}

void circuit_cancel(struct circuit *c)
{
	c->probing = false;
}
