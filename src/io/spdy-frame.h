/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to io: SPDY/3.1 frames and header blocks. Spec: SPDY Protocol - Draft 3.1, 2.2
 * and 2.6.10.
 */
#pragma once

#include "base/str.h"
#include "io/stream.h"

#include <stdbool.h>
#include <stdint.h>
#include <zlib.h>

struct arena;
struct err;
struct http_header;

#define SPDY_HEAD 8u

enum spdy_type {
	SPDY_DATA = 0, /* not a control frame */
	SPDY_SYN_STREAM = 1,
	SPDY_SYN_REPLY = 2,
	SPDY_RST_STREAM = 3,
	SPDY_SETTINGS = 4,
	SPDY_PING = 6,
	SPDY_GOAWAY = 7,
	SPDY_HEADERS = 8,
	SPDY_WINDOW_UPDATE = 9,
};

#define SPDY_FIN 1u
#define SPDY_UNIDIRECTIONAL 2u
#define SPDY_SETTING_STREAMS 4u
#define SPDY_SETTING_WINDOW 7u
#define SPDY_WINDOW 65536

enum spdy_status {
	SPDY_PROTOCOL_ERROR = 1,
	SPDY_INVALID_STREAM = 2,
	SPDY_REFUSED_STREAM = 3,
	SPDY_CANCEL = 5,
	SPDY_INTERNAL_ERROR = 6,
	SPDY_FLOW_CONTROL_ERROR = 7,
	SPDY_STREAM_IN_USE = 8,
	SPDY_STREAM_CLOSED = 9,
};

struct spdy_head {
	enum spdy_type type;
	uint32_t id; /* of a data frame */
	uint32_t length;
	uint8_t flags;
};
/* 0; -1 = a control frame of another version of SPDY. */
int spdy_head_parse(struct spdy_head *h, const char p[SPDY_HEAD]);
void spdy_data_put(char dst[SPDY_HEAD], uint32_t id, unsigned flags, size_t n);
void spdy_control_put(char dst[SPDY_HEAD], enum spdy_type type, unsigned flags, size_t n);
uint32_t spdy_u32(const char *p);
void spdy_put_u32(char *p, uint32_t v);

/* Header blocks of one connection are one zlib stream in each direction. */
struct spdy_zlib {
	z_stream in, out;
	bool in_ready, out_ready;
};
int spdy_zlib_init(struct spdy_zlib *z, struct err *err);
void spdy_zlib_fini(struct spdy_zlib *z);
/* Compresses a header block behind what is in out. Names go in lower case. -ERR_QUOTA past out's
 * maximum, -ERR_INVALID for a name or value that is none. */
int spdy_headers_put(struct spdy_zlib *z, const struct http_header *h, size_t n, struct buf *out,
		     struct err *err);
struct spdy_headers {
	struct http_header *v;
	size_t n;
};
/* Inflates and reads a block; a value of several parts becomes several headers. Everything lives in
 * a. After a failure the connection cannot be read on: TOO_LARGE past size_max bytes or n_max
 * headers, BAD_REQUEST malformed, QUOTA of the arena. */
int spdy_headers_get(struct spdy_zlib *z, struct slice block, struct arena *a, size_t size_max,
		     size_t n_max, struct spdy_headers *ret, struct err *err);
