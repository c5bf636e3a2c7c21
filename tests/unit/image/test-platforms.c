/* SPDX-License-Identifier: Apache-2.0 */
/* Several platforms under one name: pulled, meant, tagged, removed, saved, loaded and pushed; what
 * is left after failure and kill -9; stores of before. */
#include "far.h"
#include "image/layers.h"
#include "image/pull.h"

static struct far far;

#define HOST_ARCH (manifest_host_platform + 6)

struct steps {
	unsigned at, seen;
	bool kill;
};

static int on_step(void *ctx, const char *name)
{
	struct steps *p = ctx;

	if (++p->seen != p->at)
		return 0;
	if (p->kill)
		kill(getpid(), SIGKILL);
	return -1;
}

/* ---- an index of three in the registry: "host", "s390x" and, of no image here, "riscv64" ---- */

struct trio {
	const char *repo;
	struct far_image im[3];
	char digest[IMAGE_DIGEST_MAX];
	const char *text;
};

static const char *entry(struct fix *f, const struct far_image *im, const char *arch)
{
	return arena_printf(f->arena,
			    "{\"mediaType\":\"" MEDIA_OCI_MANIFEST
			    "\",\"digest\":\"%s\",\"size\":%zu,\"platform\":{\"os\":\"linux\","
			    "\"architecture\":\"%s\"}}",
			    im->digest, im->size, arch);
}

static void index_of(struct fix *f, struct trio *t, const char *tag, size_t n, const char *note)
{
	const char *arch[] = { HOST_ARCH, "s390x", "riscv64" };
	const char *list = "";

	for (size_t i = 0; i < n; i++)
		list = arena_printf(f->arena, "%s%s%s", list, i ? "," : "",
				    entry(f, &t->im[i], arch[i]));
	t->text = arena_printf(f->arena,
			       "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_INDEX
			       "\",\"manifests\":[%s],\"annotations\":{\"n\":\"%s\"}}",
			       list, note);
	far_manifest(&far, t->repo, tag, MEDIA_OCI_INDEX, t->text, t->digest);
}

static void trio_of(struct fix *f, struct trio *t, const char *repo, size_t n)
{
	static const char *const tags[] = { "one", "two", "three" };

	*t = (struct trio){ .repo = repo };
	for (size_t i = 0; i < 3; i++) {
		struct tarball common, own;
		struct slice layers[2] = { small_layer(&common, "common"),
					   small_layer(&own, arena_printf(f->arena, "%s of %s",
									  tags[i], repo)) };

		t->im[i] = (struct far_image){
			.repo = repo, .ref = tags[i], .layers = layers, .n = 2
		};
		far_image(&far, &t->im[i]);
		buf_fini(&common.b);
		buf_fini(&own.b);
	}
	index_of(f, t, "idx", n, "first");
}

static const char *full(struct fix *f, const char *tail)
{
	return arena_printf(f->arena, "%s/%s", far.host, tail);
}

static int pull(struct fix *f, const char *tail, const char *platform)
{
	CLEANUP(image_pull_free) struct image_pull *p = NULL;
	struct image_pull_options o = { .ref = full(f, tail), .platform = platform };
	int r;

	f->err = ERR_INIT;
	r = image_pull_new(f->is, &o, &p, &f->err);
	return r < 0 ? r : image_pull_run(p, &f->err);
}

static void both(struct fix *f, struct trio *t, const char *repo, size_t n)
{
	const char *name = arena_printf(f->arena, "%s:idx", repo);

	trio_of(f, t, repo, n);
	OK(f, pull(f, name, "linux/s390x"));
	OK(f, pull(f, name, NULL));
}

static void means(struct fix *f, const char *text, const char *platform, const char *id)
{
	struct image *img;

	OK(f, image_resolve_platform(f->is, text, platform, &img, &f->err));
	assert_string_equal(image_id(img), id);
	image_unref(img);
}

static void names_of(struct fix *f, const char *id, struct strv *tags, struct strv *digests)
{
	struct image *img;

	OK(f, image_resolve(f->is, id, &img, &f->err));
	OK(f, image_names(f->is, img, f->arena, tags, digests, &f->err));
	image_unref(img);
}

