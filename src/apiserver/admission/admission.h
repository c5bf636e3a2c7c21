/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The built-in admission plugins: what a write is given, and what it may not have, beyond the rules
 * of its kind: limits, quotas, Pod Security, priorities, default classes.
 *
 *	admission_mutate	before strategy_create or strategy_update; of deletions, before
 *				anything is done
 *	admission_validate	after api_check and strategy_commit; also of deletions
 *	admission_charge	when everybody else has agreed: quotas
 *
 * Between them webhooks are asked (rest-hooks.h).
 *
 * Documents are canonical and in the kind's stored version; what is looked up is in the caches of
 * this process. A call may be repeated: it keeps nothing but what it puts into the document, the
 * warnings and `more`. Each plugin is a row of admission.c's table, in upstream's order of running.
 * Spec: Kubernetes 1.36, "Admission Control in Kubernetes".
 */
#pragma once

#include "apiserver/admission/image-policy.h"
#include "apiserver/auth/apiaudit.h"
#include "apiserver/strategy/strategy.h"
#include "base/cleanup.h"

struct admission;
struct authz;
struct err;
struct hook_user;
struct status_about;
struct webhook_at;

struct admission_flags {
	const char *enable, *disable; /* names as upstream has them, with commas; NULL: none */
	const char *config;	      /* absolute path of an AdmissionConfiguration; NULL: none */
};
/* Reads the files, which stay open. -ERR_BAD_REQUEST names a plugin that is unknown, or not in this
 * server, or in both lists; -ERR_INVALID what is wrong in the files. */
int admission_new(const struct admission_flags *f, struct admission **ret, struct err *err);
/* The i-th file that was opened; NULL: past the last. */
const char *admission_file(const struct admission *ad, size_t i);
/* Webhooks can be asked from here on. */
int admission_begin(struct admission *ad, struct loop *loop, struct err *err);
/* After the server. NULL is fine. */
void admission_free(struct admission *ad);
DEFINE_CLEANUP(struct admission *, admission_free)

/* The i-th of all names, NULL past the last; whether it runs when nothing is said. */
const char *admission_name(size_t i, bool *ret_default);
bool admission_runs(const struct admission *ad, const char *name);

enum admission_op {
	ADMISSION_CREATE = 1 << 0,
	ADMISSION_UPDATE = 1 << 1,
	ADMISSION_DELETE = 1 << 2,
};

/* Who we are for a webhook, as the configuration says; NULL: nobody. */
const struct hook_user *admission_hook_user(const struct admission *ad, bool mutating,
					    const struct webhook_at *at);

struct admission_call {
	struct strategy_call *sc; /* rs, objects, sub, arena, user; its warnings and more grow */
	enum admission_op op;
	const char *ns;		    /* of the request; "" */
	const char *sub;	    /* subresource; "" */
	const char *name;	    /* as errors tell it: generateName before there is a name */
	struct doc *obj;	    /* NULL: DELETE */
	const struct doc *old;	    /* NULL: CREATE */
	const struct authz *authz;  /* who may sign, own, ... */
	struct status_about *about; /* what errors tell beside */
	struct image_memo *images;  /* image-policy.h; NULL: nobody is asked about images */
	const struct admission *ad; /* private */
	bool soon;     /* it is refused for want of what the server itself makes in a moment */
	unsigned kind; /* private */
	size_t nnotes;
	struct apiaudit_note notes[APIAUDIT_NOTES_MAX]; /* in the arena */
};

/* ad NULL: no plugin runs. obj gets nodes of its own. Errors are upstream's: mostly 403. When
 * something was left open in `images` the error is none: it is waited for, and done again. */
int admission_mutate(const struct admission *ad, struct admission_call *c, struct err *err);
int admission_validate(const struct admission *ad, struct admission_call *c, struct err *err);
int admission_charge(const struct admission *ad, struct admission_call *c, struct err *err);
