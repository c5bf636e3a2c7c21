/* SPDX-License-Identifier: Apache-2.0 */
/*
 * docker save. The plan is made by queries; the writing, on any thread, needs only files, which a
 * lease keeps. Equal contents of the store give equal bytes: blobs are sorted by name, times are 0.
 */
#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "doc/json.h"
#include "image/layers.h"
#include "image/lazy.h"
#include "image/manifest.h"
#include "image/private.h"
#include "image/tar.h"
#include "linux/path.h"
#include "linux/sys.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_MAX (64u << 20)
#define IMAGES_MAX 1024
#define NAMES_MAX 256 /* of one image */
#define COPY_SIZE (256u << 10)
#define MANIFEST_MAX (16 << 20)

struct names {
	struct image_name *v;
	size_t n;
};

struct saved {
	char id[IMAGE_DIGEST_MAX], manifest_digest[IMAGE_DIGEST_MAX];
	struct manifest manifest;
	uint64_t manifest_size;
	struct names names; /* in docker's documents */
	struct names alone; /* those that mean it without an index */
	bool listed;	    /* in docker's documents; of an index only what its names mean alone */
	bool single;	    /* in index.json by itself */
};

/* With the platforms that go along. */
struct saved_index {
	const char *digest, *media;
	uint64_t size;
	struct names names;
};

struct image_save {
	struct image_store *is;
	int layout; /* instead of the store: root of an OCI layout; -1 = none */
	struct arena *arena;
	struct saved *images;
	size_t n;
	struct saved_index *indexes;
	size_t nindexes;
	const char **blobs; /* digests, sorted, each once */
	size_t nblobs, cap;
	struct slice index, manifest, repositories;
};

/* The file of a blob. */
static int open_blob(struct image_save *s, const char *digest, int *ret, struct err *err)
{
	char path[IMAGE_DIGEST_MAX + 16];
	int r;

	(void)snprintf(path, sizeof(path), "blobs/%.6s/%s", digest, IMAGE_HEX(digest));
	r = s->is ? path_open_beneath(image_blob_dir(s->is, digest), IMAGE_HEX(digest), O_RDONLY, 0,
				      ret, err)
		  : path_open_beneath(s->layout, path, O_RDONLY, 0, ret, err);
	return r < 0 ? err_wrap(err, "blob '%s'", digest) : 0;
}

/* ---- the plan ---- */

static int add_blob(struct image_save *s, const char *digest, struct err *err)
{
	const char **v = s->blobs;

	if (s->nblobs == s->cap) {
		v = arena_grow(s->arena, v, s->cap * sizeof(*v), (s->cap + 256) * sizeof(*v));
		if (!v)
			return arena_quota(s->arena, err);
		s->blobs = v;
		s->cap += 256;
	}
	s->blobs[s->nblobs] = arena_strdup(s->arena, digest);
	return s->blobs[s->nblobs++] ? 0 : arena_quota(s->arena, err);
}

static int read_manifest(struct image_save *s, struct saved *sv, struct err *err)
{
	CLEANUP(fd_close) int fd = -1;
	struct stat st;
	char *bytes;
	int r;

	r = open_blob(s, sv->manifest_digest, &fd, err);
	if (r < 0)
		return r;
	if (sys_fstat(fd, &st) < 0)
		return err_sys(err, "look at manifest '%s'", sv->manifest_digest);
	if (st.st_size > MANIFEST_MAX)
		return err_set(err, ERR_TOO_LARGE, "manifest '%s' is too large",
			       sv->manifest_digest);
	sv->manifest_size = (uint64_t)st.st_size;
	bytes = arena_alloc(s->arena, sv->manifest_size + 1);
	if (!bytes)
		return arena_quota(s->arena, err);
	if (fd_read_full(fd, bytes, sv->manifest_size) != (ssize_t)sv->manifest_size)
		return err_sys(err, "read manifest '%s'", sv->manifest_digest);
	r = manifest_parse(s->arena, slice_of(bytes, sv->manifest_size), NULL, &sv->manifest, err);
	if (r < 0)
		return r;
	if (sv->manifest.kind != MANIFEST_IMAGE)
		return err_set(err, ERR_INVALID, "manifest '%s' is an index", sv->manifest_digest);
	r = add_blob(s, sv->manifest_digest, err);
	if (r >= 0)
		r = add_blob(s, sv->manifest.config.digest, err);
	for (size_t i = 0; i < sv->manifest.n && r >= 0; i++)
		r = add_blob(s, sv->manifest.parts[i].digest, err);
	return r;
}

