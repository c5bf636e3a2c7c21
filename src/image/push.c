/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A push: blobs side by side, then config and manifest, then the tag is told. Bytes go as they are
 * kept, so digests stay. A lease holds the blobs meanwhile, also when the image is removed.
 */
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "image/pull-priv.h"
#include "linux/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TAGS_MAX 4096
#define LAZY_PUSH_WAIT (600 * NS_PER_SEC)

struct push_job {
	struct image_push *p;
	const struct manifest_desc *d;
	char short_id[13];
	int fd;
	uint64_t told_at;
};

struct image_push {
	struct transfer t;
	struct image_push_options o;
	/* The tag at work. */
	struct arena *a;
	struct image_lease *lease;
	char id[IMAGE_DIGEST_MAX], manifest[IMAGE_DIGEST_MAX], index[IMAGE_DIGEST_MAX];
	struct index_items items; /* of the index; none = the image came alone */
	bool whole;		  /* the index goes, with all that it names */
	struct push_job *jobs;
	size_t njobs;
};

/* ---- life ---- */

static int run(struct transfer *t, struct err *err);

static int take_ref(struct image_push *p, const struct image_push_options *o, struct err *err)
{
	int r;

	p->o.ref = o->ref ? arena_strdup(p->t.arena, o->ref) : NULL;
	p->o.platform = o->platform ? arena_strdup(p->t.arena, o->platform) : NULL;
	if (p->o.platform && import_check_platform(p->o.platform, err) < 0)
		return err_ret(err);
	r = transfer_name(&p->t, p->o.ref, o->all_tags, err);
	if (p->t.name.digest[0])
		return err_set(err, ERR_BAD_REQUEST, "cannot push a digest reference");
	return r < 0 ? r : transfer_open(&p->t, o->remotes, &o->auth, err);
}

int image_push_new(struct image_store *is, const struct image_push_options *o,
		   struct image_push **ret, struct err *err)
{
	CLEANUP(image_push_free) struct image_push *p = calloc(1, sizeof(*p));

	if (!p)
		abort();
	transfer_init(&p->t, is, "push", o->progress, o->ctx);
	p->t.run = run;
	p->o = *o;
	p->o.auth = (struct remote_auth){ 0 }; /* the remote has its own copy, and wipes it */
	if (take_ref(p, o, err) < 0)
		return err_ret(err);
	*ret = STEAL(p);
	return 0;
}

void image_push_free(struct image_push *p)
{
	if (!p)
		return;
	transfer_fini(&p->t);
	free(p);
}

void image_push_cancel(struct image_push *p)
{
	atomic_store(&p->t.cancel, true);
}

/* ---- what is to go ---- */

/* What is of no image: indexes and attestations. */
static int hold_item(struct image_push *p, struct db_conn *c, const struct index_item *it,
		     struct err *err)
{
	int r = image_lease_add_in(p->lease, c, IMAGE_ITEM_BLOB, it->d.digest, err);

	if (it->doc.kind == MANIFEST_INDEX)
		return r;
	if (r >= 0)
		r = image_lease_add_in(p->lease, c, IMAGE_ITEM_BLOB, it->doc.config.digest, err);
	for (size_t i = 0; i < it->doc.n && r >= 0; i++)
		r = image_lease_add_in(p->lease, c, IMAGE_ITEM_BLOB, it->doc.parts[i].digest, err);
	return r;
}

static int hold_blobs(struct image_push *p, struct db_conn *c, struct err *err)
{
	CLEANUP(db_row_done) struct db_row *row = NULL;
	const char *digest;
	int r;

	r = db_query(
		c, &row, err,
		"SELECT digest FROM image_blobs WHERE image = ?1 OR image IN (SELECT image FROM"
		" index_images WHERE idx = ?2)",
		"tt", p->id, p->index);
	while (r >= 0 && (r = db_row_next(row, err)) > 0) {
		db_row_get(row, "t", &digest);
		r = image_lease_add_in(p->lease, c, IMAGE_ITEM_BLOB, digest, err);
	}
	for (size_t i = 0; i < p->items.n && r >= 0; i++)
		if (p->whole && !p->items.v[i].id)
			r = hold_item(p, c, &p->items.v[i], err);
	return r;
}

