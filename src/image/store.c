/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store's directories and database, and its blobs. Publishing is publish.c, leases lease.c,
 * collection gc.c.
 */
#include "image/store.h"

#include "base/err.h"
#include "base/fd.h"
#include "base/hash.h"
#include "image/driver.h"
#include "image/lazy.h"
#include "image/private.h"
#include "linux/path.h"
#include "linux/sys.h"

#include <assert.h>
#include <string.h>

#define STORE_APP_ID 0x54455531u /* "TEU1" */

/* Only ever appended to: a released migration is never changed. */
static const char *const schema[] = {
	"CREATE TABLE blobs(digest TEXT PRIMARY KEY, size INTEGER NOT NULL, media TEXT NOT NULL,"
	"  created INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE layers(chain TEXT PRIMARY KEY, diff TEXT NOT NULL, parent TEXT REFERENCES "
	"layers(chain),"
	"  blob TEXT REFERENCES blobs(digest), size INTEGER NOT NULL, opaque INTEGER NOT NULL,"
	"  link TEXT NOT NULL UNIQUE, created INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE INDEX layers_parent ON layers(parent);"
	"CREATE INDEX layers_blob ON layers(blob);"
	"CREATE TABLE images(id TEXT PRIMARY KEY, manifest TEXT NOT NULL REFERENCES blobs(digest),"
	"  created INTEGER NOT NULL, added INTEGER NOT NULL, size INTEGER NOT NULL, os TEXT NOT "
	"NULL,"
	"  arch TEXT NOT NULL) WITHOUT ROWID;"
	"CREATE INDEX images_manifest ON images(manifest);"
	"CREATE TABLE image_layers(image TEXT NOT NULL REFERENCES images(id) ON DELETE CASCADE, "
	"pos INTEGER NOT NULL,"
	"  chain TEXT NOT NULL REFERENCES layers(chain), PRIMARY KEY(image, pos)) WITHOUT ROWID;"
	"CREATE INDEX image_layers_chain ON image_layers(chain);"
	"CREATE TABLE image_blobs(image TEXT NOT NULL REFERENCES images(id) ON DELETE CASCADE,"
	"  digest TEXT NOT NULL REFERENCES blobs(digest), PRIMARY KEY(image, digest)) WITHOUT "
	"ROWID;"
	"CREATE INDEX image_blobs_digest ON image_blobs(digest);"
	"CREATE TABLE refs(repo TEXT NOT NULL, tag TEXT NOT NULL, image TEXT NOT NULL REFERENCES "
	"images(id) ON DELETE CASCADE,"
	"  updated INTEGER NOT NULL, PRIMARY KEY(repo, tag)) WITHOUT ROWID;"
	"CREATE INDEX refs_image ON refs(image);"
	"CREATE TABLE digests(repo TEXT NOT NULL, digest TEXT NOT NULL,"
	"  image TEXT NOT NULL REFERENCES images(id) ON DELETE CASCADE, PRIMARY KEY(repo, digest)) "
	"WITHOUT ROWID;"
	"CREATE INDEX digests_image ON digests(image);"
	"CREATE TABLE leases(id TEXT PRIMARY KEY, boot TEXT NOT NULL, created INTEGER NOT NULL) "
	"WITHOUT ROWID;"
	"CREATE TABLE lease_items(lease TEXT NOT NULL REFERENCES leases(id) ON DELETE CASCADE, "
	"kind INTEGER NOT NULL,"
	"  digest TEXT NOT NULL, PRIMARY KEY(lease, kind, digest)) WITHOUT ROWID;"
	"CREATE INDEX lease_items_digest ON lease_items(kind, digest);",
	/* 2: collection by notes; repositories of a registry */
	"CREATE TABLE doubt(kind INTEGER NOT NULL, digest TEXT NOT NULL, PRIMARY KEY(kind, digest))"
	" WITHOUT ROWID;"
	"CREATE TABLE trash(kind INTEGER NOT NULL, digest TEXT NOT NULL, link TEXT, PRIMARY "
	"KEY(kind,"
	" digest)) WITHOUT ROWID;"
	"CREATE TABLE repos(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, created INTEGER NOT "
	"NULL);"
	"CREATE TABLE repo_blobs(repo INTEGER NOT NULL REFERENCES repos(id) ON DELETE CASCADE,"
	"  digest TEXT NOT NULL REFERENCES blobs(digest), linked INTEGER NOT NULL,"
	"  PRIMARY KEY(repo, digest)) WITHOUT ROWID;"
	"CREATE INDEX repo_blobs_digest ON repo_blobs(digest);"
	"CREATE TABLE manifests(repo INTEGER NOT NULL REFERENCES repos(id) ON DELETE CASCADE,"
	"  digest TEXT NOT NULL REFERENCES blobs(digest), media TEXT NOT NULL, size INTEGER NOT "
	"NULL,"
	"  subject TEXT, artifact TEXT, annotations TEXT, pushed INTEGER NOT NULL, pulled INTEGER "
	"NOT "
	"NULL,"
	"  PRIMARY KEY(repo, digest)) WITHOUT ROWID;"
	"CREATE INDEX manifests_digest ON manifests(digest);"
	"CREATE INDEX manifests_subject ON manifests(repo, subject, digest) WHERE subject IS NOT "
	"NULL;"
	"CREATE TABLE manifest_parts(repo INTEGER NOT NULL, digest TEXT NOT NULL, part TEXT NOT "
	"NULL,"
	"  PRIMARY KEY(repo, digest, part),"
	"  FOREIGN KEY(repo, digest) REFERENCES manifests(repo, digest) ON DELETE CASCADE) WITHOUT "
	"ROWID;"
	"CREATE INDEX manifest_parts_part ON manifest_parts(repo, part);"
	"CREATE TABLE tags(repo INTEGER NOT NULL, tag TEXT NOT NULL, digest TEXT NOT NULL,"
	"  updated INTEGER NOT NULL, pulled INTEGER NOT NULL, PRIMARY KEY(repo, tag),"
	"  FOREIGN KEY(repo, digest) REFERENCES manifests(repo, digest) ON DELETE CASCADE) WITHOUT "
	"ROWID;"
	"CREATE INDEX tags_digest ON tags(repo, digest);",
	/* 3: what a repository has, counted as it comes and goes (quotas, usage) */
	"ALTER TABLE repos ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE repos ADD COLUMN manifests INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE repos ADD COLUMN tags INTEGER NOT NULL DEFAULT 0;"
	"UPDATE repos SET"
	"  bytes = (SELECT coalesce(sum(size), 0) FROM repo_blobs JOIN blobs USING(digest) WHERE "
	"repo = id)"
	"    + (SELECT coalesce(sum(size), 0) FROM manifests WHERE repo = id),"
	"  manifests = (SELECT count(*) FROM manifests WHERE repo = id),"
	"  tags = (SELECT count(*) FROM tags WHERE repo = id);"
	"CREATE TRIGGER repo_blobs_in AFTER INSERT ON repo_blobs BEGIN UPDATE repos SET bytes = "
	"bytes +"
	"  coalesce((SELECT size FROM blobs WHERE digest = NEW.digest), 0) WHERE id = NEW.repo; "
	"END;"
	"CREATE TRIGGER repo_blobs_out AFTER DELETE ON repo_blobs BEGIN UPDATE repos SET bytes = "
	"bytes -"
	"  coalesce((SELECT size FROM blobs WHERE digest = OLD.digest), 0) WHERE id = OLD.repo; "
	"END;"
	"CREATE TRIGGER manifests_in AFTER INSERT ON manifests BEGIN UPDATE repos SET bytes = "
	"bytes + NEW.size,"
	"  manifests = manifests + 1 WHERE id = NEW.repo; END;"
	"CREATE TRIGGER manifests_out AFTER DELETE ON manifests BEGIN UPDATE repos SET bytes = "
	"bytes - OLD.size,"
	"  manifests = manifests - 1 WHERE id = OLD.repo; END;"
	"CREATE TRIGGER tags_in AFTER INSERT ON tags BEGIN UPDATE repos SET tags = tags + 1"
	"  WHERE id = NEW.repo; END;"
	"CREATE TRIGGER tags_out AFTER DELETE ON tags BEGIN UPDATE repos SET tags = tags - 1"
	"  WHERE id = OLD.repo; END;",
	/* 4: lazy layers: indexes by blob of the layer, and the layers that are served (lazy.h) */
	"CREATE TABLE lazy_indexes(layer TEXT NOT NULL, diff TEXT NOT NULL,"
	"  blob TEXT NOT NULL REFERENCES blobs(digest), used INTEGER NOT NULL,"
	"  PRIMARY KEY(layer, diff)) WITHOUT ROWID;"
	"CREATE INDEX lazy_indexes_blob ON lazy_indexes(blob);"
	"CREATE TABLE lazy(chain TEXT PRIMARY KEY REFERENCES layers(chain) ON DELETE CASCADE,"
	"  blob TEXT NOT NULL, media TEXT NOT NULL, size INTEGER NOT NULL, base INTEGER NOT NULL,"
	"  host TEXT NOT NULL, repo TEXT NOT NULL, failed INTEGER NOT NULL) WITHOUT ROWID;",
	/* 5: mounts.h */
	"CREATE TABLE mounts(id INTEGER PRIMARY KEY, image TEXT NOT NULL REFERENCES images(id) ON "
	"DELETE CASCADE,"
	"  boot TEXT NOT NULL, path TEXT NOT NULL);"
	"CREATE INDEX mounts_image ON mounts(image);",
	/* 6: indexes that names mean, and the images here that they name (platforms.c). Those that
	 * were pulled before are known by the digest that was asked for; lists of docker's were
	 * noted with the media type of an index too. */
	"ALTER TABLE refs ADD COLUMN idx TEXT;"
	"CREATE INDEX refs_idx ON refs(idx) WHERE idx IS NOT NULL;"
	"CREATE INDEX digests_digest ON digests(digest);"
	"CREATE TABLE index_images(idx TEXT NOT NULL, manifest TEXT NOT NULL,"
	"  image TEXT NOT NULL REFERENCES images(id) ON DELETE CASCADE, platform TEXT NOT NULL,"
	"  PRIMARY KEY(idx, manifest)) WITHOUT ROWID;"
	"CREATE INDEX index_images_image ON index_images(image);"
	"INSERT OR IGNORE INTO index_images SELECT b.digest, i.manifest, i.id, i.os || '/' || "
	"i.arch"
	"  FROM blobs AS b JOIN image_blobs AS ib ON ib.digest = b.digest JOIN images AS i ON i.id "
	"="
	"  ib.image WHERE b.media = 'application/vnd.oci.image.index.v1+json' AND b.digest IN"
	"  (SELECT digest FROM digests);"
	"UPDATE refs SET idx = (SELECT d.digest FROM digests AS d JOIN blobs AS b ON b.digest ="
	"  d.digest WHERE d.repo = refs.repo AND d.image = refs.image AND b.media ="
	"  'application/vnd.oci.image.index.v1+json' ORDER BY b.created DESC LIMIT 1);",
	/* 7: what retention dropped, until others were told (content.h) */
	"CREATE TABLE dropped("
	"  id INTEGER PRIMARY KEY AUTOINCREMENT, repo TEXT NOT NULL, tag TEXT,"
	"  digest TEXT NOT NULL, at INTEGER NOT NULL);",
};

