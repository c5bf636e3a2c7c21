/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Webhooks as servers: where one is (clientConfig), whom it is trusted by, one document to it and
 * its answer. For admission; nothing here knows what the documents say.
 *
 * A service is asked at one of its ready endpoints, each of them as likely; one that has no
 * EndpointSlices at all at its cluster IP; one of type ExternalName at that name. Its certificate
 * has to be for <service>.<namespace>.svc. A URL is asked as it stands. Redirects are not followed.
 * Connections are kept for a while.
 *
 * Spec: Kubernetes 1.36, admissionregistration.k8s.io/v1 WebhookClientConfig. All on the loop's
 * thread.
 */
#pragma once

#include "base/cleanup.h"
#include "base/err.h"
#include "base/list.h"
#include "base/loop.h"
#include "base/str.h"

struct arena;
struct doc;
struct hook_user;
struct resources;
struct webhook_clients;

/* In the arena of who read it. */
struct webhook_at {
	const char *url; /* what is asked, without the query; of a service too: for errors */
	const char *host, *path;  /* of the URL; a service's: the name of its certificate */
	const char *ns, *service; /* service NULL: the URL counts */
	uint16_t port;
	struct slice ca; /* PEM; empty: the system's */
	char id[65];	 /* of ca */
};
/* clientConfig, canonical and checked. -ERR_INVALID: it has no address. */
int webhook_at_read(const struct doc *config, struct arena *a, struct webhook_at *ret,
		    struct err *err);

struct webhook_clients *webhook_clients_new(struct loop *l, struct resources *rs);
/* No post is under way. */
void webhook_clients_free(struct webhook_clients *cs); /* NULL is fine */
DEFINE_CLEANUP(struct webhook_clients *, webhook_clients_free)

#define WEBHOOK_ANSWER_MAX (16u << 20)

struct webhook_conn;
struct webhook_post;
typedef void webhook_done(struct webhook_post *p, int result, struct slice answer, struct err *err);
struct webhook_post {
	/* Set by the caller, who keeps all of it until done. */
	const struct webhook_at *at;
	struct slice body; /* JSON */
	unsigned seconds;  /* of the query's `timeout` */
	int64_t time;	   /* ns that it may take */
	/* Who we are there, for longer than the clients live (hook-conf.h); NULL: nobody. */
	const struct hook_user *user;
	/* Once, from the loop: 0 with the bytes of a 2xx answer, which are valid during the call,
	 * or why there are none, in upstream's words: `Post "https://...?timeout=10s": ...`. */
	webhook_done *done;
	/* private */
	struct webhook_clients *clients;
	struct webhook_conn *conn;
	struct stream *s;
	struct timer timer;
	struct deferred later;
	struct err err;
	int64_t end;
	unsigned tries;
	bool answered, running;
};
void webhook_post(struct webhook_clients *cs, struct webhook_post *p);
void webhook_post_cancel(struct webhook_post *p); /* done does not run; also when nothing runs */
