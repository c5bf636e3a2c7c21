/* SPDX-License-Identifier: Apache-2.0 */
/* Repositories of a registry in the store: names, pushes, tags, referrers, deletes, uploads,
 * collection. */
#include "fixture.h"

#include "image/content.h"
#include "image/manifest.h"

#define TYPE_MANIFEST MEDIA_OCI_MANIFEST
#define EMPTY "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"

/* ---- running what is asynchronous ---- */

struct answer {
	struct fix *f;
	int result;
	bool done;
	char digest[IMAGE_DIGEST_MAX], subject[IMAGE_DIGEST_MAX];
	bool created;
};

static void on_done(void *ctx, const struct content_change *ch, int result, const struct err *err)
{
	struct answer *a = ctx;

	a->result = result;
	a->done = true;
	a->created = ch->created;
	(void)str_copy(a->digest, sizeof(a->digest), ch->digest);
	(void)str_copy(a->subject, sizeof(a->subject), ch->subject ? ch->subject : "");
	if (err)
		a->f->err = *err;
	loop_stop(a->f->loop, 0);
}

static int wait_for(struct answer *a)
{
	while (!a->done)
		OK(a->f, loop_run(a->f->loop, &a->f->err));
	return a->result;
}

static int put(struct fix *f, const char *repo, const char *ref, const char *text,
	       const char *media, struct answer *a)
{
	struct content_put p = {
		.repo = repo, .ref = ref, .media = media, .bytes = slice_str(text)
	};

	*a = (struct answer){ .f = f };
	f->err = ERR_INIT;
	content_put_manifest(f->is, &p, on_done, a);
	return wait_for(a);
}

static int delete_manifest(struct fix *f, const char *repo, const char *ref)
{
	struct answer a = { .f = f };

	content_delete_manifest(f->is, repo, ref, on_done, &a);
	return wait_for(&a);
}

static int delete_blob(struct fix *f, const char *repo, const char *digest)
{
	struct answer a = { .f = f };

	content_delete_blob(f->is, repo, digest, on_done, &a);
	return wait_for(&a);
}

static int mount(struct fix *f, const char *repo, const char *digest, const char *from)
{
	struct answer a = { .f = f };

	content_mount(f->is, repo, digest, from, NULL, on_done, &a);
	return wait_for(&a);
}

static void on_flushed(void *ctx, int result, const struct err *err)
{
	struct answer *a = ctx;

	a->result = result;
	a->done = true;
	loop_stop(a->f->loop, 0);
}

static int flush(struct fix *f, struct content_upload *u)
{
	struct answer a = { .f = f };

	content_upload_flush(u, on_flushed, &a);
	return wait_for(&a);
}

static struct work_pool *pool(struct fix *f)
{
	if (!f->pool)
		OK(f, work_pool_new(f->loop, 2, 64, &f->pool, &f->err));
	return f->pool;
}

static int commit(struct fix *f, struct content_upload *u, const char *digest)
{
	struct answer a = { .f = f };

	content_upload_commit(u, digest, NULL, on_done, &a);
	return wait_for(&a);
}

static void push(struct fix *f, const char *repo, struct slice bytes, char digest[IMAGE_DIGEST_MAX])
{
	struct content_upload *u;

	image_digest_of(bytes.p, bytes.n, digest);
	OK(f, content_upload_new(f->is, pool(f), repo, IMAGE_SHA256, &u, &f->err));
	OK(f, content_upload_push(u, bytes, &f->err));
	OK(f, flush(f, u));
	OK(f, commit(f, u, digest));
}

static const char *manifest_of(struct fix *f, const char *config, const char *subject)
{
	return arena_printf(
		f->arena,
		"{\"schemaVersion\":2,\"mediaType\":\"" TYPE_MANIFEST
		"\",\"config\":{\"mediaType\":\"a/config\",\"digest\":\"%s\",\"size\":2},"
		"\"layers\":[]%s%s%s}",
		config,
		subject ? ",\"annotations\":{\"k\":\"v\"},\"subject\":{\"mediaType\":\"x/y\","
			  "\"size\":1,\"digest\":\""
			: "",
		subject ? subject : "", subject ? "\"}" : "");
}

