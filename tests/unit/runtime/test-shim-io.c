/* SPDX-License-Identifier: Apache-2.0 */
/* The stdio of one process over pipes, a pty and socket pairs; the process is played by the test.
 */
#include "rt-check.h"

#include "base/clock.h"
#include "runtime/shim-private.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define BIG (1024 * 1024)

struct world {
	struct loop *loop;
	struct shim_io *io;
	char *scratch;
	int in, out, err; /* the process's ends */
	int drained, served, detached, by_keys, active;
	char dir[32];
	struct shim_logger log;
	bool logging;
};

static void on_active(void *arg)
{
	((struct world *)arg)->active++;
}

static void on_drained(void *arg)
{
	((struct world *)arg)->drained++;
}

static void on_served(void *arg)
{
	((struct world *)arg)->served++;
}

static void on_detached(void *arg, bool by_keys)
{
	((struct world *)arg)->detached++;
	((struct world *)arg)->by_keys += by_keys;
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct err err;

	(void)sigaction(SIGPIPE, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL);
	assert_ok(loop_new(&w->loop, &err));
	w->scratch = malloc(SHIM_SCRATCH);
	w->in = w->out = w->err = -1;
	w->log = (struct shim_logger){ .fd = -1, .dirfd = -1 };
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	shim_io_free(w->io);
	shim_logger_fini(&w->log);
	if (*w->dir)
		(void)fd_remove_tree(AT_FDCWD, w->dir, NULL);
	loop_free(w->loop);
	fd_close(w->in);
	fd_close(w->out);
	fd_close(w->err);
	free(w->scratch);
	free(w);
	return 0;
}

