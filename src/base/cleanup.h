/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scope-bound ownership: a local declared with CLEANUP(f) is released by f when it goes out of
 * scope. Success hands the value over with STEAL. Every f accepts the empty value (NULL, -1).
 */
#pragma once

#include <stddef.h>
#include <stdlib.h>

#define CLEANUP(fn) __attribute__((cleanup(fn##_cleanup_)))

/* Makes the cleaner that CLEANUP(fn) needs, for a pointer type whose destructor is fn(ptr). */
#define DEFINE_CLEANUP(type, fn)                  \
	static inline void fn##_cleanup_(type *p) \
	{                                         \
		if (*p)                           \
			fn(*p);                   \
	}

/* The same for an embedded struct: fn(&object) runs at the end of the scope. */
#define DEFINE_CLEANUP_EMBEDDED(type, fn)         \
	static inline void fn##_cleanup_(type *p) \
	{                                         \
		fn(p);                            \
	}

DEFINE_CLEANUP(void *, free)
#define CLEANUP_FREE __attribute__((cleanup(mem_free_cleanup_)))
static inline void mem_free_cleanup_(void *p)
{
	free(*(void **)p);
}

#define STEAL(p)                        \
	({                              \
		__auto_type tmp_ = (p); \
		(p) = NULL;             \
		tmp_;                   \
	})
#define STEAL_FD(f)             \
	({                      \
		int tmp_ = (f); \
		(f) = -1;       \
		tmp_;           \
	})

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define MUST_USE __attribute__((warn_unused_result))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
