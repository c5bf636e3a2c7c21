/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which HTTP proxy stands before an address: http_proxy, https_proxy, all_proxy and no_proxy, as
 * curl and Go read them.
 *
 * no_proxy is a comma list of: "*"; a host ("example.com": it and all below it; ".example.com":
 * only below it), with ":port" for that port only; an address; a network in CIDR notation.
 * localhost and loopback addresses never go to a proxy. HTTP_PROXY in capitals is not read: a CGI
 * program gets it from a request's "Proxy" header.
 */
#pragma once

#include <stdint.h>

struct err;

struct http_proxy {
	char address[280]; /* "http://host:port" */
	char auth[768];	   /* value of Proxy-Authorization, "" for none; a secret */
};

struct http_proxy_env {
	const char *http, *https, *all, *no; /* NULL = not set */
};
struct http_proxy_env http_proxy_env_get(void);

/* 1: *ret is to be asked; 0: directly. INVALID: the proxy's address is none; UNSUPPORTED: its
 * scheme (only http proxies are spoken to). */
int http_proxy_for(const struct http_proxy_env *env, const char *scheme, const char *host,
		   uint16_t port, struct http_proxy *ret, struct err *err);
/* "http://user:password@host:port" or "host:port" to its parts. */
int http_proxy_parse(const char *text, struct http_proxy *ret, struct err *err);
