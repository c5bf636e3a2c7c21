/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The container service against the real runtime: needs root, teu-oci beside the test's build, and
 * a network namespace of its own (tools/run-tests makes one). Each case has its own root and run
 * directory and leaves neither.
 */
#include "engine/config.h"
#include "engine/engine.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/hash.h"
#include "base/log.h"
#include "doc/json.h"
#include "image/image.h"
#include "image/unpack.h"
#include "runtime/shim.h"

#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

struct world {
	struct loop *loop;
	struct engine *e;
	char dir[64], root[96], run[96];
	char self[PATH_MAX];
	bool done;
	int result;
	int exit_code;
	struct err err;
	char id[65];
};

static const char *oci_program(void)
{
	const char *p = getenv("TEU_OCI");

	return p ? p : TEU_OCI_DEFAULT;
}

static void wait_done(struct world *w)
{
	struct err err = ERR_INIT;
	int64_t until = clock_mono() + 20 * NS_PER_SEC;

	while (!w->done && clock_mono() < until)
		assert_true(loop_step(w->loop, 100 * NS_PER_MS, &err) >= 0);
	assert_true(w->done);
	w->done = false;
}

static void on_done(void *arg, int result, struct err *err)
{
	struct world *w = arg;

	w->result = result;
	w->err = err ? *err : ERR_INIT;
	w->done = true;
}

static void on_created(void *arg, int result, const char *id, const char *const *warnings,
		       struct err *err)
{
	struct world *w = arg;

	(void)warnings;
	if (id)
		str_copy(w->id, sizeof(w->id), id);
	on_done(w, result, err);
}

static void open_engine(struct world *w)
{
	struct engine_conf conf = { .root = w->root,
				    .run = w->run,
				    .oci_program = oci_program(),
				    .self_program = w->self };
	struct err err = ERR_INIT;

	if (engine_open(w->loop, &conf, &w->e, &err) < 0)
		fail_msg("engine_open: %s", err.msg);
}

