/* SPDX-License-Identifier: Apache-2.0 */
/* Calls to any address: redirects, retries, circuits, proxies, against servers in a child. */
#include "io-test.h"

#include "io/http-agent.h"

#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

/* ---- the servers: two origins and a proxy, on one loop of a child ---- */

struct far {
	struct env e;
	char other[64]; /* address of the second origin */
	unsigned seen;	/* requests to /flaky... */
};

static void say_request(struct stream *s, void *arg, int result, struct slice body, struct err *err)
{
	const struct http_request *rq = stream_request(s);
	struct slice auth = stream_header(s, "Authorization");
	struct slice type = stream_header(s, "Content-Type");

	(void)stream_replyf(s, 200, NULL, "%s %s?%.*s auth=%.*s type=%.*s body=%.*s", rq->method,
			    rq->path, (int)rq->query.n, rq->query.p, (int)auth.n, auth.p,
			    (int)type.n, type.p, (int)body.n, body.p);
}

static void redirect(struct stream *s, int status, const char *to)
{
	(void)stream_set_header(s, "Location", to);
	(void)stream_reply(s, status, NULL, "moved", 5);
}

/* "/fail/STATUS/TIMES": fails so often, then is fine. */
static void fail_some(struct far *f, struct stream *s, const char *rest)
{
	unsigned status = 0, times = 0;

	if (sscanf(rest, "%u/%u", &status, &times) != 2) {
		(void)stream_reply(s, 400, NULL, "", 0);
		return;
	}
	if (f->seen++ >= times) {
		f->seen = 0;
		say_request(s, NULL, 0, SLICE(""), NULL);
		return;
	}
	if (status == 0) {
		stream_reset(s, NULL); /* the connection breaks */
		return;
	}
	if (status == 429)
		(void)stream_set_header(s, "Retry-After", "2");
	if (status == 503)
		(void)stream_set_header(s, "Retry-After", "4000");
	(void)stream_reply(s, (int)status, NULL, "not now", 7);
}

static void serve(struct stream *s, void *arg)
{
	struct far *f = CONTAINER_OF((struct env *)arg, struct far, e);
	const char *path = stream_request(s)->path;
	char to[128];

	if (strcmp(path, "/here") == 0) {
		redirect(s, 302, "final?x=1");
	} else if (strcmp(path, "/there") == 0) {
		snprintf(to, sizeof(to), "%s/final", f->other);
		redirect(s, 307, to);
	} else if (strcmp(path, "/loop") == 0) {
		redirect(s, 302, "/loop");
	} else if (strcmp(path, "/see") == 0) {
		redirect(s, 303, "/final");
	} else if (strncmp(path, "/fail/", 6) == 0) {
		fail_some(f, s, path + 6);
	} else {
		stream_collect(s, 65536, say_request, NULL);
	}
}

/* The child: writes both addresses, serves until the pipe's other end closes. */
static void serve_far(int out, int stop)
{
	struct far f = { 0 };
	struct pollfd p = { .fd = stop, .events = POLLIN };
	char text[160];
	int n;

	env_start(&f.e, serve);
	if (http_server_listen_tcp(f.e.srv, "127.0.0.1:0", NULL) < 0 ||
	    http_server_listen_tcp(f.e.srv, "127.0.0.1:0", NULL) < 0)
		_exit(1);
	snprintf(f.other, sizeof(f.other), "http%s", http_server_address(f.e.srv, 1) + 3);
	n = snprintf(text, sizeof(text), "http%s %s", http_server_address(f.e.srv, 0) + 3, f.other);
	if (write(out, text, (size_t)n + 1) != n + 1)
		_exit(1);
	while (poll(&p, 1, 0) == 0)
		(void)loop_step(f.e.loop, 20 * NS_PER_MS, NULL);
	env_stop(&f.e);
	_exit(0);
}

