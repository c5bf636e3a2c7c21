/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Root of a container that is not root outside: tries to get at every process that is born in its
 * pid namespace, in each way the kernel has, until it has become the container's program.
 *
 * usage: proc-hunt FILE    looks until FILE is there; prints a line for each thing it got that is
 * not the program's, and at its end how many processes it met and how often it was refused while
 * they were ours. proc-hunt         is that program: ends at once. Built static and not as PIE: a
 * mark lies at one address in every process that is this program, and in no other.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static const volatile char mark[] = "this is the program itself";
static unsigned met, refused;

/* The first of each kind. */
static void got(int pid, const char *what, const char *more)
{
	static const char *told[16];

	for (size_t i = 0; i < sizeof(told) / sizeof(told[0]) && told[i] != what; i++)
		if (!told[i]) {
			told[i] = what;
			printf("got %s of %d %s\n", what, pid, more);
			return;
		}
}

static int is_mark(const char *text)
{
	return !memcmp(text, (const char *)mark, sizeof(mark));
}

/* The fd holds the memory as it was at the open: of the program as soon as the kernel has mapped
 * it, of ours never. */
static void try_memory(int pid)
{
	char path[64], text[sizeof(mark)] = "";
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDWR);
	if (fd < 0) {
		refused += errno == EACCES || errno == EPERM;
		return;
	}
	for (int i = 0; i < 20; i++) {
		ssize_t n = pread(fd, text, sizeof(text), (off_t)(size_t)mark);

		if (n == 0 || (n == (ssize_t)sizeof(text) && is_mark(text))) /* 0: it has ended */
			break;
		if (i == 19)
			got(pid, "memory", "");
		usleep(100);
	}
	close(fd);
}

static void try_vm(int pid)
{
	char text[sizeof(mark)] = "";
	struct iovec to = { text, sizeof(text) }, from = { (void *)mark, sizeof(mark) };

	for (int i = 0; i < 20; i++) {
		if (syscall(SYS_process_vm_readv, pid, &to, 1, &from, 1, 0) == (long)sizeof(text))
			return;
		if (errno != EFAULT) {
			refused += errno == EPERM;
			return;
		}
		usleep(100);
	}
	got(pid, "memory by process_vm_readv", "");
}

static void try_ptrace(int pid)
{
	long word = 0;
	int status;

	if (ptrace(PTRACE_SEIZE, pid, 0, 0) < 0) {
		refused += errno == EPERM;
		return;
	}
	if (ptrace(PTRACE_INTERRUPT, pid, 0, 0) < 0 || waitpid(pid, &status, __WALL) != pid ||
	    !WIFSTOPPED(status))
		return;
	errno = 0;
	word = ptrace(PTRACE_PEEKDATA, pid, (void *)mark, 0);
	if (errno || memcmp(&word, (const char *)mark, sizeof(word)) != 0)
		got(pid, "control by ptrace", "");
	ptrace(PTRACE_DETACH, pid, 0, 0);
}

static void try_exe(int pid)
{
	char path[64], to[256];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	n = readlink(path, to, sizeof(to) - 1);
	if (n < 0) {
		refused += errno == EACCES || errno == EPERM;
		return;
	}
	to[n] = '\0';
	fd = open(path, O_RDONLY);
	if (!strstr(to, "/hunt"))
		got(pid, fd < 0 ? "name of the program file" : "program file", to);
	close(fd);
}

/* The program has no more than three. */
static void try_fds(int pid)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	char path[64], to[256];

	for (int n = 3; n < 32; n++) {
		int fd = (int)syscall(SYS_pidfd_getfd, pidfd, n, 0);
		ssize_t len;

		refused += fd < 0 && errno == EPERM;
		if (fd >= 0)
			got(pid, "an fd by pidfd_getfd", "");
		close(fd);
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, n);
		len = readlink(path, to, sizeof(to) - 1);
		if (len > 0) {
			to[len] = '\0';
			got(pid, "an fd by /proc", to);
		}
		refused += len < 0 && (errno == EACCES || errno == EPERM);
	}
	close(pidfd);
}

static void try_environ(int pid)
{
	char path[64], text[4096];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/environ", pid);
	fd = open(path, O_RDONLY);
	refused += fd < 0 && (errno == EACCES || errno == EPERM);
	n = fd < 0 ? 0 : read(fd, text, sizeof(text));
	if (n > 0 && !memmem(text, (size_t)n, "HUNTED=1", 8))
		got(pid, "environment", "");
	close(fd);
}

int main(int argc, char **argv)
{
	static char seen[65536];

	if (argc != 2)
		return mark[0] != 't';
	while (access(argv[1], F_OK) < 0) {
		DIR *d = opendir("/proc");
		struct dirent *e;

		while (d && (e = readdir(d))) {
			int pid = atoi(e->d_name);

			if (pid <= 1 || pid == getpid())
				continue;
			if (pid < (int)sizeof(seen) && !seen[pid]) {
				seen[pid] = 1;
				met++;
			}
			try_memory(pid);
			try_vm(pid);
			try_ptrace(pid);
			try_exe(pid);
			try_fds(pid);
			try_environ(pid);
		}
		if (d)
			closedir(d);
	}
	printf("met %u refused %u\n", met, refused);
	return 0;
}