int image_store_publish_dir(struct image_store *is, struct err *err)
{
	int r = is->publisher ? 0 : image_lease_new(is, &is->publisher, err);

	return r < 0 ? r : image_lease_dirfd(is->publisher, err);
}

int image_store_step(struct image_store *is, const char *name, struct err *err)
{
	if (is->o.step && is->o.step(is->o.step_ctx, name) < 0)
		return err_set(err, ERR_SYSTEM, "stopped before step '%s'", name);
	return 0;
}

static void default_limits(struct image_limits *l)
{
#define DEFAULT(field, value) l->field = l->field ? l->field : (value)
	DEFAULT(input_max, 64ull << 30);
	DEFAULT(layer_max, 64ull << 30);
	DEFAULT(total_max, 128ull << 30);
	DEFAULT(ratio_free, 256ull << 20);
	DEFAULT(ratio_max, 1100);
	DEFAULT(entries_max, 4ull << 20);
	DEFAULT(members_max, 16384);
	DEFAULT(layers_max, 127);
	DEFAULT(images_max, 256);
	DEFAULT(json_max, 4ull << 20);
#undef DEFAULT
}

static int open_dir(int parent, const char *name, int *ret, struct err *err)
{
	int r;

	r = fd_mkdir_p(parent, name, 0700, err);
	if (r < 0)
		return r;
	return path_open_beneath(parent, name, O_RDONLY | O_DIRECTORY, 0, ret, err);
}

