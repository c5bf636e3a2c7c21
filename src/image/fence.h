/* SPDX-License-Identifier: Apache-2.0 */
/* Private to src/image: how the helper locks itself in before it reads the first foreign byte. */
#pragma once

#include <stdint.h>

struct err;

enum fence_kind {
	FENCE_WRITER,
	/* may make files below its root */ FENCE_FILTER, /* reads and writes its fds */
	FENCE_READER /* reads directories that it is given: fence_enter_reader() */
};

/* The directory `target` (fd) becomes "/"; it is used up by FENCE_WRITER (root stands in it). */
/* A reader of directories: fds first .. first + n - 1 are all it can see; `root` becomes "/". It
 * keeps DAC_READ_SEARCH, and SYS_ADMIN because overlay's own attributes are shown to no one else:
 * the seccomp list leaves it nothing else to do with that. */
int fence_enter_reader(int root, int first, unsigned n, struct err *err);
int fence_enter(enum fence_kind kind, int target, uint64_t file_max, struct err *err);
