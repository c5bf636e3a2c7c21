/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Webhook configurations, compiled: who is to be asked about a request. In upstream's order: names
 * of configurations, then places in them.
 *
 * A set is made when the objects have changed since the last, is counted, and lives as long as a
 * request asks by it. Spec: admissionregistration.k8s.io/v1.
 */
#pragma once

#include "apiserver/admission/admission-match.h"
#include "apiserver/outward/webhook-client.h"
#include "base/cleanup.h"

struct cel_env;
struct cel_prog;
struct doc;

struct hook_condition {
	const char *name;
	const struct cel_prog *prog; /* api/match-condition.h */
};

struct hook {
	const char *config, *name;
	size_t index; /* in its configuration */
	struct webhook_at at;
	const char *broken; /* why it cannot be asked; NULL: it can */
	struct hook_criteria on;
	const struct hook_condition *conditions; /* all have to hold */
	size_t nconditions;
	bool fails_open; /* failurePolicy Ignore */
	bool again;	 /* reinvocationPolicy IfNeeded */
	bool effects;	 /* it may not be asked about what is only tried */
	bool beta;	 /* AdmissionReview v1beta1 */
	unsigned seconds;
};

struct hook_set {
	unsigned refs;
	struct arena *a;
	struct cel_env *env; /* of conditions; NULL: there are none yet */
	struct hook *v;
	size_t n;
};
void hook_set_unref(struct hook_set *s); /* NULL is fine */
DEFINE_CLEANUP(struct hook_set *, hook_set_unref)

struct hook_configs;
struct hook_configs *hook_configs_new(struct resources *rs);
void hook_configs_free(struct hook_configs *h); /* NULL is fine */
DEFINE_CLEANUP(struct hook_configs *, hook_configs_free)
/* As the objects are now; a reference. NULL: there are none. */
struct hook_set *hook_configs_get(struct hook_configs *h, bool mutating);

/* hook_criteria_match, and never of what is exempt. */
int hook_matches(const struct hook *k, struct hook_match *m, const struct resource **ret,
		 struct err *err);
