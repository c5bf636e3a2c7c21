/* SPDX-License-Identifier: Apache-2.0 */
/* Kubernetes' channels: which sub-protocol, what goes where, ends, credit; bytes and base64. */
#include "io/ws-channels.h"
#include "ws-test.h"

struct chan_env {
	struct ws_env t; /* env, fd, in, seen */
	struct channels_conf conf;
	struct channels *c;
	struct stream *v[5]; /* referenced */
	char log[1024];
	bool no_credit;
	size_t drip; /* granted again with each piece */
	int closed;
	enum err_code why;
	const char *protocol;
};

static void note(struct stream *s, const char *what, struct slice bytes)
{
	struct chan_env *k = stream_arg(s);
	size_t at = strlen(k->log);
	unsigned i = 0;

	while (k->v[i] != s)
		i++;
	(void)snprintf(k->log + at, sizeof(k->log) - at, "%u:%s%.*s ", i, what, (int)bytes.n,
		       bytes.p);
}

static void c_data(struct stream *s, struct slice bytes)
{
	note(s, "", bytes);
	stream_read(s, ((struct chan_env *)stream_arg(s))->drip);
}

static void c_end(struct stream *s)
{
	note(s, "END", SLICE(""));
}

static void c_closed(struct stream *s, const struct err *why)
{
	note(s, why ? "BROKEN" : "CLOSED", SLICE(""));
}

static const struct stream_events events = { .data = c_data, .end = c_end, .closed = c_closed };

static void all_closed(struct channels *c, const struct err *why)
{
	struct chan_env *k = channels_arg(c);

	k->closed++;
	k->c = NULL;
	k->why = why ? why->code : ERR_NONE;
}

static const struct channels_events set_events = { .closed = all_closed };

static void request(struct stream *s, void *arg)
{
	struct chan_env *k = CONTAINER_OF((struct env *)arg, struct chan_env, t.e);
	struct err err = ERR_INIT;

	if (channels_accept(s, &k->conf, &set_events, k, &k->c, &err) < 0)
		return;
	for (unsigned i = 0; i < k->conf.n; i++) {
		k->v[i] = stream_ref(channels_stream(k->c, i));
		stream_on(k->v[i], &events, k);
		if (!k->no_credit)
			stream_read(k->v[i], STREAM_ALL);
	}
	assert_null(channels_stream(k->c, k->conf.n));
}

static void start(struct chan_env *k, const char *protocol)
{
	char line[200] = "";
	char *end;

	if (!k->conf.n)
		k->conf.n = 5;
	k->t.in = BUF_INIT(16u << 20);
	env_start(&k->t.e, request);
	k->t.fd = connect_pair(&k->t.e);
	if (protocol)
		(void)snprintf(line, sizeof(line), "Sec-WebSocket-Protocol: %s\r\n", protocol);
	say(k->t.fd, WS_ASK);
	say(k->t.fd, line);
	say(k->t.fd, "\r\n");
	ws_take(&k->t);
	assert_has(buf_str(&k->t.in), "HTTP/1.1 101 ");
	end = strstr(k->t.in.p, "\r\n\r\n");
	buf_consume(&k->t.in, (size_t)(end + 4 - k->t.in.p));
}

static void stop(struct chan_env *k)
{
	close(k->t.fd);
	ws_spin(&k->t);
	assert_int_equal(k->closed, 1);
	for (unsigned i = 0; i < k->conf.n; i++)
		stream_unref(k->v[i]);
	ws_stop(&k->t);
}

static void bytes_go_where_their_first_byte_says(void **state)
{
	struct chan_env k = { .conf = { .greet = CHANNEL_STDOUT } };

	start(&k, "v4.channel.k8s.io");
	assert_string_equal(channels_protocol(k.c), "v4.channel.k8s.io");
	ws_script(&k.t, "B<00 68 69> B<04 7b 7d> B<09 78> B<00> B() T<00 74 65 78 74>");
	assert_string_equal(ws_look(&k.t), "B(\x01)");
	assert_string_equal(k.log, "0:hi 4:{} 0:text ");
	assert_int_equal(stream_write(k.v[1], "out", 3), 0);
	assert_int_equal(stream_write(k.v[2], "err", 3), 0);
	assert_string_equal(ws_look(&k.t), "B(\x01) B(\x01out) B(\x02"
					   "err)");
	stop(&k);
}

static void v5_ends_one_channel(void **state)
{
	struct chan_env k = { .conf = { .greet = -1 } };

	start(&k, "v5.channel.k8s.io, v4.channel.k8s.io");
	ws_script(&k.t, "B<00 68 69> B<ff 00> B<00 6c 61 74 65> B<ff 77> B<ff>");
	assert_string_equal(k.log, "0:hi 0:END ");
	assert_int_equal(stream_write(k.v[1], "still", 5), 0);
	(void)stream_finish(k.v[0]);
	ws_spin(&k.t);
	assert_string_equal(k.log, "0:hi 0:END 0:CLOSED ");
	assert_string_equal(ws_look(&k.t), "B(\x01still)");
	stop(&k);
}

static void v4_has_no_end_of_one_channel(void **state)
{
	struct chan_env k = { .conf = { .greet = -1 } };

	start(&k, "v4.channel.k8s.io");
	ws_script(&k.t, "B<ff 00>");
	assert_string_equal(k.log, "");
	ws_script(&k.t, "X(1000)");
	assert_string_equal(ws_look(&k.t), "X(1000)");
	assert_has(k.log, "0:END");
	assert_has(k.log, "0:CLOSED");
	stop(&k);
	assert_int_equal(k.why, ERR_NONE);
}

