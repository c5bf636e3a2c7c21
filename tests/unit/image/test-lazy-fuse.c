/* SPDX-License-Identifier: Apache-2.0 */
/* A layer's tree, and requests of the kernel answered from it without a mount. */
#include "lazy-fix.h"

#include <errno.h>
#include <linux/fuse.h>

struct served {
	struct lazy_tree *tree;
	struct lazy_fs fs;
	struct buf out;
	const char *tar;
	bool here; /* data is */
};

static int on_data(void *ctx, uint64_t offset, size_t n, char *dst)
{
	struct served *s = ctx;

	if (!s->here)
		return 1;
	memcpy(dst, s->tar + offset, n);
	return 0;
}

static void serve(struct served *s, const struct tar_entry *v, size_t n, bool base)
{
	struct err err = ERR_INIT;

	*s = (struct served){ .tree = lazy_tree_new(base), .tar = "0123456789", .here = true };
	for (size_t i = 0; i < n; i++) {
		struct tar_entry e = v[i];

		e.link = e.link ? e.link : "";
		if (lazy_tree_add(s->tree, &e, &err) < 0)
			fail_msg("%s", err.msg);
	}
	s->fs = (struct lazy_fs){ .tree = s->tree, .data = on_data, .ctx = s };
	s->out = BUF_INIT(LAZY_REPLY_MAX);
}

static void drop(struct served *s)
{
	lazy_tree_free(s->tree);
	buf_fini(&s->out);
}

/* The reply's body; *ret_error as the kernel gets it. */
static const void *ask(struct served *s, uint32_t op, uint64_t node, const void *body, size_t n,
		       int *ret_error)
{
	struct {
		struct fuse_in_header h;
		char body[512];
	} rq = { .h = { .len = (uint32_t)(sizeof(rq.h) + n),
			.opcode = op,
			.unique = 77,
			.nodeid = node } };
	const struct fuse_out_header *h;
	uint64_t unique;

	memcpy(rq.body, body, n);
	assert_int_equal(lazy_fuse_answer(&s->fs, &rq, rq.h.len, &s->out, &unique), LAZY_ANSWER);
	h = (const void *)s->out.p;
	assert_int_equal(h->unique, 77);
	assert_int_equal(h->len, s->out.n);
	*ret_error = h->error;
	return h + 1;
}

static const struct fuse_entry_out *look(struct served *s, uint64_t dir, const char *name)
{
	int error;
	const void *p = ask(s, FUSE_LOOKUP, dir, name, strlen(name) + 1, &error);

	assert_int_equal(error, 0);
	return p;
}

static void files_links_and_attributes_are_shown(void **state)
{
	struct tar_xattr x = { "user.x", { "value", 5 } };
	const struct tar_entry v[] = {
		{ .type = TAR_DIR, .name = "d", .mode = 0750, .uid = 5 },
		{ .type = TAR_REG,
		  .name = "d/f",
		  .mode = 04755,
		  .size = 4,
		  .offset = 3,
		  .xattrs = &x,
		  .nxattrs = 1 },
		{ .type = TAR_HARD, .name = "h", .link = "d/f" },
		{ .type = TAR_SYM, .name = "l", .link = "d/f" },
		{ .type = TAR_CHAR, .name = "n", .major = 1, .minor = 3, .mode = 0666 },
	};
	const struct fuse_read_in rd = { .offset = 1, .size = 100 };
	const char get[] = "\0\1\0\0\0\0\0\0user.x";
	const struct fuse_entry_out *e;
	uint64_t d, f;
	struct served s;
	int error;

	serve(&s, v, ARRAY_LEN(v), true);
	e = look(&s, LAZY_ROOT, "d");
	assert_int_equal(e->attr.mode, S_IFDIR | 0750);
	assert_int_equal(e->attr.uid, 5);
	d = e->nodeid;
	e = look(&s, d, "f");
	f = e->nodeid;
	assert_int_equal(e->attr.mode, S_IFREG | 04755);
	assert_int_equal(e->attr.size, 4);
	assert_int_equal(e->attr.nlink, 2);
	assert_int_equal(look(&s, LAZY_ROOT, "h")->nodeid, f);
	assert_memory_equal(ask(&s, FUSE_READ, f, &rd, sizeof(rd), &error), "456", 3);
	assert_int_equal(s.out.n, sizeof(struct fuse_out_header) + 3);
	assert_memory_equal(ask(&s, FUSE_GETXATTR, f, get, sizeof(get), &error), "value", 5);
	assert_memory_equal(ask(&s, FUSE_READLINK, look(&s, LAZY_ROOT, "l")->nodeid, "", 0, &error),
			    "d/f", 3);
	assert_int_equal(look(&s, LAZY_ROOT, "n")->attr.rdev, 0x103);
	assert_int_equal(look(&s, LAZY_ROOT, "absent")->nodeid, 0);
	(void)ask(&s, FUSE_UNLINK, LAZY_ROOT, "d", 2, &error);
	assert_int_equal(error, -EROFS);
	(void)ask(&s, FUSE_OPEN, f, "", 0, &error);
	assert_int_equal(error, -ENOSYS);
	(void)ask(&s, FUSE_GETATTR, 999, "", 0, &error);
	assert_int_equal(error, -ESTALE);
	drop(&s);
}

