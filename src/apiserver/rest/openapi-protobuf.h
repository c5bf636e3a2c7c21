/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to openapi*.c: version 2 as protobuf, the form that older clients ask for first. Pieces
 * of the document are turned one by one; a parser puts equal messages together, so each piece
 * stands in a message of its own. Spec: gnostic's openapi.v2 (field numbers), proto3.
 */
#pragma once

struct buf;
struct doc;
struct err;

/* Where a named piece belongs in the document. */
enum openapi_section {
	OPENAPI_PATHS,
	OPENAPI_DEFINITIONS,
	OPENAPI_PARAMETERS,
	OPENAPI_SECURITY_DEFINITIONS,
};

/* Appends a member of a section: "/api/v1/pods" and its item. -ERR_QUOTA: out is full. */
int openapi_proto_member(enum openapi_section s, const char *name, const struct doc *d,
			 struct buf *out, struct err *err);
/* Appends what stands in the document itself: swagger, info, security. */
int openapi_proto_head(const struct doc *d, struct buf *out, struct err *err);
