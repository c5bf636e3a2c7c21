/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/role-socket.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "cli/cli.h"
#include "doc/json.h"
#include "io/http-client.h"

#include <errno.h>

#define ANSWER_MAX (64u << 20)

static int new_client(struct cmd_call *call, const char *socket, struct http_client **ret,
		      struct err *err)
{
	const char *at = arena_printf(call->arena, "unix://%s/%s", cli_of(call)->run, socket);

	return at ? http_client_new(NULL, at, NULL, ret, err) : arena_quota(call->arena, err);
}

/* What the role said, by its status. */
static int fail(int status, struct slice text, struct err *err)
{
	enum err_code code = status == 404   ? ERR_NOT_FOUND
			     : status == 409 ? ERR_CONFLICT
			     : status == 400 ? ERR_BAD_REQUEST
					     : ERR_SYSTEM;

	text = slice_trim(text);
	while (text.n && text.p[text.n - 1] == '\n')
		text.n--;
	return err_set(err, code, "%.*s", (int)MIN(text.n, 900u), text.p);
}

int role_socket_ask(struct cmd_call *call, const char *socket, const char *method,
		    const char *target, struct doc **ret, struct err *err)
{
	CLEANUP(http_client_free) struct http_client *c = NULL;
	CLEANUP(http_answer_fini) struct http_answer a = HTTP_ANSWER_INIT;
	struct http_call rq = { .method = method, .target = target, .body_max = ANSWER_MAX };
	struct slice text;

	if (!target)
		return arena_quota(call->arena, err);
	if (new_client(call, socket, &c, err) < 0 || http_client_call(c, &rq, &a, err) < 0)
		return err_ret(err);
	if (a.status != 200)
		return fail(a.status, a.body, err);
	text = slice_of(arena_strndup(call->arena, a.body.p, a.body.n), a.body.n);
	return text.p ? json_read(call->arena, text, NULL, ret, err)
		      : arena_quota(call->arena, err);
}

struct sink {
	int fd;
	struct buf text; /* of an error */
};

static int consume(void *arg, const struct http_answer *head, struct slice bytes, struct err *err)
{
	struct sink *s = arg;

	if (head->status != 200) {
		(void)buf_add(&s->text, bytes.p, bytes.n); /* what fits is enough */
		return 0;
	}
	if (fd_write_all(s->fd, bytes.p, bytes.n) < 0)
		return err_sys(err, "write what the server sends");
	return 0;
}

int role_socket_get(struct cmd_call *call, const char *socket, const char *target, int fd,
		    struct err *err)
{
	CLEANUP(http_client_free) struct http_client *c = NULL;
	CLEANUP(http_answer_fini) struct http_answer a = HTTP_ANSWER_INIT;
	struct sink sink = { .fd = fd, .text = BUF_INIT(4096) };
	struct http_call rq = { .target = target, .consume = consume, .arg = &sink };
	int r;

	if (new_client(call, socket, &c, err) < 0)
		return err_ret(err);
	r = http_client_call(c, &rq, &a, err);
	if (r == 0 && a.status != 200)
		r = fail(a.status, buf_slice(&sink.text), err);
	buf_fini(&sink.text);
	return r;
}
