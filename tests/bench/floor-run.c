/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The floor: the kernel work of one container's start, run and removal, by one process that knows
 * beforehand all that is to be done. No config, no state, no log, no protocol: what a runtime or an
 * engine takes more than this is its own.
 *
 * usage: floor-run [--parallel N] [--rounds N] [--host-net] [--no-cgroup] [--rootfs]
 *        [--volatile] [--engine] [--all-cgroups] [--cli] [--no-seccomp] SCRATCH
 *
 * SCRATCH/lower is the image's tree (with /bin/true); upper and work directories are made beside
 * it. Per container: v1 cgroups devices and pids with docker's rules, new mount, pid, uts, ipc and
 * network namespaces (lo up), an overlay root (--rootfs: SCRATCH/lower itself, read-only), proc,
 * /dev with nodes, pts, shm, mqueue, sysfs, masked and read-only paths, pivot_root, capabilities,
 * docker's seccomp profile, exec, wait, removal. clone(VM|VFORK), as a runtime would.
 *
 * --engine adds what a container of docker's API has beyond that, since an engine cannot leave it
 * out: hosts, hostname and resolv.conf (made, bound in, removed), a log file, the view of its
 * cgroups, two sysctls, and the start and end of one small static program (SCRATCH/lower/bin/true):
 * a process of its own per container, so that containers outlive the engine.
 * --all-cgroups: a directory in every v1 hierarchy that is mounted, as a runtime makes unless it is
 * told what is limited. --cli: what no runtime with a command line can leave out, the start and end
 * of three programs (create, start, delete), each the smallest there is: an ELF file of 129 bytes.
 * Prints milliseconds: one line "wall X" for each round of N at once (their median last), then "cpu
 * X", what one container took of the processors.
 */
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "linux/seccomp-default.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <net/if.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define DOCKER_CAPS 0xa80425fbull /* chown dac_override fowner fsetid kill setgid setuid ... */
#define ROUNDS_MAX 10000
#define CGROUP_TOP "/sys/fs/cgroup"
#define CGROUPS_MAX 9

struct options {
	const char *scratch;
	unsigned parallel, rounds;
	bool host_net, no_cgroup, all_cgroups, rootfs, is_volatile, engine, cli, no_seccomp;
	const char *tiny; /* the smallest program */
	struct seccomp_prog prog;
};

/* One container. Shared with the child, which runs in our memory until its exec. */
struct job {
	const struct options *o;
	char upper[256], work[256], root[256], overlay[1024], files[256];
	unsigned n_cgroups;
	char cgroups[CGROUPS_MAX][256];
	int procs[CGROUPS_MAX];
	const char *failed; /* what the child could not do */
	int sys;
};

/* The first two are always there. */
static const char *const controllers[CGROUPS_MAX] = { "devices", "pids",   "cpu",
						      "cpuacct", "cpuset", "memory",
						      "freezer", "blkio",  "systemd" };
static const char *const masked[] = { "/proc/acpi",	  "/proc/asound",
				      "/proc/interrupts", "/proc/kcore",
				      "/proc/keys",	  "/proc/latency_stats",
				      "/proc/timer_list", "/proc/sched_debug",
				      "/proc/scsi",	  "/sys/firmware" };
static const char *const readonly[] = { "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
					"/proc/sysrq-trigger" };
static const struct {
	const char *name;
	unsigned minor;
} nodes[] = { { "null", 3 }, { "zero", 5 }, { "full", 7 }, { "random", 8 }, { "urandom", 9 } };

static void die(const char *what)
{
	fprintf(stderr, "floor-run: %s: %s\n", what, strerror(errno));
	exit(1);
}

static bool write_file(const char *dir, const char *name, const char *text)
{
	char path[512];
	int fd, ok;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ok = write(fd, text, strlen(text)) >= 0;
	(void)close(fd);
	return ok;
}

/* ---- the child ---- */

#define TRY(j, call)                         \
	do {                                 \
		if ((call) < 0) {            \
			(j)->failed = #call; \
			(j)->sys = errno;    \
			_exit(1);            \
		}                            \
	} while (0)

