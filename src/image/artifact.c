/* SPDX-License-Identifier: Apache-2.0 */
/* Artifacts: the manifest as ORAS writes it, its files, and what refers to what. */
#include "image/artifact.h"
#include "image/artifact-dir.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/hash.h"
#include "doc/json.h"
#include "image/copy-priv.h"
#include "linux/path.h"
#include "linux/sys.h"

#include <stdio.h>
#include <string.h>

#define TITLE "org.opencontainers.image.title"
#define CREATED "org.opencontainers.image.created"
#define UNPACK "io.deis.oras.content.unpack"
#define CONTENT "io.deis.oras.content.digest"
#define TITLE_MAX 3800

/* image-spec, "Guidance for an Empty Descriptor" */
static const struct slice empty = { "{}", 2 };

int artifact_file_parse(struct arena *a, const char *text, struct artifact_file *ret,
			struct err *err)
{
	const char *colon = strrchr(text, ':');

	/* "dir:with/file" has a colon that is the name's: a media type has exactly one slash. */
	if (colon && colon[1] && (!strchr(colon, '/') || strchr(strchr(colon, '/') + 1, '/')))
		return err_set(
			err, ERR_BAD_REQUEST,
			"'%.300s': behind the colon there must be a media type, TYPE/SUBTYPE",
			text);
	*ret = (struct artifact_file){
		.path = colon ? arena_strndup(a, text, (size_t)(colon - text)) : text,
		.media = colon && colon[1] ? colon + 1 : NULL
	};
	if (!ret->path)
		return arena_quota(a, err);
	return *ret->path ? 0 : err_set(err, ERR_BAD_REQUEST, "'%.300s' names no file", text);
}

/* ---- push ---- */

/* A file, or a directory packed: then `content` is the digest of what is inside. */
static int open_content(struct place *to, const char *path, const char *title,
			struct place_blob *ret, char content[IMAGE_DIGEST_MAX], struct err *err)
{
	CLEANUP(fd_close) int fd = -1;
	int scratch, r;
	struct stat st;

	content[0] = '\0';

	fd = sys_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
	if (fd < 0)
		return err_sys(err, "open '%s'", path);
	if (sys_fstat(fd, &st) < 0)
		return err_sys(err, "look at '%s'", path);
	if (S_ISDIR(st.st_mode) && title) {
		r = place_scratch(to, &scratch, err);
		if (r < 0)
			return r;
		*ret = (struct place_blob){ .fd = scratch };
		return artifact_dir_pack(fd, title, scratch, content, &ret->size, err);
	}
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_UNSUPPORTED, "'%s' is no regular file", path);
	*ret = (struct place_blob){ .fd = STEAL_FD(fd), .size = (uint64_t)st.st_size };
	return 0;
}

static void tell(image_transfer_fn *fn, void *ctx, const struct manifest_desc *d,
		 const char *status, const char *title)
{
	char text[TITLE_MAX + 64], id[16];

	if (!fn)
		return;
	(void)snprintf(id, sizeof(id), "%.12s", IMAGE_HEX(d->digest));
	(void)snprintf(text, sizeof(text), "%s %s", status, title ? title : d->media);
	fn(ctx, &(struct image_transfer){ .id = id, .status = text });
}

static int push_file(struct place *to, const struct artifact_push *p, const char *path,
		     const char *media, const char *title, struct arena *a, struct doc *desc,
		     struct err *err)
{
	char digest[IMAGE_DIGEST_MAX], content[IMAGE_DIGEST_MAX];
	struct manifest_desc d = { .digest = digest };
	struct place_blob b = { .fd = -1 };
	struct image_hash h;
	struct doc *notes;
	int r, had = 0;

