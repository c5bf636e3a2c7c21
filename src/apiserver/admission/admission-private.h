/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to the admission plugins: which there are, and what they share.
 */
#pragma once

#include "apiserver/admission/admission-config.h"
#include "apiserver/admission/admission.h"
#include "apiserver/objects/status.h"
#include "apiserver/outward/hook-conf.h"
#include "apiserver/strategy/strategy-private.h"

#include "api/quantity.h"

/* What plugins are about; a request is of one of them, or of OTHER. */
enum {
	ADMIT_OTHER = 1 << 0,
	ADMIT_POD = 1 << 1,
	ADMIT_NAMESPACE = 1 << 2,
	ADMIT_NODE = 1 << 3,
	ADMIT_CLAIM = 1 << 4,
	ADMIT_VOLUME = 1 << 5,
	ADMIT_ATTRIBUTES_CLASS = 1 << 6,
	ADMIT_INGRESS = 1 << 7,
	ADMIT_SERVICE = 1 << 8,
	ADMIT_PRIORITY_CLASS = 1 << 9,
	ADMIT_TEMPLATE = 1 << 10, /* what has a template of pods */
	ADMIT_CSR = 1 << 11,
	ADMIT_BUNDLE = 1 << 12,
	ADMIT_ACCOUNT = 1 << 13,
	ADMIT_LEASE = 1 << 14,
	ADMIT_CSI_NODE = 1 << 15,
	ADMIT_SLICE = 1 << 16,
	ADMIT_EVENT = 1 << 17,
	ADMIT_ALL = ~0,
};

struct event_limits;

struct admission {
	uint64_t runs;		/* a bit for each row of the table */
	struct arena *a;	/* of conf */
	struct given_set files; /* stay open */
	struct admission_conf conf;
	struct hook_conf images_at;
	struct hook_users hooks[2];  /* who we are for webhooks: validating, mutating */
	struct image_policy *images; /* since admission_begin; NULL: the plugin does not run */
	struct event_limits *events; /* NULL: the plugin does not run */
};

typedef int admit_fn(struct admission_call *c, struct err *err);

admit_fn admit_limits, admit_limits_check, admit_pod_resize;
admit_fn admit_account, admit_account_check;
admit_fn admit_node;
admit_fn admit_taint;
admit_fn admit_pull, admit_pull_check;
admit_fn admit_security;
admit_fn admit_priority, admit_priority_class;
admit_fn admit_tolerations, admit_extended_tolerations;
admit_fn admit_storage_class, admit_in_use, admit_resize;
admit_fn admit_owners;
admit_fn admit_runtime, admit_runtime_check;
admit_fn admit_approval, admit_signing, admit_attest, admit_subject;
admit_fn admit_ingress_class, admit_external_ips;
admit_fn admit_anti_affinity, admit_topology_labels;
admit_fn admit_quota;
admit_fn admit_images;
admit_fn admit_node_selector, admit_node_selector_check;
admit_fn admit_toleration_rules, admit_toleration_rules_check;
admit_fn admit_events;

/* 403 "pods \"x\" is forbidden: <why>" */
int admit_refuse(struct admission_call *c, struct err *err, const char *fmt, ...) PRINTF(3, 4);
/* An object as it is now, in the arena; NULL: there is none, or no memory. */
struct doc *admit_get(struct admission_call *c, const char *group, const char *resource,
		      const char *ns, struct slice name);
/* Each object of a namespace ("" = all) whose JSON has `with` in it (NULL: each); what each()
 * returns other than 0 ends it and is the result. */
int admit_each(struct admission_call *c, const char *group, const char *resource, const char *ns,
	       const char *with, int (*each)(void *arg, struct doc *obj), void *arg,
	       struct err *err);
/* For the audit log, in order of keys; dropped past the maximum. */
void admit_note(struct admission_call *c, const char *key, const char *value);
/* The newest of those that say so of themselves by one of two annotations (the second may be NULL):
 * its name, empty when there is none. */
int admit_default_class(struct admission_call *c, const char *group, const char *resource,
			const char *const annotations[2], struct slice *ret, struct err *err);
/* May the user do `verb` on this? */
bool admit_may(struct admission_call *c, const char *verb, const char *group, const char *resource,
	       const char *sub, const char *ns, const char *name);
/* A text of a canonical string as a C string in the arena; "" for what is absent. */
const char *admit_text(struct admission_call *c, const struct doc *d, const char *path);
static inline const struct api_type *admit_type(const struct admission_call *c)
{
	return c->sc->objects->kind->type;
}
/* A whole pod's containers of all three lists, in the order of the API: i from 0; NULL: the end. */
struct doc *admit_container(const struct doc *spec, size_t *i, const char **ret_list);
/* The v1.PodTemplateSpec of a workload, or the pod itself; NULL. */
const struct doc *admit_template(const struct admission_call *c, const struct doc *obj);

/* ---- amounts of resources: admission-amounts.c ---- */

struct amount {
	struct slice name;
	struct quantity q;
};
/* In no order; names are borrowed. What does not fit into the arena is left out: ask
 * arena_exceeded. */
struct amounts {
	struct arena *a;
	struct amount *v;
	size_t n;
};
struct quantity *amounts_get(const struct amounts *l, struct slice name); /* NULL: none */
void amounts_put(struct amounts *l, struct slice name, const struct quantity *q);
void amounts_add(struct amounts *l, const struct amounts *more);
/* A map of quantities. */
struct amounts amounts_read(struct arena *a, const struct doc *map);
/* What the containers of a pod ask for together ("requests", "limits"): side by side, or the
 * largest of those that run before. */
enum {
	AMOUNTS_OVERHEAD = 1 << 0, /* and what its sandbox costs */
	AMOUNTS_STATUS = 1 << 1,   /* what was given to it counts when it is more */
};
struct amounts amounts_of_pod(struct arena *a, const struct doc *pod, const char *which,
			      unsigned flags);
/* Not the cluster's own: "example.com/gpu". */
bool amounts_is_extended(struct slice name);

/* ---- Pod Security: admission-podsec.c ---- */

#define PODSEC_LEVELS "must be one of privileged, baseline, restricted"
#define PODSEC_VERSIONS "must be \"latest\" or \"v1.x\""
/* Of another text *ret is the strictest, and the latest. */
bool podsec_read_level(struct slice s, enum podsec_level *ret);
bool podsec_read_version(struct slice s, uint32_t *ret);
#define PODSEC_TEXT_MAX 32
const char *podsec_print(const struct podsec_policy *p, char dst[PODSEC_TEXT_MAX]);
/* What a pod (or its template) has against the policy. 0: nothing; 1: reasons has them in
 * upstream's words, details (may be NULL) too with what is wrong. */
int podsec_check(const struct podsec_policy *p, const struct doc *pod, struct arena *a,
		 struct buf *reasons, struct buf *details);

/* ---- nodes of a namespace: admission-placement.c ---- */

/* "a=b,c=d" as a map of labels; -ERR_INVALID in upstream's words. */
int node_selector_read(struct slice text, struct arena *a, struct doc *ret, struct err *err);

/* ---- Events: admission-events.c ---- */

/* conf is looked at as long as it lives. */
struct event_limits *event_limits_new(const struct event_limit *conf, size_t n);
void event_limits_free(struct event_limits *e); /* NULL is fine */
/* One more by this key of the i-th limit; false: there are too many. */
bool event_limits_take(struct event_limits *e, size_t i, const char *key, int64_t now);
extern const char *const event_key_names[]; /* by enum event_key; NULL at the end */
