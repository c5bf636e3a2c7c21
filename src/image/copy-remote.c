/* SPDX-License-Identifier: Apache-2.0 */
/* docker://: a registry as a place. Blobs under way lie in a file without a name, so that a broken
 * push can begin again at any byte. */
#include "image/copy-priv.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "linux/sys.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int docker_open(struct place *p, const char *rest, struct err *err)
{
	struct image_remotes conf = { .certs_dir = p->conf.certs_dir };
	const char *self = p->conf.helper ? p->conf.helper : "/proc/self/exe";
	const struct image_remote_use use = { .auth = p->conf.auth,
					      /* others than root have nothing to lose to it */
					      .program = geteuid() == 0 ? self : NULL,
					      .cancel = p->conf.cancel,
					      .notice = p->conf.notice,
					      .ctx = p->conf.ctx };
	const char *insecure = p->host;
	int r;

	if (strncmp(rest, "//", 2) != 0 || !rest[2])
		return place_bad_name(p, rest, err);
	r = image_name_parse(rest + 2, &p->name, err);
	if (r < 0)
		return err_wrap(err, "'docker:%.300s'", rest);
	image_name_default_tag(&p->name);
	image_name_split(&p->name, p->host, &p->repo);
	p->ref = p->name.digest[0] ? p->name.digest : p->name.tag;
	if (p->conf.insecure) {
		conf.insecure = &insecure;
		conf.ninsecure = 1;
	}
	return image_remotes_open(&conf, p->host, &use, &p->remote, err);
}

static int docker_manifest(struct place *p, const char *digest, struct arena *a, struct slice *ret,
			   const char **ret_media, struct err *err)
{
	struct remote_manifest m;
	char text[IMAGE_NAME_TEXT_MAX];
	int r;

	r = remote_manifest(p->remote, p->repo, digest ? digest : p->ref, a, &m, err);
	if (r < 0)
		return err_wrap(err, "read the manifest of '%s'", image_name_full(&p->name, text));
	*ret = m.bytes;
	*ret_media = m.media;
	return 0;
}

/* ---- blobs in ---- */

struct download {
	const struct place_fetch *f;
	int fd;
	uint64_t done;
};

static int take_bytes(void *ctx, struct slice bytes, struct err *err)
{
	struct download *d = ctx;

	if (fd_write_all(d->fd, bytes.p, bytes.n) < 0)
		return err_sys(err, "write what was downloaded");
	d->done += bytes.n;
	if (d->f->told)
		d->f->told(d->f->ctx, d->done);
	return 0;
}

static int docker_blob(struct place *p, const struct manifest_desc *d, struct place_fetch *f,
		       struct place_blob *ret, bool *ret_verified, struct err *err)
{
	struct download dl = { .f = f };
	CLEANUP(fd_close) int fd = -1;
	int r;

	r = place_scratch(p, &fd, err);
	dl.fd = fd;
	if (r >= 0)
		r = remote_blob(p->remote, p->repo, d, 0, take_bytes, &dl, err);
	if (r < 0)
		return r;
	*ret = (struct place_blob){ .fd = STEAL_FD(fd), .size = dl.done };
	*ret_verified = true; /* hashed while it came */
	return 0;
}

static int docker_has(struct place *p, const struct manifest_desc *d, struct err *err)
{
	return remote_has_blob(p->remote, p->repo, d->digest, err);
}

/* ---- blobs out ---- */

static ssize_t produce(void *ctx, uint64_t offset, char *dst, size_t cap, struct err *err)
{
	const struct place_blob *b = ctx;
	ssize_t n;

	if (offset >= b->size)
		return 0;
	do
		n = pread(b->fd, dst, MIN((uint64_t)cap, b->size - offset),
			  (off_t)(b->offset + offset));
	while (n < 0 && errno == EINTR);
	return n < 0 ? err_sys(err, "read") : n;
}

static int docker_put(struct place *p, const struct manifest_desc *d, const struct place_blob *b,
		      struct err *err)
{
	struct place_blob copy = *b;
	struct remote_push rp = { .repo = p->repo,
				  .digest = d->digest,
				  .size = b->size,
				  .produce = produce,
				  .ctx = &copy };

	return remote_push_blob(p->remote, &rp, err);
}

/* Bytes that are fetched only when the registry wants them. */
struct lazy {
	struct place *src;
	const struct manifest_desc *d;
	const struct place_fetch *f;
	struct place_blob b;
};

static ssize_t produce_lazy(void *ctx, uint64_t offset, char *dst, size_t cap, struct err *err)
{
	struct lazy *l = ctx;

	if (l->b.fd < 0 && place_blob(l->src, l->d, l->f->told, l->f->ctx, &l->b, err) < 0)
		return err_ret(err);
	return produce(&l->b, offset, dst, cap, err);
}

int place_mount_blob(struct place *p, const struct manifest_desc *d, struct place *src,
		     const struct place_fetch *f, struct err *err)
{
	struct lazy l = { .src = src, .d = d, .f = f, .b.fd = -1 };
	struct remote_push rp = { .repo = p->repo,
				  .digest = d->digest,
				  .size = (uint64_t)d->size,
				  .produce = produce_lazy,
				  .ctx = &l };
	int r;

	if (!p->remote || !src->remote || strcmp(p->host, src->host) != 0)
		return 0;
	if (strcmp(p->repo, src->repo) != 0)
		rp.mount_from = src->repo;
	r = remote_push_blob(p->remote, &rp, err);
	fd_close(l.b.fd);
	return r < 0 ? r : 1 + (rp.mounted || rp.existed);
}

static int docker_put_manifest(struct place *p, const struct place_manifest *m, bool top,
			       struct err *err)
{
	char digest[IMAGE_DIGEST_MAX];

	if (top && p->name.digest[0] && strcmp(p->name.digest, m->digest) != 0)
		return err_set(err, ERR_BAD_REQUEST,
			       "the destination asks for the digest %s, the image has %s",
			       p->name.digest, m->digest);
	return remote_push_manifest(p->remote, p->repo, top ? p->ref : m->digest, m->media,
				    m->bytes, digest, err);
}

const struct place_ops place_docker = { .name = "docker",
					.read = docker_open,
					.write = docker_open,
					.manifest = docker_manifest,
					.blob = docker_blob,
					.has = docker_has,
					.put = docker_put,
					.put_manifest = docker_put_manifest };