static int open_dirs(struct image_store *is, struct err *err)
{
	struct {
		const char *name;
		int *fd;
	} dirs[] = { { "blobs/sha256", &is->blobs[IMAGE_SHA256] },
		     { "blobs/sha512", &is->blobs[IMAGE_SHA512] },
		     { "snapshots", &is->snapshots },
		     { "ingest", &is->ingest },
		     { "leases", &is->leases },
		     { "uploads", &is->uploads },
		     { "l", &is->links } };
	int r;

	r = fd_mkdir_p(AT_FDCWD, is->path, 0700, err);
	if (r < 0)
		return r;
	is->dir = sys_openat(AT_FDCWD, is->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (is->dir < 0)
		return err_sys(err, "open '%s'", is->path);
	/* Unpacked files keep their set-uid bits and devices: nobody else may come near them. */
	if (sys_fchmod(is->dir, 0700) < 0)
		return err_sys(err, "set the mode of '%s'", is->path);
	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		r = open_dir(is->dir, dirs[i].name, dirs[i].fd, err);
		if (r < 0)
			return err_wrap(err, "'%s'", is->path);
	}
	return fd_mkdir_p(is->dir, "merged", 0700, err); /* image_rootfs.merged */
}

static int open_db(struct image_store *is, struct err *err)
{
	CLEANUP_FREE char *path = NULL;
	struct db_options o = { .app_id = STORE_APP_ID,
				.schema = schema,
				.nschema = ARRAY_LEN(schema),
				.loop = is->o.loop };

	if (asprintf(&path, "%s/store.db", is->path) < 0)
		abort();
	o.path = path;
	return db_open(&o, &is->db, err);
}

