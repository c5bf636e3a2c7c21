/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dialing in a network namespace: addresses, Unix sockets, names through a server of ours, and
 * happy eyeballs with listeners whose backlog is full (a SYN to them is lost, as by a firewall).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dns-stub.h"
#include "io/dial.h"
#include "io/resolver.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/un.h>

struct env {
	struct loop *loop;
	struct stub stub;
	struct resolver *r;
	char dir[32], resolv[64], hosts[64];
	int calls, fd;
	struct dial_peer peer;
	struct err err;
};

static void put_file(const char *path, const char *text)
{
	assert_int_equal(fd_replace_file(AT_FDCWD, path, text, strlen(text), 0600, NULL), 0);
}

static int setup(void **state)
{
	struct env *e = calloc(1, sizeof(*e));
	struct resolver_conf c = { 0 };

	assert_non_null(e);
	e->fd = -1;
	assert_int_equal(loop_new(&e->loop, NULL), 0);
	stub_start(&e->stub, e->loop, 0x7f000001);
	(void)snprintf(e->dir, sizeof(e->dir), "/tmp/teu-dial-XXXXXX");
	assert_non_null(mkdtemp(e->dir));
	(void)snprintf(e->resolv, sizeof(e->resolv), "%s/resolv.conf", e->dir);
	(void)snprintf(e->hosts, sizeof(e->hosts), "%s/hosts", e->dir);
	put_file(e->resolv, "nameserver 127.0.0.1\n");
	put_file(e->hosts, "::1 both.test\n127.0.0.1 both.test\n127.0.0.8 many.test\n"
			   "127.0.0.9 many.test\n127.0.0.10 many.test\n");
	c.hosts = e->hosts;
	c.resolv = e->resolv;
	assert_int_equal(resolver_new(e->loop, &c, &e->r, NULL), 0);
	*state = e;
	return 0;
}

static int teardown(void **state)
{
	struct env *e = *state;

	fd_close(e->fd);
	resolver_free(e->r);
	stub_stop(&e->stub);
	loop_free(e->loop);
	assert_int_equal(fd_remove_tree(AT_FDCWD, e->dir, NULL), 0);
	free(e);
	return 0;
}

static void on_dialed(void *arg, int fd, const struct dial_peer *peer, struct err *err)
{
	struct env *e = arg;

	e->calls++;
	fd_close(e->fd);
	e->fd = fd;
	if (fd >= 0)
		e->peer = *peer;
	else
		e->err = *err;
}

/* 0 or the code. */
static int dial(struct env *e, const char *address, const struct dial_conf *conf)
{
	struct dial_conf c = conf ? *conf : (struct dial_conf){ 0 };
	struct dial *d;
	int r;

	c.resolver = e->r;
	e->calls = 0;
	e->err = ERR_INIT;
	r = dial_start(e->loop, &c, address, on_dialed, e, &d, &e->err);
	if (r < 0)
		return e->err.code;
	assert_int_equal(e->calls, 0);
	while (!e->calls)
		assert_true(loop_step(e->loop, 20 * NS_PER_SEC, NULL) >= 0);
	assert_int_equal(e->calls, 1);
	return e->err.code;
}

static int listen_at(uint32_t v4, uint16_t port, int backlog)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
				   .sin_port = htons(port),
				   .sin_addr.s_addr = htonl(v4) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(listen(fd, backlog), 0);
	return fd;
}

static int listen6(uint16_t port)
{
	struct sockaddr_in6 sin = { .sin6_family = AF_INET6,
				    .sin6_port = htons(port),
				    .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(listen(fd, 16), 0);
	return fd;
}

#define HOLES 4
/* A listener that takes no more: its queue is filled. */
struct hole {
	int fd, fill[HOLES];
};

static void dig(struct hole *h, uint32_t v4, uint16_t port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
				   .sin_port = htons(port),
				   .sin_addr.s_addr = htonl(v4) };

	h->fd = listen_at(v4, port, 0);
	for (int i = 0; i < HOLES; i++) {
		h->fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		(void)connect(h->fill[i], (struct sockaddr *)&sin, sizeof(sin));
	}
}

