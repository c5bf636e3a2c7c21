/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fenced process that talks with registries: `PROGRAM --role=fetch`, one for each struct remote
 * that asks for it (one pull, one push, one login). It alone resolves names, speaks TCP, TLS and
 * HTTP, follows redirects, does the token flows and reads their JSON. The starter hands it what is
 * to be asked, and believes none of the answers: manifests and blobs are hashed again by the
 * starter, texts and lists are bounded, and no path, descriptor or lease of the store goes there. A
 * registry that takes the process over can lie to its own pull, and see the credentials that this
 * registry gets anyway.
 *
 * Fence: uid and gid 61902 when begun by root, no capabilities, no new privileges, no files but the
 * resolver's and the machine's roots of trust (read only; Landlock), a seccomp list that kills,
 * which knows internet sockets alone and no program; rlimits. It ends when its starter does: its
 * control socket closes.
 *
 * Protocol (frames of base/frame.h; fd 3 is the control socket): one CONF, with credentials, then
 * any number of CALLs at once, each with a socket of its own for its answer and, for a blob, the
 * pipe that gets the bytes. On a call's socket: NOTICE and DATA come; WANT asks for bytes of a
 * request's body, which GIVE brings; RESULT is the last. Closing it ends the call.
 */
#pragma once

#include "base/frame.h"
#include "base/str.h"
#include "image/digest.h"
#include "image/remote.h"

struct err;
struct remote;

#define IMAGE_FETCH_ROLE "--role=fetch"
#define IMAGE_FETCH_UID 61902

/* `PROGRAM --role=fetch`: reached through src/teu.c (and by test programs). Exit status. */
int image_fetch_main(int argc, char **argv);

/* ---- what follows is private to src/image ---- */

#define FETCH_VERSION 1
#define FETCH_CONTROL 3 /* fd of the process */
#define FETCH_PIECE (64 * 1024)
#define FETCH_TEXT_MAX (16 * 1024) /* of a text in a result */

enum fetch_frame {
	FETCH_CONF = 1,
	FETCH_CALL,
	FETCH_NOTICE,
	FETCH_DATA,
	FETCH_WANT,
	FETCH_GIVE,
	FETCH_RESULT,
	FETCH_FRAMES
};
enum { FETCH_FROM_STARTER = 1, FETCH_FROM_PROCESS = 2 };
extern const struct frame_rule fetch_rules[FETCH_FRAMES];

enum fetch_op {
	FETCH_LOGIN,
	FETCH_MANIFEST,
	FETCH_HEAD,
	FETCH_BLOB,
	FETCH_RANGE,
	FETCH_HAS,
	FETCH_TAGS,
	FETCH_CATALOG,
	FETCH_REFERRERS,
	FETCH_PUSH_BLOB,
	FETCH_PUSH_MANIFEST,
	FETCH_DELETE,
	FETCH_OPS
};

/* One call. Strings NULL = not given; all is borrowed. */
struct fetch_ask {
	enum fetch_op op;
	const char *repo, *ref, *text; /* text: media type, artifact type, where to mount from */
	uint64_t from, n;	       /* offset and size, or limits */
	struct strs urls;
	/* On the starter's side. */
	int out; /* gets a blob's bytes, or -1; taken */
	remote_consume_fn *consume;
	remote_produce_fn *produce;
	void *ctx;
};
struct fetch_answer {
	char digest[IMAGE_DIGEST_MAX]; /* "" or a valid one */
	char text[FETCH_TEXT_MAX];
	uint64_t size;
	uint32_t flag; /* has, existed, mounted */
};
enum { FETCH_EXISTED = 1, FETCH_MOUNTED = 2 };

/* Payloads: what does not fit or is broken sets `bad`. Strings come to lie in the arena. */
struct arena;
void fetch_put_conf(struct wire_out *o, const struct remote *r);
void fetch_get_conf(struct wire_in *in, struct arena *a, struct remote_conf *ret);
void fetch_put_ask(struct wire_out *o, const struct fetch_ask *q);
void fetch_get_ask(struct wire_in *in, struct arena *a, struct fetch_ask *ret);
void fetch_put_result(struct wire_out *o, int ret, const struct err *err,
		      const struct fetch_answer *x);
/* What the call returned, with err as it was there; -ERR_BAD_REQUEST for one of no valid form. */
int fetch_get_result(struct wire_in *in, struct fetch_answer *x, struct err *err);

/* The starter's side. The process is begun by the first call, and again by the next one when it has
 * died. Any thread. */
struct fetch;
int fetch_new(const struct remote *r, struct fetch **ret, struct err *err);
void fetch_free(struct fetch *f); /* kills it; NULL is fine */

struct fetch_call;
int fetch_begin(struct fetch *f, const struct fetch_ask *q, struct fetch_call **ret,
		struct err *err);
/* Serves the call until its end, and frees it. */
int fetch_finish(struct fetch_call *c, struct fetch_answer *ret, struct err *err);
/* Whether the call failed because its process died: then another one may do it. What the registry
 * answered, its certificate too, and what a process did that was ended for it, is no such thing. */
bool fetch_died(const struct err *err);
#define FETCH_TRIES 3 /* processes for one call */
/* Both. Tried again with another process but for what consumes, or deletes. */
int fetch_run(struct fetch *f, const struct fetch_ask *q, struct fetch_answer *ret,
	      struct err *err);

/* The calls of remote.h by the process. */
int fetch_login(struct remote *r, struct arena *a, const char **ret_identity, struct err *err);
int fetch_manifest(struct remote *r, bool head, const char *repo, const char *ref, struct arena *a,
		   struct remote_manifest *ret, struct err *err);
int fetch_range(struct remote *r, const char *repo, const char *digest, uint64_t from, uint64_t n,
		remote_consume_fn *consume, void *ctx, struct err *err);
int fetch_blob(struct remote *r, const char *repo, const struct manifest_desc *d, uint64_t offset,
	       remote_consume_fn *consume, void *ctx, struct err *err);
int fetch_blob_begin(struct remote *r, const char *repo, const struct manifest_desc *d,
		     uint64_t offset, int out_taken, struct fetch_call **ret, struct err *err);
int fetch_has_blob(struct remote *r, const char *repo, const char *digest, struct err *err);
int fetch_list(struct remote *r, enum fetch_op op, const char *repo, struct arena *a, size_t max,
	       struct strs *ret, struct err *err);
int fetch_referrers(struct remote *r, const char *repo, const char *digest,
		    const char *artifact_type, struct arena *a, struct slice *ret, struct err *err);
int fetch_push_blob(struct remote *r, struct remote_push *p, struct err *err);
int fetch_push_manifest(struct remote *r, const char *repo, const char *ref, const char *media,
			struct slice bytes, char ret_digest[IMAGE_DIGEST_MAX], struct err *err);
int fetch_delete(struct remote *r, const char *repo, const char *ref, struct err *err);

/* fetch-fence.c: for good, in a process of one thread. */
int fetch_fence(struct err *err);
