/* SPDX-License-Identifier: Apache-2.0 */
/* The client against canned answers of a child process at a Unix socket. */
#include "base/arena.h"
#include "base/err.h"
#include "doc/doc.h"
#include "dockerclient/dockerclient.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct peer {
	char dir[64], path[100], host[120];
	pid_t pid;
	struct arena *a;
	struct docker_client *c;
	struct err err;
};

static int listen_at(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	str_copy(sa.sun_path, sizeof(sa.sun_path), path);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(fd, 16), 0);
	return fd;
}

/* Answers the n-th connection with the n-th text, after its request's head (and body) came. */
static void serve(struct peer *p, const char *const *answers)
{
	int fd = listen_at(p->path);

	p->pid = fork();
	assert_true(p->pid >= 0);
	if (p->pid) {
		close(fd);
		return;
	}
	for (; *answers; answers++) {
		int c = accept(fd, NULL, NULL);
		char in[65536];
		ssize_t n = 0, r;

		do {
			r = read(c, in + n, sizeof(in) - 1 - (size_t)n);
			n += r > 0 ? r : 0;
			in[n] = '\0';
		} while (r > 0 && !strstr(in, "\r\n\r\n"));
		if (write(c, *answers, strlen(*answers)) < 0)
			_exit(1);
		/* A hijacked stream: what is sent comes back, then the end. */
		if (strstr(*answers, "101 "))
			while ((r = read(c, in, sizeof(in))) > 0)
				if (write(c, in, (size_t)r) < 0)
					break;
		close(c);
	}
	_exit(0);
}

