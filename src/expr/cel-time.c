/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Timestamps (seconds since 1970 and nanoseconds, of the years 1 to 9999) and durations (64 bits of
 * nanoseconds). Zones are UTC and offsets such as "+02:00" or "-8:30".
 */
#include "base/clock.h"
#include "expr/cel-private.h"

#include <stdio.h>

#define SECONDS_MIN (-62135596800LL) /* 0001-01-01T00:00:00Z */
#define SECONDS_MAX 253402300799LL   /* 9999-12-31T23:59:59Z */
#define DAY 86400

struct civil {
	int64_t year;
	unsigned month, day, yearday, weekday; /* from 1, 1, 0, 0 = Sunday */
	unsigned hour, minute, second;
};

/* Days since 1970-01-01 of a date of the Gregorian calendar; years begin in March here. */
static int64_t days_of(int64_t y, unsigned m, unsigned d)
{
	int64_t era, doe;
	unsigned doy;

	y -= m <= 2;
	era = (y >= 0 ? y : y - 399) / 400;
	doy = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;
	doe = (y - era * 400) * 365 + (y - era * 400) / 4 - (y - era * 400) / 100 + doy;
	return era * 146097 + doe - 719468;
}

static void civil_of(int64_t seconds, struct civil *c)
{
	int64_t days = seconds / DAY, rest = seconds % DAY, z, era, doe, yoe, doy, mp;

	if (rest < 0) {
		rest += DAY;
		days--;
	}
	z = days + 719468;
	era = (z >= 0 ? z : z - 146096) / 146097;
	doe = z - era * 146097;
	yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	mp = (5 * doy + 2) / 153;
	c->day = (unsigned)(doy - (153 * mp + 2) / 5 + 1);
	c->month = (unsigned)(mp < 10 ? mp + 3 : mp - 9);
	c->year = yoe + era * 400 + (c->month <= 2);
	c->yearday = (unsigned)(days - days_of(c->year, 1, 1));
	c->weekday = (unsigned)(((days + 4) % 7 + 7) % 7);
	c->hour = (unsigned)(rest / 3600);
	c->minute = (unsigned)(rest / 60 % 60);
	c->second = (unsigned)(rest % 60);
}

/* ---- texts ---- */

/* Digits at a place, all of them there. */
static bool digits(struct slice s, size_t at, size_t n, unsigned *ret)
{
	unsigned v = 0;

	if (at + n > s.n)
		return false;
	for (size_t i = at; i < at + n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		v = v * 10 + (unsigned)(s.p[i] - '0');
	}
	*ret = v;
	return true;
}

