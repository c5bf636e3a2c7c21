/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arena: memory of one request, parse or reconcile, freed whole. Bump allocation in chunks from
 * mmap.
 *
 * Each arena has a maximum. Growth past it returns NULL and latches arena_exceeded(): input-driven
 * growth is an error of the input (ERR_QUOTA), never an abort. A true out-of-memory of the machine
 * aborts. Not thread safe: one owner at a time.
 */
#pragma once

#include "base/cleanup.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct err;

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif

/*
 * The bump window stands at the address of the arena so that the fast path is inline; no other
 * field is anyone's business. From `clean` on, the bytes of the chunk are still the kernel's zeros.
 */
struct arena {
	char *cur, *end, *clean;
};

/* `name` (static text) shows in errors; `max` is in bytes of payload. Never NULL. */
struct arena *arena_new(const char *name, size_t max);
/* Runs deferred calls in reverse order, then frees everything. */
void arena_free(struct arena *a);
DEFINE_CLEANUP(struct arena *, arena_free)
/* As free + new, but keeps the first chunk for reuse. */
void arena_reset(struct arena *a);
/*
 * arena_free keeps a few small chunks for the next arena_new of the process (at most 32 of 16 KB
 * resident); this returns them to the kernel. For a process that goes idle.
 */
void arena_trim(void);

void *arena_slow_(struct arena *a, size_t size, size_t align);

/* Not zeroed, with the alignment given (power of two, at most 16). Otherwise as arena_alloc. */
MUST_USE static inline void *arena_alloc_raw(struct arena *a, size_t size, size_t align)
{
#ifndef ARENA_ASAN
	uintptr_t p = ((uintptr_t)a->cur + (align - 1)) & ~(uintptr_t)(align - 1);
	uintptr_t end = (uintptr_t)a->end;

	size += !size;
	if (__builtin_expect(p <= end && size <= end - p, 1)) {
		a->cur = (char *)(p + size);
		return (void *)p;
	}
#endif
	return arena_slow_(a, size, align);
}

/* 16-byte aligned, zeroed. NULL only past the maximum. size 0 gives a valid unique pointer. */
MUST_USE static inline void *arena_alloc(struct arena *a, size_t size)
{
	char *p = arena_alloc_raw(a, size, 16);

	if (p && __builtin_expect(p < a->clean, 0))
		memset(p, 0, MIN(size, (size_t)(a->clean - p)));
	return p;
}

/* Grows the most recent allocation in place if it can, else copies. What is new is zeroed. */
void *arena_grow(struct arena *a, void *p, size_t old_size, size_t new_size) MUST_USE;
#define ARENA_NEW(a, type) ((type *)arena_alloc((a), sizeof(type)))
#define ARENA_ARRAY(a, type, n) ((type *)arena_alloc_array((a), (n), sizeof(type)))
/* Overflow counts as past the maximum. */
void *arena_alloc_array(struct arena *a, size_t n, size_t size) MUST_USE;

/* NULL past the maximum. */
char *arena_strdup(struct arena *a, const char *s);
char *arena_strndup(struct arena *a, const char *s,
		    size_t n); /* NUL-terminated copy of exactly n bytes */
char *arena_printf(struct arena *a, const char *fmt, ...) PRINTF(2, 3);

/*
 * Calls fn(arg) when the arena is freed or reset: for fds and references that live as long as it.
 * -ERR_QUOTA past the maximum: then fn was not taken over and the caller still owns arg.
 */
int arena_defer(struct arena *a, void (*fn)(void *arg), void *arg);

bool arena_exceeded(const struct arena *a);
/* Fills err with ERR_QUOTA "<name>: more than <max> bytes needed". Returns -ERR_QUOTA. */
int arena_quota(const struct arena *a, struct err *err);
size_t arena_used(const struct arena *a);

/* For tests: the n-th allocation from now (1 = next) fails as if past the maximum. 0 switches off.
 */
void arena_fail_at(struct arena *a, unsigned n);
