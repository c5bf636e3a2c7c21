/* SPDX-License-Identifier: Apache-2.0 */
/* Kubernetes' quantity(), semver() and format: values of their own kinds. */
#include "expr/cel-private.h"

#include <stdio.h>

/* ---- quantities ---- */

/* In units of 10^-9, as fine as Kubernetes keeps them. */
struct quantity {
	__int128 nanos;
};

#define NANOS 1000000000
/* More than any quantity of Kubernetes may be (2^63 - 1, larger ones are cut to it). */
#define QUANTITY_MAX ((__int128)INT64_MAX * NANOS)

static const struct suffix {
	const char *text;
	int8_t base; /* 2 or 10 */
	int8_t exponent;
} suffixes[] = {
	{ "", 10, 0 },	 { "n", 10, -9 }, { "u", 10, -6 }, { "m", 10, -3 },
	{ "k", 10, 3 },	 { "M", 10, 6 },  { "G", 10, 9 },  { "T", 10, 12 },
	{ "P", 10, 15 }, { "E", 10, 18 }, { "Ki", 2, 10 }, { "Mi", 2, 20 },
	{ "Gi", 2, 30 }, { "Ti", 2, 40 }, { "Pi", 2, 50 }, { "Ei", 2, 60 },
};

static bool read_suffix(struct slice s, struct suffix *ret)
{
	int64_t e;
	struct slice digits;

	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		if (slice_is(s, suffixes[i].text)) {
			*ret = suffixes[i];
			return true;
		}
	}
	if (s.n < 2 || (s.p[0] != 'e' && s.p[0] != 'E'))
		return false;
	digits = slice_of(s.p + 1 + (s.p[1] == '+'), s.n - 1 - (s.p[1] == '+'));
	if (str_int64(digits, &e, NULL) < 0 || e < -100 || e > 100)
		return false;
	*ret = (struct suffix){ "", 10, (int8_t)e };
	return true;
}

/* x * factor, cut to the maximum. */
static __int128 grow(__int128 x, int factor)
{
	return x > QUANTITY_MAX / factor ? QUANTITY_MAX : x * factor;
}

/* Digits with at most one dot; a magnitude finer than a nano is rounded up. */
static bool parse_quantity(struct slice s, struct quantity *ret)
{
	bool minus = s.n && s.p[0] == '-', dot = false, any = false, rest = false;
	struct suffix suffix = suffixes[0];
	__int128 x = 0;
	int scale = 9;
	size_t i = s.n && (s.p[0] == '-' || s.p[0] == '+');

	for (; i < s.n && ((s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] == '.' && !dot)); i++) {
		if (s.p[i] == '.') {
			dot = true;
			continue;
		}
		any = true;
		/* Digits past what is kept only tell that there is something. */
		if (x >= QUANTITY_MAX) {
			rest = rest || s.p[i] != '0';
			scale += !dot;
			continue;
		}
		x = x * 10 + (s.p[i] - '0');
		scale -= dot;
	}
	if (!any || !read_suffix(slice_of(s.p + i, s.n - i), &suffix))
		return false;
	if (suffix.base == 10)
		scale += suffix.exponent;
	for (int e = suffix.base == 2 ? suffix.exponent : 0; e > 0; e--) {
		/* With a fraction to come off later the intermediate may pass the maximum. */
		if (x > QUANTITY_MAX * 1000000 && scale < 0) {
			rest = rest || x % 10;
			x /= 10;
			scale++;
		}
		x = scale < 0 ? x * 2 : grow(x, 2);
	}
	for (; scale > 0; scale--)
		x = grow(x, 10);
	for (; scale < 0 && x; scale++) {
		rest = rest || x % 10;
		x /= 10;
	}
	x = MIN(x + rest, QUANTITY_MAX);
	ret->nanos = minus ? -x : x;
	return true;
}

static bool put_quantity(struct cel_run *r, __int128 nanos, struct cel_value *ret)
{
	struct quantity *q = ARENA_NEW(r->a, struct quantity);

	if (!q)
		return cel_quota(r);
	q->nanos = nanos;
	*ret = cel_opaque(CEL_T_QUANTITY, q);
	return true;
}