static int setup(void **state)
{
	struct peer *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	str_copy(p->dir, sizeof(p->dir), "/tmp/teu-dockerclient-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	snprintf(p->path, sizeof(p->path), "%s/s", p->dir);
	snprintf(p->host, sizeof(p->host), "unix://%s", p->path);
	p->a = arena_new("test", 16u << 20);
	assert_int_equal(docker_client_new(p->host, &p->c, &p->err), 0);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct peer *p = *state;

	if (p->pid) {
		kill(p->pid, SIGKILL);
		waitpid(p->pid, NULL, 0);
	}
	docker_client_free(p->c);
	arena_free(p->a);
	unlink(p->path);
	rmdir(p->dir);
	free(p);
	return 0;
}

#define HEAD "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"

static void a_cut_answer_is_refused(void **state)
{
	struct peer *p = *state;
	struct doc *d;

	serve(p, (const char *const[]){ HEAD "Content-Length: 9\r\n\r\n{\"Id\":\"x\"}", NULL });
	assert_int_equal(docker_get(p->c, p->a, "/x", &d, &p->err), -ERR_BAD_REQUEST);
	assert_non_null(strstr(p->err.msg, "answer of the engine"));
}

static void good_answers_give_the_document(void **state)
{
	struct peer *p = *state;
	struct doc *d;

	serve(p, (const char *const[]){ HEAD "Content-Length: 10\r\n\r\n{\"Id\":\"x\"}",
					"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n",
					"HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n",
					NULL });
	assert_int_equal(docker_get(p->c, p->a, "/x", &d, &p->err), 0);
	assert_true(doc_str_is(doc_get(d, "Id"), "x"));
	assert_int_equal(docker_post(p->c, p->a, "/x", NULL, &d, &p->err), 0);
	assert_null(d);
	assert_int_equal(docker_post(p->c, p->a, "/x", NULL, NULL, &p->err), 1);
}

static void error_answers_keep_status_and_words(void **state)
{
	struct peer *p = *state;

	serve(p, (const char *const[]){
			 "HTTP/1.1 409 Conflict\r\nContent-Length: 18\r\nConnection: close\r\n\r\n"
			 "{\"message\":\"busy\"}",
			 "HTTP/1.1 404 Not Found\r\nContent-Length: 10\r\nConnection: close\r\n\r\n"
			 "plain text",
			 "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
			 NULL });
	assert_int_equal(docker_post(p->c, p->a, "/x", NULL, NULL, &p->err), -ERR_CONFLICT);
	assert_string_equal(p->err.msg, "Error response from daemon: busy");
	assert_int_equal(docker_get(p->c, p->a, "/x", NULL, &p->err), -ERR_NOT_FOUND);
	assert_string_equal(p->err.msg, "Error response from daemon: plain text");
	assert_int_equal(docker_get(p->c, p->a, "/x", NULL, &p->err), -ERR_SYSTEM);
	assert_string_equal(p->err.msg, "Error response from daemon: status 500");
}

struct summing {
	struct buf text;
	char type[64];
	bool fail;
};

static void began(void *arg, struct slice type)
{
	struct summing *k = arg;

	snprintf(k->type, sizeof(k->type), "%.*s", (int)type.n, type.p);
}

static int consume(void *arg, struct slice b, struct err *err)
{
	struct summing *k = arg;

	if (k->fail)
		return err_set(err, ERR_QUOTA, "enough");
	return buf_add(&k->text, b.p, b.n);
}

static void streams_are_consumed_and_their_errors_are_not(void **state)
{
	struct peer *p = *state;
	struct summing k = { .text = BUF_INIT(100) };
	struct docker_request rq = {
		.target = "/x", .consume = consume, .began = began, .arg = &k
	};

	serve(p,
	      (const char *const[]){
		      "HTTP/1.1 200 OK\r\nContent-Type: text/x\r\nConnection: close\r\n\r\nhello",
		      "HTTP/1.1 400 Bad\r\nConnection: close\r\n\r\n{\"message\":\"bad name\"}",
		      "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello", NULL });
	assert_int_equal(docker_call(p->c, p->a, &rq, NULL, &p->err), 0);
	assert_string_equal(buf_str(&k.text), "hello");
	assert_string_equal(k.type, "text/x");
	assert_int_equal(docker_call(p->c, p->a, &rq, NULL, &p->err), -ERR_BAD_REQUEST);
	assert_string_equal(p->err.msg, "Error response from daemon: bad name");
	assert_string_equal(buf_str(&k.text), "hello");
	k.fail = true;
	assert_int_equal(docker_call(p->c, p->a, &rq, NULL, &p->err), -ERR_QUOTA);
	assert_non_null(strstr(p->err.msg, "enough"));
	buf_fini(&k.text);
}

static void an_absent_engine_is_named(void **state)
{
	struct peer *p = *state;

	assert_int_equal(docker_get(p->c, p->a, "/x", NULL, &p->err), -ERR_UNAVAILABLE);
	assert_non_null(strstr(p->err.msg, "Cannot connect to the engine at unix://"));
	assert_non_null(strstr(p->err.msg, "is it running?"));
}

static int begin_engine(void *arg, struct err *err)
{
	(void)err;
	serve(arg, (const char *const[]){ HEAD "Content-Length: 2\r\n\r\n{}", NULL });
	return 0;
}

static void an_absent_engine_is_started_once(void **state)
{
	struct peer *p = *state;
	struct doc *d;

	docker_client_on_absent(p->c, begin_engine, p);
	assert_int_equal(docker_get(p->c, p->a, "/x", &d, &p->err), 0);
	assert_int_equal(doc_len(d), 0);
	waitpid(p->pid, NULL, 0);
	p->pid = 0;
	assert_int_equal(docker_get(p->c, p->a, "/x", &d, &p->err), -ERR_UNAVAILABLE);
}

static int must_not_begin(void *arg, struct err *err)
{
	(void)err;
	*(bool *)arg = true;
	return 0;
}

static void nobody_waits_for_a_signal_that_an_absent_engine_gets(void **state)
{
	struct peer *p = *state;
	struct docker_exchange x = { 0 };
	bool begun = false;

	docker_client_on_absent(p->c, must_not_begin, &begun);
	assert_int_equal(docker_exchange_start(p->c, &x, "POST", "/x", NULL, false, NULL),
			 -ERR_UNAVAILABLE);
	docker_exchange_fini(&x);
	assert_false(begun);
}

static int cannot_begin(void *arg, struct err *err)
{
	(void)arg;
	return err_set(err, ERR_NOT_FOUND, "no program");
}

static void why_an_engine_cannot_start_is_told(void **state)
{
	struct peer *p = *state;

	docker_client_on_absent(p->c, cannot_begin, NULL);
	assert_int_equal(docker_get(p->c, p->a, "/x", NULL, &p->err), -ERR_NOT_FOUND);
	assert_string_equal(p->err.msg, "no program");
}

static void targets_are_encoded(void **state)
{
	struct peer *p = *state;

	assert_string_equal(docker_target(p->a, "/containers/%/start", "a b/c", NULL),
			    "/containers/a%20b/c/start");
	assert_string_equal(docker_target(p->a, "/x", "one", "1&2", "none", NULL, "two", "=", NULL),
			    "/x?one=1%262&two=%3D");
}

struct hijack {
	struct docker_exchange x;
	struct buf text;
	bool ended;
};

static void on_data(struct docker_exchange *x, struct slice b)
{
	struct hijack *h = CONTAINER_OF(x, struct hijack, x);

	buf_add(&h->text, b.p, b.n);
	docker_exchange_credit(x, b.n);
}

static void on_end(struct docker_exchange *x)
{
	CONTAINER_OF(x, struct hijack, x)->ended = true;
}

static void a_hijacked_stream_goes_both_ways(void **state)
{
	struct peer *p = *state;
	struct hijack h = { .x = { .data = on_data, .end = on_end }, .text = BUF_INIT(100) };

	serve(p, (const char *const[]){
			 "HTTP/1.1 101 UPGRADED\r\nContent-Type: "
			 "application/vnd.docker.multiplexed-stream\r\nConnection: Upgrade\r\n"
			 "Upgrade: tcp\r\n\r\n",
			 NULL });
	assert_int_equal(docker_exchange_start(p->c, &h.x, "POST", "/attach", NULL, true, &p->err),
			 0);
	assert_int_equal(docker_exchange_wait_head(&h.x, &p->err), 0);
	assert_int_equal(h.x.status, 101);
	assert_true(docker_exchange_is_framed(&h.x));
	assert_int_equal(stream_write(h.x.s, "ping", 4), 0);
	assert_int_equal(stream_end(h.x.s), 0);
	assert_int_equal(docker_exchange_wait_over(&h.x, &p->err), 0);
	assert_string_equal(buf_str(&h.text), "ping");
	assert_true(h.ended);
	docker_exchange_fini(&h.x);
	docker_exchange_fini(&h.x);
	buf_fini(&h.text);
}

static void a_refused_hijack_gives_the_engines_words(void **state)
{
	struct peer *p = *state;
	struct hijack h = { .x = { .data = on_data, .end = on_end }, .text = BUF_INIT(100) };

	serve(p,
	      (const char *const[]){
		      "HTTP/1.1 404 Not Found\r\nContent-Length: 18\r\n\r\n{\"message\":\"none\"}",
		      NULL });
	assert_int_equal(docker_exchange_start(p->c, &h.x, "POST", "/attach", NULL, true, &p->err),
			 0);
	assert_int_equal(docker_exchange_wait_head(&h.x, &p->err), -ERR_NOT_FOUND);
	assert_string_equal(p->err.msg, "Error response from daemon: none");
	docker_exchange_fini(&h.x);
}

static void a_vanished_engine_is_unavailable(void **state)
{
	struct peer *p = *state;
	struct docker_exchange x = { 0 };

	serve(p, (const char *const[]){ "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", NULL });
	assert_int_equal(docker_exchange_start(p->c, &x, "POST", "/wait", NULL, false, &p->err), 0);
	assert_int_equal(docker_exchange_wait_head(&x, &p->err), 0);
	assert_int_equal(docker_exchange_wait_over(&x, &p->err), -ERR_UNAVAILABLE);
	docker_exchange_fini(&x);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(a_cut_answer_is_refused),
		CASE(good_answers_give_the_document),
		CASE(error_answers_keep_status_and_words),
		CASE(streams_are_consumed_and_their_errors_are_not),
		CASE(an_absent_engine_is_named),
		CASE(an_absent_engine_is_started_once),
		CASE(nobody_waits_for_a_signal_that_an_absent_engine_gets),
		CASE(why_an_engine_cannot_start_is_told),
		CASE(targets_are_encoded),
		CASE(a_hijacked_stream_goes_both_ways),
		CASE(a_refused_hijack_gives_the_engines_words),
		CASE(a_vanished_engine_is_unavailable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
