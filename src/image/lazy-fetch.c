/* SPDX-License-Identifier: Apache-2.0 */
/* The fetching process: a thread a line, each of which fetches, decompresses and checks one chunk
 * after the other. It ends with the process that serves. */
#include "base/err.h"
#include "base/fd.h"
#include "image/lazy-priv.h"
#include "linux/sys.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct line {
	struct lazy_server *s;
	int fd;
	char *plain, *raw;
	size_t have, want;
};

static int on_bytes(void *ctx, struct slice bytes, struct err *err)
{
	struct line *l = ctx;

	if (bytes.n > l->want - l->have)
		return err_set(err, ERR_INVALID, "more bytes come than were asked for");
	memcpy(l->raw + l->have, bytes.p, bytes.n);
	l->have += bytes.n;
	return 0;
}

static int fetch(struct line *l, size_t chunk, struct err *err)
{
	const struct lazy_conf *c = &l->s->conf;
	uint64_t from, n;
	int r;

	lazy_chunk_range(l->s->ix, chunk, &from, &n);
	l->have = 0;
	l->want = (size_t)n;
	r = remote_range(l->s->remote, c->repo, c->digest, from, n, on_bytes, l, err);
	return r < 0 ? r : lazy_chunk_inflate(l->s->ix, chunk, l->raw, l->have, l->plain, err);
}

static void *line_main(void *arg)
{
	struct line *l = arg;
	uint32_t chunk;

	while (fd_read_full(l->fd, &chunk, sizeof(chunk)) == (ssize_t)sizeof(chunk)) {
		struct lazy_fetched f = { .chunk = chunk };
		struct err err = ERR_INIT;

		if (chunk < l->s->ix->npoints && fetch(l, chunk, &err) < 0) {
			f.code = (uint32_t)err.code;
			(void)str_copy(f.msg, sizeof(f.msg), err.msg);
		}
		if (fd_write_all(l->fd, &f, sizeof(f)) < 0)
			break;
	}
	_exit(0);
}

_Noreturn void lazy_fetch(struct lazy_server *s, const int lines[LAZY_LINES])
{
	struct line all[LAZY_LINES];
	pthread_t thread;

	for (size_t i = 0; i < LAZY_LINES; i++) {
		char *room = s->room + i * s->line_room;

		all[i] = (struct line){
			.s = s, .fd = lines[i], .plain = room, .raw = room + s->plain_max
		};
		if (i && pthread_create(&thread, NULL, line_main, &all[i]) != 0)
			_exit(1);
	}
	(void)line_main(&all[0]);
	_exit(0);
}
