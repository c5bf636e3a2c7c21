/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the registry share. Private to src/registry. */
#pragma once

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/list.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/map.h"
#include "base/str.h"
#include "base/work.h"
#include "image/content.h"
#include "image/manifest.h"
#include "io/http-server.h"
#include "io/stream.h"
#include "io/url.h"
#include "registry/audit.h"
#include "registry/auth.h"
#include "registry/events.h"
#include "registry/hooks.h"
#include "registry/registry.h"
#include "registry/upkeep.h"

#define MANIFEST_BYTES_MAX (4u << 20)
#define PAGE_DEFAULT 1000

struct access_log;
struct admin;
struct cache;
struct counters;
struct metrics;
struct op;

struct registry {
	struct loop *loop;
	struct registry_conf conf;
	struct image_store *store;
	struct work_pool *pool;
	struct http_server *server;
	struct cache *cache;
	struct auth *auth;
	struct audit *audit;	   /* NULL = none */
	struct counters *counters; /* NULL = none */
	struct access_log *access_log;
	struct admin *admin; /* NULL = none */
	struct upkeep *upkeep;
	struct scrub *scrub; /* NULL = none so far */
	struct warnings *warnings;
	struct hooks *hooks;  /* NULL = no dealings with other registries */
	struct tls_conf *tls; /* NULL = plain */
	bool outside;	      /* a listener is not on loopback: users must stay */
	struct map uploads;   /* id -> struct session */
	struct list watchers; /* struct watcher */
	struct list idle;     /* sessions without a request, oldest first */
	size_t uploads_n;
	struct timer tick;
	struct work gc;
	struct content_gc gc_job;
	struct err gc_err;
	bool gc_runs, gc_by_clock;
	atomic_bool gc_stop;
	struct stream *gc_asked; /* waits for the one that runs; NULL = nobody */
	int64_t gc_next;
};

enum what {
	WHAT_BASE,	/* /v2/ */
	WHAT_CATALOG,	/* /v2/_catalog */
	WHAT_TAGS,	/* /v2/<name>/tags/list */
	WHAT_MANIFEST,	/* /v2/<name>/manifests/<reference> */
	WHAT_BLOB,	/* /v2/<name>/blobs/<digest> */
	WHAT_UPLOADS,	/* /v2/<name>/blobs/uploads/ */
	WHAT_UPLOAD,	/* /v2/<name>/blobs/uploads/<id> */
	WHAT_REFERRERS, /* /v2/<name>/referrers/<digest> */
	WHAT_NONE,
};

/* What a path names. Pieces point into it. */
struct place {
	enum what what;
	struct slice name, ref;
};
void place_parse(const char *path, struct place *ret);

/* One request; lives in the stream's arena. */
struct call {
	struct registry *g;
	struct stream *s;
	struct arena *a;
	struct query q;
	enum what what;
	const char *method;
	const char *name, *ref; /* "" when the path has none */
	const struct op *op;
	struct who who;
	const char *user;  /* that a password is compared for */
	unsigned need;	   /* MAY_* */
	const char *media; /* of a manifest, when it is known: for call_done */
	uint64_t size;	   /* of it, or of the bytes of a blob that are sent or were taken */
	const char *const *tags, *const *was; /* see struct event */
	size_t ntags;
	void (*then)(struct call *c);
	bool ended;	    /* the body's end came before there was a handler for it */
	const char *intent; /* intents.h */
};

/* ---- answers: api.c ---- */

/* Distribution's codes with their status. */
enum reason {
	BLOB_UNKNOWN,
	BLOB_UPLOAD_INVALID,
	BLOB_UPLOAD_UNKNOWN,
	DIGEST_INVALID,
	MANIFEST_BLOB_UNKNOWN,
	MANIFEST_INVALID,
	MANIFEST_UNKNOWN,
	NAME_INVALID,
	NAME_UNKNOWN,
	PAGINATION_NUMBER_INVALID,
	RANGE_INVALID,
	SIZE_INVALID,
	TAG_INVALID,
	UNSUPPORTED,
	DENIED,
	UNAUTHORIZED,
	TOOMANYREQUESTS,
	UNAVAILABLE,
	UNKNOWN,
};
void answer_error(struct call *c, enum reason why, const char *fmt, ...) PRINTF(3, 4);
/* err's words by the code that its kind has: NOT_FOUND as `unknown`, INVALID as `invalid`. */
void answer_err(struct call *c, const struct err *err, enum reason unknown, enum reason invalid);
void answer_status(struct call *c, int status);
/* "Link: <path?query>; rel=next" with the last entry and the page's size. */
void set_next_link(struct call *c, const char *path, const char *last, int64_t n);
/* n and last of a list. Negative after the answer was given. */
int page_of(struct call *c, struct content_page *p, int64_t *ret_n);
/* "/v2/<name>/blobs/<digest>" and the like, in the arena. */
const char *path_of(struct call *c, const char *kind, const char *ref);

