/* SPDX-License-Identifier: Apache-2.0 */
/* What the image tests share: a store in a directory of its own, tars built in memory, archives as
 * docker save makes them. */
#pragma once

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/hash.h"
#include "base/loop.h"
#include "base/work.h"
#include "db/db.h"
#include "image/fetch.h"
#include "image/image.h"
#include "image/store.h"
#include "image/tar.h"
#include "image/unpack.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

struct fix {
	char dir[64];
	struct loop *loop;
	struct image_store *is;
	struct work_pool *pool; /* made by who needs it */
	struct image_limits limits;
	const char *driver;
	int (*step)(void *ctx, const char *name);
	void *step_ctx;
	struct arena *arena;
	struct err err;
};

static inline void assert_err(const struct err *err, enum err_code code, const char *part)
{
	if (err->code != code || !strstr(err->msg, part))
		fail_msg("%s '%s' is not %s with '%s'", err_code_name(err->code), err->msg,
			 err_code_name(code), part);
}

static inline void ok_at(struct fix *f, int r, int line)
{
	if (r < 0)
		fail_msg("line %d: %s: %s", line, err_code_name(f->err.code), f->err.msg);
}
#define OK(f, call) ok_at(f, call, __LINE__)

static inline void open_store(struct fix *f)
{
	struct image_store_options o = { .root = f->dir,
					 .loop = f->loop,
					 .limits = f->limits,
					 .driver = f->driver,
					 .step = f->step,
					 .step_ctx = f->step_ctx };

	OK(f, image_store_open(&o, &f->is, &f->err));
}

