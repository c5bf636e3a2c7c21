/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a row of commands and tells what they took: the stopwatch of bench-oci.py, in C so that it
 * hardly counts itself.
 *
 * usage: oci-cycle [--parallel N] COMMAND [ARG...] [-- COMMAND [ARG...]]...
 *
 * A '%' in an argument is the number of the worker. The command `@wait FILE` waits for the end of
 * the process whose pid is in FILE; it has become our child, as we are the subreaper. Prints
 * "WALL CPU" in milliseconds: wall from the first start to the end of the last command, of all
 * workers; CPU of all that was started (rusage), for one worker. Ends with 1 and the words of the
 * command that failed.
 */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WORDS_MAX 64
#define TEXT_MAX 4096
#define PARALLEL_MAX 1000

extern char **environ;

static double now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static double cpu_ms(void)
{
	struct rusage r;

	(void)getrusage(RUSAGE_CHILDREN, &r);
	return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1e3 +
	       (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e3;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* Where a command's words go: nothing to read, errors kept for us to tell. */
static int messages(void)
{
	int fd = memfd_create("messages", MFD_CLOEXEC);

	if (fd < 0)
		die("memfd_create");
	return fd;
}

static int spawn(char **argv, int err)
{
	posix_spawn_file_actions_t fa;
	int status;
	pid_t pid;

	(void)posix_spawn_file_actions_init(&fa);
	(void)posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", O_RDWR, 0);
	(void)posix_spawn_file_actions_adddup2(&fa, 0, 1);
	(void)posix_spawn_file_actions_adddup2(&fa, err, 2);
	if (posix_spawn(&pid, argv[0], &fa, NULL, argv, environ) != 0)
		die(argv[0]);
	(void)posix_spawn_file_actions_destroy(&fa);
	if (waitpid(pid, &status, 0) != pid)
		die("waitpid");
	return status;
}

static void wait_for(const char *file)
{
	siginfo_t si;
	long pid = 0;
	FILE *f = fopen(file, "re");

	if (!f || fscanf(f, "%ld", &pid) != 1)
		die(file);
	(void)fclose(f);
	if (waitid(P_PID, (id_t)pid, &si, WEXITED) < 0)
		die("wait for the container");
}

static void run(char **argv, int err)
{
	char text[TEXT_MAX];
	ssize_t n;

	if (strcmp(argv[0], "@wait") == 0) {
		wait_for(argv[1]);
		return;
	}
	if (spawn(argv, err) == 0)
		return;
	n = pread(err, text, sizeof(text) - 1, 0);
	text[n > 0 ? n : 0] = '\0';
	fprintf(stderr, "%s %s: %s\n", argv[0], argv[1] ? argv[1] : "", text);
	exit(1);
}

/* '%' becomes the number. */
static char *worded(const char *word, unsigned number, char *out, size_t size)
{
	const char *at = strchr(word, '%');

	if (!at)
		(void)snprintf(out, size, "%s", word);
	else
		(void)snprintf(out, size, "%.*s%u%s", (int)(at - word), word, number, at + 1);
	return out;
}

static void cycle(int argc, char **argv, unsigned number, int err)
{
	static char text[WORDS_MAX][512];
	char *words[WORDS_MAX + 1];
	int n = 0;

	for (int i = 0; i <= argc; i++) {
		if (i < argc && strcmp(argv[i], "--") != 0) {
			if (n == WORDS_MAX)
				exit(2);
			words[n] = worded(argv[i], number, text[n], sizeof(text[n]));
			n++;
			continue;
		}
		words[n] = NULL;
		if (n)
			run(words, err);
		n = 0;
	}
}

static int reap(void)
{
	int status, bad = 0;

	while (wait(&status) >= 0)
		bad |= status;
	return bad;
}

/* All workers are there and wait; the gate opens for all at once. */
static double at_once(int argc, char **argv, unsigned n)
{
	int gate[2];
	double began;

	if (pipe2(gate, O_CLOEXEC) < 0)
		die("pipe");
	for (unsigned i = 0; i < n; i++) {
		pid_t pid = fork();
		char c;

		if (pid < 0)
			die("fork");
		if (pid > 0)
			continue;
		(void)close(gate[1]);
		(void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
		if (read(gate[0], &c, 1) < 0)
			die("gate");
		cycle(argc, argv, i, messages());
		_exit(reap() != 0);
	}
	(void)usleep(50000);
	began = now_ms();
	(void)close(gate[1]);
	(void)close(gate[0]);
	if (reap())
		exit(1);
	return now_ms() - began;
}

int main(int argc, char **argv)
{
	unsigned parallel = 1;
	double began, wall;

	if (argc > 3 && strcmp(argv[1], "--parallel") == 0) {
		parallel = (unsigned)strtoul(argv[2], NULL, 10);
		argv += 2;
		argc -= 2;
	}
	if (argc < 2 || parallel < 1 || parallel > PARALLEL_MAX) {
		fprintf(stderr, "usage: oci-cycle [--parallel N] COMMAND [ARG...] [-- COMMAND "
				"[ARG...]]...\n");
		return 2;
	}
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	if (parallel > 1) {
		wall = at_once(argc - 1, argv + 1, parallel);
	} else {
		int err = messages();

		began = now_ms();
		cycle(argc - 1, argv + 1, 0, err);
		wall = now_ms() - began;
		(void)reap();
	}
	printf("%.3f %.3f\n", wall, cpu_ms() / parallel);
	return 0;
}
