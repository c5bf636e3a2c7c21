/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shim: one small process (`teu-oci shim`) per running container. It is the parent of the
 * container's init and of exec'd processes, owns their stdio, records every exit durably, and
 * outlives the engine.
 *
 * Life: the engine spawns it with a SEQPACKET socket on fd 3 (its first connection). The shim
 * listens on <run>/shim.sock for later engines, runs rt_create / rt_start / rt_exec in its own
 * process, and ends by itself once init has ended, output is drained, the exit is on disk and
 * runtime state is removed. No engine is needed for that.
 *
 * Invariants
 *  (1) An exit is appended to <dir>/exits and fdatasync'ed before SHIM_EXIT is sent and before the
 * shim ends. (2) Whoever connects first gets SHIM_HELLO with all the shim knows; a second engine
 * replaces the first (the old connection is closed): the newest connection is the engine. (3) A
 * request is answered exactly once, by SHIM_OK or SHIM_FAILED with the same frame id, or the
 * connection ends. (4) Nothing of the payload is trusted: each frame is checked against shim_rules
 * before its handler runs. (5) The first frame on a connection carries a version range; all later
 * ones the version agreed on (the highest both know), others end the connection. Frames of every
 * released version stay readable; HELLO and WELCOME keep their layout for ever and grow at the end
 * only. (6) A container outlives engines: a created one that was not started stays, with its shim,
 * until an engine comes and starts or deletes it; a shim that was not yet asked to create anything
 * ends with the engine. (7) A reader that lags never holds up the log, the exit or the shim's end.
 */
#pragma once

#include "base/frame.h"
#include "base/loop.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

#define SHIM_VERSION_MIN 1
#define SHIM_VERSION_MAX 1
#define SHIM_ID_MAX 64 /* container and exec ids: hex or [A-Za-z0-9_.-], at most this long */

enum shim_type {
	/* engine -> shim */
	SHIM_WELCOME = 1, /* u16 lowest, u16 highest version: the first frame of the engine */
	SHIM_CREATE,	  /* shim_create; fds: [0] = container directory (O_PATH or O_DIRECTORY) */
	SHIM_START,	  /* empty. OK payload: i64 started (real ns) */
	SHIM_EXEC,	  /* shim_exec; fds: 0 or 1 = client's byte stream. OK payload: i32 pid */
	SHIM_ATTACH,	  /* shim_attach; fds: 1 = client's byte stream */
	SHIM_RESIZE,	  /* str exec id ("" = init), u16 rows, u16 columns */
	SHIM_KILL, /* str exec id ("" = init), i32 signal, u8 all processes of the container */
	SHIM_CLOSE_STDIN, /* str exec id */
	SHIM_DELETE, /* force: kill what lives, remove runtime state, end. OK is sent before it ends
		      */
	SHIM_STATE,  /* empty. OK payload: as HELLO */
	SHIM_LOG_REOPEN, /* empty: the log file was removed or moved by the engine */
	/* shim -> engine */
	SHIM_HELLO = 64, /* shim_hello; first frame on each connection */
	SHIM_OK,	 /* reply */
	SHIM_FAILED,	 /* reply: u32 err code, i32 errno, str message */
	SHIM_EXIT,	 /* event, id 0: shim_exit_record as in the exits file */
	SHIM_OOM,	 /* event, id 0: i64 real ns. The memory controller killed a process of the
			    container */
	SHIM_DETACHED, /* event, id 0: str exec id, u8 1 = by detach keys, 0 = client gone or end of
			  output */
	SHIM_TYPE_END
};

/* Payload flags of SHIM_CREATE and SHIM_EXEC. */
#define SHIM_TTY 1u
#define SHIM_STDIN 2u /* keep stdin open for attach (docker's OpenStdin); else /dev/null */
#define SHIM_STDIN_ONCE \
	4u /* close stdin when the attached clients that gave it have half-closed or left */
#define SHIM_START_NOW \
	8u /* CREATE: start in the same request; OK payload is then i32 pid, i64 started */
#define SHIM_LIMITED_CGROUPS 16u

/* Streams of an attach or exec client. */
#define SHIM_IN 1u
#define SHIM_OUT 2u
#define SHIM_ERR 4u
#define SHIM_LOGS 8u /* ATTACH: first what the log holds, then live */
#define SHIM_RAW 16u /* no 8-byte frames (tty) */

enum shim_log { SHIM_LOG_NONE, SHIM_LOG_JSON_FILE };

struct shim_create {
	struct slice id;      /* container id */
	struct slice rt_root; /* --root of the runtime state */
	struct slice bundle;  /* absolute path: where config.json is */
	uint32_t flags;
	uint16_t rows, cols;	/* initial terminal size, 0 = none */
	uint8_t log_driver;	/* enum shim_log */
	uint64_t log_max_size;	/* bytes, 0 = no rotation */
	uint32_t log_max_files; /* including the current one; >= 1 */
	struct slice log_name;	/* file name below the container directory, "<id>-json.log" */
	struct slice log_attrs; /* JSON object text for "attrs", or empty */
};
/* OK payload of CREATE without SHIM_START_NOW: i32 pid of init (the engine's pid namespace). */

