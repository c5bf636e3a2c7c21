/* SPDX-License-Identifier: Apache-2.0 */
/* The PROXY protocol: headers as pure functions, and a server that trusts some senders only. */
#include "io-test.h"

#include "io/cidr.h"
#include "io/proxy-protocol.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#define SIG "\r\n\r\n\0\r\nQUIT\n"
#define V4 SIG "\x21\x11\0\x0c\xc0\0\2\1\xc0\0\2\2\x12\x34\0\x50"

static const struct row {
	const char *name, *bytes;
	size_t n;
	int length; /* -1: refused, 0: more is needed */
	const char *src;
} rows[] = {
#define ROW(name, bytes, length, src)                       \
	{                                                   \
		name, bytes, sizeof(bytes) - 1, length, src \
	}
	ROW("v1 TCP4", "PROXY TCP4 192.0.2.1 192.0.2.2 4660 80\r\nGET", 40, "192.0.2.1"),
	ROW("v1 TCP6", "PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n", 44, "2001:db8::1"),
	ROW("v1 UNKNOWN", "PROXY UNKNOWN\r\n", 15, ""),
	ROW("v1 UNKNOWN with words", "PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", 35, ""),
	ROW("v1 begun", "PROXY TCP4 192.0.2.1", 0, NULL),
	ROW("v1 three bytes", "PRO", 0, NULL),
	ROW("v1 without CR", "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n", -1, NULL),
	ROW("v1 port too large", "PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n", -1, NULL),
	ROW("v1 port with zeros", "PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n", -1, NULL),
	ROW("v1 negative port", "PROXY TCP4 192.0.2.1 192.0.2.2 -1 2\r\n", -1, NULL),
	ROW("v1 families mixed", "PROXY TCP4 2001:db8::1 192.0.2.2 1 2\r\n", -1, NULL),
	ROW("v1 too few words", "PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n", -1, NULL),
	ROW("v1 too many words", "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n", -1, NULL),
	ROW("v1 two blanks", "PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n", -1, NULL),
	ROW("v1 other protocol", "PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n", -1, NULL),
	ROW("v1 nothing", "PROXY \r\n", -1, NULL),
	ROW("v1 endless",
	    "PROXY UNKNOWN "
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	    "aaaaaaaaa",
	    -1, NULL),
	ROW("v2 TCP4", V4, 28, "192.0.2.1"),
	ROW("v2 with TLV", SIG "\x21\x11\0\x12\xc0\0\2\1\xc0\0\2\2\x12\x34\0\x50\2\0\3abc", 34,
	    "192.0.2.1"),
	ROW("v2 LOCAL", SIG "\x20\0\0\0", 16, ""),
	ROW("v2 LOCAL with addresses", SIG "\x20\x11\0\x0c\xc0\0\2\1\xc0\0\2\2\x12\x34\0\x50", 28,
	    ""),
	ROW("v2 begun", SIG "\x21\x11\0", 0, NULL),
	ROW("v2 body begun", SIG "\x21\x11\0\x0c\xc0\0", 0, NULL),
	ROW("v2 addresses cut", SIG "\x21\x11\0\x08\xc0\0\2\1\xc0\0\2\2", -1, NULL),
	ROW("v2 TLV cut", SIG "\x21\x11\0\x10\xc0\0\2\1\xc0\0\2\2\x12\x34\0\x50\2\0\3a", -1, NULL),
	ROW("v2 version 1", SIG "\x11\x11\0\x0c", -1, NULL),
	ROW("v2 unknown command", SIG "\x22\x11\0\x0c", -1, NULL),
	ROW("v2 unknown family", SIG "\x21\x41\0\0", -1, NULL),
	ROW("v2 huge", SIG "\x21\x11\xff\xff", -1, NULL),
	ROW("HTTP", "GET / HTTP/1.1\r\n", -1, NULL),
	ROW("TLS", "\x16\x03\x01", -1, NULL),
};

static void reads_headers(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *r = &rows[i];
		struct proxy_info info;
		struct err err = ERR_INIT;
		char text[64] = "";
		size_t need = 0;
		ssize_t n = proxy_parse(slice_of(r->bytes, r->n), &info, &need, &err);

		if (n < 0 ? r->length != -1 : n != r->length)
			fail_msg("%s: %zd, not %d", r->name, n, r->length);
		if (n < 0)
			assert_has(err.msg, "PROXY protocol");
		if (n == 0)
			assert_true(need > r->n);
		if (n <= 0)
			continue;
		assert_int_equal(need, n);
		sockaddr_text((struct sockaddr *)&info.src, text, sizeof(text));
		assert_string_equal(text, r->src);
		/* No prefix is a header, and none is refused. */
		for (size_t k = 0; k < (size_t)n; k++)
			assert_int_equal(proxy_parse(slice_of(r->bytes, k), &info, &need, &err), 0);
	}
}

