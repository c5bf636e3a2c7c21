/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenAPI as it is served: version 2 in one piece (/openapi/v2), version 3 by group and version
 * (/openapi/v3 and below), built-in kinds and custom ones alike. Documents are made of the tables
 * when they are asked for, path by path into the buffer given; nothing is kept but the hashes of
 * built-in documents of version 3.
 *
 * Published is what this server does: no CBOR, no /logs. On the loop's thread.
 */
#pragma once

#include "api/api.h"
#include "base/cleanup.h"
#include "base/str.h"

struct buf;
struct err;
struct openapi;

#define OPENAPI_BYTES_MAX (64u << 20) /* for the buffer of a document */
#define OPENAPI_HASH_LEN 129	      /* SHA-512 in upper-case hex, and a NUL */

/* version: the server's, "v1.36.0", which documents carry. api is borrowed for life. Never NULL. */
struct openapi *openapi_new(const struct api *api, const char *version);
void openapi_free(struct openapi *o); /* NULL is fine */
DEFINE_CLEANUP(struct openapi *, openapi_free)
/* Custom groups (resources_groups), borrowed until the next call. */
void openapi_set_custom(struct openapi *o, const struct api_group *const *groups, size_t n);

/* What other servers add to version 2: {"paths":{...},"definitions":{...}} as JSON. What has a name
 * of ours is left out, and so is a server of a group and version that we have. Borrowed until the
 * next call, but `v` itself. */
struct openapi_addition {
	const char *group_version;
	struct slice json;
};
void openapi_set_additions(struct openapi *o, const struct openapi_addition *v, size_t n);

/* /openapi/v2 as JSON. Each appends to out; -ERR_QUOTA: it is full. */
int openapi_v2(struct openapi *o, struct buf *out, struct err *err);
/* The same for who asks for application/com.github.proto-openapi.spec.v2@v1.0+protobuf, as Go
 * clients do, who read no other form of version 2. The answer's type has a dot for the "@", which
 * Go cannot read in an answer: application/com.github.proto-openapi.spec.v2.v1.0+protobuf. */
int openapi_v2_protobuf(struct openapi *o, struct buf *out, struct err *err);
/* A document of another server, and where it is: in the place of ours of that name. */
struct openapi_other {
	const char *document, *url; /* "apis/G/V"; "/openapi/v3/apis/G/V?hash=..." */
};
/* /openapi/v3: where each document is, with its hash. The first call makes them all once. */
int openapi_v3_index(struct openapi *o, const struct openapi_other *others, size_t n,
		     struct buf *out, struct err *err);
/* One of them: "apis/apps/v1", "api", "version". -ERR_NOT_FOUND. */
int openapi_v3(struct openapi *o, const char *document, struct buf *out, struct err *err);
/* The hash that the index has for it and that serves as its ETag. -ERR_NOT_FOUND. */
int openapi_v3_hash(struct openapi *o, const char *document, char ret[OPENAPI_HASH_LEN],
		    struct err *err);
/* Of any bytes, in upstream's form: the ETag of version 2 too. */
void openapi_hash(const void *p, size_t n, char ret[OPENAPI_HASH_LEN]);
