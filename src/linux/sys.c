/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clone3 with a stack of its own (needs a few lines of assembly: the child must not return through
 * the parent's frame), and, in fault builds, the counter that decides which call fails.
 */
#include "linux/sys.h"

#ifdef TEU_FAULT
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/select.h>

/* The one mutable global of this folder; exists in fault builds only. */
static struct {
	bool ready, every;
	char call[36];
	uint32_t nth;
	int sys;
	struct fault_file *file; /* NULL = no fault asked for */
} fault;

#define FAULT_KILL 100000 /* no errno */

static const struct {
	const char *name;
	int sys;
} fault_errnos[] = {
	{ "EPERM", EPERM },	{ "ENOENT", ENOENT }, { "EIO", EIO },	    { "EAGAIN", EAGAIN },
	{ "ENOMEM", ENOMEM },	{ "EACCES", EACCES }, { "EBUSY", EBUSY },   { "EINVAL", EINVAL },
	{ "ENOSYS", ENOSYS },	{ "ENOSPC", ENOSPC }, { "EMFILE", EMFILE }, { "EINTR", EINTR },
	{ "KILL", FAULT_KILL },
};

static _Noreturn void fault_die(const char *what)
{
	(void)fprintf(stderr, "TEU_FAULT: %s\n", what);
	_exit(99);
}

static void fault_set(const char *key, const char *value)
{
	if (!strcmp(key, "call") && strlen(value) < sizeof(fault.call)) {
		strncpy(fault.call, value, sizeof(fault.call) - 1);
	} else if (!strcmp(key, "nth")) {
		for (fault.nth = 0; *value >= '0' && *value <= '9'; value++)
			fault.nth = fault.nth * 10 + (uint32_t)(*value - '0');
	} else if (!strcmp(key, "every")) {
		fault.every = value[0] == '1';
	} else if (!strcmp(key, "errno")) {
		for (size_t i = 0; i < sizeof(fault_errnos) / sizeof(fault_errnos[0]); i++)
			if (!strcmp(value, fault_errnos[i].name))
				fault.sys = fault_errnos[i].sys;
	} else {
		fault_die("unknown key; known: call, nth, every, errno");
	}
}

static void fault_map(void)
{
	const char *path = getenv("TEU_FAULT_FILE");
	int fd = -1;
	void *p;

	if (path) {
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		if (fd < 0 || ftruncate(fd, sizeof(*fault.file)) < 0)
			fault_die("cannot open TEU_FAULT_FILE");
	}
	p = mmap(NULL, sizeof(*fault.file), PROT_READ | PROT_WRITE,
		 fd < 0 ? MAP_SHARED | MAP_ANONYMOUS : MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		fault_die("cannot map the counters");
	if (fd >= 0)
		close(fd);
	fault.file = p;
}

static void fault_init(void)
{
	const char *spec = getenv("TEU_FAULT");
	char text[160], *rest = text, *item;

	fault.ready = true;
	if (!spec || !*spec)
		return;
	if (strlen(spec) >= sizeof(text))
		fault_die("too long");
	memcpy(text, spec, strlen(spec) + 1);
	while ((item = strsep(&rest, ","))) {
		char *eq = strchr(item, '=');

		if (!eq)
			fault_die("expected key=value,...");
		*eq = 0;
		fault_set(item, eq + 1);
	}
	if (!fault.sys || (!fault.nth && !fault.every))
		fault_die("needs errno= (of a known name) and nth= or every=1");
	fault_map();
}

const char *sys_tree_path(const char *path, char *buf, size_t n)
{
	const char *tree = getenv("TEU_TREE");
	int len = tree && *tree ? snprintf(buf, n, "%s%s", tree, path) : -1;

	return len > 0 && (size_t)len < n ? buf : path;
}

bool fault_omits(const char *what)
{
	const char *name = getenv("TEU_OMIT");

	return name && !strcmp(name, what);
}

static void be_slow(const char *name)
{
	const char *text = getenv("TEU_SLOW");
	size_t n = strlen(name);
	unsigned us = 0;

	if (!text || strncmp(text, name, n) != 0 || text[n] != ':')
		return;
	for (text += n + 1; *text >= '0' && *text <= '9'; text++)
		us = us * 10 + (unsigned)(*text - '0');
	(void)select(0, NULL, NULL, NULL,
		     &(struct timeval){ .tv_sec = us / 1000000, .tv_usec = us % 1000000 });
}

bool fault_check(const char *name)
{
	uint32_t n;

	be_slow(name);
	if (!fault.ready)
		fault_init();
	if (!fault.file || (fault.call[0] && strcmp(fault.call, name) != 0))
		return false;
	n = __atomic_add_fetch(&fault.file->calls, 1, __ATOMIC_SEQ_CST);
	if (!fault.every && n != fault.nth)
		return false;
	if (__atomic_fetch_add(&fault.file->fired, 1, __ATOMIC_SEQ_CST) == 0) {
		fault.file->pid = getpid();
		strncpy(fault.file->name, name, sizeof(fault.file->name) - 1);
	}
	if (fault.sys == FAULT_KILL) {
		kill(getpid(), SIGKILL);
		_exit(137); /* the first process of a pid namespace survives its own signal */
	}
	errno = fault.sys;
	return true;
}

/* Out of memory ends a process: only who asks for it by name gets it. */
bool fault_check_named(const char *name);
bool fault_check_named(const char *name)
{
	if (!fault.ready)
		fault_init();
	return fault.call[0] && fault_check(name);
}
#endif

/*
 * The child starts with the registers of the parent and an empty stack. fn and arg travel in
 * registers that the system call keeps (x86-64: r8, r9 hold, rcx and r11 do not).
 */
#if defined(__x86_64__)
static long clone3_stack(struct sys_clone_args *args, int (*fn)(void *), void *arg)
{
	register int (*r_fn)(void *) __asm__("r8") = fn;
	register void *r_arg __asm__("r9") = arg;
	long r;

	__asm__ volatile("syscall\n\t"
			 "test %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "xor %%ebp, %%ebp\n\t" /* ends back traces */
			 "and $-16, %%rsp\n\t"
			 "mov %%r9, %%rdi\n\t"
			 "call *%%r8\n\t"
			 "mov %%eax, %%edi\n\t"
			 "mov %[exit], %%eax\n\t"
			 "syscall\n\t"
			 "hlt\n"
			 "1:"
			 : "=a"(r)
			 : "0"((long)SYS_clone3), "D"(args), "S"(sizeof(*args)), "r"(r_fn),
			   "r"(r_arg), [exit] "i"(SYS_exit_group)
			 : "rcx", "r11", "memory", "cc");
	return r;
}
#elif defined(__aarch64__)
static long clone3_stack(struct sys_clone_args *args, int (*fn)(void *), void *arg)
{
	register long r __asm__("x0") = (long)args;
	register long size __asm__("x1") = sizeof(*args);
	register int (*r_fn)(void *) __asm__("x2") = fn;
	register void *r_arg __asm__("x3") = arg;
	register long nr __asm__("x8") = SYS_clone3;

	__asm__ volatile("svc #0\n\t"
			 "cbnz x0, 1f\n\t"
			 "mov x29, xzr\n\t"
			 "mov x30, xzr\n\t"
			 "mov x0, x3\n\t"
			 "blr x2\n\t"
			 "mov x8, %[exit]\n\t"
			 "svc #0\n"
			 "1:"
			 : "+r"(r)
			 : "r"(size), "r"(r_fn), "r"(r_arg), "r"(nr), [exit] "i"(SYS_exit_group)
			 : "memory", "cc");
	return r;
}
#else
static long clone3_stack(struct sys_clone_args *args, int (*fn)(void *), void *arg)
{
	return -ENOSYS; /* proc.c goes on with libc's clone() */
}
#endif

int sys_clone3(struct sys_clone_args *args, int (*fn)(void *arg), void *arg)
{
	long r;

	SYS_SEAM("clone3");
	if (!args->stack)
		return (int)syscall(SYS_clone3, args, sizeof(*args));
	r = clone3_stack(args, fn, arg);
	if (r < 0) {
		errno = (int)-r;
		return -1;
	}
	return (int)r;
}