static void import_image(struct world *w, const char *tar)
{
	const struct image_import_options o = { .kind = IMAGE_IMPORT_ROOTFS,
						.ref = "busybox:latest" };
	CLEANUP(image_import_free) struct image_import *im = NULL;
	CLEANUP(fd_close) int fd = openat(AT_FDCWD, tar, O_RDONLY | O_CLOEXEC);
	struct err err = ERR_INIT;

	if (image_import_new(engine_images(w->e), &o, &im, &err) < 0 ||
	    image_import_read(im, fd, &err) < 0 || image_import_run(im, &err) < 0)
		fail_msg("import: %s", err.msg);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct err err = ERR_INIT;
	const char *tar = getenv("TEU_TEST_ROOTFS");

	if (geteuid() != 0 || !tar || access(oci_program(), X_OK) < 0)
		return -1;
	str_copy(w->dir, sizeof(w->dir), "/tmp/teu-engine-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	(void)snprintf(w->root, sizeof(w->root), "%s/root", w->dir);
	(void)snprintf(w->run, sizeof(w->run), "%s/run", w->dir);
	assert_true(readlink("/proc/self/exe", w->self, sizeof(w->self) - 1) > 0);
	assert_int_equal(loop_new(&w->loop, &err), 0);
	open_engine(w);
	import_image(w, tar);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	struct container *c;
	struct err err = ERR_INIT;

	while (w->e && (c = engine_container_next(w->e, NULL))) {
		engine_remove(w->e, c, true, true, on_done, w);
		wait_done(w);
	}
	engine_close(w->e);
	loop_free(w->loop);
	if (fd_remove_tree(AT_FDCWD, w->dir, &err) < 0)
		fail_msg("%s", err.msg);
	free(w);
	return 0;
}

static struct container *create(struct world *w, const char *json)
{
	CLEANUP(arena_free) struct arena *a = arena_new("test", 1u << 20);
	struct create_spec spec;
	struct container *c;
	struct err err = ERR_INIT;
	struct doc *d;

	assert_int_equal(json_read(a, slice_str(json), NULL, &d, &err), 0);
	if (create_spec_decode(d, a, &spec, &err) < 0)
		fail_msg("%s", err.msg);
	engine_create(w->e, &spec, NULL, on_created, w);
	wait_done(w);
	if (w->result < 0)
		fail_msg("create: %s", w->err.msg);
	assert_int_equal(engine_container_find(w->e, w->id, &c, &err), 0);
	return c;
}

struct waiter {
	struct engine_wait wait;
	struct world *w;
};

static void on_exit_code(struct engine_wait *wait, int code, const char *error)
{
	struct waiter *x = CONTAINER_OF(wait, struct waiter, wait);

	(void)error;
	x->w->exit_code = code;
	x->w->done = true;
}

static void start(struct world *w, struct container *c)
{
	engine_start(w->e, c, on_done, w);
	wait_done(w);
	if (w->result < 0)
		fail_msg("start: %s", w->err.msg);
}

static int wait_exit(struct world *w, struct container *c)
{
	struct waiter x = { .w = w };

	x.wait.condition = WAIT_NOT_RUNNING;
	x.wait.fn = on_exit_code;
	engine_wait_start(w->e, c, &x.wait);
	wait_done(w);
	return w->exit_code;
}

static void read_log(struct container *c, struct buf *out)
{
	struct err err = ERR_INIT;

	if (fd_read_file(AT_FDCWD, container_log_path(c), out, &err) < 0)
		fail_msg("%s", err.msg);
}

static void a_container_runs_and_its_exit_code_and_log_are_kept(void **state)
{
	struct world *w = *state;
	CLEANUP(buf_fini) struct buf log = BUF_INIT(65536);
	struct container *c =
		create(w, "{\"Image\":\"busybox\",\"Cmd\":[\"sh\",\"-c\",\"echo hello; exit "
			  "7\"],\"HostConfig\":{\"NetworkMode\":\"none\"}}");

	start(w, c);
	assert_int_equal(wait_exit(w, c), 7);
	assert_int_equal(container_get_state(c)->status, CT_EXITED);
	read_log(c, &log);
	assert_non_null(strstr(buf_str(&log), "{\"log\":\"hello\\n\",\"stream\":\"stdout\","));
}

static void a_stopped_container_starts_again_and_is_removed(void **state)
{
	struct world *w = *state;
	struct container *c = create(w, "{\"Image\":\"busybox\",\"Cmd\":[\"sleep\",\"100\"],"
					"\"HostConfig\":{\"NetworkMode\":\"none\"}}");
	struct err err = ERR_INIT;

	for (int i = 0; i < 3; i++) {
		start(w, c);
		assert_true(container_get_state(c)->pid > 0);
		engine_stop(w->e, c, SIGKILL, 5, on_done, w);
		wait_done(w);
		assert_int_equal(w->result, 0);
		assert_int_equal(container_get_state(c)->exit_code, 137);
	}
	engine_remove(w->e, c, false, false, on_done, w);
	wait_done(w);
	assert_int_equal(w->result, 0);
	assert_int_equal(engine_container_find(w->e, w->id, &c, &err), -ERR_NOT_FOUND);
}

static void an_unknown_program_fails_the_start_with_127_and_leaves_nothing(void **state)
{
	struct world *w = *state;
	struct container *c = create(w, "{\"Image\":\"busybox\",\"Cmd\":[\"no-such-program\"],"
					"\"HostConfig\":{\"NetworkMode\":\"none\"}}");
	char path[256];

	engine_start(w->e, c, on_done, w);
	wait_done(w);
	assert_true(w->result < 0);
	assert_non_null(strstr(w->err.msg, "no-such-program"));
	assert_int_equal(container_get_state(c)->exit_code, 127);
	assert_int_equal(container_get_state(c)->status, CT_CREATED);
	(void)snprintf(path, sizeof(path), "%s/oci/%s", w->run, container_id(c));
	assert_int_equal(access(path, F_OK), -1);
}

static void the_bridge_gives_an_address(void **state)
{
	struct world *w = *state;
	CLEANUP(buf_fini) struct buf log = BUF_INIT(65536);
	struct container *c = create(w, "{\"Image\":\"busybox\",\"Cmd\":[\"sh\",\"-c\",\"ip addr "
					"show eth0; cat /etc/hosts; ip route\"]}");

	start(w, c);
	assert_int_equal(wait_exit(w, c), 0);
	read_log(c, &log);
	assert_non_null(strstr(buf_str(&log), "inet 172."));
	assert_non_null(strstr(buf_str(&log), "default via"));
}

static void a_container_runs_on_without_its_engine_and_is_found_again(void **state)
{
	struct world *w = *state;
	struct container *c =
		create(w, "{\"Image\":\"busybox\",\"Cmd\":[\"sh\",\"-c\",\"sleep 0.5; exit "
			  "3\"],\"HostConfig\":{\"NetworkMode\":\"none\"}}");
	struct err err = ERR_INIT;
	char id[65];

	start(w, c);
	str_copy(id, sizeof(id), w->id);
	engine_close(w->e);
	open_engine(w);
	assert_int_equal(engine_container_find(w->e, id, &c, &err), 0);
	assert_int_equal(container_get_state(c)->status, CT_RUNNING);
	assert_int_equal(wait_exit(w, c), 3);
}

static void an_exit_while_no_engine_ran_is_known_afterwards(void **state)
{
	struct world *w = *state;
	struct container *c =
		create(w, "{\"Image\":\"busybox\",\"Cmd\":[\"sh\",\"-c\",\"sleep 0.2; exit "
			  "4\"],\"HostConfig\":{\"NetworkMode\":\"none\"}}");
	struct err err = ERR_INIT;
	struct timespec ts = { .tv_nsec = 600 * NS_PER_MS };
	char id[65];

	start(w, c);
	str_copy(id, sizeof(id), w->id);
	engine_close(w->e);
	nanosleep(&ts, NULL);
	open_engine(w);
	assert_int_equal(engine_container_find(w->e, id, &c, &err), 0);
	for (int i = 0; i < 50 && container_get_state(c)->status == CT_RUNNING; i++)
		(void)loop_step(w->loop, 20 * NS_PER_MS, &err);
	assert_int_equal(container_get_state(c)->status, CT_EXITED);
	assert_int_equal(container_get_state(c)->exit_code, 4);
}

static void an_auto_removed_container_goes_by_itself(void **state)
{
	struct world *w = *state;
	struct container *c = create(w, "{\"Image\":\"busybox\",\"Cmd\":[\"true\"],\"HostConfig\":{"
					"\"NetworkMode\":\"none\",\"AutoRemove\":true}}");
	struct waiter x = { .w = w };
	struct err err = ERR_INIT;

	x.wait.condition = WAIT_REMOVED;
	x.wait.fn = on_exit_code;
	engine_wait_start(w->e, c, &x.wait);
	engine_start(w->e, c, on_done, w);
	wait_done(w);
	if (engine_container_find(w->e, w->id, &c, &err) == 0)
		wait_done(w);
	assert_int_equal(engine_container_find(w->e, w->id, &c, &err), -ERR_NOT_FOUND);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(a_container_runs_and_its_exit_code_and_log_are_kept),
		T(a_stopped_container_starts_again_and_is_removed),
		T(an_unknown_program_fails_the_start_with_127_and_leaves_nothing),
		T(the_bridge_gives_an_address),
		T(a_container_runs_on_without_its_engine_and_is_found_again),
		T(an_exit_while_no_engine_ran_is_known_afterwards),
		T(an_auto_removed_container_goes_by_itself),
	};

	if (argc > 1 && strcmp(argv[1], IMAGE_UNPACK_ROLE) == 0)
		return image_unpack_main(argc, argv);
	if (geteuid() != 0 || !getenv("TEU_TEST_ROOTFS") || access(oci_program(), X_OK) < 0) {
		(void)printf("skip: needs root, TEU_TEST_ROOTFS (tools/image busybox) and %s\n",
			     oci_program());
		return 77;
	}
	log_setup("test", 2, LOG_LEVEL_WARN, LOG_FORMAT_TEXT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
