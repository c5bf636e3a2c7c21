/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a plain YAML scalar means to the two Go readers: a fixed list of words, then integers in
 * Go's literal forms (underscores dropped), then decimal floats; all else is a string. The forms
 * that YAML 1.1 has and the readers dropped (base 60) are strings here too.
 */
#include "doc/yaml-scalar.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct word {
	const char *text;
	enum yaml_kind kind;
	bool b, v2_only;
	const char *normal;
} words[] = {
	{ "true", YAML_BOOL, true },
	{ "True", YAML_BOOL, true },
	{ "TRUE", YAML_BOOL, true },
	{ "false", YAML_BOOL },
	{ "False", YAML_BOOL },
	{ "FALSE", YAML_BOOL },
	{ "", YAML_NULL },
	{ "~", YAML_NULL },
	{ "null", YAML_NULL },
	{ "Null", YAML_NULL },
	{ "NULL", YAML_NULL },
	{ ".nan", YAML_SPECIAL, .normal = ".nan" },
	{ ".NaN", YAML_SPECIAL, .normal = ".nan" },
	{ ".NAN", YAML_SPECIAL, .normal = ".nan" },
	{ ".inf", YAML_SPECIAL, .normal = ".inf" },
	{ ".Inf", YAML_SPECIAL, .normal = ".inf" },
	{ ".INF", YAML_SPECIAL, .normal = ".inf" },
	{ "+.inf", YAML_SPECIAL, .normal = ".inf" },
	{ "+.Inf", YAML_SPECIAL, .normal = ".inf" },
	{ "+.INF", YAML_SPECIAL, .normal = ".inf" },
	{ "-.inf", YAML_SPECIAL, .normal = "-.inf" },
	{ "-.Inf", YAML_SPECIAL, .normal = "-.inf" },
	{ "-.INF", YAML_SPECIAL, .normal = "-.inf" },
	{ "<<", YAML_MERGE },
	{ "y", YAML_BOOL, true, true },
	{ "Y", YAML_BOOL, true, true },
	{ "yes", YAML_BOOL, true, true },
	{ "Yes", YAML_BOOL, true, true },
	{ "YES", YAML_BOOL, true, true },
	{ "on", YAML_BOOL, true, true },
	{ "On", YAML_BOOL, true, true },
	{ "ON", YAML_BOOL, true, true },
	{ "n", YAML_BOOL, false, true },
	{ "N", YAML_BOOL, false, true },
	{ "no", YAML_BOOL, false, true },
	{ "No", YAML_BOOL, false, true },
	{ "NO", YAML_BOOL, false, true },
	{ "off", YAML_BOOL, false, true },
	{ "Off", YAML_BOOL, false, true },
	{ "OFF", YAML_BOOL, false, true },
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static int digit_of(char c)
{
	if (is_digit(c))
		return c - '0';
	c |= 32;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;
}

/* Go's ParseInt with base 0: sign, then 0x 0o 0b or 0 for the base, digits. No underscores here. */
static bool parse_int(struct slice s, struct yaml_value *v)
{
	unsigned base = 10;
	size_t i = 0;
	bool sign = s.n > 0 && (s.p[0] == '+' || s.p[0] == '-');
	uint64_t u = 0;

	v->negative = sign && s.p[0] == '-';
	i += sign;
	if (i + 1 < s.n && s.p[i] == '0') {
		char c = s.p[i + 1] | 32;

		base = c == 'x' ? 16 : c == 'b' ? 2 : 8;
		i += c == 'x' || c == 'b' || c == 'o' ? 2 : 1;
	}
	if (i == s.n)
		return false;
	for (; i < s.n; i++) {
		int d = digit_of(s.p[i]);

		if (d >= (int)base || __builtin_mul_overflow(u, (uint64_t)base, &u) ||
		    __builtin_add_overflow(u, (uint64_t)d, &u))
			return false;
	}
	/* Only ParseInt takes a sign, so a signed number is limited to 63 bits. */
	if (sign && u > (uint64_t)INT64_MAX + v->negative)
		return false;
	v->u = u;
	v->kind = YAML_INT;
	return true;
}

/* [-+] (.digits | digits[.digits]) [e[-+]digits], as go-yaml's pattern; hex and "inf" never get to
 * strtod. */
static bool is_float(const char *p)
{
	size_t whole = 0, frac = 0;

	p += *p == '+' || *p == '-';
	for (; is_digit(*p); p++)
		whole++;
	if (*p == '.')
		for (p++; is_digit(*p); p++)
			frac++;
	if (whole + frac == 0)
		return false;
	if (*p == 'e' || *p == 'E') {
		p++;
		p += *p == '+' || *p == '-';
		if (!is_digit(*p))
			return false;
		while (is_digit(*p))
			p++;
	}
	return *p == '\0';
}

static bool take(struct slice *s, size_t lo, size_t hi, const char *after)
{
	size_t n = 0;

	while (n < s->n && n < hi && is_digit(s->p[n]))
		n++;
	if (n < lo || (*after && (n >= s->n || !strchr(after, s->p[n]) || s->p[n] == '\0')))
		return false;
	n += *after != '\0';
	*s = slice_of(s->p + n, s->n - n);
	return true;
}

/* Looks like a date or time: those are strings to us, but a writer has to quote them. */
static bool is_time(struct slice s)
{
	if (!take(&s, 4, 4, "-") || !take(&s, 1, 2, "-"))
		return false;
	if (s.n <= 2)
		return take(&s, 1, 2, "") && s.n == 0;
	return take(&s, 1, 2, "Tt ") && take(&s, 1, 2, ":") && take(&s, 1, 2, ":") &&
	       take(&s, 1, 2, "");
}

struct yaml_value yaml_resolve(enum yaml_flavour flavour, struct slice s)
{
	struct yaml_value v = { .kind = YAML_STR };
	char plain[400];
	size_t n = 0;

	if (s.n <= 5)
		for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
			if (slice_is(s, words[i].text) &&
			    (flavour == YAML_K8S || !words[i].v2_only))
				return (struct yaml_value){ .kind = words[i].kind,
							    .b = words[i].b,
							    .text = words[i].normal };
	/* What does not begin like a number is none. Longer texts than this are no number anyone
	 * means. */
	if (s.n == 0 || s.n >= sizeof(plain) || !(is_digit(s.p[0]) || strchr("+-.", s.p[0])) ||
	    s.p[0] == '\0')
		return v;
	if (is_time(s)) {
		v.kind = YAML_TIME;
		return v;
	}
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] != '_' || s.p[0] == '.')
			plain[n++] = s.p[i];
	plain[n] = '\0';
	if (s.p[0] != '.' && parse_int(slice_of(plain, n), &v))
		return v;
	if (strlen(plain) == n && is_float(plain)) {
		v.f = strtod(plain, NULL);
		/* Out of range is an error to Go's ParseFloat, and then the scalar is a string. */
		if (isfinite(v.f))
			v.kind = YAML_FLOAT;
	}
	return v;
}

/* 1:20 and 190:20:30.15 were numbers in YAML 1.1; other readers still take them so. */
static bool is_base60(struct slice s)
{
	bool colon = false;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == ':')
			colon = true;
		else if (!is_digit(s.p[i]) && !(i == 0 && strchr("+-", s.p[i])) && s.p[i] != '.' &&
			 s.p[i] != '_')
			return false;
	}
	return colon;
}

bool yaml_plain_is_string(struct slice s)
{
	return yaml_resolve(YAML_K8S, s).kind == YAML_STR && !slice_is(s, "=") && !is_base60(s);
}
