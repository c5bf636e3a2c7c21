/* SPDX-License-Identifier: Apache-2.0 */
/* Places by name, and what all kinds have in common: nothing goes out of here unverified. */
#include "image/copy-priv.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "linux/path.h"
#include "linux/sys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_MAX (256u << 20)
#define CHUNK (256u << 10)

static const struct place_ops *const kinds[] = { &place_docker, &place_oci, &place_oci_archive,
						 &place_docker_archive, &place_dir };

/* ---- names ---- */

int place_bad_name(const struct place *p, const char *rest, struct err *err)
{
	return err_set(err, ERR_BAD_REQUEST,
		       "'%s:%.300s' names no place: after '%s:' there must be %s", p->ops->name,
		       rest, p->ops->name,
		       p->ops == &place_docker ? "//HOST/REPOSITORY[:TAG|@DIGEST]"
		       : p->ops == &place_dir  ? "a path"
					       : "PATH[:NAME]");
}

int place_split(struct place *p, const char *rest, struct err *err)
{
	const char *colon = strchr(rest, ':');

	p->path = colon ? arena_strndup(p->arena, rest, (size_t)(colon - rest))
			: arena_strdup(p->arena, rest);
	p->ref = colon ? arena_strdup(p->arena, colon + 1) : "";
	if (!p->path || !p->ref)
		return arena_quota(p->arena, err);
	return *p->path ? 0 : place_bad_name(p, rest, err);
}

static const struct place_ops *kind_of(const char *name, const char **ret_rest)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		size_t n = strlen(kinds[i]->name);

		if (strncmp(name, kinds[i]->name, n) == 0 && name[n] == ':') {
			*ret_rest = name + n + 1;
			return kinds[i];
		}
	}
	return NULL;
}

static int place_new(const char *name, const struct place_conf *conf, bool writes,
		     struct place **ret, struct err *err)
{
	CLEANUP(place_free) struct place *p = NULL;
	const struct place_ops *ops;
	const char *rest;
	int r;

	ops = kind_of(name, &rest);
	if (!ops)
		return err_set(err, ERR_BAD_REQUEST,
			       "'%.300s' names no place: it must begin with docker://, oci:, "
			       "oci-archive:, docker-archive: or dir:",
			       name);
	p = calloc(1, sizeof(*p));
	if (!p)
		abort();
	*p = (struct place){ .ops = ops, .writes = writes, .dir = -1, .parent = -1, .file = -1 };
	p->ref = "";
	if (conf)
		p->conf = *conf;
	p->arena = arena_new("place of images", ARENA_MAX);
	map_init(&p->members);
	map_init(&p->blobs);
	r = writes ? ops->write(p, rest, err) : ops->read(p, rest, err);
	if (r < 0)
		return r;
	*ret = STEAL(p);
	return 0;
}

int place_read(const char *name, const struct place_conf *conf, struct place **ret, struct err *err)
{
	return place_new(name, conf, false, ret, err);
}

int place_write(const char *name, const struct place_conf *conf, struct place **ret,
		struct err *err)
{
	return place_new(name, conf, true, ret, err);
}

void place_free(struct place *p)
{
	if (!p)
		return;
	if (p->ops->free)
		p->ops->free(p);
	remote_free(p->remote);
	fd_close(p->dir);
	fd_close(p->parent);
	fd_close(p->file);
	map_fini(&p->members);
	map_fini(&p->blobs);
	arena_free(p->arena);
	free(p);
}

struct remote *place_remote(struct place *p, const char **ret_repo)
{
	if (ret_repo)
		*ret_repo = p->repo;
	return p->remote;
}

const char *place_name(const struct place *p, struct arena *a)
{
	return p->remote ? arena_printf(a, "%s/%s", p->host, p->repo) : NULL;
}

const char *place_ref(const struct place *p)
{
	return p->ref;
}

/* ---- bytes ---- */

static bool cancelled(const struct place *p)
{
	return p->conf.cancel && atomic_load(p->conf.cancel);
}