/* ---- changes ---- */

struct answer {
	int result;
	bool told;
	struct image_removal rm;
	struct err err;
};

static void on_removed(void *ctx, int result, const struct image_removal *rm, const struct err *err)
{
	struct answer *a = ctx;

	*a = (struct answer){ result, true, *rm, *err };
}

static void on_tagged(void *ctx, int result, const struct err *err)
{
	struct answer *a = ctx;

	a->result = result;
	a->err = *err;
	a->told = true;
}

static void wait_for(struct fix *f, struct answer *a)
{
	while (!a->told)
		OK(f, loop_step(f->loop, NS_PER_SEC, &f->err));
}

static void tag(struct fix *f, const char *from, const char *to)
{
	struct answer *a = calloc(1, sizeof(*a));

	image_tag(f->is, from, to, on_tagged, a);
	wait_for(f, a);
	if (a->result < 0)
		fail_msg("%s", a->err.msg);
	free(a);
}

static struct answer *rmi(struct fix *f, const char *what, const char *platform, bool force)
{
	struct answer *a = arena_alloc(f->arena, sizeof(*a));
	const struct strv one = { &platform, platform ? 1 : 0 };

	memset(a, 0, sizeof(*a));
	image_remove(f->is, what, &one, force, on_removed, a);
	wait_for(f, a);
	return a;
}

static void nothing_is_left(struct fix *f)
{
	image_store_close(f->is);
	open_store(f);
	assert_empty(f);
	assert_int_equal(rows(f, "SELECT count(*) FROM index_images"), 0);
}

/* ---- cases ---- */

static void a_platform_is_added_under_the_name(void **state)
{
	struct fix *f = *state;
	struct strv tags, digests;
	struct image *img;
	struct trio t;

	trio_of(f, &t, "add", 3);
	OK(f, pull(f, "add:idx", "linux/s390x"));
	means(f, full(f, "add:idx"), NULL, t.im[1].id); /* the only one */
	OK(f, pull(f, "add:idx", NULL));
	means(f, full(f, "add:idx"), NULL, t.im[0].id);
	means(f, full(f, "add:idx"), "linux/s390x", t.im[1].id);
	means(f, full(f, "add:idx"), "linux", t.im[0].id);
	means(f, full(f, arena_printf(f->arena, "add@%s", t.digest)), "linux/s390x", t.im[1].id);
	means(f, full(f, arena_printf(f->arena, "add@%s", t.im[1].digest)), NULL, t.im[1].id);
	OK(f, pull(f, "add:idx", "linux/s390x")); /* again: nothing moves */
	means(f, full(f, "add:idx"), NULL, t.im[0].id);
	assert_true(image_resolve_platform(f->is, full(f, "add:idx"), "linux/riscv64", &img,
					   &f->err) < 0);
	assert_err(&f->err, ERR_NOT_FOUND, "does not provide the specified platform");
	assert_true(image_resolve_platform(f->is, full(f, "add:idx"), "a/b/c/d", &img, &f->err) <
		    0);
	assert_err(&f->err, ERR_BAD_REQUEST, "is an invalid platform");
	for (size_t i = 0; i < 2; i++) {
		names_of(f, t.im[i].id, &tags, &digests);
		assert_int_equal(tags.n, 1);
		assert_string_equal(tags.v[0], full(f, "add:idx"));
		assert_int_equal(digests.n, 1);
		assert_string_equal(digests.v[0],
				    full(f, arena_printf(f->arena, "add@%s", t.digest)));
		OK(f, image_resolve(f->is, t.im[i].id, &img, &f->err));
		assert_int_equal(image_is_further(f->is, img), i == 1);
		assert_true(image_is_meant(f->is, full(f, "add:idx"), t.im[i].id));
		image_unref(img);
	}
	assert_false(image_is_meant(f->is, full(f, "add:none"), t.im[0].id));
	OK(f, image_blob_verify(f->is, t.digest, &f->err));
	assert_int_equal(rows(f, "SELECT count(*) FROM refs"), 1);
}