static int read_boot_id(struct image_store *is, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(128);
	int r;

	r = fd_read_file(AT_FDCWD, "/proc/sys/kernel/random/boot_id", &b, err);
	if (r >= 0)
		(void)str_copy(is->boot, sizeof(is->boot),
			       buf_str(&b)); /* 36 digits and a line end */
	is->boot[strcspn(is->boot, "\n")] = '\0';
	return r;
}

int image_store_open(const struct image_store_options *o, struct image_store **ret, struct err *err)
{
	CLEANUP(image_store_close) struct image_store *is = calloc(1, sizeof(*is));
	CLEANUP(buf_fini) struct buf path = BUF_INIT(4096);
	int r;

	if (!is)
		abort();
	is->dir = is->blobs[0] = is->blobs[1] = is->snapshots = is->ingest = is->leases =
		is->links = is->uploads = -1;
	pthread_mutex_init(&is->lock, NULL);
	pthread_cond_init(&is->idle, NULL);
	is->o = *o;
	default_limits(&is->o.limits);
	if (buf_addf(&path, "%s/store", o->root) < 0 || o->root[0] != '/')
		return err_set(err, ERR_BAD_REQUEST,
			       "store root '%.200s' must be a short absolute path", o->root);
	is->path = buf_steal(&path);
	is->helper = strdup(o->helper ? o->helper : "/proc/self/exe");
	if (!is->helper)
		abort();
	r = open_dirs(is, err);
	if (r >= 0)
		r = read_boot_id(is, err);
	if (r >= 0)
		r = open_db(is, err);
	if (r >= 0)
		r = driver_choose(is, o->driver, err);
	if (r >= 0)
		r = image_gc_recover(is, err);
	if (r < 0)
		return err_wrap(err, "open the image store");
	*ret = STEAL(is);
	return 0;
}