int place_scratch(struct place *p, int *ret_fd, struct err *err)
{
	const char *dir = p->conf.scratch, *env = getenv("TMPDIR");

	if (!dir)
		dir = env && *env ? env : "/var/tmp";
	*ret_fd = sys_openat(AT_FDCWD, dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (*ret_fd < 0)
		return err_sys(err, "make a file for blobs under way in '%s' (TMPDIR)", dir);
	return 0;
}

/* Each piece to `to` (-1: nowhere) and into the hash (NULL: none). */
int place_copy_bytes(const struct place_blob *b, int to, struct image_hash *h,
		     const atomic_bool *cancel, struct err *err)
{
	CLEANUP_FREE char *chunk = malloc(CHUNK);
	uint64_t done = 0;

	if (!chunk)
		abort();
	while (done < b->size) {
		ssize_t n = pread(b->fd, chunk, MIN(b->size - done, (uint64_t)CHUNK),
				  (off_t)(b->offset + done));

		if (cancel && atomic_load(cancel))
			return err_set(err, ERR_UNAVAILABLE, "cancelled");
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, "read");
		if (n == 0)
			return err_set(err, ERR_INVALID, "it ends after %llu of %llu bytes",
				       (unsigned long long)done, (unsigned long long)b->size);
		if (h)
			image_hash_update(h, chunk, (size_t)n);
		if (to >= 0 && fd_write_all(to, chunk, (size_t)n) < 0)
			return err_sys(err, "write");
		done += (uint64_t)n;
	}
	return 0;
}

static int verify(struct place *p, const struct manifest_desc *d, const struct place_blob *b,
		  struct err *err)
{
	char digest[IMAGE_DIGEST_MAX];
	struct image_hash h;
	int r;

	image_hash_init(&h, image_digest_alg(d->digest));
	r = place_copy_bytes(b, -1, &h, p->conf.cancel, err);
	if (r < 0)
		return r;
	image_hash_final(&h, digest);
	if (strcmp(digest, d->digest) != 0)
		return err_set(err, ERR_INVALID, "its bytes have the digest %s", digest);
	return 0;
}

int place_blob(struct place *p, const struct manifest_desc *d,
	       void (*told)(void *ctx, uint64_t done), void *ctx, struct place_blob *ret,
	       struct err *err)
{
	struct place_fetch f = { told, ctx };
	struct place_blob b = { .fd = -1 };
	bool verified = false;
	int r;

	r = image_digest_check(slice_str(d->digest), err);
	if (r >= 0 && d->size < 0)
		r = err_set(err, ERR_INVALID, "its size is negative");
	if (r >= 0 && cancelled(p))
		r = err_set(err, ERR_UNAVAILABLE, "cancelled");
	if (r >= 0)
		r = p->ops->blob(p, d, &f, &b, &verified, err);
	if (r >= 0 && b.size != (uint64_t)d->size)
		r = err_set(err, ERR_INVALID, "it has %llu bytes, its descriptor says %lld",
			    (unsigned long long)b.size, (long long)d->size);
	if (r >= 0 && !verified)
		r = verify(p, d, &b, err);
	if (r < 0) {
		fd_close(b.fd);
		return err_wrap(err, "blob '%s'", d->digest);
	}
	*ret = b;
	return 0;
}

int place_blob_bytes(struct place *p, const struct manifest_desc *d, struct arena *a,
		     struct slice *ret, struct err *err)
{
	CLEANUP(fd_close) int fd = -1;
	struct place_blob b;
	char *text;
	int r;

	if (d->size > (int64_t)PLACE_MANIFEST_MAX)
		return err_set(err, ERR_TOO_LARGE, "blob '%s' has more than %u bytes", d->digest,
			       PLACE_MANIFEST_MAX);
	r = place_blob(p, d, NULL, NULL, &b, err);
	if (r < 0)
		return r;
	fd = b.fd;
	text = arena_alloc(a, (size_t)d->size + 1);
	if (!text)
		return arena_quota(a, err);
	if (pread(fd, text, (size_t)d->size, (off_t)b.offset) != (ssize_t)d->size)
		return err_sys(err, "read blob '%s'", d->digest);
	*ret = slice_of(text, (size_t)d->size);
	return 0;
}