static void finds_tlvs(void **state)
{
	static const char bytes[] =
		SIG "\x21\x11\0\x15\xc0\0\2\1\xc0\0\2\2\x12\x34\0\x50\5\0\0\2\0\3abc";
	struct proxy_info info;
	size_t need;

	assert_int_equal(proxy_parse(slice_of(bytes, sizeof(bytes) - 1), &info, &need, NULL), 37);
	assert_true(slice_is(proxy_tlv(&info, 2), "abc"));
	assert_int_equal(proxy_tlv(&info, 5).n, 0);
	assert_non_null(proxy_tlv(&info, 5).p);
	assert_null(proxy_tlv(&info, 9).p);
}

static void writes_what_it_reads(void **state)
{
	static const char *const hosts[] = { "192.0.2.1", "2001:db8::1" };

	for (int version = 1; version <= 2; version++) {
		for (int v6 = 0; v6 < 2; v6++) {
			struct proxy_info in = { .version = version }, out;
			struct sockaddr_in6 *a6 = (void *)&in.src;
			struct sockaddr_in *a4 = (void *)&in.src;
			char bytes[256], text[64];
			size_t n, need;

			in.src.ss_family = v6 ? AF_INET6 : AF_INET;
			assert_int_equal(
				inet_pton(in.src.ss_family, hosts[v6],
					  v6 ? (void *)&a6->sin6_addr : (void *)&a4->sin_addr),
				1);
			a4->sin_port = htons(4711); /* at the same place in both */
			in.dst = in.src;
			n = proxy_write(&in, bytes, sizeof(bytes));
			assert_true(n > 0);
			assert_int_equal(proxy_write(&in, bytes, n - 1), 0);
			n = proxy_write(&in, bytes, sizeof(bytes));
			assert_int_equal(proxy_parse(slice_of(bytes, n), &out, &need, NULL), n);
			sockaddr_text((struct sockaddr *)&out.src, text, sizeof(text));
			assert_string_equal(text, hosts[v6]);
			assert_int_equal(((struct sockaddr_in *)&out.src)->sin_port, htons(4711));
			in.local = true;
			n = proxy_write(&in, bytes, sizeof(bytes));
			assert_int_equal(proxy_parse(slice_of(bytes, n), &out, &need, NULL), n);
			assert_true(out.local);
		}
	}
}

static void knows_networks(void **state)
{
	static const struct {
		const char *net, *host;
		bool in;
	} cases[] = {
		{ "10.0.0.0/8", "10.255.0.1", true },
		{ "10.0.0.0/8", "11.0.0.1", false },
		{ "192.0.2.1", "192.0.2.1", true },
		{ "192.0.2.1", "192.0.2.2", false },
		{ "0.0.0.0/0", "198.51.100.1", true },
		{ "0.0.0.0/0", "::1", false },
		{ "2001:db8::/32", "2001:db8:1::1", true },
		{ "2001:db8::/32", "2001:db9::1", false },
		{ "10.0.0.0/8", "::ffff:10.1.2.3", true },
		{ "172.16.0.0/12", "172.31.255.255", true },
		{ "172.16.0.0/12", "172.32.0.0", false },
		{ "::1", "::1", true },
	};
	static const char *const bad[] = { "",		 "a",		"10.0.0.0/33",
					   "10.0.0.1/8", "::/129",	"10.0.0.0/",
					   "1.2.3",	 "10.0.0.0/-1", "10.0.0.0/8/8" };
	struct cidr c;
	struct err err = ERR_INIT;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct sockaddr_storage sa = { .ss_family = strchr(cases[i].host, ':') ? AF_INET6
										       : AF_INET };
		void *addr = sa.ss_family == AF_INET
				     ? (void *)&((struct sockaddr_in *)&sa)->sin_addr
				     : (void *)&((struct sockaddr_in6 *)&sa)->sin6_addr;

		assert_int_equal(inet_pton(sa.ss_family, cases[i].host, addr), 1);
		assert_int_equal(cidr_parse(slice_str(cases[i].net), &c, &err), 0);
		if (cidr_has(&c, (struct sockaddr *)&sa) != cases[i].in)
			fail_msg("%s in %s", cases[i].host, cases[i].net);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (cidr_parse(slice_str(bad[i]), &c, &err) == 0)
			fail_msg("'%s' is taken for a network", bad[i]);
	}
}

/* ---- a server ---- */

