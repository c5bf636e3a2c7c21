/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images as objects: opening by id (config document verified against it), a small cache and
 * listing.
 */
#include "image/image.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/hash.h"
#include "image/private.h"
#include "linux/path.h"
#include "linux/sys.h"

#include <stdio.h>
#include <string.h>

#define IMAGE_ARENA_MAX (64u << 20)

struct image {
	atomic_uint refs;
	struct arena *arena;
	char id[IMAGE_DIGEST_MAX], manifest[IMAGE_DIGEST_MAX];
	struct slice json;
	struct image_config config;
	uint64_t size;
	int64_t created, added;
	char (*chains)[IMAGE_DIGEST_MAX];
};

struct image *image_ref(struct image *img)
{
	atomic_fetch_add(&img->refs, 1);
	return img;
}

void image_unref(struct image *img)
{
	if (!img || atomic_fetch_sub(&img->refs, 1) != 1)
		return;
	arena_free(img->arena);
	free(img);
}

/* ---- opening ---- */

static int read_config(struct image_store *is, struct image *img, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(is->o.limits.json_max);
	char digest[IMAGE_DIGEST_MAX];
	char *copy;
	int r;

	r = fd_read_file(is->blobs[IMAGE_SHA256], IMAGE_HEX(img->id), &b, err);
	if (r < 0)
		return r;
	image_digest_of(buf_str(&b), b.n, digest);
	if (strcmp(digest, img->id) != 0)
		return err_set(err, ERR_INVALID,
			       "its config is damaged: the bytes have digest %s; remove the image "
			       "and load it again",
			       digest);
	copy = arena_strndup(img->arena, buf_str(&b), b.n);
	if (!copy)
		return arena_quota(img->arena, err);
	img->json = slice_of(copy, b.n);
	return image_config_parse(img->arena, img->json, &img->config, err);
}

/* ChainID(n) = sha256(ChainID(n-1) " " DiffID(n)), image-spec config.md. */
static int compute_chains(struct image *img, struct err *err)
{
	const struct strv *d = &img->config.diff_ids;
	char text[2 * IMAGE_DIGEST_MAX];

	img->chains = arena_alloc_array(img->arena, d->n + 1, IMAGE_DIGEST_MAX);
	if (!img->chains)
		return arena_quota(img->arena, err);
	for (size_t i = 0; i < d->n; i++) {
		if (i == 0) {
			(void)str_copy(img->chains[0], IMAGE_DIGEST_MAX, d->v[0]);
			continue;
		}
		snprintf(text, sizeof(text), "%s %s", img->chains[i - 1], d->v[i]);
		image_digest_of(text, strlen(text), img->chains[i]);
	}
	return 0;
}

static int load_row(struct db_conn *c, struct image *img, struct err *err)
{
	CLEANUP(db_row_done) struct db_row *row = NULL;
	const char *manifest;
	int64_t size;
	int r;

	r = db_query(c, &row, err, "SELECT manifest, created, added, size FROM images WHERE id = ?",
		     "t", img->id);
	if (r >= 0)
		r = db_row_next(row, err);
	if (r < 0)
		return r;
	if (r == 0)
		return err_set(err, ERR_NOT_FOUND, "No such image: %s", img->id);
	db_row_get(row, "tiii", &manifest, &img->created, &img->added, &size);
	(void)str_copy(img->manifest, sizeof(img->manifest), manifest);
	img->size = (uint64_t)size;
	return 0;
}

static struct image *cache_get(struct image_store *is, const char *id)
{
	for (size_t i = 0; i < IMAGE_CACHED && is->cached[i]; i++) {
		struct image *img = is->cached[i];

		if (strcmp(img->id, id) != 0)
			continue;
		memmove(&is->cached[1], &is->cached[0], i * sizeof(is->cached[0]));
		is->cached[0] = img;
		return img;
	}
	return NULL;
}

static void cache_put(struct image_store *is, struct image *img)
{
	image_unref(is->cached[IMAGE_CACHED - 1]);
	memmove(&is->cached[1], &is->cached[0], (IMAGE_CACHED - 1) * sizeof(is->cached[0]));
	is->cached[0] = image_ref(img);
}

void image_cache_clear(struct image_store *is)
{
	for (size_t i = 0; i < IMAGE_CACHED; i++)
		image_unref(is->cached[i]);
	memset(is->cached, 0, sizeof(is->cached));
}

int image_open_in(struct image_store *is, struct db_conn *c, const char *id, struct image **ret,
		  struct err *err)
{
	CLEANUP(image_unref) struct image *img = NULL;
	struct image *hit = cache_get(is, id);
	int64_t size;
	int r;

	if (hit) { /* immutable, but it may have been removed, by another process too */
		r = db_query_int(c, &size, err, "SELECT size FROM images WHERE id = ?", "t", id);
		if (r <= 0)
			return r < 0 ? r : err_set(err, ERR_NOT_FOUND, "No such image: %s", id);
		if ((uint64_t)size == hit->size) {
			*ret = image_ref(hit);
			return 0;
		}
		image_cache_clear(is); /* a lazy layer came, whose size was not known */
	}
	img = calloc(1, sizeof(*img));
	if (!img)
		abort();
	atomic_init(&img->refs, 1);
	img->arena = arena_new("image", IMAGE_ARENA_MAX);
	(void)str_copy(img->id, sizeof(img->id), id);
	r = load_row(c, img, err);
	if (r < 0)
		return r;
	r = read_config(is, img, err);
	if (r >= 0)
		r = compute_chains(img, err);
	if (r < 0)
		return err_wrap(err, "image '%s'", id);
	cache_put(is, img);
	*ret = STEAL(img);
	return 0;
}

