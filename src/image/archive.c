/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an archive of images holds: docker save's manifest.json (config and layers at any path, also
 * through symbolic links inside the archive, as old versions wrote), or an OCI layout's index.json.
 * The tar itself was listed by the fenced helper; here only member names, and JSON by the bounded
 * reader. With both documents, manifest.json tells the images. Pre-1.10 archives (repositories and
 * one json per layer) are refused.
 */
#include "base/arena.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/map.h"
#include "doc/json.h"
#include "image/manifest.h"
#include "image/private.h"
#include "image/report.h"
#include "image/tar.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINKS_MAX 8
#define NAMES_MAX 64   /* of one image */
#define PARTS_MAX 64   /* indexes that name one image */
#define INDEXES_MAX 64 /* of those, with what lies inside them */

struct entry {
	const char *name; /* clean */
	const char *link; /* as written, for links */
	uint64_t offset, size;
	uint8_t type;
};

struct reader {
	struct arena *a;
	int spool;
	uint64_t spool_size;
	struct map names; /* clean name -> struct entry */
	const struct strv *platforms;
	uint64_t found; /* of them, as bits */
	const struct image_limits *limits;
	struct archive *out;
};

/* ---- members ---- */

static int add_member(struct reader *rd, const struct unpack_member *m, const char *name,
		      const char *link, struct err *err)
{
	char clean[TAR_NAME_MAX + 1], text[TAR_NAME_MAX + 1];
	struct entry *e = ARENA_NEW(rd->a, struct entry), *old;
	int r;

	memcpy(text, name, m->name_len);
	text[m->name_len] = '\0';
	r = tar_name_clean(text, clean, err);
	if (r < 0)
		return err_wrap(err, "archive member");
	if (!e)
		return arena_quota(rd->a, err);
	*e = (struct entry){ .name = arena_strdup(rd->a, clean),
			     .link = arena_strndup(rd->a, link, m->link_len),
			     .offset = m->offset,
			     .size = m->size,
			     .type = m->type };
	if (!e->name || !e->link)
		return arena_quota(rd->a, err);
	if (e->type > TAR_FIFO || e->offset > rd->spool_size ||
	    e->size > rd->spool_size - e->offset)
		return err_set(err, ERR_INVALID,
			       "archive member '%.200s' lies outside of the archive", clean);
	if (e->type == TAR_DIR || !clean[0])
		return 0;
	if (e->type != TAR_REG && e->type != TAR_SYM && e->type != TAR_HARD)
		return err_set(err, ERR_INVALID, "archive member '%.200s' is a special file",
			       clean);
	old = map_put(&rd->names, slice_str(e->name), e);
	if (old) /* which of them is meant could differ from reader to reader */
		return err_set(err, ERR_INVALID, "archive member '%.200s' occurs twice", clean);
	return 0;
}

static int read_members(struct reader *rd, struct slice s, struct err *err)
{
	struct unpack_member m;
	unsigned n = 0;
	int r = 0;

	while (s.n && r >= 0) {
		if (s.n < sizeof(m))
			break;
		memcpy(&m, s.p, sizeof(m));
		s = slice_of(s.p + sizeof(m), s.n - sizeof(m));
		if (m.name_len > TAR_NAME_MAX || m.link_len > TAR_NAME_MAX ||
		    s.n < (size_t)m.name_len + m.link_len)
			break;
		if (++n > rd->limits->members_max)
			return err_set(err, ERR_TOO_LARGE, "archive has more than %u members",
				       rd->limits->members_max);
		r = add_member(rd, &m, s.p, s.p + m.name_len, err);
		s = slice_of(s.p + m.name_len + m.link_len, s.n - m.name_len - m.link_len);
	}
	if (r < 0)
		return r;
	return s.n ? err_set(err, ERR_INVALID, "the helper's list of members is damaged") : 0;
}

/* Joins the target of a symbolic link to the directory of its name. ".." may not leave the archive.
 */