static void an_index_tells_what_it_names_and_what_is_here(void **state)
{
	struct fix *f = *state;
	struct image_means m;
	struct image *img;
	struct trio t;

	both(f, &t, "tell", 3);
	OK(f, image_resolve(f->is, full(f, "tell:idx"), &img, &f->err));
	OK(f, image_means(f->is, img, f->arena, &m, &f->err));
	image_unref(img);
	assert_true(m.is_index);
	assert_string_equal(m.digest, t.digest);
	assert_string_equal(m.media, MEDIA_OCI_INDEX);
	assert_int_equal(m.size, strlen(t.text));
	assert_int_equal(m.n, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_string_equal(m.v[i].digest, t.im[i].digest);
		assert_int_equal(m.v[i].available, i < 2);
		assert_int_equal(m.v[i].content > 0, i < 2);
		if (i < 2)
			assert_string_equal(m.v[i].id, t.im[i].id);
	}
	assert_null(m.v[2].id);
	assert_string_equal(m.v[2].platform, "linux/riscv64");
	assert_string_equal(m.v[1].arch, "s390x");
	/* One that came alone. */
	OK(f, pull(f, "tell:three", NULL));
	OK(f, image_resolve(f->is, full(f, "tell:three"), &img, &f->err));
	OK(f, image_means(f->is, img, f->arena, &m, &f->err));
	assert_false(m.is_index);
	assert_int_equal(m.n, 1);
	assert_string_equal(m.digest, t.im[2].digest);
	assert_true(m.v[0].available);
	assert_true(image_resolve_platform(f->is, full(f, "tell:three"), "linux/arm64", &img,
					   &f->err) < 0);
	assert_err(&f->err, ERR_NOT_FOUND, "(linux/arm64)");
	image_unref(img);
}

static void a_new_index_takes_the_place_of_the_old_one(void **state)
{
	struct fix *f = *state;
	struct strv tags, digests;
	struct trio t;

	both(f, &t, "new", 3);
	index_of(f, &t, "idx", 2, "second");
	OK(f, pull(f, "new:idx", NULL));
	names_of(f, t.im[0].id, &tags, &digests);
	assert_int_equal(tags.n, 1);
	assert_int_equal(digests.n, 2);
	names_of(f, t.im[1].id, &tags, &digests); /* of the old one alone */
	assert_int_equal(tags.n, 0);
	assert_int_equal(digests.n, 1);
	OK(f, pull(f, "new:idx", "linux/s390x"));
	names_of(f, t.im[1].id, &tags, &digests);
	assert_int_equal(tags.n, 1);
	/* And an image without an index that of both. */
	tag(f, full(f, "new:idx"), "kept:1");
	OK(f, pull(f, "new:three", NULL));
	tag(f, full(f, "new:three"), full(f, "new:idx"));
	means(f, full(f, "new:idx"), NULL, t.im[2].id);
	means(f, "kept:1", "linux/s390x", t.im[1].id);
}

static void a_name_goes_with_all_its_platforms(void **state)
{
	struct fix *f = *state;
	struct answer *a;
	struct strv ids;
	struct trio t;

	both(f, &t, "gone", 3);
	tag(f, full(f, "gone:idx"), "other:1");
	OK(f, image_meant(f->is, full(f, "gone:idx"), f->arena, &ids, &f->err));
	assert_int_equal(ids.n, 2);
	a = rmi(f, full(f, "gone:idx"), NULL, false);
	assert_int_equal(a->result, 0);
	assert_int_equal(a->rm.nuntagged, 1);
	assert_int_equal(a->rm.ndeleted, 0);
	means(f, "other:1", "linux/s390x", t.im[1].id);
	a = rmi(f, "other:1", NULL, false);
	assert_int_equal(a->result, 0);
	assert_string_equal(a->rm.untagged[0], "other:1");
	assert_string_equal(a->rm.deleted[0], t.im[0].id);
	assert_int_equal(a->rm.ndeleted, 5); /* two images, two layers and what they share */
	nothing_is_left(f);
	/* By id: that of the image which the name means alone stands for all of them. */
	both(f, &t, "gone", 3);
	tag(f, full(f, "gone:idx"), "other:1");
	a = rmi(f, t.im[0].id, NULL, false);
	assert_err(&a->err, ERR_CONFLICT, "must be forced");
	a = rmi(f, t.im[0].id, NULL, true);
	assert_int_equal(a->result, 0);
	assert_int_equal(a->rm.ndeleted, 5);
	nothing_is_left(f);
	/* And by the index's digest. */
	both(f, &t, "gone", 3);
	a = rmi(f, full(f, arena_printf(f->arena, "gone@%s", t.digest)), NULL, false);
	assert_int_equal(a->result, 0);
	nothing_is_left(f);
}

