/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The API over a socketpair and a real engine on an empty directory: statuses, headers, messages
 * and what refuses what. Nothing is started; no network is touched.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "docker/private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

struct env {
	struct loop *loop;
	struct engine *engine;
	struct docker_api *api;
	char dir[64], root[80], run[80];
	struct buf got;
};

static int setup(void **state)
{
	struct env *e = calloc(1, sizeof(*e));
	struct err err = ERR_INIT;
	struct engine_conf conf = { .oci_program = "/bin/false", .self_program = "/bin/false" };

	(void)snprintf(e->dir, sizeof(e->dir), "/tmp/teu-api.XXXXXX");
	assert_non_null(mkdtemp(e->dir));
	(void)snprintf(e->root, sizeof(e->root), "%s/root", e->dir);
	(void)snprintf(e->run, sizeof(e->run), "%s/run", e->dir);
	conf.root = e->root;
	conf.run = e->run;
	e->got = BUF_INIT(4u << 20);
	assert_int_equal(loop_new(&e->loop, &err), 0);
	if (engine_open(e->loop, &conf, &e->engine, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(docker_api_new(e->loop, e->engine, &e->api, &err), 0);
	*state = e;
	return 0;
}

static int teardown(void **state)
{
	struct env *e = *state;
	struct err err = ERR_INIT;

	docker_api_free(e->api);
	engine_close(e->engine);
	loop_free(e->loop);
	assert_int_equal(fd_remove_tree(AT_FDCWD, e->dir, &err), 0);
	buf_fini(&e->got);
	free(e);
	return 0;
}

/* Sends a request and returns all that comes until the server closes the connection. */
static const char *ask(struct env *e, const char *request)
{
	struct err err = ERR_INIT;
	int64_t until = clock_mono() + 5 * NS_PER_SEC;
	int sv[2];
	char bytes[4096];
	ssize_t n;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
	assert_int_equal(fd_write_all(sv[1], request, strlen(request)), 0);
	assert_int_equal(fd_set_nonblock(sv[1], true), 0);
	assert_int_equal(http_server_adopt(docker_api_server(e->api), sv[0], &err), 0);
	buf_clear(&e->got);
	while ((n = read(sv[1], bytes, sizeof(bytes))) != 0) {
		assert_true(clock_mono() < until);
		if (n > 0)
			buf_add(&e->got, bytes, (size_t)n);
		else
			assert_true(loop_step(e->loop, 10 * NS_PER_MS, &err) >= 0);
	}
	fd_close(sv[1]);
	return buf_str(&e->got);
}

static const char *get(struct env *e, const char *method, const char *path)
{
	char rq[2048];

	(void)snprintf(rq, sizeof(rq), "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
		       method, path);
	return ask(e, rq);
}

static const char *post(struct env *e, const char *path, const char *type, const char *body)
{
	char rq[4096];

	(void)snprintf(rq, sizeof(rq),
		       "POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: %s\r\n"
		       "Content-Length: %zu\r\n\r\n%s",
		       path, type, strlen(body), body);
	return ask(e, rq);
}

static void expect(const char *answer, int status, const char *part)
{
	char head[32];

	(void)snprintf(head, sizeof(head), "HTTP/1.1 %d ", status);
	if (strncmp(answer, head, strlen(head)) != 0 || !strstr(answer, part))
		fail_msg("expected %d with '%s', got: %s", status, part, answer);
}

static void ping_answers_with_every_header_to_get_and_head(void **state)
{
	static const char *const headers[] = {
		"Api-Version: 1.50\r\n", "Docker-Experimental: false\r\n", "Ostype: linux\r\n",
		"Server: Docker/",	 "Builder-Version: 1\r\n",	   "Swarm: inactive\r\n",
		"Pragma: no-cache\r\n",	 "Content-Length: 2\r\n"
	};

	for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
		expect(get(*state, "GET", "/_ping"), 200, headers[i]);
		expect(get(*state, "HEAD", "/v1.24/_ping"), 200, headers[i]);
	}
	assert_non_null(strstr(get(*state, "GET", "/_ping"), "\r\n\r\nOK"));
	assert_null(strstr(get(*state, "HEAD", "/_ping"), "\r\n\r\nOK"));
}

static void the_headers_are_on_refusals_too(void **state)
{
	expect(get(*state, "GET", "/nosuch"), 404, "Api-Version: 1.50\r\n");
	expect(ask(*state, "BROKEN\r\n\r\n"), 400, "Api-Version: 1.50\r\n");
	expect(get(*state, "GET", "/v1.21/info"), 400, "Server: Docker/");
}

static void unknown_routes_are_not_found(void **state)
{
	expect(get(*state, "GET", "/nosuch"), 404, "{\"message\":\"page not found\"}");
	expect(get(*state, "PATCH", "/info"), 404, "page not found");
	expect(get(*state, "GET", "/v1.50/containers/x/start"), 404, "page not found");
}

static void what_is_not_done_yet_is_refused_by_name(void **state)
{
	expect(get(*state, "POST", "/containers/x/pause"), 501,
	       "{\"message\":\"pausing a container is not supported yet\"}");
	expect(get(*state, "GET", "/containers/x/attach/ws"), 501, "attaching by websocket");
	expect(get(*state, "POST", "/v1.50/build?t=x"), 501, "building images is not supported");
	expect(post(*state, "/volumes/create", "application/json", "{}"), 501, "creating volumes");
	expect(get(*state, "GET", "/containers/json?size=1"), 501, "size of containers");
	expect(get(*state, "POST", "/images/create?fromSrc=http://x/y.tar"), 501,
	       "importing from a URL is not supported yet");
	expect(get(*state, "GET", "/images/search?term=busybox"), 501,
	       "searching Docker Hub is not supported");
	expect(get(*state, "GET", "/nodes"), 503, "This node is not a swarm manager.");
}

static void registry_requests_are_checked_before_anything_is_asked(void **state)
{
	expect(get(*state, "POST", "/images/create"), 400, "neither fromImage nor fromSrc");
	expect(get(*state, "POST", "/images/create?fromImage=UPPER&tag=1"), 400,
	       "must be lowercase");
	expect(get(*state, "POST", "/images/x/push?platform=x"), 400, "platform: not a JSON");
	expect(get(*state, "DELETE", "/images/x?platforms=x"), 404, "No such image: x");
	expect(get(*state, "GET", "/v1.49/images/x/json?platform=x"), 400, "platform: not a JSON");
	expect(get(*state, "GET", "/v1.48/images/x/json?platform=%7B%7D&manifests=1"), 400,
	       "cannot both be set");
	expect(get(*state, "POST", "/images/load?platform=x"), 400, "platform: not a JSON");
	expect(get(*state, "POST", "/images/create?fromImage=x&tag=1&platform=plan9"), 400,
	       "only linux images");
	expect(get(*state, "POST", "/images/x@y/push"), 400, "invalid reference format");
	expect(get(*state, "GET", "/images/search"), 400, "needs a term");
	expect(get(*state, "GET", "/images/search?term=a.b/c&limit=101"), 400, "[1, 100]");
	expect(get(*state, "GET", "/images/search?term=a.b/c&filters={\"x\":[\"1\"]}"), 400,
	       "invalid filter 'x'");
	expect(get(*state, "GET", "/distribution/UPPER/json"), 400, "must be lowercase");
	expect(post(*state, "/auth", "application/json", "[]"), 400, "no JSON object");
	expect(get(*state, "POST", "/images/prune?filters={\"x\":[\"1\"]}"), 400,
	       "invalid filter 'x'");
	expect(get(*state, "POST", "/images/prune"), 200,
	       "{\"ImagesDeleted\":null,\"SpaceReclaimed\":0}");
}

/* No row of the table may be unreachable behind another one. */
static void every_row_of_the_table_is_found_by_its_own_pattern(void **state)
{
	struct env *e = *state;

	for (size_t i = 0; i < docker_ops_n; i++) {
		CLEANUP(arena_free) struct arena *a = arena_new("test", 1u << 16);
		CLEANUP(buf_fini) struct buf path = BUF_INIT(1024);
		struct route_match m;

		for (const char *p = docker_ops[i].pattern; *p; p++) {
			if (*p != '{') {
				buf_addc(&path, *p);
				continue;
			}
			buf_adds(&path, strstr(p, ":.*}") == strchr(p, ':') && strchr(p, ':')
						? "a/b"
						: "a");
			p = strchr(p, '}');
		}
		assert_int_equal(
			router_match(e->api->router, docker_ops[i].method, buf_str(&path), a, &m),
			ROUTE_FOUND);
		assert_ptr_equal(m.route->data, &docker_ops[i]);
	}
}

static void a_container_that_is_not_there_is_told_by_every_operation(void **state)
{
	static const char *const rows[][2] = {
		{ "GET", "/containers/nope/json" },    { "POST", "/containers/nope/start" },
		{ "POST", "/containers/nope/stop" },   { "POST", "/containers/nope/restart" },
		{ "POST", "/containers/nope/kill" },   { "POST", "/containers/nope/wait" },
		{ "POST", "/containers/nope/attach" }, { "POST", "/containers/nope/resize" },
		{ "POST", "/containers/nope/rename" }, { "DELETE", "/containers/nope" },
		{ "GET", "/containers/nope/logs" },    { "POST", "/containers/nope/exec" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		expect(get(*state, rows[i][0], rows[i][1]), 404,
		       "{\"message\":\"No such container: nope\"}");
	expect(get(*state, "GET", "/exec/nope/json"), 404, "No such exec instance: nope");
	expect(get(*state, "GET", "/images/nope/json"), 404, "No such image: nope");
	expect(get(*state, "DELETE", "/images/nope"), 404, "No such image: nope");
	expect(get(*state, "GET", "/networks/nope"), 404, "nope");
	expect(get(*state, "GET", "/volumes/nope"), 404, "get nope: no such volume");
}

static void bodies_need_their_content_type(void **state)
{
	expect(post(*state, "/containers/create", "text/plain", "{}"), 400,
	       "unsupported Content-Type header (text/plain): must be 'application/json'");
	expect(post(*state, "/containers/create", "application/json", ""), 400, "got EOF");
	expect(post(*state, "/containers/create", "application/json", "{"), 400, "invalid JSON");
	expect(post(*state, "/containers/create", "application/json; charset=utf-8",
		    "{\"Image\":\"nope\"}"),
	       404, "No such image: nope");
}

static void create_refuses_in_dockers_words(void **state)
{
	expect(post(*state, "/containers/create?name=-bad", "application/json",
		    "{\"Image\":\"nope\"}"),
	       400, "Invalid container name (-bad), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed");
	expect(post(*state, "/containers/create", "application/json", "[]"), 400,
	       "config cannot be empty in order to create a container");
}

static void a_body_past_its_bound_is_too_large(void **state)
{
	char rq[512];

	(void)snprintf(rq, sizeof(rq),
		       "POST /containers/create HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
		       "Content-Type: application/json\r\nContent-Length: %u\r\n\r\n{",
		       BODY_MAX + 1);
	expect(ask(*state, rq), 413, "\"message\"");
}

static void lists_are_empty_arrays_and_filters_are_checked(void **state)
{
	expect(get(*state, "GET", "/containers/json?all=1"), 200, "\r\n\r\n[]\n");
	expect(get(*state, "GET", "/images/json"), 200, "\r\n\r\n[]\n");
	expect(get(*state, "GET", "/volumes"), 200, "{\"Volumes\":[],\"Warnings\":null}");
	expect(get(*state, "GET", "/containers/json?filters=%7B%22bogus%22%3A%5B%22a%22%5D%7D"),
	       400, "invalid filter 'bogus'");
	expect(get(*state, "GET",
		   "/containers/json?filters=%7B%22status%22%3A%7B%22odd%22%3Atrue%7D%7D"),
	       400, "invalid filter 'status=[odd]'");
	expect(get(*state, "GET", "/containers/json?limit=x"), 400, "limit");
	expect(get(*state, "GET", "/info?x=%zz"), 400, "message");
}

static void version_and_info_hold_what_clients_print(void **state)
{
	expect(get(*state, "GET", "/version"), 200, "\"MinAPIVersion\":\"1.24\"");
	expect(get(*state, "GET", "/version"), 200, "\"Platform\":{\"Name\":\"TEU\"}");
	expect(get(*state, "GET", "/info"), 200, "\"Containers\":0,");
	expect(get(*state, "GET", "/info"), 200, "\"LocalNodeState\":\"inactive\"");
	expect(get(*state, "GET", "/v1.50/info"), 200, "\"FirewallBackend\"");
	assert_null(strstr(get(*state, "GET", "/v1.48/info"), "FirewallBackend"));
	expect(get(*state, "GET", "/networks"), 200, "\"Name\":\"bridge\"");
	expect(get(*state, "GET", "/networks/none"), 200, "\"Driver\":\"null\"");
	expect(get(*state, "GET", "/system/df"), 200, "\"LayersSize\":0");
	expect(get(*state, "OPTIONS", "/anything"), 200, "Content-Length: 0");
}

static void events_of_the_past_end_at_until(void **state)
{
	struct env *e = *state;
	struct event_attr attr = { "name", "thing" };
	char path[200];

	engine_event(e->engine, "image", "tag", "sha256:abc", &attr, 1);
	engine_event(e->engine, "container", "start", "cafe", &attr, 1);
	(void)snprintf(path, sizeof(path), "/events?since=1&until=%lld",
		       (long long)(clock_real() / NS_PER_SEC) + 1);
	expect(get(e, "GET", path), 200,
	       "{\"status\":\"tag\",\"id\":\"sha256:abc\",\"Type\":\"image\",\"Action\":\"tag\","
	       "\"Actor\":{\"ID\":\"sha256:abc\",\"Attributes\":{\"name\":\"thing\"}},"
	       "\"scope\":\"local\",\"time\":");
	(void)snprintf(
		path, sizeof(path),
		"/events?since=1&until=%lld&filters=%%7B%%22type%%22%%3A%%5B%%22container%%22%%5D"
		"%%7D",
		(long long)(clock_real() / NS_PER_SEC) + 1);
	assert_null(strstr(get(e, "GET", path), "\"tag\""));
	expect(get(e, "GET", path), 200, "\"Action\":\"start\"");
	expect(get(e, "GET", "/events?since=20&until=10"), 400, "cannot be after");
	expect(get(e, "GET", "/events?since=yesterday"), 400, "since");
}

static void an_import_that_is_no_archive_fails_and_leaves_nothing(void **state)
{
	const char *answer =
		post(*state, "/images/create?fromSrc=-&repo=x", "text/plain", "this is no archive");

	assert_non_null(strstr(answer, "message"));
	expect(get(*state, "GET", "/images/json"), 200, "\r\n\r\n[]\n");
	expect(post(*state, "/images/create?fromSrc=-&repo=UPPER", "text/plain", "x"), 400,
	       "lowercase");
	expect(post(*state, "/images/create?fromSrc=http://x/y", "text/plain", ""), 501,
	       "importing from a URL is not supported yet");
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(ping_answers_with_every_header_to_get_and_head),
		CASE(the_headers_are_on_refusals_too),
		CASE(unknown_routes_are_not_found),
		CASE(what_is_not_done_yet_is_refused_by_name),
		CASE(registry_requests_are_checked_before_anything_is_asked),
		CASE(every_row_of_the_table_is_found_by_its_own_pattern),
		CASE(a_container_that_is_not_there_is_told_by_every_operation),
		CASE(bodies_need_their_content_type),
		CASE(create_refuses_in_dockers_words),
		CASE(a_body_past_its_bound_is_too_large),
		CASE(lists_are_empty_arrays_and_filters_are_checked),
		CASE(version_and_info_hold_what_clients_print),
		CASE(events_of_the_past_end_at_until),
		CASE(an_import_that_is_no_archive_fails_and_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