static void mount_dev(struct job *j)
{
	const unsigned long flags = MS_NOSUID | MS_NOEXEC;
	char path[64];

	TRY(j, mount("tmpfs", "dev", "tmpfs", MS_NOSUID, "mode=755,size=65536k"));
	for (size_t i = 0; i < ARRAY_LEN(nodes); i++) {
		(void)snprintf(path, sizeof(path), "dev/%s", nodes[i].name);
		TRY(j, mknod(path, S_IFCHR | 0666, makedev(1, nodes[i].minor)));
	}
	TRY(j, mknod("dev/tty", S_IFCHR | 0666, makedev(5, 0)));
	TRY(j, mkdir("dev/pts", 0755));
	TRY(j, mkdir("dev/shm", 0755));
	TRY(j, mkdir("dev/mqueue", 0755));
	TRY(j, mount("devpts", "dev/pts", "devpts", flags, "newinstance,ptmxmode=0666,mode=0620"));
	TRY(j, mount("shm", "dev/shm", "tmpfs", flags | MS_NODEV, "mode=1777,size=65536k"));
	TRY(j, mount("mqueue", "dev/mqueue", "mqueue", flags | MS_NODEV, NULL));
	TRY(j, symlink("pts/ptmx", "dev/ptmx"));
	TRY(j, symlink("/proc/self/fd", "dev/fd"));
	TRY(j, symlink("/proc/self/fd/0", "dev/stdin"));
	TRY(j, symlink("/proc/self/fd/1", "dev/stdout"));
	TRY(j, symlink("/proc/self/fd/2", "dev/stderr"));
}

static const char *const etc_files[] = { "hosts", "hostname", "resolv.conf" };

/* By host paths: before the pivot. */
static void mount_engine_parts(struct job *j)
{
	const unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
	char from[300], to[64];

	for (size_t i = 0; i < ARRAY_LEN(etc_files); i++) {
		(void)snprintf(from, sizeof(from), "%s/%s", j->files, etc_files[i]);
		(void)snprintf(to, sizeof(to), "etc/%s", etc_files[i]);
		TRY(j, mount(from, to, NULL, MS_BIND, NULL));
	}
	if (!j->o->no_cgroup) {
		TRY(j, mount("tmpfs", "sys/fs/cgroup", "tmpfs", flags, "mode=755"));
		for (unsigned i = 0; i < j->n_cgroups; i++) {
			(void)snprintf(to, sizeof(to), "sys/fs/cgroup/%s", controllers[i]);
			TRY(j, mkdir(to, 0755));
			TRY(j, mount(j->cgroups[i], to, NULL, MS_BIND, NULL));
			TRY(j,
			    mount(NULL, to, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY | flags, NULL));
		}
		TRY(j, mount(NULL, "sys/fs/cgroup", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY | flags,
			     NULL));
	}
	if (!j->o->host_net) {
		if (!write_file("/proc/sys/net/ipv4", "ping_group_range", "0 2147483647") ||
		    !write_file("/proc/sys/net/ipv4", "ip_unprivileged_port_start", "0"))
			TRY(j, -1);
	}
}

static void mask_paths(struct job *j)
{
	for (size_t i = 0; i < ARRAY_LEN(masked); i++) {
		const char *path = masked[i] + 1;

		if (mount("dev/null", path, NULL, MS_BIND, NULL) == 0 || errno == ENOENT)
			continue;
		TRY(j, mount("tmpfs", path, "tmpfs", MS_RDONLY, NULL));
	}
	for (size_t i = 0; i < ARRAY_LEN(readonly); i++) {
		const char *path = readonly[i] + 1;
		unsigned long flags =
			MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;

		if (mount(path, path, NULL, MS_BIND | MS_REC, NULL) == 0)
			TRY(j, mount(path, path, NULL, flags, NULL));
	}
}

