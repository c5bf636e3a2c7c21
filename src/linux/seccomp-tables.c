/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the seccomp compiler knows: call names and numbers of all architectures, spellings of OCI.
 * Names are one block of characters with 16-bit offsets, so that a static program needs no
 * relocations for them; numbers are 16 bits a piece, without the architecture's base.
 */
#include "linux/seccomp-tables.h"

#include "base/err.h"

#include <linux/audit.h>
#include <stddef.h>
#include <string.h>

struct name_block {
#define S(name, ...) char name_##name[sizeof #name];
#include "linux/seccomp-numbers.inc"
#undef S
};

static const struct name_block names = {
#define S(name, ...) .name_##name = #name,
#include "linux/seccomp-numbers.inc"
#undef S
};

static const uint16_t name_at[] = {
#define S(name, ...) offsetof(struct name_block, name_##name),
#include "linux/seccomp-numbers.inc"
#undef S
};

#define COLUMNS 18

static const uint16_t numbers[][COLUMNS] = {
#define o SECCOMP_NO_CALL
#define S(name, ...) { __VA_ARGS__ },
#include "linux/seccomp-numbers.inc"
#undef S
#undef o
};

/* Not in every uapi header that we compile with. */
#ifndef AUDIT_ARCH_LOONGARCH64
#define AUDIT_ARCH_LOONGARCH64 (258 | __AUDIT_ARCH_64BIT | __AUDIT_ARCH_LE)
#endif

/* clang-format off */
const struct seccomp_arch_info seccomp_arch_infos[SECCOMP_ARCH_COUNT] = {
	/*                                audit                     base        col  big    wide   muxed */
	[SECCOMP_ARCH_X86_64]         = { AUDIT_ARCH_X86_64,        0,          0,   false, true,  false },
	[SECCOMP_ARCH_X86]            = { AUDIT_ARCH_I386,          0,          1,   false, false, true  },
	[SECCOMP_ARCH_X32]            = { AUDIT_ARCH_X86_64,        0x40000000, 2,   false, false, false },
	[SECCOMP_ARCH_ARM]            = { AUDIT_ARCH_ARM,           0,          3,   false, false, false },
	[SECCOMP_ARCH_AARCH64]        = { AUDIT_ARCH_AARCH64,       0,          4,   false, true,  false },
	[SECCOMP_ARCH_LOONGARCH64]    = { AUDIT_ARCH_LOONGARCH64,   0,          5,   false, true,  false },
	[SECCOMP_ARCH_M68K]           = { AUDIT_ARCH_M68K,          0,          6,   true,  false, true  },
	[SECCOMP_ARCH_MIPS]           = { AUDIT_ARCH_MIPS,          4000,       7,   true,  false, true  },
	[SECCOMP_ARCH_MIPSEL]         = { AUDIT_ARCH_MIPSEL,        4000,       7,   false, false, true  },
	[SECCOMP_ARCH_MIPS64]         = { AUDIT_ARCH_MIPS64,        5000,       8,   true,  true,  false },
	[SECCOMP_ARCH_MIPSEL64]       = { AUDIT_ARCH_MIPSEL64,      5000,       8,   false, true,  false },
	[SECCOMP_ARCH_MIPS64N32]      = { AUDIT_ARCH_MIPS64N32,     6000,       9,   true,  false, false },
	[SECCOMP_ARCH_MIPSEL64N32]    = { AUDIT_ARCH_MIPSEL64N32,   6000,       9,   false, false, false },
	[SECCOMP_ARCH_PARISC]         = { AUDIT_ARCH_PARISC,        0,          10,  true,  false, false },
	[SECCOMP_ARCH_PARISC64]       = { AUDIT_ARCH_PARISC64,      0,          11,  true,  true,  false },
	[SECCOMP_ARCH_PPC]            = { AUDIT_ARCH_PPC,           0,          12,  true,  false, true  },
	[SECCOMP_ARCH_PPC64]          = { AUDIT_ARCH_PPC64,         0,          13,  true,  true,  true  },
	[SECCOMP_ARCH_PPC64LE]        = { AUDIT_ARCH_PPC64LE,       0,          13,  false, true,  true  },
	[SECCOMP_ARCH_RISCV64]        = { AUDIT_ARCH_RISCV64,       0,          14,  false, true,  false },
	[SECCOMP_ARCH_S390]           = { AUDIT_ARCH_S390,          0,          15,  true,  false, true  },
	[SECCOMP_ARCH_S390X]          = { AUDIT_ARCH_S390X,         0,          16,  true,  true,  true  },
	[SECCOMP_ARCH_SH]             = { AUDIT_ARCH_SHEL,          0,          17,  false, false, true  },
	[SECCOMP_ARCH_SHEB]           = { AUDIT_ARCH_SH,            0,          17,  true,  false, true  },
};
/* clang-format on */

