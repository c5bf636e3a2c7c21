/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asynchronous name resolution on a loop: /etc/hosts, /etc/resolv.conf, DNS over UDP and TCP.
 *
 * As glibc's "files dns": numeric addresses and localhost (also *.localhost) never leave; then the
 * hosts file; then DNS with the search list (ndots; a trailing dot means rooted). resolv.conf:
 * nameserver (3), search, domain, options ndots, timeout, attempts, rotate, use-vc, edns0,
 * trust-ad, single-request, no-aaaa, no-reload; others are ignored as resolvers do. Both files are
 * read again when they change (a stat, at most once a second).
 *
 * A and AAAA are asked at the same time. Queries have random ids and a socket with a random port of
 * its own each; an answer counts only from the asked server, with the same id and the same question
 * (case included: the name is sent in random case and compared exactly when the server keeps it).
 * A truncated answer is asked for again over TCP. Answers and failures are cached by their TTL,
 * bounded; equal questions at the same time are one. Names must be ASCII (IDN: as A-labels).
 * RFC 1034/1035, 2308 (negative answers), 5452 (spoofing), 6761 (localhost), 6891 (EDNS0).
 */
#pragma once

#include "base/cleanup.h"
#include "base/str.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

struct dns_rr;
struct err;
struct loop;
struct resolve;
struct resolver;

#define RESOLVER_ADDRS_MAX 64

/* Zero means the default in brackets. */
struct resolver_conf {
	const char *hosts;    /* ["/etc/hosts"] */
	const char *resolv;   /* ["/etc/resolv.conf"] */
	uint16_t port;	      /* of the name servers [53] */
	size_t cache_max;     /* answers kept [1024] */
	size_t running_max;   /* questions on their way; more: QUOTA [256] */
	int64_t ttl_max;      /* ns an answer is kept at most [1 h] */
	int64_t negative_max; /* ns a failure is kept at most [60 s] */
	int64_t timeout;      /* overrides resolv.conf's per attempt (tests) [as the file says] */
};

int resolver_new(struct loop *l, const struct resolver_conf *conf, struct resolver **ret,
		 struct err *err);
/* Lookups that still run are cancelled: their fn does not run. */
void resolver_free(struct resolver *r);
DEFINE_CLEANUP(struct resolver *, resolver_free)

/* One address, network byte order. */
struct ip_addr {
	sa_family_t family; /* AF_INET, AF_INET6 */
	uint32_t scope;	    /* of a link-local IPv6 address, else 0 */
	union {
		struct in_addr v4;
		struct in6_addr v6;
	};
};

/* What has come: one call for each family that was asked, in the order of arrival. */
struct resolve_result {
	int family;		     /* AF_INET or AF_INET6 */
	const struct ip_addr *addrs; /* n may be 0: the name has none of this family, or err */
	size_t n;
	const char *name; /* the name that was found, after search and CNAMEs */
	bool last;	  /* no further call; the handle is gone */
	/* NULL, or why there are none: NOT_FOUND (no such name, or no address), TIMEOUT,
	 * UNAVAILABLE (no server gave an answer). */
	struct err *err;
};
typedef void resolve_fn(void *arg, const struct resolve_result *res);

enum { RESOLVE_V4 = 1, RESOLVE_V6 = 2, RESOLVE_BOTH = 3 };

/* Runs fn from the loop, never inside. Fails at once for a name that is none (INVALID), or QUOTA.
 */
int resolver_lookup(struct resolver *r, const char *name, unsigned families, resolve_fn *fn,
		    void *arg, struct resolve **ret, struct err *err);
/* fn will not run again. NULL is fine. */
void resolve_cancel(struct resolve *q);

/* Records of one type and rooted name (search does not apply): the answer section without CNAMEs
 * in front. err as above. The records live during the call. */
typedef void resolve_rr_fn(void *arg, const struct dns_rr *rr, size_t n, struct err *err);
int resolver_query(struct resolver *r, const char *name, uint16_t type, resolve_rr_fn *fn,
		   void *arg, struct resolve **ret, struct err *err);

/* Is it a numeric address ("192.0.2.1", "2001:db8::1", "fe80::1%eth0", brackets allowed)? */
bool ip_addr_parse(struct slice text, struct ip_addr *ret);
/* At least INET6_ADDRSTRLEN + 16 bytes; returns dst. */
const char *ip_addr_text(const struct ip_addr *ip, char *dst, size_t n);

struct resolver_stats {
	uint64_t lookups, hosts, cache_hits, joined, sent_udp, sent_tcp, answers, spoofed, timeouts,
		reloads;
	size_t cached, running;
};
struct resolver_stats resolver_get_stats(const struct resolver *r);
