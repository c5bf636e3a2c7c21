/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Seccomp: rules in, classic BPF out, and the load of it. No libseccomp (it is the oracle of the
 * tests).
 *
 * Meaning of a rule set (as libseccomp's, and runc's use of it, for the same input):
 * - A rule holds for each of its names that exists on an architecture of the filter. The native
 *   architecture is always one of them. A call from any other architecture gets KILL_THREAD.
 * - Rules whose action and data equal the default's are dropped.
 * - The conditions of one rule are a conjunction; when an argument index occurs twice in a rule,
 * each condition becomes a rule of its own (a disjunction), as runc and crun do.
 * - Several rules for one call: a rule without conditions beats all with conditions, and the first
 * of those without wins. Among rules with conditions the first in order that matches wins
 * (in libseccomp 2.5 overlapping ones can hide each other).
 * - On 32-bit architectures (x32 too) only the low 32 bits of arguments and values are compared.
 * - Where calls are also reached through socketcall(2) or ipc(2), a rule for such a call covers
 * both ways. By the second way argument 0 says which call it is, so the rule's conditions on
 * argument 0 are dropped.
 * - x32 numbers (bit 30) on x86_64 without SCMP_ARCH_X32 in the filter get KILL_THREAD.
 *
 * The program is a binary search over ranges of equal verdict, since the kernel runs it once per
 * call number at load. Thread safe: no state. This file hides the kernel's header of the same name,
 * so it includes that one.
 */
#pragma once

#include_next <linux/seccomp.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct sock_filter;

/* OCI names in the table of seccomp_action_name; KILL is another spelling of KILL_THREAD. */
enum seccomp_action {
	SECCOMP_ACT_KILL_THREAD,
	SECCOMP_ACT_KILL_PROCESS,
	SECCOMP_ACT_TRAP,
	SECCOMP_ACT_ERRNO,
	SECCOMP_ACT_TRACE,
	SECCOMP_ACT_ALLOW,
	SECCOMP_ACT_LOG,
	SECCOMP_ACT_NOTIFY,
	SECCOMP_ACT_COUNT
};

enum seccomp_op {
	SECCOMP_CMP_NE,
	SECCOMP_CMP_LT,
	SECCOMP_CMP_LE,
	SECCOMP_CMP_EQ,
	SECCOMP_CMP_GE,
	SECCOMP_CMP_GT,
	SECCOMP_CMP_MASKED_EQ, /* (argument & value) == value_two */
	SECCOMP_CMP_COUNT
};

enum seccomp_arch {
	SECCOMP_ARCH_NATIVE, /* of this program; x86_64 in an x32 program */
	SECCOMP_ARCH_X86_64,
	SECCOMP_ARCH_X86,
	SECCOMP_ARCH_X32,
	SECCOMP_ARCH_ARM,
	SECCOMP_ARCH_AARCH64,
	SECCOMP_ARCH_LOONGARCH64,
	SECCOMP_ARCH_M68K,
	SECCOMP_ARCH_MIPS,
	SECCOMP_ARCH_MIPSEL,
	SECCOMP_ARCH_MIPS64,
	SECCOMP_ARCH_MIPSEL64,
	SECCOMP_ARCH_MIPS64N32,
	SECCOMP_ARCH_MIPSEL64N32,
	SECCOMP_ARCH_PARISC,
	SECCOMP_ARCH_PARISC64,
	SECCOMP_ARCH_PPC,
	SECCOMP_ARCH_PPC64,
	SECCOMP_ARCH_PPC64LE,
	SECCOMP_ARCH_RISCV64,
	SECCOMP_ARCH_S390,
	SECCOMP_ARCH_S390X,
	SECCOMP_ARCH_SH,
	SECCOMP_ARCH_SHEB,
	SECCOMP_ARCH_COUNT
};

struct seccomp_cond {
	uint8_t index; /* argument 0..5 */
	uint8_t op;    /* enum seccomp_op */
	uint64_t value, value_two;
};

#define SECCOMP_ERRNO_UNSET (-1) /* errnoRet absent: EPERM for ERRNO and TRACE */

struct seccomp_rule {
	const char *const *names;
	size_t n_names;
	enum seccomp_action action;
	int errno_ret; /* SECCOMP_ERRNO_UNSET, or 0..4095 (ERRNO) or 0..65535 (TRACE); other actions
			  take none */
	const struct seccomp_cond *conds;
	size_t n_conds; /* at most SECCOMP_CONDS_MAX */
};

#define SECCOMP_CONDS_MAX 32
#define SECCOMP_RULES_MAX 8192

