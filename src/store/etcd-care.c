/* SPDX-License-Identifier: Apache-2.0 */
/* Compaction, etcd's snapshot into a file, the members compared, figures. */
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/hash.h"
#include "linux/sys.h"
#include "store/etcd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { COMPACT_REVISION = 1 };
enum { SNAPSHOT_REMAINING = 2, SNAPSHOT_BLOB = 3 };
enum { HASH_REVISION = 1, HASH_HASH = 2, HASH_COMPACTED = 3 };
enum { ALARM_ALARMS = 2, ALARM_KIND = 2, ALARM_CORRUPT = 2 };
enum { STATUS_DB_SIZE = 3 };

static void finish(struct store_task *t, int result, const struct err *err)
{
	t->result = result;
	if (result < 0)
		t->err = *err;
	t->done(t);
}

/* ---- compaction ---- */

static void on_compacted(struct etcd_call *c, int result, struct slice answer, struct err *err)
{
	struct store_task *t = c->arg;

	(void)answer;
	if (result == -ERR_GONE)
		result = 0; /* somebody else was faster */
	if (result == 0)
		c->e->compacted = MAX(c->e->compacted, t->revision);
	finish(t, result, err);
}

void etcd_compact(struct store *s, struct store_task *t)
{
	struct pb_writer w = PB_WRITER_INIT(1u << 12);
	struct etcd_call *c;

	pb_field_varint(&w, COMPACT_REVISION, (uint64_t)t->revision);
	c = etcd_call_new(etcd_of(s), ETCD_KV, &etcd_compact_method, &w, on_compacted, t);
	c->twice = true;
	etcd_call_start(c);
}

/* ---- snapshot ---- */

struct etcd_task {
	struct list link; /* of e->tasks */
	struct etcd *e;
	struct store_task *t;
	struct grpc_call *call;
	char dir[PATH_MAX], part[NAME_MAX + 1];
	const char *name;
	int dirfd, fd;
	bool last;
	struct err err;
};

static void free_task(struct etcd_task *x)
{
	etcd_drop(&x->call);
	list_del(&x->link);
	if (x->fd >= 0) /* not published */
		(void)sys_unlinkat(x->dirfd, x->part, 0);
	fd_close(x->fd);
	fd_close(x->dirfd);
	free(x);
}

static void end_task(struct etcd_task *x, int result)
{
	struct store_task *t = x->t;
	struct err err = x->err;

	free_task(x);
	finish(t, result, &err);
}

static void on_blob(struct grpc_call *g, struct slice wire)
{
	struct etcd_task *x = grpc_arg(g);
	struct pb_reader r = pb_reader(wire);
	struct slice blob = { NULL, 0 };
	uint64_t remaining = 0;
	struct pb_field f;
	int got;

	while ((got = pb_next(&r, &f)) > 0) {
		if (f.number == SNAPSHOT_REMAINING && f.type == PB_VARINT)
			remaining = f.v;
		else if (f.number == SNAPSHOT_BLOB && f.type == PB_BYTES)
			blob = f.bytes;
	}
	if (x->err.code)
		return;
	if (got < 0)
		(void)etcd_malformed("snapshot", &r, &x->err);
	else if (blob.n && fd_write_all(x->fd, blob.p, blob.n) < 0)
		(void)err_sys(&x->err, "write '%s'", x->t->path);
	x->last = remaining == 0;
	if (x->err.code)
		end_task(x, err_ret(&x->err));
}

static int publish(struct etcd_task *x)
{
	if (fsync(x->fd) < 0)
		return err_sys(&x->err, "sync '%s'", x->t->path);
	if (linkat(x->dirfd, x->part, x->dirfd, x->name, 0) < 0)
		return errno == EEXIST
			       ? err_set(&x->err, ERR_EXISTS, "'%s' is there already", x->t->path)
			       : err_sys(&x->err, "name '%s'", x->t->path);
	(void)sys_unlinkat(x->dirfd, x->part, 0);
	fd_close(STEAL_FD(x->fd));
	return fd_fsync_dir(x->dirfd, &x->err);
}

static void on_snapshot_end(struct grpc_call *g, const struct grpc_status *st)
{
	struct etcd_task *x = grpc_arg(g);
	int r;

	x->call = NULL;
	if (st->code != GRPC_OK)
		r = etcd_error(st->code, st->message ? st->message : "",
			       x->e->endpoints[x->e->current].url, &x->err);
	else if (!x->last)
		r = err_set(&x->err, ERR_UNAVAILABLE, "etcd: the snapshot is cut off");
	else
		r = publish(x);
	grpc_unref(g);
	end_task(x, r);
}

