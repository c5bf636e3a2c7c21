/* SPDX-License-Identifier: Apache-2.0 */
/* What every daemon role does at its start: its pid file, and word to whoever waits for it. */
#pragma once

struct err;

/* Durable replace of `path` by our pid and a line end; NULL does nothing. */
int role_write_pid(const char *path, struct err *err);
/* Writes one byte to the fd that TEU_READY_FD names and closes it; the variable goes, so that no
 * child gets it. Nothing without the variable. */
void role_tell_ready(void);
