/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Namespaces: the table of kinds, joining by path, id maps, time offsets.
 *
 * The order of the table is the order to join in: user first (it gives the right to the others),
 * mount last of those that change paths (setns paths are opened before anything is joined).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

enum ns_kind { NS_USER, NS_IPC, NS_UTS, NS_NET, NS_PID, NS_CGROUP, NS_TIME, NS_MOUNT, NS_KINDS };

struct ns_type {
	const char *name; /* OCI: "mount", "network" */
	const char *proc; /* file in /proc/PID/ns: "mnt", "net" */
	uint64_t flag;	  /* CLONE_NEW* */
};
extern const struct ns_type ns_types[NS_KINDS];

/* By OCI name; -1 if unknown. */
int ns_find(const char *name);

/* Opens a namespace file and checks its kind: NOT_FOUND, INVALID (not a namespace, or of another
 * kind; says which). */
int ns_open(const char *path, enum ns_kind kind, int *ret_fd, struct err *err);
/* Namespace of a process (pid 0 = self). */
int ns_open_of(pid_t pid, enum ns_kind kind, int *ret_fd, struct err *err);
int ns_join(int fd, enum ns_kind kind, struct err *err);
/* 1 if both fds stand for one namespace, else 0. */
int ns_same(int a, int b, struct err *err);
/* 1 if this kernel has the kind. */
bool ns_supported(enum ns_kind kind);

struct ns_id_map {
	uint32_t inside, outside, count;
};
/* Writes uid_map and gid_map of a process in a new user namespace, from its parent namespace.
 * setgroups is denied first when deny_setgroups or when the kernel asks for it (caller without
 * CAP_SETGID there). Empty, overlapping or more than 340 lines fail with INVALID. */
int ns_write_maps(pid_t pid, const struct ns_id_map *uids, size_t n_uids,
		  const struct ns_id_map *gids, size_t n_gids, bool deny_setgroups,
		  struct err *err);
/* A user namespace with these maps and no process in it: for idmapped mounts. */
int ns_user_make(const struct ns_id_map *uids, size_t n_uids, const struct ns_id_map *gids,
		 size_t n_gids, int *ret_fd, struct err *err);

struct ns_time_offset {
	bool set;
	int64_t secs;
	uint32_t nanosecs;
};
/* Before the first process enters the new time namespace. pid 0 = self (after
 * unshare(CLONE_NEWTIME)). */
int ns_write_time_offsets(pid_t pid, const struct ns_time_offset *monotonic,
			  const struct ns_time_offset *boottime, struct err *err);
