/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which authorizers there are, in which order: of --authorization-mode and its flags, or of a file
 * with an AuthorizationConfiguration.
 * Spec: apiserver.config.k8s.io/v1 (v1beta1 and v1alpha1 are the same here).
 */
#pragma once

#include "apiserver/auth/authz.h"
#include "base/str.h"

struct arena;
struct authz_match;
struct err;

struct authz_webhook_conf {
	const char *kubeconfig;			  /* absolute path */
	int64_t authorized_ttl, unauthorized_ttl; /* ns; 0: not kept */
	int64_t timeout;			  /* ns, of all attempts together */
	bool v1beta1;				  /* of SubjectAccessReview */
	bool denies; /* failurePolicy Deny: what cannot be asked is refused, not passed on */
	const struct authz_match *match; /* which questions it is asked; NULL: any */
};

struct authz_plan {
	struct authz_plan_step {
		enum authz_mode mode;
		const char *name;
		struct authz_webhook_conf webhook;
	} steps[AUTHZ_STEPS_MAX];
	size_t n;
};

/* Flags; NULL and 0 are what is said there. */
struct authz_flags {
	const char *modes;	     /* "Node,RBAC" [AUTHZ_MODES_DEFAULT] */
	const char *config;	     /* --authorization-config: takes the place of the others */
	const char *policy_file;     /* of ABAC */
	const char *webhook_config;  /* a kubeconfig */
	const char *webhook_version; /* "v1", "v1beta1" [v1] */
	int64_t authorized_ttl, unauthorized_ttl; /* ns [5 min, 30 s] */
};
#define AUTHZ_MODES_DEFAULT "Node,RBAC"

/* -ERR_BAD_REQUEST names the flag and what is wrong. */
int authz_plan_flags(const struct authz_flags *f, struct authz_plan *ret, struct err *err);
/* -ERR_INVALID names the field. Texts are in the arena. policy: there is a file for ABAC. */
int authz_plan_read(struct slice text, bool policy, struct arena *a, struct authz_plan *ret,
		    struct err *err);
