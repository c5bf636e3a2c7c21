/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SPDY sessions: what kubectl sent (recorded from kubectl 1.32 by ourselves), a raw peer's right
 * and wrong frames, and our client against our server with real back-pressure.
 */
#include "base/hash.h"
#include "io-test.h"
#include "io/spdy-frame.h"
#include "io/spdy.h"

struct spdy_env {
	struct env e;
	struct spdy_conf conf;
	struct spdy *p; /* the server's */
	int fd;
	bool eof, refuse, keep_credit, greedy;
	struct spdy_zlib zlib; /* the raw peer's */
	char log[4096];	       /* what the server's owner saw */
	char seen[4096];       /* what the raw peer got */
	struct buf in;
	struct stream *last; /* stream opened last; referenced */
	int closed, goaway, stream_closed;
	enum err_code why;
	char why_text[256];
};

static void note(struct spdy_env *t, const char *fmt, ...) PRINTF(2, 3);
static void note(struct spdy_env *t, const char *fmt, ...)
{
	size_t at = strlen(t->log);
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(t->log + at, sizeof(t->log) - at, fmt, ap);
	va_end(ap);
}

/* ---- the server's owner: echoes, and notes ---- */

static void s_data(struct stream *s, struct slice bytes)
{
	struct spdy_env *t = stream_arg(s);

	note(t, "%.*s ", (int)MIN(bytes.n, (size_t)40), bytes.p);
	(void)stream_write(s, bytes.p, bytes.n);
	stream_read(s, bytes.n);
}

static void s_end(struct stream *s)
{
	note(stream_arg(s), "end ");
	(void)stream_end(s);
}

static void s_closed(struct stream *s, const struct err *why)
{
	struct spdy_env *t = stream_arg(s);

	t->stream_closed++;
	note(t, why ? "broken " : "closed ");
}

static const struct stream_events stream_events = { .data = s_data,
						    .end = s_end,
						    .closed = s_closed };

static int on_stream(struct spdy *p, struct stream *s)
{
	struct spdy_env *t = spdy_arg(p);
	struct slice type = stream_header(s, "streamType"), port = stream_header(s, "port");

	note(t, "[%.*s%s%.*s] ", (int)type.n, type.p ? type.p : "", port.n ? ":" : "", (int)port.n,
	     port.p ? port.p : "");
	if (t->refuse)
		return -1;
	stream_unref(t->last);
	t->last = stream_ref(s);
	stream_on(s, &stream_events, t);
	if (!t->keep_credit)
		stream_read(s, t->greedy ? STREAM_ALL : 1000);
	return 0;
}

static void on_goaway(struct spdy *p)
{
	((struct spdy_env *)spdy_arg(p))->goaway++;
}

static void on_closed(struct spdy *p, const struct err *why)
{
	struct spdy_env *t = spdy_arg(p);

	t->closed++;
	t->p = NULL;
	t->why = why ? why->code : ERR_NONE;
	if (why)
		(void)str_copy(t->why_text, sizeof(t->why_text), why->msg);
}

static const struct spdy_events events = { .stream = on_stream,
					   .goaway = on_goaway,
					   .closed = on_closed };

static void serve(struct stream *s, void *arg)
{
	struct spdy_env *t = CONTAINER_OF((struct env *)arg, struct spdy_env, e);
	struct err err = ERR_INIT;

	(void)stream_set_header(s, "X-Stream-Protocol-Version", "v4.channel.k8s.io");
	if (spdy_accept(s, &t->conf, &events, t, &t->p, &err) < 0)
		t->p = NULL;
}

/* ---- the raw peer ---- */

static void spin(struct spdy_env *t)
{
	while (loop_step(t->e.loop, 0, NULL) == 1)
		;
}

static void raw(struct spdy_env *t, const char *p, size_t n)
{
	size_t at = 0;

	while (at < n) {
		ssize_t r = send(t->fd, p + at, n - at, MSG_NOSIGNAL);

		if (r < 0 && (errno == EPIPE || errno == ECONNRESET))
			return;
		if (r > 0)
			at += (size_t)r;
		spin(t);
	}
}

static void raw_hex(struct spdy_env *t, const char *hex)
{
	char b[1024];

	assert_true(strlen(hex) / 2 <= sizeof(b));
	assert_int_equal(hex_decode(b, slice_str(hex)), 0);
	raw(t, b, strlen(hex) / 2);
}

