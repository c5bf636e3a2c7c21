/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to src/runtime: what its files share. Three parts meet here: the record on disk
 * (state.c), the words that parent and init exchange over a SEQPACKET pair (sync.c), and the job
 * that init gets by fork (init*.c, rootfs.c).
 */
#pragma once

#include "base/err.h"
#include "linux/caps.h"
#include "linux/cgroup.h"
#include "linux/seccomp.h"
#include "runtime/conf.h"
#include "runtime/runtime.h"

struct arena;

/* ---- the record of a container ---- */

struct state {
	int64_t version; /* of this format */
	const char *oci_version, *id, *bundle, *rootfs, *created, *owner;
	const char *cgroup; /* cgroup_save() text, NULL = none */
	int32_t pid;
	uint64_t start;	     /* ticks: with pid the identity of init */
	uint32_t hooks;	     /* bit mask of enum hook_kind that have entries */
	bool notify;	     /* its seccomp profile has a listener */
	bool process;	     /* it has a program to start */
	struct slice config; /* text of config.json as it was at create */
	bool started;	     /* state.json, not created.json */
};
#define STATE_VERSION 1

/* What a container's creator need not read again to start and delete it. Only for one that has
 * neither hooks nor a seccomp listener (those need its config), and that nobody else can start. */
struct rt_record {
	pid_t pid;
	uint64_t start;
	bool started, process;
	char *cgroup; /* cgroup_save() text, NULL = none */
};

int state_open_root(const struct rt_host *h, bool make, int *ret_fd, struct err *err);
/* -ERR_EXISTS when the id is taken. The directory comes locked. */
int state_make_dir(const struct rt_host *h, const char *id, int *ret_fd, struct err *err);
/* -ERR_NOT_FOUND "container does not exist". Locked when `lock`. */
int state_open_dir(const struct rt_host *h, const char *id, bool lock, int *ret_fd,
		   struct err *err);
int state_lock(int dirfd, struct err *err);
void state_unlock(int dirfd);
int state_read(int dirfd, struct arena *a, struct state *ret, struct err *err);
int state_write(int dirfd, const struct state *s, struct err *err);
/* Over a record that is there. */
int state_rewrite(int dirfd, const struct state *s, struct err *err);
/* `socket`: a start.sock is there and goes. */
int state_mark_started(int dirfd, bool socket, struct err *err);
/* The name of the cgroup that is about to be made, kept until the record is complete. */
#define STATE_NOTE_MAX 4095
int state_note(int dirfd, const char *cgroup, struct err *err);
/* 1 = found, 0 = none. */
int state_read_note(int dirfd, char note[STATE_NOTE_MAX + 8], struct err *err);
/* Removes all files of the directory and the directory <root>/<id>. */
int state_remove(const struct rt_host *h, const char *id, int dirfd, struct err *err);

/* What hooks get on stdin and `state` prints. */
struct state_view {
	const char *oci_version, *id, *bundle, *rootfs, *created, *owner;
	enum rt_status status;
	pid_t pid;
	const struct str_map *annotations; /* or: */
	const struct doc *annotations_doc;
	bool full; /* rootfs, created, owner too: `state` and `list` */
};
int state_view_json(const struct state_view *v, bool pretty, struct buf *out, struct err *err);

/* ---- parent and init ---- */

enum sync_type {
	SYNC_GO = 1,  /* parent: go on; i64 pid of init as the parent sees it */
	SYNC_PID,     /* stage, joiner: i64 pid of the real one (its sibling); joiner: its pidfd */
	SYNC_HOOKS,   /* init: mounts are made; run the runtime's hooks. Answered by GO */
	SYNC_CONSOLE, /* init: fd = pty master */
	SYNC_NOTIFY,  /* init: fd = seccomp listener */
	SYNC_WARN,    /* text */
	SYNC_READY,   /* init: all is done but the program */
	SYNC_ERROR,   /* struct err */
};
struct sync_msg {
	uint32_t type;
	uint32_t len;
	int64_t number;
	int fd;			       /* the first that was received; -1 = none */
	int fds[CGROUP_ENTER_FDS_MAX]; /* all of them */
	unsigned nfds;
	union {
		char text[6144]; /* a warning; with GO the directories of the cgroup */
		struct err err;
	};
};
int sync_send(int sock, enum sync_type t, int64_t number, int fd, struct err *err);
void sync_send_error(int sock, const struct err *e);
void sync_send_warn(int sock, const char *text);
/* GO with a cgroup that is made: the directories as text, and the files by which init enters by
 * itself. */
