/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seccomp compiler against libseccomp: the same rules go through both, an interpreter here runs
 * both programs over call numbers, architectures and arguments around every value of a condition.
 * Then real loads in children.
 */
#include "linux/seccomp-default.h"

#include "base/arena.h"
#include "base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <poll.h>
#include <seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- helpers ---- */

struct program {
	struct sock_filter f[BPF_MAXINSNS];
	unsigned n;
};

/* What the kernel does with the instructions that seccomp allows. *steps counts the cost. */
static uint32_t interpret(const struct sock_filter *f, unsigned n, const struct seccomp_data *d,
			  unsigned *steps)
{
	uint32_t a = 0;

	for (unsigned pc = 0; pc < n; pc++) {
		const struct sock_filter *i = &f[pc];

		if (steps)
			(*steps)++;
		switch (i->code) {
		case BPF_LD | BPF_W | BPF_ABS: memcpy(&a, (const char *)d + i->k, 4); break;
		case BPF_ALU | BPF_AND | BPF_K: a &= i->k; break;
		case BPF_JMP | BPF_JA: pc += i->k; break;
		case BPF_JMP | BPF_JEQ | BPF_K: pc += a == i->k ? i->jt : i->jf; break;
		case BPF_JMP | BPF_JGT | BPF_K: pc += a > i->k ? i->jt : i->jf; break;
		case BPF_JMP | BPF_JGE | BPF_K: pc += a >= i->k ? i->jt : i->jf; break;
		case BPF_RET | BPF_K: return i->k;
		default: fail_msg("instruction %u has code %#x", pc, i->code);
		}
	}
	fail_msg("the program runs over its end");
	return 0;
}

static uint64_t seed = 0x9e3779b97f4a7c15;
static uint32_t rnd(uint32_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 16) % below;
}

/* libseccomp's token, 0 if this version does not know the architecture. */
static uint32_t oracle_arch(enum seccomp_arch a)
{
	char name[32];
	size_t i;

	str_copy(name, sizeof name, seccomp_arch_name(a) + strlen("SCMP_ARCH_"));
	for (i = 0; name[i]; i++)
		if (name[i] >= 'A' && name[i] <= 'Z')
			name[i] += 'a' - 'A';
	return seccomp_arch_resolve_name(name);
}

static uint32_t oracle_action(enum seccomp_action a, int e)
{
	uint32_t data = e == SECCOMP_ERRNO_UNSET ? EPERM : (uint32_t)e;

	switch (a) {
	case SECCOMP_ACT_KILL_THREAD: return SCMP_ACT_KILL_THREAD;
	case SECCOMP_ACT_KILL_PROCESS: return SCMP_ACT_KILL_PROCESS;
	case SECCOMP_ACT_TRAP: return SCMP_ACT_TRAP;
	case SECCOMP_ACT_ERRNO: return SCMP_ACT_ERRNO(data);
	case SECCOMP_ACT_TRACE: return SCMP_ACT_TRACE(data);
	case SECCOMP_ACT_LOG: return SCMP_ACT_LOG;
	case SECCOMP_ACT_NOTIFY: return SCMP_ACT_NOTIFY;
	default: return SCMP_ACT_ALLOW;
	}
}

static void oracle_add(scmp_filter_ctx ctx, uint32_t action, int nr,
		       const struct seccomp_cond *conds, size_t n)
{
	static const enum scmp_compare op[] = { SCMP_CMP_NE,	   SCMP_CMP_LT, SCMP_CMP_LE,
						SCMP_CMP_EQ,	   SCMP_CMP_GE, SCMP_CMP_GT,
						SCMP_CMP_MASKED_EQ };
	struct scmp_arg_cmp cmp[6];
	int r;

	for (size_t i = 0; i < n; i++)
		cmp[i] = (struct scmp_arg_cmp){ conds[i].index, op[conds[i].op], conds[i].value,
						conds[i].value_two };
	r = seccomp_rule_add_array(ctx, action, nr, (unsigned)n, cmp);
	if (r < 0)
		fail_msg("libseccomp: rule of call %d: %s", nr, strerror(-r));
}

/* The filter as runc would build it. */
static void oracle_compile(const struct seccomp_filter *f, struct program *ret)
{
	uint32_t def = oracle_action(f->def_action, f->def_errno);
	scmp_filter_ctx ctx = seccomp_init(def);
	int fd = memfd_create("bpf", MFD_CLOEXEC);
	ssize_t got;

	assert_non_null(ctx);
	if (f->native && f->native != seccomp_arch_host()) {
		assert_int_equal(seccomp_arch_add(ctx, oracle_arch(f->native)), 0);
		assert_int_equal(seccomp_arch_remove(ctx, SCMP_ARCH_NATIVE), 0);
	}
	for (size_t i = 0; i < f->n_arches; i++)
		(void)seccomp_arch_add(ctx, oracle_arch(f->arches[i])); /* there already is fine */
	for (size_t i = 0; i < f->n_rules; i++) {
		const struct seccomp_rule *r = &f->rules[i];
		uint32_t action = oracle_action(r->action, r->errno_ret);

		for (size_t k = 0; k < r->n_names && action != def; k++) {
			int nr = seccomp_syscall_resolve_name(r->names[k]);

			if (nr != __NR_SCMP_ERROR)
				oracle_add(ctx, action, nr, r->conds, r->n_conds);
		}
	}
	assert_int_equal(seccomp_export_bpf(ctx, fd), 0);
	got = pread(fd, ret->f, sizeof ret->f, 0);
	assert_true(got > 0);
	ret->n = (unsigned)((size_t)got / sizeof ret->f[0]);
	close(fd);
	seccomp_release(ctx);
}