static void make_root(struct job *j)
{
	const struct options *o = j->o;
	const unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;

	TRY(j, mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	if (o->rootfs) {
		TRY(j, mount(j->root, j->root, NULL, MS_BIND | MS_REC, NULL));
	} else {
		TRY(j, mount("overlay", j->root, "overlay", 0, j->overlay));
	}
	TRY(j, chdir(j->root));
	TRY(j, mount("proc", "proc", "proc", flags, NULL));
	mount_dev(j);
	if (!o->host_net)
		TRY(j, mount("sysfs", "sys", "sysfs", flags | MS_RDONLY, NULL));
	else
		TRY(j, mount("/sys", "sys", NULL, MS_BIND | MS_REC, NULL));
	if (o->engine)
		mount_engine_parts(j);
	mask_paths(j);
	if (o->rootfs)
		TRY(j, mount(NULL, j->root, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL));
	TRY(j, (int)syscall(SYS_pivot_root, ".", "."));
	TRY(j, umount2(".", MNT_DETACH));
	TRY(j, chdir("/"));
}

static void lo_up(struct job *j)
{
	struct ifreq rq = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	TRY(j, s);
	TRY(j, ioctl(s, SIOCSIFFLAGS, &rq));
	(void)close(s);
}

static void drop_caps(struct job *j)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2] = { { DOCKER_CAPS, DOCKER_CAPS, 0 }, { 0 } };
	struct err err = ERR_INIT;

	for (int i = 0; i <= 40; i++)
		if (!(DOCKER_CAPS >> i & 1))
			TRY(j, prctl(PR_CAPBSET_DROP, i, 0, 0, 0));
	/* The filter needs CAP_SYS_ADMIN when no_new_privs is off: before the sets go. */
	if (j->o->prog.n && seccomp_install(&j->o->prog, NULL, &err) < 0) {
		j->failed = "seccomp";
		j->sys = err.sys;
		_exit(1);
	}
	TRY(j, (int)syscall(SYS_capset, &head, data));
}

static int child(void *arg)
{
	static char *const argv[] = { "/bin/true", NULL }, *const env[] = { "PATH=/bin", NULL };
	struct job *j = arg;

	for (unsigned i = 0; i < j->n_cgroups; i++)
		TRY(j, (int)write(j->procs[i], "0", 1));
	if (!j->o->host_net)
		lo_up(j);
	make_root(j);
	TRY(j, sethostname("floor", 5));
	drop_caps(j);
	TRY(j, execve(argv[0], argv, env));
	return 1;
}

/* ---- the parent ---- */

