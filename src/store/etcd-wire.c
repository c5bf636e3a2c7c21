/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of etcd that several requests share. */
#include "base/err.h"
#include "store/etcd.h"

/* ---- numbers of mvccpb and etcdserverpb ---- */

enum { KV_KEY = 1, KV_CREATE = 2, KV_MOD = 3, KV_VALUE = 5, KV_LEASE = 6 };
enum {
	RANGE_KEY = 1,
	RANGE_END = 2,
	RANGE_LIMIT = 3,
	RANGE_REVISION = 4,
	RANGE_KEYS_ONLY = 8,
	RANGE_COUNT_ONLY = 9
};
enum { ANSWER_HEADER = 1, ANSWER_KVS = 2, ANSWER_MORE = 3, ANSWER_COUNT = 4 };
enum { HEADER_REVISION = 3 };

int etcd_malformed(const char *what, const struct pb_reader *r, struct err *err)
{
	return err_set(err, ERR_INVALID, "etcd: malformed %s: %s", what,
		       r->why ? r->why : "a field of another type");
}

int64_t etcd_header(struct etcd *e, struct slice header)
{
	struct pb_reader r = pb_reader(header);
	struct pb_field f;
	int64_t revision = 0;

	while (pb_next(&r, &f) > 0) {
		if (f.number == HEADER_REVISION && f.type == PB_VARINT)
			revision = (int64_t)f.v;
	}
	e->revision = MAX(e->revision, revision);
	return revision;
}

int etcd_read_kv(struct slice wire, struct store_kv *ret, struct err *err)
{
	struct pb_reader r = pb_reader(wire);
	struct store_kv kv = { .key = SLICE(""), .value = SLICE("") };
	struct pb_field f;
	int got;

	while ((got = pb_next(&r, &f)) > 0) {
		if (f.number == KV_KEY && f.type == PB_BYTES)
			kv.key = f.bytes;
		else if (f.number == KV_VALUE && f.type == PB_BYTES)
			kv.value = f.bytes;
		else if (f.number == KV_CREATE && f.type == PB_VARINT)
			kv.create_revision = (int64_t)f.v;
		else if (f.number == KV_MOD && f.type == PB_VARINT)
			kv.mod_revision = (int64_t)f.v;
		else if (f.number == KV_LEASE && f.type == PB_VARINT)
			kv.lease = (int64_t)f.v;
	}
	if (got < 0)
		return etcd_malformed("key and value", &r, err);
	*ret = kv;
	return 0;
}

int etcd_read_range(struct etcd *e, struct slice wire,
		    int (*each)(void *arg, const struct store_kv *kv), void *arg,
		    struct etcd_range_answer *ret, struct err *err)
{
	struct pb_reader r = pb_reader(wire);
	struct etcd_range_answer a = { 0 };
	struct pb_field f;
	int got, result = 0;

	while ((got = pb_next(&r, &f)) > 0 && result >= 0) {
		if (f.number == ANSWER_HEADER && f.type == PB_BYTES) {
			a.revision = etcd_header(e, f.bytes);
		} else if (f.number == ANSWER_KVS && f.type == PB_BYTES) {
			struct store_kv kv;

			a.n++;
			result = etcd_read_kv(f.bytes, &kv, err);
			if (result >= 0 && each)
				result = each(arg, &kv);
		} else if (f.number == ANSWER_MORE && f.type == PB_VARINT) {
			a.more = f.v != 0;
		} else if (f.number == ANSWER_COUNT && f.type == PB_VARINT) {
			a.count = (int64_t)f.v;
		}
	}
	if (result < 0)
		return result;
	if (got < 0)
		return etcd_malformed("answer of a range", &r, err);
	*ret = a;
	return 0;
}

void etcd_put_range(struct pb_writer *w, const struct etcd_range_request *r)
{
	if (r->count_only)
		pb_field_varint(w, RANGE_COUNT_ONLY, 1);
	if (r->keys_only)
		pb_field_varint(w, RANGE_KEYS_ONLY, 1);
	if (r->revision)
		pb_field_varint(w, RANGE_REVISION, (uint64_t)r->revision);
	if (r->limit)
		pb_field_varint(w, RANGE_LIMIT, (uint64_t)r->limit);
	if (r->end.n)
		pb_field_bytes(w, RANGE_END, r->end);
	pb_field_bytes(w, RANGE_KEY, r->key);
}

struct slice etcd_prefix_end(struct slice prefix, char *out)
{
	size_t n = prefix.n;

	while (n && (unsigned char)prefix.p[n - 1] == 0xff)
		n--;
	if (!n) { /* etcd's word for "no end" */
		out[0] = '\0';
		return slice_of(out, 1);
	}
	memcpy(out, prefix.p, n);
	out[n - 1]++;
	return slice_of(out, n);
}
