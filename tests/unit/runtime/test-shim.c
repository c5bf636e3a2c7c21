/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Real shims with real containers, driven by the engine's side of the protocol, and hostile peers
 * that speak it wrongly. Needs root, busybox and teu-oci (TEU_OCI, else build/teu-oci); the
 * containers have network namespaces of their own.
 */
#include "rt-check.h"

#include "base/clock.h"
#include "linux/proc.h"
#include "runtime/shim-private.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

struct engine {
	struct world *w;
	struct shim_client *c;
	struct shim_hello hello;
	struct shim_proc first;
	struct shim_exit init, exec;
	int hellos, inits, execs, gone, oom;
	bool free_when_gone;
};

struct world {
	struct loop *loop;
	char dir[40], run[64], root[64], bundle[64], files[64], id[40];
	int dirfd, replies, result;
	struct err err;
	int32_t pid;
	struct engine a, b;
};

static const char *program(void)
{
	const char *p = getenv("TEU_OCI");

	return p ? p : TEU_TOP "/build/teu-oci";
}

/* ---- events ---- */

static void on_hello(void *arg, const struct shim_hello *h)
{
	struct engine *e = arg;

	e->hello = *h;
	if (h->nprocs)
		e->first = h->procs[0];
	e->hellos++;
}

static void on_exited(void *arg, const struct shim_exit *x)
{
	struct engine *e = arg;

	if (*x->exec_id) {
		e->exec = *x;
		e->execs++;
	} else {
		e->init = *x;
		e->inits++;
	}
}

static void on_oom(void *arg, int64_t when)
{
	assert_true(when > 0);
	((struct engine *)arg)->oom++;
}

static void on_detached(void *arg, const char *exec_id, bool by_keys)
{
	(void)arg;
	(void)exec_id;
	(void)by_keys;
}

static void on_gone(void *arg)
{
	struct engine *e = arg;

	e->gone++;
	shim_client_free(STEAL(e->c));
}

static const struct shim_events events = { on_hello, on_exited, on_oom, on_detached, on_gone };

static void on_reply(void *arg, struct shim_reply *r)
{
	struct world *w = arg;

	w->replies++;
	w->result = r->result;
	w->err = *r->err;
	if (r->result == 0 && r->payload.end - r->payload.p >= 4)
		w->pid = (int32_t)wire_u32(&r->payload);
}

static void until(struct world *w, const int *n, int want)
{
	int64_t stop = clock_mono() + 20 * NS_PER_SEC;
	struct err err = ERR_INIT;

	while (*n < want && clock_mono() < stop)
		assert_true(loop_step(w->loop, 50 * NS_PER_MS, &err) >= 0);
	assert_int_equal(*n, want);
}

static int answered(struct world *w)
{
	until(w, &w->replies, 1);
	w->replies = 0;
	return w->result;
}

static void expect_ok(struct world *w)
{
	if (answered(w) != 0)
		fail_msg("%s", w->err.msg);
}

static void expect_failed(struct world *w, enum err_code code, const char *words)
{
	assert_int_equal(answered(w), -(int)code);
	assert_words(w->err.msg, words);
}

/* ---- world ---- */