/* ---- cases ---- */

static void names_and_tags_follow_the_grammar(void **state)
{
	static const char *const good[] = { "a",    "a/b", "a.b",      "a_b",
					    "a__b", "a-b", "a---b/c0", "0/1" };
	static const char *const bad[] = { "",	 "A",  "a/",   "/a",  "a//b", "a..b", "a___b",
					   ".a", "a.", "a-/b", "a b", "a:b",  "a._b", "\xc3\xa4" };
	char text[CONTENT_NAME_MAX + 2];

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_true(content_name_ok(slice_str(good[i])));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(content_name_ok(slice_str(bad[i])));
	memset(text, 'a', sizeof(text));
	assert_true(content_name_ok(slice_of(text, CONTENT_NAME_MAX)));
	assert_false(content_name_ok(slice_of(text, CONTENT_NAME_MAX + 1)));
	assert_true(content_tag_ok(SLICE("v1.0-rc_2")));
	assert_true(content_tag_ok(SLICE("_x")));
	assert_true(content_tag_ok(slice_of(text, CONTENT_TAG_MAX)));
	assert_false(content_tag_ok(slice_of(text, CONTENT_TAG_MAX + 1)));
	assert_false(content_tag_ok(SLICE(".x")));
	assert_false(content_tag_ok(SLICE("-x")));
	assert_false(content_tag_ok(SLICE("a/b")));
	assert_false(content_tag_ok(SLICE("")));
}

static void a_pushed_blob_is_seen_by_its_repository_alone(void **state)
{
	struct fix *f = *state;
	char digest[IMAGE_DIGEST_MAX], path[256];
	uint64_t size;
	struct stat st;

	push(f, "a/b", SLICE("hello"), digest);
	OK(f, content_blob(f->is, "a/b", digest, &size, &f->err));
	assert_int_equal(size, 5);
	assert_int_equal(content_blob(f->is, "other", digest, &size, &f->err), -ERR_NOT_FOUND);
	assert_err(&f->err, ERR_NOT_FOUND, "'other' has no blob");
	snprintf(path, sizeof(path), "%s/store/blobs/sha256/%s", f->dir, digest + 7);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(count_names(f, "uploads"), 0);
	/* The same again, and into another repository: one file. */
	push(f, "a/b", SLICE("hello"), digest);
	push(f, "other", SLICE("hello"), digest);
	OK(f, content_blob(f->is, "other", digest, &size, &f->err));
	assert_int_equal(count_names(f, "blobs/sha256"), 1);
}

static void an_upload_of_other_bytes_is_refused_and_leaves_nothing(void **state)
{
	struct fix *f = *state;
	struct content_upload *u;
	uint64_t size;

	OK(f, content_upload_new(f->is, pool(f), "a", IMAGE_SHA256, &u, &f->err));
	OK(f, content_upload_push(u, SLICE("hello"), &f->err));
	OK(f, flush(f, u));
	assert_int_equal(commit(f, u, EMPTY), -ERR_INVALID);
	assert_err(&f->err, ERR_INVALID, "digest: the bytes have sha256:2cf24d");
	assert_int_equal(content_blob(f->is, "a", EMPTY, &size, &f->err), -ERR_NOT_FOUND);
	assert_int_equal(count_names(f, "uploads"), 0);
	assert_int_equal(count_names(f, "blobs/sha256"), 0);
	/* An algorithm that is not known. */
	OK(f, content_upload_new(f->is, pool(f), "a", IMAGE_SHA256, &u, &f->err));
	assert_int_equal(commit(f, u, "blake3:00"), -ERR_UNSUPPORTED);
	assert_int_equal(count_names(f, "uploads"), 0);
}

