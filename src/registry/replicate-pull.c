/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pull rules. A look lists the other side on a worker and queues what differs. A job then fetches
 * one tag: manifests from the top (each on a worker), then the blobs that are not here, then the
 * manifests are put from the last to the first, so that a tag leads to a whole image at any time.
 */
#include "doc/json.h"
#include "registry/bounds.h"
#include "registry/replicate-priv.h"
#include "registry/through.h"

#include <stdio.h>
#include <string.h>

#define REPOS_MAX 10000
#define TAGS_MAX 10000

/* ---- looking ---- */

struct seen {
	const char *far, *tag;
	char digest[IMAGE_DIGEST_MAX];
};

struct look {
	struct work work;
	struct rule *k;
	struct run *run;
	struct arena *a;
	struct seen *v;
	size_t n;
	struct err err;
};

static int add_seen(struct look *x, const char *far, const char *tag, const char *digest,
		    struct err *err)
{
	if ((x->n & (x->n + 1)) == 0) /* 0, 1, 3, 7, ... */
		x->v = arena_grow(x->a, x->v, x->n * sizeof(*x->v), (2 * x->n + 2) * sizeof(*x->v));
	if (!x->v)
		return arena_quota(x->a, err);
	x->v[x->n] = (struct seen){ .far = far, .tag = tag };
	(void)str_copy(x->v[x->n++].digest, IMAGE_DIGEST_MAX, digest);
	return 0;
}

static int look_at(struct look *x, const char *far, struct err *err)
{
	struct remote_manifest m;
	struct strs tags;
	int r = remote_tags(x->k->remote, far, x->a, TAGS_MAX, &tags, err);

	if (r == -ERR_NOT_FOUND) /* a pattern that is a name */
		return 0;
	for (size_t i = 0; r >= 0 && i < tags.n; i++) {
		if (!rule_wants(x->k, far, tags.v[i]) || !content_tag_ok(slice_str(tags.v[i])))
			continue;
		r = remote_head(x->k->remote, far, tags.v[i], x->a, &m, err);
		if (r == -ERR_UNSUPPORTED)
			r = remote_manifest(x->k->remote, far, tags.v[i], x->a, &m, err);
		if (r == -ERR_NOT_FOUND) { /* deleted meanwhile */
			r = 0;
			continue;
		}
		if (r >= 0)
			r = add_seen(x, far, tags.v[i], m.digest, err);
	}
	return r;
}

/* Names are looked at; for patterns the catalog is read. */
static int look_all(struct look *x, struct err *err)
{
	const struct strs *p = &x->k->conf->repositories;
	struct strs repos = { 0 };
	bool glob = false;
	int r = 0;

	for (size_t i = 0; i < p->n && r >= 0; i++) {
		if (strpbrk(p->v[i], "*?"))
			glob = true;
		else
			r = look_at(x, p->v[i], err);
	}
	if (glob && r >= 0)
		r = remote_catalog(x->k->remote, x->a, REPOS_MAX, &repos, err);
	for (size_t i = 0; r >= 0 && i < repos.n; i++) {
		bool named = false;

		for (size_t k = 0; k < p->n; k++)
			named |= strcmp(p->v[k], repos.v[i]) == 0;
		if (!named && rule_wants(x->k, repos.v[i], NULL))
			r = look_at(x, repos.v[i], err);
	}
	return r;
}

static void look_run(struct work *w)
{
	struct look *x = CONTAINER_OF(w, struct look, work);
	struct err err = ERR_INIT;

	if (look_all(x, &err) < 0)
		x->err = err;
}

/* Those whose digest is not the one that we have. */
static void queue_seen(struct look *x, const struct seen *s)
{
	CLEANUP(arena_free) struct arena *a = arena_new("job", 16u << 20);
	const char *near = rule_near_name(x->k, a, s->far);
	struct content_manifest found;

	if (!near)
		return;
	if (content_manifest(x->k->h->g->store, near, s->tag, a, &found, NULL) >= 0 &&
	    strcmp(found.digest, s->digest) == 0)
		return;
	jobs_add(x->k->h->jobs, x->k->queue, near, job_text(a, "get", s->far, s->tag));
}

static void queued(void *ctx, int result, const struct err *err)
{
	struct look *x = ctx;

	x->k->looking = false;
	if (atomic_load(&x->k->h->ending))
		run_drop(x->run);
	else
		rule_over(x->k, x->run, result < 0 ? err : &x->err);
}

