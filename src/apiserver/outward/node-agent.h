/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where requests are handed on to: the agents of nodes (kubelet's API), and pods.
 *
 * A node's agent is at the first address of its status that the order of types names and that is
 * known (a name without an address is passed over), at the port of its status, over TLS with our
 * certificate. Names are looked up here once and what was found is connected to: an address that
 * was checked is the one that is asked.
 *
 * A client (io/http-client.h) is kept for each address while somebody holds it and for a minute
 * afterwards, with its idle connections. Certificates are read again when their files change. All
 * on the loop's thread.
 */
#pragma once

#include "base/cleanup.h"
#include "io/resolver.h"

#include <stdbool.h>
#include <stdint.h>

struct agent;
struct agents;
struct arena;
struct doc;
struct err;
struct http_client;
struct loop;
struct tls_conf;

#define AGENT_PORT 10250
#define AGENT_ADDRESSES "Hostname,InternalDNS,InternalIP,ExternalDNS,ExternalIP"

struct agents_conf {
	struct loop *loop;
	const char *ca;		/* PEM file: whom to trust as a node's agent; NULL: any */
	const char *cert, *key; /* PEM files: who we are for agents; NULL: nobody */
	const char *order;	/* agent_place's; only looked at; NULL: AGENT_ADDRESSES */
	struct resolver_conf names;
};
/* Files that cannot be read or are no certificates, and types that there are not, are told now. */
int agents_new(const struct agents_conf *conf, struct agents **ret, struct err *err);
/* All that was got from it has been released; lookups are cancelled by their owners. */
void agents_free(struct agents *as);
DEFINE_CLEANUP(struct agents *, agents_free)

/* ---- addresses ---- */

/* No loopback, link-local, multicast, unspecified or broadcast address, nor one of these mapped
 * into IPv6: what may be asked on behalf of users who can write addresses. */
bool agent_proxyable(const struct ip_addr *ip);

/* What a Node says: names and addresses in the order of preference (types with commas), of one type
 * in the order of the status; NULL-terminated. -ERR_SYSTEM: it has none of these types. */
struct agent_place {
	const char **hosts;
	uint16_t port;
};
int agent_place(const struct doc *node, const char *order, struct arena *a, struct agent_place *ret,
		struct err *err);

/* ---- clients ---- */

enum agent_way {
	AGENT_NODE,	/* TLS with our certificate, theirs is verified if there is a CA */
	AGENT_NODE_ANY, /* theirs is not verified: the client of the API wants it so */
	AGENT_POD_TLS,	/* nothing is shown, nothing verified */
	AGENT_POD,	/* plain */
};

/* Counted. host: what a certificate must be for; also a numeric address. */
int agents_get(struct agents *as, const char *host, const struct ip_addr *ip, uint16_t port,
	       enum agent_way way, struct agent **ret, struct err *err);
/* A server that is none of these: who is trusted there, and who we are for it, is the caller's to
 * say. id: short, another for every other tls. All is borrowed for the call. */
struct agent_other {
	const char *host; /* that the certificate must be for */
	const char *id;
	struct tls_conf *tls;
	size_t arena_max; /* of a stream; 0: the client's own */
};
int agents_get_other(struct agents *as, const struct agent_other *o, const struct ip_addr *ip,
		     uint16_t port, struct agent **ret, struct err *err);
void agent_release(struct agent *ag); /* NULL is fine */
struct http_client *agent_client(const struct agent *ag);
const char *agent_url(const struct agent *ag); /* "https://192.0.2.1:10250" */

/*
 * The first of a place's hosts that has an address, then agents_get. done may run within the call:
 * 0 with one that is the callee's, or UNAVAILABLE (no host has an address), BAD_REQUEST (checked,
 * and one of its addresses is not proxyable).
 */
struct agent_find {
	void (*done)(struct agent_find *f, int result, struct agent *ag, struct err *err);
	struct agent_place place; /* lives as long */
	enum agent_way way;
	const struct agent_other *other; /* instead of way; lives as long; NULL: none */
	bool checked;
	struct agents *as; /* from here on private */
	struct resolve *asking;
	struct ip_addr found;
	bool any, refused;
	size_t at;
};
void agent_find(struct agents *as, struct agent_find *f);
void agent_find_cancel(struct agent_find *f); /* done does not run; also when nothing runs */
