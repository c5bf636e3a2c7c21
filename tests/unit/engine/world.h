/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An engine of its own for each case: temporary root and run directory, the busybox image, calls
 * that wait for their answer. Needs root, teu-oci and TEU_TEST_ROOTFS; run it under `unshare -n`.
 */
#pragma once

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

#define HELPER __attribute__((unused)) static

#define NONE "\"HostConfig\":{\"NetworkMode\":\"none\"}"
#define SLEEPER "{\"Image\":\"busybox\",\"Cmd\":[\"sleep\",\"100\"]," NONE "}"

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

HELPER const char *oci_program(void)
{
	const char *p = getenv("TEU_OCI");

	return p ? p : TEU_OCI_DEFAULT;
}

HELPER void step(struct world *w, int ms)
{
	struct err err = ERR_INIT;

	assert_true(loop_step(w->loop, ms * NS_PER_MS, &err) >= 0);
}

HELPER void wait_done(struct world *w)
{
	int64_t until = clock_mono() + 30 * NS_PER_SEC;

	while (!w->done && clock_mono() < until)
		step(w, 100);
	assert_true(w->done);
	w->done = false;
}

HELPER void on_done(void *arg, int result, struct err *err)
{
	struct world *w = arg;

	w->result = result;
	w->err = err ? *err : ERR_INIT;
	w->done = true;
}

HELPER void on_created(void *arg, int result, const char *id, const char *const *warnings,
		       struct err *err)
{
	struct world *w = arg;

	(void)warnings;
	if (id)
		str_copy(w->id, sizeof(w->id), id);
	on_done(w, result, err);
}

HELPER int try_open(struct world *w, struct err *err)
{
	struct engine_conf conf = { .root = w->root,
				    .run = w->run,
				    .oci_program = oci_program(),
				    .self_program = w->self };

	return engine_open(w->loop, &conf, &w->e, err);
}

HELPER void open_engine(struct world *w)
{
	struct err err = ERR_INIT;

	if (try_open(w, &err) < 0)
		fail_msg("engine_open: %s", err.msg);
}

HELPER void import_image(struct world *w)
{
	const struct image_import_options o = { .kind = IMAGE_IMPORT_ROOTFS,
						.ref = "busybox:latest" };
	CLEANUP(image_import_free) struct image_import *im = NULL;
	CLEANUP(fd_close)
	int fd = openat(AT_FDCWD, getenv("TEU_TEST_ROOTFS"), O_RDONLY | O_CLOEXEC);
	struct err err = ERR_INIT;

	if (image_import_new(engine_images(w->e), &o, &im, &err) < 0 ||
	    image_import_read(im, fd, &err) < 0 || image_import_run(im, &err) < 0)
		fail_msg("import: %s", err.msg);
}

HELPER void world_init(struct world *w)
{
	struct err err = ERR_INIT;

	*w = (struct world){ 0 };
	str_copy(w->dir, sizeof(w->dir), "/tmp/teu-engine-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	(void)snprintf(w->root, sizeof(w->root), "%s/root", w->dir);
	(void)snprintf(w->run, sizeof(w->run), "%s/run", w->dir);
	assert_true(readlink("/proc/self/exe", w->self, sizeof(w->self) - 1) > 0);
	assert_int_equal(loop_new(&w->loop, &err), 0);
}

HELPER int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	world_init(w);
	open_engine(w);
	import_image(w);
	*state = w;
	return 0;
}

HELPER void remove_all(struct world *w)
{
	struct container *c;

	while (w->e && (c = engine_container_next(w->e, NULL))) {
		engine_remove(w->e, c, true, true, on_done, w);
		wait_done(w);
		if (w->result < 0)
			fail_msg("remove: %s", w->err.msg);
	}
}

HELPER int teardown(void **state)
{
	struct world *w = *state;
	struct err err = ERR_INIT;

	w->done = false;
	remove_all(w);
	engine_close(w->e);
	loop_free(w->loop);
	for (int i = 0; i < 20 && fd_remove_tree(AT_FDCWD, w->dir, &err) < 0; i++)
		nanosleep(&(struct timespec){ .tv_nsec = 50 * NS_PER_MS }, NULL);
	assert_int_equal(access(w->dir, F_OK), -1);
	free(w);
	return 0;
}

HELPER int try_create(struct world *w, const char *json, const char *name)
{
	CLEANUP(arena_free) struct arena *a = arena_new("test", 1u << 20);
	struct create_spec spec;
	struct doc *d;
	int r;

	w->err = ERR_INIT;
	assert_int_equal(json_read(a, slice_str(json), NULL, &d, &w->err), 0);
	r = create_spec_decode(d, a, &spec, &w->err);
	if (r < 0)
		return r;
	engine_create(w->e, &spec, name, on_created, w);
	wait_done(w);
	return w->result;
}

