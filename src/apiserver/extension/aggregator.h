/* SPDX-License-Identifier: Apache-2.0 */
/*
 * API servers behind this one: which APIServices there are, where their servers are reached,
 * whether they answer, and what they say that they serve.
 *
 * An APIService with a Service is another server's: its discovery document is asked for when the
 * APIService, the Service or its endpoints change, every 30 s, and after a failure sooner. One of
 * five tries at its endpoints has to be answered. Groups "" and apiregistration.k8s.io are never
 * another server's. Servers are asked over TLS by the name SERVICE.NAMESPACE.svc, with our
 * front-proxy certificate, and are told in headers for whom: credentials of clients go to nobody.
 *
 * What they answer is not believed: documents are bounded and made anew of what is understood.
 *
 *	aggregator.c            APIServices, which of them are another server's
 *	aggregator-check.c      whether they answer
 *	aggregator-fetch.c      one document of one of them
 *	aggregator-discovery.c  what their documents say
 *	rest-remote.c           requests on their way there
 *
 * Spec: Kubernetes 1.36, apiregistration.k8s.io/v1. All on the loop's thread.
 */
#pragma once

#include "apiserver/outward/node-agent.h"
#include "base/cleanup.h"
#include "base/str.h"

struct aggregator;
struct metrics;
struct discovery_service;
struct remote;
struct resources;
struct strategy_user;
struct stream;

struct aggregator_conf {
	struct loop *loop;
	struct resources *resources;
	const char *cert, *key;	 /* PEM files: who we are for them; NULL: nobody */
	struct metrics *metrics; /* NULL: nobody counts */
};
int aggregator_new(const struct aggregator_conf *conf, struct aggregator **ret, struct err *err);
/* After world_start is done. */
void aggregator_start(struct aggregator *g);
/* No request is under way to any of them. NULL is fine. */
void aggregator_free(struct aggregator *g);
DEFINE_CLEANUP(struct aggregator *, aggregator_free)

/* ---- what is known of them ---- */

/* fn runs when a server was checked; NULL: nobody is told. */
void aggregator_on_change(struct aggregator *g, void (*fn)(void *arg), void *arg);
/* The condition Available of an APIService of another server; valid until the next return to the
 * loop. False: it is none, or it is not known yet. */
struct aggregator_verdict {
	bool available;
	bool news; /* checked since aggregator_told */
	const char *reason, *message;
};
bool aggregator_verdict(const struct aggregator *g, const char *name,
			struct aggregator_verdict *ret);
/* Its condition says so: what others make of it stays until the next check, for servers that share
 * a store may not agree. */
void aggregator_told(struct aggregator *g, const char *name);
/* Of every APIService what discovery.h wants to know: borrowed until the next return to the loop.
 */
const struct discovery_service *aggregator_services(struct aggregator *g, size_t *ret_n);
/* Grows with every change of what aggregator_services has. */
uint64_t aggregator_generation(const struct aggregator *g);

/* ---- where requests go ---- */

/* Whose a path is ("/apis/GROUP/VERSION" and below); NULL: nobody's but ours. Borrowed until the
 * next return to the loop. */
struct remote *aggregator_find(const struct aggregator *g, const char *path);
/* That of a group and version ("metrics.k8s.io/v1beta1"). */
struct remote *aggregator_of(const struct aggregator *g, struct slice group_version);
bool remote_available(const struct remote *r);
/* Of /openapi/v3, as the server told it: "/openapi/v3/apis/GROUP/VERSION?hash=..."; NULL: none. */
const char *remote_openapi(const struct remote *r);

/* One endpoint of it, as of now. */
struct remote_way {
	struct agent_other other; /* tls: the caller takes a reference; texts are in its arena */
	const char *external;	  /* a name to be looked up (checked); NULL: ip */
	struct ip_addr ip;
	uint16_t port;
};
int remote_way(struct remote *r, struct arena *a, struct remote_way *ret, struct err *err);
struct agents *aggregator_agents(const struct aggregator *g);
/* For whom a request to it is: X-Remote-*. Negative: it cannot be said, so it must not be sent. */
int remote_identify(struct stream *to, const struct strategy_user *user);
