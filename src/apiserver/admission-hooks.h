/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Webhook configurations, compiled: who is to be asked about a request. In upstream's order: names
 * of configurations, then places in them.
 *
 * A set is made when the objects have changed since the last, is counted, and lives as long as a
 * request asks by it. Spec: admissionregistration.k8s.io/v1.
 */
#pragma once

#include "api/selector.h"
#include "apiserver/resource.h"
#include "apiserver/webhook-client.h"
#include "base/cleanup.h"

struct cel_env;
struct cel_prog;
struct doc;

enum hook_op {
	HOOK_CREATE = 1 << 0,
	HOOK_UPDATE = 1 << 1,
	HOOK_DELETE = 1 << 2,
	HOOK_CONNECT = 1 << 3,
};
const char *hook_op_name(enum hook_op op); /* "CREATE" */

enum hook_scope { HOOK_ALL, HOOK_CLUSTER, HOOK_NAMESPACED };

struct hook_rule {
	unsigned ops; /* enum hook_op */
	enum hook_scope scope;
	const char *const *groups, *const *versions, *const *resources; /* NULL-terminated */
};

struct hook_condition {
	const char *name;
	const struct cel_prog *prog; /* api/match-condition.h */
};

struct hook {
	const char *config, *name;
	size_t index; /* in its configuration */
	struct webhook_at at;
	const char *broken; /* why it cannot be asked; NULL: it can */
	const struct hook_rule *rules;
	size_t nrules;
	const struct hook_condition *conditions; /* all have to hold */
	size_t nconditions;
	struct selector namespaces, objects;
	bool no_namespaces, no_objects; /* a selector that selects nothing */
	bool fails_open;		/* failurePolicy Ignore */
	bool exact;			/* matchPolicy */
	bool again;			/* reinvocationPolicy IfNeeded */
	bool effects;			/* it may not be asked about what is only tried */
	bool beta;			/* AdmissionReview v1beta1 */
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

/* What is asked about. */
struct hook_match {
	struct resources *rs;
	enum hook_op op;
	const struct resource *asked;
	const char *sub, *ns, *name;
	const struct doc *obj, *old;	   /* with metadata.labels; NULL: none */
	const struct resource *equals[16]; /* private: the same objects in other versions */
	size_t nequals;
	bool looked;
};
/*
 * Is the hook asked about it? Then *ret is the resource in whose version: the one asked for, or one
 * that is the same in another. Negative: the namespace of the request is not there
 * (-ERR_NOT_FOUND), or cannot be read.
 */
int hook_matches(const struct hook *k, struct hook_match *m, const struct resource **ret,
		 struct err *err);
/* Objects that no webhook is ever asked about: those that say who is asked. */
bool hook_is_exempt(const struct api_kind *k);
