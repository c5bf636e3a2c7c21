/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a program in a container can see of itself, one "key value" a line: for oci-random, which
 * compares two runtimes.
 *
 * probe [PATH...]: tells, also of each path; the last line is "end".
 * probe --launch PROGRAM [ARG...]: resets every signal (32 and 33 too, which libc hides), mask and
 * umask, closes what is above stderr, and becomes the program. Built by the test itself, static.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <unistd.h>

extern char **environ;

static int launch(char **argv)
{
	unsigned char act[64] = {
		0
	}; /* the kernel's struct sigaction: SIG_DFL, no flags, no mask */
	uint64_t none = 0;

	for (int i = 1; i <= 64; i++)
		(void)syscall(SYS_rt_sigaction, i, act, NULL, 8);
	(void)syscall(SYS_rt_sigprocmask, 2, &none, NULL, 8);
	(void)syscall(436 /* close_range */, 3, ~0u, 0);
	umask(022);
	execvp(argv[0], argv);
	perror(argv[0]);
	return 126;
}

static void lines_of(const char *key, const char *path)
{
	static char buf[1 << 16];
	size_t n = 0;
	ssize_t r;
	int fd = open(path, O_RDONLY);

	if (fd < 0) {
		printf("%s errno %d\n", key, errno);
		return;
	}
	while (n < sizeof(buf) - 1 && (r = read(fd, buf + n, sizeof(buf) - 1 - n)) > 0)
		n += (size_t)r;
	close(fd);
	buf[n] = 0;
	for (char *p = strtok(buf, "\n"); p; p = strtok(NULL, "\n"))
		printf("%s %s\n", key, p);
}

static void status(void)
{
	static const char *const names[] = { "Sig", "Cap", "NoNewPrivs", "Seccomp",
					     "Uid", "Gid", "Groups",	 "Shd" };
	char line[4096];
	FILE *f = fopen("/proc/self/status", "r");

	while (f && fgets(line, sizeof(line), f))
		for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
			if (!strncmp(line, names[i], strlen(names[i])) && strncmp(line, "SigQ", 4))
				printf("status %s", line);
	if (f)
		fclose(f);
}

static void process(void)
{
	char cwd[4096];
	struct utsname u;
	struct rlimit l;
	struct sched_param sp;

	printf("cwd %s\n", getcwd(cwd, sizeof(cwd)) ? cwd : "?");
	for (char **e = environ; *e; e++)
		printf("env %s\n", *e);
	printf("umask %o\n", umask(022));
	printf("ids %d %d %d %d\n", getuid(), geteuid(), getgid(), getegid());
	for (int i = 0; i < 16; i++)
		if (getrlimit(i, &l) == 0)
			printf("rlimit%d %llu %llu\n", i, (unsigned long long)l.rlim_cur,
			       (unsigned long long)l.rlim_max);
	printf("personality %x\n", (unsigned)personality(0xffffffff));
	printf("nice %d\n", getpriority(PRIO_PROCESS, 0));
	memset(&sp, 0, sizeof(sp));
	(void)syscall(SYS_sched_getparam, 0, &sp);
	printf("sched %ld %d\n", syscall(SYS_sched_getscheduler, 0), sp.sched_priority);
	printf("ioprio %ld\n", syscall(SYS_ioprio_get, 1, 0));
	printf("securebits %d keep %d\n", prctl(PR_GET_SECUREBITS), prctl(PR_GET_KEEPCAPS));
	printf("dumpable %d\n", prctl(PR_GET_DUMPABLE));
	if (uname(&u) == 0)
		printf("host %s\ndomain %s\nmachine %s\n", u.nodename, u.domainname, u.machine);
	for (int fd = 0; fd < 256; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			printf("fd %d\n", fd);
	printf("pid %d sid %d pgid %d\n", getpid(), getsid(0) == getpid(), getpgrp() == getpid());
}

static void namespaces(void)
{
	static const char *const names[] = { "pid", "net",  "ipc",    "uts",
					     "mnt", "user", "cgroup", "time" };
	char path[64], to[64];

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		ssize_t n;

		snprintf(path, sizeof(path), "/proc/self/ns/%s", names[i]);
		n = readlink(path, to, sizeof(to) - 1);
		to[n < 0 ? 0 : n] = 0;
		printf("ns %s %s\n", names[i], to);
	}
}

