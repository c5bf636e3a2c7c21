/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Another registry, as a client: distribution-spec 1.1 (pull, push, mount, resume, referrers and
 * their fall-back by tag), the token flow of Docker's registries, mirrors. What arrives is verified
 * before anyone acts on it: a manifest by its digest (or, asked for by tag, by
 * Docker-Content-Digest if that came), a blob by its digest and size while it streams.
 *
 * All calls block and may be made by several threads on one struct remote at once: each takes a
 * connection of its own from the remote's pool, and tokens are shared. Failed requests that may be
 * repeated are, with back-off (429 and Retry-After are heeded, a broken download goes on by Range),
 * until the retry budget is used up; `cancel` ends every wait.
 */
#pragma once

#include "base/cleanup.h"
#include "base/str.h"
#include "doc/schema.h"
#include "image/digest.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct arena;
struct err;
struct http_proxy_env;
struct manifest_desc;
struct remote;

/* As docker's AuthConfig; NULL or "" = not given. Copied; wiped with the remote. */
struct remote_auth {
	const char *username, *password;
	const char *identity_token; /* refresh token of an OAuth2 flow */
	const char *registry_token; /* a bearer token as it is */
};

struct remote_conf {
	const char *host; /* "docker.io", "ghcr.io", "localhost:5000", "[::1]:5000" */
	struct remote_auth auth;
	/* Plain HTTP is tried where HTTPS does not answer, and certificates are not verified.
	 * Loopback addresses may always speak plain HTTP. */
	bool insecure;
	const char *certs_dir; /* <dir>/<host>/{*.crt,*.cert+*.key}; NULL = /etc/docker/certs.d */
	const char *const
		*mirrors; /* tried first for pulls: "https://mirror.example[:port][/prefix]" */
	size_t nmirrors;
	/* NULL = the environment's HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY, in either case of
	 * letters. */
	const struct http_proxy_env *proxies;
	const char *agent; /* NULL = "teu/<version>" */
	unsigned tries;	   /* of one request: 0 = 5 */
	int64_t quiet;	   /* a server that sends nothing for so long has failed, ns; 0 = 120 s */
	/* All talk with the registry is left to a fenced process of this program (fetch.h), begun
	 * with the first call and ended with the remote; what it gives is checked as said below.
	 * NULL = this process talks itself: for programs that are fenced, or have nothing to lose.
	 */
	const char *program;
	const atomic_bool *cancel; /* may be NULL; -ERR_UNAVAILABLE "cancelled" */
	/* A line for people: a retry and why, a rate limit, a Warning header. Any thread; may be
	 * NULL. */
	void (*notice)(void *ctx, const char *text);
	void *ctx;
};

int remote_new(const struct remote_conf *conf, struct remote **ret, struct err *err);
void remote_free(struct remote *r);
DEFINE_CLEANUP(struct remote *, remote_free)

/* GET /v2/ with what auth is there: -ERR_UNAUTHORIZED when the credentials are refused.
 * *ret_identity (arena) is the refresh token to keep in place of the password, or NULL. */
int remote_login(struct remote *r, struct arena *a, const char **ret_identity, struct err *err);

/* How long from now on the registry's last 429 asked to be left alone (Retry-After), ns; 0 = it did
 * not say, or the time is over. Not known when a fenced process talks. */
int64_t remote_limited(const struct remote *r);

/* ---- pull ---- */

struct remote_manifest {
	char digest[IMAGE_DIGEST_MAX];
	const char *media;  /* Content-Type; arena */
	struct slice bytes; /* arena; empty after remote_head */
	uint64_t size;
};
/* ref: tag or digest. -ERR_NOT_FOUND, -ERR_UNAUTHORIZED, -ERR_FORBIDDEN, -ERR_QUOTA (rate limit).
 */
int remote_manifest(struct remote *r, const char *repo, const char *ref, struct arena *a,
		    struct remote_manifest *ret, struct err *err);
int remote_head(struct remote *r, const char *repo, const char *ref, struct arena *a,
		struct remote_manifest *ret, struct err *err);

/* Takes bytes in order; negative (err filled) ends the download. */
typedef int remote_consume_fn(void *ctx, struct slice bytes, struct err *err);
/* Streams a blob of d->size bytes from `offset` on; d->urls are used where the registry has it not
 * (foreign layers). Bytes behind offset 0 are hashed: -ERR_INVALID when the digest differs. */
int remote_blob(struct remote *r, const char *repo, const struct manifest_desc *d, uint64_t offset,
		remote_consume_fn *consume, void *ctx, struct err *err);
/* The same into a pipe or socket, while the caller reads its other end: nothing of it passes
 * through the caller, who hashes what it reads. begin returns at once (`out` is used up); finish
 * waits for the end, tells of its failure, and frees. A reader that closes its end stops it
 * (-ERR_SYSTEM with EPIPE). desc is borrowed until finish. */
struct remote_flow;
int remote_blob_begin(struct remote *r, const char *repo, const struct manifest_desc *desc,
		      uint64_t offset, int out_taken, struct remote_flow **ret, struct err *err);
int remote_blob_finish(struct remote_flow *f, struct err *err);
/* Bytes [from, from + n) alone; not verified: for a lazy reader that has digests of its own. */
int remote_range(struct remote *r, const char *repo, const char *digest, uint64_t from, uint64_t n,
		 remote_consume_fn *consume, void *ctx, struct err *err);
int remote_has_blob(struct remote *r, const char *repo, const char *digest,
		    struct err *err); /* 1, 0 */

/* -ERR_NOT_FOUND; -ERR_UNSUPPORTED when the registry does not tell, or a fenced process talks. */
int remote_blob_size(struct remote *r, const char *repo, const char *digest, uint64_t *ret,
		     struct err *err);

/* Lists; every page is fetched, at most `max` entries (-ERR_TOO_LARGE). */
int remote_tags(struct remote *r, const char *repo, struct arena *a, size_t max, struct strs *ret,
		struct err *err);
int remote_catalog(struct remote *r, struct arena *a, size_t max, struct strs *ret,
		   struct err *err);
/* An index's bytes: the registry's own list, or the index under the fall-back tag. */
int remote_referrers(struct remote *r, const char *repo, const char *digest,
		     const char *artifact_type, struct arena *a, struct slice *ret,
		     struct err *err);

/* ---- push ---- */

/* The blob's bytes again from `offset` on: up to cap bytes, 0 at the end, negative with err. */
typedef ssize_t remote_produce_fn(void *ctx, uint64_t offset, char *p, size_t cap, struct err *err);
struct remote_push {
	const char *repo, *digest;
	uint64_t size;
	const char *mount_from; /* repository of the same registry that has it, or NULL */
	remote_produce_fn *produce;
	void *ctx;
	size_t chunk;	       /* upload in pieces of so many bytes; 0 = one stream */
	bool existed, mounted; /* out */
};
int remote_push_blob(struct remote *r, struct remote_push *p, struct err *err);
/* ref: tag or digest. *ret_digest as the registry tells it (checked). A subject that the registry
 * does not answer with OCI-Subject is listed in the fall-back tag's index as well. */
int remote_push_manifest(struct remote *r, const char *repo, const char *ref, const char *media,
			 struct slice bytes, char ret_digest[IMAGE_DIGEST_MAX], struct err *err);
/* By digest or tag. -ERR_UNSUPPORTED where the registry does not delete. */
int remote_delete_manifest(struct remote *r, const char *repo, const char *ref, struct err *err);
