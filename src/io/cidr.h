/* SPDX-License-Identifier: Apache-2.0 */
/* Networks in CIDR notation: "10.0.0.0/8", "2001:db8::/32", "192.0.2.1". RFC 4632, 4291. */
#pragma once

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct err;

struct cidr {
	int family; /* AF_INET, AF_INET6 */
	unsigned bits;
	uint8_t addr[16];
};

/* INVALID names the text. Bits behind the prefix must be 0. */
int cidr_parse(struct slice text, struct cidr *ret, struct err *err);
/* An IPv4 address that is mapped into IPv6 counts as IPv4. */
bool cidr_has(const struct cidr *net, const struct sockaddr *sa);
/* The host part of sa as text; "" for what has none. */
void sockaddr_text(const struct sockaddr *sa, char *dst, size_t n);