static unsigned days_in(unsigned year, unsigned month)
{
	static const uint8_t n[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return month == 2 && leap ? 29 : n[month - 1];
}

static bool parse_date(struct slice s, int64_t *days)
{
	unsigned y, m, d;

	if (!digits(s, 0, 4, &y) || !digits(s, 5, 2, &m) || !digits(s, 8, 2, &d) || s.p[4] != '-' ||
	    s.p[7] != '-' || m < 1 || m > 12 || d < 1 || d > days_in(y, m))
		return false;
	*days = days_of(y, m, d);
	return true;
}

/* "Z" or "+hh:mm" as all that is left. */
static bool parse_offset(struct slice s, int *ret)
{
	unsigned h, m;

	if (slice_is(s, "Z")) {
		*ret = 0;
		return true;
	}
	if (s.n != 6 || (s.p[0] != '+' && s.p[0] != '-') || s.p[3] != ':' || !digits(s, 1, 2, &h) ||
	    !digits(s, 4, 2, &m) || h > 24 || m > 60)
		return false;
	*ret = (int)(h * 3600 + m * 60) * (s.p[0] == '-' ? -1 : 1);
	return true;
}

int cel_time_parse(struct slice s, struct cel_value *ret)
{
	unsigned h, m, sec, nanos = 0, scale = 100000000;
	int64_t days;
	size_t at = 19;
	int offset;

	if (s.n < 20 || !parse_date(s, &days) || s.p[10] != 'T' || s.p[13] != ':' ||
	    s.p[16] != ':' || !digits(s, 11, 2, &h) || !digits(s, 14, 2, &m) ||
	    !digits(s, 17, 2, &sec) || h > 23 || m > 59 || sec > 59)
		return -1;
	if (s.p[at] == '.' || s.p[at] == ',') {
		unsigned one;

		if (!digits(s, at + 1, 1, &one))
			return -1;
		for (at++; digits(s, at, 1, &one); at++, scale /= 10)
			nanos += one * scale;
	}
	if (!parse_offset(slice_of(s.p + at, s.n - at), &offset))
		return -1;
	*ret = (struct cel_value){ .kind = CEL_T_TIMESTAMP,
				   .n = nanos,
				   .i = days * DAY + h * 3600 + m * 60 + sec - offset };
	return ret->i < SECONDS_MIN || ret->i > SECONDS_MAX ? -1 : 0;
}

int cel_date_parse(struct slice s, struct cel_value *ret)
{
	int64_t days;

	if (s.n != 10 || !parse_date(s, &days))
		return -1;
	*ret = (struct cel_value){ .kind = CEL_T_TIMESTAMP, .i = days * DAY };
	return ret->i < SECONDS_MIN ? -1 : 0;
}

int cel_duration_parse(struct slice s, struct cel_value *ret)
{
	int64_t ns;

	if (clock_parse_duration(s, &ns, NULL) < 0)
		return -1;
	*ret = (struct cel_value){ .kind = CEL_T_DURATION, .i = ns };
	return 0;
}

size_t cel_time_text(const struct cel_value *v, char dst[CEL_TIME_TEXT])
{
	struct civil c;
	size_t n;

	civil_of(v->i, &c);
	n = (size_t)snprintf(dst, CEL_TIME_TEXT, "%04lld-%02u-%02uT%02u:%02u:%02u",
			     (long long)c.year, c.month, c.day, c.hour, c.minute, c.second);
	if (v->n) {
		n += (size_t)snprintf(dst + n, CEL_TIME_TEXT - n, ".%09u", v->n);
		while (dst[n - 1] == '0')
			n--;
	}
	dst[n++] = 'Z';
	dst[n] = '\0';
	return n;
}

/* Go gives the seconds as a double. */
size_t cel_duration_text(const struct cel_value *v, char dst[CEL_TIME_TEXT])
{
	int64_t seconds = v->i / NS_PER_SEC, rest = v->i % NS_PER_SEC;
	double d = (double)seconds + (double)rest / 1e9;
	size_t n = cel_double_fixed(d, dst);

	dst[n++] = 's';
	dst[n] = '\0';
	return n;
}

/* ---- arithmetic ---- */

static bool put_time(struct cel_run *r, int64_t seconds, int64_t nanos, struct cel_value *ret)
{
	seconds += nanos / NS_PER_SEC;
	nanos %= NS_PER_SEC;
	if (nanos < 0) {
		nanos += NS_PER_SEC;
		seconds--;
	}
	if (seconds < SECONDS_MIN || seconds > SECONDS_MAX)
		return cel_fail(r, "timestamp overflow");
	*ret = (struct cel_value){ .kind = CEL_T_TIMESTAMP, .n = (uint32_t)nanos, .i = seconds };
	return true;
}

static bool put_duration(struct cel_run *r, bool over, int64_t ns, struct cel_value *ret)
{
	if (over)
		return cel_fail(r, "duration overflow");
	*ret = (struct cel_value){ .kind = CEL_T_DURATION, .i = ns };
	return true;
}

static bool add_time(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	const struct cel_value *t = &v[v[0].kind != CEL_T_TIMESTAMP];
	const struct cel_value *d = &v[v[0].kind == CEL_T_TIMESTAMP];

	return put_time(r, t->i + d->i / NS_PER_SEC, (int64_t)t->n + d->i % NS_PER_SEC, ret);
}

static bool sub_time(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	return put_time(r, v[0].i - v[1].i / NS_PER_SEC, (int64_t)v[0].n - v[1].i % NS_PER_SEC,
			ret);
}

static bool sub_times(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	int64_t ns = 0;
	bool over = __builtin_mul_overflow(v[0].i - v[1].i, NS_PER_SEC, &ns) ||
		    __builtin_add_overflow(ns, (int64_t)v[0].n - v[1].n, &ns);

	return put_duration(r, over, ns, ret);
}

static bool add_spans(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	int64_t ns = 0;
	bool over = __builtin_add_overflow(v[0].i, v[1].i, &ns);

	return put_duration(r, over, ns, ret);
}

static bool sub_spans(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	int64_t ns = 0;
	bool over = __builtin_sub_overflow(v[0].i, v[1].i, &ns);

	return put_duration(r, over, ns, ret);
}

/* ---- conversions ---- */

static bool time_of(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	switch (v->kind) {
	case CEL_T_TIMESTAMP: *ret = *v; return true;
	case CEL_T_INT: return put_time(r, v->i, 0, ret);
	default:
		if (cel_time_parse(cel_slice(v), ret) < 0)
			return cel_fail(r, "type conversion error from 'string' to "
					   "'google.protobuf.Timestamp'");
		return true;
	}
}

static bool span_of(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	if (v->kind == CEL_T_DURATION)
		*ret = *v;
	else if (cel_duration_parse(cel_slice(v), ret) < 0)
		return cel_fail(r, "type conversion error from 'string' to "
				   "'google.protobuf.Duration'");
	return true;
}

/* ---- parts ---- */

/* Seconds east of UTC. */
static bool zone(struct cel_run *r, struct slice s, int *ret)
{
	struct slice rest = s, hours, minutes;
	uint64_t h, m;
	bool minus;

	*ret = 0;
	if (!s.n || slice_is(s, "UTC") || slice_is(s, "Etc/UTC") || slice_is(s, "GMT") ||
	    slice_is(s, "Etc/GMT") || slice_is(s, "Z"))
		return true;
	if (!slice_has(s, ':'))
		return cel_fail(
			r,
			"unknown time zone %.*s: names of places are not supported, use UTC "
			"or an offset such as '+02:00'",
			(int)MIN(s.n, (size_t)60), s.p);
	minus = s.p[0] == '-';
	if (minus || s.p[0] == '+')
		rest = slice_of(s.p + 1, s.n - 1);
	hours = slice_split(&rest, ':');
	minutes = rest;
	if (str_uint64(hours, &h, NULL) < 0 || str_uint64(minutes, &m, NULL) < 0 || h > 23 ||
	    m > 59)
		return cel_fail(r, "invalid time zone offset: %.*s", (int)MIN(s.n, (size_t)60),
				s.p);
	*ret = (int)(h * 3600 + m * 60) * (minus ? -1 : 1);
	return true;
}

/* With one argument the zone is UTC; the function's own table row says how many there are. */
#define PART(name, value)                                                                          \
	static bool name(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)      \
	{                                                                                          \
		struct civil c;                                                                    \
		(void)r;                                                                           \
		civil_of(v[0].i, &c);                                                              \
		*ret = cel_int((int64_t)(value));                                                  \
		return true;                                                                       \
	}                                                                                          \
	static bool name##_in(struct cel_run *r, const struct cel_value *v, struct cel_value *ret) \
	{                                                                                          \
		struct civil c;                                                                    \
		int east;                                                                          \
		if (!zone(r, cel_slice(&v[1]), &east))                                             \
			return false;                                                              \
		civil_of(v[0].i + east, &c);                                                       \
		*ret = cel_int((int64_t)(value));                                                  \
		return true;                                                                       \
	}
PART(full_year, c.year)
PART(month, c.month - 1)
PART(date, c.day)
PART(day_of_month, c.day - 1)
PART(day_of_week, c.weekday)
PART(day_of_year, c.yearday)
PART(hours, c.hour)
PART(minutes, c.minute)
PART(seconds, c.second)
PART(milliseconds, ((void)c, v[0].n / 1000000))

#define SPAN_PART(name, value)                                                                \
	static bool name(struct cel_run *r, const struct cel_value *v, struct cel_value *ret) \
	{                                                                                     \
		(void)r;                                                                      \
		*ret = cel_int(value);                                                        \
		return true;                                                                  \
	}
SPAN_PART(span_hours, v[0].i / (3600 * NS_PER_SEC))
SPAN_PART(span_minutes, v[0].i / (60 * NS_PER_SEC))
SPAN_PART(span_seconds, v[0].i / NS_PER_SEC)
SPAN_PART(span_milliseconds, v[0].i / NS_PER_MS % 1000)

#define ROWS(name, fn)                               \
	CEL_M(name, fn, CEL_INTEGER, ONE, CEL_TIME), \
		CEL_M(name, fn##_in, CEL_INTEGER, ONE, CEL_TIME, CEL_TEXT)

const struct cel_function cel_lib_time[] = {
	CEL_F("_+_", add_spans, CEL_SPAN, ONE, CEL_SPAN, CEL_SPAN),
	CEL_F("_+_", add_time, CEL_TIME, ONE, CEL_SPAN, CEL_TIME),
	CEL_F("_+_", add_time, CEL_TIME, ONE, CEL_TIME, CEL_SPAN),
	CEL_F("_-_", sub_spans, CEL_SPAN, ONE, CEL_SPAN, CEL_SPAN),
	CEL_F("_-_", sub_time, CEL_TIME, ONE, CEL_TIME, CEL_SPAN),
	CEL_F("_-_", sub_times, CEL_SPAN, ONE, CEL_TIME, CEL_TIME),
	CEL_F("timestamp", time_of, CEL_TIME, ONE, CEL_TIME),
	CEL_F("timestamp", time_of, CEL_TIME, ONE, CEL_INTEGER),
	CEL_F("timestamp", time_of, CEL_TIME, ONE, CEL_TEXT),
	CEL_F("duration", span_of, CEL_SPAN, ONE, CEL_SPAN),
	CEL_F("duration", span_of, CEL_SPAN, ONE, CEL_TEXT),
	ROWS("getFullYear", full_year),
	ROWS("getMonth", month),
	ROWS("getDate", date),
	ROWS("getDayOfMonth", day_of_month),
	ROWS("getDayOfWeek", day_of_week),
	ROWS("getDayOfYear", day_of_year),
	ROWS("getHours", hours),
	ROWS("getMinutes", minutes),
	ROWS("getSeconds", seconds),
	ROWS("getMilliseconds", milliseconds),
	CEL_M("getHours", span_hours, CEL_INTEGER, ONE, CEL_SPAN),
	CEL_M("getMinutes", span_minutes, CEL_INTEGER, ONE, CEL_SPAN),
	CEL_M("getSeconds", span_seconds, CEL_INTEGER, ONE, CEL_SPAN),
	CEL_M("getMilliseconds", span_milliseconds, CEL_INTEGER, ONE, CEL_SPAN),
	CEL_END,
};
