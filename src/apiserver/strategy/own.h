/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects that the server itself writes, nobody asked for by HTTP: the same way as a client's
 * (defaults, strategy, checks, who owns which field), as the manager "kube-apiserver".
 */
#pragma once

#include "apiserver/objects/cache.h"
#include "apiserver/objects/resource.h"
#include "base/err.h"

struct arena;
struct doc;

#define OWN_MANAGER "kube-apiserver"

enum own_change {
	OWN_SAME,    /* it is right */
	OWN_CHANGED, /* it goes when that took the last finalizer of one that is to be deleted */
	OWN_GOES,    /* it is removed */
	OWN_MARKED,  /* it is to be deleted, and waits for its finalizers: nothing else changed */
};

/* Makes sure of one object. Embedded in its owner, which keeps it and what it points to until
 * done(). */
struct own_put {
	struct resources *rs;
	const char *group, *resource, *namespace_, *name; /* namespace_ "" = cluster-scoped */
	/* As a client would send it, in the stored version; metadata.name and namespace may be
	 * left out. Its status is written, too. */
	const struct doc *want;
	const char *manager; /* who owns what is set; NULL: OWN_MANAGER */
	bool only_there;     /* it is not made when it is not there: result 0 */
	/*
	 * The object is there: obj is it, to be changed as it should be; want is canonical. An enum
	 * own_change, or negative with err. NULL: what is there stays.
	 */
	int (*update)(struct own_put *p, struct arena *a, struct doc *obj, const struct doc *want,
		      struct err *err);
	void (*done)(struct own_put *p); /* perhaps within own_put */
	void *arg;
	int result; /* 1: written; 0: nothing was to be done; negative: err */
	struct err err;
	/* from here on private */
	struct arena *a;
	const struct collection *objects;
	struct buf *json;
	struct cache_op *ops;
	struct cache_write write;
	unsigned tries;
};
void own_put(struct own_put *p);

/* For an update() that deletes, what it gives back: one with finalizers is marked. */
int own_delete(struct own_put *p, struct arena *a, struct doc *obj, struct err *err);

/* Sets `field` of obj to want's value (or removes it); whether that changed it. type: obj's. */
struct api_type;
bool own_take(const struct api_type *type, struct doc *obj, const struct doc *want,
	      const char *field, struct arena *a);
/* The same with every member of a map below metadata ("labels"), others stay. */
bool own_take_map(const struct resources *rs, struct doc *obj, const struct doc *want,
		  const char *field, struct arena *a);
