/* SPDX-License-Identifier: Apache-2.0 */
/* Conversions: int(), uint(), double(), string(), bytes(), bool(); how Go prints numbers.
 */
#include "base/utf8.h"
#include "expr/cel-private.h"
#include "expr/go-text.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- Go's text of a number ---- */

size_t cel_double_fixed(double d, char dst[CEL_TIME_TEXT])
{
	char text[GO_DOUBLE_TEXT];
	int exponent, digits = go_shortest(d, text, &exponent);

	return (size_t)snprintf(dst, CEL_TIME_TEXT, "%.*f", MAX(digits - 1 - exponent, 0), d);
}

/* ---- numbers ---- */

static bool range(struct cel_run *r)
{
	return cel_fail(r, "integer overflow");
}

static bool int_of(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	int64_t i = 0;
	struct slice s = cel_slice(v);

	switch (v->kind) {
	case CEL_T_INT: *ret = *v; return true;
	case CEL_T_UINT:
		if (v->u > INT64_MAX)
			return range(r);
		*ret = cel_int((int64_t)v->u);
		return true;
	case CEL_T_DOUBLE: /* the ends are refused: they may have been others, rounded */
		if (!(v->d > -9223372036854775808.0 && v->d < 9223372036854775808.0))
			return range(r);
		*ret = cel_int((int64_t)v->d);
		return true;
	case CEL_T_TIMESTAMP:
	case CEL_T_DURATION: *ret = cel_int(v->i); return true;
	default:
		if (s.n && s.p[0] == '+') /* Go takes it */
			s = slice_of(s.p + 1, s.n - 1);
		if ((s.n && s.p[0] == '-' && v->s[0] == '+') || str_int64(s, &i, NULL) < 0)
			return cel_fail(r, "type conversion error from 'string' to 'int'");
		*ret = cel_int(i);
		return true;
	}
}

static bool uint_of(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	uint64_t u = 0;

	switch (v->kind) {
	case CEL_T_UINT: *ret = *v; return true;
	case CEL_T_INT:
		if (v->i < 0)
			return cel_fail(r, "unsigned integer overflow");
		*ret = cel_uint((uint64_t)v->i);
		return true;
	case CEL_T_DOUBLE:
		if (!(v->d > -1 && v->d < 18446744073709551616.0) || v->d < 0)
			return cel_fail(r, "unsigned integer overflow");
		*ret = cel_uint((uint64_t)v->d);
		return true;
	default:
		if (str_uint64(cel_slice(v), &u, NULL) < 0)
			return cel_fail(r, "type conversion error from 'string' to 'uint'");
		*ret = cel_uint(u);
		return true;
	}
}

static bool double_text(struct slice s, double *ret)
{
	char text[512], *end;

	if (!s.n || s.n >= sizeof(text) || memchr(s.p, 0, s.n) || s.p[0] == ' ' || s.p[0] == '\t' ||
	    s.p[0] == '\n')
		return false;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	errno = 0;
	*ret = strtod(text, &end);
	return !*end && !strpbrk(text, "()") && !(errno == ERANGE && isinf(*ret));
}

static bool double_of(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	double d = 0;

	if (v->kind == CEL_T_INT)
		d = (double)v->i;
	else if (v->kind == CEL_T_UINT)
		d = (double)v->u;
	else if (v->kind == CEL_T_DOUBLE)
		d = v->d;
	else if (!double_text(cel_slice(v), &d))
		return cel_fail(r, "type conversion error from 'string' to 'double'");
	*ret = cel_double(d);
	return true;
}

/* ---- others ---- */

static bool bool_of(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	static const char *const yes[] = { "1", "t", "T", "true", "TRUE", "True" };
	static const char *const no[] = { "0", "f", "F", "false", "FALSE", "False" };

	if (v->kind == CEL_T_BOOL) {
		*ret = *v;
		return true;
	}
	for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
		if (slice_is(cel_slice(v), yes[i]) || slice_is(cel_slice(v), no[i])) {
			*ret = cel_bool(slice_is(cel_slice(v), yes[i]));
			return true;
		}
	}
	return cel_fail(r, "type conversion error from 'string' to 'bool'");
}

