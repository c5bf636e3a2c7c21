/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `teu store`: care of the API server's database. A running server is asked by its admin socket;
 * without one the file is opened here, under the same lock.
 */
#include "apiserver/apiserver.h"
#include "apiserver/outward/given.h"
#include "apiserver/place.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/hash.h"
#include "base/loop.h"
#include "cli/cli.h"
#include "cli/cmds.h"
#include "cli/role-socket.h"
#include "doc/doc.h"
#include "doc/json.h"
#include "linux/sys.h"
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NEW_STORE ".store.new"

struct store_opts {
	bool replace;
};

static const struct opt restore_opts[] = {
	OPT(struct store_opts, BOOL, replace, "replace", 0,
	    "Take the place of the store that is there; it is kept as store.old-<time>"),
	OPT_END
};

static int absolute(struct cmd_call *call, const char *path, const char **ret, struct err *err)
{
	CLEANUP_FREE char *own = NULL;

	if (given_absolute(path, &own, err) < 0)
		return err_ret(err);
	*ret = arena_strdup(call->arena, own);
	return *ret ? 0 : arena_quota(call->arena, err);
}

/* ---- without a server ---- */

struct alone {
	struct place place;
	struct loop *loop;
	struct store *store;
	struct store_task task;
	bool done;
};

static void alone_fini(struct alone *x)
{
	store_close(x->store);
	loop_free(x->loop);
	place_fini(&x->place);
}
DEFINE_CLEANUP_EMBEDDED(struct alone, alone_fini)

static int lock_place(struct cmd_call *call, struct place *ret, struct err *err)
{
	const struct place_want want = { .lock = true };

	return place_open(cli_of(call)->root, &want, ret, err);
}

static int open_alone(struct cmd_call *call, struct alone *x, struct err *err)
{
	struct store_sqlite_options o = { .path = APISERVER_DB };

	if (lock_place(call, &x->place, err) < 0)
		return err_ret(err);
	if (access(APISERVER_DB, F_OK) < 0)
		return err_set(err, ERR_NOT_FOUND, "there is no store in '%s/%s/%s'",
			       cli_of(call)->root, APISERVER_DIR, APISERVER_STORE);
	if (loop_new(&x->loop, err) < 0)
		return err_ret(err);
	o.loop = x->loop;
	return store_open_sqlite(&o, &x->store, err);
}

static void task_done(struct store_task *t)
{
	CONTAINER_OF(t, struct alone, task)->done = true;
}

static int run_task(struct alone *x, void (*begin)(struct store *s, struct store_task *t),
		    const char *path, struct err *err)
{
	x->task = (struct store_task){ .path = path, .done = task_done };
	begin(x->store, &x->task);
	while (!x->done)
		if (loop_step(x->loop, -1, err) < 0)
			return err_ret(err);
	if (x->task.result < 0)
		*err = x->task.err;
	return x->task.result;
}

/* ---- backup ---- */

/* A new file beside `path`, so that it appears whole. */
static int begin_file(const char *path, char *tmp, size_t n, int *ret_fd, struct err *err)
{
	char hex[17];

	if (access(path, F_OK) == 0)
		return err_set(err, ERR_EXISTS, "'%s' is there already", path);
	random_hex(hex, 16);
	if ((size_t)snprintf(tmp, n, "%s.%s.tmp", path, hex) >= n)
		return err_set(err, ERR_INVALID, "path '%.100s...' is too long", path);
	*ret_fd = sys_openat(AT_FDCWD, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
			     0600);
	return *ret_fd < 0 ? err_sys(err, "make '%s'", tmp) : 0;
}

