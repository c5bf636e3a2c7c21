/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to rest-connect-*.c: requests that are handed on.
 *
 *	rest-connect.c            what is asked for, its options; finding the agent; the end
 *	rest-connect-options.c    queries
 *	rest-connect-place.c      pods, containers, services: which address, which port
 *	rest-connect-head.c       headers of requests and answers on their way
 *	rest-connect-log.c        pods/log
 *	rest-connect-upgrade.c    upgrades: exec, attach, portforward, proxies' own; the tunnel
 *	rest-connect-translate.c  exec and attach by WebSocket channels to an agent that speaks SPDY
 *	rest-connect-proxy.c      pods, services, nodes: plain requests
 *	rest-connect-html.c       links in what they answer
 *	rest-remote.c             groups of other API servers
 *	rest-connect-pipe.c       bytes of one stream to another
 *
 * A connect lives in its call's arena and is over when the client's stream is closed: then
 * connect_stop (the call's `stop`) resets the backend's stream and gives everything back. So who
 * fails only answers (or resets the client's stream) and returns.
 */
#pragma once

#include "apiserver/outward/node-agent.h"
#include "apiserver/rest/call.h"
#include "apiserver/rest/rest-hooks.h"
#include "base/loop.h"
#include "io/stream.h"
#include "io/url.h"

struct connect;
struct html;
struct pipe_end;
struct remote_way;

/* ---- rest-connect-pipe.c ---- */

#define PIPE_CREDIT (64u << 10)

struct pipe_ops {
	/* The stream is closed: e->s is NULL. The last that is said of e. */
	void (*closed)(struct pipe_end *e, const struct err *why);
	/* All that its stream gave was taken; the other end's end is under way. May be NULL. */
	void (*ended)(struct pipe_end *e);
	/* All that comes for its stream was written: instead of ending it. May be NULL. */
	void (*filled)(struct pipe_end *e);
	/* What its stream gave becomes what is appended to out; `last` once, with nothing. May be
	 * NULL. 1: taken, no more before pipe_resume; negative: the stream is broken. */
	int (*filter)(struct pipe_end *e, struct slice in, bool last, struct buf *out);
	/* A client's half of HTTP is closed (stream.h). May be NULL. */
	void (*cancel)(struct pipe_end *e);
	/* The backend's head is here. May be NULL. */
	void (*head)(struct pipe_end *e);
};

/* One of two streams that are joined. What it gives goes to `to`, with credit only as there is
 * room: at most PIPE_CREDIT bytes (what a filter makes of them) wait in `held`. */
struct pipe_end {
	struct stream *s; /* referenced; NULL: none */
	const struct pipe_ops *ops;
	struct connect *x; /* whose call is held while its callbacks run */
	struct pipe_end *to, *from;
	struct buf held; /* for s */
	uint64_t bytes;	 /* that s gave */
	size_t owed;	 /* credit that s gets when there is room at `to` */
	bool over;	 /* nothing more comes for s behind `held` */
	bool finish;	 /* ... and then what s still gives is of no use */
	bool told;	 /* `filled` has run */
};
/* Takes s's events; a reference of its own. Nothing is read before pipe_flow. */
void pipe_open(struct pipe_end *e, struct stream *s, const struct pipe_ops *ops, struct connect *x);
/* What `from` gives goes to `to` from now on. */
void pipe_flow(struct pipe_end *from, struct pipe_end *to);
void pipe_resume(struct pipe_end *from);
/* Bytes of our own for e's stream. */
void pipe_put(struct pipe_end *e, struct slice bytes);
/* Behind what was put nothing more comes: half-close, or, finish, the whole end. */
void pipe_end_output(struct pipe_end *e, bool finish);
/* Lets s go as it is, without events; `given`: somebody has taken them over already. */
void pipe_leave(struct pipe_end *e);
void pipe_given(struct pipe_end *e);
/* Resets s if it is there; no callback runs. */
void pipe_close(struct pipe_end *e);

/* ---- a request that is handed on ---- */

enum connect_sub {
	CONNECT_ATTACH,
	CONNECT_EXEC,
	CONNECT_LOG,
	CONNECT_FORWARD,
	CONNECT_PROXY,
	CONNECT_REMOTE, /* another API server */
};

/* Options of exec and attach. */
struct connect_streams {
	bool in, out, err, tty;
};

struct connect {
	struct call *call; /* held until the end */
	enum connect_sub sub;
	struct query query;
	const char *target; /* path and query at the backend, encoded */
	struct agent_find find;
	bool finding;
	struct hook_ask ask; /* webhooks, about: */
	struct doc options;
	bool mutated;
	void (*go)(struct call *c); /* when they have agreed */
	struct agent *agent;
	struct pipe_end front, back; /* the client; the backend */
	struct timer linger;	     /* the client has ended: how long the backend may be silent */
	uint64_t lingered;
	struct buf text;		 /* log: an error's body, or what waits for a WebSocket */
	struct connect_streams streams;	 /* exec, attach */
	bool follow;			 /* log */
	struct agent_other other;	 /* remote */
	struct tls_conf *tls;		 /* of `other` */
	int (*dress)(struct connect *x); /* what else the head tells the backend; NULL: nothing */
	const char *prefix;		 /* proxy: of paths as the client sees them */
	struct html *html;		 /* proxy; NULL: bytes go on as they are */
	void *more;			 /* of the translation */
	void (*more_stop)(struct connect *x);
	void (*ready)(struct connect *x); /* x->agent is there */
	/* What a lookup or connection that failed is told as. */
	void (*unreachable)(struct connect *x, const struct err *err);
};

/* Finds the agent of a node by its object, then x->ready. */
void connect_node(struct connect *x, const char *name, struct item *node, enum agent_way way,
		  bool checked);
/* An address that is known. */
void connect_address(struct connect *x, const struct ip_addr *ip, uint16_t port,
		     enum agent_way way);
/* An endpoint of another API server. */
void connect_other(struct connect *x, struct agents *as, const struct remote_way *way);
/* One that is yet to be found; from here on it is the call's verb, and its `stop` ends it. NULL: no
 * memory is left. */
struct connect *connect_new(struct call *c, enum connect_sub sub);
/* The backend's stream for x->target, with pipe events; x->back. Its head is yet to be sent. */
int connect_open(struct connect *x, const char *method, const struct pipe_ops *ops);
/* struct pipe_ops.closed of a backend whose answer is handed on as it comes: without one it is
 * unreachable, one that broke breaks the client's too. */
void connect_back_closed(struct pipe_end *e, const struct err *why);
void connect_fail(struct connect *x, const struct err *err);
/* An error that is none of the API's: 500 without a reason. */
void connect_broken(struct connect *x, const char *fmt, ...) PRINTF(2, 3);
/* Sends the head: length as http_client_send. */
void connect_send(struct connect *x, int64_t length, bool upgrade);
extern const struct pipe_ops connect_front;

/* ---- rest-connect-options.c ---- */

#define CONNECT_TARGET_MAX (64u << 10) /* what is asked of an agent */

/* Absent, "false" and "0" are false, all else is true. */
bool connect_flag(const struct connect *x, const char *name);
/* Appends "?..." for the agent. 400, 422. */
int connect_query(struct connect *x, struct buf *b, struct err *err);

/* The options as an object, for webhooks: "PodExecOptions" with what the query says. */
int connect_options(struct connect *x, struct doc *ret, struct err *err);

/* ---- rest-connect-place.c ---- */

/* Container of the options or the only one; 400. */
int connect_container(struct call *c, const struct doc *pod, const char *asked, const char **ret,
		      struct err *err);
/* "https:name:port" */
struct connect_id {
	const char *scheme, *name, *port;
};
bool connect_split(struct arena *a, const char *id, struct connect_id *ret);
struct connect_place {
	struct ip_addr ip;
	uint16_t port;
	bool tls;
};
int connect_pod(struct call *c, const struct doc *pod, const struct connect_id *id,
		struct connect_place *ret, struct err *err);
int connect_service(struct call *c, const struct doc *service, const struct connect_id *id,
		    struct connect_place *ret, struct err *err);

/* ---- rest-connect-head.c ---- */

/* The client's headers for the backend: without those of this connection, and without what tells
 * who the client is for the API. host: with its Host. */
int head_request(struct connect *x, bool host);
/* The backend's for the client. */
void head_answer(struct connect *x);
/* Value of Sec-WebSocket-Protocol without tokens of the API; NULL: none is left. */
const char *head_protocols(struct stream *s, struct arena *a);

/* ---- verbs ---- */

void connect_log(struct connect *x);
void connect_upgrade(struct connect *x);
void connect_tunnel(struct connect *x);
void connect_translate(struct connect *x);
void connect_proxy(struct call *c);
/* The backend's answer goes to the client as it is. */
void connect_answer(struct connect *x);
/* struct pipe_ops.ended: trailers that were announced. */
void connect_trailers(struct pipe_end *e);
/* A path, encoded as Go does, and a query as it came; NULL: too long. */
const char *connect_target(struct arena *a, const char *path, struct slice query);
bool connect_asks(const struct stream *s, const char *protocol);