static uint32_t audit_of(enum seccomp_arch a)
{
	static const uint32_t audit[SECCOMP_ARCH_COUNT] = {
		[SECCOMP_ARCH_X86_64] = AUDIT_ARCH_X86_64,
		[SECCOMP_ARCH_X86] = AUDIT_ARCH_I386,
		[SECCOMP_ARCH_X32] = AUDIT_ARCH_X86_64,
		[SECCOMP_ARCH_ARM] = AUDIT_ARCH_ARM,
		[SECCOMP_ARCH_AARCH64] = AUDIT_ARCH_AARCH64,
		[SECCOMP_ARCH_MIPS] = AUDIT_ARCH_MIPS,
		[SECCOMP_ARCH_MIPS64] = AUDIT_ARCH_MIPS64,
		[SECCOMP_ARCH_RISCV64] = AUDIT_ARCH_RISCV64,
		[SECCOMP_ARCH_S390X] = AUDIT_ARCH_S390X,
		[SECCOMP_ARCH_PPC64LE] = AUDIT_ARCH_PPC64LE,
		[SECCOMP_ARCH_S390] = AUDIT_ARCH_S390,
	};
	return audit[a];
}

/* Does libseccomp's older table give this number to another call, or not know it at all? */
static bool oracle_knows(enum seccomp_arch a, uint32_t nr)
{
	char *name = seccomp_syscall_resolve_num_arch(oracle_arch(a), (int)nr);
	bool same = false;

	for (unsigned i = 0; seccomp_name(i) && !same; i++)
		if (seccomp_number(a, seccomp_name(i)) == (int64_t)nr)
			same = name && strcmp(seccomp_name(i), name) == 0;
	free(name);
	return same;
}

/* Values around all that the filter compares with. */
struct values {
	uint64_t v[400];
	unsigned n;
};

static void value_add(struct values *v, uint64_t x)
{
	if (v->n < ARRAY_LEN(v->v))
		v->v[v->n++] = x;
}

static void values_collect(const struct seccomp_filter *f, struct values *v)
{
	*v = (struct values){ .n = 0 };
	value_add(v, 0);
	value_add(v, 1);
	value_add(v, UINT32_MAX);
	value_add(v, 1ull << 32);
	value_add(v, UINT64_MAX);
	for (unsigned i = 1; i <= 24; i++)
		value_add(v, i); /* calls of socketcall and ipc */
	for (size_t i = 0; i < f->n_rules; i++)
		for (size_t k = 0; k < f->rules[i].n_conds; k++) {
			const struct seccomp_cond *c = &f->rules[i].conds[k];

			for (int d = -1; d <= 1; d++)
				value_add(v, c->value + (uint64_t)d);
			value_add(v, c->value ^ 1ull << 32);
			value_add(v, c->value_two);
			value_add(v, c->value_two ^ 1);
			value_add(v, c->value_two | ~c->value);
		}
}

struct pair {
	const struct seccomp_filter *f;
	const struct seccomp_prog *ours;
	const struct program *theirs;
	enum seccomp_arch arch;
	uint64_t runs;
};

static void compare_one(struct pair *p, struct seccomp_data *d)
{
	uint32_t a = interpret(p->ours->insns, p->ours->n, d, NULL);
	uint32_t b = interpret(p->theirs->f, p->theirs->n, d, NULL);

	p->runs++;
	/* The library's own interpreter, for calls of this program's architecture. */
	if (d->arch == AUDIT_ARCH_X86_64 && p->arch == seccomp_arch_host() &&
	    seccomp_verdict(p->ours, d->nr, (const uint64_t *)d->args) != a)
		fail_msg("call %d: seccomp_verdict says %#x, the program %#x", d->nr,
			 seccomp_verdict(p->ours, d->nr, (const uint64_t *)d->args), a);
	if (a != b) {
		for (size_t i = 0; i < p->f->n_rules && p->f->n_rules < 20; i++) {
			const struct seccomp_rule *r = &p->f->rules[i];

			print_message("rule %zu: %s.. action %d/%d", i, r->names[0], (int)r->action,
				      r->errno_ret);
			for (size_t k = 0; k < r->n_conds; k++)
				print_message(" a%u %s %#llx %#llx", r->conds[k].index,
					      seccomp_op_name(r->conds[k].op),
					      (unsigned long long)r->conds[k].value,
					      (unsigned long long)r->conds[k].value_two);
			print_message("\n");
		}
		fail_msg("%s call %d(%#llx, %#llx, %#llx, ...): ours %#x, libseccomp %#x",
			 seccomp_arch_name(p->arch), d->nr, (unsigned long long)d->args[0],
			 (unsigned long long)d->args[1], (unsigned long long)d->args[2], a, b);
	}
}

static bool is_narrow(enum seccomp_arch a)
{
	return a == SECCOMP_ARCH_X86 || a == SECCOMP_ARCH_ARM || a == SECCOMP_ARCH_MIPS;
}

/* All values in each argument in turn, and some random mixtures. */
static void compare_args(struct pair *p, const struct values *v, uint32_t nr)
{
	struct seccomp_data d = { .nr = (int)nr, .arch = audit_of(p->arch) };

	for (unsigned arg = 0; arg < 3; arg++)
		for (unsigned i = 0; i < v->n; i++) {
			for (unsigned k = 0; k < 6; k++)
				d.args[k] = v->v[rnd(v->n)];
			d.args[arg] = v->v[i];
			/* The kernel never shows more of a 32-bit caller. */
			for (unsigned k = 0; k < 6 && is_narrow(p->arch); k++)
				d.args[k] = (uint32_t)d.args[k];
			compare_one(p, &d);
		}
}

/* all_args: try arguments on every call, else only on those that the rules name. */
static void compare(const struct seccomp_filter *f, const enum seccomp_arch *arches, unsigned n)
{
	static struct program theirs;
	struct seccomp_prog ours = { 0 };
	struct err err = ERR_INIT;
	struct values v;

	if (seccomp_compile(f, &ours, &err) < 0)
		fail_msg("%s", err.msg);
	oracle_compile(f, &theirs);
	values_collect(f, &v);
	for (unsigned i = 0; i < n; i++) {
		struct pair p = { .f = f, .ours = &ours, .theirs = &theirs, .arch = arches[i] };
		int64_t first = seccomp_number(arches[i], "read") & ~255ll;

		if (arches[i] == SECCOMP_ARCH_MIPS || arches[i] == SECCOMP_ARCH_MIPS64)
			first = seccomp_number(arches[i], "read") / 1000 * 1000;
		for (uint32_t nr = (uint32_t)first; nr < first + 600; nr++)
			if (nr > first + 470 || oracle_knows(arches[i], nr))
				compare_args(&p, &v, nr);
		/* A tracer's -1, x32 numbers, and an architecture that nobody asked for. */
		for (uint32_t nr = 0xfffffff0; nr; nr++)
			compare_one(&p, &(struct seccomp_data){ .nr = (int)nr,
								.arch = audit_of(arches[i]) });
		compare_one(&p, &(struct seccomp_data){ .nr = 0x40000400,
							.arch = audit_of(arches[i]) });
		compare_one(&p, &(struct seccomp_data){ .nr = 1, .arch = 0x12345678 });
	}
	seccomp_prog_fini(&ours);
}