static void put_file(const char *dir, const char *name, const char *text)
{
	int d = openat(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct err err;

	assert_ok(fd_replace_file(d, name, text, strlen(text), 0644, &err));
	fd_close(d);
}

static void copy_busybox(const char *to)
{
	int in = openat(AT_FDCWD, "/bin/busybox", O_RDONLY | O_CLOEXEC);
	int out = openat(AT_FDCWD, to, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	char chunk[65536];
	ssize_t n;

	assert_true(in >= 0 && out >= 0);
	while ((n = read(in, chunk, sizeof(chunk))) > 0)
		assert_int_equal(fd_write_all(out, chunk, (size_t)n), 0);
	fd_close(in);
	fd_close(out);
}

static void make_bundle(struct world *w)
{
	static const char *const applets[] = {
		"sh", "sleep", "cat", "stty", "yes", "head", "kill"
	};
	char path[128];
	struct err err;

	(void)snprintf(path, sizeof(path), "%s/rootfs/bin", w->bundle);
	assert_ok(fd_mkdir_p(AT_FDCWD, path, 0755, &err));
	(void)snprintf(path, sizeof(path), "%s/rootfs/proc", w->bundle);
	assert_ok(fd_mkdir_p(AT_FDCWD, path, 0755, &err));
	(void)snprintf(path, sizeof(path), "%s/rootfs/dev", w->bundle);
	assert_ok(fd_mkdir_p(AT_FDCWD, path, 0755, &err));
	(void)snprintf(path, sizeof(path), "%s/rootfs/bin/busybox", w->bundle);
	copy_busybox(path);
	for (size_t i = 0; i < ARRAY_LEN(applets); i++) {
		(void)snprintf(path, sizeof(path), "%s/rootfs/bin/%s", w->bundle, applets[i]);
		assert_int_equal(symlink("busybox", path), 0);
	}
}

static void command(struct world *w, const char *script, bool tty, long memory)
{
	char text[4096], limit[64] = "";

	if (memory)
		(void)snprintf(limit, sizeof(limit), "\"memory\":{\"limit\":%ld,\"swap\":%ld}",
			       memory, memory);
	(void)snprintf(text, sizeof(text),
		       "{\"ociVersion\":\"1.0.2\",\"process\":{\"terminal\":%s,\"user\":{\"uid\":0,"
		       "\"gid\":0},\"cwd\":\"/\",\"args\":[\"/bin/sh\",\"-c\",\"%s\"],"
		       "\"env\":[\"PATH=/bin\"]},\"root\":{\"path\":\"rootfs\"},\"mounts\":["
		       "{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"},"
		       "{\"destination\":\"/dev\",\"type\":\"tmpfs\",\"source\":\"tmpfs\"},"
		       "{\"destination\":\"/dev/pts\",\"type\":\"devpts\",\"source\":\"devpts\","
		       "\"options\":[\"newinstance\",\"ptmxmode=0666\"]}],\"linux\":{"
		       "\"cgroupsPath\":\"/%s\",\"resources\":{%s},\"namespaces\":["
		       "{\"type\":\"pid\"},{\"type\":\"network\"},{\"type\":\"ipc\"},"
		       "{\"type\":\"uts\"},{\"type\":\"mount\"}]}}",
		       tty ? "true" : "false", script, w->id, limit);
	put_file(w->bundle, "config.json", text);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct err err;

	(void)sigaction(SIGPIPE, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL);
	str_copy(w->dir, sizeof(w->dir), "/tmp/teu-shim-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	(void)snprintf(w->id, sizeof(w->id), "teushim%s", w->dir + strlen("/tmp/teu-shim-"));
	(void)snprintf(w->run, sizeof(w->run), "%s/run", w->dir);
	(void)snprintf(w->root, sizeof(w->root), "%s/root", w->dir);
	(void)snprintf(w->bundle, sizeof(w->bundle), "%s/b", w->dir);
	(void)snprintf(w->files, sizeof(w->files), "%s/files", w->dir);
	assert_ok(fd_mkdir_p(AT_FDCWD, w->run, 0700, &err));
	assert_ok(fd_mkdir_p(AT_FDCWD, w->files, 0700, &err));
	w->dirfd = openat(AT_FDCWD, w->files, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	make_bundle(w);
	assert_ok(loop_new(&w->loop, &err));
	w->a.w = w->b.w = w;
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	struct rt_container *c = NULL;
	const struct rt_host h = { .root = w->root };

	shim_client_free(w->a.c);
	shim_client_free(w->b.c);
	if (rt_open(&h, w->id, &c, NULL) == 0)
		(void)rt_delete(c, true, NULL);
	rt_close(c);
	loop_free(w->loop);
	fd_close(w->dirfd);
	(void)fd_remove_tree(AT_FDCWD, w->dir, NULL);
	free(w);
	return 0;
}

static struct shim_where where(struct world *w)
{
	return (struct shim_where){
		.program = program(), .run_dir = w->run, .id = w->id, .log_fd = 2
	};
}

static void spawn(struct world *w)
{
	const struct shim_where at = where(w);
	struct err err;

	assert_ok(shim_spawn(w->loop, &at, &events, &w->a, &w->a.c, &err));
}

static void find(struct world *w, struct engine *e)
{
	const struct shim_where at = where(w);
	struct err err;

	assert_ok(shim_connect(w->loop, &at, &events, e, &e->c, &err));
	until(w, &e->hellos, 1);
}

static void create(struct world *w, uint32_t flags)
{
	const struct shim_create rq = { .id = slice_str(w->id),
					.rt_root = slice_str(w->root),
					.bundle = slice_str(w->bundle),
					.flags = flags,
					.log_driver = SHIM_LOG_JSON_FILE,
					.log_max_files = 1,
					.log_name = SLICE("log") };

	shim_call_create(w->a.c, &rq, w->dirfd, on_reply, w);
}

static int attach(struct world *w, uint32_t streams, const char *unread)
{
	const struct shim_attach rq = { .exec_id = SLICE(""),
					.streams = streams,
					.unread = slice_str(unread) };
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	/* So little fits that a reader lags at once. */
	assert_int_equal(setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &(int){ 4096 }, sizeof(int)),
			 0);
	shim_call_attach(w->a.c, &rq, pair[1], on_reply, w);
	fd_close(pair[1]);
	expect_ok(w);
	return pair[0];
}

static void exec(struct world *w, const char *script, uint32_t flags, uint32_t streams, int *ret)
{
	char process[512];
	struct shim_exec rq = { .exec_id = SLICE("e1"), .flags = flags, .streams = streams };
	int pair[2];

	(void)snprintf(process, sizeof(process),
		       "{\"terminal\":%s,\"user\":{\"uid\":0,\"gid\":0},\"cwd\":\"/\",\"args\":["
		       "\"/bin/sh\",\"-c\",\"%s\"],\"env\":[\"PATH=/bin\"]}",
		       flags & SHIM_TTY ? "true" : "false", script);
	rq.process = slice_str(process);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	shim_call_exec(w->a.c, &rq, pair[1], on_reply, w);
	fd_close(pair[1]);
	*ret = pair[0];
}

/* All that comes until the end of file. */
static void expect_output(int fd, const char *want, size_t n)
{
	char got[4096];
	size_t have = 0;
	ssize_t r;
	struct pollfd p = { fd, POLLIN, 0 };

	while (poll(&p, 1, 20000) == 1 && (r = read(fd, got + have, sizeof(got) - have)) > 0)
		have += (size_t)r;
	fd_close(fd);
	if (have != n || memcmp(got, want, n) != 0)
		fail_msg("got %zu bytes '%.*s', wanted %zu", have, (int)have, got, n);
}
#define EXPECT(fd, lit) expect_output(fd, lit, sizeof(lit) - 1)

static void collect(const struct shim_exit *e, void *arg)
{
	(void)buf_addf(arg, "%s=%d ", e->exec_id, shim_exit_code(e));
}

static void expect_records(struct world *w, const char *want)
{
	CLEANUP(buf_fini) struct buf seen = BUF_INIT(4096);
	struct err err;

	assert_ok(shim_exits_read(w->dirfd, collect, &seen, &err));
	assert_string_equal(buf_str(&seen), want);
}

static void expect_nothing_left(struct world *w)
{
	char path[160];

	(void)snprintf(path, sizeof(path), "%s/shim.sock", w->run);
	assert_int_equal(faccessat(AT_FDCWD, path, F_OK, 0), -1);
	(void)snprintf(path, sizeof(path), "%s/%s", w->root, w->id);
	assert_int_equal(faccessat(AT_FDCWD, path, F_OK, 0), -1);
	(void)snprintf(path, sizeof(path), "/sys/fs/cgroup/memory/%s", w->id);
	assert_int_equal(faccessat(AT_FDCWD, path, F_OK, 0), -1);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* and no zombie of ours */
	assert_int_equal(errno, ECHILD);
}

/* ---- cases: a life ---- */

static void a_container_lives_with_attach_before_start(void **state)
{
	struct world *w = *state;
	int c;

	command(w, "cat; echo err >&2; exit 7", false, 0);
	spawn(w);
	create(w, SHIM_STDIN | SHIM_STDIN_ONCE);
	expect_ok(w);
	assert_true(w->pid > 0);
	c = attach(w, SHIM_IN | SHIM_OUT | SHIM_ERR | SHIM_RAW, "un");
	shim_call_start(w->a.c, on_reply, w);
	expect_ok(w);
	assert_int_equal(send(c, "read\n", 5, 0), 5);
	assert_int_equal(shutdown(c, SHUT_WR), 0);
	until(w, &w->a.gone, 1);
	EXPECT(c, "unread\nerr\n");
	assert_int_equal(w->a.inits, 1);
	assert_int_equal(shim_exit_code(&w->a.init), 7);
	assert_true(w->a.init.started > 0 && w->a.init.finished > w->a.init.started);
	expect_records(w, "=7 ");
	expect_nothing_left(w);
}

static void exec_has_its_own_stdio_and_record(void **state)
{
	struct world *w = *state;
	struct shim_exec rq = { .exec_id = SLICE("e2"),
				.process = SLICE("{\"user\":{\"uid\":0,\"gid\":0},\"cwd\":\"/\","
						 "\"args\":[\"/bin/nope\"]}") };
	int c;

	command(w, "sleep 1000", false, 0);
	spawn(w);
	create(w, SHIM_START_NOW);
	expect_ok(w);
	exec(w, "cat; exit 5", SHIM_STDIN, SHIM_IN | SHIM_OUT, &c);
	expect_ok(w);
	shim_call_kill(w->a.c, "e1", 0, false, on_reply, w);
	expect_ok(w);
	assert_int_equal(send(c, "in", 2, 0), 2);
	assert_int_equal(shutdown(c, SHUT_WR), 0);
	until(w, &w->a.execs, 1);
	EXPECT(c, "\1\0\0\0\0\0\0\2in");
	assert_string_equal(w->a.exec.exec_id, "e1");
	assert_int_equal(shim_exit_code(&w->a.exec), 5);
	expect_records(w, "e1=5 ");
	shim_call_exec(w->a.c, &rq, -1, on_reply, w);
	expect_failed(w, ERR_NOT_FOUND, "nope");
	shim_call_kill(w->a.c, "e1", 9, false, on_reply, w);
	expect_failed(w, ERR_CONFLICT, "exec e1 is not running");
	shim_call_kill(w->a.c, "", SIGKILL, false, on_reply, w);
	expect_ok(w);
	until(w, &w->a.gone, 1);
	expect_records(w, "e1=5 =137 ");
	expect_nothing_left(w);
}

static void a_terminal_can_be_resized_and_detached_from(void **state)
{
	struct world *w = *state;
	int c;

	command(w, "sleep 1000", false, 0);
	spawn(w);
	create(w, SHIM_START_NOW);
	expect_ok(w);
	exec(w, "read x; stty size", SHIM_TTY | SHIM_STDIN, SHIM_IN | SHIM_OUT, &c);
	expect_ok(w);
	shim_call_resize(w->a.c, "e1", 33, 99, on_reply, w);
	expect_ok(w);
	assert_int_equal(send(c, "\n", 1, 0), 1);
	until(w, &w->a.execs, 1);
	EXPECT(c, "\r\n33 99\r\n");
	shim_call_resize(w->a.c, "e1", 1, 1, on_reply, w);
	expect_failed(w, ERR_NOT_FOUND, "exec 'e1' is not running");
	shim_call_delete(w->a.c, on_reply, w);
	expect_ok(w);
	until(w, &w->a.gone, 1);
	expect_nothing_left(w);
}

static void an_exec_with_a_child_that_keeps_its_output_ends(void **state)
{
	struct world *w = *state;
	int c;

	command(w, "sleep 1000", false, 0);
	spawn(w);
	create(w, SHIM_START_NOW);
	expect_ok(w);
	exec(w, "sleep 900 & echo hi", 0, SHIM_OUT, &c);
	expect_ok(w);
	until(w, &w->a.execs, 1); /* after the patience */
	EXPECT(c, "\1\0\0\0\0\0\0\3hi\n");
	shim_call_delete(w->a.c, on_reply, w);
	expect_ok(w);
	until(w, &w->a.gone, 1);
	expect_nothing_left(w);
}

static void a_reader_that_lags_gets_all_after_the_end(void **state)
{
	struct world *w = *state;
	char chunk[65536];
	size_t n = 0;
	ssize_t r;
	int c;

	command(w, "yes 123456789 | head -c 60000", false, 0);
	spawn(w);
	create(w, 0);
	expect_ok(w);
	c = attach(w, SHIM_OUT | SHIM_RAW, "");
	shim_call_start(w->a.c, on_reply, w);
	expect_ok(w);
	until(w, &w->a.gone, 1); /* nothing read so far: what a pipe holds is the process's end */
	assert_int_equal(w->a.inits, 1);
	expect_nothing_left(w);
	while ((r = read(c, chunk, sizeof(chunk))) > 0)
		n += (size_t)r;
	assert_int_equal(n, 60000);
	fd_close(c);
}

static void out_of_memory_is_told(void **state)
{
	struct world *w = *state;

	command(w, "x=$(yes | head -c 50000000); echo ${#x}", false, 16L << 20);
	spawn(w);
	create(w, SHIM_START_NOW);
	expect_ok(w);
	until(w, &w->a.gone, 1);
	assert_int_equal(w->a.oom, 1);
	assert_true(w->a.init.oom);
	expect_nothing_left(w);
}

static void a_bad_bundle_fails_by_name_and_another_create_may_follow(void **state)
{
	struct world *w = *state;

	put_file(w->bundle, "config.json", "{\"ociVersion\":");
	spawn(w);
	create(w, 0);
	assert_true(answered(w) < 0);
	assert_words(w->err.msg, "config.json");
	shim_call_start(w->a.c, on_reply, w);
	expect_failed(w, ERR_CONFLICT, "not in the created state");
	command(w, "exit 0", false, 0);
	create(w, SHIM_START_NOW);
	expect_ok(w);
	until(w, &w->a.gone, 1);
	expect_records(w, "=0 ");
	expect_nothing_left(w);
}

/* ---- cases: engines come and go ---- */

static void a_created_container_waits_for_the_next_engine(void **state)
{
	struct world *w = *state;

	command(w, "exit 3", false, 0);
	spawn(w);
	create(w, 0);
	expect_ok(w);
	shim_client_free(STEAL(w->a.c));
	find(w, &w->b);
	assert_int_equal(w->b.hello.phase, SHIM_CREATED);
	assert_int_equal(w->b.hello.nprocs, 1);
	assert_true(w->b.first.running);
	assert_int_equal(w->b.first.pid, w->pid);
	shim_call_start(w->b.c, on_reply, w);
	expect_ok(w);
	until(w, &w->b.gone, 1);
	assert_int_equal(shim_exit_code(&w->b.init), 3);
	assert_true(waitpid(-1, NULL, 0) > 0); /* the first engine's child */
	expect_nothing_left(w);
}

static void a_shim_without_a_container_ends_with_its_engine(void **state)
{
	struct world *w = *state;

	spawn(w);
	until(w, &w->a.hellos, 1);
	assert_int_equal(w->a.hello.phase, SHIM_NEW);
	shim_client_free(STEAL(w->a.c));
	assert_true(waitpid(-1, NULL, 0) > 0);
	expect_nothing_left(w);
}

static void the_newest_engine_replaces_the_one_before(void **state)
{
	struct world *w = *state;

	command(w, "sleep 1000", false, 0);
	spawn(w);
	create(w, SHIM_START_NOW);
	expect_ok(w);
	find(w, &w->b);
	assert_int_equal(w->b.hello.phase, SHIM_RUNNING);
	until(w, &w->a.gone, 1);
	shim_call_delete(w->b.c, on_reply, w);
	expect_ok(w);
	until(w, &w->b.gone, 1);
	assert_int_equal(shim_exit_code(&w->b.init), 137);
	assert_true(waitpid(-1, NULL, 0) > 0);
	expect_nothing_left(w);
}

static void what_ended_while_no_engine_was_there_is_recorded(void **state)
{
	const struct shim_where at = where(*state);
	struct world *w = *state;
	struct err err;

	command(w, "exit 9", false, 0);
	spawn(w);
	create(w, 0);
	expect_ok(w);
	shim_call_start(w->a.c, NULL, NULL);
	shim_client_free(STEAL(w->a.c)); /* START is in the socket */
	assert_true(waitpid(-1, NULL, 0) > 0);
	expect_records(w, "=9 ");
	assert_err(shim_connect(w->loop, &at, &events, &w->b, &w->b.c, &err), ERR_NOT_FOUND,
		   "no shim of container");
	expect_nothing_left(w);
}

static void requests_of_a_killed_shim_fail_and_gone_comes_once(void **state)
{
	struct world *w = *state;
	const struct rt_host h = { .root = w->root };
	struct rt_container *c = NULL;
	struct err err;

	command(w, "sleep 1000", false, 0);
	spawn(w);
	create(w, SHIM_START_NOW);
	expect_ok(w);
	assert_int_equal((kill)(shim_pid(w->a.c), SIGKILL), 0);
	shim_call_start(w->a.c, on_reply, w);
	expect_failed(w, ERR_UNAVAILABLE, "shim has ended");
	until(w, &w->a.gone, 1);
	assert_int_equal(w->a.inits, 0);
	assert_ok(rt_open(&h, w->id, &c, &err)); /* what the engine does then */
	assert_ok(rt_delete(c, true, &err));
	rt_close(c);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void a_request_too_large_for_a_frame_is_refused(void **state)
{
	static char big[FRAME_PAYLOAD_MAX];
	struct world *w = *state;
	const struct shim_exec rq = { .exec_id = SLICE("x"),
				      .process = slice_of(big, sizeof(big)) };

	spawn(w);
	shim_call_exec(w->a.c, &rq, -1, on_reply, w);
	assert_int_equal(w->replies, 0); /* never inside the call */
	expect_failed(w, ERR_TOO_LARGE, "larger than 131072");
	shim_call_delete(w->a.c, on_reply, w);
	expect_ok(w);
	until(w, &w->a.gone, 1);
}

/* ---- cases: hostile peers ---- */

struct peer {
	int sock;
	pid_t shim;
};

static void peer_open(struct world *w, struct peer *p)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	(void)snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/shim.sock", w->run);
	p->sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(p->sock, (struct sockaddr *)&sun, sizeof(sun)), 0);
}

static void peer_send(struct peer *p, uint16_t version, uint16_t type, const void *bytes, size_t n)
{
	struct err err;

	assert_ok(frame_send(p->sock, version, type, 1, bytes, n, NULL, 0, &err));
}

/* The type of the next frame, 0 = the connection has ended. */
static int peer_next(struct peer *p)
{
	static unsigned char room[FRAME_PAYLOAD_MAX];
	CLEANUP(frame_fini) struct frame f = { 0 };
	struct pollfd pf = { p->sock, POLLIN, 0 };
	struct err err = ERR_INIT;

	assert_int_equal(poll(&pf, 1, 10000), 1);
	return frame_recv(p->sock, room, sizeof(room), &f, &err) == 1 ? f.head.type : 0;
}

static void peers_that_break_a_rule_lose_the_connection_only(void **state)
{
	static const unsigned char welcome[] = { 1, 0, 1, 0 }, future[] = { 2, 0, 3, 0 };
	static const unsigned char zeros[16];
	static const struct {
		uint16_t type, version;
		const void *p;
		size_t n;
		bool welcomed;
	} bad[] = {
		{ SHIM_STATE, 1, NULL, 0, false }, /* before the welcome */
		{ SHIM_STATE, 2, NULL, 0, true },  /* a version not agreed on */
		{ 0, 1, NULL, 0, true },	   /* no type */
		{ 63, 1, NULL, 0, true },
		{ SHIM_TYPE_END, 1, NULL, 0, true },
		{ 65535, 1, NULL, 0, true },
		{ SHIM_OK, 1, NULL, 0, true },
		{ SHIM_HELLO, 1, zeros, 16, true },
		{ SHIM_START, 1, zeros, 1, true },
		{ SHIM_WELCOME, 1, zeros, 3, false },
		{ SHIM_CREATE, 1, zeros, 16, true },
		{ SHIM_ATTACH, 1, zeros, 16, true }, /* without its fd */
		{ SHIM_KILL, 1, zeros, 4, true },
		{ SHIM_RESIZE, 1, zeros, 7, true },
		{ SHIM_WELCOME, 1, welcome, 4, true }, /* twice */
		{ SHIM_WELCOME, 1, future, 4, false }, /* no common version */
	};
	struct world *w = *state;
	struct peer p;
	int type;

	command(w, "sleep 1000", false, 0);
	spawn(w);
	create(w, SHIM_START_NOW);
	expect_ok(w);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		peer_open(w, &p);
		assert_int_equal(peer_next(&p), SHIM_HELLO);
		if (bad[i].welcomed)
			peer_send(&p, 1, SHIM_WELCOME, welcome, 4);
		peer_send(&p, bad[i].version, bad[i].type, bad[i].p, bad[i].n);
		type = peer_next(&p);
		if (bad[i].type == SHIM_WELCOME && bad[i].n == 4) {
			assert_int_equal(type, SHIM_FAILED);
			type = peer_next(&p);
		}
		assert_int_equal(type, 0);
		fd_close(p.sock);
	}
	peer_open(w, &p); /* no frame at all */
	assert_int_equal(peer_next(&p), SHIM_HELLO);
	assert_int_equal(send(p.sock, "junk", 4, 0), 4);
	assert_int_equal(peer_next(&p), 0);
	fd_close(p.sock);
	find(w, &w->b);
	assert_int_equal(w->b.hello.phase, SHIM_RUNNING);
	shim_call_delete(w->b.c, on_reply, w);
	expect_ok(w);
	until(w, &w->b.gone, 1);
}

