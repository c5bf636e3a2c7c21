/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kill -9 of the engine after each step of its loop, and of the shim in each phase. A child process
 * runs engine and operations and ends itself by SIGKILL after n steps; then an engine is opened
 * anew and must show the truth: what was acknowledged is there, nothing is left of what is not,
 * and every container can be started, stopped and removed.
 */
#include "world.h"

#include <dirent.h>
#include <sys/mman.h>
#include <sys/wait.h>

/* What the child was told before it died: shared memory. */
struct told {
	volatile int created, started, stopped, removed;
	volatile int steps;
	char id[65];
};

static struct told *told_new(void)
{
	struct told *t =
		mmap(NULL, sizeof(*t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(t != MAP_FAILED);
	return t;
}

struct script {
	struct told *t;
	int limit; /* loop steps until SIGKILL */
	bool done;
	int result;
};

static void script_done(void *arg, int result, struct err *err)
{
	struct script *s = arg;

	(void)err;
	s->result = result;
	s->done = true;
}

static void script_created(void *arg, int result, const char *id, const char *const *warnings,
			   struct err *err)
{
	struct script *s = arg;

	(void)warnings;
	if (id)
		str_copy(s->t->id, sizeof(s->t->id), id);
	script_done(arg, result, err);
}

static void script_wait(struct world *w, struct script *s)
{
	struct err err = ERR_INIT;

	while (!s->done) {
		if (s->t->steps++ >= s->limit)
			(void)raise(SIGKILL);
		(void)loop_step(w->loop, 200 * NS_PER_MS, &err);
	}
	s->done = false;
}

static const char body[] = "{\"Image\":\"busybox\",\"Cmd\":[\"sleep\",\"1000\"]," NONE "}";
static const char body_rm[] = "{\"Image\":\"busybox\",\"Cmd\":[\"sleep\",\"1000\"],\"HostConfig\":{"
			      "\"NetworkMode\":\"none\",\"AutoRemove\":true}}";

/* In the child: create, start, stop, remove, until the step at which it dies. */
static void script_run(struct world *w, struct script *s, const char *json)
{
	struct arena *a = arena_new("script", 1u << 20);
	struct create_spec spec;
	struct container *c;
	struct err err = ERR_INIT;
	struct doc *d;

	if (try_open(w, &err) < 0 || json_read(a, slice_str(json), NULL, &d, &err) < 0 ||
	    create_spec_decode(d, a, &spec, &err) < 0)
		_exit(3);
	engine_create(w->e, &spec, "one", script_created, s);
	script_wait(w, s);
	s->t->created = 1;
	if (engine_container_find(w->e, s->t->id, &c, &err) < 0)
		_exit(4);
	engine_start(w->e, c, script_done, s);
	script_wait(w, s);
	if (s->result < 0)
		_exit(5);
	s->t->started = 1;
	engine_stop(w->e, c, SIGKILL, 5, script_done, s);
	script_wait(w, s);
	s->t->stopped = 1;
	if (engine_container_find(w->e, s->t->id, &c, &err) == 0) {
		engine_remove(w->e, c, false, false, script_done, s);
		script_wait(w, s);
	}
	s->t->removed = 1;
	_exit(0);
}

/* The runtime keeps compiled filters beside the states: those belong to nobody. */
static bool is_container(const char *name)
{
	return hex_is_lower(slice_str(name)) && (strlen(name) == 64 || strlen(name) == 16);
}

static unsigned entries(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *de;
	unsigned n = 0;

	while (d && (de = readdir(d)))
		n += is_container(de->d_name);
	if (d)
		closedir(d);
	return n;
}

static const char *first_entry(const char *dir)
{
	static char name[256];
	DIR *d = opendir(dir);
	struct dirent *de;

	while (d && (de = readdir(d)))
		if (is_container(de->d_name))
			str_copy(name, sizeof(name), de->d_name);
	if (d)
		closedir(d);
	return name;
}

/* Nothing of any container: directories, sockets, runtime state. */
static void expect_nothing_left(struct world *w)
{
	static const char *const dirs[] = { "root/containers", "run/c", "run/oci" };
	char path[160];

	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", w->dir, dirs[i]);
		for (int tries = 0; tries < 100 && entries(path); tries++)
			step(w, 50);
		if (entries(path))
			fail_msg("%s is not empty: %s", path, first_entry(path));
	}
}

static void check_truth(struct world *w, const struct told *t, bool auto_remove)
{
	struct container *c;

	open_engine(w);
	run_for(w, 30);
	c = find(w, "one");
	if (!t->created) {
		/* It may have been committed without being told. */
	} else if (!t->stopped && !auto_remove && !c) {
		fail_msg("step %d: an acknowledged container is lost", t->steps);
	} else if (t->removed && c) {
		fail_msg("step %d: a removed container is back", t->steps);
	}
	if (c && t->started && !t->stopped && container_get_state(c)->status == CT_CREATED)
		fail_msg("step %d: an acknowledged start is lost", t->steps);
	if (c && t->stopped)
		wait_status(w, c, CT_EXITED);
	/* The name was acknowledged: nobody else may have it while it is there. */
	if (c) {
		assert_int_equal(try_create(w, body, "one"), -ERR_CONFLICT);
		if (!auto_remove) {
			assert_true(stop(w, c, 0) >= 0);
			start(w, c);
			assert_true(stop(w, c, 0) >= 0);
		}
	}
	remove_all(w);
	assert_int_equal(try_create(w, body, "one"), 0);
	remove_all(w);
	expect_nothing_left(w);
	engine_close(w->e);
	w->e = NULL;
}

/* 1 when the script came to its end before `limit`. */
static int crash_at(struct world *w, int limit, const char *json)
{
	struct told *t = told_new();
	struct script s = { .t = t, .limit = limit };
	int status;
	pid_t pid;

	pid = fork();
	if (pid == 0) {
		struct err err = ERR_INIT;

		if (loop_new(&w->loop, &err) < 0)
			_exit(2);
		script_run(w, &s, json);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status))
		assert_int_equal(WEXITSTATUS(status), 0);
	else
		assert_int_equal(WTERMSIG(status), SIGKILL);
	check_truth(w, t, strstr(json, "AutoRemove") != NULL);
	(void)munmap(t, sizeof(*t));
	return WIFEXITED(status);
}