	r = open_content(to, path, title, &b, content, err);
	if (r < 0) {
		fd_close(b.fd);
		return r;
	}
	media = media ? media : content[0] ? MEDIA_OCI_LAYER "+gzip" : ARTIFACT_MEDIA_FILE;
	d.media = media;
	image_hash_init(&h, IMAGE_SHA256);
	r = place_copy_bytes(&b, -1, &h, to->conf.cancel, err);
	image_hash_final(&h, digest);
	d.size = (int64_t)b.size;
	if (r >= 0)
		r = had = place_has_blob(to, &d, err);
	if (r == 0)
		r = place_put_blob(to, &d, &b, err);
	fd_close(b.fd);
	if (r < 0)
		return err_wrap(err, "'%s'", path);
	tell(p->progress, p->ctx, &d, had ? "Exists   " : "Uploaded ", title);
	doc_set_str(a, desc, "mediaType", media);
	doc_set_str(a, desc, "digest", digest);
	doc_set_uint(a, desc, "size", b.size);
	if (!title)
		return 0;
	notes = doc_set_object(a, desc, "annotations");
	if (content[0]) {
		doc_set_str(a, notes, CONTENT, arena_strdup(a, content));
		doc_set_str(a, notes, UNPACK, "true");
	}
	doc_set_str(a, notes, TITLE, title);
	return 0;
}

static int push_empty(struct place *to, struct arena *a, struct doc *desc, struct err *err)
{
	char digest[IMAGE_DIGEST_MAX];
	const struct manifest_desc d = { .media = MEDIA_OCI_EMPTY, .digest = digest, .size = 2 };

	image_digest_of(empty.p, empty.n, digest);
	doc_set_str(a, desc, "mediaType", MEDIA_OCI_EMPTY);
	doc_set_str(a, desc, "digest", digest);
	doc_set_int(a, desc, "size", 2);
	doc_set_str(a, desc, "data", "e30=");
	return place_put_bytes(to, &d, empty, err);
}

static void put_annotations(const struct artifact_push *p, struct arena *a, struct doc *m)
{
	struct doc *notes = doc_set_object(a, m, "annotations");
	char text[CLOCK_TEXT_MAX];

	for (size_t i = 0; i < p->nannotations; i++)
		doc_set_str(a, notes, p->annotations[i].key, p->annotations[i].value);
	if (!doc_get(notes, CREATED))
		doc_set_str(a, notes, CREATED,
			    clock_rfc3339nano(text, clock_real() / NS_PER_SEC * NS_PER_SEC));
}

static int put_config(struct place *to, const struct artifact_push *p, struct arena *a,
		      struct doc *m, struct err *err)
{
	const char *type = p->type ? p->type : p->config ? NULL : ARTIFACT_TYPE_UNKNOWN;

	doc_set_int(a, m, "schemaVersion", 2);
	doc_set_str(a, m, "mediaType", MEDIA_OCI_MANIFEST);
	if (type)
		doc_set_str(a, m, "artifactType", type);
	return p->config ? push_file(to, p, p->config,
				     p->config_media ? p->config_media
						     : "application/vnd.unknown.config.v1+json",
				     NULL, a, doc_set_object(a, m, "config"), err)
			 : push_empty(to, a, doc_set_object(a, m, "config"), err);
}

static int put_layers(struct place *to, const struct artifact_push *p, struct arena *a,
		      struct doc *m, struct err *err)
{
	struct doc *list = doc_set_array(a, m, "layers");
	int r = 0;

	if (!p->n)
		return push_empty(to, a, doc_append_object(a, list), err);
	for (size_t i = 0; i < p->n && r >= 0; i++) {
		const struct artifact_file *f = &p->files[i];

		r = push_file(to, p, f->path, f->media, f->title, a, doc_append_object(a, list),
			      err);
	}
	return r;
}

int artifact_push(struct place *to, const struct artifact_push *p, bool top, struct arena *a,
		  struct place_manifest *ret, struct err *err)
{
	struct doc *m = doc_new_object(a), *subject;
	struct manifest check;
	int r;

