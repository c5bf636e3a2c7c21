/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server's own certificates, as kubeadm has them: a cluster CA, a front proxy's CA, what they
 * sign, and the key pair of service accounts. ECDSA P-256.
 *
 *	pki/ca.crt .key                        everyone's root of trust
 *	pki/front-proxy-ca.crt .key            signs front-proxy-client
 *	pki/apiserver.crt .key                 serving
 *	pki/apiserver-kubelet-client.crt .key  shown to nodes' agents
 *	pki/front-proxy-client.crt .key        shown to aggregated servers
 *	pki/admin, controller-manager, scheduler .crt .key   are in kubeconfigs
 *	pki/sa.key sa.pub                      signs tokens
 *
 * (1) A file is replaced as a whole, durably, so a crash leaves each old or new. (2) A key is
 * written before the certificate that goes with it. (3) A certificate that does not go with its key
 * or its CA, or is past two thirds of its life, is made anew; a CA's key stays then, so what it
 * signed stays good. So opening again mends whatever an interrupted start or renewal left.
 */
#pragma once

#include "base/cleanup.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cert;
struct cert_pool;
struct err;
struct key;
struct pki;

#define PKI_DIR "pki"
#define PKI_CA_LIFE (10 * 365 * 86400LL)
#define PKI_LIFE (365 * 86400LL)

enum pki_id {
	PKI_CA,
	PKI_FRONT_CA,
	PKI_SERVING,
	PKI_KUBELET_CLIENT,
	PKI_FRONT_CLIENT,
	PKI_ADMIN,
	PKI_CONTROLLER_MANAGER,
	PKI_SCHEDULER,
	PKI_N
};
const char *pki_name(enum pki_id id); /* "apiserver" */
/* PKI_N: there is none of that name. */
enum pki_id pki_find(const char *name);
enum pki_id pki_issuer(enum pki_id id); /* itself: a CA */

struct pki_conf {
	int dirfd; /* of the directory that has pki/; borrowed for the pki's life */
	/* Names and addresses of the serving certificate beyond the usual ones; NULL-terminated. A
	 * certificate that lacks one is made anew. NULL: it is left as it is. */
	const char *const *names;
	int64_t now; /* seconds since 1970; 0 = the clock */
};
/* Makes what is not there, renews what is due. -ERR_INVALID: a file that is damaged; -ERR_CONFLICT:
 * a CA that does not go with its key, or whose key is gone: nothing is changed then. */
int pki_open(const struct pki_conf *conf, struct pki **ret, struct err *err);
/* Only reads, and changes nothing: what is absent is NULL. */
int pki_read(int dirfd, struct pki **ret, struct err *err);
void pki_free(struct pki *p); /* NULL is fine */
DEFINE_CLEANUP(struct pki *, pki_free)

/* Borrowed; valid until it is renewed. */
struct cert *pki_cert(const struct pki *p, enum pki_id id);
struct key *pki_key(const struct pki *p, enum pki_id id);
struct key *pki_account_key(const struct pki *p);

/* When the next one is due, in seconds since 1970. */
int64_t pki_next(const struct pki *p);
/* Renews what is due; *ret has a bit for each that was. What fails stays as it was. */
int pki_renew_due(struct pki *p, int64_t now, unsigned *ret, struct err *err);
/* Renews this one, due or not, with a new key (of a CA: the same key). */
int pki_renew(struct pki *p, enum pki_id id, int64_t now, struct err *err);
/* Whether there are as many seconds left as say that it is time. */
bool pki_is_due(const struct cert *c, int64_t now);

/* A certificate for a client that is not kept here. */
struct pki_client {
	const char *user;
	const char *const *groups;
	size_t ngroups;
	int64_t now, life; /* seconds */
};
int pki_issue(const struct pki *p, const struct pki_client *c, struct cert **ret_cert,
	      struct key **ret_key, struct err *err);

/* ---- kubeconfigs ---- */

/* YAML for kubectl with all embedded. roots: PEM of the CAs that the server is known by. */
int pki_kubeconfig(const char *server, struct slice roots, const char *user,
		   const struct cert *cert, const struct key *key, struct buf *out,
		   struct err *err);
/* admin.kubeconfig, controller-manager.kubeconfig, scheduler.kubeconfig in the directory, where
 * they are not already so. */
int pki_write_kubeconfigs(const struct pki *p, const char *server, struct slice roots,
			  struct err *err);
