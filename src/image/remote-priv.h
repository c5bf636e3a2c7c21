/* SPDX-License-Identifier: Apache-2.0 */
/* Private to the registry client: its endpoints, and one request with its retries. */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "image/remote.h"
#include "io/http-client.h"
#include "io/http-proxy.h"

#include <pthread.h>

#define REMOTE_IDLE 8
#define REMOTE_OTHERS 16	   /* hosts that redirects led to, and token servers: kept */
#define REMOTE_BODY_MAX (8u << 20) /* lists, manifests, tokens */

struct fetch;
struct host_certs;
struct loop;
struct resolver;
struct tls_conf;

enum remote_scheme { SCHEME_UNKNOWN, SCHEME_HTTPS, SCHEME_HTTP };
enum remote_auth_kind { AUTH_NONE, AUTH_BASIC, AUTH_BEARER };

struct token {
	struct token *next;
	char *scope, *text;
	int64_t until; /* monotonic */
};

/* A connection, with what it needs to look up its host's name. */
struct line {
	struct http_client *client;
	struct loop *loop;
	struct resolver *resolver;
};

/* A host that is asked: the registry itself, a mirror of it, or one that they led to. What changes
 * is under remote.lock. */
struct endpoint {
	struct endpoint *next; /* of the others */
	char *host;	       /* "registry-1.docker.io", "localhost:5000" */
	char *prefix;	       /* "" or "/mirror": in front of "/v2/" */
	char origin[300];      /* of others: "https://host:443" */
	struct tls_conf *tls;  /* made when it is needed first */
	bool plain_ok, mirror;
	enum remote_scheme scheme;
	struct line *idle[REMOTE_IDLE];
	unsigned nidle;
	enum remote_auth_kind kind; /* as its last challenge said */
	char *realm, *service;
	struct token *tokens;
};

struct remote {
	struct remote_conf conf; /* strings are copies in the arena */
	struct arena *arena;
	struct http_proxy_env proxies;
	struct host_certs *certs; /* what the directory had when the remote was made */
	pthread_mutex_t lock;
	struct endpoint own, *mirrors, *others;
	size_t nmirrors, nothers;
	struct fetch *fetch;	 /* it talks in our place; NULL = we do */
	_Atomic int64_t limited; /* monotonic: until then the last 429 asked to be left alone */
};

/* ---- remote-host.c ---- */

/* Reads the certificates of all hosts now: afterwards this process may have become another user. */
int remote_hosts_init(struct remote *r, struct err *err);
void remote_hosts_fini(struct remote *r);
/* Strings are copied; scheme stays unknown. */
void endpoint_init(struct remote *r, struct endpoint *e, const char *host, const char *prefix);
void endpoint_fini(struct endpoint *e);
/* The endpoint of an absolute address that is none of ours: kept, for connections and TLS. -ERR_*
 * for plain HTTP to who may not speak it. */
int remote_other(struct remote *r, const char *url, struct endpoint **ret, struct err *err);
bool remote_is_loopback(const char *host);
/* An idle connection or a new one (which connects when it is used). */
int line_take(struct remote *r, struct endpoint *e, bool https, struct line **ret, struct err *err);
/* One that speaks TLS with anybody, to find out whether TLS is spoken; nothing secret goes there.
 * Of no use where the server must see a certificate of ours. */
int line_probe(struct remote *r, const struct endpoint *e, struct line **ret, struct err *err);
bool line_must_show_who(const struct remote *r, const struct endpoint *e);
void line_put(struct remote *r, struct endpoint *e, struct line *l); /* kept, if there is room */
void line_free(struct line *l);					     /* NULL is fine */

/* ---- remote.c ---- */

/* One request. Strings are borrowed for the call. */
struct ask {
	struct endpoint *e; /* NULL = the registry itself */
	const char *method; /* NULL = GET */
	const char *path;   /* "/v2/...", encoded; or a whole URL as a Location gave it */
	const char *scope;  /* "repository:a/b:pull", or NULL */
	const char *what;   /* for messages: "pull of 'a/b'" */
	const char *headers[8][2];
	size_t nheaders;
	struct slice body;
	remote_produce_fn *produce; /* instead of body */
	int64_t length;		    /* of what produce gives */
	uint64_t offset;	    /* of its first byte */
	/* The body of a 200 or 206; NULL = collected. May be called again from the begin if
	 * `restart` says so. */
	remote_consume_fn *consume;
	void *ctx;
	bool once;    /* a failure in the middle of the answer is not repeated here */
	bool no_auth; /* for tokens */
};
struct reply {
	struct http_answer a;
	struct endpoint *e;
	struct line *line;
	bool keep; /* the line can be used again */
};
#define REPLY_INIT ((struct reply){ .a = HTTP_ANSWER_INIT })
void reply_fini(struct remote *r, struct reply *p);

/* Any status of a server is success here; statuses that are no good become errors by ask_failed().
 */
int remote_ask(struct remote *r, const struct ask *q, struct reply *ret, struct err *err);
/* -ERR_* with what the server said. */
int remote_failed(const struct ask *q, const struct reply *p, struct err *err);
/* "/v2/<repo>/<kind>/<ref>" in the arena. */
const char *remote_path(struct arena *a, const char *repo, const char *kind, const char *ref);
const char *remote_scope(struct arena *a, const char *repo, const char *actions);
/* A copy of an answer's header in the arena; NULL when absent. */
const char *remote_header(struct arena *a, const struct reply *p, const char *name);
void remote_notice(struct remote *r, const char *fmt, ...) PRINTF(2, 3);
bool remote_cancelled(const struct remote *r, struct err *err);

/* ---- remote-pull.c ---- */

/* remote_blob by this process; hashed: the bytes are the whole blob's, and must have its digest. */
int remote_blob_pass(struct remote *r, const char *repo, const struct manifest_desc *desc,
		     uint64_t offset, bool hashed, remote_consume_fn *consume, void *ctx,
		     struct err *err);
int remote_pass_on(void *ctx, struct slice bytes, struct err *err); /* to the fd at ctx */
const char *remote_next_link(struct arena *a, struct slice text);
/* "sha256-<hex>": where clients keep referrers in registries that have no list of their own. */
const char *remote_referrers_tag(struct arena *a, const char *digest);

/* ---- remote-auth.c ---- */

/* One challenge of a WWW-Authenticate header. Strings in the arena. */
struct challenge {
	enum remote_auth_kind kind;
	const char *realm, *service, *scope, *error; /* NULL = not there */
};
/* The best challenge (Bearer before Basic) that all the header's values hold: 1, or 0. */
int challenge_parse(struct arena *a, struct slice text, struct challenge *ret);
/* The Authorization value for a request, in the arena; NULL = none is known yet. */
const char *auth_header(struct remote *r, struct endpoint *e, const char *scope, struct arena *a);
/* Asks for the token of a scope where it is known that one will be asked for: a body is not sent in
 * vain. A failure is left to the answer of the request itself. */
void auth_prepare(struct remote *r, struct endpoint *e, const struct ask *q);
/* A 401 came: makes what its challenge asks for. 1 = ask again; 0 = nothing more can be done. */
int auth_answer(struct remote *r, struct endpoint *e, const struct ask *q, const struct reply *p,
		struct err *err);
void auth_fini(struct endpoint *e);