static void compile_ok(const struct seccomp_filter *f, struct seccomp_prog *p)
{
	struct err err = ERR_INIT;

	if (seccomp_compile(f, p, &err) < 0)
		fail_msg("%s", err.msg);
}

static void compile_fails(const struct seccomp_filter *f, enum err_code code, const char *part)
{
	struct seccomp_prog p = { 0 };
	struct err err = ERR_INIT;

	assert_int_equal(seccomp_compile(f, &p, &err), -(int)code);
	assert_int_equal(err.code, code);
	assert_non_null(strstr(err.msg, part));
	assert_null(p.insns);
}

static const char *const list_personality[] = { "personality" };
static const char *const list_getppid[] = { "getppid" };

/* ---- tables ---- */

static void numbers_agree_with_libseccomp(void **state)
{
	unsigned compared = 0;

	for (unsigned a = 1; a < SECCOMP_ARCH_COUNT; a++) {
		uint32_t token = oracle_arch((enum seccomp_arch)a);

		for (unsigned i = 0; token && seccomp_name(i); i++) {
			int nr = seccomp_syscall_resolve_name_arch(token, seccomp_name(i));
			int64_t ours = seccomp_number((enum seccomp_arch)a, seccomp_name(i));

			if (nr < 0) /* older than our table, or a pseudo number */
				continue;
			/* Calls that newer kernels gave to, or took from, an architecture. */
			if (ours == -1)
				continue;
			if (ours != nr)
				fail_msg("%s of %s: ours %d, libseccomp %d", seccomp_name(i),
					 seccomp_arch_name((enum seccomp_arch)a), (int)ours, nr);
			compared++;
		}
	}
	assert_true(compared > 6000);
}

static void numbers_agree_with_this_libc(void **state)
{
	assert_int_equal(seccomp_number(SECCOMP_ARCH_NATIVE, "read"), SYS_read);
	assert_int_equal(seccomp_number(SECCOMP_ARCH_NATIVE, "openat2"), SYS_openat2);
	assert_int_equal(seccomp_number(SECCOMP_ARCH_NATIVE, "seccomp"), SYS_seccomp);
	assert_int_equal(seccomp_number(SECCOMP_ARCH_X86, "socket"), 359);
	assert_int_equal(seccomp_number(SECCOMP_ARCH_X86, "accept"), -1);
	assert_int_equal(seccomp_number(SECCOMP_ARCH_X86, "no_such_call"), -2);
	assert_int_equal(seccomp_number(SECCOMP_ARCH_ARM, "set_tls"), 0xf0005);
	assert_int_equal(seccomp_number(SECCOMP_ARCH_X32, "read"), 0x40000000);
	assert_int_equal(seccomp_number(SECCOMP_ARCH_LOONGARCH64, "statx"), 291);
}

static void names_are_sorted_and_unique(void **state)
{
	unsigned n = 1;

	for (; seccomp_name(n); n++)
		assert_true(strcmp(seccomp_name(n - 1), seccomp_name(n)) < 0);
	assert_true(n > 500);
}

static void oci_words_go_there_and_back(void **state)
{
	struct err err = ERR_INIT;
	enum seccomp_action a = 0;
	enum seccomp_op op = 0;
	enum seccomp_arch arch = 0;
	uint32_t flag, got;
	const char *s;

	for (unsigned i = 0; (s = seccomp_action_name(i)); i++) {
		assert_int_equal(seccomp_action_parse(s, &a, &err), 0);
		assert_int_equal(a, i);
	}
	for (unsigned i = 0; (s = seccomp_op_name(i)); i++) {
		assert_int_equal(seccomp_op_parse(s, &op, &err), 0);
		assert_int_equal(op, i);
	}
	for (unsigned i = 1; (s = seccomp_arch_name(i)); i++) {
		assert_int_equal(seccomp_arch_parse(s, &arch, &err), 0);
		assert_int_equal(arch, i);
	}
	for (unsigned i = 0; (s = seccomp_flag_name(i, &flag)); i++) {
		assert_int_equal(seccomp_flag_parse(s, &got, &err), 0);
		assert_int_equal(got, flag);
	}
	assert_int_equal(seccomp_action_parse("SCMP_ACT_KILL", &a, &err), 0);
	assert_int_equal(a, SECCOMP_ACT_KILL_THREAD);
	assert_int_equal(seccomp_action_parse("ALLOW", &a, &err), -ERR_INVALID);
	assert_non_null(strstr(err.msg, "action 'ALLOW' is unknown"));
	assert_int_equal(seccomp_op_parse("SCMP_CMP_XX", &op, &err), -ERR_INVALID);
	assert_non_null(strstr(err.msg, "SCMP_CMP_XX"));
	assert_int_equal(seccomp_arch_parse("SCMP_ARCH_VAX", &arch, &err), -ERR_INVALID);
	assert_non_null(strstr(err.msg, "SCMP_ARCH_VAX"));
	assert_int_equal(seccomp_flag_parse("SECCOMP_FILTER_FLAG_NEW_LISTENER", &got, &err),
			 -ERR_INVALID);
	assert_non_null(strstr(err.msg, "NEW_LISTENER"));
}

/* ---- against the oracle ---- */

