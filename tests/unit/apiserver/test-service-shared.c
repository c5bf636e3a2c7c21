/* SPDX-License-Identifier: Apache-2.0 */
/* Node ports and cluster IPs when several servers share a store: none is given out twice. */
#include "shared-fix.h"

#include "apiserver/objects/codec.h"
#include "apiserver/strategy/own.h"
#include "base/hash.h"

#define RANGE_KEY "/registry/ranges/servicenodeports"
#define PORTS_N 32
#define SERVICES "/api/v1/namespaces/default/services"

/* ---- requests ---- */

struct making {
	struct own_put put;
	char name[32];
	bool done;
};

static void made(struct own_put *p)
{
	CONTAINER_OF(p, struct making, put)->done = true;
}

static void make_begin(struct rfix *x, struct making *m, struct resources *rs, const char *name,
		       const char *spec)
{
	struct doc *d;

	assert_int_equal(json_read(x->a, slice_str(arena_printf(x->a, "{\"spec\":%s}", spec)), NULL,
				   &d, NULL),
			 0);
	*m = (struct making){ .put = { .rs = rs,
				       .group = "",
				       .resource = "services",
				       .namespace_ = "default",
				       .want = d,
				       .done = made } };
	(void)str_copy(m->name, sizeof(m->name), name);
	m->put.name = m->name;
	own_put(&m->put);
}

#define NODE_PORT "{\"type\":\"NodePort\",\"ports\":[{\"port\":80}]}"

static void turn_for(struct rfix *x, int64_t time)
{
	const int64_t end = clock_mono() + time;

	while (clock_mono() < end)
		assert_true(loop_step(x->f->loop, end - clock_mono(), &x->f->err) >= 0);
}

struct reading {
	struct store_range r;
	struct buf value;
	int64_t revision;
	bool done;
};

static int on_value(struct store_range *r, const struct store_kv *kv)
{
	struct reading *x = CONTAINER_OF(r, struct reading, r);

	x->revision = kv->mod_revision;
	return buf_add(&x->value, kv->value.p, kv->value.n);
}

static void on_read(struct store_range *r)
{
	assert_int_equal(r->result, 0);
	CONTAINER_OF(r, struct reading, r)->done = true;
}

static const char *stored(struct rfix *x)
{
	struct reading r = { .r = { .prefix = SLICE(RANGE_KEY),
				    .exact = true,
				    .each = on_value,
				    .done = on_read },
			     .value = BUF_INIT(1u << 16) };
	const char *text;

	store_range(x->f->s, &r.r);
	wait_for(x->f, &r.done);
	text = arena_strdup(x->a, buf_str(&r.value));
	buf_fini(&r.value);
	return text;
}

struct storing {
	struct store_txn t;
	struct store_op op;
	bool done;
};

static void on_stored(struct store_txn *t)
{
	assert_int_equal(t->result, 0);
	CONTAINER_OF(t, struct storing, t)->done = true;
}

/* As another server writes it. */
static void put_range(struct rfix *x, struct slice value)
{
	struct storing s = { .t = { .ops = &s.op, .nops = 1, .done = on_stored },
			     .op = { .key = SLICE(RANGE_KEY), .value = value } };

	store_commit(x->f->s, &s.t);
	wait_for(x->f, &s.done);
	turn_for(x, NS_PER_SEC / 20);
}

/* "30000 30003": what is stored as taken, and what Services have, which must be the same. */
static const char *taken(struct rfix *x)
{
	const struct collection *o = resources_objects(x->rs, "", "services");
	CLEANUP(cache_view_unref) struct cache_view *view = cache_now(o->cache);
	unsigned char bits[16] = { 0 }, bytes[64];
	bool used[PORTS_N] = { 0 };
	const struct item *item;
	struct cache_iter it;
	struct buf out = BUF_INIT(4096);
	const char *text;
	struct doc *d, s;
	size_t n = 0;

	assert_int_equal(json_read(x->a, slice_str(stored(x)), NULL, &d, NULL), 0);
	assert_true(doc_str_is(doc_get(d, "range"), "30000-30031"));
	assert_int_equal(base64_decode(bytes, &n, doc_slice(doc_get(d, "data"))), 0);
	for (size_t i = 0; i < n; i++)
		bits[i] = bytes[n - 1 - i];
	cache_iter_init(&it, view, SLICE(""), SLICE(""));
	while ((item = cache_iter_next(&it))) {
		assert_int_equal(codec_parse(item, x->a, &s, NULL), 0);
		DOC_EACH (port, doc_find(&s, "spec.ports")) {
			int64_t v = 0;

			if (doc_int64(doc_get(port, "nodePort"), &v) < 0 || v == 0)
				continue;
			assert_in_range(v, 30000, 30031);
			assert_false(used[v - 30000]); /* the point of it all */
			used[v - 30000] = true;
		}
	}
	for (unsigned i = 0; i < PORTS_N; i++) {
		assert_int_equal(used[i], bits[i / 8] >> i % 8 & 1);
		if (used[i])
			buf_addf(&out, "%s%u", out.n ? " " : "", 30000 + i);
	}
	text = arena_strdup(x->a, buf_str(&out));
	buf_fini(&out);
	return text;
}