static inline int setup(void **state)
{
	struct fix *f = calloc(1, sizeof(*f));

	umask(022);
	strcpy(f->dir, "/tmp/teu-image-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	OK(f, loop_new(&f->loop, &f->err));
	f->arena = arena_new("test", 64u << 20);
	open_store(f);
	*state = f;
	return 0;
}

static inline int teardown(void **state)
{
	struct fix *f = *state;

	work_pool_free(f->pool);
	image_store_close(f->is);
	loop_free(f->loop);
	arena_free(f->arena);
	OK(f, fd_remove_tree(AT_FDCWD, f->dir, &f->err));
	free(f);
	return 0;
}

/* ---- tars ---- */

struct tarball {
	struct buf b;
	struct tar_writer w;
};

static inline int to_buf(void *ctx, const void *p, size_t n, struct err *err)
{
	return buf_add(ctx, p, n) < 0 ? err_set(err, ERR_QUOTA, "tar too large") : 0;
}

static inline void tar_begin(struct tarball *t)
{
	t->b = BUF_INIT(256u << 20);
	tar_writer_init(&t->w, to_buf, &t->b);
}

static inline void tar_entry(struct tarball *t, struct tar_entry e, const void *data)
{
	struct err err;

	e.mode = e.mode ? e.mode : (e.type == TAR_DIR ? 0755 : 0644);
	e.mtime_s = e.mtime_s ? e.mtime_s : 1600000000;
	if (tar_writer_entry(&t->w, &e, &err) < 0 ||
	    (e.size && tar_writer_data(&t->w, data, e.size, &err) < 0))
		fail_msg("%s", err.msg);
}

static inline void tar_file(struct tarball *t, const char *name, const char *text)
{
	tar_entry(t, (struct tar_entry){ .type = TAR_REG, .name = name, .size = strlen(text) },
		  text);
}
static inline void tar_bytes(struct tarball *t, const char *name, const void *p, size_t n)
{
	tar_entry(t, (struct tar_entry){ .type = TAR_REG, .name = name, .size = n }, p);
}
static inline void tar_dir(struct tarball *t, const char *name)
{
	tar_entry(t, (struct tar_entry){ .type = TAR_DIR, .name = name }, NULL);
}
static inline void tar_link(struct tarball *t, enum tar_type type, const char *name,
			    const char *target)
{
	tar_entry(t, (struct tar_entry){ .type = type, .name = name, .link = target }, NULL);
}
static inline struct slice tar_end(struct tarball *t)
{
	struct err err;

	assert_int_equal(tar_writer_finish(&t->w, &err), 0);
	return buf_slice(&t->b);
}

static inline void gzip_of(struct slice in, struct buf *out)
{
	z_stream z = { 0 };

	*out = BUF_INIT(256u << 20);
	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	assert_non_null(buf_room(out, deflateBound(&z, in.n) + 64));
	z.next_in = (unsigned char *)(uintptr_t)in.p;
	z.avail_in = (unsigned)in.n;
	z.next_out = (unsigned char *)out->p;
	z.avail_out = (unsigned)(out->cap - out->n);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	out->n = z.total_out;
	deflateEnd(&z);
}

static inline void digest_of(struct slice s, char dst[IMAGE_DIGEST_MAX])
{
	strcpy(dst, "sha256:");
	sha256_hex(s.p, s.n, dst + 7);
}

/* A small layer: /etc/ and /etc/name with the text. */
static inline struct slice small_layer(struct tarball *t, const char *text)
{
	tar_begin(t);
	tar_dir(t, "./");
	tar_dir(t, "etc/");
	tar_file(t, "etc/name", text);
	return tar_end(t);
}

/* Config naming these layers (uncompressed bytes). */
static inline void config_of(struct buf *b, const struct slice *layers, size_t n, const char *extra)
{
	char d[IMAGE_DIGEST_MAX];

	*b = BUF_INIT(1 << 20);
	buf_addf(b,
		 "{\"architecture\":\"amd64\",\"os\":\"linux\",\"created\":\"2024-01-02T03:04:"
		 "05Z\",\"config\":{%s},"
		 "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[",
		 extra);
	for (size_t i = 0; i < n; i++) {
		digest_of(layers[i], d);
		buf_addf(b, "%s\"%s\"", i ? "," : "", d);
	}
	buf_adds(b, "]}}");
}

/* docker save: manifest.json, config, layers as l0.tar, l1.tar, ... */
static inline struct slice docker_archive(struct tarball *t, const char *tags,
					  const struct slice *layers, size_t n)
{
	struct buf config, man = BUF_INIT(1 << 20);

	config_of(&config, layers, n, "\"Cmd\":[\"sh\"],\"Env\":[\"A=1\"]");
	tar_begin(t);
	tar_bytes(t, "config.json", config.p, config.n);
	buf_addf(&man, "[{\"Config\":\"config.json\",\"RepoTags\":%s,\"Layers\":[", tags);
	for (size_t i = 0; i < n; i++) {
		char name[32];

		snprintf(name, sizeof(name), "l%zu.tar", i);
		tar_bytes(t, name, layers[i].p, layers[i].n);
		buf_addf(&man, "%s\"%s\"", i ? "," : "", name);
	}
	buf_adds(&man, "]}]");
	tar_bytes(t, "manifest.json", man.p, man.n);
	buf_fini(&man);
	buf_fini(&config);
	return tar_end(t);
}

/* ---- imports ---- */

static inline int import_opts(struct fix *f, const struct image_import_options *o,
			      struct slice body, char id[IMAGE_DIGEST_MAX])
{
	CLEANUP(image_import_free) struct image_import *im = NULL;
	int r;

	f->err = ERR_INIT;
	r = image_import_new(f->is, o, &im, &f->err);
	/* In odd pieces, as a body comes from the net. */
	for (size_t at = 0; r >= 0 && at < body.n; at += MIN(body.n - at, (size_t)100003))
		r = image_import_push(im, body.p + at, MIN(body.n - at, (size_t)100003), &f->err);
	if (r >= 0)
		r = image_import_run(im, &f->err);
	if (r >= 0 && id)
		strcpy(id, image_import_id(im, 0));
	return r;
}

static inline int import_rootfs(struct fix *f, struct slice body, const char *ref,
				char id[IMAGE_DIGEST_MAX])
{
	return import_opts(
		f, &(struct image_import_options){ .kind = IMAGE_IMPORT_ROOTFS, .ref = ref }, body,
		id);
}
static inline int load(struct fix *f, struct slice body, char id[IMAGE_DIGEST_MAX])
{
	return import_opts(f, &(struct image_import_options){ .kind = IMAGE_IMPORT_ARCHIVE }, body,
			   id);
}

/* ---- looking ---- */

static inline unsigned count_names(struct fix *f, const char *sub)
{
	char path[160];
	unsigned n = 0;
	DIR *d;

	snprintf(path, sizeof(path), "%s/store/%s", f->dir, sub);
	d = opendir(path);
	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

static inline int64_t rows(struct fix *f, const char *sql)
{
	int64_t n = 0;

	OK(f, db_query_int(db_reader(image_store_db(f->is)), &n, &f->err, sql, ""));
	return n;
}

static inline void assert_empty(struct fix *f)
{
	assert_int_equal(rows(f, "SELECT count(*) FROM images"), 0);
	assert_int_equal(rows(f, "SELECT count(*) FROM refs"), 0);
	assert_int_equal(rows(f, "SELECT count(*) FROM layers"), 0);
	assert_int_equal(rows(f, "SELECT count(*) FROM blobs"), 0);
	assert_int_equal(rows(f, "SELECT count(*) FROM leases"), 0);
	assert_int_equal(count_names(f, "blobs/sha256"), 0);
	assert_int_equal(count_names(f, "snapshots"), 0);
	assert_int_equal(count_names(f, "l"), 0);
	assert_int_equal(count_names(f, "ingest"), 0);
	assert_int_equal(count_names(f, "leases"), 0);
}

/* Path of the topmost layer of an image. */
static inline const char *top_dir(struct fix *f, const char *ref)
{
	struct image *img;
	struct strv lower;

	OK(f, image_resolve(f->is, ref, &img, &f->err));
	OK(f, image_lower_dirs(f->is, img, f->arena, &lower, &f->err));
	image_unref(img);
	return lower.v[0];
}

static inline void stat_in(struct fix *f, const char *ref, const char *name, struct stat *st)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", top_dir(f, ref), name);
	if (lstat(path, st) < 0)
		fail_msg("no '%s'", path);
}
static inline bool is_in(struct fix *f, const char *ref, const char *name)
{
	struct stat st;
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", top_dir(f, ref), name);
	return lstat(path, &st) == 0;
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* The test program is also the helper that it starts. */
#define HELPER_MAIN(argc, argv)                                          \
	do {                                                             \
		if (argc > 1 && strcmp(argv[1], IMAGE_UNPACK_ROLE) == 0) \
			return image_unpack_main(argc, argv);            \
		if (argc > 1 && strcmp(argv[1], IMAGE_FETCH_ROLE) == 0)  \
			return image_fetch_main(argc, argv);             \
	} while (0)
