/* SPDX-License-Identifier: Apache-2.0 */
/* WATCH, through the whole server: over plain streams and WebSockets. */
#include "rest-fix.h"

#define MAPS "/api/v1/namespaces/n1/configmaps"

static void touch(struct rfix *x, const char *name, const char *value)
{
	char path[128], body[128];

	snprintf(path, sizeof(path), MAPS "/%s", name);
	snprintf(body, sizeof(body), "{\"metadata\":{\"labels\":{\"v\":\"%s\"}}}", value);
	(void)ask(x, "PATCH", path, ADMIN "Content-Type: application/merge-patch+json\r\n", body);
	assert_code(x, 200);
}

static void erase(struct rfix *x, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), MAPS "/%s", name);
	(void)ask(x, "DELETE", path, ADMIN, NULL);
	assert_code(x, 200);
}

static void watch_maps(struct rfix *x, struct peer *p, const char *query)
{
	char path[256];

	snprintf(path, sizeof(path), MAPS "?watch=1%s", query);
	peer_open(x, p);
	peer_send(p, "GET", path, ADMIN, NULL);
	peer_until(p, "\r\n\r\n");
}

static size_t count(const struct peer *p, const char *text)
{
	size_t n = 0;

	for (const char *at = buf_str(&p->in); (at = strstr(at, text)); at++)
		n++;
	return n;
}

static void a_watch_tells_what_is_there_and_then_what_changes(void **state)
{
	struct rfix *x = *state;
	struct peer p;

	make_map(x, "a", "1");
	watch_maps(x, &p, "");
	peer_until(&p,
		   "{\"type\":\"ADDED\",\"object\":{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\"");
	assert_non_null(strstr(buf_str(&p.in), "Transfer-Encoding: chunked"));
	assert_non_null(strstr(buf_str(&p.in), "Content-Type: application/json\r\n"));
	make_map(x, "b", "1");
	peer_until(&p, "\"name\":\"b\"");
	touch(x, "b", "2");
	peer_until(&p, "\"MODIFIED\"");
	erase(x, "a");
	peer_until(&p, "\"DELETED\"");
	assert_int_equal(count(&p, "\"ADDED\""), 2);
	peer_close(&p);
}

static void a_watch_behind_a_revision_tells_what_is_later(void **state)
{
	struct rfix *x = *state;
	char query[64];
	struct peer p;

	make_map(x, "a", "1");
	snprintf(query, sizeof(query), "&resourceVersion=%s",
		 answer_text(x, "metadata.resourceVersion"));
	make_map(x, "b", "1");
	watch_maps(x, &p, query);
	peer_until(&p, "\"name\":\"b\"");
	assert_int_equal(count(&p, "\"name\":\"a\""), 0);
	peer_close(&p);
}

static void a_revision_that_is_gone_is_an_error_event(void **state)
{
	struct rfix *x = *state;
	struct peer p;

	make_map(x, "a", "1");
	rest_close(x);
	x->window_changes = 2;
	rest_open(x);
	for (int i = 0; i < 8; i++)
		touch(x, "a", i % 2 ? "x" : "y");
	watch_maps(x, &p, "&resourceVersion=2");
	peer_until(&p, "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\"");
	peer_until(&p, "\"reason\":\"Expired\"");
	peer_until(&p, "too old resource version: 2 (");
	peer_until(&p, "0\r\n\r\n");
	assert_non_null(strstr(buf_str(&p.in), "HTTP/1.1 200"));
	peer_close(&p);
}

static void selectors_of_a_watch_make_objects_come_and_go(void **state)
{
	struct rfix *x = *state;
	struct peer p;

	make_map(x, "a", "1");
	make_map(x, "b", "2");
	watch_maps(x, &p, "&labelSelector=v%3D1");
	peer_until(&p, "\"name\":\"a\"");
	touch(x, "b", "1");
	peer_until(&p, "\"name\":\"b\"");
	assert_int_equal(count(&p, "\"ADDED\""), 2);
	touch(x, "a", "3");
	peer_until(&p, "\"DELETED\"");
	peer_close(&p);
}

static void one_object_is_watched_by_name(void **state)
{
	struct rfix *x = *state;
	struct peer p;

	make_map(x, "a", "1");
	make_map(x, "b", "1");
	watch_maps(x, &p, "&fieldSelector=metadata.name%3Db");
	peer_until(&p, "\"name\":\"b\"");
	touch(x, "a", "2");
	touch(x, "b", "2");
	peer_until(&p, "\"MODIFIED\"");
	assert_int_equal(count(&p, "\"name\":\"a\""), 0);
	peer_close(&p);
	peer_open(x, &p);
	peer_send(&p, "GET", "/api/v1/watch/namespaces/n1/configmaps/a", ADMIN, NULL);
	peer_until(&p, "\"name\":\"a\"");
	assert_int_equal(count(&p, "\"name\":\"b\""), 0);
	peer_close(&p);
}

