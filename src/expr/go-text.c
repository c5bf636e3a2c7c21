/* SPDX-License-Identifier: Apache-2.0 */
#include "expr/go-text.h"

#include "base/err.h"
#include "base/utf8.h"
#include "expr/go-text-private.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define NUMBER_MAX 512 /* bytes of a literal */

static const char lower_hex[] = "0123456789abcdef";

/* ---- classes ---- */

static bool in_class(const struct go_class *class, uint32_t c)
{
	size_t low = 0, high = class->n;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (c > class->ranges[mid].last)
			low = mid + 1;
		else
			high = mid;
	}
	return low < class->n && c >= class->ranges[low].first;
}

bool go_is_letter(uint32_t c)
{
	return in_class(&go_letters, c);
}

bool go_is_digit(uint32_t c)
{
	return in_class(&go_digits, c);
}

bool go_is_print(uint32_t c)
{
	return in_class(&go_printable, c);
}

/* ---- floats ---- */

int go_shortest(double d, char text[GO_DOUBLE_TEXT], int *exponent)
{
	int digits = 0;

	do
		(void)snprintf(text, GO_DOUBLE_TEXT, "%.*e", digits++, d);
	while (digits < 17 && strtod(text, NULL) != d);
	(void)sscanf(strchr(text, 'e') + 1, "%d", exponent);
	return digits;
}

static const char *not_finite(double d)
{
	return isnan(d) ? "NaN" : d < 0 ? "-Inf" : "+Inf";
}

size_t go_double_text(double d, char dst[GO_DOUBLE_TEXT])
{
	char text[GO_DOUBLE_TEXT];
	int exponent, digits;

	if (!isfinite(d))
		return (size_t)snprintf(dst, GO_DOUBLE_TEXT, "%s", not_finite(d));
	digits = go_shortest(d, text, &exponent);
	if (exponent < -4 || exponent >= 6)
		return (size_t)snprintf(dst, GO_DOUBLE_TEXT, "%s", text);
	return (size_t)snprintf(dst, GO_DOUBLE_TEXT, "%.*f", MAX(digits - 1 - exponent, 0), d);
}

static int add_sign(struct buf *out, double d)
{
	return signbit(d) ? buf_addc(out, '-') : 0;
}

/* %b: the mantissa and the exponent of two as they are stored. */
static int add_bits(struct buf *out, double d)
{
	uint64_t bits, mantissa;
	int exponent;

	memcpy(&bits, &d, sizeof(bits));
	exponent = (int)(bits >> 52 & 0x7ff);
	mantissa = bits & ((1ull << 52) - 1);
	if (exponent)
		mantissa |= 1ull << 52;
	else
		exponent = 1;
	(void)add_sign(out, d);
	return buf_addf(out, "%llup%+d", (unsigned long long)mantissa, exponent - 1075);
}

/* %x: 0x1.8p+01. C's %a has other leading digits and exponents. */
static int add_hex(struct buf *out, double d, bool upper, int precision)
{
	int exponent = 0, digits = 13;
	uint64_t m = (uint64_t)ldexp(frexp(fabs(d), &exponent), 53);

	exponent -= m != 0;
	if (precision >= 0 && precision < digits) {
		unsigned shift = (unsigned)(digits - precision) * 4;
		uint64_t rest = m & ((1ull << shift) - 1), half = 1ull << (shift - 1);

		m >>= shift;
		m += rest > half || (rest == half && m & 1);
		exponent += (int)(m >> (precision * 4 + 1));
		m >>= m >> (precision * 4 + 1);
		digits = precision;
	}
	for (; precision < 0 && digits && (m & 15) == 0; m >>= 4)
		digits--;
	(void)add_sign(out, d);
	(void)buf_addf(out, "%s%u", upper ? "0X" : "0x", (unsigned)(m >> (digits * 4)) & 15);
	if (digits || precision > 0)
		(void)buf_addc(out, '.');
	for (int i = digits; i-- > 0;)
		(void)buf_addf(out, upper ? "%X" : "%x", (unsigned)(m >> (i * 4)) & 15);
	for (int i = digits; i < precision && !out->full; i++)
		(void)buf_addc(out, '0');
	return buf_addf(out, "%c%c%02d", upper ? 'P' : 'p', exponent < 0 ? '-' : '+',
			abs(exponent));
}

