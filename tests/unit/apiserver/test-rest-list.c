/* SPDX-License-Identifier: Apache-2.0 */
/* GET and LIST, through the whole server. */
#include "rest-fix.h"

#include <zlib.h>

#define MAPS "/api/v1/namespaces/n1/configmaps"
#define FLOWS "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas"

static void make_maps(struct rfix *x, int n)
{
	char name[16];

	for (int i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "m%03d", i);
		make_map(x, name, i % 2 ? "odd" : "even");
	}
}

/* Of the window, only the latest changes are left. */
static void forget_history(struct rfix *x)
{
	rest_close(x);
	x->window_changes = 2;
	rest_open(x);
	make_namespace(x, "other");
	for (int i = 0; i < 8; i++) {
		(void)ask(x, "PATCH", MAPS "/m000",
			  ADMIN "Content-Type: application/merge-patch+json\r\n",
			  i % 2 ? "{\"data\":{\"k\":\"x\"}}" : "{\"data\":{\"k\":\"y\"}}");
		assert_code(x, 200);
	}
}

static size_t items(struct rfix *x)
{
	return doc_len(doc_get(answer_doc(x), "items"));
}

static void an_object_is_got_at_any_revision_that_is_not_too_new(void **state)
{
	struct rfix *x = *state;
	char path[128];

	make_map(x, "m", "a");
	get(x, MAPS "/m?resourceVersion=0");
	assert_code(x, 200);
	assert_string_equal(header_of(x, "Content-Type"), "application/json");
	assert_string_equal(header_of(x, "Cache-Control"), "no-cache, private");
	assert_int_equal(strlen(header_of(x, "Audit-Id")), 36);
	snprintf(path, sizeof(path), MAPS "/m?resourceVersion=%s",
		 answer_text(x, "metadata.resourceVersion"));
	get(x, path);
	assert_code(x, 200);
	get(x, MAPS "/m?resourceVersion=x");
	assert_status(x, 400, "BadRequest", "invalid syntax");
	ask(x, "HEAD", MAPS "/m", ADMIN, NULL);
	assert_code(x, 200);
	assert_int_equal(x->body.n, 0);
	ask(x, "GET", MAPS "/m?pretty=true", ADMIN, NULL);
	assert_has(x, "{\n  \"kind\": \"ConfigMap\"");
	ask(x, "GET", MAPS "/m", ADMIN "User-Agent: curl/8\r\n", NULL);
	assert_has(x, "{\n  \"kind\": \"ConfigMap\"");
}

static void a_list_has_the_objects_of_a_namespace_or_of_all(void **state)
{
	struct rfix *x = *state;

	make_maps(x, 3);
	make_namespace(x, "n2");
	post(x, "/api/v1/namespaces/n2/configmaps",
	     "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"z\"}}");
	get(x, MAPS);
	assert_code(x, 200);
	assert_string_equal(answer_text(x, "kind"), "ConfigMapList");
	assert_int_equal(items(x), 3);
	assert_string_equal(answer_text(x, "items.0.kind"), "(none)");
	get(x, "/api/v1/configmaps");
	assert_int_equal(items(x), 4);
	get(x, "/api/v1/namespaces/empty/configmaps");
	assert_code(x, 200);
	assert_has(x, "\"items\":[]");
}

static void selectors_choose(void **state)
{
	struct rfix *x = *state;

	make_maps(x, 5);
	get(x, MAPS "?labelSelector=v%3Deven");
	assert_int_equal(items(x), 3);
	get(x, MAPS "?fieldSelector=metadata.name%3Dm001");
	assert_int_equal(items(x), 1);
	get(x, MAPS "?fieldSelector=metadata.name%21%3Dm001");
	assert_int_equal(items(x), 4);
	get(x, MAPS "?fieldSelector=spec.x%3D1");
	assert_status(x, 400, "BadRequest", "field label not supported: spec.x");
	get(x, MAPS "?labelSelector=v%20%28");
	assert_code(x, 400);
}