static void frame(struct spdy_env *t, enum spdy_type type, unsigned flags, const char *p, size_t n)
{
	char b[SPDY_HEAD];

	spdy_control_put(b, type, flags, n);
	raw(t, b, sizeof(b));
	raw(t, p, n);
}

static void frame2(struct spdy_env *t, enum spdy_type type, uint32_t a, uint32_t v)
{
	char b[8];

	spdy_put_u32(b, a);
	spdy_put_u32(b + 4, v);
	frame(t, type, 0, b, 8);
}

static void syn(struct spdy_env *t, uint32_t id, const char *type, unsigned flags)
{
	const struct http_header h = { SLICE("streamtype"), slice_str(type) };
	CLEANUP(buf_fini) struct buf b = BUF_INIT(65536);

	assert_int_equal(buf_add(&b, "\0\0\0\0\0\0\0\0\0\0", 10), 0);
	spdy_put_u32(b.p, id);
	assert_int_equal(spdy_headers_put(&t->zlib, &h, 1, &b, NULL), 0);
	frame(t, SPDY_SYN_STREAM, flags, b.p, b.n);
}

static void data(struct spdy_env *t, uint32_t id, const char *text, unsigned flags)
{
	char b[SPDY_HEAD];

	spdy_data_put(b, id, flags, strlen(text));
	raw(t, b, sizeof(b));
	raw(t, text, strlen(text));
}

static void see(struct spdy_env *t, const struct spdy_head *h, const char *p)
{
	size_t at = strlen(t->seen), room = sizeof(t->seen) - at;
	char *d = t->seen + at;

	switch ((int)h->type) {
	case SPDY_DATA:
		if (h->length > 60)
			(void)snprintf(d, room, "D%u[%u] ", h->id, h->length);
		else if (h->length)
			(void)snprintf(d, room, "D%u(%.*s) ", h->id, (int)h->length, p);
		if (h->flags & SPDY_FIN)
			(void)snprintf(t->seen + strlen(t->seen), 20, "F%u ", h->id);
		break;
	case SPDY_SYN_REPLY: (void)snprintf(d, room, "R%u ", spdy_u32(p)); break;
	case SPDY_RST_STREAM:
		(void)snprintf(d, room, "RST%u(%u) ", spdy_u32(p), spdy_u32(p + 4));
		break;
	case SPDY_PING: (void)snprintf(d, room, "PING%u ", spdy_u32(p)); break;
	case SPDY_GOAWAY:
		(void)snprintf(d, room, "AWAY%u(%u) ", spdy_u32(p), spdy_u32(p + 4));
		break;
	case SPDY_WINDOW_UPDATE:
		(void)snprintf(d, room, "W%u(%u) ", spdy_u32(p), spdy_u32(p + 4));
		break;
	default: (void)snprintf(d, room, "?%d ", (int)h->type); break;
	}
}

static const char *look(struct spdy_env *t)
{
	struct spdy_head h;
	char chunk[65536];
	ssize_t n;

	do {
		spin(t);
		n = recv(t->fd, chunk, sizeof(chunk), 0);
		if (n > 0)
			assert_int_equal(buf_add(&t->in, chunk, (size_t)n), 0);
	} while (n > 0);
	t->eof = n == 0;
	while (t->in.n >= SPDY_HEAD && spdy_head_parse(&h, t->in.p) == 0 &&
	       t->in.n >= SPDY_HEAD + h.length) {
		see(t, &h, t->in.p + SPDY_HEAD);
		buf_consume(&t->in, SPDY_HEAD + h.length);
	}
	return t->seen;
}

static void start(struct spdy_env *t)
{
	struct err err = ERR_INIT;

	t->in = BUF_INIT(64u << 20);
	env_start(&t->e, serve);
	t->fd = connect_pair(&t->e);
	say(t->fd, "POST /exec HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: "
		   "SPDY/3.1\r\nContent-Length: 0\r\n\r\n");
	(void)look(t);
	assert_has(buf_str(&t->in), "HTTP/1.1 101 ");
	assert_has(buf_str(&t->in), "Upgrade: SPDY/3.1\r\n");
	assert_has(buf_str(&t->in), "X-Stream-Protocol-Version: v4.channel.k8s.io\r\n");
	buf_clear(&t->in);
	assert_int_equal(spdy_zlib_init(&t->zlib, &err), 0);
}

