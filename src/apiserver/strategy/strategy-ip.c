/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses and networks of Services: as lenient as upstream's parsers were before they were
 * strict. */
#include "apiserver/strategy/strategy-private.h"

#include <arpa/inet.h>

static bool read_v4(struct slice s, struct strategy_ip *ret)
{
	struct strategy_ip ip = { 0 };

	for (size_t i = 0; i < 4; i++) {
		struct slice part = slice_split(&s, '.');
		unsigned v = 0;

		if (part.n == 0 || (i < 3) != (s.p != NULL))
			return false;
		if (part.n > 1 && part.p[0] == '0')
			ip.odd = true;
		for (size_t j = 0; j < part.n; j++) {
			if (part.p[j] < '0' || part.p[j] > '9')
				return false;
			v = v * 10 + (unsigned)(part.p[j] - '0');
			if (v > 255)
				return false;
		}
		ip.b[i] = (unsigned char)v;
	}
	*ret = ip;
	return true;
}

bool strategy_ip_read(struct slice s, struct strategy_ip *ret)
{
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };
	struct strategy_ip ip = { .v6 = true };
	char text[INET6_ADDRSTRLEN];

	if (!slice_has(s, ':'))
		return read_v4(s, ret);
	if (s.n >= sizeof(text) || slice_has(s, '\0'))
		return false;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	if (inet_pton(AF_INET6, text, ip.b) != 1)
		return false;
	if (memcmp(ip.b, mapped, sizeof(mapped)) == 0) {
		*ret = (struct strategy_ip){ .odd = true };
		memcpy(ret->b, ip.b + sizeof(mapped), 4);
		return true;
	}
	*ret = ip;
	return true;
}

void strategy_ip_print(const struct strategy_ip *ip, char dst[STRATEGY_IP_MAX])
{
	if (!inet_ntop(ip->v6 ? AF_INET6 : AF_INET, ip->b, dst, STRATEGY_IP_MAX))
		dst[0] = '\0';
}

int strategy_ip_cmp(const struct strategy_ip *x, const struct strategy_ip *y)
{
	return x->v6 != y->v6 ? (int)x->v6 - (int)y->v6 : memcmp(x->b, y->b, x->v6 ? 16 : 4);
}

void strategy_ip_add(struct strategy_ip *ip, uint64_t n)
{
	const int last = ip->v6 ? 15 : 3;
	uint64_t carry = n;

	for (int i = last; i >= 0 && i > last - 8 && carry; i--) {
		const uint64_t low = (carry & 0xff) + ip->b[i];

		ip->b[i] = (unsigned char)low;
		carry = (carry >> 8) + (low >> 8);
	}
}

bool strategy_cidr_read(struct slice s, struct strategy_ip *ip, unsigned *ret_bits)
{
	struct slice rest = s, address = slice_split(&rest, '/');
	unsigned bits = 0;

	if (!rest.p || rest.n == 0 || rest.n > 4 || !strategy_ip_read(address, ip))
		return false;
	if (rest.n > 1 && rest.p[0] == '0')
		ip->odd = true;
	for (size_t i = 0; i < rest.n; i++) {
		if (rest.p[i] < '0' || rest.p[i] > '9')
			return false;
		bits = bits * 10 + (unsigned)(rest.p[i] - '0');
	}
	/* An IPv4 address in IPv6 has the prefix of the long form. */
	if (!ip->v6 && slice_has(address, ':')) {
		if (bits < 96)
			return false;
		bits -= 96;
	}
	*ret_bits = bits;
	return bits <= (ip->v6 ? 128 : 32);
}

void strategy_ip_mask(struct strategy_ip *ip, unsigned bits)
{
	for (unsigned i = 0; i < (ip->v6 ? 16u : 4u); i++) {
		const unsigned keep = bits > 8 * i ? MIN(bits - 8 * i, 8u) : 0;

		ip->b[i] &= (unsigned char)(0xff00u >> keep);
	}
}
