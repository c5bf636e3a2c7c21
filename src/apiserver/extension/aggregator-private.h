/* SPDX-License-Identifier: Apache-2.0 */
/* Private to aggregator*.c. */
#pragma once

#include "apiserver/extension/aggregator.h"
#include "apiserver/objects/cache.h"
#include "base/err.h"
#include "base/list.h"
#include "base/loop.h"
#include "base/map.h"
#include "crypto/tls.h"

struct given;
struct metric_family;
struct reading;
struct work_pool;

#define REMOTE_DOCUMENT_MAX (1u << 20) /* of discovery, as it comes */
#define REMOTE_INDEX_MAX (1u << 20)    /* of /openapi/v3 */
#define REMOTE_SWAGGER_MAX (4u << 20)  /* of /openapi/v2 */
#define REMOTE_KEPT_MAX (32u << 20)    /* of what is kept of all servers */
#define REMOTE_TRIES 5

/* ---- one document: aggregator-fetch.c ---- */

struct fetch;
/* Once, from the loop. status 0: no answer came, err says why. Else the body of a 2xx answer if
 * result is 0; what of it is valid is so during the call. */
typedef void fetch_done(struct fetch *f, int status, int result, struct slice body,
			struct err *err);
struct fetch {
	/* Set by the caller. */
	struct remote *r;
	const char *path;
	const char *etag; /* of what is known; NULL: nothing is */
	size_t max;
	fetch_done *done;
	/* private */
	bool running, finding;
	int status;
	char got[160]; /* ETag of what came; "" = none */
	struct agent_find find;
	struct agent_other other;
	const char *hosts[2];
	char external[256], url[512]; /* that was asked: for errors */
	struct tls_conf *tls;
	struct agent *agent;
	struct stream *s;
	struct timer timer;
	struct deferred later;
	struct err err;
};
/* As system:kube-aggregator of system:masters, for at most 5 s. */
void fetch_start(struct fetch *f);
void fetch_cancel(struct fetch *f); /* done does not run; also when nothing runs */

/* ---- an APIService ---- */

struct remote {
	struct aggregator *g;
	struct list link; /* of g->remotes; empty: it is served here */
	char *name, *group, *version;
	char *gv;   /* key of g->ways */
	char *path; /* that is asked for */
	int64_t group_priority, version_priority;
	bool seen; /* by a reading of all */

	/* ---- of another server ---- */
	char *ns, *service, *host, *mark;
	uint16_t port;
	bool insecure;
	struct buf ca;	/* PEM */
	char trust[72]; /* of ca and insecure */
	char id[96];	/* of tls */
	struct tls_conf *tls;
	unsigned identity; /* g->identity that tls was made of */
	bool claimed;	   /* the object says that it is available */

	struct timer again; /* the next check */
	int64_t begun;	    /* the last one; 0: there was none */
	struct fetch tries[REMOTE_TRIES], index, paths;
	unsigned running, failures;
	bool checked, available, dirty, news;
	char reason[32], message[600];
	char document[65]; /* hash of what came last */
	struct buf resources, swagger;
	char etag[160];		 /* of swagger */
	struct reading *reading; /* a worker has its next one; NULL: none */
	char *openapi;
	bool fresh;
};

struct aggregator_watch {
	struct aggregator *g;
	struct cache_watch watch;
	struct cache *cache;
	bool watching;
};

struct aggregator {
	struct loop *loop;
	struct resources *rs;
	struct agents *agents;
	struct given *cert, *key;
	unsigned identity;	   /* grows with every change of the certificate */
	struct arena *a;	   /* of one piece of work: reset before each */
	struct work_pool *readers; /* of OpenAPI, which may be long */
	struct metric_family *unavailable, *unavailables; /* NULL: nobody counts */
	struct map all;					  /* name -> struct remote */
	struct map ways; /* "group/version" -> struct remote of another server */
	struct list remotes;
	struct aggregator_watch services, backends, slices;
	struct deferred look;
	struct timer retry;
	uint64_t generation;
	size_t kept;
	struct discovery_service *told;
	void (*changed)(void *arg);
	void *changed_arg;
};

/* ---- aggregator-check.c ---- */

void remote_check_init(struct remote *r);
void remote_check_soon(struct remote *r); /* what it depends on has changed */
void remote_check_stop(struct remote *r); /* what runs ends, what is known is forgotten */
/* For metrics: whether it answers; ceased: the reason, when it did so just now, else NULL. */
void remote_count(struct remote *r, bool available, const char *ceased);

/* ---- aggregator-discovery.c ---- */

/* An APIResourceList of that group and version as the resources of aggregated discovery, JSON text.
 * -ERR_INVALID: it is none; -ERR_QUOTA: there is too much in it. */
int remote_resources(struct slice json, const char *group_version, struct arena *a, struct buf *out,
		     struct err *err);
/* What /openapi/v2 has for a group and version: its paths, and the definitions that they refer to.
 * Errors as above. */
int remote_swagger(struct slice json, const char *group_version, struct arena *a, struct buf *out,
		   struct err *err);
/* What an index of /openapi/v3 has for a group and version, in a; NULL: nothing. */
const char *remote_index(struct slice json, const char *group_version, struct arena *a);
