/* SPDX-License-Identifier: Apache-2.0 */
/* A layer's files while its tar streams in: what may be told of what did not come, and what is
 * found out when more was told than is true. */
#include "lazy-fix.h"

#include "image/lazy-growth.h"

#include <errno.h>
#include <linux/fuse.h>
#include <stdlib.h>

struct growing {
	struct tarball t;
	size_t pushed;
	FILE *holes;
	struct lazy_told *told;
	struct lazy_growth *g;
	struct err err;
};

static void begin(struct growing *x, bool base)
{
	*x = (struct growing){ .told = calloc(1, sizeof(*x->told)), .holes = tmpfile() };
	assert_non_null(x->told);
	assert_non_null(x->holes);
	tar_begin(&x->t);
	x->g = lazy_growth_new(base, fileno(x->holes), x->told);
}

static void drop(struct growing *x)
{
	lazy_growth_free(x->g);
	free(x->told);
	fclose(x->holes);
	buf_fini(&x->t.b);
}

/* All that the tar has so far. */
static int push(struct growing *x)
{
	size_t from = x->pushed;

	x->pushed = x->t.b.n;
	x->err = ERR_INIT;
	return lazy_growth_push(x->g, x->t.b.p + from, x->t.b.n - from, &x->err);
}

static int add_entry(struct growing *x, struct tar_entry e)
{
	tar_entry(&x->t, e, "0123456789");
	return push(x);
}

/* By its last letter: "d/" a directory, else a file of three bytes. */
static int add(struct growing *x, const char *name)
{
	bool dir = name[strlen(name) - 1] == '/';

	return add_entry(x, (struct tar_entry){ .type = dir ? TAR_DIR : TAR_REG,
						.name = name,
						.size = dir ? 0 : 3 });
}

static void adds(struct growing *x, const char *names)
{
	struct slice rest = slice_str(names);

	while (rest.n) {
		struct slice name = slice_split(&rest, ' ');
		char text[256];

		snprintf(text, sizeof(text), "%.*s", (int)name.n, name.p);
		if (add(x, text) < 0)
			fail_msg("%s: %s", text, x->err.msg);
	}
}

static int end(struct growing *x)
{
	struct err none;
	int r;

	assert_int_equal(tar_writer_finish(&x->t.w, &none), 0);
	r = push(x);
	return r < 0 ? r : lazy_growth_finish(x->g, &x->err);
}

static uint32_t find(const struct growing *x, const char *path)
{
	struct slice rest = slice_str(path);
	uint32_t at = LAZY_ROOT;

	while (rest.n)
		at = lazy_tree_lookup(lazy_growth_tree(x->g), at, slice_split(&rest, '/'));
	return at;
}

static bool lacks(struct growing *x, const char *dir, const char *name)
{
	return lazy_growth_tell_absent(x->g, find(x, dir), slice_str(name));
}

static bool lists(struct growing *x, const char *dir)
{
	return lazy_growth_tell_names(x->g, find(x, dir));
}

static void what_the_stream_has_passed_is_not_there(void **state)
{
	struct growing x;

	begin(&x, true);
	assert_false(lazy_growth_tell_inode(x.g, LAZY_ROOT)); /* its entry may be the first */
	adds(&x, "./ bin/");
	assert_true(lazy_growth_tell_inode(x.g, LAZY_ROOT));
	assert_false(lacks(&x, "", "a")); /* no file yet: directories may come first */
	adds(&x, "bin/b bin/d");
	assert_true(lacks(&x, "", "a"));
	assert_true(lacks(&x, "bin", "a"));
	assert_true(lacks(&x, "bin", "c"));
	assert_false(lacks(&x, "bin", "d0"));
	assert_false(lacks(&x, "bin", "e"));
	assert_false(lacks(&x, "", "bin-x")); /* behind all that is in bin/ */
	assert_false(lists(&x, "bin"));
	assert_false(lists(&x, ""));
	adds(&x, "bin-x etc/ etc/deep/ etc/deep/f");
	assert_true(lists(&x, "bin"));
	assert_true(lacks(&x, "bin", "e"));
	assert_true(lacks(&x, "", "dev"));
	assert_false(lists(&x, "etc"));
	assert_true(lacks(&x, "etc", "a"));
	assert_false(lacks(&x, "etc", "group"));
	assert_false(lacks(&x, "", "proc"));
	assert_int_equal(end(&x), 0);
	assert_true(lacks(&x, "", "proc"));
	assert_true(lists(&x, ""));
	drop(&x);
}

