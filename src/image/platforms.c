/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several platforms under one name. A reference may mean an index: refs.idx is its digest, and
 * index_images says which of what it names are images here. refs.image is the one that the name
 * means alone. The index's bytes are a blob of each of these images, so it lives as long as any.
 */
#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "image/private.h"

#include <stdio.h>
#include <string.h>

#define HERE_MAX 512 /* platforms of one index that are looked at */

/* ---- platforms as text ---- */

struct platform_text {
	char text[128];
	struct manifest_platform p;
	bool more; /* than three parts */
};

/* "os/arch[/variant]", also with the names that the kernel has for CPUs. */
static void take_platform(struct platform_text *t, const char *text)
{
	const char *part[3] = { "", "", "" };
	char *at = t->text;

	(void)str_copy(t->text, sizeof(t->text), text);
	for (size_t i = 0; i < ARRAY_LEN(part) && at; i++)
		part[i] = strsep(&at, "/");
	if (strcmp(part[1], "x86_64") == 0)
		part[1] = "amd64";
	else if (strcmp(part[1], "aarch64") == 0)
		part[1] = "arm64";
	t->p = (struct manifest_platform){ .os = part[0],
					   .architecture = part[1],
					   .variant = part[2][0] ? part[2] : NULL };
	t->more = at != NULL;
}

/* As manifest_pick() is asked. */
static const char *wanted_text(const char *platform, char dst[128])
{
	struct platform_text t;

	take_platform(&t, platform);
	if (!t.p.architecture[0])
		t.p.architecture = manifest_host_arch;
	return manifest_platform_text(&t.p, dst);
}

bool image_is_for(const struct image *img, const char *platform)
{
	const struct image_config *ic = image_config(img);
	const struct manifest_platform own = { .os = ic->os,
					       .architecture = ic->architecture,
					       .variant = ic->variant };
	const struct manifest_desc d = { .media = "", .platform = &own }, *picked;
	const struct manifest one = { .kind = MANIFEST_INDEX, .parts = &d, .n = 1 };
	struct platform_text t;
	char text[128];

	take_platform(&t, platform);
	if (!t.p.architecture[0])
		return strcmp(t.p.os, ic->os) == 0;
	return manifest_pick(&one, wanted_text(platform, text), &picked, NULL) == 0;
}

/* ---- choosing ---- */

struct here {
	char id[IMAGE_DIGEST_MAX];
	struct platform_text platform;
};

static int list_here(struct db_conn *c, const char *index, struct here *v, size_t *ret_n,
		     struct err *err)
{
	CLEANUP(db_row_done) struct db_row *row = NULL;
	const char *id, *platform;
	size_t n = 0;
	int r;

	r = db_query(c, &row, err, "SELECT image, platform FROM index_images WHERE idx = ? LIMIT ?",
		     "ti", index, (int64_t)HERE_MAX);
	while (r >= 0 && (r = db_row_next(row, err)) > 0) {
		db_row_get(row, "tt", &id, &platform);
		(void)str_copy(v[n].id, sizeof(v[n].id), id);
		take_platform(&v[n++].platform, platform);
	}
	*ret_n = n;
	return r;
}

int index_choose(struct db_conn *c, const char *index, const char *platform,
		 char ret_id[IMAGE_DIGEST_MAX], struct err *err)
{
	CLEANUP_FREE struct here *v = calloc(HERE_MAX, sizeof(*v));
	CLEANUP_FREE struct manifest_desc *parts = calloc(HERE_MAX, sizeof(*parts));
	struct manifest m = { .kind = MANIFEST_INDEX, .parts = parts };
	const struct manifest_desc *best;
	char text[128];

	if (!v || !parts)
		abort();
	if (list_here(c, index, v, &m.n, err) < 0)
		return err_ret(err);
	for (size_t i = 0; i < m.n; i++)
		parts[i] = (struct manifest_desc){ .media = "", .platform = &v[i].platform.p };
	if (manifest_pick(&m, wanted_text(platform, text), &best, NULL) < 0)
		return 0;
	(void)str_copy(ret_id, IMAGE_DIGEST_MAX, v[best - parts].id);
	return 1;
}

int image_not_for(const char *text, const char *platform, struct err *err)
{
	return err_set(err, ERR_NOT_FOUND,
		       "image with reference %s was found but does not provide the specified "
		       "platform (%s)",
		       text, platform);
}

/* By what the row knows: no variant. */
static int check_row(struct db_conn *c, const char *id, const struct platform_text *t,
		     struct err *err)
{
	int64_t one;

