/* SPDX-License-Identifier: Apache-2.0 */
/* The client against our server on one loop, the blocking calls against a server process, and
 * against broken peers. */
#include "io-test.h"

#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* ---- a server for all tests ---- */

static void echo_collected(struct stream *s, void *arg, int result, struct slice body,
			   struct err *err)
{
	if (result < 0)
		stream_replyf(s, err_docker_status(err->code), NULL, "%s", err->msg);
	else
		stream_reply(s, 200, "text/plain", body.p, body.n);
}

static void echo_data(struct stream *s, struct slice bytes)
{
	stream_write(s, bytes.p, bytes.n);
	stream_read(s, bytes.n);
}

static void echo_end(struct stream *s)
{
	stream_end(s);
}

static void count_data(struct stream *s, struct slice bytes)
{
	struct env *e = stream_arg(s);

	e->sent += bytes.n;
	stream_read(s, bytes.n);
}

static void count_end(struct stream *s)
{
	struct env *e = stream_arg(s);

	stream_replyf(s, 200, NULL, "%zu", e->sent);
}

static const struct stream_events echo_events = { .data = echo_data, .end = echo_end };
static const struct stream_events count_events = { .data = count_data, .end = count_end };

static void flood(struct stream *s)
{
	char block[10000] = { 0 };

	while (stream_write(s, block, sizeof(block)) == 0)
		;
}

static const struct stream_events flood_events = { .writable = flood };

static void serve(struct stream *s, void *arg)
{
	struct env *e = arg;
	const char *path = stream_request(s)->path;

	if (strcmp(path, "/ping") == 0) {
		stream_set_header(s, "Api-Version", "1.50");
		stream_reply(s, 200, "text/plain", "OK", 2);
	} else if (strcmp(path, "/echo") == 0) {
		stream_collect(s, 1 << 20, echo_collected, NULL);
	} else if (strcmp(path, "/count") == 0) {
		e->sent = 0;
		stream_on(s, &count_events, e);
		stream_read(s, 65536);
	} else if (strcmp(path, "/chunked") == 0) {
		stream_start(s, 200, -1);
		stream_write(s, "one ", 4);
		stream_write(s, "two", 3);
		stream_set_trailer(s, "X-Sum", "7");
		stream_end(s);
	} else if (strcmp(path, "/flood") == 0) {
		stream_on(s, &flood_events, e);
		stream_start(s, 200, -1);
		flood(s);
	} else if (strcmp(path, "/raw") == 0) {
		stream_on(s, &echo_events, e);
		assert_int_equal(stream_hijack(s, stream_request(s)->upgrade.n ? 101 : 200, NULL),
				 0);
		stream_write(s, "welcome ", 8); /* right behind the head */
		stream_read(s, 1000);
	} else if (strcmp(path, "/hold") == 0) {
		e->held = stream_ref(s);
	} else if (strcmp(path, "/close") == 0) {
		stream_reset(s, NULL);
	} else {
		stream_reply(s, 404, "application/json", "{\"message\":\"page not found\"}", 28);
	}
}

struct place {
	char dir[32], path[48], address[64];
};

