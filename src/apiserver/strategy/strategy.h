/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a write does to each kind beyond the rules for all: what the server fills in, keeps, counts,
 * allocates, warns of. Upstream's registry strategies, as tables and small functions on documents.
 *
 * Documents are canonical and in the kind's stored version. Order of a write: strategy_create or
 * strategy_update, admission, api_check, strategy_commit. A call may be repeated (conflict,
 * generateName): it keeps nothing but what it puts into the document and `more`, and what the arena
 * holds: addresses and ports that it chose are kept from others until the arena is reset or freed,
 * so that is done after the write, not before.
 * Spec: Kubernetes 1.36, pkg/registry (for facts).
 */
#pragma once

#include "apiserver/objects/resource.h"
#include "doc/doc.h"

struct arena;
struct authz_memo;
struct err;

#define STRATEGY_MORE_MAX 16
#define STRATEGY_WARNINGS_MAX 64

struct strategy_user {
	const char *name, *uid;
	const char *const *groups; /* NULL-terminated */
	const struct doc *extra;   /* map of lists, or NULL */
	struct authz_memo *memo;   /* authz.h: of the request; NULL: webhooks are not asked */
};

/* A further object that is written in the same transaction: IPAddress of a Service's cluster IP. */
struct strategy_more {
	struct collection *objects;
	const char *key;       /* below the prefix */
	const struct doc *obj; /* canonical; NULL = remove */
	int64_t expect;
};

struct strategy_call {
	struct resources *rs;
	const struct collection *objects;
	const char *sub; /* "" = the object itself; "status", "finalize", "approval", ... */
	struct arena *a;
	int64_t now; /* seconds since 1970 */
	struct strategy_user user;
	bool dry_run;
	/* results */
	size_t nwarnings;
	const char *warnings[STRATEGY_WARNINGS_MAX]; /* of headers "Warning: 299" */
	size_t nmore;
	struct strategy_more more[STRATEGY_MORE_MAX];
};
/* Printed into the arena; dropped past the maximum. */
void strategy_warn(struct strategy_call *c, const char *fmt, ...) PRINTF(2, 3);

enum {
	STRATEGY_CREATE_ON_UPDATE = 1 << 0, /* PUT creates what is not there */
	STRATEGY_NEEDS_REVISION = 1 << 1,   /* PUT without resourceVersion is refused (422) */
	STRATEGY_GENERATION = 1 << 2,	    /* metadata.generation counts changes of the spec */
	STRATEGY_GRACEFUL = 1 << 3,	    /* deleted after a time of grace: pods */
	STRATEGY_ORPHANS = 1 << 4,	    /* DELETE without a policy orphans: Job, RC */
	STRATEGY_TTL = 1 << 5,		    /* goes by itself after an hour: events */
	STRATEGY_NO_TRACKING = 1 << 6,	    /* no managedFields are kept */
};

struct strategy {
	const char *group, *resource; /* "apps", "deployments"; NULL: the one for all others */
	unsigned flags;
	/* NULL does nothing beyond what is common: status emptied on create where the kind has a
	 * status subresource, kept on updates of the object, all else kept on updates of status,
	 * generation. */
	int (*create)(struct strategy_call *c, struct doc *obj, struct err *err);
	int (*update)(struct strategy_call *c, struct doc *obj, const struct doc *old,
		      struct err *err); /* c->sub tells which part */
	/* After admission and checking of a create, update (old set) or removal (obj NULL):
	 * allocations, `more`. Errors are upstream's (422 with causes for a taken cluster IP). */
	int (*commit)(struct strategy_call *c, struct doc *obj, const struct doc *old,
		      struct err *err);
	/* Warnings of a create or update (old NULL on create). */
	void (*warn)(struct strategy_call *c, const struct doc *obj, const struct doc *old);
	/* Extra seconds of grace of a DELETE: what the object asks for; -1 = at once. */
	int64_t (*grace)(const struct doc *obj, const struct doc *delete_options);
};
/* Never NULL. Those of custom kinds: strategy_custom. */
const struct strategy *strategy_find(const char *group, const char *resource);
/* Of custom kinds, too. */
const struct strategy *strategy_of(const struct api_kind *k);
extern const struct strategy strategy_custom;
/* What every answer about a kind warns of: "v1 Endpoints is deprecated in v1.33+; ..."; NULL. */
const char *strategy_deprecated(const struct api_kind *k);