struct sync_cgroup {
	const char *dirs;
	const int *fds;
	unsigned n, fill; /* pages to have when it has entered (narrow.c) */
};
int sync_send_cgroup(int sock, const struct sync_cgroup *cg, struct err *err);
/* 1 = a message; 0 = the other side is gone (or, for a program's exec, has succeeded). */
int sync_recv(int sock, struct sync_msg *m, struct err *err);
/* Writes the caller into the cgroups whose files came with GO, and closes them. */
int sync_enter(const int *fds, unsigned n, struct err *err);
/* Waits for GO, and enters the cgroup that came with it. */
int sync_wait(int sock, int64_t *ret_number, struct err *err);

/* ---- callers that are not root of the machine ---- */

struct ns_id_map;
bool rt_is_rootless(const struct rt_host *h);
/* Where state lies unless --root says so; in buf, or a literal. NULL with err filled when the user
 * has no such place. */
const char *rt_default_root(char *buf, size_t n, struct err *err);
/* Another user needs a user namespace. */
int rt_check_rootless(const struct conf *c, struct err *err);
/* Id maps of a process in a new user namespace, by the set-uid helpers if they are needed. */
int rt_write_maps(pid_t pid, const struct ns_id_map *u, size_t nu, const struct ns_id_map *g,
		  size_t ng, struct err *err);

/* ---- hooks ---- */

/* Runs all hooks of a kind; the first failure ends it (but poststop: it is told at the end).
 * `state` is the JSON for stdin. */
int hooks_run(const struct conf_hooks *h, enum hook_kind k, struct slice state, struct err *err);
uint32_t hooks_mask(const struct conf_hooks *h);
/* The files that the annotations run.oci.hooks.stdout and .stderr name, for all that run later. */
int hooks_open(struct conf *c, struct err *err);
void hooks_close(struct conf_hooks *h);

/* ---- resources and seccomp ---- */

int limits_of_conf(const struct conf_resources *r, struct arena *a, struct cgroup_limits *ret,
		   struct err *err);
/* Compiles, or takes it from the cache under the state root. *ret has insns == NULL when there is
 * no profile. */
int seccomp_of_conf(const struct rt_host *h, const struct conf *c, struct arena *a,
		    struct seccomp_prog *ret, struct err *err);
/* Hands the listener to the agent at listenerPath (config-linux.md#the-container-process-state). */
int seccomp_send_listener(const struct conf *c, const struct state_view *v, int listener,
			  struct err *err);

/* ---- where a process may be: memory policy, CPU affinity (tune.c) ---- */

#define TUNE_MAX 1024 /* numbers of nodes and CPUs, as the kernel's largest builds have */
#define TUNE_WORD (8 * sizeof(unsigned long))
struct tune_set {
	unsigned long bits[TUNE_MAX / TUNE_WORD];
	unsigned n; /* 1 + the highest; 0 = empty */
};
/* "0-3,7"; NULL and "" are empty. ret may be NULL: only checked. */
int tune_parse_list(const char *text, struct tune_set *ret, struct err *err);
/* linux.memoryPolicy of the calling process. */
int tune_memory(const struct conf *c, struct err *err);
/* process.execCPUAffinity.<which> of the calling process; NULL and "" change nothing. */
int tune_affinity(const char *cpus, const char *which, struct err *err);

/* ---- linux.intelRdt (rdt.c) ---- */