/* Calls without effect, and what seccomp made of them. */
static void calls(void)
{
	static const struct {
		const char *name;
		long nr, a, b, c;
	} v[] = {
		{ "getpriority(0,0)", SYS_getpriority, 0, 0, 0 },
		{ "getpriority(1,5)", SYS_getpriority, 1, 5, 0 },
		{ "getpriority(2,1<<33)", SYS_getpriority, 2, 1L << 33, 0 },
		{ "getpriority(0x12,0)", SYS_getpriority, 0x12, 0, 0 },
		{ "getpgid(0)", SYS_getpgid, 0, 0, 0 },
		{ "getppid", SYS_getppid, 0, 0, 0 },
		{ "sched_get_priority_max(1)", SYS_sched_get_priority_max, 1, 0, 0 },
		{ "sched_get_priority_max(2)", SYS_sched_get_priority_max, 2, 0, 0 },
		{ "unshare(0)", SYS_unshare, 0, 0, 0 },
		{ "sethostname(bad)", SYS_sethostname, 1, 5, 0 },
		{ "kcmp", SYS_kcmp, 1, 1, 99 },
	};

	for (size_t i = 0; i < sizeof(v) / sizeof(*v); i++) {
		long r;

		errno = 0;
		r = syscall(v[i].nr, v[i].a, v[i].b, v[i].c, 0, 0);
		printf("call %s %s %d\n", v[i].name, r < 0 ? "fails" : "passes", r < 0 ? errno : 0);
	}
}

static void path(const char *p)
{
	char buf[256], made[4096];
	struct stat st;
	ssize_t n = -1;
	int fd;

	if (lstat(p, &st) < 0) {
		printf("path %s errno %d\n", p, errno);
		return;
	}
	printf("path %s mode %o owner %u:%u dev %u:%u", p, st.st_mode, st.st_uid, st.st_gid,
	       major(st.st_rdev), minor(st.st_rdev));
	if (S_ISLNK(st.st_mode)) {
		n = readlink(p, buf, sizeof(buf) - 1);
		buf[n < 0 ? 0 : n] = 0;
		printf(" to %s\n", buf);
		return;
	}
	fd = S_ISFIFO(st.st_mode) ? -1 : open(p, O_RDONLY | O_NONBLOCK);
	printf(" read %d", fd < 0 ? -errno : 0);
	if (fd >= 0 && S_ISREG(st.st_mode)) {
		n = read(fd, buf, sizeof(buf));
		printf(" %s", n > 0 ? "some" : n == 0 ? "nothing" : "error");
	}
	if (fd >= 0)
		close(fd);
	if (S_ISDIR(st.st_mode)) {
		DIR *d = opendir(p);
		int some = 0;

		for (struct dirent *e; d && (e = readdir(d));)
			some |= e->d_name[0] != '.';
		if (d)
			closedir(d);
		snprintf(made, sizeof(made), "%s/.probe", p);
		fd = open(made, O_WRONLY | O_CREAT | O_EXCL, 0600);
		printf(" %s make %d", some ? "full" : "empty", fd < 0 ? errno : 0);
		if (fd >= 0) {
			close(fd);
			unlink(made);
		}
	} else if (!S_ISFIFO(st.st_mode)) {
		fd = open(p, O_WRONLY | O_NONBLOCK);
		printf(" write %d", fd < 0 ? errno : 0);
		if (fd >= 0)
			close(fd);
	}
	printf("\n");
}

int main(int argc, char **argv)
{
	if (argc > 2 && !strcmp(argv[1], "--launch"))
		return launch(argv + 2);
	process();
	status();
	namespaces();
	lines_of("mount", "/proc/self/mountinfo");
	lines_of("cgroup", "/proc/self/cgroup");
	lines_of("oom", "/proc/self/oom_score_adj");
	lines_of("uidmap", "/proc/self/uid_map");
	lines_of("gidmap", "/proc/self/gid_map");
	lines_of("setgroups", "/proc/self/setgroups");
	lines_of("timens", "/proc/self/timens_offsets");
	lines_of("route", "/proc/net/dev");
	calls();
	for (int i = 1; i < argc; i++)
		if (argv[i][0] == '=')
			lines_of(argv[i], argv[i] + 1);
		else
			path(argv[i]);
	printf("end\n");
	return fflush(stdout) == 0 ? 0 : 3;
}