/* "linux/arm" means all its variants, and "linux/arm64/v8" one that is not told too. */
static bool is_for(const char *own, const char *platform)
{
	static const char *const usual[] = { "arm64/v8", "arm/v7", "amd64/v1" };
	size_t n = strlen(platform), k;

	if (strncmp(own, platform, n) == 0 && (own[n] == '\0' || own[n] == '/'))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(usual); i++) {
		k = strlen(usual[i]);
		if (n > k && strcmp(platform + n - k, usual[i]) == 0)
			return strlen(own) == n - 3 && strncmp(own, platform, n - 3) == 0;
	}
	return false;
}

static const char *own_platform(const struct image *img, char dst[128])
{
	const struct image_config *c = image_config(img);

	return manifest_platform_text(&(struct manifest_platform){ .os = c->os,
								   .architecture = c->architecture,
								   .variant = c->variant },
				      dst);
}

/* What of the platforms asked for one name has brought. */
struct wanted {
	const struct strv *platforms; /* n == 0: any */
	uint64_t found;		      /* bits */
};

/* An image of that platform is one of those that are wanted. */
static bool is_wanted(struct wanted *w, const char *own)
{
	bool yes = w->platforms->n == 0;

	for (size_t i = 0; i < w->platforms->n; i++)
		if (is_for(own, w->platforms->v[i])) {
			w->found |= (uint64_t)1 << i;
			yes = true;
		}
	return yes;
}

static int check_found(const struct wanted *w, const char *name, struct err *err)
{
	for (size_t i = 0; i < w->platforms->n; i++)
		if (!(w->found & (uint64_t)1 << i))
			return err_set(err, ERR_NOT_FOUND,
				       "image '%s' was not found for the platform %s: pull it with "
				       "--platform %s first",
				       name, w->platforms->v[i], w->platforms->v[i]);
	return 0;
}

/* The row of an image, which it has once. */
static int add_manifest(struct image_save *s, const char *id, const char *manifest,
			struct saved **ret, struct err *err)
{
	struct saved *sv;

	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->images[i].id, id) == 0 &&
		    strcmp(s->images[i].manifest_digest, manifest) == 0) {
			*ret = &s->images[i];
			return 0;
		}
	if (s->n == IMAGES_MAX)
		return err_set(err, ERR_TOO_LARGE, "more than %u images in one archive",
			       IMAGES_MAX);
	sv = &s->images[s->n++];
	if (s->is && lazy_check_here(db_reader(s->is->db), id, err) < 0)
		return err_wrap(err, "image '%s' cannot be saved", id);
	(void)str_copy(sv->id, sizeof(sv->id), id);
	(void)str_copy(sv->manifest_digest, sizeof(sv->manifest_digest), manifest);
	*ret = sv;
	return read_manifest(s, sv, err);
}

static int add_single(struct image_save *s, const struct image *img, const char *manifest,
		      struct saved **ret, struct err *err)
{
	int r = add_manifest(s, image_id(img), manifest, ret, err);

	if (r >= 0)
		(*ret)->single = (*ret)->listed = true;
	return r;
}

static int add_name(struct image_save *s, struct names *to, const struct image_name *name,
		    struct err *err)
{
	for (size_t i = 0; i < to->n; i++)
		if (strcmp(to->v[i].name, name->name) == 0 && strcmp(to->v[i].tag, name->tag) == 0)
			return 0;
	if (!to->v)
		to->v = ARENA_ARRAY(s->arena, struct image_name, NAMES_MAX);
	if (!to->v)
		return arena_quota(s->arena, err);
	if (to->n == NAMES_MAX)
		return err_set(err, ERR_TOO_LARGE, "an image has more than %u names", NAMES_MAX);
	to->v[to->n++] = *name;
	return 0;
}

