/* SPDX-License-Identifier: Apache-2.0 */
/* Private to gRPC: the call object that server and client share, and the texts of the protocol. */
#pragma once

#include "base/list.h"
#include "base/loop.h"
#include "base/map.h"
#include "io/grpc.h"
#include "io/stream.h"

#define GRPC_PREFIX 5
#define GRPC_MESSAGE_TEXT_MAX 1024 /* of a status message, before percent coding */
/* Less than a stream's first window: no WINDOW_UPDATE for small calls. */
#define GRPC_WINDOW 32768u
#define GRPC_SCRATCH_KEEP 65536u

struct grpc_call {
	unsigned refs;
	bool server, head_sent, ended_out, eof, over, told_cancel, want, pumping, failed_in;
	bool one_in; /* exactly one message is to come */
	bool unseen; /* client: the server did not look at it */
	bool unsent; /* client: nobody was there */
	struct list link;
	struct stream *s;
	const struct grpc_method *m;
	const struct schema *in, *out;
	const struct grpc_events *ev;
	void *arg, *svc_arg;
	/* Client's unary: bytes instead of a document. */
	void (*bytes)(struct grpc_call *c, struct slice message);
	struct grpc_server *srv;
	struct grpc_client *cl;
	struct timer deadline;
	int64_t due; /* INT64_MAX = none */
	struct buf in_buf;
	size_t message_max, credit, messages;
	struct doc *request; /* server, one_in: in the stream's arena */
	struct buf *scratch; /* for what is sent; the owner's */
	/* Client, while the stream waits for a connection: the first message, and whether it is the
	 * last. */
	struct buf held;
	bool half_held, sent;
};

/* ---- grpc-call.c ---- */
/* Takes over the caller's reference of s. */
struct grpc_call *grpc_call_new(struct stream *s, const struct grpc_method *m, bool server);
/* Events of the stream for a call; `ended` is the side's end of input. */
void grpc_call_data(struct stream *s, struct slice bytes);
void grpc_call_writable(struct stream *s);
/* Bytes that are there already are delivered when they may be. */
void grpc_call_pump(struct grpc_call *c);
/* The call is over for us: timer and lists; the stream's reference goes with the call. */
void grpc_call_over(struct grpc_call *c);
void grpc_call_set_due(struct grpc_call *c, int64_t time, timer_fn *fn);
/* What a malformed input means; told by the side. */
void grpc_server_input_failed(struct grpc_call *c, enum grpc_code code, const char *message);
void grpc_client_finish(struct grpc_call *c, enum grpc_code code, const char *message);
/* All of the input was delivered. */
void grpc_server_input_end(struct grpc_call *c);
void grpc_client_input_end(struct grpc_call *c);

/* ---- grpc-wire.c ---- */
/* grpc-timeout: at most eight digits and a unit. ns, or -1. */
int64_t grpc_timeout_parse(struct slice s);
/* The shortest text that is not shorter than ns; dst has 16 bytes. */
const char *grpc_timeout_text(int64_t ns, char *dst);
/* Percent coding of grpc-message; both bounded. dst has room for 3 times the bytes and a NUL. */
void grpc_message_encode(struct slice s, char *dst);
/* In place of bad escapes the text itself, as the protocol says. dst has s.n + 1 bytes. */
void grpc_message_decode(struct slice s, char *dst);
/* A name of custom metadata: lower case, no reserved one. */
bool grpc_metadata_ok(struct slice name);
bool grpc_is_binary(struct slice name); /* ends in "-bin" */
enum grpc_code grpc_code_of_http(int status);
bool grpc_is_content_type(struct slice v);
/* Sets a header or trailer, -bin values in base64 without padding. */
int grpc_put_metadata(struct stream *s, bool trailer, const char *name, struct slice value);
/* A -bin value decoded into the arena; others as they are. {NULL,0} when it is no base64. */
struct slice grpc_take_metadata(struct arena *a, const char *name, struct slice value);
