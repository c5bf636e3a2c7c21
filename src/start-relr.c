/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entry point of `teu-oci` before that of the C library: packed relative relocations.
 *
 * A position-independent program full of tables has thousands of pointers that must be moved to
 * where the kernel has put it. Written out they are 24 bytes each (DT_RELA); packed (DT_RELR, a
 * bitmap) about a quarter of one. musl before 1.2.4 does not know the packed form, so it is undone
 * here; then its own start goes on as if nothing had been. Spec: gABI, DT_RELR.
 */
#include "start.h"

#include "runtime/join.h"

#include <elf.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>

/* Sets sp's old value aside, calls us with it, goes on to the C library's entry. */
#if defined(__x86_64__)
__asm__(".text\n"
	".globl teu_start\n"
	".hidden teu_start\n"
	".type teu_start, @function\n"
	"teu_start:\n\t"
	"endbr64\n\t"
	"xor %ebp, %ebp\n\t"
	"mov %rsp, %rbx\n\t"
	"mov %rsp, %rdi\n\t"
	"and $-16, %rsp\n\t"
	"call start_main\n\t"
	"mov %rbx, %rsp\n\t"
	"xor %edx, %edx\n\t"
	"jmp _start\n"
	".size teu_start, .-teu_start\n");
#elif defined(__aarch64__)
__asm__(".text\n"
	".globl teu_start\n"
	".hidden teu_start\n"
	".type teu_start, %function\n"
	"teu_start:\n\t"
	"mov x29, #0\n\t"
	"mov x30, #0\n\t"
	"mov x0, sp\n\t"
	"mov x19, sp\n\t"
	"bl start_main\n\t"
	"mov sp, x19\n\t"
	"mov x0, #0\n\t"
	"b _start\n"
	".size teu_start, .-teu_start\n");
#endif

#define PAGE 4096ul	  /* of files; larger ones only round further */
#define POPULATE_WRITE 23 /* MADV_POPULATE_WRITE */

#ifndef DT_RELR
#define DT_RELRSZ 35
#define DT_RELR 36
#endif

#define HIDDEN __attribute__((visibility("hidden")))
/* Tables of the command line (start.ld): whole pages. */
extern const char start_cli[] HIDDEN, start_cli_end[] HIDDEN;
extern const Elf64_Dyn start_dynamic[] __asm__("_DYNAMIC") HIDDEN;
void start_main(const struct start_stack *s) HIDDEN __attribute__((used));

/* What is not written: pages that this process has no use for. from == end: there are none. */
struct hole {
	uintptr_t from, end;
};

static inline void move(uint64_t *p, const char *base, const struct hole *h)
{
	if ((uintptr_t)p - h->from >= h->end - h->from)
		*p += (uint64_t)base;
}

/* An even entry is the place of one pointer; an odd one is a bitmap of the 63 that follow it. */
static void unpack(char *base, const uint64_t *v, size_t n, const struct hole *h)
{
	uint64_t *where = (uint64_t *)base;

	for (size_t i = 0; i < n; i++) {
		if (!(v[i] & 1)) {
			where = (uint64_t *)(base + v[i]);
			move(where++, base, h);
			continue;
		}
		for (uint64_t bits = v[i] >> 1; bits; bits &= bits - 1)
			move(&where[__builtin_ctzll(bits)], base, h);
		where += 63;
	}
}

static const Elf64_Phdr *find(const char *image, unsigned type, unsigned flags)
{
	const Elf64_Ehdr *head = (const Elf64_Ehdr *)image;
	const Elf64_Phdr *p = (const Elf64_Phdr *)(image + head->e_phoff);

	for (unsigned i = 0; i < head->e_phnum; i++)
		if (p[i].p_type == type && (p[i].p_flags & flags) == flags)
			return &p[i];
	return NULL;
}

/* No matter if it fails (before 5.14): then there is a fault for each page. */
static void write_soon(uintptr_t from, uintptr_t end)
{
	if (end > from)
		(void)start_call(SYS_madvise, (long)from, (long)(end - from), POPULATE_WRITE, 0, 0,
				 0);
}

/* All pages that will be written, by one call, or by two around the hole. */
static void populate(const char *image, const struct hole *h)
{
	const Elf64_Phdr *p = find(image, PT_LOAD, PF_W);
	uintptr_t from, end;

	if (!p)
		return;
	from = ((uintptr_t)image + p->p_vaddr) & ~(PAGE - 1);
	end = ((uintptr_t)image + p->p_vaddr + p->p_filesz + PAGE - 1) & ~(PAGE - 1);
	if (h->end > h->from) {
		write_soon(from, h->from);
		from = h->end;
	}
	write_soon(from, end);
}

/* A shim, or what joins a container: the command line of such a process is not for people. */
static bool is_inner(const struct start_stack *s)
{
	return s->argc > 1 && (start_same(s->argv[1], "shim") || start_same(s->argv[1], JOIN_WORD));
}

/* What only relocation writes is constant from here on; musl's start leaves that to a dynamic
 * loader, and there is none. */
static void seal(const char *image)
{
	const Elf64_Phdr *p = find(image, PT_GNU_RELRO, 0);
	uintptr_t from, end;

	if (!p)
		return;
	from = ((uintptr_t)image + p->p_vaddr) & ~(PAGE - 1);
	end = ((uintptr_t)image + p->p_vaddr + p->p_memsz) & ~(PAGE - 1);
	(void)start_call(SYS_mprotect, (long)from, (long)(end - from), PROT_READ, 0, 0, 0);
}

void start_main(const struct start_stack *s)
{
	const char *image = start_image;
	struct hole hole = { 0 };
	const uint64_t *v = NULL;
	size_t bytes = 0;

	/* Hidden from the optimiser, which takes the address of an object for not to be written. */
	__asm__("" : "+r"(image));
	/* First: what is written into pages of the old view would have to be written again. */
	start_view(s, image);
	if (is_inner(s))
		hole = (struct hole){ (uintptr_t)start_cli, (uintptr_t)start_cli_end };
	/* Before anything of it is read: that would map the pages around, and each would be taken
	 * back for its copy. */
	populate(image, &hole);
	for (const Elf64_Dyn *d = start_dynamic; d->d_tag != DT_NULL; d++) {
		if (d->d_tag == DT_RELR)
			v = (const uint64_t *)(image + d->d_un.d_ptr);
		else if (d->d_tag == DT_RELRSZ)
			bytes = d->d_un.d_val;
	}
	if (!v)
		return;
	unpack((char *)(uintptr_t)image, v, bytes / sizeof(*v), &hole);
	seal(image);
}
