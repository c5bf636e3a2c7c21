/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Formats of texts that schemas may name. Those of numbers say nothing beyond the type; unknown
 * ones are ignored, as upstream has it. Names are compared without their dashes.
 */
#include "api/custom-private.h"

#include <string.h>

typedef bool format_fn(struct slice s);

/* ---- those that no pattern can tell ---- */

static bool is_ipv4(struct slice s)
{
	return schema_format_ok(FORMAT_IPV4, s);
}

static bool is_ipv6(struct slice s)
{
	return schema_format_ok(FORMAT_IPV6, s);
}

static bool is_cidr(struct slice s)
{
	return schema_format_ok(FORMAT_CIDR, s);
}

static bool is_datetime(struct slice s)
{
	struct schema_time t;

	return schema_parse_time(s, &t, NULL) == 0;
}

static bool is_date(struct slice s)
{
	struct schema_time t;
	char text[32];

	if (s.n != 10)
		return false;
	memcpy(text, s.p, 10);
	memcpy(text + 10, "T00:00:00Z", 10);
	return schema_parse_time(slice_of(text, 20), &t, NULL) == 0;
}

static bool is_base64(struct slice s)
{
	return s.n % 4 == 0; /* its letters: the pattern */
}

/* Digits and X of a text, at most 16; 0: there are more, or others than dashes between them. */
static size_t digits_of(struct slice s, bool any_between, int out[16])
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c >= '0' && c <= '9') {
			if (n == 16)
				return 0;
			out[n++] = c - '0';
		} else if ((c == 'X' || c == 'x') && n == 9) {
			out[n++] = 10;
		} else if (c != '-' && c != ' ' && !any_between) {
			return 0;
		}
	}
	return n;
}

static bool is_isbn10(struct slice s)
{
	int d[16], sum = 0;

	if (digits_of(s, false, d) != 10)
		return false;
	for (int i = 0; i < 10; i++)
		sum += (i + 1) * d[i];
	return sum % 11 == 0;
}

static bool is_isbn13(struct slice s)
{
	int d[16], sum = 0;

	if (digits_of(s, false, d) != 13)
		return false;
	for (int i = 0; i < 13; i++)
		sum += d[i] * (i % 2 ? 3 : 1);
	return sum % 10 == 0;
}

static bool is_isbn(struct slice s)
{
	return is_isbn10(s) || is_isbn13(s);
}

/* Issuers' numbers with Luhn's check digit. */
static bool is_card(struct slice s)
{
	int d[16], sum = 0, head;
	size_t n = digits_of(s, true, d);

	if (n < 13)
		return false;
	head = d[0] * 1000 + d[1] * 100 + d[2] * 10 + d[3];
	if (!(d[0] == 4 && (n == 13 || n == 16)) &&
	    !(head / 100 >= 51 && head / 100 <= 55 && n == 16) &&
	    !((head == 6011 || head / 100 == 65) && n == 16) &&
	    !((head / 100 == 34 || head / 100 == 37) && n == 15) &&
	    !((head / 10 >= 300 && head / 10 <= 305) && n == 14) &&
	    !((head / 100 == 36 || head / 100 == 38) && n == 14) &&
	    !((head == 2131 || head == 1800) && n == 15) && !(head / 100 == 35 && n == 16))
		return false;
	for (size_t i = 0; i < n; i++) {
		int v = d[n - 1 - i] * (i % 2 ? 2 : 1);

		sum += v > 9 ? v - 9 : v;
	}
	return sum % 10 == 0;
}

static bool is_anything(struct slice s)
{
	return true;
}

/* ---- the table ---- */

#define HEX8 "[0-9a-f]{8}-?[0-9a-f]{4}-?"
#define LETTER "[a-zA-Z0-9\\x{80}-\\x{10ffff}]"
#define UNITS                                                                                   \
	"(ns|nano\\w*|us|\xc2\xb5s|micro\\w*|ms|milli\\w*|s|sec\\w*|m|min\\w*|h|hr|hour\\w*|d|" \
	"day\\w*|w|wk|week\\w*)"

