/* SPDX-License-Identifier: Apache-2.0 */
/* One line of progress on a terminal, drawn at most ten times a second; nothing elsewhere. */
#pragma once

#include "base/cleanup.h"

#include <stdbool.h>
#include <stdint.h>

struct progress {
	const char *what; /* "Importing" */
	int fd;
	bool on;
	int64_t total; /* 0 = unknown */
	int64_t done, drawn_at, begun;
};
/* fd 2; on only if it is a terminal and want. */
void progress_begin(struct progress *p, const char *what, int64_t total, bool want);
void progress_add(struct progress *p, int64_t n);
/* Takes the line away again. Idempotent. */
void progress_end(struct progress *p);
DEFINE_CLEANUP_EMBEDDED(struct progress, progress_end)
/* The line for tests: "Importing [====>    ]  1.2MB/4.5MB". */
void progress_line(const struct progress *p, unsigned cols, char *dst, unsigned n);
