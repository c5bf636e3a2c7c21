/* SPDX-License-Identifier: Apache-2.0 */
/* Private to go-text.c and what unicode.py writes at build time: code points in ranges. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct go_class {
	size_t n;
	struct go_range {
		uint32_t first, last;
	} ranges[];
};

extern const struct go_class go_letters, go_digits, go_printable;
