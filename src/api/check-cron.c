/* SPDX-License-Identifier: Apache-2.0 */
#include "api/check-cron.h"

#include "base/arena.h"
#include "doc/schema.h"

#define TEXT(s) (int)(s).n, (s).p

struct bounds {
	unsigned min, max;
	const char *names; /* three letters each, the first is min; "" = none */
};

static const struct bounds fields[] = {
	{ 0, 59, "" },
	{ 0, 23, "" },
	{ 1, 31, "" },
	{ 1, 12, "janfebmaraprmayjunjulaugsepoctnovdec" },
	{ 0, 6, "sunmontuewedthufrisat" },
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\v' || c == '\f' || c == '\r';
}

/* The next word of *rest; empty at the end. */
static struct slice next_word(struct slice *rest)
{
	size_t i = 0, n = 0;

	while (i < rest->n && is_blank(rest->p[i]))
		i++;
	while (i + n < rest->n && !is_blank(rest->p[i + n]))
		n++;
	*rest = slice_of(rest->p + i + n, rest->n - i - n);
	return slice_of(rest->p - n, n);
}

static const char *number(struct arena *a, struct slice s, unsigned *ret)
{
	struct slice digits = s;
	uint64_t v = 0;
	bool minus = s.n && *s.p == '-';

	if (s.n && (*s.p == '-' || *s.p == '+'))
		digits = slice_of(s.p + 1, s.n - 1);
	for (size_t i = 0; i < digits.n; i++)
		if (digits.p[i] < '0' || digits.p[i] > '9')
			digits.n = 0;
	while (digits.n > 1 && *digits.p == '0')
		digits = slice_of(digits.p + 1, digits.n - 1);
	if (digits.n == 0 || str_uint64(digits, &v, NULL) < 0)
		return arena_printf(a,
				    "failed to parse int from %.*s: strconv.Atoi: parsing "
				    "\"%.*s\": %s",
				    TEXT(s), TEXT(s),
				    digits.n ? "value out of range" : "invalid syntax");
	if (minus && v > 0)
		return arena_printf(a, "negative number (-%llu) not allowed: %.*s",
				    (unsigned long long)v, TEXT(s));
	*ret = (unsigned)MIN(v, (uint64_t)UINT32_MAX);
	return NULL;
}

static const char *number_or_name(struct arena *a, const struct bounds *b, struct slice s,
				  unsigned *ret)
{
	for (unsigned i = 0; s.n == 3 && b->names[3 * i]; i++)
		if (slice_ieq(s, slice_of(b->names + (size_t)3 * i, 3))) {
			*ret = b->min + i;
			return NULL;
		}
	return number(a, s, ret);
}

static const char *check_bounds(struct arena *a, const struct bounds *b, const unsigned v[3],
				struct slice s)
{
	if (v[0] < b->min)
		return arena_printf(a, "beginning of range (%u) below minimum (%u): %.*s", v[0],
				    b->min, TEXT(s));
	if (v[1] > b->max)
		return arena_printf(a, "end of range (%u) above maximum (%u): %.*s", v[1], b->max,
				    TEXT(s));
	if (v[0] > v[1])
		return arena_printf(a, "beginning of range (%u) beyond end of range (%u): %.*s",
				    v[0], v[1], TEXT(s));
	if (v[2] == 0)
		return arena_printf(a, "step of range should be a positive number: %.*s", TEXT(s));
	return NULL;
}

/* number | number "-" number [ "/" number ] */
static const char *check_range_of(struct arena *a, const struct bounds *b, struct slice s)
{
	struct slice step = s, range = slice_split(&step, '/'), high = range,
		     low = slice_split(&high, '-');
	unsigned v[3] = { b->min, b->max, 1 }; /* first, last, step */
	const char *why = NULL;

	if (!slice_is(low, "*") && !slice_is(low, "?")) {
		why = number_or_name(a, b, low, &v[0]);
		v[1] = v[0];
		if (!why && high.p && memchr(high.p, '-', high.n))
			why = arena_printf(a, "too many hyphens: %.*s", TEXT(s));
		else if (!why && high.p)
			why = number_or_name(a, b, high, &v[1]);
	}
	if (!why && step.p && memchr(step.p, '/', step.n))
		why = arena_printf(a, "too many slashes: %.*s", TEXT(s));
	else if (!why && step.p)
		why = number(a, step, &v[2]);
	if (step.p && !high.p)
		v[1] = b->max;
	return why ? why : check_bounds(a, b, v, s);
}