struct near {
	struct http_agent *a;
	struct http_agent_conf conf;
	char first[64], second[64];
	int stop;
	pid_t pid;
	unsigned waits;
	int64_t waited;
	struct buf got;
};

static int note_wait(void *arg, int64_t ns, struct err *err)
{
	struct near *t = arg;

	t->waits++;
	t->waited += ns;
	return 0;
}

static void near_start(struct near *t)
{
	int out[2], stop[2];
	char text[160] = "";
	struct err err = ERR_INIT;

	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	assert_int_equal(pipe2(stop, O_CLOEXEC), 0);
	t->pid = fork();
	assert_true(t->pid >= 0);
	if (t->pid == 0) {
		close(stop[1]);
		serve_far(out[1], stop[0]);
	}
	close(out[1]);
	close(stop[0]);
	t->stop = stop[1];
	assert_true(read(out[0], text, sizeof(text) - 1) > 0);
	close(out[0]);
	assert_int_equal(sscanf(text, "%63s %63s", t->first, t->second), 2);
	t->conf.wait = note_wait;
	t->conf.wait_arg = t;
	t->got = BUF_INIT(1 << 20);
	assert_int_equal(http_agent_new(&t->conf, &t->a, &err), 0);
}

static void near_stop(struct near *t)
{
	int status;

	http_agent_free(t->a);
	buf_fini(&t->got);
	close(t->stop);
	assert_int_equal(waitpid(t->pid, &status, 0), t->pid);
	assert_int_equal(status, 0);
}

static int consume(void *arg, const struct http_answer *head, struct slice bytes, struct err *err)
{
	struct near *t = arg;

	return buf_add(&t->got, bytes.p, bytes.n);
}

/* Status of the answer, or the negative error; its body is in t->got. */
static int call(struct near *t, const char *base, const char *path, struct http_call c,
		struct err *err)
{
	CLEANUP(http_answer_fini) struct http_answer ans = HTTP_ANSWER_INIT;
	bool streamed = c.consume != NULL;
	char url[256];
	int r;

	buf_fini(&t->got);
	t->got = BUF_INIT(1 << 20);
	t->waits = 0;
	t->waited = 0;
	snprintf(url, sizeof(url), "%s%s", base, path);
	c.time = 60 * NS_PER_SEC;
	if (!c.arg)
		c.arg = t;
	r = http_agent_call(t->a, url, &c, &ans, err);
	if (r < 0)
		return r;
	if (!streamed)
		assert_int_equal(buf_add(&t->got, ans.body.p, ans.body.n), 0);
	return ans.status;
}

/* ---- cases; each runs in a process with a network of its own ---- */

static void follows_redirects(struct near *t)
{
	static const struct http_header secret[] = { { SLICE("Authorization"), SLICE("Bearer x") },
						     { SLICE("Content-Type"), SLICE("a/b") } };
	struct http_call c = { .headers = secret, .headers_n = 2 };
	struct err err = ERR_INIT;

	assert_int_equal(call(t, t->first, "/here", c, &err), 200);
	assert_string_equal(buf_str(&t->got), "GET /final?x=1 auth=Bearer x type= body=");
	assert_has(http_agent_url(t->a), "/final?x=1");
	/* Another origin: without what was for the first one. */
	c.method = "POST";
	c.body = SLICE("hello");
	assert_int_equal(call(t, t->first, "/there", c, &err), 200);
	assert_string_equal(buf_str(&t->got), "POST /final? auth= type=a/b body=hello");
	assert_int_equal(strncmp(http_agent_url(t->a), t->second, strlen(t->second)), 0);
	assert_int_equal(call(t, t->first, "/see", c, &err), 200);
	assert_string_equal(buf_str(&t->got), "GET /final? auth=Bearer x type= body=");
	/* Streamed: the body of the redirect is not the caller's. */
	c = (struct http_call){ .consume = consume };
	assert_int_equal(call(t, t->first, "/here", c, &err), 200);
	assert_string_equal(buf_str(&t->got), "GET /final?x=1 auth= type= body=");
	assert_int_equal(call(t, t->first, "/loop", c, &err), -ERR_QUOTA);
	assert_int_equal(http_agent_get_stats(t->a).origins, 2);
}

