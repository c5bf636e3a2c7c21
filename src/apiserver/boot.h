/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to the role: all that a running API server is made of.
 *
 *	main.c       the order of a start, signals, the end
 *	boot.c       directory, user and fence; store, objects, server
 *	boot-tls.c   certificates, who is trusted, kubeconfigs; renewed and read again while it runs
 */
#pragma once

#include "api/api.h"
#include "apiserver/apiserver.h"
#include "apiserver/auth/authn.h"
#include "apiserver/objects/cache.h"
#include "apiserver/pki.h"
#include "apiserver/place.h"
#include "apiserver/rest/server.h"
#include "base/loop.h"
#include "base/role.h"

struct control;
struct crd_controller;
struct account_control;
struct account_tokens;
struct apiaudit;
struct authn_jwt;
struct authn_webhook;
struct aggregator;
struct authz_chain;
struct bootstrap;
struct cert_pool;
struct encryption;
struct fairness;
struct given;
struct metrics;
struct outside;
struct policy_status;
struct rbac_aggregate;
struct storage_protect;
struct storage_migration;
struct resolver;
struct store;
struct tls_conf;

enum given_id {
	GIVEN_CERT,
	GIVEN_KEY,
	GIVEN_CLIENT_CA,
	GIVEN_FRONT_CA,
	GIVEN_ENCRYPTION, /* these five are read again */
	GIVEN_AUTHN,	  /* so is this, by itself */
	GIVEN_OIDC_CA,
	GIVEN_ETCD_CA,
	GIVEN_ETCD_CERT,
	GIVEN_ETCD_KEY,
	GIVEN_N
};

struct boot {
	const struct apiserver_conf *conf; /* own */
	struct apiserver_conf own;	   /* with absolute paths */
	int64_t begun;
	bool drop;
	uid_t uid;
	gid_t gid;
	char hostname[256];
	char advertise[64]; /* "" = none */
	char url[128];	    /* that our kubeconfigs have */
	char address[96];   /* that discovery tells */
	unsigned port;	    /* of TLS; 0 = not known yet */
	unsigned port_from, port_to;

	struct loop *loop;
	struct role_signals signals;
	bool ending, ready;

	struct place place;
	struct outside *outside;
	struct control *admin;
	struct given *given[GIVEN_N];
	int inotify;
	struct source changes;
	struct timer reread, renew;

	struct pki *pki;
	struct tls_conf *tls;
	struct cert_pool *clients;
	struct authn_front front;
	struct authn *authn;
	struct account_tokens *accounts;
	struct cert_pool *system; /* the machine's; NULL: not needed, or none */
	struct authn_jwt *issuers;
	struct authn_webhook *token_webhook; /* NULL: there is none */
	struct encryption *encryption;

	struct arena *texts; /* of the paths */
	struct arena *arena; /* the API's tables */
	struct api api;
	struct metrics *metrics;
	struct apiaudit *audit;
	struct resolver *resolver; /* names of etcd's members */
	struct store *store;
	struct world *world;
	struct resources *resources;
	bool strategies;
	struct crd_controller *definitions;
	struct fairness *fairness;
	struct authz_chain *authz;
	struct rbac_aggregate *aggregate;
	struct policy_status *policies;
	struct storage_protect *storage;
	struct storage_migration *migration; /* NULL: its kind is not served */
	struct admission *admission;
	struct aggregator *others; /* API servers */
	struct server *server;
	struct server_check boot_check;
	struct bootstrap *bootstrap;
	struct account_control *account_control;

	/* what boot_wait waits for */
	bool waited;
	int result;
	struct err err;
};

/* Runs the loop until `waited`; -ERR_UNAVAILABLE when a signal came. */
int boot_wait(struct boot *b, const char *what, struct err *err);

/* ---- boot.c, in the order of a start ---- */

int boot_paths(struct boot *b, struct err *err);
/* Those that say something by themselves: nothing was touched yet. */
int boot_flags(struct boot *b, struct err *err);
int boot_user(struct boot *b, struct err *err);
int boot_place(struct boot *b, struct err *err);
int boot_given(struct boot *b, struct err *err);
int boot_fence(struct boot *b, struct err *err);
/* Of users' tokens: their keys begin to be fetched. */
int boot_issuers(struct boot *b, struct err *err);
int boot_store(struct boot *b, struct err *err);
int boot_objects(struct boot *b, struct err *err);
int boot_server(struct boot *b, struct err *err);
/* What was opened is closed, in the other order. */
void boot_close(struct boot *b);

/* ---- boot-tls.c ---- */

int boot_pki(struct boot *b, struct err *err);
/* Of what is there now: certificates of files, or our own. Given to the server if there is one. */
int boot_tls(struct boot *b, struct err *err);
/* PEM of the CAs that clients, and front proxies, are known by. */
int boot_client_roots(struct boot *b, struct buf *client, struct buf *front, struct err *err);
/* PEM of the CAs that we are known by. */
int boot_roots(struct boot *b, struct buf *out, struct err *err);
/* Address and port are known: kubeconfigs are written. */
int boot_kubeconfigs(struct boot *b, struct err *err);
/* Timer and inotify: begun when all is ready. */
int boot_follow(struct boot *b, struct err *err);
/* The AuthenticationConfiguration again. */
int boot_reread_issuers(struct boot *b, struct err *err);
/* SIGHUP, or files changed: what is wrong is logged and stays as it was. */
void boot_reload(struct boot *b);
int boot_renew(struct boot *b, const char *name, struct err *err);
void boot_status(void *arg, struct arena *a, struct doc *d);