int go_float(struct buf *out, double d, char verb, int precision)
{
	char text[GO_DOUBLE_TEXT];
	int exponent, digits;

	if (!isfinite(d))
		return buf_adds(out, not_finite(d));
	if (verb == 'b')
		return add_bits(out, d);
	if (verb == 'x' || verb == 'X')
		return add_hex(out, d, verb == 'X', precision);
	if (precision < 0) {
		digits = go_shortest(d, text, &exponent);
		if (verb == 'g' || verb == 'G')
			verb = exponent >= -4 && exponent < 6 ? 'f' : (char)(verb - 'g' + 'e');
		precision = verb == 'f' ? MAX(digits - 1 - exponent, 0) : digits - 1;
	}
	switch (verb) {
	case 'e': return buf_addf(out, "%.*e", precision, d);
	case 'E': return buf_addf(out, "%.*E", precision, d);
	case 'g': return buf_addf(out, "%.*g", precision, d);
	case 'G': return buf_addf(out, "%.*G", precision, d);
	default: return buf_addf(out, "%.*f", precision, d);
	}
}

/* ---- quotes ---- */

static int add_rune(struct buf *out, uint32_t c)
{
	char utf8[4];

	return buf_add(out, utf8, utf8_put(c, utf8));
}

/* One code point between quotes. */
static int add_escaped(struct buf *out, uint32_t c, char quote, bool ascii)
{
	static const char letters[] = "\aa\bb\ff\nn\rr\tt\vv";
	const char *l;

	if (c == (unsigned char)quote || c == '\\')
		return buf_addf(out, "\\%c", (int)c);
	if ((c < 0x80 || !ascii) && go_is_print(c))
		return add_rune(out, c);
	l = c && c < ' ' ? strchr(letters, (int)c) : NULL;
	if (l)
		return buf_addf(out, "\\%c", l[1]);
	if (c < ' ' || c == 0x7f)
		return buf_addf(out, "\\x%02x", c);
	if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		c = UTF8_BAD;
	return buf_addf(out, c < 0x10000 ? "\\u%04x" : "\\U%08x", c);
}

int go_quote(struct buf *out, struct slice s, bool ascii)
{
	(void)buf_addc(out, '"');
	for (size_t i = 0, n; i < s.n; i += n) {
		uint32_t c = utf8_next(slice_of(s.p + i, s.n - i), &n);

		if (c == UTF8_BAD && n == 1)
			(void)buf_addf(out, "\\x%02x", (unsigned char)s.p[i]);
		else
			(void)add_escaped(out, c, '"', ascii);
	}
	return buf_addc(out, '"');
}

int go_quote_rune(struct buf *out, uint32_t c, bool ascii)
{
	(void)buf_addc(out, '\'');
	if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		c = UTF8_BAD;
	(void)add_escaped(out, c, '\'', ascii);
	return buf_addc(out, '\'');
}

bool go_can_backquote(struct slice s)
{
	for (size_t i = 0, n; i < s.n; i += n) {
		uint32_t c = utf8_next(slice_of(s.p + i, s.n - i), &n);

		if ((c == UTF8_BAD && n == 1) || c == 0xfeff || c == '`' || c == 0x7f ||
		    (c < ' ' && c != '\t'))
			return false;
	}
	return true;
}

static unsigned digit_of(char c)
{
	const char *d = c ? strchr(lower_hex, c >= 'A' && c <= 'F' ? c | 32 : c) : NULL;

	return d ? (unsigned)(d - lower_hex) : 16;
}

/* `n` digits of a base; they are cut off. */
static bool read_digits(struct slice *s, size_t n, unsigned base, uint32_t *ret)
{
	uint32_t c = 0;

	if (s->n < n)
		return false;
	for (size_t i = 0; i < n; i++) {
		unsigned d = digit_of(s->p[i]);

		if (d >= base || c > 0x10ffff)
			return false;
		c = c * base + d;
	}
	*s = slice_of(s->p + n, s->n - n);
	*ret = c;
	return true;
}

static bool read_escape(struct slice *s, char quote, struct go_char *ret)
{
	static const char letters[] = "a\ab\bf\fn\nr\rt\tv\v\\\\";
	char c = *s->p;
	const char *l = c ? strchr(letters, c) : NULL;

	if (c >= '0' && c <= '7') {
		ret->byte = true;
		return read_digits(s, 3, 8, &ret->c) && ret->c < 256;
	}
	*s = slice_of(s->p + 1, s->n - 1);
	if (c == 'x') {
		ret->byte = true;
		return read_digits(s, 2, 16, &ret->c);
	}
	if (c == 'u' || c == 'U')
		return read_digits(s, c == 'u' ? 4 : 8, 16, &ret->c) && ret->c <= 0x10ffff &&
		       (ret->c < 0xd800 || ret->c >= 0xe000);
	if (c == quote && c)
		ret->c = (unsigned char)c;
	else if (l && (l - letters) % 2 == 0)
		ret->c = (unsigned char)l[1];
	else
		return false;
	return true;
}

