/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sending by the kernel's TLS, over a TCP connection of this process with itself; what it seals is
 * opened by OpenSSL. Skipped, counted, where the kernel has none; tests/vm/qemu-tls.sh runs it
 * where it has.
 */
#include "tls-test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

/* A network of its own, where that may be had: else the one that is there. */
static void loopback(void)
{
	struct ifreq r = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd;

	if (unshare(CLONE_NEWNET) < 0)
		return;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &r) == 0);
	close(fd);
}

static void tcp_pair(int fd[2])
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), small = 65536;

	assert_true(l >= 0);
	assert_int_equal(bind(l, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(l, 1), 0);
	assert_int_equal(getsockname(l, (struct sockaddr *)&a, &len), 0);
	fd[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	(void)setsockopt(fd[1], SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	assert_int_equal(connect(fd[1], (struct sockaddr *)&a, sizeof(a)), 0);
	fd[0] = accept4(l, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	assert_true(fd[0] >= 0);
	(void)setsockopt(fd[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	assert_int_equal(fcntl(fd[1], F_SETFL, O_NONBLOCK), 0);
	close(l);
}

/* A connection whose server sends by the kernel; skips if it cannot be had. suite NULL: any. */
static void offloaded(struct env *e, const char *suite, int fd[2])
{
	struct tls_conf *s = server_conf(e, (struct tls_options){ 0 });
	struct tls_conf *c = client_conf(e, (struct tls_options){ 0 });
	int there;

	hang_up(e);
	start_side(&e->server, s, NULL);
	start_side(&e->client, c, "a.example");
	if (suite)
		assert_int_equal(SSL_set_ciphersuites(e->client.t->ssl, suite), 1);
	assert_int_equal(tls_start(e->client.t, &e->client.err), 0);
	pump(e);
	tls_conf_unref(s);
	tls_conf_unref(c);
	assert_talks(e);
	buf_clear(&e->client.got);
	tcp_pair(fd);
	there = tls_offload(e->server.t, fd[0]);
	assert_int_equal(tls_is_offloaded(e->server.t), there);
	if (!there) {
		close(fd[0]);
		close(fd[1]);
		skip();
	}
}

/* What the client's socket has, opened. False at its end. */
static bool take_in(struct env *e, int fd)
{
	char chunk[65536];
	struct pollfd p = { .fd = fd, .events = POLLIN };
	ssize_t n;

	(void)poll(&p, 1, 20000);
	n = recv(fd, chunk, sizeof(chunk), MSG_DONTWAIT);
	if (n <= 0)
		return false;
	/* By way of the buffer: the begin of a record stays there. */
	(void)buf_add(&e->server.wire, chunk, (size_t)n);
	return true;
}

static void open_all(struct env *e)
{
	static char dst[TLS_RECORD_MAX * 2];
	struct buf *w = &e->server.wire;
	struct tls_input in = { w->p, w->n };
	ssize_t n;

	while ((n = tls_read(e->client.t, &in, dst, sizeof(dst), &e->client.err)) > 0)
		(void)buf_add(&e->client.got, dst, (size_t)n);
	memmove(w->p, in.p, in.n);
	w->n = in.n;
}

static void fill_body(char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (char)(i * 2654435761u >> 13);
}

static void the_kernel_goes_on_where_we_were(void **state)
{
	static const char *const suites[] = { "TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384",
					      "TLS_CHACHA20_POLY1305_SHA256" };
	struct env *e = *state;
	int fd[2];

	for (size_t i = 0; i < ARRAY_LEN(suites); i++) {
		struct iovec v[2] = { { "sent by ", 8 }, { "the kernel", 10 } };

		offloaded(e, suites[i], fd);
		assert_string_equal(tls_get_info(e->client.t)->cipher, suites[i]);
		assert_int_equal(tls_kernel_send(e->server.t, v, 2), 18);
		while (e->client.got.n < 18 && take_in(e, fd[1]))
			open_all(e);
		assert_string_equal(buf_str(&e->client.got), "sent by the kernel");
		close(fd[0]);
		close(fd[1]);
	}
}

/* All of a large body and the end come to a reader that is slower than the socket. */
static void a_large_body_and_its_end_arrive(void **state)
{
	struct env *e = *state;
	size_t total = 4u << 20, done = 0;
	bool ended = false;
	char *body;
	int fd[2];

	offloaded(e, NULL, fd);
	body = malloc(total);
	fill_body(body, total);
	while (!tls_peer_ended(e->client.t)) {
		struct iovec v = { body + done, MIN(total - done, (size_t)300000) };
		ssize_t n = done < total ? tls_kernel_send(e->server.t, &v, 1) : 0;

		if (n > 0) {
			done += (size_t)n;
			continue;
		}
		assert_true(n == 0 || errno == EAGAIN);
		if (done == total && !ended) {
			tls_close(e->server.t);
			ended = true;
		}
		if (ended && !tls_close_held(e->server.t))
			assert_int_equal(shutdown(fd[0], SHUT_WR), 0);
		if (!take_in(e, fd[1]))
			break;
		open_all(e);
	}
	assert_true(tls_peer_ended(e->client.t));
	assert_int_equal(e->client.got.n, total);
	assert_memory_equal(e->client.got.p, body, total);
	close(fd[0]);
	close(fd[1]);
	free(body);
}

static void a_client_may_change_its_keys_not_ours(void **state)
{
	struct env *e = *state;
	struct iovec v = { "x", 1 };
	int fd[2];

	offloaded(e, NULL, fd);
	buf_clear(&e->server.got);
	assert_int_equal(SSL_key_update(e->client.t->ssl, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
	say(&e->client, "new keys");
	(void)deliver(&e->client, &e->server, 0);
	assert_string_equal(buf_str(&e->server.got), "new keys");
	assert_int_equal(tls_kernel_send(e->server.t, &v, 1), 1);
	assert_int_equal(SSL_key_update(e->client.t->ssl, SSL_KEY_UPDATE_REQUESTED), 1);
	say(&e->client, "yours, too");
	(void)deliver(&e->client, &e->server, 0);
	assert_says(&e->server.err, ERR_BAD_REQUEST, "which the kernel's TLS cannot take");
	assert_int_equal(e->server.wire.n, 0); /* told by the kernel */
	while (e->client.err.code == 0 && take_in(e, fd[1]))
		open_all(e);
	assert_string_equal(buf_str(&e->client.got), "x");
	assert_says(&e->client.err, ERR_UNAVAILABLE, "it has an internal error");
	close(fd[0]);
	close(fd[1]);
}

static void the_kernels_key_seals_no_more_than_it_may(void **state)
{
	struct env *e = *state;
	struct iovec v = { "x", 1 };
	int fd[2];

	offloaded(e, NULL, fd);
	e->server.t->kernel_records = (1u << 24) - 1;
	assert_int_equal(tls_kernel_send(e->server.t, &v, 1), 1);
	assert_int_equal(tls_kernel_send(e->server.t, &v, 1), -1);
	assert_int_equal(errno, EPIPE);
	close(fd[0]);
	close(fd[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_kernel_goes_on_where_we_were),
		TEST(a_large_body_and_its_end_arrive),
		TEST(a_client_may_change_its_keys_not_ours),
		TEST(the_kernels_key_seals_no_more_than_it_may),
	};

	loopback();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