static __int128 nanos_of(const struct cel_value *v)
{
	if (v->kind == CEL_T_INT)
		return (__int128)v->i * NANOS;
	return ((const struct quantity *)v->p)->nanos;
}

static bool quantity_of(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	struct quantity q;

	if (!parse_quantity(cel_slice(v), &q))
		return cel_fail(r, "quantities must match the regular expression "
				   "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'");
	return put_quantity(r, q.nanos, ret);
}

static bool is_quantity(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	struct quantity q;

	(void)r;
	*ret = cel_bool(parse_quantity(cel_slice(v), &q));
	return true;
}

static bool quantity_sign(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	__int128 n = nanos_of(v);

	(void)r;
	*ret = cel_int((n > 0) - (n < 0));
	return true;
}

static bool quantity_compare(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	__int128 a = nanos_of(&v[0]), b = nanos_of(&v[1]);

	(void)r;
	*ret = cel_int((a > b) - (a < b));
	return true;
}

static bool quantity_greater(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	(void)r;
	*ret = cel_bool(nanos_of(&v[0]) > nanos_of(&v[1]));
	return true;
}

static bool quantity_less(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	(void)r;
	*ret = cel_bool(nanos_of(&v[0]) < nanos_of(&v[1]));
	return true;
}

static bool quantity_float(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	__int128 n = nanos_of(v), units = n / NANOS;

	(void)r;
	*ret = cel_double(n % NANOS ? (double)n / 1e9 : (double)units);
	return true;
}

static bool whole(__int128 n)
{
	return n % NANOS == 0 && n / NANOS <= INT64_MAX && n / NANOS >= INT64_MIN;
}

static bool quantity_int(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	__int128 n = nanos_of(v);

	if (!whole(n))
		return cel_fail(r, "cannot convert value to integer");
	*ret = cel_int((int64_t)(n / NANOS));
	return true;
}

static bool quantity_is_int(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	(void)r;
	*ret = cel_bool(whole(nanos_of(v)));
	return true;
}

static bool quantity_sum(struct cel_run *r, __int128 a, __int128 b, struct cel_value *ret)
{
	__int128 n;

	if (__builtin_add_overflow(a, b, &n))
		return cel_fail(r, "quantity overflow");
	return put_quantity(r, n, ret);
}

static bool quantity_add(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	return quantity_sum(r, nanos_of(&v[0]), nanos_of(&v[1]), ret);
}

static bool quantity_sub(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	return quantity_sum(r, nanos_of(&v[0]), -nanos_of(&v[1]), ret);
}

/* ---- semantic versions ---- */

struct semver {
	uint64_t part[3];
	struct slice pre;
};

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
}

static bool all_digits(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	return s.n > 0;
}

/* No leading zero: of those that count. */
static bool number(struct slice s, uint64_t *ret)
{
	return all_digits(s) && (s.n == 1 || s.p[0] != '0') && str_uint64(s, ret, NULL) == 0;
}

/* "a.1.b-c": identifiers, of digits without a leading zero unless they are of a build. */
static bool identifiers(struct slice s, bool build)
{
	uint64_t n;

	if (!s.n || s.p[s.n - 1] == '.')
		return false;
	while (s.p) {
		struct slice one = slice_split(&s, '.');

		if (!one.n || (!build && all_digits(one) && !number(one, &n)))
			return false;
		for (size_t i = 0; i < one.n; i++)
			if (!is_alnum(one.p[i]) && one.p[i] != '-')
				return false;
	}
	return true;
}