	return db_query_int(c, &one, err,
			    "SELECT 1 FROM images WHERE id = ? AND os = ? AND ?3 IN ('', arch)",
			    "ttt", id, t->p.os, t->p.architecture);
}

int image_find_platform(struct db_conn *c, const char *text, const char *platform,
			struct image_found *ret, struct err *err)
{
	struct platform_text t;
	int r = image_find(c, text, ret, err);

	if (r < 0 || !platform)
		return r;
	take_platform(&t, strlen(platform) < sizeof(t.text) ? platform : "");
	if (!t.p.os[0] || t.more)
		return err_set(err, ERR_BAD_REQUEST,
			       "\"%.120s\" is an invalid platform: it reads os[/arch[/variant]]",
			       platform);
	r = ret->index[0] ? index_choose(c, ret->index, platform, ret->id, err)
			  : check_row(c, ret->id, &t, err);
	return r < 0 ? r : r == 0 ? image_not_for(text, platform, err) : 0;
}

int index_hand_over(struct db_conn *c, const char *id, struct err *err)
{
	int r;

	r = db_exec(c, err,
		    "UPDATE refs SET image = (SELECT image FROM index_images AS o WHERE o.idx ="
		    " refs.idx AND o.image != ?1 LIMIT 1) WHERE image = ?1 AND idx IN (SELECT idx"
		    " FROM index_images WHERE image != ?1)",
		    "t", id);
	return r < 0 ? r
		     : db_exec(c, err,
			       "UPDATE digests SET image = (SELECT image FROM index_images AS o"
			       " WHERE o.idx = digests.digest AND o.image != ?1 LIMIT 1) WHERE"
			       " image = ?1 AND digest IN (SELECT idx FROM index_images WHERE"
			       " image != ?1)",
			       "t", id);
}

/* ---- what belongs together ---- */

bool image_is_further(struct image_store *is, const struct image *img)
{
	int64_t one;

	/* A query that fails shows one row too many. */
	return db_query_int(db_reader(is->db), &one, NULL,
			    "SELECT 1 FROM index_images AS o JOIN refs USING (idx) WHERE o.image ="
			    " ?1 AND NOT EXISTS (SELECT 1 FROM refs AS r WHERE r.image = ?1)",
			    "t", image_id(img)) > 0;
}

int image_meant(struct image_store *is, const char *text, struct arena *a, struct strv *ret,
		struct err *err)
{
	CLEANUP(db_row_done) struct db_row *row = NULL;
	struct db_conn *c = db_reader(is->db);
	const char **v = ARENA_ARRAY(a, const char *, HERE_MAX + 2), *id;
	struct image_found f;
	size_t n = 0;
	int r = v ? image_find(c, text, &f, err) : arena_quota(a, err);

	if (r < 0)
		return r;
	v[n++] = arena_strdup(a, f.id);
	r = db_query(c, &row, err,
		     "SELECT image FROM index_images WHERE image != ?1 AND (idx = ?2 OR (?3 AND"
		     " idx IN (SELECT idx FROM refs WHERE image = ?1))) LIMIT ?4",
		     "ttii", f.id, f.index, (int64_t)f.by_id, (int64_t)HERE_MAX);
	while (r >= 0 && (r = db_row_next(row, err)) > 0) {
		db_row_get(row, "t", &id);
		v[n++] = arena_strdup(a, id);
	}
	*ret = (struct strv){ v, n };
	return r < 0 ? r : arena_exceeded(a) ? arena_quota(a, err) : 0;
}

bool image_is_meant(struct image_store *is, const char *text, const char *id)
{
	struct image_found f;
	int64_t one;

	if (image_find(db_reader(is->db), text, &f, NULL) < 0)
		return false;
	return strcmp(f.id, id) == 0 ||
	       (f.index[0] && db_query_int(db_reader(is->db), &one, NULL,
					   "SELECT 1 FROM index_images WHERE idx = ? AND image = ?",
					   "tt", f.index, id) > 0);
}

/* ---- an index and all that it names ---- */

struct reading {
	struct image_store *is;
	struct db_conn *c;
	struct arena *a;
	const char *index;
	struct index_items out;
};

static int has_blob(struct db_conn *c, const char *digest, struct err *err)
{
	int64_t one;

	return db_query_int(c, &one, err, "SELECT 1 FROM blobs WHERE digest = ?", "t", digest);
}