static void crash_everywhere(struct world *w, const char *json)
{
	int limit;

	engine_close(w->e);
	w->e = NULL;
	for (limit = 0; limit < 200; limit++)
		if (crash_at(w, limit, json))
			break;
	assert_in_range(limit, 5, 199);
	(void)printf("killed at each of %d steps\n", limit);
	open_engine(w);
}

static void the_truth_survives_a_kill_at_each_step(void **state)
{
	crash_everywhere(*state, body);
}

static void the_truth_survives_with_auto_removal(void **state)
{
	crash_everywhere(*state, body_rm);
}

/* ---- the shim ---- */

static pid_t shim_of(struct world *w, const char *id)
{
	char want[160], path[64], line[1024];
	DIR *d = opendir("/proc");
	struct dirent *de;
	pid_t found = 0;

	(void)snprintf(want, sizeof(want), "%s/c/%.16s", w->run, id);
	while (d && !found && (de = readdir(d))) {
		CLEANUP(fd_close) int fd = -1;
		ssize_t n;

		if (de->d_name[0] < '1' || de->d_name[0] > '9')
			continue;
		(void)snprintf(path, sizeof(path), "/proc/%.20s/cmdline", de->d_name);
		fd = openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
		n = fd < 0 ? -1 : read(fd, line, sizeof(line) - 1);
		if (n <= 0)
			continue;
		for (ssize_t i = 0; i < n - 1; i++)
			if (line[i] == '\0')
				line[i] = ' ';
		line[n - 1] = '\0';
		if (strstr(line, want) && strstr(line, "shim"))
			found = (pid_t)strtoll(de->d_name, NULL, 10);
	}
	if (d)
		closedir(d);
	return found;
}

/* A zombie whose new parent has not looked yet has ended. */
static bool lives(pid_t pid)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(4096);
	struct err err = ERR_INIT;
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	return fd_read_file(AT_FDCWD, path, &b, &err) == 0 && !strstr(buf_str(&b), ") Z ") &&
	       !strstr(buf_str(&b), ") X ");
}

static void a_killed_shim_ends_its_container_and_no_more(void **state)
{
	struct world *w = *state;
	struct container *c = create(w, SLEEPER), *other = create(w, SLEEPER);
	pid_t init;

	start(w, c);
	start(w, other);
	init = container_get_state(c)->pid;
	assert_int_equal(kill(shim_of(w, container_id(c)), SIGKILL), 0);
	wait_status(w, c, CT_EXITED);
	assert_int_equal(container_get_state(c)->exit_code, 137);
	assert_non_null(strstr(container_get_state(c)->error, "shim was killed"));
	assert_false(lives(init));
	assert_int_equal(container_get_state(other)->status, CT_RUNNING);
	start(w, c);
	assert_string_equal(container_get_state(c)->error, "");
	assert_int_equal(stop(w, c, 0), 0);
}

