/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bump arenas over mmap chunks.
 *
 * A chunk is far larger than what a small request needs because untouched pages cost nothing; what
 * matters is the number of system calls. The arena's own state sits at the head of its first chunk.
 * Invariants:
 * (1) bytes of the current chunk from max(cur, clean) on are zero, so zeroed allocation is mostly
 * free; (2) end never lies beyond what the maximum still allows, so the fast path needs no second
 * check; (3) while a test fault is armed, end == cur and every allocation takes the slow path.
 */
#include "base/arena.h"

#include "base/err.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#define POISON(p, n) ASAN_POISON_MEMORY_REGION(p, n)
#define UNPOISON(p, n) ASAN_UNPOISON_MEMORY_REGION(p, n)
#else
#define POISON(p, n) ((void)(p), (void)(n))
#define UNPOISON(p, n) ((void)(p), (void)(n))
#endif

#define CHUNK_FIRST (32u * 1024)
#define CHUNK_MAX (1024u * 1024)
#define SPARE_RESIDENT (16u * 1024)
#define PAGE 4096u

struct chunk {
	struct chunk *prev;
	size_t size; /* mapped, with this head */
	char *clean; /* kept here while the chunk is the spare */
	void *pad;   /* keeps the payload 16-byte aligned */
};

struct deferral {
	struct deferral *prev;
	void (*fn)(void *arg);
	void *arg;
};

struct arena_full {
	struct arena a; /* first: callers hold its address */
	const char *name;
	struct chunk *chunk;
	char *base;  /* first payload byte of the current chunk */
	size_t used; /* payload of the chunks before it */
	size_t max;
	size_t next_size;
	char *first_top; /* how far the first chunk was used when it was left */
	struct deferral *deferrals;
	unsigned fail_at;
	bool exceeded;
	_Alignas(16) char payload[];
};

_Static_assert(sizeof(struct chunk) % 16 == 0, "payload alignment");
_Static_assert(sizeof(struct arena_full) % 16 == 0, "payload alignment");

/* Chunks kept between arenas: makes new + free of a small arena cheaper than one page fault, also
 * where a few are in use at a time. */
#define SPARES 128
static _Atomic(struct chunk *) spares[SPARES];

static struct chunk *spare_take(void)
{
	for (size_t i = 0; i < SPARES; i++) {
		struct chunk *c = atomic_load_explicit(&spares[i], memory_order_relaxed);

		if (c && (c = atomic_exchange_explicit(&spares[i], NULL, memory_order_acquire)))
			return c;
	}
	return NULL;
}

#ifndef ARENA_ASAN /* there every arena is mapped anew, so that what is used too late is seen */
static bool spare_put(struct chunk *c)
{
	for (size_t i = 0; i < SPARES; i++) {
		struct chunk *none = NULL;

		if (!atomic_load_explicit(&spares[i], memory_order_relaxed) &&
		    atomic_compare_exchange_strong_explicit(
			    &spares[i], &none, c, memory_order_release, memory_order_relaxed))
			return true;
	}
	return false;
}
#endif

static struct arena_full *full(const struct arena *a)
{
	return (struct arena_full *)a;
}

static struct chunk *chunk_map(size_t size)
{
	static const char text[] = "out of memory: cannot map an arena chunk\n";
	struct chunk *c;

	c = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (c == MAP_FAILED) {
		/* Nothing can be done about a failed write: the process ends here. */
		if (write(2, text, sizeof(text) - 1) < 0)
			abort();
		abort();
	}
	c->size = size;
	return c;
}

static void chunk_unmap(struct chunk *c)
{
	UNPOISON(c, c->size);
	munmap(c, c->size);
}

static char *chunk_end(const struct chunk *c)
{
	return (char *)c + c->size;
}

/* The end of the window by (2) and (3), for a chunk whose bump pointer is at cur. */
static void set_end(struct arena_full *f)
{
	size_t left = f->max - f->used - (size_t)(f->a.cur - f->base);
	size_t room = (size_t)(chunk_end(f->chunk) - f->a.cur);

	f->a.end = f->fail_at ? f->a.cur : f->a.cur + MIN(left, room);
}

struct arena *arena_new(const char *name, size_t max)
{
	struct chunk *c = spare_take();
	struct arena_full *f;
	char *clean;

	if (c) {
		clean = c->clean;
	} else {
		c = chunk_map(CHUNK_FIRST);
		clean = NULL;
	}
	f = (struct arena_full *)(c + 1);
	*f = (struct arena_full){ .name = name, .max = max, .chunk = c, .next_size = CHUNK_FIRST };
	f->base = f->a.cur = f->payload;
	f->a.clean = MAX(clean, f->payload);
	set_end(f);
	POISON(f->a.cur, (size_t)(chunk_end(c) - f->a.cur));
	return &f->a;
}

/* Runs deferrals and drops all chunks but the first; f->first_top then tells how far that was used.
 */
static struct chunk *arena_unwind(struct arena_full *f)
{
	struct chunk *c, *prev;

	/* A deferred call may itself defer: take one at a time. */
	while (f->deferrals) {
		struct deferral *d = f->deferrals;

		f->deferrals = d->prev;
		d->fn(d->arg);
	}
	if (!f->chunk->prev)
		f->first_top = MAX(f->a.cur, f->a.clean);
	for (c = f->chunk; c->prev; c = prev) {
		prev = c->prev;
		chunk_unmap(c);
	}
	return c;
}

