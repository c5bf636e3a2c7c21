/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to kubectl's diff and edit: programs of the user's, on the user's terminal, and files for
 * them that nobody else can read.
 */
#pragma once

#include "base/str.h"

struct err;
struct kubectl;

/* Runs words[0] (looked for in PATH) with our standard input, output and errors, and waits.
 * *ret_status: its exit status; NOT_FOUND, or how it could not be run. What we have printed goes
 * out before. */
int child_run(struct kubectl *k, char *const *words, int *ret_status, struct err *err);
/* A new folder "<TMPDIR>/<prefix>NNN" of mode 0700; its path in the arena. */
int child_folder(struct kubectl *k, const char *prefix, const char **ret, struct err *err);
void child_remove(const char *folder); /* with all in it; NULL is fine */
/* A new file of mode 0600; -ERR_SYSTEM EEXIST when there is one. */
int child_write(const char *path, struct slice text, struct err *err);
/* A new name "<TMPDIR>/<prefix>NNN<suffix>". */
const char *child_name(struct kubectl *k, const char *prefix, const char *suffix);
