/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting the fenced helper and hearing its report. The helper gets four fds and nothing else: no
 * environment, no other descriptor, no memory. What it reports is foreign: bounded and checked
 * here.
 */
#include "image/helper.h"

#include "base/err.h"
#include "base/fd.h"
#include "image/lazy-index.h"
#include "image/report.h"
#include "image/unpack.h"
#include "linux/sys.h"

#include <inttypes.h>
#include <string.h>

#define FD_EXTRA 5
#define EXTRA_MAX 130
#define FD_HIGH (FD_EXTRA + EXTRA_MAX + 1) /* above every number that the child uses */

struct spawned {
	const char *program;
	char *argv[7];
	int fds[FD_EXTRA + EXTRA_MAX]; /* becomes fd 0, 1, (2), 3, 4, ...; -1 = /dev/null */
	int n;
};

/* Runs on the parent's memory (CLONE_VFORK) until exec. */
static int child_main(void *arg)
{
	const struct spawned *c = arg;
	char *const env[] = { NULL };
	int null;

	if (proc_reset_signals(NULL) < 0)
		return 126;
	null = sys_openat(AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC, 0);
	for (int i = 0; i < c->n; i++) {
		int from = c->fds[i] >= 0 ? c->fds[i] : null;

		if (i != STDERR_FILENO && (from < 0 || sys_dup3(from, i, 0) < 0))
			return 126;
	}
	if (sys_close_range((unsigned)c->n, ~0u, CLOSE_RANGE_CLOEXEC) < 0 && errno != ENOSYS &&
	    errno != EINVAL)
		return 126;
	sys_execveat(AT_FDCWD, c->program, c->argv, env, 0);
	return 127;
}

static int high(int fd)
{
	return fd < 0 ? -1 : sys_fcntl(fd, F_DUPFD_CLOEXEC, FD_HIGH);
}

static int make_pipe(bool wanted, int ret[2], struct err *err)
{
	int p[2];

	ret[0] = ret[1] = -1;
	if (!wanted)
		return 0;
	if (sys_pipe2(p, O_CLOEXEC) < 0)
		return err_sys(err, "make a pipe");
	/* Fewer switches between the processes; the limit per user may say no. */
	(void)sys_fcntl(p[0], F_SETPIPE_SZ, 1 << 20);
	ret[0] = high(p[0]);
	ret[1] = high(p[1]);
	fd_close(p[0]);
	fd_close(p[1]);
	if (ret[0] < 0 || ret[1] < 0) {
		err_sys(err, "make a pipe");
		fd_close(ret[0]);
		fd_close(ret[1]);
		return err_ret(err);
	}
	return 0;
}

static int spawn(const struct helper_start *s, struct spawned *c, struct helper *h, struct err *err)
{
	char size[24], entries[24], flags[24];
	struct proc_clone pc = { .fn = child_main, .arg = c, .cgroup_fd = -1, .shared = true };
	char *argv[] = {
		(char *)"teu", (char *)IMAGE_UNPACK_ROLE, (char *)s->mode, size, entries, flags,
		NULL
	};

	snprintf(size, sizeof(size), "%" PRIu64, s->size_max);
	snprintf(entries, sizeof(entries), "%" PRIu64, s->entries_max);
	snprintf(flags, sizeof(flags), "%u", s->flags);
	memcpy(c->argv, argv, sizeof(argv));
	c->program = s->program;
	return proc_clone(&pc, &h->proc, err);
}

static void close_extra(struct spawned *c)
{
	for (; c->n > FD_EXTRA; c->n--)
		fd_close(c->fds[c->n - 1]);
}
DEFINE_CLEANUP_EMBEDDED(struct spawned, close_extra)

static int take_extra(const struct helper_start *s, struct spawned *c, struct err *err)
{
	if (s->nextra > EXTRA_MAX)
		return err_set(err, ERR_TOO_LARGE, "%zu layers; at most %d can be read at once",
			       s->nextra, EXTRA_MAX);
	for (size_t i = 0; i < s->nextra; i++) {
		c->fds[c->n] = high(s->extra[i]);
		if (c->fds[c->n] < 0)
			return err_sys(err, "unpack helper: duplicate a descriptor");
		c->n++;
	}
	return 0;
}

