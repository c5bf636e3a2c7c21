/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The credentials of a layer's server, for one that is made anew after both of its processes were
 * killed, or the machine was. They lie beside the layer (root's alone, as all of the store) for as
 * long as something of it has to be fetched.
 */
#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "image/lazy.h"
#include "linux/path.h"
#include "linux/sys.h"

#include <errno.h>
#include <string.h>

#define NAME "auth"
#define MAGIC "TEUAUTH1" /* its last letter is the version */
#define MAGIC_LEN 8
#define FILE_MAX (1u << 20)

static bool is_anonymous(const struct remote_auth *a)
{
	return !a->username && !a->password && !a->identity_token && !a->registry_token;
}

int lazy_auth_keep(int dir, const struct lazy_conf *c, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(0);
	CLEANUP(fd_close) int fd = -1;
	int r;

	if (is_anonymous(&c->auth))
		return 0;
	r = lazy_conf_write(c, &b, err);
	if (r < 0)
		return r;
	fd = sys_openat(dir, NAME, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || fd_write_all(fd, MAGIC, MAGIC_LEN) < 0 || fd_write_all(fd, b.p, b.n) < 0)
		r = err_sys(err, "keep the credentials of a lazy layer");
	explicit_bzero(b.p, b.n);
	return r;
}

int lazy_auth_read(int dir, struct arena *a, struct remote_auth *ret, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(FILE_MAX);
	CLEANUP(fd_close) int fd = -1;
	struct slice bytes;
	struct lazy_conf c;
	ssize_t n;
	int r;

	*ret = (struct remote_auth){ 0 };
	r = path_open_beneath(dir, NAME, O_RDONLY, 0, &fd, err);
	if (r < 0) {
		if (r == -ERR_NOT_FOUND)
			err_clear(err);
		return r == -ERR_NOT_FOUND ? 0 : r;
	}
	if (!buf_room(&b, FILE_MAX)) /* it must not move: it is wiped */
		abort();
	n = fd_read_full(fd, b.p, FILE_MAX);
	if (n < 0)
		return err_sys(err, "read the credentials of a lazy layer");
	bytes = slice_of(b.p, (size_t)n);
	if (!slice_starts(bytes, slice_of(MAGIC, MAGIC_LEN)))
		r = err_set(err, ERR_INVALID, "its credentials are of another version");
	else
		r = lazy_conf_read(a, slice_of(b.p + MAGIC_LEN, (size_t)n - MAGIC_LEN), &c, err);
	explicit_bzero(b.p, (size_t)n);
	if (r >= 0)
		*ret = c.auth;
	return r;
}

static void wipe(const char *s)
{
	if (s)
		explicit_bzero((void *)(uintptr_t)s, strlen(s));
}

void lazy_auth_wipe(struct remote_auth *a)
{
	wipe(a->username);
	wipe(a->password);
	wipe(a->identity_token);
	wipe(a->registry_token);
}

void lazy_auth_forget(int dir)
{
	(void)sys_unlinkat(dir, NAME, 0); /* it goes with its directory at the latest */
}