static bool parse_semver(struct slice s, struct semver *ret)
{
	const char *mark = s.n ? memchr(s.p, '+', s.n) : NULL;

	*ret = (struct semver){ 0 };
	if (mark) {
		if (!identifiers(slice_of(mark + 1, (size_t)(s.p + s.n - mark - 1)), true))
			return false;
		s.n = (size_t)(mark - s.p);
	}
	mark = s.n ? memchr(s.p, '-', s.n) : NULL;
	if (mark) {
		ret->pre = slice_of(mark + 1, (size_t)(s.p + s.n - mark - 1));
		if (!identifiers(ret->pre, false))
			return false;
		s.n = (size_t)(mark - s.p);
	}
	for (size_t i = 0; i < 3; i++)
		if (!s.p || !number(slice_split(&s, '.'), &ret->part[i]))
			return false;
	return !s.p;
}

/* "v1.02" is 1.2.0: how Kubernetes makes a loose version a strict one. */
static bool normalize(struct cel_run *r, struct slice s, struct slice *ret)
{
	char *to = arena_alloc_raw(r->a, s.n + 8, 1), *p = to;
	size_t parts = 0;
	bool more = true;

	if (!to)
		return cel_quota(r);
	if (slice_starts(s, SLICE("v")))
		s = slice_of(s.p + 1, s.n - 1);
	while (more && parts < 3) {
		const char *dot = s.n && parts < 2 ? memchr(s.p, '.', s.n) : NULL;
		struct slice one = slice_of(s.p, dot ? (size_t)(dot - s.p) : s.n);

		more = dot != NULL;
		s = dot ? slice_of(dot + 1, s.n - one.n - 1) : slice_of(s.p, 0);
		if (parts < 2 && !more && (slice_has(one, '+') || slice_has(one, '-')))
			return cel_fail(r, "short version cannot contain PreRelease/Build meta "
					   "data");
		while (one.n > 1 && one.p[0] == '0' && one.p[1] >= '0' && one.p[1] <= '9')
			one = slice_of(one.p + 1, one.n - 1);
		if (parts++)
			*p++ = '.';
		if (one.n)
			memcpy(p, one.p, one.n);
		p += one.n;
	}
	for (; parts < 3; parts++) {
		*p++ = '.';
		*p++ = '0';
	}
	*ret = slice_of(to, (size_t)(p - to));
	return true;
}

static bool read_semver(struct cel_run *r, struct slice s, bool loose, struct cel_value *ret)
{
	struct semver *v = ARENA_NEW(r->a, struct semver);
	struct slice strict = s;

	if (!v)
		return cel_quota(r);
	if (loose && !normalize(r, s, &strict))
		return false;
	if (!parse_semver(strict, v))
		return cel_fail(r, "no semantic version: %.*s", (int)MIN(s.n, (size_t)100), s.p);
	*ret = cel_opaque(CEL_T_SEMVER, v);
	return true;
}

static bool semver_of(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	return read_semver(r, cel_slice(v), false, ret);
}

static bool semver_loose(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	return read_semver(r, cel_slice(&v[0]), v[1].b, ret);
}

static bool is_semver(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	struct semver s;

	(void)r;
	*ret = cel_bool(parse_semver(cel_slice(v), &s));
	return true;
}

static bool is_semver_loose(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	struct cel_value any;
	bool ok = read_semver(r, cel_slice(&v[0]), v[1].b, &any);

	*ret = cel_bool(ok);
	return !r->fatal;
}