static void place_make(struct place *p)
{
	snprintf(p->dir, sizeof(p->dir), "/tmp/teu-io-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	snprintf(p->path, sizeof(p->path), "%s/s", p->dir);
	snprintf(p->address, sizeof(p->address), "unix://%s", p->path);
}

static void place_remove(struct place *p)
{
	char lock[64];

	snprintf(lock, sizeof(lock), "%s.lock", p->path);
	unlink(p->path);
	unlink(lock);
	assert_int_equal(rmdir(p->dir), 0);
}

/* A server in a child process, for the blocking calls. Returns its pid. */
static pid_t server_process(struct place *p)
{
	int ready[2];
	char c;
	pid_t pid;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct env e = { 0 };

		env_start(&e, serve);
		if (http_server_listen_unix(e.srv, p->path, 0600, (gid_t)-1, NULL) < 0 ||
		    write(ready[1], "r", 1) != 1)
			_exit(1);
		loop_run(e.loop, NULL);
		_exit(0);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	return pid;
}

static void server_kill(pid_t pid)
{
	int status;

	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
}

/* ---- asynchronous ---- */

struct asking {
	int heads, ends, closed, why, status;
	struct buf body;
	bool no_credit;
	char trailer[32];
};

static void got_head(struct stream *s)
{
	struct asking *a = stream_arg(s);

	a->heads++;
	a->status = stream_status(s);
	if (!a->no_credit)
		stream_read(s, 3);
}

static void got_data(struct stream *s, struct slice bytes)
{
	struct asking *a = stream_arg(s);

	assert_true(bytes.n <= 3 || a->no_credit);
	buf_add(&a->body, bytes.p, bytes.n);
	if (!a->no_credit)
		stream_read(s, bytes.n);
}

static void got_end(struct stream *s)
{
	struct asking *a = stream_arg(s);
	struct slice t = stream_got_trailer(s, "X-Sum");

	a->ends++;
	snprintf(a->trailer, sizeof(a->trailer), "%.*s", (int)t.n, t.p ? t.p : "");
}

static void got_closed(struct stream *s, const struct err *why)
{
	struct asking *a = stream_arg(s);

	a->closed++;
	a->why = why ? (int)why->code : 0;
}

static const struct stream_events asking_events = {
	.head = got_head,
	.data = got_data,
	.end = got_end,
	.closed = got_closed,
};

static struct stream *begin(struct http_client *c, const char *target, struct asking *a)
{
	struct err err = ERR_INIT;
	struct stream *s = NULL;

	*a = (struct asking){ .body = BUF_INIT(1 << 26), .no_credit = a->no_credit };
	assert_int_equal(http_client_stream(c, "GET", target, &s, &err), 0);
	stream_on(s, &asking_events, a);
	if (http_client_send(s, HTTP_NO_BODY, false, &err) < 0)
		fail_msg("%s", err.msg);
	return s;
}

static void asks_and_keeps_the_connection(void **state)
{
	struct env e = { 0 };
	struct place p;
	struct http_client *c;
	struct err err = ERR_INIT;
	struct asking a = { 0 };

	place_make(&p);
	env_start(&e, serve);
	assert_int_equal(http_server_listen_unix(e.srv, p.path, 0600, (gid_t)-1, &err), 0);
	assert_int_equal(http_client_new(e.loop, p.address, NULL, &c, &err), 0);
	for (int i = 0; i < 3; i++) {
		struct stream *s = begin(c, i == 1 ? "/chunked" : "/ping", &a);

		settle(&e);
		assert_int_equal(a.status, 200);
		assert_true(a.heads == 1 && a.ends == 1 && a.closed == 1 && a.why == 0);
		assert_string_equal(buf_str(&a.body), i == 1 ? "one two" : "OK");
		assert_string_equal(a.trailer, i == 1 ? "7" : "");
		buf_fini(&a.body);
		stream_unref(s);
	}
	assert_int_equal(http_server_get_stats(e.srv).accepted, 1);
	http_client_free(c);
	env_stop(&e);
	place_remove(&p);
}

static void two_hundred_exchanges_share_few_connections(void **state)
{
	struct env e = { 0 };
	struct place p;
	struct http_client *c;
	struct http_client_conf conf = { .connections_max = 5 };
	struct err err = ERR_INIT;
	static struct asking a[200];
	struct stream *s[200];

	place_make(&p);
	env_start(&e, serve);
	assert_int_equal(http_server_listen_unix(e.srv, p.path, 0600, (gid_t)-1, &err), 0);
	assert_int_equal(http_client_new(e.loop, p.address, &conf, &c, &err), 0);
	for (int i = 0; i < 200; i++)
		s[i] = begin(c, "/ping", &a[i]);
	settle(&e);
	for (int i = 0; i < 200; i++) {
		assert_string_equal(buf_str(&a[i].body), "OK");
		assert_int_equal(a[i].closed, 1);
		buf_fini(&a[i].body);
		stream_unref(s[i]);
	}
	assert_int_equal(http_server_get_stats(e.srv).accepted, 5);
	http_client_free(c);
	env_stop(&e);
	place_remove(&p);
}

static void reads_all(struct stream *s)
{
	stream_read(s, STREAM_ALL);
}

static void closed_and_dropped(struct stream *s, const struct err *why)
{
	int *codes = stream_arg(s);

	codes[why ? (int)why->code : 0]++;
	stream_unref(s);
}

/* What waits for a connection takes no body yet: `writable` tells. Who ends it regardless is closed
 * when its turn comes, though nobody else holds it any more. */
static void a_waiting_stream_that_is_ended_too_early_is_closed(void **state)
{
	static const struct stream_events events = { .head = reads_all,
						     .closed = closed_and_dropped };
	struct env e = { 0 };
	struct place p;
	struct http_client *c;
	struct http_client_conf conf = { .connections_max = 1 };
	struct err err = ERR_INIT;
	int codes[64] = { 0 };
	struct stream *s;

	place_make(&p);
	env_start(&e, serve);
	assert_int_equal(http_server_listen_unix(e.srv, p.path, 0600, (gid_t)-1, &err), 0);
	assert_int_equal(http_client_new(e.loop, p.address, &conf, &c, &err), 0);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(http_client_stream(c, "POST", "/ping", &s, &err), 0);
		stream_on(s, &events, codes);
		assert_int_equal(http_client_send(s, 5, false, &err), 0);
		assert_int_equal(stream_write(s, "hello", 5), i ? -ERR_QUOTA : 0);
		assert_int_equal(stream_end(s), 0);
	}
	settle(&e);
	assert_int_equal(codes[0], 1);
	assert_int_equal(codes[ERR_INVALID], 3);
	http_client_free(c);
	env_stop(&e);
	place_remove(&p);
}