static ssize_t one_piece(void *arg, char *p, size_t cap, struct err *err)
{
	struct near *t = arg;

	if (t->got.max == 7)
		return 0;
	t->got.max = 7;
	memcpy(p, "once", 4);
	return 4;
}

static void does_not_produce_a_body_twice(struct near *t)
{
	struct http_call c = { .method = "PUT", .produce = one_piece, .length = 4 };
	struct err err = ERR_INIT;

	assert_int_equal(call(t, t->first, "/there", c, &err), -ERR_UNSUPPORTED);
	assert_has(err.msg, "wants the request's body once more");
}

static void tries_again_what_is_safe(struct near *t)
{
	struct http_call c = { 0 }, post = { .method = "POST", .body = SLICE("x") };
	struct http_call streamed = { .consume = consume };
	struct err err = ERR_INIT;

	assert_int_equal(call(t, t->first, "/fail/502/2", c, &err), 200);
	assert_int_equal(t->waits, 2);
	assert_true(t->waited > 0);
	assert_int_equal(call(t, t->first, "/fail/502/1", streamed, &err), 200);
	assert_string_equal(buf_str(&t->got), "GET /fail/502/1? auth= type= body=");
	/* As long as the server asks for. */
	assert_int_equal(call(t, t->first, "/fail/429/1", c, &err), 200);
	assert_int_equal(t->waits, 1);
	assert_true(t->waited >= 2 * NS_PER_SEC);
	/* Longer than we wait: the answer is the caller's. */
	assert_int_equal(call(t, t->first, "/fail/503/1", c, &err), 503);
	assert_string_equal(buf_str(&t->got), "not now");
	assert_int_equal(t->waits, 0);
	assert_int_equal(call(t, t->first, "/fail/503/1", c, &err), 200); /* counts from anew */
	assert_int_equal(call(t, t->first, "/fail/502/1", post, &err), 502);
	assert_int_equal(t->waits, 0);
	assert_int_equal(call(t, t->first, "/fail/502/1", c, &err), 200);
	/* Attempts end: the last answer. */
	assert_int_equal(call(t, t->first, "/fail/504/3", streamed, &err), 504);
	assert_string_equal(buf_str(&t->got), "not now");
	assert_int_equal(t->waits, 2);
	assert_int_equal(call(t, t->first, "/fail/504/3", c, &err), 200);
	assert_int_equal(call(t, t->first, "/fail/0/1", c, &err), 200);
	assert_int_equal(call(t, t->first, "/fail/0/1", post, &err), -ERR_UNAVAILABLE);
}

static void has_a_budget(struct near *t)
{
	struct http_call c = { 0 };
	struct err err = ERR_INIT;
	unsigned waits = 0;

	/* Three attempts each; the budget has ten, and a tenth of one more for each attempt. */
	for (int i = 0; i < 30; i++) {
		assert_int_equal(call(t, t->first, "/fail/502/1000", c, &err), 502);
		waits += t->waits;
	}
	assert_in_range(waits, 10, 15);
}

static void stops_asking_who_never_answers(struct near *t)
{
	struct http_call c = { 0 };
	struct err err = ERR_INIT;

	for (int i = 0; i < 3; i++)
		assert_int_equal(call(t, "http://127.0.0.1:1", "/", c, &err), -ERR_UNAVAILABLE);
	assert_has(err.msg, "is not asked for a while");
	assert_true(http_agent_get_stats(t->a).refused > 0);
	/* The other origins are not meant. */
	assert_int_equal(call(t, t->first, "/", c, &err), 200);
}

