/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checkpoint and restore by criu: `criu swrk`, which is asked over a socket pair in protocol
 * buffers (criu's images/rpc.proto). criu itself is a program of the machine; without it all of
 * this is -ERR_UNAVAILABLE. Private to src/runtime.
 */
#pragma once

#include "runtime/runtime.h"

/* enum criu_cg_mode of rpc.proto */
enum criu_cgroups { CRIU_CG_IGNORE = 0, CRIU_CG_SOFT = 3, CRIU_CG_FULL = 4, CRIU_CG_STRICT = 5 };

struct criu_opts {
	const char *program;		    /* NULL = "criu" in PATH */
	const char *images, *work, *parent; /* directories; NULL = ./checkpoint, images, none */
	bool leave_running, tcp_established, tcp_skip_in_flight, tcp_close, link_remap;
	bool ext_unix_sk, shell_job, lazy_pages, file_locks, pre_dump, auto_dedup;
	const char *page_server; /* "address:port", or NULL */
	const char *lsm_profile, *lsm_mount_context;
	int status_fd; /* told when lazy pages can be asked for; -1 = none */
	enum criu_cgroups cgroups;
	bool empty_net; /* the network namespace's content is left out */
};

/* Writes images of a running or paused container; without leave_running and pre_dump it has ended
 * afterwards, and is deleted. */
int rt_checkpoint(struct rt_container *c, const struct criu_opts *o, struct err *err);
/* A new container with the processes of the images. o->stdio and the like as for rt_create. */
int rt_restore(const struct rt_host *h, const struct rt_create *o, const struct criu_opts *cr,
	       struct rt_container **ret, struct err *err);

/* ---- the wire (criu-wire.c) ---- */

enum { CRIU_DUMP = 1, CRIU_RESTORE = 2, CRIU_PRE_DUMP = 4, CRIU_NOTIFY = 6 };

/* Fields of a message, appended. */
void criu_put_number(struct buf *b, unsigned field, uint64_t v);
void criu_put_text(struct buf *b, unsigned field, const char *s); /* NULL = left out */
void criu_put_message(struct buf *b, unsigned field, const struct buf *message);

struct criu_reply {
	unsigned type;
	bool success;
	int pid;   /* of a restore, or that a notification is about */
	int error; /* errno */
	char script[64], message[512];
};
/* -ERR_INVALID for what is no such message. */
int criu_parse_reply(struct slice bytes, struct criu_reply *ret, struct err *err);

struct criu_call {
	const char *program;
	unsigned type;
	const struct buf *opts;
	int images, work;
	int keep[8]; /* fds that criu inherits under their numbers, beside 0-2 */
	unsigned n_keep;
	const char *root; /* of a restore: made a mount point where criu runs */
	const char *log;  /* for messages: directory and name of its log */
	/* Once criu runs, before it is asked; and for each notification (fd: -1, or a terminal). */
	int (*on_start)(void *arg, pid_t pid, struct err *err);
	int (*on_notify)(void *arg, const struct criu_reply *n, int fd, struct err *err);
	void *arg;
};
/* Runs criu for one request. *ret_pid: of a restore. */
int criu_run(const struct criu_call *c, pid_t *ret_pid, struct err *err);