static void without_credit_an_answer_waits_in_the_socket(void **state)
{
	struct env e = { 0 };
	struct place p;
	struct http_client *c;
	struct err err = ERR_INIT;
	struct asking a = { .no_credit = true };
	struct stream *s;

	place_make(&p);
	env_start(&e, serve);
	assert_int_equal(http_server_listen_unix(e.srv, p.path, 0600, (gid_t)-1, &err), 0);
	assert_int_equal(http_client_new(e.loop, p.address, NULL, &c, &err), 0);
	s = begin(c, "/flood", &a);
	settle(&e);
	assert_int_equal(a.heads, 1);
	assert_int_equal(a.body.n, 0);
	stream_read(s, 100000);
	settle(&e);
	assert_int_equal(a.body.n, 100000);
	stream_reset(s, NULL);
	assert_int_equal(a.closed, 1);
	assert_int_equal(a.why, ERR_UNAVAILABLE);
	settle(&e);
	assert_int_equal(http_server_get_stats(e.srv).connections, 0);
	stream_unref(s);
	buf_fini(&a.body);
	http_client_free(c);
	env_stop(&e);
	place_remove(&p);
}

static void streams_that_are_dropped_or_outlive_the_client_are_safe(void **state)
{
	struct env e = { 0 };
	struct place p;
	struct http_client *c;
	struct err err = ERR_INIT;
	struct asking a = { 0 }, b = { 0 };
	struct stream *s, *unsent, *dropped;

	place_make(&p);
	env_start(&e, serve);
	assert_int_equal(http_server_listen_unix(e.srv, p.path, 0600, (gid_t)-1, &err), 0);
	assert_int_equal(http_client_new(e.loop, p.address, NULL, &c, &err), 0);
	assert_int_equal(http_client_stream(c, "GET", "/", &dropped, &err), 0);
	stream_unref(dropped);
	assert_int_equal(http_client_stream(c, "GET", "/", &unsent, &err), 0);
	b.body = BUF_INIT(10);
	stream_on(unsent, &asking_events, &b);
	s = begin(c, "/hold", &a);
	settle(&e);
	http_client_free(c);
	assert_int_equal(a.why, ERR_UNAVAILABLE);
	assert_int_equal(b.why, ERR_UNAVAILABLE);
	assert_true(stream_is_closed(s) && stream_is_closed(unsent));
	assert_int_equal(http_client_send(s, 0, false, &err), -ERR_CONFLICT);
	stream_unref(s);
	stream_unref(unsent);
	env_stop(&e);
	place_remove(&p);
}