static void whiteouts_are_what_overlay_expects(void **state)
{
	const struct tar_entry v[] = {
		{ .type = TAR_DIR, .name = "a", .mode = 0755 },
		{ .type = TAR_REG, .name = "a/.wh.gone" },
		{ .type = TAR_DIR, .name = "o", .mode = 0755 },
		{ .type = TAR_REG, .name = "o/.wh..wh..opq" },
		{ .type = TAR_REG, .name = ".wh.again" },
		{ .type = TAR_DIR, .name = "again", .mode = 0755 },
	};
	const char get[] = "\0\1\0\0\0\0\0\0trusted.overlay.opaque";
	struct served s;
	int error;

	serve(&s, v, ARRAY_LEN(v), false);
	assert_int_equal(look(&s, look(&s, LAZY_ROOT, "a")->nodeid, "gone")->attr.mode, S_IFCHR);
	assert_memory_equal(
		ask(&s, FUSE_GETXATTR, look(&s, LAZY_ROOT, "o")->nodeid, get, sizeof(get), &error),
		"y", 1);
	assert_memory_equal(ask(&s, FUSE_GETXATTR, look(&s, LAZY_ROOT, "again")->nodeid, get,
				sizeof(get), &error),
			    "y", 1);
	(void)ask(&s, FUSE_GETXATTR, look(&s, LAZY_ROOT, "a")->nodeid, get, sizeof(get), &error);
	assert_int_equal(error, -ENODATA);
	drop(&s);
	/* The lowest layer has nothing to hide. */
	serve(&s, v, ARRAY_LEN(v), true);
	assert_int_equal(look(&s, look(&s, LAZY_ROOT, "a")->nodeid, "gone")->nodeid, 0);
	drop(&s);
}

/* All names once, whatever room each answer has. */
static void a_large_directory_is_listed_in_pieces(void **state)
{
	enum { N = 3000 };
	static struct tar_entry v[N];
	static char names[N][16];
	struct fuse_read_in in = { .size = 700 };
	unsigned seen = 0;
	struct served s;
	int error;

	for (int i = 0; i < N; i++) {
		snprintf(names[i], sizeof(names[i]), "f%d", i);
		v[i] = (struct tar_entry){ .type = TAR_REG, .name = names[i] };
	}
	serve(&s, v, N, true);
	for (;;) {
		const char *p = ask(&s, FUSE_READDIR, LAZY_ROOT, &in, sizeof(in), &error);
		const char *end = s.out.p + s.out.n;

		if (p == end)
			break;
		while (p < end) {
			const struct fuse_dirent *d = (const void *)p;

			in.offset = d->off;
			seen++;
			p += FUSE_DIRENT_SIZE(d);
		}
	}
	assert_int_equal(seen, N + 2);
	drop(&s);
}