static void one_platform_goes_alone(void **state)
{
	struct fix *f = *state;
	struct answer *a;
	struct image *img;
	struct trio t;

	both(f, &t, "part", 3);
	a = rmi(f, full(f, "part:idx"), "linux/riscv64", false);
	assert_err(&a->err, ERR_NOT_FOUND, "does not provide the specified platform");
	a = rmi(f, full(f, "part:idx"), manifest_host_platform, false);
	assert_int_equal(a->result, 0);
	assert_int_equal(a->rm.nuntagged, 0);
	assert_string_equal(a->rm.deleted[0], t.im[0].id);
	means(f, full(f, "part:idx"), NULL, t.im[1].id);
	means(f, full(f, arena_printf(f->arena, "part@%s", t.digest)), NULL, t.im[1].id);
	OK(f, pull(f, "part:idx", NULL));
	means(f, full(f, "part:idx"), NULL, t.im[0].id);
	/* The id of another platform is that image. */
	tag(f, t.im[1].id, "alone:1");
	assert_true(image_resolve_platform(f->is, "alone:1", manifest_host_platform, &img,
					   &f->err) == 0);
	assert_string_equal(image_id(img), t.im[1].id); /* by its own config, which says so */
	image_unref(img);
	a = rmi(f, "alone:1", NULL, false);
	assert_int_equal(a->rm.ndeleted, 0);
	a = rmi(f, t.im[1].id, NULL, false);
	assert_int_equal(a->result, 0);
	assert_int_equal(a->rm.ndeleted, 2);
	means(f, full(f, "part:idx"), NULL, t.im[0].id);
	a = rmi(f, full(f, "part:idx"), manifest_host_platform, false);
	assert_int_equal(a->rm.nuntagged, 2); /* tag and digest */
	nothing_is_left(f);
}

/* ---- archives ---- */

static struct slice save(struct fix *f, const char *name, size_t n, const char *const *platforms)
{
	CLEANUP(image_save_free) struct image_save *s = NULL;
	struct buf b = BUF_INIT(64u << 20);
	char path[128];
	int fd;

	OK(f, image_save_new(f->is, &(struct strv){ &name, 1 }, &(struct strv){ platforms, n }, &s,
			     &f->err));
	snprintf(path, sizeof(path), "%s/saved", f->dir);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	OK(f, image_save_write(s, fd, &f->err));
	close(fd);
	OK(f, fd_read_file(AT_FDCWD, path, &b, &f->err));
	return buf_slice(&b);
}

static bool has(struct slice ar, const char *text)
{
	return memmem(ar.p, ar.n, text, strlen(text)) != NULL;
}

