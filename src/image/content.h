/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Repositories: what a registry keeps under names in the content store. A blob or manifest is one
 * file of the store however many repositories have it; a repository sees only what was pushed to it
 * or mounted into it. Specs: distribution-spec 1.1 (names, tags, referrers, deletes).
 *
 * Reads are for the thread that opened the store. Changes are jobs of the database's writer:
 * durable before done() runs (on the store's loop). Uploads are files below the store's `uploads`
 * directory; they outlive their process, and are found again by id.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"
#include "db/db.h"
#include "doc/schema.h"
#include "image/digest.h"
#include "image/store.h"

#include <stdatomic.h>

struct arena;
struct manifest;
struct work_pool;

#define CONTENT_NAME_MAX 255
#define CONTENT_TAG_MAX 128

/* Repository names: lower-case words with . _ __ - between, parts joined by "/". */
bool content_name_ok(struct slice name);
bool content_tag_ok(struct slice tag);

/* ---- reads ---- */

/* -ERR_NOT_FOUND: the repository (which exists or not) has no such blob. */
int content_blob(struct image_store *is, const char *repo, const char *digest, uint64_t *ret_size,
		 struct err *err);

/* When it was pushed, mounted or counted on last (ns since 1970): a collection leaves alone what is
 * younger than its grace. 0 = it is not there. */
int64_t content_blob_linked(struct image_store *is, const char *repo, const char *digest);

struct content_manifest {
	char digest[IMAGE_DIGEST_MAX];
	const char *media;  /* arena */
	struct slice bytes; /* arena, verified */
};
/* ref: tag or digest. -ERR_NOT_FOUND when there is none; -ERR_INVALID when its file is damaged. */
int content_manifest(struct image_store *is, const char *repo, const char *ref, struct arena *a,
		     struct content_manifest *ret, struct err *err);

/* A page of a sorted list: at most max entries behind `after` (NULL or "" = from the first). */
struct content_page {
	const char *after;
	size_t max;
	struct strs names; /* out; arena */
	bool more;	   /* out: others follow the last */
};
/* -ERR_NOT_FOUND: no such repository. */
int content_tags(struct image_store *is, const char *repo, struct arena *a, struct content_page *p,
		 struct err *err);
int content_repos(struct image_store *is, struct arena *a, struct content_page *p, struct err *err);

struct content_referrer {
	const char *digest, *media, *artifact_type,
		*annotations; /* JSON object or NULL; type or NULL */
	uint64_t size;
};
/* Manifests whose subject is `digest`, sorted by digest, behind `after`. artifact_type NULL = all.
 * An unknown repository has none. */
struct content_referrers {
	const char *digest, *artifact_type, *after;
	size_t max;
	struct content_referrer *v; /* out */
	size_t n;
	bool more;
};
int content_referrers(struct image_store *is, const char *repo, struct arena *a,
		      struct content_referrers *q, struct err *err);

/* ---- limits ---- */

/*
 * What repositories may have. A blob or manifest counts once in each repository that has it,
 * however many others have it too. A limit is checked within the transaction of the change, so that
 * pushes side by side cannot pass it: -ERR_QUOTA, err->msg begins with "quota:".
 */
struct content_limit {
	const char *prefix; /* all below it together, "" = all; NULL = the repository by itself */
	int64_t bytes, manifests, tags; /* at most; negative = any number */
};
struct content_limits {
	const struct content_limit *v;
	size_t n;
};
/* What a limit counts has now: bytes, manifests, tags. */
int content_used(struct image_store *is, const char *repo, const struct content_limit *l,
		 int64_t ret[3], struct err *err);
/* Bytes that may still be added to repo; INT64_MAX = any number, 0 also when it is over. */
int content_room(struct image_store *is, const char *repo, const struct content_limits *lim,
		 int64_t *ret, struct err *err);

/* ---- changes ---- */

struct content_change;
typedef void content_done_fn(void *ctx, const struct content_change *ch, int result,
			     const struct err *err);

#define CONTENT_TAGS_MAX 32
/* What a change is asked, and what came of it. Strings are copied. */
struct content_change {
	struct db_job job; /* private */
	struct image_store *is;
	content_done_fn *done;
	void *ctx;
	struct arena *arena; /* the change lies in it; freed after done() */
	struct err refused;  /* found wrong before the job: told the same way */
	const char *repo, *ref, *from;
	int dir; /* for a new file; borrowed */
	struct slice bytes;
	struct manifest *manifest;
	const char *annotations; /* of a referrer, as JSON */
	const char *tags[CONTENT_TAGS_MAX];
	size_t ntags;
	bool sparse, immutable;
	struct content_limits limits;
	/* results */
	char digest[IMAGE_DIGEST_MAX];
	const char *subject;		   /* NULL = none */
	bool created;			   /* it was not there before */
	const char *was[CONTENT_TAGS_MAX]; /* where tags[i] led, if elsewhere; else NULL */
};

/*
 * Puts a manifest: exact bytes, checked by manifest_parse with `media` (Content-Type). ref is a
 * tag, or the digest that the bytes must have (-ERR_INVALID "digest" else); further tags may
 * follow. Every part must be in the repository: -ERR_NOT_FOUND with err->msg naming the first that
 * is not (but a subject and foreign layers need not). A digest as ref decides the algorithm; a tag
 * means sha256.
 */
struct content_put {
	const char *repo, *ref, *media;
	struct slice bytes;
	const char *const *tags;
	size_t ntags;
	bool immutable; /* a tag is never moved to another manifest: -ERR_CONFLICT */
	bool sparse;	/* parts may be missing */
	struct content_limits limits;
};
void content_put_manifest(struct image_store *is, const struct content_put *put,
			  content_done_fn *done, void *ctx);
/* By tag: that tag alone. By digest: the manifest and all its tags. -ERR_NOT_FOUND. */
void content_delete_manifest(struct image_store *is, const char *repo, const char *ref,
			     content_done_fn *done, void *ctx);
/* The repository does not see the blob any more. -ERR_NOT_FOUND; -ERR_CONFLICT while a manifest of
 * the repository has it. */
void content_delete_blob(struct image_store *is, const char *repo, const char *digest,
			 content_done_fn *done, void *ctx);
/* A blob or manifest of a repository that is a cache: gone, also while something there lists it.
 * -ERR_NOT_FOUND. */
void content_evict(struct image_store *is, const char *repo, const char *digest,
		   content_done_fn *done, void *ctx);
/* Makes a blob of repository `from` (NULL: of any) seen in `repo`. -ERR_NOT_FOUND. */
void content_mount(struct image_store *is, const char *repo, const char *digest, const char *from,
		   const struct content_limits *lim, content_done_fn *done, void *ctx);

/* ---- uploads ---- */

struct content_upload;
#define CONTENT_UPLOAD_ID 32

/* A new one. -ERR_QUOTA when 4096 are open. Blocking: two small files. */
int content_upload_new(struct image_store *is, struct work_pool *pool, const char *repo,
		       enum image_digest_alg alg, struct content_upload **ret, struct err *err);
/* One of this or an earlier process; -ERR_NOT_FOUND when the repository has none of that id,
 * -ERR_CONFLICT when it is in use. */
int content_upload_open(struct image_store *is, struct work_pool *pool, const char *repo,
			const char *id, struct content_upload **ret, struct err *err);
const char *content_upload_id(const struct content_upload *u);
const char *content_upload_repo(const struct content_upload *u);
enum image_digest_alg content_upload_alg(const struct content_upload *u);
/* Bytes taken so far. */
uint64_t content_upload_size(const struct content_upload *u);
/* Takes bytes (copied): they are hashed and written by a worker. Returns 0; 1 = enough for now,
 * wait for room(ctx); negative: writing failed before (disk full), the upload is as long as before
 * it. */
int content_upload_push(struct content_upload *u, struct slice bytes, struct err *err);
void content_upload_on_room(struct content_upload *u, void (*room)(void *ctx), void *ctx);
/* For a writer of its own, on any one thread, in place of content_upload_push: the file (borrowed),
 * which it appends to; then, on the opening thread, how long it is. Its bytes are hashed at the
 * commit, unless the writer did so already: `digest` is what it found, or NULL. */
int content_upload_fd(const struct content_upload *u);
void content_upload_wrote(struct content_upload *u, uint64_t size, const char *digest);
/* All that was pushed is written when done runs. result as of writing. */
typedef void content_flushed_fn(void *ctx, int result, const struct err *err);
void content_upload_flush(struct content_upload *u, content_flushed_fn *done, void *ctx);
/* Complete: it becomes a blob of its repository if its bytes have this digest (-ERR_INVALID else,
 * and the upload is gone). Durable before done runs. Frees u, also on failure; only after a flush.
 */
void content_upload_commit(struct content_upload *u, const char *digest,
			   const struct content_limits *lim, content_done_fn *done, void *ctx);
/* Lets go of it: the next one may open it. */
void content_upload_close(struct content_upload *u);
/* Gives up: its files go. */
void content_upload_cancel(struct content_upload *u);
/* Removes uploads that nobody has touched for max_age (ns): their number. */
int content_uploads_expire(struct image_store *is, int64_t max_age, struct err *err);

/* ---- pulls, use ---- */

struct content_pull {
	char repo[CONTENT_NAME_MAX + 1];
	char ref[IMAGE_DIGEST_MAX > CONTENT_TAG_MAX ? IMAGE_DIGEST_MAX : CONTENT_TAG_MAX + 1];
	char digest[IMAGE_DIGEST_MAX];
	int64_t when;
};
/* Notes when tags and manifests were pulled last; v is malloc'ed and taken. A job of its own, which
 * nobody waits for. */
void content_note_pulls(struct image_store *is, struct content_pull *v_taken, size_t n);

/* What a repository has. Times are ns since 1970, 0 = never. */
struct content_usage {
	const char *repo; /* arena */
	int64_t tags, manifests, blobs, bytes;
	int64_t shared; /* of bytes: what other repositories or images of this machine have too */
	int64_t created, pushed, pulled;
};
/* A page behind `after` ("" = from the first), sorted by name. For a worker: it waits for the
 * writer. */
struct content_usage_page {
	const char *after;
	size_t max;
	struct arena *arena;
	struct content_usage *v; /* out */
	size_t n;
	bool more;
};
int content_usage(struct image_store *is, struct content_usage_page *p, struct err *err);

/* ---- retention ---- */

/* A tag, or (tag NULL) a manifest that no tag, index or living subject leads to. */
struct content_tag {
	const char *tag, *digest;
	int64_t pushed, pulled; /* ns; pulled: by the tag or its digest, 0 = never */
	bool referred;		/* others refer to the manifest: signatures, attestations */
	bool companion;		/* itself such a one, by its name (sha256-<hex>.sig) */
	bool drop;		/* out of choose() */
};
/* Marks what is to go; called by a worker's transaction, maybe twice with the same. */
typedef void content_choose_fn(void *ctx, const char *repo, struct content_tag *v, size_t n);
struct content_dropped {
	const char *repo, *tag, *digest; /* arena; tag NULL = the manifest with all */
	int64_t at;			 /* of those that wait to be told: when it was, ns */
};
#define CONTENT_DROPPED_MAX 10000 /* more are dropped, but not listed */
struct content_retain {
	content_choose_fn *choose;
	void *ctx;
	bool dry_run;
	struct arena *arena;
	/* out */
	struct content_dropped *v;
	size_t n;
	uint64_t tags, manifests;
};
/*
 * Asks choose() about every repository, one after the other, and drops in the same transaction:
 * the tag; the manifest when nothing else leads to it, with what only it had (manifests of an
 * index, referrers and companions). Blobs are the collection's. For a worker.
 */
int content_retain(struct image_store *is, struct content_retain *job, struct err *err);

/*
 * All that was dropped is noted in the transaction that dropped it, so that whoever is to be told
 * of it is also after a crash. Here it waits, oldest first: up to max behind `after` (0 = the
 * first). *ret_last is the mark of the last one (or `after`). Queries thread.
 */
int content_dropped_list(struct image_store *is, int64_t after, struct arena *a,
			 struct content_dropped *v, size_t max, size_t *ret_n, int64_t *ret_last,
			 struct err *err);
/* It was told up to that mark: these notes go, soon. */
void content_dropped_forget(struct image_store *is, int64_t last);

/* ---- collection ---- */

struct content_gc {
	int64_t grace; /* ns: what was pushed or mounted later stays */
	bool untagged; /* also manifests that no tag, index or living subject leads to */
	bool dry_run;
	const atomic_bool
		*stop; /* looked at between batches; the rest is the next one's. NULL = none */
	/* out */
	bool stopped;
	uint64_t manifests, blobs; /* taken out of repositories */
	struct image_gc_result store;
};
/* Online: blobs that no manifest of their repository has, batch by batch. Blocking, for a worker.
 */
int content_gc(struct image_store *is, struct content_gc *gc, struct err *err);