static void what_is_not_here_yet_is_waited_for(void **state)
{
	const struct tar_entry v[] = { { .type = TAR_REG, .name = "f", .size = 4 } };
	struct {
		struct fuse_in_header h;
		struct fuse_read_in in;
	} rq = { .h = { .len = sizeof(rq), .opcode = FUSE_READ, .unique = 8 },
		 .in = { .size = 4 } };
	struct {
		struct fuse_in_header h;
		struct fuse_interrupt_in in;
	} stop = { .h = { .len = sizeof(stop), .opcode = FUSE_INTERRUPT }, .in = { 8 } };
	uint64_t unique = 0;
	struct served s;

	serve(&s, v, 1, true);
	s.here = false;
	rq.h.nodeid = look(&s, LAZY_ROOT, "f")->nodeid;
	assert_int_equal(lazy_fuse_answer(&s.fs, &rq, sizeof(rq), &s.out, &unique), LAZY_WAIT);
	assert_int_equal(lazy_fuse_answer(&s.fs, &stop, sizeof(stop), &s.out, &unique),
			 LAZY_INTERRUPT);
	assert_int_equal(unique, 8);
	s.here = true;
	assert_int_equal(lazy_fuse_answer(&s.fs, &rq, sizeof(rq), &s.out, &unique), LAZY_ANSWER);
	assert_int_equal(lazy_fuse_answer(&s.fs, &rq, sizeof(rq.h) - 1, &s.out, &unique),
			 LAZY_BROKEN);
	drop(&s);
}

static void a_layer_that_failed_is_an_error_all_over(void **state)
{
	const struct tar_entry v[] = { { .type = TAR_REG, .name = "f", .size = 4 } };
	const struct fuse_read_in rd = { .size = 100 };
	const struct fuse_out_header *h;
	const struct fuse_notify_inval_inode_out *what;
	CLEANUP(buf_fini) struct buf note = BUF_INIT(64);
	struct served s;
	uint64_t f;
	int error;

	serve(&s, v, 1, true);
	f = look(&s, LAZY_ROOT, "f")->nodeid;
	s.fs.failed = true;
	(void)ask(&s, FUSE_READ, f, &rd, sizeof(rd), &error);
	assert_int_equal(error, -EIO);
	(void)ask(&s, FUSE_LOOKUP, LAZY_ROOT, "f", 2, &error);
	assert_int_equal(error, -EIO);
	(void)ask(&s, FUSE_STATFS, LAZY_ROOT, "", 0, &error);
	assert_int_equal(error, 0);
	lazy_fuse_forget_bytes(f, &note);
	h = (const void *)note.p;
	what = (const void *)(h + 1);
	assert_int_equal(h->len, sizeof(*h) + sizeof(*what));
	assert_int_equal(h->unique, 0);
	assert_int_equal(h->error, FUSE_NOTIFY_INVAL_INODE);
	assert_int_equal(what->ino, f);
	assert_int_equal(what->off, 0);
	assert_int_equal(what->len, 0);
	drop(&s);
}

static void what_unpacking_refuses_is_refused(void **state)
{
	static const struct {
		struct tar_entry e;
		const char *why;
	} v[] = {
		{ { .type = TAR_REG, .name = "f/below", .link = "" }, "no directory" },
		{ { .type = TAR_HARD, .name = "h", .link = "absent" }, "not in this layer" },
		{ { .type = TAR_CHAR, .name = "w", .link = "" }, "whiteout" },
		{ { .type = TAR_REG, .name = ".wh.a/b", .link = "" }, "below a whiteout" },
	};
	struct lazy_tree *t = lazy_tree_new(false);
	struct err err = ERR_INIT;

	assert_int_equal(
		lazy_tree_add(t, &(struct tar_entry){ .type = TAR_REG, .name = "f", .link = "" },
			      &err),
		0);
	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		assert_true(lazy_tree_add(t, &v[i].e, &err) < 0);
		assert_err(&err, ERR_INVALID, v[i].why);
	}
	assert_int_equal(lazy_tree_finish(t, &err), 0);
	assert_int_equal(
		lazy_tree_add(t, &(struct tar_entry){ .type = TAR_REG, .name = "i/f", .link = "" },
			      &err),
		0);
	assert_true(lazy_tree_finish(t, &err) < 0);
	assert_err(&err, ERR_UNSUPPORTED, "no entry for its directory 'i'");
	lazy_tree_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_links_and_attributes_are_shown),
		cmocka_unit_test(whiteouts_are_what_overlay_expects),
		cmocka_unit_test(a_large_directory_is_listed_in_pieces),
		cmocka_unit_test(what_is_not_here_yet_is_waited_for),
		cmocka_unit_test(a_layer_that_failed_is_an_error_all_over),
		cmocka_unit_test(what_unpacking_refuses_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