static void default_profile_gives_libseccomps_verdicts(void **state)
{
	static const enum seccomp_arch arches[] = { SECCOMP_ARCH_X86_64, SECCOMP_ARCH_X86,
						    SECCOMP_ARCH_X32 };
	static const uint64_t caps[] = { 0xa80425fb, 0, UINT64_MAX };

	for (unsigned i = 0; i < ARRAY_LEN(caps); i++) {
		CLEANUP(arena_free) struct arena *a = arena_new("profile", 16384);
		struct seccomp_default_params p = { .caps = caps[i],
						    .native = SECCOMP_ARCH_X86_64 };
		struct seccomp_filter f;

		assert_int_equal(seccomp_default_build(&p, a, &f, NULL), 0);
		compare(&f, arches, ARRAY_LEN(arches));
	}
}

static void default_profile_of_other_architectures_too(void **state)
{
	static const struct {
		enum seccomp_arch arches[2];
		unsigned n;
	} cases[] = {
		{ { SECCOMP_ARCH_AARCH64, SECCOMP_ARCH_ARM }, 2 },
		{ { SECCOMP_ARCH_RISCV64 }, 1 },
		{ { SECCOMP_ARCH_PPC64LE }, 1 },
	};

	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(arena_free) struct arena *a = arena_new("profile", 16384);
		struct seccomp_default_params p = { .caps = 0xa80425fb,
						    .native = cases[i].arches[0] };
		struct seccomp_filter f;

		assert_int_equal(seccomp_default_build(&p, a, &f, NULL), 0);
		compare(&f, cases[i].arches, cases[i].n);
	}
}

static void default_profile_depends_on_its_parameters(void **state)
{
	CLEANUP(arena_free) struct arena *a = arena_new("profile", 65536);
	CLEANUP(arena_free) struct arena *tiny = arena_new("tiny", 512);
	struct seccomp_default_params p = { .caps = 0,
					    .kernel = 4 << 8 | 4,
					    .native = SECCOMP_ARCH_X86_64 };
	struct seccomp_data d = { .nr = SYS_ptrace, .arch = AUDIT_ARCH_X86_64 };
	struct seccomp_prog prog = { 0 };
	struct seccomp_filter f;
	struct err err = ERR_INIT;

	assert_int_equal(seccomp_default_build(&p, a, &f, &err), 0);
	compile_ok(&f, &prog);
	assert_int_equal(interpret(prog.insns, prog.n, &d, NULL), SECCOMP_RET_ERRNO | EPERM);
	d.nr = SYS_clone3;
	assert_int_equal(interpret(prog.insns, prog.n, &d, NULL), SECCOMP_RET_ERRNO | ENOSYS);
	d.nr = SYS_socket;
	d.args[0] = 40;
	assert_int_equal(interpret(prog.insns, prog.n, &d, NULL), SECCOMP_RET_ERRNO | EPERM);
	d.args[0] = AF_INET;
	assert_int_equal(interpret(prog.insns, prog.n, &d, NULL), SECCOMP_RET_ALLOW);
	seccomp_prog_fini(&prog);

	p.kernel = 0;
	p.caps = 1ull << 21; /* CAP_SYS_ADMIN */
	assert_int_equal(seccomp_default_build(&p, a, &f, &err), 0);
	compile_ok(&f, &prog);
	d.nr = SYS_ptrace;
	assert_int_equal(interpret(prog.insns, prog.n, &d, NULL), SECCOMP_RET_ALLOW);
	d.nr = SYS_clone3;
	assert_int_equal(interpret(prog.insns, prog.n, &d, NULL), SECCOMP_RET_ALLOW);
	seccomp_prog_fini(&prog);

	assert_int_equal(seccomp_default_build(&p, tiny, &f, &err), -ERR_QUOTA);
	assert_non_null(strstr(err.msg, "tiny"));
}

#define SETS 200
#define SET_RULES 12

static void random_cond(struct seccomp_cond *c, unsigned index)
{
	static const uint64_t pool[] = { 0,	 1,	     2,		  7,
					 0x1000, 0xffffffff, 0x100000000, 0x7fffffff00000001 };

	*c = (struct seccomp_cond){ .index = (uint8_t)index,
				    .op = (uint8_t)rnd(SECCOMP_CMP_COUNT) };
	c->value = pool[rnd(ARRAY_LEN(pool))];
	c->value_two = c->op == SECCOMP_CMP_MASKED_EQ ? c->value & pool[rnd(ARRAY_LEN(pool))] : 0;
}

static const enum seccomp_arch x86_family[] = { SECCOMP_ARCH_X86_64, SECCOMP_ARCH_X86,
						SECCOMP_ARCH_X32 };
static const enum seccomp_action all_actions[] = { SECCOMP_ACT_ALLOW,	     SECCOMP_ACT_ERRNO,
						   SECCOMP_ACT_KILL_PROCESS, SECCOMP_ACT_LOG,
						   SECCOMP_ACT_TRAP,	     SECCOMP_ACT_TRACE };
static const char *const some_calls[] = { "read",   "write", "socket", "bind",
					  "openat", "semop", "mmap",   "mprotect",
					  "ioctl",  "chmod", "accept", "personality",
					  "shmat",  "prctl", "fcntl",  "fcntl64" };

struct random_set {
	struct seccomp_filter f;
	struct seccomp_cond conds[SET_RULES][3];
	struct seccomp_rule rules[SET_RULES];
};

/* distinct: at most one rule for a call. */
static void random_set(struct random_set *s, bool distinct)
{
	s->f = (struct seccomp_filter){
		.def_action = all_actions[rnd(ARRAY_LEN(all_actions))],
		.def_errno = SECCOMP_ERRNO_UNSET,
		.arches = x86_family,
		.n_arches = 1 + rnd(3),
		.rules = s->rules,
		.n_rules = 1 + rnd(SET_RULES),
		.native = SECCOMP_ARCH_X86_64,
	};
	for (unsigned i = 0; i < s->f.n_rules; i++) {
		enum seccomp_action act = all_actions[rnd(ARRAY_LEN(all_actions))];
		unsigned n = rnd(4), first = rnd(3);

		for (unsigned k = 0; k < n; k++)
			random_cond(&s->conds[i][k], (first + k) % 3);
		s->rules[i] = (struct seccomp_rule){
			.names = &some_calls[distinct ? i : rnd(ARRAY_LEN(some_calls) - 1)],
			.n_names = distinct ? 1 : 1 + rnd(2),
			.action = act,
			.errno_ret = act == SECCOMP_ACT_ERRNO ? 13 : SECCOMP_ERRNO_UNSET,
			.conds = s->conds[i],
			.n_conds = n,
		};
	}
}

