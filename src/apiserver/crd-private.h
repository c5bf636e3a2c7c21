/* SPDX-License-Identifier: Apache-2.0 */
/* Private to crd-*.c: changing stored definitions, and what follows the definitions. */
#pragma once

#include "apiserver/objects/codec.h"
#include "apiserver/objects/resource.h"
#include "base/arena.h"
#include "base/list.h"
#include "base/loop.h"
#include "doc/doc.h"

#define CRD_GROUP "apiextensions.k8s.io"
#define CRD_RESOURCE "customresourcedefinitions"
#define CRD_CLEANUP "customresourcecleanup.apiextensions.k8s.io"
#define CRD_DOC_MAX (64u << 20)

/* ---- documents: crd-status.c ---- */

/* The names that definitions of a group have been given: to tell conflicts. */
struct crd_names {
	const char *group;
	const struct doc *accepted; /* CustomResourceDefinitionNames */
};
struct crd_all {
	const struct crd_names *v;
	size_t n;
};

/* True: it is True. */
bool crd_condition_is(const struct doc *crd, const char *type, const char *status);
/* Sets a condition; its time changes with its status only. False: it was so already. */
bool crd_condition(struct arena *a, struct doc *crd, const char *type, const char *status,
		   const char *reason, const char *message, int64_t now);
bool crd_condition_remove(struct doc *crd, const char *type);
/* Names, NamesAccepted and KubernetesAPIApprovalPolicyConformant; `others` are the definitions
 * beside it. The names that are accepted are in status then. */
void crd_set_names(struct arena *a, struct doc *crd, const struct crd_all *others, int64_t now);
bool crd_has_finalizer(const struct doc *crd);
/* How many finalizers are left. */
size_t crd_remove_finalizer(struct doc *crd);
/* "2024-01-01T00:00:00Z" */
struct doc crd_time(struct arena *a, int64_t now);

/* ---- one write at a time ---- */

#define CRD_OPS_MAX 64

struct crd_write {
	struct cache_write write;
	struct cache_op ops[CRD_OPS_MAX];
	char *keys[CRD_OPS_MAX];
	struct buf json[CRD_OPS_MAX];
	size_t n;
	bool busy;
	void (*done)(struct crd_write *w); /* result and err are in `write` */
	void *arg;
};
/* One more object of the next write: obj NULL removes it. -ERR_QUOTA: it does not fit. */
int crd_write_add(struct crd_write *w, struct cache *c, struct slice key, const struct doc *obj,
		  int64_t expect, struct err *err);
void crd_write_go(struct crd_write *w, struct world *world);
void crd_write_drop(struct crd_write *w); /* what was added; not while it is busy */

/* ---- the objects of a definition that goes: crd-cleanup.c ---- */

struct crd_cleanup;
/* done: once there are none left; or err says why they cannot be removed. Not within the call. */
struct crd_cleanup *crd_cleanup_start(struct resources *rs, struct loop *loop,
				      struct collection *objects,
				      void (*done)(void *arg, const struct err *err), void *arg);
void crd_cleanup_stop(struct crd_cleanup *x); /* NULL is fine; done() is not called */

/* ---- APIServices: crd-services.c ---- */

struct aggregator;
struct crd_services;
int crd_services_start(struct resources *rs, struct loop *loop, struct crd_services **ret,
		       struct err *err);
void crd_services_stop(struct crd_services *s);
/* Who knows of other servers, for life; NULL: nobody any more. */
void crd_services_set_aggregator(struct crd_services *s, struct aggregator *g);
/* What is served has changed. */
void crd_services_look(struct crd_services *s);
bool crd_services_idle(const struct crd_services *s);
