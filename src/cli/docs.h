/* SPDX-License-Identifier: Apache-2.0 */
/* Texts generated from a command table: completion scripts and manual pages. */
#pragma once

#include "base/cmd.h"

#include <stddef.h>

void docs_bash(const struct cmd_program *prog, struct buf *out);
void docs_zsh(const struct cmd_program *prog, struct buf *out);
void docs_fish(const struct cmd_program *prog, struct buf *out);
/* cmd NULL = the program's own page. roff, man(7) macros. */
void docs_man(const struct cmd_program *prog, const struct cmd *cmd, struct buf *out);
/* "teu-run.1", "teu-image-inspect.1", "teu.1". */
void docs_man_name(const struct cmd_program *prog, const struct cmd *cmd, char *dst, size_t n);