bool go_unquote_char(struct slice *rest, char quote, struct go_char *ret)
{
	size_t n;

	*ret = (struct go_char){ .c = utf8_next(*rest, &n) };
	if (ret->c == (unsigned char)quote && quote)
		return false;
	*rest = slice_of(rest->p + n, rest->n - n);
	if (ret->c != '\\')
		return true;
	return rest->n > 0 && read_escape(rest, quote, ret);
}

static int unquote_raw(struct slice s, struct buf *out)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] != '\r' && buf_addc(out, s.p[i]) < 0)
			return -ERR_QUOTA;
	return 0;
}

int go_unquote(struct slice literal, struct buf *out)
{
	char quote = literal.n < 2 ? 0 : literal.p[0];
	struct slice rest;
	struct go_char c;
	int r = 0;

	if ((quote != '"' && quote != '`') || literal.p[literal.n - 1] != quote)
		return -ERR_INVALID;
	rest = slice_of(literal.p + 1, literal.n - 2);
	if (quote == '`')
		return slice_has(rest, '`') ? -ERR_INVALID : unquote_raw(rest, out);
	while (rest.n && r == 0) {
		if (*rest.p == '\n' || !go_unquote_char(&rest, quote, &c))
			return -ERR_INVALID;
		r = c.byte ? buf_addc(out, (char)c.c) : add_rune(out, c.c);
	}
	return r;
}

/* ---- numbers ---- */

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 32) : c;
}

/* Underscores stand between digits only; a prefix of the base counts as one. */
static bool underscores_ok(struct slice s)
{
	bool prefix = s.n >= 2 && *s.p == '0' && strchr("box", lower(s.p[1])) && s.p[1],
	     hex = prefix && lower(s.p[1]) == 'x';
	char last = prefix ? '0' : '^';

	for (size_t i = prefix ? 2 : 0; i < s.n; i++) {
		if (digit_of(s.p[i]) < (hex ? 16u : 10u)) {
			last = '0';
			continue;
		}
		if (s.p[i] == '_' ? last != '0' : last == '_')
			return false;
		last = s.p[i] == '_' ? '_' : '!';
	}
	return last != '_';
}

static struct slice cut_sign(struct slice s, bool *minus)
{
	*minus = s.n && *s.p == '-';
	return s.n && (*s.p == '-' || *s.p == '+') ? slice_of(s.p + 1, s.n - 1) : s;
}

bool go_integer(struct slice s, bool *minus, uint64_t *ret)
{
	uint64_t v = 0;
	unsigned base = 10;
	struct slice digits;

	s = digits = cut_sign(s, minus);
	if (s.n == 0 || !underscores_ok(s))
		return false;
	if (s.n >= 3 && *s.p == '0' && strchr("box", lower(s.p[1]))) {
		base = lower(s.p[1]) == 'b' ? 2 : lower(s.p[1]) == 'o' ? 8 : 16;
		digits = slice_of(s.p + 2, s.n - 2);
	} else if (*s.p == '0') {
		base = 8;
		digits = slice_of(s.p + 1, s.n - 1);
	}
	for (size_t i = 0; i < digits.n; i++) {
		unsigned d = digit_of(digits.p[i]);

		if (digits.p[i] == '_')
			continue;
		if (d >= base || __builtin_mul_overflow(v, base, &v) ||
		    __builtin_add_overflow(v, d, &v))
			return false;
	}
	*ret = v;
	return true;
}

static size_t skip_digits(struct slice s, size_t at, unsigned base, size_t *digits)
{
	for (; at < s.n && (digit_of(s.p[at]) < base || s.p[at] == '_'); at++)
		*digits += s.p[at] != '_';
	return at;
}

/* The form of a float, without its sign. */
static bool is_float(struct slice s)
{
	bool hex = s.n >= 2 && *s.p == '0' && lower(s.p[1]) == 'x';
	size_t digits = 0, at = skip_digits(s, hex ? 2 : 0, hex ? 16 : 10, &digits);

	if (at < s.n && s.p[at] == '.')
		at = skip_digits(s, at + 1, hex ? 16 : 10, &digits);
	if (digits == 0)
		return false;
	if (at == s.n || lower(s.p[at]) != (hex ? 'p' : 'e'))
		return at == s.n && !hex;
	at++;
	if (at < s.n && (s.p[at] == '+' || s.p[at] == '-'))
		at++;
	digits = 0;
	return skip_digits(s, at, 10, &digits) == s.n && digits > 0;
}

bool go_double(struct slice s, double *ret)
{
	char text[NUMBER_MAX];
	bool minus;
	size_t n = 0;

	s = cut_sign(s, &minus);
	if (s.n >= sizeof(text) || !is_float(s) || !underscores_ok(s))
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] != '_')
			text[n++] = s.p[i];
	text[n] = '\0';
	*ret = strtod(text, NULL);
	if (minus)
		*ret = -*ret;
	return isfinite(*ret);
}