static void an_upload_goes_on_after_its_process(void **state)
{
	struct fix *f = *state;
	char id[CONTENT_UPLOAD_ID + 1], digest[IMAGE_DIGEST_MAX];
	struct content_upload *u, *other;
	uint64_t size;

	OK(f, content_upload_new(f->is, pool(f), "a", IMAGE_SHA256, &u, &f->err));
	strcpy(id, content_upload_id(u));
	OK(f, content_upload_push(u, SLICE("hel"), &f->err));
	assert_int_equal(content_upload_size(u), 3);
	OK(f, flush(f, u));
	assert_int_equal(content_upload_open(f->is, pool(f), "a", id, &other, &f->err),
			 -ERR_CONFLICT);
	assert_err(&f->err, ERR_CONFLICT, "in use by another request");
	content_upload_close(u);
	/* Somebody else's repository does not have it. */
	assert_int_equal(content_upload_open(f->is, pool(f), "b", id, &u, &f->err), -ERR_NOT_FOUND);
	assert_int_equal(content_upload_open(f->is, pool(f), "a", "../../etc", &u, &f->err),
			 -ERR_NOT_FOUND);
	image_store_close(f->is);
	open_store(f);
	OK(f, content_upload_open(f->is, pool(f), "a", id, &u, &f->err));
	assert_int_equal(content_upload_size(u), 3);
	OK(f, content_upload_push(u, SLICE("lo"), &f->err));
	OK(f, flush(f, u));
	image_digest_of("hello", 5, digest);
	OK(f, commit(f, u, digest));
	OK(f, content_blob(f->is, "a", digest, &size, &f->err));
	assert_int_equal(size, 5);
}

static void other_algorithms_are_hashed_when_they_are_asked_for(void **state)
{
	struct fix *f = *state;
	char digest[IMAGE_DIGEST_MAX];
	struct content_upload *u;
	struct image_hash h;
	uint64_t size;

	image_hash_init(&h, IMAGE_SHA512);
	image_hash_update(&h, "hello", 5);
	image_hash_final(&h, digest);
	for (unsigned alg = 0; alg < IMAGE_DIGEST_ALGS; alg++) {
		OK(f, content_upload_new(f->is, pool(f), "a", (enum image_digest_alg)alg, &u,
					 &f->err));
		OK(f, content_upload_push(u, SLICE("hello"), &f->err));
		OK(f, flush(f, u));
		OK(f, commit(f, u, digest));
	}
	OK(f, content_blob(f->is, "a", digest, &size, &f->err));
	assert_int_equal(count_names(f, "blobs/sha512"), 1);
	assert_int_equal(count_names(f, "blobs/sha256"), 0);
}

static void room(void *ctx)
{
	struct answer *a = ctx;

	a->done = true;
	loop_stop(a->f->loop, 0);
}

static void a_large_upload_is_written_beside_its_receiving(void **state)
{
	struct fix *f = *state;
	size_t n = 5u << 20, at = 0;
	char *bytes = malloc(n), digest[IMAGE_DIGEST_MAX];
	struct answer a = { .f = f };
	struct content_upload *u;
	int r, waits = 0;

	for (size_t i = 0; i < n; i++)
		bytes[i] = (char)(i * 31 + i / 977);
	image_digest_of(bytes, n, digest);
	OK(f, content_upload_new(f->is, pool(f), "a", IMAGE_SHA256, &u, &f->err));
	content_upload_on_room(u, room, &a);
	while (at < n) {
		size_t take = MIN(n - at, (size_t)65537);

		r = content_upload_push(u, slice_of(bytes + at, take), &f->err);
		assert_true(r >= 0);
		at += take;
		if (r == 1) {
			(void)wait_for(&a);
			a.done = false;
			waits++;
		}
	}
	assert_true(waits > 3);
	OK(f, flush(f, u));
	OK(f, commit(f, u, digest));
	OK(f, image_blob_verify(f->is, digest, &f->err));
	free(bytes);
}

static void old_uploads_expire_and_those_in_use_do_not(void **state)
{
	struct fix *f = *state;
	struct content_upload *u, *old;

	OK(f, content_upload_new(f->is, pool(f), "a", IMAGE_SHA256, &u, &f->err));
	OK(f, content_upload_new(f->is, pool(f), "a", IMAGE_SHA256, &old, &f->err));
	content_upload_close(old);
	assert_int_equal(content_uploads_expire(f->is, 3600 * NS_PER_SEC, &f->err), 0);
	assert_int_equal(content_uploads_expire(f->is, -2 * NS_PER_SEC, &f->err), 1);
	assert_int_equal(count_names(f, "uploads"), 1);
	content_upload_cancel(u);
	assert_int_equal(count_names(f, "uploads"), 0);
}

