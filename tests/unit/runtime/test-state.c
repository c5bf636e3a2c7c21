/* SPDX-License-Identifier: Apache-2.0 */
/* The record on disk: made, found, renamed at the start, removed; and what happens when it is
 * broken or foreign. */
#include "rt-check.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONFIG "{\"ociVersion\":\"1.0.2\",\"annotations\":{\"k\":\"v\"}}"

static struct state sample(void)
{
	return (struct state){ .oci_version = "1.0.2",
			       .id = "c1",
			       .bundle = "/b \"q\"",
			       .rootfs = "/b/rootfs",
			       .created = "2026-01-01T00:00:00Z",
			       .owner = "root",
			       .cgroup = "/c1 memory:1",
			       .pid = 42,
			       .start = 1234567890123,
			       .hooks = 5,
			       .config = SLICE(CONFIG) };
}

static void a_record_comes_back_as_it_was_written(void **state)
{
	char *root = scratch_root();
	struct rt_host h = { .root = root };
	CLEANUP(arena_free) struct arena *a = arena_new("t", 1u << 20);
	struct state in = sample(), out;
	struct err err;
	int dir;

	assert_ok(state_make_dir(&h, "c1", &dir, &err));
	assert_err(state_read(dir, a, &out, &err), ERR_NOT_FOUND, "being created");
	assert_ok(state_write(dir, &in, &err));
	assert_ok(state_read(dir, a, &out, &err));
	assert_false(out.started);
	assert_string_equal(out.bundle, in.bundle);
	assert_string_equal(out.cgroup, in.cgroup);
	assert_int_equal(out.pid, 42);
	assert_true(out.start == in.start);
	assert_int_equal(out.hooks, 5);
	assert_true(slice_is(out.config, CONFIG));
	assert_ok(state_mark_started(dir, true, &err));
	assert_ok(state_read(dir, a, &out, &err));
	assert_true(out.started);
	assert_err(state_mark_started(dir, true, &err), ERR_SYSTEM, "record the container's start");
	assert_ok(state_remove(&h, "c1", dir, &err));
	assert_int_equal(access(root, F_OK), 0);
	fd_close(dir);
	assert_err(state_open_dir(&h, "c1", false, &dir, &err), ERR_NOT_FOUND,
		   "container does not exist");
	scratch_remove(root);
}

static void an_id_in_use_is_refused(void **state)
{
	char *root = scratch_root();
	struct rt_host h = { .root = root };
	struct err err;
	int dir, other;

	assert_ok(state_make_dir(&h, "c1", &dir, &err));
	assert_err(state_make_dir(&h, "c1", &other, &err), ERR_EXISTS, "already exists: c1");
	fd_close(dir);
	scratch_remove(root);
}

static void a_missing_root_means_no_container(void **state)
{
	struct rt_host h = { .root = "/nonexistent/teu" };
	struct rt_container *c;
	struct err err;

	assert_err(rt_open(&h, "c1", &c, &err), ERR_NOT_FOUND, "container does not exist");
}

static void a_directory_removed_while_its_lock_was_awaited_is_gone(void **state)
{
	char *root = scratch_root();
	struct rt_host h = { .root = root };
	struct err err;
	int dir, other;

	assert_ok(state_make_dir(&h, "c1", &dir, &err));
	assert_ok(state_open_dir(&h, "c1", false, &other, &err));
	assert_ok(state_remove(&h, "c1", dir, &err));
	state_unlock(dir);
	assert_err(state_lock(other, &err), ERR_NOT_FOUND, "does not exist");
	fd_close(dir);
	fd_close(other);
	scratch_remove(root);
}

static void put(int dir, const char *name, const char *text)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
	fd_close(fd);
}

static void broken_records_are_errors(void **state)
{
	static const struct {
		const char *text, *words;
		enum err_code code;
	} bad[] = {
		{ "", "the container's state", ERR_BAD_REQUEST },
		{ "{\"teu\":1", "the container's state", ERR_BAD_REQUEST },
		{ "{\"teu\":1}", "the container's state", ERR_INVALID },
		{ "{\"teu\":2,\"ociVersion\":\"1\",\"id\":\"a\",\"pid\":1,\"start\":1,\"bundle\":"
		  "\"/\",\"rootfs\":\"/\",\"created\":\"x\"}\n{}",
		  "teu", ERR_INVALID },
		{ "{\"teu\":1,\"ociVersion\":\"1\",\"id\":\"a\",\"pid\":-1,\"start\":1,\"bundle\":"
		  "\"/\",\"rootfs\":\"/\",\"created\":\"x\"}\n{}",
		  "pid", ERR_INVALID },
	};
	char *root = scratch_root();
	struct rt_host h = { .root = root };
	CLEANUP(arena_free) struct arena *a = arena_new("t", 1u << 20);
	struct state out;
	struct err err;
	int dir;

	assert_ok(state_make_dir(&h, "c1", &dir, &err));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		put(dir, "state.json", bad[i].text);
		assert_err(state_read(dir, a, &out, &err), bad[i].code, bad[i].words);
	}
	assert_int_equal(unlinkat(dir, "state.json", 0), 0);
	assert_int_equal(mkdirat(dir, "state.json", 0700), 0);
	assert_err(state_read(dir, a, &out, &err), ERR_INVALID, "no file of ours");
	fd_close(dir);
	scratch_remove(root);
}

