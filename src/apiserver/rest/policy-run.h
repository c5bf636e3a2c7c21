/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to the server: admission policies judge and change requests.
 *
 *	policy_desk_mutate	in front of mutating webhooks, once more in their second round
 *	policy_desk_validate	in front of validating webhooks
 *
 * All within the call: expressions have budgets of cost, as upstream has them. What is refused is a
 * Status in k->denied. An authorizer that has yet to be asked (authz.h, struct authz_memo) ends it
 * with -ERR_UNAVAILABLE: whoever called waits for it (call_asks), and does the same again.
 *
 * Spec: Kubernetes 1.36, "Validating Admission Policy", "Mutating Admission Policy".
 */
#pragma once

#include "apiserver/admission/policy-set.h"
#include "apiserver/auth/cel-authz.h"
#include "apiserver/rest/hook-view.h"
#include "expr/cel.h"

struct metric_family;
struct policy_rounds;
struct server;

#define POLICY_COST_MAX                                                           \
	10000000u /* of a policy, binding and parameter; twice: audit annotations \
		   */

struct policy_desk;
/* Without the plugins nobody is judged. */
int policy_desk_new(struct server *srv, struct policy_desk **ret, struct err *err);
void policy_desk_free(struct policy_desk *d); /* NULL is fine */
int policy_desk_mutate(struct policy_desk *d, struct hook_ask *k, struct err *err);
int policy_desk_validate(struct policy_desk *d, struct hook_ask *k, struct err *err);

/* ---- private to policy-*.c ---- */

/* Objects that policies are never asked about: what is exempt for webhooks, and who is who and may
 * do what, which the cluster would stand still without. */
bool policy_is_exempt(const struct api_kind *k);

struct policy_desk {
	struct policy_configs *configs;
	bool on[2]; /* validating, mutating */
	struct metric_family *checks[2], *durations[2];
};

/* The request in one version. */
struct policy_view {
	struct policy_view *next;
	struct hook_view view;
	struct cel_value obj, old;
	const struct doc *request; /* made when it is first asked for */
};

/* One request. */
struct policy_call {
	struct policy_desk *desk;
	struct hook_ask *k;
	bool mutating;
	struct hook_match match;
	struct arena *a; /* the call's: what outlives a policy */
	struct policy_view *views;
	const struct item *ns;	 /* NULL: none */
	const struct doc *space; /* the same, made when it is first asked for */
	struct cel_authz authz;
};
int policy_call_init(struct policy_call *c, struct policy_desk *d, struct hook_ask *k,
		     bool mutating, struct err *err);
int policy_call_view(struct policy_call *c, const struct resource *as, struct policy_view **ret,
		     struct err *err);
/* An item as a document that may become part of the object. */
int policy_call_doc(struct policy_call *c, const struct item *i, const struct doc **ret,
		    struct err *err);
/* The object is another: views are made anew. */
void policy_call_changed(struct policy_call *c);
/* Did an authorizer, or who converts objects, leave a question? Then -ERR_UNAVAILABLE. */
int policy_call_asks(const struct policy_call *c, struct err *err);

/* Does the member judge it? 1: in *ret's version; negative: why that cannot be said. */
int policy_call_match(struct policy_call *c, const struct policy *p, const struct resource **ret,
		      struct err *err);
int policy_call_binds(struct policy_call *c, const struct policy_binding *b, struct err *err);

/* ---- parameters ---- */

struct policy_params {
	const struct doc **v; /* of the call; NULL: an element for "none is asked for" */
	size_t n;
};
/* Is its paramKind served? */
int policy_param_kind(struct policy_call *c, const struct policy *p, struct resource **ret,
		      struct err *err);
int policy_params_get(struct policy_call *c, const struct policy *p, const struct policy_binding *b,
		      struct policy_params *ret, struct err *err);

/* ---- one policy with one parameter ---- */

struct policy_run {
	struct policy_call *c;
	const struct policy *p;
	struct policy_view *view;
	const struct doc *param;
	struct arena *a; /* what expressions make; freed by policy_run_fini */
	struct cel_budget budget;
	struct cel_value vars[POLICY_VARS];
	struct cel_value *values; /* of variables, by their place */
	uint8_t *state;		  /* enum policy_state of each */
	struct cel_getter variables, request, space;
	uint64_t spent;	  /* on variables since policy_eval began */
	const char *base; /* of the stack */
	bool broke;
};
int policy_run_init(struct policy_run *r, struct policy_call *c, const struct policy *p,
		    struct policy_view *view, const struct doc *param, struct err *err);
void policy_run_fini(struct policy_run *r);

/*
 * 0: *ret; 1: *why has the expression's error in upstream's words, of the run's arena; -ERR_QUOTA:
 * cost or memory ran out, no further expression is to be run;
 * -ERR_UNAVAILABLE: an authorizer has yet to be asked.
 */
int policy_eval(struct policy_run *r, const struct policy_expr *e, struct cel_value *ret,
		const char **why, struct err *err);
/* 1: all conditions hold; 0: one does not; negative: they cannot be evaluated, in err. Policies
 * that fail open: 0. */
int policy_conditions(struct policy_run *r, struct err *err);

/* ---- refusals ---- */

/* A Status: message and its reason and code, with causes (texts). */
struct policy_denial {
	const char *message, *reason;
	int code;
	const char *const *causes;
	size_t ncauses;
};
int policy_deny(struct policy_call *c, const struct policy_denial *d, struct err *err);
/* "pods \"x\" is forbidden: " and more, in the arena. */
const char *policy_forbidden(struct policy_call *c, const char *why);
/* One expression that was evaluated. action: of validating ones, "allow", "deny", "audit", "warn".
 */
struct policy_count {
	const struct policy_call *c;
	const char *policy, *binding, *error, *action;
	int64_t ns;
};
void policy_count(const struct policy_count *n);
/* What an error counts as: "compile_error", "out_of_budget", "invalid_error". */
const char *policy_error_type(const char *message);
