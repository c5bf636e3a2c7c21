/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pull-through cache. Private to src/registry; on the loop's thread, what is fetched on
 * workers.
 *
 * A repository under an upstream's prefix ("docker.io/library/busybox"; with --proxy every one)
 * holds what was fetched from there. A tag that was looked at within the TTL is answered from here;
 * else the upstream is asked (HEAD, then GET if it moved). When that fails, an older one is
 * answered with a Warning header. Digests are answered from here for ever. One upstream request
 * serves all who want the same thing at the same time. What an upstream says it has not (404, also
 * 401 and 403) is not here: 404; a tag of it goes. After a 429 or failures in a row an upstream is
 * left alone for a while.
 *
 * Blobs go to those who asked as they come; the end of one is held back until its digest is found
 * right, else their connections are cut and nothing is kept. A range that ends before it is sent as
 * soon as its bytes are here: who asks for a part must check it by himself. Spec:
 * distribution-spec 1.1 (ns parameter: registry proxying); RFC 9111, 5.5 (Warning).
 */
#pragma once

#include "base/cleanup.h"
#include "base/list.h"
#include "image/content.h"

#include <stdbool.h>
#include <stdint.h>

struct arena;
struct call;
struct doc;
struct err;
struct hooks;
struct remote;
struct through;
struct upstream;

int through_new(struct hooks *h, struct through **ret, struct err *err);
void through_free(struct through *t); /* after the workers and the stores; NULL is fine */
/* Somebody waits for what was asked, or for it to be kept. */
bool through_busy(const struct through *t);
struct upstream *through_of(struct through *t, const char *repo); /* NULL = none */
void through_status(struct through *t, struct arena *a, struct doc *list);

/* See registry/hooks.h. */
bool through_manifest(struct call *c, void (*local)(struct call *c));
bool through_blob(struct call *c, void (*local)(struct call *c));
bool through_tags(struct call *c);
bool through_referrers(struct call *c);
int through_ns(struct call *c);

/* ---- through-fill.c: a blob on its way here; also for replication ---- */

struct fill;
struct fill_want {
	struct remote *remote;
	const char *far_repo, *repo, *digest;
	uint64_t size; /* UINT64_MAX = not known: it is asked for */
};
struct fill_watch {
	struct list link; /* private */
	struct fill *fill;
	/* More is there (or the size became known). */
	void (*moved)(struct fill_watch *w);
	/* Once, then w is off the list: 0 = it is a blob of the repository; negative: it is not. */
	void (*ended)(struct fill_watch *w, int result, const struct err *err);
};
/* Joins one that is under way (0), or begins it (1). */
int fill_join(struct hooks *h, const struct fill_want *want, struct fill_watch *w, struct err *err);
/* ended() will not run. The rest is fetched all the same. */
void fill_leave(struct fill_watch *w);
/* Of a fill that is watched: */
uint64_t fill_size(const struct fill *f);  /* UINT64_MAX = not known yet */
uint64_t fill_ready(const struct fill *f); /* bytes from the first on that may be sent */
bool fill_verified(const struct fill *f);
int fill_fd(const struct fill *f); /* borrowed */
void fills_init(struct hooks *h);
bool fills_busy(const struct hooks *h);
void fills_free(struct hooks *h); /* after the workers */

/* ---- through-keep.c: what is kept, and for how long ---- */

struct db_conn;
struct keep_victim {
	char repo[CONTENT_NAME_MAX + 1], digest[IMAGE_DIGEST_MAX];
};
/* What goes, at most max: what was not wanted for longest, until `over` bytes are gone, and all
 * that was wanted last before `before` (ns since 1970). */
int keep_choose(struct db_conn *c, int64_t over, int64_t before, struct keep_victim *v, size_t max,
		size_t *ret_n, struct err *err);

/* A thing of a proxied repository was wanted; size 0 = as known. */
void keep_touch(struct hooks *h, const char *repo, const char *digest, uint64_t size);
/* Writes down what was wanted; takes out what is too much or too old. */
void keep_tick(struct hooks *h);
/* Writes the last; before jobs_close. */
void keep_end(struct hooks *h);
bool keep_busy(const struct hooks *h);
void keep_free(struct hooks *h); /* after it */
