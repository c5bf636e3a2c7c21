/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happens to images, told to the parts of the registry that asked (notifications, replication,
 * times of the last pull). Private to src/registry.
 *
 * An event is told once, on the loop, after the change is durable and before its answer leaves; of
 * a pull when its answer begins. Watchers copy what they keep, must not block, and must not answer
 * the request. Retention tells its deletes too, with no user.
 */
#pragma once

#include "base/list.h"

#include <stddef.h>
#include <stdint.h>

struct registry;

enum event_kind {
	EVENT_PUSH,
	EVENT_PULL,
	EVENT_DELETE,
	EVENT_QUOTA,	     /* a push was refused since a limit would be passed */
	EVENT_QUOTA_WARNING, /* 85 % of a limit are used */
};

struct event_quota {
	const char *what;   /* "bytes", "manifests", "tags" */
	const char *prefix; /* NULL = of the repository by itself */
	int64_t used, limit;
};

struct event {
	enum event_kind kind;
	const struct event_quota *quota; /* of a warning */
	const char *object;		 /* "manifest", "blob"; static */
	const char *repo;
	const char *ref;    /* tag or digest, as it was asked; "" for an upload */
	const char *digest; /* NULL = not known (a tag that was deleted) */
	const char *media;  /* of a manifest that was pushed or pulled; else NULL */
	uint64_t size;	    /* bytes of the manifest; 0 = not known */
	const char *method; /* of the request; NULL = none, by retention */
	const char *user;   /* NULL = nobody known */
	const char *peer;   /* "192.0.2.1:4711"; "" = none */
	const char *agent;  /* User-Agent; "" = none */
	/* Of a push: all its tags, and for each where it led before, if elsewhere; else NULL. */
	const char *const *tags, *const *was;
	size_t ntags;
	int64_t when; /* ns since 1970 */
};

struct watcher {
	struct list link; /* private */
	void (*event)(struct watcher *w, const struct event *e);
};

/* The watcher is its owner's and stays until events_unwatch. */
void events_watch(struct registry *g, struct watcher *w);
void events_unwatch(struct watcher *w);
/* Tells all, in the order they came. */
void events_tell(struct registry *g, const struct event *e);
/* "push", "pull", "delete", "quota", "quota_warning" */
const char *event_name(enum event_kind k);