static void pages_go_on_where_the_last_one_ended(void **state)
{
	struct rfix *x = *state;
	char path[512], revision[32];

	make_maps(x, 7);
	get(x, MAPS "?limit=3");
	assert_int_equal(items(x), 3);
	assert_string_equal(answer_text(x, "metadata.remainingItemCount"), "4");
	snprintf(revision, sizeof(revision), "%s", answer_text(x, "metadata.resourceVersion"));
	snprintf(path, sizeof(path), MAPS "?limit=3&continue=%s",
		 answer_text(x, "metadata.continue"));
	make_map(x, "m0000", "late");
	get(x, path);
	assert_code(x, 200);
	assert_int_equal(items(x), 3);
	assert_string_equal(answer_text(x, "items.0.metadata.name"), "m003");
	assert_string_equal(answer_text(x, "metadata.resourceVersion"), revision);
	snprintf(path, sizeof(path), MAPS "?limit=3&continue=%s",
		 answer_text(x, "metadata.continue"));
	get(x, path);
	assert_int_equal(items(x), 1);
	assert_string_equal(answer_text(x, "metadata.continue"), "(none)");
	get(x, MAPS "?limit=2&labelSelector=v%3Deven");
	assert_int_equal(items(x), 2);
	assert_string_equal(answer_text(x, "metadata.remainingItemCount"), "(none)");
	snprintf(path, sizeof(path), MAPS "?limit=2&labelSelector=v%%3Deven&continue=%s",
		 answer_text(x, "metadata.continue"));
	get(x, path);
	assert_int_equal(items(x), 2);
	assert_string_equal(answer_text(x, "metadata.continue"), "(none)");
	get(x, MAPS "?continue=!!");
	assert_status(x, 400, "BadRequest", "continue key is not valid");
	get(x, MAPS "?limit=7");
	assert_int_equal(items(x), 7);
	assert_int_not_equal(strlen(answer_text(x, "metadata.continue")), 6);
}

/* A token of a revision that is gone: {"v":"meta.k8s.io/v1","rv":1,"start":"m001\u0000"} */
#define OLD_TOKEN "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MSwic3RhcnQiOiJtMDAxXHUwMDAwIn0"

static void a_token_that_is_too_old_is_told_with_a_fresh_one(void **state)
{
	struct rfix *x = *state;
	char path[512];

	make_maps(x, 4);
	forget_history(x);
	get(x, MAPS "?limit=2&continue=" OLD_TOKEN);
	assert_status(x, 410, "Expired", "The provided continue parameter is too old");
	snprintf(path, sizeof(path), MAPS "?limit=9&continue=%s",
		 answer_text(x, "metadata.continue"));
	get(x, path);
	assert_code(x, 200);
	assert_int_equal(items(x), 2);
	assert_string_equal(answer_text(x, "items.0.metadata.name"), "m002");
}

static void revisions_of_lists_follow_the_rules(void **state)
{
	struct rfix *x = *state;
	char path[256], then[32];

	make_maps(x, 2);
	get(x, MAPS);
	snprintf(then, sizeof(then), "%s", answer_text(x, "metadata.resourceVersion"));
	make_map(x, "late", "a");
	snprintf(path, sizeof(path), MAPS "?resourceVersion=%s&resourceVersionMatch=Exact", then);
	get(x, path);
	assert_int_equal(items(x), 2);
	snprintf(path, sizeof(path), MAPS "?resourceVersion=%s&resourceVersionMatch=NotOlderThan",
		 then);
	get(x, path);
	assert_int_equal(items(x), 3);
	snprintf(path, sizeof(path), MAPS "?resourceVersion=%s&limit=10", then);
	get(x, path);
	assert_int_equal(items(x), 2);
	get(x, MAPS "?resourceVersionMatch=Exact");
	assert_status(x, 422, "Invalid", "resourceVersionMatch is forbidden unless");
	forget_history(x);
	get(x, MAPS "?resourceVersion=1&resourceVersionMatch=Exact");
	assert_status(x, 410, "Expired", "too old");
}

