/* SPDX-License-Identifier: Apache-2.0 */
#include "io/cidr.h"

#include "base/err.h"

#include <arpa/inet.h>
#include <netinet/in.h>

static bool is_zero_behind(const struct cidr *c)
{
	unsigned max = c->family == AF_INET ? 32 : 128;

	for (unsigned i = c->bits; i < max; i++) {
		if (c->addr[i / 8] & (0x80u >> (i % 8)))
			return false;
	}
	return true;
}

int cidr_parse(struct slice text, struct cidr *ret, struct err *err)
{
	char host[INET6_ADDRSTRLEN];
	struct slice rest = text, name = slice_split(&rest, '/');
	struct cidr c = { .family = AF_INET };
	uint64_t bits = 0;
	unsigned max = 32;

	if (name.n == 0 || name.n >= sizeof(host))
		goto invalid;
	memcpy(host, name.p, name.n);
	host[name.n] = '\0';
	if (inet_pton(AF_INET, host, c.addr) != 1) {
		c.family = AF_INET6;
		max = 128;
		if (inet_pton(AF_INET6, host, c.addr) != 1)
			goto invalid;
	}
	c.bits = max;
	if (rest.p) {
		if (str_uint64(rest, &bits, NULL) < 0 || bits > max)
			goto invalid;
		c.bits = (unsigned)bits;
	}
	if (!is_zero_behind(&c))
		return err_set(err, ERR_INVALID, "network '%.*s' has bits set behind its prefix",
			       (int)text.n, text.p);
	*ret = c;
	return 0;
invalid:
	return err_set(err, ERR_INVALID, "'%.*s' is not an address or network", (int)text.n,
		       text.p);
}

bool cidr_has(const struct cidr *net, const struct sockaddr *sa)
{
	const struct sockaddr_in6 *v6 = (const void *)sa;
	const uint8_t *addr;
	int family = sa->sa_family;

	if (family == AF_INET) {
		addr = (const uint8_t *)&((const struct sockaddr_in *)(const void *)sa)->sin_addr;
	} else if (family == AF_INET6) {
		addr = v6->sin6_addr.s6_addr;
		if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
			family = AF_INET;
			addr += 12;
		}
	} else {
		return false;
	}
	if (family != net->family)
		return false;
	for (unsigned i = 0; i < net->bits; i++) {
		if ((addr[i / 8] ^ net->addr[i / 8]) & (0x80u >> (i % 8)))
			return false;
	}
	return true;
}

void sockaddr_text(const struct sockaddr *sa, char *dst, size_t n)
{
	const void *addr = NULL;

	dst[0] = '\0';
	if (sa->sa_family == AF_INET)
		addr = &((const struct sockaddr_in *)(const void *)sa)->sin_addr;
	else if (sa->sa_family == AF_INET6)
		addr = &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr;
	if (addr)
		(void)inet_ntop(sa->sa_family, addr, dst, (socklen_t)n); /* "" if it is too small */
}
