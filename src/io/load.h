/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Load on a server, measured: HTTP exchanges or WebSocket echoes over any address an http_client
 * takes (names by /etc/hosts and DNS), closed loop (each stream asks again when it was answered) or
 * open loop (a rate, whatever the server does).
 *
 * In an open loop the n-th exchange is due at begin + n / rate. One that could not leave then, for
 * all streams were busy, leaves as soon as one is free, and its latency still counts from when it
 * was due: a server that stalls is not spared by a client that politely waits (no "coordinated
 * omission"). `service` counts from when it really left. What was due in the warm-up is not
 * counted. Each thread has a loop and connections of its own; memory does not grow with time.
 */
#pragma once

#include "base/cleanup.h"
#include "base/err.h"
#include "io/http-client.h"

struct histogram;

/* ---- pacing ---- */

/* When the n-th of a steady rate is due. Pure: the caller brings the clock. */
struct pace {
	int64_t begin;
	double interval; /* ns */
	uint64_t taken;
};
void pace_init(struct pace *p, int64_t begin, double per_second);
/* Takes the next one if it is due: true with the time it was due at. */
bool pace_take(struct pace *p, int64_t now, int64_t *ret_due);
int64_t pace_next(const struct pace *p); /* when the next one is due */

/* ---- a run ---- */

/* LOAD_GRPC: unary calls; `body` is one message with its five bytes in front, `target` the method.
 */
enum load_kind { LOAD_HTTP, LOAD_WS, LOAD_GRPC };

/* What went wrong with an exchange. */
#define LOAD_ERRORS(X)                                            \
	X(CONNECT, "connect") /* no connection, or handshake */   \
	X(BROKEN, "broken")   /* the connection ended under it */ \
	X(TIMEOUT, "timeout")                                     \
	X(PROTOCOL, "protocol") /* an answer that is none */      \
	X(STATUS, "status")	/* not 2xx */                     \
	X(BODY, "body")		/* a WebSocket echo that differs */
enum load_error {
#define X(name, text) LOAD_##name,
	LOAD_ERRORS(X)
#undef X
		LOAD_ERRORS_N
};
extern const char *const load_error_names[LOAD_ERRORS_N];

#define LOAD_THREADS_MAX 64
#define LOAD_CONNECTIONS_MAX 20000
#define LOAD_STREAMS_MAX 1000

/* Everything is borrowed for the run. Zero is the default in brackets. */
struct load_conf {
	enum load_kind kind;
	const char *address, *target;	/* as http_client_new and http_client_stream */
	const char *method;		/* [GET, POST with a body] */
	struct http_client_conf client; /* resolver is not looked at: each thread has its own */
	const struct http_header *headers;
	size_t headers_n;
	struct slice body;    /* of each request; the message of a WebSocket [no body; 1 KiB] */
	const char *protocol; /* WebSocket: sub-protocol */
	unsigned threads;     /* [1]; connections are spread over them */
	unsigned connections; /* [1] */
	unsigned streams;     /* at a time on each: HTTP/2 streams, WebSocket messages [1] */
	double rate;	      /* exchanges a second for all; 0 = closed loop */
	int64_t duration;     /* ns after the warm-up; 0 = until `requests` */
	int64_t warmup;
	uint64_t requests; /* counted exchanges; 0 = until `duration` */
	int64_t timeout;   /* of one exchange [30 s] */
	bool no_keepalive; /* HTTP: a new connection for each */
	/* Called every second on the calling thread. */
	void (*progress)(void *arg, int64_t elapsed, uint64_t done, uint64_t errors);
	void *arg;
	int stop_signal; /* ends early, with what was measured; 0 = none */
};

struct load_result {
	struct histogram *latency; /* from when it was due (closed loop: from when it left) */
	struct histogram *service; /* from when it left */
	uint64_t done;		   /* answered 2xx (echoed) and counted */
	uint64_t errors[LOAD_ERRORS_N];
	uint64_t statuses[6]; /* by hundreds, [0] = others */
	uint64_t bytes_in, bytes_out;
	uint64_t connects;
	uint64_t late;	 /* open loop: due, but never left before the end */
	int64_t elapsed; /* ns that were counted */
	bool interrupted;
	struct err first; /* the first failure, for a message */
};
void load_result_fini(struct load_result *r);
DEFINE_CLEANUP_EMBEDDED(struct load_result, load_result_fini)

/* Blocks until the end. INVALID for a conf that cannot be; a server that does not answer is not an
 * error of the run but counted. */
int load_run(const struct load_conf *conf, struct load_result *ret, struct err *err);
