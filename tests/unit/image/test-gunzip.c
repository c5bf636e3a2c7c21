/* SPDX-License-Identifier: Apache-2.0 */
/* Our inflate beside zlib's: the same bytes, and the same streams refused, in pieces of any size.
 */
#include "image/gunzip.h"

#include "base/err.h"
#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <cmocka.h>

#define MAX_OUT (1u << 20)
#define MAX_IN (1u << 18)

struct run {
	const unsigned char *in;
	size_t n, at, step;
	unsigned char *out;
	size_t made;
};

static ssize_t give(void *ctx, void *p, size_t n, struct err *err)
{
	struct run *r = ctx;

	n = MIN(n, r->n - r->at);
	n = r->step ? MIN(n, r->step) : n;
	memcpy(p, r->in + r->at, n);
	r->at += n;
	return (ssize_t)n;
}

static int take(void *ctx, const void *p, size_t n, struct err *err)
{
	struct run *r = ctx;

	if (n > MAX_OUT - r->made)
		return err_set(err, ERR_TOO_LARGE, "too large");
	memcpy(r->out + r->made, p, n);
	r->made += n;
	return 0;
}

static int by_zlib(const unsigned char *in, size_t n, unsigned char *out, size_t *made)
{
	z_stream z = { 0 };
	int rc;

	assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
	z.next_in = (unsigned char *)(uintptr_t)in;
	z.avail_in = (unsigned)n;
	z.next_out = out;
	z.avail_out = MAX_OUT;
	while ((rc = inflate(&z, Z_FINISH)) == Z_STREAM_END && z.avail_in && *z.next_in == 0x1f)
		inflateReset(&z);
	*made = MAX_OUT - z.avail_out;
	inflateEnd(&z);
	return rc == Z_STREAM_END ? 0 : -1;
}

static unsigned seed;

static unsigned roll(unsigned n)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % n;
}

static size_t make_text(unsigned char *p)
{
	size_t n = roll(roll(40) ? 3000 : 100000);
	unsigned kind = roll(4);

	for (size_t i = 0; i < n; i++)
		p[i] = (unsigned char)(kind == 0			? roll(256)
				       : kind == 1			? roll(3)
				       : kind == 2 && i > 40 && roll(8) ? p[i - 1 - roll(40)]
									: roll(64));
	return n;
}

static size_t add_member(const unsigned char *text, size_t n, unsigned char *gz, size_t at)
{
	z_stream z = { 0 };

	assert_int_equal(deflateInit2(&z, (int)roll(10), Z_DEFLATED, 15 + 16, 1 + (int)roll(9),
				      (int)roll(5)),
			 Z_OK);
	z.next_in = (unsigned char *)(uintptr_t)text;
	z.avail_in = (unsigned)n;
	z.next_out = gz + at;
	z.avail_out = (unsigned)(2 * MAX_IN - at);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	return 2 * MAX_IN - z.avail_out;
}

static void streams_are_read_and_refused_as_by_zlib(void **state)
{
	unsigned char *text = malloc(MAX_IN), *gz = malloc(2 * MAX_IN), *a = malloc(MAX_OUT),
		      *b = malloc(MAX_OUT);
	unsigned whole = 0;

	(void)state;
	for (unsigned i = 0; i < 2500; i++) {
		struct run run = { .in = gz, .out = b };
		const struct gunzip_io io = { give, take, &run };
		struct err err = ERR_INIT;
		size_t n, made;
		int want, r;

		seed = i;
		n = make_text(text);
		run.n = add_member(text, n, gz, 0);
		if (roll(2))
			run.n = add_member(text, n / 2, gz, run.n);
		if (i % 3 == 1)
			for (unsigned k = roll(4) + 1; k; k--)
				gz[roll((unsigned)run.n)] ^= (unsigned char)(1u << roll(8));
		if (i % 3 == 2)
			run.n = roll((unsigned)run.n) + 1;
		run.step = roll(3) ? 1 + roll(50) : 0;
		want = by_zlib(gz, run.n, a, &made);
		r = gunzip_run(&io, &err);
		if ((want < 0) != (r < 0) ||
		    (r >= 0 && (made != run.made || memcmp(a, b, made) != 0)))
			fail_msg("seed %u: zlib %d, ours %d (%s)", i, want, r, err.msg);
		whole += r >= 0;
	}
	assert_true(whole > 800);
	free(text);
	free(gz);
	free(a);
	free(b);
}

static void every_cut_is_an_early_end(void **state)
{
	unsigned char text[600], *gz = malloc(2 * MAX_IN), *out = malloc(MAX_OUT);
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (unsigned char)(i * i >> 3);
	seed = 5;
	n = add_member(text, sizeof(text), gz, 0);
	for (size_t cut = 0; cut <= n; cut++) {
		struct run run = { .in = gz, .n = cut, .out = out, .step = 7 };
		const struct gunzip_io io = { give, take, &run };
		struct err err = ERR_INIT;
		int r = gunzip_run(&io, &err);

		if (cut == n)
			assert_int_equal(r, 0);
		else if (r != -ERR_INVALID || !strstr(err.msg, "gzip stream ends too early"))
			fail_msg("cut at %zu: %d %s", cut, r, err.msg);
	}
	gz[n] = 'x'; /* something else behind it */
	assert_int_equal(
		gunzip_run(&(struct gunzip_io){ give, take,
						&(struct run){ .in = gz, .n = n + 1, .out = out } },
			   NULL),
		1);
	free(gz);
	free(out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(streams_are_read_and_refused_as_by_zlib),
		cmocka_unit_test(every_cut_is_an_early_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
