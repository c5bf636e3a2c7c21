/* SPDX-License-Identifier: Apache-2.0 */
/* Who did what, in a file. */
#include "registry/audit.h"

#include "base/fd.h"
#include "doc/json.h"
#include "linux/sys.h"
#include "registry/private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_MAX_BYTES 8192

struct audit {
	char *path;
	int fd;
	int sync_fd; /* what the worker syncs */
	uint64_t bytes, bytes_max;
	struct work_pool *pool;
	struct work sync;
	bool syncing, dirty, failing, ended;
};

static int open_file(struct audit *a, struct err *err)
{
	struct stat st;
	int fd = sys_openat(AT_FDCWD, a->path,
			    O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);

	if (fd < 0)
		return err_sys(err, "open audit log '%s'", a->path);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		fd_close(fd);
		return err_set(err, ERR_INVALID, "audit log '%s' is no file", a->path);
	}
	fd_close(a->fd);
	a->fd = fd;
	a->bytes = (uint64_t)st.st_size;
	return 0;
}

int audit_new(const char *path, long long bytes_max, struct work_pool *pool, struct audit **ret,
	      struct err *err)
{
	CLEANUP(audit_free) struct audit *a = calloc(1, sizeof(*a));
	int r;

	if (!a)
		abort();
	a->fd = a->sync_fd = -1;
	a->pool = pool;
	a->bytes_max = (uint64_t)(bytes_max ? bytes_max : AUDIT_BYTES_DEFAULT);
	a->path = strdup(path);
	if (!a->path)
		abort();
	r = open_file(a, err);
	if (r < 0)
		return r;
	*ret = STEAL(a);
	return 0;
}

void audit_end(struct audit *a)
{
	if (a)
		a->ended = true;
}

void audit_free(struct audit *a)
{
	if (!a)
		return;
	if (a->fd >= 0)
		(void)fdatasync(a->fd); /* the end: nobody is left to be told */
	fd_close(a->fd);
	fd_close(a->sync_fd);
	free(a->path);
	free(a);
}

int audit_reopen(struct audit *a, struct err *err)
{
	return a ? open_file(a, err) : 0;
}

/* ---- the disk ---- */

static void report(struct audit *a, const char *what)
{
	if (!a->failing)
		log_kv(LOG_LEVEL_ERROR, "the audit log cannot be written", "path", a->path, "call",
		       what, "error", err_strerror(errno), NULL);
	a->failing = true;
}

static void begin_sync(struct audit *a);

static void run_sync(struct work *w)
{
	struct audit *a = CONTAINER_OF(w, struct audit, sync);

	if (fdatasync(a->sync_fd) < 0)
		log_kv(LOG_LEVEL_ERROR, "the audit log is not durable", "path", a->path, "error",
		       err_strerror(errno), NULL);
}

static void sync_done(struct work *w)
{
	struct audit *a = CONTAINER_OF(w, struct audit, sync);

	fd_close(STEAL_FD(a->sync_fd));
	a->syncing = false;
	if (a->dirty)
		begin_sync(a);
}

static void begin_sync(struct audit *a)
{
	a->dirty = true;
	if (a->syncing || a->ended)
		return;
	a->sync_fd = fd_dup(a->fd);
	if (a->sync_fd < 0)
		return; /* with the next line */
	a->syncing = true;
	a->dirty = false;
	if (work_submit(a->pool, &a->sync, run_sync, sync_done, NULL) < 0) {
		fd_close(STEAL_FD(a->sync_fd));
		a->syncing = false;
		a->dirty = true;
	}
}

static void name_old(const struct audit *a, int n, char *out, size_t max)
{
	if (n)
		(void)snprintf(out, max, "%s.%d", a->path, n);
	else
		(void)str_copy(out, max, a->path);
}

static void rotate(struct audit *a)
{
	char from[4096], to[4096];
	struct err err = ERR_INIT;

	for (int n = AUDIT_KEEP - 1; n >= 0; n--) {
		name_old(a, n, from, sizeof(from));
		name_old(a, n + 1, to, sizeof(to));
		if (sys_renameat(AT_FDCWD, from, AT_FDCWD, to) < 0 && errno != ENOENT) {
			report(a, "rename");
			return;
		}
	}
	if (open_file(a, &err) < 0)
		log_kv(LOG_LEVEL_ERROR, "audit log", "error", err.msg, NULL);
}

/* ---- lines ---- */

static void add_field(struct buf *b, const char *name, const char *value)
{
	if (!value || !value[0])
		return;
	buf_addf(b, ",\"%s\":", name);
	(void)json_write_string(b, slice_str(value), false);
}

static void add_line(struct audit *a, const struct buf *b)
{
	if (b->full)
		return; /* names are far shorter than that */
	if (fd_write_all(a->fd, b->p, b->n) < 0) {
		report(a, "write");
		return;
	}
	a->failing = false;
	a->bytes += b->n;
	if (a->bytes > a->bytes_max)
		rotate(a);
	begin_sync(a);
}

void audit_add(struct audit *a, const struct call *c, int status, const char *digest)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(LINE_MAX_BYTES);
	char stamp[CLOCK_TEXT_MAX];

	if (!a)
		return;
	buf_addf(&b, "{\"time\":\"%s\"", clock_rfc3339full(stamp, clock_real()));
	add_field(&b, "user", c->who.name ? c->who.name : c->user);
	add_field(&b, "peer", stream_peer(c->s)->addr);
	add_field(&b, "method", c->method);
	add_field(&b, "object", call_object(c));
	add_field(&b, "repository", c->name);
	add_field(&b, "reference", c->ref);
	add_field(&b, "digest", digest);
	buf_addf(&b, ",\"status\":%d}\n", status);
	add_line(a, &b);
}

void audit_note(struct audit *a, const char *by, const char *what, const char *repo,
		const char *ref, const char *digest)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(LINE_MAX_BYTES);
	char stamp[CLOCK_TEXT_MAX];

	if (!a)
		return;
	buf_addf(&b, "{\"time\":\"%s\"", clock_rfc3339full(stamp, clock_real()));
	add_field(&b, "by", by);
	add_field(&b, "action", what);
	add_field(&b, "repository", repo);
	add_field(&b, "reference", ref);
	add_field(&b, "digest", digest);
	buf_adds(&b, "}\n");
	add_line(a, &b);
}
