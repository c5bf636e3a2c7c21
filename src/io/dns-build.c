/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DNS messages to the wire. Names are compressed against the names written before (RFC 1035 section
 * 4.1.4), those within data only for the types of RFC 1035 (RFC 3597 section 4).
 */
#include "io/dns.h"

#define HEADER 12
#define POINTER_MAX 0x3fff

static void put16(unsigned char *p, uint16_t v)
{
	p[0] = (unsigned char)(v >> 8);
	p[1] = (unsigned char)v;
}

static unsigned char *room(struct dns_build *b, size_t n)
{
	unsigned char *p = b->p + b->n;

	if (b->max - b->n < n)
		return NULL;
	b->n += n;
	return p;
}

static bool add16(struct dns_build *b, uint16_t v)
{
	unsigned char *p = room(b, 2);

	if (p)
		put16(p, v);
	return p != NULL;
}

static bool add32(struct dns_build *b, uint32_t v)
{
	return add16(b, (uint16_t)(v >> 16)) && add16(b, (uint16_t)v);
}

static bool add_bytes(struct dns_build *b, struct slice s)
{
	unsigned char *p = room(b, s.n);

	if (p && s.n)
		memcpy(p, s.p, s.n);
	return p != NULL;
}

void dns_build_init(struct dns_build *b, void *p, size_t max, uint16_t id, uint16_t flags)
{
	*b = (struct dns_build){ .p = p, .n = HEADER, .max = MIN(max, (size_t)DNS_MESSAGE_MAX) };
	memset(p, 0, HEADER);
	put16(b->p, id);
	put16(b->p + 2, flags);
}

/* Is the name written at `at` this one? What we wrote has no loops. */
static bool is_name_at(const struct dns_build *b, size_t at, struct slice name)
{
	for (;;) {
		unsigned c = b->p[at];

		if (c >= 0xc0) {
			at = (c & 0x3fu) << 8 | b->p[at + 1];
			continue;
		}
		if (c != (unsigned char)name.p[0])
			return false;
		if (c == 0)
			return true;
		if (!dns_name_eq(slice_of((const char *)b->p + at + 1, c), slice_of(name.p + 1, c)))
			return false;
		at += 1 + c;
		name = dns_name_parent(name);
	}
}

/* Among the first n: a name that is being written has no end yet. */
static size_t find_name(const struct dns_build *b, size_t n, struct slice name)
{
	for (size_t i = 0; i < n; i++)
		if (is_name_at(b, b->names[i], name))
			return b->names[i];
	return 0;
}

static bool add_name(struct dns_build *b, struct slice name, bool compress)
{
	size_t known = compress ? b->names_n : 0;

	for (; name.n > 1; name = dns_name_parent(name)) {
		size_t at = find_name(b, known, name), before = b->n;

		if (at)
			return add16(b, (uint16_t)(0xc000 | at));
		if (!add_bytes(b, slice_of(name.p, 1u + (unsigned char)name.p[0])))
			return false;
		if (before <= POINTER_MAX && b->names_n < DNS_BUILD_NAMES)
			b->names[b->names_n++] = (uint16_t)before;
	}
	return add_bytes(b, SLICE("\0"));
}

static void count(struct dns_build *b, unsigned i)
{
	put16(b->p + 4 + (size_t)2 * i, ++b->counts[i]);
}

static bool undo(struct dns_build *b, size_t n, size_t names_n)
{
	b->n = n;
	b->names_n = names_n;
	return false;
}

bool dns_build_question(struct dns_build *b, struct slice name, uint16_t type, uint16_t class_)
{
	size_t n = b->n, names_n = b->names_n;

	if (!add_name(b, name, true) || !add16(b, type) || !add16(b, class_))
		return undo(b, n, names_n);
	count(b, 0);
	return true;
}

static bool add_texts(struct dns_build *b, const struct dns_rr *rr)
{
	for (size_t i = 0; i < rr->texts_n; i++) {
		unsigned char *p = rr->texts[i].n <= 255 ? room(b, 1 + rr->texts[i].n) : NULL;

		if (!p)
			return false;
		*p = (unsigned char)rr->texts[i].n;
		if (rr->texts[i].n)
			memcpy(p + 1, rr->texts[i].p, rr->texts[i].n);
	}
	return true;
}

static bool add_data(struct dns_build *b, const struct dns_rr *rr)
{
	switch (rr->type) {
	case DNS_NS:
	case DNS_CNAME:
	case DNS_PTR: return add_name(b, rr->host, true);
	case DNS_MX: return add16(b, rr->priority) && add_name(b, rr->host, true);
	case DNS_SRV:
		return add16(b, rr->priority) && add16(b, rr->weight) && add16(b, rr->port) &&
		       add_name(b, rr->host, false);
	case DNS_TXT: return add_texts(b, rr);
	case DNS_SOA:
		return add_name(b, rr->host, true) && add_name(b, rr->soa.mailbox, true) &&
		       add32(b, rr->soa.serial) && add32(b, rr->soa.refresh) &&
		       add32(b, rr->soa.retry) && add32(b, rr->soa.expire) &&
		       add32(b, rr->soa.minimum);
	default: return add_bytes(b, rr->data);
	}
}

bool dns_build_rr(struct dns_build *b, enum dns_section section, const struct dns_rr *rr)
{
	size_t n = b->n, names_n = b->names_n, data;

	if (!add_name(b, rr->name, true) || !add16(b, rr->type) || !add16(b, rr->class_) ||
	    !add32(b, rr->ttl) || !add16(b, 0))
		goto full;
	data = b->n;
	if (!add_data(b, rr) || b->n - data > UINT16_MAX)
		goto full;
	put16(b->p + data - 2, (uint16_t)(b->n - data));
	count(b, 1 + (unsigned)section);
	return true;
full:
	if (section != DNS_ADDITIONAL)
		b->p[2] |= DNS_TC >> 8;
	return undo(b, n, names_n);
}

bool dns_build_opt(struct dns_build *b, uint16_t udp_size, unsigned rcode, bool dnssec_ok)
{
	size_t n = b->n;

	if (!add_bytes(b, SLICE("\0")) || !add16(b, DNS_OPT) || !add16(b, udp_size) ||
	    !add16(b, (uint16_t)(rcode >> 4 << 8)) || !add16(b, dnssec_ok ? 0x8000 : 0) ||
	    !add16(b, 0))
		return undo(b, n, b->names_n);
	count(b, 3);
	return true;
}
