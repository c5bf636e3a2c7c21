/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The calls of remote.h by the fetching process. What it answers is as good as what the registry
 * says, so all that can be checked is checked here, again.
 */
#include "base/arena.h"
#include "base/err.h"
#include "image/fetch.h"
#include "image/manifest.h"
#include "image/remote-priv.h"

#include <stdio.h>
#include <string.h>

static int collect(void *ctx, struct slice bytes, struct err *err)
{
	return buf_add(ctx, bytes.p, bytes.n) < 0 ? err_set(err, ERR_TOO_LARGE, "it is too large")
						  : 0;
}

/* A call whose bytes are kept: in the arena. */
static int run_collecting(struct remote *r, struct fetch_ask *q, struct arena *a, struct slice *ret,
			  struct fetch_answer *x, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(REMOTE_BODY_MAX);
	int n, tries = FETCH_TRIES;

	q->out = -1;
	q->consume = collect;
	q->ctx = &b;
	do {
		b.n = 0;
		n = fetch_run(r->fetch, q, x, err);
	} while (n < 0 && fetch_died(err) && --tries > 0);
	if (n < 0)
		return n;
	*ret = slice_of(arena_strndup(a, b.n ? b.p : "", b.n), b.n);
	return ret->p ? 0 : arena_quota(a, err);
}

int fetch_login(struct remote *r, struct arena *a, const char **ret_identity, struct err *err)
{
	struct fetch_ask q = { .op = FETCH_LOGIN, .out = -1 };
	struct fetch_answer x;
	int n = fetch_run(r->fetch, &q, &x, err);

	if (n < 0)
		return n;
	*ret_identity = x.text[0] ? arena_strdup(a, x.text) : NULL;
	explicit_bzero(x.text, sizeof(x.text));
	return 0;
}

/* ---- manifests and lists ---- */

int fetch_manifest(struct remote *r, bool head, const char *repo, const char *ref, struct arena *a,
		   struct remote_manifest *ret, struct err *err)
{
	struct fetch_ask q = { .op = head ? FETCH_HEAD : FETCH_MANIFEST, .repo = repo, .ref = ref };
	struct fetch_answer x;
	struct slice bytes;
	int n = run_collecting(r, &q, a, &bytes, &x, err);

	if (n < 0)
		return n;
	/* The digest that was asked for, or the one that the bytes have. */
	if (!x.digest[0] || (strchr(ref, ':') && strcmp(x.digest, ref) != 0) ||
	    (!head && !image_digest_matches(x.digest, bytes)))
		return err_set(
			err, ERR_INVALID,
			"manifest '%s' of '%s': the bytes do not have the digest that was told",
			ref, repo);
	(void)str_copy(ret->digest, sizeof(ret->digest), x.digest);
	ret->media = arena_strdup(a, x.text);
	ret->size = x.size;
	ret->bytes = head ? (struct slice){ 0 } : bytes;
	return ret->media ? 0 : arena_quota(a, err);
}

int fetch_referrers(struct remote *r, const char *repo, const char *digest,
		    const char *artifact_type, struct arena *a, struct slice *ret, struct err *err)
{
	struct fetch_ask q = {
		.op = FETCH_REFERRERS, .repo = repo, .ref = digest, .text = artifact_type
	};
	struct fetch_answer x;

	return run_collecting(r, &q, a, ret, &x, err);
}

/* Names come one after the other, each with a NUL. */
static int split_names(struct slice text, struct arena *a, size_t max, struct strs *ret,
		       struct err *err)
{
	const char *p = text.p, *end = text.p + text.n;
	const char **v;
	size_t n = 0;

	for (size_t i = 0; i < text.n; i++)
		n += text.p[i] == '\0';
	if (n > max || (text.n && end[-1] != '\0'))
		return err_set(err, ERR_TOO_LARGE, "the list has more than %zu entries", max);
	v = ARENA_ARRAY(a, const char *, n + 1);
	if (!v)
		return arena_quota(a, err);
	*ret = (struct strs){ .v = v };
	for (; p < end; p += strlen(p) + 1)
		v[ret->n++] = p;
	return 0;
}

int fetch_list(struct remote *r, enum fetch_op op, const char *repo, struct arena *a, size_t max,
	       struct strs *ret, struct err *err)
{
	struct fetch_ask q = { .op = op, .repo = repo, .n = max };
	struct fetch_answer x;
	struct slice text;
	int n = run_collecting(r, &q, a, &text, &x, err);

	return n < 0 ? n : split_names(text, a, max, ret, err);
}

/* ---- blobs ---- */

struct checked {
	uint64_t left;
	struct image_hash hash;
	remote_consume_fn *consume;
	void *ctx;
};

static int on_bytes(void *ctx, struct slice bytes, struct err *err)
{
	struct checked *c = ctx;

	if (bytes.n > c->left)
		return err_set(err, ERR_INVALID, "more bytes come than it has");
	c->left -= bytes.n;
	image_hash_update(&c->hash, bytes.p, bytes.n);
	return c->consume(c->ctx, bytes, err);
}

