/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Indexes of layers that travel: an artifact beside an image (image-spec 1.1, manifest.md
 * "subject"; distribution-spec 1.1, referrers and their fall-back tag). Its layers are the files of
 * lazy-index.h, each with the digests of the layer that it is of. An index that came so is believed
 * for starting alone, and only where that was asked for: see `lazy_trust` of a pull.
 */
#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "image/lazy-index.h"
#include "image/pull-priv.h"

#include "linux/sys.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ARTIFACT "application/vnd.teu.layer.indexes.v1"
#define OF_LAYER "io.teu.layer.digest"
#define OF_DIFF "io.teu.layer.diff-id"
#define ARTIFACTS_MAX 4
#define EMPTY_DIGEST "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"

/* ---- push ---- */

struct known {
	struct image_lease *lease;
	const struct manifest *doc;
	struct buf layers; /* descriptors, as JSON */
	char (*blobs)[IMAGE_DIGEST_MAX];
	int64_t *sizes;
	size_t n;
};

static int find_one(struct known *k, struct db_conn *c, const char *layer, struct err *err)
{
	CLEANUP(db_row_done) struct db_row *row = NULL;
	const char *blob, *diff;
	int64_t size;
	int r = db_query(c, &row, err,
			 "SELECT lazy_indexes.blob, diff, size FROM lazy_indexes JOIN blobs"
			 " ON digest = blob WHERE layer = ?",
			 "t", layer);

	if (r >= 0)
		r = db_row_next(row, err);
	if (r <= 0)
		return r;
	db_row_get(row, "tti", &blob, &diff, &size);
	(void)str_copy(k->blobs[k->n], IMAGE_DIGEST_MAX, blob);
	k->sizes[k->n] = size;
	buf_addf(&k->layers,
		 "%s{\"mediaType\":\"" LAZY_MEDIA "\",\"digest\":\"%s\",\"size\":%lld,"
		 "\"annotations\":{\"" OF_LAYER "\":\"%s\",\"" OF_DIFF "\":\"%s\"}}",
		 k->n ? "," : "", blob, (long long)size, layer, diff);
	return image_lease_add_in(k->lease, c, IMAGE_ITEM_BLOB, k->blobs[k->n++], err);
}

static int run_known(void *ctx, struct db_conn *c, struct err *err)
{
	struct known *k = ctx;
	int r = 0;

	k->n = 0;
	buf_clear(&k->layers);
	for (size_t i = 0; i < k->doc->n && r >= 0; i++)
		r = find_one(k, c, k->doc->parts[i].digest, err);
	return r < 0 ? r : 0;
}

struct from {
	int fd; /* or */
	struct slice text;
};

static ssize_t on_produce(void *ctx, uint64_t offset, char *p, size_t cap, struct err *err)
{
	struct from *f = ctx;
	size_t n;
	ssize_t got;

	if (f->fd >= 0) {
		got = pread(f->fd, p, cap, (off_t)offset);
		return got < 0 ? err_sys(err, "read an index") : got;
	}
	n = MIN(cap, f->text.n - (size_t)MIN(offset, (uint64_t)f->text.n));
	memcpy(p, f->text.p + f->text.n - n, n);
	return (ssize_t)n;
}

static int push_blob(struct transfer *t, const char *digest, uint64_t size, struct from *f,
		     struct err *err)
{
	struct remote_push rp = {
		.repo = t->repo, .digest = digest, .size = size, .produce = on_produce, .ctx = f
	};

	return remote_push_blob(t->remote, &rp, err);
}

static int push_files(struct transfer *t, const struct known *k, struct err *err)
{
	struct from empty = { -1, SLICE("{}") };
	int r = push_blob(t, EMPTY_DIGEST, 2, &empty, err);

	for (size_t i = 0; i < k->n && r >= 0; i++) {
		struct from f = { sys_openat(image_blob_dir(t->is, k->blobs[i]),
					     IMAGE_HEX(k->blobs[i]), O_RDONLY | O_CLOEXEC, 0),
				  { 0 } };

		r = f.fd < 0 ? err_sys(err, "open index '%s'", k->blobs[i])
			     : push_blob(t, k->blobs[i], (uint64_t)k->sizes[i], &f, err);
		fd_close(f.fd);
	}
	return r;
}