static const char *const arch_names[SECCOMP_ARCH_COUNT] = {
	[SECCOMP_ARCH_X86_64] = "SCMP_ARCH_X86_64",
	[SECCOMP_ARCH_X86] = "SCMP_ARCH_X86",
	[SECCOMP_ARCH_X32] = "SCMP_ARCH_X32",
	[SECCOMP_ARCH_ARM] = "SCMP_ARCH_ARM",
	[SECCOMP_ARCH_AARCH64] = "SCMP_ARCH_AARCH64",
	[SECCOMP_ARCH_LOONGARCH64] = "SCMP_ARCH_LOONGARCH64",
	[SECCOMP_ARCH_M68K] = "SCMP_ARCH_M68K",
	[SECCOMP_ARCH_MIPS] = "SCMP_ARCH_MIPS",
	[SECCOMP_ARCH_MIPSEL] = "SCMP_ARCH_MIPSEL",
	[SECCOMP_ARCH_MIPS64] = "SCMP_ARCH_MIPS64",
	[SECCOMP_ARCH_MIPSEL64] = "SCMP_ARCH_MIPSEL64",
	[SECCOMP_ARCH_MIPS64N32] = "SCMP_ARCH_MIPS64N32",
	[SECCOMP_ARCH_MIPSEL64N32] = "SCMP_ARCH_MIPSEL64N32",
	[SECCOMP_ARCH_PARISC] = "SCMP_ARCH_PARISC",
	[SECCOMP_ARCH_PARISC64] = "SCMP_ARCH_PARISC64",
	[SECCOMP_ARCH_PPC] = "SCMP_ARCH_PPC",
	[SECCOMP_ARCH_PPC64] = "SCMP_ARCH_PPC64",
	[SECCOMP_ARCH_PPC64LE] = "SCMP_ARCH_PPC64LE",
	[SECCOMP_ARCH_RISCV64] = "SCMP_ARCH_RISCV64",
	[SECCOMP_ARCH_S390] = "SCMP_ARCH_S390",
	[SECCOMP_ARCH_S390X] = "SCMP_ARCH_S390X",
	[SECCOMP_ARCH_SH] = "SCMP_ARCH_SH",
	[SECCOMP_ARCH_SHEB] = "SCMP_ARCH_SHEB",
};

static const char *const action_names[SECCOMP_ACT_COUNT] = {
	[SECCOMP_ACT_KILL_THREAD] = "SCMP_ACT_KILL_THREAD",
	[SECCOMP_ACT_KILL_PROCESS] = "SCMP_ACT_KILL_PROCESS",
	[SECCOMP_ACT_TRAP] = "SCMP_ACT_TRAP",
	[SECCOMP_ACT_ERRNO] = "SCMP_ACT_ERRNO",
	[SECCOMP_ACT_TRACE] = "SCMP_ACT_TRACE",
	[SECCOMP_ACT_ALLOW] = "SCMP_ACT_ALLOW",
	[SECCOMP_ACT_LOG] = "SCMP_ACT_LOG",
	[SECCOMP_ACT_NOTIFY] = "SCMP_ACT_NOTIFY",
};

