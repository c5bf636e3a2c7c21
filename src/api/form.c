/* SPDX-License-Identifier: Apache-2.0 */
/* Forms of names, each with the words for what does not have it. */
#include "api/check.h"

#include <arpa/inet.h>

#define REGEX "regex used for validation is "
#define LABEL_FMT "[a-z0-9]([-a-z0-9]*[a-z0-9])?"

static bool is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return is_lower(c) || (c >= 'A' && c <= 'Z');
}

/* [a-z0-9]([-a-z0-9]*[a-z0-9])? */
static bool is_dns_label(struct slice s)
{
	if (s.n == 0 || s.p[0] == '-' || s.p[s.n - 1] == '-')
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!is_lower(s.p[i]) && !is_digit(s.p[i]) && s.p[i] != '-')
			return false;
	return true;
}

static bool is_dns_subdomain(struct slice s)
{
	for (;;) {
		const char *dot = s.n ? memchr(s.p, '.', s.n) : NULL;
		size_t n = dot ? (size_t)(dot - s.p) : s.n;

		if (!is_dns_label(slice_of(s.p, n)))
			return false;
		if (!dot)
			return true;
		s = slice_of(dot + 1, s.n - n - 1);
	}
}

const char *form_dns_label(struct slice s)
{
	if (s.n > 63)
		return "must be no more than 63 characters";
	if (is_dns_label(s))
		return NULL;
	if (is_dns_subdomain(s))
		return "must not contain dots";
	return "a lowercase RFC 1123 label has lower case letters, digits and '-', and begins and "
	       "ends with a letter or digit (e.g. 'my-name',  or '123-abc', " REGEX "'" LABEL_FMT
	       "')";
}

const char *form_dns_subdomain(struct slice s)
{
	if (s.n > 253)
		return "must be no more than 253 characters";
	if (is_dns_subdomain(s))
		return NULL;
	return "a lowercase RFC 1123 subdomain has lower case letters, digits, '-' and '.', and "
	       "begins and ends with a letter or digit (e.g. 'example.com', " REGEX "'" LABEL_FMT
	       "(\\." LABEL_FMT ")*')";
}

const char *form_dns1035_label(struct slice s)
{
	if (s.n > 63)
		return "must be no more than 63 characters";
	if (is_dns_label(s) && is_lower(s.p[0]))
		return NULL;
	return "a DNS-1035 label has lower case letters, digits and '-', begins with a letter, and "
	       "ends with a letter or digit (e.g. 'my-name',  or 'abc-123', " REGEX
	       "'[a-z]([-a-z0-9]*[a-z0-9])?')";
}

/* ([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9] */
static bool is_name(struct slice s)
{
	if (s.n == 0)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		bool inner = s.p[i] == '-' || s.p[i] == '_' || s.p[i] == '.';

		if (!is_letter(s.p[i]) && !is_digit(s.p[i]) && !(inner && i > 0 && i + 1 < s.n))
			return false;
	}
	return true;
}

#define NAME_FMT "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"

const char *form_qualified_name(struct slice s)
{
	const char *slash = s.n ? memchr(s.p, '/', s.n) : NULL;
	struct slice name = s;

	if (slash) {
		struct slice prefix = slice_of(s.p, (size_t)(slash - s.p));

		name = slice_of(slash + 1, s.n - prefix.n - 1);
		if (prefix.n == 0)
			return "prefix part must be non-empty";
		if (prefix.n > 253)
			return "prefix part must be no more than 253 characters";
		if (!is_dns_subdomain(prefix))
			return "prefix part must be a lowercase RFC 1123 subdomain (e.g. "
			       "'example.com', " REGEX "'" LABEL_FMT "(\\." LABEL_FMT ")*')";
	}
	if (name.n == 0)
		return "name part must be non-empty";
	if (name.n > 63)
		return "name part must be no more than 63 characters";
	if (!is_name(name))
		return "name part has letters, digits, '-', '_' and '.', and begins and ends with "
		       "a letter or digit (e.g. 'MyName',  or 'my.name',  or '123-abc', " REGEX
		       "'" NAME_FMT "')";
	return NULL;
}

const char *form_label_value(struct slice s)
{
	if (s.n > 63)
		return "must be no more than 63 characters";
	if (s.n == 0 || is_name(s))
		return NULL;
	return "a valid label value is empty, or has letters, digits, '-', '_' and '.', and begins "
	       "and ends with a letter or digit (e.g. 'MyValue',  or 'my_value',  or "
	       "'12345', " REGEX "'(" NAME_FMT ")?')";
}

const char *form_path_segment(struct slice s)
{
	if (slice_is(s, "."))
		return "may not be '.'";
	if (slice_is(s, ".."))
		return "may not be '..'";
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '/')
			return "may not contain '/'";
		if (s.p[i] == '%')
			return "may not contain '%'";
	}
	return NULL;
}

const char *form_env_name(struct slice s)
{
	if (s.n == 0)
		return "environment variable name must be non-empty";
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < 0x20 || s.p[i] > 0x7e || s.p[i] == '=')
			return "a valid environment variable name has only printable ASCII "
			       "characters other than '='";
	return NULL;
}

const char *form_config_key(struct slice s)
{
	if (s.n > 253)
		return "must be no more than 253 characters";
	for (size_t i = 0; i < s.n; i++)
		if (!is_letter(s.p[i]) && !is_digit(s.p[i]) && s.p[i] != '-' && s.p[i] != '_' &&
		    s.p[i] != '.')
			return "a valid config key has letters, digits, '-', '_' or '.' (e.g. "
			       "'key.name',  or 'KEY_NAME',  or 'key-name', " REGEX
			       "'[-._a-zA-Z0-9]+')";
	if (s.n == 0)
		return "must be non-empty";
	if (slice_is(s, "."))
		return "must not be '.'";
	if (slice_is(s, ".."))
		return "must not be '..'";
	return slice_starts(s, SLICE("..")) ? "must not start with '..'" : NULL;
}

const char *form_port_name(struct slice s)
{
	bool letter = false;

	if (s.n > 15)
		return "must be no more than 15 characters";
	for (size_t i = 0; i < s.n; i++) {
		if (!is_lower(s.p[i]) && !is_digit(s.p[i]) && s.p[i] != '-')
			return "must contain only alpha-numeric characters (a-z, 0-9), and hyphens "
			       "(-)";
		if (s.p[i] == '-' && i > 0 && s.p[i - 1] == '-')
			return "must not contain consecutive hyphens";
		letter |= is_lower(s.p[i]);
	}
	if (!letter)
		return "must contain at least one letter (a-z)";
	return s.p[0] == '-' || s.p[s.n - 1] == '-' ? "must not begin or end with a hyphen" : NULL;
}

const char *form_ip(struct slice s)
{
	return schema_format_ok(FORMAT_IP, s)
		       ? NULL
		       : "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
}

const char *form_cidr(struct slice s)
{
	return schema_format_ok(FORMAT_CIDR, s)
		       ? NULL
		       : "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";
}
