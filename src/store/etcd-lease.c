/* SPDX-License-Identifier: Apache-2.0 */
/* Leases: granted, kept alive (a stream that carries one message each way), revoked. */
#include "base/err.h"
#include "store/etcd.h"

enum { GRANT_TTL = 1, LEASE_ID_FIRST = 1, GRANT_ID = 2 };
enum { ANSWER_HEADER = 1, ANSWER_ID = 2, ANSWER_TTL = 3, ANSWER_ERROR = 4 };

static void finish(struct store_lease *l, int result, const struct err *err)
{
	l->result = result;
	if (result < 0)
		l->err = *err;
	l->done(l);
}

int etcd_read_lease(struct etcd *e, struct store_lease *l, struct slice answer, struct err *err)
{
	struct pb_reader r = pb_reader(answer);
	struct slice error = { NULL, 0 };
	int64_t id = 0, ttl = 0;
	struct pb_field f;
	int got;

	while ((got = pb_next(&r, &f)) > 0) {
		if (f.number == ANSWER_HEADER && f.type == PB_BYTES)
			(void)etcd_header(e, f.bytes);
		else if (f.number == ANSWER_ID && f.type == PB_VARINT)
			id = (int64_t)f.v;
		else if (f.number == ANSWER_TTL && f.type == PB_VARINT)
			ttl = (int64_t)f.v;
		else if (f.number == ANSWER_ERROR && f.type == PB_BYTES)
			error = f.bytes;
	}
	if (got < 0)
		return etcd_malformed("answer about a lease", &r, err);
	if (error.n)
		return err_set(err, ERR_SYSTEM, "etcd: lease: %.*s", (int)MIN(error.n, (size_t)500),
			       error.p);
	if (ttl <= 0)
		return err_set(err, ERR_NOT_FOUND, "lease %lld is over", (long long)l->id);
	l->id = id;
	l->ttl = ttl;
	return 0;
}

static void on_lease(struct etcd_call *c, int result, struct slice answer, struct err *err)
{
	struct store_lease *l = c->arg;

	if (result == 0)
		result = etcd_read_lease(c->e, l, answer, err);
	finish(l, result, err);
}

static void on_revoked(struct etcd_call *c, int result, struct slice answer, struct err *err)
{
	(void)answer;
	/* One that was sent twice has revoked it the first time. */
	if (result == -ERR_NOT_FOUND && c->repeated)
		result = 0;
	finish(c->arg, result, err);
}

void etcd_lease(struct store *s, struct store_lease *l)
{
	struct pb_writer w = PB_WRITER_INIT(1u << 12);
	struct etcd *e = etcd_of(s);
	const struct grpc_method *m = &etcd_keep_alive_method;
	bool revoke = l->id && !l->ttl;
	struct etcd_call *c;

	if (!l->id) {
		pb_field_varint(&w, GRANT_TTL, (uint64_t)l->ttl);
		m = &etcd_grant_method;
	} else {
		pb_field_varint(&w, LEASE_ID_FIRST, (uint64_t)l->id);
		m = revoke ? &etcd_revoke_method : m;
	}
	c = etcd_call_new(e, ETCD_LEASE, m, &w, revoke ? on_revoked : on_lease, l);
	/* A second grant leaves a lease without keys, which ends by itself. */
	c->twice = true;
	etcd_call_start(c);
}
