/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Netlink: requests are queued into one buffer, sent at once, and every acknowledgement is awaited.
 *
 * Each request carries words for the error text ("create bridge 'x'") and at most one errno that
 * counts as success (EEXIST of an idempotent create). Appends latch a failure: nl_commit reports
 * it. A struct nl belongs to one thread at a time. It stays bound to the network namespace it was
 * opened in. This file hides the kernel's header of the same name, so it includes that one.
 */
#pragma once

#include_next <linux/netlink.h>

#include "base/cleanup.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

#define NL_BATCH_MAX 48
#define NL_BYTES_MAX 32768
#define NL_ATTRS_MAX 80

struct nl_request {
	uint32_t seq;
	int tolerate; /* errno that counts as success, or 0 */
	bool wants_ack;
	bool tolerated; /* after nl_commit: the tolerated errno came */
	char what[88];
};

struct nl {
	int fd;
	uint32_t seq, port;
	struct buf out;
	unsigned count;
	size_t msg; /* offset of the message being built */
	bool failed;
	struct nl_request req[NL_BATCH_MAX];
};

/* protocol: NETLINK_ROUTE, NETLINK_NETFILTER. In the caller's network namespace. */
int nl_open(struct nl *nl, int protocol, struct err *err);
/* In the namespace of netns_fd: the calling thread enters it and comes back. */
int nl_open_in(struct nl *nl, int protocol, int netns_fd, struct err *err);
void nl_close(struct nl *nl); /* a zeroed or closed nl is fine */
DEFINE_CLEANUP_EMBEDDED(struct nl, nl_close)

/* Starts a message: type, NLM_F_* (REQUEST is added; ACK is awaited if given), fixed header, words
 * for errors. */
struct nl_msg {
	uint16_t type, flags;
	const void *head;
	size_t n_head;
	int tolerate;
};
void nl_begin(struct nl *nl, const struct nl_msg *m, const char *fmt, ...) PRINTF(3, 4);
void nl_put(struct nl *nl, uint16_t type, const void *p, size_t n);
void nl_put_u8(struct nl *nl, uint16_t type, uint8_t v);
void nl_put_u16(struct nl *nl, uint16_t type, uint16_t v);
void nl_put_u32(struct nl *nl, uint16_t type, uint32_t v);
void nl_put_be32(struct nl *nl, uint16_t type, uint32_t v); /* v in host order */
void nl_put_be64(struct nl *nl, uint16_t type, uint64_t v);
void nl_put_str(struct nl *nl, uint16_t type, const char *s); /* with the NUL */
size_t nl_nest(struct nl *nl, uint16_t type);		      /* NLA_F_NESTED is added */
void nl_nest_end(struct nl *nl, size_t nest);
/* Raw bytes behind the last attribute header (VETH_INFO_PEER starts with an ifinfomsg). */
void nl_put_raw(struct nl *nl, const void *p, size_t n);

/* Sends what is queued, awaits all acknowledgements, empties the queue. The first failure in order
 * is the error, with the kernel's extended text; the requests behind it were still carried out by
 * the kernel. */
int nl_commit(struct nl *nl, struct err *err);
/* Drops what is queued. */
void nl_reset(struct nl *nl);

/* Called for each reply. body is behind the nlmsghdr. Non-zero from it ends the calls and is the
 * result (the rest is read and dropped). */
typedef int (*nl_reply_fn)(void *arg, const struct nlmsghdr *h, const void *body, size_t n,
			   struct err *err);
/* Sends the one queued request (a dump, or a get with NLM_F_ACK) and hands every reply to fn. */
int nl_query(struct nl *nl, nl_reply_fn fn, void *arg, struct err *err);

/* Attributes of a message into a table by type (0..max-1; others are skipped). Bounded by n. -1
 * when malformed. */
struct nl_attr {
	const void *p;
	size_t n;
};
int nl_parse(const void *p, size_t n, struct nl_attr *table, unsigned max);
uint32_t nl_get_u32(struct nl_attr a); /* 0 when absent or short */
uint32_t nl_get_be32(struct nl_attr a);
void nl_get_str(struct nl_attr a, char *dst, size_t n);
