/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The members of a cgroup: joining, listing, signalling, freezing.
 *
 * A pid read from cgroup.procs can be reused before it is signalled. So pids become pidfds first,
 * then the list is read again, and only those on both lists are signalled: whoever the pidfd stands
 * for is in the cgroup.
 */
#include "base/err.h"
#include "base/fd.h"
#include "base/str.h"
#include "linux/cgroup-priv.h"
#include "linux/sys.h"

#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	DEPTH_MAX = 64,
	PIDS_FILE_MAX = 16 * 1024 * 1024,
	ROUND_MAX = 512, /* pidfds at once */
};

int cgroup_open_procs(struct cgroup *cg, struct err *err)
{
	for (unsigned i = 0; i < cg->n; i++) {
		struct cgroup_part *p = &cg->parts[i];

		if (p->procs >= 0)
			continue;
		if (p->dir < 0)
			return err_set(err, ERR_NOT_FOUND, "cgroup '%s%s' is gone", p->hier->mount,
				       cg->full);
		p->procs = sys_openat(p->dir, p->hier->v2 ? "cgroup.procs" : "tasks",
				      O_WRONLY | O_CLOEXEC, 0);
		if (p->procs < 0)
			return err_sys(err, "open the task file of '%s%s'", p->hier->mount,
				       cg->full);
	}
	return 0;
}

unsigned cgroup_enter_fds(const struct cgroup *cg, int *fds, unsigned max)
{
	unsigned n = 0;

	for (unsigned i = 0; i < cg->n && n < max; i++)
		if (cg->parts[i].procs >= 0)
			fds[n++] = cg->parts[i].procs;
	return n;
}

static int add_failed(const struct cgroup *cg, const struct cgroup_part *p, struct err *err)
{
	int saved = errno;

	(void)err_sysc(err, ERR_SYSTEM, saved, "join cgroup '%s%s'", p->hier->mount, cg->full);
	if (saved == EBUSY && p->hier->v2)
		return err_hint(err, "it has controllers switched on for its children, so it can "
				     "hold no process itself");
	if (saved == ENOSPC)
		return err_hint(err, "its cpuset has no CPUs or no memory nodes");
	return -ERR_SYSTEM;
}

int cgroup_enter(const struct cgroup *cg, struct err *err)
{
	for (unsigned i = 0; i < cg->n; i++)
		if (cg->parts[i].procs >= 0 && sys_write(cg->parts[i].procs, "0", 1) < 0)
			return add_failed(cg, &cg->parts[i], err);
	return 0;
}

int cgroup_add(struct cgroup *cg, pid_t pid, struct err *err)
{
	char text[16];

	(void)snprintf(text, sizeof(text), "%d", (int)pid);
	for (unsigned i = 0; i < cg->n; i++) {
		if (cg->parts[i].dir < 0)
			return err_set(err, ERR_NOT_FOUND, "cgroup '%s%s' is gone",
				       cg->parts[i].hier->mount, cg->full);
		if (cgroup_write(cg->parts[i].dir, "cgroup.procs", text) >= 0)
			continue;
		if (errno == ESRCH)
			return err_sysc(err, ERR_NOT_FOUND, errno,
					"move process %d into cgroup '%s'", (int)pid, cg->full);
		(void)add_failed(cg, &cg->parts[i], err);
		return err_wrap(err, "process %d", (int)pid);
	}
	return 0;
}

struct list {
	pid_t *pids;
	size_t max, n;
};

/* ENOENT and ENODEV: the child cgroup went away under us, and its processes before. */
static bool went_away(void)
{
	return errno == ENOENT || errno == ENODEV;
}

static int list_one(int dir, struct list *l)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(PIDS_FILE_MAX);
	struct err why = ERR_INIT;
	char *rest, *line;

	if (fd_read_file(dir, "cgroup.procs", &b, &why) < 0) {
		errno = why.sys ? why.sys : E2BIG;
		return went_away() ? 0 : -1;
	}
	rest = b.p;
	while (rest && (line = strsep(&rest, "\n"))) {
		int pid;

		/* 0 is a process that this pid namespace cannot see. */
		if (sscanf(line, "%d", &pid) != 1 || pid <= 0)
			continue;
		if (l->n < l->max)
			l->pids[l->n] = pid;
		l->n++;
	}
	return 0;
}

