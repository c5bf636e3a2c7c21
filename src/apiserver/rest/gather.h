/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to the server: objects of a view in the version that a request asks for, where a webhook
 * may have to make it, and those of them that its selectors take. All are in memory before the
 * first is told, so an answer is whole or a failure.
 *
 * Labels and fields are those of the version that is asked for. Names and namespaces are the same
 * in all versions: by them objects are left out before anybody is asked.
 */
#pragma once

#include "apiserver/extension/convert.h"
#include "apiserver/objects/cache.h"
#include "base/loop.h"

struct call;

/* Do the call's selectors look at what a webhook may have to make? ret: the terms that do not,
 * in the call's arena. */
bool gather_selects(struct call *c, struct selector *ret);

struct gather {
	/* Set by the caller; view and call outlive it. */
	struct call *call;
	struct cache_view *view;
	struct slice prefix, from; /* as cache_iter_init */
	int64_t limit;		   /* 0: all */
	/* From the loop, once; c->about.reason is set of a failure. */
	void (*done)(struct gather *g, int result, struct err *err);

	struct item **v; /* referenced; in order of keys */
	size_t n;
	bool more; /* objects stand behind the last one */
	/* private */
	struct cache_iter it;
	struct selector fixed;
	bool selects;
	size_t cap, first, bytes; /* first: of the latest batch */
	struct convert_items batch;
	struct deferred again;
};
void gather_begin(struct gather *g);
/* v, which is the caller's from now on: each referenced, the array of malloc. */
struct item **gather_take(struct gather *g, size_t *ret_n);
/* Also before done, which does not run then, and of what is all zero. */
void gather_fini(struct gather *g);