/* The index as a whole if all that it names is here; else one image, as docker chooses it: that of
 * this machine, or the only one. */
static int choose(struct image_push *p, struct db_conn *c, struct err *err)
{
	const struct index_item *one = NULL;
	char text[IMAGE_NAME_TEXT_MAX];
	unsigned n = 0;
	int r = 0;

	for (size_t i = 0; i < p->items.n && r >= 0; i++)
		if (p->items.v[i].id) {
			r = p->o.platform ? 0 : lazy_check_here(c, p->items.v[i].id, err);
			if (!one || strcmp(p->items.v[i].id, p->id) == 0)
				one = &p->items.v[i];
			n++;
		}
	if (r < 0)
		return r;
	p->whole = !p->o.platform && p->items.v[p->items.n - 1].whole;
	if (!p->whole && !p->o.platform && n > 1 &&
	    index_choose(c, p->index, manifest_host_platform, p->id, err) <= 0)
		return err_set(err, ERR_CONFLICT,
			       "several platforms of %s are here, but neither all nor this "
			       "machine's: choose one with --platform",
			       image_name_familiar(&p->t.name, text));
	for (size_t i = 0; i < p->items.n; i++)
		if (p->items.v[i].id && strcmp(p->items.v[i].id, p->id) == 0)
			one = &p->items.v[i];
	if (!one)
		return err_set(err, ERR_NOT_FOUND, "no image of index '%s' is here", p->index);
	(void)str_copy(p->id, sizeof(p->id), one->id);
	(void)str_copy(p->manifest, sizeof(p->manifest), one->d.digest);
	return 0;
}

static int take_platform(struct image_push *p, struct db_conn *c, struct err *err)
{
	struct image_found f;
	char text[IMAGE_NAME_TEXT_MAX];
	int r = image_find_platform(c, image_name_full(&p->t.name, text), p->o.platform, &f, err);

	if (r >= 0)
		(void)str_copy(p->id, sizeof(p->id), f.id);
	return r;
}

static int find_row(struct image_push *p, struct db_conn *c, struct err *err)
{
	CLEANUP(db_row_done) struct db_row *row = NULL;
	char text[IMAGE_NAME_TEXT_MAX];
	const char *id, *manifest, *index = NULL;
	int r;

	r = db_query(
		c, &row, err,
		"SELECT images.id, images.manifest, refs.idx FROM refs JOIN images ON images.id"
		" = refs.image WHERE repo = ? AND tag = ?",
		"tt", p->t.name.name, p->t.name.tag);
	if (r >= 0)
		r = db_row_next(row, err);
	if (r < 0)
		return r;
	if (r == 0)
		return err_set(err, ERR_NOT_FOUND,
			       "An image does not exist locally with the tag: %s",
			       image_name_familiar(&p->t.name, text));
	db_row_get(row, "ttt", &id, &manifest, &index);
	(void)str_copy(p->id, sizeof(p->id), id);
	(void)str_copy(p->manifest, sizeof(p->manifest), manifest);
	(void)str_copy(p->index, sizeof(p->index), index ? index : "");
	return 0;
}

static int run_find(void *ctx, struct db_conn *c, struct err *err)
{
	struct image_push *p = ctx;
	int r = find_row(p, c, err);

	p->items = (struct index_items){ 0 };
	p->whole = false;
	if (r >= 0 && p->o.platform)
		r = take_platform(p, c, err);
	if (r >= 0 && p->index[0]) {
		r = index_read(p->t.is, c, p->a, p->index, &p->items, err);
		if (r >= 0)
			r = choose(p, c, err);
	}
	if (r >= 0)
		r = lazy_check_here(c, p->id, err);
	if (r >= 0)
		r = hold_blobs(p, c, err);
	return r < 0 ? r : 0;
}

/* Waits for layers that were started lazily. */
static int find_whole(struct image_push *p, struct err *err)
{
	int64_t end = clock_mono() + LAZY_PUSH_WAIT;
	bool told = false;
	int r;

	while ((r = db_write_wait(p->t.is->db, run_find, p, err)) == -ERR_UNAVAILABLE) {
		if (atomic_load(&p->t.cancel) || clock_mono() >= end)
			break;
		if (!told)
			teller_say(&p->t.teller, "", err->msg);
		told = true;
		err_clear(err);
		(void)nanosleep(&(struct timespec){ .tv_nsec = NS_PER_SEC / 5 }, NULL);
	}
	return r;
}