/* The whole of a kind's preparation: common rules (metadata that clients cannot set is not touched
 * here: rest does that), then the table's function. */
int strategy_create(struct strategy_call *c, struct doc *obj, struct err *err);
int strategy_update(struct strategy_call *c, struct doc *obj, const struct doc *old,
		    struct err *err);
int strategy_commit(struct strategy_call *c, struct doc *obj, const struct doc *old,
		    struct err *err);
/* The last finalizer went from an object that is to be deleted: the write removes it. */
bool strategy_is_over(const struct api_kind *k, const struct doc *obj, const struct doc *old);
void strategy_warnings(struct strategy_call *c, const struct doc *obj, const struct doc *old);

/* struct apply's `reset` and `only` for a write to the object or a subresource of it; canonical
 * sets of fields, in the arena, null where there is none; false: neither. */
bool strategy_reset_fields(const struct collection *o, const char *sub, struct arena *a,
			   struct doc *ret_reset, struct doc *ret_only);

/* What a Service that is stored has allocated is known from the caches: called once after
 * world_start, and for every change of Services and IPAddresses from then on by itself. */
int strategy_start(struct resources *rs, struct slice service_cidr, unsigned port_from,
		   unsigned port_to, struct err *err);
/* Before world_free; every strategy_call's arena is gone. Nothing when it was not started. */
void strategy_stop(struct resources *rs);

/* ---- subresources that are objects of their own ---- */

/* autoscaling/v1 Scale of a workload (custom kinds by their paths); -ERR_NOT_FOUND: none. */
int scale_get(const struct api_kind *k, const struct doc *obj, struct arena *a, struct doc *ret,
	      struct err *err);
/* obj with the Scale's replicas and resourceVersion (none: unconditional). Errors are 422 of the
 * Scale; -ERR_CONFLICT: another uid. */
int scale_set(const struct api_kind *k, struct doc *obj, const struct doc *scale, struct arena *a,
	      struct err *err);
/* metadata.managedFields of an object as those of its Scale, and back: the object's after a write
 * to its Scale left `scale`. Lists as they stand in objects (NULL: none); no entries: *ret is
 * empty. -ERR_INVALID as managed_read. */
int scale_managed_from_parent(const struct api_kind *k, const struct doc *parent, struct arena *a,
			      struct doc *ret, struct err *err);
int scale_managed_to_parent(const struct api_kind *k, const struct doc *parent,
			    const struct doc *scale, struct arena *a, struct doc *ret,
			    struct err *err);
/* pods/binding: the pod bound to the target. -ERR_CONFLICT: already, or being deleted. */
int binding_set(struct strategy_call *c, struct doc *pod, const struct doc *binding,
		struct err *err);
/*
 * pods/eviction: may it go? 0: yes; `more` then has the budget as it is to be written in the same
 * transaction, if one counts. -ERR_QUOTA with cause DisruptionBudget: 429; -ERR_FORBIDDEN: the
 * budget's status is none; -ERR_SYSTEM: several budgets. The pod is as stored and the write expects
 * its revision; c->objects are the pods.
 */
int eviction_allow(struct strategy_call *c, const struct doc *pod, const struct doc *eviction,
		   struct err *err);
/* Seconds for Retry-After of a refused eviction: 10 when the budget is only behind, else 0. */
unsigned eviction_retry_after(const struct err *err);
/* The pod with the condition that tells of its eviction: written with its deletion. */
void eviction_mark(struct strategy_call *c, struct doc *pod);
/* pods/ephemeralcontainers, pods/resize, namespaces/finalize and others are strategy_update with
 * c->sub set: the request's document has the whole kind there. */