static int order(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

/* SemVer 2, 11: numbers below words, by value; without a pre-release is above one with. */
static int compare_pre(struct slice a, struct slice b)
{
	if (!a.n || !b.n)
		return (!a.n) - (!b.n);
	while (a.p && b.p) {
		struct slice x = slice_split(&a, '.'), y = slice_split(&b, '.');
		uint64_t m = 0, n = 0;
		bool dx = number(x, &m), dy = number(y, &n);
		int d = dx && dy ? order(m, n) : dx != dy ? (dx ? -1 : 1) : slice_cmp(x, y);

		if (d)
			return d < 0 ? -1 : 1;
	}
	return (a.p != NULL) - (b.p != NULL);
}

static int compare_semver(const struct semver *a, const struct semver *b)
{
	for (size_t i = 0; i < 3; i++)
		if (a->part[i] != b->part[i])
			return order(a->part[i], b->part[i]);
	return compare_pre(a->pre, b->pre);
}

#define SEMVER(name, value)                                                                   \
	static bool name(struct cel_run *r, const struct cel_value *v, struct cel_value *ret) \
	{                                                                                     \
		(void)r;                                                                      \
		*ret = value;                                                                 \
		return true;                                                                  \
	}
SEMVER(semver_compare, cel_int(compare_semver(v[0].p, v[1].p)))
SEMVER(semver_greater, cel_bool(compare_semver(v[0].p, v[1].p) > 0))
SEMVER(semver_less, cel_bool(compare_semver(v[0].p, v[1].p) < 0))
SEMVER(semver_major, cel_int((int64_t)((const struct semver *)v->p)->part[0]))
SEMVER(semver_minor, cel_int((int64_t)((const struct semver *)v->p)->part[1]))
SEMVER(semver_patch, cel_int((int64_t)((const struct semver *)v->p)->part[2]))

/* ---- named formats ---- */

struct format {
	const char *name;
	/* NULL: good; else what is wrong. */
	const char *(*check)(struct slice s);
	unsigned size; /* of the pattern that upstream charges for it */
};

static bool in_label(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z');
}

static bool is_label(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!in_label(s.p[i]) && !(s.p[i] == '-' && i > 0 && i + 1 < s.n))
			return false;
	return s.n > 0;
}

/* A name's beginning, to which more is added: a dash may be last. */
static struct slice without_dash(struct slice s)
{
	return s.n > 1 && s.p[s.n - 1] == '-' ? slice_of(s.p, s.n - 1) : s;
}

#define TOO_LONG_63 "must be no more than 63 characters"
#define TOO_LONG_253 "must be no more than 253 characters"

static const char *check_label(struct slice s)
{
	if (s.n > 63)
		return TOO_LONG_63;
	return is_label(s) ? NULL
			   : "a lowercase RFC 1123 label has lower case letters, digits and '-', "
			     "and begins and ends with a letter or digit (e.g. 'my-name',  or "
			     "'123-abc')";
}

static const char *check_subdomain(struct slice s)
{
	struct slice rest = s;
	bool good = s.n > 0;

	if (s.n > 253)
		return TOO_LONG_253;
	while (good && rest.p)
		good = is_label(slice_split(&rest, '.'));
	return good ? NULL
		    : "a lowercase RFC 1123 subdomain has lower case letters, digits, '-' and '.', "
		      "and begins and ends with a letter or digit (e.g. 'example.com')";
}

static const char *check_1035(struct slice s)
{
	if (s.n > 63)
		return TOO_LONG_63;
	return is_label(s) && s.p[0] >= 'a'
		       ? NULL
		       : "a DNS-1035 label has lower case letters, digits and '-', begins with a "
			 "letter, and ends with a letter or digit (e.g. 'my-name',  or 'abc-123')";
}

static const char *check_label_prefix(struct slice s)
{
	return s.n > 63 ? TOO_LONG_63 : check_label(without_dash(s));
}

static const char *check_subdomain_prefix(struct slice s)
{
	return s.n > 253 ? TOO_LONG_253 : check_subdomain(without_dash(s));
}

static const char *check_1035_prefix(struct slice s)
{
	return s.n > 63 ? TOO_LONG_63 : check_1035(without_dash(s));
}

static bool is_name(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!is_alnum(s.p[i]) && !(strchr("-_.", s.p[i]) && s.p[i] && i > 0 && i + 1 < s.n))
			return false;
	return s.n > 0;
}

static const char *check_qualified(struct slice s)
{
	const char *slash = s.n ? memchr(s.p, '/', s.n) : NULL;
	struct slice name = s;

	if (slash) {
		struct slice prefix = slice_of(s.p, (size_t)(slash - s.p));

		name = slice_of(slash + 1, s.n - prefix.n - 1);
		if (prefix.n == 0)
			return "prefix part must be non-empty";
		if (check_subdomain(prefix))
			return "prefix part must be a lowercase RFC 1123 subdomain";
	}
	if (name.n == 0)
		return "name part must be non-empty";
	if (name.n > 63)
		return "name part must be no more than 63 characters";
	return is_name(name) ? NULL
			     : "name part has letters, digits, '-', '_' and '.', and begins and "
			       "ends with a letter or digit";
}

