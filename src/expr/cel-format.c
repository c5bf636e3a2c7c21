/* SPDX-License-Identifier: Apache-2.0 */
/* "...".format([...]): %s %d %f %e %b %o %x %X, with a precision for %f and %e. */
#include "expr/cel-private.h"
#include "expr/go-text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define PRECISION_MAX 1000
#define DEPTH_MAX 64

struct out {
	struct cel_run *r;
	struct buf b;
};

static bool print(struct out *o, const struct cel_value *v, unsigned depth);

static bool put(struct out *o, const char *p, size_t n)
{
	return (buf_add(&o->b, p, n) == 0 && cel_work(o->r, 1 + n / 8)) || cel_quota(o->r);
}

static bool puts_(struct out *o, const char *s)
{
	return put(o, s, strlen(s));
}

static bool put_real(struct out *o, char how, int precision, double d)
{
	char text[PRECISION_MAX + 400];

	if (!isfinite(d))
		return puts_(o, isnan(d) ? "NaN" : d < 0 ? "-Infinity" : "Infinity");
	(void)snprintf(text, sizeof(text), how == 'e' ? "%.*e" : "%.*f", precision, d);
	return puts_(o, text);
}

static bool print_list(struct out *o, const struct cel_value *v, unsigned depth)
{
	struct cel_value one;

	if (!puts_(o, "["))
		return false;
	for (uint32_t i = 0; i < v->n; i++)
		if ((i && !puts_(o, ", ")) || !cel_list_at(o->r, v, i, &one) ||
		    !print(o, &one, depth))
			return false;
	return puts_(o, "]");
}

struct pair {
	struct slice text; /* the key as it is printed */
	struct cel_value value;
};

static int by_text(const void *a, const void *b)
{
	return slice_cmp(((const struct pair *)a)->text, ((const struct pair *)b)->text);
}

/* In the order of the keys as they are printed. */
static bool print_map(struct out *o, const struct cel_value *v, unsigned depth)
{
	struct pair *pairs = ARENA_ARRAY(o->r->a, struct pair, v->n);

	if (!pairs)
		return cel_quota(o->r);
	for (uint32_t i = 0; i < v->n; i++) {
		struct cel_value k;
		char text[64], *copy;

		if (!cel_map_at(o->r, v, i, &k, &pairs[i].value))
			return false;
		pairs[i].text = cel_slice(&k);
		if (k.kind == CEL_T_STRING)
			continue;
		copy = arena_strdup(o->r->a, cel_value_text(&k, text, sizeof(text)));
		if (!copy)
			return cel_quota(o->r);
		pairs[i].text = slice_str(copy);
	}
	qsort(pairs, v->n, sizeof(*pairs), by_text);
	if (!puts_(o, "{"))
		return false;
	for (uint32_t i = 0; i < v->n; i++)
		if ((i && !puts_(o, ", ")) || !put(o, pairs[i].text.p, pairs[i].text.n) ||
		    !puts_(o, ": ") || !print(o, &pairs[i].value, depth))
			return false;
	return puts_(o, "}");
}

/* %s */
static bool print(struct out *o, const struct cel_value *v, unsigned depth)
{
	char text[256];

	if (depth == 0)
		return cel_fail(o->r, "a value is nested too deep to be formatted");
	switch (v->kind) {
	case CEL_T_LIST: return print_list(o, v, depth - 1);
	case CEL_T_MAP: return print_map(o, v, depth - 1);
	case CEL_T_STRING:
	case CEL_T_BYTES: return put(o, v->s, v->n);
	case CEL_T_DOUBLE:
		return isfinite(v->d) ? put(o, text, go_double_text(v->d, text))
				      : put_real(o, 'f', 0, v->d);
	case CEL_T_TIMESTAMP: return put(o, text, cel_time_text(v, text));
	case CEL_T_DURATION: return put(o, text, cel_duration_text(v, text));
	case CEL_T_TYPE:
		return puts_(o, v->t->kind == CEL_T_NULL	? "null_type"
				: v->t->kind == CEL_T_TIMESTAMP ? "google.protobuf.Timestamp"
				: v->t->kind == CEL_T_DURATION	? "google.protobuf.Duration"
								: v->t->name);
	case CEL_T_NULL:
	case CEL_T_BOOL:
	case CEL_T_INT:
	case CEL_T_UINT: return puts_(o, cel_value_text(v, text, sizeof(text)));
	default:
		return cel_fail(
			o->r,
			"string clause can only be used on strings, bools, bytes, ints, "
			"doubles, maps, lists, types, durations, and timestamps, was given %s",
			cel_types[v->kind].name);
	}
}

static bool wrong(struct out *o, const char *clause, const char *kinds, const struct cel_value *v)
{
	return cel_fail(o->r, "%s clause can only be used on %s, was given %s", clause, kinds,
			cel_types[v->kind].name);
}