static void initial_events_end_with_a_bookmark(void **state)
{
	struct rfix *x = *state;
	struct peer p;

	make_map(x, "a", "1");
	watch_maps(x, &p,
		   "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks="
		   "true");
	peer_until(&p, "\"name\":\"a\"");
	peer_until(&p, "\"k8s.io/initial-events-end\":\"true\"");
	assert_int_equal(count(&p, "\"BOOKMARK\""), 1);
	make_map(x, "b", "1");
	peer_until(&p, "\"name\":\"b\"");
	peer_close(&p);
	watch_maps(x, &p, "&sendInitialEvents=false&resourceVersionMatch=NotOlderThan");
	make_map(x, "c", "1");
	peer_until(&p, "\"name\":\"c\"");
	assert_int_equal(count(&p, "\"name\":\"a\""), 0);
	peer_close(&p);
	ask(x, "GET", MAPS "?watch=1&sendInitialEvents=true", ADMIN, NULL);
	assert_status(x, 422, "Invalid", "sendInitialEvents requires setting resourceVersionMatch");
}

static void a_watch_ends_when_its_time_is_up(void **state)
{
	struct rfix *x = *state;
	struct peer p;

	rest_close(x);
	x->conf.watch_time_min = 50 * NS_PER_MS;
	rest_open(x);
	make_map(x, "a", "1");
	watch_maps(x, &p, "&allowWatchBookmarks=true");
	peer_until(&p, "0\r\n\r\n");
	assert_int_equal(count(&p, "\"BOOKMARK\""), 1);
	assert_int_equal(count(&p, "\"ERROR\""), 0);
	peer_close(&p);
}

static void tables_and_protobuf_are_framed(void **state)
{
	struct rfix *x = *state;
	struct peer p;

	make_map(x, "a", "1");
	peer_open(x, &p);
	peer_send(&p, "GET", MAPS "?watch=1",
		  ADMIN "Accept: application/json;as=Table;v=v1;g=meta.k8s.io\r\n", NULL);
	peer_until(&p, "\"kind\":\"Table\"");
	peer_until(&p, "\"cells\":[\"a\"");
	peer_close(&p);
	peer_open(x, &p);
	peer_send(&p, "GET", MAPS "?watch=1",
		  ADMIN "Accept: application/vnd.kubernetes.protobuf;stream=watch\r\n", NULL);
	peer_until(&p, "Content-Type: application/vnd.kubernetes.protobuf;stream=watch");
	peer_until(&p, "ADDED");
	peer_until(&p, "k8s");
	peer_close(&p);
}

/* A reader that stops for long: what it gets is what it would have got. */
static void a_slow_reader_goes_on_from_where_it_stood(void **state)
{
	struct rfix *x = *state;
	struct peer p, quick;
	struct buf b = BUF_INIT(1u << 20);
	char end[32];

	watch_maps(x, &p, "");
	watch_maps(x, &quick, "");
	for (int i = 0; i < 60; i++) {
		buf_clear(&b);
		(void)buf_addf(
			&b,
			"{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":"
			"\"b%03d\"},\"data\":{\"k\":\"",
			i);
		for (int j = 0; j < 30000; j++)
			(void)buf_addc(&b, 'a');
		(void)buf_adds(&b, "\"}}");
		post(x, MAPS, b.p);
		assert_code(x, 201);
	}
	buf_fini(&b);
	snprintf(end, sizeof(end), "\"name\":\"b%03d\"", 59);
	peer_until(&quick, end);
	peer_until(&p, end);
	assert_int_equal(count(&p, "\"ADDED\""), 60);
	peer_close(&p);
	peer_close(&quick);
}

/* Objects of a lease go at one revision: who was told a part when time is up may not come back with
 * that revision as if it had all of it. */