static int add_names(struct image_save *s, struct saved *sv, const struct image_name *name,
		     struct err *err)
{
	int r = add_name(s, &sv->names, name, err);

	return r < 0 ? r : add_name(s, &sv->alone, name, err);
}

/* ---- an index ---- */

static int index_row(struct image_save *s, const struct index_item *top, struct saved_index **ret,
		     struct err *err)
{
	for (size_t i = 0; i < s->nindexes; i++)
		if (strcmp(s->indexes[i].digest, top->d.digest) == 0) {
			*ret = &s->indexes[i];
			return 0;
		}
	if (!s->indexes)
		s->indexes = ARENA_ARRAY(s->arena, struct saved_index, IMAGES_MAX);
	if (!s->indexes)
		return arena_quota(s->arena, err);
	if (s->nindexes == IMAGES_MAX)
		return err_set(err, ERR_TOO_LARGE, "more than %u indexes in one archive",
			       IMAGES_MAX);
	*ret = &s->indexes[s->nindexes++];
	**ret = (struct saved_index){ .digest = top->d.digest,
				      .media = top->d.media,
				      .size = (uint64_t)top->d.size };
	return 0;
}

/* Its own platforms of what is wanted: those whose image is here. What it names besides, as
 * attestations, goes along when it is here. */
static int add_item(struct image_save *s, const struct index_item *it, struct wanted *w,
		    struct saved **ret, struct err *err)
{
	CLEANUP(image_unref) struct image *img = NULL;
	char own[128];
	int r;

	*ret = NULL;
	if (!it->here || it->doc.kind == MANIFEST_INDEX)
		return it->here ? add_blob(s, it->d.digest, err) : 0;
	if (!it->id) {
		r = it->whole && manifest_is_attestation(&it->d) ? add_blob(s, it->d.digest, err)
								 : 1;
		if (r == 0)
			r = add_blob(s, it->doc.config.digest, err);
		for (size_t i = 0; i < it->doc.n && r == 0; i++)
			r = add_blob(s, it->doc.parts[i].digest, err);
		return MIN(r, 0);
	}
	r = image_open_in(s->is, db_reader(s->is->db), it->id, &img, err);
	if (r < 0 || !is_wanted(w, it->d.platform ? manifest_platform_text(it->d.platform, own)
						  : own_platform(img, own)))
		return r;
	return add_manifest(s, it->id, it->d.digest, ret, err);
}

/* `id`: the image that the name means alone. One platform goes without the index, as docker's. */
static int add_index(struct image_save *s, const char *index, const char *id,
		     const struct image_name *name, struct wanted *w, struct err *err)
{
	bool all = w->platforms->n != 1;
	struct saved *sv, *best = NULL;
	struct saved_index *row = NULL;
	struct index_items items;
	int r;

	index = arena_strdup(s->arena, index);
	if (!index)
		return arena_quota(s->arena, err);
	r = index_read(s->is, db_reader(s->is->db), s->arena, index, &items, err);
	if (r >= 0 && all)
		r = index_row(s, &items.v[items.n - 1], &row, err);
	for (size_t i = 0; i < items.n && r >= 0; i++) {
		if (!all && (!items.v[i].id || (best && items.v[i].id)))
			continue;
		r = add_item(s, &items.v[i], w, &sv, err);
		if (r >= 0 && sv && (!best || strcmp(sv->id, id) == 0))
			best = sv;
	}
	if (r < 0 || !best)
		return r;
	best->listed = true;
	best->single |= !all;
	if (!name)
		return 0;
	r = add_name(s, &best->names, name, err);
	return r < 0 ? r : add_name(s, all ? &row->names : &best->alone, name, err);
}

/* ---- names ---- */