static void a_manifest_needs_its_parts_and_keeps_its_bytes(void **state)
{
	struct fix *f = *state;
	struct content_manifest m;
	struct answer a;
	char digest[IMAGE_DIGEST_MAX], want[IMAGE_DIGEST_MAX];
	const char *text = manifest_of(f, EMPTY, NULL);

	assert_int_equal(put(f, "a", "latest", text, TYPE_MANIFEST, &a), -ERR_NOT_FOUND);
	assert_err(&f->err, ERR_NOT_FOUND, EMPTY);
	push(f, "a", SLICE("{}"), digest);
	assert_string_equal(digest, EMPTY);
	OK(f, put(f, "a", "latest", text, TYPE_MANIFEST, &a));
	assert_true(a.created);
	image_digest_of(text, strlen(text), want);
	assert_string_equal(a.digest, want);
	OK(f, content_manifest(f->is, "a", "latest", f->arena, &m, &f->err));
	assert_true(slice_is(m.bytes, text));
	assert_string_equal(m.media, TYPE_MANIFEST);
	OK(f, content_manifest(f->is, "a", want, f->arena, &m, &f->err));
	assert_int_equal(content_manifest(f->is, "b", want, f->arena, &m, &f->err), -ERR_NOT_FOUND);
	OK(f, put(f, "a", want, text, TYPE_MANIFEST, &a));
	assert_false(a.created);
	assert_int_equal(put(f, "a", EMPTY, text, TYPE_MANIFEST, &a), -ERR_INVALID);
	assert_err(&f->err, ERR_INVALID, "digest: the manifest has");
	assert_int_equal(put(f, "a", "x", "{", TYPE_MANIFEST, &a), -ERR_INVALID);
	assert_int_equal(put(f, "a", "x", text, MEDIA_OCI_INDEX, &a), -ERR_INVALID);
}

static void an_index_needs_its_manifests(void **state)
{
	struct fix *f = *state;
	const char *text, *index;
	char digest[IMAGE_DIGEST_MAX];
	struct answer a;

	push(f, "a", SLICE("{}"), digest);
	text = manifest_of(f, EMPTY, NULL);
	image_digest_of(text, strlen(text), digest);
	index = arena_printf(f->arena,
			     "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"" TYPE_MANIFEST
			     "\",\"digest\":\"%s\",\"size\":%zu}]}",
			     digest, strlen(text));
	assert_int_equal(put(f, "a", "i", index, MEDIA_OCI_INDEX, &a), -ERR_NOT_FOUND);
	OK(f, put(f, "a", digest, text, NULL, &a));
	OK(f, put(f, "a", "i", index, MEDIA_OCI_INDEX, &a));
}

static void tags_are_listed_page_by_page(void **state)
{
	static const char *const tags[] = { "c", "a", "d", "b", "B" };
	struct fix *f = *state;
	struct content_page p = { .max = 2 };
	char digest[IMAGE_DIGEST_MAX];
	struct answer a;

	assert_int_equal(content_tags(f->is, "a", f->arena, &p, &f->err), -ERR_NOT_FOUND);
	push(f, "a", SLICE("{}"), digest);
	OK(f, content_tags(f->is, "a", f->arena, &p, &f->err));
	assert_int_equal(p.names.n, 0);
	for (size_t i = 0; i < ARRAY_LEN(tags); i++)
		OK(f, put(f, "a", tags[i], manifest_of(f, EMPTY, NULL), NULL, &a));
	OK(f, content_tags(f->is, "a", f->arena, &p, &f->err));
	assert_int_equal(p.names.n, 2);
	assert_string_equal(p.names.v[0], "B");
	assert_string_equal(p.names.v[1], "a");
	assert_true(p.more);
	p.after = "b";
	OK(f, content_tags(f->is, "a", f->arena, &p, &f->err));
	assert_string_equal(p.names.v[1], "d");
	assert_false(p.more);
	p = (struct content_page){ .max = 0 };
	OK(f, content_tags(f->is, "a", f->arena, &p, &f->err));
	assert_int_equal(p.names.n, 0);
	p = (struct content_page){ .max = SIZE_MAX };
	OK(f, content_repos(f->is, f->arena, &p, &f->err));
	assert_int_equal(p.names.n, 1);
}