static void a_note_names_the_cgroup_until_the_record_is_whole(void **state)
{
	char *root = scratch_root();
	struct rt_host h = { .root = root };
	CLEANUP(arena_free) struct arena *a = arena_new("t", 1u << 20);
	struct state in = sample(), out;
	char note[STATE_NOTE_MAX + 8], longest[STATE_NOTE_MAX + 10];
	struct err err;
	int dir;

	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_ok(state_make_dir(&h, "c1", &dir, &err));
	assert_int_equal(state_read_note(dir, note, &err), 0);
	put(dir, "new.json", "cgroup /torn"); /* killed in the middle of it */
	assert_int_equal(state_read_note(dir, note, &err), 0);
	assert_err(state_note(dir, "/a", &err), ERR_SYSTEM, "make the container's state file");
	assert_int_equal(unlinkat(dir, "new.json", 0), 0);
	assert_err(state_note(dir, "/a\nb", &err), ERR_INVALID, "line break");
	assert_int_equal(unlinkat(dir, "new.json", 0), 0);
	assert_err(state_note(dir, longest, &err), ERR_INVALID, "longer than");
	assert_int_equal(unlinkat(dir, "new.json", 0), 0);

	assert_ok(state_note(dir, "/pods/a b", &err));
	assert_int_equal(state_read_note(dir, note, &err), 1);
	assert_string_equal(note, "/pods/a b");
	assert_ok(state_write(dir, &in, &err));
	assert_int_equal(state_read_note(dir, note, &err), 0);
	assert_ok(state_read(dir, a, &out, &err));
	assert_string_equal(out.id, in.id);
	assert_true(slice_eq(out.config, in.config));
	assert_ok(state_remove(&h, "c1", dir, &err));
	fd_close(dir);
	scratch_remove(root);
}

static void a_record_that_is_too_large_is_refused(void **state)
{
	char *root = scratch_root();
	struct rt_host h = { .root = root };
	struct state in = sample();
	struct err err;
	char *big = malloc(RT_CONFIG_MAX + 70000);
	int dir;

	memset(big, ' ', RT_CONFIG_MAX + 70000);
	in.config = slice_of(big, RT_CONFIG_MAX + 70000);
	assert_ok(state_make_dir(&h, "c1", &dir, &err));
	assert_err(state_write(dir, &in, &err), ERR_TOO_LARGE, "larger than");
	assert_int_equal(faccessat(dir, "new.json", F_OK, 0), -1);
	free(big);
	fd_close(dir);
	scratch_remove(root);
}

static void a_container_whose_pid_is_another_process_is_stopped(void **state)
{
	char *root = scratch_root();
	struct rt_host h = { .root = root };
	CLEANUP(arena_free) struct arena *a = arena_new("t", 1u << 20);
	CLEANUP(buf_fini) struct buf b = BUF_INIT(65536);
	struct state in = sample();
	struct rt_container *c;
	struct rt_info i;
	struct err err;
	int dir;

	in.pid = getpid(); /* alive, but it started at another time */
	in.cgroup = NULL;
	assert_ok(state_make_dir(&h, "c1", &dir, &err));
	assert_ok(state_write(dir, &in, &err));
	state_unlock(dir);
	assert_ok(rt_open(&h, "c1", &c, &err));
	assert_int_equal(c->pid, 0);
	assert_int_equal(c->pidfd, -1);
	assert_ok(rt_info(c, a, &i, &err));
	assert_int_equal(i.status, RT_STOPPED);
	assert_true(slice_is(i.annotations, "{\"k\":\"v\"}"));
	assert_ok(rt_state_json(c, false, &b, &err));
	assert_words(buf_str(&b), "\"status\":\"stopped\"");
	assert_words(buf_str(&b), "\"pid\":0");
	assert_words(buf_str(&b), "\"annotations\":{\"k\":\"v\"}");
	assert_err(rt_kill(c, 9, false, &err), ERR_CONFLICT, "container not running");
	assert_err(rt_start(c, &err), ERR_CONFLICT, "has stopped");
	assert_ok(rt_delete(c, false, &err));
	rt_close(c);
	assert_err(rt_open(&h, "c1", &c, &err), ERR_NOT_FOUND, "container does not exist");
	fd_close(dir);
	scratch_remove(root);
}

static int count(struct rt_container *c, void *arg)
{
	char *all = arg;

	(void)snprintf(all + strlen(all), 64 - strlen(all), "%s ", c->id);
	return 0;
}

static void the_list_is_sorted_and_skips_what_is_no_container(void **state)
{
	static const char *const ids[] = { "b", "a", "c" };
	char *root = scratch_root();
	struct rt_host h = { .root = root };
	struct state in = sample();
	char all[64] = "";
	struct err err;
	int dir;

	assert_ok(rt_list(&h, count, all, &err));
	for (size_t i = 0; i < 3; i++) {
		assert_ok(state_make_dir(&h, ids[i], &dir, &err));
		in.id = ids[i];
		assert_ok(state_write(dir, &in, &err));
		fd_close(dir);
	}
	assert_ok(state_make_dir(&h, "empty", &dir, &err));
	fd_close(dir);
	assert_ok(rt_list(&h, count, all, &err));
	assert_string_equal(all, "a b c ");
	scratch_remove(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_comes_back_as_it_was_written),
		cmocka_unit_test(an_id_in_use_is_refused),
		cmocka_unit_test(a_missing_root_means_no_container),
		cmocka_unit_test(a_directory_removed_while_its_lock_was_awaited_is_gone),
		cmocka_unit_test(broken_records_are_errors),
		cmocka_unit_test(a_note_names_the_cgroup_until_the_record_is_whole),
		cmocka_unit_test(a_record_that_is_too_large_is_refused),
		cmocka_unit_test(a_container_whose_pid_is_another_process_is_stopped),
		cmocka_unit_test(the_list_is_sorted_and_skips_what_is_no_container),
	};

	return cmocka_run_group_tests_name("state", tests, NULL, NULL);
}