static void an_index_is_saved_and_loaded_with_what_is_here(void **state)
{
	struct fix *f = *state;
	const char *arm[] = { "linux/s390x" }, *two[] = { "linux/s390x", manifest_host_platform },
		   *none[] = { "linux/riscv64" };
	struct image_import_options o = { .kind = IMAGE_IMPORT_ARCHIVE, .platforms = { arm, 1 } };
	struct slice all, again, one, pair;
	struct image_save *s;
	const char *name;
	struct image *img;
	struct trio t;

	both(f, &t, "save", 3);
	name = full(f, "save:idx");
	all = save(f, name, 0, NULL);
	assert_true(has(all, t.text)); /* byte for byte */
	assert_true(has(all, arena_printf(f->arena,
					  "\"mediaType\":\"" MEDIA_OCI_INDEX "\",\"digest\":\"%s\"",
					  t.digest)));
	assert_true(has(all, t.im[1].digest + 7));
	one = save(f, name, 1, arm);
	assert_false(has(one, t.text));
	assert_true(has(one, t.im[1].id));
	pair = save(f, name, 2, two);
	assert_int_equal(pair.n, all.n);
	assert_memory_equal(pair.p, all.p, all.n);
	assert_true(image_save_new(f->is, &(struct strv){ &name, 1 }, &(struct strv){ none, 1 }, &s,
				   &f->err) < 0);
	assert_err(&f->err, ERR_NOT_FOUND, "was not found for the platform linux/riscv64");
	rmi(f, name, NULL, false);
	nothing_is_left(f);
	/* All of it. */
	OK(f, load(f, all, NULL));
	means(f, name, NULL, t.im[0].id);
	means(f, name, "linux/s390x", t.im[1].id);
	again = save(f, name, 0, NULL);
	assert_int_equal(again.n, all.n);
	assert_memory_equal(again.p, all.p, all.n);
	rmi(f, name, NULL, false);
	nothing_is_left(f);
	/* One platform of it, to which the other is added then. */
	OK(f, import_opts(f, &o, all, NULL));
	means(f, name, NULL, t.im[1].id);
	assert_int_equal(image_count(f->is), 1);
	o.platforms = (struct strv){ two + 1, 1 };
	OK(f, import_opts(f, &o, all, NULL));
	means(f, name, NULL, t.im[0].id);
	means(f, name, "linux/s390x", t.im[1].id);
	rmi(f, name, NULL, false);
	o.platforms = (struct strv){ none, 1 };
	assert_true(import_opts(f, &o, all, NULL) < 0);
	assert_err(&f->err, ERR_NOT_FOUND, "has no image for platform linux/riscv64");
	nothing_is_left(f);
	/* What was saved without its index has none. */
	OK(f, load(f, one, NULL));
	OK(f, image_resolve(f->is, name, &img, &f->err));
	assert_string_equal(image_id(img), t.im[1].id);
	image_unref(img);
	assert_int_equal(rows(f, "SELECT count(*) FROM index_images"), 0);
	free((void *)(uintptr_t)all.p);
	free((void *)(uintptr_t)again.p);
	free((void *)(uintptr_t)one.p);
	free((void *)(uintptr_t)pair.p);
}

/* ---- push ---- */

static void on_progress(void *ctx, const struct image_transfer *t)
{
	if (t->index)
		buf_addf(ctx, "%s instead of %s\n", t->digest, t->index);
	else if (t->digest)
		buf_addf(ctx, "%s is %s\n", t->tag, t->digest);
}

static int push(struct fix *f, const char *tail, const char *platform, struct buf *heard)
{
	CLEANUP(image_push_free) struct image_push *p = NULL;
	struct image_push_options o = {
		.ref = full(f, tail), .platform = platform, .progress = on_progress, .ctx = heard
	};
	int r;

	buf_fini(heard);
	*heard = BUF_INIT(65536);
	f->err = ERR_INIT;
	r = image_push_new(f->is, &o, &p, &f->err);
	return r < 0 ? r : image_push_run(p, &f->err);
}

static void assert_heard(struct fix *f, const struct buf *heard, const char *fmt, const char *one,
			 const char *two)
{
	assert_string_equal(buf_str(heard), arena_printf(f->arena, fmt, one, two));
}

static void there_is(struct fix *f, const char *repo, const char *ref, const char *digest)
{
	struct remote_manifest m;

	if (remote_manifest(far.r, repo, ref, f->arena, &m, &far.err) < 0)
		fail_msg("%s", far.err.msg);
	assert_string_equal(m.digest, digest);
}

static void an_index_is_pushed_when_all_of_it_is_here(void **state)
{
	struct fix *f = *state;
	struct buf heard = { 0 };
	struct trio t;

	both(f, &t, "whole", 2);
	tag(f, full(f, "whole:idx"), full(f, "copy:1"));
	OK(f, push(f, "copy:1", NULL, &heard));
	assert_heard(f, &heard, "1 is %s\n%s", t.digest, "");
	there_is(f, "copy", "1", t.digest);
	there_is(f, "copy", t.im[1].digest, t.im[1].digest);
	OK(f, push(f, "copy:1", "linux/s390x", &heard));
	assert_heard(f, &heard, "1 is %s\n%s", t.im[1].digest, "");
	there_is(f, "copy", "1", t.im[1].digest);
	assert_true(push(f, "copy:1", "linux/arm64", &heard) < 0);
	assert_err(&f->err, ERR_NOT_FOUND, "(linux/arm64)");
	buf_fini(&heard);
}

