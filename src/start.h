/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first microseconds of `teu-oci`, before its C library: this program is started three times
 * for each container, and what a start costs is paid each time.
 *
 * What is called here runs before relocation: no pointer tables, no thread-local storage (errno,
 * stack protector), no libc but what needs neither. Only in the musl build (src/meson.build).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* As the kernel leaves it at the top of the stack. */
struct start_stack {
	long argc;
	char *argv[]; /* NULL, then the environment, NULL, then the auxiliary vector */
};

/* A system call without errno: -errno on failure. */
#if defined(__x86_64__)
static inline long start_call(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long r;

	__asm__ volatile("syscall"
			 : "=a"(r)
			 : "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return r;
}
#elif defined(__aarch64__)
static inline long start_call(long nr, long a, long b, long c, long d, long e, long f)
{
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc #0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory");
	return x0;
}
#endif

/* No loop that the compiler would make a call of the C library's. */
static inline bool start_same(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

/* Where the program is mapped; its ELF header is there. */
extern const char start_image[] __asm__("__ehdr_start") __attribute__((visibility("hidden")));

/*
 * For a command that enters containers: this process's program becomes a read-only view of its
 * file, as rt_protect_self() would arrange by a second exec. Does nothing when it is one already,
 * and when anything fails: rt_protect_self() looks again.
 */
void start_view(const struct start_stack *s, const char *image);

/* For a process that lives long: memory that is given back goes to the kernel, not to our reserve
 * (start-heap.c). Called before anything is allocated. */
void start_heap_off(void);
