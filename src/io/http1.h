/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.1 syntax, private to io: message heads and body framing as pure functions over bytes. No
 * socket, no state beyond what is passed in; fuzzed as they are. RFC 9112; where it leaves a choice
 * the strict one is taken, since two readers that disagree about a message's end are a hole
 * (request smuggling).
 */
#pragma once

#include "base/str.h"
#include "io/stream.h"

#include <stdbool.h>
#include <stdint.h>

struct arena;
struct err;

struct h1_limits {
	size_t head_max, line_max, headers_max;
};

enum h1_body_kind { H1_NO_BODY, H1_LENGTH, H1_CHUNKED, H1_UNTIL_CLOSE };

struct h1_head {
	struct http_request rq; /* requests */
	int status;		/* responses */
	int minor;
	struct http_header *headers;
	size_t headers_n;
	enum h1_body_kind body;
	int64_t length; /* -1 = not announced */
	bool keep_alive;
	bool expect_continue;
};

/* Length of the head at p including its blank line, 0 if more bytes are needed, negative with
 * *status when it can never become one. *scan starts at 0 and remembers what has been searched. */
ssize_t h1_head_end(struct slice in, size_t *scan, const struct h1_limits *lim, int *status,
		    struct err *err);

/* head: a whole head that lives as long as the arena (values point into it). Negative with *status
 * to answer. */
int h1_parse_request(struct arena *a, struct slice head, const struct h1_limits *lim,
		     struct h1_head *ret, struct err *err, int *status);
/* The target of a request line or :path; rq->method is set. Fills path, raw_path, query and, if it
 * names one, host. CONNECT: host:port, and an empty path. */
int h1_parse_target(struct arena *a, struct http_request *rq, struct slice target, struct err *err,
		    int *status);
/* Nothing in it ends a host name for anybody. Empty is fine. */
bool h1_is_host(struct slice host);
/* method: of the request (HEAD has no body). */
int h1_parse_response(struct arena *a, struct slice head, const struct h1_limits *lim,
		      const char *method, struct h1_head *ret, struct err *err);
/* Field lines without a blank line at the end, as in trailers. */
int h1_parse_fields(struct arena *a, struct slice lines, size_t max, struct http_header **ret,
		    size_t *ret_n, struct err *err);

#define H1_TRAILERS_MAX 8192
#define H1_CHUNK_LINE_MAX 256	/* chunk size with its extensions */
#define H1_EXTENSIONS_MAX 16384 /* bytes of extensions per body */

enum h1_chunk_state { CK_SIZE, CK_SIZE_LF, CK_DATA, CK_DATA_CR, CK_DATA_LF, CK_TRAILER, CK_DONE };

struct h1_body {
	enum h1_body_kind kind;
	enum h1_chunk_state state;
	uint64_t left; /* payload bytes until the next framing */
	unsigned digits, line;
	size_t extensions;
	bool in_extension, done;
	struct buf trailer; /* field lines so far */
};

void h1_body_init(struct h1_body *b, enum h1_body_kind kind, int64_t length);
void h1_body_fini(struct h1_body *b);
/* Consumes bytes of `in`: returns how many, *data the payload among them (at most credit bytes,
 * maybe none). Returns 0 when it needs more input or credit. b->done tells the end. Negative:
 * malformed. */
ssize_t h1_body_step(struct h1_body *b, struct slice in, size_t credit, struct slice *data,
		     struct err *err);
/* The next byte would be payload, so that nothing moves without credit. */
static inline bool h1_body_at_payload(const struct h1_body *b)
{
	if (b->kind == H1_CHUNKED)
		return b->state == CK_DATA;
	return b->kind == H1_UNTIL_CLOSE || b->left > 0;
}

bool h1_is_token(struct slice s);
bool h1_is_value(struct slice s);
const char *h1_reason(int status);
/* Comma list membership, without case. */
bool h1_list_has(struct slice list, const char *token);