static void referrers_are_found_by_subject_and_type(void **state)
{
	struct fix *f = *state;
	struct content_referrers q = { .digest = EMPTY, .max = 10 };
	char digest[IMAGE_DIGEST_MAX];
	struct answer a;

	OK(f, content_referrers(f->is, "none", f->arena, &q, &f->err));
	assert_int_equal(q.n, 0);
	push(f, "a", SLICE("{}"), digest);
	OK(f, put(f, "a", "sig", manifest_of(f, EMPTY, EMPTY), NULL, &a));
	assert_string_equal(a.subject, EMPTY);
	OK(f, content_referrers(f->is, "a", f->arena, &q, &f->err));
	assert_int_equal(q.n, 1);
	assert_string_equal(q.v[0].digest, a.digest);
	assert_string_equal(q.v[0].artifact_type, "a/config");
	assert_string_equal(q.v[0].annotations, "{\"k\":\"v\"}");
	q.artifact_type = "other";
	OK(f, content_referrers(f->is, "a", f->arena, &q, &f->err));
	assert_int_equal(q.n, 0);
}

static void an_immutable_tag_stays(void **state)
{
	struct fix *f = *state;
	const char *one = manifest_of(f, EMPTY, NULL), *two = manifest_of(f, EMPTY, EMPTY);
	struct content_put p = {
		.repo = "a", .ref = "v1", .bytes = slice_str(two), .immutable = true
	};
	char digest[IMAGE_DIGEST_MAX];
	struct answer a;

	push(f, "a", SLICE("{}"), digest);
	OK(f, put(f, "a", "v1", one, NULL, &a));
	a = (struct answer){ .f = f };
	content_put_manifest(f->is, &p, on_done, &a);
	assert_int_equal(wait_for(&a), -ERR_CONFLICT);
	p.bytes = slice_str(one);
	a = (struct answer){ .f = f };
	content_put_manifest(f->is, &p, on_done, &a);
	assert_int_equal(wait_for(&a), 0);
}

static void deletes_by_tag_and_by_digest(void **state)
{
	struct fix *f = *state;
	struct content_manifest m;
	char digest[IMAGE_DIGEST_MAX], man[IMAGE_DIGEST_MAX];
	struct answer a;

	push(f, "a", SLICE("{}"), digest);
	OK(f, put(f, "a", "one", manifest_of(f, EMPTY, NULL), NULL, &a));
	strcpy(man, a.digest);
	OK(f, put(f, "a", "two", manifest_of(f, EMPTY, NULL), NULL, &a));
	OK(f, delete_manifest(f, "a", "one"));
	assert_int_equal(delete_manifest(f, "a", "one"), -ERR_NOT_FOUND);
	assert_int_equal(delete_manifest(f, "nosuch", "one"), -ERR_NOT_FOUND);
	OK(f, content_manifest(f->is, "a", "two", f->arena, &m, &f->err));
	assert_int_equal(delete_blob(f, "a", EMPTY), -ERR_CONFLICT);
	assert_err(&f->err, ERR_CONFLICT, "delete that first");
	OK(f, delete_manifest(f, "a", man));
	assert_int_equal(content_manifest(f->is, "a", "two", f->arena, &m, &f->err),
			 -ERR_NOT_FOUND);
	OK(f, delete_blob(f, "a", EMPTY));
	assert_int_equal(delete_blob(f, "a", EMPTY), -ERR_NOT_FOUND);
}

static void blobs_are_mounted_from_where_they_are(void **state)
{
	struct fix *f = *state;
	char digest[IMAGE_DIGEST_MAX];
	uint64_t size;

	push(f, "a", SLICE("x"), digest);
	assert_int_equal(mount(f, "b", digest, "nosuch"), -ERR_NOT_FOUND);
	assert_int_equal(mount(f, "b", EMPTY, NULL), -ERR_NOT_FOUND);
	OK(f, mount(f, "b", digest, "a"));
	OK(f, content_blob(f->is, "b", digest, &size, &f->err));
	OK(f, mount(f, "c", digest, NULL));
	OK(f, content_blob(f->is, "c", digest, &size, &f->err));
}