/* ---- tests ---- */

/* Two at a time, one on each server, until nothing is left. */
static void no_port_is_given_out_twice(void **state)
{
	struct rfix *x = *state;
	struct making m[PORTS_N + 2];
	struct other two = { 0 };

	world_begin(x, &two);
	make_namespace(x, "default");
	for (unsigned i = 0; i < PORTS_N; i += 2) {
		char name[32];

		for (unsigned k = i; k < i + 2; k++) {
			snprintf(name, sizeof(name), "s%u", k);
			make_begin(x, &m[k], k % 2 ? two.rs : x->rs, name, NODE_PORT);
		}
		for (unsigned k = i; k < i + 2; k++) {
			wait_for(x->f, &m[k].done);
			if (m[k].put.result != 1)
				fail_msg("%s", m[k].put.err.msg);
		}
	}
	assert_int_equal(strlen(taken(x)), PORTS_N * 6 - 1);
	for (unsigned k = PORTS_N; k < PORTS_N + 2; k++) {
		make_begin(x, &m[k], k % 2 ? two.rs : x->rs, k % 2 ? "y" : "z", NODE_PORT);
		wait_for(x->f, &m[k].done);
		assert_non_null(
			strstr(m[k].put.err.msg, "failed to allocate a nodePort: range is full"));
	}
	/* All at once go, though each is in the others' way. */
	ask(x, "DELETE", SERVICES, ADMIN, NULL);
	assert_int_equal(x->code, 200);
	assert_string_equal(taken(x), "");
	world_end(x, &two);
}

static void a_named_port_is_one_servers(void **state)
{
	static const char spec[] = "{\"type\":\"NodePort\",\"ports\":[{\"port\":80,"
				   "\"nodePort\":30007}]}";
	struct rfix *x = *state;
	struct other two = { 0 };
	struct making a, b;

	world_begin(x, &two);
	make_namespace(x, "default");
	make_begin(x, &a, x->rs, "a", spec);
	make_begin(x, &b, two.rs, "b", spec);
	wait_for(x->f, &a.done);
	wait_for(x->f, &b.done);
	assert_int_equal((a.put.result == 1) + (b.put.result == 1), 1);
	assert_non_null(strstr(a.put.result == 1 ? b.put.err.msg : a.put.err.msg,
			       "30007: provided port is already allocated"));
	assert_string_equal(taken(x), "30007");
	world_end(x, &two);
}

static void ports_follow_changes_of_a_service(void **state)
{
	struct rfix *x = *state;

	make_namespace(x, "default");
	post(x, SERVICES,
	     "{\"metadata\":{\"name\":\"s\"},\"spec\":{\"type\":\"NodePort\","
	     "\"ports\":[{\"name\":\"a\",\"port\":80,\"nodePort\":30001},"
	     "{\"name\":\"b\",\"port\":81,\"nodePort\":30031}]}}");
	assert_int_equal(x->code, 201);
	assert_string_equal(taken(x), "30001 30031");
	ask(x, "PATCH", SERVICES "/s", ADMIN "Content-Type: application/merge-patch+json\r\n",
	    "{\"spec\":{\"ports\":[{\"name\":\"b\",\"port\":81,\"nodePort\":30002}]}}");
	assert_int_equal(x->code, 200);
	assert_string_equal(taken(x), "30002");
	/* What changes nothing of them leaves the list alone. */
	{
		const char *before = stored(x);

		ask(x, "PATCH", SERVICES "/s",
		    ADMIN "Content-Type: application/merge-patch+json\r\n",
		    "{\"metadata\":{\"labels\":{\"a\":\"b\"}}}");
		assert_int_equal(x->code, 200);
		assert_string_equal(stored(x), before);
	}
	post(x, SERVICES "?dryRun=All",
	     "{\"metadata\":{\"name\":\"d\"},\"spec\":{\"type\":\"NodePort\","
	     "\"ports\":[{\"port\":80,\"nodePort\":30009}]}}");
	assert_int_equal(x->code, 201);
	assert_string_equal(taken(x), "30002");
	ask(x, "PATCH", SERVICES "/s", ADMIN "Content-Type: application/merge-patch+json\r\n",
	    "{\"spec\":{\"type\":\"ClusterIP\"}}");
	assert_int_equal(x->code, 200);
	assert_string_equal(taken(x), "");
	ask(x, "DELETE", SERVICES "/s", ADMIN, NULL);
	assert_int_equal(x->code, 200);
	assert_string_equal(taken(x), "");
}