static void time_is_up_between_events_of_one_revision(void **state)
{
	struct rfix *x = *state;
	struct lse l = { .l = { .ttl = 60 } };
	struct buf b = BUF_INIT(1u << 20);
	struct peer p;
	char query[64];
	int64_t end;

	assert_int_equal(lease(x->f, &l), 0);
	for (int i = 0; i < 20; i++) {
		char key[64];

		buf_clear(&b);
		(void)buf_addf(&b,
			       "{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"metadata\":{"
			       "\"name\":\"l%d\",\"namespace\":\"n1\"},\"data\":{\"k\":\"",
			       i);
		for (int j = 0; j < 300000; j++)
			(void)buf_addc(&b, 'a');
		(void)buf_adds(&b, "\"}}");
		snprintf(key, sizeof(key), "/registry/configmaps/n1/l%d", i);
		(void)put_lease(x->f, key, buf_str(&b), l.l.id);
	}
	buf_fini(&b);
	snprintf(query, sizeof(query), "&timeoutSeconds=1&resourceVersion=%lld",
		 (long long)world_revision(x->w));
	watch_maps(x, &p, query);
	l.l.ttl = 0; /* it is over */
	assert_int_equal(lease(x->f, &l), 0);
	end = clock_mono() + 3 * NS_PER_SEC / 2;
	while (clock_mono() < end) /* and nobody reads */
		assert_true(loop_step(x->f->loop, NS_PER_SEC / 10, &x->f->err) >= 0);
	peer_until(&p, "0\r\n\r\n");
	assert_in_range(count(&p, "\"DELETED\""), 1, 19);
	assert_int_equal(count(&p, "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\""), 1);
	assert_int_equal(count(&p, "the watch ended between events of one revision"), 1);
	assert_int_equal(count(&p, "\"reason\":\"Expired\""), 1);
	peer_close(&p);
}

static void many_watchers_are_told_in_turn(void **state)
{
	struct rfix *x = *state;
	struct peer p[20];

	for (size_t i = 0; i < ARRAY_LEN(p); i++)
		watch_maps(x, &p[i], i % 2 ? "" : "&labelSelector=v%3D1");
	make_map(x, "a", "1");
	make_map(x, "b", "2");
	for (size_t i = 0; i < ARRAY_LEN(p); i++) {
		peer_until(&p[i], i % 2 ? "\"name\":\"b\"" : "\"name\":\"a\"");
		assert_int_equal(count(&p[i], "\"ADDED\""), 1 + i % 2);
		peer_close(&p[i]);
	}
	make_map(x, "c", "1");
}

#define UPGRADE                                                                            \
	ADMIN "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" \
	      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

static void events_go_over_a_websocket_too(void **state)
{
	static const char close_frame[] = "\x88\x82\0\0\0\0\x03\xe8";
	struct rfix *x = *state;
	struct peer p;

	make_map(x, "a", "1");
	peer_open(x, &p);
	peer_send(&p, "GET", MAPS "?watch=1", UPGRADE, NULL);
	peer_until(&p, "HTTP/1.1 101 ");
	peer_until(&p, "\"name\":\"a\"");
	make_map(x, "b", "1");
	peer_until(&p, "\"name\":\"b\"");
	assert_int_equal(count(&p, "\x81\x7e"), 2); /* a message each */
	peer_write(&p, close_frame, sizeof(close_frame) - 1);
	for (int i = 0; i < 10; i++)
		turn(&p);
	make_map(x, "c", "1");
	assert_int_equal(count(&p, "\"name\":\"c\""), 0);
	peer_close(&p);
	peer_open(x, &p);
	peer_send(&p, "GET", MAPS "?watch=1&timeoutSeconds=1", UPGRADE, NULL);
	peer_until(&p, "\"name\":\"a\"");
	peer_until(&p, "\x88\x02\x03\xe8");
	peer_close(&p);
}

static void on_drained(void *arg)
{
	*(bool *)arg = true;
}

static void the_end_of_the_server_ends_watches(void **state)
{
	struct rfix *x = *state;
	struct peer p;
	bool drained = false;

	make_map(x, "a", "1");
	watch_maps(x, &p, "");
	peer_until(&p, "\"name\":\"a\"");
	server_drain(x->srv, 10 * NS_PER_SEC, on_drained, &drained);
	peer_until(&p, "0\r\n\r\n");
	peer_close(&p);
	wait_for(x->f, &drained);
}

static int with_namespace(void **state)
{
	int r = rest_setup(state);

	make_namespace(*state, "n1");
	return r;
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, with_namespace, rest_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_watch_tells_what_is_there_and_then_what_changes),
		TEST(a_watch_behind_a_revision_tells_what_is_later),
		TEST(a_revision_that_is_gone_is_an_error_event),
		TEST(selectors_of_a_watch_make_objects_come_and_go),
		TEST(one_object_is_watched_by_name),
		TEST(initial_events_end_with_a_bookmark),
		TEST(a_watch_ends_when_its_time_is_up),
		TEST(tables_and_protobuf_are_framed),
		TEST(a_slow_reader_goes_on_from_where_it_stood),
		TEST(time_is_up_between_events_of_one_revision),
		TEST(many_watchers_are_told_in_turn),
		TEST(events_go_over_a_websocket_too),
		TEST(the_end_of_the_server_ends_watches),
	};

	return cmocka_run_group_tests_name("rest-watch", tests, NULL, NULL);
}
