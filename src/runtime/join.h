/* SPDX-License-Identifier: Apache-2.0 */
/* Private to src/runtime: a further process of a container, by a fresh image of this program. */
#pragma once

#include "base/str.h"

#include <stdbool.h>
#include <sys/types.h>

struct cgroup;
struct conf;
struct conf_process;
struct err;
struct init;
struct proc;
struct serve;

#define JOIN_WORD "join" /* teu-oci's first argument in the fresh image */

struct join {
	int pid_ns;  /* to be born in, -1 = ours */
	bool create; /* becomes the container's init: waits for the start */
};

/* True if a process without rights cannot enter the cgroup by a file that we have opened: we put it
 * there. */
bool join_needs_help(const struct cgroup *cg, const struct conf_process *p);
/* What is to be joined of the process `pid` of a container: in->target_ns, user_ns and root, and
 * the pid namespace (to close; -1 = ours). */
int join_targets(const struct conf *c, pid_t pid, struct init *in, int *ret_pid_ns,
		 struct err *err);

/* Starts the joiner with what `in` says; in->sync is its end of the socket. */
int join_start(const struct join *j, const struct init *in, struct proc *ret, struct err *err);
/* Serves it until the process is born: a child of ours that waits for SYNC_GO. The joiner has ended
 * and is reaped in any case. */
int join_await(struct serve *s, struct proc *joiner, struct proc *ret, struct err *err);
/* The environment of a fresh image of ours: none. */
char **join_environ(void);

/* fsopen("proc") by a process of the namespace in->proc_ns, for kernels that cannot be asked for it
 * by name (join-proc.c). */
int join_proc_context(struct init *in, int *ret_fd, struct err *err);
#define JOIN_PROC "proc"
#define JOIN_PROC_BARE "proc-bare"
int join_proc_main(int sock, int pid_ns, bool own_user_ns);
/* The fresh image: `join SYNC-FD JOB-FD`, or `join proc[-bare] SOCKET-FD NAMESPACE-FD`. */
int join_main(int argc, char **argv);