struct rdt {
	int dir; /* of the class */
	bool made_class, made_group;
	bool check; /* private */
};
/* Beside the bits of struct state.hooks: what was made, and that there is linux.intelRdt at all. */
enum { RDT_CLASS = 1u << 16, RDT_GROUP = 1u << 17, RDT_USED = 1u << 18 };
/* Class, schemata, membership, monitoring group. On failure *ret says what was made: for
 * rdt_remove. UNSUPPORTED without a mounted resctrl. */
int rdt_apply(const struct conf_rdt *d, const char *id, pid_t pid, struct rdt *ret,
	      struct err *err);
/* A further process, into what rdt_apply() has made. */
int rdt_add(const struct conf_rdt *d, const char *id, pid_t pid, const struct rdt *to,
	    struct err *err);
void rdt_fini(struct rdt *d);
/* what: RDT_CLASS, RDT_GROUP. What is gone already is fine. */
int rdt_remove(const struct conf_rdt *d, const char *id, uint32_t what, struct err *err);
/* Directories of resctrl and of the container's class, to close. */
int rdt_open(const struct conf_rdt *d, const char *id, int *ret_root, int *ret_class,
	     struct err *err);
/* Sets out's member intel_rdt (rdt-stats.c); what: as above. */
int rdt_stats(const struct conf_rdt *d, const char *id, uint32_t what, struct arena *a,
	      struct doc *out, struct err *err);

/* ---- id maps (idmap.c) ---- */

int idmap_copy(struct arena *a, const struct idmaps *from, struct ns_id_map **ret, struct err *err);
/* Makes the mounts with mapped ids: in->idmaps. Needs conf, arena, bundle and ns_fd of it. */
struct init;
int idmap_make(struct init *in, struct err *err);

/* ---- linux.netDevices (netdev.c) ---- */

/* Moves them out of the caller's network namespace into that of the process, with their global
 * permanent addresses, and sets them up. On failure those moved stay where they are: the namespace
 * goes with its process, and the kernel gives hardware back. */
int netdev_move(const struct conf *c, pid_t pid, struct err *err);

/* ---- init: what the child of clone does ---- */

struct init {
	const struct conf *conf;
	const struct conf_process *process; /* NULL: no program yet */
	const struct seccomp_prog *seccomp;
	struct arena *arena;
	const char *id, *bundle, *rootfs;
	struct state_view view; /* for hooks in the container */
	int stdio[3];
	int sync;      /* to the parent */
	int listen;    /* start.sock, or -1: the start comes over sync */
	int state_dir; /* the parent's: its lock must end with the parent */
	int other; /* the parent's end of sync: closed first, so that each side sees the other's end
		    */
	int ns_fd[NS_KINDS]; /* to join, -1 = none */
	int proc_ns; /* the pid namespace that procfs is to show, -1 = the caller's. It makes root
			and namespaces only: the container's process is born there later
			(create-join.c)
		      */
	int target;  /* exec: pidfd of the container's init, and which of its namespaces to join */
	uint64_t target_ns;
	int *idmaps; /* one per mount: the detached tree with its ids mapped, or -1. NULL = none has
			any */
	uint16_t rows, cols;
	unsigned keep_fds; /* from 3 on */
	unsigned listen_fds;
	uint32_t flags;
	bool user_ns; /* in a new or joined user namespace */
	bool exec;    /* a further process: no root file system to make */
	/* filled on the way */
	int root;	  /* O_PATH of the new root before the pivot */
	int lsm;	  /* of lsm_open(), or -1 */
	int peer;	  /* who waits for the exec to succeed */
	int pty;	  /* slave, or -1 */
	bool cgroup_made; /* and the next three are known */
	int enter_fds[CGROUP_ENTER_FDS_MAX];
	unsigned n_enter, fill;
	char *cgroup_dirs; /* "name path\n" of each hierarchy; " path\n" alone in v2; "" = none */
	struct caps caps;
	char *program;		   /* found */
	const char **argv, **envp; /* NULL-terminated */
};
#define INIT_INIT                                \
	((struct init){ .stdio = { -1, -1, -1 }, \
			.sync = -1,              \
			.listen = -1,            \
			.state_dir = -1,         \
			.other = -1,             \
			.target = -1,            \
			.root = -1,              \
			.peer = -1,              \
			.proc_ns = -1,           \
			.lsm = -1,               \
			.pty = -1,               \
			.ns_fd = { -1, -1, -1, -1, -1, -1, -1, -1 } })