HELPER struct container *find(struct world *w, const char *ref)
{
	struct container *c = NULL;
	struct err err = ERR_INIT;

	return engine_container_find(w->e, ref, &c, &err) == 0 ? c : NULL;
}

HELPER struct container *create(struct world *w, const char *json)
{
	if (try_create(w, json, NULL) < 0)
		fail_msg("create: %s", w->err.msg);
	assert_non_null(find(w, w->id));
	return find(w, w->id);
}

/* A shell command with no network and these further members of HostConfig ("" or ",...") */
HELPER struct container *shell(struct world *w, const char *cmd, const char *host)
{
	char json[4096];

	(void)snprintf(json, sizeof(json),
		       "{\"Image\":\"busybox\",\"Cmd\":[\"sh\",\"-c\",\"%s\"],\"HostConfig\":{"
		       "\"NetworkMode\":\"none\"%s}}",
		       cmd, host);
	return create(w, json);
}

HELPER int try_start(struct world *w, struct container *c)
{
	engine_start(w->e, c, on_done, w);
	wait_done(w);
	return w->result;
}

HELPER void start(struct world *w, struct container *c)
{
	if (try_start(w, c) < 0)
		fail_msg("start: %s", w->err.msg);
}

HELPER int stop(struct world *w, struct container *c, int timeout)
{
	engine_stop(w->e, c, 0, timeout, on_done, w);
	wait_done(w);
	return w->result;
}

HELPER int rm(struct world *w, struct container *c, bool force)
{
	engine_remove(w->e, c, force, false, on_done, w);
	wait_done(w);
	return w->result;
}

struct waiter {
	struct engine_wait wait;
	struct world *w;
};

HELPER void on_exit_code(struct engine_wait *wait, int code, const char *error)
{
	struct waiter *x = CONTAINER_OF(wait, struct waiter, wait);

	(void)error;
	x->w->exit_code = code;
	x->w->done = true;
}

HELPER int wait_exit(struct world *w, struct container *c)
{
	struct waiter x = { .w = w };

	x.wait.condition = WAIT_NOT_RUNNING;
	x.wait.fn = on_exit_code;
	engine_wait_start(w->e, c, &x.wait);
	wait_done(w);
	return w->exit_code;
}

HELPER void wait_status(struct world *w, struct container *c, enum container_status want)
{
	int64_t until = clock_mono() + 20 * NS_PER_SEC;

	while (container_get_state(c)->status != want && clock_mono() < until)
		step(w, 20);
	assert_string_equal(container_status_name(container_get_state(c)->status),
			    container_status_name(want));
}

HELPER void run_for(struct world *w, int ms)
{
	int64_t until = clock_mono() + ms * NS_PER_MS;

	while (clock_mono() < until)
		step(w, 10);
}

HELPER bool log_has(struct container *c, const char *text)
{
	CLEANUP(buf_fini) struct buf log = BUF_INIT(1u << 20);
	struct err err = ERR_INIT;

	return fd_read_file(AT_FDCWD, container_log_path(c), &log, &err) == 0 &&
	       strstr(buf_str(&log), text);
}

/* Runs to its end; the log must hold `text`. */
HELPER void expect_log(struct world *w, struct container *c, const char *text)
{
	CLEANUP(buf_fini) struct buf log = BUF_INIT(1u << 20);
	struct err err = ERR_INIT;

	start(w, c);
	(void)wait_exit(w, c);
	(void)fd_read_file(AT_FDCWD, container_log_path(c), &log, &err);
	if (!strstr(buf_str(&log), text))
		fail_msg("no '%s' in: %s", text, buf_str(&log));
}

/* main of a test with real containers: 77 when it cannot run here. */
HELPER int real_main(int argc, char **argv, int (*run)(void))
{
	if (argc > 1 && strcmp(argv[1], IMAGE_UNPACK_ROLE) == 0)
		return image_unpack_main(argc, argv);
	if (geteuid() != 0 || !getenv("TEU_TEST_ROOTFS") || access(oci_program(), X_OK) < 0) {
		(void)printf("skip: needs root, TEU_TEST_ROOTFS (tools/image busybox) and %s\n",
			     oci_program());
		return 77;
	}
	log_setup("test", 2, LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
	if (getenv("TEU_TEST_FILTER"))
		cmocka_set_test_filter(getenv("TEU_TEST_FILTER"));
	return run();
}
