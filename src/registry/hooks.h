/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registry's dealings with others: a pull-through cache (through.h), replication (replicate.h),
 * webhooks (webhook.h). Here: their configuration, their life, and what the rest of the registry
 * calls. Private to src/registry; on the loop's thread, but hooks_read.
 *
 * They are configured by --proxy and by the sections `upstreams`, `cache`, `replication` and
 * `webhooks` of --config. Without any of them nothing here exists, and the process may open no
 * connection at all when it has given up root (privileges.c). All but the secrets of webhooks is
 * read at the start only: a reload that finds other sections is refused.
 */
#pragma once

#include "base/cleanup.h"
#include "base/str.h"
#include "doc/schema.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct arena;
struct call;
struct doc;
struct err;
struct hooks;
struct jobs;
struct metric;
struct registry;
struct registry_conf;
struct remote;
struct resolver;
struct runner;
struct stream;
struct work_pool;

/* Another registry, and how it is reached. */
struct hooks_far {
	const char *url;   /* http[s]://HOST[:PORT]; http but to loopback needs `insecure` */
	const char *auth;  /* file with one line USER:PASSWORD; NULL = nobody */
	const char *certs; /* directory with HOST/NAME.crt; NULL = /etc/docker/certs.d */
	bool insecure;
};
struct hooks_upstream {
	struct hooks_far far;
	const char *prefix; /* "docker.io"; "" = all repositories */
	const char *ns;	    /* further name in ns= queries; NULL = none */
	const char *ttl_text;
	int64_t ttl; /* ns: a tag is asked for again when it is older */
};
struct hooks_rule {
	struct hooks_far far;
	const char *name, *mode;	/* "push", "pull" */
	struct strs repositories, tags; /* patterns; no tags = all, and manifests without a tag */
	const char *strip, *add;	/* prefixes of the other side's names */
	const char *every_text;
	int64_t every; /* pull: ns between two looks */
	bool deletes;  /* push: deletes too */
	int64_t tries;
};
struct hooks_hook {
	const char *name, *url;
	struct strs events; /* none = all but pull */
	struct strs repositories;
	const char *secret, *old_secret; /* files */
	const char *ca;
	bool insecure;
	const char *timeout_text;
	int64_t timeout;
	int64_t tries;
};
enum { HOOKS_UPSTREAMS, HOOKS_CACHE, HOOKS_REPLICATION, HOOKS_WEBHOOKS, HOOKS_SECTIONS };
extern const char *const hooks_sections[HOOKS_SECTIONS]; /* their names */
struct hooks_conf {
	struct arena *arena;
	const char *text[HOOKS_SECTIONS]; /* as JSON; "" = not given */
	LIST_OF(struct hooks_upstream) upstreams;
	LIST_OF(struct hooks_rule) rules;
	LIST_OF(struct hooks_hook) webhooks;
	const char *size_text, *age_text;
	int64_t cache_size, cache_age; /* bytes, ns; 0 = no limit */
	struct strs files;	       /* that are read: for the fence */
	struct strs dirs;
};

/* INVALID names the file, the field and what is wrong. */
int hooks_read(const struct registry_conf *c, struct hooks_conf **ret, struct err *err);
void hooks_conf_free(struct hooks_conf *c); /* NULL is fine */
DEFINE_CLEANUP(struct hooks_conf *, hooks_conf_free)
/* Is there anybody to connect to? */
bool hooks_conf_outward(const struct hooks_conf *c);

int hooks_new(struct registry *g, struct hooks **ret, struct err *err);
/* Work under way is cancelled and waited for; what was queued is there for the next one. First of
 * all that ends. NULL is fine. */
void hooks_stop(struct hooks *h);
void hooks_free(struct hooks *h); /* after the store; NULL is fine */
/* Is the configuration still the one of the start, in our sections? CONFLICT names those that need
 * a restart. */
int hooks_check(struct registry *g, struct err *err);
/* Secrets anew. */
int hooks_reload(struct hooks *h, struct err *err);

/* ---- what the rest of the registry calls; h may be NULL ---- */

/* Calls then(c) when the events that were told so far are durable. When they cannot be kept the
 * call is answered with an error and then() does not run. */
void hooks_then(struct call *c, void (*then)(struct call *c));
/* A repository that an upstream is behind. */
bool hooks_proxied(const struct registry *g, const char *repo);
/* ns= of a request: 0 = c->name is what it means; negative = it was answered (no such upstream). */
int hooks_ns(struct call *c);
/* Fetches what a proxied repository has not, then answers. False: the caller answers from what is
 * here. */
bool hooks_manifest(struct call *c, void (*local)(struct call *c));
bool hooks_blob(struct call *c, void (*local)(struct call *c));
bool hooks_tags(struct call *c);
bool hooks_referrers(struct call *c);
/* A collection ended: webhooks are told, the cache is kept to its size. */
void hooks_collected(struct registry *g, uint64_t manifests, uint64_t blobs, uint64_t bytes);
void hooks_tick(struct registry *g);
/* Requests of the admin socket. False: it is none of ours. */
bool hooks_admin(struct registry *g, struct stream *s);

/* ---- shared by its parts ---- */

struct fills;
struct keep;
struct metric_family;
struct replicate;
struct through;
struct watcher;
struct webhooks;

struct hooks {
	struct registry *g;
	struct hooks_conf *conf;
	struct jobs *jobs;
	struct resolver *resolver;
	struct work_pool *quick, *bulk; /* questions; downloads and uploads */
	struct through *through;	/* NULL = none */
	struct replicate *replicate;
	struct webhooks *webhooks;
	struct fills *fills;
	struct keep *keep; /* made at first use */
	struct watcher *watcher;
	struct metric_family *counted; /* NULL = no metrics */
	struct metric_family *waiting;
	atomic_bool ending;
};

/* A client of it; its waits end with h. */
int hooks_remote(struct hooks *h, const struct hooks_far *far, struct remote **ret,
		 struct err *err);
/* Counts one event: part "through", "replication", "webhook"; name of upstream, rule or hook. */
void hooks_count(struct hooks *h, const char *part, const char *name, const char *result);
/* What a queue holds and how it goes: waiting, dead, lost, running, done, failed, lastDone,
 * lastError, deadLetters. */
void hooks_queue_status(struct hooks *h, const char *queue, const struct runner *r, struct arena *a,
			struct doc *d);
bool hooks_fits(const struct strs *patterns, const char *text); /* no patterns: false */
