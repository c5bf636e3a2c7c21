/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pull from name to published image: manifest, config, layers (pull-layer.c), one commit.
 * Documents are read by the bounded reader, after their digest was checked.
 */
#include "image/pull.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "image/content.h"
#include "image/pull-priv.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ARENA_MAX (64u << 20)
#define TAGS_MAX 10000
#define NESTED_MAX 4 /* indexes inside an index */

/* ---- life ---- */

static const char *keep(struct arena *a, const char *s)
{
	return s && s[0] ? arena_strdup(a, s) : NULL;
}

static int run(struct transfer *t, struct err *err);

static bool is_possible(const struct image_store *is)
{
	struct err err = ERR_INIT;
	bool yes = image_lazy_check(is, &err) == 0;

	if (!yes)
		log_kv(LOG_LEVEL_WARN, "no lazy start: the image is pulled as a whole", "why",
		       err.msg, NULL);
	return yes;
}

int image_pull_new(struct image_store *is, const struct image_pull_options *o,
		   struct image_pull **ret, struct err *err)
{
	CLEANUP(image_pull_free) struct image_pull *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		abort();
	transfer_init(&p->t, is, "pull", o->progress, o->ctx);
	p->t.run = run;
	p->im.dir = p->im.spool = -1;
	pthread_mutex_init(&p->lock, NULL);
	p->o = *o;
	p->o.auth = (struct remote_auth){ 0 }; /* the remote has its own copy, and wipes it */
	p->o.lazy = o->lazy && is_possible(is);
	p->o.ref = keep(p->t.arena, o->ref);
	p->o.platform = keep(p->t.arena, o->platform);
	r = transfer_name(&p->t, p->o.ref, o->all_tags, err);
	if (r >= 0 && p->o.platform)
		r = import_check_platform(p->o.platform, err);
	if (r >= 0)
		r = transfer_open(&p->t, o->remotes, &o->auth, err);
	if (r < 0)
		return r;
	*ret = STEAL(p);
	return 0;
}

