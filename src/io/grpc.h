/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gRPC over the streams of io/stream.h (HTTP/2), with messages as documents under schema rows
 * (doc/protobuf.h). Server and client, all four kinds of methods, one kind of call object.
 *
 * A call has messages in, messages out, and ends with a status. A server's handler answers when it
 * likes: it holds the call with grpc_ref. Flow: incoming messages are delivered one at a time and
 * the next one only after grpc_more (unless the method is not a client stream); grpc_send tells
 * when to wait for `writable`. Deadlines travel as grpc-timeout: a server's call that passes its
 * deadline is cancelled and answered DEADLINE_EXCEEDED, a client's is reset and ends so.
 *
 * Compression: identity only. Message and metadata sizes are bounded. All on the loop's thread.
 * Spec: grpc/doc/PROTOCOL-HTTP2.md, statuscodes.md, health-checking.md, server-reflection.md.
 */
#pragma once

#include "base/cleanup.h"
#include "base/str.h"
#include "io/retry.h"

#include <stdbool.h>
#include <stdint.h>

struct arena;
struct doc;
struct err;
struct grpc_call;
struct grpc_client;
struct grpc_server;
struct loop;
struct schema;
struct stream;
struct resolver;
struct tls_conf;

#define GRPC_CODES(X)             \
	X(0, OK)                  \
	X(1, CANCELLED)           \
	X(2, UNKNOWN)             \
	X(3, INVALID_ARGUMENT)    \
	X(4, DEADLINE_EXCEEDED)   \
	X(5, NOT_FOUND)           \
	X(6, ALREADY_EXISTS)      \
	X(7, PERMISSION_DENIED)   \
	X(8, RESOURCE_EXHAUSTED)  \
	X(9, FAILED_PRECONDITION) \
	X(10, ABORTED)            \
	X(11, OUT_OF_RANGE)       \
	X(12, UNIMPLEMENTED)      \
	X(13, INTERNAL)           \
	X(14, UNAVAILABLE)        \
	X(15, DATA_LOSS)          \
	X(16, UNAUTHENTICATED)
enum grpc_code {
#define X(n, name) GRPC_##name = (n),
	GRPC_CODES(X)
#undef X
};
const char *grpc_code_name(enum grpc_code c); /* "NOT_FOUND"; other numbers: "UNKNOWN" */
enum grpc_code grpc_code_of(const struct err *err);
/* The status as an error of ours: code and "<NAME>: message". Returns -code. */
int grpc_err(enum grpc_code c, const char *message, struct err *err);

#define GRPC_MESSAGE_DEFAULT (4u << 20)

/* ---- what a service is ---- */

enum { GRPC_CLIENT_STREAM = 1, GRPC_SERVER_STREAM = 2 };

struct grpc_method {
	const char *name;	       /* "RunPodSandbox" */
	const struct schema *in, *out; /* their names are the messages' full names */
	unsigned flags;		       /* GRPC_CLIENT_STREAM, GRPC_SERVER_STREAM */
	/* Server. Without GRPC_CLIENT_STREAM: the request is there (in grpc_arena). */
	void (*request)(struct grpc_call *c, const struct doc *request, void *arg);
	/* Server, with GRPC_CLIENT_STREAM: sets its events with grpc_on. */
	void (*begin)(struct grpc_call *c, void *arg);
};

struct grpc_service {
	const char *name; /* "runtime.v1.RuntimeService" */
	const struct grpc_method *methods;
	size_t n;
};

/* ---- calls, both sides ---- */

struct grpc_status {
	enum grpc_code code;
	const char *message;  /* "" when there is none; lives during the call */
	struct slice details; /* google.rpc.Status, of grpc-status-details-bin */
};

struct grpc_events {
	/* One message; the document lives until the callback returns. */
	void (*message)(struct grpc_call *c, const struct doc *d);
	void (*half_closed)(struct grpc_call *c); /* server: the client sends no more */
	void (*writable)(struct grpc_call *c);	  /* after grpc_send returned 1 */
	/* Server: the client went away or the deadline passed; what is sent now is dropped. Once.
	 */
	void (*cancelled)(struct grpc_call *c);
	/* Client: the end. Once, last. */
	void (*finished)(struct grpc_call *c, const struct grpc_status *status);
};

