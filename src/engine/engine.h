/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The container service: containers, execs, their networks and logs as one state machine on one
 * event loop. Fronts (Docker API, later CRI) call it; it calls image, network and the shims. It
 * knows nothing of HTTP.
 *
 * Everything is asynchronous: a call returns at once and its done() runs later on the loop, exactly
 * once, never before the call returned. Success is told only after the change is durable (engine.db
 * committed). Containers run on when the engine ends or is killed; engine_open finds them again
 * through their shims.
 *
 * Invariants
 *  (1) A container exists if and only if its row is in engine.db; directories without a row are
 * removed at open, rows whose directory was lost are shown as dead and can be removed. (2) State
 * shown to a client was durable before (except Running, which the shim holds and proves). (3) One
 * life-cycle operation at a time per container; the others queue in order (kill, attach, exec,
 * resize and wait do not). (4) Names and ids are unique; a name is free again only after the
 * removal is durable.
 */
#pragma once

#include "base/cleanup.h"
#include "base/loop.h"
#include "base/str.h"
#include "image/layers.h"

#include <stdbool.h>
#include <stdint.h>

struct arena;
struct container;
struct create_spec; /* engine/config.h */
struct doc;
struct engine;
struct err;
struct image_store;
struct strv;
struct network_set;
struct work_pool;
struct exec;

/* ---- the engine ---- */

struct engine_conf {
	const char *root;	    /* durable state, default /var/lib/teu */
	const char *run;	    /* sockets and what may go at reboot, default /run/teu */
	const char *oci_program;    /* absolute path of teu-oci */
	const char *self_program;   /* absolute path of teu, for fenced helpers */
	const char *bip;	    /* address/prefix of the default bridge, NULL = picked free */
	bool no_bridge;		    /* network "bridge" is refused */
	const char *storage_driver; /* image_store_options.driver; NULL = auto */
	uint64_t event_ring;	    /* events kept for `since`, default 1024 */
};

int engine_open(struct loop *l, const struct engine_conf *conf, struct engine **ret,
		struct err *err);
/* Leaves containers running. Calls still pending get -ERR_UNAVAILABLE. */
void engine_close(struct engine *e);
DEFINE_CLEANUP(struct engine *, engine_close)
struct image_store *engine_images(struct engine *e);
struct network_set *engine_networks(struct engine *e);
struct work_pool *engine_pool(struct engine *e); /* for fronts: imports, archives */
const char *engine_id(
	const struct engine *e); /* docker's daemon ID: UUID text, kept in engine.db */
const char *engine_instance(const struct engine *e); /* 8 hex: in every kernel-visible name */
const struct engine_conf *engine_get_conf(const struct engine *e);

/* ---- results ---- */

/* result 0 or -code with err filled (err is NULL on success); 1 where documented ("already so"). */
typedef void engine_done(void *arg, int result, struct err *err);

/* ---- containers ---- */

enum container_status {
	CT_CREATED,
	CT_RUNNING,
	CT_PAUSED,
	CT_RESTARTING,
	CT_REMOVING,
	CT_EXITED,
	CT_DEAD
};
const char *container_status_name(enum container_status s); /* "created", "running", ... */

struct container_state {
	enum container_status status;
	int pid; /* 0 when not running */
	int exit_code;
	bool oom_killed;
	int64_t created, started, finished; /* real ns; CLOCK_ZERO = never */
	int restart_count;
	const char *error; /* "" or why the last start failed */
};

struct container_endpoint {  /* one network attachment; strings "" when not running */
	const char *network; /* "bridge", "host", "none" */
	const char *network_id, *endpoint_id;
	const char *ip, *gateway, *mac;
	int prefix;
};

/* Borrowed until the next return to the loop. */
const char *container_id(const struct container *c);   /* 64 hex */
const char *container_name(const struct container *c); /* without the leading slash */
const struct container_state *container_get_state(const struct container *c);
/* The decoded spec, and the JSON objects Config and HostConfig as inspect shows them (defaults
 * filled in). */
const struct create_spec *container_spec(const struct container *c);
const char *container_image_id(const struct container *c);  /* sha256:... */
const char *container_image_ref(const struct container *c); /* as the client named it */
const struct container_endpoint *container_endpoint(const struct container *c);
const char *container_log_path(const struct container *c);
const char *container_dir(const struct container *c);
/* Of the present run: bundle, socket, hosts, hostname, resolv.conf; gone after a reboot. */
const char *container_run_dir(const struct container *c);
/* What its root is read from, and how (image/layers.h). Absolute paths in the arena. */
int engine_container_dirs(struct engine *e, struct container *c, enum image_rootfs_view what,
			  struct arena *a, struct strv *ret, enum image_diff_kind *ret_kind,
			  struct err *err);
/* Stops its processes where they are, or lets them go on. 1 = done, 0 = it does not run (or was so
 * already). Blocking, any thread. */
int engine_freeze(struct engine *e, const char *id, bool frozen, struct err *err);
/* Path and args as they run: entrypoint + command after the image's defaults. */
const char *const *container_argv(const struct container *c, size_t *ret_n);

size_t engine_container_count(const struct engine *e);
/* Newest first. Stable while the caller does not return to the loop. */
struct container *engine_container_next(struct engine *e, struct container *prev);
/* Full id, unique prefix, or name with or without "/". NOT_FOUND "No such container: x"; several:
 * BAD_REQUEST "multiple IDs found with provided prefix: x". */