static void say_peer(struct stream *s, void *arg)
{
	stream_replyf(s, 200, NULL, "peer=%s local=%d", stream_peer(s)->addr,
		      stream_peer(s)->local);
}

static const char *ask_bytes(struct env *e, const char *p, size_t n, size_t step)
{
	static struct buf answer;
	int fd = connect_pair(e);
	bool eof;

	buf_fini(&answer);
	answer = BUF_INIT(1 << 20);
	for (size_t i = 0; i < n; i += step) {
		if (send(fd, p + i, MIN(step, n - i), MSG_NOSIGNAL) < 0)
			break; /* closed: it was refused */
		settle(e);
	}
	take(e, fd, &answer, &eof);
	close(fd);
	settle(e);
	return buf_str(&answer);
}

#define GET "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"

static void server_takes_it_from_whom_it_trusts(void **state)
{
	static const char *const trusted[] = { "192.0.2.0/24", "unix" };
	static const char v1[] = "PROXY TCP4 198.51.100.7 192.0.2.2 4711 80\r\n" GET, v2[] = V4 GET,
			  plain[] = GET, local[] = "PROXY UNKNOWN\r\n" GET;
	struct env e = { .conf = { .proxy_trusted = trusted, .proxy_trusted_n = 2 } };

	env_start(&e, say_peer);
	for (size_t step = 1; step < 100; step += 37) {
		assert_has(ask_bytes(&e, v1, sizeof(v1) - 1, step),
			   "peer=198.51.100.7:4711 local=0");
		assert_has(ask_bytes(&e, v2, sizeof(v2) - 1, step), "peer=192.0.2.1:4660 local=0");
		assert_has(ask_bytes(&e, local, sizeof(local) - 1, step), "peer=@ local=1");
		/* Required: a request without it is not answered. */
		assert_string_equal(ask_bytes(&e, plain, sizeof(plain) - 1, step), "");
	}
	env_stop(&e);
}

static void server_does_not_believe_others(void **state)
{
	static const char *const trusted[] = { "192.0.2.0/24" };
	static const char v1[] = "PROXY TCP4 198.51.100.7 192.0.2.2 4711 80\r\n" GET;
	struct env e = { .conf = { .proxy_trusted = trusted, .proxy_trusted_n = 1 } };

	env_start(&e, say_peer);
	assert_has(ask_bytes(&e, v1, sizeof(v1) - 1, 1000), "HTTP/1.1 400");
	env_stop(&e);
}

static void server_refuses_a_wrong_network(void **state)
{
	static const char *const trusted[] = { "10.0.0.1/8" };
	struct http_server_conf conf = { .request = say_peer,
					 .proxy_trusted = trusted,
					 .proxy_trusted_n = 1 };
	struct http_server *srv;
	struct loop *l;
	struct err err = ERR_INIT;

	assert_int_equal(loop_new(&l, &err), 0);
	assert_int_equal(http_server_new(l, &conf, &srv, &err), -ERR_INVALID);
	assert_has(err.msg, "10.0.0.1/8");
	loop_free(l);
}

/* ---- our client sends it ---- */

struct asked {
	struct buf body;
	int why;
};

static void asked_head(struct stream *s)
{
	stream_read(s, STREAM_ALL);
}

static void asked_data(struct stream *s, struct slice bytes)
{
	struct asked *a = stream_arg(s);

	assert_int_equal(buf_add(&a->body, bytes.p, bytes.n), 0);
}

static void asked_closed(struct stream *s, const struct err *why)
{
	struct asked *a = stream_arg(s);

	a->why = why ? (int)why->code : 0;
}

static const struct stream_events asked_events = { .head = asked_head,
						   .data = asked_data,
						   .closed = asked_closed };

/* What the server at address says of a client with that header. */
static void assert_peer(struct env *e, const char *address, const struct proxy_info *info,
			const char *want)
{
	struct http_client_conf conf = { .proxy_header = info };
	struct asked a = { .body = BUF_INIT(4096) };
	struct http_client *cl;
	struct stream *s;
	struct err err = ERR_INIT;

	assert_int_equal(http_client_new(e->loop, address, &conf, &cl, &err), 0);
	for (int i = 0; i < 2; i++) { /* the second one on the kept connection */
		buf_fini(&a.body);
		a.body = BUF_INIT(4096);
		assert_int_equal(http_client_stream(cl, "GET", "/", &s, &err), 0);
		stream_on(s, &asked_events, &a);
		assert_int_equal(http_client_send(s, 0, false, &err), 0);
		settle(e);
		if (want)
			assert_has(buf_str(&a.body), want);
		else
			assert_true(a.body.n == 0 || !strstr(buf_str(&a.body), "peer="));
		stream_unref(s);
	}
	buf_fini(&a.body);
	http_client_free(cl);
}