static int add_found(struct image_save *s, const struct image_found *f,
		     const struct image_name *name, struct wanted *w, struct err *err)
{
	CLEANUP(image_unref) struct image *img = NULL;
	struct saved *sv;
	char own[128];
	int r;

	if (f->index[0])
		return add_index(s, f->index, f->id, name, w, err);
	r = image_open_in(s->is, db_reader(s->is->db), f->id, &img, err);
	if (r < 0 || !is_wanted(w, own_platform(img, own)))
		return r;
	r = add_single(s, img, image_manifest_digest(img), &sv, err);
	return r < 0 || !name ? r : add_names(s, sv, name, err);
}

/* "repo" alone means all its tags. */
static int add_repo(struct image_save *s, struct image_name *name, struct wanted *w,
		    struct err *err)
{
	CLEANUP(db_row_done) struct db_row *row = NULL;
	struct db_conn *c = db_reader(s->is->db);
	const char *tag, *id, *index = NULL;
	int r, n = 0;

	r = db_query(c, &row, err, "SELECT tag, image, idx FROM refs WHERE repo = ? ORDER BY tag",
		     "t", name->name);
	while (r >= 0 && (r = db_row_next(row, err)) > 0) {
		struct image_found f = { 0 };

		db_row_get(row, "ttt", &tag, &id, &index);
		(void)str_copy(name->tag, sizeof(name->tag), tag);
		(void)str_copy(f.id, sizeof(f.id), id);
		(void)str_copy(f.index, sizeof(f.index), index ? index : "");
		n++;
		r = add_found(s, &f, name, w, err);
	}
	return r < 0 ? r : n;
}

static int add_text(struct image_save *s, const char *text, const struct strv *platforms,
		    struct err *err)
{
	struct wanted w = { .platforms = platforms };
	struct image_name name;
	struct image_found f;
	int r;