/* Runs in the child, never returns but with an exit status. */
int init_main(void *init);
/* READY, then until the start. */
int init_wait_start(struct init *in, struct err *err);
int init_start_hooks(struct init *in, struct err *err);
/* Pages that are charged to the container until the exec: see narrow.c. */
int init_fill(unsigned pages, struct err *err);
/* The steps of both. */
int init_console(struct init *in, struct err *err);
/* To in->root, without a mount namespace of its own. */
int init_chroot(struct init *in, struct err *err);
int init_identity(struct init *in,
		  struct err *err); /* what needs no right that the end takes away */
int init_find_program(struct init *in, struct err *err);
/* A session of its own, and its terminal. Done by init_identity() but for a further process. */
int init_session(struct init *in, struct err *err);
/* The end in three parts: what needs rights, the rights, the exec (which does not come back). */
int init_prepare_exec(struct init *in, struct err *err);
int init_drop_rights(struct init *in, struct err *err);
int init_run(struct init *in, struct err *err);
int init_capabilities(struct init *in, struct err *err);
int rootfs_make(struct init *in, struct err *err);
int rootfs_enter(struct init *in, struct err *err);
/* Waits until the cgroup is made. With a new cgroup namespace it is entered at once. */
int init_await_cgroup(struct init *in, struct err *err);
int lsm_check(const struct conf_process *p, const char *mount_label, struct err *err);
/* The file of the host's /proc by which the next program's label can be set from a place without
 * it, or -1: there is none to set, or it is not to be had (lsm_is_late). It counts for a clone's
 * exec as well. */
int lsm_open(const struct conf_process *p);
bool lsm_is_late(const struct conf_process *p, int fd);
/* fd: of lsm_open(), which is closed; -1 = by our own /proc. */
int lsm_apply(const struct conf_process *p, int fd, struct err *err);
/* Keys made from now on get the process's SELinux label; off: the usual one again. */
int lsm_label_keys(const struct conf_process *p, bool on, struct err *err);

/* ---- shared by create and exec ---- */

struct proc;
void rt_warn(const struct rt_host *h, const char *fmt, ...) PRINTF(2, 3);
/* "memory /sys/fs/cgroup/memory/<path>\n" for each hierarchy, the name is that of its mount here;
 * of v2 " <path>\n" alone. */
int rt_cgroup_dirs(const struct cgroup *cg, struct buf *out, struct err *err);
/* An fd and a word to whoever listens on the AF_UNIX stream socket: a console, a pidfd. */
int rt_send_fd(const char *path, int fd, const char *word, struct err *err);
int rt_write_pid_file(const char *path, pid_t pid, struct err *err);
/* Checks that fds 3..3+n-1 are open, so that none of our own gets a kept number. */
int rt_check_kept_fds(unsigned n, struct err *err);
unsigned rt_listen_fds(void);
/* Serves init's messages until READY, end or failure. */
struct serve {
	const struct rt_host *host;
	int sock;
	int (*on_hooks)(void *arg, struct err *err); /* NULL: not expected */
	void *arg;
	const struct conf *conf; /* with view: for the seccomp agent */
	const struct state_view *view;
	int console;		   /* received, or -1 */
	const struct proc *joiner; /* not NULL: who will tell, and may end without having done so
				    */
	struct proc *born; /* not NULL: SYNC_PID names a child of ours and ends the service */
};
/* 1 = READY, 0 = the other side has closed (exec succeeded, or it is gone). */
int rt_serve(struct serve *s, struct err *err);
/* After READY or exec: the terminal to its socket, or to the caller. */
int rt_give_console(struct serve *s, const char *socket, uint32_t flags, int *ret, struct err *err);