static void a_shim_killed_during_a_stop_ends_the_stop(void **state)
{
	struct world *w = *state;
	struct container *c = create(w, SLEEPER);

	start(w, c);
	engine_stop(w->e, c, SIGUSR2, 100, on_done, w); /* ignored by the container */
	run_for(w, 100);
	assert_false(w->done);
	assert_int_equal(kill(shim_of(w, container_id(c)), SIGKILL), 0);
	wait_done(w);
	assert_int_equal(w->result, 0);
	assert_int_equal(container_get_state(c)->status, CT_EXITED);
}

static void a_shim_killed_during_the_start_fails_or_ends_it(void **state)
{
	struct world *w = *state;

	for (int steps = 1; steps < 8; steps++) {
		struct container *c = create(w, SLEEPER);
		pid_t shim;

		engine_start(w->e, c, on_done, w);
		for (int i = 0; i < steps && !w->done; i++)
			step(w, 50);
		shim = shim_of(w, container_id(c));
		if (shim)
			(void)kill(shim, SIGKILL);
		if (!w->done)
			wait_done(w);
		w->done = false;
		for (int i = 0; shim && i < 100 && container_get_state(c)->status == CT_RUNNING;
		     i++)
			step(w, 50);
		if (shim)
			assert_int_not_equal(container_get_state(c)->status, CT_RUNNING);
		start(w, c);
		assert_int_equal(rm(w, c, true), 0);
	}
	expect_nothing_left(w);
}

static void a_shim_killed_while_no_engine_runs_is_found_out(void **state)
{
	struct world *w = *state;
	struct container *c = create(w, SLEEPER);
	char id[65];
	pid_t init;

	start(w, c);
	str_copy(id, sizeof(id), w->id);
	init = container_get_state(c)->pid;
	engine_close(w->e);
	assert_int_equal(kill(shim_of(w, id), SIGKILL), 0);
	open_engine(w);
	wait_status(w, find(w, id), CT_EXITED);
	assert_false(lives(init));
	assert_int_equal(container_get_state(find(w, id))->exit_code, 137);
	start(w, find(w, id));
}

static void a_lost_directory_leaves_a_container_that_can_be_removed(void **state)
{
	struct world *w = *state;
	struct container *c = create(w, SLEEPER);
	struct err err = ERR_INIT;
	char id[65], dir[PATH_MAX];

	str_copy(id, sizeof(id), w->id);
	str_copy(dir, sizeof(dir), container_dir(c));
	engine_close(w->e);
	assert_int_equal(fd_remove_tree(AT_FDCWD, dir, &err), 0);
	log_setup("test", 2, (enum log_level) - 1, LOG_FORMAT_TEXT);
	open_engine(w);
	log_setup("test", 2, LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
	c = find(w, id);
	assert_int_equal(container_get_state(c)->status, CT_DEAD);
	assert_non_null(strstr(container_get_state(c)->error, "its directory is lost"));
	assert_int_equal(try_start(w, c), -ERR_CONFLICT);
	assert_int_equal(rm(w, c, false), 0);
}

static void a_directory_without_a_row_is_removed_at_open(void **state)
{
	struct world *w = *state;
	char path[256];

	engine_close(w->e);
	(void)snprintf(path, sizeof(path),
		       "%s/containers/"
		       "00000000000000000000000000000000000000000000000000000000000000aa",
		       w->root);
	assert_int_equal(mkdir(path, 0700), 0);
	(void)snprintf(path, sizeof(path), "%s/c/00000000000000bb", w->run);
	assert_int_equal(mkdir(path, 0700), 0);
	open_engine(w);
	expect_nothing_left(w);
}

static int run(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_killed_shim_ends_its_container_and_no_more),
		T(a_shim_killed_during_a_stop_ends_the_stop),
		T(a_shim_killed_during_the_start_fails_or_ends_it),
		T(a_shim_killed_while_no_engine_runs_is_found_out),
		T(a_lost_directory_leaves_a_container_that_can_be_removed),
		T(a_directory_without_a_row_is_removed_at_open),
		T(the_truth_survives_a_kill_at_each_step),
		T(the_truth_survives_with_auto_removal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	return real_main(argc, argv, run);
}