static void one_image_is_pushed_when_not_all_is_here(void **state)
{
	struct fix *f = *state;
	struct buf heard = { 0 };
	struct trio t;

	both(f, &t, "some", 3);
	tag(f, full(f, "some:idx"), full(f, "less:1"));
	OK(f, push(f, "less:1", NULL, &heard));
	assert_heard(f, &heard,
		     arena_printf(f->arena, "1 is %s\n%%s instead of %%s\n", t.im[0].digest),
		     t.im[0].digest, t.digest);
	there_is(f, "less", "1", t.im[0].digest);
	/* Without this machine's it is not known which one is meant. */
	OK(f, pull(f, "some:idx", "linux/riscv64"));
	rmi(f, full(f, "some:idx"), manifest_host_platform, false);
	assert_true(push(f, "less:1", NULL, &heard) < 0);
	assert_err(&f->err, ERR_CONFLICT, "choose one with --platform");
	OK(f, push(f, "less:1", "linux/riscv64", &heard));
	there_is(f, "less", "1", t.im[2].digest);
	buf_fini(&heard);
}

/* ---- failure and death ---- */

/* The first platform is whole and the name's; of the second nothing is seen, or it is whole too. */
static void check_halves(struct fix *f, const struct trio *t)
{
	bool two = rows(f, "SELECT count(*) FROM images") == 2;

	assert_int_equal(rows(f, "SELECT count(*) FROM index_images"), two ? 2 : 1);
	assert_int_equal(rows(f, "SELECT count(*) FROM refs"), 1);
	assert_int_equal(rows(f, "SELECT count(*) FROM blobs"), two ? 8 : 5);
	assert_int_equal(count_names(f, "blobs/sha256"), two ? 8 : 5);
	assert_int_equal(count_names(f, "ingest"), 0);
	assert_int_equal(rows(f, "SELECT count(*) FROM leases"), 0);
	means(f, full(f, "steps:idx"), NULL, t->im[two ? 0 : 1].id);
	means(f, full(f, "steps:idx"), "linux/s390x", t->im[1].id);
	OK(f, image_blob_verify(f->is, t->digest, &f->err));
}

static int planned(struct fix *f, struct steps *p)
{
	int r;

	f->step = on_step;
	f->step_ctx = p;
	open_store(f);
	r = pull(f, "steps:idx", NULL);
	image_store_close(f->is);
	f->is = NULL;
	f->step = NULL;
	return r;
}

static void a_failure_at_any_step_keeps_the_first_platform(void **state)
{
	struct fix *f = *state;
	struct steps p = { 0 };
	struct trio t;
	int r = -1;

	trio_of(f, &t, "steps", 2);
	OK(f, pull(f, "steps:idx", "linux/s390x"));
	image_store_close(f->is);
	for (p.at = 1; r < 0 && p.at < 100; p.at++) {
		p.seen = 0;
		r = planned(f, &p);
		open_store(f);
		check_halves(f, &t);
		if (r >= 0)
			break;
		assert_err(&f->err, ERR_SYSTEM, "stopped before step");
		image_store_close(f->is);
	}
	assert_true(p.at > 8);
	assert_int_equal(image_count(f->is), 2);
}

static void kill_9_at_any_step_keeps_the_first_platform(void **state)
{
	struct fix *f = *state;
	struct trio t;
	int status = 0;
	unsigned at;

	trio_of(f, &t, "steps", 2);
	OK(f, pull(f, "steps:idx", "linux/s390x"));
	image_store_close(f->is);
	for (at = 1; at < 100; at++) {
		pid_t pid = fork();

		if (pid == 0) {
			struct steps p = { .at = at, .kill = true };

			loop_free(f->loop);
			f->loop = NULL;
			_exit(planned(f, &p) < 0 ? 1 : 0);
		}
		waitpid(pid, &status, 0);
		open_store(f); /* collects what the dead one left */
		check_halves(f, &t);
		if (!WIFSIGNALED(status))
			break;
		image_store_close(f->is);
	}
	assert_int_equal(status, 0);
	assert_true(at > 8);
	assert_int_equal(image_count(f->is), 2);
}