/*
 * libseccomp 2.5.4 sometimes shares a block of code wrongly and leaves out the load of the call
 * number behind the check of the architecture. Such a program is no oracle.
 */
static bool oracle_is_sound(const struct seccomp_filter *f)
{
	static struct program p;

	oracle_compile(f, &p);
	return p.f[2].code == (BPF_LD | BPF_W | BPF_ABS) && p.f[2].k == 0;
}

/*
 * One rule a call: of several that overlap libseccomp 2.5 takes one branch of its tree and does not
 * come back from it, so that "a0 <= 2 and a1 == 5" can hide "a0 <= 7". The next test has those.
 */
static void random_rules_give_libseccomps_verdicts(void **state)
{
	unsigned sound = 0;

	for (unsigned i = 0; i < SETS; i++) {
		struct random_set s;

		random_set(&s, true);
		s.f.native = x86_family[i % 2];
		s.f.n_arches = 0;
		if (oracle_is_sound(&s.f)) {
			compare(&s.f, &s.f.native, 1);
			sound++;
		}
	}
	assert_true(sound > SETS / 2);
}

static bool cond_holds(const struct seccomp_cond *c, uint64_t a)
{
	switch (c->op) {
	case SECCOMP_CMP_NE: return a != c->value;
	case SECCOMP_CMP_LT: return a < c->value;
	case SECCOMP_CMP_LE: return a <= c->value;
	case SECCOMP_CMP_EQ: return a == c->value;
	case SECCOMP_CMP_GE: return a >= c->value;
	case SECCOMP_CMP_GT: return a > c->value;
	default: return (a & c->value) == c->value_two;
	}
}

/* The rules of the header, read naively. x86_64 only. */
static uint32_t model(const struct seccomp_filter *f, const char *call,
		      const struct seccomp_data *d)
{
	uint32_t def = oracle_action(f->def_action, f->def_errno), v;

	for (int plain = 1; plain >= 0; plain--)
		for (size_t i = 0; i < f->n_rules; i++) {
			const struct seccomp_rule *r = &f->rules[i];
			bool named = false, holds = true;

			v = oracle_action(r->action, r->errno_ret);
			for (size_t k = 0; k < r->n_names; k++)
				named = named || strcmp(r->names[k], call) == 0;
			if (!named || v == def || (r->n_conds == 0) != plain)
				continue;
			for (size_t k = 0; k < r->n_conds; k++)
				holds = holds &&
					cond_holds(&r->conds[k], d->args[r->conds[k].index]);
			if (holds)
				return v;
		}
	return def;
}

static void random_overlapping_rules_follow_the_documented_order(void **state)
{
	struct random_set s;
	struct values v;

	for (unsigned i = 0; i < SETS * 3; i++) {
		struct seccomp_prog p = { 0 };

		random_set(&s, false);
		s.f.n_arches = 0;
		compile_ok(&s.f, &p);
		values_collect(&s.f, &v);
		for (unsigned call = 0; call < ARRAY_LEN(some_calls); call++)
			for (unsigned k = 0; k < 100; k++) {
				struct seccomp_data d = { .arch = AUDIT_ARCH_X86_64 };

				d.nr = (int)seccomp_number(SECCOMP_ARCH_X86_64, some_calls[call]);
				for (unsigned arg = 0; arg < 6; arg++)
					d.args[arg] = v.v[rnd(v.n)];
				if (d.nr >= 0)
					assert_int_equal(interpret(p.insns, p.n, &d, NULL),
							 model(&s.f, some_calls[call], &d));
			}
		seccomp_prog_fini(&p);
	}
}

/* ---- meaning ---- */

static uint32_t run_one(const struct seccomp_filter *f, int nr, uint64_t arg0, uint64_t arg1)
{
	struct seccomp_data d = { .nr = nr, .arch = AUDIT_ARCH_X86_64, .args = { arg0, arg1 } };
	struct seccomp_prog p = { 0 };
	uint32_t v;

	compile_ok(f, &p);
	v = interpret(p.insns, p.n, &d, NULL);
	seccomp_prog_fini(&p);
	return v;
}