static const struct {
	const char *name;
	format_fn *fn;
	const char *pattern;
} formats[] = {
	{ "", is_anything, NULL },
	{ "bsonobjectid", NULL, "^[0-9a-fA-F]{24}$" },
	{ "uri", NULL, "^(/|[A-Za-z][A-Za-z0-9+.\\-]*:/)([^\\x00-\\x20\\x7f%]|%[0-9A-Fa-f]{2})*$" },
	{ "email", NULL, "^(\\S.*<)?[^@<>\\s,;:\"\\[\\]\\\\()]+@[^@<>\\s,;:\"\\\\()]+>?$" },
	{ "hostname", NULL,
	  "^(" LETTER "(-?" LETTER "){0,62}|(" LETTER
	  "([a-zA-Z0-9\\-\\x{80}-\\x{10ffff}]{0,61}" LETTER
	  ")?\\.)+[a-zA-Z\\x{80}-\\x{10ffff}]{2,63})$" },
	{ "ipv4", is_ipv4, NULL },
	{ "ipv6", is_ipv6, NULL },
	{ "cidr", is_cidr, NULL },
	{ "mac", NULL,
	  "(?i)^([0-9a-f]{2}(:[0-9a-f]{2}){5}|[0-9a-f]{2}(:[0-9a-f]{2}){7}|[0-9a-f]{2}(:[0-9a-f]{2}"
	  "){"
	  "19}|[0-9a-f]{2}(-[0-9a-f]{2}){5}|[0-9a-f]{2}(-[0-9a-f]{2}){7}|[0-9a-f]{2}(-[0-9a-f]{2}){"
	  "19}|[0-9a-f]{4}(\\.[0-9a-f]{4}){2}|[0-9a-f]{4}(\\.[0-9a-f]{4}){3}|[0-9a-f]{4}(\\.[0-9a-"
	  "f]{"
	  "4}){9})$" },
	{ "uuid", NULL, "(?i)^" HEX8 "[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$" },
	{ "uuid3", NULL, "(?i)^" HEX8 "3[0-9a-f]{3}-?[0-9a-f]{4}-?[0-9a-f]{12}$" },
	{ "uuid4", NULL, "(?i)^" HEX8 "4[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}$" },
	{ "uuid5", NULL, "(?i)^" HEX8 "5[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}$" },
	{ "isbn", is_isbn, NULL },
	{ "isbn10", is_isbn10, NULL },
	{ "isbn13", is_isbn13, NULL },
	{ "creditcard", is_card, NULL },
	{ "ssn", NULL, "^\\d{3}[- ]?\\d{2}[- ]?\\d{4}$" },
	{ "hexcolor", NULL, "^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$" },
	{ "rgbcolor", NULL,
	  "^rgb\\(\\s*(0|[1-9]\\d?|1\\d\\d?|2[0-4]\\d|25[0-5])\\s*,\\s*(0|[1-9]\\d?|1\\d\\d?|2[0-4]"
	  "\\d|"
	  "25[0-5])\\s*,\\s*(0|[1-9]\\d?|1\\d\\d?|2[0-4]\\d|25[0-5])\\s*\\)$" },
	{ "byte", is_base64, "^[A-Za-z0-9+/]*={0,2}$" },
	{ "password", is_anything, NULL },
	{ "date", is_date, NULL },
	{ "duration", NULL,
	  "(?i)(^[-+]?(\\d+(\\.\\d*)?|\\.\\d+)" UNITS "|^0$|\\d+\\s*" UNITS "\\b)" },
	{ "datetime", is_datetime, NULL },
	{ "k8sshortname", NULL, "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$" },
	{ "k8slongname", NULL,
	  "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$" },
};

/* 0: nobody knows it, or not of texts. */
static uint8_t find(struct slice name)
{
	for (size_t i = 1; i < ARRAY_LEN(formats); i++) {
		const char *want = formats[i].name;
		size_t at = 0;

		for (; at < name.n; at++)
			if (name.p[at] != '-' && *want++ != name.p[at])
				break;
		if (at == name.n && *want == '\0')
			return (uint8_t)i;
	}
	return 0;
}

int custom_format(struct custom_build *b, struct slice name, enum custom_type type, uint8_t *ret,
		  const struct regex **ret_pattern)
{
	*ret = name.n && (type == CUSTOM_STRING || type == CUSTOM_ANY) ? find(name) : 0;
	if (!formats[*ret].pattern)
		return 0;
	return regex_compile(slice_str(formats[*ret].pattern), b->a, ret_pattern, b->err);
}

bool custom_format_ok(const struct custom_schema *s, struct slice text)
{
	format_fn *fn = formats[s->format].fn;

	if (strcmp(formats[s->format].name, "k8slongname") == 0 && text.n > 253)
		return false;
	if (strcmp(formats[s->format].name, "hostname") == 0 && text.n > 255)
		return false;
	return (!fn || fn(text)) && (!s->format_pattern || regex_match(s->format_pattern, text));
}

/* ---- those that nobody knows ---- */

struct unknown {
	void (*tell)(void *arg, struct slice format);
	void *arg;
	struct slice seen[32];
	size_t n;
};

static void look(struct unknown *u, const struct doc *s)
{
	static const char *const numbers[][2] = { { "integer", "int32 int64" },
						  { "number", "float double" } };
	struct slice format = doc_slice(doc_get(s, "format"));
	const struct doc *type = doc_get(s, "type");
	bool known = false;

	if (format.n == 0)
		return;
	if (!type || type->n == 0 || doc_str_is(type, "string"))
		known = find(format) != 0;
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		struct slice rest = slice_str(numbers[i][1]);

		while (rest.p && doc_str_is(type, numbers[i][0]))
			known = slice_eq(slice_split(&rest, ' '), format) || known;
	}
	for (size_t i = 0; i < u->n; i++)
		known = known || slice_eq(u->seen[i], format);
	if (known)
		return;
	if (u->n < ARRAY_LEN(u->seen))
		u->seen[u->n++] = format;
	u->tell(u->arg, format);
}

static void walk(struct unknown *u, const struct doc *s, unsigned depth)
{
	static const char *const lists[] = { "allOf", "anyOf", "oneOf" };
	static const char *const ones[] = { "items", "additionalProperties", "not" };

	if (!doc_is(s, DOC_OBJECT) || depth > CUSTOM_DEPTH_MAX)
		return;
	look(u, s);
	DOC_EACH_MEMBER (key, value, doc_get(s, "properties"))
		walk(u, value, depth + 1);
	for (size_t i = 0; i < ARRAY_LEN(ones); i++)
		walk(u, doc_get(s, ones[i]), depth + 1);
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		DOC_EACH (one, doc_get(s, lists[i]))
			walk(u, one, depth + 1);
}

void custom_unknown_formats(const struct doc *crd, void (*tell)(void *arg, struct slice format),
			    void *arg)
{
	struct unknown u = { .tell = tell, .arg = arg };

	DOC_EACH (v, doc_find(crd, "spec.versions"))
		walk(&u, doc_find(v, "schema.openAPIV3Schema"), 0);
}
