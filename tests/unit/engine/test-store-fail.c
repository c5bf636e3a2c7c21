/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A full disk and damaged databases: one clear error, nothing half done, the rest works on. The
 * disk is a small tmpfs in a mount namespace of the test's own.
 */
#include "world.h"

#include <dirent.h>
#include <sched.h>
#include <sys/mount.h>

static void fill_disk(struct world *w)
{
	char path[160], block[4096] = "x";
	size_t size = sizeof(block);
	int fd;

	(void)snprintf(path, sizeof(path), "%s/ballast", w->root);
	fd = openat(AT_FDCWD, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	while (size)
		if (write(fd, block, size) < 0)
			size /= 2;
	fd_close(fd);
}

static void free_disk(struct world *w)
{
	char path[160];

	(void)snprintf(path, sizeof(path), "%s/ballast", w->root);
	assert_int_equal(unlink(path), 0);
}

static int setup_small(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	world_init(w);
	assert_int_equal(mkdir(w->root, 0700), 0);
	assert_int_equal(mount("tmpfs", w->root, "tmpfs", 0, "size=24m"), 0);
	open_engine(w);
	import_image(w);
	*state = w;
	return 0;
}

static int teardown_small(void **state)
{
	struct world *w = *state;
	struct err err = ERR_INIT;

	w->done = false;
	remove_all(w);
	engine_close(w->e);
	loop_free(w->loop);
	(void)umount2(w->root, MNT_DETACH);
	(void)fd_remove_tree(AT_FDCWD, w->dir, &err);
	free(w);
	return 0;
}

static unsigned directories(struct world *w)
{
	char path[160];
	DIR *d;
	struct dirent *de;
	unsigned n = 0;

	(void)snprintf(path, sizeof(path), "%s/containers", w->root);
	d = opendir(path);
	while (d && (de = readdir(d)))
		n += de->d_name[0] != '.';
	if (d)
		closedir(d);
	return n;
}

static void a_full_disk_refuses_what_is_new_and_keeps_what_is(void **state)
{
	struct world *w = *state;
	struct container *c = create(w, SLEEPER), *idle = create(w, SLEEPER);
	int refused = 0;

	start(w, c);
	run_for(w, 200);
	fill_disk(w);
	for (int i = 0; i < 50; i++) {
		if (try_create(w, SLEEPER, NULL) == 0)
			continue; /* as long as the log has room */
		refused++;
		assert_true(w->err.code != ERR_NONE && *w->err.msg);
		assert_non_null(strstr(w->err.msg, "No space left on device"));
	}
	assert_true(refused > 0);
	assert_true(try_start(w, idle) < 0);
	assert_int_equal(container_get_state(idle)->status, CT_CREATED);
	assert_int_equal(container_get_state(c)->status, CT_RUNNING);
	assert_int_equal(stop(w, c, 0), 0);
	assert_int_equal(container_get_state(c)->exit_code, 137);
	free_disk(w);
	run_for(w, 200);
	assert_int_equal(directories(w), engine_container_count(w->e));
	start(w, idle);
	start(w, c);
}

static void what_a_full_disk_lost_is_known_to_the_next_engine(void **state)
{
	struct world *w = *state;
	struct container *c = create(w, SLEEPER);
	char id[65];

	str_copy(id, sizeof(id), w->id);
	start(w, c);
	fill_disk(w);
	(void)stop(w, c, 0);
	engine_close(w->e);
	free_disk(w);
	open_engine(w);
	wait_status(w, find(w, id), CT_EXITED);
	start(w, find(w, id));
}

static void overwrite(struct world *w, const char *text)
{
	char path[160];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/engine.db", w->root);
	fd = openat(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
	fd_close(fd);
}

static void a_damaged_database_is_refused_and_left_alone(void **state)
{
	struct world *w = *state;
	struct err err = ERR_INIT;
	char path[160];

	engine_close(w->e);
	w->e = NULL;
	overwrite(w, "this is no database, but long enough to look like one; this is no database");
	assert_true(try_open(w, &err) < 0);
	assert_null(w->e);
	assert_non_null(strstr(err.msg, "engine database"));
	assert_non_null(strstr(err.msg, "engine.db"));
	(void)snprintf(path, sizeof(path), "%s/engine.db", w->root);
	assert_int_equal(unlink(path), 0);
	open_engine(w); /* an empty one begins anew */
}

static void a_read_only_disk_is_told_at_open(void **state)
{
	struct world *w = *state;
	struct err err = ERR_INIT;

	engine_close(w->e);
	w->e = NULL;
	assert_int_equal(mount(NULL, w->root, NULL, MS_REMOUNT | MS_RDONLY, "size=24m"), 0);
	assert_true(try_open(w, &err) < 0);
	assert_non_null(strstr(err.msg, "Read-only file system"));
	assert_int_equal(mount(NULL, w->root, NULL, MS_REMOUNT, "size=24m"), 0);
	open_engine(w);
}

static int run(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup_small, teardown_small)
	const struct CMUnitTest tests[] = {
		T(a_full_disk_refuses_what_is_new_and_keeps_what_is),
		T(what_a_full_disk_lost_is_known_to_the_next_engine),
		T(a_damaged_database_is_refused_and_left_alone),
		T(a_read_only_disk_is_told_at_open),
	};

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
		(void)printf("skip: no mount namespace can be made here\n");
		return 77;
	}
	log_setup("test", 2, (enum log_level) - 1, LOG_FORMAT_TEXT); /* the failures are meant */
	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	return real_main(argc, argv, run);
}