struct grpc_call *grpc_ref(struct grpc_call *c);
void grpc_unref(struct grpc_call *c); /* NULL is fine */
DEFINE_CLEANUP(struct grpc_call *, grpc_unref)
void grpc_on(struct grpc_call *c, const struct grpc_events *ev, void *arg);
void *grpc_arg(const struct grpc_call *c);
/* Messages come as the bytes of the wire instead of documents, all as they arrive (no grpc_more);
 * they live until the callback returns. The method's schema for them may then be NULL. Client. */
void grpc_on_bytes(struct grpc_call *c, void (*bytes)(struct grpc_call *c, struct slice message));
/* Lives as long as the call; bounded. */
struct arena *grpc_arena(struct grpc_call *c);
struct loop *grpc_loop(const struct grpc_call *c);
const char *grpc_path(const struct grpc_call *c); /* "/package.Service/Method" */
/* Client, in finished(): the server has certainly not looked at it (nobody listens, a refused
 * stream): it may be sent elsewhere, whatever it does. */
bool grpc_is_unsent(const struct grpc_call *c);
/* ns until the deadline, INT64_MAX = none, 0 = passed. */
int64_t grpc_time_left(const struct grpc_call *c);
bool grpc_is_over(const struct grpc_call *c);

/* Metadata that came with the head (lower-case names; names in -bin are decoded). {NULL,0} = none.
 */
struct slice grpc_metadata(struct grpc_call *c, const char *name);
struct slice grpc_trailing(struct grpc_call *c, const char *name); /* client: after the end */
/* Adds to our head (before the first message) or to our trailers (server). INVALID for names that
 * are reserved or have characters that are not allowed. */
int grpc_set_metadata(struct grpc_call *c, const char *name, struct slice value);
int grpc_set_trailing(struct grpc_call *c, const char *name, struct slice value);

/* Sends a message. 0 = go on, 1 = sent, but wait for `writable`; INVALID: it does not fit its rows
 * (server: the call then ends INTERNAL); TOO_LARGE; QUOTA: sent although it should wait, past the
 * mark; UNAVAILABLE: the call is over. */
int grpc_send(struct grpc_call *c, const struct doc *d, struct err *err);
int grpc_send_bytes(struct grpc_call *c, struct slice wire, struct err *err);
/* May the next message come? For methods whose messages come one by one. */
void grpc_more(struct grpc_call *c);

/* Server: the end. grpc_reply is grpc_send and OK. message may be NULL. */
void grpc_reply(struct grpc_call *c, const struct doc *d);
void grpc_finish(struct grpc_call *c, enum grpc_code code, const char *message);
void grpc_finishf(struct grpc_call *c, enum grpc_code code, const char *fmt, ...) PRINTF(3, 4);
void grpc_fail(struct grpc_call *c, const struct err *err);
/* Client: no further messages; gives up (finished runs with CANCELLED). */
void grpc_half_close(struct grpc_call *c);
void grpc_cancel(struct grpc_call *c);

/* ---- server ---- */

/* Zero means the default in brackets. */
struct grpc_server_conf {
	size_t message_max;   /* of a message that comes in [4 MiB] */
	size_t calls_max;     /* at the same time; more end RESOURCE_EXHAUSTED [4096] */
	int64_t deadline_max; /* for calls without one, or with a longer one [none] */
};
int grpc_server_new(struct loop *l, const struct grpc_server_conf *conf, struct grpc_server **ret,
		    struct err *err);
/* Calls that still run are reset. */
void grpc_server_free(struct grpc_server *srv);
DEFINE_CLEANUP(struct grpc_server *, grpc_server_free)
/* The table must outlive the server. EXISTS when a service of that name is there. */
int grpc_server_add(struct grpc_server *srv, const struct grpc_service *svc, void *arg,
		    struct err *err);
/* For http_server_conf.request, or behind a router: arg is the server. Anything that is no gRPC
 * over HTTP/2 is answered 415 or 505. */
void grpc_server_request(struct stream *s, void *arg);
bool grpc_is_request(const struct stream *s); /* by method and content type */