static int join_link(struct reader *rd, const struct entry *e, const char **ret, struct err *err)
{
	char parts[2 * TAR_NAME_MAX + 2], out[TAR_NAME_MAX + 1] = "";
	const char *slash = strrchr(e->name, '/');
	struct slice rest, part;
	size_t n = 0;

	if (e->type == TAR_HARD || e->link[0] == '/')
		snprintf(parts, sizeof(parts), "%s", e->link);
	else
		snprintf(parts, sizeof(parts), "%.*s/%s", slash ? (int)(slash - e->name) : 0,
			 e->name, e->link);
	for (rest = slice_str(parts); rest.p;) {
		part = slice_split(&rest, '/');
		if (!part.n || slice_is(part, "."))
			continue;
		if (slice_is(part, "..")) {
			if (!n)
				return err_set(err, ERR_INVALID, "link '%.200s' leaves the archive",
					       e->name);
			while (n && out[--n] != '/')
				;
			continue;
		}
		if (n + part.n + 2 > sizeof(out))
			return err_set(err, ERR_INVALID, "link '%.200s' is too long", e->name);
		if (n)
			out[n++] = '/';
		memcpy(out + n, part.p, part.n);
		n += part.n;
	}
	out[n] = '\0';
	*ret = arena_strdup(rd->a, out);
	return *ret ? 0 : arena_quota(rd->a, err);
}

static int find_member(struct reader *rd, const char *name, const struct entry **ret,
		       struct err *err)
{
	char clean[TAR_NAME_MAX + 1];
	const char *at = clean;
	int r;

	r = tar_name_clean(name, clean, err);
	if (r < 0)
		return r;
	for (int i = 0; i < LINKS_MAX; i++) {
		const struct entry *e = map_get(&rd->names, slice_str(at));

		if (!e)
			return err_set(err, ERR_INVALID, "the archive has no member '%.200s'",
				       name);
		if (e->type == TAR_REG) {
			*ret = e;
			return 0;
		}
		r = join_link(rd, e, &at, err);
		if (r < 0)
			return r;
	}
	return err_set(err, ERR_INVALID, "archive member '%.200s' has too many links", name);
}

