/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One job of a push rule. On the loop: all that belongs to the image, from the store, in the order
 * in which it is sent (parts before what lists them); blobs as open files, so that a collection
 * takes nothing away. Then a worker sends it.
 */
#include "base/fd.h"
#include "linux/sys.h"
#include "registry/replicate-priv.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct item {
	const char *digest, *media, *ref; /* ref: what the manifest is put by */
	const char *subject;		  /* it is sent only where that is */
	struct slice bytes;		  /* of a manifest; else a blob */
	int fd;
	uint64_t size;
};

struct sending {
	struct work work;
	struct rule *k;
	struct run *run;
	struct arena *a;
	const char *repo, *far, *ref, *op;
	struct item *v;
	size_t n;
	unsigned depth;
	bool found; /* the tag or digest is here still */
	struct err err;
};

/* ---- what is sent ---- */

static bool is_listed(const struct sending *x, const char *digest)
{
	for (size_t i = 0; i < x->n; i++)
		if (strcmp(x->v[i].digest, digest) == 0)
			return true;
	return false;
}

static int add_item(struct sending *x, const struct item *it, struct err *err)
{
	if (x->n == REPLICATE_ITEMS_MAX)
		return err_set(err, ERR_UNSUPPORTED, "'%s' has more than %d parts", x->ref,
			       REPLICATE_ITEMS_MAX);
	if ((x->n & (x->n + 1)) == 0) /* 0, 1, 3, 7, ... */
		x->v = arena_grow(x->a, x->v, x->n * sizeof(*x->v), (2 * x->n + 2) * sizeof(*x->v));
	if (!x->v)
		return arena_quota(x->a, err);
	x->v[x->n++] = *it;
	return 0;
}

static int add_blob(struct sending *x, const struct manifest_desc *d, struct err *err)
{
	struct item it = { .digest = d->digest, .fd = -1 };
	int r;

	if (is_listed(x, d->digest) || manifest_is_foreign(d))
		return 0;
	r = image_blob_open(x->k->h->g->store, d->digest, &it.fd, &it.size, err);
	if (r >= 0)
		r = add_item(x, &it, err);
	if (r < 0)
		fd_close(it.fd);
	return r;
}

static int add_manifest(struct sending *x, const char *ref, bool top, struct err *err);

static int add_parts(struct sending *x, const struct manifest *m, struct err *err)
{
	int r = 0;

	if (m->kind == MANIFEST_IMAGE)
		r = add_blob(x, &m->config, err);
	for (size_t i = 0; i < m->n && r >= 0; i++) {
		if (m->kind != MANIFEST_INDEX) {
			r = add_blob(x, &m->parts[i], err);
			continue;
		}
		r = add_manifest(x, m->parts[i].digest, false, err);
		if (r == -ERR_NOT_FOUND) /* a sparse index: its other parts are what there is */
			r = 0;
	}
	return r;
}

/* Signatures, SBOMs and the like; they too may be referred to. */
static int add_referrers(struct sending *x, const char *digest, struct err *err)
{
	struct content_referrers q = { .digest = digest, .max = 256 };
	int r = content_referrers(x->k->h->g->store, x->repo, x->a, &q, err);

	for (size_t i = 0; i < q.n && r >= 0; i++)
		if (!is_listed(x, q.v[i].digest))
			r = add_manifest(x, q.v[i].digest, false, err);
	return r;
}

static int add_manifest(struct sending *x, const char *ref, bool top, struct err *err)
{
	struct content_manifest found;
	struct item it = { .fd = -1 };
	struct manifest m;
	int r;

	if (x->depth == 8)
		return err_set(err, ERR_UNSUPPORTED, "'%s' is nested more than 8 times", x->ref);
	r = content_manifest(x->k->h->g->store, x->repo, ref, x->a, &found, err);
	if (r < 0 || (!top && is_listed(x, found.digest)))
		return r;
	x->found = true;
	r = manifest_parse(x->a, found.bytes, found.media, &m, err);
	if (r < 0)
		return r;
	x->depth++;
	it.digest = arena_strdup(x->a, found.digest);
	it.media = found.media;
	it.bytes = found.bytes;
	it.ref = top ? x->ref : it.digest;
	if (top && strchr(ref, ':') && x->k->conf->tags.n)
		it.subject = m.subject ? m.subject->digest : "";
	r = add_parts(x, &m, err);
	if (r >= 0)
		r = it.digest ? add_item(x, &it, err) : arena_quota(x->a, err);
	if (r >= 0)
		r = add_referrers(x, it.digest, err);
	x->depth--;
	return r;
}

