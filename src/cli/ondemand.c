/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An engine on demand: the same program as a session of its own, and the wait until it answers.
 *
 * Clients that find no engine at the same moment queue at a lock file; whoever comes second finds
 * the engine of the first. The wait is for events (the socket's directory, the engine's end); only
 * between the socket's appearing and its listening, which no event tells, it asks every
 * millisecond.
 */
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "cli/cli.h"
#include "linux/proc.h"
#include "linux/sys.h"

#include <limits.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/un.h>

#define START_TIME (30 * NS_PER_SEC)
#define LISTEN_PAUSE_MS 1
#define LOG_READ 4096

#define CLEANUP_FD __attribute__((cleanup(fd_close_cleanup_)))

struct spawn {
	const char *run;
	struct sockaddr_un sa;
	char dir[PATH_MAX];
	char **argv;
	int log_fd, null_fd;
	off_t log_from;
	bool failed; /* written by the child: it could not exec */
	int sys;
};

static int socket_path(struct spawn *s, const char *host, struct err *err)
{
	const char *path = strncmp(host, "unix://", 7) == 0 ? host + 7 : "";
	const char *slash = strrchr(path, '/');

	s->sa.sun_family = AF_UNIX;
	if (path[0] != '/' || !str_copy(s->sa.sun_path, sizeof(s->sa.sun_path), path))
		return err_set(
			err, ERR_INVALID,
			"engine at '%s': an engine can be started only at unix:///PATH of at "
			"most %zu bytes",
			host, sizeof(s->sa.sun_path) - 1);
	(void)snprintf(s->dir, sizeof(s->dir), "%.*s", (int)MAX(slash - path, 1), path);
	return 0;
}

/* 0 = someone listens, else the errno. */
static int try_connect(const struct spawn *s)
{
	CLEANUP_FD int fd = sys_socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return errno;
	if (sys_connect(fd, (const struct sockaddr *)&s->sa, sizeof(s->sa)) == 0)
		return 0;
	return errno == EAGAIN ? 0 : errno; /* a full backlog is someone, too */
}

/* ---- the child ---- */

static int become_engine(void *arg)
{
	struct spawn *s = arg;
	struct err err = ERR_INIT;

	/* Only what this program holds of its own is close-on-exec: what the shell gave goes too.
	 */
	if (sys_setsid() < 0 || proc_reset_signals(&err) < 0 ||
	    proc_fds_cloexec(3, NULL, 0, false, &err) < 0 || sys_chdir("/") < 0 ||
	    sys_dup3(s->null_fd, 0, 0) < 0 || sys_dup3(s->log_fd, 1, 0) < 0 ||
	    sys_dup3(s->log_fd, 2, 0) < 0 ||
	    sys_execveat(AT_FDCWD, "/proc/self/exe", s->argv, environ, 0) < 0) {
		s->sys = errno;
		s->failed = true;
	}
	return 127;
}

static int open_log(struct spawn *s, struct err *err)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/engine.log", s->run);
	s->log_fd = sys_openat(AT_FDCWD, path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (s->log_fd < 0)
		return err_sys(err, "open the engine's log '%s'", path);
	s->log_from = lseek(s->log_fd, 0, SEEK_END);
	return 0;
}

/* ---- waiting ---- */

/* What the engine said last. */
static int tell_failure(const struct spawn *s, struct err *err)
{
	char text[LOG_READ];
	off_t end = lseek(s->log_fd, 0, SEEK_END);
	off_t from = MAX(s->log_from, end - (off_t)sizeof(text));
	ssize_t n = pread(s->log_fd, text, sizeof(text), from);
	struct slice last = { NULL, 0 }, rest = slice_of(text, n > 0 ? (size_t)n : 0);

	while (rest.n) {
		struct slice line = slice_trim(slice_split(&rest, '\n'));

		if (line.n)
			last = line;
	}
	if (!last.n)
		last = SLICE("it ended without a word");
	(void)err_set(err, ERR_UNAVAILABLE, "the engine could not start: %.*s",
		      (int)MIN(last.n, (size_t)700), last.p);
	return err_hint(err, "its log is '%s/engine.log'", s->run);
}

static bool socket_touched(int watch, const char *name)
{
	char events[4096] __attribute__((aligned(8)));
	ssize_t n = sys_read(watch, events, sizeof(events));
	bool hit = false;

	for (ssize_t at = 0; at < n;) {
		const struct inotify_event *ev = (void *)(events + at);

		hit = hit || (ev->len && strcmp(ev->name, name) == 0) || (ev->mask & IN_Q_OVERFLOW);
		at += (ssize_t)sizeof(*ev) + ev->len;
	}
	return hit;
}

