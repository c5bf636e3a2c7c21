/* SPDX-License-Identifier: Apache-2.0 */
/* Private to the shim's files: codec, stdio of a process, log. */
#pragma once

#include "runtime/shim.h"

#include "base/list.h"

struct arena;

#define SHIM_FROM_ENGINE 1u
#define SHIM_FROM_SHIM 2u
#define SHIM_KEYS_MAX 32
#define SHIM_PROCS_MAX 512 /* of one container at a time; HELLO must fit one frame */

/* ---- codec (shim-wire.c) ---- */

extern const struct frame_rule shim_rules[SHIM_TYPE_END];
bool shim_id_ok(struct slice s);
void shim_put_create(struct wire_out *o, const struct shim_create *c);
int shim_get_create(struct wire_in *in, struct shim_create *c, struct err *err);
void shim_put_exec(struct wire_out *o, const struct shim_exec *x);
int shim_get_exec(struct wire_in *in, struct shim_exec *x, struct err *err);
void shim_put_attach(struct wire_out *o, const struct shim_attach *a);
int shim_get_attach(struct wire_in *in, struct shim_attach *a, struct err *err);
void shim_put_hello(struct wire_out *o, const struct shim_hello *h);
int shim_get_hello(struct wire_in *in, struct arena *a, struct shim_hello *h, struct err *err);
int shim_version_pick(uint16_t min, uint16_t max, uint16_t *ret, struct err *err);

/* ---- scratch memory, given back when idle (shim.c) ---- */

#define SHIM_SCRATCH (192 * 1024)

/* ---- log (shim-log.c): json-file with rotation ---- */

#define SHIM_LINE_MAX (16 * 1024) /* a longer line is logged in pieces, as docker does */
#define SHIM_ATTRS_MAX (32 * 1024)

struct shim_logger {
	int dirfd, fd;
	char name[208];
	uint64_t size, max_size;
	uint32_t max_files;
	uint32_t turns;	    /* how often files were renamed: readers find theirs by it */
	char *attrs;	    /* JSON object text or NULL */
	struct buf part[2]; /* a line whose end has not come yet */
	uint64_t lost;	    /* bytes of records that could not be written since the last success */
};
int shim_logger_open(struct shim_logger *l, const struct shim_create *c, int dirfd,
		     struct err *err);
void shim_logger_fini(struct shim_logger *l);
int shim_logger_reopen(struct shim_logger *l, struct err *err);
/* Appends the lines that one read completes; the rest waits for its end. stream 1 or 2. Failures
 * are counted, not fatal. scratch: at least SHIM_LINE_MAX * 6 + SHIM_ATTRS_MAX + 256 bytes. */
void shim_logger_write(struct shim_logger *l, int stream, const char *p, size_t n, char *scratch,
		       size_t cap);
/* The stream has ended: what waits is logged without a newline. */
void shim_logger_end(struct shim_logger *l, int stream, char *scratch, size_t cap);

/* What the log holds, oldest first, in steps; rotations meanwhile are followed. */
struct shim_log_reader {
	int fd;
	uint32_t file, turns; /* NAME.<file> when the logger's count was `turns` */
	off_t at;
};
typedef void shim_log_fn(void *arg, int stream, const char *p, size_t n);
void shim_log_reader_open(const struct shim_logger *l, struct shim_log_reader *r);
/* Decodes at most cap bytes of file. false = nothing is left. The begun lines are not in the file:
 * see part[]. */
bool shim_log_reader_step(const struct shim_logger *l, struct shim_log_reader *r, char *scratch,
			  size_t cap, shim_log_fn *fn, void *arg);
void shim_log_reader_close(struct shim_log_reader *r);

/* ---- stdio of one process (shim-io.c) ---- */

struct shim_io;
struct shim_io_conf {
	struct loop *loop;
	int in, out, err; /* taken: our ends; tty: in = out = the pty master (one fd), err = -1 */
	bool tty, once;
	struct shim_logger *log;   /* NULL = none */
	char *scratch;		   /* SHIM_SCRATCH bytes */
	void (*active)(void *arg); /* scratch was used */
	/* The process and its output have ended: the log is complete. Clients may still lag. */
	void (*drained)(void *arg);
	void (*served)(void *arg);		   /* after that, and now no client is left */
	void (*detached)(void *arg, bool by_keys); /* a client left */
	void *arg;
};
int shim_io_new(const struct shim_io_conf *conf, struct shim_io **ret, struct err *err);
void shim_io_free(struct shim_io *io);
/* Takes fd. */
int shim_io_attach(struct shim_io *io, int fd, uint32_t streams, struct slice keys,
		   struct slice unread, struct err *err);
bool shim_io_served(const struct shim_io *io); /* no client is left */
void shim_io_resize(struct shim_io *io, unsigned rows, unsigned cols);
void shim_io_close_stdin(struct shim_io *io);
/* The process has ended: read what is left; what others still hold open is given up after
 * `patience` ns. */
void shim_io_finish(struct shim_io *io, int64_t patience);