static void look_done(struct work *w)
{
	struct look *x = CONTAINER_OF(w, struct look, work);
	struct rule *k = x->k;

	if (atomic_load(&k->h->ending)) {
		run_drop(x->run);
		return;
	}
	/* What was seen before a failure is no worse for it. */
	for (size_t i = 0; i < x->n; i++)
		queue_seen(x, &x->v[i]);
	if (!x->err.code) {
		jobs_then(k->h->jobs, queued, x);
		return;
	}
	if (x->err.code == ERR_UNSUPPORTED || x->run->job.tries + 1 >= k->conf->tries)
		k->looking = false;
	rule_over(k, x->run, &x->err);
}

void replicate_look(struct rule *k, struct run *run)
{
	struct look *x = ARENA_NEW(run->arena, struct look);
	struct err err = ERR_INIT;

	if (!x)
		abort();
	*x = (struct look){ .k = k, .run = run, .a = run->arena };
	k->looking = true;
	if (work_submit(k->h->bulk, &x->work, look_run, look_done, &err) < 0)
		rule_over(k, run, &err);
}

/* ---- fetching one tag ---- */

struct part {
	const char *ref, *digest, *media;
	struct slice bytes;
	uint64_t size;
	bool here; /* with all that it lists */
};

struct fetching {
	struct work work;
	struct fill_watch watch;
	struct rule *k;
	struct run *run;
	struct arena *a;
	const char *far, *repo, *ref;
	struct part *manifests, *blobs;
	size_t nmanifests, nblobs, next, next_blob;
	struct remote_manifest got;
	struct slice referrers;
	struct err err;
};

static void step(struct fetching *x);

static void fetch_over(struct fetching *x)
{
	struct err err = x->err;

	if (atomic_load(&x->k->h->ending))
		run_drop(x->run);
	else
		rule_over(x->k, x->run, &err);
}

static int add_part(struct fetching *x, struct part **v, size_t *n, const struct part *p)
{
	for (size_t i = 0; i < *n; i++)
		if (p->digest && (*v)[i].digest && strcmp((*v)[i].digest, p->digest) == 0)
			return 0;
	if (*n == REPLICATE_ITEMS_MAX)
		return err_set(&x->err, ERR_UNSUPPORTED, "'%s' has more than %d parts", x->ref,
			       REPLICATE_ITEMS_MAX);
	if ((*n & (*n + 1)) == 0)
		*v = arena_grow(x->a, *v, *n * sizeof(**v), (2 * *n + 2) * sizeof(**v));
	if (!*v)
		return arena_quota(x->a, &x->err);
	(*v)[(*n)++] = *p;
	return 0;
}

static int add_manifest(struct fetching *x, const char *digest)
{
	struct part p = { .ref = digest, .digest = digest };

	return image_digest_valid(slice_str(digest))
		       ? add_part(x, &x->manifests, &x->nmanifests, &p)
		       : err_set(&x->err, ERR_INVALID, "'%s' lists no valid digest", x->ref);
}

static int add_blob(struct fetching *x, const struct manifest_desc *d)
{
	struct part p = { .digest = d->digest, .size = (uint64_t)d->size };
	uint64_t size;

	if (manifest_is_foreign(d) ||
	    content_blob(x->k->h->g->store, x->repo, d->digest, &size, NULL) >= 0)
		return 0;
	return add_part(x, &x->blobs, &x->nblobs, &p);
}

static int add_referrers(struct fetching *x)
{
	const struct json_options jo = { .max_depth = 16, .copy = true };
	struct doc *d;
	int r = 0;

	if (!x->referrers.n || json_read(x->a, x->referrers, &jo, &d, NULL) < 0)
		return 0; /* a registry without them */
	DOC_EACH (it, doc_get(d, "manifests")) {
		const char *digest = doc_cstr(x->a, doc_get(it, "digest"));

		if (digest && r >= 0)
			r = add_manifest(x, digest);
	}
	return r;
}

static int take_manifest(struct fetching *x)
{
	struct part *p = &x->manifests[x->next++];
	struct manifest m;
	int r;

	p->digest = arena_strdup(x->a, x->got.digest);
	p->media = x->got.media;
	p->bytes = x->got.bytes;
	r = manifest_parse(x->a, p->bytes, p->media, &m, &x->err);
	if (r >= 0 && m.kind == MANIFEST_IMAGE)
		r = add_blob(x, &m.config);
	for (size_t i = 0; r >= 0 && i < m.n; i++)
		r = m.kind == MANIFEST_INDEX ? add_manifest(x, m.parts[i].digest)
					     : add_blob(x, &m.parts[i]);
	return r < 0 ? r : add_referrers(x);
}

