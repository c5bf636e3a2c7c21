/* SPDX-License-Identifier: Apache-2.0 */
/* Helpers of the io tests: a server on a loop in this process, raw peers over socketpairs. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/loop.h"
#include "io/http-client.h"
#include "io/http-server.h"
#include "io/router.h"
#include "io/url.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

struct env {
	struct loop *loop;
	struct http_server *srv;
	struct http_server_conf conf;
	struct stream *held; /* of a handler that answers later */
	struct buf got;	     /* body bytes that a handler saw */
	int ended, closed, cancelled, writable, why, detached;
	bool relayed;
	size_t sent, credit;
	const char *path;
	char text[256];
};

static inline unsigned count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/* Rounds until nothing has happened for a moment. */
static inline void settle(struct env *e)
{
	for (int quiet = 0; quiet < 2;)
		quiet = loop_step(e->loop, quiet ? 2 * NS_PER_MS : 0, NULL) == 1 ? 0 : quiet + 1;
}

static inline int connect_pair(struct env *e)
{
	struct err err = ERR_INIT;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(http_server_adopt(e->srv, pair[0], &err), 0);
	assert_int_equal(fd_set_nonblock(pair[1], true), 0);
	return pair[1];
}

/* What the server has sent so far; *eof tells whether it closed. */
static inline void take(struct env *e, int fd, struct buf *b, bool *eof)
{
	char chunk[65536];
	ssize_t n;

	*eof = false;
	for (;;) {
		settle(e);
		n = recv(fd, chunk, sizeof(chunk), 0);
		if (n > 0) {
			assert_int_equal(buf_add(b, chunk, (size_t)n), 0);
			continue;
		}
		*eof = n == 0;
		return;
	}
}

static inline void say(int fd, const char *text)
{
	size_t n = strlen(text);

	assert_int_equal(send(fd, text, n, MSG_NOSIGNAL), (ssize_t)n);
}

/* Sends text on a new connection and gives all of the answer; "" when there is none. Static memory
 * of one test. */
static inline const char *ask(struct env *e, const char *text, bool dribble, bool *eof)
{
	static struct buf answer = { .max = 1 << 24 };
	int fd = connect_pair(e);
	bool closed;

	buf_fini(&answer);
	for (size_t i = 0, n = strlen(text); dribble && i < n; i++) {
		if (send(fd, text + i, 1, MSG_NOSIGNAL) != 1)
			break; /* refused before the end */
		settle(e);
	}
	if (!dribble)
		say(fd, text);
	take(e, fd, &answer, &closed);
	if (eof)
		*eof = closed;
	close(fd);
	settle(e);
	return buf_str(&answer);
}

static inline void env_start(struct env *e, void (*request)(struct stream *s, void *arg))
{
	struct err err = ERR_INIT;

	e->conf.request = request;
	e->conf.arg = e;
	e->got = BUF_INIT(1 << 26);
	assert_int_equal(loop_new(&e->loop, &err), 0);
	assert_int_equal(http_server_new(e->loop, &e->conf, &e->srv, &err), 0);
}

static inline void env_stop(struct env *e)
{
	if (e->held)
		stream_unref(e->held);
	http_server_free(e->srv);
	loop_free(e->loop);
	buf_fini(&e->got);
}

#define assert_has(text, part)                                                \
	do {                                                                  \
		if (!strstr((text), (part)))                                  \
			fail_msg("'%s' is not in '%.2000s'", (part), (text)); \
	} while (0)
#define assert_has_not(text, part)                                        \
	do {                                                              \
		if (strstr((text), (part)))                               \
			fail_msg("'%s' is in '%.2000s'", (part), (text)); \
	} while (0)
