/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes: made by clone3, held by pidfd, recognised after a restart by their start time.
 *
 * A pid alone is never trusted: it can be reused. proc_open() gives a pidfd only if the start time
 * still agrees.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

struct proc_clone {
	uint64_t flags;	      /* CLONE_NEW* and CLONE_PARENT only */
	int (*fn)(void *arg); /* runs in the child; its result is the exit status */
	void *arg;
	int cgroup_fd; /* cgroup v2 directory to be born in, or -1 */
	bool shared;  /* CLONE_VM|CLONE_VFORK: no copy of page tables; the parent stands still until
			 exec or exit */
	size_t stack; /* with shared: bytes of stack, 0 = 64 KiB */
};
struct proc {
	pid_t pid;
	int pidfd;	/* owned */
	bool in_cgroup; /* false: cgroup_fd could not be used (v1 directory, old kernel): join by
			   cgroup_enter */
};
void proc_fini(struct proc *p); /* closes the pidfd; the process lives on */
static inline void proc_fini_cleanup_(struct proc *p)
{
	proc_fini(p);
}

/*
 * In a shared child the memory is the parent's: no malloc that is not freed, no stdio; err structs
 * may be written. Signal handlers are inherited. Without clone3 (ENOSYS under old seccomp filters)
 * clone(2) is used; then a new time namespace fails with UNSUPPORTED.
 */
int proc_clone(const struct proc_clone *c, struct proc *ret, struct err *err);

/* Open, and identity. */
int proc_pidfd(pid_t pid, int *ret_fd, struct err *err); /* NOT_FOUND if there is none */
/* Clock ticks since boot, field 22 of /proc/PID/stat; `state` (may be NULL): the letter. NOT_FOUND
 * if gone. */
int proc_start_time(pid_t pid, uint64_t *ret, char *state, struct err *err);
/* pidfd of the process `pid` that started at `start`; NOT_FOUND if it is gone, a zombie or another
 * one. */
int proc_open(pid_t pid, uint64_t start, int *ret_fd, struct err *err);
/* The pid behind a pidfd as seen here (fdinfo); NOT_FOUND once reaped. */
int proc_pid_of(int pidfd, pid_t *ret, struct err *err);

/* NOT_FOUND if the process is gone. sig 0 only asks. */
int proc_signal(int pidfd, int sig, struct err *err);

struct proc_exit {
	int status; /* exit status, or the signal's number */
	bool signalled;
	bool core;
};
/* 128+signal or status: what shells and docker report. */
int proc_exit_code(const struct proc_exit *e);
/* Waits for a child and reaps it. timeout_ms -1 = for ever; 1 if it still runs then. */
int proc_wait(int pidfd, int timeout_ms, struct proc_exit *ret, struct err *err);
/* Waits until a process, child or not, has ended, without reaping. 1 on time-out. */
int proc_poll(int pidfd, int timeout_ms, struct err *err);

/* Settings of the calling process. */
int proc_set_dumpable(bool on, struct err *err);
int proc_set_subreaper(bool on, struct err *err);
int proc_set_parent_death_signal(int sig,
				 struct err *err); /* cleared by a change of uid: set it after */
int proc_set_no_new_privs(struct err *err);
/* All signals to their defaults and unblocked: before exec. */
int proc_reset_signals(struct err *err);
/* First of all in a program that has children: whoever inherits SIGCHLD ignored cannot wait for
 * them (signal(7), waitid's ECHILD). */
void proc_keep_children(void);

/* Every fd >= first becomes close-on-exec (or is closed at once if `now`), except those in keep[].
 * close_range(2), else /proc/self/fd. */
int proc_fds_cloexec(int first, const int *keep, size_t n_keep, bool now, struct err *err);
/* Calls fn for each open fd of this process (not for the one used to look). */
int proc_fds_each(int (*fn)(int fd, void *arg), void *arg, struct err *err);

/* Writes a short value to /proc/<pid>/<name> (pid 0 = self; name as "oom_score_adj" or
 * "attr/exec"), after checking that it is procfs. */
int proc_write_attr(pid_t pid, const char *name, const char *value, struct err *err);
