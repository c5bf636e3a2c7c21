/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses of one subnet: a bit each. The caller keeps what must outlive the process and takes it
 * again. The search goes round, so that a stale neighbour entry or connection of a gone container
 * meets no new one.
 */
#include "network/private.h"

#include "base/err.h"

#include <arpa/inet.h>
#include <stdlib.h>

static bool is_taken(const struct ipam *m, uint32_t i)
{
	return m->taken[i / 8] & 1u << i % 8;
}

static void set_taken(struct ipam *m, uint32_t i)
{
	m->taken[i / 8] |= (uint8_t)(1u << i % 8);
}

int ipam_init(struct ipam *m, const struct rtnl_addr *subnet, const struct rtnl_addr *gateway,
	      struct err *err)
{
	char text[RTNL_ADDR_TEXT];

	if (subnet->family != AF_INET || subnet->prefix < 16 || subnet->prefix > 30)
		return err_set(err, ERR_INVALID,
			       "subnet '%s': an IPv4 subnet of /16 to /30 is needed",
			       rtnl_addr_text(subnet, true, text));
	*m = (struct ipam){ .size = 1u << (32 - subnet->prefix), .next = 1 };
	m->base = ntohl(subnet->v4.s_addr) & ~(m->size - 1);
	m->taken = calloc((m->size + 7) / 8, 1);
	if (!m->taken)
		abort();
	set_taken(m, 0);
	set_taken(m, m->size - 1);
	set_taken(m, (ntohl(gateway->v4.s_addr) - m->base) & (m->size - 1));
	return 0;
}

void ipam_fini(struct ipam *m)
{
	free(m->taken);
	*m = (struct ipam){ 0 };
}

static int take_wanted(struct ipam *m, struct in_addr a, struct err *err)
{
	uint32_t i = ntohl(a.s_addr) - m->base;
	char text[INET_ADDRSTRLEN];

	(void)inet_ntop(AF_INET, &a, text, sizeof text);
	if (i >= m->size)
		return err_set(err, ERR_INVALID, "address %s is not within the network's subnet",
			       text);
	if (is_taken(m, i))
		return err_set(err, ERR_CONFLICT, "address %s is already in use", text);
	set_taken(m, i);
	return 0;
}

int ipam_take(struct ipam *m, const struct in_addr *wanted, struct in_addr *ret, struct err *err)
{
	if (wanted) {
		int r = take_wanted(m, *wanted, err);

		if (r == 0)
			*ret = *wanted;
		return r;
	}
	for (uint32_t k = 0; k < m->size; k++) {
		uint32_t i = (m->next + k) & (m->size - 1);

		if (is_taken(m, i))
			continue;
		set_taken(m, i);
		m->next = i + 1;
		ret->s_addr = htonl(m->base + i);
		return 0;
	}
	return err_set(err, ERR_QUOTA, "no free address: all %u of the subnet are in use",
		       m->size - 3);
}

void ipam_free(struct ipam *m, struct in_addr a)
{
	uint32_t i = ntohl(a.s_addr) - m->base;

	if (m->taken && i > 0 && i < m->size - 1)
		m->taken[i / 8] &= (uint8_t) ~(1u << i % 8);
}