static void an_argument_named_twice_makes_alternatives(void **state)
{
	const struct seccomp_cond conds[] = { { .index = 0, .op = SECCOMP_CMP_EQ, .value = 1 },
					      { .index = 0, .op = SECCOMP_CMP_EQ, .value = 2 } };
	const struct seccomp_rule rule = { .names = list_personality,
					   .n_names = 1,
					   .action = SECCOMP_ACT_ALLOW,
					   .errno_ret = SECCOMP_ERRNO_UNSET,
					   .conds = conds,
					   .n_conds = 2 };
	const struct seccomp_filter f = { .def_action = SECCOMP_ACT_ERRNO,
					  .def_errno = SECCOMP_ERRNO_UNSET,
					  .rules = &rule,
					  .n_rules = 1,
					  .native = SECCOMP_ARCH_X86_64 };
	int nr = (int)seccomp_number(SECCOMP_ARCH_X86_64, "personality");

	assert_int_equal(run_one(&f, nr, 1, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(run_one(&f, nr, 2, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(run_one(&f, nr, 3, 0), SECCOMP_RET_ERRNO | EPERM);
}

static void first_matching_rule_wins_and_a_plain_rule_beats_all(void **state)
{
	const struct seccomp_cond low = { .index = 0, .op = SECCOMP_CMP_LT, .value = 10 };
	const struct seccomp_cond mid = { .index = 0, .op = SECCOMP_CMP_LT, .value = 20 };
	struct seccomp_rule rules[] = {
		{ list_getppid, 1, SECCOMP_ACT_ERRNO, 5, &low, 1 },
		{ list_getppid, 1, SECCOMP_ACT_ERRNO, 6, &mid, 1 },
		{ list_getppid, 1, SECCOMP_ACT_LOG, SECCOMP_ERRNO_UNSET, NULL, 0 },
		{ list_getppid, 1, SECCOMP_ACT_TRAP, SECCOMP_ERRNO_UNSET, NULL, 0 },
	};
	struct seccomp_filter f = { .def_action = SECCOMP_ACT_ALLOW,
				    .def_errno = SECCOMP_ERRNO_UNSET,
				    .rules = rules,
				    .n_rules = 2,
				    .native = SECCOMP_ARCH_X86_64 };
	int nr = (int)seccomp_number(SECCOMP_ARCH_X86_64, "getppid");

	assert_int_equal(run_one(&f, nr, 9, 0), SECCOMP_RET_ERRNO | 5);
	assert_int_equal(run_one(&f, nr, 19, 0), SECCOMP_RET_ERRNO | 6);
	assert_int_equal(run_one(&f, nr, 20, 0), SECCOMP_RET_ALLOW);
	f.n_rules = 4;
	assert_int_equal(run_one(&f, nr, 9, 0), SECCOMP_RET_LOG);
}

static void newer_calls_get_enosys_when_asked_for(void **state)
{
	static const char *const names[] = { "read", "openat2" };
	const struct seccomp_rule rule = {
		names, 2, SECCOMP_ACT_ALLOW, SECCOMP_ERRNO_UNSET, NULL, 0
	};
	struct seccomp_filter f = { .def_action = SECCOMP_ACT_ERRNO,
				    .def_errno = SECCOMP_ERRNO_UNSET,
				    .rules = &rule,
				    .n_rules = 1,
				    .native = SECCOMP_ARCH_X86_64,
				    .options = SECCOMP_OPT_ENOSYS_NEWER };

	assert_int_equal(run_one(&f, 437, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(run_one(&f, 436, 0, 0), SECCOMP_RET_ERRNO | EPERM);
	assert_int_equal(run_one(&f, 438, 0, 0), SECCOMP_RET_ERRNO | ENOSYS);
	assert_int_equal(run_one(&f, 100000, 0, 0), SECCOMP_RET_ERRNO | ENOSYS);
	f.def_errno = ENOSYS;
	f.options = 0;
	assert_int_equal(run_one(&f, 436, 0, 0), SECCOMP_RET_ERRNO | ENOSYS);
}

static void bad_rules_are_refused_by_name(void **state)
{
	struct seccomp_cond cond = { .index = 6, .op = SECCOMP_CMP_EQ };
	struct seccomp_rule rule = { list_getppid, 1, SECCOMP_ACT_ALLOW, 5, NULL, 0 };
	static const enum seccomp_arch big[] = { SECCOMP_ARCH_S390X };
	static const char *const unknown[] = { "no_such_call" };
	struct seccomp_filter f = { .def_action = SECCOMP_ACT_ERRNO,
				    .def_errno = SECCOMP_ERRNO_UNSET,
				    .rules = &rule,
				    .n_rules = 1,
				    .native = SECCOMP_ARCH_X86_64 };
	struct seccomp_prog p = { 0 };

	compile_fails(&f, ERR_INVALID,
		      "rule of 'getppid': seccomp: SCMP_ACT_ALLOW takes no errnoRet");
	rule.action = SECCOMP_ACT_ERRNO;
	rule.errno_ret = 4096;
	compile_fails(&f, ERR_INVALID, "errnoRet 4096");
	rule.errno_ret = 1;
	rule.conds = &cond;
	rule.n_conds = 1;
	compile_fails(&f, ERR_INVALID, "argument 6");
	cond.index = 0;
	cond.op = 99;
	compile_fails(&f, ERR_INVALID, "operator 99");
	rule.n_conds = 1000;
	compile_fails(&f, ERR_TOO_LARGE, "more than 32 conditions");
	rule.n_conds = 0;
	rule.n_names = 0;
	compile_fails(&f, ERR_INVALID, "without a call's name");
	rule.n_names = 1;
	f.def_action = SECCOMP_ACT_ALLOW;
	f.def_errno = 3;
	compile_fails(&f, ERR_INVALID, "default action");
	f.def_errno = SECCOMP_ERRNO_UNSET;
	f.arches = big;
	f.n_arches = 1;
	compile_fails(&f, ERR_UNSUPPORTED, "SCMP_ARCH_S390X has another byte order");
	f.n_arches = 0;
	f.flags = SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
	compile_fails(&f, ERR_INVALID, "SCMP_ACT_NOTIFY");
	f.flags = 0;
	rule.names = unknown;
	compile_ok(&f, &p);
	assert_int_equal(p.unknown, 1);
	seccomp_prog_fini(&p);
	f.options = SECCOMP_OPT_UNKNOWN_FATAL;
	compile_fails(&f, ERR_INVALID, "'no_such_call' is unknown");
}

static void rules_past_the_kernels_limit_are_refused(void **state)
{
	enum { N = 3000 };
	struct seccomp_cond *conds = calloc(N, sizeof *conds);
	struct seccomp_rule *rules = calloc(N, sizeof *rules);
	struct seccomp_filter f = { .def_action = SECCOMP_ACT_ERRNO,
				    .def_errno = SECCOMP_ERRNO_UNSET,
				    .rules = rules,
				    .n_rules = N,
				    .native = SECCOMP_ARCH_X86_64 };
	struct seccomp_data d = { .nr = 110, .arch = AUDIT_ARCH_X86_64 };
	struct seccomp_prog p = { 0 };

	for (unsigned i = 0; i < N; i++) {
		conds[i] = (struct seccomp_cond){ .op = SECCOMP_CMP_EQ, .value = i * 3 };
		rules[i] = (struct seccomp_rule){ list_getppid,	   1,	      SECCOMP_ACT_ERRNO,
						  (int)(i % 4000), &conds[i], 1 };
	}
	compile_fails(&f, ERR_TOO_LARGE, "4096 instructions");
	/* As many as fit: jumps over more than 255 instructions. */
	f.n_rules = 700;
	compile_ok(&f, &p);
	for (unsigned i = 0; i < 700; i++) {
		d.args[0] = i * 3;
		if (i != 1)
			assert_int_equal(interpret(p.insns, p.n, &d, NULL), SECCOMP_RET_ERRNO | i);
		d.args[0] = i * 3 + 1;
		assert_int_equal(interpret(p.insns, p.n, &d, NULL), SECCOMP_RET_ERRNO | EPERM);
	}
	seccomp_prog_fini(&p);
	f.n_rules = SECCOMP_RULES_MAX + 1;
	compile_fails(&f, ERR_TOO_LARGE, "8193 rules");
	free(conds);
	free(rules);
}

/* ---- the cache ---- */

static void a_saved_program_comes_back_only_for_its_source(void **state)
{
	CLEANUP(arena_free) struct arena *a = arena_new("profile", 65536);
	CLEANUP(buf_fini) struct buf b = BUF_INIT(65536);
	struct seccomp_default_params dp = { .caps = 0 };
	char hex[SHA256_HEX_LEN + 1], other[SHA256_HEX_LEN + 1];
	struct seccomp_prog p = { 0 }, q = { 0 };
	struct seccomp_filter f;
	struct err err = ERR_INIT;

	assert_int_equal(seccomp_default_build(&dp, a, &f, &err), 0);
	seccomp_digest(&f, hex);
	compile_ok(&f, &p);
	assert_int_equal(seccomp_save(&p, hex, &b), 0);
	assert_int_equal(seccomp_restore(buf_slice(&b), hex, &q, &err), 0);
	assert_int_equal(q.n, p.n);
	assert_memory_equal(q.insns, p.insns, p.n * sizeof *p.insns);
	seccomp_prog_fini(&q);

	dp.caps = 1ull << 21;
	assert_int_equal(seccomp_default_build(&dp, a, &f, &err), 0);
	seccomp_digest(&f, other);
	assert_string_not_equal(hex, other);
	assert_int_equal(seccomp_restore(buf_slice(&b), other, &q, &err), -ERR_NOT_FOUND);
	assert_non_null(strstr(err.msg, "another profile"));
	assert_int_equal(seccomp_restore(slice_of(b.p, 20), hex, &q, &err), -ERR_INVALID);
	assert_non_null(strstr(err.msg, "cut off"));
	assert_int_equal(seccomp_restore(slice_of(b.p, b.n - 8), hex, &q, &err), -ERR_INVALID);
	assert_non_null(strstr(err.msg, "do not hold"));
	b.p[b.n - 3] ^= 1;
	assert_int_equal(seccomp_restore(buf_slice(&b), hex, &q, &err), -ERR_INVALID);
	assert_non_null(strstr(err.msg, "checksum"));
	buf_clear(&b);
	p.insns[0].code = 0x99; /* with a valid checksum */
	assert_int_equal(seccomp_save(&p, hex, &b), 0);
	assert_int_equal(seccomp_restore(buf_slice(&b), hex, &q, &err), -ERR_INVALID);
	assert_non_null(strstr(err.msg, "bad instruction 0"));
	assert_null(q.insns);
	seccomp_prog_fini(&p);
}

/* ---- real loads ---- */

static struct seccomp_prog one_rule(const char *const *name, enum seccomp_action action, int e,
				    uint32_t flags)
{
	const struct seccomp_rule rule = { name, 1, action, e, NULL, 0 };
	const struct seccomp_filter f = { .def_action = SECCOMP_ACT_ALLOW,
					  .def_errno = SECCOMP_ERRNO_UNSET,
					  .rules = &rule,
					  .n_rules = 1,
					  .flags = flags };
	struct seccomp_prog p = { 0 };

	compile_ok(&f, &p);
	return p;
}

/* Child: load, call getppid, exit with errno (0 if it worked). */
static int status_of_call(const struct seccomp_prog *p)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		struct err err = ERR_INIT;
		int listener;

		signal(SIGSYS, SIG_DFL); /* cmocka catches it */
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		if (seccomp_install(p, &listener, &err) < 0)
			_exit(200);
		errno = 0;
		syscall(SYS_getppid);
		_exit(errno);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void the_kernel_does_what_the_actions_say(void **state)
{
	static const struct {
		enum seccomp_action action;
		int e, exit, signal;
	} cases[] = {
		{ SECCOMP_ACT_ERRNO, 77, 77, 0 },
		{ SECCOMP_ACT_KILL_PROCESS, SECCOMP_ERRNO_UNSET, 0, SIGSYS },
		{ SECCOMP_ACT_KILL_THREAD, SECCOMP_ERRNO_UNSET, 0, SIGSYS },
		{ SECCOMP_ACT_TRAP, SECCOMP_ERRNO_UNSET, 0, SIGSYS },
		{ SECCOMP_ACT_LOG, SECCOMP_ERRNO_UNSET, 0, 0 },
		{ SECCOMP_ACT_ALLOW, SECCOMP_ERRNO_UNSET, 0, 0 },
		{ SECCOMP_ACT_TRACE, 1, ENOSYS, 0 }, /* no tracer */
	};

	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		struct seccomp_prog p = one_rule(list_getppid, cases[i].action, cases[i].e, 0);
		int status = status_of_call(&p);

		if (cases[i].signal) {
			assert_true(WIFSIGNALED(status));
			assert_int_equal(WTERMSIG(status), cases[i].signal);
		} else {
			assert_true(WIFEXITED(status));
			assert_int_equal(WEXITSTATUS(status), cases[i].exit);
		}
		seccomp_prog_fini(&p);
	}
}

static void notify_gives_a_listener_that_answers(void **state)
{
	struct seccomp_prog p = one_rule(list_getppid, SECCOMP_ACT_NOTIFY, SECCOMP_ERRNO_UNSET,
					 SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);
	struct seccomp_notif_resp resp = { 0 };
	struct seccomp_notif req = { 0 };
	int sv[2], fd = -1, status;
	struct cmsghdr *cm;
	char ctl[CMSG_SPACE(sizeof fd)] = { 0 }, byte = 'x';
	struct iovec iov = { &byte, 1 };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = ctl, .msg_controllen = sizeof ctl
	};
	pid_t pid;

	assert_true(p.notify);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv), 0);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		if (seccomp_install(&p, &fd, NULL) < 0 || !(fcntl(fd, F_GETFD) & FD_CLOEXEC))
			_exit(200);
		cm = CMSG_FIRSTHDR(&m);
		*cm = (struct cmsghdr){ CMSG_LEN(sizeof fd), SOL_SOCKET, SCM_RIGHTS };
		memcpy(CMSG_DATA(cm), &fd, sizeof fd);
		if (sendmsg(sv[1], &m, 0) != 1)
			_exit(201);
		_exit(syscall(SYS_getppid) == 4711 ? 0 : 1);
	}
	assert_int_equal(recvmsg(sv[0], &m, MSG_CMSG_CLOEXEC), 1);
	cm = CMSG_FIRSTHDR(&m);
	assert_non_null(cm);
	memcpy(&fd, CMSG_DATA(cm), sizeof fd);
	assert_int_equal(ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &req), 0);
	assert_int_equal(req.data.nr, SYS_getppid);
	resp.id = req.id;
	resp.val = 4711;
	assert_int_equal(ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &resp), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(fd);
	close(sv[0]);
	close(sv[1]);
	seccomp_prog_fini(&p);
}

