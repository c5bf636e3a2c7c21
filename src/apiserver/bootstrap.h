/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects that are there from the beginning: namespaces, the Service `kubernetes` with its
 * endpoints, priority classes, priority levels and flow schemas, the default ServiceCIDR,
 * what extension servers trust, this server's Lease. (APIServices: crd-controller.h.)
 *
 * bootstrap_run makes what is missing and mends what differs, each kind by upstream's rule; from
 * then on the same happens when one of them is changed or removed by others. (ServiceAccounts and
 * kube-root-ca.crt of each namespace: account-control.h.)
 */
#pragma once

#include "base/cleanup.h"
#include "base/str.h"

#include <stdint.h>

struct authn_front;
struct bootstrap;
struct err;
struct loop;
struct resources;

/* All is copied but loop, resources, store and front. */
struct bootstrap_conf {
	struct loop *loop;
	struct resources *resources;
	struct store *store;	  /* of the world, when other servers share it; else NULL will do */
	int64_t peer_ttl;	  /* s until a dead server's address goes; 0 = 15 */
	const char *service_cidr; /* "10.96.0.0/12"; two, of both families, with a comma */
	const char *address;	  /* others reach us by it; NULL: no endpoints of `kubernetes` */
	unsigned port;		  /* of TLS */
	struct slice client_ca, front_ca; /* PEM; empty: none */
	const char *hostname;
	const struct authn_front *front; /* as extension servers are told; authn.h */
};
int bootstrap_new(const struct bootstrap_conf *conf, struct bootstrap **ret, struct err *err);
void bootstrap_free(struct bootstrap *b); /* NULL is fine; nothing of it is under way any more */
DEFINE_CLEANUP(struct bootstrap *, bootstrap_free)
/* done once: 0, all is there durably; negative: what could not be written, the rest is. Later
 * failures are logged and tried again. */
void bootstrap_run(struct bootstrap *b, void (*done)(void *arg, int result, struct err *err),
		   void *arg);
/* Nothing new is begun; for the end: writes are over when the store is closed. */
void bootstrap_stop(struct bootstrap *b);
/* The roots that servers trust clients by have changed. */
void bootstrap_set_ca(struct bootstrap *b, struct slice client_ca, struct slice front_ca);

/* First address of a range that may be given out: "10.96.0.1", "fd00::1". */
int bootstrap_first_ip(const char *cidr, char ret[64], struct err *err);
/* Upstream's name of a server: "apiserver-" and 26 characters of the host's digest. */
void bootstrap_identity(const char *hostname, char ret[64]);
