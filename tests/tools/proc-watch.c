/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hostile process in a container, with CAP_SYS_PTRACE: reads whatever it can of every other
 * process in its pid namespace, over and over, until FILE is there.
 *
 * usage: proc-watch FILE CAPS-HEX. Looks for the word "S3CRET-of-host" in environments and memory,
 * for rights beyond CAPS-HEX, for open directories and files of the host. Prints a line for each
 * finding, and at its end how many processes it has met: a test that met none has shown nothing.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUF (4 << 20)

static char buf[BUF], word[] = "R2BQDS,ne,gnrs"; /* each letter one less */
static unsigned long allowed;
static unsigned met, late;

static ssize_t slurp(int pid, const char *name, char *to, size_t n)
{
	char path[64];
	ssize_t got, all = 0;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return -1;
	while ((size_t)all < n && (got = read(fd, to + all, n - (size_t)all)) > 0)
		all += got;
	close(fd);
	return all;
}

/* Rights in a user namespace of its own are none here. */
static int own_user_ns(int pid)
{
	char path[64], theirs[64], ours[64];
	ssize_t n, m;

	snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	n = readlink(path, theirs, sizeof(theirs));
	m = readlink("/proc/self/ns/user", ours, sizeof(ours));
	return n <= 0 || n != m || memcmp(theirs, ours, (size_t)n) != 0; /* 0: it has ended */
}

static void look_caps(int pid)
{
	static char text[8192];
	ssize_t n = slurp(pid, "status", text, sizeof(text) - 1);
	char *at;

	if (n <= 0 || own_user_ns(pid))
		return;
	text[n] = '\0';
	at = strstr(text, "CapEff:");
	if (at && (strtoul(at + 7, NULL, 16) & ~allowed) && late++ == 0)
		printf("rights %d %.24s\n", pid, at);
}

static void look_memory(int pid)
{
	static char maps[65536];
	ssize_t n = slurp(pid, "maps", maps, sizeof(maps) - 1), got;
	char path[64], *line = maps, *next;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDONLY);
	if (fd < 0 || n <= 0)
		return;
	maps[n] = '\0';
	for (; line && *line; line = next) {
		unsigned long from, to;
		char prot[8];

		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		if (sscanf(line, "%lx-%lx %7s", &from, &to, prot) != 3 || prot[1] != 'w')
			continue;
		got = pread(fd, buf, to - from < BUF ? to - from : BUF, (off_t)from);
		if (got > 0 && memmem(buf, (size_t)got, word, sizeof(word) - 1))
			printf("memory %d %s\n", pid, line);
	}
	close(fd);
}

static void look_fds(int pid)
{
	char path[300], to[300];
	struct dirent *e;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	d = opendir(path);
	while (d && (e = readdir(d))) {
		struct stat st;
		ssize_t n;

		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/%d/fd/%s", pid, e->d_name);
		n = readlink(path, to, sizeof(to) - 1);
		if (n <= 0 || stat(path, &st) < 0 || (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode)))
			continue;
		to[n] = '\0';
		/* The one file of the cgroup that it has to write itself into. */
		if (S_ISDIR(st.st_mode) || (!strstr(to, "/tasks") && !strstr(to, "/cgroup.procs")))
			printf("fd %d %s %s\n", pid, e->d_name, to);
	}
	if (d)
		closedir(d);
}

static void look(int pid)
{
	ssize_t n = slurp(pid, "environ", buf, sizeof(buf));

	if (n > 0 && memmem(buf, (size_t)n, word, sizeof(word) - 1))
		printf("environment %d\n", pid);
	look_caps(pid);
	look_memory(pid);
	look_fds(pid);
}

int main(int argc, char **argv)
{
	static char seen[65536];
	struct dirent *e;

	if (argc != 3)
		return 2;
	allowed = strtoul(argv[2], NULL, 16);
	for (size_t i = 0; i < sizeof(word) - 1; i++)
		word[i]++;
	while (access(argv[1], F_OK) < 0) {
		DIR *d = opendir("/proc");

		while (d && (e = readdir(d))) {
			int pid = atoi(e->d_name);

			if (pid <= 1 || pid == getpid())
				continue;
			if (pid < (int)sizeof(seen) && !seen[pid]) {
				seen[pid] = 1;
				met++;
			}
			look(pid);
		}
		if (d)
			closedir(d);
	}
	printf("met %u\n", met);
	return 0;
}
