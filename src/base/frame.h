/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames between our own processes: SOCK_SEQPACKET, one packet = {type, version, request id,
 * length} + payload, fds beside it. The receiver checks each against a rule table (who may send it,
 * size, number of fds) before a handler runs.
 */
#pragma once

#include "base/cleanup.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

#define FRAME_FDS_MAX 8
#define FRAME_PAYLOAD_MAX (128 * 1024)

struct frame_head {
	uint32_t magic; /* FRAME_MAGIC */
	uint16_t type;
	uint16_t version; /* of the protocol the sender speaks on this connection */
	uint32_t id;	  /* request id; a reply carries the request's */
	uint32_t len;	  /* payload bytes */
};
#define FRAME_MAGIC 0x55455401u /* "\1TEU" */

struct frame {
	struct frame_head head;
	const unsigned char *payload; /* in the receive buffer; valid until the next receive */
	int fds[FRAME_FDS_MAX]; /* owned by whoever holds the frame: frame_fini closes what is left
				 */
	unsigned nfds;
};

struct frame_rule {
	const char *name; /* NULL = type unknown */
	uint32_t senders; /* bit mask, meaning is the protocol's */
	uint8_t fds_min, fds_max;
	uint32_t len_min, len_max;
};

void frame_fini(struct frame *f); /* closes fds not taken */
DEFINE_CLEANUP_EMBEDDED(struct frame, frame_fini)
int frame_take_fd(struct frame *f, unsigned i); /* moves out; -1 if none */

/* 0; 1 = would block (nothing sent); negative = error (-ERR_UNAVAILABLE: peer gone). fds stay the
 * caller's. */
int frame_send(int sock, uint16_t version, uint16_t type, uint32_t id, const void *payload,
	       size_t len, const int *fds, unsigned nfds, struct err *err);
/* 1 = a frame; 0 = would block; -ERR_UNAVAILABLE = end of stream; other negative = broken packet
 * (bad magic, length, truncated payload or control data; received fds were closed). buf holds the
 * payload. All fds are O_CLOEXEC. */
int frame_recv(int sock, void *buf, size_t cap, struct frame *ret, struct err *err);
/* -ERR_BAD_REQUEST naming the rule when type, sender, size or number of fds is not allowed. */
int frame_check(const struct frame *f, const struct frame_rule *rules, size_t nrules,
		uint32_t sender, struct err *err);

/* Bounded little-endian reader and writer for payloads. A read past the end sets `bad` and gives
 * zeros / empty slices. */
struct wire_in {
	const unsigned char *p, *end;
	int bad;
};
struct wire_out {
	unsigned char *p;
	size_t n, cap;
	int bad; /* did not fit */
};
struct slice;
uint8_t wire_u8(struct wire_in *in);
uint16_t wire_u16(struct wire_in *in);
uint32_t wire_u32(struct wire_in *in);
uint64_t wire_u64(struct wire_in *in);
void wire_bytes(struct wire_in *in, struct slice *ret); /* u32 length + bytes */
void wire_put_u8(struct wire_out *o, uint8_t v);
void wire_put_u16(struct wire_out *o, uint16_t v);
void wire_put_u32(struct wire_out *o, uint32_t v);
void wire_put_u64(struct wire_out *o, uint64_t v);
void wire_put_bytes(struct wire_out *o, const void *p, size_t n);
void wire_put_str(struct wire_out *o, const char *s); /* NULL as empty */