int lazy_push_indexes(struct transfer *t, struct image_lease *lease, struct arena *a,
		      struct slice manifest, const struct manifest *doc, struct err *err)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT(1u << 20);
	char subject[IMAGE_DIGEST_MAX], digest[IMAGE_DIGEST_MAX];
	struct known k = { .lease = lease,
			   .doc = doc,
			   .layers = BUF_INIT(1u << 20),
			   .blobs = arena_alloc_array(a, doc->n + 1, IMAGE_DIGEST_MAX),
			   .sizes = ARENA_ARRAY(a, int64_t, doc->n + 1) };
	int r = k.blobs && k.sizes ? db_write_wait(t->is->db, run_known, &k, err)
				   : arena_quota(a, err);

	if (r >= 0 && k.n)
		r = push_files(t, &k, err);
	if (r >= 0 && k.n) {
		image_digest_of(manifest.p, manifest.n, subject);
		buf_addf(&text,
			 "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_MANIFEST
			 "\",\"artifactType\":\"" ARTIFACT
			 "\",\"config\":{\"mediaType\":\"" MEDIA_OCI_EMPTY
			 "\",\"digest\":\"" EMPTY_DIGEST "\",\"size\":2},"
			 "\"layers\":[%s],\"subject\":{\"mediaType\":\"%s\",\"digest\":\"%s\","
			 "\"size\":%zu}}",
			 buf_str(&k.layers), doc->media, subject, manifest.n);
		image_digest_of(text.p, text.n, digest);
		r = text.full || k.layers.full
			    ? err_set(err, ERR_TOO_LARGE, "the list of indexes is too large")
			    : remote_push_manifest(t->remote, t->repo, digest, MEDIA_OCI_MANIFEST,
						   buf_slice(&text), digest, err);
	}
	buf_fini(&k.layers);
	return r < 0 ? err_wrap(err, "push the indexes of its layers") : 0;
}

/* ---- pull ---- */

static int on_bytes(void *ctx, struct slice bytes, struct err *err)
{
	return buf_add(ctx, bytes.p, bytes.n) < 0 ? err_set(err, ERR_TOO_LARGE, "it is too large")
						  : 0;
}

static bool wants_index(const struct layer_job *j)
{
	return !j->has_layer && !j->has_blob && !j->served && !j->whole && !j->index[0];
}

static struct layer_job *job_of(struct image_pull *p, const struct manifest_desc *d)
{
	const char *layer = str_map_get(&d->annotations, OF_LAYER),
		   *diff = str_map_get(&d->annotations, OF_DIFF);

	for (size_t i = 0; i < p->njobs && layer && diff; i++) {
		struct layer_job *j = &p->jobs[i];

		if (wants_index(j) && !j->foreign.n && strcmp(j->d->digest, layer) == 0 &&
		    strcmp(j->diff, diff) == 0)
			return j;
	}
	return NULL;
}

static int take_artifact(struct image_pull *p, const char *digest, struct err *err)
{
	struct arena *a = p->im.arena;
	struct remote_manifest m;
	struct manifest doc;
	int r = remote_manifest(p->t.remote, p->t.repo, digest, a, &m, err);

	if (r >= 0)
		r = manifest_parse(a, m.bytes, m.media, &doc, err);
	for (size_t i = 0; r >= 0 && doc.kind == MANIFEST_IMAGE && i < doc.n; i++) {
		const struct manifest_desc *d = &doc.parts[i];
		struct layer_job *j = job_of(p, d);

		if (!j || strcmp(d->media, LAZY_MEDIA) != 0 || d->size < 0 ||
		    d->size > (int64_t)LAZY_FILE_MAX)
			continue;
		j->foreign = BUF_INIT(LAZY_FILE_MAX);
		r = remote_blob(p->t.remote, p->t.repo, d, 0, on_bytes, &j->foreign, err);
		if (r < 0)
			buf_fini(&j->foreign);
	}
	return r;
}

static int find(struct image_pull *p, struct err *err)
{
	struct arena *a = p->im.arena;
	struct manifest list;
	struct slice bytes;
	unsigned n = 0;
	int r = remote_referrers(p->t.remote, p->t.repo, p->subject, ARTIFACT, a, &bytes, err);

	if (r >= 0)
		r = manifest_parse(a, bytes, MEDIA_OCI_INDEX, &list, err);
	for (size_t i = 0; r >= 0 && i < list.n && n < ARTIFACTS_MAX; i++) {
		const struct manifest_desc *d = &list.parts[i];

		if (!d->artifact_type || strcmp(d->artifact_type, ARTIFACT) != 0)
			continue;
		n++;
		r = take_artifact(p, d->digest, err);
	}
	return r;
}

void lazy_find_indexes(struct image_pull *p)
{
	struct err err = ERR_INIT;
	bool wanted = false;

	for (size_t i = 0; i < p->njobs; i++)
		wanted |= wants_index(&p->jobs[i]);
	if (wanted && p->o.lazy && p->o.lazy_trust && find(p, &err) < 0)
		log_kv(LOG_LEVEL_WARN, "no indexes from the registry", "why", err.msg, NULL);
}
