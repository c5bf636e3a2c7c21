/* SPDX-License-Identifier: Apache-2.0 */
/* The reserve that stands before the C library's malloc and mmap in teu-oci. */
#include "rt-check.h"

#include "start.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

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

static unsigned passed_on; /* to the C library */

void *__real_malloc(size_t n)
{
	passed_on++;
	return malloc(n);
}

void *__real_calloc(size_t n, size_t size)
{
	passed_on++;
	return calloc(n, size);
}

void *__real_realloc(void *p, size_t n)
{
	passed_on++;
	return realloc(p, n);
}

void __real_free(void *p)
{
	passed_on++;
	free(p);
}

void *__real_mmap(void *addr, size_t n, int prot, int flags, int fd, off_t at)
{
	passed_on++;
	return mmap(addr, n, prot, flags, fd, at);
}

int __real_munmap(void *p, size_t n)
{
	passed_on++;
	return munmap(p, n);
}

static void *pages(size_t n)
{
	return __wrap_mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static bool all_are(const char *p, size_t n, char c)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != c)
			return false;
	return true;
}

static int fresh(void **state)
{
	passed_on = 0;
	return 0;
}

static void what_is_freed_last_is_given_out_again(void **state)
{
	char *a = __wrap_malloc(100), *b = __wrap_malloc(200), *c;

	assert_int_equal((uintptr_t)a % 16, 0);
	assert_true(b >= a + 100);
	__wrap_free(b);
	c = __wrap_malloc(1);
	assert_ptr_equal(c, b);
	/* Out of order: the row shrinks when its end is free. */
	__wrap_free(a);
	__wrap_free(c);
	assert_ptr_equal(__wrap_malloc(50), a);
	__wrap_free(a);
	assert_int_equal(passed_on, 0);
}

static void calloc_is_zero_also_where_something_was(void **state)
{
	char *a = __wrap_malloc(5000), *b;

	memset(a, 7, 5000);
	__wrap_free(a);
	b = __wrap_calloc(100, 90); /* over its end, too */
	assert_ptr_equal(b, a);
	assert_true(all_are(b, 9000, 0));
	__wrap_free(b);
	assert_null(__wrap_calloc(SIZE_MAX / 2, 4));
}

static void realloc_grows_the_last_in_place_and_moves_others(void **state)
{
	char *a = __wrap_malloc(10), *b, *c;

	memset(a, 'x', 10);
	assert_ptr_equal(__wrap_realloc(a, 60000), a);
	assert_ptr_equal(__wrap_realloc(a, 10), a);
	b = __wrap_malloc(10);
	assert_true(b < a + 1000); /* it has become small again */
	assert_ptr_equal(__wrap_realloc(a, 3), a);
	c = __wrap_realloc(a, 500);
	assert_true(c > b);
	assert_true(all_are(c, 10, 'x'));
	__wrap_free(b);
	__wrap_free(c);
	b = __wrap_realloc(NULL, 10);
	assert_ptr_equal(b, a); /* all was given back */
	__wrap_free(b);
	assert_int_equal(passed_on, 0);
}

static void what_is_too_large_comes_from_the_c_library(void **state)
{
	char *a = __wrap_malloc(10), *big;

	memset(a, 'y', 10);
	big = __wrap_malloc(1 << 20);
	assert_non_null(big);
	assert_int_equal(passed_on, 1);
	big[(1 << 20) - 1] = 1;
	big = __wrap_realloc(big, 1 << 21);
	assert_int_equal(passed_on, 2);
	__wrap_free(big);
	assert_int_equal(passed_on, 3);
	/* One of ours that outgrows the reserve takes its bytes along. */
	big = __wrap_realloc(a, 1 << 20);
	assert_int_equal(passed_on, 4);
	assert_true(all_are(big, 10, 'y'));
	__wrap_free(big);
	__wrap_free(NULL);
}

static void pages_are_zero_and_whole(void **state)
{
	char *a = pages(32768), *b = pages(100), *c;

	assert_int_equal(passed_on, 0);
	assert_int_equal((uintptr_t)a % 4096 | (uintptr_t)b % 4096, 0);
	assert_true(b + 4096 <= a);
	memset(a, 1, 32768);
	memset(b, 2, 4096);
	assert_int_equal(__wrap_munmap(a, 32768), 0); /* not the last: kept until b goes */
	assert_int_equal(__wrap_munmap(b, 100), 0);
	c = pages(65536);
	assert_true(all_are(c, 65536, 0));
	assert_int_equal(__wrap_munmap(c, 65536), 0);
	assert_int_equal(passed_on, 0);
}

static void other_maps_are_the_kernels(void **state)
{
	void *p = __wrap_mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_int_equal(passed_on, 1);
	assert_int_equal(__wrap_munmap(p, 4096), 0);
	assert_int_equal(passed_on, 2);
	p = pages(1 << 20);
	assert_int_equal(passed_on, 3);
	assert_int_equal(__wrap_munmap(p, 1 << 20), 0);
}

/* Both rows until they meet: nothing overlaps, and what is given out stays as it was written. */
static void the_rows_never_meet(void **state)
{
	enum { N = 200 };
	static struct {
		char *p;
		size_t n;
		bool map;
	} v[N];
	uint32_t x = 12345;

	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < N; i++) {
			x = x * 1103515245 + 12345;
			v[i].map = x >> 16 & 1 && i % 8 == 0;
			v[i].n = (x >> 17) % 9000 + 1;
			v[i].p = v[i].map ? pages(v[i].n) : __wrap_malloc(v[i].n);
			memset(v[i].p, i, v[i].n);
		}
		for (int i = 0; i < N; i++)
			assert_true(all_are(v[i].p, v[i].n, (char)i));
		for (int k = 0; k < N; k++) {
			int i = round & 1 ? k : N - 1 - k;

			if (v[i].map)
				(void)__wrap_munmap(v[i].p, v[i].n);
			else
				__wrap_free(v[i].p);
		}
	}
	assert_true(passed_on > 0); /* it was full */
	passed_on = 0;
	v[0].p = __wrap_malloc(100000); /* and is empty */
	assert_int_equal(passed_on, 0);
	__wrap_free(v[0].p);
}

/* Last: there is no way back. */
static void a_shim_takes_nothing_from_it(void **state)
{
	void *p, *q;

	start_heap_off();
	p = __wrap_malloc(10);
	q = pages(4096);
	assert_int_equal(passed_on, 2);
	__wrap_free(p);
	(void)__wrap_munmap(q, 4096);
	assert_int_equal(passed_on, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(what_is_freed_last_is_given_out_again, fresh),
		cmocka_unit_test_setup(calloc_is_zero_also_where_something_was, fresh),
		cmocka_unit_test_setup(realloc_grows_the_last_in_place_and_moves_others, fresh),
		cmocka_unit_test_setup(what_is_too_large_comes_from_the_c_library, fresh),
		cmocka_unit_test_setup(pages_are_zero_and_whole, fresh),
		cmocka_unit_test_setup(other_maps_are_the_kernels, fresh),
		cmocka_unit_test_setup(the_rows_never_meet, fresh),
		cmocka_unit_test_setup(a_shim_takes_nothing_from_it, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
