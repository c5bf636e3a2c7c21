/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AdmissionReview: what a webhook is asked, and what it answers. Bytes of strangers: an answer is
 * checked whole before anything of it counts.
 *
 * Spec: admission.k8s.io/v1 and v1beta1.
 */
#pragma once

#include "base/str.h"
#include "doc/doc.h"

struct arena;
struct err;
struct strategy_user;

/* A kind or a resource. */
struct review_gvk {
	const char *group, *version, *name;
};

struct review {
	bool beta; /* v1beta1 */
	const char *uid;
	struct review_gvk kind, resource;		  /* of the objects below */
	struct review_gvk request_kind, request_resource; /* as the client asked */
	const char *sub, *name, *ns;			  /* "" = none */
	const char *operation; /* "CREATE", "UPDATE", "DELETE", "CONNECT" */
	const struct strategy_user *user;
	const struct doc *obj, *old, *options; /* NULL = none */
	bool dry_run;
};
/* Its `request`, for conditions; NULL when the arena is full. */
const struct doc *review_request(const struct review *r, struct arena *a);
/* -ERR_QUOTA: it does not fit. */
int review_write(const struct review *r, struct buf *out, struct err *err);

#define REVIEW_WARNINGS_MAX 64

struct review_answer {
	bool allowed;
	const struct doc *status;   /* metav1.Status as it came, or NULL */
	const struct doc *patch;    /* an array with something in it, or NULL */
	const struct doc *audit;    /* map of texts, or NULL */
	const struct doc *warnings; /* list of texts, or NULL */
};
/*
 * An answer to the review with this uid. All of it is copied into the arena. Errors are upstream's
 * words, without what upstream puts in front: -ERR_BAD_REQUEST, -ERR_INVALID (not an
 * AdmissionReview, another's, a patch from who may not), -ERR_UNSUPPORTED (type of the patch),
 * -ERR_QUOTA.
 */
int review_read(struct slice text, const struct review *r, bool mutating, struct arena *a,
		struct review_answer *ret, struct err *err);
