/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Formats of strings: the validators behind enum schema_format, and the readers of times, durations
 * and quantities. All work on slices, allocate nothing and know no locale. Each accepts exactly the
 * whole text.
 */
#include "doc/schema.h"

#include "doc/schema-private.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

enum {
	LOWER = 1,
	UPPER = 2,
	DIGIT = 4,
	HEXL = 8,
	HEXU = 16,
	ALPHA = LOWER | UPPER,
	ALNUM = ALPHA | DIGIT
};

static unsigned class_of(char c)
{
	if (c >= 'a' && c <= 'z')
		return LOWER | (c <= 'f' ? HEXL : 0);
	if (c >= 'A' && c <= 'Z')
		return UPPER | (c <= 'F' ? HEXU : 0);
	if (c >= '0' && c <= '9')
		return DIGIT;
	return 0;
}

/* All characters are of `classes` or in `extra`; at least lo and at most hi of them. */
static bool is_made_of(struct slice s, unsigned classes, const char *extra, size_t lo, size_t hi)
{
	if (s.n < lo || s.n > hi)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!(class_of(s.p[i]) & classes) && (s.p[i] == '\0' || !strchr(extra, s.p[i])))
			return false;
	return true;
}

static bool is_digits(struct slice s, size_t lo, size_t hi)
{
	return is_made_of(s, DIGIT, "", lo, hi);
}

static bool ends_alnum(struct slice s, unsigned classes)
{
	return s.n > 0 && (class_of(s.p[0]) & classes) && (class_of(s.p[s.n - 1]) & classes);
}

static struct slice cut(struct slice s, size_t from)
{
	return slice_of(s.p + from, s.n - from);
}

static bool is_dns_label(struct slice s, unsigned letters)
{
	return is_made_of(s, letters | DIGIT, "-", 1, 63) && ends_alnum(s, letters | DIGIT);
}

static bool is_dns_name(struct slice s, unsigned letters)
{
	if (s.n == 0 || s.n > 253 || s.p[s.n - 1] == '.')
		return false;
	while (s.p)
		if (!is_dns_label(slice_split(&s, '.'), letters))
			return false;
	return true;
}

static bool is_label_value(struct slice s)
{
	return s.n == 0 || (is_made_of(s, ALNUM, "-_.", 1, 63) && ends_alnum(s, ALNUM));
}

static bool is_qualified(struct slice s)
{
	const char *slash = s.n ? memchr(s.p, '/', s.n) : NULL;

	if (slash) {
		size_t at = (size_t)(slash - s.p);

		if (!is_dns_name(slice_of(s.p, at), LOWER))
			return false;
		s = cut(s, at + 1);
	}
	return s.n > 0 && is_label_value(s);
}

static bool is_ip(struct slice s, int family)
{
	char text[INET6_ADDRSTRLEN];
	unsigned char addr[16];

	if (s.n == 0 || s.n >= sizeof(text) || memchr(s.p, '\0', s.n))
		return false;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	return inet_pton(family, text, addr) == 1;
}

static bool is_cidr(struct slice s)
{
	struct slice rest = s, addr = slice_split(&rest, '/');
	bool v4 = is_ip(addr, AF_INET);
	int64_t bits;

	if (!rest.p || !is_digits(rest, 1, 3) || (rest.n > 1 && rest.p[0] == '0'))
		return false;
	if (!v4 && !is_ip(addr, AF_INET6))
		return false;
	return str_int64(rest, &bits, NULL) == 0 && bits <= (v4 ? 32 : 128);
}

static bool is_mac(struct slice s)
{
	if (s.n != 17)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (i % 3 == 2 ? s.p[i] != s.p[2] || (s.p[i] != ':' && s.p[i] != '-')
			       : !(class_of(s.p[i]) & (DIGIT | HEXL | HEXU)))
			return false;
	return true;
}

static bool is_uuid(struct slice s)
{
	if (s.n != 36)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (i == 8 || i == 13 || i == 18 || i == 23
			    ? s.p[i] != '-'
			    : !(class_of(s.p[i]) & (DIGIT | HEXL | HEXU)))
			return false;
	return true;
}

/* Identifiers of a pre-release or build part: not empty; numbers of a pre-release without leading
 * zero. */
static bool is_semver_part(struct slice s, bool numbers_strict)
{
	while (s.p) {
		struct slice id = slice_split(&s, '.');

		if (!is_made_of(id, ALNUM, "-", 1, 128))
			return false;
		if (numbers_strict && id.n > 1 && id.p[0] == '0' && is_digits(id, 1, 128))
			return false;
	}
	return true;
}

