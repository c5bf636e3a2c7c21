/* SPDX-License-Identifier: Apache-2.0 */
/* Our SPDY client against our server, with real back-pressure. */
#include "spdy-test.h"

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
	char lock[80];

	http_client_free(k->c);
	stream_unref(k->t.last);
	env_stop(&k->t.e);
	assert_int_equal(k->closed, 1);
	assert_int_equal(k->t.closed, k->opened);
	(void)snprintf(lock, sizeof(lock), "%s.lock", k->path);
	(void)unlink(lock);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(much_goes_through_by_the_connection_alone),
		cmocka_unit_test(much_goes_through_by_windows),
		cmocka_unit_test(an_answer_that_is_no_upgrade_is_told),
		cmocka_unit_test(an_abort_is_seen_on_both_sides),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
