/* SPDX-License-Identifier: Apache-2.0 */
/* What etcd answers: ranges, commits whose guards did not hold, watches and their events, leases.
 */
#include "base/err.h"
#include "store/etcd.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

/* A slice that claims bytes has them within the input. */
static void within(struct slice s, struct slice all)
{
	if (s.n && s.p >= all.p && s.p < all.p + all.n)
		must(s.n <= (size_t)(all.p + all.n - s.p));
}

static int see(void *arg, const struct store_kv *kv)
{
	const struct slice *all = arg;

	within(kv->key, *all);
	within(kv->value, *all);
	return 0;
}

static void commits(struct etcd *e, struct slice all)
{
	const struct store_guard guards[] = { { SLICE("/a"), 3 }, { SLICE("/b"), 0 } };
	const struct store_op ops[] = { { .key = SLICE("/a"), .value = SLICE("v") },
					{ .key = SLICE("/b"), .remove = true } };
	struct err err = ERR_INIT;

	for (int repeated = 0; repeated < 2; repeated++) {
		struct store_txn t = { .guards = guards, .nguards = 2, .ops = ops, .nops = 2 };

		if (etcd_read_txn(e, &t, all, repeated, &err) < 0)
			continue;
		must(t.result == 0 || (t.result == 1 && t.failed < 2));
		if (t.exists) {
			within(t.current.key, all);
			within(t.current.value, all);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice all = slice_of((const char *)data, size);
	struct etcd e = { .revision = 1 };
	struct etcd_range_answer range;
	struct etcd_watch_answer watch;
	struct store_lease lease = { .id = 1 };
	struct store_event ev;
	struct err err = ERR_INIT;

	(void)etcd_read_range(&e, all, see, &all, &range, &err);
	commits(&e, all);
	if (etcd_read_watch(all, &watch, &err) == 0)
		within(watch.reason, all);
	for (int no_prev = 0; no_prev < 2; no_prev++) {
		if (etcd_read_event(all, no_prev, &ev, &err) < 0)
			continue;
		within(ev.kv.key, all);
		within(ev.prev, all);
		must(!no_prev || !ev.prev.n);
	}
	if (etcd_read_lease(&e, &lease, all, &err) == 0)
		must(lease.ttl > 0);
	return 0;
}
