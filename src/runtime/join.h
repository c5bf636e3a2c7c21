/* SPDX-License-Identifier: Apache-2.0 */
/* Private to src/runtime: a further process of a container, by a fresh image of this program. */
#pragma once

#include "base/str.h"

struct err;
struct init;
struct proc;
struct serve;

#define JOIN_WORD "join" /* teu-oci's first argument in the fresh image */

struct join {
	struct slice config; /* of the container, as it was at create */
	int pid_ns;	     /* to be born in, -1 = ours */
	bool late;	     /* its rights are needed until it is in its cgroup */
};

/* Starts the joiner with what `in` says; in->sync is its end of the socket. */
int join_start(const struct join *j, const struct init *in, struct proc *ret, struct err *err);
/* Serves it until the process is born: a child of ours that waits for SYNC_GO. The joiner has ended
 * and is reaped in any case. */
int join_await(struct serve *s, struct proc *joiner, struct proc *ret, struct err *err);
/* The fresh image: `join SYNC-FD JOB-FD`. */
int join_main(int argc, char **argv);
