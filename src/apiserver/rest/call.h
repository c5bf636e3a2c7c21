/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to the server: one request as all handlers see it.
 *
 *	server.c     streams, who asks, fair queue, may it, which verb, the end
 *	call.c       answers, bodies, waits, warnings
 *	rest-*.c     the verbs
 *	paths.c      what is no resource
 *
 * A call lives in its stream's arena. It is held by the connection (until `closed`) and by each
 * step that goes on later (call_hold, call_drop): the client may vanish at any time, then `gone` is
 * set, `stop` has run, and answers go nowhere. One answer: call_answer, call_fail, or what a
 * verb sends itself after `answered` is set.
 */
#pragma once

#include "apiserver/admission/image-policy.h"
#include "apiserver/auth/apiaudit.h"
#include "apiserver/auth/authn-webhook.h"
#include "apiserver/auth/authz-webhook.h"
#include "apiserver/extension/convert.h"
#include "apiserver/objects/codec.h"
#include "apiserver/objects/resource.h"
#include "apiserver/objects/status.h"
#include "apiserver/rest/fairness.h"
#include "apiserver/rest/request.h"
#include "apiserver/rest/server.h"
#include "apiserver/rest/who-metrics.h"
#include "apiserver/strategy/strategy.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/list.h"
#include "base/loop.h"
#include "io/metrics.h"
#include "io/stream.h"

struct agents;
struct authz_attrs;
struct paths;
struct remote;
struct watch;
struct hook_desk;
struct work_pool;

#define CALL_WORK_MAX \
	(256u << 20) /* documents of one write: a body of 3 MiB as nodes, some times */
#define CALL_AUDIT_ID_MAX 65

struct server {
	struct server_conf conf;
	struct http_server *http;
	struct list calls; /* all that run */
	size_t ncalls;
	bool draining;
	struct arena *scratch;	   /* of one piece of work on the loop: reset before each */
	struct buf line;	   /* events on their way to `writer` (rest-watch.c) */
	struct buf spare;	   /* of the latest list, for the next (rest-list.c) */
	struct work_pool *packers; /* compress lists */
	struct watch *writer;
	struct list corked; /* watches that were told something (rest-watch.c) */
	unsigned ncorked;
	struct server_check *checks;
	struct paths *paths;
	struct agents *agents;	     /* of nodes: rest-connect.c */
	struct hook_desk *hook_desk; /* rest-hooks.h */
	struct converter *converter; /* convert.h */
	struct metric_family *requests, *durations, *running, *acting;
	struct metric *watches;
	struct who_metrics who;
};

struct call {
	struct server *srv;
	struct list link; /* of srv->calls */
	struct stream *s; /* referenced */
	struct arena *a;  /* the stream's: for what is small and lives as long */
	struct arena *work;
	unsigned refs;
	bool gone, answered, entered, seated, long_running, bad_path;
	bool handed_on;		 /* the answer is another server's: the deadline ends that too */
	int code;		 /* of the answer */
	int64_t since, received; /* monotonic; real */
	int64_t judged;		 /* since authorizers look at it */
	char audit_id[CALL_AUDIT_ID_MAX];
	const char *verb_name, *decision, *why;		/* why: NULL = nothing to say */
	struct apiaudit_verdict *audit;			/* NULL: no log */
	struct apiaudit_note notes[APIAUDIT_NOTES_MAX]; /* for the log, in c->a */
	size_t nnotes;
	struct buf told;   /* for the log: the answer as JSON */
	const char *named; /* what was made, when the path has no name */

	struct api_request rq;
	struct api_query q;
	struct strategy_user user;   /* who this is done for: the one that is acted as */
	struct strategy_user *asker; /* who asked, when that is somebody else; else NULL */
	const char *constraint;	     /* impersonate.h; NULL: none */
	struct resource *resource;   /* referenced; NULL: a path */
	const struct api_sub *sub;
	struct status_about about; /* of errors */
	struct codec_out out;
	struct slice body;
	enum codec_media media; /* of the body */

	void (*next)(struct call *c);	  /* behind a body or a wait */
	void (*stop)(struct call *c);	  /* the client has gone, or time is up: once */
	void (*writable)(struct call *c); /* the stream's queue has room again */
	void (*drain)(struct call *c);	  /* the server ends: say so and finish */
	void *verb;			  /* the verb's own */
	struct world_wait *wait;
	bool waiting;
	struct timer deadline;
	struct fairness_seat seat;

	struct authz_memo memo; /* what webhooks said of this request */
	struct authz_wait ask;
	struct authn_memo known; /* and of its tokens */
	struct authn_wait ask_who;
	struct convert_memo converted; /* and what webhooks made of its objects */
	struct convert_wait ask_convert;
	struct image_memo images; /* and of its images */
	struct image_wait ask_images;
	void (*asked)(void *arg, bool given_up); /* NULL: none is asked now */
	void *asked_arg;

	const char **warnings;
	size_t nwarnings, warned; /* bytes of all */
};

static inline struct call *call_hold(struct call *c)
{
	c->refs++;
	return c;
}
void call_drop(struct call *c);
DEFINE_CLEANUP(struct call *, call_drop)

/* Documents of this call; emptied by call_work_again. Freed with the call. */
struct arena *call_work(struct call *c);
struct arena *call_work_again(struct call *c);

/* ---- answers ---- */