void arena_free(struct arena *a)
{
	struct chunk *c;

	if (!a)
		return;
	c = arena_unwind(full(a));
#ifndef ARENA_ASAN
	if ((size_t)(full(a)->first_top - (char *)c) <= SPARE_RESIDENT) {
		c->clean = full(a)->first_top;
		if (spare_put(c))
			return;
	}
#endif
	chunk_unmap(c);
}

void arena_trim(void)
{
	struct chunk *c;

	while ((c = spare_take()))
		chunk_unmap(c);
}

void arena_reset(struct arena *a)
{
	struct arena_full *f = full(a);

	f->chunk = arena_unwind(f);
	f->chunk->prev = NULL;
	f->a.clean = f->first_top;
	f->base = f->a.cur = f->payload;
	f->used = 0;
	f->next_size = CHUNK_FIRST;
	f->exceeded = false;
	set_end(f);
	POISON(f->a.cur, (size_t)(chunk_end(f->chunk) - f->a.cur));
}

static void *arena_fail(struct arena_full *f)
{
	f->exceeded = true;
	return NULL;
}

static void chunk_add(struct arena_full *f, size_t size)
{
	size_t want = (size + sizeof(struct chunk) + PAGE - 1) & ~(size_t)(PAGE - 1);
	struct chunk *c;

	f->next_size = MIN(f->next_size * 2, (size_t)CHUNK_MAX);
	c = chunk_map(MAX(want, f->next_size));
	if (!f->chunk->prev)
		f->first_top = MAX(f->a.cur, f->a.clean);
	f->used += (size_t)(f->a.cur - f->base);
	c->prev = f->chunk;
	f->chunk = c;
	f->base = f->a.cur = f->a.clean = (char *)(c + 1);
	POISON(f->a.cur, (size_t)(chunk_end(c) - f->a.cur));
}

/* All that the inline path does not do: a new chunk, the maximum, an armed fault, sanitizer marks.
 */
void *arena_slow_(struct arena *a, size_t size, size_t align)
{
	struct arena_full *f = full(a);
	size_t pad, left;
	char *p;

	assert(align && align <= 16 && (align & (align - 1)) == 0);
	size += !size;
	if (f->fail_at && --f->fail_at == 0) {
		set_end(f);
		return arena_fail(f);
	}
	left = f->max - arena_used(a);
	if (size > left)
		return arena_fail(f);
	pad = -(uintptr_t)f->a.cur & (align - 1);
	if (pad + size > (size_t)(chunk_end(f->chunk) - f->a.cur)) {
		chunk_add(f, size);
		pad = 0;
	}
	if (pad + size > left)
		return arena_fail(f);
	p = f->a.cur + pad;
	UNPOISON(p, size);
	f->a.cur = p + size;
	set_end(f);
	return p;
}

void *arena_alloc_array(struct arena *a, size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes))
		return arena_fail(full(a));
	return arena_alloc(a, bytes);
}

void *arena_grow(struct arena *a, void *p, size_t old_size, size_t new_size)
{
	char *old = p, *fresh;
	size_t more = new_size - old_size;

	if (p && old_size && old + old_size == a->cur) {
		if (new_size <= old_size && new_size) {
			/* What is given back is dirty: (1). */
			a->clean = MAX(a->clean, a->cur);
			a->cur = old + new_size;
			POISON(a->cur, old_size - new_size);
			if (full(a)->fail_at)
				a->end = a->cur;
			return p;
		}
		if (new_size > old_size && more <= (size_t)(a->end - a->cur)) {
			UNPOISON(a->cur, more);
			if (a->cur < a->clean)
				memset(a->cur, 0, MIN(more, (size_t)(a->clean - a->cur)));
			a->cur += more;
			return p;
		}
	}
	if (p && new_size <= old_size)
		return p;
	fresh = arena_alloc(a, new_size);
	if (fresh && old_size)
		memcpy(fresh, p, old_size);
	return fresh;
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
	char *p = n == SIZE_MAX ? arena_fail(full(a)) : arena_alloc_raw(a, n + 1, 1);

	if (!p)
		return NULL;
	if (n)
		memcpy(p, s, n);
	p[n] = '\0';
	return p;
}

char *arena_strdup(struct arena *a, const char *s)
{
	return arena_strndup(a, s, strlen(s));
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	char small[256], *p;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(small, sizeof(small), fmt, ap);
	va_end(ap);
	if (n < 0)
		return arena_fail(full(a));
	if ((size_t)n < sizeof(small))
		return arena_strndup(a, small, (size_t)n);
	p = arena_alloc_raw(a, (size_t)n + 1, 1);
	if (!p)
		return NULL;
	va_start(ap, fmt);
	(void)vsnprintf(p, (size_t)n + 1, fmt, ap); /* the length is known already */
	va_end(ap);
	return p;
}

int arena_defer(struct arena *a, void (*fn)(void *arg), void *arg)
{
	struct deferral *d = ARENA_NEW(a, struct deferral);

	if (!d)
		return -ERR_QUOTA;
	*d = (struct deferral){ full(a)->deferrals, fn, arg };
	full(a)->deferrals = d;
	return 0;
}

bool arena_exceeded(const struct arena *a)
{
	return full(a)->exceeded;
}

int arena_quota(const struct arena *a, struct err *err)
{
	return err_set(err, ERR_QUOTA, "%s: more than %zu bytes needed", full(a)->name,
		       full(a)->max);
}

size_t arena_used(const struct arena *a)
{
	return full(a)->used + (size_t)(a->cur - full(a)->base);
}

void arena_fail_at(struct arena *a, unsigned n)
{
	full(a)->fail_at = n;
	set_end(full(a));
}