#define TABLE ADMIN "Accept: application/json;as=Table;v=v1;g=meta.k8s.io\r\n"

static void rows_have_with_them_what_is_asked_for(void **state)
{
	struct rfix *x = *state;

	make_maps(x, 1);
	ask(x, "GET", MAPS "?includeObject=Object", TABLE, NULL);
	assert_string_equal(answer_text(x, "rows.0.object.kind"), "ConfigMap");
	assert_string_equal(answer_text(x, "rows.0.object.data.k"), "even");
	ask(x, "GET", MAPS "/m000?includeObject=None", TABLE, NULL);
	assert_string_equal(answer_text(x, "rows.0.object"), "(null)");
	ask(x, "GET", MAPS "?includeObject=Metadata", TABLE, NULL);
	assert_string_equal(answer_text(x, "rows.0.object.kind"), "PartialObjectMetadata");
	assert_int_equal(ask(x, "GET", MAPS "?includeObject=All", TABLE, NULL), 400);
	assert_status(x, 400, "BadRequest",
		      "Unable to convert to Table as requested: includeObject: Invalid value: "
		      "\"All\"");
	assert_int_equal(get(x, MAPS "?includeObject=All"), 200); /* no Table, no matter */
}

static void make_schema(struct rfix *x, const char *name, int precedence)
{
	char text[256];

	snprintf(text, sizeof(text),
		 "{\"metadata\":{\"name\":\"%s\"},\"spec\":{\"matchingPrecedence\":%d,"
		 "\"priorityLevelConfiguration\":{\"name\":\"x\"}}}",
		 name, precedence);
	post(x, FLOWS, text);
	assert_code(x, 201);
}

static void flow_schemas_are_shown_as_they_are_tried(void **state)
{
	struct rfix *x = *state;

	make_schema(x, "a", 900);
	make_schema(x, "b", 20);
	make_schema(x, "c", 900);
	make_schema(x, "d", 2);
	ask(x, "GET", FLOWS, TABLE, NULL);
	assert_string_equal(answer_text(x, "rows.0.cells.0"), "d");
	assert_string_equal(answer_text(x, "rows.1.cells.0"), "b");
	assert_string_equal(answer_text(x, "rows.2.cells.0"), "a");
	assert_string_equal(answer_text(x, "rows.3.cells.0"), "c");
	assert_string_equal(answer_text(x, "rows.4"), "(none)");
	/* within a page; the pages are as the objects lie */
	ask(x, "GET", FLOWS "?limit=2", TABLE, NULL);
	assert_string_equal(answer_text(x, "rows.0.cells.0"), "b");
	assert_string_equal(answer_text(x, "rows.1.cells.0"), "a");
	assert_string_equal(answer_text(x, "metadata.remainingItemCount"), "2");
	get(x, FLOWS);
	assert_string_equal(answer_text(x, "items.0.metadata.name"), "a");
	ask(x, "GET", FLOWS "?fieldSelector=metadata.name%3Db", TABLE, NULL);
	assert_string_equal(answer_text(x, "rows.0.cells.0"), "b");
	assert_string_equal(answer_text(x, "rows.1"), "(none)");
}

static void a_scale_has_a_row_of_its_own(void **state)
{
	struct rfix *x = *state;

	post(x, "/apis/apps/v1/namespaces/n1/deployments",
	     "{\"metadata\":{\"name\":\"d\"},\"spec\":{\"replicas\":3,\"selector\":{"
	     "\"matchLabels\":{\"a\":\"b\"}},\"template\":{\"metadata\":{\"labels\":{\"a\":"
	     "\"b\"}},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}}}");
	assert_code(x, 201);
	ask(x, "GET", "/apis/apps/v1/namespaces/n1/deployments/d/scale", TABLE, NULL);
	assert_code(x, 200);
	assert_string_equal(answer_text(x, "kind"), "Table");
	assert_string_equal(answer_text(x, "columnDefinitions.1.name"), "Desired");
	assert_string_equal(answer_text(x, "rows.0.cells.1"), "3");
	assert_string_equal(answer_text(x, "rows.0.cells.2"), "0");
}