void image_store_close(struct image_store *is)
{
	if (!is)
		return;
	lazy_manager_free(is->lazy);
	db_close(is->db);
	image_lease_free(is->publisher);
	assert(is->live == 0);
	image_cache_clear(is);
	image_gc_sweep_wait(is);
	fd_close(is->dir);
	fd_close(is->blobs[0]);
	fd_close(is->blobs[1]);
	fd_close(is->snapshots);
	fd_close(is->ingest);
	fd_close(is->leases);
	fd_close(is->links);
	fd_close(is->uploads);
	pthread_mutex_destroy(&is->lock);
	pthread_cond_destroy(&is->idle);
	free(is->path);
	free(is->helper);
	free(is->why);
	free(is);
}

const char *image_store_helper(const struct image_store *is)
{
	return is->helper;
}

struct db *image_store_db(struct image_store *is)
{
	return is->db;
}

int image_store_dirfd(const struct image_store *is)
{
	return is->dir;
}

const char *image_store_path(const struct image_store *is)
{
	return is->path;
}

/* ---- blobs ---- */

int image_blob_dir(const struct image_store *is, const char *digest)
{
	return is->blobs[image_digest_alg(digest)];
}

static int blob_file(struct image_store *is, const char *digest, int *ret_fd, struct err *err)
{
	int r;

	r = image_digest_check(slice_str(digest), err);
	if (r < 0)
		return r;
	r = path_open_beneath(image_blob_dir(is, digest), IMAGE_HEX(digest), O_RDONLY, 0, ret_fd,
			      err);
	return r < 0 ? err_wrap(err, "blob '%s'", digest) : 0;
}

int image_blob_open(struct image_store *is, const char *digest, int *ret_fd, uint64_t *ret_size,
		    struct err *err)
{
	CLEANUP(fd_close) int fd = -1;
	struct stat st;
	int64_t size;
	int r;

	r = db_query_int(db_reader(is->db), &size, err, "SELECT size FROM blobs WHERE digest = ?",
			 "t", digest);
	if (r < 0)
		return r;
	if (r == 0)
		return err_set(err, ERR_NOT_FOUND, "blob '%.100s' is not in the store", digest);
	r = blob_file(is, digest, &fd, err);
	if (r < 0)
		return r;
	if (fstat(fd, &st) < 0)
		return err_sys(err, "look at blob '%s'", digest);
	if (st.st_size != size)
		return err_set(err, ERR_INVALID,
			       "blob '%s' is damaged: %lld bytes instead of %lld; remove the image "
			       "and load it again",
			       digest, (long long)st.st_size, (long long)size);
	*ret_size = (uint64_t)size;
	*ret_fd = STEAL_FD(fd);
	return 0;
}

int image_blob_verify(struct image_store *is, const char *digest, struct err *err)
{
	CLEANUP_FREE char *buf = malloc(1 << 18);
	CLEANUP(fd_close) int fd = -1;
	char have[IMAGE_DIGEST_MAX];
	struct image_hash h;
	ssize_t n;
	int r;

	if (!buf)
		abort();
	r = blob_file(is, digest, &fd, err);
	if (r < 0)
		return r;
	image_hash_init(&h, image_digest_alg(digest));
	while ((n = fd_read_full(fd, buf, 1 << 18)) > 0)
		image_hash_update(&h, buf, (size_t)n);
	if (n < 0)
		return err_sys(err, "read blob '%s'", digest);
	image_hash_final(&h, have);
	if (strcmp(have, digest) != 0)
		return err_set(err, ERR_INVALID,
			       "blob '%s' is damaged: its bytes have digest %s; remove the image "
			       "and load it again",
			       digest, have);
	return 0;
}