static int wait_ready(const struct spawn *s, int watch, int pidfd, struct err *err)
{
	const char *name = strrchr(s->sa.sun_path, '/') + 1;
	int64_t end = clock_mono() + START_TIME, left;
	bool appeared = false;

	while ((left = end - clock_mono()) > 0) {
		struct pollfd p[] = { { .fd = pidfd, .events = POLLIN },
				      { .fd = watch, .events = POLLIN } };
		int ms = appeared ? LISTEN_PAUSE_MS : (int)(left / NS_PER_MS) + 1;

		if (poll(p, 2, ms) < 0 && errno != EINTR)
			return err_sys(err, "wait for the engine");
		if (p[1].revents && socket_touched(watch, name))
			appeared = true;
		if (appeared && try_connect(s) == 0)
			return 0;
		if (p[0].revents) /* another one may have been faster by hand */
			return try_connect(s) == 0 ? 0 : tell_failure(s, err);
	}
	(void)err_set(err, ERR_TIMEOUT, "the engine does not answer at %s after %lld s",
		      s->sa.sun_path, START_TIME / NS_PER_SEC);
	return err_hint(err, "its log is '%s/engine.log'", s->run);
}

static int start_locked(struct spawn *s, struct err *err)
{
	CLEANUP_FD int watch = -1;
	__attribute__((cleanup(proc_fini_cleanup_))) struct proc p = { .pidfd = -1 };
	struct proc_clone how = { .fn = become_engine, .arg = s, .cgroup_fd = -1, .shared = true };
	int r;

	if (try_connect(s) == 0) /* the one before us in the queue has started it */
		return 0;
	watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (watch < 0 || inotify_add_watch(watch, s->dir, IN_CREATE | IN_MOVED_TO | IN_ATTRIB) < 0)
		return err_sys(err, "watch the directory '%s'", s->dir);
	r = proc_clone(&how, &p, err);
	if (r < 0)
		return err_wrap(err, "start the engine");
	if (s->failed)
		return err_sysc(err, ERR_SYSTEM, s->sys, "start the engine: exec of ourselves");
	return wait_ready(s, watch, p.pidfd, err);
}

static int prepare(struct spawn *s, int *ret_lock, struct err *err)
{
	char path[PATH_MAX];
	int r;

	r = fd_mkdir_p(AT_FDCWD, s->run, 0711, err);
	if (r == 0 && strcmp(s->dir, s->run) != 0)
		r = fd_mkdir_p(AT_FDCWD, s->dir, 0755, err);
	if (r == 0)
		r = open_log(s, err);
	if (r < 0)
		return err_wrap(err, "start the engine");
	s->null_fd = sys_openat(AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC, 0);
	if (s->null_fd < 0)
		return err_sys(err, "open '/dev/null'");
	(void)snprintf(path, sizeof(path), "%s/engine.start.lock", s->run);
	*ret_lock = sys_openat(AT_FDCWD, path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (*ret_lock < 0)
		return err_sys(err, "open '%s'", path);
	while (flock(*ret_lock, LOCK_EX) < 0)
		if (errno != EINTR)
			return err_sys(err, "lock '%s'", path);
	return 0;
}

#define WORDS_MAX 64

/* The program's own words, then those that the engine's command was given. */
static int engine_argv(const struct cli_global *g, char *argv[WORDS_MAX], struct err *err)
{
	const char *const own[] = { "teu",  "--root", g->root, "--run",
				    g->run, "--host", g->host, "engine" };
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		argv[n++] = (char *)own[i];
	if (g->debug)
		argv[n++] = "--debug";
	for (const char *const *w = g->engine_args; w && *w; w++) {
		if (n + 1 == WORDS_MAX)
			return err_set(err, ERR_INVALID, "start the engine: too many options");
		argv[n++] = (char *)*w;
	}
	argv[n] = NULL;
	return 0;
}

int cli_engine_spawn(const struct cli_global *g, struct err *err)
{
	char *argv[WORDS_MAX];
	struct spawn s = { .run = g->run, .argv = argv, .log_fd = -1, .null_fd = -1 };
	CLEANUP_FD int lock = -1;
	int r;

	r = engine_argv(g, argv, err);
	if (r == 0)
		r = socket_path(&s, g->host, err);
	if (r == 0)
		r = prepare(&s, &lock, err);
	if (r == 0)
		r = start_locked(&s, err);
	fd_close(s.log_fd);
	fd_close(s.null_fd);
	return r;
}