static void stop(struct spdy_env *t)
{
	close(t->fd);
	spin(t);
	if (t->p)
		spdy_abort(t->p, NULL);
	spin(t);
	assert_int_equal(t->closed, 1);
	stream_unref(t->last);
	spdy_zlib_fini(&t->zlib);
	env_stop(&t->e);
	buf_fini(&t->in);
}

/* ---- kubectl ---- */

/* kubectl exec -i p -- cat, with "hello" on its stdin */
static const char kubectl_exec[] = "80030001000000290000000100000000000078f9e3c6a7c26260606004a7b39"
				   "2a2d4c45c6851c29a0a0a68000000"
				   "00ffff800300010000001700000003000000000000c22e555c9292990700000"
				   "0ffff80030001000000190000000500"
				   "0000000000c22ac5565c92925f5a02000000ffff80030001000000150000000"
				   "7000000000000c229975a5404000000"
				   "ffff000000030000000668656c6c6f0a0000000301000000";
/* kubectl port-forward p :80, "ping" sent by one connection, then interrupted */
static const char kubectl_forward[] = "800300010000003d0000000100000000000078f9e3c6a7c202253a48f95b"
				      "044aab4c16060c0c0c9c4590d8ca04a562"
				      "4603703a2c294a4dcc851635aca9a08800000000ffff0000000101000000"
				      "8003000100000016000000030000000000"
				      "00224b2ba8944a04000000ffff000000030000000570696e670a00000003"
				      "0100000080030007000000080000000000"
				      "000000";

static void the_streams_of_kubectl_exec_open_and_carry(void **state)
{
	struct spdy_env t = { 0 };

	start(&t);
	raw_hex(&t, kubectl_exec);
	assert_string_equal(look(&t), "R1 R3 R5 R7 D3(hello\n) F3 ");
	assert_string_equal(t.log, "[error] [stdin] [stdout] [stderr] hello\n end closed ");
	assert_int_equal(spdy_streams(t.p), 3);
	stop(&t);
}

static void the_same_byte_by_byte(void **state)
{
	struct spdy_env t = { 0 };
	char b[1024];

	start(&t);
	assert_int_equal(hex_decode(b, slice_str(kubectl_exec)), 0);
	for (size_t i = 0; i < strlen(kubectl_exec) / 2; i++)
		raw(&t, b + i, 1);
	assert_string_equal(look(&t), "R1 R3 R5 R7 D3(h) D3(e) D3(l) D3(l) D3(o) D3(\n) F3 ");
	assert_has(t.log, "[error] [stdin] [stdout] [stderr] h e l l o \n end closed ");
	stop(&t);
}

static void kubectl_port_forward_goes_away_in_good_order(void **state)
{
	struct spdy_env t = { 0 };

	start(&t);
	raw_hex(&t, kubectl_forward);
	assert_string_equal(look(&t), "R1 F1 R3 D3(ping\n) F3 ");
	assert_has(t.log, "[error:80] end");
	assert_has(t.log, "[data:80] ping");
	assert_int_equal(t.goaway, 1);
	assert_true(t.eof); /* nothing is left to do */
	close(t.fd);
	spin(&t);
	assert_int_equal(t.closed, 1);
	assert_int_equal(t.why, ERR_NONE);
	t.fd = -1;
	stop(&t);
}

/* ---- frames, right and wrong ---- */

static void pings_come_back(void **state)
{
	struct spdy_env t = { 0 };

	start(&t);
	frame(&t, SPDY_PING, 0, "\0\0\0\x07", 4);
	frame(&t, SPDY_PING, 0, "\0\0\0\x02", 4); /* as if it answered one of ours: nothing */
	assert_string_equal(look(&t), "PING7 ");
	stop(&t);
}

static void a_refused_stream_and_one_too_many_are_reset(void **state)
{
	struct spdy_env t = { .refuse = true, .conf = { .streams_max = 1 } };

	start(&t);
	syn(&t, 1, "a", 0);
	assert_string_equal(look(&t), "R1 RST1(3) ");
	t.refuse = false;
	syn(&t, 3, "b", 0);
	syn(&t, 5, "c", 0);
	assert_string_equal(look(&t), "R1 RST1(3) R3 RST5(3) ");
	data(&t, 3, "still", 0);
	assert_has(look(&t), "D3(still)");
	stop(&t);
}