static const char *const op_names[SECCOMP_CMP_COUNT] = {
	[SECCOMP_CMP_NE] = "SCMP_CMP_NE",
	[SECCOMP_CMP_LT] = "SCMP_CMP_LT",
	[SECCOMP_CMP_LE] = "SCMP_CMP_LE",
	[SECCOMP_CMP_EQ] = "SCMP_CMP_EQ",
	[SECCOMP_CMP_GE] = "SCMP_CMP_GE",
	[SECCOMP_CMP_GT] = "SCMP_CMP_GT",
	[SECCOMP_CMP_MASKED_EQ] = "SCMP_CMP_MASKED_EQ",
};

/* Later than the oldest headers we build with. */
#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

static const struct {
	const char *name;
	uint32_t flag;
} flag_names[] = {
	{ "SECCOMP_FILTER_FLAG_TSYNC", SECCOMP_FILTER_FLAG_TSYNC },
	{ "SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG },
	{ "SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW },
	{ "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV },
};

enum call {
#define S(name, ...) CALL_##name,
#include "linux/seccomp-numbers.inc"
#undef S
};

/* The calls behind socketcall(2) (uapi linux/net.h) and ipc(2) (uapi linux/ipc.h). */
static const struct {
	uint16_t name, way;
	uint8_t call;
} mux_calls[] = {
	{ CALL_socket, CALL_socketcall, 1 },
	{ CALL_bind, CALL_socketcall, 2 },
	{ CALL_connect, CALL_socketcall, 3 },
	{ CALL_listen, CALL_socketcall, 4 },
	{ CALL_accept, CALL_socketcall, 5 },
	{ CALL_getsockname, CALL_socketcall, 6 },
	{ CALL_getpeername, CALL_socketcall, 7 },
	{ CALL_socketpair, CALL_socketcall, 8 },
	{ CALL_send, CALL_socketcall, 9 },
	{ CALL_recv, CALL_socketcall, 10 },
	{ CALL_sendto, CALL_socketcall, 11 },
	{ CALL_recvfrom, CALL_socketcall, 12 },
	{ CALL_shutdown, CALL_socketcall, 13 },
	{ CALL_setsockopt, CALL_socketcall, 14 },
	{ CALL_getsockopt, CALL_socketcall, 15 },
	{ CALL_sendmsg, CALL_socketcall, 16 },
	{ CALL_recvmsg, CALL_socketcall, 17 },
	{ CALL_accept4, CALL_socketcall, 18 },
	{ CALL_recvmmsg, CALL_socketcall, 19 },
	{ CALL_sendmmsg, CALL_socketcall, 20 },
	{ CALL_semop, CALL_ipc, 1 },
	{ CALL_semget, CALL_ipc, 2 },
	{ CALL_semctl, CALL_ipc, 3 },
	{ CALL_semtimedop, CALL_ipc, 4 },
	{ CALL_msgsnd, CALL_ipc, 11 },
	{ CALL_msgrcv, CALL_ipc, 12 },
	{ CALL_msgget, CALL_ipc, 13 },
	{ CALL_msgctl, CALL_ipc, 14 },
	{ CALL_shmat, CALL_ipc, 21 },
	{ CALL_shmdt, CALL_ipc, 22 },
	{ CALL_shmget, CALL_ipc, 23 },
	{ CALL_shmctl, CALL_ipc, 24 },
};

const char *seccomp_name(unsigned n)
{
	return n < ARRAY_LEN(name_at) ? (const char *)&names + name_at[n] : NULL;
}

int seccomp_name_index(const char *name)
{
	unsigned lo = 0, hi = ARRAY_LEN(name_at);

	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;
		int c = strcmp(name, seccomp_name(mid));

		if (c == 0)
			return (int)mid;
		if (c < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return -1;
}

uint16_t seccomp_table_number(enum seccomp_arch a, unsigned name)
{
	return numbers[name][seccomp_arch_infos[a].column];
}

int seccomp_mux(unsigned name, uint8_t *ret_call)
{
	for (size_t i = 0; i < ARRAY_LEN(mux_calls); i++)
		if (name == mux_calls[i].name) {
			*ret_call = mux_calls[i].call;
			return mux_calls[i].way;
		}
	return -1;
}

int64_t seccomp_number(enum seccomp_arch a, const char *name)
{
	int i = seccomp_name_index(name);
	uint16_t nr;

	if (i < 0)
		return -2;
	if (a == SECCOMP_ARCH_NATIVE)
		a = seccomp_arch_host();
	nr = seccomp_table_number(a, (unsigned)i);
	if (nr == SECCOMP_NO_CALL)
		return -1;
	if (nr >= SECCOMP_ARM_PRIVATE)
		return 0xf0000 + (nr - SECCOMP_ARM_PRIVATE);
	return (int64_t)seccomp_arch_infos[a].base + nr;
}

enum seccomp_arch seccomp_arch_host(void)
{
#if defined(__x86_64__)
	return SECCOMP_ARCH_X86_64;
#elif defined(__i386__)
	return SECCOMP_ARCH_X86;
#elif defined(__aarch64__)
	return SECCOMP_ARCH_AARCH64;
#elif defined(__arm__)
	return SECCOMP_ARCH_ARM;
#elif defined(__riscv) && __riscv_xlen == 64
	return SECCOMP_ARCH_RISCV64;
#elif defined(__loongarch64)
	return SECCOMP_ARCH_LOONGARCH64;
#elif defined(__powerpc64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return SECCOMP_ARCH_PPC64LE;
#elif defined(__powerpc64__)
	return SECCOMP_ARCH_PPC64;
#elif defined(__s390x__)
	return SECCOMP_ARCH_S390X;
#elif defined(__mips64) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return SECCOMP_ARCH_MIPSEL64;
#elif defined(__mips64)
	return SECCOMP_ARCH_MIPS64;
#else
#error "name this architecture's row of seccomp_arch_infos here"
#endif
}

static int name_parse(const char *const *list, unsigned n, const char *s)
{
	for (unsigned i = 0; i < n; i++)
		if (list[i] && strcmp(s, list[i]) == 0)
			return (int)i;
	return -1;
}

int seccomp_action_parse(const char *s, enum seccomp_action *ret, struct err *err)
{
	int i = name_parse(action_names, SECCOMP_ACT_COUNT, s);

	if (i < 0 && strcmp(s, "SCMP_ACT_KILL") == 0)
		i = SECCOMP_ACT_KILL_THREAD;
	if (i < 0)
		return err_set(err, ERR_INVALID, "seccomp action '%s' is unknown", s);
	*ret = (enum seccomp_action)i;
	return 0;
}

int seccomp_op_parse(const char *s, enum seccomp_op *ret, struct err *err)
{
	int i = name_parse(op_names, SECCOMP_CMP_COUNT, s);

	if (i < 0)
		return err_set(err, ERR_INVALID, "seccomp operator '%s' is unknown", s);
	*ret = (enum seccomp_op)i;
	return 0;
}

int seccomp_arch_parse(const char *s, enum seccomp_arch *ret, struct err *err)
{
	int i = name_parse(arch_names, SECCOMP_ARCH_COUNT, s);

	if (i < 0)
		return err_set(err, ERR_INVALID, "seccomp architecture '%s' is unknown", s);
	*ret = (enum seccomp_arch)i;
	return 0;
}

int seccomp_flag_parse(const char *s, uint32_t *ret, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(flag_names); i++)
		if (strcmp(s, flag_names[i].name) == 0) {
			*ret = flag_names[i].flag;
			return 0;
		}
	return err_set(err, ERR_INVALID, "seccomp flag '%s' is unknown", s);
}

const char *seccomp_action_name(enum seccomp_action a)
{
	return (unsigned)a < SECCOMP_ACT_COUNT ? action_names[a] : NULL;
}

const char *seccomp_op_name(enum seccomp_op op)
{
	return (unsigned)op < SECCOMP_CMP_COUNT ? op_names[op] : NULL;
}

const char *seccomp_arch_name(enum seccomp_arch a)
{
	return (unsigned)a < SECCOMP_ARCH_COUNT ? arch_names[a] : NULL;
}

const char *seccomp_flag_name(unsigned i, uint32_t *ret_flag)
{
	if (i >= ARRAY_LEN(flag_names))
		return NULL;
	*ret_flag = flag_names[i].flag;
	return flag_names[i].name;
}