static void collection_takes_what_nothing_leads_to(void **state)
{
	struct fix *f = *state;
	char config[IMAGE_DIGEST_MAX], loose[IMAGE_DIGEST_MAX];
	struct content_gc gc = { .grace = 3600 * NS_PER_SEC, .untagged = true };
	struct answer a, sig;
	uint64_t size;

	push(f, "a", SLICE("{}"), config);
	push(f, "a", SLICE("loose"), loose);
	OK(f, put(f, "a", "t", manifest_of(f, EMPTY, NULL), NULL, &a));
	OK(f, put(f, "a", "s", manifest_of(f, EMPTY, a.digest), NULL, &sig));
	OK(f, delete_manifest(f, "a", "s"));
	OK(f, content_gc(f->is, &gc, &f->err)); /* all too young */
	assert_int_equal(gc.manifests + gc.blobs, 0);
	gc.grace = -NS_PER_SEC;
	gc.dry_run = true;
	OK(f, content_gc(f->is, &gc, &f->err));
	assert_int_equal(gc.blobs, 1);
	assert_int_equal(gc.store.blobs, 0);
	gc.dry_run = false;
	OK(f, content_gc(f->is, &gc, &f->err));
	assert_int_equal(gc.blobs, 1);
	assert_int_equal(gc.manifests, 0); /* its subject lives */
	assert_int_equal(gc.store.blobs, 1);
	assert_int_equal(content_blob(f->is, "a", loose, &size, &f->err), -ERR_NOT_FOUND);
	OK(f, content_blob(f->is, "a", config, &size, &f->err));
	OK(f, delete_manifest(f, "a", "t"));
	OK(f, content_gc(f->is, &gc, &f->err));
	assert_int_equal(gc.manifests, 2);
	assert_int_equal(rows(f, "SELECT count(*) FROM repos"), 0);
	assert_int_equal(rows(f, "SELECT count(*) FROM blobs"), 0);
	assert_int_equal(count_names(f, "blobs/sha256"), 0);
}

static void an_image_and_a_repository_share_a_blob(void **state)
{
	struct fix *f = *state;
	struct content_gc gc = { .grace = -NS_PER_SEC, .untagged = true };
	char id[IMAGE_DIGEST_MAX], digest[IMAGE_DIGEST_MAX];
	struct image *img;
	struct tarball t;
	uint64_t size;
	int fd;

	OK(f, import_rootfs(f, small_layer(&t, "x"), "one", id));
	OK(f, image_resolve(f->is, "one", &img, &f->err));
	push(f, "a", image_config_json(img), digest);
	assert_string_equal(digest, id);
	OK(f, content_gc(f->is, &gc, &f->err));
	assert_int_equal(gc.blobs, 1);
	assert_int_equal(gc.store.blobs, 0);
	OK(f, image_blob_open(f->is, id, &fd, &size, &f->err));
	close(fd);
	image_unref(img);
	buf_fini(&t.b);
}

/* ---- limits, use, retention ---- */

static int mount_within(struct fix *f, const char *repo, const char *digest,
			const struct content_limits *lim)
{
	struct answer a = { .f = f };

	f->err = ERR_INIT;
	content_mount(f->is, repo, digest, NULL, lim, on_done, &a);
	return wait_for(&a);
}