static void tables_and_partial_objects_are_made_when_asked_for(void **state)
{
	struct rfix *x = *state;

	make_maps(x, 2);
	ask(x, "GET", MAPS, ADMIN "Accept: application/json;as=Table;v=v1;g=meta.k8s.io\r\n", NULL);
	assert_code(x, 200);
	assert_string_equal(answer_text(x, "kind"), "Table");
	assert_string_equal(answer_text(x, "rows.1.cells.0"), "m001");
	ask(x, "GET", MAPS,
	    ADMIN "Accept: application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io\r\n",
	    NULL);
	assert_string_equal(answer_text(x, "kind"), "PartialObjectMetadataList");
	assert_string_equal(answer_text(x, "items.0.data"), "(none)");
	ask(x, "GET", MAPS, ADMIN "Accept: application/vnd.kubernetes.protobuf\r\n", NULL);
	assert_code(x, 200);
	assert_memory_equal(x->body.p, "k8s\0", 4);
}

/* Objects of some size, so that a list is long. */
static void make_big(struct rfix *x, int n)
{
	struct buf b = BUF_INIT(1u << 20);

	for (int i = 0; i < n; i++) {
		buf_clear(&b);
		(void)buf_addf(
			&b,
			"{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":"
			"\"b%03d\"},\"data\":{\"k\":\"",
			i);
		for (int j = 0; j < 20000; j++)
			(void)buf_addc(&b, (char)('a' + (i * 7 + j * j) % 26));
		(void)buf_adds(&b, "\"}}");
		post(x, MAPS, b.p);
		assert_code(x, 201);
	}
	buf_fini(&b);
}

static void a_long_list_is_streamed_as_fast_as_it_is_read(void **state)
{
	struct rfix *x = *state;

	make_big(x, 60);
	get(x, MAPS);
	assert_code(x, 200);
	assert_string_equal(header_of(x, "Transfer-Encoding"), "chunked");
	assert_int_equal(items(x), 60);
	assert_string_equal(answer_text(x, "items.59.metadata.name"), "b059");
	get(x, MAPS "?limit=55");
	assert_int_equal(items(x), 55);
}

static void inflate_body(struct rfix *x)
{
	z_stream z = { 0 };
	struct buf out = BUF_INIT(64u << 20);

	assert_int_equal(inflateInit2(&z, 31), Z_OK);
	z.next_in = (unsigned char *)x->body.p;
	z.avail_in = (unsigned)x->body.n;
	z.next_out = (unsigned char *)buf_room(&out, 32u << 20);
	z.avail_out = 32u << 20;
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	out.n = z.total_out;
	assert_int_equal(z.avail_in, 0);
	inflateEnd(&z);
	buf_fini(&x->body);
	x->body = out;
}

static void lists_are_packed_for_who_takes_it(void **state)
{
	struct rfix *x = *state;

	make_big(x, 9);
	ask(x, "GET", MAPS, ADMIN "Accept-Encoding: gzip\r\n", NULL);
	assert_string_equal(header_of(x, "Content-Encoding"), "gzip");
	assert_null(header_of(x, "Transfer-Encoding"));
	inflate_body(x);
	assert_int_equal(items(x), 9);
	ask(x, "GET", MAPS "/b001", ADMIN "Accept-Encoding: gzip\r\n", NULL);
	assert_null(header_of(x, "Content-Encoding"));
}

static void a_long_list_is_packed_as_a_stream(void **state)
{
	struct rfix *x = *state;

	make_big(x, 40);
	ask(x, "GET", MAPS, ADMIN "Accept-Encoding: gzip\r\n", NULL);
	assert_string_equal(header_of(x, "Content-Encoding"), "gzip");
	assert_string_equal(header_of(x, "Transfer-Encoding"), "chunked");
	inflate_body(x);
	assert_int_equal(items(x), 40);
}

