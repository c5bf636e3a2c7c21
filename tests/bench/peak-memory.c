/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Peak memory of one program: runs it under ptrace and reads VmHWM at its exit. rusage cannot tell
 * (its maximum takes over the parent's size at exec and the children's at wait).
 *
 * usage: peak-memory FILE PROGRAM [ARGS]. Writes the figure in KB to FILE, exits as PROGRAM did.
 * Programs that execve themselves again count from their last exec.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

static long read_peak(pid_t pid)
{
	char path[64], line[256];
	long kb = -1;
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "VmHWM: %ld", &kb) == 1)
			break;
	(void)fclose(f);
	return kb;
}

static int watch(pid_t pid, const char *out)
{
	int status;
	FILE *f;

	while (waitpid(pid, &status, __WALL) == pid && !WIFEXITED(status) && !WIFSIGNALED(status)) {
		int sig = WSTOPSIG(status);

		if (status >> 8 == (SIGTRAP | PTRACE_EVENT_EXIT << 8)) {
			f = fopen(out, "we");
			if (f) {
				(void)fprintf(f, "%ld\n", read_peak(pid));
				(void)fclose(f);
			}
			sig = 0;
		} else if (sig == SIGTRAP || sig == SIGSTOP) {
			(void)ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEEXIT);
			sig = 0;
		}
		(void)ptrace(PTRACE_CONT, pid, 0, sig);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char **argv)
{
	pid_t pid;

	if (argc < 3) {
		fprintf(stderr, "usage: peak-memory FILE PROGRAM [ARGS]\n");
		return 2;
	}
	pid = fork();
	if (pid == 0) {
		(void)ptrace(PTRACE_TRACEME, 0, 0, 0);
		(void)raise(SIGSTOP);
		(void)execvp(argv[2], argv + 2);
		perror(argv[2]);
		_exit(127);
	}
	return pid < 0 ? 1 : watch(pid, argv[1]);
}