static void fill_in(struct hole *h)
{
	for (int i = 0; i < HOLES; i++)
		fd_close(h->fill[i]);
	fd_close(h->fd);
}

/* ---- cases ---- */

static void numeric_addresses_connect(void **state)
{
	struct env *e = *state;
	int l4 = listen_at(0x7f000001, 8080, 16), l6 = listen6(8080), on = 0;
	socklen_t n = sizeof(on);

	assert_int_equal(dial(e, "127.0.0.1:8080", NULL), 0);
	assert_string_equal(e->peer.text, "127.0.0.1:8080");
	assert_int_equal(getsockopt(e->fd, IPPROTO_TCP, TCP_NODELAY, &on, &n), 0);
	assert_int_equal(on, 1);
	assert_int_equal(getsockopt(e->fd, SOL_SOCKET, SO_KEEPALIVE, &on, &n), 0);
	assert_int_equal(on, 1);
	assert_true(fcntl(e->fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(e->fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(dial(e, "tcp://[::1]:8080", NULL), 0);
	assert_string_equal(e->peer.text, "[::1]:8080");
	assert_int_equal(dial(e, "::1", &(struct dial_conf){ .port = 8080, .keepalive_idle = -1 }),
			 0);
	assert_int_equal(getsockopt(e->fd, SOL_SOCKET, SO_KEEPALIVE, &on, &n), 0);
	assert_int_equal(on, 0);
	assert_int_equal(dial(e, "127.0.0.1:1", NULL), ERR_UNAVAILABLE);
	assert_string_equal(e->err.msg, "dial 127.0.0.1:1: 127.0.0.1:1: Connection refused");
	fd_close(l4);
	fd_close(l6);
}

static void what_is_no_address_is_refused_at_once(void **state)
{
	static const struct {
		const char *address;
		enum err_code code;
		const char *why;
	} cases[] = {
		{ "127.0.0.1", ERR_INVALID, "the port is missing" },
		{ "127.0.0.1:0", ERR_INVALID, "1 to 65535" },
		{ "127.0.0.1:65536", ERR_INVALID, "1 to 65535" },
		{ "127.0.0.1:x", ERR_INVALID, "1 to 65535" },
		{ ":80", ERR_INVALID, "the host is missing" },
		{ "tcp://a:80/x", ERR_INVALID, "1 to 65535" },
		{ "tcp://a/x:80", ERR_INVALID, "neither path nor URL" },
		{ "http://a:80", ERR_UNSUPPORTED, "neither unix nor tcp" },
		{ "unix://", ERR_INVALID, "the path is empty" },
		{ "unix:@", ERR_INVALID, "the path is empty" },
	};
	struct env *e = *state;
	char path[200];
	struct dial *d;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(dial(e, cases[i].address, NULL), cases[i].code);
		assert_non_null(strstr(e->err.msg, cases[i].why));
		assert_int_equal(e->calls, 0);
	}
	memset(path, '/', 150);
	path[150] = '\0';
	assert_int_equal(dial(e, path, NULL), ERR_INVALID);
	assert_int_equal(dial_start(e->loop, NULL, "name.test:80", on_dialed, e, &d, &e->err),
			 -ERR_UNSUPPORTED);
	assert_non_null(strstr(e->err.msg, "names are not resolved here"));
}

static void unix_sockets_connect_by_path_and_abstract_name(void **state)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct env *e = *state;
	char address[128];
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int abs = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(un.sun_path, sizeof(un.sun_path), "%s/sock", e->dir);
	assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	(void)snprintf(address, sizeof(address), "unix://%s/sock", e->dir);
	assert_int_equal(dial(e, address, NULL), ERR_UNAVAILABLE);
	assert_non_null(strstr(e->err.msg, "sock: Connection refused"));
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(dial(e, address, NULL), 0);
	assert_string_equal(e->peer.text, un.sun_path);
	assert_int_equal(dial(e, un.sun_path, NULL), 0);
	assert_int_equal(dial(e, "unix:///nowhere/sock", NULL), ERR_UNAVAILABLE);
	assert_non_null(strstr(e->err.msg, "No such file or directory"));
	un = (struct sockaddr_un){ .sun_family = AF_UNIX, .sun_path = "\0teu-dial-test" };
	assert_int_equal(bind(abs, (struct sockaddr *)&un, 2 + 14), 0);
	assert_int_equal(listen(abs, 8), 0);
	assert_int_equal(dial(e, "unix:@teu-dial-test", NULL), 0);
	assert_string_equal(e->peer.text, "@teu-dial-test");
	fd_close(fd);
	fd_close(abs);
}

static void a_full_unix_backlog_is_waited_for(void **state)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct dial_conf brief = { .time = 40 * NS_PER_MS };
	struct env *e = *state;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), fill[2], got;
	struct dial *d;

	(void)snprintf(un.sun_path, sizeof(un.sun_path), "%s/full", e->dir);
	assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	assert_int_equal(listen(fd, 0), 0);
	for (int i = 0; i < 2; i++) {
		fill[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		(void)connect(fill[i], (struct sockaddr *)&un, sizeof(un));
	}
	assert_int_equal(dial(e, un.sun_path, &brief), ERR_TIMEOUT);
	assert_non_null(strstr(e->err.msg, "not connected within 40 ms"));
	e->calls = 0;
	assert_int_equal(dial_start(e->loop, NULL, un.sun_path, on_dialed, e, &d, &e->err), 0);
	assert_true(loop_step(e->loop, NS_PER_SEC, NULL) >= 0);
	got = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	fd_close(got);
	while (!e->calls)
		assert_true(loop_step(e->loop, NS_PER_SEC, NULL) >= 0);
	assert_true(e->fd >= 0);
	for (int i = 0; i < 2; i++)
		fd_close(fill[i]);
	fd_close(fd);
}