/* A whole number in a base of 2, 8, 10 or 16. */
static bool print_int(struct out *o, const struct cel_value *v, unsigned base, bool upper)
{
	char text[72], *p = text + sizeof(text);
	bool minus = v->kind == CEL_T_INT && v->i < 0;
	uint64_t u = minus ? -v->u : v->u;

	do {
		*--p = (upper ? "0123456789ABCDEF" : "0123456789abcdef")[u % base];
		u /= base;
	} while (u);
	if (minus)
		*--p = '-';
	return put(o, p, (size_t)(text + sizeof(text) - p));
}

static bool print_hex(struct out *o, const struct cel_value *v, bool upper)
{
	char two[4];

	if (v->kind == CEL_T_INT || v->kind == CEL_T_UINT)
		return print_int(o, v, 16, upper);
	if (v->kind != CEL_T_STRING && v->kind != CEL_T_BYTES)
		return wrong(o, "hex", "integers, byte buffers, and strings", v);
	for (uint32_t i = 0; i < v->n; i++) {
		(void)snprintf(two, sizeof(two), upper ? "%02X" : "%02x", (unsigned char)v->s[i]);
		if (!put(o, two, 2))
			return false;
	}
	return true;
}

static bool print_real(struct out *o, const struct cel_value *v, char how, int precision)
{
	static const char *const names[] = { "NaN", "Infinity", "-Infinity" };

	for (size_t i = 0; v->kind == CEL_T_STRING && i < ARRAY_LEN(names); i++)
		if (slice_is(cel_slice(v), names[i]))
			return puts_(o, names[i]);
	if (!cel_is_number(v->kind))
		return wrong(o, how == 'f' ? "fixed-point" : "scientific", "numbers", v);
	return put_real(o, how, precision,
			v->kind == CEL_T_INT	? (double)v->i
			: v->kind == CEL_T_UINT ? (double)v->u
						: v->d);
}

static bool clause(struct out *o, char c, int precision, const struct cel_value *v)
{
	bool whole = v->kind == CEL_T_INT || v->kind == CEL_T_UINT;

	switch (c) {
	case 's': return print(o, v, DEPTH_MAX);
	case 'd':
		if (v->kind == CEL_T_DOUBLE && !isfinite(v->d))
			return put_real(o, 'f', 0, v->d);
		return whole ? print_int(o, v, 10, false) : wrong(o, "decimal", "integers", v);
	case 'f':
	case 'e': return print_real(o, v, c, precision);
	case 'b':
		if (v->kind == CEL_T_BOOL)
			return puts_(o, v->b ? "1" : "0");
		return whole ? print_int(o, v, 2, false)
			     : wrong(o, "binary", "integers and bools", v);
	case 'o': return whole ? print_int(o, v, 8, false) : wrong(o, "octal", "integers", v);
	case 'x':
	case 'X': return print_hex(o, v, c == 'X');
	default:
		return cel_fail(o->r,
				"could not parse formatting clause: unrecognized formatting "
				"clause \"%c\"",
				c);
	}
}

/* ".3": -1 when it is none. */
static int precision_of(struct slice *s)
{
	int n = 0;
	bool any = false;

	for (; s->n && s->p[0] >= '0' && s->p[0] <= '9'; *s = slice_of(s->p + 1, s->n - 1)) {
		n = MIN(n * 10 + s->p[0] - '0', PRECISION_MAX + 1);
		any = true;
	}
	return any && n <= PRECISION_MAX ? n : -1;
}

static bool format_all(struct out *o, struct slice s, const struct cel_value *args)
{
	struct cel_value v;
	uint32_t used = 0;

	while (s.n) {
		const char *p = memchr(s.p, '%', s.n);
		size_t n = p ? (size_t)(p - s.p) : s.n;
		int precision = 6;
		char c;

		if (!put(o, s.p, n))
			return false;
		if (!p)
			break;
		s = slice_of(p + 1, s.n - n - 1);
		if (s.n && s.p[0] == '.') {
			s = slice_of(s.p + 1, s.n - 1);
			precision = precision_of(&s);
		}
		if (!s.n || precision < 0)
			return cel_fail(o->r,
					s.n ? "could not parse formatting clause: error while "
					      "parsing precision"
					    : "unexpected end of string");
		c = s.p[0];
		s = slice_of(s.p + 1, s.n - 1);
		if (c == '%') {
			if (!puts_(o, "%"))
				return false;
			continue;
		}
		if (used >= args->n)
			return cel_fail(o->r, "index %u out of range", used);
		if (!cel_list_at(o->r, args, used++, &v) || !clause(o, c, precision, &v))
			return false;
	}
	return true;
}

static bool format(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	struct out o = { .r = r, .b = BUF_INIT(16u << 20) };
	bool ok = format_all(&o, cel_slice(&v[0]), &v[1]) &&
		  cel_make_string(r, buf_str(&o.b), o.b.n, ret);

	buf_fini(&o.b);
	return ok;
}

const struct cel_function cel_lib_format_text[] = {
	CEL_M("format", format, CEL_TEXT, SCAN, CEL_TEXT, &cel_types[CEL_T_LIST]),
	CEL_END,
};
