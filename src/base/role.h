/* SPDX-License-Identifier: Apache-2.0 */
/* What every daemon role does: its pid file, word to whoever waits for its start, its signals. */
#pragma once

#include "base/loop.h"

struct err;

/* Durable replace of `path` by our pid and a line end; NULL does nothing. */
int role_write_pid(const char *path, struct err *err);
/* Writes one byte to the fd that TEU_READY_FD names and closes it; the variable goes, so that no
 * child gets it. Nothing without the variable. */
void role_tell_ready(void);

/* Signals of a role on its loop: SIGTERM, SIGINT, SIGHUP, SIGUSR1 come to fn; SIGPIPE is blocked,
 * also in threads begun later. Not to be moved while it is in use; fini may be called when init
 * failed or never ran (zeroed). */
struct role_signals {
	struct sigsource sources[4];
	void (*fn)(void *arg, int signal);
	void *arg;
};
int role_signals_init(struct role_signals *s, struct loop *l, void (*fn)(void *arg, int signal),
		      void *arg, struct err *err);
void role_signals_fini(struct role_signals *s);
