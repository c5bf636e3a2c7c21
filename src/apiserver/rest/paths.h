/* SPDX-License-Identifier: Apache-2.0 */
/* Private to the server: paths that are no resources, and the bytes that are kept of them. */
#pragma once

#include "apiserver/rest/call.h"
#include "base/map.h"

struct openapi;

/* A document as it is sent, until what is served changes. */
struct page {
	char *key;
	struct buf bytes;
	char etag[2 * 32 + 3]; /* with its quotes */
};

struct paths {
	struct server *srv;
	struct map pages; /* discovery: key -> struct page */
	uint64_t generation;
	struct openapi *openapi; /* NULL before it is asked for */
	uint64_t openapi_generation;
	char v2_etag[2][160]; /* of JSON, of protobuf; with quotes; "" = not known yet */
};

/* false: none of these. */
bool paths_health(struct call *c, const char *path);
bool paths_openapi(struct call *c, const char *path);
bool paths_openid(struct call *c, const char *path);
/* If-None-Match names this tag: answered with 304. */
bool paths_unchanged(struct call *c, const char *etag);
/* Does an Accept header have a media type that begins so? Empty: yes. */
bool paths_accept(const struct call *c, const char *type);
/* Grows with every change of what is served, here or by other servers. */
uint64_t paths_generation(const struct server *srv);
/* "10.0.0.1:6443": where we are reached, as discovery tells it; "" = not known. */
const char *paths_address(const struct server *srv);