static int read_item(struct reading *rd, struct index_item *it, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(rd->is->o.limits.json_max);
	char *copy;
	int r;

	r = fd_read_file(image_blob_dir(rd->is, it->d.digest), IMAGE_HEX(it->d.digest), &b, err);
	if (r < 0)
		return r;
	copy = arena_strndup(rd->a, buf_str(&b), b.n);
	if (!copy)
		return arena_quota(rd->a, err);
	it->bytes = slice_of(copy, b.n);
	if (!image_digest_matches(it->d.digest, it->bytes))
		return err_set(err, ERR_INVALID, "'%s' is damaged", it->d.digest);
	r = manifest_parse(rd->a, it->bytes, NULL, &it->doc, err);
	it->here = r >= 0;
	return r;
}

/* All blobs of an image's manifest; foreign layers are never here. */
static int check_whole(struct reading *rd, struct index_item *it, struct err *err)
{
	int r = has_blob(rd->c, it->doc.config.digest, err);

	for (size_t i = 0; i < it->doc.n && r > 0; i++)
		if (!manifest_is_foreign(&it->doc.parts[i]))
			r = has_blob(rd->c, it->doc.parts[i].digest, err);
	it->whole = r > 0;
	return MIN(r, 0);
}

static int find_image(struct reading *rd, struct index_item *it, struct err *err)
{
	CLEANUP(db_row_done) struct db_row *row = NULL;
	const char *id;
	int r;

	r = db_query(rd->c, &row, err,
		     "SELECT image FROM index_images WHERE idx = ? AND manifest = ?", "tt",
		     rd->index, it->d.digest);
	if (r >= 0)
		r = db_row_next(row, err);
	if (r <= 0)
		return r;
	db_row_get(row, "t", &id);
	it->id = arena_strdup(rd->a, id);
	return it->id ? 0 : arena_quota(rd->a, err);
}

static int add_item(struct reading *rd, const struct index_item *it, struct err *err)
{
	if (rd->out.n == INDEX_ITEMS_MAX)
		return err_set(err, ERR_TOO_LARGE, "it names more than %d manifests",
			       INDEX_ITEMS_MAX);
	rd->out.v[rd->out.n++] = *it;
	return 0;
}

static int read_down(struct reading *rd, struct index_item *it, int depth, struct err *err)
{
	int r = image_digest_valid(slice_str(it->d.digest))
			? has_blob(rd->c, it->d.digest, err)
			: 0; /* of an algorithm that nobody here could check */

	if (r > 0)
		r = read_item(rd, it, err);
	if (r >= 0 && it->here && it->doc.kind == MANIFEST_IMAGE) {
		r = check_whole(rd, it, err);
		if (r >= 0)
			r = find_image(rd, it, err);
	} else if (r >= 0 && it->here) {
		if (depth == INDEX_DEPTH)
			return err_set(err, ERR_INVALID, "more than %d indexes inside each other",
				       INDEX_DEPTH);
		it->whole = true;
		for (size_t i = 0; i < it->doc.n && r >= 0; i++) {
			struct index_item sub = { .d = it->doc.parts[i] };

			r = read_down(rd, &sub, depth + 1, err);
			it->whole &= sub.whole;
		}
	}
	return r < 0 ? r : add_item(rd, it, err);
}

int index_read(struct image_store *is, struct db_conn *c, struct arena *a, const char *index,
	       struct index_items *ret, struct err *err)
{
	struct reading rd = { .is = is, .c = c, .a = a, .index = index };
	struct index_item top = { .d = { .digest = index } };
	int r;

	rd.out.v = ARENA_ARRAY(a, struct index_item, INDEX_ITEMS_MAX);
	if (!rd.out.v)
		return arena_quota(a, err);
	r = read_down(&rd, &top, 0, err);
	if (r >= 0 && !(top.here && top.doc.kind == MANIFEST_INDEX))
		r = err_set(err, ERR_INVALID, "it is no index that is here");
	if (r < 0)
		return err_wrap(err, "index '%s'", index);
	top.d.media = top.doc.media;
	top.d.size = (int64_t)top.bytes.n;
	rd.out.v[rd.out.n - 1].d = top.d;
	*ret = rd.out;
	return 0;
}

/* ---- told to people ---- */

static const char *text_or_none(const char *s)
{
	return s ? s : "";
}

static uint64_t content_of(struct image_store *is, const struct index_item *it)
{
	uint64_t sum = it->here ? it->bytes.n : 0;
	const struct manifest_desc *d;

	for (size_t i = 0; it->here && i <= it->doc.n; i++) {
		d = i ? &it->doc.parts[i - 1] : &it->doc.config;
		if (has_blob(db_reader(is->db), d->digest, NULL) > 0)
			sum += (uint64_t)d->size;
	}
	return sum;
}

