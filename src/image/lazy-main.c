/* SPDX-License-Identifier: Apache-2.0 */
/* The beginning of a lazy server: what it is told, its index and files, the fence, its birth. The
 * process that was started reports and ends; the server has no parent that it could miss. */
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "image/lazy-priv.h"
#include "image/remote-priv.h"
#include "linux/proc.h"
#include "linux/sys.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define QUIET (20 * NS_PER_SEC) /* a registry that sends nothing for so long is away */

struct start {
	struct lazy_server s;
	struct arena *a;
	struct lazy_report report;
};

static int read_conf(struct start *st, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(512u << 10);
	struct image_remote_use use = { .auth = &st->s.conf.auth };
	ssize_t n;
	int r;

	do {
		if (!buf_room(&b, 65536))
			return err_set(err, ERR_TOO_LARGE, "its configuration is too large");
		n = fd_read_full(LAZY_FD_CONF, b.p + b.n, 65536);
		b.n += n > 0 ? (size_t)n : 0;
	} while (n > 0);
	if (n < 0)
		return err_sys(err, "read its configuration");
	fd_close(LAZY_FD_CONF);
	r = lazy_conf_read(st->a, buf_slice(&b), &st->s.conf, err);
	if (r >= 0)
		r = image_remotes_open(&st->s.conf.remotes, st->s.conf.host, &use, &st->s.remote,
				       err);
	if (r < 0)
		return r;
	/* Who serves decides on further tries: somebody waits. */
	st->s.remote->conf.tries = 1;
	st->s.remote->conf.quiet = QUIET;
	return 0;
}

static int on_entry(void *ctx, const struct tar_entry *e, struct err *err)
{
	return lazy_tree_add(ctx, e, err);
}

static int read_index(struct start *st, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(LAZY_FILE_MAX);
	struct lazy_server *s = &st->s;
	struct stat mark;
	int r = fd_read_file(LAZY_FD_DIR, "index", &b, err);

	if (r >= 0)
		r = lazy_index_read(buf_slice(&b), &s->ix, err);
	if (r < 0)
		return r;
	if (s->ix->sequential)
		return err_set(err, ERR_UNSUPPORTED,
			       "the layer can only be decompressed from its beginning (one large "
			       "zstd frame); it is pulled as a whole");
	s->tree = lazy_tree_new(s->conf.base);
	r = lazy_index_each(s->ix, on_entry, s->tree, err);
	if (r >= 0)
		r = lazy_tree_finish(s->tree, err);
	s->fs.tree = s->tree;
	s->foreign = sys_fstatat(LAZY_FD_DIR, "foreign", &mark, AT_SYMLINK_NOFOLLOW) == 0;
	st->report.bytes = lazy_tree_bytes(s->tree);
	return r;
}

static int make_file(const char *name, uint64_t size, int *ret, struct err *err)
{
	*ret = sys_openat(LAZY_FD_DIR, name, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
			  0600);
	if (*ret < 0 || sys_ftruncate(*ret, (off_t)size) < 0)
		return err_sys(err, "make '%s'", name);
	return 0;
}

static int share(size_t n, void *ret, struct err *err)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE,
		       -1, 0);

	if (p == MAP_FAILED)
		return err_sys(err, "share %zu bytes of memory", n);
	memcpy(ret, &p, sizeof(p));
	return 0;
}

static int make_rooms(struct lazy_server *s, struct err *err)
{
	size_t raw = 0;
	int r = share(sizeof(*s->shared), &s->shared, err);

	if (s->conf.early)
		return r < 0 ? r : share(sizeof(*s->flow), &s->flow, err);
	for (size_t i = 0; i < s->ix->npoints; i++) {
		uint64_t from, n;

		lazy_chunk_range(s->ix, i, &from, &n);
		if (n > 2ull * LAZY_CHUNK_MAX)
			return err_set(err, ERR_INVALID, "index of a layer: chunk %zu is too large",
				       i);
		raw = MAX(raw, (size_t)n);
		s->plain_max = MAX(s->plain_max, (size_t)lazy_chunk_size(s->ix, i));
	}
	s->plain_max = (s->plain_max + 4095) & ~(size_t)4095;
	s->line_room = s->plain_max + ((raw + 4096) & ~(size_t)4095);
	return r < 0 ? r : share(LAZY_LINES * s->line_room, &s->room, err);
}

static int make_files(struct lazy_server *s, struct err *err)
{
	int r = make_file("data", s->ix->plain_size, &s->data, err);

	if (r >= 0 && s->conf.early)
		r = make_file("holes", 0, &s->holes, err);
	if (r >= 0)
		r = make_file("blob", s->ix->blob_size, &s->blob, err);
	if (r >= 0 && (fd_set_nonblock(s->fuse, true) < 0 || fd_set_nonblock(s->listen, true) < 0))
		r = err_sys(err, "set up its descriptors");
	fd_close(LAZY_FD_DIR);
	return r;
}

static int server_main(void *arg)
{
	struct start *st = arg;

	fd_close(LAZY_FD_REPORT);
	lazy_serve(&st->s);
}

static int start(struct start *st, struct err *err)
{
	const struct sigaction ignore = { .sa_handler = SIG_IGN };
	struct proc_clone c = { .fn = server_main, .arg = st, .cgroup_fd = -1 };
	struct lazy_server *s = &st->s;
	struct proc p;
	int r;

	(void)sys_setsid(); /* a leader already: as good */
	(void)sigaction(SIGPIPE, &ignore, NULL);
	(void)sigaction(SIGCHLD, &ignore, NULL); /* children are seen by their sockets */
	s->fuse = LAZY_FD_FUSE;
	s->listen = LAZY_FD_LISTEN;
	s->partner = s->holes = s->stream = -1;
	for (size_t i = 0; i < LAZY_LINES; i++)
		s->lines[i].fd = -1, s->lines[i].chunk = -1;
	for (size_t i = 0; i < LAZY_CONNS; i++)
		s->conns[i] = -1;
	r = read_conf(st, err);
	if (r >= 0)
		r = s->conf.early ? lazy_flow_open(s, err) : read_index(st, err);
	if (r >= 0)
		r = make_rooms(s, err);
	if (r >= 0)
		r = make_files(s, err);
	if (r >= 0)
		r = lazy_fence(err);
	if (r >= 0)
		r = proc_clone(&c, &p, err);
	return r;
}

int image_lazy_main(int argc, char **argv)
{
	CLEANUP_FREE struct start *st = calloc(1, sizeof(*st));
	struct err err = ERR_INIT;
	int r;

	(void)argc;
	(void)argv; /* a label, for ps */
	if (!st)
		abort();
	log_setup("lazy", 2, LOG_LEVEL_WARN, LOG_FORMAT_TEXT);
	st->a = arena_new("lazy server", 2u << 20);
	r = start(st, &err);
	st->report.magic = LAZY_REPORT_MAGIC;
	st->report.code = r < 0 ? (uint32_t)err.code : 0;
	(void)str_copy(st->report.msg, sizeof(st->report.msg), err.msg);
	(void)fd_write_all(LAZY_FD_REPORT, &st->report,
			   sizeof(st->report)); /* who could be told? */
	_exit(r < 0 ? 1 : 0);
}