	r = put_config(to, p, a, m, err);
	if (r >= 0)
		r = put_layers(to, p, a, m, err);
	if (r < 0)
		return r;
	if (p->subject) {
		subject = doc_set_object(a, m, "subject");
		doc_set_str(a, subject, "mediaType", p->subject->media);
		doc_set_str(a, subject, "digest", p->subject->digest);
		doc_set_int(a, subject, "size", p->subject->size);
	}
	put_annotations(p, a, m);
	if (arena_exceeded(a))
		return arena_quota(a, err);
	r = json_print(a, m, NULL, &ret->bytes, err);
	if (r >= 0) /* types and keys come from people */
		r = manifest_parse(a, ret->bytes, MEDIA_OCI_MANIFEST, &check, err);
	if (r < 0)
		return r;
	ret->media = MEDIA_OCI_MANIFEST;
	image_digest_of(ret->bytes.p, ret->bytes.n, ret->digest);
	r = place_put_manifest(to, ret, top, err);
	return r < 0 || !top ? r : place_finish(to, err);
}

/* ---- pull ---- */

bool artifact_title_ok(const char *title)
{
	struct slice rest = slice_str(title);

	if (!*title || strlen(title) > TITLE_MAX)
		return false;
	while (rest.p) {
		struct slice part = slice_split(&rest, '/');

		if (!part.n || slice_is(part, ".") || slice_is(part, ".."))
			return false;
	}
	return true;
}

/* The directories before the name. */
static int make_parents(const struct artifact_pull *p, const char *name, struct err *err)
{
	char parent[TITLE_MAX + 16];
	char *slash;

	(void)str_copy(parent, sizeof(parent), name);
	slash = strrchr(parent, '/');
	for (char *c = slash ? strchr(parent + 1, '/') : NULL; c; c = strchr(c + 1, '/')) {
		*c = '\0';
		if (sys_mkdirat(p->dir, parent, 0777) < 0 && errno != EEXIST)
			return err_sys(err, "make the directory '%s'", parent);
		*c = '/';
	}
	return 0;
}

/* A new file below dir; no link on the way is followed. */
static int make_file(const struct artifact_pull *p, const char *name, const char *temp, int *ret,
		     struct err *err)
{
	struct stat st;
	int r = make_parents(p, name, err);

