/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leases. A lease lives while its file leases/<id> is locked, and this boot lasts: a killed
 * holder's lease ends by itself, without a time-out that a slow one could miss. The row comes with
 * the first item, so a lease that only wants an ingest directory costs no commit.
 */
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/hash.h"
#include "image/private.h"
#include "linux/path.h"
#include "linux/sys.h"

#include <string.h>
#include <sys/file.h>

struct image_lease {
	struct image_store *is;
	char id[33];
	int file; /* locked */
	int dir;  /* ingest/<id>, or -1 */
	bool row;
};

/* Created and locked are two steps: a collector may come between them, take the lock and unlink the
 * file. */
static int lock_new(struct image_lease *l, struct err *err)
{
	for (int i = 0; i < 16; i++) {
		struct stat mine, now;

		random_hex(l->id, 32);
		l->file = sys_openat(l->is->leases, l->id, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
				     0600);
		if (l->file < 0)
			return err_sys(err, "create lease '%s'", l->id);
		if (flock(l->file, LOCK_EX | LOCK_NB) == 0 && sys_fstat(l->file, &mine) == 0 &&
		    sys_fstatat(l->is->leases, l->id, &now, AT_SYMLINK_NOFOLLOW) == 0 &&
		    mine.st_ino == now.st_ino)
			return 0;
		(void)sys_unlinkat(l->is->leases, l->id, 0);
		fd_close(STEAL_FD(l->file));
	}
	return err_set(err, ERR_UNAVAILABLE, "create a lease: its file is taken away each time");
}

int image_lease_new(struct image_store *is, struct image_lease **ret, struct err *err)
{
	struct image_lease *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		abort();
	l->is = is;
	l->dir = -1;
	r = lock_new(l, err);
	if (r < 0) {
		free(l);
		return r;
	}
	__atomic_add_fetch(&is->live, 1, __ATOMIC_RELAXED);
	*ret = l;
	return 0;
}

const char *image_lease_id(const struct image_lease *l)
{
	return l->id;
}

int image_lease_dirfd(struct image_lease *l, struct err *err)
{
	int r;

	if (l->dir >= 0)
		return l->dir;
	if (sys_mkdirat(l->is->ingest, l->id, 0700) < 0 && errno != EEXIST)
		return err_sys(err, "make ingest directory '%s'", l->id);
	r = path_open_beneath(l->is->ingest, l->id, O_RDONLY | O_DIRECTORY, 0, &l->dir, err);
	return r < 0 ? r : l->dir;
}

int image_lease_add_in(struct image_lease *l, struct db_conn *c, enum image_item kind,
		       const char *digest, struct err *err)
{
	int r;

	r = db_exec(c, err, "INSERT OR IGNORE INTO leases VALUES (?, ?, ?)", "tti", l->id,
		    l->is->boot, clock_real());
	if (r >= 0)
		r = db_exec(c, err, "INSERT OR IGNORE INTO lease_items VALUES (?, ?, ?)", "tit",
			    l->id, (int64_t)kind, digest);
	if (r >= 0)
		l->row = true;
	return r;
}

struct add {
	struct image_lease *l;
	enum image_item kind;
	const char *digest;
};

static int run_add(void *ctx, struct db_conn *c, struct err *err)
{
	struct add *a = ctx;

	return image_lease_add_in(a->l, c, a->kind, a->digest, err);
}

int image_lease_add(struct image_lease *l, enum image_item kind, const char *digest,
		    struct err *err)
{
	struct add a = { l, kind, digest };

	if (image_digest_check(slice_str(digest), err) < 0)
		return err_ret(err);
	return db_write_wait(l->is->db, run_add, &a, err);
}

bool image_lease_dead(struct image_store *is, const char *id, const char *boot)
{
	CLEANUP(fd_close) int fd = -1;

	if (boot && strcmp(boot, is->boot) != 0)
		return true;
	fd = sys_openat(is->leases, id, O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0);
	if (fd < 0)
		return errno == ENOENT;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return false;
	/* Ours now, so its holder is gone; while we hold the lock nobody else can think it is his.
	 */
	(void)sys_unlinkat(is->leases, id, 0);
	return true;
}

static int run_end(void *ctx, struct db_conn *c, struct err *err)
{
	struct image_lease *l = ctx;
	int r;

	r = image_gc_doubt_lease(c, l->id, err);
	return r < 0 ? r : db_exec(c, err, "DELETE FROM leases WHERE id = ?", "t", l->id);
}

void image_lease_free(struct image_lease *l)
{
	if (!l)
		return;
	/* What fails here is found again by the next collection: the lock ends with the file. */
	if (l->row)
		(void)db_write_wait(l->is->db, run_end, l, NULL);
	if (l->dir >= 0)
		(void)fd_remove_tree(l->is->ingest, l->id, NULL);
	(void)sys_unlinkat(l->is->leases, l->id, 0);
	fd_close(l->dir);
	fd_close(l->file);
	__atomic_sub_fetch(&l->is->live, 1, __ATOMIC_RELAXED);
	free(l);
}