static int open_blob(const struct image_push *p, const char *digest, int *ret, struct err *err)
{
	*ret = sys_openat(image_blob_dir(p->t.is, digest), IMAGE_HEX(digest),
			  O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0);
	return *ret < 0 ? err_sys(err, "open blob '%s'", digest) : 0;
}

static int read_manifest(struct image_push *p, struct slice *ret, struct manifest *doc,
			 struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(p->t.is->o.limits.json_max);
	int r;

	r = fd_read_file(image_blob_dir(p->t.is, p->manifest), IMAGE_HEX(p->manifest), &b, err);
	if (r < 0)
		return r;
	*ret = slice_of(arena_strndup(p->a, buf_str(&b), b.n), b.n);
	if (!ret->p)
		return arena_quota(p->a, err);
	if (!image_digest_matches(p->manifest, *ret))
		return err_set(err, ERR_INVALID, "its manifest '%s' is damaged", p->manifest);
	return manifest_parse(p->a, *ret, NULL, doc, err);
}

/* ---- blobs ---- */

static ssize_t produce(void *ctx, uint64_t offset, char *dst, size_t cap, struct err *err)
{
	struct push_job *j = ctx;
	uint64_t total = (uint64_t)j->d->size, done;
	ssize_t n;

	do
		n = pread(j->fd, dst, cap, (off_t)offset);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(err, "read blob '%s'", j->d->digest);
	done = offset + (uint64_t)n;
	if (j->short_id[0] && (done == total || done - j->told_at >= MAX(total / 50, 1u << 19))) {
		j->told_at = done;
		teller_tell(&j->p->t.teller, &(struct image_transfer){ .id = j->short_id,
								       .status = "Pushing",
								       .current = MIN(done, total),
								       .total = total,
								       .detail = true });
	}
	return n;
}

struct sister {
	const struct image_push *p;
	const char *digest;
	char repo[IMAGE_REPO_MAX];
};

/* Another repository of the same registry that has the blob, as far as we know. */
static int run_source(void *ctx, struct db_conn *c, struct err *err)
{
	CLEANUP(db_row_done) struct db_row *row = NULL;
	struct sister *s = ctx;
	size_t n = strlen(s->p->t.host) + 1;
	const char *repo;
	int r;

	s->repo[0] = '\0';
	r = db_query(c, &row, err,
		     "SELECT DISTINCT repo FROM digests JOIN image_blobs USING (image) WHERE"
		     " image_blobs.digest = ? AND repo != ? AND substr(repo, 1, ?) = ? || '/'"
		     " LIMIT 1",
		     "ttit", s->digest, s->p->t.name.name, (int64_t)n, s->p->t.host);
	if (r >= 0)
		r = db_row_next(row, err);
	if (r <= 0)
		return r;
	db_row_get(row, "t", &repo);
	(void)str_copy(s->repo, sizeof(s->repo), repo + n);
	return 0;
}

static int push_blob(struct push_job *j, struct err *err)
{
	struct image_push *p = j->p;
	struct sister from = { .p = p, .digest = j->d->digest };
	struct remote_push rp = { .repo = p->t.repo,
				  .digest = j->d->digest,
				  .size = (uint64_t)j->d->size,
				  .produce = produce,
				  .ctx = j };
	char text[IMAGE_REPO_MAX + 32];
	int r;

	r = image_store_step(p->t.is, "push-blob", err);
	if (r >= 0)
		r = open_blob(p, j->d->digest, &j->fd, err);
	if (r >= 0)
		r = db_write_wait(p->t.is->db, run_source, &from, err);
	if (r < 0)
		return r;
	rp.mount_from = from.repo[0] ? from.repo : NULL;
	r = remote_push_blob(p->t.remote, &rp, err);
	fd_close(STEAL_FD(j->fd));
	if (r < 0 || !j->short_id[0])
		return r;
	snprintf(text, sizeof(text), "Mounted from %s", from.repo);
	teller_say(&p->t.teller, j->short_id,
		   rp.existed	? "Layer already exists"
		   : rp.mounted ? text
				: "Pushed");
	return 0;
}