static void names_prefer_ipv6_and_fall_back(void **state)
{
	struct env *e = *state;
	int l4 = listen_at(0x7f000001, 8081, 16), l6 = listen6(8081);

	assert_int_equal(dial(e, "both.test:8081", NULL), 0);
	assert_string_equal(e->peer.text, "[::1]:8081");
	assert_int_equal(dial(e, "both.test:8081", &(struct dial_conf){ .v4_only = true }), 0);
	assert_string_equal(e->peer.text, "127.0.0.1:8081");
	fd_close(l6);
	assert_int_equal(dial(e, "both.test:8081", NULL), 0);
	assert_string_equal(e->peer.text, "127.0.0.1:8081");
	fd_close(l4);
	assert_int_equal(dial(e, "both.test:8081", NULL), ERR_UNAVAILABLE);
	assert_string_equal(e->err.msg, "dial both.test:8081: [::1]:8081: Connection refused; "
					"127.0.0.1:8081: Connection refused");
}

static void the_next_address_is_tried_while_one_is_silent(void **state)
{
	struct dial_conf quick = { .attempt_delay = 10 * NS_PER_MS };
	struct env *e = *state;
	struct hole one, two;
	int last = listen_at(0x7f00000a, 8082, 16);

	dig(&one, 0x7f000008, 8082);
	dig(&two, 0x7f000009, 8082);
	assert_int_equal(dial(e, "many.test:8082", &quick), 0);
	assert_string_equal(e->peer.text, "127.0.0.10:8082");
	/* and with all of them silent the error names each */
	fd_close(last);
	quick.time = 200 * NS_PER_MS;
	assert_int_equal(dial(e, "many.test:8082", &quick), ERR_TIMEOUT);
	assert_non_null(strstr(e->err.msg, "127.0.0.8:8082: no answer"));
	assert_non_null(strstr(e->err.msg, "127.0.0.9:8082: no answer"));
	assert_non_null(strstr(e->err.msg, "127.0.0.10:8082: Connection refused"));
	/* only as many as told */
	quick.addresses_max = 1;
	assert_int_equal(dial(e, "many.test:8082", &quick), ERR_TIMEOUT);
	assert_null(strstr(e->err.msg, "127.0.0.9"));
	fill_in(&one);
	fill_in(&two);
}

