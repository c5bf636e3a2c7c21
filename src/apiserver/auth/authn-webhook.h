/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose a token is, asked of somebody else: a TokenReview over HTTP to the server of a kubeconfig.
 *
 * authn_webhook_look does not wait: what has yet to be asked is left open in the request's memo,
 * and who handles the request waits (authn_wait) and looks again. The same token of several
 * requests is asked about once. Answers without an error are kept, by a digest of token and
 * audiences. Spec: authentication.k8s.io v1 and v1beta1, TokenReview; "Webhook Token
 * Authentication".
 */
#pragma once

#include "apiserver/auth/authn.h"
#include "apiserver/outward/hook-book.h"

struct metric_family;
struct metrics;

/* Flags; NULL and 0 are the default in brackets. */
struct authn_webhook_flags {
	const char *config;  /* a kubeconfig; NULL: there is no webhook */
	const char *version; /* "v1", "v1beta1" [v1beta1] */
	int64_t ttl;	     /* ns [2 min]; negative: nothing is kept */
};

/* Reads the files, which stay open. *ret is NULL without a config. -ERR_BAD_REQUEST, -ERR_INVALID
 * name what is wrong. f is copied, its texts are borrowed. */
int authn_webhook_new(const struct authn_webhook_flags *f, struct authn_webhook **ret,
		      struct err *err);
/* The i-th file that was opened; NULL: past the last, or there is no webhook. */
const char *authn_webhook_file(const struct authn_webhook *w, size_t i);
/* It can be asked from here on. metrics may be NULL. */
int authn_webhook_begin(struct authn_webhook *w, struct loop *loop, struct metrics *metrics,
			struct err *err);
/* After the server. NULL is fine. */
void authn_webhook_free(struct authn_webhook *w);
DEFINE_CLEANUP(struct authn_webhook *, authn_webhook_free)

/* NULL is fine. */
bool authn_webhook_changed(const struct authn_webhook *w);
/* Reads the files again; on failure what was stays. What was said before is forgotten. */
int authn_webhook_reload(struct authn_webhook *w, struct err *err);

/*
 * As account_tokens_check, or AUTHN_WAITS: it is open in the memo (without one nobody is asked).
 * wanted: audiences, never NULL; own: those that a token without any is for. Groups are as it says.
 */
int authn_webhook_look(struct authn_webhook *w, struct slice token, const char *const *wanted,
		       const char *const *own, struct authn_memo *memo, struct arena *a,
		       struct authn_found *ret, struct err *err);

struct authn_wait {
	void (*done)(struct authn_wait *w); /* may run within authn_wait */
	struct authn_memo *memo;	    /* from here on private */
	const char *key;
	struct hook_wait at;
};
/* Asks memo->open, whose answer is in the memo afterwards. */
void authn_wait(struct authn_wait *w, struct authn_memo *memo);
void authn_unwait(struct authn_wait *w); /* done does not run; idempotent */

/* status of an answer's body as JSON: what is kept of it. 1: authenticated; 0: not; -ERR_INVALID:
 * it is no TokenReview of that version. */
int authn_webhook_read(struct slice body, bool v1beta1, struct buf *out, struct err *err);
/* Its user, with texts in `a`; audiences are those of wanted that the answer has, or that are own.
 * As account_tokens_check. */
int authn_webhook_user(struct slice status, const char *const *wanted, const char *const *own,
		       struct arena *a, struct authn_found *ret, struct err *err);