/* Of struct seccomp_filter.options. */
#define SECCOMP_OPT_UNKNOWN_FATAL \
	1u /* a name no architecture knows is ERR_INVALID; without: skipped and counted */
#define SECCOMP_OPT_ENOSYS_NEWER \
	2u /* numbers past all that the rules name get ENOSYS instead of an ERRNO default */

struct seccomp_filter {
	enum seccomp_action def_action;
	int def_errno;			 /* as seccomp_rule.errno_ret */
	const enum seccomp_arch *arches; /* besides the native one; may name it */
	size_t n_arches;
	uint32_t flags; /* SECCOMP_FILTER_FLAG_{TSYNC,LOG,SPEC_ALLOW,WAIT_KILLABLE_RECV} */
	const struct seccomp_rule *rules;
	size_t n_rules;
	enum seccomp_arch native; /* SECCOMP_ARCH_NATIVE outside of tests */
	unsigned options;
};

/* A compiled filter. */
struct seccomp_prog {
	struct sock_filter *insns; /* heap */
	uint16_t n;
	bool notify;	  /* some verdict is NOTIFY: the load gives a listener */
	uint32_t flags;	  /* SECCOMP_FILTER_FLAG_* for the load */
	uint32_t unknown; /* names that were skipped since nothing knows them */
};

void seccomp_prog_fini(struct seccomp_prog *p);
DEFINE_CLEANUP_EMBEDDED(struct seccomp_prog, seccomp_prog_fini)

/* ERR_INVALID for a bad rule, ERR_TOO_LARGE past the kernel's 4096 instructions, ERR_UNSUPPORTED
 * for an architecture of another byte order than the native one. */
int seccomp_compile(const struct seccomp_filter *f, struct seccomp_prog *ret, struct err *err);

/* What the program says of a call of this program's own architecture: SECCOMP_RET_* with its data.
 * KILL_PROCESS for a program that is not one of the compiler's. */
uint32_t seccomp_verdict(const struct seccomp_prog *p, int nr, const uint64_t args[6]);
bool seccomp_allows(uint32_t verdict); /* the call is made, and nobody is asked */

/*
 * Loads the program into the calling thread (all threads with TSYNC). The caller has no_new_privs
 * or CAP_SYS_ADMIN. With p->notify *ret_listener receives the O_CLOEXEC listener fd, else -1; it
 * may be NULL only when !p->notify. Allocates nothing: fit for a cloned child. ERR_UNSUPPORTED
 * names what the kernel lacks.
 */
int seccomp_install(const struct seccomp_prog *p, int *ret_listener, struct err *err);

/* Digest of everything that decides the output, and of the compiler's version: the key of a cache.
 */
void seccomp_digest(const struct seccomp_filter *f, char hex[SHA256_HEX_LEN + 1]);
/* The program as bytes, with the digest it was compiled from. */
int seccomp_save(const struct seccomp_prog *p, const char *hex, struct buf *out);
/* -ERR_NOT_FOUND when the bytes are of another digest or version, -ERR_INVALID when damaged. Every
 * jump is checked. */
int seccomp_restore(struct slice bytes, const char *hex, struct seccomp_prog *ret, struct err *err);

/* OCI spellings: "SCMP_ACT_ALLOW", "SCMP_CMP_EQ", "SCMP_ARCH_X86_64", "SECCOMP_FILTER_FLAG_LOG".
 * The parsers return 0 or -ERR_INVALID naming the text; the names are NULL past the end of the
 * table. */
int seccomp_action_parse(const char *s, enum seccomp_action *ret, struct err *err);
int seccomp_op_parse(const char *s, enum seccomp_op *ret, struct err *err);
int seccomp_arch_parse(const char *s, enum seccomp_arch *ret, struct err *err);
int seccomp_flag_parse(const char *s, uint32_t *ret, struct err *err);
const char *seccomp_action_name(enum seccomp_action a);
const char *seccomp_op_name(enum seccomp_op o);
const char *seccomp_arch_name(
	enum seccomp_arch a); /* NULL for NATIVE too: use seccomp_arch_host() */
const char *seccomp_flag_name(unsigned i, uint32_t *ret_flag);
enum seccomp_arch seccomp_arch_host(void);

/* Probes for `features` and warnings: does this kernel know the action or the flag? */
bool seccomp_kernel_has_action(enum seccomp_action a);
bool seccomp_kernel_has_flag(uint32_t flag);

/* Number of a call, -1 when that architecture has none by this name, -2 when no architecture has.
 */
int64_t seccomp_number(enum seccomp_arch a, const char *name);
/* The n-th known name in sorted order, NULL at the end. */
const char *seccomp_name(unsigned n);
