/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The role `apiserver`: Kubernetes' API over a store, in one process.
 *
 * Below <root>/apiserver lies all of its state: store/store.db, pki/, *.kubeconfig, lock. Started
 * by root it becomes a user of its own and fences itself in (linux/confine.h); that directory is
 * then its working directory, and all else that it was given is opened before.
 */
#pragma once

#include "apiserver/admission/admission.h"
#include "apiserver/auth/authn-webhook.h"
#include "apiserver/auth/authz-config.h"

#include "base/log.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

#define APISERVER_DIR "apiserver"	  /* below --root */
#define APISERVER_STORE "store"		  /* below that: a directory */
#define APISERVER_DB "store/store.db"	  /* in it */
#define APISERVER_SOCKET "apiserver.sock" /* below --run: control.h */
#define APISERVER_UID 61904		  /* what --user reserved means */
#define APISERVER_LISTEN "0.0.0.0:6443"
#define APISERVER_CIDR "10.96.0.0/12"
#define APISERVER_ISSUER "https://kubernetes.default.svc.cluster.local"

/* Texts are borrowed for the call; NULL and 0 are the default in brackets. */
struct apiserver_conf {
	const char *root, *run;
	const char *const *listen; /* "10.0.0.1:6443", "[::]:6443", "unix:///path" [0.0.0.0:6443] */
	size_t nlisten;
	const char *kubeconfig_out;
	const char *tls_cert, *tls_key, *client_ca; /* PEM files [its own] */
	const char *token_file;
	bool no_anonymous;
	bool bootstrap_tokens;
	/* Other issuers (authn-jwt.h): by a file, or one by flags; both NULL: none */
	const char *authn_conf;
	const char *oidc_issuer, *oidc_client, *oidc_ca; /* oidc_ca: file */
	const char *oidc_user, *oidc_user_prefix, *oidc_groups, *oidc_groups_prefix;
	const char *const *oidc_required, *const *oidc_algs; /* NULL-terminated, or NULL */
	/* Front proxies (authn.h); lists are NULL-terminated, NULL = as kubeadm has them */
	const char *front_ca; /* PEM file [its own] */
	const char *const *front_names,
		*const *front_users, *const *front_uids, *const *front_groups, *const *front_extras;
	/* Tokens of service accounts: PEM files of keys that verify them, and of the one that signs
	 * [pki/sa.key for both] */
	const char *const *account_keys;
	size_t naccount_keys;
	const char *signing_key;
	const char *const *issuers, *const *audiences; /* account-token.h [APISERVER_ISSUER] */
	size_t nissuers, naudiences;
	const char *jwks_uri;
	int64_t token_life; /* s, the longest [any] */
	bool no_extended_tokens;
	struct authz_flags authz;		  /* authz-config.h */
	struct authn_webhook_flags token_webhook; /* authn-webhook.h */
	struct admission_flags admission;	  /* admission.h */
	/* Which versions are served (api/serve.h): name=value,... [upstream's default] */
	const char *const *versions, *const *features;
	size_t nversions, nfeatures;
	const char *service_cidr;    /* one, or two with a comma [10.96.0.0/12] */
	const char *node_ports;	     /* "30000-32767" */
	const char *advertise;	     /* address [of the listener, or of this machine] */
	const char *node_ca;	     /* PEM file: CA of nodes' agents [any certificate does] */
	const char *node_addresses;  /* "Hostname,InternalIP" [AGENT_ADDRESSES] */
	const char *encryption_conf; /* file */
	const char *const *etcd;     /* endpoints; none: the embedded store */
	size_t netcd;
	const char *etcd_ca, *etcd_cert, *etcd_key;
	const char *audit_policy, *audit_log;
	int64_t audit_age, audit_backups, audit_bytes; /* ns; number; bytes */
	const char *user; /* "reserved", "UID[:GID]", "0" stays root [reserved for root] */
	const char *pid_file;
	bool debug;
	enum log_format log_format;
};
int apiserver_main(const struct apiserver_conf *conf, struct err *err);