void image_pull_free(struct image_pull *p)
{
	if (!p)
		return;
	transfer_fini(&p->t);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

void image_pull_cancel(struct image_pull *p)
{
	atomic_store(&p->t.cancel, true);
}

const char *image_pull_id(const struct image_pull *p)
{
	return p->id;
}

const char *image_pull_digest(const struct image_pull *p)
{
	return p->digest;
}

/* ---- manifest ---- */

struct found {
	struct remote_manifest top; /* what the name means: the digest that people are told */
	struct remote_manifest m;   /* of the one image */
	struct manifest doc;
	/* The indexes on the way to it, the first of which is `top`. */
	struct remote_manifest way[NESTED_MAX];
	const char *way_media[NESTED_MAX], *platform;
	size_t nway;
};

static int explain(const struct image_pull *p, const char *ref, struct err *err)
{
	struct image_name n = p->t.name;
	char text[IMAGE_NAME_TEXT_MAX];

	image_name_familiar(&n, text);
	if (err->code == ERR_NOT_FOUND)
		return err_wrap(err, "manifest for %s not found", text);
	if (err->code == ERR_UNAUTHORIZED || err->code == ERR_FORBIDDEN)
		return err_wrap(err,
				"pull access denied for %s, repository does not exist or may "
				"require 'docker login'",
				image_name_familiar_repo(&n));
	return err_wrap(err, "pull '%s' (%s)", text, ref);
}

static int get_manifest(struct image_pull *p, const char *ref, struct remote_manifest *m,
			struct manifest *doc, struct err *err)
{
	int r = remote_manifest(p->t.remote, p->t.repo, ref, p->im.arena, m, err);

	if (r >= 0 && m->bytes.n > p->t.is->o.limits.json_max)
		r = err_set(err, ERR_TOO_LARGE, "the manifest has more than %llu bytes",
			    (unsigned long long)p->t.is->o.limits.json_max);
	if (r >= 0)
		r = manifest_parse(p->im.arena, m->bytes, m->media, doc, err);
	return r < 0 ? explain(p, ref, err) : 0;
}

static int find_manifest(struct image_pull *p, struct found *f, struct err *err)
{
	const char *platform = p->o.platform ? p->o.platform : manifest_host_platform;
	int r;

	r = get_manifest(p, p->t.name.digest[0] ? p->t.name.digest : p->t.name.tag, &f->top,
			 &f->doc, err);
	f->m = f->top;
	while (r >= 0 && f->doc.kind == MANIFEST_INDEX) {
		const struct manifest_desc *d;
		char text[128];

		if (f->nway == NESTED_MAX)
			return err_set(err, ERR_INVALID,
				       "pull '%s': more than %d indexes inside each other",
				       p->o.ref, NESTED_MAX);
		r = manifest_pick(&f->doc, platform, &d, err);
		if (r < 0)
			return err_wrap(err, "pull '%s'", p->o.ref);
		f->way[f->nway] = f->m;
		f->way_media[f->nway++] = f->doc.media;
		f->platform = arena_strdup(p->im.arena, manifest_platform_text(d->platform, text));
		if (!f->platform)
			return arena_quota(p->im.arena, err);
		r = get_manifest(p, d->digest, &f->m, &f->doc, err);
	}
	return r;
}

static bool is_config(const char *media)
{
	return strcmp(media, MEDIA_OCI_CONFIG) == 0 || strcmp(media, MEDIA_DOCKER_CONFIG) == 0;
}

static bool is_layer(const char *media)
{
	static const char *const known[] = {
		MEDIA_OCI_LAYER,
		MEDIA_OCI_LAYER "+gzip",
		MEDIA_OCI_LAYER "+zstd",
		MEDIA_DOCKER_LAYER,
		MEDIA_DOCKER_LAYER ".gzip",
		MEDIA_DOCKER_LAYER ".zstd",
		"application/vnd.oci.image.layer.nondistributable.v1.tar",
		"application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
		"application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
		"application/vnd.docker.image.rootfs.foreign.diff.tar",
		"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
		NULL
	};

	return str_is_one_of(media, known);
}

/* Everything about the manifest that can be found wrong before a layer comes. */
static int check_manifest(struct image_pull *p, const struct manifest *doc, struct err *err)
{
	const struct image_limits *lim = &p->t.is->o.limits;
	uint64_t total = 0;

	if (!is_config(doc->config.media))
		return err_set(err, ERR_UNSUPPORTED,
			       "its config is of type '%.200s', so it is an artifact and no image "
			       "that can run; fetch it with a client for artifacts",
			       doc->config.media);
	if (!image_digest_valid(slice_str(doc->config.digest)) ||
	    image_digest_alg(doc->config.digest) != IMAGE_SHA256)
		return err_set(err, ERR_UNSUPPORTED,
			       "its config has the digest '%.150s'; ids of images are sha256",
			       doc->config.digest);
	if (doc->config.size < 0 || (uint64_t)doc->config.size > lim->json_max)
		return err_set(err, ERR_TOO_LARGE, "its config has more than %llu bytes",
			       (unsigned long long)lim->json_max);
	if (doc->n > lim->layers_max)
		return err_set(err, ERR_TOO_LARGE, "it has %zu layers; the limit is %u", doc->n,
			       lim->layers_max);
	for (size_t i = 0; i < doc->n; i++) {
		const struct manifest_desc *d = &doc->parts[i];

		if (!is_layer(d->media))
			return err_set(err, ERR_UNSUPPORTED,
				       "layer %zu is of type '%.200s', which cannot be unpacked",
				       i + 1, d->media);
		if (image_digest_check(slice_str(d->digest), err) < 0)
			return err_wrap(err, "layer %zu", i + 1);
		if (d->size < 0 || (uint64_t)d->size > lim->input_max - total)
			return err_set(err, ERR_TOO_LARGE,
				       "its layers are larger than the limit of %llu bytes",
				       (unsigned long long)lim->input_max);
		total += (uint64_t)d->size;
	}
	return 0;
}

/* ---- config ---- */

static int on_config(void *ctx, struct slice bytes, struct err *err)
{
	return buf_add(ctx, bytes.p, bytes.n) < 0 ? err_set(err, ERR_TOO_LARGE, "it is too large")
						  : 0;
}

static int get_config(struct image_pull *p, const struct manifest *doc, struct slice *ret,
		      struct image_config *ic, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(p->t.is->o.limits.json_max);
	struct arena *a = p->im.arena;
	int r;

	r = remote_blob(p->t.remote, p->t.repo, &doc->config, 0, on_config, &b, err);
	if (r < 0)
		return err_wrap(err, "config");
	*ret = slice_of(arena_strndup(a, buf_str(&b), b.n), b.n);
	if (!ret->p)
		return arena_quota(a, err);
	r = image_config_parse(a, *ret, ic, err);
	if (r < 0)
		return err_wrap(err, "config");
	if (ic->os[0] && strcmp(ic->os, "linux") != 0)
		return err_set(err, ERR_UNSUPPORTED,
			       "it is an image for '%.100s'; only linux images run here", ic->os);
	return ic->diff_ids.n == doc->n
		       ? 0
		       : err_set(err, ERR_INVALID, "its config names %zu layers, its manifest %zu",
				 ic->diff_ids.n, doc->n);
}

/* ---- putting it together ---- */

static int plan_layers(struct image_pull *p, const struct manifest *doc,
		       const struct image_config *ic, struct err *err)
{
	p->jobs = ARENA_ARRAY(p->im.arena, struct layer_job, doc->n + 1);
	if (!p->jobs)
		return arena_quota(p->im.arena, err);
	for (size_t i = 0; i < doc->n; i++) {
		struct layer_job *j = &p->jobs[i];

		*j = (struct layer_job){ .p = p, .d = &doc->parts[i], .copy = -1, .target = -1 };
		(void)str_copy(j->diff, sizeof(j->diff), ic->diff_ids.v[i]);
		if (i)
			(void)str_copy(j->parent, sizeof(j->parent), p->jobs[i - 1].chain);
		import_chain_of(j->parent, j->diff, j->chain);
		snprintf(j->short_id, sizeof(j->short_id), "%.12s", IMAGE_HEX(j->d->digest));
	}
	p->njobs = doc->n;
	return 0;
}

static int add_blob(struct image_import *im, struct image_new_image *n, struct slice bytes,
		    const char *media, char digest[IMAGE_DIGEST_MAX], struct err *err)
{
	int r = import_blob_from_bytes(im, bytes, media, digest, err);

	if (r >= 0)
		(void)str_copy(n->blobs[n->nblobs++], IMAGE_DIGEST_MAX, digest);
	return r;
}

/* Layers' blobs, and chains. Of a layer that was here, its first blob too. */
static void list_layers(struct image_pull *p, struct image_new_image *n)
{
	for (size_t i = 0; i < p->njobs; i++) {
		const struct layer_job *j = &p->jobs[i];

		(void)str_copy(n->chains[n->nchains++], IMAGE_DIGEST_MAX, j->chain);
		if (j->begun || j->served)
			continue; /* listed when it is whole */
		(void)str_copy(n->blobs[n->nblobs++], IMAGE_DIGEST_MAX, j->d->digest);
		if (j->has_layer)
			(void)str_copy(n->blobs[n->nblobs++], IMAGE_DIGEST_MAX, j->blob);
	}
}

/* The image as one platform of the index that was asked for, whose bytes are kept with it. */
static int add_part(struct image_pull *p, const struct found *f, struct image_new_image *n,
		    struct err *err)
{
	struct image_part *part = ARENA_NEW(p->im.arena, struct image_part);
	const char **of = ARENA_NEW(p->im.arena, const char *);
	char other[IMAGE_DIGEST_MAX];
	int r = 0;

	if (!part || !of)
		return arena_quota(p->im.arena, err);
	for (size_t i = 0; i < f->nway && r >= 0; i++)
		r = add_blob(&p->im, n, f->way[i].bytes, f->way_media[i], other, err);
	*part = (struct image_part){ n->digest, n->manifest, f->platform };
	*of = n->digest;
	n->parts = part;
	n->nparts = 1;
	n->name_index = of;
	return r;
}

static int describe(struct image_pull *p, const struct found *f, const struct image_config *ic,
		    struct slice config, struct image_new_image *n, struct err *err)
{
	struct image_import *im = &p->im;
	int r;

	n->created = CLOCK_ZERO;
	(void)clock_parse_rfc3339(slice_str(ic->created), &n->created,
				  NULL); /* absent or odd: shown as zero */
	n->os = ic->os[0] ? ic->os : "linux";
	n->arch = ic->architecture;
	n->chains = arena_alloc_array(im->arena, p->njobs + 1, IMAGE_DIGEST_MAX);
	n->blobs = arena_alloc_array(im->arena, 2 * p->njobs + 2 + NESTED_MAX, IMAGE_DIGEST_MAX);
	n->names = arena_alloc_array(im->arena, 1, IMAGE_NAME_TEXT_MAX);
	if (!n->chains || !n->blobs || !n->names)
		return arena_quota(im->arena, err);
	if (p->t.name.tag[0] && !p->t.name.digest[0])
		image_name_full(&p->t.name, n->names[n->nnames++]);
	(void)str_copy(n->repo, sizeof(n->repo), p->t.name.name);
	(void)str_copy(n->digest, sizeof(n->digest), f->top.digest);
	r = add_blob(im, n, config, f->doc.config.media, n->id, err);
	if (r >= 0)
		r = add_blob(im, n, f->m.bytes, f->doc.media, n->manifest, err);
	if (r >= 0 && f->nway)
		r = add_part(p, f, n, err);
	list_layers(p, n);
	im->images = n;
	im->nimages = 1;
	return r;
}

struct before {
	struct image_pull *p;
	const char *id, *digest;
	bool same;
};

/* Does the name mean that image already? */
static int run_before(void *ctx, struct db_conn *c, struct err *err)
{
	struct before *b = ctx;
	const struct image_name *n = &b->p->t.name;
	int64_t one;
	int r;

	b->same = false;
	if (n->digest[0])
		r = db_query_int(
			c, &one, err,
			"SELECT 1 FROM digests WHERE repo = ?1 AND digest = ?2 AND (image = ?3 OR"
			" EXISTS (SELECT 1 FROM index_images AS o WHERE o.idx = ?2 AND o.image ="
			" ?3))",
			"ttt", n->name, n->digest, b->id);
	else
		r = db_query_int(c, &one, err,
				 "SELECT 1 FROM refs WHERE repo = ?1 AND tag = ?2 AND (image = ?3"
				 " OR EXISTS (SELECT 1 FROM index_images AS o WHERE o.idx ="
				 " refs.idx AND o.image = ?3))",
				 "ttt", n->name, n->tag, b->id);
	b->same = r > 0;
	return r < 0 ? r : 0;
}

static int publish(struct image_pull *p, struct err *err)
{
	struct image_import *im = &p->im;
	struct image_publish pub = { .is = p->t.is,
				     .lease = im->lease,
				     .blobs = im->blobs,
				     .nblobs = im->nblobs,
				     .layers = im->layers,
				     .nlayers = im->nlayers,
				     .images = im->images,
				     .nimages = im->nimages };
	int r = image_store_step(p->t.is, "sync", err);

	if (r < 0)
		return r;
	if (syncfs(im->dir) < 0)
		return err_sys(err, "write the layers to disk");
	r = image_publish(&pub, err);
	lazy_manager_wake(p->t.is->lazy);
	return r;
}

static void say_end(struct image_pull *p, bool same)
{
	char name[IMAGE_NAME_TEXT_MAX], text[IMAGE_NAME_TEXT_MAX + 64];

	snprintf(text, sizeof(text), "Digest: %s", p->digest);
	teller_say(&p->t.teller, "", text);
	image_name_familiar(&p->t.name, name);
	snprintf(text, sizeof(text), "Status: %s %s",
		 same ? "Image is up to date for" : "Downloaded newer image for", name);
	teller_say(&p->t.teller, "", text);
}

static int pull_image(struct image_pull *p, struct err *err)
{
	struct image_new_image *n = ARENA_NEW(p->im.arena, struct image_new_image);
	struct before b = { .p = p };
	struct found f = { 0 };
	struct image_config ic;
	struct slice config;
	int r;

	if (!n)
		return arena_quota(p->im.arena, err);
	r = find_manifest(p, &f, err);
	if (r < 0)
		return r;
	r = check_manifest(p, &f.doc, err);
	if (r >= 0)
		r = get_config(p, &f.doc, &config, &ic, err);
	if (r >= 0)
		r = plan_layers(p, &f.doc, &ic, err);
	b.id = f.doc.config.digest;
	p->subject = f.m.digest;
	if (r >= 0)
		r = db_write_wait(p->t.is->db, run_before, &b, err);
	if (r >= 0)
		r = pull_layers(p, err);
	if (r >= 0)
		r = describe(p, &f, &ic, config, n, err);
	if (r >= 0)
		r = publish(p, err);
	if (r < 0)
		return err_wrap(err, "pull '%s'", p->o.ref);
	(void)str_copy(p->id, sizeof(p->id), n->id);
	(void)str_copy(p->digest, sizeof(p->digest), f.top.digest);
	say_end(p, b.same);
	return 0;
}

/* p->t.name, under a lease of its own. */
static int pull_one(struct image_pull *p, struct err *err)
{
	struct image_import *im = &p->im;
	char text[IMAGE_REPO_MAX + 32];
	int r;

	*im = (struct image_import){ .is = p->t.is, .dir = -1, .spool = -1 };
	im->arena = arena_new("pull of an image", ARENA_MAX);
	r = image_store_step(p->t.is, "pull", err);
	if (r >= 0)
		r = image_lease_new(p->t.is, &im->lease, err);
	if (r >= 0) {
		im->dir = image_lease_dirfd(im->lease, err);
		r = MIN(im->dir, 0);
	}
	if (r >= 0) {
		snprintf(text, sizeof(text), "Pulling from %s", p->t.repo);
		teller_say(&p->t.teller, p->t.name.digest[0] ? p->t.name.digest : p->t.name.tag,
			   text);
		r = pull_image(p, err);
	}
	pull_jobs_fini(p);
	image_lease_free(STEAL(im->lease));
	arena_free(STEAL(im->arena));
	return r;
}

static int pull_all(struct image_pull *p, struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("tags", 8u << 20);
	struct strs tags;
	int r;

	r = remote_tags(p->t.remote, p->t.repo, a, TAGS_MAX, &tags, err);
	if (r < 0)
		return explain(p, "tags", err);
	for (size_t i = 0; i < tags.n && r >= 0; i++) {
		if (!content_tag_ok(slice_str(tags.v[i])) ||
		    !str_copy(p->t.name.tag, sizeof(p->t.name.tag), tags.v[i]))
			return err_set(err, ERR_INVALID, "the registry names a tag '%.150s'",
				       tags.v[i]);
		r = pull_one(p, err);
	}
	return r;
}

static int run(struct transfer *t, struct err *err)
{
	struct image_pull *p = CONTAINER_OF(t, struct image_pull, t);

	return p->o.all_tags ? pull_all(p, err) : pull_one(p, err);
}

int image_pull_run(struct image_pull *p, struct err *err)
{
	return transfer_run(&p->t, err);
}

int image_pull_start(struct image_pull *p, struct work_pool *pool, image_done_fn *done, void *ctx,
		     struct err *err)
{
	return transfer_start(&p->t, pool, done, ctx, err);
}
