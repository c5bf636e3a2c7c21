/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Docker's default profile: build + compile, restore from a cache, load; beside libseccomp's
 * building of the same rules. Prints medians in microseconds. Loads happen in forked children.
 */
#include "linux/seccomp-default.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS 101

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static void report(const char *what, int64_t *t)
{
	qsort(t, ROUNDS, sizeof *t, compare);
	printf("%-28s %8.1f us (min %.1f)\n", what, (double)t[ROUNDS / 2] / 1000,
	       (double)t[0] / 1000);
}

static int64_t load_in_child(const struct seccomp_prog *p)
{
	int64_t ns = 0;
	int pipefd[2];
	pid_t pid;

	if (pipe2(pipefd, O_CLOEXEC) < 0)
		abort();
	pid = fork();
	if (pid == 0) {
		int64_t t0;

		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		t0 = clock_mono();
		if (seccomp_install(p, NULL, NULL) < 0)
			_exit(1);
		ns = clock_mono() - t0;
		_exit(write(pipefd[1], &ns, sizeof ns) != sizeof ns);
	}
	close(pipefd[1]);
	if (read(pipefd[0], &ns, sizeof ns) != sizeof ns)
		abort();
	close(pipefd[0]);
	waitpid(pid, NULL, 0);
	return ns;
}

static int64_t libseccomp_build(const struct seccomp_filter *f, struct seccomp_prog *p)
{
	static struct sock_filter code[BPF_MAXINSNS];
	static const enum scmp_compare op[] = { SCMP_CMP_NE,	   SCMP_CMP_LT, SCMP_CMP_LE,
						SCMP_CMP_EQ,	   SCMP_CMP_GE, SCMP_CMP_GT,
						SCMP_CMP_MASKED_EQ };
	int fd = memfd_create("bpf", MFD_CLOEXEC);
	int64_t t0 = clock_mono();
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(1));

	(void)seccomp_arch_add(ctx, SCMP_ARCH_X86);
	(void)seccomp_arch_add(ctx, SCMP_ARCH_X32);
	for (size_t i = 0; i < f->n_rules; i++)
		for (size_t k = 0; k < f->rules[i].n_names; k++) {
			const struct seccomp_rule *r = &f->rules[i];
			struct scmp_arg_cmp c = { 0 };
			uint32_t act = r->action == SECCOMP_ACT_ALLOW ? SCMP_ACT_ALLOW
								      : SCMP_ACT_ERRNO(38);

			if (r->n_conds)
				c = (struct scmp_arg_cmp){ r->conds[0].index, op[r->conds[0].op],
							   r->conds[0].value,
							   r->conds[0].value_two };
			(void)seccomp_rule_add_array(ctx, act,
						     seccomp_syscall_resolve_name(r->names[k]),
						     (unsigned)r->n_conds, &c);
		}
	(void)seccomp_export_bpf(ctx, fd);
	t0 = clock_mono() - t0;
	p->insns = code;
	p->n = (uint16_t)(pread(fd, code, sizeof code, 0) / (ssize_t)sizeof *code);
	seccomp_release(ctx);
	close(fd);
	return t0;
}

int main(void)
{
	CLEANUP(arena_free) struct arena *a = arena_new("bench", 1 << 22);
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1 << 17);
	struct seccomp_default_params dp = { .caps = 0xa80425fb };
	int64_t t[5][ROUNDS];
	struct seccomp_prog p = { 0 }, q = { 0 }, lib = { 0 };
	char hex[SHA256_HEX_LEN + 1];
	struct seccomp_filter f;

	for (unsigned i = 0; i < ROUNDS; i++) {
		int64_t t0 = clock_mono();

		seccomp_prog_fini(&p);
		if (seccomp_default_build(&dp, a, &f, NULL) < 0 ||
		    seccomp_compile(&f, &p, NULL) < 0)
			return 1;
		t[0][i] = clock_mono() - t0;
		seccomp_digest(&f, hex);
		buf_clear(&b);
		if (seccomp_save(&p, hex, &b) < 0)
			return 1;
		t0 = clock_mono();
		if (seccomp_restore(buf_slice(&b), hex, &q, NULL) < 0)
			return 1;
		t[2][i] = clock_mono() - t0;
		seccomp_prog_fini(&q);
	}
	/* Apart: after a fork every page that is written faults. */
	for (unsigned i = 0; i < ROUNDS; i++) {
		t[1][i] = load_in_child(&p);
		t[3][i] = libseccomp_build(&f, &lib);
		t[4][i] = load_in_child(&lib);
	}
	printf("ours %u instructions, libseccomp %u\n", p.n, lib.n);
	report("build + compile", t[0]);
	report("restore from bytes", t[2]);
	report("load", t[1]);
	report("libseccomp build + export", t[3]);
	report("libseccomp load", t[4]);
	seccomp_prog_fini(&p);
	return 0;
}
