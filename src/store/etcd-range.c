/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ranges, in pages of about a PAGE_BYTES: the first page's revision is that of all. Each page is a
 * request of its own, so a long range may end with -ERR_GONE when its revision is compacted.
 */
#include "base/err.h"
#include "store/etcd.h"

#include <stdlib.h>

#define PAGE_FIRST 256
#define PAGE_MIN 8
#define PAGE_MAX 16384
#define PAGE_BYTES (4u << 20)

struct etcd_reading {
	struct store_range *r;
	struct etcd *e;
	char end[STORE_KEY_MAX + 1], from[STORE_KEY_MAX + 2];
	size_t nfrom, nend, given, page, page_bytes;
	int64_t revision;
	bool started;
	struct err err; /* of each() */
};

static void ask(struct etcd_reading *x);

static void finish(struct etcd_reading *x, int result)
{
	struct store_range *r = x->r;

	r->result = result;
	free(x);
	r->done(r);
}

static int take(void *arg, const struct store_kv *kv)
{
	struct etcd_reading *x = arg;
	struct store_range *r = x->r;

	if (kv->key.n > STORE_KEY_MAX)
		return err_set(&x->err, ERR_INVALID, "etcd: a key of %zu bytes", kv->key.n);
	/* The next page begins behind it. */
	memcpy(x->from, kv->key.p, kv->key.n);
	x->from[kv->key.n] = '\0';
	x->nfrom = kv->key.n + 1;
	x->given++;
	x->page_bytes += kv->key.n + kv->value.n;
	return r->each ? r->each(r, kv) : 0;
}

static size_t next_page(const struct etcd_reading *x, size_t got)
{
	size_t each = got ? x->page_bytes / got + 1 : 1;

	return MIN(MAX(PAGE_BYTES / each, (size_t)PAGE_MIN), (size_t)PAGE_MAX);
}

static void on_page(struct etcd_call *c, int result, struct slice answer, struct err *err)
{
	struct etcd_reading *x = c->arg;
	struct store_range *r = x->r;
	struct etcd_range_answer a;

	x->page_bytes = 0;
	if (result == 0)
		result = etcd_read_range(x->e, answer, take, x, &a, err);
	if (result < 0) {
		/* each() gives a code of its own, and may say nothing. */
		r->err = x->err.code ? x->err : *err;
		finish(x, result);
		return;
	}
	if (!x->started) {
		x->started = true;
		r->revision_now = a.revision;
		x->revision = r->revision ? r->revision : a.revision;
	}
	r->total = a.count - (int64_t)a.n;
	if (r->count_only)
		r->total = a.count;
	r->more = a.more && !r->count_only;
	if (!r->more || (r->limit && x->given >= r->limit)) {
		finish(x, 0);
		return;
	}
	x->page = next_page(x, a.n);
	ask(x);
}

static void ask(struct etcd_reading *x)
{
	struct pb_writer w = PB_WRITER_INIT(1u << 16);
	struct store_range *r = x->r;
	size_t page = r->limit ? MIN(x->page, r->limit - x->given) : x->page;
	struct etcd_range_request q = {
		.key = slice_of(x->from, x->nfrom),
		.end = slice_of(x->end, x->nend),
		.limit = (int64_t)page,
		.revision = x->started ? x->revision : r->revision,
		.keys_only = r->keys_only,
		.count_only = r->count_only,
	};
	struct etcd_call *c;

	etcd_put_range(&w, &q);
	c = etcd_call_new(x->e, ETCD_KV, &etcd_range_method, &w, on_page, x);
	c->twice = true;
	etcd_call_start(c);
}

void etcd_range(struct store *s, struct store_range *r)
{
	struct etcd_reading *x = calloc(1, sizeof(*x));
	struct slice from = r->from.n ? r->from : r->prefix;

	if (!x)
		abort();
	x->r = r;
	x->e = etcd_of(s);
	x->page = PAGE_FIRST;
	if (from.n)
		memcpy(x->from, from.p, from.n);
	x->nfrom = from.n;
	if (!from.n) /* from the first key on */
		x->nfrom = 1;
	if (!r->exact)
		x->nend = etcd_prefix_end(r->prefix, x->end).n;
	ask(x);
}
