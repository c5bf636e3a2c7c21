/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes to a rule set, to a program, to bytes and back: whatever the rules, a program that compiles
 * must be one that the restorer (and so the kernel) accepts; the bytes themselves are also tried as
 * a saved program.
 */
#include "linux/seccomp.h"

#include "base/err.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

#define RULES 16

struct input {
	const uint8_t *p;
	size_t n;
};

static uint64_t take(struct input *in, unsigned bytes)
{
	uint64_t v = 0;

	for (; bytes && in->n; bytes--, in->n--)
		v = v << 8 | *in->p++;
	return v;
}

static void conds_make(struct input *in, struct seccomp_cond *c, size_t n)
{
	for (size_t i = 0; i < n; i++)
		c[i] = (struct seccomp_cond){ .index = (uint8_t)(take(in, 1) % 7),
					      .op = (uint8_t)(take(in, 1) %
							      (SECCOMP_CMP_COUNT + 1)),
					      .value = take(in, 8),
					      .value_two = take(in, 8) };
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const char zeros[SHA256_HEX_LEN + 1] =
		"0000000000000000000000000000000000000000000000000000000000000000";
	struct input in = { p, n };
	struct seccomp_cond conds[RULES][4];
	struct seccomp_rule rules[RULES];
	const char *names[RULES];
	enum seccomp_arch arches[2] = { take(&in, 1) % SECCOMP_ARCH_COUNT,
					take(&in, 1) % SECCOMP_ARCH_COUNT };
	struct seccomp_filter f = { .def_action = take(&in, 1) % SECCOMP_ACT_COUNT,
				    .def_errno = SECCOMP_ERRNO_UNSET,
				    .arches = arches,
				    .n_arches = 2,
				    .rules = rules };
	struct seccomp_prog prog = { 0 }, again = { 0 };
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1 << 17);
	char hex[SHA256_HEX_LEN + 1];

	if (seccomp_restore(slice_of((const char *)p, n), zeros, &prog, NULL) == 0)
		seccomp_prog_fini(&prog);
	for (; f.n_rules < RULES && in.n; f.n_rules++) {
		size_t i = f.n_rules;

		names[i] = seccomp_name((unsigned)take(&in, 2) % 512);
		if (!names[i])
			names[i] = "unknown";
		rules[i] = (struct seccomp_rule){ .names = &names[i],
						  .n_names = 1,
						  .action = take(&in, 1) % SECCOMP_ACT_COUNT,
						  .errno_ret = SECCOMP_ERRNO_UNSET,
						  .conds = conds[i],
						  .n_conds = take(&in, 1) % 5 };
		conds_make(&in, conds[i], rules[i].n_conds);
	}
	seccomp_digest(&f, hex);
	if (seccomp_compile(&f, &prog, NULL) < 0)
		return 0;
	if (seccomp_save(&prog, hex, &b) < 0 ||
	    seccomp_restore(buf_slice(&b), hex, &again, NULL) < 0 || again.n != prog.n ||
	    memcmp(again.insns, prog.insns, prog.n * 8) != 0)
		abort();
	seccomp_prog_fini(&prog);
	seccomp_prog_fini(&again);
	return 0;
}
