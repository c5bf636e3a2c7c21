/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a peer may do that costs us work and moves nothing: a bucket of tokens for each connection.
 *
 * The attacks have names (rapid reset CVE-2023-44487, MadeYouReset CVE-2025-8671, floods of PING,
 * SETTINGS, RESET, PRIORITY and empty frames CVE-2019-9512, -9513, -9514, -9515, -9518, dribbled
 * windows CVE-2019-9511 and -9517), their means are few: frames that are cheap to send and dear to
 * take. Each such frame takes tokens; time, moved bytes and answered requests give them back, so
 * that a busy honest peer never runs out.
 */
#include "base/clock.h"
#include "io/h2.h"

#define TOKENS_MAX 2000
#define TOKENS_PER_SEC 200
#define BYTES_PER_TOKEN 1024u
#define TOKENS_PER_ANSWER 4

static const int price[] = { [H2_CONTROL] = 1, [H2_RESET] = 4, [H2_DRIBBLE] = 1 };

void h2_guard_init(struct h2_guard *g, int64_t now)
{
	*g = (struct h2_guard){ .at = now, .left = TOKENS_MAX };
}

static void add(struct h2_guard *g, int64_t n)
{
	g->left = (int)MIN((int64_t)TOKENS_MAX, g->left + n);
}

bool h2_guard_deed(struct h2_guard *g, enum h2_deed deed, int64_t now)
{
	int64_t refill = (now - g->at) * TOKENS_PER_SEC / NS_PER_SEC;

	if (refill > 0) {
		add(g, MIN(refill, (int64_t)TOKENS_MAX));
		g->at = now;
	}
	g->left -= price[deed];
	return g->left > 0;
}

void h2_guard_work(struct h2_guard *g, size_t bytes, bool answered)
{
	g->moved += bytes;
	if (g->moved >= BYTES_PER_TOKEN) {
		add(g, (int64_t)(g->moved / BYTES_PER_TOKEN));
		g->moved %= BYTES_PER_TOKEN;
	}
	if (answered)
		add(g, TOKENS_PER_ANSWER);
}

bool h2_bear(struct h2 *h, enum h2_deed deed)
{
	if (h->calm || h2_guard_deed(&h->guard, deed, conn_now(h->c)))
		return !h->calm;
	h->calm = true;
	/* Out of memory only, which ends us elsewhere. */
	(void)nghttp2_session_terminate_session(h->ng, NGHTTP2_ENHANCE_YOUR_CALM);
	return false;
}