static void directories_that_come_first_are_not_believed(void **state)
{
	struct growing x;

	begin(&x, true);
	adds(&x, "a/ b/ c/");
	assert_false(lacks(&x, "a", "x"));
	assert_false(lists(&x, "a"));
	adds(&x, "a/f");
	assert_false(lazy_growth_sorted(x.g));
	assert_false(lacks(&x, "a", "e"));
	adds(&x, "b/f");
	assert_false(lists(&x, "a"));
	assert_int_equal(end(&x), 0);
	assert_true(lists(&x, "a"));
	drop(&x);
}

static void devices_may_come_before_the_walk(void **state)
{
	struct growing x;

	begin(&x, true);
	adds(&x, "./ dev/");
	assert_int_equal(add_entry(&x, (struct tar_entry){ .type = TAR_CHAR,
							   .name = "dev/null",
							   .major = 1,
							   .minor = 3 }),
			 0);
	assert_false(lacks(&x, "", "c"));
	adds(&x, "./ a/");
	assert_true(lazy_growth_sorted(x.g));
	assert_false(lacks(&x, "", "c"));
	adds(&x, "a/b");
	assert_false(lacks(&x, "", "c"));
	adds(&x, "d");
	assert_true(lacks(&x, "", "c"));
	adds(&x, "b");
	assert_false(lazy_growth_sorted(x.g));
	drop(&x);
}

static void of_an_unsorted_tar_nothing_more_is_guessed(void **state)
{
	struct growing x;

	begin(&x, true);
	adds(&x, "d/ d/f");
	assert_true(lacks(&x, "", "c"));
	adds(&x, "b"); /* nobody has asked for it */
	assert_false(lazy_growth_sorted(x.g));
	assert_true(lacks(&x, "", "c")); /* what was said is said */
	assert_false(lacks(&x, "", "bb"));
	assert_false(lacks(&x, "d", "e"));
	adds(&x, "z");
	assert_false(lists(&x, "d"));
	assert_int_equal(end(&x), 0);
	drop(&x);
}

static void what_makes_an_answer_false_is_found(void **state)
{
	static const struct {
		const char *before, *dir, *name, *after; /* name: NULL = all names are told */
	} v[] = {
		{ "d/ d/f e", "d", "a", "d/a" },      { "d/ d/f e", "", "c", "c" },
		{ "d/ d/f e", "", "c", "c/" },	      { "d/ d/f e", "", "c", "c/below/x" },
		{ "d/ d/f e", "d", NULL, "d/z" },     { "d/ d/f e", "d", NULL, "d/f" },
		{ "d/ d/f e", "d", NULL, "d/.wh.x" }, { "d/ d/f e", "d", "a", "d/.wh.a" },
		{ "d/ d/f e", "d", NULL, "d/y/x" },
	};

	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		struct growing x;

		begin(&x, false);
		adds(&x, v[i].before);
		assert_true(v[i].name ? lacks(&x, v[i].dir, v[i].name) : lists(&x, v[i].dir));
		assert_int_equal(add(&x, v[i].after), -ERR_CONFLICT);
		assert_err(&x.err, ERR_CONFLICT, "stands where none was expected");
		drop(&x);
	}
}