static void refuses_what_is_no_address(struct near *t)
{
	static const char *const bad[] = { "ftp://h/",	    "/x",	   "http:///",
					   "http://u:p@h/", "http://h:0/", "" };
	struct err err = ERR_INIT;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (call(t, bad[i], "", (struct http_call){ 0 }, &err) != -ERR_INVALID)
			fail_msg("'%s': %s", bad[i], err.msg);
	}
	assert_int_equal(call(t, "https://127.0.0.1:1", "/", (struct http_call){ 0 }, &err),
			 -ERR_INVALID);
	assert_has(err.msg, "TLS");
}

static void keeps_few_clients(struct near *t)
{
	struct http_call c = { 0 };
	struct err err = ERR_INIT;

	for (int i = 0; i < 3; i++) {
		assert_int_equal(call(t, t->first, "?q#f", c, &err), 200);
		assert_string_equal(buf_str(&t->got), "GET /?q auth= type= body=");
		assert_int_equal(call(t, t->second, "/", c, &err), 200);
	}
	assert_int_equal(http_agent_get_stats(t->a).origins, 1);
	assert_int_equal(call(t, t->first, "/there", c, &err), 200);
}

static void goes_through_the_proxy_of_the_environment(struct near *t)
{
	struct http_call c = { 0 };
	struct err err = ERR_INIT;

	/* The server shows what it was asked for; the name is nowhere. */
	assert_int_equal(call(t, "http://far.example", "/x", c, &err), 200);
	assert_has(buf_str(&t->got), "GET /x?");
	/* no_proxy names it: then there is nobody who knows the name. */
	assert_int_equal(call(t, "http://near.example", "/x", c, &err), -ERR_UNSUPPORTED);
}

/* ---- frame ---- */

static void lo_up(void)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &lo), 0);
	close(fd);
}

static void in_own_network(void (*run)(struct near *t), size_t origins_max, bool proxied)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct near t = { .conf.origins_max = origins_max };

		if (unshare(CLONE_NEWNET) < 0)
			_exit(77);
		lo_up();
		near_start(&t);
		if (proxied) {
			http_agent_free(t.a);
			t.conf.proxies =
				(struct http_proxy_env){ .http = t.first, .no = "near.example" };
			assert_int_equal(http_agent_new(&t.conf, &t.a, NULL), 0);
		}
		run(&t);
		near_stop(&t);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip(); /* without the right to make a namespace */
	assert_int_equal(status, 0);
}

#define CASE(name, origins, proxied)                    \
	static void name##_case(void **state)           \
	{                                               \
		in_own_network(name, origins, proxied); \
	}

CASE(follows_redirects, 0, false)
CASE(does_not_produce_a_body_twice, 0, false)
CASE(tries_again_what_is_safe, 0, false)
CASE(has_a_budget, 0, false)
CASE(stops_asking_who_never_answers, 0, false)
CASE(refuses_what_is_no_address, 0, false)
CASE(keeps_few_clients, 1, false)
CASE(goes_through_the_proxy_of_the_environment, 0, true)

static void wants_no_single_host(void **state)
{
	struct http_agent_conf conf = { .client.host = "h" };
	struct http_agent *a;
	struct err err = ERR_INIT;

	assert_int_equal(http_agent_new(&conf, &a, &err), -ERR_INVALID);
	assert_has(err.msg, "for each origin");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(follows_redirects_case),
		cmocka_unit_test(does_not_produce_a_body_twice_case),
		cmocka_unit_test(tries_again_what_is_safe_case),
		cmocka_unit_test(has_a_budget_case),
		cmocka_unit_test(stops_asking_who_never_answers_case),
		cmocka_unit_test(refuses_what_is_no_address_case),
		cmocka_unit_test(keeps_few_clients_case),
		cmocka_unit_test(goes_through_the_proxy_of_the_environment_case),
		cmocka_unit_test(wants_no_single_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
