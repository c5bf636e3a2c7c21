/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copying an image or an index. Parts go before what names them; a part that is there already is
 * not sent. Several blobs are under way at once, each on a thread with nothing shared but the two
 * places.
 */
#include "image/copy-priv.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "doc/json.h"
#include "image/pull-priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_MAX (256u << 20)
#define DEPTH_MAX 4
#define PARALLEL 3
#define PARALLEL_MAX 16

struct copying {
	struct place *src, *dst;
	const struct copy_options *o;
	struct arena *a;
	struct teller teller;
	/* the blobs of one manifest */
	pthread_mutex_t lock;
	const struct manifest_desc **jobs;
	size_t njobs, next;
	struct err failure;
};

/* ---- one blob ---- */

struct moving {
	struct copying *c;
	const struct manifest_desc *d;
	char id[16];
	uint64_t told_at;
};

static void on_bytes(void *ctx, uint64_t done)
{
	struct moving *m = ctx;
	uint64_t total = (uint64_t)m->d->size;

	if (done < total && done - m->told_at < MAX(total / 50, 1u << 19))
		return;
	m->told_at = done;
	teller_tell(&m->c->teller, &(struct image_transfer){ .id = m->id,
							     .status = "Copying",
							     .current = done,
							     .total = total,
							     .detail = true });
}

static int copy_blob(struct moving *m, struct err *err)
{
	const struct place_fetch f = { on_bytes, m };
	struct copying *c = m->c;
	struct place_blob b;
	int r;

	r = place_has_blob(c->dst, m->d, err);
	if (r) {
		if (r > 0)
			teller_say(&c->teller, m->id, "Already exists");
		return r;
	}
	r = place_mount_blob(c->dst, m->d, c->src, &f, err);
	if (r) {
		if (r > 0)
			teller_say(&c->teller, m->id, r == 2 ? "Mounted" : "Copied");
		return r;
	}
	r = place_blob(c->src, m->d, on_bytes, m, &b, err);
	if (r < 0)
		return r;
	r = place_put_blob(c->dst, m->d, &b, err);
	fd_close(b.fd);
	if (r >= 0)
		teller_say(&c->teller, m->id, "Copied");
	return r;
}

static const struct manifest_desc *take_job(struct copying *c)
{
	const struct manifest_desc *d = NULL;

	pthread_mutex_lock(&c->lock);
	if (!c->failure.code && c->next < c->njobs)
		d = c->jobs[c->next++];
	pthread_mutex_unlock(&c->lock);
	return d;
}

static void *worker_main(void *arg)
{
	const struct manifest_desc *d;
	struct copying *c = arg;

	while ((d = take_job(c))) {
		struct moving m = { .c = c, .d = d };
		struct err err = ERR_INIT;

		(void)snprintf(m.id, sizeof(m.id), "%.12s", IMAGE_HEX(d->digest));
		if (copy_blob(&m, &err) >= 0)
			continue;
		pthread_mutex_lock(&c->lock);
		if (!c->failure.code)
			c->failure = err;
		pthread_mutex_unlock(&c->lock);
	}
	return NULL;
}

static int run_jobs(struct copying *c, struct err *err)
{
	unsigned parallel = MIN(c->o->parallel ? c->o->parallel : PARALLEL, PARALLEL_MAX), n = 0;
	pthread_t threads[PARALLEL_MAX];

	c->next = 0;
	while (n + 1 < MIN((size_t)parallel, c->njobs) &&
	       pthread_create(&threads[n], NULL, worker_main, c) == 0)
		n++;
	worker_main(c);
	while (n)
		pthread_join(threads[--n], NULL);
	if (!c->failure.code)
		return 0;
	*err = c->failure;
	return err_ret(err);
}

/* The config and the layers, each once; foreign layers stay where they are. */
static int copy_blobs(struct copying *c, const struct manifest *doc, struct err *err)
{
	c->jobs = ARENA_ARRAY(c->a, const struct manifest_desc *, doc->n + 1);
	c->njobs = 0;
	if (!c->jobs)
		return arena_quota(c->a, err);
	for (size_t i = 0; i <= doc->n; i++) {
		const struct manifest_desc *d = i ? &doc->parts[i - 1] : &doc->config;
		bool twice = false;

		if (image_digest_check(slice_str(d->digest), err) < 0)
			return err_ret(err);
		for (size_t k = 0; k < c->njobs; k++)
			twice |= strcmp(c->jobs[k]->digest, d->digest) == 0;
		if (!twice && !manifest_is_foreign(d))
			c->jobs[c->njobs++] = d;
	}
	return run_jobs(c, err);
}

/* ---- manifests ---- */

static int copy_image(struct copying *c, struct place_manifest *m, const struct manifest *doc,
		      bool top, struct err *err)
{
	struct place_manifest out = *m;
	int r = 0;

	if (c->o->format != COPY_AS_IS)
		r = manifest_convert(m, doc, c->o->format, c->a, &out, err);
	if (r >= 0 && c->o->preserve && strcmp(out.digest, m->digest) != 0)
		r = err_set(err, ERR_UNSUPPORTED,
			    "in the format asked for, the digest %s would not be preserved",
			    m->digest);
	if (r >= 0)
		r = copy_blobs(c, doc, err);
	if (r >= 0)
		r = place_put_manifest(c->dst, &out, top, err);
	*m = out;
	return r;
}