static int list_tree(int dir, struct list *l, int depth)
{
	int fd, r = list_one(dir, l);
	struct dirent *e;
	DIR *d;

	if (r < 0 || depth == DEPTH_MAX)
		return r;
	fd = sys_openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (fd < 0)
		return went_away() ? 0 : -1;
	d = fdopendir(fd);
	if (!d) {
		fd_close(fd);
		return -1;
	}
	while (r == 0 && (e = readdir(d))) {
		CLEANUP(fd_close) int child = -1;

		if (e->d_type != DT_DIR || !strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		child = sys_openat(dir, e->d_name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
				   0);
		if (child >= 0)
			r = list_tree(child, l, depth + 1);
		else if (!went_away())
			r = -1;
	}
	closedir(d);
	return r;
}

int cgroup_pids_of(int dir, pid_t *pids, size_t max, size_t *ret_n)
{
	struct list l = { .pids = pids, .max = max };

	if (list_tree(dir, &l, 0) < 0)
		return -1;
	*ret_n = l.n;
	return 0;
}

int cgroup_pids(const struct cgroup *cg, pid_t *pids, size_t max, size_t *ret_n, struct err *err)
{
	const struct cgroup_part *p = cgroup_main_part(cg);

	*ret_n = 0;
	if (p && cgroup_pids_of(p->dir, pids, max, ret_n) < 0)
		return err_sys(err, "list the processes of cgroup '%s%s'", p->hier->mount,
			       cg->full);
	return 0;
}

int cgroup_populated(const struct cgroup *cg, struct err *err)
{
	const struct cgroup_part *p = cgroup_v2_part(cg);
	uint64_t v;
	size_t n = 0;
	int r;

	if (p) {
		if (cgroup_read_key(p->dir, "cgroup.events", "populated", &v) == 0)
			return v != 0;
		if (went_away())
			return 0;
		return err_sys(err, "read cgroup.events of '%s'", cg->full);
	}
	r = cgroup_pids(cg, NULL, 0, &n, err);
	return r < 0 ? r : n > 0;
}

/* ---- signals ---- */

struct round {
	pid_t pids[ROUND_MAX], again[ROUND_MAX];
	int fds[ROUND_MAX];
	struct pollfd poll[ROUND_MAX];
	size_t n, seen;
};

int cgroup_by_pid(const void *a, const void *b)
{
	pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;

	return (x > y) - (x < y);
}

/* Pidfds of members (at most ROUND_MAX; r->seen is how many there are), and the second list to
 * check against. */
static int round_open(const struct cgroup *cg, struct round *r, struct err *err)
{
	size_t n = 0;
	int ret = cgroup_pids(cg, r->pids, ROUND_MAX, &r->seen, err);

	if (ret < 0)
		return ret;
	r->n = MIN(r->seen, (size_t)ROUND_MAX);
	for (size_t i = 0; i < r->n; i++)
		r->fds[i] = sys_pidfd_open(r->pids[i], 0); /* -1: ended meanwhile */
	ret = cgroup_pids(cg, r->again, ROUND_MAX, &n, err);
	n = ret < 0 ? 0 : MIN(n, (size_t)ROUND_MAX);
	qsort(r->again, n, sizeof(pid_t), cgroup_by_pid);
	for (size_t i = 0; i < r->n; i++) {
		if (r->fds[i] >= 0 &&
		    !bsearch(&r->pids[i], r->again, n, sizeof(pid_t), cgroup_by_pid)) {
			fd_close(r->fds[i]);
			r->fds[i] = -1;
		}
	}
	return ret;
}

static void round_close(struct round *r)
{
	for (size_t i = 0; i < r->n; i++)
		fd_close(r->fds[i]);
	r->n = 0;
}

static int round_signal(struct round *r, int sig, struct err *err)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->fds[i] >= 0 && sys_pidfd_send_signal(r->fds[i], sig, NULL) < 0 &&
		    errno != ESRCH)
			return err_sys(err, "send signal %d to process %d", sig, (int)r->pids[i]);
	return 0;
}