static void load_failures_name_the_cause(void **state)
{
	struct seccomp_prog p = one_rule(list_getppid, SECCOMP_ACT_ERRNO, 1, 1u << 30);
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct err err = ERR_INIT;
		int r = seccomp_install(&p, NULL, &err);

		if (r != -ERR_SYSTEM || !strstr(err.msg, "load seccomp filter of"))
			_exit(1);
		p.flags = 0;
		/* Without capabilities and without no_new_privs. */
		if (setresuid(65534, 65534, 65534) < 0)
			_exit(2);
		r = seccomp_install(&p, NULL, &err);
		_exit(r == -ERR_FORBIDDEN && strstr(err.msg, "no_new_privs") ? 0 : 3);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	seccomp_prog_fini(&p);
}

static void probes_know_this_kernel(void **state)
{
	assert_true(seccomp_kernel_has_action(SECCOMP_ACT_ALLOW));
	assert_true(seccomp_kernel_has_action(SECCOMP_ACT_KILL_PROCESS));
	assert_true(seccomp_kernel_has_flag(SECCOMP_FILTER_FLAG_LOG));
	assert_true(seccomp_kernel_has_flag(SECCOMP_FILTER_FLAG_TSYNC));
	assert_false(seccomp_kernel_has_flag(1u << 30));
}

