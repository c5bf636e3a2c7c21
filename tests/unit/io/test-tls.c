/* SPDX-License-Identifier: Apache-2.0 */
/* The server over TLS: a client of ours in memory, whose bytes a test gives as it likes. */
#include "io-test.h"

#include "crypto/key.h"
#include "crypto/tls-priv.h"
#include "crypto/x509.h"

#include <stdlib.h>

#define H "Host: h\r\n"
#define PING "GET /ping HTTP/1.1\r\n" H "\r\n"
#define HOLD (64u << 20)

/* ---- a client ---- */

struct peer {
	struct env *e;
	int fd;
	struct tls *t;
	struct buf out, in, got; /* ciphertext of both ways, plaintext */
	size_t chunk;		 /* bytes sent at once; 0 = all */
	bool eof;
	struct err err;
};

static struct tls_conf *server_conf, *client_conf;

static char *room(void *arg, size_t n)
{
	struct peer *p = arg;

	return buf_room(&p->out, n) + p->out.n;
}

static void wrote(void *arg, size_t n)
{
	struct peer *p = arg;

	p->out.n += n;
}

static int make_confs(void **state)
{
	int64_t now = clock_real() / NS_PER_SEC;
	struct cert_spec spec = { .names.cn = "a.example",
				  .not_before = now - 86400,
				  .not_after = now + 864000,
				  .ca = true,
				  .path_len = -1 };
	CLEANUP(key_unref) struct key *key = NULL;
	CLEANUP(cert_unref) struct cert *cert = NULL;
	struct err err = ERR_INIT;
	struct tls_identity id = { .chain = &cert, .chain_n = 1 };

	assert_int_equal(key_generate(KEY_P256, 0, &key, &err), 0);
	assert_int_equal(cert_make(&spec, key, NULL, key, &cert, &err), 0);
	id.key = key;
	assert_int_equal(
		tls_conf_new(&(struct tls_options){ .server = true, .ids = &id, .ids_n = 1 },
			     &server_conf, &err),
		0);
	assert_int_equal(
		tls_conf_new(&(struct tls_options){ .insecure = true }, &client_conf, &err), 0);
	return 0;
}

static int drop_confs(void **state)
{
	tls_conf_unref(server_conf);
	tls_conf_unref(client_conf);
	return 0;
}