static void refuses_bad_requests_and_addresses(void **state)
{
	struct env e = { 0 };
	struct http_client *c;
	struct err err = ERR_INIT;
	struct stream *s;

	env_start(&e, serve);
	assert_int_equal(http_client_new(e.loop, "tcp://example.org:80", NULL, &c, &err),
			 -ERR_UNSUPPORTED);
	assert_has(err.msg, "is a name");
	assert_int_equal(http_client_new(e.loop, "https://127.0.0.1", NULL, &c, &err),
			 -ERR_INVALID);
	assert_has(err.msg, "needs a TLS configuration");
	assert_int_equal(http_client_new(e.loop, "tcp://127.0.0.1", NULL, &c, &err), -ERR_INVALID);
	assert_int_equal(http_client_new(e.loop, "unix:///nonexistent/s", NULL, &c, &err), 0);
	assert_int_equal(http_client_stream(c, "G T", "/", &s, &err), -ERR_INVALID);
	assert_int_equal(http_client_stream(c, "GET", "/a b", &s, &err), -ERR_INVALID);
	assert_has(err.msg, "not encoded");
	assert_int_equal(http_client_stream(c, "GET", "/a\r\nX: y", &s, &err), -ERR_INVALID);
	assert_int_equal(http_client_stream(c, "GET", "/", &s, &err), 0);
	assert_int_equal(http_client_send(s, 0, false, &err), -ERR_UNAVAILABLE);
	assert_has(err.msg, "connect to unix:///nonexistent/s");
	stream_unref(s);
	http_client_free(c);
	env_stop(&e);
}

/* ---- blocking ---- */

static ssize_t produce_some(void *arg, char *p, size_t cap, struct err *err)
{
	size_t *left = arg, n = MIN(*left, cap);

	memset(p, 'p', n);
	*left -= n;
	return (ssize_t)n;
}

static int consume_some(void *arg, const struct http_answer *head, struct slice bytes,
			struct err *err)
{
	size_t *sum = arg;

	assert_int_equal(head->status, 200);
	*sum += bytes.n;
	return *sum > 1000000 ? err_set(err, ERR_QUOTA, "enough") : 0;
}

static void calls_block_until_the_answer(void **state)
{
	CLEANUP(http_client_free) struct http_client *c = NULL;
	struct place p;
	struct err err = ERR_INIT;
	pid_t pid;

	place_make(&p);
	pid = server_process(&p);
	assert_int_equal(http_client_new(NULL, p.address, NULL, &c, &err), 0);
	for (int i = 0; i < 3; i++) {
		CLEANUP(http_answer_fini) struct http_answer a = HTTP_ANSWER_INIT;
		struct http_call call = { .target = i == 2 ? "/none" : "/ping" };

		if (http_client_call(c, &call, &a, &err) < 0)
			fail_msg("%s", err.msg);
		assert_int_equal(a.status, i == 2 ? 404 : 200);
		assert_has(a.body.p, i == 2 ? "page not found" : "OK");
		assert_true(i == 2 || slice_is(http_answer_header(&a, "api-version"), "1.50"));
	}
	for (int chunked = 0; chunked < 2; chunked++) {
		CLEANUP(http_answer_fini) struct http_answer a = HTTP_ANSWER_INIT;
		size_t left = 20000000;
		struct http_call call = { .method = "POST",
					  .target = "/count",
					  .produce = produce_some,
					  .arg = &left,
					  .length = chunked ? HTTP_BODY_CHUNKED : 20000000 };

		if (http_client_call(c, &call, &a, &err) < 0)
			fail_msg("%s", err.msg);
		assert_string_equal(a.body.p, "20000000");
	}
	server_kill(pid);
	place_remove(&p);
}

static void calls_take_headers_and_bodies(void **state)
{
	CLEANUP(http_client_free) struct http_client *c = NULL;
	CLEANUP(http_answer_fini) struct http_answer a = HTTP_ANSWER_INIT;
	struct http_header h = { SLICE("Content-Type"), SLICE("application/json") };
	struct http_call call = { .method = "POST",
				  .target = "/echo?x=1",
				  .headers = &h,
				  .headers_n = 1,
				  .body = SLICE("{}") };
	struct place p;
	struct err err = ERR_INIT;
	size_t sum = 0;
	pid_t pid;

	place_make(&p);
	pid = server_process(&p);
	assert_int_equal(http_client_new(NULL, p.address, NULL, &c, &err), 0);
	assert_int_equal(http_client_call(c, &call, &a, &err), 0);
	assert_string_equal(a.body.p, "{}");
	http_answer_fini(&a);
	call = (struct http_call){ .target = "/flood", .consume = consume_some, .arg = &sum };
	assert_int_equal(http_client_call(c, &call, &a, &err), -ERR_QUOTA);
	assert_has(err.msg, "GET /flood: enough");
	call = (struct http_call){ .target = "/flood", .body_max = 100000 };
	assert_int_equal(http_client_call(c, &call, &a, &err), -ERR_TOO_LARGE);
	assert_has(err.msg, "larger than 100000");
	call = (struct http_call){ .target = "/hold", .time = 20 * NS_PER_MS };
	assert_int_equal(http_client_call(c, &call, &a, &err), -ERR_TIMEOUT);
	call = (struct http_call){ .target = "/close" };
	assert_int_equal(http_client_call(c, &call, &a, &err), -ERR_UNAVAILABLE);
	call = (struct http_call){ .target = "/ping" };
	assert_int_equal(http_client_call(c, &call, &a, &err), 0);
	server_kill(pid);
	http_answer_fini(&a);
	assert_int_equal(http_client_call(c, &call, &a, &err), -ERR_UNAVAILABLE);
	place_remove(&p);
}

