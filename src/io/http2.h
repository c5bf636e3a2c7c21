/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which HTTP a server or a client speaks. Over TLS the versions are negotiated (ALPN "h2",
 * "http/1.1"); without it HTTP/2 begins by prior knowledge (RFC 9113 3.3) or by an upgrade
 * (RFC 7540 3.2, which proxies in front may be tricked with: off unless asked for).
 */
#pragma once

enum http2_mode {
	/* Over TLS where both sides have it, else HTTP/1.1. */
	HTTP2_BY_TLS,
	/* HTTP/1.1 only. */
	HTTP2_NEVER,
	/* Client: HTTP/2 at once, over TLS nothing else is offered (gRPC). Server: as BY_TLS, and
	 * clients may begin with the HTTP/2 preface on a plain connection. */
	HTTP2_PRIOR,
	/* Client: a plain connection begins with an upgrade, and stays HTTP/1.1 if the server does
	 * not take it. Server: as PRIOR, and upgrades are taken. */
	HTTP2_UPGRADE,
};