	if (image_name_parse(text, &name, NULL) == 0 && !name.tag[0] && !name.digest[0]) {
		r = add_repo(s, &name, &w, err);
		if (r)
			return r < 0 ? r : check_found(&w, text, err);
	}
	r = image_find(db_reader(s->is->db), text, &f, err);
	if (r >= 0)
		r = add_found(s, &f, f.by_id || !f.name.tag[0] ? NULL : &f.name, &w, err);
	return r < 0 ? r : check_found(&w, text, err);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void sort_blobs(struct image_save *s)
{
	size_t n = 0;

	qsort(s->blobs, s->nblobs, sizeof(*s->blobs), by_text);
	for (size_t i = 0; i < s->nblobs; i++)
		if (!n || strcmp(s->blobs[n - 1], s->blobs[i]) != 0)
			s->blobs[n++] = s->blobs[i];
	s->nblobs = n;
}

/* ---- documents ---- */

static const char *blob_path(struct arena *a, const char *digest)
{
	return arena_printf(a, "blobs/%.6s/%s", digest, IMAGE_HEX(digest));
}

static void add_descriptor(struct image_save *s, const struct saved_index *what,
			   const struct image_name *name, struct doc *manifests)
{
	struct doc *d = doc_append_object(s->arena, manifests), *notes;
	char text[IMAGE_NAME_TEXT_MAX];

	doc_set_str(s->arena, d, "mediaType", what->media);
	doc_set_str(s->arena, d, "digest", what->digest);
	doc_set_uint(s->arena, d, "size", what->size);
	if (!name)
		return;
	notes = doc_set_object(s->arena, d, "annotations");
	doc_set_str(s->arena, notes, "io.containerd.image.name",
		    arena_strdup(s->arena, image_name_full(name, text)));
	doc_set_str(s->arena, notes, "org.opencontainers.image.ref.name", name->tag);
}

/* Once for each name. */
static void add_to_index(struct image_save *s, const struct saved_index *what,
			 struct doc *manifests)
{
	for (size_t k = 0; k < what->names.n; k++)
		add_descriptor(s, what, &what->names.v[k], manifests);
	if (!what->names.n)
		add_descriptor(s, what, NULL, manifests);
}

static void add_to_manifest(struct image_save *s, const struct saved *sv, struct doc *list)
{
	struct doc *d = doc_append_object(s->arena, list), *tags, *layers;
	char text[IMAGE_NAME_TEXT_MAX];

	doc_set_str(s->arena, d, "Config", blob_path(s->arena, sv->manifest.config.digest));
	if (sv->names.n) {
		tags = doc_set(s->arena, d, "RepoTags", doc_array());
		for (size_t i = 0; i < sv->names.n; i++)
			doc_append(s->arena, tags,
				   doc_str(s->arena, image_name_familiar(&sv->names.v[i], text)));
	} else {
		doc_set(s->arena, d, "RepoTags", (struct doc){ .type = DOC_NULL });
	}
	layers = doc_set(s->arena, d, "Layers", doc_array());
	for (size_t i = 0; i < sv->manifest.n; i++)
		doc_append(s->arena, layers,
			   doc_str(s->arena, blob_path(s->arena, sv->manifest.parts[i].digest)));
}

static void add_to_repositories(struct image_save *s, const struct saved *sv, struct doc *repos)
{
	for (size_t i = 0; i < sv->names.n; i++) {
		struct image_name bare = sv->names.v[i];
		char text[IMAGE_NAME_TEXT_MAX];
		struct doc *tags;

		bare.tag[0] = '\0';
		(void)image_name_familiar(&bare, text);
		tags = doc_get(repos, text);
		if (!tags)
			tags = doc_set_object(s->arena, repos, arena_strdup(s->arena, text));
		doc_set_str(s->arena, tags, sv->names.v[i].tag, IMAGE_HEX(sv->id));
	}
}

static int make_documents(struct image_save *s, struct err *err)
{
	struct arena *a = s->arena;
	struct doc *index = doc_new_object(a), *list = doc_new_array(a), *repos = doc_new_object(a),
		   *manifests;
	int r;

	doc_set_int(a, index, "schemaVersion", 2);
	doc_set_str(a, index, "mediaType", MEDIA_OCI_INDEX);
	manifests = doc_set(a, index, "manifests", doc_array());
	for (size_t i = 0; i < s->n; i++) {
		const struct saved *sv = &s->images[i];
		const struct saved_index one = { sv->manifest_digest, sv->manifest.media,
						 sv->manifest_size, sv->alone };

		if (sv->single)
			add_to_index(s, &one, manifests);
		if (sv->listed) {
			add_to_manifest(s, sv, list);
			add_to_repositories(s, sv, repos);
		}
	}
	for (size_t i = 0; i < s->nindexes; i++)
		add_to_index(s, &s->indexes[i], manifests);
	if (arena_exceeded(a))
		return arena_quota(a, err);
	r = json_print(a, index, NULL, &s->index, err);
	if (r >= 0)
		r = json_print(a, list, NULL, &s->manifest, err);
	if (r >= 0 && doc_len(repos))
		r = json_print(a, repos, NULL, &s->repositories, err);
	return r;
}

static int save_new(struct image_save **ret, struct err *err)
{
	CLEANUP(image_save_free) struct image_save *s = calloc(1, sizeof(*s));

	if (!s)
		abort();
	s->layout = -1;
	s->arena = arena_new("save", ARENA_MAX);
	s->images = ARENA_ARRAY(s->arena, struct saved, IMAGES_MAX);
	if (!s->images)
		return arena_quota(s->arena, err);
	*ret = STEAL(s);
	return 0;
}

int image_save_new(struct image_store *is, const struct strv *names, const struct strv *platforms,
		   struct image_save **ret, struct err *err)
{
	CLEANUP(image_save_free) struct image_save *s = NULL;
	int r;

