/* SPDX-License-Identifier: Apache-2.0 */
/* stream_send_file over every way that a body can take: plain, TLS (the kernel's where it has it),
 * HTTP/2; with readers that pause, files that end too early, peers that leave. */
#include "io-test.h"

#include "crypto/key.h"
#include "crypto/tls.h"
#include "crypto/x509.h"

#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#define SIZE (3u << 20)
#define FROM 4097u

static struct tls_conf *server_tls, *client_tls, *client_h2;

static const struct way {
	const char *name;
	bool tcp, tls, h2;
} ways[] = {
	{ "plain, Unix socket", false, false, false }, { "plain, TCP", true, false, false },
	{ "TLS, Unix socket", false, true, false },    { "TLS, TCP", true, true, false },
	{ "HTTP/2, plain", true, false, true },	       { "HTTP/2, TLS", true, true, true },
};

/* ---- the server: a file, sent on and on ---- */

struct served {
	struct env e;
	int fd;
	uint64_t at, left, announced;
	unsigned waits;
	struct err err;
};

static void send_on(struct stream *s)
{
	struct served *v = stream_arg(s);
	int r = stream_send_file(s, v->fd, &v->at, &v->left, &v->err);

	v->waits += r == 1;
	if (r == 0)
		(void)stream_end(s);
	else if (r < 0)
		stream_reset(s, &v->err);
}

static void sent_closed(struct stream *s, const struct err *why)
{
	struct served *v = stream_arg(s);

	v->e.closed++;
	v->e.why = why ? (int)why->code : 0;
}

static const struct stream_events sending = { .writable = send_on, .closed = sent_closed };

static void serve(struct stream *s, void *arg)
{
	struct served *v = CONTAINER_OF(arg, struct served, e);

	stream_on(s, &sending, v);
	assert_int_equal(stream_start(s, 200, (int64_t)v->announced), 0);
	send_on(s);
}

/* ---- the client ---- */

struct reader {
	struct stream *s;
	struct buf got;
	size_t grant;
	bool ended, closed, held;
	int why;
};

static void read_data(struct stream *s, struct slice bytes)
{
	struct reader *r = stream_arg(s);

	assert_int_equal(buf_add(&r->got, bytes.p, bytes.n), 0);
	if (!r->held)
		stream_read(s, bytes.n);
}

static void read_end(struct stream *s)
{
	((struct reader *)stream_arg(s))->ended = true;
}

static void read_closed(struct stream *s, const struct err *why)
{
	struct reader *r = stream_arg(s);

	r->closed = true;
	r->why = why ? (int)why->code : 0;
}

static const struct stream_events reading = { .data = read_data,
					      .end = read_end,
					      .closed = read_closed };

static char pattern(uint64_t at)
{
	return (char)(at * 2654435761u >> 13);
}

static int make_file(size_t n)
{
	CLEANUP_FREE char *p = malloc(n + 1);
	int fd = memfd_create("file", MFD_CLOEXEC);

	assert_true(p && fd >= 0);
	for (size_t i = 0; i < n; i++)
		p[i] = pattern(i);
	assert_int_equal(pwrite(fd, p, n, 0), (ssize_t)n);
	return fd;
}