/* grpc.health.v1.Health; service "" stands for the server. */
enum grpc_serving { GRPC_SERVING_UNKNOWN, GRPC_SERVING, GRPC_NOT_SERVING, GRPC_SERVICE_UNKNOWN };
int grpc_server_add_health(struct grpc_server *srv, struct err *err);
/* Tells those who watch. */
void grpc_server_set_health(struct grpc_server *srv, const char *service, enum grpc_serving s);
/* grpc.reflection.v1 and v1alpha: descriptors made from the rows of all services. */
int grpc_server_add_reflection(struct grpc_server *srv, struct err *err);

struct grpc_server_stats {
	uint64_t started, ended, failed; /* failed: ended with another status than OK */
	size_t running;
};
struct grpc_server_stats grpc_server_get_stats(const struct grpc_server *srv);

/* ---- client ---- */

struct grpc_client_conf {
	struct tls_conf *tls;  /* [plain] */
	const char *authority; /* [of the address, "localhost" for Unix sockets] */
	struct resolver
		*resolver;	/* of names in the address; borrowed [NULL: numeric, localhost] */
	size_t message_max;	/* of a message that comes in [4 MiB] */
	size_t connections_max; /* [1: all calls share it, up to the server's limit of streams] */
	int64_t time;		/* of a call that names none [none] */
	/* Retries of unary calls that end UNAVAILABLE before a message came; within a budget of 10
	 * % of the calls. attempts_max 1 = none [4 attempts, 100 ms to 1 s]. */
	struct retry_policy retry;
	uint64_t seed; /* of the jitter, for tests [random] */
	/* While calls run: a ping when the server said nothing for so long [none; many servers end
	 * connections that ping more often than every five minutes], and how long it has to answer
	 * before all calls on the connection end UNAVAILABLE [20 s]. */
	int64_t keepalive_time, keepalive_timeout;
};
/* Addresses as in io/http-client.h. l NULL = a private loop, for the blocking calls only. */
int grpc_client_new(struct loop *l, const char *address, const struct grpc_client_conf *conf,
		    struct grpc_client **ret, struct err *err);
/* Calls that still run end CANCELLED. */
void grpc_client_free(struct grpc_client *cl);
DEFINE_CLEANUP(struct grpc_client *, grpc_client_free)

struct grpc_pair {
	const char *name;
	struct slice value; /* names in -bin: the bytes, encoded for them */
};
struct grpc_call_opts {
	int64_t time; /* ns until the deadline [the client's] */
	const struct grpc_pair *metadata;
	size_t metadata_n;
};

/* Opens a call of any kind; the caller holds a reference. events->finished comes in any case when 0
 * was returned, never inside. */
int grpc_client_open(struct grpc_client *cl, const char *service, const struct grpc_method *m,
		     const struct grpc_call_opts *opts, struct grpc_call **ret, struct err *err);

/* One message there, one back. fn runs once, from the loop: d is NULL unless the status is OK.
 * *ret (may be NULL) cancels with grpc_unary_cancel; it is gone when fn runs. */
struct grpc_unary;
typedef void grpc_unary_fn(void *arg, const struct doc *d, const struct grpc_status *status);
int grpc_client_unary(struct grpc_client *cl, const char *service, const struct grpc_method *m,
		      const struct doc *d, const struct grpc_call_opts *opts, grpc_unary_fn *fn,
		      void *arg, struct grpc_unary **ret, struct err *err);
void grpc_unary_cancel(struct grpc_unary *u);

/* The same on the client's loop until the answer is there; *ret in `a`. A status other than OK is
 * an error with its code; *status (may be NULL) tells it. */
int grpc_client_call(struct grpc_client *cl, const char *service, const struct grpc_method *m,
		     const struct doc *d, const struct grpc_call_opts *opts, struct arena *a,
		     struct doc *ret, enum grpc_code *status, struct err *err);
/* Blocking with a stream of answers: each(arg, d) until it returns nonzero (then the call is
 * cancelled and that is the result) or the stream ends. */
int grpc_client_stream(struct grpc_client *cl, const char *service, const struct grpc_method *m,
		       const struct doc *d, const struct grpc_call_opts *opts,
		       int (*each)(void *arg, const struct doc *d), void *arg, struct err *err);

struct grpc_client_stats {
	uint64_t calls, retries, refused_by_budget;
	uint64_t transparent; /* sent again since the server had not looked at them */
};
struct grpc_client_stats grpc_client_get_stats(const struct grpc_client *cl);