static void a_reset_of_the_peer_closes_the_stream(void **state)
{
	struct spdy_env t = { 0 };

	start(&t);
	syn(&t, 1, "a", 0);
	frame2(&t, SPDY_RST_STREAM, 1, SPDY_CANCEL);
	data(&t, 1, "late", 0);	 /* no word about it */
	data(&t, 9, "never", 0); /* that never was */
	frame2(&t, SPDY_RST_STREAM, 77, SPDY_CANCEL);
	assert_string_equal(look(&t), "R1 RST9(2) ");
	assert_string_equal(t.log, "[a] broken ");
	assert_int_equal(stream_write(t.last, "x", 1), -ERR_UNAVAILABLE);
	stop(&t);
}

static void our_reset_and_finish(void **state)
{
	struct spdy_env t = { 0 };

	start(&t);
	syn(&t, 1, "a", 0);
	stream_reset(t.last, NULL);
	syn(&t, 3, "b", 0);
	(void)stream_write(t.last, "bye", 3);
	(void)stream_finish(t.last);
	assert_string_equal(look(&t), "R1 RST1(5) R3 D3(bye) F3 RST3(5) ");
	assert_int_equal(spdy_streams(t.p), 0);
	stop(&t);
}

static void flags_of_syn_stream(void **state)
{
	struct spdy_env t = { 0 };

	start(&t);
	syn(&t, 1, "only in", SPDY_UNIDIRECTIONAL);
	data(&t, 1, "x", SPDY_FIN);
	syn(&t, 3, "only out", SPDY_FIN);
	assert_string_equal(look(&t), "R1 R3 F3 ");
	assert_string_equal(t.log, "[only in] x end closed [only out] end closed ");
	stop(&t);
}

static void more_headers_are_read_for_the_zlib_stream(void **state)
{
	const struct http_header h = { SLICE("more"), SLICE("text") };
	CLEANUP(buf_fini) struct buf b = BUF_INIT(65536);
	struct spdy_env t = { 0 };

	start(&t);
	syn(&t, 1, "a", 0);
	for (uint32_t id = 1; id <= 5; id += 4) { /* open, and unknown */
		buf_clear(&b);
		assert_int_equal(buf_add(&b, "\0\0\0\0", 4), 0);
		spdy_put_u32(b.p, id);
		assert_int_equal(spdy_headers_put(&t.zlib, &h, 1, &b, NULL), 0);
		frame(&t, SPDY_HEADERS, 0, b.p, b.n);
	}
	syn(&t, 7, "b", 0);
	assert_string_equal(t.log, "[a] [b] ");
	stop(&t);
}