/* Nobody gets into a cpuset that has no CPUs. */
static void fill_cpuset(const char *dir, const char *name)
{
	char path[64], text[512];
	ssize_t n;
	int fd;

	(void)snprintf(path, sizeof(path), CGROUP_TOP "/cpuset/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	(void)close(fd);
	if (n < 0 || !write_file(dir, name, text))
		die(path);
}

static void make_cgroups(struct job *j, unsigned number)
{
	for (unsigned i = 0; i < (j->o->all_cgroups ? CGROUPS_MAX : 2); i++) {
		char *dir = j->cgroups[j->n_cgroups], procs[300];

		(void)snprintf(procs, sizeof(procs), CGROUP_TOP "/%s/cgroup.procs", controllers[i]);
		if (i >= 2 && access(procs, F_OK) < 0)
			continue; /* this machine has it not, or in v2 */
		(void)snprintf(dir, sizeof(j->cgroups[i]), CGROUP_TOP "/%s/teu-floor-%d-%u",
			       controllers[i], (int)getpid(), number);
		if (mkdir(dir, 0755) < 0)
			die(dir);
		if (strcmp(controllers[i], "cpuset") == 0) {
			fill_cpuset(dir, "cpuset.cpus");
			fill_cpuset(dir, "cpuset.mems");
		}
		/* The file in which a task moves itself alone: no lock of the whole machine. */
		(void)snprintf(procs, sizeof(procs), "%s/tasks", dir);
		j->procs[j->n_cgroups] = open(procs, O_WRONLY | O_CLOEXEC);
		if (j->procs[j->n_cgroups++] < 0)
			die(procs);
	}
	if (!write_file(j->cgroups[0], "devices.deny", "a") ||
	    !write_file(j->cgroups[0], "devices.allow", "c *:* m") ||
	    !write_file(j->cgroups[0], "devices.allow", "b *:* m") ||
	    !write_file(j->cgroups[0], "devices.allow", "c 1:3 rwm") ||
	    !write_file(j->cgroups[0], "devices.allow", "c 1:5 rwm") ||
	    !write_file(j->cgroups[0], "devices.allow", "c 1:7 rwm") ||
	    !write_file(j->cgroups[0], "devices.allow", "c 1:8 rwm") ||
	    !write_file(j->cgroups[0], "devices.allow", "c 1:9 rwm") ||
	    !write_file(j->cgroups[0], "devices.allow", "c 5:0 rwm") ||
	    !write_file(j->cgroups[0], "devices.allow", "c 5:2 rwm") ||
	    !write_file(j->cgroups[0], "devices.allow", "c 136:* rwm") ||
	    !write_file(j->cgroups[1], "pids.max", "max"))
		die("limits of the cgroup");
}

static void make_dirs(struct job *j, unsigned number)
{
	const char *s = j->o->scratch;

	if (j->o->rootfs) {
		(void)snprintf(j->root, sizeof(j->root), "%s/lower", s);
		return;
	}
	(void)snprintf(j->upper, sizeof(j->upper), "%s/%d-%u.upper", s, (int)getpid(), number);
	(void)snprintf(j->work, sizeof(j->work), "%s/%d-%u.work", s, (int)getpid(), number);
	(void)snprintf(j->root, sizeof(j->root), "%s/%d-%u.root", s, (int)getpid(), number);
	(void)snprintf(j->overlay, sizeof(j->overlay), "lowerdir=%s/lower,upperdir=%s,workdir=%s%s",
		       s, j->upper, j->work, j->o->is_volatile ? ",volatile" : "");
	if (mkdir(j->upper, 0755) < 0 || mkdir(j->work, 0755) < 0 || mkdir(j->root, 0755) < 0)
		die(j->upper);
}

static void touch(const char *dir, const char *name)
{
	char path[300];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, name, strlen(name)) < 0)
		die(path);
	(void)close(fd);
}

static int exec_it(void *arg)
{
	char *const argv[] = { arg, NULL };

	(void)execv(argv[0], argv);
	_exit(1);
}

static void run_program(const char *path, char *stack_top)
{
	int status;
	pid_t pid = clone(exec_it, stack_top, CLONE_VM | CLONE_VFORK | SIGCHLD, (void *)path);

	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
		die(path);
}

/* One page, two instructions: exit(0). Elsewhere than on x86_64 the image's /bin/true has to do. */
static const char *make_tiny(const char *scratch)
{
	static char path[300];
#if defined(__x86_64__)
	static const unsigned char code[] = { 0x31, 0xff, 0xb8, 60, 0, 0, 0, 0x0f, 0x05 };
	const uint64_t at = 0x400000;
	struct {
		Elf64_Ehdr head;
		Elf64_Phdr segment;
		unsigned char code[sizeof(code)];
	} __attribute__((packed)) elf = {
		.head = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
			  .e_type = ET_EXEC,
			  .e_machine = EM_X86_64,
			  .e_version = EV_CURRENT,
			  .e_entry = at + sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr),
			  .e_phoff = sizeof(Elf64_Ehdr),
			  .e_ehsize = sizeof(Elf64_Ehdr),
			  .e_phentsize = sizeof(Elf64_Phdr),
			  .e_phnum = 1 },
		.segment = { .p_type = PT_LOAD,
			     .p_flags = PF_R | PF_X,
			     .p_vaddr = at,
			     .p_filesz = sizeof(elf),
			     .p_memsz = sizeof(elf),
			     .p_align = 4096 },
	};
	int fd;

	memcpy(elf.code, code, sizeof(code));
	(void)snprintf(path, sizeof(path), "%s/%d.tiny", scratch, (int)getpid());
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	if (fd < 0 || write(fd, &elf, sizeof(elf)) != sizeof(elf))
		die(path);
	(void)close(fd);
