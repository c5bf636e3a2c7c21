/* SPDX-License-Identifier: Apache-2.0 */
/* Passwords from a terminal or a pipe. What was read on the way is wiped. */
#include "cli/secret.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "cli/cli.h"
#include "cli/term.h"
#include "linux/sys.h"

#include <string.h>
#include <unistd.h>

#define SECRET_MAX 65536

static int read_line(struct arena *a, const char **ret, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(4096);
	char c;

	for (;;) {
		ssize_t n = sys_read(0, &c, 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, "read the answer");
		if (n == 0 || c == '\n')
			break;
		if (buf_addc(&b, c) < 0)
			return err_set(err, ERR_TOO_LARGE, "the answer has more than %zu bytes",
				       b.max);
	}
	*ret = arena_strndup(a, buf_str(&b), b.n);
	if (b.p)
		explicit_bzero(b.p, b.n);
	return *ret ? 0 : arena_quota(a, err);
}

int secret_ask(struct arena *a, const char *prompt, bool hidden, const char **ret, struct err *err)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(256);
	struct term t = { .fd = 0 };
	int r;

	buf_adds(&out, prompt);
	r = cli_write(1, &out, err);
	if (r == 0 && hidden)
		r = term_hide(&t, 0, err);
	if (r < 0)
		return r;
	r = read_line(a, ret, err);
	term_restore(&t);
	if (hidden)
		(void)fd_write_all(1, "\n", 1); /* only decoration */
	return r;
}

int secret_read(struct arena *a, const char **ret, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(SECRET_MAX);
	char piece[4096];

	for (;;) {
		ssize_t n = sys_read(0, piece, sizeof(piece));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, "read the password");
		if (n == 0)
			break;
		if (buf_add(&b, piece, (size_t)n) < 0)
			return err_set(err, ERR_TOO_LARGE, "the password has more than %d bytes",
				       SECRET_MAX);
	}
	while (b.n && (b.p[b.n - 1] == '\n' || b.p[b.n - 1] == '\r'))
		b.n--;
	*ret = arena_strndup(a, b.p ? b.p : "", b.n);
	if (b.p)
		explicit_bzero(b.p, b.n);
	explicit_bzero(piece, sizeof(piece));
	return *ret ? 0 : arena_quota(a, err);
}