int place_has_blob(struct place *p, const struct manifest_desc *d, struct err *err)
{
	int r = image_digest_check(slice_str(d->digest), err);

	return r < 0 ? r : p->ops->has(p, d, err);
}

int place_put_bytes(struct place *p, const struct manifest_desc *d, struct slice bytes,
		    struct err *err)
{
	CLEANUP(fd_close) int fd = -1;
	int r;

	r = place_has_blob(p, d, err);
	if (r)
		return r < 0 ? r : 0;
	r = place_scratch(p, &fd, err);
	if (r >= 0 && fd_write_all(fd, bytes.p, bytes.n) < 0)
		r = err_sys(err, "write a blob");
	return r < 0 ? r
		     : place_put_blob(p, d, &(struct place_blob){ .fd = fd, .size = bytes.n }, err);
}

int place_put_blob(struct place *p, const struct manifest_desc *d, const struct place_blob *b,
		   struct err *err)
{
	int r;

	r = p->ops->put(p, d, b, err);
	return r < 0 ? err_wrap(err, "blob '%s'", d->digest) : 0;
}

int place_put_manifest(struct place *p, const struct place_manifest *m, bool top, struct err *err)
{
	int r;

	r = p->ops->put_manifest(p, m, top, err);
	return r < 0 ? err_wrap(err, "manifest '%s'", m->digest) : 0;
}

int place_finish(struct place *p, struct err *err)
{
	int r = 0;

	if (cancelled(p))
		return err_set(err, ERR_UNAVAILABLE, "cancelled");
	if (p->ops->finish)
		r = p->ops->finish(p, err);

	p->finished = r >= 0;
	return r;
}

/* ---- manifests ---- */

int place_manifest(struct place *p, const char *digest, struct arena *a, struct place_manifest *ret,
		   struct manifest *ret_doc, struct err *err)
{
	struct place_manifest m = { 0 };
	struct manifest doc;
	const char *media = NULL;
	int r;

	if (digest && image_digest_check(slice_str(digest), err) < 0)
		return err_ret(err);
	r = p->ops->manifest(p, digest, a, &m.bytes, &media, err);
	if (r < 0)
		return r;
	if (m.bytes.n > PLACE_MANIFEST_MAX)
		return err_set(err, ERR_TOO_LARGE, "the manifest has more than %u bytes",
			       PLACE_MANIFEST_MAX);
	if (digest && !image_digest_matches(digest, m.bytes))
		return err_set(err, ERR_INVALID, "the bytes of manifest '%s' have another digest",
			       digest);
	if (digest)
		(void)str_copy(m.digest, sizeof(m.digest), digest);
	else if (!m.digest[0])
		image_digest_of(m.bytes.p, m.bytes.n, m.digest);
	r = manifest_parse(a, m.bytes, media, &doc, err);
	if (r < 0)
		return err_wrap(err, "manifest '%s'", m.digest);
	m.media = doc.media;
	*ret = m;
	if (ret_doc)
		*ret_doc = doc;
	return 0;
}

int place_image(struct place *src, const char *platform, struct arena *a,
		struct place_manifest *ret, struct manifest *ret_doc, struct err *err)
{
	const struct manifest_desc *d;
	int r;

	r = place_manifest(src, NULL, a, ret, ret_doc, err);
	/* An index may name another one. */
	for (int depth = 0; r >= 0 && ret_doc->kind == MANIFEST_INDEX; depth++) {
		if (depth == 4)
			return err_set(err, ERR_INVALID, "indexes lie more than 4 deep");
		r = manifest_pick(ret_doc, platform ? platform : manifest_host_platform, &d, err);
		if (r >= 0)
			r = place_manifest(src, d->digest, a, ret, ret_doc, err);
	}
	return r;
}
