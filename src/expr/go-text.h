/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text as Go's strconv and unicode packages have it: quoting, unquoting, floats, classes of code
 * points (by the Unicode of the Python that built this). For what prints in Go's words.
 */
#pragma once

#include "base/str.h"

bool go_is_letter(uint32_t c);
bool go_is_digit(uint32_t c);
/* Letters, marks, numbers, punctuation, symbols and the ASCII space. */
bool go_is_print(uint32_t c);

#define GO_DOUBLE_TEXT 32
/* As %v: the fewest digits that are the same number. The bytes of dst, which are terminated. */
size_t go_double_text(double d, char dst[GO_DOUBLE_TEXT]);
/* Of a finite number: as "%e" writes those digits, and its exponent of ten; how many they are. */
int go_shortest(double d, char text[GO_DOUBLE_TEXT], int *exponent);
/* strconv.FormatFloat: verb is one of b e E f g G x X; a negative precision is the shortest. */
int go_float(struct buf *out, double d, char verb, int precision);

/* strconv.Quote and QuoteRune; `ascii`: nothing but ASCII is left as it is. */
int go_quote(struct buf *out, struct slice s, bool ascii);
int go_quote_rune(struct buf *out, uint32_t c, bool ascii);
/* Can it stand between backquotes as it is? */
bool go_can_backquote(struct slice s);

struct go_char {
	uint32_t c;
	bool byte; /* it is this byte, no code point: \xff */
};
/* The first character of what stands in quotes, escapes decoded, cut off *rest; of text that is not
 * empty. False: "invalid syntax". */
bool go_unquote_char(struct slice *rest, char quote, struct go_char *ret);
/* A literal in " or `: -ERR_INVALID when it is none, -ERR_QUOTA past the buffer. */
int go_unquote(struct slice literal, struct buf *out);

/*
 * A number as Go's source has it (0x1F, 0b1, 0o17, 017, 1_000, 1.5e3, 0x1p-4), with a sign. False:
 * out of range, or none. go_integer: whole numbers; *minus tells the sign.
 */
bool go_integer(struct slice s, bool *minus, uint64_t *ret);
bool go_double(struct slice s, double *ret);
