/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to init*.c. init.c has the steps, in their order; init-process.c what the process is;
 * init-exec.c the program, the rights, the exec. What join.c uses too is in rt.h.
 */
#pragma once

#include "runtime/rt.h"

/* To whoever waits for the program to start. */
void init_warn(struct init *in, const char *fmt, ...) PRINTF(2, 3);

/* ---- init-process.c ---- */

int init_set_rlimits(struct init *in, struct err *err);

/* ---- init-exec.c ---- */

/* argv and envp of the program. */
int init_make_env(struct init *in, struct err *err);