static void names_that_do_not_exist_are_told(void **state)
{
	struct env *e = *state;

	assert_int_equal(dial(e, "none.test:80", NULL), ERR_NOT_FOUND);
	assert_string_equal(e->err.msg, "dial none.test:80: resolve 'none.test': no such host");
	assert_int_equal(dial(e, "a..b:80", NULL), ERR_INVALID);
}

/* The stub's IPv4 address is nobody's here: unreachable at once, so IPv6 must be waited for. */
static void a_late_family_is_waited_for(void **state)
{
	struct dial_conf c = { .resolver = ((struct env *)*state)->r };
	struct env *e = *state;
	struct dial *d;

	e->stub.v6_slow = true;
	assert_int_equal(dial_start(e->loop, &c, "slow6.test:80", on_dialed, e, &d, &e->err), 0);
	while (e->stub.held_n == 0 || e->stub.a == 0)
		assert_true(loop_step(e->loop, 20 * NS_PER_SEC, NULL) >= 0);
	for (int i = 0; i < 10; i++)
		assert_true(loop_step(e->loop, 20 * NS_PER_MS, NULL) >= 0);
	assert_int_equal(e->calls, 0);
	stub_release(&e->stub);
	while (!e->calls)
		assert_true(loop_step(e->loop, 20 * NS_PER_SEC, NULL) >= 0);
	assert_int_equal(e->err.code, ERR_UNAVAILABLE);
	assert_non_null(strstr(e->err.msg, "192.0.2.1:80: Network is unreachable"));
	assert_non_null(strstr(e->err.msg, "[2001:db8::1]:80: "));
}

static void a_cancelled_dial_is_never_told(void **state)
{
	struct dial_conf c = { .resolver = ((struct env *)*state)->r };
	struct env *e = *state;
	struct hole h;
	struct dial *d;

	dig(&h, 0x7f000008, 8083);
	assert_int_equal(dial_start(e->loop, &c, "127.0.0.8:8083", on_dialed, e, &d, &e->err), 0);
	dial_cancel(d);
	assert_int_equal(dial_start(e->loop, &c, "many.test:8083", on_dialed, e, &d, &e->err), 0);
	for (int i = 0; i < 5; i++)
		assert_true(loop_step(e->loop, NS_PER_MS, NULL) >= 0);
	dial_cancel(d);
	dial_cancel(NULL);
	assert_true(loop_step(e->loop, 0, NULL) >= 0);
	assert_int_equal(e->calls, 0);
	fill_in(&h);
}

static void the_blocking_form_gives_a_socket_or_an_error(void **state)
{
	struct dial_peer peer;
	struct err err = ERR_INIT;
	int l = listen_at(0x7f000001, 8084, 16), fd = -1;

	(void)state;
	assert_int_equal(dial_wait(NULL, "localhost:8084", false, &fd, &peer, &err), 0);
	assert_string_equal(peer.text, "127.0.0.1:8084");
	fd_close(fd);
	assert_int_equal(dial_wait(NULL, "127.0.0.1:8084", true, &fd, NULL, &err), 0);
	fd_close(fd);
	fd_close(l);
	assert_int_equal(dial_wait(NULL, "127.0.0.1:8084", false, &fd, NULL, &err),
			 -ERR_UNAVAILABLE);
	assert_int_equal(dial_wait(NULL, "x:1", false, &fd, NULL, NULL), -ERR_UNSUPPORTED);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(numeric_addresses_connect),
		CASE(what_is_no_address_is_refused_at_once),
		CASE(unix_sockets_connect_by_path_and_abstract_name),
		CASE(a_full_unix_backlog_is_waited_for),
		CASE(names_prefer_ipv6_and_fall_back),
		CASE(the_next_address_is_tried_while_one_is_silent),
		CASE(names_that_do_not_exist_are_told),
		CASE(a_late_family_is_waited_for),
		CASE(a_cancelled_dial_is_never_told),
		CASE(the_blocking_form_gives_a_socket_or_an_error),
	};

	own_network();
	return cmocka_run_group_tests_name("dial", tests, NULL, NULL);
}