/* Who asks for much and reads nothing holds no more than its queue. */
static void a_reader_that_stops_or_goes_costs_nothing(void **state)
{
	struct rfix *x = *state;
	struct peer p;

	make_big(x, 60);
	peer_open(x, &p);
	peer_send(&p, "GET", MAPS, ADMIN, NULL);
	for (int i = 0; i < 50; i++)
		assert_true(loop_step(x->f->loop, NS_PER_MS, NULL) >= 0);
	get(x, MAPS "/b001"); /* others are served */
	assert_code(x, 200);
	peer_answer(&p, false);
	assert_int_equal(items(x), 60);
	peer_close(&p);
	peer_open(x, &p);
	peer_send(&p, "GET", MAPS, ADMIN, NULL);
	turn(&p);
	peer_close(&p);
	for (int i = 0; i < 10; i++)
		assert_true(loop_step(x->f->loop, NS_PER_MS, NULL) >= 0);
	get(x, MAPS "/b001");
	assert_code(x, 200);
}

static void a_reader_may_go_while_a_piece_is_packed(void **state)
{
	struct rfix *x = *state;
	struct peer p;

	make_big(x, 60);
	for (int steps = 0; steps < 12; steps++) {
		peer_open(x, &p);
		peer_send(&p, "GET", MAPS, ADMIN "Accept-Encoding: gzip\r\n", NULL);
		for (int i = 0; i < steps; i++)
			assert_true(loop_step(x->f->loop, NS_PER_MS, NULL) >= 0);
		close(STEAL_FD(p.fd));
		for (int i = 0; i < steps; i++)
			assert_true(loop_step(x->f->loop, 0, NULL) >= 0);
		peer_close(&p);
	}
	ask(x, "GET", MAPS, ADMIN "Accept-Encoding: gzip\r\n", NULL);
	inflate_body(x);
	assert_int_equal(items(x), 60);
	/* The server is freed while one is packed. */
	peer_open(x, &p);
	peer_send(&p, "GET", MAPS, ADMIN "Accept-Encoding: gzip\r\n", NULL);
	for (int i = 0; i < 4; i++)
		assert_true(loop_step(x->f->loop, NS_PER_MS, NULL) >= 0);
	close(STEAL_FD(p.fd));
	rest_close(x);
	rest_open(x);
}

static void the_parts_of_the_cluster_tell_how_they_are(void **state)
{
	struct rfix *x = *state;

	get(x, "/api/v1/componentstatuses");
	assert_code(x, 200);
	assert_string_equal(answer_text(x, "kind"), "ComponentStatusList");
	assert_int_equal(items(x), 3);
	get(x, "/api/v1/componentstatuses/etcd-0");
	assert_string_equal(answer_text(x, "conditions.0.status"), "True");
	get(x, "/api/v1/componentstatuses/scheduler");
	assert_string_equal(answer_text(x, "conditions.0.status"), "False");
	get(x, "/api/v1/componentstatuses/none");
	assert_status(x, 404, "NotFound", "componentstatuses \"none\" not found");
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
		TEST(an_object_is_got_at_any_revision_that_is_not_too_new),
		TEST(a_list_has_the_objects_of_a_namespace_or_of_all),
		TEST(selectors_choose),
		TEST(pages_go_on_where_the_last_one_ended),
		TEST(a_token_that_is_too_old_is_told_with_a_fresh_one),
		TEST(revisions_of_lists_follow_the_rules),
		TEST(tables_and_partial_objects_are_made_when_asked_for),
		TEST(rows_have_with_them_what_is_asked_for),
		TEST(flow_schemas_are_shown_as_they_are_tried),
		TEST(a_scale_has_a_row_of_its_own),
		TEST(a_long_list_is_streamed_as_fast_as_it_is_read),
		TEST(lists_are_packed_for_who_takes_it),
		TEST(a_long_list_is_packed_as_a_stream),
		TEST(a_reader_that_stops_or_goes_costs_nothing),
		TEST(a_reader_may_go_while_a_piece_is_packed),
		TEST(the_parts_of_the_cluster_tell_how_they_are),
	};

	return cmocka_run_group_tests_name("rest-list", tests, NULL, NULL);
}
