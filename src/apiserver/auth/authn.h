/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who asks: what a front proxy says that they are, client certificates (CN is the user, O its
 * groups), tokens of a file, of service accounts, of nodes that join or of other issuers,
 * anonymous. (Who they act as: impersonate.h.)
 */
#pragma once

#include "apiserver/auth/apiaudit.h"
#include "apiserver/strategy/strategy.h"
#include "base/cleanup.h"
#include "base/str.h"

struct account_tokens;
struct arena;
struct authn;
struct authn_jwt;
struct authn_question;
struct authn_said;
struct authn_webhook;
struct cert_pool;
struct err;
struct resources;
struct stream;

/* A proxy, known by its certificate, that says for whom it asks. Lists are NULL-terminated and
 * borrowed for the life of authn; header names are compared without case. */
struct authn_front {
	const char *const *names; /* CNs that it may have; none: any */
	const char *const *users, *const *uids, *const *groups; /* headers */
	const char *const *extras; /* prefixes of headers; what follows is the key */
};

struct authn_conf {
	/* TLS hands over unverified certificates; only those of this pool, for clients, count.
	 * Referenced. NULL: none do. */
	struct cert_pool *clients;
	const char *token_file; /* csv: token,user,uid,"group1,group2"; NULL = none. Read again when
				 * it has changed. Opened in authn_new: before root is given up. */
	int64_t token_file_look;	 /* ns at least between two looks whether it has [1 s] */
	const struct authn_front *front; /* copied; NULL: there is no front proxy */
	bool bootstrap;			 /* tokens of nodes that join (bootstrap-token.h) */
	bool anonymous;			 /* requests without credentials are system:anonymous's */
};
int authn_new(const struct authn_conf *conf, struct authn **ret, struct err *err);
void authn_free(struct authn *n);
DEFINE_CLEANUP(struct authn *, authn_free)
/* Reload: other roots of trust for the requests to come. */
void authn_set_clients(struct authn *n, struct cert_pool *clients);
/* The same for front proxies; NULL: none is believed. Referenced. */
void authn_set_fronts(struct authn *n, struct cert_pool *fronts);
/* Where Secrets of bootstrap tokens are. Borrowed. */
void authn_set_objects(struct authn *n, const struct resources *rs);

/* Believed from now on; NULL: none. Borrowed. */
void authn_set_accounts(struct authn *n, struct account_tokens *t);
void authn_set_issuers(struct authn *n, struct authn_jwt *t);
void authn_set_webhook(struct authn *n, struct authn_webhook *w);

/*
 * Of one request: what a webhook said of its tokens, and what it has yet to be asked. Whoever finds
 * AUTHN_WAITS waits for that answer (authn-webhook.h) and does the same again.
 */
struct authn_memo {
	struct arena *a; /* the request's */
	struct authn_said *said;
	struct authn_question *open; /* NULL: there is none */
};
#define AUTHN_WAITS 2

#define AUTHN_NOTES_MAX 2
struct authn_found {
	struct strategy_user user;
	/* Of a token: those that were wanted and it is for, NULL-terminated. */
	const char *const *audiences;
	struct apiaudit_note notes[AUTHN_NOTES_MAX]; /* for the audit log */
	size_t nnotes;
	const char *warning; /* for who asks; NULL = none */
};
/* 0, AUTHN_WAITS, or -ERR_UNAUTHORIZED (wrong credentials are never anonymous). Groups include
 * system:authenticated or system:unauthenticated. Texts are in `a` or live as long as the stream.
 * Verdicts on a connection's certificate are remembered. memo NULL: a webhook is not asked. */
int authn_check(struct authn *n, struct stream *s, struct authn_memo *memo, struct arena *a,
		struct authn_found *ret, struct err *err);
struct authn_ask {
	struct slice token;
	const char *const *wanted; /* audiences, NULL-terminated; NULL: this server's */
	struct authn_memo *memo;   /* as for authn_check */
};
/* Whose token it is, for these audiences: 1; 0: nobody's; AUTHN_WAITS; -ERR_UNAUTHORIZED: why it is
 * not good; -ERR_QUOTA. Texts are in `a`. */
int authn_token(struct authn *n, const struct authn_ask *q, struct arena *a,
		struct authn_found *ret, struct err *err);