static struct fetch_ask blob_ask(const char *repo, const struct manifest_desc *d, uint64_t offset)
{
	return (struct fetch_ask){ .op = FETCH_BLOB,
				   .repo = repo,
				   .ref = d->digest,
				   .from = offset,
				   .n = (uint64_t)d->size,
				   .urls = d->urls,
				   .out = -1 };
}

int fetch_blob(struct remote *r, const char *repo, const struct manifest_desc *d, uint64_t offset,
	       remote_consume_fn *consume, void *ctx, struct err *err)
{
	struct checked c = { .left = (uint64_t)d->size - offset, .consume = consume, .ctx = ctx };
	struct fetch_ask q = blob_ask(repo, d, offset);
	char have[IMAGE_DIGEST_MAX];
	int n;

	n = image_digest_check(slice_str(d->digest), err);
	if (n >= 0 && offset > (uint64_t)d->size)
		n = err_set(err, ERR_INVALID, "blob '%s': begins behind its end", d->digest);
	if (n < 0)
		return n;
	image_hash_init(&c.hash, image_digest_alg(d->digest));
	q.consume = on_bytes;
	q.ctx = &c;
	n = fetch_run(r->fetch, &q, NULL, err);
	if (n < 0)
		return n;
	image_hash_final(&c.hash, have);
	if (c.left || (!offset && strcmp(have, d->digest) != 0))
		return err_set(err, ERR_INVALID, "blob '%s' of '%s': its bytes have the digest %s",
			       d->digest, repo, have);
	return 0;
}

int fetch_blob_begin(struct remote *r, const char *repo, const struct manifest_desc *d,
		     uint64_t offset, int out_taken, struct fetch_call **ret, struct err *err)
{
	struct fetch_ask q = blob_ask(repo, d, offset);

	q.out = out_taken;
	return fetch_begin(r->fetch, &q, ret, err);
}

int fetch_range(struct remote *r, const char *repo, const char *digest, uint64_t from, uint64_t n,
		remote_consume_fn *consume, void *ctx, struct err *err)
{
	struct checked c = { .left = n, .consume = consume, .ctx = ctx };
	struct fetch_ask q = { .op = FETCH_RANGE,
			       .repo = repo,
			       .ref = digest,
			       .from = from,
			       .n = n,
			       .out = -1,
			       .consume = on_bytes,
			       .ctx = &c };
	int ret;

	image_hash_init(&c.hash, IMAGE_SHA256);
	ret = n ? fetch_run(r->fetch, &q, NULL, err) : 0;
	if (ret >= 0 && c.left)
		ret = err_set(err, ERR_INVALID, "blob '%s': a part comes short", digest);
	return ret;
}

int fetch_has_blob(struct remote *r, const char *repo, const char *digest, struct err *err)
{
	struct fetch_ask q = { .op = FETCH_HAS, .repo = repo, .ref = digest, .out = -1 };
	struct fetch_answer x;
	int n = fetch_run(r->fetch, &q, &x, err);

	return n < 0 ? n : x.flag == FETCH_EXISTED;
}

/* ---- push ---- */

int fetch_push_blob(struct remote *r, struct remote_push *p, struct err *err)
{
	struct fetch_ask q = { .op = FETCH_PUSH_BLOB,
			       .repo = p->repo,
			       .ref = p->digest,
			       .text = p->mount_from,
			       .from = p->chunk,
			       .n = p->size,
			       .out = -1,
			       .produce = p->produce,
			       .ctx = p->ctx };
	struct fetch_answer x;
	int n = fetch_run(r->fetch, &q, &x, err);

	if (n < 0)
		return n;
	p->existed = x.flag & FETCH_EXISTED;
	p->mounted = x.flag & FETCH_MOUNTED;
	return 0;
}

static ssize_t on_produce(void *ctx, uint64_t offset, char *p, size_t cap, struct err *err)
{
	const struct slice *s = ctx;

	(void)err;
	cap = offset < s->n ? MIN(cap, s->n - offset) : 0;
	if (cap)
		memcpy(p, s->p + offset, cap);
	return (ssize_t)cap;
}

int fetch_push_manifest(struct remote *r, const char *repo, const char *ref, const char *media,
			struct slice bytes, char ret_digest[IMAGE_DIGEST_MAX], struct err *err)
{
	struct fetch_ask q = { .op = FETCH_PUSH_MANIFEST,
			       .repo = repo,
			       .ref = ref,
			       .text = media,
			       .n = bytes.n,
			       .out = -1,
			       .produce = on_produce,
			       .ctx = &bytes };
	struct fetch_answer x;
	int n = fetch_run(r->fetch, &q, &x, err);

	if (n < 0)
		return n;
	if (!x.digest[0] || !image_digest_matches(x.digest, bytes))
		return err_set(err, ERR_INVALID, "push of manifest '%s' to '%s': taken as '%s'",
			       ref, repo, x.digest);
	(void)str_copy(ret_digest, IMAGE_DIGEST_MAX, x.digest);
	return 0;
}

int fetch_delete(struct remote *r, const char *repo, const char *ref, struct err *err)
{
	struct fetch_ask q = { .op = FETCH_DELETE, .repo = repo, .ref = ref, .out = -1 };

	return fetch_run(r->fetch, &q, NULL, err);
}
