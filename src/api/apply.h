/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Server-side apply, and who owns which field after any write.
 *
 * Objects are documents of one kind and version: `live` is the canonical object as it is stored
 * (NULL when it is to be created), the others are as the request has them. Results share nodes with
 * what was given: nothing of it is to be changed afterwards.
 *
 * Spec: Kubernetes' server-side apply; structured-merge-diff, package merge, and apimachinery,
 * util/managedfields (for facts).
 */
#pragma once

#include "doc/doc.h"

struct api_type;
struct arena;
struct err;

#define APPLY_LAST_APPLIED "kubectl.kubernetes.io/last-applied-configuration"
#define APPLY_BEFORE_FIRST "before-first-apply"

/* An object in another version of its kind; sets as in struct apply. */
struct apply_version {
	const struct api_type *type;
	struct doc obj;
	const struct doc *reset, *only;
};

struct apply {
	const struct api_type *type;
	const char *api_version, *kind; /* of the request: "apps/v1", "Deployment" */
	const char *manager;		/* "" = "unknown" */
	const char *subresource;	/* "" or "status", "scale", ... */
	const char *now;		/* RFC 3339 */
	/* managed_clears() of the request as it came: canonical objects no longer hold a []. */
	bool clear;
	/*
	 * Sets (fields.h) that writes here do not own: what the strategy puts back (status on the
	 * object itself, all else on its status). only: the sole fields that are owned; the step
	 * "*" in it is any. NULL = none, all.
	 */
	const struct doc *reset, *only;
	/*
	 * The object in another version, for entries that were written in it: 0, 1 when there is
	 * no such version (any more): its entries are dropped. NULL: there is no other version.
	 */
	int (*convert)(void *arg, const struct doc *obj, const char *api_version, struct arena *a,
		       struct apply_version *ret, struct err *err);
	void *arg;
	struct arena *a;
};

/*
 * After create, update and patch: *obj gets metadata.managedFields. Those that the object came
 * with are believed (but not on a subresource), as upstream has it; [] and [{}] clear them; when
 * they are absent or make no sense, those of `live` count. A live object without any stays so.
 * Fails only with -ERR_QUOTA, -ERR_TOO_LARGE and -ERR_INVALID (an object that cannot be compared):
 * upstream then stores the object without managedFields.
 */
int apply_track(const struct apply *c, const struct doc *live, struct doc *obj, struct err *err);

/* What apply_run found beyond its result. */
struct apply_result {
	struct doc obj;
	bool same; /* nothing but managedFields can differ from live */
	/*
	 * With -ERR_CONFLICT: the whole message (err->msg may be cut). err->causes has a cause for
	 * each field, in the arena: reason "FieldManagerConflict". With -ERR_SYSTEM: the same.
	 */
	const char *message;
};

/*
 * `live` with what this manager applies and without what it applied before, does not apply now and
 * nobody else owns. The result is not yet canonical, has no defaults: admit it as any other object.
 * A live object without managedFields gets an entry of APPLY_BEFORE_FIRST first. Managers named
 * "kubectl" take over what kubectl's client-side apply set, and keep its annotation.
 *
 * -ERR_CONFLICT: others own fields that would change, and force is not set. -ERR_BAD_REQUEST:
 * another kind or version, managedFields in what is applied. -ERR_SYSTEM: what is applied does not
 * fit its type; upstream answers 500 with this message and no reason. -ERR_QUOTA, -ERR_TOO_LARGE.
 */
int apply_run(const struct apply *c, const struct doc *live, const struct doc *applied, bool force,
	      struct apply_result *ret, struct err *err);

/* What a manager applied, out of the object: its Apply entry's fields. -ERR_NOT_FOUND: no entry. */
int apply_extract(const struct apply *c, const struct doc *obj, struct doc *ret, struct err *err);