static bool is_semver(struct slice s)
{
	struct slice build, core = slice_split(&s, '+'), pre;
	const char *dash;
	unsigned n = 0;

	build = s;
	if (core.n == 0 || (build.p && !is_semver_part(build, false)))
		return false;
	dash = memchr(core.p, '-', core.n);
	if (dash) {
		pre = cut(core, (size_t)(dash - core.p) + 1);
		if (!is_semver_part(pre, true))
			return false;
		core.n = (size_t)(dash - core.p);
	}
	for (; core.p; n++) {
		struct slice num = slice_split(&core, '.');

		if (!is_digits(num, 1, 18) || (num.n > 1 && num.p[0] == '0'))
			return false;
	}
	return n == 3;
}

static bool is_rel_path(struct slice s)
{
	if (s.n == 0 || s.p[0] == '/' || memchr(s.p, '\0', s.n))
		return false;
	while (s.p)
		if (slice_is(slice_split(&s, '/'), ".."))
			return false;
	return true;
}

static bool is_file_name(struct slice s)
{
	return s.n > 0 && s.n <= 255 && !memchr(s.p, '/', s.n) && !memchr(s.p, '\0', s.n) &&
	       !slice_is(s, ".") && !slice_is(s, "..");
}

static bool is_digest(struct slice s)
{
	struct slice algo = slice_split(&s, ':');

	if (!is_made_of(algo, LOWER | DIGIT, "+._-", 1, 64) || !ends_alnum(algo, LOWER | DIGIT) ||
	    !s.p)
		return false;
	if (slice_is(algo, "sha256"))
		return is_made_of(s, DIGIT | HEXL, "", 64, 64);
	if (slice_is(algo, "sha512"))
		return is_made_of(s, DIGIT | HEXL, "", 128, 128);
	return is_made_of(s, ALNUM, "=_-", 32, 256);
}

static bool is_signal(struct slice s)
{
	static const char names[] =
		" HUP INT QUIT ILL TRAP ABRT IOT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT "
		"CHLD CLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO POLL PWR SYS "
		"RTMIN RTMAX ";
	char word[16];
	int64_t n;

	if (is_digits(s, 1, 3))
		return str_int64(s, &n, NULL) == 0 && n >= 1 && n <= 64;
	if (slice_starts(s, SLICE("SIG")))
		s = cut(s, 3);
	/* RTMIN+1 .. RTMIN+30, RTMAX-1 .. */
	if (s.n > 6 && (slice_starts(s, SLICE("RTMIN+")) || slice_starts(s, SLICE("RTMAX-"))))
		return is_digits(cut(s, 6), 1, 2) && str_int64(cut(s, 6), &n, NULL) == 0 && n <= 30;
	if (!is_made_of(s, UPPER | DIGIT, "", 2, sizeof(word) - 3))
		return false;
	word[0] = ' ';
	memcpy(word + 1, s.p, s.n);
	word[s.n + 1] = ' ';
	word[s.n + 2] = '\0';
	return strstr(names, word) != NULL;
}

static bool is_port(struct slice s)
{
	int64_t n;

	return is_digits(s, 1, 5) && str_int64(s, &n, NULL) == 0 && n >= 1 && n <= 65535;
}

static bool is_port_proto(struct slice s)
{
	struct slice rest = s, port = slice_split(&rest, '/');

	return is_port(port) && (!rest.p || slice_is(rest, "tcp") || slice_is(rest, "udp") ||
				 slice_is(rest, "sctp"));
}

/* The kernel's own list format: "0-3,7". */
static bool is_cpu_list(struct slice s)
{
	if (s.n == 0)
		return false;
	while (s.p) {
		struct slice hi = slice_split(&s, ','), lo = slice_split(&hi, '-');
		int64_t a, b;

		if (!is_digits(lo, 1, 6) || str_int64(lo, &a, NULL) < 0)
			return false;
		if (hi.p && (!is_digits(hi, 1, 6) || str_int64(hi, &b, NULL) < 0 || b < a))
			return false;
	}
	return true;
}

static bool is_env(struct slice s, bool name_only)
{
	const char *eq = s.n ? memchr(s.p, '=', s.n) : NULL;

	if (s.n == 0 || memchr(s.p, '\0', s.n))
		return false;
	return name_only ? eq == NULL : eq > s.p;
}