static const char *check_value(struct slice s)
{
	if (s.n > 63)
		return TOO_LONG_63;
	return s.n == 0 || is_name(s) ? NULL
				      : "a label's value is empty or has letters, digits, '-', '_' "
					"and '.', and begins and ends with a letter or digit";
}

/* 8-4-4-4-12 digits, or all 32 without a dash. */
static const char *check_uuid(struct slice s)
{
	bool dashes = s.n == 36;
	unsigned digits = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (dashes && (i == 8 || i == 13 || i == 18 || i == 23) && s.p[i] == '-')
			continue;
		if (!is_alnum(s.p[i]) || (s.p[i] | 32) > 'f')
			return "does not match the UUID format";
		digits++;
	}
	return digits == 32 ? NULL : "does not match the UUID format";
}

static const char *check_byte(struct slice s)
{
	size_t pad = 0;

	while (pad < s.n && s.p[s.n - 1 - pad] == '=')
		pad++;
	for (size_t i = 0; i + pad < s.n; i++)
		if (!is_alnum(s.p[i]) && s.p[i] != '+' && s.p[i] != '/')
			return "invalid base64";
	return s.n % 4 == 0 && pad <= 2 ? NULL : "invalid base64";
}

static const char *check_date(struct slice s)
{
	struct cel_value v;

	return cel_date_parse(s, &v) < 0 ? "invalid date" : NULL;
}

static const char *check_datetime(struct slice s)
{
	struct cel_value v;

	return cel_time_parse(s, &v) < 0 ? "invalid datetime" : NULL;
}

static const struct format formats[] = {
	{ "dns1123Label", check_label, 30 },
	{ "dns1123Subdomain", check_subdomain, 60 },
	{ "dns1035Label", check_1035, 30 },
	{ "qualifiedName", check_qualified, 60 },
	{ "dns1123LabelPrefix", check_label_prefix, 30 },
	{ "dns1123SubdomainPrefix", check_subdomain_prefix, 60 },
	{ "dns1035LabelPrefix", check_1035_prefix, 30 },
	{ "labelValue", check_value, 40 },
	{ "uri", cel_url_error, 1103 },
	{ "uuid", check_uuid, 70 },
	{ "byte", check_byte, 84 },
	{ "date", check_date, 72 },
	{ "datetime", check_datetime, 72 },
};

#define FORMAT(name, at)                                                        \
	static bool format_##name(struct cel_run *r, const struct cel_value *v, \
				  struct cel_value *ret)                        \
	{                                                                       \
		(void)r;                                                        \
		(void)v;                                                        \
		*ret = cel_opaque(CEL_T_FORMAT, &formats[at]);                  \
		return true;                                                    \
	}
FORMAT(dns1123Label, 0)
FORMAT(dns1123Subdomain, 1)
FORMAT(dns1035Label, 2)
FORMAT(qualifiedName, 3)
FORMAT(dns1123LabelPrefix, 4)
FORMAT(dns1123SubdomainPrefix, 5)
FORMAT(dns1035LabelPrefix, 6)
FORMAT(labelValue, 7)
FORMAT(uri, 8)
FORMAT(uuid, 9)
FORMAT(byte, 10)
FORMAT(date, 11)
FORMAT(datetime, 12)

static bool format_named(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	bool ok = true;

	*ret = cel_none();
	for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
		struct cel_value f = cel_opaque(CEL_T_FORMAT, &formats[i]);

		if (slice_is(cel_slice(v), formats[i].name))
			*ret = cel_some(r, &f, &ok);
	}
	return ok;
}