static void malformed_payloads_are_answered_and_change_nothing(void **state)
{
	static const unsigned char welcome[] = { 1, 0, 1, 0 };
	static const unsigned char resize[] = { 255, 255, 0, 0, 1, 0, 1, 0 };
	static const unsigned char kill_bad[] = { 0, 0, 0, 0, 200, 0, 0, 0, 0 };
	static const unsigned char stdin_long[] = { 0, 0, 0, 0, 9 };
	struct world *w = *state;
	struct peer p;

	command(w, "sleep 1000", false, 0);
	spawn(w);
	create(w, SHIM_START_NOW);
	expect_ok(w);
	peer_open(w, &p);
	assert_int_equal(peer_next(&p), SHIM_HELLO);
	peer_send(&p, 1, SHIM_WELCOME, welcome, 4);
	peer_send(&p, 1, SHIM_RESIZE, resize, sizeof(resize));
	assert_int_equal(peer_next(&p), SHIM_FAILED);
	peer_send(&p, 1, SHIM_KILL, kill_bad, sizeof(kill_bad));
	assert_int_equal(peer_next(&p), SHIM_FAILED);
	peer_send(&p, 1, SHIM_CLOSE_STDIN, stdin_long, sizeof(stdin_long));
	assert_int_equal(peer_next(&p), SHIM_FAILED);
	peer_send(&p, 1, SHIM_START, NULL, 0);
	assert_int_equal(peer_next(&p), SHIM_FAILED);
	peer_send(&p, 1, SHIM_STATE, NULL, 0);
	assert_int_equal(peer_next(&p), SHIM_OK);
	peer_send(&p, 1, SHIM_LOG_REOPEN, NULL, 0);
	assert_int_equal(peer_next(&p), SHIM_OK);
	peer_send(&p, 1, SHIM_DELETE, NULL, 0);
	assert_int_equal(peer_next(&p), SHIM_OK);
	assert_int_equal(peer_next(&p), SHIM_EXIT);
	assert_int_equal(peer_next(&p), 0);
	fd_close(p.sock);
	until(w, &w->a.gone, 1);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_container_lives_with_attach_before_start),
		CASE(exec_has_its_own_stdio_and_record),
		CASE(a_terminal_can_be_resized_and_detached_from),
		CASE(an_exec_with_a_child_that_keeps_its_output_ends),
		CASE(a_reader_that_lags_gets_all_after_the_end),
		CASE(out_of_memory_is_told),
		CASE(a_bad_bundle_fails_by_name_and_another_create_may_follow),
		CASE(a_created_container_waits_for_the_next_engine),
		CASE(a_shim_without_a_container_ends_with_its_engine),
		CASE(the_newest_engine_replaces_the_one_before),
		CASE(what_ended_while_no_engine_was_there_is_recorded),
		CASE(requests_of_a_killed_shim_fail_and_gone_comes_once),
		CASE(a_request_too_large_for_a_frame_is_refused),
		CASE(peers_that_break_a_rule_lose_the_connection_only),
		CASE(malformed_payloads_are_answered_and_change_nothing),
	};

	if (geteuid() != 0 || faccessat(AT_FDCWD, program(), X_OK, 0) < 0 ||
	    faccessat(AT_FDCWD, "/bin/busybox", X_OK, 0) < 0) {
		print_message("skip: needs root, busybox and teu-oci (TEU_OCI or build/teu-oci)\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