static void begin(struct served *v, const struct way *w, struct http_client **ret)
{
	struct http_client_conf k = { .tls = !w->tls ? NULL
					     : w->h2 ? client_h2
						     : client_tls,
				      .tls_name = "a.example",
				      .http2 = w->h2 ? HTTP2_PRIOR : HTTP2_NEVER };
	char address[128], path[] = "/tmp/teu-files-XXXXXX";
	struct err err = ERR_INIT;

	v->e.conf.http2 = HTTP2_PRIOR;
	env_start(&v->e, serve);
	if (w->tcp) {
		assert_int_equal(http_server_listen_tcp(v->e.srv, "127.0.0.1:0", &err), 0);
		(void)snprintf(address, sizeof(address), "%s%s", w->tls ? "https" : "tcp",
			       http_server_address(v->e.srv, 0) + 3);
	} else {
		close(mkstemp(path));
		unlink(path);
		assert_int_equal(http_server_listen_unix(v->e.srv, path, 0600, (gid_t)-1, &err), 0);
		(void)snprintf(address, sizeof(address), "%s.lock", path);
		unlink(address); /* held; nobody else listens here */
		(void)snprintf(address, sizeof(address), "unix://%s", path);
	}
	if (w->tls)
		assert_int_equal(http_server_set_tls(v->e.srv, 0, server_tls, &err), 0);
	if (http_client_new(v->e.loop, address, &k, ret, &err) < 0)
		fail_msg("%s: %s", address, err.msg);
}

static void ask_for(struct http_client *c, struct reader *r)
{
	struct err err = ERR_INIT;

	r->got = BUF_INIT(SIZE * 2);
	assert_int_equal(http_client_stream(c, "GET", "/file", &r->s, &err), 0);
	stream_on(r->s, &reading, r);
	if (http_client_send(r->s, HTTP_NO_BODY, false, &err) < 0)
		fail_msg("%s", err.msg);
	stream_read(r->s, r->grant);
}

/* TCP may take its time: by the clock only when something is wrong. */
static void until_over(struct served *v, const struct reader *r)
{
	int64_t end = clock_mono() + 30 * NS_PER_SEC;

	while ((!r->closed || !v->e.closed) && clock_mono() < end)
		(void)loop_step(v->e.loop, 50 * NS_PER_MS, NULL);
	settle(&v->e);
}

static void let_go(struct served *v, struct http_client *c, struct reader *r)
{
	stream_unref(r->s);
	http_client_free(c);
	env_stop(&v->e);
	buf_fini(&r->got);
	fd_close(v->fd);
}

static void check_bytes(const struct way *w, const struct reader *r, uint64_t from, size_t n)
{
	if (r->got.n != n || !r->ended)
		fail_msg("%s: %zu bytes of %zu, ended %d", w->name, r->got.n, n, r->ended);
	for (size_t i = 0; i < n; i++)
		if (r->got.p[i] != pattern(from + i))
			fail_msg("%s: byte %zu differs", w->name, i);
}

/* ---- tests ---- */

static void a_part_of_a_file_arrives_by_every_way(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		struct served v = { .fd = make_file(SIZE), .at = FROM, .left = SIZE - FROM - 9 };
		struct reader r = { .grant = STREAM_ALL, .held = true };
		struct http_client *c;

		v.announced = v.left;
		begin(&v, &ways[i], &c);
		ask_for(c, &r);
		until_over(&v, &r);
		check_bytes(&ways[i], &r, FROM, SIZE - FROM - 9);
		assert_int_equal(v.left, 0);
		assert_int_equal(v.at, SIZE - 9);
		assert_int_equal(v.e.closed, 1);
		assert_int_equal(v.e.why, 0);
		let_go(&v, c, &r);
	}
}

static void a_reader_that_pauses_makes_it_wait(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		struct served v = { .fd = make_file(4 * SIZE), .left = 4 * SIZE };
		struct reader r = { .grant = 1000, .held = true };
		struct http_client *c;
		uint64_t left = 0;

		v.announced = v.left;
		begin(&v, &ways[i], &c);
		ask_for(c, &r);
		r.got.max = 8 * SIZE;
		settle(&v.e);
		/* Nobody reads: sockets and queues are bounded, and nothing turns in a circle. */
		for (int quiet = 0; quiet < 3; quiet = left == v.left ? quiet + 1 : 0) {
			left = v.left;
			settle(&v.e);
		}
		assert_true(r.got.n <= 1000 && v.waits > 0 && v.left > 0);
		r.held = false;
		stream_read(r.s, 300000);
		until_over(&v, &r);
		check_bytes(&ways[i], &r, 0, 4 * SIZE);
		let_go(&v, c, &r);
	}
}