#else
	(void)snprintf(path, sizeof(path), "%s/lower/bin/true", scratch);
#endif
	return path;
}

/* Its files, and the process of its own. */
static void make_engine_parts(struct job *j, unsigned number, char *stack_top)
{
	char path[300];

	(void)snprintf(j->files, sizeof(j->files), "%s/%d-%u.files", j->o->scratch, (int)getpid(),
		       number);
	if (mkdir(j->files, 0755) < 0)
		die(j->files);
	for (size_t i = 0; i < ARRAY_LEN(etc_files); i++)
		touch(j->files, etc_files[i]);
	touch(j->files, "log");
	(void)snprintf(path, sizeof(path), "%s/lower/bin/true", j->o->scratch);
	run_program(path, stack_top);
}

static void remove_engine_parts(const struct job *j)
{
	char path[300];

	for (size_t i = 0; i < ARRAY_LEN(etc_files); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", j->files, etc_files[i]);
		(void)unlink(path);
	}
	(void)snprintf(path, sizeof(path), "%s/log", j->files);
	if (unlink(path) < 0 || rmdir(j->files) < 0)
		die(j->files);
}

static void remove_all(const struct job *j)
{
	char inner[300];

	if (j->o->engine)
		remove_engine_parts(j);

	for (unsigned i = 0; i < j->n_cgroups; i++) {
		(void)close(j->procs[i]);
		if (rmdir(j->cgroups[i]) < 0)
			die(j->cgroups[i]);
	}
	if (j->o->rootfs)
		return;
	if (j->o->is_volatile) {
		(void)snprintf(inner, sizeof(inner), "%s/work/incompat/volatile", j->work);
		(void)rmdir(inner);
		(void)snprintf(inner, sizeof(inner), "%s/work/incompat", j->work);
		(void)rmdir(inner);
	}
	(void)snprintf(inner, sizeof(inner), "%s/work", j->work);
	(void)rmdir(inner);
	if (rmdir(j->upper) < 0 || rmdir(j->work) < 0 || rmdir(j->root) < 0)
		die(j->upper);
}

static void one(const struct options *o, unsigned number)
{
	struct job j = { .o = o };
	static char stack[64 * 1024] __attribute__((aligned(16)));
	int flags = CLONE_VM | CLONE_VFORK | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS |
		    CLONE_NEWIPC | (o->host_net ? 0 : CLONE_NEWNET) | SIGCHLD;
	int status;
	pid_t pid;

	for (int i = 0; o->cli && i < 3; i++)
		run_program(o->tiny, stack + sizeof(stack));
	make_dirs(&j, number);
	if (o->engine)
		make_engine_parts(&j, number, stack + sizeof(stack));
	if (!o->no_cgroup)
		make_cgroups(&j, number);
	pid = clone(child, stack + sizeof(stack), flags, &j);
	if (pid < 0)
		die("clone");
	if (waitpid(pid, &status, 0) != pid || status != 0) {
		errno = j.sys;
		die(j.failed ? j.failed : "/bin/true");
	}
	remove_all(&j);
}

/* All workers are there and wait; the gate opens for all at once. */
static double at_once(const struct options *o)
{
	int gate[2], status, bad = 0;
	int64_t began;

	if (pipe2(gate, O_CLOEXEC) < 0)
		die("pipe");
	for (unsigned i = 0; i < o->parallel; i++) {
		pid_t pid = fork();
		char c;

		if (pid < 0)
			die("fork");
		if (pid == 0) {
			(void)close(gate[1]);
			if (read(gate[0], &c, 1) < 0)
				die("gate");
			one(o, i);
			_exit(0);
		}
	}
	(void)usleep(50000);
	began = clock_mono();
	(void)close(gate[1]);
	(void)close(gate[0]);
	for (unsigned i = 0; i < o->parallel; i++)
		bad |= wait(&status) < 0 || status != 0;
	if (bad)
		exit(1);
	return (double)(clock_mono() - began) / 1e6;
}

