/* SPDX-License-Identifier: Apache-2.0 */
/* The terminal in our hands: raw mode and back, its size. */
#pragma once

#include "base/cleanup.h"

#include <stdbool.h>
#include <termios.h>

struct err;

struct term {
	int fd; /* borrowed */
	bool raw;
	struct termios before;
};
/* Every byte goes through as typed. */
int term_raw(struct term *t, int fd, struct err *err);
/* What is typed is not shown; lines as before. */
int term_hide(struct term *t, int fd, struct err *err);
void term_restore(struct term *t); /* idempotent */
DEFINE_CLEANUP_EMBEDDED(struct term, term_restore)
bool term_is(int fd);
/* False where there is no size. */
bool term_size(int fd, unsigned *ret_rows, unsigned *ret_cols);
