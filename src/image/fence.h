/* SPDX-License-Identifier: Apache-2.0 */
/* Private to src/image: how the helper locks itself in before it reads the first foreign byte. */
#pragma once

#include <stdint.h>

struct err;

enum fence_kind {
	FENCE_WRITER,
	/* may make files below its root */ FENCE_FILTER /* reads and writes its fds */
};

/* The directory `target` (fd) becomes "/"; it is used up by FENCE_WRITER (root stands in it). */
int fence_enter(enum fence_kind kind, int target, uint64_t file_max, struct err *err);
