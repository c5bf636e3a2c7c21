/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the engine share. Private to src/engine. */
#pragma once

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/map.h"
#include "base/str.h"
#include "base/work.h"
#include "db/db.h"
#include "doc/json.h"
#include "engine/config.h"
#include "engine/engine.h"
#include "image/image.h"
#include "image/store.h"
#include "network/network.h"
#include "runtime/runtime.h"
#include "runtime/shim.h"

#include <arpa/inet.h>
#include <stdio.h>

#define ENGINE_SPEC_MAX (16u << 20) /* bytes that one container's spec may take in memory */
#define ENGINE_DOC_MAX (8u << 20)   /* bytes of a row's document */
#define ID_LEN 64

/* ---- engine ---- */

struct engine {
	struct loop *loop;
	struct engine_conf conf;
	char *root, *run, *oci_program, *self_program, *bip, *storage_driver;
	char id[40], instance[NETWORK_INSTANCE_LEN + 1];
	struct db *db;
	struct image_store *images;
	struct network_set *networks;
	struct network *bridge;
	struct work_pool *pool;
	struct list containers; /* newest first */
	struct list leaving;	/* removed ones whose shim has not ended yet */
	size_t count;
	struct map by_id, by_name;
	struct map execs;
	int containers_fd; /* <root>/containers */
	int lock_fd, run_lock_fd;
	struct list event_watchers;
	struct event_slot *ring;
	uint64_t event_seq;
	uint64_t ring_size;
	char *oci_root;	    /* <run>/oci */
	char *init_layer;   /* <root>/init: see init-layer.c */
	struct list saves;  /* database jobs under way */
	struct list trash;  /* removals of directories under way */
	char *seccomp_json; /* default profile for the default capabilities */
	uint64_t seccomp_caps;
	struct rt_host rt;
	char subnet[64];      /* of the bridge, as it stands in engine.db */
	bool forwarding_told; /* the warning was given */
	struct list held;     /* netns.c */
	unsigned nheld;
	struct timer held_timer;
	bool closing; /* no operation begins, nothing is saved any more */
	int cgroups;  /* enum cgroup_mode + 1; 0 = not looked at yet */
};

/* Steps of engine_open that live in other files. */
int state_open(struct engine *e, struct err *err); /* state.c: database, rows -> containers */
void state_close(struct engine *e);
int meta_get(struct engine *e, const char *key, char *dst, size_t n,
	     struct err *err); /* 1 = there */
int meta_set(struct engine *e, const char *key, const char *value, struct err *err);
void meta_set_later(struct engine *e, const char *key, const char *value);

/* ---- container ---- */

enum op_kind { OP_START, OP_STOP, OP_RESTART, OP_REMOVE, OP_RENAME };

/* One queued life-cycle operation. The first of the queue is under way. */
struct op {
	struct list link;
	enum op_kind kind;
	engine_done *done;
	void *arg;
	int signo, timeout;
	bool force, volumes;
	bool by_policy; /* start: the restart policy's, not a client's */
	bool killed;	/* remove, stop: SIGKILL was sent */
	bool starting;	/* restart: the stop half is over */
	bool deleting;	/* remove: the row's deletion is under way */
	char *name;
	int result; /* what is told when the failure is recorded */
	struct err err;
};

/* Kill and resize: beside the queue, answered by the shim. */
struct pending_call {
	struct list link; /* container.calls */
	struct container *c;
	engine_done *fn;
	void *arg;
	int signo;
	unsigned rows, cols;
	bool until_exit; /* SIGKILL: told when the container has ended */
};

struct pending_attach {
	struct list link;
	int fd;
	uint32_t streams;
	struct buf unread, keys;
};

struct container {
	struct list link; /* engine.containers */
	struct engine *e;
	struct arena *arena; /* spec and all texts that never change */
	char id[ID_LEN + 1];
	char *name;
	struct create_spec spec;
	const char *image_id, *image_ref;
	const char **argv;
	size_t argc;
	const char *log_path, *dir, *run_dir;
	struct container_state state;
	char error[512];
	struct network_endpoint ep; /* network_id "" = not attached */
	int netns;		    /* of a run with a namespace of its own, or -1 */
	struct container_endpoint shown;
	char ip[48], gateway[48], mac[NETWORK_MAC_TEXT];

	bool committed;	  /* its row is durable: shown to clients */
	bool removed;	  /* the row is gone */
	bool manual_stop; /* a client stopped it: unless-stopped does not restart */
	bool settling;	  /* an exit is being saved: no operation begins */
	bool oom_told;	  /* event "oom" of this run */
	struct list ops;
	struct list calls;    /* struct pending_call */
	struct list waits;    /* struct engine_wait */
	struct list attaches; /* held until start */
	size_t nattaches;
	struct list execs;
	struct shim_client *shim;
	bool shim_exited;      /* SHIM_EXIT of init has come from this shim */
	bool launched;	       /* START of this shim was answered with OK */
	struct timer timer;    /* stop's time-out, or restart's delay */
	int64_t backoff;       /* ns, of the restart policy */
	struct start *start;   /* what a start under way keeps */
	struct op *running_op; /* the first of ops once it has begun */
	struct reap *reap;     /* a worker clears up after a killed shim */
	bool exit_held;	       /* the exit came before the start was saved */
	struct shim_exit held;
	char left_network[NETWORK_ID_LEN + 1]; /* for the event of an exit */
};

/* A call's done() runs on the loop after the call has returned. */
void answer_later(struct engine *e, engine_done *fn, void *arg, const struct err *err);

/* ---- exec ---- */

