/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to the shim's own process: its state, and what its files do for each other.
 *
 * shim.c is the process, from its start to its end; shim-serve.c what an engine asks; shim-proc.c
 * the processes and their exits; shim-send.c what the engine is told. The codec, the log and the
 * stdio of one process (shim-private.h) know nothing of this.
 */
#pragma once

#include "base/loop.h"
#include "runtime/runtime.h"
#include "runtime/shim-private.h"

struct proc_slot {
	struct list link;
	struct shim *shim;
	struct shim_proc p; /* id "" = init */
	struct child child;
	struct shim_io *io;
	bool ended;  /* reaped */
	bool told;   /* exit recorded and sent */
	bool silent; /* its exec was answered with a failure: nobody knows it */
};

/* A frame the socket had no room for. */
struct waiting {
	struct list link;
	uint16_t type;
	uint32_t id;
	size_t n;
	unsigned char bytes[];
};

struct shim {
	struct loop *loop;
	const char *id, *run_dir;
	int run_dirfd, listen_fd, conn, dirfd;
	struct source listen_source, conn_source, oom_source;
	struct sigsource sigchld, sigterm;
	uint16_t version; /* 0 until WELCOME */
	struct list outbox;
	size_t outbox_bytes;
	enum shim_phase phase;
	bool oom, finished, listening;
	int64_t started;
	char *rt_root;
	struct rt_host host;
	struct rt_container *container;
	struct shim_logger log;
	bool logging;
	uint32_t flags;
	struct list procs;
	unsigned nprocs;
	int oom_fd, oom_file;
	char *scratch;
	struct timer idle;
};

/* ---- shim.c ---- */

/* The big buffer was used: given back after a while. arg: a struct proc_slot. */
void shim_scratch_used(void *arg);
/* The same, for what is no process's. */
void shim_busy(struct shim *s);
void shim_listen_stop(struct shim *s);
void shim_delete_container(struct shim *s);
/* The container is over: removes it and ends the loop. Once. */
void shim_finish(struct shim *s);
/* Ends the loop if no client is left. */
void shim_stop_if_served(struct shim *s);

/* ---- shim-send.c ---- */

void shim_conn_drop(struct shim *s);
void shim_outbox_flush(struct shim *s);
/* Without a connection nothing is sent: the next engine is told by HELLO. */
void shim_send(struct shim *s, uint16_t type, uint32_t id, const void *p, size_t n);
void shim_send_hello(struct shim *s, uint16_t type, uint32_t id);
void shim_reply_ok(struct shim *s, uint32_t id, const struct wire_out *o); /* o may be NULL */
void shim_reply_failed(struct shim *s, uint32_t id, const struct err *err);

/* ---- shim-proc.c ---- */

/* The three standard files of a new process, and our ends of them. */
struct shim_stdio {
	int theirs[3], ours[3]; /* -1 = none */
};
int shim_stdio_open(struct shim_stdio *io, uint32_t flags, struct err *err);
void shim_stdio_close(struct shim_stdio *io);
DEFINE_CLEANUP_EMBEDDED(struct shim_stdio, shim_stdio_close)

struct proc_slot *shim_proc_find(struct shim *s, struct slice exec_id); /* "" = init; NULL = none */
struct proc_slot *shim_proc_new(struct shim *s, struct slice exec_id);
/* The process lives: watch it and serve its stdio. Takes the fds; on failure the process is killed
 * and reaped, and the slot is gone. */
int shim_proc_watch(struct proc_slot *p, const struct rt_proc *proc, struct shim_stdio *io,
		    uint32_t flags, struct err *err);
void shim_proc_over(void *slot); /* the process and its output are over */
void shim_sweep(struct shim *s); /* reaps what is not watched */
/* Where the memory controller is: only a container with a limit has such a cgroup. Failures cost
 * the event only. */
void shim_watch_oom(struct shim *s);

/* ---- shim-serve.c ---- */

/* Keeps (2): the newest connection is the engine. Takes fd. */
int shim_conn_take(struct shim *s, int fd, struct err *err);
/* Nobody has asked for a container and nobody is left who could. */
void shim_finish_if_alone(struct shim *s);