static bool is_url(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ' || s.p[i] == '\x7f')
			return false;
	for (size_t i = 1; i + 3 < s.n; i++)
		if (s.p[i] == ':')
			return (class_of(s.p[0]) & ALPHA) &&
			       is_made_of(slice_of(s.p, i), ALNUM, "+.-", 1, 32) &&
			       s.p[i + 1] == '/' && s.p[i + 2] == '/' && s.p[i + 3] != '/';
	return false;
}

bool schema_format_ok(enum schema_format f, struct slice s)
{
	switch (f) {
	case FORMAT_ABS_PATH: return s.n > 0 && s.p[0] == '/' && !memchr(s.p, '\0', s.n);
	case FORMAT_REL_PATH: return is_rel_path(s);
	case FORMAT_FILE_NAME: return is_file_name(s);
	case FORMAT_SEMVER: return is_semver(s);
	case FORMAT_IP: return is_ip(s, AF_INET) || is_ip(s, AF_INET6);
	case FORMAT_IPV4: return is_ip(s, AF_INET);
	case FORMAT_IPV6: return is_ip(s, AF_INET6);
	case FORMAT_CIDR: return is_cidr(s);
	case FORMAT_MAC: return is_mac(s);
	case FORMAT_DNS_LABEL: return is_dns_label(s, LOWER);
	case FORMAT_DNS_SUBDOMAIN: return is_dns_name(s, LOWER);
	/* Linux takes any case and underscores; 64 bytes is the kernel's limit. */
	case FORMAT_HOSTNAME:
		return is_made_of(s, ALNUM, "-_.", 1, 64) && s.p[0] != '-' && s.p[0] != '.';
	case FORMAT_QUALIFIED_NAME: return is_qualified(s);
	case FORMAT_LABEL_VALUE: return is_label_value(s);
	case FORMAT_NAME: return is_made_of(s, ALNUM, "_.-", 1, 255) && (class_of(s.p[0]) & ALNUM);
	case FORMAT_C_IDENTIFIER:
		return is_made_of(s, ALNUM, "_", 1, 255) && !(class_of(s.p[0]) & DIGIT);
	case FORMAT_TOKEN: return is_made_of(s, ALNUM, "-._~!#$%&'*+^`|", 1, 255);
	case FORMAT_HEX: return is_made_of(s, DIGIT | HEXL | HEXU, "", 1, SIZE_MAX);
	case FORMAT_HEX_ID: return is_made_of(s, DIGIT | HEXL, "", 64, 64);
	case FORMAT_DIGEST: return is_digest(s);
	case FORMAT_UUID: return is_uuid(s);
	case FORMAT_SIGNAL: return is_signal(s);
	case FORMAT_ENV: return is_env(s, false);
	case FORMAT_ENV_NAME: return is_env(s, true);
	case FORMAT_PORT: return is_port(s);
	case FORMAT_PORT_PROTO: return is_port_proto(s);
	case FORMAT_DURATION: return schema_parse_duration(s, NULL, NULL) == 0;
	case FORMAT_CPU_LIST: return is_cpu_list(s);
	case FORMAT_SYSCTL:
		return is_made_of(s, ALNUM, "._-/:*", 1, 255) && (class_of(s.p[0]) & ALNUM);
	case FORMAT_OCTAL: return str_octal(s, &(uint32_t){ 0 }, NULL) == 0;
	case FORMAT_URL: return is_url(s);
	case FORMAT_MICRO_TIME: return schema_parse_time(s, &(struct schema_time){ 0 }, NULL) == 0;
	case FORMAT_NONE:
	case FORMAT_COUNT: break;
	}
	return true;
}

const char *schema_format_help(enum schema_format f)
{
	static const char *const help[] = { "any text",
#define X(id, text) text,
					    SCHEMA_FORMATS(X)
#undef X
	};

	return f < FORMAT_COUNT ? help[f] : help[0];
}

/* --- times, durations, quantities ---------------------------------------------------------------
 */