static int tell_item(struct image_store *is, const struct index_item *it, struct arena *a,
		     struct image_platform *ret, struct err *err)
{
	static const struct manifest_platform none;
	const struct manifest_platform *p = it->d.platform ? it->d.platform : &none;
	const char *of = str_map_get(&it->d.annotations, "vnd.docker.reference.digest");
	char text[128];

	*ret = (struct image_platform){
		.digest = it->d.digest,
		.media = it->d.media,
		.size = (uint64_t)it->d.size,
		.platform = arena_strdup(a, manifest_platform_text(it->d.platform, text)),
		.os = text_or_none(p->os),
		.arch = text_or_none(p->architecture),
		.variant = text_or_none(p->variant),
		.os_version = text_or_none(p->os_version),
		.attests = manifest_is_attestation(&it->d) ? text_or_none(of) : NULL,
		.id = it->id,
		.available = it->whole,
		.content = content_of(is, it),
	};
	return ret->platform ? 0 : arena_quota(a, err);
}

static int tell_index(struct image_store *is, const char *index, struct arena *a,
		      struct image_means *ret, struct err *err)
{
	struct index_items items;
	int r = index_read(is, db_reader(is->db), a, index, &items, err);

	if (r < 0)
		return r;
	*ret = (struct image_means){ .digest = items.v[items.n - 1].d.digest,
				     .media = items.v[items.n - 1].d.media,
				     .size = (uint64_t)items.v[items.n - 1].d.size,
				     .is_index = true };
	ret->v = ARENA_ARRAY(a, struct image_platform, items.n);
	if (!ret->v)
		return arena_quota(a, err);
	for (size_t i = 0; i < items.n && r >= 0; i++)
		if (!(items.v[i].here && items.v[i].doc.kind == MANIFEST_INDEX))
			r = tell_item(is, &items.v[i], a, &ret->v[ret->n++], err);
	return r;
}

/* Of the names that mean the image the newest one's; of an image that only its index's names mean
 * with a platform, that index. "" = none. */
static int index_of(struct db_conn *c, const char *id, char ret[IMAGE_DIGEST_MAX], struct err *err)
{
	CLEANUP(db_row_done) struct db_row *row = NULL;
	const char *index;
	int r;

	ret[0] = '\0';
	r = db_query(c, &row, err,
		     "SELECT o.idx FROM index_images AS o LEFT JOIN refs USING (idx) WHERE o.image"
		     " = ?1 AND (refs.image = ?1 OR NOT EXISTS (SELECT 1 FROM refs WHERE image ="
		     " ?1)) ORDER BY refs.updated DESC LIMIT 1",
		     "t", id);
	if (r >= 0)
		r = db_row_next(row, err);
	if (r <= 0)
		return r;
	db_row_get(row, "t", &index);
	(void)str_copy(ret, IMAGE_DIGEST_MAX, index);
	return 0;
}

int image_means(struct image_store *is, const struct image *img, struct arena *a,
		struct image_means *ret, struct err *err)
{
	struct reading rd = { .is = is, .c = db_reader(is->db), .a = a, .index = "" };
	const struct image_config *ic = image_config(img);
	char *index = arena_alloc(a, IMAGE_DIGEST_MAX);
	struct manifest_platform *p = ARENA_NEW(a, struct manifest_platform);
	struct index_item it = { .d = { .digest = image_manifest_digest(img), .platform = p },
				 .id = image_id(img) };
	int r;

	if (!index || !p)
		return arena_quota(a, err);
	r = index_of(rd.c, image_id(img), index, err);
	if (r < 0 || index[0])
		return r < 0 ? r : tell_index(is, index, a, ret, err);
	*p = (struct manifest_platform){ .os = ic->os,
					 .architecture = ic->architecture,
					 .variant = ic->variant,
					 .os_version = ic->os_version };
	*ret = (struct image_means){ .v = ARENA_NEW(a, struct image_platform), .n = 1 };
	if (!ret->v)
		return arena_quota(a, err);
	r = read_item(&rd, &it, err);
	if (r >= 0)
		r = check_whole(&rd, &it, err);
	if (r < 0)
		return err_wrap(err, "image '%s'", image_id(img));
	it.d.media = it.doc.media;
	it.d.size = (int64_t)it.bytes.n;
	ret->digest = it.d.digest;
	ret->media = it.d.media;
	ret->size = it.bytes.n;
	return tell_item(is, &it, a, ret->v, err);
}