/* What nobody saw may change: the last entry counts, as for unpacking. */
static void what_was_shown_may_not_change(void **state)
{
	for (int shown = 0; shown < 2; shown++) {
		struct growing x;

		begin(&x, true);
		adds(&x, "d/ d/f");
		if (shown)
			assert_true(lazy_growth_tell_inode(x.g, find(&x, "d/f")));
		assert_int_equal(add(&x, "d/f"), shown ? -ERR_CONFLICT : 0);
		drop(&x);
		begin(&x, true);
		adds(&x, "d/ d/f");
		if (shown)
			assert_true(lazy_growth_tell_inode(x.g, find(&x, "d")));
		assert_int_equal(add(&x, "d/"), 0); /* the same once more */
		assert_int_equal(
			add_entry(&x,
				  (struct tar_entry){ .type = TAR_DIR, .name = "d", .mode = 0700 }),
			shown ? -ERR_CONFLICT : 0);
		drop(&x);
	}
}

static void whiteouts_may_stand_by_either_name(void **state)
{
	struct growing x;

	begin(&x, false);
	adds(&x, "d/ d/.wh.m d/b");
	assert_true(lazy_growth_sorted(x.g));
	assert_true(lacks(&x, "d", "a"));
	adds(&x, "e/ e/b e/.wh.m");
	assert_true(lazy_growth_sorted(x.g));
	assert_true(lacks(&x, "e", "c"));
	assert_true(lacks(&x, "e", "l"));
	assert_false(lacks(&x, "e", "n"));
	assert_true(S_ISCHR(lazy_tree_inode(lazy_growth_tree(x.g), find(&x, "e/m"))->mode));
	/* By the lesser name of the two: "-" stands before ".". */
	adds(&x, "f/ f/.wh.-m f/-z");
	assert_true(lazy_growth_sorted(x.g));
	assert_int_equal(end(&x), 0);
	drop(&x);
}

static void a_directory_is_not_opaque_when_its_mark_is_passed(void **state)
{
	struct growing x;
	uint32_t d;

	begin(&x, false);
	adds(&x, "c d/ d/-a");
	d = find(&x, "d");
	assert_false(lazy_growth_tell_plain(x.g, d));
	adds(&x, "d/b");
	assert_true(lazy_growth_tell_plain(x.g, d));
	assert_int_equal(add(&x, "d/.wh..wh..opq"), -ERR_CONFLICT);
	drop(&x);
	begin(&x,
	      false); /* at once behind the directory's entry, as overlay's differences have it */
	adds(&x, "c d/ d/.wh..wh..opq d/-a d/b");
	assert_true(lazy_growth_sorted(x.g));
	assert_true(lazy_tree_inode(lazy_growth_tree(x.g), find(&x, "d"))->opaque);
	assert_int_equal(add(&x, ".wh..wh..opq"), -ERR_UNSUPPORTED);
	assert_err(&x.err, ERR_UNSUPPORTED, "hides all layers below");
	drop(&x);
}

static void hard_links_lead_to_earlier_names_alone(void **state)
{
	struct growing x;

	begin(&x, true);
	adds(&x, "a");
	assert_int_equal(
		add_entry(&x, (struct tar_entry){ .type = TAR_HARD, .name = "b", .link = "./a" }),
		0);
	assert_int_equal(find(&x, "a"), find(&x, "b"));
	assert_int_equal(lazy_tree_inode(lazy_growth_tree(x.g), find(&x, "a"))->nlink, 2);
	assert_int_equal(
		add_entry(&x, (struct tar_entry){ .type = TAR_HARD, .name = "c", .link = "z" }),
		-ERR_INVALID);
	assert_err(&x.err, ERR_INVALID, "not in this layer");
	drop(&x);
}

static void attributes_of_lower_layers_are_not_guessed(void **state)
{
	struct growing x;

	begin(&x, false);
	assert_int_equal(add(&x, "d/f"), -ERR_UNSUPPORTED);
	assert_err(&x.err, ERR_UNSUPPORTED, "no entry for the directory of 'd/f'");
	drop(&x);
	begin(&x, true); /* the lowest layer has nothing below it */
	adds(&x, "d/f");
	assert_true(lazy_growth_tell_inode(x.g, find(&x, "d")));
	assert_int_equal(
		add_entry(&x, (struct tar_entry){ .type = TAR_DIR, .name = "d", .mode = 0700 }),
		-ERR_CONFLICT);
	drop(&x);
}