static const char *check_field(struct arena *a, const struct bounds *b, struct slice s)
{
	const char *why = NULL;

	while (!why && s.p) {
		struct slice one = slice_split(&s, ',');

		if (one.n > 0)
			why = check_range_of(a, b, one);
	}
	return why;
}

static const char *check_descriptor(struct arena *a, struct slice s)
{
	static const char *const known[] = { "@yearly", "@annually", "@monthly", "@weekly",
					     "@daily",	"@midnight", "@hourly" };
	struct slice every = SLICE("@every ");

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (slice_is(s, known[i]))
			return NULL;
	if (!slice_starts(s, every))
		return arena_printf(a, "unrecognized descriptor: %.*s", TEXT(s));
	if (schema_format_ok(FORMAT_DURATION, slice_of(s.p + every.n, s.n - every.n)))
		return NULL;
	return arena_printf(a, "failed to parse duration %.*s: time: invalid duration \"%.*s\"",
			    TEXT(s), (int)(s.n - every.n), s.p + every.n);
}

static const char *check_words(struct arena *a, struct slice s)
{
	struct slice words[ARRAY_LEN(fields)], rest = s, word;
	CLEANUP(buf_fini) struct buf text = BUF_INIT(1024);
	const char *why = NULL;
	size_t n = 0;

	for (word = next_word(&rest); word.n > 0; word = next_word(&rest)) {
		if (n < ARRAY_LEN(words))
			words[n] = word;
		(void)buf_addf(&text, "%s%.*s", n ? " " : "", TEXT(word));
		n++;
	}
	if (n != ARRAY_LEN(fields))
		return arena_printf(a, "expected exactly 5 fields, found %zu: [%s]", n,
				    buf_str(&text));
	for (size_t i = 0; !why && i < n; i++)
		why = check_field(a, &fields[i], words[i]);
	return why;
}

const char *cron_check(struct arena *a, struct slice s)
{
	bool zone = slice_starts(s, SLICE("TZ=")) || slice_starts(s, SLICE("CRON_TZ="));

	if (zone) {
		struct slice rest = s, name = slice_split(&rest, ' ');

		(void)slice_split(&name, '=');
		if (!rest.p || (name.n && !slice_is(name, "Local") && !cron_knows_zone(name)))
			return arena_printf(a, "provided bad location %.*s: unknown time zone %.*s",
					    TEXT(name), TEXT(name));
		s = rest;
		while (s.n && is_blank(*s.p))
			s = slice_of(s.p + 1, s.n - 1);
	}
	return s.n && *s.p == '@' ? check_descriptor(a, s) : check_words(a, s);
}

static bool is_zone_part(struct slice s)
{
	if (s.n == 0 || s.n > 14 || *s.p == '-' || slice_is(s, ".") || slice_is(s, ".."))
		return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		      memchr(".-_+", c, 4)))
			return false;
	}
	return true;
}

const char *cron_check_zone(struct arena *a, struct slice name)
{
	struct slice rest = name;

	if (name.n == 0)
		return "timeZone must be nil or non-empty string";
	while (rest.p)
		if (!is_zone_part(slice_split(&rest, '/')))
			return arena_printf(a, "unknown time zone %.*s", TEXT(name));
	if (slice_ieq(name, SLICE("Local")))
		return "timeZone must be an explicit time zone as defined in "
		       "https://www.iana.org/time-zones";
	return cron_knows_zone(name) ? NULL : arena_printf(a, "unknown time zone %.*s", TEXT(name));
}