int helper_start(const struct helper_start *s, struct helper *ret, struct err *err)
{
	CLEANUP(fd_close) int in_r = -1, in_w = -1, out_r = -1, out_w = -1, rep_r = -1, rep_w = -1;
	CLEANUP(fd_close) int input = high(s->input), root = high(s->root);
	CLEANUP(fd_close) int given = s->output_to ? high(*s->output_to) : -1;
	CLEANUP(close_extra) struct spawned c = { .n = FD_EXTRA };
	int p[2], r;

	*ret = (struct helper){
		.proc.pidfd = -1, .mode = s->mode, .in = -1, .out = -1, .report = -1
	};
	r = make_pipe(s->input < 0, p, err);
	in_r = p[0];
	in_w = p[1];
	if (r >= 0) {
		r = make_pipe(s->output, p, err);
		out_r = p[0];
		out_w = p[1];
	}
	if (r >= 0) {
		r = make_pipe(true, p, err);
		rep_r = p[0];
		rep_w = p[1];
	}
	if (r < 0)
		return r;
	if (root < 0 || (s->input >= 0 && input < 0) || (s->output_to && given < 0))
		return err_sys(err, "unpack helper: duplicate a descriptor");
	c.fds[0] = s->input < 0 ? in_r : input;
	c.fds[1] = s->output_to ? given : out_w;
	c.fds[2] = -1;
	c.fds[UNPACK_FD_REPORT] = rep_w;
	c.fds[UNPACK_FD_ROOT] = root;
	r = take_extra(s, &c, err);
	if (r < 0)
		return r;
	r = spawn(s, &c, ret, err);
	if (r < 0)
		return err_wrap(err, "start the unpack helper '%s'", s->program);
	ret->in = STEAL_FD(in_w);
	ret->out = STEAL_FD(out_r);
	ret->report = STEAL_FD(rep_r);
	return 0;
}

static void close_ends(struct helper *h)
{
	fd_close(STEAL_FD(h->in));
	fd_close(STEAL_FD(h->out));
}

static int died(const struct helper *h, const struct proc_exit *x, struct err *err)
{
	if (x->signalled)
		return err_set(
			err, ERR_INVALID,
			"the fenced helper (%s) was ended by signal %d; the archive may be hostile",
			h->mode, x->status);
	return err_set(err, ERR_SYSTEM, "the fenced helper (%s) ended with status %d and no report",
		       h->mode, x->status);
}

static int take_report(struct helper *h, struct helper_result *res, struct err *err)
{
	const size_t extra_max = strcmp(h->mode, "index") == 0 ? LAZY_FILE_MAX : UNPACK_EXTRA_MAX;
	struct unpack_report rp;
	ssize_t n;
	char *room;

	n = fd_read_full(h->report, &rp, sizeof(rp));
	if (n != (ssize_t)sizeof(rp) || rp.magic != UNPACK_MAGIC || rp.code >= ERR_CODE_COUNT ||
	    rp.extra > extra_max)
		return 1;
	rp.msg[sizeof(rp.msg) - 1] = '\0';
	if (rp.code) {
		err_set(err, (enum err_code)rp.code, "%s", rp.msg);
		if (err)
			err->sys = rp.sys;
		return -(int)rp.code;
	}
	res->entries = rp.entries;
	res->bytes = rp.bytes;
	res->extra = BUF_INIT(extra_max);
	room = rp.extra ? buf_room(&res->extra, rp.extra) : NULL;
	if (!room)
		return 0;
	if (fd_read_full(h->report, room, rp.extra) != (ssize_t)rp.extra)
		return 1;
	res->extra.n = rp.extra;
	return 0;
}

void helper_result_fini(struct helper_result *r)
{
	buf_fini(&r->extra);
}

int helper_finish(struct helper *h, struct helper_result *ret, struct err *err)
{
	struct helper_result res = { 0 };
	struct proc_exit x = { 0 };
	int r, w;

	close_ends(h);
	r = take_report(h, &res, err);
	fd_close(STEAL_FD(h->report));
	w = proc_wait(h->proc.pidfd, -1, &x, r ? NULL : err);
	proc_fini(&h->proc);
	h->proc.pidfd = -1;
	if (r == 1 || (r == 0 && w >= 0 && (x.signalled || x.status)))
		r = died(h, &x, err);
	else if (r == 0 && w < 0)
		r = w;
	if (r < 0) {
		helper_result_fini(&res);
		return r;
	}
	*ret = res;
	return 0;
}

void helper_kill(struct helper *h)
{
	struct proc_exit x;

	close_ends(h);
	fd_close(STEAL_FD(h->report));
	if (h->proc.pidfd < 0)
		return;
	(void)proc_signal(h->proc.pidfd, SIGKILL,
			  NULL); /* gone already: then there is only the wait */
	(void)proc_wait(h->proc.pidfd, -1, &x, NULL);
	proc_fini(&h->proc);
	h->proc.pidfd = -1;
}
