/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DNS messages: names, parsing, building; for clients and servers. Pure functions over bytes.
 *
 * A name here is its wire form without compression: labels with a length byte each, and the root's
 * zero at the end ("\3www\7example\3com\0"), 1 to 255 bytes. Text is for people and files: dots
 * between labels, "\." and "\\" and "\DDD" for what a label holds otherwise; "." is the root; a dot
 * at the end is optional on reading and absent on writing (but for the root).
 *
 * Specs: RFC 1035, 2782 (SRV), 3596 (AAAA), 3597 (unknown types, no new compression), 6891 (EDNS0).
 */
#pragma once

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct arena;
struct err;

#define DNS_NAME_MAX 255
#define DNS_TEXT_MAX 1024 /* a name's longest text with its NUL fits */
#define DNS_UDP_MAX 1232  /* what we offer and send: fits the minimal IPv6 path */
#define DNS_MESSAGE_MAX 65535

enum dns_type {
	DNS_A = 1,
	DNS_NS = 2,
	DNS_CNAME = 5,
	DNS_SOA = 6,
	DNS_PTR = 12,
	DNS_MX = 15,
	DNS_TXT = 16,
	DNS_AAAA = 28,
	DNS_SRV = 33,
	DNS_OPT = 41,
	DNS_AXFR = 252,
	DNS_ANY = 255,
};
enum { DNS_IN = 1, DNS_CH = 3, DNS_CLASS_ANY = 255 };
enum dns_rcode {
	DNS_NOERROR = 0,
	DNS_FORMERR = 1,
	DNS_SERVFAIL = 2,
	DNS_NXDOMAIN = 3,
	DNS_NOTIMP = 4,
	DNS_REFUSED = 5,
	DNS_BADVERS = 16,
};
/* Bits of the header's second word. */
enum {
	DNS_QR = 0x8000, /* a response */
	DNS_OPCODE = 0x7800,
	DNS_AA = 0x0400,
	DNS_TC = 0x0200,
	DNS_RD = 0x0100,
	DNS_RA = 0x0080,
	DNS_AD = 0x0020,
	DNS_CD = 0x0010,
	DNS_RCODE = 0x000f,
};

struct dns_question {
	struct slice name;
	uint16_t type, class_;
};

struct dns_rr {
	struct slice name;
	uint16_t type, class_;
	uint32_t ttl;	   /* at most 2^31 - 1; larger ones are read as 0 (RFC 2181 section 8) */
	struct slice data; /* A: 4 bytes, AAAA: 16, types not named below: as they are */
	/* NS, CNAME, PTR, MX, SRV: the host; SOA: the primary */
	struct slice host;
	uint16_t priority;     /* MX's preference, SRV */
	uint16_t weight, port; /* SRV */
	struct slice *texts;   /* TXT: its strings, at most 255 bytes each */
	size_t texts_n;
	struct {
		struct slice mailbox;
		uint32_t serial, refresh, retry, expire, minimum;
	} soa;
};

enum dns_section { DNS_ANSWER, DNS_AUTHORITY, DNS_ADDITIONAL };

struct dns_msg {
	uint16_t id, flags;
	unsigned rcode; /* with EDNS's upper bits */
	struct dns_question *questions;
	size_t questions_n;
	struct dns_rr *rr[3]; /* by enum dns_section; without OPT */
	size_t rr_n[3];
	/* EDNS0, when there was an OPT record. */
	bool edns, dnssec_ok;
	uint8_t edns_version;
	uint16_t udp_size; /* at least 512 */
	struct slice edns_options;
};

/* ---- names ---- */

/* room has DNS_NAME_MAX bytes; *ret borrows it. INVALID: empty label, over 63 or 255 bytes. */
int dns_name_parse(struct slice text, unsigned char *room, struct slice *ret, struct err *err);
/* dst has DNS_TEXT_MAX bytes; returns it. */
const char *dns_name_text(struct slice name, char *dst);
bool dns_name_eq(struct slice a, struct slice b); /* ASCII case does not count */
/* Is name at or below zone? */
bool dns_name_within(struct slice name, struct slice zone);
unsigned dns_name_labels(struct slice name);	 /* without the root */
struct slice dns_name_parent(struct slice name); /* of the root: the root */
/* "4.3.2.1.in-addr.arpa" of an address (family AF_INET: 4 bytes, AF_INET6: 16). */
struct slice dns_name_reverse(int family, const void *addr, unsigned char *room);

const char *dns_rcode_name(unsigned rcode); /* "NXDOMAIN"; "rcode 23" has no name: "unknown" */
const char *dns_type_name(uint16_t type);   /* "AAAA"; "unknown" */
uint16_t dns_type_parse(struct slice text); /* also "TYPE65"; 0 = none */

/* ---- parsing ---- */

/*
 * Reads a whole message. Slices of *ret borrow from `wire` and the arena. BAD_REQUEST ("byte 17:
 * ...") for what is no message: sections longer than the bytes, compression that does not point
 * back, labels or names too long, data of the wrong size, a second OPT, bytes behind the end. QUOTA
 * when the arena is full.
 */
int dns_parse(struct arena *a, struct slice wire, struct dns_msg *ret, struct err *err);
/* Id and flags alone, for an error answer to what does not parse. False under 12 bytes. */
bool dns_peek(struct slice wire, uint16_t *id, uint16_t *flags);

/* ---- building ---- */

#define DNS_BUILD_NAMES 96

/* Writes into the caller's bytes, with compression. Sections in order. */
struct dns_build {
	unsigned char *p;
	size_t n, max;
	uint16_t counts[4];
	uint16_t names[DNS_BUILD_NAMES]; /* offsets of labels that can be pointed to */
	size_t names_n;
};
/* max: at least 12. flags as in the header, with the rcode's lower bits. */
void dns_build_init(struct dns_build *b, void *p, size_t max, uint16_t id, uint16_t flags);
/* False: no room; nothing was added. */
bool dns_build_question(struct dns_build *b, struct slice name, uint16_t type, uint16_t class_);
/* For the types of struct dns_rr its fields are written, for others `data`. False: no room, and TC
 * is set unless the section is ADDITIONAL. */
bool dns_build_rr(struct dns_build *b, enum dns_section section, const struct dns_rr *rr);
/* The OPT record: our UDP size, the upper bits of rcode, DO. */
bool dns_build_opt(struct dns_build *b, uint16_t udp_size, unsigned rcode, bool dnssec_ok);
/* Counts are in place at any time: the message is p[0..n). */
static inline struct slice dns_built(const struct dns_build *b)
{
	return slice_of((const char *)b->p, b->n);
}
