/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An authorizer somewhere else: asked by a SubjectAccessReview over HTTP, its answers kept for a
 * while.
 *
 * authz_allowed does not wait. What a webhook has yet to be asked is left in the memo of the
 * request as its open question; who handles the request waits for the answer (authz_wait) and asks
 * authz_allowed again. The same question of several requests is asked once (hook-book.h); what
 * stays without an answer is nobody's opinion, or a no (failurePolicy).
 */
#pragma once

#include "apiserver/auth/authz-config.h"
#include "apiserver/auth/authz.h"
#include "apiserver/outward/hook-book.h"

struct authz_webhook;
struct loop;
struct metrics;
struct resolver;

struct authz_webhook_make {
	struct loop *loop;
	const char *name;		       /* copied */
	const struct authz_webhook_conf *conf; /* copied; match is borrowed */
	const struct hook_conf *to;	       /* copied; tls is referenced, files are borrowed */
	struct resolver *resolver;
	struct authz_metrics *metrics; /* NULL: none */
};
int authz_webhook_new(const struct authz_webhook_make *m, struct authz_webhook **ret,
		      struct err *err);
/* Who waits for it asks again: whoever is there then. NULL is fine. */
void authz_webhook_free(struct authz_webhook *w);
DEFINE_CLEANUP(struct authz_webhook *, authz_webhook_free)

/* What it says, as far as it is known; true: it has yet to be asked (the user's memo has it). */
bool authz_webhook_look(struct authz_webhook *w, const struct authz_attrs *at, struct buf *why,
			enum authz_opinion *ret);

/* ---- waiting ---- */

struct authz_wait {
	void (*done)(struct authz_wait *w); /* may run within authz_wait */
	struct authz_memo *memo;	    /* from here on private */
	const struct authz_question *asked;
	struct hook_wait at;
};
/* Asks memo->open, whose answer is in the memo afterwards. */
void authz_wait(struct authz_wait *w, struct authz_memo *memo);
void authz_unwait(struct authz_wait *w); /* done does not run; idempotent */

/* ---- counting ---- */

struct authz_metrics {
	struct metric_family *decisions, *evaluations, *durations, *fail_open, *reloads, *reloaded;
	struct metric_family *match_errors, *match_exclusions, *match_seconds; /* conditions */
};
int authz_metrics_add(struct metrics *m, struct authz_metrics *ret, struct err *err);

/* spec of a SubjectAccessReview as JSON: what an answer is kept by. */
int authz_webhook_spec(const struct authz_attrs *at, bool v1beta1, struct buf *out,
		       struct err *err);
/* What an answer's body says. -ERR_INVALID: it is none. reason: appended. */
int authz_webhook_read(struct slice body, bool v1beta1, enum authz_opinion *ret, struct buf *reason,
		       struct err *err);
