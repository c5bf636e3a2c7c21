/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to create*.c: what the steps of a create share.
 *
 * create.c has the table of steps and the order; create-load.c reads what is asked for;
 * create-clone.c makes init in its namespaces. A step returns 0 or a
 * failure, and what it made is then undone by itself; what a finished step made is undone by its
 * undo function.
 */
#pragma once

#include "linux/proc.h"
#include "runtime/group.h"
#include "runtime/rt.h"

#include <limits.h>

#define KILL_MS 10000 /* for a killed process to end */

struct create {
	const struct rt_host *host;
	const struct rt_create *o;
	struct arena *arena;
	struct conf conf;
	struct slice text;
	char bundle[PATH_MAX], rootfs[PATH_MAX];
	int dirfd, sock, user_fd;
	struct group group;
	struct cgroup_limits limits;
	struct buf saved; /* of the cgroup */
	struct seccomp_prog prog;
	struct init in;
	struct proc proc;
	uint64_t start; /* of init */
	struct serve serve;
	struct state_view view;
	int console;
	bool stage, hooked, time_ns;
	struct rdt rdt;
};

/* ---- create-load.c ---- */

/* Paths and text of the bundle, c->conf. */
int create_load(struct create *c, struct err *err);
int create_check_console(const struct create *c, struct err *err);

/* ---- create-clone.c ---- */

int create_step_namespaces(void *create, struct err *err);
int create_step_clone(void *create, struct err *err);
/* ---- create-join.c ---- */

/* After init has made all: the container's process is born in the pid namespace c->in.proc_ns and
 * takes its place. */
int create_join(struct create *c, struct err *err);

/* ---- create.c ---- */

int create_set_oom_score(const struct create *c, struct err *err);
/* Kills and reaps init; nothing if there is none. */
void create_kill_init(struct create *c);
