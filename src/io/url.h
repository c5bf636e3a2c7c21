/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Percent coding, query strings, addresses. RFC 3986; queries as HTML forms do it ("+" is a blank).
 */
#pragma once

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct arena;
struct err;

/* Decodes %XX (plus: also "+" to blank) into the arena, NUL-terminated. INVALID on a bad escape or
 * %00; QUOTA. */
int url_decode(struct arena *a, struct slice raw, bool plus, struct slice *ret, struct err *err);
/* Appends s with everything but unreserved characters escaped; keep_slash leaves "/" (paths). */
int url_encode(struct buf *b, struct slice s, bool keep_slash);

struct query_pair {
	const char *name;
	const char *value; /* "" when there was no "=" */
};

struct query {
	struct query_pair *pairs;
	size_t n;
};

#define QUERY_PAIRS_MAX 1024

/* raw is what follows "?". Strings live in the arena. INVALID on bad escapes, QUOTA past
 * QUERY_PAIRS_MAX. */
int query_parse(struct arena *a, struct slice raw, struct query *ret, struct err *err);
/* First value, NULL if absent. */
const char *query_get(const struct query *q, const char *name);
/* i-th value of a repeated name, NULL past the last. */
const char *query_nth(const struct query *q, const char *name, size_t i);
/* Docker's truth: absent gives absent_value; "", 0, no, false, none (any case) are false, all else
 * true. */
bool query_bool(const struct query *q, const char *name, bool absent_value);
/* Absent or "" gives absent_value. INVALID names the parameter and its text. */
int query_int64(const struct query *q, const char *name, int64_t absent_value, int64_t *ret,
		struct err *err);
/* Appends "?name=value" or "&name=value" (by whether b has a "?" already), encoded. NULL value:
 * nothing. */
int query_add(struct buf *b, const char *name, const char *value);

/* An address of a server: unix:///path, tcp://host:port, http://host[:port][/base], https likewise,
 * fd://. */
struct url {
	const char *scheme; /* lower case */
	const char *host;   /* without brackets; "" for unix and fd */
	uint16_t port;	    /* 0 = not given (http gives 80, https 443) */
	const char *path;   /* unix: socket path; else begins with "/" or is "" */
};
/* "127.0.0.1:80", "[::1]:80", "localhost:80", ":80" (any address, IPv6): numeric only; other names
 * are UNSUPPORTED. */
int url_sockaddr(const char *host_port, struct sockaddr_storage *ret, socklen_t *ret_len,
		 struct err *err);
int url_parse(struct arena *a, const char *text, struct url *ret, struct err *err);
