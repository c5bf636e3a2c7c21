/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys of OpenID issuers as they came last: fetched by a pool's workers, and again from time to
 * time. A configuration that is read anew finds its sources with their keys; others go.
 *
 * On the loop's thread but fetch().
 */
#pragma once

#include "base/err.h"
#include "base/list.h"
#include "base/work.h"

#include <stdatomic.h>
#include <stdint.h>

struct issuer_keys;
struct jwks;

/* Embedded in what its owner keeps of it, zeroed. */
struct issuer_source {
	char *issuer, *at, *ca; /* at, ca: the owner's meaning, NULL = none */
	struct jwks *keys;	/* NULL: none came yet */
	int64_t asked;		/* clock_mono */
	bool wanted, running;
	struct list link; /* from here on private */
	struct issuer_keys *of;
	int64_t next;
	struct work work;
	struct jwks *fresh;
	struct err err;
};

struct issuer_keys {
	struct work_pool *pool; /* taken: its queue holds all sources there may be */
	int64_t every, again;	/* ns between fetches: when the last one went well, or did not */
	/* By a worker: what it reads of the source does not change. */
	int (*fetch)(const struct issuer_source *s, struct jwks **ret, struct err *err);
	/* After each fetch; err: why s->keys are not new ones, NULL: they are. */
	void (*fetched)(struct issuer_source *s, const struct err *err);
	void (*drop)(struct issuer_source *s); /* frees what it is embedded in */
	struct list sources;		       /* from here on private */
	atomic_bool ending;
};

void issuer_keys_init(struct issuer_keys *k); /* the owner has set the upper part */
/* Waits for those that run; fetched() is told, drop() of all. */
void issuer_keys_fini(struct issuer_keys *k);
struct issuer_source *issuer_keys_find(const struct issuer_keys *k, const char *issuer,
				       const char *at, const char *ca);
/* Texts are copied; nothing is fetched yet. */
void issuer_keys_add(struct issuer_keys *k, struct issuer_source *s, const char *issuer,
		     const char *at, const char *ca);
void issuer_keys_fetch(struct issuer_source *s); /* unless it is under way */
/* None is wanted; who reads a configuration sets those that it names, then the others are dropped.
 */
void issuer_keys_unwant(struct issuer_keys *k);
void issuer_keys_prune(struct issuer_keys *k);
/* From time to time: fetches what is due, and drops. */
void issuer_keys_tick(struct issuer_keys *k);
/* Is there a key of this id ("": any)? */
bool issuer_source_has(const struct issuer_source *s, const char *kid);