static double alone(const struct options *o, unsigned round)
{
	int64_t began = clock_mono();

	one(o, round);
	return (double)(clock_mono() - began) / 1e6;
}

/* Of us and of what we started, so far. */
static double cpu_ms(void)
{
	double ms = 0;
	struct rusage r;

	for (int who = RUSAGE_CHILDREN; who <= RUSAGE_SELF; who++) {
		(void)getrusage(who, &r);
		ms += (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1e3 +
		      (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e3;
	}
	return ms;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static unsigned number_of(const char *text, unsigned max)
{
	uint64_t v;

	if (!text || str_uint64(slice_str(text), &v, NULL) < 0 || v < 1 || v > max) {
		fprintf(stderr, "floor-run: '%s' is not a number from 1 to %u\n", text ? text : "",
			max);
		exit(2);
	}
	return (unsigned)v;
}

static void parse(int argc, char **argv, struct options *o)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--parallel") == 0)
			o->parallel = number_of(argv[++i], 1000);
		else if (strcmp(argv[i], "--rounds") == 0)
			o->rounds = number_of(argv[++i], ROUNDS_MAX);
		else if (strcmp(argv[i], "--host-net") == 0)
			o->host_net = true;
		else if (strcmp(argv[i], "--no-cgroup") == 0)
			o->no_cgroup = true;
		else if (strcmp(argv[i], "--rootfs") == 0)
			o->rootfs = true;
		else if (strcmp(argv[i], "--no-seccomp") == 0)
			o->no_seccomp = true;
		else if (strcmp(argv[i], "--all-cgroups") == 0)
			o->all_cgroups = true;
		else if (strcmp(argv[i], "--cli") == 0)
			o->cli = true;
		else if (strcmp(argv[i], "--engine") == 0)
			o->engine = true;
		else if (strcmp(argv[i], "--volatile") == 0)
			o->is_volatile = true; /* no sync of the upper's file system at the end */
		else if (argv[i][0] != '-' && !o->scratch && strlen(argv[i]) < 200)
			o->scratch = argv[i];
		else
			o->rounds = 0;
	}
	if (!o->scratch || !o->rounds) {
		fprintf(stderr, "usage: floor-run [--parallel N] [--rounds N] [--host-net] "
				"[--no-cgroup] [--rootfs] [--volatile] [--engine] [--all-cgroups] "
				"[--cli] [--no-seccomp] SCRATCH\n");
		exit(2);
	}
}

int main(int argc, char **argv)
{
	CLEANUP(arena_free) struct arena *a = arena_new("floor", 1 << 20);
	struct seccomp_default_params params = { .caps = DOCKER_CAPS };
	struct options o = { .parallel = 1, .rounds = 1 };
	struct seccomp_filter filter;
	struct err err = ERR_INIT;
	static double ms[ROUNDS_MAX];
	double cpu;

	parse(argc, argv, &o);
	params.native = seccomp_arch_host();
	if (!o.no_seccomp && (seccomp_default_build(&params, a, &filter, &err) < 0 ||
			      seccomp_compile(&filter, &o.prog, &err) < 0)) {
		fprintf(stderr, "floor-run: %s\n", err.msg);
		return 1;
	}
	o.tiny = o.cli ? make_tiny(o.scratch) : NULL;
	cpu = cpu_ms();
	for (unsigned i = 0; i < o.rounds; i++) {
		ms[i] = o.parallel > 1 ? at_once(&o) : alone(&o, i);
		printf("wall %.3f\n", ms[i]);
	}
	qsort(ms, o.rounds, sizeof(ms[0]), by_value);
	printf("median %.3f\n", ms[o.rounds / 2]);
	printf("cpu %.3f\n", (cpu_ms() - cpu) / o.rounds / o.parallel);
#if defined(__x86_64__)
	if (o.tiny)
		(void)unlink(o.tiny);
#endif
	seccomp_prog_fini(&o.prog);
	return 0;
}