static int run_blob(void *ctx, size_t i, struct err *err)
{
	struct image_push *p = ctx;
	struct push_job *j = &p->jobs[i];
	int r = push_blob(j, err);

	return r < 0 ? err_wrap(err, "blob '%s'", j->d->digest) : 0;
}

static int push_blobs(struct image_push *p, struct err *err)
{
	int r;

	for (size_t i = 0; i < p->njobs; i++)
		if (p->jobs[i].short_id[0])
			teller_say(&p->t.teller, p->jobs[i].short_id, "Preparing");
	r = transfer_each(&p->t, p->njobs, p->o.parallel, run_blob, p, err);
	for (size_t i = 0; i < p->njobs; i++)
		fd_close(STEAL_FD(p->jobs[i].fd));
	return r;
}

/* Layers top first, as docker tells of them, then the config; each once. */
static int plan(struct image_push *p, const struct manifest *doc, struct err *err)
{
	p->jobs = ARENA_ARRAY(p->a, struct push_job, doc->n + 1);
	p->njobs = 0;
	if (!p->jobs)
		return arena_quota(p->a, err);
	for (size_t i = doc->n + 1; i-- > 0;) {
		const struct manifest_desc *d = i ? &doc->parts[i - 1] : &doc->config;
		struct push_job *j = &p->jobs[p->njobs];
		bool twice = false;

		if (image_digest_check(slice_str(d->digest), err) < 0)
			return err_ret(err);
		for (size_t k = 0; k < p->njobs; k++)
			twice |= strcmp(p->jobs[k].d->digest, d->digest) == 0;
		if (twice)
			continue;
		*j = (struct push_job){ .p = p, .d = d, .fd = -1 };
		if (i)
			snprintf(j->short_id, sizeof(j->short_id), "%.12s", IMAGE_HEX(d->digest));
		if (manifest_is_foreign(d)) {
			teller_say(&p->t.teller, j->short_id, "Skipped foreign layer");
			continue;
		}
		p->njobs++;
	}
	return 0;
}

/* ---- one tag ---- */

struct noted {
	const struct image_push *p;
	const char *digest;
};

/* The image has a name by digest now. It may have been removed meanwhile. */
static int run_note(void *ctx, struct db_conn *c, struct err *err)
{
	struct noted *n = ctx;

	return db_exec(c, err,
		       "INSERT OR REPLACE INTO digests SELECT ?, ?, id FROM images WHERE id = ?",
		       "ttt", n->p->t.name.name, n->digest, n->p->id);
}

/* What the tag means there from now on. */
static int push_tag(struct image_push *p, struct slice bytes, const char *media, struct err *err)
{
	char digest[IMAGE_DIGEST_MAX], text[IMAGE_DIGEST_MAX + 200];
	struct noted note = { p, digest };
	int r;

	r = image_store_step(p->t.is, "push-manifest", err);
	if (r >= 0)
		r = remote_push_manifest(p->t.remote, p->t.repo, p->t.name.tag, media, bytes,
					 digest, err);
	if (r >= 0)
		r = db_write_wait(p->t.is->db, run_note, &note, err);
	if (r < 0)
		return r;
	snprintf(text, sizeof(text), "%s: digest: %s size: %zu", p->t.name.tag, digest, bytes.n);
	teller_say(&p->t.teller, "", text);
	teller_tell(&p->t.teller, &(struct image_transfer){ .id = "",
							    .status = "",
							    .tag = p->t.name.tag,
							    .digest = digest,
							    .size = bytes.n });
	return 0;
}

static int push_content(struct image_push *p, const struct manifest *doc, struct err *err)
{
	int r = plan(p, doc, err);

	return r < 0 ? r : push_blobs(p, err);
}

static int push_image(struct image_push *p, struct err *err)
{
	const struct index_item *top = p->items.n ? &p->items.v[p->items.n - 1] : NULL;
	struct slice bytes;
	struct manifest doc;
	int r;

	r = read_manifest(p, &bytes, &doc, err);
	if (r >= 0)
		r = push_content(p, &doc, err);
	if (r >= 0)
		r = push_tag(p, bytes, doc.media, err);
	if (r >= 0 && p->o.lazy)
		r = lazy_push_indexes(&p->t, p->lease, p->a, bytes, &doc, err);
	if (r >= 0 && top && !p->o.platform)
		teller_tell(&p->t.teller,
			    &(struct image_transfer){ .id = "",
						      .status = "",
						      .digest = p->manifest,
						      .media = doc.media,
						      .size = bytes.n,
						      .index = p->index,
						      .index_media = top->d.media,
						      .index_size = (uint64_t)top->d.size });
	return r;
}

