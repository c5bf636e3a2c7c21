/* SPDX-License-Identifier: Apache-2.0 */
/* Private to io: what the parts of the server share (http-server*.c). */
#pragma once

#include "io/cidr.h"
#include "io/conn.h"
#include "io/http-server.h"

#include <time.h>

#define LISTENERS_MAX 16

/* Who sends the PROXY protocol. */
struct proxy_trust {
	struct cidr *nets;
	size_t n;
	bool local; /* Unix sockets */
};

struct listener {
	struct source src;
	struct http_server *srv;
	int fd, lock_fd;
	char *path; /* Unix socket that we made */
	char address[128];
	bool exported;
	bool unix_path, tls_set; /* tls_set: tls is its own, also when NULL */
	struct tls_conf *tls;
	bool trust_set; /* trust is its own, also when empty */
	struct proxy_trust trust;
	dev_t dev; /* of our socket's name, so that a successor's is never unlinked */
	ino_t ino;
};

struct http_server {
	struct loop *loop;
	struct http_server_conf conf;
	struct conn_conf conn_conf;
	struct io_pool *pool;
	struct listener *listeners[LISTENERS_MAX];
	size_t listeners_n;
	struct tls_conf
		*tls; /* of TCP listeners without one of their own, and of adopted sockets */
	struct list conns;
	size_t conns_n;
	struct timer retry; /* after EMFILE */
	struct timer grace;
	struct deferred drained_call;
	void (*drained)(void *arg);
	void *drained_arg;
	bool draining, paused;
	struct http_server_stats stats;
	struct http_record *record; /* NULL: nothing is told */
	struct proxy_trust trust;   /* of listeners without one of their own, and adopted sockets */
	char *common;		    /* header lines ready to send */
	size_t common_len;
	time_t date_at;
	char date[48];
	size_t date_len;
};

/* http-server.c */
void http_server_set_accepting(struct http_server *srv);
int http_server_on_accept(struct source *src, uint32_t events);
struct slice http_server_date(struct http_server *srv); /* the line with its CR LF */

/* http-server-record.c */
int http_record_new(struct http_server *srv, struct err *err);
void http_record_free(struct http_server *srv);
void http_record_done(void *arg, const struct stream *s, const struct err *why);

/* http-server-listen.c */
void http_listener_free(struct listener *l);
/* Reads a list as in http_server_conf; *ret is replaced on success only. */
int http_trust_read(struct proxy_trust *ret, const char *const *list, size_t n, struct err *err);
/* What its connections speak; NULL = plain. Borrowed. */
struct tls_conf *http_listener_tls(const struct listener *l);

/* http-server-h1.c */
extern const struct stream_ops http_server_h1_ops;
/* Answers what is not a request and closes. The handler never hears of it. */
void http_server_h1_refuse(struct conn *c, int status, const struct err *why);
int http_server_h1_head(struct conn *c, struct slice head);