struct shim_exec {
	struct slice exec_id;
	uint32_t flags;	  /* SHIM_TTY, SHIM_STDIN */
	uint32_t streams; /* SHIM_IN|OUT|ERR of the client, if an fd comes along */
	uint16_t rows, cols;
	struct slice process;	  /* JSON: OCI runtime-spec process object */
	struct slice detach_keys; /* raw bytes, empty = none */
	struct slice unread; /* bytes the engine had read from the client already: first of stdin */
};

struct shim_attach {
	struct slice exec_id; /* "" = init */
	uint32_t streams;
	struct slice detach_keys;
	struct slice unread;
};

enum shim_phase { SHIM_NEW, SHIM_CREATED, SHIM_RUNNING, SHIM_STOPPED };

/* One line of <dir>/exits and the payload of SHIM_EXIT: fixed size, checksummed, so a torn write is
 * seen. */
#define SHIM_EXIT_SIZE 128
struct shim_exit {
	char exec_id[SHIM_ID_MAX + 1]; /* "" = init */
	int32_t status;		       /* as from waitpid(2); -1 = unknown */
	bool oom; /* the container's memory limit killed a process during its life */
	int64_t started, finished; /* real ns; 0 = never started */
	int32_t pid;
};
void shim_exit_pack(const struct shim_exit *e, unsigned char out[SHIM_EXIT_SIZE]);
int shim_exit_unpack(const unsigned char in[SHIM_EXIT_SIZE],
		     struct shim_exit *ret); /* -1 = torn or foreign */
/* Reads <dirfd>/exits: calls fn for each whole record in order. A missing file is no error. */
int shim_exits_read(int dirfd, void (*fn)(const struct shim_exit *e, void *arg), void *arg,
		    struct err *err);
/* Exit code as docker shows it: status or 128 + signal; 255 when unknown. */
int shim_exit_code(const struct shim_exit *e);

struct shim_proc {
	char exec_id[SHIM_ID_MAX + 1];
	int32_t pid;
	bool running;
	struct shim_exit exit; /* valid when it has ended */
};

struct shim_hello {
	uint16_t version_min, version_max;
	int32_t shim_pid;
	char id[SHIM_ID_MAX + 1];
	uint8_t phase; /* enum shim_phase */
	int64_t started;
	bool oom;
	uint32_t nprocs; /* init first, then execs that run or whose exit was not yet seen by an
			    engine */
	struct shim_proc *procs; /* decoded: in the caller's arena */
};

/* Entry of `teu-oci shim`: serves until the container is gone. Exit status of the process. */
int shim_main(int argc, char **argv);

/*
 * Engine's side: one struct per running container, on the engine's loop. Calls never block; each
 * request's reply comes to its callback, in which `f` is NULL and err filled when the request
 * failed or the shim went away.
 */
struct shim_client;
struct shim_reply {
	int result; /* 0, or -code with err filled */
	struct err *err;
	struct wire_in payload; /* of SHIM_OK */
};
typedef void shim_reply_fn(void *arg, struct shim_reply *r);

struct shim_events {
	/* HELLO has come (after spawn and after connect). Borrowed for the call. */
	void (*hello)(void *arg, const struct shim_hello *h);
	void (*exited)(void *arg, const struct shim_exit *e);
	void (*oom)(void *arg, int64_t when);
	void (*detached)(void *arg, const char *exec_id, bool by_keys);
	/* The connection is gone: after init's exit this is the normal end; otherwise the shim was
	 * killed. Last call. */
	void (*gone)(void *arg);
};

struct shim_where {
	const char *program; /* path of teu-oci */
	const char *run_dir; /* absolute directory of this container's sockets (exists) */
	const char *id;
	int log_fd; /* the shim's stderr: engine log or /dev/null; borrowed */
};

/* Starts a shim (vfork-style, CLOEXEC-clean, own session, not our child for long: it is reparented
 * by design only when the engine dies). The pidfd stays with the client. */
int shim_spawn(struct loop *l, const struct shim_where *w, const struct shim_events *ev, void *arg,
	       struct shim_client **ret, struct err *err);
/* Finds a running shim by <run_dir>/shim.sock. -ERR_NOT_FOUND: none listens there. */
int shim_connect(struct loop *l, const struct shim_where *w, const struct shim_events *ev,
		 void *arg, struct shim_client **ret, struct err *err);
void shim_client_free(struct shim_client *c); /* closes the connection; the shim runs on */
DEFINE_CLEANUP(struct shim_client *, shim_client_free)

void shim_call_create(struct shim_client *c, const struct shim_create *rq, int dirfd,
		      shim_reply_fn *fn, void *arg);
void shim_call_start(struct shim_client *c, shim_reply_fn *fn, void *arg);
void shim_call_exec(struct shim_client *c, const struct shim_exec *rq, int stream_fd,
		    shim_reply_fn *fn, void *arg);
void shim_call_attach(struct shim_client *c, const struct shim_attach *rq, int stream_fd,
		      shim_reply_fn *fn, void *arg);
void shim_call_resize(struct shim_client *c, const char *exec_id, unsigned rows, unsigned cols,
		      shim_reply_fn *fn, void *arg);
void shim_call_kill(struct shim_client *c, const char *exec_id, int signo, bool all,
		    shim_reply_fn *fn, void *arg);
void shim_call_close_stdin(struct shim_client *c, const char *exec_id, shim_reply_fn *fn,
			   void *arg);
void shim_call_delete(struct shim_client *c, shim_reply_fn *fn, void *arg);
pid_t shim_pid(const struct shim_client *c);