	r = save_new(&s, err);
	if (r < 0)
		return r;
	s->is = is;
	if (platforms->n > IMAGE_PLATFORMS_MAX)
		return err_set(err, ERR_TOO_LARGE, "more than %d platforms", IMAGE_PLATFORMS_MAX);
	if (!names->n)
		return err_set(err, ERR_BAD_REQUEST, "no image was named to be saved");
	for (size_t i = 0; i < names->n && r >= 0; i++)
		r = add_text(s, names->v[i], platforms, err);
	if (r >= 0)
		r = make_documents(s, err);
	if (r < 0)
		return r;
	sort_blobs(s);
	*ret = STEAL(s);
	return 0;
}

void image_save_free(struct image_save *s)
{
	if (!s)
		return;
	arena_free(s->arena);
	free(s);
}

size_t image_save_count(const struct image_save *s)
{
	return s->n;
}

const char *image_save_id(const struct image_save *s, size_t i)
{
	return i < s->n ? s->images[i].id : NULL;
}

/* ---- writing ---- */

static int put(void *ctx, const void *p, size_t n, struct err *err)
{
	if (fd_write_all(*(int *)ctx, p, n) == 0)
		return 0;
	return errno == EPIPE ? err_set(err, ERR_UNAVAILABLE, "the reader of the archive has gone")
			      : err_sys(err, "write the archive");
}

static int put_dir(struct tar_writer *t, const char *name, struct err *err)
{
	const struct tar_entry e = { .type = TAR_DIR, .name = name, .link = "", .mode = 0755 };

	return tar_writer_entry(t, &e, err);
}

static int put_text(struct tar_writer *t, const char *name, struct slice s, struct err *err)
{
	const struct tar_entry e = {
		.type = TAR_REG, .name = name, .link = "", .mode = 0644, .size = s.n
	};
	int r = tar_writer_entry(t, &e, err);

	return r < 0 ? r : tar_writer_data(t, s.p, s.n, err);
}

/* Its bytes were verified when they came; here only their number is. */
static int put_blob(struct image_save *s, struct tar_writer *t, const char *digest, char *copy,
		    struct err *err)
{
	CLEANUP(fd_close) int fd = -1;
	struct tar_entry e = { .type = TAR_REG, .link = "", .mode = 0644 };
	char path[IMAGE_DIGEST_MAX + 16];
	struct stat st;
	int r;