static void calls_hijack_to_an_fd(void **state)
{
	CLEANUP(http_client_free) struct http_client *c = NULL;
	struct place p;
	struct err err = ERR_INIT;
	pid_t pid;

	place_make(&p);
	pid = server_process(&p);
	assert_int_equal(http_client_new(NULL, p.address, NULL, &c, &err), 0);
	for (int i = 0; i < 2; i++) {
		CLEANUP(http_answer_fini) struct http_answer a = HTTP_ANSWER_INIT;
		struct http_call call = { .method = "POST", .target = "/raw", .hijack = true };
		char got[100];
		ssize_t n;

		if (http_client_call(c, &call, &a, &err) < 0)
			fail_msg("%s", err.msg);
		assert_int_equal(a.status, 101);
		assert_true(a.fd >= 0);
		assert_int_equal(fd_write_all(a.fd, "data", 4), 0);
		shutdown(a.fd, SHUT_WR);
		n = fd_read_full(a.fd, got, sizeof(got));
		assert_int_equal(n, 12);
		assert_memory_equal(got, "welcome data", 12);
	}
	{
		CLEANUP(http_answer_fini) struct http_answer a = HTTP_ANSWER_INIT;
		struct http_call call = { .method = "POST", .target = "/none", .hijack = true };

		assert_int_equal(http_client_call(c, &call, &a, &err), 0);
		assert_true(a.status == 404 && a.fd == -1);
		assert_has(a.body.p, "page not found");
	}
	server_kill(pid);
	place_remove(&p);
}

/* ---- peers that misbehave ---- */

static int listen_at(const struct place *p)
{
	struct sockaddr_un {
		sa_family_t family;
		char path[108];
	} sa = { .family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(sa.path, sizeof(sa.path), "%s", p->path);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(fd, 10), 0);
	return fd;
}

/* What a peer has by now, in one piece; "" = nothing. */
static const char *has_come(int peer, char *text, size_t n)
{
	ssize_t r = recv(peer, text, n - 1, MSG_DONTWAIT);

	text[MAX(r, (ssize_t)0)] = '\0';
	return text;
}

static void a_head_leaves_with_its_body_or_at_the_end_of_the_round(void **state)
{
	struct env e = { 0 };
	struct place p;
	struct http_client *c;
	struct err err = ERR_INIT;
	struct stream *s;
	char text[4096];
	int fd, peer;

	place_make(&p);
	fd = listen_at(&p);
	env_start(&e, serve);
	assert_int_equal(http_client_new(e.loop, p.address, NULL, &c, &err), 0);
	assert_int_equal(http_client_stream(c, "POST", "/a", &s, &err), 0);
	assert_int_equal(http_client_send(s, 10, false, &err), 0);
	peer = accept(fd, NULL, NULL);
	assert_string_equal(has_come(peer, text, sizeof(text)), "");
	assert_int_equal(stream_write(s, "hello", 5), 0);
	assert_string_equal(has_come(peer, text, sizeof(text)), "");
	assert_int_equal(stream_write(s, "world", 5), 0);
	assert_has(has_come(peer, text, sizeof(text)), "\r\n\r\nhelloworld");
	stream_reset(s, NULL);
	stream_unref(s);
	(void)close(peer);

	/* The body comes later. */
	assert_int_equal(http_client_stream(c, "POST", "/b", &s, &err), 0);
	assert_int_equal(http_client_send(s, HTTP_BODY_CHUNKED, false, &err), 0);
	peer = accept(fd, NULL, NULL);
	assert_string_equal(has_come(peer, text, sizeof(text)), "");
	assert_true(loop_step(e.loop, 0, &err) >= 0);
	assert_has(has_come(peer, text, sizeof(text)), "POST /b HTTP/1.1\r\n");
	assert_int_equal(stream_write(s, "late", 4), 0);
	assert_string_equal(has_come(peer, text, sizeof(text)), "4\r\nlate\r\n");
	stream_reset(s, NULL);
	stream_unref(s);
	(void)close(peer);
	(void)close(fd);
	http_client_free(c);
	env_stop(&e);
	place_remove(&p);
}