/* kube-apiserver's own form, with a port that is given out but has no Service yet. */
static void ports_of_upstreams_servers_are_seen(void **state)
{
	static const char value[] = "k8s\0\n\x15\n\2v1\x12\x0fRangeAllocation\x12\x14"
				    "\n\0\x12\x0b"
				    "30000-30031\x1a\3\1\0\2\x1a\0\"\0";
	struct rfix *x = *state;
	struct other two = { 0 };

	make_namespace(x, "default");
	put_range(x, slice_of(value, sizeof(value) - 1));
	for (unsigned i = 0; i < 2; i++) {
		post(x, SERVICES,
		     arena_printf(x->a,
				  "{\"metadata\":{\"name\":\"s\"},\"spec\":{\"type\":\"NodePort\","
				  "\"ports\":[{\"port\":80,\"nodePort\":%u}]}}",
				  i ? 30016u : 30001u));
		assert_status(x, 422, "Invalid", "provided port is already allocated");
	}
	/* It may be just being written: not taken for a leak at once. */
	world_begin(x, &two);
	turn_until_written(x, two.w);
	turn_for(x, NS_PER_SEC / 10);
	post(x, SERVICES,
	     "{\"metadata\":{\"name\":\"s\"},\"spec\":{\"type\":\"NodePort\","
	     "\"ports\":[{\"port\":80,\"nodePort\":30016}]}}");
	assert_int_equal(x->code, 422);
	world_end(x, &two);
}

static void what_is_missing_is_mended_at_the_start(void **state)
{
	static const char empty[] = "{\"kind\":\"RangeAllocation\",\"apiVersion\":\"v1\","
				    "\"metadata\":{},\"range\":\"30000-30031\",\"data\":\"\"}";
	static const char other[] = "{\"kind\":\"RangeAllocation\",\"apiVersion\":\"v1\","
				    "\"metadata\":{},\"range\":\"1-2\",\"data\":\"Aw==\"}";
	struct rfix *x = *state;
	struct other two = { 0 };

	make_namespace(x, "default");
	post(x, SERVICES,
	     "{\"metadata\":{\"name\":\"s\"},\"spec\":{\"type\":\"NodePort\","
	     "\"ports\":[{\"port\":80,\"nodePort\":30005}]}}");
	for (unsigned i = 0; i < 2; i++) {
		put_range(x, i ? SLICE(other) : SLICE(empty));
		if (i) {
			post(x, SERVICES,
			     "{\"metadata\":{\"name\":\"t\"},\"spec\":{\"type\":"
			     "\"NodePort\",\"ports\":[{\"port\":80}]}}");
			assert_status(x, 500, "InternalError", "does not match the current");
		}
		world_begin(x, &two);
		turn_for(x, NS_PER_SEC / 10);
		assert_string_equal(taken(x), "30005");
		world_end(x, &two);
	}
}

/* Their IPAddress is written with them. */
static void no_cluster_ip_is_given_out_twice(void **state)
{
	static const char spec[] = "{\"clusterIP\":\"10.96.7.7\",\"ports\":[{\"port\":80}]}";
	struct rfix *x = *state;
	struct other two = { 0 };
	struct making a, b;

	world_begin(x, &two);
	make_namespace(x, "default");
	make_begin(x, &a, x->rs, "a", spec);
	make_begin(x, &b, two.rs, "b", spec);
	wait_for(x->f, &a.done);
	wait_for(x->f, &b.done);
	assert_int_equal((a.put.result == 1) + (b.put.result == 1), 1);
	assert_non_null(strstr(a.put.result == 1 ? b.put.err.msg : a.put.err.msg,
			       "provided IP is already allocated"));
	world_end(x, &two);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, shared_setup, shared_teardown)
	const struct CMUnitTest tests[] = {
		T(no_port_is_given_out_twice),
		T(a_named_port_is_one_servers),
		T(ports_follow_changes_of_a_service),
		T(ports_of_upstreams_servers_are_seen),
		T(what_is_missing_is_mended_at_the_start),
		T(no_cluster_ip_is_given_out_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