static bool is_utf8(struct slice s)
{
	size_t n;

	for (; s.n; s = slice_of(s.p + n, s.n - n))
		if (utf8_next(s, &n) == UTF8_BAD && n == 1)
			return false;
	return true;
}

static bool string_of(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	char text[CEL_TIME_TEXT];

	switch (v->kind) {
	case CEL_T_STRING: *ret = *v; return true;
	case CEL_T_BYTES:
		if (!is_utf8(cel_slice(v)))
			return cel_fail(r, "invalid UTF-8 in bytes, cannot convert to string");
		*ret = cel_string(cel_slice(v));
		return true;
	case CEL_T_TIMESTAMP: return cel_make_string(r, text, cel_time_text(v, text), ret);
	case CEL_T_DURATION: return cel_make_string(r, text, cel_duration_text(v, text), ret);
	case CEL_T_DOUBLE: return cel_make_string(r, text, go_double_text(v->d, text), ret);
	default:
		(void)cel_value_text(v, text, sizeof(text));
		return cel_make_string(r, text, strlen(text), ret);
	}
}

static bool bytes_of(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	(void)r;
	*ret = *v;
	ret->kind = CEL_T_BYTES;
	return true;
}

const struct cel_function cel_lib_convert[] = {
	CEL_F("int", int_of, CEL_INTEGER, ONE, CEL_INTEGER),
	CEL_F("int", int_of, CEL_INTEGER, ONE, CEL_REAL),
	CEL_F("int", int_of, CEL_INTEGER, ONE, CEL_SPAN),
	CEL_F("int", int_of, CEL_INTEGER, ONE, CEL_TEXT),
	CEL_F("int", int_of, CEL_INTEGER, ONE, CEL_TIME),
	CEL_F("int", int_of, CEL_INTEGER, ONE, CEL_UNSIGNED),
	CEL_F("uint", uint_of, CEL_UNSIGNED, ONE, CEL_UNSIGNED),
	CEL_F("uint", uint_of, CEL_UNSIGNED, ONE, CEL_REAL),
	CEL_F("uint", uint_of, CEL_UNSIGNED, ONE, CEL_INTEGER),
	CEL_F("uint", uint_of, CEL_UNSIGNED, ONE, CEL_TEXT),
	CEL_F("double", double_of, CEL_REAL, ONE, CEL_REAL),
	CEL_F("double", double_of, CEL_REAL, ONE, CEL_INTEGER),
	CEL_F("double", double_of, CEL_REAL, ONE, CEL_TEXT),
	CEL_F("double", double_of, CEL_REAL, ONE, CEL_UNSIGNED),
	CEL_F("bool", bool_of, CEL_BOOLEAN, ONE, CEL_BOOLEAN),
	CEL_F("bool", bool_of, CEL_BOOLEAN, ONE, CEL_TEXT),
	CEL_F("string", string_of, CEL_TEXT, ONE, CEL_TEXT),
	CEL_F("string", string_of, CEL_TEXT, ONE, CEL_BOOLEAN),
	CEL_F("string", string_of, CEL_TEXT, SCAN, CEL_OCTETS),
	CEL_F("string", string_of, CEL_TEXT, ONE, CEL_REAL),
	CEL_F("string", string_of, CEL_TEXT, ONE, CEL_SPAN),
	CEL_F("string", string_of, CEL_TEXT, ONE, CEL_INTEGER),
	CEL_F("string", string_of, CEL_TEXT, ONE, CEL_TIME),
	CEL_F("string", string_of, CEL_TEXT, ONE, CEL_UNSIGNED),
	CEL_F("bytes", bytes_of, CEL_OCTETS, ONE, CEL_OCTETS),
	CEL_F("bytes", bytes_of, CEL_OCTETS, SCAN, CEL_TEXT),
	CEL_END,
};
