/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to the server: asking admission policies, and then webhooks, about a request, while it
 * waits.
 *
 *	hook_ask_mutate		one after the other; each sees what the ones before it made
 *	hook_ask_validate	side by side; all have to agree
 *
 * A request that nobody is asked about goes on within the call. Spec: Kubernetes 1.36, "Dynamic
 * Admission Control".
 */
#pragma once

#include "apiserver/admission/admission-hooks.h"
#include "apiserver/rest/call.h"
#include "doc/doc.h"

struct hook_run;
struct policy_rounds;
struct hook_desk;

/* For one server; admission NULL, or without the plugins: nobody is ever asked. */
int hook_desk_new(struct server *srv, struct hook_desk **ret, struct err *err);
void hook_desk_free(struct hook_desk *w); /* NULL is fine; nothing is asked */

struct hook_ask {
	/* Set by the caller, who keeps all of it until done. Documents are of the call's work
	 * arena, which is not emptied meanwhile. */
	struct call *c;
	enum hook_op op;
	const struct resource *asked;
	const char *ns, *name, *sub; /* "" = none */
	/* obj and old are canonical: in the version that is stored, or own: of this type, whose
	 * kind they name (Scale, Eviction, PodExecOptions). obj is what webhooks change. */
	struct doc *obj;       /* NULL: DELETE */
	const struct doc *old; /* NULL: CREATE, CONNECT */
	const struct api_type *own;
	const struct api_kind *stored; /* NULL: own is set */
	const struct doc *options;
	/* What is made has no uid and no time yet for those who may change it; generated: nor its
	 * name. */
	bool made, generated;
	bool dry_run;
	/* The plugins before the webhooks, on obj once more. NULL: there are none. */
	int (*again)(struct hook_ask *k, struct err *err);
	/* 0; negative: hook_ask_fail tells the client. */
	void (*done)(struct hook_ask *k, int result, struct err *err);
	void *arg;

	/* results */
	bool changed;		      /* obj is another */
	struct doc denied;	      /* a Status, when not null */
	int code;		      /* of it */
	struct hook_run *run;	      /* private */
	struct policy_rounds *rounds; /* private: of mutating policies */
};
/* Who it is about, for rules and selectors. */
struct hook_match hook_ask_match(const struct hook_ask *k);
void hook_ask_mutate(struct hook_ask *k);
void hook_ask_validate(struct hook_ask *k);
void hook_ask_cancel(struct hook_ask *k); /* done does not run; also when nothing runs */
void hook_ask_fail(struct hook_ask *k, const struct err *err);