/* link, not rename: nobody else's file is replaced. */
static int name_file(int fd, const char *tmp, const char *path, struct err *err)
{
	char dir[PATH_MAX];
	CLEANUP(fd_close) int parent = -1;

	if (fsync(fd) < 0)
		return err_sys(err, "sync '%s'", tmp);
	if (link(tmp, path) < 0)
		return err_sysc(err, errno == EEXIST ? ERR_EXISTS : ERR_SYSTEM, errno, "name '%s'",
				path);
	(void)str_copy(dir, sizeof(dir), path);
	*(strrchr(dir, '/') + 1) = '\0';
	parent = sys_openat(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	return parent < 0 ? err_sys(err, "open '%s'", dir) : fd_fsync_dir(parent, err);
}

static int backup_asked(struct cmd_call *call, const char *path, struct err *err)
{
	char tmp[PATH_MAX];
	CLEANUP(fd_close) int fd = -1;
	int r = begin_file(path, tmp, sizeof(tmp), &fd, err);

	if (r < 0)
		return r;
	r = role_socket_get(call, APISERVER_SOCKET, "/store/backup", fd, err);
	if (r == 0)
		r = name_file(fd, tmp, path, err);
	(void)unlink(tmp);
	return r;
}

static int backup_alone(struct cmd_call *call, const char *path, struct err *err)
{
	CLEANUP(alone_fini) struct alone x = { .place = PLACE_INIT };

	if (open_alone(call, &x, err) < 0)
		return err_ret(err);
	return run_task(&x, store_backup, path, err);
}

static int say(struct cmd_call *call, const char *fmt, const char *path, struct err *err)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(2 * PATH_MAX);

	(void)buf_addf(&out, fmt, path);
	return cli_write(1, &out, err);
}

static int store_backup_run(struct cmd_call *call, struct err *err)
{
	const char *path;
	int r = absolute(call, call->args[0], &path, err);

	if (r < 0)
		return r;
	r = backup_asked(call, path, err);
	if (r == -ERR_UNAVAILABLE)
		r = backup_alone(call, path, err);
	return r < 0 ? err_wrap(err, "backup") : say(call, "%s\n", path, err);
}

/* ---- verify, stats ---- */

static int store_verify_run(struct cmd_call *call, struct err *err)
{
	CLEANUP(alone_fini) struct alone x = { .place = PLACE_INIT };
	struct doc *d;
	int r = role_socket_ask(call, APISERVER_SOCKET, "POST", "/store/verify", &d, err);

	if (r == -ERR_UNAVAILABLE) {
		r = open_alone(call, &x, err);
		if (r == 0)
			r = run_task(&x, store_verify, NULL, err);
	}
	return r < 0 ? err_wrap(err, "verify") : say(call, "%s\n", "the store is whole", err);
}

static int print_doc(const struct doc *d, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1u << 20);

	if (json_write(d, &(struct json_style){ .indent = "  " }, &b, err) < 0)
		return err_ret(err);
	(void)buf_addc(&b, '\n');
	return cli_write(1, &b, err);
}

static int stats_alone(struct cmd_call *call, struct doc **ret, struct err *err)
{
	CLEANUP(alone_fini) struct alone x = { .place = PLACE_INIT };
	struct store_stats st;

	if (open_alone(call, &x, err) < 0)
		return err_ret(err);
	store_get_stats(x.store, &st);
	*ret = doc_new_object(call->arena);
	doc_set_int(call->arena, *ret, "revision", st.revision);
	doc_set_int(call->arena, *ret, "compacted", st.compacted);
	doc_set_uint(call->arena, *ret, "keys", st.keys);
	doc_set_uint(call->arena, *ret, "bytes", st.bytes);
	return *ret ? 0 : arena_quota(call->arena, err);
}

static int store_stats_run(struct cmd_call *call, struct err *err)
{
	struct doc *d;
	int r = role_socket_ask(call, APISERVER_SOCKET, "GET", "/store/stats", &d, err);

	if (r == -ERR_UNAVAILABLE)
		r = stats_alone(call, &d, err);
	return r < 0 ? r : print_doc(d, err);
}

static int store_compact_run(struct cmd_call *call, struct err *err)
{
	struct doc *d;
	int r = role_socket_ask(call, APISERVER_SOCKET, "POST", "/store/compact", &d, err);

	return r < 0 ? err_wrap(err, "compact (the API server has to run)") : print_doc(d, err);
}