/* Days since 1970 of a proleptic Gregorian date; years 0..9999. */
static int64_t days_of(int64_t y, int64_t m, int64_t d)
{
	int64_t era, yoe, doy;

	y -= m <= 2;
	era = (y >= 0 ? y : y - 399) / 400;
	yoe = y - era * 400;
	doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static bool take_digits(struct slice *s, unsigned n, int64_t *ret)
{
	*ret = 0;
	if (s->n < n)
		return false;
	for (unsigned i = 0; i < n; i++) {
		if (!(class_of(s->p[i]) & DIGIT))
			return false;
		*ret = *ret * 10 + (s->p[i] - '0');
	}
	*s = cut(*s, n);
	return true;
}

static bool take_char(struct slice *s, const char *any)
{
	if (s->n == 0 || s->p[0] == '\0' || !strchr(any, s->p[0]))
		return false;
	*s = cut(*s, 1);
	return true;
}

/* ".5" and the like in units of 1/10^9; digits past the ninth are dropped as Go does. */
static bool take_fraction(struct slice *s, int64_t *ret)
{
	int64_t unit = 100000000;

	*ret = 0;
	if (!take_char(s, "."))
		return true;
	if (s->n == 0 || !(class_of(s->p[0]) & DIGIT))
		return false;
	for (; s->n > 0 && (class_of(s->p[0]) & DIGIT); *s = cut(*s, 1), unit /= 10)
		*ret += (s->p[0] - '0') * unit;
	return true;
}

static bool take_zone(struct slice *s, int64_t *ret)
{
	int64_t h, m;
	bool minus;

	*ret = 0;
	if (take_char(s, "Zz"))
		return true;
	minus = s->n > 0 && s->p[0] == '-';
	if (!take_char(s, "+-") || !take_digits(s, 2, &h) || !take_char(s, ":") ||
	    !take_digits(s, 2, &m) || h > 23 || m > 59)
		return false;
	*ret = (h * 60 + m) * (minus ? -60 : 60);
	return true;
}

int schema_parse_time(struct slice s, struct schema_time *ret, struct err *err)
{
	static const uint8_t month_days[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	int64_t y, mo, d, h, mi, sec, ns, zone;
	struct slice in = s;
	bool leap;

	if (!take_digits(&s, 4, &y) || !take_char(&s, "-") || !take_digits(&s, 2, &mo) ||
	    !take_char(&s, "-") || !take_digits(&s, 2, &d) || !take_char(&s, "Tt") ||
	    !take_digits(&s, 2, &h) || !take_char(&s, ":") || !take_digits(&s, 2, &mi) ||
	    !take_char(&s, ":") || !take_digits(&s, 2, &sec) || !take_fraction(&s, &ns) ||
	    !take_zone(&s, &zone) || s.n > 0)
		goto bad;
	leap = y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);
	if (mo < 1 || mo > 12 || d < 1 || d > month_days[mo - 1] || (mo == 2 && d == 29 && !leap) ||
	    h > 23 || mi > 59 || sec > 59)
		goto bad;

	*ret = (struct schema_time){ .set = true,
				     .nsec = (uint32_t)ns,
				     .sec = days_of(y, mo, d) * 86400 + h * 3600 + mi * 60 + sec -
					    zone };
	return 0;
bad:
	return err_set(err, ERR_INVALID, "'%.*s' is no RFC 3339 time such as 2024-05-01T12:00:00Z",
		       (int)MIN(in.n, (size_t)64), in.p);
}

char *schema_format_time(const struct schema_time *t, char dst[40])
{
	int64_t day = t->sec / 86400, rem = t->sec % 86400, era, doe, yoe, doy, mp, y;
	int n;

	if (rem < 0) {
		rem += 86400;
		day--;
	}
	day += 719468;
	era = (day >= 0 ? day : day - 146096) / 146097;
	doe = day - era * 146097;
	yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	mp = (5 * doy + 2) / 153;
	y = yoe + era * 400 + (mp >= 10);
	n = snprintf(dst, 40, "%04d-%02d-%02dT%02d:%02d:%02d", (int)y,
		     (int)(mp < 10 ? mp + 3 : mp - 9), (int)(doy - (153 * mp + 2) / 5 + 1),
		     (int)(rem / 3600), (int)(rem / 60 % 60), (int)(rem % 60));
	if (t->nsec) {
		n += snprintf(dst + n, 40 - (size_t)n, ".%09u", t->nsec % 1000000000);
		while (dst[n - 1] == '0')
			n--;
	}
	dst[n] = 'Z';
	dst[n + 1] = '\0';
	return dst;
}

static int64_t take_unit(struct slice *s)
{
	static const struct {
		const char *name;
		int64_t ns;
	} units[] = { { "ns", 1 },
		      { "us", 1000 },
		      { "\xc2\xb5s", 1000 },
		      { "\xce\xbcs", 1000 },
		      { "ms", 1000000 },
		      { "s", 1000000000 },
		      { "m", 60000000000LL },
		      { "h", 3600000000000LL } };

	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		struct slice u = slice_str(units[i].name);

		if (slice_starts(*s, u)) {
			*s = cut(*s, u.n);
			return units[i].ns;
		}
	}
	return 0;
}