/* An archive of both: its images come together, or not at all. */
static void kill_9_at_any_step_of_a_load_leaves_both_or_none(void **state)
{
	struct fix *f = *state;
	struct slice all;
	struct trio t;
	int status = 0;
	unsigned at;

	both(f, &t, "loads", 2);
	all = save(f, full(f, "loads:idx"), 0, NULL);
	rmi(f, full(f, "loads:idx"), NULL, false);
	nothing_is_left(f);
	image_store_close(f->is);
	for (at = 1; at < 100; at++) {
		pid_t pid = fork();

		if (pid == 0) {
			struct steps p = { .at = at, .kill = true };

			loop_free(f->loop);
			f->loop = NULL;
			f->step = on_step;
			f->step_ctx = &p;
			open_store(f);
			_exit(load(f, all, NULL) < 0 ? 1 : 0);
		}
		waitpid(pid, &status, 0);
		open_store(f);
		if (!WIFSIGNALED(status))
			break;
		assert_empty(f);
		image_store_close(f->is);
	}
	assert_int_equal(status, 0);
	assert_true(at > 12);
	means(f, full(f, "loads:idx"), NULL, t.im[0].id);
	means(f, full(f, "loads:idx"), "linux/s390x", t.im[1].id);
	free((void *)(uintptr_t)all.p);
}

/* ---- stores of before ---- */

static int run_downgrade(void *ctx, struct db_conn *c, struct err *err)
{
	int r = db_exec(c, err, "DROP TABLE index_images", "");

	(void)ctx;
	if (r >= 0)
		r = db_exec(c, err, "DROP TABLE dropped", "");
	if (r >= 0)
		r = db_exec(c, err, "DROP INDEX refs_idx", "");
	if (r >= 0)
		r = db_exec(c, err, "DROP INDEX digests_digest", "");
	if (r >= 0)
		r = db_exec(c, err, "ALTER TABLE refs DROP COLUMN idx", "");
	return r < 0 ? r : db_exec(c, err, "PRAGMA user_version = 5", "");
}

static void a_store_of_before_learns_its_indexes(void **state)
{
	struct fix *f = *state;
	struct trio t;

	trio_of(f, &t, "old", 2);
	OK(f, pull(f, "old:idx", NULL));
	OK(f, pull(f, "old:three", NULL));
	OK(f, db_write_wait(image_store_db(f->is), run_downgrade, NULL, &f->err));
	image_store_close(f->is);
	open_store(f);
	assert_int_equal(rows(f, "SELECT count(*) FROM index_images"), 1);
	assert_int_equal(rows(f, "SELECT count(*) FROM refs WHERE idx IS NULL"), 1);
	means(f, full(f, "old:idx"), manifest_host_platform, t.im[0].id);
	OK(f, pull(f, "old:idx", "linux/s390x"));
	means(f, full(f, "old:idx"), NULL, t.im[0].id);
	means(f, full(f, "old:idx"), "linux/s390x", t.im[1].id);
	rmi(f, full(f, "old:idx"), NULL, false);
	rmi(f, full(f, "old:three"), NULL, false);
	nothing_is_left(f);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		T(a_platform_is_added_under_the_name),
		T(an_index_tells_what_it_names_and_what_is_here),
		T(a_new_index_takes_the_place_of_the_old_one),
		T(a_name_goes_with_all_its_platforms),
		T(one_platform_goes_alone),
		T(an_index_is_saved_and_loaded_with_what_is_here),
		T(an_index_is_pushed_when_all_of_it_is_here),
		T(one_image_is_pushed_when_not_all_is_here),
		T(a_failure_at_any_step_keeps_the_first_platform),
		T(kill_9_at_any_step_keeps_the_first_platform),
		T(kill_9_at_any_step_of_a_load_leaves_both_or_none),
		T(a_store_of_before_learns_its_indexes),
	};
	int r;

	HELPER_MAIN(argc, argv);
	far_open(&far);
	r = cmocka_run_group_tests(tests, NULL, NULL);
	far_close(&far);
	return r;
}
