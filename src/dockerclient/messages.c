/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams of JSON messages. Engines write each without line breaks inside and with one behind it,
 * so lines are cut first and only whole ones are read.
 */
#include "base/arena.h"
#include "doc/json.h"
#include "dockerclient/dockerclient.h"

typedef int message_fn(void *arg, const struct doc *msg, struct slice line, struct err *err);

void docker_messages_fini(struct docker_messages *m)
{
	buf_fini(&m->part);
}

/* The text of an in-band error: the answer's status was sent long before. */
static int in_band_error(const struct doc *msg, struct err *err)
{
	struct slice text = doc_slice(doc_find(msg, "errorDetail.message"));

	if (!text.n)
		text = doc_slice(doc_get(msg, "error"));
	if (!text.n)
		return 0;
	return err_set(err, ERR_SYSTEM, "%.*s", (int)MIN(text.n, (size_t)900), text.p);
}

static int one_line(struct slice line, message_fn *fn, void *arg, struct err *err)
{
	CLEANUP(arena_free) struct arena *a = NULL;
	struct doc *msg;
	int r;

	while (line.n && (line.p[line.n - 1] == '\r' || line.p[line.n - 1] == ' '))
		line.n--;
	if (!line.n)
		return 0;
	a = arena_new("message of the engine", 16u * DOCKER_MESSAGE_MAX);
	r = json_read(a, line, NULL, &msg, err);
	if (r < 0)
		return err_wrap(err, "message of the engine");
	r = in_band_error(msg, err);
	if (r < 0)
		return r;
	return fn(arg, msg, line, err);
}

int docker_messages_feed(struct docker_messages *m, struct slice bytes, message_fn *fn, void *arg,
			 struct err *err)
{
	while (bytes.n) {
		const char *nl = memchr(bytes.p, '\n', bytes.n);
		size_t n = nl ? (size_t)(nl - bytes.p) : bytes.n;
		int r;

		if (m->part.n || !nl) {
			if (buf_add(&m->part, bytes.p, n) < 0)
				return err_set(err, ERR_TOO_LARGE,
					       "a message of the engine is longer than %u bytes",
					       DOCKER_MESSAGE_MAX);
		}
		if (!nl)
			return 0;
		r = one_line(m->part.n ? buf_slice(&m->part) : slice_of(bytes.p, n), fn, arg, err);
		buf_clear(&m->part);
		if (r < 0)
			return r;
		bytes = slice_of(bytes.p + n + 1, bytes.n - n - 1);
	}
	return 0;
}
