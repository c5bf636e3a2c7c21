/* SPDX-License-Identifier: Apache-2.0 */
/* Pushes to a registry of our own in another process: the same digests there, nothing sent twice,
 * what fails and what is left. */
#include "far.h"
#include "image/pull.h"

static struct far far;

static void on_progress(void *ctx, const struct image_transfer *t)
{
	assert_true(!t->detail || t->current <= t->total);
	buf_addf(ctx, "%s|%s\n", t->id, t->status);
	if (t->digest)
		buf_addf(ctx, "aux %s %s\n", t->tag, t->digest);
}

static int push(struct fix *f, const char *ref, bool all, struct buf *heard)
{
	CLEANUP(image_push_free) struct image_push *p = NULL;
	struct image_push_options o = { .ref = ref, .all_tags = all };
	int r;

	if (heard) {
		*heard = BUF_INIT(1u << 20);
		o.progress = on_progress;
		o.ctx = heard;
	}
	f->err = ERR_INIT;
	r = image_push_new(f->is, &o, &p, &f->err);
	return r < 0 ? r : image_push_run(p, &f->err);
}

static int pull(struct fix *f, const char *ref)
{
	CLEANUP(image_pull_free) struct image_pull *p = NULL;
	struct image_pull_options o = { .ref = ref };
	int r;

	f->err = ERR_INIT;
	r = image_pull_new(f->is, &o, &p, &f->err);
	return r < 0 ? r : image_pull_run(p, &f->err);
}

static const char *full(struct fix *f, const char *tail)
{
	return arena_printf(f->arena, "%s/%s", far.host, tail);
}

/* Two layers loaded under these names of the registry. */
static void have(struct fix *f, const char *one, const char *two, char id[IMAGE_DIGEST_MAX])
{
	struct tarball a, b, t;
	struct slice layers[2] = { small_layer(&a, one), small_layer(&b, two) };

	OK(f, load(f,
		   docker_archive(&t,
				  arena_printf(f->arena, "[\"%s\",\"%s\"]", full(f, "in:1"),
					       full(f, "in:2")),
				  layers, 2),
		   id));
	buf_fini(&a.b);
	buf_fini(&b.b);
	buf_fini(&t.b);
}

static void said(const struct buf *b, const char *part, bool yes)
{
	if ((strstr(buf_str(b), part) != NULL) != yes)
		fail_msg("'%s' was%s said: %s", part, yes ? " not" : "", buf_str(b));
}

static void what_was_pushed_comes_back_the_same(void **state)
{
	struct fix *f = *state;
	char id[IMAGE_DIGEST_MAX], digest[IMAGE_DIGEST_MAX];
	struct strv tags, digests;
	struct image *img;
	struct buf heard;

	have(f, "one", "two", id);
	OK(f, push(f, full(f, "in:1"), false, &heard));
	said(&heard, arena_printf(f->arena, "|The push refers to repository [%s]\n", full(f, "in")),
	     true);
	said(&heard, "|Preparing\n", true);
	said(&heard, "|Pushing\n", true);
	said(&heard, "|Pushed\n", true);
	OK(f, image_resolve(f->is, full(f, "in:1"), &img, &f->err));
	strcpy(digest, image_manifest_digest(img));
	said(&heard, arena_printf(f->arena, "|1: digest: %s size: ", digest), true);
	said(&heard, arena_printf(f->arena, "aux 1 %s\n", digest), true);
	OK(f, image_names(f->is, img, f->arena, &tags, &digests, &f->err));
	assert_int_equal(digests.n, 1);
	image_unref(img);
	buf_fini(&heard);
	OK(f, push(f, full(f, "in:1"), false, &heard));
	said(&heard, "|Layer already exists\n", true);
	said(&heard, "|Pushed\n", false);
	buf_fini(&heard);
	/* Another store gets the very same. */
	image_store_close(f->is);
	OK(f, fd_remove_tree(AT_FDCWD, f->dir, &f->err));
	assert_int_equal(mkdir(f->dir, 0700), 0);
	open_store(f);
	OK(f, pull(f, full(f, "in:1")));
	OK(f, image_resolve(f->is, full(f, "in:1"), &img, &f->err));
	assert_string_equal(image_id(img), id);
	assert_string_equal(image_manifest_digest(img), digest);
	image_unref(img);
}

static void all_tags_go(void **state)
{
	struct fix *f = *state;
	char id[IMAGE_DIGEST_MAX];
	struct buf heard;

	have(f, "three", "four", id);
	OK(f, push(f, full(f, "in"), true, &heard));
	said(&heard, "aux 1 ", true);
	said(&heard, "aux 2 ", true);
	buf_fini(&heard);
	assert_true(push(f, full(f, "in:1"), true, NULL) < 0);
	assert_err(&f->err, ERR_BAD_REQUEST, "--all-tags");
	assert_true(push(f, full(f, "none"), true, NULL) < 0);
	assert_err(&f->err, ERR_NOT_FOUND, "does not exist locally");
}

static void tagged(void *ctx, int result, const struct err *err)
{
	struct fix *f = ctx;

	if (result < 0)
		fail_msg("%s", err->msg);
	loop_stop(f->loop, 0);
}

static void blobs_of_a_sister_repository_are_mounted(void **state)
{
	struct fix *f = *state;
	char id[IMAGE_DIGEST_MAX];
	struct buf heard;

	have(f, "five", "six", id);
	OK(f, push(f, full(f, "in:1"), false, NULL));
	image_tag(f->is, id, full(f, "sister:9"), tagged, f);
	OK(f, loop_run(f->loop, &f->err));
	OK(f, push(f, full(f, "sister:9"), false, &heard));
	said(&heard, "|Mounted from in\n", true);
	buf_fini(&heard);
}

static void what_is_not_here_or_nobody_takes_is_an_error(void **state)
{
	struct fix *f = *state;
	char id[IMAGE_DIGEST_MAX];

	assert_true(push(f, full(f, "in:1"), false, NULL) < 0);
	assert_err(&f->err, ERR_NOT_FOUND, "An image does not exist locally with the tag: ");
	have(f, "seven", "eight", id);
	assert_true(push(f, arena_printf(f->arena, "%s@%s", full(f, "in"), id), false, NULL) < 0);
	assert_err(&f->err, ERR_BAD_REQUEST, "digest reference");
	image_tag(f->is, id, "127.0.0.1:1/x:1", tagged, f);
	OK(f, loop_run(f->loop, &f->err));
	assert_true(push(f, "127.0.0.1:1/x:1", false, NULL) < 0);
	assert_err(&f->err, ERR_UNAVAILABLE, "127.0.0.1:1");
	assert_int_equal(rows(f, "SELECT count(*) FROM leases"), 0);
	assert_int_equal(rows(f, "SELECT count(*) FROM digests"), 0);
	assert_int_equal(count_names(f, "leases"), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		T(what_was_pushed_comes_back_the_same),
		T(all_tags_go),
		T(blobs_of_a_sister_repository_are_mounted),
		T(what_is_not_here_or_nobody_takes_is_an_error),
	};
	int r;

	HELPER_MAIN(argc, argv);
	far_open(&far);
	r = cmocka_run_group_tests(tests, NULL, NULL);
	far_close(&far);
	return r;
}
