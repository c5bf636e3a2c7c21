/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A daemon without root: uid and gid for good, no capabilities, no new privileges, no files but
 * those that are named (Landlock, where the kernel has it), no other program, and Docker's default
 * filter of system calls. Each layer holds when another is missing.
 *
 * Entered while the process has one thread. What it has open stays open.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct err;

/* "reserved", "UID" or "UID:GID"; numbers above 0. */
int confine_parse_user(const char *text, uid_t reserved, uid_t *ret_uid, gid_t *ret_gid,
		       struct err *err);
/*
 * The directory of a role that runs as uid: made when it is not there, taken over when it is root's
 * and empty; one of somebody else is refused (-ERR_CONFLICT).
 */
int confine_take_dir(const char *path, uid_t uid, gid_t gid, struct err *err);

enum confine_access {
	CONFINE_READ,	 /* files and lists */
	CONFINE_LOGS,	 /* files, too: made, written, renamed, removed */
	CONFINE_SOCKETS, /* Unix sockets, too */
	CONFINE_STORE,	 /* all but sockets and devices, directories too */
};
struct confine_path {
	const char *path; /* NULL: nothing */
	enum confine_access access;
	bool beside; /* the directory it lies in: a file that takes its place is allowed, too */
};
struct confine {
	bool drop; /* root becomes uid and gid; false: it stays who it is, all else is done */
	uid_t uid;
	gid_t gid;
	const struct confine_path *paths; /* /proc is readable beside them */
	size_t npaths;
	bool outward; /* it may speak to others first */
};
int confine_enter(const struct confine *f, struct err *err);