/* ---- on a worker ---- */

static ssize_t produce(void *ctx, uint64_t offset, char *p, size_t cap, struct err *err)
{
	const struct item *it = ctx;
	ssize_t n;

	do
		n = pread(it->fd, p, cap, (off_t)offset);
	while (n < 0 && errno == EINTR);
	return n < 0 ? err_sys(err, "read blob '%s'", it->digest) : n;
}

static int send_blob(struct sending *x, struct item *it, struct err *err)
{
	struct remote_push p = { .repo = x->far,
				 .digest = it->digest,
				 .size = it->size,
				 .produce = produce,
				 .ctx = it };

	return remote_push_blob(x->k->remote, &p, err);
}

/* What is there already is not sent: events of a round between two registries end here. */
static int send_manifest(struct sending *x, const struct item *it, struct err *err)
{
	struct remote_manifest there;
	char digest[IMAGE_DIGEST_MAX];
	int r = remote_head(x->k->remote, x->far, it->ref, x->a, &there, err);

	if (r >= 0 && strcmp(there.digest, it->digest) == 0)
		return 0;
	return remote_push_manifest(x->k->remote, x->far, it->ref, it->media, it->bytes, digest,
				    err);
}

/* A manifest without a tag, under a rule with tags: 1 = it belongs to something that is there. */
static int is_wanted(struct sending *x, struct err *err)
{
	struct remote_manifest there;
	const struct item *top = NULL;
	int r;

	for (size_t i = 0; i < x->n; i++)
		top = x->v[i].subject ? &x->v[i] : top;
	if (!top)
		return 1;
	if (!top->subject[0])
		return 0;
	r = remote_head(x->k->remote, x->far, top->subject, x->a, &there, err);
	return r == -ERR_NOT_FOUND ? 0 : r < 0 ? r : 1;
}

static int send_all(struct sending *x, struct err *err)
{
	int r = is_wanted(x, err);

	if (r <= 0)
		return r;
	for (size_t i = 0; i < x->n && r >= 0; i++)
		r = x->v[i].bytes.p ? send_manifest(x, &x->v[i], err) : send_blob(x, &x->v[i], err);
	return r;
}

static void send_run(struct work *w)
{
	struct sending *x = CONTAINER_OF(w, struct sending, work);
	struct err err = ERR_INIT;
	int r;

	if (strcmp(x->op, "delete") == 0)
		r = remote_delete_manifest(x->k->remote, x->far, x->ref, &err);
	else
		r = send_all(x, &err);
	if (r < 0 && !(r == -ERR_NOT_FOUND && strcmp(x->op, "delete") == 0))
		x->err = err;
}

static void over(struct sending *x)
{
	struct rule *k = x->k;
	struct run *run = x->run;
	struct err err = x->err;

	for (size_t i = 0; i < x->n; i++)
		fd_close(x->v[i].fd);
	if (atomic_load(&k->h->ending))
		run_drop(run);
	else
		rule_over(k, run, &err);
}

static void send_done(struct work *w)
{
	over(CONTAINER_OF(w, struct sending, work));
}

void replicate_send(struct rule *k, struct run *run)
{
	struct sending *x = ARENA_NEW(run->arena, struct sending);
	int r = 0;

	if (!x)
		abort();
	*x = (struct sending){ .k = k, .run = run, .a = run->arena, .repo = run->job.lane };
	x->op = job_word(run, "op");
	x->ref = job_word(run, "ref");
	x->far = rule_far_name(k, x->a, x->repo);
	if (!x->op || !x->ref || !x->far) {
		run_end(run, RUN_HOPELESS,
			"the other side's name of the repository would be none: look at "
			"stripPrefix and addPrefix");
		return;
	}
	if (strcmp(x->op, "put") == 0)
		r = add_manifest(x, x->ref, true, &x->err);
	if (r == -ERR_NOT_FOUND && !x->found) { /* deleted since: nothing is left to send */
		x->err = (struct err)ERR_INIT;
		over(x);
		return;
	}
	if (r >= 0)
		r = work_submit(k->h->bulk, &x->work, send_run, send_done, &x->err);
	if (r < 0)
		over(x);
}