/* ---- getters ---- */

const char *image_id(const struct image *img)
{
	return img->id;
}
const char *image_manifest_digest(const struct image *img)
{
	return img->manifest;
}
const struct image_config *image_config(const struct image *img)
{
	return &img->config;
}
struct slice image_config_json(const struct image *img)
{
	return img->json;
}
uint64_t image_size(const struct image *img)
{
	return img->size;
}
int64_t image_created(const struct image *img)
{
	return img->created;
}
int64_t image_tagged_at(const struct image *img)
{
	return img->added;
}
const char *image_chain_id(const struct image *img, size_t i)
{
	return i < img->config.diff_ids.n ? img->chains[i] : NULL;
}

/* ---- queries ---- */

int image_resolve_platform(struct image_store *is, const char *text, const char *platform,
			   struct image **ret, struct err *err)
{
	struct db_conn *c = db_reader(is->db);
	CLEANUP(image_unref) struct image *img = NULL;
	struct image_found f;
	int r = image_find_platform(c, text, platform, &f, err);

	if (r >= 0)
		r = image_open_in(is, c, f.id, &img, err);
	if (r >= 0 && platform && !f.index[0] && !image_is_for(img, platform))
		r = image_not_for(text, platform, err);
	if (r < 0)
		return r;
	*ret = STEAL(img);
	return 0;
}

int image_resolve(struct image_store *is, const char *text, struct image **ret, struct err *err)
{
	return image_resolve_platform(is, text, NULL, ret, err);
}

int64_t image_count(struct image_store *is)
{
	int64_t n = 0;

	/* A failed count shows as none; whatever is wrong is reported by the next real query. */
	(void)db_query_int(db_reader(is->db), &n, NULL, "SELECT count(*) FROM images", "");
	return n;
}

int image_list(struct image_store *is, struct arena *a, struct image ***ret, size_t *ret_n,
	       struct err *err)
{
	CLEANUP(db_row_done) struct db_row *row = NULL;
	struct db_conn *c = db_reader(is->db);
	int64_t count = 0;
	struct image **list;
	const char *id;
	size_t n = 0;
	int r;

	r = db_query_int(c, &count, err, "SELECT count(*) FROM images", "");
	if (r < 0)
		return r;
	list = ARENA_ARRAY(a, struct image *, (size_t)count + 1);
	if (!list)
		return arena_quota(a, err);
	r = db_query(c, &row, err, "SELECT id FROM images ORDER BY created DESC, id", "");
	while (r >= 0 && (r = db_row_next(row, err)) > 0 && n < (size_t)count) {
		db_row_get(row, "t", &id);
		r = image_open_in(is, c, id, &list[n], err);
		n += r >= 0;
	}
	if (r < 0) {
		while (n-- > 0)
			image_unref(list[n]);
		return r;
	}
	*ret = list;
	*ret_n = n;
	return 0;
}

static int collect_names(struct db_conn *c, const char *sql, const char *id, bool digest,
			 struct arena *a, struct strv *ret, struct err *err)
{
	CLEANUP(db_row_done) struct db_row *row = NULL;
	const char **v = NULL, *repo, *what;
	size_t n = 0, cap = 0;
	int r;

	r = db_query(c, &row, err, sql, "t", id);
	while (r >= 0 && (r = db_row_next(row, err)) > 0) {
		struct image_name name = { 0 };
		char text[IMAGE_NAME_TEXT_MAX];

		if (n + 1 >= cap) {
			v = arena_grow(a, v, cap * sizeof(*v), (cap + 8) * sizeof(*v));
			if (!v)
				return arena_quota(a, err);
			cap += 8;
		}
		db_row_get(row, "tt", &repo, &what);
		(void)str_copy(name.name, sizeof(name.name), repo);
		if (digest)
			(void)str_copy(name.digest, sizeof(name.digest), what);
		else
			(void)str_copy(name.tag, sizeof(name.tag), what);
		v[n] = arena_strdup(a, image_name_familiar(&name, text));
		if (!v[n++])
			return arena_quota(a, err);
		v[n] = NULL;
	}
	*ret = (struct strv){ v, n };
	return r;
}

int image_names(struct image_store *is, const struct image *img, struct arena *a,
		struct strv *ret_tags, struct strv *ret_digests, struct err *err)
{
	struct db_conn *c = db_reader(is->db);
	int r;

	r = collect_names(c,
			  "SELECT repo, tag FROM refs WHERE image = ?1 OR idx IN (SELECT idx FROM"
			  " index_images WHERE image = ?1) ORDER BY repo, tag",
			  img->id, false, a, ret_tags, err);
	if (r >= 0)
		r = collect_names(
			c,
			"SELECT repo, digest FROM digests WHERE image = ?1 OR digest IN (SELECT"
			" idx FROM index_images WHERE image = ?1) ORDER BY repo, digest",
			img->id, true, a, ret_digests, err);
	return r;
}

int image_layer_sizes(struct image_store *is, const struct image *img, uint64_t *ret,
		      struct err *err)
{
	for (size_t i = 0; i < img->config.diff_ids.n; i++) {
		int64_t size = 0;
		int r = db_query_int(db_reader(is->db), &size, err,
				     "SELECT size FROM layers WHERE chain = ?", "t",
				     img->chains[i]);

		if (r < 0)
			return r;
		ret[i] = (uint64_t)size;
	}
	return 0;
}
