/* SPDX-License-Identifier: Apache-2.0 */
/* The embedded kind: opening, closing, figures. */
#include "store/sqlite.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#define KEEP_AGE (300 * 1000000000LL)
#define KEEP_REVISIONS 1000000u
#define CACHE_KIB 1024
#define PAGE_SIZE 8192
#define QUEUE_MAX (1u << 30)

static void sq_free(struct sq *s)
{
	work_pool_free(s->reader);
	work_pool_free(s->carer);
	db_close(s->rdb);
	db_close(s->db);	      /* runs what is queued; requests are finished in here, */
	loop_run_posts(s->base.loop); /* or had been posted before */
	sq_write_reject(s);
	sq_care_fini(s);
	sq_watch_fini(s);
	timer_fini(&s->expiry);
	sq_write_fini(s);
	store_fini(&s->base);
	fd_close(s->lock_fd);
	free(s->path);
	free(s);
}
DEFINE_CLEANUP(struct sq *, sq_free)

/* One process at a time: another one's commits would not reach our watches. */
static int lock_file(struct sq *s, struct err *err)
{
	s->lock_fd = openat(AT_FDCWD, s->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (s->lock_fd < 0)
		return err_sys(err, "open store '%s'", s->path);
	if (flock(s->lock_fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno == EWOULDBLOCK)
		return err_set(err, ERR_UNAVAILABLE, "store '%s': another process has it open",
			       s->path);
	return err_sys(err, "lock store '%s'", s->path);
}

static int open_dbs(struct sq *s, struct err *err)
{
	struct db_options o = { .path = s->path,
				.app_id = SQ_APP_ID,
				.schema = sq_schema,
				.nschema = sq_nschema,
				.loop = s->base.loop,
				.page_size = PAGE_SIZE,
				.cache_kib = s->o.cache_kib,
				.steady = true };
	int r = db_open(&o, &s->db, err);

	if (r < 0)
		return r;
	o.read_only = true;
	o.steady = false;
	return db_open(&o, &s->rdb, err);
}

static int load(struct sq *s, struct err *err)
{
	struct db_conn *c = db_reader(s->db);
	int64_t keys = 0, cleaned = 0, marked = 0;
	int r = sq_meta(c, &s->revision, &s->compacted, err);

	if (r >= 0)
		r = db_query_int(c, &keys, err, "SELECT count(*) FROM cur WHERE removed=0", "");
	if (r >= 0)
		r = db_query_int(c, &cleaned, err, "SELECT cleaned FROM meta", "");
	if (r >= 0)
		r = db_query_int(c, &marked, err, "SELECT max(revision) FROM marks", "");
	if (r < 0)
		return r;
	s->stats.keys = (uint64_t)keys;
	s->cleaned = SQ_REVISION_OF(cleaned + 1) - 1;
	s->marked = marked;
	return sq_expiry_start(s, err);
}

static struct sq *sq_new(const struct store_sqlite_options *o)
{
	struct sq *s = calloc(1, sizeof(*s));

	if (!s)
		abort();
	s->o = *o;
	s->o.keep_age = o->keep_age ? o->keep_age : KEEP_AGE;
	s->o.keep_revisions = o->keep_revisions ? o->keep_revisions : KEEP_REVISIONS;
	s->o.cache_kib = o->cache_kib ? o->cache_kib : CACHE_KIB;
	s->path = strdup(o->path);
	if (!s->path)
		abort();
	s->o.path = s->path;
	s->lock_fd = -1;
	store_init(&s->base, &sq_kind, o->loop);
	sq_write_init(s);
	sq_watch_init(s);
	sq_care_init(s);
	return s;
}

int store_open_sqlite(const struct store_sqlite_options *o, struct store **ret, struct err *err)
{
	CLEANUP(sq_free) struct sq *s = sq_new(o);
	int r;

	r = lock_file(s, err);
	if (r < 0)
		return r;
	r = open_dbs(s, err);
	if (r >= 0)
		r = work_pool_new(o->loop, 1, QUEUE_MAX, &s->reader, err);
	if (r >= 0)
		r = work_pool_new(o->loop, 1, QUEUE_MAX, &s->carer, err);
	if (r >= 0)
		r = load(s, err);
	if (r == -ERR_INVALID) {
		(void)err_hint(err, "the store is made anew from a backup (restore)");
		return r;
	}
	if (r < 0)
		return r;
	sq_care_kick(s);
	*ret = &STEAL(s)->base;
	return 0;
}

static void sq_close(struct store *st)
{
	struct sq *s = sq_of(st);

	s->base.closing = true;
	atomic_store(&s->closing, true);
	sq_pump(&s->pump); /* what waits for the round's end goes with the last batch */
	loop_run_posts(s->base.loop);
	sq_free(s);
}

static int64_t sq_revision(const struct store *st)
{
	return sq_of(st)->revision;
}

static void sq_stats(struct store *st, struct store_stats *ret)
{
	struct sq *s = sq_of(st);
	struct stat sb;

	*ret = s->stats;
	ret->revision = s->revision;
	ret->compacted = s->compacted;
	ret->bytes = fstat(s->lock_fd, &sb) == 0 ? (uint64_t)sb.st_size : 0;
}

const struct store_kind sq_kind = {
	.close = sq_close,
	.revision = sq_revision,
	.commit = sq_commit,
	.range = sq_range,
	.watch = sq_watch,
	.unwatch = sq_unwatch,
	.progress = sq_progress,
	.lease = sq_lease,
	.compact = sq_compact,
	.backup = sq_backup,
	.verify = sq_verify,
	.stats = sq_stats,
};