static void limits_hold_in_the_transaction(void **state)
{
	const struct content_limit each = { .bytes = 10, .manifests = -1, .tags = -1 }, below = {
		.prefix = "a/", .bytes = 12, .manifests = -1, .tags = -1
	};
	const struct content_limits lim = { &each, 1 }, both = { &below, 1 };
	struct fix *f = *state;
	char six[IMAGE_DIGEST_MAX], five[IMAGE_DIGEST_MAX];
	struct content_upload *u;
	struct answer a = { .f = f };
	int64_t room;

	push(f, "src", SLICE("sixsix"), six);
	push(f, "src", SLICE("fives"), five);
	OK(f, mount_within(f, "a/x", six, &lim));
	assert_int_equal(mount_within(f, "a/x", five, &lim), -ERR_QUOTA);
	assert_err(&f->err, ERR_QUOTA, "quota: repository 'a/x' has 6 bytes of at most 10");
	OK(f, mount_within(f, "a/x", six, &lim)); /* adds nothing */
	OK(f, mount_within(f, "a/y", five, &lim));
	assert_int_equal(mount_within(f, "a/z", five, &both), -ERR_QUOTA);
	assert_err(&f->err, ERR_QUOTA, "'a/*' together have 11 bytes");
	OK(f, content_room(f->is, "a/x", &lim, &room, &f->err));
	assert_int_equal(room, 4);
	OK(f, content_room(f->is, "a/new", &both, &room, &f->err));
	assert_int_equal(room, 1);
	/* An upload that is refused at its end leaves nothing. */
	OK(f, content_upload_new(f->is, pool(f), "a/x", IMAGE_SHA256, &u, &f->err));
	OK(f, content_upload_push(u, SLICE("eleven byte"), &f->err));
	OK(f, flush(f, u));
	image_digest_of("eleven byte", 11, five);
	content_upload_commit(u, five, &lim, on_done, &a);
	assert_int_equal(wait_for(&a), -ERR_QUOTA);
	assert_int_equal(count_names(f, "uploads"), 0);
	assert_int_equal(count_names(f, "blobs/sha256"), 2);
	/* What goes makes room. */
	OK(f, delete_blob(f, "a/x", six));
	OK(f, content_room(f->is, "a/x", &lim, &room, &f->err));
	assert_int_equal(room, 10);
}

static void usage_counts_each_repository(void **state)
{
	struct content_usage_page page = { .max = 1 };
	struct fix *f = *state;
	char digest[IMAGE_DIGEST_MAX];
	struct content_pull *v = calloc(1, sizeof(*v));
	struct answer a;

	push(f, "one", SLICE("{}"), digest);
	push(f, "two", SLICE("{}"), digest);
	push(f, "one", SLICE("own"), digest);
	OK(f, put(f, "one", "t", manifest_of(f, EMPTY, NULL), NULL, &a));
	strcpy(v->repo, "one");
	strcpy(v->ref, "t");
	strcpy(v->digest, a.digest);
	v->when = 77;
	content_note_pulls(f->is, v, 1);
	page.arena = f->arena;
	OK(f, content_usage(f->is, &page, &f->err));
	assert_int_equal(page.n, 1);
	assert_true(page.more);
	assert_string_equal(page.v[0].repo, "one");
	assert_int_equal(page.v[0].tags, 1);
	assert_int_equal(page.v[0].manifests, 1);
	assert_int_equal(page.v[0].blobs, 2);
	assert_int_equal(page.v[0].bytes, 5 + (int64_t)strlen(manifest_of(f, EMPTY, NULL)));
	assert_int_equal(page.v[0].shared, 2);
	assert_int_equal(page.v[0].pulled, 77);
	page.after = "one";
	OK(f, content_usage(f->is, &page, &f->err));
	assert_string_equal(page.v[0].repo, "two");
	assert_false(page.more);
	assert_int_equal(page.v[0].bytes, 2);
}

/* Everything but what is called "keep". */
static void choose_all(void *ctx, const char *repo, struct content_tag *v, size_t n)
{
	unsigned *seen = ctx;

	for (size_t i = 0; i < n; i++) {
		*seen += v[i].referred ? 100 : v[i].companion ? 10 : 1;
		v[i].drop = !v[i].tag || strcmp(v[i].tag, "keep") != 0;
	}
}

/* In the store, until it is said to be told; another process would find it. */
static void waits_to_be_told(struct fix *f, const struct content_retain *job)
{
	struct content_dropped v[16];
	int64_t first, last;
	size_t n;

	image_store_close(f->is);
	open_store(f);
	OK(f, content_dropped_list(f->is, 0, f->arena, v, 3, &n, &first, &f->err));
	assert_int_equal(n, 3);
	OK(f, content_dropped_list(f->is, first, f->arena, v + 3, 13, &n, &last, &f->err));
	assert_int_equal(3 + n, job->tags + job->manifests);
	for (size_t i = 0; i < job->n; i++) {
		assert_string_equal(v[i].repo, "a");
		assert_string_equal(v[i].digest, job->v[i].digest);
		assert_int_equal(v[i].tag != NULL, job->v[i].tag != NULL);
		assert_true(v[i].at > 0);
	}
	content_dropped_forget(f->is, first);
	image_store_close(f->is); /* waits for it */
	open_store(f);
	OK(f, content_dropped_list(f->is, 0, f->arena, v, 16, &n, &first, &f->err));
	assert_int_equal(3 + n, job->n);
	content_dropped_forget(f->is, last);
	image_store_close(f->is);
	open_store(f);
	OK(f, content_dropped_list(f->is, 0, f->arena, v, 16, &n, &first, &f->err));
	assert_int_equal(n, 0);
	assert_int_equal(first, 0);
}