static struct proxy_info from_v4(int version)
{
	struct proxy_info info = { .version = version };
	struct sockaddr_in *src = (void *)&info.src, *dst = (void *)&info.dst;

	src->sin_family = dst->sin_family = AF_INET;
	assert_int_equal(inet_pton(AF_INET, "198.51.100.9", &src->sin_addr), 1);
	assert_int_equal(inet_pton(AF_INET, "192.0.2.2", &dst->sin_addr), 1);
	src->sin_port = htons(4711);
	dst->sin_port = htons(80);
	return info;
}

static void each_listener_trusts_its_own(void **state)
{
	static const char *const local[] = { "unix" }, *const wrong[] = { "10.0.0.0/99" };
	char dir[] = "/tmp/teu-proxy-XXXXXX", path[2][64], address[2][80], lock[80];
	struct proxy_info v1 = from_v4(1), v2 = from_v4(2), here = { .version = 2, .local = true };
	struct env e = { 0 };
	struct err err = ERR_INIT;

	assert_non_null(mkdtemp(dir));
	env_start(&e, say_peer);
	for (int i = 0; i < 2; i++) {
		snprintf(path[i], sizeof(path[i]), "%s/%d", dir, i);
		snprintf(address[i], sizeof(address[i]), "unix://%s", path[i]);
		assert_int_equal(http_server_listen_unix(e.srv, path[i], 0600, (gid_t)-1, &err), 0);
	}
	assert_int_equal(http_server_set_proxy_trusted(e.srv, 0, local, 1, &err), 0);
	assert_int_equal(http_server_set_proxy_trusted(e.srv, 0, wrong, 1, &err), -ERR_INVALID);
	assert_int_equal(http_server_set_proxy_trusted(e.srv, 2, local, 1, &err), -ERR_NOT_FOUND);
	assert_peer(&e, address[0], &v1, "peer=198.51.100.9:4711 local=0");
	assert_peer(&e, address[0], &v2, "peer=198.51.100.9:4711 local=0");
	assert_peer(&e, address[0], &here, "peer=@ local=1");
	assert_peer(&e, address[1], &v2, NULL); /* not trusted there: no request */
	assert_peer(&e, address[1], NULL, "peer=@ local=1");
	assert_int_equal(http_server_set_proxy_trusted(e.srv, HTTP_ALL_LISTENERS, local, 1, &err),
			 0);
	assert_int_equal(http_server_set_proxy_trusted(e.srv, 0, NULL, 0, &err), 0);
	assert_peer(&e, address[0], NULL, "peer=@ local=1");
	assert_peer(&e, address[1], &v1, "peer=198.51.100.9:4711 local=0");
	env_stop(&e);
	for (int i = 0; i < 2; i++) {
		snprintf(lock, sizeof(lock), "%s.lock", path[i]);
		unlink(path[i]);
		unlink(lock);
	}
	assert_int_equal(rmdir(dir), 0);
}

static void client_refuses_what_cannot_be_said(void **state)
{
	struct proxy_info mixed = from_v4(1);
	struct http_client_conf conf = { .proxy_header = &mixed };
	struct http_client *cl;
	struct err err = ERR_INIT;

	mixed.dst.ss_family = AF_INET6;
	assert_int_equal(http_client_new(NULL, "http://127.0.0.1:1", &conf, &cl, &err),
			 -ERR_INVALID);
	assert_has(err.msg, "two families");
}

static void silent_sender_is_dropped(void **state)
{
	static const char *const trusted[] = { "unix" };
	struct env e = { .conf = { .proxy_trusted = trusted,
				   .proxy_trusted_n = 1,
				   .head_time = 20 * NS_PER_MS } };
	char byte;
	int fd;

	env_start(&e, say_peer);
	fd = connect_pair(&e);
	say(fd, "PROXY TC");
	for (int i = 0; i < 5000 && http_server_get_stats(e.srv).connections > 0; i++)
		loop_step(e.loop, NS_PER_MS, NULL);
	assert_int_equal(recv(fd, &byte, 1, 0), 0);
	close(fd);
	env_stop(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_headers),
		cmocka_unit_test(finds_tlvs),
		cmocka_unit_test(writes_what_it_reads),
		cmocka_unit_test(knows_networks),
		cmocka_unit_test(server_takes_it_from_whom_it_trusts),
		cmocka_unit_test(server_does_not_believe_others),
		cmocka_unit_test(server_refuses_a_wrong_network),
		cmocka_unit_test(silent_sender_is_dropped),
		cmocka_unit_test(each_listener_trusts_its_own),
		cmocka_unit_test(client_refuses_what_cannot_be_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