/* Another process takes over: the same bytes once more, and what was told still holds. */
static void what_was_told_outlives_a_process(void **state)
{
	struct growing x;
	uint32_t f;

	begin(&x, true);
	adds(&x, "d/ d/ d/f e");
	assert_true(lists(&x, "d"));
	f = find(&x, "d/f");
	assert_true(lazy_growth_tell_inode(x.g, find(&x, "d")));
	assert_true(lazy_growth_tell_inode(x.g, f));
	assert_true(lacks(&x, "", "c"));
	lazy_growth_free(x.g);
	x.g = lazy_growth_new(true, fileno(x.holes), x.told);
	lazy_growth_again(x.g, true);
	assert_int_equal(lazy_growth_push(x.g, x.t.b.p, x.pushed, &x.err), 0);
	lazy_growth_again(x.g, false);
	assert_int_equal(find(&x, "d/f"), f);
	assert_true(lacks(&x, "", "c"));
	assert_int_equal(add(&x, "c"), -ERR_CONFLICT);
	drop(&x);
}

static void sparse_files_are_what_they_will_be(void **state)
{
	const struct lazy_inode *n;
	struct growing x;
	char bytes[9] = "";

	for (int i = 0; i < 2; i++) {
		begin(&x, true);
		adds(&x, "a");
		sparse_into(&x.t, "s");
		assert_int_equal(push(&x), 0);
		n = lazy_tree_inode(lazy_growth_tree(x.g), find(&x, "s"));
		assert_int_equal(n->size, 9);
		assert_int_equal(n->offset, LAZY_HOLES);
		assert_int_equal(lazy_growth_holes(x.g), 9);
		assert_int_equal(pread(fileno(x.holes), bytes, 9, 0), 6); /* a hole ends it */
		assert_memory_equal(bytes, "\0\0\0\0xy\0\0", 9);
		sparse_into(&x.t, "t");
		assert_int_equal(push(&x), 0);
		n = lazy_tree_inode(lazy_growth_tree(x.g), find(&x, "t"));
		assert_int_equal(n->offset, LAZY_HOLES + 9);
		drop(&x);
	}
	begin(&x, true);
	lazy_growth_free(x.g);
	x.g = lazy_growth_new(true, -1, x.told);
	sparse_into(&x.t, "s");
	assert_int_equal(push(&x), -ERR_UNSUPPORTED);
	assert_err(&x.err, ERR_UNSUPPORTED, "'s' is a sparse file");
	drop(&x);
}

/* ---- requests of the kernel ---- */

struct request {
	struct fuse_in_header h;
	char body[256];
};

static enum lazy_verdict ask(const struct lazy_fs *fs, uint32_t op, uint64_t node, const void *body,
			     size_t n, struct buf *out)
{
	struct request rq = { .h = { .opcode = op, .unique = 5, .nodeid = node } };
	uint64_t unique;

	memcpy(rq.body, body, n);
	rq.h.len = (uint32_t)(sizeof(rq.h) + n);
	return lazy_fuse_answer(fs, &rq, rq.h.len, out, &unique);
}

static int error_of(const struct buf *out)
{
	return ((const struct fuse_out_header *)(const void *)out->p)->error;
}

static int no_data(void *ctx, uint64_t offset, size_t n, char *dst)
{
	(void)ctx;
	(void)offset;
	memset(dst, 0, n);
	return 1;
}