static void manifest_run(struct work *w)
{
	struct fetching *x = CONTAINER_OF(w, struct fetching, work);
	const char *ref = x->manifests[x->next].ref;
	struct err err = ERR_INIT;

	x->referrers = (struct slice){ 0 };
	if (remote_manifest(x->k->remote, x->far, ref, x->a, &x->got, &err) < 0)
		x->err = err;
	else if (remote_referrers(x->k->remote, x->far, x->got.digest, NULL, x->a, &x->referrers,
				  NULL) < 0)
		x->referrers = (struct slice){ 0 };
}

static void manifest_done(struct work *w)
{
	struct fetching *x = CONTAINER_OF(w, struct fetching, work);

	/* An index may list what is not there. */
	if (x->err.code == ERR_NOT_FOUND && x->next > 0) {
		x->err = (struct err)ERR_INIT;
		x->manifests[x->next++].here = true;
		step(x);
		return;
	}
	if (x->err.code || take_manifest(x) < 0)
		fetch_over(x);
	else
		step(x);
}

static void blob_ended(struct fill_watch *w, int result, const struct err *err)
{
	struct fetching *x = CONTAINER_OF(w, struct fetching, watch);

	if (result < 0) {
		x->err = *err;
		fetch_over(x);
		return;
	}
	x->next_blob++;
	step(x);
}

static void put_done(void *ctx, const struct content_change *ch, int result, const struct err *err)
{
	struct fetching *x = ctx;

	(void)ch;
	cache_clear(x->k->h->g->cache);
	if (result < 0) {
		x->err = *err;
		fetch_over(x);
		return;
	}
	step(x);
}

static void put_last(struct fetching *x)
{
	const struct part *p = &x->manifests[--x->nmanifests];
	const struct registry *g = x->k->h->g;
	struct content_limit v[BOUNDS_MAX];
	const struct content_put put = {
		.repo = x->repo,
		.ref = p->ref,
		.media = p->media,
		.bytes = p->bytes,
		.sparse = true, /* what the other side's index lists and has not */
		.immutable = g->conf.immutable ||
			     policy_immutable(auth_policy(g->auth), x->repo, p->ref),
		.limits = bounds_of(auth_policy(g->auth), x->repo, v),
	};

	content_put_manifest(g->store, &put, put_done, x);
}

static void step(struct fetching *x)
{
	struct fill_want want = { .remote = x->k->remote, .far_repo = x->far, .repo = x->repo };
	int r = 0;

	if (atomic_load(&x->k->h->ending)) {
		fetch_over(x);
		return;
	}
	if (x->next < x->nmanifests) {
		r = work_submit(x->k->h->quick, &x->work, manifest_run, manifest_done, &x->err);
	} else if (x->next_blob < x->nblobs) {
		want.digest = x->blobs[x->next_blob].digest;
		want.size = x->blobs[x->next_blob].size;
		x->watch = (struct fill_watch){ .ended = blob_ended };
		r = fill_join(x->k->h, &want, &x->watch, &x->err);
	} else {
		while (x->nmanifests && x->manifests[x->nmanifests - 1].here)
			x->nmanifests--;
		x->next = 0;
		if (x->nmanifests) {
			x->next = x->nmanifests - 1;
			put_last(x);
			return;
		}
		fetch_over(x);
		return;
	}
	if (r < 0)
		fetch_over(x);
}

void replicate_fetch(struct rule *k, struct run *run)
{
	struct fetching *x = ARENA_NEW(run->arena, struct fetching);
	struct part top = { 0 };

	if (!x)
		abort();
	*x = (struct fetching){ .k = k, .run = run, .a = run->arena, .repo = run->job.lane };
	x->far = job_word(run, "from");
	x->ref = job_word(run, "ref");
	if (!x->far || !x->ref) {
		run_end(run, RUN_HOPELESS, "the job is not readable");
		return;
	}
	top.ref = x->ref;
	if (add_part(x, &x->manifests, &x->nmanifests, &top) < 0)
		fetch_over(x);
	else
		step(x);
}
