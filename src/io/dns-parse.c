/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DNS messages from the wire. Everything is measured against what is left before it is read;
 * compression must point before the place where the name at hand began, so that no chain of
 * pointers is longer than the message and none is a loop.
 */
#include "base/arena.h"
#include "base/err.h"
#include "io/dns.h"

#define HEADER 12
#define TTL_MAX 0x7fffffffu

struct in {
	const unsigned char *p;
	size_t n, at;
	struct arena *a;
	struct err *err;
};

static int bad(const struct in *in, size_t at, const char *why)
{
	return err_set(in->err, ERR_BAD_REQUEST, "DNS message, byte %zu: %s", at, why);
}

static uint16_t be16(const unsigned char *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t be32(const unsigned char *p)
{
	return (uint32_t)be16(p) << 16 | be16(p + 2);
}

bool dns_peek(struct slice wire, uint16_t *id, uint16_t *flags)
{
	const unsigned char *p = (const unsigned char *)wire.p;

	if (wire.n < HEADER)
		return false;
	*id = be16(p);
	*flags = be16(p + 2);
	return true;
}

/* The name at *at, which moves behind it, into room. */
static int expand(const struct in *in, size_t *at, size_t end, unsigned char *room, size_t *ret_n)
{
	size_t pos = *at, limit = *at, n = 0;
	bool jumped = false;

	for (;;) {
		unsigned c;

		if (pos >= (jumped ? in->n : end))
			return bad(in, *at, "a name beyond the end");
		c = in->p[pos];
		if (c >= 0xc0) {
			if (pos + 2 > (jumped ? in->n : end))
				return bad(in, pos, "a name beyond the end");
			if (!jumped)
				*at = pos + 2;
			jumped = true;
			pos = (c & 0x3fu) << 8 | in->p[pos + 1];
			if (pos >= limit)
				return bad(in, *at - 2, "compression that does not point back");
			limit = pos;
			continue;
		}
		if (c > 63)
			return bad(in, pos, "a label of an unknown kind");
		if (n + 1 + c + (c != 0) > DNS_NAME_MAX)
			return bad(in, *at, "a name of more than 255 bytes");
		if (pos + 1 + c > (jumped ? in->n : end))
			return bad(in, pos, "a label beyond the end");
		memcpy(room + n, in->p + pos, 1 + c);
		n += 1 + c;
		pos += 1 + c;
		if (c == 0)
			break;
	}
	if (!jumped)
		*at = pos;
	*ret_n = n;
	return 0;
}

static int read_name(const struct in *in, size_t *at, size_t end, struct slice *ret)
{
	unsigned char room[DNS_NAME_MAX];
	size_t n;
	char *copy;
	int r = expand(in, at, end, room, &n);

	if (r < 0)
		return r;
	copy = arena_alloc_raw(in->a, n, 1);
	if (!copy)
		return arena_quota(in->a, in->err);
	memcpy(copy, room, n);
	*ret = slice_of(copy, n);
	return 0;
}

static int read_questions(struct in *in, struct dns_msg *m)
{
	int r;

	for (size_t i = 0; i < m->questions_n; i++) {
		struct dns_question *q = &m->questions[i];

		r = read_name(in, &in->at, in->n, &q->name);
		if (r < 0)
			return r;
		if (in->n - in->at < 4)
			return bad(in, in->at, "a question beyond the end");
		q->type = be16(in->p + in->at);
		q->class_ = be16(in->p + in->at + 2);
		in->at += 4;
	}
	return 0;
}

static int read_texts(const struct in *in, size_t at, size_t end, struct dns_rr *rr)
{
	size_t n = 0;

	for (size_t i = at; i < end; i += 1u + in->p[i])
		n++;
	rr->texts = ARENA_ARRAY(in->a, struct slice, n);
	if (!rr->texts)
		return arena_quota(in->a, in->err);
	for (; at < end; at += 1u + in->p[at]) {
		if (in->p[at] > end - at - 1)
			return bad(in, at, "a text beyond its record");
		rr->texts[rr->texts_n++] = slice_of((const char *)in->p + at + 1, in->p[at]);
	}
	return rr->texts_n ? 0 : bad(in, at, "a TXT record without a text");
}

static int read_soa(const struct in *in, size_t *at, size_t end, struct dns_rr *rr)
{
	const unsigned char *p;
	int r = read_name(in, at, end, &rr->host);

	if (r == 0)
		r = read_name(in, at, end, &rr->soa.mailbox);
	if (r < 0)
		return r;
	if (end - *at != 20)
		return bad(in, *at, "a SOA record of the wrong size");
	p = in->p + *at;
	rr->soa.serial = be32(p);
	rr->soa.refresh = be32(p + 4);
	rr->soa.retry = be32(p + 8);
	rr->soa.expire = be32(p + 12);
	rr->soa.minimum = be32(p + 16);
	*at = end;
	return 0;
}

static int read_data(const struct in *in, size_t at, size_t end, struct dns_rr *rr)
{
	size_t n = end - at, fixed = rr->type == DNS_MX ? 2 : rr->type == DNS_SRV ? 6 : 0;
	int r;

	rr->data = slice_of((const char *)in->p + at, n);
	switch (rr->type) {
	case DNS_A: return n == 4 ? 0 : bad(in, at, "an A record that is not 4 bytes");
	case DNS_AAAA: return n == 16 ? 0 : bad(in, at, "an AAAA record that is not 16 bytes");
	case DNS_TXT: return read_texts(in, at, end, rr);
	case DNS_SOA: return read_soa(in, &at, end, rr);
	case DNS_NS:
	case DNS_CNAME:
	case DNS_PTR:
	case DNS_MX:
	case DNS_SRV: break;
	default: return 0;
	}
	if (n < fixed)
		return bad(in, at, "a record that is cut off");
	if (fixed)
		rr->priority = be16(in->p + at);
	if (fixed == 6) {
		rr->weight = be16(in->p + at + 2);
		rr->port = be16(in->p + at + 4);
	}
	at += fixed;
	r = read_name(in, &at, end, &rr->host);
	return r < 0 || at == end ? r : bad(in, at, "bytes behind a record's name");
}

static int read_opt(const struct in *in, const struct dns_rr *rr, uint32_t ttl, struct dns_msg *m)
{
	if (m->edns)
		return bad(in, in->at, "a second OPT record");
	if (rr->name.n != 1)
		return bad(in, in->at, "an OPT record with a name");
	m->edns = true;
	m->rcode |= ttl >> 24 << 4;
	m->edns_version = (uint8_t)(ttl >> 16);
	m->dnssec_ok = ttl & 0x8000;
	m->udp_size = MAX(rr->class_, (uint16_t)512);
	m->edns_options = rr->data;
	return 0;
}

static int read_rr(struct in *in, struct dns_msg *m, unsigned section)
{
	struct dns_rr *rr = &m->rr[section][m->rr_n[section]];
	uint32_t ttl;
	size_t n;
	int r;

	r = read_name(in, &in->at, in->n, &rr->name);
	if (r < 0)
		return r;
	if (in->n - in->at < 10)
		return bad(in, in->at, "a record beyond the end");
	rr->type = be16(in->p + in->at);
	rr->class_ = be16(in->p + in->at + 2);
	ttl = be32(in->p + in->at + 4);
	rr->ttl = ttl > TTL_MAX ? 0 : ttl;
	n = be16(in->p + in->at + 8);
	in->at += 10;
	if (n > in->n - in->at)
		return bad(in, in->at, "a record's data beyond the end");
	if (rr->type == DNS_OPT) {
		rr->data = slice_of((const char *)in->p + in->at, n);
		if (section != DNS_ADDITIONAL)
			return bad(in, in->at, "an OPT record in the wrong section");
		r = read_opt(in, rr, ttl, m);
	} else {
		r = read_data(in, in->at, in->at + n, rr);
		m->rr_n[section]++;
	}
	in->at += n;
	return r;
}

int dns_parse(struct arena *a, struct slice wire, struct dns_msg *ret, struct err *err)
{
	struct in in = { (const unsigned char *)wire.p, wire.n, HEADER, a, err };
	struct dns_msg m = { .udp_size = 512 };
	int r;

	if (wire.n < HEADER || wire.n > DNS_MESSAGE_MAX)
		return bad(&in, 0, "not 12 to 65,535 bytes");
	m.id = be16(in.p);
	m.flags = be16(in.p + 2);
	m.rcode = m.flags & DNS_RCODE;
	m.questions_n = be16(in.p + 4);
	/* The smallest question has 5 bytes, the smallest record 11. */
	if (m.questions_n > (in.n - HEADER) / 5)
		return bad(&in, 4, "more questions than bytes");
	m.questions = ARENA_ARRAY(a, struct dns_question, m.questions_n);
	r = m.questions ? read_questions(&in, &m) : arena_quota(a, err);
	for (unsigned s = 0; s < 3 && r == 0; s++) {
		size_t n = be16(in.p + 6 + (size_t)2 * s);

		if (n > (in.n - in.at) / 11)
			return bad(&in, 6 + (size_t)2 * s, "more records than bytes");
		m.rr[s] = ARENA_ARRAY(a, struct dns_rr, n);
		if (!m.rr[s])
			return arena_quota(a, err);
		for (size_t i = 0; i < n && r == 0; i++) {
			m.rr[s][m.rr_n[s]] = (struct dns_rr){ 0 };
			r = read_rr(&in, &m, s);
		}
	}
	if (r == 0 && in.at != in.n)
		r = bad(&in, in.at, "bytes behind the end");
	if (r < 0)
		return r;
	*ret = m;
	return 0;
}