int engine_container_find(struct engine *e, const char *ref, struct container **ret,
			  struct err *err);

/* The spec is copied. name NULL = a generated adjective_surname. */
typedef void engine_created(void *arg, int result, const char *id, const char *const *warnings,
			    struct err *err);
void engine_create(struct engine *e, const struct create_spec *spec, const char *name,
		   engine_created *fn, void *arg);

void engine_start(struct engine *e, struct container *c, engine_done *fn,
		  void *arg); /* 1 = was running */
/* signal 0 = the container's StopSignal; timeout in seconds, -1 = wait for ever, INT_MIN = the
 * container's own. 1 = was not running. */
void engine_stop(struct engine *e, struct container *c, int signo, int timeout, engine_done *fn,
		 void *arg);
void engine_restart(struct engine *e, struct container *c, int signo, int timeout, engine_done *fn,
		    void *arg);
void engine_kill(struct engine *e, struct container *c, int signo, engine_done *fn, void *arg);
void engine_remove(struct engine *e, struct container *c, bool force, bool volumes, engine_done *fn,
		   void *arg);
void engine_rename(struct engine *e, struct container *c, const char *name, engine_done *fn,
		   void *arg);
void engine_resize(struct engine *e, struct container *c, unsigned rows, unsigned cols,
		   engine_done *fn, void *arg);

/* Attach: the client's byte stream fd is taken over (also on failure) and served by the shim, so
 * that it survives us. On a container that does not run yet it is held until start. streams:
 * SHIM_IN|OUT|ERR|LOGS|RAW. */
struct attach_opts {
	uint32_t streams;
	struct slice detach_keys; /* raw bytes */
	struct slice unread;	  /* what was read from the client beyond the request */
};
/* Checks before the client is told 101: running or created; CONFLICT otherwise as docker says it.
 */
int engine_attach_check(struct engine *e, struct container *c, struct err *err);
void engine_attach(struct engine *e, struct container *c, int fd_taken,
		   const struct attach_opts *o);

enum wait_condition { WAIT_NOT_RUNNING, WAIT_NEXT_EXIT, WAIT_REMOVED };
struct engine_wait { /* embedded by the caller */
	struct list link;
	struct container *c;
	enum wait_condition condition;
	/* error: text for StatusCode's Error.Message, "" when none */
	void (*fn)(struct engine_wait *w, int exit_code, const char *error);
};
/* fn may be called before this returns only for WAIT_NOT_RUNNING on a container that does not run.
 */
void engine_wait_start(struct engine *e, struct container *c, struct engine_wait *w);
void engine_wait_cancel(struct engine_wait *w); /* safe always */

/* ---- execs ---- */

struct exec_spec {
	const char *const *cmd;
	size_t ncmd;
	const char *const *env;
	size_t nenv;
	const char *user, *cwd; /* NULL = the container's */
	bool tty, privileged, attach_stdin, attach_stdout, attach_stderr;
	struct slice detach_keys;
};
struct exec_state {
	const char *id, *container_id;
	bool running, started;
	bool has_exit;
	int exit_code;
	int pid;
	const struct exec_spec *spec;
};
int engine_exec_create(struct engine *e, struct container *c, const struct exec_spec *spec,
		       const char **ret_id, struct err *err);
int engine_exec_find(struct engine *e, const char *id, struct exec **ret,
		     struct err *err); /* "No such exec instance: x" */
void exec_get_state(const struct exec *x, struct exec_state *ret);
/* Checks before 101: container running, not started yet. */
int engine_exec_check(struct engine *e, struct exec *x, struct err *err);
/* fd_taken -1 = detached. */
void engine_exec_start(struct engine *e, struct exec *x, int fd_taken, struct slice unread,
		       unsigned rows, unsigned cols, engine_done *fn, void *arg);
void engine_exec_resize(struct engine *e, struct exec *x, unsigned rows, unsigned cols,
			engine_done *fn, void *arg);
/* Ids of the container's execs that run, for inspect. */
size_t engine_exec_ids(struct engine *e, struct container *c, const char **ids, size_t max);

/* ---- events ---- */

struct event_attr {
	const char *key, *value;
};
struct event {
	uint64_t seq;
	int64_t time;			/* real ns */
	const char *type, *action, *id; /* "container" "start" <id> */
	const struct event_attr *attrs;
	size_t nattrs;
};
struct event_watch { /* embedded by the caller */
	struct list link;
	void (*fn)(struct event_watch *w, const struct event *ev); /* borrowed for the call */
};
void engine_events_watch(struct engine *e, struct event_watch *w);
void engine_events_unwatch(struct event_watch *w);
/* Those still in the ring from `since` on, oldest first. */
void engine_events_replay(struct engine *e, int64_t since,
			  void (*fn)(void *arg, const struct event *ev), void *arg);
/* For what fronts do themselves (image pull, tag...). */
void engine_event(struct engine *e, const char *type, const char *action, const char *id,
		  const struct event_attr *attrs, size_t n);

/* ---- counts for info ---- */
struct engine_counts {
	unsigned containers, running, paused, stopped;
};
void engine_get_counts(const struct engine *e, struct engine_counts *ret);