static void wrong_frames_end_the_session(void **state)
{
	static const struct {
		const char *hex, *says;
	} rows[] = {
		{ "8002000100000000", "another version" },
		{ "8003000000000000", "another version" },
		{ "4854545020474554", NULL }, /* reads as data of a stream that never was */
		{ "0000000000000000", "stream 0" },
		{ "80030001000000040000000100", "wrong number" },
		{ "800300010000000a00000002000000000000", "wrong number" },
		{ "800300010000000a00000000000000000000", "wrong number" },
		{ "80030001000000100000000100000000000041414141 4141", "zlib stream" },
		{ "800300060000000500000000 00", "wrong length" },
		{ "8003000300000004 00000001", "wrong length" },
		{ "8003000400000005 0000000100", "SETTINGS" },
		{ "8003000400000004 00000001", "SETTINGS" },
		{ "8003000800000002 0000", "too short" },
		{ "80030001 00ffffff", "too large" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct spdy_env t = { 0 };
		char hex[128] = "";

		for (const char *p = rows[i].hex; *p; p++) {
			if (*p != ' ')
				strncat(hex, p, 1);
		}
		start(&t);
		raw_hex(&t, hex);
		(void)look(&t);
		if (rows[i].says) {
			assert_has(t.seen, "AWAY");
			assert_true(t.eof);
		}
		close(t.fd);
		t.fd = -1;
		spin(&t);
		if (rows[i].says)
			assert_has(t.why_text, rows[i].says);
		stop(&t);
	}
}

static void unknown_control_frames_are_skipped(void **state)
{
	struct spdy_env t = { 0 };

	start(&t);
	frame(&t, (enum spdy_type)10, 0, "whatever", 8);
	frame(&t, (enum spdy_type)999, 0, "", 0);
	frame(&t, SPDY_PING, 0, "\0\0\0\x01", 4);
	assert_string_equal(look(&t), "PING1 ");
	stop(&t);
}

static void streams_that_run_are_closed_with_the_connection(void **state)
{
	struct spdy_env t = { 0 };

	start(&t);
	syn(&t, 1, "a", 0);
	syn(&t, 3, "b", 0);
	stop(&t);
	assert_int_equal(t.stream_closed, 2);
	assert_string_equal(t.log, "[a] [b] broken broken ");
	assert_int_equal(t.why, ERR_UNAVAILABLE);
}

static void close_waits_for_what_runs(void **state)
{
	struct spdy_env t = { 0 };

	start(&t);
	syn(&t, 1, "a", 0);
	spdy_close(t.p);
	assert_string_equal(look(&t), "R1 AWAY1(0) ");
	assert_false(t.eof);
	data(&t, 1, "rest", SPDY_FIN);
	syn(&t, 3, "too late", 0);
	assert_string_equal(look(&t), "R1 AWAY1(0) D1(rest) F1 ");
	assert_true(t.eof);
	stop(&t);
	assert_int_equal(t.why, ERR_NONE);
}

/* ---- credit ---- */

static void without_credit_a_bounded_part_is_held(void **state)
{
	struct spdy_env t = { .keep_credit = true, .conf = { .hold_max = 100000 } };
	static char big[8192];
	size_t total = 0;

	memset(big, 'x', sizeof(big) - 1);
	start(&t);
	syn(&t, 1, "a", 0);
	for (int i = 0; i < 2000; i++) {
		char b[SPDY_HEAD + sizeof(big)];
		ssize_t r;

		spdy_data_put(b, 1, 0, sizeof(big));
		memcpy(b + SPDY_HEAD, big, sizeof(big));
		r = send(t.fd, b, sizeof(b), MSG_NOSIGNAL);
		spin(&t);
		if (r < 0)
			break;
		total += (size_t)r;
	}
	assert_int_equal(errno, EAGAIN);
	assert_true(total < 4u << 20);
	assert_string_equal(t.log, "[a] ");
	stream_read(t.last, 3);
	spin(&t);
	assert_has(t.log, "[a] xxx xxx xxx "); /* each piece grants the next */
	stop(&t);
}

static void windows_are_kept_and_given(void **state)
{
	struct spdy_env t = { .conf = { .windows = true }, .greedy = true };
	static char big[70001];

	memset(big, 'w', sizeof(big) - 1);
	start(&t);
	syn(&t, 1, "a", 0);
	/* Half of a window that was used up is given back, for the stream and for the session. */
	big[40000] = '\0';
	data(&t, 1, big, 0);
	(void)look(&t);
	assert_has(t.seen, "W0(");
	assert_has(t.seen, "W1(");
	big[40000] = 'w';
	/* The echo of it went out; the rest of the window is 65536 - 40000. */
	data(&t, 1, big + 40000, 0);
	t.seen[0] = '\0';
	(void)look(&t);
	assert_int_equal(stream_write(t.last, big, 60000) >= 0, 1);
	t.seen[0] = '\0';
	(void)look(&t);
	assert_string_equal(t.seen, "");
	frame2(&t, SPDY_WINDOW_UPDATE, 0, 100);
	frame2(&t, SPDY_WINDOW_UPDATE, 1, 70);
	assert_string_equal(look(&t), "D1[70] ");
	frame2(&t, SPDY_WINDOW_UPDATE, 1, INT32_MAX);
	frame2(&t, SPDY_WINDOW_UPDATE, 1, INT32_MAX);
	assert_has(look(&t), "RST1(7)");
	stop(&t);
}

static void a_window_overrun_resets_the_stream(void **state)
{
	struct spdy_env t = { .conf = { .windows = true }, .keep_credit = true };
	static char big[66001];

	memset(big, 'w', sizeof(big) - 1);
	start(&t);
	syn(&t, 1, "a", 0);
	data(&t, 1, big, 0);
	assert_has(look(&t), "RST1(7)");
	stop(&t);
}

/* ---- ours against ours ---- */

struct pair {
	struct spdy_env t;
	struct http_client *c;
	struct spdy *p;
	char path[64];
	int opened, closed;
	char why_text[256];
	struct stream *v[20];
	size_t got, sent, want, ended, bad;
};

static void c_opened(struct spdy *p)
{
	((struct pair *)spdy_arg(p))->opened++;
}

static void c_closed(struct spdy *p, const struct err *why)
{
	struct pair *k = spdy_arg(p);

	k->closed++;
	k->p = NULL;
	if (why)
		(void)str_copy(k->why_text, sizeof(k->why_text), why->msg);
}

static const struct spdy_events c_events = { .opened = c_opened, .closed = c_closed };

static void serve_echo(struct stream *s, void *arg);

static void serve_pair(struct stream *s, void *arg)
{
	const char *path = stream_request(s)->path;

	if (strcmp(path, "/no") == 0)
		(void)stream_reply(s, 404, NULL, "", 0);
	else if (strcmp(path, "/echo") == 0)
		serve_echo(s, arg);
	else
		serve(s, arg);
}

static void pair_start(struct pair *k, bool windows, const char *target)
{
	const struct spdy_connect to = { .target = target };
	struct err err = ERR_INIT;
	char address[100];

	k->t.conf.windows = windows;
	(void)snprintf(k->path, sizeof(k->path), "/tmp/teu-spdy-%d", (int)getpid());
	(void)snprintf(address, sizeof(address), "unix://%s", k->path);
	env_start(&k->t.e, serve_pair);
	assert_int_equal(http_server_listen_unix(k->t.e.srv, k->path, 0600, (gid_t)-1, &err), 0);
	assert_int_equal(http_client_new(k->t.e.loop, address, NULL, &k->c, &err), 0);
	assert_int_equal(spdy_connect(k->c, &to, &k->t.conf, &c_events, k, &k->p, &err), 0);
	assert_int_equal(spdy_open(k->p, NULL, 0, false, NULL, NULL, &k->v[0], &err),
			 -ERR_UNAVAILABLE);
	for (int i = 0; i < 2000 && !k->opened && !k->closed; i++)
		(void)loop_step(k->t.e.loop, 10 * NS_PER_MS, NULL);
}

static void pair_stop(struct pair *k)
{
	http_client_free(k->c);
	stream_unref(k->t.last);
	env_stop(&k->t.e);
	assert_int_equal(k->closed, 1);
	assert_int_equal(k->t.closed, k->opened);
}

#define TOTAL 400000u

static void e_send(struct stream *s)
{
	struct pair *k = stream_arg(s);
	size_t *sent = &k->sent;
	char b[3000];
	int r = 0;

	memset(b, 'e', sizeof(b));
	while (r == 0 && *sent < k->want) {
		size_t n = MIN(sizeof(b), k->want - *sent);

		r = stream_write(s, b, n);
		if (r >= 0)
			*sent += n;
	}
	if (*sent == k->want && r >= 0)
		(void)stream_end(s);
}

static void e_data(struct stream *s, struct slice bytes)
{
	struct pair *k = stream_arg(s);

	for (size_t i = 0; i < bytes.n; i++)
		k->bad += bytes.p[i] != 'e';
	k->got += bytes.n;
	stream_read(s, bytes.n);
}

static void e_end(struct stream *s)
{
	((struct pair *)stream_arg(s))->ended++;
}

static const struct stream_events e_events = { .data = e_data, .end = e_end, .writable = e_send };

/* The server's echo drops what its queue does not take, so the reader is kept ahead. */
static void echo_data(struct stream *s, struct slice bytes)
{
	if (stream_write(s, bytes.p, bytes.n) == 0)
		stream_read(s, bytes.n);
}

static void echo_writable(struct stream *s)
{
	stream_read(s, 3000);
}

static const struct stream_events echo_events = { .data = echo_data,
						  .writable = echo_writable,
						  .end = s_end };

static int take_echo(struct spdy *p, struct stream *s)
{
	stream_on(s, &echo_events, spdy_arg(p));
	stream_read(s, 3000);
	return 0;
}

static const struct spdy_events echo_session = { .stream = take_echo, .closed = on_closed };

static void serve_echo(struct stream *s, void *arg)
{
	struct spdy_env *t = CONTAINER_OF((struct env *)arg, struct spdy_env, e);
	struct err err = ERR_INIT;

	assert_int_equal(spdy_accept(s, &t->conf, &echo_session, t, &t->p, &err), 0);
}

static void much_goes_through_and_comes_back(bool windows)
{
	const struct http_header h = { SLICE("streamType"), SLICE("data") };
	struct pair k = { .want = TOTAL, .t.conf = { .queue_mark = 20000, .hold_max = 30000 } };
	struct err err = ERR_INIT;

	k.t.e.conf.queue_mark = 30000;
	k.t.conf.windows = windows;
	pair_start(&k, windows, "/echo");
	assert_int_equal(k.opened, 1);
	assert_int_equal(spdy_open(k.p, &h, 1, false, &e_events, &k, &k.v[0], &err), 0);
	stream_read(k.v[0], 5000);
	e_send(k.v[0]);
	for (int i = 0; i < 100000 && !k.ended; i++)
		(void)loop_step(k.t.e.loop, 10 * NS_PER_MS, NULL);
	assert_int_equal(k.got, TOTAL);
	assert_int_equal(k.bad, 0);
	assert_int_equal(k.ended, 1);
	stream_unref(k.v[0]);
	spdy_close(k.p);
	for (int i = 0; i < 2000 && (!k.closed || !k.t.closed); i++)
		(void)loop_step(k.t.e.loop, 10 * NS_PER_MS, NULL);
	assert_string_equal(k.why_text, "");
	pair_stop(&k);
}

static void much_goes_through_by_the_connection_alone(void **state)
{
	much_goes_through_and_comes_back(false);
}

static void much_goes_through_by_windows(void **state)
{
	much_goes_through_and_comes_back(true);
}

static void an_answer_that_is_no_upgrade_is_told(void **state)
{
	struct pair k = { 0 };

	pair_start(&k, false, "/no");
	assert_int_equal(k.opened, 0);
	assert_has(k.why_text, "status 404");
	pair_stop(&k);
}

static void an_abort_is_seen_on_both_sides(void **state)
{
	struct pair k = { 0 };

	pair_start(&k, false, "/");
	spdy_abort(k.p, NULL);
	assert_int_equal(k.closed, 1);
	for (int i = 0; i < 2000 && !k.t.closed; i++)
		(void)loop_step(k.t.e.loop, 10 * NS_PER_MS, NULL);
	pair_stop(&k);
}

static void a_silent_peer_is_pinged_and_cut_off(void **state)
{
	struct spdy_env t = { .conf = { .ping_time = NS_PER_MS, .pong_time = NS_PER_MS } };

	start(&t);
	for (int i = 0; i < 1000 && !t.closed; i++)
		(void)loop_step(t.e.loop, 10 * NS_PER_MS, NULL);
	assert_has(look(&t), "PING2 ");
	assert_int_equal(t.why, ERR_TIMEOUT);
	stop(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_streams_of_kubectl_exec_open_and_carry),
		cmocka_unit_test(the_same_byte_by_byte),
		cmocka_unit_test(kubectl_port_forward_goes_away_in_good_order),
		cmocka_unit_test(pings_come_back),
		cmocka_unit_test(a_refused_stream_and_one_too_many_are_reset),
		cmocka_unit_test(a_reset_of_the_peer_closes_the_stream),
		cmocka_unit_test(our_reset_and_finish),
		cmocka_unit_test(flags_of_syn_stream),
		cmocka_unit_test(more_headers_are_read_for_the_zlib_stream),
		cmocka_unit_test(wrong_frames_end_the_session),
		cmocka_unit_test(unknown_control_frames_are_skipped),
		cmocka_unit_test(streams_that_run_are_closed_with_the_connection),
		cmocka_unit_test(close_waits_for_what_runs),
		cmocka_unit_test(without_credit_a_bounded_part_is_held),
		cmocka_unit_test(windows_are_kept_and_given),
		cmocka_unit_test(a_window_overrun_resets_the_stream),
		cmocka_unit_test(much_goes_through_by_the_connection_alone),
		cmocka_unit_test(much_goes_through_by_windows),
		cmocka_unit_test(an_answer_that_is_no_upgrade_is_told),
		cmocka_unit_test(an_abort_is_seen_on_both_sides),
		cmocka_unit_test(a_silent_peer_is_pinged_and_cut_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
