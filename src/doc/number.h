/* SPDX-License-Identifier: Apache-2.0 */
/* Private to src/doc: decimal texts of any length as exact values. number.c also holds doc.h's
 * number calls. */
#pragma once

#include "base/str.h"

#include <stdint.h>

/*
 * End of the number that starts at p (RFC 8259 section 6), with its DOC_INT, DOC_NEG and DOC_EXP in
 * *flags; NULL if none starts there. What follows the number is not looked at.
 */
const char *number_scan(const char *p, const char *end, uint8_t *flags);

/* Room that number_format needs for a text of n bytes. */
#define NUMBER_FORMAT_MAX(n) ((n) + 48)
/* The one form that RFC 8785 (ECMAScript) gives a value, but with all digits of the text. Returns
 * its length. */
size_t number_format(char *dst, const char *text, size_t n);
