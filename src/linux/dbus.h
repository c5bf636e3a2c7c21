/* SPDX-License-Identifier: Apache-2.0 */
/*
 * D-Bus, as far as a client needs it that calls methods and waits for a signal.
 *
 * Spec: the D-Bus Specification 0.43: "Type System" and "Message Protocol" (native byte order only;
 * no file descriptors), "Authentication Protocol" (EXTERNAL by the socket's credentials, which is
 * right in a user namespace too). A connection is blocking, belongs to one thread, and every wait
 * on it is bounded. A message is at most DBUS_MAX bytes; what is read from it is checked (lengths,
 * zero bytes, alignment) at each step.
 */
#pragma once

#include "base/cleanup.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct err;

enum { DBUS_MAX = 1 << 20, DBUS_WAIT_MS = 30000 };

/* ---- writing a body: alignment counts from the buffer's start ---- */

void dbus_put_byte(struct buf *b, uint8_t v);
void dbus_put_u16(struct buf *b, uint16_t v);
void dbus_put_u32(struct buf *b, uint32_t v);	  /* also 'i'; 'b' as 0 or 1 */
void dbus_put_u64(struct buf *b, uint64_t v);	  /* also 'x' and the bits of 'd' */
void dbus_put_str(struct buf *b, struct slice s); /* 's' and 'o' */
void dbus_put_sig(struct buf *b, struct slice s); /* 'g', at most 255 bytes */
void dbus_align(struct buf *b, unsigned to);	  /* 8 before a struct */
/* An array whose elements align to `to`: begin gives what end needs. */
size_t dbus_array_begin(struct buf *b, unsigned to);
void dbus_array_end(struct buf *b, size_t at, unsigned to);

/* ---- reading ---- */

/* What is left of a body. After a value that is not there or malformed `bad` is set, and all
 * further ones are 0 and "". */
struct dbus_in {
	const char *p;
	size_t n, at;
	bool bad;
};
uint32_t dbus_get_u32(struct dbus_in *in);
const char *dbus_get_str(struct dbus_in *in); /* within the message; 's' and 'o' */
const char *dbus_get_sig(struct dbus_in *in);

enum dbus_type { DBUS_CALL = 1, DBUS_REPLY, DBUS_ERROR, DBUS_SIGNAL };
struct dbus_msg {
	enum dbus_type type;
	uint32_t serial, reply_to;
	const char *path, *interface, *member, *error, *sender; /* "" = not given */
	const char *signature;
	struct dbus_in body;
};
/* The first message in p: how many bytes it has, 0 if some are missing, or -ERR_INVALID. It borrows
 * from p, which must be aligned to 8. */
int dbus_parse(const char *p, size_t n, struct dbus_msg *ret, struct err *err);

/* ---- a connection ---- */

struct dbus;
/* By an address ("unix:path=/run/dbus/system_bus_socket;unix:abstract=..."), the first that
 * answers. `peer`: there is no bus but the service itself at the other end. */
int dbus_open(const char *address, bool peer, struct dbus **ret, struct err *err);
void dbus_free(struct dbus *d);
DEFINE_CLEANUP(struct dbus *, dbus_free)

struct dbus_call {
	const char *to, *path, *interface, *member;
	const char *signature;	/* of the body, "" = none */
	const struct buf *body; /* or NULL */
};
/* Waits for the answer; other messages meanwhile are dropped. *ret borrows from the connection
 * until the next call. An error answer becomes NOT_FOUND, EXISTS, FORBIDDEN, INVALID or SYSTEM,
 * with its name and text. */
int dbus_call(struct dbus *d, const struct dbus_call *c, struct dbus_msg *ret, struct err *err);
/* The next message of any kind; TIMEOUT after DBUS_WAIT_MS. */
int dbus_next(struct dbus *d, struct dbus_msg *ret, struct err *err);
/* Sends it and waits for nothing. */
int dbus_tell(struct dbus *d, const struct dbus_call *c, struct err *err);
