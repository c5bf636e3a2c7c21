/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The PROXY protocol: who the client behind a load balancer is, said before the first byte of a
 * connection. Versions 1 (a line of text) and 2 (binary). Pure functions over bytes; fuzzed.
 * Whoever believes it must know the sender: see http_server_conf.proxy_trusted.
 * Spec: haproxy's doc/proxy-protocol.txt.
 */
#pragma once

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct err;

#define PROXY_V1_MAX 107u /* with CR LF */
#define PROXY_V2_HEAD 16u
#define PROXY_MAX 4096u /* of a version 2 header with its TLVs; larger ones are refused */

struct proxy_info {
	int version;
	bool local; /* the balancer speaks for itself (health check), or does not know */
	struct sockaddr_storage src, dst; /* AF_UNSPEC if not told; AF_UNIX by version 2 */
	struct slice tlvs;		  /* version 2: raw, inside `in` */
};

/* Length of the header at the begin of in, 0 if more is needed, negative (BAD_REQUEST) if it is
 * none. *ret_need: how many bytes the header has at least, so that nobody reads past it. */
ssize_t proxy_parse(struct slice in, struct proxy_info *ret, size_t *ret_need, struct err *err);
/* Value of the first TLV of that type (0x02 authority, 0x05 unique id), {NULL,0} if absent. */
struct slice proxy_tlv(const struct proxy_info *info, uint8_t type);

/* Writes a header of info->version; returns its length, 0 if n is too small or the families
 * differ. */
size_t proxy_write(const struct proxy_info *info, char *dst, size_t n);