int cgroup_signal(struct cgroup *cg, int sig, struct err *err)
{
	CLEANUP_FREE struct round *r = calloc(1, sizeof(*r));
	int ret;

	if (!r)
		abort();
	ret = round_open(cg, r, err);
	if (ret == 0 && r->seen > ROUND_MAX)
		ret = err_set(
			err, ERR_TOO_LARGE,
			"cgroup '%s' has %zu processes; at most %d can be signalled one by one",
			cg->full, r->seen, ROUND_MAX);
	if (ret == 0)
		ret = round_signal(r, sig, err);
	round_close(r);
	return ret;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Until all pidfds have ended, or the time is up. */
static void round_wait(struct round *r, int64_t end)
{
	for (;;) {
		nfds_t n = 0;
		int64_t left = end - now_ms();

		for (size_t i = 0; i < r->n; i++)
			if (r->fds[i] >= 0)
				r->poll[n++] = (struct pollfd){ .fd = r->fds[i], .events = POLLIN };
		if (n == 0 || left <= 0 || poll(r->poll, n, (int)left) < 0)
			return;
		for (nfds_t k = 0; k < n; k++)
			for (size_t i = 0; r->poll[k].revents && i < r->n; i++)
				if (r->fds[i] == r->poll[k].fd) {
					fd_close(r->fds[i]);
					r->fds[i] = -1;
				}
	}
}

/* Frozen processes cannot fork away from us; what cannot be frozen is killed in more rounds. */
static void hold(struct cgroup *cg, bool on)
{
	const struct cgroup_part *p = cgroup_part_of(cg, CGROUP_FREEZER);

	if (p && !p->hier->v2)
		(void)cgroup_write(p->dir, "freezer.state", on ? "FROZEN" : "THAWED");
	else if (p || (p = cgroup_v2_part(cg)))
		(void)cgroup_write(p->dir, "cgroup.freeze", on ? "1" : "0");
}

static int kill_round(struct cgroup *cg, struct round *r, int64_t end, struct err *err)
{
	int ret;

	hold(cg, true);
	ret = round_open(cg, r, err);
	if (ret == 0)
		ret = round_signal(r, SIGKILL, err);
	hold(cg, false); /* SIGKILL waits in a frozen v1 process */
	if (ret == 0)
		round_wait(r, MIN(end, now_ms() + 100));
	round_close(r);
	return ret;
}

/* v2 tells by an event when the last one has gone. */
static int wait_empty_v2(const struct cgroup *cg, const struct cgroup_part *p, int64_t end,
			 struct err *err)
{
	CLEANUP(fd_close) int fd = sys_openat(p->dir, "cgroup.events", O_RDONLY | O_CLOEXEC, 0);
	char text[128];

	while (fd >= 0) {
		struct pollfd pfd = { .fd = fd, .events = POLLPRI };
		ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
		int64_t left = end - now_ms();

		if (n < 0)
			break;
		text[n] = 0;
		if (strstr(text, "populated 0"))
			return 0;
		if (left <= 0)
			return 1;
		if (poll(&pfd, 1, (int)left) < 0 && errno != EINTR)
			break;
	}
	if (went_away())
		return 0;
	return err_sys(err, "wait until cgroup '%s' is empty", cg->full);
}

static int still_there(const struct cgroup *cg, struct err *err)
{
	pid_t pid = 0;
	size_t n = 0;

	(void)cgroup_pids(cg, &pid, 1, &n, NULL);
	return err_set(err, ERR_TIMEOUT,
		       "kill all in cgroup '%s': %zu processes are left, one is %d", cg->full, n,
		       (int)pid);
}

int cgroup_kill(struct cgroup *cg, int timeout_ms, struct err *err)
{
	const struct cgroup_part *v2 = cgroup_v2_part(cg);
	int64_t end = now_ms() + timeout_ms;
	CLEANUP_FREE struct round *r = NULL;
	int ret;

	if (v2 && cgroup_write(v2->dir, "cgroup.kill", "1") == 0) {
		ret = wait_empty_v2(cg, v2, end, err);
		return ret == 1 ? still_there(cg, err) : ret;
	}
	/* v1, or v2 before 5.14 */
	r = calloc(1, sizeof(*r));
	if (!r)
		abort();
	for (;;) {
		ret = cgroup_populated(cg, err);
		if (ret <= 0)
			return ret;
		ret = kill_round(cg, r, end, err);
		if (ret < 0)
			return ret;
		if (now_ms() >= end)
			return cgroup_populated(cg, NULL) == 1 ? still_there(cg, err) : 0;
	}
}

/* ---- freezer ---- */

static const struct cgroup_part *freezer(const struct cgroup *cg, struct err *err)
{
	const struct cgroup_part *p = cgroup_part_of(cg, CGROUP_FREEZER);

	if (!p)
		p = cgroup_v2_part(cg);
	if (!p)
		(void)err_set(err, ERR_UNSUPPORTED,
			      "cgroup '%s' was made without the freezer controller", cg->full);
	return p;
}

/* 1 frozen, 0 not (yet), 2 on the way (v1) */
static int freezer_state(const struct cgroup *cg, const struct cgroup_part *p, struct err *err)
{
	char text[64];
	uint64_t v = 0;

	if (p->hier->v2) {
		if (cgroup_read_key(p->dir, "cgroup.events", "frozen", &v) < 0)
			return err_sys(err, "read cgroup.events of '%s'", cg->full);
		return v ? 1 : 0;
	}
	if (cgroup_read(p->dir, "freezer.state", text, sizeof(text)) < 0)
		return err_sys(err, "read freezer.state of '%s'", cg->full);
	return !strcmp(text, "FROZEN") ? 1 : !strcmp(text, "FREEZING") ? 2 : 0;
}

static int freezer_set(const struct cgroup *cg, const struct cgroup_part *p, bool on,
		       struct err *err)
{
	int r = p->hier->v2 ? cgroup_write(p->dir, "cgroup.freeze", on ? "1" : "0")
			    : cgroup_write(p->dir, "freezer.state", on ? "FROZEN" : "THAWED");

	return r < 0 ? err_sys(err, "%s cgroup '%s'", on ? "freeze" : "thaw", cg->full) : 0;
}

static void freezer_wait(const struct cgroup_part *p, int ms)
{
	CLEANUP(fd_close)
	int fd = p->hier->v2 ? sys_openat(p->dir, "cgroup.events", O_RDONLY | O_CLOEXEC, 0) : -1;
	struct pollfd pfd = { .fd = fd, .events = POLLPRI };

	(void)poll(&pfd, fd >= 0 ? 1 : 0, ms);
}

int cgroup_freeze(struct cgroup *cg, int timeout_ms, struct err *err)
{
	const struct cgroup_part *p = freezer(cg, err);
	int64_t end = now_ms() + timeout_ms;
	int r, ms = 1;

	if (!p)
		return err ? err_ret(err) : -ERR_UNSUPPORTED;
	for (;;) {
		/* v1 asks again: a process that was just forking comes under the freezer only then.
		 */
		r = freezer_set(cg, p, true, err);
		if (r == 0)
			r = freezer_state(cg, p, err);
		if (r == 1)
			return 0;
		if (r < 0 || now_ms() >= end) {
			(void)freezer_set(cg, p, false, NULL);
			return r < 0 ? r
				     : err_set(err, ERR_TIMEOUT,
					       "freeze cgroup '%s': not frozen after %d ms",
					       cg->full, timeout_ms);
		}
		freezer_wait(p, ms);
		ms = MIN(ms * 2, 20);
	}
}

int cgroup_thaw(struct cgroup *cg, struct err *err)
{
	const struct cgroup_part *p = freezer(cg, err);

	if (!p)
		return err ? err_ret(err) : -ERR_UNSUPPORTED;
	return freezer_set(cg, p, false, err);
}

int cgroup_frozen(const struct cgroup *cg, struct err *err)
{
	const struct cgroup_part *p = freezer(cg, err);
	int r;

	if (!p)
		return err ? err_ret(err) : -ERR_UNSUPPORTED;
	r = freezer_state(cg, p, err);
	return r > 0 ? 1 : r;
}