/* What it names goes first, by digest, and the index last: the registry may refuse one whose parts
 * it has not. */
static int push_index(struct image_push *p, struct err *err)
{
	char digest[IMAGE_DIGEST_MAX];
	int r = 0;

	for (size_t i = 0; i + 1 < p->items.n && r >= 0; i++) {
		const struct index_item *it = &p->items.v[i];

		if (it->doc.kind == MANIFEST_IMAGE)
			r = push_content(p, &it->doc, err);
		if (r >= 0)
			r = remote_push_manifest(p->t.remote, p->t.repo, it->d.digest,
						 it->doc.media, it->bytes, digest, err);
		if (r >= 0 && it->id && p->o.lazy)
			r = lazy_push_indexes(&p->t, p->lease, p->a, it->bytes, &it->doc, err);
	}
	return r < 0 ? r
		     : push_tag(p, p->items.v[p->items.n - 1].bytes,
				p->items.v[p->items.n - 1].doc.media, err);
}

static int push_one(struct image_push *p, struct err *err)
{
	char text[IMAGE_NAME_TEXT_MAX];
	int r;

	p->a = arena_new("push of an image", 64u << 20);
	r = image_lease_new(p->t.is, &p->lease, err);
	if (r >= 0)
		r = find_whole(p, err);
	if (r >= 0)
		r = p->whole ? push_index(p, err) : push_image(p, err);
	image_lease_free(STEAL(p->lease));
	arena_free(STEAL(p->a));
	return r < 0 ? err_wrap(err, "push '%s'", image_name_familiar(&p->t.name, text)) : 0;
}

/* ---- all tags ---- */

struct tags {
	const struct image_push *p;
	char (*v)[129];
	size_t n;
};

static int run_tags(void *ctx, struct db_conn *c, struct err *err)
{
	CLEANUP(db_row_done) struct db_row *row = NULL;
	struct tags *t = ctx;
	const char *tag;
	int r;

	t->n = 0;
	r = db_query(c, &row, err, "SELECT tag FROM refs WHERE repo = ? ORDER BY tag LIMIT 4096",
		     "t", t->p->t.name.name);
	while (r >= 0 && (r = db_row_next(row, err)) > 0) {
		db_row_get(row, "t", &tag);
		(void)str_copy(t->v[t->n++], sizeof(t->v[0]), tag);
	}
	return r;
}

static int push_all(struct image_push *p, struct err *err)
{
	struct tags t = { .p = p, .v = arena_alloc_array(p->t.arena, TAGS_MAX, sizeof(t.v[0])) };
	int r;

	if (!t.v)
		return arena_quota(p->t.arena, err);
	r = db_write_wait(p->t.is->db, run_tags, &t, err);
	if (r >= 0 && !t.n)
		r = err_set(err, ERR_NOT_FOUND, "An image does not exist locally with the tag: %s",
			    image_name_familiar_repo(&p->t.name));
	for (size_t i = 0; i < t.n && r >= 0; i++) {
		(void)str_copy(p->t.name.tag, sizeof(p->t.name.tag), t.v[i]);
		r = push_one(p, err);
	}
	return r;
}

static int run(struct transfer *t, struct err *err)
{
	struct image_push *p = CONTAINER_OF(t, struct image_push, t);
	char text[IMAGE_NAME_TEXT_MAX + 64];

	snprintf(text, sizeof(text), "The push refers to repository [%s]", t->name.name);
	teller_say(&t->teller, "", text);
	return p->o.all_tags ? push_all(p, err) : push_one(p, err);
}

int image_push_run(struct image_push *p, struct err *err)
{
	return transfer_run(&p->t, err);
}

int image_push_start(struct image_push *p, struct work_pool *pool, image_done_fn *done, void *ctx,
		     struct err *err)
{
	return transfer_start(&p->t, pool, done, ctx, err);
}