static int open_part(struct etcd_task *x, const char *path)
{
	const char *slash = strrchr(path, '/');
	struct stat st;

	x->name = slash ? slash + 1 : path;
	if (snprintf(x->dir, sizeof(x->dir), "%.*s", slash ? (int)MAX(slash - path, 1) : 1,
		     slash ? path : ".") >= (int)sizeof(x->dir) ||
	    snprintf(x->part, sizeof(x->part), ".%s.%ld", x->name, (long)getpid()) >=
		    (int)sizeof(x->part))
		return err_set(&x->err, ERR_INVALID, "'%s': too long a name", path);
	x->dirfd = sys_openat(AT_FDCWD, x->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (x->dirfd < 0)
		return err_sys(&x->err, "open '%s'", x->dir);
	if (fstatat(x->dirfd, x->name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return err_set(&x->err, ERR_EXISTS, "'%s' is there already", path);
	x->fd = sys_openat(x->dirfd, x->part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
			   0600);
	return x->fd < 0 ? err_sys(&x->err, "make '%s'", path) : 0;
}

/* A task whose result stands: its done() comes at the end of the round. */
static void end_later(struct store_later *l)
{
	struct store_task *t =
		(struct store_task *)(void *)((char *)l - offsetof(struct store_task, private_));

	t->done(t);
}

static void fail_later(struct store *s, struct store_task *t, const struct err *err)
{
	t->result = err_ret(err);
	t->err = *err;
	store_later(s, (struct store_later *)(void *)t->private_, end_later);
}

void etcd_backup(struct store *s, struct store_task *t)
{
	static const struct grpc_events events = { .finished = on_snapshot_end };
	struct etcd_task *x = calloc(1, sizeof(*x));
	struct etcd *e = etcd_of(s);
	struct err err;

	if (!x)
		abort();
	x->e = e;
	x->t = t;
	x->fd = x->dirfd = -1;
	list_append(&e->tasks, &x->link);
	if (open_part(x, t->path) < 0 ||
	    etcd_stream(e, ETCD_MAINTENANCE, &etcd_snapshot_method, &x->call, &x->err) < 0) {
		err = x->err;
		x->call = NULL;
		free_task(x);
		fail_later(s, t, &err);
		return;
	}
	grpc_on(x->call, &events, x);
	grpc_on_bytes(x->call, on_blob);
	if (grpc_send_bytes(x->call, SLICE(""), &err) >= 0)
		grpc_half_close(x->call);
}

void etcd_tasks_end(struct etcd *e)
{
	struct etcd_task *x;

	while ((x = LIST_FIRST(&e->tasks, struct etcd_task, link))) {
		(void)err_set(&x->err, ERR_UNAVAILABLE, "the store is being closed");
		end_task(x, -ERR_UNAVAILABLE);
	}
}

/* ---- the members compared ---- */

/* Alarms first, then the hash of each member at one revision. */
struct checking {
	struct store_task *t;
	struct etcd *e;
	size_t i, first;
	int64_t revision;
	bool any;
	uint64_t hash, compacted;
};

static void ask_hash(struct checking *x);

static void end_check(struct checking *x, int result, const struct err *err)
{
	struct store_task *t = x->t;

	free(x);
	finish(t, result, err);
}

static int compare(struct checking *x, size_t i, struct slice answer, struct err *err)
{
	struct pb_reader r = pb_reader(answer);
	uint64_t hash = 0, compacted = 0;
	struct pb_field f;

	while (pb_next(&r, &f) > 0) {
		if (f.number == HASH_HASH && f.type == PB_VARINT)
			hash = f.v;
		else if (f.number == HASH_COMPACTED && f.type == PB_VARINT)
			compacted = f.v;
	}
	if (!x->any) {
		x->any = true;
		x->first = i;
		x->hash = hash;
		x->compacted = compacted;
		return 0;
	}
	/* Members that have compacted differently cannot be compared. */
	if (compacted == x->compacted && hash != x->hash)
		return err_set(err, ERR_INVALID,
			       "etcd: the members at %s and %s have different data at revision "
			       "%lld: one of them is damaged; remove and add that member anew",
			       x->e->endpoints[x->first].url, x->e->endpoints[i].url,
			       (long long)x->revision);
	return 0;
}

static void on_hash(struct etcd_call *c, int result, struct slice answer, struct err *err)
{
	struct checking *x = c->arg;

	if (result == 0)
		result = compare(x, c->endpoint, answer, err);
	if (result < 0 && result != -ERR_UNAVAILABLE) { /* a member that is away proves nothing */
		end_check(x, result, err);
		return;
	}
	x->i++;
	if (x->i < x->e->n)
		ask_hash(x);
	else if (!x->any)
		end_check(x, result, err);
	else
		end_check(x, 0, NULL);
}

static void ask_hash(struct checking *x)
{
	struct pb_writer w = PB_WRITER_INIT(1u << 12);
	struct etcd_call *c;

	pb_field_varint(&w, HASH_REVISION, (uint64_t)x->revision);
	c = etcd_call_new(x->e, ETCD_MAINTENANCE, &etcd_hash_method, &w, on_hash, x);
	c->fixed = true;
	c->endpoint = x->i;
	etcd_call_start(c);
}

static bool has_corrupt(struct slice answer)
{
	struct pb_reader r = pb_reader(answer);
	struct pb_field f, g;

	while (pb_next(&r, &f) > 0) {
		struct pb_reader a = pb_reader(f.bytes);

		if (f.number != ALARM_ALARMS || f.type != PB_BYTES)
			continue;
		while (pb_next(&a, &g) > 0) {
			if (g.number == ALARM_KIND && g.type == PB_VARINT && g.v == ALARM_CORRUPT)
				return true;
		}
	}
	return false;
}

static void on_alarms(struct etcd_call *c, int result, struct slice answer, struct err *err)
{
	struct checking *x = c->arg;

	if (result == 0 && has_corrupt(answer))
		result = err_set(err, ERR_INVALID,
				 "etcd: a member has raised the alarm CORRUPT; see etcdctl alarm "
				 "list, and remove and add that member anew");
	if (result < 0)
		end_check(x, result, err);
	else
		ask_hash(x);
}

void etcd_verify(struct store *s, struct store_task *t)
{
	struct pb_writer w = PB_WRITER_INIT(1u << 12);
	struct checking *x = calloc(1, sizeof(*x));
	struct etcd_call *c;

	if (!x)
		abort();
	x->t = t;
	x->e = etcd_of(s);
	x->revision = x->e->revision;
	c = etcd_call_new(x->e, ETCD_MAINTENANCE, &etcd_alarm_method, &w, on_alarms, x);
	c->twice = true;
	etcd_call_start(c);
}

/* ---- figures ---- */

static void on_status(struct etcd_call *c, int result, struct slice answer, struct err *err)
{
	struct pb_reader r = pb_reader(answer);
	struct pb_field f;

	(void)err;
	c->e->asking_stats = false;
	while (result == 0 && pb_next(&r, &f) > 0) {
		if (f.number == STATUS_DB_SIZE && f.type == PB_VARINT)
			c->e->bytes = f.v;
	}
}

static void on_count(struct etcd_call *c, int result, struct slice answer, struct err *err)
{
	struct etcd_range_answer a;

	if (result == 0 && etcd_read_range(c->e, answer, NULL, NULL, &a, err) == 0)
		c->e->keys = (uint64_t)a.count;
}

/* What the last such call has learned; the next ones are told what this one asks for. */
void etcd_stats(struct store *s, struct store_stats *ret)
{
	const struct etcd_range_request all = { .key = slice_of("\0", 1),
						.end = slice_of("\0", 1),
						.count_only = true };
	struct pb_writer w = PB_WRITER_INIT(1u << 12), v = PB_WRITER_INIT(1u << 12);
	struct etcd *e = etcd_of(s);
	struct list *l;

	*ret = (struct store_stats){ .revision = e->revision,
				     .compacted = e->compacted,
				     .keys = e->keys,
				     .bytes = e->bytes,
				     .commits = e->commits,
				     .events = e->events };
	for (l = e->watches.next; l != &e->watches; l = l->next)
		ret->watches++;
	if (e->asking_stats || s->closing)
		return;
	e->asking_stats = true;
	etcd_call_start(
		etcd_call_new(e, ETCD_MAINTENANCE, &etcd_status_method, &w, on_status, NULL));
	etcd_put_range(&v, &all);
	etcd_call_start(etcd_call_new(e, ETCD_KV, &etcd_range_method, &v, on_count, NULL));
}