struct exec {
	struct list link; /* container.execs */
	struct container *c;
	struct arena *arena;
	char id[ID_LEN + 1];
	struct exec_spec spec;
	struct exec_state state;
	engine_done *done;
	void *arg;
	bool in_call;	     /* engine_exec_start has not returned yet */
	struct timer expire; /* ended execs are forgotten after a while */
};

/* container.c */
int container_new(struct engine *e, const char *id, const char *name, struct container **ret,
		  struct err *err);
void container_link(struct container *c); /* into maps and list, by created time */
void container_unlink(struct container *c);
void container_free(struct container *c);
int container_set_spec(struct container *c, const struct doc *config, const struct doc *host,
		       struct err *err);
void container_set_status(struct container *c, enum container_status to);
void container_set_error(struct container *c, const char *msg);
void container_show_endpoint(struct container *c);
void container_waits_fire(struct container *c, enum wait_condition reached);
void container_event(struct container *c, const char *action, const struct event_attr *more,
		     size_t n);
bool container_alive(
	const struct container *c); /* created in the kernel or running: a shim holds it */
bool container_uses(const struct container *c, const char *network);

/* state.c: c's state is written; fn(arg, result, err) after the commit. fn may be NULL. */
typedef void save_fn(void *arg, int result, struct err *err);
void container_save(struct container *c, save_fn *fn, void *arg);
void container_insert(struct container *c, save_fn *fn, void *arg);
void container_delete_row(struct container *c, save_fn *fn, void *arg);
void container_rename_row(struct container *c, const char *name, save_fn *fn, void *arg);
void container_trash(struct engine *e,
		     const char *id); /* removes the directory off the request path */

/* lifecycle.c */
struct op *op_new(enum op_kind kind, engine_done *done, void *arg);
void op_push(struct container *c, struct op *op);
void lifecycle_exited(struct container *c, const struct shim_exit *x);
void lifecycle_go_on(struct container *c); /* shim or reaper has left: what waited for it */
void lifecycle_freed(struct container *c); /* removed, and its shim has ended too */
void lifecycle_init(struct container *c);
void lifecycle_fini(struct container *c);
bool lifecycle_has_policy(const struct container *c);
bool lifecycle_wants_restart(const struct container *c);
/* The restart policy's timer is taken back: nothing runs and nothing will. */
void lifecycle_cancel_restart(struct container *c);
int container_stop_signal(const struct container *c);
void container_signal_event(struct container *c, int signo);
/* "connect" and "disconnect" of the network that the container is on. */
void container_network_event(struct container *c, const char *action, const char *network_id);

/* calls.c: kill, resize, attach: what does not queue */
void calls_exited(struct container *c);
void calls_free(struct container *c);
void attaches_free(struct container *c);

/* adopt.c: what shims tell, what becomes of a killed shim's container, what a new engine finds */
const struct shim_events *lifecycle_shim_events(void);
int lifecycle_adopt(struct container *c, struct err *err);
void reap_start(struct container *c);
void reap_forget(struct container *c);
int remove_stray_runtime(struct engine *e, struct err *err);
/* Thaws what an engine that died had frozen for a commit. */
void engine_thaw_left(struct engine *e);
/* <dir>/endpoint: the address of a run whose row does not tell it yet. */
int endpoint_write(struct container *c, const struct network_endpoint *ep, struct err *err);

/* start.c: from created to running. done(c, result, err) once; on failure nothing of it is left in
 * the kernel. */
void start_begin(struct container *c,
		 void (*done)(struct container *c, int result, struct err *err));
void start_free(struct container *c);
void start_abort(struct container *c, struct err *why); /* the shim went away */

/* exec.c */
void exec_exited(struct container *c, const struct shim_exit *x);
void exec_container_gone(struct container *c);
void exec_free_all(struct container *c);

/* layers.c: what the container's root is; to_run: with the place of a mount */
int engine_rootfs_plan(struct engine *e, struct container *c, bool to_run, struct arena *a,
		       struct image_rootfs *ret, struct err *err);

/* oci-spec.c: the bundle's config.json. */
struct oci_inputs {
	struct container *c;
	const struct container *files; /* whose hosts, hostname and resolv.conf: c, or whose
					  network it shares */
	const struct image_rootfs *rootfs;
	const char *join_net, *join_pid; /* namespace paths, or NULL */
};
int oci_spec_build(const struct oci_inputs *in, struct arena *a, struct slice *ret_json,
		   struct err *err);
/* The process object of an exec. */
/* What can be checked of it when the container is created: capabilities, security options. */
int oci_spec_check(struct engine *e, const struct create_spec *s, struct err *err);
int oci_exec_process(struct container *c, const struct exec_spec *x, struct arena *a,
		     struct slice *ret_json, struct err *err);

/* users.c: "user[:group]" as docker reads it, in the container's own files (upper directory first,
 * then the image's). */
struct user_ids {
	uint32_t uid, gid;
	uint32_t groups[64];
	size_t ngroups;
	char home[256];
};
struct user_layers {
	const char *const *dirs; /* topmost first, NULL-terminated */
};
int user_resolve(const struct user_layers *l, const char *user, const struct strs *group_add,
		 struct user_ids *ret, struct err *err);

/* init-layer.c: the mount points every container needs, as one shared layer under each container's
 * own. */
int init_layer_make(struct engine *e, struct err *err);

/* netns.c: namespaces of ended containers are let go together. */
void netns_init(struct engine *e);
void netns_hold(struct engine *e, int fd_taken, const struct network_endpoint *ep);
void netns_let_go(struct engine *e);

/* names.c */
void name_generate(char dst[64]);
bool name_valid(const char *s); /* [a-zA-Z0-9][a-zA-Z0-9_.-]+ */

/* events.c */
int events_init(struct engine *e);
void events_fini(struct engine *e);