int schema_parse_duration(struct slice s, int64_t *ret_ns, struct err *err)
{
	struct slice in = s;
	int64_t total = 0, whole, frac, unit;
	bool minus = s.n > 0 && s.p[0] == '-';

	(void)take_char(&s, "+-"); /* a sign is optional */
	if (slice_is(s, "0"))
		s = cut(s, 1);
	else if (s.n == 0)
		goto bad;
	while (s.n > 0) {
		bool digits = class_of(s.p[0]) & DIGIT;

		if (!digits && s.p[0] != '.')
			goto bad;
		for (whole = 0; s.n > 0 && (class_of(s.p[0]) & DIGIT); s = cut(s, 1))
			if (__builtin_mul_overflow(whole, 10, &whole) ||
			    __builtin_add_overflow(whole, s.p[0] - '0', &whole))
				goto bad;
		/* "1.s" is good, "." is not */
		if (digits && s.n > 1 && s.p[0] == '.' && !(class_of(s.p[1]) & DIGIT)) {
			s = cut(s, 1);
			frac = 0;
		} else if (!take_fraction(&s, &frac)) {
			goto bad;
		}
		unit = take_unit(&s);
		if (unit == 0 || __builtin_mul_overflow(whole, unit, &whole) ||
		    __builtin_add_overflow(total, whole, &total) ||
		    __builtin_add_overflow(total, (int64_t)((__int128)frac * unit / 1000000000),
					   &total))
			goto bad;
	}
	if (ret_ns)
		*ret_ns = minus ? -total : total;
	return 0;
bad:
	return err_set(err, ERR_INVALID, "'%.*s' is no duration such as 1h30m or 250ms",
		       (int)MIN(in.n, (size_t)64), in.p);
}

/* [+-] digits [. digits] then n u m k M G T P E, Ki..Ei, or e<int>; Kubernetes resource.Quantity.
 */
bool schema_quantity_ok(struct slice s)
{
	size_t digits = 0;

	(void)take_char(&s, "+-"); /* optional */
	for (; s.n > 0 && (class_of(s.p[0]) & DIGIT); s = cut(s, 1))
		digits++;
	if (take_char(&s, "."))
		for (; s.n > 0 && (class_of(s.p[0]) & DIGIT); s = cut(s, 1))
			digits++;
	if (digits == 0)
		return false;
	if (s.n == 0)
		return true;
	if (s.n == 1)
		return s.p[0] && strchr("numkMGTPE", s.p[0]);
	if (s.n == 2 && s.p[1] == 'i')
		return s.p[0] && strchr("KMGTPE", s.p[0]);
	if (!take_char(&s, "eE"))
		return false;
	(void)take_char(&s, "+-"); /* optional */
	return is_digits(s, 1, 3);
}

/* --- base64
 * --------------------------------------------------------------------------------------- */

static int base64_value(char c)
{
	unsigned k = class_of(c);

	if (k & UPPER)
		return c - 'A';
	if (k & LOWER)
		return c - 'a' + 26;
	if (k & DIGIT)
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

ssize_t schema_base64_decode(struct slice in, char *out)
{
	size_t n = 0, pad = 0;

	if (in.n % 4)
		return -1;
	if (in.n && in.p[in.n - 1] == '=')
		pad = 1 + (in.p[in.n - 2] == '=');
	for (size_t i = 0; i < in.n; i += 4) {
		size_t chars = i + 4 == in.n ? 4 - pad : 4;
		uint32_t v = 0;

		for (size_t j = 0; j < 4; j++) {
			int d = j < chars ? base64_value(in.p[i + j]) : 0;

			if (d < 0)
				return -1;
			v = v << 6 | (uint32_t)d;
		}
		for (size_t j = 0; j + 1 < chars; j++)
			out[n++] = (char)(v >> (16 - 8 * j));
	}
	return (ssize_t)n;
}

size_t schema_base64_encode(struct slice in, char *out)
{
	static const char abc[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t n = 0;

	for (size_t i = 0; i < in.n; i += 3) {
		size_t left = MIN(in.n - i, (size_t)3);
		uint32_t v = 0;

		for (size_t j = 0; j < 3; j++)
			v = v << 8 | (j < left ? (unsigned char)in.p[i + j] : 0);
		for (size_t j = 0; j < 4; j++)
			out[n++] = j <= left ? abc[v >> (18 - 6 * j) & 63] : '=';
	}
	return n;
}