static void retention_takes_along_what_only_that_led_to(void **state)
{
	struct fix *f = *state;
	unsigned seen = 0;
	struct content_retain job = {
		.choose = choose_all, .ctx = &seen, .dry_run = true, .arena = f->arena
	};
	char digest[IMAGE_DIGEST_MAX], child[IMAGE_DIGEST_MAX], tag[CONTENT_TAG_MAX + 1];
	const char *text = manifest_of(f, EMPTY, NULL), *index;
	struct content_manifest m;
	struct answer a;

	push(f, "a", SLICE("{}"), digest);
	OK(f, put(f, "a", "keep", text, NULL, &a));
	OK(f, put(f, "a", "also", text, NULL, &a)); /* its manifest has another tag */
	text = arena_printf(f->arena, "%s ", text);
	image_digest_of(text, strlen(text), child);
	OK(f, put(f, "a", child, text, NULL, &a));
	index = arena_printf(f->arena,
			     "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"" TYPE_MANIFEST
			     "\",\"digest\":\"%s\",\"size\":%zu}]}",
			     child, strlen(text));
	OK(f, put(f, "a", "index", index, MEDIA_OCI_INDEX, &a));
	strcpy(digest, a.digest);
	OK(f, put(f, "a", "signature", manifest_of(f, EMPTY, digest), NULL, &a));
	snprintf(tag, sizeof(tag), "sha256-%.64s.sig", digest + 7);
	OK(f, put(f, "a", tag, arena_printf(f->arena, "%s  ", text), NULL, &a));
	OK(f, content_retain(f->is, &job, &f->err));
	assert_int_equal(seen, 1 + 1 + 100 + 1 + 10);
	assert_int_equal(job.tags, 4);
	OK(f, content_manifest(f->is, "a", "index", f->arena, &m, &f->err));
	job.dry_run = false;
	OK(f, content_retain(f->is, &job, &f->err));
	assert_int_equal(job.tags, 4);
	assert_int_equal(job.manifests, 4); /* index, its child, signature, companion */
	waits_to_be_told(f, &job);
	OK(f, content_manifest(f->is, "a", "keep", f->arena, &m, &f->err));
	assert_int_equal(content_manifest(f->is, "a", child, f->arena, &m, &f->err),
			 -ERR_NOT_FOUND);
	assert_int_equal(content_manifest(f->is, "a", tag, f->arena, &m, &f->err), -ERR_NOT_FOUND);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		T(names_and_tags_follow_the_grammar),
		T(a_pushed_blob_is_seen_by_its_repository_alone),
		T(an_upload_of_other_bytes_is_refused_and_leaves_nothing),
		T(an_upload_goes_on_after_its_process),
		T(other_algorithms_are_hashed_when_they_are_asked_for),
		T(a_large_upload_is_written_beside_its_receiving),
		T(old_uploads_expire_and_those_in_use_do_not),
		T(a_manifest_needs_its_parts_and_keeps_its_bytes),
		T(an_index_needs_its_manifests),
		T(tags_are_listed_page_by_page),
		T(referrers_are_found_by_subject_and_type),
		T(an_immutable_tag_stays),
		T(deletes_by_tag_and_by_digest),
		T(blobs_are_mounted_from_where_they_are),
		T(collection_takes_what_nothing_leads_to),
		T(an_image_and_a_repository_share_a_blob),
		T(limits_hold_in_the_transaction),
		T(usage_counts_each_repository),
		T(retention_takes_along_what_only_that_led_to),
	};

	HELPER_MAIN(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
