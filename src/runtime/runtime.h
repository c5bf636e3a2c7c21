/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The OCI runtime as a library: from a bundle's config.json to a process, and back to nothing.
 *
 * `teu-oci` calls it once per process; the shim calls it many times in one process, whose children
 * the container's init and exec'd processes become (CLONE_PARENT is never needed by the caller:
 * reap them by pidfd). Nothing but the handle stays in memory after a call: what was parsed is
 * freed before it returns. Spec: OCI runtime-spec 1.3.0, runtime.md, config.md, config-linux.md.
 * One thread: clone3 is fork-like.
 *
 * On disk: <root>/<id>/ (0700, flock on it is the container's lock) holds created.json until the
 * start, then state.json (the rename is the commit point), and start.sock while a `start` from
 * another process is awaited. A container's process is pid + start time, so a reused pid is never
 * taken for it.
 */
#pragma once

#include "base/cleanup.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct err;
struct rt_record;

#define RT_ID_MAX 255			/* it is a file name */
#define RT_CONFIG_MAX (4 * 1024 * 1024) /* bytes of config.json */
#define RT_SPEC_VERSION "1.3.0"

/* Who makes the cgroups: we in the file system; systemd on our request (a scope, by D-Bus: the
 * system's manager, or the user's own for a rootless caller); nobody. */
enum rt_cgroups { RT_CGROUPFS, RT_SYSTEMD, RT_NO_CGROUPS };
/* Whether what only root of the machine may do (cgroups, their device rules) is left out when it is
 * refused and nothing in the config depends on it. Auto: if we are not that root. */
enum rt_rootless { RT_ROOTLESS_AUTO, RT_ROOTLESS_YES, RT_ROOTLESS_NO };

/* Where state lives and how this process wants things. Borrowed by handles: outlives them. */
struct rt_host {
	const char *root; /* state directory, made when missing */
	/* What peers only warn about too (a limit clamped, an unknown capability). NULL = dropped.
	 */
	void (*warn)(void *arg, const char *msg);
	void *arg;
	enum rt_cgroups cgroups;
	enum rt_rootless rootless;
};

/* ---- life of a container ---- */

#define RT_NO_PIVOT 1u /* MS_MOVE + chroot instead of pivot_root (root on the initial ramfs) */
#define RT_NO_NEW_KEYRING 2u /* keep the caller's session keyring */
#define RT_LISTEN 4u	     /* another process will call start: init listens on start.sock */
#define RT_RAW_CONSOLE \
	8u /* with process.terminal: hand the pty master to the caller (rt_container.console) */

#define RT_NOTIFY 64u /* READY=1 of the program goes to our $NOTIFY_SOCKET, if there is one */

struct rt_create {
	const char *id;
	const char *bundle;  /* directory; made absolute */
	struct slice config; /* text of config.json; p == NULL: read <bundle>/config.json */
	int stdio[3];	     /* borrowed, become the process's 0-2; -1 = this process's own */
	const char *console_socket; /* with process.terminal: AF_UNIX stream path that gets the pty
				       master, or NULL */
	uint16_t rows, cols;	    /* terminal size, 0 = as the config says */
	const char *pid_file;	    /* or NULL */
	unsigned preserve_fds; /* fds 3 .. 3+n-1 of this process are kept (after LISTEN_FDS of the
				  environment) */
	uint32_t flags;
};
#define RT_CREATE_INIT ((struct rt_create){ .stdio = { -1, -1, -1 } })

enum rt_status { RT_CREATING, RT_CREATED, RT_RUNNING, RT_PAUSED, RT_STOPPED };

struct rt_container {
	const struct rt_host *host;
	char *id;
	int dirfd;   /* <root>/<id> */
	pid_t pid;   /* init, in this process's pid namespace; 0 = has ended before it was opened */
	int pidfd;   /* of init; -1 when pid is 0. May be taken (set to -1) by who waits on it */
	int console; /* pty master (RT_RAW_CONSOLE), or -1. May be taken */
	int start_fd;	/* private: init waits at its other end */
	bool child;	/* init is our child: rt_delete must not reap what the caller waits for */
	uint32_t hooks; /* private: which kinds are there to run later */
	struct rt_record *record; /* private: what we know since we made it; NULL = on disk */
};

/* Everything but the program: on success init waits for rt_start. On failure nothing is left. */
int rt_create(const struct rt_host *h, const struct rt_create *o, struct rt_container **ret,
	      struct err *err);
/* Finds a container another process made. -ERR_NOT_FOUND "container does not exist". */
int rt_open(const struct rt_host *h, const char *id, struct rt_container **ret, struct err *err);
/* Closes the handle; the container lives on (a created one that nobody can start any more dies with
 * start_fd). */
void rt_close(struct rt_container *c);
DEFINE_CLEANUP(struct rt_container *, rt_close)

/* Runs the program; returns after its exec succeeded and poststart hooks ran. -ERR_CONFLICT when
 * not created. */
int rt_start(struct rt_container *c, struct err *err);
/* signo to init, or to every process of its cgroup. -ERR_CONFLICT "container not running" /
 * "process already finished". */
int rt_kill(struct rt_container *c, int signo, bool all, struct err *err);
/* Frees what create made (cgroup, state), runs poststop. force kills first; without it only a
 * stopped one goes. */
int rt_delete(struct rt_container *c, bool force, struct err *err);
int rt_pause(struct rt_container *c, bool frozen, struct err *err);

/* ---- a further process in it ---- */

#define RT_IGNORE_PAUSED 16u
#define RT_EXEC_PRIVILEGED 32u /* all capabilities */

struct rt_exec {
	struct slice process;	 /* JSON of an OCI process object; p == NULL: the container's own,
				    changed by: */
	const char *const *args; /* NULL-terminated; only without `process` */
	const char *cwd;	 /* these five: NULL or 0 = as the container's process has it */
	const char *const *env;	 /* added, or replacing the same name */
	const char *user;	 /* "uid[:gid]" */
	const char *const *caps; /* added to all sets but ambient */
	const char *groups;	 /* "gid,gid,..." */
	const char *label, *apparmor; /* NULL = as the process says */
	const char *const *cgroups; /* "[controller,...:]path" below the container's cgroup; NULL =
				       that itself */
	int no_new_privs;	    /* -1 = as the container's */
	int terminal;		    /* -1 = as `process` says (own form: false) */
	int stdio[3];
	const char *console_socket;
	uint16_t rows, cols;
	const char *pid_file;
	unsigned preserve_fds;
	uint32_t flags;
};
#define RT_EXEC_INIT \
	((struct rt_exec){ .stdio = { -1, -1, -1 }, .no_new_privs = -1, .terminal = -1 })

struct rt_proc {
	pid_t pid;   /* our child */
	int pidfd;   /* caller closes */
	int console; /* pty master or -1; caller closes */
};
/* Returns when its exec has succeeded. Not runnable: -ERR_NOT_FOUND (no such program) or
 * -ERR_FORBIDDEN (no permission, a directory): docker's and podman's exit codes 127 and 126
 * (rt_exit_code). */
int rt_exec(struct rt_container *c, const struct rt_exec *o, struct rt_proc *ret, struct err *err);
int rt_exit_code(const struct err *err);

/* ---- queries ---- */

struct rt_info {
	enum rt_status status;
	pid_t pid;							  /* 0 when stopped */
	const char *id, *bundle, *rootfs, *created, *owner, *oci_version; /* in the arena */
	struct slice annotations; /* JSON object text, empty = none */
};
struct arena;
const char *rt_status_name(enum rt_status s);
int rt_info(struct rt_container *c, struct arena *a, struct rt_info *ret, struct err *err);
/* The state JSON of `teu-oci state` (pretty) or of hooks (compact), appended. */
int rt_state_json(struct rt_container *c, bool pretty, struct buf *out, struct err *err);
/* Calls fn for each container under root (ids sorted); a negative return stops. */
int rt_list(const struct rt_host *h, int (*fn)(struct rt_container *c, void *arg), void *arg,
	    struct err *err);
/* Pids of the container's cgroup (fallback: init alone), this process's pid namespace. Arena array.
 */
int rt_pids(struct rt_container *c, struct arena *a, pid_t **ret, size_t *n, struct err *err);
/* Directory of a v1 controller's cgroup ("memory", "pids", ...) or of the v2 cgroup (""),
 * O_DIRECTORY: for memory events and statistics. -ERR_NOT_FOUND when the container has none. */
int rt_cgroup_dir(struct rt_container *c, const char *controller, int *ret_fd, struct err *err);
/* Changes the limits of a container that is created, running or paused. `resources` is JSON of
 * linux.resources, all of it or part: what it does not name stays. A controller that the container
 * was made without is added. -ERR_CONFLICT when stopped. */
int rt_update(struct rt_container *c, struct slice resources, struct err *err);
/* linux.intelRdt of what runs; NULL = as it is. -ERR_UNSUPPORTED when it was made without. */
int rt_update_rdt(struct rt_container *c, const char *l3, const char *mem_bw, struct err *err);
/* The members of `data` in an event of type stats, as runc prints them ("cpu":{..},"memory":{..},
 * "pids", "blkio", "hugetlb", "cpuset"), without the braces around: more can be put beside them.
 * Values are those of the kernel's files at this moment. */
int rt_stats_json(struct rt_container *c, struct buf *out, struct err *err);
/* An fd to wait on (epoll events in *ret_events) until the kernel's OOM killer takes a process of
 * it; *ret_kills is how many it took so far. -ERR_UNSUPPORTED without a memory cgroup. */
int rt_oom_watch(struct rt_container *c, int *ret_fd, uint32_t *ret_events, struct err *err);
int rt_oom_kills(struct rt_container *c, uint64_t *ret_kills, struct err *err);
int rt_features(struct buf *out, struct err *err);

/* 0, or -ERR_INVALID: [0-9A-Za-z_+.-]+, at most RT_ID_MAX, not "." or "..". */
int rt_check_id(const char *id, struct err *err);
/* Reads and checks a bundle's config.json without creating anything. */
int rt_check_config(struct slice text, struct err *err);
/* Signal by number, "KILL" or "SIGKILL" (any case), also RTMIN+n. 0 or -ERR_INVALID. */
int rt_signal(const char *text, int *ret, struct err *err);

/* Before create and exec, first thing in main: runs this program again from where a container
 * cannot write to it, if it is not run from such a place already. Returns only then, or on failure.
 */
int rt_protect_self(char **argv, struct err *err);

/* Command line of `teu-oci` (everything but `shim`). */
int rt_main(int argc, char **argv);