/* A process that accepts and answers each connection's request with text. "+" first: it then takes
 * a second request and closes without an answer, as a server does whose idle time ends in that
 * moment. */
static pid_t scripted_process(struct place *p, const char *const *answers, size_t n)
{
	int fd = listen_at(p);
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		for (size_t i = 0; i < n; i++) {
			char rq[4096];
			int c = accept(fd, NULL, NULL);

			if (read(c, rq, sizeof(rq)) < 0)
				_exit(1);
			for (size_t k = answers[i][0] == '+'; answers[i][k]; k++) {
				/* The client may have seen enough: no SIGPIPE. */
				if (send(c, answers[i] + k, 1, MSG_NOSIGNAL) < 0)
					break;
			}
			if (answers[i][0] == '+' && read(c, rq, sizeof(rq)) < 0)
				_exit(1);
			close(c);
		}
		_exit(0);
	}
	close(fd);
	return pid;
}

static void broken_answers_are_named(void **state)
{
	static const struct {
		const char *answer;
		int code;
		const char *part;
	} rows[] = {
		{ "", ERR_UNAVAILABLE, "without an answer" },
		{ "HTTP/1.1 200 OK\r\nContent-Le", ERR_UNAVAILABLE, "without an answer" },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", ERR_UNAVAILABLE,
		  "middle of a body" },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
		  ERR_UNAVAILABLE, "middle of a body" },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n",
		  ERR_BAD_REQUEST, "longer" },
		{ "SSH-2.0-x\r\n\r\n", ERR_BAD_REQUEST, "status line" },
		{ "HTTP/1.1 200 OK\r\nBad Name: x\r\n\r\n", ERR_BAD_REQUEST, "name" },
		{ "HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n", ERR_BAD_REQUEST, "nobody asked" },
		{ "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 "
		  "OK\r\n\r\nfine",
		  0, "fine" },
		{ "HTTP/1.0 200 OK\r\n\r\nold", 0, "old" },
	};
	const char *answers[ARRAY_LEN(rows)];
	CLEANUP(http_client_free) struct http_client *c = NULL;
	unsigned before = count_fds();
	struct err err = ERR_INIT;
	struct place p;
	int status;
	pid_t pid;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		answers[i] = rows[i].answer;
	place_make(&p);
	pid = scripted_process(&p, answers, ARRAY_LEN(rows));
	assert_int_equal(http_client_new(NULL, p.address, NULL, &c, &err), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(http_answer_fini) struct http_answer a = HTTP_ANSWER_INIT;
		struct http_call call = { .target = "/" };
		int r = http_client_call(c, &call, &a, &err);

		if (r != -rows[i].code)
			fail_msg("row %zu: %d %s", i, r, err.msg);
		assert_has(r < 0 ? err.msg : a.body.p, rows[i].part);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	http_client_free(STEAL(c));
	assert_int_equal(count_fds(), before);
	place_remove(&p);
}

