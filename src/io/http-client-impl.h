/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to io: what the parts of the client share (http-client*.c).
 *
 * A stream is in one of three states, told by its ops: unsent (conn is the client, which does not
 * count it), waiting (conn is the client, which counts it), or on a connection (conn is that, or
 * its HTTP/2 stream).
 */
#pragma once

#include "io/conn.h"
#include "io/http-client.h"

#include <sys/socket.h>

struct http_client {
	struct loop *loop;
	bool own_loop;
	char *address, *host, *agent;
	struct sockaddr_storage sa;
	socklen_t sa_len;
	struct http_client_conf conf;
	struct conn_conf conn_conf;
	char *tls_name;
	uint16_t tls_port;
	struct io_pool *pool;
	struct list idle, running; /* connections of HTTP/1.1, and what is closing */
	struct list multi;	   /* connections of HTTP/2 */
	size_t conns_n;
	struct list unsent, waiting; /* streams */
	struct timer retry;	     /* the listener's backlog is full */
	int64_t retry_since;
	struct http_proxy *proxy; /* NULL: none */
	char *authority;	  /* "host:port" of the server */
	char *connect_text;	  /* the request that opens a tunnel */
	char *proxy_header;	  /* sent before all else, NULL: nothing is */
	size_t proxy_header_n;
	char *dial_address; /* a name: asked for by dial.h */
	struct list dialing;
	unsigned opening; /* connections whose version is not known yet */
	bool was_h2;	  /* the last one that became known was HTTP/2 */
	bool closing;
	bool no_upgrade; /* the server did not take one */
};

/* http-client.c */
extern const struct stream_ops http_client_waiting_ops;

/* http-client-open.c */
/* 0 = *ret is there (maybe opening), 1 = later: retry, or a connection that is dialed. */
int http_client_open(struct http_client *cl, struct conn **ret, struct err *err);
void http_client_stop_dialing(struct http_client *cl);
extern const struct conn_role http_client_role;

/* http-client-h1.c */
extern const struct stream_ops http_client_h1_ops;
int http_client_h1_head(struct conn *c, struct slice head);
void http_client_h1_bad_head(struct conn *c, int status, const struct err *why);
void http_client_h1_send(struct conn *c, struct stream *s);

/* http-client-conn.c */
/* 0 = on its way, 1 = must wait. */
int http_client_try_send(struct http_client *cl, struct stream *s, struct err *err);
void http_client_serve_waiting(struct http_client *cl);