/* ---- restore ---- */

/* What root makes is the server's. */
static int give(const struct place *at, const char *path, struct err *err)
{
	if (geteuid() != 0 || fchownat(at->fd, path, at->uid, at->gid, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	return err_sys(err, "give '%s' to uid %u", path, at->uid);
}

/* The whole directory changes places at once: a crash leaves the old store or the new one, and
 * never one database with the log of another. */
static int exchange(const struct place *at, const char *old, struct err *err)
{
	bool there = faccessat(at->fd, APISERVER_STORE, F_OK, AT_SYMLINK_NOFOLLOW) == 0;

	if (sys_renameat2(at->fd, NEW_STORE, at->fd, APISERVER_STORE,
			  there ? RENAME_EXCHANGE : RENAME_NOREPLACE) < 0)
		return err_sys(err, "put the restored store in its place");
	if (there && renameat(at->fd, NEW_STORE, at->fd, old) < 0)
		return err_sys(err, "keep the old store as '%s'", old);
	return fd_fsync_dir(at->fd, err);
}

static int restore_into(const struct place *at, const char *backup, struct err *err)
{
	if (fd_remove_tree(at->fd, NEW_STORE, err) < 0 ||
	    fd_mkdir_p(at->fd, NEW_STORE, 0700, err) < 0 ||
	    store_restore(backup, NEW_STORE "/store.db", err) < 0 || give(at, NEW_STORE, err) < 0 ||
	    give(at, NEW_STORE "/store.db", err) < 0)
		return err_ret(err);
	return 0;
}

static int store_restore_run(struct cmd_call *call, struct err *err)
{
	const struct store_opts *o = call->opts;
	CLEANUP(place_fini) struct place at = PLACE_INIT;
	const char *backup, *old;
	int r = absolute(call, call->args[0], &backup, err);

	if (r == 0)
		r = lock_place(call, &at, err);
	if (r == -ERR_CONFLICT)
		return err_hint(err, "end it first: a store is restored while nobody has it");
	if (r < 0)
		return r;
	if (!o->replace && access(APISERVER_DB, F_OK) == 0)
		return err_set(err, ERR_EXISTS,
			       "restore: there is a store in '%s/%s/%s' already: with --replace it "
			       "is kept beside the restored one",
			       cli_of(call)->root, APISERVER_DIR, APISERVER_STORE);
	old = arena_printf(call->arena, "store.old-%lld", (long long)time(NULL));
	r = restore_into(&at, backup, err);
	if (r == 0)
		r = exchange(&at, old, err);
	if (r < 0)
		(void)fd_remove_tree(at.fd, NEW_STORE, NULL); /* the first failure is told */
	return r < 0 ? err_wrap(err, "restore") : say(call, "restored from %s\n", backup, err);
}

#define STORE_CMD(id, path_, args_, help_, n, run_)              \
	const struct cmd cmd_store_##id = { .path = path_,       \
					    .args = args_,       \
					    .help = help_,       \
					    .group = CLI_SYSTEM, \
					    .min = n,            \
					    .max = n,            \
					    .run = run_ }

STORE_CMD(backup, "store backup", "FILE",
	  "Copy the API server's database to a new file, also while it runs", 1, store_backup_run);
STORE_CMD(verify, "store verify", "", "Read every page and row of the API server's database", 0,
	  store_verify_run);
STORE_CMD(stats, "store stats", "", "Tell sizes of the API server's database", 0, store_stats_run);
STORE_CMD(compact, "store compact", "", "Drop the history of the API server's database", 0,
	  store_compact_run);

const struct cmd cmd_store_restore = {
	.path = "store restore",
	.args = "[OPTIONS] FILE",
	.help = "Make the API server's database from a backup",
	.details = "The server must not run. Revisions go on far behind those of the backup, so "
		   "clients that saw what is lost begin again from a list.",
	.opts = restore_opts,
	.opts_size = sizeof(struct store_opts),
	.group = CLI_SYSTEM,
	.min = 1,
	.max = 1,
	.run = store_restore_run,
};