	r = open_blob(s, digest, &fd, err);
	if (r < 0)
		return r;
	if (sys_fstat(fd, &st) < 0)
		return err_sys(err, "look at blob '%s'", digest);
	(void)snprintf(path, sizeof(path), "blobs/%.6s/%s", digest, IMAGE_HEX(digest));
	e.name = path;
	e.size = (uint64_t)st.st_size;
	r = tar_writer_entry(t, &e, err);
	while (r >= 0 && t->left) {
		ssize_t n = fd_read_full(fd, copy, (size_t)MIN(t->left, (uint64_t)COPY_SIZE));

		if (n < 0)
			return err_sys(err, "read blob '%s'", digest);
		if (n == 0)
			return err_set(err, ERR_INVALID, "blob '%s' ends too early", digest);
		r = tar_writer_data(t, copy, (size_t)n, err);
	}
	return r;
}

static int put_blobs(struct image_save *s, struct tar_writer *t, struct err *err)
{
	CLEANUP_FREE char *copy = malloc(COPY_SIZE);
	int r = put_dir(t, "blobs/", err);

	if (!copy)
		abort();
	for (size_t i = 0; i < s->nblobs && r >= 0; i++) {
		char dir[32];

		if (i == 0 || strncmp(s->blobs[i], s->blobs[i - 1], 6) != 0) {
			(void)snprintf(dir, sizeof(dir), "blobs/%.6s/", s->blobs[i]);
			r = put_dir(t, dir, err);
		}
		if (r >= 0)
			r = put_blob(s, t, s->blobs[i], copy, err);
	}
	return r;
}

static int put_all(struct image_save *s, int out, struct err *err)
{
	struct tar_writer t;
	int r;

	tar_writer_init(&t, put, &out);
	r = put_blobs(s, &t, err);
	if (r >= 0)
		r = put_text(&t, "index.json", s->index, err);
	if (r >= 0 && s->manifest.n)
		r = put_text(&t, "manifest.json", s->manifest, err);
	if (r >= 0)
		r = put_text(&t, "oci-layout", SLICE("{\"imageLayoutVersion\":\"1.0.0\"}"), err);
	if (r >= 0 && s->repositories.n)
		r = put_text(&t, "repositories", s->repositories, err);
	return r < 0 ? r : tar_writer_finish(&t, err);
}

int image_save_write(struct image_save *s, int out, struct err *err)
{
	CLEANUP(image_lease_free) struct image_lease *lease = NULL;
	int r;

	r = image_lease_new(s->is, &lease, err);
	for (size_t i = 0; i < s->n && r >= 0; i++)
		r = image_lease_add(lease, IMAGE_ITEM_IMAGE, s->images[i].id, err);
	if (r >= 0)
		r = put_all(s, out, err);
	return r < 0 ? err_wrap(err, "save") : 0;
}

/* ---- an archive of a layout ---- */

static int list_blobs(struct image_save *s, const char *alg, struct err *err)
{
	CLEANUP(fd_close) int fd = -1;
	char path[32];
	struct dirent *e;
	DIR *d;
	int r;

	(void)snprintf(path, sizeof(path), "blobs/%s", alg);
	r = path_open_beneath(s->layout, path, O_RDONLY | O_DIRECTORY, 0, &fd, err);
	if (r < 0)
		return r == -ERR_NOT_FOUND ? 0 : r;
	d = fdopendir(fd);
	if (!d)
		return err_sys(err, "list '%s'", path);
	fd = -1; /* closedir has it */
	r = 0;
	while (r >= 0 && (errno = 0, e = readdir(d))) {
		char digest[IMAGE_DIGEST_MAX + 256];

		(void)snprintf(digest, sizeof(digest), "%s:%s", alg, e->d_name);
		if (image_digest_valid(slice_str(digest)))
			r = add_blob(s, digest, err);
	}
	if (r >= 0 && errno)
		r = err_sys(err, "list '%s'", path);
	closedir(d);
	return r;
}

static int plain_index(struct image_save *s, const struct image_save_layout *o, struct err *err)
{
	struct doc *index = doc_new_object(s->arena), *d;

	doc_set_int(s->arena, index, "schemaVersion", 2);
	d = doc_append_object(s->arena, doc_set_array(s->arena, index, "manifests"));
	doc_set_str(s->arena, d, "mediaType", o->media);
	doc_set_str(s->arena, d, "digest", o->digest);
	doc_set_uint(s->arena, d, "size", o->size);
	if (o->ref[0])
		doc_set_str(s->arena, doc_set_object(s->arena, d, "annotations"),
			    "org.opencontainers.image.ref.name", o->ref);
	return json_print(s->arena, index, NULL, &s->index, err);
}

static int docker_documents(struct image_save *s, const struct image_save_layout *o,
			    struct err *err)
{
	struct saved *sv = &s->images[s->n++];
	int r;

	(void)str_copy(sv->manifest_digest, sizeof(sv->manifest_digest), o->digest);
	r = read_manifest(s, sv, err);
	if (r < 0)
		return r;
	(void)str_copy(sv->id, sizeof(sv->id), sv->manifest.config.digest);
	sv->single = sv->listed = true;
	if (o->name)
		r = add_names(s, sv, o->name, err);
	s->nblobs = 0; /* as they lie there, below */
	return r < 0 ? r : make_documents(s, err);
}

int image_save_layout(const struct image_save_layout *o, int out, struct err *err)
{
	CLEANUP(image_save_free) struct image_save *s = NULL;
	int r;

	r = save_new(&s, err);
	if (r < 0)
		return r;
	s->layout = o->dir;
	r = o->docker ? docker_documents(s, o, err) : plain_index(s, o, err);
	for (int i = 0; i < IMAGE_DIGEST_ALGS && r >= 0; i++)
		r = list_blobs(s, image_digest_names[i], err);
	if (r < 0)
		return r;
	sort_blobs(s);
	return put_all(s, out, err);
}
