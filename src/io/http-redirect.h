/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Following redirects, bounded: what to ask next after a 3xx answer. RFC 9110 section 15.4, RFC
 * 3986 section 5.
 *
 * Credentials (Authorization, Cookie, Proxy-Authorization) belong to one origin: after a step to
 * another scheme, host or port `credentials` is false and stays so. From https to http no redirect
 * is followed. 303, and 301/302 of a POST, become GET without a body; 307 and 308 change nothing.
 */
#pragma once

#include "base/str.h"

#include <stdbool.h>

struct err;

#define HTTP_REDIRECTS 10u

struct http_redirect {
	unsigned left; /* steps that may still be taken */
	char url[8192];
	char method[33];
	bool body;	  /* the request's body is sent (again) */
	bool credentials; /* they may be sent to url */
};

/* url: absolute, http or https. */
int http_redirect_init(struct http_redirect *r, const char *method, const char *url, bool body,
		       struct err *err);
/* 1: ask r->url by r->method; 0: the answer is final. QUOTA: too many; FORBIDDEN: to plain http;
 * BAD_REQUEST: Location is missing or no address; UNSUPPORTED: another scheme. */
int http_redirect_step(struct http_redirect *r, int status, struct slice location, struct err *err);
/* "https://host:port" of url, lower case, with the port named; false if it is none. */
bool http_origin(struct slice url, char *dst, size_t n);
