/* SPDX-License-Identifier: Apache-2.0 */
/*
 * May they? One question for requests, for what a request does on the way (creating by PUT) and for
 * access reviews.
 *
 * Members of system:masters may do everything, and everybody may ask for /healthz, /livez, /readyz.
 * All else is asked of the authorizers in their order: the first one that says yes or no decides;
 * nobody's opinion is a no.
 */
#pragma once

#include "apiserver/strategy/strategy.h"

#include <stdbool.h>

struct abac;
struct arena;
struct authz_node;
struct authz_question;
struct authz_said;
struct authz_webhook;
struct buf;
struct err;
struct metric;
struct rbac;
struct rbac_rule;
struct selector;
struct status_about;

/* What is to be done. Texts are never NULL. */
struct authz_attrs {
	const struct strategy_user *user;
	const char *verb;      /* "get", "deletecollection"; of a path: "get", "post" */
	bool resource_request; /* the next five tell; else the path */
	const char *group, *version, *resource, *sub;
	const char *name, *ns; /* "" = all, none */
	const char *path;
	/* What a list, watch or deletion of many is narrowed to; NULL: nothing is known of that. */
	const struct selector *fields, *labels;
};

enum authz_mode {
	AUTHZ_ALWAYS_ALLOW,
	AUTHZ_ALWAYS_DENY,
	AUTHZ_NODE,
	AUTHZ_RBAC,
	AUTHZ_ABAC,
	AUTHZ_WEBHOOK,
};
const char *authz_mode_name(enum authz_mode mode); /* "RBAC" */
enum authz_opinion { AUTHZ_NO_OPINION, AUTHZ_ALLOW, AUTHZ_DENY };

/* One authorizer; only the member of its mode is set. */
struct authz_step {
	enum authz_mode mode;
	const struct authz_node *node;
	const struct rbac *rbac;
	const struct abac *abac;
	struct authz_webhook *webhook;
	struct metric *decided[2]; /* no and yes that it gave; NULL: not counted */
};
#define AUTHZ_STEPS_MAX 16

/* Who decides. NULL or zeros: nobody but masters may do more than look. */
struct authz {
	/* What roles give: of the guard of RBAC's objects. Without steps it is asked, too. */
	const struct rbac *rbac;
	bool always; /* without steps: AlwaysAllow */
	const struct authz_step *steps;
	size_t nsteps;
};

/*
 * Of one request: what webhooks said, and what one has yet to be asked. It hangs at the user
 * (strategy_user.memo), so whatever is asked on the way finds it: authz_allowed then says no and
 * leaves `open`; whoever handles the request waits for the answer (authz-webhook.h) and does the
 * same again. Without a memo nobody is asked: a webhook's failure policy decides.
 */
struct authz_memo {
	struct arena *a; /* the request's */
	struct authz_said *said;
	struct authz_question *open; /* NULL: there is none */
	/* Why the latest step, and what the latest question as a whole was decided without: an
	 * authorizer that gave no answer. NULL: none failed. A question that an authorizer decided
	 * has that one's failure only. */
	const char *step_failed, *failed;
	bool denied; /* the latest question, by an authorizer: not for want of one who allows it */
};

/* why: what decided, or what is missing where an authorizer says so, for the audit log,
 * `SubjectAccessReview` and authz_refuse; may be NULL. Appended; cut when it is full. */
bool authz_allowed(const struct authz *z, const struct authz_attrs *at, struct buf *why);
/* What one of the steps says of it; true: it has yet to be asked, as authz_allowed. */
bool authz_step_look(const struct authz_step *s, const struct authz_attrs *at, struct buf *why,
		     enum authz_opinion *ret);
/* Is it allowed to everybody, or to masters, whatever the steps say? */
bool authz_is_fixed(const struct authz *z, const struct authz_attrs *at);
/* The 403 in upstream's words; why: as authz_allowed left it, or NULL. */
int authz_refuse(const struct authz_attrs *at, const struct buf *why, struct err *err,
		 struct status_about *about);

/* Whether authz_each_rule tells all that a user may do: not with webhooks, nor of nodes. */
bool authz_tells_all(const struct authz *z, const struct strategy_user *u);
/* What a user may do in a namespace, rule by rule (rbac.h), as SelfSubjectRulesReview tells it;
 * negative from `each` ends it. */
int authz_each_rule(const struct authz *z, const struct strategy_user *u, const char *ns,
		    int (*each)(void *arg, const struct rbac_rule *rule), void *arg);

/*
 * What RBAC asks of who writes its objects (kind of that group, c's user): a role may only give
 * what the writer holds, unless they may "escalate" it; a binding only what they hold, unless they
 * may "bind" the role; aggregation needs everything. old NULL: it is new. Other kinds: 0.
 */
int authz_guard(const struct authz *z, const struct strategy_user *u, const struct api_kind *kind,
		const struct doc *obj, const struct doc *old, struct arena *a,
		struct status_about *about, struct err *err);