/* The default profile with a real program's calls, and the cost of it: shown, not judged (the
 * machine is shared). */
static void default_profile_loads_and_is_cheap(void **state)
{
	CLEANUP(arena_free) struct arena *a = arena_new("profile", 65536);
	struct seccomp_default_params dp = { .caps = 0xa80425fb };
	struct seccomp_data d = { .arch = AUDIT_ARCH_X86_64 };
	unsigned steps = 0, worst = 0;
	struct timespec t0, t1, t2;
	struct seccomp_prog p = { 0 };
	struct seccomp_filter f;
	int status;
	pid_t pid;

	clock_gettime(CLOCK_MONOTONIC, &t0);
	assert_int_equal(seccomp_default_build(&dp, a, &f, NULL), 0);
	compile_ok(&f, &p);
	clock_gettime(CLOCK_MONOTONIC, &t1);
	for (int nr = 0; nr < 450; nr++) {
		steps = 0;
		(void)interpret(p.insns, p.n, &d, &steps);
		d.nr = nr;
		worst = MAX(worst, steps);
	}
	assert_true(worst < 24);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		clock_gettime(CLOCK_MONOTONIC, &t0);
		if (seccomp_install(&p, NULL, NULL) < 0)
			_exit(1);
		clock_gettime(CLOCK_MONOTONIC, &t2);
		print_message("load %ld us\n", (t2.tv_nsec - t0.tv_nsec) / 1000);
		if (syscall(SYS_mount, 0, 0, 0, 0, 0) != -1 || errno != EPERM)
			_exit(2);
		if (personality(0xffffffff) < 0 || syscall(SYS_personality, 0x40) != -1)
			_exit(3);
		if (syscall(SYS_clone3, NULL, 0) != -1 || errno != ENOSYS)
			_exit(4);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	print_message("default profile: %u instructions, at most %u steps a call, build and "
		      "compile %ld us\n",
		      p.n, worst,
		      (t1.tv_sec - t0.tv_sec) * 1000000 + (t1.tv_nsec - t0.tv_nsec) / 1000);
	seccomp_prog_fini(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_agree_with_libseccomp),
		cmocka_unit_test(numbers_agree_with_this_libc),
		cmocka_unit_test(names_are_sorted_and_unique),
		cmocka_unit_test(oci_words_go_there_and_back),
		cmocka_unit_test(default_profile_gives_libseccomps_verdicts),
		cmocka_unit_test(default_profile_of_other_architectures_too),
		cmocka_unit_test(default_profile_depends_on_its_parameters),
		cmocka_unit_test(random_rules_give_libseccomps_verdicts),
		cmocka_unit_test(random_overlapping_rules_follow_the_documented_order),
		cmocka_unit_test(an_argument_named_twice_makes_alternatives),
		cmocka_unit_test(first_matching_rule_wins_and_a_plain_rule_beats_all),
		cmocka_unit_test(newer_calls_get_enosys_when_asked_for),
		cmocka_unit_test(bad_rules_are_refused_by_name),
		cmocka_unit_test(rules_past_the_kernels_limit_are_refused),
		cmocka_unit_test(a_saved_program_comes_back_only_for_its_source),
		cmocka_unit_test(the_kernel_does_what_the_actions_say),
		cmocka_unit_test(notify_gives_a_listener_that_answers),
		cmocka_unit_test(load_failures_name_the_cause),
		cmocka_unit_test(probes_know_this_kernel),
		cmocka_unit_test(default_profile_loads_and_is_cheap),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