static void log_to_file(struct world *w)
{
	const struct shim_create c = { .log_max_files = 1, .log_name = SLICE("log") };
	struct err err;
	int fd;

	str_copy(w->dir, sizeof(w->dir), "/tmp/teu-io-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	fd = openat(AT_FDCWD, w->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_ok(shim_logger_open(&w->log, &c, fd, &err));
	fd_close(fd);
	w->logging = true;
}

static void open_io(struct world *w, bool once)
{
	int in[2], out[2], e[2];
	struct shim_io_conf conf;
	struct err err;

	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	assert_int_equal(pipe2(e, O_CLOEXEC), 0);
	conf = (struct shim_io_conf){ .loop = w->loop,
				      .in = in[1],
				      .out = out[0],
				      .err = e[0],
				      .once = once,
				      .log = w->logging ? &w->log : NULL,
				      .scratch = w->scratch,
				      .active = on_active,
				      .drained = on_drained,
				      .served = on_served,
				      .detached = on_detached,
				      .arg = w };
	w->in = in[0];
	w->out = out[1];
	w->err = e[1];
	assert_ok(shim_io_new(&conf, &w->io, &err));
}

static void open_tty(struct world *w)
{
	struct shim_io_conf conf;
	struct termios t;
	struct err err;
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

	assert_true(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
	w->in = openat(AT_FDCWD, ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(w->in >= 0 && tcgetattr(w->in, &t) == 0);
	cfmakeraw(&t);
	assert_int_equal(tcsetattr(w->in, TCSANOW, &t), 0);
	conf = (struct shim_io_conf){ .loop = w->loop,
				      .in = -1,
				      .out = master,
				      .err = -1,
				      .tty = true,
				      .scratch = w->scratch,
				      .active = on_active,
				      .drained = on_drained,
				      .served = on_served,
				      .detached = on_detached,
				      .arg = w };
	assert_ok(shim_io_new(&conf, &w->io, &err));
}

/* Rounds until nothing happens for a moment; fails when that never comes: a busy loop. */
static void spin(struct world *w)
{
	struct err err;
	int r, n = 0;

	do {
		err = ERR_INIT;
		r = loop_step(w->loop, 5 * NS_PER_MS, &err);
		assert_true(r >= 0);
		if (++n > 20000)
			fail_msg("the loop does not come to rest");
	} while (r > 0);
}

static int attach(struct world *w, uint32_t streams, const char *keys, const char *unread)
{
	struct err err;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_ok(
		shim_io_attach(w->io, pair[1], streams, slice_str(keys), slice_str(unread), &err));
	return pair[0];
}

static void expect_bytes(int fd, const char *want, size_t n)
{
	char got[4096] = "";

	assert_true(n < sizeof(got));
	assert_int_equal(recv(fd, got, sizeof(got), MSG_DONTWAIT), n);
	assert_memory_equal(got, want, n);
}
#define EXPECT(fd, lit) expect_bytes(fd, lit, sizeof(lit) - 1)

static void expect_eof(int fd)
{
	char c;

	assert_int_equal(recv(fd, &c, 1, MSG_DONTWAIT), 0);
}

static void expect_nothing(int fd)
{
	char c;

	assert_int_equal(recv(fd, &c, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
}

static void expect_stdin(struct world *w, const char *want)
{
	char got[4096] = "";
	struct pollfd p = { w->in, POLLIN, 0 };

	assert_int_equal(poll(&p, 1, 1000), 1);
	assert_int_equal(read(w->in, got, sizeof(got)), strlen(want));
	assert_string_equal(got, want);
}

static void output_goes_framed_to_who_asked_for_the_stream(void **state)
{
	struct world *w = *state;
	int both, only_err, raw;

	open_io(w, false);
	both = attach(w, SHIM_OUT | SHIM_ERR, "", "");
	only_err = attach(w, SHIM_ERR, "", "");
	raw = attach(w, SHIM_OUT | SHIM_RAW, "", "");
	assert_int_equal(write(w->out, "hello", 5), 5);
	spin(w);
	assert_int_equal(write(w->err, "no", 2), 2);
	spin(w);
	EXPECT(both, "\1\0\0\0\0\0\0\5hello\2\0\0\0\0\0\0\2no");
	EXPECT(only_err, "\2\0\0\0\0\0\0\2no");
	EXPECT(raw, "hello");
	fd_close(both);
	fd_close(only_err);
	fd_close(raw);
	spin(w);
	assert_int_equal(w->detached, 3);
	assert_int_equal(w->by_keys, 0);
}

static void piped_stdin_ends_and_output_drains_to_the_end(void **state)
{
	struct world *w = *state;
	int c;

	open_io(w, true);
	c = attach(w, SHIM_IN | SHIM_OUT, "", "un");
	assert_int_equal(send(c, "read\n", 5, 0), 5);
	assert_int_equal(shutdown(c, SHUT_WR), 0);
	spin(w);
	expect_stdin(w, "unread\n");
	expect_stdin(w, ""); /* end of file */
	assert_int_equal(write(w->out, "bye", 3), 3);
	fd_close(STEAL_FD(w->out));
	fd_close(STEAL_FD(w->err));
	spin(w);
	assert_int_equal(w->drained, 0); /* the process still lives */
	shim_io_finish(w->io, NS_PER_SEC);
	spin(w);
	assert_int_equal(w->drained, 1);
	assert_int_equal(w->served, 1);
	EXPECT(c, "\1\0\0\0\0\0\0\3bye");
	expect_eof(c);
	fd_close(c);
}

static void stdin_of_once_waits_for_all_who_give_it(void **state)
{
	struct world *w = *state;
	int a, b;

	open_io(w, true);
	a = attach(w, SHIM_IN, "", "");
	b = attach(w, SHIM_IN, "", "");
	fd_close(a);
	spin(w);
	assert_int_equal(send(b, "x", 1, 0), 1);
	spin(w);
	expect_stdin(w, "x");
	fd_close(b);
	spin(w);
	expect_stdin(w, "");
}

static void kept_stdin_stays_open_and_its_giver_is_let_go(void **state)
{
	struct world *w = *state;
	struct pollfd p;
	int a;

	open_io(w, false);
	a = attach(w, SHIM_IN | SHIM_OUT, "", "x");
	assert_int_equal(shutdown(a, SHUT_WR), 0);
	spin(w);
	expect_stdin(w, "x");
	p = (struct pollfd){ w->in, POLLIN, 0 };
	assert_int_equal(poll(&p, 1, 0), 0);
	expect_eof(a);
	assert_int_equal(w->detached, 1);
	fd_close(a);
	shim_io_close_stdin(w->io);
	expect_stdin(w, "");
	shim_io_close_stdin(w->io);
}

static void a_process_that_closes_stdin_harms_nobody(void **state)
{
	struct world *w = *state;
	int a;

	open_io(w, true);
	a = attach(w, SHIM_IN | SHIM_OUT, "", "");
	fd_close(STEAL_FD(w->in));
	assert_int_equal(send(a, "xyz", 3, 0), 3);
	spin(w);
	assert_int_equal(send(a, "xyz", 3, 0), 3);
	spin(w);
	assert_int_equal(write(w->out, "on", 2), 2);
	spin(w);
	EXPECT(a, "\1\0\0\0\0\0\0\2on");
	fd_close(a);
	spin(w);
	assert_int_equal(w->detached, 1);
}

/* Writes what fits without waiting. */
static size_t fill(int fd, size_t max)
{
	static char chunk[4096];
	size_t n = 0;
	ssize_t w;

	assert_int_equal(fd_set_nonblock(fd, true), 0);
	while (n < max && (w = write(fd, chunk, MIN(sizeof(chunk), max - n))) > 0)
		n += (size_t)w;
	return n;
}

static size_t drain(int fd)
{
	static char chunk[65536];
	size_t n = 0;
	ssize_t r;

	while ((r = recv(fd, chunk, sizeof(chunk), MSG_DONTWAIT)) > 0)
		n += (size_t)r;
	return n;
}

static void a_slow_client_slows_the_process_and_loses_nothing(void **state)
{
	struct world *w = *state;
	size_t in = 0, out = 0, n;
	int c;

	open_io(w, false);
	c = attach(w, SHIM_OUT | SHIM_RAW, "", "");
	do { /* until the pipe stays full */
		n = fill(w->out, BIG);
		in += n;
		spin(w); /* fails on a busy loop */
	} while (n);
	assert_true(in < 2 * BIG); /* socket, pipe, and one read */
	while ((n = drain(c)) > 0 || out < in) {
		out += n;
		spin(w);
	}
	assert_int_equal(out, in);
	fd_close(c);
}

static void slow_readers_hold_up_neither_log_nor_exit(void **state)
{
	struct world *w = *state;
	size_t in = 0, out = 0, n;
	int c;

	log_to_file(w);
	open_io(w, false);
	c = attach(w, SHIM_OUT | SHIM_RAW, "", "");
	do {
		n = fill(w->out, BIG);
		in += n;
		spin(w);
	} while (n);
	fd_close(STEAL_FD(w->out));
	fd_close(STEAL_FD(w->err));
	shim_io_finish(w->io, NS_PER_SEC);
	spin(w);
	assert_int_equal(w->drained, 1);
	assert_int_equal(w->served, 0);
	assert_false(shim_io_served(w->io));
	while ((n = drain(c)) > 0 || out < in) {
		out += n;
		spin(w);
	}
	assert_int_equal(out, in);
	expect_eof(c);
	assert_int_equal(w->served, 1);
	fd_close(c);
}

static void a_vanished_client_frees_the_process(void **state)
{
	struct world *w = *state;
	int c;

	open_io(w, false);
	c = attach(w, SHIM_OUT | SHIM_RAW, "", "");
	while (fill(w->out, BIG))
		spin(w);
	fd_close(c);
	spin(w);
	assert_int_equal(w->detached, 1);
	assert_true(fill(w->out, 65536) > 0);
}

static void full_stdin_stops_reading_and_keeps_what_a_gone_client_wrote(void **state)
{
	struct world *w = *state;
	char chunk[65536];
	size_t in = 0, out = 0, n;
	ssize_t r;
	int c;

	open_io(w, true);
	c = attach(w, SHIM_IN, "", "");
	do {
		n = fill(c, BIG);
		in += n;
		spin(w);
	} while (n);
	fd_close(c);
	spin(w);
	assert_int_equal(fd_set_nonblock(w->in, true), 0);
	for (;;) {
		r = read(w->in, chunk, sizeof(chunk));
		if (r == 0)
			break;
		out += r > 0 ? (size_t)r : 0;
		spin(w);
	}
	assert_int_equal(out, in);
	assert_int_equal(w->detached, 1);
}

static void patience_ends_for_pipes_that_others_hold(void **state)
{
	struct world *w = *state;
	int64_t until = clock_mono() + 5 * NS_PER_SEC;
	int c;

	open_io(w, false);
	c = attach(w, SHIM_OUT, "", "");
	shim_io_finish(w->io, 50 * NS_PER_MS);
	spin(w);
	assert_int_equal(w->drained, 0);
	while (!w->drained && clock_mono() < until)
		spin(w);
	spin(w);
	assert_int_equal(w->drained, 1);
	expect_eof(c);
	fd_close(c);
}

static void keys_detach_and_what_was_typed_before_arrives(void **state)
{
	struct world *w = *state;
	int c;

	open_tty(w);
	c = attach(w, SHIM_IN | SHIM_OUT, "\x10\x11", "a\x10");
	spin(w);
	expect_stdin(w, "a");
	assert_int_equal(send(c, "b\x10\x10", 3, 0), 3); /* held back, released, held back */
	spin(w);
	expect_stdin(w, "\x10"
			"b\x10");
	assert_int_equal(send(c, "\x10z\x10\x11more", 8, 0), 8);
	spin(w);
	expect_stdin(w, "\x10\x10z");
	expect_eof(c);
	assert_int_equal(w->by_keys, 1);
	fd_close(c);
	c = attach(w, SHIM_IN, "\x10\x11", "\x10\x11"); /* typed ahead */
	spin(w);
	assert_int_equal(w->by_keys, 2);
	expect_eof(c);
	fd_close(c);
}

static void a_terminal_has_a_size_and_its_end_is_the_end(void **state)
{
	struct world *w = *state;
	struct winsize ws;
	int c;

	open_tty(w);
	c = attach(w, SHIM_OUT, "", "");
	shim_io_resize(w->io, 40, 132);
	assert_int_equal(ioctl(w->in, TIOCGWINSZ, &ws), 0);
	assert_int_equal(ws.ws_row, 40);
	assert_int_equal(ws.ws_col, 132);
	assert_int_equal(write(w->in, "x\n", 2), 2);
	spin(w);
	EXPECT(c, "x\n");
	fd_close(STEAL_FD(w->in)); /* reads give EIO now */
	spin(w);
	shim_io_finish(w->io, NS_PER_SEC);
	spin(w);
	assert_int_equal(w->served, 1);
	expect_eof(c);
	shim_io_resize(w->io, 1, 1);
	fd_close(c);
}

static void logs_come_first_then_what_is_live(void **state)
{
	struct world *w = *state;
	char line[64];
	size_t total = 0, n = 0, r;
	int c;

	log_to_file(w);
	open_io(w, false);
	for (int i = 0; i < 20000; i++) { /* more than a socket holds */
		(void)snprintf(line, sizeof(line), "line %05d of the log\n", i);
		total += strlen(line);
		assert_int_equal(write(w->out, line, strlen(line)), strlen(line));
		if (i % 500 == 499)
			spin(w);
	}
	assert_int_equal(write(w->out, "begun", 5), 5);
	spin(w);
	c = attach(w, SHIM_OUT | SHIM_RAW | SHIM_LOGS, "", "");
	spin(w);
	assert_int_equal(write(w->out, " and done\nlive\n", 15), 15);
	spin(w);
	total += 5 + 15;
	while (n < total) {
		r = drain(c);
		n += r;
		spin(w);
		if (!r)
			break;
	}
	assert_int_equal(n, total);
	assert_int_equal(write(w->out, "more", 4), 4);
	spin(w);
	EXPECT(c, "more");
	fd_close(c);
}

static void sixty_four_clients_are_the_most_and_only_sockets(void **state)
{
	struct world *w = *state;
	int c[64], pair[2], pipes[2];
	struct err err;

	open_io(w, false);
	for (int i = 0; i < 64; i++)
		c[i] = attach(w, SHIM_OUT | SHIM_RAW, "", "");
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_err(shim_io_attach(w->io, pair[1], SHIM_OUT, SLICE(""), SLICE(""), &err), ERR_QUOTA,
		   "more than 64 clients");
	expect_eof(pair[0]);
	fd_close(pair[0]);
	assert_int_equal(write(w->out, "all", 3), 3);
	spin(w);
	for (int i = 0; i < 64; i++) {
		EXPECT(c[i], "all");
		fd_close(c[i]);
	}
	spin(w);
	assert_int_equal(w->detached, 64);
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	assert_err(shim_io_attach(w->io, pipes[1], SHIM_OUT, SLICE(""), SLICE(""), &err),
		   ERR_BAD_REQUEST, "no stream socket");
	fd_close(pipes[0]);
}

static void a_client_that_gives_what_nobody_asked_for_is_not_heard(void **state)
{
	struct world *w = *state;
	struct pollfd p;
	int c;

	open_io(w, true);
	c = attach(w, SHIM_OUT, "", "ignored");
	assert_int_equal(send(c, "noise", 5, 0), 5);
	assert_int_equal(shutdown(c, SHUT_WR), 0);
	spin(w);
	p = (struct pollfd){ w->in, POLLIN, 0 };
	assert_int_equal(poll(&p, 1, 0), 0);
	expect_nothing(c);
	fd_close(c);
	spin(w);
	assert_int_equal(w->detached, 1);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(output_goes_framed_to_who_asked_for_the_stream),
		CASE(piped_stdin_ends_and_output_drains_to_the_end),
		CASE(stdin_of_once_waits_for_all_who_give_it),
		CASE(kept_stdin_stays_open_and_its_giver_is_let_go),
		CASE(a_process_that_closes_stdin_harms_nobody),
		CASE(a_slow_client_slows_the_process_and_loses_nothing),
		CASE(slow_readers_hold_up_neither_log_nor_exit),
		CASE(a_vanished_client_frees_the_process),
		CASE(full_stdin_stops_reading_and_keeps_what_a_gone_client_wrote),
		CASE(patience_ends_for_pipes_that_others_hold),
		CASE(keys_detach_and_what_was_typed_before_arrives),
		CASE(a_terminal_has_a_size_and_its_end_is_the_end),
		CASE(logs_come_first_then_what_is_live),
		CASE(sixty_four_clients_are_the_most_and_only_sockets),
		CASE(a_client_that_gives_what_nobody_asked_for_is_not_heard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