static void who_asks_too_early_waits_or_is_told_of_the_failure(void **state)
{
	const char opaque[] = "\0\1\0\0\0\0\0\0trusted.overlay.opaque";
	const struct fuse_read_in rd = { .size = 4096 };
	CLEANUP(buf_fini) struct buf out = BUF_INIT(LAZY_REPLY_MAX);
	const struct fuse_entry_out *e;
	struct lazy_fs fs = { .data = no_data };
	struct growing x;

	begin(&x, false);
	fs.growth = x.g;
	fs.tree = lazy_growth_tree(x.g);
	assert_int_equal(ask(&fs, FUSE_GETATTR, LAZY_ROOT, "", 0, &out), LAZY_WAIT);
	adds(&x, "c d/ d/f");
	assert_int_equal(ask(&fs, FUSE_GETATTR, LAZY_ROOT, "", 0, &out), LAZY_ANSWER);
	assert_int_equal(ask(&fs, FUSE_LOOKUP, LAZY_ROOT, "e", 2, &out), LAZY_WAIT);
	assert_int_equal(ask(&fs, FUSE_LOOKUP, find(&x, "d"), "g", 2, &out), LAZY_WAIT);
	assert_int_equal(ask(&fs, FUSE_READDIR, LAZY_ROOT, &rd, sizeof(rd), &out), LAZY_WAIT);
	assert_int_equal(ask(&fs, FUSE_READ, find(&x, "c"), &rd, sizeof(rd), &out), LAZY_WAIT);
	assert_int_equal(ask(&fs, FUSE_LOOKUP, LAZY_ROOT, "a", 2, &out), LAZY_ANSWER);
	e = (const void *)(out.p + sizeof(struct fuse_out_header));
	assert_int_equal(e->nodeid, 0);
	assert_true(e->entry_valid > 0);
	assert_int_equal(ask(&fs, FUSE_LOOKUP, LAZY_ROOT, "c", 2, &out), LAZY_ANSWER);
	assert_int_equal(e->nodeid, find(&x, "c"));
	assert_int_equal(e->attr_valid, 0); /* links may come */
	/* "d" has a name behind its mark's place: it is not opaque. */
	assert_int_equal(ask(&fs, FUSE_GETXATTR, find(&x, "d"), opaque, sizeof(opaque), &out),
			 LAZY_ANSWER);
	assert_int_equal(error_of(&out), -ENODATA);
	adds(&x, "e/");
	assert_int_equal(ask(&fs, FUSE_GETXATTR, find(&x, "e"), opaque, sizeof(opaque), &out),
			 LAZY_WAIT);
	fs.stalled = true;
	assert_int_equal(ask(&fs, FUSE_LOOKUP, LAZY_ROOT, "z", 2, &out), LAZY_ANSWER);
	assert_int_equal(error_of(&out), -EIO);
	fs.stalled = false;
	assert_int_equal(end(&x), 0);
	assert_int_equal(ask(&fs, FUSE_READDIR, LAZY_ROOT, &rd, sizeof(rd), &out), LAZY_ANSWER);
	assert_int_equal(ask(&fs, FUSE_LOOKUP, LAZY_ROOT, "z", 2, &out), LAZY_ANSWER);
	assert_int_equal(error_of(&out), 0);
	assert_int_equal(ask(&fs, FUSE_GETXATTR, find(&x, "e"), opaque, sizeof(opaque), &out),
			 LAZY_ANSWER);
	drop(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_stream_has_passed_is_not_there),
		cmocka_unit_test(directories_that_come_first_are_not_believed),
		cmocka_unit_test(devices_may_come_before_the_walk),
		cmocka_unit_test(of_an_unsorted_tar_nothing_more_is_guessed),
		cmocka_unit_test(what_makes_an_answer_false_is_found),
		cmocka_unit_test(what_was_shown_may_not_change),
		cmocka_unit_test(whiteouts_may_stand_by_either_name),
		cmocka_unit_test(a_directory_is_not_opaque_when_its_mark_is_passed),
		cmocka_unit_test(hard_links_lead_to_earlier_names_alone),
		cmocka_unit_test(attributes_of_lower_layers_are_not_guessed),
		cmocka_unit_test(what_was_told_outlives_a_process),
		cmocka_unit_test(sparse_files_are_what_they_will_be),
		cmocka_unit_test(who_asks_too_early_waits_or_is_told_of_the_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