/* The codec's choice by Accept; -ERR_UNSUPPORTED is 406, told by call_fail. */
int call_choose(struct call *c, unsigned flags, struct err *err);
/* A body in the form that was chosen. */
void call_answer(struct call *c, int code, struct slice bytes);
/* Any other body. */
void call_text(struct call *c, int code, const char *content_type, struct slice bytes);
/* err as a Status, told what c->about has. */
void call_fail(struct call *c, const struct err *err);
/* A document whose kind is `type`'s (by group and name): Status, Scale. */
void call_doc(struct call *c, int code, const struct doc *d, const struct api_type *type);
/* An object as it is kept. */
void call_item(struct call *c, int code, struct item *i);
/* Text "404 page not found". */
void call_nowhere(struct call *c);
/* Sets Warning headers and others that all answers have. Called by the above; by who streams. */
void call_headers(struct call *c);
bool call_takes_gzip(const struct call *c);
/* An annotation for the audit log, in the place of one of that key; copied. NULL is nothing, and so
 * is what comes past the maximum. */
void call_note(struct call *c, const char *key, const char *value);
/* Each text once, up to 4 KiB of all; copied. NULL is nothing. */
void call_warn(struct call *c, const char *text);

/* ---- steps that take time ---- */

/* The form of the body by Content-Type: c->media; -ERR_UNSUPPORTED: 415. */
int call_media(struct call *c, unsigned flags, struct err *err);
/* next(c) with c->body; answers itself (413, 415) when there is none to be had. */
void call_body(struct call *c, void (*next)(struct call *c));
/* A verb whose body and answer are the resource's: both forms by the headers, then call_body. */
void call_resource(struct call *c, void (*next)(struct call *c));
/* next(c) when everything up to `revision` is here (0: the most recent); maybe within the call. A
 * revision that does not come is answered: 504 "Too large resource version". */
void call_wait(struct call *c, int64_t revision, void (*next)(struct call *c));

/* next(c) when the objects of the resource were read, which is soon even after its definition came;
 * or after three seconds all the same. Maybe within the call. */
void call_wait_objects(struct call *c, void (*next)(struct call *c));

/* A webhook has yet to be asked (authz_memo, authn_memo, convert_memo, image_memo): next(arg) runs
 * when it was, maybe within the call, and does the same again; given_up: the request is over.
 * false: none. */
bool call_asks(struct call *c, void (*next)(void *arg, bool given_up), void *arg);
void call_ask_no_more(struct call *c); /* of an end */

/* codec_convert of an object of this request, where a webhook may have to be asked: then
 * -ERR_UNAVAILABLE is not for the client, call_asks is true, and the same call finds the answer
 * afterwards. */
int call_convert(struct call *c, const struct api_kind *from, const struct api_kind *to,
		 const struct doc *d, struct arena *a, struct doc *ret, struct err *err);
/* next(c, item in the version of the request, arg), maybe within the call; of a failure it is
 * answered. */
void call_converted(struct call *c, struct item *i,
		    void (*next)(struct call *c, struct item *i, void *arg), void *arg);

/* resourceVersion of the query: -1 = not given. 400 for what is none. */
int call_revision(struct call *c, const char *text, int64_t *ret, struct err *err);
/* Key of the request's object below the collection's prefix, in c->a. */
struct slice call_key(struct call *c, const char *ns, const char *name);
/* The collection; -ERR_NOT_FOUND: its definition went; -ERR_QUOTA: it is yet to be read. */
int call_objects(struct call *c, struct collection **ret, struct err *err);
/* The request's object, valid until the loop's next step, and its collection; NULL: answered. */
struct item *call_find(struct call *c, struct collection **ret);

/* fieldManager, or what User-Agent says before the first slash. */
const char *call_manager(struct call *c);
int64_t call_now(const struct call *c); /* seconds since 1970 */
/* A browser, curl or wget: JSON is indented for who looks at it. */
bool call_is_person(const struct call *c);
/* What is asked for, for authz.h. */
void call_attrs(struct call *c, struct authz_attrs *at);
/* The time that the request may take begins, unless it is a long one. */
void call_set_deadline(struct call *c);
/* The head of a long answer is sent: the audit log's stage, and its seat is free for others. */
void call_started(struct call *c);
/* The exchange is over: called by who took the stream's events. */
void call_closed(struct call *c);
void call_leave_queue(struct call *c);

/* ---- verbs: each answers ---- */

typedef void call_fn(struct call *c);

call_fn rest_get, rest_list, rest_watch, rest_create, rest_update, rest_patch, rest_delete,
	rest_delete_collection;
/* Subresources with an answer of their own; true: it was one. */
bool rest_sub(struct call *c);
bool rest_review(struct call *c);  /* access and token reviews */
bool rest_token(struct call *c);   /* serviceaccounts/token */
bool rest_connect(struct call *c); /* exec, attach, portforward, proxy, log */
/* A request of another API server; target: path and query there, NULL: the request's own. */
void rest_remote(struct call *c, struct remote *r, const char *target);
call_fn rest_components; /* componentstatuses */
call_fn paths_serve;
/* ... whose time is up, and which was not answered. */
void rest_remote_expire(struct call *c, const struct err *err);
/* The objects of a view that the request's selectors take, as a list. */
void rest_list_view(struct call *c, struct cache_view *view_taken);
/* Those of v, which are in the version of the request; takes them and their array (malloc). */
void rest_list_items(struct call *c, struct cache_view *view_taken, struct item **v, size_t n);

struct paths *paths_new(struct server *srv);
void paths_free(struct paths *p);