static int copy_index(struct copying *c, const struct place_manifest *m, const struct manifest *doc,
		      bool top, int depth, struct err *err)
{
	int r = 0;

	if (depth == DEPTH_MAX)
		return err_set(err, ERR_INVALID, "indexes lie more than %d deep", DEPTH_MAX);
	if (c->o->format != COPY_AS_IS)
		return err_set(
			err, ERR_UNSUPPORTED,
			"--format with --all: an index names its manifests by digests, which "
			"another format would change");
	for (size_t i = 0; i < doc->n && r >= 0; i++) {
		struct place_manifest part;
		struct manifest inner;

		r = place_manifest(c->src, doc->parts[i].digest, c->a, &part, &inner, err);
		if (r >= 0)
			r = inner.kind == MANIFEST_INDEX
				    ? copy_index(c, &part, &inner, false, depth + 1, err)
				    : copy_image(c, &part, &inner, false, err);
	}
	return r < 0 ? r : place_put_manifest(c->dst, m, top, err);
}

static int copy_top(struct copying *c, char ret_digest[IMAGE_DIGEST_MAX], struct err *err)
{
	struct place_manifest m;
	struct manifest doc;
	int r;

	if (c->o->all)
		r = place_manifest(c->src, NULL, c->a, &m, &doc, err);
	else
		r = place_image(c->src, c->o->platform, c->a, &m, &doc, err);
	if (r >= 0)
		r = doc.kind == MANIFEST_INDEX ? copy_index(c, &m, &doc, true, 0, err)
					       : copy_image(c, &m, &doc, true, err);
	if (r >= 0)
		r = place_finish(c->dst, err);
	if (r >= 0 && ret_digest)
		(void)str_copy(ret_digest, IMAGE_DIGEST_MAX, m.digest);
	return r;
}

int image_copy(struct place *src, struct place *dst, const struct copy_options *o,
	       char ret_digest[IMAGE_DIGEST_MAX], struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("copy of an image", ARENA_MAX);
	struct copying c = { .src = src,
			     .dst = dst,
			     .o = o,
			     .a = a,
			     .teller = { .fn = o->progress, .ctx = o->ctx },
			     .lock = PTHREAD_MUTEX_INITIALIZER };
	int r;

	pthread_mutex_init(&c.teller.lock, NULL);
	r = copy_top(&c, ret_digest, err);
	pthread_mutex_destroy(&c.teller.lock);
	pthread_mutex_destroy(&c.lock);
	return r;
}

/* ---- between the two families ---- */

static const char *const families[][2] = {
	/* OCI, docker */
	{ MEDIA_OCI_MANIFEST, MEDIA_DOCKER_MANIFEST },
	{ MEDIA_OCI_CONFIG, MEDIA_DOCKER_CONFIG },
	{ MEDIA_OCI_LAYER, MEDIA_DOCKER_LAYER },
	{ MEDIA_OCI_LAYER "+gzip", MEDIA_DOCKER_LAYER ".gzip" },
	{ MEDIA_OCI_LAYER "+zstd", MEDIA_DOCKER_LAYER ".zstd" },
};

static const char *media_in(const char *media, int family)
{
	for (size_t i = 0; media && i < ARRAY_LEN(families); i++)
		if (strcmp(media, families[i][0]) == 0 || strcmp(media, families[i][1]) == 0)
			return families[i][family];
	return NULL;
}

static int convert_desc(struct arena *a, const struct manifest_desc *d, int family, struct doc *to,
			struct err *err)
{
	const char *media = media_in(d->media, family);

	if (!media || (family == 1 && strcmp(media, MEDIA_DOCKER_LAYER ".zstd") == 0))
		return err_set(err, ERR_UNSUPPORTED,
			       "a part of type '%.200s' has no counterpart in the format %s",
			       d->media, family ? "v2s2" : "oci");
	doc_set_str(a, to, "mediaType", media);
	/* The order of the keys is that of the family's own writers. */
	if (family) {
		doc_set_int(a, to, "size", d->size);
		doc_set_str(a, to, "digest", d->digest);
	} else {
		doc_set_str(a, to, "digest", d->digest);
		doc_set_int(a, to, "size", d->size);
	}
	return 0;
}

static int convert_into(const struct manifest *doc, int family, struct arena *a, struct doc *m,
			struct err *err)
{
	struct doc *layers;
	int r;

	doc_set_int(a, m, "schemaVersion", 2);
	doc_set_str(a, m, "mediaType", families[0][family]);
	r = convert_desc(a, &doc->config, family, doc_set_object(a, m, "config"), err);
	layers = doc_set_array(a, m, "layers");
	for (size_t i = 0; i < doc->n && r >= 0; i++)
		r = convert_desc(a, &doc->parts[i], family, doc_append_object(a, layers), err);
	return r < 0 || !arena_exceeded(a) ? r : arena_quota(a, err);
}

int manifest_convert(const struct place_manifest *m, const struct manifest *doc,
		     enum copy_format to, struct arena *a, struct place_manifest *ret,
		     struct err *err)
{
	const int family = to == COPY_V2S2;
	struct doc *out;
	int r;

	*ret = *m;
	if (strcmp(m->media, families[0][family]) == 0)
		return 0;
	if (doc->subject || (doc->annotations.n && family))
		return err_set(err, ERR_UNSUPPORTED, "its %s cannot be kept in the format v2s2",
			       doc->subject ? "subject" : "annotations");
	out = doc_new_object(a);
	r = convert_into(doc, family, a, out, err);
	if (r >= 0)
		r = json_print(a, out, NULL, &ret->bytes, err);
	if (r < 0)
		return r;
	ret->media = families[0][family];
	image_digest_of(ret->bytes.p, ret->bytes.n, ret->digest);
	return 0;
}
