/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory of HTTP/2: small blocks that one stream frees and the next one takes again, for all
 * connections of a pool. A stream costs nghttp2 a dozen of them; malloc's own lists are too short
 * for that. Blocks are malloc's, so its size of a block is ours; what is larger, or too much, goes
 * back to it.
 */
#include "io/h2.h"

#include <malloc.h>

#define STEP 16u
#define CLASSES 40u /* blocks below 640 bytes */
#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define SPARE_MAX 0u /* what is freed is to be seen as freed */
#else
#define SPARE_MAX (256u << 10) /* bytes that are kept */
#endif

struct spare {
	struct spare *next;
};

struct h2_mem {
	nghttp2_mem mem;
	struct spare *spare[CLASSES];
	size_t bytes;
};

/* Blocks of class c have room for c * STEP bytes at least: that is what malloc's blocks have, but
 * for a word at their end. */
static size_t class_for(size_t n)
{
	return (n + sizeof(size_t) + STEP - 1) / STEP;
}

static size_t class_of(void *p)
{
	return (malloc_usable_size(p) + sizeof(size_t)) / STEP;
}

void *h2_mem_get(struct h2_mem *m, size_t n)
{
	size_t c = class_for(n);
	struct spare *s = c < CLASSES ? m->spare[c] : NULL;

	if (!s)
		return malloc(n);
	m->spare[c] = s->next;
	m->bytes -= c * STEP;
	return s;
}

void h2_mem_put(struct h2_mem *m, void *p)
{
	struct spare *s = p;
	size_t c;

	if (!p)
		return;
	c = class_of(p);
	if (c >= CLASSES || m->bytes + c * STEP > SPARE_MAX) {
		free(p);
		return;
	}
	s->next = m->spare[c];
	m->spare[c] = s;
	m->bytes += c * STEP;
}

/* ---- as nghttp2 wants them ---- */

static void *mem_malloc(size_t n, void *m)
{
	return h2_mem_get(m, n);
}

static void mem_free(void *p, void *m)
{
	h2_mem_put(m, p);
}

static void *mem_calloc(size_t n, size_t size, void *m)
{
	size_t all;
	void *p;

	if (__builtin_mul_overflow(n, size, &all))
		return NULL;
	if (class_for(all) >= CLASSES)
		return calloc(n, size);
	p = h2_mem_get(m, all);
	return p ? memset(p, 0, all) : NULL;
}

static void *mem_realloc(void *p, size_t n, void *m)
{
	return realloc(p, n); /* a block is malloc's wherever it comes from */
}

static struct h2_mem *h2_mem_new(void)
{
	struct h2_mem *m = io_alloc(sizeof(*m));

	m->mem = (nghttp2_mem){ m, mem_malloc, mem_free, mem_calloc, mem_realloc };
	return m;
}

void h2_mem_free(struct h2_mem *m)
{
	if (!m)
		return;
	for (size_t c = 0; c < CLASSES; c++) {
		struct spare *s, *next;

		for (s = m->spare[c]; s; s = next) {
			next = s->next;
			free(s);
		}
	}
	free(m);
}

struct h2_mem *h2_mem_of(struct io_pool *p)
{
	if (!p->h2_mem)
		p->h2_mem = h2_mem_new();
	return p->h2_mem;
}

nghttp2_mem *h2_mem_nghttp2(struct h2_mem *m)
{
	return &m->mem;
}