	if (r < 0)
		return r;
	if (!p->overwrite && sys_fstatat(p->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return err_set(err, ERR_EXISTS, "the file '%s' exists (--overwrite replaces it)",
			       name);
	if (!p->any_path)
		return path_open_beneath(p->dir, temp, O_WRONLY | O_CREAT | O_EXCL, 0666, ret, err);
	*ret = sys_openat(p->dir, temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	return *ret < 0 ? err_sys(err, "make the file '%s'", temp) : 0;
}

/* The file and its temporary name lie in one directory, that has been walked to without links. */
static int place_file(const struct artifact_pull *p, const char *name, const struct place_blob *b,
		      struct err *err)
{
	CLEANUP(fd_close) int fd = -1;
	char temp[TITLE_MAX + 64], random[17];
	int r;

	random_hex(random, 16);
	(void)snprintf(temp, sizeof(temp), "%s.%s", name, random);
	r = make_file(p, name, temp, &fd, err);
	if (r < 0)
		return r;
	r = place_copy_bytes(b, fd, NULL, NULL, err);
	if (r >= 0 && sys_fsync(fd) < 0)
		r = err_sys(err, "write '%s'", name);
	if (r >= 0 && sys_renameat(p->dir, temp, p->dir, name) < 0)
		r = err_sys(err, "name the file '%s'", name);
	if (r < 0)
		(void)sys_unlinkat(p->dir, temp, 0); /* the error counts */
	return r;
}

static int place_directory(struct place *from, const struct artifact_pull *p, const char *title,
			   const char *content, const struct place_blob *b, struct err *err)
{
	struct artifact_dir d = { .title = title, .content = content, .conf = &from->conf };
	CLEANUP(fd_close) int dir = -1;
	char parent[TITLE_MAX + 16];
	const char *slash = strrchr(title, '/');
	int r = make_parents(p, title, err);

	if (r < 0)
		return r;
	(void)snprintf(parent, sizeof(parent), "%.*s", slash ? (int)(slash - title) : 1,
		       slash == title ? "/"
		       : slash	      ? title
				      : ".");
	if (!slash || p->any_path)
		dir = sys_openat(p->dir, slash == title ? "/" : parent,
				 O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	else
		(void)path_open_beneath(p->dir, parent, O_RDONLY | O_DIRECTORY, 0, &dir, NULL);
	if (dir < 0)
		return err_sys(err, "open the directory of '%s'", title);
	d.dir = dir;
	d.base = slash ? slash + 1 : title;
	return artifact_dir_unpack(&d, b, err);
}

static int pull_file(struct place *from, const struct manifest_desc *d, struct artifact_pull *p,
		     struct err *err)
{
	const char *title = str_map_get(&d->annotations, TITLE),
		   *unpack = str_map_get(&d->annotations, UNPACK);
	bool is_dir = unpack && strcmp(unpack, "true") == 0;
	struct place_blob b = { .fd = -1 };
	int r;

	if (!title) {
		tell(p->progress, p->ctx, d, "Skipped   ", NULL);
		p->skipped++;
		return 0;
	}
	if (!p->any_path && !artifact_title_ok(title))
		return err_set(
			err, ERR_INVALID,
			"the title '%.200s' leads out of the directory (--allow-path-traversal "
			"follows it)",
			title);
	if (strlen(title) > TITLE_MAX || !*title)
		return err_set(err, ERR_INVALID, "the title of '%s' is empty or too long",
			       d->digest);
	r = place_blob(from, d, NULL, NULL, &b, err);
	if (r >= 0)
		r = is_dir ? place_directory(from, p, title, str_map_get(&d->annotations, CONTENT),
					     &b, err)
			   : place_file(p, title, &b, err);
	fd_close(b.fd);
	if (r < 0)
		return r;
	tell(p->progress, p->ctx, d, "Downloaded", title);
	p->written++;
	return 0;
}

/* All titles are judged before the first file is made. */
int artifact_pull(struct place *from, const struct manifest *doc, struct artifact_pull *p,
		  struct arena *a, struct err *err)
{
	int r = 0;

	(void)a;
	p->written = p->skipped = 0;
	if (doc->kind != MANIFEST_IMAGE)
		return err_set(
			err, ERR_UNSUPPORTED,
			"it is an index: choose one of what it names by --platform or digest");
	for (size_t i = 0; i < doc->n && !p->any_path; i++) {
		const char *title = str_map_get(&doc->parts[i].annotations, TITLE);

		if (title && !artifact_title_ok(title))
			return err_set(err, ERR_INVALID,
				       "the title '%.200s' leads out of the directory "
				       "(--allow-path-traversal follows it)",
				       title);
	}
	for (size_t i = 0; i < doc->n && r >= 0; i++)
		r = pull_file(from, &doc->parts[i], p, err);
	return r;
}

/* ---- referrers ---- */

int artifact_referrers(struct place *p, const char *digest, const char *type, struct arena *a,
		       struct artifact_referrer **ret, size_t *ret_n, struct err *err)
{
	struct artifact_referrer *v;
	struct manifest index;
	const char *repo;
	struct slice text;
	size_t n = 0;
	int r;

	if (!place_remote(p, &repo))
		return err_set(err, ERR_UNSUPPORTED, "only registries (docker://) list referrers");
	r = remote_referrers(p->remote, p->repo, digest, type, a, &text, err);
	if (r >= 0)
		r = manifest_parse(a, text, MEDIA_OCI_INDEX, &index, err);
	if (r < 0)
		return err_wrap(err, "referrers of '%s'", digest);
	v = ARENA_ARRAY(a, struct artifact_referrer, index.n + 1);
	if (!v)
		return arena_quota(a, err);
	for (size_t i = 0; i < index.n; i++) {
		const struct manifest_desc *d = &index.parts[i];
		const char *own = d->artifact_type ? d->artifact_type : "";

		if (!type || strcmp(type, own) == 0)
			v[n++] = (struct artifact_referrer){ d->digest, d->media, own, d->size,
							     d->annotations };
	}
	*ret = v;
	*ret_n = n;
	return 0;
}