static void send_some(struct peer *p, size_t n)
{
	ssize_t sent = send(p->fd, p->out.p, n, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (sent < 0 && errno == EAGAIN)
		return;
	if (sent < 0)
		sent = (ssize_t)n; /* it has closed */
	memmove(p->out.p, p->out.p + sent, p->out.n - (size_t)sent);
	p->out.n -= (size_t)sent;
}

/* What came is opened. False when nothing did. */
static bool take_in(struct peer *p)
{
	static char plain[2 * TLS_RECORD_MAX];
	char chunk[65536];
	ssize_t n = recv(p->fd, chunk, sizeof(chunk), MSG_DONTWAIT);
	struct tls_input in;

	if (n == 0)
		p->eof = true;
	if (n <= 0)
		return false;
	assert_int_equal(buf_add(&p->in, chunk, (size_t)n), 0);
	in = (struct tls_input){ p->in.p, p->in.n };
	while ((n = tls_read(p->t, &in, plain, sizeof(plain), &p->err)) > 0)
		assert_int_equal(buf_add(&p->got, plain, (size_t)n), 0);
	memmove(p->in.p, in.p, in.n);
	p->in.n = in.n;
	return true;
}

/* Until both sides are quiet. */
static void pump(struct peer *p)
{
	bool more = true;

	while (more) {
		if (p->out.n > 0)
			send_some(p, p->chunk ? MIN(p->chunk, p->out.n) : p->out.n);
		settle(p->e);
		more = take_in(p) || (p->out.n > 0 && !p->eof);
	}
}

static struct peer dial(struct env *e)
{
	return (struct peer){ .e = e,
			      .fd = connect_pair(e),
			      .out = BUF_INIT(HOLD),
			      .in = BUF_INIT(HOLD),
			      .got = BUF_INIT(HOLD) };
}

static void greet(struct peer *p)
{
	struct tls_sink sink = { room, wrote, p };

	assert_int_equal(tls_new(client_conf, "a.example", 443, &sink, &p->t, &p->err), 0);
	assert_int_equal(tls_start(p->t, &p->err), 0);
	pump(p);
	if (!tls_ready(p->t))
		fail_msg("no handshake: %s", p->err.msg);
}

static void put(struct peer *p, const void *text, size_t n)
{
	struct slice v = slice_of(text, n);

	if (tls_write(p->t, &v, 1, &p->err) < 0)
		fail_msg("%s", p->err.msg);
}

static void put_text(struct peer *p, const char *text)
{
	put(p, text, strlen(text));
}

static void puts_to(struct peer *p, const char *text)
{
	put_text(p, text);
	pump(p);
}

static void hang_up(struct peer *p)
{
	close(p->fd);
	tls_free(p->t);
	buf_fini(&p->out);
	buf_fini(&p->in);
	buf_fini(&p->got);
	settle(p->e);
}

/* ---- the server ---- */

static void on_closed(struct stream *s, const struct err *why)
{
	struct env *e = stream_arg(s);

	e->closed++;
	e->why = why ? (int)why->code : 0;
	(void)snprintf(e->text, sizeof(e->text), "%.200s", why ? why->msg : "");
}

static void on_data(struct stream *s, struct slice bytes)
{
	struct env *e = stream_arg(s);

	buf_add(&e->got, bytes.p, bytes.n);
	stream_read(s, e->credit);
}

static void on_end(struct stream *s)
{
	struct env *e = stream_arg(s);

	e->ended++;
	stream_replyf(s, 200, NULL, "%zu bytes", e->got.n);
}

static void raw_end(struct stream *s)
{
	struct env *e = stream_arg(s);

	e->ended++;
	stream_write(s, " after the end", 14);
	stream_end(s);
}

static void silent_end(struct stream *s)
{
	struct env *e = stream_arg(s);

	e->ended++;
}

static void on_writable(struct stream *s)
{
	struct env *e = stream_arg(s);
	char block[10007];

	while (e->sent < e->credit) {
		for (size_t i = 0; i < sizeof(block); i++)
			block[i] = (char)((e->sent + i) * 2654435761u >> 11);
		e->sent += sizeof(block);
		if (stream_write(s, block, sizeof(block)) != 0)
			return;
	}
	stream_end(s);
}

static const struct stream_events body_events = { .data = on_data,
						  .end = on_end,
						  .closed = on_closed };
static const struct stream_events raw_events = { .data = on_data,
						 .end = raw_end,
						 .closed = on_closed };
static const struct stream_events first_events = { .data = on_data,
						   .end = silent_end,
						   .closed = on_closed };
static const struct stream_events big_events = { .writable = on_writable, .closed = on_closed };

static void take_over(struct stream *s, struct env *e, const struct stream_events *events)
{
	struct err err = ERR_INIT;

	stream_on(s, events, e);
	if (stream_hijack(s, 101, &err) < 0)
		fail_msg("%s", err.msg);
}

static void serve(struct stream *s, void *arg)
{
	struct env *e = arg;
	const char *path = stream_request(s)->path;
	struct err err = ERR_INIT;

	if (strcmp(path, "/ping") == 0) {
		stream_reply(s, 200, "text/plain", "OK", 2);
	} else if (strcmp(path, "/who") == 0) {
		stream_replyf(s, 200, NULL, "%s resumed=%d", stream_peer(s)->tls->cipher,
			      stream_peer(s)->tls->resumed);
	} else if (strcmp(path, "/body") == 0) {
		stream_on(s, &body_events, e);
		stream_read(s, e->credit);
	} else if (strcmp(path, "/raw") == 0) {
		take_over(s, e, &raw_events);
		stream_read(s, e->credit);
	} else if (strcmp(path, "/first") == 0) {
		take_over(s, e, &first_events);
		stream_write(s, "bye", 3);
		stream_end(s);
		stream_read(s, STREAM_ALL);
	} else if (strcmp(path, "/detach") == 0) {
		take_over(s, e, &raw_events);
		if (stream_detach(s, &e->detached, &e->relayed, &err) < 0)
			fail_msg("%s", err.msg);
	} else {
		stream_on(s, &big_events, e);
		stream_start(s, 200, -1);
		on_writable(s);
	}
}

static void begin(struct env *e)
{
	struct err err = ERR_INIT;

	env_start(e, serve);
	e->credit = STREAM_ALL;
	assert_int_equal(http_server_set_tls(e->srv, HTTP_ALL_LISTENERS, server_conf, &err), 0);
}

static size_t open_now(struct env *e)
{
	return http_server_get_stats(e->srv).connections;
}

/* ---- bytes ---- */

static void bytes_may_come_one_by_one(void **state)
{
	struct env e = { 0 };
	struct peer p;

	begin(&e);
	p = dial(&e);
	p.chunk = 1;
	greet(&p);
	puts_to(&p, "GET /ping HTTP/1.1\r\n" H "\r\n");
	assert_has(buf_str(&p.got), "200 OK");
	puts_to(&p, "POST /body HTTP/1.1\r\n" H "Content-Length: 10\r\n\r\n0123456789");
	assert_has(buf_str(&p.got), "10 bytes");
	hang_up(&p);
	env_stop(&e);
}

/* The handler takes seven bytes at a time, so that whole records find no room. */
static void there_may_be_little_room(void **state)
{
	struct env e = { 0 };
	struct peer p;
	size_t n = 300000;
	char *body = malloc(n);

	for (size_t i = 0; i < n; i++)
		body[i] = (char)(i * 2654435761u >> 13);
	begin(&e);
	e.credit = 777;
	p = dial(&e);
	greet(&p);
	puts_to(&p, "POST /body HTTP/1.1\r\n" H "Content-Length: 300000\r\n\r\n");
	put(&p, body, n);
	pump(&p);
	assert_int_equal(e.got.n, n);
	assert_memory_equal(e.got.p, body, n);
	assert_has(buf_str(&p.got), "300000 bytes");
	hang_up(&p);
	env_stop(&e);
	free(body);
}

static void requests_may_come_in_one_flight(void **state)
{
	struct env e = { 0 };
	struct peer p;
	unsigned answers = 0;

	begin(&e);
	p = dial(&e);
	greet(&p);
	for (int i = 0; i < 50; i++)
		put_text(&p, PING);
	pump(&p);
	for (const char *at = buf_str(&p.got); (at = strstr(at, "200 OK")); at++)
		answers++;
	assert_int_equal(answers, 50);
	hang_up(&p);
	env_stop(&e);
}

/* All connections seal in one area: none may find another's bytes in its own. */
static void connections_share_the_scratch(void **state)
{
	enum { N = 24 };
	struct env e = { 0 };
	struct peer p[N];

	begin(&e);
	e.credit = 400000;
	for (int i = 0; i < N; i++) {
		p[i] = dial(&e);
		greet(&p[i]);
	}
	for (int i = 0; i < N; i++) { /* what the socket does not take is held back */
		e.sent = 0;
		put_text(&p[i], "GET /big HTTP/1.0\r\n\r\n");
		send_some(&p[i], p[i].out.n);
		settle(&e);
	}
	for (bool any = true; any;) {
		any = false;
		for (int i = N; i-- > 0;) {
			e.sent = HOLD;
			any |= take_in(&p[i]);
			settle(&e);
		}
	}
	for (int i = 0; i < N; i++) {
		const char *body = strstr(buf_str(&p[i].got), "\r\n\r\n");
		size_t n;

		assert_non_null(body);
		body += 4;
		n = p[i].got.n - (size_t)(body - p[i].got.p);
		assert_true(n > 100000);
		for (size_t k = 0; k < n; k++) {
			if (body[k] != (char)(k * 2654435761u >> 11))
				fail_msg("connection %d, byte %zu", i, k);
		}
		hang_up(&p[i]);
	}
	assert_int_equal(open_now(&e), 0);
	env_stop(&e);
}

/* ---- the end ---- */

static void upgrade(struct peer *p, const char *path)
{
	char text[128];

	(void)snprintf(text, sizeof(text),
		       "POST %s HTTP/1.1\r\n" H "Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n",
		       path);
	greet(p);
	puts_to(p, text);
	assert_has(buf_str(&p->got), "101 ");
}

static void each_side_ends_on_its_own(void **state)
{
	struct env e = { 0 };
	struct peer p;

	begin(&e);
	p = dial(&e);
	upgrade(&p, "/raw");
	puts_to(&p, "to the server");
	assert_string_equal(buf_str(&e.got), "to the server");
	assert_int_equal(e.ended, 0);
	tls_close(p.t);
	pump(&p);
	assert_int_equal(e.ended, 1);
	assert_has(buf_str(&p.got), " after the end");
	assert_true(tls_peer_ended(p.t));
	assert_true(p.eof);
	assert_int_equal(e.why, 0);
	hang_up(&p);
	/* The server first. */
	buf_clear(&e.got);
	p = dial(&e);
	upgrade(&p, "/first");
	assert_has(buf_str(&p.got), "bye");
	assert_true(tls_peer_ended(p.t));
	puts_to(&p, "still here");
	assert_string_equal(buf_str(&e.got), "still here");
	tls_close(p.t);
	pump(&p);
	assert_int_equal(e.ended, 2);
	assert_int_equal(e.why, 0);
	hang_up(&p);
	assert_int_equal(open_now(&e), 0);
	env_stop(&e);
}

static void a_cut_is_no_end(void **state)
{
	struct env e = { 0 };
	struct peer p;

	begin(&e);
	p = dial(&e);
	upgrade(&p, "/raw");
	puts_to(&p, "rm -r /tmp/x");
	assert_int_equal(shutdown(p.fd, SHUT_WR), 0);
	pump(&p);
	assert_int_equal(e.ended, 0);
	assert_int_equal(e.closed, 1);
	assert_int_equal(e.why, ERR_UNAVAILABLE);
	assert_has(e.text, "without saying so");
	hang_up(&p);
	p = dial(&e);
	greet(&p);
	puts_to(&p, "POST /body HTTP/1.1\r\n" H "Content-Length: 10\r\n\r\n01234");
	assert_int_equal(shutdown(p.fd, SHUT_WR), 0);
	pump(&p);
	assert_int_equal(e.ended, 0);
	assert_int_equal(e.closed, 2);
	hang_up(&p);
	assert_int_equal(open_now(&e), 0);
	env_stop(&e);
}

static void a_detached_stream_is_relayed(void **state)
{
	struct env e = { 0 };
	struct peer p;
	char got[64] = "";

	begin(&e);
	p = dial(&e);
	upgrade(&p, "/detach");
	assert_true(e.relayed);
	assert_int_equal(e.closed, 1);
	puts_to(&p, "inwards");
	assert_int_equal(recv(e.detached, got, sizeof(got), MSG_DONTWAIT), 7);
	assert_memory_equal(got, "inwards", 7);
	buf_clear(&p.got);
	assert_int_equal(fd_write_all(e.detached, "outwards", 8), 0);
	pump(&p);
	assert_string_equal(buf_str(&p.got), "outwards");
	tls_close(p.t);
	pump(&p);
	assert_int_equal(recv(e.detached, got, sizeof(got), MSG_DONTWAIT), 0);
	assert_int_equal(fd_write_all(e.detached, ", the rest", 10), 0);
	close(e.detached);
	pump(&p);
	assert_string_equal(buf_str(&p.got), "outwards, the rest");
	assert_true(tls_peer_ended(p.t));
	hang_up(&p);
	assert_int_equal(open_now(&e), 0);
	env_stop(&e);
}

/* The ticket finds nobody. */
static void clients_may_go_at_once(void **state)
{
	struct env e = { 0 };
	struct peer p;

	begin(&e);
	for (int i = 0; i < 20; i++) {
		struct tls_sink sink = { room, wrote, &p };

		p = dial(&e);
		assert_int_equal(tls_new(client_conf, "a.example", 1, &sink, &p.t, &p.err), 0);
		assert_int_equal(tls_start(p.t, &p.err), 0);
		while (!tls_ready(p.t)) {
			send_some(&p, p.out.n);
			settle(&e);
			(void)take_in(&p);
		}
		if (i % 2)
			put_text(&p, PING);
		if (i % 3)
			tls_close(p.t);
		send_some(&p, p.out.n); /* Finished, and no look at what comes */
		hang_up(&p);
		assert_int_equal(open_now(&e), 0);
	}
	env_stop(&e);
}

static void a_second_connection_resumes(void **state)
{
	struct env e = { 0 };
	struct peer p;

	begin(&e);
	for (int i = 0; i < 2; i++) {
		p = dial(&e);
		greet(&p);
		puts_to(&p, "GET /who HTTP/1.1\r\n" H "\r\n");
		assert_has(buf_str(&p.got), i ? "resumed=1" : "resumed=");
		hang_up(&p);
	}
	env_stop(&e);
}

/* ---- keys ---- */

static void keys_change_under_a_request(void **state)
{
	struct env e = { 0 };
	struct peer p;

	begin(&e);
	p = dial(&e);
	greet(&p);
	puts_to(&p, "POST /body HTTP/1.1\r\n" H "Content-Length: 100\r\n\r\n");
	for (int i = 0; i < 10; i++) {
		assert_int_equal(SSL_key_update(p.t->ssl, i % 2 ? SSL_KEY_UPDATE_REQUESTED
								: SSL_KEY_UPDATE_NOT_REQUESTED),
				 1);
		puts_to(&p, "0123456789");
	}
	assert_has(buf_str(&p.got), "100 bytes");
	hang_up(&p);
	env_stop(&e);
}

/* ---- what breaks ---- */

static void a_handshake_ends_in_time(void **state)
{
	struct env e = { .conf.head_time = NS_PER_MS };
	struct peer p;

	begin(&e);
	for (int i = 0; i < 2; i++) {
		p = dial(&e);
		if (i) /* begun, and not gone on with */
			assert_int_equal(send(p.fd, "\x16\x03\x01\x02", 4, MSG_NOSIGNAL), 4);
		for (int k = 0; k < 3000 && open_now(&e) > 0; k++)
			(void)loop_step(e.loop, 10 * NS_PER_MS, NULL);
		assert_int_equal(open_now(&e), 0);
		hang_up(&p);
	}
	env_stop(&e);
}

static void plain_requests_are_told(void **state)
{
	struct env e = { 0 };
	bool eof;

	begin(&e);
	for (int dribble = 0; dribble < 2; dribble++) {
		assert_has(ask(&e, "GET / HTTP/1.1\r\n" H "\r\n", dribble, &eof),
			   "Client sent an HTTP request to an HTTPS server.");
		assert_true(eof);
	}
	assert_has_not(ask(&e, "rubbish of another kind\r\n\r\n", false, &eof), "HTTP");
	assert_true(eof);
	assert_int_equal(open_now(&e), 0);
	env_stop(&e);
}

static void damage_ends_it_and_is_told(void **state)
{
	struct env e = { 0 };
	struct peer p;

	begin(&e);
	for (int i = 0; i < 3; i++) {
		p = dial(&e);
		if (i < 2) {
			greet(&p);
		} else {
			upgrade(&p, "/raw");
		}
		if (i != 1) /* something good before it, in one piece */
			put_text(&p, PING);
		put(&p, "damaged", 7);
		p.out.p[p.out.n - 1] ^= 1;
		pump(&p);
		assert_true(p.eof);
		assert_has(p.err.msg, "a record arrived damaged");
		assert_int_equal(open_now(&e), 0);
		hang_up(&p);
	}
	assert_has(e.text, "a record arrived damaged"); /* the hijacked stream's */
	assert_int_equal(e.ended, 0);
	env_stop(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_may_come_one_by_one),
		cmocka_unit_test(there_may_be_little_room),
		cmocka_unit_test(requests_may_come_in_one_flight),
		cmocka_unit_test(connections_share_the_scratch),
		cmocka_unit_test(each_side_ends_on_its_own),
		cmocka_unit_test(a_cut_is_no_end),
		cmocka_unit_test(a_detached_stream_is_relayed),
		cmocka_unit_test(clients_may_go_at_once),
		cmocka_unit_test(a_second_connection_resumes),
		cmocka_unit_test(keys_change_under_a_request),
		cmocka_unit_test(a_handshake_ends_in_time),
		cmocka_unit_test(plain_requests_are_told),
		cmocka_unit_test(damage_ends_it_and_is_told),
	};

	return cmocka_run_group_tests(tests, make_confs, drop_confs);
}