/* What is wrong, as a list in an optional. */
static bool validate(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	const struct format *f = v[0].p;
	const char *bad = f->check(cel_slice(&v[1]));
	struct cel_value *one, list;
	bool ok = true;

	*ret = cel_none();
	if (!bad)
		return true;
	one = ARENA_NEW(r->a, struct cel_value);
	if (!one)
		return cel_quota(r);
	*one = cel_string(slice_str(bad));
	list = cel_list_value(one, 1);
	*ret = cel_some(r, &list, &ok);
	return ok;
}

/* ---- for others ---- */

uint64_t cel_format_size(const struct cel_value *v)
{
	return ((const struct format *)v->p)->size;
}

int cel_opaque_equal(const struct cel_value *a, const struct cel_value *b)
{
	switch (a->kind) {
	case CEL_T_QUANTITY: return nanos_of(a) == nanos_of(b);
	case CEL_T_SEMVER: return compare_semver(a->p, b->p) == 0;
	case CEL_T_IP:
	case CEL_T_CIDR:
	case CEL_T_URL: return cel_net_equal(a, b);
	default: return a->p == b->p;
	}
}

#define S CEL_TEXT
#define I CEL_INTEGER
#define B CEL_BOOLEAN
#define Q (&cel_types[CEL_T_QUANTITY])
#define V (&cel_types[CEL_T_SEMVER])
#define F (&cel_types[CEL_T_FORMAT])
#define FORMAT_ROW(named)                                                \
	{                                                                \
		.name = "format." #named, .fn = format_##named, .ret = F \
	}

const struct cel_function cel_lib_kube[] = {
	CEL_F("quantity", quantity_of, Q, SCAN, S),
	CEL_F("isQuantity", is_quantity, B, SCAN, S),
	CEL_F("sign", quantity_sign, I, ONE, Q),
	CEL_M("sign", quantity_sign, I, ONE, Q),
	CEL_M("isGreaterThan", quantity_greater, B, ONE, Q, Q),
	CEL_M("isLessThan", quantity_less, B, ONE, Q, Q),
	CEL_M("compareTo", quantity_compare, I, ONE, Q, Q),
	CEL_M("asApproximateFloat", quantity_float, CEL_REAL, ONE, Q),
	CEL_M("asInteger", quantity_int, I, ONE, Q),
	CEL_M("isInteger", quantity_is_int, B, ONE, Q),
	CEL_M("add", quantity_add, Q, ONE, Q, Q),
	CEL_M("add", quantity_add, Q, ONE, Q, I),
	CEL_M("sub", quantity_sub, Q, ONE, Q, Q),
	CEL_M("sub", quantity_sub, Q, ONE, Q, I),
	CEL_F("semver", semver_of, V, SCAN, S),
	CEL_F("semver", semver_loose, V, SCAN, S, B),
	CEL_F("isSemver", is_semver, B, SCAN, S),
	CEL_F("isSemver", is_semver_loose, B, SCAN, S, B),
	CEL_M("isGreaterThan", semver_greater, B, ONE, V, V),
	CEL_M("isLessThan", semver_less, B, ONE, V, V),
	CEL_M("compareTo", semver_compare, I, ONE, V, V),
	CEL_M("major", semver_major, I, ONE, V),
	CEL_M("minor", semver_minor, I, ONE, V),
	CEL_M("patch", semver_patch, I, ONE, V),
	FORMAT_ROW(dns1123Label),
	FORMAT_ROW(dns1123Subdomain),
	FORMAT_ROW(dns1035Label),
	FORMAT_ROW(qualifiedName),
	FORMAT_ROW(dns1123LabelPrefix),
	FORMAT_ROW(dns1123SubdomainPrefix),
	FORMAT_ROW(dns1035LabelPrefix),
	FORMAT_ROW(labelValue),
	FORMAT_ROW(uri),
	FORMAT_ROW(uuid),
	FORMAT_ROW(byte),
	FORMAT_ROW(date),
	FORMAT_ROW(datetime),
	CEL_F("format.named", format_named, &cel_optional_format, ONE, S),
	CEL_M("validate", validate, &cel_optional_strings, VALIDATE, F, S),
	CEL_END,
};
