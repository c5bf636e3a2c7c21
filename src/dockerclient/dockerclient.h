/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Client of the Docker Engine API: what our own commands say to an engine, ours or any other.
 *
 * docker_call is one exchange from begin to end: JSON in, JSON or a stream of bytes out. A struct
 * docker_exchange is one that runs beside others on the client's loop: waits, attached terminals.
 * Paths carry no version: the engine answers with its newest. An answer that is an error becomes an
 * err whose code follows the status and whose message is the engine's own, behind "Error response
 * from daemon: ".
 *
 * Not thread safe. Spec: Docker Engine API 1.50.
 */
#pragma once

#include "base/cleanup.h"
#include "base/err.h"
#include "base/str.h"
#include "io/stream.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct arena;
struct doc;
struct docker_client;
struct loop;

/* host: "unix:///path" or another address of io/http-client.h. No connection is made yet. */
int docker_client_new(const char *host, struct docker_client **ret, struct err *err);
void docker_client_free(struct docker_client *c);
DEFINE_CLEANUP(struct docker_client *, docker_client_free)
struct loop *docker_client_loop(struct docker_client *c);
const char *docker_client_host(const struct docker_client *c);

/*
 * What to do when nobody listens on the Unix socket: absent() may start an engine; 0 = try again,
 * negative with err = give up with that error. Called at most once in a client's life.
 */
void docker_client_on_absent(struct docker_client *c, int (*absent)(void *arg, struct err *err),
			     void *arg);

/* ---- one exchange from begin to end ---- */

struct docker_request {
	const char *method;	/* [GET] */
	const char *target;	/* path and query, encoded: docker_target */
	const struct doc *body; /* JSON, or NULL */
	/* A body of bytes instead: as in struct http_call. */
	ssize_t (*produce)(void *arg, char *p, size_t cap, struct err *err);
	const char *registry_auth; /* value of X-Registry-Auth, or NULL */
	int64_t length;		   /* of what produce gives, -1 = unknown */
	const char *content_type;  /* of what produce gives */
	/* The body of a good answer in pieces; NULL = read as JSON. */
	int (*consume)(void *arg, struct slice bytes, struct err *err);
	/* Before the first piece: the Content-Type. May be NULL. */
	void (*began)(void *arg, struct slice content_type);
	void *arg;
};
/*
 * ret may be NULL; it gets the JSON answer in the arena, or NULL when there was no body. 0; 1 = the
 * engine says that it was so already (304); negative with err. The code tells NOT_FOUND, CONFLICT,
 * UNSUPPORTED..., and UNAVAILABLE when no engine could be reached.
 */
int docker_call(struct docker_client *c, struct arena *a, const struct docker_request *rq,
		struct doc **ret, struct err *err);
/* The commonest forms. */
int docker_get(struct docker_client *c, struct arena *a, const char *target, struct doc **ret,
	       struct err *err);
int docker_post(struct docker_client *c, struct arena *a, const char *target,
		const struct doc *body, struct doc **ret, struct err *err);

/*
 * A path with its query in the arena: words that come from people are encoded.
 *	docker_target(a, "/containers/%/start", id, "detachKeys", keys, NULL)
 * Each '%' of the path takes the next argument; then pairs of name and value until a NULL name. A
 * NULL value leaves its pair out. NULL past the arena's maximum.
 */
const char *docker_target(struct arena *a, const char *path, ...) __attribute__((sentinel));

/* ---- exchanges side by side ---- */

/*
 * Embedded by its owner, zeroed but for the callbacks. All callbacks come from the loop. Order:
 * head (good answers only), data and writable, end, over. An error answer gives over alone.
 */
struct docker_exchange {
	void (*head)(struct docker_exchange *x); /* status is known and good */
	/* Bytes of a good answer; the owner grants more by docker_exchange_credit. NULL = collected
	 * in `text`. */
	void (*data)(struct docker_exchange *x, struct slice bytes);
	void (*end)(struct docker_exchange *x); /* the engine sends no more */
	void (*writable)(struct docker_exchange *x);
	/* Once, at last. err.code says whether it went wrong. */
	void (*over)(struct docker_exchange *x);

	/* filled in */
	struct docker_client *client;
	struct stream *s;
	struct err err;
	struct buf text;
	int status; /* 0 = no answer yet */
	bool finished;
};
/*
 * hijack: the answer is a byte stream both ways, written by stream_write and stream_end. err NULL:
 * nobody waits for its success, so no engine is started for it.
 */
int docker_exchange_start(struct docker_client *c, struct docker_exchange *x, const char *method,
			  const char *target, const struct doc *body, bool hijack, struct err *err);
/* Drops what still runs, without over. Idempotent; a zeroed one is fine. */
void docker_exchange_fini(struct docker_exchange *x);
void docker_exchange_credit(struct docker_exchange *x, size_t n);
#define DOCKER_CREDIT 262144u /* granted at the head */
/* The stream carries frames (docker_demux) and not a terminal's raw bytes. */
bool docker_exchange_is_framed(const struct docker_exchange *x);
/* Runs the loop until the head of the answer, or until all is over. 0, or negative with the
 * exchange's error. */
int docker_exchange_wait_head(struct docker_exchange *x, struct err *err);
int docker_exchange_wait_over(struct docker_exchange *x, struct err *err);
/* The collected text as JSON. */
int docker_exchange_json(struct docker_exchange *x, struct arena *a, struct doc **ret,
			 struct err *err);

/* Error answer to err: status and body as they came. Returns -err->code. */
int docker_answer_error(int status, struct slice body, struct err *err);

/* ---- frames of attach, exec and logs: {type, 0, 0, 0, be32 length} ---- */

enum docker_frame { DOCKER_STDIN, DOCKER_STDOUT, DOCKER_STDERR, DOCKER_SYSTEM };
struct docker_demux {
	unsigned char head[8];
	unsigned have;	  /* bytes of head */
	uint32_t left;	  /* bytes of payload still to come */
	char system[512]; /* text of a system frame, an error of the engine in the stream */
	size_t system_n;
};
/*
 * Payloads are handed on as they come, in pieces. BAD_REQUEST for what is no frame; a system frame
 * ends the stream with its text as the error (code SYSTEM).
 */
int docker_demux_feed(struct docker_demux *d, struct slice bytes,
		      int (*fn)(void *arg, enum docker_frame type, struct slice payload,
				struct err *err),
		      void *arg, struct err *err);
/* At the end of the stream: BAD_REQUEST if it was cut inside a frame. */
int docker_demux_end(const struct docker_demux *d, struct err *err);

/* ---- streams of JSON messages (events, import, load): one a line ---- */

struct docker_messages {
	struct buf part; /* a line that has not ended */
};
#define DOCKER_MESSAGE_MAX (1u << 20)
#define DOCKER_MESSAGES_INIT ((struct docker_messages){ .part = BUF_INIT(DOCKER_MESSAGE_MAX) })
void docker_messages_fini(struct docker_messages *m);
/* fn's document lives during the call only. An in-band error ({"error":...}) ends with that text.
 */
int docker_messages_feed(struct docker_messages *m, struct slice bytes,
			 int (*fn)(void *arg, const struct doc *msg, struct slice line,
				   struct err *err),
			 void *arg, struct err *err);
