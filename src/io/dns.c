/* SPDX-License-Identifier: Apache-2.0 */
/* DNS names in wire form and as text, and the names of codes and types. */
#include "io/dns.h"

#include "base/err.h"

#include <stdio.h>
#include <sys/socket.h>

static unsigned char lower(unsigned char c)
{
	return c >= 'A' && c <= 'Z' ? (unsigned char)(c + 32) : c;
}

/* One character of a label, or an escape. False: a bad escape. */
static bool take_char(struct slice *s, unsigned char *ret)
{
	unsigned v = 0;

	*ret = (unsigned char)*s->p;
	*s = slice_of(s->p + 1, s->n - 1);
	if (*ret != '\\')
		return true;
	if (s->n == 0)
		return false;
	if (*s->p < '0' || *s->p > '9') {
		*ret = (unsigned char)*s->p;
		*s = slice_of(s->p + 1, s->n - 1);
		return true;
	}
	for (unsigned i = 0; i < 3; i++) {
		if (i >= s->n || s->p[i] < '0' || s->p[i] > '9')
			return false;
		v = v * 10 + (unsigned)(s->p[i] - '0');
	}
	*s = slice_of(s->p + 3, s->n - 3);
	*ret = (unsigned char)v;
	return v <= 255;
}

int dns_name_parse(struct slice text, unsigned char *room, struct slice *ret, struct err *err)
{
	struct slice s = text;
	size_t n = 1, label = 0;
	const char *why = NULL;
	unsigned char c;

	if (s.n == 1 && *s.p == '.')
		s.n = 0;
	else if (s.n == 0)
		why = "it is empty";
	while (s.n > 0 && !why) {
		bool dot = *s.p == '.';

		if (!take_char(&s, &c))
			why = "bad escape";
		else if (dot && n == label + 1)
			why = "a label is empty";
		else if (!dot && n - label > 63)
			why = "a label has more than 63 bytes";
		else if (n >= DNS_NAME_MAX - 1 && !(dot && s.n == 0))
			why = "more than 255 bytes";
		if (why)
			break;
		if (!dot) {
			room[n++] = c;
			continue;
		}
		room[label] = (unsigned char)(n - label - 1);
		label = n++;
	}
	if (why)
		return err_set(err, ERR_INVALID, "'%.*s' is no DNS name: %s",
			       (int)MIN(text.n, (size_t)80), text.p, why);
	/* "a." has its empty last label open already */
	if (n > label + 1) {
		room[label] = (unsigned char)(n - label - 1);
		label = n++;
	}
	room[label] = 0;
	*ret = slice_of((const char *)room, label + 1);
	return 0;
}

static size_t put_char(char *d, unsigned char c)
{
	if (c == '.' || c == '\\') {
		d[0] = '\\';
		d[1] = (char)c;
		return 2;
	}
	if (c > ' ' && c < 0x7f) {
		d[0] = (char)c;
		return 1;
	}
	(void)snprintf(d, 5, "\\%03u", c);
	return 4;
}

const char *dns_name_text(struct slice name, char *dst)
{
	const unsigned char *p = (const unsigned char *)name.p;
	size_t n = 0;

	if (name.n <= 1)
		dst[n++] = '.';
	for (size_t i = 0; i < name.n && p[i]; i += 1u + p[i]) {
		if (n)
			dst[n++] = '.';
		for (unsigned j = 1; j <= p[i]; j++)
			n += put_char(dst + n, p[i + j]);
	}
	dst[n] = '\0';
	return dst;
}

bool dns_name_eq(struct slice a, struct slice b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		/* Length bytes are at most 63, below all letters. */
		if (lower((unsigned char)a.p[i]) != lower((unsigned char)b.p[i]))
			return false;
	return true;
}

struct slice dns_name_parent(struct slice name)
{
	size_t skip;

	if (name.n <= 1)
		return name;
	skip = 1u + (unsigned char)name.p[0];
	return slice_of(name.p + skip, name.n - skip);
}

bool dns_name_within(struct slice name, struct slice zone)
{
	while (name.n > zone.n)
		name = dns_name_parent(name);
	return dns_name_eq(name, zone);
}

unsigned dns_name_labels(struct slice name)
{
	unsigned n = 0;

	for (; name.n > 1; name = dns_name_parent(name))
		n++;
	return n;
}

struct slice dns_name_reverse(int family, const void *addr, unsigned char *room)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *p = addr;
	char text[96];
	struct slice ret = { NULL, 0 };
	int n = 0;

	if (family == AF_INET) {
		n = snprintf(text, sizeof(text), "%u.%u.%u.%u.in-addr.arpa", p[3], p[2], p[1],
			     p[0]);
	} else {
		for (int i = 15; i >= 0; i--) {
			text[n++] = digits[p[i] & 15];
			text[n++] = '.';
			text[n++] = digits[p[i] >> 4];
			text[n++] = '.';
		}
		n += snprintf(text + n, sizeof(text) - (size_t)n, "ip6.arpa");
	}
	(void)dns_name_parse(slice_of(text, (size_t)n), room, &ret, NULL); /* is one */
	return ret;
}

const char *dns_rcode_name(unsigned rcode)
{
	static const char *const names[] = {
		[DNS_NOERROR] = "NOERROR",   [DNS_FORMERR] = "FORMERR", [DNS_SERVFAIL] = "SERVFAIL",
		[DNS_NXDOMAIN] = "NXDOMAIN", [DNS_NOTIMP] = "NOTIMP",	[DNS_REFUSED] = "REFUSED",
		[DNS_BADVERS] = "BADVERS",
	};

	return rcode < ARRAY_LEN(names) && names[rcode] ? names[rcode] : "unknown";
}

static const struct {
	uint16_t type;
	const char *name;
} types[] = {
	{ DNS_A, "A" },	    { DNS_NS, "NS" },	{ DNS_CNAME, "CNAME" }, { DNS_SOA, "SOA" },
	{ DNS_PTR, "PTR" }, { DNS_MX, "MX" },	{ DNS_TXT, "TXT" },	{ DNS_AAAA, "AAAA" },
	{ DNS_SRV, "SRV" }, { DNS_OPT, "OPT" }, { DNS_AXFR, "AXFR" },	{ DNS_ANY, "ANY" },
};

const char *dns_type_name(uint16_t type)
{
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (types[i].type == type)
			return types[i].name;
	return "unknown";
}

uint16_t dns_type_parse(struct slice text)
{
	uint64_t n;

	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (slice_ieq(text, slice_str(types[i].name)))
			return types[i].type;
	if (text.n > 4 && slice_ieq(slice_of(text.p, 4), SLICE("TYPE")) &&
	    str_uint64(slice_of(text.p + 4, text.n - 4), &n, NULL) == 0 && n <= UINT16_MAX)
		return (uint16_t)n;
	return 0;
}
