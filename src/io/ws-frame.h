/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to io: WebSocket frames as pure functions: heads, masking, incremental UTF-8, the
 * handshake's hash. Spec: RFC 6455 chapters 4.2.2, 5 and 7.4.
 */
#pragma once

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

#define WS_HEAD_MAX 14u
#define WS_CONTROL_MAX 125u
#define WS_ACCEPT_LEN 28u

enum ws_op {
	WS_OP_CONT = 0,
	WS_OP_TEXT = 1,
	WS_OP_BINARY = 2,
	WS_OP_CLOSE = 8,
	WS_OP_PING = 9,
	WS_OP_PONG = 10,
};

struct ws_head {
	uint64_t length;
	unsigned char key[4];
	uint8_t op;
	uint8_t rsv;
	bool fin, masked;
};

/* Bytes of the head; 0 = not all there yet (never more than WS_HEAD_MAX are needed); -1 = a length
 * that is not in its shortest form or has its highest bit set. */
int ws_head_parse(struct ws_head *h, const char *p, size_t n);
/* Writes the head, key NULL = not masked. Returns its bytes, at most WS_HEAD_MAX. */
size_t ws_head_put(char dst[WS_HEAD_MAX], unsigned op_and_fin, uint64_t length,
		   const unsigned char *key);
#define WS_FIN 0x80u

/* Masks or unmasks n bytes whose first has the position `phase` in the payload. dst may be src, but
 * not overlap it otherwise. */
void ws_mask(char *dst, const char *src, size_t n, const unsigned char key[4], uint64_t phase);

/* Zeroed at the beginning of a text. need: continuation bytes that are still owed. */
struct ws_utf8 {
	uint8_t need, low, high;
};
/* False at the first byte that cannot be UTF-8: overlong forms, surrogates, past U+10FFFF. */
bool ws_utf8_step(struct ws_utf8 *u, const char *p, size_t n);

/* May stand in a close frame. */
bool ws_close_code_ok(unsigned code);

/* Sec-WebSocket-Accept for a key, NUL-terminated. */
void ws_accept_key(char dst[WS_ACCEPT_LEN + 1], struct slice key);