static void a_file_that_ends_too_early_breaks_the_body(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		struct served v = { .fd = make_file(SIZE), .left = SIZE + 1 };
		struct reader r = { .grant = STREAM_ALL, .held = true };
		struct http_client *c;

		v.announced = v.left;
		begin(&v, &ways[i], &c);
		ask_for(c, &r);
		until_over(&v, &r);
		assert_true(r.closed && !r.ended && r.why != 0);
		assert_int_equal(v.err.code, ERR_INVALID);
		assert_has(v.err.msg, "ends too early");
		let_go(&v, c, &r);
	}
}

static void more_than_was_announced_is_refused(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		struct served v = { .fd = make_file(SIZE), .left = 1000, .announced = 10 };
		struct reader r = { .grant = STREAM_ALL, .held = true };
		struct http_client *c;

		begin(&v, &ways[i], &c);
		ask_for(c, &r);
		until_over(&v, &r);
		assert_true(r.closed && !r.ended);
		let_go(&v, c, &r);
	}
}

static void a_peer_that_leaves_ends_it(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		struct served v = { .fd = make_file(4 * SIZE), .left = 4 * SIZE };
		struct reader r = { .grant = 1000, .held = true };
		struct http_client *c;

		v.announced = v.left;
		begin(&v, &ways[i], &c);
		ask_for(c, &r);
		while (!v.waits)
			(void)loop_step(v.e.loop, 50 * NS_PER_MS, NULL);
		assert_int_equal(v.e.closed, 0);
		stream_reset(r.s, NULL);
		until_over(&v, &r);
		assert_int_equal(v.e.closed, 1);
		let_go(&v, c, &r);
	}
}

/* ---- what they share ---- */

static int make_all(void **state)
{
	int64_t now = clock_real() / NS_PER_SEC;
	struct cert_spec spec = { .names.cn = "a.example",
				  .not_before = now - 86400,
				  .not_after = now + 864000,
				  .ca = true,
				  .path_len = -1 };
	static const char *const alpn[] = { "h2", "http/1.1" };
	CLEANUP(key_unref) struct key *key = NULL;
	CLEANUP(cert_unref) struct cert *cert = NULL;
	struct err err = ERR_INIT;
	struct tls_identity id = { .chain = &cert, .chain_n = 1 };
	struct tls_options so = {
		.server = true, .ids = &id, .ids_n = 1, .alpn = alpn, .alpn_n = 2
	};
	struct tls_options co = { .insecure = true };
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd;

	assert_int_equal(key_generate(KEY_P256, 0, &key, &err), 0);
	assert_int_equal(cert_make(&spec, key, NULL, key, &cert, &err), 0);
	id.key = key;
	assert_int_equal(tls_conf_new(&so, &server_tls, &err), 0);
	assert_int_equal(tls_conf_new(&co, &client_tls, &err), 0);
	co.alpn = alpn;
	co.alpn_n = 1;
	assert_int_equal(tls_conf_new(&co, &client_h2, &err), 0);
	if (unshare(CLONE_NEWNET) < 0)
		return 0; /* the loopback that is there does as well */
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &lo), 0);
	close(fd);
	return 0;
}

static int drop_all(void **state)
{
	tls_conf_unref(server_tls);
	tls_conf_unref(client_tls);
	tls_conf_unref(client_h2);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_part_of_a_file_arrives_by_every_way),
		cmocka_unit_test(a_reader_that_pauses_makes_it_wait),
		cmocka_unit_test(a_file_that_ends_too_early_breaks_the_body),
		cmocka_unit_test(more_than_was_announced_is_refused),
		cmocka_unit_test(a_peer_that_leaves_ends_it),
	};

	return cmocka_run_group_tests(tests, make_all, drop_all);
}
