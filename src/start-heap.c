/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first memory of a short-lived process: a reserve in .bss, given out in a row. (The linker's
 * --wrap puts it before the C library's malloc and mmap.)
 *
 * A `start` or `delete` takes some tens of KB and ends. From the C library that is a dozen of brk,
 * mmap and munmap; from a reserve that is there anyway it is none, and only pages that are used
 * exist. What lies freed at the end of the row is given out again; what does not fit comes from the
 * C library and the kernel as ever.
 *
 * A shim lives as long as its container and wants its memory back: start_heap_off(). One thread
 * only, as all of teu-oci.
 */
#include "start.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#define RESERVE (512 * 1024u)
#define LARGEST (128 * 1024) /* one block */
#define ALIGN 16u
#define PAGE 4096u
#define MAPS 16 /* at once */
#define NONE UINT32_MAX

/* In front of what malloc gives out. */
struct block {
	uint32_t size; /* of what follows */
	uint32_t prev; /* where the block before it begins; NONE = it is the first */
	uint32_t is_free;
	uint32_t unused;
};
_Static_assert(sizeof(struct block) == ALIGN, "a head keeps the alignment");

/* What mmap gives out: pages, which have no head of their own. */
struct map {
	uint32_t start;
	bool is_free;
};

/* Mutable globals of an entry point. Blocks lie from the front on, maps from the back on. The few
 * words are in .data, in a page that is written anyway. */
#define DATA __attribute__((section(".data")))
static char reserve[RESERVE]
	__attribute__((aligned(ALIGN))); /* not PAGE: .bss would start a page */
static uint32_t used DATA, last DATA = NONE;
static uint32_t high DATA; /* from there on it is still zero */
static struct map maps[MAPS] DATA;
static uint32_t n_maps DATA, low DATA = RESERVE;
static uint32_t lowest DATA = RESERVE; /* below it is still zero */
static bool off DATA;

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void __real_free(void *p);
void *__real_mmap(void *addr, size_t n, int prot, int flags, int fd, off_t at);
int __real_munmap(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void __wrap_free(void *p);
void *__wrap_mmap(void *addr, size_t n, int prot, int flags, int fd, off_t at);
int __wrap_munmap(void *p, size_t n);

/* Fault builds make allocations fail in turn, where TEU_FAULT names them. */
#if TEU_FAULT
bool fault_check_named(const char *name);

static bool fails(const char *name)
{
	if (!fault_check_named(name))
		return false;
	errno = ENOMEM;
	return true;
}
#else
static inline bool fails(const char *name)
{
	(void)name;
	return false;
}
#endif

void start_heap_off(void)
{
	off = true;
}

static bool ours(const void *p)
{
	return (uintptr_t)p - (uintptr_t)reserve < RESERVE;
}

static struct block *at(uint32_t where)
{
	return (struct block *)(reserve + where);
}

static uint32_t where_of(const void *p)
{
	return (uint32_t)((const char *)p - reserve) - (uint32_t)sizeof(struct block);
}

/* NULL = does not fit. */
static void *take(size_t n)
{
	uint32_t size = (uint32_t)(n + ALIGN - 1) & ~(ALIGN - 1);

	if (off || n > LARGEST || used + sizeof(struct block) + size > low)
		return NULL;
	*at(used) = (struct block){ .size = size, .prev = last };
	last = used;
	used += (uint32_t)sizeof(struct block) + size;
	return at(last) + 1;
}

static void give_back(void *p)
{
	at(where_of(p))->is_free = 1;
	while (last != NONE && at(last)->is_free) {
		used = last;
		last = at(last)->prev;
	}
}

void *__wrap_malloc(size_t n)
{
	void *p;

	if (fails("malloc"))
		return NULL;
	p = take(n);
	high = MAX(high, used);
	return p ? p : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
	uint32_t dirty = high;
	char *p;

	if (fails("calloc"))
		return NULL;
	if (size && n > SIZE_MAX / size) {
		errno = ENOMEM;
		return NULL;
	}
	p = take(n * size);
	if (!p)
		return __real_calloc(n, size);
	high = MAX(high, used);
	if (p < reserve + dirty)
		memset(p, 0, MIN(n * size, (size_t)(reserve + dirty - p)));
	return p;
}

void __wrap_free(void *p)
{
	if (ours(p))
		give_back(p);
	else
		__real_free(p);
}

/* In its place: the last one grows into what is free, any one can become smaller. */
static bool resize(void *p, size_t n)
{
	uint32_t where = where_of(p), start = where + (uint32_t)sizeof(struct block);
	uint32_t size = (uint32_t)(n + ALIGN - 1) & ~(ALIGN - 1);

	if (n <= at(where)->size && where != last)
		return true;
	if (where != last || n > LARGEST || start + size > low)
		return false;
	at(where)->size = size;
	used = start + size;
	high = MAX(high, used);
	return true;
}

void *__wrap_realloc(void *p, size_t n)
{
	void *to;

	if (!p)
		return __wrap_malloc(n);
	if (fails("realloc"))
		return NULL;
	if (!ours(p))
		return __real_realloc(p, n);
	if (resize(p, n))
		return p;
	to = __wrap_malloc(n);
	if (!to)
		return NULL;
	memcpy(to, p, MIN(n, (size_t)at(where_of(p))->size));
	__wrap_free(p);
	return to;
}

/* The last whole page's end. */
static uint32_t top(void)
{
	uintptr_t end = (uintptr_t)reserve + RESERVE;

	return RESERVE - (uint32_t)(end & (PAGE - 1));
}

static void *take_pages(size_t n)
{
	uint32_t size = (uint32_t)(n + PAGE - 1) & ~(PAGE - 1);
	uint32_t end = n_maps ? low : top(), start = end - size;

	if (off || n > LARGEST || n_maps == MAPS || size + used > end || start < high)
		return NULL; /* above high: nothing of malloc's has been there */
	if (start + size > lowest)
		memset(reserve + MAX(start, lowest), 0, start + size - MAX(start, lowest));
	lowest = MIN(lowest, start);
	low = start;
	maps[n_maps++] = (struct map){ start, false };
	return reserve + start;
}

static void give_pages_back(const void *p)
{
	for (uint32_t i = 0; i < n_maps; i++)
		if (reserve + maps[i].start == (const char *)p)
			maps[i].is_free = true;
	while (n_maps && maps[n_maps - 1].is_free) {
		n_maps--;
		low = n_maps ? maps[n_maps - 1].start : RESERVE;
	}
}

void *__wrap_mmap(void *addr, size_t n, int prot, int flags, int fd, off_t where)
{
	void *p = NULL;

	if (!addr && prot == (PROT_READ | PROT_WRITE) && (flags & MAP_ANONYMOUS) && fails("mmap"))
		return MAP_FAILED;
	if (!addr && prot == (PROT_READ | PROT_WRITE) && flags == (MAP_PRIVATE | MAP_ANONYMOUS))
		p = take_pages(n);
	return p ? p : __real_mmap(addr, n, prot, flags, fd, where);
}

int __wrap_munmap(void *p, size_t n)
{
	if (!ours(p))
		return __real_munmap(p, n);
	give_pages_back(p);
	return 0;
}