static int read_bytes(struct reader *rd, const struct entry *e, struct slice *ret, struct err *err)
{
	char *p;
	size_t done = 0;

	if (e->size > rd->limits->json_max)
		return err_set(err, ERR_TOO_LARGE,
			       "archive member '%.200s' is larger than %llu bytes", e->name,
			       (unsigned long long)rd->limits->json_max);
	p = arena_alloc(rd->a, e->size + 1);
	if (!p)
		return arena_quota(rd->a, err);
	while (done < e->size) {
		ssize_t n = pread(rd->spool, p + done, e->size - done, (off_t)(e->offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? err_sys(err, "read the spooled archive")
				     : err_set(err, ERR_INVALID, "the archive ends too early");
		done += (size_t)n;
	}
	*ret = slice_of(p, e->size);
	return 0;
}

static int read_json(struct reader *rd, const char *what, struct slice text, struct doc **ret,
		     struct err *err)
{
	const struct json_options jo = { .max_depth = 64, .max_nodes = 1u << 18, .copy = true };
	int r;

	r = json_read(rd->a, text, &jo, ret, err);
	return r < 0 ? err_wrap(err, "archive member '%.200s'", what) : 0;
}

static int read_json_member(struct reader *rd, const char *name, struct doc **ret, struct err *err)
{
	const struct entry *e;
	struct slice text;
	int r;

	r = find_member(rd, name, &e, err);
	if (r >= 0)
		r = read_bytes(rd, e, &text, err);
	return r < 0 ? r : read_json(rd, name, text, ret, err);
}

/* ---- images ---- */

static int next_image(struct reader *rd, struct archive_image **ret, struct err *err)
{
	if (rd->out->n == rd->limits->images_max)
		return err_set(err, ERR_TOO_LARGE, "archive has more than %u images",
			       rd->limits->images_max);
	if (!rd->out->images)
		rd->out->images = ARENA_ARRAY(rd->a, struct archive_image, rd->limits->images_max);
	if (!rd->out->images)
		return arena_quota(rd->a, err);
	*ret = &rd->out->images[rd->out->n++];
	return 0;
}

static int take_config(struct reader *rd, struct archive_image *img, struct slice bytes,
		       size_t nlayers, struct err *err)
{
	int r;

	img->config = bytes;
	image_digest_of(bytes.p, bytes.n, img->id);
	r = image_config_parse(rd->a, bytes, &img->doc, err);
	if (r < 0)
		return r;
	if (nlayers > rd->limits->layers_max)
		return err_set(err, ERR_TOO_LARGE, "image has more than %u layers",
			       rd->limits->layers_max);
	if (img->doc.diff_ids.n != nlayers)
		return err_set(err, ERR_INVALID,
			       "image has %zu layers, but its config names %zu diff ids", nlayers,
			       img->doc.diff_ids.n);
	img->layers = ARENA_ARRAY(rd->a, struct archive_layer, nlayers + 1);
	return img->layers ? 0 : arena_quota(rd->a, err);
}

static int full_name(const char *text, char dst[IMAGE_NAME_TEXT_MAX], struct err *err)
{
	struct image_name name;
	int r = image_name_parse(text ? text : "", &name, err);

	if (r < 0)
		return err_wrap(err, "image name '%.200s' in the archive", text ? text : "");
	name.digest[0] = '\0';
	image_name_default_tag(&name);
	image_name_full(&name, dst);
	return 0;
}

/* `index`: what the name means, if it is not the image alone. */
static int add_name(struct reader *rd, struct archive_image *img, const char *text,
		    const char *index, struct err *err)
{
	char full[IMAGE_NAME_TEXT_MAX];
	int r = full_name(text, full, err);

	if (r < 0)
		return r;
	if (!img->names) {
		img->names = arena_alloc_array(rd->a, NAMES_MAX, IMAGE_NAME_TEXT_MAX);
		img->name_index = ARENA_ARRAY(rd->a, const char *, NAMES_MAX);
	}
	if (!img->names || !img->name_index)
		return arena_quota(rd->a, err);
	for (size_t i = 0; index && i < img->nnames; i++)
		if (strcmp(img->names[i], full) == 0) { /* docker's document has told it */
			img->name_index[i] = index;
			return 0;
		}
	if (img->nnames == NAMES_MAX)
		return err_set(err, ERR_TOO_LARGE, "an image of the archive has more than %d names",
			       NAMES_MAX);
	img->name_index[img->nnames] = index;
	(void)str_copy(img->names[img->nnames++], IMAGE_NAME_TEXT_MAX, full);
	return 0;
}

static int docker_image(struct reader *rd, const struct doc *d, struct err *err)
{
	const struct doc *layers = doc_get(d, "Layers");
	const char *config = doc_cstr(rd->a, doc_get(d, "Config")), *name;
	struct archive_image *img;
	const struct entry *e;
	struct slice bytes;
	int r;

	if (!config)
		return err_set(err, ERR_INVALID, "manifest.json: an image has no Config");
	r = next_image(rd, &img, err);
	if (r >= 0)
		r = find_member(rd, config, &e, err);
	if (r >= 0)
		r = read_bytes(rd, e, &bytes, err);
	if (r >= 0)
		r = take_config(rd, img, bytes, doc_len(layers), err);
	for (size_t i = 0; r >= 0 && i < doc_len(layers); i++) {
		name = doc_cstr(rd->a, doc_at(layers, i));
		r = name ? find_member(rd, name, &e, err)
			 : err_set(err, ERR_INVALID, "manifest.json: a layer is no string");
		if (r >= 0)
			img->layers[i] =
				(struct archive_layer){ .offset = e->offset, .size = e->size };
	}
	if (r < 0)
		return r;
	DOC_EACH (it, doc_get(d, "RepoTags")) {
		r = add_name(rd, img, doc_cstr(rd->a, it), NULL, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_docker(struct reader *rd, struct err *err)
{
	struct doc *d;
	int r;

	r = read_json_member(rd, "manifest.json", &d, err);
	if (r < 0)
		return r;
	if (!doc_is(d, DOC_ARRAY) || !doc_len(d))
		return err_set(err, ERR_INVALID, "manifest.json: must be a list of images");
	DOC_EACH (it, d) {
		r = docker_image(rd, it, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- OCI layout ---- */

/* Bytes of a descriptor's blob; small ones (want_bytes) are read and verified here, layers when
 * they are hashed. */
static int blob_of(struct reader *rd, const struct doc *desc, const struct entry **ret_entry,
		   char ret_digest[IMAGE_DIGEST_MAX], struct slice *ret_bytes, struct err *err)
{
	struct slice digest = doc_slice(doc_get(desc, "digest"));
	char path[IMAGE_DIGEST_MAX + 16];
	uint64_t size = 0;
	int r;

	r = image_digest_check(digest, err);
	if (r < 0)
		return err_wrap(err, "a descriptor of the archive");
	snprintf(path, sizeof(path), "blobs/%.6s/%.*s", digest.p, (int)digest.n - 7, digest.p + 7);
	r = find_member(rd, path, ret_entry, err);
	if (r < 0)
		return r;
	if (doc_uint64(doc_get(desc, "size"), &size) != 0 || size != (*ret_entry)->size)
		return err_set(err, ERR_INVALID,
			       "blob '%.*s' has %llu bytes, its descriptor says %llu",
			       (int)digest.n, digest.p, (unsigned long long)(*ret_entry)->size,
			       (unsigned long long)size);
	snprintf(ret_digest, IMAGE_DIGEST_MAX, "%.*s", (int)digest.n, digest.p);
	if (!ret_bytes)
		return 0;
	r = read_bytes(rd, *ret_entry, ret_bytes, err);
	if (r < 0)
		return r;
	if (!image_digest_matches(ret_digest, *ret_bytes))
		return err_set(err, ERR_INVALID, "blob '%s' has other bytes than its digest says",
			       ret_digest);
	return 0;
}

static const char *manifest_media(const struct doc *man)
{
	return doc_str_is(doc_get(man, "mediaType"), MEDIA_DOCKER_MANIFEST) ? MEDIA_DOCKER_MANIFEST
									    : MEDIA_OCI_MANIFEST;
}

static int oci_image(struct reader *rd, const struct doc *man, struct slice bytes,
		     struct archive_image **ret, struct err *err)
{
	const struct doc *layers = doc_get(man, "layers");
	char id[IMAGE_DIGEST_MAX];
	struct archive_image *img;
	const struct entry *e;
	struct slice config;
	int r;

	r = next_image(rd, &img, err);
	if (r >= 0)
		r = blob_of(rd, doc_get(man, "config"), &e, id, &config, err);
	if (r >= 0)
		r = take_config(rd, img, config, doc_len(layers), err);
	for (size_t i = 0; r >= 0 && i < doc_len(layers); i++) {
		r = blob_of(rd, doc_at(layers, i), &e, img->layers[i].digest, NULL, err);
		if (r < 0)
			break;
		img->layers[i].offset = e->offset;
		img->layers[i].size = e->size;
	}
	if (r < 0)
		return r;
	img->manifest = bytes;
	img->manifest_media = manifest_media(man);
	*ret = img;
	return 0;
}

/* ref.name may be a bare tag, which names nothing, or a whole reference. */
static const char *name_of(struct reader *rd, const struct doc *desc)
{
	const struct doc *notes = doc_get(desc, "annotations");
	const char *name = doc_cstr(rd->a, doc_get(notes, "io.containerd.image.name"));

	if (name)
		return name;
	name = doc_cstr(rd->a, doc_get(notes, "org.opencontainers.image.ref.name"));
	return name && (strchr(name, ':') || strchr(name, '/')) ? name : NULL;
}

static void take_platform(struct reader *rd, const struct doc *p, struct manifest_platform *ret)
{
	*ret = (struct manifest_platform){ .os = doc_cstr(rd->a, doc_get(p, "os")),
					   .architecture =
						   doc_cstr(rd->a, doc_get(p, "architecture")),
					   .variant = doc_cstr(rd->a, doc_get(p, "variant")) };
}

/* ---- indexes ---- */

/* A manifest that an index of the archive names, and that the archive has. */
struct found {
	const struct doc *desc;
	struct manifest_platform platform;
	bool chosen;
	char digest[IMAGE_DIGEST_MAX];
	struct slice bytes;
	struct doc *man;
};
struct look {
	struct reader *rd;
	struct found *v;
	size_t n;
	struct archive_index **indexes;
	size_t nindexes;
};

static bool is_there(struct reader *rd, const struct doc *desc)
{
	struct slice digest = doc_slice(doc_get(desc, "digest"));
	char path[IMAGE_DIGEST_MAX + 16];

	if (!image_digest_valid(digest))
		return false;
	snprintf(path, sizeof(path), "blobs/%.6s/%.*s", digest.p, (int)digest.n - 7, digest.p + 7);
	return map_get(&rd->names, slice_str(path)) != NULL;
}

static int look_down(struct look *l, const struct doc *desc, int depth, struct err *err);

static int add_index(struct look *l, const struct doc *d, const char *digest, struct slice bytes,
		     int depth, struct err *err)
{
	struct archive_index *x = ARENA_NEW(l->rd->a, struct archive_index);
	int r = 0;

	if (!x)
		return arena_quota(l->rd->a, err);
	if (l->nindexes == INDEXES_MAX)
		return err_set(err, ERR_TOO_LARGE, "an index has more than %d others inside",
			       INDEXES_MAX);
	*x = (struct archive_index){ .bytes = bytes,
				     .media = doc_str_is(doc_get(d, "mediaType"), MEDIA_DOCKER_LIST)
						      ? MEDIA_DOCKER_LIST
						      : MEDIA_OCI_INDEX };
	(void)str_copy(x->digest, sizeof(x->digest), digest);
	l->indexes[l->nindexes++] = x;
	DOC_EACH (it, doc_get(d, "manifests")) {
		if (r >= 0 && is_there(l->rd, it))
			r = look_down(l, it, depth + 1, err);
	}
	return r;
}

static int look_down(struct look *l, const struct doc *desc, int depth, struct err *err)
{
	char digest[IMAGE_DIGEST_MAX];
	const struct entry *e;
	struct slice bytes;
	struct doc *d;
	int r;

	if (depth > INDEX_DEPTH)
		return err_set(err, ERR_INVALID, "indexes are nested more than %d deep",
			       INDEX_DEPTH);
	r = blob_of(l->rd, desc, &e, digest, &bytes, err);
	if (r >= 0)
		r = read_json(l->rd, digest, bytes, &d, err);
	if (r < 0)
		return r;
	if (doc_get(d, "manifests"))
		return add_index(l, d, digest, bytes, depth, err);
	/* Signatures and attestations are no images to run. */
	if (doc_get(desc, "artifactType") || doc_get(d, "artifactType") ||
	    doc_get(doc_get(desc, "annotations"), "vnd.docker.reference.type"))
		return 0;
	if (l->n == l->rd->limits->images_max)
		return err_set(err, ERR_TOO_LARGE, "an index has more than %u images",
			       l->rd->limits->images_max);
	l->v[l->n] = (struct found){ .desc = desc, .bytes = bytes, .man = d };
	(void)str_copy(l->v[l->n].digest, IMAGE_DIGEST_MAX, digest);
	take_platform(l->rd, doc_get(desc, "platform"), &l->v[l->n].platform);
	l->n++;
	return 0;
}

/* All that run on linux, or of each platform asked for the best. */
static void choose(struct look *l)
{
	const struct strv *p = l->rd->platforms;
	struct manifest_desc *parts = ARENA_ARRAY(l->rd->a, struct manifest_desc, l->n + 1);
	struct manifest m = { .kind = MANIFEST_INDEX, .parts = parts, .n = parts ? l->n : 0 };
	const struct manifest_desc *best;

	for (size_t i = 0; i < m.n; i++) {
		const char *os = l->v[i].platform.os;

		parts[i] = (struct manifest_desc){ .media = "", .platform = &l->v[i].platform };
		l->v[i].chosen = p->n == 0 && (!os || strcmp(os, "linux") == 0);
	}
	for (size_t i = 0; i < p->n; i++)
		if (manifest_pick(&m, p->v[i], &best, NULL) >= 0) {
			l->v[best - parts].chosen = true;
			l->rd->found |= (uint64_t)1 << i;
		}
}

static int add_part(struct look *l, const struct found *f, struct archive_image *img,
		    struct err *err)
{
	struct arena *a = l->rd->a;
	char text[128];

	if (!img->parts) {
		img->parts = ARENA_ARRAY(a, struct image_part, PARTS_MAX);
		img->indexes = ARENA_ARRAY(a, struct archive_index *, INDEXES_MAX);
	}
	if (!img->parts || !img->indexes)
		return arena_quota(a, err);
	for (size_t i = 0; i < img->nparts; i++)
		if (strcmp(img->parts[i].index, l->indexes[0]->digest) == 0 &&
		    strcmp(img->parts[i].manifest, f->digest) == 0)
			return 0; /* one index may have several names */
	if (img->nparts == PARTS_MAX || img->nindexes + l->nindexes > INDEXES_MAX)
		return err_set(err, ERR_TOO_LARGE, "an image is in more than %d indexes",
			       PARTS_MAX);
	img->parts[img->nparts++] = (struct image_part){
		l->indexes[0]->digest, f->digest,
		arena_strdup(a,
			     manifest_platform_text(
				     f->platform.os
					     ? &f->platform
					     : &(struct
						 manifest_platform){ .os = img->doc.os,
								     .architecture =
									     img->doc.architecture,
								     .variant = img->doc.variant },
				     text))
	};
	for (size_t i = 0; i < l->nindexes; i++)
		img->indexes[img->nindexes++] = l->indexes[i];
	return 0;
}

static void adopt_manifest(struct reader *rd, const struct doc *man, struct slice bytes,
			   struct archive_image *img);

/* The image of that manifest: one of docker's document gets it, if it fits. */
static int image_of(struct reader *rd, const struct doc *man, struct slice bytes,
		    struct archive_image **ret, struct err *err)
{
	for (size_t i = 0; i < rd->out->n; i++) {
		struct archive_image *img = &rd->out->images[i];

		if (!doc_str_is(doc_get(doc_get(man, "config"), "digest"), img->id))
			continue;
		if (!img->manifest.n)
			adopt_manifest(rd, man, bytes, img);
		if (img->manifest.p == bytes.p || slice_eq(img->manifest, bytes)) {
			*ret = img;
			return 0;
		}
	}
	return oci_image(rd, man, bytes, ret, err);
}

/* Of an index, the images that are wanted, all under its name. */
static int oci_index(struct reader *rd, const struct doc *desc, struct err *err)
{
	const char *name = name_of(rd, desc);
	struct look l = { .rd = rd };
	bool any = false;
	int r;

	l.v = ARENA_ARRAY(rd->a, struct found, rd->limits->images_max);
	l.indexes = ARENA_ARRAY(rd->a, struct archive_index *, INDEXES_MAX);
	if (!l.v || !l.indexes)
		return arena_quota(rd->a, err);
	r = look_down(&l, desc, 0, err);
	if (r >= 0)
		choose(&l);
	for (size_t i = 0; i < l.n && r >= 0; i++) {
		struct archive_image *img;

		if (!l.v[i].chosen)
			continue;
		any = true;
		r = image_of(rd, l.v[i].man, l.v[i].bytes, &img, err);
		if (r >= 0)
			r = add_part(&l, &l.v[i], img, err);
		if (r >= 0 && name)
			r = add_name(rd, img, name, l.indexes[0]->digest, err);
	}
	if (r < 0 || any || rd->platforms->n)
		return r;
	return err_set(err, ERR_NOT_FOUND, "index '%s' has no image for linux that the archive has",
		       l.nindexes ? l.indexes[0]->digest : "");
}

/* Does the platform fit one that is asked for? Notes it. An image without one fits all. */
static bool platform_fits(struct reader *rd, const struct manifest_platform *p)
{
	const struct manifest_desc d = { .media = "", .platform = p }, *best;
	const struct manifest m = { .kind = MANIFEST_INDEX, .parts = &d, .n = 1 };
	bool yes = rd->platforms->n == 0;

	for (size_t i = 0; i < rd->platforms->n; i++)
		if (manifest_pick(&m, rd->platforms->v[i], &best, NULL) >= 0) {
			rd->found |= (uint64_t)1 << i;
			yes = true;
		}
	return yes;
}

/* What stands in index.json. */
static int oci_descriptor(struct reader *rd, const struct doc *desc, struct err *err)
{
	char digest[IMAGE_DIGEST_MAX];
	struct archive_image *img;
	const struct entry *e;
	struct slice bytes;
	const char *name;
	struct doc *d;
	int r;

	r = blob_of(rd, desc, &e, digest, &bytes, err);
	if (r >= 0)
		r = read_json(rd, digest, bytes, &d, err);
	if (r < 0)
		return r;
	if (doc_get(d, "manifests"))
		return oci_index(rd, desc, err);
	r = oci_image(rd, d, bytes, &img, err);
	name = r < 0 ? NULL : name_of(rd, desc);
	return name ? add_name(rd, img, name, NULL, err) : r;
}

/* Are the image's layers the members that this manifest names? Then its bytes are kept. */
static void adopt_manifest(struct reader *rd, const struct doc *man, struct slice bytes,
			   struct archive_image *img)
{
	const struct doc *layers = doc_get(man, "layers");
	size_t n = doc_len(layers);
	struct archive_layer *found = ARENA_ARRAY(rd->a, struct archive_layer, n + 1);
	const struct entry *e;

	if (!found || n != img->doc.diff_ids.n)
		return;
	for (size_t i = 0; i < n; i++) {
		found[i] = img->layers[i];
		if (blob_of(rd, doc_at(layers, i), &e, found[i].digest, NULL, NULL) < 0 ||
		    e->offset != found[i].offset)
			return;
	}
	img->layers = found;
	img->manifest = bytes;
	img->manifest_media = manifest_media(man);
}

/* An archive of docker save since 25 is an OCI layout too: the images keep their manifests, and an
 * index brings its other platforms. One whose layout does not fit gets new manifests. */
static int adopt_layout(struct reader *rd, struct err *err)
{
	size_t docker = rd->out->n;
	struct doc *index, *man;
	int r = 0;

	if (!map_get(&rd->names, SLICE("index.json")) ||
	    read_json_member(rd, "index.json", &index, NULL) < 0)
		return 0;
	DOC_EACH (it, doc_get(index, "manifests")) {
		char digest[IMAGE_DIGEST_MAX];
		const struct entry *e;
		struct slice bytes;

		if (r < 0 || blob_of(rd, it, &e, digest, &bytes, NULL) < 0 ||
		    read_json(rd, digest, bytes, &man, NULL) < 0)
			continue;
		if (doc_get(man, "manifests"))
			r = oci_index(rd, it, err);
		for (size_t i = 0; i < docker; i++)
			if (!rd->out->images[i].manifest.n &&
			    doc_str_is(doc_get(doc_get(man, "config"), "digest"),
				       rd->out->images[i].id))
				adopt_manifest(rd, man, bytes, &rd->out->images[i]);
	}
	return r;
}

static int read_layout(struct reader *rd, struct err *err)
{
	struct doc *layout, *index;
	int r;

	r = read_json_member(rd, "oci-layout", &layout, err);
	if (r < 0)
		return r;
	if (!doc_str_is(doc_get(layout, "imageLayoutVersion"), "1.0.0"))
		return err_set(err, ERR_UNSUPPORTED,
			       "oci-layout: only imageLayoutVersion 1.0.0 is supported");
	r = read_json_member(rd, "index.json", &index, err);
	if (r < 0)
		return r;
	DOC_EACH (it, doc_get(index, "manifests")) {
		/* Signatures and attestations are no images to run. */
		if (doc_get(it, "artifactType") ||
		    doc_get(doc_get(it, "annotations"), "vnd.docker.reference.type"))
			continue;
		r = oci_descriptor(rd, it, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Of the platforms asked for, each must be there; others are left out. */
static int keep_platforms(struct reader *rd, struct err *err)
{
	struct archive *out = rd->out;
	size_t kept = 0;

	for (size_t i = 0; i < out->n && rd->platforms->n; i++) {
		const struct image_config *c = &out->images[i].doc;
		const struct manifest_platform own = { .os = c->os,
						       .architecture = c->architecture,
						       .variant = c->variant };

		/* Those of an index were chosen by it. */
		if (out->images[i].nparts || platform_fits(rd, &own))
			out->images[kept++] = out->images[i];
	}
	if (rd->platforms->n)
		out->n = kept;
	for (size_t i = 0; i < rd->platforms->n; i++)
		if (!(rd->found & (uint64_t)1 << i))
			return err_set(err, ERR_NOT_FOUND,
				       "the archive has no image for platform %s",
				       rd->platforms->v[i]);
	return out->n ? 0 : err_set(err, ERR_NOT_FOUND, "the archive has no image");
}

static int read_all(struct reader *rd, struct slice members, struct err *err)
{
	int r;

	r = read_members(rd, members, err);
	if (r < 0)
		return r;
	if (map_get(&rd->names, SLICE("manifest.json"))) {
		r = read_docker(rd, err);
		return r < 0 ? r : adopt_layout(rd, err);
	}
	if (map_get(&rd->names, SLICE("index.json")))
		return read_layout(rd, err);
	if (map_get(&rd->names, SLICE("repositories")))
		return err_set(err, ERR_UNSUPPORTED,
			       "the archive has the form of docker before 1.10; load and save it "
			       "with a newer docker");
	return err_set(err, ERR_INVALID,
		       "the archive has neither manifest.json (docker save) nor index.json (OCI "
		       "layout); a root file system"
		       " is imported with 'import'");
}

int archive_read(struct arena *a, int spool, uint64_t spool_size, struct slice members,
		 const struct strv *platforms, const struct image_limits *limits,
		 struct archive *ret, struct err *err)
{
	struct archive out = { 0 };
	struct reader rd = { .a = a,
			     .spool = spool,
			     .spool_size = spool_size,
			     .platforms = platforms,
			     .limits = limits,
			     .out = &out };
	int r;

	map_init(&rd.names);
	r = read_all(&rd, members, err);
	if (r >= 0)
		r = keep_platforms(&rd, err);
	map_fini(&rd.names);
	if (r < 0)
		return r;
	*ret = out;
	return 0;
}
