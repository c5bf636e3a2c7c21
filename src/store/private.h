/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands behind a struct store: a table of calls, one per kind. The front (store.c) has
 * checked the form of a request before a kind sees it.
 */
#pragma once

#include "base/list.h"
#include "base/loop.h"
#include "store/store.h"

struct store_kind {
	void (*close)(struct store *s);
	int64_t (*revision)(const struct store *s);
	void (*commit)(struct store *s, struct store_txn *t);
	void (*range)(struct store *s, struct store_range *r);
	int (*watch)(struct store *s, struct store_watch *w, struct err *err);
	void (*unwatch)(struct store *s, struct store_watch *w);
	void (*progress)(struct store *s, struct store_watch *w);
	void (*lease)(struct store *s, struct store_lease *l);
	void (*compact)(struct store *s, struct store_task *t);
	void (*backup)(struct store *s, struct store_task *t);
	void (*verify)(struct store *s, struct store_task *t);
	void (*stats)(struct store *s, struct store_stats *ret);
};

struct store {
	const struct store_kind *kind;
	struct loop *loop;
	bool closing;	   /* everything that is asked for ends with -ERR_UNAVAILABLE */
	struct list later; /* of struct store_later */
	struct deferred later_call;
};

/* A request whose result stands already and whose done() comes at the end of the loop's round. */
struct store_later {
	struct list link;
	void (*fn)(struct store_later *l);
};

void store_init(struct store *s, const struct store_kind *kind, struct loop *loop);
void store_fini(struct store *s); /* ends what is waiting */
void store_later(struct store *s, struct store_later *l, void (*fn)(struct store_later *l));
