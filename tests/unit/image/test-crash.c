/* SPDX-License-Identifier: Apache-2.0 */
/* kill -9 and failure at every step of an import: afterwards the store is as before, or the image
 * is whole. */
#include "fixture.h"

struct plan {
	unsigned at, seen;
	bool kill;
};

static int on_step(void *ctx, const char *name)
{
	struct plan *p = ctx;

	if (++p->seen != p->at)
		return 0;
	if (p->kill)
		kill(getpid(), SIGKILL);
	return -1;
}

static struct slice archive(struct tarball *l0, struct tarball *l1, struct tarball *t)
{
	struct slice layers[2] = { small_layer(l0, "one"), small_layer(l1, "two") };

	return docker_archive(t, "[\"app:1\"]", layers, 2);
}

static int load_with(struct fix *f, struct plan *p, struct slice ar)
{
	int r;

	f->step = on_step;
	f->step_ctx = p;
	open_store(f);
	r = load(f, ar, NULL);
	image_store_close(f->is);
	f->is = NULL;
	f->step = NULL;
	return r;
}

static void a_failure_at_any_step_changes_nothing(void **state)
{
	struct fix *f = *state;
	struct tarball a, b, t;
	struct slice ar = archive(&a, &b, &t);
	struct plan p = { 0 };
	int r = -1;

	image_store_close(f->is);
	for (p.at = 1; r < 0 && p.at < 100; p.at++) {
		p.seen = 0;
		r = load_with(f, &p, ar);
		open_store(f);
		if (r < 0) {
			assert_err(&f->err, ERR_SYSTEM, "stopped before step");
			assert_empty(f);
		}
		if (r < 0)
			image_store_close(f->is);
	}
	assert_true(p.at > 10); /* spool list unpack*2 sync publish blob*4 layer*2 commit */
	assert_int_equal(image_count(f->is), 1);
	buf_fini(&a.b);
	buf_fini(&b.b);
	buf_fini(&t.b);
}

static void kill_9_at_any_step_leaves_a_whole_store(void **state)
{
	struct fix *f = *state;
	struct tarball a, b, t;
	struct slice ar = archive(&a, &b, &t);
	unsigned at;
	int status = 0;

	image_store_close(f->is);
	for (at = 1; at < 100; at++) {
		pid_t pid = fork();

		if (pid == 0) {
			struct plan p = { .at = at, .kill = true };

			loop_free(f->loop);
			f->loop = NULL;
			_exit(load_with(f, &p, ar) < 0 ? 1 : 0);
		}
		waitpid(pid, &status, 0);
		if (!WIFSIGNALED(status))
			break;
		open_store(f); /* collects what the dead one left */
		assert_empty(f);
		image_store_close(f->is);
	}
	assert_int_equal(status, 0);
	assert_true(at > 10);
	open_store(f);
	assert_int_equal(image_count(f->is), 1);
	assert_true(is_in(f, "app:1", "etc/name"));
	buf_fini(&a.b);
	buf_fini(&b.b);
	buf_fini(&t.b);
}

static void kill_9_beside_a_living_importer_takes_nothing_of_its(void **state)
{
	struct fix *f = *state;
	struct image_import_options o = { .kind = IMAGE_IMPORT_ARCHIVE };
	struct image_import *im;
	struct tarball a, b, t;
	struct slice ar = archive(&a, &b, &t);
	int status;
	pid_t pid;

	OK(f, image_import_new(f->is, &o, &im, &f->err));
	OK(f, image_import_push(im, ar.p, ar.n, &f->err));
	pid = fork();
	if (pid ==
	    0) { /* another process opens the store: its collection must pass by what is ours */
		struct image_store_options so = { .root = f->dir };
		struct image_store *is;

		_exit(image_store_open(&so, &is, &f->err) < 0 ? 1 : 0);
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	OK(f, image_import_run(im, &f->err));
	image_import_free(im);
	assert_int_equal(image_count(f->is), 1);
	buf_fini(&a.b);
	buf_fini(&b.b);
	buf_fini(&t.b);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		T(a_failure_at_any_step_changes_nothing),
		T(kill_9_at_any_step_leaves_a_whole_store),
		T(kill_9_beside_a_living_importer_takes_nothing_of_its),
	};

	HELPER_MAIN(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