static void base64_forms(void **state)
{
	static const char *const names[] = { "v4.base64.channel.k8s.io", "base64.channel.k8s.io" };

	for (int i = 0; i < 2; i++) {
		struct chan_env k = { .conf = { .greet = CHANNEL_STDOUT } };

		start(&k, names[i]);
		assert_int_equal(stream_write(k.v[1], "out", 3), 0);
		assert_int_equal(stream_write(k.v[2], "four", 4), 0);
		ws_script(&k.t, "T(0aGVsbG8=) T(0)");
		assert_string_equal(ws_look(&k.t), "T(1) T(1b3V0) T(2Zm91cg==)");
		assert_string_equal(k.log, "0:hello ");
		ws_script(&k.t, "T(0!!)");
		assert_has(ws_look(&k.t), "X(1007)");
		stop(&k);
	}
}

static void without_a_protocol_bytes_are_spoken_and_a_foreign_one_is_refused(void **state)
{
	struct chan_env k = { .conf = { .greet = -1 } };

	start(&k, NULL);
	assert_string_equal(channels_protocol(k.c), "");
	ws_script(&k.t, "B<00 61>");
	assert_string_equal(k.log, "0:a ");
	stop(&k);
	memset(&k, 0, sizeof(k));
	k.t.in = BUF_INIT(1 << 20);
	env_start(&k.t.e, request);
	assert_has(ask(&k.t.e, WS_ASK "Sec-WebSocket-Protocol: v9.channel.k8s.io\r\n\r\n", false,
		       NULL),
		   "HTTP/1.1 400 ");
	ws_stop(&k.t);
}

static void without_credit_a_bounded_part_is_held(void **state)
{
	struct chan_env k = { .conf = { .greet = -1, .hold_max = 10000 }, .no_credit = true };
	static char p[5000];
	char b[WS_HEAD_MAX + sizeof(p)];
	size_t n, total = 0;
	ssize_t r;

	start(&k, "v5.channel.k8s.io");
	n = ws_head_put(b, WS_FIN | WS_OP_BINARY, sizeof(p), (const unsigned char *)"\0\0\0\0");
	memset(b + n, 0, sizeof(p)); /* all for stdin */
	for (int i = 0; i < 2000; i++) {
		r = send(k.t.fd, b, n + sizeof(p), MSG_NOSIGNAL);
		ws_spin(&k.t);
		if (r < 0)
			break;
		total += (size_t)r;
	}
	assert_int_equal(errno, EAGAIN);
	assert_true(total < 2u << 20);
	assert_string_equal(k.log, "");
	/* Whoever does not want it lets it go. */
	(void)stream_finish(k.v[0]);
	ws_spin(&k.t);
	assert_true(send(k.t.fd, b, 1, MSG_NOSIGNAL) == 1);
	channels_close(k.c, 1000, NULL);
	stop(&k);
}

static void little_credit_brings_a_large_message_bit_by_bit(void **state)
{
	struct chan_env k = { .conf = { .greet = -1 }, .no_credit = true };

	start(&k, "v5.channel.k8s.io");
	k.drip = 4;
	stream_read(k.v[0], 4);
	ws_script(&k.t, "B<00 61 62 63 64 65 66 67 68 69 6a 6b>");
	assert_string_equal(k.log, "0:abcd 0:efgh 0:ijk ");
	stop(&k);
}

static void a_full_socket_says_stop_and_go(void **state)
{
	struct chan_env k = { .conf = { .greet = -1 } };
	static char p[30000];
	int r = 0;

	start(&k, "v5.channel.k8s.io");
	for (int i = 0; i < 1000 && r == 0; i++)
		r = stream_write(k.v[1], p, sizeof(p));
	assert_int_equal(r, 1);
	assert_int_equal(stream_write(k.v[1], p, 1), -ERR_QUOTA);
	(void)ws_look(&k.t);
	assert_int_equal(stream_write(k.v[1], p, 1), 0);
	stop(&k);
}

static void a_reset_is_of_one_channel(void **state)
{
	struct chan_env k = { .conf = { .greet = -1 } };

	start(&k, "v5.channel.k8s.io");
	stream_reset(k.v[0], NULL);
	assert_string_equal(k.log, "0:BROKEN ");
	assert_null(channels_stream(k.c, 0));
	ws_script(&k.t, "B<00 61> B<04 62>");
	assert_string_equal(k.log, "0:BROKEN 4:b ");
	stop(&k);
	assert_int_equal(k.why, ERR_UNAVAILABLE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_go_where_their_first_byte_says),
		cmocka_unit_test(v5_ends_one_channel),
		cmocka_unit_test(v4_has_no_end_of_one_channel),
		cmocka_unit_test(base64_forms),
		cmocka_unit_test(without_a_protocol_bytes_are_spoken_and_a_foreign_one_is_refused),
		cmocka_unit_test(without_credit_a_bounded_part_is_held),
		cmocka_unit_test(little_credit_brings_a_large_message_bit_by_bit),
		cmocka_unit_test(a_full_socket_says_stop_and_go),
		cmocka_unit_test(a_reset_is_of_one_channel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