/* One range of a Range header (RFC 9110, 14.1.2). 1 = *ret; 0 = none that is heeded (several, or a
 * form that is not known): the whole is the answer; negative = it lies outside of the size. */
struct range {
	uint64_t from, n;
};
int range_parse(struct slice text, uint64_t size, struct range *ret);

/* What c is about: "manifest", "blob" and so on; static. */
const char *call_object(const struct call *c);

/* ---- metrics.c ---- */

enum counter {
	COUNT_PUSHED,
	COUNT_PULLED,
	COUNT_DELETED,
	COUNT_REFUSED,
	COUNT_COLLECTED,
	COUNTERS
};
int counters_new(struct registry *g, struct counters **ret, struct err *err);
void counters_free(struct counters *k);		      /* NULL is fine */
struct metrics *counters_metrics(struct counters *k); /* NULL gives NULL */
int counters_listen(struct counters *k, const char *addr, struct err *err);
/* kind is static. */
void count(struct registry *g, enum counter which, const char *kind, double n);
/* Bytes of manifests and blobs that were taken or sent, by repository: of the first 256 that were
 * used, all others together. */
void count_bytes(struct registry *g, const char *repo, bool in, uint64_t n);
/* c did what it asked for: counts, and tells the audit log. Right before or after the answer. */
void call_done(struct call *c, enum counter which, int status, const char *digest);

/* ---- admin.c ---- */

/* Serves the admin socket at path, 0600. */
int admin_new(struct registry *g, const char *path, struct admin **ret, struct err *err);
void admin_free(struct admin *a); /* NULL is fine */

/* ---- handlers ---- */

void blob_get(struct call *c);
/* Headers of an answer with a blob. */
void blob_headers(struct call *c);
void blob_range_header(struct call *c, const struct range *r, uint64_t size);
/* An answer that has begun gets the blob's bytes from `at` to before `end`. */
void blob_send_rest(struct call *c, uint64_t at, uint64_t end);
void blob_delete(struct call *c);
void manifest_get(struct call *c);
void manifest_put(struct call *c);
void manifest_delete(struct call *c);
void tags_list(struct call *c);
void catalog_list(struct call *c);
/* Of what is here, whatever an upstream has. */
void tags_list_local(struct call *c);
void referrers_list_local(struct call *c);
void referrers_list(struct call *c);
void upload_begin(struct call *c);  /* POST */
void upload_status(struct call *c); /* GET */
void upload_patch(struct call *c);
void upload_put(struct call *c);
void upload_cancel(struct call *c);

/* Sessions at rest are closed (their files stay). */
void uploads_close_idle(struct registry *g, int64_t older_than);
void uploads_free(struct registry *g);

/* ---- cache.c: manifests by repository and reference ---- */

struct cached {
	unsigned refs;
	char digest[IMAGE_DIGEST_MAX];
	const char *media;
	struct slice bytes;
};
struct cache *cache_new(size_t bytes_max);
void cache_free(struct cache *c);
/* NULL when it is not there. One reference for the caller. */
struct cached *cache_find(struct cache *c, const char *repo, const char *ref);
struct cached *cache_put(struct cache *c, const char *repo, const char *ref,
			 const struct content_manifest *m);
void cached_unref(struct cached *m);
/* Something of a repository changed: nothing of the cache is used again. */
void cache_clear(struct cache *c);

/* ---- tls.c ---- */

/* Reads the certificates that are configured, if any, and uses them for connections to come. */
int tls_load(struct registry *g, struct err *err);

/* ---- gc.c ---- */

void gc_begin(struct registry *g);
void gc_end(struct registry *g);
void gc_now(struct registry *g); /* unless one runs */
/* Runs one and answers s with its counts; 409 when one runs already. */
void gc_ask(struct registry *g, struct stream *s, bool dry_run);
/* The one that runs ends after its batch. False: none runs. */
bool gc_stop(struct registry *g);
/* Lies minute of a day in the window? from == to: always. It may cross midnight. */
bool gc_in_window(int from, int to, int minute);

/* ---- scrub.c: all blobs hashed again, in the background ---- */

struct scrub;
/* False: it goes on already, or err. */
int scrub_begin(struct registry *g, struct err *err);
void scrub_stop(struct registry *g);
void scrub_free(struct scrub *s); /* waits for what is under way; NULL is fine */
/* Sets "scrub" of d. */
void scrub_status(const struct registry *g, struct arena *a, struct doc *d);
uint64_t scrub_damaged(const struct registry *g);

/* ---- warn.c: quotas that are nearly used up ---- */

#define WARN_PERCENT 85
struct warnings;
struct warnings *warnings_new(void);
void warnings_free(struct warnings *w); /* NULL is fine */
/* Something was added to a repository: tells of each limit that passed 85 %, once until it is below
 * again. */
void warn_if_full(struct registry *g, const char *repo);
