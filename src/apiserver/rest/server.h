/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server: from HTTP streams to the verbs of the API. One loop, one thread.
 *
 *	stream -> limits, audit id -> authn -> fair queue -> may it? -> resource: rest_*()
 *	                                                  -> else: paths (health, discovery)
 *
 * main.c puts it together with store, certificates and bootstrap objects (boot.h).
 */
#pragma once

#include "apiserver/objects/resource.h"
#include "base/cleanup.h"

/* Of Kubernetes, whose API this is. */
#define SERVER_MAJOR "1"
#define SERVER_MINOR "36"
#define SERVER_VERSION "v1.36.3+teu"

struct account_tokens;
struct admission;
struct aggregator;
struct api;
struct apiaudit;
struct authn;
struct authn_front;
struct authz;
struct err;
struct fairness;
struct loop;
struct metrics;
struct server;
struct store;
struct tls_conf;

/* All is borrowed for the server's life; what may be NULL says so. */
struct server_conf {
	struct loop *loop;
	const struct api *api;
	struct world *world;
	struct resources *resources;
	struct store *store;
	struct authn *authn;
	const struct account_tokens *accounts; /* account-token.h; NULL: none are made */
	const struct authz *authz;	       /* authz.h; NULL: masters only */
	const struct admission *admission;     /* admission.h; NULL: no plugins */
	struct metrics *metrics;
	struct apiaudit *audit;	   /* apiaudit.h; NULL: no log */
	struct fairness *fairness; /* fairness.h; NULL: no limits */
	const char *address;	   /* "10.0.0.1:6443", as discovery tells it */
	size_t body_max;	   /* of a request [3 MiB] */
	int64_t request_time;	   /* ns, of one that is not long-running [60 s] */
	int64_t watch_time_min;	   /* ns; a watch without timeoutSeconds ends after this to twice
				    * this [30 min] */
	const char *node_ca;	   /* PEM file: whom to trust as a node's agent; NULL: any */
	const char *node_cert, *node_key; /* shown to nodes' agents; NULL: none */
	struct aggregator *aggregator;	  /* aggregator.h; NULL: there are no other servers */
	const struct authn_front *front;  /* headers of front proxies; NULL: none */
	const char *node_addresses; /* "Hostname,InternalIP": where agents are sought (node-agent.h)
				     * [all types, names first] */
};
int server_new(const struct server_conf *conf, struct server **ret, struct err *err);
void server_free(struct server *srv);
DEFINE_CLEANUP(struct server *, server_free)

/* "127.0.0.1:6443", "[::]:0", "unix:///path". tls NULL: plain, for Unix sockets and loopback only.
 */
int server_listen(struct server *srv, const char *address, struct tls_conf *tls, struct err *err);
/* An already connected socket (tests); taken, also on failure. */
int server_adopt(struct server *srv, int fd_taken, struct err *err);
/* Certificates were renewed. */
int server_set_tls(struct server *srv, struct tls_conf *tls, struct err *err);
const char *server_address(const struct server *srv, size_t i); /* with the port; NULL: none */

/* One more check of /livez, /readyz, /healthz: "etcd", "poststarthook/bootstrap-objects".
 * NULL = fine, else the reason (static). Names and arg are borrowed. */
struct server_check {
	const char *name;
	const char *(*fn)(void *arg);
	void *arg;
	bool ready_only; /* not in /livez */
	struct server_check *next;
};
void server_add_check(struct server *srv, struct server_check *c);

/* Stops accepting, ends watches, lets requests finish for at most grace_ns. */
void server_drain(struct server *srv, int64_t grace_ns, void (*drained)(void *arg), void *arg);
