/* SPDX-License-Identifier: Apache-2.0 */
/* Private to the seccomp compiler: names and numbers of system calls, and what an architecture is.
 */
#pragma once

#include "linux/seccomp.h"

#define SECCOMP_NO_CALL 0xffff
#define SECCOMP_ARM_PRIVATE 0xf000 /* numbers from here on stand for 0xf0000 + n (arm only) */

struct seccomp_arch_info {
	uint32_t audit;	       /* AUDIT_ARCH_* */
	uint32_t base;	       /* first call number: x32 and mips have an offset */
	uint8_t column;	       /* in the table of numbers */
	bool big_endian, wide; /* wide: arguments are compared in 64 bits */
	bool muxed;	       /* socketcall(2) and ipc(2) are a second way in */
};
extern const struct seccomp_arch_info seccomp_arch_infos[SECCOMP_ARCH_COUNT];

int seccomp_name_index(const char *name); /* -1 = unknown */
/* Number without the base, SECCOMP_NO_CALL if the architecture has none. */
uint16_t seccomp_table_number(enum seccomp_arch a, unsigned name);
/* Index of "socketcall" or "ipc" when this is one of their calls, -1 if not. *ret_call: which. */
int seccomp_mux(unsigned name, uint8_t *ret_call);
