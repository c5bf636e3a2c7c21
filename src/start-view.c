/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program as a read-only view of its own file, without another exec (CVE-2019-5736; why and
 * what else there is: src/runtime/self.c).
 *
 * A detached read-only mount of our file is made and each of our segments is mapped again from it,
 * over itself: the same pages of the same file, by a mount through which they cannot be written.
 * Once nothing of the old mount is mapped the kernel lets /proc/self/exe change (PR_SET_MM_MAP with
 * exe_fd; CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE). A second exec would cost as much as the whole
 * work of `start`.
 *
 * Nothing is half done: until the last call only maps have changed, each for an equal one.
 */
#include "start.h"

#ifdef TEU_FAULT
/* rt_protect_self() does it, where each call can be made to fail. */
void start_view(const struct start_stack *s, const char *image)
{
	(void)s;
	(void)image;
}
#else
#include "linux/sys.h"

#include <elf.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/statfs.h>
#include <sys/syscall.h>

#define PAGE 4096ul
#define EXE "/proc/self/exe"
#define RDONLY 1 /* ST_RDONLY of statfs.f_flags */

#ifndef AT_EMPTY_PATH
#define AT_EMPTY_PATH 0x1000
#endif

/* Does a word name a command that enters containers? One that is only called so costs a
 * microsecond. */
static bool enters(const struct start_stack *s)
{
	for (long i = 1; i < s->argc; i++) {
		const char *a = s->argv[i];

		if (start_same(a, "create") || start_same(a, "run") || start_same(a, "exec") ||
		    start_same(a, "restore") || (i == 1 && start_same(a, "shim")))
			return true;
	}
	return false;
}

static long view_open(void)
{
	struct sys_mount_attr attr = { .set = SYS_ATTR_RDONLY };
	char name[24] = "/proc/self/fd/";
	char *p = name + 14;
	long tree, fd = -1;

	tree = start_call(SYS_open_tree, AT_FDCWD, (long)EXE,
			  SYS_OPEN_TREE_CLONE | SYS_OPEN_TREE_CLOEXEC, 0, 0, 0);
	if (tree < 0)
		return tree;
	if (tree < 1000 && start_call(SYS_mount_setattr, tree, (long)"", AT_EMPTY_PATH, (long)&attr,
				      sizeof(attr), 0) == 0) {
		if (tree >= 100)
			*p++ = (char)('0' + tree / 100);
		if (tree >= 10)
			*p++ = (char)('0' + tree / 10 % 10);
		*p = (char)('0' + tree % 10);
		fd = start_call(SYS_openat, AT_FDCWD, (long)name, O_RDONLY | O_CLOEXEC, 0, 0, 0);
	}
	(void)start_call(SYS_close, tree, 0, 0, 0, 0, 0);
	return fd;
}

static int prot_of(const Elf64_Phdr *p)
{
	return (p->p_flags & PF_R ? PROT_READ : 0) | (p->p_flags & PF_W ? PROT_WRITE : 0) |
	       (p->p_flags & PF_X ? PROT_EXEC : 0);
}

/* As the kernel has mapped it: whole pages, and zeros behind the file's part of what is written. */
static bool map_again(const Elf64_Phdr *p, const char *image, long fd)
{
	uintptr_t from = (uintptr_t)image + p->p_vaddr, end = from + p->p_filesz;
	uintptr_t page = from & ~(PAGE - 1), over = (end + PAGE - 1) & ~(PAGE - 1);
	long r = start_call(SYS_mmap, (long)page, (long)(over - page), prot_of(p),
			    MAP_PRIVATE | MAP_FIXED, fd, (long)(p->p_offset & ~(PAGE - 1)));

	if (r < 0 && r > -(long)PAGE)
		return false;
	if (p->p_flags & PF_W)
		for (volatile char *c = (volatile char *)end; (uintptr_t)c < over; c++)
			*c = 0;
	return true;
}

/* What the kernel noted at exec: the call sets all of it or nothing. */
static void note_bounds(struct prctl_mm_map *m, const Elf64_Phdr *p, uintptr_t image)
{
	uintptr_t from = image + p->p_vaddr, end = from + p->p_filesz;

	if (p->p_flags & PF_X) {
		m->start_code = from;
		m->end_code = end;
	}
	m->start_data = from; /* the last segment is that of data */
	m->end_data = end;
	/* Where the kernel has put the break of a program like this one is before its data, and
	 * refused here. */
	m->start_brk = m->brk = (image + p->p_vaddr + p->p_memsz + 2 * PAGE - 1) & ~(PAGE - 1);
}

static const char *after(const char *text)
{
	while (*text)
		text++;
	return text + 1;
}

static void note_stack(struct prctl_mm_map *m, const struct start_stack *s)
{
	char *const *env = s->argv + s->argc + 1;
	const char *arg = s->argc ? s->argv[0] : (const char *)s, *end;

	m->start_stack = (uintptr_t)s;
	end = s->argc ? after(s->argv[s->argc - 1]) : arg;
	m->arg_start = (uintptr_t)arg;
	m->arg_end = m->env_start = m->env_end = (uintptr_t)end;
	if (!env[0])
		return;
	m->env_start = (uintptr_t)env[0];
	while (env[1])
		env++;
	m->env_end = (uintptr_t)after(env[0]);
}

void start_view(const struct start_stack *s, const char *image)
{
	const Elf64_Ehdr *head = (const Elf64_Ehdr *)image;
	const Elf64_Phdr *p = (const Elf64_Phdr *)(image + head->e_phoff);
	struct prctl_mm_map m;
	struct statfs st;
	bool ok = true;
	long fd;

	if (!enters(s) || start_call(SYS_statfs, (long)EXE, (long)&st, 0, 0, 0, 0) != 0 ||
	    (st.f_flags & RDONLY))
		return;
	fd = view_open();
	if (fd < 0)
		return;
	for (unsigned i = 0; ok && i < head->e_phnum; i++)
		if (p[i].p_type == PT_LOAD) {
			note_bounds(&m, &p[i], (uintptr_t)image);
			ok = map_again(&p[i], image, fd);
		}
	if (ok) {
		note_stack(&m, s);
		m.auxv = NULL;
		m.auxv_size = 0;
		m.exe_fd = (uint32_t)fd;
		/* Refused: then rt_protect_self() takes its way. */
		(void)start_call(SYS_prctl, PR_SET_MM, PR_SET_MM_MAP, (long)&m, sizeof(m), 0, 0);
	}
	(void)start_call(SYS_close, fd, 0, 0, 0, 0, 0);
}
#endif