static void only_safe_requests_are_sent_again(void **state)
{
	static const char *const answers[] = {
		"+HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na",
		"+HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nb",
	};
	CLEANUP(http_client_free) struct http_client *c = NULL;
	struct err err = ERR_INIT;
	struct place p;
	int status;
	pid_t pid;

	place_make(&p);
	pid = scripted_process(&p, answers, 2);
	assert_int_equal(http_client_new(NULL, p.address, NULL, &c, &err), 0);
	for (int i = 0; i < 3; i++) {
		CLEANUP(http_answer_fini) struct http_answer a = HTTP_ANSWER_INIT;
		struct http_call call = { .method = i == 2 ? "POST" : "GET", .target = "/" };
		int r = http_client_call(c, &call, &a, &err);

		/* The second meets the closing connection and is repeated on a new one; a POST must
		 * not be. */
		assert_int_equal(r, i == 2 ? -ERR_UNAVAILABLE : 0);
		if (i < 2)
			assert_string_equal(a.body.p, i == 0 ? "a" : "b");
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	unlink(p.path);
	place_remove(&p);
}

/* Body of speaks_over_tcp, in a process and network namespace of its own. */
static void tcp_process(void)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	struct env e = { 0 };
	struct http_client *c;
	struct err err = ERR_INIT;
	struct asking a = { 0 };
	struct stream *s;
	int fd;

	if (unshare(CLONE_NEWNET) < 0)
		_exit(77);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &lo), 0);
	close(fd);
	env_start(&e, serve);
	if (http_server_listen_tcp(e.srv, "127.0.0.1:0", &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(http_server_listen_tcp(e.srv, http_server_address(e.srv, 0) + 6, &err),
			 -ERR_EXISTS);
	assert_int_equal(http_client_new(e.loop, http_server_address(e.srv, 0), NULL, &c, &err), 0);
	for (int i = 0; i < 2; i++) {
		s = begin(c, i ? "/chunked" : "/ping", &a);
		settle(&e);
		assert_string_equal(buf_str(&a.body), i ? "one two" : "OK");
		stream_unref(s);
		buf_fini(&a.body);
	}
	http_client_free(c);
	assert_int_equal(http_client_new(e.loop, "tcp://127.0.0.1:1", NULL, &c, &err), 0);
	assert_int_equal(http_client_stream(c, "GET", "/", &s, &err), 0);
	a = (struct asking){ .body = BUF_INIT(10) };
	stream_on(s, &asking_events, &a);
	err = ERR_INIT;
	(void)http_client_send(s, 0, false, &err); /* refused now or in a moment */
	settle(&e);
	assert_true(err.code == ERR_UNAVAILABLE || a.why == ERR_UNAVAILABLE);
	stream_unref(s);
	http_client_free(c);
	env_stop(&e);
	_exit(0);
}

static void speaks_over_tcp(void **state)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		tcp_process();
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip(); /* without the right to make a namespace */
	assert_int_equal(status, 0);
}

static void full_process(struct place *p)
{
	struct env e = { 0 };
	struct rlimit few, normal;
	struct asking a = { 0 };
	struct http_client *c;
	struct err err = ERR_INIT;
	struct stream *s;
	unsigned steps = 0;
	int64_t end;

	env_start(&e, serve);
	assert_int_equal(http_server_listen_unix(e.srv, p->path, 0600, (gid_t)-1, &err), 0);
	assert_int_equal(http_client_new(e.loop, p->address, NULL, &c, &err), 0);
	s = begin(c, "/ping", &a); /* the client's socket is there, the server's is not yet */
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &normal), 0);
	few = normal;
	few.rlim_cur = 3;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	for (end = clock_mono() + 50 * NS_PER_MS; clock_mono() < end; steps++)
		loop_step(e.loop, 10 * NS_PER_MS, NULL);
	assert_true(steps < 20); /* it does not spin */
	assert_int_equal(a.closed, 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &normal), 0);
	for (end = clock_mono() + 5 * NS_PER_SEC; clock_mono() < end && !a.closed;)
		loop_step(e.loop, 10 * NS_PER_MS, NULL);
	assert_string_equal(buf_str(&a.body), "OK");
	buf_fini(&a.body);
	stream_unref(s);
	http_client_free(c);
	env_stop(&e);
	_exit(0);
}

static void waits_when_fds_run_out(void **state)
{
	struct place p;
	int status;
	pid_t pid;

	place_make(&p);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		full_process(&p);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	place_remove(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(asks_and_keeps_the_connection),
		cmocka_unit_test(two_hundred_exchanges_share_few_connections),
		cmocka_unit_test(a_waiting_stream_that_is_ended_too_early_is_closed),
		cmocka_unit_test(a_head_leaves_with_its_body_or_at_the_end_of_the_round),
		cmocka_unit_test(without_credit_an_answer_waits_in_the_socket),
		cmocka_unit_test(streams_that_are_dropped_or_outlive_the_client_are_safe),
		cmocka_unit_test(refuses_bad_requests_and_addresses),
		cmocka_unit_test(calls_block_until_the_answer),
		cmocka_unit_test(calls_take_headers_and_bodies),
		cmocka_unit_test(calls_hijack_to_an_fd),
		cmocka_unit_test(broken_answers_are_named),
		cmocka_unit_test(only_safe_requests_are_sent_again),
		cmocka_unit_test(speaks_over_tcp),
		cmocka_unit_test(waits_when_fds_run_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
